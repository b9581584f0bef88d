"""Versions that change while the service answers, on a real server; and each way a candidate can be bad."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime import BundleError, DigestError
from runtime.service.plan import MAIN, Pin, Plan, survey
from runtime.service.reload import Follower, UnfinishedError, loaded, start
from runtime.service.trial import tried

from ...stress import oracle
from ...stress.load import loaded as under_load
from ...stress.oracle import promote
from ...stress.service import metric, until
from ..test_main import serving

POLL = ("--poll-seconds", "0.05", "--access-log", "false")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder of models with one, m, of version 1."""
    oracle.write(tmp_path / "m", 1)
    promote(tmp_path / "m", 1)
    return tmp_path / "m"


def test_swaps_under_load_lose_mix_and_stale_nothing(model: Path) -> None:
    with serving(str(model.parent), *POLL) as (server, client):
        port = client.base_url.port
        assert port is not None
        done = []
        with under_load("127.0.0.1", port) as load:
            for k in range(2, 7):
                oracle.write(model, k)
                promote(model, k)
                until(lambda k=k: client.get("/health").json()["models"] == {"m": oracle.name(k)})  # type: ignore[misc]
                done.append((time.monotonic(), oracle.name(k)))
        assert (load.lost, load.wrong, load.stale(done)) == ([], [], [])
        assert {seen.version for seen in load.seen} >= {oracle.name(k) for k in range(2, 6)}
        assert metric(client, "ml_model_reloads_total", model="m", outcome="loaded") == 5
        # Every row of every answer is counted once, whichever version made it.
        assert metric(client, "ml_predictions_total", model="m") == 3 * len(load.seen)
        assert server.process.poll() is None


def test_counters_of_features_never_go_down(model: Path) -> None:
    row = {"x": 1000.0, "id": 1.0}
    with serving(str(model.parent), *POLL) as (_, client):
        for k in range(2, 5):
            client.post("/predict", json=row)
            assert metric(client, "ml_feature_out_of_range_total", feature="x") == k - 1
            oracle.write(model, k)
            promote(model, k)
            until(lambda k=k: client.get("/health").json()["models"] == {"m": oracle.name(k)})  # type: ignore[misc]
            assert metric(client, "ml_feature_out_of_range_total", feature="x") == k - 1


def test_aliases_are_addressed_by_name(model: Path) -> None:
    oracle.write(model, 2)
    promote(model, 2, "staging")
    with serving(str(model.parent), *POLL) as (_, client):
        row = {"x": 10.0, "id": 1.0}
        assert client.post("/predict", json=row).json()["prediction"] == [11.0, 1.0]
        answer = client.post("/models/m@staging/predict", json=row)
        assert answer.json()["prediction"] == [12.0, 1.0]
        assert answer.headers["x-model-version"] == oracle.name(2)
        assert client.post("/models/m@nobody/predict", json=row).status_code == 404
        promote(model, 2)
        until(lambda: client.get("/health").json()["models"] == {"m": oracle.name(2)})
        oracle.write(model, 3)
        promote(model, 3, "staging")
        until(lambda: client.post("/models/m@staging/predict", json=row).json()["prediction"] == [13.0, 1.0])
        assert client.post("/predict", json=row).json()["prediction"] == [12.0, 1.0]


def truncated(version: Path) -> None:
    text = (version / "model.onnx").read_bytes()
    (version / "model.onnx").write_bytes(text[: len(text) // 2])


def tampered(version: Path) -> None:
    text = (version / "proof.json").read_bytes()
    (version / "proof.json").write_bytes(text[:-1] + bytes([text[-1] ^ 1]))


def unfinished(version: Path) -> None:
    (version / "model.onnx").unlink()


def unlike_its_proof(version: Path) -> None:
    shutil.rmtree(version)
    oracle.write(version.parent, int(version.name[1:]), graph_sha256="0" * 64)


def a_pipe(version: Path) -> None:
    import os

    (version / "model.onnx").unlink()
    os.mkfifo(version / "model.onnx")


def sparse(version: Path) -> None:
    with (version / "model.onnx").open("r+b") as file:
        file.truncate(5 * 2**30)


def test_a_bad_candidate_is_refused_and_the_old_version_serves_on(model: Path) -> None:
    """Each in turn, by one server; whole, it serves."""
    row = {"x": 1, "id": 2}
    with serving(str(model.parent), *POLL) as (server, client):
        for k, spoil in enumerate((truncated, tampered, unfinished, unlike_its_proof, a_pipe, sparse), 2):
            version, refused = oracle.name(k), metric(client, "ml_model_reloads_total", model="m", outcome="refused")
            spoil(oracle.write(model, k))
            promote(model, k)
            # By its version: the one before may be refused once more, while it is written.
            line = server.wait_for(f"m stays as it is, its candidate is refused: version {version}: expected ")
            assert str(model) not in line["message"]
            assert metric(client, "ml_model_reloads_total", model="m", outcome="refused") == refused + 1
            assert client.post("/predict", json=row).json()["prediction"] == [float(k), 2.0]
            shutil.rmtree(model / version)
            oracle.write(model, k)  # whole now
            until(lambda version=version: client.get("/health").json()["models"] == {"m": version})  # type: ignore[misc]
            counted = metric(client, "ml_model_reloads_total", model="m", outcome="refused")
            assert counted <= refused + 2  # once more, while written


def follower(model: Path, prove: Callable[[Pin], None]) -> tuple[Follower, list[Plan], list[tuple[str, str]]]:
    """A follower of the model's folder, what it committed and what it counted."""
    plan, _ = start(str(model.parent))
    plans: list[Plan] = []
    counted: list[tuple[str, str]] = []
    return Follower(str(model.parent), plan, prove, plans.append, lambda *what: counted.append(what)), plans, counted


def test_a_version_that_can_never_serve_is_tried_once_until_someone_asks(model: Path) -> None:
    tries = []

    def refuse(pin: Pin) -> None:
        tries.append(pin.version)
        raise BundleError("expected better")

    following, plans, counted = follower(model, refuse)
    oracle.write(model, 2)
    promote(model, 2)
    for _ in range(3):
        assert following.look().refused == {"m": "version v00002: expected better"}
    assert tries == ["v00002"]
    assert counted == [("m", "refused")]
    following.look(asked=True)
    assert tries == ["v00002"] * 2
    assert plans == []


@pytest.mark.parametrize("kind", [DigestError, UnfinishedError])
def test_a_version_that_is_not_there_yet_is_tried_again(model: Path, kind: type[BundleError]) -> None:
    tries = []

    def wait(pin: Pin) -> None:
        tries.append(pin.version)
        if len(tries) < 5:
            raise kind("not yet")

    following, plans, counted = follower(model, wait)
    oracle.write(model, 2)
    promote(model, 2)
    while not plans:
        following.look()
    assert counted == [("m", "refused"), ("m", "loaded")]
    assert following.look().versions == {"m": "v00002"}


def test_an_alias_that_is_gone_for_a_moment_changes_nothing(model: Path) -> None:
    following, plans, _ = follower(model, lambda pin: None)
    oracle.write(model, 2)
    (model / "production").unlink()
    assert not following.look().changed
    assert following.look().refused["m"] == "its alias is gone from the folder"
    assert following.look(asked=True).versions == {"m": "v00002"}
    assert len(plans) == 1


def test_a_model_that_is_gone_serves_on_until_someone_asks(model: Path) -> None:
    oracle.write(model.parent / "other", 5)
    following, plans, _ = follower(model, lambda pin: None)
    shutil.rmtree(model)
    assert following.look().versions == {"m": "v00001", "other": "v00005"}
    assert plans == []
    assert following.look(asked=True).versions == {"other": "v00005"}
    shutil.rmtree(model.parent / "other")
    assert following.look(asked=True).versions == {"other": "v00005"}  # never nothing


def test_a_model_that_is_new_comes_to_serve(model: Path) -> None:
    following, _, counted = follower(model, lambda pin: None)
    oracle.write(model.parent / "other", 5)
    assert following.look().versions == {"m": "v00001", "other": "v00005"}
    assert counted == [("other", "loaded")]


def test_a_commit_that_fails_changes_nothing(model: Path) -> None:
    following, _, counted = follower(model, lambda pin: None)

    def fail(plan: Plan) -> None:
        raise BundleError("no")

    following._commit = fail
    oracle.write(model, 2)
    promote(model, 2)
    assert not following.look().changed
    assert following.plan.pins["m"][MAIN].version == "v00001"
    assert counted == [("", "refused")]


def test_following_survives_whatever_is_raised(model: Path) -> None:
    stopping = threading.Event()
    tries = []

    def explode(pin: Pin) -> None:
        tries.append(pin)
        if len(tries) == 2:
            stopping.set()
        raise ZeroDivisionError

    following, _, _ = follower(model, explode)
    oracle.write(model, 2)
    promote(model, 2)
    following.run(0.001, stopping)
    assert len(tries) == 2


def test_what_is_loaded_is_what_was_planned(model: Path) -> None:
    plan, catalog = start(str(model.parent))
    pin = plan.pins["m"][MAIN]
    other = Plan({"m": {MAIN: Pin(pin.folder, "0" * 64)}})
    with pytest.raises(DigestError, match="found that it has changed"):
        loaded(other, catalog)
    assert loaded(plan, catalog).models["m"] is catalog.models["m"]


def test_where_versions_are_found(model: Path) -> None:
    folder = str((model / oracle.name(1)).resolve())
    one = survey(str(model.parent)).plan.pins
    assert one["m"].keys() == {MAIN, "production"}
    assert one["m"][MAIN].folder == folder
    assert survey(str(model)).plan.pins["m"].keys() == {MAIN, "production"}
    assert survey(f"{model}@production").plan.pins["m"].keys() == {MAIN, "production"}
    assert survey(folder).plan.pins["m"].keys() == {MAIN}


def test_a_folder_that_was_copied_as_an_alias(model: Path) -> None:
    shutil.copytree(model / oracle.name(1), model / "canary")
    found = survey(str(model)).plan.pins["m"]
    assert found["canary"].digest == found[MAIN].digest


def test_a_trial(model: Path) -> None:
    pin = survey(str(model)).plan.pins["m"][MAIN]
    tried(pin)
    with pytest.raises(UnfinishedError, match=r"within 0\.01 seconds"):
        tried(pin, seconds=0.01)
    with pytest.raises(DigestError, match="changed"):
        tried(Pin(pin.folder, "0" * 64))
    bad = oracle.write(model, 9, graph_sha256="0" * 64)
    with pytest.raises(BundleError, match="expected a proof of"):
        tried(Pin(str(bad), ""))


def test_a_candidate_that_crashes_takes_its_own_process_down(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What a fault in onnxruntime does, seen from here.
    monkeypatch.setattr("runtime.service.trial.COMMAND", ("-c", "import os; os.abort()"))
    with pytest.raises(BundleError, match="ended by signal 6"):
        tried(survey(str(model)).plan.pins["m"][MAIN])
