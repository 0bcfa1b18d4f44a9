"""The numbers by which a router finds the server of a user."""

import asyncpg
import pytest

from taskcore import TaskStore
from taskcore.tokens.secret import SessionSecret


@pytest.mark.parametrize(
    ("user", "place"),
    [
        (1, 838),
        (42, 712),
        (2**52 - 1, 902),
        (2**52, 0),
        (2**52 + 1023, 1023),
        (2**53 - 1, 1023),
        (2**63 - 1, 1023),
    ],
)
async def test_the_place_of_a_user_never_changes(
    owner: asyncpg.Connection, user: int, place: int
) -> None:
    """SO-101, SO-103."""
    assert await owner.fetchval("SELECT taskcore.user_place($1)", user) == place


@pytest.mark.parametrize(
    ("subject", "place"),
    [
        ("alice", 893),
        ("auth0|5f", 422),
        ("Zoë", 863),
        ("0042", 515),
        ("42", 712),
        (str(2**52 - 1), 902),
    ],
)
async def test_the_place_of_an_identity_never_changes(
    owner: asyncpg.Connection, subject: str, place: int
) -> None:
    """SO-101, SO-103: a subject that can be a user's id has the place of that user."""
    assert await owner.fetchval("SELECT taskcore.identity_place($1)", subject) == place


async def test_a_subject_that_is_too_large_for_an_id_is_a_text(owner: asyncpg.Connection) -> None:
    for subject in (str(2**52), "9" * 16, "9" * 40):
        assert 0 <= await owner.fetchval("SELECT taskcore.identity_place($1)", subject) < 1024


async def test_users_are_spread_evenly(owner: asyncpg.Connection) -> None:
    """SO-101: consecutive ids, and those that all end in ten zero bits."""
    for last, step in ((100_000, 1), (10_240_000, 1024)):
        sizes = await owner.fetch(
            "SELECT count(*) FROM generate_series(1, $1::bigint, $2) AS i"
            " GROUP BY taskcore.user_place(i) / 64",
            last,
            step,
        )
        assert len(sizes) == 16
        assert max(row["count"] for row in sizes) < 1.3 * min(row["count"] for row in sizes)


async def test_a_user_is_at_the_place_of_the_identity(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """SO-102."""
    for subject in ("alice", "0042", "42", "9" * 30, "Zoë", " ", "日本"):
        tasks = store.for_identity("https://issuer.example", subject)
        user = (await tasks.create("x")).user_id
        places = await owner.fetchrow(
            "SELECT taskcore.user_place($1), taskcore.identity_place($2)", user, subject
        )
        assert places is not None
        assert places[0] == places[1]


async def test_a_secret_names_the_place_of_its_user(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """SO-102."""
    for user in (1, 42, 2**53 - 1):
        place = await owner.fetchval("SELECT taskcore.user_place($1)", user)
        tokens = store.for_user(user).tokens
        token = await tokens.create("x")
        assert token.secret.place == place
        assert (await tokens.rotate(token.id)).secret.place == place
        link = await store.sessions.create_link(user)
        assert link.place == place
        session = await store.sessions.open(link)
        assert isinstance(session, SessionSecret)
        assert session.place == place
