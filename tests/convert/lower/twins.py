"""The pair that every parity test compares: a fitted estimator and its proven twin."""

import datetime
from typing import Any

from convert.build import Twin, assemble
from runtime.bundle import Bundle
from runtime.model import Model

CREATED = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def twin_of(pipeline: Any, sample: Any, *, fold: bool = True, tolerance: float | None = None) -> Twin:
    """The proven twin; a ParityError or an UnsupportedError fails the test that called."""
    return assemble(pipeline, sample, version="test", created=CREATED, fold=fold, tolerance=tolerance)


def model_of(twin: Twin) -> Model:
    """The runtime's model of a twin, its canary rows answered."""
    model = Model(Bundle(twin.manifest, twin.proof, twin.graph, ""))
    model.check()
    return model


def levels(twin: Twin) -> dict[str, str]:
    """By method: ``bit`` where every row is identical, else the level of the whole proof."""
    return {
        method: "bit" if output.identical == output.rows else twin.proof.level
        for method, output in twin.proof.outputs.items()
    }
