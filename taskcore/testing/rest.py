"""The REST API as a face: in this process, mounted in a host, or at a URL."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from hashlib import blake2b
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlencode

from taskcore import ValidationError
from taskcore.cursors import cursor_after, place_of
from taskcore.tasks.task_order import NEWEST, ORDERS
from taskcore.testing.lifespan import Application, lifespan
from taskcore.testing.operations import (
    Count,
    Create,
    Delete,
    DeleteMany,
    Get,
    List,
    Observation,
    Operation,
    Update,
    UpdateMany,
    Walk,
    ids,
)


class Headers(Protocol):
    """The headers of an answer."""

    def multi_items(self) -> Iterable[tuple[str, str]]:
        """Return every header, including repeated ones."""


class Response(Protocol):
    """An answer, such as HTTPX's."""

    @property
    def status_code(self) -> int:
        """The status."""

    @property
    def headers(self) -> Headers:
        """The headers."""

    @property
    def content(self) -> bytes:
        """The body."""


class Client(Protocol):
    """An HTTP client, such as ``httpx.AsyncClient``."""

    async def request(
        self, method: str, url: str, *, content: bytes | None, headers: dict[str, str]
    ) -> Response:
        """Send a request."""

    async def aclose(self) -> None:
        """Close every connection."""


def _anonymous(_user_id: int) -> Mapping[str, str]:
    return {}


class RestFace:
    """The REST API, as its clients use it.

    The status, the body and the headers are observed, except for headers in ``ignored``.
    ``Content-Length`` and the ``ETag`` of a list are only compared with the body.

    Args:
        client: A client with the base URL. All users share it, so it must not keep cookies.
            The check closes it, on the event loop that its connections belong to.
        app: The ASGI application to start and stop around the check, because the ASGI
            transports of HTTPX do not. None: it is running already.
        prefix: Where the routes are mounted, such as ``/api``.
        headers: Returns the request headers that identify a user.
        ignored: Names of headers that differ in every answer.
    """

    operations: Collection[type[Operation]] = frozenset(
        {Create, Get, List, Walk, Count, Update, UpdateMany, Delete, DeleteMany}
    )

    def __init__(
        self,
        client: Client,
        *,
        app: Application | None = None,
        prefix: str = "",
        headers: Callable[[int], Mapping[str, str]] = _anonymous,
        ignored: Collection[str] = ("date", "server"),
    ) -> None:
        self._client = client
        self._app = app
        self._prefix = prefix
        self._headers = headers
        self._ignored = frozenset(name.lower() for name in ignored)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._stack.push_async_callback(self._client.aclose)
        if self._app is not None:
            await self._stack.enter_async_context(lifespan(self._app))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def path_of(self, user_id: int) -> str:
        """Return a user's path; override it where users have other paths, such as ``/me``."""
        return f"/users/{user_id}"

    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        """Send the request, or all requests of a walk along the links."""
        tasks = f"{self._prefix}{self.path_of(user_id)}/tasks"
        task = f"{tasks}/{target}"
        match operation:
            case Create(new):
                response = await self._send(user_id, "POST", tasks, new)
                return self._observed(response, created=response.status_code in (200, 201))
            case Get():
                return self._observed(await self._send(user_id, "GET", task))
            case List(limit, _, completed, search):
                after = None if target is None else cursor_after(NEWEST, target)
                url = _with_query(
                    tasks, limit=limit, completed=completed, after=after, search=search
                )
                return self._observed(await self._send(user_id, "GET", url))
            case Walk(limit, completed, order):
                url = _with_query(tasks, limit=limit, completed=completed, order=order)
                return await self._walk(user_id, url)
            case Update(_, changes):
                # PUT and PATCH do the same.
                method = "PUT" if "title" in changes else "PATCH"
                return self._observed(await self._send(user_id, method, task, changes))
            case Delete():
                return self._observed(await self._send(user_id, "DELETE", task))
            case UpdateMany(_, changes):
                several = _of_several(tasks, operation)
                return self._observed(await self._send(user_id, "PATCH", several, changes))
            case DeleteMany():
                several = _of_several(tasks, operation)
                return self._observed(await self._send(user_id, "DELETE", several))
            case Count(completed, project):
                url = _with_query(f"{tasks}/count", completed=completed, project=project)
                return self._observed(await self._send(user_id, "GET", url))
        raise NotImplementedError(type(operation).__name__)

    async def _walk(self, user_id: int, url: str) -> Observation:
        pages = []
        following: str | None = url
        while following is not None:
            response = await self._send(user_id, "GET", following)
            pages.append(self._observed(response))
            following = _next_link(response)
        return Observation(pages[-1].outcome, [page.value for page in pages])

    async def _send(
        self, user_id: int, method: str, url: str, body: Mapping[str, Any] | None = None
    ) -> Response:
        headers = dict(self._headers(user_id))
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        return await self._client.request(method, url, content=content, headers=headers)

    def _observed(self, response: Response, *, created: bool = False) -> Observation:
        body: Any = response.content.decode(errors="backslashreplace")
        headers = sorted(
            (name.lower(), _CURSOR.sub(_place, value))
            for name, value in response.headers.multi_items()
            if name.lower() not in self._ignored
        )
        if ("content-type", "application/json") in headers:
            body = json.loads(body)
        of_body = {
            ("content-length", str(len(response.content))),
            # The tag of a list is a digest of its bytes, in which ids and times differ.
            ("etag", f'W/"{blake2b(response.content, digest_size=12).hexdigest()}"'),
        }
        shown = [
            (name, "the body's" if (name, value) in of_body else value) for name, value in headers
        ]
        return Observation(
            str(response.status_code),
            {"headers": [f"{name}: {value}" for name, value in shown], "body": body},
            (body["id"],) if created else (),
        )


# The content of the cursor of a link, so that two runs can be compared.
_CURSOR = re.compile(r"(?<=[?&]after=)[\w-]+(?=[&>])")


def _place(cursor: re.Match[str]) -> str:
    for order in ORDERS:
        with suppress(ValidationError):
            return str(place_of(cursor[0], order))
    return cursor[0]


def _of_several(tasks: str, operation: UpdateMany | DeleteMany) -> str:
    return _with_query(tasks, ids=",".join(map(str, ids(operation))))


def _with_query(path: str, **parameters: object) -> str:
    query = {
        name: json.dumps(value) if isinstance(value, bool) else value
        for name, value in parameters.items()
        if value is not None
    }
    return f"{path}?{urlencode(query)}" if query else path


def _next_link(response: Response) -> str | None:
    # https://www.rfc-editor.org/rfc/rfc8288#section-3
    for name, value in response.headers.multi_items():
        if name.lower() == "link" and value.endswith('>; rel="next"'):
            return value.removeprefix("<").removesuffix('>; rel="next"')
    return None
