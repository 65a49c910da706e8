"""How long each stage takes on the bundled sample, as ratios to the floor below it.

    python -m benchmarks [--profile]

Prints seconds (the best of three, each in a process of its own) and the ratio to a floor measured in
the same run: ``import click`` for starting, parsing the same JSON files for loading, loading for what
comes after it. ``--profile`` adds the ten slowest functions of the slowest stage inside the kit.

Aims: the command line starts within twice the time of importing click.
``python -m benchmarks.reach`` measures a million rules.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OPEN = "from auditlib import open_audit; a = open_audit(); "
LOAD = (
    OPEN
    + "[a.tables[n] for n in a.tables.names if n not in ('reached_interfaces', 'opened_networks')]"
)
FLOOR = (
    "import json, pathlib, auditlib; "
    "[json.loads(p.read_bytes()) for p in (pathlib.Path(auditlib.__file__).parent / 'sample').rglob('*.json')]"
)
COLLECT = (
    "import pathlib, sys; from tests.standin import StandIn; "
    "from tests.standin.sample import collect_sample; w = StandIn(); w.__enter__(); "
    "collect_sample(w, pathlib.Path(sys.argv[1]) / str(__import__('time').time_ns())); w.__exit__()"
)
# Stage, what runs, the stage it is measured against, the most it should be (0: no aim).
STAGES = (
    ("import click", "import click", "", 0.0),
    ("auditlib --help", "import sys; sys.argv = ['auditlib', '--help']; from auditlib.cli import main; main()", "import click", 2.0),
    ("parse the files", FLOOR, "", 0.0),
    ("import pandas", "import pandas", "", 0.0),
    ("load", LOAD, "import pandas", 0.0),
    ("check", OPEN + "a.findings", "load", 0.0),
    ("reach", OPEN + "a.reach()", "load", 0.0),
    ("report", "import sys; sys.argv = ['auditlib', 'report', SAMPLE, '--out', sys.argv[1] + '/r']; from auditlib.cli import main; main()", "check", 0.0),
    ("collect, stand-in included", COLLECT, "import pandas", 0.0),
)  # fmt: skip


def seconds(code: str, times: int) -> float:
    sample = Path(__file__).resolve().parent.parent / "auditlib" / "sample"
    best = float("inf")
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            made = subprocess.run(
                [sys.executable, "-c", code.replace("SAMPLE", repr(str(sample))), folder],
                capture_output=True,
                check=False,
            )
            best = min(best, time.perf_counter() - start)
        if made.returncode not in {0, 1, 3}:
            raise SystemExit(made.stderr.decode())
    return best


def main() -> int:
    """Measure, print, and exit 1 when an aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    taken: dict[str, float] = {}
    missed = 0
    print(f"{'stage':<28}{'seconds':>9}{'ratio':>8}  to")
    for name, code, floor, most in STAGES:
        taken[name] = seconds(code, 1 if name in {"report", "collect, stand-in included"} else 3)
        ratio = taken[name] / taken[floor] if floor else 1.0
        late = bool(most) and ratio > most
        missed += late
        aim = f" (aim: at most {most:g}{', missed' if late else ''})" if most else ""
        told = f"{ratio:>8.1f}  {floor}{aim}" if floor else ""
        print(f"{name:<28}{taken[name]:>9.2f}{told}", flush=True)
    if asked.profile:
        slowest = max(("load", "check", "reach"), key=taken.__getitem__)
        code = next(code for name, code, _, _ in STAGES if name == slowest)
        print(f"\nThe slowest of load, check and reach: {slowest}")
        profiled = f"import cProfile, pstats; p = cProfile.Profile(); p.enable(); exec({code!r}, {{}}); p.disable(); pstats.Stats(p).sort_stats('cumtime').print_stats('auditlib', 10)"
        subprocess.run([sys.executable, "-c", profiled], check=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
