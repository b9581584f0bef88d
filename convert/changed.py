"""The sample's first row with one cell changed: a row for each feature that is asked about, all in one frame."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .reference import RAISED, Signature, methods_of, reference, strictest
from .refusals import taken
from .search import search

__all__ = ["changed", "taken_in"]

CELLS = 2**22
"""Numbers in one question at most, in its frame and in its answer."""


def taken_in(pipeline: Any, signature: Signature, cells: Mapping[str, Any]) -> set[str]:
    """The features in which the pipeline takes a value, each put into a row by itself.

    cells: by feature, the value, as the reference sees it.
    """
    method = _method(pipeline, signature)
    # A column of another type than the sample's, of booleans with a gap, must not be beside rows that are asked for
    # another column's sake.
    alike = [name for name in cells if _fits(signature, name, cells[name])]
    most = _affordable(pipeline, signature, method) if alike else 1
    found: set[str] = set()
    with reference():
        for start in range(0, len(alike), most):
            group = alike[start : start + most]
            given = signature.given(changed(signature, {name: cells[name] for name in group}))
            found.update(name for name, good in zip(group, taken(pipeline, method, given), strict=True) if good)

        def takes(group: Sequence[str]) -> bool:
            given = signature.given(changed(signature, {name: cells[name] for name in group}))
            return bool(taken(pipeline, method, given).all())

        found.update(search([name for name in cells if name not in set(alike)], takes))
    return found


def _method(pipeline: Any, signature: Signature) -> str:
    """The strictest of the pipeline's methods, or the first where that raises for the sample itself, as a bag's
    decisions do where a member has not seen all classes."""
    methods = methods_of(pipeline)
    found = strictest(methods)
    try:
        signature.ask(pipeline, found, signature.frame.iloc[:1])
    except RAISED:
        return methods[0]
    return found


def _fits(signature: Signature, name: str, cell: Any) -> bool:
    """Whether a column keeps its type with the value in it."""
    column = signature.columns[name]
    kind = signature.frame.dtypes[column].kind
    own = {"O": True, "f": isinstance(cell, float), "M": isinstance(cell, np.datetime64)}
    return column not in signature.categories and own.get(kind, False)


def changed(signature: Signature, cells: Mapping[str, Any]) -> pd.DataFrame:
    """The first row once for each feature, with that feature's value changed."""
    frame = signature.frame.iloc[np.zeros(len(cells), int)].reset_index(drop=True)
    for row, (name, cell) in enumerate(cells.items()):
        column = signature.columns[name]
        if not _fits(signature, name, cell):
            objects = frame.dtypes[column].kind == "O" or not isinstance(cell, float)
            frame[column] = frame[column].astype(object if objects else np.float64)
        frame.iat[row, frame.columns.get_loc(column)] = cell
    return frame


def _affordable(pipeline: Any, signature: Signature, method: str) -> int:
    """How many rows may be asked at once."""
    answer = signature.ask(pipeline, method, signature.frame.iloc[:1])
    width = 1 if isinstance(answer, list) or answer.ndim < 2 else answer.shape[1]
    return max(1, CELLS // int(max(signature.frame.shape[1], width)))
