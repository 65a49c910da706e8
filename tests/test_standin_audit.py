"""From the API to the verdicts: a world in the stand-in, `collect`, `check`, ids and rows out."""

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from auditlib.aws.collect import collect
from auditlib.check import Severity, checks
from auditlib.cli import main
from tests.standin import StandIn
from tests.standin.sample_world import Place
from tests.worlds import NOW, saml_metadata

REGION = "ap-northeast-1"
ADVICE = {"authorization", "default_groups", "endpoint_groups", "reach", "receivers"}
"""Subjects of the checks that the exposed account is built for."""
DIRECTORY = "d-0123456789"
CREATED = NOW - timedelta(days=300)


@dataclass(kw_only=True)
class Verdicts:
    """What `auditlib check` said: exit status, and the findings by check."""

    exit_status: int
    findings: dict[str, dict[str, Any]]

    @property
    def statuses(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for id, finding in self.findings.items():
            found.setdefault(finding["status"], set()).add(id)
        return found

    def rows(self, check: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return these columns of a check's evidence, sorted."""
        return sorted(tuple(row[c] for c in columns) for row in self.findings[check]["evidence"])


def audited(aws: StandIn, folder: Path, *regions: str) -> Verdicts:
    """Collect from the stand-in, at the hour its worlds are made for, and check the snapshot."""
    out = str(folder / "snapshot")
    collect(out, regions=regions or (REGION,), endpoint_url=aws.url, clock=lambda: NOW)
    checked = CliRunner().invoke(main, ["check", out, "--format", "json"])
    findings = json.loads(checked.stdout)["findings"]
    assert aws.writes == ()
    return Verdicts(exit_status=checked.exit_code, findings={f["check"]: f for f in findings})


def rule_of(place: Place, group: str, *, egress: bool = False) -> str:
    """Return the id of a group's only inbound (or outbound) rule."""
    filters = [{"Name": "group-id", "Values": [group]}]
    rules = place.ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
    (rule,) = [r for r in rules if r["IsEgress"] == egress]
    return str(rule["SecurityGroupRuleId"])


def enis_of(place: Place, group: str) -> set[str]:
    enis = place.ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": [group]}])[
        "NetworkInterfaces"
    ]
    return {eni["NetworkInterfaceId"] for eni in enis}


def clean(aws: StandIn, region: str = REGION) -> dict[str, str]:
    """Build a model endpoint and a receiver that names its group; return their ids."""
    place = Place(aws, region)
    vpc = place.vpc("main", "10.0.0.0/16")
    place.empty(place.default_group(vpc))
    vpn = place.subnet(vpc, "vpn-a", "10.0.1.0/24", "a")
    app = place.subnet(vpc, "app-a", "10.0.2.0/24", "a")
    clients = place.group(vpc, "vpn-clients", "Client VPN")
    certificate = place.certificate("vpn.example.com", days=300, number=1, issued=True)
    provider = aws.add_saml_provider(
        "corp-idp", saml_metadata(), valid_until=NOW + timedelta(days=3650), created=CREATED
    )
    aws.add_directory(DIRECTORY, region=region)
    endpoint = place.endpoint(
        "staff",
        "",
        "172.20.0.0/22",
        created=CREATED,
        ServerCertificateArn=certificate,
        # More ways to prove oneself than AWS lets one endpoint have, so that one is enough here.
        AuthenticationOptions=[
            {
                "Type": "federated-authentication",
                "FederatedAuthentication": {"SAMLProviderArn": provider},
            },
            {
                "Type": "directory-service-authentication",
                "ActiveDirectory": {"DirectoryId": DIRECTORY},
            },
            {
                "Type": "certificate-authentication",
                "MutualAuthentication": {"ClientRootCertificateChainArn": certificate},
            },
        ],
        ConnectionLogOptions=place.log_group("/vpn/staff", 90),
        VpcId=vpc,
        SecurityGroupIds=[clients],
        ClientConnectOptions={
            "Enabled": True,
            "LambdaFunctionArn": aws.add_function("AWSClientVPN-gate", region=region),
        },
    )
    place.revocation_list(endpoint, days=90)
    place.associate(endpoint, vpn, place.subnet(vpc, "vpn-c", "10.0.3.0/24", "c"))
    place.authorize(endpoint, "10.0.0.0/16", "engineers")
    receiver = place.group(vpc, "app", "Application")
    place.admit(receiver, clients, 443)
    place.admit(receiver, place.prefix_list("offices", "198.51.100.0/24"), 443)
    place.instance(app, "app", receiver, ip="10.0.2.20")
    return {"vpc": vpc, "endpoint": endpoint, "clients": clients, "receiver": receiver, "app": app}


def clean_statuses() -> dict[str, set[str]]:
    """Return what the clean account gets: nothing to repair, some things to decide, no policy."""
    to_decide = {
        "authorization-policy-missing",
        "client-range-below-capacity",
        "client-routes-not-enforced",
        "device-posture-not-checked",
        "full-tunnel-drops-internet",
        "login-banner-is-off",
        "session-lasts-a-day",
    }
    policies = {c.id for c in checks() if c.population == "client_vpn_authorization_policies"}
    assert all(c.severity is Severity.INFO for c in checks() if c.id in to_decide)
    return {
        "fail": to_decide,
        "not_applicable": policies,
        "pass": {check.id for check in checks()} - to_decide - policies,
    }


def test_a_clean_account_leaves_nothing_to_repair(aws: StandIn, tmp_path: Path) -> None:
    clean(aws)
    verdicts = audited(aws, tmp_path)
    assert verdicts.statuses == clean_statuses()
    assert verdicts.exit_status == 0


def test_small_pages_and_a_burst_of_throttling_change_no_verdict(
    aws: StandIn, tmp_path: Path
) -> None:
    clean(aws)
    aws.page_size = 1
    aws.throttle("ec2", "DescribeSecurityGroupRules", times=1)
    verdicts = audited(aws, tmp_path)
    assert verdicts.statuses == clean_statuses()


def test_an_account_without_endpoints_has_nothing_to_judge(aws: StandIn, tmp_path: Path) -> None:
    verdicts = audited(aws, tmp_path)
    assert verdicts.statuses == {"not_applicable": {check.id for check in checks()}}
    assert verdicts.exit_status == 0


def test_an_exposed_account_gives_exactly_these_rows(aws: StandIn, tmp_path: Path) -> None:
    place = Place(aws, REGION)
    vpc = place.vpc("office", "10.0.0.0/16")
    vpn = place.subnet(vpc, "vpn-a", "10.0.1.0/24", "a")
    app = place.subnet(vpc, "app-a", "10.0.2.0/24", "a")
    default = place.default_group(vpc)
    certificate = place.certificate("vpn.example.com", days=300, number=1)
    endpoint = place.endpoint(
        "office",
        "",
        "172.20.0.0/22",
        created=CREATED,
        ServerCertificateArn=certificate,
        AuthenticationOptions=[
            {
                "Type": "certificate-authentication",
                "MutualAuthentication": {"ClientRootCertificateChainArn": certificate},
            }
        ],
        ConnectionLogOptions={"Enabled": False},
    )
    place.associate(endpoint, vpn)
    place.authorize(endpoint, "0.0.0.0/0")
    aws.add_connection(endpoint)
    (client_eni,) = enis_of(place, default)
    (address,) = place.vpn_addresses(endpoint)
    wiki = place.instance(app, "wiki", default, ip="10.0.2.20")
    database = place.managed(app, "RDSNetworkInterface", default, ip="10.0.2.21", by="amazon-rds")
    groups = {}
    for name, peer in (
        ("fragile", f"{address}/32"),
        ("wide", "10.0.1.0/24"),
        ("dead", "172.20.0.0/22"),
    ):
        groups[name] = place.group(vpc, name, name)
        place.admit(groups[name], peer, 443)

    verdicts = audited(aws, tmp_path)
    inbound = rule_of(place, default)
    in_order = {
        "authorization-rule-hides-network",
        "authorized-but-unreachable",
        "client-to-client-is-open",
        "receiver-open-wider-than-vpn",
        "routed-but-not-authorized",
        "vpn-sg-limits-outbound",
        "vpn-sg-not-yet-effective",
        "endpoint-is-idle",
        "quota-is-nearly-used",
        "revocation-list-expires-soon",
        "revocation-list-has-expired",
        "server-certificate-expires-soon",
        "server-certificate-has-expired",
        "server-certificate-is-weak",
    }
    beside_the_point = {
        "connect-handler-is-broken",
        "connect-handler-is-not-applied",
        "connection-log-is-kept-for-ever",
        "connection-log-is-missing",
        "directory-is-unhealthy",
        "prefix-list-is-empty",
        "saml-metadata-expires-soon",
        "saml-provider-is-unusable",
    }
    advice = {c.id for c in checks() if c.subject in ADVICE}
    assert verdicts.statuses["fail"] & advice == advice - in_order
    assert in_order <= verdicts.statuses["pass"]
    assert beside_the_point <= verdicts.statuses["not_applicable"]
    assert "not_assessed" not in verdicts.statuses
    assert verdicts.exit_status == 1
    assert verdicts.rows("vpn-sg-is-default", "endpoint_id", "group_id") == [(endpoint, default)]
    shared = sorted((endpoint, default, eni) for eni in (wiki, database))
    assert verdicts.rows("vpn-sg-is-shared", "endpoint_id", "group_id", "eni_id") == shared
    let_in = sorted((endpoint, default, inbound, eni) for eni in (wiki, database))
    columns = ("endpoint_id", "group_id", "rule_id", "eni_id")
    assert verdicts.rows("vpn-sg-lets-members-in", *columns) == let_in
    assert verdicts.rows("vpn-sg-has-inbound-rules", "endpoint_id", "rule_id") == [
        (endpoint, inbound)
    ]
    assert verdicts.rows("receiver-allows-address-not-group", "group_id", "rule_id") == sorted(
        (group, rule_of(place, group)) for group in groups.values()
    )
    assert verdicts.rows("authorization-allows-everyone", "endpoint_id", "destination_cidr") == [
        (endpoint, "0.0.0.0/0")
    ]
    assert verdicts.rows("default-sg-has-rules", "group_id", "rule_id") == sorted(
        (default, rule_of(place, default, egress=egress)) for egress in (False, True)
    )
    assert verdicts.rows("default-sg-is-used", "eni_id") == sorted(
        (eni,) for eni in (client_eni, wiki, database)
    )
    for check in (
        "authentication-is-certificate-only",
        "connection-logging-is-off",
        "source-address-not-restricted",
    ):
        assert verdicts.rows(check, "endpoint_id") == [(endpoint,)]


def test_a_change_of_groups_is_reported_until_it_has_settled(aws: StandIn, tmp_path: Path) -> None:
    world = clean(aws)
    place = Place(aws, REGION)
    new = place.group(world["vpc"], "vpn-new", "Client VPN, new")
    place.admit(world["receiver"], new, 443)
    place.ec2.modify_client_vpn_endpoint(
        ClientVpnEndpointId=world["endpoint"], VpcId=world["vpc"], SecurityGroupIds=[new]
    )
    before = audited(aws, tmp_path / "before")
    assert before.rows("vpn-sg-not-yet-effective", "endpoint_id", "group_id") == sorted(
        (world["endpoint"], group) for group in (world["clients"], new)
    )
    aws.settle()
    after = audited(aws, tmp_path / "after")
    assert after.findings["vpn-sg-not-yet-effective"]["status"] == "pass"


def test_one_region_refused_leaves_the_other_judged(aws: StandIn, tmp_path: Path) -> None:
    clean(aws)
    clean(aws, "us-east-1")
    aws.deny("ec2", "DescribeSecurityGroupRules", region="us-east-1")
    verdicts = audited(aws, tmp_path, REGION, "us-east-1")
    finding = verdicts.findings["vpn-sg-has-inbound-rules"]
    assert finding["status"] == "not_assessed"
    assert {gap["region"] for gap in finding["gaps"]} == {"us-east-1"}
    assert verdicts.findings["vpn-sg-is-default"]["status"] == "pass"
    assert verdicts.exit_status == 3


def test_an_endpoint_deleted_meanwhile_is_not_said_to_be_fine(aws: StandIn, tmp_path: Path) -> None:
    world = clean(aws)
    aws.after("ec2", "DescribeClientVpnEndpoints", lambda: aws.delete_endpoint(world["endpoint"]))
    verdicts = audited(aws, tmp_path)
    finding = verdicts.findings["authorization-allows-everyone"]
    assert finding["status"] == "not_assessed"
    assert {gap["error_code"] for gap in finding["gaps"]} == {"InvalidClientVpnEndpointId.NotFound"}
