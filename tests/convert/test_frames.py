"""Rows of every library mean the same, as a sample and as what a model is asked."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder
from sklearn.tree import DecisionTreeRegressor

from convert import SampleError
from convert.signature import sign
from runtime import InputError, Model
from tests.convert.lower.twins import model_of, twin_of

ROWS = 40
RNG = np.random.default_rng(6)
LARGE = 2**60
FRAME = pd.DataFrame(
    {
        "size": np.where(RNG.random(ROWS) < 0.2, np.nan, RNG.integers(0, 9, ROWS)),
        "city": RNG.choice(["Ulm", "Köln", "São Paulo"], ROWS),
        "member": RNG.random(ROWS) < 0.5,
        "id": RNG.integers(0, 3, ROWS) + LARGE,
    }
)


def pipeline() -> Any:
    encode = ColumnTransformer(
        [
            ("n", SimpleImputer(), ["size"]),
            ("m", "passthrough", ["member"]),
            ("c", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["city", "id"]),
        ]
    )
    return make_pipeline(encode, DecisionTreeRegressor(random_state=0)).fit(FRAME, np.arange(ROWS))


@pytest.fixture(scope="module")
def model() -> Model:
    return model_of(twin_of(pipeline(), FRAME))


class Streamed:
    """What offers Arrow's stream and nothing else."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


class Interchanged:
    """What offers the dataframe interchange protocol and nothing else."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        return self._table.__dataframe__(nan_as_null=nan_as_null, allow_copy=allow_copy)


def nullable(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({"size": "Int64", "member": "boolean", "city": "string"})


def table(frame: pd.DataFrame) -> Any:
    return pa.Table.from_pandas(nullable(frame), preserve_index=False)


FORMS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "nullable": nullable,
    "category": lambda frame: frame.astype({"city": "category"}),
    "arrow dtypes": lambda frame: nullable(frame).convert_dtypes(dtype_backend="pyarrow"),
    "polars": lambda frame: pl.from_arrow(table(frame)),
    "polars categorical": lambda frame: pl.from_arrow(table(frame)).with_columns(pl.col("city").cast(pl.Categorical)),
    "pyarrow": table,
    "stream": lambda frame: Streamed(table(frame)),
    "interchange": lambda frame: Interchanged(table(frame)),
    "dict of columns": lambda frame: {name: frame[name].tolist() for name in frame},
    "list of dicts": lambda frame: frame.to_dict("records"),
    "another order, more columns": lambda frame: frame[["id", "city", "member", "size"]].assign(more=1),
    "another index": lambda frame: frame.set_axis(RNG.permutation(len(frame)) + 7),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_model_takes_every_form(model: Model, form: str) -> None:
    """With the same answers, integers beyond 2^53 and missing values included; and no rows at all."""
    expected = pipeline().predict(FRAME)
    np.testing.assert_array_equal(model.predict(FORMS[form](FRAME)), expected)
    if form != "list of dicts":
        assert model.predict(FORMS[form](FRAME.iloc[:0])).shape == (0,)


@pytest.mark.parametrize("form", FORMS)
def test_a_sample_may_have_every_form(form: str) -> None:
    """With the same features."""
    expected = sign(pipeline(), FRAME).features
    assert sign(pipeline(), FORMS[form](FRAME)).features == expected


def test_integers_with_gaps_stay_exact(model: Model) -> None:
    """Neither polars nor pyarrow may make floats of them."""
    ids = [LARGE + 1, None]
    frame = {"size": [1.0, 2.0], "city": ["Ulm", "Ulm"], "member": [True, False]}
    expected = model.predict(pd.DataFrame(frame | {"id": pd.Series(ids, dtype=object)}))
    for rows in (pl.DataFrame(frame | {"id": ids}), pa.table(frame | {"id": ids})):
        np.testing.assert_array_equal(model.predict(rows), expected)
    assert (model.tensors.of(pl.DataFrame(frame | {"id": ids})).matrix[0] >= 0).all()


def test_dates_are_refused_and_so_is_what_no_table_could_have(model: Model) -> None:
    """A date is no number, though NumPy keeps it as one."""
    dates = FRAME.assign(size=pd.Timestamp("2026-01-01"))
    for rows in (dates, pl.from_pandas(dates[["size", "city", "member", "id"]])):
        with pytest.raises(InputError, match=r"\$\.size: expected numbers, got dates: give what was given in training"):
            model.predict(rows)
    with pytest.raises(InputError, match=r"\$\.city: expected string, number or boolean, got list"):
        model.predict(FRAME.assign(city=[["Ulm"]] * ROWS))
    spans = FRAME.assign(size=dates["size"] - pd.Timestamp("2025-01-01"))
    with pytest.raises(
        SampleError, match="expected numbers, strings, booleans or dates, found Timedelta in column 'size'"
    ):
        sign(pipeline(), spans)


def test_without_pyarrow_a_stream_is_refused_with_what_to_do(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only such frames need it."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(
        InputError, match="expected pyarrow, to read a Streamed, found none: install it, or give a dict"
    ):
        model.predict(Streamed(None))


@pytest.mark.parametrize("dtype", ["boolean", "Int64"])
@pytest.mark.parametrize("gaps", [False, True])
def test_what_is_missing_in_a_nullable_column_that_is_passed_on_is_nan(dtype: str, gaps: bool) -> None:
    """A FeatureUnion passes on what a ColumnTransformer would refuse, and scikit-learn answers objects."""
    frame = pd.DataFrame({"city": FRAME["city"], "n": pd.array(FRAME["member"].astype(int), dtype)})
    if gaps:
        frame.loc[3, "n"] = pd.NA
    parts = [("c", OrdinalEncoder(), ["city"]), ("n", FeatureUnion([("same", "passthrough")]), ["n"])]
    twin = twin_of(ColumnTransformer(parts).fit(frame), frame)
    assert twin.proof.level == "bit"
    frame.loc[5, "n"] = pd.NA
    assert np.isnan(model_of(twin).transform(frame)[5, 1])


def test_what_a_function_makes_of_pandas_own_missing_string() -> None:
    """Filled it is as another; where it is told from NaN, which the proof asks with, it is refused."""
    frame = FRAME[["city"]].astype("string")
    frame.loc[::5, "city"] = pd.NA
    filled = make_pipeline(FunctionTransformer(lambda X: X.fillna("none")), OrdinalEncoder()).fit(frame)
    np.testing.assert_array_equal(model_of(twin_of(filled, frame)).transform(frame), filled.transform(frame))
    told = FunctionTransformer(lambda X: np.array([[float(value is pd.NA)] for value in X["city"]])).fit(frame)
    with pytest.raises(SampleError, match=r"expected None or NaN .* in column 'city', found pandas.NA, of which the"):
        sign(told, frame)
