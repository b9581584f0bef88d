"""Results written into the README and beside it."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.__main__ import main
from benchmarks.documents import BEGIN, END
from benchmarks.headlines import headlines
from benchmarks.results import Entry, Interval, Latency, write

from .test_report import MACHINE, RESULTS


def test_the_readme_keeps_what_is_outside_the_marks(tmp_path: Path) -> None:
    """And rendering twice is rendering once."""
    results, readme = tmp_path / "results.json", tmp_path / "README.md"
    write(RESULTS, results)
    readme.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\n# After\n")
    assert main(["render", str(results), "--readme", str(readme)]) == 0
    once = readme.read_text()
    assert once.startswith("# Before\n\n")
    assert once.endswith(f"{END}\n\n# After\n")
    assert "| flights | - | 20 / 25 | - | - | - | 6.1 | 1 |" in once
    assert "A Processor, 2 cores" in once
    assert "old" not in once
    assert main(["render", str(results), "--readme", str(readme)]) == 0
    assert readme.read_text() == once


def test_the_headlines_are_of_ours_and_of_the_controls() -> None:
    """Each in its column."""
    ours, slow = Latency(10, 2, 30, 20, 25, 26, 99, cpu=54), Latency(10, 2, 3000, 2000, 2500, 2600, 9900, cpu=28)
    entries = (
        Entry("m", "predict_json", {"pipetwin": ours, "scikit-learn": slow}),
        Entry("m", "http 1", {"pipetwin": ours}),
        Entry("m", "http 16", {"pipetwin": ours, "echo": slow}),
    )
    text = headlines([msgspec.structs.replace(RESULTS, entries=entries)])
    assert "| m | 2,000 / 2,500 | 20 / 25 | 20 / 25 | 54 | 28 | - | - |" in text


def test_a_second_run_gives_its_peers(tmp_path: Path) -> None:
    """And no more, with the machine that they were measured on."""
    mine = Latency(10, 2, 30, 20, 25, 26, 99)
    peer = Entry(
        "flights",
        "http 1",
        {"pipetwin": mine, "litserve": Latency(10, 2, 3000, 2000, 2500, 2600, 9900)},
        {"p50 / litserve": Interval(0.01, 0.009, 0.011, 6)},
        notes={"litserve": "litserve 0.2"},
    )
    other = msgspec.structs.replace(
        RESULTS, peers=(peer,), machine=msgspec.structs.replace(MACHINE, processor="Another")
    )
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for results, file in zip((RESULTS, other), files, strict=True):
        write(results, file)
    readme, tables = tmp_path / "README.md", tmp_path / "RESULTS.md"
    readme.write_text(BEGIN + END)
    assert main(["render", *map(str, files), "--readme", str(readme), "--tables", str(tables)]) == 0
    whole = tables.read_text()
    assert "| flights | predict_json | 20.0 | 25.0 | 26.0 | raw run 15.0 µs (0.80); scikit-learn: there" in whole
    assert "| flights | 6.1 | - | 1 | - |" in whole
    assert whole.count("| flights | predict_json | 20.0") == 1
    assert "litserve 0.2" in whole.split("A Processor")[1].split("Another")[0]
    short = readme.read_text()
    assert "| flights | litserve | - |  | 2,000.0 | 100.00 |" in short
    assert "litserve 0.2" not in short
    assert short.index("litserve") < short.index("A Processor") < short.index("Another")


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}" * 2])
def test_a_readme_without_the_marks_is_left_alone(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a sentence and exit code 2."""
    results, readme = tmp_path / "results.json", tmp_path / "README.md"
    write(RESULTS, results)
    readme.write_text(text)
    assert main(["render", str(results), "--readme", str(readme)]) == 2
    assert readme.read_text() == text
    assert "once each, in" in capsys.readouterr().err


def test_tables_that_cannot_be_written_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder, say."""
    write(RESULTS, tmp_path / "results.json")
    assert main(["render", str(tmp_path / "results.json"), "--tables", str(tmp_path)]) == 2
    assert f"expected a file that can be written at {tmp_path}" in capsys.readouterr().err
