"""Is a breast tumour malignant? scikit-learn's bundled data: 569 biopsies, thirty measurements of the cells' nuclei."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

if not __package__:  # run by its path: let it see what `python -m` would
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models import training
from models.schema import Kind, check

__all__ = ["FEATURES", "TARGET", "TASK", "build_pipeline", "load_data", "main"]

MEASURES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave points",
    "symmetry",
    "fractal dimension",
)
FEATURES = (
    *(f"mean {measure}" for measure in MEASURES),
    *(f"{measure} error" for measure in MEASURES),
    *(f"worst {measure}" for measure in MEASURES),
)
TARGET = "diagnosis"


def load_data() -> pd.DataFrame:
    """FEATURES (float64, without gaps), and TARGET: "benign" or "malignant". Raises SchemaError."""
    bunch = load_breast_cancer(as_frame=True)
    # The word is what a caller wants to read in an answer; the data's own code has 0 for malignant.
    diagnosis = bunch.target.map(dict(enumerate(map(str, bunch.target_names))))
    table = bunch.data.assign(**{TARGET: diagnosis})
    schema: dict[str, Kind] = {**dict.fromkeys(FEATURES, "number"), TARGET: "text"}
    check(table, schema, "load_breast_cancer", "install the scikit-learn that is pinned")
    return table[[*FEATURES, TARGET]]


def build_pipeline(seed: int = 0) -> Pipeline:
    """Scale, then a logistic regression."""
    return Pipeline([("scale", StandardScaler()), ("regression", LogisticRegression(random_state=seed))])


def _load() -> tuple[pd.DataFrame, str]:
    return load_data(), ""


TASK = training.Task(name="breast_cancer", target=TARGET, kind="classifier", load=_load, build=build_pipeline)


def main(argv: Sequence[str] | None = None) -> int:
    """Trains and writes as the arguments say; 0, or 2 after one sentence on stderr."""
    return training.main(TASK, argv)


if __name__ == "__main__":
    raise SystemExit(main())
