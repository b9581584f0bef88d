"""What onnxruntime does that the converter goes around: minimal reproductions, which fail once it is mended."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import spox
import spox.opset.ai.onnx.ml.v5 as ml
import spox.opset.ai.onnx.v21 as op

from runtime.session import Session

LEQ, EQ, MEMBER = 0, 4, 6


def ensemble(columns: int = 1, targets: int = 1, **nodes: Any) -> Session:
    """A TreeEnsemble that sums, as the runtime loads it."""
    x = spox.argument(spox.Tensor(np.float64, ("N", columns)))
    nodes["nodes_modes"] = np.array(nodes["nodes_modes"], np.uint8)
    for name in ("nodes_splits", "leaf_weights", "membership_values"):
        if nodes.get(name) is not None:
            nodes[name] = np.array(nodes[name], np.float64)
    y = ml.tree_ensemble(x, aggregate_function=1, n_targets=targets, post_transform=0, **nodes)
    return Session(spox.build({"X": x}, {"Y": y}).SerializeToString())


def ask(session: Session, *values: float) -> list[float]:
    (found,) = session.run(np.array(values, np.float64).reshape(-1, 1), ["Y"])
    return [float(value) for value in found[:, 0]]


def single_and_asking(alone: list[int], mode: int) -> Session:
    """A tree that is one leaf of 10, written as a node with two leaves, and a tree that asks for a set."""
    return ensemble(
        nodes_featureids=[0, 0],
        nodes_modes=[LEQ, mode],
        nodes_splits=[0.0, 0.0],
        nodes_truenodeids=[alone[0], 2],
        nodes_trueleafs=[1, 1],
        nodes_falsenodeids=[alone[1], 3],
        nodes_falseleafs=[1, 1],
        tree_roots=[0, 1],
        leaf_targetids=[0, 0, 0, 0],
        leaf_weights=[10.0, 10.0, 1.0, 2.0],
        membership_values=[3.0, 5.0, np.nan] if mode == MEMBER else None,
    )


@pytest.mark.parametrize("mode", [LEQ, MEMBER])
@pytest.mark.parametrize("alone", [[0, 0], [0, 1]], ids=["one leaf", "two alike"])
def test_a_tree_of_one_leaf_is_added_once(alone: list[int], mode: int) -> None:
    """Written either way, and whatever the other tree asks. The converter writes two leaves all the same: a fault was
    once seen with one, in a larger ensemble."""
    assert ask(single_and_asking(alone, mode), 3.0) == [12.0 if mode == LEQ else 11.0]


def test_a_number_between_members_is_taken_for_one() -> None:
    """BRANCH_MEMBER cuts off what follows the point, so only whole numbers (codes) may be asked for."""
    members = ensemble(
        nodes_featureids=[0],
        nodes_modes=[MEMBER],
        nodes_splits=[0.0],
        nodes_truenodeids=[0],
        nodes_trueleafs=[1],
        nodes_falsenodeids=[1],
        nodes_falseleafs=[1],
        tree_roots=[0],
        leaf_targetids=[0, 0],
        leaf_weights=[1.0, 2.0],
        membership_values=[-1.0, 0.0, 2.0, 5.0, np.nan],
    )
    assert ask(members, -1.0, 0.0, 1.0, 2.0, 3.0, 5.0) == [1.0, 1.0, 2.0, 1.0, 2.0, 1.0]
    assert ask(members, 0.5, -0.5, 2.5) == [1.0, 1.0, 1.0]  # each should be 2.0


def chain(missing: list[int], second: float) -> Session:
    """Two tests for a number, one behind the other: 15 for 2, ``second`` for 1, else 9."""
    return ensemble(
        nodes_featureids=[0, 0],
        nodes_modes=[EQ, EQ],
        nodes_splits=[2.0, 1.0],
        nodes_truenodeids=[0, 1],
        nodes_trueleafs=[1, 1],
        nodes_falsenodeids=[1, 2],
        nodes_falseleafs=[0, 1],
        nodes_missing_value_tracks_true=missing,
        tree_roots=[0],
        leaf_targetids=[0, 0, 0],
        leaf_weights=[15.0, second, 9.0],
    )


def test_two_tests_with_equal_leaves_share_the_first_ones_missing_track() -> None:
    """BRANCH_EQ nodes are merged where their leaves are equal; the converter sets the first one's flag too."""
    assert ask(chain([0, 1], 14.0), 2.0, 1.0, 0.0, np.nan) == [15.0, 14.0, 9.0, 14.0]
    assert ask(chain([0, 1], 15.0), 2.0, 1.0, 0.0, np.nan) == [15.0, 15.0, 9.0, 9.0]  # the last should be 15.0
    assert ask(chain([1, 1], 15.0), 2.0, 1.0, 0.0, np.nan) == [15.0, 15.0, 9.0, 15.0]


def test_two_tests_with_equal_weights_share_the_first_ones_target() -> None:
    """BRANCH_EQ nodes are merged where the weights of their leaves are equal, whatever these are added to; the
    converter has another weight for each class."""
    for second, found in ((1.0, [[1.0, 0.0], [1.0, 0.0]]), (2.0, [[1.0, 0.0], [0.0, 2.0]])):  # expected: as the last
        session = ensemble(
            targets=2,
            nodes_featureids=[0, 0],
            nodes_modes=[EQ, EQ],
            nodes_splits=[2.0, 1.0],
            nodes_truenodeids=[0, 1],
            nodes_trueleafs=[1, 1],
            nodes_falsenodeids=[1, 2],
            nodes_falseleafs=[0, 1],
            tree_roots=[0],
            leaf_targetids=[0, 1, 0],
            leaf_weights=[1.0, second, 9.0],
        )
        assert session.run(np.array([[2.0], [1.0]]), ["Y"])[0].tolist() == found


def test_where_loses_the_sign_of_a_chosen_zero() -> None:
    """Of its first choice; the second one keeps it."""
    x = spox.argument(spox.Tensor(np.float64, ("N", 1)))
    zero = op.const(np.float64(-0.0))
    graph = spox.build({"X": x}, {"A": op.where(op.isnan(x), zero, x), "B": op.where(op.isnan(x), x, zero)})
    session = Session(graph.SerializeToString())
    first, second = session.run(np.array([[np.nan]]), ["A"])[0], session.run(np.array([[1.0]]), ["B"])[0]
    assert not np.signbit(first[0, 0])  # it should be -0.0
    assert np.signbit(second[0, 0])


def test_a_long_sum_over_a_middle_axis_is_not_in_order() -> None:
    """So that many rows have other last bits than one; a running sum keeps to the order."""
    values = np.random.default_rng(0).random((3, 3000, 2))
    x = spox.argument(spox.Tensor(np.float64, ("N", 6000)))
    terms = op.reshape(x, op.const(np.array([-1, 3000, 2])))
    running = op.gather(op.cumsum(terms, op.const(np.int64(1))), op.const(np.int64(2999)), axis=1)
    reduced = op.reduce_sum(terms, op.const(np.array([1])), keepdims=0)
    session = Session(spox.build({"X": x}, {"running": running, "reduced": reduced}).SerializeToString())
    expected = np.zeros((3, 2))
    for index in range(3000):
        expected += values[:, index]
    flat = values.reshape(3, -1)
    np.testing.assert_array_equal(session.run(flat, ["running"])[0], expected)
    np.testing.assert_array_equal(session.run(flat[:1], ["reduced"])[0], expected[:1])
    assert (session.run(flat, ["reduced"])[0] != expected).any()


@pytest.mark.parametrize("apply", [op.mul, op.div])
def test_a_product_with_nearly_one_is_dropped(apply: Any) -> None:
    """By an optimiser that takes what is within 1e-8 of 1 for 1; the runtime keeps it out."""
    x = spox.argument(spox.Tensor(np.float64, ("N", 1)))
    made = op.abs(apply(op.neg(x), op.const(np.array([1 + 1e-9]))))
    graph = spox.build({"X": x}, {"Y": made}).SerializeToString()
    rows = np.array([[3.0]])
    plain = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    assert plain.run(["Y"], {"X": rows})[0].item() == 3.0  # it should be another
    assert Session(graph).run(rows, ["Y"])[0].item() == (3 * (1 + 1e-9) if apply is op.mul else 3 / (1 + 1e-9))
