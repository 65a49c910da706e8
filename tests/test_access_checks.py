"""The checks that rest on reach: world in, status, ids and reasons out."""

import pytest

from auditlib.access import reach_counts
from auditlib.check import Status, audit
from auditlib.checks.reach import SENSITIVE_PORTS
from auditlib.tables import Tables
from tests.worlds import REGION, World

ANY = "0.0.0.0/0"
CHECKS = (
    "authorization-rule-hides-network",
    "authorized-but-unreachable",
    "client-to-client-is-open",
    "receiver-admits-all-ports-from-vpn",
    "receiver-open-wider-than-vpn",
    "routed-but-not-authorized",
    "sensitive-port-reachable-by-everyone",
)


def found(world: World, id: str):
    return audit(Tables(world.snapshot()), only=[id])[0]


class Site(World):
    """A VPC with an endpoint and one receiver, in order as far as these checks go."""

    def __init__(self) -> None:
        super().__init__()
        self.vpc_id = self.vpc()
        self.revoke(self.default_group(self.vpc_id))
        self.home = self.subnet(self.vpc_id, "10.0.1.0/24")
        self.there = self.subnet(self.vpc_id, "10.0.2.0/24")
        self.vpn = self.security_group(self.vpc_id, "vpn")
        self.app = self.security_group(self.vpc_id, "app")
        self.ingress(self.app, self.vpn, "tcp", (443, 443))
        self.eni = self.interface(self.there, self.app, ip="10.0.2.9", name="app")
        self.staff = self.endpoint(self.vpc_id, (self.vpn,), name="staff")
        self.associate(self.staff, self.home)


def orderly() -> Site:
    w = Site()
    w.authorize(w.staff, "10.0.2.0/24", "dev")
    return w


@pytest.mark.parametrize("id", CHECKS)
def test_an_orderly_site_passes(id):
    made = found(orderly(), id)
    assert made.status is Status.PASS, made.evidence.to_dict("records")


@pytest.mark.parametrize("id", CHECKS)
def test_without_an_endpoint_nothing_applies(id):
    w = World()
    w.vpc()
    assert found(w, id).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("id", CHECKS)
def test_an_endpoint_being_deleted_is_not_judged(id):
    w = orderly()
    w.record(w.staff)["Status"] = {"Code": "deleting"}
    assert found(w, id).status is Status.NOT_APPLICABLE


def test_a_narrow_rule_that_takes_a_network_from_other_groups_is_named_with_them():
    w = orderly()
    w.authorize(w.staff, ANY)
    w.authorize(w.staff, "10.0.2.9/32", "dba")
    made = found(w, "authorization-rule-hides-network")
    assert made.status is Status.FAIL
    rows = made.evidence[["destination_cidr", "groups", "hidden_from"]]
    assert list(rows.itertuples(index=False, name=None)) == [
        ("10.0.2.9/32", ("dba",), ("*", "dev")),
        ("10.0.2.0/24", ("dev",), ("*",)),
    ]
    assert "takes it from every other user and dev in spite of" in made.evidence["reason"].iloc[0]


def test_a_rule_for_everyone_hides_nothing():
    w = orderly()
    w.authorize(w.staff, "10.0.2.9/32")
    assert found(w, "authorization-rule-hides-network").status is Status.PASS


@pytest.mark.parametrize(
    ("bend", "stop"),
    [
        (lambda w: w.authorize(w.staff, "10.0.7.0/24", "ops"), "no interface that was read"),
        (lambda w: w.authorize(w.staff, "192.0.2.0/24", "ops"), "no active route of the endpoint"),
        (
            lambda w: (
                w.authorize(w.staff, "192.0.2.0/24", "ops"),
                w.endpoint_route(w.staff, "192.0.2.0/24", w.home),
            ),
            "route table has no working route",
        ),
        (
            lambda w: (
                w.authorize(w.staff, "10.0.3.0/24", "ops"),
                w.interface(w.subnet(w.vpc_id, "10.0.3.0/24"), w.security_group(w.vpc_id)),
            ),
            "no receiver there admits the endpoint",
        ),
    ],
)
def test_a_rule_that_ends_nowhere_is_named_with_what_stops_it(bend, stop):
    w = orderly()
    bend(w)
    made = found(w, "authorized-but-unreachable")
    assert made.status is Status.FAIL
    assert stop in made.evidence["reason"].iloc[0]
    assert set(made.evidence["group_id"].dropna()) == {"ops"}


def test_an_endpoint_that_lets_nothing_out_is_stopped_by_its_own_group():
    w = without_outbound()
    made = found(w, "authorized-but-unreachable")
    assert set(made.evidence["kind"]) == {"authorization_rule", "route"}
    assert made.evidence["stopped_by"].str.contains("let nothing out").all()


def without_outbound() -> Site:
    w = orderly()
    rules = w._lists[REGION, "ec2-describe-security-group-rules", None]
    rules[:] = [rule for rule in rules if not (rule["IsEgress"] and rule["GroupId"] == w.vpn)]
    return w


def closed_acl(w: Site, subnet: str) -> str:
    acl = w.network_acl(w.vpc_id)
    w.use_network_acl(acl, subnet)
    return acl


def reasons(w: Site) -> str:
    made = found(w, "authorized-but-unreachable")
    rules = made.evidence[made.evidence["kind"].eq("authorization_rule")]
    return " ".join(rules["reason"])


def test_what_an_outbound_rule_would_open_is_named():
    w = without_outbound()
    assert f"With an outbound rule users get there, or may get there, to {w.eni}." in reasons(w)
    w.authorize(w.staff, "192.0.2.0/24", "ops")
    w.endpoint_route(w.staff, "192.0.2.0/24", w.home)
    w.route(w.vpc_id, "192.0.2.0/24", TransitGatewayId="tgw-1")
    told = reasons(w)
    assert f"{w.staff} (staff) authorizes 192.0.2.0/24 for ops, but the endpoint's security" in told
    assert "With an outbound rule it leaves what was read" in told


@pytest.mark.parametrize("where", ["home", "there"])
def test_a_network_acl_that_stops_it_all_the_same_is_named_and_nothing_is_said_to_open(where):
    w = without_outbound()
    subnet = getattr(w, where)
    acl = closed_acl(w, subnet)
    told = reasons(w)
    assert "An outbound rule alone does not open it:" in told
    assert f"network ACL {acl} of {subnet}" in told
    assert "users get there" not in told


def test_receivers_that_admit_nobody_stop_it_all_the_same():
    w = without_outbound()
    w.revoke(w.app)
    assert f"does not open it: the receivers' security groups ({w.app}) would" in reasons(w)


def test_a_network_acl_alone_is_not_said_to_be_the_security_groups():
    w = orderly()
    closed_acl(w, w.home)
    told = reasons(w)
    assert "the network ACL of the endpoint's subnet lets nothing out there" in told
    assert "security groups" not in told
    assert "outbound rule" not in told


def test_inside_one_subnet_no_network_acl_stops_anything():
    w = without_outbound()
    closed_acl(w, w.home)
    near = w.interface(w.home, w.app, ip="10.0.1.77", name="near")
    w.authorize(w.staff, "10.0.1.77/32", "dev")
    assert f"or may get there, to {near}." in reasons(w)


def test_a_network_acl_that_could_not_be_read_is_not_said_to_stop_anything():
    w = without_outbound()
    w.refuse("ec2-describe-network-acls")
    assert found(w, "authorized-but-unreachable").status is Status.NOT_ASSESSED
    opened = Tables(w.snapshot())["opened_networks"]
    assert opened["would_reach"].tolist() == [(w.eni,), (w.eni,)]
    assert opened["also_stopped_by"].isna().all()


def test_an_endpoint_without_associations_opens_nothing():
    w = World()
    endpoint = w.endpoint(w.vpc())
    w.authorize(endpoint, ANY)
    made = found(w, "authorized-but-unreachable")
    assert made.evidence["stopped_by"].tolist() == ["no association of the endpoint is in force"]


def test_traffic_that_leaves_what_was_read_is_no_dead_end():
    w = orderly()
    w.route(w.vpc_id, "192.0.2.0/24", TransitGatewayId="tgw-1")
    w.authorize(w.staff, "192.0.2.0/24", "ops")
    w.endpoint_route(w.staff, "192.0.2.0/24", w.home)
    assert found(w, "authorized-but-unreachable").status is Status.PASS


def test_a_route_that_nobody_is_authorized_for_is_named():
    w = orderly()
    w.endpoint_route(w.staff, "192.0.2.0/24", w.home)
    made = found(w, "routed-but-not-authorized")
    assert made.status is Status.FAIL
    assert made.evidence["destination_cidr"].tolist() == ["192.0.2.0/24"]
    assert w.home in made.evidence["reason"].iloc[0]


def test_a_receiver_that_admits_every_port_is_named_with_the_rule():
    w = orderly()
    rule = w.ingress(w.app, w.vpn, "tcp", (0, 65535))
    made = found(w, "receiver-admits-all-ports-from-vpn")
    assert made.status is Status.FAIL
    assert made.evidence["eni_id"].tolist() == [w.eni]
    assert rule in made.evidence["rule_ids"].iloc[0]


def test_every_port_by_two_ranges_is_every_port():
    w = orderly()
    w.ingress(w.app, w.vpn, "udp", (0, 1000))
    w.ingress(w.app, "10.0.1.0/24", "udp", (1001, 65535))
    assert found(w, "receiver-admits-all-ports-from-vpn").status is Status.FAIL


def test_the_endpoint_s_own_interfaces_are_no_receivers_to_report():
    w = orderly()
    w.ingress(w.vpn, w.vpn)
    w.authorize(w.staff, "10.0.1.0/24")
    for id in ("receiver-admits-all-ports-from-vpn", "sensitive-port-reachable-by-everyone"):
        assert found(w, id).status is Status.PASS


@pytest.mark.parametrize(("group", "who"), [(None, "every user"), ("dev", "users of some groups")])
def test_clients_that_reach_each_other_are_named(group, who):
    w = orderly()
    w.endpoint_route(w.staff, "172.20.0.0/22", "local")
    assert found(w, "client-to-client-is-open").status is Status.PASS
    w.authorize(w.staff, "172.20.0.0/22", group)
    made = found(w, "client-to-client-is-open")
    assert made.status is Status.FAIL
    assert who in made.evidence["reason"].iloc[0]


def test_a_database_port_open_to_every_user_is_named_with_interface_and_rule():
    w = orderly()
    rule = w.ingress(w.app, w.vpn, "tcp", (5432, 5432))
    assert found(w, "sensitive-port-reachable-by-everyone").status is Status.PASS
    w.authorize(w.staff, "10.0.2.9/32")
    made = found(w, "sensitive-port-reachable-by-everyone")
    assert made.status is Status.FAIL
    row = made.evidence.iloc[0]
    assert (row["eni_id"], row["ports"]) == (w.eni, ("tcp 5432",))
    assert rule in row["rule_ids"]
    assert "PostgreSQL (TCP 5432)" in row["reason"]


def test_the_table_of_sensitive_ports_names_each_once():
    assert len({(protocol, port) for protocol, port, _ in SENSITIVE_PORTS}) == len(SENSITIVE_PORTS)
    assert {port for _, port, _ in SENSITIVE_PORTS} >= {22, 3389, 3306, 5432, 1433, 6379, 27017}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (ANY, "the internet"),
        ("10.0.0.0/16", "all of vpc-"),
        ("10.0.0.0/8", "all of vpc-"),
        ("list", "all of vpc-"),
    ],
)
def test_a_rule_that_admits_far_more_than_the_vpn_is_named(source, said):
    w = orderly()
    source = w.prefix_list("10.0.0.0/17", "10.0.128.0/17") if source == "list" else source
    rule = w.ingress(w.app, source, "tcp", (8443, 8443))
    made = found(w, "receiver-open-wider-than-vpn")
    assert made.status is Status.FAIL
    assert made.evidence["rule_id"].tolist() == [rule]
    assert said in made.evidence["reason"].iloc[0]


def test_a_wide_rule_that_vpn_users_do_not_reach_is_no_matter_of_the_vpn():
    w = orderly()
    other = w.security_group(w.vpc_id, "web")
    w.ingress(other, ANY, "tcp", (443, 443))
    w.interface(w.subnet(w.vpc_id, "10.0.3.0/24"), other)
    assert found(w, "receiver-open-wider-than-vpn").status is Status.PASS


@pytest.mark.parametrize(
    "id",
    [
        "receiver-admits-all-ports-from-vpn",
        "sensitive-port-reachable-by-everyone",
        "receiver-open-wider-than-vpn",
    ],
)
def test_what_lies_behind_a_transit_gateway_is_not_assessed(id):
    w = World()
    vpc = w.vpc()
    app = w.security_group(vpc)
    w.ingress(app, "172.20.0.0/22")
    w.interface(w.subnet(vpc, "10.0.2.0/24"), app)
    w.route(vpc, "172.20.0.0/16", TransitGatewayId="tgw-1")
    endpoint = w.endpoint(
        None,
        TransitGatewayConfiguration={
            "TransitGatewayId": "tgw-1",
            "TransitGatewayAttachmentId": "tgw-attach-1",
        },
    )
    w.record(endpoint)["Status"] = {"Code": "available"}
    w._add(
        "ec2-describe-client-vpn-routes",
        {
            "ClientVpnEndpointId": endpoint,
            "DestinationCidr": "10.0.0.0/8",
            "TransitGatewayAttachmentId": "tgw-attach-1",
            "Status": {"Code": "active"},
        },
        resource=endpoint,
    )
    w.authorize(endpoint, "10.0.0.0/16")
    made = found(w, id)
    assert made.status is Status.NOT_ASSESSED
    assert made.gaps["operation"].tolist() == ["search-transit-gateway-routes"]
    assert "the routes of transit gateways are not read" in made.gaps["error_message"].iloc[0]


def test_an_interface_without_groups_leaves_the_rest_assessed():
    w = orderly()
    w.interface(w.there, ip="10.0.2.50", type="nat_gateway")
    assert found(w, "receiver-open-wider-than-vpn").status is Status.PASS


def test_a_network_acl_that_could_not_be_read_is_no_pass_and_no_dead_end():
    w = orderly().refuse("ec2-describe-network-acls")
    for id in ("receiver-admits-all-ports-from-vpn", "authorized-but-unreachable"):
        assert found(w, id).status is Status.NOT_ASSESSED


def test_a_refused_call_is_named_and_not_blamed_on_what_aws_leaves_open():
    w = orderly().refuse("ec2-describe-network-acls")
    judged = found(w, "sensitive-port-reachable-by-everyone")
    assert judged.status is Status.NOT_ASSESSED
    assert set(judged.gaps["operation"]) == {"describe-network-acls"}


def test_the_view_of_reached_interfaces_says_who_reaches_what():
    w = orderly()
    rule = w.ingress(w.app, "10.0.1.11/32", "icmp", (8, -1))
    w.authorize(w.staff, "10.0.2.9/32")
    row = Tables(w.snapshot())["reached_interfaces"].iloc[0]
    assert row["eni_id"] == w.eni
    assert row["ports"] == ("icmp 8--1", "tcp 443-443")
    assert row["everyone_ports"] == row["ports"]
    assert rule in row["rule_ids"]
    assert (row["certainty"], bool(row["all_ports"])) == ("reliable", False)
    assert row["subnets"] == (w.home,)


def test_counts_need_no_rows():
    w = orderly()
    w.authorize(w.staff, ANY)
    w.interface(w.there, ip="10.0.2.50", type="nat_gateway")
    w.endpoint_route(w.staff, ANY, w.home)
    w.route(w.vpc_id, ANY, GatewayId="igw-1")
    frame = reach_counts(Tables(w.snapshot()))
    assert list(frame.iloc[:, 3:].itertuples(index=False, name=None)) == [
        ("*", 0, 0, True),
        ("dev", 1, 1, True),
    ]


UNLISTED = (
    "receiver-admits-all-ports-from-vpn",
    "receiver-open-wider-than-vpn",
    "sensitive-port-reachable-by-everyone",
)


@pytest.mark.parametrize("id", UNLISTED)
def test_receivers_in_a_peered_vpc_that_was_not_read_are_not_assessed(id):
    w = orderly()
    far = w.vpc("10.1.0.0/16")
    w.peering(w.vpc_id, far)
    w.authorize(w.staff, "10.1.0.0/16")
    w.endpoint_route(w.staff, "10.1.0.0/16", w.home)
    assert found(w, id).status is Status.PASS
    for read in ("vpcs", "security-groups", "route-tables", "network-acls"):
        records = w._lists[w.region, f"ec2-describe-{read}", None]
        records[:] = [record for record in records if record["VpcId"] != far]
    made = found(w, id)
    assert made.status is Status.NOT_ASSESSED
    assert w.staff in made.gaps["resource"].tolist()
    assert f"{far} was not read" in made.gaps["error_message"][0]


@pytest.mark.parametrize("id", UNLISTED)
def test_receivers_in_a_vpc_shared_by_another_account_are_not_assessed(id):
    w = orderly()
    w.record(w.vpc_id)["OwnerId"] = "444455556666"
    made = found(w, id)
    assert made.status is Status.NOT_ASSESSED
    assert "not all interfaces there are shown" in made.gaps["error_message"][0]


@pytest.mark.parametrize("id", UNLISTED)
@pytest.mark.parametrize(
    ("target", "status"),
    [
        ({"TransitGatewayId": "tgw-1"}, Status.NOT_ASSESSED),
        ({"CoreNetworkArn": "arn:aws:networkmanager::1:core-network/c"}, Status.NOT_ASSESSED),
        ({"GatewayId": "vgw-1"}, Status.PASS),
        ({"NatGatewayId": "nat-1"}, Status.PASS),
    ],
)
def test_receivers_in_vpcs_behind_a_transit_gateway_are_not_assessed(id, target, status):
    w = orderly()
    w.authorize(w.staff, "10.1.0.0/16")
    w.endpoint_route(w.staff, "10.1.0.0/16", w.home)
    w.route(w.vpc_id, "10.1.0.0/16", **target)
    assert found(w, id).status is status


@pytest.mark.parametrize("id", UNLISTED)
def test_an_endpoint_on_a_transit_gateway_without_a_receiver_in_sight_is_not_assessed(id):
    w = World()
    endpoint = w.endpoint(
        TransitGatewayConfiguration={
            "TransitGatewayId": "tgw-1",
            "TransitGatewayAttachmentId": "tgw-attach-1",
        }
    )
    w.record(endpoint)["Status"] = {"Code": "available"}
    w.authorize(endpoint, "10.0.0.0/8")
    w.endpoint_route(endpoint, "10.0.0.0/8", "")
    routes = w._lists[w.region, "ec2-describe-client-vpn-routes", endpoint]
    routes[0]["TransitGatewayAttachmentId"] = "tgw-attach-1"
    assert found(w, id).status is Status.NOT_ASSESSED


TRANSITIONS = (
    ("authorization-rules", "authorizing"),
    ("authorization-rules", "revoking"),
    ("authorization-rules", "a-new-word"),
    ("routes", "creating"),
    ("routes", "deleting"),
    ("target-networks", "disassociating"),
)


@pytest.mark.parametrize("id", CHECKS)
@pytest.mark.parametrize(("what", "status"), TRANSITIONS)
def test_while_a_rule_route_or_association_is_changing_nothing_passes(id, what, status):
    w = orderly()
    w._lists[w.region, f"ec2-describe-client-vpn-{what}", w.staff][0]["Status"]["Code"] = status
    made = found(w, id)
    assert made.status is Status.NOT_ASSESSED, made.evidence.to_dict("records")
    assert made.gaps["resource"].tolist() == [w.staff]
    assert f"is {status}: whether it holds cannot be told" in made.gaps["error_message"].iloc[0]


@pytest.mark.parametrize("id", CHECKS)
def test_a_rule_or_route_that_failed_is_no_doubt(id):
    w = orderly()
    w.authorize(w.staff, "10.0.2.0/28", "ops", status="failed")
    w.endpoint_route(w.staff, "192.0.2.0/24", w.home, status="failed")
    assert found(w, id).status is Status.PASS


def test_a_narrow_rule_for_a_group_between_clients_decides_and_not_the_wide_one_for_everyone():
    w = orderly()
    w.authorize(w.staff, ANY)
    w.endpoint_route(w.staff, "172.20.0.0/22", "local")
    w.authorize(w.staff, "172.20.0.0/22", "dev")
    reason = found(w, "client-to-client-is-open").evidence["reason"].iloc[0]
    assert "authorizes users of some groups for it" in reason


@pytest.mark.parametrize("id", UNLISTED)
def test_a_group_that_shows_more_than_was_listed_is_not_assessed(id):
    w = orderly()
    shown = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANY}, {"CidrIp": "10.0.0.0/8"}]}
    w.record(w.app)["IpPermissions"] = [shown]
    made = found(w, id)
    assert made.status is Status.NOT_ASSESSED
    assert w.app in made.gaps["resource"].tolist()


def test_two_halves_of_a_vpc_in_two_rules_admit_all_of_it():
    w = orderly()
    low = w.ingress(w.app, "10.0.0.0/17", "tcp", (8443, 8443))
    w.ingress(w.app, "10.0.128.0/17", "udp", (8443, 8443))
    assert found(w, "receiver-open-wider-than-vpn").status is Status.PASS
    high = w.ingress(w.app, "10.0.128.0/17", "tcp", (8443, 8443))
    made = found(w, "receiver-open-wider-than-vpn")
    assert made.status is Status.FAIL
    assert made.evidence["rule_id"].tolist() == [low]
    assert f"together with {high} (10.0.128.0/17) admits all of" in made.evidence["reason"][0]


def test_two_halves_of_the_internet_are_the_internet():
    w = orderly()
    low = w.ingress(w.app, "0.0.0.0/1", "tcp", (8443, 8443))
    w.ingress(w.app, "128.0.0.0/1", "tcp", (8443, 8443))
    made = found(w, "receiver-open-wider-than-vpn")
    assert made.evidence["rule_id"].tolist() == [low]


@pytest.mark.parametrize(
    "id", ["sensitive-port-reachable-by-everyone", "receiver-admits-all-ports-from-vpn"]
)
def test_evidence_of_reach_is_traced_to_the_rule_that_admits(id):
    w = orderly()
    w.authorize(w.staff, "10.0.2.0/24")
    rule = w.ingress(w.app, w.vpn)
    snapshot = w.snapshot()
    (row,) = audit(Tables(snapshot), only=[id])[0].evidence.to_dict("records")
    assert rule in row["rule_ids"]
    assert row["source"].endswith("/ec2-describe-security-group-rules.json")
    rules = w._lists[REGION, "ec2-describe-security-group-rules", None]
    assert rules[row["record"]]["SecurityGroupRuleId"] == row["rule_ids"][0]
