"""The bundle's manifest: what goes into the graph, what comes out of it, and what made it.

The reader owns the format. To change it, here or in proof.py: raise PROTOCOL by one, let ``protocol_of`` say which
bundles need it, keep reading the older number (a frozen reader of its own if the change is not an addition with a
default), and freeze a bundle by ``python -m tests.formats.freeze``, which is then read for ever.
"""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from .errors import BundleError, ProtocolError
from .pattern import DEFAULT, check_pattern
from .written import ISO, ISO_UTC, check_format, check_zone

__all__ = [
    "NAME",
    "PROTOCOL",
    "STD",
    "VERSION",
    "YEARS",
    "Category",
    "Feature",
    "Manifest",
    "Output",
    "TextRule",
    "protocol_of",
]

PROTOCOL = 5
"""The newest protocol that this runtime reads: 1, 2 with texts, 3 where rows must stay together, 4 with dates, and 5
with dates that have a zone or that the pipeline reads from strings."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
"""The grammar of a model's name and of an alias."""

VERSION = re.compile(r"[a-z0-9][a-z0-9._TZ-]{0,62}")
"""The grammar of a version: capital T and Z allow a time such as 20261122T110305Z."""

STD = "predict_std"
"""The output beside ``predict`` that ``predict(X, return_std=True)`` answers as well."""

Category = str | int | bool | float
"""A category or a class label, as what it is: 1, 1.0, True and "1" are told apart where JSON tells them apart."""


YEARS = (-62_135_596_800_000_000.0, 253_402_300_799_000_000.0)
"""The first second of the year 1 and the last of the year 9999, in microseconds since 1970."""

MOST_GRAM = 32
"""The longest n-gram: a text has as many of each length as it has words, or characters."""
WIDEST = 2**31 - 1


class TextRule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a text becomes counts of terms, as by one of scikit-learn's vectorisers.

    analyzer: whether terms are of words, of characters, or of characters within words.
    pattern: for words, what a token is (``pattern.check_pattern``).
    lowercase: whether a text is put into small letters first.
    accents: how accents are then taken off: by dropping what is not ASCII, or every combining character.
    ngrams: the least and the most words or characters in a term.
    stop_words: words that are left out.
    terms: the vocabulary; a term's place is its column.
    hashed: without a vocabulary, the number of columns; a term's column is its hash's remainder.
    signed: whether a hashed term counts with its hash's sign.
    """

    analyzer: Literal["word", "char", "char_wb"] = "word"
    pattern: str = DEFAULT
    lowercase: bool = True
    accents: Literal["ascii", "unicode"] | None = None
    ngrams: tuple[int, int] = (1, 1)
    stop_words: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    hashed: int | None = None
    signed: bool = True

    @property
    def columns(self) -> int:
        """How many columns the counts have."""
        return len(self.terms) if self.hashed is None else self.hashed

    def check(self) -> None:
        """Raises BundleError where texts should not be read by it."""
        check_pattern(self.pattern)
        low, high = self.ngrams
        if not 1 <= low <= high <= MOST_GRAM:
            raise BundleError(f"expected n-grams of 1 to {MOST_GRAM}, found {low} to {high}: fit with shorter ones")
        if (self.hashed is None) == (not self.terms) or not 0 < self.columns <= WIDEST:
            raise BundleError("expected a text rule with terms or with a number of columns to hash into, found another")


class Feature(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One column of the input.

    name: as the pipeline was fitted with it, or ``x0``, ``x1``, ... where it was fitted with positions.
    kind: ``number``, ``boolean``, ``category`` (its value becomes a code), ``text`` (its terms are counted), ``date``
        (a date or time, which becomes microseconds since 1970, in UTC where it has a zone; NaN is a missing one) or
        ``ignored`` (the pipeline drops it).
    position: the column of the graph's matrix; None for an ignored feature.
    missing: whether the pipeline takes a missing value here.
    infinite: whether it takes an infinite one.
    limit: the largest magnitude it takes (a tree takes what float32 can hold); None for any finite number, or for any
        time that the unit can hold.
    categories: for a category, the table; the code of a value is its place. An unseen value's code is -1, and a
        missing value is NaN.
        A text has one where the pipeline reads it as a category as well; else its code is 0, and -1 where no rule
        knows any of its terms. A date has one where the pipeline takes no other times: they are in microseconds.
    unknown: for a category or a date, whether the pipeline takes an unseen value.
    seen: the smallest and largest finite number of the sample, or the first and last time.
    range: the smallest and largest number, or the first and last time, that is let in, where ranges are enforced or
        the pipeline takes no other.
    rules: for a text, how it becomes counts of terms; one for each vectoriser that reads it.
    unit: for a date, of the pipeline's own datetime64, which must hold each of its times exactly.
    format: for a date that the pipeline reads from strings, what these look like: a format of strptime's, ``ISO8601``,
        or ``ISO8601Z`` where each ends with Z; None for one that is a date to the pipeline.
    zone: for a date with a zone its name: ``UTC``, an offset as ``+02:00``, or a name of the time zone database. A
        request's time then has Z or an offset; with the format ``ISO8601`` it may have none, and with one of strptime's
        it has none: those are in UTC.
    """

    name: str
    kind: Literal["number", "boolean", "category", "text", "date", "ignored"]
    position: int | None = None
    missing: bool = False
    infinite: bool = False
    limit: float | None = None
    categories: tuple[Category, ...] = ()
    unknown: bool = True
    seen: tuple[float, float] | None = None
    range: tuple[float, float] | None = None
    rules: tuple[TextRule, ...] = ()
    unit: Literal["D", "s", "ms", "us", "ns"] | None = None
    format: str | None = None
    zone: str | None = None

    @property
    def all_times(self) -> tuple[Category, ...]:
        """Of a date every time that is said of it, in microseconds."""
        return (*self.categories, *(self.seen or ()), *(self.range or ()))


class Output(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one method of the pipeline answers.

    method: its name, say ``predict_proba``; ``predict_std`` for the second answer of ``predict(X, return_std=True)``.
    tensors: the graph's outputs that hold it; more than one where the pipeline returns a list of arrays.
    dtype: the NumPy dtype of the answer, as ``numpy.dtype.str`` without byte order ("float64", "int64", "<U9").
    shape: the shape of one row's answer: () for one number, (k,) for k.
    labels: whether the tensor holds places in ``Manifest.classes`` rather than values.
    """

    method: str
    tensors: tuple[str, ...]
    dtype: str
    shape: tuple[int, ...] = ()
    labels: bool = False


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What goes into the graph, what comes out of it, and what made it.

    version: the version's name; an alias or a copied folder may be called otherwise.
    created: when it was converted, ISO 8601 in UTC.
    estimator: the pipeline's steps by class name, for people.
    kind: what ``predict`` or, without it, ``transform`` answers.
    named: whether the pipeline was fitted with column names (else the order of the columns is what counts).
    inputs: in the order of the columns that the pipeline was fitted with.
    classes: the class labels, a table for each output of a classifier; empty for others.
    trained_with, converted_with: versions, by distribution name.
    budget_p95_us: the P95 that one row may take in process, microseconds.
    whole: whether the answer to a row depends on the rows beside it, as an NMF's does, which stops once all together
        change little: the rows of a request are then answered in one run, and with no other request's.
    """

    protocol: int
    version: str
    created: str
    estimator: str
    kind: Literal["classifier", "regressor", "transformer", "other"]
    named: bool
    inputs: tuple[Feature, ...]
    outputs: tuple[Output, ...]
    classes: tuple[tuple[Category, ...], ...] = ()
    trained_with: dict[str, str] = {}
    converted_with: dict[str, str] = {}
    budget_p95_us: float | None = None
    whole: bool = False

    @property
    def columns(self) -> tuple[Feature, ...]:
        """The features that the graph reads, in the order of its matrix."""
        read = [(feature.position, feature) for feature in self.inputs if feature.position is not None]
        return tuple(feature for _, feature in sorted(read, key=lambda pair: pair[0]))

    @property
    def rules(self) -> tuple[tuple[int, TextRule], ...]:
        """The text rules in the order of the graph's inputs, each with the position of its feature."""
        return tuple((place, rule) for place, feature in enumerate(self.columns) for rule in feature.rules)

    def output(self, method: str) -> Output | None:
        """The output of a method, or None where the pipeline has no such method."""
        return next((output for output in self.outputs if output.method == method), None)


def protocol_of(inputs: Iterable[Feature], whole: bool) -> int:
    """The oldest protocol whose readers understand such inputs, or rows that stay together: a bundle says that one,
    so that a runtime which is not updated yet refuses what it could not answer, and nothing else."""
    inputs = tuple(inputs)
    if any(feature.format is not None or feature.zone is not None for feature in inputs):
        return 5
    if any(feature.kind == "date" for feature in inputs):
        return 4
    return 3 if whole else 2 if any(feature.rules for feature in inputs) else 1


def _is_time(value: Category) -> bool:
    return isinstance(value, int | float) and YEARS[0] <= value <= YEARS[1]


class _Protocol(msgspec.Struct):
    protocol: int


def read_manifest(text: bytes, where: str) -> Manifest:
    """Decode and check a manifest.

    Raises ProtocolError for a newer protocol, BundleError for anything else that is not a manifest.
    """
    try:
        protocol = msgspec.json.decode(text, type=_Protocol).protocol
        if protocol > PROTOCOL:
            raise ProtocolError(
                f"expected a bundle of protocol {PROTOCOL} or older, found {protocol} in {where}: "
                "update pipetwin where the model is served"
            )
        if protocol < 1:
            raise BundleError(f"expected a bundle of protocol 1 to {PROTOCOL}, found {protocol} in {where}")
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BundleError(f"expected a bundle's manifest in {where}, found: {error}") from error
    budget = manifest.budget_p95_us
    if budget is not None and not 0 < budget < float("inf"):
        raise BundleError(f"expected a budget of more than 0 µs in {where}, found {budget:g}: convert the model again")
    positions = [feature.position for feature in manifest.columns]
    if positions != list(range(len(positions))):
        raise BundleError(f"expected the features of {where} at positions 0 to {len(positions) - 1}, found {positions}")
    for feature in manifest.inputs:
        if (feature.kind == "text") != bool(feature.rules):
            raise BundleError(f"expected rules for texts and for nothing else in {where}, found {feature.name[:64]!r}")
        if (feature.kind == "date") != (feature.unit is not None):
            raise BundleError(f"expected a unit for dates and for nothing else in {where}, found {feature.name[:64]!r}")
        if feature.kind == "date" and not all(map(_is_time, feature.all_times)):
            raise BundleError(
                f"expected times of the years 1 to 9999 in {where}, found others of {feature.name[:64]!r}"
            )
        if feature.kind != "date" and not feature.format is feature.zone is None:
            raise BundleError(f"expected formats and zones of dates alone in {where}, found {feature.name[:64]!r}")
        if feature.format == ISO_UTC and feature.zone is None:
            raise BundleError(
                f"expected a zone of times that end with Z in {where}, found none of {feature.name[:64]!r}"
            )
        try:
            check_format(ISO if feature.format is None else feature.format)
            check_zone("UTC" if feature.zone is None else feature.zone)
        except ValueError as error:
            raise BundleError(f"{where}: {error}") from error
        for rule in feature.rules:
            try:
                rule.check()
            except BundleError as error:
                raise BundleError(f"{where}: {error}") from error
    return manifest
