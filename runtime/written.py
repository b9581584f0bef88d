"""How times are written: in ISO 8601, or as the format says that the pipeline itself reads them by."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import NamedTuple

__all__ = [
    "ISO",
    "ISO_UTC",
    "STEPS",
    "check_format",
    "check_zone",
    "described",
    "iso",
    "offset_of",
    "pattern_of",
    "reader",
    "step_of",
    "written",
]

STEPS = {"D": 86_400_000_000, "s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}
"""Microseconds from one time that a unit of datetime64 can hold to the next, as far as microseconds can say it."""

ISO = "ISO8601"
"""The format of what pandas.to_datetime reads without one: a date, or a date and time, as ``pattern_of`` says."""
ISO_UTC = "ISO8601Z"
"""The same, each time with Z or +00:00."""

EPOCH = datetime(1970, 1, 1)
SHORTEST = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
CLOCK = r"[T ]([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
"""Not 24 o'clock, which Python reads from 3.14 on and pandas does not."""
OFFSET = r"(Z|[+-][0-9]{2}:[0-9]{2})"
MEANING = re.compile(r"[\\^$.*+?()[\]{}|]")
"""What is escaped in a pattern, and nothing else, for JSON Schema's dialect allows no other escape."""
LONGEST = 128
"""Of a format, which stands in each sentence about a time that it does not read."""
FIXED = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")


class _Directive(NamedTuple):
    """A part of a format: how many digits it has at least and at most, and the microseconds from one to the next."""

    least: int
    most: int
    step: int


DIRECTIVES = {
    "Y": _Directive(4, 4, STEPS["D"]),
    "y": _Directive(2, 2, STEPS["D"]),
    "m": _Directive(1, 2, STEPS["D"]),
    "d": _Directive(1, 2, STEPS["D"]),
    "H": _Directive(1, 2, 3_600_000_000),
    "M": _Directive(1, 2, 60_000_000),
    "S": _Directive(1, 2, 1_000_000),
    "f": _Directive(1, 6, 1),
}
"""Those of strptime that mean the same to everybody."""


def iso(microseconds: float) -> str:
    """A time in ISO 8601; a date alone at midnight."""
    found = EPOCH + timedelta(microseconds=int(microseconds))
    return found.isoformat().removesuffix("T00:00:00")


def written(microseconds: float, format: str | None, zone: str | None) -> str:
    """A time as a request has it: an instant with Z where there is a zone."""
    time = EPOCH + timedelta(microseconds=int(microseconds))
    if format not in (None, ISO, ISO_UTC):
        return "".join(_digits(part, time) if is_directive else part for part, is_directive in _parts(str(format)))
    return iso(microseconds) if zone is None else f"{time.isoformat()}Z"


def _digits(directive: str, time: datetime) -> str:
    """Zeros at the left: strftime leaves them out of early years."""
    match directive:
        case "Y":
            return f"{time.year:04}"
        case "y":
            return f"{time.year % 100:02}"
        case "f":
            return f"{time.microsecond:06}"
    return time.strftime(f"%{directive}")


def reader(format: str | None, zone: str | None) -> Callable[[str], datetime]:
    """A function from a string to its time, with its offset where it has one. It raises ValueError for any other."""
    if format is None:
        return datetime.fromisoformat
    matching = re.compile(pattern_of(format, zone)).fullmatch
    if format in (ISO, ISO_UTC):

        def time(text: str) -> datetime:
            if matching(text) is None:
                raise ValueError(text)
            found = datetime.fromisoformat(text)
            return found.replace(tzinfo=UTC) if zone is not None and found.tzinfo is None else found

        return time
    names = [part for part, is_directive in _parts(format) if is_directive]

    def own(text: str) -> datetime:
        found = matching(text)
        if found is None:
            raise ValueError(text)
        parts = {name: int(digits) for name, digits in zip(names, found.groups(), strict=True)}
        year = parts.get("Y")
        if year is None:  # as POSIX has two digits
            year = parts["y"] + (1900 if parts["y"] > 68 else 2000)
        fraction = found[names.index("f") + 1] if "f" in parts else "0"
        clock = parts.get("H", 0), parts.get("M", 0), parts.get("S", 0), int(fraction.ljust(6, "0"))
        made = datetime(year, parts["m"], parts["d"], *clock)
        return made if zone is None else made.replace(tzinfo=UTC)

    return own


def pattern_of(format: str | None, zone: str | None) -> str:
    """The regular expression of what is best written, and where there is a format of all that is taken."""
    match format:
        case None:
            return SHORTEST + (f"({CLOCK})?" if zone is None else CLOCK + OFFSET)
        case "ISO8601":
            return SHORTEST + f"({CLOCK}{'' if zone is None else f'{OFFSET}?'})?"
        case "ISO8601Z":
            return SHORTEST + CLOCK + r"(Z|\+00:00)"
    parts = list(_parts(format))
    pattern = ""
    for place, (part, is_directive) in enumerate(parts):
        if not is_directive:
            pattern += MEANING.sub(r"\\\g<0>", part)
            continue
        least, most, _ = DIRECTIVES[part]
        # Beside other digits as many as can be, else nobody could tell them apart.
        beside = (parts[other] for other in (place - 1, place + 1) if 0 <= other < len(parts))
        if any(is_other or part[-1].isdigit() or part[0].isdigit() for part, is_other in beside):
            least = most
        pattern += f"([0-9]{{{least},{most}}})" if least < most else f"([0-9]{{{most}}})"
    return pattern


def described(format: str | None, zone: str | None) -> str:
    """The words for how a time is written."""
    match format:
        case None:
            return f"in ISO 8601, with{'out a zone' if zone is None else ' Z or an offset'}"
        case "ISO8601":
            return f"in ISO 8601, {'without a zone' if zone is None else 'with Z or an offset, else in UTC'}"
        case "ISO8601Z":
            return "in ISO 8601, with Z"
    return f"as {format}{'' if zone is None else ', in UTC'}"


def step_of(unit: str, format: str | None) -> int:
    """Microseconds from one time that can be written to the next."""
    if format in (None, ISO, ISO_UTC):
        return STEPS[unit]
    return max(STEPS[unit], min(DIRECTIVES[part].step for part, is_directive in _parts(str(format)) if is_directive))


def check_format(format: str) -> None:
    """Raises ValueError, with the words for what it is not, for a format by which times should not be read."""
    if format in (ISO, ISO_UTC):
        return
    if len(format) > LONGEST:
        raise ValueError(f"expected a format of at most {LONGEST} characters, found {len(format):,}")
    names = [part for part, is_directive in _parts(format) if is_directive]
    odd = next((name for name in names if name not in DIRECTIVES), None)
    if odd is not None:
        raise ValueError(f"expected a format of {', '.join(f'%{name}' for name in DIRECTIVES)}, found %{odd}")
    if len(set(names)) < len(names) or ("Y" in names) == ("y" in names) or not {"m", "d"} <= set(names):
        raise ValueError(f"expected a format with a year, a month and a day, each part once, found {format[:64]!r}")
    if any(finer in names and coarser not in names for coarser, finer in ("HM", "MS", "Sf")):
        raise ValueError(f"expected a format of which no part between two is left out, found {format[:64]!r}")


@cache
def _parts(format: str) -> tuple[tuple[str, bool], ...]:
    """Text, and directives without their percent sign, of which is said that they are such."""
    return tuple(_split(format))


def _split(format: str) -> Iterator[tuple[str, bool]]:
    for text, directive in re.findall(r"([^%]+)|%(.?)", format, re.DOTALL):
        yield (text or "%", False) if text or directive == "%" else (directive, True)


def check_zone(zone: str) -> None:
    """Raises ValueError for what names no zone."""
    if not re.fullmatch(r"[A-Za-z0-9_+:/-]{1,64}", zone):
        raise ValueError(f"expected a zone's name, found {zone[:64]!r}")


def offset_of(zone: str) -> timezone | None:
    """A zone that is UTC or at the same offset to it all year; None for another, whose rules may change."""
    if zone == "UTC":
        return UTC
    found = FIXED.fullmatch(zone)
    if found is None:
        return None
    sign, hours, minutes = found.groups()
    return timezone(timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1))
