"""``python -m runtime models``: serve models over HTTP.

Exit codes: 0 served until it was told to stop; 2 the input is bad, in one sentence on standard error.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from .errors import PipetwinError, SettingsError
from .keys import EVERY, key_line, new_key
from .platforms import KSERVE_IGNORED, SAGEMAKER_MODEL, kserve, platform
from .settings import VARIABLES, Settings, read_settings

__all__ = ["main"]

_KSERVE = "kserve:"
"""Stands before the names of KServe's arguments, whose names are not ours."""

_EXTRA = ("litestar", "prometheus_client", "uvicorn", "uvloop", "httptools")


def main(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command; returns the exit code."""
    if argv[:1] == ["key"]:
        return _key(argv[1:])
    serve_said = argv[:1] == ["serve"]
    words = argv[1:] if serve_said else argv
    given = {name: text for name, text in vars(_parser().parse_args(words)).items() if text is not None}
    flags = {name: text for name, text in given.items() if not name.startswith(_KSERVE)}
    arguments = {name.removeprefix(_KSERVE): text for name, text in given.items() if name.startswith(_KSERVE)}
    try:
        folder = "models" in flags or "model_dir" in arguments
        told = platform(environment, folder=folder, serve=serve_said, model=SAGEMAKER_MODEL)
        settings = read_settings(environment, flags, told | kserve(arguments))
        if not settings.models:
            raise SettingsError(f"expected a folder of models as an argument or in {VARIABLES['models']}, found none")
        from .service.server import serve

        serve(settings)
    except PipetwinError as error:
        return _bad(str(error))
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        return _bad(f"expected the serve extra, found no {error.name}: pip install 'pipetwin[serve]'")
    return 0


def _key(argv: Sequence[str]) -> int:
    """Make a key: its line goes to standard output, so that ``>> FILE`` adds it, the key itself to standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m runtime key",
        description="Make an API key. Standard output has its line for the file of keys, standard error the key, once.",
        allow_abbrev=False,
    )
    parser.add_argument("name", help="what to call it; keys of several names make a rotation")
    parser.add_argument("--models", default=EVERY, help="names of models, with commas; all by default")
    parser.add_argument("--admin", action="store_true", help="whether it is for the admin address too")
    said = parser.parse_args(argv)
    key = new_key()
    try:
        line = key_line(said.name, key, said.models.split(","), admin=said.admin)
    except SettingsError as error:
        return _bad(str(error))
    sys.stderr.write(f"the key, shown this once: {key}\n")
    sys.stdout.write(f"{line}\n")
    return 0


def _bad(sentence: str) -> int:
    sys.stderr.write(f"python -m runtime: {sentence}\n")
    return 2


def _parser() -> argparse.ArgumentParser:
    default = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m runtime [serve]",
        description="Serve models over HTTP; `python -m runtime key` makes API keys. "
        "Each setting can also be given as an environment variable.",
        epilog="KServe's --model_name, --model_dir and --http_port are understood, its other arguments are ignored; so "
        "are Vertex AI's variables, and SageMaker's folder where `serve` is the only argument.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "models",
        nargs="?",
        help=f"a folder of models, a model's folder (or folder@alias), or a version's ({VARIABLES['models']})",
    )
    for name, text in {
        "model-name": "what the only model is called; by default as its folder",
        "predict-route": "one more path to POST to in Vertex AI's words",
        "health-route": "one more path to GET, 200 where ready",
        "host": f"the address to listen on, {default.host} by default",
        "port": f"the port, {default.port} by default; 0 for any free one",
        "body-limit": f"bytes in a request's body, {default.body_limit} by default",
        "rows-limit": f"rows in a request, {default.rows_limit} by default",
        "text-limit": f"characters in a string, {default.text_limit} by default",
        "access-log": "true or false: log each request",
        "poll-seconds": f"how often to look for other versions, {default.poll_seconds:g} by default; 0 for never",
        "drain-seconds": f"how long to go on answering after SIGTERM, {default.drain_seconds:g} by default",
        "header-seconds": f"how long a request's headers may take, {default.header_seconds:g} by default",
        "body-seconds": f"how long a request's body may take, {default.body_seconds:g} by default",
        "header-limit": f"bytes of a request's target and headers, {default.header_limit} by default",
        "requests": f"requests at once, of each worker, {default.requests} by default",
        "connections": f"connections at once, of each worker, {default.connections} by default",
        "keys": "a file of API keys, as `python -m runtime key` prints them, read again as often as models are looked "
        "for; by default everybody is let in",
        "private-metrics": "true or false: leave metrics to the admin address",
        "threads": "threads of each worker for long answers; by default as many as there are processors for it",
        "queue": f"requests that may wait for each thread, {default.queue} by default",
        "batch-rows": "answer requests that come while all threads are at work together, up to so many rows; 0, by "
        "default: each by itself",
        "workers": "processes that answer, 1 by default",
        "split": "divide the requests for a model among its aliases by percent: production=95,staging=5",
        "split-header": f"the header whose value decides which of them answers, {default.split_header} by default",
        "shadow": "compare with what a version that serves under an alias answers to the same rows: flights@staging",
        "traces": "true or false: export each request as a span, by OTLP as the OTEL_EXPORTER_OTLP_* variables say",
        "admin-host": f"the address of metrics and reload, {default.admin_host} by default",
        "admin-port": "the port of metrics and reload; by default there is none",
    }.items():
        parser.add_argument(f"--{name}", help=f"{text} ({VARIABLES[name.replace('-', '_')]})", metavar="VALUE")
    for name in ("model_name", "model_dir", "http_port", *KSERVE_IGNORED):
        parser.add_argument(f"--{name}", dest=f"{_KSERVE}{name}", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
