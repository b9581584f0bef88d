"""Will a flight arrive more than 15 minutes late? Known before departure: timetable, weather, aircraft.

The rows held out are drawn at random, so flights of one day lie on both sides: the scores speak of the days that the
forest has seen, not of next year.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

if not __package__:  # run by its path: let it see what `python -m` would
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models import training
from models.flights.data import AIRCRAFT, CATEGORIES, FEATURES, NUMBERS, TARGET, load_data, read_departures, with_target

__all__ = ["FEATURES", "TARGET", "TASK", "build_pipeline", "load_data", "main"]

RARE = 0.005
"""The share of the rows below which a category is lumped with the other rare ones."""


def build_pipeline(seed: int = 0) -> Pipeline:
    """Impute and scale the numbers, encode the categories, then 100 trees.

    The depth keeps the pickle near 20 MB on all rows, and a prediction short.
    """
    numbers = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    aircraft = Pipeline(
        [("impute", SimpleImputer(strategy="constant", fill_value="unknown")), ("encode", _encoder())],
    )
    columns = ColumnTransformer(
        [
            ("numbers", numbers, list(NUMBERS)),
            ("categories", _encoder(), list(CATEGORIES)),
            ("aircraft", aircraft, list(AIRCRAFT)),
        ]
    )
    forest = RandomForestClassifier(n_estimators=100, max_depth=12, min_samples_leaf=5, random_state=seed)
    return Pipeline([("columns", columns), ("forest", forest)])


def _encoder() -> OneHotEncoder:
    # Dense: a forest learns from these columns three times sooner than from a sparse matrix.
    return OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE, sparse_output=False)


def _load() -> tuple[pd.DataFrame, str]:
    departures = read_departures()
    rows = with_target(departures)
    left_out = len(departures) - len(rows)
    return rows, f"{left_out:,} of {len(departures):,} departures: cancelled or diverted, their arrival delay unknown"


TASK = training.Task(name="flights", target=TARGET, kind="classifier", load=_load, build=build_pipeline)


def main(argv: Sequence[str] | None = None) -> int:
    """Trains and writes as the arguments say; 0, or 2 after one sentence on stderr."""
    return training.main(TASK, argv)


if __name__ == "__main__":
    raise SystemExit(main())
