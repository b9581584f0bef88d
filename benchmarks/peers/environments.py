"""The environment of each peer, below ``build/peers``."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..errors import BadInputError, FailedError

__all__ = ["ENGINES", "HERE", "Peer", "make", "peers"]

HERE = Path(__file__).parent
ENGINES = HERE / "engines"
WHERE = Path("build/peers")
_HEADER = re.compile(r"^(#|//) /// script\n((?:\1(?: .*)?\n)+)\1 ///$", re.MULTILINE)
_NAME = re.compile(r"(?:@[\w.-]+/)?[\w.-]+")


class Peer(NamedTuple):
    """A rival.

    file: what its environment runs; Python in one that pip fills, JavaScript in one that npm fills.
    dependencies: what that is to hold.
    environment: its name. The engines share theirs.
    contract: a name of ``contracts.CONTRACTS``: how it takes a row.
    path: where it does.
    not_yet: the status that it has for what it has not loaded yet.
    own_versions: whether what comes with its dependencies may have other versions than ours.
    estimators: the classes whose models it takes; none, where it takes any.
    """

    name: str
    file: Path
    dependencies: list[str]
    environment: str
    contract: str = "row"
    path: str = "/predict"
    not_yet: int = 503
    own_versions: bool = False
    estimators: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Its environment's, whether it is there or not."""
        return WHERE.resolve() / self.environment

    @property
    def program(self) -> str:
        """What runs its file, whether it is there or not."""
        return str(self.folder / "bin/python") if self.file.suffix == ".py" else shutil.which("node") or "node"

    @property
    def command(self) -> list[str | Path]:
        """What runs its file; its arguments come after."""
        return [self.program, *(["-P"] if self.file.suffix == ".py" else []), self.file]

    @property
    def variables(self) -> dict[str, str]:
        """Those that its process needs, beside ours."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        return {"PATH": path, "NODE_PATH": str(self.folder / "node_modules")}

    @property
    def installed(self) -> bool:
        """Whether its environment is there."""
        return (self.folder / ("bin/python" if self.file.suffix == ".py" else "node_modules")).exists()

    @property
    def versions(self) -> dict[str, str]:
        """Those that its environment has of its dependencies."""
        names = [_name(dependency) for dependency in self.dependencies]
        if self.file.suffix == ".py":
            places = [str(place) for place in self.folder.glob("lib/python*/site-packages")]
            there = {_name(d.name): d.version for d in metadata.distributions(path=places)}
        else:
            files = {name: self.folder / "node_modules" / name / "package.json" for name in names}
            there = {name: msgspec.json.decode(f.read_bytes())["version"] for name, f in files.items() if f.exists()}
        return {name: there[name] for name in names if name in there}


def peers(folder: Path = HERE) -> list[Peer]:
    """Every file of a folder that says in a header as PEP 723 has it (after ``//`` in JavaScript) what it needs."""
    found = []
    for file in sorted([*folder.glob("*.py"), *folder.glob("*.cjs")]):
        if header := _HEADER.search(file.read_text()):
            said = tomllib.loads(re.sub(f"^{header[1]} ?", "", header[2], flags=re.MULTILINE))
            environment = file.stem if folder != ENGINES else ENGINES.name
            about = said.get("tool", {}).get("peer", {})
            found.append(Peer(file.stem, file, said["dependencies"], environment, **about))
    return found


def make(name: str) -> None:
    """Make an environment anew: with the versions that are here for all that is here as well, or where it is to have
    its own, for what its file names; that may be scikit-learn, which wrote the pipeline.

    Raises BadInputError for an unknown one, FailedError where packages could not be had; then none is left.
    """
    asked = [peer for peer in _every() if peer.environment == name]
    if not asked:
        known = dict.fromkeys(peer.environment for peer in _every())
        raise BadInputError(f"expected one of the peers {', '.join(known)}, found {name!r}")
    folder = asked[0].folder
    dependencies = list(dict.fromkeys(dependency for peer in asked for dependency in peer.dependencies))
    shutil.rmtree(folder, ignore_errors=True)
    if asked[0].file.suffix != ".py":
        folder.mkdir(parents=True)
        # A package's own install script would fetch from elsewhere; what a processor needs is in the package.
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
    else:
        venv.create(folder, with_pip=True)
        (folder / "constraints.txt").write_text(_constraints(dependencies if asked[0].own_versions else None))
        command = [asked[0].program, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        command += ["-c", str(folder / "constraints.txt")]
    try:
        done = subprocess.run([*command, *dependencies], capture_output=True, text=True, check=False)
    except OSError as error:
        shutil.rmtree(folder)
        raise FailedError(f"expected {command[0]} to run, found: {error.strerror}") from error
    if done.returncode:
        shutil.rmtree(folder)
        said = done.stderr.strip().splitlines()
        raise FailedError(f"expected the packages of {name}, found: {said[-1] if said else 'nothing'}")


def main(names: list[str]) -> int:
    """Make the environments of some, or of all; 0 when all are there."""
    failed = 0
    for name in names or dict.fromkeys(peer.environment for peer in _every()):
        print(f"making build/peers/{name}: a minute or two", file=sys.stderr)
        try:
            make(name)
        except BadInputError as error:
            print(f"python -m benchmarks.peers: {error}", file=sys.stderr)
            return 2
        except FailedError as error:
            print(f"python -m benchmarks.peers: {error}", file=sys.stderr)
            failed = 1
    return failed


def _every() -> list[Peer]:
    return [*peers(), *peers(ENGINES)]


def _constraints(only: list[str] | None) -> str:
    """The versions that are here, of all distributions, or of those of these dependencies that ask for none."""
    names = None if only is None else {_name(d) for d in only if _NAME.fullmatch(d)}
    return "".join(
        f"{d.name}=={d.version}\n"
        for d in metadata.distributions()
        if d.name != "pipetwin" and (names is None or _name(d.name) in names)
    )


def _name(dependency: str) -> str:
    """A dependency's name, as registries compare names."""
    found = _NAME.match(dependency)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else dependency
