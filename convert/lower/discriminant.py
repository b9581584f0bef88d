"""Discriminant analysis: linear (its scores and labels are a linear classifier's) and quadratic."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from spox import Var

from ..errors import UnsupportedError
from . import lacks, lower, lowers
from .distances import row_sum
from .labels import Labels, argmax
from .matrix import Matrix
from .sums import running_sum


@lowers(LinearDiscriminantAnalysis, method="predict_log_proba")
def linear_log_probabilities(model: LinearDiscriminantAnalysis, x: Matrix) -> Var:
    probabilities = lower(model, "predict_proba", x)
    none = op.equal(probabilities, op.const(np.float64(0)))
    return op.log(op.where(none, op.const(np.finfo(np.float64).smallest_normal), probabilities))


@lowers(LinearDiscriminantAnalysis, method="transform")
def linear_projection(model: LinearDiscriminantAnalysis, x: Matrix) -> Matrix:
    if model.solver == "lsqr":
        raise UnsupportedError(
            "expected LinearDiscriminantAnalysis with solver 'svd' or 'eigen', found 'lsqr', with which scikit-learn "
            "cannot transform either: choose another"
        )
    tensor = op.sub(x.tensor, _const(model.xbar_)) if model.solver == "svd" else x.tensor
    scalings = np.ascontiguousarray(model.scalings_[:, : model._max_components])
    return x.new(op.matmul(tensor, _const(scalings)))


@lacks(LinearDiscriminantAnalysis, method="transform")
def has_no_projection(model: LinearDiscriminantAnalysis) -> str | None:
    return "scikit-learn itself has none with solver='lsqr'" if model.solver == "lsqr" else None


def _const(values: Any) -> Var:
    """As float64; what was fitted on float32 has been computed in float32, and is only now widened."""
    return op.const(np.asarray(values, np.float64))


def posteriors(model: QuadraticDiscriminantAnalysis, x: Matrix) -> Var:
    """The logarithm of each class's posterior but for a constant, float64 [N, classes]."""
    norms = []
    for mean, rotation, scaling in zip(model.means_, model.rotations_, model.scalings_, strict=True):
        off = op.sub(x.tensor, _const(mean))
        turned = op.matmul(off, _const(np.ascontiguousarray(rotation * scaling ** (-0.5))))
        norms.append(op.unsqueeze(row_sum(op.mul(turned, turned), len(scaling)), op.const([1])))
    spread = np.array([np.sum(np.log(scaling)) for scaling in model.scalings_])
    half = op.mul(op.const(np.float64(-0.5)), op.add(op.concat(norms, axis=1), _const(spread)))
    return op.add(half, _const(np.log(model.priors_)))


def _posteriors(model: QuadraticDiscriminantAnalysis, x: Matrix) -> Var:
    scores: Var = x.once(model, "posteriors", lambda: posteriors(model, x))
    return scores


@lowers(QuadraticDiscriminantAnalysis, method="decision_function")
def quadratic_decision(model: Any, x: Matrix) -> Var:
    scores = _posteriors(model, x)
    if len(model.classes_) > 2:
        return scores
    first, second = (op.gather(scores, op.const(np.int64(place)), axis=1) for place in (0, 1))
    return op.sub(second, first)


@lowers(QuadraticDiscriminantAnalysis, method="predict")
def quadratic_labels(model: Any, x: Matrix) -> Labels:
    return argmax(_posteriors(model, x), model.classes_)


@lowers(QuadraticDiscriminantAnalysis, method="predict_log_proba")
def quadratic_log_probabilities(model: Any, x: Matrix) -> Var:
    scores = _posteriors(model, x)
    off = op.sub(scores, op.reduce_max(scores, op.const(np.array([1])), keepdims=1))
    return op.sub(off, op.log(running_sum(op.exp(off))))


@lowers(QuadraticDiscriminantAnalysis, method="predict_proba")
def quadratic_probabilities(model: Any, x: Matrix) -> Var:
    return op.exp(lower(model, "predict_log_proba", x))
