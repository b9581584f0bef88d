"""pandas' own functions, while a function is traced: those that it calls as ``pd.concat`` and the like take what is
traced as well. What imported them by name has pandas' own, which refuse it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from . import arrays, parsing
from .frames import Index
from .traced import FRAMES, Traced, Untraceable

__all__ = ["listening"]


class _Frame(pd.DataFrame):  # type: ignore[misc]
    """A class, for functions ask whether something is a frame."""

    def __new__(cls, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        index = kwargs.get("index")
        if data is None and isinstance(index, Index):
            return Traced(index.frame.matrix.select([]), index.frame.scope, names=[])
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


class _Series(pd.Series):  # type: ignore[misc]
    """A class for the same reason."""

    def __new__(cls, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(data, Traced):
            return _OWN["Series"](data, *args, **kwargs)
        if not data.flat or args or kwargs.keys() - {"index", "name"}:
            raise Untraceable("it makes a series with more than data, index and name")
        return Traced(data.matrix, data.scope, flat=True, names=[kwargs.get("name", (data.names or [None])[0])])


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


def _to_numeric(arg: Any, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(arg, Traced):
        return _OWN["to_numeric"](arg, *args, **kwargs)
    if arg.of_words or arg.of_times:
        raise Untraceable("it makes numbers of what is none")
    return arg


def _cut(x: Any, bins: Any, right: bool = True, labels: Any = None, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(x, Traced):
        return _OWN["cut"](x, bins, right, labels, *args, **kwargs)
    lowest = kwargs.pop("include_lowest", False)
    numbered = labels is False or (labels is not None and all(isinstance(label, int | float) for label in labels))
    if not x.flat or np.ndim(bins) != 1 or args or kwargs or not numbered:
        raise Untraceable("it cuts into intervals that are no numbers: give the bins, and labels=False")
    places: Any = np.searchsorted(np.asarray(bins), x, "left" if right else "right")
    if lowest:
        places = np.where(x == bins[0], 1, places)
    inside = np.where((places >= 1) & (places < len(bins)), places - 1, np.nan)
    return inside if labels is False else FRAMES["map"](inside, dict(enumerate(labels)))


def _asked(name: str) -> Callable[..., Any]:
    def asked(obj: Any) -> Any:
        return FRAMES[name](obj) if isinstance(obj, Traced) else _OWN[name](obj)

    return asked


_FUNCTIONS: dict[str, Any] = {
    "DataFrame": _Frame,
    "Series": _Series,
    "cut": _cut,
    "to_numeric": _to_numeric,
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
