"""What has no lowering of ours goes through skl2onnx; the proof then decides whether it may."""

from typing import Any

import numpy as np
import spox
import spox.opset.ai.onnx.v21 as op
from spox import Var

from ..errors import UnsupportedError
from .labels import Labels
from .matrix import Matrix

__all__ = ["skl2onnx_lowering"]


def skl2onnx_lowering(estimator: Any, method: str, x: Matrix) -> Any:
    """The answer of skl2onnx's graph for an estimator, inlined: Labels, a Matrix or a float64 tensor.

    Raises UnsupportedError where skl2onnx has no converter for it, or the graph has no such answer.
    """
    name = type(estimator).__name__
    try:
        answer = _answer(x.once(estimator, "skl2onnx", lambda: _inlined(estimator, x)), estimator, method, x)
    except UnsupportedError:
        raise
    except Exception as error:  # converters raise whatever they meet
        raise UnsupportedError(f"expected skl2onnx to convert {name}, found: {_first_line(error)}") from error
    if answer is None:
        raise UnsupportedError(f"expected an estimator with an exact graph, found {name}, whose {method} has none yet")
    return answer


def _answer(outputs: list[Var], estimator: Any, method: str, x: Matrix) -> Any:
    classes = getattr(estimator, "classes_", None)
    match method, len(outputs):
        case "transform", 1:
            return x.new(_float64(outputs[0]))
        case "predict", 2 if classes is not None:
            # The label's place among the classes, for labels themselves are the manifest's.
            return Labels(op.arg_max(_float64(outputs[1]), axis=1, keepdims=0), (classes,))
        case "predict", _ if classes is None:
            return op.reshape(_float64(outputs[0]), op.const(np.array([-1])))
        case "predict_proba", 2:
            return _float64(outputs[1])
    return None


def _float64(tensor: Var) -> Var:
    return op.cast(tensor, to=np.float64)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _inlined(estimator: Any, x: Matrix) -> list[Var]:
    name = type(estimator).__name__
    try:
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import DoubleTensorType
        from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
    except ImportError as error:
        raise UnsupportedError(f"expected a lowering for {name} or skl2onnx to be installed, found neither") from error
    options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "classes_") else None
    try:
        model = to_onnx(
            estimator,
            initial_types=[("X", DoubleTensorType([None, x.width]))],
            options=options,
            target_opset={"": 21, "ai.onnx.ml": 3},
        )
    except (MissingConverter, MissingShapeCalculator) as error:
        raise UnsupportedError(
            f"expected an estimator with an exact graph, found {name}, for which neither pipetwin nor skl2onnx "
            "has one: register a lowering for it"
        ) from error
    return list(spox.inline(model)(X=x.tensor).values())
