"""Rows that are dicts: DictVectorizer, FeatureHasher. A key that a row has not is a missing value, and counts zero.

A FeatureHasher also takes rows of strings, each of which it counts.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from spox import Var

from runtime.manifest import TextRule
from runtime.text import murmur3

from ..errors import UnsupportedError
from . import lacks, lowers
from .matrix import Categorical, Lookup, Matrix, Number, concat
from .meta import upright
from .sparse import Sparse, summed

CELL = r"[\s\S]+"
"""All of a text, as one token."""


@lowers(DictVectorizer, method="transform")
def dict_vectorizer(vectorizer: DictVectorizer, x: Matrix) -> Matrix:
    """A number's column is named as its key, a string's ``key=value``."""
    _check_double(vectorizer)
    parts: list[Matrix] = []
    names: list[str] = []
    for column, name in _named(x):
        if isinstance(column, Number):
            parts.append(x.new(_present(x, column)))
            names.append(name)
            continue
        start = f"{name}{vectorizer.separator}"
        known = [key for key in vectorizer.vocabulary_ if isinstance(key, str) and key.startswith(start)]
        if known:
            codes = np.array(x.scope.codes(column.source, [key.removeprefix(start) for key in known]), np.float64)
            asked = op.gather(x.scope.x, op.const(np.array([column.source])), axis=1)
            lit = op.cast(op.equal(asked, op.const(codes)), to=np.float64)
            ones = np.ones(1)
            parts.append(x.new(lit, [Lookup(column.source, codes[[k]], ones, 0.0, 0.0) for k in range(len(codes))]))
            names += known
    places = {name: place for place, name in enumerate(names)}
    if len(places) < len(names):
        raise UnsupportedError(
            "expected each name of the vocabulary to be of one key, found two that make the same: rename a key"
        )
    absent = next((name for name in vectorizer.feature_names_ if name not in places), None)
    if absent is not None:
        raise UnsupportedError(
            f"expected a sample with every key of the vocabulary, found none for {absent!r}: give rows that have it"
        )
    return concat(parts).select([places[name] for name in vectorizer.feature_names_])


@lowers(FeatureHasher, method="transform")
def feature_hasher(hasher: FeatureHasher, x: Matrix) -> Matrix:
    """A number goes to its key's hash, with its sign; numbers that meet there are added."""
    _check_double(hasher)
    if hasher.input_type == "string":
        return x.sparse_columns(_hashed_cells(hasher, x))
    found: dict[int, Var] = {}
    for column, name in _named(x):
        if isinstance(column, Categorical):
            raise UnsupportedError(
                f"expected numbers for FeatureHasher, found strings under {name!r}, of which it hashes those that it "
                "has never seen as well: use DictVectorizer, which has a vocabulary"
            )
        number = murmur3(name.encode())
        value = _present(x, column)
        value = op.neg(value) if hasher.alternate_sign and number < 0 else value
        place = abs(number) % hasher.n_features
        found[place] = op.add(found[place], value) if place in found else value
    order = sorted(found)
    values = op.concat([found[place] for place in order], axis=1)
    rows, columns = op.const(np.array([0])), op.const(np.array([order], np.int64))
    count = op.slice(op.shape(values), rows, op.const(np.array([1])))
    numbered = op.range(op.const(np.int64(0)), op.squeeze(count, rows), op.const(np.int64(1)))
    shape = op.shape(values)
    grid = [op.expand(op.unsqueeze(numbered, op.const(np.array([1]))), shape), op.expand(columns, shape)]
    places = op.concat([op.reshape(part, op.const(np.array([-1, 1]))) for part in grid], axis=1)
    entries = Sparse(x.scope.x, places, op.reshape(values, op.const(np.array([-1]))), hasher.n_features)
    return x.sparse_columns(entries)


@lacks(FeatureHasher, method="transform")
def pairs(hasher: FeatureHasher) -> str | None:
    if hasher.input_type != "pair":
        return None
    return (
        "expected FeatureHasher with input_type='dict' or 'string', found 'pair', whose rows are collections of a name "
        "and a number each: give it dicts"
    )


def _hashed_cells(hasher: FeatureHasher, x: Matrix) -> Sparse:
    """Each cell, as one text, counts with its hash's sign; that of an empty one is zero."""
    rule = TextRule(pattern=CELL, lowercase=False, hashed=int(hasher.n_features), signed=bool(hasher.alternate_sign))
    parts: list[Sparse] = []
    for column in x.columns:
        if not isinstance(column, Categorical) or column.changes:
            raise UnsupportedError(
                "expected cells that are strings, as they came, for FeatureHasher with input_type='string', found "
                "another column: give it an array of strings, or dicts with input_type='dict'"
            )
        terms = x.scope.terms(column.source, rule)
        met = terms.row_sums(upright(op.abs(terms.values)))
        empty = op.transpose(op.non_zero(op.equal(met, op.const(0.0))), perm=[1, 0])  # their column is 0 already
        ones = op.expand(op.const(np.ones(1)), op.slice(op.shape(empty), op.const([0]), op.const([1])))
        parts += [terms, Sparse(x.scope.x, empty, ones, hasher.n_features)]
    return summed(parts)


def _named(x: Matrix) -> Iterator[tuple[Number | Categorical, str]]:
    """The columns with their keys."""
    for column in x.columns:
        if isinstance(column, Categorical):
            yield column, column.name
        elif isinstance(column, Number) and column.raw is not None:
            yield column, x.scope.names[column.raw.source]
        else:
            raise UnsupportedError("expected dicts as they came, found columns that a step has made: vectorise first")


def _present(x: Matrix, column: Number) -> Var:
    """[N, 1]: a number, zero where its key is not there; added to zeros, as SciPy does, -0.0 becomes 0.0."""
    value = Matrix(x.scope, (column,)).tensor
    nothing = op.or_(op.isnan(value), op.equal(value, op.const(0.0)))
    return op.where(nothing, op.const(0.0), value)


def _check_double(vectorizer: Any) -> None:
    if np.dtype(vectorizer.dtype) != np.float64:
        raise UnsupportedError(
            f"expected a {type(vectorizer).__name__} of float64, found {np.dtype(vectorizer.dtype).name}: fit with "
            "dtype=np.float64"
        )
