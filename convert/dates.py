"""Times that a pipeline is asked about: the ends of what it takes, and where calendars and computers turn over."""

from calendar import isleap
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runtime.dates import STEPS, span
from runtime.manifest import Feature

__all__ = ["between", "cells", "ends", "near", "odd", "taken", "written"]

Floats = NDArray[np.float64]

YEARS = (1, 1600, 1678, 1684, 1752, 1900, 1969, 1970, 1999, 2000, 2001, 2023, 2024, 2038, 2100, 2255, 2261, 9999)
"""Leap years and others, of each rule, and the ends of what clocks and float64 can count."""
DAYS = ((1, 1), (1, 31), (2, 28), (2, 29), (3, 1), (6, 30), (7, 1), (12, 31))
ENDS = ((datetime(1684, 1, 1), datetime(2255, 1, 1)), (datetime(1900, 1, 1), datetime(2100, 1, 1)))
"""The first and the last time that are tried in turn, where a pipeline refuses what the unit can hold."""


def ends(ask: Callable[[Mapping[str, Any]], set[str]], columns: Mapping[str, tuple[Feature, pd.Series]]) -> Any:
    """For each column of times the first and the last that is taken, in microseconds: by feature, (first, last).

    ask: which features take a value, each by itself. columns: by name, with the sample's own times.
    """
    found: dict[str, list[float]] = {name: [] for name in columns}
    for place, further in ((0, min), (1, max)):
        for times in (None, *ENDS):
            tried = {}
            for name, (feature, _) in columns.items():
                if len(found[name]) == place:
                    end = span(feature)[place] if times is None else _microseconds(times[place])
                    tried[name] = further(end, (feature.seen or span(feature))[place])
            values = {name: cells(columns[name][1], np.array([end]))[0] for name, end in tried.items()}
            for name in ask(values):
                found[name].append(tried[name])
        for name, (feature, _) in columns.items():  # what was seen is taken in any case
            found[name] += [] if len(found[name]) > place else [(feature.seen or span(feature))[place]]
    return {name: tuple(own) for name, own in found.items()}


def cells(column: pd.Series, microseconds: Floats) -> NDArray[np.datetime64]:
    """Times of a column's own type; NaN becomes NaT."""
    whole = np.where(np.isnan(microseconds), 0.0, microseconds).astype(np.int64).view("M8[us]")
    return np.where(np.isnan(microseconds), np.datetime64("NaT", "us"), whole).astype(column.dtype)


def near(feature: Feature, thresholds: Floats) -> Floats:
    """Of each threshold the last time up to it, of each the one before that, and of each the first past it."""
    step = STEPS[str(feature.unit)]
    last = np.floor(thresholds / step) * step
    return np.concatenate([last, last - step, last + step])


def odd(feature: Feature) -> Floats:
    """Midnights and what lies beside them, of days where a calendar turns over, and the times beside the epoch."""
    step = STEPS[str(feature.unit)]
    days = [_microseconds(datetime(year, *day)) for year, day in product(YEARS, DAYS) if day != (2, 29) or isleap(year)]
    midnights = np.array(days)
    hours = midnights[::7] + np.arange(len(midnights[::7])) % 24 * 3_600_000_000 + 59 * 60_000_000 + 59_000_001
    low, high = span(feature)
    seen = feature.seen or (0.0, 0.0)
    ends_ = np.array([low, high, low + step, high - step, *seen, seen[0] - step, seen[1] + step])
    beside = np.array([0.0, step, -step, 1.0, -1.0, 999_999.0, -999_999.0, 1e6, -1e6, 86_399_999_999.0])
    return np.unique(np.concatenate([midnights, midnights - step, midnights + step, hours, ends_, beside]))


def _microseconds(time: datetime) -> float:
    return float(np.datetime64(time, "us").astype(np.int64))


def taken(feature: Feature, microseconds: Floats) -> NDArray[np.bool_]:
    """Which times a feature takes."""
    low, high = span(feature)
    found: NDArray[np.bool_] = microseconds % STEPS[str(feature.unit)] == 0
    found &= (microseconds >= low) & (microseconds <= high)
    return found


def between(feature: Feature, rng: np.random.Generator) -> float:
    """A time by chance, among those that the sample has."""
    (low, high), step = feature.seen or (0.0, 0.0), STEPS[str(feature.unit)]
    return float(np.floor(rng.uniform(low, high) / step) * step)


def written(value: Any) -> str | None:
    """A cell as JSON has it."""
    return None if pd.isna(value) else pd.Timestamp(value).isoformat()
