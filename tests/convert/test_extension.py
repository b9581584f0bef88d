"""Estimators of one's own: their lowerings are registered, proven, and found again within others."""

from typing import Any

import numpy as np
import pytest
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from convert import lowering
from convert.errors import ParityError, UnsupportedError
from convert.extension import Labels, Matrix, argmax, lower
from convert.lower import overridden
from tests.convert.lower.samples import YES_NO, X
from tests.convert.lower.twins import levels, twin_of


class Winsorizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Pulls outliers in."""

    def fit(self, X: Any, y: Any = None) -> "Winsorizer":
        self.n_features_in_ = X.shape[1]
        self.low_, self.high_ = np.quantile(X, [0.05, 0.95], axis=0)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.minimum(np.maximum(X, self.low_), self.high_)
        return found


class Nearer(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The first column's sign, by a class of its own."""

    def fit(self, X: Any, y: Any) -> "Nearer":
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        second = np.where(np.asarray(X)[:, 0] > 0, 0.75, 0.25)
        return np.column_stack([1 - second, second])

    def predict(self, X: Any) -> NDArray[Any]:
        found: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return found


@lowering(Winsorizer, method="transform")
def winsorizer(step: Winsorizer, x: Matrix) -> Matrix:
    low, high = (op.const(np.asarray(bound, np.float64)) for bound in (step.low_, step.high_))
    return x.new(op.min([op.max([x.tensor, low]), high]))


@lowering(Nearer, method="predict_proba")
def nearer(model: Nearer, x: Matrix) -> Any:
    over = op.greater(x.select([0]).tensor, op.const(np.float64(0)))
    second = op.where(over, op.const(np.float64(0.75)), op.const(np.float64(0.25)))
    return op.concat([op.sub(op.const(np.float64(1)), second), second], axis=1)


@lowering(Nearer, method="predict")
def nearer_labels(model: Nearer, x: Matrix) -> Labels:
    return argmax(lower(model, "predict_proba", x), model.classes_)


def test_a_lowering_of_ones_own_is_proven() -> None:
    """Within a pipeline and within an ensemble."""
    members = [("own", Nearer()), ("tree", DecisionTreeClassifier(max_depth=2))]
    model = make_pipeline(Winsorizer(), VotingClassifier(members, voting="soft")).fit(X, YES_NO)
    assert set(levels(twin_of(model, X)).values()) == {"bit"}


def test_a_wrong_lowering_is_found_out() -> None:
    """Registered again, for a subclass that does otherwise."""

    class Halved(Winsorizer):
        def transform(self, X: Any) -> NDArray[np.float64]:
            halved: NDArray[np.float64] = super().transform(X) / 2
            return halved

    hint = r"found that they differ.*; Halved has its own transform, lowered as its base's: register a lowering for it"
    for model in (Halved(), make_pipeline(Halved())):
        with pytest.raises(ParityError, match=hint):
            twin_of(model.fit(X), X)


def test_classes_of_scikit_learns_are_no_ones_own() -> None:
    """Though some define a method of their base's anew."""
    assert overridden(LinearRegression) == []


def test_what_has_no_lowering_is_refused_with_its_path() -> None:
    """And with what to do."""

    class Unknown(TransformerMixin, BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Any, y: Any = None) -> "Unknown":
            self.fitted_ = True
            return self

        def transform(self, X: Any) -> Any:
            return X

    with pytest.raises(UnsupportedError, match=r"pipeline\['unknown'\].*register a lowering"):
        twin_of(make_pipeline(Unknown(), DecisionTreeClassifier()).fit(X, YES_NO), X)


def test_a_lowering_that_raises_is_an_error_of_ours() -> None:
    """With the step's path, the cause and what to do."""

    class Odd(Winsorizer):
        pass

    @lowering(Odd, method="transform")
    def odd(step: Odd, x: Matrix) -> Matrix:
        return x.new(op.add(x.tensor, op.const(np.float32(1))))

    assert odd is not None
    with pytest.raises(UnsupportedError, match=r"pipeline\['odd'\]: expected Odd as its lowering knows it, found") as e:
        twin_of(make_pipeline(Odd(), DecisionTreeClassifier()).fit(X, YES_NO), X)
    assert e.value.__cause__ is not None
