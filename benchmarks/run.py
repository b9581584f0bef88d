"""The run from bundles to results."""

import gc
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from time import monotonic, perf_counter

import msgspec
from rich.console import Console

from . import engines, in_process, inference, rivals, served
from .errors import FailedError, WrongAnswerError
from .gate import NAMES, Budgets, decisions
from .instructions import NAME as INSTRUCTIONS
from .instructions import elsewhere, instructions
from .machine import describe, probe, spent
from .measure import Path, measure
from .memory import NAME as MEMORY
from .memory import memory
from .results import Decision, Entry, Failure, Interval, Results
from .subjects import Load, Subject

__all__ = ["asked", "kept", "run"]

LOADS = 5
KEPT_CALLS, KEPT_ROUNDS = 1000, 6
HURRY_AFTER_SECONDS = 100
"""After that fewer blocks are measured, so that a check ends within three minutes on a machine that is slow
because others use it. A machine of its own does without."""

EXTEND_WITHIN_SECONDS = 140
"""After that no more blocks are added to what is undecided."""

LONG = frozenset(
    {
        *(INSTRUCTIONS, MEMORY, "predict 100", "predict 10000 array"),
        *map(served.open_name, served.OPEN),
        *map(served.protocol_name, inference.FORMS),
    }
)
"""What a check measures only for models that have a limit there: what takes long, and batches like those of other
paths."""


def run(
    subjects: Sequence[Subject],
    budgets: Budgets | None,
    load: Load,
    seed: int,
    only: Collection[str] = (),
    *,
    peers: bool = False,
) -> Results:
    """Measure every path of every subject.

    budgets: limits to decide; blocks are added to a path for as long as one of its limits is undecided.
    load: gives the model of a folder, for the time that it takes.
    only: paths; none for all.
    peers: measure ours and the peers, over HTTP and in process, as well.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    begun, before, variation = monotonic(), spent(), probe()
    noisy = describe(variation, before, spent()).noisy
    gc.collect()
    gc.freeze()  # scikit-learn's objects are not ours to walk while we are timed
    entries: list[Entry] = []
    beside: list[Entry] = []
    found: list[Decision] = []
    for subject in subjects:
        limits = _limits(budgets, subject, only)

        def enough(entry: Entry, limits: dict[tuple[str, str], float] = limits) -> bool:
            if monotonic() - begun > EXTEND_WITHIN_SECONDS:
                return True
            return all(
                decision.verdict != "undecided" or decision.found is None
                for decision in decisions(entry, limits, noisy)
            )

        def measured(path: Path, enough: Callable[[Entry], bool] = enough) -> Entry:
            console.print(f"{path.model}: {path.name}")
            return measure(path, seed, enough, hurry=monotonic() - begun > HURRY_AFTER_SECONDS)

        wanted = asked(limits if budgets else None, only)
        if INSTRUCTIONS in wanted:
            console.print(f"{subject.name}: {INSTRUCTIONS}")
            entries.append(instructions(subject))
        if MEMORY in wanted:
            console.print(f"{subject.name}: {MEMORY}")
            entries.append(memory(subject))
        entries += _entries(subject, load, measured, wanted)
    for subject in subjects if peers else ():  # after all that has limits, and without any of its own

        def turned(path: Path) -> Entry:
            console.print(f"{path.model}: {path.name}, beside peers")
            return measure(path, seed)

        beside += _rivals(subject, turned)
    machine = describe(variation, before, spent())
    for subject in subjects:
        limits = _limits(budgets, subject, only)
        mine = {entry.path: entry for entry in entries if entry.model == subject.name}
        for path in dict.fromkeys([*mine, *(path for path, _ in limits)]):
            found += decisions(mine.get(path, Entry(subject.name, path)), limits, machine.noisy)
    return Results(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        seconds=monotonic() - begun,
        machine=machine,
        entries=tuple(entries),
        peers=tuple(beside),
        decisions=tuple(found),
        checked={s.name: "scikit-learn's pipeline" if s.pipeline is not None else "the canary rows" for s in subjects},
    )


def asked(limits: Iterable[tuple[str, str]] | None, only: Collection[str]) -> set[str]:
    """The paths of a model that are measured.

    limits: (path, name) of each in a check, where what takes long is measured only for a limit; None: no check.
    only: those that are asked for; none for all, but for instructions, which take half a minute.
    """
    if only:
        return set(only)
    if limits is None:
        return set(NAMES) - {INSTRUCTIONS}
    return set(NAMES) - LONG | {path for path, _ in limits}


def _limits(budgets: Budgets | None, subject: Subject, only: Collection[str]) -> dict[tuple[str, str], float]:
    if budgets is None:
        return {}
    own = subject.model.manifest.budget_p95_us
    carried = {} if own is None else {("predict_json", "p95 ms"): own / 1000}
    limits = {**budgets.of(subject.name), **carried}
    return {
        (path, name): limit
        for (path, name), limit in limits.items()
        if (path in only or not only) and not (path == INSTRUCTIONS and elsewhere(name))
    }


def _entries(
    subject: Subject, load: Load, measured: Callable[[Path], Entry], wanted: Collection[str]
) -> Iterator[Entry]:
    for path in in_process.paths(subject):
        if path.name in wanted:
            entry = measured(path)
            ask = path.name == "predict_json" and "pipetwin" in entry.latencies
            yield _with_kept(entry, subject) if ask else entry
    if "start" in wanted:
        yield served.start(subject, [_load_seconds(subject, load) for _ in range(LOADS)])
    names = [
        *map(served.name, served.CONNECTIONS),
        *map(served.protocol_name, inference.FORMS),
        *map(served.open_name, served.OPEN),
    ]
    names = [name for name in names if name in wanted]
    if not names:
        return
    with ExitStack() as stack:
        try:
            paths: list[Path] = stack.enter_context(served.paths(subject))
        except FailedError as error:
            failure = Failure(str(error), isinstance(error, WrongAnswerError))
            yield from (Entry(subject.name, name, failures={"pipetwin": failure}) for name in names)
            return
        yield from (measured(path) for path in paths if path.name in wanted)


def _rivals(subject: Subject, measured: Callable[[Path], Entry]) -> list[Entry]:
    inside = list(engines.paths(subject, measured))
    try:
        return [*rivals.paths(subject, measured), *inside]
    except FailedError as error:
        failure = Failure(str(error), isinstance(error, WrongAnswerError))
        names = [served.name(count) for count in served.CONNECTIONS]
        return [*(Entry(subject.name, name, failures={"pipetwin": failure}) for name in names), *inside]


def _load_seconds(subject: Subject, load: Load) -> float:
    begun = perf_counter()
    load(subject.folder).close()
    return perf_counter() - begun


def _with_kept(entry: Entry, subject: Subject) -> Entry:
    """With the memory blocks that a call leaves behind."""
    bodies = subject.bodies

    def ask() -> None:
        for turn in range(KEPT_CALLS):
            subject.model.predict_json(bodies[turn % len(bodies)])

    values = {**entry.values, "kept": Interval.exact(kept(ask, sys.getallocatedblocks) / KEPT_CALLS)}
    return msgspec.structs.replace(entry, values=values)


def kept(ask: Callable[[], None], count: Callable[[], int]) -> int:
    """By how much ``count`` grows with each ``ask``: the least of KEPT_ROUNDS. A buffer that fills and is emptied grows
    in some rounds; only a leak grows in all."""
    ask()
    grown = []
    for _ in range(KEPT_ROUNDS):
        before = count()
        ask()
        grown.append(count() - before)
    return max(min(grown), 0)
