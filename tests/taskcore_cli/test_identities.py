"""Identities and blocked users, for administrators."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from taskcore import TaskStore, Unauthenticated
from taskcore_cli.app import app
from tests.databases import Database
from tests.taskcore_cli.conftest import Run

ISSUER = "https://issuer.example/"


async def _create(database: Database, subject: str) -> int:
    async with TaskStore(database.url) as store:
        return (await store.for_identity(ISSUER, subject).create("x")).user_id


def test_list_shows_identities_of_all_users_or_of_one(administer: Run, database: Database) -> None:
    """ID-609."""
    assert "No identities." in administer("identities", "list").stderr
    users = [asyncio.run(_create(database, subject)) for subject in ("ann", "bob\u202e")]

    table = administer("identities", "list").stdout.splitlines()
    assert len(table) == 3
    assert table[1].split()[0] == str(users[0])
    assert table[1].split()[-2:] == [ISSUER, "ann"]
    assert "\u202e" not in table[2]
    (one,) = json.loads(administer("identities", "list", "-u", str(users[0]), "--json").stdout)
    assert (one["issuer"], one["subject"], one["user_id"]) == (ISSUER, "ann", users[0])


def test_an_identity_is_blocked_and_let_in_again(administer: Run, database: Database) -> None:
    """ID-608."""
    asyncio.run(_create(database, "ann"))

    blocked = json.loads(administer("identities", "block", ISSUER, "ann", "--json").stdout)
    assert blocked["blocked_at"] is not None
    assert " blocked " in administer("identities", "list").stdout
    with pytest.raises(Unauthenticated):
        asyncio.run(_create(database, "ann"))

    assert "not blocked" in administer("identities", "unblock", ISSUER, "ann").stdout
    asyncio.run(_create(database, "ann"))
    assert json.loads(administer("identities", "unblock", ISSUER, "ann", "--json").stdout) == {
        "unblocked": {"issuer": ISSUER, "subject": "ann"}
    }
    unknown = administer("identities", "unblock", ISSUER, "x")
    assert (unknown.exit_code, unknown.stderr) == (3, "error: identity not found\n")


def test_a_user_is_blocked_and_let_in_again(administer: Run, database: Database) -> None:
    """ID-608."""
    user = str(asyncio.run(_create(database, "ann")))

    assert "blocked_at" in administer("users", "block", user).stdout
    assert " blocked " in administer("users", "list").stdout
    with pytest.raises(Unauthenticated):
        asyncio.run(_create(database, "ann"))

    unblocked = json.loads(administer("users", "unblock", user, "--json").stdout)
    assert unblocked["blocked_at"] is None
    asyncio.run(_create(database, "ann"))
    assert administer("users", "block", "7").exit_code == 3


@pytest.mark.parametrize("words", [("list",), ("block", ISSUER, "x"), ("unblock", ISSUER, "x")])
def test_the_applications_url_is_refused_with_what_is_needed(
    run: Run, database: Database, words: tuple[str, ...]
) -> None:
    """ID-609."""
    result = run("identities", *words, env={"TASKCORE_DATABASE_URL": database.url})
    assert result.exit_code == 1
    assert "the role that migrated" in result.stderr
    assert "Traceback" not in result.output


def test_an_impossible_identity_is_wrong_usage(administer: Run) -> None:
    result = administer("identities", "block", ISSUER, "x" * 256)
    assert result.exit_code == 2
    assert "subject must have at most 255 characters" in result.stderr


@pytest.mark.one_server
def test_identities_move_after_they_were_counted(
    administer: Run, database: Database, tmp_path: Path
) -> None:
    """ID-614."""
    user = asyncio.run(_create(database, "1"))
    names = ("--from", ISSUER, "--to", "https://new.example/")
    file = tmp_path / "map.csv"
    file.write_text("\ufefffrom_subject,to_subject\n1,ann\n7,bob\n", "utf-8")

    counted = administer("identities", "move", *names, "--map", str(file))
    assert counted.exit_code == 0
    assert counted.stdout == "1 identity would move.\n1 of the map is unknown.\n"
    assert "Add --yes" in counted.stderr
    moved = administer("identities", "move", *names, "--map", str(file), "--yes", "--json")
    assert json.loads(moved.stdout) == {
        "moved": 1,
        "done": 0,
        "unknown": 1,
        "conflicts": [],
        "dry_run": False,
    }
    (one,) = json.loads(administer("identities", "list", "--json").stdout)
    assert (one["issuer"], one["subject"], one["user_id"]) == ("https://new.example/", "ann", user)
    again = administer("identities", "move", *names, "--map", str(file), "-y")
    assert (
        again.stdout == "0 identities were moved.\n1 was moved before.\n1 of the map is unknown.\n"
    )

    asyncio.run(_create(database, "1"))
    conflict = administer("identities", "move", *names, "--map", str(file), "--yes")
    assert conflict.exit_code == 1
    assert "line 2: 1: its new identity already exists.\n" in conflict.stderr
    assert "1 conflict: nothing was moved" in conflict.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: it must name from_subject and to_subject, each once"),
        (b"from_subject\n1\n", "line 1: it must name from_subject and to_subject, each once"),
        (b"from_subject,to_subject,to_subject\n1,a,b\n", "line 1: it must name"),
        (b"from_subject,to_subject\n1,\n", "line 2: to_subject must not be empty"),
        (b"from_subject,to_subject\n1\n", "line 2: to_subject must not be empty"),
        (b"from_subject,to_subject\n1,a\n,b\n", "line 3: from_subject must not be empty"),
        (b"from_subject,to_subject\n1,a\n2,b,c\n", "line 3: it has more values than line 1"),
        (b"from_subject,to_subject\n1,a\n2,b\n1,c\n", "line 4: line 2 has the same from_subject"),
        (b"from_subject,to_subject\n1,a\n2,a\n", "line 3: line 2 has the same to_subject"),
        (
            b"from_subject,to_subject\n1,a\n" + b"x" * 256 + b",b\n",
            "line 3: from_subject must have",
        ),
        (
            b'from_subject,to_subject\n1,"a\nb"\n2,c\n',
            "line 2: to_subject must not contain control",
        ),
        # Lines without a value count too.
        (b"from_subject,to_subject\n\n\n1\n", "line 4: to_subject must not be empty"),
        (b"from_subject,to_subject\r\n\r\n1,a\r\n2,a\r\n", "line 4: line 3 has the same"),
        (b'from_subject,to_subject\n\n"1\n', "line 3: unexpected end of data"),
        (b"\nfrom_subject,to_subject\n1,a\n", "line 1: it must name"),
        (b"from_subject,to_subject\n\xff,a\n", "line 2: it is not UTF-8"),
        (
            b"\xef\xbb\xbffrom_subject,to_subject\r\n"
            + b"".join(b"%d,%d\n" % (n, n) for n in range(9000))
            + b"\n\xc3(,a\n",
            "line 9003: it is not UTF-8",
        ),
        (b'from_subject,to_subject\n1,a\n"2,b\n', "line 3: unexpected end of data"),
    ],
)
def test_a_map_that_cannot_be_used_is_explained(
    administer: Run, tmp_path: Path, content: bytes, message: str
) -> None:
    """ID-614."""
    file = tmp_path / "map.csv"
    file.write_bytes(content)
    words = ("--from", ISSUER, "--to", "https://new.example/", "--map", str(file))
    result = administer("identities", "move", *words)
    assert result.exit_code == 1
    assert f"{file}" in result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.one_server
def test_a_map_from_standard_input_moves_identities(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ID-614."""
    asyncio.run(_create(database, "1"))
    monkeypatch.setenv("TASKCORE_DATABASE_URL", database.owner_url)
    words = ["identities", "move", "--from", ISSUER, "--to", "https://new.example/", "--map", "-"]
    for content, code, said in (
        ("from_subject,to_subject\n1,ann\n7,bob\n8,eve\n", 0, "2 of the map are unknown."),
        ("from_subject,to_subject\n1\n", 1, "standard input, line 2: to_subject must not be"),
    ):
        result = CliRunner().invoke(app, words, input=content)
        assert result.exit_code == code, result.output
        assert said in result.output


def test_every_conflict_is_named(administer: Run, database: Database) -> None:
    """ID-614: a map has lines; without one, the subject is enough."""
    subjects = [f"s{number}" for number in range(30)]
    asyncio.run(_conflicting(database, subjects))
    names = ("--from", ISSUER, "--to", "https://new.example/")
    result = administer("identities", "move", *names)
    assert result.exit_code == 1
    assert result.stdout == "0 identities would move.\n"
    for subject in subjects:
        assert f"\n{subject}: its new identity already exists.\n" in f"\n{result.stderr}"
    assert "30 conflicts: nothing was moved." in result.stderr


async def _conflicting(database: Database, subjects: list[str]) -> None:
    async with TaskStore(database.url) as store:
        for issuer in (ISSUER, "https://new.example/"):
            for subject in subjects:
                await store.for_identity(issuer, subject).create("x")
