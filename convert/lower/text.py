"""Text: the runtime counts terms, by a rule that is taken from the vectoriser here; the graph does what follows."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from spox import Var

from runtime.errors import BundleError
from runtime.manifest import TextRule

from ..errors import UnsupportedError
from . import lower, lowers
from .matrix import Categorical, Matrix
from .sparse import Sparse

WORDS = (
    "take the words apart before the pipeline, join them with spaces, and fit with token_pattern=r'\\S+' "
    "and lowercase=False"
)


@lowers(CountVectorizer, method="transform")
def count_vectorizer(vectorizer: CountVectorizer, x: Matrix) -> Matrix:
    return x.sparse_columns(_counts(vectorizer, x))


@lowers(TfidfVectorizer, method="transform")
def tfidf_vectorizer(vectorizer: TfidfVectorizer, x: Matrix) -> Matrix:
    _check_double(vectorizer)
    counts = x.sparse_columns(_counts(vectorizer, x))
    weighted: Matrix = lower(vectorizer._tfidf, "transform", counts, "._tfidf")
    return weighted


@lowers(HashingVectorizer, method="transform")
def hashing_vectorizer(vectorizer: HashingVectorizer, x: Matrix) -> Matrix:
    _check_double(vectorizer)
    counts = _counts(vectorizer, x)
    return x.sparse_columns(counts if vectorizer.norm is None else counts.normalized(vectorizer.norm))


@lowers(TfidfTransformer, method="transform")
def tfidf_transformer(transformer: TfidfTransformer, x: Matrix) -> Matrix:
    entries = x.sparse if x.sparse is not None else _entries(x.tensor, x.width)
    if transformer.sublinear_tf:
        entries = entries.valued(op.add(op.log(entries.values), op.const(1.0)))
    if hasattr(transformer, "idf_"):
        entries = entries.scaled(np.asarray(transformer.idf_, np.float64))
    return x.sparse_columns(entries if transformer.norm is None else entries.normalized(transformer.norm))


def _entries(tensor: Var, width: int) -> Sparse:
    """The numbers of a tensor that are not zero."""
    places = op.transpose(op.non_zero(op.not_(op.equal(tensor, op.const(0.0)))), perm=[1, 0])
    return Sparse(tensor, places, op.gather_nd(tensor, places), width)


def _counts(vectorizer: Any, x: Matrix) -> Sparse:
    """The counts of a document's terms; ones where they are ``binary``."""
    name = type(vectorizer).__name__
    columns = x.columns
    if len(columns) != 1 or not isinstance(columns[0], Categorical) or columns[0].changes:
        raise UnsupportedError(
            f"expected one column of texts for {name}, as they came, found another: give it the column by its name, "
            "not in a list, and fill in missing texts before the pipeline"
        )
    counts = x.scope.terms(columns[0].source, _rule(vectorizer))
    return counts.valued(op.expand(op.const(np.ones(1)), op.shape(counts.values))) if vectorizer.binary else counts


def _rule(vectorizer: Any) -> TextRule:
    """How a vectoriser reads a text.

    Raises UnsupportedError for one that runs functions of the user's own, or reads what is no text.
    """
    for parameter in ("preprocessor", "tokenizer", "analyzer", "strip_accents"):
        found = getattr(vectorizer, parameter)
        if callable(found):
            raise UnsupportedError(
                f"expected a {type(vectorizer).__name__} without functions of its own, found "
                f"{parameter}={getattr(found, '__qualname__', type(found).__name__)}, which a bundle cannot hold: "
                f"{WORDS}"
            )
    if vectorizer.input != "content":
        raise UnsupportedError(
            f"expected texts themselves, found input={vectorizer.input!r}: fit with input='content' and read the files "
            "before the pipeline"
        )
    hashes = isinstance(vectorizer, HashingVectorizer)
    words = vectorizer.analyzer == "word"
    rule = TextRule(
        analyzer=vectorizer.analyzer,
        lowercase=bool(vectorizer.lowercase),
        accents=vectorizer.strip_accents or None,
        ngrams=(int(vectorizer.ngram_range[0]), int(vectorizer.ngram_range[1])),
        stop_words=tuple(sorted(vectorizer.get_stop_words() or ())) if words else (),
        terms=() if hashes else _terms(vectorizer),
        hashed=int(vectorizer.n_features) if hashes else None,
        signed=not hashes or bool(vectorizer.alternate_sign),
        **({"pattern": vectorizer.token_pattern} if words else {}),
    )
    try:
        rule.check()
    except BundleError as error:
        raise UnsupportedError(str(error)) from error
    return rule


def _terms(vectorizer: Any) -> tuple[str, ...]:
    """The vocabulary in the order of its columns."""
    terms = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
    odd = next((term for term in terms if not isinstance(term, str)), None)
    if odd is not None:
        raise UnsupportedError(f"expected a vocabulary of strings, found {type(odd).__name__}: fit with strings")
    return tuple(map(str, terms))


def _check_double(vectorizer: Any) -> None:
    if np.dtype(vectorizer.dtype) == np.float32:
        raise UnsupportedError(
            f"expected a {type(vectorizer).__name__} of float64, found float32, whose sums are rounded otherwise: fit "
            "with dtype=np.float64"
        )
