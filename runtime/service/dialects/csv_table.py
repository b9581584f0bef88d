"""CSV becomes rows of JSON's values, by the types of the manifest: what MLflow and SageMaker share.

As pandas reads it, which is what their servers do: commas, quotes by doubling, an empty cell or ``NA``, ``NaN``,
``null`` ... is a missing value, unless the column's table has a category of that name.
"""

import csv
import io
from collections.abc import Callable
from typing import Any, NamedTuple

from ...errors import InputError
from ...manifest import Feature
from ...model import Model

__all__ = ["Csv", "read_csv"]

_MISSING = frozenset(
    (
        *("", "#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "n/a"),
        *("-NaN", "-nan", "NaN", "nan", "-1.#IND", "1.#IND", "-1.#QNAN", "1.#QNAN"),
        *("NULL", "None", "null"),
    )
)
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Csv(NamedTuple):
    """names: of the header; None where the text has none. rows: with values typed by their columns."""

    names: list[str] | None
    rows: list[list[Any]]


def read_csv(model: Model, body: bytes, header: bool | None) -> Csv:
    """header: whether the first line is one; None: it is, if one of its cells is a column's name. Raises InputError."""
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except UnicodeDecodeError as error:
        raise InputError("$", "expected CSV in UTF-8, found another encoding", fault="malformed") from error
    except csv.Error as error:
        raise InputError("$", "expected CSV, found what is not", fault="malformed") from error
    lines = [line for line in lines if line]
    if not lines:
        raise InputError("$", "expected CSV, found no line", fault="malformed")
    features = {feature.name: feature for feature in model.manifest.inputs}
    if header is None:
        header = not features.keys().isdisjoint(lines[0])
    names = lines.pop(0) if header else None
    order = list(features) if names is None else names
    readers = [_reader(features[name]) if name in features else _keep for name in order]
    rows: list[list[Any]] = []
    for index, line in enumerate(lines):
        if len(line) != len(order):
            raise InputError(f"$[{index}]", f"expected {len(order)} cells, got {len(line)}", fault="malformed")
        rows.append([read(cell) for read, cell in zip(readers, line, strict=True)])
    return Csv(names, rows)


def _reader(feature: Feature) -> Callable[[str], Any]:
    match feature.kind:
        case "number":
            return _number
        case "boolean":
            return _boolean
        case "category":
            table = {text: value for value in feature.categories for text in _spellings(value)}
            return lambda cell: table.get(cell, _unseen(cell, feature))
        case "date":
            return _date
        case _:
            return _keep


def _date(cell: str) -> Any:
    return None if cell in _MISSING else cell


def _keep(cell: str) -> Any:
    return cell


def _number(cell: str) -> Any:
    """A number, or the text where it is none, for the column's check to refuse."""
    if cell in _MISSING:
        return None
    try:
        return float(cell) if cell.isascii() and "_" not in cell else cell
    except ValueError:
        return cell


def _boolean(cell: str) -> Any:
    return None if cell in _MISSING else _TRUTH.get(cell, cell)


def _spellings(value: Any) -> list[str]:
    match value:
        case bool():
            return [text for text, truth in _TRUTH.items() if truth is value]
        case float() if value.is_integer():
            return [repr(value), str(int(value))]
        case int():
            return [str(value), f"{value}.0"]
        case float():
            return [repr(value)]
        case _:
            return [value]


def _unseen(cell: str, feature: Feature) -> Any:
    """A cell that the table has not, as a value of the table's type, if it is one."""
    if cell in _MISSING:
        return None
    kinds = {type(value) for value in feature.categories} or {str}
    return cell if str in kinds else _number(cell)
