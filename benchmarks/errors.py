"""What can go wrong with a measurement."""

__all__ = ["BadInputError", "BenchmarkError", "FailedError", "WrongAnswerError"]


class BenchmarkError(Exception):
    """Its text is one sentence."""


class BadInputError(BenchmarkError):
    """A file or an argument is not what was expected: exit code 2."""


class FailedError(BenchmarkError):
    """What was to be measured did not answer: a row that says so, never a zero."""


class WrongAnswerError(FailedError):
    """It answered, and wrongly: how fast does not matter then."""
