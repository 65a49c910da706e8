"""Scheduled runs: the file, what a run leaves, and what happens to one that is refused or killed."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from auditlib import history
from auditlib.aws import collect as collecting
from auditlib.aws.collect import Collected
from auditlib.cli import main
from auditlib.errors import ParameterError
from auditlib.fleet import Interrupted, _lock, run
from auditlib.schedule import config_of
from auditlib.snapshot import Manifest, load, verify
from tests.accounts import REGION, small_account
from tests.pages import page
from tests.standin import ACCOUNT

OTHER = "444455556666"
FIRST, SECOND = (datetime(2026, 11, day, 3, tzinfo=UTC) for day in (20, 21))


def written(folder, text: str):
    path = folder / "runs.yaml"
    path.write_text(text, "utf-8")
    return path


def plain(folder, *more: str, account: str = ACCOUNT):
    lines = [
        "output: out",
        "history: history",
        f"regions: [{REGION}]",
        'notebooks: ["50"]',
        "accounts:",
        f'  - account: "{account}"',
    ]
    return written(folder, "\n".join([*lines, *more]) + "\n")


# -- the file -------------------------------------------------------------------------------------

GOOD = f"""output: out
accounts:
  - account: "{ACCOUNT}"
    regions: [eu-west-1]
"""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("output: out\n", "runs.yaml:1: the file lacks accounts, an organization or profiles"),
        (GOOD + "regoins: [x]\n", 'runs.yaml:5: There is no key called "regoins". Did you mean'),
        (GOOD + "output: again\n", "runs.yaml:5: output is given twice"),
        (GOOD + "fail_on: dire\n", "runs.yaml:5: fail_on must be one of"),
        (GOOD + "trail: 91\n", "runs.yaml:5: trail must be a number of days from 1 to 90"),
        (GOOD + "trail: week\n", "runs.yaml:5: trail must be a number of days"),
        (GOOD + "language: fr\n", "runs.yaml:5: language must be one of"),
        (GOOD + 'notebooks: ["00", "99"]\n', "runs.yaml:5: there is no notebook 99"),
        (GOOD + "history: gs://bucket/x\n", "runs.yaml:5: gs://bucket/x is no folder"),
        (GOOD + "history: s3://Bucket/x\n", "runs.yaml:5: s3://Bucket/x names no place in S3"),
        (GOOD + "history: s3://bucket/../x\n", "runs.yaml:5: .* names no place in S3"),
        (GOOD + "accepted: s3://bucket/x\n", "runs.yaml:5: s3://bucket/x is no folder"),
        (GOOD.replace(f'"{ACCOUNT}"', "1234"), "runs.yaml:3: account must be twelve digits"),
        (
            GOOD.replace("regions: [eu-west-1]", "profile: a"),
            "runs.yaml:3: account .* has no regions",
        ),
        (GOOD.replace("[eu-west-1]", "eu-west-1"), "runs.yaml:4: a list is wanted here"),
        (GOOD + "    external_id: x\n", "runs.yaml:5: external_id goes with role_arn"),
        (GOOD + "    all_regions: true\n", "runs.yaml:4: give regions or all_regions"),
        (GOOD + "    all_regions: maybe\n", "runs.yaml:5: all_regions must be true or false"),
        (GOOD + f'  - account: "{ACCOUNT}"\n    regions: [a]\n', "runs.yaml:5: .* named twice"),
        (GOOD + "x: [\n", "runs.yaml:6: no YAML"),
        ("- a\n", "runs.yaml:1: the file must be a list of KEY: VALUE"),
        ("output: out\naccounts: []\n", "runs.yaml:2: accounts names none"),
        ("", "runs.yaml: the file must be"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, why):
    with pytest.raises(ParameterError, match=why):
        config_of(written(tmp_path, text))
    shown = CliRunner().invoke(main, ["run", str(tmp_path / "runs.yaml"), "--check-only"])
    assert shown.exit_code == 2
    assert shown.stderr.count("\n") == 1


def test_folders_are_seen_from_the_file(tmp_path):
    config = config_of(plain(tmp_path, "    role_arn: arn:aws:iam::111122223333:role/audit"))
    assert config.output == (tmp_path / "out").resolve()
    assert config.history == (tmp_path / "history").resolve()
    assert config.accounts[0].regions == (REGION,)
    assert config.accounts[0].role_arn == "arn:aws:iam::111122223333:role/audit"


# -- a run ----------------------------------------------------------------------------------------


def ran(aws, config, moment=FIRST):
    lines: list[dict] = []
    status = run(config, endpoint_url=aws.url, clock=lambda: moment, told=lines.append)
    return status, lines


def test_two_runs_with_a_change_between_report_it_and_a_refused_account_stops_nothing(
    aws, tmp_path, monkeypatch
):
    monkeypatch.setitem(collecting.PAUSES, "cloudtrail", 0.0)
    made = small_account(aws)
    role = f"arn:aws:iam::{OTHER}:role/audit"
    more = (f'  - account: "{OTHER}"', f"    role_arn: {role}", "trail: 8")
    config = config_of(plain(tmp_path, *more))
    aws.deny("sts", "assume-role")
    status, (first, refused) = ran(aws, config)
    assert status == 3
    assert (first["account"], first["status"], first["compared_with"]) == (ACCOUNT, "done", None)
    assert (refused["account"], refused["status"], refused["exit"]) == (OTHER, "failed", 3)
    assert role in refused["error"]
    home = tmp_path / "out" / ACCOUNT
    assert (home / "latest").read_text() == "2026-11-20\n"
    assert not (tmp_path / "out" / OTHER / "latest").exists()

    aws.client("ec2", REGION).authorize_client_vpn_ingress(
        ClientVpnEndpointId=made.endpoints[0],
        TargetNetworkCidr="10.0.99.0/24",
        AuthorizeAllGroups=True,
    )
    asked = {
        "ClientVpnEndpointId": made.endpoints[0],
        "TargetNetworkCidr": "10.0.99.0/24",
        "AuthorizeAllGroups": True,
    }
    aws.write_event(
        "AuthorizeClientVpnIngress",
        datetime.now(UTC),
        requestParameters={"AuthorizeClientVpnIngressRequest": asked},
    )
    _, (second, _) = ran(aws, config, SECOND)
    assert second["compared_with"] == "2026-11-20"
    assert second["changes"]["new"] >= 1
    assert (home / "latest").read_text() == "2026-11-21\n"
    text = page(
        (tmp_path / "out" / second["report"]).with_name("50-what-changed.html").read_text("utf-8")
    ).words
    assert "10.0.99.0/24" in text
    assert "alice (AuthorizeClientVpnIngress)" in text
    assert verify(home / "2026-11-21" / "snapshot") == ()
    runs = history.runs(config.history)
    assert list(runs["run"]) == [
        load(home / d / "snapshot").digest for d in ("2026-11-20", "2026-11-21")
    ]


def test_a_run_repeated_on_the_same_day_asks_aws_nothing_and_says_the_same(aws, tmp_path):
    small_account(aws)
    config = config_of(plain(tmp_path, "fail_on: low"))
    once = ran(aws, config)
    asked = len(aws.calls)
    assert once[0] == 1
    assert ran(aws, config) == once
    assert len(aws.calls) == asked
    assert len(history.runs(config.history)) == 1


def test_credentials_of_another_account_are_refused_and_leave_no_snapshot(aws, tmp_path):
    small_account(aws)
    config = config_of(plain(tmp_path, account=OTHER))
    status, (summary,) = ran(aws, config)
    assert status == 3
    assert ACCOUNT in summary["error"]
    assert not (tmp_path / "out" / OTHER / "2026-11-20" / "snapshot").exists()


def test_one_output_has_one_run_at_a_time(aws, tmp_path):
    config = config_of(plain(tmp_path))
    with _lock(config.output):
        with pytest.raises(ParameterError, match="another run works on"):
            ran(aws, config)
        shown = CliRunner().invoke(main, ["run", str(tmp_path / "runs.yaml")])
        assert shown.exit_code == 2
        assert "another run works on" in shown.stderr.splitlines()[-1]
    assert aws.calls == ()


def test_a_collection_ended_by_ctrl_c_is_no_run(aws, tmp_path, monkeypatch):
    small_account(aws)
    config = config_of(plain(tmp_path))

    def pressed(*_, **__):
        return Collected(manifest=Manifest(), interrupted=True)

    with monkeypatch.context() as patched:
        patched.setattr("auditlib.aws.collect.collect", pressed)
        with pytest.raises(Interrupted):
            ran(aws, config)
    assert not list((tmp_path / "out").rglob("run.json"))
    status, (summary,) = ran(aws, config)
    assert (status, summary["status"]) == (0, "done")


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_run_that_was_killed_goes_on_where_it_stopped(aws, tmp_path):
    small_account(aws)
    command = [
        sys.executable,
        "-m",
        "auditlib.cli",
        "run",
        plain(tmp_path),
        "--endpoint-url",
        aws.url,
    ]
    environment = {**os.environ, **aws.environment}
    started = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    manifests = tmp_path / "out" / ACCOUNT
    for _ in range(1200):
        if list(manifests.glob("*/snapshot/manifest.json")):
            break
        time.sleep(0.1)
    started.send_signal(signal.SIGKILL)
    started.communicate()
    assert started.returncode == -signal.SIGKILL
    assert not list(manifests.glob("*/run.json"))
    described = [call for call in aws.calls if call.operation.startswith("Describe")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    summary = json.loads(line)
    assert summary["status"] == "done"
    assert [call for call in aws.calls if call.operation.startswith("Describe")] == described
    assert verify(tmp_path / "out" / summary["snapshot"]) == ()
    assert len(history.runs(tmp_path / "history")) == 1
    events = [json.loads(text) for text in done.stderr.splitlines()]
    assert [event["event"] for event in events] == ["reporting", "done"]
    assert {event["account"] for event in events} == {ACCOUNT}
