"""Random pipelines over random tables: proven, and right on fresh rows too, or refused by name."""

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from sklearn.impute import KNNImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from runtime.model import Model

from .drawn.check import check
from .drawn.pipelines import Case, cases
from .drawn.tables import Column, Table

EXAMPLES = int(os.environ.get("RANDOM_PIPELINES", "1500"))
"""How many `make test-all` draws."""

# What scikit-learn itself refuses is drawn in vain; a fit takes what it takes.
ANY = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True)


@settings(ANY, max_examples=30, derandomize=True)
@given(cases())
def test_a_random_pipeline_is_proven_or_refused_by_name(case: Case) -> None:
    """The same ones every time."""
    check(case)


@pytest.mark.slow
@settings(ANY, max_examples=EXAMPLES)
@given(cases())
def test_many_random_pipelines(case: Case) -> None:
    """Others every time."""
    check(case)


CASE = Case(
    Table((Column("a", "normal"), Column("größe in m", "huge", gaps=False))),
    rows=30,
    seed=3,
    target="number",
    array=False,
    pipeline=Pipeline([("model", LinearRegression())]),
)


def test_a_wrong_lowering_is_found_and_shown_as_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed makes the pipeline again."""
    import convert.lower.linear as linear

    right = linear.linear
    monkeypatch.setattr(linear, "linear", lambda x, weights, biases: right(x, np.multiply(weights, 1 + 1e-9), biases))
    with pytest.raises(AssertionError, match="within 1e-12 of the pipeline's") as caught:
        check(CASE)
    code = str(caught.value).partition("\n\n")[0]
    from .drawn import tables

    made: dict[str, Any] = {}
    exec(code, {**vars(tables), "Pipeline": Pipeline, "LinearRegression": LinearRegression}, made)
    assert made["pipeline"][-1].coef_.tolist() == CASE.fitted()[-1].coef_.tolist()


def test_a_wrong_answer_to_fresh_rows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the proof has seen nothing."""
    right = Model.apply
    monkeypatch.setattr(Model, "apply", lambda self, output, X: right(self, output, X) * (1 + 1e-9))
    with pytest.raises(AssertionError, match="predict of fresh rows"):
        check(CASE)


HANGING = Case(
    Table((Column(0, "binary", True), Column(1, "binary", True), Column(2, "constant"), Column(3, "integers", True))),
    rows=60,
    seed=444,
    target="number",
    array=False,
    pipeline=Pipeline([("prep", KNNImputer(n_neighbors=3)), ("model", LinearRegression())]),
)
"""Where it fills a gap it chooses among donors whose distances are a rounding."""


@pytest.mark.parametrize("factor", [1.0, 1 + 1e-9])
def test_fresh_rows_that_hang_on_a_rounding_excuse_no_others(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    right = Model.apply
    monkeypatch.setattr(Model, "apply", lambda self, output, X: right(self, output, X) * factor)
    if factor == 1:
        assert check(HANGING) == "ulp"
    else:
        with pytest.raises(AssertionError, match="predict of fresh rows"):
            check(HANGING)


def test_a_sentence_that_nobody_expects_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is only right if it is listed."""
    import convert.lower.linear as linear
    from convert.errors import UnsupportedError

    def refuse(*_: Any) -> Any:
        raise UnsupportedError("expected another day")

    monkeypatch.setattr(linear, "linear", refuse)
    with pytest.raises(AssertionError, match=r"pipeline\['model'\]: expected another day"):
        check(CASE)
