"""One record, one line of JSON, whatever is in it."""

import errno
import json
import logging
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime import Model
from runtime.service import app
from runtime.service.logs import Formatter, Line, Writer, failure

from ..asgi import post
from ..conftest import ROW

NASTY = 'a\nb\r\nc\x00\x1b[31m\x7f\x85\u2028\u2029"\\\ud800{"event":"request"}\n'


def line(number: int = 1) -> Line:
    """A request's line."""
    return Line(datetime(2026, 11, 22, tzinfo=UTC), f"r{number}", "POST", "/predict", 200, 0.123, "m", "v", 1)


def test_a_line_of_a_request() -> None:
    assert msgspec.json.decode(msgspec.json.encode(line())) == {
        "event": "request",
        "time": "2026-11-22T00:00:00Z",
        "request_id": "r1",
        "method": "POST",
        "route": "/predict",
        "status": 200,
        "ms": 0.123,
        "model": "m",
        "version": "v",
        "rows": 1,
        "level": "info",
    }


def record(message: str, *args: object, error: Any = None) -> logging.LogRecord:
    """A record of the standard library's logging."""
    return logging.LogRecord("some.logger", logging.WARNING, __file__, 1, message, args, error)


@pytest.mark.parametrize("text", ["plain", NASTY])
def test_a_record_is_one_line_of_ascii(text: str) -> None:
    found = Formatter().format(record("said %s", text))
    assert found.isascii()
    assert len(found.splitlines()) == 1
    decoded = json.loads(found)
    assert decoded["event"] == "log"
    assert decoded["level"] == "warning"
    assert decoded["logger"] == "some.logger"
    assert decoded["message"].startswith("said ")
    assert len(decoded["message"].split("\u2028")) == 1
    datetime.fromisoformat(decoded["time"])


def test_an_exception_is_told_by_its_kind_and_place_alone() -> None:
    def inner(secret: str) -> None:
        raise ValueError(secret)

    with pytest.raises(ValueError) as caught:
        inner(NASTY)
    info = (caught.type, caught.value, caught.tb)
    found = json.loads(Formatter().format(record("failed", error=info)))
    assert found["error"].startswith("ValueError at test_logs.py:")
    assert " inner < test_logs.py:" in found["error"]
    assert "event" not in found["error"]
    assert os.sep not in found["error"]
    assert failure(caught.value) == found["error"]


def read(descriptor: int) -> list[Any]:
    """The lines that were written, decoded, once the other end is closed."""
    with os.fdopen(descriptor, "rb") as file:
        return [json.loads(line) for line in file.read().split(b"\n")[:-1]]


def test_lines_are_written_in_order() -> None:
    reader, writer = os.pipe()
    log = Writer(writer)
    handler = logging.StreamHandler(log)
    handler.setFormatter(Formatter())
    for number in range(100):
        log(line(number))
    handler.handle(record("between %s", NASTY))
    log(line(100))
    log.close()
    os.close(writer)
    found = read(reader)
    assert [entry.get("request_id", "log") for entry in found] == [*(f"r{n}" for n in range(100)), "log", "r100"]


def test_lines_come_out_without_being_asked_for() -> None:
    reader, writer = os.pipe()
    log = Writer(writer)
    log(line(1))
    assert json.loads(os.read(reader, 4096))["request_id"] == "r1"  # waits for the writer's thread
    log(line(2))
    assert json.loads(os.read(reader, 4096))["request_id"] == "r2"
    log.close()
    os.close(writer)
    os.close(reader)


def test_a_reader_that_stalls_stops_nobody() -> None:
    reader, writer = os.pipe()
    log = Writer(writer, limit=1000)
    for number in range(100_000):  # far more than a pipe holds
        log(line(number))
    content: list[bytes] = []

    def drain() -> None:
        while part := os.read(reader, 65536):
            content.append(part)

    late = threading.Thread(target=drain)
    late.start()
    log.close()
    os.close(writer)
    late.join()
    os.close(reader)
    found = [json.loads(text) for text in b"".join(content).split(b"\n")[:-1]]
    dropped = sum(entry["lines"] for entry in found if entry["event"] == "dropped")
    assert dropped > 0
    assert dropped + sum(entry["event"] == "request" for entry in found) == 100_000


def test_a_log_that_nobody_reads_any_more() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    log = Writer(writer)
    log(line())
    log.close()
    os.close(writer)


def test_a_disk_that_is_full_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was lost is counted, and what comes afterwards begins a line of its own."""
    file = tmp_path / "log"
    room: int | None = 1000
    write = os.write
    full = threading.Event()

    def limited(descriptor: int, text: bytes) -> int:
        if room is None:
            return write(descriptor, text)
        left = room - file.stat().st_size
        if left <= 0:
            full.set()
            raise OSError(errno.ENOSPC, "no space")
        return write(descriptor, bytes(text)[:left])

    monkeypatch.setattr("runtime.service.logs.os.write", limited)
    with file.open("wb") as opened:
        log = Writer(opened.fileno())
        for number in range(50):
            log(line(number))
        assert full.wait(20)
        full.clear()
        log(line(50))
        assert full.wait(20)
        room = None
        log(line(51))
        log.close()
    whole: list[dict[str, Any]] = []
    torn = 0
    for text in file.read_bytes().splitlines():
        try:
            whole.append(json.loads(text))
        except ValueError:
            torn += 1
    dropped = sum(entry["lines"] for entry in whole if entry["event"] == "dropped")
    assert torn == 1
    assert dropped + sum(entry["event"] == "request" for entry in whole) == 52
    assert dropped > 40


def test_inside_another_application_requests_go_to_its_logging(
    flights: Model, caplog: pytest.LogCaptureFixture
) -> None:
    service = app(flights)
    with caplog.at_level(logging.WARNING, "pipetwin.access"):
        post(service, "/predict", ROW)
    assert caplog.records == []
    with caplog.at_level(logging.INFO, "pipetwin.access"):
        post(service, "/predict", ROW, headers={"x-request-id": "r-9"})
    (found,) = caplog.records
    assert json.loads(found.getMessage())["request_id"] == "r-9"
