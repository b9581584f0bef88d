"""Neural networks: layers of products, each behind its activation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.neural_network import BernoulliRBM, MLPClassifier, MLPRegressor
from spox import Var

from . import lacks, lowers
from .labels import Labels, argmax, log_probabilities, probabilities_of, scalar
from .linear import BINARY, linear
from .links import expit, softmax
from .matrix import Matrix

ACTIVATIONS: dict[str, Callable[[Var], Var]] = {
    "identity": lambda x: x,
    "exp": op.exp,
    "logistic": expit,
    "tanh": op.tanh,
    "relu": lambda x: op.max([x, op.const(np.float64(0))]),
    "softmax": softmax,
}


def _forward(model: Any, x: Matrix) -> Var:
    """What the last layer answers, float64 [N, outputs]."""
    tensor = x.tensor
    last = len(model.coefs_) - 1
    for layer, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        product = op.matmul(tensor, op.const(np.ascontiguousarray(weights, np.float64)))
        name = model.out_activation_ if layer == last else model.activation
        tensor = ACTIVATIONS[name](op.add(product, op.const(np.asarray(bias, np.float64))))
    return tensor


def _outputs(model: Any, x: Matrix) -> Var:
    outputs: Var = x.once(model, "outputs", lambda: _forward(model, x))
    return outputs


@lowers(MLPRegressor, method="predict")
def mlp_regressor(model: MLPRegressor, x: Matrix) -> Var:
    return scalar(_outputs(model, x)) if model.n_outputs_ == 1 else _outputs(model, x)


@lowers(MLPClassifier, method="predict_proba")
def mlp_probabilities(model: MLPClassifier, x: Matrix) -> Var:
    return probabilities_of(_outputs(model, x))


lowers(MLPClassifier, method="predict_log_proba")(log_probabilities)


@lacks(MLPClassifier, method="predict_proba")
@lacks(MLPClassifier, method="predict_log_proba")
def probabilities_of_two_for_one(model: MLPClassifier) -> str | None:
    if len(model.classes_) > 1:
        return None
    return "expected probabilities of one class, found those of two, one of which there is not: fit it on rows of both"


@lowers(MLPClassifier, method="predict")
def mlp_labels(model: MLPClassifier, x: Matrix) -> Labels:
    outputs = _outputs(model, x)
    if model.out_activation_ == "softmax":
        return argmax(outputs, model.classes_)
    above = op.cast(op.greater(outputs, op.const(np.float64(0.5))), to=np.int64)
    if model._label_binarizer.y_type_.startswith("multilabel"):
        return Labels(above, (BINARY,) * model.n_outputs_)
    # Fitted to one class it computes as if there were a second.
    places = op.mul(above, op.const(np.int64(0))) if len(model.classes_) == 1 else above
    return Labels(scalar(places), (model.classes_,))


@lowers(BernoulliRBM, method="transform")
def rbm_hidden(model: BernoulliRBM, x: Matrix) -> Matrix:
    return x.new(expit(linear(x, model.components_, model.intercept_hidden_)))


@lacks(BernoulliRBM, method="score_samples")
def scores_at_random(model: BernoulliRBM) -> str:
    return "it flips a feature of each row at random, and so has other answers at every call"
