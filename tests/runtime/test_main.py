"""The command: a real server on a real socket, in a process of its own."""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.proof import Canary

from . import bundles
from .conftest import ROW

DEADLINE = 20.0
"""Seconds after which something has gone wrong; nothing waits that long."""


class Server:
    """A server's process and what it has logged."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[Any] = []
        self._rest = b""

    def wait_for(self, text: str) -> Any:
        """The first line from now on whose JSON has the text in it; fails where the process ends before."""
        end = time.monotonic() + DEADLINE
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while time.monotonic() < end:
                while b"\n" in self._rest:
                    line, _, self._rest = self._rest.partition(b"\n")
                    self.lines.append(json.loads(line))
                    if text in line.decode():
                        return self.lines[-1]
                if selector.select(timeout=0.5):
                    part = os.read(self.process.stdout.fileno(), 65536)
                    if not part:
                        break
                    self._rest += part
        raise AssertionError(f"expected a line with {text!r}, found {self.lines}, {self.finish()}")

    def finish(self) -> tuple[int, str]:
        """(exit code, standard error); reads the rest of the log."""
        out, err = self.process.communicate(timeout=DEADLINE)
        self.lines += [json.loads(line) for line in (self._rest + out).splitlines()]
        return self.process.returncode, err.decode()


@contextmanager
def started(*words: str, **environment: str) -> Iterator[Server]:
    """``python -m runtime words``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "runtime", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        yield Server(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@contextmanager
def serving(*words: str, **environment: str) -> Iterator[tuple[Server, httpx.Client]]:
    """The same on a free port, once it says that it is ready."""
    with started(*words, "--port", "0", **environment) as server:
        message = server.wait_for("ready on")["message"]
        with httpx.Client(base_url=message.split()[2].rstrip(","), timeout=DEADLINE, trust_env=False) as client:
            yield server, client


def refused(*words: str, **environment: str) -> str:
    """The one sentence on standard error of a command whose exit code is 2."""
    with started(*words, **environment) as server:
        code, err = server.finish()
    assert code == 2, err
    assert err.startswith("python -m runtime: ")
    assert err.count("\n") == 1
    return err.removeprefix("python -m runtime: ").strip()


def test_a_folder_of_models_is_served_until_sigterm(root: Path) -> None:
    with serving("serve", str(root)) as (server, client):
        answer = client.post("/models/flights/predict", json=ROW, headers={"x-request-id": "r-1"})
        assert answer.status_code == 200
        assert answer.json()["model_version"] == answer.headers["x-model-version"] == bundles.VERSION
        assert answer.headers["x-request-id"] == "r-1"
        assert "server" not in answer.headers
        assert client.get("/health").json()["models"].keys() == {"both", "cost", "costs", "flights", "twice"}
        assert "ml_predictions_total" in client.get("/metrics").text
        assert "_created" not in client.get("/metrics").text
        assert client.post("/models/flights/predict", content=b"{").status_code == 400
        assert client.post("/models/flights/predict", content=iter([b"{", b"}"])).status_code == 422
        assert client.get("/%ff%00/../x").status_code == 404
        line = server.wait_for('"r-1"')
        assert (line["event"], line["status"], line["rows"]) == ("request", 200, 1)
        server.process.send_signal(signal.SIGTERM)
        assert server.finish() == (0, "")


def test_one_model_by_environment_without_access_log_until_ctrl_c(root: Path) -> None:
    environment = {"PIPETWIN_MODELS": str(root / "twice"), "PIPETWIN_ACCESS_LOG": "false"}
    with serving(**environment) as (server, client):
        assert client.post("/predict", json={"x": 1, "y": 2}).json()["output"] == [2.0, 4.0]
        server.process.send_signal(signal.SIGINT)
        assert server.finish() == (0, "")
    assert [line["event"] for line in server.lines] == ["log"]


def test_one_version_and_one_alias(root: Path, tmp_path: Path) -> None:
    folder = bundles.transformer(tmp_path / "m", bundles.numbers(("x", "y")))
    (tmp_path / "m" / "staging").symlink_to(folder.name)
    for where in (str(folder), f"{tmp_path}/m@staging"):
        with serving(where) as (_, client):
            assert client.get("/health").json()["models"] == {"m": folder.name}


def test_requests_that_were_accepted_are_answered_after_sigterm(root: Path) -> None:
    with serving(str(root / "twice")) as (server, client):
        host, port = client.base_url.host, client.base_url.port
        assert port is not None
        with socket.create_connection((host, port), timeout=DEADLINE) as connection:
            body = b'{"x": 1, "y": 2}'
            head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            connection.sendall(head + body[:4])
            assert client.get("/health").status_code == 200  # by now the server has begun with the other
            client.close()
            server.process.send_signal(signal.SIGTERM)
            end = time.monotonic() + DEADLINE
            while time.monotonic() < end:  # until nobody is let in any more
                try:
                    with socket.create_connection((host, port), timeout=DEADLINE) as other:
                        other.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
                        other.recv(1)  # one after the other, or the kernel's queue of those who knock overflows
                except ConnectionError:
                    break
            connection.sendall(body[4:])
            answer = b""
            while part := connection.recv(65536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b'"output":[2.0,4.0]' in answer
        assert server.finish() == (0, "")


def test_many_connections_at_once(root: Path) -> None:
    with serving(str(root / "twice"), "--access-log", "false") as (server, client):
        wrong: list[Any] = []

        def ask(seed: int) -> None:
            with httpx.Client(base_url=client.base_url, timeout=DEADLINE, trust_env=False) as mine:
                for step in range(25):
                    x = float(seed * 100 + step)
                    found = mine.post("/predict", json={"x": x, "y": -x}).json()["output"]
                    if found != [2 * x, -2 * x]:
                        wrong.append((x, found))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(8)))
        assert wrong == []
        assert (
            'ml_predictions_total{model="twice",model_version="20261122T110305Z",prediction_class="output"} 200.0'
            in (client.get("/metrics").text)
        )
        server.process.send_signal(signal.SIGTERM)
        assert server.finish() == (0, "")


@pytest.mark.parametrize("declared", [None, "400"])
def test_a_body_beyond_the_limit(root: Path, declared: str | None) -> None:
    with serving(str(root / "twice"), "--body-limit", "100") as (_, client):
        body = b" " * 400
        answer = client.post("/predict", content=body if declared else iter([body[:50], body[50:]]))
        assert answer.status_code == 413
        assert answer.json()["detail"] == "expected a body of at most 100 bytes, found a larger one"
        assert client.post("/predict", json={"x": 1, "y": 2}).status_code == 200


def test_bytes_that_are_no_http(root: Path) -> None:
    with serving(str(root / "twice")) as (server, client):
        host, port = client.base_url.host, client.base_url.port
        assert port is not None
        for garbage in (b"\x00\xff\n\n", b"GET /\x1b[31m\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n"):
            with socket.create_connection((host, port), timeout=DEADLINE) as connection:
                connection.sendall(garbage)
                assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
        assert client.get("/health").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.finish() == (0, "")


def test_a_taken_port(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert refused(str(root), "--port", port) == (
            f"expected to listen on 127.0.0.1 port {port}, found: Address already in use; choose another port with "
            "--port or stop what has it"
        )


@pytest.mark.parametrize("host", ["999.1.1.1", "192.0.2.1"])  # no address, and one that no machine has
def test_no_such_host(root: Path, host: str) -> None:
    sentence = refused(str(root), "--port", "0", "--host", host)
    assert sentence.startswith(f"expected to listen on {host} port 0, found: ")
    assert sentence.endswith("; name an address of this machine with --host")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "expected a folder of models as an argument or in PIPETWIN_MODELS, found none"),
        (["serve"], "expected a folder of models as an argument or in PIPETWIN_MODELS, found none"),
        (["/nowhere"], "expected a model or one of its versions in /nowhere, found no such folder"),
        (["/nowhere", "--port", "x"], "expected --port to be an integer from 0 to 65535, found 'x'"),
    ],
)
def test_no_model(words: list[str], sentence: str) -> None:
    assert refused(*words) == sentence


def test_an_empty_folder(tmp_path: Path) -> None:
    assert refused(str(tmp_path)).endswith("found no version")


def test_a_bad_variable() -> None:
    assert refused(PIPETWIN_PORT="x") == "expected PIPETWIN_PORT to be an integer from 0 to 65535, found 'x'"


def test_one_bad_bundle_among_good_ones(tmp_path: Path) -> None:
    bundles.transformer(tmp_path / "good", bundles.numbers(("x", "y")))
    bad = bundles.transformer(tmp_path / "bad", bundles.numbers(("x", "y")))
    text = (bad / "model.onnx").read_bytes()
    (bad / "model.onnx").write_bytes(text[:-1] + bytes([text[-1] ^ 1]))
    assert refused(str(tmp_path)).endswith("found others in model.onnx: copy or convert the model again")


def test_a_canary_that_is_answered_otherwise(tmp_path: Path) -> None:
    canary = Canary(((1.0,),), {"predict_proba": [[0.5, 0.5]]})
    bundles.classifier(tmp_path / "m", bundles.numbers(("x",)), canary=canary)
    assert "expected predict_proba to answer 1 canary rows as proven" in refused(str(tmp_path))


def test_flags_that_are_none() -> None:
    with started("models", "--nonsense") as server:
        code, err = server.finish()
    assert code == 2
    assert "--nonsense" in err


def test_help_names_the_variables() -> None:
    found = subprocess.run([sys.executable, "-m", "runtime", "--help"], check=True, capture_output=True, text=True)
    for variable in ("PIPETWIN_MODELS", "PIPETWIN_HOST", "PIPETWIN_PORT", "PIPETWIN_BODY_LIMIT", "PIPETWIN_ACCESS_LOG"):
        assert variable in found.stdout
