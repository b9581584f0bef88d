"""Columns of strings that a pipeline reads as dates become features of dates: the runtime reads the strings."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runtime.dates import name_of, time_of
from runtime.errors import InputError
from runtime.manifest import Feature
from runtime.written import ISO, ISO_UTC

from .accepted import ASKED, accepted
from .errors import SampleError
from .lower.parsing import Reading
from .reference import Signature, equal, methods_of, reference
from .sample import seen_in, unit_of

__all__ = ["Reread", "reread"]


class Reread(Exception):  # noqa: N818 (nothing is wrong: what was taken for categories are dates)
    """The pipeline reads columns of strings as dates.

    readings: by position, how.
    """

    def __init__(self, readings: Mapping[int, Reading]) -> None:
        self.readings = dict(readings)
        super().__init__()


def reread(pipeline: Any, signature: Signature, readings: Mapping[int, Reading]) -> Signature:
    """The same with dates in the place of these strings.

    Raises SampleError where the runtime would not read the sample's own as pandas does.
    """
    features, frame = list(signature.features), signature.frame.copy()
    for place, (feature, name) in enumerate(zip(signature.features, frame.columns, strict=True)):
        reading = readings.get(-1 if feature.position is None else feature.position)
        if reading is not None:
            features[place], frame[name] = _dates(feature, frame[name], reading)
    dated = replace(signature, features=tuple(features), frame=frame)
    for method in methods_of(pipeline):
        own = _answer(pipeline, method, signature)
        again = _answer(pipeline, method, dated)
        if own is not None and (again is None or not equal(own, again)):
            raise SampleError(
                "expected strings that the pipeline reads as dates and makes nothing else of, found other answers "
                "where they are written otherwise: give it a copy of the column for what it reads as text"
            )
    return replace(dated, features=accepted(pipeline, dated))


def _answer(pipeline: Any, method: str, signature: Signature) -> Any:
    """To the sample's first rows; None where the method is without one."""
    try:
        return signature.ask(pipeline, method, signature.frame.iloc[:ASKED])
    except Exception:  # a pipeline raises whatever its steps do
        return None


def _dates(feature: Feature, strings: pd.Series, reading: Reading) -> tuple[Feature, pd.Series]:
    """The feature as one of dates, and the strings as times in UTC or without a zone."""
    with reference():
        found = pd.to_datetime(strings, **reading.keywords)
    if found.dtype.kind != "M":  # pandas 2 makes objects of several offsets
        raise SampleError(_odd(feature, "several offsets", "read it with utc=True"))
    zone = found.dt.tz
    plain = found if zone is None else found.dt.tz_convert("UTC").dt.tz_localize(None)
    plain = plain.astype("M8[us]") if plain.isna().all() else plain
    name = None if zone is None else name_of(zone)
    if name not in (None, "UTC"):
        raise SampleError(_odd(feature, f"the offset {name}", "read it with utc=True"))
    iso = ISO if zone is None or reading.utc else ISO_UTC
    form = iso if reading.format in (None, ISO, "mixed") else reading.format
    dated = Feature(
        feature.name, "date", feature.position, unit=unit_of(plain), format=form, zone=name, seen=seen_in(plain)
    )
    read = _microseconds(dated, strings)
    known = ~np.isnan(read)
    if not np.array_equal(plain.isna().to_numpy(), ~known):
        what = "some that are written otherwise" if form == reading.format else "others"
        raise SampleError(_odd(feature, what, 'read it with a format of its own, say format="%d.%m.%Y"'))
    if not np.array_equal(plain.to_numpy().astype("M8[us]")[known].view(np.int64), read[known].astype(np.int64)):
        raise SampleError(_odd(feature, "some that pandas reads otherwise", "train it on pd.to_datetime(column)"))
    return dated, plain


def _odd(feature: Feature, found: str, do: str) -> str:
    return (
        f"expected dates in column {feature.name!r} that are written in ISO 8601 without an offset or with Z, or as "
        f"the format says that pandas.to_datetime is given, found {found}: {do}"
    )


def _microseconds(feature: Feature, strings: pd.Series) -> NDArray[np.float64]:
    """What the runtime reads; NaN where it reads nothing."""
    time = time_of(feature)

    def read(text: Any) -> float:
        try:
            return time(text)
        except InputError:
            return np.nan

    return np.array([read(text) for text in strings], np.float64)
