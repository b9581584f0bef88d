"""Pickles: what one would import is listed without running any of it, and it is opened with nothing else in reach.

Opening a pickle calls whatever it names. So ``audit`` reads it with a machine that knows the opcodes but calls
nothing, ``trust.resolve`` judges what it found, and ``open_audited`` opens it with a table of the judged objects.
"""

from __future__ import annotations

import _compat_pickle
import math
import pickle  # noqa: TID251
import re
from collections.abc import Callable
from typing import Any, BinaryIO, ClassVar

import numpy as np

from .errors import SourceError
from .trust import Global, Imports

__all__ = ["audit", "open_audited"]

CHUNK = 1 << 20

WRAPPER = Global("joblib.numpy_pickle", "NumpyArrayWrapper")
NDARRAY = Global("numpy", "ndarray")
DTYPE = Global("numpy", "dtype")
SET = Global("builtins", "set")
MAKERS = (Global("copyreg", "_reconstructor"), Global("copyreg", "__newobj__"))


class _Whole:
    """A file that never gives less than was asked for: EOFError instead, before memory for all of it is taken."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, count: int) -> bytes:
        if count <= CHUNK:
            data = self._file.read(count)
            if len(data) < count:
                raise EOFError
            return data
        whole = bytearray()
        while len(whole) < count:
            whole += self.read(min(CHUNK, count - len(whole)))
        return bytes(whole)

    def into(self, view: memoryview) -> None:
        while len(view):
            count = self._file.readinto(view)  # type: ignore[attr-defined]
            if not count:
                raise EOFError
            view = view[count:]

    def skip(self, count: int) -> None:
        while count > 0:
            count -= len(self.read(min(CHUNK, count)))

    def readline(self) -> bytes:
        line = self._file.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        return line


def _modern(proto: int, module: str, name: str) -> Global:
    """A name as Python 3 calls it: pickles of protocols 0 to 2 use Python 2's."""
    if proto < 3:
        if (module, name) in _compat_pickle.NAME_MAPPING:
            return Global(*_compat_pickle.NAME_MAPPING[module, name])
        module = _compat_pickle.IMPORT_MAPPING.get(module, module)
    return Global(module, name)


class _Made:
    """An object that would be made. done: whether it has its state."""

    __slots__ = ("done", "maker")

    def __init__(self, maker: Global, done: bool = False) -> None:
        self.maker = maker
        self.done = done


class _Dtype:
    """As much of a NumPy dtype as it takes to find the end of an array."""

    __slots__ = ("objects", "size")
    text = re.compile(r"[<>|=]?[?a-zA-Z][0-9]*")

    def __init__(self, text: str) -> None:
        dtype = np.dtype(text)
        self.size = dtype.itemsize
        self.objects = dtype.hasobject


class _Unpickler(pickle._Unpickler):
    """What reading and opening have in common."""

    proto: int
    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def get_extension(self, code: int) -> Any:
        # The registry is a table of the process, which pickle also caches into: no business of a file.
        raise SourceError("it imports by an extension code")

    def persistent_load(self, pid: Any) -> Any:
        raise SourceError("it refers to objects outside of it")


class _Audit(_Unpickler):
    """Runs a pickle's opcodes with nothing behind the names: no call, no import, nothing of the file's is hashed."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(_Unpickler.dispatch)

    def __init__(self, file: _Whole, found: Imports) -> None:
        super().__init__(file)
        self._file = file
        self._found = found

    def find_class(self, module: str, name: str) -> Any:
        found = _modern(self.proto, module, name)
        self._found.named.add(found)
        return found

    def _make(self, maker: Any, args: Any) -> Any:
        if isinstance(maker, _Made):  # calls what it made: its maker has to be trusted
            self._found.odd.add(maker.maker)
            return _Made(maker.maker)
        if not isinstance(maker, Global) or not isinstance(args, tuple):
            raise TypeError("a call of what is no name")
        self._found.called.add(maker)
        if maker in MAKERS:
            if not args or not isinstance(args[0], Global):
                self._found.odd.add(maker)
                return _Made(maker)
            self._found.called.update(arg for arg in args if isinstance(arg, Global))
            maker = args[0]
        if maker == DTYPE and args and isinstance(args[0], str) and _Dtype.text.fullmatch(args[0]):
            return _Dtype(args[0])
        return _Made(maker)

    def _instantiate(self, klass: Any, args: Any) -> None:
        self.append(self._make(klass, tuple(args)))

    def load_reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self._make(self.stack[-1], args)

    def load_newobj(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self._make(self.stack[-1], args)

    def load_newobj_ex(self) -> None:
        self.stack.pop()
        self.load_newobj()

    def _touch(self, done: bool = False) -> Any:
        """The object on top, which is about to be filled or given its state."""
        target = self.stack[-1]
        if isinstance(target, Global):
            self._found.odd.add(target)
        elif isinstance(target, _Made):
            if target.done:
                self._found.odd.add(target.maker)
            target.done = target.done or done
        elif not isinstance(target, list | dict | _Dtype):
            raise TypeError("a change to what cannot be changed")
        return target

    def load_build(self) -> None:
        state = self.stack.pop()
        target = self._touch(done=True)
        if isinstance(target, _Dtype):
            if isinstance(state, tuple) and len(state) > 7 and isinstance(state[7], int):
                target.objects = bool(state[7] & 1)
        elif isinstance(target, _Made) and isinstance(state, dict):
            if target.maker == WRAPPER:
                self._array(state)
                self.stack[-1] = _Made(NDARRAY, done=True)
            elif isinstance(version := state.get("_sklearn_version"), str):
                self._found.trained[target.maker.name] = version

    def _array(self, wrapper: dict[str, Any]) -> None:
        """Skip the array that joblib writes behind its wrapper."""
        dtype = wrapper["dtype"]
        if dtype.objects:
            _Audit(self._file, self._found).load()
            return
        if wrapper.get("numpy_array_alignment_bytes") is not None:
            self._file.skip(self._file.read(1)[0])
        self._file.skip(math.prod(wrapper["shape"]) * dtype.size)

    def _set(self) -> None:
        self.append(_Made(SET))

    def load_frozenset(self) -> None:
        self.pop_mark()
        self._set()

    def load_append(self) -> None:
        self.stack.pop()
        self._touch()

    def load_appends(self) -> None:
        self.pop_mark()
        self._touch()

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._put(items)

    def load_setitem(self) -> None:
        items = self.stack[-2:]
        del self.stack[-2:]
        self._put(items)

    def load_setitems(self) -> None:
        self._put(self.pop_mark())

    def _put(self, items: list[Any]) -> None:
        target = self._touch()
        if isinstance(target, dict):
            target.update((key, value) for key, value in zip(items[::2], items[1::2], strict=True) if type(key) is str)

    def _skip(self, count: int) -> None:
        while count > 0:
            count -= len(self.read(min(CHUNK, count)))
        self.append(b"")  # what the bytes are does not matter, and they may be gigabytes

    for _code, _load in {
        pickle.REDUCE: load_reduce,
        pickle.NEWOBJ: load_newobj,
        pickle.NEWOBJ_EX: load_newobj_ex,
        pickle.BUILD: load_build,
        pickle.EMPTY_SET: _set,
        pickle.FROZENSET: load_frozenset,
        pickle.APPEND: load_append,
        pickle.APPENDS: load_appends,
        pickle.ADDITEMS: load_appends,
        pickle.DICT: load_dict,
        pickle.SETITEM: load_setitem,
        pickle.SETITEMS: load_setitems,
        pickle.BINBYTES: lambda self: self._skip(int.from_bytes(self.read(4), "little")),
        pickle.BINBYTES8: lambda self: self._skip(int.from_bytes(self.read(8), "little")),
        pickle.BYTEARRAY8: lambda self: self._skip(int.from_bytes(self.read(8), "little")),
    }.items():
        dispatch[_code[0]] = _load


def audit(file: BinaryIO, where: str) -> Imports:
    """What the pickle in a file would import, without importing or calling any of it.

    file: at the pickle's first byte, decompressed.
    Raises SourceError for what is no pickle, or not a whole one.
    """
    found = Imports()
    try:
        _Audit(_Whole(file), found).load()
    except SourceError as error:
        raise SourceError(f"expected a pickle that stands by itself in {where}, found that {error}") from error
    except EOFError as error:
        raise SourceError(
            f"expected a trained pipeline in {where}, found a file that breaks off: copy it again"
        ) from error
    except Exception as error:  # a damaged pickle, or its decompression, may raise anything (pickle's documentation)
        raise SourceError(
            f"expected a joblib, pickle or skops file in {where}, found a damaged file or something else"
        ) from error
    return found


class _Array:
    """Stands in for joblib's NumpyArrayWrapper, whose own reading of object arrays is, in some versions, a plain
    ``pickle.load``. It has no methods, for its state could replace them."""

    shape: tuple[int, ...]
    order: str
    dtype: np.dtype[Any]


def _read(array: _Array, file: _Whole, load: Callable[[], Any]) -> Any:
    """The array behind its wrapper; load: opens a pickle in its place."""
    if array.dtype.hasobject:
        return load()
    if getattr(array, "numpy_array_alignment_bytes", None) is not None:
        file.skip(file.read(1)[0])
    raw = np.empty(math.prod(array.shape) * array.dtype.itemsize, np.uint8)
    file.into(raw.data)
    read: Any = np.ndarray(array.shape, array.dtype, raw, order="F" if array.order == "F" else "C")
    return read if read.dtype.isnative else read.byteswap().view(read.dtype.newbyteorder("="))


class _Loader(_Unpickler):
    """Opens a pickle with nothing in reach but a table, whatever the file holds by now."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(_Unpickler.dispatch)

    def __init__(self, file: _Whole, table: dict[Global, Any]) -> None:
        super().__init__(file)
        self._file = file
        self._table = table

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._table[_modern(self.proto, module, name)]
        except KeyError:
            raise SourceError("it imports something else by now") from None

    def load_build(self) -> None:
        _Unpickler.dispatch[pickle.BUILD[0]](self)
        if isinstance(array := self.stack[-1], _Array):
            self.stack[-1] = _read(array, self._file, lambda: _Loader(self._file, self._table).load())

    dispatch[pickle.BUILD[0]] = load_build


def open_audited(file: BinaryIO, table: dict[Global, Any], where: str) -> Any:
    """Open a pickle that has been audited, with the objects that ``resolve`` found.

    Raises SourceError where it cannot be put together; warnings that were made errors pass through.
    """
    try:
        return _Loader(_Whole(file), table | {WRAPPER: _Array}).load()
    except Warning:
        raise
    except SourceError as error:
        raise SourceError(f"expected {where} to stay as it was read first, found that {error}") from error
    except Exception as error:  # any class in it may raise anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise SourceError(
            f"expected to open {where}, found: {reason}: open it where the packages are those it was trained with"
        ) from error
