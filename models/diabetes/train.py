"""How far will diabetes have progressed a year later? scikit-learn's bundled data: 442 patients, ten measurements."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.pipeline import Pipeline

if not __package__:  # run by its path: let it see what `python -m` would
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models import training
from models.schema import Kind, check

__all__ = ["FEATURES", "TARGET", "TASK", "build_pipeline", "load_data", "main"]

FEATURES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
TARGET = "progression"
_SCHEMA: Mapping[str, Kind] = dict.fromkeys((*FEATURES, TARGET), "number")


def load_data() -> pd.DataFrame:
    """FEATURES in their own units (age in years, sex 1 or 2, bp in mmHg, s1 to s6 from the blood), and TARGET (a
    measure from 25 to 346); all float64, without gaps. Raises SchemaError."""
    bunch = load_diabetes(as_frame=True, scaled=False)
    table = bunch.frame.rename(columns={"target": TARGET})
    check(table, _SCHEMA, "load_diabetes", "install the scikit-learn that is pinned")
    return table[[*FEATURES, TARGET]].astype("float64")


def build_pipeline(seed: int = 0) -> Pipeline:
    """Boosting alone: trees need no scaling. Small trees, small steps, and a part of the rows for each: there are few.

    Not the histogram kind: its bins save nothing on so few rows, and its threads wait for each other on a busy machine.
    """
    boosting = GradientBoostingRegressor(
        n_estimators=150, learning_rate=0.05, max_depth=2, subsample=0.7, random_state=seed
    )
    return Pipeline([("boosting", boosting)])


def _load() -> tuple[pd.DataFrame, str]:
    return load_data(), ""


TASK = training.Task(name="diabetes", target=TARGET, kind="regressor", load=_load, build=build_pipeline)


def main(argv: Sequence[str] | None = None) -> int:
    """Trains and writes as the arguments say; 0, or 2 after one sentence on stderr."""
    return training.main(TASK, argv)


if __name__ == "__main__":
    raise SystemExit(main())
