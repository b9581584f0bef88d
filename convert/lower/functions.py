"""FunctionTransformer: its function is called once, with an array that listens (``traced``), and what it does to it
becomes the graph; the proof then compares with what it does to numbers."""

from typing import Any

import numpy as np
from sklearn.preprocessing import FunctionTransformer

from ..errors import UnsupportedError
from . import lowers
from .hooks import Untraceable, told
from .matrix import Categorical, Matrix, Number
from .meta import upright
from .rebound import traced
from .traced import Traced
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
    given = _given(transformer, x)
    try:
        found = _called(transformer.func, given, transformer.kw_args or {})
        if not isinstance(found, Traced):
            raise Untraceable(f"it answers {type(found).__name__}")  # noqa: TRY301 (one place words it)
        if any(isinstance(c, Categorical) and c.source in x.scope.written and c.date is None for c in x.columns):
            raise UnsupportedError("expected strings that the runtime reads as dates")  # noqa: TRY301 (``dates`` knows)
    except UnsupportedError:
        raise
    except Exception as error:  # a function of anybody's
        raise UnsupportedError(
            f"expected a function that can be traced, found {name}: {told(error)}; {ADVICE}"
        ) from error
    if found.flat and not found.of_words:
        answer = numeric(found.tensor)
        # One that was never fitted notes no width either; of numbers nothing takes a column that is no matrix.
        return x.new(upright(answer)) if given.flat and isinstance(x.columns[0], Number) else answer
    # What was only cut and joined still holds its categories, and a text alone is for a vectoriser.
    return found.matrix


def _called(function: Any, given: Traced, arguments: dict[str, Any]) -> Any:
    if isinstance(function, type) and issubclass(function, np.generic):
        return given.astype(function)
    return traced(function, given, **arguments)


def _given(transformer: FunctionTransformer, x: Matrix) -> Traced:
    """What the function was given in training: a frame, an array, or, of the request's own columns one of which
    scikit-learn notes no width, a column."""
    if transformer.validate or hasattr(transformer, "n_features_in_") or not _is_column(x):
        named = not transformer.validate and hasattr(transformer, "feature_names_in_")
        return Traced(x, x, names=transformer.feature_names_in_ if named else None)
    (column,) = x.columns
    return Traced(x, x, flat=True, names=[column.name if isinstance(column, Categorical) else None])


def _is_column(x: Matrix) -> bool:
    """Whether it may be what a ColumnTransformer gives for the name of a single column; no step gives that."""
    if x.width != 1:
        return False
    (column,) = x.columns
    return not isinstance(column, Number) or column.raw is not None
