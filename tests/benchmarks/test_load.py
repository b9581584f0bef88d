"""The load and the servers: what is counted, with servers that answer and servers that do not."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import load, served
from benchmarks.errors import FailedError, WrongAnswerError
from benchmarks.processes import Server, answers, free_port, pss_mb, run_seconds, serving, spent, waiting


class Handler(BaseHTTPRequestHandler):
    """Gives the body back; status 503 for ``no``, and for ``own`` the headers."""

    protocol_version = "HTTP/1.1"
    seen: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if body == b"own":
            body = f"{self.headers['content-type']} {self.headers['x-own']}".encode()
        self.seen.append(body)
        self.send_response(503 if body == b"no" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def server() -> Iterator[tuple[int, list[bytes]]]:
    seen: list[bytes] = []
    handler = type("Noting", (Handler,), {"seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield listening.server_port, seen
        listening.shutdown()
        thread.join()


@pytest.fixture(params=["ours", "wrk"])
def generator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each load generator; wrk where it is there."""
    if request.param == "ours":
        monkeypatch.setattr("shutil.which", lambda name: None)
    elif load.generator() != "wrk":
        pytest.skip("wrk is not on PATH")
    return str(request.param)


def test_every_body_is_sent_and_every_answer_counted(generator: str) -> None:
    """By each connection in turn."""
    with server() as (port, seen):
        found = load.post(port, "/predict", [b"a", b"bb", b"ccc"], 3, 0.3)
    assert {b"a", b"bb", b"ccc"} == set(seen)
    assert found.failed == 0
    assert 0 <= len(seen) - found.requests <= 3
    assert (found.times > 0).all()


def test_answers_with_another_status_are_failures_and_no_latencies(generator: str) -> None:
    """A fast refusal is no fast answer."""
    with server() as (port, _):
        mixed = load.post(port, "/predict", [b"yes", b"no"], 2, 0.3)
        assert 0 < mixed.failed < mixed.requests
        with pytest.raises(FailedError, match="expected answers with status 200, found none"):
            load.post(port, "/predict", [b"no"], 2, 0.2)


def test_nobody_at_the_port_is_a_failure(generator: str) -> None:
    """And not a row of zeros."""
    with pytest.raises(FailedError):
        load.post(free_port(), "/predict", [b"a"], 1, 0.2)
    with pytest.raises(FailedError):
        load.alone(free_port(), "/predict", [b"a"], 0.2, lambda: 0)


def test_bodies_have_headers_of_their_own(generator: str) -> None:
    """In place of those of JSON, whoever sends them."""
    headers = [{"Content-Type": "text/plain", "X-Own": word} for word in ("one", "two")]
    with server() as (port, seen):
        load.post(port, "/predict", [b"own", b"own"], 1, 0.2, headers)
        load.alone(port, "/predict", [b"own"], 0.05, lambda: 0, headers[:1])
        assert list(answers(Server(0, port, "/predict", 0.0), [b"own"], headers[1:])) == [b"text/plain two"]
    assert {b"text/plain one", b"text/plain two"} == set(seen)


def test_waiting_is_taken_off_one_request_at_a_time() -> None:
    """As the counter says, and never below a nanosecond."""
    ticks = iter(range(0, 10**15, 1000))
    with server() as (port, _):
        found = load.alone(port, "/predict", [b"a", b"no"], 0.1, lambda: next(ticks))
        endless = load.alone(port, "/predict", [b"a"], 0.05, lambda: next(ticks) * 10**9)
    assert found.failed in {len(found.times), len(found.times) - 1}
    assert np.array_equal(found.times - found.net, np.full(len(found.times), 1000))
    assert (endless.net == 1).all()


def test_a_connection_that_is_closed_is_a_failure() -> None:
    """In the middle of an answer."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(FailedError, match="found: the connection was closed"):
            load.alone(listener.getsockname()[1], "/", [b"a"], 5, lambda: 0)
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
    ],
)
def test_an_answer_is_whole_with_its_last_byte(answer: bytes) -> None:
    """And not before: what comes late would be taken for the next one."""
    assert [end for end in range(len(answer) + 1) if load.whole(answer[:end])] == [len(answer)]


def test_the_processor_time_of_children_counts() -> None:
    """A worker's is the server's, for as long as it lives."""
    work = "sum(range(30_000_000))"
    parent = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work + '; print(1, flush=True); input()'!r}])"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the child has done its work
        alone = sum(
            int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{process.pid}/task").iterdir()
        )
        assert spent(process.pid).ran > 2 * alone
        process.communicate(b"\n")


def right(answer: bytes) -> None:
    if answer != b"body":
        raise WrongAnswerError("expected the body")


def test_the_echo_is_started_asked_accounted_for_and_ended() -> None:
    """Its processor time grows with what it is asked, and nothing of it stays."""
    with serving(served.echo, "/", b"body", right) as echo:
        before = spent(echo.pid)
        assert list(answers(echo, [b"a", b"b"])) == [b"a", b"b"]
        load.post(echo.port, "/", [b"body"], 2, 0.2)
        after = spent(echo.pid)
        assert after.ran > before.ran
        assert after.waited >= before.waited
        assert pss_mb(echo.pid) > 1
        with waiting(echo.pid) as wait:
            assert wait() >= 0
        assert echo.seconds > 0
    assert not Path(f"/proc/{echo.pid}").exists()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import sys; sys.exit('no such model')", "ended with exit code 1; the last it wrote: no such model"),
        ("import time; time.sleep(60)", "expected an answer from / in time"),
    ],
)
def test_a_server_that_does_not_come_up_is_a_failure(code: str, sentence: str) -> None:
    """With the last line that it wrote."""
    with (
        pytest.raises(FailedError, match=sentence),
        serving(lambda port: [sys.executable, "-c", code], "/", b"body", right, within=2),
    ):
        pytest.fail("it did come up")


def test_a_server_that_answers_wrongly_is_not_measured() -> None:
    """However fast."""
    with pytest.raises(WrongAnswerError), serving(served.echo, "/", b"another", right):
        pytest.fail("it was taken for right")


def test_a_command_that_fails_took_no_time() -> None:
    """It is a failure."""
    with pytest.raises(FailedError, match=r"found 1: .*no such module"):
        run_seconds([sys.executable, "-c", "raise SystemExit('no such module')"])
    assert run_seconds([sys.executable, "-c", ""]) > 0
