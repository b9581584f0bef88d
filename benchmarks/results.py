"""What a run found: frozen values, written as JSON and read back."""

from pathlib import Path
from typing import Literal

import msgspec

from .errors import BadInputError

__all__ = [
    "Decision",
    "Entry",
    "Failure",
    "Interval",
    "Latency",
    "Machine",
    "Results",
    "at",
    "read",
    "size_of",
    "write",
]

FORMAT = 1


class Interval(msgspec.Struct, frozen=True):
    """The median over blocks, and the interval it lies in with the confidence of ``statistics``.

    blocks: 0 where the value was not sampled but is exact (a size).
    """

    median: float
    low: float
    high: float
    blocks: int

    @classmethod
    def exact(cls, value: float) -> "Interval":
        """A value that another measurement would not change."""
        return cls(value, value, value, 0)


class Latency(msgspec.Struct, frozen=True):
    """Of all calls of all blocks; microseconds.

    cpu: processor time of a request, of the whole process tree, from the kernel's accounting.
    success: the part of the requests that was answered with status 200.
    percentiles: (percent, microseconds) from low to high, up to where one call lies beyond; empty in older files.
    """

    calls: int
    blocks: int
    mean: float
    p50: float
    p95: float
    p99: float
    max: float
    cpu: float | None = None
    success: float | None = None
    percentiles: tuple[tuple[float, float], ...] = ()


class Failure(msgspec.Struct, frozen=True):
    """Why there is no figure.

    wrong: whether it was measured away because it answered wrongly.
    """

    reason: str
    wrong: bool = False


class Entry(msgspec.Struct, frozen=True):
    """One path of one model.

    latencies: by subject.
    values: by name: ratios such as ``p95 / raw run``, taken block by block, and amounts such as ``p95 ms``.
    failures: by subject.
    notes: by subject, what else is to be known about it: a peer's versions.
    same: how many times slower one control seemed than itself, measured twice in every block: what the machine does to
        a comparison of equal things; None where there is no control.
    """

    model: str
    path: str
    latencies: dict[str, Latency] = {}
    values: dict[str, Interval] = {}
    failures: dict[str, Failure] = {}
    same: float | None = None
    notes: dict[str, str] = {}


def at(unit: str, size: int) -> str:
    """The name of an amount at a size, as growth has it."""
    return f"{unit} at {size}"


def size_of(name: str) -> tuple[str, int] | None:
    """The unit and the size that such a name says; None of another."""
    unit, found, size = name.partition(" at ")
    return (unit, int(size)) if found and size.isdecimal() else None


class Decision(msgspec.Struct, frozen=True):
    """What was found about one limit.

    verdict: ``within``, ``over``, or ``undecided``; ``wrong`` where it answered wrongly.
    found: None where there is no figure.
    """

    model: str
    path: str
    name: str
    limit: float
    verdict: Literal["within", "over", "undecided", "wrong"]
    found: Interval | None
    why: str


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured, and how quiet it was there.

    commit: of this repository; ``+`` after it says that files were changed.
    variation: the coefficient of variation of one fixed piece of work, before the first measurement.
    steal: the part of the processors' time that the hypervisor gave to others, over the whole run.
    busy: the part that other processes had, over the whole run.
    """

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    server_python: str
    versions: dict[str, str]
    commit: str
    load: str
    variation: float
    steal: float
    busy: float

    @property
    def noisy(self) -> bool:
        """Whether an amount that is over its ceiling may be the machine's doing."""
        return self.variation > 0.1 or self.steal > 0.05 or self.busy > 0.2


class Results(msgspec.Struct, frozen=True):
    """One run.

    created: ISO 8601 in UTC.
    checked: by model, what its answers were compared with.
    growth: an axis each: the subjects are sizes, and the figures its exponent and the cost at each size.
    decisions: about each limit; none where it was not asked for, and in older files.
    """

    created: str
    seed: int
    seconds: float
    machine: Machine
    entries: tuple[Entry, ...]
    checked: dict[str, str]
    peers: tuple[Entry, ...] = ()
    growth: tuple[Entry, ...] = ()
    decisions: tuple[Decision, ...] = ()
    format: int = FORMAT


def write(results: Results, file: Path) -> None:
    """Write results as JSON. Raises BadInputError where the file cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    except OSError as error:
        raise BadInputError(f"expected to write results to {file}, found: {error.strerror}") from error


def read(file: Path) -> Results:
    """Read results. Raises BadInputError where there are none."""
    try:
        results = msgspec.json.decode(file.read_bytes(), type=Results)
    except OSError as error:
        raise BadInputError(
            f"expected the results of a run in {file}, found: {error.strerror}; make them with "
            f"python -m benchmarks --json {file}"
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInputError(f"expected the results of a run in {file}, found: {error}") from error
    if results.format != FORMAT:
        raise BadInputError(f"expected results of format {FORMAT} in {file}, found format {results.format}")
    return results
