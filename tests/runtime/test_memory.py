"""Memory goes back."""

import sys

import numpy as np
import pytest
import spox
import spox.opset.ai.onnx.v21 as op

from runtime.memory import give_back
from runtime.session import Session

PIECES = 100_000


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="what glibc keeps")
def test_what_lies_between_blocks_in_use_goes_back() -> None:
    """Blocks too small to be maps of their own, each thousandth still used."""
    pieces = [bytes(1000) for _ in range(PIECES)]
    kept = pieces[::1000]
    before = resident()
    del pieces
    give_back()
    assert resident() < before - PIECES * 1000 // 2
    assert len(kept) == PIECES // 1000


def test_a_session_keeps_no_bytes_of_its_graph() -> None:
    """onnxruntime's own would, for as long as it lives."""
    x = spox.argument(spox.Tensor(np.float64, ("N", 2)))
    graph = spox.build({"X": x}, {"Y": op.neg(x)}).SerializeToString()
    before = sys.getrefcount(graph)
    session = Session(graph)
    assert sys.getrefcount(graph) == before
    assert session.columns == 2
