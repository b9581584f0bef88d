"""What a function may ask of a column of times by pandas' ``.dt`` while it is traced."""

import datetime
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import spox.opset.ai.onnx.v21 as op
from pandas.tseries.frequencies import to_offset
from spox import Var

from .calendar import DAY, floor_div, number, remainder
from .dates import FINEST, counted
from .hooks import Untraceable
from .matrix import Matrix, Time
from .times import FIELDS, calendar_of, floored, in_unit, numbers, or_nan, shown, times_in
from .traced import Traced
from .zones import is_fixed, on_clocks

__all__ = ["Dt"]


class Dt:
    """A series' ``dt``."""

    def __init__(self, x: Traced) -> None:
        if not x.flat or not x.of_times:
            raise Untraceable("it uses .dt of what is no column of times")
        self._x = x
        (self._time,) = times_in(x)

    def __getattr__(self, name: str) -> Any:
        if self._time.length and name in LENGTHS:
            return self._number(LENGTHS[name](self._time.whole))
        if not self._time.length and name in FIELDS:
            return self._number(getattr(calendar_of(self._x, self._time), FIELDS[name]))
        raise Untraceable(f"it uses .dt.{name}")

    def total_seconds(self) -> Traced:
        """As the pandas adds them that the pipeline runs with: since 3.1 whole seconds and what is left of them; those
        before divide all at once, which is another number in the last place."""
        time = self._time
        if not time.length:
            raise Untraceable("it uses .dt.total_seconds of times")
        if not IN_PARTS:
            count = op.cast(counted(time, time.unit), to=np.float64)
            return self._as(op.where(time.missing, op.const(np.nan), op.div(count, op.const(PER_SECOND[time.unit]))))
        whole = op.cast(floor_div(time.whole, 1_000_000), to=np.float64)
        rest = op.cast(remainder(time.whole, 1_000_000), to=np.float64)
        seconds = op.add(whole, op.div(rest, op.const(1e6)))
        if time.unit in ("ms", "us"):  # of seconds none is left, and nanoseconds do not count that far
            seconds = _between_seconds(seconds, whole, op.greater(rest, op.const(0.0)))
        return self._as(op.where(time.missing, op.const(np.nan), seconds))

    def isocalendar(self) -> Traced:
        """The year, the week and the day of the week of ISO 8601."""
        if self._time.length:
            raise Untraceable("it uses .dt.isocalendar of what are no times")
        calendar = calendar_of(self._x, self._time)
        parts = [or_nan(part, self._time.missing) for part in (calendar.iso_year, calendar.iso_week, calendar.iso_day)]
        return Traced(op.concat(parts, axis=1), self._x.scope, names=["year", "week", "day"])

    def as_unit(self, unit: str, *_: Any, **__: Any) -> Traced:
        if unit not in FINEST[1:]:
            raise Untraceable(f"it uses .dt.as_unit({unit!r})")
        return self._times(in_unit(self._time, unit))

    def normalize(self) -> Traced:
        return self.floor("D")

    def floor(self, freq: Any) -> Traced:
        step, rest = divmod(_step(freq), 1000)
        if rest:
            raise Untraceable(f"it uses .dt.floor({freq!r})")
        time = self._time
        if time.zone is None or time.length:
            return self._times(floored(time, step, time.unit))
        if not is_fixed(time.zone):
            raise Untraceable(f"it uses .dt.floor of times in {time.zone}, whose clocks are put back: use tz_convert")
        whole = shown(self._x, time).whole
        return self._times(replace(time, whole=op.sub(time.whole, remainder(whole, step)), source=None))

    def tz_convert(self, tz: Any) -> Traced:
        """The same instants in another zone; with None in UTC, without a zone."""
        if self._time.zone is None or self._time.length:
            raise Untraceable("it uses .dt.tz_convert of times without a zone")
        return self._times(replace(self._time, zone=_zone(tz)))

    def tz_localize(self, tz: Any, *args: Any, **kwargs: Any) -> Traced:
        """Of times without a zone, those that its clocks show; with None what they show, without the zone."""
        zone, time = _zone(tz), self._time
        if time.length or args or kwargs or (zone is not None and time.zone is not None):
            raise Untraceable("it uses .dt.tz_localize of times with a zone, or with more than a zone")
        if zone is None:
            return self._times(shown(self._x, time))
        if not is_fixed(zone):
            raise Untraceable(f"it uses .dt.tz_localize({zone}), whose clocks show some times twice: keep times in UTC")
        shift = op.sub(on_clocks(self._x.scope.scope, time, zone), time.whole)
        return self._times(replace(time, whole=op.sub(time.whole, shift), zone=zone, source=None))

    def _times(self, time: Time) -> Traced:
        return Traced(Matrix(self._x.scope.scope, (time,)), self._x.scope, flat=True, names=self._x.names)

    def _number(self, part: Var) -> Traced:
        """A whole number, or a truth."""
        if part.unwrap_tensor().dtype == np.bool_:
            return self._as(op.and_(part, op.not_(self._time.missing)))
        return self._as(or_nan(part, self._time.missing))

    def _as(self, column: Var) -> Traced:
        return numbers(self._x, [column])


def _between_seconds(seconds: Var, whole: Var, more: Var) -> Var:
    """Where a part of a second is left none of centuries is a whole number of them: that is the next number to it."""
    step = op.mul(op.abs(seconds), op.const(1.1 * 2.0**-53))  # of a last place between 0.55 and 1.1: rounded to one
    low = op.and_(more, op.equal(seconds, whole))
    high = op.and_(more, op.equal(seconds, op.add(whole, op.const(1.0))))
    return op.where(low, op.add(seconds, step), op.where(high, op.sub(seconds, step), seconds))


IN_PARTS = bool(pd.to_timedelta(np.array([1_003_691], "m8[us]")).total_seconds()[0] != 1_003_691 / 1e6)
"""Whether pandas adds seconds in two parts, asked with the first length for which it matters."""
PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}

LENGTHS: dict[str, Callable[[Var], Var]] = {
    "days": lambda whole: floor_div(whole, DAY),
    "seconds": lambda whole: op.div(remainder(whole, DAY), number(1_000_000)),
    "microseconds": lambda whole: remainder(whole, 1_000_000),
    "nanoseconds": lambda whole: op.mul(whole, number(0)),
}


def _zone(tz: Any) -> datetime.tzinfo | None:
    """As pandas understands it."""
    found: datetime.tzinfo | None = None if tz is None else pd.DatetimeTZDtype("ns", tz).tz
    return found


def _step(freq: Any) -> int:
    """The nanoseconds of a frequency of pandas'."""
    try:
        found: int = pd.Timedelta(to_offset(freq)).as_unit("ns").value
    except (ValueError, TypeError) as error:
        raise Untraceable(f"it uses .dt.floor({freq!r})") from error
    return found
