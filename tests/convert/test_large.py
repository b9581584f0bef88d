"""A forest of 500 unlimited trees: what it becomes, and what that takes."""

import json
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_forest_of_500_unlimited_trees(tmp_path: Path) -> None:
    """An eighth of its pickle, within four times the pickle's size in memory, and the same bits."""
    X, y = make_classification(20_000, 30, n_informative=12, n_redundant=4, flip_y=0.12, random_state=0)
    forest = RandomForestClassifier(500, random_state=0, n_jobs=2).fit(X, y)
    forest.n_jobs = None
    joblib.dump(forest, tmp_path / "forest.joblib")
    np.save(tmp_path / "sample.npy", X)
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", CONVERT], cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(root)}
    )
    assert run.returncode == 0, run.stderr
    peak, (probed, nodes), level = json.loads(run.stdout)
    pickled = (tmp_path / "forest.joblib").stat().st_size
    graph = (tmp_path / "forest" / "v" / "model.onnx").stat().st_size
    assert graph <= pickled / 8
    assert peak <= 4 * pickled
    assert 500 <= probed < nodes
    assert level == "ulp"  # logarithms of probabilities; the probabilities themselves are identical
    model = load(tmp_path / "forest")
    rows = X[:2000] + np.random.default_rng(0).normal(size=(2000, 30)) / 10
    assert np.array_equal(model.predict_proba(rows), forest.predict_proba(rows))
