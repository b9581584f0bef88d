"""Each check fires on a planted fault: a server, or a record of one, that does what must never happen."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from . import drains, flips, kills, memory, oracle, restarts, series, starts, swaps
from .__main__ import CHECKS, main
from .drains import Drain
from .kills import Kills
from .load import Load, Seen, loaded
from .report import Check
from .resources import descriptors, slope
from .result import Result
from .starts import Start

Answer = dict[str, Any]


def honest(k: int, rows: list[dict[str, float]]) -> Answer:
    """What version k answers."""
    return {
        "model_version": oracle.name(k),
        "predictions": [{"prediction": [row["x"] + k, row["id"]]} for row in rows],
    }


@contextmanager
def serving(answer: Callable[[list[dict[str, float]]], Answer | None], *, ends: bool = False) -> Iterator[int]:
    """A server that answers with what it is told, or not at all; its port. ends: each connection after an answer."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # headers and body in one packet

        def do_POST(self) -> None:
            found = answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            if found is None:
                self.close_connection = True
                return
            text = json.dumps(found, separators=(",", ":")).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.send_header("x-model-version", str(found.get("header", found["model_version"])))
            self.end_headers()
            self.wfile.write(text)
            self.close_connection = ends

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Waiting(ThreadingHTTPServer):
        request_queue_size = 64
        daemon_threads = True

    with Waiting(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def seen(fault: Callable[[Answer], Answer | None]) -> Load:
    """What clients see of a server of version 3 of which the tenth answer has a fault."""
    answers = 0
    told = threading.Event()

    def answer(rows: list[dict[str, float]]) -> Answer | None:
        nonlocal answers
        answers += 1
        if answers == 20:
            told.set()
        return fault(honest(3, rows)) if answers == 10 else honest(3, rows)

    with serving(answer) as port, loaded("127.0.0.1", port, clients=1) as load:
        assert told.wait(20)
    return load


def mixed(answer: Answer) -> Answer:
    answer["predictions"][1]["prediction"][0] += 1
    return answer


def anothers(answer: Answer) -> Answer:
    answer["predictions"].reverse()
    return answer


def header(answer: Answer) -> Answer:
    return {**answer, "header": oracle.name(4)}


def old(answer: Answer) -> Answer:
    for one in answer["predictions"]:
        one["prediction"][0] -= 1
    return {**answer, "model_version": oracle.name(2)}


def dropped(answer: Answer) -> None:
    return None


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (mixed, "wrong: v00003 answered"),
        (anothers, "wrong: "),
        (header, "wrong: the header"),
        (old, "stale: v00002"),
        (dropped, "lost: "),
    ],
)
def test_an_answer_that_must_not_be(fault: Callable[[Answer], Answer | None], word: str) -> None:
    load = seen(fault)
    found = swaps.faults(load, [(0.0, oracle.name(3))], 3 * len(load.seen))
    assert len(found) == 1, found
    assert found[0].startswith(word)


def test_answers_as_they_must_be() -> None:
    load = seen(lambda answer: answer)
    assert swaps.faults(load, [(0.0, oracle.name(3))], 3 * len(load.seen)) == []
    assert "the service counted" in swaps.faults(load, [(0.0, oracle.name(3))], 3 * len(load.seen) - 1)[0]
    assert "too thin" in swaps.faults(load, [(9e9, oracle.name(k)) for k in range(9)], 3 * len(load.seen))[0]


def test_a_stale_answer_is_told_from_one_that_was_under_way() -> None:
    load = Load("127.0.0.1", 1, "/")
    load.seen = [Seen(1.0, 2.5, "v00001"), Seen(3.0, 3.5, "v00001")]
    assert load.stale([(2.0, "v00002")]) == [load.seen[1]]


def test_kills() -> None:
    load = Load("127.0.0.1", 1, "/")
    assert kills.faults(load, Kills([1.0, 1.0, 2.0], [0.5, 1.0], 4.0, 0.4)) == []
    assert kills.faults(load, Kills([2.0, 1.0], [0.5], 3.0, 0.4)) == ["a counter fell from 2 to 1"]
    assert kills.faults(load, Kills([], [2.5], 3.0, 0.4)) == ["a worker was replaced after 2.50 s, expected 2"]
    assert kills.faults(load, Kills([], [1.0], 5.0, 0.4)) == ["5 workers started, expected 3"]
    assert kills.faults(load, Kills([], [2.5], 3.0, 1.0)) == []  # a machine where nothing starts any sooner
    load.lost = ["x"] * 5
    assert "5 requests lost" in kills.faults(load, Kills([], [1.0], 3.0, 0.4))[0]
    load.wrong = ["y"]
    assert "wrong: y" in kills.faults(load, Kills([], [1.0], 3.0, 0.4))


def test_restarts() -> None:
    load = Load("127.0.0.1", 1, "/")
    assert restarts.faults(load) == []
    load.lost, load.wrong = ["x"], ["y"]
    assert restarts.faults(load) == ["lost: x", "wrong: y"]


def test_starts() -> None:
    assert starts.faults([Start("x", 2, "python -m runtime: expected a, found b", 0.5)], 0.4) == []
    assert starts.faults([Start("x", None, "expected a", 20.0)], 0.4) == [
        "x: expected exit code 2, found None",
        "x: it took 20.0 s to end, expected 5",
    ]
    for said in ("", "expected\nTraceback", "expected ready on"):
        assert "x: expected a sentence" in starts.faults([Start("x", 2, said, 0.5)], 0.4)[0]
    assert starts.faults([Start("x", 0, "expected a", 0.5)], 0.4) == ["x: expected exit code 2, found 0"]
    assert starts.faults([Start("x", 2, "expected a", 6.0)], 2.0) == []  # a machine where nothing starts any sooner


def test_a_request_that_is_dropped_at_the_end() -> None:
    """A server that never fails readiness and drops one of the requests in flight."""
    answered = 0

    def answer(rows: list[dict[str, float]]) -> Answer | None:
        nonlocal answered
        answered += 1
        return None if answered == 7 else honest(1, rows)

    with serving(answer, ends=True) as port:
        health, answers = drains.drain(port, lambda: None, seconds=0.1)
    assert len(answers) == drains.IN_FLIGHT
    found = drains.faults(Drain(health, answers, (0, "")))
    assert sorted(fault.partition(":")[0] for fault in found) == [
        "lost",
        "readiness did not fail while the service answered",
    ]
    good = b'HTTP/1.1 200 OK\r\n\r\n{"prediction":[8.0,1.0]}'
    assert drains.faults(Drain({(200, 200), (503, 200)}, [good] * 32, (0, ""))) == []
    assert drains.faults(Drain({(503, 200)}, [good, b"", good], (0, ""))) == ["lost: b''"]
    assert drains.faults(Drain({(503, 503)}, [good], (0, ""))) != []
    assert "expected exit code 0" in drains.faults(Drain({(503, 200)}, [good], (-15, "")))[0]


def test_a_leak_of_100_kib_a_swap() -> None:
    """Memory that grows in steps, with a collection of garbage now and then, is told from memory that leaks."""
    steady = [90_000 + 4096 * (step > 30) + 300 * (step % 7) for step in range(200)]
    leaking = [held + 100 * step for step, held in enumerate(steady)]
    assert memory.faults([float(held) for held in steady], [9] * 200) == []
    assert "100." in memory.faults([float(held) for held in leaking], [9] * 200)[0]
    assert slope([float(held) for held in leaking]) == pytest.approx(100, rel=0.05)


def test_a_leak_of_descriptors(tmp_path: Path) -> None:
    counts = []
    kept = []
    for _ in range(10):
        kept.append((tmp_path / "f").open("w"))
        counts.append(descriptors(os.getpid()))
    for file in kept:
        file.close()
    assert "descriptors open at the end" in memory.faults([1.0] * 10, counts)[0]
    assert memory.faults([1.0] * 10, [9] * 10) == []


def test_a_series_that_comes_into_being() -> None:
    assert series.faults({404: 9}, {"a"}, {"a"}) == []
    assert series.faults({404: 9}, {"a"}, {"a", 'a{path="/x"}'}) == [
        "1 series came into being, 'a{path=\"/x\"}' for one"
    ]
    assert series.faults({404: 9, 500: 2}, {"a"}, {"a"}) == ["2 times status 500"]


def test_a_bit_that_nobody_looks_at(tmp_path: Path) -> None:
    def careless(version: Path) -> None:
        """Does not look at the proof."""
        if json.loads((version / "manifest.json").read_bytes()) is None:
            raise ValueError

    with pytest.raises(ValueError):  # a flip in the manifest is no JSON
        flips.run(100, tmp_path / "a", careless)
    assert len(flips.run(40, tmp_path / "b", lambda version: None).faults) == 40
    assert flips.run(40, tmp_path / "c").faults == []


def test_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = []

    def bad(count: int, folder: Path) -> Result:
        asked.append((count, folder.is_dir()))
        return Result(count, ["it was lost"], {"requests": 3.0})

    def good(count: int, folder: Path) -> Result:
        return Result(count, [], {"requests": 5.0})

    monkeypatch.setitem(CHECKS, "kills", Check("workers killed", bad, 7, 70))
    monkeypatch.setitem(CHECKS, "flips", Check("bits flipped", good, 8, 80))
    assert main(["--only", "kills", "flips", "--flips", "3", "--out", str(tmp_path)]) == 1
    assert main(["--only", "kills", "--nightly", "--out", str(tmp_path / "night")]) == 1
    assert asked == [(7, True), (70, True)]
    found = json.loads((tmp_path / "stress.json").read_bytes())
    assert found["held"] is False
    assert [(one["name"], one["result"]["count"]) for one in found["checks"]] == [("kills", 7), ("flips", 3)]
    text = (tmp_path / "stress.md").read_text()
    assert "| workers killed | 7 | 1 | requests 3 |" in text
    assert "- it was lost" in text
    assert "1 FAULTS, it was lost" in capsys.readouterr().out
    assert main(["--only", "flips", "--out", str(tmp_path)]) == 0


@pytest.mark.parametrize("beside", [False, True])
def test_what_measures_has_the_machine_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    """One after the other in the main thread, before what shares the processors in threads of its own."""
    seen = []

    def run(count: int, folder: Path) -> Result:
        seen.append(threading.current_thread() is threading.main_thread())
        return Result(count, [], {})

    monkeypatch.setitem(CHECKS, "swaps", Check("versions swapped", run, 7, 70, beside))
    assert main(["--only", "swaps", "--out", str(tmp_path)]) == 0
    assert seen == [not beside]
