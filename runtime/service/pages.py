"""Everything but predictions, as Litestar handlers: health, metrics, the models and the schema."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from ..manifest import Feature
from ..model import Model
from .openapi import document
from .serving import Serving
from .trace import PREFIX

__all__ = ["health", "metrics", "models", "schema"]


def health(serving: Serving) -> list[HTTPRouteHandler]:
    """Live: the process answers. Ready: every model that should serve has answered its canary rows in this process,
    which ``load`` sees to; no model at all is not ready."""

    def healthy() -> Response[bytes]:
        return _json({"status": "healthy", "models": serving.catalog.versions})

    @get(["/health", "/health/ready"])
    async def ready() -> Response[bytes]:
        if serving.draining:
            return _json({"status": "unavailable", "reason": "this process is about to end"}, 503)
        if not serving.catalog.models:
            return _json({"status": "unavailable", "reason": "no model is loaded"}, 503)
        return healthy()

    @get("/health/live")
    async def live() -> Response[bytes]:
        return healthy()

    return [ready, live]


def metrics(serving: Serving) -> list[HTTPRouteHandler]:
    """What Prometheus scrapes."""

    @get("/metrics")
    async def scrape(request: Request[Any, Any, Any]) -> Response[bytes]:
        text, media_type = await serving.expose(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": media_type})

    return [scrape]


def models(serving: Serving) -> list[HTTPRouteHandler]:
    """What is served, from the manifests."""

    @get("/models")
    async def every() -> Response[bytes]:
        return _json({"models": [_brief(name, model) for name, model in sorted(serving.catalog.models.items())]})

    @get("/models/{name:str}")
    async def one(request: Request[Any, Any, Any]) -> Response[bytes]:
        name = request.path_params["name"]
        return _json(_full(name, serving.catalog.find(name)))

    return [every, one]


def schema(serving: Serving) -> list[HTTPRouteHandler]:
    """OpenAPI, made from the manifests."""

    @get("/schema")
    async def described(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _json(document(serving.catalog, request.scope["state"].get(PREFIX, "")))

    return [described]


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


def _full(name: str, model: Model) -> dict[str, Any]:
    manifest, proof = model.manifest, model.proof
    return _brief(name, model) | {
        "inputs": [_feature(feature) for feature in manifest.inputs],
        "outputs": [{"method": o.method, "dtype": o.dtype, "shape": o.shape} for o in manifest.outputs],
        "classes": manifest.classes,
        "proof": {"level": proof.level, "rows": proof.rows, "tolerance": proof.tolerance},
        "digest": model.digest,
        "trained_with": manifest.trained_with,
        "converted_with": manifest.converted_with,
    }


def _feature(feature: Feature) -> dict[str, Any]:
    described: dict[str, Any] = {"name": feature.name, "kind": feature.kind, "missing": feature.missing}
    if feature.kind == "category":
        described |= {"categories": feature.categories, "unknown": feature.unknown}
    if feature.range is not None:
        described["range"] = feature.range
    return described
