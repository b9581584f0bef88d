"""Estimators with parameters that end a pipeline, and meta-estimators around them."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestCentroid
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, QuantileTransformer, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

__all__ = ["TARGETS", "models"]

Strategy = st.SearchStrategy[Any]
SOLVED = st.just(100_000)
"""Steps of a support vector machine: of numbers of very different sizes it would never be done otherwise."""

TARGETS = {
    "classifier": ("yes or no", "three", "integers", "bools", "floats"),
    "regressor": ("number", "positive"),
    "labels": ("labels",),
    "numbers": ("two numbers",),
    "none": (None,),
}
"""What each kind of model is fitted to."""

seed = st.just(0)
depths = st.sampled_from([1, 3, None])
kernels = st.sampled_from(["linear", "poly", "rbf", "sigmoid"])


def trees(classifier: bool) -> Strategy:
    tree, extra = (
        (DecisionTreeClassifier, ExtraTreeClassifier) if classifier else (DecisionTreeRegressor, ExtraTreeRegressor)
    )
    return st.builds(tree, max_depth=depths, min_samples_leaf=st.sampled_from([1, 4]), random_state=seed) | st.builds(
        extra, max_depth=depths, random_state=seed
    )


def plain_classifiers() -> Strategy:
    """None of them holds another."""
    return st.one_of(
        st.builds(LogisticRegression, C=st.sampled_from([1.0, 100.0]), fit_intercept=st.booleans()),
        trees(True),
        st.builds(RandomForestClassifier, st.just(4), max_depth=depths, bootstrap=st.booleans(), random_state=seed),
        st.builds(ExtraTreesClassifier, st.just(4), max_depth=depths, random_state=seed),
        st.builds(
            GradientBoostingClassifier,
            n_estimators=st.just(3),
            subsample=st.sampled_from([1.0, 0.6]),
            init=st.sampled_from([None, "zero"]),
            random_state=seed,
        ),
        st.builds(
            HistGradientBoostingClassifier,
            max_iter=st.just(3),
            min_samples_leaf=st.sampled_from([2, 20]),
            categorical_features=st.sampled_from(["from_dtype", None]),
            random_state=seed,
        ),
        st.builds(RidgeClassifier),
        st.builds(
            SGDClassifier,
            loss=st.sampled_from(["hinge", "log_loss", "modified_huber", "perceptron", "huber"]),
            random_state=seed,
        ),
        st.builds(LinearSVC, random_state=seed),
        st.builds(
            SVC,
            max_iter=SOLVED,
            kernel=kernels,
            decision_function_shape=st.sampled_from(["ovr", "ovo"]),
            break_ties=st.booleans(),
            gamma=st.sampled_from(["scale", "auto"]),
        ),
        st.builds(NuSVC, nu=st.just(0.2), kernel=kernels, max_iter=SOLVED),
        st.builds(
            KNeighborsClassifier,
            n_neighbors=st.sampled_from([1, 3]),
            weights=st.sampled_from(["uniform", "distance"]),
            metric=st.sampled_from(["minkowski", "manhattan", "chebyshev", "cosine"]),
        ),
        st.builds(GaussianNB),
        st.builds(BernoulliNB, binarize=st.sampled_from([0.0, 0.3]), fit_prior=st.booleans()),
        st.builds(LinearDiscriminantAnalysis, st.just("svd") | st.just("lsqr"), shrinkage=st.just(None)),
        st.builds(QuadraticDiscriminantAnalysis, reg_param=st.sampled_from([0.0, 0.5])),
        st.builds(NearestCentroid, metric=st.sampled_from(["euclidean", "manhattan"])),
        st.builds(
            MLPClassifier,
            st.just((4,)),
            activation=st.sampled_from(["relu", "tanh", "logistic", "identity"]),
            max_iter=st.just(20),
            random_state=seed,
        ),
        st.builds(DummyClassifier, strategy=st.sampled_from(["prior", "most_frequent", "uniform"])),
    )


def plain_regressors() -> Strategy:
    """None of them holds another."""
    return st.one_of(
        st.builds(LinearRegression, fit_intercept=st.booleans()),
        trees(False),
        st.builds(Ridge, st.sampled_from([1.0, 50.0])),
        st.builds(RandomForestRegressor, st.just(4), max_depth=depths, random_state=seed),
        st.builds(ExtraTreesRegressor, st.just(4), bootstrap=st.booleans(), random_state=seed),
        st.builds(
            GradientBoostingRegressor,
            loss=st.sampled_from(["squared_error", "absolute_error", "huber", "quantile"]),
            n_estimators=st.just(3),
            init=st.sampled_from([None, "zero"]),
            random_state=seed,
        ),
        st.builds(
            HistGradientBoostingRegressor,
            loss=st.sampled_from(["squared_error", "absolute_error"]),
            max_iter=st.just(3),
            min_samples_leaf=st.sampled_from([2, 20]),
            random_state=seed,
        ),
        st.builds(ElasticNet, st.sampled_from([0.1, 1.0])),
        st.builds(BayesianRidge),
        st.builds(HuberRegressor, max_iter=st.just(500)),
        st.builds(SGDRegressor, random_state=seed),
        st.builds(SVR, kernel=kernels, max_iter=SOLVED),
        st.builds(LinearSVR, random_state=seed),
        st.builds(
            KNeighborsRegressor,
            n_neighbors=st.sampled_from([1, 3]),
            weights=st.sampled_from(["uniform", "distance"]),
            p=st.sampled_from([1, 2, 3]),
        ),
        st.builds(
            MLPRegressor,
            st.just((4,)),
            activation=st.sampled_from(["relu", "tanh"]),
            max_iter=st.just(20),
            random_state=seed,
        ),
        st.builds(DummyRegressor, strategy=st.sampled_from(["mean", "median"])),
    )


def scaled(models: Strategy) -> Strategy:
    """A model, perhaps behind a scaler of its own."""
    return models | st.builds(
        lambda scaler, model: Pipeline([("scale", scaler), ("model", model)]),
        st.sampled_from([StandardScaler(), MinMaxScaler()]),
        models,
    )


def named(models: Strategy) -> Strategy:
    return st.lists(models, min_size=1, max_size=3).map(
        lambda found: [(f"m{index}", model) for index, model in enumerate(found)]
    )


def meta_classifiers(inner: Strategy) -> Strategy:
    inner = scaled(inner)
    return st.one_of(
        st.builds(VotingClassifier, named(inner), voting=st.sampled_from(["hard", "soft"])),
        st.builds(
            StackingClassifier,
            named(inner),
            final_estimator=st.none() | inner,
            passthrough=st.booleans(),
            stack_method=st.sampled_from(["auto", "predict"]),
            cv=st.just(2),
        ),
        st.builds(
            BaggingClassifier,
            inner,
            n_estimators=st.just(3),
            max_features=st.sampled_from([1.0, 0.6]),
            bootstrap_features=st.booleans(),
            random_state=seed,
        ),
        st.builds(AdaBoostClassifier, trees(True), n_estimators=st.just(3), random_state=seed),
        st.builds(OneVsRestClassifier, inner),
        st.builds(OneVsOneClassifier, inner),
        st.builds(OutputCodeClassifier, inner, random_state=seed),
        st.builds(
            CalibratedClassifierCV,
            inner,
            method=st.sampled_from(["sigmoid", "isotonic", "temperature"]),
            cv=st.just(2),
            ensemble=st.booleans(),
        ),
        st.builds(FixedThresholdClassifier, inner, threshold=st.sampled_from(["auto", 0.3])),
        st.builds(lambda model: GridSearchCV(model, {}, cv=2), inner),
    )


def meta_regressors(inner: Strategy) -> Strategy:
    inner = scaled(inner)
    return st.one_of(
        st.builds(VotingRegressor, named(inner)),
        st.builds(
            StackingRegressor,
            named(inner),
            final_estimator=st.none() | inner,
            passthrough=st.booleans(),
            cv=st.just(2),
        ),
        st.builds(
            BaggingRegressor,
            inner,
            n_estimators=st.just(3),
            max_features=st.sampled_from([1.0, 0.6]),
            random_state=seed,
        ),
        st.builds(
            AdaBoostRegressor,
            trees(False),
            n_estimators=st.just(3),
            loss=st.sampled_from(["linear", "square", "exponential"]),
            random_state=seed,
        ),
        st.builds(
            TransformedTargetRegressor,
            inner,
            transformer=st.sampled_from(
                [
                    StandardScaler(),
                    MinMaxScaler(),
                    QuantileTransformer(n_quantiles=5),
                    FunctionTransformer(np.cbrt, np.square),
                ]
            ),
            check_inverse=st.just(False),
        ),
        st.builds(lambda model: GridSearchCV(model, {}, cv=2), inner),
    )


def models(kind: str) -> Strategy:
    """Models of a kind of TARGETS, nested up to two deep."""
    if kind == "classifier":
        plain = plain_classifiers()
        return plain | meta_classifiers(plain | meta_classifiers(plain))
    if kind == "regressor":
        plain = plain_regressors() | st.builds(
            TweedieRegressor, power=st.sampled_from([0, 1, 1.5]), max_iter=st.just(300)
        )
        return plain | meta_regressors(plain | meta_regressors(plain)) | st.builds(PoissonRegressor)
    if kind == "labels":
        inner = scaled(plain_classifiers())
        return st.one_of(
            trees(True),
            st.builds(RandomForestClassifier, st.just(4), max_depth=depths, random_state=seed),
            st.builds(KNeighborsClassifier, st.sampled_from([1, 3])),
            st.builds(MultiOutputClassifier, inner),
            st.builds(ClassifierChain, inner, order=st.sampled_from([None, [1, 0]]), random_state=seed),
            st.builds(OneVsRestClassifier, inner),
            st.builds(MLPClassifier, st.just((4,)), max_iter=st.just(20), random_state=seed),
        )
    if kind == "numbers":
        inner = scaled(plain_regressors())
        return st.one_of(
            trees(False),
            st.builds(LinearRegression),
            st.builds(RandomForestRegressor, st.just(4), random_state=seed),
            st.builds(KNeighborsRegressor, st.sampled_from([1, 3])),
            st.builds(MultiOutputRegressor, inner),
            st.builds(RegressorChain, inner, order=st.sampled_from([None, [1, 0]]), random_state=seed),
            st.builds(MLPRegressor, st.just((4,)), max_iter=st.just(20), random_state=seed),
        )
    return st.one_of(
        st.just("passthrough"),
        st.builds(IsolationForest, n_estimators=st.just(5), random_state=seed),
        st.builds(KMeans, st.just(3), n_init=st.just(1), random_state=seed),
        st.builds(MiniBatchKMeans, st.just(2), n_init=st.just(1), random_state=seed),
        st.builds(
            GaussianMixture,
            st.just(2),
            covariance_type=st.sampled_from(["full", "tied", "diag", "spherical"]),
            random_state=seed,
        ),
        st.builds(OneClassSVM, kernel=kernels, max_iter=SOLVED),
    )
