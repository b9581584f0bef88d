"""The service in a process of its own: models loaded, a port, a log, signals."""

import asyncio
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import uvicorn
from prometheus_client import disable_created_metrics

from ..errors import BundleError, SettingsError
from ..settings import Settings
from .front import Front, app
from .logs import Formatter, Writer, log
from .plan import Plan
from .reload import Follower, loaded, start
from .trial import tried

__all__ = ["serve"]

SWAP_SECONDS = 10.0
"""How long the event loop may be busy before a swap is given up."""

DRAIN_SECONDS = 25
"""How long accepted requests may take after SIGTERM: platforms kill 30 seconds after it."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what was accepted and return.

    The port is taken first, so that a taken one is known at once, but nobody is let in before every model has
    answered its canary rows. Raises SettingsError where the port cannot be had, and what ``reload.start`` raises.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each of ours; a switch of the whole process, which here is ours
    with _stopping(), _port(settings) as listener, _logging() as writer:
        plan, catalog = start(settings.models)
        _listen(listener, settings)
        front = app(catalog, body_limit=settings.body_limit, access=writer if settings.access_log else None)
        _Server(front, plan, settings).run(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and where, and follows the folder of models while it serves."""

    def __init__(self, front: Front, plan: Plan, settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                front,
                loop="uvloop",
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # nothing here asks who the client is
                timeout_graceful_shutdown=DRAIN_SECONDS,
            )
        )
        self._serving = front.serving
        self._seconds = settings.poll_seconds
        self._stopping = threading.Event()
        self._follower = Follower(settings.models, plan, tried, self._commit, front.serving.metrics.reloaded)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Let clients in."""
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            served = ", ".join(f"{name} {version}" for name, version in self._serving.catalog.versions.items())
            log.info("ready on http://%s:%d, serving %s", f"[{host}]" if ":" in host else host, port, served)
        self._loop = asyncio.get_running_loop()
        if self._seconds:
            follow = self._follower.run
            threading.Thread(
                target=follow, args=(self._seconds, self._stopping), name="pipetwin-follow", daemon=True
            ).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody in any more, and finish what was accepted."""
        self._stopping.set()
        await super().shutdown(sockets)

    def _commit(self, plan: Plan) -> None:
        """Load what the plan names beside what serves, in the follower's thread, then swap in the event loop's."""
        catalog = loaded(plan, self._serving.catalog)
        done: Future[None] = Future()

        def swap() -> None:
            try:
                self._serving.serve(catalog)
            except Exception as error:  # a catalog that no router can be made of must not end the event loop's turn
                done.set_exception(error)
            else:
                done.set_result(None)

        try:
            self._loop.call_soon_threadsafe(swap)
            done.result(SWAP_SECONDS)
        except (RuntimeError, TimeoutError) as error:
            raise BundleError("expected the event loop to take other models, found that it has ended") from error


@contextmanager
def _stopping() -> Iterator[None]:
    """SIGTERM and SIGINT end the block without an error, whether they come while models load or while the server,
    which has handlers of its own and hands the signal on when it is done, serves."""

    def stop(number: int, frame: object) -> None:
        raise _Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except _Stopped:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Stopped(BaseException):
    pass


@contextmanager
def _port(settings: Settings) -> Iterator[socket.socket]:
    """The socket to listen on, bound but not listening."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise _taken(settings, error) from error
    with listener:
        yield listener


def _listen(listener: socket.socket, settings: Settings) -> None:
    try:
        listener.listen(2048)
    except OSError as error:  # another process had bound the port as we did, and listened first
        raise _taken(settings, error) from error


def _taken(settings: Settings, error: OSError) -> SettingsError:
    return SettingsError(
        f"expected to listen on {settings.host} port {settings.port}, found: {error.strerror}; choose another port "
        "with --port or stop what has it"
    )


@contextmanager
def _logging() -> Iterator[Writer]:
    """Every record of every logger becomes one line of JSON on standard output."""
    writer = Writer(sys.stdout.fileno())
    handler = logging.StreamHandler(writer)
    handler.setFormatter(Formatter())
    root = logging.getLogger()
    before = root.handlers[:], root.level, log.level
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    log.setLevel(logging.INFO)
    try:
        yield writer
    finally:
        writer.close()
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        log.setLevel(before[2])
