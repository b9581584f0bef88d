"""How many processors this process may use: those it may run on, and no more than its control group's quota.

Source: the kernel's admin-guide/cgroup-v2.rst (``cpu.max``) and scheduler/sched-bwc.rst (``cpu.cfs_quota_us``).
"""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

__all__ = ["cpus"]


def cpus(groups: Path = Path("/sys/fs/cgroup"), mine: Path = Path("/proc/self/cgroup")) -> int:
    """At least 1; a part of a processor counts as one.

    groups: where control groups are mounted. mine: says which are this process's. A quota of any group above holds
    too. Inside a container the names may be those of the host, and then the group is the one that is mounted.
    """
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min([here, *_quotas(groups, mine)])))


def _quotas(groups: Path, mine: Path) -> Iterator[float]:
    """Every quota that holds, in processors."""
    try:
        lines = mine.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        for mount in (groups / controllers, groups / "cpu") if controllers else (groups,):
            for group in (PurePosixPath(path), *PurePosixPath(path).parents):
                folder = mount / str(group).lstrip("/")
                with suppress(OSError, ValueError):
                    quota, period = _version_1(folder) if controllers else _version_2(folder)
                    if quota > 0 and period > 0:
                        yield quota / period


def _version_2(folder: Path) -> tuple[int, int]:
    """(quota, period), microseconds; raises ValueError for ``max``, which is none."""
    quota, period = (folder / "cpu.max").read_text().split()
    return int(quota), int(period)


def _version_1(folder: Path) -> tuple[int, int]:
    """(quota, period), microseconds; a quota of -1 is none."""
    quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
    return int(quota), int(period)
