"""What meta-estimators share: their members' answers as numbers, and sums in the order that NumPy adds in."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.base import is_classifier, is_regressor
from spox import Var

from ..errors import UnsupportedError
from . import METHODS, lower, lowers
from .labels import Labels, scalar
from .matrix import Matrix
from .terms import same

__all__ = [
    "average",
    "binary_score",
    "binary_threshold",
    "column",
    "constant_rows",
    "delegate",
    "member",
    "numbers",
    "one_hot",
    "rank",
    "relabel",
    "total",
    "upright",
]


def delegate(*classes: type, child: str) -> None:
    """Every method of these classes is the same method of the estimator that they keep as ``child``."""
    for method in METHODS:
        _delegate(classes, method, child)


def _delegate(classes: tuple[type, ...], method: str, child: str) -> None:
    @lowers(*classes, method=method)
    def passed_on(estimator: Any, x: Matrix) -> Any:
        return lower(getattr(estimator, child), method, x, f".{child}")


def member(ensemble: Any, index: int, method: str, x: Matrix) -> Any:
    """What a method of ``estimators_[index]`` answers."""
    return lower(ensemble.estimators_[index], method, x, f".estimators_[{index}]")


def numbers(answer: Any) -> Var:
    """A method's answer as float64: labels become the numbers that they are, [N] or [N, outputs].

    Raises UnsupportedError for labels that are no numbers.
    """
    if isinstance(answer, Matrix):
        return answer.tensor
    if not isinstance(answer, Labels):
        return op.cast(answer, to=np.float64)
    tables = []
    for table in answer.classes:
        try:
            tables.append(np.asarray(table, np.float64))
        except ValueError as error:
            raise UnsupportedError(
                f"expected labels that are numbers, found {table[0]!r}: encode the target before fitting"
            ) from error
    if rank(answer.places) == 1:
        return op.gather(op.const(tables[0]), answer.places, axis=0)
    columns = [op.gather(op.const(table), column(answer.places, index), axis=0) for index, table in enumerate(tables)]
    return op.concat(columns, axis=1)


def relabel(labels: Labels, tables: Sequence[NDArray[Any]]) -> Labels:
    """Labels that are places in tables (what a LabelEncoder made of them) become the tables' own labels."""
    return Labels(labels.places, tuple(table[own] for own, table in zip(labels.classes, tables, strict=True)))


def rank(tensor: Var) -> int:
    """How many dimensions a tensor has."""
    shape = tensor.unwrap_tensor().shape
    if shape is None:
        raise UnsupportedError("expected a tensor of known rank: its lowering must say how many dimensions it has")
    return len(shape)


def column(tensor: Var, index: int) -> Var:
    """One column of [N, k], as [N, 1]."""
    return op.gather(tensor, op.const(np.array([index])), axis=1)


def upright(tensor: Var) -> Var:
    """[N] as [N, 1]; [N, k] as it is."""
    return tensor if rank(tensor) == 2 else op.unsqueeze(tensor, op.const(np.array([1])))


def one_hot(places: Var, width: int, weight: float = 1.0) -> Var:
    """[N, width]: the weight in the column that a float64 tensor [N] names, else zero."""
    lit = op.equal(upright(places), op.const(np.arange(float(width))))
    return op.where(lit, op.const(np.float64(weight)), op.const(np.float64(0)))


def total(parts: Sequence[Var]) -> Var:
    """Tensors added in their order, which is that of a loop and of NumPy's sum over an outer axis."""
    return parts[0] if len(parts) == 1 else op.sum(list(parts))


def average(parts: Sequence[Var], weights: Sequence[float] | None) -> Var:
    """As ``numpy.average`` over an outer axis."""
    if weights is None:
        return op.div(total(parts), op.const(np.float64(len(parts))))
    factors = np.asarray(weights, np.float64)
    weighted = [op.mul(part, op.const(factor)) for part, factor in zip(parts, factors, strict=True)]
    return op.div(total(weighted), op.const(factors[:, np.newaxis].sum(axis=0)[0]))


def constant_rows(x: Matrix, row: NDArray[Any]) -> Var:
    """[N, len(row)]: the same row again and again; [N] for a number."""
    rows = op.slice(op.shape(x.scope.x), op.const(np.array([0])), op.const(np.array([1])))
    shape = op.concat([rows, op.const(np.array(np.shape(row), np.int64))], axis=0) if np.ndim(row) else rows
    return op.expand(op.const(np.asarray(row, np.float64)), shape)


def binary_score(estimator: Any, x: Matrix, at: str) -> Var:
    """[N]: the score of the second class, as ``sklearn.multiclass._predict_binary``."""
    if not is_regressor(estimator) and not hasattr(estimator, "decision_function"):
        answer = lower(estimator, "predict_proba", x, at)
        return same(x, scalar(column(answer, 1)), answer)
    answer = lower(estimator, "predict" if is_regressor(estimator) else "decision_function", x, at)
    return same(x, scalar(numbers(answer)), answer)


def binary_threshold(estimator: Any) -> float:
    """What that score is compared with, as ``sklearn.multiclass._threshold_for_binary_predict``."""
    return 0.0 if hasattr(estimator, "decision_function") and is_classifier(estimator) else 0.5
