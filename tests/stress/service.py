"""A real service of several workers, and how to look at it from outside."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

from ..runtime.test_main import DEADLINE, Server, started
from . import oracle

__all__ = ["Running", "alive", "children", "metric", "model", "running", "until"]


class Running(NamedTuple):
    """A service of several workers."""

    server: Server
    client: httpx.Client
    admin: httpx.Client
    port: int

    @property
    def forks(self) -> int:
        """The process id of what forks the workers."""
        (pid,) = children(self.server.process.pid)
        return pid

    def workers(self) -> set[int]:
        """The process ids of the workers."""
        return {pid for forks in children(self.server.process.pid) for pid in children(forks)}

    def ready(self) -> int:
        """How many workers serve what all should."""
        return int(self.admin.get("/health").json()["workers"])

    def reload(self) -> Any:
        """Ask for a look at the folder; returns when every worker serves what it says."""
        answer = self.admin.post("/-/reload", timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()


def children(pid: int) -> set[int]:
    """The processes that a process has forked and that are no other program, such as one that tries a version; who has
    ended is none."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                same = (entry / "cmdline").read_bytes() == Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if parent == pid and same:
                found.add(int(entry.name))
    return found


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def running(folder: Path, *words: str, workers: int = 2) -> Iterator[Running]:
    """A service on free ports, once all its workers are ready."""
    options = ("--port", "0", "--admin-port", "0", "--workers", str(workers), "--access-log", "false", *words)
    with started(str(folder), *options) as server, ExitStack() as opened:
        admin = server.wait_for("admin on")["message"].split()[-1]
        base = server.wait_for("ready on")["message"].split()[2].rstrip(",")
        client, other = (
            opened.enter_context(httpx.Client(base_url=url, timeout=DEADLINE, trust_env=False)) for url in (base, admin)
        )
        assert client.base_url.port is not None
        yield Running(server, client, other, client.base_url.port)


def model(folder: Path) -> Path:
    """A model of version 1, below a folder of models; the model's folder."""
    oracle.write(folder / "m", 1)
    oracle.promote(folder / "m", 1)
    return folder / "m"


def until(condition: Callable[[], Any]) -> Any:
    """Wait until something is so, and return it; fails at the deadline."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError("expected it to become so, found that it did not")


def metric(client: httpx.Client, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
