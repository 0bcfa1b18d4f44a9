"""Metrics, traces and request ids, each off unless asked for.

They need the extra ``observability``. None holds a user id, a task id or a title: metrics and
spans name the route, such as ``/users/{user_id}/tasks``.
"""

from typing import Any

from fastapi import FastAPI

from taskcore import ConfigurationError

# Loaded on use: the packages of the extra.
# ruff: noqa: PLC0415

REQUEST_ID = "X-Request-ID"

# In the old and the new semantic conventions of OpenTelemetry.
_URLS = ("http.target", "http.url", "url.path", "url.full", "url.query")


def add_metrics(app: FastAPI) -> None:
    """Count requests and their seconds, by route, method and status, for Prometheus.

    ``GET /metrics`` returns them to everybody who reaches the application. With several worker
    processes set ``PROMETHEUS_MULTIPROC_DIR``
    (https://prometheus.github.io/client_python/multiprocess/).

    Raises:
        ConfigurationError: The extra is not installed.
    """
    try:
        from prometheus_fastapi_instrumentator import Instrumentator
    except ImportError as exc:
        raise _missing("metrics") from exc
    instrumentator = Instrumentator(excluded_handlers=["/metrics", "/health/.*"])
    instrumentator.instrument(app).expose(app, include_in_schema=False)


def add_tracing(app: FastAPI) -> None:
    """Make a span of each request.

    Without a tracer provider of the host, spans are sent by OTLP over HTTP, as the variables
    ``OTEL_…`` say (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).

    Raises:
        ConfigurationError: The extra is not installed.
    """
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as exc:
        raise _missing("tracing") from exc
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over the name.
        resource = Resource({SERVICE_NAME: "taskcore"}).merge(Resource.create())
        provider = TracerProvider(resource=resource)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
    FastAPIInstrumentor.instrument_app(
        app,
        server_request_hook=_without_ids,
        excluded_urls="/health/,/metrics",
        exclude_spans=["receive", "send"],
    )


def _without_ids(span: Any, _scope: dict[str, Any]) -> None:
    """Replace the URL of a span with its route."""
    # A span that is not recorded has no attributes.
    attributes = getattr(span, "attributes", None) or {}
    for name in _URLS:
        if name in attributes:
            span.set_attribute(name, str(attributes.get("http.route", "")))


def add_request_ids(app: FastAPI) -> None:
    """Answer each request with an ``X-Request-ID``: the client's UUID, or a new one.

    ``asgi_correlation_id.CorrelationIdFilter`` puts it into log records.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    try:
        from asgi_correlation_id import CorrelationIdMiddleware
    except ImportError as exc:
        raise _missing("request_ids") from exc
    app.add_middleware(CorrelationIdMiddleware, header_name=REQUEST_ID)


def _missing(setting: str) -> ConfigurationError:
    return ConfigurationError(
        f"TASKCORE_{setting.upper()} needs the extra observability: "
        "pip install 'taskcore[observability]'"
    )
