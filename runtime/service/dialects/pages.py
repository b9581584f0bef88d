"""Answers that are known before they are asked for: health, readiness, metadata."""

from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as of_distribution
from typing import Any

from ...model import Answer
from ..endpoint import JSON, Asked, Operation, Reply
from .bodies import encode

__all__ = ["page", "text", "version"]


def page(content: Any, status: int = 200, *, readiness: bool = False) -> Operation:
    """A page of JSON."""
    return text(encode(content), JSON, status, readiness=readiness)


def text(content: bytes, media_type: bytes, status: int = 200, *, readiness: bool = False) -> Operation:
    """A page of anything; readiness: as in Operation."""
    reply = Reply(Answer(content, (), 0), media_type, status=status)

    def answer(asked: Asked) -> Reply:
        return reply

    return Operation(answer, predicts=False, readiness=readiness)


@cache
def version() -> str:
    """This distribution's version; ``0`` where the packages are used without being installed."""
    try:
        return of_distribution("pipetwin")
    except PackageNotFoundError:
        return "0"
