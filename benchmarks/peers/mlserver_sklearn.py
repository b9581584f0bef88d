# /// script
# dependencies = ["mlserver>=1.7", "mlserver-sklearn>=1.7", "uvloop<0.22", "scikit-learn", "pandas", "joblib"]
# [tool.peer]
# contract = "tensors"
# path = "/v2/models/model/infer"
# not_yet = 400
# own_versions = true  # it wants an older FastAPI, and its workers end under a newer uvloop
# ///
"""MLServer with its runtime for scikit-learn: the Open Inference Protocol, one worker process, metrics on."""

import json
import os
import sys
from pathlib import Path


def make(folder: Path, port: int) -> Path:
    """The settings of a server and of the pipeline of a folder, as a folder."""
    settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": 0, "metrics_port": 0, "metrics_dir": str(folder)}
    model = {"name": "model", "implementation": "mlserver_sklearn.SKLearnModel"}
    made = folder / "mlserver"
    made.mkdir(exist_ok=True)
    (made / "settings.json").write_text(json.dumps(settings))  # ports of 0 are any that are free
    uri = {"uri": str(folder / "pipeline.joblib")}
    (made / "model-settings.json").write_text(json.dumps({**model, "parameters": uri}))
    return made


if __name__ == "__main__":
    os.execvp("mlserver", ["mlserver", "start", str(make(Path(sys.argv[1]), int(sys.argv[2])))])
