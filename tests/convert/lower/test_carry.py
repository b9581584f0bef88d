"""A rounded sum that goes on in the next ensemble has the bits of a plain loop."""

from typing import Any

import numpy as np
import pytest
import spox
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor, IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from convert.build import assemble
from convert.lower import layout
from convert.lower.carry import DIGITS, Carry
from convert.lower.ensemble import sum_of_leaves
from convert.lower.nodes import Trees, join, stump
from convert.lower.packed import Ensemble, serialize
from convert.paths import walked
from convert.signature import sign
from runtime.session import Session
from tests.convert.lower.random_trees import GRID, ends, forests, request
from tests.convert.lower.samples import GAPS, X
from tests.convert.lower.test_ensemble import ONE
from tests.convert.lower.twins import CREATED, model_of, twin_of

Floats = NDArray[np.float64]


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A cut after each tree."""
    monkeypatch.setattr(layout, "STAGED", 0)
    monkeypatch.setattr(layout, "STAGE", 1)
    monkeypatch.setattr(layout, "STAGES", 10**9)
    return monkeypatch


def summed(trees: Trees, weights: Floats, rows: Floats) -> tuple[Floats, list[Ensemble]]:
    """What the graph answers, all rows at once and again each by itself, and its ensembles."""
    x = request(missing=True)
    answer = sum_of_leaves(x, trees, np.zeros(len(weights), np.int64), weights, 1, None)
    session = Session(serialize(spox.build({"X": x.scope.x}, {"answer": answer}), x.scope.ensembles))
    found = session.run(rows, ["answer"])[0][:, 0]
    alone = [session.run(rows[[row]], ["answer"])[0][0, 0] for row in range(0, len(rows), 40)]
    assert np.array(alone).tobytes() == found[::40].tobytes()
    return found, x.scope.ensembles


def in_a_loop(trees: Trees, weights: Floats, rows: Floats) -> Floats:
    total = np.zeros(len(rows))
    for column in weights[ends(trees, rows)].T:
        total = total + column
    return total


@pytest.mark.usefixtures("cut")
@settings(max_examples=40, deadline=None)
@given(forests(6), st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_sums_have_the_bits_of_a_plain_loop(trees: Trees, seed: int, wide: int) -> None:
    """Of either sign and of whatever magnitudes, with digits that cancel and with zeros."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=len(trees.feature)) * 10.0 ** rng.integers(-wide, wide, len(trees.feature), endpoint=True)
    weights = np.choose(
        rng.integers(0, 5, len(numbers)), [numbers, numbers, np.full_like(numbers, -numbers[0]), 0, -0.0]
    )
    found, _ = summed(trees, weights, GRID)
    assert found.tobytes() == in_a_loop(trees, weights, GRID).tobytes()


FINITE = st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda value: value == 0 or abs(value) > 1e-6)
ZERO = np.zeros((1, 2))


def of_values(values: list[float]) -> tuple[Trees, Floats]:
    """A tree for each, which answers it to zeros, and zero (or one) to what is above."""
    weights = [[0.0, value, float(value == 0)] for value in values]
    return join([ONE] * len(values)), np.array(weights).ravel()


@pytest.mark.usefixtures("cut")
@settings(max_examples=40, deadline=None)
@given(st.lists(FINITE, min_size=2, max_size=6))
@example([1.0, -1.0, 2.0**-19, -(2.0**19), 0.1])
@example([31 / 32, 2.0**-53, -1.0, 1 - 2.0**-53])
@example([-0.0, 0.0, -1e-6, 1e6])
def test_any_sum_is_carried_as_it_is(values: list[float]) -> None:
    """Where a digit ends and another begins too."""
    trees, weights = of_values(values)
    found, ensembles = summed(trees, weights, ZERO)
    assert len(ensembles) == len(values)
    assert found.tobytes() == in_a_loop(trees, weights, ZERO).tobytes()


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("values", [[1e300, 1.0], [5e-324, 1.0], [1e308, 1e308], [np.inf, 1.0]])
def test_what_has_too_many_digits_stays_in_one_ensemble(values: list[float]) -> None:
    found, ensembles = summed(*of_values(values), ZERO)
    assert len(ensembles) == 1
    with np.errstate(over="ignore"):
        assert found[0] == np.float64(values[0]) + values[1]


def test_as_many_digits_as_are_needed() -> None:
    """For the lowest bit of the least of them, and for a sum above the largest."""
    carry = Carry.of(*of_values([1.5, 2.0**-52]))
    assert carry is not None
    assert carry.exponent == 2
    assert carry.count == -(-(2 + 52) // 5) <= DIGITS
    assert Carry.of(stump(), np.zeros(1)) is None


@pytest.mark.parametrize(
    ("model", "target"),
    [
        (make_pipeline(StandardScaler(), ExtraTreesRegressor(9, random_state=0)), "numbers"),
        (GradientBoostingRegressor(n_estimators=9, random_state=0), "numbers"),
        (IsolationForest(n_estimators=9, random_state=0), None),
    ],
    ids=["forest", "boosting", "isolation"],
)
def test_a_model_in_several_ensembles_is_proven_as_one_is(
    model: Any, target: str | None, cut: pytest.MonkeyPatch
) -> None:
    """Each tree's nodes are walked and probed, and those that carry a sum are not counted."""
    cut.setattr(layout, "TURNED", 1)
    y = None if target is None else np.sin(X).sum(axis=1) * 100
    model.fit(X, y)
    lines: list[str] = []
    twin = assemble(model, X, version="test", created=CREATED, report=lines.append)
    assert len(twin.scope.ensembles) == len([e for e in twin.scope.ensembles if len(e.roots)]) >= 9
    trees = sum(len(ensemble.roots) for ensemble in twin.scope.ensembles)
    assert f"loaded: {trees} trees by the runtime" in lines
    predict = twin.proof.outputs["predict"]
    assert predict.identical == predict.rows
    visits = walked(sign(model, X), model_of(twin).tensors, twin.scope, 0)
    assert set(visits.tree) == set(range(trees))


@pytest.mark.usefixtures("cut")
def test_missing_values_go_where_they_went() -> None:
    """Digits are never missing, and the forest's own nodes still say what is."""
    y = np.nan_to_num(GAPS).sum(axis=1) / 3
    forest = ExtraTreesRegressor(6, random_state=0).fit(GAPS, y)
    twin = twin_of(forest, GAPS)
    assert len(twin.scope.ensembles) == 6
    np.testing.assert_array_equal(model_of(twin).predict(GAPS), forest.predict(GAPS))
