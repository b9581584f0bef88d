"""What is long is answered by threads, and as many wait as may."""

import asyncio
import threading
from typing import Any

import pytest

from runtime import Model
from runtime.cost import Cost
from runtime.service import app, pool
from runtime.service.front import Front
from runtime.service.pool import WORDS, Pool, hop_seconds, inline_bytes
from runtime.service.problems import Refusal

from ..asgi import get, post
from ..conftest import ROW
from ..dialects.test_one_row import as_json, behind, by_column


async def _held(tested: Pool, count: int) -> tuple[list[Any], int]:
    """What so many requests at once come to, and how many worked at once, while none of them can end."""
    gate = threading.Event()
    busy: list[int] = []

    def work() -> int:
        busy.append(1)
        gate.wait(20)
        return 7

    tasks = [asyncio.ensure_future(tested.run(work)) for _ in range(count)]
    while len(busy) < min(count, tested.threads):
        await asyncio.sleep(0.001)
    await asyncio.sleep(0)
    refused = [task for task in tasks if task.done()]
    assert tested.held == count - len(refused)
    at_once = len(busy)
    gate.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert tested.held == 0
    return found, at_once


@pytest.mark.parametrize(("threads", "queue"), [(1, 0), (1, 3), (2, 2), (3, 0)])
def test_as_many_wait_as_may_and_the_rest_is_told_to_come_back(threads: int, queue: int) -> None:
    most = threads * (1 + queue)
    found, at_once = asyncio.run(_held(Pool(threads, queue), most + 5))
    assert at_once == threads
    assert found[:most] == [7] * most
    for refused in found[most:]:
        assert isinstance(refused, Refusal)
        assert (refused.status, refused.kind) == (503, "overloaded")
        assert dict(refused.headers)[b"retry-after"] == b"1"
        assert str(refused) == f"expected at most {most} long requests at once, found more: try again later"


def test_work_that_fails_makes_room_again() -> None:
    tested = Pool(1, 0)

    def fail() -> None:
        raise ValueError("no")

    async def twice() -> None:
        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                await tested.run(fail)

    asyncio.run(twice())
    assert tested.held == 0


def test_a_hop_takes_some_time() -> None:
    assert 1e-6 < hop_seconds() < 1


def test_the_largest_body_for_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "hop_seconds", lambda: 100e-6)
    assert inline_bytes(Cost(101e-6, 110e-6, 1e-6, 50)) == -1
    assert inline_bytes(Cost(10e-6, 20e-6, 1e-6, 50)) == 81 * 50
    assert inline_bytes(Cost(99e-6, 200e-6, 1e-6, 50)) == 4 * 50  # one row in a wordier dialect
    assert inline_bytes(Cost(99e-6, 200e-6, 1e-6, 50, 3)) == 50 + 3 * WORDS
    assert inline_bytes(Cost(10e-6, 20e-6, 0.0, 50)) == 4 * 50


@pytest.fixture
def threads(flights: Model, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that flights answers in."""
    seen: list[str] = []
    run, row = flights.session.run, flights.session.row

    def noted(what: Any) -> Any:
        def call(*words: Any) -> Any:
            seen.append(threading.current_thread().name)
            return what(*words)

        return call

    monkeypatch.setattr(flights.session, "run", noted(run))
    monkeypatch.setattr(flights.session, "row", noted(row))
    return seen


def test_short_answers_are_made_on_the_event_loop_and_long_ones_are_not(flights: Model, threads: list[str]) -> None:
    flights.cost = Cost(1e-9, 1e-9, 1e-6, 200)
    service = app(flights)
    assert post(service, "/predict", ROW).status == 200
    assert post(service, "/predict", [ROW] * 20_000).status == 200
    here, there = threads
    assert here == threading.current_thread().name
    assert there.startswith("pipetwin-answer")
    assert execution(service) == {
        "inline": True,
        "run_seconds": 1e-9,
        "row_seconds": 1e-9,
        "further_row_seconds": 1e-6,
    }


def test_a_slow_model_is_never_answered_on_the_event_loop(flights: Model, threads: list[str]) -> None:
    flights.cost = Cost(10.0, 10.0, 10.0, 200)
    service = app(flights)
    assert post(service, "/predict", ROW).status == 200
    assert threads[0].startswith("pipetwin-answer")
    assert post(service, "/predict", b"{").status == 400
    assert execution(service) == {
        "inline": False,
        "run_seconds": 10.0,
        "row_seconds": 10.0,
        "further_row_seconds": 10.0,
    }


def execution(service: Front) -> Any:
    """What the page of the model says about where it is answered."""
    name = next(iter(service.serving.catalog.models))
    found = get(service, f"/models/{name}").json()["execution"]
    assert (found.pop("inline_bytes") > 0) is found["inline"]
    gauges = get(service, "/metrics").body.decode()
    assert f'ml_model_inline{{model="{name}"}} {float(found["inline"])}' in gauges
    return found


def test_a_swap_waits_for_what_was_let_in_before_it() -> None:
    """Only then can it be said that the old version answers no more."""
    told: list[str] = []

    async def ask(pool: Pool, goes_on: threading.Event) -> None:
        await pool.run(goes_on.wait)
        told.append("answered")

    async def run() -> None:
        pool, first, second = Pool(2, 0), threading.Event(), threading.Event()
        await pool.settled()  # nothing to wait for
        before = asyncio.ensure_future(ask(pool, first))
        await asyncio.sleep(0)
        settled = asyncio.ensure_future(pool.settled())
        await asyncio.sleep(0)
        after = asyncio.ensure_future(ask(pool, second))
        await asyncio.sleep(0)
        assert not settled.done()
        first.set()
        await settled
        assert told == ["answered"]
        assert before.done()
        assert not after.done()
        second.set()
        await after

    asyncio.run(run())


@pytest.mark.parametrize("way", [as_json, behind])
def test_one_row_of_the_wordiest_dialect_needs_no_thread(
    flights: Model, way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However dear the rows are, so long as the graph takes less than a hop."""
    monkeypatch.setattr(pool, "hop_seconds", lambda: 100e-6)
    _, body = way(by_column(flights, ROW | {"gap": 0.5}))
    dear = flights.cost._replace(run=99e-6, row=200e-6, further=200e-6)
    assert len(body) <= inline_bytes(dear)
