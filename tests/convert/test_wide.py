"""A wide table: what is asked of the pipeline grows as its columns do, and the proof looks at every one of them."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from convert.graph import build_graph
from convert.signature import sign
from tests.convert.lower.twins import twin_of

STEPS = (SimpleImputer, StandardScaler, OneHotEncoder, OrdinalEncoder)


def table(numbers: int, categories: int, rows: int = 120) -> tuple[pd.DataFrame, Any]:
    """Numbers of several magnitudes and categories of several counts, with gaps in every third column."""
    rng = np.random.default_rng(numbers + categories)
    columns: dict[str, Any] = {}
    for place in range(numbers):
        values = rng.normal(size=rows) * 10.0 ** rng.integers(-3, 4)
        values[rng.random(rows) < 0.1 * (place % 3 == 0)] = np.nan
        columns[f"number {place}"] = values
    for place in range(categories):
        cells = rng.choice([f"{place}.{kind}" for kind in range(2 + place % 6)], rows).astype(object)
        cells[rng.random(rows) < 0.1 * (place % 3 == 0)] = None
        columns[f"category {place}"] = pd.Series(cells, dtype=object)
    return pd.DataFrame(columns), rng.integers(0, 2, rows)


def trained(kind: str, width: int) -> tuple[Any, pd.DataFrame]:
    """A pipeline whose steps refuse much: infinities, unseen categories, what is too large for a tree."""
    encoder: Any = OneHotEncoder() if kind == "strict one-hot" else OrdinalEncoder()
    model: Any = LogisticRegression() if kind == "strict one-hot" else RandomForestClassifier(3, random_state=0)
    X, y = table(width, 0) if kind == "numbers" else table(width // 2, width // 2)
    categories = [name for name in X if name.startswith("category")]
    numbers = [name for name in X if name.startswith("number")]
    parts = [
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        ("categories", encoder, categories),
    ]
    return make_pipeline(ColumnTransformer(parts), model).fit(X, y), X


def questions(monkeypatch: pytest.MonkeyPatch, kind: str, width: int) -> Counter[str]:
    """How often a conversion asks the pipeline, and how many columns its steps look at, all calls together."""
    pipeline, X = trained(kind, width)
    counts: Counter[str] = Counter()

    def count(owner: Any, method: str, name: str) -> None:
        original = getattr(owner, method)

        def counted(self: Any, X: Any, *args: Any, **params: Any) -> Any:
            counts[name] += X.shape[1] if name == "columns" else 1
            return original(self, X, *args, **params)

        monkeypatch.setattr(owner, method, counted)

    with monkeypatch.context():
        count(Pipeline, "predict", "pipeline")
        for step in STEPS:
            count(step, "transform", "columns")
        build_graph(pipeline, sign(pipeline, X))
        monkeypatch.undo()
    return counts


@pytest.mark.parametrize("kind", ["strict one-hot", "strict ordinal", "numbers"])
def test_questions_grow_as_columns_do(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The pipeline is asked as often for four times the columns, and its steps about four times as many; where every
    column is refused by itself too."""
    few, many = (questions(monkeypatch, kind, width) for width in (16, 64))
    assert many["pipeline"] <= few["pipeline"] + 8
    assert many["columns"] <= 5 * few["columns"]


@pytest.mark.slow
@pytest.mark.parametrize("model", [LogisticRegression(), RandomForestClassifier(20, random_state=0)])
def test_a_table_of_600_columns_is_proven(model: Any) -> None:
    """With as many probes a column as a narrow table has: a number's edges, a row for each gap, every category."""
    X, y = table(300, 300, rows=500)
    encode = make_pipeline(
        SimpleImputer(strategy="most_frequent", missing_values=None), OneHotEncoder(handle_unknown="ignore")
    )
    parts = [
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), list(X)[:300]),
        ("categories", encode, list(X)[300:]),
    ]
    pipeline = make_pipeline(ColumnTransformer(parts, sparse_threshold=0), model).fit(X, y)
    proof = twin_of(pipeline, X).proof
    assert proof.sampled_nodes is None
    assert proof.probes["sample"] == 500
    assert proof.probes["edges"] >= 15 * 300
    assert proof.probes["missing"] == 600 + 1 + 200
    known = sum(len(categories) for categories in pipeline[0].named_transformers_["categories"][-1].categories_)
    assert proof.probes["categories"] == known + 5 * 300
    assert proof.outputs["predict"].label_mismatches == 0
    assert proof.level == ("ulp" if isinstance(model, LogisticRegression) else proof.level)
    if isinstance(model, RandomForestClassifier):
        assert proof.outputs["predict_proba"].identical == proof.outputs["predict_proba"].rows
