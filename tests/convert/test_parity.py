"""The comparer is itself a check, so it is shown to fire: on planted differences here, on mutated graphs below."""

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import numpy_helper
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from convert import ParityError
from convert.build import assemble
from convert.graph import build_graph
from convert.parity import ULP, compare_labels, compare_logarithms, compare_numbers, floor_of, near_ties
from convert.prove import prove
from convert.signature import sign
from tests.convert.lower.twins import CREATED

FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(arrays(np.float64, (4, 3), elements=FLOATS))
def test_equal_bits_compare_as_identical(numbers: np.ndarray[Any, Any]) -> None:
    """Whatever the numbers, NaN and infinities included."""
    comparison = compare_numbers(numbers, numbers.copy(), floor_of(numbers))
    assert comparison.identical.all()
    assert comparison.max_ulp == 0
    assert not comparison.excess.any()


@given(arrays(np.float64, (4, 3), elements=st.floats(-1e300, 1e300)), st.integers(0, 3), st.integers(0, 2))
def test_one_ulp_in_one_cell_is_seen(numbers: np.ndarray[Any, Any], row: int, column: int) -> None:
    """In exactly the row where it is, and as one ulp."""
    found = numbers.copy()
    found[row, column] = np.nextafter(found[row, column], np.inf)
    comparison = compare_numbers(numbers, found, floor_of(numbers))
    assert np.flatnonzero(~comparison.identical).tolist() == [row]
    assert comparison.max_ulp == 1


def test_zero_and_minus_zero_are_not_identical_but_no_distance_apart() -> None:
    """Level bit means bits."""
    comparison = compare_numbers(np.array([[0.0]]), np.array([[-0.0]]), 0.0)
    assert not comparison.identical.any()
    assert comparison.excess.tolist() == [0.0]


@pytest.mark.parametrize(
    ("wanted", "got"), [(1.0, np.nan), (np.nan, 1.0), (np.inf, 1.0), (1.0, -np.inf), (np.inf, -np.inf)]
)
def test_what_is_not_finite_in_one_alone_has_no_bound(wanted: float, got: float) -> None:
    """No tolerance lets a NaN pass for a number."""
    assert compare_numbers(np.array([[wanted]]), np.array([[got]]), 1.0).excess.tolist() == [np.inf]


def test_logarithms_are_held_to_the_bound_as_probabilities_where_one_minus_p_loses_digits() -> None:
    near_one = np.log([[1e-9, 1 - 1e-9], [0.25, 0.75]])
    found = np.log([[1e-9 + 1e-16, 1 - 1e-9], [0.25, 0.75]])
    assert compare_numbers(near_one, found, floor_of(near_one)).excess[0] > ULP
    comparison = compare_logarithms(near_one, found, floor_of(near_one), 0.001)
    assert comparison.excess.max() <= ULP
    assert (comparison.saturated, comparison.identical.tolist()) == (1, [False, True])
    wrong = np.log([[1e-9 + 1e-12, 1 - 1e-9], [0.25, 0.75]])
    assert compare_logarithms(near_one, wrong, floor_of(near_one), 0.001).excess[0] > ULP
    nothing = np.array([[-np.inf, 0.0], [np.log(0.25), np.log(0.75)]])
    assert compare_logarithms(nothing, nothing, 0.001, 0.001).saturated == 0


def test_every_row_may_have_a_floor_of_its_own() -> None:
    numbers = np.array([[1e-6], [1e-6]])
    floors = np.array([[1.0], [1e-9]])
    assert (compare_numbers(numbers, numbers + 1e-13, floors).excess > ULP).tolist() == [False, True]


def test_differences_are_measured_against_the_number_or_the_floor() -> None:
    """A sum that cancels is held to a thousandth of the output's largest magnitude."""
    comparison = compare_numbers(np.array([[1000.0], [1e-9]]), np.array([[1000.0], [1e-9 + 1e-12]]), 1.0)
    assert comparison.excess[1] == pytest.approx(1e-12, rel=1e-3)


def test_answers_of_another_shape_are_no_answers() -> None:
    """The message names both shapes."""
    with pytest.raises(ValueError, match=r"expected answers of shape \(2, 1\), found \(1, 1\)"):
        compare_numbers(np.ones(2), np.ones(1), 1.0)


def test_another_label_is_a_mismatch_unless_it_is_a_tie() -> None:
    """At level bit (no ties given) there is no excuse."""
    wanted, got = np.array(["a", "b", "c"]), np.array(["a", "c", "b"])
    assert compare_labels(wanted, got).mismatches == 2
    excused = compare_labels(wanted, got, np.array([False, True, False]))
    assert (excused.mismatches, excused.ties) == (1, 1)
    assert excused.excess.tolist() == [0.0, 0.0, np.inf]


def test_near_ties_are_within_twice_the_bound() -> None:
    """Both scores may be off by the bound."""
    scores = np.array([[0.5, 0.5 + 1.5 * ULP * 0.5], [0.4, 0.6], [0.5, 0.5]])
    assert near_ties(scores, 1e-3).tolist() == [True, False, True]
    assert near_ties(np.array([0.0, 1e-16, -1e-3]), 1e-3).tolist() == [True, True, False]


def forest() -> tuple[Any, pd.DataFrame]:
    """Numbers and categories before a forest and, beside it, before a linear model."""
    rng = np.random.default_rng(3)
    X = pd.DataFrame({"a": rng.normal(size=400), "b": rng.normal(size=400), "c": rng.choice(list("xyz"), 400)})
    y = (X.a + (X.c == "x") > 0.3).astype(int)
    encode = ColumnTransformer([("n", StandardScaler(), ["a", "b"]), ("c", OneHotEncoder(), ["c"])])
    return make_pipeline(encode, RandomForestClassifier(10, max_depth=5, random_state=0)).fit(X, y), X


def linear() -> tuple[Any, pd.DataFrame]:
    pipeline, X = forest()
    labels = np.where(X.a > 0, "up", "down")
    return Pipeline([("prep", pipeline[0]), ("model", LogisticRegression())]).fit(X, labels), X


def attribute(model: Any, name: str) -> Any:
    (node,) = [node for node in model.graph.node if node.op_type == "TreeEnsemble"]
    return next(attribute for attribute in node.attribute if attribute.name == name)


def nudge(model: Any, name: str, place: int, ulps: int = 1) -> None:
    """One number of a tree's tensor, by so many ulps."""
    tensor = attribute(model, name).t
    values = numpy_helper.to_array(tensor).copy()
    for _ in range(ulps):
        values[place] = np.nextafter(values[place], np.inf)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def leaf(model: Any) -> None:
    """A leaf of a tree becomes another of its leaves."""
    tensor = attribute(model, "leaf_weights").t
    values = numpy_helper.to_array(tensor).copy()
    targets = attribute(model, "leaf_targetids").ints
    values[3] = next(
        value for value, target in zip(values, targets, strict=True) if target == targets[3] and value != values[3]
    )
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def table(model: Any) -> None:
    """One class fraction of one leaf, by one ulp."""
    constant = next(
        c for c in constants(model) if c.dims and len(c.dims) == 2 and c.data_type == onnx.TensorProto.DOUBLE
    )
    values = numpy_helper.to_array(constant).copy()
    values[0, 0] = np.nextafter(values[0, 0], np.inf)
    constant.CopyFrom(numpy_helper.from_array(values, constant.name))


def threshold(model: Any) -> None:
    splits = numpy_helper.to_array(attribute(model, "nodes_splits").t)
    modes = numpy_helper.to_array(attribute(model, "nodes_modes").t)
    nudge(model, "nodes_splits", int(np.flatnonzero((modes == 0) & np.isfinite(splits))[0]))


def category(model: Any) -> None:
    """A node that asks for one category asks for another."""
    tensor = attribute(model, "nodes_splits").t
    values = numpy_helper.to_array(tensor).copy()
    modes = numpy_helper.to_array(attribute(model, "nodes_modes").t)
    place = int(np.flatnonzero(modes == 4)[0])
    values[place] = (values[place] + 1) % 3
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def column(model: Any) -> None:
    """Every node that asked the second column asks the first: as if a column had been dropped."""
    ids = attribute(model, "nodes_featureids").ints
    ids[:] = [0 if feature == 1 else feature for feature in ids]


def weight(model: Any) -> None:
    """One coefficient, by a millionth of a millionth and a bit."""
    for constant in constants(model):
        if list(constant.dims) == [5, 1]:
            values = numpy_helper.to_array(constant).copy()
            values[0] *= 1 + 1e-10
            constant.CopyFrom(numpy_helper.from_array(values, constant.name))


def constants(model: Any) -> list[Any]:
    held = [a.t for node in model.graph.node if node.op_type == "Constant" for a in node.attribute if a.name == "value"]
    return [*model.graph.initializer, *held]


@pytest.mark.parametrize(
    ("source", "mutate"),
    [(forest, leaf), (forest, table), (forest, threshold), (forest, category), (forest, column), (linear, weight)],
)
def test_the_proof_catches_a_mutated_graph(source: Callable[[], Any], mutate: Callable[[Any], None]) -> None:
    """One leaf, one threshold by one ulp, one category, one column, one weight: each fails the proof."""
    pipeline, X = source()
    twin = assemble(pipeline, X, version="v", created=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    signature = sign(pipeline, X)
    _, scope, _, _ = build_graph(pipeline, signature)
    model = onnx.load_from_string(twin.graph)
    before = model.SerializeToString()
    mutate(model)
    assert model.SerializeToString() != before
    try:
        proof = prove(pipeline, signature, twin.manifest, model.SerializeToString(), scope, None, lambda line: None)
    except ParityError:
        return
    # One ulp in a leaf lies within level ulp: there the proof must at least have lost its bits.
    assert source is forest
    assert proof.outputs["predict_proba"].identical < proof.outputs["predict_proba"].rows
    assert twin.proof.outputs["predict_proba"].identical == twin.proof.outputs["predict_proba"].rows


def test_the_proof_catches_swapped_classes() -> None:
    """The labels live in the manifest, beside the graph."""
    import msgspec

    pipeline, X = linear()
    twin = assemble(pipeline, X, version="v", created=CREATED)
    signature = sign(pipeline, X)
    _, scope, _, _ = build_graph(pipeline, signature)
    swapped = msgspec.structs.replace(twin.manifest, classes=(twin.manifest.classes[0][::-1],))
    with pytest.raises(ParityError, match="labels differ") as caught:
        prove(pipeline, signature, swapped, twin.graph, scope, None, lambda line: None)
    assert "row " in caught.value.worst
