"""The proof: every probe is put to the pipeline and to the runtime that will serve."""

import hashlib
import math
from collections.abc import Callable, Sequence
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
from runtime.rows import Rows
from runtime.session import MOST_ROWS
from runtime.tensors import Tensors

from . import probes
from .as_json import same_as_json
from .asked import Asked, ask, ask_again, cut, sizes_of, some
from .bounds import Bounds
from .canaries import Canaries
from .errors import ParityError, UnsupportedError
from .lower.scope import Scope
from .parity import ULP, Ledger, compare_numbers, floor_of
from .paths import chosen, walked
from .portable import check as check_portable
from .progress import Progress, unseen
from .reference import Signature, joined
from .shaken import Shaken

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
SHOWN = 5
"""Worst rows in an error."""
HANGING = 0.1
"""The part of the sample's rows that may differ because they hang on a rounding: where more of them do, the pipeline
answers by chance. As many may differ by what roundings on their way come to."""


def prove(
    pipeline: Any,
    signature: Signature,
    manifest: Manifest,
    graph: bytes,
    scope: Scope,
    tolerance: float | None,
    say: Callable[[str], None],
    elsewhere: bytes | None = None,
    progress: Progress = unseen,
) -> Proof:
    """Put every probe to the pipeline and to the real runtime.

    elsewhere: the portable graph, to which they are put too.
    Raises ParityError where they differ by more than is allowed.
    """
    tables = {position: list(table) for position, table in scope.tables.items()}
    tables |= {position: sorted(times) for position, times in scope.times.items()}
    edges = {position: np.concatenate(found) for position, found in scope.edges.items()}
    trees = sum(len(ensemble.roots) for ensemble in scope.ensembles)
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
    frames, asked = ask(pipeline, signature, methods, frames, scope, progress)
    frame = asked.frame
    say(f"probes: {len(frame):,} rows")
    given = twin.tensors.of(signature.given(frame))
    # Of the sample alone: measured over the far-out probes a floor would let everything ordinary pass.
    ordinary = len(frames[0][1])
    floors = {m: floor_of(some(answers, slice(ordinary))) for m, answers in asked.answers.items() if _is_float(answers)}
    shaken = Shaken(twin, graph, scope)
    bounds = Bounds.of(scope, given, asked.sizes, shaken)
    extents = {method: float(found[:ordinary].max()) for method, found in bounds.terms.items()}
    floors |= {m: max(floors[m], extent / 1000) for m, extent in extents.items() if m not in scope.rowwise}
    asked = asked.settled(pipeline, signature, floors, scope)
    allowed = ULP if tolerance is None else max(tolerance, ULP)
    ledgers = {method: Ledger(floors.get(method, 0.0), extents.get(method, 0.0)) for method in methods}
    excess: dict[str, NDArray[np.float64]] = {}
    hanging, loose = np.zeros(ordinary, bool), np.zeros(ordinary)

    def compare(output: Output, found: Any, asked: Asked, bounds: Bounds) -> None:
        """Add a method's answers to its ledger."""
        method = output.method
        tied = bounds.tied(asked.answers, floors) if output.labels else None
        floor = ledgers[method].floor if method in floors else None
        # Whoever says what to allow allows it of these too.
        comparison = bounds.compared(output, asked.answers[method], found, floor, tied, excused=tolerance is None)
        for most, part in ((hanging, comparison.hanging[:ordinary]), (loose, comparison.loose[:ordinary])):
            most[: len(part)] = np.maximum(most[: len(part)], part)
        ledgers[method].add(
            replace(
                comparison,
                identical=comparison.identical & ~asked.unsettled,
                ties=comparison.ties + int(asked.unsettled.sum()),
            )
        )
        excess.setdefault(method, np.maximum(comparison.excess, comparison.loose))

    # Trees are walked once for all methods.
    sizes = asked.sizes if scope.whole else sizes_of(len(frame), MOST_ROWS)
    for outputs_of in [manifest.outputs] if trees else [(output,) for output in manifest.outputs]:
        for output, found in zip(outputs_of, _in_batches(twin, outputs_of, given, sizes, progress), strict=True):
            compare(output, found, asked, bounds)
    for size in BATCHES:
        again = ask_again(pipeline, signature, asked, AGAIN, size, scope)
        rows, held = given[: len(again.frame)], bounds.first(len(again.frame))
        if scope.whole:
            again = again.settled(pipeline, signature, floors, scope)
            rows = twin.tensors.of(signature.given(again.frame))
            held = Bounds.of(scope, rows, again.sizes, shaken)
        for output, found in zip(manifest.outputs, _in_batches(twin, manifest.outputs, rows, again.sizes), strict=True):
            compare(output, found, again, held)
    canaries = Canaries.drawn(pipeline, signature, twin, tables, _few(CANARIES, manifest), floors, scope, shaken)
    rows = twin.tensors.of(signature.given(canaries.frame))
    bounds = Bounds.of(scope, rows, (len(rows),), shaken)
    sound = np.ones(len(rows), bool)
    for output in manifest.outputs:
        method, ledger = output.method, ledgers[output.method]
        # What a model is asked before it serves belongs to the proof, or there were bundles that nobody could load.
        wanted, found = canaries.answers[method], twin.answers(output, rows)
        tied = bounds.tied(canaries.answers, floors) if output.labels else None
        floor = ledger.floor if method in floors else None
        ledger.add(bounds.compared(output, wanted, found, floor, tied, excused=tolerance is None))
        if method in scope.rowwise:
            ledger.floor = max(ledger.floor, float(bounds.terms[method].max(initial=0.0)) / 1000)
        if method in floors:  # the model itself measures against the floor alone
            sound &= compare_numbers(wanted, found, ledger.floor).excess <= allowed
        say(f"compared: {method}, {ledger.identical:,} of {ledger.rows:,} rows identical")
    outputs = {method: ledger.proof() for method, ledger in ledgers.items()}
    largest = max(ledger.excess for ledger in ledgers.values())
    if (loose > 0).mean() > HANGING:
        largest = max(largest, float(loose.max()))
    if not largest <= allowed:
        rounding = not any(ledger.unexplained for ledger in ledgers.values())
        raise ParityError(
            _failure(outputs, largest, allowed, scope, rounding), _worst(frame, excess), rounding=rounding
        )
    if hanging.mean() > HANGING:
        raise ParityError(
            f"expected answers that do not hang on a rounding, found that those to {hanging.sum():,} of {ordinary:,} "
            "rows of the sample do: a step compares numbers that differ by the last bits of what was multiplied before "
            "it; leave out columns that are constant or follow from others, or compare before multiplying",
            frame.iloc[np.flatnonzero(hanging)[:SHOWN]].to_string(max_cols=12),
            rounding=True,
        )
    if not sound.any():
        raise ParityError(
            f"expected one synthetic row at least that the twin answers within {allowed:g} of the pipeline, to be "
            f"asked again whenever the model is loaded, found that roundings move the answers to all {len(rows)} "
            "further: state a tolerance, or scale what the pipeline multiplies",
            canaries.frame[:SHOWN].to_string(max_cols=12),
            rounding=True,
        )
    # Without an excuse: at level bit a label that differs is no tie, and no operation has the processor's own bits.
    exact = not shaken.rounds and all(o.identical == o.rows for o in outputs.values())
    level = "bit" if exact else "ulp" if largest <= ULP else "tolerance"
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
        canary=canaries.some(sound).proof(),
        seed=probes.SEED,
        versions=manifest.trained_with | manifest.converted_with,
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        left_out=scope.left_out,
        sampled_nodes=(len(visits.tree), nodes) if len(visits.tree) < nodes else None,
    )


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


def _in_batches(
    twin: Model, outputs: Sequence[Output], rows: Rows, sizes: Sequence[int], progress: Progress = unseen
) -> list[Any]:
    """The answers of some methods to rows that come so many at a time; all of them from one run."""
    runs, done = [], 0
    for batch in cut(rows, sizes):
        progress("compared", done, len(rows))
        runs.append(twin.together(outputs, batch))
        done += len(batch)
    progress("compared", done, len(rows))
    return [joined(blocks) for blocks in zip(*runs, strict=True)]


def _is_float(answers: Any) -> bool:
    first = answers[0] if isinstance(answers, list) else answers
    return bool(first.dtype.kind == "f")


def _unproven(graph: bytes) -> Proof:
    """A stand-in, for the runtime loads nothing without a proof."""
    return Proof("bit", 0.0, 0, {}, (), {}, Canary((), {}), 0, {}, hashlib.sha256(graph).hexdigest())


def _failure(outputs: dict[str, OutputProof], largest: float, allowed: float, scope: Scope, rounding: bool) -> str:
    labels = sum(output.label_mismatches for output in outputs.values())
    found = f"{labels:,} labels differ" if labels else f"they differ by up to {largest:.3g} of their magnitude"
    found += ", no more than roundings on their way come to" if rounding else ""
    through = f"; {', '.join(scope.fallbacks)} went through skl2onnx" if scope.fallbacks else ""
    hint = f" (--tolerance {largest:.1g} would allow it, and the proof would say so)"
    hint = hint if not labels and math.isfinite(largest) else ""
    return f"expected the twin's answers within {allowed:g} of the pipeline's, found that {found}{through}{hint}"


def _worst(frame: pd.DataFrame, excess: dict[str, NDArray[np.float64]]) -> str:
    method, values = max(excess.items(), key=lambda item: float(item[1].max(initial=0.0)))
    places = np.argsort(-values)[:SHOWN]
    shown = [place for place in places.tolist() if values[place] > 0]
    lines = [f"row {place}: {method} differs by {values[place]:.3g} of its magnitude" for place in shown]
    return "\n".join([*lines, frame.iloc[shown].to_string(max_cols=12)])
