"""JSON as prediction clients write it, and errors with one key: what several dialects share."""

import json
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from ...errors import InputError
from ..endpoint import JSON, Failed
from ..problems import Refusal

__all__ = ["decode", "encode", "one_key", "shaped"]

T = TypeVar("T")

_decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode
"""To JSON that is valid whatever the numbers: NaN and infinities become null."""


def decode(body: bytes) -> Any:
    """A JSON value, in which the tokens NaN, Infinity and -Infinity are numbers too.

    They are no JSON, but Python's clients write them; the slower decoder that knows them sees only what has them.
    Raises InputError.
    """
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if b"NaN" in body or b"Infinity" in body:
            with suppress(ValueError, RecursionError):
                found = json.loads(body.decode("utf-8"))
                if b"\\ud" in body.lower():  # half of a surrogate pair would be text that nothing can write again
                    json.dumps(found, ensure_ascii=False).encode()
                return found
        raise InputError("$", _sentence(error), fault="malformed") from error


def shaped(body: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """A body of a dialect's type; as lenient as ``decode``. Raises InputError, which quotes no value."""
    try:
        try:
            return decoder.decode(body)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found: T = msgspec.convert(decode(body), decoder.type)
            return found
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `")
        sentence = said[:1].lower() + said[1:].replace("`", "")
        raise InputError(path.rstrip("`") or "$", sentence) from error


def _sentence(error: Exception) -> str:
    """Without what some decoders quote."""
    if isinstance(error, UnicodeDecodeError):
        return "expected JSON in UTF-8, found another encoding"
    if isinstance(error, msgspec.DecodeError):
        return f"expected JSON, found what is not: {error}"
    return "expected JSON, found what is not"


def one_key(refused: Refusal, request_id: bytes) -> Failed:
    """``{"error": "..."}``: how the Open Inference Protocol, KServe and TF Serving say what went wrong. What the
    client did wrong is 400 in all of them, where nothing more special is."""
    status = 400 if refused.status == 422 else refused.status
    return Failed(status, JSON, encode({"error": refused.detail}))
