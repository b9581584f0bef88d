"""Ways around authentication, as bytes on a socket: each asks for a protected route without a right to it."""

import asyncio
import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Target(NamedTuple):
    """A protected route, and a request that it answers with 200 to whom it lets in."""

    method: str
    path: str
    body: bytes


class Attempt(NamedTuple):
    """One request that must not be answered from behind the gate.

    form: its name. alone: whether it needs a connection of its own, for it is malformed.
    """

    form: str
    target: Target
    text: bytes
    alone: bool = False


def plain(target: Target, *headers: str, path: str | None = None, body: bytes | None = None, host: str = "x") -> bytes:
    """The bytes of a request that is in order."""
    content = target.body if body is None else body
    lines = [f"{target.method} {path or target.path} HTTP/1.1", f"Host: {host}", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode("latin-1") + content


METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE")


def attempts(targets: Iterable[Target], open_path: str, key: str) -> Iterator[Attempt]:
    """Every target by every method in every form.

    open_path: answers everybody. key: one that would be let in, were it sent as it should be.
    """
    for target in targets:
        for method in METHODS:
            aimed = target._replace(method=method)
            for form, text in {**_paths(aimed, open_path, key), **_headers(aimed, open_path, key)}.items():
                yield Attempt(form, aimed, text)
        for form, text in _malformed(target, open_path, key).items():
            yield Attempt(form, target, text, alone=True)


def _paths(target: Target, aside: str, key: str) -> dict[str, bytes]:
    path = target.path
    name = path.rpartition("/")[2] or "x"
    encoded = re.sub(r"[a-z]", lambda match: f"%{ord(match[0]):02x}", path)
    paths = {
        "as it is": path,
        "first letters encoded": re.sub(r"/([a-z])", lambda match: f"/%{ord(match[1]):02X}", path),
        "letters encoded": encoded,
        "encoded twice": encoded.replace("%", "%25"),
        "encoded slash": path[:1] + path[1:].replace("/", "%2f"),
        "backslash": path[:1] + path[1:].replace("/", "\\"),
        "slashes before": "//" + path,
        "slashes within": path.replace("/", "//"),
        "slash after": path + "/",
        "dot after": path + ".",
        "space after": path + "%20",
        "NUL after": path + "%00",
        "newline after": path + "%0d%0a",
        "semicolon": path + ";a=b",
        "suffix": path + ".json",
        "dot segment": "/." + path,
        "dot segments": f"/x/..{path}",
        "encoded dot segments": f"{aside}/%2e%2e{path}",
        "through the open path": f"{aside}/..{path}",
        "through the open path and a semicolon": f"{aside}/..;{path}",
        "below the open path": aside + path,
        "upper case": path.upper(),
        "query": f"{path}?api_key={key}&x-api-key={key}&access_token={key}&authorization=Bearer%20{key}",
        "fragment": f"{path}#{aside}",
        "full-width letter": path.replace(name, "%ef%bd%81" + name[1:]),
        "overlong slash": "/%c0%af" + path[1:],
        "absolute form": f"http://x{path}",
        "absolute form with the key": f"http://{key}@localhost:80{path}",
        "absolute form of the open path": f"http://x{aside}/..{path}",
    }
    return {form: plain(target, path=found) for form, found in paths.items()}


def _headers(target: Target, aside: str, key: str) -> dict[str, bytes]:
    digest = hashlib.sha256(key.encode()).hexdigest()
    basic = base64.b64encode(f"{key}:{key}".encode()).decode()
    found = {
        "original URL": ("X-Original-URL: " + aside,),
        "rewritten URL": ("X-Rewrite-URL: " + aside,),
        "method override": ("X-HTTP-Method-Override: OPTIONS", "X-Method-Override: HEAD", "X-HTTP-Method: GET"),
        "forwarded for": ("X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1;proto=https"),
        "forwarded from the open path": (f"X-Forwarded-Path: {aside}", f"X-Forwarded-Uri: {aside}"),
        "forwarded prefix": (f"X-Forwarded-Prefix: {target.path}", f"X-Script-Name: {target.path}"),
        "forwarded host": ("X-Forwarded-Host: localhost", "X-Forwarded-Proto: https", "X-Forwarded-Server: localhost"),
        "user": ("X-Remote-User: admin", "X-Forwarded-User: admin", "X-Authenticated-User: admin"),
        "empty": ("Authorization:",),
        "whitespace": ("Authorization:  \t ",),
        "scheme alone": ("Authorization: Bearer",),
        "scheme and space": ("Authorization: Bearer ", "X-API-Key:  "),
        "long": ("Authorization: Bearer " + "A" * 4000,),
        "twice": ("Authorization: Bearer wrong", f"Authorization: Bearer {key}"),
        "twice, the other way": (f"Authorization: Bearer {key}", "Authorization: Bearer wrong"),
        "both, different": (f"Authorization: Bearer {key}", "X-API-Key: wrong"),
        "mixed case": ("Authorization: bEaReR wrong",),
        "basic": (f"Authorization: Basic {basic}",),
        "digest": (f'Authorization: Digest username="{key}"',),
        "token": (f"Authorization: Token {key}",),
        "no scheme": (f"Authorization: {key}",),
        "scheme without a space": (f"Authorization: Bearer{key}",),
        "scheme and a tab": (f"Authorization: Bearer\t{key}",),
        "list": (f"Authorization: Bearer wrong, Bearer {key}",),
        "prefix of the key": (f"Authorization: Bearer {key[:-1]}",),
        "suffix of the key": (f"X-API-Key: {key[1:]}",),
        "more than the key": (f"X-API-Key: {key}x",),
        "swapped case of the key": (f"X-API-Key: {key.swapcase()}",),
        "two keys in one": (f"X-API-Key: {key} {key}",),
        "quoted key": (f'X-API-Key: "{key}"',),
        "hash of the key": (f"Authorization: Bearer {digest}", f"X-API-Key: {digest}"),
        "hash as the file has it": (f"X-API-Key: sha256:{digest}",),
        "cookie": (f"Cookie: authorization=Bearer {key}; X-API-Key={key}; session={key}",),
        "underscores": (f"X_API_KEY: {key}", f"HTTP_AUTHORIZATION: Bearer {key}"),
        "another header": (f"Proxy-Authorization: Bearer {key}", f"X-Authorization: Bearer {key}", f"API-Key: {key}"),
        "hop by hop": ("Connection: keep-alive, Authorization, X-API-Key",),
    }
    forms = {form: plain(target, *headers) for form, headers in found.items()}
    forms["key in the body"] = plain(
        target, body=b'{"api_key": "%s", "authorization": "Bearer %s"}' % ((key.encode(),) * 2)
    )
    forms["host of the open path"] = plain(target, host=f"localhost{aside}?")
    forms["host is loopback"] = plain(target, host="127.0.0.1")
    forms["original URL behind the open path"] = plain(
        target, f"X-Original-URL: {target.path}", f"X-Rewrite-URL: {target.path}", path=aside
    )
    return forms


def _malformed(target: Target, aside: str, key: str) -> dict[str, bytes]:
    """What no client sends; a second request may hide in them."""
    line = f"{target.method} {target.path} HTTP/1.1\r\nHost: x\r\n".encode()
    hidden = plain(target)
    size = b"Content-Length: %d\r\n" % len(target.body)
    outer = f"POST {aside} HTTP/1.1\r\nHost: x\r\n".encode()
    close = b"Connection: close\r\n"
    return {
        "folded header": line
        + b"X-A: b\r\n Authorization: Bearer "
        + key.encode()
        + b"\r\n"
        + close
        + size
        + b"\r\n"
        + target.body,
        "folded value": line + b"Authorization: Bearer\r\n wrong\r\n" + close + size + b"\r\n" + target.body,
        "length and chunked": outer + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
        "chunked and length": outer + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + hidden,
        "two lengths": outer + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(hidden) + hidden,
        "chunked, spelt otherwise": outer + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
        "chunked behind a space": outer + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
        "chunk extension": outer + b"Transfer-Encoding: chunked\r\n\r\n0;a=\r\n\r\n" + hidden,
        "hidden in a body": outer + b"Content-Length: 0\r\n\r\n" + hidden,
        "bare line feeds": plain(target).replace(b"\r\n", b"\n"),
        "bare carriage returns": line
        + b"X-A: b\rAuthorization: Bearer "
        + key.encode()
        + b"\r\n"
        + size
        + b"\r\n"
        + target.body,
        "HTTP/1.0": plain(target).replace(b"HTTP/1.1", b"HTTP/1.0"),
        "HTTP/0.9": f"{target.method} {target.path}\r\n\r\n".encode(),
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "lower-case method": line.replace(target.method.encode(), target.method.lower().encode(), 1) + size + b"\r\n",
        "NUL in a name": line + b"Authorization\x00: Bearer " + key.encode() + b"\r\n" + size + b"\r\n" + target.body,
        "NUL in the key": line + b"X-API-Key: " + key.encode() + b"\x00\r\n" + close + size + b"\r\n" + target.body,
        "upgrade": plain(target, "Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
        "websocket": plain(
            target, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AA==", "Sec-WebSocket-Version: 13"
        ),
        "very long key": plain(target, "Connection: close", "X-API-Key: " + key * 2000),
    }


class Answered(NamedTuple):
    """A part of what the server sent: one response."""

    status: int
    body: bytes


async def exchange(port: int, text: bytes, seconds: float) -> list[Answered]:
    """Send bytes on a connection of its own; the responses until the server closes it or is silent for so long."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    found = b""
    try:
        async with asyncio.timeout(seconds):
            while part := await reader.read(65536):
                found += part
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    parts = re.split(rb"HTTP/1\.[01] (?=\d{3} )", found)
    return [Answered(int(part[:3]), part.partition(b"\r\n\r\n")[2]) for part in parts[1:]]


CLOSING = b"GET /-/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""The last request on a connection: nothing is there, and the server closes."""


async def run(
    port: int, tried: Iterable[Attempt], allowed: frozenset[bytes], together: int = 40
) -> tuple[int, list[str]]:
    """How many attempts were answered, and those that were let in: answered 2xx with a body that is not one of
    ``allowed``. What is in order goes over one connection, one after the other."""
    let_in: list[str] = []
    answered = 0
    room = asyncio.Semaphore(8)

    async def one(some: list[Attempt]) -> None:
        nonlocal answered
        async with room:
            text = b"".join(attempt.text for attempt in some)
            # A server that takes what is malformed then closes all the same: nobody waits for its silence.
            found = await exchange(port, text + CLOSING, 0.5 if some[0].alone else 20)
        answered += len(some) if some[0].alone else len(found) - 1
        good = [part for part in found if 200 <= part.status < 300 and part.body not in allowed]
        if good and len(some) > 1:
            await asyncio.gather(*(one([attempt]) for attempt in some))
            answered -= len(some)
        elif good:
            let_in.append(f"{some[0].form}: {some[0].target.method} {some[0].target.path}")

    batches: list[list[Attempt]] = []
    for attempt in tried:
        if attempt.alone or not batches or batches[-1][0].alone or len(batches[-1]) >= together:
            batches.append([])
        batches[-1].append(attempt)
    await asyncio.gather(*map(one, batches))
    return answered, let_in
