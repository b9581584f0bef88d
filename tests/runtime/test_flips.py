"""A bit of a bundle changes, anywhere: it is refused."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime import BundleError
from runtime.bundle import read_bundle

from . import bundles


def flips(folder: Path, count: int, check: Callable[[Path], Any]) -> list[tuple[str, int]]:
    """Single-bit changes over every file of a bundle that a check did not refuse."""
    generator = random.Random(7)
    files = sorted(folder.iterdir())
    missed = []
    for index in range(count):
        file = files[index % len(files)]
        text = file.read_bytes()
        bit = generator.randrange(8 * len(text))
        changed = bytearray(text)
        changed[bit // 8] ^= 1 << bit % 8
        file.write_bytes(changed)
        try:
            check(folder)
        except BundleError:
            pass
        else:
            missed.append((file.name, bit))
        file.write_bytes(text)
    return missed


def test_a_thousand_single_bit_flips_are_all_refused(tmp_path: Path) -> None:
    folder = bundles.classifier(tmp_path / "m", bundles.numbers(("x", "y")))
    read_bundle(folder)
    assert flips(folder, 1000, read_bundle) == []


def test_the_detector_of_flips_fires(tmp_path: Path) -> None:
    folder = bundles.classifier(tmp_path / "m", bundles.numbers(("x", "y")))
    assert flips(folder, 40, lambda folder: None)
    shutil.rmtree(folder)
