"""Requests are spans where that is asked for, and OpenTelemetry is not imported where it is not."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from runtime import Model, SettingsError, load
from runtime.service import native
from runtime.service.catalog import catalog
from runtime.service.exchange import Shared
from runtime.service.front import Front
from runtime.service.serving import Serving
from runtime.service.spans import Spans, check_installed

from ...stress import oracle
from ...stress.service import model as a_model
from ...stress.service import until
from ..asgi import get, post
from ..test_main import serving

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"  # the example of W3C Trace Context


@pytest.fixture
def exported() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def front(tmp_path: Path, exported: InMemorySpanExporter) -> Front:
    """A service of one model, traced, without an access log."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exported))
    model: Model = load(a_model(tmp_path))
    return Front(Serving(catalog(model), Shared(10_000, None, spans=Spans(provider)), native.ROUTES))


def only(exported: InMemorySpanExporter) -> ReadableSpan:
    """The span of the only request so far."""
    (span,) = exported.get_finished_spans()
    return span


def test_a_prediction_is_a_span_below_the_callers(front: Front, exported: InMemorySpanExporter) -> None:
    headers = {"traceparent": PARENT, "x-request-id": "r-1"}
    assert post(front, "/models/m/predict", oracle.rows(1, 3), headers=headers).status == 200
    span = only(exported)
    assert span.name == "POST /models/{name}/predict"
    assert span.kind is SpanKind.SERVER
    assert span.attributes is not None
    assert dict(span.attributes) == {
        "http.request.method": "POST",
        "http.route": "/models/{name}/predict",
        "http.response.status_code": 200,
        "pipetwin.request_id": "r-1",
        "pipetwin.model": "m",
        "pipetwin.model_version": oracle.name(1),
        "pipetwin.rows": 3,
    }
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert span.start_time is not None
    assert span.end_time is not None
    assert 0 < span.end_time - span.start_time < 20e9
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("sent", [{}, {"traceparent": "nonsense"}, {"traceparent": f"00-{'0' * 32}-{'0' * 16}-01"}])
def test_a_request_without_a_parent_begins_a_trace(
    front: Front, exported: InMemorySpanExporter, sent: dict[str, str]
) -> None:
    post(front, "/predict", oracle.rows(1, 1), headers=sent)
    assert only(exported).parent is None


def test_refusals_and_other_pages_are_spans_too(front: Front, exported: InMemorySpanExporter) -> None:
    post(front, "/predict", {"x": 1, "secret-column": 2})
    get(front, "/health")
    get(front, "/secret-path")
    refused, health, unmatched = exported.get_finished_spans()
    assert refused.attributes is not None
    assert refused.attributes["http.response.status_code"] == 422
    assert refused.attributes["pipetwin.rows"] == 0
    assert refused.status.status_code is StatusCode.UNSET  # of a server, only 5xx is an error
    assert health.name == "GET /health"
    assert unmatched.name == "GET unmatched"
    assert "secret" not in str([span.to_json() for span in exported.get_finished_spans()])


def test_a_failure_is_an_error(front: Front, exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    (model,) = front.serving.catalog.each()
    monkeypatch.setattr(model.session, "run_rows", lambda *whatever: 1 / 0)
    assert post(front, "/predict", oracle.rows(1, 2)).status == 500
    assert only(exported).status.status_code is StatusCode.ERROR


def test_it_is_not_imported_where_nobody_asks(tmp_path: Path) -> None:
    words = (
        "import sys; from runtime.service import app; from runtime.service.worker import work;"
        f"from runtime import load; app(load({str(a_model(tmp_path))!r}));"
        # Litestar looks whether it is installed, and with it imports the names of its attributes; that is all.
        "heavy = ('opentelemetry.trace', 'opentelemetry.context', 'opentelemetry.sdk', 'opentelemetry.exporter');"
        "assert not [name for name in sys.modules if name.startswith(heavy)]"
    )
    subprocess.run([sys.executable, "-c", words], check=True)


def test_packages_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    check_installed()
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    with pytest.raises(SettingsError) as caught:
        check_installed()
    assert str(caught.value) == (
        "expected the traces extra beside --traces, found no opentelemetry.sdk: pip install 'pipetwin[traces]'"
    )


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """An OTLP collector: (its address, what it was sent)."""
    found: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", found
        finally:
            server.shutdown()
            thread.join()


def names_of(found: list[ExportTraceServiceRequest]) -> list[str]:
    """The names of the spans that a collector was sent."""
    return [
        span.name
        for sent in found
        for resource in sent.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_a_service_exports_its_spans(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    with collector() as (address, found):
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        with serving(str(model), "--traces", "true", **environment) as (server, client):
            client.post("/predict", json=oracle.rows(1, 2))
            until(lambda: len(names_of(found)) == 1)
            client.get("/health")
            server.process.terminate()  # what is pending goes out
            assert server.finish() == (0, "")
        assert names_of(found) == ["POST /predict", "GET /health"]
        names = {a.key: a.value.string_value for a in found[0].resource_spans[0].resource.attributes}
        assert names["service.name"] == "pipetwin"


def test_a_collector_that_is_gone_keeps_nobody(tmp_path: Path) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with serving(str(a_model(tmp_path)), "--traces", "true", **environment) as (server, client):
        assert client.post("/predict", json=oracle.rows(1, 2)).status_code == 200
        server.process.terminate()
        assert server.finish()[0] == 0
