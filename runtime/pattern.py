"""Token patterns: which regular expressions a bundle may bring, and none that could keep a service busy.

Python's ``re`` goes back over what it has read, so that some expressions take quadratic or exponential time on a text
that somebody chose. Those that are taken here need time linear in the text, by their form:

    pattern      = ["(?flags)"] alternative {"|" alternative}
    alternative  = ["\\b"] atom {atom} ["\\b"]
    atom         = one [ "?" | "*" | "+" | "{m}" | "{m,}" | "{m,n}" ]
    one          = a character, an escaped one, ".", "\\w" "\\d" "\\s" "\\W" "\\D" "\\S", or a set "[...]"

An alternative has at most one atom without an upper bound, as its last; and where ``\\b`` follows it, ``\\b`` stands
in front as well. So what such an atom has read is either kept, and the search goes on behind it, or (``\\b`` fails all
the way back) holds no other place at which the alternative could begin. There are no groups, hence no repetition of a
repetition; and what the atoms can read and give back before they decide is bounded, by ``READ`` and ``WAYS``.
"""

import re

from .errors import BundleError

__all__ = ["DEFAULT", "check_pattern"]

DEFAULT = r"(?u)\b\w\w+\b"
"""scikit-learn's own: words of two characters and more."""

LENGTH = 256
READ = 64
"""Characters that all atoms may ask for, each by its upper bound, or its lower one where it has no other."""
WAYS = 64

_FLAGS = re.compile(r"\(\?[aimsu]+\)")
_ONE = re.compile(r"\\[wdsWDS]|\\[^A-Za-z0-9]|[^\\^$.|?*+(){}\[\]]|\.|\[\^?\]?(?:[^\]\\]|\\.)*\]", re.DOTALL)
_REPEATED = re.compile(r"[?*+]|\{(\d{1,3})(,(\d{1,3})?)?\}")


def check_pattern(pattern: str) -> None:
    """Raises BundleError for a pattern that is not of the form above; it is not run."""
    if pattern == DEFAULT:
        return
    found = _wrong(pattern)
    if found is None:
        try:
            re.compile(pattern)
        except (re.error, OverflowError) as error:
            found = str(error)
    if found is not None:
        raise BundleError(
            f"expected a token pattern such as {DEFAULT!r} or '[a-z]+|[0-9]+', whose time is linear in the text, found "
            f"{pattern[:LENGTH]!r}, with {found}: fit with a simpler one"
        )


def _wrong(pattern: str) -> str | None:
    """What is wrong with a pattern; None for nothing."""
    if len(pattern) > LENGTH:
        return f"more than {LENGTH} characters"
    flags = _FLAGS.match(pattern)
    place = flags.end() if flags else 0
    read = ways = 0
    while True:
        alternative = _Alternative(pattern, place)
        read, ways, place = read + alternative.read, ways + alternative.ways, alternative.end
        if alternative.wrong is not None:
            return alternative.wrong
        if read > READ:
            return f"more than {READ} characters before it can decide"
        if ways > WAYS:
            return f"more than {WAYS} ways to divide a text"
        if place == len(pattern):
            return None
        place += 1  # "|"


class _Alternative:
    """What stands in a pattern from a place up to the next "|", which is ``end``.

    read, ways: the characters that its atoms ask for, and in how many ways they can share them.
    wrong: why it is not of the form; None for no reason.
    """

    def __init__(self, pattern: str, place: int) -> None:
        self.read, self.ways, self.end = 0, 1, place
        self.wrong = self._parse(pattern)

    def _parse(self, pattern: str) -> str | None:
        leads = self._boundary(pattern)
        endless = False
        while self.end < len(pattern) and pattern[self.end] != "|":
            if self.read and self._boundary(pattern):
                if self.end < len(pattern) and pattern[self.end] != "|":
                    return r"\b between characters"
                return r"an endless repetition before \b, and no \b in front" if endless and not leads else None
            one = _ONE.match(pattern, self.end)
            if one is None:
                return f"{pattern[self.end : self.end + 2]!r} at {self.end}"
            if endless:
                return "something behind an endless repetition"
            endless = self._repetition(pattern, one.end())
        return None if self.read else "an empty alternative"

    def _boundary(self, pattern: str) -> bool:
        found = pattern.startswith(r"\b", self.end)
        self.end += 2 * found
        return found

    def _repetition(self, pattern: str, place: int) -> bool:
        """Count the repetition behind an atom, which may be none; whether it has no upper bound."""
        found = _REPEATED.match(pattern, place)
        self.end = found.end() if found else place
        low, high = _bounds(found) if found else (1, 1)
        self.read += max(low, high or 0, 1)
        self.ways *= 1 if high is None else max(high - low + 1, 1)
        return high is None


def _bounds(repeated: re.Match[str]) -> tuple[int, int | None]:
    """The least and the most times; None for no bound."""
    match repeated[0]:
        case "?":
            return 0, 1
        case "*":
            return 0, None
        case "+":
            return 1, None
    low = int(repeated[1])
    if not repeated[2]:
        return low, low
    return low, int(repeated[3]) if repeated[3] else None
