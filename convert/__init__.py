"""Convert a trained scikit-learn pipeline to its proven ONNX twin."""

from typing import TYPE_CHECKING, Any

from .errors import (
    BudgetError,
    ConvertError,
    ParityError,
    SampleError,
    SourceError,
    UndecidedBudgetError,
    UnsupportedError,
    WriteError,
)

if TYPE_CHECKING:
    from .build import convert
    from .lower import lowers as lowering

__all__ = [
    "BudgetError",
    "ConvertError",
    "ParityError",
    "SampleError",
    "SourceError",
    "UndecidedBudgetError",
    "UnsupportedError",
    "WriteError",
    "convert",
    "lowering",
]


def __getattr__(name: str) -> Any:
    # Promoting a version or listing them needs no scikit-learn, so it is imported with what does need it.
    try:
        if name == "convert":
            from .build import convert

            return convert
        if name == "lowering":
            from .lower import lowers

            return lowers
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        raise ModuleNotFoundError(
            f"expected the convert extra, found no {package}: pip install 'pipetwin[convert]'", name=package
        ) from error
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_EXTRA = ("sklearn", "skl2onnx", "onnx", "spox", "pandas", "pyarrow", "scipy")
