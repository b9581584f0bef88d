"""Single numbers in a graph have as many dimensions as what they meet, and its answers are the same."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import spox
import spox.opset.ai.onnx.v21 as op
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from convert import graph as module
from convert.signature import sign
from convert.single import spread
from runtime.session import Session
from tests.convert.lower.samples import YES_NO, X


def graph_of(model: Any) -> bytes:
    return module.build_graph(model, sign(model, X))[0]


def singles(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """The dimensions of each constant of one number that an elementwise node reads."""
    constants = {node.output[0]: node.attribute[0].t for node in model.graph.node if node.op_type == "Constant"}
    read = {
        name for node in model.graph.node if node.op_type in {"Add", "Div", "Sub", "Greater"} for name in node.input
    }
    return {name: tuple(t.dims) for name, t in constants.items() if name in read and np.prod(t.dims) == 1}


def model_of(inputs: dict[str, spox.Var], **outputs: spox.Var) -> onnx.ModelProto:
    return spox.build(inputs, outputs)


def test_the_answers_are_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, YES_NO)
    graph = graph_of(model)
    monkeypatch.setattr(module, "spread", lambda model: None)
    before = graph_of(model)
    assert (1, 1) not in singles(onnx.load_from_string(before)).values()
    assert (1, 1) in singles(onnx.load_from_string(graph)).values()
    assert Session(graph).outputs == Session(before).outputs
    for found, wanted in zip(*(Session(g).run(X, Session(g).outputs) for g in (graph, before)), strict=True):
        assert found.shape == wanted.shape
        assert found.tobytes() == wanted.tobytes()


def test_a_constant_has_the_rank_of_each_value_it_meets() -> None:
    """And stays as it is where it meets a vector."""
    x = spox.argument(spox.Tensor(np.float64, ("N", 1)))
    one = op.const(np.float64(1))
    model = model_of({"x": x}, column=op.div(one, op.add(x, one)), vector=op.add(op.squeeze(x, op.const([1])), one))
    spread(model)
    assert sorted(singles(model).values()) == [(), (1, 1)]
    onnx.checker.check_model(model, full_check=True)


def test_a_constant_that_a_branch_reads_too_stays_in_the_graph() -> None:
    """A name from outside, which no node of the graph itself reads."""
    x = spox.argument(spox.Tensor(np.float64, ("N", 1)))
    one = op.const(np.float64(1))
    any_left = op.greater(op.size(x), op.const(0))
    (inner,) = op.if_(any_left, then_branch=lambda: [op.mul(x, one)], else_branch=lambda: [x])
    model = model_of({"x": x}, inner=inner, outer=op.add(x, one))
    spread(model)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found, plus_one = session.run(["inner", "outer"], {"x": np.array([[2.0], [3.0]])})
    assert found.tolist() == [[2.0], [3.0]]
    assert plus_one.tolist() == [[3.0], [4.0]]


def test_a_product_and_a_number_without_dimensions_become_no_gemm() -> None:
    """onnxruntime would make one of them, which begins its sums with that number."""
    x = spox.argument(spox.Tensor(np.float64, ("N", 4)))
    model = model_of({"x": x}, y=op.add(op.matmul(x, op.const(np.ones((4, 1)))), op.const(np.float64(1))))
    spread(model)
    assert list(singles(model).values()) == [()]
