"""A sample becomes columns: what kind each is of, and its values as the pipeline is to see them."""

import datetime
import decimal
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow.interchange import from_dataframe

from runtime.dates import name_of, span, times, zone_of
from runtime.errors import InputError
from runtime.manifest import Feature
from runtime.written import check_zone

from .errors import SampleError

__all__ = [
    "beside",
    "between",
    "column_of",
    "dicts_of",
    "frame_of",
    "listed",
    "marker_of",
    "microseconds",
    "objects_of",
    "seen_in",
    "texts_of",
    "unit_of",
    "without_zone",
    "zone_of",
]

EXACT = 2**53
"""Integers up to this are exact in float64; a column that goes beyond holds categories."""

TEXT = "text"
"""The name of the only column of a sample of texts that has no name."""

ZONE = (
    "expected dates and times of one zone, found Python's own of several in column {name!r}: train it on "
    "pd.to_datetime(column, utc=True)"
)
INSTEAD = {
    "Timedelta": "train it on column.dt.total_seconds()",
    "timedelta": "train it on pd.to_timedelta(column).dt.total_seconds()",
    "Period": "train it on column.dt.to_timestamp()",
    "time": "train it on numbers, say the seconds since midnight",
    "Interval": "train it on strings, column.astype(str)",
}
"""What to do with what JSON has no form for, by its type."""
PADDED = (
    "give each row as many cells as the longest has, in an array of objects; where they are labels fill the rest with "
    "one that is no class, say ''"
)
"""What to do with rows that are collections of labels."""

_UNSPEAKABLE = re.compile(r'["\\\x00-\x1f]')
"""What the runtime's JSON decoder allows in no field's name."""


def frame_of(sample: Any, names: Any, width: int | None) -> pd.DataFrame:
    """A DataFrame, an ndarray, a list of dicts or texts as a frame of the columns that the pipeline was fitted with.

    names, width: the columns' names, and how many they are, where the pipeline knows.
    Raises SampleError where they are not in it.
    """
    texts = texts_of(sample) if names is None and width is None else None
    if texts is not None:
        frame = texts.to_frame()
    elif isinstance(sample, pd.DataFrame):
        frame = sample
    elif isinstance(sample, Sequence) and len(sample) and isinstance(sample[0], Mapping):
        frame = pd.DataFrame(list(sample))
    elif isinstance(sample, Mapping):
        frame = _frame_of_dict(sample)
    elif hasattr(sample, "to_pandas"):
        frame = sample.to_pandas()
    elif hasattr(sample, "__arrow_c_stream__"):
        frame = pa.table(sample).to_pandas()
    elif hasattr(sample, "__dataframe__"):
        frame = from_dataframe(sample).to_pandas()
    elif hasattr(sample, "toarray"):
        raise SampleError(
            f"expected a dense sample, found a {type(sample).__name__}: give some of its rows, sample[:1000].toarray()"
        )
    else:
        array = _array(sample)
        if array.ndim != 2:
            found = f"{array.ndim} dimensions" if array.ndim else f"a {type(sample).__name__}: give the rows themselves"
            raise SampleError(f"expected a sample of rows and columns, found {found}")
        labels = names if names is not None and len(names) == array.shape[1] else None
        columns = labels if labels is not None else [f"x{i}" for i in range(array.shape[1])]
        # Objects stay objects, for pandas 3 would make NaN of None.
        frame = pd.DataFrame(array, columns=columns, dtype=object if array.dtype == object else None)
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise SampleError(f"expected columns of different names, found {twice!r} twice in the sample")
    if names is not None:
        names = _spelled(names, frame.columns)
        absent = [name for name in names if name not in frame.columns]
        if absent:
            raise SampleError(
                "expected the columns that the pipeline was fitted with, found none named "
                f"{', '.join(map(repr, absent))} in the sample"
            )
        frame = frame[list(names)]
    elif width is not None and frame.shape[1] != width:
        raise SampleError(f"expected a sample with {width} columns, found {frame.shape[1]}")
    odd = next((str(name) for name in frame.columns if _UNSPEAKABLE.search(str(name))), None)
    if odd is not None:
        raise SampleError(
            f"expected column names without quotation marks, backslashes and control characters, found {odd!r}: a JSON "
            "object could not have it as a plain key; rename the column before fitting"
        )
    return frame.reset_index(drop=True)


def _spelled(names: Iterable[Any], columns: Iterable[Any]) -> list[Any]:
    """The names as the sample spells them: LightGBM writes an underscore for each blank."""
    known = set(columns)
    blanks = {str(column).replace(" ", "_"): column for column in known}
    return [name if name in known else blanks.get(name, name) for name in names]


def listed(sample: Any) -> Any:
    """Rows that are collections, in a Series or an array of objects, as a list of them; anything else as it is."""
    first = next(iter(sample), None) if isinstance(sample, Iterable) else None
    if isinstance(first, set | frozenset):
        raise SampleError(f"expected a sample of rows and columns, found rows that are sets: {PADDED}")
    held = isinstance(sample, pd.Series) or (isinstance(sample, np.ndarray) and sample.ndim == 1)
    return list(sample) if held and isinstance(first, list | tuple | np.ndarray) else sample


def _array(sample: Any) -> NDArray[Any]:
    try:
        return np.asarray(sample)
    except ValueError as error:
        raise SampleError(f"expected a sample of rows and columns, found rows of unequal length: {PADDED}") from error


def _frame_of_dict(sample: Mapping[Any, Any]) -> pd.DataFrame:
    """One row, or columns of equal length."""
    if all(np.ndim(value) == 0 for value in sample.values()):
        return pd.DataFrame([sample])
    try:
        return pd.DataFrame(sample)
    except ValueError as error:
        raise SampleError(f"expected a dict of columns of equal length as a sample, found: {error}") from error


def texts_of(sample: Any) -> pd.Series | None:
    """A sample that is a row of texts, not a table; None for another."""
    if isinstance(sample, pd.Series):
        found = sample
    elif getattr(sample, "ndim", None) == 1 or (
        isinstance(sample, list | tuple) and type(next(iter(sample), 0)) is str
    ):
        # An array's own strings are NumPy's, of which a list makes Python's.
        found = pd.Series(sample.tolist() if hasattr(sample, "tolist") else list(sample), dtype=object)
    else:
        return None
    return found.rename(TEXT if found.name is None else str(found.name))


def column_of(values: pd.Series, name: str) -> tuple[Any, pd.Series]:
    """A column's kind, and its values as the reference sees them."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        plain = dtype.categories.dtype.kind in "fiub" and not values.isna().any()
        return column_of(values.astype(dtype.categories.dtype if plain else object), name)
    if getattr(dtype, "kind", "") == "M":
        return "date", _times(values, name)
    if pd.api.types.is_bool_dtype(dtype):
        if dtype != np.bool_:  # as scikit-learn reads what pandas calls boolean
            return "boolean", pd.Series(values.to_numpy(np.float64, na_value=np.nan), name=values.name)
        return "boolean", values.astype(bool)
    if pd.api.types.is_integer_dtype(dtype) and values.dropna().abs().max() > EXACT:
        return "category", values.astype(object)
    if pd.api.types.is_numeric_dtype(dtype):
        if pd.api.types.is_complex_dtype(dtype):
            raise SampleError(f"expected numbers, strings, booleans or dates, found complex numbers in column {name!r}")
        return "number", pd.Series(values.to_numpy(np.float64, na_value=np.nan), name=values.name)
    objects = objects_of(values)
    kinds = {type(value) for value in objects[~objects.isna()]}
    if kinds and all(issubclass(kind, int | float | np.number) and kind is not bool for kind in kinds):
        if any(abs(value) > EXACT for value in objects.dropna() if not isinstance(value, float | np.floating)):
            return "category", objects
        return "number", objects.astype(np.float64)
    if kinds and all(issubclass(kind, decimal.Decimal | int | float) and kind is not bool for kind in kinds):
        return "number", objects.astype(np.float64)  # as scikit-learn reads what a database calls decimal
    if kinds and kinds <= {bool, np.bool_}:
        return "boolean", objects.astype(np.float64) if objects.isna().any() else objects.astype(bool)
    if kinds and all(issubclass(kind, datetime.date) for kind in kinds):
        return "date", _times_of_objects(objects, name)
    if all(issubclass(kind, str | bool | int | float | np.generic) for kind in kinds):
        return "category", objects
    found = sorted(kind.__name__ for kind in kinds)
    advice = next(
        (INSTEAD[kind] for kind in found if kind in INSTEAD),
        "make it one of these before the pipeline, and train on that",
    )
    raise SampleError(
        f"expected numbers, strings, booleans or dates, found {', '.join(found)} in column {name!r}: {advice}"
    )


def _times_of_objects(objects: pd.Series, name: str) -> pd.Series:
    """Python's own dates and times as datetime64."""
    plain = objects.mask(objects.isna(), pd.NaT)
    if all(getattr(value, "tzinfo", None) is None for value in objects.dropna()):
        return _times(plain.astype("datetime64[us]"), name)
    try:
        found = pd.to_datetime(plain)
    except ValueError as error:  # of several zones, or with one and without
        raise SampleError(ZONE.format(name=name)) from error
    return _times(found, name)


def _times(values: pd.Series, name: str) -> pd.Series:
    """A column of times as datetime64, with its zone, if the runtime can say each of them exactly."""
    zone, unit = zone_of(values), getattr(values.dtype, "unit", "s")
    if _is_arrow(values):
        unit = getattr(values.dtype.pyarrow_dtype, "unit", "s")
        values = values.astype(f"datetime64[{unit}]" if zone is None else pd.DatetimeTZDtype(unit, zone))
    elif zone is not None:
        zone = values.dtype.tz
    called = None if zone is None else name_of(zone)
    try:
        check_zone("UTC" if called is None else called)
    except ValueError as error:
        raise SampleError(
            f"expected times in UTC, at an offset or in a zone by its name in column {name!r}, found {called!r}: train "
            "it on column.dt.tz_convert of such a name"
        ) from error
    try:
        microseconds(without_zone(values), called)
    except InputError as error:
        raise SampleError(
            f"{error.message.replace('expected a ', f'expected in column {name!r} a ')}: give a sample with "
            'column.dt.floor("us"), of years before 1684 or after 2255 with column.dt.floor("s")'
        ) from error
    return values


def without_zone(values: pd.Series) -> pd.Series:
    """The same; times with a zone as those of UTC, without it."""
    return values if zone_of(values) is None else values.dt.tz_convert("UTC").dt.tz_localize(None)


def _is_arrow(values: pd.Series) -> bool:
    return isinstance(values.dtype, pd.ArrowDtype)


def unit_of(values: pd.Series) -> Any:
    """The unit of a column of datetime64."""
    return np.datetime_data(values.dtype)[0]


def microseconds(values: pd.Series, zone: str | None = None) -> NDArray[np.float64]:
    """A column of datetime64 as the graph's matrix has it. Raises InputError where that cannot hold it, or where it is
    beyond what is known of a zone."""
    end = span(Feature("", "date", unit=unit_of(values), zone=zone))
    return times(values, Feature("", "date", unit=unit_of(values), range=end))


def objects_of(values: pd.Series) -> pd.Series:
    """A column as objects, with NaN where pandas has a marker of its own."""
    objects = values.astype(object)
    own = objects.isna() & ~objects.map(lambda value: value is None or isinstance(value, float))
    return objects.mask(own, np.nan) if own.any() else objects


def marker_of(values: pd.Series) -> Any:
    """What stands for a missing category; ... where none is missing."""
    (missing,) = np.nonzero(values.isna().to_numpy())
    if not len(missing):
        return ...
    return None if values.iloc[int(missing[0])] is None else np.nan


def seen_in(values: pd.Series) -> tuple[float, float] | None:
    """The smallest and the largest finite number of a column, or the first and the last time, in microseconds."""
    finite = microseconds(values) if values.dtype.kind == "M" else values.to_numpy(np.float64)
    finite = finite[np.isfinite(finite)]
    return (float(finite.min()), float(finite.max())) if len(finite) else None


def between(values: pd.Series) -> float:
    """A number within the range of a column, but not in it."""
    seen = np.unique(values.to_numpy(np.float64))
    seen = seen[np.isfinite(seen)]
    return float(np.nextafter(seen[-1], -np.inf)) if len(seen) < 2 else float(seen[-2] + (seen[-1] - seen[-2]) / np.pi)


def beside(values: pd.Series) -> float:
    """A number next to a column's first one, within its range, but not in it."""
    seen = values.to_numpy(np.float64)
    seen = seen[np.isfinite(seen)]
    found, end = seen[0], -np.inf if seen[0] == seen.max() else np.inf
    while found in seen:
        found = np.nextafter(found, end)
    return float(found)


def dicts_of(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    """Rows as dicts of Python's own values, without the missing ones."""
    columns = [frame[name].tolist() for name in frame.columns]
    return [
        {name: value for name, value in zip(frame.columns, row, strict=True) if value is not None and value == value}
        for row in zip(*columns, strict=True)
    ]
