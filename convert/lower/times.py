"""What a function may do with columns of dates and times while it is traced: pandas' ``.dt``, differences, comparisons.

Times are int64 microseconds here, and how long it is from one to another is too; a unit of pandas' decides only how
they become numbers. A missing time gives NaN, and False where a question is answered.
"""

import datetime
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import spox.opset.ai.onnx.v21 as op
from pandas.tseries.frequencies import to_offset
from spox import Var

from runtime.dates import STEPS

from .calendar import DAY, Calendar, floor_div, number, remainder
from .dates import FINEST, counted
from .labels import scalar
from .matrix import Date, Matrix, Number, Time
from .traced import TIMES, Traced, Untraceable

__all__ = ["Dt", "check_clock", "filled", "missing"]

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


CLOCKS = {"now", "today", "utcnow"}


def check_clock(function: Any) -> None:
    """Raise Untraceable where a function asks what time it is: its answers of today would be those of every day."""
    codes = [getattr(function, "__code__", None)]
    while codes:
        code = codes.pop()
        if code is not None and CLOCKS & set(code.co_names):
            raise Untraceable("it asks what time it is, which a graph cannot: give it the time as a column")
        codes += [part for part in getattr(code, "co_consts", ()) if hasattr(part, "co_names")]


def _columns(x: Traced) -> list[Time]:
    """The columns, each as a time. Raises Untraceable where one holds something else."""
    return [_time(x, column) for column in x.matrix.columns]


def _time(x: Traced, column: Any) -> Time:
    match column:
        case Time():
            return column
        case Date(source, unit):
            memo, key = x.scope.scope.memo, ("time", source)
            if key not in memo:
                tensor = op.gather(x.scope.scope.x, op.const(np.array([source])), axis=1)
                gaps = op.isnan(tensor)
                memo[key] = Time(op.cast(op.where(gaps, op.const(0.0), tensor), to=np.int64), gaps, unit)
            found: Time = memo[key]
            return found
    raise Untraceable("it mixes times with other columns")


def _calendar(x: Traced, time: Time) -> Calendar:
    """One for each column of times, so that what is asked of it twice is computed once."""
    memo, key = x.scope.scope.memo, ("calendar", id(time.whole))
    if key not in memo:
        memo[key] = Calendar(time.whole), time  # while it is kept nobody else can have its id
    calendar: Calendar = memo[key][0]
    return calendar


def _constant(value: Any) -> _Constant:
    """Raises Untraceable for what is no time, or is finer than a microsecond, or has a zone."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, str | datetime.date | np.datetime64):  # a datetime and a Timestamp are dates as well
        value = pd.Timestamp(value)
    if isinstance(value, datetime.timedelta | np.timedelta64):
        value = pd.Timedelta(value)
    if not isinstance(value, pd.Timestamp | pd.Timedelta) or getattr(value, "tz", None) is not None:
        raise Untraceable(f"it pairs times with {type(value).__name__}")
    length = isinstance(value, pd.Timedelta)
    exact: Any = value.to_numpy()
    whole = exact.astype("m8[us]" if length else "M8[us]")
    if whole != exact:
        raise Untraceable("it uses a time that is missing, or finer than a microsecond")
    return _Constant(int(whole.astype(np.int64)), value.unit, length)


def _called(name: str, inputs: Sequence[Any]) -> Traced:
    """What a ufunc of NumPy's makes of times."""
    model = max((x for x in inputs if isinstance(x, Traced)), key=lambda x: x.ndim)
    if any(isinstance(x, Traced) and x.ndim != model.ndim for x in inputs):
        raise Untraceable("it mixes one and two dimensions, say x[:, 0] with x: keep x[:, [0]]")
    if name == "floor_divide" and (isinstance(inputs[1], Traced) or not _constant(inputs[1]).whole):
        raise Untraceable(
            "it divides by what may be nothing: use / and numpy.floor"
        )  # an integer by zero has no answer
    operands = [_columns(x) if isinstance(x, Traced) else [_constant_time(x)] for x in inputs]
    width = max(map(len, operands))
    if any(len(columns) not in (1, width) for columns in operands):
        raise Untraceable("it pairs columns of times with another number of them")
    rows = zip(*(islice(cycle(columns), width) for columns in operands), strict=True)
    found = [_computed(name, row) for row in rows]
    times = [part for part in found if isinstance(part, Time)]
    if times:
        return Traced(Matrix(model.scope.scope, tuple(times)), model.scope, flat=model.flat, names=model.names)
    return _numbers(model, [part for part in found if not isinstance(part, Time)])


def _numbers(model: Traced, columns: Sequence[Var]) -> Traced:
    """Columns [N, 1] of numbers or truths in place of a model's."""
    joined = columns[0] if len(columns) == 1 else op.concat(columns, axis=1)
    return Traced(scalar(joined) if model.flat else joined, model.scope, flat=model.flat, names=model.names)


def _constant_time(value: Any) -> Time:
    whole, unit, length = _constant(value)
    return Time(op.const(np.array([[whole]])), op.const(np.array([[False]])), unit, length)


def _computed(name: str, times: Sequence[Time]) -> Time | Var:
    """Of one column, or of two."""
    if len(times) == 1:
        (time,) = times
        if name in ("isnan", "isnat"):
            return time.missing
        if time.length and name in ("negative", "absolute", "fabs", "positive"):
            change = {"negative": op.neg, "absolute": op.abs, "fabs": op.abs}.get(name, lambda whole: whole)
            return Time(change(time.whole), time.missing, time.unit, length=True)
        raise Untraceable(f"numpy.{name} of times is not known")
    a, b = times
    gone = op.or_(a.missing, b.missing)
    unit = max(a.unit, b.unit, key=FINEST.index)
    if name in COMPARED and a.length == b.length:
        answer = COMPARED[name](a.whole, b.whole)
        return op.or_(answer, gone) if name == "not_equal" else op.and_(answer, op.not_(gone))
    if name == "subtract" and (a.length, b.length) != (True, False):
        return Time(op.sub(a.whole, b.whole), gone, unit, length=a.length == b.length)
    if name == "add" and (a.length or b.length):
        return Time(op.add(a.whole, b.whole), gone, unit, length=a.length and b.length)
    if name in ("divide", "true_divide", "floor_divide") and a.length and b.length:
        if name == "floor_divide":
            return _or_nan(op.div(op.sub(a.whole, op.mod(a.whole, b.whole)), b.whole), gone)
        upper, lower = (op.cast(counted(time, unit), to=np.float64) for time in (a, b))
        return op.where(gone, op.const(np.nan), op.div(upper, lower))
    raise Untraceable(f"numpy.{name} of times is not known")


def _or_nan(whole: Var, gone: Var) -> Var:
    return op.where(gone, op.const(np.nan), op.cast(whole, to=np.float64))


def _as_type(x: Traced, dtype: np.dtype[Any]) -> Traced:
    """As int64, the count of the unit; as times of another unit."""
    times = _columns(x)
    if dtype == np.int64:
        return _numbers(x, [op.cast(counted(time, time.unit), to=np.float64) for time in times])
    unit = np.datetime_data(dtype)[0] if dtype.kind in "mM" else ""
    if unit in FINEST and all(time.length == (dtype.kind == "m") for time in times):
        made = [_in_unit(time, unit) for time in times]
        return Traced(Matrix(x.scope.scope, tuple(made)), x.scope, flat=x.flat, names=x.names)
    raise Untraceable(f"it makes {dtype} of times")


def _in_unit(time: Time, unit: str) -> Time:
    return _floored(time, STEPS[unit], unit)


def _floored(time: Time, step: int, unit: str) -> Time:
    """As a unit has it, down to the last multiple of so many microseconds."""
    whole = time.whole if step == 1 else op.sub(time.whole, remainder(time.whole, step))
    return Time(whole, time.missing, unit, time.length)


def _dtype(x: Traced) -> np.dtype[Any]:
    kinds = {np.dtype(f"{'m' if time.length else 'M'}8[{time.unit}]") for time in _columns(x)}
    return kinds.pop() if len(kinds) == 1 else np.dtype(object)


TIMES.update(called=_called, astype=_as_type, dtype=_dtype)


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
    whole, _, length = _constant(value)
    made = []
    for time in _columns(x):
        if time.length != length:
            raise Untraceable("it fills times with what is none")
        there = op.where(time.missing, number(whole), time.whole)
        made.append(Time(there, op.and_(time.missing, op.not_(time.missing)), time.unit, length))
    return Traced(Matrix(x.scope.scope, tuple(made)), x.scope, flat=x.flat, names=x.names)


class Dt:
    """A series' ``dt``."""

    def __init__(self, x: Traced) -> None:
        if not x.flat or not x.of_times:
            raise Untraceable("it uses .dt of what is no column of times")
        self._x = x
        (self._time,) = _columns(x)

    def __getattr__(self, name: str) -> Any:
        if self._time.length and name in LENGTHS:
            return self._number(LENGTHS[name](self._time.whole))
        if not self._time.length and name in FIELDS:
            return self._number(getattr(_calendar(self._x, self._time), FIELDS[name]))
        raise Untraceable(f"it uses .dt.{name}")

    def total_seconds(self) -> Traced:
        """Whole seconds and what is left of them, as pandas 3.1 adds them; those before divide all at once, which is
        another number in the last place."""
        if not self._time.length:
            raise Untraceable("it uses .dt.total_seconds of times")
        whole = op.cast(floor_div(self._time.whole, 1_000_000), to=np.float64)
        rest = op.cast(remainder(self._time.whole, 1_000_000), to=np.float64)
        seconds = op.add(whole, op.div(rest, op.const(1e6)))
        if self._time.unit in ("ms", "us"):  # of seconds none is left, and nanoseconds do not count that far
            seconds = _between_seconds(seconds, whole, op.greater(rest, op.const(0.0)))
        return self._as(op.where(self._time.missing, op.const(np.nan), seconds))

    def isocalendar(self) -> Traced:
        """The year, the week and the day of the week of ISO 8601."""
        if self._time.length:
            raise Untraceable("it uses .dt.isocalendar of what are no times")
        calendar = _calendar(self._x, self._time)
        parts = [_or_nan(part, self._time.missing) for part in (calendar.iso_year, calendar.iso_week, calendar.iso_day)]
        return Traced(op.concat(parts, axis=1), self._x.scope, names=["year", "week", "day"])

    def as_unit(self, unit: str, *_: Any, **__: Any) -> Traced:
        if unit not in FINEST[1:]:
            raise Untraceable(f"it uses .dt.as_unit({unit!r})")
        return self._times(_in_unit(self._time, unit))

    def normalize(self) -> Traced:
        return self.floor("D")

    def floor(self, freq: Any) -> Traced:
        step, rest = divmod(_step(freq), 1000)
        if rest:
            raise Untraceable(f"it uses .dt.floor({freq!r})")
        return self._times(_floored(self._time, step, self._time.unit))

    def _times(self, time: Time) -> Traced:
        return Traced(Matrix(self._x.scope.scope, (time,)), self._x.scope, flat=True, names=self._x.names)

    def _number(self, part: Var) -> Traced:
        """A whole number, or a truth."""
        if part.unwrap_tensor().dtype == np.bool_:
            return self._as(op.and_(part, op.not_(self._time.missing)))
        return self._as(_or_nan(part, self._time.missing))

    def _as(self, column: Var) -> Traced:
        return _numbers(self._x, [column])


def _between_seconds(seconds: Var, whole: Var, more: Var) -> Var:
    """Where a part of a second is left none of centuries is a whole number of them: that is the next number to it."""
    step = op.mul(op.abs(seconds), op.const(1.1 * 2.0**-53))  # of a last place between 0.55 and 1.1: rounded to one
    low = op.and_(more, op.equal(seconds, whole))
    high = op.and_(more, op.equal(seconds, op.add(whole, op.const(1.0))))
    return op.where(low, op.add(seconds, step), op.where(high, op.sub(seconds, step), seconds))


LENGTHS: dict[str, Callable[[Var], Var]] = {
    "days": lambda whole: floor_div(whole, DAY),
    "seconds": lambda whole: op.div(remainder(whole, DAY), number(1_000_000)),
    "microseconds": lambda whole: remainder(whole, 1_000_000),
    "nanoseconds": lambda whole: op.mul(whole, number(0)),
}


def _step(freq: Any) -> int:
    """The nanoseconds of a frequency of pandas'."""
    try:
        found: int = pd.Timedelta(to_offset(freq)).as_unit("ns").value
    except (ValueError, TypeError) as error:
        raise Untraceable(f"it uses .dt.floor({freq!r})") from error
    return found
