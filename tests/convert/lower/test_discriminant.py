"""Discriminant analysis beside its twins."""

from typing import Any

import numpy as np
import pytest
import spox
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from convert.errors import UnsupportedError
from convert.lower import lower
from convert.lower.matrix import Matrix, Number, Raw
from convert.lower.scope import Scope

from .twins import levels, model_of, twin_of

WORDS = np.array(["oak", "ash", "elm", "fir"])


def rows(count: int, features: int = 6) -> tuple[NDArray[np.float64], NDArray[Any]]:
    X, y = make_classification(
        200, features, n_informative=5, n_redundant=0, n_classes=count, class_sep=0.6, random_state=count
    )
    return X, WORDS[y]


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize(
    "model",
    [
        LinearDiscriminantAnalysis(),
        LinearDiscriminantAnalysis(n_components=1),
        LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto"),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.2),
    ],
    ids=repr,
)
def test_linear(model: Any, count: int) -> None:
    X, y = rows(count)
    twin = twin_of(model.fit(X, y), X)
    assert ("transform" in levels(twin)) == (model.solver != "lsqr")
    assert model_of(twin).predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("features", [5, 8, 21])
@pytest.mark.parametrize("scale", [1, 100])
def test_quadratic(count: int, features: int, scale: float) -> None:
    X, y = rows(count, features)
    X = X * scale + 10 * scale
    model = QuadraticDiscriminantAnalysis(reg_param=0.1).fit(X, y)
    assert levels(twin_of(model, X))["predict"] == "bit"


def test_as_a_step() -> None:
    X, y = rows(4)
    twin_of(make_pipeline(LinearDiscriminantAnalysis(), LogisticRegression()).fit(X, y), X)


def test_a_step_that_cannot_transform_is_refused_by_its_place() -> None:
    X, y = rows(4)
    pipeline = make_pipeline(LinearDiscriminantAnalysis(), LogisticRegression()).fit(X, y)
    pipeline[0].solver = "lsqr"

    x = spox.argument(spox.Tensor(np.float64, ("N", 6)))
    matrix = Matrix(Scope(x, (False,) * 6), tuple(Number(x, i, Raw(i)) for i in range(6)))
    with pytest.raises(UnsupportedError, match=r"pipeline\['lineardiscriminantanalysis'\].*lsqr"):
        lower(pipeline, "predict", matrix)


def test_as_the_last_of_a_pipeline_without_a_projection() -> None:
    X, y = rows(3)
    model = make_pipeline(LinearDiscriminantAnalysis(solver="lsqr")).fit(X, y)
    assert "transform" not in levels(twin_of(model, X))


@pytest.mark.parametrize("model", [QuadraticDiscriminantAnalysis(), LinearDiscriminantAnalysis()])
def test_what_was_fitted_on_float32(model: Any) -> None:
    """Its means are float32 then; the twin takes float64, as the pipeline does."""
    X = np.random.default_rng(0).normal(size=(90, 3))
    twin_of(model.fit(X.astype(np.float32), np.digitize(X[:, 0], [-0.5, 0.5])), X)
