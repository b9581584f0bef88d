"""What the runtime imports, seen from a fresh process and read from the sources."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import runtime

SOURCES = sorted(Path(runtime.__file__).parent.rglob("*.py"))
TRAINING = {"sklearn", "skl2onnx", "onnx", "joblib", "scipy", "pandas", "spox", "pyarrow", "polars", "convert"}
SERVING = {"litestar", "uvicorn", "prometheus_client", "uvloop", "httptools"}


def loaded(statement: str) -> set[str]:
    """The packages that a statement loads in a fresh process."""
    code = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


def test_the_runtime_loads_no_training_stack_and_no_server() -> None:
    assert not loaded("import runtime") & (TRAINING | SERVING)


def test_the_service_loads_no_training_stack() -> None:
    found = loaded("import runtime.service")
    assert not found & TRAINING
    assert "litestar" in found


def test_the_server_loads_no_training_stack() -> None:
    assert not loaded("import runtime.service.server, runtime.__main__") & TRAINING


def test_the_detector_fires() -> None:
    assert "joblib" in loaded("import joblib, runtime") & TRAINING


def test_importing_does_nothing_but_the_telemetry_opt_out() -> None:
    code = (
        "import os, threading, logging, signal; before = dict(os.environ); "
        "handlers = [signal.getsignal(n) for n in (2, 15)]; import runtime, runtime.service; "
        "after = dict(os.environ); print(sorted(after.items() - before.items()), threading.active_count(), "
        "logging.getLogger().handlers, logging.getLogger('pipetwin').handlers, "
        "handlers == [signal.getsignal(n) for n in (2, 15)])"
    )
    environment = {"PATH": "/usr/bin:/bin"}
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert found.stdout.strip() == "[('ORT_DISABLE_TELEMETRY', '1')] 1 [] [] True"
    assert found.stderr == ""


@pytest.mark.parametrize("missing", ["litestar", "prometheus_client"])
def test_without_the_serve_extra_one_sentence_says_what_to_do(missing: str) -> None:
    code = f"import sys; sys.modules['{missing}'] = None\nimport runtime.service"
    found = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    last = found.stderr.strip().splitlines()[-1]
    assert last == f"ModuleNotFoundError: expected the serve extra, found no {missing}: pip install 'pipetwin[serve]'"


@pytest.mark.parametrize("missing", ["litestar", "uvicorn"])
def test_without_the_serve_extra_the_command_is_bad_input(missing: str) -> None:
    code = (
        f"import sys; sys.modules['{missing}'] = None\n"
        "from runtime.__main__ import main\nsys.exit(main(['models'], {}))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert found.returncode == 2
    assert found.stderr == (
        f"python -m runtime: expected the serve extra, found no {missing}: pip install 'pipetwin[serve]'\n"
    )


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(level, module) of each import of a syntax tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


def names(tree: ast.AST) -> set[str]:
    """Every name, attribute, string and imported module of a syntax tree, docstrings included."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) | ast.keyword(arg=str(name)):
                found.add(name)
            case ast.ImportFrom(module=str(name)) | ast.arg(arg=name):
                found.add(name)
            case ast.Constant(value=str(text)) if not text.isspace() and " " not in text:
                found.add(text)
    return found


FORBIDDEN = ("pickle", "joblib", "marshal", "shelve", "dill", "allow_pickle")


def offends(source: str) -> bool:
    """Whether a source names something that runs code from data."""
    return any(word in name.lower().split(".") for name in names(ast.parse(source)) for word in FORBIDDEN)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_source_names_pickle(path: Path) -> None:
    assert not offends(path.read_text())


def test_the_detector_of_pickle_fires() -> None:
    for source in (
        "import pickle",
        "from pickle import loads",
        "__import__('pickle')",
        "x.pickle",
        "f(allow_pickle=True)",
    ):
        assert offends(source)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_imports_within_are_relative_and_onnxruntime_stays_in_its_file(path: Path) -> None:
    found = list(imports(ast.parse(path.read_text())))
    assert not [name for level, name in found if not level and name.partition(".")[0] in ("runtime", "convert")]
    importing = {name for level, name in found if not level}
    assert ("onnxruntime" in importing) == (path.name == "session.py")
    if "service" not in path.parts:
        assert not {name.partition(".")[0] for name in importing} & SERVING
