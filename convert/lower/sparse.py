"""Sparse matrices in a graph: the terms of texts, of which a row has few and a vocabulary very many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

__all__ = ["Sparse", "joined", "summed"]


@dataclass(frozen=True)
class Sparse:
    """A float64 matrix [N, width], by its entries; each row's in the order of the columns, as in SciPy's CSR.

    x: a tensor with N rows.
    places: int64 [entries, 2], row and column of each.
    values: float64 [entries].
    """

    x: Var
    places: Var
    values: Var
    width: int

    @property
    def columns(self) -> Var:
        """int64 [entries]."""
        return op.gather(self.places, op.const(np.int64(1)), axis=1)

    @property
    def rows(self) -> Var:
        """int64 [entries]."""
        return op.gather(self.places, op.const(np.int64(0)), axis=1)

    def valued(self, values: Var) -> Sparse:
        """The same entries with other values."""
        return replace(self, values=values)

    def scaled(self, factors: NDArray[np.float64]) -> Sparse:
        """Each column times its factor."""
        return self.valued(op.mul(self.values, op.gather(op.const(factors), self.columns, axis=0)))

    def row_sums(self, parts: Var) -> Var:
        """[N, k]: the sum of the rows of a float64 tensor [entries, k] over each row's entries, one after the other,
        as SciPy adds."""
        shape = parts.unwrap_tensor().shape
        width = shape[1] if shape is not None else None
        rows = op.gather(self.places, op.const(np.array([0])), axis=1)
        return self._scattered(int(width or 0), rows, parts)

    def product(self, weights: NDArray[np.float64]) -> Var:
        """The matrix times weights [width, k]: only those of the columns that a row has are looked at."""
        columns = self.columns
        used = np.flatnonzero(weights.any(axis=1))
        if 4 * self.width + weights[used].nbytes < weights.nbytes // 2:
            # Of hashed terms most columns have met none: their zeros are written once.
            table = np.full(self.width, len(used), np.int32)
            table[used] = np.arange(len(used))
            columns = op.gather(op.const(table), columns, axis=0)
            weights = np.concatenate([weights[used], np.zeros((1, weights.shape[1]))])
        chosen = op.gather(op.const(np.ascontiguousarray(weights)), columns, axis=0)
        return self.row_sums(op.mul(chosen, op.unsqueeze(self.values, op.const(np.array([1])))))

    def normalized(self, norm: str) -> Sparse:
        """Each row by its norm, ``l1`` or ``l2``; a row of zeros stays."""
        size = op.abs(self.values) if norm == "l1" else op.mul(self.values, self.values)
        total = op.squeeze(self.row_sums(op.unsqueeze(size, op.const(np.array([1])))), op.const(np.array([1])))
        length = total if norm == "l1" else op.sqrt(total)
        length = op.where(op.equal(length, op.const(0.0)), op.const(1.0), length)
        return self.valued(op.div(self.values, op.gather(length, self.rows, axis=0)))

    def select(self, indices: Sequence[int]) -> Sparse:
        """Some of the columns, each once, in the order given."""
        if list(indices) == list(range(self.width)):
            return self
        table = np.full(self.width, -1)
        table[np.asarray(indices, np.int64)] = np.arange(len(indices))
        columns = op.gather(op.const(table), self.columns, axis=0)
        known = op.greater_or_equal(columns, op.const(np.int64(0)))
        places = op.concat([_upright(self.rows), _upright(columns)], axis=1)
        return Sparse(self.x, op.compress(places, known, axis=0), op.compress(self.values, known, axis=0), len(indices))

    @property
    def dense(self) -> Var:
        """float64 [N, width], zeros and all."""
        return self._scattered(self.width, self.places, self.values)

    def _scattered(self, width: int, places: Var, parts: Var) -> Var:
        """[N, width]: the parts added to zeros at their places."""
        rows = op.slice(op.shape(self.x), op.const(np.array([0])), op.const(np.array([1])))
        zeros = op.expand(op.const(np.zeros((1, width))), op.concat([rows, op.const(np.array([width]))], axis=0))
        # Reshape changes nothing, but says how wide it is.
        return op.reshape(op.scatter_nd(zeros, places, parts, reduction="add"), op.const(np.array([-1, width])))


def joined(parts: Sequence[Sparse]) -> Sparse:
    """Matrices side by side. A row's entries are in the order of the columns within each part only."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(part.width for part in parts)])
    places = [
        op.add(part.places, op.const(np.array([[0, start]]))) for part, start in zip(parts, starts[:-1], strict=True)
    ]
    values = [part.values for part in parts]
    return Sparse(parts[0].x, op.concat(places, axis=0), op.concat(values, axis=0), int(starts[-1]))


def summed(parts: Sequence[Sparse]) -> Sparse:
    """Matrices of one width, added: entries that meet become one, as ``sum_duplicates`` makes of them."""
    width = parts[0].width
    keys = op.concat([op.add(op.mul(part.rows, op.const(np.int64(width))), part.columns) for part in parts], axis=0)
    met, _, places, _ = op.unique(keys, sorted=1)
    values = op.concat([part.values for part in parts], axis=0)
    zeros = op.expand(op.const(np.zeros(1)), op.shape(met))
    total = op.scatter_elements(zeros, places, values, axis=0, reduction="add")
    both = [_upright(op.div(met, op.const(np.int64(width)))), _upright(op.mod(met, op.const(np.int64(width))))]
    return Sparse(parts[0].x, op.concat(both, axis=1), total, width)


def _upright(tensor: Var) -> Var:
    return op.unsqueeze(tensor, op.const(np.array([1])))
