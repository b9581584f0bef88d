# /// script
# dependencies = ["kserve>=0.15", "scikit-learn", "joblib"]
# [tool.peer]
# contract = "instances"
# path = "/v1/models/model:predict"
# own_versions = true  # it wants an older pandas and protobuf
# ///
"""KServe's Python server with scikit-learn: a Model of one's own, the v1 protocol."""

import json
import sys
from pathlib import Path
from typing import Any

import joblib
import kserve  # type: ignore[import-not-found, unused-ignore]
import numpy as np
import pandas as pd

DTYPES = {"number": "float64", "category": "object"}


class Pipeline(kserve.Model):  # type: ignore[misc, unused-ignore]
    """Takes instances that are objects, for columns have types of their own."""

    def __init__(self, folder: Path) -> None:
        super().__init__("model")
        self.pipeline = joblib.load(folder / "pipeline.joblib")
        features: dict[str, str] = json.loads((folder / "features.json").read_text())
        self.types = {name: DTYPES[kind] for name, kind in features.items()}
        self.ready = True

    def predict(self, payload: dict[str, Any], headers: Any = None, response_headers: Any = None) -> dict[str, Any]:
        """Two calls."""
        frame = pd.DataFrame(payload["instances"]).replace({None: np.nan}).astype(self.types)
        answers = [{"prediction": prediction} for prediction in self.pipeline.predict(frame).tolist()]
        if hasattr(self.pipeline, "predict_proba"):
            for answer, scores in zip(answers, self.pipeline.predict_proba(frame), strict=True):
                answer["probability"] = float(scores.max())
        return {"predictions": answers}


def make(folder: Path) -> Any:
    """The model for the pipeline of a folder."""
    return Pipeline(folder)


if __name__ == "__main__":
    kserve.ModelServer(http_port=int(sys.argv[2]), enable_grpc=False).start([make(Path(sys.argv[1]))])
