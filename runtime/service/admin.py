"""The admin address, which the supervisor holds: everybody's metrics, how many workers serve, reload."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get, post

from .control import Control
from .reload import Report

__all__ = ["admin_app"]


def admin_app(control: Control, reload: Callable[[], Awaitable[Report]]) -> Any:
    """An ASGI application. reload: looks at the folder of models now, and returns when every worker serves what it
    says."""

    @get("/metrics")
    async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        text, media_type = await control.expose(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": media_type})

    @get("/health")
    async def health() -> Response[bytes]:
        ready = control.ready
        return _json({"status": "healthy" if ready else "unavailable", "workers": ready}, 200 if ready else 503)

    @post("/-/reload", status_code=200)
    async def look() -> Response[bytes]:
        report = await reload()
        return _json(report, 409 if report.refused else 200)

    return Litestar(
        route_handlers=[metrics, health, look],
        openapi_config=None,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )


def _json(content: Any, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")
