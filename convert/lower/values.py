"""What pandas' methods do with a frame's single values while a function is traced: fill, replace, map and compare."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import spox.opset.ai.onnx.v21 as op

from . import arrays, times, words
from .casts import each
from .frames import method, values_of
from .hooks import FRAMES, Untraceable, unused
from .traced import Traced
from .ufuncs import numeric

UNSAID = object()
"""Stands for an argument that was not given."""


@method("fillna")
def fillna(x: Traced, value: Any = None, **rest: Any) -> Traced:
    if value is None:
        raise Untraceable("it fills from the rows beside it")
    unused(rest)
    if x.of_times:
        return times.filled(x, value)
    if isinstance(value, Mapping) or x.of_words:
        by_name = value if isinstance(value, Mapping) else dict.fromkeys(x.names or (None,), value)
        return each(x, lambda column, name: _filled(column, by_name[name]) if name in by_name else column)
    return arrays.filled(x, value)


def _filled(column: Traced, value: Any) -> Traced:
    return words.filled(column, value) if column.of_words else arrays.filled(column, value)


def _missing(x: Traced) -> Traced:
    if x.of_times:
        return x.like(times.missing(x))
    return words.missing(x) if x.of_words else x.like(op.isnan(numeric(x.tensor)))


FRAMES["isna"] = FRAMES["isnull"] = _missing
FRAMES["notna"] = FRAMES["notnull"] = lambda x: ~_missing(x)


@method("where")
def where(x: Traced, cond: Any, other: Any = np.nan) -> Any:
    return np.where(cond(x) if callable(cond) else cond, x, other)


@method("mask")
def mask(x: Traced, cond: Any, other: Any = np.nan) -> Any:
    return np.where(cond(x) if callable(cond) else cond, other, x)


@method("isin")
def isin(x: Traced, values: Any) -> Any:
    return words.is_in(x, values) if x.of_words and x.flat else np.isin(x, values)


@method("between")
def between(x: Traced, left: Any, right: Any, inclusive: str = "both") -> Any:
    above = x >= left if inclusive in ("both", "left") else x > left
    below = x <= right if inclusive in ("both", "right") else x < right
    return above & below


@method("map")
def mapped(x: Traced, arg: Any = None, na_action: Any = None, *, func: Any = None) -> Any:
    """By a dict, what it has not as NaN; by a function."""
    given = func if arg is None else arg
    if isinstance(given, pd.Series):
        given = given.to_dict()
    if isinstance(given, Mapping):
        if not x.flat or hasattr(given, "__missing__"):
            raise Untraceable("it maps by a dict with an answer of its own for what it has not")
        return words.mapped(x, given) if x.of_words else _chosen(x, given, x.like(op.const(np.float64(np.nan))))
    found = each(x, lambda column, _: values_of(column, given))
    return found if na_action is None else np.where(_missing(x), np.nan, found)


@method("replace")
def replaced(x: Traced, to_replace: Any = None, value: Any = UNSAID, **rest: Any) -> Traced:
    if rest:
        raise Untraceable(f"it uses {next(iter(rest))}=")
    if isinstance(to_replace, Mapping):
        if value is not UNSAID:
            raise Untraceable("it replaces by a dict and a value")
        table = dict(to_replace)
    else:
        if value is UNSAID:
            raise Untraceable("it fills from the rows beside it")
        befores = list(to_replace) if np.ndim(to_replace) else [to_replace]
        table = dict(zip(befores, value if np.ndim(value) else [value] * len(befores), strict=True))
    nested = bool(table) and all(isinstance(own, Mapping) for own in table.values())

    def own(column: Traced, name: Any) -> Traced:
        pairs = table.get(name, {}) if nested else table
        if column.of_words:
            return words.replaced(column, pairs)
        numbers = {before: after for before, after in pairs.items() if not isinstance(before, str)}
        return _chosen(column, numbers, column) if numbers else column

    return each(x, own) if nested or x.of_words else own(x, None)


def _chosen(x: Traced, table: Mapping[Any, Any], other: Traced) -> Traced:
    """Of numbers what a table has for each, or the other."""
    if any(isinstance(after, str) for after in table.values()):
        raise Untraceable("it puts strings in the place of numbers")
    tensor, found = numeric(x.tensor), numeric(other.tensor)
    for before, after in reversed(list(table.items())):
        hit = op.isnan(tensor) if pd.isna(before) else op.equal(tensor, op.const(np.float64(before)))
        found = op.where(hit, op.const(np.float64(np.nan if pd.isna(after) else after)), found)
    return x.like(found)
