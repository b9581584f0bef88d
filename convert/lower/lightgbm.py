"""LightGBM's scikit-learn interface: numbers compared and added in float64, as ``src/io/tree.h`` does it."""

from typing import Any, NamedTuple

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from ..errors import UnsupportedError
from . import lower, lowers
from .ensemble import Trees, chosen_leaves, in_order, join, sum_of_leaves
from .labels import Labels, argmax, probabilities_of, scalar
from .lightgbm_linear import Leaves, answers
from .links import expit, log1p, softmax
from .matrix import Matrix, Monotone
from .native import placed

REGRESSORS = ("lightgbm.sklearn.LGBMRegressor", "lightgbm.sklearn.LGBMRanker")
CLASSIFIER = "lightgbm.sklearn.LGBMClassifier"
ZERO = float(np.float32(1e-35))
"""What is no larger than this is zero when a row is read (kZeroThreshold)."""
ENDLESS = 1e300
"""What JSON holds in place of larger thresholds."""
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
    _restore(found["tree_info"], booster)
    name, *options = found.get("objective", "").split(" ")
    return _Dump(
        name,
        dict(option.partition(":")[::2] for option in options),
        [tree["tree_structure"] for tree in found["tree_info"]],
        int(found["num_tree_per_iteration"]),
        bool(found["average_output"]),
        found.get("pandas_categorical") or [],
    )


def _restore(trees: list[dict[str, Any]], booster: Any) -> None:
    """Write thresholds as large as JSON cannot hold into the trees, of the model's text."""
    asked = [(index, node) for index, tree in enumerate(trees) for node in _walk(tree["tree_structure"])]
    cut = [(i, node) for i, node in asked if node["decision_type"] != "==" and abs(node["threshold"]) >= ENDLESS]
    if cut:
        blocks = booster.model_to_string().split("\nTree=")[1:]
        lines = [next(line for line in block.splitlines() if line.startswith("threshold=")) for block in blocks]
        for index, node in cut:
            node["threshold"] = float(lines[index].removeprefix("threshold=").split(" ")[node["split_index"]])


class _Tree(NamedTuple):
    """The nodes of a tree, children behind their parents, and each as the dump has it."""

    trees: Trees
    nodes: list[dict[str, Any]]


def _tree(root: dict[str, Any]) -> _Tree:
    nodes: list[dict[str, Any]] = []
    rows: list[tuple[int, float, bool]] = []
    members: dict[int, Any] = {}
    waiting = [(root, -1, False)]
    links: dict[tuple[int, bool], int] = {}
    while waiting:
        node, parent, on_left = waiting.pop()
        place = len(rows)
        links[parent, on_left] = place
        nodes.append(node)
        if "leaf_value" in node:
            rows.append((-1, 0.0, False))
            continue
        missing = node["default_left"]
        threshold = 0.0
        if node["decision_type"] == "==":
            members[place] = np.array([float(part) for part in str(node["threshold"]).split("||")])
            missing = False
        else:
            threshold = float(node["threshold"])
            if node["missing_type"] == "None":
                missing = threshold >= 0  # NaN is taken for zero
        rows.append((int(node["split_feature"]), threshold, bool(missing)))
        waiting += [(node["right_child"], place, False), (node["left_child"], place, True)]
    feature, thresholds, missing_left = (np.array(part) for part in zip(*rows, strict=True))
    left, right = (
        np.array([links.get((place, side), -1) for place in range(len(rows))], np.int64) for side in (True, False)
    )
    return _Tree(Trees(np.array([0]), feature, thresholds, left, right, missing_left, members), nodes)


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
    x = _flushed(dump, x)
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


def _flushed(dump: _Dump, x: Matrix) -> Matrix:
    """The columns as rows hold them: tiny numbers are zero, pandas' categories their places."""
    x = placed(x, dump.categories) if dump.categories else x
    flushed = op.where(
        op.less_or_equal(op.abs(x.tensor), op.const(np.float64(ZERO))), op.const(np.float64(0)), x.tensor
    )
    return x.map(flushed, [Monotone(_flush)] * x.width)


def _flush(values: Any) -> Any:
    return np.where(np.abs(values) <= ZERO, 0.0, values)


def _raw(model: Any, x: Matrix) -> tuple[_Dump, Var]:
    """The raw scores, float64 [N, width]."""

    def make() -> tuple[_Dump, Var]:
        dump = _dump(model)
        parts = [_tree(tree) for tree in dump.trees]
        trees, nodes = join([part.trees for part in parts]), [node for part in parts for node in part.nodes]
        seen = _seen(dump, x)
        if any(node.get("leaf_features") for node in nodes):
            chosen = chosen_leaves(seen, trees, np.arange(len(nodes)), None)
            terms = answers(_flushed(dump, x), chosen, Leaves.of(nodes, x.width))
            stages = len(parts) // dump.width
            by_stage = op.reshape(terms, op.const(np.array([-1, stages, dump.width])))
            return dump, in_order(by_stage, stages)
        targets = np.concatenate([np.full(len(own), index % dump.width) for index, (_, own) in enumerate(parts)])
        values = np.array([node.get("leaf_value", 0.0) for node in nodes], np.float64)
        return dump, sum_of_leaves(seen, trees, targets, values, dump.width, None)

    found: tuple[_Dump, Var] = x.once(model, "raw", make)
    return found


def _answer(dump: _Dump, raw: Var) -> Var:
    """What the objective makes of the scores."""
    if dump.mean:
        raw = op.div(raw, op.const(np.float64(len(dump.trees) // dump.width)))
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


def _column(scores: Var, dump: _Dump) -> Var:
    """[N] where there is one score a row."""
    return scalar(scores) if dump.width == 1 else scores


@lowers(*REGRESSORS, method="predict")
def regressor(model: Any, x: Matrix) -> Var:
    dump, raw = _raw(model, x)
    return _column(_answer(dump, raw), dump)


@lowers(CLASSIFIER, method="predict_proba")
def probabilities(model: Any, x: Matrix) -> Var:
    dump, raw = _raw(model, x)
    if callable(model._objective):  # of which LightGBM knows no probabilities
        return _column(_answer(dump, raw), dump)
    return probabilities_of(_answer(dump, raw))


@lowers(CLASSIFIER, method="decision_function")
def decision(model: Any, x: Matrix) -> Var:
    dump, raw = _raw(model, x)
    return _column(raw, dump)


@lowers(CLASSIFIER, method="predict")
def labels(model: Any, x: Matrix) -> Labels | Var:
    scores: Var = lower(model, "predict_proba", x)
    return scores if callable(model._objective) else argmax(scores, model.classes_)
