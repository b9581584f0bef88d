"""Starts that cannot succeed: each ends with exit code 2 and a sentence, in time, instead of trying for ever."""

import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from ..runtime.test_main import DEADLINE
from . import oracle
from .resources import importing
from .result import Result
from .service import model

__all__ = ["SECONDS", "Start", "faults", "run"]

SECONDS = 5.0
"""How long a start that fails may take until it has ended; and where the machine is so busy that importing alone takes
longer than a second, IMPORTS times that."""

IMPORTS = 5


class Start(NamedTuple):
    """What a start came to. code: None where it had not ended by the deadline."""

    why: str
    code: int | None
    said: str
    took: float


def run(count: int, folder: Path) -> Result:
    """So many starts, each of which fails for another reason in turn, of one worker and of two."""
    good, empty = model(folder / "good"), folder / "empty"
    empty.mkdir()
    cut = shutil.copytree(good, folder / "cut" / "m", symlinks=True)
    (cut / oracle.name(1) / "model.onnx").write_bytes(b"")
    oracle.write(folder / "unproven" / "m", 1, graph_sha256="0" * 64)
    starts = []
    with ExitStack() as opened:
        taken = opened.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        for number in range(count):
            why, words = (
                ("a graph that is cut off", [str(folder / "cut")]),
                ("a proof of another graph", [str(folder / "unproven")]),
                ("no model", [str(empty)]),
                ("a port that is taken", [str(folder / "good"), "--port", str(taken)]),
            )[number % 4]
            port = [] if "--port" in words else ["--port", "0"]
            starts.append(start(why, [*words, *port, "--workers", str(1 + number // 4 % 2)]))
    imports = max(importing() for _ in range(3))
    figures = {"longest s": max(one.took for one in starts), "importing, longest s": imports}
    return Result(count, faults(starts, imports), figures)


def start(why: str, words: list[str]) -> Start:
    """What ``python -m runtime words`` comes to."""
    begun = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "runtime", *words], capture_output=True, timeout=DEADLINE, check=False
        )
    except subprocess.TimeoutExpired as error:
        return Start(why, None, (error.stderr or b"").decode(), time.monotonic() - begun)
    return Start(why, done.returncode, done.stderr.decode() + done.stdout.decode(), time.monotonic() - begun)


def faults(starts: list[Start], imports: float) -> list[str]:
    """What must not be. imports: seconds that importing took."""
    found, limit = [], max(SECONDS, IMPORTS * imports)
    for one in starts:
        if one.code != 2:
            found.append(f"{one.why}: expected exit code 2, found {one.code}")
        if "expected " not in one.said or "Traceback" in one.said or "ready on" in one.said:
            found.append(f"{one.why}: expected a sentence, found {one.said[:200]!r}")
        if one.took > limit:
            found.append(f"{one.why}: it took {one.took:.1f} s to end, expected {limit:g}")
    return found
