"""How one row is written in the Open Inference Protocol, as types made for a model: what fits is a row it takes."""

import struct
from collections.abc import Callable, Mapping, Sequence
from operator import le
from typing import Annotated, Any, Literal, NamedTuple, Optional

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType, defstruct

from ...manifest import Feature
from ...model import Model
from ...ranges import bounds
from ...schema import value_type
from .oip_binary import DTYPES
from .oip_metadata import datatype_of

__all__ = ["MATRIX", "Form", "Wanted", "forms"]

_ONE = Annotated[list[Literal[1]], Meta(min_length=1, max_length=2)]
"""The shape of a column of one row."""

MATRIX = ("X", "input-0")
"""The names of the one input that holds all columns, in the order of the pipeline's."""


class Wanted(msgspec.Struct):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Any] = {}


class Form(NamedTuple):
    """A way to write one row.

    decoder: of the JSON: a request as ``oip`` has it, whose inputs are of types that take nothing else. Names are the
        only thing that it does not look at.
    values: (inputs, body, where the tensors begin in it) -> the row's values, in the order of the columns and checked
        but for unseen categories; None where it is no such row after all.
    """

    decoder: "msgspec.json.Decoder[Any]"
    values: Callable[[Any, bytes, int], Sequence[Any] | None]
    last: bool = False


def forms(model: Model, *, binary: bool) -> list[Form]:
    """The ways to write one row for this model, as JSON or with all of it behind the JSON; none where there is a text
    or a column of several kinds."""
    columns = model.manifest.columns
    if any(feature.kind == "text" or len({type(one) for one in feature.categories}) > 1 for feature in columns):
        return []
    found = [_by_column(columns, binary=binary)]
    if len(model.manifest.inputs) == len(columns) and all(one.kind in ("number", "boolean") for one in columns):
        found.append(_matrix(columns, binary=binary))
    if binary and any(feature.missing for feature in columns):
        found.append(_some_columns(columns))
    return found


def _by_column(columns: Sequence[Feature], *, binary: bool) -> Form:
    """One input a column, each of the datatype that the metadata says."""
    names = [feature.name for feature in columns]
    datatypes = [datatype_of(feature) for feature in columns]
    unpack = _unpacker(columns, datatypes)
    made: dict[tuple[str, Any], Any] = {}  # hundreds of columns have a few types
    tensors = []
    for feature, datatype in zip(columns, datatypes, strict=True):
        data = None if binary else tuple[_value(feature, datatype)]  # type: ignore[misc]
        if (datatype, data) not in made:
            made[datatype, data] = _tensor(datatype, _ONE, data)
        tensors.append(made[datatype, data])

    def values(inputs: Any, body: bytes, at: int) -> Sequence[Any] | None:
        if [one.name for one in inputs] != names:
            return None
        if binary:
            return unpack(tuple([one.parameters.binary_data_size for one in inputs]), body, at)
        return [one.data[0] for one in inputs]

    return Form(_decoder(tuple[tuple(tensors)]), values)  # type: ignore[misc]


def _some_columns(columns: Sequence[Feature]) -> Form:
    """The same without some of those that may be missing: behind the JSON a category has no other way to be."""
    names = [feature.name for feature in columns]
    datatypes = {feature.name: datatype_of(feature) for feature in columns}
    asked_for = {feature.name for feature in columns if not feature.missing}
    made: dict[tuple[str, ...], _Unpack] = {}

    def make(given: tuple[str, ...]) -> "_Unpack | None":
        present = set(given)
        if list(given) != [name for name in names if name in present] or not asked_for <= present:
            return None
        if len(made) >= _MOST:
            made.clear()
        made[given] = _unpacker([one for one in columns if one.name in present], [datatypes[name] for name in given])
        return made[given]

    def values(inputs: Any, body: bytes, at: int) -> Sequence[Any] | None:
        given = tuple([one.name for one in inputs])
        unpack = made.get(given) or make(given)
        if unpack is None or any(one.datatype != datatypes[one.name] for one in inputs):
            return None
        found = unpack(tuple([one.parameters.binary_data_size for one in inputs]), body, at)
        return None if found is None else list(map(dict(zip(given, found, strict=True)).get, names))

    fields: list[tuple[Any, ...]] = [("name", str), ("shape", _ONE), ("datatype", str), ("parameters", _Size)]
    return Form(_decoder(list[defstruct("Input", fields, gc=False)]), values, last=True)  # type: ignore[misc]


def _matrix(columns: Sequence[Feature], *, binary: bool) -> Form:
    """One input that holds all columns; its numbers are checked as an array's are, also those of booleans."""
    count = len(columns)
    names = set(MATRIX) - {feature.name for feature in columns}
    unpack = _unpacker(columns, ["FP64"] * count)
    data = None if binary else tuple[tuple(_number(feature) for feature in columns)]  # type: ignore[misc]
    tensor = _tensor("FP64", tuple[Literal[1], Literal[count]], data)  # type: ignore[valid-type]

    def values(inputs: Any, body: bytes, at: int) -> Sequence[Any] | None:
        (one,) = inputs
        if one.name not in names:
            return None
        if binary:
            return unpack((8,) * count, body, at) if one.parameters.binary_data_size == 8 * count else None
        found: tuple[float | None, ...] = one.data
        return found

    return Form(_decoder(tuple[tensor]), values)  # type: ignore[valid-type]


def _value(feature: Feature, datatype: str) -> Any:
    """The type of a column's value in JSON."""
    if datatype == "INT64":
        whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
        return Optional[whole] if feature.missing else whole  # noqa: UP045 (as in schema)
    return value_type(feature)


def _number(feature: Feature) -> Any:
    """The type of a column's value in a matrix."""
    low, high = bounds(feature)
    number = Annotated[float, Meta(ge=low, le=high)] if np.isfinite([low, high]).all() else float
    return Optional[number] if feature.missing else number  # noqa: UP045 (as in schema)


class _Unread(msgspec.Struct):
    """Parameters of an input whose data is JSON: any but that which says that it is not."""

    binary_data_size: Literal["never"] | UnsetType = UNSET


class _Size(msgspec.Struct):
    binary_data_size: int


def _tensor(datatype: str, shape: Any, data: Any) -> Any:
    """The type of an input. data: the type of its JSON; None where its elements stand behind that."""
    behind: list[tuple[Any, ...]] = [("parameters", _Size)]
    here: list[tuple[Any, ...]] = [("data", data), ("parameters", _Unread | UnsetType, UNSET)]
    fields: list[tuple[Any, ...]] = [("name", str), ("shape", shape), ("datatype", Literal[datatype])]
    return defstruct("Input", [*fields, *(behind if data is None else here)], gc=False)


def _decoder(inputs: Any) -> "msgspec.json.Decoder[Any]":
    fields: list[tuple[Any, ...]] = [
        ("inputs", inputs),
        ("id", str | None, None),
        ("parameters", dict[str, Any], {}),
        ("outputs", list[Wanted] | None, None),
    ]
    return msgspec.json.Decoder(defstruct("Request", fields))


_CODES: Mapping[str, str] = {"BOOL": "B", "FP64": "d", "INT64": "q"}
_MOST = 64
"""Layouts that are kept: categories have different lengths."""


_Unpack = Callable[[tuple[int, ...], bytes, int], Sequence[Any] | None]
"""Reads one element a column: (their sizes, body, where they begin) -> the values, of which NaN is a missing number;
None where these are none that the columns take."""


def _unpacker(columns: Sequence[Feature], datatypes: Sequence[str]) -> _Unpack:
    """What reads one element of each of these columns."""
    texts = [place for place, datatype in enumerate(datatypes) if datatype == "BYTES"]
    numbers = [place for place, datatype in enumerate(datatypes) if datatype != "BYTES"]
    spans = [(0, 1) if datatypes[place] == "BOOL" else bounds(columns[place]) for place in numbers]
    lows, highs = [low for low, _ in spans], [high for _, high in spans]
    missing = [columns[place].missing and columns[place].kind == "number" for place in numbers]
    layouts: dict[tuple[int, ...], struct.Struct] = {}

    def layout(sizes: tuple[int, ...]) -> struct.Struct | None:
        codes = []
        for datatype, size in zip(datatypes, sizes, strict=True):
            if size < 4 if datatype == "BYTES" else size != DTYPES[datatype].itemsize:
                return None
            codes.append(f"{size}s" if datatype == "BYTES" else _CODES[datatype])
        if len(layouts) >= _MOST:
            layouts.clear()
        layouts[sizes] = struct.Struct("<" + "".join(codes))
        return layouts[sizes]

    def unpack(sizes: tuple[int, ...], body: bytes, at: int) -> Sequence[Any] | None:
        if at + sum(sizes) != len(body):
            return None
        row = layouts.get(sizes) or layout(sizes)
        if row is None:
            return None
        values: Sequence[Any] = row.unpack_from(body, at)
        checked = [values[place] for place in numbers] if texts else values
        within = all(map(le, lows, checked)) and all(map(le, checked, highs))
        if not within and not all(map(_taken, checked, lows, highs, missing)):  # NaN is in no span
            return None
        if not texts:
            return values
        found = list(values)
        for place in texts:
            octets: bytes = found[place]
            if int.from_bytes(octets[:4], "little") != len(octets) - 4:
                return None
            try:
                found[place] = octets[4:].decode()
            except UnicodeDecodeError:
                return None
        return found

    return unpack


def _taken(value: float, low: float, high: float, missing: bool) -> bool:
    return low <= value <= high or (missing and value != value)
