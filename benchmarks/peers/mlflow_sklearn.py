# /// script
# dependencies = ["mlflow>=3.5", "scikit-learn", "pandas", "joblib"]
# [tool.peer]
# contract = "frame"
# path = "/invocations"
# own_versions = true  # it wants an older protobuf
# ///
"""MLflow's scoring server of a logged scikit-learn model with a signature: labels, and no probabilities."""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["MLFLOW_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "true"

import joblib
import mlflow  # type: ignore[import-not-found, unused-ignore]
from mlflow.models import ModelSignature  # type: ignore[import-not-found, unused-ignore]
from mlflow.types import ColSpec, Schema  # type: ignore[import-not-found, unused-ignore]

TYPES = {"number": "double", "category": "string"}


def make(folder: Path) -> Any:
    """The saved model of the pipeline of a folder, as a path."""
    features: dict[str, str] = json.loads((folder / "features.json").read_text())
    signature = ModelSignature(Schema([ColSpec(TYPES[kind], name) for name, kind in features.items()]))
    pipeline = joblib.load(folder / "pipeline.joblib")
    mlflow.sklearn.save_model(pipeline, folder / "mlflow", signature=signature, serialization_format="pickle")
    return folder / "mlflow"


if __name__ == "__main__":
    command = ["-m", "mlflow", "models", "serve", "-m", str(make(Path(sys.argv[1]))), "-p", sys.argv[2]]
    os.execv(sys.executable, [sys.executable, *command, "-h", "127.0.0.1", "--env-manager", "local"])
