"""FunctionTransformer: its function is called once, with an array that listens (``traced``), and what it does to it
becomes the graph; the proof then compares with what it does to numbers."""

from typing import Any

import numpy as np
from sklearn.preprocessing import FunctionTransformer

from ..errors import UnsupportedError
from . import lowers
from .matrix import Matrix
from .pandas_functions import listening
from .times import check_clock
from .traced import Traced, Untraceable
from .ufuncs import numeric

ADVICE = (
    "use NumPy's functions on whole columns, or make it a transformer class with a lowering of its own: "
    "from convert.extension import lowering; "
    '@lowering(MyTransformer, method="transform") def my_transformer(step, x): return x.new(op.sqrt(x.tensor))'
)


@lowers(FunctionTransformer, method="transform")
def function_transformer(transformer: FunctionTransformer, x: Matrix) -> Any:
    """The function's answer as a matrix; a tensor [N] where it is one-dimensional."""
    if transformer.func in (None, np.float64):  # a Matrix holds float64
        return x
    name = getattr(transformer.func, "__name__", repr(transformer.func))
    named = not transformer.validate and hasattr(transformer, "feature_names_in_")
    given = Traced(x, x, names=transformer.feature_names_in_ if named else None)
    try:
        check_clock(transformer.func)
        with listening():
            found = transformer.func(given, **(transformer.kw_args or {}))
        if not isinstance(found, Traced):
            raise Untraceable(f"it answers {type(found).__name__}")  # noqa: TRY301 (one place words it)
    except UnsupportedError:
        raise
    except Exception as error:  # a function of anybody's
        said = str(error) if isinstance(error, Untraceable) else f"{type(error).__name__}: {error}"
        raise UnsupportedError(f"expected a function that can be traced, found {name}: {said}; {ADVICE}") from error
    if found.flat:
        return numeric(found.tensor)
    # A frame that was only cut and joined still holds its categories.
    return found.matrix
