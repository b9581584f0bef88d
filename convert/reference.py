"""A pipeline as the reference: asked with rows in the form that it was fitted with, in float64, at one thread."""

import contextlib
import functools
import numbers
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import partial
from typing import Any
from unittest.mock import patch

import joblib
import numpy as np
import pandas as pd
from sklearn.decomposition import MiniBatchNMF
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_non_negative
from threadpoolctl import ThreadpoolController

from runtime.manifest import STD, Feature

from .dates import as_strings
from .errors import SampleError, UnsupportedError
from .lower import lacking, offered
from .progress import Progress, unseen
from .sample import dicts_of

__all__ = ["RAISED", "Signature", "answer_to", "dense", "equal", "joined", "methods_of", "reference", "strictest"]

RAISED = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, NotImplementedError)
"""What a pipeline, or a function in it, raises for rows that it does not take."""

ROWS = 2**14
"""Rows that a pipeline is asked for at once: so many that what it does once for all does not count."""


@dataclass(frozen=True)
class Signature:
    """What goes into a pipeline.

    features: in the order of its columns; the tables of categories are still empty.
    frame: the sample as the reference sees it: float64 numbers, booleans, datetime64, and categories as they are.
    named: whether the pipeline was fitted with a DataFrame's names.
    framed: whether it is asked with a DataFrame (else with an ndarray).
    markers: by feature, what stands for a missing category in the sample: None or NaN.
    flat: whether the pipeline takes a row of texts, not a table.
    dicts: whether it takes dicts, in which a missing value has no key.
    boxed: whether an array of numbers alone is given as objects too, as it was fitted.
    categories: by column, pandas' categories of it, where the pipeline reads these rather than their values.
    std: whether the twin answers ``predict(X, return_std=True)`` too.
    zones: by column of times, the zone that the pipeline has them in; the frame has them in UTC, without it.
    """

    features: tuple[Feature, ...]
    frame: pd.DataFrame
    named: bool
    markers: tuple[Any, ...]
    framed: bool
    flat: bool = False
    dicts: bool = False
    boxed: bool = False
    categories: Mapping[Any, pd.Index] = field(default_factory=dict)
    std: bool = False
    zones: Mapping[Any, tzinfo] = field(default_factory=dict)

    def ask(self, pipeline: Any, method: str, frame: pd.DataFrame) -> Any:
        """The pipeline's own answer, as dense arrays of float64 (or labels); it raises what the pipeline raises."""
        return answer_to(pipeline, method, lambda: self.given(frame))

    def answers(
        self, pipeline: Any, methods: Sequence[str], frame: pd.DataFrame, progress: Progress = unseen
    ) -> dict[str, Any]:
        """By method what ``ask`` answers. Many rows are asked so many at a time, and what stands before the last step
        of a Pipeline transforms them once for all methods."""
        parts = []
        for start in range(0, len(frame), ROWS):
            progress("asked", start, len(frame))
            with reference():
                given = partial(self.given, frame.iloc[start : start + ROWS])
                parts.append([dense(answer) for answer in _answers(pipeline, methods, given)])
        progress("asked", len(frame), len(frame))
        return {method: joined(blocks) for method, blocks in zip(methods, zip(*parts, strict=True), strict=True)}

    def marker(self, feature: Feature) -> Any:
        """What stands for a missing value in a feature: of a category, None or NaN."""
        if feature.kind == "date":
            return np.datetime64("NaT", "us")
        return self._markers[feature.name] if feature.kind in ("category", "text") else np.nan

    @functools.cached_property
    def columns(self) -> dict[str, Any]:
        """By feature, what the frame calls its column."""
        return dict(zip((feature.name for feature in self.features), self.frame.columns, strict=True))

    @functools.cached_property
    def _markers(self) -> dict[str, Any]:
        return dict(zip((feature.name for feature in self.features), self.markers, strict=True))

    def given(self, frame: pd.DataFrame) -> Any:
        """Rows in the form that the pipeline was fitted with."""
        frame = self._as_fitted(frame)
        if self.framed:
            for name, known in self.categories.items():
                frame = frame.assign(**{name: _categorical(frame[name], known)})
            return frame if self.named else _typed(frame)
        if self.dicts:
            return dicts_of(frame)
        if self.flat:
            return frame.iloc[:, 0].to_numpy(object)
        if not self.boxed and len(frame.columns) and all(dtype.kind == "M" for dtype in frame.dtypes):
            return np.array(frame.to_numpy(), f"datetime64[{self.features[0].unit}]", order="C")
        if not self.boxed and not any(dtype.kind == "O" for dtype in frame.dtypes):  # what is dropped may hold text too
            # Rows one after the other and writable, as a caller's own array is; a frame gives neither.
            return np.array(frame.to_numpy(np.float64), order="C")
        return _typed(frame.astype(object)).to_numpy()

    def _as_fitted(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Times in their zones, and those that the pipeline reads from strings as such."""
        changed = {}
        for name, feature, marker in zip(frame.columns, self.features, self.markers, strict=True):
            if feature.format is not None:
                changed[name] = as_strings(feature, frame[name], marker)
            elif feature.zone is not None:
                changed[name] = frame[name].dt.tz_localize("UTC").dt.tz_convert(self.zones[name])
        return frame.assign(**changed) if changed else frame


def answer_to(pipeline: Any, method: str, given: Callable[[], Any]) -> Any:
    """What ``Signature.ask`` answers, to rows as they are given."""
    with reference():
        return dense(_answer(pipeline, method, given()))


def _answer(pipeline: Any, method: str, given: Any) -> Any:
    return pipeline.predict(given, return_std=True)[1] if method == STD else getattr(pipeline, method)(given)


def _answers(pipeline: Any, methods: Sequence[str], given: Callable[[], Any]) -> Iterator[Any]:
    """What each method answers, in order."""
    if type(pipeline) is not Pipeline or len(pipeline.steps) == 1 or len(methods) == 1:
        for method in methods:
            yield _answer(pipeline, method, given())
        return
    X = pipeline[:-1].transform(given())
    for method in methods:
        # What the last step is given is its own, for a step inside may write into it; a deep copy keeps the layout.
        yield _answer(pipeline.steps[-1][1], method, deepcopy(X))


def equal(one: Any, other: Any) -> bool:
    """Whether two answers are the same; NaN is NaN."""
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(((one == other) | ((one != one) & (other != other))).all())


def joined(blocks: Sequence[Any]) -> Any:
    """Answers for some rows after the other, as one."""
    if isinstance(blocks[0], list):
        return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
    return blocks[0] if len(blocks) == 1 else _with_gaps(np.concatenate(blocks))


def _categorical(values: pd.Series, known: pd.Index) -> pd.Categorical:
    """The values as pandas' categories; what is unseen is one more, for the pipeline to make of it what it does."""
    unseen = [value for value in values.dropna().unique() if value not in known]
    return pd.Categorical(values, known.append(pd.Index(unseen)) if unseen else known)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """A column of labels that are numbers has their type, as a caller's own has; what stands beside others is a mixture
    and stays objects."""
    typed = frame.infer_objects() if frame.shape[1] == 1 else frame
    return typed if all(dtype.kind in "biuf" for dtype in typed.dtypes) else frame


@contextlib.contextmanager
def reference() -> Iterator[None]:
    """scikit-learn at one thread, where the order of its sums is fixed, and without its warnings.

    Its loops over OpenMP's threads too: a search by brute force that shares out the training rows takes other ones of
    equally near rows with two threads than with one. While it lasts MiniBatchNMF refuses negative numbers when it
    transforms, as NMF does and its own fit: its updates would make their rounding grow without bound, so that
    scikit-learn itself answers otherwise on another processor.
    """
    with (
        _threads().limit(limits=1, user_api="openmp"),
        joblib.parallel_config(backend="sequential"),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        patch.object(MiniBatchNMF, "_solve_W", _solved_where_positive),
    ):
        warnings.simplefilter("ignore")
        yield


@functools.cache
def _threads() -> ThreadpoolController:
    """The libraries that are loaded by now; to look for them takes milliseconds."""
    return ThreadpoolController()


_solved = MiniBatchNMF._solve_W


def _solved_where_positive(model: MiniBatchNMF, X: Any, *more: Any) -> Any:
    check_non_negative(X, "MiniBatchNMF")
    return _solved(model, X, *more)


def dense(answer: Any) -> Any:
    """Sparse and pandas answers as ndarrays; where a number is missing NaN."""
    if isinstance(answer, list):
        return [dense(part) for part in answer]
    if hasattr(answer, "toarray"):
        return answer.toarray()
    values = answer.to_numpy() if hasattr(answer, "to_numpy") else np.asarray(answer)
    return _with_gaps(values)


def _with_gaps(values: Any) -> Any:
    """An ndarray; numbers of which some are missing as float64 with NaN, which pandas' nullable columns give as
    objects."""
    if values.dtype != object or not (gaps := pd.isna(values)).any():
        return values
    if not all(isinstance(value, numbers.Real | np.bool_) for value in values[~gaps]):
        return values
    return np.where(gaps, np.nan, values).astype(np.float64)


def methods_of(pipeline: Any) -> tuple[str, ...]:
    """The inference methods that a pipeline offers.

    Raises UnsupportedError with the reason where it has none with a graph, SampleError where it has none at all.
    """
    methods = offered(pipeline)
    if not methods:
        for reason in lacking(pipeline).values():
            raise UnsupportedError(reason)
        at, last = "", pipeline
        while getattr(last, "steps", None):
            name, last = last.steps[-1]
            at += f"[{name!r}]"
        where = f" as the last step, pipeline{at}" if at else ""
        raise SampleError(
            f"expected a pipeline that predicts or transforms, found {type(last).__name__}{where}, which has no method "
            "for new rows: end in one that has"
        )
    return methods


def strictest(methods: Sequence[str]) -> str:
    """Of a pipeline's methods the one that takes the fewest rows: an SVC whose kernel is a function gives labels to
    rows with gaps, but refuses to score them."""
    return "decision_function" if "decision_function" in methods else methods[0]
