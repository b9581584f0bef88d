"""Rows become the graph's matrix: the only file that knows column order, dtypes and missing values."""

import importlib
import struct
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from operator import length_hint
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cells import KINDS, codes_in, codes_of, floats, objects, table_of, terms_of
from .dates import time_of, times
from .errors import InputError
from .manifest import Feature, Manifest
from .ranges import Ranges
from .rows import Rows, Terms

__all__ = ["Limits", "Tensors"]

Matrix = NDArray[np.float64]


class Limits(NamedTuple):
    """What a request may hold: rows, and characters of one string. Both are as large as can be where nobody serves."""

    rows: int = sys.maxsize
    text: int = sys.maxsize

    def check_rows(self, count: int) -> None:
        """Raise InputError for more rows than there may be."""
        if count > self.rows:
            raise InputError("$", f"expected at most {self.rows} rows, got {count}")

    def check_text(self, values: Iterable[object], path: Callable[[int], str]) -> None:
        """Raise InputError for a string that is too long; path: of the value at a place."""
        for place, value in enumerate(values):
            if value.__class__ is str and len(value) > self.text:
                raise InputError(path(place), f"expected a string of at most {self.text} characters, got a longer one")


class Tensors:
    """Turns rows into what a graph reads, by a manifest: a matrix, and the terms of texts.

    Every method raises InputError for rows that the pipeline would not take.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._limits = Limits()
        self.columns = manifest.columns  # made once, for the manifest sorts them each time
        self._named = manifest.named
        self._inputs = manifest.inputs
        self.names = {feature.name for feature in manifest.inputs}
        self._codes: dict[int, Callable[[object], float]] = {
            index: codes_of(feature) for index, feature in enumerate(self.columns) if feature.kind == "category"
        }
        self._dates = {index: time_of(feature) for index, feature in enumerate(self.columns) if feature.kind == "date"}
        self._tables = [(index, table_of(self.columns[index]).get) for index in self._codes]
        self._gaps = any(feature.missing for feature in self.columns)
        self._texts = {index: terms_of(feature) for index, feature in enumerate(self.columns) if feature.rules}
        self._pack = struct.Struct(f"{len(self.columns)}d").pack_into
        self._kinds = [_allowed(feature) for feature in self.columns]
        self._ranges = Ranges(self.columns)
        self.check_known = self._ranges.check_known

    def within(self, limits: Limits) -> "Tensors":
        """The same, with a limit to the strings that ``table`` takes."""
        other = copy(self)
        other._limits = limits
        return other

    def of(self, data: Any) -> Rows:
        """A DataFrame (pandas, polars, pyarrow: what gives a column by name), an ndarray, a dict (one row, or columns
        of equal length) or a list of dicts; where a text or a label is all there is, an array, Series or list of them.
        A DataFrame's further columns are ignored, a dict's are an error."""
        if len(self._inputs) == len(self._texts) + len(self._codes) == 1 and _is_flat(data):
            return self._checked(self._columns(lambda _: list(data), len(data)))
        if isinstance(data, np.ndarray) or (
            isinstance(data, Sequence) and not isinstance(data, str | bytes) and not _is_rows(data)
        ):
            return self._checked(self._from_array(self._array(data)))
        if isinstance(data, Mapping):
            self._known(data, "$")
            scalars = all(np.ndim(value) == 0 for value in data.values())
            return self.rows([data]) if scalars else self._from_columns(data)
        if isinstance(data, Sequence) and not isinstance(data, str | bytes):
            return self.rows(data)
        if hasattr(data, "__getitem__") and (hasattr(data, "columns") or hasattr(data, "column_names")):
            return self._from_columns(data)
        if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__dataframe__"):
            return self._from_columns(_table(data))
        raise InputError("$", f"expected a DataFrame, an ndarray, a dict or a list of dicts, got {type(data).__name__}")

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Dicts, a row each; a feature that may be missing may be left out."""
        for index, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise InputError(f"$[{index}]", f"expected object, got {type(row).__name__}")
            self._known(row, f"$[{index}]")
        columns: dict[str, list[Any]] = {}
        for feature in self.columns:
            columns[feature.name] = values = [row.get(feature.name, _ABSENT) for row in rows]
            if _ABSENT in values:
                if not feature.missing:
                    raise InputError(f"$[{values.index(_ABSENT)}]", f"missing required field {feature.name!r}")
                columns[feature.name] = [None if value is _ABSENT else value for value in values]
        return self._from_columns(columns, len(rows))

    def fill(self, row: Matrix, values: Sequence[Any]) -> None:
        """Write one row's decoded values, in the order of ``columns``, into a contiguous vector; the decoder has
        checked them against everything but unseen categories."""
        if self._tables:
            values = list(values)
            for index, look in self._tables:
                code = look(values[index])  # 0.1 µs; what is no category is for the function, which takes 0.4
                values[index] = self._codes[index](values[index]) if code is None else code
        if self._dates:
            values = list(values)
            for index, number in self._dates.items():
                values[index] = number(values[index])
        if self._gaps:
            values = [np.nan if value is None else value for value in values]
        self._pack(row, 0, *values)  # type: ignore[arg-type]  # 0.4 µs for 30 numbers; NumPy: 0.8

    def decoded(self, rows: Sequence[Sequence[Any]]) -> Rows:
        """Rows of decoded values, in the order of ``columns``."""
        table: Sequence[Any] = [list(row) for row in rows] if self._texts else rows
        terms: list[Terms] = []
        for index, read in self._texts.items():
            codes, found = read([row[index] for row in table])
            terms += found
            for row, code in zip(table, codes, strict=True):
                row[index] = code
        matrix = np.empty((len(table), len(self.columns)))
        rest = iter(table)
        try:
            for values, cells in zip(matrix, rest, strict=True):
                self.fill(values, cells)
        except InputError as error:
            raise error.in_row(len(table) - length_hint(rest) - 1, len(table)) from error
        return Rows(matrix, tuple(terms))

    def table(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]], length: int) -> Rows:
        """Columns by name, each a sequence of JSON's values or an array [length]; further columns are not looked at.

        As strict as the decoder of JSON: a string is no number, and a boolean is one only in an array, whose dtype the
        client chose. NaN is a missing value.
        """
        made: list[Any] = []
        terms: list[Terms] = []
        for index, feature in enumerate(self.columns):
            values = columns.get(feature.name)
            if values is None:
                if not feature.missing:
                    raise InputError("$", f"missing required field {feature.name!r}")
                made.append([None] * length)
            elif len(values) != length:
                raise InputError(f"$.{feature.name}", f"expected {length} values, as elsewhere, got {len(values)}")
            elif index in self._texts:
                codes, found = self._texts[index](self._plain(index, feature, values))
                made.append(codes)
                terms += found
            else:
                made.append(self._plain(index, feature, values))
        try:
            matrix = np.array(made, np.float64).reshape(len(made), length).T
        except OverflowError as error:  # an integer beyond what float64 can hold
            raise InputError("$", "expected numbers that are finite, got one outside", fault="range") from error
        return self._checked(Rows(np.ascontiguousarray(matrix), tuple(terms)))

    def _plain(self, index: int, feature: Feature, values: Sequence[Any] | NDArray[Any]) -> Any:
        """A column's values as numbers or codes; raises InputError for values of another type."""
        code = self._codes.get(index)
        plain = code is None and feature.kind not in ("text", "date")
        if isinstance(values, np.ndarray):
            if plain and (feature.kind == "number" or values.dtype.kind == "b" or _is_binary(values)):
                return values
            values = values.tolist()
        allowed = self._kinds[index]
        if not allowed.issuperset(map(type, values)):
            values = [None if value.__class__ is float and value != value else value for value in values]
            row = next((row for row, value in enumerate(values) if type(value) not in allowed), None)
            if row is not None:
                raise InputError(
                    f"$[{row}].{feature.name}" if len(values) > 1 else f"$.{feature.name}",
                    f"expected {' or '.join(sorted({KINDS[kind] for kind in allowed} - {'null'}))}, "
                    f"got {KINDS.get(type(values[row]), 'another type')}",
                )
        if plain:
            return values
        name = f".{feature.name}"
        self._limits.check_text(values, lambda row: f"$[{row}]{name}" if len(values) > 1 else f"${name}")
        if index in self._dates:
            return times(values, feature, self._dates[index])
        return values if code is None else codes_in(values, code)

    def _array(self, data: Any) -> NDArray[Any]:
        """Rows as an array. Texts and dates stay what they are: an array of strings gives each the length of the
        longest, and one of dates and numbers has no type."""
        if isinstance(data, np.ndarray) and data.dtype.kind == "M":
            return data
        return np.asarray(data, object if self._texts or self._dates else None)

    def _known(self, row: Mapping[Any, Any], path: str) -> None:
        for name in row:
            if name not in self.names:
                raise InputError(path, f"unknown field {str(name)[:64]!r}")

    def _from_array(self, array: NDArray[Any]) -> Rows:
        if array.ndim == 1 and not array.size:
            array = array.reshape(0, len(self._inputs))
        if array.ndim != 2 or array.shape[1] != len(self._inputs):
            shape = " x ".join(map(str, array.shape))
            raise InputError("$", f"expected an array of rows with {len(self._inputs)} columns, got one of {shape}")
        if (
            array.dtype == np.float64
            and len(self.columns) == len(self._inputs)
            and not (self._codes or self._dates or self._texts)
        ):
            return Rows(np.ascontiguousarray(array))
        places = {feature.name: place for place, feature in enumerate(self._inputs)}
        return self._columns(lambda name: array[:, places[name]], len(array))

    def _from_columns(self, frame: Any, length: int | None = None) -> Rows:
        own = self._own_names(frame)
        for feature in self.columns:
            if feature.name not in own and not (feature.missing and isinstance(frame, Mapping)):
                raise InputError("$", f"missing column {feature.name!r}")
        lengths = {name: len(frame[own[name]]) for name in (f.name for f in self.columns) if name in own}
        if len(set(lengths.values())) > 1:
            raise InputError("$", f"expected columns of equal length, got {sorted(set(lengths.values()))}")
        if length is None:
            length = next(iter(lengths.values())) if lengths else len(frame)
        absent = [None] * length
        return self._checked(self._columns(lambda name: frame[own[name]] if name in own else absent, length))

    def _own_names(self, frame: Any) -> dict[str, Any]:
        """By feature, what the frame calls its column. A pipeline that was fitted without names goes by places, as
        scikit-learn does, where the names are others."""
        if isinstance(frame, Mapping):
            return {name: name for name in frame}
        names = list(getattr(frame, "column_names", None) or frame.columns)
        if not self._named and not self.names.issubset(names):
            if len(names) != len(self._inputs):
                raise InputError("$", f"expected a frame with {len(self._inputs)} columns, got one with {len(names)}")
            return {feature.name: name for feature, name in zip(self._inputs, names, strict=True)}
        twice = next((feature.name for feature in self.columns if names.count(feature.name) > 1), None)
        if twice is not None:
            raise InputError("$", f"expected columns of different names, got {twice!r} twice")
        return {name: name for name in names}

    def _columns(self, column: Callable[[str], Any], length: int) -> Rows:
        matrix = np.empty((length, len(self.columns)))
        terms: list[Terms] = []
        for index, feature in enumerate(self.columns):
            values = column(feature.name)
            if index in self._texts:
                matrix[:, index], found = self._texts[index](objects(values))
                terms += found
            elif index in self._codes:
                matrix[:, index] = codes_in(objects(values), self._codes[index])
            elif index in self._dates:
                matrix[:, index] = times(values, feature, self._dates[index])
            else:
                matrix[:, index] = floats(values, feature)
        return Rows(matrix, tuple(terms))

    def _checked(self, rows: Rows) -> Rows:
        """The rows, if the pipeline takes them."""
        self._ranges.check(rows.matrix)
        return rows


_ABSENT = object()


def _allowed(feature: Feature) -> frozenset[type]:
    """The types that a feature's values may have in JSON; whether it may be missing is seen later, in the matrix."""
    match feature.kind:
        case "boolean":
            kinds: set[type] = {bool}
        case "text" | "date":
            kinds = {str}
        case "category":
            kinds = {type(value) for value in feature.categories} or {str}
        case _:
            kinds = {float}
    if kinds & {int, float}:
        kinds |= {int, float}
    return frozenset(kinds | {type(None)})


def _is_binary(array: NDArray[Any]) -> bool:
    """Whether numbers are all 0, 1 or missing, as booleans are."""
    return array.dtype.kind in "fiu" and bool(((array == 0) | (array == 1) | (array != array)).all())


def _is_rows(data: Sequence[Any]) -> bool:
    return not len(data) or isinstance(data[0], Mapping)


def _is_flat(data: Any) -> bool:
    """Whether data is a row of single values, not a table."""
    if isinstance(data, list | tuple):
        return not data or isinstance(data[0], str)
    return getattr(data, "ndim", None) == 1 or (hasattr(data, "to_list") and not hasattr(data, "columns"))


def _table(data: Any) -> Any:
    """A frame of a library that gives no column by name, through Arrow's stream of it or the dataframe interchange;
    pyarrow reads both, and is imported for nothing else."""
    try:
        pyarrow = importlib.import_module("pyarrow")
    except ImportError as error:
        raise InputError(
            "$", f"expected pyarrow, to read a {type(data).__name__}, found none: install it, or give a dict of columns"
        ) from error
    if hasattr(data, "__arrow_c_stream__"):
        return pyarrow.table(data)
    return importlib.import_module("pyarrow.interchange").from_dataframe(data)
