# /// script
# dependencies = ["lleaves", "llvmlite<0.45", "lightgbm", "scikit-learn", "numpy", "joblib"]
# [tool.peer]
# estimators = ["LGBMClassifier", "LGBMRegressor"]
# ///
"""lleaves: LightGBM's trees compiled by LLVM, one thread."""

from pathlib import Path
from typing import Any

import joblib
import lleaves  # type: ignore[import-not-found, unused-ignore]


def make(folder: Path) -> Any:
    """What answers a matrix of float64 rows."""
    file = folder / "lleaves.txt"
    joblib.load(folder / "estimator.joblib").booster_.save_model(file)
    model = lleaves.Model(model_file=str(file))
    model.compile()
    return lambda X: model.predict(X, n_jobs=1)
