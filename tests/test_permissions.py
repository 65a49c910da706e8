"""Least privilege: the documented policy under enforcement, and what ``permissions`` tells beforehand."""

import botocore.session
from click.testing import CliRunner, Result

from auditlib.aws.collect import collect
from auditlib.aws.permissions import permissions
from auditlib.aws.policy import read_only_policy
from auditlib.aws.reads import READS
from auditlib.cli import main
from tests.accounts import REGION, small_account
from tests.standin import StandIn

ACTIONS = sorted(
    action for statement in read_only_policy()["Statement"] for action in statement["Action"]
)
FOR_READS = [action for action in ACTIONS if action != "ec2:DescribeRegions"]


def auditlib(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_the_documented_policy_is_enough_for_all_regions(aws: StandIn, tmp_path):
    small_account(aws)
    aws.switches.regions = (REGION,)
    aws.allow_only(*ACTIONS)
    manifest = collect(tmp_path / "s", all_regions=True, endpoint_url=aws.url).manifest
    assert {call.status for call in manifest.calls} == {"ok"}
    assert {f"{call.service}-{call.operation}" for call in manifest.calls} == {r.id for r in READS}


def test_the_right_to_list_regions_is_needed_for_all_regions_only(aws: StandIn, tmp_path):
    small_account(aws)
    aws.allow_only(*FOR_READS)
    arguments = ("collect", "--out", str(tmp_path / "s"), "--endpoint-url", aws.url)
    assert auditlib(*arguments, "--region", REGION).exit_code == 0
    refused = auditlib(
        "collect", "--out", str(tmp_path / "t"), "--endpoint-url", aws.url, "--all-regions"
    )
    assert refused.exit_code == 2
    assert "describe-regions" in refused.output


def test_permissions_asks_for_nothing_the_policy_lacks_and_reads_little(aws: StandIn):
    small_account(aws)
    aws.allow_only(*ACTIONS)
    found = permissions(regions=[REGION], endpoint_url=aws.url)
    assert {one.state for one in found} == {"allowed"}, [one for one in found if one.why]
    assert [one.read.id for one in found] == [read.id for read in READS]
    assert not aws.writes
    asked = [(call.service, call.operation) for call in aws.calls]
    assert len(asked) == len(set(asked)), "each once, and one page"
    parents = {parent for read in READS for parent in read.parents}
    real = {
        call.operation
        for call in aws.calls
        if call.service == "ec2" and call.parameters.get("DryRun") != "true"
    }
    named = {"".join(w.capitalize() for w in id.split("-")[1:]) for id in parents}
    assert {name.lower() for name in real} <= {name.lower() for name in named}


def test_a_profile_is_asked_about_and_what_it_would_be_refused_is_told_with_its_cost(
    aws: StandIn, tmp_path, monkeypatch
):
    small_account(aws)
    aws.deny("logs")
    config = tmp_path / "config"
    config.write_text(
        f"[profile client]\nregion = {REGION}\naws_access_key_id = OFTHEPROFILE\n"
        "aws_secret_access_key = testing\n",
        "utf-8",
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert auditlib("permissions", "--endpoint-url", aws.url).exit_code == 2
    told = auditlib("permissions", "--profile", "client", "--endpoint-url", aws.url)
    assert told.exit_code == 3, told.output
    assert "refused: logs:DescribeLogGroups" in told.stdout
    assert "connection-log" in told.stdout
    assert not aws.writes


def test_an_account_without_endpoints_needs_no_reads_of_them(aws: StandIn):
    told = auditlib("permissions", "--region", REGION, "--endpoint-url", aws.url)
    assert told.exit_code == 0
    assert "nothing there to ask about: " in told.stdout
    assert "ec2:DescribeClientVpnRoutes" in told.stdout


def test_what_fails_for_another_reason_is_unknown_never_allowed(aws: StandIn):
    small_account(aws)
    aws.fail("ec2", "DescribeSubnets", code="InternalError", status=500)
    found = {one.read.id: one for one in permissions(regions=[REGION], endpoint_url=aws.url)}
    assert found["ec2-describe-subnets"].state == "unknown"
    assert "InternalError" in found["ec2-describe-subnets"].why


def test_reads_whose_resources_nobody_may_list_are_unknown(aws: StandIn):
    small_account(aws)
    aws.deny("ec2", "DescribeClientVpnEndpoints")
    told = auditlib("permissions", "--region", REGION, "--endpoint-url", aws.url)
    assert told.exit_code == 3
    assert "refused: ec2:DescribeClientVpnEndpoints" in told.stdout
    assert "unknown: ec2:DescribeClientVpnRoutes" in told.stdout
    assert "vpn-sg-is-default" in told.stdout


def test_ec2_can_be_asked_with_dry_run_about_every_read():
    model = botocore.session.get_session().get_service_model("ec2")
    for read in READS:
        if read.service == "ec2":
            shape = model.operation_model(read.iam_action.partition(":")[2]).input_shape
            assert "DryRun" in shape.members, read.id
