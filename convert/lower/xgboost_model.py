"""What a fitted model of XGBoost's holds, from its own JSON."""

import importlib
import json
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from .ensemble import Trees

__all__ = ["Forest", "Linear", "read"]

WEIGHED_AT_ONCE = (3, 3)
"""The version from which on a dropout tree's leaf is multiplied by the tree's weight as it is."""

WHOLE_NAMES = (3, 4)
"""The version from which on categories keep all bytes of their names."""


class Forest(NamedTuple):
    """objective: its name. start: float32, the first term of each target. trees: one after the other.
    values: float32, what each node adds where it is a leaf, [nodes] a tree; [nodes, targets] where leaves are vectors.
    target: of each tree, where they are not. categories: of each column that had pandas'."""

    objective: str
    start: NDArray[np.float32]
    trees: list[Trees]
    values: list[NDArray[np.float32]]
    target: NDArray[np.int64]
    categories: list[list[Any]]


class Linear(NamedTuple):
    """objective: its name. start: float32, the first term of each target. weights: float32 [features, targets]."""

    objective: str
    start: NDArray[np.float32]
    weights: NDArray[np.float32]


def read(model: Any) -> Forest | Linear:
    """The booster of an estimator, up to its best iteration."""
    booster = model.get_booster()
    if model.booster == "gblinear":  # its iterations are not kept apart
        return _linear(booster)
    best = getattr(model, "best_iteration", None) if _stopped_early(model) else None
    if best is not None:
        booster = booster[: best + 1]
    categories = _categories(booster)
    whole = json.loads(bytes(booster.save_raw("json")))
    learner = whole["learner"]
    start = _start(whole, int(learner["learner_model_param"]["num_feature"]))
    gradient = learner["gradient_booster"]
    inner = _trees(gradient)
    target = np.array(inner["tree_info"], np.int64)
    values = [_leaves(tree) for tree in inner["trees"]]
    weights = gradient.get("weight_drop") or inner.get("weight_drop")  # of booster='dart'
    if weights:
        bases = start[target] if tuple(whole["version"]) < WEIGHED_AT_ONCE else np.zeros(len(target), np.float32)
        factors = np.array(weights, np.float32)
        # Before, the answer of the tree alone was taken: the start with the leaf, less the start.
        values = [((base + own) - base) * factor for base, own, factor in zip(bases, values, factors, strict=True)]
    return Forest(
        learner["objective"]["name"], start, [_tree(tree) for tree in inner["trees"]], values, target, categories
    )


def _categories(booster: Any) -> list[list[Any]]:
    """Of each column that has them, pandas' categories in their order. Raises UnsupportedError where XGBoost has cut
    their names."""
    version = importlib.import_module("xgboost").__version__
    known = booster.get_categories(export_to_arrow=True).to_arrow()
    try:
        found = [values.to_pylist() for _, values in known or () if values is not None]
        whole = all(value.isascii() for values in found for value in values if isinstance(value, str))
        whole = whole or tuple(map(int, version.split(".")[:2])) >= WHOLE_NAMES
    except UnicodeDecodeError:  # cut within a letter, by the release that it was trained with
        whole = False
    if not whole:
        raise UnsupportedError(
            "expected categories named in ASCII, found others, of which XGBoost before 3.4 keeps as many bytes as "
            "they have letters: rename them before training, or train with XGBoost 3.4"
        )
    return found


def _stopped_early(model: Any) -> bool:
    try:
        return model.best_iteration is not None
    except AttributeError:
        return False


def _linear(booster: Any) -> Linear:
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    xgboost = importlib.import_module("xgboost")
    # A row of missing values answers the bias and the base score.
    row = xgboost.DMatrix(np.full((1, booster.num_features()), np.nan, np.float32), feature_names=booster.feature_names)
    start: NDArray[np.float32] = np.ravel(booster.predict(row, output_margin=True)).astype(np.float32)
    weights = np.array(learner["gradient_booster"]["model"]["weights"], np.float32).reshape(-1, len(start))[:-1]
    return Linear(learner["objective"]["name"], start, weights)


def _trees(gradient: dict[str, Any]) -> dict[str, Any]:
    """The model part of a gradient booster, which one of dropout trees keeps a level deeper."""
    found: dict[str, Any] = gradient.get("gbtree", gradient)["model"]
    return found


def _start(model: dict[str, Any], features: int) -> NDArray[np.float32]:
    """What is added to: a model whose trees are leaves of zero answers it, however it comes of the base score."""
    xgboost = importlib.import_module("xgboost")
    inner = _trees(model["learner"]["gradient_booster"])
    targets = sorted(set(inner["tree_info"]))
    empty = {**model, "learner": {**model["learner"]}}
    empty["learner"]["gradient_booster"] = {
        "name": "gbtree",
        "model": {
            **{name: value for name, value in inner.items() if name != "weight_drop"},
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
    own |= {"left_children": [-1], "split_conditions": [0.0], "split_type": [0], "id": index}
    width = _width(tree)
    own |= {"right_children": [-1], "base_weights": [0.0]} if width == 1 else {}
    own |= {"right_children": [0], "base_weights": [0.0] * width, "leaf_weights": [0.0] * width} if width > 1 else {}
    own |= {"tree_param": {**tree["tree_param"], "num_nodes": "1"}}
    return own


def _width(tree: dict[str, Any]) -> int:
    """How many numbers a leaf holds."""
    return max(int(tree["tree_param"]["size_leaf_vector"]), 1)


def _leaves(tree: dict[str, Any]) -> NDArray[np.float32]:
    """What each node adds: [nodes], or [nodes, targets]."""
    if _width(tree) == 1:
        return np.array(tree["split_conditions"], np.float32)
    if "leaf_weights" not in tree:
        raise UnsupportedError(
            "expected leaves that are vectors as XGBoost 3.2 saves them, found none: save and load the model with that "
            "release, or train with multi_strategy='one_output_per_tree'"
        )
    vectors = np.array(tree["leaf_weights"], np.float32).reshape(-1, _width(tree))
    is_leaf = np.array(tree["left_children"]) < 0
    which = np.where(is_leaf, np.array(tree["right_children"]), 0)  # where its vector is
    return np.where(is_leaf[:, np.newaxis], vectors[which], np.float32(0))


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
        right=np.where(is_leaf, -1, right),
        missing_left=missing_left,
        members=members,
    )
