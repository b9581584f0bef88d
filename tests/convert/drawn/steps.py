"""Transformers with parameters: of numbers, of categories, and of tables of both."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from sklearn.cluster import FeatureAgglomeration, KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, FactorAnalysis, TruncatedSVD
from sklearn.ensemble import ExtraTreesClassifier, RandomTreesEmbedding
from sklearn.feature_selection import (
    RFE,
    SelectFromModel,
    SelectKBest,
    SelectPercentile,
    VarianceThreshold,
    f_classif,
    f_regression,
)
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from .dates import of_dates
from .tables import Table

__all__ = ["encoders", "imputers", "numeric", "preparations"]

Strategy = st.SearchStrategy[Any]


def imputers() -> Strategy:
    """Of numbers."""
    simple = st.builds(
        SimpleImputer,
        strategy=st.sampled_from(["mean", "median", "most_frequent", "constant"]),
        add_indicator=st.booleans(),
        keep_empty_features=st.booleans(),
    )
    near = st.builds(
        KNNImputer,
        n_neighbors=st.sampled_from([1, 3]),
        weights=st.sampled_from(["uniform", "distance"]),
        add_indicator=st.booleans(),
    )
    return simple | simple | near


def scalers() -> Strategy:
    """One column at a time."""
    seeds = st.just(0)
    return st.one_of(
        st.builds(StandardScaler, with_mean=st.booleans(), with_std=st.booleans()),
        st.builds(MinMaxScaler, feature_range=st.sampled_from([(0, 1), (-3.0, 0.5)]), clip=st.booleans()),
        st.builds(MaxAbsScaler),
        st.builds(
            RobustScaler,
            with_centering=st.booleans(),
            with_scaling=st.booleans(),
            unit_variance=st.booleans(),
            quantile_range=st.sampled_from([(25.0, 75.0), (10.0, 80.0)]),
        ),
        st.builds(
            QuantileTransformer,
            n_quantiles=st.sampled_from([3, 8]),
            output_distribution=st.sampled_from(["uniform", "normal"]),
            random_state=seeds,
        ),
        st.builds(PowerTransformer, standardize=st.booleans()),
        st.builds(
            KBinsDiscretizer,
            n_bins=st.sampled_from([2, 4]),
            encode=st.sampled_from(["onehot", "ordinal", "onehot-dense"]),
            strategy=st.sampled_from(["uniform", "quantile", "kmeans"]),
            quantile_method=st.just("averaged_inverted_cdf"),
            random_state=seeds,
        ),
        st.builds(Binarizer, threshold=st.sampled_from([0.0, 0.25, 1e20])),
        st.builds(FunctionTransformer, st.sampled_from([None, np.abs, np.sign, np.cbrt, np.tanh, np.sqrt, np.square])),
        st.builds(
            SplineTransformer,
            n_knots=st.sampled_from([2, 4]),
            degree=st.sampled_from([1, 3]),
            knots=st.sampled_from(["uniform", "quantile"]),
            # Not "error": behind a product a row is within the knots or not by a last bit, which the batch decides.
            extrapolation=st.sampled_from(["constant", "linear", "continue", "periodic"]),
            include_bias=st.booleans(),
        ),
    )


def mixers() -> Strategy:
    """Columns become other columns."""
    return st.one_of(
        st.builds(
            PolynomialFeatures,
            degree=st.sampled_from([2, 3, (2, 3)]),
            interaction_only=st.booleans(),
            include_bias=st.booleans(),
        ),
        st.builds(Normalizer, norm=st.sampled_from(["l1", "l2", "max"])),
        st.builds(PCA, n_components=st.sampled_from([None, 1, 0.9]), whiten=st.booleans(), random_state=st.just(0)),
        st.builds(TruncatedSVD, n_components=st.just(1), random_state=st.just(0)),
        st.builds(FactorAnalysis, n_components=st.just(1), max_iter=st.just(20)),
        st.builds(KMeans, n_clusters=st.sampled_from([2, 3]), n_init=st.just(1), random_state=st.just(0)),
        st.builds(FeatureAgglomeration, n_clusters=st.just(1)),
        st.builds(GaussianRandomProjection, n_components=st.just(2), random_state=st.just(0)),
        st.builds(SparseRandomProjection, n_components=st.just(2), random_state=st.just(0)),
        st.builds(RandomTreesEmbedding, n_estimators=st.just(3), max_depth=st.just(2), random_state=st.just(0)),
        st.builds(
            Nystroem,
            kernel=st.sampled_from(["rbf", "poly", "linear", "laplacian"]),
            n_components=st.just(3),
            random_state=st.just(0),
        ),
        st.builds(RBFSampler, n_components=st.just(3), random_state=st.just(0)),
    )


def selectors(classifier: bool) -> Strategy:
    """Some of the columns."""
    score = f_classif if classifier else f_regression
    estimator = ExtraTreesClassifier(3, random_state=0) if classifier else LinearRegression()
    return st.one_of(
        st.builds(VarianceThreshold),
        st.builds(SelectKBest, st.just(score), k=st.sampled_from([1, 2, "all"])),
        st.builds(SelectPercentile, st.just(score), percentile=st.just(60)),
        st.builds(SelectFromModel, st.just(estimator), threshold=st.sampled_from([None, "median"])),
        st.builds(RFE, st.just(estimator), n_features_to_select=st.just(1)),
    )


def numeric(classifier: bool) -> Strategy:
    """Any transformer of numbers that holds no other."""
    return scalers() | mixers() | selectors(classifier)


def encoders(supervised: bool) -> Strategy:
    """Of categories."""
    one_hot = st.builds(
        OneHotEncoder,
        handle_unknown=st.sampled_from(["error", "ignore", "infrequent_if_exist", "warn"]),
        drop=st.sampled_from([None, "first", "if_binary"]),
        min_frequency=st.sampled_from([None, 4]),
        max_categories=st.sampled_from([None, 2]),
        sparse_output=st.booleans(),
    )
    ordinal = st.builds(OrdinalEncoder, min_frequency=st.sampled_from([None, 4])) | st.builds(
        OrdinalEncoder,
        handle_unknown=st.just("use_encoded_value"),
        unknown_value=st.sampled_from([-1, np.nan]),
        encoded_missing_value=st.sampled_from([np.nan, -2]),
    )
    target = st.builds(TargetEncoder, smooth=st.sampled_from(["auto", 2.0]), cv=st.just(2), random_state=st.just(0))
    return st.one_of(one_hot, ordinal, target) if supervised else one_hot | ordinal


def string_imputers() -> Strategy:
    return st.builds(SimpleImputer, strategy=st.just("most_frequent"), add_indicator=st.booleans()) | st.builds(
        SimpleImputer, strategy=st.just("constant"), fill_value=st.just("none")
    )


def named_steps(steps: Sequence[Any]) -> list[tuple[str, Any]]:
    """Steps with the names s0, s1, ..."""
    return [(f"s{index}", step) for index, step in enumerate(steps)]


@st.composite
def of_numbers(draw: st.DrawFn, gaps: bool, classifier: bool, depth: int) -> Any:
    """A transformer of columns of numbers: one, a Pipeline of some, or a FeatureUnion; an imputer leads where
    values are missing."""
    steps = [draw(imputers())] if gaps and draw(st.integers(0, 9)) else []
    if depth and draw(st.integers(0, 3)) == 0:
        members = draw(st.lists(of_numbers(False, classifier, depth - 1) | passing, min_size=1, max_size=3))
        weights = draw(st.sampled_from([None, {"s0": 2.0}, {"s0": -0.1}]))
        steps.append(FeatureUnion(named_steps(members), transformer_weights=weights))
    steps += draw(st.lists(numeric(classifier), min_size=0 if steps else 1, max_size=2))
    return steps[0] if len(steps) == 1 and draw(st.booleans()) else Pipeline(named_steps(steps))


passing = st.sampled_from(["passthrough", "drop"])


@st.composite
def of_categories(draw: st.DrawFn, gaps: bool, supervised: bool) -> Any:
    """An encoder, perhaps behind an imputer, perhaps before a step for numbers."""
    steps = [draw(string_imputers())] if gaps and draw(st.booleans()) else []
    steps.append(draw(encoders(supervised)))
    if draw(st.integers(0, 3)) == 0:
        steps.append(draw(st.builds(StandardScaler, with_mean=st.just(False)) | st.just(VarianceThreshold())))
    return steps[0] if len(steps) == 1 else Pipeline(named_steps(steps))


@st.composite
def preparations(draw: st.DrawFn, table: Table, named: bool, target: str | None) -> Any:
    """What makes numbers without gaps of a table: a ColumnTransformer, or for numbers alone a plain transformer.

    named: whether columns may be chosen by name.
    """
    classifier = target not in (None, "number", "positive", "two numbers")
    words = [place for place, column in enumerate(table.columns) if column.categorical]
    dates = [place for place, column in enumerate(table.columns) if column.dated]
    numbers = [place for place in range(len(table.columns)) if place not in {*words, *dates}]
    gaps = {place for place, column in enumerate(table.columns) if column.gaps}
    whole = of_numbers(bool(gaps), classifier, 2)
    if not words and not dates and draw(st.booleans()):
        return draw(whole)
    parts: list[tuple[str, Any, Any]] = []
    supervised = target in ("yes or no", "three", "number")
    groups = [numbers] if len(numbers) < 2 or draw(st.booleans()) else [numbers[:1], numbers[1:]]
    for group in groups:
        part = draw(of_numbers(not gaps.isdisjoint(group), classifier, 1) if gaps.intersection(group) else whole)
        parts.append((f"numbers{len(parts)}", part, draw(chosen(table, group, named))))
    for group in [words] if draw(st.booleans()) else [[place] for place in words]:
        if group:
            part = draw(of_categories(not gaps.isdisjoint(group), supervised))
            parts.append((f"words{len(parts)}", part, draw(chosen(table, group, named))))
    for place in dates:
        part = draw(of_dates(table.columns[place].kind.startswith("ISO"), supervised))
        parts.append((f"dates{len(parts)}", part, draw(chosen(table, [place], named))))
    parts = list(draw(st.permutations(parts)))
    remainder = "drop"
    if len(parts) > 1 and draw(st.integers(0, 3)) == 0:
        name, part, columns = parts[-1]
        if draw(st.booleans()):
            parts[-1] = (name, "drop", columns)
        else:  # what nobody has chosen
            parts, remainder = parts[:-1], part
    weights = draw(st.sampled_from([None, None, {parts[0][0]: 0.5}]))
    return ColumnTransformer(
        parts, remainder=remainder, sparse_threshold=draw(st.sampled_from([0.3, 0])), transformer_weights=weights
    )


@st.composite
def chosen(draw: st.DrawFn, table: Table, places: list[int], named: bool) -> Any:
    """A way of saying which columns."""
    ways: list[Any] = [places, [place in places for place in range(len(table.columns))]]
    if places and places == list(range(places[0], places[-1] + 1)):
        ways.append(slice(places[0], places[-1] + 1))
    if places:
        ways.append([place - len(table.columns) for place in places])
    if named:
        ways.insert(0, [table.columns[place].name for place in places])
    return draw(st.sampled_from(ways))
