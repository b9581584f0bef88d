import io
import re
from pathlib import Path

import pandas as pd
import pytest

from models import breast_cancer, training
from models.breast_cancer import train as cancer
from models.diabetes import train as diabetes
from models.progress import step
from models.training import draw, split

ROWS = pd.DataFrame({"x": range(1_000), "y": ["rare" if n % 10 == 0 else "common" for n in range(1_000)]})


@pytest.mark.parametrize("count", [100, 333, 999])
def test_a_draw_keeps_the_shares(count: int) -> None:
    drawn = draw(ROWS, count, 0, by="y")
    assert len(drawn) == count == drawn.index.nunique()
    assert abs((drawn["y"] == "rare").sum() - count / 10) <= 1


def test_a_draw_is_the_seeds() -> None:
    assert draw(ROWS, 50, 1).equals(draw(ROWS, 50, 1))
    assert draw(ROWS, 50, 1, by="y").equals(draw(ROWS, 50, 1, by="y"))
    assert not draw(ROWS, 50, 1).equals(draw(ROWS, 50, 2))
    assert not draw(ROWS, 50, 1, by="y").equals(draw(ROWS, 50, 2, by="y"))


def test_a_draw_of_more_than_there_is_is_all() -> None:
    assert draw(ROWS, 5_000, 0, by="y") is ROWS


def test_the_split_is_stratified_and_parts_the_rows() -> None:
    rows = cancer.load_data()
    trained, test = split(cancer.TASK, rows, seed=0)
    assert sorted([*trained.index, *test.index]) == list(rows.index)
    malignant = (rows[cancer.TARGET] == "malignant").mean()
    assert abs((test[cancer.TARGET] == "malignant").sum() - malignant * len(test)) <= 1
    assert abs((trained[cancer.TARGET] == "malignant").sum() - malignant * len(trained)) <= 1


def test_cross_validation_runs_on_no_more_rows_than_it_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "CROSS_VALIDATED_ROWS", 200)
    monkeypatch.setattr(training, "SAMPLE_ROWS", 150)
    assert cancer.main([]) == 0
    printed = capsys.readouterr()
    assert "5 folds on a stratified 200 of the rows trained on" in printed.out
    assert "cross-validating on 200 rows" in printed.err
    assert len(pd.read_parquet("build/breast_cancer/sample.parquet")) == 150
    assert diabetes.main([]) == 0
    assert "5 folds on a random 200 of the rows trained on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--rows", "99"], "argument --rows: expected a whole number from 100, found 99"),
        (["--rows", "many"], "argument --rows: expected a whole number from 100, found 'many'"),
        (["--seed", "-1"], "argument --seed: expected a whole number from 0 to 4294967295, found -1"),
    ],
)
def test_an_argument_that_makes_no_sense_is_named(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cancer.main(arguments)
    assert caught.value.code == 2
    assert expected in capsys.readouterr().err


def test_progress_is_a_spinner_on_a_terminal_and_lines_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with step("counting [all] sheep"):
        pass
    plain = capsys.readouterr()
    assert re.fullmatch(r"counting \[all\] sheep \.\.\.\ncounting \[all\] sheep: \d+\.\d s\n", plain.err)
    assert plain.out == ""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with step("counting"):
        pass
    assert "counting ...\n" not in terminal.getvalue()
    assert re.search(r"counting: \d+\.\d s\n$", terminal.getvalue())


def test_the_names_are_the_folders() -> None:
    folder = Path(str(breast_cancer.__file__)).parent
    assert cancer.TASK.name == folder.name
    assert diabetes.TASK.name == "diabetes"
