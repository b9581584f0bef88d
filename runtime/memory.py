"""Memory that a load has used for a while goes back to the operating system."""

import ctypes
import sys

__all__ = ["give_back"]


def give_back() -> None:
    """Ask the C library for it: glibc keeps what lies between blocks that are still used (malloc_trim(3)).

    onnxruntime parses a forest of two million nodes into 220 MB, of which it then needs 150. Nothing happens where
    there is no glibc.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
