import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from models.diabetes.train import main


class FakeMlflow:
    """Stands where MLflow would and remembers what it was told."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self.fails_at = ""

        class MlflowError(Exception):
            pass

        self.error = MlflowError

    def tell(self, what: str, value: object) -> None:
        if what == self.fails_at:
            raise self.error("the server is away. Further sentences.\nFurther lines.")
        self.told[what] = value

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        yield


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeMlflow:
    fake = FakeMlflow()
    module: Any = ModuleType("mlflow")
    module.exceptions = ModuleType("mlflow.exceptions")
    module.exceptions.MlflowException = fake.error
    module.sklearn = ModuleType("mlflow.sklearn")
    module.set_tracking_uri = lambda uri: fake.tell("uri", uri)
    module.set_experiment = lambda name: fake.tell("experiment", name)
    module.start_run = fake.run
    module.log_params = lambda values: fake.tell("parameters", values)
    module.log_metrics = lambda values: fake.tell("metrics", values)
    module.sklearn.log_model = lambda model, name, serialization_format: fake.tell("model", model)
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", module.exceptions)
    monkeypatch.setitem(sys.modules, "mlflow.sklearn", module.sklearn)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "")  # first set, so that it is put back whatever the code does
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")
    return fake


def test_a_run_has_parameters_metrics_and_the_model(
    fake: FakeMlflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--seed", "3", "--rows", "300", "--mlflow", "sqlite:///runs.db"]) == 0
    assert fake.told["uri"] == "sqlite:///runs.db"
    assert fake.told["experiment"] == "diabetes"
    parameters = fake.told["parameters"]
    assert (parameters["seed"], parameters["rows"], parameters["features"]) == (3, 300, 10)
    assert parameters["learning_rate"] == 0.05
    assert set(fake.told["metrics"]) == {"cross_validated", "test_r2", "test_mean_absolute_error"}
    assert all(isinstance(value, float) for value in fake.told["metrics"].values())
    assert fake.told["model"].n_features_in_ == 10
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_server_that_is_away_is_found_before_the_training(
    fake: FakeMlflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    fake.fails_at = "experiment"
    assert main(["--mlflow", "http://away"]) == 2
    error = capsys.readouterr().err
    assert "diabetes: expected an MLflow server or database at http://away, found: the server is away; give" in error
    assert "reading" not in error
    assert not Path("build/diabetes/pipeline.joblib").exists()


def test_a_run_that_is_refused_leaves_the_files(
    fake: FakeMlflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    fake.fails_at = "model"
    assert main(["--mlflow", "http://refuses"]) == 2
    assert "expected MLflow to take the run, found: the server is away; the files are" in capsys.readouterr().err
    assert Path("build/diabetes/pipeline.joblib").exists()
