"""What a pipeline answers to rows, and which of them it was given together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .lower.matrix import Scope
from .reference import Signature
from .settled import settle

__all__ = ["Asked", "ask", "ask_again", "concatenated", "first_rows", "taken"]

REFUSALS = (ValueError, TypeError, LookupError, OverflowError)
"""What a pipeline raises for rows that it does not take."""

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
            answers = {method: _rows(answer, rows) for method, answer in self.answers.items()}
            found.append(settle(pipeline, signature, self.frame.iloc[rows], answers, floors, scope))
            start += size
        unsettled = np.concatenate([rows for _, rows in found])
        return Asked(self.frame, self.sizes, _joined([answers for answers, _ in found]), unsettled)


def ask(pipeline: Any, signature: Signature, methods: Sequence[str], kinds: Kinds, scope: Scope) -> tuple[Kinds, Asked]:
    """The rows that the pipeline takes, all of them together; each kind by itself where its answer to a row depends on
    the rows beside it, for one that is far out would speak for all.

    kinds: rows by what they are for, the sample first.
    """
    if scope.whole:
        batches = [(kind, taken(pipeline, signature, methods, rows)) for kind, rows in kinds]
        kinds = [(kind, pd.concat([rows for rows, _ in found])) for kind, found in batches if found]
        return kinds, _asked([batch for _, found in batches for batch in found])
    try:
        answers = {method: signature.ask(pipeline, method, _stacked(kinds)) for method in methods}
    except REFUSALS:
        some = [(kind, taken(pipeline, signature, methods[:1], rows)) for kind, rows in kinds[1:]]
        kinds = [kinds[0], *((kind, pd.concat([rows for rows, _ in found])) for kind, found in some if found)]
        answers = {method: signature.ask(pipeline, method, _stacked(kinds)) for method in methods}
    return kinds, _asked([(_stacked(kinds), answers)])


def ask_again(pipeline: Any, signature: Signature, known: Asked, most: int, size: int, scope: Scope) -> Asked:
    """The first rows of those that were asked, so many at a time.

    Their answers are what they were, but where they depend on the rows beside them.
    """
    frame = known.frame.iloc[:most]
    starts = range(0, len(frame), size)
    if scope.whole:
        methods = list(known.answers)
        parts = [taken(pipeline, signature, methods, frame.iloc[start : start + size]) for start in starts]
        return _asked([batch for part in parts for batch in part])
    sizes = tuple(min(size, len(frame) - start) for start in starts)
    answers = {method: first_rows(answer, len(frame)) for method, answer in known.answers.items()}
    return Asked(frame, sizes, answers, known.unsettled[: len(frame)])


def taken(pipeline: Any, signature: Signature, methods: Sequence[str], frame: pd.DataFrame) -> list[Batch]:
    """The rows that the pipeline takes with its answers, by halving the batches that it does not: each value may be
    taken alone, and yet a division of two of them give what the next step refuses."""
    try:
        return [(frame, {method: signature.ask(pipeline, method, frame) for method in methods})]
    except REFUSALS:
        if len(frame) == 1:
            return []
        middle = len(frame) // 2
        halves = (frame.iloc[:middle], frame.iloc[middle:])
        return [batch for half in halves for batch in taken(pipeline, signature, methods, half)]


def _joined(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """By method, the answers to all batches."""
    return {method: concatenated([part[method] for part in parts]) for method in parts[0]}


def first_rows(answers: Any, rows: int) -> Any:
    """A method's answers to so many rows."""
    return _rows(answers, slice(rows))


def _asked(batches: Sequence[Batch]) -> Asked:
    frame = pd.concat([rows for rows, _ in batches], ignore_index=True)
    sizes = tuple(len(rows) for rows, _ in batches)
    return Asked(frame, sizes, _joined([answers for _, answers in batches]), np.zeros(len(frame), bool))


def _stacked(kinds: Kinds) -> pd.DataFrame:
    return pd.concat([rows for _, rows in kinds], ignore_index=True)


def _rows(answers: Any, rows: slice) -> Any:
    return [part[rows] for part in answers] if isinstance(answers, list) else answers[rows]


def concatenated(blocks: Sequence[Any]) -> Any:
    """A method's answers to batches, one after the other."""
    if len(blocks) == 1:
        return blocks[0]
    if isinstance(blocks[0], list):
        return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
    return np.concatenate(blocks)
