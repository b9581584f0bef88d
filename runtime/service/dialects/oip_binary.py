"""The binary tensor extension of the Open Inference Protocol, as Triton documents it (extension_binary_data.md).

A body is JSON, then the tensors' bytes one after another: little-endian, row-major, without padding; an element of
BYTES is its length in four bytes and itself. How long the JSON is stands in a header, or in the media type where a
platform lets no other header through.
"""

import re
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..head import Headers
from ..problems import Refusal

__all__ = ["DTYPES", "LENGTH", "Reader", "enveloped", "framing", "split", "written"]

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""The datatypes whose elements have one size."""

LENGTH = b"inference-header-content-length"
"""The header that says how long the JSON is."""
_PLAIN = b"application/octet-stream"
_PLATFORM = re.compile(
    rb"\s*(application/vnd\.(?:sagemaker|vertex-ai)-triton\.binary\+json)\s*;\s*json-header-size\s*=\s*(\S+?)\s*",
    re.IGNORECASE,
).fullmatch


def framing(headers: Headers) -> tuple[bytes | None, bytes | None]:
    """(the length of the JSON as the headers say it, the media type where it is a platform's); None: not said."""
    if match := _PLATFORM(headers.get(b"content-type", b"")):
        return match[2], match[1]
    return headers.get(LENGTH), None


def split(headers: Headers, body: bytes) -> tuple[bytes, "Reader"]:
    """The JSON of a body, and a reader of the tensors behind it. Raises Refusal 400 for a length that is none."""
    said, _ = framing(headers)
    if said is None:
        return body, Reader(body, len(body))
    if not (said.isdigit() and len(said) < 19 and int(said) <= len(body)):
        raise Refusal(
            400,
            "malformed",
            "expected Inference-Header-Content-Length to be a number of bytes within the body, found another",
        )
    return body[: int(said)], Reader(body, int(said))


class Reader:
    """Takes one tensor after another from a body."""

    def __init__(self, body: bytes, start: int) -> None:
        self._body = body
        self._at = start

    def take(self, datatype: str, count: int, size: Any, where: str) -> NDArray[Any] | list[str]:
        """The next ``size`` bytes as ``count`` elements; where: the input's path. Raises InputError."""
        if type(size) is not int or not 0 <= size <= len(self._body) - self._at:
            raise InputError(where, "expected binary_data_size to be a number of bytes within the body, found another")
        start, self._at = self._at, self._at + size
        if datatype == "BYTES":
            return _strings(self._body[start : self._at], count, where)
        dtype = DTYPES[datatype]
        if size != count * dtype.itemsize:
            raise InputError(where, f"expected {count} elements of {datatype} in {count * dtype.itemsize} bytes")
        if datatype == "BOOL":
            octets = np.frombuffer(self._body, np.uint8, count, start)
            if (octets > 1).any():
                raise InputError(where, "expected every byte of BOOL to be 0 or 1, found another")
            return octets.view(np.bool_)
        return np.frombuffer(self._body, dtype, count, start)

    def finish(self) -> None:
        """Raise InputError where bytes are left over."""
        if self._at != len(self._body):
            raise InputError("$", "expected no bytes after the last tensor, found some")


def _strings(octets: bytes, count: int, where: str) -> list[str]:
    found: list[str] = []
    at = 0
    try:
        while at < len(octets) and len(found) <= count:
            (size,) = struct.unpack_from("<I", octets, at)
            at += 4 + size
            if at > len(octets):
                break
            found.append(octets[at - size : at].decode("utf-8"))
    except struct.error as error:
        raise InputError(where, "expected each element of BYTES behind its length in 4 bytes") from error
    except UnicodeDecodeError as error:
        raise InputError(where, "expected BYTES to be text in UTF-8, found another encoding") from error
    if at != len(octets) or len(found) != count:
        raise InputError(where, f"expected {count} elements of BYTES, each behind its length in 4 bytes")
    return found


def written(datatype: str, values: NDArray[Any] | Sequence[str]) -> bytes:
    """A tensor's bytes."""
    if datatype != "BYTES":
        return np.asarray(values).astype(DTYPES[datatype], copy=False).tobytes()
    parts = [value.encode("utf-8") for value in values]
    return b"".join(len(part).to_bytes(4, "little") + part for part in parts)


def enveloped(headers: Headers, text: bytes, tensors: Sequence[bytes]) -> tuple[bytes, bytes, tuple[Any, ...]]:
    """(body, media type, headers) of an answer with tensors behind its JSON, framed as the request was."""
    _, platform = framing(headers)
    body = b"".join((text, *tensors))
    if platform is not None:
        return body, b"%s;json-header-size=%d" % (platform, len(text)), ()
    return body, _PLAIN, ((b"inference-header-content-length", b"%d" % len(text)),)
