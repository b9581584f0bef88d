"""Non-negative factorisations, whose answer to a row depends on the rows beside it."""

import json
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import NMF, MiniBatchNMF
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from convert import ParityError, UnsupportedError
from convert.lower.scope import Scope
from convert.reference import reference
from runtime.session import BLOCK

from .twins import levels, model_of, twin_of

RNG = np.random.default_rng(17)
COUNTS = RNG.poisson(2.0, size=(30, 5)).astype(float)
POSITIVE = RNG.gamma(2.0, size=(40, 5))
MANY = np.vstack([RNG.gamma(2.0, size=(BLOCK, 5)), 1e4 * np.eye(5)[RNG.integers(0, 5, 100)]])
WORDS = [" ".join(RNG.choice(["red", "green", "blue", "sky", "sea", "sun", "a"], 7)) for _ in range(60)]
EXACT = ("bit", "ulp")

pytestmark = pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}")


def same(model: Any, twin: Any, rows: Any) -> None:
    """The twin's answer to rows that come together is scikit-learn's."""
    expected = model.transform(rows)
    np.testing.assert_allclose(twin.transform(rows), expected, rtol=1e-11, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize(
    "model",
    [
        NMF(3),
        NMF(),
        NMF(1, tol=0.1),
        NMF(3, tol=0, max_iter=60),
        NMF(3, tol=1e-8, alpha_W=0.1, l1_ratio=0.5),
        NMF(3, init="random", max_iter=1),
        NMF(3, solver="mu"),
        NMF(3, solver="mu", tol=0, max_iter=30, alpha_W=0.1),
        MiniBatchNMF(3),
        MiniBatchNMF(2, tol=0, transform_max_iter=20),
        MiniBatchNMF(2, tol=0.1, alpha_W=0.1, l1_ratio=0.3),
    ],
    ids=str,
)
def test_factorisations(model: Any) -> None:
    model.set_params(random_state=0).fit(COUNTS)
    twin = twin_of(model, COUNTS)
    assert levels(twin)["transform"] in EXACT
    for rows in (COUNTS, COUNTS[:7], COUNTS[:1]):
        same(model, model_of(twin), rows)


@pytest.mark.parametrize("beta", ["kullback-leibler", "itakura-saito", -1.0, 0.5, 1.5, 3.0])
@pytest.mark.parametrize("make", [NMF, MiniBatchNMF])
def test_losses(make: Any, beta: Any) -> None:
    options = {"solver": "mu"} if make is NMF else {}
    model = make(2, beta_loss=beta, random_state=0, max_iter=40, **options).fit(POSITIVE)
    assert levels(twin_of(model, POSITIVE))["transform"] in EXACT


@pytest.mark.parametrize("ratio", [0.5, 1.0])
@pytest.mark.parametrize("make", [NMF, MiniBatchNMF])
def test_a_penalty_of_the_kullback_leibler_divergence(make: Any, ratio: float) -> None:
    """NMF adds it to the sums of the components in place, once more at every turn; MiniBatchNMF does not."""
    options = {"solver": "mu"} if make is NMF else {}
    model = make(3, beta_loss=1, alpha_W=0.01, l1_ratio=ratio, random_state=0, **options).fit(COUNTS)
    assert levels(twin_of(model, COUNTS))["transform"] in EXACT


def test_many_components_of_small_batches() -> None:
    """Of negative numbers, which its fit refuses, its updates would make the rounding grow without bound."""
    rows = RNG.gamma(2.0, size=(60, 20))
    model = MiniBatchNMF(10, random_state=0).fit(rows)
    assert np.isfinite(model.transform(np.vstack([rows[:1], -0.1 * rows[:1]]))).all()
    assert levels(twin_of(model, rows))["transform"] in EXACT
    with pytest.raises(ValueError, match="Negative values in data passed to MiniBatchNMF"), reference():
        model.transform(-rows)


def test_zeros_beside_a_divergence_that_counts_none() -> None:
    model = NMF(2, solver="mu", beta_loss=1, random_state=0).fit(COUNTS)
    twin = model_of(twin_of(model, COUNTS))
    same(model, twin, np.vstack([np.zeros((2, 5)), COUNTS[:3]]))


@pytest.mark.parametrize(
    "model", [NMF(3, tol=0.01), NMF(3, solver="mu", beta_loss=1.5, tol=0.001), MiniBatchNMF(3, tol=0.01)], ids=str
)
def test_rows_that_come_together_are_answered_together(model: Any) -> None:
    """Also more of them than other graphs get in one run; and it matters."""
    model.set_params(random_state=0).fit(POSITIVE)
    twin = twin_of(model, POSITIVE)
    assert twin.manifest.whole
    assert twin.manifest.protocol == 3
    found = model_of(twin)
    same(model, found, MANY)
    apart = np.concatenate([model.transform(MANY[:BLOCK]), model.transform(MANY[BLOCK:])])
    assert np.abs(apart - model.transform(MANY)).max() > 1e-6
    body = [dict(zip(("x0", "x1", "x2", "x3", "x4"), row, strict=True)) for row in MANY[:9].tolist()]
    answers = json.loads(found.predict_json(json.dumps(body).encode()))["outputs"]
    np.testing.assert_array_equal([answer["output"] for answer in answers], found.transform(MANY[:9]))


def test_a_proof_puts_the_same_batches_to_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the lowering silent about it, the answers would be another's."""
    model = NMF(3, tol=0.01, random_state=0).fit(POSITIVE)
    monkeypatch.setattr(Scope, "whole", property(lambda scope: False, lambda scope, value: None))
    with pytest.raises(ParityError, match="of their magnitude"):
        twin_of(model, POSITIVE)


def test_without_a_tolerance_each_row_is_by_itself() -> None:
    twin = twin_of(NMF(3, tol=0, random_state=0, max_iter=50).fit(COUNTS), COUNTS)
    assert not twin.manifest.whole
    assert twin.manifest.protocol == 1


def test_what_comes_behind_depends_on_the_rows_too() -> None:
    """A tree's labels may all be the same at one row and at many, and are not taken for independent."""
    pipeline = make_pipeline(NMF(2, random_state=0), DecisionTreeClassifier(max_depth=1)).fit(COUNTS, COUNTS[:, 0] > 2)
    twin = twin_of(pipeline, COUNTS)
    assert set(levels(twin).values()) == {"bit"}
    assert twin.manifest.whole


def test_topics_of_texts() -> None:
    pipeline = make_pipeline(TfidfVectorizer(), NMF(3, random_state=0), Ridge())
    pipeline.fit(WORDS, [len(text) for text in WORDS])
    twin = twin_of(pipeline, WORDS)
    assert twin.proof.level in EXACT
    np.testing.assert_allclose(model_of(twin).predict(WORDS), pipeline.predict(WORDS), rtol=1e-11)


@pytest.mark.parametrize("options", [{}, {"tol": 0, "max_iter": 7}, {"alpha_W": 0.1}], ids=str)
def test_an_order_that_a_seed_draws(options: Any) -> None:
    """scikit-learn draws the same ones at every call."""
    model = NMF(4, shuffle=True, random_state=5, **options).fit(COUNTS)
    assert levels(twin_of(model, COUNTS))["transform"] in EXACT
    other = NMF(4, shuffle=True, random_state=6, tol=0, max_iter=2).fit(COUNTS)
    other.components_ = model.components_
    assert np.abs(other.transform(COUNTS) - other.set_params(random_state=5).transform(COUNTS)).max() > 1e-3


@pytest.mark.parametrize("state", [None, np.random.RandomState(0)], ids=["none", "shared"])
def test_an_order_that_is_drawn_anew_is_refused(state: Any) -> None:
    with pytest.raises(UnsupportedError, match="drawn anew at every call; set_params"):
        twin_of(NMF(2, shuffle=True, random_state=state).fit(COUNTS), COUNTS)
