"""The peers: what they need, and what is said of those that are not there."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression

from benchmarks import rivals
from benchmarks.errors import BadInputError
from benchmarks.peers.environments import HERE, main, make, peers
from benchmarks.subjects import Subject, find_models, open_subjects
from runtime import load
from tests.runtime.bundles import classifier, numbers


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A small model, checked by its canary rows."""
    classifier(tmp_path / "small", numbers(["a", "b", "c"]))
    (found,) = open_subjects(find_models(tmp_path), tmp_path, load, 0)
    return found


def test_every_peer_says_what_it_needs_and_has_the_same_names() -> None:
    """About fifty lines each, to be read side by side."""
    found = peers()
    assert {"fastapi_sklearn", "fastapi_onnxruntime"} <= {peer.name for peer in found}
    for peer in found:
        assert peer.dependencies
        functions = [node.name for node in ast.parse(peer.file.read_text()).body if isinstance(node, ast.FunctionDef)]
        assert functions == ["make"]
        assert len(peer.file.read_text().splitlines()) <= 70
    assert peers(HERE.parent) == []


def test_an_unknown_peer_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """With those that there are."""
    with pytest.raises(BadInputError, match="expected one of the peers fastapi_onnxruntime, fastapi_sklearn"):
        make("other")
    assert main(["other"]) == 2
    assert "found 'other'" in capsys.readouterr().err


def test_what_is_skipped_is_a_row_that_says_how_to_have_it(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And without scikit-learn's pipeline there is nothing to compare."""
    monkeypatch.chdir(tmp_path)  # where no environment is
    alone, _ = rivals.paths(subject, lambda path: path)
    assert set(alone.absent.values()) == {subject.absent}
    pipeline = LogisticRegression().fit([[0.0, 0, 0], [1, 1, 1]], [0, 1])
    found, _ = rivals.paths(replace(subject, pipeline=pipeline), lambda path: path)
    assert [contender.name for contender in found.subjects] == ["pipetwin"]
    assert found.absent["fastapi_sklearn"].endswith("make it with python -m benchmarks.peers fastapi_sklearn")


def test_what_skl2onnx_refuses_is_said_and_the_rest_is_written(subject: Subject, tmp_path: Path) -> None:
    """In its own words."""
    pipeline = LogisticRegression().fit([[0.0, 0, 0], [1, 1, 1]], [0, 1])
    assert rivals.prepare(replace(subject, pipeline=pipeline), tmp_path) == {}
    assert (tmp_path / "features.json").read_text() == '{"a": "number", "b": "number", "c": "number"}'
    assert {"pipeline.joblib", "float32.onnx"} <= {file.name for file in tmp_path.iterdir()}
    problems = rivals.prepare(replace(subject, pipeline=LogisticRegression()), tmp_path)
    assert problems["float32.onnx"].startswith("skl2onnx could not convert it: ")
