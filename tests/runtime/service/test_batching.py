"""Requests that come while the threads are at work are answered together, each as if it had been alone."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime import load
from runtime.cost import Cost
from runtime.service import app, deadline, joinable
from runtime.service.catalog import Catalog
from runtime.service.front import Front
from runtime.service.joinable import alike, joined_bytes
from runtime.service.limits import GONE

from ...stress import oracle
from ...stress.overload import slow
from ...stress.service import metric
from .. import bundles
from ..asgi import Answer, exchange, problem
from ..test_main import serving
from .held import COST, Held, batching, said, together

PROVEN: Any = {"batches": (1, 2, 51, 129)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models whose answers do not depend on what they are in one run with."""
    root = tmp_path_factory.mktemp("alike")
    oracle.write(root / "m", 1, **PROVEN)
    oracle.write(root / "m", 2, **PROVEN)
    bundles.several(root / "both", bundles.numbers(("x", "y", "z")), **PROVEN)
    return root


# --- the same answers ------------------------------------------------------------------------------------------------

_numbers = st.floats(-1e6, 1e6).map(lambda number: number + 0.0)
_rows = st.lists(st.fixed_dictionaries({"x": _numbers, "y": _numbers, "z": _numbers}), max_size=4)


@st.composite
def _request(draw: st.DrawFn) -> tuple[str, bytes]:
    """(path, body) in any dialect, some of them wrong."""
    rows = draw(_rows)
    table = [[row["x"], row["y"], row["z"]] for row in rows]
    inputs = [{"name": n, "shape": [len(rows)], "datatype": "FP64", "data": [r[n] for r in rows]} for n in "zxy"]
    forms: list[tuple[str, Any]] = [
        ("/predict", rows),
        ("/predict", rows[0] if rows else {}),
        ("/predict?probabilities=true", rows),
        ("/models/both/predict", [{**row, "x": None} for row in rows]),
        ("/v1/models/both:predict", {"instances": rows or table}),
        ("/v1/models/both:predict", {"inputs": {"x": [1.0], "y": [-2.0], "z": [0.5]}}),
        ("/v2/models/both/infer", {"inputs": inputs}),
        ("/v2/models/both/infer", {"inputs": inputs, "outputs": [{"name": "predict"}]}),
        ("/invocations", {"dataframe_split": {"columns": ["x", "y", "z"], "data": table}}),
        ("/invocations", table),
        ("/predict", "no row"),
    ]
    path, body = draw(st.sampled_from(forms))
    return path, json.dumps(body).encode()


@settings(max_examples=60, deadline=None)
@given(asked=st.lists(_request(), min_size=2, max_size=9), most=st.integers(1, 9))
def test_each_is_answered_as_if_it_were_alone(folder: Path, asked: list[tuple[str, bytes]], most: int) -> None:
    alone, joined = load(folder / "both"), load(folder / "both")
    held = Held(joined)
    service, plain = batching(joined, most), app(alone, access=None)
    expected = [asyncio.run(exchange(plain, "POST", *one)) for one in asked]
    found = together(service, held, asked)
    assert list(map(said, found)) == list(map(said, expected))
    assert joined.drift.counts() == alone.drift.counts()
    counted, wanted = (_counted(one) for one in (service, plain))
    assert counted == wanted
    largest = max((len(json.loads(body)) for _, body in asked if isinstance(json.loads(body), list)), default=1)
    assert max(held.runs, default=0) <= max(most, largest, 4)


def _counted(service: Front) -> list[str]:
    text = service.serving.metrics.expose("")[0].decode()
    kinds = ("ml_predictions_total{", "ml_prediction_latency_seconds_count{", "ml_prediction_errors_total{")
    return sorted(line for line in text.splitlines() if line.startswith(kinds))


def test_an_idle_model_is_run_at_once_and_those_who_come_meanwhile_go_next(folder: Path) -> None:
    model = load(folder / "m" / oracle.name(2))
    held = Held(model)
    service = batching(model, 8)
    for k in range(3):
        body = json.dumps(oracle.rows(k, 1)[0]).encode()
        assert asyncio.run(exchange(service, "POST", "/predict", body)).json()["prediction"] == [7 * k + 2, k]
    assert held.runs == [1, 1, 1]
    asked = [("/predict", json.dumps(oracle.rows(10 * k, 1 + k % 3)).encode()) for k in range(9)]
    answers = together(service, held, asked)
    for k, answer in enumerate(answers):
        wrong = oracle.wrong(answer.json(), answer.headers["x-model-version"], oracle.rows(10 * k, 1 + k % 3))
        assert wrong is None
    assert held.runs[3:] == [1, 2 + 3 + 1 + 2, 3 + 1 + 2, 3]
    text = service.serving.metrics.expose("")[0].decode()
    assert 'ml_batch_rows_count{model="m"} 7.0' in text
    assert 'ml_batch_rows_sum{model="m"} 21.0' in text
    assert 'ml_model_inline{model="m"} 0.0' in text


# --- whoever is not answered -----------------------------------------------------------------------------------------


def _bodies(count: int) -> list[tuple[str, bytes]]:
    return [("/predict", json.dumps(oracle.rows(k, 1)[0]).encode()) for k in range(count)]


def test_a_run_that_fails_is_tried_one_by_one(folder: Path) -> None:
    model = load(folder / "m" / oracle.name(2))
    held = Held(model)
    held.fails = lambda matrix: bool((matrix[:, 1] == 3).any())
    answers = together(batching(model, 8), held, _bodies(6))
    assert [answer.status for answer in answers] == [200, 200, 200, 500, 200, 200]
    for k, answer in enumerate(answers):
        if k != 3:
            assert answer.json()["prediction"] == [7 * k + 2, k]
    assert held.runs == [1, 5, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("parameters", [{}, {"timeout": 1_000_000}])
def test_who_is_too_late_is_not_run(folder: Path, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, int]) -> None:
    model = load(folder / "m" / oracle.name(2))
    held = Held(model)
    service = batching(model, 8)
    path, late = "/predict", json.dumps(oracle.rows(1, 1)[0]).encode()
    if parameters:
        inputs = [{"name": n, "shape": [1], "datatype": "FP64", "data": [1.0]} for n in ("x", "id")]
        path, late = "/v2/models/m/infer", json.dumps({"parameters": parameters, "inputs": inputs}).encode()

    async def ask() -> list[Answer]:
        held.may.clear()
        first = asyncio.ensure_future(exchange(service, "POST", *_bodies(1)[0]))
        while not held.begun.is_set():
            await asyncio.sleep(0.001)
        headers = {} if parameters else {"x-request-timeout-ms": "1000"}
        second = asyncio.ensure_future(exchange(service, "POST", path, late, headers=headers))
        third = asyncio.ensure_future(exchange(service, "POST", *_bodies(1)[0]))
        await asyncio.sleep(0)
        now = perf_counter()
        monkeypatch.setattr(deadline, "perf_counter", lambda: now + 1)
        held.may.set()
        return [await first, await second, await third]

    answers = asyncio.run(ask())
    assert [answer.status for answer in answers] == [200, 503, 200]
    assert b"expected to begin within the request's timeout, found that it had passed" in answers[1].body
    assert held.runs == [1, 1]


def test_who_has_gone_is_not_run(folder: Path) -> None:
    model = load(folder / "m" / oracle.name(2))
    held = Held(model)
    answers = together(batching(model, 8), held, _bodies(4), extensions={GONE: lambda: True})
    assert [answer.status for answer in answers] == [200, 0, 0, 0]
    assert held.runs == [1]


def test_whatever_goes_wrong_everybody_is_answered(folder: Path) -> None:
    def fail() -> bool:
        raise ValueError("nobody knows")

    held = Held(model := load(folder / "m" / oracle.name(2)))
    answers = together(batching(model, 8), held, _bodies(4), extensions={GONE: fail})
    assert [answer.status for answer in answers] == [200, 500, 500, 500]
    assert held.runs == [1]


def test_who_is_cancelled_is_not_run_and_makes_room(folder: Path) -> None:
    model = load(folder / "m" / oracle.name(2))
    held = Held(model)
    service = batching(model, 8, queue=2)

    async def ask() -> list[Answer]:
        held.may.clear()
        tasks = [asyncio.ensure_future(exchange(service, "POST", *one)) for one in _bodies(3)]
        while not held.begun.is_set():
            await asyncio.sleep(0.001)
        tasks[1].cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert service.serving.shared.pool.held == 2
        held.may.set()
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        return [await tasks[0], await tasks[2]]

    assert [answer.json()["prediction"][1] for answer in asyncio.run(ask())] == [0, 2]
    assert held.runs == [1, 1]


def test_the_queue_counts_requests(folder: Path) -> None:
    model = load(folder / "m" / oracle.name(2))
    held = Held(model)
    answers = together(batching(model, 100, queue=3), held, _bodies(9))
    assert [answer.status for answer in answers] == [200] * 4 + [503] * 5
    for answer in answers[4:]:
        assert answer.headers["retry-after"] == "1"
        assert problem(answer)["detail"].startswith("expected at most 4 long requests at once, found more")
    assert held.runs == [1, 3]


def test_a_batch_is_answered_by_the_version_that_it_came_to(folder: Path) -> None:
    first, second = load(folder / "m" / oracle.name(1)), load(folder / "m" / oracle.name(2))
    held, other = Held(first), Held(second)
    service = batching(Catalog({"m": first}), 8)

    async def ask() -> list[Answer]:
        held.may.clear()
        tasks = [asyncio.ensure_future(exchange(service, "POST", *one)) for one in _bodies(4)]
        while not held.begun.is_set():
            await asyncio.sleep(0.001)
        service.serving.serve(Catalog({"m": second}))
        tasks += [asyncio.ensure_future(exchange(service, "POST", *one)) for one in _bodies(3)]
        await asyncio.sleep(0)
        settled = asyncio.ensure_future(service.serving.shared.pool.settled())
        await asyncio.sleep(0)
        assert not settled.done()  # nobody may say yet that the first answers no more
        held.may.set()
        await settled
        return await asyncio.gather(*tasks)

    answers = [answer.json() for answer in asyncio.run(ask())]
    assert [answer["model_version"] for answer in answers] == [oracle.name(1)] * 4 + [oracle.name(2)] * 3
    assert [answer["prediction"][0] for answer in answers] == [1, 8, 15, 22, 2, 9, 16]
    assert (held.runs, other.runs) == ([1, 3], [3])


# --- which models ----------------------------------------------------------------------------------------------------


def test_what_was_not_proven_alike_is_not_joined(folder: Path, tmp_path: Path) -> None:
    rows = bundles.canary(oracle.INPUTS)
    assert alike(load(folder / "both")) == {"label", "p0", "p1"}
    never = load(oracle.write(tmp_path / "alone", 1))  # proven at one row a run only
    assert alike(never) == frozenset()
    model = load(bundles.classifier(tmp_path / "ulp", bundles.numbers(("x", "id")), **PROVEN))
    proof, found = model.proof, model.proof.outputs
    assert alike(model) == {"label", "proba"}
    other = msgspec.structs.replace(found["predict_proba"], identical=len(rows) - 1)
    model.proof = msgspec.structs.replace(proof, outputs={**found, "predict_proba": other})
    assert alike(model) == frozenset()  # the label is made of the score
    model.proof, model.manifest = proof, msgspec.structs.replace(model.manifest, whole=True)
    assert alike(model) == frozenset()  # batch was compared with batch


def test_an_output_that_was_not_proven_alike_is_run_by_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(folder / "m" / oracle.name(2))
    held = Held(model)
    monkeypatch.setattr("runtime.service.batching.alike", lambda model: frozenset({"another"}))
    together(batching(model, 8), held, _bodies(5))
    assert held.runs == [1] * 5


def test_which_bodies_are_joined(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(folder / "m" / oracle.name(2))
    monkeypatch.setattr(joinable, "hop_seconds", lambda: 100e-6)
    for cost, most in (
        (Cost(50e-6, 60e-6, 50e-6, 50), -1),  # the event loop runs it
        (Cost(51e-6, 61e-6, 50e-6, 50), 400),
        (Cost(51e-6, 150e-6, 50e-6, 50), 400),
        (Cost(51e-6, 152e-6, 50e-6, 50), -1),  # the event loop would do nothing but decode
        (Cost(20e-3, 21e-3, 20e-3, 50), 400),  # nothing can be told of so small a difference
    ):
        model.cost = cost
        assert joined_bytes(model) == most


def test_a_large_body_is_answered_by_itself(folder: Path) -> None:
    model = load(folder / "m" / oracle.name(2))
    held = Held(model)
    model.cost = COST._replace(size=100)
    bodies = [json.dumps(oracle.rows(k, rows)).encode() for k, rows in enumerate((1, 3, 60, 3))]
    assert [len(body) > 800 for body in bodies] == [False, False, True, False]
    together(batching(model, 1000), held, [("/predict", body) for body in bodies])
    assert held.runs == [1, 6, 60]


def test_without_the_setting_nothing_is_joined(folder: Path) -> None:
    model = load(folder / "m" / oracle.name(2))
    held = Held(model)
    service = batching(model, 0)
    together(service, held, [("/predict", json.dumps(oracle.rows(k, 2)).encode()) for k in range(4)])
    assert held.runs == [2] * 4
    assert b"ml_batch_rows" not in service.serving.metrics.expose("")[0]


# --- a real server ---------------------------------------------------------------------------------------------------


def test_a_real_server_answers_many_clients_together(tmp_path: Path) -> None:
    slow(tmp_path, **PROVEN)
    words = ("--batch-rows", "8", "--threads", "1", "--queue", "100", "--access-log", "false")
    with serving(str(tmp_path), *words) as (_, client), ThreadPoolExecutor(16) as clients:

        def ask(k: int) -> str | None:
            rows = oracle.rows(100 * k, 1 + k % 3)
            answer = client.post("/predict", json=rows)
            assert answer.status_code == 200, answer.text
            return oracle.wrong(answer.json(), answer.headers["x-model-version"], rows)

        assert list(clients.map(ask, range(64))) == [None] * 64
        rows = sum(1 + k % 3 for k in range(64))
        assert metric(client, "ml_predictions_total", model="slow") == rows
        assert metric(client, "ml_batch_rows_sum", model="slow") == rows
        assert metric(client, "ml_batch_rows_count", model="slow") < 64 / 2
        assert metric(client, "ml_batch_rows_bucket", model="slow", le="8.0") == metric(
            client, "ml_batch_rows_count", model="slow"
        )
        assert client.get("/models/slow").json()["execution"]["inline"] is False
