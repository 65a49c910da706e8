"""What an account of a scheduled run costs: read, judged, reported on; alone and among many.

    python -m benchmarks.fleet [--accounts 50] [--latency 0.08]

Each account is the bundled sample's. Measured, each in a process of its own, with its peak memory:

- collect, from a server that gives again what the stand-in for AWS answered, each time after
  ``--latency`` seconds (``benchmarks.replay``): the stand-in's own time is part of nothing. The first
  account of a process (imports not counted), which reads what botocore knows of the services, and those
  after it. Floor: as many calls, one after the other, as its longest chain of calls that need each
  other's answers, each as long as one call of botocore to that server takes. Aim: at most 1.5 times,
  for the accounts after the first. Beside it: what boto3 alone takes to make as many clients and the
  same calls from as many threads, in a session that made them before, none waiting for another's
  answer, and nothing done with what comes.
- judge: open the snapshot and run all checks.
- report of all notebooks. Floor: the command lines of ``papermill`` and ``jupyter nbconvert``, one after
  the other, on one notebook that imports pandas and matplotlib and draws one figure, in this same
  environment. Aim: at most as long.
- so many accounts judged and reported on, on one core and on two. Aim: 1.8 times as fast on two.
- peak memory of the process that leads a run, with a tenth of the accounts and with all. Aim: flat,
  at most 1.1 times.

Prints a line per stage; exits 1 when an aim is missed. Machines are noisy: run it on a quiet one.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import auditlib
from auditlib.lanes import Lanes
from benchmarks.process import peak

SAMPLE = Path(auditlib.__file__).with_name("sample")
DATE = "2026-11-20"
FURTHER = 5
"""How many accounts are read after the first."""
TRIVIAL = """\
import pandas as pd
import matplotlib.pyplot as plt
pd.DataFrame({"x": [1, 2], "y": [2, 1]}).plot(x="x")
plt.show()
"""


def account_of(number: int) -> str:
    """Return an invented account."""
    return f"4444{number:08}"


# -- stages, each in a process of its own ---------------------------------------------------------


def serve(folder: Path, latency: float, world: str) -> dict[str, float]:
    """Answer as AWS until there is nobody to answer; tell how many calls a collection made."""
    from benchmarks.replay import Replay
    from tests.standin import StandIn, company_world, sample_world

    with StandIn() as aws:
        (sample_world if world == "sample" else company_world).build(aws)
        aws.forget()
        replay = Replay(aws.url, latency)

        def ready() -> None:
            print(json.dumps({**aws.environment, "AWS_ENDPOINT_URL": replay.url}), flush=True)

        def until() -> None:
            sys.stdin.readline()
            calls = aws.calls
            print(json.dumps({"calls": len(calls), "chain": longest_chain(calls)}), flush=True)
            sys.stdin.readline()

        asyncio.run(replay.serve(ready, until))
    return {"seconds": 0.0}


def collect(folder: Path, latency: float, world: str = "sample") -> dict[str, float]:
    """Collect a world of the stand-in a second time, and time a call by itself."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fleet", "--stage", "serve", repr(latency), world],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as aws:
        os.environ.update(json.loads(aws.stdout.readline()))
        # What is asked of the stand-in, in a process of its own: nothing is warm when it is timed.
        with Lanes(1) as executor:
            executor.submit(_read, folder / "first", world).result()
        print(file=aws.stdin, flush=True)
        told = json.loads(aws.stdout.readline())
        import auditlib.aws.collect  # noqa: F401 # imports are not counted

        start = time.perf_counter()
        _read(folder / "second", world)
        first = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_SELF)
        start = time.perf_counter()
        for number in range(FURTHER):
            _read(folder / f"further-{number}", world)
        taken = (time.perf_counter() - start) / FURTHER
        after = resource.getrusage(resource.RUSAGE_SELF)
        import boto3

        with _noted() as asked:
            _read(folder / "noted", world)
        session = boto3.Session()
        _bare(session, asked)
        start = time.perf_counter()
        for _ in range(FURTHER):
            _bare(session, asked)
        bare = (time.perf_counter() - start) / FURTHER
        ec2 = boto3.client("ec2")
        ec2.describe_vpcs()
        ec2.describe_vpcs()
        start = time.perf_counter()
        for _ in range(10):
            ec2.describe_vpcs()
        one = (time.perf_counter() - start) / 10
        aws.communicate()
    processor = (after.ru_utime - used.ru_utime + after.ru_stime - used.ru_stime) / FURTHER
    floor = told["chain"] * one
    return {
        **told,
        "first": first,
        "seconds": taken,
        "processor": processor,
        "one": one,
        "floor": floor,
        "bare": bare,
    }


_Asked = list[tuple[str, str, str, dict[str, Any]]]
"""Calls: service, Region, operation and parameters."""


@contextmanager
def _noted() -> Iterator[_Asked]:
    """Note every call that boto3 makes inside a ``with`` block, pages included."""
    from unittest.mock import patch

    from botocore.client import BaseClient

    asked: _Asked = []
    call = BaseClient._make_api_call

    def noting(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        asked.append((client.meta.service_model.service_name, client.meta.region_name, operation, parameters))  # fmt: skip
        return call(client, operation, parameters)

    with patch.object(BaseClient, "_make_api_call", noting):
        yield asked


def _bare(session: Any, asked: _Asked) -> None:
    """Make the same clients and calls as a collection with nothing around boto3."""
    from botocore.config import Config
    from botocore.exceptions import ClientError

    from auditlib.aws.collect import WORKERS_PER_REGION

    workers = WORKERS_PER_REGION * len({region for _, region, _, _ in asked})
    config = Config(max_pool_connections=workers)
    places = dict.fromkeys((service, region) for service, region, _, _ in asked)
    clients = {place: session.client(place[0], place[1], config=config) for place in places}

    def ask(service: str, region: str, operation: str, parameters: dict[str, Any]) -> None:
        with suppress(ClientError):  # that there is no such thing is an answer
            clients[service, region]._make_api_call(operation, parameters)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda one: ask(*one), asked))


def _read(folder: Path, world: str) -> None:
    from auditlib.aws.collect import collect as collected

    clock = datetime(2026, 11, 2, 1, tzinfo=UTC)
    url = os.environ["AWS_ENDPOINT_URL"]
    made = collected(folder, regions=_REGIONS[world], endpoint_url=url, clock=lambda: clock)
    if lost := [call for call in made.manifest.calls if call.status != "ok"]:
        raise SystemExit(f"{len(lost)} calls failed, the first: {lost[0]}")


_REGIONS = {
    "sample": ("ap-northeast-1", "us-east-1"),
    "company": ("ap-northeast-1", "eu-west-1", "us-east-1"),
}
"""As the worlds of the stand-in say; not read there, so that it is not imported where time is taken."""


def longest_chain(calls: Any) -> int:
    """Return how many calls of a collection had to wait for one another."""
    from collections import Counter

    from auditlib.aws.reads import READS

    pages: Counter[tuple[str, str, str]] = Counter()
    for call in calls:
        asked = {k: v for k, v in call.parameters.items() if "token" not in k.lower()}
        pages[call.action, call.region, json.dumps(asked, sort_keys=True)] += 1
    longest = {action: 0 for action, _, _ in pages}
    for (action, _, _), number in pages.items():
        longest[action] = max(longest[action], number)
    by_id = {read.id: read for read in READS}

    def depth(id: str) -> int:
        own = longest.get(by_id[id].iam_action, 0)
        return own + max(map(depth, by_id[id].parents), default=0) if own else 0

    return 1 + max(map(depth, by_id))  # who calls is asked first


def judge(folder: Path) -> dict[str, float]:
    """Open and judge the sample."""
    start = time.perf_counter()
    from auditlib import open_audit

    found = open_audit(SAMPLE).findings
    return {"seconds": time.perf_counter() - start, "findings": len(found)}


def report(folder: Path) -> dict[str, float]:
    """Make a report of all notebooks, as the command line does."""
    return _commands([_auditlib("report", str(SAMPLE), "--out", str(folder / "report"))], folder)


def trivial(folder: Path) -> dict[str, float]:
    """Run and convert a notebook that does next to nothing."""
    from nbformat import write
    from nbformat.v4 import new_code_cell, new_notebook

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    node = new_notebook(cells=[new_code_cell(TRIVIAL)], metadata={"kernelspec": kernel})
    write(node, folder / "in.ipynb")
    run = ["-m", "papermill", "--log-level", "ERROR", "--no-progress-bar", "in.ipynb", "out.ipynb"]
    turn = ["-m", "nbconvert", "--log-level", "ERROR", "--to", "html", "out.ipynb"]
    return _commands([[sys.executable, *run], [sys.executable, *turn]], folder)


def lanes(folder: Path, accounts: int, cores: int) -> dict[str, float]:
    """Judge and report on so many accounts on so many cores."""
    from auditlib.schedule import Account
    from auditlib.visit import Visit, reported

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    visits = []
    for number in range(accounts):
        account = Account(account=account_of(number), regions=("ap-northeast-1",))
        visit = Visit(account=account, output=folder, date=DATE, kernels=1)
        shutil.copytree(SAMPLE, visit.folder / "snapshot")
        visits.append(visit)
    start = time.perf_counter()
    with Lanes(cores) as executor:
        done = [executor.submit(reported, visit) for visit in visits]
        wait(done)
    taken = time.perf_counter() - start
    if any(one.result()["status"] != "done" for one in done):
        raise SystemExit("an account was not done")
    return {"seconds": taken}


def lead(folder: Path, accounts: int) -> dict[str, float]:
    """Run so many accounts of which every visit is done already: what is left is the leader's."""
    from auditlib.schedule import config_of

    file = folder / "runs.yaml"
    lines = ["output: out", "regions: [ap-northeast-1]", "accounts:"]
    made = folder / "one"
    for number in range(accounts):
        account = account_of(number)
        lines.append(f'  - account: "{account}"')
        if not number:
            judged = _judged(made, account)
        home = folder / "out" / account / DATE
        home.mkdir(parents=True)
        for name, held in judged.items():
            (home / name).write_bytes(held.replace(account_of(0).encode(), account.encode()))
        (home.parent / "latest").write_text(f"{DATE}\n")
    file.write_text("\n".join(lines) + "\n", "utf-8")
    from auditlib.fleet import run

    told: list[Any] = []
    start = time.perf_counter()
    run(
        config_of(file),
        clock=lambda: datetime(2026, 11, 20, 3, tzinfo=UTC),
        told=told.append,
        processes=2,
    )
    if len(told) != accounts:
        raise SystemExit("an account was not told of")
    return {"seconds": time.perf_counter() - start}


def _judged(folder: Path, account: str) -> dict[str, bytes]:
    """Return what one visit leaves that a run reads again."""
    from auditlib.schedule import Account
    from auditlib.visit import FINDINGS, Visit, reported

    of = Account(account=account, regions=("ap-northeast-1",))
    visit = Visit(account=of, output=folder, date=DATE, notebooks=())
    shutil.copytree(SAMPLE, visit.folder / "snapshot")
    reported(visit)
    return {name: (visit.folder / name).read_bytes() for name in (FINDINGS, "run.json")}


def _auditlib(*words: str) -> list[str]:
    return [sys.executable, "-c", "from auditlib.cli import main; main()", *words]


def _commands(commands: list[list[str]], folder: Path) -> dict[str, float]:
    start = time.perf_counter()
    for command in commands:
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    return {"seconds": time.perf_counter() - start}


# -- the whole ------------------------------------------------------------------------------------

STAGES = {f.__name__: f for f in (serve, collect, judge, report, trivial, lanes, lead)}


def staged(name: str, *given: float) -> dict[str, float]:
    """Run a stage in a process of its own, and return what it measured and its peak memory."""
    words = [sys.executable, "-m", "benchmarks.fleet", "--stage", name, *map(repr, given)]
    made = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True)
    told: dict[str, float] = json.loads(made.stdout.splitlines()[-1])
    return told


def _read_as(word: str) -> Any:
    """Return a parameter of a stage: a number, or a text."""
    try:
        return float(word) if "." in word else int(word)
    except ValueError:
        return word


def line(name: str, told: dict[str, float], ratio: float = 0.0, aim: str = "", missed: bool = False) -> None:  # fmt: skip
    said = f"{ratio:>8.2f}  {aim}{', missed' if missed else ''}" if aim else ""
    print(f"{name:<34}{told['seconds']:>9.2f} s{told['peak']:>8.0f} MiB{said}", flush=True)


def main() -> int:
    """Measure, print, and exit 1 when an aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet")
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--latency", type=float, default=0.08)
    parser.add_argument("--stage", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.stage:
        name, *given = asked.stage
        with tempfile.TemporaryDirectory() as folder:
            told = STAGES[name](Path(folder), *map(_read_as, given))
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        most = peak() if name == "lead" else max(peak(), children)
        print(json.dumps({**told, "peak": most}))
        return 0
    missed = []

    def held(name: str, told: dict[str, float], ratio: float, most: float, of: str) -> None:
        missed.append(ratio > most)
        line(name, told, ratio, f"× {of} (aim: at most {most:g})", ratio > most)

    got = staged("collect", asked.latency)
    line("collect, first of a process", {**got, "seconds": got["first"]})
    held(
        "collect, those after it",
        got,
        got["seconds"] / got["floor"],
        1.5,
        f"its chain of {got['chain']:.0f} calls",
    )
    bare = {**got, "seconds": got["bare"]}
    line("  the same calls by boto3 alone", bare, got["bare"] / got["floor"], "× that chain")
    line("judge", staged("judge"))
    floor = staged("trivial")
    line("papermill and nbconvert", floor)
    got = staged("report")
    held("report, all notebooks", got, got["seconds"] / floor["seconds"], 1.0, "these two")
    one, two = (staged("lanes", asked.accounts, cores) for cores in (1, 2))
    line(f"{asked.accounts} accounts on one core", one)
    faster = one["seconds"] / two["seconds"]
    missed.append(faster < 1.8)
    line(f"{asked.accounts} accounts on two cores", two, faster, "× as fast (aim: at least 1.8)", faster < 1.8)  # fmt: skip
    few, many = (staged("lead", max(1, n)) for n in (asked.accounts // 10, asked.accounts))
    line(f"leading {max(1, asked.accounts // 10)} accounts", few)
    held(f"leading {asked.accounts} accounts", many, many["peak"] / few["peak"], 1.1, "that memory")
    return int(any(missed))


if __name__ == "__main__":
    sys.exit(main())
