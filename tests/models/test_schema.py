import pandas as pd
import pytest

from models.errors import SchemaError
from models.schema import Kind, check, check_unique

TABLE = pd.DataFrame(
    {
        "whole": [1, 2, 3],
        "real": [1.5, 2.5, 3.5],
        "holes": [1.5, None, 3.5],
        "word": ["a", "b", "c"],
        "words": ["a", None, "c"],
        "mixed": ["a", 1, None],
        "flag": [True, False, True],
        "nothing": [None, None, None],
    }
)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("whole", "integer"),
        ("whole", "number"),
        ("real", "number"),
        ("holes", "number?"),
        ("word", "text"),
        ("word", "text?"),
        ("words", "text?"),
        ("nothing", "number?"),
        ("nothing", "text?"),
    ],
)
def test_what_a_column_may_be(column: str, kind: Kind) -> None:
    check(TABLE, {column: kind}, "table.csv", "get another")


@pytest.mark.parametrize(
    ("column", "kind", "expected", "found"),
    [
        ("absent", "integer", "a column 'absent' of kind integer", "found only 'whole', 'real'"),
        ("real", "integer", "a column 'real' of kind integer", "found numbers"),
        ("word", "number", "a column 'word' of kind number", "found text"),
        ("flag", "number", "a column 'flag' of kind number", "found dtype bool"),
        ("whole", "text", "a column 'whole' of kind text", "found integers"),
        ("mixed", "text?", "a column 'mixed' of kind text", "found dtype object"),
        ("holes", "number", "a column 'holes' of kind number without gaps", "found 1 missing values"),
        ("words", "text", "a column 'words' of kind text without gaps", "found 1 missing values"),
    ],
)
def test_an_error_names_the_column_what_was_expected_what_was_found_and_what_to_do(
    column: str, kind: Kind, expected: str, found: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        check(TABLE, {"whole": "integer", column: kind}, "table.csv", "get another")
    message = str(caught.value)
    assert message.startswith(f"table.csv: expected {expected}, {found}")
    assert message.endswith("; get another")
    assert "\n" not in message


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"table\.csv: expected rows, found none"):
        check(TABLE.head(0), {"whole": "integer"}, "table.csv", "get another")


def test_a_key_must_be_unique() -> None:
    check_unique(TABLE, ("whole", "word"), "table.csv", "get another")
    with pytest.raises(
        SchemaError, match="expected one row for each 'whole' and 'word', found 3 repeated; get another"
    ):
        check_unique(pd.concat([TABLE, TABLE]), ("whole", "word"), "table.csv", "get another")
