"""A pipeline and a sample become the features of the manifest.

What a feature takes (a missing value, an unseen category, an infinite number, how large a one) is not guessed from
the steps: the pipeline is asked, with a row in which that is changed.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import joblib
import numpy as np
import pandas as pd
from msgspec.structs import replace as replace_feature
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from runtime.manifest import Feature

from .culprit import culprit
from .errors import SampleError, UnsupportedError
from .lower import lacking, offered
from .sample import between, column_of, dicts_of, frame_of, marker_of, objects_of, seen_in

__all__ = ["Signature", "reference", "sign"]

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


@dataclass(frozen=True)
class Signature:
    """What goes into a pipeline.

    features: in the order of its columns; the tables of categories are still empty.
    frame: the sample as the reference sees it: float64 numbers, booleans, and categories as they are.
    named: whether the pipeline was fitted with a DataFrame's names.
    framed: whether it is asked with a DataFrame (else with an ndarray).
    markers: by feature, what stands for a missing category in the sample: None or NaN.
    flat: whether the pipeline takes a row of texts, not a table.
    dicts: whether it takes dicts, in which a missing value has no key.
    boxed: whether an array of numbers alone is given as objects too, as it was fitted.
    """

    features: tuple[Feature, ...]
    frame: pd.DataFrame
    named: bool
    markers: tuple[Any, ...]
    framed: bool
    flat: bool = False
    dicts: bool = False
    boxed: bool = False

    def ask(self, pipeline: Any, method: str, frame: pd.DataFrame) -> Any:
        """The pipeline's own answer, as dense arrays of float64 (or labels); it raises what the pipeline raises."""
        with reference():
            answer = getattr(pipeline, method)(self.given(frame))
        return dense(answer)

    def marker(self, feature: Feature) -> Any:
        """What stands for a missing category in a feature."""
        return self.markers[[known.name for known in self.features].index(feature.name)]

    def given(self, frame: pd.DataFrame) -> Any:
        """Rows in the form that the pipeline was fitted with."""
        if self.framed:
            return frame if self.named else _typed(frame)
        if self.dicts:
            return dicts_of(frame)
        if self.flat:
            return frame.iloc[:, 0].to_numpy(object)
        if not self.boxed and not any(dtype.kind == "O" for dtype in frame.dtypes):  # what is dropped may hold text too
            # Rows one after the other and writable, as a caller's own array is; a frame gives neither.
            return np.array(frame.to_numpy(np.float64), order="C")
        return _typed(frame.astype(object)).to_numpy()


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """A column of labels that are numbers has their type, as a caller's own has; what stands beside others is a mixture
    and stays objects."""
    typed = frame.infer_objects() if frame.shape[1] == 1 else frame
    return typed if all(dtype.kind in "biuf" for dtype in typed.dtypes) else frame


@contextlib.contextmanager
def reference() -> Iterator[None]:
    """scikit-learn at one thread, where the order of its sums is fixed, and without its warnings."""
    with joblib.parallel_config(backend="sequential"), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def dense(answer: Any) -> Any:
    """Sparse and pandas answers as ndarrays."""
    if isinstance(answer, list):
        return [dense(part) for part in answer]
    if hasattr(answer, "toarray"):
        return answer.toarray()
    return answer.to_numpy() if hasattr(answer, "to_numpy") else np.asarray(answer)


def sign(pipeline: Any, sample: Any) -> Signature:
    """The signature of a fitted pipeline.

    sample: DataFrame, ndarray or list of dicts; rows it was trained on, or some of them.
    Raises SampleError where the sample does not fit, with the pipeline's own words where it refuses its sample.
    """
    _methods(pipeline)  # first, for what answers nothing may take no rows and columns either
    names = getattr(pipeline, "feature_names_in_", None)
    frame = frame_of(sample, names, getattr(pipeline, "n_features_in_", None))
    if not len(frame):
        raise SampleError("expected a sample of at least one row, found none: give rows the pipeline was trained on")
    columns = {name: column_of(frame[name], str(name)) for name in frame.columns}
    # Numbers in a column of objects are numbers to a scaler and categories to an encoder: the pipeline knows.
    objects = [
        name
        for name, (kind, values) in columns.items()
        if (kind == "number" and frame[name].dtype == object) or (kind == "boolean" and values.dtype != bool)
    ]
    asis = {name: ("category", objects_of(frame[name])) for name in objects}
    # Without names it may have been fitted on a frame or on an array.
    framed = isinstance(sample, pd.DataFrame) and not _refusal(pipeline, _signature(pipeline, columns | asis, True))
    signature = _signature(pipeline, columns, framed)
    if objects:
        numbers = _as_numbers(pipeline, _signature(pipeline, columns | asis, framed), signature.frame, objects)
        columns |= {name: column for name, column in asis.items() if name not in numbers}
        signature = _signature(pipeline, columns, framed)
    known_only = [] if _refusal(pipeline, signature) else _known_only(pipeline, signature)
    if known_only:
        columns |= {name: ("category", frame[name].astype(object)) for name in known_only}
        signature = _signature(pipeline, columns, framed)
    refusal = _refusal(pipeline, signature)
    if refusal is not None and names is None and getattr(pipeline, "n_features_in_", None) is None:
        dicts = replace(_signature(pipeline, columns, False), flat=False, dicts=True)
        refusal = _refusal(pipeline, dicts)
        signature = dicts if refusal is None else signature
    if refusal is not None and getattr(sample, "dtype", None) == np.dtype(object):
        signature = replace(signature, boxed=True)
    refusal = _refusal(pipeline, signature, rows=len(frame))
    if refusal is not None:
        path = culprit(pipeline, signature.given(signature.frame), _raises)
        reason = (str(refusal).splitlines() or [repr(refusal)])[0]
        raise SampleError(
            f"expected rows that the pipeline takes, found that {f'pipeline{path}' if path else 'it'} raises on the "
            f"sample: {reason}"
        ) from refusal
    signature = _same_markers(pipeline, signature)
    return replace(signature, features=_taken(pipeline, signature))


def _signature(pipeline: Any, columns: Mapping[Any, tuple[Any, pd.Series]], framed: bool) -> Signature:
    """The signature so far: nothing asked yet."""
    ignored = _ignored(pipeline)
    frame = pd.DataFrame({name: values for name, (_, values) in columns.items()})
    markers = {name: marker_of(values) for name, (kind, values) in columns.items() if kind == "category"}
    usual = next((marker for marker in markers.values() if marker is not ...), np.nan)
    chosen = [usual if (marker := markers.get(name, ...)) is ... else marker for name in columns]
    positions = iter(range(len(columns)))
    features = [
        Feature(
            name=str(name),
            kind="ignored" if place in ignored else kind,
            position=None if place in ignored else next(positions),
            seen=seen_in(values) if kind == "number" and place not in ignored else None,
        )
        for place, (name, (kind, values)) in enumerate(columns.items())
    ]
    named = getattr(pipeline, "feature_names_in_", None) is not None
    # What was fitted with a table knows how many columns it had; a vectoriser of texts does not.
    flat = not named and getattr(pipeline, "n_features_in_", None) is None
    flat = flat and len(columns) == 1 and {type(value) for value in frame.iloc[:, 0].dropna()} == {str}
    return Signature(tuple(features), frame, named, tuple(chosen), named or (framed and not flat), flat)


def _refusal(pipeline: Any, signature: Signature, rows: int = 1) -> Exception | None:
    """What the pipeline raises on the first rows of the sample."""
    try:
        signature.ask(pipeline, _methods(pipeline)[0], signature.frame.iloc[:rows])
    except Exception as error:  # a pipeline raises whatever its steps do
        return error
    return None


def _raises(step: Any, X: Any) -> bool:
    """Whether a step of a pipeline raises for what it is given."""
    try:
        with reference():
            getattr(step, "transform" if hasattr(step, "transform") else offered(step)[0])(X)
    except Exception:
        return True
    return False


def _as_numbers(pipeline: Any, asis: Signature, numbers: pd.DataFrame, names: Sequence[Any]) -> set[Any]:
    """The columns of objects that are numbers to the pipeline: it answers the same when they come as float64, by every
    method, for labels alone may be the same by chance."""
    few = asis.frame.iloc[:ASKED]

    def answers(frame: pd.DataFrame) -> list[Any]:
        found = []
        for index, method in enumerate(_methods(pipeline)):
            try:
                found.append(asis.ask(pipeline, method, frame))
            except Exception:  # a pipeline raises whatever its steps do; a method may be without an answer
                if not index:
                    raise
        return found

    try:
        expected = answers(few)
    except Exception:
        return set(names)

    def same(chosen: Sequence[Any]) -> bool:
        try:
            return _equal(answers(_with(few, numbers, chosen)), expected)
        except Exception:
            return False

    return _search(names, same)


def _with(frame: pd.DataFrame, other: pd.DataFrame, names: Sequence[Any]) -> pd.DataFrame:
    """A frame with some of another's columns in place of its own."""
    frame = frame.copy()
    for name in names:
        frame[name] = other[name]
    return frame


def _known_only(pipeline: Any, signature: Signature) -> list[Any]:
    """The columns of numbers in which the pipeline takes none that it has not seen: they hold categories."""
    names = {
        feature.name: column
        for feature, column in zip(signature.features, signature.frame.columns, strict=True)
        if feature.kind == "number" and feature.seen
    }
    other = {name: between(signature.frame[column]) for name, column in names.items()}

    def takes(chosen: Sequence[str]) -> bool:
        row = signature.frame.iloc[[0]].copy()
        for name in chosen:
            row[names[name]] = other[name]
        return _refusal(pipeline, replace(signature, frame=row)) is None

    taken = _search(list(names), takes)
    return [column for name, column in names.items() if name not in taken]


def _methods(pipeline: Any) -> tuple[str, ...]:
    methods = offered(pipeline)
    if not methods:
        for reason in lacking(pipeline).values():
            raise UnsupportedError(reason)
        raise SampleError(f"expected a pipeline that predicts or transforms, found {type(pipeline).__name__}")
    return methods


def _same_markers(pipeline: Any, signature: Signature) -> Signature:
    """The same with one marker a column: JSON has but null.

    Raises SampleError where the pipeline answers None and NaN differently.
    """
    frame = signature.frame.copy()
    for feature, name, marker in zip(signature.features, frame.columns, signature.markers, strict=True):
        values = frame[name]
        gaps = values.isna() if feature.kind == "category" else pd.Series(False, index=frame.index)
        other = gaps & pd.Series([(value is None) != (marker is None) for value in values], index=frame.index)
        if not other.any():
            continue
        frame[name] = values.astype(object).where(~other, marker)
        rows = other[other].index[:100]
        for method in _methods(pipeline):
            given = [signature.ask(pipeline, method, part.loc[rows]) for part in (signature.frame, frame)]
            if not _equal(*given):
                raise SampleError(
                    f"expected one kind of missing value in column {str(name)!r}, found None and NaN, which the "
                    "pipeline tells apart: train it with one of them"
                )
    return replace(signature, frame=frame)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(((one == other) | ((one != one) & (other != other))).all())


def _ignored(pipeline: Any) -> set[int]:
    """The places of columns that a leading ColumnTransformer drops."""
    while isinstance(pipeline, Pipeline) and len(pipeline.steps):
        pipeline = pipeline.steps[0][1]
    if not isinstance(pipeline, ColumnTransformer):
        return set()
    chosen = pipeline._transformer_to_input_indices
    read = {int(i) for name, step, _ in pipeline.transformers_ if step != "drop" for i in chosen[name]}
    return set(range(pipeline.n_features_in_)) - read


def _taken(pipeline: Any, signature: Signature) -> tuple[Feature, ...]:
    """The features with what the pipeline takes in each."""
    methods = _methods(pipeline)

    def takes(frame: pd.DataFrame) -> bool:
        try:
            signature.ask(pipeline, methods[0], frame)
        except (ValueError, TypeError, LookupError, OverflowError, AttributeError):
            return False  # an AttributeError: of None there are no small letters
        return True

    base = signature.frame.iloc[[0]]
    live = [feature for feature in signature.features if feature.kind != "ignored"]

    def accepted(kinds: Sequence[str], value: Callable[[Feature], Any]) -> set[str]:
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

        return _search(names, changed)

    numbers = ("number",)
    missing = accepted(
        ("number", "category", "boolean"), lambda f: signature.marker(f) if f.kind == "category" else np.nan
    )
    unknown = accepted(("category",), lambda f: UNSEEN)
    if not _same_beside(pipeline, signature, methods[0], unknown):
        unknown = set()
    wide = accepted(numbers, lambda f: LARGEST) & accepted(numbers, lambda f: -LARGEST)
    infinite = wide & accepted(numbers, lambda f: np.inf) & accepted(numbers, lambda f: -np.inf)
    narrow = {feature.name for feature in live if feature.kind == "number"} - wide
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    tried = [dict.fromkeys(narrow, limit) for limit in LIMITS]
    largest = {feature.name: max(map(abs, feature.seen or (0.0,))) for feature in live if feature.name in narrow}
    tried += [{name: seen * times for name, seen in largest.items()} for times in FURTHER]
    for limits in tried if narrow else ():
        for bounds, sign_ in ((high, 1.0), (low, -1.0)):
            values = {name: limit * sign_ for name, limit in limits.items() if name not in bounds}
            taken = accepted(numbers, partial(_cell, values, signature))
            bounds.update({name: value for name, value in values.items() if name in taken})
    zeros = dict.fromkeys(narrow - low.keys(), 0.0)
    taken = accepted(numbers, partial(_cell, zeros, signature))
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


def _search(names: Sequence[str], takes: Callable[[Sequence[str]], bool]) -> set[str]:
    """The names that are taken: of a group that is not, one by one where it is small, else by halves."""
    if not names or takes(names):
        return set(names)
    if len(names) <= FEW:
        return {name for name in names if len(names) > 1 and takes([name])}
    middle = len(names) // 2
    return _search(names[:middle], takes) | _search(names[middle:], takes)


def kind_of(pipeline: Any) -> Any:
    """The manifest's kind."""
    if is_classifier(pipeline):
        return "classifier"
    if is_regressor(pipeline):
        return "regressor"
    return "other" if hasattr(pipeline, "predict") else "transformer"
