"""How many rows a graph may answer in one run: the more, the fewer runs, and the less often a large forest is read from
memory."""

import math
from collections.abc import Sequence

import onnx

from runtime.session import BLOCK, MOST_ROWS, ROWS

from .lower.packed import Ensemble

__all__ = ["note_rows"]

LARGE = 1 << 14
"""Nodes of trees from which on they are read from memory sooner for many rows together."""
BYTES = 2**26
"""Bytes that all values of a large forest's graph may have together in one run."""
FEW_BYTES = 2**23
"""And of any other graph, which saves no more than the 11 µs of a run: 1,024 rows of a scaler and a logistic regression
of 30 numbers take 86."""


def note_rows(model: onnx.ModelProto, ensembles: Sequence[Ensemble]) -> None:
    """Write into a model how many rows the runtime may give it in one run, where that is more than it gives to any.

    Nothing is written where the size of a value is not known beforehand.
    """
    large = sum(len(ensemble.arrays["nodes_splits"]) for ensemble in ensembles) >= LARGE
    of_a_row = _bytes_of_a_row(model)
    rows = min(MOST_ROWS, (BYTES if large else FEW_BYTES) // of_a_row) if of_a_row else 0
    if rows > BLOCK:
        model.metadata_props.add(key=ROWS, value=str(rows))


def _bytes_of_a_row(model: onnx.ModelProto) -> int:
    """Of all values that the graph's nodes compute; 0 where one is of unknown size, or made in a subgraph."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = {value.name: value.type.tensor_type.shape.dim for value in (*graph.value_info, *graph.output)}
    total = 0
    for node in graph.node:
        if any(attribute.HasField("g") for attribute in node.attribute):
            return 0
        for name in filter(None, node.output):
            dims = [] if node.op_type == "Constant" else known.get(name)
            if dims is None or any(not dim.HasField("dim_value") for dim in dims[1:]):
                return 0
            total += 8 * math.prod(dim.dim_value for dim in dims[1:])
    return total
