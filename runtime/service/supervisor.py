"""Several workers behind one port: uvicorn's own supervisor, with a channel to each worker beside its pipe.

uvicorn's supervisor starts workers, replaces one that has died or hangs, restarts them one at a time on SIGHUP and
passes SIGTERM on. What it does not know is added here: how workers are forked (see ``forks``), what they serve (see
``channel``), that a worker which never served is not started over and over, and an exit code that says so. This process
answers no predictions and builds no session, so that nothing a model does can end it.
"""

import asyncio
import signal
import socket
import threading
import time
from concurrent.futures import Future

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess

from ..errors import BundleError
from ..settings import Settings
from .access import Gate, loopback
from .admin import admin_app
from .child import Child
from .control import Control
from .forks import GONE, ForkServer
from .limits import protocol
from .listening import DRAIN_SECONDS, address, limits_of
from .logs import log
from .plan import MAIN, Plan, check_aliases, survey
from .reload import Follower
from .trial import tried

__all__ = ["supervise"]

HEALTHCHECK_SECONDS = 10
"""How long a worker may be silent before it is replaced; a thread of its own answers, whatever the event loop does."""

LAST_SECONDS = 3.0
"""How much longer than it may take a worker is given to end before it is killed."""

LONGEST_PAUSE = 30.0
"""Seconds between two starts of a worker that keeps failing while others serve."""

START_SECONDS = 60.0
"""How long a worker may take from its start until it serves."""

COMMIT_SECONDS = 150.0

ADMIN_CONNECTIONS = 256
"""Of the admin address at once: whoever reaches it must not take the descriptors that new workers need."""


def supervise(
    settings: Settings, listener: socket.socket, admin: socket.socket | None, gate: Gate | None, forks: ForkServer
) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises BundleError where no worker comes to serve, or none can be forked."""
    found = survey(settings.models, settings.model_name)
    for (_, alias), error in found.faults.items():
        if alias == MAIN:
            raise error
    check_aliases(found.plan, settings)
    supervisor = _Supervisor(settings, listener, admin, found.plan, gate, forks)
    supervisor.run()
    if supervisor.failed is not None:
        raise BundleError(supervisor.failed)


class _Supervisor(Multiprocess):
    """uvicorn's supervisor in the main thread; channels, admin address and the folder of models in another.

    failed: why no worker came to serve.
    """

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        admin: socket.socket | None,
        plan: Plan,
        gate: Gate | None,
        forks: ForkServer,
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
        self._forks = forks
        self._control = Control(plan)
        self._loop = asyncio.new_event_loop()
        self._ended = threading.Event()
        self._follower = Follower(
            settings.models, plan, tried, self._commit, self._control.reloaded, settings.model_name
        )
        self._said = False
        self._pause = 0.0
        self._next = 0.0
        self._rolling: list[Child] = []  # workers that are still to be replaced by others that already serve
        self._coming: Child | None = None
        self._leaving: list[tuple[Child, float]] = []  # who was told to end, and by when it must have

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

    def _started(self) -> Child:
        child = Child(self.config, self._forks, self._gate.text if self._gate else "")
        assert child.pid is not None
        asyncio.run_coroutine_threadsafe(self._control.attend(child.mine, child.pid), self._loop)
        return child

    @property
    def _workers(self) -> list[Child]:
        return [process for process in self.processes if isinstance(process, Child)]

    def keep_subprocess_alive(self) -> None:
        """Twice a second: replace who has died or hangs, and go on with what takes longer. Waits for nobody."""
        if self.should_exit.is_set():
            return
        if not self._forks.alive:
            self.failed = GONE
            self.should_exit.set()
            return
        if self._control.ready == self.processes_num and not self._said:
            self._said = True
            served = ", ".join(f"{name} {pins[MAIN].version}" for name, pins in self._control.plan.pins.items())
            log.info("ready on %s, %d workers serving %s", address(self._listener), self.processes_num, served)
        for index, child in enumerate(self._workers):
            if self.should_exit.is_set() or self.signal_queue:
                return  # whoever ends now was told to
            if self._fine(child):
                continue
            if not self._said and not self._control.ready:
                self.failed = self._control.fault or (
                    f"expected workers to start, found that one ended with exit code {child.exitcode}"
                )
                self.should_exit.set()
                return
            self._replace(index, child)
        if self._control.fault is not None and not self._said:
            self.failed = self._control.fault
            self.should_exit.set()
            return
        self._reap()
        self._roll()

    def _fine(self, child: Child) -> bool:
        """Whether a worker lives, answers, and serves or may still come to; ends it where not."""
        late = child.pid not in self._control.served and time.monotonic() > child.born + START_SECONDS
        late = late or child.pid in self._control.refused
        if child.is_alive(HEALTHCHECK_SECONDS) and not late:
            return True
        self._control.refused.discard(child.pid or 0)
        if child.exitcode is None:
            log.error("worker %d %s and is killed", child.pid, "did not come to serve" if late else "does not answer")
            child.kill()
        child.join()
        return False

    def _replace(self, index: int, child: Child) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        # Who has served is replaced at once; one that never came to serve, ever later.
        came = child.pid in self._control.served
        self._pause = 0.0 if came else min(max(2 * self._pause, 0.5), LONGEST_PAUSE)
        self._next = now + self._pause
        log.warning("worker %d ended with %s and is replaced", child.pid, child.exitcode)
        self._control.served.discard(child.pid or 0)
        self.processes[index] = self._started()

    def restart_all(self) -> None:
        """Replace each worker by one that already serves, one at a time. (uvicorn's own would start workers of its
        own kind, and look after nobody else meanwhile.)"""
        self._rolling = self._workers

    def _roll(self) -> None:
        """The next step of a rolling restart."""
        if self._coming is None:
            self._rolling = [child for child in self._rolling if child in self.processes]
            if self._rolling and not self._leaving:
                self._coming = self._started()
        elif not self._fine(self._coming):
            log.error("a new worker did not come to serve: the others stay as they are")
            self._rolling, self._coming = [], None
        elif self._coming.pid in self._control.served:
            old = next((child for child in self._rolling if child in self.processes), None)
            if old is not None:
                self.processes[self.processes.index(old)] = self._coming
            self._leave(old or self._coming)
            self._coming = None

    def _leave(self, child: Child) -> None:
        """Tell a worker to end."""
        child.terminate()
        self._leaving.append((child, time.monotonic() + self._settings.drain_seconds + DRAIN_SECONDS + LAST_SECONDS))

    def _reap(self) -> None:
        """Forget who has ended, kill who should have."""
        for child, ends in self._leaving:
            if child.exitcode is None and time.monotonic() > ends:
                log.error("worker %d did not end and is killed", child.pid)
                child.kill()
        self._leaving = [(child, ends) for child, ends in self._leaving if child.exitcode is None]

    def terminate_all(self) -> None:
        """Tell every worker to end."""
        for child in (*self._workers, *([self._coming] if self._coming else [])):
            self._leave(child)

    def join_all(self) -> None:
        """Wait until every worker has ended; after another signal, not for long."""
        while self._leaving:
            again = {signal.SIGINT, signal.SIGTERM}.intersection(self.signal_queue)
            self.signal_queue.clear()
            if again:
                soon = time.monotonic() + 0.5
                for child, _ in self._leaving:
                    child.terminate()
                self._leaving = [(child, min(ends, soon)) for child, ends in self._leaving]
            time.sleep(0.02)
            self._reap()

    def handle_ttin(self) -> None:
        """One worker more."""
        self.processes_num += 1
        self.processes.append(self._started())

    def handle_ttou(self) -> None:
        """One worker fewer."""
        if self.processes_num > 1:
            self.processes_num -= 1
            child = self._workers[-1]
            self.processes.remove(child)
            self._leave(child)

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
        bounds = limits_of(self._settings)._replace(connections=ADMIN_CONNECTIONS)
        config = uvicorn.Config(
            front,
            http=protocol(bounds, front.refusing),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        await uvicorn.Server(config).serve(sockets=[admin])
