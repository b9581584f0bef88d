"""What scikit-learn's and SciPy's own functions of two matrices answer where a function that is traced calls them."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from scipy.spatial import distance
from sklearn.gaussian_process.kernels import Kernel
from sklearn.metrics import pairwise
from sklearn.utils import check_array
from spox import Var

from .callables import of_pairs
from .distances import constant, euclidean, squared_euclidean
from .gaussian_process import cross_kernel
from .hooks import ROWS, Untraceable
from .kernels import named_kernel
from .matrix import Matrix
from .metrics import from_reduced, named, reduced_distances
from .rebound import of_instances, stand_in
from .scope import Scope
from .shaped import Shaped

Floats = NDArray[np.float64]


def _stands_for(function: Any) -> Callable[[Callable[..., Var]], Callable[..., Var]]:
    """Register what makes of rows [N, k] and points [n, k], and of the function's other arguments by name, its answer,
    [N, n]."""
    signature = inspect.signature(function)

    def register(make: Callable[..., Var]) -> Callable[..., Var]:
        @stand_in(function)
        def asked(*args: Any, **kwargs: Any) -> Any:
            if not any(isinstance(given, Shaped) for given in args):
                return function(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            first, second, *others = bound.arguments.items()
            rest = {name: value for name, value in others if name not in LEFT_OUT and name != "kwds"}
            return _crossed(first[1], second[1], lambda x, y: make(x, y, **rest, **bound.arguments.get("kwds", {})))

        return make

    return register


LEFT_OUT = {"n_jobs", "dense_output", "ensure_all_finite", "X_norm_squared", "Y_norm_squared", "out"}
"""Arguments that change no answer."""


def _crossed(first: Any, second: Any, make: Callable[[Var, Floats], Var]) -> Shaped:
    if isinstance(second, Shaped) and not isinstance(first, Shaped):
        return _crossed(second, first, make).T
    if second is None or isinstance(second, Shaped):
        one = first.hidden or (second is not None and second.hidden)
        raise Untraceable(
            "it calls scikit-learn's function of matrices with one row each: give the estimator its name"
            if one
            else "it compares the request's rows with each other"
        )
    if first.ndim != 2 or first.shape[0] is not ROWS:
        raise Untraceable("it calls a function of matrices with other ones than it was given")
    points = np.ascontiguousarray(second, np.float64)
    return Shaped(make(first.tensor, points), (ROWS, len(points)), 0)


def _of_kernel(name: str) -> None:
    @_stands_for(pairwise.PAIRWISE_KERNEL_FUNCTIONS[name])
    def kernel(x: Var, points: Floats, **parameters: Any) -> Var:
        return named_kernel(x, points, name, parameters)


for _name in pairwise.PAIRWISE_KERNEL_FUNCTIONS:
    _of_kernel(_name)


@_stands_for(pairwise.pairwise_kernels)
def _kernels(x: Var, points: Floats, metric: Any = "linear", filter_params: bool = False, **parameters: Any) -> Var:
    if callable(metric) and not isinstance(metric, Kernel):
        return of_pairs(metric, x, points, parameters, "kernel", blocks=True)
    return _called(metric, x, points) if isinstance(metric, Kernel) else named_kernel(x, points, metric, parameters)


@_stands_for(pairwise.euclidean_distances)
def _euclidean(x: Var, points: Floats, squared: bool = False) -> Var:
    return (squared_euclidean if squared else euclidean)(x, points.shape[1], points)


@_stands_for(pairwise.manhattan_distances)
def _manhattan(x: Var, points: Floats) -> Var:
    return reduced_distances(x, points, "manhattan", {})


@_stands_for(pairwise.cosine_distances)
def _cosine(x: Var, points: Floats) -> Var:
    distances = op.add(op.mul(named_kernel(x, points, "cosine", {}), constant(-1)), constant(1))
    return op.min([op.max([distances, constant(0)]), constant(2)])


@_stands_for(pairwise.pairwise_distances)
def _distances(x: Var, points: Floats, metric: Any = "euclidean", **parameters: Any) -> Var:
    if metric in ("euclidean", "l2"):
        return euclidean(x, points.shape[1], points)
    return _loops(x, points, metric, parameters)


@stand_in(distance.cdist)
def _cdist(XA: Any, XB: Any, metric: Any = "euclidean", **parameters: Any) -> Any:
    if not isinstance(XA, Shaped) and not isinstance(XB, Shaped):
        return distance.cdist(XA, XB, metric, **parameters)
    return _crossed(XA, XB, lambda x, y: _loops(x, y, metric, parameters))


def _loops(x: Var, points: Floats, metric: Any, parameters: dict[str, Any]) -> Var:
    if callable(metric):
        return of_pairs(metric, x, points, parameters, "metric", blocks=True)
    if metric == "cosine":
        return _cosine(x, points)
    metric, parameters = named(metric, parameters)
    return from_reduced(reduced_distances(x, points, metric, parameters), metric, parameters)


@stand_in(pairwise.check_pairwise_arrays)
def _checked_pair(X: Any, Y: Any = None, **given: Any) -> Any:
    return (X, Y) if isinstance(X, Shaped) or isinstance(Y, Shaped) else pairwise.check_pairwise_arrays(X, Y, **given)


@stand_in(check_array)
def _checked(array: Any, *args: Any, **given: Any) -> Any:
    return array if isinstance(array, Shaped) else check_array(array, *args, **given)


def _called(kernel: Kernel, x: Var, points: Floats) -> Var:
    width = points.shape[1]
    return cross_kernel(kernel, Matrix(Scope(x, (True,) * width), ()).new(x), points)


@of_instances(Kernel)
def _of_processes(kernel: Kernel) -> Callable[..., Any]:
    """A kernel of Gaussian processes, called with two matrices."""

    def asked(first: Any, second: Any = None, *rest: Any) -> Any:
        if not isinstance(first, Shaped) and not isinstance(second, Shaped):
            return kernel(first, second, *rest)
        return _crossed(first, second, lambda x, y: _called(kernel, x, y))

    return asked
