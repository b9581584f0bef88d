"""What a pipeline answers to rows, and which of them it was given together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runtime.rows import Rows

from .lower.scope import Scope
from .progress import Progress, unseen
from .reference import RAISED, Signature, joined, strictest
from .settled import settle

__all__ = ["Asked", "ask", "ask_again", "cut", "sizes_of", "some", "taken"]

Kinds = list[tuple[str, pd.DataFrame]]
Batch = tuple[pd.DataFrame, dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """Rows with the pipeline's answers.

    frame: the rows.
    sizes: how many of them are one batch, batch after batch: all of them together have as many as the frame.
    answers: by method.
    unsettled: [rows], those in which the pipeline chooses among equals as the processor has it (``settled``).
    """

    frame: pd.DataFrame
    sizes: tuple[int, ...]
    answers: dict[str, Any]
    unsettled: NDArray[np.bool_]

    def settled(self, pipeline: Any, signature: Signature, floors: dict[str, float], scope: Scope) -> "Asked":
        """The same, where a pipeline chooses among equals with the first of them."""
        if not scope.among_equals:
            return self
        found, start = [], 0
        for size in self.sizes:
            rows = slice(start, start + size)
            answers = {method: some(answer, rows) for method, answer in self.answers.items()}
            found.append(settle(pipeline, signature, self.frame.iloc[rows], answers, floors, scope))
            start += size
        unsettled = np.concatenate([rows for _, rows in found])
        return Asked(self.frame, self.sizes, _joined([answers for answers, _ in found]), unsettled)


def ask(
    pipeline: Any,
    signature: Signature,
    methods: Sequence[str],
    kinds: Kinds,
    scope: Scope,
    progress: Progress = unseen,
) -> tuple[Kinds, Asked]:
    """The rows that the pipeline takes, all of them together; each kind by itself where its answer to a row depends on
    the rows beside it, for one that is far out would speak for all.

    kinds: rows by what they are for, the sample first.
    """
    if not scope.whole:
        answered = _answered(pipeline, signature, methods, kinds, progress)
        if answered is None:
            parts = [(kind, taken(pipeline, signature, [strictest(methods)], rows)) for kind, rows in kinds[1:]]
            some_of = [kinds[0], *((kind, pd.concat([rows for rows, _ in found])) for kind, found in parts if found)]
            answered = _answered(pipeline, signature, methods, some_of, progress)
            kinds = kinds if answered is None else some_of
        if answered is not None:
            return kinds, _asked([(_stacked(kinds), answered)])
    # Also of what takes rows by themselves and not together: years without a gap are integers to a function of dates,
    # which an imputer that was fitted to fractions refuses.
    batches = [(kind, taken(pipeline, signature, methods, rows)) for kind, rows in kinds]
    kinds = [(kind, pd.concat([rows for rows, _ in found])) for kind, found in batches if found]
    return kinds, _asked([batch for _, found in batches for batch in found])


def _answered(
    pipeline: Any, signature: Signature, methods: Sequence[str], kinds: Kinds, progress: Progress
) -> dict[str, Any] | None:
    """By method, the answers to all rows; None where the pipeline refuses some of them."""
    try:
        return signature.answers(pipeline, methods, _stacked(kinds), progress)
    except RAISED:
        return None


def ask_again(pipeline: Any, signature: Signature, known: Asked, most: int, size: int, scope: Scope) -> Asked:
    """The first rows of those that were asked, so many at a time.

    Their answers are what they were, but where they depend on the rows beside them.
    """
    frame = known.frame.iloc[:most]
    if scope.whole:
        methods, starts = list(known.answers), range(0, len(frame), size)
        parts = [taken(pipeline, signature, methods, frame.iloc[start : start + size]) for start in starts]
        return _asked([batch for part in parts for batch in part])
    sizes = sizes_of(len(frame), size)
    answers = {method: some(answer, slice(len(frame))) for method, answer in known.answers.items()}
    return Asked(frame, sizes, answers, known.unsettled[: len(frame)])


def taken(pipeline: Any, signature: Signature, methods: Sequence[str], frame: pd.DataFrame) -> list[Batch]:
    """The rows that the pipeline takes with its answers, by halving the batches that it does not: each value may be
    taken alone, and yet a division of two of them give what the next step refuses."""
    try:
        return [(frame, {method: signature.ask(pipeline, method, frame) for method in methods})]
    except RAISED:
        if len(frame) == 1:
            return []
        middle = len(frame) // 2
        halves = (frame.iloc[:middle], frame.iloc[middle:])
        return [batch for half in halves for batch in taken(pipeline, signature, methods, half)]


def _joined(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """By method, the answers to all batches."""
    return {method: joined([part[method] for part in parts]) for method in parts[0]}


def _asked(batches: Sequence[Batch]) -> Asked:
    frame = pd.concat([rows for rows, _ in batches], ignore_index=True)
    sizes = tuple(len(rows) for rows, _ in batches)
    return Asked(frame, sizes, _joined([answers for _, answers in batches]), np.zeros(len(frame), bool))


def _stacked(kinds: Kinds) -> pd.DataFrame:
    return pd.concat([rows for _, rows in kinds], ignore_index=True)


def some(answers: Any, rows: slice | NDArray[Any]) -> Any:
    """A method's answers to some rows."""
    return [part[rows] for part in answers] if isinstance(answers, list) else answers[rows]


def sizes_of(rows: int, most: int) -> tuple[int, ...]:
    """So many at a time, until all rows are there."""
    return tuple(min(most, rows - start) for start in range(0, rows, most))


def cut(rows: Rows, sizes: Sequence[int]) -> Iterator[Rows]:
    """So many rows after another."""
    start = 0
    for size in sizes:
        yield rows[start : start + size]
        start += size
