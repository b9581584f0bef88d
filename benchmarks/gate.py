"""Limits, and what a measurement says about them. Pure but for reading the file of limits."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .errors import BadInputError
from .results import Decision, Entry, Interval

__all__ = ["EXPONENT", "NAMES", "Budgets", "Decision", "decide", "decisions", "exit_code", "read_budgets"]

EXPONENT = "exponent"
"""Of what grows, by how much cost grows with it: 1 is linear."""

_PERCENTILES = ("p50", "p95", "p99")


def _ratios(*controls: str) -> frozenset[str]:
    return frozenset(f"{percentile} / {control}" for percentile in _PERCENTILES for control in controls)


_LOADED = _ratios("echo") | {"cpu / echo", "cpu us beyond echo and run", "p95 ms", "failed"}
"""Of many connections at once."""

NAMES: Mapping[str, frozenset[str]] = {
    "predict_json": _ratios("raw run", "prebound run", "scikit-learn") | {"p95 ms", "kept"},
    **{f"predict {count}": _ratios("raw run", "scikit-learn") | {"p95 ms"} for count in (1, 100, 10_000)},
    "predict 10000 array": _ratios("raw run", "scikit-learn") | {"p95 ms"},
    "http 1": _ratios("echo") | {"net p95 / echo", "cpu / echo", "p95 ms", "failed"},
    "http 16": _LOADED,
    **{f"oip {form} 16": _LOADED for form in ("json", "binary")},
    **{f"http open {percent} %": _ratios("echo") | {"p95 ms", "failed"} for percent in (25, 50, 80)},
    "instructions": frozenset(
        {f"{way}{end}" for way in ("predict_json", "request") for end in (" / plain handler", " kept")}
        | {f"{way}, CPython 3.{minor}" for way in ("predict_json", "request") for minor in range(11, 15)}
    ),
    "memory": frozenset({"model MB", "worker MB", "bytes a node"})
    | {f"{more}{end}" for more in ("another worker", "second worker and supervisor") for end in (" MB", " / first")},
    "start": frozenset({"bundle MB", "load s", "cold s", "cold / floor", "pss MB"}),
}
"""What can have a limit, by path."""

Limits = dict[tuple[str, str], float]
"""By (path, name)."""


class Budgets(NamedTuple):
    """The limits of every model, and those of some."""

    every: Limits
    models: dict[str, Limits]

    def of(self, model: str) -> Limits:
        """A model's limits: its own, and for the rest those of every model."""
        return {**self.every, **self.models.get(model, {})}


def read_budgets(file: Path, models: Iterable[str]) -> Budgets:
    """Read limits. Raises BadInputError for what is not one, and for a model that is not among ``models``: a limit
    that nobody looks at would be green for ever."""
    try:
        tables = tomllib.loads(file.read_text())
    except OSError as error:
        raise BadInputError(f"expected limits in {file}, found: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"expected TOML in {file}, found: {error}") from error
    if unknown := sorted(tables.keys() - {"every", "models"}):
        raise BadInputError(f"expected the tables every and models in {file}, found {', '.join(unknown)}")
    own = _table(tables.get("models", {}), f"models in {file}")
    if unknown := sorted(own.keys() - set(models)):
        raise BadInputError(f"expected limits of the models {', '.join(models)} in {file}, found those of {unknown[0]}")
    return Budgets(
        _limits(tables.get("every", {}), f"every in {file}"),
        {model: _limits(table, f"models.{model} in {file}") for model, table in own.items()},
    )


def _limits(table: Any, where: str) -> Limits:
    found: Limits = {}
    for path, limits in _table(table, where).items():
        if path not in NAMES:
            raise BadInputError(f"expected a path in {where}, one of {', '.join(NAMES)}; found {path!r}")
        for name, limit in _table(limits, f"{path!r} of {where}").items():
            if name not in NAMES[path]:
                names = ", ".join(sorted(NAMES[path]))
                raise BadInputError(f"expected a limit of {path!r} in {where}, one of {names}; found {name!r}")
            if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit < float("inf"):
                raise BadInputError(f"expected a number from 0 on as {name!r} of {path!r} in {where}, found {limit!r}")
            found[path, name] = float(limit)
    return found


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInputError(f"expected a table as {where}, found {value!r}")
    return value


def decide(
    found: Interval, limit: float, same: float, noisy: bool, ratio: bool
) -> Literal["within", "over", "undecided"]:
    """What an interval says about a limit.

    same: by how much one control differed from itself, as a factor: a ratio is trusted no further than that.
    noisy: an amount of time over its ceiling says nothing on a machine where others had their share of it. (Within
        its ceiling it says something there all the more.)
    ratio: whether it is a ratio, or an amount of time; a value without blocks is exact and neither.
    """
    if found.blocks == 0:
        return "within" if found.median <= limit else "over"
    margin = same if ratio else 1.0
    if found.high * margin <= limit:
        return "within"
    if found.low / margin > limit and (ratio or not noisy):
        return "over"
    return "undecided"


def decisions(entry: Entry, limits: Limits, noisy: bool) -> list[Decision]:
    """What was found about every limit of an entry's path."""
    found = []
    for (path, name), limit in limits.items():
        if path == entry.path:
            found.append(_decision(entry, name, limit, noisy))
    wrong = next(((subject, failure) for subject, failure in entry.failures.items() if failure.wrong), None)
    if wrong and not any(decision.verdict == "wrong" for decision in found):
        subject, failure = wrong
        found.append(
            Decision(entry.model, entry.path, "right answers", 0, "wrong", None, f"{subject}: {failure.reason}")
        )
    return found


def _decision(entry: Entry, name: str, limit: float, noisy: bool) -> Decision:
    value = entry.values.get(name)
    if value is not None:
        ratio = " / " in name or name == EXPONENT  # of what was measured in turn: the noise is in all of it
        verdict = decide(value, limit, entry.same or 1.0, noisy, ratio)
        why = ""
        if verdict == "undecided":
            why = f"its interval {value.low:.3g} to {value.high:.3g} has the limit in it"
            if value.low > limit:
                why = "it is over, but the machine is too noisy to say so"
            elif value.high <= limit:
                why = f"a control differed from itself by a factor of {entry.same:.2f}"
        return Decision(entry.model, entry.path, name, limit, verdict, value, why)
    concerned = [
        failure for subject, failure in entry.failures.items() if subject in (name.partition(" / ")[2], "pipetwin")
    ]
    reason = concerned[0].reason if concerned else "it was not measured"
    wrong = any(failure.wrong for failure in concerned)
    return Decision(entry.model, entry.path, name, limit, "wrong" if wrong else "undecided", None, reason)


def exit_code(found: Iterable[Decision]) -> int:
    """1 where one is over or wrong, else 3 where one is undecided or there is none, else 0."""
    verdicts = {decision.verdict for decision in found}
    if verdicts & {"over", "wrong"}:
        return 1
    return 0 if verdicts == {"within"} else 3
