"""Errors as HTTP answers: the one table from faults to statuses, and RFC 9457 problem details."""

from typing import Any

import msgspec

from ..errors import Fault, FieldError, InputError

__all__ = ["PROBLEM", "STATUS", "TITLES", "Refusal", "problem", "refusal"]

PROBLEM = b"application/problem+json"

STATUS: dict[Fault, int] = {"malformed": 400, "range": 400, "invalid": 422}
"""What an InputError's fault is in HTTP."""

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
"""RFC 9110's names (``http.HTTPStatus`` has older ones before Python 3.13)."""

_encode = msgspec.json.Encoder().encode


class Refusal(Exception):  # noqa: N818 (it is an answer rather than a failure of ours)
    """A request that is answered with an error, in whatever shape its dialect has.

    status: of HTTP.
    kind: what ``ml_prediction_errors_total`` counts it as; one of a few words.
    detail: one sentence; never a value, a path of the file system or a traceback.
    errors: for input, what is wrong with which field.
    headers: that the answer needs, say ``allow``.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = headers
        super().__init__(detail)


def refusal(error: InputError) -> Refusal:
    """What an InputError is in HTTP."""
    return Refusal(STATUS[error.fault], error.fault, str(error), errors=error.errors)


def problem(refusal: Refusal, request_id: bytes) -> bytes:
    """The body of a problem details answer; it has no ``type``, which RFC 9457 reads as: the status says it all."""
    members: dict[str, Any] = {
        "status": refusal.status,
        "title": TITLES.get(refusal.status, "Error"),
        "detail": refusal.detail,
    }
    if refusal.errors:
        members["errors"] = refusal.errors
    members["request_id"] = request_id.decode("ascii")
    return _encode(members)
