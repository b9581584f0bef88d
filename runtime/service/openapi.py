"""OpenAPI 3.1 of what is served, made from the manifests."""

from typing import Any

from ..manifest import STD, Category, Manifest, Output
from ..model import Model
from ..reading import key
from ..schema import example, json_schema
from .catalog import Catalog
from .dialects.described import LISTS, OPEN, SCHEMAS, described, error_of
from .problems import TITLES

__all__ = ["document"]

_ERRORS = (400, 404, 405, 413, 415, 422, 500, 503)

_HEADERS = {
    "X-Request-Id": {
        "description": "The request's own X-Request-Id where that is 1 to 128 of A-Za-z0-9._:-, else a new id.",
        "schema": {"type": "string"},
    }
}

_PROBLEM = {
    "type": "object",
    "description": "Problem details, RFC 9457.",
    "properties": {
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
                "required": ["path", "message"],
            },
        },
    },
    "required": ["status", "title", "detail", "request_id"],
}


def document(catalog: Catalog, prefix: str = "", *, keys: bool = False, metrics: bool = True) -> dict[str, Any]:
    """The OpenAPI document.

    prefix: the path that the service is mounted at. keys: whether it asks for keys. metrics: whether it shows them.
    """
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Problem": _PROBLEM, **SCHEMAS}
    for name, model in sorted(catalog.models.items()):
        schemas[f"{name}.Row"] = json_schema(model.manifest)
        schemas[f"{name}.Answer"] = _answer(model.manifest)
        if name == catalog.default:
            paths["/predict"] = {"post": _predict(name, model, "")}
        paths[f"/models/{name}/predict"] = {"post": _predict(name, model, ".named")}
        paths[f"/models/{name}/versions/{model.version}/predict"] = {"post": _predict(name, model, ".version")}
    for path, (summary, statuses, media) in _PAGES.items():
        if metrics or path != "/metrics":
            paths[path] = {"get": _page(path, summary, statuses, media)}
    paths |= described(catalog)
    made: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": ", ".join(sorted(catalog.models)) or "no model",
            "version": "1",
            "description": "Predictions of " + (_sentence(catalog) or "no model yet") + ".",
        },
        "servers": [{"url": prefix or "/"}],
        "paths": paths,
        "components": {"schemas": schemas},
    }
    return _secured(made) if keys else made


def _secured(made: dict[str, Any]) -> dict[str, Any]:
    """A document in which every operation says that it asks for a key, but for those that are open."""
    made["components"]["securitySchemes"] = _SCHEMES
    made["security"] = [{name: []} for name in _SCHEMES]
    for path, methods in made["paths"].items():
        for operation in methods.values():
            if path in _OPEN:
                operation["security"] = []
            else:
                statuses = (401, *(() if path in _LISTS else (403,)))
                operation["responses"] |= _problems(*statuses, dialect=error_of(path))
    return made


_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_OPEN = (*OPEN, "/health", "/health/live", "/health/ready", "/metrics")
_LISTS = (*LISTS, "/models", "/schema")


def _sentence(catalog: Catalog) -> str:
    return "; ".join(f"{name} {model.version}: {model.manifest.estimator}" for name, model in catalog.models.items())


def _predict(name: str, model: Model, suffix: str) -> dict[str, Any]:
    row = {"$ref": f"#/components/schemas/{name}.Row"}
    answer = {"$ref": f"#/components/schemas/{name}.Answer"}
    word = model.name_of_answer
    example_row = example(model.manifest)
    made = {"model_version": {"type": "string"}, "latency_ms": {"type": "number", "minimum": 0}}
    one = {"allOf": [answer, {"type": "object", "properties": made, "required": list(made)}]}
    several = {
        "type": "object",
        "properties": {f"{word}s": {"type": "array", "items": answer}, **made},
        "required": [f"{word}s", *made],
    }
    operation: dict[str, Any] = {
        "operationId": f"predict.{name}{suffix}",
        "summary": f"Predict with {name}: one row, or several.",
        "tags": [name],
        "parameters": [],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"oneOf": [row, {"type": "array", "items": row}]},
                    "examples": {
                        "one": {"summary": "one row", "value": example_row},
                        "several": {"summary": "several rows", "value": [example_row, example_row]},
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": "The predictions, in the order of the rows.",
                "headers": _HEADERS
                | {
                    "X-Model-Version": {"description": "The version that predicted.", "schema": {"type": "string"}},
                },
                "content": {"application/json": {"schema": {"anyOf": [one, several]}}},
            },
            **_problems(*_ERRORS),
        },
    }
    if model.manifest.output("predict_proba"):
        operation["parameters"].append(
            {
                "name": "probabilities",
                "in": "query",
                "description": "Add each class's probability.",
                "schema": {"type": "boolean", "default": False},
            }
        )
    return operation


def _answer(manifest: Manifest) -> dict[str, Any]:
    """The schema of one row's answer."""
    predict, proba = manifest.output("predict"), manifest.output("predict_proba")
    if predict is None:
        output = manifest.output("transform") or manifest.outputs[0]
        return {"type": "object", "properties": {"output": _numbers(output)}, "required": ["output"]}
    std = manifest.output(STD)
    if std is not None:
        numbers = {"prediction": _numbers(predict), "std": _numbers(std)}
        return {"type": "object", "properties": numbers, "required": list(numbers)}
    if not predict.labels:
        return {"type": "object", "properties": {"prediction": _numbers(predict)}, "required": ["prediction"]}
    tables = manifest.classes
    share = {"type": "number", "minimum": 0, "maximum": 1}
    properties: dict[str, Any] = {"prediction": _labels(tables[0])}
    if proba is not None:
        properties |= {"probability": share, "probabilities": _shares(tables[0])}
    if predict.shape:
        properties = {"prediction": _list([_labels(table) for table in tables])}
        if proba is not None and len(proba.tensors) == len(tables) and proba.shape == (len(tables[0]),):
            properties["probability"] = _list([share] * len(tables))
            properties["probabilities"] = _list([_shares(table) for table in tables])
    required = [name for name in properties if name != "probabilities"]
    return {"type": "object", "properties": properties, "required": required}


def _labels(table: tuple[Category, ...]) -> dict[str, Any]:
    return {"enum": list(table)}


def _shares(table: tuple[Category, ...]) -> dict[str, Any]:
    names = [key(label) for label in table]
    return {"type": "object", "properties": {name: {"type": "number"} for name in names}, "required": names}


def _list(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _numbers(output: Output) -> dict[str, Any]:
    """One row's numbers, nested as its shape says; null stands for NaN and infinity, which JSON has not."""
    schema: dict[str, Any] = {"type": ["number", "null"]}
    for length in reversed(output.shape):
        schema = {"type": "array", "items": schema, "minItems": length, "maxItems": length}
    return schema


_PAGES: dict[str, tuple[str, tuple[int, ...], str]] = {
    "/health": ("Whether every model is ready.", (503,), "application/json"),
    "/health/live": ("Whether the process answers.", (), "application/json"),
    "/health/ready": ("Whether every model is ready.", (503,), "application/json"),
    "/metrics": ("Metrics for Prometheus.", (), "text/plain"),
    "/models": ("The models that are served.", (), "application/json"),
    "/models/{name}": ("One model: what goes in, what comes out, its proof.", (404,), "application/json"),
    "/schema": ("This document.", (), "application/json"),
}


def _page(path: str, summary: str, statuses: tuple[int, ...], media: str) -> dict[str, Any]:
    schema = {"type": "string"} if media == "text/plain" else {"type": "object"}
    page: dict[str, Any] = {
        "operationId": "get" + path.replace("/", ".").replace("{", "").replace("}", ""),
        "summary": summary,
        "responses": {
            "200": {"description": summary, "headers": _HEADERS, "content": {media: {"schema": schema}}},
        },
    }
    if path.startswith("/health"):
        unready = {"type": "object", "properties": {"status": {"const": "unavailable"}, "reason": {"type": "string"}}}
        page["responses"] |= {
            str(status): {
                "description": "No model is ready.",
                "headers": _HEADERS,
                "content": {"application/json": {"schema": unready}},
            }
            for status in statuses
        }
    else:
        page["responses"] |= _problems(*statuses)
    if "{name}" in path:
        page["parameters"] = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
    return page


def _problems(*statuses: int, dialect: str | None = None) -> dict[str, Any]:
    """Errors as problem details, or as a dialect's schema says."""
    media = "application/json" if dialect else "application/problem+json"
    problem = {media: {"schema": {"$ref": f"#/components/schemas/{dialect or 'Problem'}"}}}
    return {
        str(status): {"description": TITLES[status], "headers": _HEADERS, "content": problem} for status in statuses
    }
