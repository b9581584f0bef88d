"""What /metrics says: names, labels and numbers, and that no request can add a series."""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime import Model, load
from runtime.service import app
from runtime.service.front import Front
from runtime.service.metrics import KINDS

from .. import bundles
from ..asgi import get, post
from ..conftest import ROW

V = bundles.VERSION


def scraped(service: Front) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The samples by name and labels."""
    text = get(service, "/metrics").body.decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def sample(service: Front, name: str, **labels: str) -> float:
    """One of them."""
    return scraped(service)[name, tuple(sorted(labels.items()))]


def test_predictions_are_counted_by_class(flights_app: Front) -> None:
    def count(label: str) -> float:
        return sample(flights_app, "ml_predictions_total", model="flights", model_version=V, prediction_class=label)

    assert (count("late"), count("on time")) == (0, 0)
    label = post(flights_app, "/predict", ROW).json()["prediction"]
    assert count(label) == 1
    rows = [ROW, ROW | {"d.e": 9, "flag": False}, ROW]
    labels = [
        answer["prediction"] for answer in post(flights_app, "/models/flights/predict", rows).json()["predictions"]
    ]
    for name in ("late", "on time"):
        assert count(name) == labels.count(name) + (name == label)
    post(flights_app, "/predict", [])
    post(flights_app, "/predict", {})
    assert count("late") + count("on time") == 4


def test_what_has_no_class(every_app: Front) -> None:
    post(every_app, "/models/cost/predict", [{"x": 1, "y": 2}] * 3)
    post(every_app, "/models/costs/predict", {"x": 1, "y": 2})
    post(every_app, "/models/twice/predict", {"x": 1, "y": 2})
    post(every_app, "/models/both/predict", {"x": 1, "y": -2, "z": 0})
    found = {
        (dict(labels)["model"], dict(labels)["prediction_class"]): value
        for (name, labels), value in scraped(every_app).items()
        if name == "ml_predictions_total" and value
    }
    assert found == {
        ("cost", "value"): 3,
        ("costs", "value"): 1,
        ("twice", "output"): 1,
        ("both", "b"): 1,
        ("both", "x"): 1,
    }


def test_latency_is_observed(flights_app: Front) -> None:
    for _ in range(5):
        post(flights_app, "/predict", ROW)
    post(flights_app, "/predict", {})
    assert sample(flights_app, "ml_prediction_latency_seconds_count", model="flights") == 5
    assert 0 < sample(flights_app, "ml_prediction_latency_seconds_sum", model="flights") < 1
    bounds = [
        float(dict(labels)["le"])
        for name, labels in scraped(flights_app)
        if name == "ml_prediction_latency_seconds_bucket"
    ]
    assert min(bounds) <= 50e-6
    assert 0.1 in bounds  # the deployment checklist's P95 limit can be asked for


@pytest.mark.parametrize(
    ("kind", "target", "body", "headers"),
    [
        ("malformed", "/predict", b"{", {}),
        ("range", "/predict", ROW | {"capped": 9}, {}),
        ("invalid", "/predict", {}, {}),
        ("too_large", "/predict", b"{}", {"content-length": str(2**40)}),
        ("media_type", "/predict", ROW, {"content-type": "text/csv"}),
        ("parameter", "/predict?probabilities=1", ROW, {}),
    ],
)
def test_errors_are_counted_by_type(
    flights_app: Front, kind: str, target: str, body: object, headers: dict[str, str]
) -> None:
    assert post(flights_app, target, body, headers=headers).status >= 400
    for each in KINDS:
        assert sample(flights_app, "ml_prediction_errors_total", model="flights", error_type=each) == (each == kind)


def test_wrong_methods_and_bugs_are_counted(
    flights_app: Front, flights: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(flights_app, "/predict")
    assert sample(flights_app, "ml_prediction_errors_total", model="flights", error_type="method") == 1
    monkeypatch.setattr(flights, "answer", lambda *_, **__: 1 / 0)
    service = app(flights)
    post(service, "/predict", ROW)
    assert sample(service, "ml_prediction_errors_total", model="flights", error_type="internal") == 1


def test_features_are_counted(flights_app: Front) -> None:
    post(flights_app, "/predict", ROW | {"carrier": "ZZ", "dep time": 99})
    assert sample(flights_app, "ml_feature_missing_total", model="flights", feature="gap") == 1
    assert sample(flights_app, "ml_feature_unknown_total", model="flights", feature="carrier") == 1
    assert sample(flights_app, "ml_feature_out_of_range_total", model="flights", feature="dep time") == 1
    assert sample(flights_app, "ml_feature_missing_total", model="flights", feature="naïve 航班") == 0
    names = {name for name, labels in scraped(flights_app) if dict(labels).get("feature") == "carrier"}
    assert names == {"ml_feature_missing_total", "ml_feature_unknown_total"}


def test_models_are_told(every_app: Front) -> None:
    found = [dict(labels) for name, labels in scraped(every_app) if name == "ml_model_info"]
    assert {"model": "cost", "model_version": V, "kind": "regressor", "proof_level": "ulp"} in found
    assert len(found) == 5


def test_no_request_adds_a_series(flights_app: Front) -> None:
    before = scraped(flights_app).keys()
    for number in range(50):
        post(flights_app, f"/models/m{number}/predict", {f"f{number}": 1}, headers={"x-request-id": f"r{number}"})
        post(flights_app, f"/predict?x{number}=1", {f"f{number}": number})
        post(flights_app, "/predict", ROW | {"carrier": f"c{number}"})
        get(flights_app, f"/p{number}")
    assert scraped(flights_app).keys() == before


def test_two_services_in_one_process_count_apart(every: dict[str, Model]) -> None:
    first, second = app(every["twice"]), app(every["twice"])
    post(first, "/predict", {"x": 1, "y": 2})
    assert sample(first, "ml_prediction_latency_seconds_count", model="twice") == 1
    assert sample(second, "ml_prediction_latency_seconds_count", model="twice") == 0


def test_the_formats(flights_app: Front) -> None:
    answer = get(flights_app, "/metrics")
    assert answer.headers["content-type"].count("charset") == 1
    assert re.match(r"text/plain; version=0.0.4", answer.headers["content-type"])
    answer = get(flights_app, "/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n")


@pytest.mark.parametrize("accept", ["", "*/*", "nonsense", ";;;", "text/plain;q=x", "a" * 10_000])
def test_any_accept_header_is_answered(flights_app: Front, accept: str) -> None:
    assert get(flights_app, "/metrics", headers={"accept": accept}).status == 200


def test_a_budget_is_exposed_with_bounds_around_it(tmp_path: Path) -> None:
    bundles.classifier(tmp_path / "fast", bundles.numbers(("x",)), budget_p95_us=80.0)
    service = app({"fast": load(tmp_path / "fast")}, access=None)
    post(service, "/models/fast/predict", {"x": 1})
    assert sample(service, "ml_prediction_budget_seconds", model="fast") == 80e-6
    bounds = {dict(labels)["le"] for name, labels in scraped(service) if name == "ml_prediction_latency_seconds_bucket"}
    assert {"4e-05", "6e-05", "8e-05", "0.00012", "0.00016", "0.1", "+Inf"} <= bounds


def test_without_a_budget_there_is_none(flights_app: Front) -> None:
    assert not [name for name, _ in scraped(flights_app) if name == "ml_prediction_budget_seconds"]
