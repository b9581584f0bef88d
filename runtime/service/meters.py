"""How predictions are counted: noted in passing, added up in bulk, exact whenever somebody looks.

prometheus-client's own counter and histogram take a lock for each number and look at one bound after another: together
1.9 µs of one prediction, beside 0.6 for a note and its share of the adding up (both in one process, interleaved, one
label of two and the third of 18 bounds).
"""

import threading
from collections import Counter as Tally
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from ..manifest import Category
from ..model import Answer

__all__ = ["BUCKETS", "Meter", "Meters"]

BUCKETS = (
    *(25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3),
    *(25e-3, 50e-3, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Upper bounds in seconds: one row takes tens of microseconds, a large batch may take seconds."""

AROUND = (0.5, 0.75, 1.0, 1.5, 2.0)
"""Further bounds of a model that has a budget, as parts of it: how many requests kept it is counted then, not
guessed."""

_PENDING = 256
_MANY = 64
"""Rows of a request whose labels are not kept to be counted later."""


class Meter:
    """One version of a model, as what is counted of it. Made by ``Meters``.

    words: by label, the value of ``prediction_class``; None where there are no labels.
    """

    __slots__ = ("_errors", "_meters", "_note", "labels", "latencies", "rows", "times", "words")

    def __init__(
        self,
        meters: "Meters",
        words: Mapping[Category | None, str],
        latencies: "_Latencies",
        errors: Mapping[str, Counter],
    ) -> None:
        self.words = words
        self.latencies = latencies
        self.rows = 0
        self.labels: Tally[Category | None] = Tally()
        self.times: list[float] = []
        self._meters = meters
        self._note = meters.pending.append
        self._errors = errors

    def answered(self, answer: Answer, seconds: float) -> None:
        """Count a request that was answered; from any thread."""
        self._note((self, seconds, answer.labels, answer.rows))
        if len(self._meters.pending) >= _PENDING or answer.rows > _MANY:
            self._meters.count()

    def refused(self, kind: str) -> None:
        """Count a request that was not; ``kind`` is one of KINDS."""
        self._errors[kind].inc()

    def counted(self) -> Iterable[tuple[str, int]]:
        """(value of ``prediction_class``, how often)."""
        return [(word, self.rows if label is None else self.labels[label]) for label, word in self.words.items()]


class _Latencies:
    """A histogram: how many seconds fell at or below each bound, and beyond the last."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = np.array(bounds)
        self._names: list[str] = [floatToGoString(bound) for bound in (*bounds, float("inf"))]  # type: ignore[no-untyped-call]
        self._counts: NDArray[np.int64] = np.zeros(len(bounds) + 1, np.int64)
        self._sum = 0.0

    def add(self, seconds: Sequence[float]) -> None:
        places = np.searchsorted(self._bounds, seconds, side="left")
        self._counts += np.bincount(places, minlength=len(self._counts))
        self._sum += sum(seconds)

    def exposed(self) -> tuple[list[tuple[str, float]], float]:
        """(how many up to each bound, by its name; the sum)."""
        return list(zip(self._names, self._counts.cumsum().tolist(), strict=True)), self._sum


class Meters(Collector):
    """All models' predictions and latencies. ``Meter.answered`` appends to a deque, which is atomic; only whoever adds
    up takes the lock."""

    def __init__(self) -> None:
        self.pending: deque[tuple[Meter, float, Sequence[Category], int]] = deque()
        self._lock = threading.Lock()
        self._meters: dict[tuple[str, str], Meter] = {}
        self._latencies: dict[str, _Latencies] = {}

    def meter(
        self,
        name: str,
        version: str,
        words: Mapping[Category | None, str],
        errors: Mapping[str, Counter],
        budget: float | None = None,
    ) -> Meter:
        """The meter of a version of a model: of the same name and version, the same.

        budget: seconds. The bounds of a model's histogram are those of the version that came first, for the counts of
        a histogram whose bounds change can no longer be compared.
        """
        with self._lock:
            found = self._meters.get((name, version))
            if found is None:
                latencies = self._latencies.setdefault(name, _Latencies(_bounds(budget)))
                found = self._meters[name, version] = Meter(self, words, latencies, errors)
            return found

    def count(self) -> None:
        """Add up what was noted."""
        with self._lock:
            touched: set[Meter] = set()
            while self.pending:
                meter, seconds, labels, rows = self.pending.popleft()
                touched.add(meter)
                meter.times.append(seconds)
                if labels:
                    meter.labels.update(labels)
                else:
                    meter.rows += rows
            for meter in touched:
                meter.latencies.add(meter.times)
                meter.times.clear()

    def collect(self) -> Iterable[Metric]:
        """Everything up to now."""
        predictions = CounterMetricFamily(
            "ml_predictions",
            "Predictions made, by the class predicted (value for a regressor, output for a transformer).",
            labels=("model", "model_version", "prediction_class"),
        )
        latency = HistogramMetricFamily(
            "ml_prediction_latency_seconds",
            "Time from a request's body to its answer, in the process.",
            labels=("model",),
        )
        self.count()
        with self._lock:
            for (name, version), meter in self._meters.items():
                for word, times in meter.counted():
                    predictions.add_metric((name, version, word), times)
            for name, latencies in self._latencies.items():
                latency.add_metric((name,), *latencies.exposed())
        return [predictions, latency]


def _bounds(budget: float | None) -> list[float]:
    return sorted({*BUCKETS, *(float(f"{budget * part:.6g}") for part in AROUND if budget)})
