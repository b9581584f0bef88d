"""The command line: what it prints, where, and its exit codes."""

import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler

import convert.build
from convert import ParityError, UnsupportedError
from convert.cli import main
from runtime import load
from runtime.proof import Canary, OutputProof, Proof
from tests.runtime import bundles

from .commands import CONVERT, ROWS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(files: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        return code, *capsys.readouterr()

    return run


def test_a_pipeline_becomes_a_bundle(run: Run, files: Path) -> None:
    """A line a stage, what was written and how large it is, and the proof, all on stdout."""
    code, out, err = run(*CONVERT, "--promote", "staging")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == [
        "open: p.joblib is a pickle: opening it runs code; it imports 5 names from joblib, numpy, sklearn",
        "sample: 30 rows of 2 columns from s.parquet",
    ]
    model = load("models/scaler@staging")
    assert model.version == "v1"
    assert any(line.startswith("written: models/scaler/v1, ") and line.endswith(" bytes") for line in lines)
    assert lines[-len(str(model.proof).splitlines()) :] == str(model.proof).splitlines()
    assert np.array_equal(model.transform(ROWS), joblib.load("p.joblib").transform(ROWS[["a", "b"]]))


def test_of_a_skops_file_no_code_is_run(run: Run) -> None:
    code, out, _ = run("p.skops", *CONVERT[1:])
    assert code == 0
    assert out.startswith("open: p.skops is a skops file: opening it runs no code of its own\n")


Asked = dict[str, Any]


def proof() -> Proof:
    outputs = {"predict": OutputProof(1, 1)}
    return Proof("bit", 0.0, 1, {"sample": 1}, (1,), outputs, Canary((), {}), 0, {}, "0" * 64)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the driver is asked for, in its place."""
    found: Asked = {}

    def noted(pipeline: Any, sample: Any, out: Any, **options: Any) -> Proof:
        found.update(options, pipeline=pipeline, sample=sample, out=out)
        options["progress"]("walked", 1234, 5678)
        options["report"]("stage: done")
        options["progress"]("compared", 1, 3)
        return proof()

    monkeypatch.setattr(convert.build, "convert", noted)
    return found


def test_every_option_reaches_the_driver(run: Run, asked: Asked) -> None:
    options = ("--tolerance", "1e-6", "--enforce-range", "--portable", "--return-std", "--promote", "staging")
    code, out, _ = run(*CONVERT, *options, "--budget-p95", "2ms", "--trust", "one", "--trust", "two.three")
    assert code == 0
    assert out.splitlines()[-3:] == ["stage: done", *str(proof()).splitlines()][-3:]
    assert isinstance(asked.pop("pipeline"), MinMaxScaler)
    assert list(asked.pop("sample").columns) == ["a", "b"]
    del asked["report"], asked["progress"]
    assert asked == {
        "out": Path("models/scaler"),
        "version": "v1",
        "promote": "staging",
        "tolerance": 1e-6,
        "enforce_range": True,
        "portable": True,
        "return_std": True,
        "budget_p95": 2000.0,
    }


def test_what_is_not_said_is_left_to_the_driver(run: Run, asked: Asked) -> None:
    assert run("p.joblib", "--sample", "s.parquet", "--out", "models/scaler")[0] == 0
    assert [asked[name] for name in ("version", "promote", "tolerance", "budget_p95")] == [None] * 4
    assert not any(asked[name] for name in ("enforce_range", "portable", "return_std"))


def test_a_module_can_be_trusted(run: Run, asked: Asked, files: Path) -> None:
    joblib.dump(np.random.default_rng, files / "f.joblib")
    joblib.dump(joblib.Memory, files / "m.joblib")
    code, _, err = run("m.joblib", *CONVERT[1:])
    assert code == 2
    assert "found joblib.memory.Memory, which could run any code" in err
    _, _, err = run("m.joblib", *CONVERT[1:], "--trust", "joblib.memory")
    assert err == (
        "python -m convert: expected a trained scikit-learn pipeline, found the class Memory in m.joblib: dump the "
        "pipeline itself\n"
    )


BAD = {
    "no pipeline": (
        ("none.joblib", *CONVERT[1:]),
        "expected a trained pipeline in none.joblib, found no such file",
    ),
    "a dict": (
        ("dict.joblib", *CONVERT[1:]),
        "expected a trained scikit-learn pipeline, found a dict in dict.joblib: dump the pipeline itself",
    ),
    "no sample": (
        (*CONVERT[:2], "none.csv", *CONVERT[3:]),
        "expected a sample in none.csv, found no such file",
    ),
    "no target": (
        (*CONVERT, "--target", "early"),
        "expected the target 'early' among the columns of the sample s.parquet, found a, b, late",
    ),
    "a version that exists": (
        (*CONVERT[:-3], "models/old", "--version", "v1"),
        "expected a new version, found that models/old/v1 exists: a version is never changed, name another",
    ),
    "a file in the way": (
        (*CONVERT[:-3], "p.joblib/below"),
        "expected to write below the folder p.joblib/below, found that p.joblib is a file: choose another",
    ),
    "no alias": (
        (*CONVERT, "--promote", "v2"),
        "expected an alias of small letters, digits, '.', '_' and '-' that does not look like a version, found 'v2': "
        "name it otherwise, say production or staging",
    ),
    "no version": (
        ("promote", "models/old", "v2"),
        "expected a version 'v2' in models/old, found v1",
    ),
    "nothing to go back to": (
        ("rollback", "models/old"),
        "expected the history of models/old's aliases, found none: promote a version first",
    ),
    "no model": (
        ("list", "models/none"),
        "expected a model with versions in models/none, found none",
    ),
    "nothing to show": (
        ("show", "models/old@staging"),
        "expected an alias or a version 'staging' in models/old, found v1",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_sentence(kind: str, run: Run, files: Path) -> None:
    """On stderr, with exit code 2, and nothing is written."""
    words, sentence = BAD[kind]
    bundles.regressor(files / "models/old", bundles.numbers(["a"]), version="v1")
    before = sorted(files.rglob("*"))
    code, _, err = run(*words)
    assert (code, err) == (2, f"python -m convert: {sentence}\n")
    assert sorted(files.rglob("*")) == before


def broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def convert_(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(convert.build, "convert", convert_)


def test_other_answers_are_exit_code_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rows that differ most."""
    worst = "row 7: 1.0, not 2.0\nrow 9: 3.0, not 4.0"
    broken(monkeypatch, ParityError("expected the same answers, found others", worst))
    code, _, err = run(*CONVERT)
    assert (code, err) == (1, f"python -m convert: expected the same answers, found others\n{worst}\n")


def test_what_cannot_be_expressed_is_exit_code_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, UnsupportedError("expected a method, found none", "['clf']"))
    assert run(*CONVERT)[::2] == (2, "python -m convert: pipeline['clf']: expected a method, found none\n")


def test_a_bug_is_no_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps its trace."""
    broken(monkeypatch, KeyError("a bug"))
    with pytest.raises(KeyError):
        run(*CONVERT)


def test_an_interrupt_leaves_nothing_behind(run: Run, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the bundle's files are being written."""
    before, real = sorted(files.rglob("*")), os.fsync

    def interrupted(descriptor: int) -> None:
        signal.raise_signal(signal.SIGINT)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", interrupted)
    # A shell starts what runs in the background with Ctrl-C ignored, and the tests may run there.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code, out, err = run(*CONVERT)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert (code, err) == (130, "python -m convert: interrupted; a version that was not written whole is not there\n")
    assert "open: " in out
    assert sorted(files.rglob("*")) == before


def test_aliases_are_moved_and_listed(run: Run, files: Path) -> None:
    for version in ("v1", "v2"):
        bundles.regressor(files / "m", bundles.numbers(["a"]), version=version)
    assert run("promote", "m", "v1") == (0, "m/production -> v1 (before: nothing)\n", "")
    assert run("promote", "m", "v2", "--alias", "production") == (0, "m/production -> v2 (before: v1)\n", "")
    assert run("promote", "m", "v1", "--alias", "staging")[1] == "m/staging -> v1 (before: nothing)\n"
    assert run("rollback", "m") == (0, "m/production -> v1 (before: v2)\n", "")
    code, out, _ = run("list", "m")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["version", "v2", "v1"]
    assert out.splitlines()[2].endswith("level ulp on 3 rows  production, staging")
    code, out, _ = run("show", "m@staging")
    assert code == 0
    assert out.startswith("v1, created 2026-11-22T11:03:05Z, in ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "the following arguments are required: PIPELINE, --sample, --out"),
        (("p.joblib", "--out", "m"), "the following arguments are required: --sample"),
        (("promote", "m"), "the following arguments are required: VERSION"),
        ((*CONVERT, "--tolerance", "lots"), "argument --tolerance: expected a number between 0 and 1, found 'lots'"),
        ((*CONVERT, "--tolerance", "nan"), "argument --tolerance: expected a number between 0 and 1, found 'nan'"),
        ((*CONVERT, "--sampel"), "unrecognized arguments: --sampel"),
    ],
)
def test_words_that_are_not_understood(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(f"error: {message}\n")


def test_a_file_with_a_command_s_name_is_written_with_its_folder(run: Run, files: Path) -> None:
    joblib.dump({}, files / "list")
    assert "expected a trained scikit-learn pipeline, found a dict in list" in run("./list", *CONVERT[1:])[2]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_progress_is_shown_beside(run: Run, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr, how far each stage is; what stdout holds stays the same, so that it can be piped. Without a terminal
    nothing is said beyond the lines."""
    code, plain, err = run(*CONVERT)
    assert (code, err) == (0, "")
    assert plain.splitlines()[-3:] == ["stage: done", *str(proof()).splitlines()][-3:]
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    code, out, _ = run(*CONVERT)
    assert (code, out) == (0, plain)
    shown = terminal.getvalue()
    assert "\x1b[" in shown
    assert shown.index("1,234 of 5,678") < shown.index("stage: done") < shown.index("1 of 3")
