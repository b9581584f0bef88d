"""The driver: a trained pipeline becomes a proven bundle, one stage after the other."""

import datetime
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from runtime.dates import NANOSECONDS, RULED, said, span
from runtime.drift import RANGED
from runtime.manifest import Feature, Manifest, protocol_of
from runtime.proof import Proof

from .budget import held
from .culprit import culprit, narrowed, overriding
from .errors import ConvertError, ParityError, SampleError, UnsupportedError
from .graph import build_graph, plain
from .lower import gives_std
from .lower.scope import Scope
from .portable import portable as portable_graph
from .progress import Progress, unseen
from .prove import prove
from .reference import RAISED, Signature, equal, methods_of
from .reread import Reread, reread
from .signature import kind_of, sign
from .source import check_fitted
from .versions import CONVERTED_WITH, TRAINED_WITH, versions_of

__all__ = ["Twin", "assemble", "convert"]

FEW = 300
"""Rows of the sample with which a step that answers otherwise is looked for."""


def convert(
    pipeline: Any,
    sample: Any,
    out: str | Path,
    *,
    version: str | None = None,
    promote: str | None = None,
    tolerance: float | None = None,
    enforce_range: bool = False,
    portable: bool = False,
    return_std: bool = False,
    budget_p95: float | None = None,
    report: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Proof:
    """Convert a trained pipeline, prove that the twin answers alike, and write its bundle.

    pipeline: a fitted scikit-learn estimator, by itself or a Pipeline.
    sample: DataFrame, ndarray or list of dicts: the rows it was trained on or some of them, [N, features].
    out: the model's folder; the bundle becomes ``out/version``.
    version: by default the time, as 20261122T110305Z; SOURCE_DATE_EPOCH is respected.
    promote: an alias to point at the version once it is written.
    tolerance: a relative difference to allow where level ulp (1e-12) cannot be had; the proof then says so.
    enforce_range: let the runtime refuse numbers outside the sample's range.
    portable: also write ``portable.onnx``, for other ONNX runtimes: an input for each feature, categories as strings.
    return_std: let the twin answer ``predict(X, return_std=True)`` too, as a Gaussian process and the Bayesian linear
        models do, alone or last in a Pipeline.
    budget_p95: microseconds that one row may take in process, from JSON to JSON, at P95; measured here, and recorded.
    report: called with one line a stage.
    progress: called within the long ones, with what is done ("walked", "asked", "compared"), how many trees or rows,
        and of how many.

    Raises ConvertError or one of its kinds; then nothing is written, but for a version whose alias could not be moved.
    """
    from .write import check_destination, write_bundle

    say = report or (lambda line: None)
    out = Path(out)
    now = _now()
    version = version or now.strftime("%Y%m%dT%H%M%SZ")
    check_destination(out, version)

    twin = assemble(
        pipeline,
        sample,
        version=version,
        created=now,
        tolerance=tolerance,
        enforce_range=enforce_range,
        portable=portable,
        return_std=return_std,
        report=say,
        progress=progress or unseen,
    )
    if budget_p95 is not None:
        twin = twin._replace(manifest=held(twin.graph, twin.manifest, twin.proof, budget_p95, say))
    files = {"model.onnx": twin.graph, "manifest.json": _json(twin.manifest), "proof.json": _json(twin.proof)}
    if twin.portable is not None:
        files["portable.onnx"] = twin.portable
    folder = write_bundle(out, version, files)
    say(f"written: {folder}, {sum(map(len, files.values())):,} bytes")
    if promote is not None:
        from .registry import promote as point

        point(out, version, promote)
        say(f"promoted: {out / promote} -> {version}")
    return twin.proof


class Twin(NamedTuple):
    """A proven graph, not yet written."""

    graph: bytes
    manifest: Manifest
    proof: Proof
    scope: Scope
    portable: bytes | None = None


def assemble(
    pipeline: Any,
    sample: Any,
    *,
    version: str,
    created: datetime.datetime,
    tolerance: float | None = None,
    enforce_range: bool = False,
    fold: bool = True,
    portable: bool = False,
    return_std: bool = False,
    report: Callable[[str], None] = lambda line: None,
    progress: Progress = unseen,
) -> Twin:
    """As ``convert``, in memory.

    fold: whether trees compare the request's own values where they can; the answers are the same.
    """
    check_fitted(pipeline)
    if return_std and not gives_std(pipeline):
        raise UnsupportedError(
            "expected a pipeline whose predict takes return_std, as of GaussianProcessRegressor, BayesianRidge or "
            f"ARDRegression, found {_words(pipeline)}: convert it without return_std"
        )
    signature = replace(sign(pipeline, sample), std=return_std)
    try:
        return _assembled(
            pipeline, signature, version, created, tolerance, enforce_range, fold, portable, report, progress
        )
    except ParityError as error:
        # Each step by itself, for there may be one that differs.
        given = signature.given(signature.frame.iloc[:FEW])
        path = culprit(pipeline, given, _differs)
        at = f"pipeline{path}: " if path else ""
        hint = overriding(pipeline) or _of_booleans(pipeline, signature) or narrowed(pipeline, given)
        raise ParityError(f"{at}{error}{hint}", error.worst, rounding=error.rounding) from error


def _differs(step: Any, X: Any) -> bool:
    """Whether the twin of one step of a pipeline answers otherwise."""
    epoch = datetime.datetime.fromtimestamp(0, datetime.UTC)
    try:
        _assembled(step, sign(step, X), "v", epoch, None, False, True, False, lambda line: None)
    except ParityError:
        return True
    except ConvertError:  # a step may have nothing to be asked for by itself
        return False
    return False


def _of_booleans(pipeline: Any, signature: Signature) -> str:
    """Whether the pipeline answers booleans otherwise than the numbers 0 and 1, as some of scikit-learn's do that keep
    what they compute in the type of what they are given: words for the end of a sentence, empty where it does not."""
    frame = signature.frame.iloc[:FEW]
    booleans = [name for name in frame.columns if frame.dtypes[name] == np.bool_]
    if not booleans:
        return ""
    numbers = frame.assign(**{name: frame[name].astype(np.float64) for name in booleans})
    for method in methods_of(pipeline):
        try:
            found, other = (signature.ask(pipeline, method, rows) for rows in (frame, numbers))
        except RAISED:
            continue
        if not equal(found, other):
            return "; it answers booleans otherwise than 0.0 and 1.0: train it on numbers, column.astype(float)"
    return ""


def _assembled(
    pipeline: Any,
    signature: Signature,
    version: str,
    created: datetime.datetime,
    tolerance: float | None,
    enforce_range: bool,
    fold: bool,
    portable: bool,
    report: Callable[[str], None],
    progress: Progress = unseen,
) -> Twin:
    report(f"signature: {len(signature.features)} features, {len(signature.frame):,} rows of sample")
    try:
        graph, scope, outputs, classes = build_graph(pipeline, signature, fold=fold)
    except Reread as found:
        signature = reread(pipeline, signature, found.readings)
        return _assembled(
            pipeline, signature, version, created, tolerance, enforce_range, fold, portable, report, progress
        )
    signature = replace(signature, features=tuple(_with_rules(feature, scope) for feature in signature.features))
    report(f"graph: {len(graph):,} bytes" + "".join(f"; folded {line}" for line in scope.folded))
    inputs = tuple(_with_table(feature, scope) for feature in signature.features)
    manifest = Manifest(
        protocol=protocol_of(inputs, scope.whole),
        version=version,
        created=created.isoformat().replace("+00:00", "Z"),
        estimator=_words(pipeline),
        kind=kind_of(pipeline),
        named=signature.named,
        inputs=inputs,
        outputs=outputs,
        classes=classes,
        trained_with=versions_of(TRAINED_WITH),
        converted_with=versions_of(CONVERTED_WITH),
        whole=scope.whole,
    )
    elsewhere = portable_graph(graph, manifest) if portable else None
    proof = prove(pipeline, signature, manifest, graph, scope, tolerance, report, elsewhere, progress)
    report(f"proof: level {proof.level} on {proof.rows:,} rows")
    if enforce_range:
        # Only now: the proof goes further than what will be let in.
        manifest = msgspec.structs.replace(manifest, inputs=tuple(map(_within_seen, inputs)))
    return Twin(graph, manifest, proof, scope, elsewhere)


def _with_table(feature: Feature, scope: Scope) -> Feature:
    if feature.kind == "date":
        known = () if feature.unknown or feature.position is None else tuple(sorted(scope.times[feature.position]))
        return msgspec.structs.replace(feature, categories=known)
    table = scope.tables.get(feature.position, {}) if feature.position is not None else {}
    # Where none is told apart from another all are unseen, and the pipeline has taken them.
    return msgspec.structs.replace(
        feature, categories=tuple(plain(value) for value in table), unknown=feature.unknown or not table
    )


def _with_rules(feature: Feature, scope: Scope) -> Feature:
    """A column that a vectoriser reads is no category, or not only one. Of times an encoder may take only those that it
    knows, and where they become nanoseconds, or a named zone's clocks are asked, they are within what is known."""
    if feature.position in scope.known_only:
        return msgspec.structs.replace(feature, unknown=False, range=None)
    for columns, known in ((scope.nanoseconds, NANOSECONDS), (scope.ruled, RULED)):
        if feature.position in columns:
            feature = _within(feature, known)
    rules = tuple(rule for rule, _ in scope.texts.get(feature.position, ())) if feature.position is not None else ()
    return msgspec.structs.replace(feature, kind="text", rules=rules) if rules else feature


def _within(feature: Feature, known: tuple[float, float]) -> Feature:
    """A feature of times that takes none beyond what is known."""
    low, high = span(feature)
    within = max(low, known[0]), min(high, known[1])
    if feature.seen is not None and not within[0] <= feature.seen[0] <= feature.seen[1] <= within[1]:
        raise SampleError(
            f"expected times from {said(feature, within[0])} to {said(feature, within[1])} in column {feature.name!r}, "
            f"found some from {said(feature, feature.seen[0])} to {said(feature, feature.seen[1])}: leave them out"
        )
    return feature if within == (low, high) else msgspec.structs.replace(feature, range=within)


def _within_seen(feature: Feature) -> Feature:
    return msgspec.structs.replace(feature, range=feature.seen) if feature.kind in RANGED else feature


def _words(pipeline: Any) -> str:
    """A pipeline's steps by class name."""
    if hasattr(pipeline, "steps"):
        return f"{type(pipeline).__name__}({', '.join(_words(step) for _, step in pipeline.steps)})"
    return type(pipeline).__name__


def _now() -> datetime.datetime:
    """The time, or SOURCE_DATE_EPOCH (reproducible-builds.org): seconds since 1970."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    try:
        return datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ConvertError(f"expected seconds since 1970 in SOURCE_DATE_EPOCH, found {epoch!r}") from error


def _json(struct: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(struct), indent=1) + b"\n"
