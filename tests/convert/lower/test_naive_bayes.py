"""Naive Bayes beside its twins."""

from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import spox
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB

from convert.lower.sums import log1p

from .twins import levels, model_of, twin_of

WORDS = np.array(["oak", "ash", "elm", "fir"])


def rows(count: int) -> tuple[NDArray[np.float64], NDArray[Any]]:
    X, y = make_classification(
        180, 6, n_informative=5, n_redundant=0, n_classes=count, class_sep=0.6, random_state=count
    )
    return X, WORDS[y]


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize(
    "model",
    [
        GaussianNB(),
        GaussianNB(priors=None, var_smoothing=1e-3),
        BernoulliNB(),
        BernoulliNB(binarize=0.4, alpha=0.1),
        BernoulliNB(fit_prior=False),
    ],
    ids=repr,
)
def test_a_model_of_numbers(model: Any, count: int) -> None:
    X, y = rows(count)
    twin = twin_of(model.fit(X, y), X)
    assert levels(twin)["predict"] == "bit"
    assert model_of(twin).predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize(
    "model", [MultinomialNB(), MultinomialNB(fit_prior=False), ComplementNB(), ComplementNB(norm=True)], ids=repr
)
def test_a_model_of_counts(model: Any, count: int) -> None:
    X, y = rows(count)
    X = np.round(np.abs(X) * 5)
    twin = twin_of(model.fit(X, y), X)
    assert twin.proof.outputs["predict"].label_mismatches == 0


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("model", [CategoricalNB(), CategoricalNB(min_categories=6, alpha=0.2)], ids=repr)
def test_a_model_of_categories(model: Any, count: int) -> None:
    X, y = rows(count)
    X = np.minimum(np.round(np.abs(X)), 3)
    twin = twin_of(model.fit(X, y), X)
    assert levels(twin)["predict"] == "bit"


def test_binary_columns_left_as_they_are() -> None:
    X, y = rows(3)
    X = (X > 0).astype(float)
    twin_of(BernoulliNB(binarize=None).fit(X, y), X)


NAN = {
    "numbers as they came": (BernoulliNB(binarize=None), lambda X: np.abs(X)),
    "counts as they came": (BernoulliNB(binarize=None), lambda X: np.round(np.abs(X))),
    "numbers of both signs": (BernoulliNB(binarize=None), lambda X: X),
    "probabilities of zero and one": (BernoulliNB(alpha=0, force_alpha=True), lambda X: X * (np.arange(6) > 1)),
    "a term that is never met": (MultinomialNB(alpha=0, force_alpha=True), lambda X: np.abs(X) * (np.arange(6) > 0)),
    "no variance": (GaussianNB(var_smoothing=0), lambda X: X * (np.arange(6) > 0)),
}


@pytest.mark.parametrize(("model", "made"), NAN.values(), ids=NAN)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_likelihoods_that_are_no_numbers(model: Any, made: Any) -> None:
    """scikit-learn goes on with NaN and minus infinity, and takes the first class whose likelihood is NaN."""
    X, y = rows(4)
    X = made(X)
    twin = twin_of(model.fit(X, y), X)
    assert levels(twin)["predict"] == "bit"
    assert np.isnan(model.predict_log_proba(X)).any()
    assert model_of(twin).predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("model", [GaussianNB(), BernoulliNB(), MultinomialNB(), ComplementNB()], ids=repr)
def test_likelihoods_of_many_features_are_held_to_their_own_size(model: Any, count: int) -> None:
    """Counts of 400 words: likelihoods of thousands, whose last bits decide the digits of what is left of them."""
    rng = np.random.default_rng(0)
    X = rng.poisson(6 * rng.random(400), size=(120, 400)).astype(float)
    model.fit(X, WORDS[rng.integers(0, count, 120)])
    twin = twin_of(model, X)
    assert twin.proof.level == "ulp"
    np.testing.assert_allclose(model_of(twin).predict_proba(X), model.predict_proba(X), rtol=0, atol=1e-11)


def test_one_class_and_one_feature() -> None:
    X, y = rows(2)
    twin_of(GaussianNB().fit(X[:, :1], y), X[:, :1])
    for model in (GaussianNB(), ComplementNB(), MultinomialNB()):
        twin_of(model.fit(np.abs(X), np.zeros(len(X))), np.abs(X))


def test_a_far_scale_keeps_its_digits() -> None:
    """The likelihoods of classes are near each other and far from zero: the sum's order shows in their difference."""
    rng = np.random.default_rng(0)
    X = rng.normal(1000, 5, size=(200, 24))
    frame = pd.DataFrame(X, columns=[f"c {i}" for i in range(24)])
    twin_of(GaussianNB().fit(frame, rng.integers(0, 3, 200)), frame)


def test_log1p() -> None:
    x = np.concatenate([np.geomspace(1e-320, 1e6, 5000), [0.0]])
    value = spox.argument(spox.Tensor(np.float64, ("N",)))
    graph = spox.build({"x": value}, {"y": log1p(value)})
    (found,) = onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"x": x})
    np.testing.assert_array_max_ulp(found, np.log1p(x), 4)


def test_what_was_fitted_on_float32() -> None:
    """Its priors are float32 then."""
    X = np.random.default_rng(0).normal(size=(90, 3))
    twin_of(GaussianNB().fit(X.astype(np.float32), np.digitize(X[:, 0], [-0.5, 0.5])), X)
