"""Versions are swapped under load: no answer lost, mixed, or of the old version once every worker is said to have the
new one."""

import time
from pathlib import Path

from ..runtime.test_main import DEADLINE
from . import oracle
from .load import Load, loaded
from .resources import descriptors, memory, slope
from .result import Result
from .service import metric, model, running, until

__all__ = ["KIB_PER_SWAP", "faults", "run"]

KIB_PER_SWAP = 10.0
"""How much a swap may leave behind in a worker, KiB."""

ENOUGH = 400
"""From how many swaps on memory is judged: with fewer, its steps are larger than what is looked for."""


def run(count: int, folder: Path) -> Result:
    """Swap so many times, by reload."""
    where = model(folder)
    with running(folder, "--poll-seconds", "0") as service:
        done: list[tuple[float, str]] = []
        took: list[float] = []
        workers = sorted(service.workers())
        held: dict[int, list[float]] = {pid: [] for pid in workers}
        service.client.get("/health")
        service.reload()
        until(lambda: service.ready() == 2)
        service.client.close()
        open_before = [descriptors(pid) for pid in workers]
        with loaded("127.0.0.1", service.port) as load:
            for k in range(2, 2 + count):
                oracle.write(where, k)
                oracle.promote(where, k)
                start = time.monotonic()
                service.reload()
                done.append((time.monotonic(), oracle.name(k)))
                took.append(done[-1][0] - start)
                for pid in workers:
                    held[pid].append(memory(pid))
        counted = metric(service.admin, "ml_predictions_total", model="m")
        found = faults(load, done, counted)
        more = [descriptors(pid) for pid in workers]
        ends = time.monotonic() + DEADLINE
        while sum(more) > sum(open_before) and time.monotonic() < ends:  # connections close in their own time
            more = [descriptors(pid) for pid in workers]
        if sum(more) > sum(open_before):
            found.append(f"workers held {open_before} descriptors before, {more} after")
        slopes = [slope(values) for values in held.values()]
        if count >= ENOUGH and max(slopes) > KIB_PER_SWAP:
            found.append(f"a swap left {max(slopes):.1f} KiB in a worker, expected at most {KIB_PER_SWAP:g}")
    figures = {
        "requests": float(len(load.statuses)),
        "swap, median s": sorted(took)[count // 2],
        "longest swap s": max(took),
        "KiB a swap in a worker": max(slopes),
    }
    return Result(count, found, figures)


def faults(load: Load, done: list[tuple[float, str]], counted: float) -> list[str]:
    """What clients saw that must not be.

    done: (when a swap was said to be done, version), in order. counted: rows, by the service's own metrics.
    """
    found = [f"lost: {one}" for one in load.lost] + [f"wrong: {one}" for one in load.wrong]
    found += [f"stale: {seen.version} asked {seen.asked:.3f}" for seen in load.stale(done)]
    if counted != 3 * len(load.seen):
        found.append(f"clients saw {3 * len(load.seen)} rows answered, the service counted {counted:g}")
    if len({seen.version for seen in load.seen}) <= len(done) / 2:
        found.append("clients saw fewer than half of the versions: the load was too thin to tell anything")
    return found
