"""Every kind of file that a sample may lie in, and every sentence that says why it cannot be read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from convert import SampleError
from convert.source import read_sample

X = np.random.default_rng(0).normal(size=(40, 3))

FRAME = pd.DataFrame({"a": [0.1, 1 / 3, 1e-310], "b": ["x", "y", "1"], "y": [0, 1, 0]})


SAMPLES: dict[str, Callable[[Path], object]] = {
    "s.parquet": FRAME.to_parquet,
    "s.feather": FRAME.to_feather,
    "s.csv": lambda path: FRAME.to_csv(path, index=False),
    "s.json": lambda path: FRAME.to_json(path, orient="records", double_precision=15),
    "s.jsonl": lambda path: path.write_text("\n".join(str(row).replace("'", '"') for row in FRAME.to_dict("records"))),
    "S.CSV": lambda path: FRAME.to_csv(path, index=False),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_read(name: str, tmp_path: Path) -> None:
    """To the last bit, with and without the target."""
    if name == "s.json":
        (tmp_path / name).write_text(str(FRAME.to_dict("records")).replace("'", '"'))
    else:
        SAMPLES[name](tmp_path / name)
    pd.testing.assert_frame_equal(read_sample(tmp_path / name), FRAME, check_exact=True)
    assert list(read_sample(str(tmp_path / name), "y").columns) == ["a", "b"]


def test_an_array_is_a_sample(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", X)
    frame = read_sample(tmp_path / "s.npy", "x2")
    assert list(frame.columns) == ["x0", "x1"]
    assert np.array_equal(frame, X[:, :2])


BAD_SAMPLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "s.txt": (
        Path.touch,
        "expected a sample in one of .parquet, .feather, .csv, .json, .jsonl, .npy, found DIR/s.txt: write it as one "
        "of these",
    ),
    "s.csv": (lambda path: None, "expected a sample in DIR/s.csv, found no such file"),
    "s.parquet": (lambda path: None, "expected a sample in DIR/s.parquet, found no such file"),
    "e.csv": (Path.touch, "expected a sample in DIR/e.csv, found: No columns to parse from file"),
    "n.csv": (lambda path: path.write_text("a,b\n"), "expected rows in the sample DIR/n.csv, found none"),
    "s.json": (
        lambda path: path.write_text('{"a": 1}'),
        "expected a sample in DIR/s.json, found: something else than a list of objects",
    ),
    "s.jsonl": (
        lambda path: path.write_text("{"),
        "expected a sample in DIR/s.jsonl, found: Expecting property name enclosed in double quotes: line 1 column 2 "
        "(char 1)",
    ),
    "s.npy": (
        lambda path: np.save(path, X[0]),
        "expected a sample in DIR/s.npy, found: an array of 1 dimensions",
    ),
    "o.npy": (
        lambda path: np.save(path, X.astype(object)),
        "expected a sample in DIR/o.npy, found: Object arrays cannot be loaded when allow_pickle=False",
    ),
}


@pytest.mark.parametrize("name", BAD_SAMPLES)
def test_a_sample_that_is_refused(name: str, tmp_path: Path) -> None:
    write, sentence = BAD_SAMPLES[name]
    write(tmp_path / name)
    with pytest.raises(SampleError) as caught:
        read_sample(tmp_path / name)
    assert str(caught.value).replace(str(tmp_path), "DIR") == sentence


def test_a_damaged_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.parquet").write_bytes(b"PAR1 and so on")
    with pytest.raises(SampleError, match=r"^expected a sample in .*s.parquet, found: \S"):
        read_sample(tmp_path / "s.parquet")


def test_a_target_that_is_not_there(tmp_path: Path) -> None:
    pd.DataFrame([range(12)], columns=[f"c{i}" for i in range(12)]).to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(SampleError) as caught:
        read_sample(tmp_path / "s.csv", "late")
    assert str(caught.value).replace(str(tmp_path), "DIR") == (
        "expected the target 'late' among the columns of the sample DIR/s.csv, found c0, c1, c2, c3, c4, c5, c6, c7, "
        "c8, c9 and 2 more"
    )
