"""What of uvicorn's insides is extended here is there; else one sentence says what to look at."""

import asyncio
import re
import tomllib
from pathlib import Path
from typing import Any

import httptools
import pytest
import uvicorn
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.server import Server, ServerState
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from runtime import Model
from runtime.service.front import app

from .test_direct import Connection, request

ROOT = Path(__file__).parents[3]

EXTENDED: tuple[tuple[type, str], ...] = (
    (
        httptools_impl.HttpToolsProtocol,
        "connection_made connection_lost data_received on_message_begin on_headers_complete on_body "
        "on_message_complete on_response_complete _start_asgi_task send_400_response timeout_keep_alive_handler "
        "pause_writing",
    ),
    (FlowControl, "pause_reading resume_reading"),
    (
        httptools.HttpRequestParser,
        "feed_data get_method get_http_version should_keep_alive should_upgrade",
    ),
    (Server, "startup shutdown handle_exit on_tick run"),
    (
        Multiprocess,
        "run init_processes keep_subprocess_alive terminate_all join_all restart_all handle_ttin handle_ttou",
    ),
    (Process, "start is_alive terminate kill join"),
)
"""Classes, and their methods that are overridden or called."""

READ: dict[str, str] = {
    "protocol": "app cycle config connections expect_100_continue flow headers loop parser pipeline root_path scope "
    "server_state tasks timeout_keep_alive timeout_keep_alive_task transport url",
    "protocol.flow": "write_paused",
    "protocol.server_state": "connections default_headers tasks total_requests",
    "protocol.cycle": "keep_alive more_body response_complete response_started",
}
"""What is read of a connection that has had a request answered uvicorn's way."""


def missing(where: str, name: str) -> str:
    """What to do about a name that is gone."""
    return (
        f"expected {where}.{name} in uvicorn {uvicorn.__version__}, found none: see what in runtime/service "
        "extends it, and keep pyproject.toml below this version until that is mended"
    )


@pytest.mark.parametrize(("extended", "names"), EXTENDED)
def test_methods(extended: type, names: str) -> None:
    for name in names.split():
        assert callable(getattr(extended, name, None)), missing(extended.__name__, name)


def test_attributes(every: dict[str, Model]) -> None:
    async def ask() -> None:
        connection = Connection(app(every["twice"], access=None))
        connection.protocol.data_received(request() * 2)
        await asyncio.wait(connection.protocol.tasks)
        for path, names in READ.items():
            found: Any = {"protocol": connection.protocol}
            for part in path.split("."):
                found = found[part] if isinstance(found, dict) else getattr(found, part)
            for name in names.split():
                assert hasattr(found, name), missing(path, name)

    asyncio.run(ask())


def test_status_lines() -> None:
    assert httptools_impl.STATUS_LINE[200] == b"HTTP/1.1 200 OK\r\n", missing("httptools_impl", "STATUS_LINE")


def test_the_server_keeps_its_signals_and_state() -> None:
    server = Server(uvicorn.Config(lambda: None))
    for name in ("_captured_signals", "force_exit", "should_exit", "started", "server_state"):
        assert hasattr(server, name), missing("Server", name)
    assert isinstance(server.server_state, ServerState)


def test_a_name_that_is_gone_is_said() -> None:
    class Gone:
        pass

    with pytest.raises(AssertionError, match=r"expected Gone\.on_body in uvicorn [\d.]+, found none: see what"):
        test_methods(Gone, "on_body")


def test_newer_ones_are_not_taken_unseen() -> None:
    """The bound in pyproject.toml is just above the version that these tests have seen."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["serve"]
    (bound,) = [one for one in extras if re.match(r"uvicorn\b", one)]
    below = re.search(r"<(\d+)\.(\d+)", bound)
    assert below is not None, f"expected an upper bound, found {bound!r}"
    seen = tuple(map(int, uvicorn.__version__.split(".")[:2]))
    assert seen < tuple(map(int, below.groups())), f"expected uvicorn {bound}, found {uvicorn.__version__}"
