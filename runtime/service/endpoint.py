"""One path as an ASGI application: what every dialect's routes share, from a request's headers to its log line.

A dialect gives operations (bytes in, bytes out) and the shape of its errors; the rest is done here, once.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from functools import partial
from time import perf_counter
from typing import NamedTuple, NoReturn

import msgspec
from litestar.types import HTTPScope, Receive, Send
from msgspec import UNSET
from msgspec.structs import replace

from ..errors import InputError
from ..model import Answer, Model
from .compression import inflated, is_compressed
from .deadline import check_deadline, deadline
from .exchange import Disconnected, Shared, check_size, read_body
from .head import Head, Headers
from .logs import failure, log
from .meters import Meter
from .pool import inline_bytes
from .problems import Refusal, refusal

__all__ = [
    "JSON",
    "Asked",
    "Endpoint",
    "Errors",
    "Failed",
    "Operation",
    "Operations",
    "Reply",
    "Served",
    "Whole",
    "unreachable",
]

JSON = b"application/json"


class Asked(msgspec.Struct, frozen=True, gc=False):  # made 0.4 µs sooner than a NamedTuple; so are the next two
    """What a request says.

    came: when, by ``perf_counter``.
    until: takes the moment by which work on it must have begun, where its body says one.
    """

    headers: Headers
    query: bytes
    body: bytes
    came: float
    until: Callable[[float], None] = lambda ends: None


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What is answered.

    answer: the body, and what is counted.
    headers: beyond those that every answer has.
    """

    answer: Answer
    media_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    status: int = 200


class Operation(NamedTuple):
    """What one method does at a path.

    answer: raises InputError and Refusal.
    check: looks at the headers before the body is read; raises Refusal.
    predicts: whether it is counted among the predictions.
    readiness: whether it says that clients may come, and so is refused while the process is about to end.
    """

    answer: Callable[[Asked], Reply]
    check: Callable[[Headers], None] = lambda headers: None
    predicts: bool = True
    readiness: bool = False


Operations = Mapping[str, Operation]
"""By method."""


class Whole(msgspec.Struct, frozen=True, gc=False):
    """What is sent back for a request.

    lines: the headers as they are sent, with the empty line after them.
    """

    status: int
    lines: bytes
    body: bytes


class Failed(NamedTuple):
    """An error as a dialect answers it."""

    status: int
    media_type: bytes
    body: bytes


Joins = Callable[[HTTPScope, Asked, float | None], Awaitable[Reply] | None]
"""What answers a request together with others: (scope, asked, when work must have begun) -> its answer; None for a
request that is answered by itself."""

Errors = Callable[[Refusal, bytes], Failed]
"""The shape of a dialect's errors: (refusal, request id) -> answer."""


class Served(NamedTuple):
    """The model that a path speaks of, by the name it is served under, and its counters.

    joins: answers requests together, where that is asked for.
    """

    name: str
    model: Model
    meter: Meter
    joins: Joins | None = None


class Endpoint:
    """One path, as an ASGI application.

    route: the path as the log knows it, with its parameters' names in place of their values.
    served: None for a path that speaks of no model, or of one that is not served.
    successor: what answers at this path by now, where that is another endpoint.
    after: takes what was asked, once it has been answered.
    """

    successor: "Endpoint | None" = None
    after: "Callable[[Asked], None] | None" = None

    def __init__(
        self, route: str, operations: Operations, errors: Errors, shared: Shared, served: Served | None = None
    ) -> None:
        self.route = route
        self._operations = operations
        self._other = _other_method(operations)
        self._errors = errors
        self._request_id = shared.request_id
        self._logs = shared.notes
        self._note = shared.note
        self._limit = shared.body_limit
        self._room = shared.room
        self._pool = shared.pool
        self._joins = served.joins if served else None
        self._inline = (-1 if served.joins else inline_bytes(served.model.cost)) if served else sys.maxsize
        self._meter = served.meter if served else None
        self._made_by = ((b"x-model-version", served.model.version.encode("ascii")),) if served else ()
        self._name = served.name if served else UNSET
        self._version = served.model.version if served else UNSET
        # The headers of nearly every answer, but for two values.
        self._plain = b"".join(b"%b: %b\r\n" % pair for pair in self._fields(JSON, b"%d", b"%b")) + b"\r\n"

    def refusing(self, refused: Refusal) -> "Endpoint":
        """The same path when it takes no request, for that reason."""

        def refuse(headers: Headers) -> NoReturn:
            raise refused.with_traceback(None)  # which would grow with every request

        other = copy(self)
        other._operations = {}
        other._other = Operation(unreachable, refuse)
        return other

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        start, method = perf_counter(), scope["method"]
        headers = dict(scope["headers"])
        request_id = self._request_id(headers)
        by, operation = self, self._operations.get(method, self._other)
        asked = Asked(headers, scope["query_string"], b"", start)
        try:
            operation.check(headers)
            compressed = b"content-encoding" in headers and is_compressed(headers)
            ends = deadline(headers, start) if b"x-request-timeout-ms" in headers else None
            asked = replace(asked, body=await read_body(headers, receive, self._limit, self._room))
            while by.successor is not None:  # while the body came, other models came to serve
                by = by.successor
                operation = by._operations.get(method, by._other)
            begun = perf_counter()
            if len(asked.body) > by._inline or compressed:
                answering = by._joins(scope, asked, ends) if by._joins is not None and not compressed else None
                if answering is None:
                    work = partial(_answer, operation, asked, ends, self._limit if compressed else None)
                    answering = self._pool.run(work)
                reply = await answering
            else:
                reply = _answer(operation, asked, ends, None)
            by._count(operation, reply, perf_counter() - begun)
        except Disconnected:
            return
        except Exception as error:  # the edge: whatever happened, the client gets an answer
            reply = by._failure(operation, error, request_id)
        body = reply.answer.body
        fields = [*by._fields(reply.media_type, b"%d" % len(body), request_id), *reply.headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": fields})
        await send({"type": "http.response.body", "body": body, "more_body": False})
        if by.after is not None and reply.status == 200 and operation.predicts:
            by.after(asked)
        by._ended(method, asked, reply, request_id)

    def at_once(self, head: Head, body: bytes) -> Whole | None:
        """The answer to a POST whose body is here, made without waiting for anything; None where there is something
        to wait for: a thread, for what takes long or is compressed."""
        start, headers = perf_counter(), head.headers
        if len(body) > self._inline or b"content-encoding" in headers:
            return None
        request_id = self._request_id(headers)
        operation = self._operations.get("POST", self._other)
        asked = Asked(headers, head.query, body, start)
        try:
            operation.check(headers)
            check_size(body, self._limit)
            if b"x-request-timeout-ms" in headers:
                check_deadline(deadline(headers, start))
            reply = operation.answer(asked)
            self._count(operation, reply, perf_counter() - start)
        except Exception as error:  # as above
            reply = self._failure(operation, error, request_id)
        whole = Whole(reply.status, self._lines(reply, request_id), reply.answer.body)
        if self.after is not None and reply.status == 200 and operation.predicts:
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self.after, asked)  # uvloop writes at the end of a turn
        self._ended("POST", asked, reply, request_id)
        return whole

    def _count(self, operation: Operation, reply: Reply, seconds: float) -> None:
        if operation.predicts and self._meter is not None:
            self._meter.answered(reply.answer, seconds)

    def _failure(self, operation: Operation, error: Exception, request_id: bytes) -> Reply:
        refused = _refused(error, request_id)
        if operation.predicts and self._meter is not None:
            self._meter.refused(refused.kind)
        status, media_type, text = self._errors(refused, request_id)
        return Reply(Answer(text, (), 0), media_type, refused.headers, status)

    def _fields(self, media_type: bytes, length: bytes, request_id: bytes) -> Sequence[tuple[bytes, bytes]]:
        """The headers that every answer has."""
        named = (b"content-type", media_type), (b"content-length", length), (b"x-request-id", request_id)
        return *named, *self._made_by

    def _lines(self, reply: Reply, request_id: bytes) -> bytes:
        """The same and those of a reply, as they are sent, with the empty line after them."""
        length = len(reply.answer.body)
        if reply.media_type is JSON and not reply.headers:
            return self._plain % (length, request_id)
        fields = (*self._fields(reply.media_type, b"%d" % length, request_id), *reply.headers)
        return b"".join(b"%b: %b\r\n" % pair for pair in fields) + b"\r\n"

    def _ended(self, method: str, asked: Asked, reply: Reply, request_id: bytes) -> None:
        """What remains when the answer is made, or sent."""
        if self._logs:
            came, status = asked.came, reply.status
            rows = UNSET if self._meter is None else reply.answer.rows
            self._note(method, asked.headers, request_id, self.route, status, came, self._name, self._version, rows)


def _answer(operation: Operation, asked: Asked, ends: float | None, limit: int | None) -> Reply:
    """What an operation answers, in whatever thread it has waited for. limit: of what a compressed body holds."""
    if ends is not None:
        check_deadline(ends)
    return operation.answer(asked if limit is None else replace(asked, body=inflated(asked.body, limit)))


def _refused(error: Exception, request_id: bytes) -> Refusal:
    match error:
        case Refusal():
            return error
        case InputError():
            return refusal(error)
        case _:
            log.error("request %s failed: %s", request_id.decode("ascii"), failure(error))
            return Refusal(500, "internal", "the model failed on this input; the log tells more under this request_id")


def _other_method(operations: Operations) -> Operation:
    """What answers a method that the path has not."""
    allowed = sorted(operations)
    sentence = f"expected the method {' or '.join(allowed)}, found another"
    header = (b"allow", ", ".join(allowed).encode("ascii"))

    def refuse(headers: Headers) -> NoReturn:
        raise Refusal(405, "method", sentence, headers=(header,))

    return Operation(unreachable, refuse)


def unreachable(asked: Asked) -> NoReturn:
    """The answer of an operation whose check refuses everything."""
    raise RuntimeError("expected the check to refuse, found that it did not")
