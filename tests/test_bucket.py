"""Output and history in S3: the same as in folders, whole or not at all, one run at a time."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditlib import history, mirror
from auditlib.audit import open_audit
from auditlib.aws import bucket as buckets
from auditlib.aws.bucket import ACTIONS, EXPIRES, LOCK, Bucket, _Lock, lock
from auditlib.aws.collect import Collected, collect
from auditlib.cli import main
from auditlib.errors import AuditError, AwsError, ParameterError, SnapshotError
from auditlib.fleet import run
from auditlib.prefix import Prefix, prefix_of
from auditlib.schedule import Account, config_of
from auditlib.snapshot import load, save, write_file
from auditlib.visit import Interrupted, Visit
from tests.accounts import REGION, small_account
from tests.standin import ACCOUNT
from tests.test_fleet import FIRST, OTHERS, SECOND, inline, opened, populated, role, visited
from tests.worlds import clean

DOCS = Path(__file__).resolve().parent.parent / "docs"
NAME = "example-audits"
PLACE = Prefix(bucket=NAME, path="client a/監査+1")
PAST = Prefix(bucket=NAME, path="history")


@pytest.fixture
def s3(aws):
    buckets._client.cache_clear()  # its credentials are those of another test
    client = aws.client("s3", REGION)
    client.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("client a/監査+12/other", "other/latest", ".lock"):
        client.put_object(Bucket=NAME, Key=key, Body=b"not ours")
    yield aws
    left = held(aws)
    others = {key for key, data in left.items() if data == b"not ours"}
    assert others == {"client a/監査+12/other", "other/latest", ".lock"}
    beside = (PLACE.key(""), PAST.key(""))
    assert {key for key in left if not key.startswith(beside)} == others


def held(aws, place: Prefix | None = None) -> dict[str, bytes]:
    """Return the objects of the bucket, or of a prefix of it by their names there."""
    client = aws.client("s3", REGION)
    start = place.key("") if place else ""
    return {
        entry["Key"].removeprefix(start): client.get_object(Bucket=NAME, Key=entry["Key"])[
            "Body"
        ].read()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=NAME, Prefix=start)
        for entry in page.get("Contents", ())
    }


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def written(folder: Path, *accounts: str, output="out", past="history", more=()):
    folder.mkdir(exist_ok=True)
    path = folder / "runs.yaml"
    lines = [
        f"output: '{output}'",
        f"history: '{past}'",
        f"regions: [{REGION}]",
        "notebooks: []",
        "exports: [json]",
        f"accounts: {json.dumps(accounts)}",
        *more,
    ]
    if accounts != (ACCOUNT,):
        lines.append(f"role_arn: '{role('{account}')}'")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return config_of(path)


def ran(aws, config, moment=FIRST, **more):
    told: list[dict] = []
    more = more or {"executors": inline()}
    status = run(config, endpoint_url=aws.url, clock=lambda: moment, told=told.append, **more)
    return status, told


def away(folder: Path, *accounts: str, **more):
    return written(folder, *accounts, output=PLACE, past=PAST, **more)


# -- what a run leaves ----------------------------------------------------------------------------


def test_two_runs_with_a_change_between_leave_in_s3_what_they_leave_in_folders(
    s3, tmp_path, monkeypatch
):
    accounts = OTHERS[:2]
    endpoint = populated(s3, accounts[0])
    s3.deny("sts", "assume-role", resource=role(accounts[1]))
    here, there = written(tmp_path / "here", *accounts), away(tmp_path / "there", *accounts)
    local = tmp_path / "here" / "out"
    collected = []

    def same(snapshot, **more):
        """Give what the run in folders was given, its times too."""
        collected.append(snapshot)
        given = local.joinpath(*snapshot.parts[-3:])
        if not given.exists():
            return collect(snapshot, **more)
        shutil.copytree(given, snapshot)
        return Collected(manifest=load(snapshot).manifest)

    for moment in (FIRST, SECOND):
        status, told = ran(s3, here, moment)
        with monkeypatch.context() as patched:
            patched.setattr("auditlib.aws.collect.collect", same)
            assert ran(s3, there, moment) == (status, told)
        if moment == FIRST:
            opened(s3, accounts[0], endpoint)
    assert [summary["status"] for summary in told] == ["done", "failed"]
    assert told[0]["changes"]["new"]
    assert held(s3, PLACE) == files(local)
    past = held(s3, PAST)
    assert past == files(tmp_path / "here" / "history")
    assert len(past) == 2
    # They were read and judged in folders that are gone, of which nothing tells.
    assert len(collected) == 4
    objects = held(s3)
    for folder in {path.parents[3] for path in collected}:
        assert not folder.exists()
        assert not [n for n, data in objects.items() if folder.name.encode() in data]
    client = s3.client("s3", REGION)
    shown = client.head_object(Bucket=NAME, Key=PLACE.key(told[0]["report"]))
    assert shown["ContentType"] == "text/html; charset=utf-8"


def test_a_repeated_run_asks_nothing_but_s3_and_says_the_same(s3, tmp_path):
    small_account(s3)
    config = away(tmp_path, ACCOUNT, more=("fail_on: low",))
    once = ran(s3, config)
    left, asked = held(s3), [call for call in s3.calls if call.service != "s3"]
    assert once[0] == 1
    assert ran(s3, config) == once
    assert [call for call in s3.calls if call.service != "s3"] == asked
    again = held(s3)
    for name in set(left) | set(again):
        if not name.endswith("overview/2026-11-20/accounts.json"):
            assert left[name] == again[name], name
    # What the documents ask for is enough, and all of it is needed.
    assert {call.action for call in s3.calls if call.service == "s3"} == set(ACTIONS)


def test_a_history_in_s3_has_the_run_before_a_run_in_a_folder_counts_as_done(
    s3, tmp_path, monkeypatch
):
    small_account(s3)
    config = written(tmp_path, ACCOUNT, past=PAST)
    s3.deny("s3", "put-object")
    status, (summary,) = ran(s3, config)
    assert (status, summary["status"]) == (3, "failed")
    assert "s3:PutObject" in summary["error"]
    assert not list((tmp_path / "out").rglob("run.json"))
    s3.forget()
    status, (summary,) = ran(s3, config)
    assert (status, summary["status"]) == (0, "done")
    (name,) = held(s3, PAST)
    assert name.startswith(f"{ACCOUNT}/")
    (tmp_path / "past").mkdir()
    Bucket(place=PAST, endpoint_url=s3.url).fetch([name], tmp_path / "past")
    assert list(history.runs(tmp_path / "past")["run"]) == [summary["digest"]]


# -- killed ---------------------------------------------------------------------------------------


class Killed(BaseException):
    """What a process that is killed does not see either."""


@pytest.fixture
def small_visit(s3, monkeypatch) -> Visit:
    """Return a visit that reads and reports in no time."""

    def read(visit: Visit) -> None:
        snapshot = visit.folder / "snapshot"
        if not (snapshot / "manifest.json").exists():
            for name in ("a.json", "é/b.json", "manifest.json"):
                write_file(snapshot / name, f"{visit.date} {name}".encode())

    def reported(visit: Visit, before_done) -> dict:
        assert len(list((visit.folder / "snapshot").rglob("*.json"))) == 3
        last = [path.parent.name for path in visit.home.glob("*/run.json")]
        for name in ("report/index.html", "report/a b.html", "exports/x.json", "findings.parquet"):
            write_file(visit.folder / name, name.encode())
        write_file(visit.own_history / f"{visit.date}.parquet", b"rows")
        before_done()
        summary = {**visit.head, "last": last}
        write_file(visit.folder / "run.json", json.dumps(summary).encode())
        return summary

    monkeypatch.setattr("auditlib.visit.read", read)
    monkeypatch.setattr("auditlib.visit.reported", reported)
    return Visit(
        account=Account(account=ACCOUNT),
        output=PLACE,
        history=PAST,
        date="2026-11-21",
        endpoint_url=s3.url,
    )


def test_an_upload_killed_anywhere_counts_as_no_run_and_is_done_again(s3, small_visit, monkeypatch):
    earlier = replace(small_visit, date="2026-11-20")
    mirror.read(earlier)
    mirror.reported(earlier)
    client = s3.client("s3", REGION)
    day = f"{ACCOUNT}/2026-11-21"
    for key in ("report/stale.html", "snapshot/stale.json"):
        client.put_object(Bucket=NAME, Key=PLACE.key(f"{day}/{key}"), Body=b"of a killed run")
    real, left, guard = Bucket._asked, [0], threading.Lock()

    def asked(self, operation, name, **more):
        if operation in {"put_object", "delete_object"}:
            with guard:
                left[0] -= 1
                if left[0] < 0:
                    raise Killed
        return real(self, operation, name, **more)

    monkeypatch.setattr(Bucket, "_asked", asked)
    killed, summary = 0, None
    while summary is None:
        left[0] = killed
        try:
            summary = mirror.kept(small_visit)
            if summary is None:
                mirror.read(small_visit)
                summary = mirror.reported(small_visit)
        except Killed:
            killed += 1
        left[0] = 99
        there = held(s3, PLACE)
        if f"{day}/run.json" in there:  # then the whole day is there
            assert {n for n in there if n.startswith(day)} == {
                f"{day}/{name}"
                for name in (
                    "snapshot/a.json", "snapshot/é/b.json", "snapshot/manifest.json",
                    "report/index.html", "report/a b.html", "exports/x.json",
                    "findings.parquet", "run.json",
                )
            }  # fmt: skip
        elif f"{day}/snapshot/manifest.json" in there:
            assert f"{day}/snapshot/é/b.json" in there
            assert f"{day}/snapshot/stale.json" not in there
    assert killed > 5
    assert summary == {**small_visit.head, "last": ["2026-11-20"]}
    assert held(s3, PLACE)[f"{ACCOUNT}/latest"] == b"2026-11-21\n"
    assert set(held(s3, PAST)) == {f"{ACCOUNT}/2026-11-{d}.parquet" for d in (20, 21)}


def test_a_run_killed_between_its_summary_and_the_pointer_is_pointed_to_when_run_again(
    s3, small_visit
):
    mirror.read(small_visit)
    mirror.reported(small_visit)
    client = s3.client("s3", REGION)
    client.put_object(Bucket=NAME, Key=PLACE.key(f"{ACCOUNT}/latest"), Body=b"2026-11-20\n")
    assert mirror.kept(small_visit) == {**small_visit.head, "last": []}
    assert held(s3, PLACE)[f"{ACCOUNT}/latest"] == b"2026-11-21\n"


def test_a_run_that_is_forgotten_in_a_history_is_gone_in_s3_too(s3, small_visit, monkeypatch):
    mirror.read(small_visit)
    mirror.reported(small_visit)
    seen = []

    def reported(visit: Visit, before_done) -> dict:
        seen.append((visit.folder / "findings.parquet").read_bytes())
        (former,) = visit.own_history.iterdir()
        former.unlink()
        write_file(visit.own_history / "again.parquet", b"rows")
        before_done()
        return visit.head

    monkeypatch.setattr("auditlib.visit.reported", reported)
    mirror.reported(small_visit)
    assert seen == [b"findings.parquet"]
    assert set(held(s3, PAST)) == {f"{ACCOUNT}/again.parquet"}


def test_the_documented_rights_are_enough(s3, small_visit):
    statements = json.loads((DOCS / "iam" / "bucket.json").read_text("utf-8"))["Statement"]
    s3.allow_only(*statements[0]["Action"], statements[1]["Action"])
    with lock(here_of(s3)):
        mirror.read(small_visit)
        mirror.reported(small_visit)
        mirror.reported(small_visit)  # takes away and puts there again
        assert mirror.kept(small_visit)
    assert {call.action for call in s3.calls} == set(ACTIONS)


@pytest.mark.parametrize("failed", [0, 1])
def test_a_day_whose_calls_did_not_all_get_through_is_no_complete_one(s3, small_visit, failed):
    mirror.read(small_visit)
    mirror.reported(small_visit)
    name = f"{ACCOUNT}/2026-11-21/run.json"
    output = Bucket(place=PLACE, endpoint_url=s3.url)
    summary = {**small_visit.head, "read_again": failed}
    output.write(name, json.dumps(summary).encode())
    assert mirror.kept(small_visit) == (None if failed else summary)
    assert (output.read(name) is None) == bool(failed)


def test_what_ctrl_c_left_of_a_collection_is_gone_on_with(s3, small_visit, monkeypatch):
    seen = []

    def interrupted(visit: Visit) -> None:
        seen.append(files(visit.folder) if visit.folder.exists() else {})
        for name in ("half.json", "manifest.json"):
            write_file(visit.folder / "snapshot" / name, b"half")
        raise Interrupted

    monkeypatch.setattr("auditlib.visit.read", interrupted)
    for _ in range(2):
        with pytest.raises(Interrupted):
            mirror.read(small_visit)
    assert seen == [{}, {"snapshot/half.json": b"half", "snapshot/manifest.json": b"half"}]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_run_that_was_killed_goes_on_when_its_lock_is_gone(s3, tmp_path):
    small_account(s3)
    away(tmp_path, ACCOUNT)
    command = [sys.executable, "-m", "auditlib.cli", "run", str(tmp_path / "runs.yaml")]
    environment = {**os.environ, **s3.environment}  # the address is told by the environment
    started = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    for _ in range(1200):
        if any(name.endswith("snapshot/manifest.json") for name in held(s3, PLACE)):
            break
        time.sleep(0.1)
    started.send_signal(signal.SIGKILL)
    started.communicate()
    assert started.returncode == -signal.SIGKILL
    described = [call for call in s3.calls if call.operation.startswith("Describe")]
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert f"another run works on {PLACE}" in line
    assert f"aws s3 rm 's3://{NAME}/{PLACE.key(LOCK)}'" in line
    s3.client("s3", REGION).delete_object(Bucket=NAME, Key=PLACE.key(LOCK))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["status"] == "done"
    assert [call for call in s3.calls if call.operation.startswith("Describe")] == described
    there = held(s3, PLACE)
    assert {summary["report"], f"{ACCOUNT}/latest", "overview/latest"} <= set(there)
    assert LOCK not in there


# -- read by other commands ----------------------------------------------------------------------


def command(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_a_snapshot_and_a_history_in_s3_are_read_as_those_in_folders_are(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    here = tmp_path / "here" / "snapshot"
    save(clean().snapshot(), here)
    save(load(here), tmp_path / "here" / "s.zip")
    history.append(tmp_path / "here" / "past", open_audit(here))
    Bucket(place=PLACE).send(tmp_path / "here", files(tmp_path / "here"))
    for words in (("check", "--format", "json"), ("reach", "--format", "csv")):
        first, *more = words
        told = command(first, here, *more)
        assert told.exit_code in {0, 1, 3}, told.output
        assert command(first, f"{PLACE}/snapshot/", *more).stdout == told.stdout
    zipped = command("verify", f"{PLACE}/s.zip")
    assert (
        zipped.stdout.split()[0] == command("verify", tmp_path / "here" / "s.zip").stdout.split()[0]
    )
    runs = command("history", f"{PLACE}/past", "--format", "json")
    assert runs.stdout == command("history", tmp_path / "here" / "past", "--format", "json").stdout
    assert json.loads(runs.stdout)
    told = command("diff", f"{PLACE}/snapshot", here, "--history", f"{PLACE}/past")
    assert told.exit_code == 0, told.output
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", f"{PLACE}/nothing"), f"nothing lies at {PLACE}/nothing"),
        (("check", "s3://x"), "names no place in S3"),
        (("history", f"{PLACE}/past", "snapshot"), "added to by auditlib run alone"),
        (
            ("report", f"{PLACE}/past", "--out", "s3://example-audits/out"),
            "must be a path on this machine",
        ),
        (("lab", f"{PLACE}/past", "--no-browser"), "must be a path on this machine"),
    ],
)
def test_what_cannot_be_read_from_s3_or_written_there_is_one_line(s3, monkeypatch, words, said):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    Bucket(place=PLACE).write("past/x.txt", b"x")
    told = command(*words)
    assert told.exit_code == 2
    assert said in " ".join(told.stderr.split())


def test_what_is_said_of_what_was_fetched_names_its_place_in_s3(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    save(clean().snapshot(), tmp_path / "snapshot")
    bucket = Bucket(place=PLACE)
    bucket.send(tmp_path, files(tmp_path))
    place = f"{PLACE}/snapshot"
    told = command("check", place)
    assert f"auditlib report {place} --out DIR" in told.stdout
    assert tempfile.gettempdir() not in told.output

    def refused(*words: object) -> str:
        told = command(*words)
        assert told.exit_code == 2, told.output
        assert tempfile.gettempdir() not in told.output
        return " ".join(told.stderr.split())

    bucket.write("damaged.zip", b"PK")
    assert f"{PLACE}/damaged.zip is not a zip file" in refused("check", f"{PLACE}/damaged.zip")
    bucket.write("snapshot/manifest.json", b"{")
    for word in ("check", "verify"):
        assert f"{place}: manifest.json is truncated" in refused(word, place)
    bucket.write(f"past/20261121T000000Z-{'0' * 16}.parquet", b"none")
    assert f"{PLACE}/past/2026" in refused("history", f"{PLACE}/past")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "x")

    monkeypatch.setattr(Bucket, "fetch", full)
    assert "name another one in TMPDIR" in refused("check", place)


# -- one run at a time ----------------------------------------------------------------------------


def here_of(s3) -> Bucket:
    return Bucket(place=PLACE, endpoint_url=s3.url)


def test_one_prefix_has_one_run_at_a_time_and_is_free_after_it(s3, tmp_path, monkeypatch):
    visited(monkeypatch)
    config = written(tmp_path, OTHERS[0], output=PLACE)
    with lock(here_of(s3)):
        about = json.loads(held(s3, PLACE)[LOCK])
        assert set(about) == {"run", "machine", "process", "since", "renewed"}
        with pytest.raises(ParameterError, match="another run works on") as refused:
            ran(s3, config)
        assert about["machine"] in str(refused.value)
        with lock(Bucket(place=PAST, endpoint_url=s3.url)):  # another output is another lock
            pass
    assert LOCK not in held(s3, PLACE)
    with pytest.raises(ZeroDivisionError), lock(here_of(s3)):
        raise ZeroDivisionError
    assert LOCK not in held(s3, PLACE)


def test_a_lock_nobody_renews_expires_by_the_clock_of_s3(s3):
    left = _Lock(here_of(s3))
    s3.switches.clock = datetime.now(UTC) - EXPIRES + timedelta(minutes=2)
    left.take()
    with pytest.raises(ParameterError, match="ends in 2 minutes by itself"):
        _Lock(here_of(s3)).take()
    s3.switches.clock = datetime.now(UTC) - EXPIRES - timedelta(minutes=1)
    left.renew()
    left.check()
    s3.switches.clock = None
    with lock(here_of(s3)) as check:
        left.renew()
        with pytest.raises(AwsError, match="has lost its lock"):
            left.check()
        left.release()
        check()
        assert LOCK in held(s3, PLACE)  # the other run's stays
    assert LOCK not in held(s3, PLACE)


def test_of_two_that_find_an_expired_lock_one_gets_it(s3, monkeypatch):
    s3.switches.clock = datetime.now(UTC) - 2 * EXPIRES
    _Lock(here_of(s3)).take()
    s3.switches.clock = None
    first, second = _Lock(here_of(s3)), _Lock(here_of(s3))
    both = threading.Barrier(2, timeout=20)
    real = Bucket._put

    def put(self, name, data, **more):
        if "IfMatch" in more:
            both.wait()  # until both have seen that it has expired
        return real(self, name, data, **more)

    monkeypatch.setattr(Bucket, "_put", put)
    with ThreadPoolExecutor(2) as pool:
        taking = [pool.submit(one.take) for one in (first, second)]
        errors = [one.exception() for one in taking]
    assert [type(error) for error in errors if error] == [ParameterError], errors


def test_a_put_whose_answer_was_lost_is_no_lock_of_another(s3):
    s3.cut("s3", "get-object", times=1)
    real, times = Bucket._put, []

    class Forgetful(Bucket):
        def _put(self, name, data, **more):
            times.append(1)
            etag = real(self, name, data, **more)
            return real(self, name, data, **more) if len(times) == 1 else etag

    with lock(Forgetful(place=PLACE, endpoint_url=s3.url)) as check:
        check()
    assert LOCK not in held(s3, PLACE)


def test_a_lock_that_another_was_in_the_way_of_is_kept(s3):
    held_one = _Lock(here_of(s3))
    held_one.take()
    s3.fail("s3", "put-object", code="ConditionalRequestConflict", status=409, times=1)
    held_one.renew()
    held_one.check()
    held_one.renew()
    held_one.check()
    assert json.loads(held(s3, PLACE)[LOCK])["renewed"] == 3
    held_one.release()
    assert LOCK not in held(s3, PLACE)


def test_what_is_no_lock_of_ours_is_a_lock_all_the_same(s3):
    here_of(s3).write(LOCK, b"[1]")
    with pytest.raises(ParameterError, match="another run works on"), lock(here_of(s3)):
        pass
    assert held(s3, PLACE)[LOCK] == b"[1]"


def test_a_lock_is_renewed_and_outlives_a_network_that_comes_back(s3, monkeypatch):
    monkeypatch.setattr(buckets, "RENEWED_EVERY", timedelta(milliseconds=20))
    with lock(here_of(s3)) as check:
        s3.deny("s3", "put-object", times=2)
        for _ in range(500):
            if json.loads(held(s3, PLACE)[LOCK])["renewed"] > 3:
                break
            time.sleep(0.02)
        assert json.loads(held(s3, PLACE)[LOCK])["renewed"] > 3
        check()


def test_a_run_that_lost_its_lock_ends(s3, tmp_path, monkeypatch):
    visited(monkeypatch)
    config = written(tmp_path, *OTHERS[:2], output=PLACE)

    with lock(here_of(s3)) as check:
        s3.client("s3", REGION).delete_object(Bucket=NAME, Key=PLACE.key(LOCK))
        check.__self__.renew()
        with pytest.raises(AwsError, match="deleted the lock"):
            check()
    monkeypatch.setattr(_Lock, "take", lambda self: setattr(self, "_is_lost", True))
    with pytest.raises(AwsError, match="has lost its lock"):
        ran(s3, config)
    assert not [name for name in held(s3, PLACE) if name.startswith("overview")]


# -- what goes wrong ------------------------------------------------------------------------------


def told(s3, folder: Path, **place) -> str:
    """Run the command; return the one line it says."""
    written(folder, ACCOUNT, **place)
    done = CliRunner().invoke(main, ["run", str(folder / "runs.yaml"), "--endpoint-url", s3.url])
    assert done.exit_code == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_a_bucket_that_cannot_be_used_is_one_line_and_nothing_is_read(s3, tmp_path, monkeypatch):
    assert "there is no bucket no-such-bucket" in told(s3, tmp_path, output="s3://no-such-bucket/x")
    s3.deny("s3", "put-object")
    line = told(s3, tmp_path, output=PLACE)
    assert all(action in line for action in ACTIONS)
    s3.forget()
    for code, said in (
        ("ExpiredToken", "the AWS credentials have expired (ExpiredToken): sign in again"),
        ("InvalidAccessKeyId", "AWS does not accept the credentials (InvalidAccessKeyId)"),
    ):
        s3.fail("s3", "put-object", code=code, message="m", status=403)
        assert said in told(s3, tmp_path, output=PLACE)
        s3.forget()
    s3.garble("s3")
    assert "s3 put-object" in told(s3, tmp_path, output=PLACE)
    s3.forget()
    s3.drop("s3")
    assert "nothing answers" in told(s3, tmp_path, output=PLACE)
    assert {call.service for call in s3.calls} <= {"s3"}
    s3.forget()
    buckets._client.cache_clear()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert "no AWS credentials found" in told(s3, tmp_path, output=PLACE)
    buckets._client.cache_clear()


def test_an_account_that_cannot_be_put_away_is_told_and_stops_no_other(s3, small_visit, tmp_path):
    accounts = OTHERS[:2]
    s3.deny("s3", "put-object", resource=PLACE.key(f"{accounts[0]}/2026-11-20/report/a b.html"))
    config = away(tmp_path, *accounts, more=("language: en",))
    work = [
        Visit(
            account=Account(account=account),
            output=config.output,
            history=config.history,
            date="2026-11-20",
            endpoint_url=s3.url,
        )
        for account in accounts
    ]
    told = []
    for visit in work:
        mirror.read(visit)
        try:
            told.append(mirror.reported(visit))
        except AwsError as error:
            told.append(str(error))
    assert told[1]["account"] == accounts[1]
    assert "report/a b.html was refused" in told[0]
    assert mirror.kept(work[0]) is None


def test_what_is_damaged_is_named_by_its_place_in_s3(s3, small_visit, monkeypatch):
    monkeypatch.undo()
    for name, value in s3.environment.items():
        if name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)
    snapshot = f"{ACCOUNT}/2026-11-21/snapshot"
    here_of(s3).write(f"{snapshot}/manifest.json", b"{")
    for half in (mirror.read, mirror.reported):
        with pytest.raises(SnapshotError) as told:
            half(small_visit)
        assert f"{PLACE}/{snapshot}" in str(told.value)
        assert tempfile.gettempdir() not in str(told.value)


def test_damaged_findings_are_named_by_their_place_on_the_way_to_the_page_over_all(s3):
    entry = {"account": ACCOUNT, "date": "2026-11-21", "status": "done"}
    name = f"{ACCOUNT}/2026-11-21/findings.parquet"
    here_of(s3).write(name, b"PAR1")
    with (
        pytest.raises(AuditError, match=re.escape(f"{PLACE}/{name} is no file of a history")),
        mirror.over_all(PLACE, "2026-11-21", [entry], s3.url) as folder,
    ):
        history.columns_of(folder / name, ["check"])
    assert set(held(s3, PLACE)) == {name}


def test_a_full_disk_is_no_bug_of_the_kit(s3, small_visit, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "x")

    monkeypatch.setattr("auditlib.visit.read", full)
    with pytest.raises(AuditError) as told:
        mirror.read(small_visit)
    assert "(No space left on device): make room" in str(told.value)


def test_a_download_that_breaks_off_is_begun_again(s3):
    bucket = here_of(s3)
    bucket.write("x", b"whole")
    s3.cut("s3", "get-object", times=2)
    assert bucket.read("x") == b"whole"
    s3.cut("s3", "get-object")
    with pytest.raises(AwsError, match="s3 get-object"):
        bucket.read("x")


def test_names_that_lead_out_of_a_folder_are_refused(s3, tmp_path):
    client = s3.client("s3", REGION)
    bucket = here_of(s3)
    for name in ("a/../../x", "a//x", "a/./x", "a/..\\x"):
        client.put_object(Bucket=NAME, Key=PLACE.key(name), Body=b"evil")
        with pytest.raises(AwsError, match="is no file of a run: delete it"):
            bucket.fetch(bucket.names("a"), tmp_path / "in")
        client.delete_object(Bucket=NAME, Key=PLACE.key(name))
    client.put_object(Bucket=NAME, Key=PLACE.key("a/"), Body=b"")  # what a console makes
    assert bucket.names("a") == []
    assert not (tmp_path / "in").exists()


def test_more_objects_than_one_page_holds_are_listed_and_sent(s3, tmp_path, monkeypatch):
    names = [f"many/{number}/é+%2F&=.json" for number in range(20)]
    for name in names:
        write_file(tmp_path / name, b"x")
    bucket = here_of(s3)
    bucket.send(tmp_path, names)
    real = Bucket._asked

    def asked(self, operation, name, **more):
        return real(self, operation, name, **more, MaxKeys=3)

    monkeypatch.setattr(Bucket, "_asked", asked)
    assert sorted(bucket.names("many")) == sorted(names)
    assert sorted(bucket.folders("many"), key=int) == [str(number) for number in range(20)]


@pytest.mark.parametrize(
    ("text", "bucket", "path"),
    [
        ("s3://abc", "abc", ""),
        ("s3://abc/", "abc", ""),
        ("s3://my.bucket-1/a b/é", "my.bucket-1", "a b/é"),
        ("s3://abc/a/", "abc", "a"),
    ],
)
def test_a_place_is_a_bucket_and_a_prefix(text, bucket, path):
    place = prefix_of(text)
    assert (place.bucket, place.path) == (bucket, path)
    assert prefix_of(str(place)) == place
    assert place.key("x") == (f"{path}/x" if path else "x")


@pytest.mark.parametrize(
    "text",
    [
        "s3://",
        "s3:///a",
        "s3://a",
        "s3://Abc/x",
        "s3://abc//x",
        "s3://abc/../x",
        "s3://abc/a\tb",
        "abc/x",
    ],
)
def test_what_is_no_place_is_refused(text):
    with pytest.raises(ParameterError, match=re.escape("write it as s3://BUCKET/PREFIX")):
        prefix_of(text)
