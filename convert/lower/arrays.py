"""NumPy's functions that are no ufuncs, on traced arrays (NEP 18): along a row, never across rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from .distances import row_sum
from .hooks import FUNCTIONS, Untraceable, function, unused
from .labels import scalar
from .matrix import concat
from .places import places
from .quantile import interpolated
from .traced import Traced, lift
from .ufuncs import TRUTHS, UFUNCS, numeric

AXIS = np.array([1])


def first(*given: Any) -> Traced:
    """Of the arguments a traced one, of the most dimensions."""
    found = [one for one in given if isinstance(one, Traced)]
    return max(found, key=lambda one: one.ndim)


def _across(x: Any, axis: Any, rest: dict[str, Any], *known: str) -> Traced:
    """The array, if it is to be reduced along its rows."""
    unused(rest, *known)
    if not isinstance(x, Traced) or x.flat or axis not in (1, -1, (1,), (-1,)):
        raise Untraceable("it reduces over rows, so that a row's answer would depend on the others: use axis=1")
    return x


def _reduced(x: Traced, values: Var, keepdims: Any) -> Traced:
    """values: [N, 1]."""
    if keepdims is True:
        return Traced(values, x.scope)
    return Traced(scalar(values), x.scope, flat=True, names=None if x.names is None else [None])


def _upright(tensor: Var) -> Var:
    return op.unsqueeze(tensor, op.const(AXIS))


def _sum(x: Traced) -> Var:
    return _upright(row_sum(numeric(x.tensor), x.width))


@function(np.sum)
def total(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Traced:
    x = _across(x, axis, rest)
    return _reduced(x, _sum(x), keepdims)


@function(np.mean)
def mean(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Traced:
    x = _across(x, axis, rest)
    return _reduced(x, op.div(_sum(x), op.const(np.float64(x.width))), keepdims)


@function(np.nansum)
def total_of_known(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Traced:
    return total(filled(_across(x, axis, rest), 0.0), axis, keepdims)


@function(np.nanmean)
def mean_of_known(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Traced:
    x = _across(x, axis, rest)
    known = op.cast(op.not_(op.isnan(numeric(x.tensor))), to=np.float64)
    count = op.reduce_sum(known, op.const(AXIS), keepdims=1)
    return _reduced(x, op.div(_sum(filled(x, 0.0)), count), keepdims)


def filled(x: Traced, value: Any) -> Traced:
    """The array with a number in place of what is missing."""
    tensor = numeric(x.tensor)
    return x.like(op.where(op.isnan(tensor), lift(value), tensor))


@function(np.var)
def variance(x: Any, axis: Any = None, keepdims: Any = False, ddof: Any = 0, **rest: Any) -> Traced:
    x = _across(x, axis, rest)
    off = op.sub(numeric(x.tensor), op.div(_sum(x), op.const(np.float64(x.width))))
    squares = _upright(row_sum(op.mul(off, off), x.width))
    return _reduced(x, op.div(squares, op.const(np.float64(x.width - ddof))), keepdims)


@function(np.std)
def deviation(x: Any, axis: Any = None, keepdims: Any = False, ddof: Any = 0, **rest: Any) -> Traced:
    found = variance(x, axis, keepdims, ddof, **rest)
    return found.like(op.sqrt(found.tensor))


def _folded(name: str, x: Traced) -> Var:
    """Column after column."""
    columns = op.split(x.tensor, num_outputs=x.width, axis=1) if x.width > 1 else (x.tensor,)
    value = columns[0] if name not in TRUTHS else UFUNCS[name](columns[0], columns[0])
    for column in columns[1:]:
        value = UFUNCS[name](value, column)
    return value


def _fold(name: str, *numpys: Any) -> None:
    @function(*numpys)
    def fold(x: Any, axis: Any = None, keepdims: Any = False, **rest: Any) -> Traced:
        x = _across(x, axis, rest, "out")
        return _reduced(x, _folded(name, x), keepdims)


for _name, _numpys in {
    "maximum": (np.max, np.amax),
    "minimum": (np.min, np.amin),
    "fmax": (np.nanmax,),
    "fmin": (np.nanmin,),
    "multiply": (np.prod,),
    "logical_and": (np.all,),
    "logical_or": (np.any,),
}.items():
    _fold(_name, *_numpys)


@function(np.cumsum)
def running(x: Any, axis: Any = None, **rest: Any) -> Traced:
    rows = _across(x, axis, rest)
    return rows.like(op.cumsum(numeric(rows.tensor), op.const(np.int64(1))))


@function(np.diff)
def differences(x: Any, n: int = 1, axis: Any = -1, **rest: Any) -> Traced:
    rows = _across(x, axis, rest)
    for _ in range(n):
        less = rows.width - 1
        rows = Traced(op.sub(rows[:, 1:].tensor, rows[:, :less].tensor), rows.scope)
    return rows


@function(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Traced:
    x = _across(x, axis, {})
    if ord not in (None, 2, 1, np.inf):
        raise Untraceable(f"it uses ord={ord}")
    sizes = op.abs(numeric(x.tensor))
    if ord == np.inf:
        return _reduced(x, _folded("maximum", x.like(sizes)), keepdims)
    terms = sizes if ord == 1 else op.mul(sizes, sizes)
    added = _upright(row_sum(terms, x.width))
    return _reduced(x, added if ord == 1 else op.sqrt(added), keepdims)


@function(np.where)
def where(condition: Any, *choices: Any) -> Traced:
    if len(choices) != 2:
        raise Untraceable("it asks which rows")
    model = first(condition, *choices)
    _same_rank(model, condition, *choices)
    truth = UFUNCS["logical_or"](lift(condition), op.const(np.bool_(False)))
    return model.like(op.where(truth, numeric(lift(choices[0])), numeric(lift(choices[1]))))


def _same_rank(model: Traced, *given: Any) -> None:
    if any(one.ndim != model.ndim for one in given if isinstance(one, Traced)):
        raise Untraceable("it mixes one and two dimensions, say x[:, 0] with x: keep x[:, [0]]")


@function(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    result = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = where(condition, choice, result)
    return result


@function(np.clip)
def clip(x: Any, a_min: Any = None, a_max: Any = None, **rest: Any) -> Any:
    low = rest.pop("min", a_min)
    high = rest.pop("max", a_max)
    if any(value is not None for value in rest.values()):
        raise Untraceable("it clips into another array")
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


@function(np.round, np.around)
def rounded(x: Any, decimals: int = 0, out: Any = None) -> Any:
    if decimals == 0:
        return np.rint(x)
    factor = 10.0 ** abs(decimals)
    return np.rint(x * factor) / factor if decimals > 0 else np.rint(x / factor) * factor


@function(np.nan_to_num)
def nan_to_num(x: Traced, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Traced:
    largest = np.finfo(np.float64).max
    tensor = filled(x, nan).tensor
    high, low = (largest if posinf is None else posinf), (-largest if neginf is None else neginf)
    tensor = op.where(op.equal(tensor, op.const(np.inf)), op.const(np.float64(high)), tensor)
    return x.like(op.where(op.equal(tensor, op.const(-np.inf)), op.const(np.float64(low)), tensor))


@function(np.isin)
def isin(x: Traced, values: Any, **rest: Any) -> Traced:
    if rest or isinstance(values, Traced):
        raise Untraceable("it looks for numbers of the request")
    known = np.asarray(list(values) if isinstance(values, set) else values, np.float64).ravel()
    equal = op.equal(op.unsqueeze(numeric(x.tensor), op.const([-1])), op.const(known))
    hits = op.reduce_max(op.cast(equal, to=np.float64), op.const([-1]), keepdims=0)
    return x.like(op.cast(hits, to=np.bool_))


@function(np.column_stack)
def beside(parts: Sequence[Any]) -> Traced:
    return _joined(parts)


def _joined(parts: Sequence[Any]) -> Traced:
    if not all(isinstance(part, Traced) for part in parts):
        raise Untraceable("it joins columns with numbers that have rows of their own")
    names = [name for part in parts for name in part.names or ()]
    named = all(part.names is not None and not part.flat for part in parts)
    return Traced(concat([part.matrix for part in parts]), parts[0].scope, names=names if named else None)


@function(np.hstack)
def horizontal(parts: Sequence[Any], **rest: Any) -> Traced:
    return concatenate(parts, axis=1)


@function(np.concatenate)
def concatenate(parts: Sequence[Any], axis: Any = 0, **rest: Any) -> Traced:
    if axis not in (1, -1) or any(isinstance(part, Traced) and part.flat for part in parts):
        raise Untraceable("it adds rows")
    return _joined(parts)


@function(np.stack)
def stack(parts: Sequence[Any], axis: Any = 0, **rest: Any) -> Traced:
    if axis not in (1, -1) or not all(isinstance(part, Traced) and part.flat for part in parts):
        raise Untraceable("it adds rows or a third dimension: use numpy.column_stack")
    return _joined(parts)


@function(np.expand_dims)
def expand_dims(x: Traced, axis: Any) -> Traced:
    if not x.flat or axis not in (1, -1):
        raise Untraceable("it makes three dimensions")
    return x.reshape(-1, 1)


@function(np.squeeze, np.ravel)
def flat(x: Traced, axis: Any = None, **rest: Any) -> Traced:
    return x.reshape(-1)


@function(np.reshape)
def reshape(x: Traced, shape: Any, **rest: Any) -> Traced:
    return x.reshape(shape)


@function(np.take)
def take(x: Traced, indices: Any, axis: Any = None, **rest: Any) -> Traced:
    return _across(x, axis, rest)[:, indices]


@function(np.delete)
def delete(x: Traced, obj: Any, axis: Any = None) -> Traced:
    x = _across(x, axis, {})
    return x[:, np.delete(np.arange(x.width), obj).tolist()]


FUNCTIONS[np.ndim] = lambda x: x.ndim
FUNCTIONS[np.shape] = lambda x: x.shape


@function(np.copy, np.real)
def copy(x: Traced, *_: Any, **__: Any) -> Traced:
    return x.copy()


def _constant_like(*numpys: Any, value: float | None) -> None:
    @function(*numpys)
    def constant_like(x: Traced, *given: Any, **rest: Any) -> Traced:
        number = given[0] if value is None else value
        none = op.equal(numeric(x.tensor), op.const(np.float64(np.nan)))  # nothing is
        return x.like(op.add(op.cast(none, to=np.float64), op.const(np.float64(number))))


_constant_like(np.zeros_like, value=0.0)
_constant_like(np.ones_like, value=1.0)
_constant_like(np.full_like, value=None)


@function(np.searchsorted)
def searchsorted(a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Traced:
    if isinstance(a, Traced) or sorter is not None:
        raise Untraceable("it searches among the request's own numbers")
    x = v.matrix
    found = places(x, [np.asarray(a, np.float64)] * x.width, [side] * x.width)
    return _shaped(v, op.cast(found, to=np.float64))


@function(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Traced:
    bins = np.asarray(bins, np.float64)
    if len(bins) > 1 and bins[0] > bins[-1]:
        raise Untraceable("its bins fall")
    return searchsorted(bins, x, "left" if right else "right")


@function(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Traced:
    if isinstance(xp, Traced) or isinstance(fp, Traced) or any(one is not None for one in (left, right, period)):
        raise Untraceable("it interpolates among the request's own numbers, or with left=, right= or period=")
    matrix, starts = x.matrix, np.asarray(xp, np.float64)
    found = places(matrix, [starts] * matrix.width, ["right"] * matrix.width)
    tiled = np.tile(starts, (matrix.width, 1))
    return _shaped(x, interpolated(matrix.tensor, found, tiled, np.asarray(fp, np.float64)))


def _shaped(model: Traced, tensor: Var) -> Traced:
    """[N, k] as the model is."""
    return model.like(scalar(tensor) if model.flat else tensor)


@function(np.dot)
def dot(a: Any, b: Any, **rest: Any) -> Any:
    return a @ b if np.ndim(b) else a * b
