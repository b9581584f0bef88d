"""What is in deploy/ speaks of metrics, paths and users that are there."""

import fnmatch
import io
import json
import logging
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime import Model, load
from runtime.service.catalog import catalog
from runtime.service.logs import Formatter, Line
from runtime.service.metrics import Metrics
from runtime.settings import VARIABLES

from .runtime import bundles

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yaml"
RULE_TESTS = RULES.with_name("alerts.test.yaml")
DASHBOARD = DEPLOY / "grafana" / "dashboard.json"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A classifier with a number and nothing else."""
    folder = tmp_path_factory.mktemp("models") / "small"
    bundles.classifier(folder, bundles.numbers(("x",)))
    return load(folder)


def documents(file: Path) -> list[Any]:
    return list(yaml.safe_load_all(file.read_text()))


def container() -> tuple[dict[str, Any], dict[str, Any]]:
    """The Deployment's pod and its only container."""
    (deployment,) = documents(DEPLOY / "kubernetes" / "deployment.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    return pod, only


@pytest.mark.parametrize("file", sorted(DEPLOY.rglob("*.yaml")), ids=lambda file: str(file.relative_to(DEPLOY)))
def test_every_file_is_yaml(file: Path) -> None:
    """And a Kubernetes object says what it is."""
    found = documents(file)
    assert all(isinstance(document, dict) for document in found)
    if file.parent.name == "kubernetes":
        assert all({"apiVersion", "kind", "metadata", "spec"} <= document.keys() for document in found)


@pytest.mark.parametrize("file", [RULES, DASHBOARD], ids=lambda file: file.name)
def test_every_metric_that_is_asked_for_is_exposed(file: Path, model: Model) -> None:
    """A rule over a metric that nobody writes never fires, and never says so."""
    metrics = Metrics(lambda: catalog(model))
    metrics.meter(model.name, model)
    exposed = set(re.findall(r"^# TYPE (\w+)", metrics.expose("")[0].decode(), re.MULTILINE))
    recorded = {
        rule["record"] for group in documents(RULES)[0]["groups"] for rule in group["rules"] if "record" in rule
    }
    text = file.read_text()
    asked = set(re.findall(r"\bml_\w+", text))
    assert asked
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked} <= exposed
    assert set(re.findall(r"\bml:[\w:]+", text)) <= recorded


def test_every_alert_has_a_test_that_it_fires() -> None:
    """An alert that cannot be shown to fire is no alert."""
    alerts = {rule["alert"] for group in documents(RULES)[0]["groups"] for rule in group["rules"] if "alert" in rule}
    cases = [case for test in documents(RULE_TESTS)[0]["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == alerts


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool, from Debian's package prometheus, is not here")
def test_the_alerts_fire_and_keep_silent() -> None:
    """Prometheus itself says so."""
    done = subprocess.run(["promtool", "test", "rules", RULE_TESTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a file out of a build: the last line that matches it, or a folder that it is in."""
    places = [Path(path), *Path(path).parents[:-1]]
    found = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        names = [place.name if "**/" in line else str(place) for place in places]
        if not line.startswith("#") and any(fnmatch.fnmatchcase(name, pattern) for name in names):
            found = not line.startswith("!")
    return found


def test_the_build_sees_what_it_copies_and_no_secret() -> None:
    """Also where the models are in another folder, as the Dockerfile says they may be."""
    copied = re.findall(r"^COPY (?!--from)(\S+) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert copied == ["requirements-serve.txt", "LICENSE", "runtime", "${MODELS}"]
    for path in (*copied[:2], "runtime/model.py", "build/models/a/1/model.onnx", "released/a/1/model.onnx"):
        assert not ignored(path), path
    for path in (".git/config", ".venv/x", "deploy/keys", "build/flights/pipeline.joblib", "runtime/__pycache__/x.pyc"):
        assert ignored(path), path


def test_the_page_names_every_field_of_a_log_line() -> None:
    text = (DEPLOY / "README.md").read_text()
    told = text[text.index("- **Logs.**") : text.index("- **Updates.**")]
    fields = {
        "event",
        *Line.__struct_fields__,
        *json.loads(Formatter().format(logging.makeLogRecord({"name": "pipetwin"}))),
    }
    assert fields | {"error"} == set(re.findall(r"`([a-z_]+)`", told))


def test_the_pod_runs_as_the_image_does() -> None:
    """The user, the port, the paths of the probes, and time to finish what was accepted."""
    pod, only = container()
    image = (ROOT / "Dockerfile").read_text()
    user = pod["securityContext"]
    assert f"\nUSER {user['runAsUser']}:{user['runAsGroup']}\n" in image
    assert f"PIPETWIN_PORT={only['ports'][0]['containerPort']}\n" in image
    assert only["readinessProbe"]["httpGet"]["path"] in image
    assert only["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert only["securityContext"]["readOnlyRootFilesystem"]
    assert pod["enableServiceLinks"] is False
    assert pod["terminationGracePeriodSeconds"] >= 25 + 4


@pytest.mark.parametrize(
    ("words", "port"),
    [
        (["python", "-m", "runtime"], 8000),
        (["python", "-m", "runtime", "--port", "9001"], 9001),
        (["python", "-m", "runtime", "/models", "--port=9001", "--workers", "2"], 9001),
        (["docker-init", "--", "python", "-m", "runtime", "--http_port=9001"], 9001),
        (["python", "-m", "runtime", "--admin-port", "9001"], 8000),
    ],
)
def test_the_image_asks_for_health_where_it_listens(
    words: list[str], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = (ROOT / "Dockerfile").read_text()
    found = re.search(r"^HEALTHCHECK .*?CMD (\[.*?\])$", image.replace("\\\n", ""), re.MULTILINE)
    assert found is not None
    python, flag, code = json.loads(found[1])
    assert (python, flag) == ("python", "-c")
    asked: list[str] = []
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: asked.append(url))
    monkeypatch.setenv(VARIABLES["port"], "8000")
    opened = {"/proc/1/cmdline": io.StringIO("\0".join([*words, ""]))}
    exec(code, {"open": opened.__getitem__})
    assert asked == [f"http://127.0.0.1:{port}/health/ready"]


def test_keys_are_mounted_where_the_service_looks() -> None:
    """From a Secret that must be there, read only, and not as a subPath, which would never change."""
    pod, only = container()
    (variable,) = (one for one in only["env"] if one["name"] == VARIABLES["keys"])
    (mount,) = only["volumeMounts"]
    (volume,) = pod["volumes"]
    assert mount["name"] == volume["name"]
    assert variable["value"].startswith(mount["mountPath"] + "/")
    assert mount["readOnly"]
    assert "subPath" not in mount
    assert not volume["secret"].get("optional")
    (compose,) = documents(DEPLOY / "compose.keys.yaml")
    service = compose["services"]["pipetwin"]
    assert service["environment"] == {VARIABLES["keys"]: f"/run/secrets/{service['secrets'][0]}"}
    assert service["secrets"][0] in compose["secrets"]


def test_the_dashboard_has_panels_that_do_not_overlap() -> None:
    """Grafana would move them."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)
