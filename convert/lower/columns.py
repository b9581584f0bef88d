"""What pandas' methods do with whole columns of a frame while a function is traced: name, join, insert and drop them,
and reduce each row over them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import arrays
from .frames import method
from .hooks import unused
from .traced import FRAMES, FUNCTIONS, PROPERTIES, Traced, Untraceable


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


def _by_row(name: str, numpys: Callable[..., Any], known: Callable[..., Any] | None = None) -> None:
    """A reduction over a row's cells; over those that are not missing by ``known``."""

    def reduced(x: Traced, axis: Any = 0, skipna: bool = True, **rest: Any) -> Any:
        unused(rest)
        given = known(x) if known is not None and skipna else x
        return FUNCTIONS[numpys](given, axis=1 if axis == "columns" else axis)

    FRAMES[name] = reduced


_by_row("any", np.any, lambda x: arrays.filled(x, 0.0) if x.dtype != np.bool_ else x)
_by_row("all", np.all)
_by_row("prod", np.prod, lambda x: arrays.filled(x, 1.0))
