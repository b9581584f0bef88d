"""A Python function with stand-ins in place of what cannot listen: a copy of it that sees other globals.

NumPy hands its functions to whoever listens; ``float``, ``math.exp``, ``numpy.asarray`` and scikit-learn's and SciPy's
own functions do not. The copy, and copies of the plain functions that it calls, find stand-ins for these where they
look them up; nothing of anybody's is patched.
"""

import builtins
import functools
import inspect
import math
from collections.abc import Callable
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from scipy import linalg
from scipy.spatial import distance

from .shaped import Shaped
from .traced import Traced, Untraceable

__all__ = ["of_instances", "rebound", "stand_in"]

STAND_INS: dict[Any, Callable[..., Any]] = {}
"""By function, what answers in its place."""
INSTANCES: dict[type, Callable[[Any], Callable[..., Any]]] = {}
"""By class, what answers in place of its instances where they are called."""
LIBRARIES = {"numpy", "math", "scipy", "sklearn"}
"""Modules in which stand-ins are looked up when a function names them: ``numpy.asarray``, ``distance.euclidean``."""
CLOSED = {"numpy", "scipy", "sklearn", "pandas", "builtins"}
"""Libraries whose functions are taken as they are, for they are not written for what listens."""


def stand_in(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register what answers in place of functions. It is also asked where nothing is traced."""

    def register(own: Callable[..., Any]) -> Callable[..., Any]:
        STAND_INS.update(dict.fromkeys(functions, own))
        return own

    return register


def of_instances(cls: type) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Register what makes of an instance that is called what answers in its place."""

    def register(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        INSTANCES[cls] = make
        return make

    return register


class _Listening:
    """A module with stand-ins."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return rebound(getattr(self._module, name))


def rebound(value: Any, known: dict[int, Any] | None = None) -> Any:
    """A function with stand-ins for what it looks up, or what stands in for it; anything else as it is.

    known: by id, the copies made so far: functions may call each other.
    """
    known = {} if known is None else known
    if id(value) in known:
        return known[id(value)]
    if isinstance(value, ModuleType):
        return _Listening(value) if value.__name__.partition(".")[0] in LIBRARIES else value
    if isinstance(value, functools.partial):
        return functools.partial(rebound(value.func, known), *value.args, **value.keywords)
    if isinstance(value, MethodType):
        return MethodType(rebound(value.__func__, known), value.__self__)
    if _registered(value):
        return STAND_INS[value]
    if isinstance(value, FunctionType):
        return _copy(value, known) if _open(value) else value
    for cls, make in INSTANCES.items():
        if isinstance(value, cls):
            return make(value)
    call = inspect.getattr_static(type(value), "__call__", None)
    return MethodType(rebound(call, known), value) if isinstance(call, FunctionType) and _open(call) else value


def _registered(value: Any) -> bool:
    try:
        return value in STAND_INS
    except TypeError:  # nothing to look up by
        return False


def _open(function: FunctionType) -> bool:
    own = function.__module__ or ""
    return own.partition(".")[0] not in CLOSED or own == distance.__name__


def _copy(function: FunctionType, known: dict[int, Any]) -> FunctionType:
    seen = dict(function.__globals__)
    cells = tuple(CellType() for _ in function.__closure__ or ())
    made = FunctionType(function.__code__, seen, function.__name__, function.__defaults__, cells or None)
    made.__kwdefaults__ = function.__kwdefaults__
    known[id(function)] = made
    for name in _names(function.__code__):
        found = seen.get(name, getattr(builtins, name, None))
        if found is not None:
            seen[name] = rebound(found, known)
    for own, cell in zip(cells, function.__closure__ or (), strict=True):
        try:
            own.cell_contents = rebound(cell.cell_contents, known)
        except ValueError:  # it is not filled yet
            continue
    return made


def _names(code: CodeType) -> set[str]:
    """What a function and those inside it look up."""
    inner = (_names(part) for part in code.co_consts if isinstance(part, CodeType))
    return set(code.co_names).union(*inner)


def _listens(value: Any) -> bool:
    return isinstance(value, Shaped | Traced)


def _joined(value: Any) -> Any:
    """Of several that listen one, of anything else itself."""
    return np.stack(value) if isinstance(value, tuple | list) and any(map(_listens, value)) else value


@stand_in(np.asarray, np.ascontiguousarray, np.asanyarray)
def _as_array(value: Any, dtype: Any = None, *rest: Any, **given: Any) -> Any:
    value = _joined(value)
    if not _listens(value):
        return np.asarray(value, dtype, *rest, **given)
    return value if dtype is None or value.dtype == dtype else value.astype(dtype)


@stand_in(np.array)
def _new_array(value: Any, dtype: Any = None, **given: Any) -> Any:
    value = _joined(value)
    if not _listens(value):
        return np.array(value, dtype, **given)
    return value.astype(value.dtype if dtype is None else dtype)


@stand_in(linalg.norm)
def _norm(value: Any, *args: Any, check_finite: bool = True, **given: Any) -> Any:
    if not _listens(value):
        return linalg.norm(value, *args, check_finite=check_finite, **given)
    return np.linalg.norm(value, *args, **given)


class _Type(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, float)


class _Float(float, metaclass=_Type):
    """``float``, which also is a type for NumPy and for isinstance."""

    dtype = np.dtype(np.float64)

    def __new__(cls, value: Any = 0.0) -> Any:
        """Of one number, or of an array that holds one."""
        return value.item().astype(np.float64) if isinstance(value, Shaped) else float(value)


STAND_INS[float] = _Float


@stand_in(isinstance)
def _is_instance(value: Any, classes: Any) -> bool:
    if not isinstance(value, Shaped):
        return isinstance(value, classes)
    asked = classes if isinstance(classes, tuple) else (classes,)
    return issubclass(np.ndarray if value.ndim else np.float64, tuple(float if one is _Float else one for one in asked))


@stand_in(max)
def _largest(*given: Any, **rest: Any) -> Any:
    return _chosen(max, np.max, -np.inf, given, rest)


@stand_in(min)
def _smallest(*given: Any, **rest: Any) -> Any:
    return _chosen(min, np.min, np.inf, given, rest)


def _chosen(plain: Any, numpys: Any, least: float, given: tuple[Any, ...], rest: dict[str, Any]) -> Any:
    """As Python compares one number after the other: NaN stays where it comes first, and is passed over elsewhere."""
    parts = _joined(given if len(given) > 1 else given[0])
    if rest or not isinstance(parts, Shaped):
        return plain(*given, **rest)
    if parts.ndim != 1:
        raise Untraceable("it compares arrays as a whole")
    return np.where(np.isnan(parts[0]), parts[0], numpys(np.where(np.isnan(parts), least, parts)))


def _of_math(name: str, numpys: Any) -> None:
    own = getattr(math, name)

    @stand_in(own)
    def of_math(*given: Any) -> Any:
        if not any(isinstance(value, Shaped) for value in given):
            return own(*given)
        return numpys(*(_Float(value) for value in given))


for _name in ("ceil", "cos", "cosh", "exp", "exp2", "expm1", "fabs", "floor", "fmod", "isfinite", "isinf", "isnan",
              "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan", "tanh", "trunc", "hypot", "pow"):  # fmt: skip
    _of_math(_name, getattr(np, _name))
_of_math("log", lambda value, base=None: np.log(value) if base is None else np.log(value) / np.log(base))
