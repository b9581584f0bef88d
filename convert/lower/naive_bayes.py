"""Naive Bayes of each kind: a joint log-likelihood a class, and what follows from it."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB
from spox import Var

from . import lower, lowers
from .binarize import above
from .labels import Labels, argmax
from .linear import linear
from .matrix import Matrix
from .sums import log_sum_exp, running_sum
from .terms import same

KINDS = (GaussianNB, MultinomialNB, ComplementNB, BernoulliNB, CategoricalNB)


@lowers(*KINDS, method="predict")
def naive_bayes_labels(model: Any, x: Matrix) -> Labels:
    joint = likelihood(model, x)
    return argmax(joint if _sound(model) else _first_nan(joint), model.classes_)


def _sound(model: Any) -> bool:
    """Whether no likelihood is NaN: one is where a probability is zero or, of numbers other than 0 and 1 that a
    BernoulliNB took as they came, above one, and where a variance is zero."""
    match model:
        case GaussianNB():
            return bool((model.var_ > 0).all())
        case CategoricalNB():
            return True
        case BernoulliNB():
            with np.errstate(all="ignore"):
                return bool(np.isfinite(np.log(1 - np.exp(model.feature_log_prob_))).all())
    return bool(np.isfinite(model.feature_log_prob_).all())


def _first_nan(scores: Var) -> Var:
    """Scores whose largest is the first NaN, where there is one, as NumPy's argmax takes it."""
    nan = op.isnan(scores)
    lost = op.cast(nan, to=np.float64)
    some = op.greater(op.reduce_max(lost, op.const(np.array([1])), keepdims=1), op.const(np.float64(0)))
    return op.where(some, lost, scores)


@lowers(*KINDS, method="predict_log_proba")
def naive_bayes_log_probabilities(model: Any, x: Matrix) -> Var:
    joint = likelihood(model, x)
    answer = op.sub(joint, log_sum_exp(joint))
    # A likelihood of many features is a long sum, of which the classes' differences are left: it moves these by a
    # rounding of its own size, and those of n additions come to the root of n of one (N. J. Higham and T. Mary, SIAM
    # Journal on Scientific Computing 41, 2019). Of classes further off the logarithm is as large as the likelihood.
    likeliest = op.abs(op.reduce_max(joint, op.const(np.array([1])), keepdims=1))
    terms = op.add(likeliest, op.const(np.float64(_opposed(model))))
    x.scope.adds_up(answer, op.mul(terms, op.const(np.float64(max(1.0, x.width**0.5 / 4)))), alone=True)
    return answer


def _opposed(model: Any) -> float:
    """How large the constants are that features' terms of the other sign are added to."""
    match model:
        case GaussianNB():
            constants = np.log(2.0 * np.pi * model.var_[model.var_ > 0])
            return float(np.abs(constants).sum() / len(model.classes_))
        case BernoulliNB():
            with np.errstate(all="ignore"):
                absent = np.log(1 - np.exp(model.feature_log_prob_))
                terms = np.abs(absent) + np.abs(model.feature_log_prob_ - absent)
            return float(terms[np.isfinite(terms)].sum() / len(model.classes_))
    return 0.0


@lowers(*KINDS, method="predict_proba")
def naive_bayes_probabilities(model: Any, x: Matrix) -> Var:
    logarithms = lower(model, "predict_log_proba", x)
    return same(x, op.exp(logarithms), logarithms)


def likelihood(model: Any, x: Matrix) -> Var:
    """The joint log-likelihood of each class, float64 [N, classes]."""
    function = next(function for kind, function in LIKELIHOODS.items() if isinstance(model, kind))
    joint: Var = x.once(model, "likelihood", lambda: function(model, x))
    return joint


def _gaussian(model: GaussianNB, x: Matrix) -> Var:
    """log p - sum(log(2 pi var)) / 2 - sum((x - mean)^2 / var) / 2, each sum in the order of the features."""
    constants = np.array([-0.5 * np.sum(np.log(2.0 * np.pi * variances)) for variances in model.var_])
    half = op.const(np.float64(0.5))
    off = op.sub(op.unsqueeze(x.tensor, op.const([1])), op.const(np.asarray(model.theta_, np.float64)))
    distances = running_sum(op.div(op.mul(off, off), op.const(np.asarray(model.var_, np.float64))))
    total = op.squeeze(distances, op.const([2]))
    # What was fitted on float32 has computed these in float32.
    priors = op.const(np.asarray(np.log(model.class_prior_), np.float64))
    return op.add(priors, op.sub(op.const(constants.astype(np.float64)), op.mul(half, total)))


def _multinomial(model: MultinomialNB, x: Matrix) -> Var:
    return linear(x, model.feature_log_prob_, model.class_log_prior_)


def _complement(model: ComplementNB, x: Matrix) -> Var:
    only = len(model.classes_) == 1
    return linear(x, model.feature_log_prob_, model.class_log_prior_ if only else np.zeros(len(model.classes_)))


def _bernoulli(model: BernoulliNB, x: Matrix) -> Var:
    if model.binarize is not None:
        x = above(x, np.float64(model.binarize))
    with np.errstate(all="ignore"):  # scikit-learn goes on with NaN
        absent = np.log(1 - np.exp(model.feature_log_prob_))
    return linear(x, model.feature_log_prob_ - absent, model.class_log_prior_ + absent.sum(axis=1))


def _categorical(model: CategoricalNB, x: Matrix) -> Var:
    """A row of each feature's table, added in the order of the features; NaN where scikit-learn raises."""
    # Towards zero, as scikit-learn's cast to integers.
    codes = op.cast(x.tensor, to=np.int64)
    joint = op.const(np.zeros(len(model.classes_)))
    for feature, table in enumerate(model.feature_log_prob_):
        rows = np.concatenate([table.T, np.full((1, len(table)), np.nan)])
        code = op.gather(codes, op.const(np.int64(feature)), axis=1)
        size = op.const(np.int64(table.shape[1]))
        known = op.and_(op.greater_or_equal(code, op.const(np.int64(0))), op.less(code, size))
        joint = op.add(joint, op.gather(op.const(np.ascontiguousarray(rows)), op.where(known, code, size), axis=0))
    return op.add(joint, op.const(np.asarray(model.class_log_prior_, np.float64)))


LIKELIHOODS: dict[type, Any] = {
    GaussianNB: _gaussian,
    MultinomialNB: _multinomial,
    ComplementNB: _complement,
    BernoulliNB: _bernoulli,
    CategoricalNB: _categorical,
}
