"""Measures an engine in the environment of engines: ``worker.py ENGINE FOLDER``.

FOLDER holds ``rows.npy``, a float64 matrix, and what the engine's ``make`` reads. Once it is made, the answers to all
rows are written to FOLDER/ENGINE.npy, and a line of JSON says ``{}``, or ``{"error": ...}``. Then each line of standard
input, ``{"rows": 1, "calls": 100}``, is a block: so many rows a call, from one place of the matrix after the other; the
line that answers it has the nanoseconds of each call.
"""

import json
import os
import runpy
import sys
from pathlib import Path
from time import perf_counter_ns

import numpy as np

WARM = 20


def main(engine: str, folder: Path) -> None:
    """Until standard input ends."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        matrix = np.load(folder / "rows.npy")
        predict = runpy.run_path(engine)["make"](folder)
        answers = np.asarray(predict(matrix), np.float64).reshape(len(matrix), -1)
        np.save(folder / f"{Path(engine).stem}.npy", answers)
    except Exception as error:  # whatever it is, the row says so
        said = (str(error).strip().splitlines() or [""])[0]
        out.write(json.dumps({"error": f"{type(error).__name__}: {said[:200]}"}) + "\n")
        return
    out.write("{}\n")
    given: dict[int, list[np.ndarray]] = {1: [matrix[index : index + 1].copy() for index in range(256)]}
    for line in sys.stdin:
        asked = json.loads(line)
        rows, calls = asked["rows"], asked["calls"]
        inputs = given.setdefault(rows, [matrix[:rows]])
        for turn in range(min(calls, WARM) if calls > 5 else 0):  # the others have had the processor's caches
            predict(inputs[-1 - turn % len(inputs)])
        times = [0] * calls
        for turn in range(calls):
            x = inputs[turn % len(inputs)]
            before = perf_counter_ns()
            predict(x)
            times[turn] = perf_counter_ns() - before
        out.write(json.dumps(times) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
