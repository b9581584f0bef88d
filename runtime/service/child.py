"""A worker's process, as its supervisor has it."""

import socket
from multiprocessing import Pipe
from time import monotonic

import uvicorn
from uvicorn.supervisors.multiprocess import Process

from .forks import ForkServer

__all__ = ["Child"]


class Child(Process):
    """uvicorn's worker process, forked, with a channel beside its pipe.

    mine: the supervisor's end of the channel. born: when it was made, by the monotonic clock.
    """

    def __init__(self, config: uvicorn.Config, forks: ForkServer, keys: str) -> None:
        self.config = config
        self.mine, theirs = socket.socketpair()
        self.parent_conn, self.child_conn = Pipe()
        self.born = monotonic()
        self._asked: float | None = None
        forked = forks.fork(keys, theirs.fileno(), self.child_conn.fileno())
        self.process = forked  # type: ignore[assignment]  # as much of one as is asked for
        theirs.close()  # the supervisor must see the worker's close
        self.child_conn.close()

    def start(self) -> None:
        """Nothing: it has begun."""

    def is_alive(self, timeout: float = 5) -> bool:
        """Whether the process is there and has been silent for less than that many seconds since it was asked.

        Unlike uvicorn's own, this does not wait for the answer: one worker that hangs would keep the supervisor from
        the signals and the deaths of all others.
        """
        if not self.process.is_alive():
            return False
        now = monotonic()
        try:
            while self.parent_conn.poll(0):
                self.parent_conn.recv()
                self._asked = None
            if self._asked is None:
                self._asked = now
                self.parent_conn.send(b"ping")
        except (OSError, EOFError):  # it is about to end
            return now - (self._asked or now) < timeout
        return now - self._asked < timeout
