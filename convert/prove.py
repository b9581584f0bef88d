"""The proof: every probe is put to the pipeline and to the runtime that will serve."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.errors import BundleError
from runtime.manifest import Manifest, Output
from runtime.memory import give_back
from runtime.model import Model
from runtime.proof import Canary, OutputProof, Proof
from runtime.reading import plain
from runtime.rows import Rows
from runtime.session import MOST_ROWS, Session
from runtime.tensors import Tensors

from . import probes
from .as_json import same_as_json
from .errors import ParityError, UnsupportedError
from .lower.matrix import Scope
from .parity import ULP, Comparison, Ledger, compare_labels, compare_logarithms, compare_numbers, floor_of, near_ties
from .paths import chosen, walked
from .portable import check as check_portable
from .progress import Progress, unseen
from .reference import Signature, joined
from .settled import settle

__all__ = ["prove"]

BATCHES = (1, 2, 51, 129)
"""Batch sizes at which the twin answers again."""
AGAIN = 1000
"""Rows that it answers again."""
CELLS = 2**23
"""Numbers that a method may answer to all probes together: a vectoriser's rows are as wide as its vocabulary."""
CANARIES = 16
WRITTEN = 2**17
"""Numbers that a method may answer to all of those rows whose answers become text: in the proof, or as JSON."""
BODIES = 100
"""Rows that go through JSON as well."""
REFUSALS = (ValueError, TypeError, LookupError, OverflowError)
"""What a pipeline raises for rows that it does not take."""
SHOWN = 5
"""Worst rows in an error."""


def prove(
    pipeline: Any,
    signature: Signature,
    manifest: Manifest,
    graph: bytes,
    scope: Scope,
    tolerance: float | None,
    versions: dict[str, str],
    say: Callable[[str], None],
    elsewhere: bytes | None = None,
    progress: Progress = unseen,
) -> Proof:
    """Put every probe to the pipeline and to the real runtime.

    elsewhere: the portable graph, to which they are put too.
    Raises ParityError where they differ by more than is allowed.
    """
    tables = {position: list(table) for position, table in scope.tables.items()}
    edges = {position: np.concatenate(found) for position, found in scope.edges.items()}
    trees = sum(len(ensemble.arrays["tree_roots"]) for ensemble in scope.ensembles)
    try:
        # Before there is a session: each takes several times a large forest's size for a while.
        found = walked(signature, Tensors(manifest), scope, probes.SEED, progress)
        visits, nodes = chosen(found, probes.edge_rows(trees) // 3, probes.SEED)
        del found
        give_back()
        if nodes:
            say(f"walked: {nodes:,} nodes that the sample comes to, {len(visits.tree):,} of them to be probed")
        twin = Model(Bundle(manifest, _unproven(graph), graph, ""))
        give_back()
        if trees:
            say(f"loaded: {trees:,} trees by the runtime")
    except BundleError as error:
        through = f" ({', '.join(scope.fallbacks)} went through skl2onnx)" if scope.fallbacks else ""
        raise UnsupportedError(f"expected a graph that the runtime can run{through}: {error}") from error
    frames = _affordable(list(probes.draw(signature, tables, edges, visits, trees)), CELLS // _widest(manifest))
    methods = [output.method for output in manifest.outputs]
    frame = pd.concat([rows for _, rows in frames], ignore_index=True)
    try:
        expected = signature.answers(pipeline, methods, frame, progress)
    except REFUSALS:
        frames[1:] = [(kind, _taken(pipeline, signature, methods[0], rows)) for kind, rows in frames[1:]]
        frames = [(kind, rows) for kind, rows in frames if len(rows)]
        frame = pd.concat([rows for _, rows in frames], ignore_index=True)
        expected = signature.answers(pipeline, methods, frame, progress)
    say(f"probes: {len(frame):,} rows")
    given = twin.tensors.of(signature.given(frame))
    # Of the sample alone: measured over the far-out probes a floor would let everything ordinary pass.
    ordinary = len(frames[0][1])
    floors = {
        method: floor_of(_first_rows(answers, ordinary)) for method, answers in expected.items() if _is_float(answers)
    }
    terms = _terms(scope, given)
    sizes = {method: float(found[:ordinary].max()) for method, found in terms.items()}
    floors |= {m: max(floors[m], size / 1000) for m, size in sizes.items() if m not in scope.rowwise}
    expected, open_ = settle(pipeline, signature, frame, expected, floors, scope)
    allowed = ULP if tolerance is None else max(tolerance, ULP)
    rows_of_canary, frame_of_canary, answers_of_canary = _canary(pipeline, signature, manifest, tables, floors, scope)
    again = twin.tensors.of(signature.given(frame_of_canary))
    terms_of_canary = _terms(scope, again)
    sound = np.ones(len(again), bool)
    ledgers = {method: Ledger(floors.get(method, 0.0), sizes.get(method, 0.0)) for method in methods}
    excess: dict[str, NDArray[np.float64]] = {}

    def compare(output: Output, found: Any) -> None:
        """Add answers for the first rows to their method's ledger."""
        method, rows = output.method, len(found[0] if isinstance(found, list) else found)
        least = np.maximum(ledgers[method].floor, terms.get(method, np.zeros((len(frame), 1)))[:rows] / 1000)
        tied = _tied(expected, floors) if output.labels else None
        part = _first_rows(expected[method], rows)
        comparison = _compared(
            method, part, found, least if method in floors else None, None if tied is None else tied[:rows], scope
        )
        decided = ~open_[:rows]
        ledgers[method].add(
            replace(
                comparison,
                identical=comparison.identical & decided,
                ties=comparison.ties + int((~decided).sum()),
            )
        )
        excess.setdefault(method, comparison.excess)

    if trees:  # these are walked once for all methods
        for output, found in zip(manifest.outputs, _in_batches(twin, given, MOST_ROWS, progress), strict=True):
            compare(output, found)
    else:
        for output in manifest.outputs:
            compare(output, twin.answers(output, given))
    for size in BATCHES:
        for output, found in zip(manifest.outputs, _in_batches(twin, given[:AGAIN], size), strict=True):
            compare(output, found)
    for output in manifest.outputs:
        method, ledger = output.method, ledgers[output.method]
        # What a model is asked before it serves belongs to the proof, or there were bundles that nobody could load.
        wanted, found = answers_of_canary[method], twin.answers(output, again)
        least = np.maximum(ledger.floor, terms_of_canary.get(method, np.zeros((len(again), 1))) / 1000)
        tied = _tied(answers_of_canary, floors) if output.labels else None
        ledger.add(_compared(method, wanted, found, least if method in floors else None, tied, scope))
        if method in scope.rowwise:
            ledger.floor = max(ledger.floor, float(terms_of_canary[method].max(initial=0.0)) / 1000)
        if method in floors:  # the model itself measures against the floor alone
            sound &= compare_numbers(wanted, found, ledger.floor).excess <= allowed
        say(f"compared: {method}, {ledger.identical:,} of {ledger.rows:,} rows identical")
    outputs = {method: ledger.proof() for method, ledger in ledgers.items()}
    largest = max(ledger.excess for ledger in ledgers.values())
    if not largest <= allowed:
        raise ParityError(_failure(outputs, largest, allowed, scope), _worst(frame, excess))
    # Without an excuse: at level bit a label that differs is no tie.
    level = "bit" if all(o.identical == o.rows for o in outputs.values()) else "ulp" if largest <= ULP else "tolerance"
    tolerated = 0.0 if level == "bit" else ULP if level == "ulp" else allowed
    same_as_json(twin, signature, frame, given, _few(BODIES, manifest))
    if elsewhere is not None:
        say(f"portable: {check_portable(elsewhere, twin, frame, given):,} rows identical in plain onnxruntime")
    return Proof(
        level=level,  # type: ignore[arg-type]
        tolerance=tolerated,
        rows=len(frame),
        probes={kind: len(rows) for kind, rows in frames},
        batches=BATCHES,
        outputs=outputs,
        canary=_kept(rows_of_canary, answers_of_canary, np.flatnonzero(sound | ~sound.any())),
        seed=probes.SEED,
        versions=versions,
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        left_out=scope.left_out,
        sampled_nodes=(len(visits.tree), nodes) if len(visits.tree) < nodes else None,
    )


def _compared(
    method: str,
    wanted: Any,
    found: Any,
    least: NDArray[np.float64] | None,
    tied: NDArray[np.bool_] | None,
    scope: Scope,
) -> Comparison:
    """least: [rows, 1], for numbers; None for labels."""
    try:
        if least is None:
            return compare_labels(wanted, found, tied)
        if method in scope.logged:
            return compare_logarithms(wanted, found, least, scope.logged[method])
        return compare_numbers(wanted, found, least)
    except ValueError as error:
        raise ParityError(f"{method}: {error}") from error


def _taken(pipeline: Any, signature: Signature, method: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that the pipeline takes, by halving the groups that it does not: each value may be taken alone, and
    yet a division of two of them give what the next step refuses."""
    try:
        signature.ask(pipeline, method, frame)
    except REFUSALS:
        if len(frame) == 1:
            return frame.iloc[:0]
        middle = len(frame) // 2
        halves = (frame.iloc[:middle], frame.iloc[middle:])
        return pd.concat([_taken(pipeline, signature, method, half) for half in halves])
    return frame


def _terms(scope: Scope, rows: Rows) -> dict[str, NDArray[np.float64]]:
    """By method that answers sums whose terms cancel, how large these are: [rows, 1]; zero where they overflow."""
    if scope.gauge is None:
        return {}
    gauge = Session(scope.gauge, scope.widths)
    found = gauge.run_rows(rows, gauge.outputs)
    return {m: np.where(np.isfinite(size), size, 0.0) for m, size in zip(gauge.outputs, found, strict=True)}


def _widest(manifest: Manifest) -> int:
    """The most numbers that a method answers to one row."""
    return max(math.prod(output.shape) * len(output.tensors) for output in manifest.outputs) or 1


def _few(rows: int, manifest: Manifest) -> int:
    """So many rows, or fewer where their answers would be too long as text."""
    return max(1, min(rows, WRITTEN // _widest(manifest)))


def _affordable(frames: list[tuple[str, pd.DataFrame]], most: int) -> list[tuple[str, pd.DataFrame]]:
    """So many rows, where there are more: of each kind as large a part, spread over it, and one at least."""
    part = most / sum(len(rows) for _, rows in frames)
    if part >= 1:
        return frames
    counts = [max(1, int(part * len(rows))) for _, rows in frames]
    return [
        (kind, rows.iloc[np.linspace(0, len(rows) - 1, count, dtype=int)])
        for (kind, rows), count in zip(frames, counts, strict=True)
    ]


def _in_batches(twin: Model, rows: Rows, size: int, progress: Progress = unseen) -> list[Any]:
    """The answers of all methods in turn for rows that come so many at a time; all methods answer from one run."""
    runs = []
    for start in range(0, len(rows), size):
        progress("compared", start, len(rows))
        runs.append(twin.together(twin.manifest.outputs, rows[start : start + size]))
    progress("compared", len(rows), len(rows))
    return [joined(blocks) for blocks in zip(*runs, strict=True)]


def _is_float(answers: Any) -> bool:
    first = answers[0] if isinstance(answers, list) else answers
    return bool(first.dtype.kind == "f")


def _first_rows(answers: Any, rows: int) -> Any:
    return [part[:rows] for part in answers] if isinstance(answers, list) else answers[:rows]


def _tied(expected: dict[str, Any], floors: dict[str, float]) -> NDArray[np.bool_] | None:
    """Rows whose label may differ at level ulp; None where there are no scores to tell."""
    for method in ("predict_proba", "decision_function"):
        if method in floors:
            return near_ties(expected[method], floors[method])
    return None


def _unproven(graph: bytes) -> Proof:
    """A stand-in, for the runtime loads nothing without a proof."""
    return Proof("bit", 0.0, 0, {}, (), {}, Canary((), {}), 0, {}, hashlib.sha256(graph).hexdigest())


def _canary(
    pipeline: Any,
    signature: Signature,
    manifest: Manifest,
    tables: dict[int, list[Any]],
    floors: dict[str, float],
    scope: Scope,
) -> tuple[tuple[Any, ...], pd.DataFrame, dict[str, Any]]:
    """Synthetic rows with the pipeline's answers, also as a frame and arrays; rows with a near tie are left out, for
    another processor may decide it otherwise. Where all of them tie they stay: without any the model could not be
    loaded."""
    live = [feature for feature in signature.features if feature.position is not None]
    rows = probes.canary_rows(signature.features, tables, _few(CANARIES, manifest))
    frame = signature.frame.iloc[[0] * len(rows)].reset_index(drop=True)
    by_name = dict(zip((feature.name for feature in signature.features), frame.columns, strict=True))
    for index, feature in enumerate(live):
        cells = pd.Series([row[index] for row in rows], dtype=object)
        if feature.kind in ("category", "text"):
            cells[cells.isna()] = signature.marker(feature)
        elif feature.kind == "number" or cells.isna().any():
            cells = cells.astype(np.float64)
        else:
            cells = cells.astype(bool)
        frame[by_name[feature.name]] = cells
    methods = [output.method for output in manifest.outputs]
    frame = _taken(pipeline, signature, methods[0], frame)
    rows = tuple(rows[index] for index in frame.index)
    answers = signature.answers(pipeline, methods, frame)
    answers, _ = settle(pipeline, signature, frame, answers, floors, scope)
    tied = _tied(answers, floors)
    kept = np.arange(len(rows)) if tied is None or tied.all() else np.flatnonzero(~tied)
    return (
        tuple(rows[index] for index in kept.tolist()),
        frame.iloc[kept],
        {method: _some(found, kept) for method, found in answers.items()},
    )


def _some(answers: Any, rows: NDArray[np.intp]) -> Any:
    return [part[rows] for part in answers] if isinstance(answers, list) else answers[rows]


def _kept(rows: tuple[Any, ...], answers: dict[str, Any], kept: NDArray[np.intp]) -> Canary:
    return Canary(
        tuple(rows[index] for index in kept.tolist()),
        {method: plain(_some(found, kept)) for method, found in answers.items()},
    )


def _failure(outputs: dict[str, OutputProof], largest: float, allowed: float, scope: Scope) -> str:
    labels = sum(output.label_mismatches for output in outputs.values())
    found = f"{labels:,} labels differ" if labels else f"they differ by up to {largest:.3g} of their magnitude"
    through = f"; {', '.join(scope.fallbacks)} went through skl2onnx" if scope.fallbacks else ""
    hint = "" if labels else f" (--tolerance {largest:.1g} would allow it, and the proof would say so)"
    return f"expected the twin's answers within {allowed:g} of the pipeline's, found that {found}{through}{hint}"


def _worst(frame: pd.DataFrame, excess: dict[str, NDArray[np.float64]]) -> str:
    method, values = max(excess.items(), key=lambda item: float(item[1].max(initial=0.0)))
    places = np.argsort(-values)[:SHOWN]
    shown = [place for place in places.tolist() if values[place] > 0]
    lines = [f"row {place}: {method} differs by {values[place]:.3g} of its magnitude" for place in shown]
    return "\n".join([*lines, frame.iloc[shown].to_string(max_cols=12)])
