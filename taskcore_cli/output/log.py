"""The log lines of ``taskctl serve``."""

from copy import deepcopy
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskcore import Settings

# RFC 3339.
_TIMES = "%Y-%m-%dT%H:%M:%S%z"
_JSON = {
    "()": "pythonjsonlogger.json.JsonFormatter",
    "style": "sequence",
    "datefmt": _TIMES,
    "rename_fields": {"asctime": "time", "levelname": "level", "correlation_id": "request_id"},
}


def log_config(settings: "Settings") -> dict[str, Any]:
    """Return the configuration of uvicorn's log and ours, for ``logging.config``.

    Raises:
        ConfigurationError: JSON lines or request ids need an extra that is not installed.
    """
    from uvicorn.config import LOGGING_CONFIG  # noqa: PLC0415  (--help needs no uvicorn)

    config: dict[str, Any] = deepcopy(LOGGING_CONFIG)
    config["filters"] = {
        "cancellations": {"()": "taskcore_http.server.log.CancellationFilter"},
        "repeats": {"()": "taskcore_http.server.log.RepeatFilter"},
    }
    config["loggers"]["uvicorn.error"]["filters"] = [*config["filters"]]
    config["handlers"]["access"]["stream"] = "ext://sys.stderr"
    config["filters"]["queries"] = {"()": "taskcore_http.server.log.QueryFilter"}
    config["loggers"]["uvicorn.access"]["filters"] = ["queries"]
    config["loggers"]["taskcore"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    config["filters"]["said"] = {"()": "taskcore_http.server.log.TrustFilter"}
    config["loggers"]["taskcore.http"] = {"filters": ["said"]}
    # Otherwise every worker would announce the embedded database again.
    config["loggers"]["taskcore.embedded"] = {"level": "ERROR"}
    if settings.request_ids:
        _require_extra("asgi_correlation_id", "TASKCORE_REQUEST_IDS")
        config["filters"]["request"] = {"()": "asgi_correlation_id.CorrelationIdFilter"}
        for handler in config["handlers"].values():
            handler["filters"] = ["request"]
    _set_formats(config, settings)
    return config


def _set_formats(config: dict[str, Any], settings: "Settings") -> None:
    """Give the lines of both loggers one format, with times."""
    if settings.log_format == "json":
        _require_extra("pythonjsonlogger", "TASKCORE_LOG_FORMAT=json")
        fields = ["asctime", "levelname", "name", "message"]
        if settings.request_ids:
            fields.append("correlation_id")
        from pythonjsonlogger.core import RESERVED_ATTRS  # noqa: PLC0415  (of the extra)

        # uvicorn repeats its message in colours.
        json = _JSON | {"fmt": fields, "reserved_attrs": [*RESERVED_ATTRS, "color_message"]}
        config["formatters"] = dict.fromkeys(config["formatters"], json)
        return
    for formatter in config["formatters"].values():
        formatter["fmt"] = f"%(asctime)s {formatter['fmt']}"
        formatter["datefmt"] = _TIMES
        if settings.request_ids:
            formatter["fmt"] += " [%(correlation_id)s]"


def _require_extra(module: str, setting: str) -> None:
    from taskcore.errors import ConfigurationError  # noqa: PLC0415  (--help needs no taskcore)

    if find_spec(module) is None:
        raise ConfigurationError(
            f"{setting} needs the extra observability: pip install 'taskcore[observability]'"
        )
