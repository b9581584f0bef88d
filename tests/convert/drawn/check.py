"""What is required of a drawn pipeline: a proof that holds for fresh rows, or a sentence that is expected."""

import re
from typing import Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, FactorAnalysis, TruncatedSVD
from sklearn.ensemble import RandomTreesEmbedding, StackingClassifier, StackingRegressor, VotingClassifier
from sklearn.ensemble._forest import BaseForest
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.ensemble._weight_boosting import BaseWeightBoosting
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.multiclass import OneVsOneClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.naive_bayes import BernoulliNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
)
from sklearn.random_projection import BaseRandomProjection
from sklearn.svm import OneClassSVM
from sklearn.tree import BaseDecisionTree

from convert.bounds import Bounds
from convert.build import Twin
from convert.errors import ConvertError, ParityError
from convert.lower import offered
from convert.parity import compare_labels, compare_numbers, near_ties
from convert.reference import dense, reference
from convert.settled import first_of_equals
from runtime.errors import InputError
from tests.convert.lower.twins import model_of, twin_of

from .pipelines import Case

__all__ = ["check"]

FRESH = 24
"""Rows that neither the pipeline nor the proof has seen."""

NEAR = 1e-9
"""How near fresh rows are to be at level ulp. The proof holds each sum to its own terms; here all are held to the
output's magnitude, and another row's terms may cancel more."""

REFUSALS = (
    r"expected a DummyClassifier that answers alike each time",
    r"fitted on dense rows, found sparse ones",
    r"expected KNNImputer fitted on float64, found float32",  # its means have the rounding of float32
    r"expected numbers, found .* in the place of missing ones",  # which the pipeline then answers, or raises for
    r"expected one kind of missing value in column .*, found None and NaN",
)
"""Sentences of ConvertError that are right."""

ROUNDING = (
    PCA,
    TruncatedSVD,
    FactorAnalysis,
    KMeans,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    Normalizer,
    Nystroem,
    RBFSampler,
    FunctionTransformer,
    BaseRandomProjection,
    StackingClassifier,
    StackingRegressor,
    ClassifierChain,
    RegressorChain,
    CalibratedClassifierCV,
)
"""What goes through Exp, Log or MatMul and has something behind it."""
JUMPING = (
    BaseDecisionTree,
    BaseForest,
    BaseGradientBoosting,
    BaseHistGradientBoosting,
    BaseWeightBoosting,
    KBinsDiscretizer,
    Binarizer,
    BernoulliNB,
    KNeighborsClassifier,
    KNeighborsRegressor,
    RandomTreesEmbedding,
    VotingClassifier,
    OutputCodeClassifier,
    OneVsOneClassifier,
    CalibratedClassifierCV,
    ClassifierChain,
    StackingClassifier,
)
"""Where a last bit may decide between two answers that are far apart."""
AMPLIFIED = 1e-7
"""What a last bit may become on its way through a step that divides by little or subtracts what is nearly the same."""
CANCELLING = (OneClassSVM,)
"""Whose linear scores are little else than the rounding of terms that cancel: the sum of its support vectors is nearly
nothing where the rows lie around the origin."""
CANCELLED = 1e-5
"""What a last bit may become there."""


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
        if not excused(case, error):
            worst = error.worst if isinstance(error, ParityError) else ""
            raise AssertionError(f"{case}\n{error}\n{worst}") from error
        return str(error)
    with first_of_equals():  # of equally near rows KNNImputer takes those that the processor has first
        compare(case, pipeline, twin)
    return twin.proof.level


def excused(case: Case, error: ConvertError) -> bool:
    """Whether a refusal is right: its sentence is listed, or a step behind one that rounds otherwise is known to
    make much of a last bit."""
    if not isinstance(error, ParityError):
        return any(re.search(refusal, str(error)) for refusal in REFUSALS)
    steps = list(case.pipeline.get_params(deep=True).values())
    if not any(isinstance(step, ROUNDING) for step in steps):
        return False
    differ = re.search(r"differ by up to (\S+) of their magnitude", str(error))
    amplified = CANCELLED if any(isinstance(step, CANCELLING) for step in steps) else AMPLIFIED
    small = differ is not None and float(differ[1]) < amplified
    return small or any(isinstance(step, JUMPING) for step in steps)


def answers(pipeline: Pipeline, method: str, rows: Any) -> Any:
    """The reference is scikit-learn on float64."""
    if isinstance(rows, pd.DataFrame):
        rows = rows.astype({name: np.float64 for name, dtype in rows.dtypes.items() if dtype == np.float32})
    with reference():
        return dense(getattr(pipeline, method)(rows))


def compare(case: Case, pipeline: Pipeline, twin: Twin) -> None:
    """Fresh rows, together and one by one; not those of which the proof's own gauge says that they hang on a
    rounding."""
    model = model_of(twin)
    fresh = case.sample(FRESH, case.seed + 1)
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
    if taken:
        bounds = Bounds.of(twin.scope, model.tensors.of(part(fresh, taken)), (len(taken),))
        taken = [row for row, open_ in zip(taken, bounds.undecided, strict=True) if not open_]
    if not taken:
        return
    rows = part(fresh, taken)
    expected = {output.method: answers(pipeline, output.method, rows) for output in twin.manifest.outputs}
    scores = next((name for name in ("predict_proba", "decision_function") if name in expected), None)
    for output in twin.manifest.outputs:
        wanted = expected[output.method]
        together = model.apply(output, rows)
        single = [model.apply(output, part(rows, [row])) for row in range(len(taken))]
        alone = (
            [np.concatenate(parts) for parts in zip(*single, strict=True)]
            if isinstance(wanted, list)
            else np.concatenate(single)
        )
        for found in (together, alone):
            text = f"{case}\n{output.method} of fresh rows {taken}\nexpected {wanted}\nfound {found}"
            level = twin.proof.level
            if output.labels or not is_float(wanted):
                tied = None
                if level == "ulp" and scores:
                    tied = near_ties(expected[scores], twin.proof.outputs[scores].floor)
                assert not compare_labels(wanted, found, tied).mismatches, text
            else:
                floor = twin.proof.outputs[output.method].floor
                excess = compare_numbers(wanted, found, floor).excess
                if output.method in LOGARITHMS:  # 1 - p loses digits next to one
                    excess = np.minimum(excess, compare_numbers(exp(wanted), exp(found), 1 / 1000).excess)
                assert level == "ulp" or compare_numbers(wanted, found, floor).identical.all(), text
                assert excess.max() <= NEAR, text


LOGARITHMS = ("predict_log_proba", "score_samples")


def exp(answer: Any) -> Any:
    return [exp(part) for part in answer] if isinstance(answer, list) else np.exp(answer)


def is_float(answer: Any) -> bool:
    first = answer[0] if isinstance(answer, list) else answer
    return bool(first.dtype.kind == "f")


def part(rows: Any, places: list[int]) -> Any:
    return rows[places] if isinstance(rows, np.ndarray) else rows.iloc[places]
