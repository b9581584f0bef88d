"""The service in a process of its own: models loaded, a port, a log, signals."""

import logging
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from prometheus_client import disable_created_metrics

from ..bundle import models as below
from ..errors import SettingsError
from ..model import Model, load
from ..settings import Settings
from .front import app
from .logs import Formatter, Writer, log

__all__ = ["load_all", "serve"]

DRAIN_SECONDS = 25
"""How long accepted requests may take after SIGTERM: platforms kill 30 seconds after it."""


def load_all(where: str) -> dict[str, Model]:
    """Every model below a folder, or the one of a model's or a version's folder, by name, ready to answer.

    Raises ModelNotFoundError, or BundleError or one of its kinds: if one cannot be served, none is.
    """
    found = below(Path(where))
    if found:
        return {name: load(folder) for name, folder in found.items()}
    model = load(where)
    return {model.name: model}


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what was accepted and return.

    The port is taken first, so that a taken one is known at once, but nobody is let in before every model has
    answered its canary rows. Raises SettingsError where the port cannot be had, and what ``load_all`` raises.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each of ours; a switch of the whole process, which here is ours
    with _stopping(), _port(settings) as listener, _logging() as writer:
        models = load_all(settings.models)
        _listen(listener, settings)
        config = uvicorn.Config(
            app(models, body_limit=settings.body_limit, access=writer if settings.access_log else None),
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
        _Server(config, {name: model.version for name, model in models.items()}).run(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and where."""

    def __init__(self, config: uvicorn.Config, versions: Mapping[str, str]) -> None:
        super().__init__(config)
        self._versions = versions

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Let clients in."""
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            served = ", ".join(f"{name} {version}" for name, version in self._versions.items())
            log.info("ready on http://%s:%d, serving %s", f"[{host}]" if ":" in host else host, port, served)


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
