"""Large tree ensembles are written into the graph's bytes directly.

spox and onnx keep an attribute of a million numbers as a million Python objects, and onnx writes each with a tag of
its own. So the graph is built with a small ensemble in place of each, and the arrays are put into the bytes: lists of
integers packed (protobuf's readers take either form), tensors raw. That is a quarter smaller, and several times
sooner and lighter to make.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import spox.opset.ai.onnx.ml.v5 as ml
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from onnx import numpy_helper
from spox import Var

from ..errors import UnsupportedError

__all__ = ["LIMIT", "Arrays", "Ensemble", "check_size", "serialize", "stand_in"]

LIMIT = 2**31 - 1
"""The most bytes that protobuf reads."""
NODE = 15
"""The fewest bytes of a node: its threshold, its mode and five small integers, of which two pass a byte."""
CHUNK = 1 << 20

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Ensemble:
    """One ensemble, kept out of the graph until its bytes are made.

    matrix: of which its nodes ask, float64 [N, k].
    arrays: signed integers, of whatever width, become lists of integers, others tensors.
    sources, signs: by column of the matrix, the request's column whose numbers it holds, as they are (1.0) or with
        their sign changed (-1.0); -1 where it holds what was computed.
    digits: float64 [N, carried], further columns, behind the matrix's: of the sum of the ensembles before this one
        (``carry.py``). carried: trees that ask them; they come first.
    """

    matrix: Var
    arrays: Arrays
    sources: NDArray[np.int64]
    signs: NDArray[np.float64]
    digits: Var | None = None
    carried: int = 0

    @property
    def roots(self) -> NDArray[np.int64]:
        """Of the trees that ask of the matrix, [T]."""
        return self.arrays["tree_roots"][self.carried :]


def check_size(nodes: int, trees: int) -> None:
    """Raises UnsupportedError where so many inner nodes cannot come to lie within protobuf's limit."""
    most = int(LIMIT // NODE)
    if nodes > most:
        fit = f"about {trees * most // nodes:,} of them" if trees * most >= nodes else "no tree like them"
        raise UnsupportedError(
            f"expected trees of at most {most:,} nodes that ask, for protobuf ends at 2 GB, found {nodes:,} in "
            f"{trees:,} trees, of which {fit} would fit: train fewer trees, or smaller ones (max_leaf_nodes, "
            "min_samples_leaf, max_depth)"
        )


def stand_in(ensemble: Ensemble, ensembles: list[Ensemble], width: int) -> Var:
    """A float64 tensor [N, width]: the sum of leaves of an ensemble whose attributes come with ``serialize``.

    It is noted in ``ensembles``.
    """
    ensembles.append(ensemble)
    matrix = ensemble.matrix
    return ml.tree_ensemble(
        matrix if ensemble.digits is None else op.concat([matrix, ensemble.digits], axis=1),
        aggregate_function=1,  # sum
        leaf_targetids=[0],
        leaf_weights=np.array([len(ensembles) - 1.0]),
        n_targets=width,
        nodes_falseleafs=[1],
        nodes_falsenodeids=[0],
        nodes_featureids=[0],
        nodes_modes=np.zeros(1, np.uint8),
        nodes_splits=np.array([np.nan]),  # by this it is known again: no tree has it alone
        nodes_trueleafs=[1],
        nodes_truenodeids=[0],
        post_transform=0,  # none
        tree_roots=[0],
    )


def serialize(model: onnx.ModelProto, ensembles: Sequence[Ensemble]) -> bytes:
    """A model's bytes with its ensembles in their places; the same model gives the same bytes.

    Raises UnsupportedError where they pass protobuf's limit.
    """
    nodes = list(model.graph.node)
    parts: list[bytes] = []
    for node in nodes:
        arrays = _arrays_of(node, ensembles)
        parts += _field(1, list(_node(node, arrays)) if arrays is not None else [_bytes(node)])
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    del graph.node[:]
    parts.append(_bytes(graph))
    shell = onnx.ModelProto()
    shell.CopyFrom(model)
    shell.ClearField("graph")
    parts = [_bytes(shell), *_field(7, parts)]
    size = sum(map(len, parts))
    if size > LIMIT:
        raise UnsupportedError(
            f"expected a graph of at most 2 GB, where protobuf ends, found {size / 2**30:.1f} GB: train fewer trees, "
            "or smaller ones (max_leaf_nodes, min_samples_leaf, max_depth)"
        )
    return b"".join(parts)


def _arrays_of(node: onnx.NodeProto, ensembles: Sequence[Ensemble]) -> Arrays | None:
    if node.op_type != "TreeEnsemble":
        return None
    tensors = {a.name: numpy_helper.to_array(a.t) for a in node.attribute if a.HasField("t")}
    if not np.isnan(tensors["nodes_splits"]).all():
        return None
    return ensembles[int(tensors["leaf_weights"][0])].arrays


def _node(node: onnx.NodeProto, arrays: Arrays) -> Iterator[bytes]:
    """A NodeProto's bytes, the attributes in place of those of the stand-in."""
    rest = onnx.NodeProto()
    rest.CopyFrom(node)
    del rest.attribute[:]
    kept = [a for a in node.attribute if a.name not in arrays]
    rest.attribute.extend(kept)
    yield _bytes(rest)
    for name in sorted(arrays):
        array = arrays[name]
        if array.dtype.kind == "i":
            value, kind = _field(8, [packed(array)]), onnx.AttributeProto.INTS
        else:
            dtype = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
            tensor = [b"\x08", varint(len(array)), b"\x10", varint(dtype), *_field(9, [array.tobytes()])]
            value, kind = _field(5, tensor), onnx.AttributeProto.TENSOR
        yield from _field(5, [*_field(1, [name.encode()]), *value, varint(20 << 3), varint(kind)])


def _field(number: int, parts: list[bytes]) -> list[bytes]:
    """A length-delimited field."""
    return [varint(number << 3 | 2), varint(sum(map(len, parts))), *parts]


def _bytes(message: Any) -> bytes:
    found: bytes = message.SerializeToString(deterministic=True)
    return found


def varint(value: int) -> bytes:
    """protobuf's variable-length form of an integer that is not negative."""
    return packed(np.array([value]))


def packed(values: NDArray[np.signedinteger[Any]]) -> bytes:
    """Integers that are not negative, one after the other, seven bits a byte."""
    starts = range(0, len(values), CHUNK)
    return b"".join(_packed(values[start : start + CHUNK].astype(np.int64)) for start in starts)


def _packed(values: NDArray[np.int64]) -> bytes:
    sizes = np.ones(len(values), np.int64)
    for size in range(1, 9):
        sizes += values >= 1 << 7 * size
    starts = np.cumsum(sizes) - sizes
    found = np.empty(int(sizes.sum()), np.uint8)
    for size in range(int(sizes.max(initial=0))):
        here = sizes > size
        more = (sizes[here] > size + 1) * 128
        found[starts[here] + size] = (values[here] >> 7 * size) & 127 | more
    return found.tobytes()
