"""Model is the pipeline's twin: shapes, dtypes, what it takes, and that many may ask it at once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from runtime import InputError, Model, load
from runtime.manifest import Feature
from runtime.session import BLOCK

from . import bundles
from .conftest import FLIGHTS, ROW

ROWS = [ROW, ROW | {"d.e": 4.0, "gap": 0.5, "carrier": None}, ROW | {"flag": False, "carrier": "ZZ", "code": 1}]


def expected(rows: list[dict[str, Any]]) -> Any:
    """P(class 1) by NumPy [N]."""
    read = [feature.name for feature in FLIGHTS if feature.kind != "ignored"]
    return bundles.scores(bundles.codes(FLIGHTS, [[row[name] for name in read] for row in rows]))


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The same as pandas."""
    return pd.DataFrame(rows)


def test_a_classifier_answers_as_its_pipeline(every: dict[str, Model]) -> None:
    model = every["flights"]
    proba = model.predict_proba(ROWS)
    assert proba.dtype == np.float64
    assert proba.shape == (3, 2)
    np.testing.assert_allclose(proba[:, 1], expected(ROWS), rtol=1e-12)
    labels = model.predict(ROWS)
    assert labels.dtype == np.dtype("<U7")
    assert labels.tolist() == np.where(expected(ROWS) > 0.5, "on time", "late").tolist()


@pytest.mark.parametrize(
    ("classes", "dtype"),
    [((0, 1), "int64"), ((False, True), "bool"), ((-1.5, 2.5), "float64"), (("a", "bcd"), "<U3")],
)
def test_labels_have_the_pipelines_dtype(tmp_path: Path, classes: tuple[Any, Any], dtype: str) -> None:
    model = load(bundles.classifier(tmp_path / "m", bundles.numbers(("x",)), classes))
    found = model.predict([[9.0], [-9.0]])
    assert found.dtype == np.dtype(dtype)
    assert set(found.tolist()) <= set(classes)
    answer = json.loads(model.predict_json(b'{"x": 9}', probabilities=True))
    assert answer["prediction"] == found[0]
    assert list(answer["probabilities"]) == [c if isinstance(c, str) else json.dumps(c) for c in classes]


def test_a_regressor_answers_numbers(every: dict[str, Model]) -> None:
    found = every["cost"].predict([[1.0, 2.0], [3.0, np.nan]])
    assert (found.dtype, found.shape) == (np.float64, (2,))
    np.testing.assert_allclose(found, np.array([[1.0, 2.0], [3.0, 0.5]]) @ bundles.weights(2)[:, 0])
    assert every["costs"].predict([[1.0, 2.0]]).shape == (1, 3)


def test_a_transformer_transforms(every: dict[str, Model]) -> None:
    np.testing.assert_array_equal(every["twice"].transform([[1.0, -0.0]]), [[2.0, -0.0]])


def test_several_outputs(every: dict[str, Model]) -> None:
    labels = every["both"].predict([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])
    assert labels.tolist() == [["b", "x"], ["a", "y"]]
    first, second = every["both"].predict_proba([[1.0, -1.0, 0.0]])
    assert first.tolist() == [[0.0, 1.0]]
    assert second.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("cost", "predict_proba"),
        ("cost", "transform"),
        ("twice", "predict"),
        ("flights", "decision_function"),
        ("flights", "score_samples"),
        ("flights", "predict_log_proba"),
    ],
)
def test_a_method_that_the_pipeline_has_not(every: dict[str, Model], name: str, method: str) -> None:
    assert not hasattr(every[name], method)
    with pytest.raises(AttributeError, match=f"this model has no {method}: its pipeline offers "):
        getattr(every[name], method)
    with pytest.raises(AttributeError):
        every[name].nonsense  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame({"y": [2.0, 4.0], "x": [1.0, 3.0]}),
        pd.DataFrame({"y": [2, 4], "x": [1, 3]}, index=[7, 7]),
        pd.DataFrame({"y": pd.array([2, 4], "Int64"), "x": pd.array([1, 3], "Float64"), "z": ["a", "b"]}),
        pd.DataFrame({"y": [2, 4], "x": np.array([1, 3], object)}),
        pl.DataFrame({"y": [2.0, 4.0], "x": [1, 3]}),
        pa.table({"y": [2.0, 4.0], "x": [1, 3]}),
        {"y": [2.0, 4.0], "x": [1.0, 3.0]},
        {"y": np.array([2.0, 4.0]), "x": np.array([1, 3], np.int8)},
        {"y": pd.Series([2.0, 4.0]), "x": (1.0, 3.0)},
        [{"y": 2.0, "x": 1.0}, {"x": 3, "y": 4}],
        ({"y": 2.0, "x": 1.0}, {"x": 3, "y": 4}),
        np.array([[1.0, 2.0], [3.0, 4.0]]),
        np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]),
        np.array([[1, 2], [3, 4]], np.uint8),
        np.array([[1, 2], [3, 4]], np.float32),
        np.array([[1, 2], [3, 4]], object),
        [[1.0, 2.0], [3.0, 4.0]],
        [(1, 2), (3, 4)],
        np.array([[0, 1, 2], [0, 3, 4.0]])[:, 1:],
    ],
    ids=range(19),
)
def test_kinds_of_data(every: dict[str, Model], data: Any) -> None:
    np.testing.assert_array_equal(every["twice"].transform(data), [[2.0, 4.0], [6.0, 8.0]])


def test_one_row_as_a_dict(every: dict[str, Model]) -> None:
    np.testing.assert_array_equal(every["twice"].transform({"y": 2.0, "x": 1}), [[2.0, 4.0]])
    np.testing.assert_allclose(every["flights"].predict_proba(ROW)[0, 1], expected([ROW])[0], rtol=1e-12)


@pytest.mark.parametrize(
    "convert", [pd.DataFrame, pl.DataFrame, list, lambda rows: {k: [r[k] for r in rows] for k in ROW}]
)
def test_mixed_columns(every: dict[str, Model], convert: Callable[[Any], Any]) -> None:
    np.testing.assert_allclose(every["flights"].predict_proba(convert(ROWS))[:, 1], expected(ROWS), rtol=1e-12)


def test_missing_values_of_every_kind(every: dict[str, Model]) -> None:
    rows = [ROW | {"carrier": None, "gap": None}]
    wanted = every["flights"].predict_proba(rows)
    for carrier in (np.nan, pd.NA, pd.NaT, None):
        for gap in (np.nan, None, pd.NA):
            found = every["flights"].predict_proba([ROW | {"carrier": carrier, "gap": gap}])
            np.testing.assert_array_equal(found, wanted)
    table = frame(rows).astype({"carrier": "string", "gap": "Float64"})
    np.testing.assert_array_equal(every["flights"].predict_proba(table), wanted)
    table = frame(rows).astype({"carrier": pd.CategoricalDtype(["UA"])})
    np.testing.assert_array_equal(every["flights"].predict_proba(table), wanted)


@pytest.mark.parametrize("data", [[], np.empty((0, 2)), pd.DataFrame({"x": [], "y": []}), {"x": [], "y": []}])
def test_no_rows(every: dict[str, Model], data: Any) -> None:
    assert every["twice"].transform(data).shape == (0, 2)
    assert every["cost"].predict(data).shape == (0,)
    assert every["costs"].predict(data).shape == (0, 3)


def test_no_rows_of_a_classifier(every: dict[str, Model]) -> None:
    found = every["flights"].predict([])
    assert (found.shape, found.dtype) == ((0,), np.dtype("<U7"))
    assert every["flights"].predict_proba(frame(ROWS)[:0]).shape == (0, 2)
    assert [part.shape for part in every["both"].predict_proba(np.empty((0, 3)))] == [(0, 2), (0, 2)]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (np.zeros((2, 3)), r"\$: |expected an array of rows with 2 columns, got one of 2 x 3"),
        (np.zeros(2), "expected an array of rows with 2 columns, got one of 2"),
        (np.zeros((1, 2, 1)), "got one of 1 x 2 x 1"),
        (pd.DataFrame({"x": [1.0]}), "missing column 'y'"),
        ({"x": [1.0]}, "missing column 'y'"),
        ({"x": 1.0}, r"missing required field 'y'"),
        ({"x": 1.0, "y": 2.0, "z": 3.0}, "unknown field 'z'"),
        ([{"x": 1.0, "y": 2.0, "z": 3.0}], r"\$\[0\]: unknown field 'z'"),
        ([{"x": 1.0, "y": 2.0}, 7], r"\$\[1\]: expected object, got int"),
        ({"x": [1.0, 2.0], "y": [1.0]}, r"expected columns of equal length, got \[1, 2\]"),
        ([{"x": "1", "y": 2.0}], r"\$\[0\].x: expected number, got str"),
        (pd.DataFrame({"x": ["1"], "y": [2.0]}), r"x: expected number, got str"),
        (np.array([["1", "2"]]), "x: expected number, got str"),
        ([[np.nan, 1.0]], r"\$.x: expected a value, got a missing one"),
        ([[1.0, 1.0], [1.0, np.nan]], r"\$\[1\].y: expected a value, got a missing one"),
        ([[np.inf, 1.0]], r"\$.x: expected number that is finite, got one outside"),
        (7, "expected a DataFrame, an ndarray, a dict or a list of dicts, got int"),
        (None, "got NoneType"),
        ("x", "got str|expected an array"),
        ([{"x": object(), "y": 1.0}], "expected numbers, got values of another type"),
    ],
    ids=range(20),
)
def test_what_the_pipeline_would_not_take(every: dict[str, Model], data: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        every["twice"].transform(data)


def test_a_pipeline_without_names_goes_by_places(tmp_path: Path) -> None:
    """Unless the frame has its features' own names."""
    model = load(bundles.transformer(tmp_path / "m", bundles.numbers(("0", "1")), named=False))
    for frame in (
        pd.DataFrame([[1.0, 2.0]]),
        pd.DataFrame([[1.0, 2.0]], columns=[7, 0]),
        pl.DataFrame({"b": [1.0], "a": [2.0]}),
        pa.table({"b": [1.0], "a": [2.0]}),
        pd.DataFrame({"1": [2.0], "0": [1.0]}),
    ):
        np.testing.assert_array_equal(model.transform(frame), [[2.0, 4.0]])
    with pytest.raises(InputError, match="expected a frame with 2 columns, got one with 3"):
        model.transform(pd.DataFrame(np.zeros((1, 3))))


def test_a_column_that_is_there_twice(every: dict[str, Model]) -> None:
    """Nobody could say which is meant."""
    with pytest.raises(InputError, match="expected columns of different names, got 'x' twice"):
        every["twice"].transform(pd.DataFrame([[1.0, 2.0, 3.0]], columns=["x", "y", "x"]))


def test_input_errors_are_value_errors(every: dict[str, Model]) -> None:
    with pytest.raises(ValueError):
        every["twice"].transform(np.zeros((1, 7)))


def test_unseen_categories_are_refused_where_the_pipeline_refuses(every: dict[str, Model]) -> None:
    with pytest.raises(InputError, match=r"\$\[1\].code: expected one of the 3 categories"):
        every["flights"].predict([ROW, ROW | {"code": 9}])


def test_enforced_ranges_hold_for_frames_too(every: dict[str, Model]) -> None:
    with pytest.raises(InputError, match=r"\$.capped: expected number from 0 to 5, got one outside"):
        every["flights"].predict(frame([ROW | {"capped": 6.0}]))


def test_a_pipeline_without_names_goes_by_position(tmp_path: Path) -> None:
    folder = bundles.transformer(tmp_path / "m", bundles.numbers(("x0", "x1")), named=False)
    np.testing.assert_array_equal(load(folder).transform([[1.0, 2.0]]), [[2.0, 4.0]])


def test_an_ignored_column_is_left_out_of_arrays_by_position(tmp_path: Path) -> None:
    x, y = bundles.numbers(("x", "y"))
    model = load(bundles.regressor(tmp_path / "m", (x, Feature("junk", "ignored"), y)))
    found = model.predict(np.array([[1.0, "text", 2.0]], object))
    np.testing.assert_allclose(found, np.array([[1.0, 2.0]]) @ bundles.weights(2)[:, 0])


@pytest.mark.parametrize("rows", [1, 2, 51, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_an_answer_does_not_depend_on_the_batch(every: dict[str, Model], rows: int) -> None:
    table = np.linspace(-3, 3, 2 * rows).reshape(rows, 2)
    found = every["cost"].predict(table)
    assert found.shape == (rows,)
    alone = [every["cost"].predict(table[index : index + 1])[0] for index in {0, rows // 2, rows - 1}]
    assert alone == [found[index] for index in {0, rows // 2, rows - 1}]


def test_data_is_not_changed(every: dict[str, Model]) -> None:
    table = np.array([[1.0, np.nan]])
    table.setflags(write=False)
    every["cost"].predict(table)
    rows = [dict(ROW)]
    every["flights"].predict(rows)
    assert rows == [ROW]


def test_answers_are_kept_apart(every: dict[str, Model]) -> None:
    """What a call returned is not overwritten by the next, though outputs are bound once."""
    first = every["twice"].transform([[1.0, 2.0]])
    every["twice"].transform([[3.0, 4.0]])
    assert first.tolist() == [[2.0, 4.0]]


def decoded(model: Model, body: Any, **options: Any) -> Any:
    """The answer to JSON, decoded."""
    return json.loads(model.predict_json(json.dumps(body).encode(), **options))


def test_json_of_a_classifier(every: dict[str, Model]) -> None:
    found = decoded(every["flights"], ROW)
    assert list(found) == ["prediction", "probability", "model_version", "latency_ms"]
    p = expected([ROW])[0]
    assert found["prediction"] == ("on time" if p > 0.5 else "late")
    assert found["probability"] == pytest.approx(max(p, 1 - p), rel=1e-12)
    assert found["model_version"] == bundles.VERSION
    assert 0 < found["latency_ms"] < 1000
    with_all = decoded(every["flights"], ROW, probabilities=True)
    assert with_all["probabilities"] == {"late": pytest.approx(1 - p), "on time": pytest.approx(p)}


def test_json_of_a_batch(every: dict[str, Model]) -> None:
    found = decoded(every["flights"], ROWS, probabilities=True)
    assert list(found) == ["predictions", "model_version", "latency_ms"]
    for row, answer in zip(ROWS, found["predictions"], strict=True):
        alone = decoded(every["flights"], row, probabilities=True)
        assert answer == {key: alone[key] for key in ("prediction", "probability", "probabilities")}
    assert decoded(every["flights"], [])["predictions"] == []
    assert decoded(every["flights"], [ROW])["predictions"] == [decoded(every["flights"], ROWS)["predictions"][0]]


def test_json_of_others(every: dict[str, Model]) -> None:
    cost = decoded(every["cost"], {"x": 1, "y": None}, probabilities=True)
    assert list(cost) == ["prediction", "model_version", "latency_ms"]
    assert cost["prediction"] == every["cost"].predict([[1.0, np.nan]])[0]
    assert decoded(every["costs"], {"x": 1, "y": 2})["prediction"] == every["costs"].predict([[1.0, 2.0]])[0].tolist()
    assert decoded(every["twice"], {"x": 1, "y": 2})["output"] == [2.0, 4.0]
    assert decoded(every["twice"], [{"x": 1, "y": 2}])["outputs"] == [{"output": [2.0, 4.0]}]
    both = decoded(every["both"], {"x": 1, "y": -1, "z": 0}, probabilities=True)
    assert both["prediction"] == ["b", "x"]
    assert both["probability"] == [1.0, 1.0]
    assert both["probabilities"] == [{"a": 0.0, "b": 1.0}, {"x": 1.0, "y": 0.0}]


def test_json_and_methods_give_the_same_bits(every: dict[str, Model]) -> None:
    rng = np.random.default_rng(0)
    for x, y in rng.normal(size=(200, 2)).tolist():
        assert decoded(every["cost"], {"x": x, "y": y})["prediction"] == every["cost"].predict([[x, y]])[0]


def test_answers_that_json_cannot_say_are_null(every: dict[str, Model]) -> None:
    assert decoded(every["twice"], {"x": 1.7e308, "y": 1})["output"] == [None, 2.0]


@pytest.mark.parametrize("body", [bytes, bytearray, memoryview])
def test_bodies_of_any_buffer(every: dict[str, Model], body: Any) -> None:
    assert json.loads(every["twice"].predict_json(body(b'{"x": 1, "y": 2}')))["output"] == [2.0, 4.0]


def test_the_classes_are_the_columns_of_the_probabilities(every: dict[str, Model]) -> None:
    flights = every["flights"]
    assert flights.classes_.tolist() == ["late", "on time"]
    assert flights.classes_.dtype == flights.predict([ROW]).dtype
    proba = flights.predict_proba([ROW])[0]
    assert flights.classes_[proba.argmax()] == flights.predict([ROW])[0]
    flights.classes_[0] = "other"  # a copy
    assert flights.classes_.tolist() == ["late", "on time"]
    assert [table.tolist() for table in every["both"].classes_] == [["a", "b"], ["x", "y"]]
    for name in ("cost", "twice"):
        assert not hasattr(every[name], "classes_")
        with pytest.raises(AttributeError, match="this model has no classes_: its pipeline predicts no labels"):
            _ = every[name].classes_
