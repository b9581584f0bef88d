"""What is counted: prometheus-client in a registry of its own, so that an application can hold several services."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ..drift import RANGED
from ..manifest import Category
from ..model import Model
from ..reading import key
from .catalog import Catalog
from .meters import Meter, Meters
from .pool import inline_bytes

__all__ = ["KINDS", "Metrics"]

KINDS = (
    *("malformed", "range", "invalid", "too_large", "media_type", "parameter", "method", "internal"),
    *("overloaded", "deadline"),
)
"""Every ``error_type`` there is."""

_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The metrics of one service.

    No label takes its value from a request: models, versions, classes and features come from manifests, error types
    from KINDS, so that the number of series is known when the models are.

    catalog: answers the models that are served now.
    inline: the largest body that the event loop answers itself, bytes; -1 where it answers none.
    """

    def __init__(
        self, catalog: Callable[[], Catalog], inline: Callable[[Model], int] = lambda model: inline_bytes(model.cost)
    ) -> None:
        self.registry = CollectorRegistry()
        self._meters = Meters()
        self.registry.register(self._meters)
        self._errors = Counter(
            "ml_prediction_errors", "Requests refused or failed.", ("model", "error_type"), registry=self.registry
        )
        self._reloads = Counter(
            "ml_model_reloads",
            "Versions that came to serve (loaded), candidates that were refused, versions gone from the folder.",
            ("model", "outcome"),
            registry=self.registry,
        )
        self._batches: Histogram | None = None
        self._models = _Models(catalog, inline)
        self.registry.register(self._models)

    def meter(self, name: str, model: Model) -> Meter:
        """The counters of one model; those of the same name and version are the same counters."""
        errors = {kind: self._errors.labels(name, kind) for kind in KINDS}
        budget = model.manifest.budget_p95_us
        return self._meters.meter(name, model.version, _classes(model), errors, budget / 1e6 if budget else None)

    def batch(self, name: str) -> Callable[[int], None]:
        """What takes the rows of each run of a model, where requests are answered together; elsewhere there is no such
        metric."""
        if self._batches is None:
            text = "Rows of a run of the graph, where requests are answered together."
            self._batches = Histogram("ml_batch_rows", text, ("model",), buckets=_ROWS, registry=self.registry)
        return self._batches.labels(name).observe

    def reloaded(self, model: str, outcome: str) -> None:
        """Count a reload; the outcome is one of ``reload.OUTCOMES``."""
        self._reloads.labels(model, outcome).inc()

    def swapped(self, before: Catalog, after: Catalog) -> None:
        """Keep what the models that serve no more have counted: a counter never goes down."""
        self._models.swapped(before, after)

    def expose(self, accept: str) -> tuple[bytes, str]:
        """The metrics as text, and their media type: what the Accept header asks for."""
        encode, media_type = choose_encoder(accept)
        return encode(self.registry), media_type


def _classes(model: Model) -> Mapping[Category | None, str]:
    """The values of ``prediction_class``, by label; None where there are no labels. A classifier of several outputs
    counts each of them."""
    if not model.manifest.classes:
        return {None: "value" if model.name_of_answer == "prediction" else "output"}
    return {label: key(label) for table in model.manifest.classes for label in table}


class _Models(Collector):
    """What the models themselves know: who they are, and what they saw of each feature."""

    def __init__(self, catalog: Callable[[], Catalog], inline: Callable[[Model], int]) -> None:
        self._catalog = catalog
        self._inline = inline
        self._totals: Tally[tuple[str, str, str]] = Tally()
        self._leaving: list[tuple[str, Model]] = []

    def swapped(self, before: Catalog, after: Catalog) -> None:
        """Those that left at the swap before this one have answered their last request by now: their counts become
        numbers. Those that leave now may still be at work, so that they are asked as long as they are here."""
        for name, model in self._leaving:
            self._totals.update(dict(_drift(name, model)))
        stay = {(name, id(model)) for name in after.models for model in after.of(name)}
        gone = [(name, model) for name in before.models for model in before.of(name)]
        self._leaving = [(name, model) for name, model in gone if (name, id(model)) not in stay]

    def collect(self) -> Iterable[Metric]:
        info = GaugeMetricFamily(
            "ml_model_info", "The models that serve.", labels=("model", "model_version", "kind", "proof_level")
        )
        inline = GaugeMetricFamily(
            "ml_model_inline",
            "Whether the event loop answers one row itself (1) or a thread does (0).",
            labels=("model",),
        )
        cost = GaugeMetricFamily(
            "ml_model_row_seconds", "What one row took while the model was warmed up.", labels=("model",)
        )
        budget = GaugeMetricFamily(
            "ml_prediction_budget_seconds",
            "What one row may take at P95, where the model was converted with a budget.",
            labels=("model",),
        )
        drift = {
            what: CounterMetricFamily(f"ml_feature_{what}", text, labels=("model", "feature"))
            for what, text in (
                ("missing", "Values that were missing."),
                ("unknown", "Categories that training had not seen, and texts without a known term."),
                ("out_of_range", "Numbers beyond those of the training sample, or beyond the enforced range."),
            )
        }
        catalog = self._catalog()
        for name, model in catalog.models.items():
            info.add_metric((name, model.version, model.manifest.kind, model.proof.level), 1)
            inline.add_metric((name,), self._inline(model) >= 0)
            cost.add_metric((name,), model.cost.row)
            if model.manifest.budget_p95_us:
                budget.add_metric((name,), model.manifest.budget_p95_us / 1e6)
        counted = self._totals.copy()
        here = [(name, model) for name in catalog.models for model in catalog.of(name)]
        for name, model in here + self._leaving:
            counted.update(dict(_drift(name, model)))
        for (what, name, feature), count in counted.items():
            drift[what].add_metric((name, feature), count)
        return [info, inline, cost, budget, *drift.values()]


def _drift(name: str, model: Model) -> Iterable[tuple[tuple[str, str, str], int]]:
    """(what, model, feature) -> how often."""
    for feature, counts in zip(model.manifest.columns, model.drift.counts(), strict=True):
        yield ("missing", name, counts.feature), counts.missing
        if feature.kind in ("category", "text"):
            yield ("unknown", name, counts.feature), counts.unknown
        if feature.kind in RANGED:
            yield ("out_of_range", name, counts.feature), counts.out_of_range
