"""Rows as clients of the Open Inference Protocol ask for them, and what their answers ought to be.

Each model is asked as its metadata describes it: one input a column; where all columns are numbers, one matrix, as
KServe's and MLServer's clients send it. The outputs are those whose right answers are known. ``binary`` is the
protocol's tensor data extension, in which elements stand behind the JSON both ways; a category that is missing has no
bytes there, so that its input is left out.
"""

import json
import math
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import numpy as np

from runtime.manifest import Feature
from runtime.reading import key
from runtime.service.dialects.oip_metadata import datatype_of

from .errors import WrongAnswerError
from .load import JSON, Headers
from .subjects import Subject

__all__ = ["FORMS", "Asked", "asked"]

FORMS = ("json", "binary")

MATRIX = "input-0"

_CODES = {"FP64": "<d", "INT64": "<q", "BOOL": "<B"}


class Asked(NamedTuple):
    """A subject's rows as requests.

    headers: of each body. check: (index of the body, answer); raises WrongAnswerError.
    """

    path: str
    bodies: list[bytes]
    headers: list[Headers]
    check: Callable[[int, bytes], None]


def asked(subject: Subject, form: str) -> Asked:
    """The rows in one of FORMS."""
    binary = form == "binary"
    columns = subject.model.manifest.columns
    methods = [
        output.method
        for output in subject.model.manifest.outputs
        if output.method in subject.expected and (output.labels or len(output.tensors) == 1)  # else it has other names
    ]
    wanted: dict[str, Any] = {"outputs": [{"name": method} for method in methods]}
    if binary:
        wanted["parameters"] = {"binary_data_output": True}
    bodies: list[bytes] = []
    headers: list[Headers] = []
    for row in subject.rows:
        inputs, tensors = _inputs(columns, row, binary=binary)
        head = msgspec.json.encode({"inputs": inputs, **wanted})
        bodies.append(head + b"".join(tensors))
        headers.append(
            {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
            if binary
            else JSON
        )

    def check(index: int, answer: bytes) -> None:
        try:
            found = _read(answer, binary=binary)
        except (ValueError, LookupError, TypeError, struct.error) as error:
            raise WrongAnswerError(f"expected {subject.name}'s answer in {form}, found {answer[:80]!r}") from error
        if list(found) != methods:
            raise WrongAnswerError(f"expected {subject.name}'s outputs {methods}, found {list(found)}")
        for method in methods:
            subject.check(method, _like(found[method], np.asarray(subject.expected[method])[index]), index)

    name = subject.folder.resolve().parent.name
    return Asked(f"/v2/models/{name}/infer", bodies, headers, check)


def _inputs(columns: tuple[Feature, ...], row: dict[str, Any], *, binary: bool) -> tuple[list[Any], list[bytes]]:
    """A row's inputs, and what stands behind the JSON."""
    if all(feature.kind == "number" for feature in columns):
        values = [row[feature.name] for feature in columns]
        described: dict[str, Any] = {"name": MATRIX, "shape": [1, len(values)], "datatype": "FP64"}
        if not binary:
            return [{**described, "data": values}], []
        octets = struct.pack(f"<{len(values)}d", *(math.nan if value is None else value for value in values))
        return [{**described, "parameters": {"binary_data_size": len(octets)}}], [octets]
    inputs, tensors = [], []
    for feature in columns:
        value, datatype = row[feature.name], datatype_of(feature)
        described = {"name": feature.name, "shape": [1], "datatype": datatype}
        if not binary:
            inputs.append({**described, "data": [value]})
        elif value is not None or datatype == "FP64":
            tensors.append(_octets(datatype, value))
            inputs.append({**described, "parameters": {"binary_data_size": len(tensors[-1])}})
    return inputs, tensors


def _octets(datatype: str, value: Any) -> bytes:
    if datatype != "BYTES":
        return struct.pack(_CODES[datatype], math.nan if value is None else value)
    text = key(value).encode()
    return struct.pack("<I", len(text)) + text


def _read(answer: bytes, *, binary: bool) -> dict[str, list[Any]]:
    """Each output's elements."""
    if not binary:
        return {one["name"]: one["data"] for one in msgspec.json.decode(answer)["outputs"]}
    head, at = json.JSONDecoder().raw_decode(answer.decode("latin-1"))
    found = {}
    for one in head["outputs"]:
        end = at + one["parameters"]["binary_data_size"]
        found[one["name"]] = _elements(one["datatype"], answer[at:end])
        at = end
    if at != len(answer):
        raise ValueError("expected nothing behind the last tensor")
    return found


def _elements(datatype: str, octets: bytes) -> list[Any]:
    if datatype != "BYTES":
        return [value for (value,) in struct.iter_unpack(_CODES[datatype], octets)]
    texts, at = [], 0
    while at < len(octets):
        (size,) = struct.unpack_from("<I", octets, at)
        texts.append(octets[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return texts


def _like(values: list[Any], wanted: Any) -> Any:
    """One row of a method's answers, of the labels' kind."""
    row = np.asarray(values, None if np.asarray(wanted).dtype.kind in "OU" else np.asarray(wanted).dtype)
    return row.reshape(1, *np.shape(wanted))
