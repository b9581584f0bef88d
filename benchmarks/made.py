"""Models made on the spot, from seeded data, converted and proven as any other: what grows in them is an argument."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from convert import convert
from runtime import load

from .subjects import Subject, open_subjects

__all__ = ["categories", "features", "subject", "trees", "wide"]

Made = tuple[Any, pd.DataFrame]
"""A fitted pipeline, and the rows it was trained on."""

SAMPLE = 500
COLUMNS = 10
"""Of the models in which something else grows."""

DEPTH = 6

NUMBERS, COLOURS, SHADES, ENCODERS = 300, 300, 8, 10
"""Columns of a wide table, the categories of those that have any, and the encoders that share them: tables as wide as
this have several sources."""


def subject(name: str, make: Callable[[int], Made], folder: Path, seed: int) -> Subject:
    """What ``make`` makes of a seed, below a folder: trained, converted, loaded, with scikit-learn's answers."""
    pipeline, frame = make(seed)
    trained = folder / "trained" / name
    trained.mkdir(parents=True)
    joblib.dump(pipeline, trained / "pipeline.joblib")
    frame.to_parquet(trained / "sample.parquet")
    convert(pipeline, frame, folder / "models" / name)
    (found,) = open_subjects({name: folder / "models" / name}, folder / "trained", load, seed)
    return found


def features(count: int) -> Callable[[int], Made]:
    """A scaler and a logistic regression of so many numbers."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def make(seed: int) -> Made:
        frame, labels = _numbers(count, seed)
        return make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, labels), frame

    return make


def trees(count: int) -> Callable[[int], Made]:
    """A forest of so many trees of a depth of at most DEPTH."""
    from sklearn.ensemble import RandomForestClassifier

    def make(seed: int) -> Made:
        frame, labels = _numbers(COLUMNS, seed)
        forest = RandomForestClassifier(count, max_depth=DEPTH, random_state=seed)
        return forest.fit(frame, labels), frame

    return make


def categories(count: int) -> Callable[[int], Made]:
    """A one-hot encoder and a logistic regression of one column of so many categories."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    def make(seed: int) -> Made:
        drawn = np.random.default_rng(seed)
        every = np.array([f"category {number}" for number in range(count)], object)
        frame = pd.DataFrame({"column": np.concatenate([every, drawn.choice(every, SAMPLE)])})
        labels = np.resize([0, 1], len(frame))
        return make_pipeline(OneHotEncoder(), LogisticRegression()).fit(frame, labels), frame

    return make


def wide(seed: int) -> Made:
    """A table of 600 columns: NUMBERS with gaps, imputed and scaled, and COLOURS of SHADES categories; a logistic
    regression of all of them."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame, labels = _numbers(NUMBERS, seed)
    drawn = np.random.default_rng(seed)
    numbers = list(frame.columns)
    frame = frame.mask(drawn.random(frame.shape) < 0.05)
    shades = np.array([f"shade {number}" for number in range(SHADES)], object)
    colours = {f"colour {number}": drawn.choice(shades, SAMPLE) for number in range(COLOURS)}
    frame = pd.concat([frame, pd.DataFrame(colours)], axis=1)
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        *((OneHotEncoder(handle_unknown="ignore"), list(colours)[part::ENCODERS]) for part in range(ENCODERS)),
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(frame, labels), frame


def _numbers(count: int, seed: int) -> tuple[pd.DataFrame, Any]:
    """Standard normal columns, and labels that the first COLUMNS of them decide, but for some noise."""
    drawn = np.random.default_rng(seed)
    values = drawn.normal(size=(SAMPLE, count))
    known = values[:, :COLUMNS]
    labels = (known @ np.linspace(1, 2, known.shape[1]) + drawn.normal(size=SAMPLE) > 0).astype(np.int64)
    return pd.DataFrame(values, columns=[f"number {place}" for place in range(count)]), labels
