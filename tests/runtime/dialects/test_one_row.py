"""One row in the Open Inference Protocol: the short way answers by the bytes of the long one, or not at all."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime import InputError, Model
from runtime.schema import example
from runtime.service.dialects.oip import infer as operation
from runtime.service.dialects.oip_metadata import datatype_of
from runtime.service.dialects.oip_row import OneRow
from runtime.service.endpoint import Asked, Reply
from runtime.service.problems import Refusal
from runtime.tensors import Limits

from ..conftest import ROW
from .forms import binary

NAMES = ("flights", "cost", "costs", "twice", "both")


@contextmanager
def watched(*, long_only: bool = False) -> Iterator[list[bool]]:
    """What the short way did with each request: whether it has answered. long_only: it is closed."""
    found: list[bool] = []
    call = OneRow.__call__

    def watching(self: OneRow, asked: Asked) -> Reply | None:
        reply = None if long_only else call(self, asked)
        found.append(reply is not None)
        return reply

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OneRow, "__call__", watching)
        yield found


def said(model: Model, headers: dict[bytes, bytes], body: bytes, *, long_only: bool = False) -> tuple[Any, bool]:
    """(everything that is answered or refused, whether the short way did it)."""
    with watched(long_only=long_only) as short:
        try:
            reply = operation("m", model).answer(Asked(headers, b"", body, perf_counter()))
        except Refusal as error:
            return (error.status, error.kind, error.detail), False
        except InputError as error:
            return (error.fault, str(error)), False
        answer = reply.answer
        return (answer.body, list(answer.labels), answer.rows, reply.media_type, reply.headers, reply.status), short[0]


def same(model: Model, headers: dict[bytes, bytes], body: bytes) -> bool:
    """Whether the short way answers, which must be as the long one does."""
    before = model.drift.counts()
    answer, short = said(model, headers, body)
    seen = [
        [after - was for after, was in zip(a[1:], b[1:], strict=True)]
        for a, b in zip(model.drift.counts(), before, strict=True)
    ]
    middle = model.drift.counts()
    other, _ = said(model, headers, body, long_only=True)
    assert answer == other
    assert seen == [
        [after - was for after, was in zip(a[1:], b[1:], strict=True)]
        for a, b in zip(model.drift.counts(), middle, strict=True)
    ]
    return short


def row_of(model: Model) -> dict[str, Any]:
    return {feature.name: example(model.manifest)[feature.name] for feature in model.manifest.columns}


def by_column(model: Model, row: dict[str, Any], *, shape: tuple[int, ...] = (1,)) -> list[dict[str, Any]]:
    """One input a column, as the metadata says."""
    return [
        {"name": one.name, "shape": list(shape), "datatype": datatype_of(one), "data": [row[one.name]]}
        for one in model.manifest.columns
    ]


def by_matrix(row: dict[str, Any], name: str = "X") -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": [1, len(row)], "datatype": "FP64", "data": [float(value) for value in row.values()]}
    ]


def as_json(inputs: Any, **more: Any) -> tuple[dict[bytes, bytes], bytes]:
    return {b"content-type": b"application/json"}, json.dumps({**more, "inputs": inputs}).encode()


def behind(inputs: Any, **more: Any) -> tuple[dict[bytes, bytes], bytes]:
    body, length = binary(inputs, **more)
    return {b"inference-header-content-length": b"%d" % length}, body


def asked_for(model: Model) -> list[dict[str, Any]]:
    """Ways to ask for outputs that every model has."""
    first = model.manifest.outputs[0].method
    name = f"{first}_0" if len(model.manifest.outputs[0].tensors) > 1 else first
    return [
        {},
        {"id": "näme", "outputs": []},
        {"parameters": {"binary_data_output": True, "more": [1]}},
        {"outputs": [{"name": name}]},
        {"outputs": [{"name": name, "parameters": {"binary_data": True}}, {"name": name}], "id": ""},
        {"outputs": [{"name": name, "parameters": {"binary_data": False}}], "parameters": {"binary_data_output": True}},
        {"outputs": [{"name": name}, {"name": "nothing"}]},
        {"parameters": {"timeout": 60_000_000}},
        {"parameters": {"timeout": -1}},
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes(every: dict[str, Model], name: str) -> None:
    model = every[name]
    row = ROW if name == "flights" else row_of(model)
    inputs = [by_column(model, row), by_column(model, row, shape=(1, 1))]
    if name != "flights":
        inputs += [by_matrix(row), by_matrix(row, "input-0")]
    full = row | ({"gap": 0.5} if name == "flights" else {})  # nothing is missing behind JSON but NaN
    for more, given_, way in product(asked_for(model), range(len(inputs)), (as_json, behind)):
        sent = inputs[given_] if way is as_json or name != "flights" else by_column(model, full)
        short = same(model, *way(sent, **more))
        refused = {"name": "nothing"} in more.get("outputs", ()) or more.get("parameters", {}).get("timeout") == -1
        assert short is (not refused and name != "both"), (more, sent)


def test_what_goes_the_long_way(every: dict[str, Model]) -> None:
    """Whatever the protocol allows besides, and what it does not."""
    model = every["flights"]
    fine = by_column(model, ROW)
    for place, change in (
        (0, {"datatype": "FP32"}),
        (0, {"datatype": "INT64", "data": [1]}),
        (0, {"data": [[1.5]], "shape": [1, 1]}),
        (0, {"data": [1.5, 2.5], "shape": [2]}),
        (0, {"data": [1.5, 2.5]}),
        (0, {"data": []}),
        (0, {"data": ["1.5"]}),
        (0, {"data": [None]}),
        (0, {"data": [True]}),
        (0, {"data": 1.5}),
        (0, {"shape": []}),
        (0, {"shape": [1, 1, 1]}),
        (0, {"shape": [True]}),
        (0, {"shape": [1.0]}),
        (0, {"name": "other"}),
        (0, {"parameters": {"binary_data_size": 8}}),
        (0, {"parameters": None}),
        (5, {"data": [5.5]}),
        (6, {"data": [1]}),
        (6, {"data": ["ZZ"], "datatype": "FP64"}),
        (7, {"data": [2.0]}),
        (7, {"data": [3]}),
        (7, {"data": [2**63]}),
        (7, {"data": [True]}),
        (8, {"data": [1]}),
    ):
        changed = [*fine[:place], fine[place] | change, *fine[place + 1 :]]
        assert not same(model, *as_json(changed))
    junk = {"name": "junk", "shape": [1], "datatype": "FP64", "data": [1.0]}
    others: tuple[Any, ...] = ([*fine, junk], fine[::-1], fine[:-1], [*fine, fine[0]], [], None, {})
    for inputs in others:
        assert not same(model, *as_json(inputs))
    for inputs in (
        [fine[0] | {"parameters": {"content_type": "np"}}, *fine[1:]],
        [*fine[:6], fine[6] | {"data": ["ZZ"]}, *fine[7:]],
    ):
        assert same(model, *as_json(inputs))  # what is not read, and a carrier that is not known
    for body in (
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"inputs": NaN}',
        json.dumps({"inputs": fine}).encode().replace(b"1.5", b"NaN"),
    ):
        assert not same(model, {}, body)
    headers, body = behind(by_column(model, ROW | {"gap": 0.5}))
    for length in (b"x", b"1", b"%d" % len(body), b"%d" % (len(body) + 1)):
        assert not same(model, {b"inference-header-content-length": length}, body)
    for other in (
        body + b"\0",
        body[:-1],
        body[:-1] + b"\2",
        body.replace(b'"binary_data_size": 8', b'"binary_data_size": 9', 1),
    ):
        assert not same(model, headers, other)
    platform = (
        b"application/vnd.vertex-ai-triton.binary+json;json-header-size=" + headers[b"inference-header-content-length"]
    )
    assert same(model, {b"content-type": platform}, body)
    assert same(model, {b"content-type": b"application/json; charset=utf-8"}, json.dumps({"inputs": fine}).encode())


def test_what_may_be_missing_is_nan_or_left_out_behind_json(every: dict[str, Model]) -> None:
    model = every["flights"]
    fine = by_column(model, ROW | {"gap": 0.5})
    optional = [place for place, one in enumerate(model.manifest.columns) if one.missing]
    assert optional
    for place, feature in enumerate(model.manifest.columns):
        left_out = [*fine[:place], *fine[place + 1 :]]
        assert same(model, *behind(left_out)) is (place in optional)
        if feature.kind == "number":
            nan = [*fine[:place], fine[place] | {"data": [math.nan]}, *fine[place + 1 :]]
            assert same(model, *behind(nan)) is (place in optional)
    some = [one for place, one in enumerate(fine) if place != optional[0]]
    assert same(model, *behind([one | {"shape": [1, 1]} for one in some], outputs=[{"name": "predict"}]))
    for other in (
        [*some, some[0]],
        [*some, some[0] | {"name": "other"}],
        some[::-1],
        [some[0] | {"datatype": "FP32"}, *some[1:]],
        [some[0] | {"shape": [1, 1, 1]}, *some[1:]],
        [],
    ):
        assert not same(model, *behind(other))


def test_a_long_string_goes_the_long_way(every: dict[str, Model]) -> None:
    model = every["flights"].within(Limits(10, 5000))
    long = by_column(model, ROW | {"carrier": "a" * 5001})
    assert not same(model, *as_json(long))
    assert not same(model, *behind(by_column(model, ROW | {"carrier": "a" * 5001, "gap": 1.0})))
    assert same(model, *as_json(by_column(model, ROW | {"carrier": "a" * 100})))


VALUES = {
    "FP64": st.floats() | st.integers(-(2**70), 2**70) | st.sampled_from((0.0, -0.0, 5.0, 1e308, 3.5e38)),
    "BYTES": st.sampled_from(("AA", "UA", "", "é", "\0", "ZZ")) | st.text(max_size=3),
    "INT64": st.sampled_from((1, 2, 2**53, 2**53 + 1, -(2**63), 2**63 - 1, 2**63)),
    "BOOL": st.booleans(),
}


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_whatever_the_values(every: dict[str, Model], data: st.DataObject) -> None:
    model = every[data.draw(st.sampled_from(NAMES))]
    row = {
        one.name: data.draw(VALUES[datatype_of(one)] | (st.none() if one.missing else st.nothing()))
        for one in model.manifest.columns
    }
    same(model, *as_json(by_column(model, row)))
    numbers = {name: 0.0 if value is None else value for name, value in row.items()}
    if all(not isinstance(value, str) for value in numbers.values()):
        same(model, *as_json([by_matrix(dict.fromkeys(row, 0.0))[0] | {"data": list(row.values())}]))
    try:
        sent = behind(
            by_column(
                model,
                {name: "" if value is None else value for name, value in row.items()}
                if model is every["flights"]
                else numbers,
            )
        )
    except (OverflowError, ValueError, UnicodeEncodeError):
        return  # nothing that NumPy could write
    same(model, *sent)
    some = [  # what is missing is left out, or it is NaN where that can be
        one | {"data": [math.nan if one["data"] == [None] else one["data"][0]]}
        for one in by_column(model, row)
        if one["data"] != [None] or (one["datatype"] == "FP64" and data.draw(st.booleans()))
    ]
    same(model, *behind(some))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_whatever_the_bytes(every: dict[str, Model], data: st.DataObject) -> None:
    model = every["flights"]
    way = data.draw(st.sampled_from((as_json, behind)))
    headers, body = way(by_column(model, ROW | {"gap": 0.5}), outputs=[{"name": "predict_proba"}])
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.integers(0, len(body) - 1))
        body = body[:place] + data.draw(st.binary(max_size=2)) + body[place + data.draw(st.integers(0, 2)) :]
    same(model, headers, body)


def test_plans_are_bounded(every: dict[str, Model]) -> None:
    model = every["costs"]
    answer = operation("m", model).answer
    with watched() as short:
        for count in range(1, 200):
            wanted = [{"name": "predict", "parameters": {"binary_data": bool(count >> bit & 1)}} for bit in range(8)]
            headers, body = as_json(by_column(model, row_of(model)), outputs=wanted)
            assert answer(Asked(headers, b"", body, perf_counter())).status == 200
    assert all(short)
    (row,) = [cell.cell_contents for cell in answer.__closure__ or () if isinstance(cell.cell_contents, OneRow)]
    assert len(row._plans) <= 64
