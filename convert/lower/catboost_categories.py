"""CatBoost's categories: of what it makes of one (a test for its hash, a statistic of the target next to a border)
CatBoost itself is asked, category by category."""

import importlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from ..errors import UnsupportedError
from .encode import encode
from .matrix import Categorical, Matrix
from .tables import UNSEEN, Table

__all__ = ["answers", "is_of_categories"]

SEVERAL_TARGETS = ("MultiRMSE", "MultiRMSEWithMissingValues", "MultiLogloss", "MultiCrossEntropy")
EMPTY = str(2**64 - 1)
"""The key of what a table of statistics does not hold."""
MULTIPLIER = 0x4906BA494954CB65
"""Of its hashes."""


def is_of_categories(split: dict[str, Any]) -> bool:
    return bool(split["split_type"] != "FloatFeature")


def answers(found: dict[str, Any], splits: list[dict[str, Any]], x: Matrix) -> Matrix:
    """A column for each of some splits of categories: 1 where CatBoost's answer is yes.

    found: the model's JSON.
    """
    features = found["features_info"]["categorical_features"]
    places = [_place(found, split) for split in splits]
    columns: dict[int, Matrix] = {}
    for place in sorted(set(places)):
        flat = features[place]["flat_feature_index"]
        column = x.columns[flat]
        if not isinstance(column, Categorical):
            raise UnsupportedError(
                f"expected categories in column {flat} as CatBoost was trained on, found numbers: give strings"
            )
        own = [index for index, other in enumerate(places) if other == place]
        known = list(dict.fromkeys(map(column.meaning, x.scope.seen(column.source))))
        rows = _asked(found, [splits[index] for index in own], flat, x.width, [*known, UNSEEN])
        _check_whole(found, place, flat, known, column.name, x.width)
        missing = np.full((1, len(own)), np.nan)
        table = Table(known, scipy.sparse.csr_matrix(np.concatenate([rows, missing])))
        encoded = encode(x.select([flat]), [table])
        columns |= {index: encoded.select([position]) for position, index in enumerate(own)}
    first, *others = (columns[index] for index in range(len(splits)))
    return first.beside(*others)


def _place(found: dict[str, Any], split: dict[str, Any]) -> int:
    """Which of the categorical features a split asks."""
    if split["split_type"] == "OneHotFeature":
        return int(split["cat_feature_index"])
    elements = _statistic(found, split)["elements"]
    if len(elements) > 1 or elements[0]["combination_element"] != "cat_feature_value":
        raise UnsupportedError(
            "expected statistics of single categories, found one of several features together: train with "
            "max_ctr_complexity=1"
        )
    return int(elements[0]["cat_feature_index"])


def _statistic(found: dict[str, Any], split: dict[str, Any]) -> dict[str, Any]:
    """The statistic that a split compares: splits are numbered through the borders of numbers, the tests for hashes and
    the borders of statistics."""
    loss = found["model_info"]["params"]["loss_function"]["type"]
    if loss in SEVERAL_TARGETS:
        raise UnsupportedError(
            f"expected statistics of one target, found those of {loss}, whose tables CatBoost's JSON mixes up: train "
            "with one_hot_max_size as large as the number of categories"
        )
    info = found["features_info"]
    start = sum(len(feature.get("borders") or ()) for feature in info.get("float_features", ()))
    start += sum(len(feature.get("values") or ()) for feature in info["categorical_features"])
    ends = start + np.cumsum([len(statistic["borders"]) for statistic in info["ctrs"]])
    own: dict[str, Any] = info["ctrs"][int(np.searchsorted(ends, split["split_index"], side="right"))]
    return own


def _asked(
    found: dict[str, Any], splits: list[dict[str, Any]], flat: int, width: int, values: list[Any]
) -> NDArray[np.float64]:
    """[values, splits]: what CatBoost answers to each split, by a model that has a tree for each."""
    trees = [{"leaf_values": [0, 1], "leaf_weights": [1, 1], "splits": [split]} for split in splits]
    questions = {name: part for name, part in found.items() if name != "trees" and part is not None}
    questions |= {"oblivious_trees": trees, "scale_and_bias": [1, [0]]}
    catboost = importlib.import_module("catboost")
    model = catboost.CatBoost()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.json"
        file.write_text(json.dumps(questions))
        model.load_model(str(file), format="json")
    others = [feature["flat_feature_index"] for feature in found["features_info"]["categorical_features"]]
    rows = np.zeros((len(values), width), object)
    rows[:, others] = UNSEEN
    rows[:, flat] = values
    leaves: NDArray[np.float64] = model.calc_leaf_indexes(catboost.Pool(rows, cat_features=others)).astype(np.float64)
    return leaves


def _check_whole(found: dict[str, Any], place: int, flat: int, known: list[Any], name: str, width: int) -> None:
    """Raise UnsupportedError where the model knows categories that the sample does not hold: it keeps their hashes
    alone, so that nobody could say which they are."""
    hashes = _hashes(found, place)
    info = found["features_info"]
    tested = {
        "float_features": [{**feature, "borders": []} for feature in info.get("float_features", ())],
        "categorical_features": [
            {**feature, "values": hashes if index == place else []}
            for index, feature in enumerate(info["categorical_features"])
        ],
    }
    tests = [
        {"split_type": "OneHotFeature", "cat_feature_index": place, "value": value, "split_index": index}
        for index, value in enumerate(hashes)
    ]
    model = {**found, "features_info": tested, "ctr_data": None}
    if tests and not _asked(model, tests, flat, width, known).any(axis=0).all():
        raise UnsupportedError(
            f"expected a sample with all categories of column {name!r} that CatBoost was trained on, found fewer: "
            "it keeps their hashes alone; give all rows it was trained on"
        )


def _hashes(found: dict[str, Any], place: int) -> list[int]:
    """Of the categories of a feature that the model knows, signed 32-bit: those of tests, and of tables of statistics,
    whose keys hold one multiplied twice (``CalcHash`` of catboost/libs/model/hash.h)."""
    hashes = set(found["features_info"]["categorical_features"][place].get("values") or ())
    back = pow(MULTIPLIER, -2, 2**64)
    for key, table in (found.get("ctr_data") or {}).items():
        elements = json.loads(key)["identifier"]
        if len(elements) == 1 and elements[0].get("cat_feature_index") == place:
            keys = set(table["hash_map"][:: table["hash_stride"]]) - {EMPTY}
            hashes |= {(int(own) * back + 2**31) % 2**64 - 2**31 for own in keys}
    return sorted(hashes)
