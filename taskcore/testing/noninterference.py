"""The property: what a user is told is the same whether or not any other users act in between."""

import asyncio
import secrets
import time
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import hypothesis
from hypothesis import HealthCheck, given
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from taskcore.limits import MAX_ID
from taskcore.testing.faces import Face
from taskcore.testing.operations import (
    Create,
    Foreign,
    Get,
    List,
    Literal,
    Observation,
    Own,
    Step,
)
from taskcore.testing.sequences import Call, Continuations, check_order_and_time
from taskcore.testing.strategies import USERS, programs
from taskcore.testing.transcripts import CanonicalForm, Entry, Interference, compare

_OBSERVED = 0

# What every program ends with: all there is, and a reach for another's task.
_END = tuple(
    Step(_OBSERVED, operation)
    for operation in (List(), Get(Foreign(0)), List(limit=2, target=Foreign(1)))
)
_DIGITS_13 = 10**12
_DIGITS_14 = 10**13


@dataclass(slots=True)
class Evidence:
    """How much a check has seen.

    Attributes:
        programs: Programs that were run, each with others and alone.
        observed: Answers to the observed user that were compared.
        others: What other users did meanwhile.
        foreign: Times that a user reached for another user's task.
        continuations: What is said of ids in ``taskcore.testing.sequences``.
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
    """Check that no user of a face can change or sense what another does.

    Each generated program is run twice: with all of its users, where those who are said
    to act at once do so, and with the observed user alone. Where that one reached for
    another user's task in the first run they reach for one that never was in the second;
    for a cursor, one that is as old. Then all that they were told must be equal, ids
    and times apart: what is checked of these, `taskcore.testing.sequences` and
    `CanonicalForm` say. Every program has new users.

    Args:
        face: `RestFace`, `LibraryFace`, or any asynchronous context manager that yields
            a `Face`. Entered once, on an event loop of the check's own.
        settings: Hypothesis's; None: those of the profile in use. There is no deadline.
        clock_error: Seconds by which the store's clock may differ from this machine's.

    Returns:
        How much was seen.

    Raises:
        Interference: Shows the first difference of the smallest program that has one.
        AssertionError: The face does not even create and read a task.
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
        # What depends on timing need not happen again, and is no less true.
        if found:
            raise found[0] from exc
        raise


async def _check_usable(face: Face) -> None:
    """Refuse a face that answers everything with the same error: it would always pass."""
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


class Run:
    """One run of a program, and what the observed user was told.

    Args:
        face: Where.
        program: Steps of several users.
        clock_error_ms: As for `check_noninterference`.
        ranks: Of a run with others; then only the observed user's steps are taken, and
            the ids of others are replaced by ids that rank equally among their own.

    Attributes:
        transcript: What the observed user was told.
        ids: Those of the tasks that each user made, in order of creation.
        ranks: By step, how many of the observed user's ids are below the one they used.
        foreign: How often somebody used another's id.
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
            targets = [self._target(place) for place in places]
            calls = await asyncio.gather(*map(self._perform, places, targets))
            for place, target, (observation, call) in zip(places, targets, calls, strict=True):
                self._record(place, target, observation, call)

    def _groups(self) -> Iterator[list[int]]:
        """Yield the places of steps that begin together; a user does one thing at a time."""
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

    async def _perform(self, place: int, target: int | None) -> tuple[Observation, Call]:
        step = self._program[place]
        began = time.time_ns() // 1_000_000
        observation = await self._face.perform(self._users[step.user], step.operation, target)
        return observation, Call(began, time.time_ns() // 1_000_000)

    def _record(self, place: int, target: int | None, made: Observation, call: Call) -> None:
        step = self._program[place]
        own = self.ids[step.user]
        if step.user == _OBSERVED:
            check_order_and_time(made.created, own, call, self._clock_error_ms)
            for task_id in made.created:
                self._canonical.name(task_id)
            stranger = None if target in own or _is_literal(step) else target
            self.transcript.append(Entry(place, step.operation, self._canonical.of(made, stranger)))
        own.extend(made.created)

    # What a reference refers to.

    def _target(self, place: int) -> int | None:
        step = self._program[place]
        own = self.ids[step.user]
        match step.operation.target:
            case None:
                return None
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
        # Two users may have a task with the same id: it is one's own, then.
        return [
            task_id
            for other, tasks in enumerate(self.ids)
            if other != user
            for task_id in tasks
            if task_id not in own
        ]


def _is_literal(step: Step) -> bool:
    return isinstance(step.operation.target, Literal)


def _new_user() -> int:
    """Return a user whom nobody knows; not from ``random``, which Hypothesis seeds."""
    return _DIGITS_13 + secrets.randbelow(9 * _DIGITS_13)


def _never() -> int:
    """Return the id of a task of early 2025 that never was."""
    return _DIGITS_14 + secrets.randbelow(9 * _DIGITS_14)


def _stand_in(own: Sequence[int], rank: int) -> int:
    """Return an id that never was and ranks as said; between neighbours, the upper of them.

    As a cursor that one means the same: the tasks below it.
    """
    if rank == 0:
        return _never()
    if rank >= len(own):
        return own[-1] + 1 + secrets.randbelow(MAX_ID - own[-1]) // 2 if own else _never()
    between = own[rank] - own[rank - 1] - 1
    return own[rank - 1] + 1 + secrets.randbelow(between) if between else own[rank]
