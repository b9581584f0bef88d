"""Health, the models and the OpenAPI document."""

import json
import re
from typing import Any
from urllib.parse import unquote

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from runtime import Model
from runtime.service import app
from runtime.service.front import Front

from .. import bundles
from ..asgi import Answer, get, post

V = bundles.VERSION


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/health/"])
def test_healthy(every_app: Front, path: str) -> None:
    answer = get(every_app, path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    names = ("both", "cost", "costs", "flights", "twice")
    assert answer.json() == {"status": "healthy", "models": dict.fromkeys(names, V)}


def test_no_model_is_alive_but_not_ready() -> None:
    service = app([])
    for path in ("/health", "/health/ready"):
        answer = get(service, path)
        assert answer.status == 503
        assert answer.json() == {"status": "unavailable", "reason": "no model is loaded"}
    assert get(service, "/health/live").json() == {"status": "healthy", "models": {}}
    assert get(service, "/metrics").status == 200
    assert get(service, "/models").json() == {"models": []}
    assert get(service, "/schema").status == 200


def test_models(every_app: Front) -> None:
    found = get(every_app, "/models").json()["models"]
    assert [model["name"] for model in found] == ["both", "cost", "costs", "flights", "twice"]
    assert found[0] == {
        "name": "both",
        "version": V,
        "kind": "classifier",
        "estimator": "Test",
        "created": "2026-11-22T11:03:05Z",
    }


def test_one_model(every_app: Front, every: dict[str, Model]) -> None:
    found = get(every_app, "/models/flights").json()
    assert found["inputs"][0] == {"name": "dep time", "kind": "number", "missing": False}
    assert found["inputs"][5] == {"name": "capped", "kind": "number", "missing": False, "range": [0.0, 5.0]}
    assert found["inputs"][6] == {
        "name": "carrier",
        "kind": "category",
        "missing": True,
        "categories": ["AA", "UA", "DL"],
        "unknown": True,
    }
    assert found["outputs"][1] == {"method": "predict_proba", "dtype": "float64", "shape": [2]}
    assert found["classes"] == [["late", "on time"]]
    assert found["proof"] == {"level": "ulp", "rows": 3, "tolerance": 1e-12}
    assert found["digest"] == every["flights"].digest


def test_an_unknown_model(every_app: Front) -> None:
    answer = get(every_app, "/models/nothing")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == (
        "no model of that name is served here; those that are: both, cost, costs, flights, twice"
    )


def test_many_models_are_not_all_listed(every: dict[str, Model]) -> None:
    service = app({f"m{number:02}": every["twice"] for number in range(30)})
    detail = get(service, "/models/nothing").json()["detail"]
    assert detail.endswith("m18, m19 and 10 more")


def schema(service: Front, **options: Any) -> Any:
    """The OpenAPI document."""
    answer = get(service, "/schema", **options)
    assert answer.status == 200
    return answer.json()


def resolved(document: Any, part: Any) -> Any:
    """What a reference means."""
    if "$ref" not in part:
        return part
    found = document
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[unquote(step).replace("~1", "/").replace("~0", "~")]
    return found


def test_the_document_is_openapi(every_app: Front) -> None:
    """What other tools need beyond what the validator asks for."""
    document = schema(every_app)
    assert document.keys() == {"openapi", "info", "servers", "paths", "components"}
    assert document["openapi"] == "3.1.0"
    assert {"title", "version"} <= document["info"].keys()
    assert all(re.fullmatch(r"[a-zA-Z0-9._-]+", name) for name in document["components"]["schemas"])
    operations = []
    for path, item in document["paths"].items():
        assert path.startswith("/")
        assert item.keys() <= {"get", "post"}
        for operation in item.values():
            operations.append(operation["operationId"])
            assert operation["responses"]
            for status, response in operation["responses"].items():
                assert re.fullmatch("[1-5][0-9][0-9]", status)
                assert response["description"]
                for media in response["content"].values():
                    assert media["schema"]
            parameters = operation.get("parameters", [])
            assert set(re.findall(r"{(\w+)}", path)) == {p["name"] for p in parameters if p["in"] == "path"}
            assert all(p["required"] for p in parameters if p["in"] == "path")
            assert all("schema" in p for p in parameters)
    assert len(set(operations)) == len(operations)
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)):
        assert resolved(document, {"$ref": reference})


def test_the_validator_of_openapi_agrees(every_app: Front, flights_app: Front) -> None:
    for service in (every_app, flights_app, app([])):
        OpenAPIV31SpecValidator(schema(service)).validate()


def test_the_validator_fires(flights_app: Front) -> None:
    document = schema(flights_app)
    del document["paths"]["/invocations"]["post"]["responses"]
    document["paths"]["/invocations"]["post"]["requestBody"] = {"content": 1}
    with pytest.raises(OpenAPIValidationError):
        OpenAPIV31SpecValidator(document).validate()


def asked(service: Front, path: str, method: str, operation: Any) -> Answer:
    """A request as the document's example is."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = content.get("examples", {}).get("one", {}).get("value", {})
    path = path.replace("{name}", "flights")
    return post(service, path, example) if method == "post" else get(service, path)


def test_every_path_of_the_document_is_there(flights_app: Front) -> None:
    for path, item in schema(flights_app)["paths"].items():
        for method, operation in item.items():
            answer = asked(flights_app, path, method, operation)
            assert answer.status == 200, (path, answer)
            kind = answer.headers["content-type"].partition(";")[0]
            assert kind in operation["responses"]["200"]["content"]


def test_every_path_of_every_dialect_is_in_the_document(every: dict[str, Model]) -> None:
    service = app({"flights": every["flights"], "default": every["cost"]})
    paths = schema(service)["paths"].keys()
    others = ("{version}", "{label}", "@", ":explain")  # the last is a refusal
    for route in service.serving.routes:
        if not any(part in route.path for part in others):
            verb = route.path.rpartition(":")[2]
            name = {"classify": "flights", "regress": "default"}.get(verb, "flights")
            assert route.path.format(name=name) in paths


def test_examples_work_when_pasted(every_app: Front) -> None:
    document = schema(every_app)
    seen = 0
    for path, item in document["paths"].items():
        for example in (
            item.get("post", {})
            .get("requestBody", {})
            .get("content", {})
            .get("application/json", {})
            .get("examples", {})
            .values()
        ):
            answer = post(every_app, path, example["value"])
            assert answer.status == 200, answer
            seen += 1
    assert seen == 5 * (2 * 2 + 2) + 2  # the native paths twice, v1 and v2; one can classify, one regress


def test_answers_are_as_the_document_says(every_app: Front, flights_app: Front) -> None:
    for service in (every_app, flights_app):
        document = schema(service)
        for path, item in document["paths"].items():
            for method, operation in item.items():
                names = [parameter["name"] for parameter in operation.get("parameters", ())]
                query = "?probabilities=true" if "probabilities" in names else ""
                answer = asked(service, path.replace("{name}", "flights") + query, method, operation)
                kind = answer.headers["content-type"].partition(";")[0]
                if kind == "application/json":
                    conforms(document, operation["responses"]["200"]["content"][kind]["schema"], answer.json())
                if method == "post" and path != "/v2/repository/index":
                    refused = post(service, path, [1])
                    described = operation["responses"][str(refused.status)]["content"]
                    kind = refused.headers["content-type"]
                    conforms(document, described[kind]["schema"], refused.json())


def conforms(document: Any, part: Any, value: Any) -> None:
    """Check a value by the few words of JSON Schema that our documents use."""
    part = resolved(document, part)
    if "anyOf" in part:
        last: AssertionError | None = None
        for choice in part["anyOf"]:
            try:
                conforms(document, choice, value)
            except AssertionError as error:
                last = error
            else:
                return
        raise last or AssertionError(part)
    for choice in part.get("allOf", ()):
        conforms(document, choice, value)
    kinds = part.get("type", [])
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    name = "null" if value is None else names[type(value)]
    if kinds:
        allowed = {kinds} if isinstance(kinds, str) else set(kinds)
        assert name in allowed or (name == "integer" and "number" in allowed), (part, value)
    if "enum" in part:
        assert value in part["enum"]
    if isinstance(value, dict):
        assert set(part.get("required", ())) <= value.keys()
        for key, inner in value.items():
            if key in part.get("properties", {}):
                conforms(document, part["properties"][key], inner)
    if isinstance(value, list):
        assert part.get("minItems", 0) <= len(value) <= part.get("maxItems", len(value))
        for inner, choice in zip(value, part.get("prefixItems", ()), strict=False):
            conforms(document, choice, inner)
        for inner in value[len(part.get("prefixItems", ())) :]:
            conforms(document, part.get("items", {}), inner)
    if isinstance(value, int | float) and not isinstance(value, bool):
        assert part.get("minimum", value) <= value <= part.get("maximum", value)


def test_the_checker_of_answers_fires() -> None:
    for part, value in [
        ({"type": "string"}, 1),
        ({"type": "integer"}, True),
        ({"enum": [1]}, 2),
        ({"type": "object", "required": ["a"]}, {}),
        ({"type": "array", "items": {"type": "number"}}, [1, "a"]),
        ({"type": "array", "minItems": 2}, [1]),
        ({"prefixItems": [{"type": "number"}]}, ["a"]),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1),
        ({"maximum": 1}, 2),
    ]:
        with pytest.raises(AssertionError):
            conforms({}, part, value)


def test_the_document_knows_where_it_is_mounted(flights_app: Front) -> None:
    assert schema(flights_app)["servers"] == [{"url": "/"}]
    assert get(flights_app, "/score/schema", root_path="/score").json()["servers"] == [{"url": "/score"}]


def test_only_the_default_has_the_short_path(every: dict[str, Model], every_app: Front, flights_app: Front) -> None:
    assert "/predict" in schema(flights_app)["paths"]
    assert "/predict" not in schema(every_app)["paths"]
    assert "/predict" in schema(app({"default": every["cost"], "twice": every["twice"]}))["paths"]
