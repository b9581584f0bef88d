"""A folder with a pipeline and its sample, for the command line."""

from pathlib import Path

import joblib
import pytest
import skops.io
from sklearn.preprocessing import MinMaxScaler

from .commands import ROWS


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pipeline and its sample, and the process in it."""
    monkeypatch.chdir(tmp_path)
    scaler = MinMaxScaler().fit(ROWS[["a", "b"]])
    joblib.dump(scaler, "p.joblib")
    skops.io.dump(scaler, "p.skops")
    joblib.dump({"model": scaler}, "dict.joblib")
    ROWS.to_parquet("s.parquet")
    return tmp_path
