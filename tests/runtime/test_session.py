"""A session asks onnxruntime's own, past its wrapper, and goes through the wrapper where there is no way past it."""

import threading
from typing import Any

import numpy as np
import onnxruntime
import pytest
import spox
import spox.opset.ai.onnx.v21 as op

from runtime.session import Session

OUTPUTS = ("double", "sum")


def graph() -> bytes:
    """A graph that answers twice its three columns, and their sum."""
    x = spox.argument(spox.Tensor(np.float64, ("N", 3)))
    twice, total = op.add(x, x), op.reduce_sum(x, op.const(np.array([1])), keepdims=0)
    model: bytes = spox.build({"X": x}, {"double": twice, "sum": total}).SerializeToString()
    return model


class _Closed:
    """A session of onnxruntime's without what is its own affair."""

    def __init__(self, *given: Any, **options: Any) -> None:
        self.__dict__["_public"] = REAL(*given, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._public, name)


REAL = onnxruntime.InferenceSession


@pytest.mark.parametrize("closed", [False, True])
def test_rows_and_a_bound_row_are_answered_with_and_without_the_wrapper(
    closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if closed:
        monkeypatch.setattr(onnxruntime, "InferenceSession", _Closed)
    session = Session(graph())
    matrix = np.arange(6.0).reshape(2, 3)
    double, total = session.run(matrix, OUTPUTS)
    np.testing.assert_array_equal(double, 2 * matrix)
    np.testing.assert_array_equal(total, [3, 12])
    row = session.row(OUTPUTS)
    row.input[:] = matrix[1]
    double, total = row.run()
    np.testing.assert_array_equal(double, [2 * matrix[1]])
    assert total.tolist() == [12]


def test_many_threads_answer_at_once() -> None:
    """Each has a bound row of its own; what a run is told they share."""
    session, wrong = Session(graph()), list[float]()

    def ask(number: float) -> None:
        row = session.row(OUTPUTS)
        for turn in range(300):
            row.input[:] = value = number * 1000 + turn
            rows = session.run(np.full((2, 3), value), ["sum"])[0]
            if row.run()[1].item() != 3 * value or rows.tolist() != [3 * value] * 2:
                wrong.append(value)

    threads = [threading.Thread(target=ask, args=(float(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
