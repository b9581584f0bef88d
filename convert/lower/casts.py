"""What ``astype`` makes of what is traced."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import spox.opset.ai.onnx.v21 as op

from . import arrays
from .hooks import FRAMES, TIMES, Untraceable
from .matrix import FLOAT32, MISSING, Categorical, Matrix
from .traced import Traced
from .ufuncs import UFUNCS, numeric

SAME = ("object", "category")
"""Types of pandas' in which a value stays what it is."""
STRINGS = ("str", "string", "object")


def astype(x: Traced, dtype: Any, *_: Any, **__: Any) -> Traced:
    if isinstance(dtype, Mapping):
        return each(x, lambda column, name: column.astype(dtype[name]) if name in dtype else column)
    if x.of_times:
        found: Traced = TIMES["astype"](x, np.dtype(dtype))
        return found
    if isinstance(dtype, pd.CategoricalDtype) and dtype.categories is not None:
        raise Untraceable("it makes categories out of some and leaves the others out")
    name = dtype.__name__ if isinstance(dtype, type) else str(dtype)
    if x.of_words and not x.flat:
        return each(x, lambda column, _: column.astype(dtype))
    if x.of_words and name in (*SAME, *STRINGS):
        return _of_words(x, dtype)
    if name in SAME:
        return x.copy()
    if x.of_words and x.names is not None and _of_times(dtype):
        read: Traced = TIMES["read"](x)
        return astype(read, dtype)
    if x.of_words:
        raise Untraceable(f"it makes {name} of categories")
    if name in STRINGS:
        raise Untraceable("it makes strings of numbers")
    return _number(x, np.dtype(dtype))


FRAMES["astype"] = astype


def _of_words(x: Traced, dtype: Any) -> Traced:
    """A single column, with what pandas or NumPy makes of a missing value: another kind of it, or a string (of pandas'
    ``str`` before 3.0)."""
    (column,) = x.matrix.columns
    if not isinstance(column, Categorical) or not x.scope.scope.missing[column.source]:
        return x.copy()
    cell = np.array([column.marker], object)
    after = (cell if x.names is None else pd.Series(cell, dtype=object)).astype(dtype)[0]
    column = (
        replace(column, changes=(*column.changes, (MISSING, str(after))))
        if isinstance(after, str)
        else replace(column, marker=after)
    )
    return Traced(Matrix(x.scope.scope, (column,)), x.scope, flat=x.flat, names=x.names)


def _of_times(dtype: Any) -> bool:
    try:
        return bool(np.dtype(dtype).kind == "M")
    except TypeError:  # it is one of pandas' own
        return False


def _number(x: Traced, dtype: np.dtype[Any]) -> Traced:
    if dtype.kind == "b":
        return x.like(UFUNCS["logical_not"](UFUNCS["logical_not"](x.tensor)))
    if dtype == np.float64:
        return x.like(numeric(x.tensor)) if x.dtype == np.bool_ else x.copy()
    if dtype == np.float32:
        # What is computed of it afterwards has more digits here than there, and the proof will say so.
        matrix = x.matrix
        rounded = op.cast(op.cast(matrix.tensor, to=np.float32), to=np.float64)
        return Traced(matrix.map(rounded, [FLOAT32] * matrix.width), x.scope, flat=x.flat, names=x.names)
    if x.dtype == np.bool_ and dtype.kind in "iuf":
        return x.like(numeric(x.tensor))
    if dtype in (np.int64, np.int32):
        # What an integer cannot hold becomes the smallest of them, as on x86.
        whole, limit = UFUNCS["trunc"](x.tensor), op.const(2.0 ** (8 * dtype.itemsize - 1))
        return x.like(op.where(op.less(op.abs(whole), limit), whole, op.neg(limit)))
    raise Untraceable(f"it computes in {dtype}")


def each(x: Traced, function: Any) -> Traced:
    """A frame of what becomes of each column by itself, by a function of it and its name; of one column that."""
    if x.flat:
        made: Traced = function(x, x.names[0] if x.names else None)
        return made
    names = x.names if x.names is not None else [None] * x.width
    parts = [function(x[:, place], name) for place, name in enumerate(names)]
    joined = arrays.beside(parts) if parts else x
    return Traced(joined.matrix, x.scope, names=x.names)
