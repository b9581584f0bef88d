"""What a graph's outputs mean: a row's answer as JSON has it, and its labels."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from .manifest import STD, Category, Manifest, Output

__all__ = ["Reader", "key", "lists_one", "plain", "reader"]


class Reader(NamedTuple):
    """How a row's answer is read from the graph's outputs.

    tensors: the outputs to ask for.
    row: (arrays, index, probabilities) -> one row's answer as a dict, and its labels.
    """

    tensors: tuple[str, ...]
    row: Callable[[Sequence[NDArray[Any]], int, bool], tuple[dict[str, Any], Sequence[Category]]]


def reader(manifest: Manifest) -> Reader:
    """How the answers of a model with this manifest are read."""
    predict, proba = manifest.output("predict"), manifest.output("predict_proba")
    classes = manifest.classes
    if predict is None:
        output = manifest.output("transform") or manifest.outputs[0]
        return Reader(output.tensors, lambda arrays, index, _: ({"output": arrays[0][index].tolist()}, ()))
    std = manifest.output(STD)
    if std is not None:
        return Reader(
            predict.tensors + std.tensors,
            lambda arrays, index, _: ({"prediction": arrays[0][index].tolist(), "std": arrays[1][index].tolist()}, ()),
        )
    if not predict.labels and not predict.shape:
        return Reader(predict.tensors, lambda arrays, index, _: ({"prediction": arrays[0].item(index)}, ()))
    if not predict.labels:
        return Reader(predict.tensors, lambda arrays, index, _: ({"prediction": arrays[0][index].tolist()}, ()))
    if predict.shape:
        return Reader(predict.tensors + (proba.tensors if proba else ()), _several(classes, proba))
    (table,) = classes
    names = [key(label) for label in table]

    def one(
        arrays: Sequence[NDArray[Any]], index: int, probabilities: bool
    ) -> tuple[dict[str, Any], Sequence[Category]]:
        place = arrays[0].item(index)
        label = table[place]
        answer: dict[str, Any] = {"prediction": label}
        if proba is not None:
            answer["probability"] = arrays[1].item(index, place)
            if probabilities:
                answer["probabilities"] = dict(zip(names, arrays[1][index].tolist(), strict=True))
        return answer, (label,)

    return Reader(predict.tensors + (proba.tensors if proba else ()), one)


def _several(classes: tuple[tuple[Category, ...], ...], proba: Output | None) -> Any:
    """Reads a classifier of several outputs: a list of predictions, and of probabilities where each output has its
    own array of them. A chain's array has a column for each output instead, also where that is a single one."""
    own = _own(classes, proba)

    def row(
        arrays: Sequence[NDArray[Any]], index: int, probabilities: bool
    ) -> tuple[dict[str, Any], Sequence[Category]]:
        places = arrays[0][index].tolist()
        labels = [table[place] for table, place in zip(classes, places, strict=True)]
        answer: dict[str, Any] = {"prediction": labels}
        if own:
            scores = [array[index].tolist() for array in arrays[1:]]
            answer["probability"] = [score[place] for score, place in zip(scores, places, strict=True)]
            if probabilities:
                answer["probabilities"] = [
                    {key(label): value for label, value in zip(table, score, strict=True)}
                    for table, score in zip(classes, scores, strict=True)
                ]
        return answer, labels

    return row


def _own(classes: tuple[tuple[Category, ...], ...], proba: Output | None) -> bool:
    """Whether each of several outputs has its own array of probabilities."""
    return proba is not None and len(proba.tensors) == len(classes) and proba.shape == (len(classes[0]),)


def lists_one(manifest: Manifest, output: Output) -> bool:
    """Whether the pipeline answers a list of a single array, as a MultiOutputClassifier of one target does."""
    predict, classes = manifest.output("predict"), manifest.classes
    several = predict is not None and predict.labels and predict.shape == (1,) and output.method == "predict_proba"
    return several and len(classes[0]) > 1 and _own(classes, output)


def key(label: Category) -> str:
    """A label as a JSON object's key."""
    return label if isinstance(label, str) else msgspec.json.encode(label).decode()


def plain(answers: Any) -> Any:
    """Arrays as what JSON can hold: nested lists, with "nan", "inf" and "-inf" where a number is not finite."""
    if isinstance(answers, np.ndarray):
        return plain(answers.tolist())
    if isinstance(answers, list):
        return [plain(answer) for answer in answers]
    if isinstance(answers, float) and not math.isfinite(answers):
        return str(answers)
    return answers
