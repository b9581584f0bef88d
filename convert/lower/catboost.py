"""CatBoost's models: borders in float32, leaves added in float64, then scaled and shifted."""

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from ..errors import UnsupportedError
from . import lowers
from .catboost_categories import answers, is_of_categories
from .ensemble import FLOAT32, Trees, chosen_leaves, in_order, join, sum_of_leaves
from .labels import Labels, argmax, log_probabilities, probabilities_of, scalar
from .links import expit, softmax
from .matrix import Matrix, width_of
from .meta import upright

SEVERAL = ("MultiLogloss", "MultiCrossEntropy")
"""Losses of several labels a row."""
REGRESSORS = ("catboost.core.CatBoostRegressor", "catboost.core.CatBoostRanker")
CLASSIFIER = "catboost.core.CatBoostClassifier"
SIGMOIDS = (*SEVERAL, "Logloss", "CrossEntropy", "MultiClassOneVsAll", "Focal", "PythonUserDefinedPerObject")
"""Losses of labels whose scores become probabilities one by one."""


def _read(model: Any) -> dict[str, Any]:
    others = {"texts": model.get_text_feature_indices(), "embeddings": model.get_embedding_feature_indices()}
    for kind, columns in others.items():
        if len(columns):
            raise UnsupportedError(
                f"expected features that are numbers or categories, found {kind}: make numbers of them before the model"
            )
    with tempfile.TemporaryDirectory() as folder:  # CatBoost writes its JSON to files only
        file = Path(folder) / "model.json"
        model.save_model(str(file), format="json")
        found: dict[str, Any] = json.loads(file.read_text())
    return found


class _Columns(NamedTuple):
    """Where splits find what they ask.

    features: the JSON's, of numbers. numbers: by a feature's place among all of the request's, its column.
    answers: by the JSON of a split of categories, the column of its answers.
    """

    features: list[dict[str, Any]]
    numbers: dict[int, int]
    answers: dict[str, int]

    def of(self, split: dict[str, Any]) -> tuple[int, float, bool]:
        """The column, the border, and whether a missing value stays at or below it."""
        if is_of_categories(split):
            return self.answers[json.dumps(split)], 0.5, True
        feature = self.features[split["float_feature_index"]]
        column = self.numbers[feature["flat_feature_index"]]
        return column, float(split["border"]), feature["nan_value_treatment"] != "AsTrue"


def _seen(found: dict[str, Any], x: Matrix) -> tuple[_Columns, Matrix]:
    """The columns that splits ask, and where they are: numbers, then answers of splits of categories."""
    info = found["features_info"]
    features = info.get("float_features", [])
    if not info.get("categorical_features"):
        return _Columns(features, {place: place for place in range(x.width)}, {}), x
    trees = [*found.get("oblivious_trees", ()), *found.get("trees", ())]
    asked = {json.dumps(split): split for tree in trees for split in _splits(tree) if is_of_categories(split)}
    flat = [feature["flat_feature_index"] for feature in features]
    seen = x.select(flat)
    if asked:
        seen = seen.beside(answers(found, list(asked.values()), x))
    numbers = {place: index for index, place in enumerate(flat)}
    return _Columns(features, numbers, {key: len(flat) + index for index, key in enumerate(asked)}), seen


def _splits(node: dict[str, Any]) -> list[dict[str, Any]]:
    """All splits of a tree, of either shape."""
    if "split" not in node:
        return node.get("splits") or []
    return [node["split"], *_splits(node["left"]), *_splits(node["right"])]


def _oblivious(tree: dict[str, Any], columns: _Columns, width: int) -> tuple[Trees, Any]:
    """Every level asks one question; the answers are the bits of the leaf's number."""
    splits = [columns.of(split) for split in tree["splits"] or []]
    depth = len(splits)
    inner = 2**depth - 1
    nodes = np.arange(inner + 2**depth)
    level = np.floor(np.log2(nodes + 1)).astype(np.int64)
    is_leaf = level >= depth
    column, border, low = (
        np.array([split[part] for split in splits] + [0.0])[np.minimum(level, depth)] for part in range(3)
    )
    leaves = nodes[is_leaf] - inner  # the first answer is the highest bit here, the lowest there
    number = sum(((leaves >> (depth - 1 - bit)) & 1) << bit for bit in range(depth)) + 0 * leaves
    values = np.zeros((len(nodes), width))
    values[is_leaf] = np.array(tree["leaf_values"]).reshape(-1, width)[number]
    trees = Trees(
        roots=np.array([0]),
        feature=np.where(is_leaf, -1, column.astype(np.int64)),
        threshold=border.astype(np.float64),
        left=np.where(is_leaf, -1, 2 * nodes + 1),
        right=np.where(is_leaf, -1, 2 * nodes + 2),
        missing_left=low.astype(bool),
    )
    return trees, values


def _grown(root: dict[str, Any], columns: _Columns, width: int) -> tuple[Trees, Any]:
    """A tree of any shape (grow_policy Depthwise, Lossguide)."""
    rows: list[tuple[int, float, bool]] = []
    values: list[Any] = []
    children: dict[tuple[int, bool], int] = {}
    waiting = [(root, -1, False)]
    while waiting:
        node, parent, on_left = waiting.pop()
        children[parent, on_left] = place = len(rows)
        if "split" in node:
            rows.append(columns.of(node["split"]))
            values.append(np.zeros(width))
            waiting += [(node["right"], place, False), (node["left"], place, True)]
        else:
            rows.append((-1, 0.0, False))
            values.append(np.resize(np.ravel(node["value"]), width))
    column, border, low = (np.array(part) for part in zip(*rows, strict=True))
    left, right = (
        np.array([children.get((place, side), -1) for place in range(len(rows))], np.int64) for side in (True, False)
    )
    trees = Trees(np.array([0]), column.astype(np.int64), border.astype(np.float64), left, right, low.astype(bool))
    return trees, np.array(values)


def _raw(model: Any, x: Matrix) -> Var:
    """The raw scores, float64 [N, dimensions]."""

    def make() -> Var:
        found = _read(model)
        columns, seen = _seen(found, x)
        scale, bias = found["scale_and_bias"]
        width = len(bias)
        parts = [_oblivious(tree, columns, width) for tree in found.get("oblivious_trees", ())]
        parts += [_grown(tree, columns, width) for tree in found.get("trees", ())]
        trees = join([own for own, _ in parts])
        values = np.concatenate([own for _, own in parts])
        if width == 1:
            total = sum_of_leaves(seen, trees, np.zeros(len(values), np.int64), values.ravel(), 1, FLOAT32)
        else:
            leaves = chosen_leaves(seen, trees, np.arange(len(values)), FLOAT32)
            total = in_order(op.gather(op.const(values), leaves, axis=0), len(parts))
        return op.add(op.mul(total, op.const(np.float64(scale))), op.const(np.array(bias, np.float64)))

    raw: Var = x.once(model, "raw", make)
    return raw


def _loss(model: Any) -> str:
    return str(model.get_all_params().get("loss_function", "RMSE")).partition(":")[0]


@lowers("catboost.core.CatBoost", method="predict")
def scores(model: Any, x: Matrix) -> Var:
    raw = _raw(model, x)
    return scalar(raw) if width_of(raw) == 1 else raw


@lowers(*REGRESSORS, method="predict")
def regressor(model: Any, x: Matrix) -> Var:
    loss = _loss(model)
    raw = _raw(model, x)
    if loss in ("Poisson", "Tweedie"):
        raw = op.exp(raw)
    if loss == "RMSEWithUncertainty":  # a mean, and the logarithm of a deviation that becomes a variance
        mean, deviation = op.split(raw, num_outputs=2, axis=1)
        raw = op.concat([mean, op.exp(op.mul(op.const(np.float64(2)), deviation))], axis=1)
    return scalar(raw) if width_of(raw) == 1 else raw


@lowers(CLASSIFIER, method="predict_proba")
def probabilities(model: Any, x: Matrix) -> Var:
    raw = _raw(model, x)
    loss = _loss(model)
    if loss == "MultiClass":
        return softmax(raw)
    if loss not in SIGMOIDS:
        raise UnsupportedError(f"expected one of CatBoost's losses of labels, found {loss}: train with one of those")
    return expit(raw) if loss in SEVERAL else probabilities_of(expit(raw))


lowers(CLASSIFIER, method="predict_log_proba")(log_probabilities)


@lowers(CLASSIFIER, method="predict")
def labels(model: Any, x: Matrix) -> Labels:
    raw = _raw(model, x)
    with np.errstate(divide="ignore"):
        least = -np.log(1 / np.float64(model.get_probability_threshold()) - 1)
    if _loss(model) in SEVERAL:
        places = op.cast(op.greater(raw, op.const(np.float64(least))), to=np.int64)
        return Labels(places, (np.array([0, 1]),) * len(model.classes_))
    if width_of(raw) > 1:
        found = argmax(raw, model.classes_)
        return Labels(upright(found.places), found.classes)  # CatBoost answers a column here
    over = op.greater(scalar(raw), op.const(np.float64(least)))
    return Labels(op.cast(over, to=np.int64), (model.classes_,))
