"""Default deny, on a real server: every route, by every method, in every way around a key that is known here; and each
fault that such a gate can have makes it red."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime import load
from runtime.keys import key_line
from runtime.service import app, dialects, front, native
from runtime.service.access import Policy, policy_of
from runtime.service.admin import handlers
from runtime.service.dialects.vertex import Vertex
from runtime.service.routing import ModelRoute

from .. import bundles
from ..test_main import DEADLINE, Server
from .bypass import METHODS, Target, attempts, plain, run

KEY, OTHER = "ptw_AbCdEfGh-the-one", "ptw_for-another-model"
ROW = {"x": 1.0, "y": 2.0}
TENSORS = {"inputs": [{"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in ROW.items()]}

WORDS = ("--access-log", "false", "--predict-route", "/vertex", "--health-route", "/vertex")

BODIES: dict[str, Any] = {"infer": TENSORS, ":classify": {"examples": [ROW]}, ":regress": {"examples": [ROW]}}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regressor, which is the default, and a classifier; both have an alias."""
    root = tmp_path_factory.mktemp("models")
    bundles.regressor(root / "default", bundles.numbers(("x", "y")))
    bundles.classifier(root / "sorter", bundles.numbers(("x", "y")), ("a", "b"))
    for name in ("default", "sorter"):
        (root / name / "staging").symlink_to(bundles.VERSION)
    return root


def body(path: str) -> bytes:
    """What the route of this path answers."""
    ending = next((ending for ending in BODIES if path.endswith(ending)), "")
    content = BODIES.get(ending, {"instances": [ROW]} if path.endswith((":predict", "invocations", "vertex")) else ROW)
    return b"" if path.endswith("index") else json.dumps(content).encode()


def table(models: Path) -> list[tuple[str, str, Policy]]:
    """Every route that there is: (method, path, policy)."""
    found = []
    for route in (*native.ROUTES, *dialects.routes(Vertex("/vertex", "/vertex"))):
        name = "sorter" if "classify" in route.path else "default"
        path = route.path.format(name=name, version=bundles.VERSION, label="staging")
        assert isinstance(route, ModelRoute) or "{" not in route.path
        found += [(method, path, policy_of(route.policy, method)) for method in route.methods]
    serving = app({"default": load(models / "default")}, access=None).serving
    for handler in (handler for group in front.GROUPS for handler in group(serving)):
        for path in handler.paths:
            filled = path.replace("{name:str}", "default")
            found += [(str(method), filled, handler.opt["policy"]) for method in handler.http_methods]
    return found


@contextmanager
def started(models: Path, folder: Path, plant: str = "", *words: str) -> Iterator[Server]:
    """A server with keys, after a line of Python has planted a fault in it."""
    file = folder / "keys"
    file.write_text(f"{key_line('one', KEY)}\n{key_line('root', 'ptw_root', admin=True)}\n")
    code = f"import os, sys\n{plant}\nfrom runtime.__main__ import main\nsys.exit(main(sys.argv[1:], os.environ))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(models), "--port", "0", "--keys", str(file), *WORDS, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield Server(process)
    finally:
        process.kill()
        process.communicate()


def port_of(server: Server) -> int:
    return int(server.wait_for("ready on")["message"].split()[2].rstrip(",").rpartition(":")[2])


def opened(port: int, routes: list[tuple[str, str, Policy]]) -> frozenset[bytes]:
    """What open routes answer to everybody; metrics, which change, are looked for by no attempt."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=DEADLINE) as client:
        paths = [(method, path) for method, path, policy in routes if policy is Policy.OPEN and path != "/metrics"]
        found = {client.request(method, path).content for method, path in paths}
    assert b'{"status":"healthy"}' in found
    return frozenset(found)


def test_nothing_that_is_protected_is_answered_without_its_key(models: Path, tmp_path: Path) -> None:
    routes = table(models)
    targets = [Target(method, path, body(path)) for method, path, policy in routes if policy is not Policy.OPEN]
    assert len(targets) >= 35
    with started(models, tmp_path) as server:
        port = port_of(server)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=DEADLINE) as client:
            for method, path, content in targets:  # each would be answered: it is the gate that keeps them out
                answer = client.request(method, path, content=content, headers={"authorization": f"Bearer {KEY}"})
                wanted = 404 if path.endswith(":explain") else 200  # KServe's explainers: none is here
                assert answer.status_code == wanted, (method, path, answer.text)
                assert client.request(method, path, content=content).status_code == 401
        tried = list(attempts(targets, "/health", KEY))
        assert len({attempt.form for attempt in tried}) >= 40
        assert {attempt.target.method for attempt in tried} == set(METHODS)
        assert len(tried) >= 10_000
        answered, let_in = asyncio.run(run(port, tried, opened(port, routes)))
        assert let_in == []
        assert answered >= len(tried) * 0.95  # a few forms end their connection, and what stands behind them
        assert server.process.poll() is None


FAULTS = {
    "a route left open": """
from runtime.service.access import Policy
from runtime.service.dialects import oip
oip.ROUTES = tuple(r._replace(policy=Policy.OPEN) if r.path == "/v2/models" else r for r in oip.ROUTES)""",
    "a page left open": """
from runtime.service import pages
guard = pages.guard
pages.guard = lambda serving: (lambda c, h: None if str(c.scope["path"]) == "/schema" else guard(serving)(c, h))""",
    "the path decides, not the route": """
from runtime.service import access
admit = access.Guarded.__call__
async def call(self, scope, receive, send):
    if scope["path"].startswith("//"):
        return await self._behind(None)(scope, receive, send)
    return await admit(self, scope, receive, send)
access.Guarded.__call__ = call""",
    "a header is believed": """
from runtime.service.access import Gate
admit = Gate.admit
Gate.admit = lambda self, headers, *rest: (
    self.keys[0] if (b"x-forwarded-for", b"127.0.0.1") in headers else admit(self, headers, *rest))""",
    "the start of a key will do": """
import runtime.service.access as access
access.whose = lambda keys, sent: keys[0] if b"ptw_AbCdEfGh-the-one".startswith(sent) else None""",
    "the hash of a key will do": """
import runtime.service.access as access
access.whose = lambda keys, sent: next((key for key in keys if key.digest.hex().encode() == sent), None)""",
    "the last of several keys counts": """
from runtime.service.access import Gate
known = Gate.known
Gate.known = lambda self, headers: known(self, dict(headers).items())""",
    "other methods are open": """
from runtime.service import access
access.policy_of = lambda policies, method: access.Policy.OPEN if method == "HEAD" else policies
import runtime.service.endpoint as endpoint
init = endpoint.Endpoint.__init__
def made(self, route, operations, *rest):
    init(self, route, {**operations, "HEAD": next(iter(operations.values()))} if operations else operations, *rest)
endpoint.Endpoint.__init__ = made""",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_gate_with_a_fault_is_found_out(models: Path, tmp_path: Path, fault: str) -> None:
    routes = table(models)
    paths = ("/v2/models", "/schema", "/predict")
    targets = [Target(method, path, body(path)) for method, path, _ in routes if path in paths]
    with started(models, tmp_path, FAULTS[fault]) as server:
        port = port_of(server)
        _, let_in = asyncio.run(run(port, attempts(targets, "/health", KEY), opened(port, routes)))
        assert let_in


def test_nor_on_the_admin_address(models: Path, tmp_path: Path) -> None:
    targets = []
    nobody: Any = None
    for handler in handlers(nobody, nobody):
        for path in handler.paths if handler.opt["policy"] is not Policy.OPEN else ():
            filled = path.replace("{name:str}", "sorter")
            targets += [Target(str(method), filled, b"") for method in handler.http_methods if str(method) != "OPTIONS"]
    assert len(targets) == 5
    with started(models, tmp_path, "", "--admin-port", "0") as server:
        admin = int(server.wait_for("admin on")["message"].rpartition(":")[2])
        port_of(server)
        with httpx.Client(base_url=f"http://127.0.0.1:{admin}", trust_env=False, timeout=60) as client:
            healthy = client.get("/health").content
            for method, path, _ in targets:
                assert client.request(method, path, headers={"x-api-key": "ptw_root"}).status_code == 200
                assert client.request(method, path, headers={"x-api-key": KEY}).status_code == 403
        tried = list(attempts(targets, "/health", "ptw_root"))
        _, let_in = asyncio.run(run(admin, tried, frozenset({healthy})))
        assert let_in == []


def test_a_request_in_order_is_in_order() -> None:
    assert (
        plain(Target("GET", "/x", b"ab"), "A: b")
        == b"GET /x HTTP/1.1\r\nHost: x\r\nA: b\r\nContent-Length: 2\r\n\r\nab"
    )
