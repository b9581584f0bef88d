"""What only KServe's version 1 has: CloudEvents in both modes, and explainers, of which there are none."""

from base64 import b64encode
from datetime import datetime
from typing import Any

import pytest

from runtime import Model
from runtime.service.front import Front

from ..asgi import get, post
from ..conftest import ROW
from .forms import strict

PREDICT = "/v1/models/flights:predict"
EVENT = {"specversion": "1.0", "id": "e 1", "source": "tests", "type": "a.b"}
BINARY = {f"ce-{key}": value for key, value in EVENT.items()} | {"content-type": "application/json"}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BODY = {"instances": [ROW]}


def event_of(attributes: Any) -> None:
    """Check what an answer's attributes are."""
    assert attributes["specversion"] == "1.0"
    assert attributes["type"] == "io.kserve.inference.response"
    assert attributes["source"] == "io.kserve.inference.flights"
    assert attributes["id"] not in ("", EVENT["id"])
    assert datetime.fromisoformat(attributes["time"]).tzinfo is not None


def test_binary_mode(service: Front, flights: Model) -> None:
    answer = post(service, PREDICT, BODY, headers=BINARY)
    assert answer.status == 200
    assert strict(answer.body) == {"predictions": flights.predict([ROW]).tolist()}
    assert answer.headers["content-type"] == "application/json"
    event_of({name[3:]: value for name, value in answer.headers.items() if name.startswith("ce-")})
    assert "ce-id" not in post(service, PREDICT, BODY).headers


@pytest.mark.parametrize(
    "data", [{"data": BODY}, {"data_base64": b64encode(b'{"instances": []}').decode()}, {"data": {"instances": []}}]
)
def test_structured_mode(service: Front, flights: Model, data: Any) -> None:
    answer = post(service, PREDICT, EVENT | data, headers=STRUCTURED)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/cloudevents+json"
    event = strict(answer.body)
    event_of(event)
    rows = [ROW] if data == {"data": BODY} else []
    assert event["data"] == {"predictions": flights.predict(rows).tolist() if rows else []}
    assert event["datacontenttype"] == "application/json"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        EVENT,
        EVENT | {"data_base64": "*"},
        EVENT | {"data_base64": 1},
        EVENT | {"data": 1},
        EVENT | {"data": BODY, "specversion": "0.3"},
        EVENT | {"data": BODY, "id": ""},
        EVENT | {"data": BODY, "source": 7},
        EVENT | {"data": {"instances": [ROW | {"d.e": "x"}]}},
        b'{"specversion": "1.0", "id": "\\ud800", "source": "a", "type": "b", "data": {"instances": [[NaN]]}}',
    ],
)
def test_events_that_are_refused(service: Front, body: Any) -> None:
    answer = post(service, PREDICT, body, headers=STRUCTURED)
    assert answer.status == 400
    assert strict(answer.body).keys() == {"error"}


def test_events_that_are_deep(service: Front) -> None:
    for depth in (*range(100, 1000, 50), *range(950, 1010, 3)):
        deep = (
            '{"specversion": "1.0", "id": "1", "source": "a", "type": "b", "data": ' + "[" * depth + "]" * depth + "}"
        )
        assert post(service, PREDICT, deep.encode(), headers=STRUCTURED).status == 400


@pytest.mark.parametrize("headers", [{"ce-specversion": "2.0"}, {"ce-id": ""}, {"ce-type": ""}])
def test_headers_that_are_refused(service: Front, headers: dict[str, str]) -> None:
    answer = post(service, PREDICT, BODY, headers=BINARY | headers)
    assert answer.status == 400
    assert "CloudEvent" in strict(answer.body)["error"]


def test_there_is_no_explainer(service: Front) -> None:
    for path in ("/v1/models/flights:explain", "/v1/models/no:explain"):
        answer = post(service, path, BODY)
        assert answer.status == 404
        assert strict(answer.body).keys() == {"error"}
    assert get(service, "/v1/models/flights:explain").status == 405
