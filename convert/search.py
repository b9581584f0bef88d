"""Which of many are taken, where a group is taken or refused as one."""

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["search"]

T = TypeVar("T")


def search(items: Sequence[T], takes: Callable[[Sequence[T]], bool]) -> list[T]:
    """The items that are taken, by asking about groups of neighbours: after one that is refused the groups become
    smaller, after one that is taken larger, so that few questions find few refused, and no more than about one each
    finds many."""
    found: list[T] = []
    start, size = 0, len(items)
    while start < len(items):
        group = items[start : start + size]
        if takes(group):
            found += group
            start += len(group)
            size *= 2
        elif len(group) == 1:
            start += 1
        else:
            size = max(1, len(group) // 4)
    return found
