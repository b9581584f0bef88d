"""Instructions: what is counted, what turns the check red, and that it is the same twice."""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from benchmarks import instructions as module
from benchmarks.counted import kept
from benchmarks.errors import FailedError
from benchmarks.gate import NAMES, decisions, exit_code, read_budgets
from benchmarks.instructions import NAME, PLAIN, WAYS, Program, counted, counting, elsewhere, instructions, interpreter
from benchmarks.results import Entry
from benchmarks.subjects import Subject, find_models, open_subjects
from runtime import load
from tests.benchmarks.test_gate import OWN
from tests.runtime.bundles import classifier, numbers

NEEDS_VALGRIND = pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not on PATH")


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A small model, checked by its canary rows."""
    classifier(tmp_path / "small", numbers(["a", "b", "c"]))
    (found,) = open_subjects(find_models(tmp_path), tmp_path, load, 0)
    return found


class Fake:
    """A program whose counts are made up: of an answer by each way, beside a million that surround them."""

    def __init__(self, subject: Subject, costs: dict[str, int], said: bytes | None = None, leaks: bool = False) -> None:
        self._subject, self._costs, self._said, self._leaks = subject, costs, said, leaks

    def answers(self, way: str) -> list[bytes]:
        """The model's, or always the same."""
        if way not in self._costs:
            raise FailedError(f"expected answers by {way}, found none")
        return [self._said or self._subject.model.predict_json(body) for body in self._subject.bodies]

    def count(self, way: str, rounds: int) -> int:
        """Of so many rounds."""
        return 1_000_000 + rounds * len(self._subject.rows) * self._costs[way]

    def kept(self, way: str) -> int:
        """A block an answer, where one is kept."""
        return len(self._subject.rows) if self._leaks else 0


COSTS = {"predict_json": 111_300, "request": 164_300, PLAIN: 257_000}


def held(entry: Entry) -> list[tuple[str, str]]:
    """(name, verdict) of the limits of this repository's breast_cancer; the interpreter is the one of the limits."""
    limits = read_budgets(OWN, ["flights", "diabetes", "breast_cancer"]).of("breast_cancer")
    return [(d.name, d.verdict) for d in decisions(entry, limits, noisy=True)]


def test_what_surrounds_the_answers_is_not_counted(subject: Subject) -> None:
    """And a ratio is to the control's count."""
    entry = counted(subject, Fake(subject, COSTS), "CPython 3.11")
    assert entry.values["predict_json, CPython 3.11"].median == 111_300
    assert entry.values["request / plain handler"].median == pytest.approx(164.3 / 257)
    assert not entry.failures
    assert {verdict for _, verdict in held(entry)} == {"within"}


@pytest.mark.parametrize("way", WAYS)
def test_a_handler_made_30_percent_slower_turns_the_check_red(subject: Subject, way: str) -> None:
    """By its count, and for an interpreter that has no count by its ratio; on the noisiest machine."""
    entry = counted(subject, Fake(subject, COSTS | {way: int(COSTS[way] * 1.3)}), "CPython 3.11")
    assert [name for name, verdict in held(entry) if verdict == "over"] == [f"{way}, CPython 3.11", f"{way} / {PLAIN}"]
    ratios = msgspec.structs.replace(entry, values={n: v for n, v in entry.values.items() if " / " in n})
    limits = read_budgets(OWN, ["flights", "diabetes", "breast_cancer"]).of("breast_cancer")
    ratio_limits = {key: limit for key, limit in limits.items() if " / " in key[1]}
    assert exit_code(decisions(ratios, ratio_limits, noisy=True)) == 1


def test_an_allocation_that_a_request_leaves_behind_turns_the_check_red(subject: Subject) -> None:
    """One block each, of as many instructions as ever."""
    entry = counted(subject, Fake(subject, COSTS, leaks=True), "CPython 3.11")
    assert [name for name, verdict in held(entry) if verdict == "over"] == ["request kept"]


def test_what_a_round_leaves_behind_is_the_least_of_some() -> None:
    """A buffer that fills and is emptied grows in some; a leak in all."""
    sizes = itertools.cycle([0, 400, 0, 0])
    buffer: list[object] = []
    leak: list[object] = []

    def fills() -> None:
        buffer[:] = [object() for _ in range(next(sizes))]

    assert kept(fills) < 100 < kept(lambda: leak.extend(object() for _ in range(256)))


def test_a_wrong_fast_answer_turns_the_check_red(subject: Subject) -> None:
    """However few instructions it takes."""
    entry = counted(subject, Fake(subject, dict.fromkeys(COSTS, 10), b'{"prediction": 7}'), "CPython 3.11")
    assert {verdict for _, verdict in held(entry)} == {"wrong"}


def test_a_control_that_cannot_answer_leaves_its_ratios_undecided(subject: Subject) -> None:
    """With the reason; the counts stand."""
    costs = {way: count for way, count in COSTS.items() if way != PLAIN}
    entry = counted(subject, Fake(subject, costs), "CPython 3.11")
    assert dict(held(entry)) == {
        "predict_json, CPython 3.11": "within",
        "request, CPython 3.11": "within",
        "request kept": "within",
        "predict_json / plain handler": "undecided",
        "request / plain handler": "undecided",
    }


def test_without_valgrind_nothing_is_decided(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    entry = instructions(subject)
    assert "apt-get install valgrind" in entry.failures["pipetwin"].reason
    assert {verdict for _, verdict in held(entry)} == {"undecided"}


def test_a_count_holds_for_one_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ratio for every."""
    assert f"predict_json, {interpreter()}" in NAMES[NAME]
    monkeypatch.setattr(module, "interpreter", lambda: "CPython 3.13")
    assert elsewhere("predict_json, CPython 3.11")
    assert not elsewhere("predict_json, CPython 3.13")
    assert not elsewhere("predict_json / plain handler")


SLOWER = """
import runpy, sys
import runtime.model

answer, left = runtime.model.Model.answer, []

def slower(self, body, **options):
    found = answer(self, body, **options)
    sum(range(2000))
    left.append(object())
    return found

runtime.model.Model.answer = slower
runpy.run_module("benchmarks.counted", run_name="__main__")
"""


@pytest.mark.slow
@NEEDS_VALGRIND
def test_callgrind_counts_the_same_twice_and_more_of_a_handler_that_does_more(subject: Subject) -> None:
    """As it is run, in a program of its own: a count is within a hundredth of another's."""

    @contextmanager
    def slower(subject: Subject) -> Iterator[Program]:
        with counting(subject, ("-c", SLOWER)) as program:
            yield program

    once, twice, more = instructions(subject), instructions(subject), instructions(subject, slower)
    for way in WAYS:
        name = f"{way}, {interpreter()}"
        first = once.values[name].median
        assert twice.values[name].median == pytest.approx(first, rel=0.01)
        assert decisions(more, {(NAME, name): first * 1.02}, noisy=True)[0].verdict == "over"
        assert decisions(twice, {(NAME, name): first * 1.02}, noisy=True)[0].verdict == "within"
        assert once.values[f"{way} kept"].median < 0.01 < 1 <= more.values[f"{way} kept"].median


@pytest.mark.slow
@NEEDS_VALGRIND
def test_a_program_that_ends_is_a_failure(subject: Subject) -> None:
    """With the last that it said."""
    with pytest.raises(FailedError, match="found that it ended"), counting(subject, ("-c", "raise SystemExit(3)")):
        pass
