"""Vectorisers of texts, alone and with what stands behind and beside them."""

from typing import Any

import msgspec
import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import MaxAbsScaler, Normalizer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from convert import UnsupportedError
from convert.build import Twin
from runtime import InputError
from tests.convert.lower.twins import levels, model_of, twin_of

RNG = np.random.default_rng(5)
WORDS = ["red", "green", "blue", "Grün", "naïve", "it's", "a", "big", "SMALL", "house", "x1", "don't", "café", "İzmir"]
WORDS += ["straße", "ﬁne", "文", "the", "of", "and"]
TEXTS = [" ".join(RNG.choice(WORDS, RNG.integers(1, 9))) for _ in range(150)]
LABELS = np.array(["no", "yes"])[[int(("red" in text) != ("big" in text)) for text in TEXTS]]
THREE = np.array([min(text.count("e"), 2) for text in TEXTS])
NUMBER = np.array([len(text) + text.count("r") for text in TEXTS], float)
FRAME = pd.DataFrame(
    {
        "size": RNG.normal(size=150),
        "title": [text[:12] for text in TEXTS],
        "body": TEXTS,
        "colour": RNG.choice(["red", "green", "blue"], 150),
    }
)


def fitted(*steps: Any) -> Pipeline:
    return make_pipeline(*steps).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"binary": True},
        {"ngram_range": (1, 3), "stop_words": "english"},
        {"analyzer": "char", "ngram_range": (1, 3), "lowercase": False},
        {"analyzer": "char_wb", "ngram_range": (2, 4), "strip_accents": "unicode"},
        {"strip_accents": "ascii", "token_pattern": r"(?u)\b\w+\b", "max_features": 7},
        {"vocabulary": ["zoo", "red", "red house"], "ngram_range": (1, 2)},
        {"dtype": np.float32},
    ],
)
def test_counts_have_the_same_bits(parameters: dict[str, Any]) -> None:
    vectorizer = CountVectorizer(**parameters).fit(TEXTS)
    twin = twin_of(vectorizer, TEXTS)
    assert levels(twin) == {"transform": "bit"}
    model, texts = model_of(twin), ["", "A red RED house!", "ein Grün-blaues ﬁne"]
    found = model.transform(texts)
    assert found.dtype == vectorizer.dtype
    np.testing.assert_array_equal(found, vectorizer.transform(texts).toarray())


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"norm": "l1", "smooth_idf": False},
        {"norm": None, "use_idf": False, "binary": True},
        {"sublinear_tf": True, "ngram_range": (1, 2)},
        {"analyzer": "char_wb", "ngram_range": (2, 3), "sublinear_tf": True, "norm": "l1"},
    ],
)
def test_weighted_counts(parameters: dict[str, Any]) -> None:
    level = levels(twin_of(TfidfVectorizer(**parameters).fit(TEXTS), pd.Series(TEXTS)))
    if "sublinear_tf" not in parameters:  # a logarithm may differ in its last bit
        assert level == {"transform": "bit"}


@pytest.mark.parametrize(
    "parameters",
    [{}, {"norm": "l1", "alternate_sign": False}, {"norm": None, "binary": True}, {"ngram_range": (1, 2)}],
)
def test_hashed_counts(parameters: dict[str, Any]) -> None:
    twin = twin_of(HashingVectorizer(n_features=50, **parameters), TEXTS)
    assert levels(twin) == {"transform": "bit"}


def test_counts_of_a_table_become_weights() -> None:
    counts = RNG.poisson(0.5, (60, 9)).astype(float)
    twin = twin_of(TfidfTransformer().fit(counts), counts)
    assert not twin.scope.fallbacks
    twin = twin_of(TfidfTransformer(use_idf=False).fit(counts), counts)  # which has learnt nothing
    assert not twin.scope.fallbacks
    twin = twin_of(TfidfTransformer(sublinear_tf=True, norm="l1").fit(counts), counts)
    assert not twin.scope.fallbacks


MODELS: dict[str, Pipeline] = {
    "tfidf, logistic regression": fitted(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression()),
    "tfidf, linear svm": fitted(TfidfVectorizer(sublinear_tf=True), LinearSVC()),
    "counts, tfidf, sgd": fitted(CountVectorizer(), TfidfTransformer(), SGDClassifier(loss="log_loss", random_state=0)),
    "hashes, sgd": fitted(HashingVectorizer(n_features=2**12), SGDClassifier(random_state=0)),
    "counts, multinomial": fitted(CountVectorizer(), MultinomialNB()),
    "counts, complement": fitted(CountVectorizer(), ComplementNB()),
    "counts, bernoulli": fitted(CountVectorizer(binary=True), BernoulliNB()),
    "selected": fitted(TfidfVectorizer(), SelectKBest(chi2, k=6), LogisticRegression()),
    "frequencies alone": fitted(CountVectorizer(), TfidfTransformer(use_idf=False), LinearSVC()),
    "selected, then weighted": fitted(CountVectorizer(), SelectKBest(chi2, k=6), TfidfTransformer(), LinearSVC()),
    "scaled": fitted(TfidfVectorizer(), MaxAbsScaler(), StandardScaler(with_mean=False), LogisticRegression()),
    "components": fitted(TfidfVectorizer(), TruncatedSVD(4, random_state=0), Normalizer(), LogisticRegression()),
    "forest": fitted(CountVectorizer(), RandomForestClassifier(10, random_state=0)),
    "union": fitted(
        make_union(TfidfVectorizer(), make_pipeline(CountVectorizer(analyzer="char"), MaxAbsScaler())), LinearSVC()
    ),
    "union, normalised": fitted(make_union(TfidfVectorizer(), CountVectorizer()), TfidfTransformer(), LinearSVC()),
    "weighted union": make_pipeline(
        FeatureUnion([("a", TfidfVectorizer()), ("b", CountVectorizer())], transformer_weights={"a": 2.0, "b": 0.5}),
        Ridge(),
    ).fit(TEXTS, NUMBER),
    "several classes": make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, THREE),
    "search": GridSearchCV(
        fitted(TfidfVectorizer(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}, cv=2
    ).fit(TEXTS, LABELS),
}


@pytest.mark.parametrize("name", MODELS)
def test_texts_alone(name: str) -> None:
    pipeline = MODELS[name]
    model = model_of(twin_of(pipeline, TEXTS))
    texts = ["", "a red house", "big " * 40, "Grün it's ﬁne\nand RED"]
    for given in (texts, np.array(texts), np.array(texts, object), pd.Series(texts), {"text": texts}):
        found, expected = model.predict(given), pipeline.predict(texts)
        if expected.dtype.kind == "f":  # the proof has held it to level ulp
            np.testing.assert_allclose(found, expected, rtol=1e-12)
        else:
            np.testing.assert_array_equal(found, expected)
    (feature,) = model.manifest.inputs
    assert (feature.name, feature.kind, feature.missing) == ("text", "text", False)


def columns(*more: Any, text: Any = None) -> ColumnTransformer:
    return make_column_transformer(
        (StandardScaler(), ["size"]),
        (text or TfidfVectorizer(), "body"),
        (OneHotEncoder(handle_unknown="ignore"), ["colour"]),
        *more,
    )


TABLES: dict[str, Any] = {
    "forest": make_pipeline(columns(), RandomForestClassifier(10, random_state=0)),
    "logistic regression": make_pipeline(columns(), LogisticRegression()),
    "two texts": make_pipeline(columns((CountVectorizer(analyzer="char"), "title")), LogisticRegression()),
    "nested": make_pipeline(
        columns(text=make_pipeline(make_union(TfidfVectorizer(), CountVectorizer(binary=True)), TruncatedSVD(3))),
        LogisticRegression(),
    ),
    "a text that is a category as well": make_pipeline(
        columns((TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3)), "colour")), LogisticRegression()
    ),
    "the rest dropped": make_pipeline(make_column_transformer((TfidfVectorizer(), "title")), LinearSVC()),
}


@pytest.mark.parametrize("name", TABLES)
def test_texts_beside_numbers_and_categories(name: str) -> None:
    pipeline = TABLES[name].fit(FRAME, LABELS)
    model = model_of(twin_of(pipeline, FRAME))
    np.testing.assert_array_equal(model.predict(FRAME), pipeline.predict(FRAME))
    rows = FRAME.iloc[:7].to_dict("records")
    read = {feature.name for feature in model.manifest.columns}
    np.testing.assert_array_equal(
        model.predict([{k: row[k] for k in read} for row in rows]), pipeline.predict(FRAME[:7])
    )


def test_columns_by_place() -> None:
    array = FRAME[["size", "body"]].to_numpy(object)
    transformer = ColumnTransformer([("n", StandardScaler(), [0]), ("t", CountVectorizer(), 1)])
    pipeline = make_pipeline(transformer, LogisticRegression()).fit(array, LABELS)
    model = model_of(twin_of(pipeline, array))
    np.testing.assert_array_equal(model.predict(array), pipeline.predict(array))
    np.testing.assert_array_equal(model.predict(array.tolist()), pipeline.predict(array))


def test_what_is_no_text_is_refused() -> None:
    letters = HashingVectorizer(analyzer="char", n_features=64)
    model = model_of(twin_of(fitted(letters, SGDClassifier(random_state=0)), TEXTS))
    with pytest.raises(InputError, match="expected text of whole characters, got half of one"):
        model.predict(["\ud800"])
    for given, why in (
        (["a", 1], r"\$\[1\]\.text: expected string, got number"),
        (["a", None], r"\$\[1\]\.text: expected a value, got a missing one"),
        ([b"a"], "expected an array of rows with 1 columns"),
        (np.array([b"a"], object), r"\$\.text: expected string, got another type"),
        ("a text", "expected a DataFrame"),
    ):
        with pytest.raises(InputError, match=why):
            model.predict(given)


@pytest.mark.parametrize(
    ("vectorizer", "why"),
    [
        (CountVectorizer(tokenizer=sorted, token_pattern=None), "tokenizer=sorted, which a bundle cannot hold"),
        (TfidfVectorizer(preprocessor=str.upper), "preprocessor=str.upper, which a bundle cannot hold"),
        (HashingVectorizer(analyzer=str.rsplit), "analyzer=str.rsplit, which a bundle cannot hold"),
        (CountVectorizer(strip_accents=str.lower), "strip_accents=str.lower, which a bundle cannot hold"),
        (CountVectorizer(token_pattern=r"(\w+\s?)+"), "expected a token pattern such as"),
        (CountVectorizer(analyzer="char", ngram_range=(1, 40)), "expected n-grams of 1 to 32, found 1 to 40"),
        (TfidfVectorizer(dtype=np.float32), "expected a TfidfVectorizer of float64, found float32"),
    ],
)
def test_what_cannot_be_served_is_refused(vectorizer: Any, why: str) -> None:
    with pytest.raises(UnsupportedError, match=r"pipeline\['v'\]: ") as found:
        twin_of(Pipeline([("v", vectorizer), ("m", LinearSVC())]).fit(TEXTS, LABELS), TEXTS)
    assert why in str(found.value)


def widest(twin: Twin) -> int:
    """The width of the widest matrix of zeros that a graph puts entries into: what a row needs of memory."""
    found = [0]
    graph = onnx.load_from_string(twin.graph).graph
    constants = [node.attribute[0].t for node in graph.node if node.op_type == "Constant"]
    for tensor in (*graph.initializer, *constants):
        array = onnx.numpy_helper.to_array(tensor)
        if array.ndim == 2 and len(array) == 1 and array.dtype == np.float64 and not array.any():
            found.append(array.shape[1])
    return max(found)


@pytest.mark.parametrize("behind", [(), (TfidfTransformer(), MaxAbsScaler()), (SelectKBest(chi2, k=50_000),)])
def test_a_large_vocabulary_stays_sparse(behind: tuple[Any, ...]) -> None:
    terms = [f"{place:x}q" for place in range(100_000)]
    texts = [" ".join(terms[place] for place in RNG.integers(0, 100_000, 30)) for _ in range(60)]
    model = SGDClassifier(loss="log_loss", random_state=0)
    pipeline = make_pipeline(CountVectorizer(vocabulary=terms), *behind, model).fit(texts, LABELS[:60])
    twin = twin_of(pipeline, texts)
    assert widest(twin) == 1
    sizes = len(twin.graph), len(msgspec.json.encode(twin.manifest))
    assert sizes[0] < 3 * 8 * 100_000 + 20_000  # at most two factors and a weight for each term
    assert sizes[1] < 1_000_000


def test_a_consumer_of_dense_columns_is_noticed() -> None:
    vectorizer = CountVectorizer()
    twin = twin_of(fitted(vectorizer, SVC()), TEXTS)
    assert widest(twin) == len(vectorizer.vocabulary_)


def test_trees_ask_for_their_terms_alone() -> None:
    vectorizer = CountVectorizer(analyzer="char", ngram_range=(1, 2))
    tree = DecisionTreeClassifier(max_leaf_nodes=5, random_state=0)
    assert 0 < widest(twin_of(fitted(vectorizer, tree), TEXTS)) <= 4 < len(vectorizer.vocabulary_)


def test_a_vectoriser_with_a_wide_answer_is_proven_on_few_rows() -> None:
    terms = [f"{place:x}q" for place in range(70_000)]
    texts = [" ".join(terms[place] for place in RNG.integers(0, 70_000, 30)) for _ in range(200)]
    proof = twin_of(CountVectorizer(vocabulary=terms).fit(texts), texts).proof
    assert proof.probes.keys() == {"sample", "texts"}
    assert proof.rows <= 2**23 // 70_000
    assert len(proof.canary.rows) == 1


def test_any_text_is_taken_where_an_unseen_category_is_not() -> None:
    strict = make_column_transformer(
        (OneHotEncoder(), ["colour"]), (TfidfVectorizer(), "colour"), (CountVectorizer(), "body")
    )
    pipeline = make_pipeline(strict, LogisticRegression()).fit(FRAME, LABELS)
    model = model_of(twin_of(pipeline, FRAME))
    row = FRAME.iloc[:1].to_dict("records")[0]
    given = {"colour": row["colour"], "body": "never seen"}
    assert model.predict([given]).tolist() == pipeline.predict(pd.DataFrame([row | given])).tolist()
    with pytest.raises(InputError, match=r"\$\.colour: expected one of the 3 categories"):
        model.predict([given | {"colour": "never seen"}])


def test_boosted_trees() -> None:
    boosted = GradientBoostingClassifier(n_estimators=5, random_state=0)
    model = model_of(twin_of(fitted(CountVectorizer(), MaxAbsScaler(), boosted), TEXTS))
    assert set(model.predict(TEXTS)) == {"no", "yes"}
