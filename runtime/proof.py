"""The proof that a graph answers as its pipeline does, and the canary rows that are asked again at every load."""

from typing import Any, Literal

import msgspec

from .errors import BundleError
from .manifest import Category

__all__ = ["Canary", "OutputProof", "Proof"]


class OutputProof(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How one method compared.

    rows: rows compared, over all batch sizes.
    identical: those whose every number (or label) has the same bits.
    max_ulp: the largest distance in units in the last place of float64; 0 for labels.
    max_abs: the largest absolute difference.
    floor: a thousandth of the output's largest magnitude over the sample: a smaller number is held to the bound of
        this one, so that cancellation is not held against a sum. Of a standard deviation this is for the canary rows,
        and at least a thousandth of their terms.
    terms: where the answer is a sum of terms that cancel, how large they are over the sample; a row is then held to
        the bound of a thousandth of its own terms, and the floor is at least that of the largest; of a standard
        deviation the terms are those of its variance, over the deviation.
    label_mismatches: rows with another label that is no tie; any is a failure.
    ties: at level ulp, rows with another label whose two best scores lie within the bound of each other, and rows
        in which the pipeline chooses among equals as the processor has it, and the twin the first; and rows whose
        answer hangs on a rounding: that of distances, or one before a comparison, or where such rows are few any that
        moves it as far as it is off.
    saturated: rows of logarithms of probabilities or densities so near to one or zero that they are within the bound
        as what they are the logarithms of only.
    """

    rows: int
    identical: int
    max_ulp: int = 0
    max_abs: float = 0.0
    floor: float = 0.0
    terms: float = 0.0
    label_mismatches: int = 0
    ties: int = 0
    saturated: int = 0


class Canary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Synthetic rows and the pipeline's own answers to them.

    rows: a list a row, in the order of ``Manifest.inputs`` without the ignored; None is missing.
    answers: by method, what the pipeline answered: nested lists of float64 (``"nan"``, ``"inf"``, ``"-inf"`` where
        JSON has no number) or labels.
    """

    rows: tuple[tuple[Category | None, ...], ...]
    answers: dict[str, list[Any]]


class Proof(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What was compared, and how it came out.

    level: ``bit`` where every number of every method has the same bits and no operation of the graph has the
        processor's own, ``ulp`` where the differences stay within 1e-12 of max(expected, floor) in magnitude,
        ``tolerance`` where the caller allowed more.
    tolerance: the relative difference that was allowed; 0 at level bit.
    rows: distinct rows that were put to both.
    probes: how many of them by kind.
    batches: the batch sizes at which rows were compared again.
    seed: of the generator that drew the synthetic ones.
    graph_sha256: the digest of the graph that it speaks of.
    left_out: the methods that the pipeline has and the twin has not, each with why.
    sampled_nodes: where there were too many nodes of trees to put rows on the threshold of each, to how many that was
        done, and of how many they were chosen by chance; every tree has some.
    """

    level: Literal["bit", "ulp", "tolerance"]
    tolerance: float
    rows: int
    probes: dict[str, int]
    batches: tuple[int, ...]
    outputs: dict[str, OutputProof]
    canary: Canary
    seed: int
    versions: dict[str, str]
    graph_sha256: str
    left_out: dict[str, str] = {}
    sampled_nodes: tuple[int, int] | None = None

    def __str__(self) -> str:
        """A table, a line a method."""
        head = ("method", "level", "rows", "identical", "max ulp", "max abs", "other labels", "ties")
        body = [
            (
                method,
                "bit" if o.identical == o.rows else self.level,
                f"{o.rows:,}",
                f"{o.identical:,}",
                f"{o.max_ulp:,}",
                f"{o.max_abs:.3g}",
                f"{o.label_mismatches:,}",
                f"{o.ties:,}",
            )
            for method, o in self.outputs.items()
        ]
        widths = [max(len(row[column]) for row in (head, *body)) for column in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in (head, *body)
        ]
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.probes.items())
        lines += [
            f"{method}: a sum of terms up to {o.terms:.3g}, which cancel; held to the bound of a thousandth of them"
            for method, o in self.outputs.items()
            if o.terms
        ]
        lines += [
            f"{method}: in {o.saturated:,} rows within the bound as probabilities or densities, not as their logarithms"
            for method, o in self.outputs.items()
            if o.saturated
        ]
        if self.sampled_nodes is not None:
            probed, found = self.sampled_nodes
            lines.append(f"trees: probed on the thresholds of {probed:,} of {found:,} nodes, some of every tree")
        lines += [f"left out: {method}, for {reason}" for method, reason in self.left_out.items()]
        return "\n".join([f"level {self.level}: {self.rows:,} rows ({kinds})", *lines])


def read_proof(text: bytes, where: str) -> Proof:
    """Decode a proof; raises BundleError where it is none."""
    try:
        return msgspec.json.decode(text, type=Proof)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BundleError(f"expected a bundle's proof in {where}, found: {error}") from error
