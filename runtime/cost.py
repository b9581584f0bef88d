"""What a model's answers cost here, measured while it is warmed up."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NamedTuple

import msgspec

__all__ = ["Cost", "measured"]

SECONDS = 0.005
"""How long one of the measurements may take before it is not repeated any more."""

BATCH = 32


class Cost(NamedTuple):
    """What one answer takes, seconds.

    run: the graph alone, for one row: what another thread can do meanwhile, for it does not hold Python's lock.
    row: a body of one row, from bytes to bytes. further: each further row of a body.
    size: bytes of one row as JSON. columns: that it has.
    """

    run: float
    row: float
    further: float
    size: int
    columns: int = 0


def measured(run: Callable[[], object], answer: Callable[[bytes], object], row: Mapping[str, Any]) -> Cost:
    """run: a model's graph, for one row. answer: the model's, for a body of JSON. row: that it takes.

    The least of up to five times: what is added to that is not the model's. A model that takes long over one row is not
    asked about more.
    """
    text = msgspec.json.encode(row)
    alone = _least(run)
    one = _least(lambda: answer(text))
    if one > SECONDS:
        return Cost(alone, one, one, len(text), len(row))
    many = b"[" + b",".join([text] * BATCH) + b"]"
    batch = _least(lambda: answer(many))
    return Cost(alone, one, max(batch - one, 0.0) / (BATCH - 1), len(text), len(row))


def _least(call: Callable[[], object]) -> float:
    times: list[float] = []
    while len(times) < 5 and sum(times) < SECONDS:
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return min(times)
