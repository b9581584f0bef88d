"""A manifest becomes the request's type: its decoder, built once, and its JSON Schema."""

import re
from copy import copy
from functools import partial
from typing import Annotated, Any, Optional

import msgspec
from msgspec import Meta, defstruct

from .dates import middle_time, said, words
from .errors import InputError
from .manifest import Feature, Manifest
from .ranges import between
from .tensors import Limits
from .written import described, pattern_of

__all__ = ["Request", "example", "json_schema", "value_type"]

_AT = re.compile(r"(?P<said>.*?)(?: - at `(?P<path>\$.*)`)?", re.DOTALL)
_WORDS = {"float": "number", "int": "integer", "str": "string", "bool": "boolean"}
_TYPE = re.compile(r"`([^`]*)`")


class Request:
    """Decodes the body of a prediction, strictly: one object, or an array of them.

    A feature that may be missing may be null or left out; an ignored one may be any scalar.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._limits = Limits()
        columns = manifest.columns
        features = (*columns, *(feature for feature in manifest.inputs if feature.position is None))
        # Field names are ours, for a column may be called anything; the wire's names come by renaming.
        fields = [
            (f"f{index}", value_type(feature), None) if _optional(feature) else (f"f{index}", value_type(feature))
            for index, feature in enumerate(features)
        ]
        row: Any = defstruct(
            "Row",
            fields,
            rename={f"f{index}": feature.name for index, feature in enumerate(features)},
            kw_only=True,
            forbid_unknown_fields=True,
            gc=False,
        )
        self._columns = columns
        self._names = [feature.name for feature in features]
        self._decode = msgspec.json.Decoder(row | list[row]).decode
        self._width = len(columns)
        self._ignores = len(features) > len(columns)

    def within(self, limits: Limits) -> "Request":
        """The same, with limits to what a body may hold."""
        other = copy(self)
        other._limits = limits
        return other

    def decode(self, body: bytes) -> tuple[Any, ...] | list[tuple[Any, ...]]:
        """The values of one object as a tuple in the order of the manifest's columns, or a list of such tuples for an
        array. Raises InputError."""
        try:
            found = self._decode(body)
        except msgspec.ValidationError as error:
            raise self._error(error) from error
        except UnicodeDecodeError as error:  # its own sentence would quote the byte
            raise InputError("$", "expected JSON in UTF-8, found another encoding", fault="malformed") from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise InputError("$", f"expected JSON, found what is not: {error}", fault="malformed") from error
        if found.__class__ is list:
            self._limits.check_rows(len(found))
        if len(body) > self._limits.text:  # else no string in it can be too long
            self._check_text(found)
        if found.__class__ is list:
            return [self._values(row) for row in found]
        return self._values(found)

    def _check_text(self, found: Any) -> None:
        many = found.__class__ is list
        for place, row in enumerate(found if many else (found,)):
            start = f"$[{place}]" if many else "$"
            self._limits.check_text(msgspec.structs.astuple(row), partial(self._path, start))

    def _path(self, start: str, place: int) -> str:
        return f"{start}.{self._names[place]}"

    def _values(self, row: Any) -> tuple[Any, ...]:
        values = msgspec.structs.astuple(row)
        return values[: self._width] if self._ignores else values

    def _error(self, error: msgspec.ValidationError) -> InputError:
        """msgspec's sentence in JSON's words, with its path; where msgspec would quote a value, the value is cut."""
        match = _AT.fullmatch(str(error))
        said, path = (match["said"], match["path"] or "$") if match else (str(error), "$")
        if said.startswith("Object contains unknown field `"):
            return InputError(path, f"unknown field {said[31:-1][:64]!r}")
        if said.startswith("Object missing required field `"):
            return InputError(path, f"missing required field {said[31:-1]!r}")
        if said.startswith(
            (
                "Expected `float` <",
                "Expected `float` >",
                "Number out of range",
                "Expected `float | null` <",
                "Expected `float | null` >",
            )
        ):
            name = path.partition(".")[2]
            feature = next((feature for feature in self._columns if feature.name == name), None)
            limits = between(feature) if feature else "that is finite"
            return InputError(path, f"expected number {limits}, got one outside", fault="range")
        words = _TYPE.sub(lambda m: " or ".join(_WORDS.get(word, word) for word in m[1].split(" | ")), said)
        return InputError(path, words[:1].lower() + words[1:])


def _optional(feature: Feature) -> bool:
    return feature.missing or feature.kind == "ignored"


def value_type(feature: Feature) -> Any:
    """The type of a feature's value in JSON, as msgspec takes it."""
    kind: Any
    match feature.kind:
        case "number":
            low, high = feature.range or (None, None)
            if feature.range is None and feature.limit is not None:
                low, high = -feature.limit, feature.limit
            kind = float if low is None else Annotated[float, Meta(ge=low, le=high)]
        case "boolean":
            kind = bool
        case "text" | "date":
            kind = str
        case "category":
            kinds = {type(value) for value in feature.categories} or {str}
            kind = _union(kinds)
        case "ignored":
            kind = str | float | bool
    return Optional[kind] if _optional(feature) else kind  # noqa: UP045 (a | of an Annotated fails on Python 3.11)


def _union(kinds: set[type]) -> Any:
    union: Any = None
    for kind in sorted(kinds, key=lambda kind: kind.__name__):
        union = kind if union is None else union | kind
    return union


def example(manifest: Manifest) -> dict[str, Any]:
    """A row that the model takes: for a number or a date the middle of what was seen, for a category the first of its
    table."""
    row: dict[str, Any] = {}
    for feature in manifest.columns:
        match feature.kind:
            case "boolean":
                row[feature.name] = True
            case "text":
                row[feature.name] = " ".join(feature.rules[0].terms[:3]) or "text"
            case "date":
                time = float(feature.categories[0]) if feature.categories else middle_time(feature)
                row[feature.name] = said(feature, time)
            case "category":
                row[feature.name] = feature.categories[0] if feature.categories else None if feature.missing else "a"
            case _:
                low, high = feature.range or feature.seen or (0.0, 0.0)
                middle = low / 2 + high / 2
                row[feature.name] = float(round(middle)) if high - low > 10 else middle
    return row


def _date(feature: Feature) -> str:
    form = described(feature.format, feature.zone)
    form += "" if feature.unit in ("us", "ns") else f", of whole {words(feature)}"

    def ends(times: tuple[float, float]) -> str:
        return " to ".join(said(feature, time) for time in times)

    seen = f"; seen in training from {ends(feature.seen)}" if feature.seen else ""
    limits = f"; from {ends(feature.range)}" if feature.range else ""
    return f"a date, or a date and time, {form}{seen}{limits}"


def json_schema(manifest: Manifest) -> dict[str, Any]:
    """The JSON Schema of one row, with an example that the model takes."""
    features: dict[str, Any] = {}
    required: list[str] = []
    for feature in manifest.inputs:
        schema = _schema(feature)
        if _optional(feature):
            schema["type"] = [*_listed(schema.get("type", [])), "null"] if "type" in schema else None
        else:
            required.append(feature.name)
        features[feature.name] = {key: value for key, value in schema.items() if value is not None}
    return {
        "type": "object",
        "properties": features,
        "required": required,
        "additionalProperties": False,
        "examples": [example(manifest)],
    }


def _listed(kind: str | list[str]) -> list[str]:
    return [kind] if isinstance(kind, str) else kind


def _schema(feature: Feature) -> dict[str, Any]:
    match feature.kind:
        case "number":
            low, high = feature.range or (None, None)
            if feature.range is None and feature.limit is not None:
                low, high = -feature.limit, feature.limit
            seen = f"seen in training from {feature.seen[0]:g} to {feature.seen[1]:g}" if feature.seen else None
            return {"type": "number", "minimum": low, "maximum": high, "description": seen}
        case "boolean":
            return {"type": "boolean"}
        case "text":
            return {"type": "string"}
        case "date":
            # Not the format date-time, which is of RFC 3339 and asks for an offset.
            known = None if feature.unknown else [said(feature, float(time)) for time in feature.categories]
            pattern = f"^{pattern_of(feature.format, feature.zone)}$"
            return {"type": "string", "pattern": pattern, "enum": known, "description": _date(feature)}
        case "category":
            kinds = {type(value) for value in feature.categories} or {str}
            names = sorted({_WORDS[kind.__name__] for kind in kinds})
            schema: dict[str, Any] = {"type": names[0] if len(names) == 1 else names}
            if not feature.unknown:
                schema["enum"] = [*feature.categories, *([None] if feature.missing else [])]
            return schema
        case _:
            return {"type": ["string", "number", "boolean"], "description": "the model does not read it"}
