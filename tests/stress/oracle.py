"""A model whose every answer tells which version made it and which row it was: version k answers [x + k, id]."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper

from runtime.manifest import Output

from ..runtime import bundles

INPUTS = bundles.numbers(("x", "id"))


def name(k: int) -> str:
    """The version that adds k."""
    return f"v{k:05}"


def write(model: Path, k: int, *, nodes: Sequence[Any] = (), **changes: Any) -> Path:
    """Write version k below a model's folder. nodes: go before the sum and make ``X2`` of ``X``."""
    text = bundles.graph(
        [*nodes, helper.make_node("Add", ["X2" if nodes else "X", "k"], ["value"])],
        {"k": np.array([k, 0.0])},
        2,
        {"value": ("float64", (2,))},
    )
    rows = bundles.canary(INPUTS)
    made = bundles.manifest("regressor", INPUTS, (Output("predict", ("value",), "float64", (2,)),), version=name(k))
    answers = np.add(rows, [k, 0])
    return bundles.write(model, text, made, rows=rows, answers={"predict": answers}, **changes)


def promote(model: Path, k: int, alias: str = "production") -> None:
    """Point an alias at version k by a rename."""
    new = model / f".{alias}"
    new.symlink_to(name(k))
    new.replace(model / alias)


def rows(first: int, count: int) -> list[dict[str, float]]:
    """Rows that no other request has; x is made from the id."""
    return [{"x": float(7 * (first + step)), "id": float(first + step)} for step in range(count)]


def wrong(answer: Any, header: str, asked: list[dict[str, float]]) -> str | None:
    """What is wrong with a batch's answer: mixed versions, another's rows, a header that says another version."""
    version = answer["model_version"]
    if header != version:
        return f"the header says {header}, the body {version}"
    k = int(version[1:])
    found = [one["prediction"] for one in answer["predictions"]]
    if found != [[row["x"] + k, row["id"]] for row in asked]:
        return f"{version} answered {found} to {asked}"
    return None
