"""Requests at paths that nobody can foresee: each is answered with 404, and no series comes into being."""

import random
import socket
import string
from pathlib import Path

import httpx

from ..runtime.test_main import DEADLINE
from .resources import memory
from .result import Result
from .service import model, running

__all__ = ["ask", "faults", "run", "series"]

AT_ONCE = 100

SHAPES = ("/{}", "/models/{}/predict", "/models/m/versions/{}/predict", "/models/m@{}/predict", "/v2/models/{}/infer")


def run(count: int, folder: Path) -> Result:
    """So many random paths, methods and headers."""
    model(folder)
    with running(folder, workers=1) as service:
        worker = min(service.workers())
        ask(service.port, 2 * AT_ONCE, seed=1)
        before, held = series(service.admin), memory(worker)
        statuses = ask(service.port, count, seed=0)
        after, grown = series(service.admin), memory(worker) - held
    return Result(count, faults(statuses, before, after), {"series": float(len(after)), "memory grown, KiB": grown})


def faults(statuses: dict[int, int], before: set[str], after: set[str]) -> list[str]:
    """What must not be. statuses: how often each was answered."""
    found = [f"{count} times status {status}" for status, count in statuses.items() if status not in (404, 405)]
    if after - before:
        found.append(f"{len(after - before)} series came into being, {min(after - before)!r} for one")
    return found


def series(client: httpx.Client) -> set[str]:
    """The series of a scrape, without their values."""
    lines = client.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


def ask(port: int, count: int, *, seed: int) -> dict[int, int]:
    """Status -> how often; a hundred requests at once over one connection, which are answered in order."""
    drawn = random.Random(seed)
    statuses: dict[int, int] = {}
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection:
        answers = connection.makefile("rb")
        for _ in range(count // AT_ONCE):
            connection.sendall(b"".join(_request(drawn) for _ in range(AT_ONCE)))
            for _ in range(AT_ONCE):
                status = int(answers.readline().split()[1])
                length = 0
                while (line := answers.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                answers.read(length)
                statuses[status] = statuses.get(status, 0) + 1
    return statuses


def _request(drawn: random.Random) -> bytes:
    word = "".join(drawn.choices(string.ascii_letters + string.digits + "-._~%20", k=drawn.randint(2, 40)))
    path = drawn.choice(SHAPES).format(word.replace("%", "%25"))
    method = drawn.choice(("GET", "POST", "PUT", "DELETE", "PATCH"))
    lines = (f"{method} {path} HTTP/1.1", f"host: {word[:8]}", f"x-{len(word)}: {len(path)}", "content-length: 0")
    return "\r\n".join((*lines, "", "")).encode()
