# /// script
# dependencies = ["lightgbm", "scikit-learn", "numpy", "joblib"]
# [tool.peer]
# estimators = ["LGBMClassifier", "LGBMRegressor"]
# ///
"""LightGBM's own Booster.predict, one thread."""

from pathlib import Path
from typing import Any

import joblib


def make(folder: Path) -> Any:
    """What answers a matrix of float64 rows."""
    booster = joblib.load(folder / "estimator.joblib").booster_
    return lambda X: booster.predict(X, num_threads=1)
