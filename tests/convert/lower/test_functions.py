"""FunctionTransformer beside its twin: what is traced, and what is refused with its reason."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from convert.errors import UnsupportedError

from .samples import GAPS, RNG, THREE, X
from .twins import levels, model_of, twin_of

POSITIVE = np.exp(X)
FRAME = pd.DataFrame(POSITIVE, columns=["age", "b c", "d", "e", "f"])
MIXED = FRAME.assign(city=RNG.choice(["Ulm", "Bonn"], len(X)))


def traced(function: Any, data: Any = X, **parameters: Any) -> str:
    transformer = FunctionTransformer(function, **parameters).fit(data)
    return twin_of(transformer, data).proof.level


UNARY = [
    np.abs, np.sign, np.sqrt, np.square, np.cbrt, np.negative, np.exp, np.exp2, np.expm1, np.log, np.log1p, np.log2,
    np.log10, np.sin, np.cos, np.tanh, np.sinh, np.cosh, np.floor, np.ceil, np.trunc, np.rint, np.reciprocal,
    np.isnan, np.isfinite, np.signbit, np.deg2rad, np.logical_not, np.nan_to_num, np.zeros_like, np.ones_like,
]  # fmt: skip


@pytest.mark.parametrize("function", UNARY, ids=lambda function: function.__name__)
def test_elementwise(function: Any) -> None:
    """Of ordinary numbers; at the ends of float64 a sine is another library's."""
    bounded = make_pipeline(FunctionTransformer(partial(np.clip, a_min=0.01, a_max=20)), FunctionTransformer(function))
    assert twin_of(bounded.fit(POSITIVE), POSITIVE).proof.level in ("bit", "ulp")


@pytest.mark.parametrize(
    "function",
    [np.abs, np.sign, np.sqrt, np.square, np.negative, np.expm1, np.log1p, np.floor, np.rint, np.isnan, np.isinf,
     np.nan_to_num, np.signbit, np.cbrt, np.reciprocal],
    ids=lambda function: function.__name__,
)  # fmt: skip
def test_elementwise_of_any_number(function: Any) -> None:
    assert traced(function, GAPS) in ("bit", "ulp")


EXACT: dict[str, Callable[[Any], Any]] = {
    "arithmetic": lambda x: (x - 1.5) * 2 / 3 + x,
    "ratio": lambda x: x[:, [0]] / x[:, [1]],
    "flat ratio": lambda x: x[:, 0] / x[:, 1],
    "columns": lambda x: np.column_stack([x[:, 0] * x[:, 1], x[:, 2]]),
    "concatenated": lambda x: np.concatenate([x, x**2, x[:, :2] ** -1], axis=1),
    "hstack": lambda x: np.hstack((x, np.sqrt(np.abs(x)))),
    "stacked": lambda x: np.stack([x[:, 0], x[:, 3]], axis=1),
    "chosen": lambda x: x[:, ::-2],
    "listed": lambda x: x[..., [4, 0]],
    "clipped": lambda x: np.clip(x, -0.5, 0.7),
    "where": lambda x: np.where(x > 0, x, 0.1 * x),
    "truths": lambda x: (x > 0) & ~(x > 1) | (x == 0.25),
    "counted": lambda x: (x[:, [0]] > 0) + 1.0,
    "select": lambda x: np.select([x < -1, x < 1], [x * 2, 0.0], 7.0),
    "rounded": lambda x: np.round(x, 2),
    "modulus": lambda x: np.column_stack([(x % 0.3), (x // 0.3), np.fmod(x, -0.3), x % -0.3]),
    "summed": lambda x: np.sum(x, axis=1, keepdims=True),
    "summed by method": lambda x: x.sum(axis=1),
    "mean": lambda x: x - x.mean(axis=1, keepdims=True),
    "extremes": lambda x: np.column_stack([x.max(axis=1), np.min(x, axis=1)]),
    "counts": lambda x: np.any(x > 1, axis=1).reshape(-1, 1),
    "assigned": lambda x: _assigned(x),
    "masked": lambda x: _masked(x),
    "in place": lambda x: _in_place(x),
    "digitize": lambda x: np.digitize(x, [-1.0, 0.0, 0.5, 2.0]),
    "searchsorted": lambda x: np.searchsorted([-1.0, 0.0, 0.0, 2.0], x[:, 0], side="right"),
    "interp": lambda x: np.interp(x, [-1.0, 0.0, 2.0], [3.0, 5.0, -1.0]),
    "isin": lambda x: np.isin(np.rint(x), [0, 2, -1]),
    "integers": lambda x: (x * 3).astype(int),
    "dimensions": lambda x: x[:, 0][:, np.newaxis] if x.ndim == 2 and x.shape[1] == 5 else x,
    "differences": lambda x: np.diff(x, axis=1),
    "deleted": lambda x: np.delete(x, [1, 3], axis=1),
    "running": lambda x: np.cumsum(x, axis=1),
}
NEAR: dict[str, Callable[[Any], Any]] = {
    "minimum": lambda x: np.minimum(x, x[:, [0]]),
    "maximum": lambda x: np.maximum(x, 0),
    "clipped by column": lambda x: x.clip(np.zeros(5), np.arange(5.0)),
    "composed": lambda x: np.log1p(np.abs(x)) * np.exp(-(x[:, [0]] ** 2)),
    "cube": lambda x: x**3,
    "root": lambda x: np.abs(x) ** 0.3,
    "deviation": lambda x: np.column_stack([x.std(axis=1), np.var(x, axis=1, ddof=1), np.linalg.norm(x, axis=1)]),
    "product": lambda x: x[:, :3] @ np.arange(6.0).reshape(3, 2),
    "polar": lambda x: np.hypot(x[:, 0], x[:, 1]),
    "logaddexp": lambda x: np.logaddexp(x[:, 0], x[:, 1]),
    "cyclic": lambda x: np.column_stack([np.sin(2 * np.pi * (x[:, 0] % 24) / 24), np.cos(2 * np.pi * x[:, 1] % 7)]),
}


def _assigned(x: Any) -> Any:
    x = x.copy()
    x[:, 0] = np.sqrt(np.abs(x[:, 0]))
    x[:, 2:4] = 0.5
    return x


def _masked(x: Any) -> Any:
    x = x.copy()
    x[x > 1] = 1
    return x


def _in_place(x: Any) -> Any:
    x = x * 1.0
    x += 1
    x *= x
    return x


@pytest.mark.parametrize("name", EXACT)
def test_compositions_to_the_last_bit(name: str) -> None:
    assert traced(EXACT[name]) == "bit"


def tamed(x: Any) -> Any:
    return np.clip(x, -50, 50)


@pytest.mark.parametrize("name", NEAR)
def test_compositions_within_an_ulp(name: str) -> None:
    """Which of two zeros is the larger one NumPy decides by where they lie in memory."""
    pipeline = make_pipeline(FunctionTransformer(tamed), FunctionTransformer(NEAR[name])).fit(X)
    assert twin_of(pipeline, X).proof.level in ("bit", "ulp")


FRAMED: dict[str, Callable[[Any], Any]] = {
    "column": lambda df: df[["age"]],
    "series": lambda df: df["age"] / df["b c"],
    "to frame": lambda df: (df["age"] - df.d).to_frame("difference"),
    "numpy": np.log1p,
    "methods": lambda df: df.fillna(0).clip(lower=0.2, upper=3).abs(),
    "assigned": lambda df: df.assign(ratio=df["age"] / df["d"], twice=lambda d: d["ratio"] * 2),
    "set": lambda df: _set(df),
    "dropped": lambda df: df.drop(columns=["e", "f"]),
    "values": lambda df: df.values[:, :2] * 2,
    "to numpy": lambda df: df.to_numpy().sum(axis=1, keepdims=True),
    "located": lambda df: df.loc[:, ["f", "age"]],
    "places": lambda df: df.iloc[:, 1:3],
    "sum": lambda df: df.sum(axis=1).to_frame(),
    "mean": lambda df: df[["age", "d"]].mean(axis="columns").to_frame(),
    "apply": lambda df: df.apply(np.sqrt),
    "apply each": lambda df: df.apply(lambda column: column * 2 + 1),
    "div": lambda df: df.div(df["age"], axis=0),
    "missing": lambda df: df.isna(),
    "where": lambda df: df.where(df > 1, 0),
    "columns": lambda df: df[[name for name in df.columns if len(name) == 1]],
}


def _set(df: Any) -> Any:
    df = df.copy()
    df["age"] = np.sqrt(df["age"])
    df["new"] = df["b c"] + df["d"]
    return df


@pytest.mark.parametrize("name", FRAMED)
def test_frames(name: str) -> None:
    assert traced(FRAMED[name], FRAME) in ("bit", "ulp")


def test_missing_numbers_of_a_frame_are_not_added() -> None:
    frame = pd.DataFrame(GAPS, columns=list("abcde"))
    function = FunctionTransformer(lambda df: df.assign(total=df.sum(axis=1), mean=df.mean(axis=1), max=df.max(axis=1)))
    assert twin_of(function.fit(frame), frame).proof.level in ("bit", "ulp")


def test_categories_pass_through_a_choice_of_columns() -> None:
    choose = FunctionTransformer(lambda df: df[["city"]])
    rest = FunctionTransformer(lambda df: df.drop(columns="city"))
    pipeline = make_pipeline(
        make_union(make_pipeline(choose, OneHotEncoder()), make_pipeline(rest, StandardScaler())),
        RandomForestClassifier(5, random_state=0),
    ).fit(MIXED, THREE)
    twin = twin_of(pipeline, MIXED)
    assert levels(twin)["predict_proba"] == "bit"
    assert "computed" not in twin.scope.folded[0]


def test_inside_a_column_transformer() -> None:
    """The ratio of the user's guide; np.log1p needs no name."""
    both = ColumnTransformer(
        [
            ("ratio", FunctionTransformer(lambda x: x[["age"]].to_numpy() / x[["d"]].to_numpy()), ["age", "d"]),
            ("log", make_pipeline(FunctionTransformer(np.log1p), StandardScaler()), ["e", "f"]),
        ]
    )
    pipeline = make_pipeline(both, LogisticRegression()).fit(FRAME, THREE)
    assert twin_of(pipeline, FRAME).proof.outputs["predict"].label_mismatches == 0


def test_arguments_and_validation() -> None:
    assert traced(np.clip, kw_args={"a_min": -1, "a_max": 1}) == "bit"
    assert traced(np.sqrt, FRAME, validate=True) == "bit"
    assert traced(None) == "bit"


def test_a_flat_answer_keeps_its_shape() -> None:
    transformer = FunctionTransformer(lambda x: x[:, 0] - x[:, 1]).fit(X)
    assert model_of(twin_of(transformer, X)).transform(X[:4]).tolist() == (X[:4, 0] - X[:4, 1]).tolist()


def test_truths_stay_truths() -> None:
    transformer = FunctionTransformer(lambda x: x > 0).fit(X)
    assert model_of(twin_of(transformer, X)).transform(X[:4]).dtype == bool


def test_whether_all_of_one_column_is_a_truth() -> None:
    transformer = FunctionTransformer(lambda x: np.all(x[:, [0]], axis=1, keepdims=True) * 2).fit(X)
    model = model_of(twin_of(transformer, X))
    np.testing.assert_array_equal(model.transform(X[:4]), transformer.transform(X[:4]))


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "rows": (lambda x: x - x.mean(axis=0), "other"),
    "all": (lambda x: x / np.max(x), "axis=1"),
    "some rows": (lambda x: x[:100], "chooses rows|makes other rows"),
    "number of rows": (lambda x: x / len(x), "number of rows"),
    "branch": (lambda x: x if x[0, 0] > 0 else -x, "chooses rows"),
    "values": (lambda x: x if (x > -99).all() else -x, "reduces over rows"),
    "numbers": (lambda x: np.frompyfunc(abs, 1, 1)(x), "not known"),
    "unknown": (lambda x: np.spacing(x), "numpy.spacing is not known"),
    "not numpy's": (lambda x: np.vectorize(lambda v: v + 1)(x), "@lowering"),
    "another answer": (lambda x: np.ones((len(np.zeros((150, 5))), 1)), "ndarray"),
    "mixed ranks": (lambda x: x * x[:, 0][:5], "chooses rows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_traced_is_told(name: str) -> None:
    """With the reason, and with how to register a lowering."""
    function, words = REFUSED[name]
    with pytest.raises(UnsupportedError, match=words) as caught:
        traced(function)
    assert "from convert.extension import lowering; @lowering(MyTransformer" in str(caught.value)


def test_what_is_traced_wrongly_is_caught_by_the_proof() -> None:
    """A view that is written to changes what it is a view of; the tracer does not follow that."""
    from convert.errors import ParityError

    def through_a_view(x: Any) -> Any:
        x = x.copy()
        column = x[:, 0]
        column[column > 0] = 0
        return x

    with pytest.raises(ParityError):
        traced(through_a_view)


@pytest.mark.parametrize("width", [1, 2])
def test_a_pipeline_made_of_steps_that_need_no_fitting(width: int) -> None:
    """Without a fit a function's step does not know whether it is given a matrix or a column."""
    rows = np.abs(np.random.default_rng(0).normal(size=(30, width)))
    root, logarithm = FunctionTransformer(np.sqrt), FunctionTransformer(np.log1p)
    model = LinearRegression().fit(np.log1p(np.sqrt(rows)), rows[:, 0])
    for pipeline in (Pipeline([("root", root), ("log", logarithm), ("model", model)]), make_pipeline(root), root):
        twin = twin_of(pipeline, rows)
        (method,) = levels(twin)
        answers, wanted = getattr(model_of(twin), method)(rows), getattr(pipeline, method)(rows)
        assert answers.shape == wanted.shape
        np.testing.assert_allclose(answers, wanted, rtol=1e-12, atol=1e-12)
