"""What a pipeline takes in each of its features, found by asking it with a row in which that is changed."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from msgspec.structs import replace as replace_feature

from runtime.manifest import Feature

from .reference import Signature, methods_of

__all__ = ["ASKED", "UNSEEN", "accepted", "search"]

UNSEEN = "\0unseen"
FEW = 8
"""Columns of a group that are asked one by one."""
ASKED = 1000
"""Rows of the sample at most, where the pipeline is asked whether they have the same answers in two ways."""

CELLS = 2**24
"""Numbers of such answers at most."""

LARGEST = float(np.finfo(np.float64).max)
FLOAT32_MAX = float(np.finfo(np.float32).max)
LIMITS = (float(np.nextafter((2 - 2.0**-24) * 2.0**127, 0)), FLOAT32_MAX, 1e36, 1e30, 1e20, 1e15)
"""Magnitudes that are tried in turn where a pipeline refuses the largest float64: the largest that float32 rounds to a
finite number (trees see float32), then less where a scaler divides first."""

FURTHER = (1e12, 1e6, 1e3, 10.0, 2.0)
"""Then what was seen, so many times over: a scaler that divides by 1e-40 leaves none of the above."""


def accepted(pipeline: Any, signature: Signature) -> tuple[Feature, ...]:
    """The features with what the pipeline takes in each."""
    methods = methods_of(pipeline)

    def takes(frame: pd.DataFrame) -> bool:
        try:
            signature.ask(pipeline, methods[0], frame)
        except (ValueError, TypeError, LookupError, OverflowError, AttributeError, AssertionError):
            return False  # of None there are no small letters; XGBoost asserts what it expects of a category
        return True

    base = signature.frame.iloc[[0]]
    live = [feature for feature in signature.features if feature.kind != "ignored"]

    def taking(kinds: Sequence[str], value: Callable[[Feature], Any]) -> set[str]:
        names = [feature.name for feature in live if feature.kind in kinds]
        by_name = dict(zip((f.name for f in signature.features), signature.frame.columns, strict=True))

        def changed(chosen: Sequence[str]) -> bool:
            frame = base.copy()
            for feature in live:
                if feature.name in chosen:
                    cell = value(feature)
                    dtype = object if feature.kind == "category" or cell is None else np.float64
                    frame[by_name[feature.name]] = pd.Series([cell], dtype=dtype, index=frame.index)
            return takes(frame)

        return search(names, changed)

    numbers = ("number",)
    missing = taking(
        ("number", "category", "boolean"), lambda f: signature.marker(f) if f.kind == "category" else np.nan
    )
    unknown = taking(("category",), lambda f: UNSEEN)
    if not _same_beside(pipeline, signature, methods[0], unknown):
        unknown = set()
    wide = taking(numbers, lambda f: LARGEST) & taking(numbers, lambda f: -LARGEST)
    infinite = wide & taking(numbers, lambda f: np.inf) & taking(numbers, lambda f: -np.inf)
    narrow = {feature.name for feature in live if feature.kind == "number"} - wide
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    tried = [dict.fromkeys(narrow, limit) for limit in LIMITS]
    largest = {feature.name: max(map(abs, feature.seen or (0.0,))) for feature in live if feature.name in narrow}
    tried += [{name: seen * times for name, seen in largest.items()} for times in FURTHER]
    for limits in tried if narrow else ():
        for bounds, sign_ in ((high, 1.0), (low, -1.0)):
            values = {name: limit * sign_ for name, limit in limits.items() if name not in bounds}
            taken = taking(numbers, partial(_cell, values, signature))
            bounds.update({name: value for name, value in values.items() if name in taken})
    zeros = dict.fromkeys(narrow - low.keys(), 0.0)
    taken = taking(numbers, partial(_cell, zeros, signature))
    low.update({name: 0.0 for name in zeros if name in taken})

    def bounds_of(feature: Feature) -> dict[str, Any]:
        seen = feature.seen or (0.0, 0.0)
        # Zero is tried for what takes no negative number; what was seen is taken in any case.
        lowest = min(low.get(feature.name, seen[0]), seen[0])
        highest = max(high.get(feature.name, seen[1]), seen[1])
        if feature.name not in narrow:
            return {}
        return {"limit": highest} if lowest == -highest else {"range": (lowest, highest)}

    return tuple(
        replace_feature(
            feature,
            missing=feature.name in missing,
            infinite=feature.name in infinite,
            unknown=feature.name in unknown or feature.kind != "category",
            **bounds_of(feature),
        )
        for feature in signature.features
    )


def _same_beside(pipeline: Any, signature: Signature, method: str, unknown: set[str]) -> bool:
    """Whether rows have their answers beside one of unseen categories too: a LabelBinarizer of two classes answers
    one column, but two as soon as it sees a third label."""
    if not unknown:
        return True
    frame = signature.frame.iloc[: _affordable(signature.ask(pipeline, method, signature.frame.iloc[:1]))]
    odd = frame.iloc[[0]].copy()
    for feature, column in zip(signature.features, frame.columns, strict=True):
        if feature.name in unknown:
            odd[column] = pd.Series([UNSEEN], dtype=object, index=odd.index)
    try:
        both = signature.ask(pipeline, method, pd.concat([frame, odd], ignore_index=True))
    except (ValueError, TypeError, LookupError, OverflowError):
        return False
    alone = signature.ask(pipeline, method, frame)
    if isinstance(both, list) or both.dtype.kind not in "fiu":
        return True
    same_width = both.shape[1:] == alone.shape[1:]
    return same_width and np.allclose(both[: len(frame)], alone, equal_nan=True)


def _affordable(answer: Any) -> int:
    """How many rows to ask for, given one row's answer: of a vocabulary's width few."""
    width = 1 if isinstance(answer, list) or answer.ndim < 2 else answer.shape[1]
    return max(1, min(ASKED, CELLS // width))


def _cell(values: Mapping[str, float], signature: Signature, feature: Feature) -> Any:
    """The value for a feature that is asked, and for another what the sample's first row has."""
    if feature.name in values:
        return values[feature.name]
    return signature.frame.iloc[0, [f.name for f in signature.features].index(feature.name)]


def search(names: Sequence[str], takes: Callable[[Sequence[str]], bool]) -> set[str]:
    """The names that are taken: of a group that is not, one by one where it is small, else by halves."""
    if not names or takes(names):
        return set(names)
    if len(names) <= FEW:
        return {name for name in names if len(names) > 1 and takes([name])}
    middle = len(names) // 2
    return search(names[:middle], takes) | search(names[middle:], takes)
