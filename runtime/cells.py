"""A column's values, as callers hand them over, become numbers, codes, and the terms of texts."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .manifest import Feature
from .rows import Terms
from .text import counter

__all__ = ["KINDS", "UNKNOWN", "codes_in", "codes_of", "floats", "is_missing", "objects", "table_of", "terms_of"]

_PLAIN = frozenset((str, int, bool))

UNKNOWN = -1.0
"""The code of a category that the table has not; a missing value is NaN."""

Floats = NDArray[np.float64]

KINDS: dict[type, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    type(None): "null",
    list: "array",
    dict: "object",
}
"""JSON's names of what its decoders make."""


def table_of(feature: Feature) -> dict[Any, float]:
    """The code of each category, and NaN of None."""
    return {None: np.nan} | {value: float(code) for code, value in enumerate(feature.categories)}


def codes_of(feature: Feature) -> Callable[[object], float]:
    """A function from a value to its code. Equal numbers are one category whatever their type, as in NumPy; where
    that matters, JSON's decoder has told the types apart before."""
    look: Callable[..., Any] = table_of(feature).get

    def code(value: Any) -> float:
        if value.__class__ in _PLAIN:
            return float(look(value, UNKNOWN))
        try:
            return np.nan if is_missing(value) else float(look(value, UNKNOWN))
        except (TypeError, ValueError) as error:  # a list, which no table could have
            kind = type(value).__name__
            raise InputError(f"$.{feature.name}", f"expected string, number or boolean, got {kind}") from error

    return code


def codes_in(values: Sequence[Any] | NDArray[Any], code: Callable[[object], float]) -> list[float]:
    """The code of each value; of those that are alike it is asked for once, half of the time where there are few."""
    try:
        codes = {value: code(value) for value in dict.fromkeys(values)}
    except TypeError:  # a list, which no table could have: the first of them is to be told
        return [code(value) for value in values]
    return list(map(codes.__getitem__, values))


def terms_of(feature: Feature) -> Callable[[list[Any]], tuple[Floats, list[Terms]]]:
    """A function from texts to their codes [N] and what each rule finds in them.

    A missing text has the code NaN and no terms. It raises InputError for what is no text.
    """
    counters = [counter(rule) for rule in feature.rules]
    code = codes_of(feature) if feature.categories else None

    def read(texts: list[Any]) -> tuple[Floats, list[Terms]]:
        missing = [text.__class__ is not str and is_missing(text) for text in texts]
        for row, text in enumerate(texts):
            if not isinstance(text, str) and not missing[row]:
                path = f"$[{row}].{feature.name}" if len(texts) > 1 else f"$.{feature.name}"
                raise InputError(path, f"expected string, got {KINDS.get(type(text), 'another type')}")
        given = ["" if gone else text for text, gone in zip(texts, missing, strict=True)] if any(missing) else texts
        try:
            terms = [count(given) for count in counters]
        except UnicodeEncodeError as error:
            raise InputError(f"$.{feature.name}", "expected text of whole characters, got half of one") from error
        if code is not None:
            return np.array([code(text) for text in texts], np.float64), terms
        codes = np.full(len(texts), UNKNOWN)
        for found in terms:
            codes[found.starts[1:] > found.starts[:-1]] = 0.0
        codes[missing] = np.nan
        return codes, terms

    return read


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, pandas' NA or a time that is none (NaT)."""
    if value is None:
        return True
    if value.__class__ in _PLAIN:
        return False
    if type(value).__name__ in ("NAType", "NaTType"):  # pandas.NA and NaT, without importing pandas
        return True
    return bool(value != value)


def objects(values: Any) -> list[Any]:
    if isinstance(values, list):
        return values
    for name in ("to_pylist", "to_list"):  # an array of integers with gaps would be one of floats
        if hasattr(values, name):
            return list(getattr(values, name)())
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    found: list[Any] = array.tolist()
    return found


def floats(values: Any, feature: Feature) -> Floats:
    """A column of numbers as float64; what is missing is NaN."""
    array = values.to_numpy() if hasattr(values, "to_numpy") else values
    try:
        if isinstance(array, np.ndarray) and array.dtype.kind in "mM":
            raise InputError(f"$.{feature.name}", "expected numbers, got dates: give what was given in training")
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            # A string that reads as a number is no number, though NumPy would take it.
            array = [None if is_missing(value) else value for value in objects(array)]
            wrong = next((v for v in array if isinstance(v, str | bytes)), None)
            if wrong is not None:
                raise InputError(
                    f"$[{array.index(wrong)}].{feature.name}", f"expected number, got {type(wrong).__name__}"
                )
        return np.asarray(array, np.float64)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"$.{feature.name}", "expected numbers, got values of another type") from error
