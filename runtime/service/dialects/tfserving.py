"""TensorFlow Serving's REST: source tensorflow/serving g3doc/api_rest.md.

``instances`` are rows and give ``predictions``; ``inputs`` are columns and give ``outputs``. A signature is one of the
pipeline's methods; ``serving_default`` is ``predict``. A label is an alias.
"""

from collections.abc import Callable
from typing import Any

from ...errors import InputError
from ...manifest import Output
from ...model import Answer, Model
from ...reading import key
from ...rows import Rows
from ..access import Policy
from ..endpoint import Asked, Operation, Reply
from ..problems import Refusal
from ..routing import ModelRoute, Route
from . import tables
from .bodies import decode, encode, one_key
from .cloudevents import events
from .oip_metadata import datatype_of, parts
from .pages import page

__all__ = ["ROUTES", "predict", "state", "verbs"]

_DEFAULT = "serving_default"


def predict(name: str, model: Model) -> Operation:
    """POST ...:predict."""

    def answer(asked: Asked) -> Reply:
        body = _object(asked.body, {"signature_name", "instances", "inputs"})
        rows, columns = "instances" in body, "inputs" in body
        if rows == columns:
            raise InputError("$", "expected an object with either instances or inputs, found another")
        output = _signature(model, body)
        if rows:
            return _reply("predictions", model, tables.instances(model, body["instances"]), output)
        content = body["inputs"]
        if content.__class__ is dict:
            return _reply("outputs", model, tables.columns(model, content), output)
        return _reply("outputs", model, tables.instances(model, content), output)

    return Operation(answer)


def _examples(method: str, read: Callable[[Model, Any], Any]) -> Callable[[str, Model], Operation]:
    """POST ...:classify and ...:regress: rows as examples, with the features that all share in ``context``."""

    def make(name: str, model: Model) -> Operation:
        output = _told(model, method)

        def answer(asked: Asked) -> Reply:
            if output is None:
                raise Refusal(400, "invalid", f"expected a model that can do this, found a {model.manifest.kind}")
            body = _object(asked.body, {"signature_name", "context", "examples"})
            shared, rows = body.get("context", {}), body.get("examples")
            if shared.__class__ is not dict or rows.__class__ is not list:
                raise InputError("$", "expected examples as an array of objects and context as an object, if any")
            merged = [{**shared, **row} if row.__class__ is dict else row for row in rows]
            found, response = tables.scored(model, tables.records(model, merged), output)
            return Reply(Answer(encode({"result": read(model, found)}), response.labels, response.rows))

        return Operation(answer)

    return make


def _told(model: Model, method: str) -> Output | None:
    """A method's output, if ``classify`` or ``regress`` can tell it: one array, and for ``predict`` a number a row."""
    output = model.manifest.output(method)
    if output is None or len(output.tensors) > 1 or (method == "predict" and (output.labels or output.shape)):
        return None
    return output


def verbs(model: Model) -> list[str]:
    """Which of ``classify`` and ``regress`` a model can do."""
    can = {"classify": "predict_proba", "regress": "predict"}
    return [verb for verb, method in can.items() if _told(model, method) is not None]


def _classes(model: Model, scores: list[list[float]]) -> list[list[list[Any]]]:
    names = [key(label) for label in model.manifest.classes[0]]
    return [[list(pair) for pair in zip(names, row, strict=True)] for row in scores]


def _reply(word: str, model: Model, matrix: Rows, output: Output) -> Reply:
    found, response = tables.scored(model, matrix, output)
    return Reply(Answer(encode({word: found}), response.labels, response.rows))


def _object(text: bytes, keys: set[str]) -> dict[str, Any]:
    body = decode(text)
    if body.__class__ is not dict or body.keys() - keys:
        raise InputError("$", f"expected an object of {', '.join(sorted(keys))}, found another")
    found: dict[str, Any] = body
    return found


def _signature(model: Model, body: dict[str, Any]) -> Output:
    said = body.get("signature_name", "")
    if said in ("", _DEFAULT):
        return tables.main(model)
    output = model.manifest.output(said) if said.__class__ is str else None
    if output is None:
        methods = ", ".join(output.method for output in model.manifest.outputs)
        raise InputError("$.signature_name", f"expected {_DEFAULT} or one of {methods}, found another")
    return output


def state(name: str, model: Model) -> dict[str, Any]:
    """What GET /v1/models/{name} says of a version that serves."""
    status = {"version": model.version, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    return {"model_version_status": [status]}


def _state(name: str, model: Model) -> Operation:
    return page(state(name, model))


_TYPES = {"FP64": "DT_DOUBLE", "FP32": "DT_FLOAT", "FP16": "DT_HALF", "BOOL": "DT_BOOL", "BYTES": "DT_STRING"}


def _metadata(name: str, model: Model) -> Operation:
    manifest = model.manifest
    inputs = {feature.name: _tensor(feature.name, datatype_of(feature), ()) for feature in manifest.columns}

    def signature(output: Output) -> dict[str, Any]:
        outputs = {part.name: _tensor(part.name, part.datatype, part.shape) for part in parts(manifest, output)}
        return {"inputs": inputs, "outputs": outputs, "method_name": "tensorflow/serving/predict"}

    signatures = {output.method: signature(output) for output in manifest.outputs}
    signatures = {_DEFAULT: signature(tables.main(model)), **signatures}
    spec = {"name": name, "signature_name": "", "version": model.version}
    return page({"model_spec": spec, "metadata": {"signature_def": {"signature_def": signatures}}})


def _tensor(name: str, datatype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    sizes = [{"size": str(size), "name": ""} for size in (-1, *shape)]
    dtype = _TYPES.get(datatype, f"DT_{datatype}")
    return {"dtype": dtype, "tensor_shape": {"dim": sizes, "unknown_rank": False}, "name": name}


_classify = _examples("predict_proba", _classes)
_regress = _examples("predict", lambda _, found: found)

ROUTES: tuple[Route, ...] = (
    *(
        ModelRoute(f"/v1/models/{model}{path}", methods, one_key, Policy.MODEL)
        for model in ("{name}@{label}", "{name}", "{name}/versions/{version}", "{name}/labels/{label}")
        for path, methods in (
            ("", {"GET": _state}),
            ("/metadata", {"GET": _metadata}),
            (":predict", {"POST": events(predict)}),
            (":classify", {"POST": _classify}),
            (":regress", {"POST": _regress}),
        )
    ),
)
