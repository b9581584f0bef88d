"""Requests that schemathesis makes of the service's own OpenAPI, good and bad: none may be answered with 5xx."""

import http.client
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from runtime.manifest import Feature

from ..runtime import bundles
from ..runtime.test_main import DEADLINE, serving
from .result import Result

__all__ = ["Asked", "asked", "faults", "run"]

INPUTS = (
    Feature("x", "number", 0, missing=True, seen=(-1.0, 1.0)),
    Feature("carrier", "category", 1, categories=("AA", "UA"), unknown=False),
    Feature("flag", "boolean", 2),
)

BASE = "http://service"

CLIENTS = 8

BATCH = 200
"""Cases that are made from one seed: hypothesis keeps what it has made, and takes longer over each further one."""

FAIR = 0.5
"""The part of an equal share of the requests that every group of paths has at least."""

SHARE = 0.1
"""So many of the requests are answered as good ones, and so many as bad ones, at least."""


class Asked(NamedTuple):
    """One request and the status that it was answered with."""

    method: str
    target: str
    body: bytes
    status: int


class _Request(NamedTuple):
    method: str
    target: str
    body: bytes
    headers: dict[str, str]


def run(count: int, folder: Path) -> Result:
    """So many requests, half of them good."""
    bundles.classifier(folder / "m", INPUTS, ("late", "on time"))
    with serving(str(folder), "--access-log", "false") as (_, client):
        assert client.base_url.port is not None
        seen = asked(client.get("/schema").json(), client.base_url.port, count)
    figures = {"requests": float(len(seen)), "answered 200": float(sum(one.status == 200 for one in seen))}
    return Result(count, faults(seen, count), figures)


def asked(document: dict[str, Any], port: int, count: int) -> list[Asked]:
    """Every operation of an OpenAPI document, asked by all its paths; so many requests, or a few more."""
    text = json.dumps(document)
    jobs = [(text, "get", place, GenerationMode.POSITIVE, 20, 0) for place in range(len(_groups(text, "get")))]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as makers:
        made = [one for part in makers.map(_made, *zip(*jobs, strict=True)) for one in part]
        posts = _groups(text, "post")
        left, jobs = count - len(made), []
        # The largest group's cases are the cheapest, for each is asked of all its paths; every other has its share.
        fair = round(left * FAIR / len(posts))
        largest = max(range(len(posts)), key=lambda place: len(posts[place]))
        for place, group in enumerate(posts):
            requests_of = left - fair * (len(posts) - 1) if place == largest else fair
            share = -(-requests_of // (2 * len(group)))
            jobs += [
                (text, "post", place, mode, min(BATCH, share - start), start)
                for start in range(0, share, BATCH)
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
            ]
        made += [one for part in makers.map(_made, *zip(*jobs, strict=True)) for one in part]
    with ThreadPoolExecutor(CLIENTS) as clients:
        parts = clients.map(partial(_sent, port), (made[start::CLIENTS] for start in range(CLIENTS)))
        return [one for part in parts for one in part]


@cache
def _groups(document: str, method: str) -> list[list[Any]]:
    """Operations that take the same: what is made for the first of a group is asked of all."""
    found = schemathesis.openapi.from_dict(json.loads(document)).get_all_operations()
    groups: dict[str, list[Any]] = {}
    for operation in (one.ok() for one in found if isinstance(one, Ok)):
        if operation.method == method:
            raw = operation.definition.raw
            takes = json.dumps([raw.get("requestBody", operation.path), raw.get("parameters")], sort_keys=True)
            groups.setdefault(takes, []).append(operation)
    return list(groups.values())


def _made(document: str, method: str, place: int, mode: GenerationMode, cases: int, number: int) -> list[_Request]:
    """So many cases, or as many as there are, for every path of a group; by a process that may be one of several.

    place: of the group. number: of the seed.
    """
    group = _groups(document, method)[place]
    made: list[_Request] = []

    @seed(number)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(group[0].as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        prepared = requests.Request(**case.as_transport_kwargs(base_url=BASE)).prepare()
        body = prepared.body or b""
        text = body.encode() if isinstance(body, str) else bytes(body)  # type: ignore[arg-type]  # it streams nothing
        headers = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in prepared.headers.items()
        }
        method, target = str(prepared.method), str(prepared.url).removeprefix(BASE)
        for operation in group:
            other = target if operation is group[0] else target.replace(group[0].path, operation.path, 1)
            made.append(_Request(method, other, text, headers))

    one()
    return made


def _sent(port: int, made: Sequence[_Request]) -> list[Asked]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    seen = []
    for method, target, body, headers in made:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        answer.read()
        seen.append(Asked(method, target, body, answer.status))
    connection.close()
    return seen


def faults(seen: Sequence[Asked], count: int) -> list[str]:
    """What must not be."""
    found = [
        f"{one.method} {one.target} with {one.body[:200]!r} was answered with {one.status}"
        for one in seen
        if one.status >= 500
    ]
    if len(seen) < count:
        found.append(f"expected {count} requests, made {len(seen)}")
    for kind, wanted in (("good", {200}), ("bad", {400, 422})):
        share = sum(one.status in wanted for one in seen if one.method == "POST") / (len(seen) or 1)
        if share < SHARE:
            found.append(f"{share:.0%} of the requests were {kind} ones, expected {SHARE:.0%}: too little was tried")
    return found
