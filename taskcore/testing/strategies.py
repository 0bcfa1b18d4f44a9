"""Hypothesis strategies: users, tasks, operations, and whole programs of them."""

from collections.abc import Collection, Mapping
from itertools import chain
from typing import Any

from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from taskcore.limits import (
    MAX_EXTRA,
    MAX_ID,
    MAX_KEY,
    MAX_PAGE,
    MAX_PRIORITY,
    MAX_PROJECT,
    MAX_SEARCH,
    MAX_TAG,
    MAX_TAGS,
)
from taskcore.tasks.fields import TaskCreate, TaskFields, type_of
from taskcore.tasks.task_order import ORDERS
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
    Operation,
    Own,
    Reference,
    Step,
    Update,
    UpdateMany,
    Walk,
)

USERS = 3
"""The number of users in a program: the observed user, and the others."""

_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)

_SCHEMA = TaskFields.model_json_schema()["properties"]


_DATES = st.dates().map(lambda day: day.isoformat())
_TIMES = st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds"))
_TAGS = st.text("abß,木 ", min_size=1, max_size=3).filter(
    lambda tag: tag.strip() and "," not in tag
)

_JSON = st.recursive(
    # PostgreSQL writes 1e+300 with all its digits, which Python reads as an integer.
    st.none() | st.booleans() | st.integers() | st.floats(-1e15, 1e15) | _TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=5,
)
# Few names, so that changes find members that are there.
_NAMES = st.sampled_from(["", "a", "ключ"])

_OF_NAME: dict[str, tuple[st.SearchStrategy[Any], Collection[Any]]] = {
    "due": (
        st.none() | _DATES | _TIMES,
        ("2026-02-30", "2026-11-30T17:00Z", "2026-11-30T17:00+01:00", "tomorrow", "", 7),
    ),
    "due_zone": (st.none() | st.sampled_from(["UTC", "Europe/Berlin"]), ("Mars/Base", "", 7)),
    "priority": (st.integers(0, MAX_PRIORITY), (-1, MAX_PRIORITY + 1, "1", 1.5, None)),
    "project": (
        st.none() | _TEXTS.filter(str.strip),
        ("", " ", "x" * (MAX_PROJECT + 1), "\x00", 7),
    ),
    "extra": (
        st.none() | st.dictionaries(_NAMES, _JSON | st.dictionaries(_NAMES, _JSON), max_size=3),
        ("{}", [], 7, {"a": "x" * MAX_EXTRA}, {"a\x00": 1}, {"a": ["\ud800"]}),
    ),
    # Few, so that some are there already.
    "key": (
        st.none() | st.sampled_from(["k", " k ", "ключ"]),
        ("", " ", "x" * (MAX_KEY + 1), "a\n", "a\ud800", 7),
    ),
    "tags": (
        st.lists(_TAGS, max_size=3),
        (["a,b"], [" "], ["x" * (MAX_TAG + 1)], [*map(str, range(MAX_TAGS + 1))], "ab", [7], None),
    ),
}
"""Fields with strategies of their own: values that are accepted, and some that are refused."""


def _valid(name: str, field: FieldInfo) -> st.SearchStrategy[Any]:
    if name in _OF_NAME:
        return _OF_NAME[name][0]
    if type_of(field) is bool:
        return st.booleans()
    if field.is_required():
        return _TEXTS.filter(lambda text: text.strip() != "")
    return st.none() | _TEXTS


def _fitting(fields: dict[str, Any]) -> dict[str, Any]:
    """Remove the zone if the due date has no time."""
    timed = len(fields.get("due") or "") > len("2026-11-30")
    return {
        name: value
        for name, value in fields.items()
        if name != "due_zone" or value is None or timed
    }


def _invalid(name: str, field: FieldInfo) -> st.SearchStrategy[Any]:
    if name in _OF_NAME:
        return st.sampled_from([*_OF_NAME[name][1]])
    if type_of(field) is bool:
        return st.sampled_from([1, None])
    schema = _SCHEMA[name]
    limit = schema.get("maxLength") or schema["anyOf"][0]["maxLength"]
    values = ["x" * (limit + 1), "a\x00", "\ud800", 7]
    return st.sampled_from([*values, "", " \t\u2003", None] if field.is_required() else values)


_WRITABLE = TaskCreate.model_fields | TaskFields.model_fields

valid: Mapping[str, st.SearchStrategy[Any]] = {
    name: _valid(name, field) for name, field in _WRITABLE.items()
}
"""Values of each writable field that are accepted; most are short."""

invalid: Mapping[str, st.SearchStrategy[Any]] = {
    name: _invalid(name, field) for name, field in _WRITABLE.items()
}
"""Values of each writable field that are refused."""

new_tasks: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {name: valid[name] for name, field in TaskCreate.model_fields.items() if field.is_required()},
    optional={
        name: valid[name]
        for name, field in TaskCreate.model_fields.items()
        if not field.is_required()
    },
).map(_fitting)
"""New tasks that are accepted."""


def _with_one_bad(
    fields: st.SearchStrategy[dict[str, Any]], names: Collection[str]
) -> st.SearchStrategy[dict[str, Any]]:
    bad = st.sampled_from(list(names)).flatmap(
        lambda name: st.fixed_dictionaries({name: invalid[name]})
    )
    return st.builds(lambda good, bad: {**good, **bad}, fields, bad)


bad_new_tasks: st.SearchStrategy[dict[str, Any]] = _with_one_bad(new_tasks, TaskCreate.model_fields)
"""New tasks with one field that is refused."""

changes: st.SearchStrategy[dict[str, Any]] = (
    st.fixed_dictionaries({}, optional={name: valid[name] for name in TaskFields.model_fields})
    .map(_fitting)
    .filter(bool)
)
"""Changes that are accepted."""

bad_changes: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.just({"user_id": 1}),
    st.just({"key": "k"}),
    _with_one_bad(changes, TaskFields.model_fields),
)
"""Changes that are refused."""

_places = st.integers(min_value=0, max_value=30)
_own = st.builds(Own, _places)
_foreign = st.builds(Foreign, _places)

references: st.SearchStrategy[Reference] = st.one_of(
    _own,
    _own,
    _foreign,
    _foreign,
    st.just(Never()),
    st.builds(Literal, st.sampled_from([-1, 0, MAX_ID, MAX_ID + 1])),
)
"""References to the user's own tasks, others' tasks, unused ids, and impossible ids."""

# One task that is not the user's is enough for a refusal of all.
_several: st.SearchStrategy[tuple[Reference, ...]] = st.one_of(
    st.lists(_own, max_size=4).map(tuple),
    st.lists(references, max_size=4).map(tuple),
    st.tuples(_foreign),
    st.tuples(_own, _foreign),
)

_versions = st.none() | st.integers(min_value=1, max_value=4)
_completed = st.none() | st.booleans()
_limits = st.one_of(
    st.none(), st.integers(min_value=1, max_value=5), st.sampled_from([0, MAX_PAGE + 1])
)

# Short, so that some are in a task.
_searches = (
    st.none()
    | st.text("01aAbßsé木 ", min_size=1, max_size=3)
    | st.sampled_from(["%", "_", "", " \u2003", "x" * (MAX_SEARCH + 1)])
)

_creates = st.builds(Create, new_tasks)
_OPERATIONS: dict[type[Operation], st.SearchStrategy[Operation]] = {
    Create: st.one_of(_creates, _creates, st.builds(Create, bad_new_tasks)),
    CreateMany: st.builds(
        CreateMany,
        st.lists(st.one_of(new_tasks, new_tasks, new_tasks, bad_new_tasks), max_size=4).map(tuple),
    ),
    Get: st.builds(Get, references),
    List: st.builds(List, _limits, st.none() | references, _completed, _searches),
    Walk: st.builds(
        Walk, st.integers(min_value=1, max_value=3), _completed, st.sampled_from(ORDERS)
    ),
    Count: st.builds(Count, _completed, st.none() | st.just(""), _searches),
    Update: st.builds(Update, references, st.one_of(changes, changes, bad_changes), _versions),
    UpdateMany: st.builds(UpdateMany, _several, st.one_of(changes, changes, bad_changes)),
    Delete: st.builds(Delete, references, _versions),
    DeleteMany: st.builds(DeleteMany, _several),
    Cancelled: st.builds(
        Cancelled,
        st.sampled_from(["create", "update", "delete", "list"]),
        st.integers(min_value=0, max_value=120),
    ),
    ChangeToken: st.builds(ChangeToken, st.sampled_from(["create", "rotate", "revoke"])),
}

_events = st.builds(
    Step,
    st.integers(min_value=1, max_value=USERS - 1),
    st.builds(Event, st.sampled_from(EVENTS)),
    st.booleans(),
)


def operations(kinds: Collection[type[Operation]]) -> st.SearchStrategy[Operation]:
    """Return a strategy of operations, without `Event`: the observed user must have none.

    Args:
        kinds: The operations of a face, such as `Create` and `Get`.
    """
    return st.one_of([strategy for kind, strategy in _OPERATIONS.items() if kind in kinds])


@st.composite
def programs(draw: st.DrawFn, kinds: Collection[type[Operation]]) -> tuple[Step, ...]:
    """Return a strategy of programs: steps of several users, in sequence or at once.

    Args:
        draw: Given by Hypothesis.
        kinds: The operations of a face.
    """
    users = st.sampled_from([0, 0, *range(1, USERS)])
    at_first = st.lists(st.builds(Step, users, _creates, st.booleans()), max_size=10)
    step = st.builds(Step, users, operations(kinds), st.booleans())
    later = st.lists(st.one_of(step, step, _events) if Event in kinds else step, max_size=12)
    # Several short lists: one is seldom long.
    return tuple(chain(draw(at_first), draw(later), draw(later), draw(later)))
