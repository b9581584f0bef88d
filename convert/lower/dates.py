"""Columns of dates and times as the numbers that scikit-learn computes with: NumPy's int64 count of the column's unit,
cast to float64, or by trees to float32. A missing time is the smallest int64 there, and no NaN."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from runtime.dates import NANOSECONDS
from runtime.written import STEPS

from ..errors import UnsupportedError
from .matrix import Column, Date, Matrix, Monotone, Number, Raw, Time
from .scope import Scope

__all__ = [
    "FINEST",
    "as_microseconds",
    "counted",
    "holds_times",
    "in_float32",
    "note_times",
    "numbered",
    "time_cells",
    "times_of",
    "unit_of",
    "unseen_time",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FINEST = ("D", "s", "ms", "us", "ns")
"""The units, each finer than the one before: an array of several columns of times has the finest of theirs."""
DAY = float(STEPS["D"])
IN_NANOSECONDS = 1_000
MISSED = -(2.0**63)


def numbered(x: Matrix) -> Matrix:
    """The same with each time as a number of the unit; of several columns in the finest of their units."""
    unit = unit_of(x)
    if unit is None:
        return x
    if unit == "ns":
        x.scope.nanoseconds.update(c.source for c in x.columns if isinstance(c, Date) and c.unit != unit)
    return Matrix(x.scope, tuple(_numbered(x.scope, column, unit) for column in x.columns))


def _numbered(scope: Scope, column: Column, unit: str) -> Column:
    match column:
        case Date(source):
            tensor = op.gather(scope.x, op.const(np.array([source])), axis=1)
            found = _scaled(tensor, unit)
            if scope.missing[source]:
                found = op.where(op.isnan(tensor), op.const(MISSED), found)
            return Number(found, 0, Raw(source, (_step(unit),)))
        case Time():
            return Number(op.cast(counted(column, unit), to=np.float64), 0)
    return column


def counted(time: Time, unit: str) -> Var:
    """Computed times in a unit, int64 [N, 1]; the smallest int64 where they are missing."""
    step = np.int64(STEPS[unit])
    if unit == "ns":
        whole = op.mul(time.whole, op.const(np.int64(IN_NANOSECONDS)))
    else:
        whole = time.whole if unit == "us" else op.div(time.whole, op.const(step))
    return op.where(time.missing, op.const(np.int64(-(2**63))), whole)


def in_float32(x: Matrix) -> Var:
    """A float32 tensor [N, width] as NumPy casts the columns; of nanoseconds, which have more digits than float64, the
    integers are rounded, and once."""
    if not all(isinstance(column, Date) for column in x.columns) or unit_of(x) != "ns":
        return op.cast(x.tensor, to=np.float32)
    tensor = as_microseconds(x).tensor
    missing = op.isnan(tensor)
    whole = op.cast(op.where(missing, op.const(0.0), tensor), to=np.int64)
    counted = op.cast(op.mul(whole, op.const(np.int64(IN_NANOSECONDS))), to=np.float32)
    return op.where(missing, op.const(np.float32(MISSED)), counted)


def as_microseconds(x: Matrix) -> Matrix:
    """The same with each time as the request's own number: microseconds, NaN where it is missing."""

    def raw(column: Column) -> Column:
        match column:
            case Date(source):
                return Number(x.scope.x, source, Raw(source))
            case Time():
                return Number(op.where(column.missing, op.const(np.nan), op.cast(column.whole, to=np.float64)), 0)
        return column

    if unit_of(x) is None:
        return x
    return Matrix(x.scope, tuple(map(raw, x.columns)))


def holds_times(known: NDArray[Any]) -> bool:
    """Whether an encoder's categories are times; those with a zone are objects to it."""
    return known.dtype.kind == "M" or (known.dtype.kind == "O" and any(getattr(v, "tzinfo", None) for v in known))


def times_of(known: NDArray[Any]) -> Floats:
    """The microseconds of an encoder's times, without those that no request can say: a missing one, and what is finer
    than float64 holds in microseconds."""
    if known.dtype.kind == "O":
        known = pd.DatetimeIndex(known).tz_convert(None).to_numpy()
    known = known[~np.isnat(known)]
    whole = known.astype("M8[us]")
    exact = whole.view(np.int64).astype(np.float64)
    kept: Floats = exact[(whole == known) & (exact.astype(np.int64) == whole.view(np.int64))]
    return kept


def time_cells(values: Sequence[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Microseconds, or NaT, as times of a type; as objects in UTC, which are the same instants in every zone."""
    if dtype.kind == "O":
        cells = np.empty(len(values), object)
        own = (datetime, type(pd.NaT))
        cells[:] = [v if isinstance(v, own) else pd.Timestamp(int(v), unit="us", tz="UTC") for v in values]
        return cells
    if np.datetime_data(dtype)[0] == "D":  # pandas counts no days, and an encoder finds the same times
        dtype = np.dtype("M8[s]")
    return np.array(
        [value if isinstance(value, np.datetime64) else np.datetime64(int(value), "us") for value in values]
    ).astype(dtype)


def unseen_time(known: NDArray[Any]) -> float:
    """A time that is none of an encoder's, in microseconds: a day past the last, or where that is too late a day before
    the first."""
    times = times_of(known)
    if not len(times):
        return 0.0
    further = float(times.max()) + DAY
    return further if further < NANOSECONDS[1] else float(times.min()) - DAY


def note_times(x: Matrix, known: Sequence[NDArray[Any]], *, known_only: bool) -> None:
    """Say which times an encoder tells apart, by column: there the proof must look.

    known_only: whether it takes no others. Raises UnsupportedError where that is of times that a step has computed, for
    then nobody can tell from the request.
    """
    for column, times in zip(x.columns, known, strict=True):
        match column:
            case Date(source):
                found = times_of(times)
                x.scope.times[source] = x.scope.times.get(source, set(found.tolist())) & set(found.tolist())
                x.scope.edges.setdefault(source, []).append(found)
                x.scope.known_only |= {source} if known_only else set()
            case Time() if known_only:
                raise UnsupportedError(
                    "expected an encoder that takes times which it has not seen, for these are computed, found one "
                    'that raises: fit it with handle_unknown="ignore"'
                )


def unit_of(x: Matrix) -> str | None:
    """The finest unit of the columns of times; None where there are none."""
    return max((c.unit for c in x.columns if isinstance(c, Date | Time)), key=FINEST.index, default=None)


def _scaled(tensor: Var, unit: str) -> Var:
    """Microseconds in another unit: a division leaves no rest, and a product is rounded once, as the cast is."""
    if unit == "ns":
        return op.mul(tensor, op.const(np.float64(IN_NANOSECONDS)))
    return tensor if unit == "us" else op.div(tensor, op.const(np.float64(STEPS[unit])))


def _step(unit: str) -> Monotone:
    def apply(values: Floats) -> Floats:
        scaled = values * IN_NANOSECONDS if unit == "ns" else values / STEPS[unit]
        return np.where(np.isnan(values), MISSED, scaled)

    def single(values: Floats) -> NDArray[np.float32]:
        far = np.abs(values) > -MISSED / IN_NANOSECONDS - 1
        whole = np.where(np.isnan(values) | far, 0.0, np.floor(values)).astype(np.int64) * IN_NANOSECONDS
        odd = np.where(np.isnan(values), MISSED, values * IN_NANOSECONDS)
        return np.where(np.isnan(values) | far, odd.astype(np.float32), whole.astype(np.float32))

    return Monotone(apply, single=Monotone(single) if unit == "ns" else None)
