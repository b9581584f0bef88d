"""What flows between lowerings: a matrix whose columns know where they came from.

A numeric column is a column of a tensor, float64 [N, k]. Where every step between the request's column and it is
monotone or a table, the column also carries its origin, by which a tree can compare the request's value itself
(``fold``). Choosing and joining columns builds no graph: tensors are cut and joined when somebody asks for one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import groupby
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from ..errors import UnsupportedError
from .scope import Scope
from .sparse import Sparse, joined

__all__ = [
    "MISSING",
    "UNKNOWN",
    "Categorical",
    "Column",
    "Date",
    "Lookup",
    "Matrix",
    "Monotone",
    "Number",
    "Raw",
    "Time",
    "width_of",
]

Floats = NDArray[np.float64]


class _Mark:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


MISSING = _Mark("MISSING")
"""Stands for a missing value among categories."""
UNKNOWN = _Mark("UNKNOWN")
"""Stands for a value that no table has."""


@dataclass(frozen=True)
class Monotone:
    """A function of one number that never turns back: rising or falling, NaN apart.

    apply: vectorised, float64 to float64 (or float32), with the very operations that scikit-learn does, so that it
        gives the same bits; on NaN it gives what scikit-learn's step gives.
    single: where the step's numbers have more digits than float64, what becomes of them in float32, rounded once.
    """

    apply: Callable[[Floats], NDArray[Any]]
    rising: bool = True
    single: Monotone | None = None


FLOAT32 = Monotone(lambda values: np.asarray(values, np.float32))
"""The cast by which scikit-learn's trees see their input."""


@dataclass(frozen=True)
class Raw:
    """A column of the request, through monotone steps."""

    source: int
    steps: tuple[Monotone, ...] = ()

    def then(self, step: Monotone) -> Raw:
        single = self.steps[-1].single if self.steps and step is FLOAT32 else None
        return Raw(self.source, (*self.steps, step) if single is None else (*self.steps[:-1], single))

    def __call__(self, values: Floats) -> Floats:
        with np.errstate(all="ignore"):
            for step in self.steps:
                values = step.apply(values)
        return values

    @property
    def rising(self) -> bool:
        return sum(not step.rising for step in self.steps) % 2 == 0


@dataclass(frozen=True)
class Lookup:
    """A column of the request, through a table: a key's value, or else the default; a missing one's value.

    keys: the request's values (codes, for a category) whose value is not the default.
    """

    source: int
    keys: Floats
    values: Floats
    default: float
    missing: float

    def then(self, step: Monotone) -> Lookup:
        with np.errstate(all="ignore"):
            values = np.concatenate([self.values, [self.default, self.missing]])
            values = np.asarray(step.apply(values), np.float64)
        return Lookup(self.source, self.keys, values[:-2], float(values[-2]), float(values[-1]))


@dataclass(frozen=True)
class Number:
    """Column ``index`` of a float64 tensor [N, k], or of a sparse one.

    fill: what NaN stands for, where an imputer of categories has put something in its place that is no number.
    """

    tensor: Var | Sparse
    index: int
    origin: Raw | Lookup | None = None
    fill: Any = MISSING

    @property
    def raw(self) -> Raw | None:
        """The request's column that it is, with nothing done to it; None where it is another."""
        return self.origin if isinstance(self.origin, Raw) and not self.origin.steps else None


@dataclass(frozen=True)
class Categorical:
    """A column of the request that holds categories, not yet encoded, or texts.

    marker: what stands for a missing value, None or NaN: an imputer of the one does not see the other.
    changes: what imputers put in a value's place, in order; MISSING may stand first in a pair.
    date: where the runtime reads its strings as times, these; then nothing else may be made of them.
    """

    source: int
    name: str
    marker: Any = np.nan
    changes: tuple[tuple[Any, Any], ...] = ()
    date: Date | None = None

    def meaning(self, value: Any) -> Any:
        """What a value of the request has become by now."""
        for before, after in self.changes:
            if value is before or value == before:
                value = after
        return value


@dataclass(frozen=True)
class Date:
    """A column of the request that holds times: microseconds since 1970, NaN where missing.

    unit: of the datetime64 that the pipeline has of it. zone: its zone; the times are instants then.
    """

    source: int
    unit: str
    zone: tzinfo | None = None


@dataclass(frozen=True)
class Time:
    """A column of times that were computed, or of how long it is from one to another.

    whole: microseconds, int64 [N, 1]; anything where it is missing. missing: bool [N, 1].
    unit: of what pandas has of it. length: whether it is a timedelta. zone: of instants.
    source: of one that is a column of the request still, but for gaps that are filled and what is cut off.
    """

    whole: Var
    missing: Var
    unit: str
    length: bool = False
    zone: tzinfo | None = None
    source: int | None = None


Column = Number | Categorical | Date | Time


@dataclass(frozen=True)
class Matrix:
    """Columns side by side; N rows."""

    scope: Scope
    columns: tuple[Column, ...]

    @property
    def width(self) -> int:
        return len(self.columns)

    @property
    def tensor(self) -> Var:
        """All columns as one float64 tensor [N, width]; an UnsupportedError where one holds categories."""
        parts: list[Var] = []
        for _, group in groupby(self.numbers(), key=lambda column: id(column.tensor)):
            run = list(group)
            tensor, indices = run[0].tensor, [column.index for column in run]
            if isinstance(tensor, Sparse):
                # Only the columns that are asked for become dense, each once.
                unique, places = np.unique(indices, return_inverse=True)
                found = tensor.select(unique.tolist()).dense
                straight = np.array_equal(places, np.arange(len(unique)))
                parts.append(found if straight else op.gather(found, op.const(places), axis=1))
                continue
            whole = indices == list(range(width_of(tensor)))
            parts.append(tensor if whole else op.gather(tensor, op.const(np.array(indices, np.int64)), axis=1))
        if not parts:
            rows = op.slice(op.shape(self.scope.x), op.const([0]), op.const([1]))
            return op.expand(op.const(np.zeros((1, 0))), op.concat([rows, op.const(np.array([0], np.int64))], axis=0))
        return parts[0] if len(parts) == 1 else op.concat(parts, axis=1)

    @functools.cached_property
    def sparse(self) -> Sparse | None:
        """All columns as one sparse matrix; None where one is dense, or there twice."""
        parts: list[Sparse] = []
        for _, group in groupby(self.numbers(), key=lambda column: id(column.tensor)):
            run = list(group)
            tensor, indices = run[0].tensor, [column.index for column in run]
            if not isinstance(tensor, Sparse) or len(set(indices)) < len(indices):
                return None
            parts.append(tensor.select(indices))
        return joined(parts) if parts else None

    def once(self, owner: Any, what: str, make: Callable[[], Any]) -> Any:
        """What ``make`` gives for an estimator and these columns, made once: methods share a forest."""
        key = (id(owner), what, id(self.columns))
        if key not in self.scope.memo:
            # Owner and columns are kept too: while they live nobody else can have their ids.
            self.scope.memo[key] = (make(), owner, self.columns)
        return self.scope.memo[key][0]

    def numbers(self) -> tuple[Number, ...]:
        """The columns, all numeric; an UnsupportedError where one holds categories."""
        return self._numbers

    @functools.cached_property
    def _numbers(self) -> tuple[Number, ...]:
        if any(isinstance(column, Date | Time) for column in self.columns):
            from .dates import numbered  # it makes numbers of this file's

            return numbered(self).numbers()
        for column in self.columns:
            if isinstance(column, Categorical):
                raise UnsupportedError(self._no_numbers(column))
            if isinstance(column, Number) and column.fill is not MISSING:
                raise UnsupportedError(
                    f"expected numbers, found {column.fill!r} in the place of missing ones: encode them first"
                )
        return self.columns  # type: ignore[return-value]

    def _no_numbers(self, column: Categorical) -> str:
        seen = self.scope.seen(column.source) if column.source >= 0 else []
        if any(isinstance(value, int) and abs(value) > 2**53 for value in seen):
            return (
                "expected numbers that float64 holds, found whole ones beyond 2^53, which are taken as categories, in "
                f"column {column.name!r}: train it on column.astype(float)"
            )
        return f"expected numbers, found the categories of column {column.name!r}: encode them first"

    def select(self, indices: Sequence[int] | NDArray[Any]) -> Matrix:
        """Some of the columns, in the order given."""
        return Matrix(self.scope, tuple(self.columns[int(index)] for index in indices))

    def beside(self, *others: Matrix) -> Matrix:
        """These columns, then those."""
        return Matrix(self.scope, self.columns + tuple(c for other in others for c in other.columns))

    def new(self, tensor: Var, origins: Sequence[Raw | Lookup | None] | None = None) -> Matrix:
        """The columns of a float64 tensor [N, k]; with their origins where they have any."""
        width = width_of(tensor) if origins is None else len(origins)
        origins = origins or [None] * width
        return Matrix(self.scope, tuple(Number(tensor, index, origin) for index, origin in enumerate(origins)))

    def sparse_columns(self, entries: Sparse) -> Matrix:
        """The columns of a sparse matrix, in place of these."""
        return Matrix(self.scope, tuple(Number(entries, index) for index in range(entries.width)))

    def map(self, tensor: Var, steps: Sequence[Monotone | None]) -> Matrix:
        """The tensor that came of these columns, one by one, through these functions."""
        origins = [
            None if column.origin is None or step is None else column.origin.then(step)
            for column, step in zip(self.numbers(), steps, strict=True)
        ]
        return self.new(tensor, origins)


def width_of(tensor: Var) -> int:
    """The width of a tensor [N, k]."""
    shape = tensor.unwrap_tensor().shape
    if shape is None or not isinstance(shape[1], int):
        raise UnsupportedError("expected a tensor of known width: its lowering must say how many columns it makes")
    return shape[1]


def concat(matrices: Sequence[Matrix]) -> Matrix:
    """Matrices side by side; at least one."""
    return matrices[0].beside(*matrices[1:])
