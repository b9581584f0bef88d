"""Drives MLflow's own client of its scoring server: python mlflow_client.py URL. Prints one JSON object.

Runs in the environment of requirements-clients.txt, where nothing of this project is.
"""

import json
import sys
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import requests  # type: ignore[import-untyped,unused-ignore]
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from mlflow.utils.proto_json_utils import dump_input_data


def main(url: str) -> dict[str, Any]:
    """What the client was answered."""
    parts = urlsplit(url)
    client = ScoringServerClient(parts.hostname, parts.port)
    client.ping()
    client.wait_server_ready(timeout=5)
    frame = pd.DataFrame({"extra": ["a", "b"], "y": [2.0, np.nan], "x": [1, 3]})
    try:
        client.invoke(pd.DataFrame({"x": ["a"], "y": [1.0]}))
    except Exception as error:
        refused = str(error)
    headers = {"content-type": "application/json"}
    records = json.dumps(
        {"dataframe_records": frame.to_dict(orient="records")}
    )  # NaN stays a token, as MLflow's docs do
    named = dump_input_data(frame[["x", "y"]].fillna(0.5), inputs_key="instances")
    return {
        "version": client.get_version(),
        "frame": client.invoke(frame)["predictions"],
        "array": client.invoke(np.array([[1.0, 2.0], [3.0, 0.5]]))["predictions"],
        "list": client.invoke([[1, 2], [3, 0.5]])["predictions"],
        "frame again": client.invoke(frame).get_predictions().to_numpy().ravel().tolist(),
        "records": requests.post(f"{url}/invocations", records, headers=headers, timeout=9).json()["predictions"],
        "split": requests.post(f"{url}/invocations", named, headers=headers, timeout=9).json()["predictions"],
        "csv": requests.post(
            f"{url}/invocations", frame.to_csv(index=False), headers={"content-type": "text/csv"}, timeout=9
        ).json()["predictions"],
        "refused": refused,
    }


if __name__ == "__main__":
    json.dump(main(sys.argv[1]), sys.stdout)
