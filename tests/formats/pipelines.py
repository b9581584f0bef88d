"""The pipelines whose bundles are frozen: small, and of every kind of input and output that the format knows."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.decomposition import NMF
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

__all__ = ["PIPELINES", "Frozen"]

ROWS = 60


class Frozen(NamedTuple):
    """pipeline: fitted; sample: its rows; rows: what is asked of it, as JSON's values."""

    pipeline: Any
    sample: pd.DataFrame
    rows: list[dict[str, Any]]


def _numbers(random: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(random.normal(size=(ROWS, 3)).round(2), columns=["a", "b", "ünï \N{SNOWMAN}"])


def _asked(frame: pd.DataFrame, *more: dict[str, Any]) -> list[dict[str, Any]]:
    """Some rows of a frame, and the first with each of the changes."""
    rows = [
        {name: None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.head(6).to_dict("records")
    ]
    return [*rows, *(rows[0] | change for change in more)]


def numbers_regressor(random: np.random.Generator) -> Frozen:
    """Scaled numbers and a tree, folded to one node."""
    frame = _numbers(random)
    pipeline = make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=4, random_state=0))
    changes = ({"a": 0.0}, {"a": -0.0, "b": 5e-324}, {"b": 2.0**53 + 2}, {"b": -1e30})
    return Frozen(pipeline.fit(frame, frame["a"] * frame["b"]), frame, _asked(frame, *changes))


def logistic(random: np.random.Generator) -> Frozen:
    """Numbers and what is equal but for rounding: a matrix product and exponentials."""
    frame = _numbers(random)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    return Frozen(pipeline.fit(frame, np.sign(frame["a"] + frame["b"])), frame, _asked(frame, {"a": 30.0}))


def mixed_classifier(random: np.random.Generator) -> Frozen:
    """Categories of every type and numbers, both with gaps; labels that are strings."""
    frame = _numbers(random)
    frame.loc[::7, "b"] = np.nan
    frame["city"] = pd.Series(random.choice(["Bern", "", "Zürich", "O'Hare"], ROWS), dtype=object)
    frame.loc[::11, "city"] = None
    frame["account"] = random.choice([2**53 + 1, 2**53 + 3, 7], ROWS)
    frame["member"] = random.random(ROWS) > 0.5
    frame["note"] = "not read"
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b", "ünï \N{SNOWMAN}", "member"]),
        (OneHotEncoder(handle_unknown="ignore"), ["city", "account"]),
    )
    pipeline = make_pipeline(columns, RandomForestClassifier(5, max_depth=4, random_state=0))
    labels = np.where(frame["a"] > 0.3, "ja", np.where(frame["member"], "nein", "später"))
    changes = ({"city": "Genève"}, {"b": None, "city": None}, {"account": 2**53 + 3}, {"member": False})
    return Frozen(pipeline.fit(frame, labels), frame, _asked(frame, *changes))


def several_outputs(random: np.random.Generator) -> Frozen:
    """A classifier that answers a list of arrays."""
    frame = _numbers(random)
    pipeline = DecisionTreeClassifier(max_depth=4, random_state=0)
    targets = np.stack([frame["a"] > 0, 10 + (frame["b"] > 0) + (frame["b"] > 1)], axis=1).astype(int)
    return Frozen(pipeline.fit(frame, targets), frame, _asked(frame, {"a": -7.0}))


def boosting(random: np.random.Generator) -> Frozen:
    """Boosted trees with tests of categories and gaps."""
    frame = _numbers(random)
    frame.loc[::5, "a"] = np.nan
    frame["city"] = pd.Categorical(random.choice(["Bern", "Basel", "Genève"], ROWS))
    pipeline = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=3, random_state=0)
    target = frame["b"] + frame["city"].map({"Bern": 1.0, "Basel": -1.0, "Genève": 3.0}).astype(float)
    return Frozen(pipeline.fit(frame, target), frame, _asked(frame, {"a": 1e5}, {"a": None, "city": "Basel"}))


def scaler(random: np.random.Generator) -> Frozen:
    """What only transforms."""
    frame = _numbers(random)
    return Frozen(StandardScaler().fit(frame), frame, _asked(frame, {"a": 1e300}))


def texts(random: np.random.Generator) -> Frozen:
    """Counts of words and of n-grams of characters beside a number."""
    frame = _numbers(random)[["a"]]
    words = np.array(["good", "bad", "été", "the", "a-b", "Straße"])
    frame["text"] = [" ".join(random.choice(words, 4)) for _ in range(ROWS)]
    columns = make_column_transformer(
        (CountVectorizer(strip_accents="unicode", stop_words=["the"]), "text"),
        (CountVectorizer(analyzer="char_wb", ngram_range=(2, 2), max_features=6), "text"),
        ("passthrough", ["a"]),
    )
    pipeline = make_pipeline(columns, DecisionTreeClassifier(max_depth=5, random_state=0))
    changes = ({"text": ""}, {"text": "ete  ÉTÉ\tgood"}, {"text": "unheard of \N{SNOWMAN}"})
    return Frozen(pipeline.fit(frame, frame["text"].str.contains("good")), frame, _asked(frame, *changes))


def moments(random: np.random.Generator) -> Frozen:
    """Dates and times of two units, one with gaps, beside a number."""
    frame = _numbers(random)[["a"]]
    days = random.integers(-9000, 20_000, ROWS)
    frame["born"] = pd.Series(days.astype("M8[D]").astype("M8[s]"))
    frame["called"] = pd.Series((days * 86_400_000_000 + random.integers(0, 86_400_000_000, ROWS)).astype("M8[us]"))
    frame.loc[::9, "called"] = pd.NaT
    columns = make_column_transformer(
        (StandardScaler(), ["born"]), (OneHotEncoder(handle_unknown="ignore"), ["called"]), remainder="passthrough"
    )
    pipeline = make_pipeline(columns, DecisionTreeRegressor(max_depth=5, random_state=0)).fit(frame, days)
    rows = [{name: written(value) for name, value in row.items()} for row in frame.head(6).to_dict("records")]
    changes = ({"born": "1969-12-31T23:59:59"}, {"born": "0001-01-01"}, {"called": "9999-12-31"}, {"called": None})
    return Frozen(pipeline, frame, [*rows, *(rows[0] | change for change in changes)])


def instants(random: np.random.Generator) -> Frozen:
    """Times with a zone, and strings that are read as dates, beside a number."""
    frame = _numbers(random)[["a"]]
    days = pd.Series(random.integers(-9000, 20_000, ROWS).astype("M8[D]").astype("M8[us]"))
    seconds = pd.Series(random.integers(0, 2 * 10**9, ROWS).astype("M8[s]"))
    frame["called"] = seconds.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    frame["born"] = days.dt.strftime("%d.%m.%Y").where(np.arange(ROWS) % 9 > 0, None)
    frame["seen"] = seconds.dt.strftime("%Y-%m-%dT%H:%M:%SZ")

    def parts(X: pd.DataFrame) -> pd.DataFrame:
        born = pd.to_datetime(X["born"], format="%d.%m.%Y")
        return pd.DataFrame(
            {"hour": X["called"].dt.hour, "age": (born - pd.Timestamp("2000-01-01")).dt.days, "a": X["a"]}
        ).assign(weekday=pd.to_datetime(X["seen"]).dt.day_of_week)

    pipeline = make_pipeline(FunctionTransformer(parts), DecisionTreeRegressor(max_depth=5, random_state=0))
    rows = [{name: written(value) for name, value in row.items()} for row in frame.head(6).to_dict("records")]
    changes = (
        {"called": "2026-07-01T00:30:00+02:00"},
        {"born": "1.2.1950"},
        {"born": None},
        {"seen": "1969-12-31T23:59:00Z"},
    )
    return Frozen(pipeline.fit(frame, days.dt.day), frame, [*rows, *(rows[0] | change for change in changes)])


def written(value: Any) -> Any:
    if pd.isna(value):
        return None
    return value if isinstance(value, float | str) else value.isoformat()


def topics(random: np.random.Generator) -> Frozen:
    """What answers to a row according to the rows beside it."""
    frame = pd.DataFrame(random.poisson(2.0, size=(ROWS, 3)).astype(float), columns=["a", "b", "ünï \N{SNOWMAN}"])
    return Frozen(NMF(2, random_state=0).fit(frame), frame, _asked(frame, {"a": 40.0}))


PIPELINES = {
    make.__name__: make
    for make in (
        numbers_regressor,
        logistic,
        mixed_classifier,
        several_outputs,
        boosting,
        scaler,
        texts,
        topics,
        moments,
        instants,
    )
}
