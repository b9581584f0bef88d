"""Which rows an estimator refuses, of many that it is given at once.

A frame that is taken has no row that is refused: one question. Of one that is refused the steps are asked in turn,
each with what those before it make of the rows, so that a question about one row is put to the step that refuses, not
to the whole pipeline. What a Pipeline and a ColumnTransformer do with rows is all that is known beforehand; the rows
that remain are put to the whole once more.
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline

from .culprit import branches
from .narrow import ENCODERS, narrowed
from .search import search

__all__ = ["taken"]

Places = NDArray[np.intp]

AGAIN = 8
"""Refused rows or a few more, spread over all, that are put to a step as it is, where a lighter question has found
them."""

_REFUSED = object()
"""Stands for an answer that was not given."""


def taken(estimator: Any, method: str, X: Any) -> NDArray[np.bool_]:
    """Which rows an estimator takes, [rows]: those for which ``method`` does not raise.

    X: rows as it takes them: a DataFrame, an ndarray, a sparse matrix or a list.
    """
    return _put(estimator, method, X)[0]


def _put(estimator: Any, method: str, X: Any) -> tuple[NDArray[np.bool_], Any]:
    """Which rows are taken, and the answer for these; none where there are none."""
    answer = _answer(estimator, method, X)
    rows = _count(X)
    if answer is not _REFUSED:
        return np.ones(rows, bool), answer
    if rows == 1:
        return np.zeros(1, bool), None
    found = _by_parts(estimator, method, X)
    answer = _answer(estimator, method, _some(X, np.flatnonzero(found))) if found.any() else None
    if answer is _REFUSED:  # no part refuses these, but the whole does
        found = _one_by_one(estimator, method, X, np.flatnonzero(found))
        answer = _answer(estimator, method, _some(X, np.flatnonzero(found))) if found.any() else None
    return found, answer


def _by_parts(estimator: Any, method: str, X: Any) -> NDArray[np.bool_]:
    if type(estimator) is Pipeline:
        return _through(estimator, method, X)
    if isinstance(estimator, BaseSearchCV):
        return taken(estimator.best_estimator_, method, X)
    if type(estimator) in (ColumnTransformer, FeatureUnion):
        parts = [taken(step, "transform", given) for _, step, given in branches(estimator, X)]
        return np.asarray(np.all([np.ones(_count(X), bool), *parts], axis=0), bool)
    for found in _lighter(estimator, method, X):
        if _holds(estimator, method, X, found):
            return found
    return _one_by_one(estimator, method, X, np.arange(_count(X)))


def _through(pipeline: Pipeline, method: str, X: Any) -> NDArray[np.bool_]:
    """Step by step, with the rows that are left."""
    found = np.ones(_count(X), bool)
    for place, (_, step) in enumerate(pipeline.steps):
        if step is not None and step != "passthrough" and found.any():
            own, X = _put(step, method if place == len(pipeline.steps) - 1 else "transform", X)
            found[found] = own
    return found


def _lighter(estimator: Any, method: str, X: Any) -> Iterator[NDArray[np.bool_]]:
    """What cheaper questions find: an encoder is asked column by column, and an array costs less to look at than a
    frame."""
    if isinstance(estimator, ENCODERS) and estimator.n_features_in_ > 1 and isinstance(X, pd.DataFrame | np.ndarray):
        columns = range(estimator.n_features_in_)
        yield np.all([_of_column(narrowed(estimator, column), method, X, column) for column in columns], axis=0)
    if isinstance(X, pd.DataFrame) and all(dtype == np.float64 for dtype in X.dtypes):
        yield _one_by_one(estimator, method, X.to_numpy(), np.arange(len(X)))


def _of_column(encoder: Any, method: str, X: Any, column: int) -> NDArray[np.bool_]:
    """Which rows an encoder of one column takes; rows with the same value are one question."""
    cells = X.iloc[:, [column]] if isinstance(X, pd.DataFrame) else X[:, [column]]
    values = np.asarray(cells).ravel()
    which = 2 * pd.factorize(values, use_na_sentinel=False)[0] + (values == np.array(None)).astype(int)
    _, first, which = np.unique(which, return_index=True, return_inverse=True)
    found = search(first.tolist(), lambda group: _takes(encoder, method, cells, group))
    return np.isin(first, found)[which]


def _holds(estimator: Any, method: str, X: Any, found: NDArray[np.bool_]) -> bool:
    """Whether the estimator itself takes all that were found to be taken, and refuses some of the others."""
    kept, refused = np.flatnonzero(found).tolist(), np.flatnonzero(~found).tolist()
    few = refused[:: max(1, len(refused) // AGAIN)]
    return (not kept or _takes(estimator, method, X, kept)) and not any(
        _takes(estimator, method, X, [row]) for row in few
    )


def _one_by_one(estimator: Any, method: str, X: Any, places: Places) -> NDArray[np.bool_]:
    """By asking the estimator itself about the rows at these places, those next to one another that are alike."""
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind == "f":
        # What is too large for a tree has a limit: then all that is taken comes before all that is not.
        places = places[np.argsort(np.abs(X[places]).max(axis=1, initial=0.0), kind="stable")]
    found = np.zeros(_count(X), bool)
    found[search(places.tolist(), lambda group: _takes(estimator, method, X, group))] = True
    return found


def _takes(estimator: Any, method: str, X: Any, rows: Sequence[int]) -> bool:
    return _answer(estimator, method, _some(X, np.array(rows))) is not _REFUSED


def _answer(estimator: Any, method: str, X: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(estimator, method)(X)
    except MemoryError:
        raise
    except Exception:  # a pipeline raises whatever its steps do
        return _REFUSED


def _count(X: Any) -> int:
    """The rows; a sparse matrix has no length."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def _some(X: Any, places: Places) -> Any:
    """The rows at these places."""
    if isinstance(X, list):
        return [X[place] for place in places]
    return X.iloc[places] if hasattr(X, "iloc") else (X.tocsr() if hasattr(X, "tocsr") else X)[places]
