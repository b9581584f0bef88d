"""Interleaving, comparison by block, and failures, with samples and clocks made up."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.errors import FailedError, WrongAnswerError
from benchmarks.measure import ENOUGH, Block, Contender, Path, calm, measure, timed


def block(times: list[int], **changes: Any) -> Block:
    return Block(np.array(times, np.int64), **changes)


def fixed(name: str, microseconds: float, **changes: Any) -> Contender:
    """Every call takes that long."""
    return Contender(name, lambda: lambda: block([int(microseconds * 1000)] * 10, **changes))


def test_ratios_are_taken_block_by_block() -> None:
    """A machine that slows down by ten half way changes no ratio."""
    turn = [0]

    def slowing(microseconds: float) -> Callable[[], Callable[[], Block]]:
        def one() -> Block:
            turn[0] += 1
            return block([int(microseconds * (1000 if turn[0] <= 8 else 10_000))] * 5)

        return lambda: one

    path = Path("m", "predict_json", [Contender("pipetwin", slowing(26)), Contender("raw run", slowing(20))])
    entry = measure(path, seed=1)
    ratio = entry.values["p95 / raw run"]
    assert (ratio.median, ratio.low, ratio.high, ratio.blocks) == (1.3, 1.3, 1.3, 8)
    assert entry.latencies["pipetwin"].p95 == pytest.approx(260, rel=1e-3)


def test_every_subject_has_its_turn_in_every_block() -> None:
    """In an order drawn anew, the same for the same seed."""

    def order(seed: int) -> list[str]:
        seen: list[str] = []

        def noting(name: str) -> Contender:
            def one() -> Block:
                seen.append(name)
                return block([1000])

            return Contender(name, lambda: one)

        measure(Path("m", "p", [noting("a"), noting("b"), noting("c")]), seed)
        return seen

    found = order(3)
    turns = [found[start : start + 3] for start in range(0, len(found), 3)]
    assert len(turns) == 8
    assert all(sorted(turn) == ["a", "b", "c"] for turn in turns)
    assert len({tuple(turn) for turn in turns}) > 1
    assert found == order(3)


def test_blocks_are_added_until_there_are_enough() -> None:
    """As many again, and not for ever."""
    path = Path("m", "p", [fixed("pipetwin", 2), fixed("raw run", 1)])
    assert measure(path, 0).values["p95 / raw run"].blocks == 8
    assert measure(path, 0, lambda e: e.values["p95 / raw run"].blocks >= 16).values["p95 / raw run"].blocks == 16
    assert measure(path, 0, lambda e: False).values["p95 / raw run"].blocks == 32
    many = Path("m", "p", path.subjects, blocks=16)
    assert measure(many, 0).values["p95 / raw run"].blocks == 16
    assert measure(many, 0, hurry=True).values["p95 / raw run"].blocks == 8


def test_a_control_beside_itself_says_how_far_to_trust_the_machine() -> None:
    """As a factor, whichever of the two seemed slower."""
    for other in (8.0, 12.5):
        path = Path("m", "p", [fixed("pipetwin", 20), fixed("echo", 10), fixed("echo again", other)])
        entry = measure(path, 0)
        assert entry.same == pytest.approx(1.25)
        assert "p95 / echo again" not in entry.values
    assert measure(Path("m", "p", [fixed("pipetwin", 20)]), 0).same is None


def test_what_fails_before_or_during_is_a_failure_and_never_a_figure() -> None:
    """Also when it had been measured before; and a wrong answer is told from no answer."""
    turns = iter([block([1000])] * 3)

    def later() -> Block:
        try:
            return next(turns)
        except StopIteration as error:
            raise FailedError("it stopped answering") from error

    def wrong() -> Callable[[], Block]:
        raise WrongAnswerError("it answered 2")

    entry = measure(
        Path(
            "m",
            "p",
            [fixed("pipetwin", 1), Contender("a", lambda: later), Contender("b", wrong)],
            {"scikit-learn": "there is no pipeline"},
        ),
        0,
    )
    assert set(entry.latencies) == {"pipetwin"}
    assert {name: (f.reason, f.wrong) for name, f in entry.failures.items()} == {
        "scikit-learn": ("there is no pipeline", False),
        "a": ("it stopped answering", False),
        "b": ("it answered 2", True),
    }
    assert not any("/" in name for name in entry.values)


def test_blocks_that_waited_do_not_count_where_others_did_not() -> None:
    """The choice looks at waiting alone, never at times."""
    quiet, waited = block([1000], waited=0.01), block([9000], waited=0.5)
    mine = [quiet] * ENOUGH + [waited] * 3
    assert calm(mine, [quiet] * (ENOUGH + 3)) == [(quiet, quiet)] * ENOUGH
    few = [quiet] * (ENOUGH - 1) + [waited] * 3
    assert len(calm(few, [quiet] * (ENOUGH + 2))) == ENOUGH + 2


def test_times_without_waiting_make_a_ratio_of_their_own() -> None:
    """Where they are known of both."""
    net = {"net": np.array([1000] * 10, np.int64)}
    path = Path("m", "http 1", [fixed("pipetwin", 5, **net), fixed("echo", 4, net=net["net"] * 2)])
    assert measure(path, 0).values["net p95 / echo"].median == 0.5
    assert "net p95 / echo" not in measure(Path("m", "p", [fixed("pipetwin", 5, **net), fixed("echo", 4)]), 0).values


def test_requests_that_failed_are_counted() -> None:
    """They are no latency, and the part that succeeded says so."""
    entry = measure(Path("m", "http 1", [fixed("pipetwin", 5, cpu=40.0, failed=10), fixed("echo", 4, cpu=20.0)]), 0)
    assert entry.values["failed"].median == 0.5
    assert entry.latencies["pipetwin"].success == 0.5
    assert entry.latencies["echo"].success == 1
    assert entry.values["cpu / echo"].median == 2
    assert entry.values["cpu us beyond echo"].median == 20


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def test_a_call_is_timed_by_itself_and_its_answer_checked() -> None:
    """Checking takes no time that is counted; every input is checked before the first block."""
    clock, checked = Clock(), []

    def call(given: int) -> int:
        clock.now += given * 1000
        return given * 2

    def check(index: int, answer: int) -> None:
        clock.now += 10**9
        checked.append((index, answer))

    one = timed(call, [7, 9], check, clock, lambda: 0)()
    assert checked == [(0, 14), (1, 18)]
    found = one()
    assert set(found.times.tolist()) <= {7000, 9000}
    assert len(checked) == 3
    assert len(one().times) > len(found.times), "a block is as long as calls turn out to be short"


def test_an_answer_that_turns_wrong_while_it_is_timed_is_caught() -> None:
    """A cache that answers anything is not fast."""
    clock, calls = Clock(), [0]

    def call(given: int) -> int:
        clock.now += 1000
        calls[0] += 1
        return given if calls[0] <= 2 else 0

    def check(index: int, answer: int) -> None:
        if answer != [5, 6][index]:
            raise WrongAnswerError("expected another")

    one = timed(call, [5, 6], check, clock, lambda: 0)()
    with pytest.raises(WrongAnswerError):
        one()
