"""AWS at its worst: what comes of it is whole or a gap, in bounded time, and never "fine"."""

import shutil
import threading
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from auditlib.audit import Audit
from auditlib.aws import sessions
from auditlib.aws.collect import collect
from auditlib.aws.reads import READS
from auditlib.check import Status, audit, checks
from auditlib.errors import SnapshotError
from auditlib.gaps import reads_behind
from auditlib.snapshot import load, verify
from auditlib.tables import Tables
from tests.accounts import REGION, small_account
from tests.standin import StandIn
from tests.worlds import NOW

FINE = {Status.PASS, Status.NOT_APPLICABLE}


def records(snapshot):
    """Return how many records each call brought."""
    return {call.key: call.items for call in snapshot.calls}


def resting_on(action):
    reads = {read.id for read in READS if read.iam_action == action}
    return [made.id for made in checks() if reads & reads_behind(made.population, *made.needs)]


@pytest.mark.parametrize("fault", ["cut", "drop", "throttle", "fail"])
def test_a_fault_in_the_middle_of_the_pages_loses_no_page(aws: StandIn, tmp_path, fault):
    account = small_account(aws)
    aws.page_size = 3
    listed = {
        rule["SecurityGroupRuleId"]
        for rule in aws.client("ec2", REGION).describe_security_group_rules()["SecurityGroupRules"]
    }
    assert len(listed) > 2 * aws.page_size

    def strike() -> None:
        getattr(aws, fault)("ec2", "DescribeSecurityGroupRules", times=2)

    # After the first page, so that a later one is struck, twice.
    aws.after("ec2", "DescribeSecurityGroupRules", strike)
    collect(tmp_path / "s", regions=[REGION], endpoint_url=aws.url)
    snapshot = load(tmp_path / "s")
    assert {call.status for call in snapshot.calls} == {"ok"}
    rules = Tables(snapshot)["security_group_rules"]
    assert sorted(rules["rule_id"]) == sorted(listed)
    assert set(account.groups) <= set(rules["group_id"])


def test_an_answer_that_is_always_cut_is_a_gap_and_tried_a_bounded_number_of_times(
    aws: StandIn, tmp_path
):
    small_account(aws)
    aws.cut("ec2", "DescribeSecurityGroups")
    collect(tmp_path / "s", regions=[REGION], endpoint_url=aws.url)
    snapshot = load(tmp_path / "s")
    call = snapshot.call(aws.account, REGION, "ec2-describe-security-groups")
    assert (call.status, call.file) == ("failed", None)
    tried = Counter(made.operation for made in aws.calls)["DescribeSecurityGroups"]
    assert tried == int(aws.environment["AWS_MAX_ATTEMPTS"])


def test_a_storm_of_throttling_ends_and_concludes_nothing(aws: StandIn, tmp_path, monkeypatch):
    small_account(aws)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    for service in sorted({read.service for read in READS}):
        aws.throttle(service)
    collect(tmp_path / "s", regions=[REGION], endpoint_url=aws.url)
    snapshot = load(tmp_path / "s")
    assert {call.status for call in snapshot.calls} == {"failed"}
    assert max(Counter(call.operation for call in aws.calls).values()) <= 2
    assert {f.status for f in Audit(snapshot).findings} == {Status.NOT_ASSESSED}


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("acm:DescribeCertificate", "ResourceNotFoundException"),
        ("ec2:GetManagedPrefixListEntries", "InvalidPrefixListID.NotFound"),
        ("ec2:DescribeClientVpnTargetNetworks", "InvalidClientVpnEndpointId.NotFound"),
    ],
)
def test_what_vanishes_between_two_calls_is_a_gap_and_not_an_absence(
    aws: StandIn, tmp_path, action, code
):
    small_account(aws)
    service, operation = action.split(":")
    aws.fail(service, operation, code=code, message="gone", status=400)
    collect(tmp_path / "s", regions=[REGION], endpoint_url=aws.url)
    snapshot = load(tmp_path / "s")
    gone = [call for call in snapshot.calls if call.read.iam_action == action]
    assert {(call.status, call.error_code) for call in gone} == {("failed", code)}
    if touched := resting_on(action):
        found = audit(Tables(snapshot), only=touched)
        assert not FINE & {one.status for one in found}


def test_a_region_that_does_not_answer_does_not_hold_up_or_empty_another(aws: StandIn, tmp_path):
    other = "eu-west-1"
    small_account(aws)
    aws.drop("*", region=other)
    collect(tmp_path / "s", regions=[REGION, other], endpoint_url=aws.url)
    by_region = {
        region: {call.status for call in load(tmp_path / "s").calls if call.region == region}
        for region in (REGION, other)
    }
    assert by_region == {REGION: {"ok"}, other: {"failed"}}


def test_a_clock_that_is_set_back_meanwhile_changes_no_answer(aws: StandIn, tmp_path):
    small_account(aws)
    told = iter(range(10**6))

    def clock() -> datetime:
        return NOW - timedelta(hours=next(told))

    whole = collect(tmp_path / "whole", regions=[REGION], endpoint_url=aws.url).manifest
    collect(tmp_path / "s", regions=[REGION], endpoint_url=aws.url, clock=clock)
    manifest = load(tmp_path / "s").manifest
    assert verify(tmp_path / "s") == ()
    assert [(c.key, c.status, c.sha256) for c in manifest.calls] == [
        (c.key, c.status, c.sha256) for c in whole.calls
    ]
    assert {call.seconds for call in manifest.calls} == {0.0}


def test_a_call_that_aws_takes_for_an_old_one_is_a_gap(aws: StandIn, tmp_path):
    small_account(aws)
    aws.fail("ec2", "DescribeClientVpnRoutes", code="RequestExpired", status=400)
    collect(tmp_path / "s", regions=[REGION], endpoint_url=aws.url)
    snapshot = load(tmp_path / "s")
    late = [call for call in snapshot.calls if call.status != "ok"]
    assert {(call.read.iam_action, call.error_code) for call in late} == {
        ("ec2:DescribeClientVpnRoutes", "RequestExpired")
    }
    found = audit(Tables(snapshot), only=resting_on("ec2:DescribeClientVpnRoutes"))
    assert found
    assert not FINE & {one.status for one in found}


def test_an_answer_that_never_comes_is_waited_for_so_long_and_is_a_gap(
    aws: StandIn, tmp_path, monkeypatch
):
    small_account(aws)
    kept = sessions.Config

    def hasty(**given):
        assert {given[name] > 0 for name in ("connect_timeout", "read_timeout")} == {True}
        return kept(**given | {"read_timeout": 2})

    monkeypatch.setattr(sessions, "Config", hasty)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    aws.delay("ec2", "DescribeVpcs", seconds=600)
    collect(tmp_path / "s", regions=[REGION], endpoint_url=aws.url)
    silent = [call for call in load(tmp_path / "s").calls if call.status != "ok"]
    assert [(one.read.id, one.error_code) for one in silent] == [
        ("ec2-describe-vpcs", "ReadTimeoutError")
    ]
    assert Counter(call.operation for call in aws.calls)["DescribeVpcs"] == 2


def test_a_second_collection_into_the_same_folder_is_one_line_and_harms_nothing(
    aws: StandIn, tmp_path
):
    small_account(aws)
    folder = tmp_path / "s"
    said = []

    def second() -> None:
        with pytest.raises(SnapshotError, match="another auditlib collect") as caught:
            collect(folder, regions=[REGION], endpoint_url=aws.url, resume=True)
        said.append(str(caught.value))

    def meanwhile() -> None:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()

    aws.after("ec2", "DescribeSubnets", meanwhile)
    collect(folder, regions=[REGION], endpoint_url=aws.url)
    assert len(said) == 1
    assert "\n" not in said[0]
    assert verify(folder) == ()
    assert not list(folder.rglob("*.part"))


def test_a_folder_whose_collection_was_killed_can_be_resumed(aws: StandIn, tmp_path):
    small_account(aws)
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / ".collecting.part").touch()
    collect(folder, regions=[REGION], endpoint_url=aws.url, resume=True)
    assert verify(folder) == ()


def test_a_snapshot_that_is_still_being_written_is_fine_only_where_it_is_so_in_the_end(
    aws: StandIn, tmp_path
):
    small_account(aws)
    folder, copy = tmp_path / "s", tmp_path / "copy"
    # The endpoints are written by then, for they are asked about next.
    part = shutil.ignore_patterns("*.part")  # such a file may be gone before it is copied
    aws.after("ec2", "DescribeClientVpnRoutes", lambda: shutil.copytree(folder, copy, ignore=part))
    collect(folder, regions=[REGION], endpoint_url=aws.url)
    assert not (copy / "manifest.json").exists()
    assert len(list(copy.rglob("*.json"))) < len(list(folder.rglob("*.json")))
    in_the_end = {one.check.id: one.status for one in Audit(load(folder)).findings}
    for one in Audit(load(copy)).findings:
        assert one.status not in FINE or in_the_end[one.check.id] in FINE


def verdicts_in(aws: StandIn, folder: Path, region: str) -> dict[str, Status]:
    """Return what is said of the small account in a Region, all of which must be read there."""
    aws.reset()
    small_account(aws, region)
    manifest = collect(folder, regions=[region], endpoint_url=aws.url, clock=lambda: NOW).manifest
    assert {call.status for call in manifest.calls} == {"ok"}
    assert {place[1] for place in manifest.places} == {region}
    # Credentials of a partition are good in none of the others: IAM is asked there, too.
    asked = {call.region for call in aws.calls}
    assert len(asked) == 1
    # Those that follow ARNs, and one beside them.
    beyond = [a for read in READS if not (a := read.iam_action).startswith("ec2:")]
    only = {id for action in beyond for id in resting_on(action)} | {
        "authorization-allows-everyone"
    }
    return {one.check.id: one.status for one in audit(Tables(load(folder)), only=sorted(only))}


def test_other_partitions_are_read_and_judged_alike(aws: StandIn, tmp_path, monkeypatch):
    said = []
    for region in ("us-east-1", "cn-north-1", "us-gov-west-1"):
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        said.append(verdicts_in(aws, tmp_path / region, region))
    assert said[0] == said[1] == said[2]
    assert {Status.PASS, Status.FAIL} <= set(said[0].values())
