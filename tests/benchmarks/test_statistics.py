"""The figures, against references that were written another way."""

import statistics as reference

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.statistics import CONFIDENCE, bootstrap, interval, latency, spread

NANOSECONDS = st.integers(1, 10_000_000_000)
BLOCKS = st.lists(st.lists(NANOSECONDS, min_size=1, max_size=60), min_size=1, max_size=5)
VALUES = st.lists(st.floats(0.01, 100), min_size=2, max_size=40)


def ranked(values: list[int], percent: int) -> int:
    """The value whose rank is nearest to that part of them all."""
    return sorted(values)[max(int(percent * len(values) / 100 + 0.5), 1) - 1]


@settings(deadline=None)
@given(BLOCKS)
def test_latencies_are_those_of_all_blocks_together(blocks: list[list[int]]) -> None:
    """To the three digits that the histogram keeps; mean and maximum exactly."""
    every = [value for block in blocks for value in block]
    found = latency([np.array(block, np.int64) for block in blocks])
    assert (found.calls, found.blocks) == (len(every), len(blocks))
    assert found.mean == pytest.approx(reference.fmean(every) / 1e3)
    assert found.max == max(every) / 1e3
    for percent, figure in ((50, found.p50), (95, found.p95), (99, found.p99)):
        assert figure == pytest.approx(ranked(every, percent) / 1e3, rel=2e-3, abs=2e-3)


@settings(deadline=None)
@given(VALUES, st.integers(0, 9))
def test_an_interval_holds_the_median_and_is_the_same_every_time(values: list[float], seed: int) -> None:
    """Its ends lie among the values."""
    found = interval(values, seed)
    assert found.median == pytest.approx(reference.median(values))
    assert min(values) <= found.low <= found.median <= found.high <= max(values)
    assert found == interval(values, seed)


@settings(deadline=None)
@given(st.floats(0.01, 100), st.integers(2, 20))
def test_equal_blocks_leave_no_doubt(value: float, count: int) -> None:
    """Nothing is added to what was seen."""
    found = interval([value] * count, 0)
    assert (found.low, found.high) == (value, value)


def test_one_block_decides_nothing() -> None:
    """Its interval is every positive number."""
    found = interval([2.0], 0)
    assert found.low == 0
    assert found.high > 1e300


@settings(deadline=None)
@given(VALUES, st.floats(0.1, 10))
def test_an_interval_scales_with_its_values(values: list[float], factor: float) -> None:
    """Microseconds or milliseconds, it says the same."""
    low, high = bootstrap(np.array(values), 3)
    scaled = bootstrap(np.array(values) * factor, 3)
    assert scaled == pytest.approx((low * factor, high * factor))


def test_the_interval_covers_the_true_median_as_often_as_it_says() -> None:
    """Over 300 experiments with 16 blocks each, of a skewed distribution whose median is 1."""
    drawn = np.random.default_rng(7).lognormal(0.0, 0.4, (300, 16))
    covered = sum(low <= 1.0 <= high for low, high in (bootstrap(values, 1) for values in drawn))
    assert covered / 300 >= CONFIDENCE - 0.02


@settings(deadline=None)
@given(VALUES)
def test_spread_is_the_coefficient_of_variation(values: list[float]) -> None:
    """Of a sample."""
    assert spread(values) == pytest.approx(reference.stdev(values) / reference.fmean(values), abs=1e-9)


def test_spread_of_too_little_is_none() -> None:
    """One value has none."""
    assert spread([3.0]) == 0
