"""Storms of requests for what is done once for all of them."""

import asyncio
import threading

import pytest

from runtime.service.admin import CHANGES, admin_app
from runtime.service.control import Control
from runtime.service.plan import Plan
from runtime.service.reload import Report
from runtime.service.turns import Turns

from ..asgi import Answer, exchange


def test_who_asks_meanwhile_shares_the_next() -> None:
    begun = 0

    async def storm() -> list[int]:
        goes_on = asyncio.Event()

        async def call() -> int:
            nonlocal begun
            begun += 1
            number = begun
            await goes_on.wait()
            return number

        turns = Turns(call)
        first = [asyncio.ensure_future(turns()) for _ in range(5)]
        while not begun:
            await asyncio.sleep(0)
        later = [asyncio.ensure_future(turns()) for _ in range(50)]
        await asyncio.sleep(0)
        later[0].cancel()  # who goes away takes nobody along
        goes_on.set()
        found = await asyncio.gather(*first, *later[1:])
        assert await turns() == 3
        return found

    assert asyncio.run(storm()) == [1] * 5 + [2] * 49


def test_a_call_that_fails_fails_for_those_who_share_it() -> None:
    calls = 0

    async def storm() -> None:
        async def call() -> None:
            nonlocal calls
            calls += 1
            raise ValueError(calls)

        turns = Turns(call)
        for error in await asyncio.gather(turns(), turns(), return_exceptions=True):
            assert isinstance(error, ValueError)
        with pytest.raises(ValueError, match="2"):
            await turns()

    asyncio.run(storm())


class Slow:
    """A repository whose changes take until they are let go on."""

    def __init__(self) -> None:
        self.looks = 0
        self.goes_on = threading.Event()

    def look(self, *, asked: bool = False) -> Report:
        self.looks += 1
        return self.load("m")

    def load(self, name: str) -> Report:
        assert self.goes_on.wait(20)
        return Report(False, {}, {})

    unload = load


def storm(repository: Slow, path: str, count: int) -> list[Answer]:
    """So many requests at once to an admin address."""

    async def ask() -> list[Answer]:
        service = admin_app(Control(Plan({})), repository, None, local=True)
        asked = [asyncio.ensure_future(exchange(service, "POST", path)) for _ in range(count)]
        done = 0
        while done < count - CHANGES and not repository.looks:
            await asyncio.sleep(0.001)
            done = sum(one.done() for one in asked)
        for _ in range(20):
            await asyncio.sleep(0)
        repository.goes_on.set()
        return await asyncio.gather(*asked)

    return asyncio.run(ask())


def test_a_storm_of_reloads_looks_at_the_folder_a_few_times() -> None:
    repository = Slow()
    assert {answer.status for answer in storm(repository, "/-/reload", 100)} == {200}
    assert repository.looks <= 2


@pytest.mark.parametrize("change", ["load", "unload"])
def test_a_storm_of_changes_is_refused(change: str) -> None:
    answers = storm(Slow(), f"/v2/repository/models/m/{change}", 20)
    assert sorted(answer.status for answer in answers) == [200] * CHANGES + [503] * (20 - CHANGES)
    refused = next(answer for answer in answers if answer.status == 503)
    assert refused.headers["retry-after"] == "1"
    assert refused.json() == {
        "error": f"expected at most {CHANGES} loads and unloads at once, found more: try again later"
    }
