"""Peers and engines made up for tests: files with headers, and an environment that runs them with this interpreter."""

import sys
from pathlib import Path

import pytest

from benchmarks.peers import environments
from benchmarks.peers.environments import Peer, peers

__all__ = ["ENGINE", "SERVER", "installed", "written"]

SERVER = """# /// script
# dependencies = ["numpy"]
# [tool.peer]
{peer}
# ///
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

known = json.loads(Path(__file__).with_suffix(".json").read_text())

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["content-length"])).decode()
        answer = json.dumps(known[asked]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""
"""A server that looks each body up in the file beside it, NAME.json; a thread a connection, and head and body in one
write: the second of two would wait 40 ms for the first to be acknowledged."""

ENGINE = """# /// script
# dependencies = ["numpy"]
# [tool.peer]
# estimators = ["LogisticRegression"]
# ///
import numpy as np

def make(folder):
    scores = np.load({scores!r})
    {more}
    return lambda X: scores[: len(X)]
"""
"""An engine that answers with what a file holds."""


def written(folder: Path, **files: str) -> list[Peer]:
    """Peers of these names, in a folder that is made."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return peers(folder)


def installed(where: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Environments of these names, below a folder."""
    monkeypatch.setattr(environments, "WHERE", where)
    for name in names:
        python = where / name / "bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
