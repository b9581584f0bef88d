"""Every request has an id, in its answer and in the log: what does that for Litestar's handlers."""

from time import perf_counter
from typing import Any, cast

from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, ExceptionHandlersMap, Message, Receive, Scope, Send

from .exchange import Shared
from .logs import failure, log
from .problems import PROBLEM, Refusal, problem

__all__ = ["ERRORS", "PREFIX", "Traced", "id_of"]

_KEY = "pipetwin_request_id"
PREFIX = "pipetwin_prefix"
"""The key in a request's state of the path that the service is mounted at."""

_SENTENCES = {
    404: "nothing is at this path: GET /schema says what there is",
    405: "expected another method at this path; the header allow says which",
}


class Traced:
    """An ASGI application around another: gives each of its answers the request's id, and the log its line."""

    def __init__(self, app: ASGIApp, shared: Shared) -> None:
        self._app = app
        self._shared = shared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        request_id = self._shared.request_id(dict(scope["headers"]))
        status = 500
        scope.setdefault("state", {})[_KEY] = request_id

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        await self._app(scope, receive, with_id)
        self._shared.note(
            scope["method"], dict(scope["headers"]), request_id, scope.get("path_template", "unmatched"), status, start
        )


def id_of(request: Request[Any, Any, Any]) -> bytes:
    """The id that a request was given."""
    request_id: bytes = request.scope["state"][_KEY]
    return request_id


def _answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's handler of exceptions: problem details, whatever went wrong."""
    request_id = id_of(request)
    match error:
        case Refusal():
            refused = error
        case HTTPException() if error.status_code < 500:
            sentence = _SENTENCES.get(error.status_code, "expected an HTTP request that is in order, found another")
            allow = tuple((k.encode(), v.encode()) for k, v in (error.headers or {}).items() if k == "allow")
            refused = Refusal(error.status_code, "http", sentence, headers=allow)
        case _:
            log.error("request %s failed: %s", request_id.decode("ascii"), failure(error))
            refused = Refusal(500, "internal", "this request failed; the log tells more under this request_id")
    return Response(
        problem(refused, request_id),
        status_code=refused.status,
        media_type=PROBLEM.decode("ascii"),
        headers={name.decode("ascii"): value.decode("ascii") for name, value in refused.headers},
    )


ERRORS = cast("ExceptionHandlersMap", {Refusal: _answer_error, HTTPException: _answer_error, Exception: _answer_error})
"""What a Litestar application answers whatever is raised with."""
