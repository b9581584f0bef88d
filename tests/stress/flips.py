"""One bit of one file of a bundle is flipped: it is refused, whichever it is."""

import random
from collections.abc import Callable
from pathlib import Path

from runtime import BundleError, load

from . import oracle
from .result import Result

__all__ = ["run"]


def run(count: int, folder: Path, opened: Callable[[Path], object] = load) -> Result:
    """So many flips, over every file in turn. opened: what must raise BundleError."""
    version = oracle.write(folder / "m", 1)
    opened(version)
    files = sorted(version.iterdir())
    drawn = random.Random(count)
    found = []
    for number in range(count):
        file = files[number % len(files)]
        whole = file.read_bytes()
        at, bit = drawn.randrange(len(whole)), 1 << drawn.randrange(8)
        file.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        try:
            opened(version)
        except BundleError:
            continue
        else:
            found.append(f"byte {at} of {file.name} was flipped by {bit} and the bundle opened")
        finally:
            file.write_bytes(whole)
    return Result(count, found, {"files": float(len(files))})
