"""Hostile pickles run nothing, and what is refused is named."""

import contextlib
import copyreg
import io
import pickle  # noqa: TID251
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pytest

from convert import SourceError
from convert.pickles import audit, open_audited
from convert.source import list_globals, open_pipeline
from convert.trust import Global, resolve

from .hostile import ATTACKS, call, name, opened, text, whole


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


def test_hashes_of_the_file_are_not_taken() -> None:
    """A key is only kept where it is text: an estimator's own hash and comparison are nothing to an audit."""
    assert audit(io.BytesIO(whole(b"}", FOLDS, b"Ns")), "here").named == {
        Global("sklearn.model_selection._split", "KFold")
    }
