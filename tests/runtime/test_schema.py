"""A manifest's JSON Schema and its example say what the decoder takes."""

import json
from typing import Any

import pytest

from runtime import Model
from runtime.manifest import Feature
from runtime.schema import example, json_schema

from . import bundles
from .conftest import FLIGHTS


@pytest.mark.parametrize("name", ["flights", "cost", "costs", "twice", "both"])
def test_the_example_is_taken(every: dict[str, Model], name: str) -> None:
    row = example(every[name].manifest)
    assert json.loads(every[name].predict_json(json.dumps(row).encode()))
    assert json_schema(every[name].manifest)["examples"] == [row]


def test_the_schema_of_a_row(every: dict[str, Model]) -> None:
    schema = json_schema(every["flights"].manifest)
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["dep time", "d.e", "`q`", "naïve 航班", "capped", "code", "flag"]
    assert schema["properties"] == {
        "dep time": {"type": "number", "description": "seen in training from -10 to 10"},
        "d.e": {"type": "number", "description": "seen in training from -10 to 10"},
        "`q`": {"type": "number", "description": "seen in training from -10 to 10"},
        "naïve 航班": {"type": "number", "description": "seen in training from -10 to 10"},
        "gap": {"type": ["number", "null"], "description": "seen in training from -1 to 1"},
        "capped": {"type": "number", "minimum": 0.0, "maximum": 5.0},
        "carrier": {"type": ["string", "null"]},
        "code": {"type": "integer", "enum": [1, 2, 2**53 + 1]},
        "flag": {"type": "boolean"},
        "junk": {"type": ["string", "number", "boolean", "null"], "description": "the model does not read it"},
    }


@pytest.mark.parametrize(
    ("feature", "value"),
    [
        (Feature("x", "number", 0, seen=(2.0, 4.0)), 3.0),
        (Feature("x", "number", 0, seen=(2.0, 104.5)), 53.0),
        (Feature("x", "number", 0, seen=(2.0, 4.0), range=(10.0, 10.5)), 10.25),
        (Feature("x", "number", 0, seen=(-1.7e308, 1.7e308)), 0.0),
        (Feature("x", "number", 0), 0.0),
        (Feature("x", "boolean", 0), True),
        (Feature("x", "category", 0, categories=("a", "b"), unknown=False), "a"),
        (Feature("x", "category", 0, missing=True), None),
        (Feature("x", "category", 0), "a"),
    ],
)
def test_example_values(feature: Feature, value: Any) -> None:
    assert example(bundles.manifest("other", (feature,), ())) == {"x": value}


def test_what_the_schema_refuses_is_refused(every: dict[str, Model]) -> None:
    """The decoder and the schema agree on types, column by column."""
    schema = json_schema(every["flights"].manifest)["properties"]
    good = example(every["flights"].manifest)
    values = {"number": 1.5, "integer": 1, "string": "AA", "boolean": True, "null": None}
    for feature in FLIGHTS:
        listed = schema[feature.name]["type"]
        allowed = {listed} if isinstance(listed, str) else set(listed)
        for kind, value in values.items():
            taken = kind in allowed or (kind == "integer" and "number" in allowed)
            text = json.dumps(good | {feature.name: value}).encode()
            try:
                every["flights"].predict_json(text)
            except ValueError:
                assert not taken, (feature.name, kind)
            else:
                assert taken, (feature.name, kind)
