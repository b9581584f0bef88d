"""Random projections."""

from typing import Any

import spox.opset.ai.onnx.v21 as op
from scipy.sparse import issparse
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from . import lowers
from .distances import constant
from .matrix import Matrix


@lowers(GaussianRandomProjection, SparseRandomProjection, method="transform")
def random_projection(model: Any, x: Matrix) -> Matrix:
    components = model.components_.toarray() if issparse(model.components_) else model.components_
    return x.new(op.matmul(x.tensor, constant(components.T)))
