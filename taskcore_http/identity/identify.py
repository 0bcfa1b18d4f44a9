"""The user of a request: from its credentials, from an identity of the host's, or from its path.

A `Bearer` verifies the request's token::

    bearer = Bearer(Issuer("https://issuer.example", audience="https://tasks.example"))
    app.include_router(create_router(store, identity=bearer))

With ``Bearer(…, api_tokens=True)`` it also takes API tokens, which callers make at
``/me/tokens``, and with ``sessions=True`` the session cookies of browsers.

An application with its own accounts passes a function::

    async def identify(request: Request) -> UserTasks:
        return store.for_user(verify(request.headers.get("Authorization")))

The route awaits an identity that takes the request, or nothing. It cannot add query
parameters: the route refuses unknown ones. An identity with other parameters is a FastAPI
dependency: FastAPI solves it for each request, at some cost, and a host can override it with
``dependency_overrides``.

If the path names another user, the answer is *not found*, whether or not that user exists.
Without an identity every caller can name any user.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant
from fastapi.params import Depends as Dependency
from starlette.requests import HTTPConnection

from taskcore import TaskStore, TokenSecret, UserTasks, ValidationError
from taskcore_http.errors import RequestRefused
from taskcore_http.identity.authenticator import Authenticator
from taskcore_http.identity.bearer import Bearer
from taskcore_http.identity.refusal import API_TOKENS, SESSIONS, KeysUnavailable, TokenRefused
from taskcore_http.identity.session import session_of
from taskcore_http.parameters import USER_ID, UserId

Identity = Callable[..., UserTasks[Any] | Awaitable[UserTasks[Any]]] | Authenticator
"""Says who a request comes from.

An `Authenticator`, or a function that returns the tasks of the request's user, given the
request, or nothing, or as a dependency. A function raises ``HTTPException`` (401, 403) to refuse
a caller. A function without ``async`` must not block.
"""

Identify = Callable[[Request], Awaitable[UserTasks]]
"""Returns the tasks that a request is about."""

AUTHENTICATED = "taskcore.authenticated"
"""The key of the scope that has a caller's authenticator, and the issuer or what stands for it."""


def identify_by_path(store: TaskStore[Any]) -> Identify:
    """Return an `Identify` that trusts the ``user_id`` of the path."""

    async def identify(request: Request) -> UserTasks:
        return store.for_user(USER_ID.of(request))

    return identify


def require_path_user(identify: Identify) -> Identify:
    """Return an `Identify` for a path that names a user: the user must be the caller."""

    async def identify_path_user(request: Request) -> UserTasks:
        tasks = await identify(request)
        return tasks.of_user(USER_ID.of(request))

    return identify_path_user


def identify_by(store: TaskStore[Any], identity: Identity) -> tuple[Identify, Any]:
    """Return an `Identify` that asks an identity, and the dependency that it needs, if any."""
    if isinstance(identity, Authenticator):
        return _by_credentials(store, identity), None
    if not (_takes_request(identity) or _takes_nothing(identity)):
        return _from_request_state, identity
    arguments = int(_takes_request(identity))

    async def identify(request: Request) -> UserTasks:
        tasks = identity(*[request][:arguments])
        if inspect.isawaitable(tasks):
            tasks = await tasks
        _check_type(tasks)
        return tasks

    return identify, None


def _by_credentials(store: TaskStore[Any], authenticator: Authenticator) -> Identify:
    sessions = isinstance(authenticator, Bearer) and authenticator.sessions
    tokens = not isinstance(authenticator, Bearer) or authenticator.takes_tokens

    async def identify(request: Request) -> UserTasks:
        try:
            if sessions and (session := session_of(request)) is not None:
                request.scope[AUTHENTICATED] = authenticator, SESSIONS
                return store.for_session(session)
            caller = await authenticator.authenticate(request.scope["headers"])
        except TokenRefused as refused:
            if sessions and refused.reason == "missing":
                refused = TokenRefused("signed_out" if tokens else "only_sessions")
            raise refusal_of(authenticator, refused) from None
        except KeysUnavailable as unavailable:
            raise RequestRefused(
                503,
                "the token cannot be verified now; nothing was changed",
                {"Retry-After": str(unavailable.retry_after)},
            ) from None
        if isinstance(caller, TokenSecret):
            request.scope[AUTHENTICATED] = authenticator, API_TOKENS
            return store.for_token(caller)
        request.scope[AUTHENTICATED] = authenticator, caller.issuer
        try:
            return store.for_identity(
                caller.issuer,
                caller.subject,
                provision=authenticator.provision,
                subject_is_user_id=caller.subject_is_user_id,
            )
        except ValidationError:
            # An authenticator of the host's may accept any subject.
            raise refusal_of(authenticator, TokenRefused("sub")) from None

    return identify


def refusal_of(authenticator: Authenticator, refused: TokenRefused) -> RequestRefused:
    """Return the answer to a request that is not authenticated, with its challenge."""
    details = None
    if refused.status == 400:
        constraint = "not_both" if refused.reason == "both" else "given_twice"
        field = "Cookie" if refused.reason == "cookies" else "Authorization"
        details = {"field": field, "constraint": constraint}
    return RequestRefused(
        refused.status,
        refused.description,
        {"WWW-Authenticate": authenticator.challenge(refused)},
        details,
    )


def fastapi_dependency(identity: Any, *, of_path: bool) -> Dependency:
    """Return the dependency that asks an identity and keeps its answer for the endpoint.

    Args:
        identity: A dependency that returns `UserTasks`.
        of_path: Whether the path names a user, which FastAPI then documents.
    """

    async def keep(request: Request, tasks: Annotated[UserTasks, Depends(identity)]) -> None:
        _check_type(tasks)
        request.state.tasks_of_user = tasks

    async def keep_of_path(
        request: Request, user_id: UserId, tasks: Annotated[UserTasks, Depends(identity)]
    ) -> None:
        del user_id
        await keep(request, tasks)

    chosen: Dependency = Depends(keep_of_path if of_path else keep)
    return chosen


def needs_path(identity: Any) -> bool:
    """Tell whether an identity that is a dependency reads the ``user_id`` of the path."""
    return _reads_path(get_dependant(path="/", call=identity))


def _reads_path(dependant: Dependant) -> bool:
    return any(field.alias == USER_ID.name for field in dependant.path_params) or any(
        _reads_path(each) for each in dependant.dependencies
    )


async def _from_request_state(request: Request) -> UserTasks:
    tasks: UserTasks = request.state.tasks_of_user
    return tasks


def _check_type(tasks: object) -> None:
    if not isinstance(tasks, UserTasks):
        raise TypeError(
            "identity must return UserTasks, such as store.for_user(42), "
            f"not {type(tasks).__name__}"
        )


def _parameters(identity: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(identity).parameters.values())


def _takes_nothing(identity: Callable[..., Any]) -> bool:
    return not _parameters(identity) and not _is_generator(identity)


def _takes_request(identity: Callable[..., Any]) -> bool:
    parameters = _parameters(identity)
    if len(parameters) != 1 or _is_generator(identity):
        return False
    (one,) = parameters
    if one.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
        return False
    annotation: Any = one.annotation
    if annotation is inspect.Parameter.empty:
        return one.name == "request"
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] in ("Request", "HTTPConnection")
    return isinstance(annotation, type) and issubclass(annotation, HTTPConnection)


def _is_generator(identity: Callable[..., Any]) -> bool:
    return any(
        inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one)
        for one in (identity, type(identity).__call__)
    )
