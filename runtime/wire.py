"""The wire format of Protocol Buffers, as far as a graph needs it; source: protobuf.dev/programming-guides/encoding.

Whatever the bytes are, reading them ends in fields or in Malformed: nothing is copied, nothing is recursive, and the
work is linear in their number.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["Malformed", "Value", "fields", "varints"]

CHUNK = 1 << 15
"""Numbers that are read at once, so that what it takes stays in a processor's cache: a large forest has millions."""

Value = int | memoryview
"""A number (wire type 0) or bytes (1: eight of them, 2: any number, 5: four)."""


class Malformed(Exception):  # noqa: N818 (it never leaves the check of a graph)
    """The bytes are no protobuf message."""


def fields(message: memoryview) -> Iterator[tuple[int, int, Value]]:
    """(number, wire type, value) of each field, in order.

    A run of unpacked numbers of one field (how a graph keeps a tree's 100,000 nodes) comes as one value of wire type
    -1: the bytes of the run, tags included, for ``varints``. Raises Malformed.
    """
    place, end = 0, len(message)
    while place < end:
        start = place
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 2**29:
            raise Malformed(f"a field's number {number}")
        if kind == 0:
            value, place = _varint(message, place)
            if tag < 128 and place < end and message[place] == tag:
                place = start + _run(message[start:], tag)
                yield number, -1, message[start:place]
            else:
                yield number, kind, value
            continue
        if kind not in (1, 2, 5):
            raise Malformed(f"wire type {kind}")
        size, place = _varint(message, place) if kind == 2 else ({1: 8, 5: 4}[kind], place)
        if size > end - place:
            raise Malformed("a field that goes on after the end")
        yield number, kind, message[place : place + size]
        place += size


def varints(value: Value, kind: int) -> NDArray[np.int64]:
    """The integers of a repeated field's value: one number, a run, or packed ones. Raises Malformed."""
    if isinstance(value, int):
        return np.array([value], np.uint64).view(np.int64)
    found = np.frombuffer(value, np.uint8)
    ends = np.flatnonzero(found < 128)
    if kind == -1:
        return _numbers(found, np.concatenate(([-1], ends[:-1])), ends)[1::2]
    if not len(found):
        return np.empty(0, np.int64)
    if not len(ends) or ends[-1] != len(found) - 1:
        raise Malformed("a number that goes on after the end")
    return _numbers(found, np.concatenate(([-1], ends[:-1])), ends)


def _numbers(found: NDArray[np.uint8], before: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.int64]:
    if len(ends) == len(found):  # flags, features: each has one byte
        return found.astype(np.int64)
    total = np.empty(len(ends), np.uint64)
    for start in range(0, len(ends), CHUNK):
        chunk = slice(start, start + CHUNK)
        total[chunk] = _numbers_of(found, before[chunk] + 1, ends[chunk])
    return total.view(np.int64)


def _numbers_of(found: NDArray[np.uint8], starts: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.uint64]:
    more = ends - starts
    if more.max() > 9:
        raise Malformed("a number of more than ten bytes")
    total = found[starts].astype(np.uint64) & np.uint64(127)
    for step in range(1, int(more.max()) + 1):
        there = np.flatnonzero(more >= step)
        digits = found[starts[there] + step].astype(np.uint64) & np.uint64(127)
        total[there] |= digits << np.uint64(7 * step)
    return total


def _run(message: memoryview, tag: int) -> int:
    """The length of a run of (tag, number) from the start of a message."""
    found = np.frombuffer(message, np.uint8)
    ends = np.flatnonzero(found < 128)
    tags = ends[0::2]
    alone = np.diff(np.concatenate(([-1], ends)))[0::2] == 1
    broken = np.flatnonzero(~(alone & (found[tags] == tag)))
    pairs = int(broken[0]) if len(broken) else len(ends) // 2
    pairs = min(pairs, len(ends) // 2)
    return int(ends[2 * pairs - 1]) + 1


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(message) or shift > 63:
            raise Malformed("a number that does not end")
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (2**64 - 1), place
        shift += 7
