"""LightGBM's scikit-learn interface: numbers compared and added in float64, as ``src/io/tree.h`` does it."""

import json
from typing import Any, NamedTuple

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from ..errors import UnsupportedError
from . import lower, lowers
from .ensemble import Trees, join, sum_of_leaves
from .labels import Labels, argmax, probabilities_of, scalar
from .links import expit, log1p, softmax
from .matrix import Matrix, Monotone
from .native import placed

REGRESSORS = ("lightgbm.sklearn.LGBMRegressor", "lightgbm.sklearn.LGBMRanker")
CLASSIFIER = "lightgbm.sklearn.LGBMClassifier"
ZERO = float(np.float32(1e-35))
"""What is no larger than this is zero when a row is read (kZeroThreshold)."""
ENDLESS = 1e300
"""What JSON holds in place of an infinite threshold."""
IDENTITY = (
    *("regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg"),
    *("", "none", "custom"),
)


class _Dump(NamedTuple):
    """objective: its name; options: what follows it. trees: the structures. width: trees a stage. categories: of each
    column that had pandas'."""

    objective: str
    options: dict[str, str]
    trees: list[dict[str, Any]]
    width: int
    mean: bool
    categories: list[list[Any]]


def _dump(model: Any) -> _Dump:
    booster = model.booster_
    found = booster.dump_model()
    if any("leaf_coeff" in json.dumps(tree) for tree in found["tree_info"][:1]):
        raise UnsupportedError("expected constant leaves, found linear_tree=True: train without it")
    name, *options = found.get("objective", "").split(" ")
    return _Dump(
        name,
        dict(option.partition(":")[::2] for option in options),
        [tree["tree_structure"] for tree in found["tree_info"]],
        int(found["num_tree_per_iteration"]),
        bool(found["average_output"]),
        found.get("pandas_categorical") or [],
    )


def _tree(root: dict[str, Any]) -> tuple[Trees, Any]:
    """A tree's nodes, children behind their parents, and the value of each leaf."""
    rows: list[tuple[int, float, int, int, bool, float]] = []
    members: dict[int, Any] = {}
    waiting = [(root, -1, False)]
    links: dict[tuple[int, bool], int] = {}
    while waiting:
        node, parent, on_left = waiting.pop()
        place = len(rows)
        links[parent, on_left] = place
        if "leaf_value" in node:
            rows.append((-1, 0.0, -1, -1, False, float(node["leaf_value"])))
            continue
        missing = node["default_left"]
        threshold = 0.0
        if node["decision_type"] == "==":
            members[place] = np.array([float(part) for part in str(node["threshold"]).split("||")])
            missing = False
        else:
            threshold = float(node["threshold"])
            if abs(threshold) >= ENDLESS:
                threshold = np.copysign(np.inf, threshold)
            if node["missing_type"] == "None":
                missing = threshold >= 0  # NaN is taken for zero
        rows.append((int(node["split_feature"]), threshold, 0, 0, bool(missing), 0.0))
        waiting += [(node["right_child"], place, False), (node["left_child"], place, True)]
    feature, threshold_, _, _, missing_, value = (np.array(part) for part in zip(*rows, strict=True))
    left = np.array([links.get((place, True), -1) for place in range(len(rows))], np.int64)
    right = np.array([links.get((place, False), -1) for place in range(len(rows))], np.int64)
    trees = Trees(
        np.array([0]), feature.astype(np.int64), threshold_.astype(float), left, right, missing_.astype(bool), members
    )
    return trees, value.astype(np.float64)


def _walk(root: dict[str, Any]) -> list[dict[str, Any]]:
    found, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        if "leaf_value" not in node:
            found.append(node)
            waiting += [node["left_child"], node["right_child"]]
    return found


def _seen(dump: _Dump, x: Matrix) -> Matrix:
    """The columns as nodes see them: tiny numbers are zero, zeros may be missing, categories are the whole part."""
    x = placed(x, dump.categories) if dump.categories else x
    flushed = op.where(
        op.less_or_equal(op.abs(x.tensor), op.const(np.float64(ZERO))), op.const(np.float64(0)), x.tensor
    )
    x = x.map(flushed, [Monotone(_flush)] * x.width)
    asked = [node for tree in dump.trees for node in _walk(tree)]
    zeros = {node["split_feature"] for node in asked if node["missing_type"] == "Zero"}
    sets = {node["split_feature"] for node in asked if node["decision_type"] == "=="}
    columns = [x.select([index]) for index in range(x.width)]
    for index in zeros - sets:
        tensor = columns[index].tensor
        none = op.equal(tensor, op.const(np.float64(0)))
        columns[index] = x.new(op.where(none, op.const(np.float64(np.nan)), tensor))
    for index in sets:
        tensor = columns[index].tensor
        whole = op.where(op.less(tensor, op.const(np.float64(0))), op.ceil(tensor), op.floor(tensor))
        columns[index] = columns[index].map(whole, [Monotone(np.trunc)])
    return columns[0].beside(*columns[1:]) if zeros or sets else x


def _flush(values: Any) -> Any:
    return np.where(np.abs(values) <= ZERO, 0.0, values)


def _raw(model: Any, x: Matrix) -> tuple[_Dump, Var]:
    """The raw scores, float64 [N, width]."""

    def make() -> tuple[_Dump, Var]:
        dump = _dump(model)
        parts = [_tree(tree) for tree in dump.trees]
        targets = np.concatenate([np.full(len(own), index % dump.width) for index, (_, own) in enumerate(parts)])
        values = np.concatenate([own for _, own in parts])
        raw = sum_of_leaves(_seen(dump, x), join([tree for tree, _ in parts]), targets, values, dump.width, None)
        return dump, op.div(raw, op.const(np.float64(len(parts) // dump.width))) if dump.mean else raw

    found: tuple[_Dump, Var] = x.once(model, "raw", make)
    return found


def _answer(dump: _Dump, raw: Var) -> Var:
    """What the objective makes of the scores."""
    match dump.objective:
        case "regression" | "regression_l2" if "sqrt" in dump.options:
            return op.mul(op.sign(raw), op.mul(raw, raw))
        case "poisson" | "gamma" | "tweedie":
            return op.exp(raw)
        case "binary" | "multiclassova":
            return expit(op.mul(raw, op.const(np.float64(dump.options.get("sigmoid", "1")))))
        case "cross_entropy":
            return expit(raw)
        case "cross_entropy_lambda":
            return log1p(op.exp(raw))
        case "multiclass":
            return softmax(raw)
        case name if name in IDENTITY:
            return raw
    raise UnsupportedError(f"expected an objective of LightGBM's own, found {dump.objective!r}")


@lowers(*REGRESSORS, method="predict")
def regressor(model: Any, x: Matrix) -> Var:
    return scalar(_answer(*_raw(model, x)))


@lowers(CLASSIFIER, method="predict_proba")
def probabilities(model: Any, x: Matrix) -> Var:
    return probabilities_of(_answer(*_raw(model, x)))


@lowers(CLASSIFIER, method="decision_function")
def decision(model: Any, x: Matrix) -> Var:
    dump, raw = _raw(model, x)
    return scalar(raw) if dump.width == 1 else raw


@lowers(CLASSIFIER, method="predict")
def labels(model: Any, x: Matrix) -> Labels:
    return argmax(lower(model, "predict_proba", x), model.classes_)
