"""A graph's bytes become something that runs: the only file that imports onnxruntime."""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BundleError
from .graphcheck import check_graph
from .order import FEWEST, ORDER, Order, restored
from .rows import Rows

# onnxruntime's Linux wheels send telemetry from 1.29 on, beginning at import; this is the documented full opt-out.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["BLOCK", "DISABLED", "INPUT", "MOST_ROWS", "ROWS", "Row", "Session", "text_inputs"]

BLOCK = 1024
"""Rows in one run. A forest of 500 trees makes 500 leaf numbers a row on its way, so that the memory of a large
batch is bounded by this; answers do not depend on it, for every operator that we emit treats rows alone, but in a graph
whose rows must stay together (``Manifest.whole``)."""

ROWS = "rows"
"""The key in a graph's metadata where it says that it may have more rows in one run."""
MOST_ROWS = 16384
"""Beyond this a run is no sooner, and a graph's word is not taken for it."""

INPUT = "X"
"""The name of the graph's matrix."""

DISABLED = ["NoopElimination"]
"""Optimisers of onnxruntime's that are kept out: it drops a product with one number that is within 1e-8 of 1."""

DENSE = 2**24
"""Numbers that the matrix of a text's terms may have in one run, should the graph need it without its gaps."""


def text_inputs(rule: int) -> tuple[str, str]:
    """The names of what a text rule gives the graph: its terms' places, int64 [terms, 2], rows and columns, and their
    counts, float64 [terms]."""
    return f"text{rule}", f"text{rule}_counts"


class Session:
    """A graph that answers; safe to run from many threads at once.

    onnxruntime gets one thread: partial sums over several would make an answer depend on the batch it came in.
    widths: of each text rule that the graph reads, its columns.
    whole: whether rows that come together are one run, however many.
    Raises BundleError where the bytes are no graph that onnxruntime can run, or one that it should not see.
    """

    def __init__(self, graph: bytes, widths: Sequence[int] = (), *, whole: bool = False) -> None:
        check_graph(graph)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised, in our words
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=DISABLED
            )
        except Exception as error:  # onnxruntime's errors share no base but Exception
            raise BundleError(
                f"expected a graph that onnxruntime {onnxruntime.__version__} runs, found: {error}"
            ) from error
        self._session._model_bytes = None  # kept for other providers, should the first one fail; this one has no other
        inputs = [(value.name, value.type) for value in self._session.get_inputs()]
        types = {value.type for value in self._session.get_outputs()}
        if inputs != _inputs(len(widths)) or not types <= _DTYPES.keys():
            beside = f" and the terms of {len(widths)} text rules" if widths else ""
            raise BundleError(
                f"expected a graph from one float64 matrix {INPUT}{beside} to plain tensors, found one from {inputs} "
                f"to {', '.join(sorted(types))}: convert the model again"
            )
        self._texts = [text_inputs(rule) for rule in range(len(widths))]
        self._text_block = sys.maxsize if whole else min(BLOCK, max(1, DENSE // max(widths, default=1)))
        self.columns: int = self._session.get_inputs()[0].shape[1]
        self.outputs: tuple[str, ...] = tuple(output.name for output in self._session.get_outputs())
        self._dtypes = {output.name: _DTYPES[output.type] for output in self._session.get_outputs()}
        self._shapes = {output.name: tuple(output.shape[1:]) for output in self._session.get_outputs()}
        # Made once, and only read. The wrapper that onnxruntime has around a session asks what other processors need,
        # and without options some are made for each run: 11.2 µs for one row of a logistic regression, where this takes
        # 8.9, and 8.0 where it takes 6.6 with input and outputs bound (``Row``).
        self._options = onnxruntime.RunOptions()
        self._answer = getattr(self._session, "_sess", self._session).run
        self._mine = _Mine()
        said = self._session.get_modelmeta().custom_metadata_map
        rows = said.get(ROWS, "")
        self._block = min(max(int(rows), BLOCK), MOST_ROWS) if rows.isdecimal() and len(rows) < 10 else BLOCK
        self._order = Order.read(said.get(ORDER, ""), self.columns)
        if whole:  # also in the order in which they came, for what they have in common is added up
            self._block, self._order = sys.maxsize, None

    def run(self, matrix: NDArray[np.float64], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """The outputs of those names for the rows of a C-contiguous float64 matrix [N, columns].

        Each has N as its first dimension; no rows give no rows.
        """
        order = self._order
        if order is None or len(matrix) < FEWEST:
            return _cut(matrix, self._block, lambda rows: self._run(rows, outputs))
        return _cut(matrix, MOST_ROWS, lambda rows: self._ordered(order, rows, outputs))

    def run_rows(self, rows: Rows, outputs: Sequence[str]) -> list[NDArray[Any]]:
        """As ``run``, with the terms of texts beside the matrix."""
        if not self._texts or not len(rows):
            return self.run(rows.matrix, outputs)
        return _cut(rows, self._text_block, lambda part: self._run_terms(part, outputs))

    def _run_terms(self, rows: Rows, outputs: Sequence[str]) -> list[NDArray[Any]]:
        given: dict[str, NDArray[Any]] = {INPUT: rows.matrix}
        for (places, counts), terms in zip(self._texts, rows.terms, strict=True):
            given[places], given[counts] = terms.places, terms.values
        answers: list[NDArray[Any]] = self._answer(list(outputs), given, self._options)
        return answers

    def _run(self, matrix: NDArray[np.float64], outputs: Sequence[str]) -> list[NDArray[Any]]:
        if not len(matrix):
            return [np.empty((0, *self._shapes[name]), self._dtypes[name]) for name in outputs]
        answers: list[NDArray[Any]] = self._answer(list(outputs), {INPUT: matrix}, self._options)
        return answers

    def _ordered(self, order: Order, matrix: NDArray[np.float64], outputs: Sequence[str]) -> list[NDArray[Any]]:
        places = order.places(matrix)
        answers = _cut(matrix.take(places, axis=0), self._block, lambda rows: self._run(rows, outputs))
        return [restored(answer, places) for answer in answers]

    def row(self, outputs: tuple[str, ...]) -> "Row":
        """This thread's own prebound row for those outputs."""
        row = self._mine.rows.get(outputs)
        if row is None:
            row = self._mine.rows[outputs] = Row(
                self._session,
                self._options,
                self.columns,
                [(n, self._shapes[n], self._dtypes[n]) for n in outputs],
            )
        return row


def _cut(rows: Any, most: int, run: Callable[[Any], list[NDArray[Any]]]) -> list[NDArray[Any]]:
    """What ``run`` answers for rows, at most so many at once: in as few runs as can be, of equal length."""
    if len(rows) <= most:
        return run(rows)
    size = -(-len(rows) // -(-len(rows) // most))
    parts = [run(rows[start : start + size]) for start in range(0, len(rows), size)]
    return [np.concatenate(answers) for answers in zip(*parts, strict=True)]


class _Mine(threading.local):
    """What each thread has for itself."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, ...], Row] = {}


class Row:
    """One row with its input and outputs bound once: fill ``input``, call ``run``, read ``outputs``.

    The arrays are reused by the next run, so that it belongs to one thread, and what is kept must be copied.
    """

    def __init__(
        self, session: Any, options: Any, columns: int, outputs: Sequence[tuple[str, tuple[int, ...], type[np.generic]]]
    ) -> None:
        matrix = np.zeros((1, columns))
        self.input: NDArray[np.float64] = matrix[0]
        self.outputs: tuple[NDArray[Any], ...] = tuple(np.zeros((1, *shape), dtype) for _, shape, dtype in outputs)
        binding = session.io_binding()
        binding.bind_cpu_input(INPUT, matrix)
        for (name, _, _), array in zip(outputs, self.outputs, strict=True):
            binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        self._matrix = matrix  # the binding holds its address only
        inner, bound = getattr(session, "_sess", None), getattr(binding, "_iobinding", None)
        if inner is None or bound is None:
            inner, bound = session, binding
        self._binding = binding
        self._run = partial(inner.run_with_iobinding, bound, options)

    def run(self) -> tuple[NDArray[Any], ...]:
        """The outputs for the present input, each with a first dimension of 1."""
        self._run()
        return self.outputs


def _inputs(rules: int) -> list[tuple[str, str]]:
    """Names and types of a graph's inputs."""
    inputs = [(INPUT, "tensor(double)")]
    for rule in range(rules):
        places, counts = text_inputs(rule)
        inputs += [(places, "tensor(int64)"), (counts, "tensor(double)")]
    return inputs


_DTYPES: dict[str, type[np.generic]] = {
    "tensor(double)": np.float64,
    "tensor(float)": np.float32,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}
