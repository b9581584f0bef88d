"""POST /invocations as MLflow's clients and SageMaker send it, and the pages beside it."""

from typing import Any

import pytest

from runtime import Model
from runtime.service.front import Front
from runtime.service.logs import Line

from ..asgi import Answer, get, post
from ..conftest import ROW
from .forms import columns, strict

OTHER = ROW | {"d.e": 9.5, "flag": False, "gap": 0.25, "carrier": None}
ROWS = [ROW, OTHER]
NAMES = list(reversed(ROW))


def invoke(service: Front, body: Any, kind: str | None = "application/json", accept: str = "*/*") -> Answer:
    """POST /invocations."""
    headers = {"accept": accept} | ({"content-type": kind} if kind is not None else {})
    return post(service, "/invocations", body.encode() if isinstance(body, str) else body, headers=headers)


def error(answer: Answer, status: int, code: str) -> str:
    """The sentence of an error in MLflow's shape."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    found = strict(answer.body)
    assert found.keys() == {"error_code", "message"}
    assert found["error_code"] == code
    return str(found["message"])


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": NAMES, "data": [[row[name] for name in NAMES] for row in ROWS]}},
        {
            "dataframe_split": {
                "columns": NAMES,
                "index": [7, 8],
                "data": [[row[name] for name in NAMES] for row in ROWS],
            }
        },
        {"dataframe_split": {"columns": ["more", *NAMES], "data": [[1, *map(r.get, NAMES)] for r in ROWS]}},
        {"dataframe_records": ROWS},
        {"dataframe_records": [row | {"more": [1, {}]} for row in ROWS]},
        {"instances": ROWS},
        {"inputs": ROWS},
        {"inputs": columns(ROWS)},
        {"inputs": columns(ROWS) | {"more": [1, 2]}},
        {"inputs": columns(ROWS), "params": {}},
        {"inputs": columns(ROWS), "params": None},
        {"instances": [[*row.values(), "ignored"] for row in ROWS]},
    ],
)
def test_every_form(service: Front, flights: Model, lines: list[Line], body: Any) -> None:
    answer = invoke(service, body)
    assert answer.status == 200, answer
    assert strict(answer.body) == {"predictions": flights.predict(ROWS).tolist()}
    assert (lines[0].route, lines[0].model, lines[0].rows) == ("/invocations", "default", 2)


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", None])
def test_content_types(numeric: Front, kind: str | None) -> None:
    assert invoke(numeric, {"instances": [[1, 2]]}, kind).status == 200


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/csv", "application/json; charset=latin-1", "application/json; q=1", "text/csv;"],
)
def test_content_types_that_are_not(numeric: Front, kind: str) -> None:
    answer = invoke(numeric, {"instances": [[1, 2]]}, kind)
    assert answer.status == 415
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"instances": [[1, 2]], "inputs": [[1, 2]]},
        {"rows": [[1, 2]]},
        {"instances": [[1, 2]], "rows": 1},
        {"instances": 1},
        {"instances": {"x": 1}},
        {"instances": [[1]]},
        {"instances": [[1, 2], {"x": 1}]},
        {"instances": [{"x": 1}, [1, 2]]},
        {"instances": [[1, "2"]]},
        {"instances": [[1, True]]},
        {"instances": [[1, [2, 3]]]},
        {"instances": [[1, {"a": 1}]]},
        {"instances": [1, 2]},
        {"inputs": 1},
        {"inputs": "x"},
        {"inputs": {"x": [1, 2], "y": [1]}},
        {"inputs": {"x": [1, 2], "y": 1}},
        {"inputs": {"x": {"a": 1}, "y": {"a": 1}}},
        {"dataframe_records": {"x": 1}},
        {"dataframe_records": [1]},
        {"dataframe_records": [{"x": 1}, 2]},
        {"dataframe_split": []},
        {"dataframe_split": {}},
        {"dataframe_split": {"columns": ["x", "y"]}},
        {"dataframe_split": {"columns": ["x", "y"], "data": 1}},
        {"dataframe_split": {"columns": ["x", "y"], "data": [1]}},
        {"dataframe_split": {"columns": ["x", "y"], "data": [[1]]}},
        {"dataframe_split": {"columns": ["x", "x"], "data": [[1, 2]]}},
        {"dataframe_split": {"columns": ["x", 2], "data": [[1, 2]]}},
        {"dataframe_split": {"columns": "xy", "data": [[1, 2]]}},
        {"dataframe_split": {"columns": ["x", "y"], "data": [[1, 2]], "more": 1}},
        {"instances": [[1, 2]], "params": {"method": "predict_proba"}},
        "{",
        "1",
        "null",
        '"instances"',
        '{"instances": [[1, 1e999]]}',
        '{"instances": [[1, Infinity]]}',
        '{"instances": [[1, ' + "9" * 400 + "]]}",
        '{"instances": [[1, ' + "9" * 5000 + ", NaN]]}",
        '{"instances": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"instances": ' + "[" * 100000 + "NaN",
    ],
)
def test_what_is_refused(numeric: Front, body: Any) -> None:
    answer = invoke(numeric, body)
    assert answer.status == 400, answer
    assert strict(answer.body)["error_code"] in ("BAD_REQUEST", "INVALID_PARAMETER_VALUE")


def test_errors_name_the_field_and_never_the_value(service: Front) -> None:
    answer = invoke(service, {"inputs": columns([ROW, ROW | {"d.e": "secret"}])})
    message = error(answer, 400, "INVALID_PARAMETER_VALUE")
    assert message == "$.inputs[1].d.e: expected number, got string"
    answer = invoke(service, {"dataframe_records": [{k: v for k, v in ROW.items() if k != "capped"}]})
    assert error(answer, 400, "INVALID_PARAMETER_VALUE") == "$.dataframe_records[0]: missing required field 'capped'"
    assert error(get(service, "/invocations"), 405, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("name", "status"), [("gap", 200), ("carrier", 200), ("d.e", 400), ("code", 400), ("flag", 400)]
)
def test_missing_values(service: Front, flights: Model, name: str, status: int) -> None:
    for value in (None, float("nan")):
        answer = invoke(service, {"dataframe_records": [ROW | {name: value}]})
        assert answer.status == status
        if status == 200:
            assert strict(answer.body)["predictions"] == flights.predict([ROW | {name: None}]).tolist()


def test_no_rows(numeric: Front) -> None:
    bodies: tuple[Any, ...] = (
        {"instances": []},
        {"inputs": []},
        {"dataframe_records": []},
        {"dataframe_split": {"columns": ["x", "y"], "data": []}},
        {"inputs": {"x": [], "y": []}},
    )
    for body in bodies:
        assert strict(invoke(numeric, body).body) == {"predictions": []}
    assert strict(invoke(numeric, []).body) == []


def csv(rows: list[dict[str, Any]], names: list[str] | None) -> str:
    """Rows as pandas writes them."""

    def cell(value: Any) -> str:
        return "" if value is None else str(value)

    lines = [",".join(f'"{name}"' for name in names)] if names else []
    order = names or [*ROW, "junk"]
    return "\n".join([*lines, *(",".join(cell(row.get(name)) for name in order) for row in rows)]) + "\n"


def test_csv_with_a_header_is_read_by_its_names(service: Front, flights: Model) -> None:
    expected = {"predictions": flights.predict(ROWS).tolist()}
    for text in (csv(ROWS, NAMES), csv(ROWS, ["more", *NAMES]), "\ufeff" + csv(ROWS, NAMES).replace("\n", "\r\n")):
        assert strict(invoke(service, text, "text/csv").body) == expected
    assert strict(invoke(service, csv(ROWS, NAMES), "text/csv; charset=utf-8; header=present").body) == expected


def test_csv_without_a_header_is_read_by_position(service: Front, flights: Model) -> None:
    expected = flights.predict(ROWS).tolist()
    for kind in ("text/csv", "text/csv; header=absent"):
        assert strict(invoke(service, csv(ROWS, None), kind).body) == expected
    answer = invoke(service, csv(ROWS, None), "text/csv", "text/csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.body.decode() == "".join(f"{label}\n" for label in expected)


@pytest.mark.parametrize("cell", ["", "NA", "nan", "NaN", "null", "None", "N/A"])
def test_csv_cells_that_are_missing(service: Front, flights: Model, cell: str) -> None:
    text = csv([ROW | {"gap": cell, "carrier": cell}], NAMES)
    expected = flights.predict([ROW | {"gap": None, "carrier": None}]).tolist()
    assert strict(invoke(service, text, "text/csv").body)["predictions"] == expected
    assert invoke(service, csv([ROW | {"d.e": cell}], NAMES), "text/csv").status == 400


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "x,y\n1\n",
        "x,y\n1,2,3\n",
        "x,y\n1,a\n",
        "x,y\n1,1_0\n",
        "x,x\n1,2\n",
        'x,y\n1,"2\n',
        "1,2,3\n",
        "x,y\n1,inf\n",
    ],
)
def test_csv_that_is_refused(numeric: Front, text: str) -> None:
    assert invoke(numeric, text, "text/csv").status == 400
    assert invoke(numeric, b"x,y\n\xff,1\n", "text/csv").status == 400


def test_a_required_column_that_csv_has_not(service: Front) -> None:
    names = [name for name in NAMES if name != "d.e"]
    answer = invoke(service, csv(ROWS, names), "text/csv")
    assert error(answer, 400, "INVALID_PARAMETER_VALUE") == "missing required field 'd.e'"


def test_sagemaker_takes_bare_rows(numeric: Front) -> None:
    expected = numeric.serving.catalog.models["default"].predict([{"x": 1, "y": 2}, {"x": 3, "y": None}]).tolist()
    for body in ([[1, 2], [3, None]], [{"y": 2, "x": 1}, {"x": 3}]):
        assert strict(invoke(numeric, body).body) == expected
    answer = invoke(numeric, [[1, 2], [3, None]], accept="text/csv")
    assert [float(line) for line in answer.body.decode().split()] == expected
    answer = invoke(numeric, [[1, 2]], accept="application/x-npy")
    assert error(answer, 406, "BAD_REQUEST")
    assert invoke(numeric, [[1, 2]], accept="application/x-npy, application/json;q=0.5").status == 200


def test_several_numbers_a_row_as_csv(every: dict[str, Model]) -> None:
    from runtime.service import app

    answer = invoke(app(every["costs"]), [[1, 2]], accept="text/csv")
    assert [float(cell) for cell in answer.body.decode().split(",")] == every["costs"].predict([[1, 2]])[0].tolist()


def test_pages(service: Front, empty: Front) -> None:
    assert get(service, "/ping").status == get(service, "/health").status == 200
    assert strict(get(service, "/ping").body)
    assert get(empty, "/ping").status == 503
    version = get(service, "/version")
    assert version.headers["content-type"].startswith("text/plain")
    assert version.body.strip()


def test_no_default_and_no_model(every: dict[str, Model], empty: Front) -> None:
    from runtime.service import app

    assert error(invoke(app(every), {"instances": []}), 404, "RESOURCE_DOES_NOT_EXIST")
    assert error(invoke(empty, {"instances": []}), 503, "TEMPORARILY_UNAVAILABLE")
