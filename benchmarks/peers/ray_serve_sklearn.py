# /// script
# dependencies = ["ray[serve]", "scikit-learn", "pandas", "joblib"]
# ///
"""Ray Serve with scikit-learn: one replica behind its proxy, as its documentation builds it."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import joblib
import pandas as pd
import ray  # type: ignore[import-not-found, unused-ignore]
from ray import serve  # type: ignore[import-not-found, unused-ignore]

DTYPES = {"number": "float64", "category": "str"}


@serve.deployment  # type: ignore[untyped-decorator, unused-ignore]
class Pipeline:
    """Lives in the replica's process."""

    def __init__(self, folder: Path) -> None:
        self.pipeline = joblib.load(folder / "pipeline.joblib")
        features: dict[str, str] = json.loads((folder / "features.json").read_text())
        self.types = {name: DTYPES[kind] for name, kind in features.items()}

    async def __call__(self, request: Any) -> dict[str, Any]:
        """Two calls."""
        frame = pd.DataFrame([await request.json()]).astype(self.types)
        answer: dict[str, Any] = {"prediction": self.pipeline.predict(frame).tolist()[0]}
        if hasattr(self.pipeline, "predict_proba"):
            answer["probability"] = float(self.pipeline.predict_proba(frame)[0].max())
        return answer


def make(folder: Path) -> Any:
    """The application for the pipeline of a folder."""
    deployment: Any = Pipeline
    return deployment.bind(folder)


if __name__ == "__main__":
    ray.init(include_dashboard=False, num_cpus=2, object_store_memory=80_000_000, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(make(Path(sys.argv[1])), route_prefix="/predict")
    while True:
        time.sleep(60)
