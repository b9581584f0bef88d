"""What the categories of a column become: the fitted encoder itself is asked.

That way every parameter (drop, infrequent categories, unknown and missing values, data types) is right by
construction.
"""

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from ..narrow import narrowed
from .dates import holds_times, note_times, time_cells, times_of, unseen_time
from .impute import is_missing
from .matrix import MISSING, Categorical, Date, Matrix, Time

__all__ = ["UNSEEN", "Table", "ask", "plain"]

UNSEEN = "\0unseen"
"""A string that no training data holds."""


@dataclass(frozen=True)
class Table:
    """What the values of one column become: numbers that lie side by side, in compressed rows.

    values: the categories, as the column holds them at the encoder.
    rows: [len(values) + 2, width] sparse: a row a category, then the unseen one's, then the missing one's; NaN where
        the encoder raises for it.
    """

    values: list[Any]
    rows: Any

    @functools.cached_property
    def _places(self) -> dict[Any, int]:
        return {value: place for place, value in enumerate(self.values)}

    def place(self, value: Any) -> int:
        """The row of a value that may be MISSING or UNKNOWN."""
        if value is MISSING or is_missing(value):
            return len(self.values) + 1
        return self._places.get(value, len(self.values))


def ask(encoder: Any, widths: Sequence[int], x: Matrix) -> list[Table]:
    """A table a column, by transforming each of the encoder's categories.

    widths: how many columns each input column becomes, in order.
    x: what is to be encoded.
    """
    sentinels = [
        column.marker
        if isinstance(column, Categorical)
        else _no_time(column)
        if isinstance(column, Date | Time)
        else np.nan
        for column in x.columns
    ]
    note_times(x, encoder.categories_, known_only=getattr(encoder, "handle_unknown", "") == "error")
    return tables_of(encoder, list(zip(encoder.categories_, sentinels, widths, strict=True)))


def tables_of(encoder: Any, columns: Sequence[tuple[NDArray[Any], Any, int]]) -> list[Table]:
    """As ``ask``, by each column's categories, what stands for a missing one, and its width."""
    tables = _column_by_column(encoder, columns)
    if tables is not None:
        return tables
    blocks = pairwise(np.cumsum([0, *(width for _, _, width in columns)]).tolist())
    return [
        _table(partial(_transform, encoder, encoder.categories_, place, slice(*block)), *own)
        for place, (own, block) in enumerate(zip(columns, blocks, strict=True))
    ]


def _column_by_column(encoder: Any, columns: Sequence[tuple[NDArray[Any], Any, int]]) -> list[Table] | None:
    """The tables by encoders of one column each; None where the whole one says otherwise."""
    try:
        tables = [
            _table(partial(_transform, narrowed(encoder, place), [own[0]], 0, slice(None)), *own)
            for place, own in enumerate(columns)
        ]
        return tables if _same_together(encoder, tables, [sentinel for _, sentinel, _ in columns]) else None
    except Exception:  # with what is of one column alone an encoder may raise anything
        return None


def _table(transform: Callable[[list[Any]], Any], categories: NDArray[Any], sentinel: Any, width: int) -> Table:
    """The table of a column, by what becomes of its values."""
    if holds_times(categories):
        values: list[Any] = times_of(categories).tolist()
    else:
        values = [plain(value) for value in categories if not is_missing(value)]
    rows = [transform(values)] if values else []
    for odd in (_unseen(categories), sentinel):
        try:
            rows.append(transform([odd]))
        except (ValueError, TypeError):
            rows.append(scipy.sparse.csr_matrix(np.full((1, width), np.nan)))
    return Table(values, scipy.sparse.vstack(rows, format="csr"))


def _same_together(encoder: Any, tables: Sequence[Table], sentinels: Sequence[Any]) -> bool:
    """Whether the encoder itself says the same, of all columns side by side: each goes through its values, and again
    while another has more."""
    rows = [_taken(table) for table in tables]
    most = max(map(len, rows), default=0)
    rows = [np.resize(own, most) for own in rows]
    columns = []
    for table, categories, sentinel, own in zip(tables, encoder.categories_, sentinels, rows, strict=True):
        values = [*table.values, _unseen(categories), sentinel]
        columns.append(_array([values[row] for row in own.tolist()], categories))
    found = _encoded(encoder, columns)
    wanted = scipy.sparse.hstack([table.rows[own] for table, own in zip(tables, rows, strict=True)], format="csr")
    for encoded in (found, wanted):
        encoded.sum_duplicates()
        encoded.eliminate_zeros()
    return found.shape == wanted.shape and all(
        np.array_equal(getattr(found, part), getattr(wanted, part), equal_nan=part == "data")
        for part in ("indptr", "indices", "data")
    )


def _taken(table: Table) -> NDArray[np.intp]:
    """The rows of a table without those for which an encoder raises; a NaN that it gives is left out with them, but
    where there is nothing else."""
    rows = table.rows
    odd = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))[np.isnan(rows.data)]
    found = np.setdiff1d(np.arange(rows.shape[0]), odd)
    return found if len(found) else np.array([rows.shape[0] - 1])


def _transform(encoder: Any, known: Sequence[NDArray[Any]], column: int, block: slice, values: list[Any]) -> Any:
    """What values of one column become, beside the others' first categories: these columns of the answer."""
    firsts = [[categories[0] if len(categories) else 0] * len(values) for categories in known]
    cells = [values if place == column else first for place, first in enumerate(firsts)]
    arrays = [_array(own, categories) for own, categories in zip(cells, known, strict=True)]
    return _encoded(encoder, arrays)[:, block]


def _encoded(encoder: Any, columns: Sequence[NDArray[Any]]) -> Any:
    """What the encoder makes of columns side by side, in compressed rows."""
    # Objects stay objects, for pandas 3 would make NaN of None.
    data = pd.DataFrame({place: pd.Series(column, dtype=column.dtype) for place, column in enumerate(columns)})
    named = hasattr(encoder, "feature_names_in_")
    if named:
        data.columns = list(encoder.feature_names_in_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unseen categories, and of names where the encoder was fitted without
        encoded = encoder.transform(data if named else data.to_numpy())
    if hasattr(encoded, "to_numpy"):
        encoded = encoded.to_numpy()
    return encoded.tocsr() if hasattr(encoded, "tocsr") else scipy.sparse.csr_matrix(np.asarray(encoded, np.float64))


def _no_time(column: Date | Time) -> Any:
    """A missing time, of whose column an encoder has objects where it has a zone."""
    return np.datetime64("NaT", "us") if column.zone is None else pd.NaT


def _array(cells: list[Any], categories: NDArray[Any]) -> NDArray[Any]:
    dtype = categories.dtype
    if holds_times(categories):
        return time_cells(cells, dtype)
    if dtype.kind in "OUS" or (dtype.kind == "b" and any(map(is_missing, cells))):
        array = np.empty(len(cells), object)
        array[:] = cells
        return array
    try:
        return np.array(cells, dtype)
    except (ValueError, TypeError, OverflowError):
        return np.array(cells, np.float64)


def plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _unseen(categories: NDArray[Any]) -> Any:
    if holds_times(categories):
        return unseen_time(categories)
    if categories.dtype.kind in "OUS":
        return UNSEEN
    if categories.dtype.kind == "b":
        return not categories[0]
    if categories.dtype.kind in "iu":
        highest = int(categories.max())
        return highest + 1 if highest < np.iinfo(categories.dtype).max else int(categories.min()) - 1
    finite = categories[np.isfinite(categories)]
    return float(finite.max()) + 1.0 if len(finite) else 0.5
