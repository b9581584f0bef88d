# /// script
# dependencies = ["fastapi", "uvicorn", "uvloop", "httptools", "scikit-learn", "pandas", "joblib"]
# ///
"""FastAPI with scikit-learn, as most tutorials build it: a pydantic model, a DataFrame of one row, two calls."""

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import joblib
import pandas as pd
import uvicorn
from fastapi import FastAPI  # type: ignore[import-not-found, unused-ignore]
from pydantic import Field, create_model  # type: ignore[import-not-found, unused-ignore]

KINDS: dict[str, Any] = {"number": float | None, "category": str | None}
DTYPES = {"number": "float64", "category": "str"}


def make(folder: Path) -> Any:
    """The application for the pipeline of a folder."""
    features: dict[str, str] = json.loads((folder / "features.json").read_text())
    pipeline = joblib.load(folder / "pipeline.joblib")
    fields: dict[str, Any] = {
        f"f{n}": (KINDS[kind], Field(alias=name)) for n, (name, kind) in enumerate(features.items())
    }
    row_type: Any = create_model("Row", **fields)
    app = FastAPI()

    async def predict(row: Any) -> dict[str, Any]:
        start = perf_counter()
        frame = pd.DataFrame([row.model_dump(by_alias=True)])
        for name, kind in features.items():
            frame[name] = frame[name].astype(DTYPES[kind])  # a column of one null has no type otherwise
        answer: dict[str, Any] = {"prediction": pipeline.predict(frame).tolist()[0]}
        if hasattr(pipeline, "predict_proba"):
            answer["probability"] = float(pipeline.predict_proba(frame)[0].max())
        return {**answer, "latency_ms": (perf_counter() - start) * 1e3}

    predict.__annotations__["row"] = row_type
    app.post("/predict")(predict)
    return app


if __name__ == "__main__":
    uvicorn.run(make(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="error", access_log=False)
