"""What makes arrays, and what Python and ``math`` do to a number, while a function is traced: NumPy's protocols do not
reach them."""

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg

from . import arrays
from .hooks import DECIDING, FRAMES, Untraceable
from .rebound import original, stand_in
from .shaped import Shaped
from .traced import Traced


def _listens(value: Any) -> bool:
    return isinstance(value, Shaped | Traced)


def _joined(value: Any) -> Any:
    """Of several that listen one, of anything else itself."""
    return np.stack(value) if isinstance(value, tuple | list) and any(map(_listens, value)) else value


def _unnamed(value: Any) -> Any:
    """As an array."""
    return value.to_numpy() if isinstance(value, Traced) and value.names is not None else value


@stand_in(np.asarray, np.ascontiguousarray, np.asanyarray)
def _as_array(value: Any, dtype: Any = None, *rest: Any, **given: Any) -> Any:
    value = _unnamed(_joined(value))
    if not _listens(value):
        return np.asarray(value, dtype, *rest, **given)
    return value if dtype is None or value.dtype == dtype else value.astype(dtype)


@stand_in(np.array)
def _new_array(value: Any, dtype: Any = None, **given: Any) -> Any:
    value = _unnamed(_joined(value))
    if not _listens(value):
        return np.array(value, dtype, **given)
    return value.copy() if dtype is None else value.astype(dtype)


class _Columns:
    """``numpy.c_``."""

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not any(isinstance(part, Traced) for part in parts):
            return np.c_[key]
        if not all(isinstance(part, Traced) for part in parts):
            raise Untraceable("it joins columns with numbers that have rows of their own")
        return Traced(arrays.beside(parts).matrix, parts[0].scope)


stand_in(np.c_)(_Columns())


@stand_in(linalg.norm)
def _norm(value: Any, *args: Any, check_finite: bool = True, **given: Any) -> Any:
    if not _listens(value):
        return linalg.norm(value, *args, check_finite=check_finite, **given)
    return np.linalg.norm(value, *args, **given)


class _Type(type):
    """Of a class that is also a type for NumPy and for isinstance."""

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, original(cls))


def _is_one(value: Any) -> bool:
    """Whether it stands for a single value of a column."""
    return isinstance(value, Traced) and value.flat and DECIDING.get() is not None


@stand_in(float)
class _Float(float, metaclass=_Type):
    """``float``."""

    dtype = np.dtype(np.float64)

    def __new__(cls, value: Any = 0.0) -> Any:
        """Of one number, or of an array that holds one."""
        if _is_one(value):
            return value.astype(np.float64)
        return value.item().astype(np.float64) if isinstance(value, Shaped) else float(value)


@stand_in(int)
class _Int(int, metaclass=_Type):
    """``int``."""

    dtype = np.dtype(np.int64)

    def __new__(cls, value: Any = 0, *rest: Any) -> Any:
        """Of a single value too: which numbers are none Python says by raising, and is not asked for."""
        return np.trunc(value.astype(np.float64)) if _is_one(value) and not rest else int(value, *rest)


_Float.__name__, _Int.__name__ = float.__name__, int.__name__  # for whom they are told to


@stand_in(isinstance)
def _is_instance(value: Any, classes: Any) -> bool:
    asked = original(classes)
    if not _listens(value):
        return isinstance(value, asked)
    if isinstance(value, Shaped):
        return issubclass(np.ndarray if value.ndim else np.float64, asked)
    if _is_one(value):
        return _is_value(value, asked)
    return issubclass(np.ndarray if value.names is None else pd.Series if value.flat else pd.DataFrame, asked)


def _is_value(value: Traced, asked: Any) -> bool:
    """Of a single value of a column: a string is one where it is not missing."""
    if value.of_words and asked is str:
        return bool(~FRAMES["isna"](value))
    if value.of_words or value.of_times:
        raise Untraceable("it asks what type a value has: use pandas.isna")
    return issubclass(np.float64, asked)


@stand_in(issubclass)
def _is_subclass(cls: Any, classes: Any) -> bool:
    return issubclass(cls, original(classes))


@stand_in(max)
def _largest(*given: Any, **rest: Any) -> Any:
    return _chosen(max, np.max, -np.inf, given, rest)


@stand_in(min)
def _smallest(*given: Any, **rest: Any) -> Any:
    return _chosen(min, np.min, np.inf, given, rest)


def _chosen(plain: Any, numpys: Any, least: float, given: tuple[Any, ...], rest: dict[str, Any]) -> Any:
    """As Python compares one number after the other: NaN stays where it comes first, and is passed over elsewhere.
    Of what listens by its columns Python's own asks which number is larger."""
    values = given if len(given) > 1 else given[0]
    some = isinstance(values, tuple | list) and any(isinstance(value, Shaped) for value in values)
    parts = np.stack(values) if some else values
    if rest or not isinstance(parts, Shaped):
        return plain(*given, **rest)
    if parts.ndim != 1:
        raise Untraceable("it compares arrays as a whole")
    return np.where(np.isnan(parts[0]), parts[0], numpys(np.where(np.isnan(parts), least, parts)))


def _of_math(name: str, numpys: Any) -> None:
    own = getattr(math, name)

    @stand_in(own)
    def of_math(*given: Any) -> Any:
        if not any(map(_listens, given)):
            return own(*given)
        return numpys(*(_Float(value) if isinstance(value, Shaped) else value for value in given))


for _name in ("ceil", "cos", "cosh", "degrees", "exp", "exp2", "expm1", "fabs", "floor", "fmod", "hypot", "isfinite",
              "isinf", "isnan", "log10", "log1p", "log2", "pow", "radians", "sin", "sinh", "sqrt", "tan", "tanh",
              "trunc"):  # fmt: skip
    _of_math(_name, getattr(np, _name))
for _name in ("sin", "cos", "tan", "tan2"):
    _of_math(f"a{_name}", getattr(np, f"arc{_name}"))
_of_math("log", lambda value, base=None: np.log(value) if base is None else np.log(value) / np.log(base))
