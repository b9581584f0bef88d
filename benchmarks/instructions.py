"""Instructions that an answer takes, counted by callgrind: the same on a busy machine as on a quiet one.

Callgrind runs a program fifty times slower than the processor does; loading numpy, onnxruntime and the service would
take minutes. So it counts nothing until all is loaded and warm (``--instr-atstart=no``), which leaves seconds, and two
runs of different length are subtracted, which leaves nothing of what surrounds the answers.
"""

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Protocol

import msgspec

from .errors import FailedError, WrongAnswerError
from .processes import ROOT, serving_python
from .results import Entry, Failure, Interval
from .subjects import Subject

__all__ = [
    "NAME",
    "PLAIN",
    "PROGRAM",
    "WAYS",
    "Program",
    "counted",
    "counting",
    "elsewhere",
    "instructions",
    "interpreter",
]

NAME = "instructions"
"""The path's name."""

WAYS = ("predict_json", "request")

PLAIN = "plain handler"
"""The control, ``counted.plain``. It is made of the same stuff as ours, an interpreter and onnxruntime, so that a
ratio to it holds for the next interpreter, for which every count is another."""

ROUNDS = (1, 3)
"""A round has every body once: that is enough for whatever fills and is emptied to do so in each."""

PROGRAM = ("-m", "benchmarks.counted")

WITHIN_SECONDS = 300


class Program(Protocol):
    """What answers, and can be counted meanwhile. way: one of WAYS, or PLAIN."""

    def answers(self, way: str) -> list[bytes]:
        """The answer to every body; raises FailedError where it has none."""

    def count(self, way: str, rounds: int) -> int:
        """The instructions of so many rounds, and of what surrounds them."""

    def kept(self, way: str) -> int:
        """Memory blocks that a round leaves behind."""


def instructions(
    subject: Subject, program: Callable[[Subject], AbstractContextManager[Program]] | None = None
) -> Entry:
    """Instructions an answer by each of WAYS, as ratios to those of the control too, and memory blocks that an answer
    leaves behind; without blocks, for they are exact."""
    try:
        with (program or counting)(subject) as running:
            return counted(subject, running, interpreter())
    except FailedError as error:
        return Entry(subject.name, NAME, failures={"pipetwin": _failure(error)})


def counted(subject: Subject, program: Program, interpreter: str) -> Entry:
    """The same of a program that runs. interpreter: the one for which alone the counts hold."""
    per: dict[str, float] = {}
    kept: dict[str, Interval] = {}
    failures: dict[str, Failure] = {}
    for way in (*WAYS, PLAIN):
        try:
            for index, answer in enumerate(program.answers(way)):
                subject.check_json(index, answer)
            few, many = (program.count(way, rounds) for rounds in ROUNDS)
            if way in WAYS:
                kept[f"{way} kept"] = Interval.exact(program.kept(way) / len(subject.rows))
        except FailedError as error:
            failures[PLAIN if way == PLAIN else "pipetwin"] = _failure(error)
        else:
            per[way] = (many - few) / (ROUNDS[1] - ROUNDS[0]) / len(subject.rows)
    values = {f"{way}, {interpreter}": Interval.exact(round(count)) for way, count in per.items()}
    if PLAIN in per:
        values |= {f"{way} / {PLAIN}": Interval.exact(per[way] / per[PLAIN]) for way in WAYS if way in per}
    return Entry(subject.name, NAME, values=values | kept, failures=failures)


@cache
def interpreter() -> str:
    """The interpreter that serves, as ``CPython 3.11``."""
    said = "import platform as p; print(p.python_implementation(), *p.python_version_tuple()[:2])"
    done = subprocess.run([serving_python(), "-c", said], capture_output=True, text=True, check=True)
    name, *version = done.stdout.split()
    return f"{name} {'.'.join(version)}"


def elsewhere(name: str) -> bool:
    """Whether a limit is of a count that holds for another interpreter than the one that serves."""
    return name.partition(", ")[0] in WAYS and not name.endswith(f", {interpreter()}")


def _failure(error: FailedError) -> Failure:
    return Failure(str(error), isinstance(error, WrongAnswerError))


@contextmanager
def counting(subject: Subject, program: Sequence[str] = PROGRAM) -> Iterator[Program]:
    """A program under callgrind, for the block. program: what the interpreter that serves is to run.

    Raises FailedError where callgrind is not there, or where what it runs ends.
    """
    valgrind, control = shutil.which("valgrind"), shutil.which("vgdb")
    if not (valgrind and control):
        raise FailedError("expected valgrind on PATH, found none; on Debian: apt-get install valgrind")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bodies.json").write_bytes(msgspec.json.encode([body.decode() for body in subject.bodies]))
        callgrind = [
            *(valgrind, "--tool=callgrind", "--instr-atstart=no", f"--vgdb-prefix={folder / 'vgdb'}"),
            f"--callgrind-out-file={folder / 'counts'}",
        ]
        command = [serving_python(), *program, subject.folder.resolve(), folder / "bodies.json"]
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(
                [*_at_fixed_addresses(), *callgrind, *map(str, command)],
                cwd=ROOT,
                env=_alone(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        timer = threading.Timer(WITHIN_SECONDS, process.kill)
        timer.start()
        try:
            running = _Running(process, [control, f"--vgdb-prefix={folder / 'vgdb'}", f"--pid={process.pid}"], folder)
            running.line()
            running.tell("instrumentation", "on")
            yield running
        finally:
            timer.cancel()
            process.kill()
            process.communicate()


def _at_fixed_addresses() -> list[str]:
    """What has a program laid out in memory the same each time, where that is allowed."""
    words = ["setarch", "-R"]
    if shutil.which(words[0]) and not subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        return words
    return []


def _alone() -> dict[str, str]:
    """An environment in which a program does the same each time."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIPETWIN_", "PYTHON"))}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**kept, **threads, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


class _Running:
    """A Program as a process, told by its standard input what to do and by vgdb when to count."""

    def __init__(self, process: "subprocess.Popen[str]", control: Sequence[str], folder: Path) -> None:
        self._process, self._control, self._folder = process, control, folder
        self._dumps = 0

    def answers(self, way: str) -> list[bytes]:
        said = self._do(f"answers {WORDS[way]}")
        if not said.startswith("["):
            raise FailedError(f"expected answers by {way}, found: {said}")
        return [answer.encode() for answer in msgspec.json.decode(said, type=list[str])]

    def count(self, way: str, rounds: int) -> int:
        self.tell("zero")
        self._do(f"rounds {WORDS[way]} {rounds}")
        self.tell("dump")
        self._dumps += 1
        counts = self._folder / f"counts.{self._dumps}"
        total = re.search(r"^totals: (\d+)$", counts.read_text() if counts.exists() else "", re.MULTILINE)
        if total is None:
            raise FailedError(f"expected counts from callgrind, found: {self._last()}")
        return int(total[1])

    def kept(self, way: str) -> int:
        said = self._do(f"kept {WORDS[way]}")
        if not said.isdecimal():
            raise FailedError(f"expected a number of memory blocks, found: {said}")
        return int(said)

    def tell(self, *words: str) -> None:
        """Tell callgrind."""
        done = subprocess.run([*self._control, *words], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise FailedError(f"expected callgrind to {' '.join(words)}, found: {done.stderr.strip()[-200:]}")

    def line(self) -> str:
        """What the program says next."""
        out: IO[str] | None = self._process.stdout
        said = out.readline() if out else ""
        if not said:
            raise FailedError(f"expected a program under callgrind to answer, found that it ended: {self._last()}")
        return said.strip()

    def _do(self, what: str) -> str:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{what}\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise FailedError(f"expected a program under callgrind to listen, found: {self._last()}") from error
        return self.line()

    def _last(self) -> str:
        said = (self._folder / "said").read_text(errors="replace").strip().splitlines()
        return said[-1][:200] if said else "nothing"


WORDS = {way: way for way in WAYS} | {PLAIN: "plain"}
"""What the program calls each way."""
