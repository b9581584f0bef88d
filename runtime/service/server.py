"""The service in a process of its own, or in several: a port, a log, signals, models that are followed."""

import asyncio
import errno
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial

from prometheus_client import disable_created_metrics

from ..errors import BundleError, SettingsError
from ..settings import Settings
from .access import gate_of, loopback
from .catalog import Catalog
from .forks import ForkServer
from .front import Front, app, configured
from .listening import Server
from .plan import Plan, check_aliases
from .process import logging_lines, stopping
from .reload import Follower, loaded, start
from .spans import check_installed
from .supervisor import supervise
from .trial import tried
from .worker import work

__all__ = ["serve"]

SWAP_SECONDS = 10.0
"""How long the event loop may be busy before a swap is given up."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what was accepted and return.

    One worker serves in this process, unless there is an admin address; several, and that address, have a supervisor.
    The port is taken first, so that a taken one is known at once, but nobody is let in before every model has
    answered its canary rows. Raises SettingsError where a port cannot be had, ModelNotFoundError, or BundleError or
    one of its kinds, where a model cannot be served.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each of ours; a switch of the whole process, which here is ours
    gate = gate_of(settings.keys, settings.api_keys)
    administered = gate is not None and gate.administered
    if settings.admin_port is not None and not administered and not loopback(settings.admin_host):
        raise SettingsError(
            f"expected an admin address on loopback, for no key is for administration, found {settings.admin_host!r}: "
            "127.0.0.1, say, or make one with `python -m runtime key NAME --admin`"
        )
    if settings.private_metrics and settings.admin_port is None:
        raise SettingsError("expected --admin-port beside --private-metrics, for metrics are there alone, found none")
    if settings.traces:
        check_installed()
    with stopping(), ExitStack() as opened:
        listener = opened.enter_context(_port(settings.host, settings.port, "--port", settings.body_seconds))
        if settings.workers > 1 or settings.admin_port is not None:
            _warm(settings)
            forks = opened.enter_context(ForkServer(partial(work, settings, listener, gate)))
            opened.enter_context(logging_lines())
            admin = None
            if settings.admin_port is not None:
                admin = opened.enter_context(
                    _port(settings.admin_host, settings.admin_port, "--admin-port", settings.body_seconds)
                )
                _listen(admin, settings.admin_host, settings.admin_port, "--admin-port")
            _listen(listener, settings.host, settings.port, "--port")
            supervise(settings, listener, admin, gate, forks)
            return
        writer = opened.enter_context(logging_lines())
        plan, catalog = start(settings.models, settings.model_name)
        check_aliases(plan, settings)
        _listen(listener, settings.host, settings.port, "--port")
        _Alone(configured(catalog, settings, writer, gate), plan, settings).run(sockets=[listener])


def _warm(settings: Settings) -> None:
    """Import what an application and its server import when they are first made: what is forked later has it."""
    config = Server(app(Catalog({})), settings).config
    config.load()
    config.get_loop_factory()


class _Alone(Server):
    """The only process of a service, which follows the folder of models itself while it serves."""

    def __init__(self, front: Front, plan: Plan, settings: Settings) -> None:
        super().__init__(front, settings)
        self._seconds = settings.poll_seconds
        self._ended = threading.Event()
        self._follower = Follower(
            settings.models, plan, tried, self._commit, front.serving.metrics.reloaded, settings.model_name
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Let clients in."""
        await super().startup(sockets)
        for listener in sockets or ():
            self.say_ready(listener)
        self._loop = asyncio.get_running_loop()
        if self._seconds:
            follow = self._follower.run
            threading.Thread(
                target=follow, args=(self._seconds, self._ended), name="pipetwin-follow", daemon=True
            ).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody in any more, and finish what was accepted."""
        self._ended.set()
        await super().shutdown(sockets)

    def _commit(self, plan: Plan) -> None:
        """Load what the plan names beside what serves, in the follower's thread, then swap in the event loop's."""
        catalog = loaded(plan, self.serving.catalog)
        done: Future[None] = Future()

        def swap() -> None:
            try:
                self.serving.serve(catalog)
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
def _port(host: str, port: int, flag: str, patience: float) -> Iterator[socket.socket]:
    """The socket to listen on, bound but not listening.

    patience: seconds after which the system gives up a connection that takes nothing of what was sent to it, where the
        system can (Linux; accepted connections inherit it): a client that does not read would keep its answer here for
        ever, after the connection was closed too.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, int(patience * 1e3)))
        listener.bind(address)
    except OSError as error:
        raise _taken(host, port, flag, error) from error
    with listener:
        yield listener


def _listen(listener: socket.socket, host: str, port: int, flag: str) -> None:
    try:
        listener.listen(2048)
    except OSError as error:  # another process had bound the port as we did, and listened first
        raise _taken(host, port, flag, error) from error


def _taken(host: str, port: int, flag: str, error: OSError) -> SettingsError:
    match error.errno:
        case errno.EADDRINUSE:
            hint = f"choose another port with {flag} or stop what has it"
        case errno.EACCES:
            hint = f"choose a port from 1024 on with {flag}"
        case _:
            hint = f"name an address of this machine with {flag.replace('port', 'host')}"
    return SettingsError(f"expected to listen on {host} port {port}, found: {error.strerror}; {hint}")
