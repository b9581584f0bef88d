"""Ten times as many requests as a service can answer: what is let in is answered soon, the rest is told so at once.

The model is slow by what it computes, some twenty milliseconds in a thread, so that the load's own work is small beside
it. Each round measures what the service can do, then puts it at 80 % of that, then at ten times that, so that all
figures are ratios of what one machine did in one minute. Where load and service share processors, the load takes from
what it measures: capacity is what is answered while as many other requests, for health, are asked as there will be.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from onnx import helper, numpy_helper

from ..runtime.test_main import serving
from . import oracle
from .open_loop import Sample, closed, offered
from .result import Result

__all__ = ["Round", "faults", "measured", "run"]

WAITS = 2.0
"""The 99th percentile of what is let in at ten times capacity may be so many times that at 80 % load."""

SERVED = 0.9
"""So much of capacity is served however many ask."""

REFUSED = 0.020
"""Seconds within which who is not let in knows it, the 99th percentile, beyond what the load's own process was late."""

RECOVERED = 2.0
"""Seconds after which the service is as it was."""

SIZE = 640
"""The matrix that is squared for each request: some twenty milliseconds."""

MINIMUM = 20
"""Requests that a percentile needs at least."""


class Round(NamedTuple):
    """What was seen in one round.

    alone: answers a second while nothing else is asked. capacity: the same while health is asked nine times as often.
    before: of a client alone. at_80, at_10x: of requests at that load. after: of a client alone, from RECOVERED after
    the overload on.
    """

    alone: float
    capacity: float
    before: Sequence[Sample]
    at_80: Sequence[Sample]
    at_10x: Sequence[Sample]
    after: Sequence[Sample]

    @property
    def usual(self) -> list[float]:
        """What was waited for answers at 80 % load, seconds."""
        return [sample.took for sample in self.at_80 if sample.status == 200]

    @property
    def accepted(self) -> list[float]:
        """What was waited for answers at ten times capacity, seconds."""
        return [sample.took for sample in self.at_10x if sample.status == 200]

    @property
    def refused(self) -> list[float]:
        """What was waited for refusals at ten times capacity, seconds."""
        return [sample.took for sample in self.at_10x if sample.status == 503]

    @property
    def late(self) -> float:
        """What the load itself was late at ten times capacity, seconds, the 99th percentile."""
        return _p99([sample.sent - sample.due for sample in self.at_10x])


def run(count: int, folder: Path) -> Result:
    """So many rounds; what is said of them is the median round."""
    rounds = measured(count, folder)
    found = faults(rounds)
    figures = {
        "requests at 10x": float(sum(len(one.at_10x) for one in rounds)),
        "P99 at 80 %, ms": 1e3 * median(_p99(one.usual) for one in rounds),
        "P99 let in at 10x, ms": 1e3 * median(_p99(one.accepted) for one in rounds),
        "the second to the first": median(_p99(one.accepted) / _p99(one.usual) for one in rounds),
        "P99 refused, ms": 1e3 * median(_p99(one.refused) for one in rounds),
        "P99 the load was late, ms": 1e3 * median(one.late for one in rounds),
        "served of capacity": median(_rate(one.at_10x) / one.capacity for one in rounds),
        "served of what it is without the load": median(_rate(one.at_10x) / one.alone for one in rounds),
        "after to before": median(_median(one.after) / _median(one.before) for one in rounds),
    }
    return Result(count, found, figures)


def measured(count: int, folder: Path, *words: str, load: float = 10.0, seconds: float = 2.0) -> list[Round]:
    """Rounds of a service of one thread. words: more for its command line. load: for ten times."""
    slow(folder)
    options = ("--threads", "1", "--access-log", "false", *words)
    with serving(str(folder), *options) as (_, client):
        port = client.base_url.port
        assert port is not None
        _ = closed(port, ASKED, 2, seconds / 2)  # nothing is measured on cold caches
        return [_round(port, seed, load, seconds) for seed in range(count)]


def _round(port: int, seed: int, load: float, seconds: float) -> Round:
    before = closed(port, ASKED, 1, seconds / 2)
    alone = _rate(closed(port, ASKED, 4, seconds / 2))
    capacity = _rate(closed(port, ASKED, 4, seconds, [(PROBE, (load - 1) * alone)]))
    at_80 = offered(port, ASKED, 0.8 * capacity, 2 * seconds, seed)
    at_10x = offered(port, ASKED, load * capacity, seconds, seed)
    ended = max(sample.sent for sample in at_10x)
    after = closed(port, ASKED, 1, RECOVERED + seconds / 2)
    return Round(alone, capacity, before, at_80, at_10x, [one for one in after if one.sent > ended + RECOVERED])


def faults(rounds: Sequence[Round]) -> list[str]:
    """What must not be, of the median round where it is a measurement."""
    found: list[str] = []
    statuses = {sample.status for one in rounds for part in one[2:] for sample in part}
    if statuses - {200, 503}:
        found.append(f"expected answers 200 and 503, found {sorted(statuses)} (0: none)")
    fewest = min(len(part) for one in rounds for part in (one.usual, one.accepted, one.refused))
    if fewest < MINIMUM:
        found.append(
            f"expected {MINIMUM} requests of each kind in a round, found {fewest}: nothing can be said of them"
        )
    ratio = median(_p99(one.accepted) / _p99(one.usual) for one in rounds)
    if ratio > WAITS:
        found.append(f"what was let in at ten times capacity waited {ratio:.1f} times what it waits at 80 % load")
    served = median(_rate(one.at_10x) / one.capacity for one in rounds)
    if served < SERVED:
        found.append(f"{served:.0%} of capacity was served at ten times capacity, expected {SERVED:.0%}")
    over = median(_p99(one.refused) - one.late for one in rounds)
    if over > REFUSED:
        found.append(f"who was refused knew it after {1e3 * over:.0f} ms, expected {1e3 * REFUSED:.0f}")
    silent = sum(
        sample.status == 503 and b"\r\nretry-after: " not in sample.head for one in rounds for sample in one.at_10x
    )
    if silent:
        found.append(f"{silent} refusals without Retry-After")
    recovered = median(_median(one.after) / _median(one.before) for one in rounds)
    if recovered > WAITS:
        found.append(f"{RECOVERED:g} s after the overload an answer took {recovered:.1f} times what it took before")
    return found


def _rate(samples: Sequence[Sample]) -> float:
    """Answers of predictions a second, from the first request to the last of these answers."""
    came = [sample.came for sample in samples if sample.status == 200]
    return len(came) / (max(came) - min(sample.sent for sample in samples)) if came else 0.0


def _median(samples: Sequence[Sample]) -> float:
    return median(sample.took for sample in samples) if samples else float("inf")


def _p99(values: Sequence[float]) -> float:
    return float(np.percentile(values, 99)) if values else float("nan")


def slow(folder: Path, **changes: Any) -> None:
    """A model that squares a matrix for every request, whatever its rows, and then adds 1 as the oracle does; changes
    are made to its proof."""
    nodes = [
        helper.make_node("ReduceSum", ["X"], ["sum"], keepdims=0),
        helper.make_node("Constant", [], ["ones"], value=numpy_helper.from_array(np.ones((SIZE, SIZE)))),
        helper.make_node("Mul", ["ones", "sum"], ["matrix"]),
        helper.make_node("MatMul", ["matrix", "matrix"], ["square"]),
        helper.make_node("ReduceMax", ["square"], ["largest"], keepdims=0),
        helper.make_node("Constant", [], ["none"], value=numpy_helper.from_array(np.array(0.0))),
        helper.make_node("Mul", ["largest", "none"], ["nothing"]),
        helper.make_node("Add", ["X", "nothing"], ["X2"]),
    ]
    oracle.write(folder / "slow", 1, nodes=nodes, **changes)


_BODY = json.dumps(oracle.rows(1, 1)[0]).encode()
ASKED = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(_BODY) + _BODY
PROBE = b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n"
