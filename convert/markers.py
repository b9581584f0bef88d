"""What stands for a missing category: None and NaN are two things to a pipeline, and null is one in JSON."""

from dataclasses import replace
from typing import Any

import pandas as pd

from .errors import SampleError
from .reference import Signature, equal, methods_of

__all__ = ["same_markers"]


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
        rows = other[other].index[:100]
        for method in methods_of(pipeline):
            given = [signature.ask(pipeline, method, part.loc[rows]) for part in (signature.frame, frame)]
            if not equal(*given):
                raise SampleError(
                    f"expected one kind of missing value in column {str(name)!r}, found None and NaN, which the "
                    "pipeline tells apart: train it with one of them"
                )
    return replace(signature, frame=frame)
