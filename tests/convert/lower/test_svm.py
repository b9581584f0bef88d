"""libsvm's machines beside their twins, and the exponential they are made of."""

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import spox
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from scipy.spatial import distance
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import RBF, Matern
from sklearn.metrics import pairwise, pairwise_distances
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from convert.errors import ParityError, UnsupportedError
from convert.lower.callables import gram
from convert.lower.exponential import exp

from .twins import levels, model_of, twin_of

Floats = NDArray[np.float64]
WORDS = np.array(["oak", "ash", "elm", "fir"])
KERNELS = ("linear", "poly", "rbf", "sigmoid")


def classes(count: int, features: int = 6, samples: int = 100) -> tuple[Floats, NDArray[Any]]:
    X, y = make_classification(
        samples,
        features,
        n_informative=5,
        n_redundant=0,
        n_classes=count,
        flip_y=0.1,
        class_sep=0.6,
        random_state=count,
    )
    return X, WORDS[y]


def name(model: Any) -> str:
    return f"{model!r}".replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kind", [SVC, NuSVC])
def test_a_classifier(kind: Any, kernel: str, count: int) -> None:
    X, y = classes(count)
    model = kind(kernel=kernel, **({"nu": 0.3} if kind is NuSVC else {})).fit(X, y)
    twin = twin_of(model, X)
    assert levels(twin)["predict"] == "bit"
    assert model_of(twin).predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.parametrize(
    ("kernel", "gamma"),
    [("linear", "scale"), ("poly", "auto"), ("sigmoid", 0.7), ("rbf", "scale"), ("rbf", "auto"), ("rbf", 0.7)],
)
@pytest.mark.parametrize("kind", [SVR, NuSVR, OneClassSVM])
def test_a_regressor_and_a_one_class_machine(kind: Any, kernel: str, gamma: Any) -> None:
    X, _ = classes(2)
    model = kind(kernel=kernel, gamma=gamma, coef0=0.3, degree=4).fit(X, X[:, 0] + X[:, 1] ** 2)
    twin_of(model, X)


@pytest.mark.parametrize("features", [1, 15, 16, 21, 39])
@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf"])
def test_scores_keep_their_digits_however_many_features_and_however_hard_the_margin(kernel: str, features: int) -> None:
    """Their terms are hundreds of times larger than they are: any other order of the sum would show."""
    X, y = classes(2, max(features, 5), 70)
    X = X[:, :features]
    model = SVC(kernel=kernel, C=100.0, max_iter=20_000, degree=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    twin = twin_of(model, X)
    assert levels(twin)["predict"] == "bit"


def test_a_far_scale_and_a_thousand_vectors() -> None:
    X, y = classes(2, 8, 900)
    X = X * np.array([1, 10, 100, 1, 1, 1, 1, 1000]) + 500
    model = SVC(C=10).fit(X, y)
    twin_of(model, X)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("kind", [SVC, NuSVC])
def test_probabilities(kind: Any, count: int) -> None:
    X, y = classes(count)
    model = kind(probability=True, random_state=0, **({"nu": 0.3} if kind is NuSVC else {})).fit(X, y)
    twin = twin_of(model, X)
    assert set(levels(twin)) == {"predict", "predict_proba", "predict_log_proba", "decision_function"}
    assert model_of(twin).predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("shape", ["ovo", "ovr"])
@pytest.mark.parametrize("break_ties", [False, True])
def test_shapes_and_ties(shape: Any, break_ties: bool) -> None:
    X, y = classes(4)
    model = SVC(decision_function_shape=shape, break_ties=break_ties and shape == "ovr").fit(X, y)
    twin = twin_of(model, X)
    assert model_of(twin).decision_function(X).shape == (len(X), 6 if shape == "ovo" else 4)


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf"])
def test_a_machine_trained_on_sparse_rows(kernel: str) -> None:
    X, y = classes(3)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), SVC(kernel=kernel)).fit(np.round(X), y)
    assert model[-1]._sparse
    twin = twin_of(model, np.round(X))
    assert levels(twin)["predict"] == "bit"


def test_no_support_vector() -> None:
    X, _ = classes(2)
    model = SVR().fit(X, np.full(len(X), 3.0))
    assert not len(model.support_)
    assert levels(twin_of(model, X)) == {"predict": "bit"}


@pytest.mark.parametrize("labels", [[0, 1], [True, False], [-3, 8]])
def test_labels_odd_names_and_a_constant_column(labels: list[Any]) -> None:
    X, y = classes(2)
    frame = pd.DataFrame(X, columns=["a b", "ä", "1", "x", "", "y-z"])
    frame["1"] = 7.0
    model = make_pipeline(StandardScaler(), SVC()).fit(frame, np.array(labels)[(y == "oak").astype(int)])
    found = model_of(twin_of(model, frame)).predict(frame)
    assert found.tolist() == model.predict(frame).tolist()
    assert found.dtype == model.predict(frame).dtype


@pytest.mark.parametrize("kind", [SVC, NuSVC, SVR, NuSVR, OneClassSVM])
def test_a_precomputed_kernel(kind: Any) -> None:
    """A row holds its kernel with every training row; with the support it is one of them to the last bit."""
    X, y = classes(3)
    kernel, plain = X @ X[:70].T, kind in (SVC, NuSVC)
    model = kind(kernel="precomputed", **({"nu": 0.2} if kind is NuSVC else {}))
    model.fit(kernel[:70], y[:70] if plain else X[:70, 0])
    assert len(model.support_) < 70
    assert set(levels(twin_of(model, kernel)).values()) == {"bit"}


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_probabilities_of_a_precomputed_kernel() -> None:
    X, y = classes(3)
    model = SVC(kernel="precomputed", probability=True, break_ties=True, random_state=0).fit(X @ X.T, y)
    assert set(levels(twin_of(model, X @ X.T))) == {
        "predict",
        "predict_proba",
        "predict_log_proba",
        "decision_function",
    }


KERNEL_FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "product": lambda X, Y: X @ Y.T,
    "power": lambda X, Y: (np.dot(X, Y.T) + 1) ** 2,
    "tanh": lambda X, Y: np.tanh(math.sqrt(0.01) * np.dot(X, Y.T) + 1),
    "broadcast": lambda X, Y: np.exp(-0.1 * np.abs(X[:, None, :] - Y).sum(axis=2)),
    "rbf": pairwise.rbf_kernel,
    "partial": partial(pairwise.laplacian_kernel, gamma=0.2),
    "sum": lambda X, Y: rbf_kernel(X, Y, gamma=0.2) + 0.5 * pairwise.linear_kernel(X, Y),
    "distances": lambda X, Y: np.exp(-pairwise.euclidean_distances(X, Y)),
    "cdist": lambda X, Y: np.exp(-distance.cdist(X, Y, "cityblock")),
    "cosine": lambda X, Y: 1 - pairwise_distances(X, Y, metric="cosine"),
    "of rows": lambda X, Y: pairwise.pairwise_kernels(X, Y, metric=lambda a, b: np.exp(-np.abs(a - b).max())),
    "process": RBF(2.0) + Matern(nu=1.5),
}


@pytest.mark.parametrize("name", KERNEL_FUNCTIONS)
def test_a_kernel_that_is_a_function(name: str) -> None:
    X, y = classes(3)
    model = SVC(kernel=KERNEL_FUNCTIONS[name]).fit(X[:70], y[:70])
    assert levels(twin_of(model, X))["predict"] == "bit"


@pytest.mark.parametrize("kind", [NuSVC, SVR, NuSVR, OneClassSVM])
def test_other_machines_of_a_function(kind: Any) -> None:
    X, y = classes(2)
    model = kind(kernel=KERNEL_FUNCTIONS["broadcast"]).fit(X[:70], y[:70] if kind is NuSVC else X[:70, 0])
    assert "predict" in levels(twin_of(model, X))


def test_scores_of_a_function_are_held_to_their_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy's exponential has other bits than the graph's, and hundreds of terms cancel; that excuses no fault."""
    X, y = classes(2, samples=500)
    model = SVC(kernel=KERNEL_FUNCTIONS["broadcast"], C=100.0).fit(X, y)
    assert twin_of(model, X).proof.outputs["decision_function"].terms > 100
    off = np.where(np.arange(len(X)) == model.support_[0], 1 + 1e-9, 1.0)
    monkeypatch.setattr("convert.lower.libsvm.gram", lambda *given: op.mul(gram(*given), op.const(off)))
    with pytest.raises(ParityError):
        twin_of(model, X)


def test_a_kernel_of_sparse_rows() -> None:
    """Behind an encoder; the training rows are kept as they came."""
    X, y = classes(3)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), SVC(kernel=lambda X, Y: (X @ Y.T) * 0.5))
    assert levels(twin_of(model.fit(np.round(X), y), np.round(X)))["predict"] == "bit"


def test_a_kernel_that_cannot_be_traced_is_refused() -> None:
    X, y = classes(2)
    model = SVC(kernel=lambda X, Y: np.array([[x @ y for y in Y] for x in X])).fit(X, y)
    with pytest.raises(UnsupportedError, match="expected a function as kernel that can be traced, found <lambda>: it"):
        twin_of(model, X)


def test_a_kernel_that_depends_on_the_rows_beside_is_refused() -> None:
    """Though it catches what the tracer says of it."""
    X, y = classes(2)
    model = SVC(kernel=lambda X, Y: X @ Y.T * (1 + 0.1 * _rows_of(X))).fit(X, y)
    with pytest.raises(UnsupportedError, match="it asks for the number of rows"):
        twin_of(model, X)


def _rows_of(X: Any) -> int:
    try:
        return len(X)
    except Exception:  # of a listener's too
        return 1


@pytest.mark.parametrize("without", range(4))
@pytest.mark.parametrize("shape", ["ovr", "ovo"])
def test_a_class_whose_rows_have_no_weight_is_none_to_libsvm(without: int, shape: Any) -> None:
    """It numbers the others from 0; of scores or probabilities there are fewer than scikit-learn needs."""
    X, y = classes(4)
    weights = np.where(y == np.unique(y)[without], 0.0, 1.0)
    model = SVC(decision_function_shape=shape, probability=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model.fit(X, y, sample_weight=weights)
    twin = twin_of(model, X)
    assert levels(twin)["predict"] == "bit"
    assert model_of(twin).predict(X).tolist() == model.predict(X).tolist()
    scores = {"decision_function"} if shape == "ovr" else set()
    assert set(twin.proof.left_out) == {"predict_proba", "predict_log_proba"} | scores


def test_a_bag_of_machines_some_of_which_saw_not_all_classes() -> None:
    """A bag draws rows by giving the others no weight."""
    X, y = classes(4)
    y = np.where(np.arange(len(y)) < 3, "yew", y)
    model = BaggingClassifier(SVC(), n_estimators=4, max_samples=30, random_state=0).fit(X, y)
    assert {len(member.n_support_) for member in model.estimators_} == {4, 5}
    assert levels(twin_of(model, X))["predict"] == "bit"


def test_the_exponential_is_the_c_librarys() -> None:
    x = np.concatenate([-np.random.default_rng(0).exponential(20, 20_000), np.linspace(-700, 700, 20_000)])
    odd = np.array([0.0, -0.0, -746.0, -1e300, 709.7, 711.0, -1e-300, 1e300])
    value = spox.argument(spox.Tensor(np.float64, ("N",)))
    graph = spox.build({"x": value}, {"y": exp(value)})
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    found = session.run(None, {"x": x})[0]
    expected = np.array([math.exp(number) for number in x])
    assert (found != expected).mean() < 1e-4
    np.testing.assert_array_max_ulp(found, expected, 1)
    (found,) = session.run(None, {"x": odd})
    assert found[:4].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert found[4] == pytest.approx(math.exp(709.7), rel=1e-15)
    assert found[5:].tolist() == [np.inf, 1.0, np.inf]
