"""Functions of dates and times, traced: what pandas answers, over every unit, with gaps and without."""

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from convert import UnsupportedError
from convert.lower import dt
from convert.lower.times import FIELDS
from tests.convert.lower.twins import levels, model_of, twin_of

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt")

ROWS = 60
RNG = np.random.default_rng(11)
US = RNG.integers(-(10**15), 2 * 10**15, (ROWS, 2))
US[:4] = [[0, -1], [86_400_000_000, 1], [-1, 951_782_400_000_000], [951_868_799_999_999, 0]]


def times(unit: str, *, gaps: bool) -> pd.DataFrame:
    step = 10**6 if unit == "s" else 1
    whole = (US // step * step).astype("M8[us]").astype(f"M8[{unit}]")
    frame = pd.DataFrame({"a": whole[:, 0], "b": whole[:, 1]})
    if gaps:
        frame.loc[::7, "a"] = pd.NaT
    return frame


def fields(X: Any) -> Any:
    return pd.DataFrame({name: getattr(X["a"].dt, name) for name in FIELDS if name != "microsecond"} | {"one": 1.0})


def parts_of_seconds(X: Any) -> Any:
    return pd.concat([X["a"].dt.microsecond.rename("one"), X["b"].dt.nanosecond], axis=1)


def by_column(X: Any) -> Any:
    return X.apply(lambda column: column.dt.month)


def weeks(X: Any) -> Any:
    return X["b"].dt.isocalendar()


def lengths(X: Any) -> Any:
    apart = X["a"] - X["b"]
    return pd.DataFrame(
        {
            "days": apart.dt.days,
            "seconds": apart.dt.seconds,
            "microseconds": apart.dt.microseconds,
            "total": apart.dt.total_seconds(),
            "hours": apart / np.timedelta64(1, "h"),
            "whole": apart // pd.Timedelta(hours=5),
            "size": abs(apart).dt.days,
            "other": (-apart).dt.days,
            "ratio": apart / (apart + pd.Timedelta(days=50_000)),
        }
    )


def constants(X: Any) -> Any:
    start = pd.Timestamp("2020-01-01 10:00:00")
    return np.column_stack(
        [
            (X["a"] - start).dt.days,
            (start - X["a"]).dt.total_seconds(),
            (X["b"] - np.datetime64("2020-01-01")) / np.timedelta64(1, "D"),
            (X["b"] - datetime.datetime(2020, 1, 1)) / pd.Timedelta(minutes=90),
            (X["a"] + pd.Timedelta(days=400)).dt.year,
            (datetime.timedelta(hours=30) + X["a"]).dt.day,
            (X["a"] - pd.Timedelta("3D")).dt.weekday,
        ]
    )


def comparisons(X: Any) -> Any:
    X = X.copy()
    X["early"] = X["a"] < pd.Timestamp("2000-01-01")
    X["late"] = X["a"] >= "2000-01-01"
    X["then"] = X["a"] == np.datetime64("1970-01-02")
    X["order"] = X["a"] <= X["b"]
    X["other"] = X["a"] != X["b"]
    X["long"] = (X["a"] - X["b"]) > pd.Timedelta(days=1)
    X["gap"] = X["a"].isna()
    X["there"] = pd.notna(X["b"])
    return X.drop(columns=["a", "b"])


def gaps_filled(X: Any) -> Any:
    return X["a"].fillna(pd.Timestamp("2001-02-03")).dt.dayofyear.to_frame()


def counts(X: Any) -> Any:
    return pd.DataFrame(
        {"unit": X["b"].astype("int64"), "second": X["b"].astype("int64") // 10**6, "gap": X["a"].isna()}
    )


def floors(X: Any) -> Any:
    midnight, quarter = X["a"].dt.normalize(), X["a"].dt.floor("15min")
    return X.assign(
        day=(X["a"] - midnight).dt.total_seconds(),
        quarter=(X["a"] - quarter).dt.total_seconds(),
        second=(X["a"] - X["a"].dt.as_unit("s")).dt.total_seconds(),
        hour=lambda frame: frame["b"].dt.floor("h").dt.hour,
    )[["day", "quarter", "second", "hour"]]


def kept(X: Any) -> Any:
    """A column of lengths in between, and one that is answered."""
    X = X.copy()
    X["apart"] = X["a"] - X["b"]
    X["days"] = X["apart"].dt.days
    X["c"] = pd.to_datetime(X["b"]).dt.month.isin([6, 7, 8])
    return X.rename(columns={"c": "summer"})[["days", "summer"]]


FUNCTIONS = [
    fields,
    parts_of_seconds,
    by_column,
    weeks,
    lengths,
    constants,
    comparisons,
    gaps_filled,
    counts,
    floors,
    kept,
]


@pytest.mark.parametrize(("unit", "gaps"), [("us", True), ("ns", False), ("s", True)])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_what_pandas_answers(function: Callable[[Any], Any], unit: str, gaps: bool) -> None:
    frame = times(unit, gaps=gaps)
    pipeline = make_pipeline(FunctionTransformer(function), StandardScaler()).fit(frame)
    twin = twin_of(pipeline, frame)
    assert levels(twin) == {"transform": "bit"}
    np.testing.assert_array_equal(model_of(twin).transform(frame), pipeline.transform(frame))


@pytest.mark.parametrize("unit", ["us", "ns"])
@pytest.mark.parametrize("in_parts", [True, False])
def test_seconds_as_each_pandas_adds_them(in_parts: bool, unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that runs here to the bit, and the other as it would; of that the proof sees the last place."""
    frame = times(unit, gaps=False)
    seconds = FunctionTransformer(lambda X: (X["a"] - X["b"]).dt.total_seconds().to_frame()).fit(frame)
    same = in_parts == dt.IN_PARTS
    monkeypatch.setattr(dt, "IN_PARTS", in_parts)
    twin = twin_of(seconds, frame)
    assert levels(twin) == {"transform": "bit" if same else "ulp"}
    count, parts = (frame["a"] - frame["b"]).to_numpy().astype(np.int64), int(dt.PER_SECOND[unit])
    expected = count // parts + count % parts / parts if in_parts else count / parts
    np.testing.assert_array_equal(model_of(twin).transform(frame)[:, 0], expected)


def test_how_long_it_is_is_a_number_to_a_scaler() -> None:
    """NumPy's count of the unit, with the smallest integer for what is missing."""
    frame = times("us", gaps=True)
    apart = FunctionTransformer(lambda X: (X["a"] - X["b"]).to_frame("apart"))
    twin = twin_of(make_pipeline(apart, StandardScaler()).fit(frame), frame)
    assert levels(twin) == {"transform": "bit"}


def test_beside_what_is_no_time() -> None:
    frame = times("us", gaps=True).assign(age=RNG.normal(size=ROWS), city=RNG.choice(["Ulm", "Bonn"], ROWS))
    made = FunctionTransformer(lambda X: X.assign(month=X["a"].dt.month, apart=(X["a"] - X["b"]).dt.days))
    chosen = make_column_transformer(
        ("passthrough", ["month", "apart", "age"]), (OneHotEncoder(), ["city"]), (StandardScaler(), ["b"])
    )
    y = RNG.normal(size=ROWS)
    pipeline = make_pipeline(made, chosen, RandomForestRegressor(5, random_state=0)).fit(frame, y)
    assert levels(twin_of(pipeline, frame)) == {"predict": "bit"}


def test_days_since_a_date() -> None:
    """As most write it."""
    frame = times("us", gaps=False)[["a"]]

    def days(X: Any) -> Any:
        return pd.DataFrame({"days": (X["a"] - pd.Timestamp("2020-01-01")).dt.days})

    pipeline = make_pipeline(FunctionTransformer(days), LinearRegression()).fit(frame, RNG.normal(size=ROWS))
    assert twin_of(pipeline, frame).proof.level in ("bit", "ulp")


def test_days_as_categories() -> None:
    """An encoder of computed times; one that raises for others is refused, for the request does not say."""
    frame = times("us", gaps=False)
    days = FunctionTransformer(lambda X: X["a"].dt.normalize().to_frame("day"))
    y = RNG.normal(size=ROWS)
    twin = twin_of(make_pipeline(days, OneHotEncoder(handle_unknown="ignore"), LinearRegression()).fit(frame, y), frame)
    assert twin.proof.level in ("bit", "ulp")
    with pytest.raises(UnsupportedError, match="expected an encoder that takes times which it has not seen, for these"):
        twin_of(make_pipeline(days, OneHotEncoder(), LinearRegression()).fit(frame, y), frame)


REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda X: (pd.Timestamp.now() - X["b"]).dt.days.to_frame(), "it asks what time it is, which a graph cannot"),
    (lambda X: X["b"].dt.month_name().to_frame().isna(), r"it uses \.dt\.month_name"),
    (lambda X: (X["b"] - X["b"].max()).dt.days.to_frame(), "it reduces over rows"),
    (lambda X: (X["b"] > pd.Timestamp("2020-01-01T00:00:00.000000001")).to_frame(), "finer than a microsecond"),
    (lambda X: X["b"].dt.ceil("D").dt.day.to_frame(), r"it uses \.dt\.ceil"),
    (lambda X: X["b"].dt.date.to_frame().isna(), r"it uses \.dt\.date"),
    (lambda X: ((X["b"] - X["a"]) * 2).dt.days.to_frame(), "it pairs times with int"),
    (lambda X: ((X["b"] - X["a"]) // (X["a"] - X["b"])).to_frame(), "it divides by what may be nothing"),
    (lambda X: pd.concat([X, X])[["b"]].iloc[: len(X)].isna(), "it puts frames one below the other"),
]


@pytest.mark.parametrize(("function", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_what_cannot_be_traced_says_why(function: Callable[[Any], Any], sentence: str) -> None:
    frame = times("us", gaps=False)
    pipeline = make_pipeline(FunctionTransformer(function), StandardScaler()).fit(frame)
    with pytest.raises(UnsupportedError, match=sentence):
        twin_of(pipeline, frame)


def test_pandas_is_itself_again() -> None:
    """Also where the function raises."""
    own = pd.DataFrame, pd.concat, pd.to_datetime, pd.isna
    test_what_cannot_be_traced_says_why(*REFUSED[0])
    assert own == (pd.DataFrame, pd.concat, pd.to_datetime, pd.isna)
