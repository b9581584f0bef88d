"""XGBoost's scikit-learn interface: float32 throughout, as XGBoost computes.

Numbers are rounded to float32 and compared with ``<``; leaves are added to the start tree by tree in float32. The
exponential is glibc's ``expf``, step by step, so that probabilities have the same bits.
"""

import importlib
import json
from typing import Any, NamedTuple

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from ..errors import UnsupportedError
from . import lower, lowers
from .ensemble import FLOAT32, Trees, chosen_leaves, join
from .labels import Labels, argmax, scalar
from .matrix import Matrix, Monotone
from .meta import column
from .native import placed
from .trees import as_float32

REGRESSORS = tuple(f"xgboost.sklearn.{name}" for name in ("XGBRegressor", "XGBRFRegressor", "XGBRanker"))
CLASSIFIERS = ("xgboost.sklearn.XGBClassifier", "xgboost.sklearn.XGBRFClassifier")
SIGMOID = ("binary:logistic", "reg:logistic")
EXPONENTIAL = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox")
IDENTITY = ("reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror", "reg:quantileerror")


class _Model(NamedTuple):
    """objective: its name. start: the first term of each target. trees: as in the JSON. target: of each tree.
    categories: of each column that had pandas'."""

    objective: str
    start: NDArray[np.float32]
    trees: list[dict[str, Any]]
    target: NDArray[np.int64]
    categories: list[list[Any]]


def _read(model: Any) -> _Model:
    booster = model.get_booster()
    best = getattr(model, "best_iteration", None) if _stopped_early(model) else None
    if best is not None:
        booster = booster[: best + 1]
    whole = json.loads(bytes(booster.save_raw("json")))
    learner = whole["learner"]
    gradient = learner["gradient_booster"]
    if gradient["name"] != "gbtree":
        raise UnsupportedError(f"expected trees, found booster {gradient['name']!r}: train with booster='gbtree'")
    if not np.isnan(model.missing):
        raise UnsupportedError(f"expected missing values that are NaN, found missing={model.missing!r}: replace them")
    trees = gradient["model"]["trees"]
    if any(tree["tree_param"]["size_leaf_vector"] not in ("0", "1") for tree in trees):
        raise UnsupportedError("expected a number in a leaf, found vectors: train with one output per tree")
    objective = learner["objective"]["name"]
    start = _start(whole, int(learner["learner_model_param"]["num_feature"]))
    known = booster.get_categories(export_to_arrow=True).to_arrow()
    categories = [values.to_pylist() for _, values in known or () if values is not None]
    return _Model(objective, start, trees, np.array(gradient["model"]["tree_info"], np.int64), categories)


def _stopped_early(model: Any) -> bool:
    try:
        return model.best_iteration is not None
    except AttributeError:
        return False


def _start(model: dict[str, Any], features: int) -> NDArray[np.float32]:
    """What is added to: a model whose trees are leaves of zero answers it, however it comes of the base score."""
    xgboost = importlib.import_module("xgboost")
    gradient = model["learner"]["gradient_booster"]
    inner = gradient["model"]
    targets = sorted(set(inner["tree_info"]))
    empty = {**model, "learner": {**model["learner"]}}
    empty["learner"]["gradient_booster"] = {
        **gradient,
        "model": {
            **inner,
            "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(targets))},
            "trees": [_leaf(tree, index) for index, tree in enumerate(inner["trees"][: len(targets)])],
            "tree_info": targets,
            "iteration_indptr": [0, len(targets)],
        },
    }
    booster = xgboost.Booster()
    booster.load_model(bytearray(json.dumps(empty).encode()))
    names = {"feature_names": booster.feature_names, "feature_types": booster.feature_types}
    row = xgboost.DMatrix(np.zeros((1, features), np.float32), enable_categorical=True, **names)
    start: NDArray[np.float32] = np.ravel(booster.predict(row, output_margin=True)).astype(np.float32)
    return start


def _leaf(tree: dict[str, Any], index: int) -> dict[str, Any]:
    """A tree in the same form that is one leaf of zero."""
    own: dict[str, Any] = {name: value[:1] if isinstance(value, list) else value for name, value in tree.items()}
    own |= {name: [] for name in own if name.startswith("categories")}
    own |= {"left_children": [-1], "right_children": [-1], "split_conditions": [0.0], "base_weights": [0.0]}
    own |= {"split_type": [0], "id": index, "tree_param": {**tree["tree_param"], "num_nodes": "1"}}
    return own


def _tree(tree: dict[str, Any]) -> Trees:
    left = np.array(tree["left_children"], np.int64)
    right = np.array(tree["right_children"], np.int64)
    is_leaf = left < 0
    conditions = np.array(tree["split_conditions"], np.float32)
    missing_left = np.array(tree["default_left"], bool)
    members = {}
    for node, start, size in zip(
        tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
    ):
        # Those that are named go right.
        members[node] = np.array(tree["categories"][start : start + size], np.float64)
        left[node], right[node] = right[node], left[node]
        missing_left[node] = not missing_left[node]
    return Trees(
        roots=np.array([0]),
        feature=np.where(is_leaf, -1, np.array(tree["split_indices"], np.int64)),
        # x < t, of numbers in float32: x is at most the one before t.
        threshold=np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64),
        left=left,
        right=right,
        missing_left=missing_left,
        members=members,
    )


def _seen(model: _Model, x: Matrix) -> Matrix:
    """The columns as nodes see them: of categories the whole part, after rounding to float32."""
    sets = {tree["split_indices"][node] for tree in model.trees for node in tree["categories_nodes"]}
    x = placed(x, model.categories) if model.categories else x
    columns = [x.select([index]) for index in range(x.width)]
    for index in sets:
        rounded = as_float32(columns[index])
        columns[index] = rounded.map(op.floor(rounded.tensor), [Monotone(np.floor)])
    return columns[0].beside(*columns[1:]) if sets else x


def _raw(estimator: Any, x: Matrix) -> tuple[str, Var]:
    """The objective, and the raw scores: float32 [N, targets]."""

    def make() -> tuple[str, Var]:
        model = _read(estimator)
        values = np.concatenate([np.array(tree["split_conditions"], np.float32) for tree in model.trees])
        table, places = np.unique(values.view(np.int32), return_inverse=True)
        trees = join([_tree(tree) for tree in model.trees])
        leaves = op.gather(
            op.const(table.view(np.float32)), chosen_leaves(_seen(model, x), trees, places.ravel(), FLOAT32), axis=0
        )
        sums = []
        for target, start in enumerate(model.start):
            own = np.flatnonzero(model.target == target)
            steps = op.gather(leaves, op.const(own), axis=1) if len(model.start) > 1 else leaves
            first = op.add(op.mul(column(steps, 0), op.const(np.float32(0))), op.const(start))
            running = op.cumsum(op.concat([first, steps], axis=1), op.const(np.int64(1)))
            sums.append(column(running, len(own)))
        return model.objective, op.concat(sums, axis=1) if len(sums) > 1 else sums[0]

    found: tuple[str, Var] = x.once(estimator, "raw", make)
    return found


def _answer(objective: str, raw: Var) -> Var:
    """What the objective makes of the scores, in float32."""
    one = op.const(np.float32(1))
    if objective in SIGMOID:
        power = expf(op.min([op.neg(raw), op.const(np.float32(88.7))]))
        return op.div(one, op.add(op.add(power, one), op.const(np.float32(1e-16))))
    if objective in EXPONENTIAL:
        return expf(raw)
    if objective == "binary:hinge":
        return op.cast(op.greater(raw, op.const(np.float32(0))), to=np.float32)
    if objective in ("multi:softprob", "multi:softmax"):
        powers = expf(op.sub(raw, op.reduce_max(raw, op.const(np.array([1])), keepdims=1)))
        wide = op.cast(powers, to=np.float64)  # the sum is kept in float64
        total = op.sum([column(wide, index) for index in range(_width(powers))])
        return op.div(powers, op.cast(total, to=np.float32))
    if objective in IDENTITY or objective.startswith("rank:") or objective == "binary:logitraw":
        return raw
    raise UnsupportedError(f"expected an objective whose answer is known, found {objective!r}")


def expf(x: Var) -> Var:
    """glibc's expf, float32 to float32: 2**(k/32) from a table, times a polynomial of the rest, in float64.

    Szabolcs Nagy's algorithm (ARM optimized routines, math/expf.c, with EXP2F_TABLE_BITS of 5).
    """
    size = 32
    wide = op.mul(op.cast(x, to=np.float64), op.const(np.float64(float.fromhex("0x1.71547652b82fep+0") * size)))
    whole = op.round(wide)
    rest = op.sub(wide, whole)
    high = op.floor(op.div(whole, op.const(np.float64(size))))
    low = op.sub(whole, op.mul(high, op.const(np.float64(size))))
    low = op.cast(op.max([op.min([low, op.const(np.float64(size - 1))]), op.const(np.float64(0))]), to=np.int64)
    scale = op.mul(
        op.gather(op.const(np.exp2(np.arange(size) / size)), low, axis=0), op.pow(op.const(np.float64(2)), high)
    )
    cubic, square, linear = (
        op.const(np.float64(float.fromhex(number) / size**power))
        for number, power in (("0x1.c6af84b912394p-5", 3), ("0x1.ebfce50fac4f3p-3", 2), ("0x1.62e42ff0c52d6p-1", 1))
    )
    high_part = op.add(op.mul(cubic, rest), square)
    low_part = op.add(op.mul(linear, rest), op.const(np.float64(1)))
    polynomial = op.add(op.mul(high_part, op.mul(rest, rest)), low_part)
    return op.cast(op.mul(polynomial, scale), to=np.float32)


def _float64(tensor: Var) -> Var:
    return op.cast(tensor, to=np.float64)


@lowers(*REGRESSORS, method="predict")
def regressor(model: Any, x: Matrix) -> Var:
    answer = _float64(_answer(*_raw(model, x)))
    return scalar(answer) if _width(answer) == 1 else answer


@lowers(*CLASSIFIERS, method="predict_proba")
def probabilities(model: Any, x: Matrix) -> Var:
    objective, raw = _raw(model, x)
    if objective == "multi:softmax":
        raise UnsupportedError(
            "expected objective='multi:softprob', found 'multi:softmax': set it, the labels are equal"
        )
    scores = _answer(objective, raw)
    if len(model.classes_) > 2 or _width(scores) > 1:
        return _float64(scores)
    return _float64(op.concat([op.sub(op.const(np.float32(1)), scores), scores], axis=1))


@lowers(*CLASSIFIERS, method="predict")
def labels(model: Any, x: Matrix) -> Labels:
    if len(model.classes_) > 2:
        return argmax(lower(model, "predict_proba", x), model.classes_)
    scores = _answer(*_raw(model, x))
    places = op.cast(op.greater(scores, op.const(np.float32(0.5))), to=np.int64)
    if _width(scores) > 1:  # several labels a row, which it answers as float64
        return Labels(places, (np.array([0.0, 1.0]),) * _width(scores))
    return Labels(scalar(places), (model.classes_,))


def _width(tensor: Var) -> int:
    shape: tuple[Any, ...] = tensor.unwrap_tensor().shape or (0, 0)
    return int(shape[1])
