"""Nothing of the auditor's machine or credentials is in anything the kit writes, and nothing is sent.

A whole audit is made in processes whose environment is marked and whose every connection is noted.
"""

import base64
import io
import json
import os
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet
import pypdf
import pytest
from click.testing import CliRunner

from auditlib.cli import main
from auditlib.snapshot import save
from tests.accounts import REGION, small_account
from tests.report_worlds import MOMENT
from tests.standin import ACCOUNT, StandIn
from tests.worlds import World

ROOT = Path(__file__).resolve().parent.parent
MARK = "zqxmarkoftheauditor"
BUCKET = "example-audits"
KIT = [sys.executable, "-c", "from auditlib.cli import main; main()"]

NOTE = """
import os, platform, socket, sys
socket.gethostname = platform.node = lambda: os.environ["HOSTNAME"]
def note(event, arguments):
    if event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"}:
        with open(os.environ["CONNECTIONS"], "a") as file:
            file.write(f"{event} {arguments[-1] if event == 'socket.connect' else arguments[:2]}\\n")
sys.addaudithook(note)
"""
"""Python starts with this (``sitecustomize``) in each process of the kit, its kernels too."""


@pytest.fixture(scope="module")
def audited(
    _standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, list[bytes]], dict[str, list[str]]]:
    """Return all that a whole audit wrote and printed, unpacked, and the connections of each command."""
    _standin.reset()
    small_account(_standin)
    _standin.deny("logs")  # so that an error text of AWS's is told too
    _standin.client("s3", REGION).create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    base = tmp_path_factory.mktemp(f"{MARK}-place")
    home = base / f"{MARK}-home"
    home.mkdir()
    (base / "hook").mkdir()
    (base / "hook" / "sitecustomize.py").write_text(NOTE, "utf-8")
    environment = {
        **{name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ},
        **_standin.environment,
        # An account is told from a key's first letters; the rest is secret.
        "AWS_ACCESS_KEY_ID": f"{MARK}KEYID",
        "AWS_SECRET_ACCESS_KEY": f"{MARK}SECRET",
        "AWS_SESSION_TOKEN": f"{MARK}TOKEN",
        "HOME": str(home),
        "USER": f"{MARK}user",
        "LOGNAME": f"{MARK}user",
        "USERNAME": f"{MARK}user",
        "HOSTNAME": f"{MARK}host",
        "SOME_TOKEN": f"{MARK}environment",
        "TMPDIR": str(base),
        "PYTHONPATH": f"{base / 'hook'}{os.pathsep}{ROOT}",
    }
    environment.pop("AWS_ENDPOINT_URL")
    found: dict[str, bytes] = {}
    connections: dict[str, list[str]] = {}

    def run(*arguments: str) -> None:
        noted = base / f"connections-{len(connections)}"
        made = subprocess.run(
            [*KIT, *arguments],
            cwd=base,
            env={**environment, "CONNECTIONS": str(noted)},
            capture_output=True,
            check=False,
        )
        assert made.returncode in {0, 1, 3}, made.stderr.decode()
        command = " ".join(arguments)
        connections[command] = noted.read_text("utf-8").splitlines() if noted.exists() else []
        # The terminal is the auditor's own: it may name the place that was asked for.
        printed = (made.stdout + made.stderr).replace(str(base).encode(), b"")
        found[f"printed by {command}"] = printed

    url = ("--endpoint-url", _standin.url)
    (base / "runs.yaml").write_text(
        f"output: s3://{BUCKET}/runs\nhistory: s3://{BUCKET}/history\nregions: [{REGION}]\n"
        f"accounts: ['{ACCOUNT}']\nnotebooks: []\nexports: [xlsx, ocsf]\n",
        "utf-8",
    )
    run("permissions", "--region", REGION, *url)
    run("collect", "--region", REGION, "--out", "snapshot", *url)
    run("check", "snapshot", "--format", "json")
    run("tables", "snapshot", "--export", "tables", "--format", "parquet")
    run("preview", "snapshot", "--fix", "default-sg-has-rules", "--out", "plan")
    run("export", "snapshot", "--out", "exports")
    run("report", "snapshot", "--out", "out", "--notebook", "00", "--pdf")
    run("run", "runs.yaml", *url)
    for folder in ("snapshot", "tables", "plan", "exports", "out"):
        for path in (base / folder).rglob("*"):
            if path.is_file():
                found[path.relative_to(base).as_posix()] = path.read_bytes()
    bucket = _standin.client("s3", REGION)
    for one in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]:
        held = bucket.get_object(Bucket=BUCKET, Key=one["Key"])
        found[f"s3 {one['Key']}"] = held["Body"].read() + json.dumps(held["Metadata"]).encode()
    return {name: list(unpacked(name, data)) for name, data in found.items()}, connections


@pytest.fixture
def standin_address(_standin: StandIn) -> str:
    return _standin.url


def unpacked(name: str, data: bytes) -> Iterator[bytes]:
    """Yield a file and whatever is packed in it."""
    yield data
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            for part in parts.namelist():
                yield parts.read(part)
    elif data.startswith(b"PAR1"):
        table = pyarrow.parquet.read_table(io.BytesIO(data.removesuffix(b"{}")))
        yield repr((table.schema.metadata, table.to_pylist())).encode()
    elif data.startswith(b"%PDF"):
        read = pypdf.PdfReader(io.BytesIO(data))
        yield repr(read.metadata).encode()
        for number in range(1, len(read.xref_objStm) + len(read.xref.get(0, {})) + 1):
            held = read.get_object(number)
            yield repr(held).encode()
            if isinstance(held, pypdf.generic.StreamObject):
                yield held.get_data()


def test_no_credential_path_name_or_environment_value_is_in_any_output(audited):
    outputs, _ = audited
    for end in (
        ".ipynb", ".html", "manifest.json", ".pdf", ".xlsx", ".parquet", ".sh", "main.tf", "run.json",
        "s3 runs/overview/latest", ".junit.xml",
    ):  # fmt: skip
        assert any(name.endswith(end) for name in outputs), end
    mark = MARK.encode()
    # Inside a picture or a data: address too, whichever of three ways the letters fall.
    hidden = [base64.b64encode(b" " * shift + mark)[4:-4] for shift in range(3)]
    for name, parts in outputs.items():
        for part in parts:
            assert mark not in part.lower(), name
            assert not [one for one in hidden if len(one) > 3 and one in part], name


def test_no_path_of_the_interpreter_or_the_kit_is_in_any_file(audited):
    traces = [sys.prefix.encode(), str(ROOT).encode()]
    for name, parts in audited[0].items():
        for part in parts:
            assert not [trace for trace in traces if trace in part], name


def test_a_mark_inside_a_workbook_a_table_or_a_pdf_would_be_found(tmp_path):
    import pyarrow
    from xlsxwriter import Workbook

    with Workbook(tmp_path / "a.xlsx") as book:
        book.set_properties({"author": MARK})
    pyarrow.parquet.write_table(pyarrow.table({"a": [MARK]}), tmp_path / "a.parquet")
    writer = pypdf.PdfWriter()
    writer.add_metadata({"/Author": MARK})
    writer.write(tmp_path / "a.pdf")
    for path in tmp_path.iterdir():
        parts = list(unpacked(path.name, path.read_bytes()))
        assert any(MARK.encode() in part for part in parts), path.name


def test_nothing_but_what_reads_aws_opens_a_connection(audited, standin_address):
    """And that to the address it was given: no telemetry, no update check, nothing else."""
    place = urlsplit(standin_address)
    talking = ("permissions", "collect", "run")
    for command, noted in audited[1].items():
        if command.split()[0] not in talking:
            assert noted == [], command
            continue
        assert noted, command
        for line in noted:
            assert re.search(rf"{re.escape(str(place.hostname))}['\"]?, {place.port}\b", line), line


ELSEWHERE = {"demo", "lab"}
"""A report on the sample, and a server of JupyterLab's, which ``engagement.lab_command`` keeps from asking."""

OFFLINE = [
    ("accept", "{s}", "connection-logging-is-off", "*", "--reason", "a", "--owner", "b", "--until",
     "2999-01-01", "--file", "{out}.yaml"),
    ("checks",),
    ("collect", "--script", "--region", REGION),
    ("controls", "{s}"),
    ("diff", "{s}", "{s}"),
    ("explain", "{s}", "--endpoint", "bare", "--to", "10.0.1.5", "--port", "22"),
    ("find", "{s}", "bare"),
    ("history", "{out}", "{s}"),
    ("new", "client", "--out", "{out}"),
    ("reach", "{s}"),
    ("redact", "{s}", "--out", "{out}.zip"),
    ("verify", "{s}"),
]  # fmt: skip


@pytest.mark.parametrize("words", OFFLINE, ids=lambda words: words[0])
def test_a_command_that_reads_files_opens_no_connection(tmp_path, monkeypatch, words):
    opened: list[object] = []

    def noted(*what: object, **_: object) -> None:
        opened.append(what)
        raise OSError("no network")

    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, noted)
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, noted)
    world = World()
    world.endpoint(world.vpc(), name="bare", logging=False)
    save(world.snapshot(**MOMENT), tmp_path / "s")
    filled = [word.format(s=tmp_path / "s", out=tmp_path / "out") for word in words]
    told = CliRunner().invoke(main, filled)
    assert told.exit_code in {0, 1, 3}, told.output
    assert opened == []


def test_every_command_is_looked_at(audited):
    looked_at = {command.split()[0] for command in audited[1]} | {words[0] for words in OFFLINE}
    assert looked_at | ELSEWHERE == set(main.commands)
