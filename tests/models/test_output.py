from pathlib import Path

import joblib
import pandas as pd
import pytest

from models.errors import OutputError
from models.output import check_writable, write_pipeline, write_rows

ROWS = pd.DataFrame({"number": [1.5, None], "word": ["a", None]}, index=[7, 3])


def test_files_are_written_with_their_folders_and_nothing_beside(tmp_path: Path) -> None:
    pipeline, rows = tmp_path / "a" / "b" / "p.joblib", tmp_path / "a" / "rows.parquet"
    check_writable(pipeline, rows)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    write_pipeline({"any": "object"}, pipeline)
    write_rows(ROWS, rows)
    assert joblib.load(pipeline) == {"any": "object"}
    pd.testing.assert_frame_equal(pd.read_parquet(rows), ROWS.reset_index(drop=True))
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {pipeline, rows}


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "p.joblib"
    write_pipeline("the old one", path)
    with pytest.raises(Exception, match="lambda"):
        write_pipeline(["x" * 100_000, lambda: None], path)  # joblib fails after it has written some bytes
    assert joblib.load(path) == "the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "p.joblib"
    with pytest.raises(OutputError) as caught:
        check_writable(path)
    assert str(caught.value).startswith(f"expected to write {path}, found: ")
    with pytest.raises(OutputError):
        write_pipeline("anything", path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder; name a file in it"):
        check_writable(tmp_path)


def test_two_outputs_are_two_files(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="named twice"):
        check_writable(tmp_path / "p", tmp_path / "q", tmp_path / "." / "p")


def test_a_file_is_replaced_and_never_written_into(tmp_path: Path) -> None:
    path, other_name = tmp_path / "p.joblib", tmp_path / "other"
    write_pipeline("the old one", path)
    other_name.hardlink_to(path)  # stands for a reader that has the file open
    write_pipeline("the new one", path)
    assert joblib.load(path) == "the new one"
    assert joblib.load(other_name) == "the old one"
