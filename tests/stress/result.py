"""What a check of the service under stress found."""

from collections.abc import Mapping, Sequence

import msgspec

__all__ = ["Result"]


class Result(msgspec.Struct, frozen=True):
    """A check's outcome.

    count: how often the fault was tried: swaps, kills, requests.
    faults: a sentence for everything that was not as it must be.
    figures: what was measured, by name with its unit.
    """

    count: int
    faults: Sequence[str]
    figures: Mapping[str, float]
