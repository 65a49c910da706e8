"""What AWS's answer leaves out is never fine: a missing member, an unknown state, a text nobody can read."""

from datetime import timedelta

import pytest

from auditlib.check import Status
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
    assert "ACM calls ineligible for renewal; it ends on 2027-06-30" in reason


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
