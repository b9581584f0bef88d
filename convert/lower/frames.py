"""What a function may do with a frame of pandas', or with one of its columns, while it is traced."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from . import arrays, dt
from .branches import Row, branched
from .hooks import FRAMES, PROPERTIES, Untraceable, unused
from .traced import Traced

__all__ = ["Index", "method", "values_of"]


def method(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a method of a frame, or of a series."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        FRAMES[name] = function
        return function

    return register


def _unnamed(x: Traced) -> Traced:
    """The same as an array."""
    return Traced(x.matrix if not x.flat else x.tensor, x.scope, flat=x.flat)


PROPERTIES["values"] = _unnamed


class Index:
    """A frame's index, for a frame beside it to be made with."""

    def __init__(self, frame: Traced) -> None:
        self.frame = frame


class _Located:
    """A frame's ``loc`` and ``iloc``: columns only."""

    def __init__(self, frame: Traced, *, named: bool) -> None:
        self._frame, self._named = frame, named

    def __getitem__(self, key: Any) -> Traced:
        rows, columns = key if isinstance(key, tuple) and len(key) == 2 else (key, slice(None))
        if rows != slice(None):
            raise Untraceable("it chooses rows")
        if not self._named or columns == slice(None):
            return self._frame[:, columns]
        return self._frame[columns]

    def __setitem__(self, key: Any, value: Any) -> None:
        """Of columns a value in the rows that a condition tells; all rows without one."""
        rows, columns = key if isinstance(key, tuple) and len(key) == 2 else (key, slice(None))
        if not self._named or columns == slice(None):
            raise Untraceable("it sets cells otherwise than by the names of their columns")
        for name in columns if isinstance(columns, list) else [columns]:
            if isinstance(rows, Traced):
                rest = self._frame[name] if name in (self._frame.names or ()) else np.nan
                self._frame[name] = np.where(rows, value, rest)
            elif rows == slice(None):
                self._frame[name] = value
            else:
                raise Untraceable("it chooses rows")


PROPERTIES["index"] = Index
PROPERTIES["dt"] = dt.Dt
PROPERTIES["loc"] = lambda x: _Located(x, named=True)
PROPERTIES["iloc"] = lambda x: _Located(x, named=False)


@method("to_numpy")
def to_numpy(x: Traced, dtype: Any = None, copy: bool = False, **rest: Any) -> Traced:
    unused(rest)
    return _unnamed(x) if dtype is None else _unnamed(x).astype(dtype)


@method("to_frame")
def to_frame(x: Traced, name: Any = None) -> Traced:
    return Traced(x.matrix, x.scope, names=[name if name is not None else x.names[0] if x.names else 0])


@method("filter")
def filter_columns(x: Traced, items: Any = None, like: Any = None, regex: Any = None, axis: Any = None) -> Traced:
    if axis not in (None, 1, "columns"):
        raise Untraceable("it chooses rows")
    names = [str(name) for name in x.names or ()]
    if items is not None:
        return x[[name for name in items if name in names]]
    return x[[name for name in names if (like in name if like is not None else re.search(regex, name))]]


@method("reindex")
def reindex(x: Traced, *, columns: Any = None, **rest: Any) -> Traced:
    if columns is None or rest or not set(columns) <= set(x.names or ()):
        raise Untraceable("it chooses rows, or makes empty columns")
    return x[list(columns)]


@method("pipe")
def pipe(x: Traced, func: Any, *args: Any, **kwargs: Any) -> Any:
    return func(x, *args, **kwargs)


@method("rename")
def rename(x: Traced, index: Any = None, *, columns: Any = None, **rest: Any) -> Traced:
    """A column by another name, or a frame's columns by others."""
    unused(rest, "copy")
    x = x.copy()
    if x.flat:
        x.names = (index,)
    elif isinstance(columns, Mapping):
        x.names = tuple(columns.get(name, name) for name in x.names or ())
    else:
        raise Untraceable("it renames otherwise than by a dict of columns")
    return x


@method("abs")
def absolute(x: Traced) -> Any:
    return np.abs(x)


@method("clip")
def clip(x: Traced, lower: Any = None, upper: Any = None, **rest: Any) -> Any:
    unused(rest, *(["axis"] if rest.get("axis") in (1, "columns") else []))
    return np.clip(x, lower, upper)


@method("assign")
def assign(x: Traced, /, **columns: Any) -> Traced:
    x = x.copy()
    for name, value in columns.items():
        x[name] = value(x) if callable(value) else value
    return x


@method("drop")
def drop(x: Traced, labels: Any = None, *, axis: Any = 0, columns: Any = None, **rest: Any) -> Traced:
    unused(rest, "errors")
    if columns is None and axis not in (1, "columns"):
        raise Untraceable("it drops rows")
    gone = labels if columns is None else columns
    gone = [gone] if isinstance(gone, str) else list(gone)
    return x[[name for name in x.names or () if name not in gone]]


@method("apply")
def apply(x: Traced, func: Any, axis: Any = 0, *, args: Any = (), **rest: Any) -> Any:
    """Of a column value by value; of a frame column by column, or row by row. What is given besides is the function's,
    but for what pandas takes itself."""
    unused(
        {name: rest.pop(name) for name in ("raw", "result_type", "convert_dtype", "by_row", "engine") if name in rest}
    )
    if isinstance(func, np.ufunc) and not x.flat:
        return func(x)
    given = partial(func, **rest) if rest else func
    called = (lambda value: given(value, *args)) if args else given
    if x.flat:
        return values_of(x, called)
    if axis in (1, "columns"):
        return branched(called, Row(x), x[:, 0])
    parts = [called(x[name]) for name in x.names or ()]
    if not all(isinstance(part, Traced) and part.flat for part in parts):
        raise Untraceable("it reduces over rows")
    joined = arrays.beside(parts)
    return Traced(joined.matrix, x.scope, names=x.names)


def values_of(x: Traced, function: Any) -> Traced:
    """What a function answers to each value of a column."""
    if function is len:
        lengths: Traced = x.str.len()
        return lengths
    return branched(function, x, x)


def _operator(name: str, numpy: Any) -> None:
    def operate(x: Traced, other: Any, axis: Any = "columns", **rest: Any) -> Any:
        unused(rest)
        if isinstance(other, Traced) and other.flat and not x.flat:
            if axis not in (0, "index"):
                raise Untraceable("it pairs a column's rows with columns")
            return numpy(x, Traced(other.matrix, x.scope))
        return numpy(x, other)

    FRAMES[name] = operate


for _name, _numpy in {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "truediv": np.divide,
    "pow": np.power,
    "mod": np.mod,
    "floordiv": np.floor_divide,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lt": np.less,
    "le": np.less_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}.items():
    _operator(_name, _numpy)
