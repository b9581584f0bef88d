"""What a reader of the README wants to know of a run: a row a model, and a row a peer."""

from collections.abc import Sequence

from .report import machine_line, pipes
from .results import Entry, Latency, Results
from .standings import OURS, OVER_HTTP, standings

__all__ = ["headlines"]

HEAD = (
    "one row, µs (P50 / P95)",
    "scikit-learn",
    "in process, JSON to JSON",
    "over HTTP, 1 connection",
    "processor µs a request, 16 connections",
    "of it a bare echo",
    "bundle MB",
    "start to first answer s",
)


def headlines(runs: Sequence[Results]) -> str:
    """The first run's models, and the peers of all runs over HTTP, without the remarks; then where each was measured.
    Markdown."""
    lines = pipes(HEAD, _models(runs[0].entries))
    for results in runs:
        for table in standings(results.peers, (OVER_HTTP,)):
            lines += ["", *pipes(table[0][:-1], [row[:-1] for row in table[1:]])]
    for machine in dict.fromkeys(machine_line(results) for results in runs):
        lines += ["", machine]
    return "\n".join(lines)


def _models(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for model in dict.fromkeys(entry.model for entry in entries):
        paths = {entry.path: entry for entry in entries if entry.model == model}
        alone, one, many, start = (
            paths.get(path, Entry(model, path)) for path in ("predict_json", "http 1", "http 16", "start")
        )
        rows.append(
            (
                model,
                _latency(alone.latencies.get("scikit-learn")),
                _latency(alone.latencies.get(OURS)),
                _latency(one.latencies.get(OURS)),
                _cpu(many.latencies.get(OURS)),
                _cpu(many.latencies.get("echo")),
                _amount(start, "bundle MB"),
                _amount(start, "cold s"),
            )
        )
    return rows


def _latency(found: Latency | None) -> str:
    return "-" if found is None else f"{found.p50:,.0f} / {found.p95:,.0f}"


def _cpu(found: Latency | None) -> str:
    return "-" if found is None or found.cpu is None else f"{found.cpu:,.0f}"


def _amount(entry: Entry, name: str) -> str:
    return f"{entry.values[name].median:.2g}" if name in entry.values else "-"
