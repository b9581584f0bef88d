"""The settings of a service: few, frozen, read once at the start."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .errors import SettingsError
from .manifest import NAME
from .platforms import Said

__all__ = ["BODY_LIMIT", "QUEUE", "ROWS_LIMIT", "TEXT_LIMIT", "VARIABLES", "Settings", "read_settings"]

BODY_LIMIT = 16 * 2**20
"""Bytes in a request's body, unless told otherwise."""

ROWS_LIMIT = 100_000
"""Rows in a request, unless told otherwise."""

TEXT_LIMIT = 65_536
"""Characters in a string, unless told otherwise."""

QUEUE = 8
"""Requests that may wait for each thread, unless told otherwise."""


class Settings(msgspec.Struct, frozen=True):
    """What a service may be told.

    models: a folder of models, one model's folder, or one version's; a model may be followed by ``@alias``.
    model_name: what the only model is called; by default as its folder.
    predict_route, health_route: further paths, at which a platform asks in Vertex AI's words.
    host, port: where it listens; port 0 is any free one.
    body_limit: the largest body of a request, bytes, compressed and not.
    rows_limit, text_limit: rows of a request, and characters of a string in it.
    access_log: whether each request is logged.
    poll_seconds: how often the folder is looked at for other versions; 0 for never.
    drain_seconds: how long to go on answering, not ready, after SIGTERM, before nobody is let in any more.
    header_seconds, body_seconds: how long a request's headers and its body may take to arrive.
    header_limit: of a request's target and its headers, bytes.
    connections, requests: at once, of each worker; more are answered with 503.
    threads: of each worker, for what takes longer than handing it to a thread; 0 for as many as there are processors.
    queue: requests that may wait for each of these threads; more are answered with 503.
    batch_rows: rows that requests which come while all threads are at work are answered in at most; 0: each by itself.
    workers: processes that answer.
    keys: a file of API keys, as hashes; api_keys: the same as text. Neither: everybody is let in.
    private_metrics: whether metrics are on the admin address alone.
    split: aliases among which the requests for a model are divided, with their shares in percent.
    split_header: whose value decides which of them answers, in lower case.
    shadow: (model, alias) of a version that answers the same rows afterwards, to be compared.
    traces: whether each request is a span of OpenTelemetry, exported as its OTEL_* variables say.
    admin_host, admin_port: where metrics of all workers and reload are; no port, no such address.
    """

    models: str = ""
    model_name: str = ""
    predict_route: str = ""
    health_route: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    body_limit: int = BODY_LIMIT
    rows_limit: int = ROWS_LIMIT
    text_limit: int = TEXT_LIMIT
    access_log: bool = True
    poll_seconds: float = 2.0
    drain_seconds: float = 0.5
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    header_limit: int = 32_768
    connections: int = 4096
    requests: int = 200
    threads: int = 0
    queue: int = QUEUE
    batch_rows: int = 0
    workers: int = 1
    keys: str = ""
    api_keys: str = ""
    private_metrics: bool = False
    split: tuple[tuple[str, int], ...] = ()
    split_header: str = "x-session-id"
    shadow: tuple[str, str] | None = None
    traces: bool = False
    admin_host: str = "127.0.0.1"
    admin_port: int | None = None


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError
    return text


def _route(text: str) -> str:
    if not text.startswith("/") or not text.isascii() or any(letter in text for letter in "{}?#% "):
        raise ValueError
    return "/" + text.strip("/")


def _integer(low: int, high: int) -> tuple[Callable[[str], int], str]:
    def read(text: str) -> int:
        if not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return read, f"an integer from {low} to {high}"


def _size(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


def _seconds(text: str) -> float:
    if not 0 <= float(text) <= 86_400:
        raise ValueError
    return float(text)


def _truth(text: str) -> bool:
    return {"true": True, "false": False, "1": True, "0": False}[text.lower()]


def _split(text: str) -> tuple[tuple[str, int], ...]:
    shares = [part.partition("=") for part in text.split(",")]
    found = {_name(alias.strip()): int(share) for alias, _, share in shares}
    if len(found) != len(shares) or min(found.values()) < 0 or sum(found.values()) != 100:
        raise ValueError
    return tuple(found.items())


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text):
        raise ValueError
    return text.lower()


def _shadow(text: str) -> tuple[str, str]:
    name, _, alias = text.partition("@")
    return _name(name), _name(alias)


_READ: dict[str, tuple[Callable[[str], Any], str]] = {
    "models": (_text, "a folder"),
    "model_name": (_name, f"a name that matches {NAME.pattern}"),
    "predict_route": (_route, "a path"),
    "health_route": (_route, "a path"),
    "host": (_text, "a host's name or address"),
    "port": _integer(0, 65535),
    "body_limit": (_size, "a number of bytes, 1 or more"),
    "rows_limit": (_size, "a number of rows, 1 or more"),
    "text_limit": (_size, "a number of characters, 1 or more"),
    "access_log": (_truth, "true or false"),
    "poll_seconds": (_seconds, "a number of seconds from 0 to 86400"),
    "drain_seconds": (_seconds, "a number of seconds from 0 to 86400"),
    "header_seconds": (_seconds, "a number of seconds from 0 to 86400"),
    "body_seconds": (_seconds, "a number of seconds from 0 to 86400"),
    "header_limit": (_size, "a number of bytes, 1 or more"),
    "connections": (_size, "a number of connections, 1 or more"),
    "requests": (_size, "a number of requests, 1 or more"),
    "threads": _integer(0, 256),
    "queue": _integer(0, 1_000_000),
    "batch_rows": _integer(0, 1_000_000),
    "workers": _integer(1, 256),
    "keys": (_text, "a file"),
    "api_keys": (_text, "lines of a file of keys"),
    "private_metrics": (_truth, "true or false"),
    "split": (_split, "aliases with shares that add up to 100, production=95,staging=5 say"),
    "split_header": (_header, "a header's name"),
    "shadow": (_shadow, "a model and its alias, flights@staging say"),
    "traces": (_truth, "true or false"),
    "admin_host": (_text, "a host's name or address"),
    "admin_port": _integer(0, 65535),
}

_PREFIX = "PIPETWIN_"

VARIABLES = {name: f"{_PREFIX}{name.upper()}" for name in _READ}
"""The environment variable of each setting."""

_LINK = re.compile(r"\w+(_SERVICE_HOST|_SERVICE_PORT(_\w+)?|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)", re.ASCII)
_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def _is_link(variable: str, environment: Mapping[str, str]) -> bool:
    """Whether Kubernetes or Docker has set a variable, for a service whose name begins as ours do."""
    if _LINK.fullmatch(variable):
        return True
    return variable.endswith("_PORT") and _ADDRESS.match(environment[variable]) is not None


def _unknown(variable: str) -> str:
    from difflib import get_close_matches

    names = get_close_matches(variable.upper(), VARIABLES.values(), cutoff=0.8) or VARIABLES.values()
    there = " or ".join(names)
    return f"expected {_PREFIX}* to be the variable of a setting, {there}, found {variable[:64]!r}: mend its name"


def read_settings(
    environment: Mapping[str, str], flags: Mapping[str, str], told: Mapping[str, Said] | None = None
) -> Settings:
    """The settings that the environment's variables, the platform and the command line's flags say; the later win.

    flags: by setting, the text that was given.
    told: by setting, what the platform says that started this process.
    Raises SettingsError, which names the variable or flag and the value; also for a variable that would be a setting's
    if it were written right, whose value may be a secret and is not shown.
    """
    for variable in sorted(environment):
        if variable.startswith(_PREFIX) and variable not in VARIABLES.values() and not _is_link(variable, environment):
            raise SettingsError(_unknown(variable))
    values: dict[str, Any] = {}
    for name, (read, wanted) in _READ.items():
        variable = VARIABLES[name]
        if name in flags:
            origin, text = f"--{name.replace('_', '-')}", flags[name]
        elif told and name in told:
            origin, text = told[name]
        elif variable in environment:
            origin, text = variable, environment[variable]
        else:
            continue
        try:
            values[name] = read(text)
        except (ValueError, KeyError) as error:
            hint = ""
            if text.startswith("tcp://"):
                hint = "; Kubernetes sets that variable for a Service of the name pipetwin: enableServiceLinks: false"
            raise SettingsError(f"expected {origin} to be {wanted}, found {text[:64]!r}{hint}") from error
    return Settings(**values)
