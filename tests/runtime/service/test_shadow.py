"""A candidate answers the same rows afterwards; how often and how far it disagrees is counted, and nobody waits."""

import asyncio
import gzip
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import Model, load
from runtime.service import app, shadow
from runtime.service.endpoint import Asked
from runtime.service.head import Head
from runtime.service.native import predict
from runtime.service.shadow import Disagreement, Shadow, compared, disagreement

from ...stress import oracle
from ...stress.load import loaded as under_load
from ...stress.oracle import promote
from ...stress.service import metric, running, until
from .. import bundles
from ..test_main import serving

BODY = json.dumps(oracle.rows(1, 3)).encode()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of version 1 in production and version 3 in staging."""
    for k, alias in ((1, "production"), (3, "staging")):
        oracle.write(tmp_path / "m", k)
        promote(tmp_path / "m", k, alias)
    return tmp_path / "m"


def test_what_is_answered_is_compared_in_every_dialect(model: Path) -> None:
    words = ("--shadow", "m@staging", "--poll-seconds", "0")
    with running(model.parent, *words) as service:
        client, labels = service.client, {"model": "m", "model_version": "v00001", "shadow_version": "v00003"}
        answer = client.post("/predict", content=BODY)
        assert oracle.wrong(answer.json(), answer.headers["x-model-version"], oracle.rows(1, 3)) is None
        assert answer.json()["model_version"] == "v00001"
        client.post("/predict", content=gzip.compress(BODY), headers={"content-encoding": "gzip"})  # 3 rows each
        client.post("/invocations", json={"dataframe_records": oracle.rows(1, 4)})
        client.post("/v1/models/m:predict", json={"instances": oracle.rows(1, 5)})
        client.post("/predict", json={"x": 1.0, "id": 1.0}, headers={"x-request-timeout-ms": "5000"})
        client.post("/predict", json={"x": 1.0})  # refused: nothing to compare
        client.post("/models/m@staging/predict", content=BODY)  # the candidate itself
        until(lambda: metric(service.admin, "ml_shadow_rows_total", **labels) == 16)
        assert metric(service.admin, "ml_shadow_disagreements_total", **labels) == 16
        assert metric(service.admin, "ml_shadow_difference_count", **labels) == 16
        assert metric(service.admin, "ml_shadow_difference_sum", **labels) == 32  # each is 2 off
        assert metric(service.admin, "ml_shadow_difference_bucket", le="1.0", **labels) == 0
        assert metric(service.admin, "ml_shadow_difference_max", **labels) == 2
        assert metric(service.admin, "ml_shadow_errors_total") == metric(service.admin, "ml_shadow_dropped_total") == 0
        # What the candidate answers here is nobody's: not counted among the predictions.
        assert metric(service.admin, "ml_predictions_total", model_version="v00003") == 3
        # An alias that moves is followed.
        oracle.write(model, 1 + 3)
        promote(model, 4, "staging")
        service.reload()
        client.post("/predict", content=BODY)
        until(lambda: metric(service.admin, "ml_shadow_rows_total", shadow_version="v00004") == 3)
        assert metric(service.admin, "ml_shadow_rows_total", **labels) == 16
        promote(model, 1, "staging")  # the same version: nothing to compare
        service.reload()
        client.post("/predict", content=BODY)
        assert metric(service.admin, "ml_shadow_rows_total") == 19


def test_answers_under_load_are_right_and_everything_is_accounted_for(model: Path) -> None:
    with serving(str(model.parent), "--shadow", "m@staging", "--access-log", "false") as (_, client):
        port = client.base_url.port
        assert port is not None
        with under_load("127.0.0.1", port) as load_:
            until(lambda: len(load_.seen) > 300)
        assert (load_.lost, load_.wrong) == ([], [])
        asked = len(load_.seen)
        until(lambda: metric(client, "ml_shadow_rows_total") / 3 + metric(client, "ml_shadow_dropped_total") == asked)
        assert metric(client, "ml_shadow_disagreements_total") == metric(client, "ml_shadow_rows_total") > 0


def asked(body: bytes = BODY) -> Asked:
    return Asked({}, b"", body, 0.0)


def count(tested: Shadow, name: str) -> float:
    """A counter's sum."""
    return sum(sample.value for family in tested.registry.collect() for sample in family.samples if sample.name == name)


@pytest.fixture
def pair(model: Path) -> tuple[Model, Model]:
    """Version 1 and version 3."""
    return load(model / oracle.name(1)), load(model / oracle.name(3))


def test_one_that_falls_behind_drops_and_counts(pair: tuple[Model, Model], monkeypatch: pytest.MonkeyPatch) -> None:
    tested = Shadow("m", "staging", 1000)
    offer = tested.beside(predict, *pair)
    assert offer is not None
    begun, gate = threading.Event(), threading.Event()

    def stall(*whatever: Any) -> None:
        begun.set()
        gate.wait(20)

    monkeypatch.setattr(tested, "_compare", stall)
    offer(asked())
    assert begun.wait(20)
    for _ in range(shadow.WAITING + 7):
        offer(asked())
    assert count(tested, "ml_shadow_dropped_total") == 7
    gate.set()
    until(lambda: not tested._waiting)
    offer(asked(b" " * (shadow.BYTES + 1)))
    assert count(tested, "ml_shadow_dropped_total") == 8
    tested.close()


def test_nobody_compares_before_the_answer_has_gone_out(pair: tuple[Model, Model]) -> None:
    """One that is made where its request is parsed is written at the end of the event loop's turn."""
    service = app(pair[0], access=None)
    endpoint, seen = service.serving.paths["/predict"], list[Asked]()
    endpoint.after = seen.append

    async def ask() -> list[int]:
        assert endpoint.at_once(Head(b"", [], len(BODY)), BODY).status == 200
        counts = [len(seen)]
        for _ in range(2):
            await asyncio.sleep(0)
            counts.append(len(seen))
        return counts

    assert asyncio.run(ask()) == [0, 0, 1]


def test_a_candidate_that_fails_is_counted_and_told_once(
    pair: tuple[Model, Model], caplog: pytest.LogCaptureFixture
) -> None:
    tested = Shadow("m", "staging", 1000)
    offer = tested.beside(predict, *pair)
    assert offer is not None
    for _ in range(2):
        offer(asked(b'{"x": 1}'))  # a row that this candidate would not take
    until(lambda: count(tested, "ml_shadow_errors_total") == 2)
    assert len([record for record in caplog.records if "could not answer" in record.getMessage()]) == 1
    assert "'x'" not in caplog.text
    assert count(tested, "ml_shadow_rows_total") == 0
    offer(asked())
    until(lambda: count(tested, "ml_shadow_rows_total") == 3)  # it goes on
    tested.close()
    assert tested._thread is not None
    assert not tested._thread.is_alive()


def test_models_that_answer_otherwise(
    tmp_path: Path, pair: tuple[Model, Model], caplog: pytest.LogCaptureFixture
) -> None:
    inputs = bundles.numbers(("x", "id"))
    classifier = load(bundles.classifier(tmp_path / "c", inputs))
    words = load(bundles.classifier(tmp_path / "w", inputs, ("no", "yes")))
    doubled = load(bundles.transformer(tmp_path / "t", inputs))
    assert compared(classifier, classifier) == (("predict", "predict_proba"), None)
    assert compared(classifier, words) == (("predict",), None)  # other classes: their scores are not the same's
    assert compared(doubled, doubled) == (("transform",), None)
    assert compared(*pair) == (("predict",), None)
    tested = Shadow("m", "staging", 1000)
    assert tested.beside(predict, classifier, doubled) is None
    assert "expected two models that answer alike" in caplog.text
    assert tested.beside(predict, classifier, classifier) is None


@pytest.mark.parametrize(
    ("mine", "theirs", "labels", "expected"),
    [
        ([["a", "b", "a"]], [["a", "a", "a"]], True, ([False, True, False], [0, 0, 0])),
        ([[1, 1, 0], np.eye(3)], [[1, 1, 1], np.eye(3) + 0.25], True, ([False, False, True], [0.25] * 3)),
        ([[[1, 0], [1, 1], [0, 0]]], [[[1, 0], [0, 1], [0, 0]]], True, ([False, True, False], [0, 0, 0])),
        (
            [np.array([1.0, np.nan, np.inf])],
            [np.array([1.5, np.nan, np.inf])],
            False,
            ([True, False, False], [0.5, 0, 0]),
        ),
        ([np.array([1.0, 0.0, 2.0])], [np.array([np.nan, -0.0, 2.0])], False, ([True, False, False], [np.inf, 0, 0])),
        ([[np.eye(3), np.zeros((3, 2))]], [[np.eye(3), np.full((3, 2), -3.0)]], False, ([True] * 3, [3.0] * 3)),
    ],
)
def test_disagreement(mine: Any, theirs: Any, labels: bool, expected: tuple[list[bool], list[float]]) -> None:
    found = disagreement(mine, theirs, labels=labels)
    assert isinstance(found, Disagreement)
    assert (found.labels.tolist(), found.scores.tolist()) == expected


def test_labels_of_other_types_disagree() -> None:
    found = disagreement([np.array([1, 0])], [np.array(["1", "0"])], labels=True)
    assert found.labels.tolist() == [True, True]
