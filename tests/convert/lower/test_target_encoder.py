"""TargetEncoder beside its twin: each kind of target, strings and numbers."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import TargetEncoder

from .samples import BINARY, NUMBER, RNG, THREE, YES_NO
from .twins import levels, twin_of

ROWS = len(NUMBER)
WORDS = RNG.choice(np.array(["ash", "elm", "oak", None], object), ROWS)
FRAME = pd.DataFrame(
    {
        "tree": RNG.choice(["ash", "elm", "oak"], ROWS),
        "code": RNG.integers(0, 6, ROWS),
        "gap": pd.Series(WORDS, dtype=object),
        "size": RNG.choice([0.5, 1.5, np.nan], ROWS),
        "flag": RNG.random(ROWS) < 0.3,
    }
)


@pytest.mark.parametrize("smooth", ["auto", 0.0, 5.0])
@pytest.mark.parametrize("target", [YES_NO, BINARY, THREE, NUMBER], ids=["words", "binary", "three", "number"])
def test_targets(target: Any, smooth: Any) -> None:
    """With three classes each column becomes three."""
    assert levels(twin_of(TargetEncoder(smooth=smooth).fit(FRAME, target), FRAME)) == {"transform": "bit"}


def test_given_categories_and_target_type() -> None:
    encoder = TargetEncoder(categories=[["oak", "elm", "ash", "fir"]], target_type="continuous")
    frame = FRAME[["tree"]]
    assert levels(twin_of(encoder.fit(frame, BINARY), frame)) == {"transform": "bit"}


@pytest.mark.parametrize("target", [YES_NO, THREE], ids=["two", "three"])
def test_trees_fold_the_table(target: Any) -> None:
    pipeline = make_pipeline(TargetEncoder(), RandomForestClassifier(5, random_state=0))
    twin = twin_of(pipeline.fit(FRAME[["tree", "gap"]], target), FRAME[["tree", "gap"]])
    assert levels(twin)["predict_proba"] == "bit"
    assert "computed" not in twin.scope.folded[0]
