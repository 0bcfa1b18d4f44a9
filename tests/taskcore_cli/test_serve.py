"""``taskctl serve`` as a process: what it says, and how it ends."""

import asyncio
import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import httpx2
import pytest

from taskcore import Settings, TaskStore, UserNotFound
from taskcore.database.url import connect_arguments
from taskcore.limits import MAX_DESCRIPTION
from taskcore.settings import load_settings
from taskcore_cli.commands import serve
from taskcore_cli.commands.serve import _grace, _pass_on, _reachable
from taskcore_cli.session import Session
from tests.databases import Database, execute
from tests.ports import free_port
from tests.sessions import until_blocked
from tests.taskcore.embedded.homes import postmaster, wait_until_stopped
from tests.taskcore_cli.conftest import Run, Start
from tests.taskcore_http.answers import error_of
from tests.taskcore_http.identity.http_issuer import answer as issuer_answer
from tests.taskcore_http.identity.http_issuer import http_issuer
from tests.taskcore_http.identity.issuing import claims, rsa_key, token
from tests.wire import Wire

DEADLINE = 20.0


def answer(port: int, path: str) -> object:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
        return json.load(response)


def wait_for(port: int) -> None:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nobody listens")


class Served:
    """A server under way, and what it said once it has ended."""

    port: int
    pid: int
    code: int
    errors: str


@contextmanager
def served(
    start: Start,
    *words: str,
    ended_by: int,
    within: float = DEADLINE,
    env: Mapping[str, str] | None = None,
    trusting: bool = True,
) -> Iterator[Served]:
    this = Served()
    this.port = free_port()
    open_to_all = ["--trust-callers"] if trusting else []
    process = start("serve", "--port", str(this.port), *open_to_all, *words, **(env or {}))
    this.pid = process.pid
    try:
        wait_for(this.port)
        yield this
        process.send_signal(ended_by)
        this.errors = process.communicate(timeout=within)[1]
        this.code = process.returncode
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_data_lives_serves_and_ends_well(
    start: Start, shared: Database, environment: dict[str, str], ended_by: int
) -> None:
    # SC-007
    with served(start, ended_by=ended_by, env=environment) as server:
        assert answer(server.port, "/users/1/tasks") == []
    assert server.code == 0
    assert "Traceback" not in server.errors
    data, address, trust, *log = server.errors.splitlines()
    assert data.startswith(f"Data: database {shared.name} on ")
    assert address == f"Open: http://127.0.0.1:{server.port}/docs"
    assert trust == "Every caller can name any user: callers are trusted."
    assert log
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} INFO: ", line) for line in log)
    # Requests are logged at debug only.
    assert "GET /users" not in server.errors


@pytest.mark.parametrize("trusting", [False, True])
def test_another_host_is_refused_while_nobody_is_verified(
    start: Start, environment: dict[str, str], *, trusting: bool
) -> None:
    """ID-707: a page of another site cannot call the API, whatever its name resolves to."""
    with served(start, ended_by=signal.SIGTERM, env=environment, trusting=trusting) as server:
        ours = 200 if trusting else 401
        for host, status in (("evil.example", 421), (f"localhost:{server.port}", ours)):
            url = f"http://127.0.0.1:{server.port}/users/1/tasks"
            assert httpx2.get(url, headers={"Host": host}).status_code == status


def test_a_proxy_on_this_machine_can_keep_the_host(
    start: Start, environment: dict[str, str]
) -> None:
    """ID-707."""
    env = environment | {"TASKCORE_ALLOWED_HOSTS": "tasks.example"}
    with served(start, ended_by=signal.SIGTERM, env=env) as server:
        url = f"http://127.0.0.1:{server.port}/users/1/tasks"
        assert httpx2.get(url, headers={"Host": "tasks.example"}).status_code == 200
        assert httpx2.get(url).status_code == 421


def test_the_link_signs_a_browser_in_and_a_script_takes_a_token(
    start: Start, run: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    """ID-907: also where several processes answer, and with the user of a file."""
    (tmp_path / ".env").write_text("TASKCTL_USER=42\n")
    env = {name: value for name, value in environment.items() if name != "TASKCTL_USER"}
    two = ("--workers", "2")
    with (
        served(start, *two, ended_by=signal.SIGTERM, env=env, trusting=False) as server,
        httpx2.Client(base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        assert client.get("/me/tasks").status_code == 401
        made = run("tokens", "create", "curl", "--user", "42", "--quiet", env=environment)
        token = {"Authorization": f"Bearer {made.stdout.strip()}"}
        assert client.get("/me", headers=token).json() == {"user_id": 42}
        assert client.get("/users/43/tasks", headers=token).status_code == 404
    assert server.code == 0
    data, address, link, programs, *_log = server.errors.splitlines()
    assert data.startswith("Data: ")
    opened = rf"Open: http://127.0.0.1:{server.port}/#sign-in=taskcore_link_[0-9A-Za-z]{{51}}"
    assert re.fullmatch(opened, address)
    assert link == "The link signs you in as user 42. It can be used once, for 10 minutes."
    assert "taskctl tokens create" in programs


@pytest.mark.one_server
def test_it_serves_a_user_who_has_too_many_tokens(
    start: Start, environment: dict[str, str], shared: Database
) -> None:
    """ID-907: without a link, for the user of an option."""
    fill = (
        "INSERT INTO taskcore.users (id) VALUES (77); "
        "INSERT INTO taskcore.tokens (hash, user_id, id, name, scopes) SELECT"
        " sha256(n::text::bytea), 77, n, 'x', ARRAY['tasks:read'] FROM generate_series(1, 100) AS n"
    )
    asyncio.run(execute(shared.owner_url, *fill.split("; ")))
    words = ("--user", "77")
    with served(start, *words, ended_by=signal.SIGTERM, env=environment, trusting=False) as server:
        url = f"http://127.0.0.1:{server.port}/me"
        assert httpx2.get(url).status_code == 401
    assert server.code == 0
    assert "No link signs you in: user 77 has too many tokens." in server.errors


@pytest.mark.parametrize(
    ("settings", "callers"),
    [
        (
            {"SESSIONS": "true", "API_TOKENS": "true"},
            "Callers need an API token (`taskctl tokens create`), or a session.",
        ),
        ({"SESSIONS": "true"}, "Callers need a session."),
        (
            {"SESSIONS": "true", "ISSUER": "https://i.example", "AUDIENCE": "x"},
            "Callers need a token of https://i.example, or a session.",
        ),
        ({"SESSIONS": "false"}, "Programs need an API token: `taskctl tokens create` makes one."),
    ],
)
@pytest.mark.one_server
def test_a_server_that_is_configured_prints_no_link(
    start: Start,
    environment: dict[str, str],
    shared: Database,
    settings: dict[str, str],
    callers: str,
) -> None:
    """ID-907: nor does it make one, which would create its user."""
    env = environment | {f"TASKCORE_{name}": value for name, value in settings.items()}
    words = ("--user", "7701")
    with served(start, *words, ended_by=signal.SIGTERM, env=env, trusting=False) as server:
        assert httpx2.get(f"http://127.0.0.1:{server.port}/me").status_code == 401
    _data, address, said, *_log = server.errors.splitlines()
    page = "" if "session" in said else "docs"
    assert address == f"Open: http://127.0.0.1:{server.port}/{page}"
    assert said == callers
    assert "taskcore_link_" not in server.errors
    with pytest.raises(UserNotFound):
        asyncio.run(get_user(shared.owner_url, 7701))


async def get_user(url: str, user: int) -> None:
    async with TaskStore(url) as store:
        await store.users.get(user)


def test_what_is_switched_off_stays_off(start: Start, environment: dict[str, str]) -> None:
    """ID-907."""
    env = environment | {"TASKCORE_API_TOKENS": "false"}
    with served(start, ended_by=signal.SIGTERM, env=env, trusting=False) as server:
        document = httpx2.get(f"http://127.0.0.1:{server.port}/openapi.json").json()
        assert "/session" in document["paths"]
        assert "/me/tokens" not in document["paths"]
    assert "taskcore_link_" in server.errors
    assert "API token" not in server.errors


def test_a_server_without_a_way_in_does_not_start(run: Run, environment: dict[str, str]) -> None:
    """ID-907: everything is switched off."""
    env = environment | {"TASKCORE_SESSIONS": "false", "TASKCORE_API_TOKENS": "false"}
    result = run("serve", "--port", str(free_port()), env=env)
    assert result.exit_code == 1
    for name in ("TASKCORE_ISSUER", "TASKCORE_API_TOKENS=true", "TASKCORE_TRUST_CALLERS=true"):
        assert name in result.stderr
    assert "Data:" not in result.stderr


def test_callers_are_verified_by_the_tokens_of_an_issuer(
    start: Start, environment: dict[str, str]
) -> None:
    """ID-706: with an issuer that is found by discovery, over HTTP."""
    with http_issuer() as issuer:
        keys = {"keys": [rsa_key().jwk(kid="k", alg="RS256")]}
        discovery = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
        issuer.answers |= {
            "/keys": issuer_answer(keys),
            "/.well-known/openid-configuration": issuer_answer(discovery),
        }
        now = int(time.time())
        payload = claims(iss=issuer.url, sub="ann", aud="https://t.example", iat=now, exp=now + 600)
        signed = token(payload).decode()
        settings = environment | {
            "TASKCORE_ISSUER": issuer.url,
            "TASKCORE_AUDIENCE": "https://other.example, https://t.example",
        }
        two = ("--workers", "2")
        with served(start, *two, ended_by=signal.SIGTERM, env=settings, trusting=False) as server:
            url = f"http://127.0.0.1:{server.port}/me/tasks"
            assert httpx2.get(url).status_code == 401
            fields = {"Authorization": f"Bearer {signed}"}
            assert httpx2.get(url, headers=fields).json() == []
            # Behind a proxy the host is the proxy's.
            assert httpx2.get(url, headers=fields | {"Host": "t.example"}).status_code == 200
    assert server.code == 0
    assert f"Callers need a token of {discovery['issuer']}." in server.errors
    assert "Traceback" not in server.errors
    assert signed.split(".")[1] not in server.errors


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104
def test_other_machines_are_served_only_if_somebody_verifies_callers(
    run: Run, environment: dict[str, str], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ID-708."""
    monkeypatch.setattr(serve, "_addresses", lambda *_: [host])
    result = run("serve", "--host", host, env=environment)
    assert result.exit_code == 1
    assert f"listening on {host} lets other machines call: set TASKCORE_ISSUER" in result.stderr
    assert "--trust-callers" in result.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"AUDIENCE": "x"}, "TASKCORE_AUDIENCE needs TASKCORE_ISSUER"),
        ({"ISSUER": "https://i.example"}, "needs an audience"),
        ({"ISSUER": "https://i.example", "TRUST_CALLERS": "true"}, "not both"),
    ],
)
def test_settings_that_let_anybody_in_are_refused_before_anything_starts(
    run: Run, settings: dict[str, str], message: str
) -> None:
    """ID-706: also with workers, which would fail one by one."""
    environment = {f"TASKCORE_{name}": value for name, value in settings.items()}
    port = str(free_port())
    result = run("serve", "--port", port, "--workers", "2", env=environment)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Data:" not in result.stderr


def test_a_token_in_a_query_is_in_no_log(start: Start, environment: dict[str, str]) -> None:
    """ID-110: at the level that logs each request."""
    options = ("--log-level", "debug")
    with served(start, *options, ended_by=signal.SIGTERM, env=environment) as server:
        url = f"http://127.0.0.1:{server.port}/users/1/tasks"
        assert httpx2.get(url, params={"access_token": "eyJhbGciOi"}).status_code == 400
    assert "GET /users/1/tasks HTTP/1.1" in server.errors
    assert "eyJhbGciOi" not in server.errors


def test_trusting_callers_is_said(start: Start, environment: dict[str, str]) -> None:
    """ID-708: then any host is served, because something is in front."""
    options = ("--host", "0.0.0.0")  # noqa: S104
    with served(start, *options, ended_by=signal.SIGTERM, env=environment) as server:
        url = f"http://127.0.0.1:{server.port}/users/1/tasks"
        assert httpx2.get(url, headers={"Host": "tasks.example"}).status_code == 200
    assert "callers are trusted" in server.errors


def test_options_and_the_file_reach_the_application(
    start: Start, shared: Database, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={shared.url}\n")
    nowhere = "postgresql://role@127.0.0.1:1/nowhere"
    (tmp_path / "other.env").write_text(f"TASKCORE_DIRECT_URL={nowhere}\n")
    with served(start, ended_by=signal.SIGTERM) as server:
        assert answer(server.port, "/users/1/tasks") == []
    assert server.code == 0


def test_the_embedded_server_serves_several_workers_and_stops_with_them(
    start: Start, used_home: Path
) -> None:
    # FR-014: it is the parent that holds the server, so it outlives a worker.
    environment = {"TASKCORE_HOME": str(used_home)}
    with served(start, "--workers", "2", ended_by=signal.SIGTERM, env=environment) as server:
        assert answer(server.port, "/users/1/tasks") == []
        assert (used_home / "postgresql" / "postmaster.pid").exists()
    assert server.code == 0
    assert f"Data: {used_home} (embedded server)" in server.errors
    assert not re.search("Traceback|rror:", server.errors)
    assert not (used_home / "postgresql" / "postmaster.pid").exists()


async def test_what_waits_for_the_database_is_answered_before_it_ends(
    start: Start, shared: Database
) -> None:
    # FR-015
    port = free_port()
    async with Wire(shared.url) as wire, httpx2.AsyncClient(timeout=DEADLINE) as client:
        env = {"TASKCORE_DATABASE_URL": wire.url, "TASKCORE_OPERATION_TIMEOUT": "1"}
        process = start("serve", "--trust-callers", "--port", str(port), **env)
        try:
            await asyncio.to_thread(wait_for, port)
            wire.hold()
            await wire.cut()
            before = wire.connections
            waiting = asyncio.ensure_future(client.get(f"http://127.0.0.1:{port}/users/1/tasks"))
            while wire.connections == before:  # noqa: ASYNC110  (nobody waits for long)
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGINT)
            response = await waiting
            _, errors = await asyncio.to_thread(process.communicate, timeout=DEADLINE)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in errors
    error_of(response, 503)


def test_the_grace_is_the_longest_that_a_call_takes() -> None:
    assert _grace(Settings(operation_timeout=20)) == 21
    assert _grace(Settings(operation_timeout=0.1)) == 2


def test_a_client_that_never_finishes_does_not_keep_it(
    start: Start, environment: dict[str, str]
) -> None:
    begun = (
        b"POST /users/1/tasks HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    )
    environment |= {"TASKCORE_OPERATION_TIMEOUT": "1"}
    with served(start, ended_by=signal.SIGINT, within=8, env=environment) as server:
        silent = socket.create_connection(("127.0.0.1", server.port))
        silent.sendall(begun)
        assert answer(server.port, "/users/1/tasks") == []
    silent.close()
    assert server.code == 0


def test_clients_that_keep_it_waiting_do_not_hold_up_its_end(
    start: Start, shared: Database, environment: dict[str, str]
) -> None:
    """A hundred that have not finished, and one that does not read, against a grace of 21 s."""
    head = b"POST /users/1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    user = int(environment["TASKCTL_USER"])
    asyncio.run(fill(shared, user))
    with (
        ExitStack() as clients,
        served(start, ended_by=signal.SIGINT, within=15, env=environment) as server,
    ):
        for number in range(100):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            client.sendall((b"", head, head + b"Content-Length: 9\r\n\r\n{")[number % 3])
        stalled = clients.enter_context(socket.socket())
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", server.port))
        stalled.sendall(f"GET /users/{user}/tasks HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert answer(server.port, "/users/1/tasks") == []
        stalled.recv(1000)
    assert server.code == 0
    assert "Traceback" not in server.errors
    assert "rror" not in server.errors


async def fill(database: Database, user: int) -> None:
    async with TaskStore(database.url) as store:
        task = {"title": "x", "description": "x" * MAX_DESCRIPTION}
        await store.for_user(user).create_many([task] * 4000)


def test_idle_connections_leave_room_for_others(start: Start, environment: dict[str, str]) -> None:
    """More than the soft limit of open files that it was started with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
        try:
            server = stack.enter_context(served(start, ended_by=signal.SIGINT, env=environment))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(200):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        assert answer(server.port, "/users/1/tasks") == []
    assert server.code == 0
    assert "rror" not in server.errors


@pytest.mark.one_server
async def test_a_second_ctrl_c_ends_it_at_once_without_a_traceback(
    start: Start, shared: Database, environment: dict[str, str]
) -> None:
    """Even while a request waits for the database."""
    port = free_port()
    process = start("serve", "--trust-callers", "--port", str(port), **environment)
    assert process.stderr is not None
    owner = await asyncpg.connect(**connect_arguments(shared.owner_url))
    try:
        await asyncio.to_thread(wait_for, port)
        async with owner.transaction():
            await owner.execute("LOCK TABLE taskcore.tasks")
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"GET /users/1/tasks HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await until_blocked(owner)
                process.send_signal(signal.SIGINT)
                while "force quit" not in (line := process.stderr.readline()):
                    assert line
                process.send_signal(signal.SIGINT)
                _, rest = await asyncio.to_thread(process.communicate, timeout=60)
    finally:
        await owner.close()
        process.kill()
        process.communicate()
    assert "Traceback" not in rest
    assert process.returncode == 0


def test_an_url_in_small_letters_does_not_take_the_place_of_the_embedded_server(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """The settings are passed on by the environment."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    os.environ["database_url"] = "postgresql://role@127.0.0.1:1/nowhere"  # noqa: SIM112
    settings = Session(home=home).settings()
    _pass_on(settings)
    assert load_settings() == settings


@pytest.mark.parametrize(
    ("host", "shown"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("a.example", "a.example")],  # noqa: S104
)
def test_the_address_shown_is_one_that_answers(host: str, shown: str) -> None:
    assert _reachable(host) == shown


def failure(run: Run, *words: str, **env: str) -> str:
    result = run("serve", "--port", str(free_port()), *words, env=env)
    assert (result.exit_code, result.stdout) == (1, "")
    # A new home is announced first.
    *announced, error = result.stderr.splitlines(keepends=True)
    assert all(line.startswith("Setting up the embedded database") for line in announced)
    assert error.startswith("error: ")
    return error


def test_a_port_in_use_is_one_line(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        errors = failure(run, "--port", port)
    assert errors == f"error: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


def test_a_host_that_is_none_is_one_line(run: Run) -> None:
    assert "no such address" in failure(run, "--host", "host.invalid")


def test_a_database_that_cannot_be_reached_is_one_line(start: Start) -> None:
    url = "postgresql://role:secret@127.0.0.1:1/database"
    process = start("serve", "--port", str(free_port()), TASKCORE_DATABASE_URL=url)
    output, errors = process.communicate(timeout=DEADLINE)
    assert (process.returncode, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("error: ")
    assert "cannot be reached" in errors
    assert "secret" not in errors


def test_a_login_that_is_refused_is_one_line(run: Run, shared: Database) -> None:
    errors = failure(run, TASKCORE_DATABASE_URL=shared.url_of("nobody"))
    assert "refused the login" in errors


def test_a_folder_that_cannot_hold_the_embedded_server_is_one_line(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    errors = failure(run, TASKCORE_HOME=str(tmp_path / "file" / "home"))
    assert "TASKCORE_HOME" in errors


def test_the_embedded_server_is_started_again_when_it_was_killed(
    start: Start, used_home: Path
) -> None:
    # FR-014: 503 until somebody restarted `serve`.
    with served(start, ended_by=signal.SIGTERM, env={"TASKCORE_HOME": str(used_home)}) as server:
        assert answer(server.port, "/users/1/tasks") == []
        os.kill(postmaster(used_home), signal.SIGKILL)
        wait_until_stopped(used_home)
        assert answer(server.port, "/users/1/tasks") == []
    assert server.code == 0
    assert "Traceback" not in server.errors
    assert not (used_home / "postgresql" / "postmaster.pid").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_it_ends_and_says_why_when_the_data_folder_vanishes(
    start: Start, used_home: Path, workers: int
) -> None:
    process = start(
        *("serve", "--port", str(free_port()), "--workers", str(workers)),
        TASKCORE_HOME=str(used_home),
    )
    try:
        assert process.stderr is not None
        for _ in range(workers):
            while "startup complete" not in process.stderr.readline():
                assert process.poll() is None
        shutil.rmtree(used_home / "postgresql")
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith(
        f"error: the embedded server's data folder in {used_home}"
    )
    assert "Traceback" not in errors
    assert not (used_home / "postgresql").exists()


def test_workers_end_with_a_parent_that_was_killed(
    start: Start, environment: dict[str, str]
) -> None:
    # They kept the port, and the embedded server running.
    port = free_port()
    process = start("serve", "--port", str(port), "--workers", "2", **environment)
    workers: list[int] = []
    try:
        assert process.stderr is not None
        for _ in range(2):
            while "startup complete" not in (line := process.stderr.readline()):
                assert process.poll() is None
                if started := re.search(r"Started server process \[(\d+)\]", line):
                    workers.append(int(started[1]))
        assert len(workers) == 2
        process.kill()
        # Its standard error is closed when the last worker has ended.
        process.communicate(timeout=DEADLINE)
    finally:
        for pid in (process.pid, *workers):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_log_lines_are_json_with_request_ids_and_a_line_for_each_request_at_debug(
    start: Start, environment: dict[str, str]
) -> None:
    # FR-021
    environment |= {"TASKCORE_LOG_FORMAT": "json", "TASKCORE_REQUEST_IDS": "true"}
    with served(start, "--log-level", "debug", ended_by=signal.SIGINT, env=environment) as server:
        url = f"http://127.0.0.1:{server.port}/users/1/tasks"
        with urllib.request.urlopen(url, timeout=5) as response:
            request_id = response.headers["X-Request-ID"]
    lines = [json.loads(line) for line in server.errors.splitlines()[3:]]
    assert all({"time", "level", "name", "message", "request_id"} <= {*line} for line in lines)
    (line,) = [line for line in lines if line["request_id"] == request_id]
    assert line["message"].endswith('"GET /users/1/tasks HTTP/1.1" 200')
