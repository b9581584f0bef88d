"""Estimators of one's own: their lowerings are registered, proven, and found again within others."""

from typing import Any

import numpy as np
import pytest
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from convert import lowering
from convert.culprit import overriding
from convert.errors import ParityError, UnsupportedError
from convert.extension import Labels, Matrix, argmax, lower
from tests.convert.lower.samples import BINARY, YES_NO, X
from tests.convert.lower.twins import levels, model_of, twin_of


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


def test_nobody_is_told_to_register_a_lowering_for_scikit_learns_own_classes() -> None:
    """LinearRegression has a predict of its own for the docstring's sake."""

    class Doubled(LinearRegression):  # type: ignore[misc]
        def predict(self, X: Any) -> Any:
            return 2 * super().predict(X)

    assert overriding(make_pipeline(LinearRegression())) == ""
    assert "Doubled has its own predict" in overriding(make_pipeline(Doubled()))


def test_no_tolerance_allows_what_is_no_number() -> None:
    class Endless(Winsorizer):
        pass

    @lowering(Endless, method="transform")
    def endless(step: Endless, x: Matrix) -> Matrix:
        return x.new(op.div(x.tensor, op.const(np.float64(0))))

    assert endless is not None
    with pytest.raises(ParityError, match="differ by up to inf") as error:
        twin_of(Endless().fit(X), X)
    assert "--tolerance" not in str(error.value)


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


def test_a_lowering_that_returns_nothing_is_told_so() -> None:
    """Rather than that a graph cannot be built of None."""

    class Silent(Winsorizer):
        pass

    @lowering(Silent, method="transform")
    def silent(step: Silent, x: Matrix) -> Any:
        winsorizer(step, x)

    assert silent is not None
    with pytest.raises(UnsupportedError, match=r"from the lowering of Silent.transform, found NoneType: return what"):
        twin_of(Silent().fit(X), X)


def test_a_lowering_of_another_shape_is_told_both() -> None:
    """A column of answers is not a number a row."""

    class Sum(RegressorMixin, BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Any, y: Any) -> "Sum":
            self.n_features_in_ = X.shape[1]
            return self

        def predict(self, X: Any) -> Any:
            return np.asarray(X)[:, 0] + np.asarray(X)[:, 1]

    @lowering(Sum, method="predict")
    def column(model: Sum, x: Matrix) -> Any:
        return op.add(x.select([0]).tensor, x.select([1]).tensor)

    assert column is not None
    with pytest.raises(UnsupportedError, match=r"expected \[N\] from the lowering of predict.*, found \[N, 1\]"):
        twin_of(Sum().fit(X, BINARY), X)


def test_a_lowering_whose_width_the_graph_cannot_tell_answers_one_row() -> None:
    """The pipeline's own answer tells it."""

    class Constant(TransformerMixin, BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Any, y: Any = None) -> "Constant":
            self.n_features_in_ = X.shape[1]
            return self

        def transform(self, X: Any) -> Any:
            return np.ones((len(X), 3))

    @lowering(Constant, method="transform")
    def constant(step: Constant, x: Matrix) -> Matrix:
        rows = op.shape(x.tensor, start=0, end=1)
        return x.new(op.expand(op.const(np.ones(3)), op.concat([rows, op.const(np.array([3]))], axis=0)))

    assert constant is not None
    assert model_of(twin_of(Constant().fit(X), X)).transform(X[:1]).tolist() == [[1.0, 1.0, 1.0]]
