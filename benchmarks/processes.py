"""Servers in processes of their own: started, asked, accounted for by the kernel, and ended."""

import http.client
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import NamedTuple

from .errors import FailedError
from .load import Headers, headed

__all__ = [
    "Server",
    "answers",
    "free_port",
    "own_wait_ns",
    "pss_mb",
    "run_seconds",
    "serving",
    "serving_python",
    "spent",
    "surroundings",
    "waiting",
]

ROOT = Path(__file__).parents[1]
STARTS_WITHIN_SECONDS = 60
NOT_YET = frozenset({404, 425, 503})
"""The statuses that a server may have for what it has not loaded yet."""
STOPS_WITHIN_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """A server that has answered.

    seconds: from the start of its process to its first right answer.
    """

    pid: int
    port: int
    path: str
    seconds: float


@contextmanager
def serving(
    command: Callable[[int], Sequence[str | Path]],
    path: str,
    body: bytes,
    check: Callable[[bytes], None],
    *,
    folder: Path = ROOT,
    within: float = STARTS_WITHIN_SECONDS,
    not_yet: Collection[int] = NOT_YET,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A server from its start to its first right answer, then for the block.

    command: of the port.
    path, body: of the request that it is asked.
    check: raises WrongAnswerError.
    folder: where it runs.
    not_yet: the statuses after which it is asked again.
    Raises FailedError where it ends or does not answer in time, with the last line that it wrote.
    """
    port = free_port()
    words = [str(word) for word in command(port)]
    with tempfile.TemporaryFile() as log:
        begun = perf_counter()
        process = subprocess.Popen(
            words,
            cwd=folder,
            stdout=log,
            stderr=log,
            env={**surroundings(), **(environment or {})},
            start_new_session=True,
        )
        try:
            answer = _first_answer(process, port, path, body, monotonic() + within, not_yet)
            seconds = perf_counter() - begun
            if isinstance(answer, str):
                log.seek(0)
                said = log.read().decode(errors="replace").strip().splitlines()
                raise FailedError(f"{answer}; the last it wrote: {said[-1][:300] if said else 'nothing'}")
            check(answer)
            yield Server(process.pid, port, path, seconds)
        finally:
            _end(process)


def surroundings() -> dict[str, str]:
    """Our environment variables, without those that are about this process alone."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PIPETWIN_", "PYTHONPATH"))}


def _first_answer(
    process: subprocess.Popen[bytes], port: int, path: str, body: bytes, until: float, not_yet: Collection[int]
) -> bytes | str:
    """The body of the first answer with status 200, or a sentence that says why there is none."""
    said = "nobody listened"
    while process.poll() is None:
        if monotonic() > until:
            return f"expected an answer from {path} in time, found none: {said}"
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request("POST", path, body, {"content-type": "application/json"})
                response = connection.getresponse()
                answer = response.read()
            finally:
                connection.close()
            if response.status == 200:
                return answer
            said = f"status {response.status}: {answer[:200].decode(errors='replace')}"
            if response.status not in not_yet:
                return f"expected status 200, found {said}"
            sleep(0.05)
        sleep(0.002)
    return f"expected a server, found that it ended with exit code {process.returncode}"


def answers(server: Server, bodies: Sequence[bytes], headers: Sequence[Headers] = ()) -> Iterator[bytes]:
    """A server's answers to bodies, one after the other; raises FailedError where one has not status 200.

    headers: of each body; none for bodies that are JSON.
    """
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        for body, its in headed(bodies, headers):
            connection.request("POST", server.path, body, dict(its))
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200:
                raise FailedError(
                    f"expected status 200, found {response.status}: {answer[:200].decode(errors='replace')}"
                )
            yield answer
    except (OSError, http.client.HTTPException) as error:
        raise FailedError(f"expected an answer from {server.path}, found: {error}") from error
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started, all of which is in a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 15)
    try:
        process.wait(STOPS_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def run_seconds(command: Sequence[str | Path]) -> float:
    """Seconds from a command's start to its end; raises FailedError where it ends with an error."""
    begun = perf_counter()
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = perf_counter() - begun
    if done.returncode:
        raise FailedError(f"expected exit code 0, found {done.returncode}: {done.stderr.strip()[-200:]}")
    return seconds


def serving_python() -> Path:
    """The interpreter that servers run in: of the environment without scikit-learn, else our own."""
    own = ROOT / ".venv-serve/bin/python"
    return own if own.exists() else Path(sys.executable)


class Spent(NamedTuple):
    """Nanoseconds that a process, its threads and its children ran, and that they waited while another had the
    processor."""

    ran: int
    waited: int


def spent(pid: int) -> Spent:
    """From ``/proc/PID/task/TID/schedstat``, which counts nanoseconds; where the kernel has it not, from utime and
    stime of ``/proc/PID/stat``, which count hundredths of a second, and no waiting."""
    each = []
    for process in _tree(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            each.append(_spent(process))
    return Spent(sum(one.ran for one in each), sum(one.waited for one in each))


def _spent(pid: int) -> Spent:
    try:
        fields = [(task / "schedstat").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir()]
        return Spent(sum(int(field[0]) for field in fields), sum(int(field[1]) for field in fields))
    except (FileNotFoundError, IndexError):
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return Spent((int(stat[11]) + int(stat[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK"), 0)


def own_wait_ns() -> int:
    """Nanoseconds that this thread has waited while another had the processor; 0 where the kernel does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1])
    except (OSError, IndexError):
        return 0


@contextmanager
def waiting(pid: int) -> Iterator[Callable[[], int]]:
    """A function that tells, within a few microseconds, how long a server's main thread and the caller's own have
    waited while another had the processor, nanoseconds in all; always 0 where the kernel does not tell."""
    files: list[int] = []
    try:
        with suppress(OSError):
            files += [os.open(f"/proc/{name}/schedstat", os.O_RDONLY) for name in (f"{pid}/task/{pid}", "thread-self")]
        yield lambda: sum(int(os.pread(file, 64, 0).split()[1]) for file in files)
    finally:
        for file in files:
            os.close(file)


def _tree(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(folder.name))
    found, rest = [], [pid]
    while rest:
        found.append(rest.pop())
        rest += parents.get(found[-1], [])
    return found


def pss_mb(pid: int) -> float:
    """Memory of a process tree, what is shared divided among those who share it (PSS), megabytes.

    Raises FailedError where the kernel does not tell.
    """
    kilobytes = 0
    for process in _tree(pid):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError as error:
            raise FailedError(f"expected /proc/{process}/smaps_rollup, found: {error.strerror}") from error
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes * 1024 / 1e6
