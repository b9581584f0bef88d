"""What a function may do with a frame of pandas', or with one of its columns, while it is traced."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op

from . import arrays, dt, times
from .traced import FRAMES, PROPERTIES, Traced, Untraceable
from .ufuncs import numeric


def _method(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        FRAMES[name] = function
        return function

    return register


def _unnamed(x: Traced) -> Traced:
    """The same as an array."""
    return Traced(x.matrix if not x.flat else x.tensor, x.scope, flat=x.flat)


PROPERTIES["values"] = _unnamed
PROPERTIES["columns"] = lambda x: list(x.names)


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


PROPERTIES["dt"] = dt.Dt
PROPERTIES["loc"] = lambda x: _Located(x, named=True)
PROPERTIES["iloc"] = lambda x: _Located(x, named=False)


@_method("to_numpy")
def to_numpy(x: Traced, *_: Any, **__: Any) -> Traced:
    return _unnamed(x)


@_method("to_frame")
def to_frame(x: Traced, name: Any = None) -> Traced:
    return Traced(x.matrix, x.scope, names=[name if name is not None else x.names[0] if x.names else 0])


@_method("rename")
def rename(x: Traced, index: Any = None, *, columns: Any = None, **_: Any) -> Traced:
    """A column by another name, or a frame's columns by others."""
    x = x.copy()
    if x.flat:
        x.names = (index,)
    elif isinstance(columns, Mapping):
        x.names = tuple(columns.get(name, name) for name in x.names or ())
    else:
        raise Untraceable("it renames otherwise than by a dict of columns")
    return x


@_method("abs")
def absolute(x: Traced) -> Any:
    return np.abs(x)


@_method("clip")
def clip(x: Traced, lower: Any = None, upper: Any = None, **_: Any) -> Any:
    return np.clip(x, lower, upper)


@_method("fillna")
def fillna(x: Traced, value: Any = None, **_: Any) -> Traced:
    if x.of_times:
        return times.filled(x, value)
    if isinstance(value, dict):
        value = np.array([value.get(name, np.nan) for name in x.names or ()], np.float64)
    return arrays.filled(x, value)


def _missing(x: Traced) -> Traced:
    if x.of_times:
        return x.like(times.missing(x))
    return x.like(op.isnan(numeric(x.tensor)))


FRAMES["isna"] = FRAMES["isnull"] = _missing
FRAMES["notna"] = FRAMES["notnull"] = lambda x: ~_missing(x)


@_method("assign")
def assign(x: Traced, **columns: Any) -> Traced:
    x = x.copy()
    for name, value in columns.items():
        x[name] = value(x) if callable(value) else value
    return x


@_method("drop")
def drop(x: Traced, labels: Any = None, *, axis: Any = 0, columns: Any = None, **_: Any) -> Traced:
    if columns is None and axis not in (1, "columns"):
        raise Untraceable("it drops rows")
    gone = labels if columns is None else columns
    gone = [gone] if isinstance(gone, str) else list(gone)
    return x[[name for name in x.names or () if name not in gone]]


@_method("where")
def where(x: Traced, cond: Any, other: Any = np.nan) -> Any:
    return np.where(cond(x) if callable(cond) else cond, x, other)


@_method("mask")
def mask(x: Traced, cond: Any, other: Any = np.nan) -> Any:
    return np.where(cond(x) if callable(cond) else cond, other, x)


@_method("apply")
def apply(x: Traced, func: Any, axis: Any = 0, **_: Any) -> Any:
    """Of a column a function of NumPy's; of a frame column by column."""
    if x.flat or isinstance(func, np.ufunc):
        return func(x)
    if axis not in (0, "index"):
        raise Untraceable("it goes through rows one by one")
    parts = [func(x[name]) for name in x.names or ()]
    if not all(isinstance(part, Traced) and part.flat for part in parts):
        raise Untraceable("it reduces over rows")
    joined = arrays.beside(parts)
    return Traced(joined.matrix, x.scope, names=x.names)


@_method("isin")
def isin(x: Traced, values: Any) -> Any:
    return np.isin(x, values)


@_method("sum")
def total(x: Traced, axis: Any = 0, skipna: bool = True, **_: Any) -> Any:
    return (np.nansum if skipna else np.sum)(x, axis=_columns(axis))


@_method("mean")
def mean(x: Traced, axis: Any = 0, skipna: bool = True, **_: Any) -> Any:
    return (np.nanmean if skipna else np.mean)(x, axis=_columns(axis))


@_method("max")
def largest(x: Traced, axis: Any = 0, skipna: bool = True, **_: Any) -> Any:
    return (np.nanmax if skipna else np.max)(x, axis=_columns(axis))


@_method("min")
def smallest(x: Traced, axis: Any = 0, skipna: bool = True, **_: Any) -> Any:
    return (np.nanmin if skipna else np.min)(x, axis=_columns(axis))


def _columns(axis: Any) -> Any:
    return 1 if axis == "columns" else axis


def _operator(name: str, numpy: Any) -> None:
    def operate(x: Traced, other: Any, axis: Any = "columns", **_: Any) -> Any:
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
