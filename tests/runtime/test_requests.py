"""What a body may hold: the kinds of malformed, out of range and invalid requests, each with its sentence."""

import json
import math
import time
from typing import Any

import pytest

from runtime import InputError, Model

from .conftest import ROW


def refused(model: Model, body: Any) -> tuple[str, str, str]:
    """(fault, path, message) of a body that must be refused: bytes, or what is to be encoded."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InputError) as caught:
        model.predict_json(text)
    return caught.value.fault, caught.value.path, caught.value.message


def raw(name: str, text: str) -> bytes:
    """The row with a value spelled as it stands."""
    rest = json.dumps({key: value for key, value in ROW.items() if key != name})
    return f"{rest[:-1]}, {json.dumps(name)}: {text}}}".encode("utf-8", "surrogatepass")


NOT_JSON = "expected JSON, found what is not: JSON is malformed: invalid character (byte 0)"


@pytest.mark.parametrize(
    ("body", "fault", "path", "message"),
    [
        (b"", "malformed", "$", "expected JSON, found what is not: Input data was truncated"),
        (b" ", "malformed", "$", "expected JSON, found what is not: Input data was truncated"),
        (b"{", "malformed", "$", "expected JSON, found what is not: Input data was truncated"),
        (b"{}x", "invalid", "$", "missing required field 'dep time'"),
        (b"\xff\xfe", "malformed", "$", NOT_JSON),
        (b"\xef\xbb\xbf{}", "malformed", "$", NOT_JSON),
        (b"null", "invalid", "$", "expected object or array, got null"),
        (b"1", "invalid", "$", "expected object or array, got integer"),
        (b'"row"', "invalid", "$", "expected object or array, got string"),
        (b"[1]", "invalid", "$[0]", "expected object, got integer"),
        (b"[[1]]", "invalid", "$[0]", "expected object, got array"),
        (b"{}", "invalid", "$", "missing required field 'dep time'"),
        ([ROW, ROW | {"d.e": "1"}], "invalid", "$[1].d.e", "expected number, got string"),
        ([ROW, None], "invalid", "$[1]", "expected object, got null"),
        (ROW | {"other": 1}, "invalid", "$", "unknown field 'other'"),
        (ROW | {"o" * 100: 1}, "invalid", "$", f"unknown field '{'o' * 64}'"),
        (ROW | {"code": 7}, "invalid", "$.code", "expected one of the 3 categories seen in training, got another"),
    ],
)  # fmt: skip
def test_refused_bodies(every: dict[str, Model], body: Any, fault: str, path: str, message: str) -> None:
    assert refused(every["flights"], body) == (fault, path, message)


@pytest.mark.parametrize(
    ("name", "text", "fault", "message"),
    [
        ("d.e", '"1"', "invalid", "expected number, got string"),
        ("d.e", "true", "invalid", "expected number, got boolean"),
        ("d.e", "null", "invalid", "expected number, got null"),
        ("d.e", "[1]", "invalid", "expected number, got array"),
        ("d.e", "{}", "invalid", "expected number, got object"),
        ("d.e", "1e400", "range", "expected number that is finite, got one outside"),
        ("d.e", "-1e400", "range", "expected number that is finite, got one outside"),
        ("d.e", "9" * 400, "range", "expected number that is finite, got one outside"),
        ("d.e", "9" * 100_000, "range", "expected number that is finite, got one outside"),
        ("gap", '"1"', "invalid", "expected number or null, got string"),
        ("gap", "true", "invalid", "expected number or null, got boolean"),
        ("gap", "1e400", "range", "expected number that is finite, got one outside"),
        ("capped", "5.000001", "range", "expected number from 0 to 5, got one outside"),
        ("capped", "-1e-300", "range", "expected number from 0 to 5, got one outside"),
        ("capped", "1e400", "range", "expected number from 0 to 5, got one outside"),
        ("carrier", "1", "invalid", "expected string or null, got integer"),
        ("carrier", "true", "invalid", "expected string or null, got boolean"),
        ("code", '"1"', "invalid", "expected integer, got string"),
        ("code", "1.0", "invalid", "expected integer, got number"),
        ("code", "true", "invalid", "expected integer, got boolean"),
        ("code", "null", "invalid", "expected integer, got null"),
        ("code", "9" * 100_000, "invalid", "integer value out of range"),
        ("flag", "1", "invalid", "expected boolean, got integer"),
        ("flag", '"true"', "invalid", "expected boolean, got string"),
        ("junk", "[]", "invalid", "expected boolean or number or string or null, got array"),
        ("`q`", '"x"', "invalid", "expected number, got string"),
        ("naïve 航班", '"x"', "invalid", "expected number, got string"),
        ("dep time", '"x"', "invalid", "expected number, got string"),
    ],
)
def test_refused_values(every: dict[str, Model], name: str, text: str, fault: str, message: str) -> None:
    assert refused(every["flights"], raw(name, text)) == (fault, f"$.{name}", message)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "nan", "01", "+1", ".5", "1.", "'a'", '"\\ud800"'])
@pytest.mark.parametrize("name", ["d.e", "gap", "carrier", "junk"])
def test_what_json_has_not_is_malformed(every: dict[str, Model], name: str, text: str) -> None:
    fault, path, message = refused(every["flights"], raw(name, text))
    assert (fault, path) == ("malformed", "$")
    assert message.startswith("expected JSON, found what is not: ")


def test_invalid_utf8_is_malformed_and_not_quoted(every: dict[str, Model]) -> None:
    body = raw("carrier", '"\udcff"').replace(b"\xed\xb3\xbf", b"\xff")
    assert b'"\xff"' in body
    assert refused(every["flights"], body) == ("malformed", "$", "expected JSON in UTF-8, found another encoding")


@pytest.mark.parametrize("name", [name for name in ROW if name not in ("gap", "carrier")])
def test_a_missing_field_is_named(every: dict[str, Model], name: str) -> None:
    row = {key: value for key, value in ROW.items() if key != name}
    assert refused(every["flights"], row) == ("invalid", "$", f"missing required field {name!r}")
    assert refused(every["flights"], [ROW, row])[1] == "$[1]"


def test_a_field_that_may_be_missing_may_be_left_out(every: dict[str, Model]) -> None:
    left_out = {key: value for key, value in ROW.items() if key not in ("gap", "carrier")}
    assert answer(every["flights"], left_out) == answer(every["flights"], ROW | {"gap": None, "carrier": None})


def test_the_order_of_columns_is_irrelevant(every: dict[str, Model]) -> None:
    assert answer(every["flights"], dict(reversed(ROW.items()))) == answer(every["flights"], ROW)


def test_an_ignored_column_is_ignored(every: dict[str, Model]) -> None:
    for value in ("x", 1, 1.5, True, None):
        assert answer(every["flights"], ROW | {"junk": value}) == answer(every["flights"], ROW)


def test_the_last_of_duplicate_keys_counts(every: dict[str, Model]) -> None:
    body = json.dumps(ROW).encode()[:-1] + b', "d.e": 3}'
    assert (
        json.loads(every["flights"].predict_json(body))["probability"]
        == answer(every["flights"], ROW | {"d.e": 3})["probability"]
    )


def test_an_unseen_category_is_taken_where_the_pipeline_takes_it(every: dict[str, Model]) -> None:
    unseen = answer(every["flights"], ROW | {"carrier": "ZZ"})["probability"]
    assert unseen == answer(every["flights"], ROW | {"carrier": ""})["probability"]
    assert unseen != answer(every["flights"], ROW | {"carrier": None})["probability"]


def test_large_integers_are_told_apart(every: dict[str, Model]) -> None:
    answer(every["flights"], ROW | {"code": 2**53 + 1})
    assert refused(every["flights"], ROW | {"code": 2**53})[1] == "$.code"


@pytest.mark.parametrize("text", ["0", "-0.0", "1e-400", "5e-324", "1.7976931348623157e308", "9007199254740993", "1E2"])
def test_numbers_that_are_taken(every: dict[str, Model], text: str) -> None:
    found = json.loads(every["twice"].predict_json(f'{{"x": {text}, "y": 0}}'.encode()))["output"][0]
    expected = 2 * float(text)
    assert found == expected or (found is None and math.isinf(expected))
    assert found is None or math.copysign(1, found) == math.copysign(1, expected)


DEEP = 100_000

ENDLESS = 5.0
"""Seconds of processor time: a hundred times what these take on a slow machine, a fraction of what any of them takes
where the work grows with the square of the body."""


@pytest.mark.parametrize(
    "body",
    [
        b"[" * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b'{"dep time":' * DEEP,
        b'{"dep time":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"junk":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"other":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"other":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
        b"[" + b'{"dep time":' * DEEP + b"1" + b"}" * DEEP + b"]",
        b'{"' + b"a" * 10**6 + b'": 1}',
        b"{" + b", ".join(b'"k%d": 1' % number for number in range(100_000)) + b"}",
        b"[" + b"1," * 10**6 + b"1]",
    ],
    ids=range(11),
)
def test_attacks_are_refused_soon(every: dict[str, Model], body: bytes) -> None:
    start = time.process_time()
    fault, _, message = refused(every["flights"], body)
    assert time.process_time() - start < ENDLESS
    assert fault in ("invalid", "malformed")
    assert len(message) < 200


SECRET = "hunter2-4711"


@pytest.mark.parametrize("name", [*ROW, "junk"])
@pytest.mark.parametrize(
    "text", [f'"{SECRET}"', f'["{SECRET}"]', "471147114711471147", "1e399", '{"x": "' + SECRET + '"}']
)
def test_no_error_repeats_a_value(every: dict[str, Model], name: str, text: str) -> None:
    try:
        every["flights"].predict_json(raw(name, text))
    except InputError as error:
        said = f"{error} {error.path} {error.message}"
        assert SECRET not in said
        assert "4711" not in said
        assert "399" not in said


def answer(model: Model, row: Any) -> dict[str, Any]:
    """The answer to a row, without its time."""
    found: dict[str, Any] = json.loads(model.predict_json(json.dumps(row).encode()))
    del found["latency_ms"]
    return found
