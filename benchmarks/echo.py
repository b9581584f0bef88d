"""The least that any service on this server costs: a bare ASGI application that answers with the request's body.

Run as a file by the interpreter that serves, on the same uvicorn, event loop and parser as ours: ``echo.py PORT``, or
``echo.py PORT GRAPH ROWS`` to run a graph once a request, its input and outputs bound beforehand, on one row of a NumPy
file after the other: the same row again and again would teach the processor the way through the trees.
"""

import itertools
import sys
from collections.abc import Callable
from typing import Any

import uvicorn


def bound(graph: str, rows: str) -> Callable[[], object]:
    """What runs a graph of one matrix."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    matrices = itertools.cycle(np.load(rows)[:, np.newaxis])
    (given,) = session.get_inputs()
    matrix = next(matrices).copy()
    binding = session.io_binding()
    binding.bind_cpu_input(given.name, matrix)
    outputs = [output.name for output in session.get_outputs()]
    answers = session.run(outputs, {given.name: matrix})
    for name, answer in zip(outputs, answers, strict=True):
        binding.bind_output(name, "cpu", 0, answer.dtype.type, answer.shape, answer.ctypes.data)

    def run() -> object:
        matrix[:] = next(matrices)
        session.run_with_iobinding(binding)
        return answers

    return run


run = bound(*sys.argv[2:]) if len(sys.argv) > 2 else None


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body of the request."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if run is not None:
        run()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        proxy_headers=False,
    )
