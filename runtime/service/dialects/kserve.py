"""KServe's version 1: source python/kserve/kserve/protocol/rest/v1_endpoints.py.

``/v1/models/{name}:predict`` is TF Serving's, of which KServe's is a part; the page of a model has the keys of both.
"""

from typing import NoReturn

from ...model import Model
from ..access import Policy
from ..catalog import Catalog
from ..endpoint import Operation, unreachable
from ..head import Headers
from ..problems import Refusal
from ..routing import ModelRoute, Route, ServiceRoute
from .bodies import one_key
from .pages import page
from .tfserving import state

__all__ = ["ROUTES"]


def _alive(catalog: Catalog) -> Operation:
    return page({"status": "alive"})


def _every(catalog: Catalog) -> Operation:
    return page({"models": sorted(catalog.models)})


def _explain(name: str, model: Model) -> Operation:
    def refuse(headers: Headers) -> NoReturn:
        raise Refusal(404, "not_found", "no explainer is served here; :predict predicts")

    return Operation(unreachable, refuse, predicts=False)


def _model(name: str, model: Model) -> Operation:
    return page({"name": name, "ready": True, **state(name, model)}, readiness=True)


ROUTES: tuple[Route, ...] = (
    ServiceRoute("/", {"GET": _alive}, one_key, Policy.OPEN),
    ServiceRoute("/v1/models", {"GET": _every}, one_key, Policy.READ),
    ModelRoute("/v1/models/{name}", {"GET": _model}, one_key, Policy.MODEL),
    ModelRoute("/v1/models/{name}:explain", {"POST": _explain}, one_key, Policy.MODEL),
)
