"""Pipelines of imbalanced-learn beside their twins; where it is installed."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from convert.cli import main
from runtime import load
from tests.convert.lower.samples import BINARY, X
from tests.convert.lower.twins import levels, twin_of

imblearn = pytest.importorskip("imblearn")
ensemble, over, pipeline, under = (
    pytest.importorskip(f"imblearn.{name}") for name in ("ensemble", "over_sampling", "pipeline", "under_sampling")
)

LABELS = np.where(X[:, 0] > 0.6, 1, 0)


@pytest.mark.parametrize(
    "sampler",
    [
        over.RandomOverSampler(),
        under.RandomUnderSampler(),
        over.SMOTE(),
        under.TomekLinks(),
        imblearn.FunctionSampler(),
    ],
    ids=str,
)
def test_samplers_leave_the_rows_as_they_are(sampler: Any) -> None:
    """First in a pipeline, and between its steps, where folding sees through them."""
    for steps in ([sampler, StandardScaler()], [StandardScaler(), sampler]):
        model = pipeline.make_pipeline(*steps, RandomForestClassifier(5, random_state=0)).fit(X, LABELS)
        assert levels(twin_of(model, X))["predict"] == "bit"


@pytest.mark.parametrize(
    "model",
    [
        ensemble.BalancedRandomForestClassifier(5, random_state=0),
        ensemble.BalancedBaggingClassifier(n_estimators=3, random_state=0),
        ensemble.BalancedBaggingClassifier(LogisticRegression(), n_estimators=3, max_features=2, random_state=0),
        ensemble.EasyEnsembleClassifier(n_estimators=3, random_state=0),
        ensemble.RUSBoostClassifier(n_estimators=3, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_ensembles_that_sample(model: Any) -> None:
    """They answer as what they are derived from."""
    assert set(levels(twin_of(model.fit(X, BINARY), X))) >= {"predict", "predict_proba"}


def test_a_file_of_one_needs_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As every package beside scikit-learn does."""
    sample = pd.DataFrame(X).set_axis([f"x{place}" for place in range(X.shape[1])], axis=1)
    model = pipeline.make_pipeline(over.SMOTE(), LogisticRegression()).fit(sample, LABELS)
    joblib.dump(model, tmp_path / "model.joblib")
    sample.to_parquet(tmp_path / "sample.parquet")
    words = [str(tmp_path / "model.joblib"), "--sample", str(tmp_path / "sample.parquet"), "--out", str(tmp_path / "m")]
    assert main(words) == 2
    assert "--trust imblearn" in capsys.readouterr().err
    assert main([*words, "--trust", "imblearn"]) == 0
    assert (load(tmp_path / "m").predict(sample) == model.predict(sample)).all()
