"""Rows in the Open Inference Protocol: the service answers them the short way, and a wrong answer is told from a right
one."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import pytest

from benchmarks.errors import WrongAnswerError
from benchmarks.inference import FORMS, Asked, asked
from benchmarks.subjects import Subject, find_models, open_subjects
from runtime import load
from runtime.service import endpoint
from runtime.service.dialects.oip_metadata import parts
from runtime.service.dialects.oip_row import OneRow
from tests.runtime import bundles
from tests.runtime.conftest import FLIGHTS, ROW


def opened(folder: Path) -> Subject:
    """The only model below a folder."""
    (found,) = open_subjects(find_models(folder), folder, load, 0)
    return found


@pytest.fixture
def mixed(tmp_path: Path) -> Subject:
    """Columns of every kind, of which some are missing."""
    bundles.classifier(tmp_path / "one/mixed", FLIGHTS, ("late", "on time"))
    found = opened(tmp_path / "one")
    rows = [ROW | {"gap": gap, "carrier": carrier} for gap in (None, 0.5) for carrier in (None, "UA", "é")]
    model = found.model
    expected = {"predict": model.predict(rows), "predict_proba": model.predict_proba(rows)}
    return replace(found, rows=rows, expected=expected)


@pytest.fixture
def numbers(tmp_path: Path) -> Subject:
    """Numbers alone."""
    bundles.regressor(tmp_path / "other/numbers", bundles.numbers(("x", "y"), missing=True))
    return opened(tmp_path / "other")


def test_outputs_that_are_lists_are_not_asked_for(numbers: Subject, tmp_path: Path) -> None:
    """The protocol has a name for each of their arrays."""
    bundles.several(tmp_path / "both", bundles.numbers(("x", "y", "z")))
    rows = [{"x": 1.0, "y": -1.0, "z": 0.0}]
    model = load(tmp_path / "both")
    expected = {"predict": model.predict(rows), "predict_proba": model.predict_proba(rows)}
    (body,) = asked(replace(numbers, model=model, rows=rows, expected=expected), "json").bodies
    assert body.endswith(b'"outputs":[{"name":"predict"}]}')


def answered(subject: Subject, given: Asked) -> list[bytes]:
    """What the service's short way answers to each body."""
    manifest = subject.model.manifest
    known = {part.name: part for output in manifest.outputs for part in parts(manifest, output)}
    short = OneRow("m", subject.model, known)
    found = []
    for body, headers in zip(given.bodies, given.headers, strict=True):
        sent = {name.lower().encode(): value.encode() for name, value in headers.items()}
        reply = short(endpoint.Asked(sent, b"", body, perf_counter()))
        assert reply is not None
        found.append(reply.answer.body)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_every_row_has_its_right_answer(mixed: Subject, numbers: Subject, form: str) -> None:
    for subject, inputs in ((mixed, 9), (numbers, 1)):
        given = asked(subject, form)
        assert given.path == f"/v2/models/{subject.name}/infer"
        head = max(given.bodies, key=len).partition(b'],"outputs"')[0]
        assert head.count(b'"datatype"') == inputs
        answers = answered(subject, given)
        assert len(answers) == len(subject.rows)
        for index, answer in enumerate(answers):
            given.check(index, answer)


def swapped(answer: bytes) -> bytes:
    """Another label."""
    return answer.replace(b"late", b"ontm") if b"late" in answer else answer.replace(b"on time", b"in time")


def nudged(answer: bytes) -> bytes:
    """Another score: in binary the last byte but one of a float64 is part of its exponent."""
    if answer.endswith(b"}"):
        found = json.loads(answer)
        found["outputs"][1]["data"][0] += 1e-6
        return json.dumps(found).encode()
    return answer[:-2] + bytes([answer[-2] ^ 1]) + answer[-1:]


WRONG: dict[str, Callable[[bytes], bytes]] = {
    "label": swapped,
    "score": nudged,
    "nothing": lambda answer: b"",
    "no JSON": lambda answer: b"x" + answer,
    "cut": lambda answer: answer[:-1],
    "more": lambda answer: answer + b"\0",
    "an output less": lambda answer: answer.replace(b"predict_proba", b"other_outputs"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_answer_is_told(mixed: Subject, form: str, wrong: str) -> None:
    given = asked(mixed, form)
    answers = answered(mixed, given)
    with pytest.raises(WrongAnswerError):
        given.check(1, WRONG[wrong](answers[1]))


@pytest.mark.parametrize("form", FORMS)
def test_another_row_s_answer_is_wrong(numbers: Subject, form: str) -> None:
    given = asked(numbers, form)
    first, second, *_ = answered(numbers, given)
    assert first != second
    with pytest.raises(WrongAnswerError):
        given.check(0, second)
