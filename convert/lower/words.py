"""What a function may do with columns of categories and texts while it is traced: choose and fill them, compare them
with a constant, look them up in a dict, and count in them.

A category is told from others by its code, so that strings made of strings have no form as a graph.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import spox.opset.ai.onnx.v21 as op

from runtime.errors import BundleError
from runtime.manifest import TextRule

from .casts import each
from .encode import encode
from .hooks import PROPERTIES, WORDS, Untraceable
from .labels import scalar
from .matrix import MISSING, Categorical, Matrix
from .tables import Table, plain
from .text import terms_of
from .traced import Traced
from .ufuncs import numeric

__all__ = ["filled", "is_in", "mapped", "missing", "replaced"]

STRINGS = "it makes strings of strings, of which a request may have any: do that before the pipeline"


def _column(x: Traced) -> Categorical:
    (column,) = x.matrix.columns
    assert isinstance(column, Categorical)
    return column


def _looked_up(x: Traced, found: Mapping[Any, float], other: float, missing: float) -> Traced:
    """Of a single column each value's number, another value's and a missing one's."""
    values = [plain(value) for value in found]
    rows = np.array([*found.values(), other, missing], np.float64)[:, np.newaxis]
    table = Table(values, scipy.sparse.csr_matrix(rows))
    matrix = encode(Matrix(x.scope.scope, (_column(x),)), [table])
    return Traced(matrix, x.scope, flat=True, names=x.names)


def _truth(x: Traced, found: Mapping[Any, float], other: float, missing: float) -> Traced:
    looked = _looked_up(x, found, other, missing)
    return looked.like(op.greater(looked.tensor, op.const(np.float64(0))))


def called(name: str, inputs: Any) -> Traced:
    """A comparison with one string or number."""
    x, other = inputs if isinstance(inputs[0], Traced) else reversed(inputs)
    if name not in ("equal", "not_equal") or isinstance(other, Traced) or np.ndim(other):
        raise Untraceable(f"numpy.{name} is not known of strings")
    same = float(name == "equal")

    def compared(column: Traced, _: Any) -> Traced:
        return _truth(column, {other: same}, 1 - same, 1 - same) if column.of_words else _numbers(name, column, other)

    return _truths(each(x, compared))


WORDS["called"] = called


def contains(x: Traced, part: Any) -> Traced:
    """Whether a text has a string in it; Python raises where it is missing."""
    return Str(x).contains(part, na=False, regex=False)


WORDS["contains"] = contains


def _numbers(name: str, column: Traced, other: Any) -> Traced:
    """The same of numbers: none is a string."""
    given = np.nan if isinstance(other, str) else other
    found: Traced = getattr(np, name)(column, given)
    return found


def _truths(x: Traced) -> Traced:
    """A frame of several columns' truths."""
    return x if x.flat else x.like(op.greater(numeric(x.tensor), op.const(np.float64(0))))


def missing(x: Traced) -> Traced:
    return _truths(each(x, lambda column, _: _gaps(column)))


def _gaps(column: Traced) -> Traced:
    """Of a single column; of texts that nobody encodes a code says no more than this."""
    if not column.of_words:
        return column.like(op.isnan(numeric(column.tensor)))
    held = _column(column)
    if held.changes:
        return _truth(column, {}, 0.0, 1.0)
    code = op.gather(column.scope.scope.x, op.const(np.int64(held.source)), axis=1)
    return Traced(op.isnan(code), column.scope, flat=True, names=column.names)


def is_in(x: Traced, values: Any) -> Traced:
    """Of a single column."""
    known = list(values)
    if any(map(pd.isna, known)):
        raise Untraceable("it looks for a missing value among others: use isna")
    return _truth(x, dict.fromkeys(known, 1.0), 0.0, 0.0)


def filled(x: Traced, value: Any) -> Traced:
    """Of a single column: another value in place of a missing one."""
    column = replace(_column(x), changes=(*_column(x).changes, (MISSING, value)))
    return Traced(Matrix(x.scope.scope, (column,)), x.scope, flat=True, names=x.names)


def mapped(x: Traced, table: Mapping[Any, Any]) -> Traced:
    """Of a single column each value's number, and NaN of what the table has not."""
    numbers = {key: _number(value) for key, value in table.items()}
    gone = next((number for key, number in numbers.items() if pd.isna(key)), np.nan)
    return _looked_up(x, {key: number for key, number in numbers.items() if not pd.isna(key)}, np.nan, gone)


def _number(value: Any) -> float:
    if value is None or value is pd.NA:
        return np.nan
    if not isinstance(value, int | float | np.number | np.bool_):
        raise Untraceable(STRINGS)
    return float(value)


def replaced(x: Traced, table: Mapping[Any, Any]) -> Traced:
    """Of a single column: others in place of some values. Where these are numbers all that are left must be among
    them, for what stays a string is no number."""
    if table and all(isinstance(value, int | float) and not pd.isna(value) for value in table.values()):
        return mapped(x, table)
    pairs = [
        (MISSING if pd.isna(before) else before, MISSING if pd.isna(after) else after)
        for before, after in table.items()
        if before != after
    ]
    befores = [before for before, _ in pairs]
    if any(after in befores for _, after in pairs):
        raise Untraceable("it puts values into each other's place")
    column = replace(_column(x), changes=(*_column(x).changes, *pairs))
    return Traced(Matrix(x.scope.scope, (column,)), x.scope, flat=True, names=x.names)


class Str:
    """A column's ``str``: what is counted in its texts."""

    def __init__(self, x: Traced) -> None:
        if not x.flat or not x.of_words:
            raise Untraceable("it uses .str of what is no column of strings")
        self._x = x

    def len(self) -> Traced:
        return self._counted(r"[\s\S]")

    def count(self, pat: str, flags: int = 0) -> Traced:
        if flags:
            raise Untraceable("it uses flags=")
        return self._counted(pat)

    def contains(self, pat: str, case: bool = True, flags: int = 0, na: Any = None, regex: bool = True) -> Traced:
        if flags or not case or na not in (False, None):
            raise Untraceable("it looks for a pattern with more than regex= and na=")
        if na is None and self._x.scope.scope.missing[_column(self._x).source]:
            raise Untraceable("it looks for a pattern where a text may be missing: say na=False")
        found = self._counted(pat if regex else re.escape(pat))
        return found.like(op.greater(found.tensor, op.const(np.float64(0))))

    def split(self, pat: Any = None, **rest: Any) -> "_Words":
        if pat is not None or rest:
            raise Untraceable("it splits otherwise than at white space")
        return _Words(self)

    def __getattr__(self, name: str) -> Any:
        raise Untraceable(f"it uses .str.{name}: {STRINGS}")

    def __getitem__(self, key: Any) -> Any:
        raise Untraceable(f"it uses .str[...]: {STRINGS}")

    def _counted(self, pattern: str) -> Traced:
        """How often a pattern is found; NaN where the text is missing."""
        rule = TextRule(pattern=pattern, lowercase=False, hashed=1, signed=False)
        try:
            rule.check()
            if re.compile(pattern).groups:
                raise Untraceable("it counts a pattern with groups")
        except BundleError as error:
            raise Untraceable(str(error)) from error
        counts = self._x.scope.sparse_columns(terms_of(_column(self._x), rule, self._x.scope))
        gaps = _gaps(self._x)
        found = op.where(gaps.tensor, op.const(np.float64(np.nan)), scalar(counts.tensor))
        return Traced(found, self._x.scope, flat=True, names=self._x.names)


class _Words:
    """The words of each text, of which there are so many."""

    def __init__(self, texts: Str) -> None:
        self._texts = texts

    @property
    def str(self) -> "_Words":
        return self

    def len(self) -> Traced:
        return self._texts._counted(r"\S+")


PROPERTIES["str"] = Str
