"""What makes arrays, while a function is traced: NumPy's protocols do not reach it. What imported it by name has
NumPy's own, which refuse what is traced."""

import contextlib
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


_FUNCTIONS: dict[str, Any] = {
    "c_": _Columns(),
    **{name: _made(name) for name in ("array", "asarray", "asanyarray", "ascontiguousarray")},
}
_OWN = {name: getattr(np, name) for name in _FUNCTIONS}


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """While it lasts ``numpy`` has these in place of its own."""
    with patch.multiple(np, **_FUNCTIONS):
        yield
