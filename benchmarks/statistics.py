"""Samples become figures, and blocks become an interval. Pure: no clock, and randomness from a seed alone."""

from collections.abc import Sequence

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from .results import Interval, Latency

__all__ = ["CONFIDENCE", "Nanoseconds", "bootstrap", "interval", "latency", "spread"]

Nanoseconds = NDArray[np.int64]

CONFIDENCE = 0.99
"""Of each interval. Some forty decisions are made in one run, and some of them are looked at more than once."""

RESAMPLES = 2000
HOUR_NS = 3_600_000_000_000

PERCENTS = (10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 99.999)
"""Of a latency curve: about evenly spaced where the axis is logarithmic in what lies beyond."""


def latency(blocks: Sequence[Nanoseconds]) -> Latency:
    """The latencies of all blocks together, microseconds, to three digits; there must be one sample or more."""
    histogram = HdrHistogram(1, HOUR_NS, 3)
    values, counts = np.unique(np.concatenate(blocks), return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        histogram.record_value(max(value, 1), count)
    p50, p95, p99 = (histogram.get_value_at_percentile(percent) / 1e3 for percent in (50, 95, 99))
    calls = int(counts.sum())
    mean = float(values @ counts / calls)
    seen = [percent for percent in PERCENTS if round((100 - percent) * calls, 6) >= 100]
    curve = tuple((float(percent), histogram.get_value_at_percentile(percent) / 1e3) for percent in seen)
    return Latency(calls, len(blocks), mean / 1e3, p50, p95, p99, float(values[-1]) / 1e3, percentiles=curve)


def interval(values: Sequence[float], seed: int) -> Interval:
    """The median of one value a block, and where it may lie; there must be one value or more.

    One value says nothing about its spread: its interval is every positive number.
    """
    if len(values) == 1:
        return Interval(values[0], 0.0, float(np.finfo(np.float64).max), 1)
    low, high = bootstrap(np.asarray(values, np.float64), seed)
    return Interval(float(np.median(values)), low, high, len(values))


def bootstrap(values: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """The percentile interval of the median at CONFIDENCE, from RESAMPLES draws with replacement."""
    drawn = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    medians = np.median(values[drawn], axis=1)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(medians, [tail, 100 - tail])
    return float(low), float(high)


def spread(values: Sequence[float]) -> float:
    """The coefficient of variation: standard deviation over mean; 0 for fewer than two values."""
    if len(values) < 2:
        return 0.0
    return float(np.std(values, ddof=1) / np.mean(values))
