"""Drives ``kserve.InferenceRESTClient`` with both protocols: python kserve_client.py URL. Prints one JSON object.

Runs in the environment of requirements-clients.txt, where nothing of this project is.
"""

import asyncio
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig  # type: ignore[import-not-found]


async def refused(call: Any) -> int:
    """The status of a call that fails."""
    try:
        await call
    except httpx.HTTPStatusError as error:
        return error.response.status_code
    raise AssertionError("expected a refusal")


async def first(url: str) -> dict[str, Any]:
    """Version 1."""
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    body = {"instances": [{"y": 2, "x": 1}, {"x": 3.5}]}
    return {
        "live": await client.is_server_live(url),
        "model": await client.is_model_ready(url, "cost"),
        "unknown": await refused(client.is_model_ready(url, "nothing")),
        "dicts": await client.infer(url, body, model_name="cost"),
        "lists": await client.infer(url, {"instances": [[1, 2], [3.5, None]]}, model_name="cost"),
        "refused": await refused(client.infer(url, {"instances": [{"x": "a"}]}, model_name="cost")),
    }


async def second(url: str) -> dict[str, Any]:
    """Version 2."""
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    found: dict[str, Any] = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model": [await client.is_model_ready(url, name) for name in ("cost", "nothing")],
        "answers": {},
    }
    for binary in (True, False):
        for datatype, dtype in (("FP64", np.float64), ("FP32", np.float32), ("INT64", np.int64)):
            inputs = []
            for name, values in (("y", [2, 4]), ("x", [1, 3])):
                made = InferInput(name, [2, 1], datatype)
                made.set_data_from_numpy(np.array(values, dtype).reshape(2, 1), binary_data=binary)
                inputs.append(made)
            request = InferRequest("cost", inputs, request_id="r-7", parameters={"binary_data_output": binary})
            answer = await client.infer(url, request, model_name="cost")
            found["answers"][f"{datatype} {binary}"] = [answer.id, answer.outputs[0].as_numpy().tolist()]
    unknown = InferInput("z", [1], "FP64", data=[1.0])
    found["refused"] = await refused(client.infer(url, InferRequest("cost", [unknown]), model_name="cost"))
    return found


async def main(url: str) -> dict[str, Any]:
    """What the client was answered."""
    return {"v1": await first(url), "v2": await second(url)}


if __name__ == "__main__":
    json.dump(asyncio.run(main(sys.argv[1])), sys.stdout)
