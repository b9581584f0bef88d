"""Kernels, metrics and weights that are Python functions: called once with arrays that listen (``shaped``, ``traced``),
and what they do to them becomes the graph; the proof then compares with what they do to numbers."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from ..errors import UnsupportedError
from .distances import constant, in_blocks
from .hooks import ROWS, told
from .matrix import Matrix
from .rebound import traced
from .shaped import Shaped, alike
from .traced import Traced
from .ufuncs import numeric

__all__ = ["gram", "of_pairs", "of_same", "weights_of", "weights_of_each"]

Floats = NDArray[np.float64]
ADVICE = (
    "use NumPy's functions on whole arrays, or make it a class of estimators with a lowering of its own: "
    "from convert.extension import lowering; "
    '@lowering(MyEstimator, method="predict") def my_estimator(step, x): return op.sqrt(x.tensor)'
)


def _traced(what: str, function: Any, *given: Any, **parameters: Any) -> Any:
    try:
        return traced(function, *given, **parameters)
    except UnsupportedError:
        raise
    except Exception as error:  # a function of anybody's
        raise _refused(what, function, told(error)) from error


def _refused(what: str, function: Any, said: str) -> UnsupportedError:
    name = getattr(function, "__name__", repr(function))
    return UnsupportedError(f"expected a function as {what} that can be traced, found {name}: {said}; {ADVICE}")


def gram(kernel: Callable[..., Any], tensor: Var, points: Any, *, points_first: bool = False) -> Var:
    """What a function of two matrices makes of rows [N, k] and points [n, k]: [N, n].

    points_first: whether the function is given the points first, and answers [n, N].
    Raises UnsupportedError where it cannot be traced.
    """
    points = np.ascontiguousarray(points, np.float64).view()
    # What the function wrote into them it would write into the model's own.
    points.flags.writeable = False

    def made(block: Var) -> list[Var]:
        rows = Shaped(block, (ROWS, points.shape[1]), 0, given=True)
        found = _traced("kernel", kernel, *((points, rows) if points_first else (rows, points)))
        found = found.T if points_first and isinstance(found, Shaped) else found
        if not isinstance(found, Shaped) or not alike(found.shape, (ROWS, len(points))):
            due = "where a number of each pair of rows was due"
            raise _refused("kernel", kernel, f"it answers {_described(found)} {due}")
        return [op.reshape(numeric(found.tensor), op.const([-1, len(points)]))]

    return in_blocks(tensor, points.size, made)[0]


def of_pairs(
    function: Callable[..., Any], tensor: Var, points: Any, parameters: Mapping[str, Any], what: str, *, blocks: bool
) -> Var:
    """What a function of two rows makes of every pair of rows [N, k] and points [n, k]: [N, n].

    blocks: whether many rows are taken a block at a time; not where the caller does.
    Raises UnsupportedError where it cannot be traced.
    """
    points = np.ascontiguousarray(points, np.float64)
    count, width = points.shape

    def pairs(rows: Var) -> list[Var]:
        first = Shaped(op.unsqueeze(rows, op.const([1])), (width,), 2, given=True)
        second = Shaped(constant(points[np.newaxis]), (width,), 2, given=True)
        value = _number(what, function, _traced(what, function, first, second, **parameters))
        # What depends on one side alone is the same beside all of the other.
        shape = op.concat([op.shape(rows, start=0, end=1), op.const([count])], axis=0)
        return [op.reshape(op.expand(value, shape), op.const([-1, count]))]

    return in_blocks(tensor, points.size if blocks else 0, pairs)[0]


def of_same(function: Callable[..., Any], tensor: Var, width: int, parameters: Mapping[str, Any], what: str) -> Var:
    """What a function of two rows makes of a row and itself: [N, 1]."""
    rows = Shaped(tensor, (width,), 1, given=True)
    value = _number(what, function, _traced(what, function, rows, rows, **parameters))
    return op.reshape(value, op.const([-1, 1]))


def _number(what: str, function: Any, found: Any) -> Var:
    if not isinstance(found, Shaped) or found.of_rows or found.size != 1:
        raise _refused(what, function, f"it answers {_described(found)} where a number was due")
    return numeric(found.item().tensor)


def _described(found: Any) -> str:
    if not isinstance(found, Shaped | Traced):
        return type(found).__name__
    return f"an array of {len(found.shape)} dimensions" if found.ndim != 1 else "an array of one dimension"


def weights_of(function: Callable[..., Any], distances: Var, x: Matrix, k: int) -> Var:
    """What a function makes of distances to neighbours, [N, k] both.

    x: what the distances came of.
    Raises UnsupportedError where it cannot be traced.
    """
    given = x.new(op.reshape(distances, op.const([-1, k])))
    found = _traced("weights", function, Traced(given, given))
    if not isinstance(found, Traced) or found.ndim != 2 or found.width != k:
        raise _refused("weights", function, "it answers weights of an other shape than that of the distances")
    return numeric(found.tensor)


def weights_of_each(function: Callable[..., Any], distances: Var) -> Var:
    """What a function makes of rows of unlike numbers of distances, which NumPy holds as objects: each by itself,
    [N, n] both.

    Raises UnsupportedError where it cannot be traced.
    """
    return _number("weights", function, _traced("weights", function, Shaped(distances, (), 2, given=True)))
