"""Who changed what: asked of CloudTrail with real boto3 over HTTP, and told beside each change."""

import io
import json
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from auditlib import audit as auditing
from auditlib import display, export, open_audit, trail
from auditlib.aws import collect as collecting
from auditlib.aws.collect import collect
from auditlib.aws.permissions import permissions
from auditlib.aws.reads import OPTIONAL_READS, read_of
from auditlib.check import audit as judged
from auditlib.cli import main
from auditlib.comparison import compare
from auditlib.pseudonyms import Pseudonyms
from auditlib.redaction import redacted
from auditlib.snapshot import load, save, verify
from auditlib.tables import Tables
from auditlib.terminal import print_comparison
from tests.accounts import ACCOUNT, REGION, SmallAccount, small_account
from tests.shapes import problems_of_document
from tests.standin import StandIn

DAY = timedelta(days=1)
THEN = datetime(2026, 11, 2, 9, tzinfo=UTC)
BETWEEN = THEN + DAY
NOW = THEN + 2 * DAY
READ = read_of("cloudtrail-lookup-events")
BOB = {
    "type": "AssumedRole",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/NetworkAdmin/bob@example.com",
    "accountId": ACCOUNT,
    "principalId": "AROAEXAMPLE:bob@example.com",
    "sessionContext": {
        "sessionIssuer": {
            "type": "Role",
            "arn": f"arn:aws:iam::{ACCOUNT}:role/NetworkAdmin",
            "userName": "NetworkAdmin",
        }
    },
}


@pytest.fixture
def account(aws: StandIn, monkeypatch) -> SmallAccount:
    monkeypatch.setitem(collecting.PAUSES, "cloudtrail", 0.0)
    aws.switches.clock = NOW + DAY
    return small_account(aws)


def read_at(aws: StandIn, out: Path, at: datetime, **more: Any) -> Path:
    collect(out, endpoint_url=aws.url, clock=lambda: at, **more)
    return out


@pytest.fixture(autouse=True)
def one_check(monkeypatch) -> None:
    """Judge by one check: here it is objects that change, and all checks take most of the time."""
    some = partial(judged, only=["vpn-sg-is-default"])
    monkeypatch.setattr(auditing, "findings_of", some)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a comparison tells: as JSON, and on a terminal, on one line."""

    document: dict[str, Any]
    text: str

    def rows(self, table: str) -> list[dict[str, Any]]:
        return [row for row in self.document["objects"] if row["table"] == table]

    @property
    def said(self) -> str:
        return " ".join(self.document["said"])


def diff(old: Path, new: Path) -> Told:
    found = compare(open_audit(new), old)
    shown = io.StringIO()
    print_comparison(found, file=shown)
    document = json.loads(export.json_text(export.comparison_json(found)))
    return Told(document=document, text=" ".join(shown.getvalue().split()))


def ssh(aws: StandIn, group: str, cidr: str = "198.51.100.0/24") -> str:
    rule = aws.client("ec2", REGION).authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": cidr}]}
        ],
    )["SecurityGroupRules"][0]
    return str(rule["SecurityGroupRuleId"])


def authorized(group: str, rule: str) -> dict[str, Any]:
    """Return what CloudTrail holds of such a call, in its own spelling."""
    return {
        "requestParameters": {
            "groupId": group,
            "ipPermissions": {
                "items": [{"ipProtocol": "tcp", "groups": {"items": [{"groupId": "sg-other"}]}}]
            },
        },
        "responseElements": {
            "securityGroupRuleSet": {"items": [{"groupId": group, "securityGroupRuleId": rule}]}
        },
    }


# -- what is asked, and what is kept ------------------------------------------------------------------


def test_cloudtrail_is_asked_only_where_that_was_wished(aws, account, tmp_path):
    read_at(aws, tmp_path / "without", NOW)
    assert {call.service for call in aws.calls} & {"cloudtrail"} == set()
    assert "trail_days" not in json.loads((tmp_path / "without/manifest.json").read_text("utf-8"))
    tables = Tables(load(tmp_path / "without"))
    assert tables.gaps("change_events").empty
    assert tables["change_events"].empty
    assert "cloudtrail" not in set(tables.coverage()["service"])
    read_at(aws, tmp_path / "with", NOW, trail=7)
    assert load(tmp_path / "with").manifest.trail_days == 7
    assert verify(tmp_path / "with") == ()
    coverage = Tables(load(tmp_path / "with")).coverage()
    assert list(coverage[coverage["service"] == "cloudtrail"]["ok"]) == [1]


def test_each_event_name_is_asked_for_once_from_the_day_wished_and_only_reads_are_made(
    aws, account, tmp_path
):
    read_at(aws, tmp_path / "s", NOW, trail=7)
    asked = [call for call in aws.calls if call.service == "cloudtrail"]
    names = Counter(
        attribute["AttributeValue"]
        for call in asked
        for attribute in call.parameters["LookupAttributes"]
    )
    assert names == Counter(trail.EVENTS)
    assert {call.parameters["StartTime"] for call in asked} == {(NOW - 7 * DAY).timestamp()}
    assert {call.operation for call in asked} == {"LookupEvents"}
    assert aws.writes == ()


def test_all_pages_are_read_and_each_event_is_kept_once(aws, account, tmp_path):
    for number in range(123):
        aws.write_event(
            "RevokeSecurityGroupIngress",
            BETWEEN + timedelta(seconds=number),
            requestParameters={"groupId": f"sg-{number}"},
        )
    read_at(aws, tmp_path / "s", NOW, trail=7)
    frame = Tables(load(tmp_path / "s"))["change_events"]
    assert len(frame) == 123
    assert frame["event_id"].is_unique
    aws.page_size = 7
    read_at(aws, tmp_path / "small", NOW, trail=7)
    again = Tables(load(tmp_path / "small"))["change_events"]
    assert list(again["event_id"]) == list(frame["event_id"])


def test_of_an_event_only_who_when_and_about_what_is_kept(aws, account, tmp_path):
    aws.write_event("AuthorizeSecurityGroupIngress", BETWEEN, by=BOB, **authorized("sg-1", "sgr-1"))
    answer = aws.client("cloudtrail", REGION).lookup_events()
    del answer["ResponseMetadata"]
    assert problems_of_document("cloudtrail", "LookupEvents", answer) == []
    aws.write_event("AuthorizeSecurityGroupIngress", BETWEEN, **authorized("sg-1", "sgr-2"))
    read_at(aws, tmp_path / "s", NOW, trail=7)
    text = (tmp_path / "s" / ACCOUNT / REGION / "cloudtrail-lookup-events.json").read_text("utf-8")
    for secret in (
        "AKIA", "203.0.113.77", "must-not-be", "AccessKeyId", "AROAEXAMPLE", "sg-other", "ipPermissions",
    ):  # fmt: skip
        assert secret not in text
    row = Tables(load(tmp_path / "s"))["change_events"].set_index("actor").loc["NetworkAdmin"]
    assert row["session"] == "bob@example.com"
    assert row["actor_type"] == "AssumedRole"
    assert row["event_time"] == BETWEEN
    assert row["named"] == (("group_id", "sg-1"), ("rule_id", "sgr-1"))


@pytest.mark.parametrize(
    ("record", "named"),
    [
        (
            {
                "ModifySecurityGroupRulesRequest": {
                    "GroupId": "sg-1",
                    "SecurityGroupRule": [
                        {
                            "SecurityGroupRuleId": "sgr-1",
                            "tag": 1,
                            "SecurityGroupRule": {"ReferencedGroupId": "sg-2"},
                        }
                    ],
                }
            },
            (("group_id", "sg-1"), ("rule_id", "sgr-1")),
        ),
        (
            {
                "AuthorizeClientVpnIngressRequest": {
                    "ClientVpnEndpointId": "cvpn-endpoint-1",
                    "TargetNetworkCidr": "10.0.0.0/16",
                    "AuthorizeAllGroups": True,
                    "Description": "not kept",
                }
            },
            (
                ("endpoint_id", "cvpn-endpoint-1"),
                ("destination_cidr", "10.0.0.0/16"),
                ("access_all", "true"),
            ),
        ),
        (
            {
                "SecurityGroupRuleId": [
                    {"tag": 1, "content": "sgr-1"},
                    {"tag": 2, "content": "sgr-2"},
                ]
            },
            (("rule_id", "sgr-1"), ("rule_id", "sgr-2")),
        ),
        ({"groupId": None, "networkInterfaceId": ["eni-1", {}, 3.5]}, (("eni_id", "eni-1"),)),
        (["sg-1", [["x"]]], ()),
    ],
)
def test_members_are_known_by_name_however_aws_nests_and_spells_them(record, named):
    text = json.dumps({"requestParameters": record})
    assert trail.event_of(text).named == named
    assert trail.event_of(trail.kept(text)).named == named
    assert trail.kept(trail.kept(text)) == trail.kept(text)


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "3", "[" * 5000, None])
def test_what_is_no_record_tells_nothing(text):
    assert trail.event_of(text) == trail.Event(told=False)


def test_half_a_character_in_a_name_reaches_no_file():
    text = '{"userIdentity": {"userName": "a\\ud800b"}}'
    assert trail.event_of(text).name == "a\ufffdb"
    trail.kept(text).encode()


class Clock:
    """A clock that stands still but for waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return False


def test_requests_to_cloudtrail_go_two_a_second():
    assert {read.service: 1 / read.per_second for read in OPTIONAL_READS} == {"cloudtrail": 0.5}
    clock = Clock()
    pace = collecting.Pace(0.5, clock, clock)  # type: ignore[arg-type] # waits like an event
    for _ in range(3):
        pace(request=None)
    clock.now += 10
    pace(request=None)
    assert clock.waits == [0.0, 0.5, 0.5, 0.0]


def test_a_pace_ends_with_the_collection():
    stop = threading.Event()
    stop.set()
    pace = collecting.Pace(3600, stop)
    for _ in range(3):
        pace()


def test_a_burst_of_throttling_is_waited_out(aws, account, tmp_path):
    aws.throttle("cloudtrail", "lookup-events", times=2)
    read_at(aws, tmp_path / "s", NOW, trail=7)
    assert {call.status for call in load(tmp_path / "s").calls} == {"ok"}


def test_permissions_asks_for_one_page_of_events_and_only_when_told_to(aws, account):
    told = permissions(endpoint_url=aws.url)
    assert "cloudtrail" not in {one.read.service for one in told}
    aws.deny("cloudtrail")
    (one,) = [one for one in permissions(endpoint_url=aws.url, trail=True) if one.read is READ]
    assert one.state == "refused"
    assert len([call for call in aws.calls if call.service == "cloudtrail"]) == 1


def test_the_script_says_that_it_does_not_ask_cloudtrail():
    shown = CliRunner().invoke(main, ["collect", "--script", "--trail", "7"])
    assert shown.exit_code == 2
    assert "--script does not go with --trail" in shown.output
    assert "cloudtrail" not in CliRunner().invoke(main, ["collect", "--script"]).output


@pytest.mark.parametrize("days", ["0", "91", "all"])
def test_no_more_than_ninety_days_are_asked_for(days, tmp_path):
    shown = CliRunner().invoke(main, ["collect", "--out", str(tmp_path / "s"), "--trail", days])
    assert shown.exit_code == 2


def test_a_resumed_collection_asks_cloudtrail_anew(aws, account, tmp_path):
    read_at(aws, tmp_path / "s", THEN, trail=7)
    aws.write_event("RevokeSecurityGroupIngress", BETWEEN, requestParameters={"groupId": "sg-1"})
    read_at(aws, tmp_path / "s", NOW, resume=True)
    loaded = load(tmp_path / "s")
    assert loaded.manifest.trail_days == 7
    assert len(Tables(loaded)["change_events"]) == 1


def test_a_folder_made_by_hand_may_hold_whole_events(aws, account, tmp_path):
    read_at(aws, tmp_path / "s", NOW)
    event = aws.write_event("AuthorizeSecurityGroupIngress", BETWEEN, **authorized("sg-1", "sgr-1"))
    (tmp_path / "s/manifest.json").unlink()
    file = tmp_path / "s" / ACCOUNT / REGION / "cloudtrail-lookup-events.json"
    file.write_text(json.dumps({"Events": [event]}), "utf-8")
    frame = Tables(load(tmp_path / "s"))["change_events"]
    assert list(frame["named"]) == [(("group_id", "sg-1"), ("rule_id", "sgr-1"))]


# -- who changed what ---------------------------------------------------------------------------------


@pytest.fixture
def old(aws, account, tmp_path) -> Path:
    return read_at(aws, tmp_path / "old", THEN)


def new(aws: StandIn, old: Path, **more: Any) -> Path:
    return read_at(aws, old.parent / "new", NOW, **({"trail": 7} | more))


def test_a_rule_that_was_added_is_told_with_who_and_when(aws, account, old):
    group = account.groups[0]
    rule = ssh(aws, group)
    aws.write_event("AuthorizeSecurityGroupIngress", BETWEEN, by=BOB, **authorized(group, rule))
    # A rule of another group, of another account's Region, and of the same group's other end.
    for id in ("sg-other", account.groups[1]):
        aws.write_event("AuthorizeSecurityGroupIngress", BETWEEN, **authorized(id, "sgr-other"))
    aws.write_event(
        "AuthorizeSecurityGroupIngress", BETWEEN, region="eu-west-1", **authorized(group, rule)
    )
    out = new(aws, old)
    ran = CliRunner().invoke(main, ["diff", str(old), str(out), "--format", "json"])
    assert ran.exit_code == 0, ran.output
    told = diff(old, out)
    assert json.loads(ran.stdout) == told.document
    (row,) = told.rows("security_group_rules")
    assert row["by"] == ["bob@example.com in role NetworkAdmin"]
    assert row["when"] == [BETWEEN.isoformat()]
    assert row["events"] == ["AuthorizeSecurityGroupIngress"]
    assert row["certain"] == [True]
    assert row["unnamed"] == ""
    assert "bob@example.com" in told.text
    assert "2026-11-03 09:00" in told.text
    assert "Of one object that changed, CloudTrail names who did it for 1." in told.said


def test_two_users_are_both_told_the_newest_last(aws, account, old):
    endpoint = account.endpoints[0]
    aws.client("ec2", REGION).modify_client_vpn_endpoint(
        ClientVpnEndpointId=endpoint, SplitTunnel=True
    )
    for hours, who in ((5, None), (2, BOB)):
        aws.write_event(
            "ModifyClientVpnEndpoint",
            BETWEEN + timedelta(hours=hours),
            by=who,
            requestParameters={"ModifyClientVpnEndpointRequest": {"ClientVpnEndpointId": endpoint}},
        )
    (row,) = diff(old, new(aws, old)).rows("client_vpn_endpoints")
    assert row["column"] == "split_tunnel"
    assert row["by"] == ["bob@example.com in role NetworkAdmin", "alice"]
    assert row["when"] == sorted(row["when"])


def test_what_aws_sets_itself_is_nobodys_for_certain(aws, account, old):
    endpoint = account.endpoints[0]
    (association,) = aws.record(endpoint).target_networks
    association["SecurityGroups"] = [account.groups[2]]
    association["Status"] = {"Code": "associating"}
    about = {"ClientVpnEndpointId": endpoint, "VpcId": account.vpc}
    aws.write_event(
        "ApplySecurityGroupsToClientVpnTargetNetwork",
        BETWEEN,
        requestParameters={"ApplySecurityGroupsToClientVpnTargetNetworkRequest": about},
    )
    rows = diff(old, new(aws, old)).rows("client_vpn_target_networks")
    assert {row["column"]: (row["by"], row["certain"]) for row in rows} == {
        "security_group_ids": (["alice"], [True]),
        "status": (["alice"], [False]),
    }


def test_a_call_that_failed_changed_nothing(aws, account, old):
    group = account.groups[0]
    rule = ssh(aws, group)
    aws.write_event(
        "AuthorizeSecurityGroupIngress",
        BETWEEN,
        errorCode="Client.UnauthorizedOperation",
        **authorized(group, rule),
    )
    told = diff(old, new(aws, old))
    (row,) = told.rows("security_group_rules")
    assert (row["by"], row["unnamed"]) == ([], "no_event")
    frame = Tables(load(old.parent / "new"))["change_events"]
    assert list(frame["error_code"]) == ["Client.UnauthorizedOperation"]
    assert "alice" not in told.text
    assert "no event found" in told.text


def test_what_happened_before_or_after_is_not_what_changed_it(aws, account, old):
    group = account.groups[0]
    rule = ssh(aws, group)
    for at in (THEN - DAY, NOW + timedelta(hours=2)):
        aws.write_event("AuthorizeSecurityGroupIngress", at, **authorized(group, rule))
    (row,) = diff(old, new(aws, old)).rows("security_group_rules")
    assert (row["by"], row["unnamed"]) == ([], "no_event")


def test_an_event_that_names_only_the_group_is_told_as_possible(aws, account, old):
    ec2 = aws.client("ec2", REGION)
    gone = ec2.describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [account.groups[1]]}]
    )["SecurityGroupRules"]
    (rule, *_) = [one for one in gone if not one["IsEgress"]]
    ec2.revoke_security_group_ingress(
        GroupId=account.groups[1], SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
    )
    asked = {"requestParameters": {"groupId": account.groups[1]}}
    for name in (
        "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress", "AuthorizeSecurityGroupIngress",
    ):  # fmt: skip
        aws.write_event(name, BETWEEN, **asked)
    told = diff(old, new(aws, old))
    (row,) = told.rows("security_group_rules")
    assert row["change"] == "removed"
    assert (row["events"], row["certain"]) == (["RevokeSecurityGroupIngress"], [False])
    assert "possibly alice" in told.text


def test_an_authorization_rule_is_tied_by_endpoint_network_and_group(aws, account, old):
    endpoint = account.endpoints[0]
    ec2 = aws.client("ec2", REGION)
    for group in ("S-1-one", "S-1-two"):
        ec2.authorize_client_vpn_ingress(
            ClientVpnEndpointId=endpoint, TargetNetworkCidr="10.9.0.0/16", AccessGroupId=group
        )
    asked = {"ClientVpnEndpointId": endpoint, "TargetNetworkCidr": "10.9.0.0/16"}
    for who, about in (
        (BOB, {"AccessGroupId": "S-1-one"}),
        (None, {"AccessGroupId": "S-1-two", "AuthorizeAllGroups": False}),
    ):
        aws.write_event(
            "AuthorizeClientVpnIngress",
            BETWEEN,
            by=who,
            requestParameters={"AuthorizeClientVpnIngressRequest": asked | about},
        )
    aws.write_event(
        "AuthorizeClientVpnIngress",
        BETWEEN,
        requestParameters={
            "AuthorizeClientVpnIngressRequest": asked | {"AuthorizeAllGroups": True}
        },
    )
    rows = diff(old, new(aws, old)).rows("client_vpn_authorization_rules")
    assert {row["about"]: (row["by"], row["certain"]) for row in rows} == {
        f"for group S-1-one of {endpoint}": (["bob@example.com in role NetworkAdmin"], [True]),
        f"for group S-1-two of {endpoint}": (["alice"], [True]),
    }


def test_a_route_and_a_new_interface_group_are_tied(aws, account, old):
    endpoint = account.endpoints[0]
    ec2 = aws.client("ec2", REGION)
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.create_client_vpn_route(
        ClientVpnEndpointId=endpoint, DestinationCidrBlock="10.8.0.0/16", TargetVpcSubnetId=subnet
    )
    eni = next(
        one["NetworkInterfaceId"]
        for one in ec2.describe_network_interfaces()["NetworkInterfaces"]
        if "ClientVPN" not in one["Description"]
    )
    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=[account.groups[2]])
    asked = {
        "ClientVpnEndpointId": endpoint,
        "DestinationCidrBlock": "10.8.0.0/16",
        "TargetVpcSubnetId": subnet,
    }
    aws.write_event(
        "CreateClientVpnRoute", BETWEEN, requestParameters={"CreateClientVpnRouteRequest": asked}
    )
    aws.write_event(
        "ModifyNetworkInterfaceAttribute",
        BETWEEN,
        by=BOB,
        requestParameters={
            "networkInterfaceId": eni,
            "groupSet": {"items": [{"groupId": account.groups[2]}]},
        },
    )
    told = diff(old, new(aws, old))
    (row,) = told.rows("client_vpn_routes")
    assert (row["by"], row["certain"]) == (["alice"], [True])
    rows = told.rows("network_interface_groups")
    assert {row["change"] for row in rows} == {"added", "removed"}
    assert {(*row["by"], *row["certain"]) for row in rows} == {
        ("bob@example.com in role NetworkAdmin", True)
    }


def test_refused_is_a_gap_and_never_nobody(aws, account, old):
    ssh(aws, account.groups[0])
    aws.deny("cloudtrail")
    out = new(aws, old)
    (gap,) = Tables(load(out)).gaps("change_events").to_dict("records")
    assert (gap["status"], gap["iam_action"]) == ("denied", "cloudtrail:LookupEvents")
    told = diff(old, out)
    (row,) = told.rows("security_group_rules")
    assert (row["by"], row["unnamed"]) == ([], "unread")
    assert "By whom could not be read: cloudtrail lookup-events" in told.said
    assert "allow cloudtrail:LookupEvents" in told.said
    assert "no event" not in told.text
    # It hides no change: what changed can be told all the same.
    assert told.document["gaps"] == []


def test_not_asked_is_said_once(aws, account, old):
    ssh(aws, account.groups[0])
    told = diff(old, new(aws, old, trail=None))
    (row,) = told.rows("security_group_rules")
    assert (row["by"], row["unnamed"]) == ([], "not_asked")
    assert told.text.count("CloudTrail was not asked") == 1


def test_a_change_older_than_what_was_asked_for_is_not_told_as_nobodys(aws, account, old):
    ssh(aws, account.groups[0])
    (row,) = diff(old, new(aws, old, trail=1)).rows("security_group_rules")
    assert (row["by"], row["unnamed"]) == ([], "not_all_asked")


def test_what_is_not_looked_up_is_told_as_such(aws, account, old):
    aws.client("ec2", REGION).create_tags(
        Resources=[account.groups[0]], Tags=[{"Key": "Name", "Value": "renamed"}]
    )
    aws.write_event("CreateSecurityGroup", BETWEEN, responseElements={"groupId": account.groups[0]})
    rows = diff(old, new(aws, old)).rows("security_groups")
    assert {(row["column"], row["unnamed"]) for row in rows} == {("name", "not_looked_up")}


def test_redaction_hides_who_it_was_and_ties_the_same(aws, account, old, tmp_path):
    group = account.groups[0]
    rule = ssh(aws, group)
    aws.write_event("AuthorizeSecurityGroupIngress", BETWEEN, by=BOB, **authorized(group, rule))
    endpoint = account.endpoints[0]
    aws.client("ec2", REGION).authorize_client_vpn_ingress(
        ClientVpnEndpointId=endpoint, TargetNetworkCidr="10.9.0.0/16", AccessGroupId="S-1-one"
    )
    aws.write_event(
        "AuthorizeClientVpnIngress",
        BETWEEN,
        requestParameters={
            "AuthorizeClientVpnIngressRequest": {
                "ClientVpnEndpointId": endpoint,
                "TargetNetworkCidr": "10.9.0.0/16",
                "AccessGroupId": "S-1-one",
            }
        },
    )
    names = Pseudonyms(bytes(32))
    sides = {"old": old, "new": new(aws, old)}
    for name, side in sides.items():
        save(redacted(load(side), names), tmp_path / f"redacted-{name}")
    told, known = (
        diff(*pair).document["objects"]
        for pair in ((tmp_path / "redacted-old", tmp_path / "redacted-new"), sides.values())
    )
    assert [row["certain"] for row in told] == [row["certain"] for row in known]
    assert sum(map(any, (row["certain"] for row in told))) == 2
    everything = "".join(
        path.read_text("utf-8") for path in (tmp_path / "redacted-new").rglob("*.json")
    ) + json.dumps(told)
    for secret in ("alice", "bob", "NetworkAdmin", "S-1-one", ACCOUNT, group, rule):
        assert secret not in everything


def test_hostile_text_in_an_event_reaches_a_page_and_a_terminal_as_text(aws, account, old):
    group = account.groups[0]
    rule = ssh(aws, group)
    name = "<img src=x onerror=alert(1)>\x1b[31m"
    by = {"type": "IAMUser", "userName": name}
    aws.write_event("AuthorizeSecurityGroupIngress", BETWEEN, by=by, **authorized(group, rule))
    out = new(aws, old)
    told = diff(old, out)
    assert "\x1b" not in told.text
    page = display.compared(compare(open_audit(out), old), "authors").markup
    assert "<img" not in page
    assert "&lt;img" in page
