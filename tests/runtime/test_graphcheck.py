"""What a graph may be before onnxruntime sees it: each way of being hostile is refused, whatever bytes come are
refused or read, and graphs that conversions make pass."""

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from convert.lower.packed import packed
from runtime import BundleError, wire
from runtime.graphcheck import DEPTH, check_graph
from runtime.session import Session
from runtime.wire import Malformed, fields, varints


def model(nodes: list[Any], constants: list[Any] = [], **changes: Any) -> Any:  # noqa: B006
    """A model from X to Y."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("X", TensorProto.DOUBLE, ["N", 2])],
        [helper.make_tensor_value_info("Y", TensorProto.DOUBLE, ["N", 2])],
        constants,
    )
    opsets = changes.pop("opsets", [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5)])
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, **changes)


def identity() -> Any:
    return model([helper.make_node("Identity", ["X"], ["Y"])])


def loop(body: Any) -> Any:
    """A node that goes round a body."""
    return helper.make_node("Loop", ["", "going"], ["Y"], body=body)


def around(nodes: list[Any]) -> Any:
    """A graph for a body."""
    return helper.make_graph(nodes, "b", [], [helper.make_tensor_value_info("b", TensorProto.BOOL, [])])


def external() -> Any:
    made = model([helper.make_node("Add", ["X", "k"], ["Y"])], [numpy_helper.from_array(np.zeros(2), "k")])
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    return made


def external_without_saying_so() -> Any:
    made = external()
    made.graph.initializer[0].ClearField("data_location")
    return made


def external_in_a_body() -> Any:
    made = external()
    constant = helper.make_node("Constant", [], ["c"], value=made.graph.initializer[0])
    return model([loop(around([constant]))])


def in_functions() -> Any:
    made = identity()
    made.functions.append(
        helper.make_function("f", "F", ["a"], ["b"], [helper.make_node("Identity", ["a"], ["b"])], made.opset_import)
    )
    return made


def deep(levels: int) -> Any:
    graph = around([helper.make_node("Identity", ["x"], ["b"])])
    for _ in range(levels):
        graph = around([loop(graph)])
    return model(list(graph.node))


def sparse() -> Any:
    made = identity()
    values = numpy_helper.from_array(np.ones(1), "v")
    made.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([1]), "i"), [5])
    )
    return made


def tensor(**changes: Any) -> Any:
    """A model with a constant that has been changed."""
    made = model([helper.make_node("Add", ["X", "k"], ["Y"])], [numpy_helper.from_array(np.zeros(2), "k")])
    for name, value in changes.items():
        if name == "dims":
            del made.graph.initializer[0].dims[:]
            made.graph.initializer[0].dims.extend(value)
        else:
            setattr(made.graph.initializer[0], name, value)
    return made


def expanded(shape: list[int]) -> Any:
    return model([helper.make_node("Expand", ["X", "s"], ["Y"])], [numpy_helper.from_array(np.array(shape), "s")])


def shaped(value: int) -> Any:
    made = identity()
    made.graph.input[0].type.tensor_type.shape.dim[1].dim_value = value
    return made


def merged() -> bytes:
    """Two graphs, which protobuf reads as one."""
    text = identity().SerializeToString()
    return bytes(text + text[text.index(b":") :])


def trees(**changes: Any) -> Any:
    """A tree of one split over two leaves, in operators of ai.onnx.ml 5, with some of its tables changed."""
    tables: dict[str, Any] = {
        "n_targets": 2,
        "tree_roots": [0],
        "nodes_featureids": [0],
        "nodes_splits": numpy_helper.from_array(np.zeros(1), "s"),
        "nodes_modes": numpy_helper.from_array(np.zeros(1, np.uint8), "m"),
        "nodes_truenodeids": [0],
        "nodes_trueleafs": [1],
        "nodes_falsenodeids": [1],
        "nodes_falseleafs": [1],
        "leaf_targetids": [0, 1],
        "leaf_weights": numpy_helper.from_array(np.ones(2), "w"),
    }
    return model([helper.make_node("TreeEnsemble", ["X"], ["Y"], domain="ai.onnx.ml", **tables | changes)])


def old_trees(**changes: Any) -> Any:
    """The same in the operators of ai.onnx.ml 3."""
    tables: dict[str, Any] = {
        "n_targets": 2,
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [0, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_values": [0.0, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 1],
        "target_weights": [1.0, 2.0],
    }
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    node = helper.make_node("TreeEnsembleRegressor", ["X"], ["Y"], domain="ai.onnx.ml", **tables | changes)
    return model([node], opsets=opsets)


GOOD: dict[str, Any] = {
    "identity": identity(),
    "a constant": tensor(),
    "a shape": expanded([3, 2]),
    "a loop in a loop": deep(2),
    "trees": trees(),
    "old trees": old_trees(),
}

HOSTILE: dict[str, tuple[Any, str]] = {
    "external data": (external(), "field 13 in a tensor"),
    "external data in secret": (external_without_saying_so(), "field 13 in a tensor"),
    "external data in a body": (external_in_a_body(), "field 13 in a tensor"),
    "only a location": (tensor(data_location=1), "outside the file"),
    "functions": (in_functions(), "field 25 in a model"),
    "a sparse tensor": (sparse(), "field 15 in a graph"),
    "another domain": (
        model([helper.make_node("Identity", ["X"], ["Y"], domain="evil")]),
        "the operator 'Identity' of the domain 'evil'",
    ),
    "another domain's opset": (model([], opsets=[helper.make_opsetid("com.microsoft", 1)]), "com.microsoft"),
    "an unknown operator": (model([helper.make_node("Exec", ["X"], ["Y"])]), "the operator 'Exec'"),
    "a random one": (model([helper.make_node("RandomUniform", [], ["Y"], shape=[2])]), "RandomUniform"),
    "one from the other domain": (model([helper.make_node("TreeEnsemble", ["X"], ["Y"])]), "TreeEnsemble"),
    "a body in an operator that has none": (
        model([helper.make_node("Identity", ["X"], ["Y"], body=around([]))]),
        "a subgraph 'body' in the operator Identity",
    ),
    "an unknown operator in a body": (model([loop(around([helper.make_node("Exec", [], ["b"])]))]), "'Exec'"),
    "bodies too deep": (deep(DEPTH + 2), "subgraphs more than 8 deep"),
    "a future opset": (model([], opsets=[helper.make_opsetid("", 99)]), "the opset 99"),
    "a shape that is not the data's": (tensor(dims=[3]), "a tensor of shape"),
    "a shape whose product overflows": (tensor(dims=[2**31, 2**31, 4]), "a tensor of shape"),
    "a negative shape": (tensor(dims=[-2]), "a tensor of type 11 and shape"),
    "another type": (tensor(data_type=1), "a tensor of shape"),
    "a type that is none": (tensor(data_type=77), "a tensor of type 77"),
    "no data": (tensor(raw_data=b""), "a tensor of shape"),
    "an absurd constant shape": (expanded([2**20, 2**20]), "no memory holds"),
    "a negative constant shape": (expanded([-1, 2]), "no memory holds"),
    "an absurd input": (shaped(2**40), "no memory holds"),
    "a leaf that is not there": (trees(nodes_falsenodeids=[2]), "a leaf that is not there"),
    "a node that is not there": (trees(nodes_falseleafs=[0]), "a node that is not there"),
    "a circle": (trees(nodes_falsenodeids=[0], nodes_falseleafs=[0]), "a node twice"),
    "a root that is not there": (trees(tree_roots=[1]), "a root that is not there"),
    "a target that is not there": (trees(n_targets=1), "a target that is not there"),
    "tables of other lengths": (trees(nodes_trueleafs=[1, 1]), "differ in length"),
    "a negative feature": (trees(nodes_featureids=[-1]), "a feature that is not there"),
    "an old node that leads nowhere": (old_trees(nodes_truenodeids=[7, 0, 0]), "leads nowhere"),
    "an old circle": (old_trees(nodes_truenodeids=[0, 0, 0]), "a node twice"),
    "old nodes twice": (old_trees(nodes_nodeids=[0, 1, 1]), "a node twice"),
    "old tables of other lengths": (old_trees(nodes_modes=["LEAF"]), "differ in length"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_conversions_make_passes(name: str) -> None:
    check_graph(GOOD[name].SerializeToString())


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_refused(name: str) -> None:
    made, why = HOSTILE[name]
    with pytest.raises(BundleError, match="expected a graph that may be served, found ") as caught:
        check_graph(made.SerializeToString())
    assert why in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"\xff" * 20, merged(), identity().SerializeToString()[:-3], b"\x3a\xff\x01"])
def test_what_is_no_graph_is_refused(text: bytes) -> None:
    with pytest.raises(BundleError, match="expected a graph that may be served, found "):
        check_graph(text)


def test_no_session_is_built_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*words: Any, **more: Any) -> None:
        raise AssertionError("expected no session, found one being built")

    monkeypatch.setattr("runtime.session.onnxruntime.InferenceSession", never)
    with pytest.raises(BundleError, match="field 13 in a tensor"):
        Session(external().SerializeToString())
    with pytest.raises(BundleError, match="being built"):  # the detector fires
        Session(identity().SerializeToString())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    with pytest.raises(BundleError):
        check_graph(text)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_any_change_is_read_or_refused(name: str, data: st.DataObject) -> None:
    text = bytearray(GOOD[name].SerializeToString())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(text) - 1))
        match data.draw(st.sampled_from(("flip", "insert", "delete"))):
            case "flip":
                text[place] ^= 1 << data.draw(st.integers(0, 7))
            case "insert":
                text[place:place] = data.draw(st.binary(min_size=1, max_size=12))
            case "delete":
                del text[place : place + data.draw(st.integers(1, 12))]
        if not text:
            break
    try:
        check_graph(bytes(text))
    except BundleError:
        return


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50), st.booleans())
def test_numbers_are_read_as_they_were_written(numbers: list[int], packed: bool) -> None:
    def varint(value: int) -> bytes:
        found = b""
        while value > 127:
            found += bytes([value & 127 | 128])
            value >>= 7
        return found + bytes([value])

    if packed:
        body = b"".join(map(varint, numbers))
        text = varint(8 << 3 | 2) + varint(len(body)) + body
    else:
        text = b"".join(varint(8 << 3) + varint(value) for value in numbers)
    text += varint(20 << 3) + varint(7)
    *found, last = fields(memoryview(text))
    values = np.concatenate([varints(value, kind) for _, kind, value in found])
    assert values.view(np.uint64).tolist() == numbers
    assert last == (20, 0, 7)


@pytest.mark.parametrize("most", [1, 127, 128, 2**40])
def test_many_numbers_are_read_part_by_part(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "CHUNK", 7)
    numbers = np.random.default_rng(0).integers(0, most, 100)
    np.testing.assert_array_equal(varints(memoryview(packed(numbers)), 2), numbers)


@given(st.integers(1, 40), st.integers(0, 200))
def test_a_run_that_is_cut_off_is_refused_or_read(count: int, cut: int) -> None:
    text = (b"\x40\xff\x01" * count)[: max(1, 3 * count - cut)]
    try:
        for _, kind, value in fields(memoryview(text)):
            varints(value, kind)
    except Malformed:
        pass


def test_large_ensembles_are_checked_in_linear_time() -> None:
    def seconds(count: int) -> float:
        inner = list(range(count))
        text = trees(
            tree_roots=[0],
            nodes_featureids=[0] * count,
            nodes_splits=numpy_helper.from_array(np.zeros(count), "s"),
            nodes_modes=numpy_helper.from_array(np.zeros(count, np.uint8), "m"),
            nodes_truenodeids=[1 if i + 1 == count else i + 1 for i in inner],
            nodes_trueleafs=[int(i + 1 == count) for i in inner],
            nodes_falsenodeids=[0] * count,
            nodes_falseleafs=[1] * count,
        ).SerializeToString()
        start = time.process_time()
        check_graph(text)
        return time.process_time() - start

    assert seconds(200_000) < 2.0
