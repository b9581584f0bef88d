"""Pipelines of dates and times: proven, and answered from JSON as from frames."""

import datetime
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeRegressor

from convert import SampleError, UnsupportedError, convert
from convert.build import assemble
from convert.registry import show
from convert.signature import sign
from runtime import InputError, load
from runtime.written import iso
from tests.convert.lower.twins import CREATED, levels, model_of, twin_of

ROWS = 120
RNG = np.random.default_rng(28)
US = RNG.integers(-(10**15), 2 * 10**15, ROWS)
UNITS = {"D": 86_400_000_000, "s": 10**6, "ms": 10**3, "us": 1}
Y = RNG.normal(size=ROWS) + US / 1e15


def times(unit: str) -> pd.DataFrame:
    """A column of times that a unit can hold."""
    step = UNITS.get(unit, 1)
    whole = (US // step * step).astype("M8[us]")
    return pd.DataFrame({"when": whole.astype(f"M8[{unit}]")})


def asked(frame: pd.DataFrame) -> bytes:
    return json.dumps([{"when": None if pd.isna(time) else time.isoformat()} for time in frame["when"]]).encode()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), Ridge()),
        make_pipeline(MinMaxScaler(), DecisionTreeRegressor(max_depth=6)),
        make_pipeline(QuantileTransformer(n_quantiles=20), Ridge()),
        make_pipeline(KBinsDiscretizer(5), Ridge()),
        RandomForestRegressor(4, random_state=0),
        HistGradientBoostingRegressor(max_iter=5),
        GradientBoostingRegressor(n_estimators=5),
        make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()),
        make_pipeline(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), DecisionTreeRegressor()),
        make_pipeline(TargetEncoder(), Ridge()),
    ],
    ids=lambda model: "-".join(getattr(model, "named_steps", {type(model).__name__.lower(): 0})),
)
def test_what_scikit_learn_makes_of_times(model: Any, unit: str) -> None:
    frame = times(unit)
    frame.loc[::11] = frame.loc[5, "when"]
    twin = twin_of(model.fit(frame, Y), frame)
    (feature,) = twin.manifest.inputs
    assert (feature.kind, feature.unit, twin.manifest.protocol) == ("date", unit, 4)
    answers = json.loads(model_of(twin).predict_json(asked(frame)))["predictions"]
    np.testing.assert_allclose([answer["prediction"] for answer in answers], model.predict(frame), rtol=1e-9)
    if not hasattr(model, "steps"):
        assert levels(twin)["predict"] == "bit"


@pytest.mark.parametrize("fold", [True, False])
def test_a_forest_of_nanoseconds_rounds_once(fold: bool) -> None:
    """float32 of the integer, not of a float64: next to its thresholds that is another number."""
    frame = times("ns")
    twin = twin_of(RandomForestRegressor(30, random_state=0).fit(frame, Y), frame, fold=fold)
    assert levels(twin)["predict"] == "bit"


@pytest.mark.parametrize("unit", ["D", "s", "us"])
def test_an_array_of_times(unit: str) -> None:
    """In its own unit, which may be days."""
    array = times("us")["when"].to_numpy().astype(f"M8[{unit}]").reshape(-1, 1)
    model = make_pipeline(StandardScaler(), Ridge()).fit(array, Y)
    twin = twin_of(model, array)
    assert twin.manifest.inputs[0].unit == unit
    np.testing.assert_allclose(model_of(twin).predict(array), model.predict(array), rtol=1e-12)
    with pytest.raises(SampleError, match=r"expected times in D, s, ms, us, ns, found datetime64\[h\]: train it on"):
        sign(model, array.astype("M8[h]"))


def test_columns_of_several_units_meet_in_the_finest() -> None:
    frame = pd.DataFrame({"when": times("s")["when"], "then": times("ns")["when"]})
    twin = twin_of(make_pipeline(StandardScaler(), Ridge()).fit(frame, Y), frame)
    assert [feature.unit for feature in twin.manifest.inputs] == ["s", "ns"]


def test_a_missing_time_is_what_numpy_makes_of_it() -> None:
    """The smallest integer: scikit-learn sees no gap."""
    frame = times("us")
    frame.loc[::9] = pd.NaT
    for model in (make_pipeline(StandardScaler(), Ridge()), RandomForestRegressor(4, random_state=0)):
        twin = model_of(twin_of(model.fit(frame, Y), frame))
        assert twin.manifest.inputs[0].missing
        found = json.loads(twin.predict_json(b'{"when": null}'))["prediction"]
        np.testing.assert_allclose(found, model.predict(frame.iloc[[0]])[0], rtol=1e-12)


def test_an_encoder_of_known_dates_alone() -> None:
    """What it would refuse is refused."""
    frame = times("D").astype("M8[s]")
    frame = frame.iloc[np.arange(ROWS) % 7].reset_index(drop=True)
    model = make_pipeline(OrdinalEncoder(), Ridge()).fit(frame, Y)
    twin = model_of(twin_of(model, frame))
    (feature,) = twin.manifest.inputs
    assert (feature.unknown, len(feature.categories)) == (False, 7)
    np.testing.assert_allclose(twin.predict(frame), model.predict(frame), rtol=1e-12)
    with pytest.raises(InputError, match="expected one of the 7 dates or times seen in training, got another"):
        twin.predict_json(b'{"when": "1830-01-01"}')


def test_beside_numbers_and_categories() -> None:
    frame = times("us").assign(age=RNG.normal(size=ROWS), city=RNG.choice(["Ulm", "Köln"], ROWS))
    columns = make_column_transformer(
        (StandardScaler(), ["when"]), (OneHotEncoder(), ["city"]), remainder="passthrough"
    )
    twin = twin_of(make_pipeline(columns, RandomForestRegressor(4, random_state=0)).fit(frame, Y), frame)
    assert [feature.kind for feature in twin.manifest.inputs] == ["date", "number", "category"]
    assert levels(twin)["predict"] == "bit"


def test_what_a_microsecond_cannot_hold_is_refused_with_what_to_do() -> None:
    frame = times("ns")
    model = make_pipeline(StandardScaler(), Ridge()).fit(frame, Y)
    frame.iloc[3, 0] += np.timedelta64(1, "ns")
    with pytest.raises(SampleError, match=r"expected in column 'when' a time of whole microseconds, got a finer one"):
        sign(model, frame)


def test_the_portable_graph_takes_int64_microseconds() -> None:
    frame = times("s").assign(then=times("ns")["when"].dt.tz_localize("UTC"))
    frame.iloc[::9] = pd.NaT
    hours = FunctionTransformer(lambda X: pd.DataFrame({"a": X["when"].dt.day, "b": X["then"].dt.hour}).fillna(-1))
    model = make_pipeline(hours, DecisionTreeRegressor(max_depth=5)).fit(frame, Y)
    twin = assemble(model, frame, version="test", created=CREATED, portable=True)  # proven on the proof's rows
    session = onnxruntime.InferenceSession(twin.portable, providers=["CPUExecutionProvider"])
    assert [given.type for given in session.get_inputs()] == ["tensor(int64)", "tensor(int64)"]
    whole = {name: np.asarray(column, "M8[us]").view(np.int64).reshape(-1, 1) for name, column in frame.items()}
    np.testing.assert_array_equal(session.run(None, whole)[0].ravel(), model.predict(frame))


def test_pythons_own_dates() -> None:
    """Objects in the sample, which the pipeline makes datetime64 of itself."""
    frame = pd.DataFrame({"when": times("s")["when"].dt.date})
    frame.loc[::10] = None
    months = FunctionTransformer(lambda X: pd.DataFrame({"month": pd.to_datetime(X["when"]).dt.month}))
    model = make_pipeline(months, DecisionTreeRegressor(max_depth=3)).fit(frame, Y)
    twin = model_of(twin_of(model, frame))
    assert (twin.manifest.inputs[0].kind, twin.manifest.inputs[0].missing) == ("date", True)
    np.testing.assert_array_equal(twin.predict(frame), model.predict(frame))


def test_pythons_own_dates_that_are_categories_are_refused() -> None:
    frame = pd.DataFrame({"when": times("s")["when"].dt.date})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()).fit(frame, Y)
    with pytest.raises(SampleError, match=r"found others in column 'when', of which it makes something else: tra"):
        sign(model, frame)
    frame.iloc[0, 0] = pd.Timestamp("2026-11-28", tz="UTC")
    with pytest.raises(
        SampleError, match="of one zone, found Python's own of several in column 'when': train it on pd"
    ):
        sign(model, frame)


def test_ranges_may_be_enforced_and_are_shown(tmp_path: Path) -> None:
    frame = times("us")
    model = make_pipeline(StandardScaler(), Ridge()).fit(frame, Y)
    convert(model, frame, tmp_path / "m", version="1", enforce_range=True)
    first, last = frame["when"].min().isoformat(), frame["when"].max().isoformat()
    line = next(line for line in show(tmp_path / "m") if "when" in line)
    assert (
        line == f"  when: date, may be missing, from {first} to {last} in the sample, refused outside {first} to {last}"
    )
    with pytest.raises(InputError, match=f"expected a date or time from {first} to {last}, got one outside"):
        load(tmp_path / "m").predict_json(b'{"when": "1830-01-01"}')


def test_a_function_that_takes_some_times_only() -> None:
    """What it refuses is found by asking, and refused: pandas counts no more than 292 years in nanoseconds."""
    frame = times("ns")

    def days(X: Any) -> Any:
        return (X["when"] - pd.Timestamp("1800-01-01")).dt.days.to_frame()

    twin = model_of(twin_of(make_pipeline(FunctionTransformer(days), StandardScaler()).fit(frame), frame))
    (feature,) = twin.manifest.inputs
    assert feature.range is not None
    assert [iso(end) for end in feature.range] == ["1677-09-21T00:12:43.145226", "2092-04-10T23:47:16.854775"]
    assert twin.predict_json(b'{"when": "2092-04-10T23:47:16.854775"}')
    with pytest.raises(InputError, match=r"expected a date or time from 1677-09-21T00:12:43\.145226 to 2092"):
        twin.predict_json(b'{"when": "2092-04-10T23:47:16.854776"}')


@pytest.mark.parametrize("passed", ["passthrough", FunctionTransformer(lambda X: X - pd.Timestamp("2020-01-01"))])
def test_answers_that_are_times_are_refused(passed: Any) -> None:
    frame = times("us").assign(age=1.0)
    columns = make_column_transformer((passed, ["when"])).set_output(transform="pandas").fit(frame)
    with pytest.raises(UnsupportedError, match="expected numbers or labels as answers, found that transform answers"):
        twin_of(columns, frame)


def test_an_encoder_of_days_in_an_array() -> None:
    """pandas counts no days."""
    array = times("D").to_numpy().astype("M8[D]")[np.arange(ROWS) % 7]
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()).fit(array, Y)
    np.testing.assert_allclose(model_of(twin_of(model, array)).predict(array), model.predict(array), rtol=1e-12)


@pytest.mark.parametrize("kind", ["Date", "Datetime", "Duration", "Time"])
def test_times_of_polars(kind: str) -> None:
    """Of days scikit-learn makes another number than of what pandas keeps them in."""
    frame = pl.DataFrame({"when": times("us")["when"].tolist()})
    frame = {
        "Date": frame.select(pl.col("when").cast(pl.Date)),
        "Datetime": frame,
        "Duration": frame.select(pl.col("when") - datetime.datetime(2000, 1, 1)),
        "Time": frame.select(pl.col("when").dt.time()),
    }[kind]
    if kind == "Time":
        model = make_pipeline(OrdinalEncoder(), Ridge()).fit(frame, Y)
    else:
        model = make_pipeline(StandardScaler(), Ridge()).fit(frame, Y)
    if kind == "Datetime":
        np.testing.assert_allclose(model_of(twin_of(model, frame)).predict(frame), model.predict(frame), rtol=1e-12)
        return
    said = {"Date": "takes as pandas' datetime64, found others in column 'when'", "Duration": "dt.total_seconds()"}
    with pytest.raises(SampleError, match=re.escape(said.get(kind, "say the seconds since midnight"))):
        sign(model, frame)
