"""The Open Inference Protocol, version 2, REST: what Triton, KServe, MLServer and OpenVINO Model Server speak.

Source: open-inference-protocol specification/protocol/inference_rest.md, and for tensors behind the JSON Triton's
extension_binary_data.md. A model of a table has one input a column, [N] or [N, 1], in any order, and one output a
method. Where all columns are numbers or booleans, one input ``X`` or ``input-0`` of shape [N, columns] does as well.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...manifest import Feature, Output
from ...model import Answer, Model
from ...rows import Rows
from ..access import Policy
from ..catalog import Catalog
from ..deadline import check_timeout
from ..endpoint import Asked, Operation, Reply
from ..problems import Refusal
from ..routing import ModelRoute, Route, ServiceRoute
from .bodies import encode, one_key, shaped
from .oip_binary import DTYPES, enveloped, split, written
from .oip_forms import MATRIX, Wanted
from .oip_metadata import datatype_of, metadata, parts
from .oip_row import OneRow
from .pages import page, version

__all__ = ["ROUTES", "index_of", "infer"]


class _Input(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: Any = None


class _Request(msgspec.Struct):
    inputs: list[_Input]
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: list[Wanted] | None = None


class _Ready(msgspec.Struct):
    ready: bool = False


_decoder = msgspec.json.Decoder(_Request)


def infer(name: str, model: Model) -> Operation:
    """POST .../infer. Reserved parameters but ``timeout`` and unknown ones are let through unread."""
    # Every output is a method's, or one array of it where the pipeline returns a list of them.
    known = {part.name: part for output in model.manifest.outputs for part in parts(model.manifest, output)}
    features = {feature.name: feature for feature in model.manifest.inputs}
    plain = all(feature.kind not in ("category", "text", "date") for feature in model.manifest.columns)
    everything = [Wanted(part) for part in known]
    one_row = OneRow(name, model, known)

    def answer(asked: Asked) -> Reply:
        return one_row(asked) or in_general(asked)

    def in_general(asked: Asked) -> Reply:
        text, reader = split(asked.headers, asked.body)
        request = shaped(text, _decoder)
        if "timeout" in request.parameters:
            check_timeout(request.parameters["timeout"], asked.came, asked.until)
        columns = {}
        for place, tensor in enumerate(request.inputs):
            if tensor.name in columns:
                raise InputError(f"$.inputs[{place}]", "expected each input once, found one twice")
            columns[tensor.name] = _values(tensor, reader, f"$.inputs[{place}]")
        reader.finish()
        matrix = _matrix(model, features, request.inputs, columns, plain=plain)
        wanted = request.outputs or everything
        for asked_for in wanted:
            if asked_for.name not in known:
                offered = ", ".join(known)
                raise Refusal(400, "invalid", f"expected outputs among {offered}, found another")
        methods: list[Output] = list({known[one.name].output.method: known[one.name].output for one in wanted}.values())
        response = model.respond(matrix, methods)
        arrays = {output.method: array for output, array in zip(methods, response.answers, strict=True)}
        binary = request.parameters.get("binary_data_output", False) is True
        outputs: list[dict[str, Any]] = []
        tensors: list[bytes] = []
        for one in wanted:
            part = known[one.name]
            array = part.of(arrays[part.output.method])
            described: dict[str, Any] = {"name": one.name, "shape": list(array.shape), "datatype": part.datatype}
            values = part.values(array)
            if one.parameters.get("binary_data", binary) is True:
                tensors.append(written(part.datatype, values))
                described["parameters"] = {"binary_data_size": len(tensors[-1])}
            else:
                described["data"] = values.tolist() if isinstance(values, np.ndarray) else values
            outputs.append(described)
        head: dict[str, Any] = {"model_name": name, "model_version": model.version}
        if request.id is not None:
            head["id"] = request.id
        body = encode({**head, "outputs": outputs})
        if not tensors:
            return Reply(Answer(body, response.labels, response.rows))
        whole, media_type, headers = enveloped(asked.headers, body, tensors)
        return Reply(Answer(whole, response.labels, response.rows), media_type, headers)

    return Operation(answer)


def _values(tensor: _Input, reader: Any, where: str) -> NDArray[Any] | list[Any]:
    """An input's elements, flat; checked against its datatype and shape. Raises InputError."""
    datatype = tensor.datatype
    if datatype not in DTYPES and datatype != "BYTES":
        raise InputError(where, f"expected a datatype among {', '.join(DTYPES)} and BYTES, found another")
    if not 1 <= len(tensor.shape) <= 2 or any(not 0 <= length < 2**31 for length in tensor.shape):
        raise InputError(where, "expected a shape [N], [N, 1] or [N, columns], found another")
    count = math.prod(tensor.shape)
    if "binary_data_size" in tensor.parameters:
        found: NDArray[Any] | list[str] = reader.take(datatype, count, tensor.parameters["binary_data_size"], where)
        return found
    data = tensor.data
    if data.__class__ is not list:
        raise InputError(where, "expected data as an array, or binary_data_size among the parameters")
    if data and data[0].__class__ is list:
        if len(tensor.shape) == 1 or any(part.__class__ is not list or len(part) != tensor.shape[1] for part in data):
            raise InputError(where, "expected data nested as its shape says, found otherwise")
        data = list(chain.from_iterable(data))
    if len(data) != count:
        raise InputError(where, f"expected {count} elements as its shape says, got {len(data)}")
    if datatype == "FP16":
        raise InputError(where, "FP16 data cannot be sent as JSON; use the binary data format")
    return _typed(datatype, data, where)


_KINDS: dict[str, frozenset[type]] = {
    "BOOL": frozenset((bool, type(None))),
    "BYTES": frozenset((str, type(None))),
    "FP32": frozenset((float, int, type(None))),
    "FP64": frozenset((float, int, type(None))),
}
_INTEGERS = frozenset((int, type(None)))


def _typed(datatype: str, data: list[Any], where: str) -> NDArray[Any] | list[Any]:
    """JSON's values as their datatype says; null is a missing value. A list where NumPy would lose what they are."""
    kinds = set(map(type, data))
    if not kinds <= _KINDS.get(datatype, _INTEGERS):
        raise InputError(where, f"expected data of {datatype} and null where it is missing, found another type")
    try:
        if datatype == "BYTES" or (type(None) in kinds and datatype not in ("FP32", "FP64")):
            return data
        return np.array(data, DTYPES[datatype])
    except OverflowError as error:
        raise InputError(where, f"expected numbers that {datatype} can hold, got one outside", fault="range") from error


def _matrix(
    model: Model, features: dict[str, Feature], inputs: list[_Input], columns: dict[str, Any], *, plain: bool
) -> Rows:
    """The rows of all inputs; features: by name; plain: whether all of them are numbers or booleans. Raises
    InputError."""
    if len(inputs) == 1 and inputs[0].name in MATRIX and inputs[0].name not in features:
        values = columns[inputs[0].name]
        if not plain:
            raise InputError("$.inputs[0]", "expected one input a column, for some hold no numbers; found one matrix")
        if len(inputs[0].shape) != 2 or inputs[0].datatype == "BYTES" or isinstance(values, list):
            raise InputError("$.inputs[0]", f"expected numbers of shape [N, {len(features)}], found another")
        return model.tensors.of(values.reshape(inputs[0].shape).astype(np.float64, copy=False))
    for place, tensor in enumerate(inputs):
        if tensor.name not in features:
            raise InputError(f"$.inputs[{place}]", f"unknown field {tensor.name[:64]!r}")
        if tensor.shape[1:] not in ([], [1]):
            raise InputError(f"$.inputs[{place}]", "expected a column of shape [N] or [N, 1], found another")
        feature = features[tensor.name]
        if feature.kind == "number" and tensor.datatype == "BYTES":
            raise InputError(f"$.inputs[{place}]", f"expected datatype {datatype_of(feature)}, got BYTES")
    if not inputs:
        raise InputError("$.inputs", "expected one input a column, found none")
    return model.tensors.table(columns, inputs[0].shape[0])


def _described(name: str, model: Model) -> Operation:
    return page(metadata(name, model))


def _model_ready(name: str, model: Model) -> Operation:
    return page({"name": name, "ready": True}, readiness=True)


def _server(catalog: Catalog) -> Operation:
    return page({"name": "pipetwin", "version": version(), "extensions": ["binary_tensor_data", "model_repository"]})


def _live(catalog: Catalog) -> Operation:
    return page({"live": True})


def _ready(catalog: Catalog) -> Operation:
    """``live`` stands there for the specification's own (misprinted) body."""
    if not catalog.models:
        return page({"error": "no model is loaded", "ready": False, "live": True}, 503)
    return page({"ready": True, "live": True}, readiness=True)


def _every(catalog: Catalog) -> Operation:
    return page({"models": sorted(catalog.models)})


def _index(catalog: Catalog) -> Operation:

    def answer(asked: Asked) -> Reply:
        return Reply(Answer(encode(index_of(catalog.versions, catalog.unloaded, asked.body)), (), 0))

    return Operation(answer, predicts=False)


def index_of(versions: Mapping[str, str], unloaded: Sequence[str], body: bytes) -> list[dict[str, str]]:
    """The models of the repository, by name: those that serve, and unless the body asks for those alone, the others.

    Raises Refusal 400.
    """
    try:
        ready = msgspec.json.decode(body or b"{}", type=_Ready).ready
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "malformed", "expected an object of ready, or nothing, found another") from error
    found = [{"name": name, "version": version, "state": "READY", "reason": ""} for name, version in versions.items()]
    if not ready:
        found += [{"name": name, "version": "", "state": "UNAVAILABLE", "reason": "unloaded"} for name in unloaded]
    return sorted(found, key=lambda one: one["name"])


ROUTES: tuple[Route, ...] = (
    ServiceRoute("/v2", {"GET": _server}, one_key, Policy.READ),
    ServiceRoute("/v2/health/live", {"GET": _live}, one_key, Policy.OPEN),
    ServiceRoute("/v2/health/ready", {"GET": _ready}, one_key, Policy.OPEN),
    ServiceRoute("/v2/models", {"GET": _every}, one_key, Policy.READ),
    ServiceRoute("/v2/repository/index", {"POST": _index}, one_key, Policy.READ),
    *(
        ModelRoute(f"/v2/models/{model}{path}", methods, one_key, Policy.MODEL)
        for model in ("{name}@{label}", "{name}", "{name}/versions/{label}", "{name}/versions/{version}")
        for path, methods in (
            ("", {"GET": _described}),
            ("/ready", {"GET": _model_ready}),
            ("/infer", {"POST": infer}),
        )
    ),
)
