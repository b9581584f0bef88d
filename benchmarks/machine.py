"""Which machine this is, and how quiet it is."""

import os
import platform
import resource
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from time import perf_counter_ns
from typing import NamedTuple

from .load import generator
from .processes import ROOT, serving_python
from .results import Machine
from .statistics import spread

__all__ = ["Spent", "describe", "probe", "spent"]

VERSIONS = ("onnxruntime", "numpy", "msgspec", "scikit-learn", "litestar", "uvicorn", "uvloop", "httptools")
PROBES = 40


class Spent(NamedTuple):
    """Ticks since the machine started, and what this process and its ended children had of them."""

    total: int
    idle: int
    steal: int
    ours: float


def spent() -> Spent:
    """From ``/proc/stat`` and getrusage."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    seconds = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        seconds += usage.ru_utime + usage.ru_stime
    return Spent(sum(fields), fields[3] + fields[4], fields[7], seconds * os.sysconf("SC_CLK_TCK"))


def probe(clock: Callable[[], int] = perf_counter_ns) -> float:
    """The coefficient of variation of one fixed piece of work, some milliseconds long, done PROBES times."""
    times = []
    for _ in range(PROBES):
        begun = clock()
        sum(range(200_000))
        times.append(float(clock() - begun))
    return spread(times)


def describe(variation: float, before: Spent, after: Spent) -> Machine:
    """The machine over a run that began at ``before`` and ended at ``after``."""
    total = max(after.total - before.total, 1)
    steal = (after.steal - before.steal) / total
    busy = 1 - (after.idle - before.idle) / total - steal - (after.ours - before.ours) / total
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        server_python=_output(str(serving_python()), "-c", "import platform; print(platform.python_version())"),
        versions={name: version for name in VERSIONS if (version := _version(name))},
        commit=_output("git", "rev-parse", "--short=12", "HEAD")
        + ("+" if _output("git", "status", "--porcelain", "--untracked-files=no") else ""),
        load=generator(),
        variation=variation,
        steal=steal,
        busy=max(busy, 0.0),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
