"""Label propagation: new rows take the labels of the training rows that are near."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.semi_supervised import LabelPropagation, LabelSpreading
from spox import Var

from . import lower, lowers
from .callables import gram
from .distances import constant, ordered_sum, row_sum
from .kernels import pairwise_kernel
from .labels import Labels, argmax
from .matrix import Matrix
from .nearest import nearest


@lowers(LabelPropagation, LabelSpreading, method="predict_proba")
def propagated_probabilities(model: Any, x: Matrix) -> Var:
    distributions = np.asarray(model.label_distributions_, np.float64)
    if model.kernel == "knn":
        _, places = nearest(model.nn_fit, x, model.n_neighbors)
        total = ordered_sum(op.gather(constant(distributions), places, axis=0))
    else:
        if callable(model.kernel):  # scikit-learn gives it the training rows first
            kernel = gram(model.kernel, x.tensor, model.X_, points_first=True)
        else:
            kernel = pairwise_kernel(x, model.X_, model.kernel, {"gamma": model.gamma})
        total = op.matmul(kernel, constant(distributions))
    norm = op.reshape(row_sum(total, distributions.shape[1]), op.const(np.array([-1, 1])))
    return op.div(total, norm)


@lowers(LabelPropagation, LabelSpreading, method="predict")
def propagated_labels(model: Any, x: Matrix) -> Labels:
    probabilities = lower(model, "predict_proba", x)
    # Far from all training rows every kernel is zero, and every probability NaN: the first class, as NumPy's argmax.
    known = op.where(op.isnan(probabilities), constant(0), probabilities)
    return argmax(known, model.classes_)
