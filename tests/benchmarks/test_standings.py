"""The peers' tables, for people as in the README and on the page."""

import msgspec

from benchmarks import report
from benchmarks.page import html
from benchmarks.results import Entry, Failure, Interval, Latency
from benchmarks.standings import standings
from tests.benchmarks.test_report import RESULTS


def latency(p50: float, cpu: float | None = None) -> Latency:
    return Latency(10, 2, p50, p50, p50, p50, p50, cpu)


PEERS = (
    Entry(
        "flights",
        "http 1",
        {"pipetwin": latency(200, 150), "slow": latency(2000, 1500), "quick": latency(180, 120)},
        {"p50 / slow": Interval(0.1, 0.1, 0.1, 6), "p50 / quick": Interval(1.25, 1, 2, 6)},
        {"wrong": Failure("expected the answers, found others", wrong=True)},
        notes={"slow": "slow 1.2"},
    ),
    Entry(
        "flights",
        "http 16",
        {"pipetwin": latency(900, 100), "slow": latency(90000, 1400), "quick": latency(800, 80)},
        {"cpu / slow": Interval(1 / 14, 0.07, 0.08, 6), "cpu / quick": Interval(1.25, 1, 2, 6)},
        {"wrong": Failure("expected the answers, found others", wrong=True)},
        notes={"slow": "slow 1.2"},
    ),
    Entry("flights", "scores 1", {"pipetwin": latency(10), "lleaves": latency(9)}),
)


def test_ours_comes_first_then_the_quickest_and_then_the_reasons() -> None:
    """Each peer once, with how many times ours it takes; one that failed has no figure, and no zero."""
    http, inside = standings(PEERS)
    assert http[0][2:] == (
        "processor µs a request, 16 connections",
        "times ours",
        "P50 µs, 1 connection",
        "times ours",
        "remarks",
    )
    assert http[1:] == [
        ("flights", "pipetwin", "100.0", "", "200.0", "", ""),
        ("flights", "quick", "80.0", "0.80", "180.0", "0.80", ""),
        ("flights", "slow", "1,400.0", "14.00", "2,000.0", "10.00", "slow 1.2"),
        ("flights", "wrong", "-", "", "-", "", "expected the answers, found others"),
    ]
    assert inside[1:] == [
        ("flights", "pipetwin", "10.0", "", "-", "", ""),
        ("flights", "lleaves", "9.0", "", "-", "", ""),
    ]
    assert standings(PEERS[2:]) == [inside]
    assert standings(()) == []


def test_peers_are_in_the_text_the_readme_and_the_page() -> None:
    """With their remarks, and their bars."""
    results = msgspec.structs.replace(RESULTS, peers=PEERS)
    row = "| flights | slow | 1,400.0 | 14.00 | 2,000.0 | 10.00 | slow 1.2 |"
    assert row in report.markdown(results)
    assert row not in report.markdown(RESULTS)
    assert row.strip("| ").split(" | ") in [line.split(maxsplit=6) for line in report.text(results).splitlines()]
    page = html(results)
    for expected in ("slow: slow 1.2", "slow: 14 (12.5 to 14.3)", "expected the answers, found others"):
        assert expected in page
