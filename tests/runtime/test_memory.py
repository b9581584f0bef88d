"""Memory goes back, and what is kept lies in large pages."""

import mmap
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import spox
import spox.opset.ai.onnx.v21 as op

from runtime import model
from runtime.memory import COLLAPSE, LARGE, PAGE, enlarge_pages, give_back
from runtime.session import Session
from tests.runtime.bundles import numbers, regressor

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


def large_pages() -> int:
    """Bytes of this process's memory that lie in large pages."""
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("AnonHugePages"))


def collapsing() -> bool:
    """Whether this system puts memory into large pages when it is asked to."""
    if sys.platform != "linux":
        return False
    memory = mmap.mmap(-1, 4 * LARGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.write(bytes(4 * LARGE))
    try:
        memory.madvise(COLLAPSE, 0, 4 * LARGE)
    except OSError:
        return False
    return True


@pytest.mark.skipif(not collapsing(), reason="needs Linux 6.1 with large pages")
def test_memory_in_use_comes_to_lie_in_large_pages() -> None:
    """What is full; where much is untouched nothing is taken for it, and the numbers are the same."""
    pages = 16 * LARGE // PAGE
    sparse = mmap.mmap(-1, 16 * LARGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, pages, 2):
        sparse[page * PAGE] = 1
    before, held = large_pages(), resident()
    full = mmap.mmap(-1, 16 * LARGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    shared = mmap.mmap(-1, 16 * LARGE)
    for page in range(pages):
        full[page * PAGE] = shared[page * PAGE] = page % 251
    enlarge_pages()
    assert large_pages() - before >= 14 * LARGE
    assert resident() - held < 16 * LARGE * 2.5
    assert [full[page * PAGE] for page in range(pages)] == [page % 251 for page in range(pages)]
    assert [sparse[page * PAGE] for page in range(2)] == [1, 0]


def test_a_large_model_is_tidied_up_after_its_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a small one is not, for to look through all memory takes longer than its load."""
    folder = regressor(tmp_path / "model", numbers(["a", "b"]))
    called: list[str] = []
    for name in ("give_back", "enlarge_pages"):
        monkeypatch.setattr(model, name, partial(called.append, name))
    model.load(folder)
    assert called == []
    monkeypatch.setattr(model, "LARGE", 0)
    model.load(folder)
    assert called == ["give_back", "enlarge_pages"]


def test_a_session_keeps_no_bytes_of_its_graph() -> None:
    """onnxruntime's own would, for as long as it lives."""
    x = spox.argument(spox.Tensor(np.float64, ("N", 2)))
    graph = spox.build({"X": x}, {"Y": op.neg(x)}).SerializeToString()
    before = sys.getrefcount(graph)
    session = Session(graph)
    assert sys.getrefcount(graph) == before
    assert session.columns == 2
