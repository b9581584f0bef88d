"""Functions that reach what cannot listen in whatever way Python has: by name, through classes, objects and modules."""

import datetime
import functools
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import log1p
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy import asarray
from pandas import concat
from sklearn.preprocessing import FunctionTransformer

from convert.errors import UnsupportedError
from convert.lower.hooks import Untraceable
from convert.lower.rebound import rebound, traced

from .twins import model_of, twin_of

RNG = np.random.default_rng(7)
FRAME = pd.DataFrame(
    {
        "a": np.where(RNG.random(60) < 0.2, np.nan, RNG.normal(size=60)),
        "b": RNG.integers(0, 9, 60).astype(float),
        "c": RNG.choice(np.array(["Ulm", "Bonn", None], object), 60),
    }
)


def numbers(frame: Any) -> Any:
    return asarray(frame[["a", "b"]])


class Features:
    offset = 3.0

    def __init__(self, factor: float) -> None:
        self.factor = factor

    @classmethod
    def twice(cls) -> Any:
        return cls(2.0)

    @staticmethod
    def both(frame: Any) -> Any:
        return concat([frame[["a"]], frame[["b"]]], axis=1)

    @property
    def doubled(self) -> float:
        return self.factor * 2

    def values(self, frame: Any) -> Any:
        return numbers(frame) * self.doubled

    def __call__(self, frame: Any) -> Any:
        return self.values(frame) + self.offset


class More(Features):
    def values(self, frame: Any) -> Any:
        return super().values(frame) + 1


@dataclass(frozen=True, slots=True)
class Scale:
    by: float

    def __call__(self, frame: Any) -> Any:
        return numbers(frame) * self.by


def noted(function: Any) -> Any:
    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return called


@noted
def decorated(frame: Any) -> Any:
    return numbers(frame)


def imports(frame: Any) -> Any:
    import math as mathematics

    from numpy import c_

    return c_[frame["b"].apply(lambda number: mathematics.exp(-number)), frame["b"]]


MODULE = ModuleType("features")
MODULE.numbers = numbers  # type: ignore[attr-defined]
STEPS: list[Any] = [numbers, np.sign]
BY_NAME = {"numbers": numbers}
OBJECT = More(2.0)


def stepped(frame: Any) -> Any:
    for step in STEPS:
        frame = step(frame)
    return frame


def kinds(frame: Any) -> Any:
    """Functions for both arrays and frames ask which it is."""
    if not isinstance(frame, pd.DataFrame) or isinstance(frame, np.ndarray) or hasattr(frame, "nothing"):
        return frame["c"]
    column = frame["b"]
    return column.to_frame() if isinstance(column, pd.Series | np.ndarray) and hasattr(column, "to_frame") else None


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "by name": lambda df: df["b"].apply(lambda number: log1p(number)).to_frame(),
    "static": lambda df: Features.both(df),
    "class": lambda df: Features.twice().values(df),
    "bound": Features(3.0).values,
    "called": Features(3.0),
    "inherited": More(3.0),
    "slots": Scale(3.0),
    "object": lambda df: OBJECT(df) if isinstance(OBJECT, Features) and issubclass(More, Features) else df,
    "module": lambda df: MODULE.numbers(df),
    "partial": functools.partial(lambda df, step: step(df), step=numbers),
    "decorated": decorated,
    "listed": stepped,
    "in a dict": lambda df: BY_NAME["numbers"](df),
    "imports": imports,
    "kinds": kinds,
    "kinds of values": lambda df: pd.DataFrame(
        {
            "a": df["a"].apply(lambda value: -1.0 if isinstance(value, float) and math.isnan(value) else value),
            "c": df["c"].apply(lambda value: 1 if isinstance(value, str) else 0),
        }
    ),
    "types": lambda df: df[["a", "b"]].astype(float) * np.asarray([1, 2], dtype=float),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_a_function_reaches(name: str) -> None:
    function = FunctionTransformer(FUNCTIONS[name]).fit(FRAME)
    model = model_of(twin_of(function, FRAME))
    np.testing.assert_allclose(
        model.transform(FRAME).astype(float), np.asarray(function.transform(FRAME), float), 1e-12
    )


def test_an_array_has_no_columns() -> None:
    function = FunctionTransformer(lambda x: x["a"] if hasattr(x, "columns") else x * 2)
    array = FRAME[["a", "b"]].to_numpy()
    assert twin_of(function.fit(array), array).proof.level == "bit"


def test_nothing_of_anybodys_is_changed() -> None:
    own = [np.asarray, pd.concat, math.log1p, vars(Features)["values"], OBJECT.__dict__, STEPS]
    found: list[Any] = []

    def asked() -> None:
        found.extend([np.asarray, pd.concat, math.log1p, vars(Features)["values"], OBJECT.__dict__, STEPS])

    def function(frame: Any) -> Any:
        other = threading.Thread(target=asked)
        other.start()
        other.join()
        return OBJECT(frame)

    transformer = FunctionTransformer(function).fit(FRAME)
    with pytest.raises(UnsupportedError):
        twin_of(transformer.set_params(func=lambda df: np.spacing(function(df))), FRAME)
    assert found
    assert all(one is own[place % len(own)] for place, one in enumerate(found))


def year_of_today(frame: Any) -> Any:
    return frame * datetime.datetime.now().year


CLOCKS: list[Callable[[Any], Any]] = [
    lambda df: year_of_today(df[["b"]]),
    functools.partial(lambda df: df[["b"]] * time.localtime().tm_year),
    lambda df: df[["b"]] * pd.Timestamp("now").year,
    lambda df: df[["b"]] * np.datetime64("today").astype("M8[Y]").astype(int),
]


@pytest.mark.parametrize("function", CLOCKS)
def test_what_depends_on_the_day_is_refused(function: Any) -> None:
    """Today's proof would hold, and tomorrow's answers be wrong."""
    with pytest.raises(UnsupportedError, match="what time it is"):
        twin_of(FunctionTransformer(function).fit(FRAME), FRAME)


def test_a_caught_refusal_is_one() -> None:
    """And says what was caught first, whatever was raised then; the next conversion has nothing of it."""

    def caught(wrong: Any) -> Any:
        try:
            raise Untraceable("first")
        except Untraceable:
            if wrong:
                raise ValueError("second") from None
            return wrong

    for wrong in (True, False):
        with pytest.raises(Untraceable, match="first"):
            traced(caught, wrong)
    assert traced(lambda x: x, 3) == 3


def test_classes_that_tell_somebody_of_their_subclasses_have_none() -> None:
    told: list[type] = []

    class Registered:
        def __init_subclass__(cls) -> None:
            told.append(cls)

    class Failed(Exception):
        pass

    class Step(Registered):
        pass

    assert all(rebound(cls) is cls for cls in (Registered, Step, Failed, np.ndarray))
    assert told == [Step]
