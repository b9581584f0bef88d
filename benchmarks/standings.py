"""What the peers came to, as tables: a row each, the quickest first, and those without a figure with the reason."""

from collections.abc import Sequence
from typing import NamedTuple

from .results import Entry

__all__ = ["OURS", "OVER_HTTP", "standings"]

OURS = "pipetwin"

Rows = list[tuple[str, ...]]


class Figure(NamedTuple):
    """One column, and how many times ours in the next: of which path, and of which ratio."""

    path: str
    head: str
    ratio: str


OVER_HTTP = (
    Figure("http 16", "processor µs a request, 16 connections", "cpu"),
    Figure("http 1", "P50 µs, 1 connection", "p50"),
)
IN_PROCESS = (
    Figure("scores 1", "one row, P50 µs", "p50"),
    Figure("scores 10000", "10,000 rows, P50 µs", "p50"),
)


def standings(entries: Sequence[Entry], kinds: Sequence[Sequence[Figure]] = (OVER_HTTP, IN_PROCESS)) -> list[Rows]:
    """A table of the peers over HTTP, and one of the engines in process; each has a head, and is not there without a
    row. ``entries`` are a run's, of its peers; ``kinds`` are the tables that are wanted."""
    tables = []
    for figures in kinds:
        columns = [cell for figure in figures for cell in (figure.head, "times ours")]
        rows: Rows = []
        for model in dict.fromkeys(entry.model for entry in entries):
            mine = {entry.path: entry for entry in entries if entry.model == model}
            rows += _rows(model, [mine.get(figure.path, Entry(model, figure.path)) for figure in figures], figures)
        if rows:
            tables.append([("model", "subject", *columns, "remarks"), *rows])
    return tables


def _rows(model: str, entries: Sequence[Entry], figures: Sequence[Figure]) -> Rows:
    names = dict.fromkeys(name for entry in entries for name in (*entry.latencies, *entry.failures))
    keyed = []
    for name in names:
        values = [_value(entry, figure, name) for entry, figure in zip(entries, figures, strict=True)]
        cells: list[str] = []
        for entry, figure, value in zip(entries, figures, values, strict=True):
            ratio = entry.values.get(f"{figure.ratio} / {name}")
            cells.append("-" if value is None else f"{value:,.1f}")
            cells.append(f"{1 / ratio.median:,.2f}" if ratio and ratio.median > 0 and value is not None else "")
        remarks = dict.fromkeys(entry.failures[name].reason for entry in entries if name in entry.failures)
        said = "; ".join([*remarks, *dict.fromkeys(entry.notes[name] for entry in entries if name in entry.notes)])
        first = next((value for value in values if value is not None), float("inf"))
        keyed.append((name != OURS, first, (model, name, *cells, said)))
    return [row for _, _, row in sorted(keyed, key=lambda key: key[:2])]


def _value(entry: Entry, figure: Figure, name: str) -> float | None:
    found = entry.latencies.get(name)
    if found is None:
        return None
    return found.cpu if figure.ratio == "cpu" else found.p50
