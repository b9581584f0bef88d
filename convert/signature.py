"""A pipeline and a sample become the features of the manifest.

What a feature takes (a missing value, an unseen category, an infinite number, how large a one) is not guessed from
the steps: the pipeline is asked, with a row in which that is changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from msgspec.structs import replace as replace_feature
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from runtime.dates import name_of
from runtime.drift import RANGED
from runtime.manifest import Feature
from runtime.written import STEPS

from .accepted import ASKED, accepted
from .changed import taken_in
from .errors import SampleError
from .markers import check_na, same_markers
from .members import reads_cells
from .reference import Signature, answer_to, equal, methods_of
from .rejected import check_taken, refusal_of
from .sample import (
    beside,
    between,
    column_of,
    frame_of,
    listed,
    marker_of,
    objects_of,
    seen_in,
    texts_of,
    unit_of,
    without_zone,
    zone_of,
)
from .search import search

__all__ = ["kind_of", "sign"]


def sign(pipeline: Any, sample: Any) -> Signature:
    """The signature of a fitted pipeline.

    sample: DataFrame, ndarray or list of dicts; rows it was trained on, or some of them.
    Raises SampleError where the sample does not fit, with the pipeline's own words where it refuses its sample.
    """
    methods_of(pipeline)  # first, for what answers nothing may take no rows and columns either
    sample = listed(sample)
    if reads_cells(pipeline) and texts_of(sample) is not None:
        raise SampleError(
            "expected rows of cells, found strings, of which scikit-learn would read each character: give an array of "
            "rows and columns, or a list of rows"
        )
    names = getattr(pipeline, "feature_names_in_", None)
    frame = frame_of(sample, names, getattr(pipeline, "n_features_in_", None))
    if not len(frame):
        raise SampleError("expected a sample of at least one row, found none: give rows the pipeline was trained on")
    dropped = _ignored(pipeline)
    columns = {
        name: _column(frame[name], str(name), dropped=place in dropped) for place, name in enumerate(frame.columns)
    }
    of_objects = isinstance(sample, np.ndarray) and sample.dtype == object
    # Numbers in a column of objects are numbers to a scaler and categories to an encoder: the pipeline knows.
    objects = [
        name
        for name, (kind, values) in columns.items()
        if (kind == "number" and frame[name].dtype == object) or (kind == "boolean" and values.dtype != bool)
    ]
    asis = {name: ("category", objects_of(frame[name])) for name in objects}
    # Without names it may have been fitted on a frame or on an array.
    framed = isinstance(sample, pd.DataFrame) and not reads_cells(pipeline)
    if framed:
        # Among objects booleans with gaps may be what a function of numbers does not take, and numbers what an encoder
        # does not.
        plain = {name: column for name, column in asis.items() if columns[name][0] == "number"}
        ways = (way for way in (asis, plain, {}) if not refusal_of(pipeline, _signature(pipeline, columns | way, True)))
        way = next(ways, None)
        framed = way is not None
        if way:
            objects, asis = list(way), way
    signature = _signature(pipeline, columns, framed)
    if objects:
        objected = _signature(pipeline, columns | asis, framed)
        numbers = _as_numbers(pipeline, objected, signature.frame, objects)
        if of_objects:  # an encoder of it may know only objects
            rest = [name for name in objects if name not in numbers]
            numbers |= _as_numbers(pipeline, replace(objected, boxed=True), signature.frame, rest)
        columns |= {name: column for name, column in asis.items() if name not in numbers}
        signature = _signature(pipeline, columns, framed)
    signature = _with_categories(pipeline, columns, signature, frame)
    if of_objects and refusal_of(pipeline, signature):
        signature = replace(signature, boxed=True)
    known_only = [] if signature.categories or refusal_of(pipeline, signature) else _known_only(pipeline, signature)
    if known_only:
        columns |= {name: ("category", frame[name].astype(object)) for name in known_only}
        signature = replace(_signature(pipeline, columns, framed), boxed=signature.boxed)
    refusal = refusal_of(pipeline, signature)
    if refusal is not None and names is None and getattr(pipeline, "n_features_in_", None) is None:
        dicts = replace(_signature(pipeline, columns, False), flat=False, dicts=True)
        refusal = refusal_of(pipeline, dicts)
        signature = dicts if refusal is None else signature
    signature = _in_unit_of(signature, sample)
    _check_times(pipeline, signature, frame, sample)
    check_taken(pipeline, signature, sample)
    signature = same_markers(pipeline, signature)
    check_na(pipeline, signature, frame)
    return replace(signature, features=accepted(pipeline, signature))


def _column(values: pd.Series, name: str, *, dropped: bool) -> tuple[Any, pd.Series]:
    """As ``column_of``; of what is dropped unread, dates and what else JSON does not know may be there too."""
    try:
        found = column_of(values, name)
    except SampleError:
        if not dropped:
            raise
        return "category", values.astype(str)
    return ("category", values.astype(str)) if dropped and found[0] == "date" else found


def _check_times(pipeline: Any, signature: Signature, frame: pd.DataFrame, sample: Any) -> None:
    """Raise SampleError where dates and times of Python's, pyarrow's or polars' are not to the pipeline what datetime64
    is."""
    dates = [name for name in frame.columns if signature.frame[name].dtype.kind == "M"]
    columns = [name for name in dates if not isinstance(frame[name].dtype, np.dtype | pd.DatetimeTZDtype)]
    columns += [name for name in dates if frame[name].dtype == object]
    few = signature.frame.iloc[:ASKED]
    if columns:
        given = signature.given(few)
        own: Any = _with(given, frame.iloc[:ASKED], columns) if isinstance(given, pd.DataFrame) else None
    elif dates and not isinstance(sample, pd.DataFrame) and hasattr(sample, "head"):
        own, columns = sample.head(ASKED), dates
    else:
        return
    for method in methods_of(pipeline):
        try:
            answer = answer_to(pipeline, method, lambda: own)
        except Exception:  # it takes datetime64 alone, or a method is without an answer
            return
        if refusal_of(pipeline, signature) or not equal(answer, signature.ask(pipeline, method, few)):
            raise SampleError(
                f"expected dates and times that the pipeline takes as pandas' datetime64, found others in column "
                f"{str(columns[0])!r}, of which it makes something else: train it on pd.to_datetime(column)"
            )


def _in_unit_of(signature: Signature, sample: Any) -> Signature:
    """The same; of an array of times in the array's own unit, for pandas counts no days."""
    if not isinstance(sample, np.ndarray) or sample.dtype.kind != "M":
        return signature
    unit = np.datetime_data(sample.dtype)[0]
    if unit not in STEPS:
        raise SampleError(f"expected times in {', '.join(STEPS)}, found datetime64[{unit}]: train it on one of these")
    return replace(signature, features=tuple(replace_feature(feature, unit=unit) for feature in signature.features))


def _signature(pipeline: Any, columns: Mapping[Any, tuple[Any, pd.Series]], framed: bool) -> Signature:
    """The signature so far: nothing asked yet."""
    ignored = _ignored(pipeline)
    zones = {name: zone for name, (_, values) in columns.items() if (zone := zone_of(values)) is not None}
    columns = {name: (kind, without_zone(values)) for name, (kind, values) in columns.items()}
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
            seen=seen_in(values) if kind in RANGED and place not in ignored else None,
            unit=unit_of(values) if kind == "date" and place not in ignored else None,
            zone=name_of(zones[name]) if name in zones and place not in ignored else None,
        )
        for place, (name, (kind, values)) in enumerate(columns.items())
    ]
    named = getattr(pipeline, "feature_names_in_", None) is not None
    # What was fitted with a table knows how many columns it had; a vectoriser of texts does not.
    flat = not named and getattr(pipeline, "n_features_in_", None) is None
    flat = flat and len(columns) == 1 and not reads_cells(pipeline)
    flat = flat and {type(value) for value in frame.iloc[:, 0].dropna()} == {str}
    framed = named or (framed and not flat)
    return Signature(tuple(features), frame, named, tuple(chosen), framed, flat, zones=zones)


def _with_categories(
    pipeline: Any, columns: Mapping[Any, tuple[Any, pd.Series]], signature: Signature, frame: pd.DataFrame
) -> Signature:
    """The same, or one that gives pandas' categories as such, where the pipeline answers otherwise without them:
    boosting libraries know a category by its place among them."""
    categories = {
        name: frame[name].cat.categories
        for name in frame.columns
        if isinstance(frame[name].dtype, pd.CategoricalDtype) and signature.framed
    }
    if not categories:
        return signature
    plain = {name: ("category", objects_of(frame[name])) for name in categories}
    kept = replace(_signature(pipeline, {**columns, **plain}, True), categories=categories)
    if refusal_of(pipeline, kept):
        return signature
    few = slice(0, ASKED)
    for method in methods_of(pipeline):
        expected = kept.ask(pipeline, method, kept.frame.iloc[few])
        try:
            if not equal(signature.ask(pipeline, method, signature.frame.iloc[few]), expected):
                return kept
        except Exception:  # a pipeline raises whatever its steps do
            return kept
    return signature


def _as_numbers(pipeline: Any, asis: Signature, numbers: pd.DataFrame, names: Sequence[Any]) -> set[Any]:
    """The columns of objects that are numbers to the pipeline: it answers the same when they come as float64, by every
    method, for labels alone may be the same by chance."""
    few = asis.frame.iloc[:ASKED]

    def answers(frame: pd.DataFrame) -> list[Any]:
        found = []
        for index, method in enumerate(methods_of(pipeline)):
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
            return equal(answers(_with(few, numbers, chosen)), expected)
        except Exception:
            return False

    return set(search(names, same))


def _with(frame: pd.DataFrame, other: pd.DataFrame, names: Sequence[Any]) -> pd.DataFrame:
    """A frame with some of another's columns in place of its own."""
    frame = frame.copy()
    for name in names:
        frame[name] = other[name]
    return frame


def _known_only(pipeline: Any, signature: Signature) -> list[Any]:
    """The columns of numbers in which the pipeline takes none that it has not seen: they hold categories."""
    names = {
        feature.name: signature.columns[feature.name]
        for feature in signature.features
        if feature.kind == "number" and feature.seen
    }
    taken = taken_in(pipeline, signature, {name: between(signature.frame[column]) for name, column in names.items()})
    # A search within a radius may find nobody there, but does next to a row that it knows.
    rest = {name: column for name, column in names.items() if name not in taken}
    taken |= taken_in(pipeline, signature, {name: beside(signature.frame[column]) for name, column in rest.items()})
    return [column for name, column in names.items() if name not in taken]


def _ignored(pipeline: Any) -> set[int]:
    """The places of columns that a leading ColumnTransformer drops."""
    while isinstance(pipeline, Pipeline) and len(pipeline.steps):
        pipeline = pipeline.steps[0][1]
    if not isinstance(pipeline, ColumnTransformer):
        return set()
    chosen = pipeline._transformer_to_input_indices
    read = {int(i) for name, step, _ in pipeline.transformers_ if step != "drop" for i in chosen[name]}
    return set(range(pipeline.n_features_in_)) - read


def kind_of(pipeline: Any) -> Any:
    """The manifest's kind."""
    if is_classifier(pipeline):
        return "classifier"
    if is_regressor(pipeline):
        return "regressor"
    return "other" if hasattr(pipeline, "predict") else "transformer"
