"""``predict(X, return_std=True)``: the twin's beside scikit-learn's own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, Matern, PairwiseKernel, WhiteKernel
from sklearn.linear_model import ARDRegression, BayesianRidge, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from spox import Var

from convert import ParityError, UnsupportedError, convert
from convert.build import Twin, assemble
from convert.lower.triangular import forward_substitution
from runtime import load
from runtime.service import app
from tests.runtime.asgi import request

from .twins import CREATED, model_of, twin_of

RNG = np.random.default_rng(16)
X = RNG.normal(size=(70, 3))
Y = np.sin(X[:, 0]) + X[:, 1] ** 2 + RNG.normal(scale=0.1, size=70)
KERNELS = [
    None,
    RBF([1.0, 2.0, 0.5]),
    Matern(1.2, nu=1.5),
    ConstantKernel(2.0) * RBF() + WhiteKernel(0.3),
    RBF() * DotProduct() + Matern() ** 0.5,
    DotProduct(0.8),
]


def deviating(pipeline: Any) -> Twin:
    return assemble(pipeline, X, version="test", created=CREATED, return_std=True)


def process(kernel: Any = None, **options: Any) -> GaussianProcessRegressor:
    return GaussianProcessRegressor(kernel, optimizer=None, **({"alpha": 0.1} | options))


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_process_with_noise(kernel: Any) -> None:
    """Away from the points its variance is of the prior's size, and has its digits."""
    model = process(kernel, normalize_y=True).fit(X, Y)
    mean, std = model_of(deviating(model)).predict(X + 0.1, return_std=True)
    expected = model.predict(X + 0.1, return_std=True)
    assert std.dtype == expected[1].dtype
    np.testing.assert_allclose(mean, expected[0], rtol=1e-9)
    np.testing.assert_allclose(std, expected[1], rtol=1e-11)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_process_of_hardly_any_noise(kernel: Any) -> None:
    """At its own points scikit-learn's variance is the difference of two numbers near one, 1e-10 apart: its root is
    known to the root of a rounding, and the proof holds it to what that comes to."""
    model = process(kernel, alpha=1e-10).fit(X, Y)
    found = model_of(deviating(model)).predict(X, return_std=True)[1]
    np.testing.assert_allclose(found, model.predict(X, return_std=True)[1], atol=1e-8)


def test_rows_are_held_to_their_own_terms() -> None:
    """At the points the terms are 1e10 times what they are elsewhere: they excuse nothing there."""
    twin = deviating(process(RBF(), alpha=1e-10).fit(X, Y))
    assert twin.scope.rowwise == {"predict_std"}
    assert twin.proof.outputs["predict_std"].terms > 1e4


def test_several_targets() -> None:
    model = process(normalize_y=True).fit(X, np.column_stack([Y, 100 * X[:, 2]]))
    std = model_of(deviating(model)).predict(X, return_std=True)[1]
    np.testing.assert_allclose(std, model.predict(X, return_std=True)[1], rtol=1e-11)


@pytest.mark.parametrize(
    "model",
    [
        BayesianRidge(),
        BayesianRidge(fit_intercept=False),
        ARDRegression(),
        ARDRegression(threshold_lambda=1.0, fit_intercept=False),
        make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), BayesianRidge())),
    ],
    ids=lambda model: f"{type(model).__name__}",
)
def test_bayesian_linear_models(model: Any) -> None:
    model = clone(model).fit(X + 5, Y)
    twin = assemble(model, X + 5, version="test", created=CREATED, return_std=True)
    std = model_of(twin).predict(X + 5, return_std=True)[1]
    np.testing.assert_allclose(std, model.predict(X + 5, return_std=True)[1], rtol=1e-12)


@pytest.mark.parametrize("alpha", [0.1, 1e-10])
@pytest.mark.parametrize("fault", [1e-9, -1e-9])
def test_a_planted_fault_is_caught(monkeypatch: pytest.MonkeyPatch, alpha: float, fault: float) -> None:
    """One entry of L by a billionth."""

    def faulty(lower: Any, right: Var) -> Var:
        other = lower.copy()
        other[40, 40] *= 1 + fault
        return forward_substitution(other, right)

    monkeypatch.setattr("convert.lower.gaussian_process.forward_substitution", faulty)
    with pytest.raises(ParityError, match="found that they differ by up to"):
        deviating(process(RBF(), alpha=alpha).fit(X, Y))


def test_as_json_and_on_disk(tmp_path: Path) -> None:
    model = process().fit(X, Y)
    convert(model, X, tmp_path / "m", version="1", return_std=True, portable=True)
    twin = load(tmp_path / "m")
    row = dict(zip(("x0", "x1", "x2"), X[0].tolist(), strict=True))
    mean, std = twin.predict(row, return_std=True)
    one = json.loads(twin.predict_json(json.dumps(row).encode()))
    assert (one["prediction"], one["std"]) == (mean[0], std[0])
    several = json.loads(twin.predict_json(json.dumps([row, row]).encode()))["predictions"]
    assert [set(answer) for answer in several] == [{"prediction", "std"}] * 2
    assert np.array_equal(twin.predict(row), mean)
    assert np.array_equal(mean, twin.predict(row, return_std=False))


def test_over_http() -> None:
    """A further field, and where outputs have names a further output."""
    twin = model_of(deviating(process().fit(X, Y)))
    service = app(twin)
    row = dict(zip(("x0", "x1", "x2"), X[0].tolist(), strict=True))
    _, (std,) = twin.predict(row, return_std=True)
    assert request(service, "POST", "/predict", json.dumps(row).encode()).json()["std"] == std
    schemas = json.dumps(request(service, "GET", "/schema").json())
    assert '"required": ["prediction", "std"' in schemas
    inputs = [{"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in row.items()]
    asked = json.dumps({"inputs": inputs, "outputs": [{"name": "predict_std"}]}).encode()
    (output,) = request(service, "POST", f"/v2/models/{twin.name or 'default'}/infer", asked).json()["outputs"]
    assert (output["name"], output["data"]) == ("predict_std", [std])


def test_it_is_not_there_where_nobody_asked() -> None:
    twin = twin_of(BayesianRidge().fit(X, Y), X)
    assert [output.method for output in twin.manifest.outputs] == ["predict"]
    with pytest.raises(TypeError, match=r"expected a model that was converted with return_std.*--return-std"):
        model_of(twin).predict(X, return_std=True)


@pytest.mark.parametrize("model", [Ridge(), TransformedTargetRegressor(process())], ids=repr)
def test_a_pipeline_without_is_refused(model: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), model).fit(X, Y)
    with pytest.raises(UnsupportedError, match=r"expected a pipeline whose predict takes return_std.*found Pipeline"):
        deviating(pipeline)


@pytest.mark.parametrize(
    "metric",
    ["laplacian", "polynomial", lambda a, b, gamma: np.exp(-gamma * np.abs(a - b).sum())],
    ids=["laplacian", "polynomial", "function"],
)
def test_kernels_of_pairs(metric: Any) -> None:
    """Of a row and itself too, and those that are functions."""
    model = process(PairwiseKernel(gamma=0.5, metric=metric), alpha=0.1).fit(X, Y)
    found = model_of(deviating(model)).predict(X + 0.1, return_std=True)[1]
    np.testing.assert_allclose(found, model.predict(X + 0.1, return_std=True)[1], rtol=1e-9)


def test_a_function_that_cannot_be_traced_is_refused_with_its_step() -> None:
    kernel = PairwiseKernel(metric=lambda a, b, gamma: 1.0 if (a == b).all() else 0.5)
    pipeline = make_pipeline(StandardScaler(), process(kernel)).fit(X, Y)
    with pytest.raises(UnsupportedError, match=r"pipeline\['gaussianprocessregressor'\].*a function as kernel"):
        deviating(pipeline)
