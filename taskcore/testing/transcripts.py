"""Transcripts: a user's observations in a form that can be compared between two runs."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pprint import pformat
from typing import Any

from taskcore import Task
from taskcore.tasks.fields import type_of
from taskcore.testing.operations import Observation, Operation, Step

# Ids of users and tasks have at least 13 digits. Numbers in generated texts have fewer.
_ID = re.compile(r"(?<!\d)\d{13,17}(?!\d)")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?")
_TIMES = [name for name, field in Task.model_fields.items() if type_of(field) is datetime]


class Interference(AssertionError):
    """A user saw something that depends on other users."""


class CanonicalForm:
    """Converts a user's observations for the comparison of two runs.

    The ids of the user and of their tasks are replaced by names, in order of creation. An id
    of another user's task that the user gave is replaced too: in the second run it belongs to
    nobody. All other ids stay, so that they appear as differences. A time is replaced by its
    rank among the times of the same task, so that only the order is compared.
    """

    def __init__(self, user_id: int) -> None:
        self._user_id = user_id
        self._names: dict[int, str] = {user_id: "<user>"}
        self._times: dict[int, list[str]] = {}

    def name(self, task_id: int) -> None:
        """Name a task that the user has just created."""
        self._names[task_id] = f"<task {len(self._names)}>"

    def of(self, observation: Observation, strangers: Sequence[int]) -> Observation:
        """Return an observation with names in place of ids and times.

        Args:
            observation: The observation.
            strangers: The ids that the user gave and that are not the user's own.
        """
        given = {stranger: f"<not mine {place}>" for place, stranger in enumerate(strangers)}
        names = {**self._names, **given}
        return Observation(observation.outcome, self._value(observation.value, names))

    def _value(self, value: Any, names: dict[int, str]) -> Any:
        match value:
            case bool() | None:
                return value
            case int():
                return names.get(value, value)
            case str():
                return _ID.sub(
                    lambda found: names.get(int(found[0]), found[0]), _TIME.sub("<time>", value)
                )
            case list() | tuple():
                return [self._value(item, names) for item in value]
            case {"id": int(task_id), "created_at": str()}:
                times = {key: value[key] for key in _TIMES if value.get(key) is not None}
                ranks = {
                    key: f"<time {self._rank(task_id, times[key])}>"
                    for key in sorted(times, key=times.__getitem__)
                }
                others = {key: item for key, item in value.items() if key not in ranks}
                return {**self._value(others, names), **ranks}
            case dict():
                return {key: self._value(item, names) for key, item in value.items()}
        return repr(value)

    def _rank(self, task_id: int, time: str) -> int:
        times = self._times.setdefault(task_id, [])
        if time not in times:
            # RFC 3339 in UTC: without a fraction where it is zero, hence the Z.
            if times and time.removesuffix("Z") < times[-1].removesuffix("Z"):
                raise Interference(f"a time of task {task_id} went back: {times[-1]} to {time}")
            times.append(time)
        return times.index(time)


@dataclass(frozen=True, slots=True)
class Entry:
    """An operation of the user, and what they saw.

    Attributes:
        place: The place of its step in the program.
        operation: The operation.
        observation: The observation in canonical form.
    """

    place: int
    operation: Operation
    observation: Observation


def compare(alone: Sequence[Entry], among: Sequence[Entry], program: Sequence[Step]) -> None:
    """Compare a user's transcripts, alone and among others.

    Raises:
        Interference: Shows the first difference, and the other users' steps before it.
    """
    for ours, theirs in zip_longest(alone, among):
        if ours != theirs:
            raise Interference("\n".join(_difference(ours, theirs, program)))


def _difference(ours: Entry, theirs: Entry, program: Sequence[Step]) -> Iterator[str]:
    yield "what a user is told depends on what other users do"
    yield f"\nthe user's step {ours.place}: {ours.operation}"
    places = differing(ours.observation, theirs.observation)
    for title, place in (("alone", 0), ("with others", 1)):
        yield f"\n{title}:"
        for path, values in places.items():
            yield f"    {path or 'value'} = {pformat(values[place], width=90)}"
    yield "\nthe program, the user being user 0:"
    end = ours.place + 1
    while end < len(program) and program[end].together:
        end += 1
    for place, step in enumerate(program[:end]):
        at_once = " (at once with the step before)" if step.together else ""
        yield f"    {place}. user {step.user}: {step.operation}{at_once}"


def differing(one: Observation, other: Observation) -> dict[str, tuple[Any, Any]]:
    """Return the innermost places in which two observations differ."""
    found: dict[str, tuple[Any, Any]] = {}
    if one.outcome != other.outcome:
        found["outcome"] = one.outcome, other.outcome
    _differing(one.value, other.value, "", found)
    return found


def _differing(one: Any, other: Any, path: str, found: dict[str, tuple[Any, Any]]) -> None:
    if one == other:
        return
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            _differing(one[key], other[key], f"{path}.{key}".removeprefix("."), found)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, pair in enumerate(zip(one, other, strict=True)):
            _differing(*pair, f"{path}[{place}]", found)
    else:
        found[path] = one, other
