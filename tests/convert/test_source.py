"""Every kind of file that a pipeline may lie in, and every sentence that says why it cannot be opened."""

import importlib
import pickle  # noqa: TID251
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
import skops.io
from scipy.stats import loguniform
from sklearn.cluster import DBSCAN
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from convert import SourceError
from convert.source import list_globals, open_pipeline

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)

Dump = Callable[[Any, Path], object]


ROWS = np.c_[X[:, :2].astype(object), np.where(X[:, 2:] > 0, "up", "down")]
NUMBERS = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
PIPELINE = Pipeline(
    [
        ("prep", ColumnTransformer([("num", NUMBERS, [0, 1]), ("cat", OneHotEncoder(), [2])])),
        ("clf", RandomForestClassifier(3, random_state=0)),
    ]
).fit(ROWS, Y)


def pickled(value: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(value))


def mlflow(dump: Dump, named: str, flavour: str = "sklearn") -> Dump:
    """A model's folder as MLflow lays it out."""

    def write(value: Any, folder: Path) -> None:
        (folder / "MLmodel").parent.mkdir()
        (folder / "MLmodel").write_text(
            "artifact_path: model\nflavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"
            f"  {flavour}:\n    code: null\n    pickled_model: {named}\n    sklearn_version: {sklearn.__version__}\n"
        )
        dump(value, folder / named)

    return write


FORMATS: dict[str, Dump] = {
    "pipeline.joblib": joblib.dump,
    **{f"pipeline.joblib.{end}": joblib.dump for end in ("z", "gz", "bz2", "lzma", "xz")},
    "pipeline.pkl": pickled,
    "pipeline": pickled,
    "pipeline.skops": skops.io.dump,
    "skops under any name": skops.io.dump,
    "mlflow with a pickle": mlflow(pickled, "model.pkl"),
    "mlflow with skops": mlflow(skops.io.dump, "model.skops"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_pipeline_is_opened(name: str, tmp_path: Path) -> None:
    """And answers as the one that was dumped; of MLflow only the files are needed."""
    FORMATS[name](PIPELINE, tmp_path / name)
    pipeline = open_pipeline(tmp_path / name)
    assert np.array_equal(pipeline.predict_proba(ROWS), PIPELINE.predict_proba(ROWS))
    assert open_pipeline(str(tmp_path / name)).predict(ROWS).tolist() == PIPELINE.predict(ROWS).tolist()
    assert "mlflow" not in sys.modules


def test_what_is_opened_is_said_before_it_is(tmp_path: Path) -> None:
    lines: list[str] = []
    joblib.dump(StandardScaler().fit(X), tmp_path / "p.joblib")
    skops.io.dump(StandardScaler().fit(X), tmp_path / "p.skops")
    for name in ("p.joblib", "p.skops"):
        open_pipeline(tmp_path / name, report=lines.append)
    assert lines == [
        f"open: {tmp_path / 'p.joblib'} is a pickle: opening it runs code; it imports 5 names from "
        "joblib, numpy, sklearn",
        f"open: {tmp_path / 'p.skops'} is a skops file: opening it runs no code of its own",
    ]


def test_what_would_be_imported_is_listed(tmp_path: Path) -> None:
    """Of a skops file, what skops asks about."""
    joblib.dump(StandardScaler().fit(X), tmp_path / "p.joblib")
    skops.io.dump(PIPELINE, tmp_path / "p.skops")
    assert list_globals(tmp_path / "p.joblib") == [
        "joblib.numpy_pickle.NumpyArrayWrapper",
        "numpy._core.multiarray.scalar",
        "numpy.dtype",
        "numpy.ndarray",
        "sklearn.preprocessing._data.StandardScaler",
    ]
    assert list_globals(tmp_path / "p.skops") == ["numpy.dtype", "sklearn.tree._tree.Tree"]


def said(path: Path, *trust: str) -> str:
    with pytest.raises(SourceError) as caught:
        open_pipeline(path, trust=trust)
    return str(caught.value).replace(str(path.parent), "DIR")


def folder(path: Path, text: str) -> None:
    path.mkdir()
    (path / "MLmodel").write_text(text)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no file": (lambda path: None, "expected a trained pipeline in DIR/p, found no such file"),
    "an empty file": (Path.touch, "expected a trained pipeline in DIR/p, found an empty file"),
    "half a file": (
        lambda path: path.write_bytes(pickle.dumps(PIPELINE)[:-100]),
        "expected a trained pipeline in DIR/p, found a file that breaks off: copy it again",
    ),
    "half a compressed file": (
        lambda path: (joblib.dump(PIPELINE, path, 3), path.write_bytes(path.read_bytes()[:-100])),
        "expected a trained pipeline in DIR/p, found a file that breaks off: copy it again",
    ),
    "half a gzip": (
        lambda path: (joblib.dump(PIPELINE, path, ("gzip", 3)), path.write_bytes(path.read_bytes()[:-100])),
        "expected a trained pipeline in DIR/p, found a file that breaks off: copy it again",
    ),
    "text": (
        lambda path: path.write_text("year,month\n2013,1\n"),
        "expected a joblib, pickle or skops file in DIR/p, found a damaged file or something else",
    ),
    "a damaged xz": (
        lambda path: path.write_bytes(b"\xfd7zXZ\x00 and so on, and so on"),
        "expected a joblib, pickle or skops file in DIR/p, found a damaged file or something else",
    ),
    "joblib before 0.10": (
        lambda path: path.write_bytes(b"ZF0x10"),
        "expected a file of joblib 0.10 or newer, found an older one in DIR/p: dump it again",
    ),
    "another zip": (
        lambda path: path.write_bytes(b"PK\x03\x04 and so on"),
        "expected a whole file in DIR/p, found: File is not a zip file",
    ),
    "a folder": (Path.mkdir, "expected an MLflow model in the folder DIR/p, found no MLmodel there"),
    "a dict": (
        lambda path: joblib.dump({"model": PIPELINE}, path),
        "expected a trained scikit-learn pipeline, found a dict in DIR/p: dump the pipeline itself",
    ),
    "an array": (
        lambda path: joblib.dump(X, path),
        "expected a trained scikit-learn pipeline, found an ndarray in DIR/p: dump the pipeline itself",
    ),
    "a class": (
        lambda path: joblib.dump(LogisticRegression, path),
        "expected a trained scikit-learn pipeline, found the class LogisticRegression in DIR/p: dump the pipeline "
        "itself",
    ),
    "no inference": (
        lambda path: joblib.dump(DBSCAN().fit(X), path),
        "expected a pipeline with one of predict, predict_proba, predict_log_proba, decision_function, score_samples, "
        "transform, found DBSCAN, which has none of them, in DIR/p",
    ),
    "unfitted": (
        lambda path: joblib.dump(Pipeline([("clf", LogisticRegression())]), path),
        "expected a fitted pipeline, found an unfitted LogisticRegression at pipeline['clf']: call fit first",
    ),
    "distributions": (
        lambda path: joblib.dump(
            RandomizedSearchCV(LogisticRegression(), {"C": loguniform(1, 2)}, n_iter=1, cv=2).fit(X, Y), path
        ),
        "expected DIR/p to import only what scikit-learn, NumPy and SciPy keep data in, found "
        "scipy.stats._continuous_distns.reciprocal_gen, scipy.stats._distn_infrastructure.rv_continuous_frozen, which "
        "could run any code: if the file is your own, allow it with --trust MODULE (--trust "
        "scipy.stats._continuous_distns --trust scipy.stats._distn_infrastructure)",
    ),
    "distributions in skops": (
        lambda path: skops.io.dump(Pipeline([("f", FunctionTransformer(np.load))]), path),
        "expected DIR/p to import only what scikit-learn, NumPy and SciPy keep data in, found numpy.load, which could "
        "run any code: if the file is your own, allow it with --trust MODULE (--trust numpy)",
    ),
    "mlflow, other flavour": (
        lambda path: mlflow(pickled, "model.pkl", "lightgbm")(PIPELINE, path),
        "expected an MLflow model with the scikit-learn flavour in DIR/p, found python_function, lightgbm",
    ),
    "mlflow, no flavours": (
        lambda path: folder(path, "- 1\n"),
        "expected the flavours of an MLflow model in DIR/p/MLmodel, found none",
    ),
    "mlflow, no YAML": (
        lambda path: folder(path, "{"),
        "expected the flavours of an MLflow model in DIR/p/MLmodel, found none",
    ),
    "mlflow, no file": (
        lambda path: mlflow(lambda value, file: None, "model.pkl")(PIPELINE, path),
        "expected a trained pipeline in DIR/p/model.pkl, found no such file",
    ),
    "mlflow, outside": (
        lambda path: mlflow(pickled, "../outside.pkl")(PIPELINE, path),
        "expected DIR/p/MLmodel to name a file in its folder, found '../outside.pkl', outside of it",
    ),
    "mlflow, outside by a link": (
        lambda path: mlflow(lambda value, file: file.symlink_to("/etc/hostname"), "model.pkl")(PIPELINE, path),
        "expected DIR/p/MLmodel to name a file in its folder, found 'model.pkl', outside of it",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_refused(kind: str, tmp_path: Path) -> None:
    """One sentence: what was expected, what was found, where."""
    write, sentence = FILES[kind]
    write(tmp_path / "p")
    assert said(tmp_path / "p") == sentence


def test_distributions_can_be_trusted(tmp_path: Path) -> None:
    search = RandomizedSearchCV(LogisticRegression(), {"C": loguniform(1, 2)}, n_iter=1, cv=2).fit(X, Y)
    joblib.dump(search, tmp_path / "p")
    assert open_pipeline(tmp_path / "p", trust=["scipy.stats"]).predict(X).tolist() == search.predict(X).tolist()


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path, mode: str) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert said(tmp_path / "p") == (
        "expected a trained pipeline in DIR/p, found that it cannot be read: Permission denied"
    )


PATCH = sklearn.__version__.rpartition(".")[0] + ".99"


@pytest.mark.parametrize(("version", "more"), [("1.5.2", ""), (PATCH, f", or install scikit-learn {PATCH} here")])
@pytest.mark.parametrize("dump", [joblib.dump, skops.io.dump], ids=["joblib", "skops"])
def test_another_version_is_an_error_that_names_both(
    dump: Dump, version: str, more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", version)
        dump(PIPELINE.named_steps["prep"].named_transformers_["cat"], tmp_path / "p")
    assert said(tmp_path / "p") == (
        f"expected a pipeline trained with scikit-learn {sklearn.__version__}, which is installed here, found "
        f"OneHotEncoder trained with {version} in DIR/p: train it again{more}"
    )


MODULE = """
from sklearn.base import BaseEstimator, TransformerMixin

class Doubler(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return 2 * X
"""


@pytest.mark.parametrize("dump", [joblib.dump, skops.io.dump], ids=["joblib", "skops"])
def test_a_class_of_ones_own(dump: Dump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named; it is opened once it is trusted, and where Python finds it."""
    (tmp_path / "my_steps.py").write_text(MODULE)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        steps = importlib.import_module("my_steps")
        dump(Pipeline([("twice", steps.Doubler())]).fit(X), tmp_path / "p")
        assert said(tmp_path / "p") == (
            "expected DIR/p to import only what scikit-learn, NumPy and SciPy keep data in, found my_steps.Doubler, "
            "which could run any code: if the file is your own, allow it with --trust MODULE (--trust my_steps)"
        )
        assert np.array_equal(open_pipeline(tmp_path / "p", trust=["my_steps"]).transform(X), 2 * X)
        del sys.modules["my_steps"]
    assert said(tmp_path / "p", "my_steps") == (
        "expected to import my_steps.Doubler, which DIR/p needs, found: No module named 'my_steps': install it, or put "
        "it where Python finds it"
    )


@pytest.mark.parametrize(
    ("absent", "name", "sentence"),
    [
        ("skops.io", "p.skops", "expected skops, which DIR/p.skops was written with, found none: install skops"),
        ("yaml", "folder", "expected PyYAML, to read an MLflow model, found none: install pyyaml"),
        ("lz4.frame", "p.lz4", "expected lz4, which DIR/p.lz4 is compressed with, found none: install lz4"),
    ],
)
def test_a_package_that_is_not_installed(
    absent: str, name: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skops.io.dump(StandardScaler().fit(X), tmp_path / "p.skops")
    mlflow(pickled, "model.pkl")(PIPELINE, tmp_path / "folder")
    (tmp_path / "p.lz4").write_bytes(b"\x04\x22\x4d\x18 and so on")
    monkeypatch.setitem(sys.modules, absent, None)
    assert said(tmp_path / name) == sentence
