"""The property: a user sees the same results whether or not other users act."""

import asyncio
import secrets
import time
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace

import hypothesis
from hypothesis import HealthCheck, given
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from taskcore.limits import MAX_ID
from taskcore.testing.faces import Face
from taskcore.testing.operations import (
    Create,
    DeleteMany,
    Foreign,
    Get,
    List,
    Literal,
    Observation,
    Operation,
    Own,
    Reference,
    Step,
    UpdateMany,
)
from taskcore.testing.sequences import Call, Continuations, check_order_and_time
from taskcore.testing.strategies import USERS, programs
from taskcore.testing.transcripts import CanonicalForm, Entry, Interference, compare

_OBSERVED = 0

# The end of every program: read all tasks, and try to reach another user's task.
_END = tuple(
    Step(_OBSERVED, operation)
    for operation in (List(), Get(Foreign(0)), List(limit=2, target=Foreign(1)))
)
_DIGITS_13 = 10**12
_DIGITS_14 = 10**13


@dataclass(slots=True)
class Evidence:
    """The extent of a check.

    Attributes:
        programs: Programs that were run, each with others and alone.
        observed: Compared answers to the observed user.
        others: Operations of other users in between.
        foreign: Attempts to reach another user's task.
        continuations: Ids that follow another user's id (``taskcore.testing.sequences``).
    """

    programs: int = 0
    observed: int = 0
    others: int = 0
    foreign: int = 0
    continuations: Continuations = field(default_factory=Continuations)


def check_noninterference(
    face: AbstractAsyncContextManager[Face],
    *,
    settings: hypothesis.settings | None = None,
    clock_error: float = 0.0,
) -> Evidence:
    """Check that no user of a face can change or notice another user's actions.

    Each generated program is run twice: with all of its users, some of them at the same
    time, and with the observed user alone. If that user tried to reach another user's task
    in the first run, they try an id that never existed in the second. If the id is used as a
    cursor, the replacement has the same age. Both runs must give the user the same answers,
    except for ids and times, which `taskcore.testing.sequences` and `CanonicalForm` check. Every
    program has new users.

    Args:
        face: `RestFace`, `LibraryFace`, or any asynchronous context manager that yields
            a `Face`. It is entered once, on the check's own event loop.
        settings: Settings of Hypothesis. None: those of the current profile. There is no
            deadline in either case.
        clock_error: Seconds by which the store's clock may differ from this machine's.

    Returns:
        The extent of the check.

    Raises:
        Interference: Shows the first difference of the smallest program with a difference.
        AssertionError: The face cannot create and read a task.
    """
    evidence = Evidence()
    with asyncio.Runner() as runner:
        opened = runner.run(face.__aenter__())
        try:
            runner.run(_check_usable(opened))

            def run(program: tuple[Step, ...]) -> None:
                runner.run(_check(opened, program, round(clock_error * 1000), evidence))

            _generate(run, programs(opened.operations), settings)
        finally:
            runner.run(face.__aexit__(None, None, None))
    evidence.continuations.check()
    return evidence


def _generate(
    run: Callable[[tuple[Step, ...]], None],
    generated: SearchStrategy[tuple[Step, ...]],
    settings: hypothesis.settings | None,
) -> None:
    found: list[Interference] = []

    def check(program: tuple[Step, ...]) -> None:
        try:
            run(program)
        except Interference as exc:
            found.append(exc)
            raise

    slow = hypothesis.settings(
        settings, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    try:
        slow(given(generated)(check))()
    except Flaky as exc:
        # A difference that depends on timing may not occur again. It is still a difference.
        if found:
            raise found[0] from exc
        raise


async def _check_usable(face: Face) -> None:
    """Refuse a face that answers everything with the same error, as it would always pass."""
    user = _new_user()
    made = await face.perform(user, Create({"title": "usable"}), None)
    assert made.created, f"the face does not create a task: {made}"
    (task_id,) = made.created
    for operation, target in ((Get(Own(0)), task_id), (List(), None)):
        found = await face.perform(user, operation, target)
        assert "usable" in repr(found.value), f"the face does not show a task: {found}"


async def _check(
    face: Face, program: tuple[Step, ...], clock_error_ms: int, evidence: Evidence
) -> None:
    program = (*program, *_END)
    among = Run(face, program, clock_error_ms)
    await among.play()
    alone = Run(face, program, clock_error_ms, ranks=among.ranks)
    await alone.play()
    compare(alone.transcript, among.transcript, program)
    evidence.programs += 1
    evidence.observed += len(among.transcript)
    evidence.others += sum(step.user != _OBSERVED for step in program)
    evidence.foreign += among.foreign
    evidence.continuations.add(among.ids)


@dataclass(frozen=True, slots=True)
class _Resolved:
    """An operation whose references are ids.

    Attributes:
        operation: The operation, as a face gets it.
        target: The id of its target.
        strangers: The ids that it refers to and that are not the user's own.
    """

    operation: Operation
    target: int | None
    strangers: tuple[int, ...]


class Run:
    """One run of a program, and the answers to the observed user.

    Args:
        face: The face.
        program: Steps of several users.
        clock_error_ms: As for `check_noninterference`, in milliseconds.
        ranks: The ranks of a run with others. Given, only the observed user's steps are
            taken, and an id with the same rank replaces each id of another user.

    Attributes:
        transcript: The answers to the observed user.
        ids: The ids of each user's tasks, in order of creation.
        ranks: For each step, how many ids of the observed user are below the one used.
        foreign: The number of steps that used another user's id.
    """

    def __init__(
        self,
        face: Face,
        program: Sequence[Step],
        clock_error_ms: int,
        ranks: dict[int, int] | None = None,
    ) -> None:
        self._face = face
        self._program = program
        self._clock_error_ms = clock_error_ms
        self._alone = ranks is not None
        self._users = [_new_user() for _ in range(USERS)]
        self._canonical = CanonicalForm(self._users[_OBSERVED])
        self.transcript: list[Entry] = []
        self.ids: list[list[int]] = [[] for _ in range(USERS)]
        self.ranks = {} if ranks is None else ranks
        self.foreign = 0

    async def play(self) -> None:
        """Take every step."""
        for places in self._groups():
            steps = [self._resolved(place) for place in places]
            calls = await asyncio.gather(*map(self._perform, places, steps))
            for place, step, (observation, call) in zip(places, steps, calls, strict=True):
                self._record(place, step, observation, call)

    def _groups(self) -> Iterator[list[int]]:
        """Yield the places of steps that begin together. A user does one thing at a time."""
        group: list[int] = []
        for place, step in enumerate(self._program):
            if self._alone and step.user != _OBSERVED:
                continue
            busy = {self._program[other].user for other in group}
            if group and (not step.together or step.user in busy):
                yield group
                group = []
            group.append(place)
        yield group

    async def _perform(self, place: int, step: _Resolved) -> tuple[Observation, Call]:
        user_id = self._users[self._program[place].user]
        began = time.time_ns() // 1_000_000
        observation = await self._face.perform(user_id, step.operation, step.target)
        return observation, Call(began, time.time_ns() // 1_000_000)

    def _record(self, place: int, resolved: _Resolved, made: Observation, call: Call) -> None:
        step = self._program[place]
        own = self.ids[step.user]
        # A task whose key was there is not new.
        created = [task_id for task_id in dict.fromkeys(made.created) if task_id not in own]
        if step.user == _OBSERVED:
            check_order_and_time(created, own, call, self._clock_error_ms)
            for task_id in created:
                self._canonical.name(task_id)
            seen = self._canonical.of(made, resolved.strangers)
            self.transcript.append(Entry(place, step.operation, seen))
        own.extend(created)

    # Resolve a reference to an id.

    def _resolved(self, place: int) -> _Resolved:
        operation = self._program[place].operation
        references: tuple[Reference, ...]
        match operation:
            case UpdateMany(references) | DeleteMany(references):
                numbers = self._distinct(place, references)
                targets = tuple(map(Literal, numbers))
                performed: Operation = replace(operation, targets=targets)
                target = None
            case _ if operation.target is None:
                references, numbers = (), []
                performed, target = operation, None
            case _:
                references = (operation.target,)
                numbers = [self._id(place, operation.target)]
                performed, (target,) = operation, numbers
        own = self.ids[self._program[place].user]
        strangers = tuple(
            number
            for reference, number in zip(references, numbers, strict=True)
            if number not in own and not isinstance(reference, Literal)
        )
        return _Resolved(performed, target, strangers)

    def _distinct(self, place: int, references: Sequence[Reference]) -> list[int]:
        """Return an id for each reference.

        An id of another user is used once; its repetition becomes an unused id. In the run without
        the other users all these ids are unused and differ, so both runs must agree in that.
        """
        numbers: list[int] = []
        for reference in references:
            number = self._id(place, reference)
            twice = isinstance(reference, Foreign) and number in numbers
            numbers.append(_never() if twice else number)
        return numbers

    def _id(self, place: int, reference: Reference) -> int:
        step = self._program[place]
        own = self.ids[step.user]
        match reference:
            case Literal(number):
                return number
            case Own(nth) if own:
                return own[nth % len(own)]
            case Foreign(nth) if theirs := self._foreign_ids(step.user):
                found = theirs[nth % len(theirs)]
                self.foreign += 1
                if step.user == _OBSERVED:
                    self.ranks[place] = bisect(own, found)
                return found
        if isinstance(step.operation, List) and step.user == _OBSERVED:
            return _stand_in(own, self.ranks.get(place, 0))
        return _never()

    def _foreign_ids(self, user: int) -> list[int]:
        own = set(self.ids[user])
        # Two users may have a task with the same id. Then it is the user's own.
        return [
            task_id
            for other, tasks in enumerate(self.ids)
            if other != user
            for task_id in tasks
            if task_id not in own
        ]


def _new_user() -> int:
    """Return a new user id, not from ``random``, which Hypothesis seeds."""
    return _DIGITS_13 + secrets.randbelow(9 * _DIGITS_13)


def _never() -> int:
    """Return an id of early 2025 that no task has."""
    return _DIGITS_14 + secrets.randbelow(9 * _DIGITS_14)


def _stand_in(own: Sequence[int], rank: int) -> int:
    """Return an unused id of this rank. Between neighbours it is the upper one's id.

    As a cursor that id means the same: the tasks below it.
    """
    if rank == 0:
        return _never()
    if rank >= len(own):
        return own[-1] + 1 + secrets.randbelow(MAX_ID - own[-1]) // 2 if own else _never()
    between = own[rank] - own[rank - 1] - 1
    return own[rank - 1] + 1 + secrets.randbelow(between) if between else own[rank]
