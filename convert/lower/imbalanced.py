"""imbalanced-learn: its samplers choose rows when a pipeline is fitted, and leave all as they are afterwards."""

from typing import Any

from . import lowers
from .matrix import Matrix


@lowers("imblearn.base.SamplerMixin", method="transform")
def sampler(sampler: Any, x: Matrix) -> Matrix:
    return x
