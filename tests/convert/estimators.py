"""Every estimator of scikit-learn that answers for new rows, at its defaults, fitted on a small sample it likes."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.discovery import all_estimators

from convert.lower import METHODS

ROWS = 120
RNG = np.random.default_rng(11)
X = RNG.normal(size=(ROWS, 5))
CLASSES = np.array(["low", "middle", "high"])[np.digitize(X[:, 0] + 0.5 * X[:, 1], [-0.5, 0.5])]
PAIRS = np.column_stack([CLASSES, CLASSES[::-1]])
BINARY = (X[:, 0] > 0).astype(int)
NUMBER = X @ np.array([1.0, -2.0, 0.5, 0.0, 3.0]) + RNG.normal(scale=0.1, size=ROWS)
SEVERAL = np.column_stack([NUMBER, -NUMBER + X[:, 1]])
LABELS = np.column_stack([BINARY, (X[:, 2] > 0).astype(int)])
COUNTS = RNG.poisson(3.0, size=(ROWS, 5)).astype(float)
WORDS = [" ".join(RNG.choice(["red", "green", "blue", "Grün", "naïve", "it's", "a"], 6)) for _ in range(ROWS)]

ARGUMENTS: dict[str, dict[str, Any]] = {
    "ClassifierChain": {"estimator": LogisticRegression()},
    "ColumnTransformer": {"transformers": [("s", StandardScaler(), [0, 1])]},
    "FeatureUnion": {"transformer_list": [("s", StandardScaler()), ("p", PCA(2))]},
    "FixedThresholdClassifier": {"estimator": LogisticRegression(), "threshold": 0.3},
    "GridSearchCV": {"estimator": Ridge(), "param_grid": {"alpha": [0.1, 1.0]}},
    "LocalOutlierFactor": {"novelty": True},
    "MultiOutputClassifier": {"estimator": LogisticRegression()},
    "MultiOutputRegressor": {"estimator": Ridge()},
    "OneVsOneClassifier": {"estimator": LogisticRegression()},
    "OneVsRestClassifier": {"estimator": LogisticRegression()},
    "OutputCodeClassifier": {"estimator": LogisticRegression(), "random_state": 0},
    "Pipeline": {"steps": [("s", StandardScaler()), ("r", Ridge())]},
    "RANSACRegressor": {"random_state": 0},
    "RFE": {"estimator": LinearRegression()},
    "RFECV": {"estimator": LinearRegression()},
    "RandomizedSearchCV": {"estimator": Ridge(), "param_distributions": {"alpha": [0.1, 1.0]}, "n_iter": 2},
    "RegressorChain": {"estimator": Ridge()},
    "SelectFromModel": {"estimator": LinearRegression()},
    "SelfTrainingClassifier": {"estimator": LogisticRegression()},
    "SequentialFeatureSelector": {"estimator": LinearRegression(), "n_features_to_select": 2},
    "SparseCoder": {"dictionary": RNG.normal(size=(3, 5)) / 2},
    "StackingClassifier": {"estimators": [("l", LogisticRegression()), ("t", DecisionTreeClassifier(max_depth=3))]},
    "StackingRegressor": {"estimators": [("l", LinearRegression()), ("r", Ridge(10.0))]},
    "TunedThresholdClassifierCV": {"estimator": LogisticRegression()},
    "VotingClassifier": {"estimators": [("l", LogisticRegression()), ("t", DecisionTreeClassifier(max_depth=3))]},
    "VotingRegressor": {"estimators": [("l", LinearRegression()), ("r", Ridge(10.0))]},
    "TransformedTargetRegressor": {"regressor": Ridge(), "transformer": StandardScaler()},
    "RadiusNeighborsClassifier": {"radius": 5.0},
    "RadiusNeighborsRegressor": {"radius": 5.0},
    "RadiusNeighborsTransformer": {"radius": 5.0},
    "SpectralBiclustering": {},
    "MLPClassifier": {"max_iter": 20},
    "MLPRegressor": {"max_iter": 20},
    "SelectFdr": {"alpha": 0.9},
    "SelectFpr": {"alpha": 0.9},
    "SelectFwe": {"alpha": 0.99},
    "GaussianRandomProjection": {"n_components": 3},
    "SparseRandomProjection": {"n_components": 3},
    "GenericUnivariateSelect": {"mode": "k_best", "param": 2},
    "SelectKBest": {"k": 2},
    "SelectPercentile": {"percentile": 50},
    "HashingVectorizer": {"n_features": 64},
    "FeatureHasher": {"n_features": 16},
    "PatchExtractor": {"patch_size": (1, 1)},
    "FrozenEstimator": {"estimator": Ridge().fit(X, NUMBER)},
}
TARGETS: dict[str, Any] = {
    **dict.fromkeys(("ClassifierChain", "MultiOutputClassifier"), LABELS),
    **dict.fromkeys(
        (
            "MultiOutputRegressor",
            "RegressorChain",
            "MultiTaskElasticNet",
            "MultiTaskElasticNetCV",
            "MultiTaskLasso",
            "MultiTaskLassoCV",
            "CCA",
            "PLSCanonical",
            "PLSRegression",
            "PLSSVD",
        ),
        SEVERAL,
    ),
    **dict.fromkeys(("GammaRegressor", "PoissonRegressor", "TweedieRegressor"), np.abs(NUMBER) + 0.1),
    **dict.fromkeys(("FixedThresholdClassifier", "TunedThresholdClassifierCV"), BINARY),
    "NeighborhoodComponentsAnalysis": CLASSES,
    "SelfTrainingClassifier": np.where(np.arange(ROWS) % 4 == 0, -1, BINARY),
    "LabelPropagation": np.where(np.arange(ROWS) % 4 == 0, -1, BINARY),
    "LabelSpreading": np.where(np.arange(ROWS) % 4 == 0, -1, BINARY),
}
SAMPLES: dict[str, Any] = {
    **dict.fromkeys(
        (
            "MultinomialNB",
            "ComplementNB",
            "CategoricalNB",
            "NMF",
            "MiniBatchNMF",
            "LatentDirichletAllocation",
            "AdditiveChi2Sampler",
            "TfidfTransformer",
        ),
        COUNTS,
    ),
    **dict.fromkeys(("SkewedChi2Sampler", "BernoulliRBM"), np.abs(X)),
    **dict.fromkeys(("CountVectorizer", "TfidfVectorizer", "HashingVectorizer"), WORDS),
    "IsotonicRegression": X[:, :1],
    "KernelCenterer": X[:5] @ X[:5].T,
    "DictVectorizer": [{"a": row[0], "b": row[1]} for row in X.tolist()],
    "FeatureHasher": [{"a": row[0], "b": row[1]} for row in X.tolist()],
}
NO_TARGET = ("LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer")
NAN_ALLOWED = ("SimpleImputer", "KNNImputer", "IterativeImputer", "MissingIndicator")


def cases() -> Iterator[tuple[str, BaseEstimator, Any]]:
    """(name, fitted estimator, sample) for every estimator with an inference method; the estimator is None where it
    answers only for the rows it was fitted on."""
    for name, cls in all_estimators():
        if not any(hasattr(cls, method) for method in METHODS):
            continue
        yield name, *fitted(name, cls)


def fitted(name: str, cls: type) -> tuple[Any, Any]:
    """The estimator at its defaults and its sample."""
    arguments = dict(ARGUMENTS.get(name, {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # what is deprecated converts as long as it is there
        estimator = cls(**arguments)
    parameters = estimator.get_params(deep=False)
    if "random_state" in parameters and parameters["random_state"] is None:
        estimator.set_params(random_state=0)
    for size in ("n_estimators", "n_components"):
        if size in parameters and parameters[size] in (100, 256):
            estimator.set_params(**{size: 10 if size == "n_estimators" else 3})
    sample = SAMPLES.get(name, X)
    if name in NAN_ALLOWED:
        sample = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in NO_TARGET:
            if name == "MultiLabelBinarizer":
                return estimator.fit(PAIRS), PAIRS
            return estimator.fit(CLASSES), pd.DataFrame({"label": CLASSES})
        kind = getattr(estimator, "_estimator_type", None) or _kind(estimator)
        target = TARGETS.get(name, CLASSES if kind == "classifier" else NUMBER)
        if name in ("KernelCenterer", "IsotonicRegression"):
            target = NUMBER[: len(sample)]
        estimator.fit(sample, target[: len(sample)])
    return estimator, sample


def _kind(estimator: Any) -> str | None:
    from sklearn.utils import get_tags

    kind: str | None = get_tags(estimator).estimator_type
    return kind


__all__ = ["cases", "fitted"]
