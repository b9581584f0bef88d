"""Clients that are slow, on a real server: each is let go at its deadline, and nobody else notices."""

import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from ...stress.service import until
from ..test_main import DEADLINE, refused, serving

STALLED = {
    "nothing": b"",
    "half a header": b"POST /predict HTTP/1.1\r\nhost: x\r\nx-long: ",
    "half a body": b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
    "half a chunk": b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{",
}


def test_stalled_connections_are_closed_while_others_are_answered(root: Path) -> None:
    words = (str(root / "twice"), "--header-seconds", "1", "--body-seconds", "1", "--access-log", "false")
    with serving(*words) as (_, client), ExitStack() as opened, selectors.DefaultSelector() as selector:
        assert client.base_url.port is not None
        start = time.monotonic()
        for index in range(200):
            stalled = opened.enter_context(socket.create_connection(("127.0.0.1", client.base_url.port), DEADLINE))
            stalled.sendall(list(STALLED.values())[index % len(STALLED)])
            selector.register(stalled, selectors.EVENT_READ, index)
        begun = time.monotonic()
        answers: dict[int, bytes] = {}
        while selector.get_map():
            assert time.monotonic() < start + DEADLINE
            assert client.post("/predict", json={"x": 1, "y": 2}).status_code == 200
            for key, _events in selector.select(0.01):
                assert isinstance(key.fileobj, socket.socket)
                try:
                    part = key.fileobj.recv(65536)
                except ConnectionResetError:  # closed while we wrote
                    part = b""
                answers[key.data] = answers.get(key.data, b"") + part
                if not part:
                    selector.unregister(key.fileobj)
            for key in list(selector.get_map().values()):  # a byte now and then buys no time
                assert isinstance(key.fileobj, socket.socket)
                if key.data % len(STALLED) == 1:
                    try:
                        key.fileobj.send(b"a")
                    except OSError:
                        selector.unregister(key.fileobj)
        assert time.monotonic() - start >= 1
        assert time.monotonic() - begun < 8  # the default deadline is later
        assert sum(answer.startswith(b"HTTP/1.1 408 ") for answer in answers.values()) >= 150


def test_a_connection_that_is_reused_is_not_late(root: Path) -> None:
    words = (str(root / "twice"), "--header-seconds", "0.2", "--body-seconds", "0.2")
    with serving(*words) as (_, client):
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert client.post("/predict", json={"x": 1, "y": 2}).status_code == 200
        content = iter([b'{"x": 1,', b'"y": 2}'])
        assert client.post("/predict", content=content).status_code == 200


def test_connections_beyond_the_limit_are_told_to_come_back(root: Path) -> None:
    with serving(str(root / "twice"), "--connections", "3") as (_, client), ExitStack() as opened:
        url = str(client.base_url)
        for _ in range(3):
            mine = opened.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=DEADLINE))
            last = mine.get("/health")
        assert last.status_code in (200, 503)
        answer = httpx.get(f"{url}/health", trust_env=False, timeout=DEADLINE)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        client.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux gives such connections up by itself")
def test_a_client_that_does_not_read_its_answer_is_let_go(root: Path) -> None:
    """Else its answer would stay in memory, and its connection would be one of those that there may be."""
    rows = json.dumps([{"x": 0.1 + step, "y": 0.7} for step in range(100_000)]).encode()
    words = (str(root / "costs"), "--body-seconds", "1", "--connections", "1", "--access-log", "false")
    with serving(*words) as (_, client), socket.socket() as deaf:
        assert client.base_url.port is not None
        client.close()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(DEADLINE)
        deaf.connect(("127.0.0.1", client.base_url.port))
        deaf.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(rows) + rows)
        assert deaf.recv(12) == b"HTTP/1.1 200"
        url = f"{client.base_url}/health"
        assert httpx.get(url, trust_env=False, timeout=DEADLINE).status_code == 503
        until(lambda: httpx.get(url, trust_env=False, timeout=DEADLINE).status_code == 200)


def exchange(port: int, request: bytes, *, pieces: int = 1) -> tuple[int, bytes]:
    """(status, everything after the status line) of one request, sent in so many pieces."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        size = -(-len(request) // pieces)
        for start in range(0, len(request), size):
            connection.sendall(request[start : start + size])
            time.sleep(0.002)  # so that the server reads each piece by itself; it must answer alike if it does not
        answer = b""
        while part := connection.recv(65536):
            answer += part
    line, _, rest = answer.partition(b"\r\n")
    return int(line.split()[1]), rest


@pytest.mark.parametrize("path", ["/predict", "/invocations", "/health", "/nowhere"])
@pytest.mark.parametrize("pieces", [1, 7])
def test_headers_are_limited_exactly(bounded: int, path: str, pieces: int) -> None:
    body = b'{"x": 1, "y": 2}' if path == "/predict" else b"[[1, 2]]"
    method, fine = (b"GET", 200) if path == "/health" else (b"POST", 404 if path == "/nowhere" else 200)
    fields = [b"host: x", b"connection: close", b"content-length: %d" % len(body)]
    size = len(path) + sum(len(field) + 2 for field in fields)
    for more, status in ((1000 - size, fine), (1001 - size, 431), (1100 - size, 431)):
        long = b"x-long: ".ljust(more - 2, b"a")
        head = b"\r\n".join([b"%s %s HTTP/1.1" % (method, path.encode()), *fields, long]) + b"\r\n\r\n"
        found, rest = exchange(bounded, head + body, pieces=pieces)
        assert found == status
        if status == 431:
            assert b"expected a target and headers of at most 1000 bytes, found larger ones" in rest


def test_a_long_target_and_many_headers_are_headers_too(bounded: int) -> None:
    for head in (b"GET /health?" + b"a" * 20_000 + b" HTTP/1.1\r\n", b"GET /health HTTP/1.1\r\n" + b"a: b\r\n" * 200):
        assert exchange(bounded, head + b"host: x\r\nconnection: close\r\n\r\n")[0] == 431


def test_headers_without_end_are_not_kept(bounded: int) -> None:
    with socket.create_connection(("127.0.0.1", bounded), DEADLINE) as connection:
        sent = 0
        connection.sendall(b"GET /health HTTP/1.1\r\nx-long: ")
        try:
            while sent < 10**8:
                sent += connection.send(b"a" * 10_000)
        except OSError:
            pass
        assert sent < 10**8


def test_a_large_body_before_the_next_headers_is_no_header(bounded: int) -> None:
    body = b'{"x": 1, "y": 2}'.ljust(5000)
    one = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n" % len(body)
    requests = one + b"\r\n" + body + one + b"connection: close\r\n\r\n" + body
    for pieces in (1, 2, 3, 10):
        status, rest = exchange(bounded, requests, pieces=pieces)
        assert status == 200
        assert rest.count(b'"output":[2.0,4.0]') == 2


@pytest.fixture(scope="module")
def bounded(root: Path) -> Iterator[int]:
    """The port of a service whose headers have 1000 bytes at most."""
    with serving(str(root / "twice"), "--header-limit", "1000") as (_, client):
        assert client.base_url.port is not None
        yield client.base_url.port


def test_requests_beyond_the_limit_are_told_to_come_back_in_every_dialect(root: Path) -> None:
    """Requests that arrive together while one may be at work: the rest is refused, though health is not."""
    bodies = {
        "/predict": (b'{"x": 1, "y": 2}', b'"status":503'),
        "/v1/models/twice:predict": (b'{"instances": [[1, 2]]}', b'{"error":"expected at most 1 requests'),
        "/invocations": (b"[[1, 2]]", b'"error_code":"TEMPORARILY_UNAVAILABLE"'),
    }
    with serving(str(root / "twice"), "--requests", "1") as (server, client), ExitStack() as opened:
        assert client.base_url.port is not None
        asked = [*bodies] * 10 + ["/v2/health/live"] * 5
        connections = []
        for _ in asked:
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", client.base_url.port), DEADLINE))
            connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            connections.append(connection)
        os.kill(server.process.pid, signal.SIGSTOP)
        os.waitpid(server.process.pid, os.WUNTRACED)  # all of it arrives before any is looked at
        for path, connection in zip(asked, connections, strict=True):
            body, method = (bodies[path][0], "POST") if path in bodies else (b"", "GET")
            head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
        os.kill(server.process.pid, signal.SIGCONT)
        statuses = []
        for path, connection in zip(asked, connections, strict=True):
            answer = b""
            while part := connection.recv(65536):
                answer += part
            statuses.append(int(answer.split()[1]))
            if statuses[-1] == 503:
                assert b"\r\nretry-after: 1\r\n" in answer
                assert bodies[path][1] in answer
        assert set(statuses) == {200, 503}
        assert statuses[-5:] == [200] * 5
        counted = client.get("/metrics").text
        assert f'{{error_type="overloaded",model="twice"}} {statuses.count(503)}.0' in counted


def test_bodies_that_are_on_their_way_are_no_load(root: Path) -> None:
    with serving(str(root / "twice"), "--requests", "1") as (_, client), ExitStack() as opened:
        assert client.base_url.port is not None
        for _ in range(20):
            stalled = opened.enter_context(socket.create_connection(("127.0.0.1", client.base_url.port), DEADLINE))
            stalled.sendall(STALLED["half a body"])
        for _ in range(20):
            assert client.post("/predict", json={"x": 1, "y": 2}).status_code == 200


@pytest.mark.parametrize(
    "words",
    [
        ("--requests", "0"),
        ("--header-limit", "x"),
        ("--connections", "0"),
        ("--body-seconds", "-1"),
        ("--header-seconds", "nan"),
    ],
)
def test_limits_that_are_none(root: Path, words: tuple[str, str]) -> None:
    assert words[0] in refused(str(root), *words)
