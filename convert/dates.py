"""Times that a pipeline is asked about: the ends of what it takes, and where calendars and computers turn over."""

from calendar import isleap
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runtime.dates import said, span, step
from runtime.manifest import Feature
from runtime.written import ISO, ISO_UTC

__all__ = ["as_said", "as_strings", "between", "cells", "ends", "near", "odd", "taken"]

Floats = NDArray[np.float64]

YEARS = (1, 1600, 1678, 1684, 1752, 1900, 1969, 1970, 1999, 2000, 2001, 2023, 2024, 2038, 2100, 2255, 2261, 9999)
"""Leap years and others, of each rule, and the ends of what clocks and float64 can count."""
DAYS = ((1, 1), (1, 31), (2, 28), (2, 29), (3, 1), (6, 30), (7, 1), (12, 31))


def ends(ask: Callable[[Mapping[str, Any]], set[str]], columns: Mapping[str, tuple[Feature, pd.Series]]) -> Any:
    """For each column of times the first and the last that is taken, in microseconds: by feature, (first, last).

    They are searched for between what was seen and what the unit can hold, for a difference may be more than int64 can
    count.

    ask: which features take a value, each by itself. columns: by name, with the sample's own times.
    """
    found: dict[str, list[float]] = {name: [] for name in columns}
    for place in (0, 1):
        refused = {name: span(feature)[place] for name, (feature, _) in columns.items()}
        taken = {name: (feature.seen or span(feature))[place] for name, (feature, _) in columns.items()}
        tried = refused
        while tried:
            good = ask({name: cells(columns[name][1], np.array([end]))[0] for name, end in tried.items()})
            taken |= {name: end for name, end in tried.items() if name in good}
            refused |= {name: end for name, end in tried.items() if name not in good}
            tried = {name: _middle(columns[name][0], refused[name], taken[name]) for name in columns}
            tried = {name: end for name, end in tried.items() if end not in (refused[name], taken[name])}
        for name, end in taken.items():
            found[name].append(end)
    return {name: tuple(own) for name, own in found.items()}


def _middle(feature: Feature, one: float, other: float) -> float:
    """A time halfway between two, such as the feature takes; one of them where there is none."""
    least = step(feature)
    return float((one / 2 + other / 2) // least * least)


def cells(column: pd.Series, microseconds: Floats) -> NDArray[np.datetime64]:
    """Times of a column's own type; NaN becomes NaT."""
    whole = np.where(np.isnan(microseconds), 0.0, microseconds).astype(np.int64).view("M8[us]")
    return np.where(np.isnan(microseconds), np.datetime64("NaT", "us"), whole).astype(column.dtype)


def near(feature: Feature, thresholds: Floats) -> Floats:
    """Of each threshold the last time up to it, of each the one before that, and of each the first past it."""
    least = step(feature)
    last = np.floor(thresholds / least) * least
    return np.concatenate([last, last - least, last + least])


def odd(feature: Feature) -> Floats:
    """Midnights and what lies beside them, of days where a calendar turns over, and the times beside the epoch."""
    least = step(feature)
    days = [_microseconds(datetime(year, *day)) for year, day in product(YEARS, DAYS) if day != (2, 29) or isleap(year)]
    midnights = np.array(days)
    hours = midnights[::7] + np.arange(len(midnights[::7])) % 24 * 3_600_000_000 + 59 * 60_000_000 + 59_000_001
    low, high = span(feature)
    seen = feature.seen or (0.0, 0.0)
    ends_ = np.array([low, high, low + least, high - least, *seen, seen[0] - least, seen[1] + least])
    beside = np.array([0.0, least, -least, 1.0, -1.0, 999_999.0, -999_999.0, 1e6, -1e6, 86_399_999_999.0])
    return np.unique(np.concatenate([midnights, midnights - least, midnights + least, hours, ends_, beside]))


def _microseconds(time: Any) -> float:
    return float(np.datetime64(time, "us").astype(np.int64))


def taken(feature: Feature, microseconds: Floats) -> NDArray[np.bool_]:
    """Which times a feature takes."""
    low, high = span(feature)
    found: NDArray[np.bool_] = microseconds % step(feature) == 0
    found &= (microseconds >= low) & (microseconds <= high)
    return found


def between(feature: Feature, rng: np.random.Generator) -> float:
    """A time by chance, among those that the sample has."""
    (low, high), least = feature.seen or (0.0, 0.0), step(feature)
    return float(np.floor(rng.uniform(low, high) / least) * least)


def as_strings(feature: Feature, column: pd.Series, missing: Any) -> pd.Series:
    """Times as the strings that the pipeline reads, all in one form, for pandas refuses a mixture; a marker for those
    that are missing."""
    gaps = column.isna().to_numpy()
    whole = column.to_numpy().astype("M8[us]")
    if feature.format in (ISO, ISO_UTC):
        texts = np.datetime_as_string(whole, "us", timezone="UTC" if feature.format == ISO_UTC else "naive")
    else:
        texts = [None if gap else said(feature, time) for gap, time in zip(gaps, whole.view(np.int64), strict=True)]
    strings = np.array(texts, object)
    strings[gaps] = None if missing is None else np.nan
    return pd.Series(strings, index=column.index, dtype=object)


def as_said(feature: Feature, value: Any) -> str | None:
    """A cell as JSON has it."""
    return None if pd.isna(value) else said(feature, _microseconds(value))
