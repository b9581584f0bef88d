"""All workers are replaced one at a time, by SIGHUP, under load: nothing is lost."""

import signal
import time
from functools import partial
from pathlib import Path

from .load import Load, loaded
from .result import Result
from .service import Running, model, running, until

__all__ = ["faults", "run"]


def run(count: int, folder: Path) -> Result:
    """Restart so many times."""
    model(folder)
    took = []
    with running(folder) as service, loaded("127.0.0.1", service.port) as load:
        for _ in range(count):
            before, start = service.workers(), time.monotonic()
            service.server.process.send_signal(signal.SIGHUP)
            until(partial(_replaced, service, before))
            took.append(time.monotonic() - start)
    figures = {"requests": float(len(load.statuses)), "a restart of two workers, median s": sorted(took)[count // 2]}
    return Result(count, faults(load), figures)


def _replaced(service: Running, before: set[int]) -> bool:
    return not before & service.workers() and service.ready() == 2


def faults(load: Load) -> list[str]:
    """What must not be."""
    return [f"lost: {one}" for one in load.lost] + [f"wrong: {one}" for one in load.wrong]
