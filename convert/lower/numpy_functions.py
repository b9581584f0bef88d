"""What makes arrays, and what ``math`` does to a number, while a function is traced: NumPy's protocols do not reach
them. What imported one by name has the module's own, which refuses what is traced."""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import numpy as np

from . import arrays
from .traced import Traced, Untraceable

__all__ = ["listening"]


def _made(name: str) -> Callable[..., Any]:
    def made(a: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(a, Traced):
            return _OWN[name](a, dtype, *args, **kwargs)
        array = Traced(a.matrix if a.of_words or a.of_times else a.tensor, a.scope, flat=a.flat)
        return array if dtype is None else array.astype(dtype)

    return made


class _Columns:
    """``numpy.c_``."""

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not any(isinstance(part, Traced) for part in parts):
            return _OWN["c_"][key]
        if not all(isinstance(part, Traced) for part in parts):
            raise Untraceable("it joins columns with numbers that have rows of their own")
        return Traced(arrays.beside(parts).matrix, parts[0].scope)


def _of_one(name: str, numpys: Any) -> Callable[..., Any]:
    own = getattr(math, name)
    return lambda *given: (numpys if any(isinstance(one, Traced) for one in given) else own)(*given)


_MATH: dict[str, Any] = {
    **{name: _of_one(name, getattr(np, name)) for name in ("exp", "expm1", "log1p", "log2", "log10", "sqrt", "fabs")},
    **{name: _of_one(name, getattr(np, name)) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "hypot")},
    **{name: _of_one(name, getattr(np, name)) for name in ("floor", "ceil", "isnan", "isinf", "radians", "degrees")},
    **{f"a{name}": _of_one(f"a{name}", getattr(np, f"arc{name}")) for name in ("sin", "cos", "tan", "tan2")},
    "log": _of_one("log", lambda x, base=math.e: np.log(x) if base == math.e else np.log(x) / np.log(base)),
    "pow": _of_one("pow", np.power),
}
_FUNCTIONS: dict[str, Any] = {
    "c_": _Columns(),
    **{name: _made(name) for name in ("array", "asarray", "asanyarray", "ascontiguousarray")},
}
_OWN = {name: getattr(np, name) for name in _FUNCTIONS}


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """While it lasts ``numpy`` and ``math`` have these in place of their own."""
    with patch.multiple(np, **_FUNCTIONS), patch.multiple(math, **_MATH):
        yield
