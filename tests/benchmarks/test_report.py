"""Results as files and as text."""

from pathlib import Path

import msgspec
import pytest

from benchmarks import report
from benchmarks.errors import BadInputError
from benchmarks.gate import Decision
from benchmarks.results import Entry, Failure, Interval, Latency, Machine, Results, read, write

MACHINE = Machine("A Processor", 2, 8.0, "Linux 6", "3.11", "3.13", {"numpy": "2.4"}, "abc", "wrk", 0.01, 0.0, 0.02)
RESULTS = Results(
    created="2026-11-23T00:00:00+00:00",
    seed=4,
    seconds=90.0,
    machine=MACHINE,
    entries=(
        Entry(
            "flights",
            "predict_json",
            {"pipetwin": Latency(10, 2, 30, 20, 25, 26, 99), "raw run": Latency(10, 2, 16, 15, 17, 18, 40)},
            {"p50 / raw run": Interval(1.25, 1.2, 1.3, 2), "p95 / raw run": Interval(1.4, 1.3, 1.5, 2)},
            {"scikit-learn": Failure("there is no pipeline.joblib")},
        ),
        Entry("flights", "http 1", failures={"pipetwin": Failure("expected a server, found that it ended")}),
        Entry("flights", "start", values={"bundle MB": Interval.exact(6.1), "cold s": Interval(1, 0.9, 1.1, 3)}),
    ),
    checked={"flights": "scikit-learn's pipeline"},
)


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Into a folder that is made."""
    file = tmp_path / "new/results.json"
    write(RESULTS, file)
    assert read(file) == RESULTS


@pytest.mark.parametrize("text", ["", "{}", '{"format": 2}', "\xff"])
def test_what_is_no_result_is_one_sentence(text: str, tmp_path: Path) -> None:
    """With the file's name."""
    file = tmp_path / "results.json"
    file.write_text(text, "latin-1")
    with pytest.raises(BadInputError, match=r"expected .*results\.json"):
        read(file)


def test_a_failure_is_a_row_that_says_so_and_never_a_zero() -> None:
    """On a terminal as in the tables."""
    for text in (report.text(RESULTS), report.markdown(RESULTS)):
        assert "there is no pipeline.joblib" in text
        assert "found that it ended" in text
        assert "A Processor, 2 cores" in text
        assert " 0.0 " not in text


def test_verdicts_begin_with_what_is_worst() -> None:
    """And say why."""
    text = report.verdicts(
        [
            Decision("m", "p", "a", 1, "within", Interval.exact(0.5), ""),
            Decision("m", "p", "b", 1, "over", Interval(3, 2, 4, 8), "because"),
        ]
    )
    lines = text.splitlines()
    assert [line.split()[0] for line in lines] == ["verdict", "over", "within"]
    assert "3 (2 to 4)" in lines[1]
    assert lines[1].endswith("because")


def test_processor_time_stands_beside_what_it_is_held_to() -> None:
    """Where it is known of ours and of the control."""
    latency = Latency(10, 2, 90, 70, 85, 88, 120, cpu=60.25)
    entry = Entry("m", "oip json 16", {"pipetwin": latency}, {"cpu us beyond echo and run": Interval(-1.5, -3, 2, 8)})
    text = report.markdown(msgspec.structs.replace(RESULTS, entries=(entry,)))
    assert "| m | oip json 16 | 70.0 | 85.0 | 88.0 | processor time 60.2 µs, -1.5 beyond echo and run |" in text
