"""How large the terms are that cancel in an answer (``Scope.adds_up``), handed on to what is made of it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from .matrix import Matrix
from .sparse import Sparse

__all__ = ["hand_on", "hand_on_product", "largest", "same", "side_by_side"]


def hand_on(x: Matrix, answer: Var, parts: Sequence[Any], how: Callable[[list[Var]], Var]) -> None:
    """Say it of an answer that is made of others, if it was said of one of these.

    how: from the size of the terms of each part, [N, 1] and zero where there are none, to that of the answer's: by how
        much it moves when they do.
    """
    sizes = [x.scope.terms_of(part) for part in parts]
    if any(size is not None for size in sizes):
        none = op.const(np.zeros((1, 1)))
        found = how([none if size is None else size for size in sizes])
        x.scope.adds_up(answer, found, alone=x.scope.held_alone(parts))


def same(x: Matrix, answer: Var, part: Any) -> Var:
    """The answer, which holds numbers of a part as they are, or moves no more than they do."""
    if answer is not part:
        hand_on(x, answer, [part], lambda sizes: sizes[0])
    return answer


def largest(sizes: Sequence[Var]) -> Var:
    """[N, 1]: the largest size of each row."""
    return op.max(list(sizes))


def side_by_side(x: Matrix) -> Var:
    """All columns as one tensor, float64 [N, width]."""
    tensor = x.tensor
    parts = {id(column.tensor): column.tensor for column in x.numbers()}
    if id(tensor) not in parts:
        hand_on(x, tensor, list(parts.values()), largest)
    return tensor


def hand_on_product(x: Matrix, answer: Var, weights: NDArray[np.float64]) -> Var:
    """The answer, which is the matrix times weights [features, outputs]."""
    tensors: dict[int, Var] = {}
    moved: dict[int, NDArray[np.float64]] = {}
    for column, row in zip(x.numbers(), np.abs(weights), strict=True):
        if not isinstance(column.tensor, Sparse) and x.scope.terms_of(column.tensor) is not None:
            tensors[id(column.tensor)] = column.tensor
            moved[id(column.tensor)] = moved.get(id(column.tensor), 0.0) + row
    factors = [op.const(np.float64(moved[own].max())) for own in tensors]

    def weighed(sizes: list[Var]) -> Var:
        return op.sum([op.mul(size, factor) for size, factor in zip(sizes, factors, strict=True)])

    hand_on(x, answer, list(tensors.values()), weighed)
    return answer
