"""What pandas' methods do with whole columns of a frame while a function is traced: name, join, insert and drop them,
and reduce each row over them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import arrays
from .frames import method
from .hooks import FRAMES, FUNCTIONS, PROPERTIES, Untraceable, unused
from .matrix import Categorical, Date, Time
from .traced import Traced


def _names(x: Traced) -> list[Any]:
    return list(x.names or ())


def _renamed(x: Traced, names: Any) -> Traced:
    names = list(names)
    if len(names) != x.width:
        raise Untraceable("it gives columns another number of names")
    x = x.copy()
    x.names = tuple(names)
    return x


def _become(x: Traced, other: Traced) -> None:
    """In place."""
    x.hold(other.matrix, other.names)


PROPERTIES["columns"] = _names
FRAMES["keys"] = _names
FRAMES["add_prefix"] = lambda x, prefix, axis=1: _renamed(x, [f"{prefix}{name}" for name in _names(x)])
FRAMES["add_suffix"] = lambda x, suffix, axis=1: _renamed(x, [f"{name}{suffix}" for name in _names(x)])


@method("set_axis")
def set_axis(x: Traced, labels: Any, *, axis: Any = 0, **rest: Any) -> Traced:
    unused(rest, "copy")
    if axis not in (1, "columns"):
        raise Untraceable("it names rows")
    return _renamed(x, labels)


@method("join")
def join(x: Traced, other: Any, **rest: Any) -> Traced:
    """By the index, which is the same for all that is traced."""
    if rest or not isinstance(other, Traced) or set(_names(x)) & set(_names(other)):
        raise Untraceable("it joins otherwise than by the index, or columns of one name")
    return Traced(arrays.beside([x, other]).matrix, x.scope, names=_names(x) + _names(other))


@method("pop")
def pop(x: Traced, item: Any) -> Traced:
    taken = x[item]
    _become(x, x[[name for name in _names(x) if name != item]])
    return taken


@method("insert")
def insert(x: Traced, loc: int, column: Any, value: Any, **rest: Any) -> None:
    unused(rest)
    names = _names(x)
    if column in names:
        raise Untraceable("it inserts a column that is there")
    x[column] = value
    _become(x, x[[*names[:loc], column, *names[loc:]]])


def _axis(axis: Any) -> Any:
    return 1 if axis == "columns" else axis


def _by_row(name: str, numpys: Any, skipping: Callable[..., Any]) -> None:
    """A reduction over a row's cells; over those that are not missing by ``skipping``."""

    def reduced(x: Traced, axis: Any = 0, skipna: bool = True, numeric_only: bool = False, **rest: Any) -> Any:
        unused(rest)
        if numeric_only:
            columns = enumerate(x.matrix.columns)
            x = x[:, [place for place, column in columns if not isinstance(column, Categorical | Date | Time)]]
        return (skipping if skipna else FUNCTIONS[numpys])(x, axis=_axis(axis))

    FRAMES[name] = reduced


def _any_known(x: Traced, axis: Any) -> Any:
    return FUNCTIONS[np.any](x if x.dtype == np.bool_ else arrays.filled(x, 0.0), axis=axis)


_by_row("sum", np.sum, FUNCTIONS[np.nansum])
_by_row("mean", np.mean, FUNCTIONS[np.nanmean])
_by_row("max", np.max, FUNCTIONS[np.nanmax])
_by_row("min", np.min, FUNCTIONS[np.nanmin])
_by_row("prod", np.prod, lambda x, axis: FUNCTIONS[np.prod](arrays.filled(x, 1.0), axis=axis))
_by_row("any", np.any, _any_known)
_by_row("all", np.all, FUNCTIONS[np.all])


@method("cumsum")
def running(x: Traced, axis: Any = 0, **rest: Any) -> Any:
    unused(rest)
    gaps = FRAMES["isna"](x)
    return np.where(gaps, np.nan, x.like(arrays.running(arrays.filled(x, 0.0), axis=_axis(axis)).tensor))
