"""The admin address, which the supervisor holds: everybody's metrics, how many workers serve, reload, and the Open
Inference Protocol's repository: index, load and unload (source: Triton's extension_model_repository.md)."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, cast

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.types import ASGIApp, ExceptionHandlersMap

from ..errors import ModelNotFoundError, PipetwinError
from ..manifest import NAME
from .access import Gate, Policy
from .control import Control
from .dialects.bodies import one_key
from .dialects.oip import index_of
from .endpoint import Endpoint
from .exchange import Shared
from .native import problems
from .pages import stated
from .plan import MAIN
from .problems import Refusal
from .reload import Report
from .trace import ERRORS, Traced, id_of
from .turns import Turns

__all__ = ["CHANGES", "Admin", "Repository", "admin_app", "handlers"]

CHANGES = 4
"""Loads and unloads that may be asked for at once; they are made one after the other."""


class Repository(Protocol):
    """What changes what is served; each returns when every worker has it. They take their time, in any thread."""

    def look(self, *, asked: bool = False) -> Report:
        """Look at the folder of models now."""

    def load(self, name: str) -> Report:
        """Serve a model as the folder has it. Raises ModelNotFoundError."""

    def unload(self, name: str) -> Report:
        """Stop serving a model. Raises ModelNotFoundError, and BundleError where workers do not answer."""


def admin_app(control: Control, repository: Repository, gate: Gate | None, *, local: bool) -> Any:
    """An ASGI application.

    gate: the keys; where one is for administration, and wherever the address is not local, everything but health asks
        for one.
    local: whether it is on loopback.
    """
    asks = not local or (gate is not None and gate.administered)  # so it stays, whatever becomes of the keys

    def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        policy = handler.opt.get("policy", Policy.ADMIN)
        if gate is not None and (asks or gate.administered):
            gate.admit(connection.scope["headers"], policy)
        elif policy is not Policy.OPEN and "origin" in connection.headers:  # a page in a browser on this machine
            raise Refusal(403, "forbidden", "expected no request of a web page, found one")

    litestar = Litestar(
        route_handlers=stated(handlers(control, repository)),
        guards=[guard],
        exception_handlers=ERRORS,
        openapi_config=None,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )
    return Admin(Traced(cast("ASGIApp", litestar), Shared(0, None)))


class Admin:
    """An ASGI application that a server with limits can run."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._endpoint = Endpoint("unmatched", {}, problems, Shared(0, None))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    def refusing(self, refused: Refusal) -> Any:
        """An application that answers as this one does when it takes no request, for that reason."""
        return self._endpoint.refusing(refused)

    def at_once(self, *request: object) -> None:
        """Nothing: what is asked here takes its time."""


def handlers(control: Control, repository: Repository) -> list[HTTPRouteHandler]:
    """Every route of the address."""
    asked = _Changes()

    @get("/metrics", policy=Policy.ADMIN)
    async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        text, media_type = await control.expose(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": media_type})

    @get("/health", policy=Policy.OPEN)
    async def health() -> Response[bytes]:
        ready = control.ready
        return _json({"status": "healthy" if ready else "unavailable", "workers": ready}, 200 if ready else 503)

    looking = Turns(lambda: asyncio.to_thread(lambda: repository.look(asked=True)))

    @post("/-/reload", status_code=200, policy=Policy.ADMIN)
    async def look() -> Response[bytes]:
        report = await looking()
        return _json(report, 409 if report.refused else 200)

    @post("/v2/repository/index", status_code=200, policy=Policy.ADMIN, exception_handlers=_OIP)
    async def index(request: Request[Any, Any, Any]) -> Response[bytes]:
        plan = control.plan
        versions = {name: pins[MAIN].version for name, pins in plan.pins.items()}
        return _json(index_of(versions, plan.unloaded, await request.body()))

    @post("/v2/repository/models/{name:str}/load", status_code=200, policy=Policy.ADMIN, exception_handlers=_OIP)
    async def load(request: Request[Any, Any, Any]) -> Response[bytes]:
        name = _name(request)
        _check(await request.body(), frozenset())
        report = await asked(lambda: repository.load(name))
        if report.refused:
            return _json({"error": "; ".join(sorted(set(report.refused.values())))}, 409)
        return _json({"name": name, "load": True})

    @post("/v2/repository/models/{name:str}/unload", status_code=200, policy=Policy.ADMIN, exception_handlers=_OIP)
    async def unload(request: Request[Any, Any, Any]) -> Response[bytes]:
        name = _name(request)
        _check(await request.body(), frozenset({"unload_dependents"}))
        await asked(lambda: repository.unload(name))
        return _json({"name": name, "unload": True})

    return [metrics, health, look, index, load, unload]


class _Changes:
    """Loads and unloads, in threads, which the reading of keys needs too."""

    def __init__(self) -> None:
        self._waiting = 0

    async def __call__(self, change: Callable[[], Report]) -> Report:
        if self._waiting >= CHANGES:
            raise Refusal(
                503,
                "overloaded",
                f"expected at most {CHANGES} loads and unloads at once, found more: try again later",
                headers=((b"retry-after", b"1"),),
            )
        self._waiting += 1
        try:
            return await asyncio.to_thread(change)
        except ModelNotFoundError as error:
            raise Refusal(404, "not_found", str(error)) from error
        except PipetwinError as error:
            raise Refusal(503, "unavailable", str(error)) from error
        finally:
            self._waiting -= 1


def _name(request: Request[Any, Any, Any]) -> str:
    """The model that the path names: a name, never a path. Raises Refusal 404."""
    name: str = request.path_params["name"]
    if not NAME.fullmatch(name):
        raise Refusal(404, "not_found", "expected a model's name, found what cannot be one")
    return name


def _check(body: bytes, known: frozenset[str]) -> None:
    """Refuse parameters: what is served comes from the folder of models, not from a request."""
    try:
        parameters = msgspec.json.decode(body or b"{}", type=_Asked).parameters
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "malformed", "expected an object with parameters, or nothing, found another") from error
    if parameters.keys() - known:
        raise Refusal(
            400, "invalid", "expected no parameters, for the folder of models says what is served; found some"
        )


class _Asked(msgspec.Struct):
    parameters: dict[str, Any] = {}


def _in_oip(request: Request[Any, Any, Any], error: Any) -> Response[bytes]:
    failed = one_key(error, id_of(request))
    headers = {name.decode("ascii"): value.decode("ascii") for name, value in error.headers}
    return Response(
        failed.body, status_code=failed.status, media_type=failed.media_type.decode("ascii"), headers=headers
    )


_OIP = cast("ExceptionHandlersMap", {Refusal: _in_oip})


def _json(content: Any, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")
