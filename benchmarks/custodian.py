"""Collect and check beside Cloud Custodian, on the same stand-in for AWS, in the same run.

    python -m benchmarks.custodian [PYTHON | --make FOLDER] [--rounds 3]

PYTHON is a Python with ``c7n``; ``--make`` installs that from PyPI into a virtual environment of its
own. Neither belongs to the project. The account: three Regions, 200 security groups, 2,000 rules, 150
interfaces, three endpoints. Measured of each, as processes of their own: requests that reached the
server, seconds from start to end, seconds of processor time, peak memory; the best of ``--rounds``,
which take turns. Custodian runs five policies of one line, about
things that the kit looks at too; how many calls they cost depends on which are chosen.

Aims: at most 100 calls, and no longer than Custodian. Without Custodian only the calls are held.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from benchmarks import process
from tests.standin import StandIn
from tests.standin.company_world import REGIONS, build

MOST_CALLS = 100
POLICIES = """\
policies:
  - {name: ssh-open, resource: aws.security-group, filters: [{type: ingress, Ports: [22], Cidr: {value: 0.0.0.0/0}}]}
  - {name: on-default-group, resource: aws.eni, filters: [{type: security-group, key: GroupName, value: default}]}
  - {name: not-routed, resource: aws.peering-connection, filters: [missing-route]}
  - {name: ends-soon, resource: aws.acm-certificate, filters: [{type: value, key: NotAfter, value_type: expiration, op: lt, value: 30}]}
  - {name: kept-for-ever, resource: aws.log-group, filters: [{retentionInDays: absent}]}
"""
Measured = dict[str, float]


def commands_of_the_kit(folder: Path, url: str) -> list[list[str]]:
    regions = [word for region in REGIONS for word in ("--region", region)]
    start = [sys.executable, "-c", "from auditlib.cli import main; main()"]
    snapshot = str(folder / "snapshot")
    return [
        [*start, "collect", "--endpoint-url", url, *regions, "--out", snapshot],
        [*start, "check", snapshot, "--format", "json"],
    ]


def commands_of_custodian(python: str, folder: Path) -> list[list[str]]:
    (folder / "policies.yml").write_text(POLICIES, "utf-8")
    regions = [word for region in REGIONS for word in ("--region", region)]
    start = [python, "-c", "import sys; from c7n.cli import main; sys.exit(main())"]
    given = ["--output-dir", str(folder / "out"), "--cache", str(folder / "cache")]
    return [[*start, "run", *given, *regions, str(folder / "policies.yml")]]


def measured(aws: StandIn, commands: list[list[str]], folder: Path) -> Measured:
    """Run commands one after the other and return what they took."""
    aws.forget()
    environment = {**os.environ, **aws.environment, "HOME": str(folder), "AUDITLIB_LANG": "en"}
    took: Measured = {"seconds": 0.0, "processor": 0.0, "memory": 0.0}
    for command in commands:
        one = process.measured(command, environment, folder / "said")
        took["seconds"] += one["seconds"]
        took["processor"] += one["processor"]
        took["memory"] = max(took["memory"], one["memory"])
        if one["status"] not in {0, 1, 3}:
            raise SystemExit((folder / "said").read_text("utf-8", "replace")[-2000:])
    return {**took, "calls": len(aws.calls)}


def best(rounds: list[Measured]) -> Measured:
    return {name: min(one[name] for one in rounds) for name in rounds[0]}


def made_at(folder: Path) -> str:
    """Make a virtual environment with Custodian, and return its Python."""
    venv.create(folder, with_pip=True)
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "c7n"], check=True)
    return python


def main() -> int:
    """Measure both, print, and exit 1 when an aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.custodian")
    parser.add_argument("python", nargs="?", help="a Python with c7n")
    parser.add_argument("--make", type=Path, metavar="FOLDER", help="install c7n there first")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    python = made_at(asked.make) if asked.make else asked.python
    rounds: dict[str, list[Measured]] = {"auditlib collect and check": []}
    if python:
        rounds["custodian, five policies"] = []
    with StandIn() as aws:
        build(aws)
        for _ in range(asked.rounds):
            for name, done in rounds.items():
                with tempfile.TemporaryDirectory() as folder:
                    home = Path(folder)
                    commands = (
                        commands_of_custodian(python, home)
                        if name.startswith("custodian")
                        else commands_of_the_kit(home, aws.url)
                    )
                    done.append(measured(aws, commands, home))
    found = {name: best(done) for name, done in rounds.items()}
    if asked.json:
        print(json.dumps(found))
        return 0
    print(f"{'':<30}{'calls':>7}{'seconds':>9}{'processor':>11}{'MiB':>6}")
    for name, told in found.items():
        print(f"{name:<30}{told['calls']:>7.0f}{told['seconds']:>9.2f}{told['processor']:>11.2f}{told['memory']:>6.0f}")  # fmt: skip
    mine, *others = found.values()
    missed = [f"more than {MOST_CALLS} calls"] if mine["calls"] > MOST_CALLS else []
    for other in others:
        names = ("calls", "seconds", "processor", "memory")
        ratios = {name: mine[name] / other[name] for name in names}
        print(f"{'ratio':<30}{ratios['calls']:>7.2f}{ratios['seconds']:>9.2f}{ratios['processor']:>11.2f}{ratios['memory']:>6.2f}")  # fmt: skip
        if ratios["seconds"] > 1:
            missed.append("longer than Custodian")
    print(f"missed: {'; '.join(missed)}" if missed else "no aim missed")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
