"""POST /predict, from bytes to bytes: the hot path.

An answer is made in one pass down ``Endpoint.at_once``, or ``Endpoint.__call__`` behind another server; everything it
looks up was made when the model was loaded. ``direct`` has what it costs, ``Model.answer`` is the larger part of it:
decoding, checking, counting, encoding take 6 µs in a loop of their own, with warm caches, and thrice that in a server.
"""

from urllib.parse import parse_qsl

from ..model import Model
from .access import Policy
from .catalog import Catalog
from .endpoint import Asked, Failed, Operation, Reply
from .exchange import check_media_type
from .problems import PROBLEM, Refusal, problem
from .routing import ModelRoute

__all__ = ["ROUTES", "problems"]


def problems(refused: Refusal, request_id: bytes) -> Failed:
    """Errors as problem details."""
    return Failed(refused.status, PROBLEM, problem(refused, request_id))


def predict(name: str, model: Model) -> Operation:
    """The operation of every path of this dialect."""
    predicted = model.answer

    def answer(asked: Asked) -> Reply:
        query = asked.query
        return Reply(predicted(asked.body, probabilities=_probabilities(query) if query else False))

    return Operation(answer, check_media_type)


def _missing(catalog: Catalog, name: str | None, version: str | None) -> Refusal:
    return catalog.missing(name, version)


ROUTES = tuple(
    ModelRoute(path, {"POST": predict}, problems, Policy.MODEL, _missing)
    for path in (
        "/predict",
        "/models/{name}@{label}/predict",
        "/models/{name}/predict",
        "/models/{name}/versions/{version}/predict",
    )
)


def _probabilities(query: bytes) -> bool:
    """The query's ``probabilities``; other parameters are somebody else's (a tracer's, a proxy's). Raises Refusal."""
    asked = [value for key, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True) if key == _PARAMETER]
    match asked:
        case []:
            return False
        case ["true"]:
            return True
        case ["false"]:
            return False
    raise Refusal(400, "parameter", f"expected ?{_PARAMETER}=true or false, once, found another value")


_PARAMETER = "probabilities"
