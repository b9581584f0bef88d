"""``python -m runtime models``: serve models over HTTP.

Exit codes: 0 served until it was told to stop; 2 the input is bad, in one sentence on standard error.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from .errors import PipetwinError, SettingsError
from .keys import EVERY, key_line, new_key
from .settings import VARIABLES, Settings, read_settings

__all__ = ["main"]

_EXTRA = ("litestar", "prometheus_client", "uvicorn", "uvloop", "httptools")


def main(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command; returns the exit code."""
    if argv[:1] == ["key"]:
        return _key(argv[1:])
    words = argv[1:] if argv[:1] == ["serve"] else argv
    flags = {name: text for name, text in vars(_parser().parse_args(words)).items() if text is not None}
    try:
        settings = read_settings(environment, flags)
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
        allow_abbrev=False,
    )
    parser.add_argument(
        "models",
        nargs="?",
        help=f"a folder of models, a model's folder (or folder@alias), or a version's ({VARIABLES['models']})",
    )
    for name, text in {
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
        "keys": "a file of API keys, as `python -m runtime key` prints them; by default everybody is let in",
        "private-metrics": "true or false: leave metrics to the admin address",
        "threads": "threads of each worker for long answers; by default as many as there are processors for it",
        "queue": f"requests that may wait for each thread, {default.queue} by default",
        "workers": "processes that answer, 1 by default",
        "admin-host": f"the address of metrics and reload, {default.admin_host} by default",
        "admin-port": "the port of metrics and reload; by default there is none",
    }.items():
        parser.add_argument(f"--{name}", help=f"{text} ({VARIABLES[name.replace('-', '_')]})", metavar="VALUE")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
