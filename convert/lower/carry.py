"""A rounded sum goes on in the next ensemble, with the same bits.

onnxruntime's kernel begins each sum at zero, and rounded additions must come in the order of the trees. So the next
ensemble begins with small trees that add up to what came before: the sum is cut into digits, each digit is a column,
and a tree answers with what it is worth. Added from the highest down they are the sum's own beginnings, so that none of
these additions rounds, and then the next tree is added as if there had been no cut.
"""

from dataclasses import dataclass, replace

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from .layout import Layout
from .nodes import Trees, join, search

__all__ = ["Carry"]

Floats = NDArray[np.float64]

BITS = 5
"""Of a digit. Each costs a row a number and a tree of a level more; the more bits, the fewer digits and the more
leaves."""
DIGITS = 40
"""At most; sums of a thousand numbers between 0.001 and 1,000 have 17."""
EXPONENT = 800
"""Beyond which powers of two are not reckoned with."""


@dataclass(frozen=True)
class Carry:
    """The digits of any sum of an ensemble's first trees.

    exponent: every such sum is below 2 ** exponent in magnitude.
    count: digits; each has the sum's sign, and is a whole number of 2 ** (exponent - BITS * (1 + place)).
    """

    exponent: int
    count: int

    @classmethod
    def of(cls, trees: Trees, weights: Floats) -> "Carry | None":
        """For sums of the weights at the leaves, in any order and however rounded; None where they are of too many
        digits, or no numbers."""
        weights = np.where(trees.feature < 0, weights, 0.0)
        with np.errstate(over="ignore"):
            most = float(np.maximum.reduceat(np.abs(weights), trees.roots).sum())
        if most == 0 or not np.isfinite(most):
            return None
        # The sums are multiples of the lowest bit that any weight has: rounding takes bits off the lower end.
        mantissas, exponents = np.frexp(weights[weights != 0])
        whole = (mantissas * 2.0**53).astype(np.int64)
        lowest = int((exponents - 53 + np.frexp((whole & -whole).astype(np.float64))[1] - 1).min())
        exponent = int(np.frexp(most)[1]) + 1  # one for what rounding may add
        count = -(-(exponent - lowest) // BITS)
        return cls(exponent, count) if count <= DIGITS and abs(exponent) <= EXPONENT else None

    def digits(self, total: Var) -> Var:
        """Of a sum, float64 [N, 1]: the columns in which its digits are looked up, [N, count]: what is left of it below
        each digit's upper end. A remainder is never rounded."""
        return op.mod(total, op.const(np.ldexp(1.0, self.exponent - BITS * np.arange(self.count))), fmod=1)

    def ahead(self, layout: Layout, weights: Floats) -> tuple[Layout, Floats]:
        """The trees of the digits before those of a layout, which ask the columns behind its matrix's own; and the
        weights, with those of the new nodes behind."""
        whole = np.arange(1.0, 2**BITS)
        parts, worth = [], []
        for place in range(self.count):
            steps = np.ldexp(whole, self.exponent - BITS * (place + 1))
            edges = np.concatenate([-steps[::-1], np.nextafter(steps, 0)])  # what is below one is cut towards zero
            found, passed = search(edges, "left", len(layout.sources) + place)
            parts.append(found)
            worth.append(np.concatenate([-steps[::-1], [0.0], steps])[passed])
        trees = join(parts)
        inner = np.flatnonzero(trees.feature >= 0)
        first, zeros = len(weights), np.zeros(len(inner), np.int64)
        true, false, leaf = trees.left[inner], trees.right[inner], trees.feature < 0
        longer = replace(
            layout,
            sources=np.append(layout.sources, np.full(self.count, -1)),
            signs=np.append(layout.signs, np.ones(self.count)),
            roots=np.append(trees.roots + first, layout.roots),
            nodes=np.append(inner + first, layout.nodes),
            column=np.append(trees.feature[inner], layout.column),
            mode=np.append(zeros, layout.mode),
            split=np.append(trees.threshold[inner], layout.split),
            missing=np.append(zeros, layout.missing),
            true=np.append(true + first, layout.true),
            false=np.append(false + first, layout.false),
            true_leaf=np.append(leaf[true], layout.true_leaf),
            false_leaf=np.append(leaf[false], layout.false_leaf),
            which=np.append(zeros, layout.which),
        )
        return longer, np.concatenate([weights, *worth])
