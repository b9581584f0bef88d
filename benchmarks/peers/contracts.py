"""How servers take a row and give its answer: what they mean by it is the same, how it is written is not."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["CONTRACTS", "Contract"]

Row = Mapping[str, Any]
"""A value by feature; None for a missing one."""

Kinds = Mapping[str, str]
"""``number`` or ``category`` by feature."""


class Contract(NamedTuple):
    """Both ways of one row; values as JSON has them.

    body: of (row, kinds, whether probabilities can be had).
    answer: of what came back, to ``prediction`` and, where it was given, ``probability``; raises LookupError or
        TypeError for what is none.
    """

    body: Callable[[Row, Kinds, bool], Any]
    answer: Callable[[Any], dict[str, Any]]


def _instances(given: Any) -> dict[str, Any]:
    (answer,) = given["predictions"]
    return answer if isinstance(answer, dict) else {"prediction": answer}


def _tensors(row: Row, kinds: Kinds, scores: bool) -> Any:
    """One matrix where all are numbers, as MLServer's documentation has it; else an input a column, which its pandas
    codec makes a frame of."""
    outputs = [{"name": "predict"}, *([{"name": "predict_proba"}] if scores else [])]
    if set(kinds.values()) == {"number"}:
        matrix = {"name": "x", "shape": [1, len(row)], "datatype": "FP64", "data": [*row.values()]}
        return {"inputs": [matrix], "outputs": outputs}
    inputs = []
    for name, kind in kinds.items():
        how = ("FP64", "np") if kind == "number" else ("BYTES", "str")
        tensor = {"name": name, "shape": [1, 1], "datatype": how[0], "parameters": {"content_type": how[1]}}
        inputs.append({**tensor, "data": [row[name]]})
    return {"parameters": {"content_type": "pd"}, "inputs": inputs, "outputs": outputs}


def _outputs(given: Any) -> dict[str, Any]:
    found = {output["name"]: output["data"] for output in given["outputs"]}
    answer = {"prediction": found["predict"][0]}
    return {**answer, "probability": max(found["predict_proba"])} if "predict_proba" in found else answer


CONTRACTS: Mapping[str, Contract] = {
    "row": Contract(lambda row, kinds, scores: row, lambda given: given),
    # BentoML: the arguments of a method, by name.
    "named row": Contract(lambda row, kinds, scores: {"row": row}, lambda given: given),
    # KServe's v1 protocol.
    "instances": Contract(lambda row, kinds, scores: {"instances": [row]}, _instances),
    # The Open Inference Protocol v2.
    "tensors": Contract(_tensors, _outputs),
    # MLflow's pandas orientation "split".
    "frame": Contract(
        lambda row, kinds, scores: {"dataframe_split": {"columns": [*row], "data": [[*row.values()]]}}, _instances
    ),
}
"""By name; a peer's header names one."""
