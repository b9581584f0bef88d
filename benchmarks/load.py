"""Requests over loopback, in a closed loop: by wrk where it is on PATH, else by a client of our own."""

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from time import perf_counter_ns
from typing import NamedTuple, cast

import numpy as np

from .errors import FailedError
from .statistics import Nanoseconds

__all__ = ["JSON", "Alone", "Answered", "Headers", "alone", "generator", "headed", "post", "request_of", "whole"]

Headers = Mapping[str, str]

JSON: Headers = {"Content-Type": "application/json"}


class Answered(NamedTuple):
    """What a spell of load came to.

    times: of the requests that were answered with status 200. wrk corrects them for coordinated omission, and adds
        some then.
    requests: how many were answered.
    failed: those of them that had another status.
    """

    times: Nanoseconds
    requests: int
    failed: int


def generator() -> str:
    """Which load generator is used here."""
    return "wrk" if shutil.which("wrk") else "asyncio client"


def post(
    port: int, path: str, bodies: Sequence[bytes], connections: int, seconds: float, headers: Sequence[Headers] = ()
) -> Answered:
    """POST the bodies in turn over that many connections, each with one request under way, for that long.

    headers: of each body; none for bodies that are JSON.
    Raises FailedError where nothing was answered.
    """
    requests = [request_of(path, body, its) for body, its in headed(bodies, headers)]
    wrk = shutil.which("wrk")
    send = _wrk(wrk, requests) if wrk else _ours(requests)
    answered = send(port, connections, seconds)
    if answered.requests <= answered.failed or not len(answered.times):
        raise FailedError(f"expected answers with status 200, found none and {answered.failed} failures")
    return answered


class Alone(NamedTuple):
    """What one connection, one request at a time, came to.

    net: the times without those in which server and client waited for a processor that another process had.
    """

    times: Nanoseconds
    net: Nanoseconds
    failed: int


def alone(
    port: int,
    path: str,
    bodies: Sequence[bytes],
    seconds: float,
    waiting: Callable[[], int],
    headers: Sequence[Headers] = (),
) -> Alone:
    """POST the bodies in turn over one connection, for that long.

    waiting: nanoseconds that server and client have waited so far; asked between requests, never within one.
    headers: as in ``post``.
    Raises FailedError where nothing was answered.
    """
    requests = [request_of(path, body, its) for body, its in headed(bodies, headers)]
    times: list[int] = []
    waits: list[int] = []
    failed = 0
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            until = perf_counter_ns() + int(seconds * 1e9)
            waited = waiting()
            for request in cycle(requests):
                before = perf_counter_ns()
                connection.sendall(request)
                right = _receive(connection).startswith(b"HTTP/1.1 200 ")
                after = perf_counter_ns()
                now = waiting()
                if right:
                    times.append(after - before)
                    waits.append(now - waited)
                failed += not right
                waited = now
                if after > until:
                    break
    except OSError as error:
        raise FailedError(f"expected an answer on port {port}, found: {error}") from error
    if not times:
        raise FailedError(f"expected answers with status 200, found none and {failed} failures")
    measured = np.array(times, np.int64)
    return Alone(measured, np.maximum(measured - np.array(waits, np.int64), 1), failed)


def _receive(connection: socket.socket) -> bytes:
    """One whole answer."""
    answer = connection.recv(65536)
    while not whole(answer):
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("the connection was closed")
        answer += more
    return answer


def request_of(path: str, body: bytes, headers: Headers = JSON) -> bytes:
    """A POST of a body as it is sent."""
    said = {"Host": "localhost", **headers, "Content-Length": str(len(body))}
    head = "\r\n".join([f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())])
    return head.encode() + b"\r\n\r\n" + body


def headed(bodies: Sequence[bytes], headers: Sequence[Headers]) -> Iterator[tuple[bytes, Headers]]:
    """Each body with its headers; where none are given, with those of JSON."""
    return zip(bodies, headers or [JSON] * len(bodies), strict=True)


# --- wrk -------------------------------------------------------------------------------------------------------------

SCRIPT = """
local requests = {}
local at = 0
function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  local whole = file:read("*a")
  file:close()
  local from = 1
  while from <= #whole do
    local digits = whole:sub(from, from + 7)
    requests[#requests + 1] = whole:sub(from + 8, from + 7 + tonumber(digits))
    from = from + 8 + tonumber(digits)
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local counts = {}
  for index = 1, #latency do
    local value, count = latency(index)
    counts[index] = string.format("[%d,%d]", value, count)
  end
  local e = summary.errors
  print(string.format('{"requests":%d,"failed":%d,"dropped":%d,"counts":[%s]}',
    summary.requests, e.status, e.connect + e.read + e.write + e.timeout, table.concat(counts, ",")))
end
"""


class _wrk:  # noqa: N801 (called like the function that it stands for)
    """wrk counts in microseconds and gives every count, so that nothing is lost to percentiles of its own."""

    def __init__(self, program: str, requests: Sequence[bytes]) -> None:
        self._program = program
        self._requests = b"".join(b"%08d%s" % (len(request), request) for request in requests)

    def __call__(self, port: int, connections: int, seconds: float) -> Answered:
        # wrk knows whole seconds only: it is interrupted after the fraction, and then reports as if it had ended.
        with tempfile.TemporaryDirectory() as folder:
            script, requests = Path(folder, "load.lua"), Path(folder, "requests")
            script.write_text(SCRIPT)
            requests.write_bytes(self._requests)
            command = [self._program, "-t1", f"-c{connections}", f"-d{int(seconds) + 60}s", "--timeout", "60s"]
            process = subprocess.Popen(
                [*command, "-s", str(script), f"http://127.0.0.1:{port}", "--", str(requests)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            try:
                said, wrong = process.communicate(timeout=60)
            except subprocess.TimeoutExpired as error:
                process.kill()
                process.communicate()
                raise FailedError("expected wrk to end, found that it did not") from error
        last = said.strip().splitlines()[-1:] or [""]
        if process.returncode or not last[0].startswith("{"):
            raise FailedError(f"expected counts from wrk, found: {(wrong or last[0]).strip()[-200:]}")
        found = json.loads(last[0])
        if found["dropped"]:
            raise FailedError(f"expected every connection to hold, found {found['dropped']} errors of sockets")
        values, counts = np.array(found["counts"] or [[0, 0]], np.int64).T
        return Answered(np.repeat(values * 1000, counts), found["requests"], found["failed"])


# --- our own ---------------------------------------------------------------------------------------------------------


class _ours:  # noqa: N801
    """A client that does little more than read Content-Length, so that the server is what is measured."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests = requests

    def __call__(self, port: int, connections: int, seconds: float) -> Answered:
        try:
            import uvloop
        except ModuleNotFoundError:
            return asyncio.run(self._load(port, connections, seconds))
        return cast("Answered", uvloop.run(self._load(port, connections, seconds)))

    async def _load(self, port: int, connections: int, seconds: float) -> Answered:
        loop = asyncio.get_running_loop()
        until = perf_counter_ns() + int(seconds * 1e9)
        clients = []
        try:
            for index in range(connections):
                start = index * len(self._requests) // connections
                turned = [*self._requests[start:], *self._requests[:start]]
                client = _Client(turned, until, loop.create_future())
                await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
                clients.append(client)
        except OSError as error:
            raise FailedError(f"expected to connect to port {port}, found: {error.strerror}") from error
        try:
            async with asyncio.timeout(seconds + 60):
                await asyncio.gather(*(client.ended for client in clients))
        except TimeoutError as error:
            raise FailedError("expected every request to be answered, found one that was not") from error
        times = np.array([time for client in clients for time in client.times], np.int64)
        failed = sum(client.failed for client in clients)
        return Answered(times, len(times) + failed, failed)


class _Client(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last is in."""

    def __init__(self, requests: Sequence[bytes], until: int, ended: "asyncio.Future[None]") -> None:
        self.times: list[int] = []
        self.failed = 0
        self.ended = ended
        self._requests, self._until = requests, until
        self._next = 0
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        request = self._requests[self._next % len(self._requests)]
        self._next += 1
        self._sent = perf_counter_ns()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        answer = self._rest + data if self._rest else data
        if not whole(answer):
            self._rest = answer
            return
        now = perf_counter_ns()
        self._rest = b""
        if answer.startswith(b"HTTP/1.1 200 "):
            self.times.append(now - self._sent)
        else:
            self.failed += 1
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exception: Exception | None) -> None:
        if not self.ended.done():
            if exception is None and perf_counter_ns() >= self._until:
                self.ended.set_result(None)
            else:
                self.ended.set_exception(FailedError("expected every connection to hold, found one that was closed"))


def whole(answer: bytes) -> bool:
    """Whether all of an answer is here: by its length, or where it comes in chunks, by the last of them."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[:end].lower()
    if (place := head.find(b"content-length:")) >= 0:
        return len(answer) >= end + 4 + int(head[place + 15 :].split(b"\r\n", 1)[0])
    return b"transfer-encoding: chunked" not in head or answer.endswith(b"\r\n0\r\n\r\n")
