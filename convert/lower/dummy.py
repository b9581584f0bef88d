"""Dummies: answers that no feature decides."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor
from spox import Var

from ..errors import UnsupportedError
from . import lacks, lowers
from .labels import Labels, log_probabilities, scalar
from .matrix import Matrix


def repeated(row: NDArray[Any], x: Matrix) -> Var:
    """One row [k] for each row of the request: [N, k]."""
    rows = op.slice(op.shape(x.scope.x), op.const([0]), op.const([1]))
    shape = op.concat([rows, op.const(np.array([len(row)], np.int64))], axis=0)
    return op.expand(op.const(row[np.newaxis]), shape)


@lowers(DummyRegressor, method="predict")
def dummy_regressor(model: DummyRegressor, x: Matrix) -> Var:
    constants = np.ravel(np.asarray(model.constant_, np.float64))
    return scalar(repeated(constants, x)) if model.n_outputs_ == 1 else repeated(constants, x)


@lacks(DummyClassifier, method="predict")
@lacks(DummyClassifier, method="predict_proba")
@lacks(DummyClassifier, method="predict_log_proba")
def at_random(model: DummyClassifier) -> str | None:
    """Why there is no answer to be held to; before the pipeline is asked anything, for it answers each time anew."""
    if model._strategy in ("stratified", "uniform"):
        return (
            f"expected a DummyClassifier that answers alike each time, found strategy {model._strategy!r}, which draws "
            "at random: use 'prior' or 'most_frequent'"
        )
    return None


def _priors(model: DummyClassifier) -> list[NDArray[np.float64]]:
    """By output, the probability of each class."""
    if reason := at_random(model):  # it may stand where nobody asked, within another
        raise UnsupportedError(reason)
    several = model.n_outputs_ > 1
    classes = model.classes_ if several else [model.classes_]
    priors = model.class_prior_ if several else [model.class_prior_]
    constants = np.ravel(model.constant) if several else [model.constant]
    if model._strategy == "prior":
        return [np.asarray(prior, np.float64) for prior in priors]
    if model._strategy == "most_frequent":
        return [(np.arange(len(prior)) == np.argmax(prior)).astype(np.float64) for prior in priors]
    return [np.ravel(table == constant).astype(np.float64) for table, constant in zip(classes, constants, strict=True)]


@lowers(DummyClassifier, method="predict")
def dummy_labels(model: DummyClassifier, x: Matrix) -> Labels:
    places = repeated(np.array([np.argmax(prior) for prior in _priors(model)], np.int64), x)
    if model.n_outputs_ > 1:
        return Labels(places, tuple(model.classes_))
    return Labels(scalar(places), (model.classes_,))


@lowers(DummyClassifier, method="predict_proba")
def dummy_probabilities(model: DummyClassifier, x: Matrix) -> Any:
    outputs = [repeated(prior, x) for prior in _priors(model)]
    return outputs if model.n_outputs_ > 1 else outputs[0]


lowers(DummyClassifier, method="predict_log_proba")(log_probabilities)
