"""What a pipeline takes in each of its features, found by asking it with a row in which that is changed."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from msgspec.structs import replace as replace_feature

from runtime.dates import span
from runtime.manifest import Feature

from .changed import taken_in
from .dates import ends
from .fold import number_of, order_of
from .lower.tables import UNSEEN
from .reference import RAISED, Signature, methods_of

__all__ = ["ASKED", "accepted"]

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

NEXT_TO_ZERO = (5e-324, 1e-300, 1e-100, 1e-30, 1e-15, 1e-9, 1e-6, 1e-3, 0.1, 0.5)
"""Times the smallest that was seen, where a pipeline takes positive numbers alone, as a logarithm does."""


def accepted(pipeline: Any, signature: Signature) -> tuple[Feature, ...]:
    """The features with what the pipeline takes in each."""
    live = [feature for feature in signature.features if feature.kind != "ignored"]
    numbers = [feature.name for feature in live if feature.kind == "number"]
    categories = [feature.name for feature in live if feature.kind == "category"]
    ask = partial(taken_in, pipeline, signature)

    missing = ask({feature.name: signature.marker(feature) for feature in live})
    unknown = ask(dict.fromkeys(categories, UNSEEN))
    dates = {f.name: (f, signature.frame[signature.columns[f.name]]) for f in live if f.kind == "date"}
    if not _same_beside(pipeline, signature, methods_of(pipeline)[0], unknown):
        unknown = set()
    wide = _of_both_signs(ask, numbers, LARGEST)
    infinite = _of_both_signs(ask, [name for name in numbers if name in wide], np.inf)
    narrow = {feature.name: feature.seen or (0.0, 0.0) for feature in live if feature.name in set(numbers) - wide}
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    tried = [dict.fromkeys(narrow, limit) for limit in LIMITS]
    tried += [{name: max(map(abs, seen)) * times for name, seen in narrow.items()} for times in FURTHER]
    for limits in tried:
        for bounds, sign_ in ((high, 1.0), (low, -1.0)):
            values = {name: limit * sign_ for name, limit in limits.items() if name not in bounds}
            bounds.update({name: values[name] for name in ask(values)})
    low.update(dict.fromkeys(ask({name: 0.0 for name in narrow if name not in low}), 0.0))
    for part in NEXT_TO_ZERO:
        values = {name: max(seen[0] * part, 5e-324) for name, seen in narrow.items() if name not in low and seen[0] > 0}
        low.update({name: values[name] for name in ask(values)})
    for bounds, sign_, side in ((high, 1.0, 1), (low, -1.0, 0)):
        edges = {
            name: (bounds.get(name, seen[side]), max(map(abs, seen)) * sign_ * FURTHER[-1])
            for name, seen in narrow.items()
            if bounds.get(name, 0.0) == 0.0 and any(seen)
        }
        bounds.update(_edges(ask, edges))

    times = ends(ask, dates)

    def bounds_of(feature: Feature) -> dict[str, Any]:
        if feature.kind == "date":
            return {} if times[feature.name] == span(feature) else {"range": times[feature.name]}
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


def _edges(
    ask: Callable[[Mapping[str, float]], set[str]], between: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """The last number that each feature takes, on the way from one that it takes to one that it does not: a root's or
    an arcsine's domain ends somewhere, and so does a spline's range. By bisection over the bits of float64."""
    inside = {name: _place(taken) for name, (taken, _) in between.items()}
    outside = {name: _place(refused) for name, (_, refused) in between.items()}
    while open_ := [name for name in between if abs(outside[name] - inside[name]) > 1]:
        middle = {name: (inside[name] + outside[name]) // 2 for name in open_}
        good = ask({name: _number(place) for name, place in middle.items()})
        for name, place in middle.items():
            (inside if name in good else outside)[name] = place
    return {name: _number(place) for name, place in inside.items()}


def _place(number: float) -> int:
    return int(order_of(np.array([number]))[0])


def _number(place: int) -> float:
    return float(number_of(np.array([place]))[0]) + 0.0  # zero has no sign here


def _of_both_signs(ask: Callable[[Mapping[str, float]], set[str]], names: Sequence[str], number: float) -> set[str]:
    """The features that take a number and its opposite."""
    positive = ask(dict.fromkeys(names, number))
    return ask({name: -number for name in names if name in positive})


def _same_beside(pipeline: Any, signature: Signature, method: str, unknown: set[str]) -> bool:
    """Whether rows have their answers beside one of unseen categories too: a LabelBinarizer of two classes answers
    one column, but two as soon as it sees a third label."""
    if not unknown:
        return True
    frame = signature.frame.iloc[: _affordable(signature.ask(pipeline, method, signature.frame.iloc[:1]))]
    odd = frame.iloc[[0]].copy()
    for name in unknown:
        odd[signature.columns[name]] = pd.Series([UNSEEN], dtype=object, index=odd.index)
    try:
        both = signature.ask(pipeline, method, pd.concat([frame, odd], ignore_index=True))
    except RAISED:
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
