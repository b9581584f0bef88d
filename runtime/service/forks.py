"""Workers are forked by a process that has loaded what they need and does nothing else.

So the libraries are in memory once, however many workers there are, and a worker begins without importing anything. The
supervisor cannot fork them itself: it has threads, and a fork takes over the locks that they hold, but not the threads.
It forks this process before it has any; this one has a single thread, forks a worker whenever it is asked to, waits
for its end and says how it ended::

    supervisor                                      this process
    a text and two descriptors for a worker   ->
                                              <-    (its process id, None)
                                              <-    (its process id, its exit code)
"""

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe, get_context
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import recv_handle, send_handle
from typing import TYPE_CHECKING, Any

from ..errors import BundleError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["GONE", "ForkServer", "Forked", "Work", "held_back"]

Work = Callable[[str, int, int], None]
"""What a worker does with a text and two descriptors, which are its own; it begins with signals held back."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""What a terminal or a service manager sends to every process at once."""

GONE = "expected a process to fork workers, found that it has ended"

UNKNOWN = 255
"""The exit code of a worker whose end nobody has waited for."""

FORK_SECONDS = 10.0
"""How long a fork may take, and the process to end: either takes milliseconds."""

_FORK = get_context("fork")


@contextmanager
def held_back(how: int = signal.SIG_BLOCK) -> Iterator[None]:
    """SIGNALS wait for the end of the block. How: with SIG_UNBLOCK, those that were held back come now."""
    before = signal.pthread_sigmask(how, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Forked:
    """A worker's process: as much of ``multiprocessing.Process`` as uvicorn's supervisor asks for."""

    def __init__(self, server: "ForkServer", pid: int) -> None:
        self.pid = pid
        self.code: int | None = None
        self._server = server

    @property
    def exitcode(self) -> int | None:
        """None as long as it lives; minus the number of the signal that ended it."""
        self._server.hear()
        return self.code

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.exitcode is None

    def kill(self) -> None:
        """End it now."""
        if self.exitcode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def join(self) -> None:
        """Wait until it has ended."""
        while self.exitcode is None:
            self._server.hear(1.0)


class ForkServer:
    """The supervisor's side. For one thread, before there is any other; leaving the block ends the process, once every
    worker has ended."""

    def __init__(self, work: Work) -> None:
        if threading.active_count() > 1:
            raise RuntimeError("expected no other thread when workers' process is forked, found some")
        self._running: dict[int, Forked] = {}
        self._gone = False
        self._pipe, theirs = Pipe()
        gc.collect()
        gc.freeze()  # a collection would write to each object, and so copy the pages that are shared
        self._process = _FORK.Process(target=_serve, args=(theirs, self._pipe, work), name="pipetwin-fork")
        with held_back():
            self._process.start()
        theirs.close()

    def __enter__(self) -> "ForkServer":
        return self

    def __exit__(self, *why: object) -> None:
        self._pipe.close()
        self._process.join(FORK_SECONDS)
        self._process.kill()
        self._process.join()

    @property
    def alive(self) -> bool:
        """Whether workers can be forked."""
        self.hear()
        return not self._gone

    def fork(self, text: str, *descriptors: int) -> Forked:
        """A worker with a text and two descriptors, which it gets copies of. Raises BundleError where there is no
        process to fork it, or it does not answer."""
        try:
            self._pipe.send_bytes(text.encode())
            for descriptor in descriptors:
                send_handle(self._pipe, descriptor, None)
            while self._pipe.poll(FORK_SECONDS):
                pid, code = self._pipe.recv()
                if code is None:
                    forked = self._running[pid] = Forked(self, pid)
                    return forked
                self._ended(pid, code)
        except (EOFError, OSError) as error:
            raise BundleError(GONE) from error
        raise BundleError("expected a process to fork workers, found that it does not answer")

    def hear(self, seconds: float = 0.0) -> None:
        """Take notice of who has ended; wait so long where nobody has."""
        try:
            while self._pipe.poll(seconds):
                self._ended(*self._pipe.recv())
                seconds = 0.0
        except (EOFError, OSError):  # nobody waits for them any more
            self._gone = True
            for pid in [pid for pid in self._running if not _there(pid)]:
                self._ended(pid, UNKNOWN)

    def _ended(self, pid: int, code: int) -> None:
        self._running.pop(pid).code = code


def _there(pid: int) -> bool:
    """Whether a process is there that another had started."""
    with suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0]:  # a container's first process inherits who has lost its parent
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _serve(pipe: "Connection[Any, Any]", other: "Connection[Any, Any]", work: Work) -> None:
    """Fork whoever is asked for, until the supervisor is gone."""
    other.close()  # or its end would not be seen
    workers: dict[int, BaseProcess] = {}
    with pipe, suppress(EOFError, OSError):
        while True:
            ready = wait([pipe, *workers])
            for sentinel in workers.keys() & set(ready):
                worker = workers.pop(sentinel)
                worker.join()
                pipe.send((worker.pid, worker.exitcode))
                worker.close()
            if pipe in ready:
                text = pipe.recv_bytes().decode()
                descriptors = [recv_handle(pipe) for _ in range(2)]
                worker = _FORK.Process(target=_begin, args=(pipe, work, text, *descriptors), name="pipetwin-worker")
                worker.start()
                for descriptor in descriptors:
                    os.close(descriptor)
                workers[worker.sentinel] = worker
                pipe.send((worker.pid, None))


def _begin(pipe: "Connection[Any, Any]", work: Work, text: str, *descriptors: int) -> None:
    pipe.close()
    work(text, *descriptors)
