"""A manifest in the words of the Open Inference Protocol: inputs, outputs, datatypes, shapes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...manifest import Feature, Manifest, Output
from ...model import Model
from ...reading import key

__all__ = ["Part", "datatype_of", "metadata", "parts"]

_NAMES = {"f": "FP", "i": "INT", "u": "UINT"}


class Part(NamedTuple):
    """One output: a method's answer, or one array of it where the pipeline returns a list of them.

    place: of the array in that list.
    """

    name: str
    output: Output
    datatype: str
    shape: tuple[int, ...]
    place: int | None = None

    def of(self, answer: Any) -> NDArray[Any]:
        """This part of the method's answer."""
        array: NDArray[Any] = answer if self.place is None else answer[self.place]
        return array

    def values(self, array: NDArray[Any]) -> NDArray[Any] | Sequence[str]:
        """The elements, flat: text for BYTES."""
        flat = array.ravel()
        return [key(value) for value in flat.tolist()] if self.datatype == "BYTES" else flat


def parts(manifest: Manifest, output: Output) -> list[Part]:
    """A method's outputs: one of its name, or ``name_0``, ``name_1`` ... where the pipeline returns a list."""
    dtype = np.dtype(output.dtype)
    datatype = f"{_NAMES[dtype.kind]}{dtype.itemsize * 8}" if dtype.kind in _NAMES else "BYTES"
    if dtype.kind == "b":
        datatype = "BOOL"
    if output.labels or len(output.tensors) == 1:
        return [Part(output.method, output, datatype, output.shape)]
    lengths = [len(table) for table in manifest.classes] or [output.shape[-1]] * len(output.tensors)
    return [
        Part(f"{output.method}_{index}", output, datatype, (length,), index)
        for index, length in enumerate(lengths[: len(output.tensors)])
    ]


def datatype_of(feature: Feature) -> str:
    """The datatype that says a feature's values best; narrower and wider numbers are taken too."""
    match feature.kind:
        case "number":
            return "FP64"
        case "boolean":
            return "BOOL"
        case "date":
            return "BYTES"
        case _:
            kinds = {type(value) for value in feature.categories}
            return {int: "INT64", float: "FP64", bool: "BOOL"}.get(kinds.pop(), "BYTES") if len(kinds) == 1 else "BYTES"


def metadata(name: str, model: Model) -> dict[str, Any]:
    """What GET /v2/models/{name} answers. ``optional`` is an extension of Triton's: such an input may be left out."""
    manifest = model.manifest
    return {
        "name": name,
        "versions": [model.version],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": feature.name, "datatype": datatype_of(feature), "shape": [-1]}
            | ({"optional": True} if feature.missing else {})
            for feature in manifest.columns
        ],
        "outputs": [
            {"name": part.name, "datatype": part.datatype, "shape": [-1, *part.shape]}
            for output in manifest.outputs
            for part in parts(manifest, output)
        ],
    }
