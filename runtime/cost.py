"""What a model's answers cost here, measured while it is warmed up."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NamedTuple

import msgspec

__all__ = ["Cost", "measured"]

SECONDS = 0.005
"""How long one of the two measurements may take before it is not repeated any more."""

BATCH = 32


class Cost(NamedTuple):
    """row: what a body of one row takes, from bytes to bytes, seconds. further: what each further row of it takes.
    size: bytes of one row as JSON."""

    row: float
    further: float
    size: int


def measured(answer: Callable[[bytes], object], row: Mapping[str, Any]) -> Cost:
    """answer: a model's, for a body of JSON. row: that it takes.

    The least of up to five times: what is added to that is not the model's. A model that takes long over one row is not
    asked about more.
    """
    text = msgspec.json.encode(row)
    one = _least(answer, text)
    if one > SECONDS:
        return Cost(one, one, len(text))
    batch = _least(answer, b"[" + b",".join([text] * BATCH) + b"]")
    return Cost(one, max(batch - one, 0.0) / (BATCH - 1), len(text))


def _least(answer: Callable[[bytes], object], body: bytes) -> float:
    times: list[float] = []
    while len(times) < 5 and sum(times) < SECONDS:
        start = perf_counter()
        answer(body)
        times.append(perf_counter() - start)
    return min(times)
