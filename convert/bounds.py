"""What a row's answers are held to: how far its numbers may be off, and where its answer is left to rounding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import spox
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray

from runtime.manifest import Output
from runtime.rows import Rows
from runtime.session import Session

from .asked import cut, some
from .errors import ParityError
from .lower.packed import serialize
from .lower.rounding import LOOSE
from .lower.scope import Scope
from .parity import ULP, Comparison, compare_labels, compare_logarithms, compare_numbers, near_ties
from .shaken import Shaken

__all__ = ["Bounds", "gauge"]

Floats = NDArray[np.float64]
UNDECIDED = "undecided"
"""The gauge's output that is no method's."""


def gauge(scope: Scope, sizes: dict[str, spox.Var]) -> bytes | None:
    """The graph of how large the terms of answers are, by method, and of which rows hang on a rounding; None where
    there is nothing of that kind."""
    if scope.undecided:
        hanging = op.cast(op.concat(scope.undecided, axis=1), to=np.float64)
        sizes = sizes | {UNDECIDED: op.reduce_max(hanging, op.const(np.array([1])), keepdims=1)}
    return serialize(spox.build(scope.inputs, sizes, drop_unused_inputs=False), scope.ensembles) if sizes else None


@dataclass(frozen=True)
class Bounds:
    """What so many rows are held to.

    terms: by method that answers sums whose terms cancel, how large these are: [rows, 1]; zero where they overflow.
    undecided: [rows], whether a choice among near rows hangs on a rounding, so that no answer is the right one.
    rows, sizes: the rows, of which so many at a time come together.
    shaken: to be asked how far roundings move a row's answer, where it is beyond the bound.
    """

    scope: Scope
    terms: dict[str, Floats]
    undecided: NDArray[np.bool_]
    rows: Rows
    sizes: Sequence[int]
    shaken: Shaken

    @classmethod
    def of(cls, scope: Scope, rows: Rows, sizes: Sequence[int], shaken: Shaken) -> "Bounds":
        """As the gauge says of these rows."""
        if scope.gauge is None:
            return cls(scope, {}, np.zeros(len(rows), bool), rows, sizes, shaken)
        session = Session(scope.gauge, scope.widths, whole=scope.whole)
        runs = [session.run_rows(batch, session.outputs) for batch in cut(rows, sizes)]
        found = dict(zip(session.outputs, map(np.concatenate, zip(*runs, strict=True)), strict=True))
        undecided = found.pop(UNDECIDED, np.zeros((len(rows), 1)))[:, 0] > 0
        terms = {method: np.where(np.isfinite(size), size, 0.0) for method, size in found.items()}
        return cls(scope, terms, undecided, rows, sizes, shaken)

    def first(self, rows: int) -> "Bounds":
        """Of so many rows, each by itself."""
        terms = {method: size[:rows] for method, size in self.terms.items()}
        return replace(self, terms=terms, undecided=self.undecided[:rows], rows=self.rows[:rows], sizes=(rows,))

    def least(self, method: str, floor: float) -> Floats:
        """What a difference of each row is at least measured against, [rows, 1]."""
        terms = self.terms.get(method, np.zeros((len(self.undecided), 1)))
        return np.maximum(floor, terms / 1000)

    def tied(self, expected: dict[str, Any], floors: dict[str, float]) -> NDArray[np.bool_] | None:
        """Rows whose label may differ at level ulp; None where there are no scores to tell."""
        for method in ("predict_proba", "decision_function"):
            if method in floors:
                return near_ties(expected[method], self.least(method, floors[method])[:, 0])
        return None

    def compared(
        self,
        output: Output,
        wanted: Any,
        found: Any,
        floor: float | None,
        tied: NDArray[np.bool_] | None,
        *,
        excused: bool = True,
    ) -> Comparison:
        """A method's answers for the rows.

        floor: for numbers; None for labels. tied: rows whose label may differ.
        excused: whether rows count as ties that differ by no more than roundings on their way move them.
        Rows that are undecided, or that roundings on their way move to another answer, count as ties where they differ.
        """
        least = None if floor is None else self.least(output.method, floor)
        whole = self._compared(output.method, wanted, found, least, tied)
        beyond = whole.excess > ULP
        asked = beyond & ~self.undecided
        moved = self.moved(output, floor, asked)
        hanging = asked & (moved > LOOSE)
        explained = asked & ~hanging & (whole.excess <= moved)
        loose = np.where(explained & excused, whole.excess, 0.0)
        off = (beyond & self.undecided) | hanging | (loose > 0)
        unexplained = int((asked & ~hanging & ~explained).sum())
        if not off.any():
            return replace(whole, hanging=hanging, loose=loose, unexplained=unexplained)
        kept = ~off
        part = self._compared(
            output.method,
            some(wanted, kept),
            some(found, kept),
            None if least is None else least[kept],
            None if tied is None else tied[kept],
        )
        identical, excess = np.zeros(len(kept), bool), np.zeros(len(kept))
        identical[kept], excess[kept] = part.identical, part.excess
        ties = part.ties + int(off.sum())
        return replace(
            part,
            identical=identical,
            excess=excess,
            ties=ties,
            hanging=hanging,
            loose=loose,
            unexplained=unexplained,
        )

    def moved(self, output: Output, floor: float | None, wanted: NDArray[np.bool_]) -> Floats:
        """How far roundings move the twin's answers to some of the rows, [rows]; of the others nothing is asked."""
        moved = np.zeros(len(wanted))
        # Where rows come together each is asked beside those that it came with.
        asked = np.full(len(wanted), wanted.any()) if self.scope.whole else wanted
        if not asked.any():
            return moved
        least = None if floor is None else self.least(output.method, floor)[asked]

        def compared(still: Any, shaken: Any) -> Comparison:
            return self._compared(output.method, still, shaken, least, None)

        sizes = self.sizes if self.scope.whole else (int(asked.sum()),)
        moved[asked] = self.shaken.moved(output, self.rows[np.flatnonzero(asked)], sizes, compared)
        return np.where(wanted, moved, 0.0)

    def _compared(
        self, method: str, wanted: Any, found: Any, least: Floats | None, tied: NDArray[np.bool_] | None
    ) -> Comparison:
        try:
            if least is None:
                return compare_labels(wanted, found, tied)
            if method in self.scope.logged:
                return compare_logarithms(wanted, found, least, self.scope.logged[method])
            return compare_numbers(wanted, found, least)
        except ValueError as error:
            raise ParityError(f"{method}: {error}") from error
