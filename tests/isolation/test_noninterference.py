"""A user gets the same answers whether or not other users act: generated, at every face.

`pytest` runs a few programs. ``pytest -m thorough`` runs 1,000 over all faces,
``TESTS_EXAMPLES`` as many as it says, and ``--hypothesis-profile=thorough`` as many as
that profile says.
"""

import asyncio
import contextlib
import hashlib
import itertools
import os
import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings

from taskcore import TaskNotFound, TaskStore, UserTasks
from taskcore.schema import catalog
from taskcore.tasks.ids import IdGenerator
from taskcore.testing import (
    EVENTS,
    Cancelled,
    ChangeToken,
    Create,
    DeleteMany,
    Event,
    Interference,
    LibraryFace,
    List,
    Observation,
    Operation,
    RestFace,
    UpdateMany,
    check_noninterference,
    ids,
)
from taskcore_http import create_app
from taskcore_http.identity import bearer
from taskcore_http.identity.fetched_keys import FetchedKeys
from tests.databases import Database, execute
from tests.isolation import faces, walls
from tests.isolation.bearer_face import BearerFace
from tests.isolation.faces import IdentityFace, MakeFace, TokenFace
from tests.taskcore_http.server import serving


def _total() -> int:
    if settings.get_current_profile_name() == "thorough":
        return settings().max_examples
    return int(os.environ.get("TESTS_EXAMPLES", "1000"))


# Read before a test's own environment hides it.
TOTAL = _total()

# A few programs, and of many how many in a hundred: an invocation of taskctl connects anew.
FACES = {
    "library": (faces.library, 40, 60),
    "rest": (faces.rest, 25, 25),
    "mounted": (faces.mounted, 15, 13),
    "cli_json": (faces.cli_json, 3, 1),
    "cli_text": (faces.cli_text, 3, 1),
}


def few(programs: int) -> settings:
    return settings(max_examples=programs, derandomize=False, database=None, print_blob=True)


@pytest.mark.parametrize(("make", "programs"), [face[:2] for face in FACES.values()], ids=FACES)
def test_no_user_senses_another(make: MakeFace, programs: int, database: Database) -> None:
    """FR-008, FR-018, FR-020, SC-002."""
    evidence = check_noninterference(make(database.url), settings=few(programs))

    assert evidence.programs >= programs
    assert evidence.others
    assert evidence.foreign


async def test_no_user_of_a_server_senses_another(store: TaskStore) -> None:
    """FR-008, FR-018, SC-002: at a URL."""
    async with serving(create_app(store=store)) as server:
        face = RestFace(server.client())
        await asyncio.to_thread(check_noninterference, face, settings=few(4))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("make", "percent"), [(make, percent) for make, _, percent in FACES.values()], ids=FACES
)
def test_no_user_senses_another_in_many_programs(
    make: MakeFace, percent: int, database: Database
) -> None:
    """FR-008, FR-018, SC-002."""
    programs = -(-TOTAL * percent // 100)

    evidence = check_noninterference(make(database.url), settings=few(programs))

    assert evidence.programs >= programs


@pytest.mark.parametrize(
    "programs", [20, pytest.param(-(-TOTAL * 20 // 100), marks=pytest.mark.thorough)]
)
def test_no_identity_senses_another(database: Database, programs: int) -> None:
    """ID-612: users begin, and are blocked and let in again, while others act."""
    face = IdentityFace(database.url, database.administrator_url)

    evidence = check_noninterference(face, settings=few(programs))

    assert evidence.others
    assert evidence.foreign


@pytest.mark.parametrize(
    "programs", [20, pytest.param(-(-TOTAL * 20 // 100), marks=pytest.mark.thorough)]
)
def test_no_user_of_tokens_senses_another(database: Database, programs: int) -> None:
    """ID-815: tokens are made, replaced and revoked while others act."""
    evidence = check_noninterference(TokenFace(database.url), settings=few(programs))

    assert evidence.others
    assert evidence.foreign


@pytest.mark.parametrize(
    "programs", [25, pytest.param(-(-TOTAL * 20 // 100), marks=pytest.mark.thorough)]
)
def test_no_caller_senses_what_happens_to_others(database: Database, programs: int) -> None:
    """ID-615: others sign up, are blocked and deleted, and their issuers rotate."""
    face = BearerFace(database.url, database.administrator_url)

    evidence = check_noninterference(face, settings=few(programs))

    assert evidence.others
    assert evidence.foreign
    for kind, status in face.answered:
        assert status == (401 if kind.startswith("block") else 200)


async def test_what_happens_to_others_takes_effect(database: Database) -> None:
    """ID-615: otherwise the check would show nothing."""
    changes = ("create", "rotate", "revoke")
    async with BearerFace(database.url, database.administrator_url) as face:
        for user, kind in enumerate((*EVENTS, *changes), start=10**12):
            task = await face.perform(user, Create({"title": "x"}), None)
            assert task.outcome == "201"
            if kind == "unblock":
                await face.perform(user, Event("block user"), None)
            operation = ChangeToken(kind) if kind in changes else Event(kind)
            await face.perform(user, operation, None)
            assert face.happened[kind] >= 1
            listed = await face.perform(user, List(), None)
            assert listed.outcome == ("401" if kind.startswith("block") else "200")
            if listed.outcome == "200":
                assert len(listed.value["body"]) == (0 if kind == "delete" else 1)


def _block_of_everybody(database: Database, _monkeypatch: pytest.MonkeyPatch) -> None:
    _break_function(
        database,
        "identity_block_v1",
        "IF p_blocked THEN",
        "UPDATE taskcore.identities SET blocked_at = now() WHERE p_blocked; IF p_blocked THEN",
    )


def _deletion_of_everybodys_tokens(database: Database, _monkeypatch: pytest.MonkeyPatch) -> None:
    _break_function(
        database,
        "user_delete_v1",
        "RETURN QUERY",
        "DELETE FROM taskcore.tokens; RETURN QUERY",
    )


def _break_function(database: Database, name: str, pattern: str, replacement: str) -> None:
    """Break a function, and take away the wall that would keep other users' rows from it."""
    broken = walls.body_edited(name, pattern, replacement)(catalog.sql("functions"))
    asyncio.run(execute(database.owner_url, walls.replacing(broken), walls.without("rls")))


def _cache_by_the_header(_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in CVE-2026-35030: tokens with the same header share an entry of the cache."""
    monkeypatch.setattr(bearer, "sha256", lambda token: hashlib.sha256(token[:20]))


def _withdrawal_of_every_key(_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    use = FetchedKeys._use

    def emptied(keys: FetchedKeys, *found: Any) -> None:
        generation = keys._generation
        use(keys, *found)
        if keys._generation > generation:
            keys._keys = None

    monkeypatch.setattr(FetchedKeys, "_use", emptied)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "broken",
    [
        _block_of_everybody,
        _deletion_of_everybodys_tokens,
        _cache_by_the_header,
        _withdrawal_of_every_key,
    ],
)
def test_what_happens_to_others_is_found_if_it_reaches_a_user(
    broken: Callable[[Database, pytest.MonkeyPatch], None],
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """ID-615: the check can fail."""
    broken(database, monkeypatch)

    # Each fault shows in a few of a hundred programs: the user must have what is taken away.
    found = found_in(BearerFace(database.url, database.administrator_url), programs=1000)

    assert "depends on what other users do" in found


class MixesIdentitiesUp(IdentityFace):
    def tasks_of(self, user_id: int) -> UserTasks:
        return super().tasks_of(user_id % 2)

    async def _blocked(self, user_id: int) -> None:
        """Nobody is blocked: two users who are one would refuse each other."""


def test_two_identities_with_one_user_are_noticed(database: Database) -> None:
    """ID-612: the check can fail."""
    # The tasks of each program are there in the next, so a shorter example is not looked for.
    found_once = settings(few(100), phases=[Phase.generate])
    with pytest.raises(Interference):
        check_noninterference(
            MixesIdentitiesUp(database.url, database.administrator_url), settings=found_once
        )


# The check itself must find these leaks, nearly always within its default number of programs.


class Leaking(LibraryFace):
    """The library, with something between it and its users.

    Attributes:
        programs: How many programs find the leak.
    """

    programs = 100

    def __init__(self, store: TaskStore) -> None:
        super().__init__(store)
        self.total = 0
        self.everybodys: set[int] = set()
        self.users: set[int] = set()
        self.last_user: int | None = None

    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        self.users.add(user_id)
        observation = await super().perform(user_id, operation, target)
        self.total += len(observation.created)
        self.everybodys.update(observation.created)
        return observation

    async def _own(self, user_id: int) -> set[int]:
        return {task.id async for task in self.tasks_of(user_id).iterate()}


class TellsForeignFromMissing(Leaking):
    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        observation = await super().perform(user_id, operation, target)
        if observation.outcome == "TaskNotFound" and target in self.everybodys:
            return Observation("TaskNotFound", {"text": "task is not yours"})
        return observation


class TellsForeignFromMissingAmongSeveral(Leaking):
    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        observation = await super().perform(user_id, operation, target)
        if (
            isinstance(operation, UpdateMany | DeleteMany)
            and observation.outcome == "TaskNotFound"
            and self.everybodys.intersection(ids(operation)) - await self._own(user_id)
        ):
            return Observation("TaskNotFound", {"text": "some tasks are not yours"})
        return observation


class DeletesForeignAmongSeveral(Leaking):
    # Another user has to name the user's task, and the user has to look for it afterwards: of
    # twenty checks with a hundred programs, one does not find the leak.
    programs = 500

    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        if isinstance(operation, DeleteMany):
            # Both the users and their tasks can change at any await.
            for other in tuple(self.users):
                for task_id in {*ids(operation)} & await self._own(other):
                    with contextlib.suppress(TaskNotFound):
                        await self._store.for_user(other).delete(task_id)
            return Observation("returned")
        return await super().perform(user_id, operation, target)


class RefusesForeignCursors(Leaking):
    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        own = await self._own(user_id)
        if isinstance(operation, List) and target in self.everybodys - own:
            return Observation("BadCursor")
        return await super().perform(user_id, operation, target)


class CountsAllTasks(Leaking):
    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        observation = await super().perform(user_id, operation, target)
        if isinstance(operation, List) and observation.outcome == "returned":
            return Observation("returned", {"tasks": observation.value, "total": self.total})
        return observation


class TakesTheUserBefore(Leaking):
    """Like an identity that is kept where two requests at once find the same."""

    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        self.last_user = user_id
        await asyncio.sleep(0)
        return await super().perform(self.last_user, operation, target)


class WritesForAnother(Leaking):
    """Every tenth create, counted over all users, goes to the previous caller."""

    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        wrong = self.last_user or user_id
        self.last_user = user_id
        if isinstance(operation, Create) and self.total % 10 == 9:
            self.total += 1
            return await super().perform(wrong, operation, target)
        return await super().perform(user_id, operation, target)


@pytest.mark.parametrize("leak", Leaking.__subclasses__())
def test_a_leak_is_found(leak: type[Leaking], database: Database) -> None:
    found = found_in(leak(TaskStore(database.url)), leak.programs)

    # The last is said of an id that follows another user's.
    said = ("depends on what other users do", "ids fall", "is not the user's own doing")
    assert any(text in found for text in said), found


def found_in(face: Any, programs: int = 100) -> str:
    quick = settings(few(programs), phases=[Phase.generate])
    with pytest.raises(Interference) as found:
        check_noninterference(face, settings=quick)
    return str(found.value)


def _counting() -> Callable[..., int]:
    counter = itertools.count(1)
    return lambda _self, _user: next(counter)


def _pushed() -> Callable[..., int]:
    """Ids that others' writes push into the future."""
    last = 0

    def take(_self: object, _user: int) -> int:
        nonlocal last
        last = max(last + (100 << 12), (time.time_ns() // 1_000_000 - 1_735_689_600_000) << 12)
        return last

    return take


def _shared() -> Callable[..., int]:
    """The library's own ids, but for the one thing that keeps users apart."""
    by_user = IdGenerator.next
    return lambda self, _user: by_user(self, 1)


@pytest.mark.parametrize(
    ("numbering", "words"),
    [(_counting, "tells the time"), (_pushed, "tells the time"), (_shared, "carry on")],
)
def test_ids_that_tell_of_others_are_found(
    numbering: Callable[[], Callable[..., int]],
    words: str,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(IdGenerator, "next", numbering())

    found = found_in(faces.library(database.url))

    # The leak of the ids may show in the user's answers first.
    assert words in found or "depends on what other users do" in found


def test_ids_that_fall_are_found(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(_self: object, _user: int) -> int:
        now = time.time_ns() // 1_000_000 - 1_735_689_600_000
        return now << 12 | secrets.randbits(12)

    monkeypatch.setattr(IdGenerator, "next", take)

    found = found_in(faces.library(database.url))

    # Where they fall, lists are ordered otherwise in one run than in the other.
    assert "ids fall" in found or "depends on what other users do" in found


async def test_a_cancelled_call_that_is_half_done_is_seen(
    store: TaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = UserTasks.update

    async def update(self: UserTasks, task_id: int, **changes: Any) -> Any:
        for name, value in changes.items():
            task = await whole(self, task_id, **{name: value})
        return task

    monkeypatch.setattr(UserTasks, "update", update)
    face = LibraryFace(store)
    seen = [await face.perform(1, Cancelled("update", turns), None) for turns in range(100)]

    assert any("changed" in observation.value for observation in seen)
    assert await store.for_user(1).list() == (await store.for_user(2).list())


def test_a_face_that_only_refuses_does_not_pass(database: Database) -> None:
    face = faces.rest(database.url)
    face._prefix = "/nowhere"

    with pytest.raises(AssertionError, match="does not create a task"):
        check_noninterference(face)
