"""Receivers' rules on addresses: world in, rule ids out."""

import pytest

from auditlib.check import Status
from tests.worlds import World, column, finding

ID = "receiver-allows-address-not-group"


@pytest.fixture
def world():
    return World()


@pytest.fixture
def vpc(world):
    return world.vpc(name="main")


@pytest.fixture
def endpoint(world, vpc):
    subnet = world.subnet(vpc, "10.0.1.0/24", name="vpn-a")
    id = world.endpoint(vpc, (world.security_group(vpc, "vpn"),), name="staff")
    world.associate(id, subnet, ip="10.0.1.77")
    return id


@pytest.fixture
def receiver(world, vpc, endpoint):
    return world.security_group(vpc, "app")


@pytest.mark.parametrize(
    ("peer", "why"),
    [
        ("10.0.1.77/32", {"fragile_address"}),
        ("10.0.1.64/26", {"fragile_address"}),
        ("10.0.1.0/24", {"whole_subnet"}),
        ("172.20.0.0/22", {"client_range"}),
        ("172.20.1.0/24", {"client_range"}),
        ("172.20.1.9/32", {"client_range"}),
        ("10.0.1.78/32", set()),
        ("10.0.1.0/26", set()),
        ("10.0.0.0/16", set()),
        ("172.16.0.0/12", set()),
        ("0.0.0.0/0", set()),
        ("192.0.2.0/24", set()),
    ],
)
@pytest.mark.parametrize("by_list", [False, True])
def test_a_rule_is_found_by_its_range_and_the_reason_told(
    world, receiver, endpoint, peer, why, by_list
):
    named = world.prefix_list("192.0.2.128/25", peer) if by_list else peer
    rule = world.ingress(receiver, named, "tcp", (22, 22))
    found = finding(world, ID)
    assert column(found, "why") == why
    assert column(found, "endpoint_id", "group_id", "rule_id", "range") == {
        (endpoint, receiver, rule, peer) for _ in why
    }
    if why:
        reason = found.evidence["reason"][0]
        does = "has a rule for" if "client_range" in why else "admits"
        assert reason.startswith(f"{receiver} (app) {does} TCP 22 from {peer}")
        assert ("admits nobody through the VPN" in reason) == ("client_range" in why)
        assert ("an entry of prefix list" in reason) is by_list


@pytest.mark.parametrize("text", ["somewhere", "10.0.1.77", "10.0.0.0/33"])
def test_a_range_that_is_none_leaves_it_not_assessed(world, receiver, text):
    rule = world.ingress(receiver, "192.0.2.0/24", "tcp", (22, 22))
    rules = world._lists[world.region, "ec2-describe-security-group-rules", None]
    (record,) = (r for r in rules if r["SecurityGroupRuleId"] == rule)
    record["CidrIpv4"] = text
    found = finding(world, ID)
    assert found.status is Status.NOT_ASSESSED
    assert rule in found.answer


def test_the_worst_comes_first(world, receiver):
    for peer in ("172.20.0.0/22", "10.0.1.0/24", "10.0.1.77/32"):
        world.ingress(receiver, peer)
    assert finding(world, ID).evidence["why"].tolist() == [
        "fragile_address",
        "whole_subnet",
        "client_range",
    ]


def test_naming_the_group_is_fine(world, receiver, endpoint):
    world.ingress(receiver, world.record(endpoint)["SecurityGroupIds"][0])
    assert finding(world, ID).status is Status.PASS


def test_outbound_rules_are_not_meant(world, receiver):
    world.egress(receiver, "10.0.1.77/32")
    assert finding(world, ID).status is Status.PASS


def test_ipv6_rules_are_not_meant(world, receiver):
    world.ingress(receiver, "2001:db8::/64")
    world.ingress(receiver, world.prefix_list("2001:db8::/64"))
    assert finding(world, ID).status is Status.PASS


def test_the_endpoints_own_group_is_no_receiver(world, endpoint):
    world.ingress(world.record(endpoint)["SecurityGroupIds"][0], "10.0.1.77/32")
    assert finding(world, ID).status is Status.PASS


def test_the_same_range_in_a_vpc_without_connection_means_something_else(world, endpoint):
    world.ingress(world.security_group(world.vpc("10.0.0.0/16"), "app"), "10.0.1.0/24")
    assert finding(world, ID).status is Status.PASS


@pytest.mark.parametrize(
    ("status", "expected"), [("active", Status.FAIL), ("deleted", Status.PASS)]
)
def test_receivers_across_an_active_peering_count(world, vpc, endpoint, status, expected):
    other = world.vpc("10.1.0.0/16")
    world.peering(vpc, other, status=status)
    world.ingress(world.security_group(other, "app"), "10.0.1.0/24")
    assert finding(world, ID).status is expected


def test_a_peering_to_another_region_cannot_carry_a_reference(world, vpc, endpoint):
    other = world.vpc("10.1.0.0/16")
    world.record(world.peering(vpc, other))["AccepterVpcInfo"]["Region"] = "eu-west-1"
    world.ingress(world.security_group(other, "app"), "10.0.1.0/24")
    assert finding(world, ID).status is Status.PASS


@pytest.mark.parametrize(
    ("state", "expected"), [("associated", Status.FAIL), ("disassociated", Status.PASS)]
)
def test_a_group_associated_with_the_vpc_counts(world, vpc, endpoint, state, expected):
    elsewhere = world.vpc("10.9.0.0/16")
    group = world.security_group(elsewhere, "roaming")
    world.share(group, vpc, state=state)
    world.ingress(group, "10.0.1.77/32")
    assert finding(world, ID).status is expected


def test_a_client_range_that_a_transit_gateway_endpoint_uses_too_is_alive(world, receiver):
    world.endpoint(TransitGatewayConfiguration={"TransitGatewayId": "tgw-1"})
    world.ingress(receiver, "172.20.0.0/22")
    assert finding(world, ID).status is Status.PASS


def test_a_transit_gateway_endpoint_with_another_range_changes_nothing(world, receiver):
    world.endpoint(
        client_cidr="172.24.0.0/22", TransitGatewayConfiguration={"TransitGatewayId": "tgw-1"}
    )
    world.ingress(receiver, "172.20.0.0/22")
    assert column(finding(world, ID), "why") == {"client_range"}


def test_an_endpoint_for_ipv6_alone_is_left_out_and_said_so(world, vpc, receiver, endpoint):
    world.record(endpoint)["TrafficIpAddressType"] = "ipv6"
    world.ingress(receiver, "10.0.1.0/24")
    found = finding(world, ID)
    assert found.status is Status.NOT_APPLICABLE
    assert "One endpoint for IPv6 alone is not judged here" in found.answer
    world.record(world.endpoint(vpc))["TrafficIpAddressType"] = "ipv6"
    assert "2 endpoints for IPv6 alone are not judged here" in finding(world, ID).answer


def test_an_endpoint_whose_kind_of_traffic_is_not_told_is_judged(world, receiver, endpoint):
    del world.record(endpoint)["TrafficIpAddressType"]
    rule = world.ingress(receiver, "10.0.1.0/24")
    assert column(finding(world, ID), "rule_id") == {rule}


def test_a_group_of_the_endpoint_that_a_receiver_carries_is_a_receivers_group(world, vpc, endpoint):
    (group,) = world.record(endpoint)["SecurityGroupIds"]
    rule = world.ingress(group, "10.0.1.0/24")
    assert finding(world, ID).status is Status.PASS
    world.interface(world.subnet(vpc, "10.0.2.0/24"), group)
    assert column(finding(world, ID), "rule_id") == {rule}


def test_a_subnet_no_longer_associated_is_an_ordinary_subnet(world, vpc, endpoint, receiver):
    subnet = world.subnet(vpc, "10.0.9.0/24")
    world.associate(endpoint, subnet, status="disassociated", interface=False)
    world.ingress(receiver, "10.0.9.0/24")
    assert finding(world, ID).status is Status.PASS


def test_an_endpoint_without_associations_has_only_a_client_range(world, vpc):
    id = world.endpoint(vpc, (world.security_group(vpc, "vpn"),))
    world.ingress(world.security_group(vpc, "app"), "172.20.0.0/22")
    found = finding(world, ID)
    assert column(found, "endpoint_id", "why") == {(id, "client_range")}


def test_a_transit_gateway_endpoint_is_left_out(world):
    world.endpoint(TransitGatewayConfiguration={"TransitGatewayId": "tgw-1"})
    found = finding(world, ID)
    assert found.status is Status.NOT_APPLICABLE
    assert "is not judged here" in found.answer


@pytest.mark.parametrize(
    ("peers", "said", "adds"),
    [
        (["10.0.1.77/32"], "", True),
        (
            ["172.20.0.0/22"],
            "The rule is on client addresses, which receivers never see, and",
            False,
        ),
        (["10.0.1.77/32", "172.20.1.0/24"], "One of the 2 rules is on client addresses", True),
        (["172.20.0.0/22", "172.20.1.0/24"], "All 2 rules are on client addresses", False),
        (
            ["10.0.1.0/24", "172.20.0.0/22", "172.20.1.0/24"],
            "2 of the 3 rules are on client addresses, which receivers never see, and admit nobody",
            True,
        ),
    ],
)
def test_rules_that_admit_nobody_are_counted_apart(world, receiver, endpoint, peers, said, adds):
    for n, peer in enumerate(peers):
        world.ingress(receiver, peer, "tcp", (22 + n, 22 + n))
    found = finding(world, ID)
    assert found.answer.startswith(
        "The only VPC-attached Client VPN endpoint has receivers that name an address"
    )
    assert said in found.answer
    assert ("nobody" in found.answer) == bool(said)
    assert found.remedy.startswith("Add a rule with the same protocol") == adds
    assert ("Decide for a rule on client addresses" in found.remedy) == bool(said)
