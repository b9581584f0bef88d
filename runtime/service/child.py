"""A worker's process, as its supervisor has it."""

import socket
import threading
from contextlib import suppress
from time import monotonic

import uvicorn
from uvicorn.supervisors.multiprocess import Process

from ..settings import Settings
from .access import Gate
from .worker import Worker, work

__all__ = ["Child"]


class Child(Process):
    """uvicorn's worker process, with a channel beside its pipe.

    mine: the supervisor's end of the channel. born: when it was made, by the monotonic clock.
    """

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], settings: Settings, gate: Gate | None
    ) -> None:
        self.mine, self.theirs = socket.socketpair()
        self.settings = settings
        self.gate = gate
        self.made: list[Worker] = []
        self.born = monotonic()
        self._asked: float | None = None
        super().__init__(config, sockets)

    def __getstate__(self) -> dict[str, object]:
        """What goes to the worker: not the supervisor's end, for the worker must see it close."""
        return {name: value for name, value in vars(self).items() if name != "mine"}

    def start(self) -> None:
        """Start the process."""
        super().start()
        self.theirs.close()

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """What the process does."""
        threading.Thread(target=self.always_pong, daemon=True).start()
        work(self.settings, sockets or [], self.theirs, self.made, self.gate)

    def pong(self) -> None:
        """Answer whether clients are let in."""
        self.child_conn.recv()
        self.child_conn.send(bool(self.made) and self.made[0].started)

    def always_pong(self) -> None:
        """Answer as long as somebody asks."""
        with suppress(EOFError, OSError):
            super().always_pong()

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
