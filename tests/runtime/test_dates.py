"""Dates and times: every form in which they come means the same number, and what cannot be meant is said."""

import datetime
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from msgspec.structs import replace

from runtime import BundleError, InputError
from runtime.dates import time_of, times
from runtime.manifest import Feature, protocol_of, read_manifest
from runtime.schema import Request, example, json_schema
from runtime.tensors import Limits, Tensors
from runtime.written import iso
from tests.runtime.bundles import manifest

WHEN = Feature("when", "date", 0, missing=True, seen=(0.0, 1.6e15), unit="us")
NUMBER = Feature("size", "number", 1, missing=True)
TIMES = ["2026-11-28T15:16:17.123456", "1969-12-31", None]
MICROSECONDS = np.array([1_795_878_977_123_456.0, -86_400_000_000.0, np.nan])

DATETIMES = [None if text is None else datetime.datetime.fromisoformat(text) for text in TIMES]


def of(**changes: Any) -> Tensors:
    """What makes the matrix of a date and a number."""
    return Tensors(manifest("regressor", (replace(WHEN, **changes), NUMBER), ()))


FORMS = {
    "text": TIMES,
    "datetime": DATETIMES,
    "numpy": [np.datetime64("NaT", "us") if text is None else np.datetime64(text) for text in TIMES],
    "timestamp": [pd.Timestamp(text) for text in TIMES],
    "datetime64[us]": np.array([np.datetime64("NaT", "us") if text is None else text for text in TIMES], "M8[us]"),
    "datetime64[ns]": np.array([np.datetime64("NaT", "us") if text is None else text for text in TIMES], "M8[ns]"),
    "series": pd.Series(DATETIMES, dtype="M8[us]"),
    "series of objects": pd.Series(DATETIMES, dtype=object),
    "series of texts": pd.Series(TIMES, dtype="string"),
    "arrow in pandas": pd.Series(DATETIMES, dtype="timestamp[us][pyarrow]"),
    "polars": pl.Series(DATETIMES),
    "pyarrow": pa.array(DATETIMES),
    "chunks": pa.chunked_array([DATETIMES]),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_column_is_the_same_number(form: str) -> None:
    found = of().of({"when": FORMS[form], "size": [1.0, 2.0, 3.0]}).matrix[:, 0]
    np.testing.assert_array_equal(found, MICROSECONDS)
    np.testing.assert_array_equal(times(FORMS[form], WHEN), MICROSECONDS)


@pytest.mark.parametrize(
    "days",
    [
        np.array(["2024-02-29"], "M8[D]"),
        pl.Series([datetime.date(2024, 2, 29)]),
        pa.array([datetime.date(2024, 2, 29)]),
        pd.Series([datetime.date(2024, 2, 29)], dtype="date32[pyarrow]"),
        [datetime.date(2024, 2, 29)],
        ["2024-02-29"],
        ["20240229"],
        np.array(["2024-02-29T00"], "M8[12h]"),
    ],
    ids=lambda days: type(days).__module__ + str(getattr(days, "dtype", "")),
)
@pytest.mark.parametrize("unit", ["D", "s", "ms", "us", "ns"])
def test_a_date_alone_is_its_midnight(days: Any, unit: Any) -> None:
    assert times(days, replace(WHEN, unit=unit)).tolist() == [1_709_164_800_000_000.0]


def test_frames_rows_and_json_mean_the_same() -> None:
    tensors, size = of(), [1.0, 2.0, 3.0]
    frames = [
        pd.DataFrame({"when": pd.Series(DATETIMES), "size": size}),
        pl.DataFrame({"when": DATETIMES, "size": size}),
        pa.table({"when": pa.array(DATETIMES), "size": size}),
        [{"when": time, "size": number} for time, number in zip(TIMES, size, strict=True)],
        [[time, number] for time, number in zip(DATETIMES, size, strict=True)],
    ]
    for frame in frames:
        np.testing.assert_array_equal(tensors.of(frame).matrix, np.stack([MICROSECONDS, size], axis=1))
    body = json.dumps(frames[3]).encode()
    request = Request(manifest("regressor", (WHEN, NUMBER), ()))
    np.testing.assert_array_equal(tensors.decoded(request.decode(body)).matrix[:, 0], MICROSECONDS)
    one = np.empty(2)
    tensors.fill(one, request.decode(b'{"when": "1969-12-31", "size": 2}'))
    assert one.tolist() == [-86_400_000_000.0, 2.0]


def test_an_array_of_times_alone() -> None:
    tensors = Tensors(manifest("regressor", (WHEN,), ()))
    np.testing.assert_array_equal(tensors.of(FORMS["datetime64[us]"].reshape(-1, 1)).matrix[:, 0], MICROSECONDS)


ZONED = "expected a date or time without a zone, as in training, got one with a zone or offset: give it in the zone"
FINE = "expected a time of whole microseconds, got a finer one"
BAD: list[tuple[str, Any, str]] = [
    ("us", "2026-11-28T15:16:17Z", ZONED),
    ("us", "2026-11-28T15:16:17+02:00", ZONED),
    ("us", pd.Timestamp("2026-11-28", tz="UTC"), ZONED),
    ("us", datetime.datetime(2026, 11, 28, tzinfo=datetime.UTC), ZONED),
    ("us", "2026-11-28T15:16:17.1234567", FINE),
    ("us", "20261128T151617.1234567", FINE),
    ("us", "2026-11-28T151617,1234567", FINE),
    ("us", np.datetime64("2026-11-28T15:16:17.123456789"), FINE),
    ("us", pd.Timestamp("2026-11-28T15:16:17.123456789"), FINE),
    ("us", "28.11.2026", "expected a date or time in ISO 8601, got another string"),
    ("us", "2026-02-29", "expected a date or time in ISO 8601, got another string"),
    ("us", np.str_("never"), "expected a date or time in ISO 8601, got another string"),
    ("us", 5, "expected a date or time in ISO 8601, got number"),
    ("us", True, "expected a date or time in ISO 8601, got boolean"),
    ("us", ["2026-11-28"], "expected a date or time in ISO 8601, got array"),
    ("us", b"2026-11-28", "expected a date or time in ISO 8601, got another type"),
    ("us", "3000-01-01T00:00:00.000001", "expected a time that float64 holds in microseconds"),
    ("us", "9999-12-31T23:59:59.999999", "expected a date or time from 0001-01-01 to 9999-12-31T23:59:59, got one"),
    ("us", np.datetime64("290000-01-01"), "expected a date or time from 0001-01-01 to 9999-12-31T23:59:59, got one"),
    ("us", np.datetime64("-5", "Y"), "expected a date or time from 0001-01-01 to"),
    ("ns", "2263-01-01", "expected a date or time from 1677-09-21T00:12:43.145226 to 2262-04-11T23:47:16.854774, got"),
    ("s", "2026-11-28T15:16:17.5", "expected a time of whole seconds, as in training, got a finer one"),
    ("D", np.datetime64("2026-11-28T15"), "expected a time of whole days, as in training, got a finer one"),
    ("ms", "2026-11-28T15:16:17.123456", "expected a time of whole milliseconds, as in training, got a finer one"),
]


@pytest.mark.parametrize(("unit", "value", "sentence"), BAD, ids=[repr(bad[1]) for bad in BAD])
def test_what_is_refused_says_what_was_expected(unit: Any, value: Any, sentence: str) -> None:
    """With its path, and without the value, alone and among others."""
    feature = replace(WHEN, unit=unit)
    with pytest.raises(InputError, match=sentence) as alone:
        time_of(feature)(value)
    with pytest.raises(InputError, match=sentence) as among:
        times(["2026-11-28", value], feature)
    assert (alone.value.path, among.value.path) == ("$.when", "$[1].when")
    assert str(value) not in str(alone.value)


ZONES: list[Any] = [
    pd.Series(pd.to_datetime(["2026-11-28"]).tz_localize("UTC")),
    pd.Series([datetime.datetime(2026, 11, 28, tzinfo=datetime.UTC)], dtype="timestamp[us, UTC][pyarrow]"),
    pl.Series([datetime.datetime(2026, 11, 28)]).dt.replace_time_zone("Europe/Berlin"),
    pa.array([datetime.datetime(2026, 11, 28, tzinfo=datetime.UTC)]),
    pa.chunked_array([[datetime.datetime(2026, 11, 28, tzinfo=datetime.UTC)]]),
]


@pytest.mark.parametrize(
    "column", ZONES, ids=lambda column: type(column).__module__ + str(getattr(column, "dtype", ""))
)
def test_a_column_with_a_zone_is_refused(column: Any) -> None:
    """Some libraries would give its times in UTC without a word."""
    with pytest.raises(InputError, match=ZONED):
        of().of({"when": column, "size": [1.0]})


@pytest.mark.parametrize(
    ("array", "row", "sentence"),
    [
        (np.array(["2026-01-01", "NaT", "2026-01-01T00:00:00.000000001"], "M8[ns]"), 2, FINE),
        (np.array(["NaT", "99999-01-01"], "M8[D]"), 1, "expected a date or time from 0001-01-01"),
        (np.array(["2026-01-01", "2300-01-01T00:00:00.000001"], "M8[us]"), 1, "expected a time that float64 holds"),
    ],
)
def test_an_array_is_refused_with_its_row(array: Any, row: int, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as error:
        times(array, WHEN)
    assert error.value.path == f"$[{row}].when"


def test_a_missing_time_where_none_may_be() -> None:
    tensors = of(missing=False)
    with pytest.raises(InputError, match="expected a value, got a missing one"):
        tensors.of({"when": ["2026-11-28", None], "size": [1.0, 1.0]})
    request = Request(manifest("regressor", (replace(WHEN, missing=False), NUMBER), ()))
    with pytest.raises(InputError, match=r"\$.when: expected string, got null"):
        request.decode(b'{"when": null, "size": 1}')


def test_json_names_the_row_of_a_time_that_is_none() -> None:
    tensors, request = of(), Request(manifest("regressor", (WHEN, NUMBER), ()))
    rows = request.decode(b'[{"when": "2026-11-28"}, {"when": "soon"}, {"when": "later"}]')
    with pytest.raises(InputError, match=r"\$\[1\].when: expected a date or time in ISO 8601, got another string"):
        tensors.decoded(rows)
    with pytest.raises(InputError, match=r"\$.when: expected string or null, got integer"):
        request.decode(b'{"when": 20261128}')


def test_columns_of_a_dialect_are_strings_or_null() -> None:
    tensors = of().within(Limits(text=20))
    found = tensors.table({"when": ["2026-11-28", None], "size": [1.0, 2.0]}, 2).matrix[:, 0]
    np.testing.assert_array_equal(found, [1_795_824_000_000_000.0, np.nan])
    for values, sentence in (
        (["2026-11-28", 3.0], r"\$\[1\].when: expected string, got number"),
        (np.array([1, 2]), r"\$\[0\].when: expected string, got number"),
        (["2026-11-28", "2026-11-28T15:16:17.000000"], r"\$\[1\].when: expected a string of at most 20 characters"),
    ):
        with pytest.raises(InputError, match=sentence):
            tensors.table({"when": values, "size": [1.0, 2.0]}, 2)


def test_a_range_and_a_table_are_held_to() -> None:
    few = replace(WHEN, unknown=False, categories=(0.0, 86_400_000_000.0))
    assert times(["1970-01-01", np.datetime64("1970-01-02"), None], few).tolist()[:2] == [0.0, 86_400_000_000.0]
    for values in (["1970-01-03"], np.array(["1970-01-03"], "M8[D]")):
        with pytest.raises(InputError, match=r"\$.when: expected one of the 2 dates or times seen in training, got an"):
            times(values, few)
    ranged = replace(WHEN, range=(0.0, 86_400_000_000.0))
    for values in (["1970-01-03"], np.array(["1970-01-03"], "M8[D]")):
        with pytest.raises(InputError, match=r"\$.when: expected a date or time from 1970-01-01 to 1970-01-02, got"):
            times(values, ranged)


def test_the_schema_says_how_a_time_is_written() -> None:
    described = manifest("regressor", (WHEN, NUMBER), ())
    schema = json_schema(described)["properties"]["when"]
    assert schema["type"] == ["string", "null"]
    assert "without a zone; seen in training from 1970-01-01 to 2020-09-13T12:26:40" in schema["description"]
    assert example(described)["when"] == "1995-05-09"
    strict = replace(WHEN, unknown=False, categories=(0.0,), unit="s")
    assert json_schema(manifest("regressor", (strict, NUMBER), ()))["properties"]["when"]["enum"] == ["1970-01-01"]


@pytest.mark.parametrize("microseconds", [0.0, -1.0, 1e15 + 1, -62_135_596_800_000_000.0, 253_402_300_799_000_000.0])
def test_what_is_written_is_read_again(microseconds: float) -> None:
    assert time_of(WHEN)(iso(microseconds)) == microseconds


def test_a_bundle_with_a_date_says_the_protocol_that_has_them(tmp_path: Path) -> None:
    assert protocol_of((WHEN, NUMBER), whole=False) == protocol_of((WHEN,), whole=True) == 4
    assert protocol_of((NUMBER,), whole=True) == 3
    for feature in (replace(WHEN, unit=None), replace(NUMBER, position=0, unit="us")):
        text = msgspec.json.encode(manifest("regressor", (feature,), ()))
        with pytest.raises(BundleError, match="expected a unit for dates and for nothing else in here, found"):
            read_manifest(text, "here")
