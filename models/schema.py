"""What a table must hold before anything is trained on it."""

from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd
from pandas.api import types

from .errors import SchemaError

__all__ = ["Kind", "check", "check_unique"]

Kind = Literal["integer", "number", "number?", "text", "text?"]
"""What a column holds; a question mark allows gaps (an integer column with gaps is read as floats: ``number?``)."""


def check(table: pd.DataFrame, columns: Mapping[str, Kind], where: str, remedy: str) -> None:
    """Raises SchemaError for the first of the columns that is missing, of another kind or has gaps where it may not;
    further columns are welcome.

    where: the table's name, as its file. remedy: what to do, the end of the sentence.
    """
    if table.empty:
        raise SchemaError(f"{where}: expected rows, found none; {remedy}")
    for name, kind in columns.items():
        expected = f"{where}: expected a column {name!r} of kind {kind.rstrip('?')}"
        if name not in table.columns:
            raise SchemaError(f"{expected}, found only {', '.join(map(repr, table.columns))}; {remedy}")
        column = table[name]
        gaps = int(column.isna().sum())
        if gaps and not kind.endswith("?"):
            raise SchemaError(f"{expected} without gaps, found {gaps:,} missing values; {remedy}")
        # A column without a single value has no kind of its own: pandas reads it as floats.
        if gaps < len(column) and not _is(column, kind):
            raise SchemaError(f"{expected}, found {_describe(column)}; {remedy}")


def check_unique(table: pd.DataFrame, key: Sequence[str], where: str, remedy: str) -> None:
    """Raises SchemaError if two rows share a key: a join would multiply the rows of the other table."""
    repeated = int(table.duplicated(list(key)).sum())
    if repeated:
        names = " and ".join(map(repr, key))
        raise SchemaError(f"{where}: expected one row for each {names}, found {repeated:,} repeated; {remedy}")


def _is(column: pd.Series, kind: Kind) -> bool:
    if kind == "integer":
        return bool(types.is_integer_dtype(column))
    if kind.startswith("number"):
        return bool(types.is_numeric_dtype(column) and not types.is_bool_dtype(column))
    return bool(types.infer_dtype(column, skipna=True) == "string")


def _describe(column: pd.Series) -> str:
    if _is(column, "integer"):
        return "integers"
    if _is(column, "number"):
        return "numbers"
    return "text" if _is(column, "text") else f"dtype {column.dtype}"
