"""What a file may import when it is opened: judged by name, then by what the names really lead to.

1. Names come from scikit-learn, NumPy, SciPy or the short table ``PLAIN``, and neither they nor what they lead to lie
   in ``DENIED``.
2. Classes may be made; a function may be named (a FunctionTransformer holds one) but only ``REBUILDERS`` are called.
3. An object is made, filled, given its state, and then left alone, as every pickler writes it. A forged pickle that
   gives an object a function for its ``append``, and then appends to it, calls that function.

What the caller trusts is exempt from all three. These rules stop the known ways to run code; a pickle from a
stranger is still better not opened.
"""

import importlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, NamedTuple

from .errors import SourceError

__all__ = ["Global", "Imports", "allowed", "resolve"]

PACKAGES = ("sklearn", "numpy", "scipy")

PLAIN = {
    "builtins": frozenset(
        (
            *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range"),
            *("set", "slice", "str", "tuple"),
        )
    ),
    "collections": frozenset(("Counter", "OrderedDict", "defaultdict", "deque")),
    "copyreg": frozenset(("__newobj__", "_reconstructor")),
    "_codecs": frozenset(("encode",)),
    "joblib.numpy_pickle": frozenset(("NumpyArrayWrapper",)),
}
"""What pickles are made of beside the three packages; each makes a value and does nothing else."""

DENIED = (
    # They compile, load or run code that they are given.
    *("numpy.f2py", "numpy.distutils", "numpy.ctypeslib", "numpy.testing", "sklearn.utils._testing"),
    # They read, write or remove files; a DataSource removes the folder that its state names when it is collected.
    *("numpy.memmap", "numpy.lib.npyio", "numpy.lib._npyio_impl", "numpy.lib._datasource", "numpy.lib.format"),
    *("numpy.lib._format_impl", "numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromregex"),
    *("numpy.fromfile", "numpy.save", "numpy.savez", "numpy.savez_compressed", "numpy.savetxt", "numpy.rec.fromfile"),
    *("numpy._core._methods", "numpy._core.records", "scipy.io", "scipy.sparse._matrix_io"),
    # They fetch from the network.
    *("sklearn.datasets", "scipy.datasets"),
    # The state of a distribution holds source text that __setstate__ executes.
    "scipy.stats",
    # Their classes call what they are given (solvers), or make functions from text (decorator, _bunch).
    *("scipy.optimize", "scipy.integrate", "scipy.odr", "scipy.differentiate", "scipy._lib"),
    # Not meant for anything that is kept.
    *("sklearn.externals", "sklearn._build_utils", "sklearn.utils.estimator_checks", "sklearn.utils._mocking"),
)
"""Parts of the three packages that can run code, reach files or the network."""

EXEMPT = ("scipy._lib.array_api_compat.numpy",)
"""In a denied part, yet harmless: a BSpline holds its ``asarray``."""

REBUILDERS = frozenset(
    {
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy.ma.core", "_mareconstruct"),
        ("numpy.random._pickle", "__bit_generator_ctor"),
        ("numpy.random._pickle", "__generator_ctor"),
        ("numpy.random._pickle", "__randomstate_ctor"),
    }
)
"""The functions that a pickle calls; beside them Cython's ``__pyx_unpickle_*`` and scikit-learn's ``newObj``."""

SHOWN = 6
"""How many names an error lists."""


class Global(NamedTuple):
    """Something that a pickle imports."""

    module: str
    name: str

    def __str__(self) -> str:
        text = f"{self.module}.{self.name}"
        return text if text.isprintable() else ascii(text)  # a terminal must not obey a file's escape sequences


@dataclass(frozen=True)
class Imports:
    """What a pickle would import.

    named: all of it.
    called: what it calls, or makes an object of.
    odd: what it would treat as no pickler does (rule 3).
    trained: by class, the scikit-learn version that it was trained with.
    """

    named: set[Global] = field(default_factory=set)
    called: set[Global] = field(default_factory=set)
    odd: set[Global] = field(default_factory=set)
    trained: dict[str, str] = field(default_factory=dict)


def allowed(found: Global, trust: Iterable[str] = ()) -> bool:
    """Whether a name may be imported: it is trusted, or harmless by rule 1."""
    full = f"{found.module}.{found.name}"
    if _within(full, trust):
        return True
    if found.module in PLAIN:
        return found.name in PLAIN[found.module]
    parts = full.split(".")
    return (
        parts[0] in PACKAGES
        and "." not in found.name  # a module, a method, something inside a module that was imported there
        and not {"tests", "conftest", "_test_common"} & set(parts)
        and (not _within(full, DENIED) or _within(full, EXEMPT))
    )


def _within(full: str, places: Iterable[str]) -> bool:
    return any(full == place or full.startswith(place + ".") for place in places)


def resolve(imports: Imports, where: str, trust: Sequence[str] = ()) -> dict[Global, Any]:
    """The objects that a pickle may reach.

    trust: modules, or single names in them, whose code may be run.
    Raises SourceError that names what may not be imported, or cannot be.
    """
    refused = [found for found in sorted(imports.named) if not allowed(found, trust)]
    if refused:
        raise _refusal(refused, where)
    odd = [found for found in sorted(imports.odd) if not _within(f"{found.module}.{found.name}", trust)]
    if odd:
        raise SourceError(
            f"expected {where} to be as a pickler writes it, found one made to call or to change {_listed(odd)}: "
            "do not open it"
        )
    table = {found: _imported(found, where) for found in sorted(imports.named)}
    for found, target in table.items():
        full = f"{found.module}.{found.name}"
        if not _within(full, trust) and not _harmless(found, target, found in imports.called):
            refused.append(found)
    if refused:
        raise _refusal(refused, where)
    return table


def _refusal(refused: Sequence[Global], where: str) -> SourceError:
    """The error that says what a file may not import."""
    modules = " ".join(f"--trust {module}" for module in dict.fromkeys(found.module for found in refused[:SHOWN]))
    return SourceError(
        f"expected {where} to import only what scikit-learn, NumPy and SciPy keep data in, found {_listed(refused)}, "
        f"which could run any code: if the file is your own, allow it with --trust MODULE ({ascii(modules)[1:-1]})"
    )


def _listed(found: Sequence[Global]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(map(str, found[:SHOWN])) + more


def _imported(found: Global, where: str) -> Any:
    try:
        target: Any = importlib.import_module(found.module)
        for part in found.name.split("."):
            target = getattr(target, part)
    except Exception as error:  # importing a module runs it, and it may raise anything
        reason = str(error).partition("\n")[0]
        raise SourceError(
            f"expected to import {found}, which {where} needs, found: {reason}: install it, or put it where Python "
            "finds it"
        ) from error
    return target


def _harmless(found: Global, target: Any, called: bool) -> bool:
    """Rules 1 and 2, of what a name really leads to: modules import each other, so numpy.x may be os.x."""
    module = getattr(target, "__module__", None) or type(target).__module__
    home = Global(str(module), str(getattr(target, "__qualname__", found.name)))
    if isinstance(target, ModuleType) or not allowed(home):
        return False
    if not called or isinstance(target, type) or home.module in PLAIN:
        return True
    return home in REBUILDERS or home.name == "newObj" or home.name.startswith("__pyx_unpickle_")
