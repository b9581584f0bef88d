"""A model whose runs can be held, and requests that come while it is."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime import Model
from runtime.cost import Cost
from runtime.rows import Rows
from runtime.service.front import Front, configured
from runtime.settings import Settings

from ..asgi import Answer, exchange

__all__ = ["COST", "Held", "batching", "said", "together"]

COST = Cost(10.0, 10.0, 10.0, 1000)
"""Of a model that is always run by a thread."""


class Held:
    """A model's session, which notes the rows of its runs and can be held."""

    def __init__(self, model: Model) -> None:
        model.cost = COST
        self.runs: list[int] = []
        self.fails: Callable[[NDArray[np.float64]], bool] = lambda matrix: False
        self.may = threading.Event()
        self.may.set()
        self.begun = threading.Event()
        self._run = model.session.run_rows
        model.session.run_rows = self.run_rows  # type: ignore[method-assign]

    def run_rows(self, rows: Rows, outputs: Sequence[str]) -> Any:
        self.begun.set()
        assert self.may.wait(20)
        self.runs.append(len(rows))
        if self.fails(rows.matrix):
            raise ValueError("these rows")
        return self._run(rows, outputs)


def batching(models: Any, rows: int, *, queue: int = 100) -> Front:
    """A service of one thread that answers up to so many rows together."""
    told = Settings(batch_rows=rows, threads=1, queue=queue)
    return configured(models, told, lambda line: None, None)


async def _together(service: Front, held: Held, asked: Sequence[tuple[str, bytes]], **options: Any) -> list[Answer]:
    """The answers to requests of which the first keeps the thread until all others are there."""
    held.may.clear()
    held.begun.clear()
    tasks: list[asyncio.Task[Answer]] = []
    for path, body in asked:
        tasks.append(asyncio.ensure_future(exchange(service, "POST", path, body, **(options if tasks else {}))))
        await asyncio.sleep(0)
        while not (held.begun.is_set() or tasks[0].done()):
            await asyncio.sleep(0.001)
    for _ in range(5):
        await asyncio.sleep(0)
    held.may.set()
    return await asyncio.gather(*tasks)


def together(service: Front, held: Held, asked: Sequence[tuple[str, bytes]], **options: Any) -> list[Answer]:
    return asyncio.run(_together(service, held, asked, **options))


def said(answer: Answer) -> tuple[int, Any, str | None]:
    """What must be the same however a request is answered."""
    body = answer.json()
    if isinstance(body, dict):
        body = {key: value for key, value in body.items() if key not in ("latency_ms", "request_id")}
    return answer.status, body, answer.headers.get("x-model-version")
