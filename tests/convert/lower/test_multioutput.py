"""One member for each target, alone or in a chain."""

import json
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.tree import DecisionTreeClassifier

from tests.convert.lower.samples import FOUR, MULTI_LABEL, THREE, TWO_NUMBERS, YES_NO, X
from tests.convert.lower.twins import levels, model_of, twin_of

FOREST = RandomForestClassifier(4, max_depth=3, random_state=0)


@pytest.mark.parametrize(
    "target", [MULTI_LABEL, np.column_stack([THREE, YES_NO]), FOUR[:, np.newaxis]], ids=["labels", "words", "one"]
)
def test_classifiers_of_several_targets(target: Any) -> None:
    """Each with its own labels."""
    found = levels(twin_of(MultiOutputClassifier(FOREST).fit(X, target), X))
    assert found == {"predict": "bit", "predict_proba": "bit"}


@pytest.mark.parametrize("base", [FOREST, LogisticRegression()], ids=["forest", "linear"])
def test_one_target_has_a_list_of_one_array(base: Any) -> None:
    """As scikit-learn answers it; a chain of one has an array of a column."""
    for model, listed in ((MultiOutputClassifier(base), True), (ClassifierChain(base), False)):
        twin = model_of(twin_of(model.fit(X, MULTI_LABEL[:, :1]), X))
        found, wanted = twin.predict_proba(X[:9]), model.predict_proba(X[:9])
        assert isinstance(found, list) == isinstance(wanted, list) == listed
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_regressors_of_several_targets() -> None:
    """Trees at level bit."""
    model = MultiOutputRegressor(GradientBoostingRegressor(n_estimators=5, random_state=0)).fit(X, TWO_NUMBERS)
    assert levels(twin_of(model, X)) == {"predict": "bit"}


@pytest.mark.parametrize("order", [None, [2, 0, 1]])
@pytest.mark.parametrize("method", ["predict", "predict_proba", ["decision_function", "predict_proba"]])
@pytest.mark.parametrize("base", [FOREST, LogisticRegression()], ids=["forest", "linear"])
def test_chains_of_classifiers(order: Any, method: Any, base: Any) -> None:
    """What the next member reads is the method's choice."""
    model = ClassifierChain(base, order=order, chain_method=method).fit(X, MULTI_LABEL)
    found = levels(twin_of(model, X))
    assert found["predict"] == "bit"
    assert base is not FOREST or found["predict_proba"] == "bit"


def test_chains_of_many_classes() -> None:
    """Labels that are numbers go on to the next member; for probabilities scikit-learn raises, so the twin has none."""
    model = ClassifierChain(DecisionTreeClassifier(max_depth=3)).fit(X, np.column_stack([FOUR, MULTI_LABEL]))
    assert levels(twin_of(model, X)) == {"predict": "bit"}


@pytest.mark.parametrize("order", [None, [1, 0]])
def test_chains_of_regressors(order: Any) -> None:
    """Trees at level bit, linear models at level ulp."""
    trees = GradientBoostingRegressor(n_estimators=5, random_state=0)
    assert levels(twin_of(RegressorChain(trees, order=order).fit(X, TWO_NUMBERS), X)) == {"predict": "bit"}
    assert twin_of(RegressorChain(LinearRegression(), order=order).fit(X, TWO_NUMBERS), X).proof.level == "ulp"


def test_a_chain_of_one() -> None:
    """Its column of probabilities is no array of the classes' own."""
    model = ClassifierChain(LogisticRegression()).fit(X, MULTI_LABEL[:, :1])
    found = model_of(twin_of(model, X))
    assert found.predict_proba(X[:2]).shape == (2, 1)
    row = {f"x{place}": number for place, number in enumerate(X[0].tolist())}
    answer = json.loads(found.predict_json(json.dumps(row).encode()))
    assert answer["prediction"] == model.predict(X[:1])[0].tolist()
    assert "probability" not in answer
