"""What scikit-learn computes in float32, because it is given float32."""

import warnings
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.pipeline import Pipeline
from spox import Var

from ..errors import UnsupportedError
from .meta import total

__all__ = ["check_precision", "mean_in_float32", "same_in_float32", "total_in_float32"]


def check_precision(estimator: Any, method: str, width: int, place: str, remedy: str) -> None:
    """Raise UnsupportedError if an estimator, which is given float32 rows, computes in float32: its sums then have a
    rounding, and an overflow, that depend on the processor's BLAS, and what it scales falls on other sides of the
    thresholds behind.

    place, remedy: of the sentence, what it stands for and what else can be done.
    """
    steps = estimator.steps if isinstance(estimator, Pipeline) else [("", estimator)]
    asked = [step.transform for _, step in steps[:-1] if step not in (None, "passthrough")]
    if not same_in_float32(*asked, getattr(steps[-1][1], method), width=width):
        name = type(estimator).__name__
        raise UnsupportedError(
            f"expected {place} that computes in float64, found {name}, which scikit-learn gives float32 there: "
            f"fit with make_pipeline(FunctionTransformer(np.float64), {name}(...)) in its place, or {remedy}"
        )


def same_in_float32(*functions: Any, width: int) -> bool:
    """Whether functions, each of what the one before has made of rows, give the same for numbers in float32 and for the
    same ones in float64. Of such as take no numbers the proof decides."""
    drawn = np.random.default_rng(0)
    narrow = np.concatenate([drawn.normal(size=(64, width)), drawn.random((64, width))]).astype(np.float32)
    wide = narrow.astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for function in functions:
                narrow, wide = _dense(function(narrow)), _dense(function(wide))
                if not np.array_equal(narrow, wide, equal_nan=True):
                    return False
        except ValueError:
            return True
    return True


def _dense(answer: Any) -> Any:
    return answer.toarray() if hasattr(answer, "toarray") else np.asarray(answer)


def total_in_float32(parts: list[Var]) -> Var:
    """The sum of float64 tensors that hold float32 numbers, as float32 adds them up."""
    return op.cast(total([op.cast(part, to=np.float32) for part in parts]), to=np.float64)


def mean_in_float32(parts: list[Var]) -> Var:
    """Their mean, as float32 adds them up and divides."""
    whole = total([op.cast(part, to=np.float32) for part in parts])
    return op.cast(op.div(whole, op.const(np.float32(len(parts)))), to=np.float64)
