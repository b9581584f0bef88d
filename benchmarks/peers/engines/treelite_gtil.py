# /// script
# dependencies = ["treelite", "scikit-learn", "numpy", "joblib"]
# [tool.peer]
# estimators = [
#   "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
#   "GradientBoostingClassifier", "GradientBoostingRegressor", "LGBMClassifier", "LGBMRegressor",
# ]
# ///
"""treelite's interpreter, GTIL, one thread."""

from pathlib import Path
from typing import Any

import joblib
import treelite  # type: ignore[import-not-found, unused-ignore]


def make(folder: Path) -> Any:
    """What answers a matrix of float64 rows."""
    estimator = joblib.load(folder / "estimator.joblib")
    if hasattr(estimator, "booster_"):
        model = treelite.frontend.from_lightgbm(estimator.booster_)
    else:
        model = treelite.sklearn.import_model(estimator)
    return lambda X: treelite.gtil.predict(model, X, nthread=1)
