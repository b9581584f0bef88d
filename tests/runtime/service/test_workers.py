"""Several workers behind one port, on real processes: swaps, kills, restarts, ends and starts that fail."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from ...stress import drains, kills, oracle, restarts, swaps
from ...stress.oracle import promote
from ...stress.service import alive, metric, running, until
from ...stress.service import model as a_model
from ..test_main import DEADLINE, refused


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of version 1, below a folder of models."""
    return a_model(tmp_path)


def test_swaps_under_load_lose_mix_and_stale_nothing(tmp_path: Path) -> None:
    assert swaps.run(4, tmp_path).faults == []


def test_workers_are_killed_under_load(tmp_path: Path) -> None:
    # How long a replacement took is judged by `make stress`, where the processor is not shared with other tests.
    found = kills.run(2, tmp_path).faults
    assert [fault for fault in found if "was replaced after" not in fault] == []


def test_a_replaced_worker_serves_what_the_others_do(model: Path) -> None:
    with running(model.parent, "--poll-seconds", "0") as service:
        oracle.write(model, 2)
        promote(model, 2)
        oracle.write(model, 3)
        service.reload()
        promote(model, 3)  # nobody has asked for it yet
        for victim in service.workers():
            os.kill(victim, signal.SIGKILL)
        until(lambda: service.admin.get("/health").json()["workers"] == 2)
        until(lambda: metric(service.admin, "ml_worker_starts_total") == 4)
        for _ in range(20):
            with httpx.Client(base_url=service.client.base_url, trust_env=False) as client:
                assert client.post("/predict", json={"x": 1, "id": 1}).json()["model_version"] == oracle.name(2)


def test_a_rolling_restart_loses_nothing(tmp_path: Path) -> None:
    assert restarts.run(1, tmp_path).faults == []


def test_sigterm_loses_none_of_what_is_in_flight(tmp_path: Path) -> None:
    assert drains.run(2, tmp_path).faults == []  # of one worker and of two


def test_workers_end_with_their_supervisor(model: Path) -> None:
    with running(model.parent) as service:
        workers = service.workers()
        assert len(workers) == 2
        service.server.process.kill()
        until(lambda: not any(alive(pid) for pid in workers))
        assert service.server.finish()[0] == -signal.SIGKILL


def spoiled(model: Path) -> None:
    (model / oracle.name(1) / "model.onnx").write_bytes(b"")


def unproven(model: Path) -> None:
    shutil.rmtree(model / oracle.name(1))
    oracle.write(model, 1, graph_sha256="0" * 64)


@pytest.mark.parametrize("spoil", [spoiled, unproven])
def test_a_start_that_fails_ends(model: Path, spoil: Callable[[Path], None]) -> None:
    spoil(model)
    start = time.monotonic()
    assert refused(str(model.parent), "--workers", "2", "--port", "0").startswith("expected ")
    assert time.monotonic() - start < DEADLINE


def test_no_model_and_taken_ports(model: Path, tmp_path: Path) -> None:
    assert "found no such folder" in refused("/nowhere", "--workers", "2", "--port", "0")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert "--port" in refused(str(model), "--workers", "2", "--port", port)
        assert "--admin-port" in refused(str(model), "--port", "0", "--admin-port", port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org"])
def test_the_admin_address_stays_on_loopback(model: Path, host: str) -> None:
    words = (str(model), "--port", "0", "--admin-port", "0", "--admin-host", host)
    assert refused(*words).startswith("expected an admin address on loopback")


def test_a_candidate_that_is_refused_changes_no_worker(model: Path) -> None:
    with running(model.parent, "--poll-seconds", "0") as service:
        version = oracle.write(model, 2)
        (version / "proof.json").write_bytes(b"{}")
        promote(model, 2)
        answer = service.admin.post("/-/reload", timeout=60)
        assert answer.status_code == 409
        assert "expected the bytes" in answer.json()["refused"]["m"]
        assert str(model) not in answer.text
        assert answer.json()["versions"] == {"m": oracle.name(1)}
        assert service.client.post("/predict", json={"x": 1, "id": 1}).json()["model_version"] == oracle.name(1)
