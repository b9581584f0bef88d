"""LightGBM beside its twin; where it is installed."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.convert.lower.samples import BINARY, FOUR, GAPS, NUMBER, THREE, YES_NO, X, categories
from tests.convert.lower.twins import levels, twin_of

lightgbm = pytest.importorskip("lightgbm")
COMMON: dict[str, Any] = {"n_estimators": 8, "num_leaves": 6, "min_child_samples": 5, "verbose": -1, "n_jobs": 1}
ZEROS = np.where(np.abs(X) < 0.3, 0.0, GAPS)
CODES = np.column_stack([X[:, 0], np.random.default_rng(2).integers(0, 40, len(X))])
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("sample", [X, GAPS, ZEROS], ids=["whole", "gaps", "zeros"])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"zero_as_missing": True},
        {"use_missing": False},
        {"boosting_type": "rf", "subsample": 0.7, "subsample_freq": 1},
        {"boosting_type": "dart"},
        {"objective": "regression_l1"},
        {"objective": "huber"},
        {"objective": "quantile", "alpha": 0.3},
        {"extra_trees": True},
        {"linear_tree": True},
    ],
    ids=str,
)
def test_regressors_have_the_same_bits(sample: Any, parameters: Any) -> None:
    """Every treatment of zeros and missing values."""
    model = lightgbm.LGBMRegressor(**COMMON, **parameters).fit(sample, NUMBER)
    assert levels(twin_of(model, sample)) == {"predict": "bit"}


@pytest.mark.parametrize(
    "parameters",
    [{"objective": "poisson"}, {"objective": "gamma"}, {"objective": "tweedie"}, {"reg_sqrt": True}],
    ids=str,
)
def test_links(parameters: Any) -> None:
    """Through Exp, or squared."""
    model = lightgbm.LGBMRegressor(**COMMON, **parameters).fit(X, np.exp(NUMBER / 4))
    assert twin_of(model, X).proof.level in ("bit", "ulp")


@pytest.mark.parametrize("target", [YES_NO, THREE, FOUR])
@pytest.mark.parametrize("objective", [None, "multiclassova", "cross_entropy"])
def test_classifiers(target: Any, objective: Any) -> None:
    """Two classes or more."""
    if (objective == "multiclassova" and target is YES_NO) or (objective == "cross_entropy" and target is not YES_NO):
        pytest.skip("the other number of classes")
    model = lightgbm.LGBMClassifier(**COMMON, objective=objective).fit(GAPS, target)
    assert levels(twin_of(model, GAPS))["predict"] == "bit"


def test_a_random_forest_of_classes() -> None:
    """Its decision is the sum of the trees, its probabilities come of their mean."""
    model = lightgbm.LGBMClassifier(**COMMON, boosting_type="rf", subsample=0.7, subsample_freq=1).fit(GAPS, THREE)
    found = levels(twin_of(model, GAPS))
    assert (found["predict"], found["decision_function"]) == ("bit", "bit")


def _squares(target: Any, scores: Any) -> tuple[Any, Any]:
    """An objective of the user's own: the gradient and the curvature of squared errors."""
    wanted = target if scores.ndim == 1 else target[:, np.newaxis] == np.arange(scores.shape[1])
    return scores - wanted, np.ones_like(scores)


@pytest.mark.parametrize("target", [YES_NO, THREE])
def test_an_objective_of_ones_own(target: Any) -> None:
    """Every method of a classifier answers scores then."""
    twin = twin_of(lightgbm.LGBMClassifier(**COMMON, objective=_squares).fit(GAPS, target), GAPS)
    assert levels(twin) == {"predict": "bit", "predict_proba": "bit", "decision_function": "bit"}
    assert levels(twin_of(lightgbm.LGBMRegressor(**COMMON, objective=_squares).fit(X, NUMBER), X)) == {"predict": "bit"}


def test_linear_leaves_of_classes() -> None:
    """A number of each class; beside categories, which no leaf multiplies."""
    model = lightgbm.LGBMClassifier(**COMMON, linear_tree=True).fit(CODES, THREE, categorical_feature=[1])
    assert levels(twin_of(model, CODES))["decision_function"] == "bit"


def test_thresholds_that_json_cannot_hold() -> None:
    """It has 1e300 in their place."""
    model = lightgbm.LGBMRegressor(**COMMON).fit(X * 1e300, NUMBER)
    assert levels(twin_of(model, X * 1e300)) == {"predict": "bit"}


def test_names_with_blanks() -> None:
    """LightGBM says underscores, and takes the columns by their place."""
    frame = pd.DataFrame(X, columns=["a b", "c", "d  e", "f", "g_h"])
    twin = twin_of(lightgbm.LGBMRegressor(**COMMON).fit(frame, NUMBER), frame)
    assert levels(twin) == {"predict": "bit"}
    assert [feature.name for feature in twin.manifest.inputs] == list(frame.columns)


def test_categories_that_are_codes() -> None:
    """As sets; what lies between codes, below them and beyond them."""
    model = lightgbm.LGBMClassifier(**COMMON, min_data_per_group=3, cat_smooth=1.0)
    model.fit(CODES, BINARY ^ (CODES[:, 1] % 3 == 0), categorical_feature=[1])
    assert any("||" in str(tree) for tree in model.booster_.dump_model()["tree_info"])
    assert levels(twin_of(model, CODES))["predict"] == "bit"


def test_categories_of_pandas() -> None:
    """Strings and numbers that are categories, gaps among them, whatever their order in the sample; an unseen one is
    missing, as in LightGBM."""
    frame = categories()
    target = (frame.a > 0) ^ (frame.c == "p") ^ (frame.d == 7)
    model = lightgbm.LGBMClassifier(**COMMON, min_data_per_group=3, cat_smooth=1.0).fit(frame, target)
    assert any("==" in str(tree) for tree in model.booster_.dump_model()["tree_info"])
    frame["c"] = frame.c.cat.reorder_categories(["s", "r", "q", "p"])
    twin = twin_of(model, frame)
    assert levels(twin)["predict"] == "bit"
    assert [feature.kind for feature in twin.manifest.inputs] == ["number", "category", "category"]
    assert all(feature.unknown for feature in twin.manifest.inputs)


def test_a_ranker_and_a_pipeline() -> None:
    """Scores of a ranker; scalers and imputers fold."""
    ranker = lightgbm.LGBMRanker(**COMMON).fit(X, FOUR // 10, group=[30] * 5)
    assert levels(twin_of(ranker, X)) == {"predict": "bit"}
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), lightgbm.LGBMRegressor(**COMMON)).fit(GAPS, NUMBER)
    twin = twin_of(pipeline, GAPS)
    assert levels(twin) == {"predict": "bit"}
    assert twin.scope.folded
