"""The open loop: when requests are due, and what they have waited."""

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from benchmarks.errors import FailedError
from benchmarks.load import request_of
from benchmarks.open_loop import arrivals, offer
from tests.benchmarks.test_load import server

REQUESTS = [request_of("/predict", body) for body in (b"a", b"bb", b"ccc")]


def test_arrivals_are_as_many_as_the_rate_says_and_the_same_for_a_seed() -> None:
    """Each whenever it likes: gaps vary as much as they last."""
    due = arrivals(5_000, 2, 7)
    gaps = np.diff(due)
    assert len(due) == pytest.approx(10_000, rel=0.05)
    assert (gaps >= 0).all()
    assert 0 <= due[0] < due[-1] < 2e9
    assert np.std(gaps) == pytest.approx(np.mean(gaps), rel=0.1)
    assert (due == arrivals(5_000, 2, 7)).all()
    assert len(due) != len(arrivals(5_000, 2, 8)) or (due != arrivals(5_000, 2, 8)).any()


def test_every_request_is_sent_and_its_answer_counted() -> None:
    """In turn; another status than 200 is a failure and no latency."""
    with server() as (port, seen):
        found = offer(port, REQUESTS, arrivals(300, 0.2, 0))
        refused = offer(port, [request_of("/predict", b"no")], np.zeros(3, np.int64))
    assert len(found.times) + 3 == len(seen)
    assert {b"a", b"bb", b"ccc", b"no"} == set(seen)
    assert (found.times > 0).all()
    assert (len(refused.times), refused.failed) == (0, 3)


@contextmanager
def answering(answer: Callable[[list[socket.socket]], None], connections: int) -> Iterator[int]:
    """A server that does something to so many connections when each has asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            asked: list[socket.socket] = []
            every: list[socket.socket] = []
            while len(asked) < connections:
                for ready in select.select([listener, *every], [], [], 30)[0]:
                    if ready is listener:
                        every.append(listener.accept()[0])
                    elif ready.recv(4096):
                        asked.append(ready)
            answer(asked)
            for connection in every:
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def test_who_comes_while_the_server_is_busy_has_waited() -> None:
    """A server that answers nobody until the last has asked: a client that waits for its answer would have asked once.
    Each has waited since it was due, so at least as long as the last came after it."""
    due = np.arange(20, dtype=np.int64) * 5_000_000

    def answer(asked: list[socket.socket]) -> None:
        for connection in asked:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with answering(answer, len(due)) as port:
        found = offer(port, REQUESTS, due)
    assert len(found.times) == len(due)
    assert (np.sort(found.times) >= np.sort(due[-1] - due)).all()


def test_a_connection_that_is_closed_is_a_failure() -> None:
    """And so is nobody at the port."""
    with answering(lambda asked: None, 1) as port, pytest.raises(FailedError, match="found one that was closed"):
        offer(port, REQUESTS, np.zeros(1, np.int64))
    with pytest.raises(FailedError, match="expected an answer on port"):
        offer(port, REQUESTS, np.zeros(1, np.int64))
