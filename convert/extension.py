"""Lowerings for classes of your own: what an estimator computes, said once more as a graph.

    import numpy as np
    import spox.opset.ai.onnx.v21 as op
    from convert.extension import Matrix, lowering

    @lowering(Winsorizer, method="transform")
    def winsorizer(step: Winsorizer, x: Matrix) -> Matrix:
        low, high = (op.const(np.asarray(bound, np.float64)) for bound in (step.low_, step.high_))
        return x.new(op.min([op.max([x.tensor, low]), high]))

``x.tensor`` is float64 [N, columns]. ``transform`` returns ``x.new`` of such a tensor; ``predict_proba``,
``decision_function`` and a regressor's ``predict`` return a float64 tensor, a classifier's ``predict`` returns
``Labels`` (``argmax(scores, classes)`` makes them). ``lower(child, method, x, at=".child_")`` gives what a child
answers. The proof then compares the twin with the estimator itself, so a slip does not go unseen.
"""

from .errors import UnsupportedError
from .lower import lower
from .lower import lowers as lowering
from .lower.labels import Labels, argmax
from .lower.matrix import Matrix, Monotone

__all__ = ["Labels", "Matrix", "Monotone", "UnsupportedError", "argmax", "lower", "lowering"]
