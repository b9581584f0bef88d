"""One member for each target."""

import spox.opset.ai.onnx.v21 as op
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from spox import Var

from . import lowers
from .labels import Labels
from .matrix import Matrix
from .meta import member, numbers, upright
from .terms import hand_on, largest


@lowers(MultiOutputClassifier, method="predict")
def labels_of_each(model: MultiOutputClassifier, x: Matrix) -> Labels:
    answers = [member(model, index, "predict", x) for index in range(len(model.estimators_))]
    places = op.concat([upright(answer.places) for answer in answers], axis=1)
    return Labels(places, tuple(table for answer in answers for table in answer.classes))


@lowers(MultiOutputClassifier, method="predict_proba")
def probabilities_of_each(model: MultiOutputClassifier, x: Matrix) -> list[Var]:
    return [member(model, index, "predict_proba", x) for index in range(len(model.estimators_))]


@lowers(MultiOutputRegressor, method="predict")
def numbers_of_each(model: MultiOutputRegressor, x: Matrix) -> Var:
    answers = [member(model, index, "predict", x) for index in range(len(model.estimators_))]
    predictions = op.concat([upright(numbers(answer)) for answer in answers], axis=1)
    hand_on(x, predictions, answers, largest)
    return predictions
