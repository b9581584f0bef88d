"""What a process of the service has for itself: its signals and its log."""

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .logs import Formatter, Writer, log

__all__ = ["logging_lines", "stopping"]


@contextmanager
def stopping() -> Iterator[None]:
    """SIGTERM and SIGINT end the block without an error, whether they come while models load or while the server,
    which has handlers of its own and hands the signal on when it is done, serves."""

    def stop(number: int, frame: object) -> None:
        raise _Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except _Stopped:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Stopped(BaseException):
    pass


@contextmanager
def logging_lines() -> Iterator[Writer]:
    """Every record of every logger becomes one line of JSON on standard output."""
    writer = Writer(sys.stdout.fileno())
    handler = logging.StreamHandler(writer)
    handler.setFormatter(Formatter())
    root = logging.getLogger()
    before = root.handlers[:], root.level, log.level
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    log.setLevel(logging.INFO)
    try:
        yield writer
    finally:
        writer.close()
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        log.setLevel(before[2])
