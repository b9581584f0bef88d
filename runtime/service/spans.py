"""Requests as spans of OpenTelemetry, where they are asked for: the only file that imports it."""

import threading
import time
from collections.abc import Mapping
from importlib.util import find_spec
from time import perf_counter
from typing import Any

from msgspec import UNSET, UnsetType

from ..errors import SettingsError

__all__ = ["Spans", "check_installed"]

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"))
_SECONDS = 2.0
"""How long what is still to be exported may take at the end."""


def check_installed() -> None:
    """Raise SettingsError where the packages are missing that traces need."""
    for name in ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        try:
            found = find_spec(name) is not None
        except (ModuleNotFoundError, ValueError):
            found = False
        if not found:
            raise SettingsError(
                f"expected the traces extra beside --traces, found no {name}: pip install 'pipetwin[traces]'"
            )


class Spans:
    """Makes a span of each request that was answered, below the caller's where it sent a ``traceparent`` (W3C Trace
    Context). Names and attributes are OpenTelemetry's semantic conventions for HTTP servers, and beside them the model,
    its version and the rows; no input value is among them.

    provider: of tracers; none: one that exports by OTLP over HTTP, as the OTEL_EXPORTER_OTLP_* variables say.
    """

    def __init__(self, provider: Any = None) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider or _exporting()
        self._tracer = self._provider.get_tracer("pipetwin")
        self._extract = TraceContextTextMapPropagator().extract
        self._server = SpanKind.SERVER
        self._failed = Status(StatusCode.ERROR)

    def __deepcopy__(self, memo: object) -> "Spans":
        """Itself, as for the pool of threads."""
        return self

    def __call__(
        self,
        method: str,
        headers: Mapping[bytes, bytes],
        request_id: str,
        route: str,
        status: int,
        start: float,
        model: str | UnsetType = UNSET,
        version: str | UnsetType = UNSET,
        rows: int | UnsetType = UNSET,
    ) -> None:
        """Record a request that has been answered; ``start`` is the ``perf_counter`` at its beginning."""
        ends = time.time_ns()
        sent = {
            name.decode(): headers[name].decode("latin-1")
            for name in (b"traceparent", b"tracestate")
            if name in headers
        }
        method = method if method in _METHODS else "_OTHER"
        attributes: dict[str, Any] = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "pipetwin.request_id": request_id,
        }
        for name, value in (("model", model), ("model_version", version), ("rows", rows)):
            if value is not UNSET:
                attributes[f"pipetwin.{name}"] = value
        span = self._tracer.start_span(
            f"{'HTTP' if method == '_OTHER' else method} {route}",
            context=self._extract(sent) if sent else None,
            kind=self._server,
            attributes=attributes,
            start_time=ends - int((perf_counter() - start) * 1e9),
        )
        if status >= 500:
            span.set_status(self._failed)
        span.end(end_time=ends)

    def close(self) -> None:
        """Export what is pending, if that does not take long."""
        ending = threading.Thread(target=self._provider.shutdown, name="pipetwin-spans", daemon=True)
        ending.start()
        ending.join(_SECONDS)


def _exporting() -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # Resource.create reads OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, which win.
    provider = TracerProvider(resource=Resource.create({"service.name": "pipetwin"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
