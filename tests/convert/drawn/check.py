"""What is required of a drawn pipeline: a proof that holds for fresh rows, or a sentence that is expected."""

import re
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from convert.bounds import Bounds
from convert.build import Twin
from convert.errors import ConvertError, ParityError
from convert.lower import offered
from convert.reference import dense, reference
from convert.settled import first_of_equals
from convert.shaken import Shaken
from runtime.errors import InputError
from tests.convert.lower.twins import model_of, twin_of

from .pipelines import Case

__all__ = ["check"]

FRESH = 24
"""Rows that neither the pipeline nor the proof has seen."""

REFUSALS = (
    r"expected a DummyClassifier that answers alike each time",
    r"expected numbers, found .* in the place of missing ones",  # which the pipeline then answers, or raises for
    r"expected one kind of missing value in column .*, found None and NaN",
    r"expected answers that do not hang on a rounding, found that those to \d+ of \d+ rows of the sample do",
    r"differ by up to \S+ of their magnitude, no more than roundings on their way come to",
)
"""Sentences of ConvertError that are right."""


def check(case: Case) -> str | None:
    """How it went: ``bit``, ``ulp``, a ConvertError's sentence, or None where scikit-learn itself does not take the
    case. Raises AssertionError for anything else."""
    try:
        pipeline = case.fitted()
        for method in offered(pipeline):
            answers(pipeline, method, case.sample())
    except Exception:  # scikit-learn's own limits are not at issue
        return None
    try:
        twin = twin_of(pipeline, case.sample())
    except ConvertError as error:
        if not any(re.search(refusal, str(error)) for refusal in REFUSALS):
            worst = error.worst if isinstance(error, ParityError) else ""
            raise AssertionError(f"{case}\n{error}\n{worst}") from error
        return str(error)
    with first_of_equals():  # of equally near rows KNNImputer takes those that the processor has first
        compare(case, pipeline, twin)
    return twin.proof.level


def answers(pipeline: Pipeline, method: str, rows: Any) -> Any:
    """The reference is scikit-learn on float64."""
    if isinstance(rows, pd.DataFrame):
        rows = rows.astype({name: np.float64 for name, dtype in rows.dtypes.items() if dtype == np.float32})
    with reference():
        return dense(getattr(pipeline, method)(rows))


def compare(case: Case, pipeline: Pipeline, twin: Twin) -> None:
    """Fresh rows, together and one by one, held to what the proof holds its own to."""
    model = model_of(twin)
    fresh = with_nan(case.sample(FRESH, case.seed + 1), twin)
    first = twin.manifest.outputs[0].method
    taken = []
    for row in range(FRESH):
        try:
            answers(pipeline, first, part(fresh, [row]))
        except Exception:
            try:
                model.apply(twin.manifest.outputs[0], part(fresh, [row]))
            except InputError:
                continue
        else:
            taken.append(row)
    if not taken:
        return
    rows = part(fresh, taken)
    bounds = Bounds.of(twin.scope, model.tensors.of(rows), (len(taken),), Shaken(model, twin.graph, twin.scope))
    expected = {output.method: answers(pipeline, output.method, rows) for output in twin.manifest.outputs}
    floors = {method: twin.proof.outputs[method].floor for method, wanted in expected.items() if is_float(wanted)}
    for output in twin.manifest.outputs:
        wanted = expected[output.method]
        together = model.apply(output, rows)
        single = [model.apply(output, part(rows, [row])) for row in range(len(taken))]
        alone = (
            [np.concatenate(parts) for parts in zip(*single, strict=True)]
            if isinstance(wanted, list)
            else np.concatenate(single)
        )
        tied = bounds.tied(expected, floors) if output.labels and twin.proof.level == "ulp" else None
        for found in (together, alone):
            text = f"{case}\n{output.method} of fresh rows {taken}\nexpected {wanted}\nfound {found}"
            comparison = bounds.compared(output, wanted, found, floors.get(output.method), tied)
            assert twin.proof.level == "ulp" or comparison.identical.all(), text
            assert not comparison.unexplained, text


def with_nan(rows: Any, twin: Twin) -> Any:
    """Rows with NaN for None among objects that are numbers: null is NaN to the twin where the sample has no gap there,
    for nothing says that the pipeline should be given something else."""
    if isinstance(rows, np.ndarray):
        return rows
    rows = rows.copy()
    for place, feature in enumerate(twin.manifest.inputs):
        column = rows.iloc[:, place]
        if feature.kind == "number" and column.dtype == object:
            rows.isetitem(place, column.where(column.notna(), np.nan))
    return rows


def is_float(answer: Any) -> bool:
    first = answer[0] if isinstance(answer, list) else answer
    return bool(first.dtype.kind == "f")


def part(rows: Any, places: list[int]) -> Any:
    return rows[places] if isinstance(rows, np.ndarray) else rows.iloc[places]
