"""Encoders of categories: the graph is a table, of what the fitted encoder says each category becomes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import spox.opset.ai.onnx.ml.v4 as ml
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from spox import Var

from ..errors import UnsupportedError
from ..fold import last_satisfying
from . import lowers
from .dates import as_microseconds
from .matrix import MISSING, Categorical, Column, Lookup, Matrix, Number, Raw
from .tables import Table, ask, plain

Floats = NDArray[np.float64]


@lowers(OneHotEncoder, method="transform")
def one_hot_encoder(encoder: OneHotEncoder, x: Matrix) -> Matrix:
    """One number a column says which output is hot; the rest is comparing it with every output's number."""
    widths = [int(width) for width in encoder._n_features_outs]
    tables = ask(encoder, widths, x)
    x = as_microseconds(x)
    starts = np.concatenate([[0], np.cumsum(widths)])
    cold = -1.0
    hot = []
    for table, start in zip(tables, starts, strict=False):
        rows = table.rows
        places = np.full(rows.shape[0], cold)
        counts = np.diff(rows.indptr)
        places[counts == 1] = rows.indices[rows.indptr[:-1][counts == 1]] + start
        hot.append(places)
    tensor = look_up(x, tables, hot)
    blocks = np.repeat(np.arange(len(widths)), widths)
    spread = op.gather(tensor, op.const(blocks), axis=1) if len(widths) > 1 else tensor
    lit = op.cast(op.equal(spread, op.const(np.arange(float(starts[-1])))), to=np.float64)
    origins = [
        origin
        for column, table, places, start, width in zip(x.columns, tables, hot, starts, widths, strict=False)
        for origin in _one_hot_origins(x, column, table, places, int(start), width)
    ]
    return x.new(lit, origins)


def _one_hot_origins(
    x: Matrix, column: Column, table: Table, places: Floats, start: int, width: int
) -> list[Lookup | None]:
    direct = _direct(x, column, table)
    if direct is None:
        return [None] * width
    by_key = places[direct.rows]
    order = np.argsort(by_key, kind="stable")
    bounds = np.searchsorted(by_key[order], np.arange(start, start + width + 1))
    origins: list[Lookup | None] = []
    for output in range(start, start + width):
        default = float(places[direct.default] == output)
        own = order[bounds[output - start] : bounds[output - start + 1]]
        other = np.flatnonzero(by_key != output) if default else own
        values = np.full(len(other), 1.0 - default)
        missing = float(places[direct.missing] == output)
        origins.append(Lookup(direct.source, direct.keys[other], values, default, missing))
    return origins


@lowers(OrdinalEncoder, method="transform")
def ordinal_encoder(encoder: OrdinalEncoder, x: Matrix) -> Matrix:
    return encode(x, ask(encoder, [1] * x.width, x))


def encode(x: Matrix, tables: Sequence[Table]) -> Matrix:
    """Tables of equal width: column by column, each value becomes that many numbers."""
    x = as_microseconds(x)
    dense = [np.asarray(table.rows.todense(), np.float64) for table in tables]
    layers = []
    for layer in range(dense[0].shape[1]):
        columns = [rows[:, layer] for rows in dense]
        tensor = look_up(x, tables, columns)
        origins = [
            _origin(x, column, table, values) for column, table, values in zip(x.columns, tables, columns, strict=True)
        ]
        layers.append(x.new(tensor, origins))
    if len(layers) == 1:
        return layers[0]
    return layers[0].beside(*layers[1:]).select(np.arange(len(layers) * x.width).reshape(len(layers), -1).T.ravel())


def _origin(x: Matrix, column: Column, table: Table, values: Floats) -> Lookup | None:
    direct = _direct(x, column, table)
    if direct is None:
        return None
    default, missing = float(values[direct.default]), float(values[direct.missing])
    return Lookup(direct.source, direct.keys, values[direct.rows], default, missing)


class _Direct(NamedTuple):
    """How a column's values follow from the request's column: its place, the values that are told apart, and the
    table's row for each of these, for all others, and for a missing one."""

    source: int
    keys: Floats
    rows: NDArray[np.int64]
    default: int
    missing: int


def _direct(x: Matrix, column: Column, table: Table) -> _Direct | None:
    """For a column of the request's own, or of a table's making, or imputed."""
    unseen = len(table.values)
    if isinstance(column, Categorical):
        raws = _raws(column, table)
        keys = np.array(x.scope.codes(column.source, raws), np.float64)
        rows = np.array([table.place(column.meaning(raw)) for raw in raws], np.int64)
        return _Direct(column.source, keys, rows, unseen, _missing_place(column, table))
    match column:
        case Number(origin=Raw(source, ())):
            known = _numbers(table)
            return _Direct(
                source, np.array(list(known), np.float64), _rows_of(known), unseen, _missing_place(column, table)
            )
        case Number(origin=Raw(source) as origin):
            known = _numbers(table)
            reached = _reached(origin, np.array(list(known), np.float64))
            if reached is None:
                return None
            keys, hit = reached
            missing = _place(column, table, float(origin(np.array([np.nan]))[0]))
            return _Direct(source, keys, _rows_of(known)[hit], unseen, missing)
        case Number(origin=Lookup() as origin):
            rows = np.array([_place(column, table, value) for value in origin.values.tolist()], np.int64)
            default, missing = _place(column, table, origin.default), _place(column, table, origin.missing)
            return _Direct(origin.source, origin.keys, rows, default, missing)
    return None


def _numbers(table: Table) -> dict[float, int]:
    """The places of the categories that a column of numbers can hold."""
    return {value: place for place, value in enumerate(table.values) if isinstance(value, int | float)}


def _rows_of(known: dict[float, int]) -> NDArray[np.int64]:
    return np.array(list(known.values()), np.int64)


def _place(column: Number, table: Table, value: float) -> int:
    return _missing_place(column, table) if np.isnan(value) else table.place(value)


def _reached(origin: Raw, values: Floats) -> tuple[Floats, NDArray[np.int64]] | None:
    """The numbers that become these values, and which of them each becomes; None where more than one number does."""
    if not origin.rising:
        return None
    last = last_satisfying(origin, values)
    below = last_satisfying(origin, np.nextafter(values, -np.inf))
    hit = origin(np.where(np.isnan(last), 0.0, last)) == values
    single = np.nextafter(below, np.inf) == last  # 0.0 and -0.0 are one number to a test
    return (last[hit], np.flatnonzero(hit)) if single[hit].all() else None


def _raws(column: Categorical, table: Table) -> list[Any]:
    """The request's values that mean something to the encoder: its categories and what imputers replace."""
    replaced = [plain(before) for before, _ in column.changes if before is not MISSING]
    return list(dict.fromkeys([*table.values, *replaced]))


def _missing_place(column: Column, table: Table) -> int:
    match column:
        case Categorical():
            return table.place(column.meaning(MISSING))
        case Number():
            return table.place(column.fill)
    return table.place(MISSING)


def look_up(x: Matrix, tables: Sequence[Table], numbers: Sequence[Floats]) -> Var:
    """A float64 tensor [N, columns]: for each column, its value's number.

    numbers: for each column, a number for every row of its table.
    """
    codes = [index for index, column in enumerate(x.columns) if isinstance(column, Categorical)]
    parts: dict[int, Var] = {}
    if codes:
        looked = _look_up_codes(x, [(x.columns[i], tables[i], numbers[i]) for i in codes])  # type: ignore[misc]
        parts = {index: _column(looked, place) for place, index in enumerate(codes)}
        if len(codes) == x.width:
            return looked
    for index, column in enumerate(x.columns):
        if isinstance(column, Number):
            parts[index] = _look_up_numbers(x, column, tables[index], numbers[index])
    return parts[0] if len(parts) == 1 else op.concat([parts[index] for index in range(x.width)], axis=1)


def _column(tensor: Var, index: int) -> Var:
    return op.gather(tensor, op.const(np.array([index])), axis=1)


def _look_up_codes(x: Matrix, columns: Sequence[tuple[Categorical, Table, Floats]]) -> Var:
    """All columns at once: their tables lie end to end, each as unseen (whose code is -1), categories, missing."""
    segments: list[Floats] = []
    for column, table, numbers in columns:
        x.scope.codes(column.source, _raws(column, table))
        raws = list(x.scope.tables[column.source])
        known = [numbers[table.place(column.meaning(raw))] for raw in raws]
        missing = numbers[_missing_place(column, table)]
        segments.append(np.array([numbers[-2], *known, missing]))
    starts = np.concatenate([[0], np.cumsum([len(segment) for segment in segments])[:-1]])
    codes = op.gather(x.scope.x, op.const(np.array([column.source for column, _, _ in columns])), axis=1)
    if any(x.scope.missing[column.source] for column, _, _ in columns):
        last = np.array([len(segment) - 2.0 for segment in segments])
        codes = op.where(op.isnan(codes), op.const(last), codes)
    places = op.cast(op.add(codes, op.const(starts + 1.0)), to=np.int64)
    return op.gather(op.const(np.concatenate(segments)), places, axis=0)


def _look_up_numbers(x: Matrix, column: Number, table: Table, numbers: Floats) -> Var:
    known = _numbers(table)
    if not known:
        raise UnsupportedError("expected an encoder of numbers for a column of numbers, found one of strings")
    tensor = Matrix(x.scope, (replace(column, fill=MISSING),)).tensor
    looked = ml.label_encoder(
        tensor,
        keys_tensor=np.array(list(known), np.float64),
        values_tensor=np.asarray(numbers[_rows_of(known)], np.float64),
        default_tensor=np.array([numbers[-2]]),
    )
    missing = numbers[_missing_place(column, table)]
    return op.where(op.isnan(tensor), op.const(np.float64(missing)), looked)
