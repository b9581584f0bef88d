"""An array of NumPy's, or a frame of pandas', whose operations build a graph.

It goes into a user's function in place of the numbers and listens by NumPy's protocols (NEP 13 and NEP 18). What it
cannot follow, or what would make a row's answer depend on other rows, raises Untraceable.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import spox.opset.ai.onnx.v21 as op
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray
from spox import Var

from .hooks import DECIDING, FRAMES, FUNCTIONS, PROPERTIES, ROWS, TIMES, WORDS, Untraceable
from .labels import scalar
from .matrix import Categorical, Column, Date, Matrix, Time
from .ufuncs import REDUCED, UFUNCS, is_bool, numeric

__all__ = ["Traced", "lift"]


class Traced(NDArrayOperatorsMixin):
    """An array [N, k], or [N] where it is flat, of numbers or of booleans.

    names: the columns' names, where it is a frame.
    """

    __slots__ = ("_matrix", "_tensor", "flat", "names", "scope")

    def __init__(self, value: Matrix | Var, scope: Matrix, *, flat: bool = False, names: Any = None) -> None:
        self._matrix = value if isinstance(value, Matrix) else None
        self._tensor = None if isinstance(value, Matrix) else value
        self.flat = flat
        self.names: tuple[Any, ...] | None = None if names is None else tuple(names)
        self.scope = scope

    @property
    def tensor(self) -> Var:
        """[N, k], or [N]; float64 or bool."""
        if self._tensor is None:
            assert self._matrix is not None
            tensor = self._matrix.tensor
            self._tensor = scalar(tensor) if self.flat else tensor
        return self._tensor

    @property
    def matrix(self) -> Matrix:
        """The columns, with what is known of them; flat ones as a single column."""
        if self._matrix is not None:
            return self._matrix
        tensor = numeric(self.tensor)
        return self.scope.new(op.reshape(tensor, op.const(np.array([-1, 1]))) if self.flat else tensor)

    def like(self, tensor: Var) -> Traced:
        """The same kind of thing with other numbers."""
        return Traced(tensor, self.scope, flat=self.flat, names=self.names)

    @property
    def width(self) -> int:
        return self.matrix.width

    @property
    def shape(self) -> tuple[Any, ...]:
        return (ROWS,) if self.flat else (ROWS, self.width)

    @property
    def ndim(self) -> int:
        return 1 if self.flat else 2

    @property
    def of_times(self) -> bool:
        """Whether it holds columns of dates and times, or of how long it is from one to another."""
        return self._matrix is not None and any(isinstance(column, Date | Time) for column in self._matrix.columns)

    @property
    def of_words(self) -> bool:
        """Whether it holds columns of categories or texts."""
        return self._matrix is not None and any(isinstance(column, Categorical) for column in self._matrix.columns)

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.of_times:
            dtype: np.dtype[Any] = TIMES["dtype"](self)
            return dtype
        if self.of_words:
            return np.dtype(object)
        return np.dtype(bool if self._matrix is None and is_bool(self.tensor) else np.float64)

    def __len__(self) -> int:
        raise Untraceable("it asks for the number of rows")

    def __bool__(self) -> bool:
        decisions = DECIDING.get()
        if decisions is not None:
            return bool(decisions.decide(self))
        raise Untraceable("it decides by the numbers' values")

    def __contains__(self, other: Any) -> Any:
        return WORDS["contains"](self, other) if self.of_words and self.flat else other in iter(self)

    def __float__(self) -> float:
        raise Untraceable("it takes single numbers")

    def __round__(self, digits: Any = None) -> Any:
        if digits is not None:
            raise Untraceable("it rounds to digits as Python does: use numpy.round of whole columns")
        return np.rint(self)

    __index__ = __float__

    def __int__(self) -> int:
        return int(bool(self) if DECIDING.get() is not None and is_bool(self.tensor) else float(self))

    def __str__(self) -> str:
        raise Untraceable("it makes strings of what it is given")

    def __iter__(self) -> Any:
        if self.names is not None and not self.flat:
            return iter(self.names)
        raise Untraceable("it goes through rows one by one")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise Untraceable("it wants the numbers themselves, as numpy.asarray does")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        out = kwargs.pop("out", None)
        if method == "reduce" and ufunc in REDUCED:
            return FUNCTIONS[REDUCED[ufunc]](*inputs, **kwargs)
        kwargs = {key: value for key, value in kwargs.items() if key not in ("casting", "order", "subok")}
        if method != "__call__" or name not in UFUNCS or kwargs:
            raise Untraceable(f"numpy.{name} is not known" + (f" with {', '.join(kwargs)}" if kwargs else ""))
        result = self._called(name, inputs)
        if out is None:
            return result
        (target,) = out
        target._become(result.tensor)
        return target

    def _called(self, name: str, inputs: Sequence[Any]) -> Traced:
        for held, hooks in (("of_times", TIMES), ("of_words", WORDS)):
            if any(isinstance(given, Traced) and getattr(given, held) for given in inputs):
                found: Traced = hooks["called"](name, inputs)
                return found
        ranks = {given.ndim for given in inputs if isinstance(given, Traced)}
        model = max((given for given in inputs if isinstance(given, Traced)), key=lambda given: given.ndim)
        if len(ranks) > 1 or (model.flat and any(np.ndim(g) for g in inputs if not isinstance(g, Traced))):
            raise Untraceable("it mixes one and two dimensions, say x[:, 0] with x: keep x[:, [0]]")
        if name == "power" and np.ndim(inputs[1]) == 0 and not isinstance(inputs[1], Traced):
            short = {1.0: "positive", 2.0: "square", 0.5: "sqrt", -1.0: "reciprocal"}.get(float(inputs[1]))
            if short is not None:
                return self._called(short, inputs[:1])
        named = next((given for given in inputs if isinstance(given, Traced) and given.names), None)
        result = UFUNCS[name](*map(lift, inputs))
        if name == "matmul":
            return Traced(result, model.scope, flat=np.ndim(inputs[1]) == 1)
        return (named if named is not None and named.ndim == model.ndim else model).like(result)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = func.__name__
        if name in SKIPPING and isinstance(args[0], Traced) and args[0].names is not None:
            return getattr(args[0], name)(*args[1:], **kwargs)  # NumPy asks a frame for its own, too
        if func not in FUNCTIONS:
            raise Untraceable(f"numpy.{name} is not known")
        return FUNCTIONS[func](*args, **kwargs)

    def __getitem__(self, key: Any) -> Traced:
        if self.names is not None and not self.flat and not isinstance(key, tuple):
            return self._named(key)
        rows, columns = key if isinstance(key, tuple) and len(key) == 2 else (key, slice(None))
        if self.flat:
            if rows == slice(None) and columns is None:
                return Traced(self.matrix, self.scope)
            raise Untraceable("it chooses rows")
        if rows is not Ellipsis and rows != slice(None):
            raise Untraceable("it chooses rows")
        if columns is None:
            raise Untraceable("it makes three dimensions")
        chosen = self._places(columns)
        if isinstance(chosen, int):
            return self._column(chosen)
        return self._select(chosen)

    def _places(self, columns: Any) -> int | list[int]:
        places = np.arange(self.width)[columns]
        return int(places) if np.ndim(places) == 0 else places.tolist()

    def _column(self, place: int) -> Traced:
        name = None if self.names is None else [self.names[place]]
        if self._matrix is not None:
            return Traced(self._matrix.select([place]), self.scope, flat=True, names=name)
        column = op.gather(self.tensor, op.const(np.int64(place)), axis=1)
        return Traced(column, self.scope, flat=True, names=name)

    def _select(self, places: list[int]) -> Traced:
        names = None if self.names is None else [self.names[place] for place in places]
        if self._matrix is not None:
            return Traced(self._matrix.select(places), self.scope, names=names)
        return Traced(op.gather(self.tensor, op.const(np.array(places, np.int64)), axis=1), self.scope, names=names)

    def _named(self, key: Any) -> Traced:
        assert self.names is not None
        if isinstance(key, list):
            return self._select([self.names.index(name) for name in key])
        if isinstance(key, Traced) or key not in self.names:
            raise Untraceable("it chooses rows")
        return self._column(self.names.index(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, Traced):
            if not is_bool(key.tensor) or (isinstance(value, Traced) and value.ndim != self.ndim):
                raise Untraceable("it chooses rows")
            mask = key.tensor
            self._become(op.where(mask, numeric(lift(value)), numeric(self.tensor)))
            return
        if self.flat:
            raise Untraceable("it chooses rows")
        if self.names is not None and not isinstance(key, tuple):
            names = key if isinstance(key, list) else [key]
            places = [self.names.index(name) if name in self.names else -1 for name in names]
        else:
            rows, columns = key if isinstance(key, tuple) and len(key) == 2 else (key, slice(None))
            if rows is not Ellipsis and rows != slice(None):
                raise Untraceable("it chooses rows")
            chosen = self._places(columns)
            places, names = [chosen] if isinstance(chosen, int) else chosen, []
        self._put(places, names, value)

    def _put(self, places: list[int], names: list[Any], value: Any) -> None:
        """Columns in the places, new ones (place -1) at the end."""
        if isinstance(value, Traced) and value.width == len(places):
            self._place(places, names, value.matrix.columns)
            return
        if isinstance(value, Traced):
            raise Untraceable("it sets columns of another number")
        some = op.gather(self.scope.scope.x, op.const(np.zeros(len(places), np.int64)), axis=1)
        none = op.mul(some, op.const(np.float64(0)))
        zero = op.where(op.isnan(none), op.const(np.float64(0)), none)
        self._place(places, names, self.scope.new(op.add(zero, numeric(lift(value)))).columns)

    def _place(self, places: list[int], names: list[Any], new: Sequence[Column]) -> None:
        columns = list(self.matrix.columns)
        for index, place in enumerate(places):
            if place < 0:
                columns.append(new[index])
                self.names = (*(self.names or ()), names[index])
            else:
                columns[place] = new[index]
        self._matrix, self._tensor = Matrix(self.scope.scope, tuple(columns)), None

    def hold(self, matrix: Matrix, names: Any) -> None:
        """Become other columns."""
        self._matrix, self._tensor, self.names = matrix, None, None if names is None else tuple(names)

    def _asked(self, own: Any, *args: Any, inplace: bool = False, **kwargs: Any) -> Any:
        found = own(self, *args, **kwargs)
        return self.hold(found.matrix, found.names) if inplace else found

    def __delitem__(self, name: Any) -> None:
        FRAMES["pop"](self, name)

    def _become(self, tensor: Var) -> None:
        self._matrix, self._tensor = None, tensor

    def reshape(self, *shape: Any, **_: Any) -> Traced:
        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        if len(wanted) == 1 and (self.flat or self.width == 1):
            return Traced(self.matrix, self.scope, flat=True)
        if len(wanted) == 2 and wanted[1] in (-1, self.width) and (wanted[0] is ROWS or wanted[0] == -1):
            return Traced(self.matrix, self.scope)
        raise Untraceable("it makes other rows of the numbers")

    def ravel(self, *_: Any, **__: Any) -> Traced:
        return self.reshape(-1)

    flatten = ravel

    def copy(self, *_: Any, **__: Any) -> Traced:
        value = self._matrix if self._matrix is not None else self.tensor
        return Traced(value, self.scope, flat=self.flat, names=self.names)

    def toarray(self, *_: Any, **__: Any) -> Traced:
        """What was sparse, as an array."""
        return Traced(self.tensor, self.scope, flat=self.flat)

    todense = toarray

    def astype(self, dtype: Any, *_: Any, **__: Any) -> Traced:
        found: Traced = FRAMES["astype"](self, dtype)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "columns":
            name, value = "names", FRAMES["set_axis"](self, value, axis=1).names
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        """A frame's methods and columns, and an array's methods that are functions of NumPy's too."""
        if name.startswith("__"):
            raise AttributeError(name)
        if self.names is not None:
            if name in PROPERTIES:
                return PROPERTIES[name](self)
            if name in FRAMES:
                return partial(self._asked, FRAMES[name])
            if not self.flat and name in self.names:
                return self[name]
        own = getattr(np, name, None)
        if name in METHODS and own in FUNCTIONS and (self.names is None or name not in SKIPPING):
            return partial(FUNCTIONS[own], self)
        kind = np.ndarray if self.names is None else pd.Series if self.flat else pd.DataFrame
        if not hasattr(kind, name):
            raise AttributeError(f"{kind.__name__} has no attribute {name!r}")
        raise Untraceable(f"it uses .{name}")


SKIPPING = {"sum", "mean", "std", "var", "min", "max", "prod", "any", "all", "cumsum"}
"""What a frame does without missing values."""
METHODS = SKIPPING | {"clip", "round", "squeeze", "take"}


def lift(value: Any) -> Var:
    """A traced array's tensor, or a constant."""
    if isinstance(value, Traced):
        return value.tensor
    array: NDArray[Any] = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise Untraceable(f"it uses {value!r}, which is no number")
    array = array if array.dtype.kind == "b" else array.astype(np.float64)
    return op.const(array[()] if array.ndim == 0 else np.ascontiguousarray(array))
