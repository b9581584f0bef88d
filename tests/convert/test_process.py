"""The command line as a process: exit codes, what it imports, and what it leaves behind when it is stopped."""

import json
import os
import signal
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from runtime import load
from tests.runtime import bundles

from ..formats.pipelines import PIPELINES
from .commands import CONVERT, MAIN, ROWS, process, started


def test_the_exit_code_is_the_process_s(files: Path) -> None:
    done = process(files, *CONVERT)
    assert (done.returncode, done.stderr) == (0, "")
    assert load("models/scaler").version == "v1"
    again = process(files, *CONVERT)
    assert again.returncode == 2
    assert again.stderr == (
        "python -m convert: expected a new version, found that models/scaler/v1 exists: a version is never changed, "
        "name another\n"
    )


@pytest.mark.parametrize("words", [("list", "m"), ("show", "m"), ("promote", "m", "v1"), ("rollback", "m"), ("-h",)])
def test_the_registry_imports_no_training_stack(words: tuple[str, ...], files: Path) -> None:
    """It runs where a model is served."""
    for version in ("v1", "v2"):
        bundles.regressor(files / "m", bundles.numbers(["a"]), version=version)
    for version in ("v1", "v2"):
        assert process(files, "promote", "m", version).returncode == 0
    code = (
        "import json, sys\nfrom convert.cli import main\n"
        "try:\n    code = main()\nexcept SystemExit as ended:\n    code = ended.code\n"
        "print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]))"
    )
    done = process(files, *words, code=code)
    exit_code, modules = json.loads(done.stdout.splitlines()[-1])
    assert exit_code == 0
    assert not {"sklearn", "onnx", "skl2onnx", "spox", "scipy", "pandas", "joblib", "rich", "yaml"} & set(modules)


def test_a_pipeline_that_is_trained_and_converted_predicts_alike(files: Path) -> None:
    """From the shell, through the file, to the runtime."""
    model = LinearRegression().fit(ROWS[["a", "b"]], ROWS["late"])
    joblib.dump(model, "line.joblib", compress=3)
    ROWS.to_csv("s.csv", index=False)
    done = process(files, "line.joblib", "--sample", "s.csv", "--target", "late", "--out", "models/line")
    assert (done.returncode, done.stderr) == (0, "")
    assert np.allclose(load("models/line").predict(ROWS), model.predict(ROWS[["a", "b"]]), rtol=1e-12, atol=0)


def test_an_interrupt_ends_it_and_leaves_nothing(files: Path) -> None:
    """Ctrl-C while it works, with whatever Ctrl-C does where the tests run."""
    before = sorted(files.rglob("*"))
    code = f"import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n{MAIN}"
    with started(files, *CONVERT, code=code) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("open: ")
        running.send_signal(signal.SIGINT)
        _, err = running.communicate()
    assert (running.returncode, err) == (
        130,
        "python -m convert: interrupted; a version that was not written whole is not there\n",
    )
    assert sorted(files.rglob("*")) == before


def test_of_two_at_once_one_writes(files: Path) -> None:
    both = [started(files, *CONVERT) for _ in range(2)]
    ended = sorted((running.wait(), running.communicate()[1]) for running in both)
    assert [code for code, _ in ended] == [0, 2]
    assert "found that models/scaler/v1 exists: a version is never changed" in ended[1][1]
    assert [entry.name for entry in (files / "models" / "scaler").iterdir()] == ["v1"]
    assert load("models/scaler").version == "v1"


def test_another_process_writes_the_same_bytes(files: Path) -> None:
    """Sets of stop words, say, lie otherwise in each process."""
    made = PIPELINES["texts"](np.random.default_rng(0))
    made.pipeline[0].named_transformers_["countvectorizer-1"].stop_words = {"the", "of", "and", "a", "or"}
    joblib.dump(made.pipeline, "p.joblib")
    made.sample.to_parquet("s.parquet")
    words = ("p.joblib", "--sample", "s.parquet", "--version", "v1", "--out")
    for seed in ("1", "2"):
        done = process(files, *words, f"m{seed}", PYTHONHASHSEED=seed, SOURCE_DATE_EPOCH="1700000000")
        assert (done.returncode, done.stderr) == (0, "")
    one, two = ({file.name: file.read_bytes() for file in (files / name / "v1").iterdir()} for name in ("m1", "m2"))
    assert one == two
    assert b'"stop_words"' in one["manifest.json"]


def test_a_disk_that_is_full_leaves_nothing(files: Path) -> None:
    """As a limit to the size of a file."""
    before = sorted(files.rglob("*"))
    code = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n{MAIN}"
    done = process(files, *CONVERT, code=code)
    assert (done.returncode, done.stderr) == (
        2,
        "python -m convert: expected to write models/scaler/v1, found: File too large\n",
    )
    assert sorted(files.rglob("*")) == before


@pytest.mark.parametrize(("where", "found"), [("full", "No space left on device"), ("pipe", "Broken pipe")])
def test_output_that_nobody_takes_is_one_sentence(where: str, found: str, files: Path) -> None:
    """On a full disk, and where the reader has gone."""
    bundles.regressor(files / "m", bundles.numbers(["a"]), version="v1")
    if where == "full":
        out = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, out = os.pipe()
        os.close(reader)
    done = process(files, "list", "m", stdout=out)
    os.close(out)
    assert (done.returncode, done.stderr) == (
        2,
        f"python -m convert: expected to write to standard output, found: {found}\n",
    )


@pytest.mark.parametrize("missing", ["spox", "sklearn", "pandas"])
def test_without_the_convert_extra_one_sentence_says_what_to_do(missing: str, files: Path) -> None:
    code = f"import sys\nsys.modules[{missing!r}] = None\n{MAIN}"
    done = process(files, *CONVERT, code=code)
    sentence = f"expected the convert extra, found no {missing}: pip install 'pipetwin[convert]'"
    assert (done.returncode, done.stderr) == (2, f"python -m convert: {sentence}\n")
    imported = process(files, code=f"import sys; sys.modules[{missing!r}] = None\nfrom convert import convert")
    assert imported.stderr.splitlines()[-1] == f"ModuleNotFoundError: {sentence}"


def test_the_boosting_libraries_are_no_part_of_it(files: Path) -> None:
    code = f"import sys\nsys.modules.update(dict.fromkeys(('lightgbm', 'xgboost', 'catboost')))\n{MAIN}"
    done = process(files, *CONVERT, code=code)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_module_that_is_no_part_of_the_extra_keeps_its_trace(files: Path) -> None:
    code = f"import sys\nsys.modules['convert.parity'] = None\n{MAIN}"
    assert process(files, *CONVERT, code=code).stderr.startswith("Traceback")
