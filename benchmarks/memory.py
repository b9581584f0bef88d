"""What a worker holds in memory, by part; what more of them add; and what a tree's node takes beside skl2onnx's.

One worker serves by itself. The second one comes with the supervisor and the process that forks workers, and whoever
asks for two pays for all of that; what a third adds is a worker alone.
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep

import onnx

from . import rivals, served
from .errors import FailedError, WrongAnswerError
from .processes import ROOT, Server, pss_mb, serving, serving_python
from .results import Entry, Failure, Interval
from .subjects import Subject

__all__ = ["NAME", "PARTS", "held", "memory", "nodes"]

NAME = "memory"
"""The path's name."""

PARTS = ("interpreter", "numpy", "onnxruntime", "litestar and server", "service")
"""In the order in which they are loaded; what is loaded for two counts for the first of them."""

SETTLED = 0.005
"""A service whose memory changes by less than this part in SETTLES_SECONDS has loaded what it will."""

SETTLES_SECONDS, WITHIN_SECONDS = 0.3, 30


def memory(subject: Subject) -> Entry:
    """Megabytes (PSS) of a worker and of its parts, and bytes a node of the graph's trees where it has any."""
    values: dict[str, float] = {}
    failures: dict[str, Failure] = {}
    try:
        stages = held(["service", subject.folder])
        before = [0.0, *stages.values()]
        values = {f"{part} MB": stages[part] - less for part, less in zip(PARTS, before, strict=False)}
        values["model MB"] = stages["1"] - stages[PARTS[-1]]
        first, two, three = (_workers(subject, count) for count in (1, 2, 3))
        values |= {
            "answering MB": first - stages["1"],
            "worker MB": first,
            "second worker and supervisor MB": two - first,
            "second worker and supervisor / first": (two - first) / first,
            "another worker MB": three - two,
            "another worker / first": (three - two) / first,
        }
        values |= _graph("", subject.folder / "model.onnx")
    except FailedError as error:
        failures["pipetwin"] = Failure(str(error), isinstance(error, WrongAnswerError))
    if "pipetwin" not in failures and "bytes a node" in values:
        try:
            values |= _float32(subject)
        except FailedError as error:
            failures["skl2onnx float32"] = Failure(str(error))
    return Entry(subject.name, NAME, values={n: Interval.exact(v) for n, v in values.items()}, failures=failures)


def held(words: Sequence[str | Path]) -> dict[str, float]:
    """What ``python -m benchmarks.held`` says, run by the interpreter that serves; raises FailedError where it ends
    with an error."""
    command = [serving_python(), "-m", "benchmarks.held", *words]
    done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FailedError(f"expected what is held in memory, found: {done.stderr.strip()[-200:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def nodes(graph: bytes) -> int:
    """The nodes of a graph's trees, leaves included; 0 where it has none."""
    found = 0
    for node in onnx.load_model_from_string(graph).graph.node:
        if node.op_type.startswith("TreeEnsemble"):
            attributes = {attribute.name: attribute for attribute in node.attribute}
            modes = attributes["nodes_modes"]
            found += modes.t.dims[0] if modes.HasField("t") else len(modes.strings)
            for branch in ("nodes_trueleafs", "nodes_falseleafs"):  # from version 5 on, leaves are no nodes
                found += sum(attributes[branch].ints) if branch in attributes else 0
    return found


def _graph(kind: str, file: Path) -> dict[str, float]:
    """What a session with the graph adds where there is one already: the first pays for more than itself."""
    stages = held(["graph", file, file])
    megabytes = stages["2"] - stages["1"]
    count = nodes(file.read_bytes())
    return {f"{kind}graph MB": megabytes} | ({f"{kind}bytes a node": megabytes * 1e6 / count} if count else {})


def _float32(subject: Subject) -> dict[str, float]:
    if subject.pipeline is None:
        raise FailedError(subject.absent)
    with tempfile.TemporaryDirectory() as name:
        problems = rivals.prepare(subject, Path(name))
        if problems:
            raise FailedError("; ".join(problems.values()))
        return _graph("float32 ", Path(name) / "float32.onnx")


def _workers(subject: Subject, count: int) -> float:
    """Megabytes of a service with so many workers, its supervisor included where there is one, when all have loaded."""
    command = served.ours(subject.folder)
    with serving(
        lambda port: (*command(port), "--workers", str(count)),
        "/predict",
        subject.bodies[0],
        lambda answer: subject.check_json(0, answer),
    ) as server:
        return _settled(server)


def _settled(server: Server) -> float:
    until, last = monotonic() + WITHIN_SECONDS, pss_mb(server.pid)
    while monotonic() < until:
        sleep(SETTLES_SECONDS)
        now = pss_mb(server.pid)
        if abs(now - last) < SETTLED * last:
            return now
        last = now
    raise FailedError(f"expected a service to hold the same memory within {WITHIN_SECONDS} s, found that it does not")
