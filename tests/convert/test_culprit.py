"""An error says which step it is."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, DictionaryLearning
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.kernel_approximation import AdditiveChi2Sampler
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler

from convert import ParityError, SampleError, UnsupportedError
from convert.culprit import culprit
from tests.convert.lower.twins import twin_of

RNG = np.random.default_rng(4)
FRAME = pd.DataFrame({"a": RNG.normal(size=40), "b": RNG.normal(size=40), "c": RNG.choice(list("xyz"), 40)})


def pipeline(last: Any = None) -> Any:
    union = FeatureUnion([("min", MinMaxScaler()), ("pca", last or PCA(1))])
    numbers = Pipeline([("std", StandardScaler()), ("both", union)])
    encode = ColumnTransformer([("num", numbers, ["a", "b"]), ("cat", OneHotEncoder(), ["c"])])
    return Pipeline([("prep", encode), ("model", LinearRegression())]).fit(FRAME, FRAME["a"])


@pytest.mark.parametrize(
    ("cls", "path"),
    [
        (StandardScaler, "['prep']['num']['std']"),
        (PCA, "['prep']['num']['both']['pca']"),
        (OneHotEncoder, "['prep']['cat']"),
        (LinearRegression, "['model']"),
        (dict, ""),
    ],
)
def test_the_innermost_step_is_named(cls: type, path: str) -> None:
    def holds(step: Any) -> bool:
        inner = step.get_params(deep=True).values()
        return isinstance(step, cls) or any(isinstance(value, cls) for value in inner)

    assert culprit(pipeline(), FRAME, lambda step, X: holds(step)) == path


def test_a_missing_value_where_scikit_learn_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the first row; the step that raises is named."""
    sample = FRAME.copy()
    sample.loc[7, "b"] = np.nan
    with pytest.raises(SampleError) as caught:
        twin_of(pipeline(), sample)
    assert str(caught.value) == (
        "expected rows that the pipeline takes, found that pipeline['prep']['num']['both']['pca'] raises on the "
        "sample: Input X contains NaN: give rows it was trained on, of the same types, which .parquet keeps and .csv "
        "does not"
    )


def test_a_step_that_takes_float32_alone() -> None:
    sample = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    model = DictionaryLearning(2, max_iter=3, transform_algorithm="lasso_cd", random_state=0).fit(sample)
    with pytest.raises(SampleError, match=r"raises on the sample in it: Buffer dtype mismatch.* fit it on float64"):
        twin_of(model, sample)


@pytest.mark.parametrize("model", [GaussianMixture(2, random_state=0), AdditiveChi2Sampler()], ids=repr)
def test_a_step_that_computes_in_booleans(model: Any) -> None:
    """scikit-learn keeps densities in the type of the rows: among booleans each is True or False."""
    sample = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)) > 0, columns=list("abc"))
    with pytest.raises(ParityError, match=r"it answers booleans otherwise than .* train it on numbers"):
        twin_of(model.fit(sample), sample)
    twin_of(model.fit(sample.astype(float)), sample.astype(float))


@pytest.fixture
def wrong_pca(monkeypatch: pytest.MonkeyPatch) -> None:
    """PCA is lowered to what answers otherwise."""
    import convert.lower.decomposition as decomposition
    from convert.lower import _TABLE

    right = _TABLE[PCA, "transform"]
    assert right.__module__ == decomposition.__name__
    monkeypatch.setitem(_TABLE, (PCA, "transform"), lambda pca, x: right(_nudged(pca), x))


@pytest.mark.usefixtures("wrong_pca")
def test_an_estimator_that_fails_parity_is_named() -> None:
    """Each step by itself is put beside its twin."""
    with pytest.raises(ParityError, match=r"^pipeline\['prep'\]\['num'\]\['both'\]\['pca'\]: expected the twin"):
        twin_of(pipeline(), FRAME)


def reduced() -> Pipeline:
    """A classifier behind PCA."""
    return Pipeline([("prep", FeatureUnion([("pca", PCA(1))])), ("clf", LogisticRegression())])


NUMBERS, CLASSES = FRAME[["a", "b"]], FRAME["a"] > 0
BAGGED = BaggingClassifier(Pipeline([("pca", PCA(1)), ("clf", LogisticRegression())]), 2, max_features=1)
NESTED = [
    (GridSearchCV(reduced(), {"clf__C": [1.0]}, cv=2), ".best_estimator_['prep']['pca']"),
    (
        VotingClassifier([("l", LogisticRegression()), ("p", reduced())], voting="soft"),
        ".estimators_[1]['prep']['pca']",
    ),
    (StackingClassifier([("p", reduced())], cv=2), ".estimators_[0]['prep']['pca']"),
    (StackingClassifier([("l", LogisticRegression())], reduced(), cv=2), ".final_estimator_['prep']['pca']"),
    (CalibratedClassifierCV(reduced(), cv=2), ".calibrated_classifiers_[0].estimator['prep']['pca']"),
    (FixedThresholdClassifier(reduced()), ".estimator_['prep']['pca']"),
    (Pipeline([("s", StandardScaler()), ("bag", BAGGED)]), "['bag'].estimators_[0]['pca']"),
    (
        GridSearchCV(VotingClassifier([("p", reduced())]), {"voting": ["soft"]}, cv=2),
        ".best_estimator_.estimators_[0]['prep']['pca']",
    ),
]


@pytest.mark.usefixtures("wrong_pca")
@pytest.mark.parametrize(("model", "path"), NESTED, ids=[path for _, path in NESTED])
def test_it_is_named_in_what_holds_others(model: Any, path: str) -> None:
    with pytest.raises(ParityError) as caught:
        twin_of(model.fit(NUMBERS, CLASSES), NUMBERS)
    assert str(caught.value).startswith(f"pipeline{path}: expected the twin's answers within")


@pytest.mark.parametrize(("model", "path"), NESTED, ids=[path for _, path in NESTED])
def test_a_missing_value_is_named_in_what_holds_others(model: Any, path: str) -> None:
    """By the first step that raises: a plain member of the vote, and what comes before a final estimator, do so too."""
    sample = NUMBERS.copy()
    sample.loc[7] = np.nan
    with pytest.raises(SampleError) as caught:
        twin_of(model.fit(NUMBERS, CLASSES), sample)
    named = ".estimators_[0]" if path.startswith((".final", ".estimators_[1]")) else path
    assert f"found that pipeline{named} raises on the sample: Input X contains NaN: give rows" in str(caught.value)


def test_members_of_chains_and_forests_are_not_looked_at() -> None:
    """A chain's are given more than it is, a forest's are lowered together."""
    chain = ClassifierChain(LogisticRegression()).fit(NUMBERS, np.column_stack([CLASSES, ~CLASSES]))
    forest = RandomForestClassifier(2).fit(NUMBERS, CLASSES)
    assert culprit(chain, NUMBERS, lambda step, X: True) == ""
    assert culprit(forest, NUMBERS, lambda step, X: True) == ""


def _nudged(pca: PCA) -> PCA:
    import copy

    other = copy.deepcopy(pca)
    other.components_ = pca.components_ * (1 + 1e-9)
    return other


def test_a_lambda_that_cannot_be_traced_is_named() -> None:
    """With what to do instead."""
    sort = FunctionTransformer(lambda X: np.array([sorted(row) for row in np.asarray(X)]))
    with pytest.raises(UnsupportedError) as caught:
        twin_of(pipeline(sort), FRAME)
    assert str(caught.value).startswith(
        "pipeline['prep']['num']['both']['pca']: expected a function that can be traced"
    )


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # of probes far out, to both models
@pytest.mark.parametrize("framed", [False, True])
def test_a_step_that_is_given_float32(framed: bool) -> None:
    """By a function, which is told in the end of the sentence; cast back the pipeline converts."""
    rows = FRAME[["a", "b"]] if framed else FRAME[["a", "b"]].to_numpy()
    narrow, wide = FunctionTransformer(lambda X: X.astype(np.float32)), FunctionTransformer(np.float64)
    with pytest.raises(ParityError, match=r"; pipeline\['standardscaler'\] is given float32 and computes in it"):
        twin_of(make_pipeline(narrow, StandardScaler()).fit(rows), rows)
    assert twin_of(make_pipeline(narrow, wide, StandardScaler()).fit(rows), rows).proof.level == "bit"
