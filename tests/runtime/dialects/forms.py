"""Rows in each dialect's words, written here a second time, and the answers read back."""

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.service.front import Front

from ..asgi import Answer, post, request

TYPES = {"FP32": "<f4", "FP64": "<f8", "INT32": "<i4", "INT64": "<i8", "UINT8": "<u1", "BOOL": "?", "FP16": "<f2"}

DATATYPES = {
    **dict.fromkeys(("dep time", "d.e", "`q`", "naïve 航班", "gap", "capped"), "FP64"),
    "carrier": "BYTES",
    "code": "INT64",
    "flag": "BOOL",
}
"""Of flights."""


def columns(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows as columns."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def tensors(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of flights as inputs of the Open Inference Protocol, the last column first."""
    found = [
        {"name": name, "shape": [len(rows)], "datatype": DATATYPES[name], "data": values}
        for name, values in columns(rows).items()
    ]
    return found[::-1]


def encoded(datatype: str, values: Sequence[Any]) -> bytes:
    """A tensor's bytes."""
    if datatype == "BYTES":
        parts = [value.encode() for value in values]
        return b"".join(struct.pack("<I", len(part)) + part for part in parts)
    return np.array(values, TYPES[datatype]).tobytes()


def binary(inputs: Sequence[dict[str, Any]], **more: Any) -> tuple[bytes, int]:
    """A body with every input behind its JSON, and the length of that."""
    raw = [encoded(tensor["datatype"], np.ravel(tensor["data"]).tolist()) for tensor in inputs]
    described = [
        {
            **{key: value for key, value in tensor.items() if key != "data"},
            "parameters": {"binary_data_size": len(part)},
        }
        for tensor, part in zip(inputs, raw, strict=True)
    ]
    head = json.dumps({**more, "inputs": described}).encode()
    return head + b"".join(raw), len(head)


def infer(service: Front, inputs: Any, *, model: str = "flights", **more: Any) -> Answer:
    """POST /v2/models/{model}/infer."""
    return post(service, f"/v2/models/{model}/infer", {**more, "inputs": inputs})


def infer_binary(service: Front, body: bytes, length: Any, *, model: str = "flights") -> Answer:
    """The same with tensors behind the JSON."""
    headers = {"inference-header-content-length": str(length), "content-type": "application/octet-stream"}
    return request(service, "POST", f"/v2/models/{model}/infer", body, headers=headers)


def outputs(answer: Answer) -> dict[str, NDArray[Any]]:
    """The outputs by name, JSON's and those behind it."""
    assert answer.status == 200, answer
    length = answer.headers.get("inference-header-content-length")
    kind = answer.headers["content-type"]
    if ";json-header-size=" in kind:
        length = kind.partition(";json-header-size=")[2]
    elif length is None:
        assert kind == "application/json"
    head = strict(answer.body[: int(length)] if length else answer.body)
    at = int(length) if length else len(answer.body)
    found = {}
    for output in head["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        assert (size is None) is ("data" in output)
        if size is None:
            values = np.array(output["data"], TYPES.get(output["datatype"], object))
        else:
            part, at = answer.body[at : at + size], at + size
            values = (
                np.array(texts(part))
                if output["datatype"] == "BYTES"
                else np.frombuffer(part, TYPES[output["datatype"]])
            )
        found[output["name"]] = values.reshape(output["shape"])
    assert at == len(answer.body)
    return found


def texts(part: bytes) -> list[str]:
    """The elements of BYTES."""
    found = []
    while part:
        (size,) = struct.unpack_from("<I", part)
        found.append(part[4 : 4 + size].decode())
        part = part[4 + size :]
    return found


def strict(body: bytes) -> Any:
    """JSON, and nothing that only Python takes for it."""

    def never(token: str) -> Any:
        raise AssertionError(f"found {token} in JSON")

    return json.loads(body, parse_constant=never)
