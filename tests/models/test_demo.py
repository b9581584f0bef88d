"""The end of the demo: what it sends, and that it notices an answer that is not scikit-learn's."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

from models.demo import BATCH, Caller, compare, request, server, to_json

ROWS = pd.DataFrame({"a": np.linspace(-1, 1, BATCH + 7), "b": np.arange(BATCH + 7)})
TREE = DecisionTreeClassifier(max_depth=3, random_state=0).fit(ROWS, np.where(np.sin(9 * ROWS["a"]) > 0, "on", "off"))


class _Server(BaseHTTPRequestHandler):
    """Answers as the tree does, but for what a test spoils."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer
    spoil: ClassVar[dict[int, dict[str, Any]]] = {}
    status: ClassVar[int] = 200

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        rows = pd.DataFrame(sent if isinstance(sent, list) else [sent])
        answers = [
            {"prediction": label, "probability": max(scores)} | self.spoil.get(number, {})
            for number, label, scores in zip(
                rows["b"].tolist(), TREE.predict(rows).tolist(), TREE.predict_proba(rows).tolist(), strict=True
            )
        ]
        body = json.dumps({"predictions": answers} if isinstance(sent, list) else answers[0]).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    """A connection to such a server, in a thread."""
    monkeypatch.setattr(_Server, "spoil", {})
    with HTTPServer(("127.0.0.1", 0), _Server) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        with Caller(listening.server_address[1]) as caller:
            yield caller
        listening.shutdown()
        thread.join()


def test_rows_are_sent_as_they_are() -> None:
    """Missing is null, whole numbers stay whole, and no digit is lost."""
    rows = pd.DataFrame({"x": [0.1 + 0.2, np.nan], "n": [2**53 + 1, 1], "c": ["é", None], "t": [True, False]})
    sent = to_json(rows)
    assert sent == [{"x": 0.1 + 0.2, "n": 2**53 + 1, "c": "é", "t": True}, {"x": None, "n": 1, "c": None, "t": False}]
    assert [type(value) for value in sent[0].values()] == [float, int, str, bool]


def test_every_row_is_compared(caller: Caller) -> None:
    """The rows of the last batch too."""
    assert compare(TREE, ROWS, caller, "/predict") == (len(ROWS), len(ROWS), len(ROWS))


def test_another_label_is_noticed(caller: Caller) -> None:
    """And so is another last bit of a probability."""
    _Server.spoil[3] = {"prediction": "neither"}
    _Server.spoil[BATCH + 1] = {"probability": float(np.nextafter(TREE.predict_proba(ROWS)[BATCH + 1].max(), 2))}
    assert compare(TREE, ROWS, caller, "/predict") == (len(ROWS), len(ROWS) - 1, len(ROWS) - 2)


def test_a_refusal_is_no_answer(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the demo with what the server said."""
    monkeypatch.setattr(_Server, "status", 422)
    with pytest.raises(RuntimeError, match=r"expected 200, found HTTP/1\.1 422"):
        caller.post(request("/predict", json.dumps(to_json(ROWS.head(1))).encode()))


def test_an_environment_with_scikit_learn_may_not_serve(tmp_path: Path) -> None:
    """The demo's claim would be empty."""
    with pytest.raises(RuntimeError, match="no more, found sklearn"), server(Path(sys.executable), tmp_path):
        pass
