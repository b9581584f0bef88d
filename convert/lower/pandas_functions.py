"""What stands for pandas' own functions while a function is traced: it takes what is traced as well."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from . import arrays, parsing
from .frames import Index
from .hooks import FRAMES, Untraceable
from .rebound import stand_in
from .traced import Traced


@stand_in(pd.DataFrame)
class _Frame(pd.DataFrame):  # type: ignore[misc]
    """A class, for functions ask whether something is a frame, and have methods of it called."""

    def __new__(cls, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        index = kwargs.get("index")
        if data is None and isinstance(index, Index):
            return Traced(index.frame.matrix.select([]), index.frame.scope, names=[])
        columns = list(data.values()) if isinstance(data, Mapping) else [data]
        if not any(isinstance(column, Traced) for column in columns):
            return pd.DataFrame(data, *args, **kwargs)
        if args or kwargs.keys() - {"columns", "index"}:
            raise Untraceable("it makes a frame with more than data and columns")
        if not isinstance(data, Mapping):
            return Traced(data.matrix, data.scope, names=kwargs.get("columns", data.names or range(data.width)))
        if "columns" in kwargs:
            raise Untraceable("it makes a frame of a dict with other columns")
        return _beside(columns, list(data))


@stand_in(pd.Series)
class _Series(pd.Series):  # type: ignore[misc]
    """A class for the same reason."""

    def __new__(cls, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(data, Traced):
            return pd.Series(data, *args, **kwargs)
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


@stand_in(pd.concat)
def _concat(objs: Any, *args: Any, axis: Any = 0, **kwargs: Any) -> Any:
    parts = list(objs.values()) if isinstance(objs, Mapping) else list(objs)
    if not any(isinstance(part, Traced) for part in parts):
        return pd.concat(objs, *args, axis=axis, **kwargs)
    if axis not in (1, "columns") or args or isinstance(objs, Mapping) or kwargs.keys() - {"copy", "sort"}:
        raise Untraceable("it puts frames one below the other")
    if not all(isinstance(part, Traced) for part in parts):
        raise Untraceable("it joins columns with some that have rows of their own")
    names = [name for part in parts for name in part.names or range(part.width)]
    return Traced(arrays.beside(parts).matrix, parts[0].scope, names=names)


@stand_in(pd.to_datetime)
def _to_datetime(arg: Any, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(arg, Traced):
        return pd.to_datetime(arg, *args, **kwargs)
    return parsing.to_datetime(arg, *args, **kwargs)


@stand_in(pd.to_numeric)
def _to_numeric(arg: Any, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(arg, Traced):
        return pd.to_numeric(arg, *args, **kwargs)
    if arg.of_words or arg.of_times:
        raise Untraceable("it makes numbers of what is none")
    return arg


@stand_in(pd.cut)
def _cut(x: Any, bins: Any, right: bool = True, labels: Any = None, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(x, Traced):
        return pd.cut(x, bins, right, labels, *args, **kwargs)
    lowest = kwargs.pop("include_lowest", False)
    numbered = labels is False or (labels is not None and all(isinstance(label, int | float) for label in labels))
    if not x.flat or np.ndim(bins) != 1 or args or kwargs or not numbered:
        raise Untraceable("it cuts into intervals that are no numbers: give the bins, and labels=False")
    places: Any = np.searchsorted(np.asarray(bins), x, "left" if right else "right")
    if lowest:
        places = np.where(x == bins[0], 1, places)
    inside = np.where((places >= 1) & (places < len(bins)), places - 1, np.nan)
    return inside if labels is False else FRAMES["map"](inside, dict(enumerate(labels)))


def _asked(name: str) -> None:
    own = getattr(pd, name)

    @stand_in(own)
    def asked(obj: Any) -> Any:
        return FRAMES[name](obj) if isinstance(obj, Traced) else own(obj)


for _name in ("isna", "isnull", "notna", "notnull"):
    _asked(_name)
