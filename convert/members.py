"""What an estimator holds and asks when it answers, each with how one gets at it."""

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction import FeatureHasher
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MultiLabelBinarizer

__all__ = ["members", "reads_cells"]

HELD = ("best_estimator_", "regressor_", "estimator_")


def members(estimator: Any) -> list[tuple[str, Any]]:
    """Each by its path, as Python reads it: ``['prep']``, ``.estimators_[0]``. A step may be None or a string."""
    if isinstance(estimator, Pipeline):
        return [(f"[{name!r}]", step) for name, step in estimator.steps]
    if isinstance(estimator, FeatureUnion):
        return [(f"[{name!r}]", step) for name, step in estimator.transformer_list]
    if isinstance(estimator, ColumnTransformer):
        # One that is given no columns is never fitted, and never asked.
        chosen = getattr(estimator, "_transformer_to_input_indices", {})
        transformers = getattr(estimator, "transformers_", ())
        return [(f"[{name!r}]", step) for name, step, _ in transformers if len(chosen[name])]
    if isinstance(estimator, FrozenEstimator):
        return [(".estimator", estimator.estimator)]
    several = getattr(estimator, "estimators_", None)
    calibrated = getattr(estimator, "calibrated_classifiers_", ())
    held = [(f".{name}", getattr(estimator, name, None)) for name in HELD]
    if several is not None:
        held.pop()  # of an ensemble it is the template of the members
    if isinstance(several, list | tuple):
        held += [(f".estimators_[{index}]", member) for index, member in enumerate(several)]
    held += [(f".calibrated_classifiers_[{index}].estimator", pair.estimator) for index, pair in enumerate(calibrated)]
    held.append((".final_estimator_", getattr(estimator, "final_estimator_", None)))
    return [(at, member) for at, member in held if isinstance(member, BaseEstimator)]


def reads_cells(estimator: Any) -> bool:
    """Whether an estimator, or one inside, goes through rows and each row's cells: of a frame it would see the names of
    the columns, and of a column of strings their characters."""
    if isinstance(estimator, MultiLabelBinarizer):
        return True
    if isinstance(estimator, FeatureHasher):
        return bool(estimator.input_type != "dict")
    return any(reads_cells(member) for _, member in members(estimator) if not isinstance(member, str))
