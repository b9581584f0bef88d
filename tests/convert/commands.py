"""What the tests of the command line share."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["CONVERT", "MAIN", "ROWS", "process", "started"]

ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 2)), columns=["a", "b"]).assign(late=range(30))
CONVERT = ("p.joblib", "--sample", "s.parquet", "--target", "late", "--out", "models/scaler", "--version", "v1")

MAIN = "import sys\nfrom convert.cli import main\nsys.exit(main())"
"""The command, for what is to be done before it in its process."""

ROOT = Path(__file__).parents[2]


def started(
    folder: Path,
    *words: str,
    code: str = "",
    stdout: Any = subprocess.PIPE,
    stderr: Any = subprocess.PIPE,
    **variables: str,
) -> subprocess.Popen[str]:
    """``python -m convert`` with those words in a folder; code: what is run in its place; variables: of its
    environment."""
    python = ["-c", code] if code else ["-m", "convert"]
    return subprocess.Popen(
        [sys.executable, *python, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **variables},
        stdout=stdout,
        stderr=stderr,
        text=True,
    )


def process(folder: Path, *words: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """As ``started``, run to its end."""
    with started(folder, *words, **how) as running:
        out, err = running.communicate()
    return subprocess.CompletedProcess(words, running.returncode, out, err)
