"""The environment of each peer, below ``build/peers``."""

import re
import subprocess
import sys
import tomllib
import venv
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from ..errors import BadInputError, FailedError

__all__ = ["Peer", "make", "peers"]

HERE = Path(__file__).parent
WHERE = Path("build/peers")
_HEADER = re.compile(r"^# /// script\n((?:# .*\n)+)# ///$", re.MULTILINE)


class Peer(NamedTuple):
    """A rival.

    file: what its environment runs.
    dependencies: what it is to hold.
    """

    name: str
    file: Path
    dependencies: list[str]

    @property
    def python(self) -> Path:
        """The interpreter of its environment, whether it is there or not."""
        return WHERE.resolve() / self.name / "bin/python"


def peers(folder: Path = HERE) -> list[Peer]:
    """Every file of a folder that says in a PEP 723 header what it needs."""
    found = []
    for file in sorted(folder.glob("*.py")):
        if header := _HEADER.search(file.read_text()):
            said = tomllib.loads(re.sub(r"^# ?", "", header[1], flags=re.MULTILINE))
            found.append(Peer(file.stem, file, said["dependencies"]))
    return found


def make(name: str) -> None:
    """Make a peer's environment anew, with the versions that are here for what is here as well.

    Raises BadInputError for an unknown peer, FailedError where packages could not be had.
    """
    known = {peer.name: peer for peer in peers()}
    if name not in known:
        raise BadInputError(f"expected one of the peers {', '.join(known)}, found {name!r}")
    peer = known[name]
    folder = peer.python.parents[1]
    venv.create(folder, with_pip=True, clear=True)
    constraints = folder / "constraints.txt"
    constraints.write_text(
        "".join(f"{d.name}=={d.version}\n" for d in metadata.distributions() if d.name != "pipetwin")
    )
    command = [peer.python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", constraints]
    done = subprocess.run([*map(str, command), *peer.dependencies], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise FailedError(f"expected the packages of {name}, found: {said[-1] if said else 'nothing'}")


def main(names: list[str]) -> int:
    """Make the environments of some, or of all; 0 when all are there."""
    failed = 0
    for name in names or [peer.name for peer in peers()]:
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
