"""Folding is exact: by brute force next to every threshold, and by a million rows through both graphs."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from convert import fold
from convert.fold import Mode, Unfoldable, last_refused, last_satisfying, of_lookup, of_raw
from convert.graph import build_graph
from convert.lower import layout
from convert.lower.matrix import Lookup, Monotone, Raw
from convert.lower.packed import Arrays
from convert.lower.scope import Scope
from convert.signature import sign
from runtime.session import Session

Floats = NDArray[np.float64]
ODD = np.array([0.0, -0.0, 5e-324, -5e-324, 1.0, -1.0, 1e308, -1e308, 3.5e38, np.inf, -np.inf])
NUMBERS = st.floats(allow_nan=False, width=64)
FACTORS = st.floats(1e-6, 1e6).flatmap(lambda size: st.sampled_from([size, -size]))


def _step(operation: Any, amount: float, values: Floats) -> Floats:
    found: Floats = operation(values, amount)
    return found


def _filled(amount: float, values: Floats) -> Floats:
    return np.where(np.isnan(values), amount, values)


@st.composite
def steps(draw: st.DrawFn) -> Monotone:
    """What preprocessing does to a column: each is monotone in floating point."""
    match draw(st.sampled_from(["add", "divide", "multiply", "clip", "float32", "fill"])):
        case "add":
            return Monotone(partial(_step, np.subtract, draw(st.floats(-1e6, 1e6))))
        case "divide":
            amount = draw(FACTORS)
            return Monotone(partial(_step, np.divide, amount), rising=amount > 0)
        case "multiply":
            amount = draw(FACTORS)
            return Monotone(partial(_step, np.multiply, amount), rising=amount > 0)
        case "clip":
            return Monotone(lambda values: np.clip(values, -1.0, 2.0))
        case "fill":
            return Monotone(partial(_filled, draw(st.floats(-10, 10))))
    return Monotone(lambda values: np.asarray(values, np.float32).astype(np.float64))


def near(value: float) -> Floats:
    """A number, its neighbours, and odd numbers."""
    below, above = [value], [value]
    with np.errstate(over="ignore"):
        for _ in range(4):
            below.append(float(np.nextafter(below[-1], -np.inf)))
            above.append(float(np.nextafter(above[-1], np.inf)))
    return np.array([*below, *above, *ODD])


def answered(test: fold.Test, values: Floats) -> NDArray[np.bool_]:
    """Whether the tree goes left."""
    match test.mode:
        case Mode.LEQ:
            yes = values <= test.split
        case Mode.EQ:
            yes = values == test.split
        case _:
            yes = np.isin(values, test.members)
    yes = np.where(np.isnan(values), test.missing, yes)
    left: NDArray[np.bool_] = yes == test.left
    return left


@given(st.lists(steps(), max_size=4), NUMBERS, st.booleans(), st.booleans())
def test_a_folded_threshold_decides_as_the_steps_do(
    chain: list[Monotone], threshold: float, missing_left: bool, may_miss: bool
) -> None:
    """On the threshold, next to it, at infinity and for missing values; and so does a constant answer."""
    origin = Raw(0, tuple(chain))
    test = of_raw(origin, np.array([threshold]), np.array([missing_left]), may_miss)[0]
    values = np.concatenate([near(test.split) if np.isfinite(test.split) else ODD, [np.nan] if may_miss else []])
    after = origin(values)
    expected = np.where(np.isnan(after), missing_left, after <= threshold)
    # Infinity less infinity is NaN in the middle of a rising function: no request gets there unless it may.
    plain = np.isfinite(values) | np.isnan(values)
    proper = plain & ~(np.isnan(after) & ~np.isnan(values))
    np.testing.assert_array_equal(answered(test, values)[proper], expected[proper])
    if test.constant is not None:
        left = test.constant == test.left
        assert (expected[proper] == left).all()


@given(st.lists(steps(), max_size=3), st.lists(NUMBERS, min_size=1, max_size=5))
def test_bisection_finds_the_last_number(chain: list[Monotone], thresholds: list[float]) -> None:
    """The next number is on the other side."""
    origin = Raw(0, tuple(chain))
    wanted = np.array(thresholds)
    find = last_satisfying if origin.rising else last_refused
    found = find(origin, wanted)
    inner = np.isfinite(found) & (np.abs(found) < 1e300)
    here, beyond = origin(found[inner]), origin(np.nextafter(found[inner], np.inf))
    holds = (here <= wanted[inner], beyond <= wanted[inner])
    # For a rising function it holds up to there, for a falling one only beyond.
    assert (holds[0] == origin.rising).all()
    assert (holds[1] != origin.rising).all()


@given(st.data(), st.integers(1, 80), st.booleans(), st.booleans())
def test_a_folded_table_decides_as_the_table_does(data: st.DataObject, size: int, may_miss: bool, coded: bool) -> None:
    """For every code, unseen ones and missing ones; keys that are numbers may refuse."""
    keys = np.array(sorted(data.draw(st.sets(st.integers(0, size - 1), max_size=size))), np.float64)
    left = np.array(data.draw(st.lists(st.booleans(), min_size=len(keys) + 1, max_size=len(keys) + 1)), bool)
    missing_left = data.draw(st.booleans())
    origin = Lookup(0, keys, np.zeros(len(keys)), 0.0, 0.0)
    try:
        test = of_lookup(left, missing_left, origin, size if coded else None, may_miss)
    except Unfoldable:
        assert not coded
        assert (left[:-1] != left[-1]).sum() > 1
        return
    codes = np.arange(-1.0, size)
    expected = np.array([left[np.flatnonzero(keys == code)[0]] if code in keys else left[-1] for code in codes])
    np.testing.assert_array_equal(answered(test, codes), expected)
    if may_miss:
        assert answered(test, np.array([np.nan]))[0] == missing_left
    if test.constant is not None:
        assert (expected == (test.constant == test.left)).all()


RNG = np.random.default_rng(8)
ROWS = 400
X = RNG.normal(size=(ROWS, 4)) * [1.0, 1e-3, 1e4, 1.0] + [0.0, 5.0, 0.0, 1.0]
GAPS = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
NUMBER = X[:, 0] + 1000 * (X[:, 1] - 5) - X[:, 2] / 1e4 + X[:, 3]
FRAME = pd.DataFrame(GAPS, columns=list("abcd")).assign(
    word=RNG.choice(np.array(["x", "y", "z", None], object), ROWS), code=RNG.integers(0, 30, ROWS).astype(float)
)
NUMERIC = make_pipeline(SimpleImputer(), StandardScaler())
FOREST = RandomForestRegressor(25, random_state=0)


def encoded(encoder: Any) -> ColumnTransformer:
    return ColumnTransformer([("n", NUMERIC, list("abcd")), ("c", encoder, ["word", "code"])])


def graphs(pipeline: Any, sample: Any) -> tuple[Session, Session, Any, Scope]:
    """Folded and unfolded, the signature, and what was learnt of thresholds and tables."""
    signature = sign(pipeline, sample)
    folded, scope, _, _ = build_graph(pipeline, signature, fold=True)
    plain, _, _, _ = build_graph(pipeline, signature, fold=False)
    assert scope.folded, "nothing was folded"
    return Session(folded), Session(plain), signature, scope


def rows_at_edges(signature: Any, scope: Scope, count: int) -> Floats:
    """Every cell on a threshold or at most three ulps beside it; missing now and then."""
    columns = []
    tables = scope.tables
    edges = {column: np.concatenate(found) for column, found in scope.edges.items()}
    for feature in signature.features:
        found = edges.get(feature.position, np.empty(0))
        found = found[np.isfinite(found)]
        if not len(found):
            codes = 30 if feature.kind == "number" else len(tables[feature.position])
            columns.append(RNG.integers(0 if feature.kind == "number" else -1, codes, count).astype(float))
            continue
        bits = RNG.choice(found, count).view(np.int64) + RNG.integers(-3, 4, count)
        values = np.where(np.isfinite(near_bits := bits.view(np.float64)), near_bits, 0.0)
        columns.append(values)
    matrix = np.column_stack(columns)
    missing = np.array([feature.missing for feature in signature.features])
    return np.ascontiguousarray(np.where((RNG.random(matrix.shape) < 0.05) & missing, np.nan, matrix))


@pytest.mark.parametrize(
    ("pipeline", "sample", "million"),
    [
        (make_pipeline(SimpleImputer(), StandardScaler(), FOREST), GAPS, True),
        (make_pipeline(RobustScaler(), MinMaxScaler((1, -1 + 3), clip=True), FOREST), GAPS, False),
        (make_pipeline(MaxAbsScaler(), SimpleImputer(strategy="median"), GradientBoostingRegressor()), GAPS, False),
        (make_pipeline(StandardScaler(), HistGradientBoostingRegressor(max_iter=20)), GAPS, False),
        (make_pipeline(encoded(OneHotEncoder(handle_unknown="ignore", sparse_output=False)), FOREST), FRAME, False),
        (make_pipeline(make_union(NUMERIC, make_pipeline(SimpleImputer(), PCA(2))), FOREST), GAPS, False),
        (
            make_pipeline(encoded(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)), FOREST),
            FRAME,
            False,
        ),
    ],
    ids=["imputed", "clipped", "scaled", "histogram", "one-hot", "in part", "ordinal"],
)
def test_a_folded_graph_has_the_same_bits(pipeline: Any, sample: Any, million: bool) -> None:
    """As the one that computes every step, on rows that lie next to thresholds in every column."""
    pipeline.fit(sample, NUMBER)
    folded, plain, signature, scope = graphs(pipeline, sample)
    matrix = rows_at_edges(signature, scope, 1_000_000 if million else 30_000)
    found, expected = folded.run(matrix, ["predict"])[0], plain.run(matrix, ["predict"])[0]
    np.testing.assert_array_equal(found.view(np.int64), expected.view(np.int64))


def equalities(arrays: Arrays) -> list[tuple[int, float, int]]:
    """The column of each node that asks for a category, which one, and whether a missing one is it."""
    missing = arrays.get("nodes_missing_value_tracks_true", np.zeros(len(arrays["nodes_modes"])))
    asking = arrays["nodes_modes"] == Mode.EQ
    names = ("nodes_featureids", "nodes_splits")
    return list(zip(*(part[asking].tolist() for part in (*(arrays[name] for name in names), missing)), strict=True))


@pytest.mark.parametrize("sets", [256, 0], ids=["beforehand", "by nodes"])
@pytest.mark.parametrize(
    ("pipeline", "sample"),
    [
        (make_pipeline(encoded(OneHotEncoder(sparse_output=False)), RandomForestRegressor(9, random_state=0)), FRAME),
        (make_pipeline(encoded(OrdinalEncoder(encoded_missing_value=-1)), RandomForestRegressor(9)), FRAME),
        (
            HistGradientBoostingRegressor(categorical_features=[0], max_iter=20, min_samples_leaf=3),
            np.column_stack([np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.integers(0, 30, ROWS)), GAPS]),
        ),
    ],
    ids=["one-hot", "ordinal", "sets"],
)
def test_a_folded_graph_as_large_ones_are_laid_out(
    pipeline: Any, sample: Any, sets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thresholds turned around; tests for categories beside them, or asked beforehand; in groups."""
    pipeline.fit(sample, NUMBER)
    signature = sign(pipeline, sample)
    plain = Session(build_graph(pipeline, signature, fold=False)[0])
    monkeypatch.setattr(layout, "TURNED", 1)
    monkeypatch.setattr(layout, "GROUP", 100)
    monkeypatch.setattr(layout, "SETS", sets)
    graph, scope, _, _ = build_graph(pipeline, signature)
    assert any((ensemble.signs < 0).any() for ensemble in scope.ensembles)
    if sets:
        tests = [test for ensemble in scope.ensembles for test in equalities(ensemble.arrays)]
        assert len(tests) == len(set(tests))  # none is asked twice
    matrix = rows_at_edges(signature, scope, 20_000)
    found, expected = Session(graph).run(matrix, ["predict"])[0], plain.run(matrix, ["predict"])[0]
    np.testing.assert_array_equal(found.view(np.int64), expected.view(np.int64))


def test_labels_of_a_folded_forest() -> None:
    """Probabilities and labels alike."""
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), RandomForestClassifier(20, random_state=0))
    pipeline.fit(GAPS, NUMBER > 0)
    folded, plain, signature, scope = graphs(pipeline, GAPS)
    matrix = rows_at_edges(signature, scope, 50_000)
    for method in ("predict", "predict_proba"):
        np.testing.assert_array_equal(folded.run(matrix, [method])[0], plain.run(matrix, [method])[0])
