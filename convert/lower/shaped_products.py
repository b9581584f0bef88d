"""NumPy's products, on arrays of any rank (``shaped``): by matrices, whose rounding the proof allows for."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op

from .hooks import ROWS, Untraceable
from .shaped import Shaped, lifted, shaped, without
from .ufuncs import numeric


@shaped(np.dot, np.vdot)
def dot(a: Any, b: Any) -> Any:
    """Also ``a @ b``, which is otherwise only of more than two dimensions."""
    model = a if isinstance(a, Shaped) else b
    a, b = lifted(a, model), lifted(b, model)
    if not a.ndim or not b.ndim:
        return a * b
    if max(a.ndim, b.ndim) > 2:
        raise Untraceable("it multiplies arrays of three dimensions")
    if a.shape[-1] is ROWS or b.shape[-2 if b.ndim == 2 else -1] is ROWS:
        raise Untraceable("it adds up the request's rows")
    if a.shape[-1] != b.shape[-2 if b.ndim == 2 else -1]:
        raise Untraceable(f"it multiplies arrays that do not fit: {a.shape[-1]} numbers beside those of {b.shape}")
    if model.hidden == 2 and a.ndim == b.ndim == 1:
        crossed = _crossed(a, b)
        if crossed is not None:
            return crossed
    left = numeric(a.tensor if a.ndim == 2 else op.unsqueeze(a.tensor, op.const([a.hidden])))
    right = numeric(b.tensor if b.ndim == 2 else op.unsqueeze(b.tensor, op.const([b.hidden + 1])))
    found = model.like(op.matmul(left, right), (*([1] if a.ndim == 1 else a.shape[:1]), *(b.shape[1:] or [1])))
    return without(found, [place for place, one in enumerate((a, b)) if one.ndim == 1])


def _crossed(a: Shaped, b: Shaped) -> Shaped | None:
    """All pairs of one side's rows and the other's in a single product of matrices, where each depends on one side."""

    def alone(x: Shaped, side: int) -> bool:
        return bool((x.tensor.unwrap_tensor().shape or ())[side] == 1)

    if not (alone(a, 1) and alone(b, 0)):
        return _crossed(b, a) if alone(b, 1) and alone(a, 0) and not alone(b, 0) else None
    rows = op.squeeze(numeric(a.tensor), op.const([1]))
    points = op.squeeze(numeric(b.tensor), op.const([0]))
    return a.like(op.matmul(rows, op.transpose(points, perm=[1, 0])), ())


@shaped(np.inner)
def inner(a: Any, b: Any) -> Any:
    return dot(a, b.T if np.ndim(b) == 2 else b)


@shaped(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    return a.reshape(-1)[:, None] * b.reshape(-1)[None]


@shaped(np.einsum)
def einsum(subscripts: Any, *operands: Any, optimize: Any = None) -> Shaped:
    if not isinstance(subscripts, str) or "->" not in subscripts or "." in subscripts:
        raise Untraceable("it calls numpy.einsum without '->', or with dots")
    before, _, after = subscripts.replace(" ", "").partition("->")
    model = next(one for one in operands if isinstance(one, Shaped))
    given = [lifted(one, model) for one in operands]
    extents: dict[str, Any] = {}
    for term, one in zip(before.split(","), given, strict=True):
        for letter, extent in zip(term, one.shape, strict=True):
            if extents.setdefault(letter, extent) is not extent and (
                extent is ROWS or extents[letter] is ROWS or extents[letter] != extent
            ):
                raise Untraceable(f"it calls numpy.einsum with arrays that do not fit along {letter!r}")
    if any(extent is ROWS and letter not in after for letter, extent in extents.items()):
        raise Untraceable("it adds up the request's rows")
    pairs = "..." if model.hidden else ""
    equation = ",".join(pairs + term for term in before.split(",")) + "->" + pairs + after
    tensor = op.einsum([numeric(one.tensor) for one in given], equation=equation)
    return model.like(tensor, tuple(extents[letter] for letter in after))
