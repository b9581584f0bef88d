"""Hostile pickles run nothing; of the others, everything that CPython's own unpickler imports is found."""

import _compat_pickle
import contextlib
import copyreg
import io
import pickle  # noqa: TID251
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
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
from convert.source import list_globals, open_pipeline
from convert.trust import Global, Imports, resolve

from .hostile import ATTACKS, call, name, text, whole

COMPRESSORS: tuple[Any, ...] = (0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3))


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_runs_nothing(attack: str, tmp_path: Path) -> None:
    """Neither listing nor opening runs it; that the attack is one is shown by opening it unprotected."""
    file, folder = tmp_path / "pipeline.joblib", tmp_path / "made"
    file.write_bytes(ATTACKS[attack](str(folder)))
    try:
        assert list_globals(file)
    except SourceError:
        assert attack in ("before garbage", "before the end")
    with pytest.raises(SourceError):
        open_pipeline(file)
    assert not folder.exists()

    with contextlib.suppress(KeyError, EOFError):
        joblib.load(file)
    assert folder.is_dir()


def test_an_attack_is_named(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.joblib"
    file.write_bytes(ATTACKS["joblib, lzma"](str(tmp_path / "made")))
    with pytest.raises(SourceError) as caught:
        open_pipeline(file)
    assert str(caught.value) == (
        f"expected {file} to import only what scikit-learn, NumPy and SciPy keep data in, found posix.mkdir, which "
        "could run any code: if the file is your own, allow it with --trust MODULE (--trust posix)"
    )


def opened(data: bytes, *trust: str) -> Any:
    return open_audited(io.BytesIO(data), resolve(audit(io.BytesIO(data), "here"), "here", trust), "here")


def refused(data: bytes) -> str:
    with pytest.raises(SourceError) as caught:
        opened(data)
    return str(caught.value)


@pytest.fixture
def registered() -> Iterator[int]:
    copyreg.add_extension("posix", "mkdir", 7)
    yield 7
    copyreg.remove_extension("posix", "mkdir", 7)


def test_an_extension_code_is_refused(registered: int, tmp_path: Path) -> None:
    """And the process's cache of them is left as it was."""
    data = b"\x80\x02\x82\x07(" + text(str(tmp_path / "made")) + b"tR."
    assert refused(data) == (
        "expected a pickle that stands by itself in here, found that it imports by an extension code"
    )
    assert 7 not in copyreg._extension_cache  # type: ignore[attr-defined]
    pickle.loads(data)
    assert (tmp_path / "made").is_dir()


@pytest.mark.parametrize("data", [b"Pposix mkdir\n.", whole(text("posix mkdir"), b"Q")])
def test_a_persistent_id_is_refused(data: bytes) -> None:
    assert refused(data) == (
        "expected a pickle that stands by itself in here, found that it refers to objects outside of it"
    )


FOLDS = name("sklearn.model_selection._split", "KFold") + b"\x29\x81"
BUFFER = name("numpy", "setbufsize")


def state(attribute: str, value: bytes) -> bytes:
    return b"}" + text(attribute) + value + b"sb"


@pytest.mark.parametrize(
    "data",
    [
        whole(FOLDS, state("append", BUFFER), b"M\x00\x40a"),
        whole(FOLDS, state("extend", BUFFER), b"(M\x00\x40e"),
        whole(FOLDS, state("__setstate__", BUFFER), b"M\x00\x40b"),
        whole(name("sklearn.model_selection._split", "KFold"), b"N", state("x", b"N")[:-1], b"\x86b"),
        whole(call(FOLDS, b"N")),
    ],
    ids=["append", "extend", "setstate", "a class's attribute", "called"],
)
def test_an_object_is_left_alone_once_it_has_its_state(data: bytes) -> None:
    """An attribute named append, extend or __setstate__ would be called by the next opcode."""
    assert refused(data) == (
        "expected here to be as a pickler writes it, found one made to call or to change "
        "sklearn.model_selection._split.KFold: do not open it"
    )


def test_what_follows_a_state_would_have_been_called() -> None:
    """The attack above is one."""
    before = np.getbufsize()
    try:
        pickle.loads(whole(FOLDS, state("append", BUFFER), b"M\x00\x40a"))
        assert np.getbufsize() == 0x4000 != before
    finally:
        np.setbufsize(before)


@pytest.mark.parametrize(
    ("module", "attribute"),
    [
        ("numpy", "setbufsize"),  # a function, fine to name, not to call
        ("numpy", "memmap"),  # makes files
        ("numpy._core.memmap", "memmap"),  # the same by another path
        ("numpy.lib.npyio", "DataSource"),
        ("numpy.f2py", "compile"),
        ("numpy.testing", "rundocs"),
        ("sklearn.utils._testing", "assert_run_python_script_without_output"),
        ("scipy._lib._bunch", "_make_tuple_bunch"),
        ("scipy._lib.decorator", "FunctionMaker"),
        ("sklearn.ensemble._hist_gradient_boosting.gradient_boosting", "partial"),  # functools.partial
        ("sklearn.base", "inspect"),  # a module
        ("sklearn.base", "BaseEstimator.get_params"),
        ("sklearnx", "thing"),
        ("collections", "namedtuple"),  # makes a class from text
        ("builtins", "type"),
        ("joblib", "load"),
        ("joblib.numpy_pickle", "NDArrayWrapper"),  # reads a file beside
    ],
)
def test_what_could_run_code_is_refused(module: str, attribute: str) -> None:
    """Whatever it would be called with."""
    assert f"found {module}.{attribute}, which could run any code" in refused(whole(call(name(module, attribute))))


def test_a_function_may_be_named() -> None:
    """A FunctionTransformer holds one."""
    assert opened(whole(BUFFER)) is np.setbufsize


def test_trust_is_a_module_or_a_name_in_one() -> None:
    data = whole(call(name("fractions", "Fraction"), b"K\x03"))
    assert opened(data, "fractions") == opened(data, "fractions.Fraction") == 3
    for trust in ("fraction", "fractions.Frac", ""):
        with pytest.raises(SourceError, match="--trust fractions"):
            opened(data, trust)


def test_many_names_are_cut_short_and_escaped() -> None:
    data = whole(*(name("evil\x1b[2J", f"f{index}") + b"0" for index in range(9)), b"N")
    message = refused(data)
    assert "'evil\\x1b[2J.f0', " in message
    assert "and 3 more, which could run" in message
    assert message.isprintable()


def test_a_class_that_is_not_here() -> None:
    data = whole(name("mypkg.steps", "Thing"), b"\x29\x81")
    with pytest.raises(SourceError) as caught:
        opened(data, "mypkg")
    assert str(caught.value) == (
        "expected to import mypkg.steps.Thing, which here needs, found: No module named 'mypkg': install it, or put "
        "it where Python finds it"
    )


def test_a_file_that_changes_between_is_held_to_what_was_judged() -> None:
    table = resolve(audit(io.BytesIO(pickle.dumps(np.arange(3))), "here"), "here")
    with pytest.raises(SourceError) as caught:
        open_audited(io.BytesIO(ATTACKS["protocol 4"]("/nowhere")), table, "here")
    assert str(caught.value) == (
        "expected here to stay as it was read first, found that it imports something else by now"
    )


def test_a_wrapper_has_no_method_to_replace() -> None:
    """A state with a function named read, on joblib's wrapper of an array."""
    file = io.BytesIO()
    joblib.dump(np.arange(3.0), file)
    forged = file.getvalue().replace(b"\x8c\nallow_mmap\x94\x88", b"\x8c\x04read\x94" + BUFFER, 1)
    frame = forged.index(b"\x95")
    grown = int.from_bytes(forged[frame + 1 : frame + 9], "little") + len(forged) - len(file.getvalue())
    forged = forged[: frame + 1] + grown.to_bytes(8, "little") + forged[frame + 9 :]
    assert opened(forged).tolist() == [0, 1, 2]


def test_what_cannot_be_put_together() -> None:
    data = whole(call(name("builtins", "int"), text("three")))
    assert refused(data) == (
        "expected to open here, found: invalid literal for int() with base 10: 'three': open it where the packages "
        "are those it was trained with"
    )


# --- everything is found ---------------------------------------------------------------------------------------------


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


def test_hashes_of_the_file_are_not_taken() -> None:
    """A key is only kept where it is text: an estimator's own hash and comparison are nothing to an audit."""
    assert audit(io.BytesIO(whole(b"}", FOLDS, b"Ns")), "here").named == {
        Global("sklearn.model_selection._split", "KFold")
    }
