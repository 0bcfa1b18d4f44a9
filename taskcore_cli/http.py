"""The package ``taskcore_http``, which this one uses by name and does not depend on."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from taskcore import Settings


def require_http(command: str) -> None:
    """Check that the extra ``http`` is installed.

    Raises:
        ConfigurationError: It is not.
    """
    from taskcore.errors import ConfigurationError

    if find_spec("uvicorn") is None or find_spec("fastapi") is None:
        raise ConfigurationError(f"{command} needs the extra http: pip install 'taskcore[http]'")


def by_default(settings: "Settings") -> "Settings":
    """Return what `taskctl serve` does where the settings name no way to verify a caller.

    It takes sessions and API tokens, except what the settings switch off.
    """
    if settings.issuer or settings.api_tokens or settings.sessions or settings.trust_callers:
        return settings
    ways = {"sessions", "api_tokens"} - settings.model_fields_set
    return settings.model_copy(update=dict.fromkeys(ways, True))


def identity_of(settings: "Settings") -> Any:
    """Return the ``taskcore_http.Bearer`` of the settings; None if callers are trusted.

    Raises:
        ConfigurationError: The settings contradict each other, or would let anybody in.
    """
    from uvicorn.importer import import_from_string

    return import_from_string("taskcore_http.identity.configured:bearer_of")(settings)
