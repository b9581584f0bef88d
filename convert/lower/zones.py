"""Times with a zone: instants as int64 microseconds of UTC, and what the clocks of the zone say then."""

import functools
from datetime import UTC, timedelta, tzinfo

import numpy as np
import pandas as pd
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from runtime.dates import RULED, name_of
from runtime.written import offset_of

from .calendar import DAY, number
from .hooks import Untraceable
from .matrix import Matrix, Time
from .places import places
from .scope import Scope

__all__ = ["CUT", "is_fixed", "on_clocks", "transitions"]

SECOND = 1_000_000
CUT = 300 * DAY
"""So much may be cut off a time before a zone's clocks are asked."""


def is_fixed(zone: tzinfo) -> bool:
    """Whether it has the same offset to UTC all year, so that its clocks never show a time twice or leave one out."""
    return offset_of(name_of(zone)) is not None


def on_clocks(scope: Scope, time: Time, zone: tzinfo) -> Var:
    """Instants as the zone's clocks show them, int64 [N, 1].

    Raises Untraceable where these change by rules and the instants are computed: they could be beyond what is known.
    """
    fixed = offset_of(name_of(zone))
    if fixed is not None:
        offset = fixed.utcoffset(None) // timedelta(microseconds=1)
        return op.add(time.whole, number(offset)) if offset else time.whole
    if time.source is None:
        raise Untraceable(f"it asks what the clocks of {zone} show at times that it has computed: ask, then compute")
    scope.ruled.add(time.source)
    changes, offsets = transitions(zone)
    x = Matrix(scope, ()).new(op.cast(time.whole, to=np.float64))
    place = places(x, [changes.astype(np.float64)], ["right"])
    return op.add(time.whole, op.gather(op.const(offsets), place, axis=0))


@functools.cache
def transitions(zone: tzinfo) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The instants [k] at which a zone's clocks are changed, from 1899 to 2100, and their offsets [k + 1] before,
    between and after, in microseconds; as pandas has them, which need not be as others do."""
    low, high = map(int, RULED)
    days = np.arange(low - CUT, high + DAY, DAY)
    offsets = _offsets(days, zone)
    changed = np.flatnonzero(np.diff(offsets))
    # Between two days of other offsets a bisection by seconds: the last of the old one, the first of the new.
    before, after = days[changed], days[changed + 1]
    while (after - before > SECOND).any():
        middle = (before + after) // (2 * SECOND) * SECOND
        old = _offsets(middle, zone) == offsets[changed]
        before, after = np.where(old, middle, before), np.where(old, after, middle)
    return after, np.concatenate([offsets[:1], offsets[changed + 1]])


def _offsets(instants: NDArray[np.int64], zone: tzinfo) -> NDArray[np.int64]:
    there = pd.DatetimeIndex(instants.astype("M8[us]"), tz=UTC).tz_convert(zone).tz_localize(None)
    found: NDArray[np.int64] = there.to_numpy().astype("M8[us]").astype(np.int64) - instants
    return found
