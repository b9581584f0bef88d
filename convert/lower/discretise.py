"""KBinsDiscretizer: a number becomes the place of its bin."""

from functools import partial
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.preprocessing import KBinsDiscretizer

from . import lowers
from .ensemble import FLOAT32
from .matrix import Lookup, Matrix, Monotone, Raw
from .places import places

Floats = NDArray[np.float64]


@lowers(KBinsDiscretizer, method="transform")
def k_bins(discretizer: KBinsDiscretizer, x: Matrix) -> Matrix:
    """The bins of each column, or a column for each bin."""
    edges = [np.asarray(own, np.float64)[1:-1] for own in discretizer.bin_edges_]
    cast = FLOAT32 if discretizer.dtype is np.float32 else None
    found = op.cast(places(x, edges, ["right"] * x.width, cast), to=np.float64)
    steps = [partial(_bins, own, cast) for own in edges]
    if discretizer.encode == "ordinal":
        return x.map(found, [Monotone(step) for step in steps])
    widths = [int(count) for count in discretizer.n_bins_]
    spread = op.gather(found, op.const(np.repeat(np.arange(x.width), widths)), axis=1)
    bins = np.concatenate([np.arange(float(width)) for width in widths])
    lit = op.cast(op.equal(spread, op.const(bins)), to=np.float64)
    origins = [
        _origin(column.origin, step, place, width)
        for column, step, width in zip(x.numbers(), steps, widths, strict=True)
        for place in range(width)
    ]
    return x.new(lit, origins)


def _bins(edges: Floats, cast: Monotone | None, values: Floats) -> Floats:
    seen: Any = values if cast is None else cast.apply(values)
    return np.asarray(np.searchsorted(edges, seen, side="right"), np.float64)


def _origin(origin: Raw | Lookup | None, step: Any, place: int, width: int) -> Raw | Lookup | None:
    """The lowest bin's column falls and the highest one's rises; those between turn back."""
    if origin is None or (place not in (0, width - 1) and isinstance(origin, Raw)):
        return None
    lit = Monotone(lambda values: (step(values) == place).astype(np.float64), rising=place > 0)
    return origin.then(lit)
