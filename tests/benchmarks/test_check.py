"""``python -m benchmarks --check`` as it is run, in a process of its own, on a small bundle."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.results import Results, read
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

WRAPPED = """
import sys, time
from benchmarks.__main__ import main
from runtime import load

class Other:
    kept = []
    def __init__(self, where):
        self.model = load(where)
    def __getattr__(self, name):
        return getattr(self.model, name)
    def predict_json(self, body):
        {body}

sys.exit(main(sys.argv[1:], load=Other))
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with one small model, and limits beside it."""
    classifier(tmp_path / "models/small", numbers(["a", "b", "c"]))
    (tmp_path / "budgets.toml").write_text(LIMITS)
    return tmp_path / "models"


def check(models: Path, *more: str, body: str = "") -> tuple[subprocess.CompletedProcess[str], Results | None]:
    """Run it on predict_json alone; body: of another predict_json."""
    folder = models.parent
    program = ["-c", WRAPPED.format(body=body)] if body else ["-m", "benchmarks"]
    words = [str(models), "--check", "--json", str(folder / "out.json"), "--trained", str(folder)]
    words += ["--budgets", str(folder / "budgets.toml"), *more]
    done = subprocess.run([sys.executable, *program, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done, read(folder / "out.json") if (folder / "out.json").exists() else None


def test_a_model_within_its_limits_passes(models: Path) -> None:
    """With its figures, what they were checked with, and no word of scikit-learn's that was not there."""
    done, results = check(models, "--path", "predict_json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert results is not None
    (entry,) = results.entries
    assert {"pipetwin", "raw run", "prebound run"} <= entry.latencies.keys()
    assert "pipeline.joblib" in entry.failures["scikit-learn"].reason
    assert results.checked == {"small": "the canary rows"}
    assert results.machine.cores >= 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("time.sleep(0.002); return self.model.predict_json(body)", "over"),
        ("self.kept.append(object()); return self.model.predict_json(body)", "kept"),
        ('return b\'{"prediction": 7, "probability": 0.5}\'', "wrong"),
        ("return b''", "wrong"),
        ("return self.model.predict_json(body).replace(b'0.', b'0.0')", "wrong"),
    ],
    ids=["slow", "leaking", "wrong label", "nothing", "wrong score"],
)
def test_a_slow_a_leaking_and_a_wrong_model_fail(body: str, said: str, models: Path) -> None:
    """Each detector is shown to fire."""
    done, _ = check(models, "--path", "predict_json", body=body)
    assert done.returncode == 1, done.stdout + done.stderr
    verdict = next(line for line in done.stdout.splitlines() if line.startswith(("over", "wrong")))
    assert said in verdict


def test_what_was_not_measured_is_never_green(models: Path) -> None:
    """A limit beside scikit-learn, without scikit-learn's pipeline."""
    (models.parent / "budgets.toml").write_text('[every.predict_json]\n"p95 / scikit-learn" = 0.01\n')
    done, _ = check(models, "--path", "predict_json")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "pipeline.joblib" in done.stdout


@pytest.mark.parametrize(
    ("limits", "more", "sentence"),
    [
        ('[models.other.start]\n"load s" = 1', [], "expected limits of the models small in"),
        ("[every.start]\nspeed = 1", [], "found 'speed'"),
        (LIMITS, ["--model", "other"], "expected one of the models small, found 'other'"),
        (LIMITS, ["--budgets", "/nowhere.toml"], "expected limits in /nowhere.toml"),
    ],
)
def test_bad_input_is_one_sentence(limits: str, more: list[str], sentence: str, models: Path) -> None:
    """On standard error, with exit code 2, before anything is measured."""
    (models.parent / "budgets.toml").write_text(limits)
    done, results = check(models, *more)
    assert done.returncode == 2
    assert results is None
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_no_models_is_one_sentence(tmp_path: Path) -> None:
    """Whether there is no folder, or nothing in it."""
    for folder in (tmp_path, tmp_path / "none"):
        done, _ = check(folder)
        assert done.returncode == 2
        assert "make models" in done.stderr


def test_over_http_and_from_the_start(models: Path) -> None:
    """A server in a process of its own, beside a bare one."""
    (models.parent / "budgets.toml").write_text('[every."http 1"]\n"failed" = 0\n[every.start]\n"load s" = 5\n')
    done, results = check(models, "--path", "http 1", "--path", "oip binary 16", "--path", "start")
    assert done.returncode == 0, done.stdout + done.stderr
    assert results is not None
    start, http, protocol = results.entries
    assert {"bundle MB", "cold s", "load s", "pss MB", "cold / floor"} <= start.values.keys()
    assert http.latencies.keys() == {"pipetwin", "echo", "echo and run", "echo again"}
    assert all(latency.cpu and latency.success == 1 for latency in http.latencies.values())
    assert "net p95 / echo" in http.values
    assert protocol.latencies.keys() == http.latencies.keys()
    assert protocol.values["failed"].median == 0
    assert "cpu us beyond echo and run" in protocol.values
