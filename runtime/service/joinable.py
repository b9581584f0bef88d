"""Which requests may be answered together: those whose answers stay the same to the bit, and whose graph takes long."""

from ..model import Model
from .pool import hop_seconds, inline_bytes

__all__ = ["alike", "inline", "joined_bytes"]

ROWS = 8
"""A body may have the bytes of so many rows as JSON: decoding and encoding them takes the event loop about as long as a
hop to a thread. A request of more has the better part of what a batch would bring."""


def alike(model: Model) -> frozenset[str]:
    """The outputs of a graph whose bits do not depend on how many rows are in one run, as the proof has shown.

    A method's are those that were identical to the pipeline's in every row, at one row a run and at many. Labels are
    made of scores; where there are scores, these must be so too. There are none where a row's answer depends on the
    rows beside it: such a proof has compared batch with batch.
    """
    proof, outputs = model.proof, model.manifest.outputs
    if model.manifest.whole or min(proof.batches, default=0) != 1 or max(proof.batches) < 2:
        return frozenset()
    same = {method for method, found in proof.outputs.items() if found.identical == found.rows}
    scores = {output.method for output in outputs if output.method in ("predict_proba", "decision_function")}
    return frozenset(
        tensor
        for output in outputs
        if output.method in same and (not output.labels or not scores or scores & same)
        for tensor in output.tensors
    )


def joined_bytes(model: Model) -> int:
    """The largest body that joins others, bytes; -1 where none does.

    None does where the graph takes less than half a hop to a thread over one row: the event loop runs it itself, and no
    request can come meanwhile. Nor where what a request takes beside the graph, which the event loop does then, takes
    longer than the graph does.
    """
    cost, hop = model.cost, hop_seconds()
    if 2 * cost.run <= hop or cost.row - cost.run > max(hop, cost.run) or not alike(model):
        return -1
    return cost.size * ROWS


def inline(model: Model, batch_rows: int) -> int:
    """As ``inline_bytes``, where requests are answered together (batch_rows is not 0) or are not."""
    return -1 if batch_rows and joined_bytes(model) >= 0 else inline_bytes(model.cost)
