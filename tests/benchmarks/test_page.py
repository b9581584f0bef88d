"""The page: whole, alone, and escaped."""

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.charts import Bar, Point, bars, curves, growth
from benchmarks.page import html
from benchmarks.results import Decision, Entry, Failure, Interval, Results, at, read, write
from benchmarks.statistics import latency
from tests.benchmarks.test_report import RESULTS

VOID = {"meta"}
HOSTILE = "<script>alert(1)</script>\"'><img src=http://example.org/x onerror=y>&amp;"
LIMIT = Decision("flights", "predict_json", "p95 / raw run", 1.2, "over", Interval(1.4, 1.3, 1.5, 8), "because")


class Parsed(HTMLParser):
    """A page's tags, attributes and texts; fails where one tag is not closed by its own."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open it."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the one that was opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep it."""
        self.texts.append(data)


def renamed(name: str) -> Results:
    """The results, of a model with another name."""
    entries = tuple(msgspec.structs.replace(entry, model=name) for entry in RESULTS.entries)
    return msgspec.structs.replace(RESULTS, entries=entries, checked={name: name}, peers=entries[:1])


def test_the_page_has_limits_machine_figures_bars_and_curves() -> None:
    """And each failure with its reason; and what is in a file of today as of yesterday."""
    page = Parsed(html(msgspec.structs.replace(RESULTS, decisions=(LIMIT,))))
    said = "\n".join(page.texts)
    for expected in (
        "1.4 (1.3 to 1.5)",
        "because",
        "A Processor, 2 cores",
        "2.4",
        "there is no pipeline.joblib",
        "P99",
    ):
        assert expected in said
    assert page.tags.count("svg") == 3
    assert ("class", "over") in page.attributes
    assert "raw run: 0.8 (0.769 to 0.833)" in said
    assert "None in this file" not in said
    assert "None in this file" in html(RESULTS)


def test_the_page_fetches_nothing() -> None:
    """No address, no script, and a policy that would forbid both; colours for light and for dark."""
    whole = html(RESULTS)
    page = Parsed(whole)
    assert not {"script", "link", "img", "iframe", "object", "image", "use"} & set(page.tags)
    assert not {"href", "src", "xlink:href", "srcset", "style"} & {name for name, _ in page.attributes}
    assert not re.search(r"https?:|//|url\(|@import", whole)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert "prefers-color-scheme: dark" in whole


def test_a_hostile_name_is_text() -> None:
    """Of a model, as of a subject."""
    plain, page = Parsed(html(renamed("plain"))), Parsed(html(renamed(HOSTILE)))
    assert page.tags == plain.tags
    assert [name for name, _ in page.attributes] == [name for name, _ in plain.attributes]
    assert f"{HOSTILE}: predict_json" in page.texts
    drawn = curves(HOSTILE, {HOSTILE: [(50.0, 1.0)]})
    assert [text.text for text in drawn.iter("title")] == [HOSTILE, HOSTILE]


GROWN = Entry(
    "growth",
    "trees",
    values={
        "exponent": Interval(1.02, 1.0, 1.1, 8),
        at("µs", 1): Interval(9, 8, 10, 8),
        at("µs", 10): Interval.exact(80),
    },
)


def test_growth_is_plotted_beside_what_would_be_linear() -> None:
    """And where a size failed, the page says why; several runs are one page."""
    failed = Entry("growth", "rows", failures={"100": Failure("expected the answers, found others", True)})
    grown = msgspec.structs.replace(RESULTS, entries=(), growth=(GROWN, failed))
    page = Parsed(html(grown, RESULTS))
    said = "\n".join(page.texts)
    assert "By trees, exponent 1.02 (1 to 1.1)" in said
    assert "100: expected the answers, found others" in said
    assert page.tags.count("svg") == 4
    assert page.tags.count("h1") == 1


def test_twice_the_size_at_twice_the_cost_is_on_the_line() -> None:
    """Amounts of time are said in the unit that keeps them short."""
    points = [Point(size, 900.0 * size, 800.0 * size, 1000.0 * size) for size in (1, 10, 100)]
    drawn = growth("t", "µs", points)
    straight, measured = (part for part in drawn.iter("polyline") if part.find("title") is not None)
    ends = [place.split() for place in (straight.attrib["points"], measured.attrib["points"])]
    assert ends[0] == [ends[1][0], ends[1][-1]]
    assert "10 ms" in [text.text for text in drawn.iter("text")]


def test_the_percentiles_reach_as_far_as_there_are_calls() -> None:
    """And no further: of a hundred calls one lies beyond P99."""
    times = np.arange(1, 1001, dtype=np.int64) * 1000
    for calls, last in ((1000, 99.9), (100, 99), (10, 90), (1, None)):
        found = latency([times[:calls]]).percentiles
        assert (found[-1][0] if found else None) == last
        assert [micros for _, micros in found] == sorted(micros for _, micros in found)
    assert dict(latency([times]).percentiles)[99.9] == pytest.approx(999, rel=2e-3)


def test_an_older_file_is_read_and_drawn(tmp_path: Path) -> None:
    """Without percentiles and decisions: three points a curve."""
    file, page = tmp_path / "old.json", tmp_path / "new/page.html"
    write(RESULTS, file)
    tree = msgspec.json.decode(file.read_bytes())
    del tree["decisions"]
    for entry in tree["entries"]:
        for found in entry["latencies"].values():
            del found["percentiles"]
    file.write_bytes(msgspec.json.encode(tree))
    assert read(file) == RESULTS
    assert main(["render", str(file), "--html", str(page)]) == 0
    lines = re.findall(r'points="([^"]*)"><title>pipetwin', page.read_text())
    assert [len(line.split()) for line in lines] == [3]


def test_a_tail_rises_from_left_to_right() -> None:
    """Each nine takes the same room."""
    drawn = curves("t", {"a": [(90.0, 10.0), (99.0, 100.0), (99.9, 1000.0)]})
    (line,) = (part for part in drawn.iter("polyline") if part.find("title") is not None)
    (x1, y1), (x2, y2), (x3, y3) = (map(float, point.split(",")) for point in line.attrib["points"].split())
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)
    assert x1 < x2
    assert y1 > y2


def test_bars_start_at_ours_and_stay_on_the_chart() -> None:
    """Those of one block too, whose interval has no end."""
    drawn = bars("t", [Bar("slower", 4.0, 3.0, 5.0), Bar("faster", 0.5, 0.4, 0.6), Bar("one", 2.0, 0.0, float("inf"))])
    spans = [(float(r.attrib["x"]), float(r.attrib["x"]) + float(r.attrib["width"])) for r in drawn.iter("rect")]
    slower, faster, _ = spans
    assert slower[0] == pytest.approx(faster[1], abs=0.2)
    assert slower[1] - slower[0] == pytest.approx(2 * (faster[1] - faster[0]), abs=0.3)
    for line in drawn.iter("line"):
        assert 200 <= float(line.attrib["x1"]) <= float(line.attrib["x2"]) <= 700


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2; the README is not touched when a page was asked for."""
    file = tmp_path / "results.json"
    write(RESULTS, file)
    assert main(["render", str(file), "--html", str(tmp_path)]) == 2
    assert "expected to write a page to" in capsys.readouterr().err
