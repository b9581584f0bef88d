"""The whole way: pipeline -> bundle on disk -> loaded model -> the pipeline's answers."""

import datetime
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import DBSCAN
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import ClassifierChain
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from convert import ConvertError, ParityError, SampleError, SourceError, UnsupportedError, WriteError, convert
from convert.build import assemble
from runtime import load
from runtime.bundle import Bundle
from runtime.model import Model

ROWS = 200
RNG = np.random.default_rng(5)
FRAME = pd.DataFrame(
    {
        "alter": RNG.uniform(18, 90, ROWS),
        "Größe (m)": np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.normal(1.7, 0.1, ROWS)),
        "city": RNG.choice(np.array(["Ulm", "Köln", "São Paulo", None], object), ROWS),
        "plan": RNG.choice(["a", "b"], ROWS),
        "visits": RNG.integers(0, 9, ROWS),
        "note": [f"customer {i}" for i in range(ROWS)],
    }
)
LABELS = np.where(FRAME["alter"] + FRAME["visits"] * 5 > 75, "yes", "no")


def mixed(last: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    encode = ColumnTransformer(
        [
            ("numbers", numbers, ["alter", "Größe (m)"]),
            ("city", words, ["city"]),
            ("plan", OrdinalEncoder(), ["plan"]),
            ("rest", "drop", ["note"]),
        ],
        remainder=RobustScaler(),
        sparse_threshold=0,
    )
    return make_pipeline(encode, last).fit(FRAME, LABELS)


def test_a_mixed_pipeline_becomes_a_bundle_that_answers_alike(tmp_path: Path) -> None:
    """Written, read back, its canary rows answered; labels, shapes and dtypes as the pipeline's."""
    pipeline = mixed(RandomForestClassifier(20, random_state=0))
    proof = convert(pipeline, FRAME, tmp_path / "people", version="v1", promote="production")
    assert proof.outputs["predict_proba"].identical == proof.outputs["predict_proba"].rows
    model = load(tmp_path / "people")
    assert model.version == "v1"
    labels = model.predict(FRAME)
    assert labels.dtype == pipeline.predict(FRAME).dtype
    np.testing.assert_array_equal(labels, pipeline.predict(FRAME))
    np.testing.assert_array_equal(model.predict_proba(FRAME), pipeline.predict_proba(FRAME))
    with pytest.raises(AttributeError, match="this model has no transform: its pipeline offers predict, predict_proba"):
        model.transform(FRAME)
    row: dict[Any, Any] = {name: None if pd.isna(value) else value for name, value in FRAME.iloc[3].items()}
    row["visits"] = int(FRAME["visits"][3])
    answer = json.loads(model.predict_json(json.dumps(row).encode()))
    assert answer["prediction"] == pipeline.predict(FRAME.iloc[[3]])[0]
    assert answer["probability"] == pipeline.predict_proba(FRAME.iloc[[3]]).max()


def test_converting_twice_gives_identical_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the version and SOURCE_DATE_EPOCH."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    pipeline = mixed(HistGradientBoostingClassifier(max_iter=5, random_state=0))
    digests = []
    for folder in ("one", "two"):
        convert(pipeline, FRAME, tmp_path / folder, version="v1")
        files = sorted((tmp_path / folder / "v1").iterdir())
        digests.append({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files})
    assert digests[0] == digests[1]
    assert set(digests[0]) == {"model.onnx", "manifest.json", "proof.json", "SHA256SUMS"}


def test_a_bundle_holds_nothing_of_the_sample(tmp_path: Path) -> None:
    """Neither a dropped column's text nor any row's numbers."""
    convert(mixed(DecisionTreeClassifier(max_depth=3)), FRAME, tmp_path / "m", version="v1")
    text = b"".join(file.read_bytes() for file in (tmp_path / "m" / "v1").iterdir())
    assert b"customer" not in text
    rows = json.loads((tmp_path / "m" / "v1" / "proof.json").read_bytes())["canary"]["rows"]
    assert not {row[0] for row in rows} & set(FRAME["alter"])


@pytest.mark.parametrize("unread", [pd.Timestamp("2026-01-01"), b"bytes", (1, 2), pd.Period("2026"), 1j, None])
def test_what_is_dropped_unread_may_be_anything(unread: Any, tmp_path: Path) -> None:
    """A table as it comes from a database has dates that the pipeline leaves out."""
    X = FRAME[["visits"]].assign(when=[unread] * ROWS)
    columns = ColumnTransformer([("s", StandardScaler(), ["visits"])])
    pipeline = make_pipeline(columns, DecisionTreeClassifier(max_depth=3)).fit(X, LABELS)
    convert(pipeline, X, tmp_path / "m")
    model = load(tmp_path / "m")
    assert [feature.kind for feature in model.manifest.inputs] == ["number", "ignored"]
    np.testing.assert_array_equal(model.predict(X), pipeline.predict(X))
    answer = json.loads(model.predict_json(b'{"visits": 3, "when": "2026-01-01"}'))
    assert answer["prediction"] == pipeline.predict(X.head(1).assign(visits=3))[0]


def test_labels_that_json_cannot_say_are_refused(tmp_path: Path) -> None:
    X = FRAME[["visits"]]
    model = DecisionTreeClassifier(max_depth=2).fit(X, LABELS.astype(bytes))
    with pytest.raises(UnsupportedError, match="class labels that are strings, numbers or booleans, found bytes: "):
        convert(model, X, tmp_path / "m")


def test_columns_are_chosen_by_every_way_of_naming_them() -> None:
    """By name, place, slice, mask, selector and callable; what is left over is passed on."""
    from tests.convert.lower.twins import model_of, twin_of

    X = FRAME[["alter", "visits", "plan"]].assign(b=RNG.normal(size=ROWS))
    for columns in (
        ["alter", "b"],
        [0, 3],
        slice(0, 2),
        np.array([True, True, False, True]),
        make_column_selector("b"),
    ):
        encode = ColumnTransformer(
            [("s", StandardScaler(), columns), ("o", OneHotEncoder(), ["plan"])], remainder="drop", sparse_threshold=0
        )
        pipeline = make_pipeline(encode, DecisionTreeClassifier(random_state=0)).fit(X, LABELS)
        np.testing.assert_array_equal(model_of(twin_of(pipeline, X)).predict(X), pipeline.predict(X))


def test_unions_weights_and_passthrough() -> None:
    """A weighted union of scalers, one of them passing on."""
    from tests.convert.lower.twins import levels, twin_of

    X = FRAME[["alter", "visits"]]
    union = FeatureUnion(
        [("s", StandardScaler()), ("m", MinMaxScaler(clip=True)), ("p", "passthrough")], transformer_weights={"s": -2.0}
    )
    assert levels(twin_of(union.fit(X), X)) == {"transform": "bit"}
    forest = make_pipeline(union, RandomForestRegressor(5, random_state=0)).fit(X, FRAME["alter"])
    folded, plain = twin_of(forest, X), twin_of(forest, X, fold=False)
    assert folded.proof.level == plain.proof.level == "bit"
    assert folded.scope.folded
    assert not plain.scope.folded


def test_a_union_of_nothing_beside_another() -> None:
    """All of its members are dropped."""
    from tests.convert.lower.twins import twin_of

    X = FRAME[["alter", "visits"]]
    encode = ColumnTransformer([("u", FeatureUnion([("d", "drop")]), ["alter"]), ("s", StandardScaler(), ["visits"])])
    assert twin_of(encode.fit(X), X).proof.level == "bit"


def test_an_ndarray_pipeline_is_positional(tmp_path: Path) -> None:
    """Its features are called x0, x1, ..."""
    X = FRAME[["alter", "visits"]].to_numpy(float)
    pipeline = LinearRegression().fit(X, X.sum(axis=1))
    convert(pipeline, X, tmp_path / "m", version="v1")
    model = load(tmp_path / "m")
    assert [feature.name for feature in model.manifest.inputs] == ["x0", "x1"]
    np.testing.assert_allclose(model.predict(X), pipeline.predict(X), rtol=1e-12)
    assert model.predict(X[:0]).shape == (0,)


def test_a_sample_of_dicts_gives_the_same_graph(tmp_path: Path) -> None:
    """As the frame they come from."""
    X = FRAME[["alter", "visits"]]
    pipeline = LogisticRegression().fit(X, LABELS)
    convert(pipeline, X, tmp_path / "a", version="v1")
    convert(pipeline, X.to_dict("records"), tmp_path / "b", version="v1")
    assert (tmp_path / "a/v1/model.onnx").read_bytes() == (tmp_path / "b/v1/model.onnx").read_bytes()


def test_enforced_ranges_come_from_the_sample(tmp_path: Path) -> None:
    """A number outside what was seen is refused by the twin."""
    from runtime import InputError

    X = FRAME[["alter", "visits"]]
    convert(LogisticRegression().fit(X, LABELS), X, tmp_path / "m", version="v1", enforce_range=True)
    model = load(tmp_path / "m")
    with pytest.raises(InputError, match=r"\$\.visits: expected number from 0 to 8, got one outside"):
        model.predict({"alter": 40.0, "visits": 9})


class Doubler:
    """No estimator that anybody knows."""

    def fit(self, X: Any, y: Any = None) -> "Doubler":
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X) * 2


@pytest.mark.parametrize(
    ("pipeline", "kind", "sentence"),
    [
        (
            lambda: make_pipeline(Doubler(), LinearRegression()).fit(FRAME[["alter"]], FRAME["alter"]),
            UnsupportedError,
            r"pipeline\['doubler'\]: expected an estimator with an exact graph, found Doubler",
        ),
        (
            lambda: DBSCAN().fit(FRAME[["alter"]]),
            SampleError,
            "expected a pipeline that predicts or transforms, found DBSCAN, which has no method for new rows",
        ),
        (
            lambda: make_pipeline(StandardScaler(), make_pipeline(DBSCAN())).fit(FRAME[["alter"]]),
            SampleError,
            r"found DBSCAN as the last step, pipeline\['pipeline'\]\['dbscan'\], which has no method for new rows",
        ),
        (
            lambda: make_pipeline(StandardScaler(), LinearRegression()),
            SourceError,
            r"found an unfitted StandardScaler at pipeline\['standardscaler'\]",
        ),
    ],
)
def test_what_cannot_be_converted_is_named(tmp_path: Path, pipeline: Any, kind: type[Exception], sentence: str) -> None:
    """By its path in the pipeline; nothing is written."""
    with pytest.raises(kind, match=sentence):
        convert(pipeline(), FRAME[["alter"]], tmp_path / "m", version="v1")
    assert not (tmp_path / "m" / "v1").exists()


def test_a_twin_that_answers_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong lowering ends in ParityError with the worst rows, and no bundle."""
    import convert.lower.linear as linear

    monkeypatch.setattr(
        linear, "linear", lambda x, coefficients, intercepts: original(x, coefficients, np.add(intercepts, 1e-6))
    )
    X = FRAME[["alter", "visits"]]
    pipeline = LinearRegression().fit(X, FRAME["alter"])
    with pytest.raises(ParityError, match="expected the twin's answers within 1e-12 of the pipeline's") as caught:
        convert(pipeline, X, tmp_path / "m", version="v1")
    assert "row " in caught.value.worst
    assert not (tmp_path / "m" / "v1").exists()
    # What the caller allows, the proof says.
    proof = convert(pipeline, X, tmp_path / "m", version="v1", tolerance=1e-3)
    assert proof.level == "tolerance"
    assert proof.tolerance == 1e-3


def test_a_version_is_never_written_over(tmp_path: Path) -> None:
    """And that is said before the work is done."""
    X = FRAME[["alter"]]
    pipeline = LinearRegression().fit(X, FRAME["alter"])
    convert(pipeline, X, tmp_path / "m", version="v1")
    before = (tmp_path / "m/v1/manifest.json").read_bytes()
    with pytest.raises(WriteError, match="v1"):
        convert(pipeline, X, tmp_path / "m", version="v1")
    assert (tmp_path / "m/v1/manifest.json").read_bytes() == before


def test_a_source_date_that_is_no_number_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named with its value."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ConvertError, match="expected seconds since 1970 in SOURCE_DATE_EPOCH, found 'yesterday'"):
        convert(LinearRegression(), FRAME, tmp_path / "m")


from convert.lower.linear import linear as original  # noqa: E402


def test_what_is_left_out_is_said_with_its_reason() -> None:
    """A method without an answer, and one that raises for the pipeline's own sample."""
    rows = FRAME[["alter", "visits"]].to_numpy()
    machine = BernoulliRBM(2, random_state=0).fit(rows / 100)
    labels = np.column_stack([LABELS == "yes", np.digitize(rows[:, 1], [3, 6])]).astype(int)
    chain = ClassifierChain(DecisionTreeClassifier(max_depth=2)).fit(rows, labels)
    for pipeline, sample, method, reason in (
        (machine, rows / 100, "score_samples", "it flips a feature of each row at random"),
        (chain, rows, "predict_proba", "the pipeline raises on its own sample"),
    ):
        twin = assemble(pipeline, sample, version="test", created=datetime.datetime.now(datetime.UTC))
        assert twin.proof.left_out[method].startswith(reason)
        assert f"left out: {method}, for {reason}" in str(twin.proof)
        model = Model(Bundle(twin.manifest, twin.proof, twin.graph, ""))
        with pytest.raises(AttributeError, match=f"this model has no {method}.*left this out, for {reason}"):
            getattr(model, method)
