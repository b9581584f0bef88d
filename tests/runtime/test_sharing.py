"""One model among threads and processes."""

import copy
import json
import multiprocessing
import pickle  # noqa: TID251
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from runtime import Model, load


def decoded(model: Model, body: Any) -> Any:
    return json.loads(model.predict_json(json.dumps(body).encode()))


def test_many_threads_one_model(every: dict[str, Model]) -> None:
    """Each thread asks with its own numbers and gets its own answers, one row and batches mixed."""
    wrong: list[Any] = []
    begin = threading.Barrier(8)

    def ask(seed: int) -> None:
        begin.wait()
        for step in range(300):
            x = float(seed * 1000 + step)
            one = decoded(every["twice"], {"x": x, "y": -x})["output"]
            many = decoded(every["twice"], [{"x": x, "y": 1}, {"x": 2, "y": x}])["outputs"]
            table = every["twice"].transform([[x, x]])
            if one != [2 * x, -2 * x] or many != [{"output": [2 * x, 2.0]}, {"output": [4.0, 2 * x]}]:
                wrong.append((x, one, many))
            if table.tolist() != [[2 * x, 2 * x]]:
                wrong.append((x, table))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    assert wrong == []


def test_a_model_may_be_built_after_a_fork(root: Path, every: dict[str, Model]) -> None:
    """A server that forks its workers after it has used a model itself, as gunicorn's preload does."""
    every["twice"].transform([[1.0, 2.0]])
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of threads, which are the point here
        children = [context.Process(target=_child, args=(root, answers)) for _ in range(3)]
        for child in children:
            child.start()
    for child in children:
        child.join(timeout=20)
        assert child.exitcode == 0
    assert [answers.get() for _ in children] == [[[2.0, 4.0]]] * 3


def _child(root: Path, answers: Any) -> None:
    model = load(root / "twice")
    model.predict_json(b'{"x": 1, "y": 2}')
    answers.put(model.transform([[1.0, 2.0]]).tolist())


def test_a_model_that_was_loaded_before_a_fork_answers_after_it(every: dict[str, Model]) -> None:
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = context.Process(target=lambda: answers.put(decoded(every["twice"], [{"x": 1, "y": 2}])["outputs"]))
        child.start()
    child.join(timeout=20)
    assert child.exitcode == 0
    assert answers.get() == [{"output": [2.0, 4.0]}]


@pytest.mark.parametrize("way", [pickle.dumps, copy.deepcopy])
def test_a_model_does_not_travel(way: Callable[[Model], object], every: dict[str, Model]) -> None:
    """It is a session of this process: who maps a function over processes is told what to do instead."""
    with pytest.raises(TypeError) as caught:
        way(every["twice"])
    assert str(caught.value) == (
        "expected each process to load its own model, found 'twice' about to be pickled or copied: call "
        "runtime.load with its folder where it is to answer"
    )


def test_a_copy_is_the_same_model(every: dict[str, Model]) -> None:
    twin = copy.copy(every["twice"])
    assert twin.session is every["twice"].session
    assert decoded(twin, {"x": 1, "y": 2})["output"] == [2.0, 4.0]
