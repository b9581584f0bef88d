"""A worker: the service as one of several processes, which serves what its supervisor says."""

import asyncio
import signal
import socket
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

import msgspec

from ..errors import PipetwinError
from ..settings import Settings
from .access import Gate
from .catalog import Catalog
from .channel import Channel, Count, Counted, Down, Drop, Load, Loaded, Scrape, Scraped, Swap, Swapped
from .forks import held_back
from .front import Front, configured
from .listening import Server
from .logs import failure, log
from .process import logging_lines, stopping
from .reload import loaded
from .totals import families

__all__ = ["Worker", "work"]

PUSH_SECONDS = 0.25
"""How often a worker says what it has counted: what is lost of its counts when it is killed."""

SCRAPE_SECONDS = 5.0


def work(settings: Settings, listener: socket.socket, gate: Gate | None, keys: str, channel: int, health: int) -> None:
    """Serve until SIGTERM, or until the supervisor is gone.

    gate: what the supervisor had when it began; keys: the text of the file of keys as it has it by now.
    channel, health: descriptors of the worker's ends of its channel and of uvicorn's pipe.
    """
    with stopping(), held_back(signal.SIG_UNBLOCK), logging_lines() as writer:
        if gate is not None and keys:
            gate.take(keys)
        made: list[Worker] = []
        threading.Thread(target=_pong, args=(Connection(health), made), name="pipetwin-pong", daemon=True).start()
        server = Worker(configured(Catalog({}), settings, writer, gate), settings, socket.socket(fileno=channel))
        made.append(server)
        server.run(sockets=[listener])


def _pong(health: "Connection[bool, bytes]", made: "list[Worker]") -> None:
    """Answer whether clients are let in, as often as somebody asks; a thread does, whatever the event loop does."""
    with suppress(EOFError, OSError):
        while True:
            health.recv()
            health.send(bool(made) and made[0].started)


class Worker(Server):
    """uvicorn's server, told by a channel what to serve; lets nobody in before it serves what all others do."""

    def __init__(self, front: Front, settings: Settings, end: socket.socket) -> None:
        super().__init__(front, settings)
        self._end = end
        self._prepared: dict[int, Catalog] = {}
        self._scrapes: dict[int, asyncio.Future[Scraped]] = {}
        self._serves = asyncio.Event()
        self._last: bytes = b""
        front.serving.expose = self._expose

    def handle_exit(self, sig: int, frame: object) -> None:
        """A signal came. Ctrl-C in a terminal reaches every process; a worker waits to be told by its supervisor, for
        two signals would end it at once."""
        if sig != signal.SIGINT:
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Load what the supervisor says, and let clients in when it says so."""
        self._channel = await Channel.open(self._end)
        self._tasks = [asyncio.ensure_future(self._listen()), asyncio.ensure_future(self._push())]
        while not self._serves.is_set():
            if self.should_exit:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._serves.wait(), 0.1)
        await super().startup(sockets)
        self._channel.send(Swapped(self._epoch))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what was accepted; the last counts go out after the last answer."""
        await super().shutdown(sockets)
        self._count(0)
        for task in self._tasks:
            task.cancel()
        self._channel.close()
        await self._channel.closed()

    async def _listen(self) -> None:
        decode = msgspec.json.Decoder(Down).decode
        while line := await self._channel.line():
            await self._do(decode(line))
        if not self._leaving:
            log.error("the supervisor is gone: this worker ends")
        self.should_exit = self.force_exit = True

    async def _do(self, message: Down) -> None:
        match message:
            case Load(epoch, plan):
                try:
                    self._prepared[epoch] = await asyncio.to_thread(loaded, plan, self.serving.catalog)
                except PipetwinError as error:
                    self._channel.send(Loaded(epoch, str(error)))
                except Exception as error:  # whatever it is, the supervisor must not wait for ever
                    self._channel.send(Loaded(epoch, failure(error)))
                else:
                    self._channel.send(Loaded(epoch))
            case Swap(epoch):
                self.serving.serve(self._prepared.pop(epoch))
                self._prepared.clear()
                self._epoch = epoch
                if self.started:
                    self._swapping = asyncio.ensure_future(self._swapped(epoch))
                self._serves.set()
            case Drop(epoch):
                self._prepared.pop(epoch, None)
            case Count(number):
                self._count(number)
            case Scraped(number):
                waiting = self._scrapes.pop(number, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)

    async def _swapped(self, epoch: int) -> None:
        """Say so, once what went before has answered its last request."""
        await self.serving.shared.pool.settled()
        self._channel.send(Swapped(epoch))

    async def _push(self) -> None:
        while True:
            await asyncio.sleep(PUSH_SECONDS)
            self._count(0)

    def _count(self, number: int) -> None:
        said = families(self.serving.metrics.registry)
        text = msgspec.json.encode(said)
        if number or text != self._last:
            self._last = text
            self._channel.send(Counted(said, number))

    async def _expose(self, accept: str) -> tuple[bytes, str]:
        """Everybody's metrics, from the supervisor."""
        number = max(self._scrapes, default=0) + 1
        waiting = self._scrapes[number] = asyncio.get_running_loop().create_future()
        self._channel.send(Scrape(number, accept))
        try:
            found = await asyncio.wait_for(waiting, SCRAPE_SECONDS)
        finally:
            self._scrapes.pop(number, None)
        return found.text.encode(), found.media_type
