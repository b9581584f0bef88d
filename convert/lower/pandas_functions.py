"""pandas' own functions, while a function is traced: those that it calls as ``pd.concat`` and the like take what is
traced as well. What imported them by name has pandas' own, which refuse it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from . import arrays, parsing
from .traced import FRAMES, Traced, Untraceable

__all__ = ["listening"]


class _Frame(pd.DataFrame):  # type: ignore[misc]
    """A class, for functions ask whether something is a frame."""

    def __new__(cls, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        columns = list(data.values()) if isinstance(data, Mapping) else [data]
        if not any(isinstance(column, Traced) for column in columns):
            return _OWN["DataFrame"](data, *args, **kwargs)
        if args or kwargs.keys() - {"columns", "index"}:
            raise Untraceable("it makes a frame with more than data and columns")
        if not isinstance(data, Mapping):
            return Traced(data.matrix, data.scope, names=kwargs.get("columns", data.names or range(data.width)))
        if "columns" in kwargs:
            raise Untraceable("it makes a frame of a dict with other columns")
        return _beside(columns, list(data))


def _beside(columns: list[Any], names: list[Any]) -> Traced:
    model = next(column for column in columns if isinstance(column, Traced))
    spread = [column if isinstance(column, Traced) else _constant(model, column) for column in columns]
    if not all(column.flat for column in spread):
        raise Untraceable("it makes a frame of columns that are frames")
    return Traced(arrays.beside(spread).matrix, model.scope, names=names)


def _constant(model: Traced, value: Any) -> Traced:
    """A number for every row."""
    if np.ndim(value):
        raise Untraceable("it makes a frame of a column with rows of its own")
    column = model if model.flat else model[:, 0]
    whole: Any = np.full_like(FRAMES["isna"](column), value)
    made: Traced = whole
    return made


def _concat(objs: Any, *args: Any, axis: Any = 0, **kwargs: Any) -> Any:
    parts = list(objs.values()) if isinstance(objs, Mapping) else list(objs)
    if not any(isinstance(part, Traced) for part in parts):
        return _OWN["concat"](objs, *args, axis=axis, **kwargs)
    if axis not in (1, "columns") or args or isinstance(objs, Mapping) or kwargs.keys() - {"copy", "sort"}:
        raise Untraceable("it puts frames one below the other")
    if not all(isinstance(part, Traced) for part in parts):
        raise Untraceable("it joins columns with some that have rows of their own")
    names = [name for part in parts for name in part.names or range(part.width)]
    return Traced(arrays.beside(parts).matrix, parts[0].scope, names=names)


def _to_datetime(arg: Any, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(arg, Traced):
        return _OWN["to_datetime"](arg, *args, **kwargs)
    return parsing.to_datetime(arg, *args, **kwargs)


def _asked(name: str) -> Callable[..., Any]:
    def asked(obj: Any) -> Any:
        return FRAMES[name](obj) if isinstance(obj, Traced) else _OWN[name](obj)

    return asked


_FUNCTIONS: dict[str, Any] = {
    "DataFrame": _Frame,
    "concat": _concat,
    "to_datetime": _to_datetime,
    **{name: _asked(name) for name in ("isna", "isnull", "notna", "notnull")},
}
_OWN = {name: getattr(pd, name) for name in _FUNCTIONS}


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """While it lasts ``pandas`` has these in place of its own."""
    with patch.multiple(pd, **_FUNCTIONS):
        yield
