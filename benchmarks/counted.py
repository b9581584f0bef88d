"""What ``instructions`` counts: a model asked without a socket, round by round as standard input says.

Run by the interpreter that serves: ``-m benchmarks.counted FOLDER BODIES``, a version's folder and a file of requests'
bodies in a JSON array. It writes ``ready``, then reads lines. ``answers WHAT`` is answered with an array of answers, or
with what went wrong; ``rounds WHAT COUNT`` with ``done``, when every body has been answered so many times; and
``kept WHAT`` with the memory blocks that a round leaves behind.
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import uvloop

from runtime import Model, load
from runtime.service.front import configured
from runtime.service.listening import Server
from runtime.settings import Settings

KEPT_ROUNDS = 4

TURN = 16
"""Requests in a turn of the event loop, as at 16 connections."""

Answers = Callable[[list[bytes]], list[bytes]]


def predict_json(model: Model) -> Answers:
    """Bytes to bytes in process."""
    predict = model.predict_json
    return lambda bodies: [predict(body) for body in bodies]


def plain(model: Model, graph: bytes) -> Answers:
    """The control: what a handler would do that knows this model by heart, checks nothing and counts nothing. The
    standard library decodes, a dict by column gives a category's code, one run, the standard library encodes."""
    import json

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    outputs = [model.manifest.output(method) for method in ("predict", "predict_proba")]
    names = [output.tensors[0] for output in outputs if output is not None]
    labels = model.manifest.classes[0] if model.manifest.classes else None
    columns = [
        (feature.name, {category: float(code) for code, category in enumerate(feature.categories)} or None)
        for feature in model.manifest.columns
    ]
    nan = float("nan")

    def answer(body: bytes) -> bytes:
        row, values = json.loads(body), []
        for name, codes in columns:
            value = row.get(name)
            if value is None:
                values.append(nan)
            else:
                values.append(float(value) if codes is None else codes.get(value, -1.0))
        found = session.run(names, {"X": np.array([values])})
        said = {"prediction": found[0][0].item() if labels is None else labels[found[0][0]]}
        if len(found) > 1:
            said["probability"] = float(found[1][0].max())
        return json.dumps(said).encode()

    return lambda bodies: [answer(body) for body in bodies]


class Sink(asyncio.Transport):
    """A connection whose other end is here."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        """Keep what the client would read."""
        self.written.append(data)

    def is_closing(self) -> bool:
        """Never."""
        return False


def request(model: Model, loop: asyncio.AbstractEventLoop) -> Answers:
    """A request as it comes from the socket to an answer as it goes there: the server's parser, framing, limits,
    metrics, ids and log line included; of the log line all but its way to the descriptor."""
    model.cost = model.cost._replace(run=0.0, row=0.0, further=0.0)  # under callgrind anything seems worth a thread
    lines: list[bytes] = []
    encode = msgspec.json.Encoder().encode
    settings = Settings()
    server = Server(configured(model, settings, lambda line: lines.append(encode(line)), None), settings)
    server.config.load()
    server.server_state.default_headers = [(b"date", b"Sat, 28 Nov 2026 12:00:00 GMT")]
    sink = Sink()
    protocol: Any = server.config.http_protocol_class
    connection = protocol(server.config, server.server_state, {}, loop)
    head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "

    async def ask(bodies: list[bytes]) -> list[bytes]:
        if connection.transport is None:
            connection.connection_made(sink)
        sink.written.clear()
        lines.clear()
        for turn, body in enumerate(bodies):
            connection.data_received(f"{head}{len(body)}\r\n\r\n".encode() + body)
            if turn % TURN == TURN - 1:
                await asyncio.sleep(0)
        while len(sink.written) < len(bodies):  # one that a thread answers
            await asyncio.sleep(0.001)
        return sink.written

    def answers(bodies: list[bytes]) -> list[bytes]:
        asked: Coroutine[Any, Any, list[bytes]] = ask(bodies)
        return [answer.partition(b"\r\n\r\n")[2] for answer in loop.run_until_complete(asked)]

    return answers


def main(folder: Path, bodies: list[bytes]) -> None:
    """Do what standard input says until it ends."""
    model = load(folder)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    ways: dict[str, Callable[[], Answers]] = {
        "predict_json": lambda: predict_json(model),
        "request": lambda: request(model, loop),
        "plain": lambda: plain(model, (folder / "model.onnx").read_bytes()),
    }
    made: dict[str, Answers] = {}
    print("ready", flush=True)
    for line in sys.stdin:
        match line.split():
            case ["answers", what]:
                try:
                    made[what] = ways[what]()
                    made[what](bodies)  # warm
                    said = msgspec.json.encode([answer.decode() for answer in made[what](bodies)]).decode()
                except Exception as error:  # whatever a control cannot do, the others can be counted
                    said = f"{type(error).__name__}: {error}".replace("\n", " ")
                gc.collect()
                gc.freeze()
                gc.disable()  # a collection would fall into one round or the next
                print(said, flush=True)
            case ["rounds", what, count]:
                for _ in range(int(count)):
                    made[what](bodies)
                print("done", flush=True)
            case ["kept", what]:
                print(kept(lambda: made[what](bodies)), flush=True)


def kept(ask: Callable[[], object]) -> int:
    """The least of KEPT_ROUNDS, for a buffer that fills and is emptied grows in some of them."""
    grown = []
    for _ in range(KEPT_ROUNDS):
        before = sys.getallocatedblocks()
        ask()
        grown.append(sys.getallocatedblocks() - before)
    return max(min(grown), 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [body.encode() for body in msgspec.json.decode(Path(sys.argv[2]).read_bytes())])
