"""Vertex AI's custom containers: source googleapis model.proto, ModelContainerSpec.

Both routes come from settings and may be one path, asked with two methods.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...errors import InputError
from ...model import Answer, Model
from ..access import Policy
from ..endpoint import Asked, Operation, Reply
from ..routing import ModelRoute, Route
from . import oip, tables
from .bodies import decode, encode, one_key
from .oip_binary import framing
from .pages import page

__all__ = ["Vertex", "routes"]


class Vertex(NamedTuple):
    """The paths that Vertex AI asks at; an empty one is none.

    predict: with POST.
    health: with GET.
    """

    predict: str
    health: str


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
    if where.predict and where.predict == where.health:
        return (ModelRoute(where.predict, {**get, **post}, one_key, {"GET": Policy.OPEN, "POST": Policy.MODEL}),)
    health = ModelRoute(where.health, get, one_key, Policy.OPEN)
    return tuple(route for route in (health, ModelRoute(where.predict, post, one_key, Policy.MODEL)) if route.path)
