"""Texts become counts of terms, by a manifest's rule and with scikit-learn's tokenisation, without scikit-learn.

Source: sklearn/feature_extraction/text.py and _hashing_fast.pyx of scikit-learn 1.9. The order of the steps is theirs:
small letters, accents, tokens, stop words, n-grams.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from .manifest import TextRule
from .rows import Terms

__all__ = ["analyzer", "counter", "murmur3"]

_SPACES = re.compile(r"\s\s+")
REMEMBERED = 2**16
"""Hashed terms that a rule remembers, of at most LONGEST characters, so that nobody can fill the memory."""
LONGEST = 64

Analyze = Callable[[str], Iterable[str]]


def counter(rule: TextRule) -> Callable[[Sequence[str]], Terms]:
    """A function from texts to their terms' counts.

    It raises UnicodeEncodeError for a text with half a surrogate pair, where terms are hashed.
    """
    analyze = analyzer(rule)
    count = _known(rule.terms) if rule.hashed is None else _hashed(rule.hashed, rule.signed)

    def terms(texts: Sequence[str]) -> Terms:
        starts, columns, values = [0], [], []
        for text in texts:
            found = count(analyze(text))
            row = sorted(found)
            columns += row
            values += [found[column] for column in row]
            starts.append(len(columns))
        return Terms(np.array(starts, np.int64), np.array(columns, np.int64), np.array(values, np.float64))

    return terms


def _known(terms: Sequence[str]) -> Callable[[Iterable[str]], dict[int, int]]:
    """Counts by a vocabulary."""
    column = {term: place for place, term in enumerate(terms)}.get

    def count(found: Iterable[str]) -> dict[int, int]:
        # Unknown terms are dropped one by one: a text may have more of them than memory holds.
        return Counter(place for place in map(column, found) if place is not None)

    return count


def _hashed(width: int, signed: bool) -> Callable[[Iterable[str]], dict[int, int]]:
    """Counts by hash, each with the hash's sign where ``signed``; a count that became zero stays."""

    def place(term: str) -> tuple[int, int]:
        number = murmur3(term.encode())
        return abs(number) % width, -1 if signed and number < 0 else 1

    remembered = lru_cache(REMEMBERED)(place)

    def count(found: Iterable[str]) -> dict[int, int]:
        counts: dict[int, int] = {}
        for term in found:
            column, sign = remembered(term) if len(term) <= LONGEST else place(term)
            counts[column] = counts.get(column, 0) + sign
        return counts

    return count


def analyzer(rule: TextRule) -> Analyze:
    """A function from a text to its terms, in scikit-learn's order."""
    prepare = _preparer(rule.lowercase, rule.accents)
    low, high = rule.ngrams
    high = max(low, min(high, _longest(rule)))
    match rule.analyzer:
        case "char":
            return lambda text: _runs(_SPACES.sub(" ", prepare(text)), low, high)
        case "char_wb":
            return lambda text: _within_words(_SPACES.sub(" ", prepare(text)), low, high)
    tokens = re.compile(rule.pattern).findall
    stop = frozenset(rule.stop_words)

    def words(text: str) -> Iterable[str]:
        found = tokens(prepare(text))
        if stop:
            found = [token for token in found if token not in stop]
        return found if high == 1 else _joined(found, low, high)

    return words


def _longest(rule: TextRule) -> int:
    """The n of the longest n-gram that can be a term: there is no need to look for longer ones."""
    if rule.hashed is not None:
        return rule.ngrams[1]
    if rule.analyzer == "word":
        return 1 + max((term.count(" ") for term in rule.terms), default=0)
    return max(map(len, rule.terms), default=1)


def _joined(tokens: Sequence[str], low: int, high: int) -> Iterator[str]:
    if low == 1:
        yield from tokens
    for size in range(max(low, 2), min(high, len(tokens)) + 1):
        for start in range(len(tokens) - size + 1):
            yield " ".join(tokens[start : start + size])


def _runs(text: str, low: int, high: int) -> Iterator[str]:
    for size in range(low, min(high, len(text)) + 1):
        for start in range(len(text) - size + 1):
            yield text[start : start + size]


def _within_words(text: str, low: int, high: int) -> Iterator[str]:
    for word in text.split():
        padded = f" {word} "
        for size in range(low, high + 1):
            yield padded[:size]
            if len(padded) <= size:
                break  # a short word counts once
            for start in range(1, len(padded) - size + 1):
                yield padded[start : start + size]


def _preparer(lowercase: bool, accents: str | None) -> Callable[[str], str]:
    strip = {None: None, "ascii": _ascii, "unicode": _bare}[accents]
    if strip is None:
        return str.lower if lowercase else str
    return (lambda text: strip(text.lower())) if lowercase else strip


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _bare(text: str) -> str:
    if text.isascii():
        return text
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def murmur3(key: bytes) -> int:
    """MurmurHash3_x86_32 with seed 0, as a signed 32-bit integer.

    Source: Austin Appleby, smhasher/src/MurmurHash3.cpp, public domain.
    """
    whole = len(key) & ~3
    result = 0
    for start in range(0, whole, 4):
        result ^= _mixed(int.from_bytes(key[start : start + 4], "little"))
        result = ((result << 13) | (result >> 19)) & _MASK
        result = (result * 5 + 0xE6546B64) & _MASK
    if whole < len(key):
        result ^= _mixed(int.from_bytes(key[whole:], "little"))
    result ^= len(key)
    result = ((result ^ (result >> 16)) * 0x85EBCA6B) & _MASK
    result = ((result ^ (result >> 13)) * 0xC2B2AE35) & _MASK
    result ^= result >> 16
    return result - ((result & 0x80000000) << 1)


_MASK = 0xFFFFFFFF


def _mixed(block: int) -> int:
    block = (block * 0xCC9E2D51) & _MASK
    block = ((block << 15) | (block >> 17)) & _MASK
    return (block * 0x1B873593) & _MASK
