"""Whatever is put into requests and records, one record is one line of JSON, and neither log nor answers hold secrets,
values, folders or tracebacks."""

import asyncio
import itertools
import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.keys import key_line
from runtime.service.logs import Formatter, Writer

from .. import bundles
from ..test_main import serving
from .bypass import Target, exchange, plain

SECRET = "s3cr3t-Q7"
TEXTS = st.text(st.characters(), max_size=60) | st.sampled_from(
    [
        "\n",
        "\r\n",
        "\x0b",
        "\x1b[2J",
        "\x7f",
        "\x85",
        "\u2028",
        "\u2029",
        "\u202e",
        "\u2066",
        "\ud800",
        "\x00",
        '"}\n{"',
    ]
)


@given(
    st.sampled_from(("pipetwin", "pipetwin.x", "asyncio", "uvicorn.error")) | TEXTS,
    TEXTS,
    st.lists(TEXTS | st.integers() | st.none(), max_size=3),
    st.booleans(),
)
def test_a_record_is_one_line_whatever_is_in_it(name: str, message: str, args: list[Any], raised: bool) -> None:
    reader, descriptor = os.pipe()
    writer = Writer(descriptor)
    handler = logging.StreamHandler(writer)
    handler.setFormatter(Formatter())
    logger = logging.Logger(name or "root")
    logger.addHandler(handler)
    try:
        raise ValueError(SECRET + message)
    except ValueError:
        logger.error(message, *args, exc_info=raised)
    writer.close()
    os.close(descriptor)
    with os.fdopen(reader, "rb") as file:
        text = file.read()
    assert text.endswith(b"\n")
    assert len(text.decode("ascii").splitlines()) == 1
    assert all(32 <= letter < 127 for letter in text[:-1])
    found = json.loads(text)
    assert (found["event"], found["level"]) == ("log", "error")
    assert SECRET not in text.decode()
    assert ("error" in found) == raised


class Unshown:
    """What raises when it is shown."""

    def __str__(self) -> str:
        raise RuntimeError(SECRET)


@pytest.mark.parametrize(("message", "args"), [("%s", (Unshown(),)), ("%d %d", (1,)), ("%d", (SECRET,))])
def test_a_message_that_cannot_be_formatted(message: str, args: Any, capfd: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("pipetwin", logging.ERROR, __file__, 1, message, args, None)
    assert json.loads(Formatter().format(record))["message"].startswith("a message that cannot be formatted: ")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("logger", "message", "kept"),
    [
        (
            "asyncio",
            f"Task exception was never retrieved\nfuture: <Task {SECRET}>",
            "Task exception was never retrieved",
        ),
        ("asyncio", "Exception in callback f() at /home/me/src/x.py:12", "Exception in callback f() at x.py:12"),
        ("uvicorn.error", "\nInvalid HTTP request received.", "Invalid HTTP request received."),
        ("pipetwin", "ready on http://127.0.0.1:8000, serving m v1", "ready on http://127.0.0.1:8000, serving m v1"),
        ("other", "see http://host/a/b", "see http://host/a/b"),
    ],
)
def test_other_libraries_say_their_first_line(logger: str, message: str, kept: str) -> None:
    record = logging.LogRecord(logger, logging.ERROR, __file__, 1, message, (), None)
    assert json.loads(Formatter().format(record))["message"] == kept


NASTY = (
    *("\\n", "%0a", "%0d%0a", "%00", "%1b[31m", "%7f", "%e2%80%a8", "%e2%80%ae", "%ff", "%25%30%61", "\x1b[2J"),
    *(
        "\x85",
        "\xe2\x80\xa8",
        "\xe2\x80\xae",
        '"}',
        '{"event":"request","level":"info"}',
        "${jndi:ldap://x}",
        "'",
        "<b>",
    ),
    *("../../etc/passwd", "http://x/", "\\u000a", "\t", "A" * 300),
)
PATHS = (
    *("/{}", "/models/{}", "/models/{}/predict", "/v2/models/{}/infer", "/v2/models/m/versions/{}"),
    *("/v1/models/{}:predict", "/v1/models/m/labels/{}:predict", "/models/m@{}/predict"),
    *("/predict?{}", "/invocations?x={}"),
)
HEADERS = (
    "X-Request-Id",
    "User-Agent",
    "Host",
    "Content-Type",
    "Accept",
    "X-Forwarded-For",
    "Content-Encoding",
    "Traceparent",
)
BODIES = ('{{"x": "{}"}}', '{{"x": 1, "{}": 1}}', '[{{"x": 1}}, {{"x": ["{}"]}}]', '{{"instances": ["{}"]}}', "{}")


def requests(key: str) -> list[bytes]:
    """Each nasty text with a secret beside it, at each place, with a key and without."""
    made = []
    for nasty, known in itertools.product(NASTY, (True, False)):
        sent = f"X-API-Key: {key}" if known else f"Authorization: Bearer {key}-{SECRET}"
        put = nasty + SECRET
        made += [
            plain(Target(method, place.format(put.replace(" ", "")), b"{}"), sent)
            for place in PATHS
            for method in ("GET", "POST")
        ]
        made += [plain(Target("POST", "/predict", b'{"x": 1}'), sent, f"{name}: {put}") for name in HEADERS]
        for body, path in itertools.product(
            BODIES, ("/predict", "/invocations", "/v2/models/m/infer", "/v1/models/m:predict")
        ):
            made.append(plain(Target("POST", path, body.format(put).encode("latin-1")), sent))
    return made


def test_a_real_service_logs_one_line_a_request(tmp_path: Path) -> None:
    bundles.regressor(tmp_path / "models" / "m", bundles.numbers(("x",)))
    key = "ptw_a-key-that-is-known"
    file = tmp_path / "keys"
    file.write_text(key_line("all", key))
    with serving(str(tmp_path / "models"), "--keys", str(file)) as (server, client):
        port = client.base_url.port
        assert port is not None

        async def send() -> list[Any]:
            room = asyncio.Semaphore(8)

            async def one(text: bytes) -> Any:
                async with room:
                    return await exchange(port, text.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1), 20)

            return await asyncio.gather(*map(one, requests(key)))

        answers = [part for parts in asyncio.run(send()) for part in parts]
        assert len(answers) == len(requests(key)) > 1500
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGTERM)
        code, err = server.finish()  # which reads every line as JSON
    assert (code, err) == (0, "")
    lines = [line for line in server.lines if line["event"] == "request"]
    bad = [line for line in server.lines if "Invalid HTTP request" in line.get("message", "")]
    assert len(lines) + len(bad) == len(answers)
    assert {answer.status for answer in answers} >= {200, 400, 401, 404, 405, 415, 422}
    assert not [answer for answer in answers if answer.status >= 500]
    log = json.dumps(server.lines)
    assert SECRET in log  # a request id is the client's to choose, within its grammar, and nothing else is
    ids = {line["request_id"] for line in lines}
    assert all(SECRET not in json.dumps({**line, "request_id": ""}) for line in server.lines)
    assert all(len(one) <= 128 and one.isascii() and one.isprintable() for one in ids)
    for text in (log, *(answer.body.decode("utf-8", "replace") for answer in answers)):
        assert key not in text
        assert str(tmp_path) not in text
        assert "Traceback" not in text
        assert ".py" not in text
    routes = {line["route"] for line in lines}
    assert all("%" not in route and "A" * 20 not in route for route in routes)
    assert len(routes) < 25
