"""CatBoost beside its twin; where it is installed."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from convert.errors import UnsupportedError
from tests.convert.lower.samples import BINARY, FOUR, GAPS, MULTI_LABEL, NUMBER, THREE, YES_NO, X
from tests.convert.lower.twins import levels, model_of, twin_of

catboost = pytest.importorskip("catboost")
COMMON: dict[str, Any] = {
    "iterations": 8,
    "depth": 3,
    "verbose": 0,
    "allow_writing_files": False,
    "thread_count": 1,
    "random_seed": 0,
}


@pytest.mark.parametrize("sample", [X, GAPS], ids=["whole", "gaps"])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"nan_mode": "Max"}, {"grow_policy": "Lossguide"}, {"grow_policy": "Depthwise"}, {"loss_function": "MAE"}],
    ids=str,
)
def test_regressors(sample: Any, parameters: Any) -> None:
    """Oblivious trees and others; missing values at either end."""
    model = catboost.CatBoostRegressor(**COMMON, **parameters).fit(sample, NUMBER)
    assert levels(twin_of(model, sample)) == {"predict": "bit"}


@pytest.mark.parametrize("target", [YES_NO, THREE, FOUR, BINARY], ids=["words", "three", "numbers", "two"])
def test_classifiers(target: Any) -> None:
    """Two classes or more."""
    model = catboost.CatBoostClassifier(**COMMON).fit(GAPS, target)
    assert levels(twin_of(model, GAPS))["predict"] == "bit"


@pytest.mark.parametrize("loss", ["MultiClass", "MultiClassOneVsAll", "Focal:focal_alpha=0.4;focal_gamma=2.0"])
def test_losses_of_two_classes(loss: str) -> None:
    """A score a class, whose labels are a column then, or one of both."""
    model = catboost.CatBoostClassifier(**COMMON, loss_function=loss).fit(GAPS, YES_NO)
    twin = twin_of(model, GAPS)
    assert levels(twin)["predict"] == "bit"
    assert model_of(twin).predict(GAPS).shape == model.predict(GAPS).shape


def test_a_threshold_of_the_probability() -> None:
    """Above it is the second class."""
    model = catboost.CatBoostClassifier(**COMMON).fit(GAPS, YES_NO)
    before = model.predict(GAPS)
    model.set_probability_threshold(0.2)
    assert levels(twin_of(model, GAPS))["predict"] == "bit"
    assert (model.predict(GAPS) != before).any()


@pytest.mark.parametrize("loss", ["RMSE", "Logloss", "MultiClass"])
def test_a_model_that_is_no_estimator(loss: str) -> None:
    """CatBoost itself answers scores."""
    model = catboost.CatBoost({**COMMON, "loss_function": loss}).fit(GAPS, BINARY)
    assert levels(twin_of(model, GAPS)) == {"predict": "bit"}


def test_four_classes_at_the_end_of_a_stack() -> None:
    """scikit-learn makes a row of the column of labels."""
    members = [("tree", DecisionTreeClassifier(max_depth=3)), ("forest", RandomForestClassifier(3, random_state=0))]
    stack = StackingClassifier(members, catboost.CatBoostClassifier(**COMMON), cv=2).fit(X, FOUR)
    twin = twin_of(stack, X)
    assert levels(twin)["predict"] == "bit"
    assert model_of(twin).predict(X).shape == (len(X),)


@pytest.mark.parametrize("loss", ["MultiLogloss", "MultiCrossEntropy"])
def test_several_labels(loss: str) -> None:
    model = catboost.CatBoostClassifier(**COMMON, loss_function=loss).fit(GAPS, MULTI_LABEL)
    twin = twin_of(model, GAPS)
    assert levels(twin)["predict"] == "bit"
    assert model_of(twin).predict_proba(GAPS).shape == MULTI_LABEL.shape


def test_a_mean_with_its_variance() -> None:
    model = catboost.CatBoostRegressor(**COMMON, loss_function="RMSEWithUncertainty").fit(X, NUMBER)
    assert model_of(twin_of(model, X)).predict(X).shape == (len(X), 2)


@pytest.mark.parametrize("loss", ["YetiRank", "QueryRMSE", "PairLogit"])
def test_rankers(loss: str) -> None:
    model = catboost.CatBoostRanker(**COMMON, loss_function=loss)
    model.fit(GAPS, FOUR // 10, group_id=np.repeat(np.arange(5), 30))
    assert levels(twin_of(model, GAPS)) == {"predict": "bit"}


def test_a_pipeline() -> None:
    """Scalers and imputers fold."""
    model = catboost.CatBoostRegressor(**COMMON)
    twin = twin_of(make_pipeline(SimpleImputer(), StandardScaler(), model).fit(GAPS, NUMBER), GAPS)
    assert levels(twin) == {"predict": "bit"}
    assert twin.scope.folded


RNG = np.random.default_rng(4)
CATEGORIES = pd.DataFrame(
    {
        "a": X[:, 0],
        "city": RNG.choice(["å", "b", "c", "d", "e", "日本"], len(X)),
        "side": RNG.choice(["l", "r", "m"], len(X)),
    }
)
COSTS = NUMBER + 3 * (CATEGORIES.city == "å") - 2 * (CATEGORIES.side == "l")


@pytest.mark.parametrize(
    "parameters",
    [
        {"one_hot_max_size": 10},
        {"max_ctr_complexity": 1},
        {"max_ctr_complexity": 1, "grow_policy": "Depthwise"},
        {"max_ctr_complexity": 1, "simple_ctr": ["Counter", "Borders", "Buckets", "BinarizedTargetMeanValue"]},
    ],
    ids=str,
)
def test_categories(parameters: Any) -> None:
    """By their hashes, and by statistics of the target; an unseen one as CatBoost takes it."""
    model = catboost.CatBoostRegressor(**COMMON, cat_features=["city", "side"], **parameters).fit(CATEGORIES, COSTS)
    twin = twin_of(model, CATEGORIES)
    assert levels(twin) == {"predict": "bit"}
    assert all(
        feature.unknown and not feature.missing for feature in twin.manifest.inputs if feature.kind == "category"
    )
    unseen = CATEGORIES.assign(city="zz")
    assert (model_of(twin).predict(unseen) == model.predict(unseen)).all()


def test_categories_of_several_classes() -> None:
    model = catboost.CatBoostClassifier(**COMMON, cat_features=[1, 2], max_ctr_complexity=1).fit(CATEGORIES, THREE)
    assert levels(twin_of(model, CATEGORIES))["predict"] == "bit"


@pytest.mark.parametrize("parameters", [{"one_hot_max_size": 10}, {"one_hot_max_size": 1, "max_ctr_complexity": 1}])
def test_a_sample_without_some_category_is_refused(parameters: Any) -> None:
    """CatBoost keeps hashes, of which nobody could say what they are of."""
    model = catboost.CatBoostRegressor(**COMMON, cat_features=[1, 2], **parameters).fit(CATEGORIES, COSTS)
    with pytest.raises(UnsupportedError, match="sample with all categories of column 'city'"):
        twin_of(model, CATEGORIES.assign(city=CATEGORIES.city.replace("å", "another")))


@pytest.mark.parametrize(
    ("target", "parameters", "words"),
    [
        (COSTS, {"max_ctr_complexity": 2, "iterations": 30}, "train with max_ctr_complexity=1"),
        (np.column_stack([COSTS, -COSTS]), {"loss_function": "MultiRMSE"}, "found those of MultiRMSE"),
    ],
    ids=["together", "several targets"],
)
def test_statistics_that_are_refused(target: Any, parameters: Any, words: str) -> None:
    model = catboost.CatBoostRegressor(**COMMON | {"one_hot_max_size": 1} | parameters, cat_features=[1, 2])
    with pytest.raises(UnsupportedError, match=words):
        twin_of(model.fit(CATEGORIES, target), CATEGORIES)


def test_texts_are_refused() -> None:
    """CatBoost reads them with dictionaries of its own."""
    texts = pd.DataFrame({"a": X[:, 0], "words": np.where(X[:, 1] > 0, "one word", "two more words")})
    model = catboost.CatBoostClassifier(**COMMON, text_features=["words"]).fit(texts, BINARY)
    with pytest.raises(UnsupportedError, match="found texts"):
        twin_of(model, texts)
