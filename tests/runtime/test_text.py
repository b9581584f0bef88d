"""Texts are read as scikit-learn's vectorisers read them."""

import re
from time import process_time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.utils import murmurhash3_32

from runtime.errors import BundleError
from runtime.manifest import MOST_GRAM, TextRule
from runtime.pattern import DEFAULT, check_pattern
from runtime.rows import Rows, Terms
from runtime.text import LONGEST, analyzer, counter, murmur3

# scikit-learn says which of the parameters that are drawn it does not need.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

LETTERS = st.one_of(
    st.sampled_from("aAbBI_1 \t\n.,'-éÉİıßẞﬁΣς٣²½文한ไ😀𝒜\u0301\u0327\u200d\u00a0\x1c"), st.characters(codec="utf-8")
)
TEXTS = st.text(LETTERS, max_size=40)
PATTERNS = (DEFAULT, r"\w+", r"(?u)\b\w+\b", "[a-zA-Z]{2,}", r"\S+", r"(?i)[^\W\d_]+|\d{1,3}|[.,]", r"\b[\w']+\b", ".")


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """The parameters of a vectoriser that its reading of a text depends on."""
    low = draw(st.integers(1, 4))
    return {
        "analyzer": draw(st.sampled_from(("word", "char", "char_wb"))),
        "token_pattern": draw(st.sampled_from(PATTERNS)),
        "lowercase": draw(st.booleans()),
        "strip_accents": draw(st.sampled_from((None, "ascii", "unicode"))),
        "ngram_range": (low, draw(st.integers(low, 5))),
        "stop_words": draw(st.sampled_from((None, ["a", "aa", "é", "i"]))),
    }


def rule_of(parameters: dict[str, Any], **more: Any) -> TextRule:
    return TextRule(
        analyzer=parameters["analyzer"],
        pattern=parameters["token_pattern"],
        lowercase=parameters["lowercase"],
        accents=parameters["strip_accents"],
        ngrams=parameters["ngram_range"],
        stop_words=tuple(parameters["stop_words"] or ()),
        **more,
    )


def dense(terms: Terms, width: int) -> Any:
    matrix = np.zeros((len(terms.starts) - 1, width))
    np.add.at(matrix, tuple(terms.places.T), terms.values)
    return matrix


@settings(deadline=None)
@given(rules(), TEXTS)
def test_terms_are_those_of_scikit_learn_in_its_order(parameters: dict[str, Any], text: str) -> None:
    rule = rule_of(parameters, hashed=8)  # without a vocabulary nothing is known to be too long
    assert list(analyzer(rule)(text)) == list(CountVectorizer(**parameters).build_analyzer()(text))


@settings(deadline=None)
@given(rules(), st.lists(TEXTS, min_size=1, max_size=6), st.lists(TEXTS, max_size=4))
def test_counts_are_those_of_scikit_learn(parameters: dict[str, Any], texts: list[str], others: list[str]) -> None:
    vectorizer = CountVectorizer(**parameters)
    try:
        vectorizer.fit(texts)
    except ValueError:  # no term at all
        return
    terms = tuple(sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__))
    found = counter(rule_of(parameters, terms=terms))([*texts, *others])
    expected = vectorizer.transform([*texts, *others])
    np.testing.assert_array_equal(found.columns, expected.indices)
    np.testing.assert_array_equal(found.values, expected.data)
    np.testing.assert_array_equal(found.starts, expected.indptr)


@settings(deadline=None)
@given(rules(), st.lists(TEXTS, min_size=1, max_size=6), st.integers(1, 40), st.booleans())
def test_hashed_counts_are_those_of_scikit_learn(
    parameters: dict[str, Any], texts: list[str], width: int, signed: bool
) -> None:
    reference = HashingVectorizer(**parameters, n_features=width, alternate_sign=signed, norm=None)
    found = counter(rule_of(parameters, hashed=width, signed=signed))(texts)
    expected = reference.transform(texts)
    np.testing.assert_array_equal(found.columns, expected.indices)
    np.testing.assert_array_equal(found.values, expected.data)
    np.testing.assert_array_equal(found.starts, expected.indptr)


@settings(deadline=None)
@given(st.binary(max_size=70))
def test_the_hash_is_murmur_hash_3(key: bytes) -> None:
    assert murmur3(key) == murmurhash3_32(key)


def test_a_term_too_long_to_be_remembered_is_hashed_all_the_same() -> None:
    text = "x" * (LONGEST + 1)
    np.testing.assert_array_equal(
        dense(counter(TextRule(hashed=64))([text]), 64), HashingVectorizer(n_features=64).transform([text]).toarray()
    )


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=8), st.data())
def test_some_of_the_rows_are_some_of_the_counts(texts: list[str], data: st.DataObject) -> None:
    rows = Rows(np.zeros((len(texts), 1)), (counter(TextRule(hashed=16, analyzer="char"))(texts),))
    chosen = np.array(data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=5)), np.intp)
    whole = dense(rows.terms[0], 16)
    np.testing.assert_array_equal(dense(rows[chosen].terms[0], 16), whole[chosen])
    np.testing.assert_array_equal(dense(rows[1:3].terms[0], 16), whole[1:3])


@pytest.mark.parametrize(
    "pattern", [*PATTERNS, r"#\w+|@\w{1,15}", r"\b[A-Z]{2,5}\b", r"[]a]+", r"\.\d+", "(?u)ab?c{2}"]
)
def test_a_simple_pattern_is_taken(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(a+)+$", "'(a' at 0"),
        (r"(?:a|a)*b", "'(?' at 0"),
        (r"\w+\d", "something behind an endless repetition"),
        (r"[a-z]+\b", r"an endless repetition before \b, and no \b in front"),
        (r"a*?b", "'?b' at 2"),
        (r"a?" * 7 + "b", "more than 64 ways"),
        ("a" * 65, "more than 64 characters before"),
        ("a" * 300, "more than 256 characters"),
        (r"a{64}b", "more than 64 characters before"),
        (r"a{999}", "more than 64 characters before"),
        (r"a\bb", r"\b between characters"),
        (r"a|", "an empty alternative"),
        ("", "an empty alternative"),
        (r"(?x)a", "'(?' at 0"),
        (r"(a)\1", "'(a' at 0"),
        ("[b-a]", "bad character range"),
        ("[a", "'[a' at 0"),
        ("a{2,1}", "min repeat greater than max repeat"),
    ],
)
def test_another_pattern_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(BundleError, match=r"expected a token pattern such as") as found:
        check_pattern(pattern)
    assert why in str(found.value)


ATOMS = st.sampled_from(["a", r"\w", r"\W", r"\s", r"\S", "[ab]", "[^b]", ".", "[\\w']", "b"])
REPEATED = st.sampled_from(["", "", "?", "{2}", "{0,3}", "{1,30}"])


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """Patterns at the edge of what is taken."""

    def alternative() -> str:
        atoms = "".join(draw(ATOMS) + draw(REPEATED) for _ in range(draw(st.integers(0, 3))))
        leads = draw(st.sampled_from(["", r"\b"]))
        last = draw(st.sampled_from(["", "+", "*", "{3,}"]))
        return f"{leads}{atoms}{draw(ATOMS)}{last}" + draw(st.sampled_from(["", r"\b"] if leads or not last else [""]))

    return "|".join(alternative() for _ in range(draw(st.integers(1, 2))))


@settings(deadline=None, max_examples=150)
@given(patterns(), st.text("ab '.", min_size=1, max_size=4), st.sampled_from(["", "b", "'", " "]))
def test_a_pattern_that_is_taken_needs_no_more_than_linear_time(pattern: str, part: str, last: str) -> None:
    try:
        check_pattern(pattern)
    except BundleError:
        return
    text = part * 30_000 + last
    start = process_time()
    re.compile(pattern).findall(text)
    assert process_time() - start < 5  # quadratic: at least as many seconds again


def test_a_pattern_that_is_refused_needs_more() -> None:
    times = []
    for size in (500, 4_000):
        start = process_time()
        re.compile(r"\w+\d").findall("a" * size)
        times.append(process_time() - start)
    assert times[1] > 20 * times[0]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (TextRule(terms=("a",), ngrams=(1, MOST_GRAM + 1)), "expected n-grams of 1 to 32, found 1 to 33"),
        (TextRule(terms=("a",), ngrams=(0, 1)), "expected n-grams of 1 to 32, found 0 to 1"),
        (TextRule(terms=("a",), ngrams=(2, 1)), "expected n-grams of 1 to 32, found 2 to 1"),
        (TextRule(), "expected a text rule with terms or with a number of columns"),
        (TextRule(terms=("a",), hashed=2), "expected a text rule with terms or with a number of columns"),
        (TextRule(hashed=0), "expected a text rule with terms or with a number of columns"),
        (TextRule(hashed=2**31), "expected a text rule with terms or with a number of columns"),
    ],
)
def test_a_rule_that_would_not_end_is_refused(rule: TextRule, why: str) -> None:
    with pytest.raises(BundleError, match=why):
        rule.check()
