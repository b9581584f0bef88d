"""Everything but predictions, as Litestar handlers: health, metrics, the models and the schema."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from ..dates import said
from ..manifest import Feature
from ..model import Model
from .access import Policy, seen_by
from .catalog import Catalog
from .joinable import inline
from .openapi import document
from .problems import Refusal
from .serving import Serving
from .trace import PREFIX

__all__ = ["guard", "health", "metrics", "models", "schema", "stated"]


def health(serving: Serving) -> list[HTTPRouteHandler]:
    """Live: the process answers. Ready: every model that should serve has answered its canary rows in this process,
    which ``load`` sees to; no model at all is not ready."""

    def healthy(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _json({"status": "healthy", **_versions(serving, request)})

    @get(["/health", "/health/ready"], policy=Policy.OPEN)
    async def ready(request: Request[Any, Any, Any]) -> Response[bytes]:
        if serving.draining:
            return _json({"status": "unavailable", "reason": "this process is about to end"}, 503)
        if not serving.catalog.models:
            return _json({"status": "unavailable", "reason": "no model is loaded"}, 503)
        return healthy(request)

    @get("/health/live", policy=Policy.OPEN)
    async def live(request: Request[Any, Any, Any]) -> Response[bytes]:
        return healthy(request)

    return [ready, live]


def metrics(serving: Serving) -> list[HTTPRouteHandler]:
    """What Prometheus scrapes."""

    @get("/metrics", policy=Policy.OPEN)
    async def scrape(request: Request[Any, Any, Any]) -> Response[bytes]:
        text, media_type = await serving.expose(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": media_type})

    return [scrape]


def models(serving: Serving) -> list[HTTPRouteHandler]:
    """What is served, from the manifests."""

    @get("/models", policy=Policy.READ)
    async def every(request: Request[Any, Any, Any]) -> Response[bytes]:
        seen = shown(serving, request)
        return _json({"models": [_brief(name, model) for name, model in sorted(seen.models.items())]})

    @get("/models/{name:str}", policy=Policy.MODEL)
    async def one(request: Request[Any, Any, Any]) -> Response[bytes]:
        name = request.path_params["name"]
        return _json(_full(name, shown(serving, request).find(name), serving.shared.batch_rows))

    return [every, one]


def schema(serving: Serving) -> list[HTTPRouteHandler]:
    """OpenAPI, made from the manifests."""

    @get("/schema", policy=Policy.READ)
    async def described(request: Request[Any, Any, Any]) -> Response[bytes]:
        prefix = request.scope["state"].get(PREFIX, "")
        return _json(
            document(
                shown(serving, request), prefix, keys=serving.gate is not None, metrics=not serving.private_metrics
            )
        )

    return [described]


def stated(handlers: Sequence[HTTPRouteHandler]) -> Sequence[HTTPRouteHandler]:
    """The handlers, each of which states its policy. Raises TypeError where one does not."""
    for handler in handlers:
        if not isinstance(handler.opt.get("policy"), Policy):
            raise TypeError(f"expected every route to state a policy, found {sorted(handler.paths)} without one")
    return handlers


def guard(serving: Serving) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    """Lets in whom the routed handler's policy lets in; what Litestar adds itself (OPTIONS) has none and needs a key
    for administration."""

    def check(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        if serving.gate is not None:
            policy, name = handler.opt.get("policy", Policy.ADMIN), connection.path_params.get("name")
            connection.scope["state"][_KEY] = serving.gate.admit(connection.scope["headers"], policy, name)

    return check


_KEY = "pipetwin_key"


def shown(serving: Serving, request: Request[Any, Any, Any]) -> Catalog:
    """The models that a request's key is for."""
    return seen_by(request.scope["state"].get(_KEY), serving.catalog)


def _versions(serving: Serving, request: Request[Any, Any, Any]) -> dict[str, Any]:
    """What health says of models; to whom has no key, nothing."""
    if serving.gate is None:
        return {"models": serving.catalog.versions}
    try:
        key = serving.gate.known(request.scope["headers"])
    except Refusal:
        return {}
    return {"models": seen_by(key, serving.catalog).versions}


def _json(content: Any, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")


def _brief(name: str, model: Model) -> dict[str, Any]:
    manifest = model.manifest
    return {
        "name": name,
        "version": model.version,
        "kind": manifest.kind,
        "estimator": manifest.estimator,
        "created": manifest.created,
    }


def _full(name: str, model: Model, batch_rows: int) -> dict[str, Any]:
    manifest, proof = model.manifest, model.proof
    return _brief(name, model) | {
        "inputs": [_feature(feature) for feature in manifest.inputs],
        "outputs": [{"method": o.method, "dtype": o.dtype, "shape": o.shape} for o in manifest.outputs],
        "classes": manifest.classes,
        "proof": {"level": proof.level, "rows": proof.rows, "tolerance": proof.tolerance},
        "digest": model.digest,
        "execution": {
            "inline": (most := inline(model, batch_rows)) >= 0,
            "inline_bytes": max(most, 0),
            "run_seconds": model.cost.run,
            "row_seconds": model.cost.row,
            "further_row_seconds": model.cost.further,
        },
        "trained_with": manifest.trained_with,
        "converted_with": manifest.converted_with,
    }


def _feature(feature: Feature) -> dict[str, Any]:
    described: dict[str, Any] = {"name": feature.name, "kind": feature.kind, "missing": feature.missing}
    if feature.kind == "category":
        described |= {"categories": feature.categories, "unknown": feature.unknown}
    if feature.kind == "text":
        described["terms"] = sum(rule.columns for rule in feature.rules)
    if feature.range is not None:
        described["range"] = [said(feature, end) for end in feature.range] if feature.kind == "date" else feature.range
    return described
