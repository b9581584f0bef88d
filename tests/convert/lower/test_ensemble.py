"""Ensembles answer as a plain walk through their trees, whatever was left out, turned around or cut into groups."""

from typing import Any

import numpy as np
import pytest
import spox
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convert.lower import layout
from convert.lower.ensemble import chosen_leaves, sum_of_leaves
from convert.lower.matrix import Matrix
from convert.lower.nodes import Trees, join
from convert.lower.packed import Arrays, serialize
from runtime.session import Session
from tests.convert.lower.random_trees import GRID, ends, forests, request

NUMBERS = GRID[~np.isnan(GRID).any(axis=1)]


def asked(x: Matrix, answer: spox.Var, rows: NDArray[np.float64]) -> Any:
    """What the graph answers."""
    graph = serialize(spox.build({"X": x.scope.x}, {"answer": answer}), x.scope.ensembles)
    return Session(graph).run(rows, ["answer"])[0]


@settings(max_examples=60, deadline=None)
@given(forests(), st.booleans(), st.sampled_from([(10**9, 10**9), (0, 10**9), (0, 3), (10**9, 1)]))
def test_leaves_are_those_of_a_plain_walk(trees: Trees, missing: bool, sizes: tuple[int, int]) -> None:
    """On every way a row can go, infinities, both zeros and missing values included."""
    rows = GRID if missing else NUMBERS
    x = request(missing=missing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "TURNED", sizes[0])
        patch.setattr(layout, "GROUP", sizes[1])
        answer = chosen_leaves(x, trees, np.arange(len(trees.feature)), None)
    np.testing.assert_array_equal(asked(x, answer, rows), ends(trees, rows))


@settings(max_examples=40, deadline=None)
@given(forests(), st.randoms(use_true_random=False), st.booleans(), st.sampled_from([0, 10**9]))
def test_sums_have_the_bits_of_a_plain_loop(trees: Trees, chance: Any, exact: bool, turned: int) -> None:
    """In order; or in groups, where the order cannot matter. Equal leaves beside each other become one."""
    weights = np.array([chance.choice([0.5, 1.0, 2.0] if exact else [0.1, 1e16, -0.3]) for _ in trees.feature])
    x = request(missing=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "TURNED", turned)
        patch.setattr(layout, "GROUP", 2)
        none = np.zeros(len(weights), np.int64)
        answer = sum_of_leaves(x, trees, none, weights, 1, None, in_any_order=exact)
    expected = np.zeros(len(GRID))
    for column in weights[ends(trees, GRID)].T:
        expected = expected + column
    found = asked(x, answer, GRID)[:, 0]
    np.testing.assert_array_equal(found.view(np.int64), expected.view(np.int64))


@settings(max_examples=60, deadline=None)
@given(forests(1), st.booleans())
def test_every_node_that_is_left_can_be_answered_both_ways(trees: Trees, missing: bool) -> None:
    """What its ancestors decide is not asked, and no branch is kept that nobody reaches."""
    rows = GRID if missing else NUMBERS
    x = request(missing=missing)
    chosen_leaves(x, trees, np.arange(len(trees.feature)), None)
    (ensemble,) = x.scope.ensembles
    yes, no = answers(ensemble.arrays, rows)
    if (ends(trees, rows) == ends(trees, rows)[0]).all():
        return  # one leaf: written as a node all the same
    assert yes.all()
    assert no.all()


def answers(arrays: Arrays, rows: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """By node, whether a row comes to it that it answers with yes, and with no."""
    count = len(arrays["nodes_featureids"])
    missing = arrays.get("nodes_missing_value_tracks_true", np.zeros(count, np.int64))
    yes, no = np.zeros(count, bool), np.zeros(count, bool)
    for values in rows:
        node, leaf = int(arrays["tree_roots"][0]), 0
        while not leaf:
            value = values[arrays["nodes_featureids"][node]]
            answer = missing[node] if np.isnan(value) else value <= arrays["nodes_splits"][node]
            side = "true" if answer else "false"
            (yes if answer else no)[node] = True
            leaf, node = int(arrays[f"nodes_{side}leafs"][node]), int(arrays[f"nodes_{side}nodeids"][node])
    return yes, no


def test_equal_leaves_beside_each_other_are_one() -> None:
    """Their node is not asked, and neither is one above it that then has equal leaves."""
    trees = Trees(
        np.array([0]),
        np.array([0, 1, -1, -1, -1]),
        np.array([1.0, 2.0, 0.0, 0.0, 0.0]),
        np.array([1, 2, -1, -1, -1]),
        np.array([4, 3, -1, -1, -1]),
        np.zeros(5, bool),
    )
    for last, nodes in ((5.0, 1), (7.0, 1)):
        x = request(missing=False)
        weights = np.array([0.0, 0.0, 7.0, 7.0, last])
        answer = sum_of_leaves(x, trees, np.zeros(5, np.int64), weights, 1, None)
        assert len(x.scope.ensembles[0].arrays["nodes_featureids"]) == nodes
        np.testing.assert_array_equal(asked(x, answer, NUMBERS)[:, 0], weights[ends(trees, NUMBERS)[:, 0]])


ONE = Trees(
    np.array([0]),
    np.array([0, -1, -1]),
    np.array([1.0, 0.0, 0.0]),
    np.array([1, -1, -1]),
    np.array([2, -1, -1]),
    np.zeros(3, bool),
)
"""A node and two leaves."""


def test_leaves_that_most_nodes_lead_to_have_the_smallest_numbers() -> None:
    """Which are the shortest in the graph; answers stay what they are."""
    trees = join([ONE] * 4)
    weights = np.array([0.0, 1.0, 2.0, 0.0, 1.0, 3.0, 0.0, 3.0, 5.0, 0.0, 4.0, 3.0])
    x = request(missing=False)
    answer = sum_of_leaves(x, trees, np.zeros(12, np.int64), weights, 1, None)
    arrays = x.scope.ensembles[0].arrays
    assert arrays["leaf_weights"].tolist()[:2] == [3.0, 1.0]
    assert sorted(arrays["leaf_weights"].tolist()[2:]) == [2.0, 4.0, 5.0]
    np.testing.assert_array_equal(asked(x, answer, NUMBERS)[:, 0], weights[ends(trees, NUMBERS)].sum(axis=1))


def test_a_large_ensemble_is_cut_into_groups_of_whole_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its trees, in order; where a sum is rounded they are fewer, and of equal size."""
    monkeypatch.setattr(layout, "GROUP", 3)
    monkeypatch.setattr(layout, "STAGE", 3)
    trees = join([ONE] * 8)
    for exact, staged, cut in ((True, 8, [3, 3, 2]), (False, 9, [8]), (False, 8, [3, 3, 2])):
        monkeypatch.setattr(layout, "STAGED", staged)
        x = request(missing=False)
        sum_of_leaves(x, trees, np.zeros(24, np.int64), np.arange(24.0), 1, None, in_any_order=exact)
        assert [len(ensemble.roots) for ensemble in x.scope.ensembles] == cut
    monkeypatch.setattr(layout, "STAGE", 1)
    x = request(missing=False)
    sum_of_leaves(x, trees, np.zeros(24, np.int64), np.arange(24.0), 1, None)
    assert [len(ensemble.roots) for ensemble in x.scope.ensembles] == [2, 2, 2, 2]
