"""Availability, addressing and dead configuration: networks in, findings out."""

import pytest

from auditlib.changes.fixes import FIXES
from auditlib.check import Status, audit
from auditlib.tables import Tables
from tests.worlds import World, column, finding

ZONE = "endpoint-in-one-zone"
FULL = "association-subnet-nearly-full"
PLACE = "association-not-in-place"
ALONE = "endpoint-without-association"
STATE = "endpoint-not-settled"
DIFFER = "routes-differ-between-associations"
OVERLAP = "client-range-overlaps-network"
USED = "client-range-nearly-used-up"
CAPACITY = "client-range-below-capacity"
ROUTED = "vpc-range-not-routed"
FAILED = "endpoint-rule-or-route-failed"
COVERED = "authorization-rule-covered-by-another"
STALE = "security-group-rule-names-missing-group"
MISSING = "endpoint-names-missing-security-group"
NOWHERE = "association-route-leads-nowhere"
RULES = "security-group-rule-covered-by-another"
GATEWAY = {"TransitGatewayConfiguration": {"TransitGatewayId": "tgw-1"}}
OF_ENDPOINTS = [
    ZONE, FULL, PLACE, ALONE, STATE, DIFFER, OVERLAP, USED, CAPACITY, ROUTED, FAILED, COVERED,
    MISSING, NOWHERE, RULES,
]  # fmt: skip


@pytest.fixture
def world():
    return World()


@pytest.fixture
def vpc(world):
    return world.vpc(name="main")


@pytest.fixture
def subnets(world, vpc):
    return [
        world.subnet(vpc, f"10.0.{n}.0/24", zone=zone, name=f"vpn-{zone}")
        for n, zone in enumerate("ac")
    ]


@pytest.fixture
def endpoint(world, vpc, subnets):
    """Return an endpoint with its own group in two zones, with nothing wrong but its range."""
    made = world.endpoint(vpc, (world.security_group(vpc, "vpn"),), name="staff")
    for subnet in subnets:
        world.associate(made, subnet)
    return made


def status(world, id):
    return finding(world, id).status


def reasons(world, id):
    return finding(world, id).evidence["reason"].tolist()


@pytest.mark.parametrize("id", OF_ENDPOINTS)
def test_a_sound_endpoint_passes(world, endpoint, id):
    assert status(world, id) is Status.PASS


@pytest.mark.parametrize("id", OF_ENDPOINTS)
def test_without_an_endpoint_nothing_applies_and_a_refusal_is_not_that(world, id):
    assert status(world, id) is Status.NOT_APPLICABLE
    world.refuse("ec2-describe-client-vpn-endpoints")
    assert status(world, id) is Status.NOT_ASSESSED


@pytest.mark.parametrize("id", [ZONE, FULL, PLACE, ALONE, DIFFER, CAPACITY, ROUTED, MISSING])
def test_an_endpoint_on_a_transit_gateway_is_left_out_and_that_is_said(world, id):
    world.endpoint(**GATEWAY)
    found = finding(world, id)
    assert found.status is Status.NOT_APPLICABLE
    assert "attached to a transit gateway" in found.answer


@pytest.mark.parametrize("id", [ZONE, FULL, PLACE, ALONE, DIFFER, CAPACITY, ROUTED, NOWHERE])
def test_associations_that_were_refused_are_not_assessed(world, endpoint, id):
    world.refuse("ec2-describe-client-vpn-target-networks", resource=endpoint)
    assert status(world, id) is Status.NOT_ASSESSED


# -- availability ---------------------------------------------------------------------------------


def test_one_subnet_is_one_zone(world, vpc, subnets):
    world.associate(world.endpoint(vpc, name="staff"), subnets[0])
    (told,) = reasons(world, ZONE)
    assert f"one subnet, {subnets[0]} (vpn-a) in ap-northeast-1a" in told


@pytest.mark.parametrize("state", ["association-failed", "disassociating", "disassociated"])
def test_an_association_that_does_not_hold_is_no_second_zone(world, endpoint, state):
    world.associations(endpoint)[1]["Status"] = {"Code": state}
    assert column(finding(world, ZONE), "endpoint_id") == {endpoint}


@pytest.mark.parametrize("id", [ZONE, DIFFER])
@pytest.mark.parametrize("state", [{"Code": "associating"}, {"Code": "a-new-word"}, {}, None])
def test_an_association_that_is_not_known_to_stand_is_never_passed(world, endpoint, id, state):
    association = world.associations(endpoint)[1]
    if state is None:
        del association["Status"]
    else:
        association["Status"] = state
    found = finding(world, id)
    assert found.status is Status.NOT_ASSESSED
    assert "whether it stands is not known" in found.answer


@pytest.mark.parametrize(
    ("free", "expected"), [(20, Status.PASS), (19, Status.FAIL), (0, Status.FAIL)]
)
def test_aws_asks_for_twenty_free_addresses(world, endpoint, subnets, free, expected):
    world.record(subnets[0])["AvailableIpAddressCount"] = free
    assert status(world, FULL) is expected


def test_addresses_nobody_counted_are_not_assessed(world, endpoint, subnets):
    del world.record(subnets[0])["AvailableIpAddressCount"]
    found = finding(world, FULL)
    assert found.status is Status.NOT_ASSESSED
    assert found.gaps["resource"].tolist() == [subnets[0]]


def test_a_full_subnet_without_an_endpoint_is_none_of_ours(world, endpoint, vpc):
    other = world.subnet(vpc, "10.0.9.0/28")
    world.record(other)["AvailableIpAddressCount"] = 0
    assert status(world, FULL) is Status.PASS


def test_a_failed_association_comes_before_one_on_its_way(world, endpoint):
    first, second = world.associations(endpoint)
    first["Status"] = {"Code": "associating"}
    second["Status"] = {"Code": "association-failed", "Message": "no address left"}
    failed, late = reasons(world, PLACE)
    assert "failed (no address left)" in failed
    assert "is associating, and nothing tells since when" in late


def test_an_endpoint_without_a_subnet_costs_nothing_and_serves_nobody(world, vpc):
    world.endpoint(vpc, name="new")
    (told,) = reasons(world, ALONE)
    assert "nobody can connect, and AWS bills nothing for it" in told


def test_a_failed_association_alone_is_none(world, vpc, subnets):
    world.associate(world.endpoint(vpc), subnets[0], status="association-failed")
    assert status(world, ALONE) is Status.FAIL


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("deleting", "is being deleted"),
        ("deleted", "is deleted and still listed"),
        ("pending", "is pending"),
        ("strange", "is in the state strange"),
    ],
)
def test_a_state_that_passes_is_told(world, endpoint, state, said):
    world.record(endpoint)["Status"] = {"Code": state}
    assert reasons(world, STATE) == [f"{endpoint} (staff) {said}."]


def test_a_route_through_one_of_two_subnets_is_found_with_the_other(world, endpoint, subnets):
    world.endpoint_route(endpoint, "192.168.0.0/16", subnets[0])
    found = finding(world, DIFFER)
    assert column(found, "destination_cidr", "subnet_id") == {("192.168.0.0/16", subnets[1])}


def test_the_same_network_in_halves_is_no_difference(world, endpoint, subnets):
    world.endpoint_route(endpoint, "192.168.0.0/16", subnets[0])
    world.endpoint_route(endpoint, "192.168.0.0/17", subnets[1])
    assert status(world, DIFFER) is Status.FAIL
    world.endpoint_route(endpoint, "192.168.128.0/17", subnets[1])
    assert status(world, DIFFER) is Status.PASS


def test_a_route_being_made_counts_where_it_is_active_only(world, endpoint, subnets):
    world.endpoint_route(endpoint, "192.168.0.0/16", subnets[0], status="creating")
    assert status(world, DIFFER) is Status.PASS


def test_the_fix_of_a_difference_is_the_missing_route(world, endpoint, subnets):
    world.endpoint_route(endpoint, "192.168.0.0/16", subnets[0])
    tables = Tables(world.snapshot())
    (found,) = audit(tables, only=[DIFFER])
    (change,) = FIXES[DIFFER](tables, found.evidence).changes
    assert (change.destination_cidr, change.target_subnet) == ("192.168.0.0/16", subnets[1])


# -- addressing -----------------------------------------------------------------------------------


def overlaps(world):
    return column(finding(world, OVERLAP), "kind", "destination_cidr")


def test_a_range_of_the_vpc_overlaps(world, endpoint, vpc):
    world.record(vpc)["CidrBlockAssociationSet"].append(
        {
            "AssociationId": "x",
            "CidrBlock": "172.20.0.0/20",
            "CidrBlockState": {"State": "associated"},
        }
    )
    assert overlaps(world) == {("vpc", "172.20.0.0/20")}


def test_another_vpc_with_the_same_range_is_no_overlap_until_it_is_peered(world, endpoint, vpc):
    other = world.vpc("172.20.0.0/16")
    assert status(world, OVERLAP) is Status.PASS
    world.peering(vpc, other, routed=False)
    assert overlaps(world) == {("peer", "172.20.0.0/16")}


def test_a_peering_that_ended_brings_nothing(world, endpoint, vpc):
    world.peering(vpc, world.vpc("172.20.0.0/16"), status="deleted", routed=False)
    assert status(world, OVERLAP) is Status.PASS


def test_the_endpoints_own_route_overlaps(world, endpoint, subnets):
    world.endpoint_route(endpoint, "172.16.0.0/12", subnets[0])
    assert overlaps(world) == {("endpoint_route", "172.16.0.0/12")}


def test_default_routes_and_client_to_client_are_no_overlap(world, endpoint, vpc, subnets):
    world.endpoint_route(endpoint, "0.0.0.0/0", subnets[0])
    world.endpoint_route(endpoint, "172.20.0.0/22", "local")
    world.route(vpc, "0.0.0.0/0", NatGatewayId="nat-1")
    assert status(world, OVERLAP) is Status.PASS


def test_a_route_of_the_vpc_overlaps_where_it_is_in_force(world, endpoint, vpc, subnets):
    table = world.route_table(vpc, world.subnet(vpc, "10.0.7.0/24"))
    world.record(table)["Routes"].append(
        {"DestinationCidrBlock": "172.16.0.0/12", "TransitGatewayId": "tgw-1", "State": "active"}
    )
    assert status(world, OVERLAP) is Status.PASS
    world.route(vpc, world.prefix_list("172.20.1.0/24"), TransitGatewayId="tgw-1")
    assert overlaps(world) == {("vpc_route", "172.20.1.0/24")}


def test_two_endpoints_with_one_range_matter_on_one_transit_gateway_only(world):
    world.endpoint(**GATEWAY)
    other = {"TransitGatewayConfiguration": {"TransitGatewayId": "tgw-2"}}
    world.endpoint(**other)
    assert status(world, OVERLAP) is Status.PASS
    world.endpoint(**GATEWAY)
    assert {kind for kind, _ in overlaps(world)} == {"other_endpoint"}


@pytest.mark.parametrize("id", [OVERLAP, USED, CAPACITY])
def test_a_range_that_is_not_told_is_not_assessed(world, endpoint, id):
    del world.record(endpoint)["ClientCidrBlock"]
    assert status(world, id) is Status.NOT_ASSESSED


@pytest.mark.parametrize("id", [OVERLAP, USED])
def test_an_endpoint_for_ipv6_alone_has_no_range_to_judge(world, id):
    endpoint = world.endpoint(world.vpc(), TrafficIpAddressType="ipv6")
    del world.record(endpoint)["ClientCidrBlock"]
    assert status(world, id) is Status.NOT_APPLICABLE


@pytest.mark.parametrize(("live", "expected"), [(409, Status.PASS), (410, Status.FAIL)])
def test_live_connections_are_held_against_half_of_the_range(world, endpoint, live, expected):
    for _ in range(live):
        world.connection(endpoint)
    for _ in range(50):
        world.connection(
            endpoint, Status={"Code": "terminated"}, ConnectionEndTime="2026-11-02 09:00:00"
        )
    assert status(world, USED) is expected


def test_connections_nobody_could_count_are_not_assessed(world, endpoint):
    world.refuse("ec2-describe-client-vpn-connections")
    assert status(world, USED) is Status.NOT_ASSESSED


@pytest.mark.parametrize(
    ("range_", "zones", "expected"),
    [
        ("172.20.0.0/22", "", Status.PASS),  # two associations, as AWS recommends
        ("172.20.0.0/22", "d", Status.FAIL),
        ("172.16.0.0/16", "d", Status.FAIL),  # 32,768 connections, and two allow 36,500
        ("172.16.0.0/15", "d", Status.PASS),
        ("172.20.0.0/22", "df", Status.FAIL),
    ],
)
def test_a_third_association_is_held_against_what_the_range_can_fill(
    world, vpc, endpoint, range_, zones, expected
):
    world.record(endpoint)["ClientCidrBlock"] = range_
    for number, zone in enumerate(zones, 7):
        world.associate(endpoint, world.subnet(vpc, f"10.0.{number}.0/24", zone=zone))
    found = finding(world, CAPACITY)
    assert found.status is expected
    if (range_, zones, expected) == ("172.20.0.0/22", "d", Status.FAIL):
        (told,) = found.evidence["reason"]
        assert "has three associations" in told
        assert "about 512 connections at one time, half of its addresses" in told
        assert "two already allow 36,500" in told


def test_an_association_that_is_being_made_is_no_third_yet(world, vpc, endpoint):
    world.associate(endpoint, world.subnet(vpc, "10.0.7.0/24", zone="d"), status="associating")
    assert status(world, CAPACITY) is Status.PASS


def test_a_secondary_range_of_the_vpc_that_nobody_routes_is_found(world):
    vpc = world.vpc("10.0.0.0/16", "100.64.0.0/16", "192.168.0.0/24")
    endpoint = world.endpoint(vpc)
    subnet = world.subnet(vpc, "10.0.1.0/24")
    world.associate(endpoint, subnet)
    world.endpoint_route(endpoint, "100.64.0.0/17", subnet)
    found = finding(world, ROUTED)
    assert column(found, "destination_cidr") == {"100.64.0.0/16", "192.168.0.0/24"}
    assert "part of 100.64.0.0/16 (100.64.128.0/17)" in found.evidence["reason"][0]
    tables = Tables(world.snapshot())
    made = FIXES[ROUTED](tables, found.evidence).changes
    assert {(c.destination_cidr, c.target_subnet) for c in made} == {
        ("100.64.0.0/16", subnet),
        ("192.168.0.0/24", subnet),
    }


def test_a_wider_route_covers_a_range(world):
    vpc = world.vpc("10.0.0.0/16", "100.64.0.0/16")
    endpoint = world.endpoint(vpc)
    subnet = world.subnet(vpc, "10.0.1.0/24")
    world.associate(endpoint, subnet)
    world.endpoint_route(endpoint, "0.0.0.0/0", subnet)
    assert status(world, ROUTED) is Status.PASS


def test_an_ipv6_range_is_not_missed_where_clients_have_none(world):
    vpc = world.vpc(ipv6="2001:db8::/56")
    endpoint = world.endpoint(vpc)
    world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
    assert status(world, ROUTED) is Status.PASS
    world.record(endpoint)["TrafficIpAddressType"] = "dual-stack"
    assert column(finding(world, ROUTED), "destination_cidr") == {"2001:db8::/56"}


@pytest.mark.parametrize("id", [OVERLAP, ROUTED])
def test_a_vpc_that_no_answer_holds_is_not_assessed(world, endpoint, vpc, id):
    tables = Tables(world.snapshot())
    blocks = tables["vpc_cidr_blocks"]
    bare = tables.replace(vpc_cidr_blocks=blocks[blocks["vpc_id"] != vpc])
    (found,) = audit(bare, only=[id])
    assert found.status is Status.NOT_ASSESSED
    assert found.gaps["resource"].tolist() == [vpc]


@pytest.mark.parametrize("id", [OVERLAP, NOWHERE])
def test_a_route_table_that_no_answer_holds_is_not_assessed(world, endpoint, id):
    tables = Tables(world.snapshot())
    associations = tables["route_table_associations"]
    (found,) = audit(tables.replace(route_table_associations=associations.iloc[:0]), only=[id])
    assert found.status is Status.NOT_ASSESSED


# -- dead configuration: the endpoint -------------------------------------------------------------


def test_failed_rules_and_routes_are_found(world, endpoint, subnets):
    world.authorize(endpoint, "10.0.0.0/16", "staff", status="failed")
    world.endpoint_route(endpoint, "10.9.0.0/16", subnets[0], status="failed")
    world.authorize(endpoint, "10.1.0.0/16", status="authorizing")
    assert column(finding(world, FAILED), "kind", "destination_cidr") == {
        ("authorization_rule", "10.0.0.0/16"),
        ("route", "10.9.0.0/16"),
    }


@pytest.mark.parametrize("read", ["authorization-rules", "routes"])
def test_rules_or_routes_that_were_refused_may_have_failed(world, endpoint, read):
    world.refuse(f"ec2-describe-client-vpn-{read}")
    assert status(world, FAILED) is Status.NOT_ASSESSED


@pytest.mark.parametrize(
    ("rules", "covered"),
    [
        ([("10.0.0.0/16", None), ("10.0.1.0/24", None)], {"10.0.1.0/24"}),
        ([("10.0.0.0/16", "a"), ("10.0.1.0/24", "a")], {"10.0.1.0/24"}),
        ([("10.0.0.0/16", "a"), ("10.0.1.0/24", "b")], set()),
        ([("10.0.0.0/16", None), ("10.0.1.0/24", "a")], set()),
        ([("10.0.0.0/16", "a"), ("10.0.1.0/24", None)], set()),
        ([("10.0.0.0/16", None), ("10.0.0.0/16", "a")], {"10.0.0.0/16"}),
        (
            [("10.0.0.0/24", "a"), ("10.0.0.0/25", "b"), ("10.0.0.128/25", "c")],
            {"10.0.0.0/24"},
        ),
        ([("10.0.0.0/24", "a"), ("10.0.0.0/25", "b")], set()),
        (
            [("0.0.0.0/0", "a"), ("10.0.0.0/8", "b"), ("10.0.0.0/16", "a")],
            set(),
        ),
        ([("10.0.0.0/16", "a"), ("10.0.0.0/16", "b"), ("10.0.1.0/24", "b")], set()),
        (
            [
                ("10.0.0.0/16", "a"),
                ("10.0.0.0/16", "b"),
                ("10.0.1.0/24", "b"),
                ("10.0.1.0/24", "a"),
            ],
            {"10.0.1.0/24"},
        ),
        ([("2001:db8::/32", None), ("2001:db8:1::/48", None)], {"2001:db8:1::/48"}),
    ],
)
def test_a_rule_is_covered_where_the_same_people_are_let_in_without_it(
    world, endpoint, rules, covered
):
    for network, group in rules:
        world.authorize(endpoint, network, group)
    assert column(finding(world, COVERED), "destination_cidr") == covered


def test_a_rule_that_does_not_hold_covers_nothing(world, endpoint):
    world.authorize(endpoint, "10.0.0.0/16", status="revoking")
    world.authorize(endpoint, "10.0.1.0/24")
    assert status(world, COVERED) is Status.PASS


def test_the_fix_takes_away_one_covered_network_at_a_time(world, endpoint):
    for network in ("10.0.0.0/8", "10.0.0.0/16", "10.0.1.0/24"):
        world.authorize(endpoint, network)
    tables = Tables(world.snapshot())
    (found,) = audit(tables, only=[COVERED])
    fix = FIXES[COVERED](tables, found.evidence)
    assert [c.destination_cidr for c in fix.changes] == ["10.0.1.0/24"]
    assert "look again after this one" in fix.decisions[0]


def test_a_blackhole_in_force_for_an_association_is_found(world, endpoint, vpc, subnets):
    own = world.route_table(vpc, subnets[0])
    other = world.route_table(vpc, world.subnet(vpc, "10.0.7.0/24"))
    for table, network in ((own, "10.7.0.0/16"), (other, "10.8.0.0/16")):
        world.record(table)["Routes"].append(
            {"DestinationCidrBlock": network, "NatGatewayId": "nat-1", "State": "blackhole"}
        )
    found = finding(world, NOWHERE)
    assert column(found, "destination_cidr") == {"10.7.0.0/16"}
    assert "sends 10.7.0.0/16 to nat-1, which is gone (blackhole)" in found.evidence["reason"][0]


def test_the_main_table_counts_where_a_subnet_has_none_of_its_own(world, endpoint, vpc):
    peering = world.peering(vpc, world.vpc("10.5.0.0/16"), status="deleted")
    found = finding(world, NOWHERE)
    assert column(found, "destination_cidr") == {"10.5.0.0/16"}
    assert f"to {peering}, a peering that is deleted" in found.evidence["reason"][0]


@pytest.mark.parametrize("read", ["route-tables", "vpc-peering-connections"])
def test_route_tables_and_peerings_that_were_refused_are_not_assessed(world, endpoint, read):
    world.refuse(f"ec2-describe-{read}")
    assert status(world, NOWHERE) is Status.NOT_ASSESSED


def test_a_group_that_an_endpoint_names_and_nobody_has_is_found(world, endpoint):
    world.record(endpoint)["SecurityGroupIds"].append("sg-0000000000000dead")
    found = finding(world, MISSING)
    assert column(found, "group_id") == {"sg-0000000000000dead"}
    assert "in its settings, and no such group exists" in found.evidence["reason"][0]


def test_a_group_in_a_vpc_of_another_account_may_be_theirs(world, endpoint, vpc):
    world.record(vpc)["OwnerId"] = "444455556666"
    world.record(endpoint)["SecurityGroupIds"].append("sg-0000000000000dead")
    assert status(world, MISSING) is Status.NOT_ASSESSED


def test_groups_that_were_refused_may_exist(world, endpoint):
    world.refuse("ec2-describe-security-groups")
    assert status(world, MISSING) is Status.NOT_ASSESSED


# -- dead configuration: rules of security groups --------------------------------------------------


@pytest.fixture
def group(world, vpc):
    return world.security_group(vpc, "app")


def test_a_rule_that_names_a_group_that_exists_passes(world, group, vpc):
    world.ingress(group, world.default_group(vpc))
    assert status(world, STALE) is Status.PASS


def test_a_rule_that_names_a_deleted_group_is_found(world, group):
    rule = world.ingress(group, "sg-0000000000000dead", "tcp", (22, 22))
    found = finding(world, STALE)
    assert column(found, "rule_id") == {rule}
    assert "on TCP 22, and no such group exists any more" in found.evidence["reason"][0]
    tables = Tables(world.snapshot())
    assert [c.rule_id for c in FIXES[STALE](tables, found.evidence).changes] == [rule]


@pytest.mark.parametrize("ended", ["deleted", "expired", "rejected"])
def test_a_rule_across_a_peering_that_ended_is_found(world, group, ended):
    peer = {
        "ReferencedGroupInfo": {
            "GroupId": "sg-0000000000000far0",
            "UserId": "444455556666",
            "PeeringStatus": ended,
            "VpcPeeringConnectionId": "pcx-1",
        }
    }
    rule = world.ingress(group, "sg-0000000000000far0", **peer)
    found = finding(world, STALE)
    assert column(found, "rule_id") == {rule}
    assert f"the peering pcx-1 to it is {ended}" in found.evidence["reason"][0]


def test_the_peering_itself_tells_where_the_rule_does_not(world, group, vpc):
    other = world.vpc("10.5.0.0/16")
    peering = world.peering(vpc, other, status="deleted")
    info = {
        "GroupId": world.default_group(other),
        "UserId": world.account,
        "VpcPeeringConnectionId": peering,
    }
    world.ingress(group, world.default_group(other), ReferencedGroupInfo=info)
    assert status(world, STALE) is Status.FAIL


def test_a_peering_being_made_is_no_reason(world, group, vpc):
    other = world.vpc("10.5.0.0/16")
    peering = world.peering(vpc, other, status="provisioning")
    info = {
        "GroupId": world.default_group(other),
        "UserId": world.account,
        "VpcPeeringConnectionId": peering,
    }
    world.ingress(group, world.default_group(other), ReferencedGroupInfo=info)
    assert status(world, STALE) is Status.PASS


def test_a_group_of_an_account_nobody_read_may_exist_or_not(world, group):
    peer = {"ReferencedGroupInfo": {"GroupId": "sg-0000000000000far0", "UserId": "444455556666"}}
    world.ingress(group, "sg-0000000000000far0", **peer)
    found = finding(world, STALE)
    assert found.status is Status.NOT_ASSESSED
    assert "of an account that was not read" in found.answer


@pytest.mark.parametrize("read", ["security-groups", "security-group-rules"])
def test_groups_or_rules_that_were_refused_are_not_assessed(world, group, read):
    world.ingress(group, "sg-0000000000000dead")
    world.refuse(f"ec2-describe-{read}")
    assert status(world, STALE) is Status.NOT_ASSESSED


def test_an_account_without_rules_between_groups_has_nothing_to_judge(world):
    assert status(world, STALE) is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("rules", "covered"),
    [
        ([("10.0.0.0/8", (1, 99)), ("10.0.0.0/16", (22, 22))], [1]),
        ([("10.0.0.0/8", (22, 22)), ("10.0.0.0/16", (1, 99))], []),
        ([("10.0.0.0/8", (22, 22)), ("10.0.0.0/8", (22, 22))], [0]),
        ([("10.0.0.0/9", (22, 22)), ("10.128.0.0/9", (22, 22)), ("10.0.0.0/8", (22, 22))], [0, 1]),
        ([("10.0.0.0/24", (1, 50)), ("10.0.0.0/24", (51, 99)), ("10.0.0.0/24", (40, 60))], [2]),
        ([("10.0.0.0/8", (22, 22)), ("2001:db8::/64", (22, 22))], []),
        ([("pl", (22, 22)), ("10.7.0.0/24", (22, 22))], [1]),
        ([("sg", (1, 99)), ("sg", (22, 22))], [1]),
        ([("sg", (22, 22)), ("10.0.0.0/8", (22, 22))], []),
        ([("sg", (22, 22)), ("0.0.0.0/0", (22, 22))], []),
    ],
)
def test_a_rule_that_others_cover_is_found_exactly(world, endpoint, vpc, rules, covered):
    own = world.record(endpoint)["SecurityGroupIds"][0]
    peers = {"pl": world.prefix_list("10.7.0.0/16"), "sg": world.default_group(vpc)}
    made = [world.ingress(own, peers.get(peer, peer), "tcp", ports) for peer, ports in rules]
    found = finding(world, RULES)
    assert column(found, "rule_id") == {made[n] for n in covered}
    assert all(set(by) <= set(made) for by in found.evidence["covered_by"])


def test_directions_and_groups_are_told_apart(world, endpoint, vpc):
    own = world.record(endpoint)["SecurityGroupIds"][0]
    world.ingress(own, "10.0.0.0/16", "tcp", (22, 22))
    world.ingress(world.security_group(vpc, "other"), "10.0.0.0/8")
    assert status(world, RULES) is Status.PASS


def test_a_receiver_that_is_reached_counts_and_another_group_does_not(world, endpoint, vpc, group):
    own = world.record(endpoint)["SecurityGroupIds"][0]
    world.ingress(group, own, "tcp", (1, 99))
    double = world.ingress(group, own, "tcp", (22, 22))
    assert status(world, RULES) is Status.PASS
    world.interface(world.subnet(vpc, "10.0.8.0/24"), group)
    world.authorize(endpoint, "10.0.0.0/16")
    found = finding(world, RULES)
    assert column(found, "rule_id") == {double}
    assert "reaches a receiver with" in found.evidence["reason"][0]


def test_entries_of_a_prefix_list_that_were_refused_may_cover(world, endpoint):
    own = world.record(endpoint)["SecurityGroupIds"][0]
    world.ingress(own, world.prefix_list("10.7.0.0/16"), "tcp", (22, 22))
    world.ingress(own, "10.7.0.0/24", "tcp", (22, 22))
    world.refuse("ec2-get-managed-prefix-list-entries")
    assert status(world, RULES) is Status.NOT_ASSESSED
