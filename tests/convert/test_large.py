"""Forests of hundreds of unlimited trees: what they become, and what that takes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier

from runtime import load

CONVERT = """
import json, sys
import joblib, numpy as np
import convert

def memory(which):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(which))

pipeline, sample = joblib.load("forest.joblib"), np.load("sample.npy")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak begins here
before = memory("VmRSS")
proof = convert.convert(pipeline, sample, "forest", version="v")
print(json.dumps([memory("VmHWM") - before, proof.sampled_nodes, proof.level]))
"""


def converted(forest: Any, X: NDArray[np.float64], folder: Path) -> tuple[str, int, int]:
    """Convert in a process of its own, by way of a pickle: the level of the proof, and how many nodes of how many it
    has probed. No more than an eighth of the pickle, and within four times its size in memory."""
    joblib.dump(forest, folder / "forest.joblib")
    np.save(folder / "sample.npy", X)
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", CONVERT], cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": str(root)}
    )
    assert run.returncode == 0, run.stderr
    peak, (probed, nodes), level = json.loads(run.stdout)
    pickled = (folder / "forest.joblib").stat().st_size
    graph = (folder / "forest" / "v" / "model.onnx").stat().st_size
    assert graph <= pickled / 8
    assert peak <= 4 * pickled
    return level, probed, nodes


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_forest_of_500_unlimited_trees(tmp_path: Path) -> None:
    """Its votes are whole numbers, added group by group."""
    X, y = make_classification(20_000, 30, n_informative=12, n_redundant=4, flip_y=0.12, random_state=0)
    forest = RandomForestClassifier(500, random_state=0, n_jobs=2).fit(X, y)
    forest.n_jobs = None
    level, probed, nodes = converted(forest, X, tmp_path)
    assert 500 <= probed < nodes
    assert level == "ulp"  # logarithms of probabilities; the probabilities themselves are identical
    model = load(tmp_path / "forest")
    rows = X[:2000] + np.random.default_rng(0).normal(size=(2000, 30)) / 10
    assert np.array_equal(model.predict_proba(rows), forest.predict_proba(rows))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_regressor_of_100_unlimited_trees(tmp_path: Path) -> None:
    """Four million nodes whose sums are rounded: in two ensembles, the second of which goes on from the first."""
    X, y = make_regression(20_000, 30, n_informative=12, noise=20.0, random_state=0)
    forest = ExtraTreesRegressor(100, random_state=0, n_jobs=2).fit(X, y)
    forest.n_jobs = None
    level, probed, nodes = converted(forest, X, tmp_path)
    assert 100 <= probed < nodes
    assert level == "bit"
    model = load(tmp_path / "forest")
    rows = X[:2000] + np.random.default_rng(0).normal(size=(2000, 30)) / 10
    expected = forest.predict(rows)
    assert np.array_equal(model.predict(rows), expected)
    assert np.array_equal([model.predict(row)[0] for row in rows[:50, np.newaxis]], expected[:50])
