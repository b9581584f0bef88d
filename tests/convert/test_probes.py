"""The probes are where pipelines and graphs come apart, and the canaries hold nothing of the sample."""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from convert import probes
from convert.lower.tables import UNSEEN
from convert.signature import sign
from tests.convert.lower.twins import twin_of

RNG = np.random.default_rng(1)
FRAME = pd.DataFrame({"a": RNG.normal(size=80), "b": RNG.choice(["x", "y"], 80)})
LABELS = (FRAME.a > 0.1).astype(int)
PIPELINE = make_pipeline(
    ColumnTransformer([("a", SimpleImputer(), ["a"]), ("b", OneHotEncoder(handle_unknown="ignore"), ["b"])]),
    DecisionTreeClassifier(max_depth=4, random_state=0),
).fit(FRAME, LABELS)


def drawn() -> dict[str, pd.DataFrame]:
    twin = twin_of(PIPELINE, FRAME)
    edges = {position: np.concatenate(found) for position, found in twin.scope.edges.items()}
    tables = {position: list(table) for position, table in twin.scope.tables.items()}
    return dict(probes.draw(sign(PIPELINE, FRAME), tables, edges))


def test_every_threshold_is_met_on_it_and_one_ulp_to_either_side() -> None:
    """As the request sees it: the imputer has been folded into it."""
    frames = drawn()
    tree = PIPELINE[-1].tree_
    thresholds = tree.threshold[(tree.feature == 0) & (tree.children_left >= 0)]
    values = frames["thresholds"]["a"].to_numpy()
    for threshold in thresholds:
        # The last float64 that the cast to float32 sends left of the threshold.
        below = values[values.astype(np.float32) <= threshold].max()
        above = values[values.astype(np.float32) > threshold].min()
        assert np.nextafter(below, np.inf) == above


def test_odd_values_are_tried_where_the_pipeline_takes_them() -> None:
    """Zeros, subnormal numbers, float32's limit; missing values; unseen and empty categories."""
    frames = drawn()
    numbers = frames["edges"]["a"].to_numpy()
    assert {0.0, 5e-324, 2.0**24 + 1} <= set(numbers)
    assert np.signbit(numbers[numbers == 0]).any()
    assert np.abs(numbers).max() > 3e38
    assert frames["missing"]["a"].isna().any()
    assert {UNSEEN, ""} <= set(frames["categories"]["b"])


def test_drawing_twice_gives_the_same_rows() -> None:
    """A proof can be made again."""
    for first, second in zip(drawn().values(), drawn().values(), strict=True):
        pd.testing.assert_frame_equal(first, second)


def test_canary_rows_are_no_rows_of_the_sample() -> None:
    """They are drawn from ranges and tables."""
    canary = twin_of(PIPELINE, FRAME).proof.canary
    sampled = set(FRAME["a"])
    assert canary.rows
    assert not any(row[0] in sampled for row in canary.rows)
