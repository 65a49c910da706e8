"""How long each stage takes, as a ratio to the floor below it, and how that grows.

    python -m benchmarks [--big] [--only WORLD] [--no-profile]

Worlds: the bundled sample; a lifelike account of 2,000 security groups (``benchmarks.company``); and
the snapshot of ``benchmarks.reach`` with 10,000, 100,000 and, with ``--big`` (many minutes, some GB), a
million rules: 1 ×, 10 × and 100 ×; aim: ten times as much takes at most 12 times as long. Stages, each in a process of its own:

- start: ``auditlib --help``. Floor: ``import click``. Aim: at most twice.
- load: all tables and views but those of reach, from opening the snapshot. Floor: parsing the same JSON.
- check: all checks, and what reach they need, after loading. Floor: loading.
- reach: who reaches what, after loading. Floor: loading.
- report: all notebooks by the command line. Floor: loading and checking. Not of the grown snapshot.
- collect: the sample, and the company of ``tests.standin.company_world``, the first account of a process
  and, with an aim, those after it. Floor: the longest chain of calls that need each other's answers, of ``--latency`` seconds each, against ``benchmarks.replay``,
  whose own time is part of neither. Aim: at most 1.5 times.

Seconds are of processor time (user and system) where nothing is waited for, so that they hold on a
machine that has other work too; of report and collect, from start to end. Beside each world stands
what its slowest stage spends its time on. ``python -m benchmarks.reach`` measures reach more closely,
``.fleet`` a scheduled run, ``.custodian`` collect and check beside Cloud Custodian.
"""

import argparse
import cProfile
import json
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import auditlib
from benchmarks import company, reach
from benchmarks.process import peak

SAMPLE = Path(auditlib.__file__).with_name("sample")
SCALES = (0.01, 0.1, 1.0)
"""Of a million rules."""
REACHED = {"reached_interfaces", "opened_networks"}
Told = dict[str, float]


def spent() -> float:
    """Return the processor time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# -- stages, each in a process of its own ---------------------------------------------------------


def parse(snapshot: Path) -> Callable[[], object]:
    files = sorted(snapshot.rglob("*.json"))
    return lambda: [json.loads(file.read_bytes()) for file in files]


def load(snapshot: Path) -> Callable[[], object]:
    from auditlib import open_audit

    def work() -> object:
        tables = open_audit(snapshot).tables
        return [tables[name] for name in tables.names if name not in REACHED]

    return work


def check(snapshot: Path) -> Callable[[], object]:
    from auditlib import open_audit
    from auditlib.check import checks

    checks()
    audit = open_audit(snapshot)
    for name in audit.tables.names:
        if name not in REACHED:
            _ = audit.tables[name]
    return lambda: audit.findings


def reached(snapshot: Path) -> Callable[[], object]:
    from auditlib import open_audit
    from auditlib.access import reach_counts

    tables = open_audit(snapshot).tables
    for name in tables.names:
        if name not in REACHED:
            _ = tables[name]
    return lambda: reach_counts(tables)


STAGES = {"parse": parse, "load": load, "check": check, "reach": reached}
FLOORS = {"load": "parse", "check": "load", "reach": "load"}


def stage(name: str, snapshot: Path, profiled: bool) -> Told | str:
    """Carry out a stage in this process; return what it took, or on what."""
    work = STAGES[name](snapshot)
    if profiled:
        profile = cProfile.Profile()
        profile.runcall(work)
        return slowest(profile)
    before = spent()
    work()
    took = spent() - before
    return {"seconds": took, "peak": peak()}


def slowest(profile: cProfile.Profile, most: int = 6) -> str:
    """Return the functions of the kit that take longest, with all they call."""
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    whole = max((row[3] for row in stats.values()), default=1.0)
    mine = sorted(
        (
            (row[3], f"{Path(file).stem}.{name}")
            for (file, _, name), row in stats.items()
            if "auditlib" in file and not name.startswith("<")
        ),
        reverse=True,
    )
    return ", ".join(f"{name} {took / whole:.0%}" for took, name in mine[:most])


# -- the whole ------------------------------------------------------------------------------------


def ran(*words: str) -> str:
    made = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, check=True, text=True)
    return made.stdout.splitlines()[-1]


def staged(name: str, snapshot: Path, *more: str) -> str:
    return ran("-m", "benchmarks", "--stage", name, str(snapshot), *more)


def command(code: str, *words: str) -> float:
    """Return the processor time of a Python that runs some code, the best of three."""
    best = float("inf")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = min(best, took)
    return best


def line(name: str, seconds: float, ratio: float = 0.0, to: str = "", most: float = 0.0) -> bool:
    """Print a line; return whether an aim is missed."""
    missed = bool(most) and ratio > most
    aim = f" (aim: at most {most:g}{', missed' if missed else ''})" if most else ""
    print(
        f"  {name:<10}{seconds:>9.2f} s" + (f"{ratio:>8.2f} × {to}{aim}" if to else ""), flush=True
    )
    return missed


def measured(snapshot: Path, profiled: bool) -> dict[str, float]:
    """Measure the stages on a snapshot, print them, and return their seconds."""
    took: dict[str, float] = {}
    for name in STAGES:
        told: Told = json.loads(staged(name, snapshot))
        took[name] = told["seconds"]
        floor = FLOORS.get(name, "")
        line(name, took[name], took[name] / took[floor] if floor else 0.0, floor)
    if profiled:
        worst = max(FLOORS, key=took.__getitem__)
        print(f"  {worst}: {json.loads(staged(worst, snapshot, '--profile'))}", flush=True)
    return took


def reported(snapshot: Path, took: dict[str, float]) -> None:
    """Time a report of all notebooks, from start to end."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        code = "from auditlib.cli import main; main()"
        subprocess.run(
            [sys.executable, "-c", code, "report", str(snapshot), "--out", f"{folder}/report"],
            stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        seconds = time.perf_counter() - start
    line("report", seconds, seconds / (took["load"] + took["check"]), "load and check")


def collected(latency: float) -> bool:
    """Time collecting the two worlds of the stand-in; return whether the aim is missed."""
    missed = False
    for world in ("sample", "company"):
        told = json.loads(ran("-m", "benchmarks.fleet", "--stage", "collect", repr(latency), world))
        name = (
            f"{world}: {told['calls']:.0f} calls, {told['processor']:.2f} s of processor time; the "
            f"first of a process {told['first']:.2f} s, those after it:"
        )
        print(f"  {name}")
        missed |= line(
            "", told["seconds"], told["seconds"] / told["floor"],
            f"its chain of {told['chain']:.0f} calls", 1.5,
        )  # fmt: skip
    return missed


def main() -> int:
    """Measure, print, and exit 1 when an aim is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--big", action="store_true", help="the million rules too")
    parser.add_argument(
        "--only", choices=("start", "sample", "company", "grown", "collect"), action="append"
    )
    parser.add_argument("--no-profile", action="store_true")
    parser.add_argument("--latency", type=float, default=0.08, help="seconds a call takes")
    parser.add_argument("--stage", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--profile", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.stage:
        print(json.dumps(stage(asked.stage[0], Path(asked.stage[1]), asked.profile)))
        return 0
    missed, profiled = [], not asked.no_profile

    def wanted(name: str, title: str) -> bool:
        chosen = not asked.only or name in asked.only
        if chosen:
            print(title, flush=True)
        return chosen

    if wanted("start", "start"):
        floor = command("import click")
        line("floor", floor)
        took = command(
            "import sys; sys.argv[0] = 'auditlib'; from auditlib.cli import main; main()", "--help"
        )
        missed.append(line("--help", took, took / floor, "import click", 2.0))
    with tempfile.TemporaryDirectory() as folder:
        if wanted("sample", "the bundled sample"):
            reported(SAMPLE, measured(SAMPLE, profiled))
        if wanted("company", "a company of 2,000 security groups"):
            snapshot = Path(folder) / "company"
            company.build(snapshot)
            reported(snapshot, measured(snapshot, profiled))
        if wanted("grown", "growth"):
            before: dict[str, float] = {}
            for scale in SCALES[: 3 if asked.big else 2]:
                snapshot = Path(folder) / f"grown-{scale}"
                reach.build(snapshot, scale)
                print(f" {1_000_000 * scale:,.0f} rules")
                now = measured(snapshot, profiled)
                for name in FLOORS:
                    if before:
                        ratio = now[name] / before[name]
                        missed.append(line(name, now[name], ratio, "a tenth of it", 12.0))
                before = now
    if wanted("collect", "collect"):
        missed.append(collected(asked.latency))
    return int(any(missed))


if __name__ == "__main__":
    sys.exit(main())
