"""Authentication, device posture and sessions: settings in, findings out."""

import pytest

from auditlib.check import Status, audit
from auditlib.tables import Tables
from tests.worlds import World, column, finding

GROUPS = "certificate-only-where-groups-are-wanted"
POSTURE = "device-posture-not-checked"
IDLE = "device-posture-decides-nothing"
FULL = "full-tunnel-drops-internet"
SPLIT = "split-tunnel-is-on"
SETTINGS = {
    "session-lasts-a-day": ("SessionTimeoutHours", 24, 8),
    "session-reconnects-at-timeout": ("DisconnectOnSessionTimeout", False, True),
    "login-banner-is-off": (
        "ClientLoginBannerOptions",
        {"Enabled": False},
        {"Enabled": True, "BannerText": "ours"},
    ),
    "client-routes-not-enforced": (
        "ClientRouteEnforcementOptions",
        {"Enforced": False},
        {"Enforced": True},
    ),
    SPLIT: ("SplitTunnel", True, False),
}
CERTIFICATE = ("certificate-authentication",)
JAMF = {"TrustProviders": [{"TrustProviderType": "jamf"}]}
READS = 'permit(principal, action, resource) when { context.jamf.risk == "LOW" };'
OTHER = 'permit(principal, action, resource) when { context.saml.memberOf.contains("x") };'


@pytest.fixture
def world():
    return World()


# -- one setting each -----------------------------------------------------------------------------


@pytest.mark.parametrize("id", SETTINGS)
def test_a_setting_is_found_where_it_is_so_and_nowhere_else(world, id):
    member, bad, good = SETTINGS[id]
    one = world.endpoint(world.vpc(), **{member: bad})
    world.endpoint(world.vpc("10.1.0.0/16"), **{member: good})
    assert column(finding(world, id), "endpoint_id") == {one}


@pytest.mark.parametrize("id", SETTINGS)
def test_the_other_value_passes(world, id):
    member, _, good = SETTINGS[id]
    world.endpoint(world.vpc(), **{member: good})
    assert finding(world, id).status is Status.PASS


@pytest.mark.parametrize("id", [*SETTINGS, FULL])
def test_a_setting_that_aws_did_not_tell_is_not_assessed(world, id):
    member = SETTINGS[id][0] if id in SETTINGS else "SplitTunnel"
    endpoint = world.endpoint(world.vpc(), **{member: None})
    world.record(endpoint)["Status"] = {"Code": "available"}
    found = finding(world, id)
    assert found.status is Status.NOT_ASSESSED
    assert found.gaps["resource"].tolist() == [endpoint]


@pytest.mark.parametrize("id", [*SETTINGS, POSTURE])
def test_an_endpoint_on_its_way_out_is_not_judged(world, id):
    endpoint = world.endpoint(world.vpc())
    world.record(endpoint)["Status"] = {"Code": "deleting"}
    assert finding(world, id).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("id", [*SETTINGS, POSTURE, FULL, IDLE, GROUPS])
def test_no_endpoint_and_no_answer_are_told_apart(world, id):
    assert finding(world, id).status is Status.NOT_APPLICABLE
    world.refuse("ec2-describe-client-vpn-endpoints")
    assert finding(world, id).status is Status.NOT_ASSESSED


# -- tunnels --------------------------------------------------------------------------------------


def test_a_split_tunnel_says_what_goes_through_it(world):
    vpc = world.vpc()
    endpoint = world.endpoint(vpc)
    world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
    (told,) = finding(world, SPLIT).evidence["reason"]
    assert "sends only the networks it routes (10.0.0.0/16) through the tunnel" in told


@pytest.fixture
def full(world):
    vpc = world.vpc()
    endpoint = world.endpoint(vpc, SplitTunnel=False)
    subnet = world.subnet(vpc, "10.0.1.0/24")
    world.associate(endpoint, subnet)
    world.authorize(endpoint, "10.0.0.0/16")
    return endpoint, subnet


def test_a_full_tunnel_without_a_route_to_the_internet_drops_it(world, full):
    (told,) = finding(world, FULL).evidence["reason"]
    assert "no active route leads to all of the internet" in told


def test_a_route_alone_is_not_enough(world, full):
    world.endpoint_route(full[0], "0.0.0.0/0", full[1])
    (told,) = finding(world, FULL).evidence["reason"]
    assert "no active authorization rule opens all of the internet" in told


@pytest.mark.parametrize("halves", [("0.0.0.0/0",), ("0.0.0.0/1", "128.0.0.0/1")])
def test_a_way_to_the_internet_passes_however_it_is_written(world, full, halves):
    for half in halves:
        world.endpoint_route(full[0], half, full[1])
        world.authorize(full[0], half, "staff")
    assert finding(world, FULL).status is Status.PASS


def test_routes_that_were_refused_may_lead_there(world, full):
    world.refuse("ec2-describe-client-vpn-routes", resource=full[0])
    assert finding(world, FULL).status is Status.NOT_ASSESSED


# -- device posture -------------------------------------------------------------------------------


def test_an_endpoint_without_a_trust_provider_takes_any_device(world):
    one = world.endpoint(world.vpc())
    world.endpoint(world.vpc("10.1.0.0/16"), DevicePostureOptions=JAMF)
    assert column(finding(world, POSTURE), "endpoint_id") == {one}


def test_a_trust_provider_means_that_posture_is_on(world):
    world.endpoint(world.vpc(), DevicePostureOptions=JAMF)
    assert finding(world, POSTURE).status is Status.PASS


@pytest.mark.parametrize("id", [POSTURE, IDLE])
@pytest.mark.parametrize("version", ["1.42.92", None])
def test_an_old_sdk_does_not_tell_posture(world, id, version):
    world.endpoint(world.vpc())
    tables = Tables(world.snapshot(botocore_version=version))
    assert audit(tables, only=[id])[0].status is Status.NOT_ASSESSED


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (None, {}, "no authorization policy is attached"),
        (READS, {"status": "creating"}, "its authorization policy is not active"),
        (READS, {"shadow": "enabled"}, "is in shadow mode"),
        (READS, {"shadow": None}, "is not reported as enforced"),
        (OTHER, {}, "its authorization policy reads nothing of it"),
    ],
)
def test_a_provider_nobody_listens_to_is_found(world, text, options, said):
    endpoint = world.endpoint(world.vpc(), DevicePostureOptions=JAMF)
    if text:
        world.policy(endpoint, text, **options)
    (told,) = finding(world, IDLE).evidence["reason"]
    assert said in told


def test_a_policy_in_force_that_reads_the_provider_passes(world):
    endpoint = world.endpoint(world.vpc(), DevicePostureOptions=JAMF)
    world.policy(endpoint, READS)
    assert finding(world, IDLE).status is Status.PASS


@pytest.mark.parametrize("text", ["permit(", None])
def test_a_policy_nobody_could_read_may_listen(world, text):
    endpoint = world.endpoint(world.vpc(), DevicePostureOptions=JAMF)
    world.policy(endpoint, text or READS)
    if text is None:
        world.refuse("ec2-get-client-vpn-endpoint-authorization-policy")
    assert finding(world, IDLE).status is Status.NOT_ASSESSED


# -- groups ---------------------------------------------------------------------------------------


@pytest.fixture
def bare(world):
    return world.endpoint(world.vpc(), authentication=CERTIFICATE)


def test_a_rule_for_a_group_on_a_certificate_endpoint_is_a_sign(world, bare):
    world.authorize(bare, "10.0.0.0/16", "admins")
    assert column(finding(world, GROUPS), "sign") == {"rule_for_group"}


def test_descriptions_that_speak_of_people_are_signs_where_rules_differ(world, bare):
    world.authorize(bare, "10.0.1.0/24", description="Database admins only")
    world.authorize(bare, "10.0.2.0/24", description="wiki")
    found = finding(world, GROUPS)
    assert column(found, "destination_cidr") == {"10.0.1.0/24"}
    assert "“Database admins only”, and the rule is for everyone" in found.evidence["reason"][0]


def test_a_description_of_the_one_group_the_endpoint_is_for_is_no_sign(world, bare):
    world.authorize(bare, "10.0.0.0/16", description="contractors")
    assert finding(world, GROUPS).status is Status.PASS
    world.authorize(bare, "192.168.0.0/16", description="contractors")
    assert finding(world, GROUPS).status is Status.PASS


def test_an_endpoint_beside_it_that_knows_groups_is_a_sign_where_several_networks_are_open(
    world, bare
):
    beside = world.endpoint(world.vpc("10.1.0.0/16"), name="staff")
    world.authorize(beside, "10.1.0.0/16", "engineers")
    world.authorize(bare, "10.0.1.0/24")
    assert finding(world, GROUPS).status is Status.PASS
    world.authorize(bare, "10.0.2.0/24")
    assert column(finding(world, GROUPS), "sign") == {"other_endpoint"}


def test_with_a_user_beside_the_certificate_groups_are_known(world):
    both = (*CERTIFICATE, "federated-authentication")
    endpoint = world.endpoint(world.vpc(), authentication=both)
    world.authorize(endpoint, "10.0.0.0/16", "admins")
    assert finding(world, GROUPS).status is Status.PASS


def test_authentication_that_is_not_told_is_not_assessed(world, bare):
    world.record(bare)["AuthenticationOptions"] = []
    assert finding(world, GROUPS).status is Status.NOT_ASSESSED


def test_rules_that_were_refused_may_hold_signs(world, bare):
    world.refuse("ec2-describe-client-vpn-authorization-rules")
    assert finding(world, GROUPS).status is Status.NOT_ASSESSED
