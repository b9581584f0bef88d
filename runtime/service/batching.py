"""Requests that come while a model's threads are at work are answered together, in one run of its graph.

Nobody waits for company: a batch goes to the threads with its first request, and is open to others until one of them
takes it up. A request is decoded, checked and encoded by itself, on the event loop, by the operation that answers it
without batches too: that is suspended where it asks the graph (a greenlet), so that every dialect's requests go into
the same batches, and what is refused is refused before it joins one.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from greenlet import GreenletExit, getcurrent, greenlet
from litestar.types import HTTPScope
from msgspec.structs import replace
from numpy.typing import NDArray

from ..model import Model
from ..rows import Rows, joined
from .deadline import check_deadline
from .endpoint import Asked, Operations, Reply
from .exchange import Disconnected
from .joinable import alike, joined_bytes
from .limits import GONE
from .pool import Pool
from .problems import Refusal

__all__ = ["Batcher"]

Arrays = Sequence[NDArray[Any]]


class Batcher:
    """Makes the batches of one model. For the event loop's thread.

    rows: that a batch may have; a request of more has a run to itself.
    note: takes the number of rows of each run.
    """

    def __init__(self, model: Model, pool: Pool, rows: int, note: Callable[[int], None]) -> None:
        self.model = copy(model)
        """The same model, to be asked by operations that this batcher answers with."""
        self.model.session = _Asking(model.session.columns)  # type: ignore[assignment]
        self._run = model.session.run_rows
        self._largest = joined_bytes(model)
        self._alike = alike(model)
        self._pool = pool
        self._rows = rows
        self._note = note
        self._lock = threading.Lock()  # a batch is joined by the event loop and taken up by a thread
        self._open: dict[tuple[str, ...], _Batch] = {}
        self._idle: list[_Suspendable] = []

    def joins(
        self, operations: Operations, scope: HTTPScope, asked: Asked, ends: float | None
    ) -> Awaitable[Reply] | None:
        """What answers a request together with others; None for one that is answered by itself.

        operations: made for ``model``. ends: when work on it must have begun, by ``perf_counter``.
        The answer raises what the operation raises, Refusal 503 where too many wait or it is too late, and Disconnected
        where nobody waits for it any more.
        """
        operation = operations.get(scope["method"])
        if operation is None or not operation.predicts or len(asked.body) > self._largest:
            return None
        gone: Callable[[], bool] = (scope.get("extensions") or {}).get(GONE, _here)  # type: ignore[assignment]
        return self._answered(operation.answer, asked, ends, gone)

    async def _answered(
        self, answer: Callable[[Asked], Reply], asked: Asked, ends: float | None, gone: Callable[[], bool]
    ) -> Reply:
        if ends is not None:
            check_deadline(ends)
        loop = asyncio.get_running_loop()
        self._pool.enter()
        try:
            waiting = _Waiting(gone, [] if ends is None else [ends])
            work = partial(answer, replace(asked, until=waiting.ends.append))
            suspendable = self._idle.pop() if self._idle else _Suspendable()
            step = suspendable.go(work)
            while step.__class__ is _Question:
                told = loop.create_future()
                self._join(step, waiting, told, loop)
                try:
                    found: Any = await self._pool.awaited(told)
                except asyncio.CancelledError as error:
                    found = error
                step = suspendable.go(found)
            self._idle.append(suspendable)
        finally:
            self._pool.leave()
        if isinstance(step, BaseException):
            raise step
        reply: Reply = step
        return reply

    def _join(
        self,
        question: "_Question",
        waiting: "_Waiting",
        told: "asyncio.Future[Any]",
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Put rows into the batch that is open for the same outputs, or open one."""
        rows, outputs = question
        with self._lock:
            batch = self._open.get(outputs)
            if batch is not None and batch.rows + len(rows) <= self._rows:
                batch.add(rows, waiting, told)
                return
            batch = _Batch()
            batch.add(rows, waiting, told)
            if self._alike.issuperset(outputs):
                self._open[outputs] = batch
        self._pool.start(partial(self._take_up, batch, outputs, loop))

    def _take_up(self, batch: "_Batch", outputs: tuple[str, ...], loop: asyncio.AbstractEventLoop) -> None:
        """Answer a batch, in a thread."""
        with self._lock:
            if self._open.get(outputs) is batch:
                del self._open[outputs]
        runs: list[int] = []
        try:
            runs = self._answer([part for part in batch.parts if part.waits()], outputs)
        except Exception as error:  # whatever it is, somebody waits for it
            for part in batch.parts:
                part.found = error
        loop.call_soon_threadsafe(self._tell, batch, runs)

    def _answer(self, parts: "Sequence[_Part]", outputs: Sequence[str]) -> list[int]:
        """Answer each part; the rows of each run that this took. Where a run of several fails each is run by itself, so
        that one of them may fail by itself."""
        if len(parts) < 2:
            for part in parts:
                part.found = self._run(part.rows, outputs)
            return [len(part.rows) for part in parts]
        try:
            arrays = self._run(joined([part.rows for part in parts]), outputs)
        except Exception:
            runs = []
            for part in parts:
                try:
                    runs += self._answer([part], outputs)
                except Exception as error:
                    part.found = error
            return runs
        start = 0
        for part in parts:
            end = start + len(part.rows)
            part.found = [array[start:end] for array in arrays]
            start = end
        return [start]

    def _tell(self, batch: "_Batch", runs: Sequence[int]) -> None:
        for part in batch.parts:
            if not part.told.done():
                part.told.set_result(part.found)
        for rows in runs:
            self._note(rows)


class _Question(NamedTuple):
    """What an operation asks the graph."""

    rows: Rows
    outputs: tuple[str, ...]


class _Waiting(NamedTuple):
    """A request. gone: whether nobody waits for it any more. ends: the moments by which its work must have begun."""

    gone: Callable[[], bool]
    ends: list[float]


class _Part:
    """The rows of one request in a batch.

    found: by output its rows' answers, or why there are none.
    """

    __slots__ = ("_waiting", "found", "rows", "told")

    def __init__(self, rows: Rows, waiting: _Waiting, told: "asyncio.Future[Any]") -> None:
        self.rows = rows
        self.told = told
        self.found: Arrays | BaseException = Disconnected()
        self._waiting = waiting

    def waits(self) -> bool:
        """Whether it is still to be answered."""
        if self.told.done() or self._waiting.gone():
            return False
        try:
            for ends in self._waiting.ends:
                check_deadline(ends)
        except Refusal as late:
            self.found = late
            return False
        return True


class _Batch:
    __slots__ = ("parts", "rows")

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.rows = 0

    def add(self, rows: Rows, waiting: _Waiting, told: "asyncio.Future[Any]") -> None:
        self.parts.append(_Part(rows, waiting, told))
        self.rows += len(rows)


class _Suspendable:
    """Calls one function after another, each of which may be suspended: one greenlet for many requests, for to make one
    takes 10 µs and to go to it and back 0.9 µs."""

    def __init__(self) -> None:
        self._greenlet = greenlet(self._work)

    def go(self, given: Any) -> Any:
        """Give a function to call, or the answer to a question. What comes back is a question, or what the function
        has returned, or what it has raised."""
        return self._greenlet.switch(given)

    @staticmethod
    def _work(given: Callable[[], Any]) -> None:
        while True:
            try:
                found = given()
            except GreenletExit:  # nobody lets it go on
                raise
            except BaseException as error:  # a cancelled request's too: whoever has asked raises it
                found = error
            given = _switch(found)
            del found


def _switch(given: Any) -> Any:
    """Go back to whoever let this greenlet go on, until there is something new."""
    return getcurrent().parent.switch(given)


def _ask(rows: Rows, outputs: Sequence[str]) -> Any:
    found = _switch(_Question(rows, tuple(outputs)))
    if isinstance(found, BaseException):
        raise found
    return found


class _Asking:
    """In place of a session: suspends whoever asks, until there is an answer."""

    def __init__(self, columns: int) -> None:
        self.columns = columns

    def row(self, outputs: tuple[str, ...]) -> "_AskingRow":
        return _AskingRow(self.columns, outputs)

    def run_rows(self, rows: Rows, outputs: Sequence[str]) -> Any:
        return _ask(rows, outputs)


class _AskingRow:
    """In place of a bound row; each request has its own."""

    def __init__(self, columns: int, outputs: tuple[str, ...]) -> None:
        self._matrix = np.zeros((1, columns))
        self._outputs = outputs
        self.input = self._matrix[0]

    def run(self) -> Any:
        return _ask(Rows(self._matrix), self._outputs)


def _here() -> bool:
    """Whether a client is gone of whom nothing is known."""
    return False
