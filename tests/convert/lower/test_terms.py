"""What is made of answers whose terms cancel is held to these terms too, by meta-estimators of every kind."""

from typing import Any

import numpy as np
import pytest
import spox.opset.ai.onnx.v21 as op
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from convert import ParityError
from convert.lower import meta

from .twins import twin_of

RNG = np.random.default_rng(3)
X = np.abs(RNG.normal(size=(90, 4)))
THREE = np.array(["a", "b", "c"])[np.digitize(X[:, 0] - X[:, 1], [-0.4, 0.4])]
BOTH = np.column_stack([X[:, 0] > X[:, 1], X[:, 2] > 0.5]).astype(int)
NUMBER = X @ [1.0, -2.0, 0.5, 3.0]
SEVERAL = np.column_stack([NUMBER, X[:, 0] - NUMBER])

PROCESS = GaussianProcessClassifier(30.0 * RBF(1.0), optimizer=None)
"""Its probabilities are sums of thousands."""
RIDGE = KernelRidge(alpha=1e-6, kernel="rbf")
MAPPED = make_pipeline(Nystroem(n_components=10, random_state=0), Ridge())
OTHER = [("other", LogisticRegression())]

CLASSIFIERS = {
    "sigmoid": CalibratedClassifierCV(PROCESS, cv=2),
    "isotonic": CalibratedClassifierCV(PROCESS, cv=2, method="isotonic"),
    "temperature": CalibratedClassifierCV(PROCESS, cv=2, method="temperature"),
    "one against the rest": OneVsRestClassifier(PROCESS),
    "one against one": OneVsOneClassifier(PROCESS),
    "bagging": BaggingClassifier(PROCESS, n_estimators=2, random_state=0),
    "voting": VotingClassifier([("process", PROCESS), *OTHER], voting="soft"),
    "stacking": StackingClassifier([("process", PROCESS), *OTHER], cv=2),
    "chain": ClassifierChain(PROCESS),
    "each output": MultiOutputClassifier(PROCESS),
}
REGRESSORS = {
    "boosting": AdaBoostRegressor(RIDGE, n_estimators=2, random_state=0),
    "bagging": BaggingRegressor(MAPPED, n_estimators=2, random_state=0),
    "stacking": StackingRegressor([("ridge", RIDGE), ("other", LinearRegression())], cv=2),
    "chain": RegressorChain(RIDGE),
    "each output": MultiOutputRegressor(RIDGE),
    "scaled target": TransformedTargetRegressor(RIDGE, transformer=StandardScaler()),
    "curved target": TransformedTargetRegressor(RIDGE, func=np.arcsinh, inverse_func=np.sinh),
    "process": MultiOutputRegressor(GaussianProcessRegressor(1.0 * RBF(1.0))),
}


@pytest.mark.parametrize("model", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_classifiers(model: Any) -> None:
    several = isinstance(model, ClassifierChain | MultiOutputClassifier)
    proof = twin_of(model.fit(X, BOTH if several else THREE), X).proof
    assert proof.level in ("bit", "ulp")
    assert not any(output.label_mismatches for output in proof.outputs.values())


@pytest.mark.parametrize("model", REGRESSORS.values(), ids=REGRESSORS)
def test_regressors(model: Any) -> None:
    several = isinstance(model, RegressorChain | MultiOutputRegressor)
    assert twin_of(model.fit(X, SEVERAL if several else NUMBER), X).proof.level in ("bit", "ulp")


def test_what_the_terms_do_not_explain_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MultiOutputRegressor(MAPPED).fit(X, SEVERAL)

    def strayed(answer: Any) -> Any:
        return op.mul(meta.numbers(answer), op.const(1 + 1e-8))

    monkeypatch.setattr("convert.lower.multioutput.numbers", strayed)
    with pytest.raises(ParityError, match="within 1e-12"):
        twin_of(model, X)
