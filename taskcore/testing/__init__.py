"""A test of noninterference: no user can change what another user sees, through any face.

`check_noninterference` lets Hypothesis generate programs of several users. It runs each
program twice: with all users, and with one user alone. That user must see the same both
times. To check an application that mounts the routes, three lines of pytest are enough::

    def test_no_user_senses_another() -> None:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://app")
        check_noninterference(RestFace(client, app=app, prefix="/api", headers=signed_in_as))

Here ``app`` opens the store in its lifespan, and ``signed_in_as(user_id)`` returns the request
headers that identify the user. For a running server, omit ``app`` and give the client the
server's URL. The users are new, with random ids of 13 digits. Their tasks stay in the
database, so use a database for tests.

``check_noninterference(LibraryFace(store))`` checks the library itself. Write a `Face` to check
any other program that uses the store. Needs ``taskcore[testing]``.
"""

try:
    import hypothesis as _hypothesis  # noqa: F401
except ModuleNotFoundError as exc:
    raise ModuleNotFoundError(
        "taskcore.testing needs Hypothesis: pip install 'taskcore[testing]'", name=exc.name
    ) from exc

from taskcore.testing.faces import Face, LibraryFace
from taskcore.testing.noninterference import Evidence, check_noninterference
from taskcore.testing.operations import (
    EVENTS,
    Cancelled,
    ChangeToken,
    Count,
    Create,
    CreateMany,
    Delete,
    DeleteMany,
    Event,
    Foreign,
    Get,
    List,
    Literal,
    Never,
    Observation,
    Operation,
    Own,
    Reference,
    Step,
    Update,
    UpdateMany,
    Walk,
    ids,
)
from taskcore.testing.rest import RestFace
from taskcore.testing.strategies import programs
from taskcore.testing.transcripts import Interference

__all__ = [
    "EVENTS",
    "Cancelled",
    "ChangeToken",
    "Count",
    "Create",
    "CreateMany",
    "Delete",
    "DeleteMany",
    "Event",
    "Evidence",
    "Face",
    "Foreign",
    "Get",
    "Interference",
    "LibraryFace",
    "List",
    "Literal",
    "Never",
    "Observation",
    "Operation",
    "Own",
    "Reference",
    "RestFace",
    "Step",
    "Update",
    "UpdateMany",
    "Walk",
    "check_noninterference",
    "ids",
    "programs",
]
