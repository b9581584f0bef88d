"""When a request is too late to be begun: its client has said how long it waits, and waits no more."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from .problems import Refusal

__all__ = ["check_deadline", "check_timeout", "deadline"]

_LONGEST = 9
"""Digits of a time that is taken: eleven days in milliseconds."""


def deadline(headers: Mapping[bytes, bytes], came: float) -> float:
    """When work on a request must have begun, as its ``X-Request-Timeout-Ms`` says.

    came: when the request came; all times by ``perf_counter``. Raises Refusal 400 for what is no whole number of
    milliseconds.
    """
    said = headers[b"x-request-timeout-ms"].strip()
    if not (said.isdigit() and len(said) <= _LONGEST):
        raise Refusal(
            400,
            "parameter",
            f"expected X-Request-Timeout-Ms to be a whole number of milliseconds of at most {_LONGEST} digits, "
            "found another value",
        )
    return came + int(said) / 1e3


def check_deadline(ends: float) -> None:
    """Raise Refusal 503 where it is later than ``ends``."""
    if perf_counter() > ends:
        raise Refusal(503, "deadline", "expected to begin within the request's timeout, found that it had passed")


def check_timeout(said: Any, came: float, note: Callable[[float], None]) -> None:
    """The same for ``timeout`` among the parameters of the Open Inference Protocol: microseconds, as in Triton, where 0
    is no timeout. Raises Refusal 400 for what is no whole number of them.

    note: takes when work must have begun, where that is said.
    """
    if type(said) is not int or said < 0:
        raise Refusal(400, "parameter", "expected parameters.timeout to be a whole number of microseconds")
    if said:
        ends = came + said / 1e6
        check_deadline(ends)
        note(ends)
