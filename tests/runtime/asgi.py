"""Calls an ASGI application with one request, message by message, and returns its answer."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote


class Answer(NamedTuple):
    """What the application answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


def request(
    app: Any,
    method: str,
    target: str,
    body: bytes | Iterable[bytes] = b"",
    *,
    headers: Mapping[str, str] | None = None,
    root_path: str = "",
    gone: bool = False,
    received: list[dict[str, Any]] | None = None,
) -> Answer:
    """One request, in an event loop of its own; the arguments are ``exchange``'s."""
    return asyncio.run(
        exchange(app, method, target, body, headers=headers, root_path=root_path, gone=gone, received=received)
    )


async def exchange(
    app: Any,
    method: str,
    target: str,
    body: bytes | Iterable[bytes] = b"",
    *,
    headers: Mapping[str, str] | None = None,
    root_path: str = "",
    gone: bool = False,
    received: list[dict[str, Any]] | None = None,
    extensions: dict[str, Any] | None = None,
) -> Answer:
    """One request.

    target: path and query.
    body: as one message, or as one a part.
    headers: no others are sent.
    gone: the client disconnects after the body's last part instead of ending it.
    received: takes the messages, and gives them one by one.
    extensions: of the scope.
    """
    path, _, query = target.partition("?")
    parts = [body] if isinstance(body, bytes) else list(body)
    messages = [] if received is None else received
    messages += [
        {"type": "http.request", "body": part, "more_body": gone or index + 1 < len(parts)}
        for index, part in enumerate(parts)
    ]
    messages.append({"type": "http.disconnect"})
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": root_path,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()],
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 8000),
        **({} if extensions is None else {"extensions": extensions}),
    }

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if not sent:
        return Answer(0, {}, b"")
    start, *rest = sent
    assert start["type"] == "http.response.start"
    assert [message["type"] for message in rest] == ["http.response.body"] * len(rest)
    text = b"".join(message.get("body", b"") for message in rest)
    found = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    assert len(found) == len(start["headers"]), "a header was sent twice"
    assert int(found.get("content-length", len(text))) == len(text)
    return Answer(start["status"], found, text)


def post(app: Any, target: str, content: Any, **options: Any) -> Answer:
    """POST JSON: bytes as they are, anything else encoded."""
    text = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    return request(app, "POST", target, text, **options)


def get(app: Any, target: str, **options: Any) -> Answer:
    """GET."""
    return request(app, "GET", target, **options)


def problem(answer: Answer) -> dict[str, Any]:
    """An answer's problem details, checked for what all have."""
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == answer.status
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["title"]
    assert found["detail"]
    return found
