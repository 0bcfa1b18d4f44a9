"""Noninterference, as a tool: no user can change or sense another, through any face of the store.

`check_noninterference` lets Hypothesis write programs for several users, and runs each of
them twice: with all users, and with one of them alone. What that one is told must be the
same both times. To have an application of your own checked that mounts the routes, three
lines of pytest are enough::

    def test_no_user_senses_another() -> None:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://app")
        check_noninterference(RestFace(client, app=app, prefix="/api", headers=signed_in_as))

Here ``app`` opens the store in its lifespan, and ``signed_in_as(user_id)`` returns the request
headers by which it knows that user. For a server that runs already, leave ``app`` out and give
the client its URL. The users are new ones, with random ids of 13 digits; their tasks stay in
the database, so take one that is made for tests.

The library itself is checked with ``check_noninterference(LibraryFace(store))``, and anything
else that reaches the store with a `Face` of your own. Needs ``taskcore[testing]``.
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
    Cancelled,
    Create,
    CreateMany,
    Delete,
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
    Walk,
)
from taskcore.testing.rest import RestFace
from taskcore.testing.strategies import programs
from taskcore.testing.transcripts import Interference

__all__ = [
    "Cancelled",
    "Create",
    "CreateMany",
    "Delete",
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
    "Walk",
    "check_noninterference",
    "programs",
]
