"""A row in a frame beside the same row as a request's JSON."""

import json
from typing import Any

import numpy as np
import pandas as pd

from runtime.manifest import Feature, Manifest
from runtime.model import Model
from runtime.reading import plain
from runtime.rows import Rows

from . import probes
from .dates import as_said
from .errors import ParityError
from .reference import Signature

__all__ = ["same_as_json"]


def same_as_json(twin: Model, signature: Signature, frame: pd.DataFrame, given: Rows, count: int) -> None:
    """Raise ParityError if a row means something else as JSON than it does in a frame.

    frame, given: rows, and the same as the twin takes them; so many of them are tried, as there are.
    """
    finite = np.flatnonzero(~np.isinf(given.matrix).any(axis=1))
    places = np.random.default_rng(probes.SEED).permutation(finite)[:count]
    rows = [
        {
            feature.name: _cell(feature, frame.iat[place, column])
            for column, feature in enumerate(signature.features)
            if feature.position is not None
        }
        for place in places.tolist()
    ]
    known = [i for i, row in enumerate(rows) if _types_as_declared(row, twin.manifest)]
    answer = json.loads(twin.predict_json(json.dumps([rows[i] for i in known]).encode()))
    # What a model reads aloud: a PCA's manifest has score_samples before its transform.
    outputs = (twin.manifest.output("predict"), twin.manifest.output("transform"))
    read = next((output for output in outputs if output is not None), twin.manifest.outputs[0])
    expected = plain(twin.answers(read, given[places[known]]))
    found = [row[twin.name_of_answer] for row in answer[f"{twin.name_of_answer}s"]]
    # JSON has no NaN and no infinity: they are null.
    if json.loads(json.dumps(found)) != _nulls(expected):
        raise ParityError("expected rows to mean the same as JSON and in a frame, found other answers")


def _nulls(value: Any) -> Any:
    if isinstance(value, list):
        return [_nulls(part) for part in value]
    return None if value in ("nan", "inf", "-inf") else value


def _cell(feature: Feature, value: Any) -> Any:
    if feature.kind == "date":
        return as_said(feature, value)
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or value != value:
        return None
    return bool(value) if feature.kind == "boolean" else value


def _types_as_declared(row: dict[str, Any], manifest: Manifest) -> bool:
    """Whether JSON takes the row: an unseen category of another type than the table's is no valid request."""
    for feature in manifest.columns:
        if feature.kind == "category" and row[feature.name] is not None:
            kinds = {type(category) for category in feature.categories} or {str}
            if type(row[feature.name]) not in kinds:
                return False
    return True
