"""Workloads made on the spot, with a small one."""

from pathlib import Path

import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from benchmarks import workloads
from benchmarks.errors import FailedError
from benchmarks.subjects import ROWS, find_models, open_subjects
from benchmarks.workloads import WORKLOADS, Workload, main
from runtime import load


def small() -> Pipeline:
    return Pipeline([("scale", StandardScaler()), ("tree", DecisionTreeClassifier(max_depth=2, random_state=0))])


def lacking() -> Pipeline:
    raise FailedError("expected LightGBM, found none")


def test_a_workload_is_a_subject_with_its_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the command that measures it finds it; made twice, it is there once."""
    monkeypatch.setattr(workloads, "WORKLOADS", {"small": Workload(500, small)})
    assert main([], tmp_path) == 0
    assert main(["small"], tmp_path) == 0
    assert len(list((tmp_path / "models/small").iterdir())) == 1
    (subject,) = open_subjects(find_models(tmp_path / "models"), tmp_path, load, 0)
    assert subject.pipeline is not None
    assert len(subject.rows) == ROWS
    assert len(subject.rows[0]) == 30
    subject.check("predict_proba", subject.model.predict_proba(subject.frame))


def test_what_cannot_be_made_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the others are made all the same; an unknown one is bad input."""
    monkeypatch.setattr(workloads, "WORKLOADS", {"lacking": Workload(500, lacking), "small": Workload(500, small)})
    assert main([], tmp_path) == 1
    assert "expected LightGBM, found none" in capsys.readouterr().err
    assert (tmp_path / "models/small").is_dir()
    assert not (tmp_path / "models/lacking").exists()
    assert main(["other"], tmp_path) == 2
    assert "expected one of the workloads lacking, small, found 'other'" in capsys.readouterr().err


def test_the_workloads_are_those_that_are_spoken_of() -> None:
    """Thirty numbers each: a scaler and 100 trees of depth 10, 500 trees without a limit, LightGBM's 100 of 31."""
    scaled, large = WORKLOADS["forest_100"].build(), WORKLOADS["forest_500"].build()
    assert [type(step).__name__ for _, step in scaled.steps] == ["StandardScaler", "RandomForestClassifier"]
    assert (scaled[-1].n_estimators, scaled[-1].max_depth) == (100, 10)
    assert (large[-1].n_estimators, large[-1].max_depth) == (500, None)
    assert "lightgbm_100" in WORKLOADS
