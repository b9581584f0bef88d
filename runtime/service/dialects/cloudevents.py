"""CloudEvents 1.0 over HTTP, as KServe takes and answers them at ``:predict``.

Source: cloudevents/spec bindings/http-protocol-binding.md, and kserve/protocol/dataplane.py. Binary mode has the
event's attributes in ``ce-`` headers and its data as the body; structured mode has all of it in one JSON object. Each
is answered in its own mode, with an event whose type and source are KServe's.
"""

import json
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from ...errors import InputError
from ...model import Model
from ..endpoint import Asked, Operation, Reply
from .bodies import decode, encode

__all__ = ["events"]

STRUCTURED = b"application/cloudevents+json"
_NEEDED = ("id", "source", "type")


def events(make: Callable[[str, Model], Operation]) -> Callable[[str, Model], Operation]:
    """The same operation, which answers an event with an event."""

    def made(name: str, model: Model) -> Operation:
        plain = make(name, model)
        answered = plain.answer

        def answer(asked: Asked) -> Reply:
            headers = asked.headers
            if b"ce-specversion" in headers:
                _check({key: headers.get(b"ce-" + key.encode(), b"").decode("latin-1") for key in _ATTRIBUTES})
                reply = answered(asked)
                more = tuple((b"ce-" + key.encode(), value.encode()) for key, value in _attributes(name).items())
                return replace(reply, headers=(*reply.headers, *more))
            if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == STRUCTURED:
                reply = answered(replace(asked, body=_data(asked.body)))
                event = {**_attributes(name), "datacontenttype": "application/json"}
                body = encode({**event, "data": msgspec.Raw(reply.answer.body)})
                return replace(reply, answer=replace(reply.answer, body=body), media_type=STRUCTURED)
            return answered(asked)

        return plain._replace(answer=answer)

    return made


_ATTRIBUTES = ("specversion", *_NEEDED)


def _check(event: dict[str, Any]) -> None:
    if event.get("specversion") != "1.0":
        raise InputError("$", "expected a CloudEvent of specversion 1.0, found another", fault="malformed")
    for key in _NEEDED:
        if event.get(key).__class__ is not str or not event[key]:
            raise InputError("$", f"expected a CloudEvent with {', '.join(_NEEDED)}, found none for {key}")


def _data(body: bytes) -> bytes:
    """The data of an event in structured mode, as JSON. Raises InputError."""
    event = decode(body)
    if event.__class__ is not dict:
        raise InputError("$", "expected a CloudEvent as an object, found another")
    _check(event)
    if "data" in event:
        try:
            return json.dumps(event["data"]).encode()
        except RecursionError as error:
            raise InputError("$.data", "expected data that is less deep", fault="malformed") from error
    try:
        return b64decode(event["data_base64"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("$", "expected a CloudEvent with data, or data_base64 in base 64, found neither") from error


def _attributes(name: str) -> dict[str, str]:
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": f"io.kserve.inference.{name}",
        "type": "io.kserve.inference.response",
        "time": datetime.now(UTC).isoformat(),
    }
