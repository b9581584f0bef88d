"""Pickles that make a folder when they are opened."""

import io
import os
import pickle  # noqa: TID251
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np

from convert.pickles import audit, open_audited
from convert.trust import resolve

__all__ = ["ATTACKS", "Evil", "call", "name", "opened", "text"]


def text(value: str) -> bytes:
    """Opcodes that push a string."""
    encoded = value.encode()
    return pickle.BINUNICODE + len(encoded).to_bytes(4, "little") + encoded


def name(module: str, attribute: str) -> bytes:
    """Opcodes that push what a module holds, in protocol 4."""
    return text(module) + text(attribute) + pickle.STACK_GLOBAL


def call(function: bytes, *args: bytes) -> bytes:
    """Opcodes that call it."""
    return function + pickle.MARK + b"".join(args) + pickle.TUPLE + pickle.REDUCE


def whole(*opcodes: bytes) -> bytes:
    """A pickle of protocol 4."""
    return b"\x80\x04" + b"".join(opcodes) + pickle.STOP


class Evil:
    """Pickles to any call; by default to one that makes a folder."""

    def __init__(self, argument: str, function: Any = os.mkdir) -> None:
        self.reduced = function, (argument,)

    def __reduce__(self) -> Any:
        return self.reduced


def _distribution(folder: str) -> bytes:
    """The state of a SciPy distribution holds the source of functions, which ``__setstate__`` executes."""
    state = text("_parse_arg_template") + text(f"import os; os.mkdir({folder!r})")
    return whole(
        name("scipy.stats._continuous_distns", "norm_gen"), b"\x29\x81", b"}" + state + pickle.SETITEM, pickle.BUILD
    )


def _within(dump: Callable[[Any, Any], Any]) -> Callable[[str], bytes]:
    """The attack inside an object array, inside a container, beside ordinary arrays."""

    def build(folder: str) -> bytes:
        file = io.BytesIO()
        dump({"numbers": np.arange(9), "deep": [np.array([1, np.array([Evil(folder)], object)], object)]}, file)
        return file.getvalue()

    return build


def _protocol(protocol: int) -> Callable[[str], bytes]:
    return lambda folder: pickle.dumps(Evil(folder), protocol)


def _compressed(compress: Any) -> Callable[[str], bytes]:
    return _within(lambda value, file: joblib.dump(value, file, compress))


def _line(folder: str) -> bytes:
    return b"S'" + folder.encode() + b"'\n"


GETATTR = name("builtins", "getattr")
MKDIR = b"cos\nmkdir\n"

ATTACKS: dict[str, Callable[[str], bytes]] = {
    **{f"protocol {protocol}": _protocol(protocol) for protocol in range(6)},
    "os.system": lambda folder: pickle.dumps(Evil(f"mkdir {folder}", os.system)),
    "eval": lambda folder: pickle.dumps(Evil(f"__import__('os').mkdir({folder!r})", eval)),
    "exec": lambda folder: pickle.dumps(Evil(f"import os; os.mkdir({folder!r})", exec)),
    "STACK_GLOBAL": lambda folder: whole(call(name("os", "mkdir"), text(folder))),
    "a name that was memoized": lambda folder: whole(
        text("os"), b"\x94", text("mkdir"), b"\x94", b"\x93\x94", b"\x30", call(b"h\x00h\x01\x93", text(folder))
    ),
    "getattr": lambda folder: whole(
        call(call(GETATTR, call(name("importlib", "import_module"), text("os")), text("mkdir")), text(folder))
    ),
    "a dotted name": lambda folder: whole(call(name("sklearn.base", "inspect.os.mkdir"), text(folder))),
    "a module in a module": lambda folder: whole(
        call(call(GETATTR, call(GETATTR, name("sklearn.base", "inspect"), text("os")), text("mkdir")), text(folder))
    ),
    "INST": lambda folder: b"(" + _line(folder) + b"ios\nmkdir\n.",
    "OBJ": lambda folder: b"(" + MKDIR + _line(folder) + b"o.",
    "before garbage": lambda folder: MKDIR + b"(" + _line(folder) + b"tR\xff\xff\xff",
    "before the end": lambda folder: MKDIR + b"(" + _line(folder) + b"tR",
    "a name of Python 2": lambda folder: (
        b"c__builtin__\neval\n(V__import__('os').mkdir('" + folder.encode() + b"')\ntR."
    ),
    "the state of a distribution": _distribution,
    "an object array": lambda folder: pickle.dumps(np.array([Evil(folder)], object)),
    "a key": lambda folder: pickle.dumps({Evil(folder): 1}),
    "joblib": _within(joblib.dump),
    **{f"joblib, {kind}": _compressed((kind, 3)) for kind in ("zlib", "gzip", "bz2", "lzma", "xz")},
}
"""What makes a folder when it is opened, by how it does it."""


def opened(data: bytes, *trust: str) -> Any:
    """What is in a pickle, opened as a pipeline's file is."""
    return open_audited(io.BytesIO(data), resolve(audit(io.BytesIO(data), "here"), "here", trust), "here")
