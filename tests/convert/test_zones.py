"""Times with a zone: what the pipeline makes of its clocks, of instants however they are written."""

import json
from datetime import timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from convert import SampleError, UnsupportedError
from convert.lower.zones import transitions
from runtime import InputError
from runtime.dates import RULED
from tests.convert.lower.twins import levels, model_of, twin_of

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt")

ROWS = 90
RNG = np.random.default_rng(5)
SECONDS = RNG.integers(-2 * 10**9, 4 * 10**9, ROWS)
Y = RNG.normal(size=ROWS)
ZONES = ["UTC", "+05:30", "Europe/Berlin", "America/New_York", "Africa/Monrovia"]


def instants(zone: str, unit: str = "us", *, gaps: bool = False) -> pd.DataFrame:
    column = pd.Series(SECONDS.astype("M8[s]").astype(f"M8[{unit}]")).dt.tz_localize("UTC").dt.tz_convert(zone)
    return pd.DataFrame({"when": column.where(np.arange(ROWS) % 7 > 0) if gaps else column})


def clocks(X: Any) -> Any:
    when = X["when"]
    parts = {name: getattr(when.dt, name) for name in ("year", "month", "day", "hour", "minute", "second", "dayofweek")}
    return pd.DataFrame({**parts, "end": when.dt.is_month_end}).assign(
        week=when.dt.isocalendar()["week"],
        late=when > "2000-01-01",
        long=(when - pd.Timestamp("2000-01-01", tz="UTC")).dt.total_seconds(),
        filled=when.fillna(pd.Timestamp("1970-01-01", tz="UTC")).dt.hour,
        tokyo=when.dt.tz_convert("Asia/Tokyo").dt.hour,
        utc=when.dt.tz_convert(None).dt.hour,
        local=when.dt.tz_localize(None).dt.hour,
        gone=when.isna(),
    )


def midnights(X: Any) -> Any:
    when = X["when"]
    back = when.dt.tz_localize(None).dt.tz_localize("-03:00")
    return pd.DataFrame(
        {
            "since": (when - when.dt.normalize()).dt.total_seconds(),
            "minute": when.dt.floor("7min").dt.minute,
            "back": back.dt.hour,
            "same": back == when,
        }
    )


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
@pytest.mark.parametrize("zone", ZONES)
def test_what_the_clocks_of_a_zone_show(zone: str, unit: str) -> None:
    """On every change of them too, and one step to either side: the proof goes there where a tree asks."""
    frame = instants(zone, unit, gaps=True)
    twin = twin_of(FunctionTransformer(clocks).fit(frame), frame)
    (feature,) = twin.manifest.inputs
    assert (feature.kind, feature.unit, feature.zone, twin.manifest.protocol) == ("date", unit, zone, 5)
    assert levels(twin) == {"transform": "bit"}
    found = model_of(twin)
    changes, _ = transitions(frame["when"].dt.tz)
    near = np.unique((changes[:, None] + np.array([-1_000_000, 0, 1_000_000])).ravel())
    if len(near):
        beside = pd.DataFrame({"when": pd.Series(near.astype("M8[us]").astype(f"M8[{unit}]")).dt.tz_localize("UTC")})
        beside["when"] = beside["when"].dt.tz_convert(zone)
        np.testing.assert_array_equal(found.transform(beside), clocks(beside).to_numpy(np.float64))


@pytest.mark.parametrize("zone", ["UTC", "+05:30"])
def test_midnights_of_zones_that_are_always_the_same(zone: str) -> None:
    frame = instants(zone)
    assert levels(twin_of(FunctionTransformer(midnights).fit(frame), frame)) == {"transform": "bit"}


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda X: X["when"].dt.normalize().dt.hour.to_frame(), "whose clocks are put back: use tz_convert"),
        (
            lambda X: X["when"].dt.tz_localize(None).dt.tz_localize("Europe/Berlin", ambiguous="NaT").dt.day.to_frame(),
            "it uses .dt.tz_localize of times with a zone, or with more than a zone",
        ),
        (
            lambda X: (X["when"] + pd.Timedelta(days=1)).dt.hour.to_frame(),
            "it asks what the clocks of Europe/Berlin show at times that it has computed: ask, then compute",
        ),
    ],
)
def test_what_clocks_do_not_tell_is_refused(function: Any, said: str) -> None:
    frame = instants("Europe/Berlin")
    with pytest.raises(UnsupportedError, match=said):
        twin_of(FunctionTransformer(function).fit(frame), frame)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize(
    "model",
    [
        StandardScaler(),
        DecisionTreeRegressor(max_depth=5),
        OneHotEncoder(handle_unknown="ignore"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_scikit_learn_makes_of_instants(model: Any, zone: str) -> None:
    frame = instants(zone)
    model = (make_pipeline(model, Ridge()) if hasattr(model, "transform") else model).fit(frame, Y)
    twin = model_of(twin_of(model, frame))
    np.testing.assert_allclose(twin.predict(frame), model.predict(frame), rtol=1e-9)
    asked = [{"when": time.isoformat()} for time in frame["when"]]
    answers = json.loads(twin.predict_json(json.dumps(asked).encode()))["predictions"]
    np.testing.assert_allclose([answer["prediction"] for answer in answers], model.predict(frame), rtol=1e-9)


def test_an_encoder_that_knows_instants_alone() -> None:
    frame = instants("Europe/Berlin").iloc[np.arange(ROWS) % 6].reset_index(drop=True)
    model = make_pipeline(OrdinalEncoder(), Ridge()).fit(frame, Y)
    twin = model_of(twin_of(model, frame))
    np.testing.assert_allclose(twin.predict(frame), model.predict(frame), rtol=1e-9)
    with pytest.raises(InputError, match="expected one of the 6 dates or times seen in training, got another"):
        twin.predict_json(b'{"when": "1999-01-01T00:00Z"}')


def test_beyond_what_is_known_of_a_zone() -> None:
    """Nobody knows whether its clocks are changed in 2100."""
    frame = instants("Europe/Berlin")
    twin = model_of(twin_of(FunctionTransformer(lambda X: X["when"].dt.hour.to_frame()).fit(frame), frame))
    with pytest.raises(InputError, match="from 1900-01-01T00:00:00Z to 2100-01-01T00:00:00Z, got one outside"):
        twin.transform([{"when": "2100-01-01T02:00+01:00"}])
    frame.iloc[0, 0] = pd.Timestamp("1850-01-01", tz="Europe/Berlin")
    with pytest.raises(
        SampleError, match="in column 'when' a date or time from 1900-01-01 to 2100-01-01, got one outside"
    ):
        twin_of(FunctionTransformer(lambda X: X["when"].dt.hour.to_frame()).fit(frame), frame)


def test_zones_of_other_libraries_and_pythons_own_times() -> None:
    hours = FunctionTransformer(lambda X: pd.to_datetime(X["when"]).dt.hour.to_frame())
    utc = instants("UTC")["when"]
    for column, zone in (
        (utc.dt.tz_convert(timezone(timedelta(minutes=330), "home")), "+05:30"),
        (utc.dt.tz_convert(ZoneInfo("UTC")), "UTC"),
        (pd.Series([time.to_pydatetime() for time in utc], dtype=object), "UTC"),
        (utc.astype("timestamp[us, tz=UTC][pyarrow]"), "UTC"),
    ):
        frame = pd.DataFrame({"when": column})
        twin = twin_of(hours.fit(frame), frame)
        assert (twin.manifest.inputs[0].zone, levels(twin)) == (zone, {"transform": "bit"})


def test_times_in_utc_may_be_shown_on_the_clocks_of_a_zone() -> None:
    """As far as these are known."""
    frame = instants("UTC")
    local = FunctionTransformer(lambda X: X["when"].dt.tz_convert("Europe/Berlin").dt.hour.to_frame())
    twin = twin_of(local.fit(frame), frame)
    assert (twin.manifest.inputs[0].range, levels(twin)) == (RULED, {"transform": "bit"})
    frame.iloc[0, 0] = pd.Timestamp("1850-01-01", tz="UTC")
    with pytest.raises(SampleError, match=r"from 1900-01-01T00:00:00Z to 2100-.*'when', found some from 1850-01-01T00"):
        twin_of(local.fit(frame), frame)
