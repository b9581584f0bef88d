"""Estimators that answer as another one does: searches, frozen and self-trained estimators."""

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.semi_supervised import SelfTrainingClassifier

from .meta import delegate

delegate(BaseSearchCV, child="best_estimator_")
delegate(FrozenEstimator, child="estimator")
delegate(SelfTrainingClassifier, child="estimator_")
