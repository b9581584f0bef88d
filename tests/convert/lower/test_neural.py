"""Neural networks beside their twins."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import BernoulliRBM, MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline

from .twins import levels, model_of, twin_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
WORDS = np.array(["oak", "ash", "elm", "fir"])
ACTIVATIONS = ("identity", "logistic", "tanh", "relu")


def rows(count: int) -> tuple[NDArray[np.float64], NDArray[Any]]:
    X, y = make_classification(
        160, 6, n_informative=5, n_redundant=0, n_classes=count, class_sep=0.6, random_state=count
    )
    return X, WORDS[y]


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_classifier(activation: str, count: int) -> None:
    X, y = rows(count)
    model = MLPClassifier((12, 6), activation=activation, max_iter=40, random_state=0).fit(X, y)
    twin = twin_of(model, X)
    assert model_of(twin).predict(X).tolist() == model.predict(X).tolist()


def test_a_classifier_of_one_class_has_no_probabilities() -> None:
    """It computes those of a second one that there is not."""
    X, y = rows(2)
    model = MLPClassifier((3,), max_iter=20, random_state=0).fit(X, np.full(len(y), "only"))
    twin = twin_of(model, X)
    assert levels(twin) == {"predict": "bit"}
    assert "one of which there is not" in twin.proof.left_out["predict_proba"]


def test_a_classifier_of_several_labels() -> None:
    X, y = make_multilabel_classification(150, 5, n_classes=3, random_state=0)
    model = MLPClassifier((8,), max_iter=40, random_state=0).fit(X, y)
    found = model_of(twin_of(model, X))
    assert found.predict(X).tolist() == model.predict(X).tolist()
    assert found.predict_proba(X).shape == (150, 3)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("targets", [1, 3])
def test_a_regressor(activation: str, targets: int) -> None:
    X, _ = rows(2)
    y = X[:, 0] if targets == 1 else X[:, :targets]
    model = MLPRegressor(hidden_layer_sizes=(10,), activation=activation, max_iter=40, random_state=0).fit(X, y)
    assert model_of(twin_of(model, X)).predict(X).shape == y.shape


def test_a_regressor_of_counts() -> None:
    X, _ = rows(2)
    y = np.random.default_rng(0).poisson(np.exp(X[:, 0] / 2)).astype(float)
    model = MLPRegressor(loss="poisson", hidden_layer_sizes=(6,), max_iter=40, random_state=0).fit(X, y)
    assert model.out_activation_ == "exp"
    twin_of(model, X)


def test_no_hidden_layer() -> None:
    X, y = rows(2)
    twin_of(MLPClassifier((), max_iter=40, random_state=0).fit(X, y), X)


def test_a_restricted_boltzmann_machine_transforms_and_has_no_score() -> None:
    X, y = rows(2)
    X = (X > 0).astype(float)
    model = BernoulliRBM(n_components=4, random_state=0).fit(X)
    assert set(levels(twin_of(model, X))) == {"transform"}
    twin_of(make_pipeline(model, LogisticRegression()).fit(X, y), X)
