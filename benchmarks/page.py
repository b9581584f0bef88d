"""Results, of one run or of several, as one HTML page that needs nothing else: no script, no font, no address to fetch
from."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from .charts import Bar, Point, bars, curves, growth
from .errors import BadInputError
from .gate import EXPONENT
from .markup import Element, document, element
from .measure import AGAIN
from .report import machine_line, ordered, ranged
from .results import Entry, Latency, Results, size_of

__all__ = ["html", "write_page"]

OURS = "pipetwin"

MEASURES = {"p50": "P50", "p95": "P95", "cpu": "Processor time"}
"""By what a ratio's name begins with, what the bars are called."""

STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --soft: #626b75; --rule: #d8dde3;
  --s0: #0b62c4; --s1: #c2410c; --s2: #15803d; --s3: #a21caf; --s4: #a16207; --s5: #0e7490; --s6: #be123c;
  --s7: #57606a; }
@media (prefers-color-scheme: dark) { :root { --back: #14171b; --text: #e6e9ed; --soft: #9aa4af; --rule: #343b44;
  --s0: #6cb2ff; --s1: #ff9b62; --s2: #5fd38a; --s3: #e68af0; --s4: #e3b341; --s5: #56cfe1; --s6: #ff8095;
  --s7: #aab4bf; } }
body { background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 76rem; padding: 0 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: 0.5rem 0 1rem;
  font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--rule); padding: 0.2rem 0.8rem 0.2rem 0; text-align: left; }
td { overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; }
.charts { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); }
figure { margin: 0; }
figcaption, summary, .note { color: var(--soft); }
svg { width: 100%; height: auto; }
svg text { fill: var(--text); font-size: 12px; }
.grid { stroke: var(--rule); }
.axis, .interval { stroke: var(--text); stroke-width: 1.5; }
.curve { fill: none; stroke: var(--c); stroke-width: 2; }
.dashed { stroke-dasharray: 5 3; }
.fill { fill: var(--c); }
.s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); }
.s4 { --c: var(--s4); } .s5 { --c: var(--s5); } .s6 { --c: var(--s6); } .s7 { --c: var(--s7); }
.over, .wrong { color: var(--s6); font-weight: 600; } .undecided { color: var(--s4); font-weight: 600; }
"""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html(*runs: Results) -> str:
    """The page: of each run limits and machine, then every path with its bars, its curves and its figures."""
    body = [element("h1", "pipetwin, measured")]
    for results in runs:
        body += _run(results)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", f"pipetwin, measured {runs[0].created}"),
        element("style", STYLE),
    )
    return document(element("html", head, element("body", *body), lang="en"))


def write_page(runs: Sequence[Results], file: Path) -> None:
    """Write the page. Raises BadInputError where the file cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(html(*runs), "utf-8")
    except OSError as error:
        raise BadInputError(f"expected to write a page to {file}, found: {error.strerror}") from error


def _run(results: Results) -> list[Element]:
    parts = [
        element("p", machine_line(results), class_="note"),
        element("h2", "Limits"),
        _limits(results),
        element("h2", "Machine, versions, seed"),
        _machine(results),
    ]
    if results.growth:
        parts.append(element("h2", "Growth"))
        parts.append(element("div", *map(_growth, results.growth), class_="charts"))
    for title, entries in (("Paths", results.entries), ("Peers", results.peers)):
        if entries:
            parts.append(element("h2", title))
        parts += [_entry(entry) for entry in entries]
    return parts


def _growth(entry: Entry) -> Element:
    """Cost by size; why there is none where a size failed."""
    sized = [(found, value) for name, value in entry.values.items() if (found := size_of(name))]
    points = [Point(size, value.median, value.low, value.high) for (_, size), value in sized]
    exponent = f", exponent {ranged(value)}" if (value := entry.values.get(EXPONENT)) else ""
    caption = f"By {entry.path}{exponent}"
    if len(points) > 1:
        return _figure(growth(caption, sized[0][0][0], points), caption)
    failures = (element("li", f"{who}: {failure.reason}") for who, failure in entry.failures.items())
    return element("figure", element("ul", *failures), element("figcaption", caption))


def _limits(results: Results) -> Element:
    if not results.decisions:
        return element("p", "None in this file: they are looked at by python -m benchmarks --check.", class_="note")
    rows = [
        element(
            "tr",
            element("td", d.verdict, class_=d.verdict),
            *_cells(d.model, d.path, d.name, f"{d.limit:g}", "-" if d.found is None else ranged(d.found), d.why),
        )
        for d in ordered(results.decisions)
    ]
    return _table(("verdict", "model", "path", "limit", "at most", "found", "why"), rows)


def _machine(results: Results) -> Element:
    m = results.machine
    facts = {
        "processor": f"{m.processor}, {m.cores} cores",
        "memory": f"{m.memory_gb:g} GB",
        "system": m.system,
        "Python": f"{m.python}; of the server {m.server_python}",
        **m.versions,
        "load generator": m.load,
        "how quiet": f"steal {m.steal:.1%}, other processes {m.busy:.1%}, variation of a fixed loop {m.variation:.1%}",
        "commit": m.commit,
        "seed": f"{results.seed}",
        "measured": f"{results.created}, in {results.seconds:.0f} s",
        **{f"answers of {model}": f"compared with {reference}" for model, reference in results.checked.items()},
    }
    return _table(("", ""), (element("tr", *_cells(name, fact)) for name, fact in facts.items()))


def _entry(entry: Entry) -> Element:
    charts = []
    for measure, said in MEASURES.items():
        if shown := _bars(entry, measure):
            caption = f"{said}, how many times ours, with the interval"
            charts.append(_figure(bars(caption, shown), caption))
    lines = {name: _curve(found) for name, found in entry.latencies.items() if not name.endswith(AGAIN)}
    if lines:
        charts.append(_figure(curves("Latency by percentile", lines), "Latency by percentile, all blocks together"))
    parts = [element("h3", f"{entry.model}: {entry.path}")]
    if entry.failures:
        parts.append(element("ul", *(element("li", f"{who}: {f.reason}") for who, f in entry.failures.items())))
    if entry.notes:
        parts.append(element("ul", *(element("li", f"{who}: {note}") for who, note in entry.notes.items())))
    if charts:
        parts.append(element("div", *charts, class_="charts"))
    if entry.latencies:
        head = ("subject", "calls", "mean µs", "P50", "P95", "P99", "max", "processor µs", "answered")
        parts.append(_table(head, (_latency(name, found) for name, found in entry.latencies.items())))
    if entry.values:
        rows = [element("tr", *_cells(name, ranged(v), f"{v.blocks or ''}")) for name, v in entry.values.items()]
        table = _table(("figure", "median (interval)", "blocks"), rows)
        folded = element("details", element("summary", "Ratios, block by block, and amounts"), table)
        parts.append(folded if entry.latencies else table)  # where there is nothing else, it is shown
    return element("section", *parts)


def _bars(entry: Entry, measure: str) -> list[Bar]:
    """Of each that ours was compared with, the inverse of the ratio, so that the slower have the longer bars."""
    found = []
    for name, value in entry.values.items():
        kind, _, who = name.partition(" / ")
        if kind == measure and value.median > 0 and value.high > 0:
            high = 1 / value.low if value.low > 0 else math.inf
            found.append(Bar(who, 1 / value.median, 1 / value.high, high))
    return found


def _curve(found: Latency) -> Sequence[tuple[float, float]]:
    """What an older file has are three points."""
    return found.percentiles or ((50.0, found.p50), (95.0, found.p95), (99.0, found.p99))


def _latency(name: str, found: Latency) -> Element:
    figures = (found.mean, found.p50, found.p95, found.p99, found.max)
    cpu = "" if found.cpu is None else f"{found.cpu:,.1f}"
    success = "" if found.success is None else f"{found.success:.2%}"
    return element("tr", *_cells(name, f"{found.calls:,}", *(f"{figure:,.1f}" for figure in figures), cpu, success))


def _figure(chart: Element, caption: str) -> Element:
    return element("figure", chart, element("figcaption", caption))


def _cells(*texts: str) -> list[Element]:
    return [element("td", text) for text in texts]


def _table(head: Sequence[str], rows: Iterable[Element]) -> Element:
    titles = [element("thead", element("tr", *(element("th", title) for title in head)))] if any(head) else []
    return element("table", *titles, element("tbody", *rows))
