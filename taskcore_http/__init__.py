"""The task store as a REST API: alone, or inside any FastAPI or ASGI application."""

try:
    import fastapi as _fastapi  # noqa: F401
except ModuleNotFoundError as exc:
    raise ModuleNotFoundError(
        "taskcore_http needs FastAPI: pip install 'taskcore[http]'", name=exc.name
    ) from exc

from taskcore_http.app import app_from_environment, create_app
from taskcore_http.identity.authenticator import Authenticator
from taskcore_http.identity.authorization import bearer_token
from taskcore_http.identity.bearer import Bearer
from taskcore_http.identity.identify import Identity
from taskcore_http.identity.issuer import Issuer
from taskcore_http.identity.principal import Principal
from taskcore_http.identity.refusal import KeysUnavailable, TokenRefused
from taskcore_http.page.routes import create_page
from taskcore_http.parameters import UserId
from taskcore_http.tasks.router import create_router

__all__ = [
    "Authenticator",
    "Bearer",
    "Identity",
    "Issuer",
    "KeysUnavailable",
    "Principal",
    "TokenRefused",
    "UserId",
    "app_from_environment",
    "bearer_token",
    "create_app",
    "create_page",
    "create_router",
]
