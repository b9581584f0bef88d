"""Memory by part, and the nodes that it is divided by."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks import memory as module
from benchmarks.errors import FailedError
from benchmarks.gate import decisions
from benchmarks.memory import PARTS, held, memory, nodes
from benchmarks.subjects import Subject, find_models, open_subjects
from runtime import load
from tests.runtime.bundles import classifier, numbers


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A small model, checked by its canary rows."""
    classifier(tmp_path / "small", numbers(["a", "b", "c"]))
    (found,) = open_subjects(find_models(tmp_path), tmp_path, load, 0)
    return found


def graph(node: onnx.NodeProto) -> bytes:
    """A graph of one node."""
    value = helper.make_tensor_value_info
    proto = helper.make_graph(
        [node], "t", [value("X", TensorProto.FLOAT, ["N", 1])], [value("Y", TensorProto.FLOAT, ["N", 1])]
    )
    text: bytes = helper.make_model(proto).SerializeToString()
    return text


def test_leaves_are_counted_whether_they_are_nodes_or_not() -> None:
    """A stump has three nodes in every version; what is no tree has none."""
    old = helper.make_node("TreeEnsembleRegressor", ["X"], ["Y"], nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"])
    new = helper.make_node(
        "TreeEnsemble",
        ["X"],
        ["Y"],
        nodes_modes=numpy_helper.from_array(np.zeros(1, np.uint8)),
        nodes_trueleafs=[1],
        nodes_falseleafs=[1],
    )
    assert nodes(graph(old)) == nodes(graph(new)) == 3
    assert nodes(graph(helper.make_node("Identity", ["X"], ["Y"]))) == 0


def test_each_stage_holds_what_the_one_before_it_held(subject: Subject) -> None:
    """Of a process of its own; what cannot be loaded is a failure with the reason."""
    stages = held(["service", subject.folder, subject.folder])
    assert tuple(stages) == (*PARTS, "1", "2")
    assert list(stages.values()) == sorted(stages.values())
    assert stages["interpreter"] < 20 < stages["onnxruntime"]
    with pytest.raises(FailedError, match="no such"):
        held(["graph", "/nowhere/no such"])


@pytest.mark.parametrize(
    ("two", "three", "verdicts"),
    [(110.0, 160.0, ["within", "within"]), (170.0, 220.0, ["over", "within"]), (110.0, 180.0, ["within", "over"])],
)
def test_a_second_worker_is_to_add_less_than_the_first(
    two: float, three: float, verdicts: list[str], subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the supervisor that comes with it; and a third, which comes alone, too."""
    monkeypatch.setattr(module, "_workers", lambda subject, count: {1: 60.0, 2: two, 3: three}[count])
    entry = memory(subject)
    assert not entry.failures
    assert entry.values["second worker and supervisor MB"].median == two - 60
    assert entry.values["another worker MB"].median == three - two
    assert sum(entry.values[f"{part} MB"].median for part in (*PARTS, "model", "answering")) == pytest.approx(60)
    names = ("second worker and supervisor / first", "another worker / first")
    found = decisions(entry, {("memory", name): 1.0 for name in names}, noisy=True)
    assert [decision.verdict for decision in found] == verdicts
