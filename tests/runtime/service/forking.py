"""Programs around ``ForkServer`` for ``test_forks``, each in a process of its own: what forks must have no threads.

``-m tests.runtime.service.forking NAME`` writes what it saw to standard output, as JSON.
"""

import ctypes
import json
import os
import random
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Any
from uuid import uuid4

import numpy as np

from runtime.errors import BundleError
from runtime.service import forks
from runtime.service.exchange import request_ids
from runtime.service.forks import UNKNOWN, Forked, ForkServer, held_back
from runtime.service.process import stopping
from runtime.settings import Settings

_DEADLINE = 30.0

_PR_SET_CHILD_SUBREAPER = 36


def _said(server: ForkServer, text: str = "") -> tuple[Forked, str]:
    """A worker and all that it writes to its first descriptor."""
    reads, writes = os.pipe()
    forked = server.fork(text, writes, writes)
    os.close(writes)
    with open(reads) as file:
        return forked, file.read()


def _tell(descriptor: int, what: object) -> None:
    os.write(descriptor, json.dumps(what).encode())


def ends() -> Any:
    """The exit codes of workers that return, raise, ask for one and are killed."""

    def work(text: str, one: int, other: int) -> None:
        match text:
            case "raises":
                sys.stderr.close()
                raise ValueError
            case "exits":
                sys.exit(7)
            case "killed":
                _tell(one, "begun")
                os.close(one)
                os.close(other)
                signal.pause()

    with ForkServer(work) as server:
        workers = {text: _said(server, text)[0] for text in ("returns", "raises", "exits", "killed")}
        assert workers["killed"].is_alive()
        workers["killed"].kill()
        for forked in workers.values():
            forked.join()
            forked.kill()  # whoever has ended is not there to be killed
        return {text: forked.exitcode for text, forked in workers.items()}


def drawn() -> Any:
    """What two workers draw that nobody else may draw."""
    request_ids()({})  # whatever a module keeps, it has by now
    random.random()

    def work(text: str, one: int, other: int) -> None:
        own = request_ids()({}).decode()
        numbers = [random.random(), float(np.random.default_rng().random())]
        _tell(one, [own, token_hex(8), str(uuid4()), ssl.RAND_bytes(8).hex(), *numbers])

    with ForkServer(work) as server:
        return [json.loads(_said(server)[1]) for _ in range(2)]


def held() -> Any:
    """What becomes of a worker that is told to end before it has handlers."""

    def work(text: str, one: int, other: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        ended = True
        with stopping(), held_back(signal.SIG_UNBLOCK):
            ended = False
        _tell(one, ended)

    with ForkServer(work) as server:
        forked, said = _said(server)
        forked.join()
        return [json.loads(said), forked.exitcode]


def alone() -> Any:
    """Threads of the process that forks, and descriptors of a worker beside its two and the standard ones."""

    def work(text: str, one: int, other: int) -> None:
        own = {0, 1, 2, one, other}
        files = {int(name): os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _open(name)}
        _tell(one, [os.getppid(), [file for number, file in files.items() if number not in own and "socket" in file]])

    with ForkServer(work) as server:
        pid, sockets = json.loads(_said(server)[1])
        return [len(list(Path(f"/proc/{pid}/task").iterdir())), pid != os.getpid(), sockets]


def loaded() -> Any:
    """Threads of the process that is about to fork; what a product of matrices is there, in a worker and in another."""
    from runtime.service.server import _warm

    _warm(Settings())
    before = len(list(Path("/proc/self/task").iterdir()))
    matrix = np.full((512, 512), 2.0)  # large enough for OpenBLAS's threads

    def work(text: str, one: int, other: int) -> None:
        _tell(one, [float((matrix @ matrix)[0, 0]), {"uvloop", "httptools", "litestar._kwargs"} <= sys.modules.keys()])

    with ForkServer(work) as server:
        there = float((matrix @ matrix)[0, 0])
        return [before, there, *(json.loads(_said(server)[1]) for _ in range(2))]


def _open(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")


def gone() -> Any:
    """What is said when the process that forks has been killed: of whoever lives, of whoever ended, of a new one."""

    def work(text: str, one: int, other: int) -> None:
        _tell(one, os.getppid())
        os.close(one)
        os.close(other)
        signal.pause()

    with ForkServer(work) as server:
        forked, said = _said(server)
        os.kill(int(said), signal.SIGKILL)
        _until(lambda: not server.alive)
        lives = forked.is_alive()
        forked.kill()
        _until(lambda: not forked.is_alive())
        try:
            server.fork("", 1, 1)
        except BundleError as error:
            return [lives, forked.exitcode == UNKNOWN, str(error)]
    return None


def stopped() -> Any:
    """What is said when the process that forks does not answer; it is ended all the same."""
    forks.FORK_SECONDS = 0.1
    with ForkServer(lambda text, one, other: _tell(one, os.getppid())) as server:
        pid = int(_said(server)[1])
        os.kill(pid, signal.SIGSTOP)
        try:
            server.fork("", 1, 1)
        except BundleError as error:
            said = str(error)
    return [said, Path(f"/proc/{pid}").exists()]


def inherited() -> Any:
    """The same in a process that inherits who has lost its parent, as the first one of a container does."""
    assert ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1) == 0
    return gone()


def threads() -> Any:
    """What is said where there is another thread."""
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        ForkServer(lambda text, one, other: None)
    except RuntimeError as error:
        return str(error)
    finally:
        ended.set()
        thread.join()
    return None


def _until(condition: Callable[[], bool]) -> None:
    late = time.monotonic() + _DEADLINE
    while not condition():
        assert time.monotonic() < late
        time.sleep(0.005)


if __name__ == "__main__":
    found = {one.__name__: one for one in (ends, drawn, held, alone, loaded, gone, stopped, inherited, threads)}[
        sys.argv[1]
    ]()
    sys.stdout.write(json.dumps(found))
