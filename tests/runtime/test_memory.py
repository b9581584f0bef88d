"""Memory goes back."""

import sys

import pytest

from runtime.memory import give_back

PIECES = 100_000


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="what glibc keeps")
def test_what_lies_between_blocks_in_use_goes_back() -> None:
    """Blocks too small to be maps of their own, each thousandth still used."""
    pieces = [bytes(1000) for _ in range(PIECES)]
    kept = pieces[::1000]
    before = resident()
    del pieces
    give_back()
    assert resident() < before - PIECES * 1000 // 2
    assert len(kept) == PIECES // 1000
