"""Freezes what today's converter writes: ``python -m tests.formats.freeze``, after PROTOCOL was raised.

It writes ``tests/formats/<protocol>/schema.json`` and the bundles that say that protocol, each with what scikit-learn
answered. What is there already is never written again: it is what older releases wrote, and they are gone. (``first``
is by a converter from before there were texts.)
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from convert import convert
from runtime import load
from runtime.manifest import PROTOCOL
from runtime.reading import plain

from .pipelines import PIPELINES, Frozen
from .schema import current

__all__ = ["FOLDER", "freeze"]

FOLDER = Path(__file__).parent
VERSION = "1"


def made(name: str) -> Frozen:
    """A pipeline and its rows, the same each time on the same versions of scikit-learn and NumPy."""
    return PIPELINES[name](np.random.default_rng(0))


def freeze(name: str, out: Path) -> int:
    """Write a model's folder, with its answers beside its bundle; returns the protocol that the bundle says."""
    frozen = made(name)
    convert(frozen.pipeline, frozen.sample, out / name, version=VERSION, portable=name == "mixed_classifier")
    model = load(out / name)
    dtypes = frozen.sample.dtypes.items()
    asked = pd.DataFrame({name: pd.Series([row[name] for row in frozen.rows], dtype=dtype) for name, dtype in dtypes})
    methods = [output.method for output in model.manifest.outputs]
    answers = {method: plain(_answer(frozen.pipeline, method, asked)) for method in methods}
    text = json.dumps({"rows": frozen.rows, "answers": answers}, ensure_ascii=False, indent=1)
    (out / name / "expected.json").write_text(f"{text}\n", encoding="utf-8")
    return model.manifest.protocol


def _answer(pipeline: Any, method: str, asked: pd.DataFrame) -> Any:
    with np.errstate(divide="ignore"):  # the logarithm of a probability of zero
        return getattr(pipeline, method)(asked)


def main() -> int:
    """Freeze what is not frozen yet."""
    os.environ["SOURCE_DATE_EPOCH"] = "1767225600"
    temporary = FOLDER / "making"
    try:
        for name in PIPELINES:
            place = FOLDER / str(freeze(name, temporary)) / name
            if not place.exists():
                place.parent.mkdir(exist_ok=True)
                (temporary / name).rename(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    schema = FOLDER / str(PROTOCOL) / "schema.json"
    if not schema.exists():
        schema.write_text(f"{json.dumps(current(), indent=1)}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
