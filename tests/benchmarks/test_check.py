"""``python -m benchmarks --check`` on a small bundle; once as it is run, in a process of its own."""

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from typing import Any, NamedTuple

import pytest

import benchmarks.run
from benchmarks import served
from benchmarks.__main__ import main
from benchmarks.results import Results, read
from runtime import Model, load
from tests.runtime.bundles import classifier, numbers

ROOT = Path(__file__).parents[2]

LIMITS = """
[every.predict_json]
"p95 ms" = 100
"p95 / raw run" = 20
"kept" = 0.01
[every.start]
"bundle MB" = 100
"""

Asked = Callable[[bytes], bytes]
Fault = Callable[[Asked, bytes], bytes]


class Done(NamedTuple):
    """What a run came to."""

    code: int
    out: str
    err: str
    results: Results | None


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with one small model, and limits beside it."""
    classifier(tmp_path / "models/small", numbers(["a", "b", "c"]))
    (tmp_path / "budgets.toml").write_text(LIMITS)
    return tmp_path / "models"


def words_of(models: Path, *more: str) -> list[str]:
    """The command's words, with the limits beside the models."""
    folder = models.parent
    words = [str(models), "--check", "--json", str(folder / "out.json"), "--trained", str(folder)]
    return [*words, "--budgets", str(folder / "budgets.toml"), *more]


def results_of(models: Path) -> Results | None:
    """What the run wrote, if it did."""
    file = models.parent / "out.json"
    return read(file) if file.exists() else None


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Done]]:
    """Runs the command in this process; fault: what answers instead of predict_json. Whether a call leaves something
    behind is asked of 200 calls, not of 1,000."""
    monkeypatch.setattr(benchmarks.run, "KEPT_CALLS", 200)

    def run(models: Path, *more: str, fault: Fault | None = None) -> Done:
        def faulty(folder: Path) -> Any:
            model = load(folder)
            assert fault is not None
            return Faulty(model, fault)

        code = main(words_of(models, *more), load=load if fault is None else faulty)
        said = capsys.readouterr()
        return Done(code, said.out, said.err, results_of(models))

    yield run
    gc.unfreeze()  # what was there when it began to measure


class Faulty:
    """A model whose predict_json has a fault."""

    def __init__(self, model: Model, fault: Fault) -> None:
        self.model, self.fault = model, fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def predict_json(self, body: bytes) -> bytes:
        return self.fault(self.model.predict_json, body)


def test_a_model_within_its_limits_passes(models: Path) -> None:
    """With its figures, what they were checked with, and no word of scikit-learn's that was not there."""
    command = [sys.executable, "-m", "benchmarks", *words_of(models, "--path", "predict_json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    results = results_of(models)
    assert results is not None
    (entry,) = results.entries
    assert {"pipetwin", "raw run", "prebound run"} <= entry.latencies.keys()
    assert "pipeline.joblib" in entry.failures["scikit-learn"].reason
    assert results.checked == {"small": "the canary rows"}
    assert results.machine.cores >= 1


KEPT: list[object] = []


def slow(right: Asked, body: bytes) -> bytes:
    sleep(0.002)
    return right(body)


def leaking(right: Asked, body: bytes) -> bytes:
    KEPT.append(object())
    return right(body)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (slow, "over"),
        (leaking, "kept"),
        (lambda right, body: b'{"prediction": 7, "probability": 0.5}', "wrong"),
        (lambda right, body: b"", "wrong"),
        (lambda right, body: right(body).replace(b"0.", b"0.0"), "wrong"),
    ],
    ids=["slow", "leaking", "wrong label", "nothing", "wrong score"],
)
def test_a_slow_a_leaking_and_a_wrong_model_fail(
    fault: Fault, said: str, models: Path, check: Callable[..., Done]
) -> None:
    """Each detector is shown to fire."""
    done = check(models, "--path", "predict_json", fault=fault)
    assert done.code == 1, done.out + done.err
    verdict = next(line for line in done.out.splitlines() if line.startswith(("over", "wrong")))
    assert said in verdict


def test_what_was_not_measured_is_never_green(models: Path, check: Callable[..., Done]) -> None:
    """A limit beside scikit-learn, without scikit-learn's pipeline."""
    (models.parent / "budgets.toml").write_text('[every.predict_json]\n"p95 / scikit-learn" = 0.01\n')
    done = check(models, "--path", "predict_json")
    assert done.code == 3, done.out + done.err
    assert "pipeline.joblib" in done.out


@pytest.mark.parametrize(
    ("limits", "more", "sentence"),
    [
        ('[models.other.start]\n"load s" = 1', [], "expected limits of the models small in"),
        ("[every.start]\nspeed = 1", [], "found 'speed'"),
        (LIMITS, ["--model", "other"], "expected one of the models small, found 'other'"),
        (LIMITS, ["--budgets", "/nowhere.toml"], "expected limits in /nowhere.toml"),
    ],
)
def test_bad_input_is_one_sentence(
    limits: str, more: list[str], sentence: str, models: Path, check: Callable[..., Done]
) -> None:
    """On standard error, with exit code 2, before anything is measured."""
    (models.parent / "budgets.toml").write_text(limits)
    done = check(models, *more)
    assert done.code == 2
    assert done.results is None
    assert sentence in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_no_models_is_one_sentence(tmp_path: Path, check: Callable[..., Done]) -> None:
    """Whether there is no folder, or nothing in it."""
    for folder in (tmp_path, tmp_path / "none"):
        done = check(folder)
        assert done.code == 2
        assert "make models" in done.err


def test_over_http_and_from_the_start(
    models: Path, check: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server in a process of its own, beside a bare one; two blocks of each and one start, which say nothing of how
    long anything took."""
    monkeypatch.setattr(served, "BLOCKS", 2)
    monkeypatch.setattr(served, "STARTS", 1)
    monkeypatch.setattr(served, "WARM_SECONDS", 0.05)
    (models.parent / "budgets.toml").write_text('[every."http 1"]\n"failed" = 0\n[every.start]\n"load s" = 5\n')
    done = check(models, "--path", "http 1", "--path", "oip binary 16", "--path", "start")
    assert done.code == 0, done.out + done.err
    assert done.results is not None
    start, http, protocol = done.results.entries
    assert {"bundle MB", "cold s", "load s", "pss MB", "cold / floor"} <= start.values.keys()
    assert http.latencies.keys() == {"pipetwin", "echo", "echo and run", "echo again"}
    assert all(latency.cpu and latency.success == 1 for latency in http.latencies.values())
    assert "net p95 / echo" in http.values
    assert protocol.latencies.keys() == http.latencies.keys()
    assert protocol.values["failed"].median == 0
    assert "cpu us beyond echo and run" in protocol.values
