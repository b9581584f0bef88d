"""How far a long stage has come, for whoever watches it."""

from typing import Protocol

__all__ = ["Progress", "unseen"]


class Progress(Protocol):
    """Called while a stage goes on, as often as something is done."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """what: the stage, as the line calls it that ends it; done, total: trees or rows."""


def unseen(what: str, done: int, total: int) -> None:
    """Where nobody watches."""
