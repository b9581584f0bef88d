"""Class labels, decided from float64 scores by plain operations, exactly as scikit-learn decides them.

A classifier kernel of onnxruntime decides by rules of its own, and sometimes wrongly.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from . import lower
from .matrix import Matrix
from .terms import hand_on

__all__ = ["Labels", "argmax", "log", "log_probabilities", "probabilities_of", "scalar"]


@dataclass(frozen=True)
class Labels:
    """Labels as places in tables.

    places: int64 [N], or [N, outputs].
    classes: a table of labels an output.
    """

    places: Var
    classes: tuple[NDArray[Any], ...]


def argmax(scores: Var | list[Var], classes: Any) -> Labels:
    """The class of the largest score, the first of equals as in NumPy; of each output where there are several.

    scores: float64 [N, classes], or a list of those with a list of classes.
    """
    if isinstance(scores, list):
        places = [op.arg_max(score, axis=1, keepdims=1) for score in scores]
        return Labels(op.concat(places, axis=1), tuple(classes))
    return Labels(op.arg_max(scores, axis=1, keepdims=0), (classes,))


def scalar(column: Var) -> Var:
    """[N, 1] as [N]."""
    return op.reshape(column, op.const(np.array([-1])))


def probabilities_of(second: Var) -> Var:
    """[N, 1], the second class's probability, as [N, 2]; a wider tensor as it is."""
    shape = second.unwrap_tensor().shape
    if shape is not None and shape[1] != 1:
        return second
    return op.concat([op.sub(op.const(np.float64(1)), second), second], axis=1)


def log(x: Matrix, probabilities: Var | list[Var]) -> Var | list[Var]:
    """The logarithm of probabilities, of each where there are several: next to one an ulp of a probability is many of
    the other's logarithm, so that the proof may hold them to the bound as probabilities.

    x: what they were made of.
    """
    parts = probabilities if isinstance(probabilities, list) else [probabilities]
    logarithms = [op.log(part) for part in parts]
    for part, logarithm in zip(parts, logarithms, strict=True):
        hand_on(x, logarithm, [part], partial(_over_the_least, part))
    x.scope.logarithms += [(part, 1 / 1000) for part in logarithms]
    return logarithms if isinstance(probabilities, list) else logarithms[0]


def _over_the_least(probabilities: Var, sizes: list[Var]) -> Var:
    """By how much the logarithms of a row move when these do."""
    return op.div(sizes[0], op.reduce_min(probabilities, op.const(np.array([1])), keepdims=1))


def log_probabilities(model: Any, x: Matrix) -> Var | list[Var]:
    """``predict_log_proba`` of the many classifiers that take the logarithm of their own ``predict_proba``."""
    return log(x, lower(model, "predict_proba", x))
