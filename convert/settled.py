"""scikit-learn where it leaves a choice among equals to the processor: settled, the first of equals is chosen.

KNNImputer takes the nearest rows by numpy.argpartition, and so do the neighbours models by brute force, with metrics
that have no loop of their own. Of rows equally far it gives other ones with AVX512 than with AVX2 or without
(numpy/_core/src/npysort/x86_simd_argsort.dispatch.cpp), so that scikit-learn itself answers otherwise on another
machine.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import sklearn.impute._knn as knn
import sklearn.neighbors._base as neighbors
from numpy.typing import NDArray

from .lower.scope import Scope
from .parity import ULP, compare_labels, compare_numbers
from .reference import Signature

__all__ = ["first_of_equals", "settle"]


class _Stable:
    """NumPy, but for a partition and a sort that keep equals in their order."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def argpartition(values: Any, kth: int, axis: int) -> Any:
        return np.argsort(values, axis=axis, kind="stable")

    @staticmethod
    def argsort(values: Any, axis: int = -1) -> Any:
        return np.argsort(values, axis=axis, kind="stable")


@contextlib.contextmanager
def first_of_equals() -> Iterator[None]:
    """While it lasts scikit-learn takes the first of equally far rows, on every processor."""
    with patch.object(knn, "np", _Stable()), patch.object(neighbors, "np", _Stable()):
        yield


def settle(
    pipeline: Any,
    signature: Signature,
    frame: pd.DataFrame,
    expected: dict[str, Any],
    floors: dict[str, float],
    scope: Scope,
) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    """The answers, and the rows in which they are not this processor's: where its choice among equals was another
    than the first, the twin is held to scikit-learn with the first."""
    if not scope.among_equals:
        return expected, np.zeros(len(frame), bool)
    with first_of_equals():
        settled = signature.answers(pipeline, tuple(expected), frame)
    open_ = _undecided(expected, settled, floors)
    return {method: _merged(answers, settled[method], open_) for method, answers in expected.items()}, open_


def _undecided(expected: dict[str, Any], settled: dict[str, Any], floors: dict[str, float]) -> NDArray[np.bool_]:
    """The rows that this processor answers otherwise than settled: [rows].

    expected, settled: by method, answers as a pipeline gives them. floors: by method, of those that answer numbers.
    """
    parts = [
        compare_numbers(answer, settled[method], floors[method]).excess > ULP
        if method in floors
        else ~compare_labels(answer, settled[method]).identical
        for method, answer in expected.items()
    ]
    return np.asarray(np.any(parts, axis=0), bool)


def _merged(expected: Any, settled: Any, rows: NDArray[np.bool_]) -> Any:
    """A method's answers, those of some rows settled."""
    if isinstance(expected, list):
        return [_merged(part, other, rows) for part, other in zip(expected, settled, strict=True)]
    return np.where(rows.reshape(-1, *[1] * (expected.ndim - 1)), settled, expected)
