"""An array of any rank whose operations build a graph: what kernels and metrics that are Python functions are given.

Beside ``traced``, which follows whole columns of a request, it knows more dimensions: ``x[:, None] - y[None]``. Of two
rows at a time, as metrics take them, all pairs are followed at once: the axes of the pairs are hidden from the function
and everything is broadcast along them. What it cannot follow, or what would make a row's answer depend on other rows,
raises Untraceable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.lib.mixins import NDArrayOperatorsMixin
from spox import Var

from .hooks import ROWS, Untraceable
from .traced import lift
from .ufuncs import REDUCED, UFUNCS, is_bool, numeric

__all__ = ["SHAPED", "Shaped", "alike", "axes_of", "lifted", "shaped", "together", "without"]

Shape = tuple[Any, ...]
SHAPED: dict[Any, Callable[..., Any]] = {}
"""NumPy's functions that are no ufuncs, by themselves."""


def shaped(*numpys: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register what stands for functions of NumPy's."""

    def register(own: Callable[..., Any]) -> Callable[..., Any]:
        SHAPED.update(dict.fromkeys(numpys, own))
        return own

    return register


class Shaped(NDArrayOperatorsMixin):
    """An array of numbers or of booleans.

    tensor: float64 or bool; the hidden axes first, each as long as it is or 1.
    shape: of the axes that the function sees; one of them may be the request's rows (ROWS).
    given: whether it is what the function was given, or a view of an array, and must not be written to.
    """

    __slots__ = ("given", "hidden", "shape", "tensor")

    def __init__(self, tensor: Var, shape: Shape, hidden: int, *, given: bool = False) -> None:
        if sum(extent is ROWS for extent in shape) > 1:
            raise Untraceable("it compares the request's rows with each other")
        self.tensor = tensor
        self.shape = shape
        self.hidden = hidden
        self.given = given

    def like(self, tensor: Var, shape: Shape) -> Shaped:
        """Other numbers of the same pairs."""
        return Shaped(tensor, shape, self.hidden)

    def view(self, tensor: Var, shape: Shape) -> Shaped:
        """The same numbers otherwise arranged; NumPy would write through it, so that neither may be written to."""
        self.given = True
        return Shaped(tensor, shape, self.hidden, given=True)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(bool if is_bool(self.tensor) else np.float64)

    @property
    def of_rows(self) -> bool:
        """Whether one of the axes is the request's rows."""
        return any(extent is ROWS for extent in self.shape)

    @property
    def size(self) -> int:
        if self.of_rows:
            raise Untraceable("it asks for the number of rows")
        return int(np.prod(self.shape))

    @property
    def T(self) -> Shaped:  # noqa: N802 (NumPy's name)
        return self.transpose()

    def __len__(self) -> int:
        if not self.shape or self.shape[0] is ROWS:
            raise Untraceable("it asks for the number of rows")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Shaped]:
        if not self.shape or self.shape[0] is ROWS:
            raise Untraceable("it goes through rows one by one")
        return (self[place] for place in range(len(self)))

    def __bool__(self) -> bool:
        raise Untraceable("it decides by the numbers' values: use numpy.where")

    def __float__(self) -> float:
        raise Untraceable("it takes single numbers")

    __int__ = __index__ = __float__

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise Untraceable("it wants the numbers themselves")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise Untraceable("it writes into an array: use numpy.where")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", None)
        if method == "reduce" and ufunc in REDUCED:
            return SHAPED[REDUCED[ufunc]](*inputs, **kwargs)
        kwargs = {key: value for key, value in kwargs.items() if key not in ("casting", "order", "subok")}
        if method != "__call__" or ufunc.__name__ not in UFUNCS or kwargs:
            raise Untraceable(f"numpy.{ufunc.__name__} is not known" + (f" with {', '.join(kwargs)}" if kwargs else ""))
        result: Shaped = SHAPED[np.dot](*inputs) if ufunc is np.matmul else _elementwise(ufunc.__name__, inputs)
        if out is None:
            return result
        (target,) = out
        if not isinstance(target, Shaped) or target.given:
            raise Untraceable("it writes into the array that it was given, or into a view of one")
        if not alike(target.shape, result.shape):
            raise Untraceable("it writes an array of another shape into one")
        target.tensor = result.tensor
        return target

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func not in SHAPED:
            raise Untraceable(f"numpy.{func.__name__} is not known")
        return SHAPED[func](*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """An array's methods that are functions of NumPy's too."""
        own = getattr(np, name, None)
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"an array has no {name!r}")
        if name not in METHODS or own not in SHAPED:
            raise Untraceable(f"it uses .{name}")
        return lambda *args, **kwargs: SHAPED[own](self, *args, **kwargs)

    def astype(self, dtype: Any, *_: Any, **__: Any) -> Shaped:
        if np.dtype(dtype) not in (np.float64, np.bool_):
            raise Untraceable(f"it computes in {np.dtype(dtype)}")
        truths = np.dtype(dtype) == np.bool_
        return self.like(UFUNCS["logical_or"](self.tensor, self.tensor) if truths else numeric(self.tensor), self.shape)

    def item(self) -> Shaped:
        """Of an array of one number, that."""
        return self.reshape(())

    def transpose(self, *axes: Any) -> Shaped:
        given = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        order = tuple(range(self.ndim))[::-1] if not given else tuple(axis % self.ndim for axis in given)
        perm = [*range(self.hidden), *(self.hidden + axis for axis in order)]
        return self.view(op.transpose(self.tensor, perm=perm), tuple(self.shape[axis] for axis in order))

    def reshape(self, *shape: Any, **_: Any) -> Shaped:
        wanted = list(shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape)
        rows = self.of_rows
        if rows and not (self.shape[0] is ROWS and wanted and (wanted[0] is ROWS or wanted[0] == -1)):
            raise Untraceable("it makes other rows of the numbers")
        known = [int(extent) for extent in self.shape[rows:]]
        rest = [int(extent) for extent in wanted[rows:]]
        if rest.count(-1) > (0 if rows and wanted[0] is not ROWS else 1):
            raise Untraceable("it makes other rows of the numbers")
        total = int(np.prod(known))
        rest = np.zeros(total).reshape(rest).shape  # type: ignore[assignment]
        zeros = [0] * (self.hidden + rows)  # as they are
        return self.view(
            op.reshape(self.tensor, op.const(np.array([*zeros, *rest], np.int64))), (*self.shape[:rows], *rest)
        )

    def __getitem__(self, key: Any) -> Shaped:
        keys = list(key) if isinstance(key, tuple) else [key]
        if any(isinstance(one, Shaped) for one in keys):
            raise Untraceable("it chooses by the numbers' values: use numpy.where")
        own = sum(one is not None and one is not Ellipsis for one in keys)
        at = next((place for place, one in enumerate(keys) if one is Ellipsis), len(keys))
        if own > self.ndim:
            raise IndexError(f"too many indices: the array has {self.ndim} dimensions")
        keys = [*keys[:at], *[slice(None)] * (self.ndim - own), *keys[at + 1 :]]
        if sum(not isinstance(one, int | np.integer | slice | None) for one in keys) > 1:
            raise Untraceable("it chooses along several axes at once")
        tensor, shape, axis = self.tensor, [], self.hidden
        extents = iter(self.shape)
        for one in keys:
            if one is None:
                tensor = op.unsqueeze(tensor, op.const(np.array([axis])))
                shape.append(1)
                axis += 1
                continue
            extent = next(extents)
            if isinstance(one, slice) and one == slice(None):
                shape.append(extent)
                axis += 1
                continue
            if extent is ROWS:
                raise Untraceable("it chooses rows")
            places = np.arange(extent)[one]
            tensor = op.gather(tensor, op.const(places.astype(np.int64)), axis=axis)
            shape += places.shape
            axis += places.ndim
        return self.view(tensor, tuple(shape))


METHODS = {
    *("all", "any", "clip", "copy", "cumsum", "dot", "max", "mean", "min", "prod", "ravel", "round", "squeeze"),
    *("std", "sum", "swapaxes", "take", "var"),
}


def alike(one: Shape, other: Shape) -> bool:
    """Whether two shapes are the same."""
    return len(one) == len(other) and all(
        a is b or (a is not ROWS and b is not ROWS and a == b) for a, b in zip(one, other, strict=True)
    )


def lifted(value: Any, like: Shaped) -> Shaped:
    """What the function computes with: a number or an array of its own becomes a constant."""
    if isinstance(value, Shaped):
        return value
    if value is ROWS:
        raise Untraceable("it computes with the number of rows")
    array = np.asarray(value)
    return Shaped(lift(array.reshape((1,) * like.hidden + array.shape)), array.shape, like.hidden)


def together(inputs: Sequence[Shaped]) -> tuple[list[Var], Shape]:
    """The tensors with as many axes each, and the shape that they have broadcast."""
    rank = max(one.ndim for one in inputs)
    shape: list[Any] = [1] * rank
    for one in inputs:
        for axis, extent in enumerate(one.shape, rank - one.ndim):
            known = shape[axis]
            if known is ROWS or extent is ROWS:
                if not (known is extent or (extent if known is ROWS else known) == 1):
                    raise Untraceable("it computes with the request's rows and as many numbers of its own")
                shape[axis] = ROWS
            elif known != extent and 1 not in (known, extent):
                raise Untraceable(f"it computes with arrays that do not fit: {known} numbers beside {extent}")
            else:
                shape[axis] = max(known, extent)
    tensors = []
    for one in inputs:
        new = np.arange(one.hidden, one.hidden + rank - one.ndim)
        # What no axis is hidden of NumPy's rules make fit, as ONNX's do.
        tensors.append(op.unsqueeze(one.tensor, op.const(new)) if one.hidden and len(new) else one.tensor)
    return tensors, tuple(shape)


def _elementwise(name: str, inputs: Sequence[Any]) -> Shaped:
    model = next(one for one in inputs if isinstance(one, Shaped))
    tensors, shape = together([lifted(one, model) for one in inputs])
    return model.like(UFUNCS[name](*tensors), shape)


def axes_of(x: Shaped, axis: Any) -> list[int]:
    """The axes that are to be reduced, counted from the first that the function sees."""
    if axis is None:
        found = list(range(x.ndim))
    else:
        given = axis if isinstance(axis, tuple) else (axis,)
        found = [range(x.ndim)[one] for one in given]
    if any(x.shape[one] is ROWS for one in found):
        raise Untraceable("it reduces over rows, so that a row's answer would depend on the others")
    return found


def without(x: Shaped, axes: list[int]) -> Shaped:
    """The array without axes of length 1."""
    if not axes:
        return x
    kept = tuple(extent for place, extent in enumerate(x.shape) if place not in axes)
    return x.like(op.squeeze(x.tensor, op.const(np.array([x.hidden + place for place in axes]))), kept)
