"""What one row takes at P95, measured when a model is converted, and held to its budget."""

from collections.abc import Callable
from itertools import cycle, islice
from time import perf_counter_ns
from typing import NamedTuple

import msgspec
import numpy as np

from runtime import InputError
from runtime.bundle import Bundle
from runtime.manifest import Manifest
from runtime.model import Model
from runtime.proof import Proof
from runtime.schema import example

from .errors import BudgetError, UndecidedBudgetError

__all__ = ["Measured", "bodies", "decide", "held"]

CALLS = 200
"""Calls of a block: a P95 of fewer hangs on ten of them, the slowest."""
SECONDS = 0.5
"""How long a block of a model that takes long over one row goes on; it then has FEWEST calls at least."""
FEWEST = 40
BLOCKS = 12
ROUNDS = 4
"""How often so many blocks are measured before it is said that nothing can be decided."""


class Measured(NamedTuple):
    """The P95 of one row, microseconds: the median of the blocks, and the range of all but the fastest and slowest
    quarter of them."""

    median: float
    low: float
    high: float


def held(
    graph: bytes, manifest: Manifest, proof: Proof, budget: float, report: Callable[[str], None] = lambda line: None
) -> Manifest:
    """The manifest with its budget, which ``Model.predict_json`` of one row was measured to keep in this process.

    budget: microseconds, at P95. report: called with what was found.
    Raises BudgetError where it is missed, and UndecidedBudgetError where other work on this machine hides it.
    """
    model = Model(Bundle(manifest, proof, graph, ""))
    asked = bodies(model, proof)
    for body in asked:
        model.predict_json(body)  # so that no measured call is the first
    turns = cycle(asked)
    found: list[float] = []
    for _ in range(ROUNDS):
        found += [_block(model, turns) for _ in range(BLOCKS)]
        measured = _measured(found)
        kept = decide(measured, budget)
        if kept is not None:
            break
    said = f"{_plain(measured.median)} µs ({_plain(measured.low)} to {_plain(measured.high)})"
    if kept is None:
        raise UndecidedBudgetError(
            f"expected to tell whether one row takes at most {_plain(budget)} µs at P95, found {said}: other work "
            "hides it; convert it on a machine that has time"
        )
    if not kept:
        raise BudgetError(
            f"expected one row within {_plain(budget)} µs at P95, found {said}: nothing is written; a smaller model or "
            "a larger budget would do"
        )
    report(f"budget: one row takes {_plain(measured.median)} µs at P95, of {_plain(budget)} that it may")
    return msgspec.structs.replace(manifest, budget_p95_us=budget)


def bodies(model: Model, proof: Proof) -> list[bytes]:
    """The canary rows that can be said in JSON, a request's body each; where there are none, an example."""
    names = [feature.name for feature in model.manifest.inputs if feature.position is not None]
    found: list[bytes] = []
    for row in proof.canary.rows:
        body = msgspec.json.encode(dict(zip(names, row, strict=True)))
        try:
            model.predict_json(body)
        except InputError:
            continue
        found.append(body)
    return found or [msgspec.json.encode(example(model.manifest))]


def decide(measured: Measured, budget: float) -> bool | None:
    """Whether a budget was kept; None where its line runs through what was found."""
    if measured.high <= budget:
        return True
    return False if measured.low > budget else None


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def _block(model: Model, turns: "cycle[bytes]") -> float:
    """The P95 of some calls, microseconds."""
    times: list[int] = []
    begun = perf_counter_ns()
    for body in islice(turns, CALLS):
        start = perf_counter_ns()
        model.predict_json(body)
        end = perf_counter_ns()
        times.append(end - start)
        if end - begun > SECONDS * 1e9 and len(times) >= FEWEST:
            break
    return float(np.percentile(times, 95)) / 1e3


def _measured(found: list[float]) -> Measured:
    low, median, high = np.percentile(found, (25, 50, 75)).tolist()
    return Measured(median, low, high)
