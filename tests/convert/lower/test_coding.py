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
from spox import Var

from convert import ParityError
from convert.lower.lasso import lasso

from .twins import levels, model_of, twin_of

RNG = np.random.default_rng(17)
X = RNG.normal(size=(30, 6))
COUNTS = RNG.poisson(2.0, size=(30, 5)).astype(float)
ATOMS = RNG.normal(size=(8, 6))
ATOMS /= np.linalg.norm(ATOMS, axis=1, keepdims=True)
EXACT = ("bit", "ulp")


@pytest.mark.parametrize(
    "options",
    [
        {"learning_method": "batch", "mean_change_tol": 0.01},
        {"learning_method": "online", "doc_topic_prior": 0.5, "max_doc_update_iter": 7},
    ],
    ids=str,
)
def test_topics(options: Any) -> None:
    model = LatentDirichletAllocation(3, random_state=0, max_iter=3, **options)
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


@pytest.mark.parametrize("algorithm", ["omp", "threshold", "lasso_cd"])
@pytest.mark.parametrize("make", [DictionaryLearning, MiniBatchDictionaryLearning])
def test_learnt_dictionaries(make: Any, algorithm: str) -> None:
    model = make(5, random_state=0, max_iter=5, transform_algorithm=algorithm).fit(X)
    assert levels(twin_of(model, X))["transform"] in EXACT


@pytest.mark.parametrize("atoms", [ATOMS[:4], 3 * ATOMS[:3]], ids=["of length one", "longer"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"transform_alpha": 0.05, "split_sign": True},
        {"transform_alpha": 0.3, "positive_code": True},
        {"transform_alpha": 0.1, "transform_max_iter": 3},
        {"transform_alpha": 0.0},
    ],
    ids=str,
)
@pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}")
def test_lasso_codes(options: Any, atoms: Any) -> None:
    model = SparseCoder(atoms, transform_algorithm="lasso_cd", **options)
    assert levels(twin_of(model.fit(X), X))["transform"] in EXACT


@pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}")
def test_lasso_codes_on_more_atoms_than_features() -> None:
    """Atoms are screened out, and rows settle after another number of sweeps each."""
    rows = np.concatenate([X[:8], np.zeros((1, 6)), 0.1 * X[:1]])
    model = SparseCoder(ATOMS, transform_algorithm="lasso_cd", transform_alpha=0.5, transform_max_iter=40).fit(rows)
    twin = twin_of(model, rows)
    codes = model_of(twin).transform(rows)
    np.testing.assert_allclose(codes, model.transform(rows), rtol=1e-10, atol=1e-13)
    assert not codes[8].any()
    assert 0 < np.count_nonzero(codes[:8]) < codes[:8].size


@pytest.mark.parametrize("sweeps", [1, 2])
@pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}")
def test_after_the_last_sweep_atoms_are_screened_out(sweeps: int) -> None:
    rows = np.concatenate([X, 3 * ATOMS])
    model = SparseCoder(ATOMS, transform_algorithm="lasso_cd", transform_alpha=1.0, transform_max_iter=sweeps).fit(rows)
    assert levels(twin_of(model, rows))["transform"] in EXACT


def test_a_lasso_with_another_penalty_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ten sweeps may round is far from a penalty that is off by one in ten thousand million."""

    def strayed(rows: Var, atoms: Any, penalty: float, sweeps: int, positive: bool) -> tuple[Var, Var]:
        return lasso(rows, atoms, penalty * (1 + 1e-10), sweeps, positive)

    monkeypatch.setattr("convert.lower.coding.lasso", strayed)
    model = SparseCoder(ATOMS[:4], transform_algorithm="lasso_cd", transform_alpha=0.05, transform_max_iter=10).fit(X)
    with pytest.raises(ParityError):
        twin_of(model, X)
