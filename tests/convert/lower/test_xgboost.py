"""XGBoost beside its twin; where it is installed."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from convert.errors import UnsupportedError
from tests.convert.lower.samples import (
    BINARY,
    FOUR,
    GAPS,
    MULTI_LABEL,
    NUMBER,
    THREE,
    TWO_NUMBERS,
    YES_NO,
    X,
    categories,
)
from tests.convert.lower.twins import levels, model_of, twin_of

xgboost = pytest.importorskip("xgboost")
COMMON: dict[str, Any] = {"n_estimators": 8, "max_depth": 3, "n_jobs": 1}
CODES = np.column_stack([X[:, 0], np.random.default_rng(2).integers(0, 20, len(X))])


@pytest.mark.parametrize("sample", [X, GAPS], ids=["whole", "gaps"])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"num_parallel_tree": 3, "subsample": 0.8},
        {"grow_policy": "lossguide", "max_leaves": 5},
        {"objective": "reg:absoluteerror"},
        {"objective": "reg:quantileerror", "quantile_alpha": 0.3},
        {"base_score": 0.5},
        {"booster": "dart", "rate_drop": 0.5},
    ],
    ids=str,
)
def test_regressors_have_the_same_bits(sample: Any, parameters: Any) -> None:
    """Added in float32, from the base score on."""
    model = xgboost.XGBRegressor(**COMMON, **parameters).fit(sample, NUMBER)
    assert levels(twin_of(model, sample)) == {"predict": "bit"}


@pytest.mark.parametrize("objective", ["count:poisson", "reg:gamma", "reg:tweedie"])
def test_exponentials_have_the_same_bits(objective: Any) -> None:
    """The C library's expf."""
    model = xgboost.XGBRegressor(**COMMON, objective=objective).fit(X, np.exp(NUMBER / 4))
    assert levels(twin_of(model, X)) == {"predict": "bit"}


@pytest.mark.parametrize("target", [BINARY, FOUR // 10], ids=["two", "four"])
@pytest.mark.parametrize("kind", ["XGBClassifier", "XGBRFClassifier"])
def test_classifiers_have_the_same_bits(target: Any, kind: str) -> None:
    """Sigmoid and softmax in float32."""
    model = getattr(xgboost, kind)(**COMMON).fit(GAPS, target)
    assert levels(twin_of(model, GAPS)) == {"predict": "bit", "predict_proba": "bit"}


def test_several_labels() -> None:
    """A tree for each; the labels are float64."""
    model = xgboost.XGBClassifier(**COMMON).fit(GAPS, MULTI_LABEL)
    twin = twin_of(model, GAPS)
    assert levels(twin) == {"predict": "bit", "predict_proba": "bit"}
    assert model_of(twin).predict(GAPS).dtype == model.predict(GAPS).dtype


def test_a_hinge() -> None:
    model = xgboost.XGBClassifier(**COMMON, objective="binary:hinge").fit(GAPS, BINARY)
    assert levels(twin_of(model, GAPS)) == {"predict": "bit", "predict_proba": "bit"}


def test_several_targets_and_rankers() -> None:
    """A tree for each target; scores of a ranker."""
    assert levels(twin_of(xgboost.XGBRegressor(**COMMON).fit(X, TWO_NUMBERS), X)) == {"predict": "bit"}
    ranker = xgboost.XGBRanker(**COMMON).fit(X, FOUR // 10, qid=np.repeat(np.arange(5), 30))
    assert levels(twin_of(ranker, X)) == {"predict": "bit"}


LINEAR: dict[str, Any] = {"n_estimators": 8, "booster": "gblinear", "n_jobs": 1}
TARGETS = {"XGBRegressor": TWO_NUMBERS, "XGBClassifier": FOUR // 10}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize(
    "parameters",
    [
        LINEAR,
        {**COMMON, "multi_strategy": "multi_output_tree"},
        {**COMMON, "booster": "dart", "rate_drop": 0.5},
    ],
    ids=["products", "vectors", "dropout"],
)
def test_boosters_of_several_targets(kind: str, parameters: Any) -> None:
    """Products and vectors are added in float32 too; overflowing scores of products have a probability."""
    model = getattr(xgboost, kind)(**parameters).fit(GAPS, TARGETS[kind])
    assert set(levels(twin_of(model, GAPS)).values()) == {"bit"}


@pytest.mark.parametrize("booster", ["gbtree", "gblinear"])
@pytest.mark.parametrize("missing", [0, 1.1])
def test_a_number_that_is_missing(booster: str, missing: float) -> None:
    """Compared in float32; NaN is missing beside it."""
    sample = np.where(np.abs(X) < 0.3, missing, GAPS)
    model = xgboost.XGBRegressor(n_estimators=8, booster=booster, missing=missing, n_jobs=1).fit(sample, NUMBER)
    assert levels(twin_of(model, sample)) == {"predict": "bit"}


@pytest.mark.parametrize("classes", [4, 9])
def test_softmax_of_labels(classes: int) -> None:
    """Labels are int32, and probabilities SciPy's of the scores, in float32."""
    model = xgboost.XGBClassifier(**COMMON, objective="multi:softmax").fit(GAPS, np.arange(len(X)) % classes)
    twin = twin_of(model, GAPS)
    assert levels(twin) == {"predict": "bit", "predict_proba": "bit"}
    assert model_of(twin).predict(GAPS).dtype == model.predict(GAPS).dtype == np.int32


def test_failures_after_a_time() -> None:
    """survival:aft is trained without the scikit-learn interface, whose models load it."""
    rows = xgboost.DMatrix(GAPS, label_lower_bound=np.exp(NUMBER), label_upper_bound=2 * np.exp(NUMBER))
    model = xgboost.XGBRegressor()
    model.load_model(xgboost.train({"objective": "survival:aft"}, rows, 4).save_raw())
    assert levels(twin_of(model, GAPS)) == {"predict": "bit"}


@pytest.mark.parametrize("size", [4, 50])
def test_categories_that_are_codes(size: int) -> None:
    """One against the rest, and sets."""
    model = xgboost.XGBRegressor(**COMMON, feature_types=["q", "c"], enable_categorical=True, max_cat_to_onehot=size)
    model.fit(CODES, NUMBER + 5 * (CODES[:, 1] % 3))
    assert levels(twin_of(model, CODES)) == {"predict": "bit"}


@pytest.mark.parametrize("size", [2, 50])
def test_categories_of_pandas(size: int) -> None:
    """Strings and numbers that are categories, gaps among them, whatever their order in the sample; an unseen one is
    refused, as XGBoost refuses it."""
    frame = categories()
    target = 5.0 * (frame.c == "p") - 3.0 * (frame.d == 7) + frame.a
    model = xgboost.XGBRegressor(**COMMON, enable_categorical=True, max_cat_to_onehot=size).fit(frame, target)
    frame["c"] = frame.c.cat.reorder_categories(["s", "r", "q", "p"])
    twin = twin_of(model, frame)
    assert levels(twin) == {"predict": "bit"}
    assert [feature.kind for feature in twin.manifest.inputs] == ["number", "category", "category"]
    assert not any(feature.unknown for feature in twin.manifest.inputs if feature.kind == "category")


@pytest.mark.skipif(int(xgboost.__version__.split(".")[1]) >= 4, reason="names are whole")
def test_categories_that_xgboost_cuts_are_refused() -> None:
    """Of a name it keeps as many bytes as it has letters."""
    frame = categories().assign(c=lambda frame: frame.c.cat.rename_categories(["å", "b", "c", "d"]))
    model = xgboost.XGBRegressor(**COMMON, enable_categorical=True).fit(frame, frame.a)
    with pytest.raises(UnsupportedError, match="categories named in ASCII"):
        twin_of(model, frame)


def test_codes_that_are_missing_are_refused() -> None:
    """XGBoost compares them with the places of pandas' categories."""
    frame = categories()
    model = xgboost.XGBRegressor(**COMMON, enable_categorical=True, missing=0).fit(frame, frame.a)
    with pytest.raises(UnsupportedError, match="missing categories that are NaN"):
        twin_of(model, frame)


ENCODED = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore"), ["word"]), remainder="passthrough", sparse_threshold=1.0
)
WORDS = pd.DataFrame(X[:, :3], columns=["a", "b", "c"]).assign(word=THREE)


@pytest.mark.parametrize("booster", ["gbtree", "gblinear"])
def test_zeros_of_sparse_rows_are_missing(booster: str) -> None:
    """What is not stored is not there; a one-hot column is a category test all the same."""
    sample = WORDS.assign(b=np.where(WORDS.b > 0.5, 0.0, WORDS.b))
    model = xgboost.XGBRegressor(n_estimators=8, booster=booster, n_jobs=1)
    twin = twin_of(make_pipeline(ENCODED, model).fit(sample, NUMBER + 2 * (sample.word == "low")), sample)
    assert levels(twin) == {"predict": "bit"}


def test_terms_of_a_text_are_stored_or_missing() -> None:
    texts = [f"{one} {other}" for one, other in zip(THREE, YES_NO, strict=True)]
    model = make_pipeline(TfidfVectorizer(), xgboost.XGBRegressor(**COMMON)).fit(texts, NUMBER)
    assert levels(twin_of(model, texts)) == {"predict": "bit"}


def _classifier(**parameters: Any) -> Any:
    return xgboost.XGBClassifier(**COMMON, **parameters)


def _regressor(**parameters: Any) -> Any:
    return xgboost.XGBRegressor(**COMMON, **parameters)


TWO_CLASSIFIERS = [("a", _classifier()), ("b", _classifier(max_leaves=3))]
TWO_REGRESSORS = [("a", _regressor()), ("b", _regressor(max_leaves=3))]


@pytest.mark.parametrize(
    "model",
    [
        VotingClassifier(TWO_CLASSIFIERS, voting="soft"),
        OneVsRestClassifier(_classifier()),
        StackingClassifier(TWO_CLASSIFIERS, DecisionTreeClassifier(max_depth=3, random_state=0), cv=2),
    ],
    ids=["voting", "one against the rest", "stacking"],
)
def test_classifiers_that_add_up_in_float32(model: Any) -> None:
    """What all of its members answer in float32 scikit-learn adds and divides in float32."""
    assert set(levels(twin_of(model.fit(X, FOUR // 10), X)).values()) == {"bit"}


@pytest.mark.parametrize(
    "model",
    [VotingRegressor(TWO_REGRESSORS), BaggingRegressor(_regressor(), n_estimators=3, random_state=0)],
    ids=["voting", "bagging"],
)
def test_regressors_that_add_up_in_float32(model: Any) -> None:
    assert set(levels(twin_of(model.fit(X, NUMBER), X)).values()) == {"bit"}


@pytest.mark.parametrize("more", [{}, {"passthrough": True}])
def test_a_linear_end_of_a_stack(more: Any) -> None:
    """Given float32 alone it computes in float32, by the processor's BLAS; beside the rows' own float64 it does not."""
    stack = StackingRegressor(TWO_REGRESSORS, Ridge(), cv=2, **more).fit(X, NUMBER)
    if more:
        assert twin_of(stack, X).proof.level == "ulp"
        return
    with pytest.raises(UnsupportedError, match=r"final estimator that computes in float64, found Ridge.*passthrough"):
        twin_of(stack, X)


def test_a_temperature_of_float32_is_refused() -> None:
    model = CalibratedClassifierCV(_classifier(), method="temperature", cv=2).fit(X, BINARY)
    with pytest.raises(UnsupportedError, match="expected scores in float64, found XGBClassifier's"):
        twin_of(model, X)


@pytest.mark.parametrize("widened", [False, True])
def test_a_target_in_float32(widened: bool) -> None:
    """Its inverse is computed in float32, unless a step before makes float64 of it."""
    steps = [StandardScaler(), *([FunctionTransformer(inverse_func=np.float64, check_inverse=False)] * widened)]
    model = TransformedTargetRegressor(_regressor(), transformer=make_pipeline(*steps)).fit(X, NUMBER)
    if widened:
        assert levels(twin_of(model, X)) == {"predict": "bit"}
        return
    with pytest.raises(UnsupportedError, match=r"transformer_: expected a target in float64.*FunctionTransformer"):
        twin_of(model, X)


def test_early_stopping_and_a_pipeline() -> None:
    """Trees after the best iteration are not asked; scalers and imputers fold."""
    stopped = xgboost.XGBRegressor(n_estimators=60, max_depth=5, early_stopping_rounds=2, n_jobs=1)
    stopped.fit(X[:100], NUMBER[:100], eval_set=[(X[100:], NUMBER[100:])], verbose=False)
    assert levels(twin_of(stopped, X)) == {"predict": "bit"}
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), xgboost.XGBRegressor(**COMMON)).fit(GAPS, NUMBER)
    twin = twin_of(pipeline, GAPS)
    assert levels(twin) == {"predict": "bit"}
    assert twin.scope.folded
