"""One path, several versions: each answers its share of the requests, and the same client is answered by the same."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate, count
from typing import Any

from litestar.types import HTTPScope, Receive, Send

from .head import Fields, Head
from .problems import Refusal

__all__ = ["Divided", "Split"]

_STEP = (math.sqrt(5) - 1) / 2
"""Multiples of the golden ratio's inverse, modulo 1, spread as evenly as those of any number: after n requests each
share is off by O(log n) requests (Knuth, The Art of Computer Programming, volume 3, 6.4)."""


class Split:
    """Which of several aliases answers a request.

    weights: (alias, share), shares in percent.
    header: its value decides, in lower case; requests without it, or with an empty one, are dealt out in turn.

    A value leads to the same alias in every process, and as long as the weights stay; where a share grows at the
    expense of its neighbour, only values move that must.
    """

    def __init__(self, weights: Sequence[tuple[str, int]], header: bytes) -> None:
        self.aliases = tuple(alias for alias, _ in weights)
        self.header = header
        total = sum(share for _, share in weights)
        self._ends = [end / total for end in accumulate(share for _, share in weights)]

    def __call__(self, point: float) -> str:
        """The alias whose share a point in [0, 1) falls into."""
        return self.aliases[bisect_right(self._ends, point)]

    @staticmethod
    def point(name: str, value: bytes) -> float:
        """Where a header's value lies in [0, 1), for the model of that name."""
        digest = blake2b(name.encode("ascii") + b"\0" + value, digest_size=8).digest()
        return (int.from_bytes(digest) >> 11) / 2**53


class Divided:
    """A path of one model as an ASGI application, divided among endpoints.

    plain: the endpoint that answers methods other than POST, which predict nothing.
    arms: endpoints by alias.
    """

    def __init__(self, split: Split, name: str, plain: Any, arms: Mapping[str, Any]) -> None:
        self._split = split
        self._name = name
        self._plain = plain
        self._arms = arms
        self._numbers = count()

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._chosen(scope["method"], scope["headers"])(scope, receive, send)

    def at_once(self, head: Head, body: bytes) -> Any:
        """As ``Endpoint.at_once``."""
        return self._chosen("POST", head.fields).at_once(head, body)

    def refusing(self, refused: Refusal) -> Any:
        """The same path when it takes no request, for that reason."""
        return self._plain.refusing(refused)

    def _chosen(self, method: str, fields: Fields) -> Any:
        return self._plain if method != "POST" else self._arms[self._split(self._point(fields))]

    def _point(self, fields: Fields) -> float:
        for name, value in fields:
            if name == self._split.header and value:
                return self._split.point(self._name, value)
        return next(self._numbers) * _STEP % 1.0
