"""Small data that the tests of meta-estimators and trees share."""

import numpy as np
import pandas as pd

RNG = np.random.default_rng(3)
X = RNG.normal(size=(150, 5))
NUMBER = X @ np.array([1.0, -2.0, 0.5, 0.0, 3.0]) + RNG.normal(scale=0.3, size=150)
TWO_NUMBERS = np.column_stack([NUMBER, X[:, 1] - NUMBER])
BINARY = (NUMBER > 0).astype(int)
YES_NO = np.array(["no", "yes"])[BINARY]
THREE = np.array(["low", "middle", "high"])[np.digitize(NUMBER, [-2.0, 2.0])]
FOUR = np.digitize(NUMBER, [-3.0, 0.0, 3.0]) * 10
MULTI_LABEL = np.column_stack([BINARY, (X[:, 2] > 0.2).astype(int), (X[:, 3] > X[:, 0]).astype(int)])
GAPS = np.where(RNG.random(X.shape) < 0.15, np.nan, X)


def categories() -> pd.DataFrame:
    """A number beside pandas' categories: strings with gaps, and numbers."""
    drawn = np.random.default_rng(5)
    strings = drawn.choice(["p", "q", "r", "s"], 300).astype(object)
    strings[::29] = None
    numbers = pd.Categorical(drawn.choice([3, 7, 11], 300))
    return pd.DataFrame({"a": drawn.normal(size=300), "c": pd.Categorical(strings), "d": numbers})
