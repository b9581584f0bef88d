"""The admin address on real processes: who may, and models that are unloaded and loaded everywhere at once."""

import http.client
import json
import os
import signal
import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime import ModelNotFoundError
from runtime.keys import key_line
from runtime.service.plan import survey
from runtime.service.reload import Follower

from ...stress import oracle
from ...stress.oracle import promote
from ...stress.service import Running, metric, running, until
from ..test_main import DEADLINE, refused, serving

ROW = {"x": 1.0, "id": 1.0}
LOAD, UNLOAD = "/v2/repository/models/m/load", "/v2/repository/models/m/unload"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of two models, m and n, of version 1."""
    folder = tmp_path / "models"
    for name in ("m", "n"):
        oracle.write(folder / name, 1)
        promote(folder / name, 1)
    return folder


def everywhere(service: Running, path: str, headers: Mapping[str, str] | None = None) -> set[int]:
    """The statuses of so many new connections that every worker has had some."""
    found = set()
    for _ in range(24):
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=DEADLINE)
        connection.request("POST", path, json.dumps(ROW), dict(headers or {}))
        found.add(connection.getresponse().status)
        connection.close()
    return found


def index(client: httpx.Client, **body: Any) -> dict[str, str]:
    return {one["name"]: one["state"] for one in client.post("/v2/repository/index", json=body).json()}


def test_a_model_is_unloaded_and_loaded_in_every_worker(models: Path) -> None:
    with running(models, "--poll-seconds", "0.05") as service:
        answer = service.admin.post(UNLOAD, json={"parameters": {"unload_dependents": False}})
        assert (answer.status_code, answer.json()) == (200, {"name": "m", "unload": True})
        assert everywhere(service, "/models/m/predict") == {404}
        assert everywhere(service, "/models/n/predict") == {200}
        assert service.client.get("/v2/models/m/ready").status_code == 404
        assert service.client.get("/v2/models/n/ready").status_code == 200
        assert service.client.get("/health/ready").status_code == 200  # what should serve does
        for client in (service.client, service.admin):
            assert index(client) == {"m": "UNAVAILABLE", "n": "READY"}
            assert index(client, ready=True) == {"n": "READY"}
        oracle.write(models / "m", 2)
        promote(models / "m", 2)
        oracle.write(models / "n", 2)
        promote(models / "n", 2)
        until(lambda: service.client.get("/health").json()["models"] == {"n": oracle.name(2)})
        assert service.reload()["versions"] == {"n": oracle.name(2)}
        victim = min(service.workers())
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in service.workers() and service.admin.get("/health").json()["workers"] == 2)
        assert everywhere(service, "/models/m/predict") == {404}  # one that starts now has it no more than the others
        assert service.admin.post(UNLOAD).status_code == 200  # again
        answer = service.admin.post(LOAD)
        assert (answer.status_code, answer.json()) == (200, {"name": "m", "load": True})
        assert everywhere(service, "/models/m/predict") == {200}
        assert service.client.post("/models/m/predict", json=ROW).json()["model_version"] == oracle.name(2)
        assert index(service.client) == {"m": "READY", "n": "READY"}


def test_without_any_model_nobody_is_ready(models: Path) -> None:
    with running(models / "m", "--poll-seconds", "0", workers=1) as service:
        service.admin.post(UNLOAD).raise_for_status()
        assert service.client.get("/health/ready").status_code == 503
        assert service.client.get("/health/live").status_code == 200
        assert service.client.post("/predict", json=ROW).status_code == 503
        service.admin.post(LOAD).raise_for_status()
        assert service.client.post("/predict", json=ROW).status_code == 200
        for path, body, status, sentence in (
            ("/v2/repository/models/x/load", {}, 404, "expected a model that the folder has, found none of that name"),
            ("/v2/repository/models/x/unload", {}, 404, "expected a model that is served, found none of that name"),
            ("/v2/repository/models/X!/load", {}, 404, "expected a model's name, found what cannot be one"),
            ("/v2/repository/models/..%2Fm/load", {}, 404, None),
            (LOAD, {"parameters": {"config": "{}"}}, 400, "expected no parameters, for the folder of models says what"),
            (UNLOAD, {"parameters": {"file:1/model.onnx": ""}}, 400, "expected no parameters, for the folder of"),
            (LOAD, [], 400, "expected an object with parameters, or nothing, found another"),
            ("/v2/repository/index", {"ready": 1}, 400, "expected an object of ready, or nothing, found another"),
        ):
            answer = service.admin.post(path, json=body)
            assert answer.status_code == status, answer.text
            assert sentence is None or answer.json()["error"].startswith(sentence)
        (oracle.write(models / "m", 2) / "model.onnx").write_bytes(b"")
        promote(models / "m", 2)
        answer = service.admin.post(LOAD, timeout=60)
        assert answer.status_code == 409
        assert answer.json()["error"].startswith(f"version {oracle.name(2)}: expected ")
        assert str(models) not in answer.text
        assert service.client.post("/predict", json=ROW).json()["model_version"] == oracle.name(1)


def follower(where: Path, commits: list[Any]) -> Follower:
    """One whose candidates all pass."""
    return Follower(str(where), survey(str(where)).plan, lambda pin: None, commits.append, lambda model, outcome: None)


def test_load_touches_no_other_model(models: Path) -> None:
    commits: list[Any] = []
    found = follower(models, commits)
    for name in ("m", "n"):
        oracle.write(models / name, 2)
        promote(models / name, 2)
    assert found.load("m").versions == {"m": oracle.name(2), "n": oracle.name(1)}
    for entry in (models / "m").iterdir():
        entry.rename(models / f".{entry.name}")
    (models / "m").rmdir()
    report = found.load("m")  # it is gone: what serves goes on
    assert report.refused == {"m": "it is gone from the folder", "m@production": "it is gone from the folder"}
    assert report.versions == {"m": oracle.name(2), "n": oracle.name(1)}
    assert found.unload("m").versions == {"n": oracle.name(1)}
    assert not found.unload("m").changed
    with pytest.raises(ModelNotFoundError):
        found.load("m")
    assert found.plan.unloaded == ("m",)
    assert len(commits) == 2


KEYS = "\n".join(
    (key_line("all", "k-all"), key_line("n-1", "k-n", ["n"]), key_line("root", "k-root", ["n"], admin=True))
)


def sent(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


ADMIN = (
    ("GET", "/metrics"),
    ("POST", "/-/reload"),
    ("POST", "/v2/repository/index"),
    ("POST", LOAD),
    ("POST", UNLOAD),
)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_key_for_administration_is_asked_for_wherever_there_is_one(models: Path, tmp_path: Path, host: str) -> None:
    file = tmp_path / "keys"
    file.write_text(KEYS)
    words = ("--keys", str(file), "--admin-host", host, "--poll-seconds", "0.05", "--private-metrics", "true")
    with running(models, *words) as service:
        admin = httpx.Client(base_url=f"http://127.0.0.1:{service.admin.base_url.port}", timeout=60, trust_env=False)
        with admin:
            for method, path in ADMIN:
                assert admin.request(method, path).status_code == 401
                assert admin.request(method, path, headers=sent("k-all")).status_code == 403
                assert admin.request(method, path, headers=sent("k-root")).status_code == 200
            assert "error" in admin.post(LOAD).json()
            assert admin.get("/health").status_code == 200
            assert service.client.get("/metrics").status_code == 404
            admin.post(LOAD, headers=sent("k-root")).raise_for_status()
            assert everywhere(service, "/models/m/predict", headers=sent("k-n")) == {403}
            assert everywhere(service, "/models/m/predict", headers=sent("k-new")) == {401}
            new = tmp_path / "new"
            new.write_text(key_line("new", "k-new"))
            new.replace(file)  # nobody is for administration any more: the address stays shut
            until(lambda: everywhere(service, "/models/m/predict", headers=sent("k-new")) == {200})
            until(lambda: everywhere(service, "/models/m/predict", headers=sent("k-all")) == {401})
            until(lambda: admin.get("/metrics", headers=sent("k-root")).status_code == 401)
            assert admin.get("/metrics", headers=sent("k-new")).status_code == 403
            assert admin.get("/metrics").status_code == 401
            file.write_text("broken")
            victim = min(service.workers())
            os.kill(victim, signal.SIGKILL)
            until(lambda: victim not in service.workers() and admin.get("/health").json()["workers"] == 2)
            assert everywhere(service, "/models/m/predict", headers=sent("k-new")) == {200}
        service.server.process.send_signal(signal.SIGTERM)
        assert service.server.finish() == (0, "")
    log = repr(service.server.lines)
    assert "the keys stay as they are: expected line 1 of the file of keys" in log
    assert not any(key in log for key in ("k-all", "k-root", "k-new", str(tmp_path)))


def test_a_web_page_cannot_administer(models: Path) -> None:
    """Without keys, whoever can reach loopback may; a browser that a page makes ask is told by its Origin."""
    with running(models, workers=1) as service:
        for method, path in ADMIN:
            assert service.admin.request(method, path, headers={"origin": "http://evil.example"}).status_code == 403
        assert everywhere(service, "/models/m/predict") == {200}
        assert metric(service.admin, "ml_worker_starts_total") == 1


def test_keys_from_a_variable_in_one_process(models: Path) -> None:
    with serving(str(models), PIPETWIN_API_KEYS=KEYS.replace("\n", ";")) as (_, client):
        assert client.get("/models").status_code == 401
        assert client.get("/models", headers={"x-api-key": "k-all"}).status_code == 200
        assert client.get("/health").json() == {"status": "healthy"}


def test_starts_that_are_refused(models: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    words = (str(models), "--port", "0", "--keys", str(file))
    assert refused(*words) == f"expected a file of keys at {file}, found: No such file or directory"
    file.write_text("k-all")
    assert refused(*words).startswith(f"expected line 1 of {file} to be NAME sha256:64-DIGITS models=NAMES")
    file.write_text(key_line("all", "k-all"))
    abroad = ("--admin-port", "0", "--admin-host", "0.0.0.0")
    assert refused(*words, *abroad).startswith(
        "expected an admin address on loopback, for no key is for administration"
    )
    metrics = refused(str(models), "--port", "0", "--private-metrics", "true")
    assert metrics == "expected --admin-port beside --private-metrics, for metrics are there alone, found none"


def test_stalled_connections_of_the_admin_address_are_closed(models: Path) -> None:
    """Else they would take the descriptors that new workers need."""
    with running(models, "--header-seconds", "0.5") as service, ExitStack() as opened:
        address = ("127.0.0.1", service.admin.base_url.port or 0)
        stalled = [opened.enter_context(socket.create_connection(address, DEADLINE)) for _ in range(300)]
        for connection in stalled:
            with suppress(OSError):
                connection.sendall(b"POST /-/reload HTTP/1.1\r\nhost: x\r\nx-long: ")
        said = {_until_closed(connection).partition(b"\r\n")[0] for connection in stalled}
        assert said <= {b"HTTP/1.1 408 Request Timeout", b"HTTP/1.1 503 Service Unavailable", b""}
        assert b"HTTP/1.1 408 Request Timeout" in said
        assert service.admin.get("/health").status_code == 200
        assert service.reload()["versions"] == {"m": "v00001", "n": "v00001"}


def _until_closed(connection: socket.socket) -> bytes:
    answer = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(65536):
            answer += part
    return answer
