"""What an answer costs is measured on the model's own rows, and no longer than needed."""

import time

from runtime import Model
from runtime.cost import BATCH, SECONDS, Cost, measured


def test_what_was_measured() -> None:
    asked: list[bytes] = []

    def answer(body: bytes) -> None:
        asked.append(body)
        end = time.perf_counter() + 1e-4 * body.count(b"{")
        while time.perf_counter() < end:
            pass

    cost = measured(lambda: time.sleep(1e-3), answer, {"x": 1})
    assert cost.run >= 1e-3
    assert cost.size == len(b'{"x":1}')
    assert cost.row >= 1e-4
    assert cost.further >= 0.5e-4
    assert {body.count(b"{") for body in asked} == {1, BATCH}


def test_a_slow_model_is_asked_once() -> None:
    asked: list[bytes] = []

    def answer(body: bytes) -> None:
        asked.append(body)
        time.sleep(2 * SECONDS)

    cost = measured(lambda: None, answer, {"x": 1})
    assert cost.run < SECONDS
    assert len(asked) == 1
    assert cost.further == cost.row >= 2 * SECONDS


def test_a_loaded_model_knows_its_cost_and_has_counted_nothing(every: dict[str, Model]) -> None:
    for model in every.values():
        assert model.cost > Cost(0, 0, 0, 0)
        assert model.cost.row > model.cost.run
        assert model.cost.size > 2


def test_measuring_is_not_counted(flights: Model) -> None:
    assert {(c.missing, c.unknown, c.out_of_range) for c in flights.drift.counts()} == {(0, 0, 0)}
