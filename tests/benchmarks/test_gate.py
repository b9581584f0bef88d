"""The gate: what is green, what is red, and what is neither."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.errors import BadInputError
from benchmarks.gate import NAMES, Decision, decide, decisions, exit_code, read_budgets
from benchmarks.measure import Block, Contender, measure
from benchmarks.measure import Path as Measured
from benchmarks.results import Entry, Failure, Interval
from benchmarks.run import asked
from benchmarks.statistics import Nanoseconds, interval

OWN = Path(__file__).parents[2] / "benchmarks/budgets.toml"


def entry(**values: Interval) -> Entry:
    return Entry("flights", "predict_json", values={name.replace("_over_", " / "): v for name, v in values.items()})


@pytest.mark.parametrize(
    ("low", "high", "same", "noisy", "verdict"),
    [
        (1.1, 1.3, 1.0, False, "within"),
        (1.1, 1.3, 1.0, True, "within"),  # noise does not make anything faster
        (1.1, 3.0, 1.0, False, "within"),  # the limit itself is kept
        (3.1, 3.3, 1.0, False, "over"),
        (3.1, 3.3, 1.0, True, "over"),  # interleaved with its control: the noise is in both
        (2.9, 3.1, 1.0, False, "undecided"),
        (1.1, 2.8, 1.2, False, "undecided"),  # the control differs more from itself than this is below the limit
        (3.1, 3.3, 1.2, False, "undecided"),
        (4.0, 5.0, 1.2, False, "over"),
    ],
)
def test_a_ratio_is_held_to_its_limit(low: float, high: float, same: float, noisy: bool, verdict: str) -> None:
    """By the whole of its interval, widened by what the machine does to equal things."""
    assert decide(Interval((low + high) / 2, low, high, 8), 3.0, same, noisy, ratio=True) == verdict


def test_an_amount_over_its_ceiling_says_nothing_on_a_noisy_machine() -> None:
    """And everything on a quiet one."""
    slow = Interval(120, 110, 130, 8)
    assert decide(slow, 100, 1.0, noisy=False, ratio=False) == "over"
    assert decide(slow, 100, 1.0, noisy=True, ratio=False) == "undecided"
    assert decide(Interval(9, 8, 10, 8), 100, 1.0, noisy=True, ratio=False) == "within"


def test_a_size_is_exact() -> None:
    """No machine is too noisy to weigh a bundle."""
    assert decide(Interval.exact(101), 100, 1.0, noisy=True, ratio=False) == "over"
    assert decide(Interval.exact(100), 100, 1.0, noisy=True, ratio=False) == "within"


@settings(deadline=None)
@given(
    st.lists(st.floats(0.1, 10), min_size=2, max_size=20),
    st.floats(0.1, 10),
    st.floats(1, 2),
    st.booleans(),
)
def test_green_is_never_wrong_about_what_was_seen(values: list[float], limit: float, same: float, noisy: bool) -> None:
    """Where every block was over the limit nothing is green, and where every block was under it nothing is red."""
    verdict = decide(interval(values, 0), limit, same, noisy, ratio=True)
    if min(values) > limit:
        assert verdict != "within"
    if max(values) <= limit:
        assert verdict != "over"
    wider = decide(interval(values, 0), limit, same * 1.5, noisy, ratio=True)
    assert wider in {verdict, "undecided"}


def handler(factor: float, seed: int) -> Measured:
    """A path whose blocks vary by a tenth, ours at so many times its control."""
    drawn = np.random.default_rng(seed)

    def times(scale: float) -> Nanoseconds:
        noise = drawn.lognormal(0, 0.1, 200) * drawn.lognormal(0, 0.1)
        return (20_000 * scale * noise).astype(np.int64)

    return Measured(
        "flights",
        "predict_json",
        [
            Contender("pipetwin", lambda: lambda: Block(times(factor))),
            Contender("raw run", lambda: lambda: Block(times(1))),
            Contender("raw run again", lambda: lambda: Block(times(1))),
        ],
        blocks=16,
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_handler_made_30_percent_slower_turns_the_check_red(seed: int) -> None:
    """With a limit of 1.5 on what takes 1.3 times its control, and each block a tenth off."""
    limits = {("predict_json", "p95 / raw run"): 1.5}
    assert exit_code(decisions(measure(handler(1.3, seed), seed), limits, noisy=False)) in {0, 3}
    assert exit_code(decisions(measure(handler(1.3 * 1.3, seed), seed), limits, noisy=False)) in {1, 3}
    decided = [
        exit_code(decisions(measure(handler(1.3 * factor, seed), seed, lambda e: False), limits, noisy=False))
        for factor in (0.9, 1.5)
    ]
    assert decided == [0, 1]


def test_a_wrong_fast_answer_turns_the_check_red() -> None:
    """Whether there is a limit for the path or not."""
    failed = Entry(
        "flights", "predict_json", failures={"pipetwin": Failure("expected the answers, found others", True)}
    )
    (with_limit,) = decisions(failed, {("predict_json", "p95 ms"): 100.0}, noisy=False)
    (without,) = decisions(failed, {}, noisy=False)
    assert (with_limit.verdict, without.verdict) == ("wrong", "wrong")
    assert exit_code([with_limit]) == exit_code([without]) == 1


def test_what_was_not_measured_is_not_decided() -> None:
    """It says why."""
    failed = Entry("flights", "predict_json", failures={"scikit-learn": Failure("there is no pipeline.joblib")})
    limits = {("predict_json", "p95 / scikit-learn"): 0.01, ("predict_json", "p95 ms"): 100.0}
    found = decisions(failed, limits, noisy=False)
    assert [(d.verdict, d.why) for d in found] == [
        ("undecided", "there is no pipeline.joblib"),
        ("undecided", "it was not measured"),
    ]


def test_what_takes_long_is_checked_where_it_has_a_limit() -> None:
    """A check is to end within three minutes; what is asked for is measured, and nothing else."""
    checked = asked({("instructions", "request / plain handler"): 1.0}, ())
    assert {"instructions", "predict_json", "predict 1", "predict 10000", "http 16", "start"} <= checked
    assert not {"memory", "predict 100", "predict 10000 array", "http open 50 %", "oip json 16"} & checked
    assert asked(None, ()) == set(NAMES) - {"instructions"}
    assert asked(None, ["memory"]) == asked({("start", "load s"): 5.0}, ["memory"]) == {"memory"}


def test_the_exit_code_is_that_of_the_worst() -> None:
    """Over budget before could not decide; and nothing decided is not green."""

    def one(verdict: Any) -> Decision:
        return Decision("m", "p", "n", 1, verdict, None, "")

    assert exit_code([one("within"), one("within")]) == 0
    assert exit_code([one("within"), one("undecided")]) == 3
    assert exit_code([one("undecided"), one("over")]) == 1
    assert exit_code([one("within"), one("wrong")]) == 1
    assert exit_code([]) == 3


def test_the_limits_of_this_repository_are_read() -> None:
    """With those that its issue names: 100 times sooner than scikit-learn, within 3 times a raw run."""
    budgets = read_budgets(OWN, ["flights", "diabetes", "breast_cancer"])
    flights = budgets.of("flights")
    assert flights["predict_json", "p95 / scikit-learn"] == 0.01
    assert flights["predict_json", "p95 / raw run"] == 3
    for limits in (flights, budgets.of("any other")):
        assert limits["start", "bundle MB"] == 100
        assert limits["start", "load s"] == 5
        assert limits["predict_json", "p95 ms"] == 100


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[every", "expected TOML in"),
        ("limit = 3", "expected the tables every and models in"),
        ("every = 3", "expected a table as every in"),
        ("[every.predict]\n'p95 ms' = 1", "found 'predict'"),
        ("[every.start]\n'p95 ms' = 1", "found 'p95 ms'"),
        ("[every.start]\n'load s' = 'five'", "found 'five'"),
        ("[every.start]\n'load s' = true", "found True"),
        ("[every.start]\n'load s' = -1", "found -1"),
        ("[every.start]\n'load s' = inf", "found inf"),
        ("[models.fligths.start]\n'load s' = 1", "found those of fligths"),
    ],
)
def test_limits_that_are_none_are_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    """What was expected, what was found, and where."""
    file = tmp_path / "budgets.toml"
    file.write_text(text)
    with pytest.raises(BadInputError) as caught:
        read_budgets(file, ["flights"])
    said = str(caught.value)
    assert sentence in said
    assert str(file) in said
    assert "\n" not in said.removesuffix("\n") or "TOML" in said


def test_limits_that_are_not_there_are_one_sentence(tmp_path: Path) -> None:
    """And no limits at all are not an empty file."""
    with pytest.raises(BadInputError, match="expected limits in"):
        read_budgets(tmp_path / "none.toml", [])
