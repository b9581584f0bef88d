"""Results as text: for a terminal, and whole as Markdown."""

from collections.abc import Iterable, Sequence

from .results import Decision, Entry, Interval, Latency, Machine, Results
from .standings import standings

__all__ = ["aligned", "beside_peers", "machine_line", "markdown", "ordered", "pipes", "ranged", "text", "verdicts"]

Table = list[tuple[str, ...]]

STARTS = {
    "bundle MB": "bundle MB",
    "load s": "load s",
    "cold s": "process start to first answer s",
    "pss MB": "memory (PSS) MB",
    "interpreter MB": "of it interpreter",
    "numpy MB": "numpy",
    "onnxruntime MB": "onnxruntime",
    "litestar and server MB": "Litestar and server",
    "model MB": "model",
    "second worker and supervisor MB": "a second worker and its supervisor add",
    "another worker MB": "another worker adds",
    "bytes a node": "bytes a tree node",
    "float32 bytes a node": "of skl2onnx's float32 graph",
}
"""By a figure's name, what the second table calls it."""


def text(results: Results) -> str:
    """Every figure, a line a subject, and what could not be measured."""
    head = ("model", "path", "subject", "calls", "mean µs", "P50", "P95", "P99", "max", "cpu µs", "P95, ours to it")
    rows: Table = []
    for entry in (*results.entries, *results.peers):
        rows += [_latency(entry, name, latency) for name, latency in entry.latencies.items()]
        rows += [(entry.model, entry.path, name, failure.reason) for name, failure in entry.failures.items()]
    parts = [aligned([head, *rows])]
    for entry in (*results.entries, *results.growth):
        if entry.values and (not entry.latencies or entry in results.growth):
            amounts = ", ".join(f"{name} {_short(value)}" for name, value in entry.values.items())
            parts.append(f"{entry.model}, {entry.path}: {amounts}")
    parts += [f"\n{aligned(table)}\n" for table in standings(results.peers)]
    return "\n".join([*parts, machine_line(results)])


def verdicts(decisions: Sequence[Decision]) -> str:
    """Every limit, what was found, and what follows."""
    rows: Table = [("verdict", "model", "path", "limit", "at most", "found", "why")]
    for d in ordered(decisions):
        found = "-" if d.found is None else ranged(d.found)
        rows.append((d.verdict, d.model, d.path, d.name, f"{d.limit:g}", found, d.why))
    return aligned(rows)


def ordered(decisions: Sequence[Decision]) -> list[Decision]:
    """The worst first."""
    order = {"wrong": 0, "over": 1, "undecided": 2, "within": 3}
    return sorted(decisions, key=lambda decision: order[decision.verdict])


def markdown(results: Results) -> str:
    """For every model: one row in process and over HTTP, what starting takes, and the peers."""
    head = ("model", "path", "P50 µs", "P95", "P99", "beside (P50, how many times ours)")
    rows: Table = []
    for entry in results.entries:
        ours = entry.latencies.get("pipetwin")
        if ours is None:
            rows += [(entry.model, entry.path, f.reason) for name, f in entry.failures.items() if name == "pipetwin"]
            continue
        beside = [
            f"{name} {latency.p50:,.1f} µs ({1 / entry.values[f'p50 / {name}'].median:,.2f})"
            for name, latency in entry.latencies.items()
            if f"p50 / {name}" in entry.values
        ]
        more = entry.values.get("cpu us beyond echo and run")
        if more is not None and ours.cpu is not None:
            beside.append(f"processor time {ours.cpu:,.1f} µs, {more.median:+,.1f} beyond echo and run")
        beside += [f"{name}: {f.reason}" for name, f in entry.failures.items()]
        rows.append(
            (entry.model, entry.path, f"{ours.p50:,.1f}", f"{ours.p95:,.1f}", f"{ours.p99:,.1f}", "; ".join(beside))
        )
    starts: Table = []
    amounts = {(e.model, name): value for e in results.entries for name, value in e.values.items() if not e.latencies}
    for model in dict.fromkeys(entry.model for entry in results.entries if entry.path in ("start", "memory")):
        values = (amounts.get((model, name)) for name in STARTS)
        starts.append((model, *("-" if value is None else _short(value) for value in values)))
    start_head = ("model", *STARTS.values())
    return "\n".join([*pipes(head, rows), "", *pipes(start_head, starts), "", beside_peers(results)])


def beside_peers(results: Results) -> str:
    """The tables of the peers, and the machine."""
    tables = [line for table in standings(results.peers) for line in (*pipes(table[0], table[1:]), "")]
    return "\n".join([*tables, machine_line(results)])


def _latency(entry: Entry, name: str, latency: Latency) -> tuple[str, ...]:
    figures = (latency.mean, latency.p50, latency.p95, latency.p99, latency.max)
    ratio = entry.values.get(f"p95 / {name}")
    return (
        entry.model,
        entry.path,
        name,
        f"{latency.calls:,}",
        *(f"{figure:,.1f}" for figure in figures),
        "" if latency.cpu is None else f"{latency.cpu:,.1f}",
        "" if ratio is None else ranged(ratio),
    )


def _short(value: Interval) -> str:
    return f"{value.median:,.0f}" if value.median >= 1000 else f"{value.median:.3g}"


def ranged(value: Interval) -> str:
    """A median with its interval."""
    return _short(value) if value.blocks == 0 else f"{value.median:.3g} ({value.low:.3g} to {value.high:.3g})"


def machine_line(results: Results) -> str:
    """Where, with what and when it was measured, in one sentence."""
    m: Machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in m.versions.items())
    quiet = f"steal {m.steal:.0%}, other processes {m.busy:.0%}, variation of a fixed loop {m.variation:.0%}"
    return (
        f"{m.processor}, {m.cores} cores, {m.memory_gb:g} GB, {m.system}; Python {m.python}, {versions}; load by "
        f"{m.load}; {quiet}; {results.created}, commit {m.commit}, seed {results.seed}, {results.seconds:.0f} s."
    )


def pipes(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table's lines in Markdown; what a row lacks is empty."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join([*row, *[""] * (len(head) - len(row))]) + " |" for row in rows]


def aligned(rows: Table) -> str:
    """Columns side by side; the last of a row takes what room it needs."""
    widths: dict[int, int] = {}
    for row in rows:
        for column, cell in enumerate(row[:-1]):
            widths[column] = max(widths.get(column, 0), len(cell))
    return "\n".join(
        "  ".join([*(cell.ljust(widths[column]) for column, cell in enumerate(row[:-1])), row[-1]]).rstrip()
        for row in rows
    )
