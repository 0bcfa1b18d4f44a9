"""The REST API in a browser: sign-in by a link, and what a session cookie is good for."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from taskcore import ConfigurationError, SessionSecret, Settings, TaskStore, Unavailable
from taskcore_http import Bearer, create_app, create_router
from taskcore_http.identity.configured import bearer_of
from tests.taskcore_http.answers import error_of, task_of, tasks_of
from tests.taskcore_http.client import client_of

OURS = {"Sec-Fetch-Site": "same-origin"}
SAME_ORIGIN = [
    ("a page of this server", OURS),
    ("an older browser", {"Origin": "http://testserver"}),
]
ELSEWHERE = [
    ("another site", {"Sec-Fetch-Site": "cross-site"}),
    ("another port", {"Sec-Fetch-Site": "same-site"}),
    ("another site, which claims more", {"Sec-Fetch-Site": "cross-site"} | SAME_ORIGIN[1][1]),
    ("another origin", {"Origin": "http://testserver:81"}),
    ("another scheme", {"Origin": "https://testserver"}),
    ("no origin", {"Origin": "null"}),
]
UNKNOWN_ORIGIN = [
    ("no page", {"Sec-Fetch-Site": "none"}),
    ("nothing", dict[str, str]()),
]


def ids(cases: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in cases]


@pytest.fixture
def app(store: TaskStore) -> FastAPI:
    return create_app(store=store, identity=Bearer(api_tokens=True, sessions=True))


async def link_of(store: TaskStore) -> str:
    return (await store.sessions.create_link(42)).get_secret_value()


@asynccontextmanager
async def signed_in(store: TaskStore, app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a browser: it keeps cookies, and says that its requests come from our page."""
    async with client_of(app) as client:
        client.headers |= OURS
        answer = await client.post("/session", json={"link": await link_of(store)})
        assert answer.json() == {"message": "signed in"}
        yield client


@pytest.mark.parametrize("mounted", [False, True])
async def test_a_link_signs_a_browser_in_once(store: TaskStore, *, mounted: bool) -> None:
    """ID-904, ID-901."""
    identity = Bearer(api_tokens=True, sessions=True)
    app = create_app(store=store, identity=identity)
    if mounted:
        app = FastAPI()
        app.include_router(create_router(store, identity=identity))
    link = await link_of(store)
    async with client_of(app) as client:
        client.headers |= OURS
        error = error_of(await client.get("/me/tasks"), 401)
        assert error["message"].startswith("sign in with a link")
        assert (await client.post("/session", json={"link": link})).status_code == 200

        task = task_of(await client.post("/me/tasks", json={"title": "mine"}), 201)
        assert tasks_of(await client.get("/users/42/tasks")) == [task]
        error_of(await client.get("/users/43/tasks"), 404)
        made = await client.post("/me/tokens", json={"name": "laptop"})
        assert made.status_code == 201
        assert len((await client.get("/me/tokens")).json()) == 2

        answer = await client.post("/session", json={"link": link})
        assert "was used" in error_of(answer, 401)["message"]


@pytest.mark.parametrize(
    ("url", "name", "secure"),
    [
        ("http://testserver", "taskcore", False),
        ("http://testserver:8000", "taskcore_8000", False),
        ("http://[::1]:8000", "taskcore_8000", False),
        ("https://testserver", "__Host-taskcore", True),
        ("https://testserver:8443", "__Host-taskcore_8443", True),
    ],
)
async def test_no_script_and_no_other_site_gets_the_cookie(
    store: TaskStore, app: FastAPI, url: str, name: str, *, secure: bool
) -> None:
    """ID-904."""
    async with client_of(app) as client:
        answer = await client.post(
            f"{url}/session", json={"link": await link_of(store)}, headers={"Origin": url}
        )
        (field,) = answer.headers.get_list("set-cookie")
        ((found, cookie),) = SimpleCookie(field).items()
        assert found == name
        assert cookie["httponly"]
        assert bool(cookie["secure"]) == secure
        assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("strict", "/", "")
        assert cookie["max-age"] == str(7 * 24 * 60 * 60)
        assert answer.headers["cache-control"] == "no-store"
        sent = {"Cookie": f"{name}={cookie.value}"}
        assert (await client.get(f"{url}/me", headers=sent)).json() == {"user_id": 42}


async def test_another_server_on_the_machine_leaves_the_session_alone(
    store: TaskStore, app: FastAPI
) -> None:
    """ID-904: a browser sends cookies to every port of a host."""
    async with client_of(app) as client:
        client.headers |= OURS
        urls = ["http://testserver:8000", "http://testserver:8001"]
        for url in urls:
            error_of(await client.get(f"{url}/me"), 401)
            answer = await client.post(f"{url}/session", json={"link": await link_of(store)})
            assert answer.status_code == 200
        for url in urls:
            assert (await client.get(f"{url}/me")).status_code == 200
        await client.delete(f"{urls[0]}/session")
        assert (await client.get(f"{urls[1]}/me")).status_code == 200


@pytest.mark.parametrize("host", ["testserver:", "testserver:x", "[::1]", ":", ""])
async def test_a_host_without_a_port_has_the_plain_name(
    store: TaskStore, app: FastAPI, host: str
) -> None:
    """ID-904."""
    session = (await store.sessions.open(await link_of(store))).get_secret_value()
    async with client_of(app) as client:
        sent = OURS | {"Host": host, "Cookie": f"taskcore={session}"}
        assert (await client.get("/me", headers=sent)).json() == {"user_id": 42}


async def test_signing_in_ends_the_session_of_before(store: TaskStore, app: FastAPI) -> None:
    """ID-904: but a link that is refused ends none."""
    async with signed_in(store, app) as client:
        error_of(await client.post("/session", json={"link": "x"}), 401)
        (before,) = client.cookies.jar
        link = await store.sessions.create_link(43)
        answer = await client.post("/session", json={"link": link.get_secret_value()})
        assert answer.status_code == 200
        assert (await client.get("/me")).json() == {"user_id": 43}
        client.cookies.clear()
        sent = {"Cookie": f"{before.name}={before.value}"}
        error_of(await client.get("/me", headers=sent), 401)


async def test_a_session_that_cannot_be_ended_keeps_nobody_out(
    store: TaskStore, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ID-904: the link is used by then."""

    async def close(*_: object) -> None:
        raise Unavailable("not now")

    monkeypatch.setattr(store.sessions, "close", close)
    async with signed_in(store, app) as client:
        answer = await client.post("/session", json={"link": await link_of(store)})
        assert answer.json() == {"message": "signed in"}
        error_of(await client.delete("/session"), 503)


async def test_signing_out_ends_the_session(store: TaskStore, app: FastAPI) -> None:
    """ID-904: a copy of the cookie is worth nothing."""
    async with signed_in(store, app) as client:
        (copy,) = client.cookies.jar
        for _ in range(2):
            assert (await client.delete("/session")).json() == {"message": "signed out"}
        assert not list(client.cookies.jar)
        answer = await client.get("/me", headers={"Cookie": f"{copy.name}={copy.value}"})
        assert error_of(answer, 401)["message"] == "the session has ended: sign in again"
        # The browser stops sending it.
        assert "Max-Age=0" in answer.headers["set-cookie"]


WRITES = [
    ("POST", "/me/tasks", {"title": "x"}),
    ("POST", "/users/42/tasks", {"title": "x"}),
    ("PATCH", "/me/tasks/7", {"title": "x"}),
    ("PUT", "/me/tasks/7", {"title": "x"}),
    ("DELETE", "/me/tasks/7", None),
    ("POST", "/me/tokens", {"name": "x"}),
    ("POST", "/me/tokens/7/rotate", None),
    ("DELETE", "/me/tokens/7", None),
    ("DELETE", "/session", None),
    ("POST", "/session", {"link": "x"}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_only_pages_of_this_server_change_something_with_a_cookie(
    store: TaskStore, app: FastAPI, method: str, path: str, body: object
) -> None:
    """ID-905: cross-site request forgery."""
    async with signed_in(store, app) as client:
        del client.headers["Sec-Fetch-Site"]
        for name, fields in ELSEWHERE + UNKNOWN_ORIGIN:
            answer = await client.request(method, path, json=body, headers=fields)
            assert answer.status_code == 403, name
        assert list(await store.for_user(42).list()) == []
        assert len(await store.for_user(42).tokens.list()) == 1


@pytest.mark.parametrize(("_name", "fields"), SAME_ORIGIN, ids=ids(SAME_ORIGIN))
async def test_a_page_of_this_server_changes_something(
    store: TaskStore, app: FastAPI, _name: str, fields: dict[str, str]
) -> None:
    """ID-905."""
    async with signed_in(store, app) as client:
        del client.headers["Sec-Fetch-Site"]
        task = task_of(await client.post("/me/tasks", json={"title": "x"}, headers=fields), 201)
        assert (await client.delete(f"/me/tasks/{task['id']}", headers=fields)).status_code == 200


async def test_a_page_from_elsewhere_reads_nothing_with_a_cookie(
    store: TaskStore, app: FastAPI
) -> None:
    """ID-905: somebody who types the address does."""
    async with signed_in(store, app) as client:
        del client.headers["Sec-Fetch-Site"]
        for name, fields in ELSEWHERE:
            for method in ("GET", "HEAD"):
                answer = await client.request(method, "/me/tasks", headers=fields)
                assert answer.status_code == 403, name
        for name, fields in UNKNOWN_ORIGIN + SAME_ORIGIN:
            answer = await client.get("/me/tasks", headers=fields)
            assert answer.status_code == 200, name


async def test_a_token_needs_no_page(store: TaskStore, app: FastAPI) -> None:
    """ID-905: nobody's browser sends it by itself."""
    token = await store.for_user(42).tokens.create("x", scopes=["tasks:write"])
    fields = {"Authorization": f"Bearer {token.secret.get_secret_value()}"}
    async with client_of(app) as client:
        for _, more in ELSEWHERE:
            answer = await client.post("/me/tasks", json={"title": "x"}, headers=fields | more)
            assert answer.status_code == 201


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/me/tasks"), ("DELETE", "/session"), ("POST", "/session")]
)
async def test_a_cookie_and_a_token_together_are_refused(
    store: TaskStore, app: FastAPI, method: str, path: str
) -> None:
    """ID-906, whatever either is worth."""
    link = await link_of(store)
    async with signed_in(store, app) as client:
        for value in ("Bearer x", "Basic eDp5", ""):
            answer = await client.request(
                method,
                path,
                json={"link": link} if method == "POST" else None,
                headers={"Authorization": value},
            )
            error = error_of(answer, 400)
            assert error["details"] == {"field": "Authorization", "constraint": "not_both"}
            assert 'error="invalid_request"' in answer.headers["www-authenticate"]
        # Nothing was done.
        assert (await client.get("/me")).status_code == 200
        assert (await client.post("/session", json={"link": link})).status_code == 200


async def test_two_session_cookies_are_refused(store: TaskStore, app: FastAPI) -> None:
    """ID-906: another port of this machine can set one beside ours. Which one counts?"""
    mine, other = [
        (await store.sessions.open(await store.sessions.create_link(user))).get_secret_value()
        for user in (42, 43)
    ]
    both = [f"taskcore={mine}", f"taskcore={other}"]
    async with client_of(app) as client:
        client.headers |= OURS
        for fields in (
            [("Cookie", "; ".join(both))],
            [("Cookie", one) for one in both],
            [("Cookie", f"x=1;taskcore={mine}; taskcore=")],
        ):
            for method, path in (("GET", "/me"), ("DELETE", "/session"), ("POST", "/session")):
                answer = await client.request(
                    method, path, headers=[*client.headers.items(), *fields]
                )
                error = error_of(answer, 400)
                assert error["details"] == {"field": "Cookie", "constraint": "given_twice"}
        # Those with other names do not count, in whatever field they are.
        fields = [("Cookie", "taskcore_2=x; xtaskcore=y"), ("Cookie", both[0])]
        answer = await client.get("/me", headers=[*client.headers.items(), *fields])
        assert answer.json() == {"user_id": 42}


async def test_secrets_of_one_kind_do_nothing_in_the_place_of_another(
    store: TaskStore, app: FastAPI
) -> None:
    """ID-909."""
    session = (await store.sessions.open(await link_of(store))).get_secret_value()
    link = await link_of(store)
    token = (await store.for_user(42).tokens.create("x")).secret.get_secret_value()
    async with client_of(app) as client:
        client.headers |= OURS
        for secret in (session, link):
            answer = await client.get("/me", headers={"Authorization": f"Bearer {secret}"})
            error_of(answer, 401)
        for secret in (token, link, "x", ""):
            answer = await client.get("/me", headers={"Cookie": f"taskcore={secret}"})
            error_of(answer, 401)
        for secret in (token, session):
            error_of(await client.post("/session", json={"link": secret}), 401)
        # Over HTTP the name that is for HTTPS counts for nothing.
        answer = await client.get("/me", headers={"Cookie": f"__Host-taskcore={session}"})
        error_of(answer, 401)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"link": 7}, 400),
        ({"link": None}, 400),
        ({"link": "x", "user": 1}, 400),
        ([], 400),
        ({"link": ""}, 401),
        ({"link": "taskcore_link_" + "0" * 49}, 401),
    ],
)
async def test_a_wrong_link_is_explained(app: FastAPI, body: object, status: int) -> None:
    """ID-904."""
    async with client_of(app) as client:
        client.headers |= OURS
        error_of(await client.post("/session", json=body), status)
        error_of(await client.post("/session?x=1", json={"link": "x"}), 400)


async def test_a_form_of_another_site_cannot_sign_in(store: TaskStore, app: FastAPI) -> None:
    """ID-904: a form sends no JSON."""
    async with client_of(app) as client:
        client.headers |= OURS
        answer = await client.post("/session", data={"link": await link_of(store)})
        error_of(answer, 415)


async def test_the_secrets_are_in_no_log_line(
    store: TaskStore, app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    """ID-908."""
    caplog.set_level(logging.DEBUG)
    link = await link_of(store)
    async with client_of(app) as client:
        client.headers |= OURS
        for _ in range(2):
            answer = await client.post("/session", json={"link": link})
        assert link not in answer.text
        # A link that is opened again signs nobody out.
        (cookie,) = client.cookies.jar
        await client.delete("/session")
        await client.get("/me", headers={"Cookie": f"taskcore={cookie.value}"})
        await client.post("/me/tasks", headers={"Sec-Fetch-Site": "cross-site"})
    assert "refused: link (issuer: sign-in links)" in caplog.text
    assert "refused: session (issuer: sessions)" in caplog.text
    for secret in (link, cookie.value or ""):
        assert secret
        assert secret[-49:] not in caplog.text


async def test_with_sessions_alone_no_token_is_asked_for(store: TaskStore) -> None:
    """ID-904."""
    app = create_app(store=store, identity=Bearer(sessions=True))
    async with client_of(app) as client:
        for fields in ({}, {"Authorization": "Bearer x"}):
            answer = await client.get("/me", headers=fields)
            message = error_of(answer, 401)["message"]
            assert message.startswith("sign in with a link")
            assert message.endswith("tokens are not accepted")


async def test_a_script_is_told_what_it_needs(store: TaskStore, app: FastAPI) -> None:
    """ID-905."""
    async with client_of(app) as client:
        answer = await client.post("/session", json={"link": await link_of(store)})
        assert "Origin" in error_of(answer, 403)["message"]


async def test_without_sessions_a_cookie_is_nothing(store: TaskStore) -> None:
    """ID-904."""
    session = (await store.sessions.open(await link_of(store))).get_secret_value()
    app = create_app(store=store, identity=Bearer(api_tokens=True))
    async with client_of(app) as client:
        client.headers |= OURS | {"Cookie": f"taskcore={session}"}
        error_of(await client.get("/me"), 401)
        error_of(await client.post("/session", json={"link": await link_of(store)}), 404)
        assert "sign-in" not in (await client.get("/docs")).text


def test_the_document_names_the_cookie(app: FastAPI) -> None:
    """ID-904: routes of tokens take it too."""
    document = app.openapi()
    assert document["components"]["securitySchemes"]["session"]["in"] == "cookie"
    paths = document["paths"]
    assert {"session": []} in paths["/me/tasks"]["get"]["security"]
    assert paths["/me/tokens"]["get"]["security"] == [{"session": []}]
    assert "security" not in paths["/session"]["post"]


def test_the_settings_let_sessions_in() -> None:
    """ID-907."""
    bearer = bearer_of(Settings(sessions=True, api_tokens=True))
    assert bearer is not None
    assert (bearer.sessions, bearer.api_tokens) == (True, True)
    with pytest.raises(ConfigurationError, match="TASKCORE_SESSIONS or TASKCORE_TRUST_CALLERS"):
        bearer_of(Settings(sessions=True, trust_callers=True))


def test_a_session_does_not_show_its_secret() -> None:
    """ID-908."""
    session = SessionSecret.random()
    assert session.get_secret_value() not in repr(session)
