"""What others register for arrays that are traced: functions, methods and properties by their names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

__all__ = [
    "DECIDING",
    "FRAMES",
    "FUNCTIONS",
    "PROPERTIES",
    "ROWS",
    "TIMES",
    "WORDS",
    "Untraceable",
    "function",
    "told",
    "unused",
    "watched",
]


class Untraceable(Exception):  # noqa: N818 (its words become an UnsupportedError's)
    """The function did something that has no form as a graph."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        raised = _RAISED.get()
        if raised is not None:
            raised.append(self)


def told(error: Exception) -> str:
    """The words for what a function of anybody's raised while it was traced."""
    return str(error) if isinstance(error, Untraceable) else f"{type(error).__name__}: {error}"


_RAISED: ContextVar[list[Untraceable] | None] = ContextVar("_RAISED", default=None)


@contextlib.contextmanager
def watched() -> Iterator[list[Untraceable]]:
    """All that are raised meanwhile, for a function may catch what it does not know; the same inside another."""
    outer = _RAISED.get()
    raised = [] if outer is None else outer
    token = _RAISED.set(raised)
    try:
        yield raised
    finally:
        _RAISED.reset(token)


class _Rows:
    """The number of rows: it is not known, and may only be passed on to reshape."""

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        raise Untraceable("it decides by the number of rows")

    __hash__ = object.__hash__

    def __index__(self) -> int:
        raise Untraceable("it asks for the number of rows")


ROWS = _Rows()

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""NumPy's functions that are no ufuncs, by themselves."""


FRAMES: dict[str, Callable[..., Any]] = {}
"""A frame's methods, and a series', by their names."""

TIMES: dict[str, Callable[..., Any]] = {}
"""What is otherwise of columns of times (``times``): ``called``, ``astype``, ``dtype``, ``filled``, and of those of
strings ``read``."""

WORDS: dict[str, Callable[..., Any]] = {}
"""What is otherwise of columns of categories and texts (``words``): ``called`` and ``contains``."""

DECIDING: ContextVar[Any] = ContextVar("DECIDING", default=None)
"""What answers where a function of single values decides by one (``branches``); None outside of such a function."""

PROPERTIES: dict[str, Callable[..., Any]] = {}
"""What a frame has without being called."""


def unused(rest: dict[str, Any], *known: str) -> None:
    """Raise Untraceable for an argument that says more than its default does, but for those known to change nothing."""
    for name, value in rest.items():
        if name not in known and value is not None and value is not False and value is not np._NoValue:
            raise Untraceable(f"it uses {name}=")


Own = TypeVar("Own", bound=Callable[..., Any])


def function(*numpys: Any) -> Callable[[Own], Own]:
    """Register what stands for functions of NumPy's."""

    def register(own: Own) -> Own:
        FUNCTIONS.update(dict.fromkeys(numpys, own))
        return own

    return register
