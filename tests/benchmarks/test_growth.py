"""Growth: what is linear, what is worse, and what turns the check red."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks import growth, made
from benchmarks.__main__ import main
from benchmarks.compare import compare
from benchmarks.errors import WrongAnswerError
from benchmarks.gate import decisions, exit_code
from benchmarks.growth import LIMIT, Axis, exponent
from benchmarks.measure import Block, Contender
from benchmarks.results import Entry, Interval, at, read, size_of
from tests.benchmarks.test_report import RESULTS

SIZES = (1, 10, 100, 1000)


def noisy(cost: Callable[[int], float], seed: int = 0) -> dict[int, list[float]]:
    """What sizes cost in eight turns, each a twentieth off."""
    drawn = np.random.default_rng(seed)
    return {size: (cost(size) * drawn.lognormal(0, 0.05, 8)).tolist() for size in SIZES}


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (lambda size: 7.0 * size, 1),
        (lambda size: 7.0 * size**2, 2),
        (lambda size: 7.0, 0),
        (lambda size: 7.0 * size * np.log2(size + 1), 1.23),
    ],
)
def test_the_exponent_is_that_of_the_upper_sizes(cost: Callable[[int], float], expected: float) -> None:
    """Within its interval, and whatever the size of one costs."""
    found = exponent(noisy(cost) | {1: [1e6] * 8}, 0)
    assert found.median == pytest.approx(expected, abs=0.04)
    assert found.low <= found.median <= found.high
    assert found.blocks == 8


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.9, 1.1, "within"), (-0.1, 0.1, "within"), (1.1, 1.2, "undecided"), (1.2, 1.4, "over")],
)
def test_worse_than_linear_is_over_on_the_noisiest_machine(low: float, high: float, verdict: str) -> None:
    """All sizes are measured in turn."""
    entry = Entry("growth", "trees", values={"exponent": Interval((low + high) / 2, low, high, 8)})
    (decision,) = decisions(entry, {("trees", "exponent"): LIMIT}, noisy=True)
    assert decision.verdict == verdict


def grown(cost: Callable[[int], float], fails: int | None = None) -> Axis:
    """An axis of an injected clock."""

    def contender(size: int) -> Contender:
        def start() -> Callable[[], Block]:
            if size == fails:
                raise WrongAnswerError("expected the answers, found others")
            return lambda: Block(np.full(10, cost(size) * 1e3, np.int64))

        return Contender(f"{size}", start)

    return Axis("trees", lambda folder, seed: [contender(size) for size in SIZES])


@pytest.mark.parametrize(
    ("axis", "code", "said"),
    [
        (grown(lambda size: 5.0 * size), 0, "within"),
        (grown(lambda size: 5.0 * size**1.5), 1, "over"),
        (grown(lambda size: 5.0, fails=100), 1, "wrong"),
    ],
)
def test_growth_is_judged(
    axis: Axis,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A wrong answer at a size leaves no exponent of the others."""
    monkeypatch.setattr(growth, "AXES", (axis,))
    file = tmp_path / "growth.json"
    assert main(["growth", "trees", "--json", str(file)]) == code
    assert any(line.startswith(said) for line in capsys.readouterr().out.splitlines())
    (entry,) = read(file).growth
    sizes = [found[1] for name in entry.values if (found := size_of(name))]
    assert sizes == ([] if said == "wrong" else list(SIZES))


def test_a_model_made_on_the_spot_is_measured_and_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A one-hot column: a hundred times the categories do not cost a hundred times."""
    monkeypatch.setattr(growth, "AXES", (Axis("categories", growth._one_row(made.categories, (2, 20, 200))),))
    file = tmp_path / "growth.json"
    assert main(["growth", "categories", "--json", str(file)]) == 0
    (entry,) = read(file).growth
    assert entry.latencies.keys() == {"2", "20", "200"}
    assert not entry.failures


def test_an_unknown_axis_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2, and those that there are."""
    assert main(["growth", "leaves"]) == 2
    assert "expected some of features, trees, " in capsys.readouterr().err


@pytest.mark.parametrize(("new", "verdict"), [(1.0, "same"), (1.4, "worse"), (0.6, "better")])
def test_an_exponent_moved_where_the_intervals_do_not_touch(new: float, verdict: str) -> None:
    """On whatever machine."""

    def grew(value: float) -> Entry:
        return Entry(
            "growth",
            "trees",
            values={"exponent": Interval(value, value - 0.1, value + 0.1, 8), at("µs", 1): Interval.exact(5)},
        )

    old, after = (msgspec.structs.replace(RESULTS, entries=(), growth=(grew(value),)) for value in (1.0, new))
    assert [(change.name, change.verdict) for change in compare(old, after).changes] == [("exponent", verdict)]
    assert exit_code([]) == 3
