"""A random table and a random pipeline to be fitted on it."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline

from convert.reference import reference

from .models import TARGETS, models
from .steps import preparations
from .tables import Table, tables, target

__all__ = ["Case", "cases"]


@dataclass(frozen=True)
class Case:
    """A pipeline to be fitted and its data; prints as code.

    target: of ``tables.target``; None for none.
    array: whether the pipeline is given an ndarray.
    """

    table: Table
    rows: int
    seed: int
    target: str | None
    array: bool
    pipeline: Any

    def sample(self, rows: int | None = None, seed: int | None = None) -> Any:
        """The data, or other rows of the same table."""
        make = self.table.array if self.array else self.table.frame
        return make(rows or self.rows, self.seed if seed is None else seed)

    def fitted(self) -> Any:
        """The pipeline, fitted; raises what scikit-learn raises."""
        y = None if self.target is None else target(self.target, self.rows, self.seed)
        with reference():
            return clone(self.pipeline).fit(self.sample(), y)

    def __repr__(self) -> str:
        source = "array" if self.array else "frame"
        y = "" if self.target is None else f", target({self.target!r}, {self.rows}, {self.seed})"
        pipeline = self.pipeline.__repr__(N_CHAR_MAX=10**6)
        return f"X = {self.table}.{source}({self.rows}, {self.seed})\npipeline = {pipeline}.fit(X{y})\n"


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A preparation and a model, one in the other's Pipeline."""
    table = draw(tables())
    kind = draw(st.sampled_from(["classifier", "classifier", "regressor", "regressor", "labels", "numbers", "none"]))
    goal = draw(st.sampled_from(TARGETS[kind]))
    # A frame with integers for names is given by place.
    array = draw(st.integers(0, 4)) == 0 and not any(column.dated for column in table.columns)
    named = not array and isinstance(table.columns[0].name, str)
    steps: list[tuple[str, BaseEstimator]] = [("prep", draw(preparations(table, named, goal)))]
    model = draw(models(kind))
    rows = draw(st.sampled_from([30, 60, 12]))
    seed = draw(st.integers(0, 1000))
    return Case(table, rows, seed, goal, array, Pipeline([*steps, ("model", model)]))
