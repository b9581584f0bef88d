"""The process that forks workers: how they end, what they have of their own, what becomes of them without it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..test_main import DEADLINE

ROOT = Path(__file__).parents[3]


def seen(program: str, **environment: str) -> Any:
    """What a program of ``forking`` saw."""
    command = [sys.executable, "-W", "error", "-m", "tests.runtime.service.forking", program]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        cwd=ROOT,
        check=False,
        env={**os.environ, **environment},
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def test_how_workers_end() -> None:
    assert seen("ends") == {"returns": 0, "raises": 1, "exits": 7, "killed": -signal.SIGKILL}


def test_what_must_be_a_worker_s_own_is() -> None:
    one, other = seen("drawn")
    assert len(one) == 6
    assert not set(one) & set(other)


def test_a_signal_that_comes_too_early_is_not_lost() -> None:
    assert seen("held") == [True, 0]


def test_it_has_one_thread_and_workers_have_none_of_its_sockets() -> None:
    assert seen("alone") == [1, True, []]


@pytest.mark.parametrize("threads", [1, 2])
def test_libraries_start_no_threads_and_work_after_the_fork(threads: int) -> None:
    """But OpenBLAS, which ends its own before a fork and starts them when they are needed."""
    before, *found = seen("loaded", OPENBLAS_NUM_THREADS=str(threads))
    assert before == threads
    assert found == [2048.0, [2048.0, True], [2048.0, True]]


@pytest.mark.parametrize("program", ["gone", "inherited"])
def test_without_it_workers_live_and_none_is_added(program: str) -> None:
    assert seen(program) == [True, True, "expected a process to fork workers, found that it has ended"]


def test_it_is_not_waited_for_and_ends_where_it_does_not_answer() -> None:
    assert seen("stopped") == ["expected a process to fork workers, found that it does not answer", False]


def test_it_is_forked_before_any_thread() -> None:
    assert seen("threads").startswith("expected no other thread")


def test_a_program_that_fails_is_seen() -> None:
    with pytest.raises(AssertionError, match="KeyError"):
        seen("unknown")
