"""The peers: what they need, how they are asked, and what is said of those that fail."""

import ast
import json
import subprocess
import venv
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sklearn.linear_model import LogisticRegression

from benchmarks import rivals, served
from benchmarks.errors import BadInputError, FailedError
from benchmarks.measure import Path as Measured
from benchmarks.measure import measure
from benchmarks.peers import environments
from benchmarks.peers.contracts import CONTRACTS
from benchmarks.peers.environments import ENGINES, HERE, main, make, peers
from benchmarks.results import Entry
from benchmarks.subjects import Subject, find_models, open_subjects
from runtime import load
from tests.benchmarks.fakes import SERVER, installed, written
from tests.runtime.bundles import classifier, numbers

NUMBERS = {"a": "number", "b": "number"}
MIXED = {"a": "number", "c": "category"}


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A small model, checked by its canary rows."""
    classifier(tmp_path / "small", numbers(["a", "b", "c"]))
    (found,) = open_subjects(find_models(tmp_path), tmp_path, load, 0)
    return found


@pytest.fixture
def trained(subject: Subject) -> Subject:
    """The same with a pipeline beside it."""
    return replace(subject, pipeline=LogisticRegression().fit([[0.0, 0, 0], [1, 1, 1]], [0, 1]))


def noted(path: Measured) -> Entry:
    """What is absent, without a measurement."""
    return Entry(path.model, ", ".join(contender.name for contender in path.subjects), notes=dict(path.absent))


def test_every_peer_says_what_it_needs_and_has_the_same_names() -> None:
    """About fifty lines each, to be read side by side."""
    found = {peer.name: peer for peer in (*peers(), *peers(ENGINES))}
    assert {
        *("fastapi_sklearn", "fastapi_onnxruntime", "litserve_sklearn", "mlserver_sklearn", "bentoml_sklearn"),
        *("kserve_sklearn", "ray_serve_sklearn", "mlflow_sklearn", "node_onnxruntime"),
        *("treelite_gtil", "tl2cgen_compiled", "lleaves_compiled", "lightgbm_booster"),
    } == found.keys()
    for peer in found.values():
        text = peer.file.read_text()
        assert peer.dependencies
        assert peer.contract in CONTRACTS
        assert len(text.splitlines()) <= 75
        if peer.file.suffix == ".py":
            assert [n.name for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)] == ["make"]
        else:
            assert "function make(folder)" in text
    assert peers(HERE.parent) == []


def test_an_unknown_peer_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """With those that there are; the engines are one."""
    with pytest.raises(BadInputError, match=r"expected one of the peers bentoml_sklearn, .*, engines, found 'other'"):
        make("other")
    assert main(["other"]) == 2
    assert "found 'other'" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "held"), [("litserve_sklearn", True), ("kserve_sklearn", False)])
def test_an_environment_has_the_versions_that_are_here(
    name: str, held: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, or, for a peer that cannot live with those, scikit-learn's at least, which wrote the pipeline."""
    asked: list[str] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.extend(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(environments, "WHERE", tmp_path)
    monkeypatch.setattr(venv, "create", lambda folder, **_: folder.mkdir())
    monkeypatch.setattr(subprocess, "run", run)
    make(name)
    constraints = Path(asked[asked.index("-c") + 1]).read_text().lower()
    assert "scikit-learn==" in constraints
    assert ("uvicorn==" in constraints) == held


def test_an_environment_that_could_not_be_filled_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else it would be taken for one that works. npm is told to run no script of a package."""
    seen: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        return subprocess.CompletedProcess(command, 1, "", "one\nno such package\n")

    monkeypatch.setattr(environments, "WHERE", tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    assert main(["node_onnxruntime"]) == 1
    assert "expected the packages of node_onnxruntime, found: no such package" in capsys.readouterr().err
    assert "--ignore-scripts" in seen[0]
    assert not any(tmp_path.iterdir())


def test_what_is_skipped_is_a_row_that_says_how_to_have_it(
    subject: Subject, trained: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And without scikit-learn's pipeline there is nothing to compare."""
    monkeypatch.chdir(tmp_path)  # where no environment is
    alone, _ = rivals.paths(subject, noted)
    assert alone.path == "pipetwin"
    absent: dict[str, str] = {}

    def keep(path: Measured) -> Entry:
        absent.update(path.absent)
        return noted(path)

    assert len(list(rivals.paths(subject, keep))) == 2
    assert set(absent.values()) == {subject.absent}
    assert len(list(rivals.paths(trained, keep))) == 2
    assert absent["fastapi_sklearn"].endswith("make it with python -m benchmarks.peers fastapi_sklearn")


def test_a_peer_that_fails_or_answers_wrongly_is_a_row_that_says_so(
    trained: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside one that answers right, by a contract and a path of its own, and whose versions are noted."""
    monkeypatch.setattr(rivals, "BLOCKS", 1)
    monkeypatch.setattr(rivals, "BLOCK_SECONDS", 0.05)
    monkeypatch.setattr(rivals, "ROUNDS", 0)
    monkeypatch.setattr(served, "WARM_SECONDS", 0.05)
    server = SERVER.format(peer='# contract = "instances"\n# path = "/ask"')
    broken = server[: server.index("import json")] + "raise SystemExit('no luck')"
    fakes = written(tmp_path / "fakes", right=server, wrong=server, late=server, missing=server, broken=broken)
    installed(tmp_path / "environments", monkeypatch, "right", "wrong", "late", "broken")
    labels, scores = trained.expected["predict"], trained.expected["predict_proba"]
    right = {
        json.dumps({"instances": [row]}, separators=(",", ":")): {
            "predictions": [{"prediction": int(labels[n]), "probability": max(scores[n])}]
        }
        for n, row in enumerate(trained.rows)
    }
    first, last = next(iter(right)), [*right][-1]
    nonsense = {"predictions": [{"prediction": 7}]}
    for name, answers in {"right": {}, "wrong": {first: nonsense}, "late": {last: nonsense}}.items():
        (tmp_path / f"fakes/{name}.json").write_text(json.dumps({**right, **answers}))
    for entry in rivals.paths(trained, lambda path: measure(path, 0), fakes):
        assert entry.latencies.keys() == {"pipetwin", "right"}
        assert {"p50 / right", "cpu / right"} <= entry.values.keys()
        assert entry.notes.keys() >= {"right"}
        said = {name: failure.reason for name, failure in entry.failures.items()}
        assert "expected the answers of small's predict, found others" in said["wrong"]
        assert "expected the answers of small's predict, found others" in said["late"]
        assert "ended with exit code 1; the last it wrote: no luck" in said["broken"]
        assert "skipped: it has no environment" in said["missing"]
        assert entry.failures["late"].wrong


def test_what_skl2onnx_refuses_is_said_and_the_rest_is_written(trained: Subject, tmp_path: Path) -> None:
    """In its own words."""
    assert rivals.prepare(trained, tmp_path) == {}
    assert (tmp_path / "features.json").read_text() == '{"a": "number", "b": "number", "c": "number"}'
    assert {"pipeline.joblib", "float32.onnx"} <= {file.name for file in tmp_path.iterdir()}
    problems = rivals.prepare(replace(trained, pipeline=LogisticRegression()), tmp_path)
    assert problems["float32.onnx"].startswith("skl2onnx could not convert it: ")


@pytest.mark.parametrize(
    ("contract", "kinds", "body", "answer"),
    [
        ("row", MIXED, {"a": None, "c": "x"}, {"prediction": 1, "probability": 0.75}),
        ("named row", MIXED, {"row": {"a": None, "c": "x"}}, {"prediction": 1, "probability": 0.75}),
        (
            "instances",
            MIXED,
            {"instances": [{"a": None, "c": "x"}]},
            {"predictions": [{"prediction": 1, "probability": 0.75}]},
        ),
        (
            "frame",
            MIXED,
            {"dataframe_split": {"columns": ["a", "c"], "data": [[None, "x"]]}},
            {"predictions": [1]},
        ),
        (
            "tensors",
            NUMBERS,
            {
                "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [None, "x"]}],
                "outputs": [{"name": "predict"}, {"name": "predict_proba"}],
            },
            {"outputs": [{"name": "predict", "data": [1]}, {"name": "predict_proba", "data": [0.25, 0.75]}]},
        ),
    ],
)
def test_each_contract_says_the_same(contract: str, kinds: dict[str, str], body: Any, answer: Any) -> None:
    """In its own words; MLflow gives no probability."""
    row = dict(zip(kinds, [None, "x"], strict=True))
    assert CONTRACTS[contract].body(row, kinds, True) == body
    found = CONTRACTS[contract].answer(answer)
    assert found == {"prediction": 1, **({} if contract == "frame" else {"probability": 0.75})}


def test_mixed_columns_are_tensors_each() -> None:
    """With the types that MLServer's pandas codec reads; a regressor is not asked for probabilities."""
    body = CONTRACTS["tensors"].body({"a": 1.5, "c": "x"}, MIXED, False)
    assert [(t["name"], t["datatype"], t["data"]) for t in body["inputs"]] == [
        ("a", "FP64", [1.5]),
        ("c", "BYTES", ["x"]),
    ]
    assert body["outputs"] == [{"name": "predict"}]


@pytest.mark.parametrize("answer", [b"", b"{}", b"[]", b'{"predictions": []}', b'{"predictions": 3}'])
def test_an_answer_of_another_shape_is_wrong(answer: bytes, trained: Subject, tmp_path: Path) -> None:
    """And no traceback."""
    (peer,) = written(tmp_path / "fakes", fake=SERVER.format(peer='# contract = "instances"'))
    with pytest.raises(FailedError, match="expected an answer, found"):
        rivals._check(trained, peer)(0, answer)


def test_the_rows_reach_every_peer_whole(trained: Subject) -> None:
    """Whatever the contract, every value of the row is in the body."""
    for peer in peers():
        body = rivals._bodies(trained, peer)[0]
        assert all(msgspec.json.encode(value) in body for value in trained.rows[0].values())
