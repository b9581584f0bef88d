"""What moved between two runs, and whether by more than noise.

Compared are ratios to controls, which were measured block by block in each run, and what is exact. An amount of time
is not: nothing was measured beside it that would tell the machine's part in it from ours.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from .gate import EXPONENT
from .instructions import NAME as INSTRUCTIONS
from .measure import ENOUGH
from .memory import NAME as MEMORY
from .report import aligned, ranged
from .results import Entry, Failure, Interval, Machine, Results

__all__ = ["Change", "Comparison", "compare", "comparison"]

OURS = "pipetwin"

Verdict = Literal["worse", "undecided", "better", "same", "new"]


class Slack(NamedTuple):
    """What an exact value may grow by without being worse: a part of itself, or an amount, whichever is more."""

    part: float
    amount: float


EXACT = {
    "bundle MB": Slack(0.01, 0.001),
    "pss MB": Slack(0.05, 1.0),
    "kept": Slack(0.0, 0.01),
    "predict_json kept": Slack(0.0, 0.01),
    "request kept": Slack(0.0, 0.01),
    "failed": Slack(0.0, 0.0),
}
"""The values without blocks that are compared; of each, more is worse. The sizes vary with dates and with what
libraries happen to touch, and what is kept with what the interpreter does on its own."""

PATHS = {INSTRUCTIONS: Slack(0.02, 0.0), MEMORY: Slack(0.1, 0.0)}
"""The same of every value of a path. A count of another run is within a thousandth, as long as the libraries are the
same; how memory is shared varies with what else runs."""

CONTROLS = ("plain handler", "float32")
"""How values of controls begin, which may become more or less."""

ELSEWHERE = frozenset({"bundle MB", "kept", "failed"})
"""Those of them that another machine does not change."""


STARTS = "cold / floor"

HIDES = 2.0
"""A path whose steadiest ratio would hide that it takes so many times as long has not been measured."""


class Change(NamedTuple):
    """One figure of one path.

    moved: new over old; None where it is no quotient of two figures.
    """

    where: str
    path: str
    name: str
    verdict: Verdict
    old: Interval | None
    new: Interval | None
    moved: Interval | None
    why: str


class Comparison(NamedTuple):
    """differences: of the machines, versions and seeds, a sentence each."""

    differences: tuple[str, ...]
    changes: tuple[Change, ...]

    @property
    def exit_code(self) -> int:
        """1 where something is worse, else 3 where something is undecided or nothing could be compared, else 0."""
        verdicts = {change.verdict for change in self.changes}
        if "worse" in verdicts:
            return 1
        return 0 if verdicts & {"same", "better"} and "undecided" not in verdicts else 3


def compare(old: Results, new: Results) -> Comparison:
    """Every figure that either run has."""
    unlike = _unlike(old.machine, new.machine)
    changes: list[Change] = []
    sections = ((", beside peers", old.peers, new.peers), ("", old.growth, new.growth))
    for beside, some, others in (("", old.entries, new.entries), *sections):
        before, after = ({(entry.model, entry.path): entry for entry in entries} for entries in (some, others))
        for model, path in dict.fromkeys([*before, *after]):
            shown = f"{path}{beside}"
            a, b = (entries.get((model, path), Entry(model, path)) for entries in (before, after))
            here = list(_changes(a, b, shown, unlike))
            changes += [*here, *_hidden(model, shown, here)]
    return Comparison((*unlike, *_otherwise(old, new)), tuple(changes))


def comparison(found: Comparison) -> str:
    """As text: what is worse first, and what is the same as a count, with how much could hide in it."""
    order: dict[Verdict, int] = {"worse": 0, "undecided": 1, "better": 2, "new": 3}
    rows: list[tuple[str, ...]] = [("verdict", "model", "path", "figure", "old", "new", "new over old", "why")]
    for c in sorted((c for c in found.changes if c.verdict != "same"), key=lambda change: order[change.verdict]):
        figures = ("-" if value is None else ranged(value) for value in (c.old, c.new, c.moved))
        rows.append((c.verdict, c.where, c.path, c.name, *figures, c.why))
    lines = [*found.differences]
    if len(rows) > 1:
        lines.append(aligned(rows))
    places = dict.fromkeys((c.where, c.path) for c in found.changes)
    for where, path in places:
        same = [c for c in found.changes if (c.where, c.path) == (where, path) and c.verdict == "same"]
        hidden = [(c.moved.high, c.name) for c in same if c.moved is not None and c.moved.blocks]
        if same:
            widest = max(hidden, default=None)
            said = "" if widest is None else f"; up to {widest[0]:.3g} times could hide in {widest[1]}"
            lines.append(f"{where}, {path}: {len(same)} figures did not move by more than noise{said}")
    if not found.changes:
        lines.append("There is nothing that both runs measured.")
    return "\n".join(lines)


def _unlike(old: Machine, new: Machine) -> list[str]:
    """What makes figures of time another machine's."""
    pairs = {
        "machine": [f"{m.processor}, {m.cores} cores, {m.memory_gb:g} GB" for m in (old, new)],
        "load generator": [old.load, new.load],
    }
    return [f"Another {name}: {a}, then {b}." for name, (a, b) in pairs.items() if a != b]


def _otherwise(old: Results, new: Results) -> list[str]:
    """What else is not the same, and may be why something moved."""

    def facts(results: Results) -> dict[str, str]:
        m = results.machine
        named = {"system": m.system, "Python": m.python, "the server's Python": m.server_python, **m.versions}
        return {**named, "seed": f"{results.seed}", "commit": m.commit}

    a, b = facts(old), facts(new)
    return [
        f"{name}: {a.get(name) or 'none'}, then {b.get(name) or 'none'}."
        for name in dict.fromkeys([*a, *b])
        if a.get(name) != b.get(name)
    ]


def _changes(old: Entry, new: Entry, path: str, unlike: Sequence[str]) -> Iterator[Change]:
    broken = new.failures.get(OURS)
    if broken and OURS not in old.failures:
        yield Change(new.model, path, OURS, "worse", None, None, None, broken.reason)
    for name in dict.fromkeys([*old.values, *new.values]):
        slack = None if name.startswith(CONTROLS) else EXACT.get(name) or PATHS.get(path)
        if slack is None and " / " not in name and name != EXPONENT:
            continue
        a, b = old.values.get(name), new.values.get(name)
        if a is None:
            yield Change(new.model, path, name, "new", a, b, None, "the old run has no such figure")
        elif b is None:
            failure = new.failures.get(name.partition(" / ")[2], broken or Failure("the new run has no such figure"))
            yield Change(new.model, path, name, "undecided", a, b, None, failure.reason)
        elif name == EXPONENT:
            yield Change(new.model, path, name, *_exponent(a, b))
        elif slack is not None:
            yield Change(new.model, path, name, *_exact(name, slack, a, b, unlike))
        else:
            trust = (old.same or 1.0) * (new.same or 1.0)
            yield Change(new.model, path, name, *_sampled(a, b, trust, name == STARTS, unlike))


def _hidden(model: str, path: str, changes: Sequence[Change]) -> Iterator[Change]:
    steady = [c.moved.high for c in changes if c.verdict == "same" and c.moved is not None and c.moved.blocks]
    if steady and min(steady) > HIDES:
        why = f"even the steadiest would hide that ours takes {min(steady):.2g} times as long"
        yield Change(model, path, "every ratio", "undecided", None, None, None, why)


Found = tuple[Verdict, Interval, Interval, Interval | None, str]


def _exact(name: str, may: Slack, old: Interval, new: Interval, unlike: Sequence[str]) -> Found:
    slack = max(may.part * old.median, may.amount)
    moved = Interval.exact(new.median / old.median) if old.median else None
    grown = new.median - old.median
    if abs(grown) <= slack:
        return "same", old, new, moved, ""
    if unlike and name not in ELSEWHERE:
        return "undecided", old, new, moved, "it is not the same machine"
    return "worse" if grown > 0 else "better", old, new, moved, ""


def _exponent(old: Interval, new: Interval) -> Found:
    """How cost grows, on whatever machine: it moved where the intervals do not touch."""
    if new.low > old.high:
        return "worse", old, new, None, ""
    return "better" if new.high < old.low else "same", old, new, None, ""


def _sampled(old: Interval, new: Interval, trust: float, starts: bool, unlike: Sequence[str]) -> Found:
    """A ratio in one run over the same in another.

    starts: whether it is of a few starts of a process, whose interval is all of them. Where those of both runs overlap,
        nothing says that it moved; where they do not, they are too few to say that it did.
    trust: by how much a control differed from itself, as a factor, in both runs: less than that moved nothing.

    The interval is that of the extremes, new.low over old.high to new.high over old.low: 1 is outside of it when the
    two intervals do not touch. That is stricter than either's confidence, because a hundred figures are looked at in
    one comparison, and one in a hundred of equal ones is not to be called worse.
    """
    blocks = min(old.blocks, new.blocks)
    moved = Interval(_over(new.median, old.median), _over(new.low, old.high), _over(new.high, old.low), blocks)
    apart = moved.low / trust > 1 or moved.high * trust < 1
    if unlike:
        return "undecided", old, new, moved, "it was not measured on the same machine, or not in the same way"
    if blocks < ENOUGH and not (starts and blocks > 1 and moved.low <= 1):
        return "undecided", old, new, moved, f"{blocks} blocks are too few; expected {ENOUGH} in both runs"
    if not apart:
        return "same", old, new, moved, ""
    return "worse" if moved.median > 1 else "better", old, new, moved, ""


def _over(a: float, b: float) -> float:
    return a / b if b else math.inf
