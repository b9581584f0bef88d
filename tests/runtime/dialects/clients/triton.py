"""Drives ``tritonclient.http``: python triton.py URL. Prints what it was answered, as one JSON object.

Runs in the environment of requirements-clients.txt, where nothing of this project is.
"""

import json
import sys
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import tritonclient.http as triton  # type: ignore[import-not-found]

DTYPES: dict[str, Any] = {
    "FP64": np.float64,
    "FP32": np.float32,
    "INT64": np.int64,
    "INT32": np.int32,
    "BOOL": np.bool_,
}
COLUMNS: dict[str, tuple[str, list[Any]]] = {
    "flag": ("BOOL", [True, False]),
    "code": ("INT64", [2, 2**53 + 1]),
    "carrier": ("BYTES", ["UA", "naïve"]),
    "capped": ("FP64", [4.5, 0.0]),
    "gap": ("FP64", [float("nan"), 0.5]),
    "naïve 航班": ("FP32", [3.0, -3.0]),
    "`q`": ("INT32", [1, 2]),
    "d.e": ("FP64", [-2.0, 1e-3]),
    "dep time": ("FP64", [1.5, 2.5]),
}


def tensor(name: str, datatype: str, values: list[Any], shape: list[int], binary: bool) -> Any:
    """An input, made by the client's own code."""
    array: Any = np.array(values, DTYPES.get(datatype, object)).reshape(shape)
    made = triton.InferInput(name, list(array.shape), datatype)
    return made.set_data_from_numpy(array, binary_data=binary)


def refused(call: Any) -> list[str]:
    """[status, sentence] of a call that fails."""
    try:
        call()
    except triton.InferenceServerException as error:
        return [error.status(), error.message()]
    raise AssertionError("expected a refusal")


def main(url: str) -> dict[str, Any]:
    """What the client was answered."""
    client = triton.InferenceServerClient(urlsplit(url).netloc)
    found: dict[str, Any] = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model": [client.is_model_ready("flights"), client.is_model_ready("nothing")],
        "server": client.get_server_metadata(),
        "metadata": client.get_model_metadata("flights"),
        "index": client.get_model_repository_index(),
        "answers": {},
    }
    version = found["metadata"]["versions"][0]
    for binary in (True, False):
        for shape in ([2], [2, 1]):
            inputs = [tensor(name, kind, values, shape, binary) for name, (kind, values) in COLUMNS.items()]
            wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("predict_proba", "predict")]
            for label, outputs in (("all", None), ("asked", wanted)):
                answer = client.infer("flights", inputs, version, outputs, request_id="r 7")
                response = answer.get_response()
                labels = [v.decode() if isinstance(v, bytes) else v for v in answer.as_numpy("predict")]
                found["answers"][f"{label} {binary} {shape}"] = {
                    "id": response["id"],
                    "version": response["model_version"],
                    "names": [output["name"] for output in response["outputs"]],
                    "predict": labels,
                    "predict_proba": answer.as_numpy("predict_proba").tolist(),
                }
    found["matrix"] = {
        f"{kind} {binary}": client.infer("cost", [tensor("X", kind, [1, 2, 3, 4], [2, 2], binary)])
        .as_numpy("predict")
        .tolist()
        for kind in ("FP64", "FP32", "INT64", "INT32")
        for binary in (True, False)
    }
    x = tensor("x", "FP64", [1.0], [1], True)
    found["unknown column"] = refused(lambda: client.infer("cost", [x, tensor("z", "FP64", [1.0], [1], True)]))
    found["unknown model"] = refused(lambda: client.infer("nothing", [x]))
    found["unknown output"] = refused(lambda: client.infer("cost", [x], outputs=[triton.InferRequestedOutput("no")]))
    return found


if __name__ == "__main__":
    json.dump(main(sys.argv[1]), sys.stdout)
