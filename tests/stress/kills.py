"""Workers are killed with -9 under load: no wrong answer, counters that never fall, each replaced in time."""

import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

from ..runtime.test_main import DEADLINE
from .load import Load, loaded
from .resources import importing
from .result import Result
from .service import metric, model, running

__all__ = ["SECONDS", "Kills", "faults", "run"]

SECONDS = 2.0
"""How long it may take until a worker that was killed has a successor that serves; and where the machine is so busy
that importing alone takes longer than half a second, IMPORTS times that."""

IMPORTS = 4

CLIENTS = 4


class Kills(NamedTuple):
    """What was seen beside the clients.

    counters: the sum of predictions at each scrape. took: seconds until all workers served again, a kill. starts: of
    workers, by the service's own count. imports: seconds that importing took meanwhile.
    """

    counters: list[float]
    took: list[float]
    starts: float
    imports: float


def run(count: int, folder: Path) -> Result:
    """Kill so many workers, one after the other."""
    model(folder)
    counters: list[float] = []
    took: list[float] = []
    with running(folder) as service:
        with loaded("127.0.0.1", service.port, clients=CLIENTS) as load:
            for _ in range(count):
                before = service.workers()
                victim = min(before)
                os.kill(victim, signal.SIGKILL)
                start = time.monotonic()
                while time.monotonic() < start + DEADLINE:
                    counters.append(metric(service.admin, "ml_predictions_total", model="m"))
                    if victim not in service.workers() and service.ready() == 2:
                        break
                took.append(time.monotonic() - start)
            answered = len(load.seen)
            imports = max(importing() for _ in range(3))
        kills = Kills(counters, took, metric(service.admin, "ml_worker_starts_total"), imports)
    figures = {
        "requests": float(len(load.statuses)),
        "requests lost with their worker": float(len(load.lost)),
        "scrapes": float(len(counters)),
        "replaced, median s": sorted(took)[count // 2],
        "replaced, longest s": max(took),
        "importing, longest s": imports,
        "rows counted of those answered": counters[-1] / (3 * answered),
    }
    return Result(count, faults(load, kills), figures)


def faults(load: Load, kills: Kills) -> list[str]:
    """What must not be."""
    count = len(kills.took)
    found = [f"wrong: {one}" for one in load.wrong]
    if len(load.lost) > count * CLIENTS:  # a client has one request in flight
        found.append(f"{len(load.lost)} requests lost, expected at most one a client and kill")
    for before, after in zip(kills.counters, kills.counters[1:], strict=False):
        if after < before:
            found.append(f"a counter fell from {before:g} to {after:g}")
    if kills.starts != 2 + count:
        found.append(f"{kills.starts:g} workers started, expected {2 + count}")
    limit = max(SECONDS, IMPORTS * kills.imports)
    found += [f"a worker was replaced after {took:.2f} s, expected {limit:g}" for took in kills.took if took > limit]
    return found
