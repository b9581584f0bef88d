"""IterativeImputer: one stored regressor after the other fills its column from the others."""

import numpy as np
import spox.opset.ai.onnx.v21 as op

# The imputer is importable only once this has been.
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from spox import Var

from ..errors import UnsupportedError
from . import lower, lowers
from .distances import constant
from .impute import missing_mask
from .matrix import Matrix, Number
from .meta import numbers, upright


@lowers(IterativeImputer, method="transform")
def iterative_imputer(imputer: IterativeImputer, x: Matrix) -> Matrix:
    """A row of nothing but missing values is filled as it is among other rows; alone scikit-learn gives it the
    initial imputer's values, for it asks whether every value of all the rows that it is given is missing."""
    if imputer.sample_posterior:
        raise UnsupportedError(
            "expected IterativeImputer with sample_posterior=False, found True, which draws other values at every "
            "call: set_params(sample_posterior=False), the model need not be fitted again"
        )
    filled: Matrix = lower(imputer.initial_imputer_, "transform", x, ".initial_imputer_")
    empty = np.asarray(imputer._is_empty_feature, bool)
    kept = np.arange(x.width) if imputer.keep_empty_features else np.flatnonzero(~empty)
    if imputer.n_iter_ > 0:
        mask = missing_mask(x.select(kept).tensor, imputer.missing_values)
        for place, step in enumerate(imputer.imputation_sequence_):
            feature = int(step.feat_idx)
            if empty[kept[feature]]:
                continue  # it keeps what the initial imputer gave it
            given = filled.select(step.neighbor_feat_idx)
            answer = lower(step.estimator, "predict", given, f".imputation_sequence_[{place}].estimator")
            low, high = (float(limit[feature]) for limit in (imputer._min_value, imputer._max_value))
            own = op.gather(mask, op.const(np.array([feature])), axis=1)
            value = op.where(own, _within(upright(numbers(answer)), low, high), filled.select([feature]).tensor)
            columns = list(filled.columns)
            columns[feature] = Number(value, 0)
            filled = Matrix(x.scope, tuple(columns))
    return filled.beside(lower(imputer.indicator_, "transform", x)) if imputer.add_indicator else filled


def _within(values: Var, low: float, high: float) -> Var:
    """numpy.clip, which is no step where there are no limits."""
    if low > -np.inf:
        values = op.max([values, constant(low)])
    return op.min([values, constant(high)]) if high < np.inf else values
