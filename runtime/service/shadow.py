"""A candidate answers the rows that were just answered, when nobody waits any more; how often and how far the two
disagree is counted. Its answers go nowhere."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ..errors import BundleError
from ..manifest import Output
from ..model import Model
from ..rows import Rows
from .compression import inflated, is_compressed
from .endpoint import Asked, Operation
from .logs import failure, log

__all__ = ["Disagreement", "Shadow", "compared", "disagreement"]

WAITING = 256
"""Requests that may wait to be compared; one more is dropped and counted."""

BYTES = 32 * 2**20
"""Bytes of the bodies that may wait."""

REST = 15
"""How many times as long as it worked the thread rests. While it works in Python, answers wait for the interpreter's
lock: so a sixteenth of them may, for what one comparison takes."""

_SCORES = ("predict_proba", "decision_function", "score_samples", "predict", "transform")
"""The methods whose answers are compared as numbers: the first that both models have."""

_BUCKETS = (0.0, 1e-12, 1e-9, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)


class Disagreement(NamedTuple):
    """How two models' answers to the same rows differ.

    labels: bool [N]; where a label differs, or, where there are no labels, a number.
    scores: float64 [N]; the largest absolute difference of a row's numbers, infinite where one of two is NaN.
    """

    labels: NDArray[np.bool_]
    scores: NDArray[np.float64]


def compared(one: Model, other: Model) -> tuple[Sequence[str], str | None]:
    """(methods that both models answer, of which the last gives the scores; why they cannot be compared)."""
    for method in _SCORES:
        mine, theirs = one.manifest.output(method), other.manifest.output(method)
        if (
            mine
            and theirs
            and not mine.labels
            and (mine.shape, len(mine.tensors)) == (theirs.shape, len(theirs.tensors))
        ):
            if method in ("predict", "transform", "score_samples"):
                return (method,), None
            if one.manifest.classes == other.manifest.classes:
                return ("predict", method), None
    mine, theirs = one.manifest.output("predict"), other.manifest.output("predict")
    if mine is not None and theirs is not None and mine.labels and theirs.labels and mine.shape == theirs.shape:
        return ("predict",), None
    return (), "expected two models that answer alike, found no method that both have in the same shape"


def disagreement(mine: Sequence[Any], theirs: Sequence[Any], *, labels: bool) -> Disagreement:
    """How two lists of answers differ, one of each method. labels: whether the first method's are labels."""
    if not labels:
        far = _apart(mine[0], theirs[0])
        return Disagreement(far > 0, far)
    pairs = zip(_wide(np.asarray(mine[0])).tolist(), _wide(np.asarray(theirs[0])).tolist(), strict=True)
    differ = np.array([one != other for one, other in pairs], np.bool_)
    return Disagreement(differ, _apart(mine[1], theirs[1]) if len(mine) > 1 else np.zeros(len(differ)))


def _apart(mine: Any, theirs: Any) -> NDArray[np.float64]:
    """The largest absolute difference in each row."""
    one, other = _numbers(mine), _numbers(theirs)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(one - other))
    largest: NDArray[np.float64] = np.where(np.isnan(apart), np.inf, apart).max(axis=1, initial=0.0)
    return largest


def _numbers(answer: Any) -> NDArray[np.float64]:
    parts = answer if isinstance(answer, list) else [answer]
    return np.concatenate([_wide(np.asarray(part, np.float64)) for part in parts], axis=1)


def _wide(array: NDArray[Any]) -> NDArray[Any]:
    return array.reshape(len(array), -1)


class Shadow:
    """Compares with the version that serves under an alias, in a thread of its own that mostly rests.

    name, alias: of the candidate. limit: bytes of a body, decompressed.
    """

    def __init__(self, name: str, alias: str, limit: int) -> None:
        self.name = name
        self.alias = alias
        self.registry = CollectorRegistry()
        names = ("model", "model_version", "shadow_version")
        made = partial(Counter, labelnames=names, registry=self.registry)
        self._rows = made("ml_shadow_rows", "Rows that the candidate answered too.")
        self._differ = made("ml_shadow_disagreements", "Rows whose label differs, or whose number where there is none.")
        self._errors = made("ml_shadow_errors", "Requests that were answered and that the candidate could not answer.")
        self._dropped = made("ml_shadow_dropped", "Requests that were not compared, for too many waited.")
        text = "The largest difference of a row's scores."
        self._scores = Histogram("ml_shadow_difference", text, names, buckets=_BUCKETS, registry=self.registry)
        text = "The largest difference of any row's scores so far."
        self._largest = Gauge("ml_shadow_difference_max", text, names, registry=self.registry)
        self._far: dict[tuple[str, str, str], float] = {}
        self._limit = limit
        self._waiting: deque[tuple[_Pair, Asked]] = deque()
        self._bytes = 0  # counted by the event loop's thread
        self._done = 0  # bytes, by ours
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._said: set[str] = set()

    def beside(
        self, make: Callable[[str, Model], Operation], model: Model, candidate: Model
    ) -> Callable[[Asked], None] | None:
        """What takes a request once it has been answered; none where there is nothing to compare.

        make: the operation of the request's path, for a model. Logs why two models cannot be compared.
        """
        if model.digest == candidate.digest:
            return None
        methods, why = compared(model, candidate)
        if why is not None:
            self._say(f"{candidate.version} is not compared with {model.version}: {why}")
            return None
        labels = (self.name, model.version, candidate.version)
        for metric in (self._rows, self._differ, self._errors, self._dropped, self._scores, self._largest):
            metric.labels(*labels)
        mine, theirs = (_Half(self.name, make, one, methods) for one in (model, candidate))
        pair = _Pair(mine, theirs, labels, self._dropped.labels(*labels))
        return partial(self._offer, pair)

    def close(self) -> None:
        """End the thread; what waits is not compared."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def _offer(self, pair: "_Pair", asked: Asked) -> None:
        size = len(asked.body)
        if len(self._waiting) >= WAITING or self._bytes - self._done + size > BYTES:
            pair.dropped.inc()
            return
        self._bytes += size
        self._waiting.append((pair, asked))
        if not self._wake.is_set():
            self._wake.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="pipetwin-shadow", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._wake.clear()
            while self._waiting and not self._closing.is_set():
                pair, asked = self._waiting.popleft()
                start = perf_counter()
                self._compare(pair, asked)
                self._done += len(asked.body)
                self._closing.wait(REST * (perf_counter() - start))

    def _compare(self, pair: "_Pair", asked: Asked) -> None:
        try:
            if is_compressed(asked.headers):
                asked = replace(asked, body=inflated(asked.body, self._limit))
            asked = replace(asked, came=perf_counter())  # its deadline was for the answer
            mine, theirs = pair.mine.answers(asked), pair.theirs.answers(asked)
            found = disagreement(mine, theirs, labels=pair.mine.labels)
        except Exception as error:  # whatever the candidate does, the service goes on
            self._errors.labels(*pair.labels).inc()
            self._say(f"{pair.labels[2]} could not answer what {pair.labels[1]} did: {failure(error)}")
            return
        self._rows.labels(*pair.labels).inc(len(found.labels))
        self._differ.labels(*pair.labels).inc(int(found.labels.sum()))
        scores = self._scores.labels(*pair.labels)
        for score in found.scores.tolist():
            scores.observe(score)
        self._far[pair.labels] = max(self._far.get(pair.labels, 0.0), *found.scores.tolist(), 0.0)
        self._largest.labels(*pair.labels).set(self._far[pair.labels])

    def _say(self, why: str) -> None:
        """Log, once for each reason."""
        if why not in self._said and len(self._said) < WAITING:
            self._said.add(why)
            log.warning("%s@%s: %s", self.name, self.alias, why)


class _Pair(NamedTuple):
    mine: "_Half"
    theirs: "_Half"
    labels: tuple[str, str, str]
    dropped: Counter


class _Half:
    """One of two models. The dialect itself says which rows a request holds: its operation is made for the model with a
    session that takes the rows and answers nothing."""

    def __init__(
        self, name: str, make: Callable[[str, Model], Operation], model: Model, methods: Sequence[str]
    ) -> None:
        outputs = [model.manifest.output(method) for method in methods]
        self._outputs: list[Output] = [output for output in outputs if output is not None]
        self._model = copy(model)
        self._model.drift = _Unseen()  # type: ignore[assignment]  # nobody asked this model
        taking = copy(self._model)
        taking.session = _Taking(model.session.columns)  # type: ignore[assignment]
        self._take = make(name, taking).answer
        self.labels = self._outputs[0].labels

    def answers(self, asked: Asked) -> Sequence[Any]:
        """Of each method, for the rows of a request."""
        try:
            self._take(asked)
        except _Taken as taken:
            return self._model.respond(taken.rows, self._outputs).answers
        raise BundleError("expected an operation that asks the model, found one that does not")


class _Unseen:
    def note(self, rows: NDArray[np.float64]) -> None:
        pass


class _Taken(Exception):  # noqa: N818 (it is what was asked for)
    def __init__(self, rows: Rows) -> None:
        self.rows = rows


class _Taking:
    """In place of a session: raises with the rows that it is given."""

    def __init__(self, columns: int) -> None:
        self._columns = columns

    def row(self, outputs: Sequence[str]) -> "_TakingRow":
        return _TakingRow(self._columns)

    def run_rows(self, rows: Rows, outputs: Sequence[str]) -> list[NDArray[Any]]:
        raise _Taken(rows)


class _TakingRow:
    def __init__(self, columns: int) -> None:
        self._matrix = np.zeros((1, columns))
        self.input = self._matrix[0]

    def run(self) -> tuple[NDArray[Any], ...]:
        raise _Taken(Rows(self._matrix))
