"""What each feature was, counted exactly, and nothing of the rows kept."""

import json
import threading
from typing import Any

import numpy as np

from runtime import InputError, Model
from runtime.drift import Counts, Drift
from runtime.manifest import Feature

from .conftest import ROW


def body(rows: Any) -> bytes:
    """JSON."""
    return json.dumps(rows).encode()


def counted(model: Model) -> dict[str, tuple[int, int, int]]:
    """(missing, unknown, out of range) of the features where any is not 0."""
    return {count.feature: count[1:] for count in model.drift.counts() if any(count[1:])}


def test_nothing_yet(flights: Model) -> None:
    assert counted(flights) == {}
    assert flights.drift.counts()[0] == Counts("dep time", 0, 0, 0)


def test_rows_and_batches_are_counted(flights: Model) -> None:
    flights.predict_json(body(ROW))
    assert counted(flights) == {"gap": (1, 0, 0)}
    odd = ROW | {"dep time": 11, "carrier": "ZZ", "gap": -1.5}
    flights.predict_json(body(odd))
    assert counted(flights) == {"gap": (1, 0, 1), "dep time": (0, 0, 1), "carrier": (0, 1, 0)}
    flights.predict_json(body([odd, ROW, ROW | {"carrier": None}]))
    assert counted(flights) == {"gap": (3, 0, 2), "dep time": (0, 0, 2), "carrier": (1, 2, 0)}


def test_the_edges_of_the_sample_are_inside(flights: Model) -> None:
    flights.predict_json(body([ROW | {"dep time": 10, "gap": 1}, ROW | {"dep time": -10, "gap": -1}]))
    assert counted(flights) == {}


def test_refused_rows_and_loading_are_not_counted(flights: Model) -> None:
    for bad in (ROW | {"carrier": "ZZ", "code": 9}, [ROW, ROW | {"capped": 9}]):
        try:
            flights.predict_json(body(bad))
        except InputError:
            continue
    assert counted(flights) == {}


def test_thousands_of_rows_from_many_threads(flights: Model) -> None:
    def ask() -> None:
        for _ in range(1000):
            flights.predict_json(body(ROW | {"carrier": "ZZ"}))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        flights.drift.counts()
    for thread in threads:
        thread.join()
    assert counted(flights) == {"gap": (4000, 0, 0), "carrier": (0, 4000, 0)}


def test_pending_rows_are_bounded() -> None:
    drift = Drift((Feature("x", "number", 0),))
    for _ in range(10_000):
        drift.note(np.array([np.nan]))
        assert len(drift._pending) < 256
    assert drift.counts() == [Counts("x", 10_000, 0, 0)]
