"""Rows on their way into a graph: the matrix, and beside it the terms of texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rows", "Terms", "joined"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Terms:
    """What one rule found in a text of each row: a sparse matrix [N, width], by rows.

    starts: int64 [N + 1]; row i's terms are those from starts[i] up to starts[i + 1].
    columns, values: int64 and float64 [terms], each row's in the order of the columns.
    """

    starts: Ints
    columns: Ints
    values: Floats

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> "Terms":
        chosen = np.arange(len(self.starts) - 1)[rows]
        lengths = np.diff(self.starts)[chosen]
        starts = np.concatenate(([0], np.cumsum(lengths)))
        places = np.repeat(self.starts[chosen] - starts[:-1], lengths) + np.arange(starts[-1])
        return Terms(starts, self.columns[places], self.values[places])

    @property
    def places(self) -> Ints:
        """The row and the column of each term, int64 [terms, 2]."""
        places = np.zeros((len(self.columns), 2), np.int64)
        places[:, 1] = self.columns
        if len(self.starts) > 2:
            places[:, 0] = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        return places


@dataclass(frozen=True, slots=True)
class Rows:
    """matrix: float64 [N, columns], C-contiguous; terms: of each text rule of the manifest, in their order."""

    matrix: Floats
    terms: tuple[Terms, ...] = ()

    def __len__(self) -> int:
        return len(self.matrix)

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> "Rows":
        return Rows(self.matrix[rows], tuple(terms[rows] for terms in self.terms))


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of several, one after the other; there is one at least, and all are of one manifest."""
    rules = zip(*(part.terms for part in parts), strict=True)
    return Rows(np.concatenate([part.matrix for part in parts]), tuple(_joined_terms(terms) for terms in rules))


def _joined_terms(parts: Sequence[Terms]) -> Terms:
    lengths = np.concatenate([np.diff(part.starts) for part in parts])
    return Terms(
        np.concatenate(([0], np.cumsum(lengths))),
        np.concatenate([part.columns for part in parts]),
        np.concatenate([part.values for part in parts]),
    )
