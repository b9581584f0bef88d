"""Each training as its user meets it: arguments in, files out."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from models.breast_cancer import train as breast_cancer
from models.diabetes import train as diabetes
from models.flights import train as flights
from models.training import Task, draw, train

ROOT = Path(__file__).resolve().parents[2]
TRAININGS = {"flights": flights, "diabetes": diabetes, "breast_cancer": breast_cancer}


@pytest.fixture(params=TRAININGS)
def training(request: pytest.FixtureRequest) -> Any:
    return TRAININGS[request.param]


def test_the_files_are_there_by_default_and_fit_together(
    training: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert training.main(["--rows", "2000", "--seed", "1"]) == 0
    task: Task = training.TASK
    folder = tmp_path / "build" / task.name
    assert {path.name for path in folder.iterdir()} == {"pipeline.joblib", "sample.parquet", "test.parquet"}
    assert {path.name for path in tmp_path.iterdir()} == {"build"}
    pipeline = joblib.load(folder / "pipeline.joblib")
    sample, test = pd.read_parquet(folder / "sample.parquet"), pd.read_parquet(folder / "test.parquet")
    assert list(sample.columns) == list(pipeline.feature_names_in_) == list(training.FEATURES)
    assert list(test.columns) == [*training.FEATURES, task.target]
    assert len(sample) + len(test) == min(2_000, len(training.load_data()))
    assert len(pipeline.predict(sample)) == len(sample)
    answers, truth = pipeline.predict(test.drop(columns=task.target)), test[task.target]
    if task.kind == "classifier":
        assert set(answers) <= set(pipeline.classes_) == set(truth)
        assert f"accuracy             {(answers == truth).mean():.4f}" in capsys.readouterr().out
    else:
        error = float(np.abs(answers - truth).mean())
        assert f"mean absolute error  {error:.4f}" in capsys.readouterr().out


def test_a_saved_pipeline_is_serial_and_knows_nothing_of_us(
    training: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert training.main(["--rows", "300", "--out", "p.joblib"]) == 0
    pipeline = joblib.load("p.joblib")
    parallel = {name: value for name, value in pipeline.get_params().items() if name.endswith("n_jobs")}
    assert set(parallel.values()) <= {None}
    # A global of ours in the pickle would tie whoever opens it to this repository.
    assert b"cmodels." not in Path("p.joblib").read_bytes()
    assert b"models." + training.TASK.name.encode() not in Path("p.joblib").read_bytes()


def test_the_same_seed_gives_the_same_answers_on_one_core_as_on_many(training: Any) -> None:
    rows = draw(training.load_data(), 500, seed=0)
    one, two = train(training.TASK, rows, seed=5), train(training.TASK, rows, seed=5)
    assert one.rows.equals(two.rows)
    assert one.cross_validated == two.cross_validated
    target = training.TARGET
    alone = training.build_pipeline(5).fit(one.rows.drop(columns=target), one.rows[target])
    method = "predict" if training.TASK.kind == "regressor" else "predict_proba"
    inputs = one.test.drop(columns=target)
    first, second, third = (getattr(pipeline, method)(inputs) for pipeline in (one.fitted, two.fitted, alone))
    assert np.array_equal(first, second)
    assert np.array_equal(first, third)
    assert not one.rows.equals(train(training.TASK, rows, seed=6).rows)


@pytest.mark.parametrize("option", ["--out", "--sample", "--test"])
def test_an_output_that_cannot_be_written_is_one_sentence_and_no_training(
    training: Any, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("in the way")
    assert training.main([option, "file/below.it"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"{training.TASK.name}: expected to write file/below.it, found: ")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_runs_by_its_path_from_any_folder(name: str, tmp_path: Path) -> None:
    script = ROOT / "models" / name / "train.py"
    done = subprocess.run([sys.executable, script, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"build/{name}/pipeline.joblib" in done.stdout.replace("\n", "").replace(" ", "")


def test_a_training_runs_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "models.breast_cancer.train", "--out", f"{tmp_path}/p.joblib"]
    command += ["--sample", f"{tmp_path}/s.parquet", "--test", f"{tmp_path}/t.parquet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("breast_cancer: 569 of 569 rows, 30 inputs, seed 0\n")
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param([], 0, id="without the flag it is not touched"),
        pytest.param(["--mlflow", "sqlite:///runs.db"], 2, id="with the flag it is imported"),
    ],
)
def test_mlflow_is_imported_only_when_asked_for(arguments: list[str], code: int, tmp_path: Path) -> None:
    # An MLflow that cannot be imported without being noticed.
    (tmp_path / "mlflow.py").write_text("raise ImportError('MLflow was imported')")
    program = (
        "import sys\n"
        f"sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        "from models.diabetes.train import main\n"
        f"code = main({arguments!r})\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'mlflow']\n"
        "raise SystemExit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert ("MLflow was imported; install it with: pip install" in done.stderr) == bool(code)


def test_every_training_in_the_tree_is_tested_here() -> None:
    assert {path.parent.name for path in (ROOT / "models").glob("*/train.py")} == set(TRAININGS)
    assert all(isinstance(module, ModuleType) for module in TRAININGS.values())
