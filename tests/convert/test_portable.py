"""The portable graph: plain onnxruntime answers from named columns what the pipeline answers."""

import datetime
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from onnx import numpy_helper
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

import convert.build as build
from convert import ParityError, UnsupportedError, convert
from convert.cli import main
from convert.portable import feed, portable
from convert.signature import sign
from runtime import load
from tests.convert.lower.twins import CREATED

ROWS = 120
RNG = np.random.default_rng(8)
FRAME = pd.DataFrame(
    {
        "größe in m": np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.normal(1.7, 0.1, ROWS)),
        "city": pd.Series(RNG.choice(np.array(["Ulm", "Köln", "", None], object), ROWS), dtype=object),
        "id": RNG.choice([2**60, 2**60 + 1], ROWS),
        "member": RNG.random(ROWS) < 0.5,
        "note": "customer",
    }
)
LABELS = np.where(FRAME["member"] ^ (FRAME["city"] == "Ulm"), "ja", "nein")


def pipeline() -> Any:
    encode = ColumnTransformer(
        [
            ("numbers", SimpleImputer(), ["größe in m"]),
            ("rest", "passthrough", ["member"]),
            ("city", OneHotEncoder(handle_unknown="ignore"), ["city"]),
            ("id", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["id"]),
        ]
    )
    return make_pipeline(encode, RandomForestClassifier(10, random_state=0)).fit(FRAME, LABELS)


def session(graph: bytes | Path) -> Any:
    source = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])


def test_plain_onnxruntime_answers_as_the_pipeline(tmp_path: Path) -> None:
    """Strings, integers beyond 2^53 as texts, booleans as 0 and 1; labels are the labels; missing and unseen ones."""
    fitted = pipeline()
    convert(fitted, FRAME, tmp_path / "m", version="v1", portable=True)
    found = session(tmp_path / "m/v1/portable.onnx")
    kinds = {value.name: (value.type, value.shape[1]) for value in found.get_inputs()}
    assert kinds == {
        "größe in m": ("tensor(double)", 1),
        "city": ("tensor(string)", 1),
        "id": ("tensor(string)", 1),
        "member": ("tensor(double)", 1),
    }
    rows = pd.DataFrame(
        {
            "größe in m": [1.8, np.nan, 1.6],
            "city": pd.Series(["Ulm", None, "Paris"], dtype=object),
            "id": np.array([2**60, 2**60 + 1, 7], object),
            "member": [True, False, True],
            "note": "x",
        }
    )
    labels, proba = found.run(
        ["predict", "predict_proba"],
        {
            "größe in m": rows[["größe in m"]].to_numpy(),
            "city": np.array([["Ulm"], ["null"], ["Paris"]], object),  # "" is a category here
            "id": np.array([["1152921504606846976"], ["1152921504606846977"], ["7"]], object),
            "member": np.array([[1.0], [0.0], [1.0]]),
        },
    )
    assert labels.tolist() == fitted.predict(rows).tolist()
    np.testing.assert_array_equal(proba, fitted.predict_proba(rows))


def test_it_belongs_to_the_bundle(tmp_path: Path) -> None:
    """Its digest is listed, a changed byte is found, and the runtime loads the bundle without it in mind."""
    convert(pipeline(), FRAME, tmp_path / "m", version="v1", portable=True)
    folder = tmp_path / "m/v1"
    digest = hashlib.sha256((folder / "portable.onnx").read_bytes()).hexdigest()
    assert f"{digest}  portable.onnx" in (folder / "SHA256SUMS").read_text()
    assert load(folder).predict(FRAME).shape == (ROWS,)
    convert(pipeline(), FRAME, tmp_path / "m", version="v2")
    assert not (tmp_path / "m/v2/portable.onnx").exists()


@pytest.mark.parametrize(
    ("target", "dtype"),
    [
        (np.arange(ROWS) % 3 * 10, np.int64),
        (np.arange(ROWS) % 2 == 0, np.bool_),
        (np.stack([np.arange(ROWS) % 2, np.arange(ROWS) % 3], axis=1), np.int64),
        (np.stack([np.array(["a", "b"])[np.arange(ROWS) % 2], LABELS], axis=1), object),
    ],
)
def test_labels_of_every_kind(target: Any, dtype: Any) -> None:
    X = RNG.normal(size=(ROWS, 2))
    fitted = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, target)
    twin = build.assemble(fitted, X, version="v", created=CREATED, portable=True)
    assert twin.portable is not None
    (labels,) = session(twin.portable).run(["predict"], {"x0": X[:, :1], "x1": X[:, 1:]})
    assert labels.dtype == dtype
    assert labels.tolist() == fitted.predict(X).tolist()


def test_a_portable_graph_that_answers_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One code of one category."""

    def wrong(graph: bytes, manifest: Any) -> bytes:
        model = onnx.load_from_string(portable(graph, manifest))
        encoder = next(node for node in model.graph.node if node.op_type == "LabelEncoder")
        values = next(a.t for a in encoder.attribute if a.name == "values_tensor")
        codes = numpy_helper.to_array(values).copy()
        codes[:2] = codes[1::-1]
        values.CopyFrom(numpy_helper.from_array(codes, values.name))
        return bytes(model.SerializeToString())

    monkeypatch.setattr(build, "portable_graph", wrong)
    with pytest.raises(ParityError, match="expected the portable graph to answer predict"):
        build.assemble(pipeline(), FRAME, version="v", created=CREATED, portable=True)


def test_texts_are_refused() -> None:
    """No graph counts terms as scikit-learn does."""
    texts = ["the cat", "the dog"] * 20
    with pytest.raises(UnsupportedError, match="expected no texts in a portable graph"):
        build.assemble(CountVectorizer().fit(texts), texts, version="v", created=CREATED, portable=True)


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (["", "null", None], "expected a column 'c' without one of the categories '' and 'null'"),
        (["a\0b", "c", "c"], "expected categories of column 'c' that differ as texts without NUL"),
    ],
)
def test_categories_that_cannot_be_said(cells: list[Any], sentence: str) -> None:
    X = pd.DataFrame({"c": pd.Series(cells * 20, dtype=object)})
    with pytest.raises(UnsupportedError, match=sentence):
        build.assemble(OneHotEncoder().fit(X), X, version="v", created=CREATED, portable=True)


def test_a_category_of_another_type_cannot_be_said() -> None:
    """3 and "3" are one text."""
    X = pd.DataFrame({"c": pd.Series(["3", "4"] * 20, dtype=object)})
    fitted = OneHotEncoder(handle_unknown="ignore").fit(X)
    manifest = build.assemble(fitted, X, version="v", created=datetime.datetime.now(datetime.UTC)).manifest
    mixed = pd.DataFrame({"c": pd.Series(["3", 3, None], dtype=object)})
    assert feed(mixed, manifest)[1].tolist() == [True, False, True]
    assert sign(fitted, X).features[0].kind == "category"


def test_the_command_line_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import joblib

    X = pd.DataFrame(RNG.normal(size=(ROWS, 2)), columns=["a", "b"])
    joblib.dump(LinearRegression().fit(X, X["a"]), tmp_path / "p.joblib")
    X.to_parquet(tmp_path / "s.parquet")
    words = [str(tmp_path / "p.joblib"), "--sample", str(tmp_path / "s.parquet"), "--out", str(tmp_path / "m")]
    assert main([*words, "--version", "v1", "--portable"]) == 0
    assert "rows identical in plain onnxruntime" in capsys.readouterr().out
    assert (tmp_path / "m/v1/portable.onnx").is_file()
