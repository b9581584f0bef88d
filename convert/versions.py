"""The versions of what had a part in a model."""

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

__all__ = ["CONVERTED_WITH", "TRAINED_WITH", "versions_of"]

TRAINED_WITH = ("scikit-learn", "numpy", "scipy", "pandas")
CONVERTED_WITH = ("pipetwin", "onnx", "spox", "skl2onnx", "onnxruntime", "numpy")


def versions_of(names: Iterable[str]) -> dict[str, str]:
    """By name the installed versions, Python's first; what is not installed is left out."""
    versions = {"python": platform.python_version()}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
