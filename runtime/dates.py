"""Times become numbers: microseconds since 1970-01-01T00:00:00, as float64, which are exact or refused."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timezone, tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cells import KINDS, is_missing, objects
from .errors import InputError
from .manifest import YEARS, Feature
from .written import ISO, STEPS, described, offset_of, reader, step_of, written

__all__ = ["middle_time", "name_of", "said", "span", "step", "time_of", "times", "words", "zone_of"]

Floats = NDArray[np.float64]

EPOCH = datetime(1970, 1, 1)
NANOSECONDS = (-9_223_372_036_854_774.0, 9_223_372_036_854_774.0)
"""What int64 can count in nanoseconds: from 1677-09-21 to 2262-04-11."""
TWO_DIGITS = (-31_536_000_000_000.0, 3_124_223_999_999_999.0)
"""The years 1969 to 2068, which two digits say."""
RULED = (-2_208_988_800_000_000.0, 4_102_444_800_000_000.0)
"""From 1900 to 2100: so far is known of a named zone when its clocks change."""
EXACT = 2**53
WHOLE = {
    STEPS["D"]: "days",
    3_600_000_000: "hours",
    60_000_000: "minutes",
    STEPS["s"]: "seconds",
    STEPS["ms"]: "milliseconds",
    STEPS["us"]: "microseconds",
}
"""The steps that there are between times, of units and of formats."""

TOO_FINE = re.compile(r"[.,]\d{6}\d*[1-9]").search
FINER = {"ns": 1_000, "ps": 1_000_000, "fs": 10**9, "as": 10**12}
"""Units of NumPy's below a microsecond: how many make one."""

ZONE = (
    "expected a date or time without a zone, as in training, got one with a zone or offset: give it in the zone of the "
    "training data, and without the offset"
)
NO_ZONE = (
    "expected a date or time with Z or an offset, for in training they have a zone, got one without: give it as "
    "2026-11-28T15:16:17Z, or with the offset that it has"
)
INEXACT = (
    "expected a time that float64 holds in microseconds (each of the years 1684 to 2255, each second of others), got a "
    "finer one"
)
FINE = "expected a time of whole microseconds, got a finer one"


def span(feature: Feature) -> tuple[float, float]:
    """The first and the last time that a feature takes."""
    if feature.range is not None:
        return feature.range
    bounds = [NANOSECONDS if feature.unit == "ns" else YEARS]
    bounds += [TWO_DIGITS] if feature.format is not None and "%y" in feature.format else []
    bounds += [RULED] if feature.zone is not None and offset_of(feature.zone) is None else []
    return max(low for low, _ in bounds), min(high for _, high in bounds)


def step(feature: Feature) -> int:
    """Microseconds from one time that a feature takes to the next."""
    return step_of(str(feature.unit), feature.format)


def said(feature: Feature, microseconds: float) -> str:
    """A time as a request has it."""
    return written(microseconds, feature.format, feature.zone)


def middle_time(feature: Feature) -> float:
    """A time that a feature takes: a midnight in the middle of what was seen, where there is one."""
    low, high = feature.range or feature.seen or (0.0, 0.0)
    midnight = (low / 2 + high / 2) // STEPS["D"] * STEPS["D"]
    return max(midnight, low)


def words(feature: Feature) -> str:
    """What a feature's times are whole numbers of."""
    return WHOLE[step(feature)]


def _outside(feature: Feature) -> str:
    """The words for a time that a feature does not take."""
    low, high = span(feature)
    return f"expected a date or time from {said(feature, low)} to {said(feature, high)}, got one outside"


def time_of(feature: Feature) -> Callable[[object], float]:
    """A function from a value (a string in ISO 8601, a datetime or date, a time of NumPy's or pandas') to its
    microseconds; a missing one is NaN. It raises InputError for any other, and for a time that the pipeline does not
    take, that its unit cannot hold, or that is not exact in float64."""
    path = f"$.{feature.name}"
    least, (low, high) = step(feature), span(feature)
    read, expected = reader(feature.format, feature.zone), _expected(feature)
    epoch = EPOCH if feature.zone is None else EPOCH.replace(tzinfo=UTC)
    own = feature.format is None  # else the pattern allows no more digits than there are microseconds
    known = None if feature.unknown else frozenset(feature.categories)

    def time(value: Any) -> float:
        if value.__class__ is str:
            try:
                found = read(value)
            except ValueError as error:
                raise InputError(path, f"{expected}, got another string") from error
            # It would be cut to microseconds; as it is mostly written there is no room for more.
            if own and len(value) > 21 and not (len(value) < 27 and value[19] == ".") and TOO_FINE(value):
                raise InputError(path, FINE)
        elif value is None:
            return np.nan
        elif isinstance(value, np.datetime64):
            if feature.zone is not None and feature.format != ISO and not np.isnat(value):
                raise InputError(path, NO_ZONE)
            return float(_counted(np.array([value]), feature)[0])
        elif isinstance(value, str):  # one of NumPy's
            return time(str(value))
        elif is_missing(value):
            return np.nan
        else:
            found = _python(value, path, expected)
            if feature.format == ISO and feature.zone is not None and found.tzinfo is None:
                found = found.replace(tzinfo=UTC)
        if (found.tzinfo is None) != (feature.zone is None):
            raise InputError(path, ZONE if feature.zone is None else NO_ZONE)
        since = found - epoch
        count = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        exact = float(count)
        if not low <= exact <= high:
            raise InputError(path, _outside(feature), fault="range")
        if least > 1 and count % least:
            raise InputError(path, _uneven(feature))
        if not -EXACT <= count <= EXACT and int(exact) != count:
            raise InputError(path, INEXACT)
        if known is not None and exact not in known:
            raise InputError(path, _unseen(feature))
        return exact

    return time


def times(values: Any, feature: Feature, time: Callable[[object], float] | None = None) -> Floats:
    """A column of times [N]: an array of datetime64, a column of pandas', polars' or pyarrow's, or a list of what
    ``time`` (of that feature) takes. Raises InputError with the row of the first that is not taken."""
    zone = zone_of(values)
    if zone is not None:
        _check_zone(name_of(zone), feature)
        kind = _type_of(values)
        values = np.asarray(values, f"M8[{getattr(kind, 'unit', None) or kind.time_unit}]")
    array = np.asarray(values) if hasattr(values, "__array__") else values
    if isinstance(array, np.ndarray) and array.dtype.kind == "M":
        if zone is None and feature.zone is not None and feature.format != ISO and not np.isnat(array).all():
            raise InputError(f"$.{feature.name}", NO_ZONE)
        return _counted(array, feature)
    time = time or time_of(feature)
    found = np.empty(len(array))
    for row, value in enumerate(objects(array)):
        try:
            found[row] = time(value)
        except InputError as error:
            raise error.in_row(row, len(found)) from error
    return found


def _python(value: Any, path: str, expected: str) -> datetime:
    if hasattr(value, "to_pydatetime"):  # pandas' Timestamp, without importing pandas
        if value.nanosecond:
            raise InputError(path, FINE)
        value = value.to_pydatetime()
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    raise InputError(path, f"{expected}, got {KINDS.get(type(value), 'another type')}")


def _type_of(values: Any) -> Any:
    """The type of a column of pandas', polars' or pyarrow's."""
    kind = getattr(values, "dtype", None)
    kind = getattr(values, "type", None) if kind is None else kind
    return getattr(kind, "pyarrow_dtype", kind)


def zone_of(values: Any) -> Any:
    """The zone of a column, as pandas, polars or pyarrow keeps it with its type; None where there is none."""
    kind = _type_of(values)
    return getattr(kind, "tz", None) or getattr(kind, "time_zone", None)


def name_of(zone: Any) -> str:
    """What a zone is called in a manifest, whichever library it is of."""
    offset = zone.utcoffset(None) if isinstance(zone, tzinfo) else None
    if offset is None:
        return str(zone)
    return timezone(offset).tzname(None).removeprefix("UTC") or "UTC"


def _check_zone(zone: str, feature: Feature) -> None:
    """That a column's zone is the pipeline's: of the same instants it would make something else in another."""
    if feature.zone is None:
        raise InputError(f"$.{feature.name}", ZONE)
    if zone != feature.zone and feature.format != ISO:
        raise InputError(
            f"$.{feature.name}",
            f"expected times in the zone {feature.zone}, as in training, got ones in {zone[:64]}: give them by "
            f'column.dt.tz_convert("{feature.zone}")',
        )


def _expected(feature: Feature) -> str:
    """What is said of a string that is no time."""
    if feature.format is None:
        return "expected a date or time in ISO 8601"
    return f"expected a date or time {described(feature.format, feature.zone)}"


def _counted(array: NDArray[np.datetime64], feature: Feature) -> Floats:
    """The microseconds of datetime64 of any unit."""
    unit = np.datetime_data(array.dtype)[0]
    gaps = np.isnat(array)
    found = np.full(len(array), np.nan)
    if gaps.all():
        return found
    known = array[~gaps].astype(f"M8[{unit}]")

    def refuse(bad: NDArray[np.bool_], sentence: str, fault: Any = "invalid") -> None:
        if bad.any():
            error = InputError(f"$.{feature.name}", sentence, fault=fault)
            raise error.in_row(int(np.flatnonzero(~gaps)[bad.argmax()]), len(array))

    if unit in FINER:
        count, rest = np.divmod(known.view(np.int64), FINER[unit])
        refuse(rest != 0, FINE)
    else:
        # Compared in its own unit: a far one would turn over where it is counted in microseconds.
        low, high = (np.datetime64(int(end), "us").astype(known.dtype) for end in YEARS)
        refuse((known < low) | (known > high), _outside(feature), "range")
        count = known.astype("M8[us]").view(np.int64)
    exact = count.astype(np.float64)
    low_, high_ = span(feature)
    refuse((exact < low_) | (exact > high_), _outside(feature), "range")
    refuse(count % step(feature) != 0, _uneven(feature))
    refuse(exact.astype(np.int64) != count, INEXACT)
    if not feature.unknown:
        refuse(~np.isin(exact, np.array(feature.categories, np.float64)), _unseen(feature))
    found[~gaps] = exact
    return found


def _unseen(feature: Feature) -> str:
    return f"expected one of the {len(feature.categories)} dates or times seen in training, got another"


def _uneven(feature: Feature) -> str:
    return f"expected a time of whole {words(feature)}, as in training, got a finer one"
