"""What a swap leaves behind, without what surrounds it: the worker's part of a swap, over and over, in a process of its
own."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from runtime.service.catalog import Catalog
from runtime.service.front import app
from runtime.service.plan import MAIN, Plan, survey
from runtime.service.reload import loaded

from . import oracle
from .resources import descriptors, memory, slope
from .result import Result
from .service import model
from .swaps import KIB_PER_SWAP

__all__ = ["faults", "run"]


def run(count: int, folder: Path) -> Result:
    """So many swaps, each to a version that never served before."""
    where = model(folder)
    for k in range(2, 2 + count):
        oracle.write(where, k)
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, str(where), str(count)], check=True, capture_output=True
    )
    held, files = json.loads(done.stdout)
    figures = {"KiB a swap": slope(held), "KiB at the end": held[-1], "descriptors": float(files[-1])}
    return Result(count, faults(held, files), figures)


def faults(held: list[float], files: list[int]) -> list[str]:
    """What must not be. held: private memory after each swap, KiB; files: open descriptors."""
    found = []
    if slope(held) > KIB_PER_SWAP:
        found.append(f"a swap left {slope(held):.1f} KiB behind, expected at most {KIB_PER_SWAP:g}")
    if slope([float(count) for count in files]) > 0 or files[-1] > files[len(files) // 2]:
        found.append(f"{files[-1]} descriptors open at the end, {files[len(files) // 2]} half way")
    return found


async def _swap(where: Path, count: int) -> tuple[list[float], list[int]]:
    serving = app(Catalog({}), access=None).serving
    held, files = [], []
    for k in range(1, 2 + count):
        pin = survey(str(where / oracle.name(k))).plan.pins[where.name][MAIN]
        serving.serve(await asyncio.to_thread(loaded, Plan({where.name: {MAIN: pin}}), serving.catalog))
        answering = serving.catalog.models[where.name]
        for first in range(1, 20):
            answering.predict_json(json.dumps(oracle.rows(first, first)).encode())
        serving.metrics.expose("")
        held.append(memory(os.getpid()))
        files.append(descriptors(os.getpid()))
    return held, files


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_swap(Path(sys.argv[1]), int(sys.argv[2])))))
