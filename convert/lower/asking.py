"""What the nodes of an ensemble ask: of the request's own columns where they can, else of computed ones."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from ..fold import Mode, Test, Tests, Unfoldable, of_lookup, of_raw
from .matrix import Lookup, Matrix, Monotone, Number, Raw
from .nodes import Trees, distinct
from .sparse import Sparse

__all__ = ["Asked"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """What the inner nodes ask.

    matrix: of which they ask it, float64 [N, k].
    sources: by column of it, the request's column whose numbers it holds; -1 where it holds what was computed.
    may_miss: by column of it, whether it may hold NaN.
    tests: the different tests; column: of the matrix, of each.
    which: the test of each node; 0 for a leaf.
    """

    matrix: Var
    sources: Ints
    may_miss: NDArray[np.bool_]
    tests: Tests
    column: Ints
    which: Ints

    @classmethod
    def of(cls, x: Matrix, trees: Trees, cast: Monotone | None) -> "Asked":
        """Of the request's own columns where a test can be asked of them, else of the columns of x."""
        used = np.unique(trees.feature[trees.feature >= 0]).tolist()
        asked = {column: _asked(x, trees, column, cast) if x.scope.fold else None for column in used}
        saved = [column for column in used if asked[column] is not None and not _untouched(x, column)]
        computed = [column for column in used if asked[column] is None]
        own = len(x.scope.missing)
        if computed and not saved and not any(isinstance(x.numbers()[column].tensor, Sparse) for column in used):
            matrix, places = x.tensor, {column: column for column in used}
            computed = used
            sources = np.array([_untouched_source(column) for column in x.numbers()], np.int64)
        elif computed and not saved:
            # Of a vocabulary only the terms that a tree asks for.
            matrix, places = x.select(computed).tensor, {column: place for place, column in enumerate(computed)}
            sources = np.full(len(computed), -1)
        elif computed:
            # The request's columns, then those that no single test can stand for.
            matrix = op.concat([x.scope.x, x.select(computed).tensor], axis=1)
            places = {column: own + index for index, column in enumerate(computed)}
            sources = np.concatenate([np.arange(own), np.full(len(computed), -1)])
        else:
            matrix, places, sources = x.scope.x, {}, np.arange(own)
        parts = [
            _ask(x, trees, column, Raw(places[column]), cast, None) if column in computed else asked[column]
            for column in used
        ]
        found = [part for part in parts if part is not None]
        for part in found:
            if part.source is not None:
                splits = part.tests.split[part.tests.mode == Mode.LEQ]
                x.scope.edges.setdefault(part.source, []).append(splits)
        if saved:
            count = sum(len(part.nodes) for column, part in zip(used, found, strict=True) if column in saved)
            rest = f" ({len(computed)} more are computed)" if computed else ""
            x.scope.folded.append(f"{len(saved)} preprocessed columns into {count:,} tree nodes{rest}")
        which = np.zeros(len(trees.feature), np.int64)
        start = 0
        for part in found:
            which[part.nodes] = start + part.which
            start += len(part.tests)
        may_miss = np.array([source < 0 or x.scope.missing[source] for source in sources.tolist()], bool)
        return cls(
            matrix,
            sources,
            may_miss,
            Tests.join([part.tests for part in found] or [Tests.of([])]),
            np.repeat([part.column for part in found], [len(part.tests) for part in found]).astype(np.int64),
            which,
        )


class _Part(NamedTuple):
    """The tests of one feature.

    column: of the ensemble's matrix. source: the request's column, where thresholds are its own; else None.
    nodes: those that ask; which: the test of each.
    """

    column: int
    source: int | None
    nodes: Ints
    which: Ints
    tests: Tests


def _untouched(x: Matrix, column: int) -> bool:
    """Whether a column is the request's own, with nothing done to it."""
    return _untouched_source(x.numbers()[column]) >= 0


def _untouched_source(number: Number) -> int:
    """The request's column that a column is, with nothing done to it; else -1."""
    return -1 if number.raw is None else number.raw.source


def _asked(x: Matrix, trees: Trees, feature: int, cast: Monotone | None) -> _Part | None:
    """A feature's tests of the request's column; None where there are none that decide alike."""
    origin = x.numbers()[feature].origin
    if origin is None:
        return None
    try:
        return _ask(x, trees, feature, origin, cast, origin.source)
    except Unfoldable:
        return None


def _ask(
    x: Matrix, trees: Trees, feature: int, origin: Raw | Lookup, cast: Monotone | None, source: int | None
) -> _Part:
    """source: the request's column that the origin speaks of; None if it speaks of a computed one."""
    through = origin if cast is None else origin.then(cast)
    asking = np.flatnonzero(trees.feature == feature)
    sets = np.isin(asking, list(trees.members)) if trees.members else np.zeros(len(asking), bool)
    nodes = asking[~sets]
    may_miss = True if source is None else x.scope.missing[source]
    size = len(x.scope.tables[source]) if source is not None and source in x.scope.tables else None
    # One test for all nodes that ask the same: thresholds compared as bits, with where NaN goes.
    first, places = distinct([trees.threshold[nodes].view(np.int64), trees.missing_left[nodes].astype(np.int64)])
    thresholds, missing_left = trees.threshold[nodes[first]], trees.missing_left[nodes[first]]
    if isinstance(through, Raw):
        tests = of_raw(through, thresholds, missing_left, may_miss)
    else:
        tests = Tests.of(
            [
                _of_table(through, partial(np.greater_equal, t), m, size, may_miss)
                for t, m in zip(thresholds.tolist(), missing_left.tolist(), strict=True)
            ]
        )
    sets_of: list[Test] = []
    known = dict[tuple[bytes, bool], int]()
    which = [places]
    for node in asking[sets].tolist():
        values, left = trees.members[node], bool(trees.missing_left[node])
        key = (values.tobytes(), left)
        if key not in known:
            known[key] = len(tests) + len(sets_of)
            if isinstance(origin, Lookup):
                sets_of.append(_of_table(origin, partial(_is_in, values), left, size, may_miss))
            elif origin.steps:
                raise Unfoldable
            else:
                sets_of.append(Test(Mode.MEMBER, members=tuple(values.tolist()), missing=left))
        which.append(np.array([known[key]]))
    own = source if isinstance(through, Raw) else None
    nodes = np.concatenate([nodes, asking[sets]])
    return _Part(origin.source, own, nodes, np.concatenate(which), Tests.join([tests, Tests.of(sets_of)]))


def _is_in(members: Floats, values: Floats) -> NDArray[np.bool_]:
    return np.isin(values, members)


def _of_table(
    origin: Lookup, goes_left: Callable[[Floats], NDArray[np.bool_]], nan_left: bool, size: int | None, may_miss: bool
) -> Test:
    values = np.concatenate([origin.values, [origin.default, origin.missing]])
    left = np.where(np.isnan(values), nan_left, goes_left(values))
    return of_lookup(left[:-1], bool(left[-1]), origin, size, may_miss)
