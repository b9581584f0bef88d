"""``python -m benchmarks.workloads [NAME ...]``: models to be measured for their size, trained and converted below
``build/workloads``.

    python -m benchmarks build/workloads/models --trained build/workloads

measures them. The data are scikit-learn's ``make_classification``, by a seed: what matters is how large a model is and
how it is built, not what it has learnt.
"""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from convert import ConvertError, convert
from models import output
from models.progress import step

from .errors import BadInputError, FailedError

__all__ = ["WORKLOADS", "Workload", "main", "make"]

WHERE = Path("build/workloads")
SEED = 0
FEATURES = 30


class Workload(NamedTuple):
    """rows: to train on. build: the unfitted pipeline; raises FailedError where a package is not there."""

    rows: int
    build: Callable[[], Pipeline]


def _scaled_forest() -> Pipeline:
    forest = RandomForestClassifier(100, max_depth=10, random_state=SEED)
    return Pipeline([("scale", StandardScaler()), ("forest", forest)])


def _large_forest() -> Pipeline:
    return Pipeline([("forest", RandomForestClassifier(500, random_state=SEED))])


def _lightgbm() -> Pipeline:
    try:
        from lightgbm import LGBMClassifier  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError as error:
        raise FailedError("expected LightGBM, found none: make boosters") from error
    boosting = LGBMClassifier(n_estimators=100, num_leaves=31, n_jobs=1, random_state=SEED, verbose=-1)
    return Pipeline([("boosting", boosting)])


WORKLOADS: Mapping[str, Workload] = {
    "forest_100": Workload(20_000, _scaled_forest),
    "forest_500": Workload(10_000, _large_forest),
    "lightgbm_100": Workload(20_000, _lightgbm),
}
"""By name: 30 numbers, and a scaler with 100 trees of depth 10; 500 trees without a limit; 100 trees of 31 leaves."""


def make(name: str, into: Path = WHERE) -> None:
    """Train a workload, ``into/NAME``, and convert it, ``into/models/NAME``.

    Raises BadInputError for an unknown one, FailedError where it could not be made.
    """
    if name not in WORKLOADS:
        raise BadInputError(f"expected one of the workloads {', '.join(WORKLOADS)}, found {name!r}")
    workload = WORKLOADS[name]
    pipeline: Any = workload.build()
    X, y = make_classification(workload.rows, FEATURES, n_informative=15, n_redundant=5, flip_y=0.05, random_state=SEED)
    sample = pd.DataFrame(X, columns=[f"x{n}" for n in range(FEATURES)])
    with step(f"{name}: fitting on {len(sample):,} rows"):
        pipeline.fit(sample, y)
    trained, model = into / name, into / "models" / name
    output.check_writable(trained / "pipeline.joblib", trained / "sample.parquet")
    output.write_pipeline(pipeline, trained / "pipeline.joblib")
    output.write_rows(sample, trained / "sample.parquet")
    shutil.rmtree(model, ignore_errors=True)
    try:
        with step(f"{name}: converting"):
            convert(pipeline, sample, model)
    except ConvertError as error:
        raise FailedError(f"{name} could not be converted: {error}") from error


def main(names: Sequence[str], into: Path = WHERE) -> int:
    """Make some workloads, or all; 0 when all are there."""
    failed = 0
    for name in names or WORKLOADS:
        try:
            make(name, into)
        except (BadInputError, FailedError) as error:
            print(f"python -m benchmarks.workloads: {error}", file=sys.stderr)
            if isinstance(error, BadInputError):
                return 2
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
