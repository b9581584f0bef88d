"""The calendar as pandas has it, over all of it."""

from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import spox
import spox.opset.ai.onnx.v21 as op
from hypothesis import example, given, settings
from hypothesis import strategies as st

from convert.lower.calendar import Calendar, floor_div, remainder
from convert.lower.dt import LENGTHS
from convert.lower.times import FIELDS

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt")

FIRST, LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
MIDNIGHTS = [
    int(pd.Timestamp(year=year, month=month, day=day).as_unit("us").to_numpy().astype(np.int64))
    for year in (1, 4, 100, 400, 1600, 1677, 1899, 1900, 1969, 1970, 1972, 2000, 2023, 2024, 2100, 2400, 9999)
    for month, day in ((1, 1), (2, 28), (3, 1), (4, 1), (6, 30), (9, 30), (10, 1), (12, 31))
]
TIMES = [
    midnight + beside
    for midnight in MIDNIGHTS
    for beside in (-1, 0, 1, 86_399_999_999, 86_400_000_000)
    if FIRST <= midnight + beside <= LAST
]


def session_of(parts: dict[str, Any], whole: spox.Var) -> onnxruntime.InferenceSession:
    model = spox.build({"whole": whole}, parts)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    """Of every field at once."""
    whole = spox.argument(spox.Tensor(np.int64, ("N",)))
    calendar = Calendar(whole)
    fields = {name: getattr(calendar, own) for name, own in FIELDS.items()}
    fields |= {f"iso {part}": getattr(calendar, f"iso_{part}") for part in ("year", "week", "day")}
    aliases = {name: op.identity(field) for name, field in fields.items()}
    return session_of(aliases, whole)


def expected_of(times: list[int]) -> dict[str, Any]:
    column = pd.Series(np.array(times, np.int64).view("M8[us]"))
    iso = column.dt.isocalendar()
    found = {name: getattr(column.dt, name).to_numpy() for name in FIELDS}
    return found | {f"iso {part}": iso[part].to_numpy(np.int64) for part in ("year", "week", "day")}


def compare(session: onnxruntime.InferenceSession, times: list[int]) -> None:
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(names, {"whole": np.array(times, np.int64)}), strict=True))
    for name, wanted in expected_of(times).items():
        np.testing.assert_array_equal(found[name], wanted, name)


def test_where_the_calendar_turns_over(session: onnxruntime.InferenceSession) -> None:
    compare(session, TIMES)


def test_every_day_of_four_hundred_years(session: onnxruntime.InferenceSession) -> None:
    """An era, in which every case of the calendar comes."""
    compare(session, (np.arange(-146_097, 146_097) * 86_400_000_000).tolist())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(FIRST, LAST), min_size=1, max_size=20))
@example([FIRST, LAST])
def test_any_time(session: onnxruntime.InferenceSession, times: list[int]) -> None:
    compare(session, times)


def test_a_wrong_calendar_is_seen(session: onnxruntime.InferenceSession) -> None:
    """A day earlier is another day."""
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(names, {"whole": np.array(TIMES) - 86_400_000_000}), strict=True))
    same = {name for name, wanted in expected_of(TIMES).items() if np.array_equal(found[name], wanted)}
    assert same == {"hour", "minute", "second", "microsecond", "nanosecond"}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(FIRST - LAST, LAST - FIRST), min_size=1, max_size=20))
@example([-1, 0, 1, -86_400_000_000, -86_400_000_001, 86_399_999_999])
def test_how_long_it_is(lengths: list[int]) -> None:
    whole = spox.argument(spox.Tensor(np.int64, ("N",)))
    session = session_of({name: length(whole) for name, length in LENGTHS.items()}, whole)
    column = pd.Series(np.array(lengths, np.int64).view("m8[us]"))
    for name in LENGTHS:
        (found,) = session.run([name], {"whole": np.array(lengths, np.int64)})
        np.testing.assert_array_equal(found, getattr(column.dt, name).to_numpy(), name)


@pytest.mark.parametrize("by", [1, 7, 1_000_000])
def test_division_towards_minus_infinity(by: int) -> None:
    numbers = np.array([-(2**62), -by - 1, -by, -1, 0, 1, by - 1, by, 2**62])
    whole = spox.argument(spox.Tensor(np.int64, ("N",)))
    session = session_of({"quotient": floor_div(whole, by), "rest": remainder(whole, by)}, whole)
    quotient, rest = session.run(["quotient", "rest"], {"whole": numbers})
    np.testing.assert_array_equal(quotient, numbers // by)
    np.testing.assert_array_equal(rest, numbers % by)
