"""Rows and columns of decoded JSON become the model's matrix: what the dialects of rows share.

A feature may be left out where it may be missing. ``[v]`` stands for v, as in a tensor [N, 1], and ``{"b64": "..."}``
for text. Every function raises InputError.

extra: whether further columns are ignored, as some servers do; else they are refused.
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InputError
from ...manifest import Output
from ...model import Model, Response
from ...rows import Rows

__all__ = ["columns", "instances", "main", "records", "rows", "scored"]


_ABSENT = object()


def instances(model: Model, values: Any, *, extra: bool = False) -> Rows:
    """A list of rows: objects by column name, arrays in the order of the pipeline's columns, or, for a model of one
    column, its bare values."""
    if values.__class__ is not list:
        raise InputError("$", f"expected an array of rows, got {_kind(values)}")
    if not values or values[0].__class__ is dict:
        return records(model, values, extra=extra)
    if len(model.manifest.inputs) == 1 and values[0].__class__ is not list:
        return columns(model, {model.manifest.inputs[0].name: values})
    return rows(model, None, values)


def records(model: Model, values: Sequence[Any], *, extra: bool = False) -> Rows:
    """Rows as objects by column name."""
    names = model.tensors.names
    for index, row in enumerate(values):
        if row.__class__ is not dict:
            raise InputError(f"$[{index}]", f"expected object as in the first row, got {_kind(row)}")
        if not extra and not row.keys() <= names:
            raise InputError(f"$[{index}]", f"unknown field {next(iter(row.keys() - names))[:64]!r}")
    found: dict[str, Sequence[Any]] = {}
    for feature in model.tensors.columns:
        column = [row.get(feature.name, _ABSENT) for row in values]
        if _ABSENT in column:
            if not feature.missing:
                raise InputError(f"$[{column.index(_ABSENT)}]", f"missing required field {feature.name!r}")
            column = [None if value is _ABSENT else value for value in column]
        found[feature.name] = _bare(column)
    return model.tensors.table(found, len(values))


def rows(model: Model, names: Sequence[str] | None, values: Sequence[Any], *, extra: bool = False) -> Rows:
    """Rows as arrays; names: of their columns, None for the order of the pipeline's."""
    if names is None:
        names = [feature.name for feature in model.manifest.inputs]
    for index, row in enumerate(values):
        if row.__class__ is not list:
            raise InputError(f"$[{index}]", f"expected array, got {_kind(row)}")
        if len(row) != len(names):
            raise InputError(f"$[{index}]", f"expected {len(names)} values, got {len(row)}")
    if len(set(names)) < len(names):
        raise InputError("$", "expected each column once, found one twice")
    table = zip(*values, strict=True) if values else ((),) * len(names)
    return columns(model, dict(zip(names, table, strict=True)), extra=extra)


def columns(model: Model, values: Mapping[str, Any], *, extra: bool = False) -> Rows:
    """Columns by name; scalars throughout are one row."""
    names = model.tensors.names
    if not extra and not values.keys() <= names:
        raise InputError("$", f"unknown field {next(iter(values.keys() - names))[:64]!r}")
    found = {name: column for name, column in values.items() if name in names}
    if not any(isinstance(column, list | tuple) for column in found.values()):
        found = {name: [value] for name, value in found.items()}
    for name, column in found.items():
        if not isinstance(column, list | tuple):
            raise InputError(f"$.{name}", f"expected an array of values, got {_kind(column)}")
    length = len(next(iter(found.values()))) if found else 0
    return model.tensors.table({name: _bare(column) for name, column in found.items()}, length)


def _bare(column: Sequence[Any]) -> Sequence[Any]:
    """A column without what TensorFlow's clients wrap values in."""
    kinds = set(map(type, column))
    if list in kinds:
        column = [value[0] if value.__class__ is list and len(value) == 1 else value for value in column]
        kinds = set(map(type, column))
    return [_text(value) if value.__class__ is dict else value for value in column] if dict in kinds else column


def _text(value: dict[str, Any]) -> Any:
    if value.keys() != {"b64"} or value["b64"].__class__ is not str:
        return value
    try:
        return b64decode(value["b64"], validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise InputError("$", "expected b64 to be text of UTF-8 in base 64, found another") from error


def main(model: Model) -> Output:
    """What a dialect answers that does not say a method: ``predict``, else ``transform``, else the first there is."""
    manifest = model.manifest
    return manifest.output("predict") or manifest.output("transform") or manifest.outputs[0]


def scored(model: Model, matrix: Rows, output: Output | None = None) -> tuple[list[Any], Response]:
    """A method's answer as JSON's values, a row each, with what is counted."""
    response = model.respond(matrix, [output or main(model)])
    (answer,) = response.answers
    if isinstance(answer, list):  # an array an output, as the pipeline returns them: here each row gets its own
        return [list(row) for row in zip(*(array.tolist() for array in answer), strict=True)], response
    return answer.tolist(), response


def _kind(value: Any) -> str:
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")
