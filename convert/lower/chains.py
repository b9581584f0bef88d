"""Chains: each member also reads what those before it answered."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.multioutput import ClassifierChain, RegressorChain
from spox import Var

from . import lowers
from .labels import Labels, log_probabilities
from .matrix import Matrix
from .meta import column, member, numbers, upright
from .terms import hand_on, largest, same


def _links(chain: Any, method: str, x: Matrix) -> list[Any]:
    """What a method of each member answers, in the order of the targets."""

    def inputs() -> list[Matrix]:
        seen = [x]
        for index in range(len(chain.estimators_) - 1):
            answer = member(chain, index, getattr(chain, "chain_method_", "predict"), seen[-1])
            seen.append(seen[-1].beside(x.new(same(x, upright(_second(answer)), answer))))
        return seen

    seen = x.once(chain, "inputs", inputs)
    answers = [member(chain, index, method, part) for index, part in enumerate(seen)]
    return [answers[place] for place in np.argsort(chain.order_)]


def _second(answer: Any) -> Var:
    """Of probabilities the second class's, as ``sklearn.utils._response`` takes it; anything else as it is."""
    tensor = numbers(answer)
    shape = tensor.unwrap_tensor().shape
    return column(tensor, 1) if shape is not None and len(shape) == 2 and shape[1] == 2 else tensor


def _scores(chain: Any, method: str, x: Matrix) -> Var:
    answers = _links(chain, method, x)
    scores = op.concat([upright(_second(answer)) for answer in answers], axis=1)
    hand_on(x, scores, answers, largest)
    return scores


@lowers(RegressorChain, method="predict")
def chained_numbers(chain: RegressorChain, x: Matrix) -> Var:
    return _scores(chain, "predict", x)


@lowers(ClassifierChain, method="predict")
def chained_labels(chain: ClassifierChain, x: Matrix) -> Labels:
    """Labels as the float64 numbers that the chain keeps them as."""
    answers = _links(chain, "predict", x)
    tables = [np.asarray(table, np.float64) for answer in answers for table in answer.classes]
    return Labels(op.concat([upright(answer.places) for answer in answers], axis=1), tuple(tables))


@lowers(ClassifierChain, method="predict_proba")
def chained_probabilities(chain: ClassifierChain, x: Matrix) -> Var:
    return _scores(chain, "predict_proba", x)


lowers(ClassifierChain, method="predict_log_proba")(log_probabilities)


@lowers(ClassifierChain, method="decision_function")
def chained_decisions(chain: ClassifierChain, x: Matrix) -> Var:
    return _scores(chain, "decision_function", x)
