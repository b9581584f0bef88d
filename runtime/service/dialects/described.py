"""OpenAPI's paths of the dialects, with an example of each that the model takes.

Paths of versions and aliases are left out, for they take and answer what the model's own path does.
"""

from typing import Any

from ...manifest import Feature
from ...model import Model
from ...schema import example
from ..catalog import Catalog
from . import tables, tfserving
from .oip_binary import DTYPES
from .oip_metadata import datatype_of, parts

__all__ = ["LISTS", "OPEN", "SCHEMAS", "described", "error_of"]

OPEN = ("/", "/ping", "/v2/health/live", "/v2/health/ready")
"""The paths that ask for no key."""

LISTS = ("/version", "/v1/models", "/v2", "/v2/models", "/v2/repository/index")
"""The paths that take any key."""

SCHEMAS: dict[str, Any] = {
    "Error": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
    "MlflowError": {
        "type": "object",
        "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
        "required": ["error_code", "message"],
    },
}

_ARRAY: dict[str, Any] = {"type": "array"}
_TEXT: dict[str, Any] = {"type": "string"}


def error_of(path: str) -> str | None:
    """The schema of a dialect's errors, by path; None for paths of the native dialect."""
    if path in ("/ping", "/version", "/invocations"):
        return "MlflowError"
    return "Error" if path == "/" or path.startswith(("/v1", "/v2")) else None


def described(catalog: Catalog) -> dict[str, Any]:
    """The paths, without the dialects' errors for keys."""
    paths = {path: {method: _page(path, says)} for path, (method, says) in _PAGES.items()}
    paths["/v2/repository/index"]["post"]["requestBody"] = _body(_object({"ready": {"type": "boolean"}}), {}, False)
    for name, model in sorted(catalog.models.items()):
        if name == catalog.default:
            paths["/invocations"] = {"post": _invocations(name, model)}
        first, second = f"/v1/models/{name}", f"/v2/models/{name}"
        for path, says in {
            first: "Whether a model is ready, and its version's state.",
            f"{first}/metadata": "A model's signatures, as TensorFlow Serving says them.",
            second: "A model's tensors.",
            f"{second}/ready": "Whether a model is ready.",
        }.items():
            paths[path] = {"get": _page(path, says, name)}
        paths[f"{first}:predict"] = {"post": _predict(f"{first}:predict", name, model)}
        for verb in tfserving.verbs(model):
            paths[f"{first}:{verb}"] = {"post": _examples(f"{first}:{verb}", name, model)}
        paths[f"{second}/infer"] = {"post": _infer(f"{second}/infer", name, model)}
    return paths


_PAGES: dict[str, tuple[str, str]] = {
    "/": ("get", "Whether the process answers, as KServe asks."),
    "/ping": ("get", "Whether a model is ready, as MLflow and SageMaker ask."),
    "/version": ("get", "This server's version."),
    "/v1/models": ("get", "The models' names."),
    "/v2": ("get", "This server's name, version and extensions."),
    "/v2/health/live": ("get", "Whether the process answers."),
    "/v2/health/ready": ("get", "Whether every model is ready."),
    "/v2/models": ("get", "The models' names."),
    "/v2/repository/index": ("post", "The models, their versions and states."),
}


def _page(path: str, summary: str, tag: str | None = None) -> dict[str, Any]:
    media, schema = ("text/plain", _TEXT) if path == "/version" else ("application/json", {"type": ["object", "array"]})
    statuses = (503,) if path == "/ping" or path.endswith("ready") or tag else ()
    return _operation(path, summary, tag, {media: {"schema": schema}}, statuses)


def _operation(
    path: str, summary: str, tag: str | None, content: dict[str, Any], statuses: tuple[int, ...]
) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": f"#/components/schemas/{error_of(path)}"}}}
    texts = {"text/plain": {"schema": _TEXT}} if path == "/invocations" else {}
    responses = {"200": {"description": summary, "content": content}}
    responses |= {
        str(status): {"description": "An error, as this dialect says it.", "content": texts if status == 415 else error}
        for status in statuses
    }
    made = {"operationId": "dialect" + path.replace("/", ".").replace(":", "."), "summary": summary}
    return {**made, "tags": [tag] if tag else ["service"], "responses": responses}


def _predicting(path: str, summary: str, name: str, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    statuses = (400, 404, 405, 413, 415, 431, 500, 503)
    content = {"application/json": {"schema": answer}}
    return _operation(path, summary, name, content, statuses) | {"requestBody": body}


def _body(schema: dict[str, Any], example: Any, required: bool = True) -> dict[str, Any]:
    examples = {"one": {"summary": "one row", "value": example}} if required else {}
    media = {"schema": schema, "examples": examples} if examples else {"schema": schema}
    return {"required": required, "content": {"application/json": media}}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _rows(name: str) -> dict[str, Any]:
    row = {"$ref": f"#/components/schemas/{name}.Row"}
    return {"type": "array", "items": {"anyOf": [row, _ARRAY]}}


def _columns(model: Model) -> dict[str, Any]:
    return _object({feature.name: _ARRAY for feature in model.manifest.columns})


def _predict(path: str, name: str, model: Model) -> dict[str, Any]:
    signature = {"signature_name": {"enum": ["serving_default", *(o.method for o in model.manifest.outputs)]}}
    forms = [
        _object({"instances": _rows(name), **signature}, "instances"),
        _object({"inputs": _columns(model), **signature}, "inputs"),
    ]
    body = _body({"anyOf": forms}, {"instances": [example(model.manifest)]})
    answer = {"anyOf": [_object({word: _ARRAY}, word) for word in ("predictions", "outputs")]}
    return _predicting(path, f"Predict with {name}, as KServe v1 and TensorFlow Serving do.", name, body, answer)


def _examples(path: str, name: str, model: Model) -> dict[str, Any]:
    rows = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}.Row"}}
    schema = _object({"examples": rows, "context": {"type": "object"}}, "examples")
    body = _body(schema, {"examples": [example(model.manifest)]})
    summary = f"Predict with {name}, as TensorFlow Serving does for examples."
    return _predicting(path, summary, name, body, _object({"result": _ARRAY}, "result"))


def _infer(path: str, name: str, model: Model) -> dict[str, Any]:
    outputs = [part.name for output in model.manifest.outputs for part in parts(model.manifest, output)]
    shape = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 2}
    parameters = {"type": "object"}
    tensor = {"shape": shape, "datatype": {"enum": [*DTYPES, "BYTES"]}, "data": _ARRAY, "parameters": parameters}
    names = [feature.name for feature in model.manifest.columns]
    schema = _object(
        {
            "id": _TEXT,
            "parameters": parameters,
            "inputs": {
                "type": "array",
                "items": _object({"name": {"enum": names}, **tensor}, "name", "shape", "datatype"),
            },
            "outputs": {
                "type": "array",
                "items": _object({"name": {"enum": outputs}, "parameters": parameters}, "name"),
            },
        },
        "inputs",
    )
    row = example(model.manifest)
    body = _body(schema, {"inputs": [_tensor(feature, row) for feature in model.manifest.columns]})
    found = _object({"name": {"enum": outputs}, **tensor}, "name", "shape", "datatype")
    answer = _object(
        {"model_name": _TEXT, "model_version": _TEXT, "id": _TEXT, "outputs": {"type": "array", "items": found}},
        *("model_name", "model_version", "outputs"),
    )
    made = _predicting(path, f"Predict with {name}: tensors of the Open Inference Protocol.", name, body, answer)
    binary = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    made["requestBody"]["content"] |= binary
    made["responses"]["200"]["content"] |= binary
    said = "The bytes of JSON, where tensors stand behind it."
    header = {"name": "Inference-Header-Content-Length", "in": "header", "description": said}
    return made | {"parameters": [{**header, "schema": {"type": "integer", "minimum": 0}}]}


def _tensor(feature: Feature, row: dict[str, Any]) -> dict[str, Any]:
    return {"name": feature.name, "shape": [1], "datatype": datatype_of(feature), "data": [row[feature.name]]}


def _invocations(name: str, model: Model) -> dict[str, Any]:
    split = _object({"columns": {"type": "array", "items": _TEXT}, "index": _ARRAY, "data": _ARRAY}, "data")
    forms: dict[str, Any] = {
        "dataframe_split": split,
        "dataframe_records": {"type": "array", "items": {"type": "object"}},
        "instances": _rows(name),
        "inputs": {"anyOf": [_columns(model), _rows(name)]},
    }
    objects = [_object({key: schema, "params": {"type": "object"}}, key) for key, schema in forms.items()]
    body = _body({"anyOf": [*objects, _rows(name)]}, {"dataframe_records": [example(model.manifest)]})
    body["content"]["text/csv"] = {"schema": _TEXT}
    answer = {"anyOf": [_object({"predictions": _ARRAY}, "predictions"), _ARRAY]}
    summary = f"Predict {tables.main(model).method} with {name}, as MLflow and SageMaker do."
    made = _predicting("/invocations", summary, name, body, answer)
    made["responses"]["200"]["content"]["text/csv"] = {"schema": _TEXT}
    made["responses"]["406"] = made["responses"]["400"]
    return made
