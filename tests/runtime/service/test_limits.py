"""Clients that are slow, on a real server: each is let go at its deadline, and nobody else notices."""

import selectors
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

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


@pytest.mark.parametrize("words", [("--connections", "0"), ("--body-seconds", "-1"), ("--header-seconds", "nan")])
def test_limits_that_are_none(root: Path, words: tuple[str, str]) -> None:
    assert words[0] in refused(str(root), *words)
