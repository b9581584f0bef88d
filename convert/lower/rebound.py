"""A Python function with stand-ins in place of what cannot listen: a copy of it that sees other globals.

NumPy hands its functions to whoever listens; ``float``, ``math.exp``, ``numpy.asarray`` and pandas', scikit-learn's and
SciPy's own functions do not. The copy, and copies of the user's other functions, classes and objects that it reaches,
find stand-ins for these where they look them up; nothing of anybody's is patched.
"""

import builtins
import functools
import sys
from abc import ABCMeta
from collections.abc import Callable
from types import BuiltinMethodType, CellType, CodeType, FunctionType, MethodType, ModuleType, UnionType
from typing import Any

from scipy.spatial import distance

from .hooks import Untraceable, watched

__all__ = ["of_instances", "original", "rebound", "stand_in", "traced"]

STAND_INS: dict[Any, Any] = {}
"""By function or class, what answers in its place."""
INSTANCES: dict[type, Callable[[Any], Callable[..., Any]]] = {}
"""By class, what makes of an instance what answers in its place."""
LIBRARIES = {"numpy", "pandas", "math", "re", "scipy", "sklearn"}
"""Modules in which stand-ins are looked up when a function names them: ``numpy.asarray``, ``distance.euclidean``."""
CLOSED = LIBRARIES | {"convert"} | sys.stdlib_module_names
"""Libraries whose functions are taken as they are, for they are not written for what listens; and ours."""
CLOCKS = {"now", "today", "utcnow", "localtime", "gmtime"}
READ = {"Timestamp", "datetime64", "to_datetime"}
"""What makes times of the strings ``now`` and ``today`` as well."""

Known = dict[int, tuple[Any, Any]]
"""By id, what copies were made of, which keeps it alive, and the copies: functions and objects may know each other."""


def stand_in(*functions: Any) -> Callable[[Any], Any]:
    """Register what answers in place of functions, or of a class. It is also asked where nothing is traced."""

    def register(own: Any) -> Any:
        STAND_INS.update(dict.fromkeys(functions, own))
        if isinstance(own, type):
            (own._stands_for,) = functions  # type: ignore[attr-defined]
        return own

    return register


def of_instances(cls: type) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Register what makes of an instance what answers in its place."""

    def register(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        INSTANCES[cls] = make
        return make

    return register


def original(cls: Any) -> Any:
    """What a class stands in for, of several a tuple; another as it is."""
    if isinstance(cls, tuple | UnionType):
        return tuple(map(original, cls if isinstance(cls, tuple) else cls.__args__))
    return vars(cls).get("_stands_for", cls) if isinstance(cls, type) else cls


def traced(function: Any, *given: Any, **parameters: Any) -> Any:
    """What a function makes of what listens.

    Raises Untraceable where it did something that has no form as a graph, also where it caught that and went on.
    """
    known: Known = {}
    with watched() as raised:
        try:
            found = rebound(function, known)(*given, **{name: rebound(own, known) for name, own in parameters.items()})
        except Exception as error:
            raise (error if isinstance(error, Untraceable) or not raised else raised[0]) from None
        if raised:
            raise raised[0]
    return found


def rebound(value: Any, known: Known | None = None) -> Any:
    """A function, or whatever leads to one, with stand-ins for what it looks up, or what stands in for it; anything
    else as it is."""
    known = {} if known is None else known
    if id(value) in known:
        return known[id(value)][1]
    if isinstance(value, ModuleType):
        return _Listening(value, known) if _open(value.__name__) or _root(value.__name__) in LIBRARIES else value
    if isinstance(value, functools.partial):
        given = {name: rebound(own, known) for name, own in value.keywords.items()}
        return functools.partial(rebound(value.func, known), *(rebound(own, known) for own in value.args), **given)
    if isinstance(value, MethodType):
        return MethodType(rebound(value.__func__, known), rebound(value.__self__, known))
    if isinstance(value, BuiltinMethodType) and isinstance(value.__self__, tuple(INSTANCES)):
        return getattr(rebound(value.__self__, known), value.__name__)
    if type(value) in (list, tuple) and any(map(callable, value)):
        return type(value)(rebound(own, known) for own in value)
    if type(value) is dict and any(map(callable, value.values())):
        return {name: rebound(own, known) for name, own in value.items()}
    if _registered(value):
        return STAND_INS[value]
    if isinstance(value, FunctionType):
        return _copy(value, known) if _open(value.__module__) else value
    if isinstance(value, type):
        return _class(value, known)
    make = next((make for cls, make in INSTANCES.items() if isinstance(value, cls)), None)
    return _instance(value, known) if make is None else make(value)


class _Listening:
    """A module with stand-ins."""

    def __init__(self, module: ModuleType, known: Known) -> None:
        self._module, self._known = module, known

    def __getattr__(self, name: str) -> Any:
        return rebound(getattr(self._module, name), self._known)


def _root(module: str) -> str:
    return module.partition(".")[0]


def _open(module: str | None) -> bool:
    """Whether what is defined in a module is copied."""
    return _root(module or "") not in CLOSED or module == distance.__name__


def _registered(value: Any) -> bool:
    try:
        return value in STAND_INS
    except Exception:  # nothing to look up by, in ways of anybody's
        return False


def _copy(function: FunctionType, known: Known) -> Callable[..., Any]:
    code = function.__code__
    if _asks_clock(code):
        return _clock
    seen = {**function.__globals__, "__builtins__": _builtins(known)}
    cells = tuple(CellType() for _ in function.__closure__ or ())
    made = FunctionType(code, seen, function.__name__, None, cells or None)
    known[id(function)] = function, made
    made.__dict__.update(function.__dict__)
    made.__defaults__ = function.__defaults__ and tuple(rebound(own, known) for own in function.__defaults__)
    made.__kwdefaults__ = function.__kwdefaults__ and {
        name: rebound(own, known) for name, own in function.__kwdefaults__.items()
    }
    seen.update({name: rebound(seen[name], known) for name in _names(code) & seen.keys()})
    for name, own, cell in zip(code.co_freevars, cells, function.__closure__ or (), strict=True):
        try:
            # super() must find what is above the class itself.
            own.cell_contents = cell.cell_contents if name == "__class__" else rebound(cell.cell_contents, known)
        except ValueError:  # it is not filled yet
            continue
    return made


def _names(code: CodeType) -> set[str]:
    """What a function and those inside it look up."""
    inner = (_names(part) for part in code.co_consts if isinstance(part, CodeType))
    return set(code.co_names).union(*inner)


def _asks_clock(code: CodeType) -> bool:
    """Whether a function, or one inside it, asks what time it is: its answers of today would be those of every day."""
    told = READ & set(code.co_names) and CLOCKS & {part for part in code.co_consts if isinstance(part, str)}
    inner = (part for part in code.co_consts if isinstance(part, CodeType))
    return bool(told or CLOCKS & set(code.co_names)) or any(map(_asks_clock, inner))


def _clock(*_: Any, **__: Any) -> Any:
    raise Untraceable("it asks what time it is, which a graph cannot: give it the time as a column")


def _builtins(known: Known) -> dict[str, Any]:
    def imported(*args: Any, **kwargs: Any) -> Any:
        return rebound(__import__(*args, **kwargs), known)

    own = {name: STAND_INS[value] for name, value in vars(builtins).items() if _registered(value)}
    return {**vars(builtins), **own, "__import__": imported}


def _class(cls: Any, known: Known) -> Any:
    """A subclass with copies of its functions, and of its bases' behind it; a class of which that would tell somebody
    else as it is."""
    if id(cls) in known:
        return known[id(cls)][1]
    told = any(_open(base.__module__) and "__init_subclass__" in vars(base) for base in cls.__mro__)
    if not _open(cls.__module__) or told or type(cls) not in (type, ABCMeta) or issubclass(cls, BaseException):
        return cls
    bases = tuple(made for base in cls.__bases__ if (made := _class(base, known)) is not base)
    if id(cls) in known:  # a function of a base's has led here
        return known[id(cls)][1]
    try:
        made = type(cls)(cls.__name__, (cls, *bases), {"_stands_for": cls, "__module__": cls.__module__})
    except TypeError:  # it has no subclasses
        return cls
    known[id(cls)] = cls, made
    for name, own in vars(cls).items():
        if isinstance(own, staticmethod | classmethod):
            setattr(made, name, type(own)(rebound(own.__func__, known)))
        elif isinstance(own, property):
            parts = (own.fget, own.fset, own.fdel)
            setattr(made, name, property(*(part and rebound(part, known) for part in parts)))
        elif isinstance(own, FunctionType) or not name.startswith("__"):
            seen = rebound(own, known)
            if seen is not own:
                setattr(made, name, seen)
    return made


def _instance(value: Any, known: Known) -> Any:
    """An object whose class is a copy; one that holds more than attributes as it is."""
    cls = _class(type(value), known)
    if cls is type(value):
        return value
    try:
        made, state = object.__new__(cls), object.__getstate__(value)
    except TypeError:
        return value
    known[id(value)] = value, made
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    for name, held in (attributes or {}).items():
        made.__dict__[name] = rebound(held, known)
    for name, held in (slots or {}).items():
        object.__setattr__(made, name, rebound(held, known))
    return made
