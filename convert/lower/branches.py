"""Functions of single values, as pandas' ``apply`` and ``map`` call them, with a column in the place of a value.

Such a function may decide by a value. It is called once for every way through its branches, and where its conditions
say which way a row would have gone, the graph chooses.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .hooks import DECIDING, FRAMES, Untraceable
from .traced import Traced

__all__ = ["Row", "branched"]

WAYS = 64
"""Through a function's branches at most."""
MANY = f"it has more than {WAYS} ways through its branches"


class _Decisions:
    """taken: what each condition is said to be, in the order in which they are met; true where nothing is said yet.
    met: the conditions."""

    def __init__(self, taken: list[bool]) -> None:
        self.taken = list(taken)
        self.met: list[Traced] = []

    def decide(self, condition: Traced) -> bool:
        if not condition.flat:
            raise Untraceable("it decides by several values at once")
        if len(self.met) >= WAYS:
            raise Untraceable(MANY)
        if len(self.met) == len(self.taken):
            self.taken.append(True)
        self.met.append(condition)
        return self.taken[len(self.met) - 1]


class Row:
    """A row of a frame: its cells by name are columns."""

    def __init__(self, frame: Traced) -> None:
        self._frame = frame

    def __getitem__(self, name: Any) -> Traced:
        if not isinstance(name, str):
            raise Untraceable("it chooses several cells of a row")
        return self._frame[name]

    def __getattr__(self, name: str) -> Any:
        if name in (self._frame.names or ()):
            return self._frame[name]
        if name in ("sum", "mean", "max", "min"):
            return lambda skipna=True: FRAMES[name](self._frame, axis=1, skipna=skipna)
        raise Untraceable(f"it uses .{name} of a row")


def branched(function: Callable[[Any], Any], given: Traced | Row, model: Traced) -> Traced:
    """What a function answers to each value of a column, or to each row of a frame.

    model: a column of as many rows.
    """
    ways = 0

    def explored(taken: list[bool]) -> Any:
        nonlocal ways
        ways += 1
        if ways > WAYS:
            raise Untraceable(MANY)
        decisions = _Decisions(taken)
        token = DECIDING.set(decisions)
        try:
            answer = function(given)
        finally:
            DECIDING.reset(token)
        answer = np.nan if answer is None else answer
        for place in reversed(range(len(taken), len(decisions.met))):
            other = explored([*decisions.taken[:place], False])
            answer = np.where(decisions.met[place], answer, other)
        return answer

    found = explored([])
    if isinstance(found, Traced):
        return found
    if np.ndim(found):
        raise Untraceable("it makes several values of one")
    everywhere: Traced = np.full_like(FRAMES["isna"](model), found)
    return everywhere
