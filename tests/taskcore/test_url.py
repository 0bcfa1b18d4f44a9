"""Database URLs as they are pasted, and what is made of them."""

import ssl
from typing import Any

import pytest

from taskcore import ConfigurationError
from taskcore.url import connect_arguments, direct_url, with_login

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
        ("postgresql://app@db.example/tasks?sslmod=require", "unknown parameter: sslmod"),
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
