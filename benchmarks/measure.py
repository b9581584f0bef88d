"""Subjects are measured in turn, block after block, and compared block by block: what the machine does besides then
happens to all of them alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

import msgspec
import numpy as np

from .errors import FailedError, WrongAnswerError
from .processes import own_wait_ns
from .results import Entry, Failure, Interval, Latency
from .statistics import Nanoseconds, interval, latency

__all__ = ["AGAIN", "Block", "Contender", "Path", "measure", "timed"]

EXTENSIONS = 3
"""How often as many blocks again are added where a decision needs more."""

CALM = 0.1
"""A comparison of two blocks counts where both have waited for less than this part of their time, as long as there
are ENOUGH of such pairs. One request in twenty that waits moves a P95, and on a machine with work for more processors
than it has, most do. The choice is blind to how fast the two were."""

ENOUGH = 6

FEWEST = 8

BLOCK_NS = 40_000_000
"""How long a block of calls is to take, within the next two."""

MOST_CALLS, FEWEST_CALLS = 1000, 1

AGAIN = " again"
"""A control whose name ends so is another's double: the two ought to be equal."""


@dataclass(frozen=True)
class Block:
    """One block of one subject.

    times: of each call, or request.
    net: the same without the time in which server and client could have run, but another process had the processor;
        empty where that is not known of each.
    cpu: processor time of a request, microseconds; None where it is not accounted for.
    failed: requests that were not answered with status 200.
    waited: the part of the block's time in which what is measured could have run, but another process had the
        processor.
    """

    times: Nanoseconds
    cpu: float | None = None
    failed: int = 0
    waited: float = 0.0
    net: Nanoseconds = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass(frozen=True)
class Contender:
    """Something that is measured.

    start: checks answers, warms up, and gives what measures one block; raises FailedError or WrongAnswerError.
    """

    name: str
    start: Callable[[], Callable[[], Block]]


@dataclass(frozen=True)
class Path:
    """One way to ask one model.

    subjects: the first is ours, the others are what it is compared with.
    absent: by subject, why it is not among them.
    figures: (blocks by subject, seed) -> what is found out about them; by default ratios of the first to the others.
    blocks: of each subject; as many again, up to EXTENSIONS times, where a decision needs more.
    """

    model: str
    name: str
    subjects: Sequence[Contender]
    absent: Mapping[str, str] = field(default_factory=dict)
    blocks: int = 8
    figures: Callable[[Mapping[str, list[Block]], int], dict[str, Interval]] | None = None


def timed(
    call: Callable[[Any], Any],
    inputs: Sequence[Any],
    check: Callable[[int, Any], None],
    clock: Callable[[], int] = perf_counter_ns,
    waiting: Callable[[], int] = own_wait_ns,
) -> Callable[[], Callable[[], Block]]:
    """How a call in this process is measured: ``start`` of a Contender.

    check: (index of the input, answer); raises WrongAnswerError. Every input's answer is checked before the first
        block, and in each block the last one that was timed.
    """

    def start() -> Callable[[], Block]:
        begun = clock()
        for index, given in enumerate(inputs):
            check(index, call(given))
        took = (clock() - begun) / len(inputs)  # with the check; the first block will tell better
        state = [max(FEWEST_CALLS, min(MOST_CALLS, int(BLOCK_NS / max(took, 1.0))))]

        def block() -> Block:
            count = state[0]
            times = [0] * count
            place, answer = 0, None
            for warm in range(min(count, 20) if count > 5 else 0):  # the others have had the processor's caches
                call(inputs[-1 - warm % len(inputs)])
            begun, waited = clock(), waiting()
            for turn in range(count):
                place = turn % len(inputs)
                given = inputs[place]
                before = clock()
                answer = call(given)
                times[turn] = clock() - before
            share = (waiting() - waited) / max(clock() - begun, 1)
            check(place, answer)
            measured = np.asarray(times, np.int64)
            state[0] = max(FEWEST_CALLS, min(MOST_CALLS, int(BLOCK_NS / max(float(np.median(measured)), 1.0))))
            return Block(measured, waited=share)

        return block

    return start


def measure(
    path: Path, seed: int, enough: Callable[[Entry], bool] = lambda entry: True, *, hurry: bool = False
) -> Entry:
    """Measure a path's subjects in turn, in an order drawn anew for each block.

    enough: whether what was found decides what it is to decide; asked after each so many blocks.
    hurry: measure FEWEST blocks at a time, where there would be more.
    A subject that fails, whenever it does, is out with everything it had measured.
    """
    failures = {name: Failure(why) for name, why in path.absent.items()}
    running: dict[str, Callable[[], Block]] = {}
    found: dict[str, list[Block]] = {}
    for subject in path.subjects:
        try:
            running[subject.name] = subject.start()
        except FailedError as error:
            failures[subject.name] = Failure(str(error), isinstance(error, WrongAnswerError))
        found[subject.name] = []
    drawn = np.random.default_rng(seed)
    entry = _entry(path, {}, failures, seed)
    for _ in range(1 + EXTENSIONS):
        for _ in range(min(path.blocks, FEWEST) if hurry else path.blocks):
            for name in drawn.permutation(list(running)).tolist():
                try:
                    found[name].append(running[name]())
                except FailedError as error:
                    failures[name] = Failure(str(error), isinstance(error, WrongAnswerError))
                    del running[name]
        entry = _entry(path, {name: found[name] for name in running}, failures, seed)
        if enough(entry):
            break
    return entry


def _entry(path: Path, found: Mapping[str, list[Block]], failures: Mapping[str, Failure], seed: int) -> Entry:
    ours = path.subjects[0].name
    values: dict[str, Interval] = {}
    same = None
    if path.figures is not None:
        values = path.figures(found, seed)
    elif ours in found:
        mine = found[ours]
        values["p95 ms"] = interval([_percentile(block, 95) / 1e6 for block in mine], seed)
        for name, blocks in found.items():
            if name == ours or name.endswith(AGAIN):
                continue
            pairs = calm(mine, blocks)
            for percent in (50, 95, 99):
                values[f"p{percent} / {name}"] = interval(_ratios(pairs, percent), seed)
            if all(len(block.net) for block in (*mine, *blocks)):
                net = [_p95(a.net) / _p95(b.net) for a, b in zip(mine, blocks, strict=True)]
                values[f"net p95 / {name}"] = interval(net, seed)
            cpu = [a.cpu / b.cpu for a, b in zip(mine, blocks, strict=True) if a.cpu is not None and b.cpu]
            if cpu:
                values[f"cpu / {name}"] = interval(cpu, seed)
                more = [a.cpu - b.cpu for a, b in zip(mine, blocks, strict=True) if a.cpu is not None and b.cpu]
                values[f"cpu us beyond {name}"] = interval(more, seed)
        failed = sum(block.failed for block in mine)
        values["failed"] = Interval.exact(failed / (failed + sum(len(block.times) for block in mine)))
    for name, blocks in found.items():
        if name.endswith(AGAIN) and name.removesuffix(AGAIN) in found:
            ratio = float(np.median(_ratios(calm(blocks, found[name.removesuffix(AGAIN)]), 95)))
            same = max(ratio, 1 / ratio)
    latencies = {name: _latency(blocks) for name, blocks in found.items()}
    return Entry(path.model, path.name, latencies, values, dict(failures), same)


def calm(some: Sequence[Block], others: Sequence[Block]) -> list[tuple[Block, Block]]:
    """The pairs of blocks of one turn of which both were calm, or all pairs where too few were."""
    pairs = list(zip(some, others, strict=True))
    found = [(a, b) for a, b in pairs if max(a.waited, b.waited) < CALM]
    return found if len(found) >= ENOUGH else pairs


def _ratios(pairs: Sequence[tuple[Block, Block]], percent: int) -> list[float]:
    return [_percentile(a, percent) / _percentile(b, percent) for a, b in pairs]


def _percentile(block: Block, percent: int) -> float:
    return max(float(np.percentile(block.times, percent)), 1.0)


def _p95(times: Nanoseconds) -> float:
    return max(float(np.percentile(times, 95)), 1.0)


def _latency(blocks: Sequence[Block]) -> Latency:
    whole = latency([block.times for block in blocks])
    cpu = [block.cpu for block in blocks if block.cpu is not None]
    failed = sum(block.failed for block in blocks)
    return msgspec.structs.replace(
        whole,
        cpu=float(np.median(cpu)) if cpu else None,
        success=whole.calls / (whole.calls + failed) if cpu or failed else None,
    )
