"""The paths over HTTP, on servers in processes of their own, and what it takes to start them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path as File
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter_ns

import numpy as np

from . import inference, load, open_loop
from .errors import FailedError, WrongAnswerError
from .measure import AGAIN, Block, Contender, Path
from .processes import Server, answers, own_wait_ns, pss_mb, run_seconds, serving, serving_python, spent, waiting
from .results import Entry, Failure, Interval
from .subjects import Subject

__all__ = [
    "CONNECTIONS",
    "ECHO",
    "OPEN",
    "RUN",
    "contender",
    "name",
    "open_name",
    "ours_serving",
    "paths",
    "protocol_name",
    "start",
]

OURS = "pipetwin"
ECHO = "echo"
"""A bare ASGI application on the same server, with the same bodies."""

RUN = "echo and run"
"""The same, with a bare run of the graph: what a service costs that neither checks, counts nor says anything."""

CONNECTIONS = (1, 16)

OPEN = (25, 50, 80)
"""Percents of the requests a second that ours answers at 16 connections, at which it is asked in an open loop."""

BLOCKS, OPEN_BLOCKS, OPEN_SECONDS = 16, 8, 0.5
BLOCK_SECONDS = 0.15
"""Short, so that some have the machine for themselves."""
WARM_SECONDS = 0.5
CAPACITY_SECONDS = 1.0
STARTS = 3

IMPORTS = "import numpy, onnxruntime, litestar"


def ours(folder: File) -> Callable[[int], Sequence[str | File]]:
    """The command that serves a model as a user would: nothing is switched off for the measurement."""
    return lambda port: (
        serving_python(),
        "-m",
        "runtime",
        folder.resolve(),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    )


def echo(port: int, *run: File) -> Sequence[str | File]:
    """The command of the bare echo, or of one that runs a graph on rows."""
    return serving_python(), "-P", File(__file__).with_name("echo.py"), str(port), *run


def start(subject: Subject, load_seconds: Sequence[float]) -> Entry:
    """What it takes until the first answer, and what stays in memory after it; starts of ours, of the echo and of an
    interpreter that only imports, in turn.

    load_seconds: of the model in this process.
    """
    seconds: dict[str, list[float]] = {OURS: [], ECHO: [], "imports": []}
    memory: dict[str, float] = {}
    body = subject.bodies[0]
    try:
        for _ in range(STARTS):
            seconds["imports"].append(run_seconds([serving_python(), "-c", IMPORTS]))
            with _echo(body) as server:
                seconds[ECHO].append(server.seconds)
                memory[ECHO] = pss_mb(server.pid)
            with ours_serving(subject) as server:
                seconds[OURS].append(server.seconds)
                memory[OURS] = pss_mb(server.pid)
    except FailedError as error:
        failure = Failure(str(error), isinstance(error, WrongAnswerError))
        return Entry(subject.name, "start", values=_sizes(subject, load_seconds), failures={OURS: failure})
    floors = [imports + bare for imports, bare in zip(seconds["imports"], seconds[ECHO], strict=True)]
    values = {
        **_sizes(subject, load_seconds),
        "cold s": _range(seconds[OURS]),
        "imports s": _range(seconds["imports"]),
        "echo s": _range(seconds[ECHO]),
        "cold / floor": _range([cold / floor for cold, floor in zip(seconds[OURS], floors, strict=True)]),
        "pss MB": Interval.exact(memory[OURS]),
        "echo pss MB": Interval.exact(memory[ECHO]),
    }
    return Entry(subject.name, "start", values=values)


def _sizes(subject: Subject, load_seconds: Sequence[float]) -> dict[str, Interval]:
    return {"bundle MB": Interval.exact(subject.megabytes), "load s": _range(load_seconds)}


def _range(values: Sequence[float]) -> Interval:
    """The median of a few, and all of them as its interval: too few to draw from."""
    return Interval(median(values), min(values), max(values), len(values))


@contextmanager
def paths(subject: Subject) -> Iterator[list[Path]]:
    """The paths over HTTP, for as long as the servers run."""
    with ExitStack() as stack:
        servers = {
            OURS: stack.enter_context(ours_serving(subject)),
            ECHO: stack.enter_context(_echo(subject.bodies[0])),
        }
        if not subject.model.manifest.rules:  # terms of texts are no matrix that could be bound
            rows = File(stack.enter_context(TemporaryDirectory())) / "rows.npy"
            np.save(rows, subject.model.tensors.rows(subject.rows).matrix)
            servers[RUN] = stack.enter_context(_echo(subject.bodies[0], subject.folder / "model.onnx", rows))
        servers[ECHO + AGAIN] = servers[ECHO]
        yield [
            Path(
                subject.name,
                name(connections),
                [
                    contender(who, server, subject.bodies, connections, subject.check_json if who == OURS else None)
                    for who, server in servers.items()
                ],
                blocks=BLOCKS,
            )
            for connections in CONNECTIONS
        ] + [*_protocol(subject, servers), *_open(subject, {who: servers[who] for who in (OURS, ECHO)})]


def name(connections: int) -> str:
    """The path's name."""
    return f"http {connections}"


def protocol_name(form: str) -> str:
    """The name of the path in a form of the Open Inference Protocol."""
    return f"oip {form} {max(CONNECTIONS)}"


def open_name(percent: int) -> str:
    """The name of the path in an open loop."""
    return f"http open {percent} %"


def _protocol(subject: Subject, servers: Mapping[str, Server]) -> Iterator[Path]:
    """The Open Inference Protocol in each of its forms; the controls are asked with the same bytes."""
    for form in inference.FORMS:
        asked = inference.asked(subject, form)
        mine = replace(servers[OURS], path=asked.path)
        yield Path(
            subject.name,
            protocol_name(form),
            [
                contender(
                    who,
                    mine if who == OURS else server,
                    asked.bodies,
                    max(CONNECTIONS),
                    asked.check if who == OURS else None,
                    headers=asked.headers,
                )
                for who, server in servers.items()
            ],
            blocks=BLOCKS,
        )


def _open(subject: Subject, servers: Mapping[str, Server]) -> list[Path]:
    """Ours and the echo at the same rates, which are found when the first of them starts."""
    ours = servers[OURS]

    @cache
    def capacity() -> float:
        bodies, most = subject.bodies, max(CONNECTIONS)
        load.post(ours.port, ours.path, bodies, most, WARM_SECONDS)
        return load.post(ours.port, ours.path, bodies, most, CAPACITY_SECONDS).requests / CAPACITY_SECONDS

    return [
        Path(
            subject.name,
            open_name(percent),
            [
                Contender(who, _offering(server, subject, percent / 100, capacity, who == OURS))
                for who, server in servers.items()
            ],
            blocks=OPEN_BLOCKS,
        )
        for percent in OPEN
    ]


def _offering(
    server: Server, subject: Subject, part: float, capacity: Callable[[], float], checks: bool
) -> Callable[[], Callable[[], Block]]:
    """How a server is measured at a part of a capacity, the same arrivals for all in each turn: ``start`` of a
    Contender."""
    requests = [load.request_of(server.path, body) for body in subject.bodies]
    turns = count()

    def block() -> Block:
        before, waited, begun = spent(server.pid), own_wait_ns(), perf_counter_ns()
        due = open_loop.arrivals(capacity() * part, OPEN_SECONDS, next(turns))
        found = open_loop.offer(server.port, requests, due)
        after, wall = spent(server.pid), perf_counter_ns() - begun
        if not len(found.times):
            raise FailedError(f"expected answers with status 200, found none and {found.failed} failures")
        waited = after.waited - before.waited + own_wait_ns() - waited
        ran = (after.ran - before.ran) / (len(found.times) + found.failed) / 1e3
        return Block(found.times, ran, found.failed, waited / wall)

    def start() -> Callable[[], Block]:
        if checks:
            for index, answer in enumerate(answers(server, subject.bodies)):
                subject.check_json(index, answer)
        block()
        return block

    return start


def contender(
    who: str,
    server: Server,
    bodies: Sequence[bytes],
    connections: int,
    check: Callable[[int, bytes], None] | None = None,
    seconds: float = BLOCK_SECONDS,
    headers: Sequence[load.Headers] = (),
) -> Contender:
    """A running server under load.

    seconds: of a block.
    headers: of each body; none for bodies that are JSON.
    check: (index of the body, answer); raises WrongAnswerError. Every body's answer is checked before the first block.
    """

    def block() -> Block:
        before, waited, begun = spent(server.pid), own_wait_ns(), perf_counter_ns()
        if connections == 1:
            with waiting(server.pid) as wait:
                one = load.alone(server.port, server.path, bodies, seconds, wait, headers)
            ran = (spent(server.pid).ran - before.ran) / (len(one.times) + one.failed) / 1e3
            share = float((one.times - one.net).sum() / one.times.sum())
            return Block(one.times, ran, one.failed, share, one.net)
        answered = load.post(server.port, server.path, bodies, connections, seconds, headers)
        after, wall = spent(server.pid), perf_counter_ns() - begun
        waited = after.waited - before.waited + own_wait_ns() - waited
        ran = (after.ran - before.ran) / answered.requests / 1e3
        return Block(answered.times, ran, answered.failed, waited / wall)

    def warmed() -> Callable[[], Block]:
        if check is not None:
            for index, answer in enumerate(answers(server, bodies, headers)):
                check(index, answer)
        load.post(server.port, server.path, bodies, connections, max(WARM_SECONDS, seconds), headers)
        return block

    return Contender(who, warmed)


def ours_serving(subject: Subject) -> AbstractContextManager[Server]:
    """A server of ours with the subject, as a context."""
    return serving(ours(subject.folder), "/predict", subject.bodies[0], lambda answer: subject.check_json(0, answer))


def _echo(body: bytes, *run: File) -> AbstractContextManager[Server]:
    def check(answer: bytes) -> None:
        if answer != body:
            raise WrongAnswerError("expected the echo to give the body back, found another")

    return serving(lambda port: echo(port, *run), "/", body, check)
