"""Containers as Vertex AI, SageMaker and KServe start them."""

import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime import SettingsError
from runtime.platforms import KSERVE_IGNORED, platform
from runtime.settings import Settings, read_settings

from . import bundles
from .test_main import DEADLINE, refused, started

VERTEX = "/v1/endpoints/12/deployedModels/34:predict"
ROW = {"x": 1, "y": 2}


def free() -> str:
    """A port that nobody has, for platforms say which."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


@contextmanager
def container(port: str, *words: str, **environment: str) -> Iterator[httpx.Client]:
    """``python -m runtime words``, ready; then it ends by SIGTERM with exit code 0."""
    with started(*words, **environment) as server:
        assert server.wait_for("ready on")["message"].startswith(f"ready on http://0.0.0.0:{port}, ")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE, trust_env=False) as client:
            yield client
        server.process.send_signal(signal.SIGTERM)
        assert server.finish() == (0, "")


def test_vertex(root: Path) -> None:
    port = free()
    said = {
        "AIP_MODE": "PREDICTION",
        "AIP_HTTP_PORT": port,
        "AIP_ENDPOINT_ID": "12",
        "AIP_DEPLOYED_MODEL_ID": "34",
        "AIP_STORAGE_URI": str(root / "twice"),
        "PIPETWIN_PORT": "8000",  # as the image says
        "PIPETWIN_MODELS": "/models",
    }
    with container(port, **said) as client:
        assert client.get(VERTEX).status_code == 200
        assert client.post(VERTEX, json={"instances": [ROW]}).json() == {"predictions": [[2.0, 4.0]]}
        assert client.post(VERTEX, json={"instances": [{}]}).status_code == 400


def test_vertex_with_routes_that_are_ours_too(root: Path) -> None:
    port = free()
    said = {"AIP_HTTP_PORT": port, "AIP_PREDICT_ROUTE": "/predict", "AIP_HEALTH_ROUTE": "/health"}
    with container(port, str(root / "twice"), AIP_STORAGE_URI="gs://bucket/model", **said) as client:
        assert client.get("/health").json() == {"status": "healthy"}
        assert client.post("/predict", json={"instances": [ROW]}).json() == {"predictions": [[2.0, 4.0]]}


def test_vertex_and_a_bucket() -> None:
    assert refused(AIP_HTTP_PORT="8080", AIP_STORAGE_URI="gs://bucket/model") == (
        "expected AIP_STORAGE_URI to be a folder, for no bucket is read here, found 'gs://bucket/model': build the "
        "models into the image and upload it without an artifact URI, or name their folder as the container's argument"
    )


def test_a_route_that_is_none() -> None:
    said = refused("/nowhere", AIP_PREDICT_ROUTE="/{name}")
    assert said == "expected AIP_PREDICT_ROUTE to be a path, found '/{name}'"


def test_sagemaker(root: Path) -> None:
    port = free()
    said = {"SAGEMAKER_BIND_TO_PORT": port, "SAGEMAKER_SAFE_PORT_RANGE": "1-2", "PIPETWIN_MODELS": str(root / "twice")}
    with container(port, "serve", PIPETWIN_PORT="8000", **said) as client:
        assert client.get("/ping").status_code == 200
        assert client.post("/invocations", json=[[1, 2]]).json() == [[2.0, 4.0]]
        csv = {"content-type": "text/csv", "accept": "text/csv"}
        assert client.post("/invocations", content=b"1,2\n3,4\n", headers=csv).text == "2.0,4.0\n6.0,8.0\n"
        assert client.post("/invocations", content=b"y,x\n2,1\n", headers=csv).text == "2.0,4.0\n"


def test_kserve(root: Path) -> None:
    port = free()
    words = ["--model_name=fares", f"--model_dir={root / 'twice'}", f"--http_port={port}", "--workers=1"]
    words += [f"--{name}=1" for name in KSERVE_IGNORED]
    with container(port, *words, PIPETWIN_MODELS="/models") as client:
        body = {"instances": [[1, 2]]}
        assert client.post("/v1/models/fares:predict", json=body).json() == {"predictions": [[2.0, 4.0]]}
        assert client.get("/v2/models/fares/ready").status_code == 200
        assert client.get("/v2/models/twice/ready").status_code == 404


def test_kserve_names_the_only_model_of_a_version_or_of_a_folder(root: Path, tmp_path: Path) -> None:
    version = bundles.transformer(tmp_path / "models" / "m", bundles.numbers(("x", "y")))
    for where in (version, tmp_path / "models"):
        port = free()
        words = ("--model_name", "fares", "--model_dir", str(where), "--http_port", port)
        with container(port, *words) as client:
            assert client.get("/health").json()["models"].keys() == {"fares"}
    assert refused("--model_name", "fares", "--model_dir", str(root)) == (
        "expected one model to call 'fares', found 5: both, cost, costs, flights, twice"
    )


def told(environment: Mapping[str, str], model: Path, *, folder: bool = False, serve: bool = True) -> dict[str, Any]:
    """The settings that a platform says, by name."""
    said = platform(environment, folder=folder, serve=serve, model=model)
    found = read_settings({}, {}, said)
    return {name: getattr(found, name) for name in said} if said else {}


def test_the_folder_of_sagemaker(tmp_path: Path) -> None:
    assert told({}, tmp_path) == {}
    assert told({}, tmp_path / "no") == {}
    (tmp_path / "flights").mkdir()
    assert told({}, tmp_path) == {"models": str(tmp_path), "host": "0.0.0.0", "port": 8080}
    assert told({"SAGEMAKER_BIND_TO_PORT": "9"}, tmp_path)["port"] == 9
    assert told({}, tmp_path, folder=True) == told({}, tmp_path, serve=False) == {}


def test_a_flag_is_before_the_platform_and_the_platform_before_a_variable(tmp_path: Path) -> None:
    said = platform({"AIP_HTTP_PORT": "7"}, folder=False, serve=False, model=tmp_path)
    assert read_settings({"PIPETWIN_PORT": "8"}, {}, said).port == 7
    assert read_settings({"PIPETWIN_PORT": "8"}, {"port": "9"}, said).port == 9
    with pytest.raises(SettingsError, match="expected AIP_HTTP_PORT to be an integer from 0 to 65535, found 'x'"):
        read_settings({}, {}, platform({"AIP_HTTP_PORT": "x"}, folder=False, serve=False, model=tmp_path))
    assert read_settings({}, {}, platform({}, folder=False, serve=False, model=tmp_path)) == Settings()


@pytest.mark.parametrize(
    ("environment", "routes"),
    [
        ({"AIP_PREDICT_ROUTE": "/p", "AIP_HEALTH_ROUTE": "/h/"}, ("/p", "/h")),
        ({"AIP_ENDPOINT_ID": "12", "AIP_DEPLOYED_MODEL_ID": "34"}, (VERTEX, VERTEX)),
        ({"AIP_ENDPOINT_ID": "12", "AIP_DEPLOYED_MODEL_ID": "34", "AIP_HEALTH_ROUTE": "/h"}, (VERTEX, "/h")),
        ({}, ("", "")),
    ],
)
def test_the_routes_of_vertex(environment: Mapping[str, str], routes: tuple[str, str], tmp_path: Path) -> None:
    said = platform({"AIP_HTTP_PORT": "8080", **environment}, folder=False, serve=False, model=tmp_path)
    found = read_settings({}, {}, said)
    assert (found.predict_route, found.health_route) == routes
