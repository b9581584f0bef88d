"""Several workers behind one port, on real processes: swaps, kills, restarts, ends and starts that fail."""

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from runtime.service.control import Control
from runtime.service.plan import Plan
from runtime.service.supervisor import HEALTHCHECK_SECONDS, START_SECONDS, _Supervisor

from ...stress import drains, kills, oracle, restarts, swaps
from ...stress.drains import Drain
from ...stress.load import loaded as under_load
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
    assert drains.run(3, tmp_path).faults == []  # of each kind of service


def test_workers_end_with_their_supervisor(model: Path) -> None:
    with running(model.parent) as service:
        workers, forks = service.workers(), service.forks
        assert len(workers) == 2
        service.server.process.kill()
        until(lambda: not any(alive(pid) for pid in (*workers, forks)))
        assert service.server.finish()[0] == -signal.SIGKILL


def test_the_service_ends_in_order_when_no_worker_can_be_forked_any_more(model: Path) -> None:
    with running(model.parent, "--drain-seconds", "0.5") as service:
        service.client.close()
        forks = service.forks
        health, answers = drains.drain(service.port, lambda: os.kill(forks, signal.SIGKILL))
        assert drains.faults(Drain(health, answers, (0, ""))) == []
        code, said = service.server.finish()
        assert (code, said) == (2, "python -m runtime: expected a process to fork workers, found that it has ended\n")


def test_what_is_signalled_to_every_process_ends_no_more_than_the_workers(model: Path) -> None:
    with running(model.parent) as service:
        forks, victim = service.forks, min(service.workers())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            os.kill(forks, number)
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(service.workers() - {victim}) == 2 and service.ready() == 2)
        assert service.forks == forks


def test_workers_have_request_ids_of_their_own(model: Path) -> None:
    with running(model.parent) as service:
        found = set()

        def asked() -> bool:
            with httpx.Client(base_url=service.client.base_url, trust_env=False) as client:
                found.add(client.get("/health/live").headers["x-request-id"].partition("-")[0])
            return len(found) == 2

        until(asked)


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


def test_a_worker_that_hangs_is_replaced_while_the_supervisor_looks_after_all_others(
    model: Path,
) -> None:
    with running(model.parent) as service:
        hangs, dies = sorted(service.workers())
        os.kill(hangs, signal.SIGSTOP)
        time.sleep(1)  # by now it has been asked whether it lives
        os.kill(dies, signal.SIGKILL)
        start = time.monotonic()
        until(lambda: len(service.workers() - {hangs, dies}) == 1 and service.ready() == 2)
        assert time.monotonic() - start < HEALTHCHECK_SECONDS - 2  # not once the one that hangs has been given up
        until(lambda: not alive(hangs))
        until(lambda: service.ready() == 2)
        service.server.process.send_signal(signal.SIGTERM)
        assert service.server.finish() == (0, "")
        assert any("does not answer and is killed" in line["message"] for line in service.server.lines)


def test_a_worker_that_hangs_does_not_keep_the_service_from_ending(model: Path) -> None:
    with running(model.parent) as service:
        os.kill(min(service.workers()), signal.SIGSTOP)
        process = service.server.process
        process.send_signal(signal.SIGTERM)
        until(lambda: len([pid for pid in service.workers() if alive(pid)]) == 1)
        process.send_signal(signal.SIGTERM)  # not to be waited for
        assert service.server.finish() == (0, "")
        assert any("did not end and is killed" in line["message"] for line in service.server.lines)


def test_ctrl_c_in_a_terminal_loses_nothing(model: Path) -> None:
    with running(model.parent, "--drain-seconds", "0.5") as service:
        service.client.close()

        def interrupt() -> None:
            """What a terminal does: it signals every process of the group."""
            for pid in (service.server.process.pid, *service.workers()):
                os.kill(pid, signal.SIGINT)

        seen = drains.drain(service.port, interrupt)
        assert drains.faults(Drain(*seen, service.server.finish())) == []


def test_workers_are_added_and_taken_away(model: Path) -> None:
    with running(model.parent) as service, under_load("127.0.0.1", service.port) as load:
        service.server.process.send_signal(signal.SIGTTIN)
        until(lambda: service.ready() == 3)
        service.server.process.send_signal(signal.SIGTTOU)
        until(lambda: len(service.workers()) == 2)
        until(lambda: len(load.seen) > 100)
    assert (load.lost, load.wrong) == ([], [])


@pytest.mark.parametrize("path", ["/predict", "/models/m/predict", "/models/m@production/predict"])
def test_a_body_that_still_arrives_at_a_swap_is_answered_by_the_new_version(model: Path, path: str) -> None:
    body = json.dumps(oracle.rows(1, 2)).encode()
    old = f"/models/m/versions/{oracle.name(1)}/predict"
    with running(model.parent, "--poll-seconds", "0", workers=1) as service:
        asked = []
        for where in (path, old):
            connection = socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE)
            head = f"POST {where} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body[:5])
            asked.append(connection)
        service.client.get("/health")  # by now the worker has begun with both
        oracle.write(model, 2)
        promote(model, 2)
        service.reload()
        answers = []
        for connection in asked:
            with connection:
                connection.sendall(body[5:])
                answers.append(b"".join(iter(lambda: connection.recv(65536), b"")))  # noqa: B023
        assert answers[0].startswith(b"HTTP/1.1 200 ")
        assert b"x-model-version: v00002" in answers[0]
        assert b'"prediction":[9.0,1.0]' in answers[0]
        assert b'"model_version":"v00002"' in answers[0]
        # A path that names a version is answered by that version or by none.
        assert b'"prediction":[8.0,1.0]' in answers[1]
        assert b"x-model-version: v00001" in answers[1]
        assert metric(service.client, "ml_predictions_total", model_version="v00002") == 2


def test_a_rolling_restart_that_cannot_succeed_leaves_the_workers_as_they_are(model: Path) -> None:
    with running(model.parent, "--poll-seconds", "0") as service:
        before = service.workers()
        spoiled(model)
        service.server.process.send_signal(signal.SIGHUP)
        service.server.wait_for("a new worker did not come to serve: the others stay as they are")
        assert service.client.post("/predict", json={"x": 1, "id": 1}).status_code == 200
        assert service.workers() == before
        assert service.ready() == 2


def child(pid: int, *, age: float, lives: bool) -> Any:
    """A worker as the supervisor has it."""
    ended: list[str] = []
    return SimpleNamespace(
        pid=pid,
        born=time.monotonic() - age,
        exitcode=None,
        is_alive=lambda timeout: lives,
        kill=lambda: ended.append("killed"),
        join=lambda: None,
        ended=ended,
    )


@pytest.mark.parametrize(
    ("pid", "age", "lives", "fine"),
    [
        (1, START_SECONDS + 1, True, True),  # it serves
        (1, 1, False, False),
        (2, START_SECONDS / 2, True, True),  # it may still come to
        (2, START_SECONDS + 1, True, False),
        (3, 1, True, False),  # it said that it cannot
    ],
)
def test_workers_that_do_not_come_to_serve_are_ended(pid: int, age: float, lives: bool, fine: bool) -> None:
    supervisor = object.__new__(_Supervisor)
    supervisor._control = Control(Plan({}))
    supervisor._control.served.add(1)
    supervisor._control.refused.add(3)
    worker = child(pid, age=age, lives=lives)
    assert supervisor._fine(worker) is fine
    assert worker.ended == ([] if fine else ["killed"])
