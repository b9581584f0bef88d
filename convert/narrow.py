"""An encoder cut to one of its columns: that one costs the same to ask however many stand beside it."""

import copy
from typing import Any

import numpy as np
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

__all__ = ["ENCODERS", "narrowed"]

ENCODERS = (OneHotEncoder, OrdinalEncoder, TargetEncoder)
"""Those that go through their columns one by one, in Python."""

WHOLE = ("classes_", "target_mean_")
"""What is of the target, and may be as long as there are columns."""


def narrowed(encoder: Any, column: int) -> Any:
    """A copy that knows one column: of what has entries for each, those of this one.

    Nobody promises that it answers as the encoder does for that column: who uses it puts some of what it says to the
    encoder itself.
    """
    count = encoder.n_features_in_
    narrow = copy.copy(encoder)
    for name, value in vars(encoder).items():
        if name not in WHOLE:
            setattr(narrow, name, _own(value, column, count))
    narrow.n_features_in_ = 1
    return narrow


def _own(value: Any, column: int, count: int) -> Any:
    match value:
        case list() if value and len(value) % count == 0:  # several each, as of classes
            each = len(value) // count
            return value[column * each : (column + 1) * each]
        case np.ndarray() if value.ndim and len(value) == count:
            return value[column : column + 1]
        case dict() if value and all(isinstance(key, int) and key < count for key in value):
            return {0: value[column]} if column in value else {}
    return value
