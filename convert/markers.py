"""What stands for a missing category: None and NaN are two things to a pipeline, and null is one in JSON."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from .errors import SampleError
from .reference import Signature, answer_to, equal, methods_of

__all__ = ["check_na", "same_markers"]

ASKED = 100
"""Rows at most in which a value is missing, of a column."""


def same_markers(pipeline: Any, signature: Signature) -> Signature:
    """The same with one marker a column: JSON has but null.

    Raises SampleError where the pipeline answers None and NaN differently.
    """
    frame = signature.frame.copy()
    for feature, name, marker in zip(signature.features, frame.columns, signature.markers, strict=True):
        values = frame[name]
        gaps = values.isna()
        if feature.kind != "category" or not gaps.any():
            continue
        other = gaps & pd.Series([(value is None) != (marker is None) for value in values], index=frame.index)
        if not other.any():
            continue
        frame[name] = values.astype(object).where(~other, marker)
        rows = other[other].index[:ASKED]
        for method in methods_of(pipeline):
            given = [signature.ask(pipeline, method, part.loc[rows]) for part in (signature.frame, frame)]
            if not equal(*given):
                raise SampleError(
                    f"expected one kind of missing value in column {str(name)!r}, found None and NaN, which the "
                    "pipeline tells apart: train it with one of them"
                )
    return replace(signature, frame=frame)


def check_na(pipeline: Any, signature: Signature, sample: pd.DataFrame) -> None:
    """Raise SampleError where pandas.NA is not to the pipeline what stands for it here: pandas 2 makes "<NA>" of it by
    ``astype(str)``, and "nan" of NaN.

    sample: as it was given, in types of its own.
    """
    for feature, name in zip(signature.features, sample.columns, strict=True):
        if feature.kind not in ("category", "text"):
            continue
        rows = np.flatnonzero([value is pd.NA for value in sample[name]])[:ASKED]
        given: Any = signature.given(signature.frame.iloc[rows]) if len(rows) else None
        if not isinstance(given, pd.DataFrame):
            continue
        own = given.copy()
        own[name] = pd.Series(sample[name].array[rows], index=own.index)
        for method in methods_of(pipeline):
            answer = _answer(pipeline, method, own)
            if answer is not None and not equal(answer, signature.ask(pipeline, method, signature.frame.iloc[rows])):
                raise SampleError(
                    f"expected None or NaN where a value is missing in column {str(name)!r}, found pandas.NA, of which "
                    "the pipeline makes something else: train it on column.astype(object).where(column.notna(), None)"
                )


def _answer(pipeline: Any, method: str, given: pd.DataFrame) -> Any:
    """None where the pipeline raises."""
    try:
        return answer_to(pipeline, method, lambda: given)
    except Exception:  # a pipeline raises whatever its steps do
        return None
