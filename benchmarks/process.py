"""What a process takes: seconds from start to end, seconds of processor time, peak memory in MiB.

Linux counts to a process the memory of the one it was begun by. So one that is measured from outside
is begun by a small one, and one that tells of itself reads what it used since it became itself.
"""

import json
import re
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["measured", "peak"]

_BEGIN = """\
import json, os, sys, time
start = time.perf_counter()
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(pid, 0)
took = {"seconds": time.perf_counter() - start, "processor": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss}
json.dump({**took, "status": os.waitstatus_to_exitcode(status)}, open(sys.argv[1], "w"))
"""
_UNIT = 1024 * 1024 if sys.platform == "darwin" else 1024


def measured(command: list[str], environment: Mapping[str, str], said: Path) -> dict[str, float]:
    """Run a command, a path first; return ``seconds``, ``processor``, ``memory`` and ``status``.

    What it says goes into a file. Its modules may be kept compiled, as those of whatever is installed are.
    """
    told = said.with_suffix(".told")
    without = {k: v for k, v in environment.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with said.open("wb") as out:
        start = [sys.executable, "-I", "-S", "-c", _BEGIN, str(told), *command]
        subprocess.run(start, env=without, stdout=out, stderr=out, check=True)
    found: dict[str, float] = json.loads(told.read_text("utf-8"))
    return {**found, "memory": found["memory"] / _UNIT}


def peak() -> float:
    """Return the peak memory of this process."""
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text("utf-8"))):
        return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _UNIT
