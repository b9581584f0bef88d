"""The calendar of times: years, months, days and what follows from them, as operations on int64.

Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (howardhinnant.github.io/date_algorithms.html),
``civil_from_days``: years begin in March, so that a leap day is the last of its year, and 400 years are an era. Every
number is made positive first, for ONNX divides towards zero.
"""

from functools import cached_property

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

__all__ = ["DAY", "Calendar", "floor_div", "number", "remainder"]

DAY = 86_400_000_000
"""Microseconds of a day."""
ERA = 146_097
"""Days of 400 years."""
ERAS = 100
"""So many are added beforehand: years down to -38,000 are positive then, and nothing reaches the ends of int64."""
SHIFT = 719_468 + ERAS * ERA
"""Days from the first of March of the first of those years to 1970-01-01."""


def number(value: int) -> Var:
    """A constant of int64."""
    return op.const(np.int64(value))


def remainder(whole: Var, by: int) -> Var:
    """What is left of a division towards minus infinity."""
    return op.mod(whole, number(by))


def floor_div(whole: Var, by: int) -> Var:
    """An integer divided towards minus infinity."""
    return whole if by == 1 else op.div(op.sub(whole, remainder(whole, by)), number(by))


class Calendar:
    """What the clock and the calendar say at times: int64, bool for what is asked by ``is``, of the shape of ``whole``.

    whole: int64, microseconds since 1970-01-01.
    """

    def __init__(self, whole: Var) -> None:
        self._whole = whole

    @cached_property
    def _since(self) -> Var:
        return op.add(self._whole, number(SHIFT * DAY))

    @cached_property
    def _days(self) -> Var:
        return op.div(self._since, number(DAY))

    @cached_property
    def _of_day(self) -> Var:
        return op.mod(self._since, number(DAY))

    @cached_property
    def _of_era(self) -> Var:
        return op.mod(self._days, number(ERA))

    @cached_property
    def _year_of_era(self) -> Var:
        day = self._of_era
        leaps = op.sub(op.div(day, number(1_460)), op.div(day, number(36_524)))
        return op.div(op.sub(op.sub(day, leaps), op.div(day, number(146_096))), number(365))

    @cached_property
    def _of_year(self) -> Var:
        """The day of the year that begins in March, from 0."""
        year = self._year_of_era
        before = op.add(op.mul(year, number(365)), op.sub(op.div(year, number(4)), op.div(year, number(100))))
        return op.sub(self._of_era, before)

    @cached_property
    def _month_from_march(self) -> Var:
        return op.div(op.add(op.mul(self._of_year, number(5)), number(2)), number(153))

    @cached_property
    def _early(self) -> Var:
        """Whether it is January or February, whose year began in the March before."""
        return op.greater_or_equal(self._month_from_march, number(10))

    @cached_property
    def month(self) -> Var:
        month = self._month_from_march
        return op.where(self._early, op.sub(month, number(9)), op.add(month, number(3)))

    @cached_property
    def year(self) -> Var:
        era = op.sub(op.div(self._days, number(ERA)), number(ERAS))
        year = op.add(self._year_of_era, op.mul(era, number(400)))
        return op.add(year, op.cast(self._early, to=np.int64))

    @cached_property
    def day(self) -> Var:
        months = op.div(op.add(op.mul(self._month_from_march, number(153)), number(2)), number(5))
        return op.add(op.sub(self._of_year, months), number(1))

    @cached_property
    def is_leap_year(self) -> Var:
        year = op.add(self.year, number(ERAS * 400))

        def whole(by: int) -> Var:
            return op.equal(op.mod(year, number(by)), number(0))

        return op.or_(op.and_(whole(4), op.not_(whole(100))), whole(400))

    @cached_property
    def dayofyear(self) -> Var:
        later = op.add(op.add(self._of_year, number(60)), op.cast(self.is_leap_year, to=np.int64))
        return op.where(self._early, op.sub(self._of_year, number(305)), later)

    @cached_property
    def weekday(self) -> Var:
        """Monday is 0; 1970-01-01 was a Thursday."""
        return op.mod(op.add(self._days, number((3 - SHIFT) % 7)), number(7))

    @cached_property
    def days_in_month(self) -> Var:
        usual = op.gather(op.const(np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])), self._month_index)
        leap = op.and_(self.is_leap_year, op.equal(self.month, number(2)))
        return op.add(usual, op.cast(leap, to=np.int64))

    @cached_property
    def _month_index(self) -> Var:
        return op.sub(self.month, number(1))

    @cached_property
    def quarter(self) -> Var:
        return op.div(op.add(self.month, number(2)), number(3))

    @cached_property
    def hour(self) -> Var:
        return op.div(self._of_day, number(3_600_000_000))

    @cached_property
    def minute(self) -> Var:
        return op.mod(op.div(self._of_day, number(60_000_000)), number(60))

    @cached_property
    def second(self) -> Var:
        return op.mod(op.div(self._of_day, number(1_000_000)), number(60))

    @cached_property
    def microsecond(self) -> Var:
        return op.mod(self._of_day, number(1_000_000))

    @cached_property
    def nanosecond(self) -> Var:
        return op.mul(self._of_day, number(0))

    @cached_property
    def is_month_start(self) -> Var:
        return op.equal(self.day, number(1))

    @cached_property
    def is_month_end(self) -> Var:
        return op.equal(self.day, self.days_in_month)

    @cached_property
    def is_quarter_start(self) -> Var:
        return op.and_(self.is_month_start, op.equal(op.mod(self.month, number(3)), number(1)))

    @cached_property
    def is_quarter_end(self) -> Var:
        return op.and_(self.is_month_end, op.equal(op.mod(self.month, number(3)), number(0)))

    @cached_property
    def is_year_start(self) -> Var:
        return op.and_(self.is_month_start, op.equal(self.month, number(1)))

    @cached_property
    def is_year_end(self) -> Var:
        return op.and_(self.is_month_end, op.equal(self.month, number(12)))

    @cached_property
    def _thursday(self) -> "Calendar":
        """Of the same week: its year is the week's (ISO 8601)."""
        days = op.sub(number(3), self.weekday)
        return Calendar(op.add(self._whole, op.mul(days, number(DAY))))

    @cached_property
    def iso_year(self) -> Var:
        return self._thursday.year

    @cached_property
    def iso_week(self) -> Var:
        return op.add(op.div(op.sub(self._thursday.dayofyear, number(1)), number(7)), number(1))

    @cached_property
    def iso_day(self) -> Var:
        return op.add(self.weekday, number(1))
