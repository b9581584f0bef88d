"""How good a trained pipeline is on rows that it has not seen, and beside what."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, average_precision_score, mean_absolute_error, r2_score, roc_auc_score
from sklearn.pipeline import Pipeline

__all__ = ["Score", "of_classifier", "of_regressor"]


@dataclass(frozen=True)
class Score:
    """beside: what the value is to be held against, in words; empty where the measure says it by itself."""

    name: str
    value: float
    beside: str = ""

    @property
    def key(self) -> str:
        """The name as MLflow takes it."""
        return "test_" + self.name.lower().replace(" ", "_")


def of_classifier(pipeline: Pipeline, X: pd.DataFrame, y: pd.Series) -> tuple[Score, ...]:
    """Of two classes, the second of which is the one that is looked for."""
    wanted = (y == pipeline.classes_[1]).to_numpy()
    probability = pipeline.predict_proba(X)[:, 1]
    rate = float(wanted.mean())
    return (
        Score("ROC AUC", float(roc_auc_score(wanted, probability)), "0.5 for guessing"),
        Score("average precision", float(average_precision_score(wanted, probability)), f"base rate {rate:.4f}"),
        Score("accuracy", float(accuracy_score(y, pipeline.predict(X))), f"commoner class {max(rate, 1 - rate):.4f}"),
    )


def of_regressor(pipeline: Pipeline, X: pd.DataFrame, y: pd.Series) -> tuple[Score, ...]:
    """The error in the target's own unit."""
    answers = pipeline.predict(X)
    guess = float(np.abs(y - y.median()).mean())
    return (
        Score("R2", float(r2_score(y, answers)), "0 for the mean"),
        Score("mean absolute error", float(mean_absolute_error(y, answers)), f"always the median {guess:.4f}"),
    )
