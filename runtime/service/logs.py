"""Logs: one record is one line of JSON, whatever is in it, and none holds an input value or a traceback."""

import logging
import os
import re
import select
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

__all__ = ["Access", "Formatter", "Line", "Writer", "failure", "log", "to_logging"]

log = logging.getLogger("pipetwin")
_access = logging.getLogger("pipetwin.access")


class Line(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="request"):
    """What is logged of one request.

    route: the template of its path, never the path; ``unmatched`` where there is none.
    ms: from the request's headers to its answer, milliseconds.
    model, version, rows: for a prediction; no rows where it was refused.
    """

    time: datetime
    request_id: str
    method: str
    route: str
    status: int
    ms: float
    model: str | msgspec.UnsetType = msgspec.UNSET
    version: str | msgspec.UnsetType = msgspec.UNSET
    rows: int | msgspec.UnsetType = msgspec.UNSET
    level: str = "info"


Access = Callable[[Line], None]
"""Takes a request's line; must not block."""


def to_logging(line: Line) -> None:
    """An Access for applications with a logging of their own: the logger ``pipetwin.access``, at level INFO."""
    if _access.isEnabledFor(logging.INFO):
        _access.info("%s", msgspec.json.encode(line).decode())


def failure(error: BaseException) -> str:
    """What went wrong and where, without what it went wrong with: the error's kind and the functions it passed, the
    innermost first. (Messages and source lines may hold input.)"""
    frames = reversed(traceback.extract_tb(error.__traceback__)[-8:])
    where = " < ".join(f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__name__} at {where}"


class Formatter(logging.Formatter):
    """A record of any logger as one line of JSON in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields: dict[str, Any] = {
            "event": "log",
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": _ascii(record.name),
            "message": _ascii(_message(record)),
        }
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = _ascii(failure(record.exc_info[1]))
        return msgspec.json.encode(fields).decode()


def _message(record: logging.LogRecord) -> str:
    """What a record says. Of other libraries' records the first line, without folders: what asyncio appends to its
    sentences shows objects, which may hold input."""
    try:
        text = record.getMessage()
    except Exception as error:  # arguments that do not fit, or that raise when they are shown: Python would print them
        return f"a message that cannot be formatted: {type(error).__name__}"
    if record.name.partition(".")[0] == log.name:
        return text
    return _FOLDERS.sub("", text.lstrip().partition("\n")[0])


_FOLDERS = re.compile(r"(?<![:/\w])(?:/[^\s/]+)+/")


def _ascii(text: str) -> str:
    """Text without what some reader takes for the end of a line (U+2028, say), for a command to a terminal, or cannot
    be UTF-8."""
    return text.encode("ascii", "backslashreplace").decode("ascii").replace("\x7f", "\\x7f")


class Writer:
    """An Access, and a logging handler's stream, that writes lines from a thread of its own, ten times a second.

    A request pays for an append (0.1 µs) rather than for encoding and a system call, and a reader of the log that
    stalls stops no prediction: lines beyond ``limit``, and those that cannot be written (a full disk), are dropped and
    their number is logged. What is pending is lost if the process is killed with -9.
    """

    def __init__(self, descriptor: int, *, limit: int = 20_000) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._lines: deque[Line | str] = deque()
        self._dropped = 0  # counted by those who log
        self._told = 0  # by the thread that writes
        self._torn = False  # whether the last line that was written has no end
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._encoder = msgspec.json.Encoder()
        self._thread = threading.Thread(target=self._work, name="pipetwin-log", daemon=True)
        self._thread.start()

    def __call__(self, line: Line) -> None:
        """Log a request."""
        self._add(line)

    def write(self, text: str) -> None:
        """Log an encoded line; for ``logging.StreamHandler``."""
        self._add(text)

    def flush(self) -> None:
        """Nothing: what is pending goes out within a tenth of a second, or at ``close``."""

    def close(self) -> None:
        """Write what is pending and end."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout=2)

    def _add(self, line: Line | str) -> None:
        if len(self._lines) >= self._limit:
            self._dropped += 1
            return
        self._lines.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def _work(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(0.1)  # so that a line is rarely written alone
            self._wake.clear()
            self._drain()
        self._drain()  # what came while the last was written

    def _drain(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        dropped = self._dropped - self._told
        if dropped:
            self._told += dropped
            lines.append(f'{{"event":"dropped","level":"warning","lines":{dropped}}}\n')
        text = self._encoder.encode_lines(  # half of what it takes one by one
            [msgspec.Raw(line.removesuffix("\n").encode()) if isinstance(line, str) else line for line in lines]
        )
        rest = memoryview(text)
        try:
            for part in _batches(text):
                end = len(rest) - len(part)
                if self._torn:
                    os.write(self._descriptor, b"\n")
                    self._torn = False
                while len(rest) > end:
                    written = os.write(self._descriptor, rest[: len(rest) - end])
                    rest = rest[written:]
        except OSError:  # nobody reads the log any more (a closed pipe, a full disk): serve on
            done = len(text) - len(rest)
            self._torn = self._torn or (done > 0 and text[done - 1] != ord(b"\n"))
            lost = text.count(b"\n", done)
            self._told -= lost - 1 + dropped if dropped and lost else lost


def _batches(text: bytes) -> Iterator[bytes]:
    """Lines in parts that a pipe takes whole (POSIX: PIPE_BUF), so that those of several workers, which write to one
    pipe, do not mix; a longer line is a part of its own."""
    start = 0
    while start < len(text):
        end = text.rfind(b"\n", start, start + select.PIPE_BUF) + 1 or text.find(b"\n", start) + 1
        yield text[start:end]
        start = end
