"""The rows that a proof is made on: the sample, and synthetic rows where pipelines and graphs come apart."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runtime.dates import said
from runtime.drift import RANGED
from runtime.manifest import Feature

from .dates import between, cells, near, odd, taken
from .documents import documents, odd_documents
from .lower.tables import UNSEEN
from .paths import Visits
from .reference import Signature

__all__ = ["canary_rows", "draw", "edge_rows"]

SEED = 20240229
EDGE_ROWS = 150_000
"""At most this many rows for thresholds: three for each (on it, one ulp below, one above), all columns side by side."""
WALKS = 20_000_000
"""Times that such rows go through a tree: a large forest gets fewer of them, but three for each of its trees."""

ODD_NUMBERS = (0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.0, -1.0, 2.0**24 + 1, -(2.0**24) - 1)
"""Zeros, subnormal and smallest normal numbers, and integers that float32 cannot hold."""


def draw(
    signature: Signature,
    tables: Mapping[int, list[Any]],
    edges: Mapping[int, NDArray[np.float64]],
    visits: Visits | None = None,
    trees: int = 0,
    seed: int = SEED,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Frames of probes by kind: sample, nodes, thresholds, edges, missing, categories,
    texts.

    tables: by position, the categories that the graph tells apart.
    edges: by position, the numbers next to which trees decide otherwise.
    visits: rows of the sample that come to nodes: those to probe.
    trees: in the graph, over all ensembles.
    """
    rng = np.random.default_rng(seed)
    maker = _Maker(signature, tables, rng, edge_rows(trees))
    yield "sample", signature.frame
    for kind, frames in (
        ("nodes", maker.nodes(visits) if visits is not None else ()),
        ("thresholds", maker.thresholds(edges)),
        ("edges", maker.numbers()),
        ("missing", maker.missing()),
        ("categories", maker.categories()),
        ("texts", maker.texts()),
    ):
        found = [change for change in frames if len(change.rows)]
        if found:
            yield kind, _changed(signature.frame, found)


def edge_rows(trees: int) -> int:
    """How many rows a proof over so many trees has for thresholds at most."""
    return max(3 * trees, min(EDGE_ROWS, WALKS // max(trees, 1)))


class _Change(NamedTuple):
    """Rows of the sample, by their places, in which columns hold other cells: by the frame's name of the column, as
    many as there are rows."""

    rows: NDArray[np.intp]
    cells: dict[Any, NDArray[Any]]


def _changed(sample: pd.DataFrame, changes: Sequence[_Change]) -> pd.DataFrame:
    """The rows of all changes as one frame, made a column at a time: a frame for each would cost columns times columns.

    A column with cells of another type than it had becomes one of objects.
    """
    frame = sample.iloc[np.concatenate([change.rows for change in changes])].reset_index(drop=True)
    cells: dict[Any, list[tuple[slice, NDArray[Any]]]] = {}
    start = 0
    for change in changes:
        for name, values in change.cells.items():
            cells.setdefault(name, []).append((slice(start, start + len(values)), values))
        start += len(change.rows)
    columns = {name: frame[name] for name in frame.columns}
    for name, parts in cells.items():
        dtypes = {values.dtype for _, values in parts}
        if sum(len(values) for _, values in parts) < len(frame):
            dtypes.add(frame.dtypes[name])
        whole = np.array(frame[name], dtypes.pop() if len(dtypes) == 1 else object)
        for place, values in parts:
            whole[place] = values
        columns[name] = pd.Series(whole, dtype=whole.dtype)
    made = pd.DataFrame(columns)
    made.columns = sample.columns
    return made


class _Maker:
    def __init__(
        self, signature: Signature, tables: Mapping[int, list[Any]], rng: np.random.Generator, edge_rows: int
    ) -> None:
        self._signature = signature
        self._tables = tables
        self._rng = rng
        self._edge_rows = edge_rows
        self._names = signature.columns
        self._live = [feature for feature in signature.features if feature.position is not None]

    def _rows(self, count: int) -> NDArray[np.intp]:
        """Rows of the sample to change things in, the very ones or again, but in another order."""
        return self._rng.integers(0, len(self._signature.frame), count)

    def _change(self, feature: Feature, cells: Any) -> _Change:
        """Some rows with other cells in one column."""
        return _Change(self._rows(len(cells)), {self._names[feature.name]: np.asarray(cells)})

    def _cells(self, feature: Feature, values: NDArray[np.float64]) -> NDArray[Any]:
        """Numbers as cells of a feature's column."""
        column = self._signature.frame[self._names[feature.name]]
        return cells(column, values) if feature.kind == "date" else values

    def nodes(self, visits: Visits) -> Iterator[_Change]:
        """For each node a row that comes to it, on its threshold and one ulp to either side."""
        by_position = {feature.position: feature for feature in self._live}
        _, column, split, row = visits
        order = np.argsort(column, kind="stable")
        for here in np.split(order, np.flatnonzero(np.diff(column[order])) + 1):
            feature = by_position[int(column[here[0]])] if len(here) else None
            if feature is not None and feature.kind in RANGED:
                values = _near(feature, split[here])
                good = _taken(feature, values)
                own = self._cells(feature, values[good])
                yield _Change(np.tile(row[here], 3)[good], {self._names[feature.name]: own})

    def thresholds(self, edges: Mapping[int, NDArray[np.float64]]) -> Iterator[_Change]:
        """Every threshold with its two neighbours; odd and even columns apart, so that each edge is met by rows
        whose other half is as in the sample."""
        values = {}
        for feature in self._live:
            found = edges.get(feature.position)  # type: ignore[arg-type]
            if feature.kind in RANGED and found is not None:
                near = _near(feature, np.unique(found[np.isfinite(found)]))
                near = near[_taken(feature, near)]
                if len(near):
                    values[feature.name] = self._rng.permutation(self._cells(feature, near))
        columns = list(values)
        for half in (columns[::2], columns[1::2]):
            if half:
                count = min(max(len(values[name]) for name in half), self._edge_rows // 2)
                chosen = {self._names[name]: np.resize(values[name], count) for name in half}
                yield _Change(self._rows(count), chosen)

    def numbers(self) -> Iterator[_Change]:
        """One column at a time: its smallest and largest, what lies beside them, and odd numbers or times."""
        for feature in self._live:
            if feature.kind == "date" and feature.unknown:
                times = odd(feature)
                yield self._change(feature, self._cells(feature, times[_taken(feature, times)]))
            if feature.kind != "number":
                continue
            low, high = feature.seen or (0.0, 0.0)
            span = high - low
            values = [low, high, np.nextafter(low, -np.inf), np.nextafter(high, np.inf), low - span, high + span]
            values += [*ODD_NUMBERS, *([feature.limit, -feature.limit] if feature.limit else [])]
            values += [np.inf, -np.inf] if feature.infinite else []
            numbers = np.array(values)
            yield self._change(feature, numbers[_taken(feature, numbers)])

    def missing(self) -> Iterator[_Change]:
        """Each column that may be missing alone, all of them, and any subset."""
        gaps = [feature for feature in self._live if feature.missing]
        if not gaps:
            return
        count = len(gaps)
        masks = np.concatenate(
            [np.eye(count, dtype=bool), np.ones((1, count), bool), self._rng.random((200, count)) < 0.3]
        )
        rows = self._rows(len(masks))
        changed = {}
        for feature, mask in zip(gaps, masks.T, strict=True):
            name = self._names[feature.name]
            column = self._signature.frame[name]
            dtype = {"number": np.float64, "date": column.dtype}.get(feature.kind, object)
            changed[name] = own = np.array(column, dtype)[rows]
            own[mask] = np.nan if feature.kind == "text" else self._signature.marker(feature)
        yield _Change(rows, changed)

    def categories(self) -> Iterator[_Change]:
        """Every category that the graph tells apart, and where they are taken unseen and empty ones."""
        for feature in self._live:
            if feature.kind == "boolean":
                yield self._change(feature, [False, True])
            known = list(self._tables.get(feature.position, []))  # type: ignore[arg-type]
            if feature.kind == "date" and known:
                yield self._change(feature, self._cells(feature, np.array(known)))
            if feature.kind == "category" or (feature.kind == "text" and known):
                strings = all(isinstance(value, str) for value in known)
                others = [UNSEEN, "", " ", "ä\u0308😀", "0"] if strings else [UNSEEN, 2**60 + 1, -1]
                values = np.empty(len(known) + (len(others) if feature.unknown else 0), object)
                values[:] = [*known, *(others if feature.unknown else [])]
                yield self._change(feature, values)

    def texts(self) -> Iterator[_Change]:
        """Each column of texts by itself."""
        for feature in self._live:
            if feature.kind == "text" and feature.unknown:
                texts = odd_documents(feature.rules, self._rng)
                yield self._change(feature, np.array(texts, object))


def _near(feature: Feature, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each threshold with its two neighbours: all, all below, all above."""
    if feature.kind == "date":
        return near(feature, thresholds)
    return np.concatenate([thresholds, np.nextafter(thresholds, -np.inf), np.nextafter(thresholds, np.inf)])


def _taken(feature: Feature, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which numbers, or times, the pipeline takes in a feature."""
    if feature.kind == "date":
        return taken(feature, values)
    low, high = feature.range or (-(feature.limit or np.inf), feature.limit or np.inf)
    return (values >= low) & (values <= high) & (np.isfinite(values) | feature.infinite)


def canary_rows(
    features: tuple[Feature, ...], tables: Mapping[int, list[Any]], count: int, seed: int = SEED
) -> tuple[tuple[Any, ...], ...]:
    """Synthetic rows, from ranges and categories alone: a bundle must not hold a row of the sample.

    Returns a tuple a row, in the order of the features that are not ignored; None is missing.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        row: list[Any] = []
        for feature in features:
            if feature.position is None:
                continue
            table = tables.get(feature.position, [])
            if feature.missing and rng.random() < 0.1:
                row.append(None)
            elif feature.kind == "boolean":
                row.append(bool(rng.random() < 0.5))
            elif feature.kind == "text" and not table:
                row += documents(feature.rules, rng, 1)
            elif feature.kind in ("category", "text"):
                row.append(table[rng.integers(len(table))] if table else "")
            elif feature.kind == "date":
                time = table[rng.integers(len(table))] if table else between(feature, rng)
                row.append(said(feature, time))
            else:
                low, high = feature.seen or (0.0, 1.0)
                row.append(float(rng.uniform(low, high)) if np.isfinite(high - low) else float(low))
        rows.append(tuple(row))
    return tuple(rows)
