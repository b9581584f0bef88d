"""Where a request ends and whose answer is whose, however it is sent."""

import json

import pytest

from runtime.service.framing import PIPELINED
from runtime.service.front import Front

from ..conftest import ROW
from .wire import exchanged, statuses

BODY = json.dumps(ROW).encode()
GET = b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n"
LAST = b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
H2C = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"


def predict(body: bytes = BODY, more: bytes = b"") -> bytes:
    """A request, with more headers."""
    return b"POST /predict HTTP/1.1\r\nhost: x\r\n%scontent-length: %d\r\n\r\n%s" % (more, len(body), body)


@pytest.mark.parametrize("upgrade", [H2C, H2C.replace(b"upgrade:", b"Upgrade:"), H2C.upper()])
def test_an_upgrade_is_ignored(flights_app: Front, upgrade: bytes) -> None:
    """As Java's client asks for with its first request."""
    asked = predict(more=upgrade)
    assert statuses(exchanged(flights_app, [asked + LAST])) == [200, 200]
    head, _, body = asked.partition(b"\r\n\r\n")
    assert statuses(exchanged(flights_app, [head + b"\r\n\r\n", body, LAST])) == [200, 200]
    assert b"prediction" in exchanged(flights_app, [asked, LAST])


@pytest.mark.parametrize("length", [b"content-length: %d\r\n" % len(GET), b"transfer-encoding: chunked\r\n"])
def test_a_body_is_no_request_however_an_upgrade_comes(flights_app: Front, length: bytes) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\n" + length + H2C + b"\r\n"
    for cut in range(len(head) - 60, len(head) + 1):
        answer = exchanged(flights_app, [head[:cut], head[cut:], GET, LAST])
        assert statuses(answer) in ([400], [400, 200])  # the latter is LAST's


def test_what_is_no_http_is_answered_after_what_came_before(flights_app: Front) -> None:
    for wrong in (
        b"\0\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
    ):
        assert statuses(exchanged(flights_app, [wrong])) == [400]
        for before in (GET, predict(), GET + predict() + GET, predict() + GET):
            count = before.count(b"HTTP/1.1")
            assert statuses(exchanged(flights_app, [before + wrong]))[:count] == [200] * count
            assert statuses(exchanged(flights_app, [before, wrong]))[:count] == [200] * count


def test_a_body_that_is_cut_off_by_what_is_none(flights_app: Front) -> None:
    cut = b'POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{"x"\r\nnonsense'
    assert statuses(exchanged(flights_app, [cut])) == [400]
    assert statuses(exchanged(flights_app, [cut[:-8], cut[-8:]])) == [400]
    assert statuses(exchanged(flights_app, [GET + cut])) == [200]
    assert statuses(exchanged(flights_app, [GET + GET + cut])) == [200, 200]


def test_so_many_may_wait_for_the_answer_to_another(flights_app: Front) -> None:
    assert statuses(exchanged(flights_app, [GET * PIPELINED + LAST])) == [200] * (PIPELINED + 1)
    answer = statuses(exchanged(flights_app, [GET * 10_000]))
    assert answer == [200] * len(answer)
    assert len(answer) == PIPELINED + 1
