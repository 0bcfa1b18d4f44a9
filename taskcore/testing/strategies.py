"""Hypothesis strategies: users, tasks, operations, and whole programs of them."""

from collections.abc import Collection
from itertools import chain
from typing import Any

from hypothesis import strategies as st

from taskcore.limits import MAX_DESCRIPTION, MAX_ID, MAX_PAGE, MAX_TITLE
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
    Operation,
    Own,
    Reference,
    Step,
    Update,
    Walk,
)

USERS = 3
"""Users in a program: the one who is observed, and the others."""

_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)

titles: st.SearchStrategy[str] = _TEXTS.filter(lambda text: text.strip() != "")
"""Titles that are accepted; most are short."""

descriptions: st.SearchStrategy[str | None] = st.none() | _TEXTS
"""Descriptions that are accepted."""

bad_titles: st.SearchStrategy[Any] = st.sampled_from(
    ["", " \t\u2003", "x" * (MAX_TITLE + 1), "\x00", "\ud800", None, 7]
)
"""Titles that are refused."""

bad_descriptions: st.SearchStrategy[Any] = st.sampled_from(
    ["x" * (MAX_DESCRIPTION + 1), "a\x00", "\udfff", 7]
)
"""Descriptions that are refused."""

changes: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"title": titles, "description": descriptions, "completed": st.booleans()}
).filter(bool)
"""Changes that are accepted."""

bad_changes: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.builds(lambda title: {"title": title, "completed": True}, bad_titles),
    st.builds(lambda description: {"description": description}, bad_descriptions),
    st.just({"completed": 1}),
    st.just({"completed": None}),
    st.just({"user_id": 1}),
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
"""Tasks: one's own, another's, one that never was, or an impossible one."""

_versions = st.none() | st.integers(min_value=1, max_value=4)
_completed = st.none() | st.booleans()
_limits = st.one_of(
    st.none(), st.integers(min_value=1, max_value=5), st.sampled_from([0, MAX_PAGE + 1])
)

_creates = st.builds(Create, titles, descriptions)
_OPERATIONS: dict[type[Operation], st.SearchStrategy[Operation]] = {
    Create: st.one_of(
        _creates,
        _creates,
        st.builds(Create, bad_titles, descriptions),
        st.builds(Create, titles, bad_descriptions),
    ),
    CreateMany: st.builds(
        CreateMany,
        st.lists(
            st.fixed_dictionaries(
                {"title": st.one_of(titles, titles, titles, bad_titles)},
                optional={"description": descriptions},
            ),
            max_size=4,
        ).map(tuple),
    ),
    Get: st.builds(Get, references),
    List: st.builds(List, _limits, st.none() | references, _completed),
    Walk: st.builds(Walk, st.integers(min_value=1, max_value=3), _completed),
    Update: st.builds(Update, references, st.one_of(changes, changes, bad_changes), _versions),
    Delete: st.builds(Delete, references, _versions),
    Cancelled: st.builds(
        Cancelled,
        st.sampled_from(["create", "update", "delete", "list"]),
        st.integers(min_value=0, max_value=120),
    ),
}


def operations(kinds: Collection[type[Operation]]) -> st.SearchStrategy[Operation]:
    """Return a strategy of operations.

    Args:
        kinds: Those that a face has, such as `Create` and `Get`.
    """
    return st.one_of([strategy for kind, strategy in _OPERATIONS.items() if kind in kinds])


@st.composite
def programs(draw: st.DrawFn, kinds: Collection[type[Operation]]) -> tuple[Step, ...]:
    """Return a strategy of programs: what several users do, one after another or at once.

    Args:
        draw: Given by Hypothesis.
        kinds: The operations that a face has.
    """
    users = st.sampled_from([0, 0, *range(1, USERS)])
    at_first = st.lists(st.builds(Step, users, _creates, st.booleans()), max_size=10)
    later = st.lists(st.builds(Step, users, operations(kinds), st.booleans()), max_size=12)
    # Several short lists: one is seldom long.
    return tuple(chain(draw(at_first), draw(later), draw(later), draw(later)))
