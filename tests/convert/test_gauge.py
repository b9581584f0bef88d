"""How far a conversion is: what its driver says of it, and what a terminal shows."""

import contextlib
import io
import os
import sys
from pathlib import Path

import joblib
import pytest
from rich.console import Console
from sklearn.ensemble import RandomForestClassifier

import convert.reference
from convert import convert as converted
from convert.gauge import Gauge

from .commands import ROWS, process, started

FOREST = ("forest.joblib", "--sample", "s.parquet", "--target", "late", "--out", "models/forest", "--version")


@pytest.fixture
def forest(files: Path) -> RandomForestClassifier:
    """A pipeline of seven trees, as a file too."""
    model = RandomForestClassifier(7, random_state=0).fit(ROWS[["a", "b"]], ROWS["late"] > 15)
    joblib.dump(model, files / "forest.joblib")
    return model


def test_long_stages_move(forest: RandomForestClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tree by tree and block by block, each from nothing to all; and a line a stage as ever."""
    monkeypatch.setattr(convert.reference, "ROWS", 100)
    seen: dict[str, list[tuple[int, int]]] = {}
    lines: list[str] = []
    proof = converted(
        forest,
        ROWS[["a", "b"]],
        "models/forest",
        report=lines.append,
        progress=lambda what, done, total: seen.setdefault(what, []).append((done, total)),
    )
    assert seen["walked"] == [(done, 7) for done in range(8)]
    assert seen["asked"] == [(done, proof.rows) for done in [*range(0, proof.rows, 100), proof.rows]]
    assert seen["compared"] == [(0, proof.rows), (proof.rows, proof.rows)]
    stages = ["signature", "graph", "walked", "loaded", "probes", *["compared"] * 3, "proof", "written"]
    assert [line.split(":")[0] for line in lines] == stages


def test_a_gauge_shows_how_far_a_stage_is() -> None:
    """And the stage after a line begins anew, with nothing of what the one before had done."""
    console = Console(file=io.StringIO(), force_terminal=True, record=True, width=80)
    with Gauge(console) as gauge:
        gauge.moved("walked", 7, 7)
        walked = console.export_text()
        with gauge.aside("walked: [7] nodes"):
            pass
        after = console.export_text().splitlines()[-1]
    assert "walked" in walked
    assert "7 of 7" in walked
    assert "walked: [7] nodes" in after
    assert "7 of 7" not in after


@pytest.mark.skipif(sys.platform != "linux", reason="the end of a pseudo-terminal is told otherwise elsewhere")
def test_a_terminal_sees_it_move_and_a_pipe_gets_the_lines(forest: RandomForestClassifier, files: Path) -> None:
    """The same lines on stdout with a terminal as without, but for the version; and without one, nothing on stderr."""
    plain = process(files, *FOREST, "v1")
    assert (plain.returncode, plain.stderr) == (0, "")
    ours, theirs = os.openpty()
    with started(files, *FOREST, "v2", stderr=theirs, TERM="xterm") as running:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # EIO, when the process has closed its end
            while part := os.read(ours, 65536):
                shown += part
        out, _ = running.communicate()
    os.close(ours)
    assert running.returncode == 0
    assert out == plain.stdout.replace("v1", "v2")
    for stage in ("walked", "asked", "compared"):
        assert stage.encode() in shown
    assert b"7 of 7" in shown
