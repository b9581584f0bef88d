"""A candidate is tried in a process of its own: one that crashes onnxruntime, hangs or eats memory ends that process
and not the service. ``python -m runtime.service.trial FOLDER`` exits 0 and prints the digest where the version in the
folder answers its canary rows, and 2 with a sentence where it does not."""

import resource
import subprocess
import sys
from pathlib import Path

from ..bundle import read_bundle
from ..errors import BundleError, DigestError
from ..model import load
from .plan import Pin
from .reload import UnfinishedError

__all__ = ["MEMORY", "SECONDS", "main", "tried"]

SECONDS = 60.0
"""How long a candidate may take to load and to answer its canary rows."""

MEMORY = 8 * 2**30
"""Bytes of address space of the process that tries."""

COMMAND = ("-m", __spec__.name)

_HOME = Path(__file__).parents[2]
_DIGEST = 3


def tried(pin: Pin, *, seconds: float = SECONDS) -> None:
    """Try a version; returns where it may serve.

    Raises BundleError or one of its kinds: DigestError where its bytes are not (yet) all there, UnfinishedError where
    time ran out.
    """
    read_bundle(Path(pin.folder))  # bytes that are not those that were written cost no process
    command = [sys.executable, *COMMAND, pin.folder]
    try:
        done = subprocess.run(  # noqa: S603 (our own interpreter, our own module)
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=seconds, cwd=_HOME, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnfinishedError(f"expected it to load within {seconds:g} seconds, found it still at it") from error
    except OSError as error:
        raise UnfinishedError(f"expected a process to try it in, found: {error.strerror}") from error
    said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:1000]
    if done.returncode == _DIGEST:
        raise DigestError(said)
    if done.returncode == 2:
        raise BundleError(said)
    if done.returncode:
        signal = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        raise BundleError(f"expected it to load, found that the process that tried ended by {signal}")
    if done.stdout.decode().strip() != pin.digest:
        raise DigestError("expected the version to stay as it was, found that it has changed")


def main(folder: str) -> int:
    """Load the version; the exit code."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        digest = load(folder).digest
    except DigestError as error:
        sys.stderr.write(f"{error}\n")
        return _DIGEST
    except (BundleError, LookupError, MemoryError) as error:
        sys.stderr.write(f"{error or 'it needs more memory than it may have'}\n".replace("\r", " "))
        return 2
    sys.stdout.write(f"{digest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
