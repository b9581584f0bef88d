"""Convert a trained scikit-learn pipeline to its proven ONNX twin."""

from typing import TYPE_CHECKING, Any

from .errors import ConvertError, ParityError, SampleError, SourceError, UnsupportedError, WriteError

if TYPE_CHECKING:
    from .build import convert
    from .lower import lowers as lowering

__all__ = [
    "ConvertError",
    "ParityError",
    "SampleError",
    "SourceError",
    "UnsupportedError",
    "WriteError",
    "convert",
    "lowering",
]


def __getattr__(name: str) -> Any:
    # Promoting a version or listing them needs no scikit-learn, so it is imported with what does need it.
    if name == "convert":
        from .build import convert

        return convert
    if name == "lowering":
        from .lower import lowers

        return lowers
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
