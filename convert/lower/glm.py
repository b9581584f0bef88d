"""Generalised linear models: the inverse of a link over a linear predictor."""

from typing import Any

from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor
from spox import Var

from . import lowers
from .labels import scalar
from .linear import linear
from .links import inverse_link
from .matrix import Matrix


@lowers(PoissonRegressor, GammaRegressor, TweedieRegressor, method="predict")
def generalised_linear(model: Any, x: Matrix) -> Var:
    return inverse_link(model._base_loss.link, scalar(linear(x, model.coef_, model.intercept_)))
