"""The errors of converting.

PipetwinError
└── ConvertError             the pipeline cannot become a bundle; the bundle's folder is untouched
    ├── SourceError          the file is no pipeline that may be opened
    ├── SampleError          the sample does not fit the pipeline
    ├── UnsupportedError     a step cannot be expressed; names its path in the pipeline
    ├── ParityError          the twin answers otherwise; carries the comparison and the worst rows
    ├── BudgetError          one row takes longer than it may
    ├── UndecidedBudgetError whether it does cannot be told on this machine now
    └── WriteError           the bundle cannot be written where it was asked for
"""

from runtime import PipetwinError

__all__ = [
    "BudgetError",
    "ConvertError",
    "ParityError",
    "SampleError",
    "SourceError",
    "UndecidedBudgetError",
    "UnsupportedError",
    "WriteError",
]


class ConvertError(PipetwinError):
    """The pipeline cannot become a bundle."""


class SourceError(ConvertError):
    """The file is no trained pipeline, or may not be opened."""


class SampleError(ConvertError):
    """The sample does not fit the pipeline."""


class BudgetError(ConvertError):
    """One row takes longer than its budget."""


class UndecidedBudgetError(ConvertError):
    """Other work on the machine hides whether one row takes longer than its budget."""


class WriteError(ConvertError):
    """The bundle cannot be written."""


class ParityError(ConvertError):
    """The twin does not answer as the pipeline does.

    worst: the rows that differ most, as text, one a line.
    rounding: whether no row differs by more than a few roundings on its way come to.
    """

    def __init__(self, message: str, worst: str = "", *, rounding: bool = False) -> None:
        self.worst = worst
        self.rounding = rounding
        super().__init__(message)


class UnsupportedError(ConvertError):
    """A step has no exact expression as a graph.

    path: where the step is, as Python reads it: ``pipeline['prep']['num'][1]``.
    reason: why, and what to do.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        self.reason = reason
        self.path = path
        super().__init__(reason)

    def __str__(self) -> str:
        return f"pipeline{self.path}: {self.reason}"

    def within(self, step: str) -> "UnsupportedError":
        """The same error seen from one step further out."""
        return UnsupportedError(self.reason, step + self.path)
