"""pandas.to_datetime of a column of strings, while a function is traced: the runtime reads them, and the graph gets
times. What it reads is the same to pandas; what it does not read it refuses, whatever pandas would make of it."""

import warnings
from dataclasses import replace
from datetime import UTC
from typing import Any, NamedTuple

import pandas as pd

from runtime.written import ISO, check_format

from .hooks import TIMES, Untraceable
from .matrix import MISSING, Categorical, Column, Date, Matrix, Time
from .traced import Traced

__all__ = ["Reading", "to_datetime"]

INSTEAD = dict.fromkeys(("unit", "origin"), "give the pipeline a column of the times themselves, read before it")
"""What to do without an argument of pandas.to_datetime's."""


class Reading(NamedTuple):
    """How pandas.to_datetime was asked to read a column of strings.

    format: as it was given. utc: whether times without an offset are in UTC. coerce: whether what is none is missing.
    """

    format: str | None = None
    utc: bool = False
    coerce: bool = False

    @property
    def keywords(self) -> dict[str, Any]:
        """For pandas.to_datetime."""
        return {"format": self.format, "utc": self.utc, "errors": "coerce" if self.coerce else "raise"}


def to_datetime(arg: Traced, *args: Any, **kwargs: Any) -> Traced:
    """Columns of strings as times; of columns that are times already the same, in UTC where that is asked.

    Raises Untraceable where they are read otherwise than by format, utc and errors.
    """
    if args:
        kwargs = {"errors": args[0], **kwargs}
    odd = next((name for name in kwargs if name not in ("errors", "format", "utc", "cache")), None)
    if odd is not None or len(args) > 1:
        odd = odd or "more than errors by place"
        raise Untraceable(f"it calls pandas.to_datetime with {odd}: {INSTEAD.get(odd, 'give format instead')}")
    reading = Reading(kwargs.get("format"), bool(kwargs.get("utc")), kwargs.get("errors") == "coerce")
    columns: tuple[Column, ...] = tuple(_read(arg, column, reading) for column in arg.matrix.columns)
    return Traced(Matrix(arg.scope.scope, columns), arg.scope, flat=arg.flat, names=arg.names)


def _read(x: Traced, column: Column, reading: Reading) -> Column:
    match column:
        case Date() | Time(length=False):
            return replace(column, zone=UTC) if reading.utc else column
        case Categorical(source, date=None):
            _check(reading)
            if _unfilled(column.changes, reading) and reading.format is None:  # pandas refuses a mixture of forms
                raise Untraceable('it reads strings as dates that an imputer has filled: give format="ISO8601" as well')
            _note(x, source, reading)
            return Date(source, "us", UTC if reading.utc else None)
        case Categorical(source, date=date, changes=changes):
            _note(x, source, reading)
            changes = _unfilled(changes, reading)
            return _filled(x, date, changes, reading) if changes else date  # type: ignore[return-value]
    raise Untraceable("it makes times of what is none")


def _note(x: Traced, source: int, reading: Reading) -> None:
    if x.scope.scope.written.setdefault(source, reading) != reading:
        raise Untraceable("it reads a column of strings as dates in two ways")


def _check(reading: Reading) -> None:
    """Raises Untraceable for a format that is not read here."""
    if reading.format in (None, ISO, "mixed"):
        return
    try:
        check_format(str(reading.format))
    except ValueError as error:
        raise Untraceable(f"it calls pandas.to_datetime with format={reading.format!r}: {error}") from error


def _unfilled(changes: tuple[tuple[Any, Any], ...], reading: Reading) -> tuple[tuple[Any, Any], ...]:
    """The changes, but not one that pandas reads as missing again: before 3.0 ``astype(str)`` makes "nan" of NaN."""
    if len(changes) != 1 or changes[0][0] is not MISSING:
        return changes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a form that pandas cannot tell from this one string
        coerced = pd.to_datetime(pd.Series([changes[0][1]]), **{**reading.keywords, "errors": "coerce"})
    return () if coerced.isna().all() else changes


def _filled(x: Traced, date: Date | None, changes: tuple[tuple[Any, Any], ...], reading: Reading) -> Time:
    """What an imputer of strings has put in the place of missing ones, read as they are."""
    (before, after), *more = changes
    if more or before is not MISSING:
        raise Untraceable("it reads strings as dates of which an imputer has changed some")
    fill = pd.to_datetime(pd.Series([after]), **reading.keywords)[0]
    dates = Traced(Matrix(x.scope.scope, (date,)), x.scope, flat=True)  # type: ignore[arg-type]
    (time,) = TIMES["filled"](dates, fill).matrix.columns
    return time  # type: ignore[no-any-return]


TIMES["read"] = to_datetime
