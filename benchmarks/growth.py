"""``python -m benchmarks growth``: what an answer costs as features, trees, rows, categories and models grow.

Each axis is a path whose subjects are sizes, measured in turn as all others are. How cost grows is an exponent: the
slope of logarithms of processor time over the UPPER sizes, taken turn by turn. Below them the cost of a call hides it.
"""

import gc
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path as File
from time import monotonic, process_time_ns
from typing import Any, NamedTuple

import msgspec
import numpy as np
from rich.console import Console

from runtime import Model, load
from runtime.service import app
from runtime.service.head import Head

from . import in_process, made
from .errors import FailedError, WrongAnswerError
from .gate import EXPONENT, decisions
from .machine import describe, probe, spent
from .measure import Block, Contender, Path, measure, timed
from .memory import held
from .results import Decision, Entry, Failure, Interval, Results, at
from .statistics import interval
from .subjects import Subject

__all__ = ["LIMIT", "MODEL", "NAMES", "exponent", "run"]

MODEL = "growth"
"""What the entries are called instead of a model."""

LIMIT = 1.15
"""What is no worse than linear, with room for caches that a larger size outgrows."""

UPPER = 3
"""Sizes at the upper end that the exponent is of."""

WIDE, WIDE_P95_MS = "wide-table", 1.0

BLOCKS = 8
PROCESSES = 3

JSON_ROWS = (1, 10, 100, 1_000, 10_000, 100_000)
TENS = (1, 3, 10, 30, 100, 300, 1_000)
MODELS = (1, 2, 4, 8, 16, 32, 64)
CATEGORIES = (2, 10, 100, 1_000, 10_000)


class Axis(NamedTuple):
    """What grows. contenders: (folder to make models in, seed) -> one a size, named by it."""

    name: str
    contenders: Callable[[File, int], list[Contender]]


def exponent(costs: Mapping[int, Sequence[float]], seed: int) -> Interval:
    """The slope of log(cost) over log(size) at the UPPER sizes, of each turn; costs: by size, one a turn."""
    upper = sorted(costs)[-UPPER:]
    logarithms = np.log(np.array([costs[amount] for amount in upper], np.float64))
    across = np.log(np.array(upper, np.float64))
    across -= across.mean()
    return interval((across @ logarithms / (across @ across)).tolist(), seed)


def run(names: Sequence[str], seed: int) -> Results:
    """Measure these axes, or all, and hold them to their limits."""
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    begun, before, variation = monotonic(), spent(), probe()
    noisy = describe(variation, before, spent()).noisy
    growth: list[Entry] = []
    entries: list[Entry] = []
    found: list[Decision] = []
    for axis in AXES:
        if axis.name in names or not names:
            console.print(f"{MODEL}: {axis.name}")
            growth.append(_grown(axis, seed, noisy))
    if MEMORY in names or not names:
        console.print(f"{MODEL}: {MEMORY}")
        growth.append(_memory(seed))
    if WIDE in names or not names:
        console.print(WIDE)
        entries.append(_wide(seed, noisy))
    machine = describe(variation, before, spent())
    for entry in growth:
        found += decisions(entry, {(entry.path, EXPONENT): LIMIT}, machine.noisy)
    for entry in entries:
        found += decisions(entry, {(entry.path, "p95 ms"): WIDE_P95_MS}, machine.noisy)
    return Results(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        seconds=monotonic() - begun,
        machine=machine,
        entries=tuple(entries),
        growth=tuple(growth),
        decisions=tuple(found),
        checked=dict.fromkeys((entry.model for entry in (*growth, *entries)), "scikit-learn's pipeline"),
    )


def _grown(axis: Axis, seed: int, noisy: bool) -> Entry:
    def figures(found: Mapping[str, Sequence[Block]], seed: int) -> dict[str, Interval]:
        costs = {int(name): [float(np.median(b.times)) / 1e3 for b in blocks] for name, blocks in found.items()}
        points = {at("µs", amount): interval(values, seed) for amount, values in costs.items()}
        return points | ({EXPONENT: exponent(costs, seed)} if len(costs) >= UPPER else {})

    def enough(entry: Entry) -> bool:
        return all(d.verdict != "undecided" for d in decisions(entry, {(axis.name, EXPONENT): LIMIT}, noisy))

    with tempfile.TemporaryDirectory() as folder:
        contenders = axis.contenders(File(folder), seed)
        gc.collect()
        gc.freeze()  # scikit-learn's objects are not ours to walk while we are timed
        entry = measure(Path(MODEL, axis.name, contenders, blocks=BLOCKS, figures=figures), seed, enough)
        gc.unfreeze()
    if not entry.failures:
        return entry
    return msgspec.structs.replace(entry, values={})  # an exponent of the sizes that are left would be another


def _timed(call: Any, inputs: Sequence[Any], check: Callable[[int, Any], None]) -> Callable[[], Callable[[], Block]]:
    """How a call is measured: in processor time. Others on the machine lengthen a call of a second more than a thousand
    calls of a millisecond, of which the median is taken."""
    return timed(call, inputs, check, process_time_ns, lambda: 0)


# --- axes ------------------------------------------------------------------------------------------------------------


def _one_row(make: Callable[[int], Callable[[int], made.Made]], sizes: Sequence[int]) -> Any:
    """One row as JSON, of models that grow."""

    def contenders(folder: File, seed: int) -> list[Contender]:
        subjects = [made.subject(f"{amount}", make(amount), folder, seed) for amount in sizes]
        return [Contender(s.name, _timed(s.model.predict_json, s.bodies, s.check_json)) for s in subjects]

    return contenders


def _arrays(folder: File, seed: int) -> list[Contender]:
    """Rows of float64."""
    subject = made.subject("rows", made.features(made.COLUMNS), folder, seed)
    known = subject.frame.to_numpy(np.float64)

    def contender(amount: int) -> Contender:
        rows = np.resize(known, (amount, known.shape[1]))
        return Contender(f"{amount}", _timed(subject.model.predict, [rows], lambda _, found: _check(subject, found)))

    return [contender(amount) for amount in JSON_ROWS]


def _bodies(folder: File, seed: int) -> list[Contender]:
    """Rows as JSON, to answers in JSON."""
    subject = made.subject("rows", made.features(made.COLUMNS), folder, seed)

    def check(_: int, answer: bytes) -> None:
        said = msgspec.json.decode(answer)
        _check(subject, np.array([one["prediction"] for one in said["predictions"]]), len(subject.rows))

    def contender(amount: int) -> Contender:
        body = msgspec.json.encode([subject.rows[place % len(subject.rows)] for place in range(amount)])
        return Contender(f"{amount}", _timed(subject.model.predict_json, [body], check))

    return [contender(amount) for amount in JSON_ROWS]


def _check(subject: Subject, found: Any, period: int | None = None) -> None:
    wanted = np.resize(subject.expected["predict"][:period], len(found))
    if not (np.asarray(found) == wanted).all():
        raise WrongAnswerError(f"expected the answers of {subject.name}'s predict, found others")


def _served(folder: File, seed: int) -> list[Contender]:
    """A request to one of so many models in turn, from its target, headers and body to the answer's."""
    subject = made.subject("models", made.features(made.COLUMNS), folder, seed)
    models = {f"m{number}": load(subject.folder) for number in range(max(MODELS))}
    return [_asked(subject, dict(list(models.items())[:amount])) for amount in MODELS]


def _asked(subject: Subject, models: dict[str, Model]) -> Contender:
    front = app(models)
    names, fields = list(models), [(b"content-type", b"application/json")]
    bodies = subject.bodies

    def ask(index: int) -> Any:
        target, body = f"/models/{names[index % len(names)]}/predict".encode(), bodies[index % len(bodies)]
        return front.at_once(Head(target, fields, len(body)), body)

    def check(index: int, answer: Any) -> None:
        if answer is None or answer.status != 200:
            raise FailedError(f"expected an answer with status 200, found {answer}")
        subject.check_json(index % len(bodies), answer.body)

    return Contender(f"{len(models)}", _timed(ask, range(len(bodies)), check))


AXES = (
    Axis("features", _one_row(made.features, TENS)),
    Axis("trees", _one_row(made.trees, TENS)),
    Axis("categories", _one_row(made.categories, CATEGORIES)),
    Axis("rows, array", _arrays),
    Axis("rows, JSON", _bodies),
    Axis("models", _served),
)

MEMORY = "models, memory"


def _memory(seed: int) -> Entry:
    """Memory that so many models take in a process of the service."""
    with tempfile.TemporaryDirectory() as name:
        subject = made.subject("models", made.features(made.COLUMNS), File(name), seed)
        try:
            runs = [held(["service", *[subject.folder] * max(MODELS)]) for _ in range(PROCESSES)]
        except FailedError as error:
            return Entry(MODEL, MEMORY, failures={"pipetwin": Failure(str(error))})
    costs = {amount: [max(one[f"{amount}"] - one["service"], 0.001) for one in runs] for amount in MODELS}
    points = {at("MB", amount): interval(values, seed) for amount, values in costs.items()}
    return Entry(MODEL, MEMORY, values={**points, EXPONENT: exponent(costs, seed)})


def _wide(seed: int, noisy: bool) -> Entry:
    """One row of 600 columns in process, beside the controls of every model."""
    with tempfile.TemporaryDirectory() as folder:
        subject = made.subject(WIDE, made.wide, File(folder), seed)
        path = next(in_process.paths(subject))
        limits = {(path.name, "p95 ms"): WIDE_P95_MS}
        return measure(path, seed, lambda entry: all(d.verdict != "undecided" for d in decisions(entry, limits, noisy)))


NAMES = (*(axis.name for axis in AXES), MEMORY, WIDE)
"""Everything that can be asked for."""
