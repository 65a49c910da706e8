"""Who is let through an endpoint, and what is known of them: world in, ids out."""

import pytest

from auditlib.check import Status, audit
from auditlib.tables import Tables
from tests.worlds import World, column, finding

EVERYONE = "authorization-allows-everyone"
SOURCE = "source-address-not-restricted"
CERTIFICATE = "authentication-is-certificate-only"
LOGGING = "connection-logging-is-off"
GATE = 'permit(principal, action, resource) when { context.connection.public_ip == "192.0.2.1" };'


@pytest.fixture
def world():
    return World()


@pytest.fixture
def endpoint(world):
    return world.endpoint(world.vpc(name="main"), name="staff")


# -- authorization ---------------------------------------------------------------------------------


def test_rules_for_everyone_are_found_the_widest_first(world, endpoint):
    for destination in ("10.0.2.4/32", "0.0.0.0/0", "10.0.0.0/16"):
        world.authorize(endpoint, destination)
    world.authorize(endpoint, "192.168.0.0/16", "engineers")
    found = finding(world, EVERYONE)
    assert found.evidence["destination_cidr"].tolist() == [
        "0.0.0.0/0",
        "10.0.0.0/16",
        "10.0.2.4/32",
    ]
    assert found.evidence["extent"].tolist() == [
        "every IPv4 address",
        "65,536 addresses",
        "one address",
    ]
    assert "(all of vpc-00000000000000001 (main), 65,536 addresses)" in found.evidence["reason"][1]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("active", Status.FAIL),
        ("authorizing", Status.FAIL),
        ("failed", Status.PASS),
        ("revoking", Status.FAIL),
        ("a-new-word", Status.FAIL),
    ],
)
def test_only_a_rule_that_failed_does_not_count(world, endpoint, status, expected):
    world.authorize(endpoint, "10.0.0.0/16", status=status)
    found = finding(world, EVERYONE)
    assert found.status is expected
    if expected is Status.FAIL and status != "active":
        assert f"the rule is {status}" in found.evidence["reason"][0]


def test_certificate_only_is_remarked_on(world):
    endpoint = world.endpoint(world.vpc(), authentication=("certificate-authentication",))
    world.authorize(endpoint, "10.0.0.0/16")
    reason = finding(world, EVERYONE).evidence["reason"][0]
    assert "by certificate only, so a rule can be for nobody less" in reason


def test_with_a_user_beside_the_certificate_groups_are_possible(world):
    both = ("certificate-authentication", "federated-authentication")
    endpoint = world.endpoint(world.vpc(), authentication=both)
    world.authorize(endpoint, "10.0.0.0/16")
    assert "certificate only" not in finding(world, EVERYONE).evidence["reason"][0]


@pytest.mark.parametrize(("shadow", "remarked"), [("disabled", True), ("enabled", False)])
def test_an_enforced_policy_is_remarked_on(world, endpoint, shadow, remarked):
    world.authorize(endpoint, "10.0.0.0/16")
    world.policy(endpoint, GATE, shadow=shadow)
    reason = finding(world, EVERYONE).evidence["reason"][0]
    assert ("policy may refuse some of them" in reason) is remarked


def test_a_transit_gateway_endpoint_is_judged_by_its_authorization_rules(world):
    endpoint = world.endpoint(TransitGatewayConfiguration={"TransitGatewayId": "tgw-1"})
    world.authorize(endpoint, "10.0.0.0/8")
    assert column(finding(world, EVERYONE), "endpoint_id") == {endpoint}


def test_an_ipv6_destination_has_a_width_too(world, endpoint):
    world.authorize(endpoint, "2001:db8::/56")
    assert column(finding(world, EVERYONE), "extent") == {"a /56 of IPv6 addresses"}


# -- source address --------------------------------------------------------------------------------


def handler(world, endpoint, status="applied"):
    world.record(endpoint)["ClientConnectOptions"] = {"Enabled": True, "Status": {"Code": status}}


def test_nothing_that_could_check_the_address_is_found(world, endpoint):
    found = finding(world, SOURCE)
    assert column(found, "endpoint_id") == {endpoint}
    assert (
        "neither a client connect handler nor an authorization policy"
        in (found.evidence["reason"][0])
    )


def test_a_handler_may_check_the_address(world, endpoint):
    handler(world, endpoint)
    assert finding(world, SOURCE).status is Status.PASS


def test_a_handler_on_its_way_is_not_there_yet(world, endpoint):
    handler(world, endpoint, "applying")
    assert "still being applied" in finding(world, SOURCE).evidence["reason"][0]


@pytest.mark.parametrize(
    ("text", "settings", "said"),
    [
        (GATE, {}, None),
        (GATE, {"shadow": "enabled"}, "shadow mode"),
        (GATE, {"status": "creating"}, "is creating, not active"),
        (
            "permit(principal, action, resource); // public_ip",
            {},
            "does not read the public address",
        ),
    ],
)
def test_a_policy_counts_when_it_is_enforced_and_reads_the_address(
    world, endpoint, text, settings, said
):
    world.policy(endpoint, text, **settings)
    found = finding(world, SOURCE)
    assert found.status is (Status.PASS if said is None else Status.FAIL)
    if said:
        assert said in found.evidence["reason"][0]


def test_a_policy_that_could_not_be_read_may_be_there(world, endpoint):
    other = world.endpoint(world.vpc("10.1.0.0/16"))
    world.refuse("ec2-get-client-vpn-endpoint-authorization-policy", resource=endpoint)
    found = finding(world, SOURCE)
    assert column(found, "endpoint_id") == {other}
    assert "There may be more" in found.answer


def test_an_old_sdk_that_knows_no_policies_cannot_say_that_there_is_none(world, endpoint):
    tables = Tables(world.snapshot(botocore_version="1.40.0"))
    assert audit(tables, only=[SOURCE])[0].status is Status.NOT_ASSESSED


# -- authentication and logging --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (("certificate-authentication",), Status.FAIL),
        (("federated-authentication",), Status.PASS),
        (("directory-service-authentication",), Status.PASS),
        (("certificate-authentication", "federated-authentication"), Status.PASS),
    ],
)
def test_a_certificate_alone_is_found(world, types, expected):
    world.endpoint(world.vpc(), authentication=types)
    assert finding(world, CERTIFICATE).status is expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"Enabled": True, "CloudwatchLogGroup": "/vpn"}, Status.PASS),
        ({"Enabled": False}, Status.FAIL),
        ({}, Status.FAIL),
    ],
)
def test_logging_is_off_unless_aws_says_that_it_is_on(world, endpoint, options, expected):
    world.record(endpoint)["ConnectionLogOptions"] = options
    assert finding(world, LOGGING).status is expected


@pytest.mark.parametrize("id", [EVERYONE, SOURCE, CERTIFICATE, LOGGING])
def test_an_endpoint_being_deleted_is_not_judged(world, id):
    endpoint = world.endpoint(authentication=("certificate-authentication",), logging=False)
    world.authorize(endpoint, "0.0.0.0/0")
    world.record(endpoint)["Status"] = {"Code": "deleting"}
    assert finding(world, id).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("status", ["failed", "some-new-word", None])
def test_a_handler_that_is_not_reported_as_applied_checks_nothing(world, endpoint, status):
    handler(world, endpoint, status)
    (reason,) = finding(world, SOURCE).evidence["reason"]
    assert "its client connect handler is not reported as applied" in reason


@pytest.mark.parametrize("told", [[], None])
def test_authentication_that_the_answer_does_not_tell_is_not_assessed(world, endpoint, told):
    world.record(endpoint)["AuthenticationOptions"] = told
    found = finding(world, CERTIFICATE)
    assert found.status is Status.NOT_ASSESSED
    assert found.gaps["resource"].tolist() == [endpoint]


def test_a_note_about_the_address_in_a_policy_reads_no_address(world, endpoint):
    world.policy(
        endpoint, '@note("the public_ip is \\"not\\" read") permit(principal, action, resource);'
    )
    assert finding(world, SOURCE).status is Status.FAIL
    world.policy(endpoint, f'@note("gate") {GATE}')
    assert finding(world, SOURCE).status is Status.PASS


@pytest.mark.parametrize("options", [None, {}])
def test_a_connect_handler_that_is_not_told_of_is_neither_there_nor_missing(
    world, endpoint, options
):
    world.record(endpoint).pop("ClientConnectOptions", None)
    if options is not None:
        world.record(endpoint)["ClientConnectOptions"] = options
    found = finding(world, SOURCE)
    assert found.status is Status.NOT_ASSESSED
    assert "whether a client connect handler is asked by" in found.answer


def test_a_policy_that_looks_at_the_address_needs_no_word_of_a_handler(world, endpoint):
    world.record(endpoint).pop("ClientConnectOptions", None)
    world.policy(endpoint, GATE)
    assert finding(world, SOURCE).status is Status.PASS
