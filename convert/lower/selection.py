"""Feature selection: the columns that were chosen, with all that is known of them."""

import warnings
from typing import Any

from sklearn.feature_selection import RFE, SelectorMixin

from . import METHODS, lower, lowers
from .matrix import Matrix


@lowers(SelectorMixin, method="transform")
def selector(chooser: Any, x: Matrix) -> Matrix:
    """Every selector: by variance, by a test, by a model's weights, one after the other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scores that are not numbers
        return x.select(chooser.get_support(indices=True))


def _answered(method: str) -> None:
    @lowers(RFE, method=method)
    def by_the_rest(model: RFE, x: Matrix) -> Any:
        """The estimator that was trained on the columns that were left."""
        return lower(model.estimator_, method, lower(model, "transform", x), ".estimator_")


for _method in METHODS:
    if _method != "transform":
        _answered(_method)
