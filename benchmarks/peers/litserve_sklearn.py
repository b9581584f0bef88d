# /// script
# dependencies = ["litserve", "scikit-learn", "pandas", "joblib"]
# ///
"""LitServe with scikit-learn: a LitAPI, one worker, as its documentation builds it."""

import json
import sys
from pathlib import Path
from typing import Any

import joblib
import litserve  # type: ignore[import-not-found, unused-ignore]
import pandas as pd

DTYPES = {"number": "float64", "category": "str"}


class Pipeline(litserve.LitAPI):  # type: ignore[misc, unused-ignore]
    """Lives in the worker's process; a request comes to it over a queue."""

    folder: Path

    def setup(self, device: str) -> None:
        """Open the pipeline."""
        self.pipeline = joblib.load(self.folder / "pipeline.joblib")
        features: dict[str, str] = json.loads((self.folder / "features.json").read_text())
        self.types = {name: DTYPES[kind] for name, kind in features.items()}

    def decode_request(self, request: dict[str, Any]) -> Any:
        """A frame of one row."""
        return pd.DataFrame([request]).astype(self.types)

    def predict(self, frame: Any) -> dict[str, Any]:
        """Two calls."""
        answer: dict[str, Any] = {"prediction": self.pipeline.predict(frame).tolist()[0]}
        if hasattr(self.pipeline, "predict_proba"):
            answer["probability"] = float(self.pipeline.predict_proba(frame)[0].max())
        return answer

    def encode_response(self, answer: dict[str, Any]) -> dict[str, Any]:
        """As it is."""
        return answer


def make(folder: Path) -> Any:
    """The server for the pipeline of a folder."""
    api = Pipeline(api_path="/predict")
    api.folder = folder
    return litserve.LitServer(api, accelerator="cpu")


if __name__ == "__main__":
    make(Path(sys.argv[1])).run(
        host="127.0.0.1", port=int(sys.argv[2]), log_level="error", access_log=False, generate_client_file=False
    )
