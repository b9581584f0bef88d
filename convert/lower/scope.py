"""What one conversion knows and gathers while its steps are lowered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import spox
from numpy.typing import NDArray
from spox import Var

from runtime.manifest import TextRule
from runtime.session import INPUT, text_inputs

from .packed import Ensemble
from .sparse import Sparse

__all__ = ["Scope"]

Floats = NDArray[np.float64]


@dataclass
class Scope:
    """One conversion's own state.

    x: the graph's float64 matrix [N, columns].
    missing, names: by column of it, whether it may hold NaN, and what it is called.
    tables: by column, the categories whose codes are their places. They grow while encoders are lowered; the driver
        lowers again, with the full tables, if one grew after it was first used.
    texts: by column, the rules by which its texts are read, each with what they give the graph.
    fold: whether trees compare the request's values directly.
    folded: by the path of a tree model, the steps that it took in.
    edges: by column, the values next to which trees decide otherwise: where the proof must look.
    fallbacks: the classes that skl2onnx lowered.
    among_equals: whether a step chooses among equally near rows, where scikit-learn leaves it to the processor.
    whole: whether the answer to a row depends on the rows beside it, as in ``Manifest.whole``.
    undecided: of steps that choose among near rows, whether a row's choice hangs on a rounding, [N, 1] each.
    sums: answers that are sums of terms which cancel, each with the size of its terms (``adds_up``).
    alone: of these, those whose rows are each held to their own terms alone; rowwise: the same by method.
    logarithms: answers that are logarithms of probabilities or densities, each with a thousandth of how large these may
        be.
    logged: the same by method.
    singles: answers that the pipeline has in float32, and computes with in float32, though they are float64 here.
    seen: by column of categories, those that the sample holds.
    stored: the ids of the models that the pipeline gives sparse rows, of which they read what is stored.
    gauge: the graph that says how large they are, by method; None where no answer is such a sum.
    model: the twin's graph, with stand-ins for its tree ensembles; None until it is built.
    asked: the graph of the matrices that tree ensembles ask, by their Var's id; None where all ask the request's.
    times: by column of times, those in microseconds that all encoders of it know.
    known_only: the columns of times in which an encoder takes no others.
    written: the columns of strings that the pipeline reads as times, and how (``parsing.Reading``).
    ruled: the columns of times of which a named zone's clocks are asked, whose rules are known from 1900 to 2100.
    nanoseconds: the columns of times in another unit that stand in an array of nanoseconds, where NumPy lets what int64
        cannot count turn over without a word.
    left_out: the methods that the pipeline has and the twin has not, each with why.
    ensembles: the attributes of the graph's tree ensembles, kept out of it until its bytes are made (``packed``).
    """

    x: Var
    missing: tuple[bool, ...]
    names: tuple[str, ...] = ()
    tables: dict[int, dict[Any, int]] = field(default_factory=dict)
    texts: dict[int, list[tuple[TextRule, Sparse]]] = field(default_factory=dict)
    fold: bool = True
    folded: list[str] = field(default_factory=list)
    edges: dict[int, list[Floats]] = field(default_factory=dict)
    fallbacks: list[str] = field(default_factory=list)
    among_equals: bool = False
    whole: bool = False
    undecided: list[Var] = field(default_factory=list)
    sums: list[tuple[Var, Var]] = field(default_factory=list)
    alone: list[Var] = field(default_factory=list)
    rowwise: set[str] = field(default_factory=set)
    logarithms: list[tuple[Var, float]] = field(default_factory=list)
    logged: dict[str, float] = field(default_factory=dict)
    singles: list[Var] = field(default_factory=list)
    seen: Callable[[int], list[Any]] = lambda source: []
    stored: frozenset[int] = frozenset()
    gauge: bytes | None = None
    model: onnx.ModelProto | None = None
    asked: bytes | None = None
    times: dict[int, set[float]] = field(default_factory=dict)
    known_only: set[int] = field(default_factory=set)
    written: dict[int, Any] = field(default_factory=dict)
    ruled: set[int] = field(default_factory=set)
    nanoseconds: set[int] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)
    ensembles: list[Ensemble] = field(default_factory=list)
    regrown: bool = False
    memo: dict[Any, Any] = field(default_factory=dict)
    _used: set[int] = field(default_factory=set)

    def adds_up(self, answer: Var, terms: Var, *, alone: bool = False) -> None:
        """Say that an answer is a sum of terms so much larger than itself that no order of adding them keeps twelve
        digits of it: a difference is then measured against the terms.

        answer: [N, k]. terms: the magnitudes of a row's terms added up, or a bound of that, [N, 1].
        alone: whether each row is held to its own terms alone, and not also to the largest of the sample's, for the
            rows differ by powers of ten.
        """
        self.sums.append((answer, terms))
        if alone:
            self.alone.append(answer)

    def terms_of(self, answer: Any) -> Var | None:
        """The size of the terms that cancel in an answer, [N, 1], as was said last; or None."""
        return next((terms for total, terms in reversed(self.sums) if total is answer), None)

    def in_float32(self, answers: Iterable[Any]) -> bool:
        """Whether the pipeline has all of the answers in float32."""
        return all(any(answer is other for other in self.singles) for answer in answers)

    def held_alone(self, answers: Iterable[Any]) -> bool:
        """Whether the rows of one of the answers are held to their own terms alone."""
        return any(answer is other for answer in answers for other in self.alone)

    def codes(self, source: int, values: Iterable[Any]) -> list[int]:
        """The codes of categories, new ones added to the column's table."""
        table = self.tables.setdefault(source, {})
        before = len(table)
        found = [table.setdefault(value, len(table)) for value in values]
        if len(table) > before and source in self._used:
            self.regrown = True
        self._used.add(source)
        return found

    @property
    def inputs(self) -> dict[str, Var]:
        """The graph's inputs: its matrix, and what the text rules count, in the manifest's order of them."""
        found = {INPUT: self.x}
        for rule, (_, entries) in enumerate(self._rules):
            found |= dict(zip(text_inputs(rule), (entries.places, entries.values), strict=True))
        return found

    @property
    def widths(self) -> list[int]:
        """The columns of each text rule."""
        return [rule.columns for rule, _ in self._rules]

    @property
    def _rules(self) -> list[tuple[TextRule, Sparse]]:
        return [pair for source in sorted(self.texts) for pair in self.texts[source]]

    def terms(self, source: int, rule: TextRule) -> Sparse:
        """What the runtime counts in a column's texts by a rule: an input of the graph beside its matrix."""
        known = self.texts.setdefault(source, [])
        for other, entries in known:
            if other == rule:
                return entries
        places = spox.argument(spox.Tensor(np.int64, (None, 2)))
        counts = spox.argument(spox.Tensor(np.float64, (None,)))
        known.append((rule, Sparse(self.x, places, counts, rule.columns)))
        return known[-1][1]
