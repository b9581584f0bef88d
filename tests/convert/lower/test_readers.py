"""Vectorisers with functions of the user's own that do what a rule can say."""

import re
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    strip_accents_ascii,
    strip_accents_unicode,
)

from convert.errors import UnsupportedError

from .twins import model_of, twin_of

RNG = np.random.default_rng(4)
WORDS = np.array(["Free", "money", "Héllo", "wörld", "meeting,lunch", "a|b|c", "tomorrow", "call|now", "WIN"])
TEXTS = [" ".join(RNG.choice(WORDS, RNG.integers(2, 9))) for _ in range(60)]
ODD = ["", "  ", "a|b||free", "FREE free\tmoney\x1cx\u2003y", "héllo,lunch İ", ",", "|"]
LETTERS = re.compile("[a-zé]+")


class Words:
    pattern = LETTERS

    def __call__(self, text: Any) -> Any:
        return self.pattern.findall(text)


pytestmark = pytest.mark.filterwarnings("ignore:The parameter 'token_pattern' will not be used")


@pytest.mark.parametrize(
    "parameters",
    [
        {"tokenizer": str.split},
        {"tokenizer": lambda text: text.split(), "ngram_range": (1, 2), "stop_words": ["free"]},
        {"tokenizer": lambda text: text.lower().split(), "lowercase": False},
        {"tokenizer": lambda text: text.split("|")},
        {"tokenizer": lambda text: text.split(","), "lowercase": False},
        {"tokenizer": re.compile(r"\w+").findall},
        {"tokenizer": lambda text: re.findall(r"\w\w+", text)},
        {"tokenizer": Words()},
        {"analyzer": lambda text: LETTERS.findall(text.lower())},
        {"preprocessor": str.lower},
        {"preprocessor": lambda text: text, "analyzer": "char", "ngram_range": (1, 2)},
        {"preprocessor": strip_accents_unicode},
        {"strip_accents": strip_accents_ascii},
        {"analyzer": str.split},
        {"analyzer": lambda text: text.lower().split()},
    ],
)
def test_counts_have_the_same_bits(parameters: dict[str, Any]) -> None:
    vectorizer = CountVectorizer(**parameters).fit(TEXTS)
    twin = twin_of(vectorizer, TEXTS)
    assert twin.proof.level == "bit"
    np.testing.assert_array_equal(model_of(twin).transform(ODD), vectorizer.transform(ODD).toarray())


def folded(text: Any) -> Any:
    try:
        return text.casefold().split()
    except AttributeError:
        return text.split()


@pytest.mark.parametrize(
    ("vectorizer", "parameter"),
    [
        (
            CountVectorizer(
                token_pattern=None, tokenizer=lambda text: [word for word in text.split() if len(word) > 2]
            ),
            "tokenizer",
        ),
        (
            CountVectorizer(
                token_pattern=None, tokenizer=lambda text: text.split(), preprocessor=lambda text: text.strip()
            ),
            "preprocessor",
        ),
        (
            CountVectorizer(tokenizer=lambda text: text.lower().split(), strip_accents="ascii"),
            "tokenizer",
        ),
        (CountVectorizer(tokenizer=lambda text: text.split("|"), ngram_range=(1, 2)), "tokenizer"),
        (HashingVectorizer(tokenizer=lambda text: text.split("|"), n_features=64), "tokenizer"),
        (CountVectorizer(tokenizer=re.compile(r"\w+", re.ASCII).findall), "tokenizer"),
        (CountVectorizer(tokenizer=lambda text: re.findall(r"\w+", text, re.ASCII)), "tokenizer"),
        (CountVectorizer(tokenizer=lambda text: re.findall(r"(\w)\w+", text)), "tokenizer"),
        (CountVectorizer(analyzer=lambda text: [text]), "analyzer"),
        (CountVectorizer(tokenizer=folded, lowercase=False), "tokenizer"),
    ],
)
def test_what_a_rule_cannot_say_is_refused(vectorizer: Any, parameter: str) -> None:
    """With the parameter: what drops words, makes empty ones that count, or has another order."""
    with pytest.raises(UnsupportedError, match=rf"found {parameter}=\S+, which a bundle cannot hold"):
        twin_of(vectorizer.fit(TEXTS), TEXTS)


def test_empty_tokens_in_a_vocabulary_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="found tokenizer="):
        twin_of(CountVectorizer(tokenizer=lambda text: text.split("|")).fit([*TEXTS, "a||b"]), TEXTS)
