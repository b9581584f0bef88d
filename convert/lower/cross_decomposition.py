"""Partial least squares and canonical correlation."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression
from spox import Var

from . import lowers
from .distances import constant
from .labels import scalar
from .matrix import Matrix


@lowers(CCA, PLSCanonical, PLSRegression, method="predict")
def pls_prediction(model: Any, x: Matrix) -> Var:
    centred = op.sub(x.tensor, constant(model._x_mean))
    prediction = op.add(op.matmul(centred, constant(model.coef_.T)), constant(np.atleast_1d(model.intercept_)))
    return scalar(prediction) if model._predict_1d else prediction


@lowers(CCA, PLSCanonical, PLSRegression, PLSSVD, method="transform")
def pls_scores(model: Any, x: Matrix) -> Matrix:
    scaled = op.div(op.sub(x.tensor, constant(model._x_mean)), constant(model._x_std))
    rotations = model.x_weights_ if isinstance(model, PLSSVD) else model.x_rotations_
    return x.new(op.matmul(scaled, constant(rotations)))
