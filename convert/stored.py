"""Which models a pipeline gives sparse rows: XGBoost reads of these what is stored, and takes the rest for missing."""

import contextlib
import sys
from typing import Any
from unittest.mock import patch

from scipy.sparse import issparse

from .reference import RAISED, Signature, methods_of

__all__ = ["given_sparse"]


def given_sparse(pipeline: Any, signature: Signature) -> frozenset[int]:
    """The ids of XGBoost's models inside it that are given sparse rows, as one row shows."""
    library = sys.modules.get("xgboost.sklearn")
    if library is None:
        return frozenset()
    found: set[int] = set()
    predict = library.XGBModel.predict

    def listened(model: Any, X: Any, *more: Any, **options: Any) -> Any:
        if issparse(X):
            found.add(id(model))
        return predict(model, X, *more, **options)

    with patch.object(library.XGBModel, "predict", listened):
        for method in methods_of(pipeline):
            with contextlib.suppress(*RAISED):
                signature.ask(pipeline, method, signature.frame.iloc[:1])
    return frozenset(found)
