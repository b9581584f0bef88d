"""NumPy's functions that are no ufuncs, on arrays of any rank (``shaped``): along every axis but the request's rows."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from .arrays import clip, rounded
from .distances import constant, row_sum
from .hooks import ROWS, Untraceable, unused
from .shaped import SHAPED, Shaped, alike, axes_of, lifted, shaped, together, without
from .ufuncs import UFUNCS, numeric


def _reduced(x: Shaped, axis: Any, keepdims: Any, reduce: Callable[[Var, int, int], Var]) -> Shaped:
    """Axis after axis, the last one first.

    reduce: of a tensor, one of its axes, and how long this is; the axis is kept as one of length 1.
    """
    axes, tensor, shape = axes_of(x, axis), numeric(x.tensor), list(x.shape)
    for place in sorted(axes, reverse=True):
        tensor = reduce(tensor, x.hidden + place, shape[place])
        shape[place] = 1
    found = x.like(tensor, tuple(shape))
    return found if keepdims is True else without(found, axes)


def _added(tensor: Var, axis: int, extent: int) -> Var:
    """In NumPy's order: pairwise along the last axis, else one after the other."""
    shape = [known if isinstance(known, int) else -1 for known in tensor.unwrap_tensor().shape or ()]
    if axis < len(shape) - 1 or not extent:
        return op.reduce_sum(tensor, op.const([axis]), keepdims=1)
    shape[axis] = 1
    return op.reshape(row_sum(op.reshape(tensor, op.const([-1, extent])), extent), op.const([*shape]))


@shaped(np.sum)
def total(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Shaped:
    unused(rest)
    return _reduced(x, axis, keepdims, _added)


def _count(x: Shaped, axis: Any) -> float:
    return float(np.prod([x.shape[place] for place in axes_of(x, axis)]))


@shaped(np.mean)
def mean(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Any:
    return total(x, axis, keepdims, **rest) / _count(x, axis)


@shaped(np.average)
def average(x: Any, axis: Any = None, weights: Any = None, **rest: Any) -> Any:
    if weights is None:
        return mean(x, axis, **rest)
    unused(rest)
    return total(x * weights, axis) / np.sum(weights, axis=None if np.ndim(weights) == 1 else axis)


@shaped(np.var)
def variance(x: Any, axis: Any = None, keepdims: Any = False, ddof: Any = 0, **rest: Any) -> Any:
    off = x - mean(x, axis, True, **rest)
    return total(off * off, axis, keepdims) / (_count(x, axis) - ddof)


@shaped(np.std)
def deviation(x: Any, axis: Any = None, keepdims: Any = False, ddof: Any = 0, **rest: Any) -> Any:
    return np.sqrt(variance(x, axis, keepdims, ddof, **rest))


@shaped(np.nansum)
def total_of_known(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Any:
    return total(np.where(np.isnan(x), 0.0, x), axis, keepdims, **rest)


@shaped(np.nanmean)
def mean_of_known(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Any:
    return total_of_known(x, axis, keepdims, **rest) / total(~np.isnan(x), axis, keepdims)


@shaped(np.count_nonzero)
def count(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return total(x.astype(bool), axis, keepdims)


@shaped(np.prod)
def product(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Shaped:
    unused(rest)
    return _reduced(x, axis, keepdims, lambda tensor, place, _: op.reduce_prod(tensor, op.const([place]), keepdims=1))


def _largest(tensor: Var, axis: int, _: int) -> Var:
    """NaN where there is any, as NumPy answers."""
    unknown = op.isnan(tensor)
    some = op.reduce_max(op.cast(unknown, to=np.int64), op.const([axis]), keepdims=1)
    known = op.reduce_max(op.where(unknown, constant(-np.inf), tensor), op.const([axis]), keepdims=1)
    return op.where(op.greater(some, op.const(np.int64(0))), constant(np.nan), known)


@shaped(np.max, np.amax)
def largest(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Shaped:
    unused(rest)
    return _reduced(x, axis, keepdims, _largest)


@shaped(np.min, np.amin)
def smallest(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Any:
    return -largest(-x, axis, keepdims, **rest)


@shaped(np.any)
def some(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Any:
    return largest(x.astype(bool), axis, keepdims, **rest).astype(bool)


@shaped(np.all)
def every(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Any:
    return ~some(~x.astype(bool), axis, keepdims, **rest)


@shaped(np.cumsum)
def running(x: Shaped, axis: Any = None, **rest: Any) -> Shaped:
    unused(rest)
    (place,) = axes_of(x, 0 if axis is None and x.ndim == 1 else axis)
    return x.like(op.cumsum(numeric(x.tensor), op.const(np.int64(x.hidden + place))), x.shape)


@shaped(np.diff)
def differences(x: Any, n: int = 1, axis: Any = -1, **rest: Any) -> Any:
    unused(rest)
    (place,) = axes_of(x, axis)
    for _ in range(n):
        later, sooner = ([slice(None)] * place + [part] for part in (slice(1, None), slice(x.shape[place] - 1)))
        x = x[tuple(later)] - x[tuple(sooner)]
    return x


@shaped(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    if axis is None and (x.ndim > 1 or keepdims):
        raise Untraceable("it takes the norm of a matrix: use axis=")
    if ord is None or (ord == 2 and isinstance(axis, int | None)):
        if axis is None:
            return np.sqrt(np.dot(x, x))
        return np.sqrt(total(x * x, axis, keepdims))
    size = np.abs(x)
    if ord == np.inf:
        return largest(size, axis, keepdims)
    if ord == -np.inf:
        return smallest(size, axis, keepdims)
    if ord == 0:
        return total(x != 0, axis, keepdims)
    return total(size, axis, keepdims) if ord == 1 else total(size**ord, axis, keepdims) ** (1 / ord)


@shaped(np.where)
def where(condition: Any, *choices: Any) -> Shaped:
    if len(choices) != 2:
        raise Untraceable("it asks which numbers")
    model = next(one for one in (condition, *choices) if isinstance(one, Shaped))
    (truth, *values), shape = together([lifted(one, model) for one in (condition, *choices)])
    truth = UFUNCS["logical_or"](truth, truth)
    return model.like(op.where(truth, *map(numeric, values)), shape)


shaped(np.clip)(clip)
shaped(np.round, np.around)(rounded)


@shaped(np.stack)
def stack(parts: Any, axis: int = 0, **rest: Any) -> Shaped:
    unused(rest)
    model = next(one for one in parts if isinstance(one, Shaped))
    given = [lifted(one, model) for one in parts]
    tensors, shape = together(given)
    if any(not alike(one.shape, shape) for one in given):
        raise Untraceable("it stacks arrays of unlike shapes")
    place = axis % (len(shape) + 1)
    # All of the same pairs, for what one side alone makes is shorter along them.
    every_pair = op.isnan(reduce(op.add, map(numeric, tensors)))
    at = op.const(np.array([model.hidden + place]))
    wide = [op.unsqueeze(op.where(every_pair, one, one), at) for one in map(numeric, tensors)]
    return model.like(op.concat(wide, axis=model.hidden + place), (*shape[:place], len(parts), *shape[place:]))


@shaped(np.transpose)
def transpose(x: Shaped, axes: Any = None) -> Shaped:
    return x.transpose() if axes is None else x.transpose(axes)


@shaped(np.swapaxes)
def swapaxes(x: Shaped, axis1: int, axis2: int) -> Shaped:
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return x.transpose(order)


@shaped(np.reshape)
def reshape(x: Shaped, shape: Any, **_: Any) -> Shaped:
    return x.reshape(shape)


@shaped(np.ravel)
def ravel(x: Shaped, *_: Any, **__: Any) -> Shaped:
    return x.reshape(-1)


@shaped(np.squeeze)
def squeeze(x: Shaped, axis: Any = None) -> Shaped:
    given = range(x.ndim) if axis is None else axes_of(x, axis)
    axes = [place for place in given if x.shape[place] is not ROWS and x.shape[place] == 1]
    found = without(x, axes)
    return x.view(found.tensor, found.shape)


@shaped(np.expand_dims)
def expand_dims(x: Shaped, axis: Any) -> Shaped:
    if not isinstance(axis, int):
        raise Untraceable("it adds several dimensions at once")
    return x[(*[slice(None)] * (axis % (x.ndim + 1)), None)]


@shaped(np.atleast_1d)
def one_dimensional(x: Shaped) -> Shaped:
    return x if x.ndim else x[None]


@shaped(np.atleast_2d)
def two_dimensional(x: Shaped) -> Shaped:
    return x if x.ndim > 1 else one_dimensional(x)[None]


@shaped(np.take)
def take(x: Shaped, indices: Any, axis: Any = None, **rest: Any) -> Any:
    unused(rest)
    (place,) = axes_of(x, 0 if axis is None and x.ndim == 1 else axis)
    return copy(x[(*[slice(None)] * place, indices)])


@shaped(np.copy, np.real)
def copy(x: Shaped, *_: Any, **__: Any) -> Shaped:
    return x.like(x.tensor, x.shape)


SHAPED[np.ndim] = lambda x: x.ndim
SHAPED[np.shape] = lambda x: x.shape
SHAPED[np.size] = lambda x: x.size
SHAPED[np.iscomplexobj] = lambda x: False
SHAPED[np.isrealobj] = lambda x: True


def _filled(value: float) -> Callable[..., Any]:
    def filled(x: Shaped, *_: Any, **__: Any) -> Shaped:
        none = op.equal(numeric(x.tensor), constant(np.nan))  # nothing is
        return x.like(op.add(op.cast(none, to=np.float64), constant(value)), x.shape)

    return filled


SHAPED[np.zeros_like] = _filled(0.0)
SHAPED[np.ones_like] = _filled(1.0)
