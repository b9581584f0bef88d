"""The errors of training; each is one sentence, and ends a training with exit code 2.

TrainingError
├── DataError        the data are not there or cannot be read
│   └── SchemaError  a table is not what is trained on; names the table and the column
├── OutputError      a file cannot be written where it was asked for
└── TrackingError    MLflow is not installed, or does not answer
"""

__all__ = ["DataError", "OutputError", "SchemaError", "TrackingError", "TrainingError"]


class TrainingError(Exception):
    """What every error of training descends from."""


class DataError(TrainingError):
    """The data are not there, or cannot be read."""


class SchemaError(DataError):
    """A column is missing, of another type, has gaps where it may not, or a key is not unique."""


class OutputError(TrainingError):
    """A file cannot be written where it was asked for."""


class TrackingError(TrainingError):
    """The run cannot be tracked."""
