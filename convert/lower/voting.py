"""Voting: the mean of the members' answers, or their votes."""

import spox.opset.ai.onnx.v21 as op
from sklearn.ensemble import VotingClassifier, VotingRegressor
from spox import Var

from . import lacks, lower, lowers
from .labels import Labels, argmax
from .matrix import Matrix
from .meta import average, member, numbers, one_hot, total, upright
from .precision import mean_in_float32
from .terms import hand_on, largest


def _answers(voting: VotingClassifier | VotingRegressor, method: str, x: Matrix) -> list[Var]:
    return [numbers(member(voting, index, method, x)) for index in range(len(voting.estimators_))]


def _mean(voting: VotingClassifier | VotingRegressor, method: str, x: Matrix) -> Var:
    """Of the members' answers; of what cancels in them as well."""
    weights = voting._weights_not_none
    members = [member(voting, index, method, x) for index in range(len(voting.estimators_))]
    parts = [numbers(one) for one in members]
    if weights is None and x.scope.in_float32(members):
        answer = mean_in_float32(parts)
        x.scope.singles.append(answer)
        return answer
    answer = average(parts, weights)
    hand_on(x, answer, members, lambda sizes: average(sizes, weights))
    return answer


@lowers(VotingClassifier, method="predict_proba")
def soft_vote(voting: VotingClassifier, x: Matrix) -> Var:
    return _mean(voting, "predict_proba", x)


@lowers(VotingClassifier, method="predict")
def voted_labels(voting: VotingClassifier, x: Matrix) -> Labels:
    if voting.voting == "soft":
        return argmax(lower(voting, "predict_proba", x), voting.classes_)
    # The members answer with places among the classes; a class's weights are added in the members' order.
    weights = voting._weights_not_none or [1.0] * len(voting.estimators_)
    answers = _answers(voting, "predict", x)
    width = len(voting.classes_)
    votes = total([one_hot(answer, width, weight) for answer, weight in zip(answers, weights, strict=True)])
    return argmax(votes, voting.classes_)


@lowers(VotingRegressor, method="predict")
def mean_vote(voting: VotingRegressor, x: Matrix) -> Var:
    return _mean(voting, "predict", x)


@lacks(VotingClassifier, method="transform")
def members_before_rows(voting: VotingClassifier) -> str | None:
    if voting.voting == "hard" or voting.flatten_transform:
        return None
    return (
        "expected rows to come first in what transform answers, found flatten_transform=False, where members do: set "
        "it to True"
    )


@lowers(VotingClassifier, VotingRegressor, method="transform")
def votes(voting: VotingClassifier | VotingRegressor, x: Matrix) -> Matrix:
    soft = getattr(voting, "voting", "hard") == "soft"
    members = [member(voting, i, "predict_proba" if soft else "predict", x) for i in range(len(voting.estimators_))]
    answer = op.concat([upright(numbers(one)) for one in members], axis=1)
    hand_on(x, answer, members, largest)
    return x.new(answer)
