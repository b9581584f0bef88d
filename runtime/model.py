"""A bundle becomes the pipeline's twin: its methods for arrays and frames, and bytes to bytes for any web framework."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from time import perf_counter_ns
from typing import Any, NamedTuple, NoReturn

import msgspec
import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle, find, read_bundle
from .cost import Cost, measured
from .drift import Drift
from .errors import BundleError, CanaryError, InputError
from .manifest import Category, Manifest, Output
from .memory import enlarge_pages, give_back
from .methods import Method, Predict
from .proof import Proof
from .reading import reader
from .rows import Rows
from .schema import Request, example
from .session import Session
from .tensors import Limits, Tensors

__all__ = ["Answer", "Model", "Response", "load"]

LARGE = 2**20
"""Bytes of a graph from which on what its parsing took is worth to be asked back, and what stays large pages."""


def load(where: str | Path) -> "Model":
    """The model of a version folder, of a model folder (its ``production`` alias, else its newest version) or of
    ``"folder@alias"``, ready to answer: its digests checked and its canary rows answered as they were proven.

    Raises ModelNotFoundError, or BundleError or one of its kinds.
    """
    bundle = read_bundle(find(where))
    model, large = Model(bundle), len(bundle.graph) > LARGE
    del bundle
    model.check()
    if large:
        give_back()
        enlarge_pages()
    return model


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The answer to a request's body.

    body: JSON.
    labels: the predictions, one a row: labels of a classifier, else empty.
    rows: how many rows were answered.
    """

    body: bytes
    labels: Sequence[Category]
    rows: int


class Response(NamedTuple):
    """The answers of several methods.

    answers: each an ndarray, or a list of them where the pipeline returns a list.
    labels, rows: as in Answer.
    """

    answers: list[Any]
    labels: Sequence[Category]
    rows: int


class Model:
    """A drop-in for the pipeline it came from; safe to use from many threads.

    Each method takes a DataFrame, an ndarray, a dict (one row, or columns) or a list of dicts, and answers with the
    pipeline's shapes, dtypes and class labels. Raises InputError for rows that the pipeline would not take.
    ``predict(X, return_std=True)`` answers the mean and its standard deviation, as of a Gaussian process; a TypeError
    where the model was converted without.
    """

    predict = Predict()
    predict_proba = Method()
    predict_log_proba = Method()
    decision_function = Method()
    score_samples = Method()
    transform = Method()

    def __init__(self, bundle: Bundle) -> None:
        self.manifest: Manifest = bundle.manifest
        self.proof: Proof = bundle.proof
        self.name: str = bundle.name
        self.version: str = bundle.manifest.version
        self.digest: str = bundle.digest
        self.drift = Drift(self.manifest.columns)
        self.tensors = Tensors(self.manifest)
        widths = [rule.columns for _, rule in self.manifest.rules]
        self.session: Session = Session(bundle.graph, widths, whole=self.manifest.whole)
        named = {tensor for output in self.manifest.outputs for tensor in output.tensors}
        if self.session.columns != len(self.manifest.columns) or not named <= set(self.session.outputs):
            raise BundleError(
                f"expected the graph to take {len(self.manifest.columns)} columns and to answer "
                f"{', '.join(sorted(named))}, as its manifest says, found another: convert the model again"
            )
        self._request = Request(self.manifest)
        self._decode = self._request.decode
        self.limits = Limits()
        """What the body of a request may hold."""
        self.cost = Cost(0.0, 0.0, 0.0, 0)
        self._encode = msgspec.json.Encoder().encode
        self._must_know = any(not feature.unknown for feature in self.manifest.columns)
        self._has_text = bool(widths)
        self._labels = [np.array(table, _dtype(self.manifest, table)) for table in self.manifest.classes]
        self._read = reader(self.manifest)
        predict = self.manifest.output("predict")
        self._counted = predict if predict is not None and predict.labels else None
        self._dtypes = {output.method: np.dtype(output.dtype) for output in self.manifest.outputs}
        self._sets: dict[frozenset[str], tuple[str, ...]] = {}

    def __copy__(self) -> "Model":
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        return other

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"expected each process to load its own model, found {self.name!r} about to be pickled or copied: call "
            "runtime.load with its folder where it is to answer"
        )

    def within(self, limits: Limits) -> "Model":
        """The same model with limits to what the body of a request may hold; it shares everything else with this one,
        its counters too."""
        other = copy(self)
        other.limits = limits
        other._decode = self._request.within(limits).decode
        other.tensors = self.tensors.within(limits)
        return other

    @property
    def name_of_answer(self) -> str:
        """``prediction`` where the pipeline predicts, ``output`` where it only transforms."""
        return "prediction" if self.manifest.output("predict") else "output"

    @property
    def classes_(self) -> Any:
        """A classifier's labels in the order of the columns of ``predict_proba``: an ndarray [classes], or a list of
        them where it has several outputs. Raises AttributeError where there are none."""
        if self._counted is None:
            raise AttributeError(
                "this model has no classes_: its pipeline predicts no labels", name="classes_", obj=self
            )
        tables = [table.copy() for table in self._labels]
        return tables if self._counted.shape else tables[0]

    def apply(self, output: Output, X: Any) -> Any:
        """A method's answer for rows: an ndarray, or a list of them where the pipeline returns a list."""
        return self.answers(output, self.tensors.of(X))

    def answers(self, output: Output, rows: Rows) -> Any:
        """A method's answer for rows made by ``tensors``."""
        return self.together((output,), rows)[0]

    def together(self, outputs: Sequence[Output], rows: Rows) -> list[Any]:
        """The answers of several methods for rows made by ``tensors``, from one run."""
        tensors = [name for output in outputs for name in output.tensors]
        found = dict(zip(tensors, self.session.run_rows(rows, tensors), strict=True))
        return [self._answer(output, [found[name] for name in output.tensors]) for output in outputs]

    def _answer(self, output: Output, arrays: list[NDArray[Any]]) -> Any:
        dtype = self._dtypes[output.method]
        if output.labels:
            (places,) = arrays
            if places.ndim == 1:
                return self._labels[0].take(places)
            columns = [labels[places[:, index]] for index, labels in enumerate(self._labels)]
            return np.stack(columns, axis=1).astype(dtype, copy=False)
        arrays = [array if array.dtype is dtype else array.astype(dtype) for array in arrays]
        return arrays[0] if len(arrays) == 1 else arrays

    def respond(self, rows: Rows, outputs: Sequence[Output]) -> "Response":
        """The answers of several methods for rows made by ``tensors``, from one run, with what a service counts.

        Raises InputError for more rows than a request may have.
        """
        self.limits.check_rows(len(rows))
        wanted = self._wanted(frozenset([output.method for output in outputs]))
        if len(rows) == 1 and not self._has_text:
            row = self.session.row(wanted)
            row.input[:] = rows.matrix[0]
            found: Sequence[NDArray[Any]] = [array.copy() for array in row.run()]
        else:
            found = self.session.run_rows(rows, wanted)
        arrays = dict(zip(wanted, found, strict=True))
        self.drift.note(rows.matrix)
        answers = [self._answer(output, [arrays[name] for name in output.tensors]) for output in outputs]
        return Response(answers, self._labels_of(arrays, len(rows)), len(rows))

    def one(self, values: Sequence[Any], methods: frozenset[str]) -> tuple[dict[str, NDArray[Any]], Sequence[Category]]:
        """(the tensors of several methods by name, the labels), from one run for one row's decoded values, in the order
        of the manifest's columns; for a model without texts. The next run in this thread may reuse the tensors.

        Raises InputError for an unseen category where the pipeline takes none.
        """
        wanted = self._wanted(methods)
        row = self.session.row(wanted)
        self.tensors.fill(row.input, values)
        if self._must_know:
            self.tensors.check_known(row.input[np.newaxis])
        arrays = dict(zip(wanted, row.run(), strict=True))
        self.drift.note(row.input)
        return arrays, self._labels_of(arrays, 1)

    def _labels_of(self, arrays: dict[str, NDArray[Any]], rows: int) -> list[Category]:
        """The labels that are counted."""
        if self._counted is None:
            return []
        labels: list[Category] = []
        places = arrays[self._counted.tensors[0]].reshape(rows, len(self.manifest.classes))
        for table, column in zip(self.manifest.classes, places.T.tolist(), strict=True):
            labels += [table[place] for place in column]
        return labels

    def _wanted(self, methods: frozenset[str]) -> tuple[str, ...]:
        """The tensors of these methods and of what is counted, in the manifest's order, so that there are few different
        sets of tensors however they are asked for."""
        wanted = self._sets.get(methods)
        if wanted is None:
            wanted = self._sets[methods] = tuple(
                tensor
                for output in self.manifest.outputs
                if output.method in methods or output is self._counted
                for tensor in output.tensors
            )
        return wanted

    def predict_json(self, body: bytes, *, probabilities: bool = False) -> bytes:
        """The answer to a body of ``POST /predict``, as JSON.

        body: an object {feature: value}, or an array of them.
        probabilities: add each class's.
        Raises InputError with a path and a message.
        """
        return self.answer(body, probabilities=probabilities).body

    def answer(self, body: bytes, *, probabilities: bool = False) -> Answer:
        """As ``predict_json``, with what a service counts."""
        start = perf_counter_ns()
        values = self._decode(body)
        read = self._read
        alone = values.__class__ is tuple
        if alone and not self._has_text:
            row = self.session.row(read.tensors)
            self.tensors.fill(row.input, values)
            if self._must_know:
                self.tensors.check_known(row.input[np.newaxis])
            answer, label = read.row(row.run(), 0, probabilities)
            self.drift.note(row.input)
            answer["model_version"] = self.version
            answer["latency_ms"] = (perf_counter_ns() - start) / 1e6
            return Answer(self._encode(answer), label, 1)
        rows = self.tensors.decoded([values] if alone else values)
        if self._must_know:
            self.tensors.check_known(rows.matrix)
        arrays = self.session.run_rows(rows, read.tensors)
        self.drift.note(rows.matrix)
        read_rows = [read.row(arrays, index, probabilities) for index in range(len(rows))]
        if alone:
            ((answer, label),) = read_rows
            answer["model_version"] = self.version
            answer["latency_ms"] = (perf_counter_ns() - start) / 1e6
            return Answer(self._encode(answer), label, 1)
        answers = {
            f"{self.name_of_answer}s": [answer for answer, _ in read_rows],
            "model_version": self.version,
            "latency_ms": (perf_counter_ns() - start) / 1e6,
        }
        return Answer(self._encode(answers), [label for _, labels in read_rows for label in labels], len(rows))

    def check(self) -> None:
        """Answer the canary rows, and measure what an answer costs here.

        Raises CanaryError where an answer is not the proven one.
        """
        rows = self.proof.canary.rows
        try:
            other = [method for method in self.proof.canary.answers if not self._answers_canary(method)]
        except (ValueError, LookupError, TypeError) as error:  # rows or answers of another shape, InputError included
            raise CanaryError(
                f"expected {len(rows)} canary rows that version {self.version} takes, found others: convert it again"
            ) from error
        if other or not rows:
            raise CanaryError(
                f"expected {', '.join(other) or 'a method'} to answer {len(rows)} canary rows as proven at level "
                f"{self.proof.level}, found other answers from version {self.version}: do not serve it here"
            )
        with suppress(InputError):  # an example is no promise
            row = example(self.manifest)
            run = self._run_of(self.tensors.rows([row]))
            run()  # so that no request is the first
            self.cost = measured(run, self.answer, row)
        self.drift = Drift(self.manifest.columns)  # nobody has asked for anything yet

    def _run_of(self, rows: Rows) -> Callable[[], object]:
        """What runs the graph on one row as ``answer`` does, and nothing else."""
        if self._has_text:
            return lambda: self.session.run_rows(rows, self._read.tensors)
        bound = self.session.row(self._read.tensors)
        bound.input[:] = rows.matrix[0]
        return bound.run

    def _answers_canary(self, method: str) -> bool:
        names = [feature.name for feature in self.manifest.inputs if feature.position is not None]
        rows = [dict(zip(names, row, strict=True)) for row in self.proof.canary.rows]
        output = self.manifest.output(method)
        expected = self.proof.canary.answers[method]
        return output is not None and self._as_proven(method, self.answers(output, self.tensors.rows(rows)), expected)

    def _as_proven(self, method: str, found: Any, expected: list[Any]) -> bool:
        if isinstance(found, list):
            return len(found) == len(expected) and all(
                self._as_proven(method, part, wanted) for part, wanted in zip(found, expected, strict=True)
            )
        if found.dtype.kind != "f" and method != "transform":
            return bool(found.tolist() == expected)
        found, wanted = found.astype(np.float64), np.array(expected, np.float64).reshape(found.shape)  # reads "nan"
        same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
        if self.proof.level == "bit":
            same &= (np.signbit(found) == np.signbit(wanted)) | np.isnan(wanted)
            return bool(same.all())
        floor = self.proof.outputs[method].floor
        with np.errstate(invalid="ignore"):
            near = np.abs(found - wanted) <= self.proof.tolerance * np.maximum(np.abs(wanted), floor)
        return bool((same | near).all())

    def close(self) -> None:
        """Give the session's memory back; the model answers no more."""
        self.session = _Closed()  # type: ignore[assignment]


class _Closed:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("expected an open model, found one that was closed")


def _dtype(manifest: Manifest, table: tuple[Category, ...]) -> Any:
    output = manifest.output("predict")
    return None if output is None or output.shape else output.dtype
