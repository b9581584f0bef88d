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
    outputs = x.once(estimator, "skl2onnx", lambda: _inlined(estimator, x))
    classes = getattr(estimator, "classes_", None)
    if method == "transform" and len(outputs) == 1:
        return x.new(_float64(outputs[0]))
    if method == "predict" and classes is None and len(outputs) >= 1:
        return op.reshape(_float64(outputs[0]), op.const(np.array([-1])))
    if method == "predict" and classes is not None:
        # The label's place among the classes, for labels themselves are the manifest's.
        scores = _float64(outputs[1])
        return Labels(op.arg_max(scores, axis=1, keepdims=0), (classes,))
    if method == "predict_proba" and len(outputs) == 2:
        return _float64(outputs[1])
    raise UnsupportedError(f"expected an estimator with an exact graph, found {name}, whose {method} has none yet")


def _float64(tensor: Var) -> Var:
    return op.cast(tensor, to=np.float64)


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
        return list(spox.inline(model)(X=x.tensor).values())
    except (MissingConverter, MissingShapeCalculator) as error:
        raise UnsupportedError(
            f"expected an estimator with an exact graph, found {name}, for which neither pipetwin nor skl2onnx "
            "has one: register a lowering for it"
        ) from error
    except UnsupportedError:
        raise
    except Exception as error:  # converters raise whatever they meet
        raise UnsupportedError(f"expected skl2onnx to convert {name}, found: {error}") from error
