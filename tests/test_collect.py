"""Reading an account, with real boto3 over HTTP against the stand-in."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from click.testing import CliRunner, Result

from auditlib.aws.collect import collect
from auditlib.aws.models import OPERATIONS, session_of
from auditlib.aws.reads import READS, read_of
from auditlib.cli import main
from auditlib.errors import AwsError, SnapshotError
from auditlib.snapshot import Call, Manifest, load, verify
from tests.accounts import ACCOUNT, LOG_GROUP, POLICY, REGION, SmallAccount, small_account
from tests.standin import StandIn

ROOT = Path(__file__).resolve().parent.parent
OLD_MODELS = Path(sys.prefix).glob("lib/python*/site-packages/awscli/botocore/data")


@pytest.fixture
def account(aws: StandIn) -> SmallAccount:
    return small_account(aws)


def by_read(manifest: Manifest) -> dict[str, list[Call]]:
    found: dict[str, list[Call]] = {read.id: [] for read in READS}
    for call in manifest.calls:
        found[f"{call.service}-{call.operation}"].append(call)
    return found


def read_all(aws: StandIn, out: Path, **more) -> Manifest:
    return collect(out, endpoint_url=aws.url, **more).manifest


def auditlib(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


# -- what is read -----------------------------------------------------------------------------


def test_every_read_of_the_table_is_made_and_kept(aws, account, tmp_path):
    manifest = read_all(aws, tmp_path / "s")
    calls = by_read(manifest)
    assert {id for id, made in calls.items() if not made} == set()
    assert {call.status for call in manifest.calls} == {"ok"}
    assert verify(tmp_path / "s") == ()
    for id in ("routes", "target-networks", "authorization-rules", "connections"):
        made = calls[f"ec2-describe-client-vpn-{id}"]
        assert {call.resource for call in made} == set(account.endpoints)
    assert [c.resource for c in calls["ec2-get-managed-prefix-list-entries"]] == [
        account.prefix_list
    ]
    assert [c.resource for c in calls["acm-describe-certificate"]] == [account.certificate]
    assert [c.resource for c in calls["logs-describe-log-groups"]] == [LOG_GROUP]
    assert [c.resource for c in calls["service-quotas-list-service-quotas"]] == ["ec2", "vpc"]
    (saml,) = calls["iam-get-saml-provider"]
    assert (saml.region, saml.resource) == ("us-east-1", account.saml_provider)
    assert calls["logs-describe-log-groups"][0].items == 1
    assert calls["ec2-describe-network-interfaces"][0].items == 9


def test_secrets_in_answers_are_not_kept(aws, account, tmp_path):
    calls = by_read(read_all(aws, tmp_path / "s"))
    (function,) = calls["lambda-get-function-configuration"]
    (directory,) = calls["ds-describe-directories"]
    for call in (function, directory):
        text = (tmp_path / "s" / call.file).read_text("utf-8")
        assert "must-not-be-collected" not in text
        assert set(records_of(json.loads(text), call.read)) == set(call.read.members)


def records_of(document, read):
    return document if read.result_key is None else document[read.result_key][0]


def test_a_provider_named_in_two_regions_is_read_once_and_belongs_to_neither(aws, tmp_path):
    small_account(aws)
    small_account(aws, "eu-west-1")
    manifest = read_all(aws, tmp_path / "s", regions=[REGION, "eu-west-1"])
    (call,) = by_read(manifest)["iam-get-saml-provider"]
    assert call.region == "us-east-1"
    assert load(tmp_path / "s").places == manifest.places
    assert manifest.places == ((ACCOUNT, REGION), (ACCOUNT, "eu-west-1"))
    again = read_all(aws, tmp_path / "s", regions=["eu-west-1"], resume=True)
    assert {c.key for c in again.calls} == {c.key for c in manifest.calls}
    (tmp_path / "s" / "manifest.json").unlink()
    assert load(tmp_path / "s").places == manifest.places


def test_an_account_without_endpoints_is_asked_nothing_about_them(aws, tmp_path):
    manifest = read_all(aws, tmp_path / "s")
    assert {call.service for call in manifest.calls} == {"ec2"}
    assert not [call for call in manifest.calls if call.resource]


def test_of_a_log_group_with_many_streams_only_the_newest_are_read(aws, account, tmp_path):
    logs = aws.client("logs", REGION)
    for number in range(60):
        logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=f"other-{number}")
    (call,) = by_read(read_all(aws, tmp_path / "s"))["logs-describe-log-streams"]
    assert (call.status, call.items) == ("ok", 50)
    document = json.loads((tmp_path / "s" / call.file).read_text("utf-8"))
    assert document["logStreams"][0]["logStreamName"] == "connections"
    assert document["NextToken"]
    assert verify(tmp_path / "s") == ()
    assert len(load(tmp_path / "s").document(call)["logStreams"]) == 50


def test_the_manifest_says_who_when_and_with_what(aws, account, tmp_path):
    import botocore

    manifest = load_after(read_all(aws, tmp_path / "s"), tmp_path / "s")
    assert manifest.caller_arn == f"arn:aws:iam::{ACCOUNT}:user/auditor"
    assert manifest.botocore_version == botocore.__version__
    assert manifest.places == ((ACCOUNT, REGION),)
    assert manifest.started <= min(call.started for call in manifest.calls)
    assert manifest.finished >= max(call.started for call in manifest.calls)


def load_after(written: Manifest, path: Path) -> Manifest:
    loaded = load(path).manifest
    assert loaded == written
    return loaded


def test_only_the_listed_reads_and_the_question_who_calls_are_made(aws, account, tmp_path):
    read_all(aws, tmp_path / "s", all_regions=True, workers=8)
    listed = {(read.service, read.iam_action.partition(":")[2]) for read in READS}
    asked = {(call.service, call.operation) for call in aws.calls}
    assert asked - listed == {("sts", "GetCallerIdentity"), ("ec2", "DescribeRegions")}
    assert aws.writes == ()


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights elsewhere")
def test_the_folder_is_readable_by_its_owner_only(aws, tmp_path):
    read_all(aws, tmp_path / "s")
    assert (tmp_path / "s").stat().st_mode & 0o077 == 0


def test_small_pages_give_the_same_records(aws, account, tmp_path):
    whole = read_all(aws, tmp_path / "whole")
    aws.page_size = 5
    paged = read_all(aws, tmp_path / "paged")
    assert len(aws.calls) > 2 * len(whole.calls)
    assert [(c.key, c.items, c.sha256) for c in paged.calls] == [
        (c.key, c.items, c.sha256) for c in whole.calls
    ]


def test_equal_accounts_at_equal_times_give_equal_bytes(aws, account, tmp_path):
    def clock() -> datetime:
        return datetime(2026, 11, 2, 9, tzinfo=UTC)

    digests = set()
    for name in ("a", "b"):
        read_all(aws, tmp_path / name, clock=clock)
        digests.add(load(tmp_path / name).digest)
    assert len(digests) == 1


def test_text_that_is_not_ascii_stays_readable(aws, account, tmp_path):
    read_all(aws, tmp_path / "s")
    file = tmp_path / "s" / ACCOUNT / REGION / "ec2-describe-security-groups.json"
    assert "製品 & <b>" in file.read_text("utf-8")


def test_a_policy_is_kept_and_no_policy_is_an_answer(aws, account, tmp_path):
    with_policy, without = account.endpoints
    for code in (None, "InvalidClientVpnEndpointAuthorizationPolicy.NotFound"):
        aws.switches.no_policy_code = code
        snapshot_path = tmp_path / f"s-{code}"
        made = {
            call.resource: call
            for call in by_read(read_all(aws, snapshot_path))[
                "ec2-get-client-vpn-endpoint-authorization-policy"
            ]
        }
        assert load(snapshot_path).document(made[with_policy])["PolicyDocument"] == POLICY
        assert (made[without].status, made[without].items, made[without].file) == ("ok", 0, None)


def test_regions_are_read_side_by_side_and_each_once(aws, account, tmp_path):
    small_account(aws, "eu-west-1")
    manifest = read_all(aws, tmp_path / "s", regions=[REGION, "eu-west-1", REGION])
    counts = Counter(call.region for call in manifest.calls)
    assert counts[REGION] == counts["eu-west-1"] == len(manifest.calls) // 2


def test_all_regions_means_the_enabled_ones(aws, tmp_path):
    aws.switches.regions = ("ap-northeast-1", "eu-west-1", "us-east-1")
    manifest = read_all(aws, tmp_path / "s", all_regions=True)
    assert [region for _, region in manifest.places] == list(aws.switches.regions)


def test_a_zip_is_written_at_the_end_and_whole(aws, account, tmp_path):
    read_all(aws, tmp_path / "s")
    manifest = read_all(aws, tmp_path / "s.zip")
    assert [p.name for p in tmp_path.iterdir() if p.name != "s"] == ["s.zip"]
    assert load(tmp_path / "s.zip").manifest == manifest
    assert verify(tmp_path / "s.zip") == ()


# -- refusals ---------------------------------------------------------------------------------


def test_an_explicit_deny_by_the_organization_is_a_denial(aws, tmp_path):
    message = (
        "You are not authorized to perform this operation. with an explicit deny in a service "
        "control policy. Encoded authorization failure message: AbC-12_x"
    )
    aws.deny("ec2", "describe-vpcs", message=message)
    (call,) = by_read(read_all(aws, tmp_path / "s"))["ec2-describe-vpcs"]
    assert call.status == "denied"
    assert call.error_message.endswith("service control policy.")


def test_a_burst_of_throttling_is_waited_out(aws, tmp_path):
    aws.throttle("ec2", "describe-vpcs", times=2)
    (call,) = by_read(read_all(aws, tmp_path / "s"))["ec2-describe-vpcs"]
    assert call.status == "ok"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (lambda aws: aws.throttle("ec2", "describe-vpcs"), "RequestLimitExceeded"),
        (lambda aws: aws.fail("ec2", "describe-vpcs", status=500), "InternalError"),
        (lambda aws: aws.drop("ec2", "describe-vpcs"), "ConnectionClosedError"),
        (lambda aws: aws.garble("ec2", "describe-vpcs"), "ResponseParserError"),
        (
            lambda aws: aws.fail("ec2", "describe-vpcs", status=401, code="AuthFailure"),
            "AuthFailure",
        ),
        (
            lambda aws: aws.fail("ec2", "describe-vpcs", status=400, code="OptInRequired"),
            "OptInRequired",
        ),
        (lambda aws: aws.garble("ec2", "describe-vpcs", body=b"<a></a>"), "UnexpectedAnswer"),
    ],
    ids=["throttled", "5xx", "dropped", "garbled", "not enabled", "opt-in", "not AWS"],
)
def test_what_fails_to_the_end_is_recorded_and_the_rest_is_read(aws, tmp_path, fault, code):
    fault(aws)
    manifest = read_all(aws, tmp_path / "s")
    (call,) = by_read(manifest)["ec2-describe-vpcs"]
    assert (call.status, call.error_code, call.file) == ("failed", code, None)
    assert {c.status for c in manifest.calls if c is not call} == {"ok"}


def page(token: str) -> bytes:
    return (
        f"<DescribeVpcsResponse><vpcSet/><nextToken>{token}</nextToken></DescribeVpcsResponse>"
    ).encode()


@pytest.mark.parametrize("tokens", ["aa", "aba"])
def test_pages_that_come_round_again_end_as_a_failure(aws, tmp_path, tokens):
    for token in tokens:
        aws.garble("ec2", "describe-vpcs", body=page(token), times=1)
    aws.garble("ec2", "describe-vpcs", body=page("c"))
    (call,) = by_read(read_all(aws, tmp_path / "s"))["ec2-describe-vpcs"]
    assert call.status == "failed"
    assert "token" in call.error_message.lower()


def test_a_page_that_is_none_is_not_taken_for_the_end(aws, tmp_path):
    wrong = b"<Response><Errors><Error><Code>InternalError</Code></Error></Errors></Response>"
    aws.garble("ec2", "describe-vpcs", body=page("a"), times=1)
    aws.garble("ec2", "describe-vpcs", body=wrong)
    (call,) = by_read(read_all(aws, tmp_path / "s"))["ec2-describe-vpcs"]
    assert (call.status, call.file) == ("failed", None)
    assert "without Vpcs" in call.error_message


def test_an_endpoint_deleted_meanwhile_is_a_failure_with_its_code(aws, account, tmp_path):
    gone = account.endpoints[1]
    aws.after("ec2", "describe-client-vpn-endpoints", lambda: aws.delete_endpoint(gone))
    manifest = read_all(aws, tmp_path / "s")
    made = [call for call in manifest.calls if call.resource == gone]
    assert len(made) == 6
    assert {(c.status, c.error_code) for c in made} == {
        ("failed", "InvalidClientVpnEndpointId.NotFound")
    }


def test_an_sdk_too_old_for_an_operation_says_so(aws, account, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_DATA_PATH", str(next(OLD_MODELS)))
    manifest = read_all(aws, tmp_path / "s")
    odd = {(c.service, c.operation, c.status) for c in manifest.calls if c.status != "ok"}
    assert odd == {("ec2", "get-client-vpn-endpoint-authorization-policy", "unsupported")}


def test_reads_of_an_endpoint_do_not_wait_for_slow_reads_of_the_region(aws, account, tmp_path):
    aws.delay("ec2", "describe-vpcs", seconds=3)
    calls = by_read(read_all(aws, tmp_path / "s"))
    (slow,) = calls["ec2-describe-vpcs"]
    assert slow.seconds >= 3
    for routes in calls["ec2-describe-client-vpn-routes"]:
        assert (routes.started - slow.started).total_seconds() < 3


def test_calls_wait_for_aws_together(aws, account, tmp_path):
    aws.delay("ec2", seconds=0.5)
    manifest = read_all(aws, tmp_path / "s")
    one_after_the_other = sum(c.service == "ec2" for c in manifest.calls) * 0.5
    taken = (manifest.finished - manifest.started).total_seconds()
    assert taken < one_after_the_other / 2


def test_no_more_calls_are_in_flight_than_allowed(aws, account, tmp_path):
    aws.delay("ec2", seconds=0.05)
    manifest = read_all(aws, tmp_path / "s", workers=1)
    order = sorted(manifest.calls, key=lambda call: call.started)
    for first, second in pairwise(order):
        assert (second.started - first.started).total_seconds() >= first.seconds - 0.01


# -- nothing can be read at all ---------------------------------------------------------------


def refused_outright(result: Result, out: Path) -> str:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert not out.exists()
    return result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--region", "ap-northeast-9"], "did you mean ap-northeast-"),
        (["--region", "mars-north-1"], "is unknown: see --all-regions"),
        (["--profile", "nobody"], "nobody"),
        (["--endpoint-url", "http://127.0.0.1:9"], "at http://127.0.0.1:9: nothing answers"),
        (["--endpoint-url", "no-address"], "no-address"),
    ],
)
def test_a_wrong_option_is_one_line_and_nothing_is_written(aws, tmp_path, options, said):
    out = tmp_path / "s"
    result = auditlib("collect", "--out", out, "--endpoint-url", aws.url, *options)
    assert said in refused_outright(result, out)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ExpiredToken", "have expired"),
        ("RequestExpired", "or the clock of this machine is wrong"),
        ("InvalidClientTokenId", "does not accept"),
        ("SignatureDoesNotMatch", "does not accept"),
        ("AccessDenied", "refused"),
    ],
)
def test_credentials_that_are_not_accepted_are_one_line(aws, tmp_path, code, said):
    aws.fail("sts", "get-caller-identity", status=403, code=code)
    out = tmp_path / "s"
    assert said in refused_outright(
        auditlib("collect", "--out", out, "--endpoint-url", aws.url), out
    )


def test_no_credentials_at_all_are_one_line(aws, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    out = tmp_path / "s"
    result = auditlib("collect", "--out", out, "--endpoint-url", aws.url)
    assert "no AWS credentials found" in refused_outright(result, out)


def test_something_that_is_not_aws_is_one_line(aws, tmp_path):
    aws.garble("sts")
    out = tmp_path / "s"
    result = auditlib("collect", "--out", out, "--endpoint-url", aws.url)
    assert "not AWS" in refused_outright(result, out)


def test_a_role_that_refuses_is_one_line(aws, tmp_path):
    aws.deny("sts", "assume-role")
    out = tmp_path / "s"
    role = "arn:aws:iam::222233334444:role/auditor"
    result = auditlib("collect", "--out", out, "--endpoint-url", aws.url, "--role-arn", role)
    assert role in refused_outright(result, out)


def test_all_regions_without_the_right_to_list_them_is_one_line(aws, tmp_path):
    aws.deny("ec2", "describe-regions")
    out = tmp_path / "s"
    result = auditlib("collect", "--out", out, "--endpoint-url", aws.url, "--all-regions")
    assert "--region" in refused_outright(result, out)


def test_no_region_at_all_is_one_line(aws, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    out = tmp_path / "s"
    result = auditlib("collect", "--out", out, "--endpoint-url", aws.url)
    assert "give --region" in refused_outright(result, out)


def test_a_damaged_aws_configuration_is_one_line(aws, tmp_path, monkeypatch):
    config = tmp_path / "config"
    config.write_text("[profile x\nregion", "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    out = tmp_path / "s"
    result = auditlib("collect", "--out", out, "--endpoint-url", aws.url, "--profile", "x")
    assert "config" in refused_outright(result, out)


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("aws_access_key_id = testing\n", "incomplete"),
        ("credential_process = false\n", "could not be fetched"),
        (
            "sso_start_url = https://sso.example.com\nsso_region = eu-west-1\n"
            "sso_account_id = 111122223333\nsso_role_name = auditor\n",
            "aws sso login",
        ),
    ],
)
def test_a_profile_without_a_valid_sign_in_is_one_line(aws, tmp_path, monkeypatch, profile, said):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    config = tmp_path / "config"
    config.write_text(f"[profile client]\nregion = eu-west-1\n{profile}", "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    out = tmp_path / "s"
    result = auditlib("collect", "--out", out, "--endpoint-url", aws.url, "--profile", "client")
    assert said in refused_outright(result, out)


def test_options_that_exclude_each_other_are_refused(tmp_path):
    for options in (
        ["--out", tmp_path / "s", "--region", REGION, "--all-regions"],
        ["--out", tmp_path / "s", "--external-id", "x"],
        ["--script", "--role-arn", "x"],
        [],
    ):
        assert auditlib("collect", *options).exit_code == 2


def test_a_profile_of_the_aws_configuration_is_used(aws, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    config = tmp_path / "config"
    config.write_text(
        "[profile client]\nregion = eu-west-1\n"
        "aws_access_key_id = testing\naws_secret_access_key = testing\n",
        "utf-8",
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    manifest = read_all(aws, tmp_path / "s", profile="client")
    assert manifest.places == ((ACCOUNT, "eu-west-1"),)


def test_a_role_of_another_account_is_read(aws, tmp_path):
    role = "arn:aws:iam::222233334444:role/auditor"
    manifest = read_all(aws, tmp_path / "s", role_arn=role, external_id="one", session_name="me")
    (assumed,) = [call for call in aws.calls if call.operation == "AssumeRole"]
    assert assumed.parameters["ExternalId"] == "one"
    assert assumed.parameters["RoleSessionName"] == "me"
    assert manifest.places == (("222233334444", REGION),)
    assert ":assumed-role/auditor/me" in manifest.caller_arn


def test_no_credential_is_printed_or_written(aws, account, tmp_path, monkeypatch):
    secret = "never-to-be-written-anywhere"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    aws.deny("ec2", "describe-vpcs")
    result = auditlib("collect", "--out", tmp_path / "s", "--endpoint-url", aws.url)
    assert result.exit_code == 3
    assert secret not in result.output
    texts = [p.read_text("utf-8") for p in (tmp_path / "s").rglob("*") if p.is_file()]
    assert texts
    assert not any(secret in text for text in texts)


# -- the command ------------------------------------------------------------------------------


def test_the_command_sums_up_and_exits_0_when_all_was_read(aws, account, tmp_path):
    result = auditlib("collect", "--out", tmp_path / "s", "--endpoint-url", aws.url)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].endswith("33 ok, 0 denied, 0 failed, 0 unsupported")
    assert result.stderr == ""


def test_the_command_names_the_action_to_grant_and_exits_3(aws, account, tmp_path):
    aws.deny("ec2", "describe-client-vpn-routes")
    result = auditlib("collect", "--out", tmp_path / "s", "--endpoint-url", aws.url)
    assert result.exit_code == 3
    assert (
        "denied: ec2 describe-client-vpn-routes in ap-northeast-1 (2 calls): "
        "UnauthorizedOperation; allow ec2:DescribeClientVpnRoutes" in result.stdout
    )


def test_progress_is_told_to_who_asks(aws, account, tmp_path):
    told = []
    manifest = read_all(aws, tmp_path / "s", progress=lambda *at: told.append(at))
    assert told[-1] == (len(manifest.calls), len(manifest.calls))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_the_bar_shows_progress_on_a_terminal_and_goes_away():
    from auditlib.aws.progress import Bar

    with Bar() as bar:
        bar(1, 4)
        (task,) = bar._progress.tasks
        assert (task.completed, task.total) == (1, 4)
    assert bar._progress.live.is_started is False


def test_a_bug_is_no_finding(monkeypatch, tmp_path):
    monkeypatch.setattr("auditlib.snapshot.verify", lambda _: 1 / 0)
    result = auditlib("verify", tmp_path)
    assert result.exit_code == 70
    assert "ZeroDivisionError" in result.stderr


def test_help_needs_neither_boto3_nor_pandas():
    code = (
        "import sys; from auditlib.cli import main; main(['--help'], standalone_mode=False); "
        "print(sorted({'pandas', 'boto3', 'rich', 'json'} & set(sys.modules)), file=sys.stderr)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "collect" in shown.stdout
    assert "boto3" not in shown.stderr
    assert "pandas" not in shown.stderr


# -- going on ---------------------------------------------------------------------------------


def test_resume_reads_only_what_was_refused(aws, account, tmp_path):
    aws.deny("ec2", "describe-client-vpn-routes", resource=account.endpoints[0], times=1)
    first = read_all(aws, tmp_path / "s")
    before = len(aws.calls)
    second = read_all(aws, tmp_path / "s", resume=True)
    made = [c.operation for c in aws.calls[before:]]
    assert made == ["GetCallerIdentity", "DescribeClientVpnRoutes"]
    assert {c.status for c in second.calls} == {"ok"}
    assert len(second.calls) == len(first.calls)
    assert second.started == first.started
    assert verify(tmp_path / "s") == ()


def test_resume_reads_what_a_refused_parent_kept_back(aws, account, tmp_path):
    aws.deny("ec2", "describe-client-vpn-endpoints", times=1)
    first = read_all(aws, tmp_path / "s")
    second = read_all(aws, tmp_path / "s", resume=True)
    assert len(second.calls) - len(first.calls) == 20
    assert verify(tmp_path / "s") == ()


def test_resume_reads_a_damaged_answer_anew(aws, account, tmp_path):
    read_all(aws, tmp_path / "s")
    file = tmp_path / "s" / ACCOUNT / REGION / "ec2-describe-vpcs.json"
    file.write_text(file.read_text("utf-8").replace("10.0.0.0", "10.9.0.0"), "utf-8")
    assert verify(tmp_path / "s") == (
        f"{ACCOUNT}/{REGION}/ec2-describe-vpcs.json was changed after it was collected",
    )
    read_all(aws, tmp_path / "s", resume=True)
    assert verify(tmp_path / "s") == ()


def test_resume_reads_a_lost_answer_anew(aws, account, tmp_path):
    read_all(aws, tmp_path / "s")
    (tmp_path / "s" / ACCOUNT / REGION / "ec2-describe-vpcs.json").unlink()
    with pytest.raises(SnapshotError, match="ec2-describe-vpcs"):
        load(tmp_path / "s")
    read_all(aws, tmp_path / "s", resume=True)
    assert verify(tmp_path / "s") == ()


def test_resume_forgets_a_resource_that_is_gone(aws, account, tmp_path):
    read_all(aws, tmp_path / "s")
    gone = account.endpoints[1]
    aws.delete_endpoint(gone)
    (tmp_path / "s" / ACCOUNT / REGION / "ec2-describe-client-vpn-endpoints.json").unlink()
    manifest = read_all(aws, tmp_path / "s", resume=True)
    assert gone not in {call.resource for call in manifest.calls}
    assert verify(tmp_path / "s") == ()


def test_resume_asks_a_newer_sdk_what_an_older_one_could_not_see(aws, account, tmp_path):
    read_all(aws, tmp_path / "s")
    path = tmp_path / "s" / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["botocore_version"] = "1.42.0"
    path.write_text(json.dumps(manifest), "utf-8")
    before = len(aws.calls)
    read_all(aws, tmp_path / "s", resume=True)
    made = Counter(call.operation for call in aws.calls[before:])
    assert made == {
        "GetCallerIdentity": 1,
        "DescribeClientVpnEndpoints": 1,
        "GetClientVpnEndpointAuthorizationPolicy": 2,
    }


def test_resume_takes_the_regions_of_the_folder_and_keeps_the_others(aws, account, tmp_path):
    both = read_all(aws, tmp_path / "s", regions=[REGION, "eu-west-1"])
    again = read_all(aws, tmp_path / "s", resume=True)
    one = read_all(aws, tmp_path / "s", regions=["eu-west-1"], resume=True)
    assert both.places == again.places == one.places
    assert {c.key for c in both.calls} == {c.key for c in one.calls}


def test_resume_after_the_run_was_killed_reads_the_rest(aws, account, tmp_path):
    whole = read_all(aws, tmp_path / "s")
    (tmp_path / "s" / "manifest.json").unlink()
    place = tmp_path / "s" / ACCOUNT / REGION
    (place / "ec2-describe-vpcs.json").unlink()
    (place / ".x.part").write_text("half", "utf-8")
    manifest = read_all(aws, tmp_path / "s", resume=True)
    assert [(c.key, c.sha256, c.items) for c in manifest.calls] == [
        (c.key, c.sha256, c.items) for c in whole.calls
    ]
    assert not list(place.glob(".*"))


def test_resume_says_how_many_answers_were_kept(aws, account, tmp_path):
    whole = read_all(aws, tmp_path / "s", regions=[REGION, "eu-west-1"])
    (tmp_path / "s" / ACCOUNT / REGION / "ec2-describe-vpcs.json").unlink()
    options = ("--endpoint-url", aws.url, "--resume")
    shown = auditlib("collect", "--out", tmp_path / "s", "--region", REGION, *options)
    assert shown.exit_code == 0, shown.output
    kept = len(whole.calls) - 1
    assert shown.stdout.startswith(f"kept: {kept} answers of the earlier collection\n")


def test_resume_into_an_empty_folder_just_reads(aws, tmp_path):
    (tmp_path / "s" / ACCOUNT).mkdir(parents=True)
    read_all(aws, tmp_path / "s", resume=True)
    assert verify(tmp_path / "s") == ()


def test_a_folder_with_something_in_it_is_refused(aws, tmp_path):
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    for resume in ([], ["--resume"]):
        result = auditlib("collect", "--out", tmp_path, "--endpoint-url", aws.url, *resume)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    assert aws.calls == ()


def test_another_account_is_not_mixed_in(aws, tmp_path):
    read_all(aws, tmp_path / "s")
    with pytest.raises(SnapshotError, match="222233334444"):
        read_all(
            aws,
            tmp_path / "s",
            resume=True,
            role_arn="arn:aws:iam::222233334444:role/auditor",
        )


def test_a_zip_is_never_resumed(aws, tmp_path):
    with pytest.raises(SnapshotError, match="zip"):
        read_all(aws, tmp_path / "s.zip", resume=True)


def test_a_place_that_cannot_be_written_is_one_line(aws, tmp_path):
    (tmp_path / "file").write_text("x", "utf-8")
    result = auditlib("collect", "--out", tmp_path / "file" / "s", "--endpoint-url", aws.url)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def started(aws: StandIn, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "auditlib.cli", "collect", "--out", out, "--endpoint-url", aws.url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("COV")},
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_leaves_a_valid_snapshot_that_can_be_resumed(aws, account, tmp_path):
    aws.delay("ec2", "describe-client-vpn-routes", seconds=60)
    aws.delay("ec2", "describe-vpcs", seconds=60)
    with started(aws, tmp_path / "s") as run:
        wait_for(lambda: len(list((tmp_path / "s").rglob("*.json"))) >= 29)
        begun = time.monotonic()
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=30)
    assert time.monotonic() - begun < 20
    assert run.returncode == 130, err
    assert "--resume" in err
    assert "Traceback" not in err
    manifest = load(tmp_path / "s").manifest
    missing = {(c.operation, c.status) for c in manifest.calls if c.error_code == "NotCollected"}
    assert missing == {("describe-client-vpn-routes", "failed"), ("describe-vpcs", "failed")}
    left_out = sum(c.error_code == "NotCollected" for c in manifest.calls)
    first, *others = [line for line in out.splitlines() if not line.startswith("snapshot: ")]
    assert first.endswith(f" 0 denied, 0 failed, 0 unsupported, {left_out} not collected")
    (told,) = others
    assert told.startswith("not collected: ")
    assert "--resume" in told
    assert verify(tmp_path / "s") == ()
    aws_calls = len(aws.calls)
    aws._faults.clear()
    resumed = read_all(aws, tmp_path / "s", resume=True)
    assert {call.status for call in resumed.calls} == {"ok"}
    assert len(aws.calls) - aws_calls == 4


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_what_is_answered_just_after_ctrl_c_is_kept_and_what_it_names_is_not_asked(
    aws, account, tmp_path
):
    # Both are asked at once; on a busy machine the key must not come before the question.
    aws.delay("ec2", "describe-client-vpn-endpoints", seconds=1.2)
    aws.delay("ec2", "describe-subnets", seconds=0.7)
    aws.delay("ec2", "describe-vpcs", seconds=60)
    aws.after("ec2", "describe-subnets", lambda: os.kill(os.getpid(), signal.SIGINT))
    begun = time.monotonic()
    collected = collect(tmp_path / "s", endpoint_url=aws.url)
    assert time.monotonic() - begun < 30
    assert collected.interrupted
    calls = by_read(collected.manifest)
    assert [c.status for c in calls["ec2-describe-client-vpn-endpoints"]] == ["ok"]
    assert [c.error_code for c in calls["ec2-describe-vpcs"]] == ["NotCollected"]
    routes = calls["ec2-describe-client-vpn-routes"]
    assert [(c.resource, c.error_code) for c in routes] == [
        (endpoint, "NotCollected") for endpoint in sorted(account.endpoints)
    ]
    assert verify(tmp_path / "s") == ()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_a_second_ctrl_c_waits_for_nothing(aws, account, tmp_path):
    def press_twice():
        os.kill(os.getpid(), signal.SIGINT)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    aws.delay("ec2", "describe-vpcs", seconds=60)
    aws.after("ec2", "describe-subnets", press_twice)
    collected = collect(tmp_path / "s", endpoint_url=aws.url)
    assert collected.interrupted
    assert load(tmp_path / "s").manifest == collected.manifest


def test_a_disk_that_fails_midway_is_one_line_and_leaves_no_manifest(aws, account, tmp_path):
    def spoil():
        (tmp_path / "s" / ACCOUNT / REGION / "ec2-describe-client-vpn-routes").write_text("x")

    aws.delay("ec2", "describe-client-vpn-routes", seconds=0.5)
    aws.after("ec2", "describe-client-vpn-target-networks", spoil)
    result = auditlib("collect", "--out", tmp_path / "s", "--endpoint-url", aws.url)
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "s" / "manifest.json").exists()


def test_collecting_in_a_thread_leaves_ctrl_c_alone(aws, account, tmp_path):
    with ThreadPoolExecutor(1) as pool:
        collected = pool.submit(collect, tmp_path / "s", endpoint_url=aws.url).result()
    assert not collected.interrupted
    assert verify(tmp_path / "s") == ()


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_before_anything_was_read_writes_nothing(aws, tmp_path):
    aws.delay("sts", seconds=60)
    with started(aws, tmp_path / "s") as run:
        wait_for(lambda: aws.calls)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert err == "auditlib: interrupted\n"
    assert not (tmp_path / "s").exists()


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_killed_run_leaves_no_half_file(aws, account, tmp_path):
    aws.delay("ec2", "describe-vpcs", seconds=60)
    with started(aws, tmp_path / "s") as run:
        wait_for(lambda: len(list((tmp_path / "s").rglob("*.json"))) >= 10)
        run.kill()
        run.communicate(timeout=30)
    assert not (tmp_path / "s" / "manifest.json").exists()
    snapshot = load(tmp_path / "s")
    assert verify(tmp_path / "s") == ()
    assert snapshot.call(ACCOUNT, REGION, "ec2-describe-vpcs") is None
    assert all(snapshot.document(call) for call in snapshot.calls if call.file)


def wait_for(happened) -> None:
    last = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < last, "it did not happen"
        time.sleep(0.05)


def test_the_table_of_reads_spells_operations_and_pages_as_the_sdk_does():
    import botocore.session

    session = botocore.session.get_session()
    for read in READS:
        model = session.get_service_model(read.service)
        action = "".join(word.capitalize() for word in read.operation.split("-"))
        action = {name.lower(): name for name in model.operation_names}[action.lower()]
        assert read.iam_action.partition(":")[2] == action
        assert action in model.operation_names
        operation = model.operation_model(action)
        members = operation.input_shape.members
        assert set(read.parameters) | {read.resource_parameter or "DryRun"} <= set(members) | {
            "DryRun"
        }
        assert (read.result_key or read.record_member) in operation.output_shape.members
        limit = members.get("MaxResults") or members.get("limit")
        assert (limit is None or read.resource_in_list) == (read.page_size is None)
        if limit is not None and read.page_size and "max" in limit.metadata:
            assert read.page_size <= limit.metadata["max"]


def test_a_code_about_the_endpoint_is_never_taken_for_no_policy():
    read = read_of("ec2-get-client-vpn-endpoint-authorization-policy")
    assert read.says_there_is_none("InvalidClientVpnEndpointAuthorizationPolicy.NotFound")
    assert not read.says_there_is_none("InvalidClientVpnEndpointId.NotFound")
    assert not read.says_there_is_none("UnauthorizedOperation")


def test_sign_in_errors_are_the_kits_own(aws, tmp_path):
    with pytest.raises(AwsError):
        read_all(aws, tmp_path / "s", regions=["nowhere"])


def test_sessions_and_threads_share_what_botocore_knows_of_a_service():
    loaders = [session_of()._session.get_component("data_loader") for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        models = list(pool.map(lambda n: loaders[n % 4].load_service_model("iam", "service-2"), range(16)))  # fmt: skip
    assert models[0]["metadata"]["endpointPrefix"] == "iam"
    assert len({id(model) for model in models}) == 1
    with pytest.raises(UnknownServiceError):
        loaders[0].load_service_model("no-such-service", "service-2")


def shapes_of(shape: Any, seen: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield a shape and all it is made of, as botocore understands them."""
    if shape is None or shape.name in seen:
        return
    seen.add(shape.name)
    yield shape.name, shape._shape_model
    for inner in (
        *getattr(shape, "members", {}).values(),
        *(getattr(shape, name, None) for name in ("member", "key", "value")),
    ):
        yield from shapes_of(inner, seen)


@pytest.mark.parametrize("service", sorted(OPERATIONS))
def test_a_client_knows_what_is_read_as_botocore_has_it_and_nothing_else(service):
    whole = botocore.session.get_session().get_service_model(service)
    less = session_of().client(service, region_name=REGION).meta.service_model
    asked = {xform_name(name, "-"): name for name in less.operation_names}
    assert asked.keys() == OPERATIONS[service]
    for name in asked.values():
        one, other = whole.operation_model(name), less.operation_model(name)
        for part in ("input_shape", "output_shape"):
            made = [dict(shapes_of(getattr(each, part), set())) for each in (one, other)]
            assert made[0] == made[1]
        assert [e.name for e in one.error_shapes] == [e.name for e in other.error_shapes]


def test_a_client_of_a_service_that_is_read_has_no_call_that_writes():
    client = session_of().client("ec2", region_name=REGION)
    assert callable(client.describe_security_groups)
    for name in ("authorize_security_group_ingress", "modify_client_vpn_endpoint", "run_instances"):
        with pytest.raises(AttributeError):
            getattr(client, name)
