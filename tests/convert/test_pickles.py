"""Everything that CPython's own unpickler imports is found before a pickle is opened."""

import _compat_pickle
import contextlib
import io
import pickle  # noqa: TID251
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer, StandardScaler

from convert import SourceError
from convert.pickles import audit, open_audited
from convert.source import list_globals
from convert.trust import Global, Imports, resolve

from .hostile import opened

COMPRESSORS: tuple[Any, ...] = (0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3))


class Watch:
    """Notes what any unpickler of CPython's imports, by its audit event. Such a hook stays, so there is one."""

    seen: set[tuple[str, str]] | None = None

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "pickle.find_class" and self.seen is not None:
            self.seen.add((args[0], args[1]))


WATCH = Watch()
sys.addaudithook(WATCH)


def imported(data: bytes, protocol: int) -> tuple[Any, set[Global]]:
    """What joblib makes of a file, and what it imports for that."""
    WATCH.seen = set()
    try:
        value = joblib.load(io.BytesIO(data))
        seen = WATCH.seen
    finally:
        WATCH.seen = None
    if protocol > 2:
        return value, {Global(*pair) for pair in seen}
    renamed = _compat_pickle.NAME_MAPPING, _compat_pickle.IMPORT_MAPPING
    return value, {Global(*renamed[0].get((m, n), (renamed[1].get(m, m), n))) for m, n in seen}


X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)
WORDS = np.where(X > 0, "up", "down").astype(object)

PIPELINES: dict[str, Any] = {
    "mixed": make_pipeline(
        ColumnTransformer(
            [("num", make_pipeline(SimpleImputer(), StandardScaler()), [0]), ("cat", OneHotEncoder(), slice(1, 3))]
        ),
        LogisticRegression(),
    ).fit(np.c_[X[:, :1].astype(object), WORDS[:, 1:]], Y),
    "forest": RandomForestClassifier(3, max_depth=3, random_state=np.random.RandomState(1)).fit(X, Y),
    "boosting": HistGradientBoostingClassifier(max_iter=3).fit(X, WORDS[:, 0]),
    "neighbours": KNeighborsClassifier(algorithm="kd_tree").fit(X, Y),
    "network": MLPRegressor((4,), max_iter=1, solver="lbfgs", random_state=0),
    "search": GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(X, Y),
    "splines": make_pipeline(SplineTransformer(), FunctionTransformer(np.log1p)).fit(X),
    "text": make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(WORDS[:, 0], Y),
}


def dumped(value: Any, protocol: int, compress: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file, compress=compress, protocol=protocol)
    return file.getvalue()


def check_found(data: bytes, protocol: int, tmp_path: Path) -> None:
    file = tmp_path / "pipeline"
    file.write_bytes(data)
    _, names = imported(data, protocol)
    assert list_globals(file) == sorted(map(str, names))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", PIPELINES)
def test_what_a_pickle_imports_is_found(kind: str, protocol: int, tmp_path: Path) -> None:
    """Of plain pickles and of joblib's, in every protocol; and none of it is refused."""
    for data in (pickle.dumps(PIPELINES[kind], protocol), dumped(PIPELINES[kind], protocol, 0)):
        check_found(data, protocol, tmp_path)
        assert type(opened(data)) is type(PIPELINES[kind])


@pytest.mark.parametrize("compress", COMPRESSORS, ids=str)
@pytest.mark.parametrize("kind", PIPELINES)
def test_what_a_compressed_pickle_imports_is_found(kind: str, compress: Any, tmp_path: Path) -> None:
    check_found(dumped(PIPELINES[kind], 4, compress), 4, tmp_path)


# Of a structure's fields joblib keeps the byte order where it is mixed, and we do not.
NATIVE = st.one_of(npst.boolean_dtypes(), npst.integer_dtypes(endianness="="), npst.floating_dtypes(endianness="="))
ARRAYS = npst.arrays(
    st.one_of(
        npst.scalar_dtypes(),
        npst.byte_string_dtypes(),
        npst.unicode_string_dtypes(),
        npst.datetime64_dtypes(),
        npst.array_dtypes(NATIVE, max_size=3),
    ),
    npst.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4),
)
OBJECTS = st.lists(st.one_of(st.none(), st.text(), st.floats(), ARRAYS), max_size=4).map(
    lambda values: np.array([*values, None], object)[:-1]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(), st.binary(max_size=300),
    ARRAYS, OBJECTS, ARRAYS.map(np.asfortranarray), st.floats().map(np.float64), st.just(np.mean), st.just(float),
    st.builds(bytearray, st.binary()), st.just(OneHotEncoder()), st.builds(slice, st.integers()),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.lists(inner).map(deque),
        st.dictionaries(st.text(), inner),
        st.dictionaries(st.text(), inner).map(OrderedDict),
        st.dictionaries(st.integers(), inner).map(lambda d: defaultdict(list, d)),
        st.lists(st.text()).map(Counter),
        st.sets(st.integers()),
        st.frozensets(st.text()),
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES, st.integers(0, 5), st.sampled_from(COMPRESSORS), st.booleans())
def test_anything_is_read_to_its_end(value: Any, protocol: int, compress: Any, twice: bool) -> None:
    """Containers and arrays of every kind: their ends are found, and what is opened is what joblib opens."""
    data = dumped([value, value] if twice else value, protocol, compress)
    expected, names = imported(data, protocol)
    from convert.source import _decompressed  # what lies between the file and the pickle

    def stream() -> Any:
        return _decompressed(io.BytesIO(data), Path("here"))

    found = audit(stream(), "here")
    assert found.named == names
    value = open_audited(stream(), resolve(found, "here"), "here")
    np.testing.assert_equal(dumped(value, 4, 0), dumped(expected, 4, 0))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_damaged_pickle_is_an_error_of_ours(data: Any) -> None:
    """Cut anywhere, and with any byte changed: a SourceError, or a pickle that is whole by chance."""
    whole_one = dumped(PIPELINES[data.draw(st.sampled_from(sorted(PIPELINES)))], data.draw(st.integers(0, 5)), 0)
    cut = whole_one[: data.draw(st.integers(0, len(whole_one) - 1))]
    with pytest.raises(SourceError):
        audit(io.BytesIO(cut), "here")
    place = data.draw(st.integers(0, len(whole_one) - 1))
    changed = whole_one[:place] + bytes([data.draw(st.integers(0, 255))]) + whole_one[place + 1 :]
    with contextlib.suppress(SourceError):
        assert isinstance(audit(io.BytesIO(changed), "here"), Imports)


def test_a_huge_length_takes_no_memory() -> None:
    for opcode, width in ((b"B", 4), (b"\x8e", 8), (b"\x96", 8), (b"\x8d", 8), (b"\x95", 8)):
        with pytest.raises(SourceError, match="breaks off: copy it again"):
            audit(io.BytesIO(b"\x80\x05" + opcode + b"\xff" * (width - 1) + b"\x0f"), "here")


def test_the_trained_versions_are_found() -> None:
    found = audit(io.BytesIO(pickle.dumps(PIPELINES["mixed"])), "here")
    assert set(found.trained) >= {"Pipeline", "ColumnTransformer", "OneHotEncoder", "LogisticRegression"}
    assert len(set(found.trained.values())) == 1
