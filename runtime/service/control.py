"""The supervisor's side of its channels: one plan for all workers, swapped in two phases, and their metrics as one."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable

import msgspec
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.exposition import choose_encoder

from ..errors import BundleError
from .channel import Channel, Count, Counted, Drop, Load, Loaded, Scrape, Scraped, Swap, Swapped, Up
from .logs import log
from .plan import Plan
from .totals import Totals, families
from .turns import Turns

__all__ = ["Control"]

LOAD_SECONDS = 60.0
"""How long workers may take to load a plan beside what serves."""

SWAP_SECONDS = 60.0
"""How long a worker may take to swap once it is told, with the requests that it has begun with; one that does not is
killed, for it would go on with the old."""

SCRAPE_SECONDS = 1.0
"""How long a scrape waits for workers that are busy; then it uses what they said last."""


class _Link:
    """One worker: which epochs it was sent, has loaded, was told to serve and serves."""

    def __init__(self, channel: Channel, pid: int) -> None:
        self.channel = channel
        self.pid = pid
        self.sent = 0
        self.loaded = 0
        self.told = 0
        self.serves = 0
        self.counted = 0
        self.fault: str | None = None

    def load(self, epoch: int, plan: Plan) -> None:
        self.sent = epoch
        self.fault = None
        self.channel.send(Load(epoch, plan))

    def swap(self, epoch: int) -> None:
        self.told = epoch
        self.channel.send(Swap(epoch))


class Control:
    """Belongs to one event loop; what other threads may call says so.

    plan: what serves. fault: why the first worker could not start, once that is known. served: the
    process ids of workers that came to serve, refused: of those that could not load what they should, for the
    supervisor, which forgets those that it has replaced.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.epoch = 1
        self.fault: str | None = None
        self.served: set[int] = set()
        self.refused: set[int] = set()
        self._links: dict[int, _Link] = {}
        self._names = 0
        self._changed = asyncio.Event()
        self._own = CollectorRegistry()
        self._reloads = Counter(
            "ml_model_reloads",
            "Versions that came to serve (loaded), candidates that were refused, versions gone from the folder.",
            ("model", "outcome"),
            registry=self._own,
        )
        self._starts = Counter("ml_worker_starts", "Workers that were started.", registry=self._own)
        self._totals = Totals()
        self._registry = CollectorRegistry()
        self._registry.register(self._totals)
        self._counts = 0
        self._round = Turns(self._ask_all)
        self._epochs = 1  # one that failed is not given again

    @property
    def ready(self) -> int:
        """How many workers serve the plan."""
        return sum(link.serves == self.epoch for link in self._links.values())

    def reloaded(self, model: str, outcome: str) -> None:
        """Count a reload; from any thread."""
        self._reloads.labels(model, outcome).inc()

    async def attend(self, end: socket.socket, pid: int, ended: Callable[[], None] = lambda: None) -> None:
        """Speak with a worker as long as it lives."""
        channel = await Channel.open(end)
        self._starts.inc()
        self._names += 1
        name, link = self._names, _Link(channel, pid)
        self._links[name] = link
        link.load(self.epoch, self.plan)
        decode = msgspec.json.Decoder(Up).decode
        try:
            while line := await channel.line():
                self._heard(name, link, decode(line))
                self._changed.set()
        except msgspec.MsgspecError:
            log.error("worker %d said what no worker says", pid)
            _kill(link)
        finally:
            del self._links[name]
            self._totals.end(name)
            channel.close()
            self._changed.set()
            ended()

    def _heard(self, name: int, link: _Link, message: Up) -> None:
        match message:
            case Loaded(epoch, None):
                link.loaded = epoch
                if epoch == self.epoch and link.told != epoch:
                    link.swap(epoch)
                elif link.sent < self.epoch:
                    link.load(self.epoch, self.plan)
            case Loaded(epoch, fault):
                link.fault = fault
                if not link.told:
                    self.refused.add(link.pid)
                    self.fault = self.fault or fault
            case Swapped(epoch):
                link.serves = epoch
                self.served.add(link.pid)
            case Counted(said, number):
                self._totals.note(name, said)
                link.counted = max(link.counted, number)
            case Scrape(number, accept):
                task = asyncio.ensure_future(self._scraped(link, number, accept))
                _TASKS.add(task)
                task.add_done_callback(_TASKS.discard)

    async def commit(self, plan: Plan) -> None:
        """Make every worker serve a plan; when this returns, none answers with another any more.

        Raises BundleError where one of them cannot load it; then all go on with what they have.
        """
        self._epochs += 1
        epoch = self._epochs
        asked = list(self._links.values())
        for link in asked:
            link.load(epoch, plan)
        there = await self._until(lambda: all(link.loaded == epoch or link.fault for link in self._of(asked)))
        fault = next((link.fault for link in self._of(asked) if link.fault), None)
        if fault or not there:
            for link in self._of(asked):
                link.channel.send(Drop(epoch))
            raise BundleError(fault or f"expected workers to load it within {LOAD_SECONDS:g} seconds, found that not")
        self.epoch, self.plan = epoch, plan  # from here on there is no way back, and who starts, starts with it
        for link in self._links.values():
            if link.loaded == epoch:
                link.swap(epoch)
            elif link.sent < epoch:  # it came while the others were loading
                link.load(epoch, plan)
        if not await self._until(
            lambda: all(link.serves == epoch for link in self._links.values() if link.told), SWAP_SECONDS
        ):
            for link in self._links.values():
                if link.told and link.serves != epoch:
                    log.error("worker %d did not swap and is killed", link.pid)
                    _kill(link)

    def _of(self, asked: list[_Link]) -> list[_Link]:
        """Those of the asked that still live."""
        return [link for link in self._links.values() if link in asked]

    async def _until(self, condition: Callable[[], bool], seconds: float = LOAD_SECONDS) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def expose(self, accept: str) -> tuple[bytes, str]:
        """Everybody's metrics as text, and their media type: what the Accept header asks for."""
        encode, media_type = choose_encoder(accept)
        texts = await self._round()
        if media_type not in texts:
            texts[media_type] = encode(self._registry)
        return texts[media_type], media_type

    async def _ask_all(self) -> dict[str, bytes]:
        """Ask every worker for what it has counted; room for the texts that are made of it."""
        self._counts += 1
        number = self._counts
        for link in self._links.values():
            link.channel.send(Count(number))
        await self._until(
            lambda: all(link.counted >= number for link in self._links.values() if link.serves), SCRAPE_SECONDS
        )
        self._totals.note(0, families(self._own))
        return {}

    async def _scraped(self, link: _Link, number: int, accept: str) -> None:
        text, media_type = await self.expose(accept)
        link.channel.send(Scraped(number, text.decode(), media_type))


_TASKS: set[asyncio.Future[None]] = set()
"""The event loop keeps weak references only."""


def _kill(link: _Link) -> None:
    try:
        os.kill(link.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
