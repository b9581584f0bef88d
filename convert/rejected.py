"""A sample that its pipeline does not take: which step raises, and what to do, in a sentence."""

from typing import Any

import numpy as np
import pandas as pd

from .culprit import culprit
from .errors import SampleError
from .lower import offered
from .reference import Signature, methods_of, reference

__all__ = ["check_taken", "refusal_of"]


def refusal_of(pipeline: Any, signature: Signature, rows: int = 1) -> Exception | None:
    """What the pipeline raises on the first rows of the sample."""
    try:
        signature.ask(pipeline, methods_of(pipeline)[0], signature.frame.iloc[:rows])
    except Exception as error:  # a pipeline raises whatever its steps do
        return error
    return None


def check_taken(pipeline: Any, signature: Signature, sample: Any) -> None:
    """Raise SampleError where the pipeline raises on the sample, or on its first row alone.

    sample: as it was given, in types of its own.
    """
    rows = len(signature.frame)
    refusal = refusal_of(pipeline, signature, rows)
    if refusal is not None and _takes(pipeline, sample):
        raise SampleError(
            "expected a pipeline that takes float64, which is what JSON and pandas carry, found that "
            f"{_who(pipeline, signature, rows)} raises on the sample in it: {_first_line(refusal)}: fit it on float64"
        ) from refusal
    if refusal is not None:
        raise SampleError(
            f"expected rows that the pipeline takes, found that {_who(pipeline, signature, rows)} raises on the "
            f"sample: {_first_line(refusal)}: give rows it was trained on, of the same types, which .parquet keeps and "
            ".csv does not"
        ) from refusal
    alone = refusal_of(pipeline, signature)
    if alone is not None:
        raise SampleError(
            f"expected a pipeline that takes one row as it does many, found that {_who(pipeline, signature, 1)} raises "
            f"on the sample's first row alone: {_first_line(alone)}: what makes something else of a single row has no "
            "answer to it; use OneHotEncoder in place of pandas.get_dummies, numpy.ravel in place of squeeze"
        ) from alone


def _takes(pipeline: Any, sample: Any) -> bool:
    """Whether the pipeline takes a sample of numbers as it was given, of which some are no float64s."""
    if not isinstance(sample, pd.DataFrame | np.ndarray):
        return False
    dtypes = list(sample.dtypes) if isinstance(sample, pd.DataFrame) else [sample.dtype]
    numbers = all(isinstance(dtype, np.dtype) and dtype.kind in "fiu" for dtype in dtypes)
    return numbers and set(dtypes) != {np.dtype(np.float64)} and not _raises(pipeline, sample)


def _who(pipeline: Any, signature: Signature, rows: int) -> str:
    """The step that raises on the first rows of the sample, by its path."""
    path = culprit(pipeline, signature.given(signature.frame.iloc[:rows]), _raises)
    return f"pipeline{path}" if path else "it"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [repr(error)])[0].rstrip(".:")


def _raises(step: Any, X: Any) -> bool:
    """Whether a step of a pipeline raises for what it is given."""
    try:
        with reference():
            getattr(step, "transform" if hasattr(step, "transform") else offered(step)[0])(X)
    except Exception:
        return True
    return False
