"""Use a client of openapi-python-client: give its folder, a URL and the credentials."""

import sys

sys.path.insert(0, sys.argv[1])

from client import AuthenticatedClient, Client
from client.api.tasks import create_task, delete_task, get_task, list_tasks, update_task
from client.models import ErrorBody, Task, TaskCreate, TaskUpdate

stranger = Client(base_url=sys.argv[2])
client = stranger
if sys.argv[3] != "none":
    client = AuthenticatedClient(base_url=sys.argv[2], token=sys.argv[3].removeprefix("Bearer "))

first, second = (
    create_task.sync(42, client=client, body=TaskCreate(title=title, description="x"))
    for title in ("one", "two")
)
assert isinstance(first, Task)
assert isinstance(second, Task)
page = list_tasks.sync_detailed(42, client=client, limit=1)
assert page.parsed == [second]
cursor = page.headers["link"].partition("after=")[2].partition(">")[0]
assert list_tasks.sync(42, client=client, limit=1, after=cursor) == [first]

change = TaskUpdate(description=None)
changed = update_task.sync(42, first.id, client=client, body=change, if_match='"1"')
assert isinstance(changed, Task)
assert (changed.title, changed.description, changed.version) == ("one", None, 2)
conflict = update_task.sync(42, first.id, client=client, body=change, if_match='"1"')
assert isinstance(conflict, ErrorBody)
assert conflict.error.details.version == 2
assert get_task.sync_detailed(42, first.id, client=client, if_none_match='"2"').status_code == 304

blank = create_task.sync(42, client=client, body=TaskCreate(title=" "))
assert isinstance(blank, ErrorBody)
assert blank.error.details.field == "title"
missing = get_task.sync(42, 1, client=client)
assert isinstance(missing, ErrorBody)
assert missing.error.code == "NOT_FOUND"
if sys.argv[3] != "none":
    refused = get_task.sync(42, first.id, client=stranger)
    assert isinstance(refused, ErrorBody)
    assert refused.error.code == "UNAUTHENTICATED"
assert delete_task.sync(42, first.id, client=client).message
