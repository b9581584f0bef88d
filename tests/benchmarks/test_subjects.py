"""Which rows are measured."""

import numpy as np
import pytest

from benchmarks.subjects import LARGE, drawn


@pytest.mark.parametrize("count", [353, LARGE, 3 * LARGE])
def test_rows_come_equally_often_and_in_no_order_that_comes_again(count: int) -> None:
    """A processor learns an order of a few hundred rows by heart."""
    found = drawn(count, 0)
    assert len(found) == LARGE
    times = np.bincount(found, minlength=count)
    assert len(times) == count
    assert times.max() - times.min() <= 1
    rounds = [found[start : start + count] for start in range(0, LARGE - count + 1, count)]
    assert all(len(np.unique(part)) == count for part in rounds)
    assert len({part.tobytes() for part in rounds}) == len(rounds)
    assert drawn(count, 0).tobytes() == found.tobytes() != drawn(count, 1).tobytes()
