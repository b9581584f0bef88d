"""Which step it was: a pipeline is gone through step by step, each given what the one before it makes of the sample."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

__all__ = ["branches", "culprit"]


def culprit(estimator: Any, X: Any, guilty: Callable[[Any, Any], bool]) -> str:
    """The path of the innermost step that is guilty, as Python reads it: ``['prep']['num'][1]``; empty where that is
    the estimator itself, or no single step of it.

    X: what the estimator is given; guilty: (step, what it is given) -> whether it is.
    """
    try:
        for name, step, given in _steps(estimator, X):
            if guilty(step, given):
                return f"[{name!r}]" + culprit(step, given, guilty)
    except Exception:  # a step raises whatever it does, and then nobody knows what comes after it
        return ""
    return ""


def _steps(estimator: Any, X: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each step by name, with what it is given."""
    if isinstance(estimator, Pipeline):
        for name, step in estimator.steps:
            if not isinstance(step, str) and step is not None:
                yield name, step, X
                X = step.transform(X) if hasattr(step, "transform") else X
    else:
        yield from branches(estimator, X)


def branches(estimator: Any, X: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each step of a ColumnTransformer or a FeatureUnion by name, with what it is given; of others none."""
    if isinstance(estimator, ColumnTransformer):
        for name, step, _ in estimator.transformers_:
            places = estimator._transformer_to_input_indices[name]
            if not isinstance(step, str) and len(places):
                yield name, step, X[:, places] if isinstance(X, np.ndarray) else X.iloc[:, places]
    elif isinstance(estimator, FeatureUnion):
        for name, step in estimator.transformer_list:
            if not isinstance(step, str):
                yield name, step, X
