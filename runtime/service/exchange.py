"""What every dialect does with a request before and after it is a prediction: its id, its media type, its body, its
line in the log."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from secrets import token_hex
from time import perf_counter

from litestar.types import Receive
from msgspec import UNSET, UnsetType

from ..settings import QUEUE, ROWS_LIMIT, TEXT_LIMIT
from ..tensors import Limits
from .cpus import cpus
from .logs import Access, Line
from .pool import Pool
from .problems import Refusal
from .spans import Spans
from .split import Split

__all__ = [
    "LIMITS",
    "ROOM",
    "Disconnected",
    "Room",
    "Shared",
    "check_media_type",
    "check_size",
    "read_body",
    "request_ids",
]

LIMITS = Limits(ROWS_LIMIT, TEXT_LIMIT)
"""What a body may hold, unless told otherwise."""

ROOM = 256 * 2**20
"""Bytes of all bodies that are here in part, where four of the largest are not more."""

_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}").fullmatch
_JSON = re.compile(rb'\s*application/json\s*(;\s*charset\s*=\s*"?utf-?8"?\s*)?', re.IGNORECASE).fullmatch


class Disconnected(Exception):  # noqa: N818 (nothing failed)
    """The client has gone: nobody waits for an answer."""


def request_ids() -> Callable[[Mapping[bytes, bytes]], bytes]:
    """A function from a request's headers to its id: ``X-Request-Id`` where that is 1 to 128 of ``A-Za-z0-9._:-``,
    else a new one. New ones are a random part, drawn once, and a count: a tenth of the cost of a UUID."""
    start = token_hex(8).encode()
    numbers = count(1)

    def request_id(headers: Mapping[bytes, bytes]) -> bytes:
        asked = headers.get(b"x-request-id")
        if asked is not None and _ID(asked):
            return asked
        return b"%s-%x" % (start, next(numbers))

    return request_id


class Room:
    """What all bodies may take together that are here in part: a stalled client costs memory as long as it has time for
    its body.

    most: bytes.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    def take(self, size: int) -> None:
        """Raises Refusal 503 where there is no room for so many bytes."""
        if self.held + size > self.most:
            raise Refusal(
                503,
                "overloaded",
                f"expected bodies on their way of at most {self.most} bytes together, found more: try again later",
                headers=((b"retry-after", b"1"),),
            )
        self.held += size


@dataclass(frozen=True, slots=True)
class Shared:
    """What every endpoint of a service shares.

    body_limit: bytes.
    access: takes the line of a request; None where no log is wanted.
    limits: to what a body may hold.
    pool: answers what takes long.
    spans: traces requests; none: they are not.
    batch_rows: rows that requests which come together are answered in at most; 0: each is answered by itself.
    split: among which aliases the requests for a model are divided.
    request_id: headers -> id.
    """

    body_limit: int
    access: Access | None
    limits: Limits = LIMITS
    pool: Pool = field(default_factory=lambda: Pool(cpus(), QUEUE))
    split: Split | None = None
    spans: Spans | None = None
    batch_rows: int = 0
    request_id: Callable[[Mapping[bytes, bytes]], bytes] = field(default_factory=request_ids)
    room: Room = field(init=False)

    def __post_init__(self) -> None:
        """Make room for bodies: for several of the largest, and for many that are smaller."""
        object.__setattr__(self, "room", Room(max(ROOM, 4 * self.body_limit)))

    def note(
        self,
        method: str,
        headers: Mapping[bytes, bytes],
        request_id: bytes,
        route: str,
        status: int,
        start: float,
        model: str | UnsetType = UNSET,
        version: str | UnsetType = UNSET,
        rows: int | UnsetType = UNSET,
    ) -> None:
        """Log and trace a request that has been answered; ``start`` is the ``perf_counter`` at its beginning."""
        text = request_id.decode("ascii")
        if self.access is not None:
            ms = int((perf_counter() - start) * 1e6) / 1e3  # round() takes three times as long
            self.access(Line(datetime.now(UTC), text, method, route, status, ms, model, version, rows))
        if self.spans is not None:
            self.spans(method, headers, text, route, status, start, model, version, rows)

    @property
    def notes(self) -> bool:
        """Whether somebody takes note of requests."""
        return self.access is not None or self.spans is not None


def check_media_type(headers: Mapping[bytes, bytes]) -> None:
    """Raise Refusal 415 for a body that says it is something other than plain JSON in UTF-8."""
    kind = headers.get(b"content-type")
    if kind is not None and kind != b"application/json" and not _JSON(kind):
        raise Refusal(415, "media_type", "expected the header content-type: application/json, in UTF-8, found another")


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, limit: int, room: Room) -> bytes:
    """The request's whole body, at most ``limit`` bytes whatever its Content-Length says.

    Raises Refusal 413 as soon as it is known to be larger, 503 where there is no room for it, and Disconnected.
    """
    length = headers.get(b"content-length", b"")
    if length.isdigit() and (len(length) > 18 or int(length) > limit):
        raise _too_large(limit)
    message = await receive()
    if message["type"] != "http.request":
        raise Disconnected
    whole = message.get("body", b"")
    if not message.get("more_body"):
        check_size(whole, limit)
        return whole
    body = bytearray(whole)  # not a list of parts: a million chunks of one byte must not cost more
    held = 0
    try:
        while len(body) <= limit:
            room.take(len(body) - held)
            held = len(body)
            message = await receive()
            if message["type"] != "http.request":
                raise Disconnected
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
    finally:
        room.held -= held
    check_size(body, limit)
    return bytes(body)


def check_size(body: bytes | bytearray, limit: int) -> None:
    """Raise Refusal 413 for a body beyond that many bytes."""
    if len(body) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> Refusal:
    return Refusal(413, "too_large", f"expected a body of at most {limit} bytes, found a larger one")
