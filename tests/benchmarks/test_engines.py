"""The engines: answers compared and counted, and what is said of those that fail."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import engines
from benchmarks.engines import FLOAT32, Answers
from benchmarks.errors import WrongAnswerError
from benchmarks.measure import measure
from benchmarks.subjects import LARGE, Subject, find_models, open_subjects
from runtime import load
from tests.benchmarks.fakes import ENGINE, installed, written
from tests.runtime.bundles import classifier, numbers


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A small model beside a pipeline that answers alike."""
    classifier(tmp_path / "models/small", numbers(["a", "b", "c"]))
    (found,) = open_subjects(find_models(tmp_path / "models"), tmp_path, load, 0)
    frame = pd.DataFrame(found.frame)[["a", "b", "c"]]
    pipeline = Pipeline([("scale", StandardScaler()), ("last", LogisticRegression())])
    pipeline.fit(frame, np.arange(LARGE) % 2)
    return replace(found, pipeline=pipeline, frame=frame)


def test_rows_that_float32_decides_otherwise_are_counted() -> None:
    """Those with another label apart, of which more than one in a hundred are wrong; so are other scores in more than
    half of the rows, and another shape."""
    wanted = np.tile([[0.75, 0.25], [0.5001, 0.4999]], (500, 1))
    found = wanted.copy()
    found[0] += [-0.01, 0.01]
    found[1] = [0.4999, 0.5001]
    assert Answers.compared("x", wanted, wanted) == (0, 0)
    assert Answers.compared("x", wanted * (1 + 1e-7), wanted) == (0, 0)
    assert Answers.compared("x", found, wanted) == (2, 1)
    assert Answers.compared("x", found[:, 1:], wanted) == (2, 1)
    found[:500:2] += [-0.001, 0.001]
    assert Answers.compared("x", found, wanted) == (251, 1)
    with pytest.raises(WrongAnswerError, match="found other scores in 1000 of 1000 rows, another label in 0"):
        Answers.compared("x", wanted * 1.001, wanted)
    found[:11] = [0.1, 0.9]
    with pytest.raises(WrongAnswerError, match="another label in 11"):
        Answers.compared("x", found, wanted)
    with pytest.raises(WrongAnswerError, match=r"shape \(1000, 2\) from x, found \(500, 2\)"):
        Answers.compared("x", found[:500], wanted)
    with pytest.raises(WrongAnswerError, match="other scores in 1000 of 1000"):
        Answers.compared("x", np.full_like(wanted, np.nan), wanted)


def test_an_engine_that_fails_or_answers_wrongly_is_a_row_that_says_so(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside one that answers right."""
    monkeypatch.setattr(engines, "BLOCKS", 1)
    right = np.asarray(subject.expected["predict_proba"])
    for name, scores in {"right": right, "wrong": right[:, ::-1]}.items():
        np.save(tmp_path / f"{name}.npy", scores)
    text = ENGINE.format(scores=str(tmp_path / "right.npy"), more="")
    fakes = written(
        tmp_path / "fakes",
        right=text,
        wrong=ENGINE.format(scores=str(tmp_path / "wrong.npy"), more=""),
        raises=ENGINE.format(scores=str(tmp_path / "right.npy"), more="raise ValueError('no such trees')"),
        dies=ENGINE.format(scores=str(tmp_path / "right.npy"), more="raise SystemExit('out of memory')"),
        missing=text,
        other=text.replace("LogisticRegression", "LGBMClassifier"),
    )
    installed(tmp_path / "environments", monkeypatch, "right", "wrong", "raises", "dies", "other")
    one, many = engines.paths(subject, lambda path: measure(path, 0), fakes)
    assert (one.path, many.path) == ("scores 1", f"scores {LARGE}")
    for entry in (one, many):
        assert {"pipetwin", "raw run", "right"} <= entry.latencies.keys()
        said = {name: failure.reason for name, failure in entry.failures.items()}
        assert "p50 / right" in entry.values
        assert entry.values["other scores, right"].median == 0
        assert "StandardScaler done beforehand; of 10,000 rows 0 have other scores" in entry.notes["right"]
        assert f"other scores in {LARGE} of {LARGE} rows" in said["wrong"]
        assert said["raises"] == "failed: ValueError: no such trees"
        assert "ended: out of memory" in said["dies"]
        assert "skipped: it has no environment" in said["missing"]
        assert said["other"] == "skipped: it takes no LogisticRegression"
        assert not entry.latencies.keys() & {"wrong", "raises", "dies", "missing", "other"}


def test_skl2onnx_is_measured_where_it_answers_right(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, on float32 rows."""
    monkeypatch.setattr(engines, "BLOCKS", 1)
    wanted = subject.pipeline.predict_proba(subject.frame)
    theirs = replace(subject, expected={**subject.expected, "predict_proba": wanted})
    entry, _ = engines.paths(theirs, lambda path: measure(path, 0), [])
    assert FLOAT32 in entry.latencies
    assert entry.notes[FLOAT32].startswith("of 10,000 rows 0 have other scores")
    off, _ = engines.paths(subject, lambda path: measure(path, 0), [])
    assert "expected the right answers of skl2onnx float32" in off.failures[FLOAT32].reason


def test_without_scores_there_is_nothing_to_compare(subject: Subject) -> None:
    """As of a transformer, or of a classifier that gives labels alone; nor without a pipeline."""
    for other in (
        replace(subject, pipeline=None),
        replace(subject, expected={}),
        replace(subject, expected={"predict": np.array(["a", "b"] * (LARGE // 2))}),
    ):
        assert not list(engines.paths(other, lambda path: measure(path, 0), []))
