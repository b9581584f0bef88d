"""The bytes of large ensembles: protobuf reads them as if onnx had written them."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from convert.errors import UnsupportedError
from convert.graph import build_graph
from convert.lower import packed
from convert.signature import sign
from tests.convert.lower.samples import GAPS, THREE


@given(st.lists(st.integers(0, 2**62), max_size=30))
def test_integers_are_read_again(values: list[int]) -> None:
    """Packed or one by one, it is the same list."""
    data = packed.packed(np.array(values, np.int64))
    attribute = onnx.AttributeProto()
    attribute.ParseFromString(b"\x42" + packed.varint(len(data)) + data)
    assert list(attribute.ints) == values


def test_the_graph_is_one_that_onnx_checks_and_writes_again() -> None:
    """Nothing is lost on the way, and the same model gives the same bytes."""
    forest = RandomForestClassifier(20, random_state=0).fit(GAPS, THREE)
    signature = sign(forest, GAPS)
    graph = build_graph(forest, signature)[0]
    assert graph == build_graph(forest, signature)[0]
    model = onnx.load_from_string(graph)
    onnx.checker.check_model(model, full_check=True)
    (trees,) = (node for node in model.graph.node if node.op_type == "TreeEnsemble")
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in trees.attribute}
    inner = sum(int((tree.tree_.children_left >= 0).sum()) for tree in forest.estimators_)
    assert len(attributes["nodes_featureids"]) == inner
    assert len(attributes["tree_roots"]) == 20
    assert len(graph) < 0.85 * len(model.SerializeToString())


def test_what_passes_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the work is done, and at the latest when it is written."""
    packed.check_size(packed.LIMIT // packed.NODE, 10)
    with pytest.raises(UnsupportedError, match="in 10 trees, of which about 9 of them would fit: train fewer trees"):
        packed.check_size(packed.LIMIT // packed.NODE + 1, 10)
    forest = RandomForestClassifier(3, random_state=0).fit(GAPS, THREE)
    monkeypatch.setattr(packed, "LIMIT", 1000)
    with pytest.raises(UnsupportedError, match="of at most 66 nodes"):
        build_graph(forest, sign(forest, GAPS))
    monkeypatch.setattr(packed, "NODE", 0.1)
    with pytest.raises(UnsupportedError, match="a graph of at most 2 GB"):
        build_graph(forest, sign(forest, GAPS))
