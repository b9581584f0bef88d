"""Tables of mixed columns, small enough to print, as odd as those that people have."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

__all__ = ["CATEGORIES", "DATES", "NUMBERS", "Column", "Table", "tables", "target"]

NUMBERS = (
    "normal",
    "integers",
    "binary",
    "constant",
    "tiny",
    "huge",
    "mixed",
    "tied",
    "float32",
    "int8",
    "bool",
    "Int64",
    "boolean",
)
CATEGORIES = ("words", "unicode", "one word", "category", "string", "numbers", "bools", "big integers")
DATES = {
    "days": ("M8[s]", 86_400, -7_000, 30_000),
    "few days": ("M8[us]", 86_400 * 10**6, 0, 4),
    "seconds": ("M8[s]", 1, -(2 * 10**9), 4 * 10**9),
    "milliseconds": ("M8[ms]", 1, -(2 * 10**12), 4 * 10**12),
    "microseconds": ("M8[us]", 1, -(8 * 10**15), 8 * 10**15),
    "nanoseconds": ("M8[ns]", 1_000, -(8 * 10**15), 8 * 10**15),
    "far": ("M8[s]", 1, -62_135_596_800, 253_402_300_800),
    "UTC": ("M8[us]", 10**6, -(2 * 10**9), 4 * 10**9),
    "Europe/Berlin": ("M8[us]", 10**6, -(2 * 10**9), 4 * 10**9),
    "+05:30": ("M8[ns]", 10**9, -(2 * 10**9), 4 * 10**9),
    "ISO": ("M8[s]", 1, -(2 * 10**9), 4 * 10**9),
    "ISO with Z": ("M8[s]", 1, -(2 * 10**9), 4 * 10**9),
}
"""Dates and times: what they are kept in, and of so many of its units all from the first number to before the second;
by the name of their zone, those that have one. What begins with ISO are strings."""
ZONES = ("UTC", "Europe/Berlin", "+05:30")
WORDS: dict[str, list[Any]] = {
    "words": ["a", "b", "c", "d"],
    "unicode": ["Köln", "São Paulo", "東京", "", " ", "a\u0308"],
    "one word": ["same"],
    "category": ["low", "middle", "high"],
    "string": ["x", "y", "z"],
    "numbers": [3, 1, 2],
    "bools": [True, False],
    "big integers": [2**60, 2**60 + 1, 2**60 + 2],
}


@dataclass(frozen=True)
class Column:
    """One column.

    name: a string, or an integer.
    kind: of NUMBERS, CATEGORIES or DATES.
    gaps: whether values are missing.
    """

    name: Any
    kind: str
    gaps: bool = False

    @property
    def categorical(self) -> bool:
        return self.kind in CATEGORIES

    @property
    def dated(self) -> bool:
        return self.kind in DATES

    def values(self, rows: int, rng: np.random.Generator) -> Any:
        """Drawn values [rows], in the dtype that the kind says."""
        missing = (rng.random(rows) < 0.2) & (np.arange(rows) > 0) if self.gaps else np.zeros(rows, bool)
        if self.dated:
            return _dates(self.kind, missing, rng)
        if self.categorical:
            words = WORDS[self.kind]
            # All but the last are frequent; the last may not come at all.
            weights = np.array([1.0] * (len(words) - 1) + [0.15])
            places = rng.choice(len(words), rows, p=weights / weights.sum())
            cells = np.empty(rows, object)
            cells[:] = [None if gone else words[place] for gone, place in zip(missing, places, strict=True)]
            if self.kind == "category":
                return pd.Categorical(cells, words)
            if self.kind == "string":
                return pd.array(cells, "str")
            if self.kind == "big integers" and not self.gaps:
                return cells.astype(np.int64)
            return cells
        numbers = _numbers(self.kind, rows, rng)
        if self.kind in ("Int64", "boolean"):
            array = pd.array(numbers, self.kind)
            array[missing] = pd.NA
            return array
        if not self.gaps:
            return numbers
        return np.where(missing, np.nan, numbers.astype(np.float32 if self.kind == "float32" else np.float64))


def _dates(kind: str, missing: Any, rng: np.random.Generator) -> pd.Series:
    dtype, step, low, high = DATES[kind]
    column = pd.Series((rng.integers(low, high, len(missing)) * step).astype(dtype)).mask(missing)
    if kind.startswith("ISO"):
        texts = column.dt.strftime("%Y-%m-%dT%H:%M:%S" + "Z" * kind.endswith("Z"))
        return texts.astype(object).where(~missing, None)
    return column.dt.tz_localize("UTC").dt.tz_convert(kind) if kind in ZONES else column


def _numbers(kind: str, rows: int, rng: np.random.Generator) -> Any:
    normal = rng.normal(size=rows)
    match kind:
        case "integers":
            return rng.integers(-5, 6, rows)
        case "binary":
            return rng.integers(0, 2, rows)
        case "constant":
            return np.full(rows, 0.1)
        case "tiny":
            return normal * 1e-40
        case "huge":
            return normal * 1e30
        case "mixed":
            return normal * 10.0 ** rng.integers(-8, 9, rows)
        case "tied":
            return np.round(normal, 1)
        case "float32":
            return normal.astype(np.float32)
        case "int8":
            return rng.integers(-128, 128, rows).astype(np.int8)
        case "bool" | "boolean":
            return rng.random(rows) < 0.5
        case "Int64":
            return rng.integers(0, 100, rows)
    return normal


@dataclass(frozen=True)
class Table:
    """Columns of different names, all strings or all integers."""

    columns: tuple[Column, ...]

    def frame(self, rows: int, seed: int) -> pd.DataFrame:
        """So many rows."""
        rng = np.random.default_rng(seed)
        return pd.DataFrame({column.name: column.values(rows, rng) for column in self.columns})

    def array(self, rows: int, seed: int) -> Any:
        """The same as an ndarray: of float64, or of objects where there are categories."""
        frame = self.frame(rows, seed)
        if any(column.categorical for column in self.columns):
            return frame.astype(object).where(frame.notna(), np.nan).to_numpy()
        return frame.to_numpy(np.float64, na_value=np.nan)


NAMES = ("a", "b", "größe in m", "x[0]", "東京", "d.e", "a__b", "predict")


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """One column to eight."""
    numbers = st.tuples(st.sampled_from(NUMBERS), st.booleans())
    categories = st.tuples(st.sampled_from(CATEGORIES), st.booleans())
    kinds = draw(st.lists(numbers, min_size=1, max_size=4)) + draw(st.lists(categories, max_size=2))
    dated = draw(st.integers(0, 3)) == 0
    if dated:
        kinds += draw(st.lists(st.tuples(st.sampled_from(tuple(DATES)), st.booleans()), min_size=1, max_size=2))
    kinds = draw(st.permutations(kinds))
    named = draw(st.integers(0, 4)) < 4 or dated  # functions of dates know the names of columns
    names: list[Any] = draw(st.permutations(NAMES)) if named else list(range(len(kinds)))
    return Table(tuple(Column(name, kind, gaps) for name, (kind, gaps) in zip(names, kinds, strict=False)))


def target(kind: str, rows: int, seed: int) -> Any:
    """What is to be predicted, [rows] or [rows, 2]."""
    rng = np.random.default_rng(seed + 1)
    number = rng.normal(size=rows)
    thirds = np.digitize(number, [-0.4, 0.4])
    match kind:
        case "yes or no":
            return np.where(number > 0, "yes", "no")
        case "three":
            return np.array(["low", "middle", "hoch"])[thirds]
        case "integers":
            return np.array([10, -2, 7])[thirds]
        case "bools":
            return number > 0
        case "floats":
            return np.where(number > 0, 1.0, 2.0)
        case "labels":
            return np.column_stack([number > 0, rng.random(rows) < 0.5]).astype(int)
        case "positive":
            return np.abs(number) + 0.1
        case "two numbers":
            return np.column_stack([number, rng.normal(size=rows)])
    return number
