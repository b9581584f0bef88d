"""Lowering: a fitted estimator and the matrix that goes into it become the tensors that come out.

Each scikit-learn family has a file; each function in it lowers one method of one class, and says so with
``@lowers``. A function gets the fitted estimator and its input as a ``Matrix``; it returns a ``Matrix`` from
``transform``, else a float64 tensor, or, from a classifier's ``predict``, a ``Labels``. The graph is built with spox,
whose unused tensors simply do not get into it, so a function may offer more than is needed.

    @lowers(StandardScaler, "transform")
    def standard_scaler(scaler: StandardScaler, x: Matrix) -> Matrix: ...
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from runtime.manifest import STD

from ..errors import UnsupportedError
from .matrix import Matrix

__all__ = ["METHODS", "Lowering", "gives_std", "lacking", "lacks", "lower", "lowers", "offered", "overridden"]

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score_samples", "transform")
"""The inference methods, in the order of a manifest's outputs."""

Lowering = Callable[[Any, Matrix], Any]

_TABLE: dict[tuple[type | str, str], Lowering] = {}
_LACKING: dict[tuple[type, str], Callable[[Any], str | None]] = {}


def lowers(*classes: type | str, method: str) -> Callable[[Lowering], Lowering]:
    """Register a function as the lowering of one method of some classes.

    classes: a class, or ``"module.Name"`` of one whose library must not be imported for this.
    A subclass is lowered as its base unless it has a lowering of its own; the proof catches one that behaves
    otherwise.
    """

    def register(function: Lowering) -> Lowering:
        for cls in classes:
            _TABLE[cls, method] = function
        return function

    return register


def lower(estimator: Any, method: str, x: Matrix, at: str = "") -> Any:
    """What ``getattr(estimator, method)`` computes from a matrix.

    at: the step as seen from its parent, ``['prep']`` or ``[1]``; it becomes part of an error's path.
    Raises UnsupportedError where neither a lowering of ours nor skl2onnx can express it.
    """
    return x.once(estimator, method, lambda: _lower(estimator, method, x, at))


def _lower(estimator: Any, method: str, x: Matrix, at: str) -> Any:
    function = _find(type(estimator), method)
    try:
        if function is not None:
            return function(estimator, x)
        from .fallback import skl2onnx_lowering

        result = skl2onnx_lowering(estimator, method, x)
        x.scope.fallbacks.append(type(estimator).__name__)
        return result
    except UnsupportedError as error:
        raise error.within(at) from error.__cause__
    except Exception as error:  # a lowering, of ours or a user's, that met what it does not know
        name, reason = type(estimator).__name__, (str(error).splitlines() or [""])[0]
        raise UnsupportedError(
            f"expected {name} as its lowering knows it, found that this raises {type(error).__name__}: {reason}: "
            "report it with how the step was fitted",
            at,
        ) from error


def lacks(*classes: type, method: str) -> Callable[[Callable[[Any], str | None]], Callable[[Any], str | None]]:
    """Register why an estimator cannot answer a method that it has, or None where it can: its other methods convert
    all the same, and the proof says what was left out."""

    def register(function: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
        for cls in classes:
            _LACKING[cls, method] = function
        return function

    return register


def offered(estimator: Any) -> tuple[str, ...]:
    """The inference methods that a fitted estimator has and can answer."""
    lacked = lacking(estimator)
    return tuple(method for method in METHODS if hasattr(estimator, method) and method not in lacked)


def gives_std(estimator: Any) -> bool:
    """Whether ``predict(X, return_std=True)`` of a fitted estimator, or of the last step of a Pipeline, has a lowering:
    one of the method ``predict_std``."""
    steps = getattr(estimator, "steps", None)
    return gives_std(steps[-1][1]) if steps else _find(type(estimator), STD) is not None


def lacking(estimator: Any) -> dict[str, str]:
    """The methods without an answer that an estimator has, or the one that answers in its place, each with why."""
    _load_families()
    steps = getattr(estimator, "steps", None)
    inner = steps[-1][1] if steps else getattr(estimator, "best_estimator_", None)
    if inner is not None:
        return lacking(inner)
    tests = [
        (method, test)
        for base in type(estimator).__mro__
        for method in METHODS
        if (test := _LACKING.get((base, method)))
    ]
    return {method: reason for method, test in tests if (reason := test(estimator)) and hasattr(estimator, method)}


def overridden(cls: type) -> list[str]:
    """The inference methods that a class of the user's defines anew and that are lowered as its base's all the same."""
    found = []
    for method in METHODS:
        place = next((place for place, base in enumerate(cls.__mro__) if _own(base, method)), 0)
        own = [base for base in cls.__mro__[:place] if not base.__module__.startswith("sklearn.")]
        if any(method in vars(base) for base in own):
            found.append(method)
    return found


def _find(cls: type, method: str) -> Lowering | None:
    _load_families()
    return next((found for base in cls.__mro__ if (found := _own(base, method))), None)


def _own(cls: type, method: str) -> Lowering | None:
    return _TABLE.get((cls, method)) or _TABLE.get((f"{cls.__module__}.{cls.__qualname__}", method))


@functools.cache
def _load_families() -> None:
    """Import every file beside this one, so that its functions register themselves."""
    for family in pkgutil.iter_modules(__path__):
        importlib.import_module(f".{family.name}", __name__)
