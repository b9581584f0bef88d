"""Metrics of several processes as one: what each has said last, and what those that are gone had said.

Nothing lies in files: a worker that is killed leaves nothing behind but the numbers that it sent last, and those stay
in the sums, so that a counter never goes down.
"""

from collections.abc import Iterable, Iterator

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

__all__ = ["Family", "Totals", "families"]


class Family(msgspec.Struct, frozen=True, array_like=True):
    """A metric of one process. samples: (name, labels in order, value)."""

    name: str
    text: str
    kind: str
    samples: list[tuple[str, list[tuple[str, str]], float]]


def families(registry: CollectorRegistry) -> list[Family]:
    """What a process's registry says now."""
    return [
        Family(
            metric.name,
            metric.documentation,
            metric.type,
            [(sample.name, list(sample.labels.items()), float(sample.value)) for sample in metric.samples],
        )
        for metric in registry.collect()
    ]


_Rest = tuple[tuple[str, str], ...]
_Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Totals(Collector):
    """Sums of counters and histograms over all processes that ever were, and the largest of gauges over those that
    are."""

    def __init__(self) -> None:
        self._gone: dict[str, Family] = {}
        self._here: dict[int, list[Family]] = {}

    def note(self, process: int, said: list[Family]) -> None:
        """What a process has counted since it began; takes the place of what it said before."""
        self._here[process] = said

    def end(self, process: int) -> None:
        """A process is gone: its counters stay, its gauges go."""
        counted = [family for family in self._here.pop(process, []) if family.kind != "gauge"]
        self._gone = {family.name: family for family in _added([*self._gone.values(), *counted])}

    def collect(self) -> Iterable[Metric]:
        """The sums."""
        everybody = [*self._gone.values(), *(family for said in self._here.values() for family in said)]
        for family in _added(everybody):
            metric = Metric(family.name, family.text, family.kind)
            for name, labels, value in family.samples:
                metric.add_sample(name, dict(labels), value)
            yield metric


def _added(found: Iterable[Family]) -> list[Family]:
    kinds: dict[str, Family] = {}
    samples: dict[str, _Samples] = {}
    for family in _level(list(found)):
        kinds.setdefault(family.name, family)
        sums = samples.setdefault(family.name, {})
        for name, labels, value in family.samples:
            key = (name, tuple((label, text) for label, text in labels))
            known = sums.get(key)
            if known is None:
                sums[key] = value
            else:
                sums[key] = max(known, value) if family.kind == "gauge" else known + value
    return [
        Family(name, family.text, family.kind, [(n, list(labels), v) for (n, labels), v in samples[name].items()])
        for name, family in kinds.items()
    ]


def _level(found: list[Family]) -> list[Family]:
    """Histograms of one model with the same bounds in all processes: those that began under a version with another
    budget have others. Where one lacks a bound, what it counted up to the next lower one counts there: no request is
    said to have been faster than it was known to be."""
    bounds: dict[tuple[str, _Rest], dict[str, None]] = {}
    histograms = [(family, _buckets(family)) for family in found if family.kind == "histogram"]
    for family, buckets in histograms:
        for rest, counts in buckets.items():
            bounds.setdefault((family.name, rest), {}).update(dict.fromkeys(counts))
    level = {
        id(family): [
            (f"{family.name}_bucket", [*rest, ("le", bound)], count)
            for rest, counts in buckets.items()
            for bound, count in _filled(counts, bounds[family.name, rest])
        ]
        for family, buckets in histograms
        if any(len(counts) < len(bounds[family.name, rest]) for rest, counts in buckets.items())
    }
    return [
        msgspec.structs.replace(
            family, samples=[*level[id(family)], *(one for one in family.samples if not one[0].endswith("_bucket"))]
        )
        if id(family) in level
        else family
        for family in found
    ]


def _buckets(family: Family) -> dict[_Rest, dict[str, float]]:
    """By the other labels, the counts by bound."""
    found: dict[_Rest, dict[str, float]] = {}
    for name, labels, value in family.samples:
        if name.endswith("_bucket"):
            rest = tuple((label, text) for label, text in labels if label != "le")
            found.setdefault(rest, {})[dict(labels)["le"]] = value
    return found


def _filled(counts: dict[str, float], bounds: Iterable[str]) -> Iterator[tuple[str, float]]:
    count = 0.0
    for bound in sorted(bounds, key=float):
        count = counts.get(bound, count)
        yield bound, count
