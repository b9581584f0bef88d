"""The errors of the runtime; none of them knows anything of HTTP.

PipetwinError
├── BundleError          a folder is not a bundle that may be served
│   ├── ProtocolError    it was written by a newer pipetwin
│   ├── DigestError      its bytes are not the ones that were written
│   └── CanaryError      here, the graph does not answer as it was proven to
├── ModelNotFoundError   no model, version or alias of that name
├── InputError           rows that the model cannot take; names the field, never the value
└── SettingsError        a setting that cannot be read
"""

from typing import Literal

import msgspec

__all__ = [
    "BundleError",
    "CanaryError",
    "DigestError",
    "FieldError",
    "InputError",
    "ModelNotFoundError",
    "PipetwinError",
    "ProtocolError",
    "SettingsError",
]

Fault = Literal["malformed", "range", "invalid"]


class PipetwinError(Exception):
    """What every error of pipetwin descends from."""


class BundleError(PipetwinError):
    """The folder holds no bundle that may be served; the sentence says what was found and where."""


class ProtocolError(BundleError):
    """The bundle speaks a newer protocol than this runtime."""


class DigestError(BundleError):
    """A file is missing from the bundle, or its bytes have changed since it was written."""


class CanaryError(BundleError):
    """The canary rows were answered otherwise than the proof says."""


class ModelNotFoundError(PipetwinError, LookupError):
    """No model, version or alias of that name is there."""


class SettingsError(PipetwinError, ValueError):
    """A setting has a value that cannot be used; the sentence names the variable."""


class FieldError(msgspec.Struct, frozen=True):
    """One thing wrong with one field.

    path: where it is, as ``$[3].age`` (row, then feature); ``$`` is the whole input.
    message: what was expected and what type was found; never the value.
    """

    path: str
    message: str


class InputError(PipetwinError, ValueError):
    """Rows that the model cannot take.

    errors: what is wrong, at least one.
    fault: ``malformed`` (not JSON at all), ``range`` (a number that is not finite or lies outside what the model
        takes) or ``invalid`` (a field is missing, unknown or of another type).
    """

    def __init__(self, path: str, message: str, *, fault: Fault = "invalid") -> None:
        self.errors = (FieldError(path, message),)
        self.fault: Fault = fault
        super().__init__(message if path == "$" else f"{path}: {message}")

    @property
    def path(self) -> str:
        """The path of the first error."""
        return self.errors[0].path

    @property
    def message(self) -> str:
        """The message of the first error."""
        return self.errors[0].message

    def in_row(self, row: int, rows: int) -> "InputError":
        """The same error, which speaks of a row by itself, as that of one among so many."""
        return InputError(f"$[{row}]{self.path[1:]}" if rows > 1 else self.path, self.message, fault=self.fault)
