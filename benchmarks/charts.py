"""Charts as SVG in a page. Their colours are the page's: classes ``s0`` to ``s7``, for light and dark."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .markup import Element, element

__all__ = ["Bar", "Point", "bars", "curves", "growth"]

COLOURS = 8
LONGEST_NAME = 26
WIDTH, LEFT, RIGHT = 720, 200, 700
BAR = 24
BEYOND = 4.0
"""An interval's end is shown up to so many times its median: one block's would reach from nothing to infinity."""

CURVE_LEFT, CURVE_RIGHT, CURVE_TOP, CURVE_BOTTOM = 70, 520, 12, 270
PERCENTS = (50, 90, 99, 99.9, 99.99, 99.999)


class Bar(NamedTuple):
    """A factor, and the interval that it lies in; above 0."""

    name: str
    median: float
    low: float
    high: float


class Point(NamedTuple):
    """What a size costs: the median, and the interval that it lies in; above 0."""

    size: int
    median: float
    low: float
    high: float


class _Scale(NamedTuple):
    """From values, logarithmically, to places; what lies outside is put at the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + part * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        every = [step * 10.0**power for power in decades for step in (1, 2, 5)]
        fine = [tick for tick in every if self.low <= tick <= self.high]
        coarse = [tick for tick in fine if math.log10(tick).is_integer()]
        return coarse if len(fine) > 8 else fine


def _scale(values: Iterable[float], start: float, end: float) -> _Scale:
    """A scale with room for all of the values; those that are not above 0 have no place on it."""
    shown = [value for value in values if 0 < value < math.inf] or [1.0]
    return _Scale(min(shown) / 1.2, max(shown) * 1.2, start, end)


def bars(title: str, shown: Sequence[Bar]) -> Element:
    """A bar each, from 1 to its median, with its interval; to the right of 1 is more than ours."""
    ends = [end for bar in shown for end in (max(bar.low, bar.median / BEYOND), min(bar.high, bar.median * BEYOND))]
    place = _scale([1.0, *ends], LEFT, RIGHT)
    bottom = 8 + BAR * len(shown)
    parts: list[Element] = []
    for tick in place.ticks():
        parts.append(_line(place(tick), 4, place(tick), bottom, "grid"))
        parts.append(_text(place(tick), bottom + 16, f"{tick:g}", "middle"))
    for index, bar in enumerate(shown):
        top = 8 + BAR * index
        middle = top + (BAR - 8) / 2
        left, right = sorted((place(1.0), place(bar.median)))
        said = f"{bar.name}: {bar.median:.3g} ({bar.low:.3g} to {bar.high:.3g})"
        attributes = {"x": left, "y": top, "width": round(right - left, 1), "height": BAR - 8}
        parts.append(element("rect", element("title", said), class_=f"fill {_colour(index + 1)}", **attributes))
        parts.append(_line(place(bar.low), middle, place(bar.high), middle, "interval"))
        parts.append(_text(LEFT - 8, middle + 4, _short(bar.name), "end"))
    parts.append(_line(place(1.0), 4, place(1.0), bottom, "axis"))
    return _svg(title, bottom + 24, parts)


def curves(title: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> Element:
    """Latency (microseconds, logarithmic) by percentile; the axis is logarithmic in the part that lies beyond, as in
    HdrHistogram's plots.

    series: by name, (percent below 100, microseconds) from low to high.
    """
    points = [point for line in series.values() for point in line]
    beyond = [1 / (1 - percent / 100) for percent, _ in points if percent < 100]
    across = _Scale(1.0, max([100.0, *beyond]), CURVE_LEFT, CURVE_RIGHT)
    up = _scale([micros for _, micros in points], CURVE_BOTTOM, CURVE_TOP)
    parts: list[Element] = []
    for percent in PERCENTS:
        at = 1 / (1 - percent / 100)
        if at <= across.high * 1.001:
            parts.append(_line(across(at), CURVE_TOP, across(at), CURVE_BOTTOM, "grid"))
            parts.append(_text(across(at), CURVE_BOTTOM + 16, f"P{percent:g}", "middle"))
    for tick in up.ticks():
        parts.append(_line(CURVE_LEFT, up(tick), CURVE_RIGHT, up(tick), "grid"))
        parts.append(_text(CURVE_LEFT - 6, up(tick) + 4, _said(tick, "µs"), "end"))
    for index, (name, line) in enumerate(series.items()):
        where = [(across(1 / (1 - percent / 100)), up(micros)) for percent, micros in line if percent < 100]
        path = " ".join(f"{x},{y}" for x, y in where)
        kind = f"curve {_colour(index)}{' dashed' if index >= COLOURS else ''}"
        parts.append(element("polyline", element("title", name), class_=kind, points=path))
        height = CURVE_TOP + 10 + 18 * index
        parts.append(
            element("polyline", class_=kind, points=f"{CURVE_RIGHT + 14},{height} {CURVE_RIGHT + 34},{height}")
        )
        parts.append(_text(CURVE_RIGHT + 40, height + 4, _short(name), "start"))
    height = max(CURVE_BOTTOM + 24, CURVE_TOP + 18 * len(series) + 10)
    return _svg(title, height, parts)


def growth(title: str, unit: str, points: Sequence[Point]) -> Element:
    """Cost by size, both logarithmic; dashed what would be linear, from the median of the last three on, or two.

    points: from the smallest size to the largest; two or more.
    """
    across = _scale([float(point.size) for point in points], CURVE_LEFT, CURVE_RIGHT)
    start, last = points[max(len(points) - 3, 0)], points[-1]
    linear = start.median * last.size / start.size
    up = _scale([linear, *(point.median for point in points)], CURVE_BOTTOM, CURVE_TOP)
    parts: list[Element] = []
    for tick in across.ticks():
        parts.append(_line(across(tick), CURVE_TOP, across(tick), CURVE_BOTTOM, "grid"))
        parts.append(_text(across(tick), CURVE_BOTTOM + 16, f"{tick:,g}", "middle"))
    for tick in up.ticks():
        parts.append(_line(CURVE_LEFT, up(tick), CURVE_RIGHT, up(tick), "grid"))
        parts.append(_text(CURVE_LEFT - 6, up(tick) + 4, _said(tick, unit), "end"))
    straight = f"{across(start.size)},{up(start.median)} {across(last.size)},{up(linear)}"
    parts.append(element("polyline", element("title", "linear"), class_=f"curve {_colour(7)} dashed", points=straight))
    path = " ".join(f"{across(point.size)},{up(point.median)}" for point in points)
    parts.append(element("polyline", element("title", title), class_=f"curve {_colour(0)}", points=path))
    for point in points:
        x, said = across(point.size), f"{point.size:,}: {_said(float(f'{point.median:.3g}'), unit)}"
        parts.append(_line(x, up(point.low), x, up(point.high), "interval"))
        parts.append(element("circle", element("title", said), cx=x, cy=up(point.median), r=3, class_="fill s0"))
    for index, (name, kind) in enumerate((("measured", _colour(0)), ("linear", f"{_colour(7)} dashed"))):
        height = CURVE_TOP + 10 + 18 * index
        line = f"{CURVE_RIGHT + 14},{height} {CURVE_RIGHT + 34},{height}"
        parts.append(element("polyline", class_=f"curve {kind}", points=line))
        parts.append(_text(CURVE_RIGHT + 40, height + 4, name, "start"))
    return _svg(title, CURVE_BOTTOM + 24, parts)


def _said(value: float, unit: str) -> str:
    """An amount as it is read; of microseconds in the unit that keeps it short."""
    if unit == "µs" and value >= 1e3:
        return f"{value / 1e6:,g} s" if value >= 1e6 else f"{value / 1e3:,g} ms"
    return f"{value:,g} {unit}"


def _svg(title: str, height: float, parts: Sequence[Element]) -> Element:
    return element(
        "svg", element("title", title), *parts, viewBox=f"0 0 {WIDTH} {height:g}", role="img", aria_label=title
    )


def _colour(index: int) -> str:
    return f"s{index % COLOURS}"


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Element:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def _text(x: float, y: float, said: str, anchor: str) -> Element:
    return element("text", said, x=x, y=y, text_anchor=anchor)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
