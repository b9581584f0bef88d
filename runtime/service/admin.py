"""The admin address, which the supervisor holds: everybody's metrics, how many workers serve, reload."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp

from .access import Gate, Policy
from .control import Control
from .exchange import Shared
from .pages import stated
from .problems import Refusal
from .reload import Report
from .trace import ERRORS, Traced

__all__ = ["admin_app"]


def admin_app(control: Control, reload: Callable[[], Awaitable[Report]], gate: Gate | None, *, local: bool) -> Any:
    """An ASGI application.

    reload: looks at the folder of models now, and returns when every worker serves what it says.
    gate: the keys; where one is for administration, and wherever the address is not local, everything but health asks
        for one.
    local: whether it is on loopback.
    """
    asks = not local or (gate is not None and gate.administered)  # so it stays, whatever becomes of the keys

    @get("/metrics", policy=Policy.ADMIN)
    async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        text, media_type = await control.expose(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": media_type})

    @get("/health", policy=Policy.OPEN)
    async def health() -> Response[bytes]:
        ready = control.ready
        return _json({"status": "healthy" if ready else "unavailable", "workers": ready}, 200 if ready else 503)

    @post("/-/reload", status_code=200, policy=Policy.ADMIN)
    async def look() -> Response[bytes]:
        report = await reload()
        return _json(report, 409 if report.refused else 200)

    def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        policy = handler.opt.get("policy", Policy.ADMIN)
        if gate is not None and (asks or gate.administered):
            gate.admit(connection.scope["headers"], policy)
        elif policy is not Policy.OPEN and "origin" in connection.headers:  # a page in a browser on this machine
            raise Refusal(403, "forbidden", "expected no request of a web page, found one")

    return Traced(
        cast(
            "ASGIApp",
            Litestar(
                route_handlers=stated([metrics, health, look]),
                guards=[guard],
                exception_handlers=ERRORS,
                openapi_config=None,
                logging_config=None,
                debug=False,
                pdb_on_exception=False,
            ),
        ),
        Shared(0, None),
    )


def _json(content: Any, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")
