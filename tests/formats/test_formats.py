"""What an older release wrote is read for ever, and what only this one can read says so by its number.

Where a test here fails because a struct of the manifest or the proof has changed: raise PROTOCOL (runtime/manifest.py
says how), then freeze what the new one writes by ``python -m tests.formats.freeze``.
"""

import copy
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from runtime import Model, load
from runtime.manifest import PROTOCOL
from runtime.reading import plain

from .freeze import FOLDER, freeze
from .pipelines import PIPELINES
from .schema import Schema, current, lost, protocols, schema_of, understands

FROZEN = sorted(folder.parent for folder in FOLDER.glob("*/*/expected.json"))
BOUND = 1e-12


def expected_of(folder: Path) -> dict[str, Any]:
    expected: dict[str, Any] = json.loads((folder / "expected.json").read_text("utf-8"))
    return expected


def flat(value: Any) -> list[Any]:
    return [part for item in value for part in flat(item)] if isinstance(value, list) else [value]


def bits(number: float) -> bytes:
    return struct.pack(">d", number)


def other_answers(model: Model, expected: dict[str, Any]) -> list[str]:
    """The methods that answer otherwise than scikit-learn once did: bit for bit, but for those whose proof speaks of
    roundings, for another processor may round a matrix product otherwise."""
    found = []
    for method, answer in expected["answers"].items():
        values, wanted = flat(plain(getattr(model, method)(expected["rows"]))), flat(answer)
        proof = model.proof.outputs[method]
        exact = proof.identical == proof.rows
        same = [
            (bits(a) == bits(b) if exact else abs(a - b) <= BOUND * max(abs(b), proof.floor))
            if isinstance(a, float) and isinstance(b, float)
            else type(a) is type(b) and a == b
            for a, b in zip(values, wanted, strict=True)
        ]
        if not all(same):
            found.append(method)
    return found


def files(folder: Path) -> tuple[bytes, bytes]:
    """The manifest and the proof of the only version in a model's folder."""
    (version,) = (entry.parent for entry in folder.glob("*/manifest.json"))
    return (version / "manifest.json").read_bytes(), (version / "proof.json").read_bytes()


def test_every_protocol_is_frozen() -> None:
    assert protocols() == list(range(1, PROTOCOL + 1))
    assert {int(folder.parent.name) for folder in FROZEN} == set(protocols())
    assert {folder.name for folder in FROZEN} >= set(PIPELINES)


@pytest.mark.parametrize("folder", FROZEN, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_frozen_bundle_answers_as_it_did(folder: Path) -> None:
    model, expected = load(folder), expected_of(folder)
    assert set(expected["answers"]) == {output.method for output in model.manifest.outputs}
    assert other_answers(model, expected) == []
    if "predict" not in expected["answers"]:
        return
    answered = json.loads(model.predict_json(json.dumps(expected["rows"]).encode()))
    assert [answer["prediction"] for answer in answered["predictions"]] == plain(model.predict(expected["rows"]))


@pytest.mark.parametrize("folder", FROZEN, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_one_other_bit_is_seen(folder: Path) -> None:
    model, expected = load(folder), expected_of(folder)
    for method, answer in expected["answers"].items():
        places = answer
        while isinstance(places[0], list):
            places = places[0]
        first, proof = places[0], model.proof.outputs[method]
        one_ulp = (
            struct.unpack(">d", (int.from_bytes(bits(first)) ^ 1).to_bytes(8))[0] if type(first) is float else None
        )
        exact = proof.identical == proof.rows
        places[0] = f"not {first}" if one_ulp is None else one_ulp if exact else first + 1e-9
        assert other_answers(model, expected) == [method]
        places[0] = first


def test_what_the_runtime_reads_is_what_its_protocol_says() -> None:
    assert current() == schema_of(PROTOCOL), "the format has changed: see above"


@pytest.mark.parametrize("protocol", protocols())
def test_an_older_file_still_decodes(protocol: int) -> None:
    assert lost(schema_of(protocol), current()) == []


def changed(name: str, **changes: Any) -> Schema:
    """The current schema with a struct's field changed; None takes a key away."""
    schema = copy.deepcopy(current())
    field = schema["$defs"]["Feature"]["properties"][name]
    field.update(changes)
    return schema


def test_a_change_that_older_files_would_not_survive_is_seen() -> None:
    old, required, gone = schema_of(1), copy.deepcopy(current()), copy.deepcopy(current())
    required["$defs"]["Feature"]["properties"]["colour"] = {"type": "string"}
    required["$defs"]["Feature"]["required"].append("colour")
    del gone["$defs"]["Canary"]["properties"]["rows"]
    assert lost(old, required) == ["Feature.colour is required"]
    assert lost(old, gone) == ["Canary.rows is gone"]
    assert lost(old, changed("unknown", default=False)) == ["Feature.unknown has another default"]
    assert lost(old, changed("name", type="integer")) == ["Feature.name is of another type"]
    assert lost(old, changed("kind", enum=["number", "text"])) == ["Feature.kind is of another type"]
    with_default = copy.deepcopy(current())
    with_default["$defs"]["Feature"]["properties"]["colour"] = {"type": "string", "default": ""}
    assert lost(old, with_default) == []
    assert with_default != schema_of(PROTOCOL)


@pytest.mark.parametrize("folder", FROZEN, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_frozen_bundle_says_the_oldest_protocol_that_reads_it(folder: Path) -> None:
    assert understood_by(folder) == int(folder.parent.name) == load(folder).manifest.protocol


@pytest.mark.parametrize("name", PIPELINES)
def test_a_bundle_of_today_says_the_oldest_protocol_that_reads_it(name: str, tmp_path: Path) -> None:
    """Else a server that was not updated would take it for damaged, or for what it is not."""
    assert freeze(name, tmp_path) == understood_by(tmp_path / name)
    assert other_answers(load(tmp_path / name), expected_of(tmp_path / name)) == []


def understood_by(folder: Path) -> int:
    """The oldest protocol whose reader takes the bundle in a model's folder."""
    return next(protocol for protocol in protocols() if understands(schema_of(protocol), *files(folder)))
