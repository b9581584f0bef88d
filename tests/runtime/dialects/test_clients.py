"""The real clients of other servers, each in a process of its own, against a real server on loopback."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import Model

from .. import bundles
from ..test_main import serving

HERE = Path(__file__).parent / "clients"
CLIENTS = Path(__file__).parents[3] / ".venv-clients"

pytestmark = pytest.mark.skipif(
    not (CLIENTS / "installed").exists(), reason="the environment of other servers' clients is not there: make clients"
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[str]:
    """A server of every model, whose default is cost."""
    where = tmp_path_factory.mktemp("served")
    for folder in root.iterdir():
        (where / folder.name).symlink_to(folder)
    (where / "default").symlink_to(root / "cost")
    with serving(str(where)) as (_, client):
        yield str(client.base_url).rstrip("/")


def driven(script: str, url: str) -> Any:
    """What a client's script prints."""
    done = subprocess.run(
        [CLIENTS / "bin" / "python", HERE / script, url],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1", "HOME": os.environ.get("HOME", "/")},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_tritonclient(url: str, every: dict[str, Model]) -> None:
    found = driven("triton.py", url)
    assert (found["live"], found["ready"], found["model"]) == (True, True, [True, False])
    assert "binary_tensor_data" in found["server"]["extensions"]
    assert len(found["metadata"]["inputs"]) == 9
    assert {model["name"] for model in found["index"]} == {"both", "cost", "costs", "default", "flights", "twice"}
    rows = {
        "dep time": [1.5, 2.5],
        "d.e": [-2.0, 1e-3],
        "`q`": [1, 2],
        "naïve 航班": [3.0, -3.0],
        "gap": [np.nan, 0.5],
        "capped": [4.5, 0.0],
        "carrier": ["UA", "naïve"],
        "code": [2, 2**53 + 1],
        "flag": [True, False],
    }
    flights = every["flights"]
    assert len(found["answers"]) == 8
    for label, answer in found["answers"].items():
        names = ["predict", "predict_proba"]
        assert answer == {
            "id": "r 7",
            "version": bundles.VERSION,
            "names": names if label.startswith("all") else names[::-1],
            "predict": flights.predict(rows).tolist(),
            "predict_proba": flights.predict_proba(rows).tolist(),
        }
    expected = every["cost"].predict(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    assert list(found["matrix"].values()) == [expected] * 8
    assert found["unknown column"] == ["400", "$.inputs[1]: unknown field 'z'"]
    assert found["unknown model"][0] == "404"
    assert found["unknown output"] == ["400", "expected outputs among predict, found another"]


def test_kserve(url: str, every: dict[str, Model]) -> None:
    found = driven("kserve_client.py", url)
    some = every["cost"].predict([{"x": 1, "y": 2}, {"x": 3.5, "y": None}]).tolist()
    assert found["v1"] == {
        "live": True,
        "model": True,
        "unknown": 404,
        "dicts": {"predictions": some},
        "lists": {"predictions": some},
        "refused": 400,
    }
    second = found["v2"]
    assert (second["live"], second["ready"], second["model"], second["refused"]) == (True, True, [True, False], 400)
    others = every["cost"].predict([{"x": 1, "y": 2}, {"x": 3, "y": 4}]).tolist()
    assert list(second["answers"].values()) == [["r-7", others]] * 6


def test_mlflow(url: str, every: dict[str, Model]) -> None:
    found = driven("mlflow_client.py", url)
    missing = every["cost"].predict([{"x": 1, "y": 2}, {"x": 3, "y": None}]).tolist()
    filled = every["cost"].predict([{"x": 1, "y": 2}, {"x": 3, "y": 0.5}]).tolist()
    assert found.pop("version")
    assert "error code 400" in found["refused"]
    assert '"error_code":"INVALID_PARAMETER_VALUE"' in found.pop("refused")
    assert found == {
        **dict.fromkeys(("frame", "frame again", "records", "csv"), missing),
        **dict.fromkeys(("array", "list", "split"), filled),
    }
