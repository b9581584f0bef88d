"""Rows of a batch are ordered by some tests on their way into the graph, and answered as they came."""

from typing import Any

import numpy as np
import pytest
import spox
import spox.opset.ai.onnx.v21 as op

from runtime import order
from runtime.order import FEWEST, ORDER, Order
from runtime.session import Session


def session(said: str | None, monkeypatch: pytest.MonkeyPatch) -> tuple[Session, list[Any]]:
    """A graph that answers its two columns and their sum, and what it is given."""
    x = spox.argument(spox.Tensor(np.float64, ("N", 2)))
    model = spox.build({"X": x}, {"same": op.identity(x), "sum": op.reduce_sum(x, op.const(np.array([1])), keepdims=0)})
    if said is not None:
        model.metadata_props.add(key=ORDER, value=said)
    made = Session(model.SerializeToString())
    run, given = made._run, list[Any]()

    def noted(matrix: Any, outputs: Any) -> Any:
        given.append(matrix)
        return run(matrix, outputs)

    monkeypatch.setattr(made, "_run", noted)
    return made, given


def rows(count: int) -> Any:
    return np.random.default_rng(0).normal(size=(count, 2))


@pytest.mark.parametrize("count", [FEWEST, 3 * FEWEST + 1, 20_000])
def test_rows_are_answered_as_they_came(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made, given = session("1:0.5,0:-0.25", monkeypatch)
    matrix = rows(count)
    matrix[::7, 1] = np.nan
    same, sums = made.run(matrix, ["same", "sum"])
    np.testing.assert_array_equal(same, matrix)
    np.testing.assert_array_equal(sums, matrix.sum(axis=1))
    assert max(map(len, given)) < count or len(given) == 1
    # Those first that answer no to the first test, and so does a missing value; then by the second one, and behind a
    # yes the other way around.
    first = given[0]
    answers = (first[:, 1] <= 0.5) * 2 + ((first[:, 1] <= 0.5) != (first[:, 0] <= -0.25))
    assert (np.diff(answers[:1000].astype(int)) >= 0).all()


@pytest.mark.parametrize(
    ("said", "count"),
    [
        (None, 1000),
        ("1:0.5", FEWEST - 1),
        ("", 1000),
        ("2:0.5", 1000),
        ("-1:0.5", 1000),
        ("0:nan", 1000),
        ("0:inf", 1000),
        ("0:0.5:1", 1000),
        ("0", 1000),
        ("a:b", 1000),
        (",".join(["0:0.5"] * 17), 1000),
    ],
)
def test_few_rows_and_orders_without_sense_are_left(
    said: str | None, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, given = session(said, monkeypatch)
    matrix = rows(count)
    np.testing.assert_array_equal(made.run(matrix, ["same"])[0], matrix)
    assert given[0] is matrix


def test_a_group_of_rows_and_the_next_differ_in_one_answer() -> None:
    """Of sixteen, whatever the processor's order of bytes; the first test changes once."""
    tests = np.arange(order.MOST_TESTS)
    matrix = (np.random.default_rng(0).permutation(2**16)[:, np.newaxis] >> tests & 1).astype(np.float64)
    found = Order.read(",".join(f"{column}:0.5" for column in tests), order.MOST_TESTS)
    assert found is not None
    changes = np.diff(matrix[found.places(matrix)], axis=0) != 0
    assert (changes.sum(axis=1) == 1).all()
    assert changes[:, 0].sum() == 1
