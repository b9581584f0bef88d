"""Strings that a function reads as dates: the runtime reads them as pandas does, or not at all."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.tree import DecisionTreeRegressor

from convert import SampleError, UnsupportedError
from runtime import InputError
from tests.convert.lower.twins import levels, model_of, twin_of

ROWS = 60
RNG = np.random.default_rng(7)
WHEN = pd.Series((RNG.integers(-(10**9), 4 * 10**9, ROWS) * 10**6).astype("M8[us]"))
Y = RNG.normal(size=ROWS)
SECONDS = "%Y-%m-%dT%H:%M:%S"
PANDAS_2 = pd.__version__.startswith("2.")


def parts(times: Any) -> Any:
    return pd.DataFrame({"hour": times.dt.hour, "month": times.dt.month, "day": times.dt.day_of_year}).fillna(-1)


def reading(**keywords: Any) -> FunctionTransformer:
    return FunctionTransformer(lambda X: parts(pd.to_datetime(X["when"], **keywords)))


def both(step: Any, strings: Any) -> tuple[Any, Any]:
    """A pipeline of a step and a tree, and its twin."""
    frame = pd.DataFrame({"when": strings})
    model = make_pipeline(step, DecisionTreeRegressor(max_depth=6)).fit(frame, Y)
    twin = twin_of(model, frame)
    assert levels(twin)["predict"] == "bit"
    np.testing.assert_array_equal(model_of(twin).predict(frame), model.predict(frame))
    return model, model_of(twin)


@pytest.mark.parametrize(
    ("form", "keywords", "format", "zone"),
    [
        (SECONDS, {}, "ISO8601", None),
        ("%Y-%m-%d", {}, "ISO8601", None),
        ("%Y-%m-%d %H:%M", {"format": "ISO8601"}, "ISO8601", None),
        ("%Y-%m-%d", {"format": "mixed"}, "ISO8601", None),
        (f"{SECONDS}Z", {}, "ISO8601Z", "UTC"),
        (SECONDS, {"utc": True}, "ISO8601", "UTC"),
        (f"{SECONDS}+02:00", {"utc": True}, "ISO8601", "UTC"),
        ("%d.%m.%Y", {"format": "%d.%m.%Y"}, "%d.%m.%Y", None),
        ("%m/%d/%Y %H:%M", {"format": "%m/%d/%Y %H:%M", "utc": True}, "%m/%d/%Y %H:%M", "UTC"),
        ("%Y%m%d", {"format": "%Y%m%d"}, "%Y%m%d", None),
    ],
)
def test_strings_become_dates(form: str, keywords: Any, format: str, zone: str | None) -> None:
    model, twin = both(reading(**keywords), WHEN.dt.strftime(form))
    (feature,) = twin.manifest.inputs
    assert (feature.kind, feature.format, feature.zone, twin.manifest.protocol) == ("date", format, zone, 5)
    asked = pd.DataFrame({"when": (WHEN + pd.Timedelta(hours=17)).dt.strftime(form)})
    answers = json.loads(twin.predict_json(asked.to_json(orient="records").encode()))["predictions"]
    assert [answer["prediction"] for answer in answers] == model.predict(asked).tolist()


def test_rows_of_a_request_may_be_written_in_several_forms() -> None:
    """Each is what pandas makes of it by itself."""
    model, twin = both(reading(), WHEN.dt.strftime(SECONDS))
    for text in ("2026-11-28", "2026-11-28 05:06", "2026-11-28T05:06:07.5", None):
        own = model.predict(pd.DataFrame({"when": pd.Series([text], dtype=object)}))
        assert twin.predict([{"when": text}, {"when": "2020-01-01"}])[0] == own[0]


def test_the_first_year_that_pandas_reads() -> None:
    """pandas 3 counts microseconds; pandas 2 counts nanoseconds, and raises before these begin."""
    model, twin = both(reading(), WHEN.dt.strftime(SECONDS))
    early = pd.DataFrame({"when": pd.Series(["0001-01-01T23:59:59"], dtype=object)})
    if PANDAS_2:
        with pytest.raises(pd.errors.OutOfBoundsDatetime):
            model.predict(early)
        with pytest.raises(InputError, match="expected a date or time from 1677-09-21"):
            twin.predict(early)
    else:
        assert twin.predict(early) == model.predict(early)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-28T05:06Z", "in ISO 8601, without a zone, got another string"),
        ("28.11.2026", "got another string"),
        ("now", "got another string"),
        ("", "got another string"),
        ("2026-11-28T24:00", "got another string"),
        ("2026-11-28T05:06:07.1234567", "got another string"),
        (20261128, "got number"),
    ],
)
def test_what_pandas_may_take_and_the_runtime_does_not_is_a_sentence(text: Any, said: str) -> None:
    _, twin = both(reading(), WHEN.dt.strftime(SECONDS))
    with pytest.raises(InputError, match=rf"^\$\[1\]\.when: expected .*{said}"):
        twin.predict([{"when": "2026-11-28"}, {"when": text}])


def test_gaps_and_what_is_none() -> None:
    """What errors="coerce" has made missing in the sample is missing; in a request it must be."""
    strings = WHEN.dt.strftime(SECONDS).astype(object)
    strings[::9], strings[4::9] = None, "unknown"
    model, twin = both(reading(errors="coerce"), strings.where(strings != "unknown", None))
    frame = pd.DataFrame({"when": strings})
    noisy = model_of(twin_of(model, frame))
    asked = pd.DataFrame({"when": pd.Series([None, "2026-11-28"], dtype=object)})
    np.testing.assert_array_equal(noisy.predict(asked), model.predict(asked))
    np.testing.assert_array_equal(noisy.predict(asked), twin.predict(asked))
    with pytest.raises(InputError, match="without a zone, got another string"):
        noisy.predict(frame)


@pytest.mark.parametrize(
    "step",
    [
        FunctionTransformer(lambda X: X.apply(pd.to_datetime).apply(lambda column: column.dt.month)),
        FunctionTransformer(lambda X: X["when"].astype("datetime64[us]").dt.month.to_frame()),
        FunctionTransformer(lambda X: (pd.Timestamp("2026-11-28") - pd.to_datetime(X["when"])).dt.days.to_frame()),
        make_column_transformer((FunctionTransformer(lambda when: parts(pd.to_datetime(when))), "when")),
        make_pipeline(
            SimpleImputer(strategy="most_frequent").set_output(transform="pandas"), reading(format="ISO8601")
        ),
        make_pipeline(
            SimpleImputer(strategy="constant", fill_value="1970-01-01T00:00:00").set_output(transform="pandas"),
            reading(format="ISO8601"),
        ),
    ],
)
def test_other_ways_of_reading_them(step: Any) -> None:
    strings = WHEN.dt.strftime(SECONDS)
    gaps = "simpleimputer" in str(step).lower()
    both(step, strings.where(np.arange(ROWS) % 9 > 0) if gaps else strings)


@pytest.mark.parametrize("gap", [None, np.nan])
@pytest.mark.parametrize("dtype", [str, "string"])
def test_gaps_of_what_is_made_strings_first(dtype: Any, gap: Any) -> None:
    """pandas 2 makes "None" and "nan" of them by str, and reads neither as a time."""
    strings = WHEN.dt.strftime(SECONDS).astype(object)
    strings[4::9] = gap
    both(
        FunctionTransformer(lambda X: parts(pd.to_datetime(X["when"].astype(dtype), errors="coerce"))),
        pd.Series(strings.tolist(), dtype=object),
    )


def test_several_columns_beside_categories() -> None:
    """Each as its own step finds it, one after the other."""
    frame = pd.DataFrame({"city": RNG.choice(["Ulm", "Köln"], ROWS), "when": WHEN.dt.strftime(f"{SECONDS}Z")})
    frame["born"] = (WHEN - pd.Timedelta(days=3000)).dt.strftime("%d.%m.%Y")
    frame["seen"] = WHEN.dt.strftime("%Y-%m-%d")
    days = FunctionTransformer(
        lambda X: (pd.to_datetime(X["seen"]) - pd.to_datetime(X["born"], format="%d.%m.%Y")).dt.days.to_frame()
    )
    columns = make_column_transformer((OneHotEncoder(), ["city"]), (reading(), ["when"]), (days, ["seen", "born"]))
    model = make_pipeline(columns, DecisionTreeRegressor()).fit(frame, Y)
    twin = model_of(twin_of(model, frame))
    assert [feature.kind for feature in twin.manifest.inputs] == ["category", "date", "date", "date"]
    assert [feature.format for feature in twin.manifest.inputs] == [None, "ISO8601Z", "%d.%m.%Y", "ISO8601"]
    np.testing.assert_array_equal(twin.predict(frame), model.predict(frame))


@pytest.mark.parametrize(
    ("step", "form", "said"),
    [
        (reading(), "%m/%d/%Y", "found others: read it with a format of its own"),
        (reading(), f"{SECONDS}+02:00", r"found the offset \+02:00: read it with utc=True"),
        (reading(format="%d.%b.%Y"), "%d.%b.%Y", r"format='%d.%b.%Y': expected a format of %Y, .*, found %b"),
        (
            make_pipeline(SimpleImputer(strategy="most_frequent").set_output(transform="pandas"), reading()),
            SECONDS,
            'that an imputer has filled: give format="ISO8601" as well',
        ),
        (reading(dayfirst=True), "2026-01-%m", "it calls pandas.to_datetime with dayfirst: give format instead"),
        (
            FunctionTransformer(lambda X: pd.to_datetime(X["when"].str.len(), unit="s")),
            SECONDS,
            "with unit: give the pip",
        ),
        (
            FunctionTransformer(
                lambda X: parts(pd.to_datetime(X["when"])).assign(b=pd.to_datetime(X["when"], utc=True).dt.year)
            ),
            SECONDS,
            "it reads a column of strings as dates in two ways",
        ),
    ],
)
def test_what_cannot_be_read_alike_is_refused_by_name(step: Any, form: str, said: str) -> None:
    frame = pd.DataFrame({"when": WHEN.dt.strftime(form)})
    with pytest.raises((SampleError, UnsupportedError), match=said):
        twin_of(step.fit(frame), frame)


def test_strings_that_are_categories_as_well_are_refused() -> None:
    frame = pd.DataFrame({"when": WHEN.dt.strftime(SECONDS)})
    for encoder in (OneHotEncoder(), OneHotEncoder(handle_unknown="ignore")):
        columns = make_column_transformer((reading(), ["when"]), (encoder, ["when"])).fit(frame)
        with pytest.raises(SampleError, match="strings that the pipeline reads as dates and makes nothing else of"):
            twin_of(columns, frame)
