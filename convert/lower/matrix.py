"""What flows between lowerings: a matrix whose columns know where they came from.

A numeric column is a column of a tensor, float64 [N, k]. Where every step between the request's column and it is
monotone or a table, the column also carries its origin, by which a tree can compare the request's value itself
(``fold``). Choosing and joining columns builds no graph: tensors are cut and joined when somebody asks for one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import spox
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from runtime.manifest import TextRule
from runtime.session import INPUT, text_inputs

from ..errors import UnsupportedError
from .packed import Ensemble
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
    "Scope",
    "Time",
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


@dataclass(frozen=True)
class Categorical:
    """A column of the request that holds categories, not yet encoded, or texts.

    marker: what stands for a missing value, None or NaN: an imputer of the one does not see the other.
    changes: what imputers put in a value's place, in order; MISSING may stand first in a pair.
    """

    source: int
    name: str
    marker: Any = np.nan
    changes: tuple[tuple[Any, Any], ...] = ()

    def meaning(self, value: Any) -> Any:
        """What a value of the request has become by now."""
        for before, after in self.changes:
            if value is before or value == before:
                value = after
        return value


@dataclass(frozen=True)
class Date:
    """A column of the request that holds times: microseconds since 1970, NaN where missing.

    unit: of the datetime64 that the pipeline has of it.
    """

    source: int
    unit: str


@dataclass(frozen=True)
class Time:
    """A column of times that were computed, or of how long it is from one to another.

    whole: microseconds, int64 [N, 1]; anything where it is missing. missing: bool [N, 1].
    unit: of what pandas has of it. length: whether it is a timedelta.
    """

    whole: Var
    missing: Var
    unit: str
    length: bool = False


Column = Number | Categorical | Date | Time


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
    gauge: the graph that says how large they are, by method; None where no answer is such a sum.
    asked: the graph of the matrices that tree ensembles ask, by their Var's id; None where all ask the request's.
    times: by column of times, those in microseconds that all encoders of it know.
    known_only: the columns of times in which an encoder takes no others.
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
    gauge: bytes | None = None
    asked: bytes | None = None
    times: dict[int, set[float]] = field(default_factory=dict)
    known_only: set[int] = field(default_factory=set)
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
            whole = indices == list(range(_columns(tensor)))
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
                raise UnsupportedError(
                    f"expected numbers, found the categories of column {column.name!r}: encode them first"
                )
            if isinstance(column, Number) and column.fill is not MISSING:
                raise UnsupportedError(
                    f"expected numbers, found {column.fill!r} in the place of missing ones: encode them first"
                )
        return self.columns  # type: ignore[return-value]

    def select(self, indices: Sequence[int] | NDArray[Any]) -> Matrix:
        """Some of the columns, in the order given."""
        return Matrix(self.scope, tuple(self.columns[int(index)] for index in indices))

    def beside(self, *others: Matrix) -> Matrix:
        """These columns, then those."""
        return Matrix(self.scope, self.columns + tuple(c for other in others for c in other.columns))

    def new(self, tensor: Var, origins: Sequence[Raw | Lookup | None] | None = None) -> Matrix:
        """The columns of a float64 tensor [N, k]; with their origins where they have any."""
        width = _columns(tensor) if origins is None else len(origins)
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


def _columns(tensor: Var) -> int:
    """The width of a tensor [N, k]."""
    shape = tensor.unwrap_tensor().shape
    if shape is None or not isinstance(shape[1], int):
        raise UnsupportedError("expected a tensor of known width: its lowering must say how many columns it makes")
    return shape[1]


def concat(matrices: Sequence[Matrix]) -> Matrix:
    """Matrices side by side; at least one."""
    return matrices[0].beside(*matrices[1:])
