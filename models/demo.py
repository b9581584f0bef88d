"""``make demo`` ends here: a trained pipeline and its twin, side by side on the rows that were held out.

The twin is served from an environment without scikit-learn. Every row goes to it over HTTP and every answer is
compared with scikit-learn's; only then is anything timed, the two in turn, and what was timed is compared as well.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread, Timer
from time import perf_counter_ns
from typing import IO, Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from models.flights.data import TARGET
from models.progress import step
from runtime import Model, load

__all__ = ["Caller", "Compared", "compare", "main", "server", "to_json"]

BATCH = 500
TURNS = 10
"""How often scikit-learn, the twin and the server are timed in turn, each on what follows, one row at a time."""
PIPELINE_ROWS, TWIN_ROWS = 30, 300
WARM_UP = 50
"""Untimed calls of the twin and the server in each turn: scikit-learn has had the processor's caches before."""
STARTS_WITHIN_SECONDS = 60
STOPS_WITHIN_SECONDS = 30


class Compared(NamedTuple):
    """How many rows were answered, and on how many of them label and probability are scikit-learn's to the last bit."""

    rows: int
    labels: int
    probabilities: int


class Timed(NamedTuple):
    """Nanoseconds of each call."""

    pipeline: list[int]
    twin: list[int]
    http: list[int]


def main(argv: Sequence[str] | None = None) -> int:
    """0 when every answer was scikit-learn's, 1 when one was not or the server did not start."""
    options = _options(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        return _run(options)
    except (RuntimeError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0 if options.keep else 130


def _run(options: argparse.Namespace) -> int:
    pickle = options.trained / "pipeline.joblib"
    with step("loading the pipeline, the rows held out and the twin"):
        pipeline = joblib.load(pickle)
        rows = pd.read_parquet(options.trained / "test.parquet").drop(columns=TARGET)
        twin = load(options.bundle)
    with server(options.server, options.bundle, options.port) as (port, wait), Caller(port) as caller:
        with step(f"sending {len(rows):,} held-out rows to port {port} and comparing the answers"):
            compared = compare(pipeline, rows, caller, "/predict")
        proven = twin.proof.outputs["predict_proba"]
        exact = proven.identical == proven.rows
        if compared.labels < compared.rows or (exact and compared.probabilities < compared.rows):
            raise RuntimeError(f"expected scikit-learn's answers, found others: {compared}")
        with step("timing scikit-learn, the twin and the server in turn"):
            timed = _time(pipeline, twin, rows, caller)
        caller.close()
        Console().print(_table(compared, timed, pickle, twin, options.bundle))
        if options.keep:
            print(_how_to_ask(rows, port), flush=True)
            return min(wait(), 1)
    return 0


@contextmanager
def server(python: Path, models: Path, port: int = 0) -> Iterator[tuple[int, Callable[[], int]]]:
    """The runtime in a process of its own; gives its port and what waits for its exit code. It stops with the block.

    python: the interpreter of an environment that holds what serving needs, and no more.
    port: 0 for any free one.
    Raises RuntimeError where it does not come up.
    """
    _without(python, "sklearn", "skl2onnx", "onnx", "joblib", "scipy", "pandas")
    command = [python, "-m", "runtime", models, "--host", "127.0.0.1", "--port", str(port), "--access-log", "false"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIPETWIN_")}
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True, env=environment)  # noqa: S603
    patience = Timer(STARTS_WITHIN_SECONDS, process.kill)
    patience.start()
    assert process.stdout is not None
    try:
        yield _port(process.stdout), lambda: abs(process.wait())
    finally:
        patience.cancel()
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(log: IO[str]) -> int:
    """Reads the log until it says on which port the server is ready; a thread reads on: the pipe must not fill."""
    for line in log:
        if ready := re.search(r"ready on http://[^ ]+:(\d+)", line):
            Thread(target=_copy, args=(log,), daemon=True).start()
            return int(ready[1])
        sys.stderr.write(line)
    raise RuntimeError(f"expected the server to be ready within {STARTS_WITHIN_SECONDS} s, found that it ended")


def _copy(log: IO[str]) -> None:
    for line in log:
        sys.stderr.write(line)


def _without(python: Path, *modules: str) -> None:
    """Raises RuntimeError where an environment holds one of the modules."""
    code = "import sys, importlib.util as u; print(*[m for m in sys.argv[1:] if u.find_spec(m)])"
    found = subprocess.run([python, "-I", "-c", code, *modules], capture_output=True, text=True, check=True)  # noqa: S603
    if found.stdout.split():
        raise RuntimeError(f"expected {python} to hold what serving needs and no more, found {found.stdout.strip()}")


class Caller:
    """One connection to a server on this machine: bytes to bytes, so that little but the server is timed."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._answers.close()
        self._socket.close()

    def post(self, request: bytes) -> bytes:
        """The body of the answer to a whole request; raises RuntimeError where its status is not 200."""
        self._socket.sendall(request)
        status = self._answers.readline()
        length = 0
        while (line := self._answers.readline().lower()) not in (b"\r\n", b""):
            if line.startswith(b"content-length:"):
                length = int(line[15:])
        body = self._answers.read(length)
        if b" 200 " not in status:
            raise RuntimeError(f"expected 200, found {status.decode().strip()}: {body[:300].decode(errors='replace')}")
        return body


def request(path: str, body: bytes) -> bytes:
    """A POST of JSON as HTTP/1.1 has it."""
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def to_json(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as clients send them: what is missing is null, and every number keeps its digits."""
    plain = rows.astype(object)
    records: list[dict[str, Any]] = plain.where(rows.notna(), None).to_dict("records")
    return records


def compare(pipeline: Any, rows: pd.DataFrame, caller: Caller, path: str) -> Compared:
    """Sends rows in batches and counts the answers that are the pipeline's; the first of all goes alone as well."""
    expected = _answers(pipeline, rows)
    found: list[tuple[Any, float]] = []
    sent = to_json(rows)
    for start in range(0, len(sent), BATCH):
        answer = json.loads(caller.post(request(path, json.dumps(sent[start : start + BATCH]).encode())))
        found += [(one["prediction"], one["probability"]) for one in answer["predictions"]]
    alone = json.loads(caller.post(request(path, json.dumps(sent[0]).encode())))
    if (alone["prediction"], alone["probability"]) != found[0]:
        raise RuntimeError("expected the same answer to a row by itself and in a batch, found two")
    return Compared(
        len(found),
        sum(label == wanted for (label, _), (wanted, _) in zip(found, expected, strict=True)),
        sum(answer == wanted for answer, wanted in zip(found, expected, strict=True)),
    )


def _answers(pipeline: Any, rows: pd.DataFrame) -> list[tuple[Any, float]]:
    """The label of each row and its probability, as plain Python."""
    probabilities = pipeline.predict_proba(rows)
    labels = pipeline.predict(rows).tolist()
    places = {label: place for place, label in enumerate(pipeline.classes_.tolist())}
    return [(label, float(row[places[label]])) for label, row in zip(labels, probabilities, strict=True)]


def _time(pipeline: Any, twin: Model, rows: pd.DataFrame, caller: Caller) -> Timed:
    """One row at a time. scikit-learn is given a DataFrame that is there already and asked for probabilities alone, of
    which the label follows; the twin reads JSON and writes JSON."""
    timed = Timed([], [], [])
    for turn in range(TURNS):
        drawn = rows.sample(TWIN_ROWS, random_state=turn)
        expected = pipeline.predict_proba(drawn).max(axis=1).tolist()
        bodies = [json.dumps(row).encode() for row in to_json(drawn)]
        frames = [drawn.iloc[[index]] for index in range(PIPELINE_ROWS)]
        requests = [request("/predict", body) for body in bodies]
        _clock(lambda frame: pipeline.predict_proba(frame).max(), frames, expected, timed.pipeline)
        for call, given, times in ((twin.predict_json, bodies, timed.twin), (caller.post, requests, timed.http)):
            for one in given[:WARM_UP]:
                call(one)
            _clock(call, given, expected, times)
    return timed


def _clock(call: Callable[[Any], Any], given: Sequence[Any], expected: Sequence[float], times: list[int]) -> None:
    answers = []
    for one in given:
        start = perf_counter_ns()
        answer = call(one)
        times.append(perf_counter_ns() - start)
        answers.append(answer)
    for answer, wanted in zip(answers, expected, strict=False):
        found = json.loads(answer)["probability"] if isinstance(answer, bytes) else float(answer)
        if abs(found - wanted) > 1e-12:
            raise RuntimeError(f"expected the probability {wanted!r}, found {found!r} in an answer that was timed")


def _table(compared: Compared, timed: Timed, pickle: Path, twin: Model, bundle: Path) -> Table:
    pipeline_us, twin_us = (float(np.median(times)) / 1e3 for times in (timed.pipeline, timed.twin))
    p50, p95, p99 = np.percentile(timed.http, [50, 95, 99]) / 1e3
    size = sum(file.stat().st_size for file in (bundle / twin.version).iterdir())
    table = Table(title=f"{twin.name} {twin.version}", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("held-out rows compared over HTTP", f"{compared.rows:,}")
    table.add_row("  labels identical", f"{compared.labels:,}")
    table.add_row("  probabilities identical to the last bit", f"{compared.probabilities:,}")
    table.add_row("one row, scikit-learn, DataFrame to array, median", f"{pipeline_us:,.0f} µs")
    table.add_row("one row, twin, JSON to JSON, median", f"{twin_us:,.1f} µs")
    table.add_row("  sooner, times", f"{pipeline_us / twin_us:,.0f}")
    table.add_row("one row over HTTP, P50", f"{p50:,.0f} µs")
    table.add_row("  P95", f"{p95:,.0f} µs")
    table.add_row("  P99", f"{p99:,.0f} µs")
    table.add_row("pickle", f"{pickle.stat().st_size / 1e6:,.1f} MB")
    table.add_row("bundle, proof included", f"{size / 1e6:,.1f} MB")
    return table


def _how_to_ask(rows: pd.DataFrame, port: int) -> str:
    body = json.dumps(to_json(rows.head(1))[0]).replace("'", "")
    return (
        f"serving on http://127.0.0.1:{port} until Ctrl-C; ask, for example:\n"
        f"  curl -H 'content-type: application/json' -d '{body}' http://127.0.0.1:{port}/predict"
    )


def _stop(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models.demo", description=__doc__)
    parser.add_argument("trained", type=Path, help="the folder of pipeline.joblib and test.parquet")
    parser.add_argument("bundle", type=Path, help="the model's folder")
    parser.add_argument("--server", type=Path, required=True, metavar="PYTHON", help="the interpreter that serves")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--keep", action="store_true", help="keep serving until Ctrl-C")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
