"""The peers side by side with ours: the same bodies over HTTP, in turn, each first checked to answer right."""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path as File
from typing import Any

from . import served
from .errors import FailedError
from .measure import Path
from .peers.environments import Peer, peers
from .processes import serving
from .subjects import Subject

__all__ = ["paths", "prepare"]

NEAR = 1e-4
"""What a peer's probabilities and numbers may be off, relative: some compute in float32. Labels are to be the same."""

BLOCKS, BLOCK_SECONDS = 6, 0.6
"""Longer than ours, for a request to some of them takes 20 ms."""


def paths(subject: Subject, measured: Callable[[Path], Any]) -> Iterator[Any]:
    """What ``measured`` makes of each path over HTTP, ours and the peers that could be started; those that could not
    are absent, with the reason."""
    absent: dict[str, str] = {}
    with ExitStack() as stack:
        folder = File(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {"pipetwin": stack.enter_context(served.ours_serving(subject))}
        if subject.pipeline is None:
            absent = {peer.name: subject.absent for peer in peers()}
        else:
            problems = prepare(subject, folder)
            for peer in peers():
                try:
                    servers[peer.name] = stack.enter_context(_serving(peer, subject, folder, problems))
                except FailedError as error:
                    absent[peer.name] = str(error)
        for connections in served.CONNECTIONS:
            contenders = [
                served.contender(
                    name, server, subject.bodies, connections, _check(subject, name), seconds=BLOCK_SECONDS
                )
                for name, server in servers.items()
            ]
            yield measured(Path(subject.name, served.name(connections), contenders, absent, BLOCKS))


def prepare(subject: Subject, folder: File) -> dict[str, str]:
    """Write what peers read; by file, why it could not be made."""
    kinds = {
        feature.name: "category" if feature.kind == "category" else "number"
        for feature in subject.model.manifest.inputs
    }
    (folder / "features.json").write_text(json.dumps(kinds))
    import joblib

    joblib.dump(subject.pipeline, folder / "pipeline.joblib")
    try:
        (folder / "float32.onnx").write_bytes(_float32(subject, kinds))
    except Exception as error:  # skl2onnx's errors share no base but Exception
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return {"float32.onnx": f"skl2onnx could not convert it: {first[:200]}"}
    return {}


def _float32(subject: Subject, kinds: dict[str, str]) -> bytes:
    """skl2onnx's own float32 graph, as its documentation makes it: one matrix where all are numbers, else an input a
    column; no ZipMap."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    types = {"number": FloatTensorType, "category": StringTensorType}
    inputs: list[tuple[str, Any]] = [(name, types[kind]([None, 1])) for name, kind in kinds.items()]
    if set(kinds.values()) == {"number"}:
        inputs = [("X", FloatTensorType([None, len(kinds)]))]
    classifier = hasattr(subject.pipeline, "predict_proba")
    options = {id(subject.pipeline): {"zipmap": False}} if classifier else None
    graph: bytes = to_onnx(subject.pipeline, initial_types=inputs, options=options, name="float32").SerializeToString()
    return graph


def _serving(peer: Peer, subject: Subject, folder: File, problems: dict[str, str]) -> Any:
    if not peer.python.exists():
        raise FailedError(f"skipped: it has no environment; make it with python -m benchmarks.peers {peer.name}")
    for file, why in problems.items():
        if file in peer.file.read_text():
            raise FailedError(f"failed: {why}")
    check = _check(subject, peer.name)
    return serving(
        lambda port: (peer.python, "-P", peer.file, folder, str(port)),
        "/predict",
        subject.bodies[0],
        lambda answer: check(0, answer),
    )


def _check(subject: Subject, name: str) -> Callable[[int, bytes], None]:
    if name == "pipetwin":
        return subject.check_json

    def check(index: int, answer: bytes) -> None:
        subject.check_json(index, answer, near=NEAR)

    return check
