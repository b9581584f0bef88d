"""IsolationForest, EllipticEnvelope."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from convert.errors import ParityError
from convert.lower.distances import constant

from .twins import levels, twin_of

RNG = np.random.default_rng(7)
X = RNG.normal(size=(150, 5)) @ RNG.normal(size=(5, 5))
METHODS = ("predict", "decision_function", "score_samples")


@pytest.mark.parametrize(
    "model",
    [
        IsolationForest(n_estimators=20, random_state=0),
        IsolationForest(n_estimators=10, contamination=0.1, random_state=0),
        IsolationForest(n_estimators=10, max_features=2, random_state=0),
        IsolationForest(n_estimators=10, max_features=0.6, bootstrap=True, max_samples=40, random_state=0),
        IsolationForest(n_estimators=3, max_samples=2, random_state=0),
        IsolationForest(n_estimators=3, max_samples=1, random_state=0),
    ],
    ids=repr,
)
def test_isolation_forest(model: Any) -> None:
    found = levels(twin_of(model.fit(X), X))
    # The last step, 2 ** x, is rounded otherwise where NumPy computes it eight numbers at a time.
    assert found.keys() == set(METHODS)
    assert found["predict"] == "bit"


def test_isolation_forest_with_missing_values_and_folded_scaler() -> None:
    gaps = X.copy()
    gaps[RNG.random(X.shape) < 0.1] = np.nan
    pipeline = make_pipeline(StandardScaler(), IsolationForest(n_estimators=10, random_state=0))
    twin = twin_of(pipeline.fit(gaps), gaps)
    assert levels(twin)["predict"] == "bit"
    assert twin.scope.folded


@pytest.mark.parametrize("contamination", [0.05, 0.3])
def test_elliptic_envelope(contamination: float) -> None:
    model = EllipticEnvelope(contamination=contamination, random_state=0)
    assert set(levels(twin_of(model.fit(X), X))) == set(METHODS)


def test_elliptic_envelope_of_one_named_column_and_raw_covariance() -> None:
    frame = pd.DataFrame(X[:, :1], columns=["größe [m]"])
    model = EllipticEnvelope(assume_centered=True, random_state=0)
    assert set(levels(twin_of(model.fit(frame), frame))) == set(METHODS)


def _nearly_following() -> Any:
    return np.column_stack([X, X[:, :2] + 1e-3 * RNG.normal(size=(len(X), 2))])


def test_columns_that_nearly_follow_from_others_are_held_to_their_terms() -> None:
    rows = _nearly_following()
    proof = twin_of(EllipticEnvelope(random_state=0).fit(rows), rows).proof
    assert proof.level == "ulp"
    assert proof.outputs["decision_function"].terms > 1e5


def test_a_wrong_weight_is_found_beside_terms_that_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _nearly_following()

    def wrong(values: Any) -> Any:
        weights = np.array(values, np.float64)
        if weights.ndim == 2:
            weights[0, 0] *= 1 + 1e-12
        return constant(weights)

    monkeypatch.setattr("convert.lower.outliers.constant", wrong)
    with pytest.raises(ParityError):
        twin_of(EllipticEnvelope(random_state=0).fit(rows), rows)


@pytest.mark.filterwarnings("ignore:The covariance matrix", "ignore:Determinant has increased")
def test_more_columns_than_rows_leave_labels_to_rounding() -> None:
    """Each row has the same score then, but for its last bits."""
    rows = RNG.normal(size=(40, 60))
    with pytest.raises(ParityError, match="rounding"):
        twin_of(EllipticEnvelope(random_state=0).fit(rows), rows)
