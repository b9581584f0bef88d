"""What a process holds, from /proc, and how fast it grows."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from scipy.stats import theilslopes

__all__ = ["descriptors", "importing", "memory", "slope"]


def importing() -> float:
    """Seconds that a process takes here and now to import what a worker needs: on a machine that is busy otherwise
    several times what it takes on one that is not."""
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", "import runtime.service.worker"], check=True)
    return time.monotonic() - start


def memory(pid: int) -> float:
    """The private memory of a process, KiB: what would be free if it ended."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return float(sum(int(line.split()[1]) for line in lines if line.startswith("Private_")))


def descriptors(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def slope(values: Sequence[float]) -> float:
    """Growth from one value to the next: the median of the slopes between all pairs (Theil-Sen), over the later half,
    so that neither a warm-up nor a collection of garbage here and there counts."""
    later = values[len(values) // 2 :]
    return float(theilslopes(later)[0])
