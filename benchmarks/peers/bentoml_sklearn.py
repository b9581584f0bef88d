# /// script
# dependencies = ["bentoml>=1.4", "scikit-learn", "pandas", "joblib"]
# [tool.peer]
# contract = "named row"
# own_versions = true  # it wants an older OpenTelemetry
# ///
"""BentoML with scikit-learn: a service class, one worker, as its documentation builds it."""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["BENTOML_DO_NOT_TRACK"] = "True"

import bentoml  # type: ignore[import-not-found, unused-ignore]
import joblib
import pandas as pd

DTYPES = {"number": "float64", "category": "str"}


def make(folder: Path) -> Any:
    """The service for the pipeline of a folder."""

    @bentoml.service(traffic={"timeout": 60})  # type: ignore[untyped-decorator, unused-ignore]
    class Pipeline:
        def __init__(self) -> None:
            self.pipeline = joblib.load(folder / "pipeline.joblib")
            features: dict[str, str] = json.loads((folder / "features.json").read_text())
            self.types = {name: DTYPES[kind] for name, kind in features.items()}

        @bentoml.api  # type: ignore[untyped-decorator, unused-ignore]
        def predict(self, row: dict[str, Any]) -> dict[str, Any]:
            frame = pd.DataFrame([row]).astype(self.types)
            answer: dict[str, Any] = {"prediction": self.pipeline.predict(frame).tolist()[0]}
            if hasattr(self.pipeline, "predict_proba"):
                answer["probability"] = float(self.pipeline.predict_proba(frame)[0].max())
            return answer

    return Pipeline


if __name__ == "__main__":
    os.environ["BENTOML_HOME"] = os.environ["PEER_FOLDER"] = sys.argv[1]
    where = ["--working-dir", str(Path(__file__).parent), "--host", "127.0.0.1", "--port", sys.argv[2]]
    os.execv(sys.executable, [sys.executable, "-m", "bentoml", "serve", f"{Path(__file__).stem}:SERVICE", *where])

SERVICE = make(Path(os.environ["PEER_FOLDER"]))
