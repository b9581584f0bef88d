"""The paths within this process: bytes to bytes, and rows to answers."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .errors import WrongAnswerError
from .measure import AGAIN, Contender, Path, timed
from .subjects import LARGE, ROWS, Subject

__all__ = ["PREBOUND", "RAW", "SCIKIT_LEARN", "paths", "session"]

OURS = "pipetwin"
RAW = "raw run"
"""``InferenceSession.run`` on the same graph for the same outputs, one thread: what a caller without us would call."""
PREBOUND = "prebound run"
"""The same with input and output bound beforehand: the least that the graph costs."""
SCIKIT_LEARN = "scikit-learn"

INPUT = "X"

JSON = "predict_json"

MANY_BLOCKS, BLOCKS, FEW_BLOCKS = 16, 8, 6


def session(graph: bytes) -> Any:
    """A session of onnxruntime's own on the graph, with one thread as ours has."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def paths(subject: Subject) -> Iterator[Path]:
    """Every path within the process, those first that take one row."""
    raw = session(subject.graph)
    yield _json(subject, raw)
    method = "predict" if "predict" in subject.expected else "transform"
    for count in (1, 100, LARGE):
        yield _rows(subject, raw, method, count, subject.first, f"predict {count}")
    if not any(feature.kind != "number" for feature in subject.model.manifest.inputs):
        matrix = subject.model.tensors.of(subject.frame).matrix
        yield _rows(subject, raw, method, LARGE, lambda count: matrix[:count], f"predict {LARGE} array")


def _json(subject: Subject, raw: Any) -> Path:
    """One row as JSON, to an answer in JSON; scikit-learn has its DataFrame there already, and is asked once."""
    names = _tensors(subject, "predict", "predict_proba") or _tensors(subject, "transform")
    matrix = subject.model.tensors.of(subject.first(ROWS)).matrix
    rows = [{INPUT: row[np.newaxis].copy()} for row in matrix]
    check = _check_tensors(subject, names)
    again = [Contender(RAW, timed(lambda row: raw.run(names, row), rows, check))]
    again.append(Contender(RAW + AGAIN, again[0].start))
    bound = _Bound(raw, names, rows, subject)
    ours = Contender(OURS, timed(subject.model.predict_json, subject.bodies, subject.check_json))
    prebound = Contender(PREBOUND, timed(bound.run, bound.bindings, lambda index, _: check(index, bound.outputs)))
    method = next(m for m in ("predict_proba", "predict", "transform") if m in subject.expected)
    return _with_pipeline(
        subject, method, JSON, [ours, *again, prebound], [subject.one(index) for index in range(ROWS)]
    )


def _rows(subject: Subject, raw: Any, method: str, count: int, rows: Callable[[int], Any], name: str) -> Path:
    """Rows as the pipeline takes them to its answers; where there is one, each of ROWS in turn."""
    given = [subject.one(index) for index in range(ROWS)] if count == 1 else [rows(count)]
    matrices = [{INPUT: subject.model.tensors.of(x).matrix} for x in given]
    names = _tensors(subject, method)
    ours = timed(getattr(subject.model, method), given, lambda index, found: subject.check(method, found, index))
    raws = timed(lambda x: raw.run(names, x), matrices, _check_tensors(subject, names))
    return _with_pipeline(
        subject,
        method,
        name,
        [Contender(OURS, ours), Contender(RAW, raws)],
        given if count == 1 else [subject.first(count)],  # fitted with names, scikit-learn wants a frame
    )


def _with_pipeline(subject: Subject, method: str, name: str, contenders: list[Contender], given: list[Any]) -> Path:
    blocks = MANY_BLOCKS if name == JSON else FEW_BLOCKS if name.startswith(f"predict {LARGE}") else BLOCKS
    if subject.pipeline is None:
        return Path(subject.name, name, contenders, {SCIKIT_LEARN: subject.absent}, blocks)
    # Its answers are what all others are held to; a few of them are asked for again, for it takes its time.
    call = getattr(subject.pipeline, method)
    theirs = timed(call, given[:8], lambda index, found: subject.check(method, found, index))
    return Path(subject.name, name, [*contenders, Contender(SCIKIT_LEARN, theirs)], blocks=blocks)


def _tensors(subject: Subject, *methods: str) -> list[str]:
    outputs = [subject.model.manifest.output(method) for method in methods]
    return [tensor for output in outputs if output is not None for tensor in output.tensors]


def _check_tensors(subject: Subject, names: list[str]) -> Callable[[int, list[NDArray[Any]]], None]:
    """Checks the graph's own outputs, read by the manifest's classes."""
    outputs = [output for output in subject.model.manifest.outputs if output.method in subject.expected]

    def check(index: int, arrays: list[NDArray[Any]]) -> None:
        if len(arrays) != len(names):
            raise WrongAnswerError(f"expected {len(names)} outputs of {subject.name}'s graph, found {len(arrays)}")
        found = dict(zip(names, arrays, strict=True))
        for output in outputs:
            if len(output.tensors) != 1 or output.tensors[0] not in found:
                continue
            answer = found[output.tensors[0]]
            if not output.labels:
                subject.check(output.method, answer, index)
            elif answer.ndim == 1:
                subject.check(output.method, np.asarray(subject.model.manifest.classes[0])[answer], index)

    return check


class _Bound:
    """Rows with their inputs bound one by one, and outputs bound once for all of them."""

    def __init__(
        self, raw: Any, names: list[str], rows: list[dict[str, NDArray[np.float64]]], subject: Subject
    ) -> None:
        self.outputs = [array.copy() for array in raw.run(names, rows[0])]
        self._rows = rows  # a binding holds an address only
        self.bindings = []
        self.run = raw.run_with_iobinding
        for row in rows:
            binding = raw.io_binding()
            binding.bind_cpu_input(INPUT, row[INPUT])
            for name, array in zip(names, self.outputs, strict=True):
                binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
            self.bindings.append(binding)
