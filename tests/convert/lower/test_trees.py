"""Trees and forests: every parameter that changes what they answer."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from convert.lower.trees import adds_up_exactly
from tests.convert.lower.samples import BINARY, FOUR, GAPS, MULTI_LABEL, NUMBER, THREE, TWO_NUMBERS, YES_NO, X
from tests.convert.lower.twins import levels, twin_of

CLASSIFIERS = [
    DecisionTreeClassifier(random_state=0),
    ExtraTreeClassifier(random_state=0),
    RandomForestClassifier(7, random_state=0),
    ExtraTreesClassifier(7, random_state=0),
]
REGRESSORS = [
    DecisionTreeRegressor(random_state=0),
    ExtraTreeRegressor(random_state=0),
    RandomForestRegressor(7, random_state=0),
    ExtraTreesRegressor(7, random_state=0),
]
SEVERAL = np.column_stack([THREE, YES_NO, FOUR.astype(str)])


def bits(model: Any, sample: Any) -> set[str]:
    """The levels but those of logarithms."""
    return {level for method, level in levels(twin_of(model, sample)).items() if method != "predict_log_proba"}


@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize(
    "target", [YES_NO, THREE, FOUR, FOUR / 2, BINARY.astype(bool)], ids=["words", "three", "numbers", "halves", "bools"]
)
def test_labels_of_every_kind(model: Any, target: Any) -> None:
    """Two classes or more; strings, integers, floats and booleans."""
    assert bits(model.fit(X, target), X) == {"bit"}


@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("target", [MULTI_LABEL, SEVERAL], ids=["labels", "words"])
def test_several_targets(model: Any, target: Any) -> None:
    """A list of probabilities, one for each."""
    assert bits(model.fit(X, target), X) == {"bit"}


@pytest.mark.parametrize("model", REGRESSORS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("target", [NUMBER, TWO_NUMBERS], ids=["one", "two"])
def test_regressors(model: Any, target: Any) -> None:
    """One target or two."""
    assert bits(model.fit(X, target), X) == {"bit"}


@pytest.mark.parametrize("model", [*CLASSIFIERS, *REGRESSORS], ids=lambda model: type(model).__name__)
def test_missing_values(model: Any) -> None:
    """Each node says where they go; behind a scaler too."""
    target = NUMBER if model in REGRESSORS else THREE
    assert bits(model.fit(GAPS, target), GAPS) == {"bit"}
    assert bits(make_pipeline(StandardScaler(), model).fit(GAPS, target), GAPS) == {"bit"}


def test_missing_values_of_several_outputs_and_monotonic_constraints() -> None:
    words = np.column_stack([YES_NO, THREE])
    assert bits(ExtraTreesClassifier(4, random_state=0).fit(GAPS, words), GAPS) == {"bit"}
    assert bits(RandomForestRegressor(4, random_state=0).fit(GAPS, TWO_NUMBERS), GAPS) == {"bit"}
    constrained = ExtraTreesRegressor(4, monotonic_cst=[1, -1, 0, 0, 1], random_state=0)
    assert bits(constrained.fit(X, NUMBER), X) == {"bit"}


@pytest.mark.parametrize(
    "parameters",
    [
        {"criterion": "entropy", "class_weight": "balanced"},
        {"max_leaf_nodes": 6},
        {"ccp_alpha": 0.02},
        {"min_impurity_decrease": 0.05, "max_features": 2},
        {"monotonic_cst": [1, -1, 0, 0, 1]},
        {"max_depth": 1},
    ],
    ids=str,
)
def test_parameters_of_growing(parameters: Any) -> None:
    """Whatever shaped the tree, it is a tree."""
    assert bits(DecisionTreeClassifier(random_state=0, **parameters).fit(X, BINARY), X) == {"bit"}
    assert bits(RandomForestClassifier(5, random_state=0, **parameters).fit(X, BINARY), X) == {"bit"}


@pytest.mark.parametrize(
    ("criterion", "target"),
    [("absolute_error", NUMBER), ("poisson", np.abs(NUMBER) + 1), ("squared_error", NUMBER)],
)
def test_criteria_of_regressors(criterion: Any, target: Any) -> None:
    """Medians and means in the leaves alike."""
    assert bits(DecisionTreeRegressor(criterion=criterion, max_depth=4, random_state=0).fit(X, target), X) == {"bit"}


def test_a_tree_of_one_leaf_and_a_constant_column() -> None:
    """Nothing to ask; nothing that can be asked."""
    assert bits(DecisionTreeClassifier().fit(X, np.full(len(X), "one")), X) == {"bit"}
    assert bits(RandomForestRegressor(3, random_state=0).fit(X, np.zeros(len(X))), X) == {"bit"}
    flat = np.column_stack([np.ones(len(X)), X[:, 0]])
    assert bits(RandomForestClassifier(3, random_state=0).fit(flat, THREE), flat) == {"bit"}


def test_one_column_of_an_odd_name() -> None:
    """Names are not looked at."""
    frame = pd.DataFrame({" a b,%": X[:, 0]})
    assert bits(
        make_pipeline(SimpleImputer(), RandomForestClassifier(5, random_state=0)).fit(frame, YES_NO), frame
    ) == {"bit"}


@pytest.mark.parametrize("parameters", [{"max_depth": 3}, {"max_leaf_nodes": 5}, {"sparse_output": False}], ids=str)
def test_leaves_as_columns(parameters: Any) -> None:
    """RandomTreesEmbedding: one column a leaf, sparse or dense."""
    embedding = RandomTreesEmbedding(6, random_state=0, **parameters).fit(X)
    assert bits(embedding, X) == {"bit"}
    assert bits(make_pipeline(embedding, DecisionTreeClassifier(max_depth=4)).fit(X, THREE), X) == {"bit"}


def test_many_trees_are_added_in_order() -> None:
    """Partial sums would give other last bits."""
    assert bits(RandomForestClassifier(700, max_depth=3, random_state=0).fit(X, THREE), X) == {"bit"}
    assert bits(RandomForestClassifier(700, max_depth=3, random_state=0).fit(X, MULTI_LABEL[:, :2]), X) == {"bit"}


@pytest.mark.parametrize("target", [YES_NO, THREE], ids=["two", "three"])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"class_weight": {}}, {"min_samples_leaf": 4}, {"max_leaf_nodes": 9, "bootstrap": False}],
    ids=["pure", "weighted", "mixed", "few leaves"],
)
def test_votes_and_fractions(parameters: Any, target: Any) -> None:
    """Leaves of one class are added by the ensemble itself, others behind it; scikit-learn's bits either way."""
    if "class_weight" in parameters:
        parameters = {"class_weight": {label: 0.3 * place + 0.1 for place, label in enumerate(np.unique(target))}}
    forest = RandomForestClassifier(30, random_state=0, **parameters).fit(X, target)
    assert bits(forest, X) == {"bit"}


def test_leaves_of_one_class_are_no_leaf_numbers() -> None:
    """Two classes need one number a leaf, three need one for each."""
    for target, width in ((YES_NO, 1), (THREE, 3)):
        twin = twin_of(RandomForestClassifier(30, random_state=0).fit(X, target), X)
        (ensemble,) = twin.scope.ensembles
        assert len(np.unique(ensemble.arrays["leaf_targetids"])) == width
    mixed = twin_of(RandomForestClassifier(30, min_samples_leaf=4, random_state=0).fit(X, THREE), X)
    assert len(np.unique(mixed.scope.ensembles[0].arrays["leaf_targetids"])) == 30


def test_what_adds_up_exactly() -> None:
    """Halves and whole numbers do; thirds do not, nor what passes 53 bits."""
    assert adds_up_exactly(np.array([0.0, 0.5, 1.0, -3.0]), 1000)
    assert not adds_up_exactly(np.array([1 / 3]), 1)
    assert not adds_up_exactly(np.array([2.0**-21]), 1)
    assert not adds_up_exactly(np.array([2.0**30, 1.0]), 1000)
