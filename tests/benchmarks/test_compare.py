"""Two runs: what moved, and what only seemed to."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.__main__ import main
from benchmarks.compare import compare, comparison
from benchmarks.results import Entry, Failure, Interval, Results, write
from tests.benchmarks.test_report import MACHINE, RESULTS


def about(median: float, part: float = 0.05, blocks: int = 16) -> Interval:
    """A median that may be off by a part of it."""
    return Interval(median, median * (1 - part), median * (1 + part), blocks)


def run(same: float | None = None, machine: Any = MACHINE, path: str = "predict_json", **values: Interval) -> Results:
    """One path of one model; in a value's name, ``_per_`` stands for `` / ``."""
    named = {name.replace("_per_", " / ").replace("_", " "): value for name, value in values.items()}
    return with_entry(Entry("flights", path, values=named, same=same), machine)


def with_entry(entry: Entry, machine: Any = MACHINE) -> Results:
    """Results of one entry."""
    return msgspec.structs.replace(RESULTS, entries=(entry,), machine=machine)


OLD = run(p50_per_raw_run=about(1.3), cpu_per_echo=about(2.5), kept=Interval.exact(0), bundle_MB=Interval.exact(3))


def verdicts(old: Results, new: Results) -> dict[str, str]:
    """By figure."""
    return {change.name: change.verdict for change in compare(old, new).changes}


def test_identical_results_move_nothing() -> None:
    """And could hide no more than their intervals."""
    found = compare(OLD, OLD)
    assert found.exit_code == 0
    assert {change.verdict for change in found.changes} == {"same"}
    assert comparison(found) == (
        "flights, predict_json: 4 figures did not move by more than noise; up to 1.11 times could hide in p50 / raw run"
    )


@pytest.mark.parametrize(("factor", "verdict", "code"), [(1.3, "worse", 1), (1 / 1.3, "better", 0), (1.06, "same", 0)])
def test_a_slow_down_of_30_percent_is_found(factor: float, verdict: str, code: int) -> None:
    """In the figure that has it, and so is the opposite; less than the intervals is noise."""
    new = run(p50_per_raw_run=about(1.3 * factor), cpu_per_echo=about(2.5))
    old = run(p50_per_raw_run=about(1.3), cpu_per_echo=about(2.5))
    assert verdicts(old, new) == {"p50 / raw run": verdict, "cpu / echo": "same"}
    assert compare(old, new).exit_code == code


@pytest.mark.parametrize(
    ("path", "factor", "verdict"),
    [
        ("instructions", 1.03, "worse"),
        ("instructions", 1.01, "same"),
        ("instructions", 0.9, "better"),
        ("memory", 1.2, "worse"),
        ("memory", 1.05, "same"),
    ],
)
def test_counts_and_memory_are_exact_and_their_controls_are_not_ours(path: str, factor: float, verdict: str) -> None:
    """A count moves by less than memory does; what a control takes is neither better nor worse."""

    def found(by: float) -> Results:
        names = {"request, CPython 3.11": by, "request / plain handler": by, "worker MB": by}
        controls = {"plain handler, CPython 3.11": by**9, "float32 bytes a node": by**9}
        values = {name: Interval.exact(100 * value) for name, value in {**names, **controls}.items()}
        return with_entry(Entry("flights", path, values=values))

    changes = verdicts(found(1.0), found(factor))
    assert changes == dict.fromkeys(["request, CPython 3.11", "request / plain handler", "worker MB"], verdict)


def test_a_control_that_differs_from_itself_is_trusted_no_further() -> None:
    """In either run."""
    old, new = run(p50_per_raw_run=about(1.3)), run(same=1.3, p50_per_raw_run=about(1.3 * 1.3))
    assert verdicts(old, new) == {"p50 / raw run": "same"}
    assert verdicts(new, run(p50_per_raw_run=about(1.3 * 1.7))) == {"p50 / raw run": "same"}


def test_too_few_blocks_decide_nothing() -> None:
    """However far it moved, and if it did not."""
    for factor in (1.0, 3.0):
        found = compare(run(p95_per_echo=about(2)), run(p95_per_echo=about(2 * factor, blocks=5)))
        assert found.exit_code == 3
        assert "5 blocks are too few; expected 6 in both runs" in comparison(found)


@pytest.mark.parametrize(("factor", "code"), [(1.0, 0), (0.5, 0), (1.5, 3)])
def test_three_starts_are_apart_or_say_nothing(factor: float, code: int) -> None:
    """They are too few to say that a start takes longer, and would always be."""
    old = run(path="start", cold_per_floor=about(1.2, blocks=3))
    assert compare(old, run(path="start", cold_per_floor=about(1.2 * factor, blocks=3))).exit_code == code


def test_what_would_hide_a_doubling_is_not_green() -> None:
    """Unless another ratio of the path is steadier."""
    wide = about(2, part=0.5)
    found = compare(run(p99_per_echo=wide), run(p99_per_echo=wide))
    assert found.exit_code == 3
    assert "even the steadiest would hide that ours takes 3 times as long" in comparison(found)
    both = run(p99_per_echo=wide, cpu_per_echo=about(2))
    assert compare(both, both).exit_code == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"processor": "Another"}, "Another machine: A Processor, 2 cores, 8 GB, then Another, 2 cores, 8 GB."),
        ({"load": "asyncio client"}, "Another load generator: wrk, then asyncio client."),
    ],
)
def test_another_machine_is_said_and_decides_nothing_about_time(change: dict[str, str], said: str) -> None:
    """A size is a size everywhere."""
    machine = msgspec.structs.replace(MACHINE, **change)
    sizes: dict[str, Any] = {"bundle_MB": Interval.exact(3), "pss_MB": Interval.exact(100)}
    old = run(p50_per_raw_run=about(1.3), **sizes)
    found = compare(old, run(machine=machine, p50_per_raw_run=about(9), **sizes))
    assert found.exit_code == 3
    assert said in comparison(found)
    larger = run(machine=machine, bundle_MB=Interval.exact(4), pss_MB=Interval.exact(200))
    assert verdicts(old, larger) == {"p50 / raw run": "undecided", "bundle MB": "worse", "pss MB": "undecided"}


def test_versions_and_seeds_that_differ_are_said_and_do_not_decide() -> None:
    """They may be the reason."""
    new = msgspec.structs.replace(OLD, seed=5, machine=msgspec.structs.replace(MACHINE, versions={"numpy": "3"}))
    found = compare(OLD, new)
    assert found.differences == ("numpy: 2.4, then 3.", "seed: 4, then 5.")
    assert found.exit_code == 0


@pytest.mark.parametrize(
    ("name", "old", "new", "verdict"),
    [
        ("kept", 0, 1, "worse"),
        ("kept", 0, 0.009, "same"),
        ("failed", 0, 0.0001, "worse"),
        ("bundle_MB", 3, 3.02, "same"),
        ("bundle_MB", 3, 3.2, "worse"),
        ("bundle_MB", 3, 2, "better"),
        ("pss_MB", 100, 104, "same"),
        ("pss_MB", 100, 106, "worse"),
    ],
)
def test_exact_values_have_a_slack_of_their_own(name: str, old: float, new: float, verdict: str) -> None:
    """And no interval."""
    before: dict[str, Any] = {name: Interval.exact(old)}
    after: dict[str, Any] = {name: Interval.exact(new)}
    found = verdicts(run(**before), run(**after))
    assert list(found.values()) == [verdict]


def test_what_is_no_longer_answered_is_worse_and_what_is_no_longer_measured_undecided() -> None:
    """Each with its reason; what is new is only said."""
    broken = with_entry(Entry("flights", "predict_json", failures={"pipetwin": Failure("expected a server")}))
    found = compare(OLD, broken)
    assert found.exit_code == 1
    assert "expected a server" in comparison(found)
    assert compare(OLD, run(cpu_per_echo=about(2.5))).exit_code == 3
    assert compare(run(cpu_per_echo=about(2.5)), OLD).exit_code == 0


def test_peers_are_compared_apart_from_the_controls() -> None:
    """Their paths have the same names."""
    path = Entry("flights", "http 1", values={"p50 / echo": about(2)})
    beside = Entry("flights", "http 1", values={"p50 / fastapi": about(0.1)})
    old = msgspec.structs.replace(with_entry(path), peers=(beside,))
    slower = msgspec.structs.replace(beside, values={"p50 / fastapi": about(0.13)})
    found = compare(old, msgspec.structs.replace(old, peers=(slower,)))
    assert [(c.path, c.verdict) for c in found.changes] == [("http 1", "same"), ("http 1, beside peers", "worse")]


def test_nothing_in_common_is_not_green() -> None:
    """And amounts of time, beside which nothing was measured, are nothing."""
    found = compare(run(p95_ms=about(1)), run(p95_ms=about(9)))
    assert found.exit_code == 3
    assert comparison(found) == "There is nothing that both runs measured."


def test_files_are_compared_and_a_bad_one_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit codes 1 and 2."""
    old, new, bad = tmp_path / "old.json", tmp_path / "new.json", tmp_path / "bad.json"
    write(OLD, old)
    write(run(p50_per_raw_run=about(1.3 * 1.3)), new)
    bad.write_text("{")
    assert main(["compare", str(old), str(new)]) == 1
    assert "1.3 (1.18 to 1.44)" in capsys.readouterr().out
    for wrong in (bad, tmp_path / "absent.json"):
        assert main(["compare", str(old), str(wrong)]) == 2
        said = capsys.readouterr().err
        assert said.startswith("python -m benchmarks: expected the results of a run in")
        assert said.count("\n") == 1
