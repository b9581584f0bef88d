"""A service where it can write nothing and reach nobody, with what its processes ask the kernel for; Linux only.

As a script, inside a mount and a network namespace of its own (``unshare --mount --net``): makes every file system read
only and loopback the only network, runs the service under strace, uses it, and prints what came of it as JSON.
"""

import ctypes
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

CALLS = (
    *("open", "openat", "openat2", "creat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "rename", "renameat"),
    *(
        "renameat2",
        "link",
        "linkat",
        "symlink",
        "symlinkat",
        "mknod",
        "mknodat",
        "chmod",
        "fchmodat",
        "chown",
        "truncate",
    ),
    *("execve", "execveat", "fork", "vfork", "clone", "clone3", "connect", "bind", "sendto", "sendmsg"),
)
WRITES = frozenset(CALLS[3:22])
FORKS = frozenset(("fork", "vfork", "clone", "clone3"))
STARTS = FORKS | {"execve", "execveat"}


class Done(NamedTuple):
    """What came of a run.

    statuses: of the requests. code: the exit code. writable: whether a file could be made. trace: strace's lines.
    """

    statuses: dict[str, int]
    code: int
    writable: bool
    trace: str


def why_not() -> str | None:
    """Why this machine cannot do it; None where it can."""
    if sys.platform != "linux":
        return "namespaces and strace are Linux's"
    for words in (["unshare", "--mount", "--net", "true"], ["strace", "-qq", "true"]):
        if shutil.which(words[0]) is None:
            return f"{words[0]} is not installed"
        if subprocess.run(words, capture_output=True).returncode:
            return f"{words[0]} is not permitted here"
    return None


def run(models: Path, **environment: str) -> Done:
    """Run the service so."""
    words = ["unshare", "--mount", "--net", sys.executable, "-m", __name__, str(models)]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120)
    assert done.returncode == 0, done.stderr
    return Done(**json.loads(done.stdout))


def violations(trace: str) -> dict[str, list[str]]:
    """What workers, and what they started, asked for that none needs: by worker's process id, the lines."""
    calls = list(_calls(trace.splitlines()))
    started = [call for call in calls if call.name in FORKS and call.result.isdigit()]
    parent = {call.result: call.pid for call in started}
    # What becomes another program at once, as of subprocess, is started by vfork.
    forked = {call.result: call.pid for call in started if not re.search("CLONE_THREAD|vfork|VFORK", call.text)}
    servers = {pid for pid, by in forked.items() if by == calls[0].pid}
    workers = {pid for pid, by in forked.items() if by in servers}
    found: dict[str, list[str]] = {worker: [] for worker in sorted(workers)}
    for call in calls:
        owner: str | None = call.pid
        while owner is not None and owner not in workers:
            owner = parent.get(owner)
        if owner is not None and _needless(call):
            found[owner].append(call.text)
    return found


class _Call(NamedTuple):
    pid: str
    name: str
    text: str
    result: str


def _calls(lines: Iterable[str]) -> Iterable[_Call]:
    """The calls of a trace, those in two pieces put together."""
    begun: dict[tuple[str, str], str] = {}
    for line in lines:
        pid, _, text = line.partition(" ")
        text = text.strip()
        if resumed := re.match(r"<\.\.\. (\w+) resumed>(.*)", text):
            text = begun.pop((pid, resumed[1]), f"{resumed[1]}(") + resumed[2]
        name = text.partition("(")[0]
        if text.endswith("<unfinished ...>"):
            begun[pid, name] = text.removesuffix("<unfinished ...>")
        elif name in CALLS:
            result = re.search(r"= (-?\w+)[^=]*$", text)
            yield _Call(pid, name, text, result[1] if result else "")
    for (pid, name), text in begun.items():  # cut off by the end
        yield _Call(pid, name, text, "")


def _needless(call: _Call) -> bool:
    if call.name in ("open", "openat", "openat2"):
        return re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE", call.text) is not None
    if call.name in ("clone", "clone3"):
        return "CLONE_THREAD" not in call.text
    if call.name in ("sendto", "sendmsg"):
        return "sa_family=" in call.text
    return call.name in WRITES or call.name in STARTS or call.name in ("connect", "bind")


def _isolate() -> None:
    """Every mount read only, loopback up."""
    libc = ctypes.CDLL(None, use_errno=True)
    read_only = struct.pack("QQQQ", 1, 0, 0, 0)  # mount_setattr(2): MOUNT_ATTR_RDONLY
    at_recursive, at_fdcwd, call = 0x8000, -100, 442
    if libc.syscall(call, at_fdcwd, b"/", at_recursive, read_only, len(read_only)):
        raise OSError(ctypes.get_errno(), "mount_setattr")
    with socket.socket() as any_socket:
        up, ask, tell = 1, 0x8913, 0x8914
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, ask, struct.pack("16sH14x", b"lo", 0)))[1]
        fcntl.ioctl(any_socket, tell, struct.pack("16sH14x", b"lo", flags | up))


def _main(models: str) -> None:
    _isolate()
    try:
        Path(models, "made").write_bytes(b"")
        writable = True
    except OSError:
        writable = False
    log = os.memfd_create("trace")
    server = subprocess.Popen(
        [
            *("strace", "-D", "-f", "--seccomp-bpf", "-qq", "-s", "200", "-o", f"/proc/{os.getpid()}/fd/{log}"),
            *("-e", "trace=" + ",".join("?" + name for name in CALLS), sys.executable, "-B", "-m", "runtime", models),
            *("--workers", "2", "--port", "0", "--admin-port", "0", "--poll-seconds", "0.1"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    where: dict[str, str] = {}
    for line in server.stdout:
        words = json.loads(line).get("message", "").split()
        if words[1:2] == ["on"]:
            where[words[0]] = words[2].rstrip(",")
        if "ready" in where:
            break
    service, admin = where["ready"], where["admin"]
    row = b'{"x": 1, "id": 2}'
    statuses: dict[str, int] = {}
    for _ in range(10):  # by new connections, so that each worker has some
        statuses["predict"] = _ask(f"{service}/predict", row)
        statuses["malformed"] = _ask(f"{service}/predict", b"{")
        statuses["metrics"] = _ask(f"{service}/metrics")
        statuses["schema"] = _ask(f"{service}/schema")
    statuses["reload"] = _ask(f"{admin}/-/reload", b"")
    statuses["unload"] = _ask(f"{admin}/v2/repository/models/m/unload", b"")
    statuses["load"] = _ask(f"{admin}/v2/repository/models/m/load", b"")  # its candidate is tried in a new process
    statuses["predict again"] = _ask(f"{service}/predict", row)
    server.send_signal(signal.SIGTERM)
    server.stdout.read()
    code = server.wait()
    os.lseek(log, 0, os.SEEK_SET)
    with os.fdopen(log, "rb") as file:
        trace = file.read().decode("utf-8", "replace")
    json.dump(Done(statuses, code, writable, trace)._asdict(), sys.stdout)


def _ask(url: str, body: bytes | None = None) -> int:
    asked = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            status: int = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    return status


if __name__ == "__main__":
    _main(sys.argv[1])
