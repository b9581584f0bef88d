"""How times are written: whatever is read is what pandas reads, and what is written is read again."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime import BundleError, InputError
from runtime.dates import span, time_of, times
from runtime.manifest import Feature, protocol_of, read_manifest
from runtime.schema import example, json_schema
from runtime.tensors import Tensors
from runtime.written import ISO, ISO_UTC, check_format, check_zone, offset_of, pattern_of, reader, step_of, written
from tests.runtime.bundles import manifest

FORMATS = [
    "%d.%m.%Y",
    "%Y-%m-%d",
    "%Y%m%d",
    "%m/%d/%y",
    "%d/%m/%Y %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%SZ",
    "%H:%M on %d.%m.%Y, 100%%",
    "at %H:%M:%S, day.%Y%m%d",
    "[%Y-%m-%d] (%H:%M) {+|$^\\/}",
    "%Y%m%dT%H%M%S",
]
PANDAS_2 = pd.__version__.startswith("2.")
COUNTED = (datetime(1678, 1, 1), datetime(2262, 1, 1)) if PANDAS_2 else (datetime(1, 1, 1), datetime(9999, 12, 31))
"""What pandas reads: version 2 counts nanoseconds, and raises beyond what int64 holds of them."""
PIECES = st.sampled_from([*"0123456789", *"-./: TZ+%,", "on ", "100", "20", "19", "00", "٣", "\n", "e"])


def to_datetime(text: str, format: str | None, zone: str | None) -> Any:
    """What pandas makes of a string by itself."""
    named = None if format in (ISO, ISO_UTC) else format
    return pd.to_datetime(pd.Series([text], dtype=object), format=named, utc=zone is not None and format != ISO_UTC)[0]


def instant(time: datetime) -> pd.Timestamp:
    return pd.Timestamp(time).tz_convert("UTC") if time.tzinfo else pd.Timestamp(time)


@st.composite
def odd_texts(draw: st.DrawFn, format: str, zone: str | None) -> str:
    """A time as it should be written, with some characters changed, taken out or put in."""
    time = draw(st.datetimes(*COUNTED))
    time = time.replace(microsecond=draw(st.sampled_from([0, time.microsecond])))
    micros = (time - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    text = written(micros // step_of("us", format) * step_of("us", format), format, zone if format == ISO_UTC else None)
    text += draw(st.sampled_from(["", "", "Z", "+00:00", "-05:30", "+0200", "+24:00"])) if zone == "UTC" else ""
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(PIECES) + text[place + draw(st.integers(0, 2)) :]
    return text


@pytest.mark.parametrize(
    ("format", "zone"), [(ISO, None), (ISO, "UTC"), (ISO_UTC, "UTC"), *((format, None) for format in FORMATS)]
)
@pytest.mark.filterwarnings("ignore:Parsing dates in", "ignore:Could not infer format")
def test_what_is_read_is_what_pandas_reads(format: str, zone: str | None) -> None:
    read = reader(format, zone)
    taken = []

    @settings(max_examples=250, deadline=None, database=None, derandomize=True)
    @given(odd_texts(format, zone))
    def same(text: str) -> None:
        try:
            found = read(text)
        except ValueError:
            return
        if PANDAS_2 and not COUNTED[0] <= found.replace(tzinfo=None) <= COUNTED[1]:
            return  # a feature of nanoseconds does not take it either
        taken.append(text)
        assert instant(found) == to_datetime(text, format, zone), text

    same()
    assert len(taken) > 25


@pytest.mark.parametrize("format", [None, ISO, *FORMATS])
@pytest.mark.parametrize("year", [1, 999, 1969, 2026, 2068, 9999])
def test_what_is_written_is_read_again(format: str | None, year: int) -> None:
    if format is not None and "%y" in format and not 1968 < year < 2069:
        return
    step = step_of("us", format)
    micros = (datetime(year, 3, 4, 5, 6, 7, 89) - datetime(1970, 1, 1)) // timedelta(microseconds=1) // step * step
    for zone in (None, "UTC"):
        read = time_of(Feature("when", "date", 0, unit="us", format=format, zone=zone))
        if step == 1 and not 1684 < year < 2255:
            continue  # a float64 would not hold it
        assert read(written(micros, format, zone)) == micros


@pytest.mark.parametrize(
    ("format", "said"),
    [
        ("%d.%b.%Y", "found %b"),
        ("%d.%m.%Y %z", "found %z"),
        ("%d.%m.%Y%", "found %"),
        ("%d.%m", "a year, a month and a day, each part once"),
        ("%Y-%m-%d %d", "each part once"),
        ("%Y-%m-%d %y", "each part once"),
        ("%Y-%m-%d %S", "no part between two is left out"),
        ("%Y-%m-%d" + 121 * " ", "at most 128 characters, found 129"),
    ],
)
def test_formats_that_mean_not_the_same_to_everybody(format: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_format(format)


WHEN = Feature("when", "date", 0, missing=True, seen=(0.0, 1.6e15), unit="us", zone="UTC")


@pytest.mark.parametrize(
    ("format", "zone", "text", "said"),
    [
        (None, "UTC", "2026-11-28T15:16", "expected a date or time with Z or an offset, for in training they have a z"),
        (ISO, None, "2026-11-28T15:16Z", "expected a date or time in ISO 8601, without a zone, got another string"),
        (ISO, None, "20261128", "expected a date or time in ISO 8601, without a zone, got another string"),
        (ISO_UTC, "UTC", "2026-11-28T15:16+02:00", "expected a date or time in ISO 8601, with Z, got another string"),
        ("%d.%m.%Y", None, "2026-11-28", "expected a date or time as %d.%m.%Y, got another string"),
        ("%d.%m.%Y", None, "29.02.2026", "expected a date or time as %d.%m.%Y, got another string"),
        ("%d.%m.%Y", None, "28.11.2026\n", "expected a date or time as %d.%m.%Y, got another string"),
        (None, "Europe/Berlin", "1899-12-31T23:00Z", "from 1900-01-01T00:00:00Z to 2100-01-01T00:00:00Z, got one"),
        (None, "+05:30", 3, "expected a date or time in ISO 8601, got number"),
        ("%d.%m.%Y", None, 3, "expected a date or time as %d.%m.%Y, got number"),
        ("%d.%m.%Y", None, datetime(2026, 11, 28, 15), "a time of whole days, as in training, got a finer one"),
        ("%d.%m.%Y %Hh", None, np.datetime64("2026-11-28T15:16"), "a time of whole hours, as in training, got a f"),
        (ISO, None, "2026-11-28T24:00", "expected a date or time in ISO 8601, without a zone, got another string"),
    ],
)
def test_other_strings_are_a_sentence_with_row_and_column(format: Any, zone: Any, text: Any, said: str) -> None:
    feature = msgspec.structs.replace(WHEN, format=format, zone=zone)
    with pytest.raises(InputError, match=r"^\$\[1\]\.when: ") as caught:
        Tensors(manifest("regressor", (feature,), ())).rows([{"when": None}, {"when": text}])
    assert said in str(caught.value)


INSTANT = [datetime(2026, 11, 28, 14, 16, tzinfo=UTC), None]
MICROS = [1_795_875_360_000_000.0, np.nan]


@pytest.mark.parametrize(
    "column",
    [
        ["2026-11-28T14:16Z", None],
        ["2026-11-28T15:16+01:00", None],
        INSTANT,
        [pd.Timestamp(INSTANT[0]).tz_convert("Asia/Kolkata"), pd.NaT],
        pd.Series(INSTANT, dtype="datetime64[us, UTC]"),
        pd.Series(INSTANT, dtype="datetime64[ns, UTC]"),
        pd.Series(INSTANT, dtype="timestamp[ms, tz=UTC][pyarrow]"),
        pl.Series(INSTANT, dtype=pl.Datetime("ms", "UTC")),
        pl.Series(INSTANT, dtype=pl.Datetime("ns", "UTC")).to_arrow(),
    ],
    ids=lambda column: str(getattr(column, "dtype", type(column))),
)
def test_every_form_of_an_instant_is_the_same_number(column: Any) -> None:
    np.testing.assert_array_equal(times(column, WHEN), MICROS)


def test_a_column_in_another_zone_or_without_is_refused() -> None:
    """Of the same instants the pipeline would make something else."""
    column = pd.Series(INSTANT, dtype="datetime64[us, UTC]")
    with pytest.raises(
        InputError, match=r"the zone UTC, as in training, got ones in Europe/Berlin: give them by colum"
    ):
        times(column.dt.tz_convert("Europe/Berlin"), WHEN)
    for without in (column.dt.tz_localize(None), column.dt.tz_localize(None).to_numpy(), [np.datetime64("2026-11-28")]):
        with pytest.raises(InputError, match="with Z or an offset, for in training they have a zone, got one without"):
            times(without, WHEN)
    read_as_utc = msgspec.structs.replace(WHEN, format=ISO)
    for of_any in (
        column.dt.tz_convert("Europe/Berlin"),
        column.dt.tz_localize(None),
        [datetime(2026, 11, 28, 14, 16)],
    ):
        assert times(of_any, read_as_utc)[0] == MICROS[0]


def test_a_request_is_described_as_it_must_be_written() -> None:
    described = {
        (None, "UTC"): "in ISO 8601, with Z or an offset",
        (ISO, None): "in ISO 8601, without a zone",
        (ISO, "UTC"): "in ISO 8601, with Z or an offset, else in UTC",
        (ISO_UTC, "UTC"): "in ISO 8601, with Z",
        ("%d.%m.%Y", None): "as %d.%m.%Y",
    }
    for (format, zone), words in described.items():
        made = manifest("regressor", (msgspec.structs.replace(WHEN, format=format, zone=zone),), ())
        schema = json_schema(made)["properties"]["when"]
        assert f"{words}; seen" in schema["description"]
        assert schema["pattern"] == f"^{pattern_of(format, zone)}$"
        assert not np.isnan(Tensors(made).rows([example(made)]).matrix).any()


@pytest.mark.parametrize(
    ("format", "zone"),
    [(None, None), (None, "UTC"), (ISO, None), (ISO, "UTC"), (ISO_UTC, "UTC"), *((format, None) for format in FORMATS)],
)
def test_a_pattern_is_one_of_json_schemas_dialect(format: str | None, zone: str | None) -> None:
    """Of ECMA-262 with Unicode, as validators compile it: there only what has a meaning may be escaped."""
    pattern = pattern_of(format, zone)
    assert set(re.findall(r"\\(.)", pattern)) <= set("^$\\.*+?()[]{}|")
    assert re.fullmatch(pattern, written(1_795_879_000_000_000, format, zone))


def test_bundles_of_zones_and_formats_say_protocol_5() -> None:
    assert protocol_of([Feature("when", "date", 0, unit="us")], False) == 4
    changes: dict[str, Any]
    for changes in ({"zone": "UTC"}, {"format": ISO}):
        made = manifest("regressor", (msgspec.structs.replace(WHEN, **{"zone": None, **changes}),), ())
        assert protocol_of(made.inputs, False) == 5
        assert read_manifest(msgspec.json.encode(made), "here") == made
    for changes, said in (
        ({"zone": "\n"}, "here: expected a zone's name"),
        ({"format": ISO_UTC}, "expected a zone of times that end with Z in here, found none of 'when'"),
        ({"format": "%B"}, "here: expected a format of %Y, %y, %m, %d, %H, %M, %S, %f, found %B"),
        ({"kind": "number", "unit": None, "format": ISO}, "expected formats and zones of dates alone in here"),
    ):
        odd = msgspec.structs.replace(made.inputs[0], zone=None, format=None)
        bad = manifest("regressor", (msgspec.structs.replace(odd, **changes),), ())
        with pytest.raises(BundleError, match=said):
            read_manifest(msgspec.json.encode(bad), "here")


def test_zones_and_what_is_known_of_them() -> None:
    for zone in ("UTC", "+05:30", "-11:00", "Europe/Berlin"):
        check_zone(zone)
    assert offset_of("-11:30") == datetime.strptime("-11:30", "%z").tzinfo
    assert offset_of("Europe/Berlin") is offset_of("+24:00") is None
    assert span(Feature("when", "date", 0, unit="us", format="%d.%m.%y"))[0] == -31_536_000_000_000
