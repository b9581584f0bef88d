"""Bundles and models that many tests of the runtime look at; nobody changes them."""

from pathlib import Path

import pytest

from runtime import Model, load
from runtime.manifest import Feature

from . import bundles

FLIGHTS = (
    *bundles.numbers(("dep time", "d.e", "`q`", "naïve 航班")),
    Feature("gap", "number", 4, missing=True, seen=(-1.0, 1.0)),
    Feature("capped", "number", 5, range=(0.0, 5.0)),
    Feature("carrier", "category", 6, missing=True, categories=("AA", "UA", "DL")),
    Feature("code", "category", 7, categories=(1, 2, 2**53 + 1), unknown=False),
    Feature("flag", "boolean", 8),
    Feature("junk", "ignored"),
)
"""One column of everything, under names that are no identifiers."""

ROW = {
    "dep time": 1.5,
    "d.e": -2,
    "`q`": 0.25,
    "naïve 航班": 3,
    "gap": None,
    "capped": 4.5,
    "carrier": "UA",
    "code": 2,
    "flag": True,
}
"""A row that flights takes."""


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models: flights (everything), cost (one output), costs (three), twice (a transformer) and both (a
    classifier of two outputs)."""
    root = tmp_path_factory.mktemp("models")
    bundles.classifier(root / "flights", FLIGHTS, ("late", "on time"))
    bundles.regressor(root / "cost", bundles.numbers(("x", "y"), missing=True))
    bundles.regressor(root / "costs", bundles.numbers(("x", "y")), outputs=3)
    bundles.transformer(root / "twice", bundles.numbers(("x", "y")))
    bundles.several(root / "both", bundles.numbers(("x", "y", "z")))
    return root


@pytest.fixture(scope="session")
def every(root: Path) -> dict[str, Model]:
    """All of them, loaded."""
    return {folder.name: load(folder) for folder in root.iterdir()}


@pytest.fixture
def flights(root: Path) -> Model:
    """A fresh flights, whose counts are all 0."""
    return load(root / "flights")
