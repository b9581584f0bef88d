"""A file becomes a trained pipeline, audited before it is opened; another becomes the sample."""

import contextlib
import gzip
import importlib
import io
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from .errors import SampleError, SourceError
from .pickles import audit, open_audited
from .trust import Global, Imports, resolve

__all__ = ["check_fitted", "list_globals", "open_pipeline", "read_sample"]

ZIP = b"PK\x03\x04"


def open_pipeline(path: str | Path, *, trust: Sequence[str] = (), report: Callable[[str], None] | None = None) -> Any:
    """The fitted estimator in a file: joblib (compressed or not), pickle or skops, or in an MLflow model's folder.

    Before anything is opened, what it would import is listed and judged (``trust.py``).
    trust: modules, or single names in them, whose code may run.
    report: called with a line that says what is about to be opened.
    Raises SourceError where it may not be opened, cannot be, or is no fitted estimator of this scikit-learn's.
    """
    say = report or (lambda line: None)
    file = _file(Path(path))
    with _opened(file) as stream:
        if _is_skops(stream):
            doubted = _doubted(file)
            resolve(Imports(named=set(doubted)), str(file), trust)
            say(f"open: {file} is a skops file: opening it runs no code of its own")
            pipeline = _load(lambda: _skops(file).load(file, trusted=list(map(str, doubted))), file)
        else:
            found = audit(_decompressed(stream, file), str(file))
            say(f"open: {file} is a pickle: opening it runs code; {_summary(found)}")
            _check_versions(found, file)
            table = resolve(found, str(file), trust)
            stream.seek(0)
            pipeline = _load(lambda: open_audited(_decompressed(stream, file), table, str(file)), file)
    _check_estimator(pipeline, file)
    _check_methods(pipeline, file)
    return pipeline


def list_globals(path: str | Path) -> list[str]:
    """What opening a file would import, sorted, found without running any of it; of a skops file, what skops would
    not load unless it is told to. Raises SourceError where that cannot be found out."""
    file = _file(Path(path))
    with _opened(file) as stream:
        if _is_skops(stream):
            return list(map(str, _doubted(file)))
        return sorted(map(str, audit(_decompressed(stream, file), str(file)).named))


def check_fitted(pipeline: Any) -> None:
    """Raises SourceError for what is no estimator, and for one that is not fitted, with the path of the first such
    step."""
    _check_estimator(pipeline)


def read_sample(path: str | Path, target: str | None = None) -> Any:
    """The rows of a .parquet, .csv, .feather, .json (a list of objects), .jsonl or .npy file as a pandas DataFrame.

    target: a column to leave out.
    Raises SampleError where there are none.
    """
    import numpy as np
    import pandas as pd

    # Before 3.1, pandas' default parser of numbers was off by an ulp at times; since then the option is deprecated.
    old = tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)
    exact: dict[str, Any] = {"float_precision": "round_trip"} if old else {}

    def array(file: Path) -> Any:
        matrix = np.load(file, allow_pickle=False)
        if matrix.ndim != 2:
            raise ValueError(f"an array of {matrix.ndim} dimensions")
        return pd.DataFrame(matrix, columns=[f"x{index}" for index in range(matrix.shape[1])])

    def records(rows: Any) -> Any:
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise ValueError("something else than a list of objects")
        return pd.DataFrame(rows)

    readers: dict[str, Callable[[Path], Any]] = {
        ".parquet": pd.read_parquet,
        ".feather": pd.read_feather,
        ".csv": lambda file: pd.read_csv(file, low_memory=False, **exact),  # else types depend on where a chunk ends
        ".json": lambda file: records(json.loads(file.read_text("utf-8"))),
        ".jsonl": lambda file: records(
            [json.loads(row) for row in file.read_text("utf-8").splitlines() if row.strip()]
        ),
        ".npy": array,
    }
    path = Path(path)
    read = readers.get(path.suffix.lower())
    if read is None:
        raise SampleError(f"expected a sample in one of {', '.join(readers)}, found {path}: write it as one of these")
    try:
        frame = read(path)
    except FileNotFoundError as error:  # pyarrow's has no words but the path
        raise SampleError(f"expected a sample in {path}, found no such file") from error
    except (OSError, ValueError, ImportError, NotImplementedError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).partition("\n")[0]
        raise SampleError(f"expected a sample in {path}, found: {reason}") from error
    if target is not None:
        if target not in frame.columns:
            raise SampleError(
                f"expected the target {target!r} among the columns of the sample {path}, found {_few(frame.columns)}"
            )
        frame = frame.drop(columns=target)
    if not len(frame):
        raise SampleError(f"expected rows in the sample {path}, found none")
    return frame


def _file(path: Path) -> Path:
    """The file that holds the pipeline: itself, or the one that an MLflow model's scikit-learn flavour names."""
    if not path.is_dir():
        return path
    with _opened(path / "MLmodel", f"an MLflow model in the folder {path}", "no MLmodel there") as stream:
        text = stream.read()
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError as error:
        raise SourceError("expected PyYAML, to read an MLflow model, found none: install pyyaml") from error
    try:
        flavors = dict(yaml.safe_load(text)["flavors"])
    except (yaml.YAMLError, TypeError, KeyError, ValueError) as error:
        raise SourceError(f"expected the flavours of an MLflow model in {path / 'MLmodel'}, found none") from error
    named = (flavors.get("sklearn") or {}).get("pickled_model")
    if not isinstance(named, str):
        raise SourceError(
            f"expected an MLflow model with the scikit-learn flavour in {path}, found {', '.join(map(str, flavors))}"
        )
    file = (path / named).resolve()
    if not file.is_relative_to(path.resolve()):
        raise SourceError(f"expected {path / 'MLmodel'} to name a file in its folder, found {named!r}, outside of it")
    return path / named


@contextlib.contextmanager
def _opened(path: Path, what: str = "", absent: str = "no such file") -> Iterator[BinaryIO]:
    what = what or f"a trained pipeline in {path}"
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise SourceError(f"expected {what}, found {absent}") from error
    except OSError as error:
        raise SourceError(f"expected {what}, found that it cannot be read: {error.strerror}") from error
    with stream:
        if not stream.read(1):
            raise SourceError(f"expected {what}, found an empty file")
        stream.seek(0)
        yield stream


def _is_skops(stream: BinaryIO) -> bool:
    start = stream.read(len(ZIP))
    stream.seek(0)
    return start == ZIP


def _decompressed(stream: BinaryIO, file: Path) -> BinaryIO:
    """A joblib file's pickle; the compressor is told by the first bytes, as joblib tells it."""
    start = stream.read(6)
    stream.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    if start.startswith(b"BZ"):
        return cast(BinaryIO, importlib.import_module("bz2").BZ2File(stream))
    if start.startswith((b"\xfd7zXZ", b"]\x00")):
        return cast(BinaryIO, importlib.import_module("lzma").LZMAFile(stream))
    if start.startswith(b"x"):
        raw = importlib.import_module("joblib.compressor").BinaryZlibFile(stream, "rb")
        return cast(BinaryIO, io.BufferedReader(raw))
    if start.startswith(b"\x04\x22\x4d\x18"):
        try:
            return cast(BinaryIO, importlib.import_module("lz4.frame").LZ4FrameFile(stream))
        except ImportError as error:
            raise SourceError(f"expected lz4, which {file} is compressed with, found none: install lz4") from error
    if start.startswith(b"ZF"):
        raise SourceError(f"expected a file of joblib 0.10 or newer, found an older one in {file}: dump it again")
    return stream


def _summary(found: Imports) -> str:
    packages = sorted({name.module.partition(".")[0] for name in found.named})
    names = "1 name" if len(found.named) == 1 else f"{len(found.named)} names"
    return f"it imports {names}" + (f" from {', '.join(packages)}" if packages else "")


def _skops(file: Path) -> Any:
    try:
        return importlib.import_module("skops.io")
    except ImportError as error:
        raise SourceError(f"expected skops, which {file} was written with, found none: install skops") from error


def _doubted(file: Path) -> list[Global]:
    """What skops would not load without being told to. Some of it is scikit-learn's own: a forged Tree could crash
    the process. A pickle may hold that too, so the rules for pickles decide, lest the safer format be the stricter."""
    names = _load(lambda: _skops(file).get_untrusted_types(file=file), file)
    return [Global(*name.rpartition(".")[::2]) for name in names]


def _load(load: Callable[[], Any], file: Path) -> Any:
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        try:
            return load()
        except SourceError:
            raise
        except InconsistentVersionWarning as warning:
            raise _other_version(file, warning.estimator_name, warning.original_sklearn_version) from warning
        except Exception as error:  # skops, and any class that a file names, may raise anything
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise SourceError(f"expected a whole file in {file}, found: {reason}") from error


def _check_versions(found: Imports, file: Path) -> None:
    import sklearn

    for estimator, version in found.trained.items():
        if version != sklearn.__version__:
            raise _other_version(file, estimator, version)


def _other_version(file: Path, estimator: str, version: str) -> SourceError:
    import sklearn

    here = sklearn.__version__
    # The extra takes one minor version, so that another patch of it can be installed, and nothing else.
    patch = version.rpartition(".")[0] == here.rpartition(".")[0]
    found = ascii(version)[1:-1]
    return SourceError(
        f"expected a pipeline trained with scikit-learn {here}, which is installed here, found {estimator} trained "
        f"with {found} in {file}: train it again" + (f", or install scikit-learn {found} here" if patch else "")
    )


def _check_estimator(pipeline: Any, file: Path | None = None) -> None:
    if isinstance(pipeline, type) or not hasattr(pipeline, "get_params"):
        found = f"the class {pipeline.__name__}" if isinstance(pipeline, type) else _article(type(pipeline).__name__)
        raise SourceError(
            f"expected a trained scikit-learn pipeline, found {found}{f' in {file}' if file else ''}: "
            f"{'dump' if file else 'give'} the pipeline itself"
        )
    _check_fitted(pipeline, "")


def _check_methods(pipeline: Any, file: Path) -> None:
    from .lower import METHODS

    if not any(hasattr(pipeline, method) for method in METHODS):
        raise SourceError(
            f"expected a pipeline with one of {', '.join(METHODS)}, found {type(pipeline).__name__}, which has none of "
            f"them, in {file}"
        )


def _few(names: Any) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(map(str, names[:10])) + more


def _article(name: str) -> str:
    return f"{'an' if name[:1] in 'aeiouAEIOU' or name == 'ndarray' else 'a'} {name}"


def _check_fitted(estimator: Any, at: str) -> None:
    from .members import members

    for name, step in members(estimator):
        if step is not None and not isinstance(step, str):
            _check_fitted(step, f"{at}{name}")
    if not _is_fitted(estimator):
        from sklearn.pipeline import Pipeline

        if isinstance(estimator, Pipeline):  # it refuses to predict where it takes its last step for unfitted
            name, estimator = estimator.steps[-1]
            at += f"[{name!r}]"
        raise SourceError(
            f"expected a fitted pipeline, found an unfitted {type(estimator).__name__} at pipeline{at}: call fit first"
        )


def _is_fitted(estimator: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.utils import get_tags
    from sklearn.utils.validation import check_is_fitted

    theirs = type(estimator).__module__.partition(".")[0] != "sklearn"
    if theirs and not hasattr(estimator, "__sklearn_is_fitted__"):
        return True  # nobody could say: scikit-learn looks at how its attributes are named
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    if hasattr(estimator, "__sklearn_is_fitted__") or not get_tags(estimator).requires_fit:
        return True
    if isinstance(estimator, TfidfTransformer) and not estimator.use_idf:
        return True  # which learns nothing else
    # A fit that failed midway has noted its input, which is enough for scikit-learn.
    learnt = {name for name in vars(estimator) if name.endswith("_") and not name.startswith("__")}
    return bool(learnt - {"n_features_in_", "feature_names_in_"})
