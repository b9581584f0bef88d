"""Synthetic texts, of a vocabulary's terms and of what tokenisers come apart on: never a text of the sample."""

from collections.abc import Iterator, Sequence

import numpy as np

from runtime.manifest import TextRule

__all__ = ["documents", "odd_documents"]

TERMS = 2000
"""Terms that are each met by a text at least, chosen by chance where a vocabulary has more."""
PLAIN = ("text", "of", "no", "vocabulary", "Words", "naïve", "42")
"""What stands for terms where they are hashed."""
ODD = (
    "",
    " ",
    "\t\n\x0b\x1c\u00a0\u2003",
    "\n\r\n",
    ".,;!?",
    "a b c d e",
    "I",
    "_ __ _a a_b",
    "1 22 3.14 1e5 ٣٤ ² ½",
    "it's don't",
    "co-operate e-mail",
    "e\u0301 é E\u0301 É ñ n\u0303",
    "İstanbul ISTANBUL ı I İ",
    "Straße STRASSE ẞ ﬁne ﬂuﬀy Ǆ",
    "ΣΑΣ σας ς",
    "日本語のテキスト 中文 한국어 ไทย",
    "😀 👩‍👩‍👧 🇩🇪 𝒜𝓑𝟙",
    "\u200bzero\u200dwidth\ufeff",
    "a\u0000b",
    "x" * 3000,
    "ab " * 500,
    "http://example.org/?a=b&c=d",
    "\U0010ffff\ue000",
)


def odd_documents(rules: Sequence[TextRule], rng: np.random.Generator) -> list[str]:
    """Texts for a column that these rules read: empty, odd, and of known and unknown terms in every neighbourhood."""
    return [*ODD, *(text for rule in rules for text in _of(rule, rng))]


def _of(rule: TextRule, rng: np.random.Generator) -> Iterator[str]:
    terms = _some(rule.terms or PLAIN, rng)
    yield from _plain(terms, rng, 200)
    for start in range(0, len(terms), 20):
        yield " ".join(terms[start : start + 20])
    for term in terms[:50]:
        yield term
        yield f"{term} {term}\n{term.upper()}, {term.title()}."
        yield f"unseen {term} un{term}seen {term}-{term}_{term}"
    for word in rule.stop_words[:20]:
        yield f"{word} {terms[0]} {word} {terms[-1]}"


def documents(rules: Sequence[TextRule], rng: np.random.Generator, count: int) -> list[str]:
    """Ordinary texts, some words of the vocabulary each."""
    terms = _some([term for rule in rules for term in rule.terms] or PLAIN, rng)
    return list(_plain(terms, rng, count))


def _some(terms: Sequence[str], rng: np.random.Generator) -> list[str]:
    chosen = rng.permutation(len(terms))[:TERMS].tolist()
    return [terms[place] for place in chosen]


def _plain(terms: Sequence[str], rng: np.random.Generator, count: int) -> Iterator[str]:
    for _ in range(count):
        places = rng.integers(len(terms), size=rng.integers(1, 12))
        yield " ".join(terms[place] for place in places.tolist())
