"""IterativeImputer beside its twin."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.neighbors import KNeighborsRegressor

from convert.errors import UnsupportedError

from .samples import GAPS
from .twins import levels, model_of, twin_of

EMPTY = np.column_stack([GAPS[:, :3], np.full(len(GAPS), np.nan)])


@pytest.mark.filterwarnings("ignore:.*Early stopping", "ignore:Skipping features")
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"max_iter": 0},
        {"estimator": KNeighborsRegressor(3), "add_indicator": True},
        {"min_value": -0.5, "max_value": [0.5, 1, 2, 3, 0.4], "skip_complete": True},
        {"imputation_order": "random", "n_nearest_features": 2, "initial_strategy": "median"},
    ],
    ids=str,
)
def test_parameters(parameters: Any) -> None:
    model_of(twin_of(IterativeImputer(**{"max_iter": 2, "random_state": 0} | parameters).fit(GAPS), GAPS))


@pytest.mark.filterwarnings("ignore:.*Early stopping")
def test_trees_in_turn() -> None:
    imputer = IterativeImputer(RandomForestRegressor(3, max_depth=4, random_state=0), max_iter=2, random_state=0)
    assert levels(twin_of(imputer.fit(GAPS), GAPS)) == {"transform": "bit"}


@pytest.mark.filterwarnings("ignore:.*Early stopping", "ignore:Skipping features")
@pytest.mark.parametrize("keep", [True, False])
def test_a_column_of_gaps(keep: bool) -> None:
    imputer = IterativeImputer(max_iter=2, keep_empty_features=keep, random_state=0).fit(EMPTY)
    assert model_of(twin_of(imputer, EMPTY)).transform(EMPTY).shape[1] == 3 + keep


@pytest.mark.filterwarnings("ignore:.*Early stopping")
def test_another_marker() -> None:
    data = np.where(np.isnan(GAPS), -1.0, GAPS)
    twin_of(IterativeImputer(missing_values=-1, max_iter=2, random_state=0).fit(data), data)


def test_a_row_of_gaps_is_filled_as_among_others() -> None:
    imputer = IterativeImputer(max_iter=3, random_state=0, tol=0.5).fit(GAPS)
    alone = np.full((1, GAPS.shape[1]), np.nan)
    among = imputer.transform(np.concatenate([alone, GAPS]))[:1]
    np.testing.assert_allclose(model_of(twin_of(imputer, GAPS)).transform(alone), among, rtol=1e-12)


@pytest.mark.filterwarnings("ignore:.*Early stopping")
def test_draws_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="sample_posterior=False, found True"):
        twin_of(IterativeImputer(sample_posterior=True, random_state=0, max_iter=2).fit(GAPS), GAPS)
