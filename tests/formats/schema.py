"""The format as a JSON Schema: what a reader of a protocol understands, and what of it another can no longer read."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec

from runtime.manifest import Manifest
from runtime.proof import Proof

__all__ = ["current", "lost", "protocols", "schema_of", "understands"]

FOLDER = Path(__file__).parent

Schema = dict[str, Any]


def current() -> Schema:
    """The schema of the runtime's own readers, without what is said for people."""
    (manifest, proof), structs = msgspec.json.schema_components((Manifest, Proof))
    for struct in structs.values():
        del struct["description"]
    schema: Schema = json.loads(json.dumps({"manifest": manifest, "proof": proof, "$defs": structs}))
    return schema


def protocols() -> list[int]:
    """Those that are frozen, the oldest first."""
    return sorted(int(folder.name) for folder in FOLDER.iterdir() if folder.name.isdecimal())


@cache
def schema_of(protocol: int) -> Schema:
    """The frozen schema of a protocol."""
    schema: Schema = json.loads((FOLDER / str(protocol) / "schema.json").read_text("utf-8"))
    return schema


def understands(schema: Schema, manifest: bytes, proof: bytes) -> bool:
    """Whether a reader that knows this schema would take a bundle's two files."""
    return all(
        jsonschema.Draft202012Validator({**schema[kind], "$defs": schema["$defs"]}).is_valid(json.loads(text))
        for kind, text in (("manifest", manifest), ("proof", proof))
    )


def lost(old: Schema, new: Schema) -> list[str]:
    """What an old file may hold, or leave out, that a new reader would not take, or take for something else."""
    found: list[str] = []
    for struct, before in old["$defs"].items():
        after = new["$defs"].get(struct, {"properties": {}})
        required = set(after.get("required", ())) - set(before.get("required", ()))
        found += [f"{struct}.{name} is required" for name in sorted(required)]
        for name, field in before["properties"].items():
            now = after["properties"].get(name)
            if now is None:
                found.append(f"{struct}.{name} is gone")
            elif now.get("default") != field.get("default"):  # a default is not written
                found.append(f"{struct}.{name} has another default")
            elif not _within(field, now):
                found.append(f"{struct}.{name} is of another type")
    return found


def _within(old: Schema, new: Schema) -> bool:
    """Whether every value of the old type is one of the new: the same type, or one of more words."""
    if "enum" in old and "enum" in new:
        return set(old["enum"]) <= set(new["enum"])
    return old == new
