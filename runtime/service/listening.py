"""uvicorn's server, as every process of the service runs it."""

import asyncio
import socket
from time import monotonic
from typing import Any

import uvicorn

from ..settings import Settings
from .front import Front
from .limits import Bounds, protocol, telling
from .logs import log

__all__ = ["DRAIN_SECONDS", "Server", "address", "limits_of"]

DRAIN_SECONDS = 25
"""How long accepted requests may take after SIGTERM: platforms kill 30 seconds after it."""

FIRST_SECONDS = 1.0
"""How long a connection that was let in at the end may take to its first request."""


class Server(uvicorn.Server):
    """Says when it is ready and where. After the first signal it fails readiness and goes on answering for
    ``settings.drain_seconds``, so that a balancer can turn away from it, and asks clients to connect anew; then it lets
    nobody in and finishes what it has accepted. A second signal ends it at once."""

    def __init__(self, front: Front, settings: Settings) -> None:
        http = protocol(limits_of(settings), front.refusing)
        super().__init__(
            uvicorn.Config(
                front,
                loop="uvloop",
                http=telling(http) if settings.batch_rows else http,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # nothing here asks who the client is
                timeout_graceful_shutdown=DRAIN_SECONDS,
            )
        )
        self.serving = front.serving
        self._patience = settings.drain_seconds
        self._leaving: float | None = None
        self._keys_seconds = settings.poll_seconds
        self._follows: asyncio.Future[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Let clients in, by the keys that there are from time to time."""
        await super().startup(sockets)
        if self.serving.gate is not None:
            self._follows = asyncio.ensure_future(self.serving.gate.follow(self._keys_seconds))

    def say_ready(self, listener: socket.socket) -> None:
        """Log that clients are let in."""
        served = ", ".join(f"{name} {version}" for name, version in self.serving.catalog.versions.items())
        log.info("ready on %s, serving %s", address(listener), served)

    def handle_exit(self, sig: int, frame: object) -> None:
        """A signal came."""
        self._captured_signals.append(sig)
        if self._leaving is None:
            self._leaving = monotonic()
            self.serving.draining = True
        else:
            self.should_exit = self.force_exit = True
        if not self.started:
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether it is time to let nobody in any more."""
        ends = await super().on_tick(counter)
        if self._leaving is None:
            return ends
        if (b"connection", b"close") not in self.server_state.default_headers:
            self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        self.should_exit = self.should_exit or monotonic() - self._leaving >= self._patience
        return self.should_exit

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody in, wait for the requests of those who have just come in, finish what was accepted."""
        if self._follows is not None:
            self._follows.cancel()
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()  # while it was open, who connects would wait for an answer that nobody gives
        ends = monotonic() + min(self._patience, FIRST_SECONDS)
        while monotonic() < ends and not self.force_exit and any(_idle(one) for one in self.server_state.connections):
            await asyncio.sleep(0.01)
        await super().shutdown(sockets)
        if self.serving.shadow is not None:
            self.serving.shadow.close()
        if self.serving.shared.spans is not None:
            self.serving.shared.spans.close()


def limits_of(settings: Settings) -> Bounds:
    """The limits of a connection that settings say."""
    return Bounds(
        settings.header_seconds,
        settings.body_seconds,
        settings.header_limit,
        settings.connections,
        settings.requests,
    )


def _idle(connection: Any) -> bool:
    return connection.cycle is None or connection.cycle.response_complete


def address(listener: socket.socket) -> str:
    """Where a socket listens, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
