"""Transforms that are iterations: topics, sparse codes."""

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import (
    DictionaryLearning,
    LatentDirichletAllocation,
    MiniBatchDictionaryLearning,
    SparseCoder,
)
from sklearn.exceptions import ConvergenceWarning

from convert import UnsupportedError

from .twins import levels, twin_of

RNG = np.random.default_rng(17)
X = RNG.normal(size=(30, 6))
COUNTS = RNG.poisson(2.0, size=(30, 5)).astype(float)
ATOMS = RNG.normal(size=(8, 6))
ATOMS /= np.linalg.norm(ATOMS, axis=1, keepdims=True)
EXACT = ("bit", "ulp")


@pytest.mark.parametrize(
    "options", [{"mean_change_tol": 0.01}, {"doc_topic_prior": 0.5, "max_doc_update_iter": 7}], ids=str
)
@pytest.mark.parametrize("learning", ["batch", "online"])
def test_topics(options: Any, learning: Any) -> None:
    model = LatentDirichletAllocation(3, random_state=0, learning_method=learning, max_iter=3, **options)
    assert levels(twin_of(model.fit(COUNTS), COUNTS))["transform"] in EXACT


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"transform_algorithm": "omp"},
        {"transform_algorithm": "omp", "transform_n_nonzero_coefs": 3},
        {"transform_algorithm": "threshold", "transform_alpha": 0.3},
        {"transform_algorithm": "threshold", "positive_code": True},
    ],
    ids=str,
)
def test_sparse_codes(options: Any, split: bool) -> None:
    model = SparseCoder(ATOMS, split_sign=split, **options)
    assert levels(twin_of(model.fit(X), X))["transform"] in EXACT


@pytest.mark.parametrize("make", [DictionaryLearning, MiniBatchDictionaryLearning])
def test_learnt_dictionaries(make: Any) -> None:
    model = make(5, random_state=0, max_iter=5, transform_algorithm="omp").fit(X)
    assert levels(twin_of(model, X))["transform"] in EXACT


@pytest.mark.parametrize("algorithm", ["lars", "lasso_lars", "lasso_cd"])
@pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}")
def test_inner_solvers_are_refused(algorithm: Any) -> None:
    with pytest.raises(UnsupportedError, match="'omp' or 'threshold'"):
        twin_of(SparseCoder(ATOMS, transform_algorithm=algorithm).fit(X), X)
