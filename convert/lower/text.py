"""Text: the runtime counts terms, by a rule that is taken from the vectoriser here; the graph does what follows."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from spox import Var

from runtime.errors import BundleError
from runtime.manifest import TextRule
from runtime.text import counter

from ..errors import UnsupportedError
from . import lower, lowers
from .matrix import MISSING, Categorical, Matrix
from .readers import Read, read
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
    if len(columns) != 1 or not isinstance(columns[0], Categorical):
        raise UnsupportedError(
            f"expected one column of texts for {name}, as they came, found another: give it the column by its name, "
            "not in a list"
        )
    counts = terms_of(columns[0], _rule(vectorizer), x)
    return counts.valued(op.expand(op.const(np.ones(1)), op.shape(counts.values))) if vectorizer.binary else counts


def terms_of(column: Categorical, rule: TextRule, x: Matrix) -> Sparse:
    """What a rule counts in a column's texts, those with which missing ones were filled among them.

    Raises UnsupportedError for a column in which other texts were put in the place of some.
    """
    if any(before is not MISSING for before, _ in column.changes):
        raise UnsupportedError(
            f"expected the texts of column {column.name!r} as they came, found that some were replaced: do that before "
            "the pipeline"
        )
    found = x.scope.terms(column.source, rule)
    fill = column.meaning(MISSING)
    if fill is MISSING:
        return found
    terms = counter(rule)([str(fill)])
    if not len(terms.columns):
        return found
    code = op.gather(x.scope.x, op.const(np.int64(column.source)), axis=1)
    rows = op.transpose(op.non_zero(op.isnan(code)), perm=[1, 0])
    each = op.expand(op.unsqueeze(rows, op.const(np.array([1]))), _by(rows, len(terms.columns), 1))
    columns = op.expand(op.const(terms.columns[np.newaxis, :, np.newaxis]), _by(rows, len(terms.columns), 1))
    places = op.reshape(op.concat([each, columns], axis=2), op.const(np.array([-1, 2])))
    values = op.expand(op.const(terms.values[np.newaxis]), _by(rows, len(terms.columns)))
    flat = op.reshape(values, op.const(np.array([-1])))
    return Sparse(
        x.scope.x, op.concat([found.places, places], axis=0), op.concat([found.values, flat], axis=0), rule.columns
    )


def _by(rows: Var, *sizes: int) -> Var:
    """A shape: as many as there are rows, then the sizes."""
    count = op.slice(op.shape(rows), op.const(np.array([0])), op.const(np.array([1])))
    return op.concat([count, op.const(np.array(sizes))], axis=0)


def _rule(vectorizer: Any) -> TextRule:
    """How a vectoriser reads a text.

    Raises UnsupportedError for one that runs functions of the user's own that do more than ``readers`` knows, or reads
    what is no text.
    """
    if vectorizer.input != "content":
        raise UnsupportedError(
            f"expected texts themselves, found input={vectorizer.input!r}: fit with input='content' and read the files "
            "before the pipeline"
        )
    hashes = isinstance(vectorizer, HashingVectorizer)
    terms = () if hashes else _terms(vectorizer)
    whole = _read(vectorizer, "analyzer")
    words = vectorizer.analyzer == "word" or whole is not None
    before = whole or _read(vectorizer, "preprocessor") or _prepared(vectorizer)
    ngrams = (1, 1) if whole else (int(vectorizer.ngram_range[0]), int(vectorizer.ngram_range[1]))
    tokens = whole or (_read(vectorizer, "tokenizer") if words else None) or Read(pattern=vectorizer.token_pattern)
    if before is not whole and (before.pattern or tokens.accents or (tokens.lowercase and before.accents)):
        raise _unread(vectorizer, "preprocessor" if before.pattern else "tokenizer")
    if words and (tokens.pattern is None or (tokens.empty and (hashes or "" in terms or ngrams[1] > 1))):
        raise _unread(vectorizer, "analyzer" if whole else "tokenizer")
    rule = TextRule(
        analyzer="word" if words else vectorizer.analyzer,
        lowercase=before.lowercase or tokens.lowercase,
        accents=before.accents,
        ngrams=ngrams,
        stop_words=tuple(sorted(vectorizer.get_stop_words() or ())) if words and not whole else (),
        terms=terms,
        hashed=int(vectorizer.n_features) if hashes else None,
        signed=not hashes or bool(vectorizer.alternate_sign),
        **({"pattern": str(tokens.pattern)} if words else {}),
    )
    try:
        rule.check()
    except BundleError as error:
        raise UnsupportedError(str(error)) from error
    return rule


def _read(vectorizer: Any, parameter: str) -> Read | None:
    """What a function given as a parameter does; None where there is none."""
    function = getattr(vectorizer, parameter)
    if not callable(function):
        return None
    found = read(function)
    if found is None:
        raise _unread(vectorizer, parameter)
    return found


def _prepared(vectorizer: Any) -> Read:
    accents = vectorizer.strip_accents
    if callable(accents):
        known = read(accents)
        if known is None or known != Read(accents=known.accents):
            raise _unread(vectorizer, "strip_accents")
        accents = known.accents
    return Read(bool(vectorizer.lowercase), accents or None)


def _unread(vectorizer: Any, parameter: str) -> UnsupportedError:
    found = getattr(vectorizer, parameter)
    return UnsupportedError(
        f"expected a {type(vectorizer).__name__} whose functions make small letters, split at white space or one "
        f"character, or find patterns, found {parameter}={getattr(found, '__qualname__', type(found).__name__)}, "
        f"which a bundle cannot hold: {WORDS}"
    )


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
