"""Which step it was: a pipeline is gone through step by step, each given what the one before it makes of the sample."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble._bagging import BaseBagging
from sklearn.feature_selection import SelectorMixin
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.tree import BaseDecisionTree

from .lower import overridden
from .members import members

__all__ = ["branches", "culprit", "narrowed", "overriding"]

MOST = 8
"""Members of an ensemble that are looked at: each may take as long as all of it."""
ASKED_OTHERWISE = (ClassifierChain, RegressorChain, SelectorMixin)
"""Whose members are given more than they are, or nothing when they answer."""


def culprit(estimator: Any, X: Any, guilty: Callable[[Any, Any], bool]) -> str:
    """The path of the innermost step that is guilty, as Python reads it: ``['prep']['num'][1]``; empty where that is
    the estimator itself, or no single step of it.

    X: what the estimator is given; guilty: (step, what it is given) -> whether it is.
    """
    try:
        for at, step, given in _steps(estimator, X):
            if guilty(step, given):
                return at + culprit(step, given, guilty)
    except Exception:  # a step raises whatever it does, and then nobody knows what comes after it
        return ""
    return ""


def overriding(estimator: Any) -> str:
    """What of an estimator and of all that it holds answers by a method of its own that was lowered as its base's:
    words for the end of a sentence, empty where there is none."""
    methods = overridden(type(estimator))
    if methods:
        name = type(estimator).__name__
        return f"; {name} has its own {' and '.join(methods)}, lowered as its base's: register a lowering for it"
    return next((words for _, member in members(estimator) if (words := overriding(member))), "")


def narrowed(estimator: Any, X: Any) -> str:
    """Which step is given float32, in which most of scikit-learn then computes: words for the end of a sentence, empty
    where none is."""
    path = culprit(estimator, X, lambda _, given: _is_float32(given))
    if not path:
        return ""
    return (
        f"; pipeline{path} is given float32 and computes in it, which the twin does not: put "
        "FunctionTransformer(np.float64) before it, and fit again"
    )


def _is_float32(X: Any) -> bool:
    dtypes = X.dtypes.tolist() if hasattr(X, "iloc") else [getattr(X, "dtype", None)]
    return np.dtype(np.float32) in dtypes


def _steps(estimator: Any, X: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each step by its path, with what it is given."""
    held = members(estimator)
    if isinstance(estimator, Pipeline):
        for at, step in held:
            if not isinstance(step, str) and step is not None:
                yield at, step, X
                X = step.transform(X) if hasattr(step, "transform") else X
    elif isinstance(estimator, (ColumnTransformer, FeatureUnion)):
        yield from branches(estimator, X)
    elif not isinstance(estimator, ASKED_OTHERWISE):
        for number, (at, step) in enumerate(held):
            if isinstance(step, BaseDecisionTree):  # of a forest no tree is lowered by itself
                return
            if at == ".final_estimator_":
                yield at, step, estimator.transform(X)
            elif number >= MOST:
                continue
            elif isinstance(estimator, BaseBagging):
                yield at, step, _columns(X, estimator.estimators_features_[number])
            else:
                yield at, step, X


def branches(estimator: Any, X: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each step of a ColumnTransformer or a FeatureUnion by its path, with what it is given."""
    held = members(estimator)
    if isinstance(estimator, ColumnTransformer):
        chosen = [places for places in estimator._transformer_to_input_indices.values() if len(places)]
        for (at, step), places in zip(held, chosen, strict=True):
            if not isinstance(step, str):
                yield at, step, _columns(X, places)
    else:
        for at, step in held:
            if not isinstance(step, str):
                yield at, step, X


def _columns(X: Any, places: Any) -> Any:
    return X[:, places] if isinstance(X, np.ndarray) else X.iloc[:, places]
