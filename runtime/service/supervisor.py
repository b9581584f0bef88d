"""Several workers behind one port: uvicorn's own supervisor, with a channel to each worker beside its pipe.

uvicorn's supervisor starts workers by spawning, hands them the listening socket that this process keeps, replaces one
that has died or hangs, restarts them one at a time on SIGHUP and passes SIGTERM on. What it does not know is added
here: what workers serve (see ``channel``), that a worker which never served is not started over and over, and an exit
code that says so. This process answers no predictions and builds no session, so that nothing a model does can end it.
"""

import asyncio
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import suppress

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from ..errors import BundleError
from ..settings import Settings
from .access import Gate, loopback
from .admin import admin_app
from .control import Control
from .listening import address
from .logs import log
from .plan import MAIN, Plan, survey
from .reload import Follower
from .trial import tried
from .worker import Worker, work

__all__ = ["supervise"]

HEALTHCHECK_SECONDS = 10
"""How long a worker may be silent before it is replaced; a thread of its own answers, whatever the event loop does."""

LONGEST_PAUSE = 30.0
"""Seconds between two starts of a worker that keeps failing while others serve."""

RESTART_SECONDS = 60.0
"""How long a new worker may take in a rolling restart."""

COMMIT_SECONDS = 120.0


def supervise(settings: Settings, listener: socket.socket, admin: socket.socket | None, gate: Gate | None) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises BundleError where no worker comes to serve."""
    found = survey(settings.models, settings.model_name)
    for (_, alias), error in found.faults.items():
        if alias == MAIN:
            raise error
    supervisor = _Supervisor(settings, listener, admin, found.plan, gate)
    supervisor.run()
    if supervisor.failed is not None:
        raise BundleError(supervisor.failed)


class _Process(Process):
    """uvicorn's worker process, with its end of a channel."""

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], settings: Settings, gate: Gate | None
    ) -> None:
        self.mine, self.theirs = socket.socketpair()
        self.settings = settings
        self.gate = gate
        self.made: list[Worker] = []
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


class _Supervisor(Multiprocess):
    """uvicorn's supervisor in the main thread; channels, admin address and the folder of models in another.

    failed: why no worker came to serve.
    """

    def __init__(
        self, settings: Settings, listener: socket.socket, admin: socket.socket | None, plan: Plan, gate: Gate | None
    ) -> None:
        config = uvicorn.Config(
            "unused",
            workers=settings.workers,
            log_config=None,
            timeout_worker_healthcheck=HEALTHCHECK_SECONDS,
        )
        super().__init__(config, [listener])
        self.failed: str | None = None
        self._settings = settings
        self._listener = listener
        self._admin = admin
        self._gate = gate
        self._control = Control(plan)
        self._loop = asyncio.new_event_loop()
        self._ended = threading.Event()
        self._follower = Follower(
            settings.models, plan, tried, self._commit, self._control.reloaded, settings.model_name
        )
        self._said = False
        self._pause = 0.0
        self._next = 0.0

    def run(self) -> None:
        """Until a signal, or until it is clear that no worker comes to serve."""
        thread = threading.Thread(target=self._loop.run_forever, name="pipetwin-control", daemon=True)
        thread.start()
        if self._admin is not None:
            asyncio.run_coroutine_threadsafe(self._serve_admin(self._admin), self._loop)
            log.info("admin on %s", address(self._admin))
        if self._gate is not None:
            asyncio.run_coroutine_threadsafe(self._gate.follow(self._settings.poll_seconds), self._loop)
        try:
            super().run()
        finally:
            self._ended.set()
            asyncio.run_coroutine_threadsafe(self._end(), self._loop)
            thread.join(timeout=2)
            if not thread.is_alive():
                self._loop.close()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._loop.stop()

    def init_processes(self) -> None:
        """Start all workers; who has to wait for them waits in the loop that follows."""
        for _ in range(self.processes_num):
            self.processes.append(self._started())
        follow, seconds = self._follower.run, self._settings.poll_seconds
        if seconds:
            threading.Thread(target=follow, args=(seconds, self._ended), name="pipetwin-follow", daemon=True).start()

    def _started(self) -> _Process:
        process = _Process(self.config, self.sockets, self._settings, self._gate)
        process.start()
        assert process.pid is not None
        asyncio.run_coroutine_threadsafe(self._control.attend(process.mine, process.pid), self._loop)
        return process

    def keep_subprocess_alive(self) -> None:
        """Twice a second: replace who has died or hangs."""
        if self._control.ready == self.processes_num and not self._said:
            self._said = True
            served = ", ".join(f"{name} {pins[MAIN].version}" for name, pins in self._control.plan.pins.items())
            log.info("ready on %s, %d workers serving %s", address(self._listener), self.processes_num, served)
        for index, process in enumerate(self.processes):
            if process.is_alive(timeout=self.config.timeout_worker_healthcheck):
                continue
            if process.exitcode is None:
                process.kill()
            process.join()
            if not self._said and not self._control.ready:
                self.failed = self._control.fault or (
                    f"expected workers to start, found that one ended with exit code {process.exitcode}"
                )
                self.should_exit.set()
                return
            self._replace(index)
        if self._control.fault is not None and not self._said:
            self.failed = self._control.fault
            self.should_exit.set()

    def _replace(self, index: int) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        # Who has served is replaced at once; one that never came to serve, ever later.
        pid = self.processes[index].pid
        came = pid in self._control.served
        self._pause = 0.0 if came else min(max(2 * self._pause, 0.5), LONGEST_PAUSE)
        self._next = now + self._pause
        log.warning(
            "worker %d ended with %s and is replaced", self.processes[index].pid, self.processes[index].exitcode
        )
        self._control.served.discard(pid or 0)
        self.processes[index] = self._started()

    def restart_all(self) -> None:
        """Replace each worker by one that already serves. (uvicorn's own would start workers of its own kind.)"""
        for index, old in enumerate(self.processes):
            new = self._started()
            ends = time.monotonic() + RESTART_SECONDS
            while new.process.is_alive() and time.monotonic() < ends and not self.signal_queue:
                if new.is_ready(timeout=1):
                    break
                time.sleep(0.05)
            else:
                log.error("a new worker did not come to serve: the others stay as they are")
                new.kill()
                new.join()
                return
            old.terminate()
            old.join()
            self.processes[index] = new

    def handle_ttin(self) -> None:
        """One worker more."""
        self.processes_num += 1
        self.processes.append(self._started())

    def _commit(self, plan: Plan) -> None:
        """For the follower's thread: make every worker serve a plan."""
        done: Future[None] = asyncio.run_coroutine_threadsafe(self._control.commit(plan), self._loop)
        try:
            done.result(COMMIT_SECONDS)
        except TimeoutError as error:
            done.cancel()
            raise BundleError("expected workers to swap, found that they do not answer") from error

    async def _serve_admin(self, admin: socket.socket) -> None:
        front = admin_app(self._control, self._follower, self._gate, local=loopback(self._settings.admin_host))
        config = uvicorn.Config(
            front, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False
        )
        await uvicorn.Server(config).serve(sockets=[admin])
