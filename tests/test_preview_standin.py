"""The scripts against the stand-in for AWS: what was previewed is what comes, and rollback undoes it."""

import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from auditlib.aws.collect import collect
from auditlib.changes import (
    CHANGES,
    AddAuthorizationRule,
    ApplySecurityGroups,
    AuthorizeRule,
    CreateRoute,
    CreateSecurityGroup,
    DeleteRoute,
    DeleteSecurityGroup,
    ModifyLogging,
    RemoveAuthorizationRule,
    RevokeRule,
    SetInterfaceGroups,
)
from auditlib.changes.fixes import FIXES
from auditlib.changes.plans import written
from auditlib.changes.preview import Preview, preview, proposal
from auditlib.schemas import SCHEMAS
from auditlib.snapshot import load
from auditlib.tables import Tables
from tests.aws_cli import AwsCli
from tests.standin import StandIn
from tests.standin.sample_world import REGIONS, Place, build

BASES = [name for name, schema in SCHEMAS.items() if not schema.inputs]
BLANKS = {"LOG_GROUP": "/vpn/new log's", "GROUP_FOR_10_30_0_0_16": "S-1-5-21-1234"}


@pytest.fixture(autouse=True)
def found_first(aws_cli: AwsCli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scripts find the AWS CLI that was started already."""
    monkeypatch.setenv("PATH", f"{aws_cli.folder}:{os.environ['PATH']}")


def read(aws: StandIn, folder: Path, *regions: str) -> Tables:
    collect(folder, regions=regions or REGIONS, endpoint_url=aws.url)
    return Tables(load(folder))


def run(aws: StandIn, script: Path, *arguments: str, yes: int = 9) -> subprocess.CompletedProcess:
    environment = {**os.environ, **aws.environment, **BLANKS}
    return subprocess.run(
        ["bash", str(script), *arguments],
        input="yes\n" * yes,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


def contents(tables: Tables, start: Tables, blanks: dict[str, str]) -> dict[str, set[tuple]]:
    """Return what the tables hold, ids of what is new and when it was read left out."""
    rules = set(start["security_group_rules"]["rule_id"])
    groups = tables["security_groups"]
    new = {
        id: f"new {name}"
        for id, name in zip(groups["group_id"], groups["group_name"], strict=True)
        if id not in set(start["security_groups"]["group_id"])
    }
    named = new | {f"<{name}>": value for name, value in blanks.items()}

    def plain(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(sorted(map(str, map(plain, value))))
        return "" if value is None or value is pd.NA or value != value else named.get(value, value)  # noqa: PLR0124 # NaN

    found = {}
    for name in BASES:
        frame = tables[name].drop(columns=["source", "record", "read_at"], errors="ignore")
        frame = frame.astype(object)
        if name == "security_group_rules":
            frame["rule_id"] = frame["rule_id"].where(frame["rule_id"].isin(rules), "new")
        found[name] = {tuple(map(plain, row)) for row in frame.itertuples(index=False, name=None)}
    return found


def assert_same(got: Tables, wanted: Tables, start: Tables) -> None:
    one, two = contents(got, start, BLANKS), contents(wanted, start, BLANKS)
    for name in BASES:
        assert one[name] == two[name], name


def tried(aws: StandIn, found: Preview, out: Path) -> None:
    """Run the dry run, which changes nothing, and the script itself."""
    written(found, out)
    before = len(aws.writes)
    dry = run(aws, out / "apply.sh")
    assert dry.returncode == 0, dry.stderr
    assert "Nothing was changed" in dry.stdout
    assert all(str(call.parameters.get("DryRun")).lower() == "true" for call in aws.writes[before:])
    done = run(aws, out / "apply.sh", "--apply")
    assert done.returncode == 0, done.stderr


ON_THE_SAMPLE = (
    ("vpn-sg-is-default", "vpn-sg-has-inbound-rules"),
    ("vpn-sg-lets-members-in",),
    ("receiver-allows-address-not-group", "connection-logging-is-off"),
    ("authorization-allows-everyone", "default-sg-has-rules"),
    ("vpn-sg-not-yet-effective", "vpn-sg-is-shared", "receiver-open-wider-than-vpn"),
)
ON_THE_EXPOSED = (
    ("vpn-sg-limits-outbound", "client-to-client-is-open"),
    ("receiver-open-wider-than-vpn", "connection-logging-is-off", "vpn-sg-has-inbound-rules"),
)
ON_THE_NEGLECTED = (
    ("vpc-range-not-routed", "security-group-rule-names-missing-group"),
    (
        "routes-differ-between-associations",
        "security-group-rule-covered-by-another",
        "authorization-rule-covered-by-another",
    ),
)


def test_every_fix_is_run_against_the_stand_in() -> None:
    run = (*ON_THE_SAMPLE, *ON_THE_EXPOSED, *ON_THE_NEGLECTED)
    assert {id for ids in run for id in ids} == set(FIXES)


@pytest.mark.parametrize("checks", ON_THE_SAMPLE, ids="+".join)
def test_on_the_sample_what_was_previewed_comes_and_rollback_restores_the_start(
    aws: StandIn, tmp_path: Path, checks: tuple[str, ...]
) -> None:
    build(aws)
    start = read(aws, tmp_path / "before")
    there_and_back(aws, tmp_path, start, proposal(start, checks), REGIONS)


@pytest.mark.parametrize("checks", ON_THE_EXPOSED, ids="+".join)
def test_in_an_exposed_world_what_was_previewed_comes_and_rollback_restores_the_start(
    aws: StandIn, tmp_path: Path, checks: tuple[str, ...]
) -> None:
    exposed(aws)
    each_there_and_back(aws, tmp_path, checks)


@pytest.mark.parametrize("checks", ON_THE_NEGLECTED, ids="+".join)
def test_in_a_neglected_world_what_was_previewed_comes_and_rollback_restores_the_start(
    aws: StandIn, tmp_path: Path, checks: tuple[str, ...]
) -> None:
    neglected(aws)
    each_there_and_back(aws, tmp_path, checks)


def each_there_and_back(aws: StandIn, folder: Path, checks: tuple[str, ...]) -> None:
    """Go there and back with the fixes of checks, each of which changes something here."""
    start = read(aws, folder / "before", "ap-northeast-1")
    assert [id for id in checks if not proposal(start, [id]).steps] == []
    there_and_back(aws, folder, start, proposal(start, checks), ("ap-northeast-1",))


def there_and_back(
    aws: StandIn, folder: Path, start: Tables, found: Preview, regions: tuple[str, ...]
) -> None:
    """Apply, compare with what was previewed; roll back, compare with the start."""
    assert found.steps
    tried(aws, found, folder / "out")
    assert_same(read(aws, folder / "after", *regions), found.after, start)
    undone = run(aws, folder / "out" / "rollback.sh", "--apply")
    assert undone.returncode == 0, undone.stderr
    back = start
    for step in found.steps:
        back = step.change.apply(back)
    for step in reversed(found.steps):
        back = back if step.refused else step.inverse.apply(back)
    # The same as undone on the tables; these differ from the start only in what the warning says.
    assert_same(read(aws, folder / "back", *regions), back, start)
    restored, begun = contents(back, start, BLANKS), contents(start, start, BLANKS)
    said = any("without the other" in text for text in found.warnings)
    differing = {name for name in BASES if restored[name] != begun[name]}
    allowed = {"security_group_rules"} | ({"client_vpn_endpoints"} if said else set())
    allowed |= {"security_groups"} if any(step.refused for step in found.steps) else set()
    assert differing <= allowed
    # A rule made again has another id, and is otherwise the same.
    lost = {step.change.rule_id for step in found.steps if step.refused}
    assert without_ids(back) == without_ids(start, lost)
    assert ("not undone" in undone.stderr) == bool(lost)


def without_ids(tables: Tables, lost: set[str] = frozenset()) -> list[str]:
    rules = tables["security_group_rules"]
    rules = rules[~rules["rule_id"].isin(lost)].drop(columns=["rule_id", "source", "record"])
    return sorted(map(str, rules.astype(str).itertuples(index=False, name=None)))


def test_a_plan_of_every_kind_of_change_comes_as_previewed_and_goes_back(
    aws: StandIn, tmp_path: Path
) -> None:
    ids = exposed(aws)
    start = read(aws, tmp_path / "before", "ap-northeast-1")
    place = {"account": "111122223333", "region": "ap-northeast-1"}
    endpoint = {**place, "endpoint_id": ids["endpoint"]}
    rules, enis = start["security_group_rules"], start["network_interfaces"]
    app_rules = rules[(rules["group_id"] == ids["receiver"]) & ~rules["is_egress"]]
    made = CreateSecurityGroup(**place, vpc_id=ids["vpc"], group_name="vpn own")
    eni = enis.loc[enis["private_ip"] == "10.0.2.20", "eni_id"].iloc[0]
    changes = (
        made,
        AuthorizeRule(**place, group_id=ids["receiver"], protocol="tcp", from_port=22, to_port=22, peer=made.group_id),
        AuthorizeRule(**place, group_id=made.group_id, is_egress=True, protocol="udp", from_port=53, to_port=53, peer_kind="ipv4", peer="10.0.0.2/32", description="a $(name) here"),
        ApplySecurityGroups(**endpoint, vpc_id=ids["vpc"], group_ids=(made.group_id,)),
        SetInterfaceGroups(**place, eni_id=eni, group_ids=(ids["receiver"], ids["unused"])),
        AddAuthorizationRule(**endpoint, destination_cidr="10.0.2.0/24", group_id="dba $x", description="it's"),
        RemoveAuthorizationRule(**endpoint, destination_cidr="10.0.0.0/16", group_id="staff"),
        CreateRoute(**endpoint, destination_cidr="192.0.2.0/24", target_subnet=ids["vpn"]),
        DeleteRoute(**endpoint, destination_cidr="172.20.0.0/22", target_subnet="local"),
        ModifyLogging(**endpoint, enabled=True, log_group="/vpn/new log's"),
        RevokeRule(**place, group_id=ids["receiver"], rule_id=app_rules["rule_id"].iloc[0]),
        DeleteSecurityGroup(**place, group_id=ids["left over"]),
    )  # fmt: skip
    assert {change.kind for change in changes} == set(CHANGES)
    found = preview(start, changes)
    tried(aws, found, tmp_path / "out")
    assert_same(read(aws, tmp_path / "after", "ap-northeast-1"), found.after, start)
    undone = run(aws, tmp_path / "out" / "rollback.sh", "--apply")
    assert undone.returncode == 0, undone.stderr
    back = read(aws, tmp_path / "back", "ap-northeast-1")
    assert "another id" in " ".join(found.warnings)
    for name in ("client_vpn_routes", "client_vpn_authorization_rules", "network_interface_groups"):
        assert contents(back, start, {})[name] == contents(start, start, {})[name]
    assert set(back["security_groups"]["group_name"]) == set(start["security_groups"]["group_name"])


def small(aws: StandIn) -> dict[str, str]:
    place = Place(aws, "ap-northeast-1")
    vpc = place.vpc("office", "10.0.0.0/16")
    vpn = place.subnet(vpc, "vpn-a", "10.0.1.0/24", "a")
    app = place.subnet(vpc, "app-a", "10.0.2.0/24", "a")
    endpoint = place.endpoint(
        "office $(touch pwned) `x` '",
        "",
        "172.20.0.0/22",
        ServerCertificateArn=place.certificate("vpn.example.com", days=300, number=1),
        AuthenticationOptions=[
            {
                "Type": "federated-authentication",
                "FederatedAuthentication": {
                    "SAMLProviderArn": "arn:aws:iam::111122223333:saml-provider/idp"
                },
            }
        ],
        ConnectionLogOptions={"Enabled": False},
    )
    place.associate(endpoint, vpn)
    place.authorize(endpoint, "10.0.0.0/16", "staff")
    receiver = place.group(vpc, "app", "Application")
    place.admit(receiver, place.default_group(vpc), 443)
    place.instance(app, "app", receiver, ip="10.0.2.20")
    return {"vpc": vpc, "endpoint": endpoint, "receiver": receiver}


def exposed(aws: StandIn) -> dict[str, str]:
    """Build an endpoint of its own group, which lets nothing out but in, and clients meet."""
    place = Place(aws, "ap-northeast-1")
    ids = small(aws)
    own = place.group(ids["vpc"], "vpn", "VPN")
    place.ec2.apply_security_groups_to_client_vpn_target_network(
        ClientVpnEndpointId=ids["endpoint"], VpcId=ids["vpc"], SecurityGroupIds=[own]
    )
    subnets = place.ec2.describe_subnets()["Subnets"]
    vpn = next(s["SubnetId"] for s in subnets if s["CidrBlock"] == "10.0.1.0/24")
    place.admit(own, "0.0.0.0/0", 443)
    place.admit(ids["receiver"], "10.0.0.0/8", 8443)
    place.route(ids["endpoint"], "172.20.0.0/22", "local")
    place.authorize(ids["endpoint"], "172.20.0.0/22")
    left_over = place.group(ids["vpc"], "left over", "nobody")
    # A second endpoint, whose group lets nothing out.
    mute = place.group(ids["vpc"], "mute", "lets nothing out")
    place.empty(mute)
    second = place.endpoint(
        "mute",
        "",
        "172.21.0.0/22",
        VpcId=ids["vpc"],
        SecurityGroupIds=[mute],
        ServerCertificateArn=place.certificate("vpn2.example.com", days=300, number=2),
        AuthenticationOptions=[
            {
                "Type": "federated-authentication",
                "FederatedAuthentication": {
                    "SAMLProviderArn": "arn:aws:iam::111122223333:saml-provider/idp"
                },
            }
        ],
        ConnectionLogOptions={"Enabled": False},
    )
    place.associate(second, vpn)
    place.authorize(second, "10.0.0.0/16", "staff")
    place.admit(ids["receiver"], mute, 5432)
    unused = place.group(ids["vpc"], "unused", "nobody yet")
    return ids | {"own": own, "vpn": vpn, "left over": left_over, "unused": unused}


def neglected(aws: StandIn) -> None:
    """Build an endpoint with rules and routes that do nothing, and some that are missing."""
    place = Place(aws, "ap-northeast-1")
    ids = small(aws)
    vpc, endpoint, receiver = ids["vpc"], ids["endpoint"], ids["receiver"]
    place.associate(endpoint, place.subnet(vpc, "vpn-c", "10.0.3.0/24", "c"))
    vpn = place.subnet(vpc, "vpn-d", "10.0.4.0/24", "d")
    place.associate(endpoint, vpn)
    # A route of one association only, and a range of the VPC that came later.
    place.route(endpoint, "198.51.100.0/24", vpn)
    place.ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.9.0.0/16")
    place.authorize(endpoint, "10.0.2.0/24", "staff")
    place.admit(receiver, "10.0.1.0/24", 8000, 8080)
    place.admit(receiver, "10.0.1.0/25", 8080)
    peer = place.vpc("peer", "10.5.0.0/16")
    made = place.ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer)
    id = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    place.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=id)
    gone = place.group(peer, "gone", "soon deleted")
    place.admit(receiver, gone, 9000)
    place.ec2.delete_security_group(GroupId=gone)


def test_a_stop_before_a_window_leaves_it_undone_and_rollback_undoes_what_was_done(
    aws: StandIn, tmp_path: Path
) -> None:
    small(aws)
    start = read(aws, tmp_path / "before", "ap-northeast-1")
    found = proposal(start, ["vpn-sg-is-default"])
    out = tmp_path / "out"
    written(found, out)
    stopped = run(aws, out / "apply.sh", "--apply", yes=1)
    assert stopped.returncode == 1
    assert "Stopped" in stopped.stderr
    half = read(aws, tmp_path / "half", "ap-northeast-1")
    assert_same(
        half,
        found.steps[1].change.apply(found.steps[0].change.apply(start)),
        start,
    )
    undone = run(aws, out / "rollback.sh", "--apply")
    assert undone.returncode == 0, undone.stderr
    assert_same(read(aws, tmp_path / "back", "ap-northeast-1"), start, start)
    assert not (tmp_path / "pwned").exists()


def test_a_stopped_script_goes_on_where_it_stopped(aws: StandIn, tmp_path: Path) -> None:
    small(aws)
    start = read(aws, tmp_path / "before", "ap-northeast-1")
    found = proposal(start, ["vpn-sg-is-default"])
    written(found, tmp_path / "out")
    run(aws, tmp_path / "out" / "apply.sh", "--apply", yes=1)
    done = run(aws, tmp_path / "out" / "apply.sh", "--apply")
    assert done.returncode == 0, done.stderr
    assert "done before" in done.stdout
    assert_same(read(aws, tmp_path / "after", "ap-northeast-1"), found.after, start)


def test_another_account_is_refused_before_anything_is_asked(aws: StandIn, tmp_path: Path) -> None:
    small(aws)
    found = proposal(read(aws, tmp_path / "before", "ap-northeast-1"), ["vpn-sg-is-default"])
    written(found, tmp_path / "out")
    script = tmp_path / "out" / "apply.sh"
    text = script.read_text()
    assert text.count("expected_account=111122223333") == 1
    script.write_text(text.replace("=111122223333", "=999900001111"))
    refused = run(aws, script, "--apply")
    assert refused.returncode == 2
    assert "999900001111" in refused.stderr
    assert aws.writes == ()


def test_a_new_group_without_outbound_rules_comes_without_them(
    aws: StandIn, tmp_path: Path
) -> None:
    ids = small(aws)
    start = read(aws, tmp_path / "before", "ap-northeast-1")
    enis = start["network_interfaces"]
    place = {"account": "111122223333", "region": "ap-northeast-1"}
    made = CreateSecurityGroup(**place, vpc_id=ids["vpc"], group_name="closed", open_egress=False)
    eni = enis.loc[enis["private_ip"] == "10.0.2.20", "eni_id"].iloc[0]
    moved = SetInterfaceGroups(**place, eni_id=eni, group_ids=(ids["receiver"], made.group_id))
    found = preview(start, [moved, made])
    tried(aws, found, tmp_path / "out")
    assert_same(read(aws, tmp_path / "after", "ap-northeast-1"), found.after, start)
    undone = run(aws, tmp_path / "out" / "rollback.sh", "--apply")
    assert undone.returncode == 0, undone.stderr
    assert_same(read(aws, tmp_path / "back", "ap-northeast-1"), start, start)
