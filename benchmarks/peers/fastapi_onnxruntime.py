# /// script
# dependencies = ["fastapi", "uvicorn", "uvloop", "httptools", "onnxruntime", "numpy"]
# ///
"""FastAPI with onnxruntime on skl2onnx's float32 graph: a pydantic model, one array or an array a column, one run."""

import json
import os
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI  # type: ignore[import-not-found, unused-ignore]
from pydantic import Field, create_model  # type: ignore[import-not-found, unused-ignore]

KINDS: dict[str, Any] = {"number": float | None, "category": str | None}
DTYPES: dict[str, Any] = {"number": np.float32, "category": object}


def make(folder: Path) -> Any:
    """The application for the graph of a folder."""
    features: dict[str, str] = json.loads((folder / "features.json").read_text())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "float32.onnx", options, providers=["CPUExecutionProvider"])
    inputs = [value.name for value in session.get_inputs()]
    fields: dict[str, Any] = {
        f"f{n}": (KINDS[kind], Field(alias=name)) for n, (name, kind) in enumerate(features.items())
    }
    row_type: Any = create_model("Row", **fields)
    app = FastAPI()

    async def predict(row: Any) -> dict[str, Any]:
        start = perf_counter()
        values = [getattr(row, field) for field in fields]
        if len(inputs) == 1:
            feed = {inputs[0]: np.array([values], np.float32)}
        else:
            kinds = zip(inputs, values, features.values(), strict=True)
            feed = {name: np.array([[value]], DTYPES[kind]) for name, value, kind in kinds}
        label, *scores = session.run(None, feed)
        answer = {"prediction": np.ravel(label).tolist()[0]}
        if scores:
            answer["probability"] = float(scores[0][0].max())
        return {**answer, "latency_ms": (perf_counter() - start) * 1e3}

    predict.__annotations__["row"] = row_type
    app.post("/predict")(predict)
    return app


if __name__ == "__main__":
    uvicorn.run(make(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="error", access_log=False)
