# /// script
# dependencies = ["tl2cgen", "treelite", "scikit-learn", "numpy", "joblib"]
# [tool.peer]
# estimators = [
#   "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
#   "GradientBoostingClassifier", "GradientBoostingRegressor", "LGBMClassifier", "LGBMRegressor",
# ]
# ///
"""TL2cgen: the trees as C, compiled by gcc, one thread."""

from pathlib import Path
from typing import Any

import joblib
import tl2cgen  # type: ignore[import-not-found, unused-ignore]
import treelite  # type: ignore[import-not-found, unused-ignore]

FILES = 16
"""Of C: in one a compiler would want all memory for a large forest."""


def make(folder: Path) -> Any:
    """What answers a matrix of float64 rows."""
    estimator = joblib.load(folder / "estimator.joblib")
    if hasattr(estimator, "booster_"):
        model = treelite.frontend.from_lightgbm(estimator.booster_)
    else:
        model = treelite.sklearn.import_model(estimator)
    library = folder / "tl2cgen.so"
    tl2cgen.export_lib(model, toolchain="gcc", libpath=str(library), params={"parallel_comp": FILES}, nthread=1)
    predictor = tl2cgen.Predictor(str(library), nthread=1)
    return lambda X: predictor.predict(tl2cgen.DMatrix(X, dtype="float64"))
