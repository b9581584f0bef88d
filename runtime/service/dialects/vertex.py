"""Vertex AI's custom containers: source googleapis model.proto, ModelContainerSpec.

Both routes come from the environment and may be one path, asked with two methods.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...errors import InputError, SettingsError
from ...model import Answer, Model
from ..access import Policy
from ..endpoint import Asked, Operation, Reply
from ..routing import ModelRoute, Route
from . import oip, tables
from .bodies import decode, encode, one_key
from .oip_binary import framing
from .pages import page

__all__ = ["Vertex", "read_vertex", "routes"]


class Vertex(NamedTuple):
    """The paths that Vertex AI asks at.

    predict: with POST.
    health: with GET.
    """

    predict: str
    health: str


def read_vertex(environment: Mapping[str, str]) -> Vertex | None:
    """What the AIP_ variables say; None where none of them is there.

    AIP_PREDICT_ROUTE and AIP_HEALTH_ROUTE are by default
    ``/v1/endpoints/$AIP_ENDPOINT_ID/deployedModels/$AIP_DEPLOYED_MODEL_ID:predict``. Raises SettingsError.
    """
    parts = environment.get("AIP_ENDPOINT_ID"), environment.get("AIP_DEPLOYED_MODEL_ID")
    default = "/v1/endpoints/{}/deployedModels/{}:predict".format(*parts) if all(parts) else None
    found = [environment.get(name) or default for name in ("AIP_PREDICT_ROUTE", "AIP_HEALTH_ROUTE")]
    for name, path in zip(("AIP_PREDICT_ROUTE", "AIP_HEALTH_ROUTE"), found, strict=True):
        if path is not None and (not path.startswith("/") or any(letter in path for letter in "{}?#")):
            raise SettingsError(f"expected {name} to be a path, found {path[:64]!r}")
    predict, health = found
    if predict is None and health is None:
        return None
    if predict is None or health is None:
        raise SettingsError(
            "expected both AIP_PREDICT_ROUTE and AIP_HEALTH_ROUTE, or AIP_ENDPOINT_ID and AIP_DEPLOYED_MODEL_ID, "
            "found one"
        )
    return Vertex(predict.rstrip("/") or "/", health.rstrip("/") or "/")


def predict(name: str, model: Model) -> Operation:
    """POST: ``{"instances": [...], "parameters"?: any}`` -> ``{"predictions": [...]}``, or Triton's binary tensors."""
    triton = oip.infer(name, model).answer

    def answer(asked: Asked) -> Reply:
        if framing(asked.headers)[1] is not None:
            return triton(asked)
        body: Any = decode(asked.body)
        if body.__class__ is not dict or "instances" not in body or body.keys() - {"instances", "parameters"}:
            raise InputError("$", "expected an object of instances and parameters, found another")
        predictions, response = tables.scored(model, tables.instances(model, body["instances"]))
        return Reply(Answer(encode({"predictions": predictions}), response.labels, response.rows))

    return Operation(answer)


def _health(name: str, model: Model) -> Operation:
    return page({"status": "healthy"}, readiness=True)


def routes(where: Vertex) -> tuple[Route, ...]:
    """The routes at those paths, for the default model."""
    get: Mapping[str, Callable[[str, Model], Operation]] = {"GET": _health}
    post: Mapping[str, Callable[[str, Model], Operation]] = {"POST": predict}
    if where.predict == where.health:
        return (ModelRoute(where.predict, {**get, **post}, one_key, {"GET": Policy.OPEN, "POST": Policy.MODEL}),)
    return (
        ModelRoute(where.health, get, one_key, Policy.OPEN),
        ModelRoute(where.predict, post, one_key, Policy.MODEL),
    )
