"""The commands of the root, and the locks that they install."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements-serve.txt", "requirements-dev.txt")
BESIDE, CLIENTS = "requirements-boosters.txt", "requirements-clients.txt"


def make(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Make as if from a shell, though make itself may have started the tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def pinned(lock: str) -> dict[str, set[str]]:
    """The versions of each package; several where they differ by Python's."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==([^ ;]+)", (ROOT / lock).read_text(), re.MULTILINE):
        versions.setdefault(name, set()).add(version)
    return versions


@pytest.fixture
def newcomer(tmp_path: Path) -> Path:
    """A folder with what making the environments needs, and none of them made."""
    for name in ("Makefile", *LOCKS):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_make_lists_its_commands() -> None:
    """A command is there when it is listed: every phony target says what it does."""
    phony = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    listed = re.findall(r"^  make (\S+) +\S", make().stdout, re.MULTILINE)
    assert set(listed) == phony
    assert {"help", "demo", "serve", "test", "test-all", "check", "bench", "image", "image-check", "lock"} <= phony


@pytest.mark.parametrize("python", ["no-such-python", "too-old", "bare"])
def test_a_python_that_will_not_do_is_one_sentence(newcomer: Path, python: str) -> None:
    """Which is expected, which was found, and how to name another."""
    scripts = {
        "too-old": 'case "$1" in --version) echo Python 3.9.18;; *) exit 1;; esac',
        "bare": 'case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac',
    }
    if python in scripts:
        (newcomer / python).write_text(f"#!/bin/sh\n{scripts[python]}\n")
        (newcomer / python).chmod(0o755)
        python = f"./{python}"
    done = make(".venv/installed", f"PYTHON={python}", folder=newcomer)
    sentence, *rest = done.stderr.splitlines()
    assert done.returncode == 2
    assert re.match(r"expected (CPython 3\.11 to 3\.14 as )?\S+( with venv and pip)?, found .+; .+", sentence)
    assert all(line.startswith("make: ***") for line in rest)
    assert not (newcomer / ".venv").exists()


def test_this_python_will_do(newcomer: Path) -> None:
    """The same check lets the one through that runs the tests, and an environment is made with it."""
    script = f'#!/bin/sh\ncase "$1" in -c) exec {sys.executable} "$@";; *) echo "$@"; exit 7;; esac\n'
    (newcomer / "python").write_text(script)
    (newcomer / "python").chmod(0o755)
    done = make(".venv/installed", "PYTHON=./python", folder=newcomer)
    assert done.stdout == "-m venv --clear .venv\n"


@pytest.mark.parametrize("lock", [*LOCKS, BESIDE, CLIENTS])
def test_a_lock_pins_by_hash_and_names_no_host(lock: str) -> None:
    """Whichever index pip is told to use serves these very files."""
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(
        r"^\s*-", re.sub(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$", "", text, flags=re.MULTILINE), re.MULTILINE
    )
    requirements = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in requirement for requirement in requirements)


def test_what_serves_holds_no_training_stack() -> None:
    """And what develops holds the same versions of what serves."""
    serve, develop = map(pinned, LOCKS)
    assert not set(serve) & {"scikit-learn", "scipy", "pandas", "joblib", "onnx", "skl2onnx", "spox", "pyarrow"}
    assert {name: develop[name] for name in serve} == serve


def test_what_is_installed_beside_agrees_with_what_is_there() -> None:
    develop, beside = pinned(LOCKS[1]), pinned(BESIDE)
    both = develop.keys() & beside.keys()
    assert {"numpy", "scipy", "pandas"} <= both
    assert {name: beside[name] for name in both} == {name: develop[name] for name in both}


def test_the_locks_hold_what_the_project_asks_for() -> None:
    """A dependency that was added to pyproject.toml and not locked would be missing from a fresh clone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    groups = project["dependency-groups"]
    serve = [*project["project"]["dependencies"], *extras["serve"]]
    develop = [*serve, *extras["convert"], *groups["train"], *groups["test"], *groups["lint"]]
    for asked, lock in ((serve, LOCKS[0]), (develop, LOCKS[1]), (groups["boosters"], BESIDE)):
        names = {re.split(r"[<>=!~\[; ]", requirement)[0].lower() for requirement in asked}
        assert not names - set(pinned(lock))
