"""What evaluates the same trees in process, side by side with ours: the same rows to the same scores, in turn.

Engines work in an environment and a process of their own; they get the rows as the pipeline's last step takes them,
and whatever stands before it is done for them beforehand.
"""

import json
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path as File
from time import perf_counter_ns
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from .errors import FailedError, WrongAnswerError
from .in_process import RAW, SCIKIT_LEARN, session
from .measure import BLOCK_NS, FEWEST_CALLS, MOST_CALLS, Block, Contender, Path, timed
from .peers.environments import ENGINES, Peer, peers
from .processes import spent, surroundings
from .results import Entry, Interval
from .rivals import NEAR, float32, unavailable
from .subjects import LARGE, ROWS, Subject

__all__ = ["FLOAT32", "paths"]

FLOAT32 = "skl2onnx float32"
"""skl2onnx's own graph under onnxruntime, in this process, with float32 rows made beforehand."""

OTHER_LABELS, OTHER_SCORES = 0.01, 0.5
"""The parts of the rows that may have another label, and other scores: where float32 falls on another side of one
threshold of many thousands. They are counted, and said."""

READY_WITHIN_SECONDS = 600
"""Some compile C."""

ANSWERS_WITHIN_SECONDS = 120
BLOCKS = 8

Matrix = NDArray[np.float64]


class Answers(NamedTuple):
    """Of LARGE rows, how many have other scores, by more than NEAR, and how many another label."""

    scores: int
    labels: int

    @classmethod
    def compared(cls, who: str, found: Matrix, wanted: Matrix) -> "Answers":
        """Raises WrongAnswerError where they are more than float32 would explain. Of two classes, the second's scores
        will do."""
        if found.ndim == 2 and found.shape[1] == 1 and wanted.shape[1] == 2:
            found = np.hstack([1 - found, found])
        if found.shape != wanted.shape:
            raise WrongAnswerError(f"expected answers of shape {wanted.shape} from {who}, found {found.shape}")
        near = np.abs(found - wanted) <= NEAR * np.maximum(np.abs(wanted), np.abs(wanted).max() * 1e-3)
        labels = found.argmax(axis=1) != wanted.argmax(axis=1)
        answers = cls(int((~near.all(axis=1)).sum()), int(labels.sum()))
        if answers.labels > OTHER_LABELS * len(wanted) or answers.scores > OTHER_SCORES * len(wanted):
            raise WrongAnswerError(
                f"expected the right answers of {who}, found other scores in {answers.scores} of {len(wanted)} rows, "
                f"another label in {answers.labels}"
            )
        return answers


class _Engine(NamedTuple):
    process: "subprocess.Popen[bytes]"
    log: Any

    def ask(self, rows: int, calls: int) -> list[int]:
        """The nanoseconds of each call with so many rows."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"rows": rows, "calls": calls}).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise FailedError(f"expected an engine, found that it ended: {self.last}") from error
        times: list[int] = self.line(ANSWERS_WITHIN_SECONDS)
        return times

    def line(self, within: float) -> Any:
        """The next line of its answers."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], within)[0]:
            raise FailedError(f"expected an engine to answer within {within:g} s, found that it did not")
        said = self.process.stdout.readline()
        if not said:
            raise FailedError(f"expected an engine, found that it ended: {self.last}")
        return json.loads(said)

    @property
    def last(self) -> str:
        """The last line that it wrote as an error."""
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "nothing was said"


def paths(subject: Subject, measured: Callable[[Path], Entry], every: list[Peer] | None = None) -> Iterator[Entry]:
    """What ``measured`` makes of one row and of LARGE; ours, scikit-learn and the engines that apply. Nothing where
    there is no pipeline to compare with, or it has no scores.

    every: the engines; all that there are by default.
    """
    engines = peers(ENGINES) if every is None else every
    method = "predict_proba" if "predict_proba" in subject.expected else "predict"
    scores = np.asarray(subject.expected.get(method, ""))
    if subject.pipeline is None or scores.dtype.kind != "f":
        return
    wanted = scores.reshape(LARGE, -1)
    absent: dict[str, str] = {}
    counted: dict[str, Answers] = {}
    running: dict[str, _Engine] = {}
    with ExitStack() as stack:
        folder = File(stack.enter_context(tempfile.TemporaryDirectory()))
        last, steps = _prepare(subject, folder)
        for engine in engines:
            try:
                running[engine.name] = stack.enter_context(_running(engine, folder, last))
                found = np.load(folder / f"{engine.name}.npy")
                counted[engine.name] = Answers.compared(engine.name, found, wanted)
            except FailedError as error:
                running.pop(engine.name, None)
                absent[engine.name] = str(error)
        try:
            graph, given = _float32(subject)
            counted[FLOAT32] = Answers.compared(FLOAT32, graph(given), wanted)
        except FailedError as error:
            absent[FLOAT32] = str(error)
        for count in (1, LARGE):
            contenders = [*_ours(subject, method, count)]
            if FLOAT32 in counted:
                few = [given[index : index + 1].copy() for index in range(ROWS)] if count == 1 else [given]
                contenders.append(Contender(FLOAT32, timed(graph, few, lambda index, answer: None)))
            contenders += [_contender(name, engine, count) for name, engine in running.items()]
            entry = measured(Path(subject.name, f"scores {count}", contenders, absent, BLOCKS))
            yield msgspec.structs.replace(
                entry,
                values={**entry.values, **_values(counted)},
                notes={name: _note(name, counted[name], engines, steps) for name in counted},
            )


def _prepare(subject: Subject, folder: File) -> tuple[str, str]:
    """Write what engines read; gives the class of the last step, and those of the steps before it."""
    import joblib

    steps = [step for _, step in getattr(subject.pipeline, "steps", [("", subject.pipeline)])]
    rows = subject.pipeline[:-1].transform(subject.frame) if len(steps) > 1 else subject.frame
    rows = rows.toarray() if hasattr(rows, "toarray") else rows
    joblib.dump(steps[-1], folder / "estimator.joblib")
    with suppress(TypeError, ValueError):  # no engine takes categories: it will say that there are no rows
        np.save(folder / "rows.npy", np.ascontiguousarray(rows, np.float64))
    return type(steps[-1]).__name__, ", ".join(type(step).__name__ for step in steps[:-1])


@contextmanager
def _running(engine: Peer, folder: File, last: str) -> Iterator[_Engine]:
    if engine.estimators and last not in engine.estimators:
        raise FailedError(f"skipped: it takes no {last}")
    if why := unavailable(engine):
        raise FailedError(why)
    command = [engine.program, "-P", str(ENGINES / "worker.py"), str(engine.file), str(folder)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env={**surroundings(), **engine.variables},
            start_new_session=True,
        )
        try:
            running = _Engine(process, log)
            made = running.line(READY_WITHIN_SECONDS)
            if "error" in made:
                raise FailedError(f"failed: {made['error']}")
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and the compilers that it may have started
            process.communicate()


def _ours(subject: Subject, method: str, count: int) -> Iterator[Contender]:
    numbers = all(feature.kind == "number" for feature in subject.model.manifest.inputs)
    matrix = subject.model.tensors.of(subject.frame).matrix
    output = subject.model.manifest.output(method)
    names = [] if output is None else output.tensors
    few = [matrix[index : index + 1].copy() for index in range(ROWS)] if count == 1 else [matrix]
    frames = [subject.one(index) for index in range(ROWS)] if count == 1 else [subject.frame]
    raw = session(subject.graph)

    def check(index: int, found: Any) -> None:
        subject.check(method, found, index)

    yield Contender("pipetwin", timed(getattr(subject.model, method), few if numbers else frames, check))
    yield Contender(RAW, timed(lambda x: raw.run(names, {"X": x}), few, lambda index, found: None))
    theirs = timed(getattr(subject.pipeline, method), frames[:8], check)
    yield Contender(SCIKIT_LEARN, theirs)


def _float32(subject: Subject) -> tuple[Callable[[Any], Matrix], Any]:
    """What runs skl2onnx's graph for its scores, and its rows; raises FailedError where there is none."""
    if any(feature.kind != "number" for feature in subject.model.manifest.inputs):
        raise FailedError("skipped: it takes an input a column, as the peer fastapi_onnxruntime has it")
    made = session(float32(subject))
    scores = made.get_outputs()[-1].name
    rows = subject.model.tensors.of(subject.frame).matrix.astype(np.float32)

    def run(X: Any) -> Matrix:
        found: Matrix = made.run([scores], {"X": X})[0]
        return found

    return run, rows


def _contender(name: str, engine: _Engine, rows: int) -> Contender:
    def start() -> Callable[[], Block]:
        calls = [_calls(engine.ask(rows, FEWEST_CALLS))]

        def block() -> Block:
            before, begun = spent(engine.process.pid).waited, perf_counter_ns()
            times = engine.ask(rows, calls[0])
            waited = spent(engine.process.pid).waited - before
            calls[0] = _calls(times)
            return Block(np.asarray(times, np.int64), waited=waited / (perf_counter_ns() - begun))

        return block

    return Contender(name, start)


def _calls(times: list[int]) -> int:
    return max(FEWEST_CALLS, min(MOST_CALLS, int(BLOCK_NS / max(float(np.median(times)), 1.0))))


def _values(counted: dict[str, Answers]) -> dict[str, Interval]:
    """No ratios, but what is exact."""
    found = {}
    for name, answers in counted.items():
        found[f"other scores, {name}"] = Interval.exact(answers.scores)
        found[f"other labels, {name}"] = Interval.exact(answers.labels)
    return found


def _note(name: str, answers: Answers, engines: list[Peer], steps: str) -> str:
    parts = [", ".join(f"{n} {v}" for n, v in peer.versions.items()) for peer in engines if peer.name == name]
    if parts and steps:
        parts.append(f"{steps} done beforehand")
    parts.append(f"of {LARGE:,} rows {answers.scores} have other scores, {answers.labels} another label")
    return "; ".join(parts)
