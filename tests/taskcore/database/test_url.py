"""Database URLs as they are pasted, and what is made of them."""

import ssl
from typing import Any

import pytest
from pydantic import SecretStr

from taskcore import ConfigurationError, TaskStore
from taskcore.database.url import connect_arguments, direct_url, unknown_parameters, with_login
from tests.databases import Database

NEON = "ep-cool-name-123456-pooler.eu-central-1.aws.neon.tech"
DIRECT = "ep-cool-name-123456.eu-central-1.aws.neon.tech"

# URL, and the arguments besides the TLS context.
GOOD: dict[str, tuple[str, dict[str, Any]]] = {
    "everything": (
        "postgresql://app:secret@db.example:6543/tasks",
        {"host": "db.example", "port": 6543, "user": "app", "password": "secret"}
        | {"database": "tasks"},
    ),
    "the short scheme": (
        "postgres://app@db.example/tasks",
        {"host": "db.example", "user": "app", "database": "tasks"},
    ),
    "SQLAlchemy's scheme": (
        "postgresql+asyncpg://app@db.example/tasks",
        {"host": "db.example", "user": "app", "database": "tasks"},
    ),
    "Neon's console": (
        f"postgresql://app:npg_x@{NEON}/neondb?sslmode=require&channel_binding=require",
        {"host": NEON, "user": "app", "password": "npg_x", "database": "neondb"},
    ),
    "Neon's console, direct": (
        f"postgresql://neondb_owner:npg_Ab1%2BcD@{DIRECT}/neondb?sslmode=require",
        {"host": DIRECT, "user": "neondb_owner", "password": "npg_Ab1+cD", "database": "neondb"},
    ),
    "Neon's endpoint, for clients without SNI": (
        f"postgres://app:npg_x@{DIRECT}/neondb?options=endpoint%3Dep-cool-name-123456",
        {"host": DIRECT, "user": "app", "password": "npg_x", "database": "neondb"}
        | {"server_settings": {"options": "endpoint=ep-cool-name-123456"}},
    ),
    "Neon's endpoint in the password": (
        f"postgres://app:endpoint%3Dep-cool-name-123456%24npg_x@{DIRECT}/neondb",
        {"host": DIRECT, "user": "app", "database": "neondb"}
        | {"password": "endpoint=ep-cool-name-123456$npg_x"},
    ),
    "Neon with a region's letter and a port": (
        "postgresql://app:npg_x@ep-a-1-pooler.c-2.us-east-2.aws.neon.tech:5432/neondb?sslmode=verify-full",
        {"host": "ep-a-1-pooler.c-2.us-east-2.aws.neon.tech", "port": 5432, "user": "app"}
        | {"password": "npg_x", "database": "neondb"},
    ),
    "other libraries' parameters": (
        f"postgresql://app:npg_x@{NEON}/neondb?pgbouncer=true&connection_limit=1&schema=public",
        {"host": NEON, "user": "app", "password": "npg_x", "database": "neondb"},
    ),
    "white space around it": (
        " postgresql://app@db.example/tasks \n",
        {"host": "db.example", "user": "app", "database": "tasks"},
    ),
    "a plus sign in the query": (
        "postgresql://db.example/tasks?user=app&password=p+w",
        {"host": "db.example", "user": "app", "password": "p+w", "database": "tasks"},
    ),
    "an @ in the password": (
        "postgresql://app:p@ss@db.example/tasks",
        {"host": "db.example", "user": "app", "password": "p@ss", "database": "tasks"},
    ),
    "a colon and quotes in the password": (
        "postgresql://app:a:b'c%22d@db.example/tasks",
        {"host": "db.example", "user": "app", "password": "a:b'c\"d", "database": "tasks"},
    ),
    "percent-encoding": (
        "postgresql://a%40b:p%2F%23%3A%25@db.example/my%20tasks",
        {"host": "db.example", "user": "a@b", "password": "p/#:%", "database": "my tasks"},
    ),
    "IPv6": (
        "postgresql://app@[2001:db8::1]:5432/tasks",
        {"host": "2001:db8::1", "port": 5432, "user": "app", "database": "tasks"},
    ),
    "all in the query": (
        "postgresql:///?host=db.example&port=5433&user=app&password=p&dbname=tasks",
        {"host": "db.example", "port": 5433, "user": "app", "password": "p", "database": "tasks"},
    ),
    "a connect timeout": (
        "postgresql://app@db.example/tasks?connect_timeout=7",
        {"host": "db.example", "user": "app", "database": "tasks", "timeout": 7.0},
    ),
    "server settings": (
        "postgresql://app@db.example/tasks?application_name=x&options=endpoint%3Dep-1",
        {"host": "db.example", "user": "app", "database": "tasks"}
        | {"server_settings": {"application_name": "x", "options": "endpoint=ep-1"}},
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_url_becomes_the_drivers_arguments(name: str) -> None:
    url, expected = GOOD[name]
    arguments = connect_arguments(url)

    assert isinstance(arguments.pop("ssl"), ssl.SSLContext)
    assert arguments == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "must start with postgresql://"),
        ("db.example/tasks", "must start with postgresql://"),
        ("mysql://app@db.example/tasks", "must start with postgresql://"),
        ("postgresql+psycopg://app@db.example/tasks", "must start with postgresql://"),
        ("postgresql://app@db.example:port/tasks", "cannot be parsed"),
        ("postgresql://app@db.example:99999/tasks", "cannot be parsed"),
        ("postgresql://app@[::1/tasks", "cannot be parsed"),
        ("postgresql://app:p#w@db.example/tasks", "%23|cannot be parsed"),
        ("postgresql://app@db.example/tasks#x", "%23"),
        ("psql 'postgresql://app@db.example/tasks'", "without psql"),
        ("'postgresql://app@db.example/tasks'", "must start with postgresql://"),
        ("postgresql://app:p/w@db.example/tasks", "cannot be parsed"),
        ("postgresql://app:p?w@db.example/tasks", "cannot be parsed"),
        ("postgresql://app:1234?w@db.example/tasks", "cannot be parsed"),
        ("postgresql://app@db.example/tasks?target_session_attrs=standby", "unsupported"),
        ("postgresql://app@one.example,two.example/tasks", "one host"),
        ("postgresql://app@/tasks?host=one.example,two.example", "one host"),
        ("postgresql://app@a..b/tasks", "host must be a host name"),
        (f"postgresql://app@{'a' * 64}.example/tasks", "host must be a host name"),
        ("postgresql://app@a%00b/tasks", "host must be a host name"),
        ("postgresql://app@/tasks?host=%2Ftmp%00", "host must be a host name"),
        ("postgresql://app@/tasks?host=..%2Fx", "host must be a host name"),
        ("postgresql://app@/tasks?host=\ud800", "host must be a host name"),
        ("postgresql://app@db.example/tasks?sslrootcert=%00", "sslrootcert"),
        ("postgresql://app@db.example/tasks?sslcert=c.pem&sslkey=k.pem", "sslcert, sslkey"),
        ("postgresql://app@/tasks?service=main", "unsupported parameter: service"),
        ("postgresql://app@db.example/tasks?port=65536", "at most 65535"),
        ("postgresql://app@db.example/tasks?connect_timeout=" + "9" * 5000, "at most 3600"),
        ("postgresql://app@db.example/tasks?sslmode=yes", "sslmode must be one of"),
        ("postgresql://app@db.example/tasks?connect_timeout=soon", "whole number"),
        ("postgresql://app@db.example/tasks?connect_timeout=-1", "whole number"),
        ("postgresql://app@db.example/tasks?port=x", "whole number"),
        ("postgresql://app@db.example/tasks?sslrootcert=%2Fnowhere", "sslrootcert"),
    ],
)
def test_a_bad_url_is_refused_with_its_reason(url: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        connect_arguments(url)


def test_what_is_no_text_is_refused_by_its_type() -> None:
    store: Any = TaskStore("postgresql://app@db.example/tasks")
    with pytest.raises(ConfigurationError, match="must be a str, not TaskStore"):
        TaskStore(store)
    hidden: Any = SecretStr("postgresql://app:hidden@db.example/tasks")
    with pytest.raises(ConfigurationError, match=r"must be a str, not SecretStr$"):
        TaskStore(hidden)


def test_parameters_that_nobody_knows_are_named() -> None:
    url = f"postgresql://app@{NEON}/neondb?sslmod=disable&sslmode=require&pgbouncer=true"

    assert unknown_parameters(url) == "pgbouncer, sslmod"
    assert unknown_parameters(f"postgresql://app@{NEON}/db?channel_binding=require&options=x") == ""


@pytest.mark.parametrize(
    "query", ["password=se&cret", "cret word=x", "user=app&password=x&pgbouncer=true"]
)
def test_what_may_be_of_a_password_is_not_named(query: str) -> None:
    assert unknown_parameters(f"postgresql://{NEON}/db?{query}") == "one or more parameters"


def test_a_port_from_the_environment_is_read_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "abc")
    with pytest.raises(ConfigurationError, match="PGPORT"):
        connect_arguments("postgresql://app@db.example/tasks")
    monkeypatch.setenv("PGPORT", "6543")
    assert connect_arguments("postgresql://app@db.example/tasks")["port"] == 6543


def test_a_host_from_the_environment_is_asked_for_its_certificate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The driver would read PGHOST by itself, when TLS had been left out for a socket."""
    monkeypatch.setenv("PGHOST", "db.example")
    arguments = connect_arguments("postgresql://app@/tasks")

    assert arguments["host"] == "db.example"
    assert isinstance(arguments["ssl"], ssl.SSLContext)


async def test_a_store_warns_of_them_once(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistyped ``sslmode`` weakens nothing: TLS is verified unless it is turned off by name."""
    async with TaskStore(f"{database.url}&sslmod=disable"):
        pass

    assert [record.message for record in caplog.records] == [
        "left out of the database URL, as not known: sslmod"
    ]


@pytest.mark.parametrize("mode", ["", "?sslmode=require", "?sslmode=verify-full"])
def test_another_machine_is_asked_for_its_certificate(mode: str) -> None:
    """The driver's own ``sslmode=require`` would verify nothing."""
    context = connect_arguments(f"postgresql://app@db.example/tasks{mode}")["ssl"]

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_verify_ca_does_not_ask_for_the_host_name() -> None:
    context = connect_arguments("postgresql://app@db.example/tasks?sslmode=verify-ca")["ssl"]

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.check_hostname


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://app@localhost/tasks", False),
        ("postgresql://app@127.0.0.1/tasks", False),
        ("postgresql://app@[::1]/tasks", False),
        ("postgresql://app@/tasks?host=%2Frun%2Fpostgresql", False),
        ("postgresql://app@/tasks?host=%2Frun%2Fpostgresql&sslmode=require", False),
        ("postgresql://app@db.example/tasks?sslmode=disable", False),
        ("postgresql://app@db.example/tasks?sslmode=prefer", "prefer"),
        ("postgresql://app@db.example/tasks?sslmode=allow", "allow"),
    ],
)
def test_less_than_tls_is_for_this_machine_or_asked_for_by_name(
    url: str,
    expected: bool | str,  # noqa: FBT001
) -> None:
    assert connect_arguments(url)["ssl"] == expected


def test_tls_to_this_machine_can_be_asked_for() -> None:
    url = "postgresql://app@localhost/tasks?sslmode=require"
    assert isinstance(connect_arguments(url)["ssl"], ssl.SSLContext)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            f"postgresql://app:p@{NEON}/db?sslmode=require",
            f"postgresql://app:p@{DIRECT}/db?sslmode=require",
        ),
        (f"postgresql://app@{NEON}:5432/db", f"postgresql://app@{DIRECT}:5432/db"),
        (f"postgresql://{NEON}/db", f"postgresql://{DIRECT}/db"),
        (f"postgresql://app@{DIRECT}/db", f"postgresql://app@{DIRECT}/db"),
        ("postgresql://a-pooler.b:p@db.example/x", "postgresql://a-pooler.b:p@db.example/x"),
        ("postgresql://app@my-pooler/db", "postgresql://app@my-pooler/db"),
        ("postgresql://app@db-pooler.example/db", "postgresql://app@db-pooler.example/db"),
        (f"postgresql:///db?host={NEON}&user=app", f"postgresql:///db?host={DIRECT}&user=app"),
        ("postgresql:///db?host=%2Ftmp", "postgresql:///db?host=%2Ftmp"),
        (f"postgresql://app@{NEON.upper()}/db", f"postgresql://app@{DIRECT.upper()}/db"),
        ("postgresql://app@/db?host=%2Ftmp", "postgresql://app@/db?host=%2Ftmp"),
    ],
)
def test_migrations_go_to_neons_direct_host(url: str, expected: str) -> None:
    assert direct_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://owner:old@db.example:5432/tasks?sslmode=disable",
        "postgresql://db.example/tasks?sslmode=disable",
        "postgresql://owner@/tasks?host=%2Ftmp",
    ],
)
def test_a_login_is_put_into_a_url_so_that_it_comes_out_again(url: str) -> None:
    before = connect_arguments(url)
    after = connect_arguments(with_login(url, "taskcore_app", "a:b/c@d#e%"))

    assert after == before | {"user": "taskcore_app", "password": "a:b/c@d#e%"}


def test_a_login_replaces_one_in_the_query() -> None:
    url = "postgresql:///tasks?host=%2Ftmp&user=owner&password=old"
    after = with_login(url, "taskcore_app", "new")

    assert connect_arguments(after)["user"] == "taskcore_app"
    assert connect_arguments(after)["password"] == "new"  # noqa: S105
    assert "old" not in after
