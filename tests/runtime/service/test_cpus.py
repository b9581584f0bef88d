"""Processors by quota: version 1 and 2 of control groups, as files on the disk."""

import os
from pathlib import Path

import pytest

from runtime.service.cpus import cpus

HERE = len(os.sched_getaffinity(0))


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("cpu_max", "cpu.max").replace("cfs", "cpu.cfs")).write_text(text + "\n")


def mine(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine"
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))


@pytest.mark.parametrize(
    ("quota", "count"),
    [("max 100000", 64), ("50000 100000", 1), ("100000 100000", 1), ("150000 100000", 2), ("400000 50000", 8)],
)
def test_version_2(tmp_path: Path, quota: str, count: int) -> None:
    group(tmp_path / "groups", cpu_max=quota)
    assert cpus(tmp_path / "groups", mine(tmp_path, "0::/\n")) == count


def test_a_group_above_counts_too(tmp_path: Path) -> None:
    groups = tmp_path / "groups"
    group(groups / "pods", cpu_max="300000 100000")
    group(groups / "pods" / "one", cpu_max="max 100000")
    assert cpus(groups, mine(tmp_path, "0::/pods/one\n")) == 3
    group(groups / "pods" / "one", cpu_max="200000 100000")
    assert cpus(groups, mine(tmp_path, "0::/pods/one\n")) == 2


@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
@pytest.mark.parametrize("path", ["/", "/docker/of-the-host"])
def test_version_1(tmp_path: Path, folder: str, path: str) -> None:
    groups = tmp_path / "groups"
    said = mine(tmp_path, f"5:memory:{path}\n4:{folder}:{path}\n")
    group(groups / "memory", cfs_quota_us="100", cfs_period_us="100")
    assert cpus(groups, said) == 64
    group(groups / folder, cfs_quota_us="-1", cfs_period_us="100000")
    assert cpus(groups, said) == 64
    group(groups / folder, cfs_quota_us="250000", cfs_period_us="100000")
    assert cpus(groups, said) == 3


@pytest.mark.parametrize("text", ["", "100000", "a b", "0 100000", "100000 0"])
def test_what_is_no_quota_is_none(tmp_path: Path, text: str) -> None:
    group(tmp_path / "groups", cpu_max=text)
    assert cpus(tmp_path / "groups", mine(tmp_path, "0::/\n")) == 64


def test_never_more_than_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group(tmp_path / "groups", cpu_max="800000 100000")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    assert cpus(tmp_path / "groups", mine(tmp_path, "0::/\n")) == 2


def test_without_control_groups(tmp_path: Path) -> None:
    assert cpus(tmp_path / "none", tmp_path / "neither") == 64


def test_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert 1 <= cpus() <= HERE
