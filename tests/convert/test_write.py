"""A version folder is there whole or not at all, whatever goes wrong on the way."""

import errno
import hashlib
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from convert import WriteError
from convert.write import check_destination, write_bundle

FILES = {"model.onnx": b"graph" * 1000, "manifest.json": b"{}", "proof.json": b"{}"}


def everything(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_a_bundle_is_written_with_its_sums(tmp_path: Path) -> None:
    """Below folders that are made for it, and nothing is left beside it."""
    out = tmp_path / "models" / "flights"
    folder = write_bundle(out, "20261122T110305Z", FILES)
    assert folder == out / "20261122T110305Z"
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "SHA256SUMS"} == FILES
    assert os.listdir(out) == ["20261122T110305Z"]
    lines = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert lines == [[hashlib.sha256(FILES[name]).hexdigest(), name] for name in sorted(FILES)]


def test_the_sums_are_as_sha256sum_reads_them(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "flights", "1", FILES)
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)


def test_others_may_read_it_as_the_umask_says(tmp_path: Path) -> None:
    """A server is somebody else than who converts."""
    before = os.umask(0o022)
    try:
        folder = write_bundle(tmp_path / "flights", "1", FILES)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "model.onnx").stat().st_mode & 0o777 == 0o644


def said(tmp_path: Path, out: Path, version: str) -> str:
    """What is said beforehand; it is also what writing says, and it leaves everything as it was."""
    before = everything(tmp_path)
    messages = []
    for refuse in (lambda: check_destination(out, version), lambda: write_bundle(out, version, FILES)):
        with pytest.raises(WriteError) as caught:
            refuse()
        messages.append(str(caught.value).replace(str(tmp_path), "DIR"))
    assert messages[0] == messages[1]
    assert everything(tmp_path) == before
    return messages[0]


@pytest.mark.parametrize("version", ["", "V2", "a/b", "../1", ".1", "1" * 64, "production", "aliases.jsonl", "1\n"])
def test_a_version_has_a_grammar(version: str, tmp_path: Path) -> None:
    assert said(tmp_path, tmp_path / "flights", version) == (
        "expected a version of small letters, digits, '.', '_', '-', 'T' and 'Z', at most 63 of them, found "
        f"{version!r}: name it otherwise"
    )


@pytest.mark.parametrize("name", ["Flights", "my model", ".hidden", "f" * 64, "flüge"])
def test_a_model_has_a_grammar(name: str, tmp_path: Path) -> None:
    assert said(tmp_path, tmp_path / name, "1") == (
        f"expected a model's name of small letters, digits, '.', '_' and '-', at most 63 of them, found {name!r}: "
        f"rename the folder DIR/{name}"
    )


@pytest.mark.parametrize("version", ["1", "20261122T110305Z", "a.b_c-d", "v2"])
def test_good_names_are_let_through(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative folders too: the model's name is the last part of where they lie."""
    (tmp_path / "flights").mkdir()
    monkeypatch.chdir(tmp_path / "flights")
    check_destination(Path("."), version)
    check_destination(Path("../cost/"), version)
    check_destination(Path("../cost/"))
    assert everything(tmp_path) == ["flights"]


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_a_version_is_never_changed(make: Callable[[Path], Any], tmp_path: Path) -> None:
    """Be it a folder, a file, or a link to nothing."""
    (tmp_path / "flights").mkdir()
    make(tmp_path / "flights" / "1")
    assert said(tmp_path, tmp_path / "flights", "1") == (
        "expected a new version, found that DIR/flights/1 exists: a version is never changed, name another"
    )


@pytest.mark.parametrize("out", ["flights", "flights/below"])
def test_a_file_in_the_way(out: str, tmp_path: Path) -> None:
    (tmp_path / "flights").touch()
    assert said(tmp_path, tmp_path / out, "1") == (
        f"expected to write below the folder DIR/{out}, found that DIR/flights is a file: choose another"
    )


def test_a_folder_that_may_not_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert said(tmp_path, tmp_path / "flights", "1") == (
        "expected to write below DIR/flights, found that DIR may not be written to"
    )


CALLS = ("open", "fsync", "rename", "mkdir")
"""What a write consists of; each may fail, the first time or a later one."""


def fail(monkeypatch: pytest.MonkeyPatch, call: str, at: int, error: BaseException) -> list[int]:
    """Let a call of the operating system's raise an error at its nth time; gives how often it was called."""
    import builtins

    owner: Any = builtins if call == "open" else Path if call == "mkdir" else os
    real, calls = getattr(owner, call), [0]

    def broken(*args: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == at:
            raise error
        return real(*args, **options)

    monkeypatch.setattr(owner, call, broken)
    return calls


@pytest.mark.parametrize("models", [True, False], ids=["beside others", "alone"])
@pytest.mark.parametrize("at", [1, 2, 3, 5])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=["full", "interrupted"]
)
def test_a_failure_leaves_nothing_behind(
    error: BaseException, call: str, at: int, models: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is a sentence, an interrupt stays one; either way no file and no folder is left."""
    out = tmp_path / "models" / "flights"
    if models:
        write_bundle(out, "1", FILES)
    before = everything(tmp_path)
    with monkeypatch.context() as patch:
        calls = fail(patch, call, at, error)
        try:
            write_bundle(out, "2", FILES)
        except KeyboardInterrupt:
            assert isinstance(error, KeyboardInterrupt)
        except WriteError as found:
            assert str(found) == f"expected to write {out / '2'}, found: No space left on device"  # noqa: PT017
        else:
            assert calls[0] < at
            return
    assert everything(tmp_path) == before
    write_bundle(out, "2", FILES)


def test_what_fails_after_the_rename_takes_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, "fsync", 6, OSError(errno.EIO, "Input/output error"))
    assert write_bundle(tmp_path / "flights", "1", FILES).is_dir()


def test_of_two_writers_one_wins(tmp_path: Path) -> None:
    """And the folder holds one writer's files, not a mixture."""
    out, writers = tmp_path / "flights", 8
    for round_ in range(10):
        barrier = Barrier(writers)

        def write(writer: int, version: str = str(round_), barrier: Barrier = barrier) -> bool:
            barrier.wait()
            try:
                write_bundle(out, version, {name: text + b"%d" % writer for name, text in FILES.items()})
            except WriteError as error:
                assert str(error).endswith(f"{version} exists: a version is never changed, name another")  # noqa: PT017
                return False
            return True

        with ThreadPoolExecutor(writers) as pool:
            won = list(pool.map(write, range(writers)))
        assert won.count(True) == 1
        winner = b"%d" % won.index(True)
        assert {(out / str(round_) / name).read_bytes() for name in FILES} == {t + winner for t in FILES.values()}
    assert sorted(os.listdir(out)) == [str(round_) for round_ in range(10)]
