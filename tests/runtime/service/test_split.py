"""Requests are divided among aliases by weight, and the same client is answered by the same version."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.service.endpoint import Endpoint
from runtime.service.exchange import Shared
from runtime.service.logs import to_logging
from runtime.service.native import ROUTES
from runtime.service.reload import start
from runtime.service.serving import Serving
from runtime.service.split import Divided, Split

from ...stress import oracle
from ...stress.oracle import promote
from ...stress.service import metric, running
from ..test_main import refused, serving

ALIASES = ("production", "staging", "canary", "other")


@st.composite
def weights(drawn: st.DrawFn) -> list[tuple[str, int]]:
    """Shares of two to four aliases that add up to 100; some may be 0."""
    cuts = sorted(drawn(st.lists(st.integers(0, 100), min_size=1, max_size=3)))
    shares = [end - begin for begin, end in zip([0, *cuts], [*cuts, 100], strict=True)]
    return list(zip(ALIASES, shares, strict=False))


def arms(split: Split, count: int) -> Counter[str]:
    """Who answers that many requests without the header."""
    path = Divided(split, "m", None, {})
    return Counter(split(path._point([])) for _ in range(count))


@given(weights())
def test_requests_without_the_header_are_dealt_out_by_weight(shares: list[tuple[str, int]]) -> None:
    found = arms(Split(shares, b"x-session-id"), 1000)
    for alias, share in shares:
        assert abs(found[alias] - 10 * share) <= 5
        assert (found[alias] > 0) == (share > 0)


@given(weights())
def test_values_of_the_header_are_spread_by_weight(shares: list[tuple[str, int]]) -> None:
    split = Split(shares, b"x-session-id")
    found = Counter(split(split.point("m", b"user-%d" % number)) for number in range(2000))
    for alias, share in shares:
        # Five standard deviations of the binomial distribution, at most.
        assert abs(found[alias] - 20 * share) <= 5 * (2000 * share / 100 * (1 - share / 100)) ** 0.5 + 1e-9


@given(st.binary(max_size=40), st.integers(0, 99))
def test_a_share_that_grows_takes_only_what_it_must(value: bytes, share: int) -> None:
    before, after = (Split([("a", 100 - part), ("b", part)], b"h") for part in (share, share + 1))
    point = Split.point("m", value)
    assert (before(point), after(point)) in {("a", "a"), ("a", "b"), ("b", "b")}


def test_the_same_in_every_process() -> None:
    words = "from runtime.service.split import Split; print([Split.point('m', b'%d' % n) for n in range(50)])"
    found = {
        subprocess.run(
            [sys.executable, "-c", words], check=True, capture_output=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {f"{[Split.point('m', b'%d' % n) for n in range(50)]}\n".encode()}
    assert Split.point("m", b"1") != Split.point("other", b"1")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of version 1 in production and version 2 in staging."""
    for k, alias in ((1, "production"), (2, "staging")):
        oracle.write(tmp_path / "m", k)
        promote(tmp_path / "m", k, alias)
    return tmp_path / "m"


def test_a_service_is_divided_and_sticky_across_workers(model: Path) -> None:
    words = ("--split", "production=70,staging=30", "--split-header", "X-User", "--poll-seconds", "0")
    versions = {"production": oracle.name(1), "staging": oracle.name(2)}
    split = Split([("production", 70), ("staging", 30)], b"x-user")
    rows = oracle.rows(1, 3)
    with running(model.parent, *words) as service:
        found: Counter[str] = Counter()
        for number in range(40):
            # Each connection is some worker's; the user is answered by the same version whoever it is.
            with httpx.Client(base_url=service.client.base_url, trust_env=False) as client:
                user = {"x-user": f"u{number // 2}"}
                answer = client.post("/predict", json=rows, headers=user)
                assert oracle.wrong(answer.json(), answer.headers["x-model-version"], rows) is None
                wanted = versions[split(split.point("m", b"u%d" % (number // 2)))]
                assert answer.json()["model_version"] == wanted
                infer = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}] * 1}
                infer["inputs"].append({"name": "id", "shape": [1], "datatype": "FP64", "data": [1]})
                assert client.post("/v2/models/m/infer", json=infer, headers=user).json()["model_version"] == wanted
                found[client.post("/models/m/predict", json=rows).json()["model_version"]] += 1
        assert set(found) == set(versions.values())
        # Who asks for a version or an alias gets that.
        for path, version in (
            (f"/models/m/versions/{oracle.name(1)}/predict", oracle.name(1)),
            ("/models/m@staging/predict", oracle.name(2)),
        ):
            for number in range(10):
                answer = service.client.post(path, json=rows, headers={"x-user": str(number)})
                assert answer.json()["model_version"] == version
        # The counters tell the versions apart.
        for version in versions.values():
            assert metric(service.client, "ml_predictions_total", model_version=version) > 0
        # An alias that moves takes its share along.
        oracle.write(model, 3)
        promote(model, 3, "staging")
        service.reload()
        seen = {service.client.post("/predict", json=rows).json()["model_version"] for _ in range(20)}
        assert seen == {oracle.name(1), oracle.name(3)}


def test_a_model_without_the_aliases_is_served_whole(model: Path) -> None:
    oracle.write(model.parent / "other", 5)
    with serving(str(model.parent), "--split", "production=0,staging=100") as (_, client):
        assert client.post("/models/m/predict", json=oracle.rows(1, 1)).json()["model_version"] == oracle.name(2)
        assert client.post("/models/other/predict", json=oracle.rows(1, 1)).json()["model_version"] == oracle.name(5)
        assert client.get("/v2/models/m/versions/v00001").status_code == 200


@pytest.mark.parametrize("workers", ["1", "2"])
def test_aliases_that_are_not_there(model: Path, workers: str) -> None:
    words = (str(model.parent), "--port", "0", "--workers", workers)
    sentence = refused(*words, "--split", "production=95,nobody=5")
    assert sentence == (
        "expected a model with the aliases nobody, production, as --split says, found none: promote versions to them"
    )
    assert "expected m@nobody to serve, as --shadow says" in refused(*words, "--shadow", "m@nobody")


def test_nothing_is_in_the_way_where_nothing_is_divided(model: Path) -> None:
    _, catalog = start(str(model.parent))
    whole = Serving(catalog, Shared(1000, to_logging), ROUTES)
    assert {type(path) for path in whole.paths.values()} == {Endpoint}
    divided = Serving(catalog, Shared(1000, to_logging, split=Split([("production", 100)], b"h")), ROUTES)
    assert {type(path) for path in divided.paths.values()} == {Endpoint, Divided}
