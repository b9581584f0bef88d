"""Memory after a load: what it took for a while goes back to the operating system, and the rest lies in large pages."""

import ctypes
import os
import sys
from collections.abc import Iterator

import numpy as np

__all__ = ["enlarge_pages", "give_back"]

PAGE = 4096
LARGE = 2**21
"""Bytes of a large page. Where it has another size pages have too, and all are left alone."""
FULL = 448
"""Pages of the 512 in a large one that must be there, so that memory grows by an eighth at most."""
WANTED = np.uint64(1 << 63 | 1 << 56)
"""Bits of /proc/self/pagemap: a page is there, and it is mapped by this process alone."""
AT_ONCE = 512
"""Large pages looked at together: what is reserved may be far more than what is there."""
COLLAPSE = 25
"""MADV_COLLAPSE, of Linux 6.1."""


def give_back() -> None:
    """Ask the C library for it: glibc keeps what lies between blocks that are still used (malloc_trim(3)).

    onnxruntime parses a forest of two million nodes into 220 MB, of which it then needs 150. Nothing happens where
    there is no glibc.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def enlarge_pages() -> None:
    """Ask the operating system to put memory that is in use together, 2 MB a page (madvise(2), MADV_COLLAPSE).

    A walk through a large tree is at another page with nearly every node, and a processor knows the places of some two
    thousand pages: of 100 unlimited trees (160 MB) a row takes three quarters of the time, and a batch four fifths.
    Memory that another process shares is left alone. Nothing happens where the system has no such call or no such
    pages.
    """
    if sys.platform != "linux" or os.sysconf("SC_PAGESIZE") != PAGE:
        return
    madvise = ctypes.CDLL(None).madvise
    try:
        with open("/proc/self/maps") as maps:
            lines = [line.split() for line in maps]
        with open("/proc/self/pagemap", "rb", buffering=0) as pages:
            # Private, writable, and of no file.
            for line in lines:
                if line[1] != "rw-p" or line[4] != "0":
                    continue
                start, end = (int(place, 16) for place in line[0].split("-"))
                for first, last in _full(pages.fileno(), -(-start // LARGE), end // LARGE):
                    madvise(ctypes.c_void_p(first * LARGE), ctypes.c_size_t((last - first) * LARGE), COLLAPSE)
    except OSError:
        return  # no /proc: then pages stay as they are


def _full(pagemap: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Of the large pages from start up to end, runs that are all but full."""
    per = LARGE // PAGE
    for first in range(start, end, AT_ONCE):
        count = min(AT_ONCE, end - first)
        entries = np.frombuffer(os.pread(pagemap, count * per * 8, first * per * 8), np.uint64)
        # Fewer where another thread has given memory back meanwhile.
        there = (entries[: len(entries) // per * per] & WANTED) == WANTED
        full = there.reshape(-1, per).sum(axis=1) >= FULL
        edges = np.flatnonzero(np.diff(full, prepend=False, append=False)) + first
        yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
