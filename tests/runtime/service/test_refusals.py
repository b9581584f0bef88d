"""Every request that the native dialect refuses: its status, its sentence, and that nothing leaks."""

import asyncio
import json
from typing import Any

import pytest

from runtime import Model
from runtime.model import Answer as Predicted
from runtime.service import app
from runtime.service.front import Front
from runtime.service.logs import Line
from runtime.settings import BODY_LIMIT

from .. import bundles
from ..asgi import get, post, problem, request
from ..conftest import ROW

JSON = {"content-type": "application/json"}
LONG = f"/models/flights/versions/{bundles.VERSION}/predict"


@pytest.mark.parametrize(
    "value", ["1", "True", "", "yes", "true&probabilities=false", "true&probabilities=true", "%ff"]
)
def test_probabilities_is_true_or_false(flights_app: Front, value: str) -> None:
    answer = post(flights_app, f"/predict?probabilities={value}", ROW)
    assert answer.status == 400
    assert problem(answer)["detail"] == "expected ?probabilities=true or false, once, found another value"


@pytest.mark.parametrize(
    ("body", "status", "path", "message"),
    [
        (b"", 400, "$", "expected JSON, found what is not: Input data was truncated"),
        (b"{", 400, "$", "expected JSON, found what is not: Input data was truncated"),
        (b'{"d.e": NaN}', 400, "$", "expected JSON, found what is not: JSON is malformed: invalid character (byte 8)"),
        (ROW | {"capped": 6}, 400, "$.capped", "expected number from 0 to 5, got one outside"),
        (
            json.dumps(ROW).replace("-2", "1e400").encode(),
            400,
            "$.d.e",
            "expected number that is finite, got one outside",
        ),
        ({}, 422, "$", "missing required field 'dep time'"),
        (ROW | {"x": 1}, 422, "$", "unknown field 'x'"),
        (ROW | {"d.e": "1"}, 422, "$.d.e", "expected number, got string"),
        (ROW | {"d.e": True}, 422, "$.d.e", "expected number, got boolean"),
        ([ROW, ROW, ROW, ROW | {"flag": 1}], 422, "$[3].flag", "expected boolean, got integer"),
        (ROW | {"code": 9}, 422, "$.code", "expected one of the 3 categories seen in training, got another"),
    ],
)
def test_bad_input(flights_app: Front, body: Any, status: int, path: str, message: str) -> None:
    answer = post(flights_app, "/predict", body)
    found = problem(answer)
    assert answer.status == status
    assert found["title"] == {400: "Bad Request", 422: "Unprocessable Content"}[status]
    assert found["detail"] == (message if path == "$" else f"{path}: {message}")
    assert found["errors"] == [{"path": path, "message": message}]
    assert answer.headers["x-model-version"] == bundles.VERSION


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", ["/predict", "/models/flights/predict", LONG, "/models/nothing/predict"])
def test_another_method(flights_app: Front, method: str, path: str) -> None:
    answer = request(flights_app, method, path, json.dumps(ROW).encode())
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert problem(answer)["title"] == "Method Not Allowed"


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF8",
        'application/json ; charset="utf-8"',
    ],
)
def test_media_types_that_are_json(flights_app: Front, kind: str) -> None:
    assert post(flights_app, "/predict", ROW, headers={"content-type": kind}).status == 200
    assert post(flights_app, "/predict", ROW).status == 200


@pytest.mark.parametrize(
    "kind",
    [
        *("text/plain", "text/csv", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "*/*", ""),
        *(
            "application/json; charset=latin-1",
            "application/json; version=2",
            "application/jsonl",
            "application/msgpack",
        ),
        *("application/octet-stream", "application/x-python-serialize", "application/json, text/plain"),
    ],
)
def test_media_types_that_are_not(flights_app: Front, kind: str) -> None:
    answer = post(flights_app, "/predict", ROW, headers={"content-type": kind})
    assert answer.status == 415
    assert problem(answer)["detail"] == "expected the header content-type: application/json, in UTF-8, found another"


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/predict/more", "/models/flights/versions/1", "/models/flights/predict/x", "/%00", "/docs"],
)
def test_an_unknown_path(flights_app: Front, path: str) -> None:
    answer = get(flights_app, path)
    assert answer.status == 404
    assert problem(answer)["detail"] == "nothing is at this path: GET /schema says what there is"


@pytest.mark.parametrize("path", ["/health", "/metrics", "/models", "/models/flights", "/schema"])
def test_another_method_elsewhere(flights_app: Front, path: str) -> None:
    answer = post(flights_app, path, ROW)
    assert answer.status == 405
    assert answer.headers["allow"].startswith("GET")
    assert problem(answer)["detail"] == "expected another method at this path; the header allow says which"


def sized(size: int) -> bytes:
    """A good body of that many bytes."""
    return json.dumps(ROW).encode().ljust(size)


@pytest.mark.parametrize("declared", [None, 0, 10, "true", "abc", "-1", ""])
def test_the_body_limit_is_exact_whatever_the_header_says(flights: Model, declared: Any) -> None:
    service = app(flights, body_limit=500)
    for size, status in ((499, 200), (500, 200), (501, 413), (5000, 413)):
        headers = {} if declared is None else {"content-length": str(size if declared == "true" else declared)}
        body = sized(size)
        for parts in ([body], [body[:100], body[100:]], [body[i : i + 1] for i in range(size)], [b"", body, b""]):
            answer = request(service, "POST", "/predict", parts, headers=headers)
            assert answer.status == status, (size, declared, len(parts))
            if status == 413:
                assert problem(answer)["detail"] == "expected a body of at most 500 bytes, found a larger one"
                assert problem(answer)["title"] == "Content Too Large"


@pytest.mark.parametrize("declared", ["501", "9" * 30, "9" * 10_000])
def test_a_body_that_says_it_is_too_large_is_not_read(flights: Model, declared: str) -> None:
    service = app(flights, body_limit=500)
    assert request(service, "POST", "/predict", [], headers={"content-length": declared}).status == 413


def test_a_body_without_end_is_not_read_to_its_end(flights: Model) -> None:
    service = app(flights, body_limit=500)
    asked = 0

    async def receive() -> Any:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "headers": []}
    asyncio.run(service(scope, receive, send))
    assert sent[0]["status"] == 413
    assert asked == 6


def test_the_default_limit() -> None:
    assert BODY_LIMIT == 16 * 2**20


def test_a_client_that_goes_gets_nothing(flights_app: Front, lines: list[Line]) -> None:
    assert request(flights_app, "POST", "/predict", [b"{"], gone=True).status == 0
    assert request(flights_app, "POST", "/predict", []).status == 0
    assert lines == []


def test_a_bug_is_a_500_that_tells_nothing(
    flights_app: Front, flights: Model, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(body: bytes, *, probabilities: bool = False) -> Predicted:
        raise ZeroDivisionError(f"secret {body.decode()}")

    monkeypatch.setattr(flights, "answer", broken)
    service = app(flights)
    answer = post(service, "/predict", {"secret": 4711}, headers={"x-request-id": "r-1"})
    assert answer.status == 500
    found = problem(answer)
    assert found["title"] == "Internal Server Error"
    assert found["detail"] == "the model failed on this input; the log tells more under this request_id"
    assert "secret" not in answer.body.decode()
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "request r-1 failed: ZeroDivisionError at test_refusals.py:" in record.getMessage()
    assert "secret" not in record.getMessage()
    assert "4711" not in record.getMessage()
    assert record.exc_info is None


def test_a_bug_in_a_page_is_a_500_too(
    flights_app: Front, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(accept: str) -> Any:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(flights_app.serving.metrics, "expose", broken)
    answer = get(flights_app, "/metrics")
    assert answer.status == 500
    assert problem(answer)["detail"] == "this request failed; the log tells more under this request_id"
    assert b"secret" not in answer.body
    assert "secret" not in caplog.text
