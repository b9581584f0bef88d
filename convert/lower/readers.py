"""What a vectoriser's own functions do with a text, where that is small letters, accents, and a split or a
pattern.

A function is called once, with a text that listens, and what it does to that becomes part of the rule; the proof then
compares with what it does to texts.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

from sklearn.feature_extraction.text import strip_accents_ascii, strip_accents_unicode

from .hooks import Untraceable
from .rebound import of_instances, stand_in, traced

__all__ = ["Read", "read"]

Accents = Literal["ascii", "unicode"]
ACCENTS: dict[Any, Accents] = {strip_accents_ascii: "ascii", strip_accents_unicode: "unicode"}
"""scikit-learn's own functions, by what they are called as a parameter."""


@dataclass(frozen=True)
class Read:
    """lowercase, accents: what is done to the whole text first, as in a rule.
    pattern: of the tokens that it is then taken apart into; None where it stays whole.
    empty: whether there are empty tokens besides, which the pattern does not find.
    """

    lowercase: bool = False
    accents: Accents | None = None
    pattern: str | None = None
    empty: bool = False


def read(function: Any) -> Read | None:
    """What a function does; None where it does anything else."""
    accents = next((name for own, name in ACCENTS.items() if own is function), None)
    if accents is not None:
        return Read(accents=accents)
    text = _Text(Read())
    try:
        if function is str.split or function is str.lower:  # which take strings alone
            found: Any = getattr(text, function.__name__)()
        else:
            found = text if function is str else traced(function, text)
    except Exception:  # a function of anybody's
        return None
    return found.said if isinstance(found, _Text | _Tokens) else None


class _Text:
    def __init__(self, said: Read) -> None:
        self.said = said

    def __getattr__(self, name: str) -> Any:
        raise Untraceable(f"it uses .{name}")

    def lower(self) -> "_Text":
        if self.said.accents is not None:
            raise Untraceable("a rule makes small letters first")
        return _Text(Read(lowercase=True))

    def split(self, sep: str | None = None) -> "_Tokens":
        if sep is None:
            return _Tokens(Read(self.said.lowercase, self.said.accents, r"\S+"))
        if len(sep) != 1:
            raise Untraceable("a rule has no longer separator")
        return _Tokens(Read(self.said.lowercase, self.said.accents, f"[^{re.escape(sep)}]+", empty=True))


@of_instances(re.Pattern)
class _Pattern:
    """A pattern that finds all that match in a text."""

    def __init__(self, own: re.Pattern[Any]) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def findall(self, string: Any, *rest: Any) -> Any:
        if not isinstance(string, _Text):
            return self._own.findall(string, *rest)
        if rest or self._own.groups or self._own.flags != re.UNICODE:
            raise Untraceable("a rule has no groups and no flags")
        return _Tokens(Read(string.said.lowercase, string.said.accents, str(self._own.pattern)))


@stand_in(re.findall)
def _findall(pattern: Any, string: Any, flags: Any = 0) -> Any:
    own = pattern if isinstance(pattern, _Pattern) else _Pattern(re.compile(pattern, flags))
    return own.findall(string)


class _Tokens:
    def __init__(self, said: Read) -> None:
        self.said = said
