"""What a function may do with columns of dates and times while it is traced: differences, comparisons, gaps.

Times are int64 microseconds here, and how long it is from one to another is too; a unit of pandas' decides only how
they become numbers. A missing time gives NaN, and False where a question is answered.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import spox.opset.ai.onnx.v21 as op
from spox import Var

from runtime.dates import RULED, name_of
from runtime.written import STEPS

from .calendar import Calendar, number, remainder
from .dates import FINEST, counted
from .hooks import TIMES, Untraceable
from .labels import scalar
from .matrix import Date, Matrix, Number, Time
from .traced import Traced
from .zones import CUT, on_clocks

__all__ = [
    "FIELDS",
    "calendar_of",
    "filled",
    "floored",
    "in_unit",
    "missing",
    "numbers",
    "or_nan",
    "shown",
    "times_in",
]

COMPARED: dict[str, Callable[[Var, Var], Var]] = {
    "less": op.less,
    "less_equal": op.less_or_equal,
    "greater": op.greater,
    "greater_equal": op.greater_or_equal,
    "equal": op.equal,
    "not_equal": lambda a, b: op.not_(op.equal(a, b)),
}
FIELDS = {
    **{name: name for name in ("year", "month", "day", "hour", "minute", "second", "microsecond", "nanosecond")},
    **dict.fromkeys(("weekday", "dayofweek", "day_of_week"), "weekday"),
    **dict.fromkeys(("dayofyear", "day_of_year"), "dayofyear"),
    **dict.fromkeys(("days_in_month", "daysinmonth"), "days_in_month"),
    **{name: name for name in ("quarter", "is_leap_year")},
    **{f"is_{what}_{end}": f"is_{what}_{end}" for what in ("month", "quarter", "year") for end in ("start", "end")},
}
"""What pandas calls it, and what ``Calendar`` does."""


class _Constant(NamedTuple):
    """A time, or how long it is: microseconds, as pandas has it in a unit."""

    whole: int
    unit: str
    length: bool
    zone: datetime.tzinfo | None = None


def times_in(x: Traced) -> list[Time]:
    """The columns, each as a time. Raises Untraceable where one holds something else."""
    return [_time(x, column) for column in x.matrix.columns]


def _time(x: Traced, column: Any) -> Time:
    match column:
        case Time():
            return column
        case Date(source, unit, zone):
            memo, key = x.scope.scope.memo, ("time", source, zone and name_of(zone))
            if key not in memo:
                tensor = op.gather(x.scope.scope.x, op.const(np.array([source])), axis=1)
                gaps = op.isnan(tensor)
                memo[key] = Time(
                    op.cast(op.where(gaps, op.const(0.0), tensor), to=np.int64), gaps, unit, zone=zone, source=source
                )
            found: Time = memo[key]
            return found
    raise Untraceable("it mixes times with other columns")


def shown(x: Traced, time: Time) -> Time:
    """What the clocks of its zone show, without a zone."""
    if time.zone is None:
        return time
    return replace(time, whole=on_clocks(x.scope.scope, time, time.zone), zone=None, source=None)


def calendar_of(x: Traced, time: Time) -> Calendar:
    """One for each column of times, so that what is asked of it twice is computed once."""
    memo, key = x.scope.scope.memo, ("calendar", id(time.whole), time.zone and name_of(time.zone))
    if key not in memo:
        memo[key] = Calendar(shown(x, time).whole), time  # while it is kept nobody else can have its id
    calendar: Calendar = memo[key][0]
    return calendar


def _constant(value: Any, zone: datetime.tzinfo | None = None) -> _Constant:
    """Raises Untraceable for what is no time, or is finer than a microsecond.

    zone: of what it is paired with; a string without one is of that.
    """
    of_zone = zone is not None and isinstance(value, str)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, str | datetime.date | np.datetime64):  # a datetime and a Timestamp are dates as well
        value = pd.Timestamp(value)
        value = value.tz_localize(zone) if of_zone and value.tz is None else value
    if isinstance(value, datetime.timedelta | np.timedelta64):
        value = pd.Timedelta(value)
    if not isinstance(value, pd.Timestamp | pd.Timedelta):
        raise Untraceable(f"it pairs times with {type(value).__name__}")
    length = isinstance(value, pd.Timedelta)
    exact: Any = value.to_numpy()
    whole = exact.astype("m8[us]" if length else "M8[us]")
    if whole != exact:
        raise Untraceable("it uses a time that is missing, or finer than a microsecond")
    return _Constant(int(whole.astype(np.int64)), value.unit, length, getattr(value, "tz", None))


def _called(name: str, inputs: Sequence[Any]) -> Traced:
    """What a ufunc of NumPy's makes of times."""
    model = max((x for x in inputs if isinstance(x, Traced)), key=lambda x: x.ndim)
    if any(isinstance(x, Traced) and x.ndim != model.ndim for x in inputs):
        raise Untraceable("it mixes one and two dimensions, say x[:, 0] with x: keep x[:, [0]]")
    if name == "floor_divide" and (isinstance(inputs[1], Traced) or not _constant(inputs[1]).whole):
        raise Untraceable(
            "it divides by what may be nothing: use / and numpy.floor"
        )  # an integer by zero has no answer
    zone = next((time.zone for x in inputs if isinstance(x, Traced) for time in times_in(x) if time.zone), None)
    operands = [times_in(x) if isinstance(x, Traced) else [_constant_time(x, zone)] for x in inputs]
    width = max(map(len, operands))
    if any(len(columns) not in (1, width) for columns in operands):
        raise Untraceable("it pairs columns of times with another number of them")
    rows = zip(*(islice(cycle(columns), width) for columns in operands), strict=True)
    found = [_computed(name, row) for row in rows]
    times = [part for part in found if isinstance(part, Time)]
    if times:
        return Traced(Matrix(model.scope.scope, tuple(times)), model.scope, flat=model.flat, names=model.names)
    return numbers(model, [part for part in found if not isinstance(part, Time)])


def numbers(model: Traced, columns: Sequence[Var]) -> Traced:
    """Columns [N, 1] of numbers or truths in place of a model's."""
    joined = columns[0] if len(columns) == 1 else op.concat(columns, axis=1)
    return Traced(scalar(joined) if model.flat else joined, model.scope, flat=model.flat, names=model.names)


def _constant_time(value: Any, zone: datetime.tzinfo | None) -> Time:
    whole, unit, length, own = _constant(value, zone)
    return Time(op.const(np.array([[whole]])), op.const(np.array([[False]])), unit, length, own)


def _computed(name: str, times: Sequence[Time]) -> Time | Var:
    """Of one column, or of two."""
    if len(times) == 1:
        (time,) = times
        if name in ("isnan", "isnat"):
            return time.missing
        if time.length and name in ("negative", "absolute", "fabs", "positive"):
            change = {"negative": op.neg, "absolute": op.abs, "fabs": op.abs}.get(name, lambda whole: whole)
            return replace(time, whole=change(time.whole))
        raise Untraceable(f"numpy.{name} of times is not known")
    a, b = times
    gone = op.or_(a.missing, b.missing)
    unit = max(a.unit, b.unit, key=FINEST.index)
    if not a.length and not b.length and (a.zone is None) != (b.zone is None):
        raise Untraceable("it pairs times with a zone with times without one")
    if name in COMPARED and a.length == b.length:
        answer = COMPARED[name](a.whole, b.whole)
        return op.or_(answer, gone) if name == "not_equal" else op.and_(answer, op.not_(gone))
    if name == "subtract" and (a.length, b.length) != (True, False):
        length = a.length == b.length
        return Time(op.sub(a.whole, b.whole), gone, unit, length, None if length else a.zone)
    if name == "add" and (a.length or b.length):
        return Time(op.add(a.whole, b.whole), gone, unit, a.length and b.length, a.zone or b.zone)
    if name in ("divide", "true_divide", "floor_divide") and a.length and b.length:
        if name == "floor_divide":
            return or_nan(op.div(op.sub(a.whole, op.mod(a.whole, b.whole)), b.whole), gone)
        upper, lower = (op.cast(counted(time, unit), to=np.float64) for time in (a, b))
        return op.where(gone, op.const(np.nan), op.div(upper, lower))
    raise Untraceable(f"numpy.{name} of times is not known")


def or_nan(whole: Var, gone: Var) -> Var:
    return op.where(gone, op.const(np.nan), op.cast(whole, to=np.float64))


def _as_type(x: Traced, dtype: np.dtype[Any]) -> Traced:
    """As int64, the count of the unit; as times of another unit."""
    times = times_in(x)
    if dtype == np.int64:
        return numbers(x, [op.cast(counted(time, time.unit), to=np.float64) for time in times])
    unit = np.datetime_data(dtype)[0] if dtype.kind in "mM" else ""
    if unit in FINEST and all(time.length == (dtype.kind == "m") and time.zone is None for time in times):
        made = [in_unit(time, unit) for time in times]
        return Traced(Matrix(x.scope.scope, tuple(made)), x.scope, flat=x.flat, names=x.names)
    raise Untraceable(f"it makes {dtype} of times")


def in_unit(time: Time, unit: str) -> Time:
    return floored(time, STEPS[unit], unit)


def floored(time: Time, step: int, unit: str) -> Time:
    """As a unit has it, down to the last multiple of so many microseconds."""
    whole = time.whole if step == 1 else op.sub(time.whole, remainder(time.whole, step))
    return replace(time, whole=whole, unit=unit, source=time.source if step <= CUT else None)


def _dtype(x: Traced) -> np.dtype[Any]:
    times = times_in(x)
    kinds = {np.dtype(f"{'m' if time.length else 'M'}8[{time.unit}]") for time in times}
    return kinds.pop() if len(kinds) == 1 and not any(time.zone for time in times) else np.dtype(object)


def missing(x: Traced) -> Var:
    """Which cells are missing, of the array's shape; columns of numbers may stand beside those of times."""
    masks = [
        op.isnan(Matrix(x.scope.scope, (column,)).tensor) if isinstance(column, Number) else _time(x, column).missing
        for column in x.matrix.columns
    ]
    joined = masks[0] if len(masks) == 1 else op.concat(masks, axis=1)
    return scalar(joined) if x.flat else joined


def filled(x: Traced, value: Any) -> Traced:
    """The times with another in place of what is missing."""
    whole, _, length, zone = _constant(value)
    made = []
    for time in times_in(x):
        if time.length != length or (time.zone is None) != (zone is None):
            raise Untraceable("it fills times with what is none, or has another zone")
        there = op.where(time.missing, number(whole), time.whole)
        source = time.source if RULED[0] <= whole <= RULED[1] else None
        never = op.and_(time.missing, op.not_(time.missing))
        made.append(replace(time, whole=there, missing=never, source=source))
    return Traced(Matrix(x.scope.scope, tuple(made)), x.scope, flat=x.flat, names=x.names)


TIMES.update(called=_called, astype=_as_type, dtype=_dtype, filled=filled)
