"""A budget is measured when a model is converted: kept and recorded, missed, or not to be told."""

from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

import convert.budget
from convert.budget import Measured, decide
from convert.cli import main
from runtime import Model, load

from .commands import CONVERT

Takes = Callable[[Iterator[int]], None]


@pytest.fixture
def takes(monkeypatch: pytest.MonkeyPatch) -> Takes:
    """Blocks whose P95 are so many nanoseconds."""

    def set_to(lasts: Iterator[int]) -> None:
        monkeypatch.setattr(convert.budget, "_block", lambda model, turns: next(lasts) / 1e3)

    return set_to


def always(*lasts: int) -> Iterator[int]:
    """These, for ever."""
    while True:
        yield from lasts


def test_a_budget_that_is_kept_is_recorded(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Measured in earnest: a scaler of two columns does not take a minute."""
    assert main([*CONVERT, "--budget-p95", "60s"]) == 0
    out = capsys.readouterr().out
    assert "budget: one row takes " in out
    assert "µs at P95, of 60,000,000 that it may\n" in out
    assert load("models/scaler/v1").manifest.budget_p95_us == 60e6


def test_without_one_there_is_none(files: Path) -> None:
    assert main(list(CONVERT)) == 0
    assert load("models/scaler/v1").manifest.budget_p95_us is None


def test_a_budget_that_is_missed_writes_nothing(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Measured in earnest: nothing takes a nanosecond."""
    assert main([*CONVERT, "--budget-p95", "0.001us"]) == 1
    assert "expected one row within 0.001 µs at P95, found " in capsys.readouterr().err
    assert not Path("models/scaler/v1").exists()


def test_what_cannot_be_told_is_neither(files: Path, capsys: pytest.CaptureFixture[str], takes: Takes) -> None:
    takes(always(1_000_000, 3_000_000))
    assert main([*CONVERT, "--budget-p95", "2ms"]) == 3
    said = capsys.readouterr().err
    assert "expected to tell whether one row takes at most 2,000 µs at P95, found 2,000 µs (1,000 to 3,000)" in said
    assert not Path("models/scaler/v1").exists()


def test_a_slow_model_that_was_within_is_over_when_it_takes_30_percent_longer(files: Path, takes: Takes) -> None:
    takes(always(1_700_000, 1_800_000))
    assert main([*CONVERT, "--budget-p95", "2ms"]) == 0
    takes(always(2_210_000, 2_340_000))
    assert main([*CONVERT[:-1], "v2", "--budget-p95", "2ms"]) == 1


def test_what_decides() -> None:
    assert decide(Measured(1.0, 0.9, 1.1), 1.1) is True
    assert decide(Measured(1.0, 0.9, 1.1), 1.0) is None
    assert decide(Measured(1.0, 0.9, 1.1), 0.8) is False


@pytest.mark.parametrize("text", ["2", "ms", "0ms", "2 hours", "1e999s", "nanms"])
def test_what_is_no_time(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*CONVERT, "--budget-p95", text])
    assert ended.value.code == 2
    assert "expected a time such as 2ms, 500us or 0.1s, found" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "found"), [("2ms", 2e3), ("500us", 500.0), ("0.1s", 1e5), ("1.5 ms", 1.5e3)])
def test_times(text: str, found: float) -> None:
    from convert.cli import _microseconds

    assert _microseconds(text) == found


def test_every_call_is_a_row_that_the_model_takes(files: Path) -> None:
    assert main(list(CONVERT)) == 0
    model = load("models/scaler/v1")
    bodies = convert.budget.bodies(model, model.proof)
    assert len(bodies) > 1
    asked: list[bytes] = []

    class Asked(Model):
        def __init__(self) -> None:
            pass

        def predict_json(self, body: bytes, **more: Any) -> bytes:
            asked.append(body)
            return b""

    assert convert.budget._block(Asked(), cycle(bodies)) > 0
    assert len(asked) == convert.budget.CALLS
    assert set(asked) == set(bodies)
