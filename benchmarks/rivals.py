"""The peers side by side with ours: the same rows over HTTP, in turn, each first checked to answer right."""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path as File
from time import monotonic, perf_counter_ns, sleep
from typing import Any

import msgspec
import numpy as np

from . import load, served
from .errors import FailedError, WrongAnswerError
from .measure import Block, Contender, Path
from .peers.contracts import CONTRACTS
from .peers.environments import Peer, peers
from .processes import NOT_YET, Server, serving, spent
from .results import Entry
from .subjects import Subject

__all__ = ["NEAR", "float32", "paths", "prepare", "unavailable"]

NEAR = 1e-4
"""What a peer's probabilities and numbers may be off, relative: some compute in float32. Labels are to be the same."""

SETTLE_SECONDS, BUSY = 3.0, 0.25
"""After its block a peer is waited for, so long at most, while it still takes that part of a processor: what the load
generator asked for last is still being answered, and would be in another's way."""

BLOCKS = 6
BLOCK_SECONDS, LONGEST_BLOCK_SECONDS = 0.6, 8.0
"""Longer than ours, for a request to some of them takes 20 ms."""

ROUNDS = 3
"""A block is so long that each connection is answered so often, as far as one request alone lets that be known."""

STARTS_WITHIN_SECONDS = 180
"""Some start half a dozen processes, while others are being started."""


def paths(subject: Subject, measured: Callable[[Path], Entry], every: list[Peer] | None = None) -> Iterator[Entry]:
    """What ``measured`` makes of each path over HTTP, ours and the peers that could be started; those that could not
    are absent, with the reason.

    every: the peers; all that there are by default.
    """
    known = {peer.name: peer for peer in (peers() if every is None else every)}
    absent: dict[str, str] = {}
    with ExitStack() as stack:
        folder = File(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {"pipetwin": stack.enter_context(served.ours_serving(subject))}
        if subject.pipeline is None:
            absent = dict.fromkeys(known, subject.absent)
        else:
            problems = prepare(subject, folder)
            for name, peer in known.items():
                try:
                    servers[name] = stack.enter_context(_serving(peer, subject, folder, problems))
                except FailedError as error:
                    absent[name] = str(error)
        notes = {name: _versions(known[name]) for name in servers if name in known}
        for connections in served.CONNECTIONS:
            contenders = [
                _contender(name, server, subject, known.get(name), connections) for name, server in servers.items()
            ]
            entry = measured(Path(subject.name, served.name(connections), contenders, absent, BLOCKS))
            yield msgspec.structs.replace(entry, notes=notes)


def prepare(subject: Subject, folder: File) -> dict[str, str]:
    """Write what peers read; by file, why it could not be made."""
    (folder / "features.json").write_text(json.dumps(_kinds(subject)))
    import joblib

    joblib.dump(subject.pipeline, folder / "pipeline.joblib")
    try:
        (folder / "float32.onnx").write_bytes(float32(subject))
    except FailedError as error:
        return {"float32.onnx": str(error)}
    return {}


def float32(subject: Subject) -> bytes:
    """skl2onnx's own float32 graph, as its documentation makes it: one matrix where all are numbers, else an input a
    column; no ZipMap. Raises FailedError where it makes none."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kinds = _kinds(subject)
    types = {"number": FloatTensorType, "category": StringTensorType}
    inputs: list[tuple[str, Any]] = [(name, types[kind]([None, 1])) for name, kind in kinds.items()]
    if set(kinds.values()) == {"number"}:
        inputs = [("X", FloatTensorType([None, len(kinds)]))]
    classifier = hasattr(subject.pipeline, "predict_proba")
    options = {id(subject.pipeline): {"zipmap": False}} if classifier else None
    try:
        made = to_onnx(subject.pipeline, initial_types=inputs, options=options, name="float32")
    except Exception as error:  # skl2onnx's errors share no base but Exception
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FailedError(f"skl2onnx could not convert it: {first[:200]}") from error
    graph: bytes = made.SerializeToString()
    return graph


def unavailable(peer: Peer) -> str:
    """Why a peer cannot be started; nothing where its environment is there."""
    if peer.installed:
        return ""
    return f"skipped: it has no environment; make it with python -m benchmarks.peers {peer.environment}"


def _kinds(subject: Subject) -> dict[str, str]:
    return {
        feature.name: "category" if feature.kind == "category" else "number"
        for feature in subject.model.manifest.inputs
    }


def _serving(peer: Peer, subject: Subject, folder: File, problems: dict[str, str]) -> AbstractContextManager[Server]:
    if why := unavailable(peer):
        raise FailedError(why)
    for file, why in problems.items():
        if file in peer.file.read_text():
            raise FailedError(f"failed: {why}")
    check = _check(subject, peer)
    return serving(
        lambda port: (*peer.command, folder, str(port)),
        peer.path,
        _bodies(subject, peer)[0],
        lambda answer: check(0, answer),
        folder=folder,
        within=STARTS_WITHIN_SECONDS,
        not_yet=NOT_YET | {peer.not_yet},
        environment=peer.variables,
    )


def _contender(name: str, server: Server, subject: Subject, peer: Peer | None, connections: int) -> Contender:
    """As ``served.contender``, by blocks long enough, and left only when the server has come to rest."""
    bodies, check = _bodies(subject, peer), _check(subject, peer)

    def start() -> Callable[[], Block]:
        one = load.alone(server.port, server.path, bodies, BLOCK_SECONDS, lambda: 0)
        every = float(np.median(one.times)) / 1e9 * connections * ROUNDS
        seconds = min(max(BLOCK_SECONDS, every), LONGEST_BLOCK_SECONDS)
        block = served.contender(name, server, bodies, connections, check, seconds).start()
        _settle(server.pid)

        def settled() -> Block:
            found = block()
            _settle(server.pid)
            return found

        return settled

    return Contender(name, start)


def _settle(pid: int) -> None:
    until = monotonic() + SETTLE_SECONDS
    while monotonic() < until:
        before, begun = spent(pid).ran, perf_counter_ns()
        sleep(0.05)
        if spent(pid).ran - before < BUSY * (perf_counter_ns() - begun):
            return


def _bodies(subject: Subject, peer: Peer | None) -> list[bytes]:
    """The rows as a peer takes them; as ours takes them for none."""
    if peer is None:
        return subject.bodies
    kinds, scores = _kinds(subject), hasattr(subject.pipeline, "predict_proba")
    body = CONTRACTS[peer.contract].body
    return [msgspec.json.encode(body(row, kinds, scores)) for row in subject.rows]


def _check(subject: Subject, peer: Peer | None) -> Callable[[int, bytes], None]:
    if peer is None:
        return subject.check_json
    translate = CONTRACTS[peer.contract].answer

    def check(index: int, answer: bytes) -> None:
        try:
            found = translate(msgspec.json.decode(answer))
        except (msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
            raise WrongAnswerError(f"expected an answer, found {answer[:200].decode(errors='replace')!r}") from error
        subject.check_json(index, msgspec.json.encode(found), near=NEAR)

    return check


def _versions(peer: Peer) -> str:
    own = "; other versions than ours of what comes with it" if peer.own_versions else ""
    return ", ".join(f"{name} {version}" for name, version in peer.versions.items()) + own
