"""QuantileTransformer beside its twin."""

import numpy as np
import pytest
from scipy import special as scipy_special
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from .samples import GAPS, THREE, X
from .twins import levels, model_of, twin_of

TIES = np.column_stack([np.round(X[:, 0]), np.round(X[:, 1], 1), np.ones(len(X)), X[:, 2]])


@pytest.mark.parametrize("data", [X, GAPS, TIES], ids=["plain", "missing", "ties"])
@pytest.mark.parametrize("count", [2, 17, 150])
@pytest.mark.parametrize("output", ["uniform", "normal"])
def test_distributions(output: str, count: int, data: np.ndarray) -> None:
    """Equal quantiles answer the middle of their references."""
    transformer = QuantileTransformer(n_quantiles=count, output_distribution=output, random_state=0).fit(data)
    assert levels(twin_of(transformer, data))["transform"] in (("bit",) if output == "uniform" else ("bit", "ulp"))


def test_the_inverse_normal_distribution_over_its_whole_range() -> None:
    """Uniform in, so that the output is the inverse itself; beyond its bounds it is cut off."""
    uniform = np.sort(np.concatenate([np.linspace(0, 1, 200), np.logspace(-9, -1, 50), 1 - np.logspace(-9, -1, 50)]))
    transformer = QuantileTransformer(n_quantiles=300, output_distribution="normal").fit(uniform[:, np.newaxis])
    transformer.references_ = transformer.quantiles_[:, 0]
    twin = twin_of(transformer, uniform[:, np.newaxis])
    found = model_of(twin).transform(uniform[:, np.newaxis])[:, 0]
    inner = (uniform > 2e-7) & (uniform < 1 - 2e-7)
    assert np.abs(found - scipy_special.ndtri(uniform))[inner].max() < 1e-9


def test_before_a_forest() -> None:
    pipeline = make_pipeline(QuantileTransformer(n_quantiles=40), RandomForestClassifier(5, random_state=0))
    assert levels(twin_of(pipeline.fit(X, THREE), X))["predict_proba"] == "bit"
