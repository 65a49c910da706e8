"""The security groups of endpoints: world in, ids and rule ids out."""

import pytest

from auditlib.check import Status, audit
from auditlib.display import card
from auditlib.tables import Tables
from tests.pages import page
from tests.worlds import ACCOUNT, World, column, finding

IDS = (
    "vpn-sg-is-default",
    "vpn-sg-is-shared",
    "vpn-sg-lets-members-in",
    "vpn-sg-has-inbound-rules",
    "vpn-sg-limits-outbound",
    "vpn-sg-not-yet-effective",
)


class Place:
    """A VPC with a subnet for the VPN and one for everything else."""

    def __init__(self, **vpc):
        self.world = World()
        self.vpc = self.world.vpc(name="main", **vpc)
        self.vpn_subnet = self.world.subnet(self.vpc, "10.0.1.0/24", name="vpn-a")
        self.app_subnet = self.world.subnet(self.vpc, "10.0.2.0/24", name="app-a")
        self.default = self.world.default_group(self.vpc)

    def endpoint(self, *groups, associated=True, **settings):
        id = self.world.endpoint(self.vpc, groups, **settings)
        if associated:
            self.world.associate(id, self.vpn_subnet)
        return id

    def group(self, name="vpn", **settings):
        return self.world.security_group(self.vpc, name, **settings)


@pytest.fixture
def place():
    return Place()


def failing(world):
    return {f.check.id for f in audit(Tables(world.snapshot()), only=IDS) if f.status == "fail"}


# -- how practitioners set the endpoint's group ----------------------------------------------------


def test_no_inbound_and_all_outbound_is_the_model(place):
    place.endpoint(place.group())
    assert failing(place.world) == set()


def test_a_group_that_admits_itself_but_is_dedicated_only_has_inbound_rules(place):
    group = place.group()
    rule = place.world.ingress(group, group)
    place.endpoint(group)
    assert failing(place.world) == {"vpn-sg-has-inbound-rules"}
    found = finding(place.world, "vpn-sg-has-inbound-rules")
    assert column(found, "rule_id") == {rule}
    assert "no documented effect on who can connect." in found.evidence["reason"][0]


def test_a_group_that_admits_itself_and_declares_no_egress_lets_nothing_out(place):
    group = place.group(egress=False)
    place.world.ingress(group, group)
    place.endpoint(group)
    assert failing(place.world) == {"vpn-sg-has-inbound-rules", "vpn-sg-limits-outbound"}


def test_a_rule_for_the_vpn_port_from_anywhere_is_useless_but_opens_other_members(place):
    group = place.group()
    rule = place.world.ingress(group, "0.0.0.0/0", "udp", (443, 443))
    place.endpoint(group)
    assert failing(place.world) == {"vpn-sg-has-inbound-rules"}
    eni = place.world.interface(place.app_subnet, group, name="web")
    assert failing(place.world) == {"vpn-sg-has-inbound-rules", "vpn-sg-is-shared"}
    found = finding(place.world, "vpn-sg-has-inbound-rules")
    assert column(found, "rule_id") == {rule}
    assert "UDP 443 from the internet (0.0.0.0/0)" in found.evidence["reason"][0]
    assert f"but opens {eni} (web, " in found.evidence["reason"][0]
    assert found.evidence["reason"][0].endswith("), with the same group.")
    assert column(finding(place.world, "vpn-sg-is-shared"), "eni_id") == {eni}


def test_no_group_at_all_means_the_default_one(place):
    place.endpoint()
    assert failing(place.world) == {"vpn-sg-is-default", "vpn-sg-has-inbound-rules"}
    place.world.interface(place.app_subnet, place.default)
    assert failing(place.world) == {
        "vpn-sg-is-default",
        "vpn-sg-has-inbound-rules",
        "vpn-sg-is-shared",
        "vpn-sg-lets-members-in",
    }


def test_a_pair_of_groups_is_judged_together(place):
    named = place.group("vpn-clients", egress=False)
    place.world.egress(named, "127.0.0.1/32")
    out = place.group("vpn-out")
    place.endpoint(named, out)
    receiver = place.group("app")
    place.world.ingress(receiver, named, "tcp", (443, 443))
    place.world.interface(place.app_subnet, receiver)
    assert failing(place.world) == set()


# -- default ---------------------------------------------------------------------------------------


def test_the_default_group_by_omission_is_named(place):
    endpoint = place.endpoint(name="staff")
    found = finding(place.world, "vpn-sg-is-default")
    assert column(found, "endpoint_id", "group_id") == {(endpoint, place.default)}
    assert "names no security group" in found.evidence["reason"][0]
    assert "(staff)" in found.evidence["reason"][0]


def test_the_default_group_by_name_is_named(place):
    endpoint = place.endpoint(place.group(), place.default)
    found = finding(place.world, "vpn-sg-is-default")
    assert column(found, "endpoint_id", "group_id") == {(endpoint, place.default)}
    assert "the default security group of vpc-" in found.evidence["reason"][0]


def test_an_endpoint_not_associated_yet_will_get_the_default_group(place):
    place.endpoint(associated=False)
    found = finding(place.world, "vpn-sg-is-default")
    assert found.status is Status.FAIL
    assert "the first subnet associated with it brings" in found.evidence["reason"][0]


def test_associations_that_could_not_be_read_do_not_make_the_default_group_up(place):
    place.endpoint(associated=False)
    place.world.refuse("ec2-describe-client-vpn-target-networks")
    assert finding(place.world, "vpn-sg-is-default").status is Status.NOT_ASSESSED


def test_the_group_in_force_counts_and_not_the_one_configured(place):
    group = place.group()
    endpoint = place.endpoint(place.default)
    place.world.record(endpoint)["SecurityGroupIds"] = [group]
    assert column(finding(place.world, "vpn-sg-is-default"), "group_id") == {place.default}


# -- shared ----------------------------------------------------------------------------------------


def test_the_endpoints_own_interfaces_are_no_sharing(place):
    group = place.group()
    endpoint = place.endpoint(group)
    place.world.associate(endpoint, place.app_subnet, named=False)
    assert finding(place.world, "vpn-sg-is-shared").status is Status.PASS


def test_sharing_names_each_interface_and_its_kind(place):
    group = place.group()
    endpoint = place.endpoint(group)
    server = place.world.interface(
        place.app_subnet,
        group,
        Attachment={"InstanceId": "i-0123456789abcdef0", "Status": "attached"},
    )
    function = place.world.interface(place.app_subnet, group, type="lambda")
    found = finding(place.world, "vpn-sg-is-shared")
    assert column(found, "endpoint_id", "eni_id", "kind") == {
        (endpoint, server, "interface"),
        (endpoint, function, "interface"),
    }
    reasons = " ".join(found.evidence["reason"])
    assert "EC2 instance i-0123456789abcdef0" in reasons
    assert "type lambda" in reasons


def test_two_endpoints_that_share_a_group_are_told_so(place):
    group = place.group()
    one, two = place.endpoint(group, name="staff"), place.endpoint(group, name="contractors")
    found = finding(place.world, "vpn-sg-is-shared")
    assert column(found, "endpoint_id") == {one, two}
    assert column(found, "kind") == {"client_vpn"}
    assert found.evidence["eni_id"].notna().all()
    assert "a Client VPN interface of " in found.evidence["reason"][0]


def test_endpoints_share_a_group_even_when_their_interfaces_cannot_be_told_apart(place):
    group = place.group()
    ids = [place.endpoint(group, associated=False) for _ in "ab"]
    for id in ids:
        place.world.associate(id, place.vpn_subnet, named=False)
    found = finding(place.world, "vpn-sg-is-shared")
    assert column(found, "endpoint_id") == set(ids)
    assert "also in force on the Client VPN endpoint" in found.evidence["reason"][0]


def test_a_client_vpn_interface_of_an_unknown_endpoint_is_told_apart(place):
    group = place.group()
    place.endpoint(group)
    eni = place.world.interface(
        place.app_subnet, group, description="ClientVPN Endpoint resource cvpn-endpoint-0ff"
    )
    found = finding(place.world, "vpn-sg-is-shared")
    assert column(found, "eni_id", "kind") == {(eni, "client_vpn")}
    assert "an endpoint that was not read" in found.evidence["reason"][0]


def test_an_instance_that_calls_itself_client_vpn_is_still_an_instance(place):
    group = place.group()
    place.world.ingress(group, group)
    place.endpoint(group)
    eni = place.world.interface(
        place.app_subnet,
        group,
        description="ClientVPN Endpoint resource",
        Attachment={"InstanceId": "i-0123456789abcdef0", "Status": "attached"},
    )
    assert column(finding(place.world, "vpn-sg-lets-members-in"), "eni_id") == {eni}


def test_unnamed_interfaces_are_nobody_elses_when_the_associations_were_refused(place):
    group = place.group()
    endpoint = place.endpoint(group, associated=False)
    place.world.associate(endpoint, place.vpn_subnet, named=False)
    place.world.refuse("ec2-describe-client-vpn-target-networks")
    assert finding(place.world, "vpn-sg-is-shared").status is Status.NOT_ASSESSED


# -- members ---------------------------------------------------------------------------------------


def test_every_member_that_the_group_itself_opens_is_named(place):
    group = place.group("everything")
    rule = place.world.ingress(group, group, "tcp", (22, 22))
    endpoint = place.endpoint(group)
    enis = {place.world.interface(place.app_subnet, group) for _ in "abc"}
    found = finding(place.world, "vpn-sg-lets-members-in")
    assert column(found, "endpoint_id", "group_id", "rule_id") == {(endpoint, group, rule)}
    assert column(found, "eni_id") == enis
    assert "TCP 22 from sg-" in found.evidence["reason"][0]
    assert column(found, "source")


def test_a_shared_group_that_admits_another_group_of_the_endpoint_opens_its_members(place):
    one, two = place.group("one"), place.group("two")
    rule = place.world.ingress(one, two)
    place.endpoint(one, two)
    eni = place.world.interface(place.app_subnet, one)
    found = finding(place.world, "vpn-sg-lets-members-in")
    assert column(found, "rule_id", "eni_id") == {(rule, eni)}


def test_a_shared_group_that_does_not_admit_itself_lets_nobody_in(place):
    group = place.group()
    place.world.ingress(group, "192.0.2.0/24")
    place.endpoint(group)
    place.world.interface(place.app_subnet, group)
    assert finding(place.world, "vpn-sg-lets-members-in").status is Status.PASS


def test_a_receiver_that_names_the_group_is_how_it_should_be(place):
    group, receiver = place.group(), place.group("app")
    place.world.ingress(receiver, group)
    place.endpoint(group)
    place.world.interface(place.app_subnet, receiver)
    assert finding(place.world, "vpn-sg-lets-members-in").status is Status.PASS


def test_interfaces_of_another_endpoint_are_no_exposed_members(place):
    group = place.group()
    place.world.ingress(group, group)
    place.endpoint(group)
    place.endpoint(group)
    assert finding(place.world, "vpn-sg-lets-members-in").status is Status.PASS


def test_exposure_that_no_outbound_rule_completes_says_so(place):
    group = place.group(egress=False)
    place.world.ingress(group, group)
    place.endpoint(group)
    place.world.interface(place.app_subnet, group)
    reason = finding(place.world, "vpn-sg-lets-members-in").evidence["reason"][0]
    assert reason.endswith(
        "today nothing leaves the endpoint, because no group of it has an outbound rule."
    )


def test_what_a_reference_means_for_ipv6_clients_is_not_claimed(place):
    group = place.group()
    place.world.ingress(group, group)
    place.endpoint(group, TrafficIpAddressType="ipv6")
    place.world.interface(place.app_subnet, group)
    reason = finding(place.world, "vpn-sg-lets-members-in").evidence["reason"][0]
    assert "AWS does not say whether such a rule matches them" in reason


# -- outbound --------------------------------------------------------------------------------------


def outbound(place, *rules, **settings):
    group = place.group(egress=False)
    ids = [place.world.egress(group, *rule) for rule in rules]
    place.endpoint(group, **settings)
    return finding(place.world, "vpn-sg-limits-outbound"), ids


def test_two_halves_of_all_addresses_are_all(place):
    found, _ = outbound(place, ("0.0.0.0/1",), ("128.0.0.0/1",))
    assert found.status is Status.PASS
    assert "accepted by design" in found.check.accepted_by_design


def test_all_addresses_in_a_prefix_list_are_all(place):
    halves = place.world.prefix_list("0.0.0.0/1", "128.0.0.0/1")
    assert outbound(place, (halves,))[0].status is Status.PASS


def test_no_outbound_rule_at_all_is_broken(place):
    found, _ = outbound(place)
    assert column(found, "extent") == {"nothing"}
    assert (
        "reach nothing beyond it, because there is no outbound rule"
        in (found.evidence["reason"][0])
    )


@pytest.mark.parametrize(
    ("carried", "rules", "lacking"),
    [
        ("ipv4", ("10.0.0.0/8",), ("0.0.0.0/0",)),
        ("ipv6", ("10.0.0.0/8",), ("::/0",)),
        ("dual-stack", ("10.0.0.0/8",), ("0.0.0.0/0", "::/0")),
        ("dual-stack", ("0.0.0.0/0",), ("::/0",)),
    ],
)
def test_what_is_not_let_out_is_told_by_family(place, carried, rules, lacking):
    found, _ = outbound(place, *((rule,) for rule in rules), TrafficIpAddressType=carried)
    assert found.evidence["not_let_out"].tolist() == [lacking]


def test_a_rule_to_loopback_is_nothing(place):
    found, ids = outbound(place, ("127.0.0.1/32",))
    assert column(found, "extent") == {"nothing"}
    assert found.evidence["rule_ids"][0] == tuple(ids)
    assert "leads anywhere" in found.evidence["reason"][0]


def test_scoped_rules_say_what_they_let_out_and_what_is_authorized_in_vain(place):
    group = place.group(egress=False)
    ids = {
        place.world.egress(group, "10.0.2.0/24", "tcp", (443, 443)),
        place.world.egress(group, "10.0.0.2/32", "udp", (53, 53)),
    }
    endpoint = place.endpoint(group)
    place.world.authorize(endpoint, "10.0.2.0/24", "engineers")
    place.world.authorize(endpoint, "192.168.0.0/16", "engineers")
    place.world.authorize(endpoint, "198.51.100.0/24", "engineers", status="failed")
    found = finding(place.world, "vpn-sg-limits-outbound")
    assert set(found.evidence["rule_ids"][0]) == ids
    assert column(found, "extent") == {"limited"}
    reason = found.evidence["reason"][0]
    assert "lets out only TCP 443 to 10.0.2.0/24 and UDP 53 to 10.0.0.2/32" in reason
    assert "authorization rules open 192.168.0.0/16, which no outbound rule covers" in reason
    assert "198.51.100.0" not in reason


def test_scoped_rules_that_cover_what_is_authorized_say_that_the_rest_is_dropped(place):
    found, _ = outbound(place, ("10.0.0.0/8",))
    assert "everything else is dropped" in found.evidence["reason"][0]


def test_all_tcp_is_not_all(place):
    found, _ = outbound(place, ("0.0.0.0/0", "tcp", (0, 65535)))
    assert "lets out only all TCP to anywhere (0.0.0.0/0)" in found.evidence["reason"][0]


def test_a_rule_to_a_group_is_shown_but_lets_out_no_known_address(place):
    target = place.group("app")
    found, _ = outbound(place, (target, "tcp", (443, 443)))
    assert f"TCP 443 to {target} (app)" in found.evidence["reason"][0]


def test_dual_stack_needs_ipv6_let_out_too(place):
    found, _ = outbound(place, ("0.0.0.0/0",), TrafficIpAddressType="dual-stack")
    assert "not all of IPv6 is let out" in found.evidence["reason"][0]


def test_dual_stack_with_both_is_all(place):
    found, _ = outbound(place, ("0.0.0.0/0",), ("::/0",), TrafficIpAddressType="dual-stack")
    assert found.status is Status.PASS


def test_an_ipv6_endpoint_needs_ipv6_only(place):
    found, _ = outbound(place, ("::/0",), TrafficIpAddressType="ipv6")
    assert found.status is Status.PASS


def test_refused_rules_are_not_no_rules(place):
    place.endpoint(place.group())
    place.world.refuse("ec2-describe-security-group-rules")
    found = finding(place.world, "vpn-sg-limits-outbound")
    assert found.status is Status.NOT_ASSESSED
    assert found.evidence.empty


# -- configured, associated, in force --------------------------------------------------------------


def test_a_change_on_its_way_shows_both_groups(place):
    old, new = place.group("old"), place.group("new")
    endpoint = place.endpoint(old)
    place.world.record(endpoint)["SecurityGroupIds"] = [new]
    found = finding(place.world, "vpn-sg-not-yet-effective")
    assert column(found, "group_id", "state") == {(old, "left_over"), (new, "missing")}


def test_an_interface_that_lags_behind_its_association_is_shown(place):
    group = place.group("vpn")
    endpoint = place.endpoint(group)
    late = place.world.associate(endpoint, place.app_subnet)
    place.world.record(late)["Groups"] = []
    found = finding(place.world, "vpn-sg-not-yet-effective")
    assert column(found, "group_id", "state") == {(group, "missing")}
    assert "not yet on 1 of its 2 interfaces" in found.evidence["reason"][0]


def test_the_default_group_by_omission_is_no_difference(place):
    place.endpoint()
    assert finding(place.world, "vpn-sg-not-yet-effective").status is Status.PASS


def test_the_default_group_by_omission_is_no_difference_when_groups_were_refused(place):
    place.endpoint()
    place.world.refuse("ec2-describe-security-groups")
    assert finding(place.world, "vpn-sg-not-yet-effective").status is Status.NOT_ASSESSED


def test_a_default_group_that_nobody_could_see_is_no_difference(place):
    endpoint = place.endpoint(associated=False)
    place.world.associate(endpoint, place.vpn_subnet)
    for association in place.world.associations(endpoint):
        association["SecurityGroups"] = []
    place.world.refuse("ec2-describe-security-groups")
    assert finding(place.world, "vpn-sg-not-yet-effective").status is Status.NOT_ASSESSED


def test_an_endpoint_without_associations_has_no_difference(place):
    place.endpoint(place.group(), associated=False)
    assert finding(place.world, "vpn-sg-not-yet-effective").status is Status.PASS


def test_a_difference_on_interfaces_that_may_be_anothers_is_said_to_be_unsure(place):
    one, two = place.group("one"), place.group("two")
    enis = []
    for group in (one, two):
        endpoint = place.endpoint(group, associated=False)
        enis.append(place.world.associate(endpoint, place.vpn_subnet, named=False))
    place.world.record(enis[1])["Groups"] = [{"GroupId": one, "GroupName": "one"}]
    found = finding(place.world, "vpn-sg-not-yet-effective")
    assert found.status is Status.FAIL
    assert "which interfaces in its subnets are its own, AWS does not say" in " ".join(
        found.evidence["reason"]
    )


# -- what is judged --------------------------------------------------------------------------------


@pytest.mark.parametrize("id", IDS)
def test_a_transit_gateway_endpoint_is_left_out_and_that_is_said(id):
    world = World()
    for _ in "ab":
        world.endpoint(TransitGatewayConfiguration={"TransitGatewayId": "tgw-1"})
    found = finding(world, id)
    assert found.status is Status.NOT_APPLICABLE
    assert found.answer.endswith(
        "2 endpoints attached to a transit gateway have no security group and are not judged here."
    )


@pytest.mark.parametrize("id", IDS)
def test_an_endpoint_without_vpc_is_left_out_and_that_is_said(id):
    world = World()
    world.endpoint()
    assert finding(world, id).answer.endswith(
        "One endpoint has no VPC yet, so no security group either."
    )
    world.endpoint()
    assert "2 endpoints have no VPC yet" in finding(world, id).answer


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize("status", ["deleting", "deleted"])
def test_a_deleted_endpoint_is_not_judged(id, status, place):
    endpoint = place.endpoint()
    place.world.interface(place.app_subnet, place.default)
    place.world.record(endpoint)["Status"] = {"Code": status}
    assert finding(place.world, id).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    "id", ["vpn-sg-is-default", "vpn-sg-has-inbound-rules", "vpn-sg-limits-outbound"]
)
def test_a_group_that_no_answer_holds_is_not_assessed(id, place):
    group = place.group()
    place.endpoint(group)
    place.world.revoke(group)
    record = place.world.record(group)
    record["GroupId"], record["VpcId"] = "sg-elsewhere", "vpc-elsewhere"
    found = finding(place.world, id)
    assert found.status is Status.NOT_ASSESSED
    assert set(found.gaps["resource"]) == {group}
    assert set(found.gaps["status"]) == {"missing"}


@pytest.mark.parametrize("id", ["vpn-sg-is-shared", "vpn-sg-lets-members-in"])
def test_a_group_associated_with_a_vpc_nobody_read_may_have_members_there(id, place):
    group = place.group()
    place.endpoint(group)
    place.world.share(group, "vpc-0000000000000peer", owner="444455556666")
    found = finding(place.world, id)
    assert found.status is Status.NOT_ASSESSED
    assert column_of(found.gaps, "account", "resource") == {
        ("444455556666", "vpc-0000000000000peer")
    }


def column_of(frame, *names):
    return set(frame[list(names)].itertuples(index=False, name=None))


def test_a_group_associated_with_a_further_vpc_of_the_account_is_read_in_full(place):
    group = place.group()
    place.endpoint(group)
    place.world.share(group, place.world.vpc("10.7.0.0/16"))
    assert finding(place.world, "vpn-sg-is-shared").status is Status.PASS


def test_a_group_owned_by_another_account_is_named_with_it(place):
    group = place.group()
    rule = place.world.ingress(
        group,
        "sg-0000000000000peer",
        ReferencedGroupInfo={"GroupId": "sg-0000000000000peer", "UserId": "444455556666"},
    )
    place.endpoint(group)
    found = finding(place.world, "vpn-sg-has-inbound-rules")
    assert column(found, "rule_id") == {rule}
    assert "from sg-0000000000000peer of account 444455556666" in found.evidence["reason"][0]
    assert column(found, "account") == {ACCOUNT}


def test_several_endpoints_are_judged_each_by_its_own_groups(place):
    fine, shared = place.group("fine"), place.group("shared")
    place.endpoint(fine)
    endpoint = place.endpoint(shared)
    place.world.interface(place.app_subnet, shared)
    found = finding(place.world, "vpn-sg-is-shared")
    assert column(found, "endpoint_id") == {endpoint}
    assert found.answer.startswith("One of the 2 VPC-attached Client VPN endpoints shares")


@pytest.mark.parametrize("id", IDS)
def test_an_endpoint_that_an_old_sdk_cannot_place_is_not_assessed(id):
    world = World()
    world.endpoint()
    tables = Tables(world.snapshot(botocore_version="1.40.0"))
    assert audit(tables, only=[id])[0].status is Status.NOT_ASSESSED


MEMBERS = ("vpn-sg-is-shared", "vpn-sg-lets-members-in")


@pytest.mark.parametrize("id", MEMBERS)
def test_an_interface_dressed_up_as_client_vpn_s_is_still_another_member(place, id):
    group = place.group()
    endpoint = place.endpoint(group)
    place.world.ingress(group, group)
    eni = place.world.interface(
        place.app_subnet,
        group,
        description=f"ClientVPN Endpoint resource {endpoint}",
        Attachment={"InstanceId": "i-0000000000000000a"},
    )
    assert column(finding(place.world, id), "eni_id") == {eni}


@pytest.mark.parametrize("id", MEMBERS)
def test_an_associated_endpoint_that_names_no_vpc_is_judged_by_its_association(place, id):
    group = place.group()
    endpoint = place.endpoint(group)
    del place.world.record(endpoint)["VpcId"]
    place.world.ingress(group, group)
    eni = place.world.interface(place.app_subnet, group)
    assert column(finding(place.world, id), "eni_id") == {eni}


@pytest.mark.parametrize("refused", [False, True])
def test_a_rule_whose_effect_could_not_be_followed_says_so(place, refused):
    group = place.group()
    endpoint = place.endpoint(group)
    place.world.authorize(endpoint, "0.0.0.0/0")
    place.world.egress(group, "0.0.0.0/0")
    place.world.ingress(group, group)
    place.world.interface(place.app_subnet, group)
    if refused:
        place.world.refuse("ec2-describe-network-acls")
    found = finding(place.world, "vpn-sg-lets-members-in")
    assert found.status is Status.FAIL
    assert found.evidence["way_unread"].tolist() == [refused]
    assert found.evidence["reason"].str.contains("could not be read").tolist() == [refused]
    assert ("whether packets pass could not be read" in found.answer) == refused


@pytest.mark.parametrize("id", MEMBERS)
def test_members_in_a_vpc_that_another_account_shares_are_not_all_seen(place, id):
    place.endpoint(place.group())
    assert finding(place.world, id).status is Status.PASS
    groups = place.world._lists[place.world.region, "ec2-describe-security-groups", None]
    (default,) = (group["GroupId"] for group in groups if group["GroupName"] == "default")
    groups[:] = [group for group in groups if group["GroupId"] != default]
    rules = place.world._lists[place.world.region, "ec2-describe-security-group-rules", None]
    rules[:] = [rule for rule in rules if rule["GroupId"] != default]
    found = finding(place.world, id)
    assert found.status is Status.NOT_ASSESSED
    assert found.gaps["resource"].tolist() == [place.vpc]


# -- the text for other scanners ------------------------------------------------------------------


def test_the_text_for_other_scanners_is_offered_only_for_what_it_holds_for(place):
    alone, shared = place.group("alone"), place.group("shared")
    place.endpoint(alone)
    place.endpoint(shared)
    place.world.interface(place.app_subnet, shared, name="web")
    said = page(card(finding(place.world, "vpn-sg-limits-outbound")).markup).words
    assert f"handed over for {alone} (alone), with the snapshot" in said
    assert f"It does not hold for {shared} (shared): something else carries it" in said


def test_the_text_for_other_scanners_is_not_offered_where_it_holds_for_nothing(place):
    place.endpoint()
    narrow = place.group("narrow", egress=False)
    place.world.egress(narrow, "10.0.0.0/16")
    place.endpoint(narrow)
    found = finding(place.world, "vpn-sg-limits-outbound")
    assert found.status is Status.FAIL
    assert "For whoever runs other scanners" not in page(card(found).markup).words


def test_the_text_for_other_scanners_is_not_offered_where_nobody_saw_what_carries_a_group(place):
    alone = place.group("alone")
    place.endpoint(alone)
    place.world.refuse("ec2-describe-network-interfaces")
    assert finding(place.world, "vpn-sg-limits-outbound").by_design == ([], [f"{alone} (alone)"])
