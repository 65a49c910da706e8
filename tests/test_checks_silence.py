"""What AWS's answer leaves out is never fine: a missing member, an unknown state, a text nobody can read."""

from datetime import timedelta

import pytest

from auditlib.check import Status, audit
from auditlib.snapshot import Snapshot
from auditlib.tables import Tables
from tests.worlds import NOW, World, finding, revocation_list

NOT_ASSESSED, FAIL, PASS = Status.NOT_ASSESSED, Status.FAIL, Status.PASS
CERTIFICATE = ("certificate-authentication",)


def staff(**more) -> tuple[World, str]:
    """Return a world with an endpoint on one subnet, and the endpoint's id."""
    world = World()
    vpc = world.vpc()
    endpoint = world.endpoint(vpc, (world.security_group(vpc, "vpn"),), name="staff", **more)
    world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
    return world, endpoint


def statuses(world: World, *ids: str) -> set[Status]:
    return {finding(world, id).status for id in ids}


# -- certificates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "id",
    [
        "server-certificate-has-expired",
        "server-certificate-expires-soon",
        "server-certificate-is-weak",
        "server-certificate-is-not-renewed",
    ],
)
def test_an_endpoint_that_names_no_server_certificate_has_no_good_one(id):
    world, endpoint = staff()
    del world.record(endpoint)["ServerCertificateArn"]
    assert statuses(world, id) == {NOT_ASSESSED}


def test_a_certificate_that_acm_calls_ineligible_is_not_renewed():
    world, endpoint = staff()
    world.certificate(endpoint, RenewalEligibility="INELIGIBLE")
    (reason,) = finding(world, "server-certificate-is-not-renewed").evidence["reason"]
    assert "ACM calls ineligible for renewal; it expires on 2027-06-30" in reason


@pytest.mark.parametrize(
    ("member", "id"),
    [
        ("RenewalEligibility", "server-certificate-is-not-renewed"),
        ("SignatureAlgorithm", "server-certificate-is-weak"),
        ("KeyAlgorithm", "server-certificate-is-weak"),
        ("NotAfter", "server-certificate-has-expired"),
    ],
)
def test_what_acm_does_not_say_of_a_certificate_is_not_assessed(member, id):
    world, endpoint = staff()
    world.certificate(endpoint, **{member: None})
    assert statuses(world, id) == {NOT_ASSESSED}


def test_a_certificate_of_tomorrow_is_not_valid_today():
    world, endpoint = staff()
    world.certificate(endpoint, NotBefore=(NOW + timedelta(days=1)).isoformat())
    (reason,) = finding(world, "server-certificate-has-expired").evidence["reason"]
    assert "valid from 2026-11-03 only" in reason


# -- authentication -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "id",
    [
        "revocation-list-is-missing",
        "revocation-list-has-expired",
        "revocation-list-expires-soon",
        "saml-provider-is-unusable",
        "saml-metadata-expires-soon",
        "directory-is-unhealthy",
        "self-service-portal-cannot-serve",
    ],
)
def test_an_endpoint_of_unknown_authentication_is_not_left_out(id):
    world, endpoint = staff()
    world.record(endpoint)["AuthenticationOptions"] = []
    assert statuses(world, id) == {NOT_ASSESSED}


def test_a_provider_that_is_not_named_is_not_a_good_one():
    world, endpoint = staff()
    world.record(endpoint)["AuthenticationOptions"][0]["FederatedAuthentication"] = {}
    ids = ("saml-provider-is-unusable", "saml-metadata-expires-soon")
    assert statuses(world, *ids) == {NOT_ASSESSED}


def test_a_directory_that_is_not_named_is_not_a_good_one():
    world, endpoint = staff(authentication=("directory-service-authentication",))
    world.record(endpoint)["AuthenticationOptions"][0]["ActiveDirectory"] = {}
    assert statuses(world, "directory-is-unhealthy") == {NOT_ASSESSED}


def test_metadata_nobody_can_read_may_have_ended():
    world, _ = staff()
    world.saml_provider(metadata="<a")
    assert statuses(world, "saml-provider-is-unusable") == {NOT_ASSESSED}


def test_a_revocation_list_nobody_can_read_refuses_nobody_for_certain():
    world, endpoint = staff(authentication=CERTIFICATE)
    world.revocation_list(endpoint, "no list")
    ids = ("revocation-list-is-missing", "revocation-list-has-expired", "quota-is-nearly-used")
    assert statuses(world, *ids) == {NOT_ASSESSED}


def test_a_revocation_list_in_an_unknown_state_is_not_in_force():
    world, endpoint = staff(authentication=CERTIFICATE)
    world.revocation_list(endpoint, revocation_list(), status="failed")
    (reason,) = finding(world, "revocation-list-is-missing").evidence["reason"]
    assert reason.endswith("has a revocation list that is not reported as active.")


# -- the connection log and the connect handler ---------------------------------------------------


@pytest.mark.parametrize("id", ["connection-log-is-missing", "connection-log-is-kept-for-ever"])
def test_whether_connections_are_logged_is_not_guessed(id):
    world, endpoint = staff()
    world.record(endpoint)["ConnectionLogOptions"] = {}
    assert statuses(world, id) == {NOT_ASSESSED}


@pytest.mark.parametrize("id", ["connect-handler-is-broken", "connect-handler-is-not-applied"])
def test_whether_a_handler_is_asked_is_not_guessed(id):
    world, endpoint = staff()
    world.record(endpoint)["ClientConnectOptions"] = {}
    assert statuses(world, id) == {NOT_ASSESSED}


@pytest.mark.parametrize(
    ("member", "id"),
    [
        ("State", "connect-handler-is-broken"),
        ("LastUpdateStatus", "connect-handler-is-not-applied"),
    ],
)
def test_a_function_whose_state_is_not_told_is_no_good_one(member, id):
    world, endpoint = staff()
    world.connect_handler(endpoint, **{member: None})
    assert statuses(world, id) == {NOT_ASSESSED}


def test_a_handler_of_which_aws_does_not_say_that_it_is_applied_is_not_assessed():
    world, endpoint = staff()
    world.connect_handler(endpoint)
    world.record(endpoint)["ClientConnectOptions"]["Status"] = {}
    assert statuses(world, "connect-handler-is-not-applied") == {NOT_ASSESSED}


# -- authorization policies -----------------------------------------------------------------------


def test_a_mode_that_is_not_known_today_may_be_shadow_mode():
    world, endpoint = staff()
    world.policy(endpoint, "permit(principal, action, resource);", shadow="partial")
    ids = ("authorization-policy-in-shadow-mode", "authorization-policy-trial-unlogged")
    assert statuses(world, *ids) == {NOT_ASSESSED}


def test_a_trial_whose_log_is_not_told_is_neither_logged_nor_unlogged():
    world, endpoint = staff()
    world.record(endpoint)["ConnectionLogOptions"] = {}
    world.policy(endpoint, "permit(principal, action, resource);", shadow="enabled")
    assert statuses(world, "authorization-policy-trial-unlogged") == {NOT_ASSESSED}


# -- networks -------------------------------------------------------------------------------------

IPV6 = "The IPv6 traffic of one endpoint is not judged here."


def test_nothing_is_said_of_what_becomes_of_ipv6_in_a_full_tunnel():
    world, _ = staff(SplitTunnel=False, TrafficIpAddressType="ipv6")
    found = finding(world, "full-tunnel-drops-internet")
    assert found.status is Status.NOT_APPLICABLE
    assert found.answer.endswith(IPV6)


def test_a_full_tunnel_of_both_kinds_is_judged_by_its_ipv4():
    world, endpoint = staff(SplitTunnel=False, TrafficIpAddressType="dual-stack")
    assert finding(world, "full-tunnel-drops-internet").status is FAIL
    (association,) = world.associations(endpoint)
    world.endpoint_route(endpoint, "0.0.0.0/0", association["TargetNetworkId"])
    world.authorize(endpoint, "0.0.0.0/0")
    found = finding(world, "full-tunnel-drops-internet")
    assert found.status is PASS
    assert found.answer.endswith(IPV6)


def test_a_default_route_in_two_halves_overlaps_no_range():
    world, endpoint = staff()
    (association,) = world.associations(endpoint)
    for half in ("0.0.0.0/1", "128.0.0.0/1"):
        world.endpoint_route(endpoint, half, association["TargetNetworkId"])
    assert statuses(world, "client-range-overlaps-network") == {PASS}
    world.endpoint_route(endpoint, "172.16.0.0/12", association["TargetNetworkId"])
    assert statuses(world, "client-range-overlaps-network") == {FAIL}


def test_a_pass_says_that_nobody_looked_behind_the_transit_gateway():
    world = World()
    gateway = {"TransitGatewayId": "tgw-00000000000000001"}
    world.endpoint(TransitGatewayConfiguration=gateway, Status={"Code": "available"})
    answer = finding(world, "client-range-overlaps-network").answer
    assert answer.endswith("not the networks behind the gateway.")


def test_whether_a_range_whose_state_is_not_told_wants_a_route_is_not_known():
    world, endpoint = staff()
    ranges = world.record(world.record(endpoint)["VpcId"])["CidrBlockAssociationSet"]
    ranges.append({"AssociationId": "vpc-cidr-assoc-1", "CidrBlock": "10.9.0.0/16"})
    assert statuses(world, "vpc-range-not-routed") == {NOT_ASSESSED}


def test_a_list_of_cloudfront_fills_most_of_a_group():
    world, endpoint = staff()
    group = world.record(endpoint)["SecurityGroupIds"][0]
    cloudfront = world.prefix_list("203.0.113.0/24", owner="AWS")
    world.record(cloudfront)["PrefixListName"] = "com.amazonaws.global.cloudfront.origin-facing"
    world.ingress(group, cloudfront)
    (reason,) = finding(world, "quota-is-nearly-used").evidence["reason"]
    assert reason.startswith(f"{group} inbound uses 55 of 60")


def test_a_group_of_an_account_read_in_another_region_only_may_be_gone():
    world, endpoint = staff()
    group = world.record(endpoint)["SecurityGroupIds"][0]
    rule = world.ingress(group, group)
    stranger = {"GroupId": "sg-0aaaaaaaaaaaaaaaa", "UserId": "444455556666"}
    world.record(rule)["ReferencedGroupInfo"] = stranger
    other = World("444455556666", "eu-west-1")
    other.vpc()
    documents = {
        (
            call.account,
            call.region,
            f"{call.service}-{call.operation}",
            call.resource,
        ): snapshot.document(call)
        for snapshot in (world.snapshot(), other.snapshot())
        for call in snapshot.calls
        if call.file
    }
    tables = Tables(Snapshot.from_documents(documents, [], botocore_version="1.44.5", finished=NOW))
    (found,) = audit(tables, only=["security-group-rule-names-missing-group"])
    assert found.status is NOT_ASSESSED
