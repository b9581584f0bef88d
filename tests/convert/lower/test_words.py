"""Functions of categories and texts, and of the single values of a frame, beside their twins."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from convert.errors import UnsupportedError

from .twins import levels, model_of, twin_of

ROWS = 120
RNG = np.random.default_rng(2)
WORDS = np.array(["free", "money", "hello", "world", "meeting", "now", "İzmir", "don't"])
FRAME = pd.DataFrame(
    {
        "size": np.where(RNG.random(ROWS) < 0.2, np.nan, RNG.normal(size=ROWS)),
        "floor": RNG.integers(0, 4, ROWS),
        "city": RNG.choice(np.array(["Ulm", "Bonn", "Köln", None], object), ROWS),
        "body": [" ".join(RNG.choice(WORDS, RNG.integers(1, 8))) for _ in range(ROWS)],
        "title": RNG.choice(np.array(["free now", "hello", np.nan], object), ROWS),  # what an imputer looks for
    }
)
LABELS = (FRAME["floor"] + FRAME["body"].str.count("free") > 2).astype(int)
FRESH = pd.DataFrame(
    {
        "size": [np.nan, 1.5, -0.0, 1e9],
        "floor": [7, 0, -1, 3],
        "city": ["Paris", None, "", "Ulm"],
        "body": ["free  now\n", "", "a\0b é", "money free free"],
        "title": [np.nan, "", "unseen free", "hello"],
    }
)


def assert_alike(pipeline: Any, sample: Any = FRAME, fresh: pd.DataFrame = FRESH) -> None:
    """Rows that neither the pipeline nor the proof has seen, together and one by one."""
    model = model_of(twin_of(pipeline, sample))
    method = "predict_proba" if hasattr(pipeline, "predict_proba") else "transform"
    expected = np.asarray(getattr(pipeline, method)(fresh), float)
    together = getattr(model, method)(fresh)
    alone = np.concatenate([getattr(model, method)(fresh.iloc[[row]]) for row in range(len(fresh))])
    for found in (together, alone):
        np.testing.assert_allclose(found.astype(float), expected, rtol=1e-12, atol=1e-15)


def replaced_in_rows(frame: Any) -> Any:
    frame = frame[["size", "floor"]].fillna(0)
    frame.loc[frame["size"] < 0, "size"] = -1
    frame.loc[:, "more"] = frame["floor"] * 2
    return frame


def beside(frame: Any) -> Any:
    out = pd.DataFrame(index=frame.index)
    out["even"] = frame["floor"] % 2
    out["Ulm"] = frame["city"] == "Ulm"
    out["known"] = 1
    return out


def put_in_place(frame: Any) -> Any:
    frame = frame[["city", "size"]].fillna({"size": 0, "city": "nowhere"})
    frame["city"] = frame["city"].map({"Ulm": 1, "Bonn": 2, "Köln": 3, "nowhere": 0}).fillna(-1)
    return frame


def graded(number: Any) -> Any:
    if pd.isna(number):
        return None
    if number < -0.5:
        return 0
    return 1 if number in (1.5, 0.25) or not number > 0 else number * 2


def shared(row: Any) -> Any:
    if row["floor"] == 0 or pd.isna(row["size"]):
        return 0
    return row["size"] / row["floor"] if row.size_class > 0 else max(row.floor, 2)


def measured(number: Any) -> Any:
    if math.isnan(number):
        return 0.0
    return math.exp(-abs(number)) + math.atan2(number, 2) if number < 1 else math.log(number + 1, 3)


def tried(number: Any) -> Any:
    try:
        return math.factorial(number)
    except Exception:
        return -1.0


def times(number: Any, factor: float = 1.0) -> Any:
    return number * factor


def in_place(frame: Any) -> Any:
    frame = frame[["size", "floor", "city"]].copy()
    frame.fillna({"size": 0.5}, inplace=True)
    frame.rename(columns={"floor": "storey"}, inplace=True)
    frame.drop(columns=["city"], inplace=True)
    return frame


def rearranged(frame: Any) -> Any:
    frame = frame[["floor", "size", "city"]].copy()
    frame.insert(0, "twice", frame.pop("floor") * 2)
    del frame["city"]
    frame.columns = ["twice", "size"]
    return frame.join(frame.add_suffix(" more").set_axis(["a", "b"], axis=1))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "equal": lambda df: (df["city"] == "Ulm").astype(int).to_frame(),
    "other": lambda df: df[["city", "title"]] != "hello",
    "where": lambda df: pd.DataFrame({"a": np.where(df["city"] != "Ulm", 1, df["floor"])}),
    "isin": lambda df: df.assign(known=df["city"].isin(["Ulm", "Bonn"]))[["known", "floor"]],
    "missing": lambda df: df[["city", "size"]].isna(),
    "mapped": lambda df: df["city"].map({"Ulm": 1.5, "Bonn": -2, "Köln": None}).fillna(0).to_frame(),
    "numbers mapped": lambda df: df["floor"].map({0: 5, 1: 6}).fillna(-1).to_frame(),
    "mapped by a function": lambda df: df[["floor"]].map(lambda number: number * 2 + 1),
    "numbers replaced": lambda df: df[["size", "floor"]].replace({np.nan: -1, 0: 9, 9: 0}),
    "replaced by one": lambda df: df[["floor"]].replace([1, 2], 0),
    "between": lambda df: df["floor"].between(1, 2).to_frame(),
    "rows": replaced_in_rows,
    "beside": beside,
    "in place": put_in_place,
    "length": lambda df: df["body"].str.len().to_frame(),
    "words": lambda df: df["body"].str.split().str.len().to_frame(),
    "counted": lambda df: df["body"].str.count(r"[eo]+").to_frame(),
    "contained": lambda df: df["body"].str.contains("now", na=False, regex=False).to_frame(),
    "missing texts have no length": lambda df: df["title"].str.len().fillna(-1).to_frame(),
    "values": lambda df: pd.DataFrame({"g": df["size"].apply(graded), "h": df["floor"].map(graded)}),
    "each cell": lambda df: df[["floor", "size"]].map(lambda number: number if number > 0 else 0.0),
    "strings": lambda df: df["city"].apply(lambda s: 2 if s == "Ulm" else int(s in ("Bonn", "Köln"))).to_frame(),
    "parts of strings": lambda df: df["body"].apply(lambda s: 1 if "free" in s else 0).to_frame(),
    "rows of cells": lambda df: df.assign(size_class=df["floor"] - 1).apply(shared, axis=1).to_frame(),
    "sums of rows": lambda df: df[["floor", "size"]].apply(lambda row: row.sum() - row.min(), axis=1).to_frame(),
    "one answer": lambda df: df[["floor"]].assign(one=df["size"].apply(lambda number: 1)),
    "cut": lambda df: pd.cut(df["floor"], [0, 1, 2, 9], labels=False).to_frame(),
    "cut with labels": lambda df: pd.DataFrame(
        {
            "a": pd.cut(df["floor"], [0, 2, 9], right=False, labels=[10, 20]).astype(float),
            "b": pd.cut(df["size"], [-1, 0, 1], labels=False, include_lowest=True),
        }
    ),
    "arguments": lambda df: pd.DataFrame(
        {"a": df["size"].apply(times, args=(3,)), "b": df["floor"].apply(times, factor=4)}
    ),
    "missing values passed over": lambda df: df["size"].map(lambda v: int(v > 0), na_action="ignore").to_frame(),
    "numbers of values": lambda df: df["floor"].apply(lambda v: int(v / 3) + float(v) + round(v / 2)).to_frame(),
    "numbers alone": lambda df: df[["size", "floor", "city"]].sum(axis=1, numeric_only=True).to_frame(),
    "mathematics": lambda df: df["size"].apply(measured).to_frame(),
    "rearranged": rearranged,
    "any and all": lambda df: pd.DataFrame(
        {"a": (df[["size", "floor"]] > 0).any(axis=1), "b": df[["floor"]].all(axis=1)}
    ),
    "products": lambda df: df[["size", "floor"]].prod(axis=1).to_frame(),
    "not skipped": lambda df: df[["size", "floor"]].sum(axis=1, skipna=False).to_frame(),
    "small integers": lambda df: (df[["floor"]] > 1).astype("int8").assign(b=df["floor"].astype("int32") // 2),
    "filtered": lambda df: df.filter(like="o").reindex(columns=["floor"]).pipe(np.negative),
    "names": lambda df: pd.concat([df[name] * 2 for name in df if name == "floor"], axis=1),
    "joined": lambda df: np.c_[df["floor"], df[["floor"]].to_numpy() + 1],
    "array": lambda df: np.asarray(df[["floor", "size"]]) * 2.0,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_a_mixed_frame(name: str) -> None:
    assert_alike(FunctionTransformer(FUNCTIONS[name]).fit(FRAME))


@pytest.mark.filterwarnings("ignore")  # pandas 3.1 advises against it
def test_a_frame_changed_in_place() -> None:
    assert_alike(FunctionTransformer(in_place).fit(FRAME))


EMPTY = SimpleImputer(strategy="constant", fill_value="")
SPOKEN = SimpleImputer(strategy="constant", fill_value="free or missing")
TEXTS: dict[str, Any] = {
    "chosen": make_pipeline(FunctionTransformer(lambda df: df["body"]), TfidfVectorizer()),
    "filled": ColumnTransformer(
        [("t", make_pipeline(FunctionTransformer(lambda s: s.fillna("")), CountVectorizer()), "title")]
    ),
    "filled with words": ColumnTransformer(
        [("t", make_pipeline(FunctionTransformer(lambda s: s.fillna("free a free")), TfidfVectorizer()), "title")]
    ),
    "imputed": ColumnTransformer(
        [("t", make_pipeline(EMPTY, FunctionTransformer(np.ravel), TfidfVectorizer(ngram_range=(1, 2))), ["title"])]
    ),
    "imputed with words": ColumnTransformer(
        [
            ("t", make_pipeline(SPOKEN, FunctionTransformer(np.ravel), HashingVectorizer(n_features=64)), ["title"]),
            ("c", make_pipeline(SPOKEN, FunctionTransformer(np.ravel), CountVectorizer(analyzer="char")), ["title"]),
        ]
    ),
    "counted beside": ColumnTransformer(
        [
            ("t", CountVectorizer(), "body"),
            ("n", FunctionTransformer(lambda s: s.str.len().to_frame()), "body"),
            ("c", OneHotEncoder(handle_unknown="ignore"), ["body"]),
        ]
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_on_their_way_to_a_vectoriser(name: str) -> None:
    assert_alike(make_pipeline(TEXTS[name], LogisticRegression()).fit(FRAME, LABELS))


def test_dense_terms_before_a_model_that_takes_no_sparse_ones() -> None:
    """By each of the ways in which it is written."""
    for dense in (lambda x: x.toarray(), lambda x: np.asarray(x.todense())):
        steps = [CountVectorizer(), FunctionTransformer(dense, accept_sparse=True), HistGradientBoostingClassifier()]
        pipeline = make_pipeline(*steps).set_params(histgradientboostingclassifier__max_iter=3)
        twin_of(pipeline.fit(FRAME["body"], LABELS), FRAME["body"])


@pytest.mark.parametrize(
    "function",
    [
        lambda df: df.fillna("none").replace({"Bonn": "Beuel"}),
        lambda df: df.replace("Köln", np.nan).fillna("Ulm"),
        lambda df: df.astype("category"),
        lambda df: df.astype(str),
        lambda df: df.astype("string").fillna("none"),
        lambda df: df.astype(object).fillna("none"),
        lambda df: df.apply(lambda column: column.fillna("Bonn")),
    ],
)
def test_categories_are_filled_and_replaced_before_an_encoder(function: Any) -> None:
    encode = make_pipeline(FunctionTransformer(function), OneHotEncoder(handle_unknown="ignore"))
    pipeline = make_pipeline(ColumnTransformer([("c", encode, ["city"])]), RandomForestClassifier(5, random_state=0))
    pipeline.fit(FRAME, LABELS)
    assert_alike(pipeline)
    assert levels(twin_of(pipeline, FRAME))["predict_proba"] == "bit"


def test_an_array_of_objects_is_compared() -> None:
    array = FRAME[["city", "title"]].fillna("").to_numpy(object)
    function = FunctionTransformer(lambda x: np.column_stack([x[:, 0] == "Ulm", x[:, 1] != ""]).astype(float))
    model = model_of(twin_of(function.fit(array), array))
    given = np.array([["Ulm", ""], ["x", "y"]], object)
    np.testing.assert_array_equal(model.transform(given), function.transform(given))


def test_a_cast_to_float32_folds_into_a_forest() -> None:
    X = FRAME[["floor"]].assign(size=RNG.normal(size=ROWS))
    cast = FunctionTransformer(lambda df: df.astype(np.float32))
    pipeline = make_pipeline(cast, RandomForestClassifier(5, random_state=0)).fit(X, LABELS)
    twin = twin_of(pipeline, X)
    assert levels(twin)["predict_proba"] == "bit"
    assert twin.scope.folded


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "small letters": (lambda df: df["city"].str.lower(), r"it uses .str.lower: it makes strings of strings"),
    "letters": (lambda df: df["city"].str[0], r"it uses .str\[\.\.\.\]: it makes strings of strings"),
    "mapped to strings": (lambda df: df["city"].map({"Ulm": "U"}), "it makes strings of strings"),
    "added": (lambda df: df["city"] + df["title"], "numpy.add is not known of strings"),
    "exchanged": (lambda df: df["city"].replace({"Ulm": "Bonn", "Bonn": "Ulm"}), "into each other's place"),
    "a missing text": (lambda df: df["title"].str.contains("e").to_frame(), "say na=False"),
    "strings of numbers": (lambda df: df[["floor"]].astype(str), "it makes strings of numbers"),
    "numbers of strings": (lambda df: df["city"].astype(float), "it makes float of categories"),
    "many ways": (
        lambda df: df["floor"].apply(lambda v: sum(int(v > k) if v > -k else 0 for k in range(9))),
        "64 ways",
    ),
    "caught": (lambda df: df["floor"].apply(tried).to_frame(), "it takes single numbers"),
    "strings of values": (lambda df: df["city"].apply(lambda s: len(f"{s}")).to_frame(), "it makes strings of what"),
    "a missing one among others": (lambda df: df["city"].isin(["1", None]).to_frame(), "use isna"),
    "intervals": (lambda df: pd.cut(df["floor"], [0, 1, 2]), "labels=False"),
    "another count": (lambda df: df[["floor"]].sum(axis=1, min_count=1).to_frame(), "it uses min_count="),
    "rows beside": (lambda df: df[["floor"]].fillna(0, limit=3), "it uses limit="),
    "digits": (lambda df: df["floor"].apply(lambda v: round(v, 1)).to_frame(), "use numpy.round"),
    "a pattern": (lambda df: df["body"].str.count("(a+)+").to_frame(), "whose time is linear"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_form_as_a_graph_is_told(name: str) -> None:
    function, words = REFUSED[name]
    frame = FRAME.assign(city=FRAME["city"].fillna("1"), floor=1.0)
    frame["city"] = "1"
    transformer = FunctionTransformer(function).fit(frame)
    with pytest.raises(UnsupportedError, match=words):
        twin_of(transformer, frame)


def test_a_replaced_text_is_no_text_for_a_vectoriser() -> None:
    steps = [FunctionTransformer(lambda df: df["title"].fillna("").replace("hello", "free")), CountVectorizer()]
    pipeline = make_pipeline(*steps, LogisticRegression()).fit(FRAME, LABELS)
    with pytest.raises(UnsupportedError, match="as they came, found that some were replaced"):
        twin_of(pipeline, FRAME)
