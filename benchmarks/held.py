"""What a process of the service holds in memory after each thing that it loads: PSS, from ``/proc/self/smaps_rollup``.

Run by the interpreter that serves: ``-m benchmarks.held service FOLDER...`` loads what the service imports, then every
version's folder in turn; ``-m benchmarks.held graph FILE`` nothing but a graph in a session of onnxruntime's own. It
writes an object in JSON, megabytes by stage, each with all before it; a folder or a file by its place, from 1 on.
"""

import sys
from importlib import import_module

SERVICE = {
    "interpreter": (),
    "numpy": ("numpy",),
    "onnxruntime": ("onnxruntime",),
    "litestar and server": ("msgspec", "litestar", "prometheus_client", "uvicorn", "uvloop", "httptools"),
    "service": ("runtime.service.server",),
}
"""What each stage imports; what an earlier one has brought along counts there."""

GRAPH = {"libraries": ("numpy", "onnxruntime")}


def held() -> float:
    """Megabytes of this process, what is shared divided among those who share it."""
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024 / 1e6


def main(kind: str, files: list[str]) -> dict[str, float]:
    """Load everything, and give what was held after each stage."""
    found = {}
    for stage, modules in (SERVICE if kind == "service" else GRAPH).items():
        for module in modules:
            import_module(module)
        found[stage] = held()
    kept = []
    for place, file in enumerate(files, 1):
        kept.append(_loaded(kind, file))
        found[f"{place}"] = held()
    return found


def _loaded(kind: str, file: str) -> object:
    if kind == "service":
        from runtime import load

        return load(file)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    stages = main(sys.argv[1], sys.argv[2:])
    import json

    print(json.dumps(stages))
