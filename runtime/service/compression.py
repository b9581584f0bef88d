"""Bodies that arrive compressed: gzip (RFC 1952), the content coding that prediction clients use."""

import zlib
from collections.abc import Mapping

from .problems import Refusal

__all__ = ["MEMBERS", "inflated", "is_compressed"]

MEMBERS = 1000
"""Members of one body: each costs some time and may hold nothing."""

_PIECE = 65_536


def is_compressed(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the body is gzip. Raises Refusal 415 for any other coding, and for several one over another."""
    coding = headers.get(b"content-encoding", b"identity").strip().lower()
    if coding in (b"gzip", b"x-gzip"):
        return True
    if coding in (b"identity", b""):
        return False
    accepts = ((b"accept-encoding", b"gzip"),)  # RFC 9110, section 15.5.16
    raise Refusal(415, "media_type", "expected a body as it is or in gzip, found another encoding", headers=accepts)


def inflated(body: bytes, limit: int) -> bytes:
    """What a gzip body holds, of one member or several, at most ``limit`` bytes.

    Never makes more than ``limit`` + 1 bytes, however much there would be, and works in time linear in the body.
    Raises Refusal 413 for more, and 400 for what is no gzip, is cut off, is followed by something else, or has more
    than MEMBERS members.
    """
    found = bytearray()
    whole = memoryview(body)
    at = 0
    for _ in range(MEMBERS):
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        while not member.eof:
            piece = whole[at : at + _PIECE]  # what a member leaves over is copied: not the whole rest
            if not piece:
                raise _broken()
            try:
                found += member.decompress(piece, limit + 1 - len(found))
            except zlib.error as error:
                raise _broken() from error
            if len(found) > limit:
                raise Refusal(
                    413, "too_large", f"expected a body of at most {limit} bytes decompressed, found a larger one"
                )
            at += len(piece) - len(member.unused_data)
        if at == len(whole):
            return bytes(found)
    raise Refusal(400, "malformed", f"expected a body in gzip of at most {MEMBERS} members, found more")


def _broken() -> Refusal:
    return Refusal(400, "malformed", "expected a body in gzip, whole and with nothing behind it, found another")
