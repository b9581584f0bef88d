"""The one-way street and the public surface, held by tests."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"sklearn", "skl2onnx", "onnx", "joblib", "scipy", "pandas", "spox"}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(file: Path) -> set[str]:
    """The top-level packages that a file names in absolute imports, wherever in it they stand."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def modules_after(statement: str) -> set[str]:
    """The top-level modules of a fresh interpreter after a statement."""
    code = f"{statement}\nimport sys\nprint('\\n'.join({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("file", sources("runtime"), ids=lambda file: str(file.relative_to(ROOT)))
def test_the_runtime_names_nothing_of_the_converter(file: Path) -> None:
    """Nothing flows back: no converter, no training stack."""
    assert not imported(file) & (HEAVY | {"convert", "models", "benchmarks", "pickle"})


def test_importing_the_runtime_is_light() -> None:
    """No web framework and no training stack come with it."""
    assert not modules_after("import runtime") & (HEAVY | {"litestar", "uvicorn", "prometheus_client", "convert"})


def test_the_registry_needs_no_training_stack() -> None:
    """Promoting and listing run where nothing but the runtime is installed."""
    assert not modules_after("import convert.registry") & (HEAVY | {"skl2onnx", "litestar"})


def test_public_names() -> None:
    """What others may import; a new name is a promise, so it is added here by hand."""
    import convert
    import runtime

    assert convert.__all__ == sorted(convert.__all__)
    assert runtime.__all__ == sorted(runtime.__all__)
    assert {"convert", "ConvertError", "ParityError"} <= set(convert.__all__)
    assert {"load", "Model", "InputError"} <= set(runtime.__all__)
    for module in (convert, runtime):
        for name in module.__all__:
            assert getattr(module, name).__doc__, f"{module.__name__}.{name} has no docstring"


def test_long_files_are_reported(record_property: pytest.TestReport) -> None:
    """A file past 350 lines probably wants to be two; this counts them, and fails only where one is twice that."""
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text().splitlines())
        for package in ("convert", "runtime", "benchmarks", "models")
        for file in sources(package)
    }
    record_property("long files", {name: lines for name, lines in lengths.items() if lines > 350})  # type: ignore[operator]
    assert max(lengths.values()) < 700
