"""Workers write nothing, reach nobody and start no process: shown where none of that is possible, by what they ask the
kernel for; and one that does is found out."""

from pathlib import Path

import pytest

from ...stress import oracle
from .sandbox import run, violations, why_not

REASON = why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    oracle.write(tmp_path / "models" / "m", 1)
    oracle.promote(tmp_path / "models" / "m", 1)
    return tmp_path / "models"


def test_a_service_that_can_write_nothing_and_reach_nobody(models: Path) -> None:
    done = run(models)
    assert not done.writable
    asked = ("predict", "metrics", "schema", "reload", "unload", "load", "predict again")
    assert done.statuses == {"malformed": 400, **dict.fromkeys(asked, 200)}
    assert done.code == 0
    found = violations(done.trace)
    assert len(found) >= 2
    assert not any(found.values()), found


PLANTED = """
import os, socket, subprocess
from contextlib import suppress
def planted():
    with suppress(OSError):
        open("/planted", "w")
    with suppress(OSError), socket.socket() as one:
        one.connect(("127.0.0.1", 9))
    subprocess.run(["true"])
os.register_at_fork(after_in_child=planted)
"""


def test_a_worker_that_does_is_found_out(models: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(PLANTED)
    found = violations(run(models, PYTHONPATH=str(tmp_path)).trace)
    assert len(found) >= 2
    for lines in found.values():
        for planted in ('"/planted", O_WRONLY', "sin_port=htons(9)", '["true"]'):
            assert any(planted in line for line in lines), (planted, lines)
