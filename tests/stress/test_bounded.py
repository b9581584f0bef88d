"""The checks of what is bounded fire on planted faults."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ..runtime.test_main import serving
from . import fuzz, open_loop, oracle, overload, stalled
from .fuzz import Asked
from .open_loop import Sample
from .overload import Round
from .stalled import Stall

HEAD = b"http/1.1 503 service unavailable\r\nretry-after: 1"


def answered(count: int, took: float, status: int = 200, *, start: float = 0.0, head: bytes = HEAD) -> list[Sample]:
    """Answers to requests that were sent one a hundredth of a second."""
    return [Sample(start + n / 100, start + n / 100, start + n / 100 + took, status, head) for n in range(count)]


def measured(**changes: Any) -> Round:
    """A round in which everything is as it must be, but for some changes."""
    good = Round(
        alone=100.0,
        capacity=100.0,
        before=answered(50, 0.01),
        at_80=answered(100, 0.1),
        at_10x=[*answered(200, 0.15), *answered(500, 0.002, 503)],
        after=answered(50, 0.01),
    )
    return good._replace(**changes)


def test_a_good_round_has_no_fault() -> None:
    assert overload.faults([measured()] * 3) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"at_80": answered(100, 0.06)}, "waited 2.5 times what it waits at 80 % load"),
        ({"capacity": 150.0}, "of capacity was served at ten times capacity, expected 90%"),
        ({"at_10x": [*answered(200, 0.15), *answered(500, 0.03, 503)]}, "knew it after 30 ms, expected 20"),
        ({"at_10x": [*answered(200, 0.15), *answered(500, 0.002, 503, head=b"http/1.1 503")]}, "without Retry-After"),
        ({"after": answered(50, 0.03)}, "took 3.0 times what it took before"),
        ({"at_10x": [*answered(200, 0.15), *answered(500, 0.002, 500)]}, "expected answers 200 and 503, found"),
        ({"before": answered(1, 1.0, 0)}, "(0: none)"),
        ({"at_10x": answered(200, 0.15)}, "found 0: nothing can be said of them"),
    ],
)
def test_each_fault_of_overload_is_found(changes: Any, sentence: str) -> None:
    assert any(sentence in fault for fault in overload.faults([measured(**changes)] * 3))


def test_one_bad_round_of_three_is_noise() -> None:
    assert overload.faults([measured(), measured(after=answered(50, 0.1)), measured()]) == []


@pytest.mark.slow
def test_a_queue_without_bound_is_found(tmp_path: Path) -> None:
    rounds = overload.measured(1, tmp_path, "--queue", "1000000", "--requests", "1000000", load=4.0, seconds=1.0)
    found = " ".join(overload.faults(rounds))
    assert "times what it waits at 80 % load" in found
    assert "found 0: nothing can be said of them" in found  # nobody was refused


def test_load_comes_when_it_is_due_and_not_when_the_server_is_ready(tmp_path: Path) -> None:
    oracle.write(tmp_path / "m", 1)
    with serving(str(tmp_path), "--access-log", "false") as (_, client):
        assert client.base_url.port is not None
        seen = open_loop.offered(client.base_url.port, overload.ASKED, 200.0, 0.5, seed=3)
        again = open_loop.offered(client.base_url.port, overload.ASKED, 200.0, 0.5, seed=3)
        assert {sample.status for sample in seen} == {200}
        assert 50 < len(seen) == len(again)
        spans = [[sample.due - part[0].due for sample in part] for part in (seen, again)]
        assert spans[0] == pytest.approx(spans[1], abs=1e-6)
    assert {sample.status for sample in open_loop.offered(client.base_url.port, overload.ASKED, 100.0, 0.1, 1)} == {0}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            bad = not isinstance(json.loads(body), dict | list)
        except ValueError:
            bad = True
        self._answer(500 if b"null" in body else 422 if bad else 200)

    def do_GET(self) -> None:
        self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def failing() -> Iterator[int]:
    """A server that answers 500 to null; its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        path: {
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"type": ["object", "null"], "maxProperties": 1}}},
                },
                "responses": {"200": {"description": "yes"}},
            }
        }
        for path in ("/a", "/b")
    },
}


def test_a_5xx_is_found() -> None:
    with failing() as port:
        seen = fuzz.asked(DOCUMENT, port, 60)
    assert {one.target.partition("?")[0] for one in seen} == {"/a", "/b"}
    assert len(seen) >= 60
    found = fuzz.faults(seen, 60)
    assert any(fault.endswith("was answered with 500") for fault in found)


def test_a_run_that_tried_too_little_is_found() -> None:
    good, bad = Asked("POST", "/predict", b"{}", 200), Asked("POST", "/predict", b"{", 400)
    assert fuzz.faults([good, bad] * 5, 10) == []
    assert fuzz.faults([good, bad] * 5, 11) == ["expected 11 requests, made 10"]
    (fault,) = fuzz.faults([bad] * 10, 10)
    assert fault == "0% of the requests were good ones, expected 10%: too little was tried"
    (fault,) = fuzz.faults([good] * 10, 10)
    assert fault == "0% of the requests were bad ones, expected 10%: too little was tried"


def test_a_connection_that_is_never_let_go_is_found(tmp_path: Path) -> None:
    oracle.write(tmp_path / "m", 1)
    with serving(str(tmp_path), "--access-log", "false", "--header-seconds", "1", "--body-seconds", "60") as (
        _,
        client,
    ):
        assert client.base_url.port is not None
        stall = stalled.watched(client.base_url.port, 8, patience=3.0)
    assert "4 of 8 connections that stalled were never closed" in stalled.faults(stall, 8)
    assert any("before their deadline" in fault for fault in stalled.faults(stall, 8))


def test_others_that_are_not_answered_meanwhile_are_found() -> None:
    closed = dict.fromkeys(range(4), stalled.SECONDS)
    assert stalled.faults(Stall(4, closed, [200] * 5), 4) == []
    assert stalled.faults(Stall(4, closed, [200, 503]), 4) == ["1 of 2 good requests were not answered meanwhile"]
    assert stalled.faults(Stall(4, closed, []), 4) == ["0 of 0 good requests were not answered meanwhile"]
