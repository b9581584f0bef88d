"""Models become an ASGI application, or a router for somebody else's Litestar application."""

from typing import Any, cast

from litestar import Litestar, Router, asgi
from litestar.enums import ScopeType
from litestar.handlers import ASGIRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from ..settings import BODY_LIMIT, Settings
from ..tensors import Limits
from . import dialects, native, pages
from .access import Gate
from .catalog import Catalog, Models, catalog
from .cpus import cpus
from .dialects.vertex import Vertex
from .endpoint import Endpoint, Whole
from .exchange import LIMITS, Shared
from .head import Head
from .logs import Access, to_logging
from .pool import Pool
from .problems import Refusal
from .serving import Serving
from .shadow import Shadow
from .spans import Spans
from .split import Split
from .trace import ERRORS, PREFIX, Traced

__all__ = ["Front", "app", "configured", "routes"]


def app(
    models: Models | Catalog,
    *,
    body_limit: int = BODY_LIMIT,
    limits: Limits = LIMITS,
    access: Access | None = to_logging,
    vertex: Vertex | None = None,
    gate: Gate | None = None,
    private_metrics: bool = False,
) -> "Front":
    """An ASGI application that serves loaded models; to be run, or mounted below any path of another.

    models: one, several, or several by the names they are to have. They stay the caller's to close.
    body_limit: bytes; a larger body is answered with 413.
    limits: to what a body may hold.
    access: takes the log line of each request; by default it goes to the logger ``pipetwin.access``.
    vertex: the paths that Vertex AI asks at, where the service runs there.
    gate: the keys that are let in; none: everybody is.
    private_metrics: whether there is no ``/metrics`` here.
    """
    return _front(models, Shared(body_limit, access, limits), vertex, gate, None, private_metrics=private_metrics)


def configured(models: Models | Catalog, settings: Settings, access: Access, gate: Gate | None) -> "Front":
    """The same as a process of the service runs it."""
    threads = settings.threads or max(1, cpus() // settings.workers)
    shared = Shared(
        settings.body_limit,
        access if settings.access_log else None,
        Limits(settings.rows_limit, settings.text_limit),
        Pool(threads, settings.queue),
        Split(settings.split, settings.split_header.encode("ascii")) if settings.split else None,
        Spans() if settings.traces else None,
        settings.batch_rows,
    )
    vertex = Vertex(settings.predict_route, settings.health_route)
    shadow = Shadow(*settings.shadow, settings.body_limit) if settings.shadow else None
    return _front(models, shared, vertex, gate, shadow, private_metrics=settings.private_metrics)


def _front(
    models: Models | Catalog,
    shared: Shared,
    vertex: Vertex | None,
    gate: Gate | None,
    shadow: Shadow | None,
    *,
    private_metrics: bool,
) -> "Front":
    spoken = (*native.ROUTES, *dialects.routes(vertex))
    return Front(Serving(catalog(models), shared, spoken, gate, private_metrics=private_metrics, shadow=shadow))


def routes(models: Models, *, body_limit: int = BODY_LIMIT, access: Access | None = to_logging) -> Router:
    """The same as a router for a Litestar application, which may stand below a path:
    ``Litestar(route_handlers=[routes(model)])``.

    It speaks the native dialect alone, for paths of the others (``/``, ``/ping``, ``/version``) may be that
    application's own; ``app`` speaks them all. ``/schema`` is left out, for Litestar's own OpenAPI pages are there,
    and a path that names no model is answered as that application answers unknown paths.
    """
    serving = Serving(catalog(models), Shared(body_limit, access), native.ROUTES)
    handlers = [*pages.health(serving), *pages.metrics(serving), *pages.models(serving)]
    traced = DefineMiddleware(Traced, shared=serving.shared)
    described = Router("/", route_handlers=handlers, middleware=[traced], exception_handlers=ERRORS)
    # Litestar's ``@asgi`` knows no parameters in paths, so that each path is a route.
    return Router("/", route_handlers=[*(_prediction(serving, path) for path in serving.paths), described])


class Front:
    """The service as an ASGI application: predictions ahead of Litestar's router, Litestar for everything else.

    A prediction's path is looked up in a dict. On the way through Litestar's router to an ``@asgi`` handler, the same
    endpoint took 18 µs of processor time more a request (measured as in ``native``).
    """

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        groups = [group for group in GROUPS if not (serving.private_metrics and group is pages.metrics)]
        handlers = pages.stated([page for group in groups for page in group(serving)])
        litestar = Litestar(
            route_handlers=handlers,
            guards=[pages.guard(serving)],
            exception_handlers=ERRORS,
            openapi_config=None,
            logging_config=None,
            debug=False,
            pdb_on_exception=False,
        )
        self._rest: Any = Traced(cast("ASGIApp", litestar), serving.shared)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request. (Any, because each framework has its own types for the same ASGI.)"""
        if scope["type"] != ScopeType.HTTP:
            await self._rest(scope, receive, send)
            return
        path, prefix = scope["path"], ""
        if scope.get("root_path"):
            path, prefix = _below(scope)
        raw = scope.get("raw_path") or b""
        if b"%" in raw and b"%2f" in raw.lower():  # a slash inside a name: no name here has one
            path, endpoint = raw.decode("latin-1"), None
        else:
            endpoint = self.serving.paths.get(path) or self.serving.router.find(path)
        if endpoint is not None:
            await endpoint(scope, receive, send)
            return
        state = {**scope.get("state", {}), PREFIX: prefix}
        await self._rest({**scope, "path": path, "root_path": "", "state": state}, receive, send)

    def at_once(self, head: Head, body: bytes) -> Whole | None:
        """The answer to a POST, made without waiting for anything; None where that cannot be, or where another than
        a path of predictions, plainly written, is asked."""
        answers = self.serving.paths.get(head.path)
        return None if answers is None else cast("Whole | None", answers.at_once(head, body))

    def refusing(self, refused: Refusal) -> Any:
        """An ASGI application that answers as this one does when it takes no request, for that reason: in the shape
        that the path's dialect has."""
        unmatched = Endpoint("unmatched", {}, native.problems, self.serving.shared).refusing(refused)
        known: tuple[Any, dict[str, Any]] = (None, {})  # the paths that are served, and those of them that have refused

        async def refuse(scope: Any, receive: Any, send: Any) -> None:
            nonlocal known
            paths, path = self.serving.paths, scope["path"]
            if known[0] is not paths:
                known = (paths, {})
            refusing = known[1].get(path)
            if refusing is None:
                endpoint = paths.get(path) or self.serving.router.find(path)
                refusing = unmatched if endpoint is None else endpoint.refusing(refused)
                if path in paths:
                    known[1][path] = refusing
            await refusing(scope, receive, send)

        return refuse


GROUPS = (pages.health, pages.metrics, pages.models, pages.schema)


def _below(scope: HTTPScope) -> tuple[str, str]:
    """The path below the place where we are mounted, and that place.

    ASGI says that ``path`` has ``root_path`` in it; some servers and frameworks have taken it off already.
    """
    path, prefix = scope["path"], scope["root_path"].rstrip("/")
    return (path[len(prefix) :] if (path + "/").startswith(prefix + "/") else path), prefix


def _prediction(serving: Serving, path: str) -> ASGIRouteHandler:
    """A path of predictions as a handler behind Litestar's router."""

    @asgi(path, copy_scope=False)
    async def predict(scope: Scope, receive: Receive, send: Send) -> None:
        await serving.paths[path](cast("HTTPScope", scope), receive, send)

    return predict
