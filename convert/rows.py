"""How many rows a graph may answer in one run: the more, the fewer times a large forest is read from memory."""

import math

import onnx

from runtime.session import BLOCK, MOST_ROWS, ROWS

__all__ = ["note_rows"]

BYTES = 2**26
"""Bytes that all values of a graph may have together in one run."""


def note_rows(model: onnx.ModelProto) -> None:
    """Write into a model how many rows the runtime may give it in one run, where that is more than it gives to any.

    Nothing is written where the size of a value is not known beforehand.
    """
    of_a_row = _bytes_of_a_row(model)
    rows = min(MOST_ROWS, BYTES // of_a_row) if of_a_row else 0
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
