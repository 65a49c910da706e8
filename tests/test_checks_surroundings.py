"""The checks of what surrounds an endpoint: certificates, providers, handlers, logs, quotas."""

from datetime import timedelta

import pytest

from auditlib.audit import Audit
from auditlib.check import Status, audit
from auditlib.checks import limits
from auditlib.endpoints import bearings
from auditlib.tables import Tables
from tests.worlds import (
    NOW,
    REGION,
    World,
    clean,
    column,
    finding,
    revocation_list,
    saml_metadata,
)

MUTUAL = ("certificate-authentication", "federated-authentication")
DIRECTORY = ("directory-service-authentication",)
CRL = "ec2-export-client-vpn-client-certificate-revocation-list"
SURROUNDINGS = (
    "connect-handler-is-broken",
    "connect-handler-is-not-applied",
    "connection-log-is-kept-for-ever",
    "connection-log-is-missing",
    "directory-is-unhealthy",
    "endpoint-is-idle",
    "prefix-list-is-empty",
    "quota-is-nearly-used",
    "revocation-list-expires-soon",
    "revocation-list-has-expired",
    "revocation-list-is-missing",
    "saml-metadata-expires-soon",
    "saml-provider-is-unusable",
    "security-group-is-unused",
    "self-service-portal-cannot-serve",
    "server-certificate-expires-soon",
    "server-certificate-has-expired",
    "server-certificate-is-not-renewed",
    "server-certificate-is-weak",
)


def endpoint_world(**more) -> tuple[World, str]:
    """Return a world with an endpoint on one subnet, and the endpoint's id."""
    world = World()
    vpc = world.vpc()
    endpoint = world.endpoint(vpc, (world.security_group(vpc, "vpn"),), name="staff", **more)
    world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
    return world, endpoint


def status(world: World, id: str) -> Status:
    return finding(world, id).status


def reason(world: World, id: str) -> str:
    found = finding(world, id)
    assert found.status is Status.FAIL, found.answer
    (text,) = found.evidence["reason"]
    return text


@pytest.mark.parametrize("id", SURROUNDINGS)
def test_nothing_is_wrong_with_the_model_endpoint(id):
    assert status(clean(), id) in {Status.PASS, Status.NOT_APPLICABLE}


@pytest.mark.parametrize("id", SURROUNDINGS)
def test_an_account_without_endpoints_has_nothing_to_judge(id):
    assert status(World(), id) is Status.NOT_APPLICABLE


def test_an_account_without_endpoints_costs_no_call_more():
    calls = World().snapshot().calls
    assert not [call for call in calls if call.resource]
    assert {call.service for call in calls} == {"ec2"}


# -- server certificates --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "type", "expected"),
    [
        (-1, "IMPORTED", {"server-certificate-has-expired"}),
        (59, "IMPORTED", {"server-certificate-expires-soon"}),
        (61, "IMPORTED", set()),
        (29, "AMAZON_ISSUED", {"server-certificate-expires-soon"}),
        (31, "AMAZON_ISSUED", set()),
    ],
)
def test_how_soon_is_soon_depends_on_who_renews(days, type, expected):
    world, endpoint = endpoint_world()
    eligible = "ELIGIBLE" if type == "AMAZON_ISSUED" else "INELIGIBLE"
    end = (NOW + timedelta(days=days)).isoformat()
    world.certificate(endpoint, NotAfter=end, Type=type, RenewalEligibility=eligible)
    ids = ("server-certificate-has-expired", "server-certificate-expires-soon")
    assert {id for id in ids if status(world, id) is Status.FAIL} == expected


@pytest.mark.parametrize(
    ("id", "days"),
    [("server-certificate-expires-soon", 20), ("server-certificate-has-expired", -1)],
)
@pytest.mark.parametrize(
    ("types", "imports", "renews"),
    [
        (["IMPORTED"], True, False),
        (["AMAZON_ISSUED"], False, True),
        (["IMPORTED", "PRIVATE"], True, True),
    ],
)
def test_what_is_advised_fits_who_issued_the_certificate(id, days, types, imports, renews):
    world = World()
    ends = []
    for type in types:
        ends.append(world.endpoint(world.vpc()))
        end = (NOW + timedelta(days=days)).isoformat()
        world.certificate(ends[-1], NotAfter=end, Type=type, RenewalEligibility="INELIGIBLE")
    (found,) = audit(Tables(world.snapshot()), only=[id])
    assert len(found.evidence) == len(types)
    assert ("under the same ARN" in found.remedy) == imports
    assert ("have ACM issue" in found.remedy) == renews
    assert ("DNS" in found.remedy) == (renews and days > 0)
    assert all((f"That goes for {end}." in found.remedy) == (imports and renews) for end in ends)


def test_a_renewal_that_hangs_is_told_two_months_before():
    world, endpoint = endpoint_world()
    end = (NOW + timedelta(days=50)).isoformat()
    renewal = {"RenewalStatus": "PENDING_VALIDATION", "UpdatedAt": end}
    world.certificate(endpoint, NotAfter=end, RenewalSummary=renewal)
    assert "stands at PENDING_VALIDATION" in reason(world, "server-certificate-expires-soon")


def test_the_days_are_counted_from_when_the_account_was_read_and_not_from_today():
    world, endpoint = endpoint_world()
    world.certificate(endpoint, NotAfter="2026-11-12T01:00:00+00:00", Type="IMPORTED")
    assert "2026-11-12, 10 days after the snapshot" in reason(
        world, "server-certificate-expires-soon"
    )
    later = Tables(world.snapshot(finished=NOW + timedelta(days=20)))
    (found,) = audit(later, only=["server-certificate-has-expired"])
    assert found.status is Status.FAIL


@pytest.mark.parametrize(
    "id",
    [
        "endpoint-is-idle",
        "revocation-list-has-expired",
        "saml-metadata-expires-soon",
        "saml-provider-is-unusable",
        "server-certificate-expires-soon",
        "server-certificate-has-expired",
    ],
)
def test_a_snapshot_that_does_not_say_when_it_was_read_is_not_judged_by_today(id):
    world, endpoint = endpoint_world(authentication=MUTUAL)
    world.revocation_list(endpoint, revocation_list())
    (found,) = audit(Tables(world.snapshot(finished=None)), only=[id])
    assert found.status is Status.NOT_ASSESSED
    assert set(found.gaps["status"]) == {"untold"}


def test_a_certificate_of_another_account_that_is_refused_is_a_gap():
    world, endpoint = endpoint_world()
    arn = f"arn:aws:acm:{REGION}:444455556666:certificate/other"
    world.record(endpoint)["ServerCertificateArn"] = arn
    world.refuse("acm-describe-certificate", resource=arn, code="AccessDeniedException")
    found = finding(world, "server-certificate-has-expired")
    assert found.status is Status.NOT_ASSESSED
    assert found.gaps["resource"].tolist() == [arn]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"KeyAlgorithm": "RSA_1024"}, "RSA key has 1,024 bits"),
        ({"KeyAlgorithm": "RSA-1024"}, "RSA key has 1,024 bits"),
        ({"SignatureAlgorithm": "SHA1WITHRSA"}, "signed with SHA1WITHRSA"),
    ],
)
def test_short_keys_and_old_signatures_are_weak(members, said):
    world, endpoint = endpoint_world()
    world.certificate(endpoint, **members)
    assert said in reason(world, "server-certificate-is-weak")


def test_elliptic_curves_are_not_short_rsa_keys():
    world, endpoint = endpoint_world()
    signature = {"SignatureAlgorithm": "SHA256WITHECDSA"}
    world.certificate(endpoint, KeyAlgorithm="EC_prime256v1", **signature)
    assert status(world, "server-certificate-is-weak") is Status.PASS


def test_an_imported_certificate_is_not_renewed_by_acm():
    world, endpoint = endpoint_world()
    world.certificate(endpoint, Type="IMPORTED", RenewalEligibility="INELIGIBLE")
    assert "imported, so ACM does not renew it; it expires on 2027-06-30" in reason(
        world, "server-certificate-is-not-renewed"
    )


# -- revocation lists -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "days"),
    [
        ("revocation-list-has-expired", -1),
        ("revocation-list-expires-soon", 9),
        ("revocation-list-is-missing", None),
    ],
)
def test_who_imports_a_list_knows_that_it_may_take_four_hours(id, days):
    world, endpoint = endpoint_world(authentication=MUTUAL)
    if days is not None:
        world.revocation_list(endpoint, revocation_list(days=days))
    assert (
        "up to four hours to take effect: do not import again meanwhile."
        in finding(world, id).remedy
    )


@pytest.mark.parametrize(
    ("days", "expected"),
    [(-1, "revocation-list-has-expired"), (29, "revocation-list-expires-soon"), (31, None)],
)
def test_a_revocation_list_ends_when_it_says(days, expected):
    world, endpoint = endpoint_world(authentication=MUTUAL)
    world.revocation_list(endpoint, revocation_list(days=days))
    for id in ("revocation-list-has-expired", "revocation-list-expires-soon"):
        assert status(world, id) is (Status.FAIL if id == expected else Status.PASS)
    assert status(world, "revocation-list-is-missing") is Status.PASS


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
        revocation_list()[:200],
        "-----BEGIN X509 CRL-----\n\ud800\n",
    ],
)
def test_a_revocation_list_that_cannot_be_read_is_never_fine(text):
    world, endpoint = endpoint_world(authentication=MUTUAL)
    world.revocation_list(endpoint, text)
    for id in ("revocation-list-has-expired", "revocation-list-expires-soon"):
        found = finding(world, id)
        assert found.status is Status.NOT_ASSESSED
        assert "the revocation list cannot be read: it is" in found.answer


def test_no_list_and_one_that_is_not_active_yet_refuse_no_certificate():
    world, endpoint = endpoint_world(authentication=MUTUAL)
    assert "has no revocation list" in reason(world, "revocation-list-is-missing")
    world.revocation_list(endpoint, revocation_list(), status="pending")
    assert "not active yet" in reason(world, "revocation-list-is-missing")


def test_a_refused_list_is_not_taken_for_no_list():
    world, _ = endpoint_world(authentication=MUTUAL)
    world.refuse(CRL)
    assert status(world, "revocation-list-is-missing") is Status.NOT_ASSESSED


def test_an_answer_without_list_and_status_says_nothing():
    world, endpoint = endpoint_world(authentication=MUTUAL)
    del world._single[REGION, CRL, endpoint]
    assert status(world, "revocation-list-is-missing") is Status.NOT_ASSESSED


def test_endpoints_without_certificate_authentication_need_no_list():
    world, _ = endpoint_world()
    assert status(world, "revocation-list-is-missing") is Status.NOT_APPLICABLE


# -- SAML providers and directories ---------------------------------------------------------------


def test_a_provider_that_is_gone_or_has_ended_is_unusable():
    world, _ = endpoint_world()
    world.saml_provider(days=-3)
    assert "the provider idp ended on 2026-10-30" in reason(world, "saml-provider-is-unusable")
    world.saml_provider(metadata=saml_metadata(valid_until=NOW - timedelta(days=1)))
    assert "the metadata of the provider idp ended on" in reason(world, "saml-provider-is-unusable")
    world.remove_saml_provider()
    assert "IAM has none of this name" in reason(world, "saml-provider-is-unusable")


@pytest.mark.parametrize("said", ["the end of next year", "", "2026-11-31T00:00:00Z"])
@pytest.mark.parametrize("id", ["saml-provider-is-unusable", "saml-metadata-expires-soon"])
def test_metadata_whose_end_cannot_be_read_does_not_pass(id, said):
    world, _ = endpoint_world()
    text = saml_metadata(400).replace("entityID", f'validUntil="{said}" entityID', 1)
    world.saml_provider(metadata=text)
    found = finding(world, id)
    assert found.status is Status.NOT_ASSESSED
    assert "the day on which it ends cannot be read" in found.answer


def test_an_end_that_can_be_read_counts_beside_one_that_cannot():
    world, _ = endpoint_world()
    text = saml_metadata(400, valid_until=NOW - timedelta(days=1))
    world.saml_provider(
        metadata=text.replace("<md:IDPSSODescriptor", '<md:IDPSSODescriptor validUntil="then"')
    )
    assert "the metadata of the provider idp ended on" in reason(world, "saml-provider-is-unusable")


def test_the_provider_of_the_portal_is_looked_at_too():
    world, endpoint = endpoint_world()
    world.saml_provider("portal", days=-3)
    (option,) = world.record(endpoint)["AuthenticationOptions"]
    option["FederatedAuthentication"]["SelfServiceSamlProviderArn"] = (
        f"arn:aws:iam::{world.account}:saml-provider/portal"
    )
    found = finding(world, "saml-provider-is-unusable")
    assert {arn.rpartition("/")[2] for arn in found.evidence["provider_arn"]} == {"portal"}


@pytest.mark.parametrize(
    ("certificates", "fails"), [((20,), True), ((-5,), True), ((-5, 400), False), ((400,), False)]
)
def test_sign_in_goes_on_while_one_signing_certificate_is_good(certificates, fails):
    world, _ = endpoint_world()
    world.saml_provider(metadata=saml_metadata(*certificates))
    expected = Status.FAIL if fails else Status.PASS
    assert status(world, "saml-metadata-expires-soon") is expected


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("<a", "it is no XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "it is no XML"),
        ("<a/>", "it holds no certificate to check signatures with"),
        (saml_metadata(use="encryption"), "it holds no certificate to check signatures with"),
        (saml_metadata().replace("MII", "AAA").replace("MIH", "AAA"), "cannot be read"),
    ],
)
def test_metadata_that_cannot_be_read_is_never_fine(metadata, said):
    world, _ = endpoint_world()
    world.saml_provider(metadata=metadata)
    found = finding(world, "saml-metadata-expires-soon")
    assert found.status is Status.NOT_ASSESSED
    assert said in found.answer


def test_a_provider_named_in_three_regions_is_read_once_and_its_refusal_counts_in_each():
    world = World()
    for region in (REGION, "eu-west-1", "us-west-2"):
        vpc = world.at(region).vpc()
        world.endpoint(vpc, (world.security_group(vpc, "vpn"),))
    snapshot = world.snapshot()
    (call,) = [c for c in snapshot.calls if c.service == "iam"]
    assert call.region == "us-east-1"
    assert "us-east-1" not in {region for _, region in snapshot.places}
    assert Tables(snapshot).gaps().empty
    assert status(world, "saml-provider-is-unusable") is Status.PASS
    world.refuse("iam-get-saml-provider", code="AccessDenied")
    for id in ("saml-provider-is-unusable", "saml-metadata-expires-soon"):
        found = finding(world, id)
        assert found.status is Status.NOT_ASSESSED
        assert found.gaps["region"].tolist() == ["us-east-1"]
        assert found.gaps["iam_action"].tolist() == ["iam:GetSAMLProvider"]


def test_a_region_whose_endpoints_were_refused_hides_the_providers_they_name():
    world, _ = endpoint_world()
    world.at("eu-west-1").vpc()
    world.refuse("ec2-describe-client-vpn-endpoints", region="eu-west-1")
    gaps = Tables(world.snapshot()).gaps("saml_providers")
    assert gaps[["region", "operation"]].to_numpy().tolist() == [
        ["eu-west-1", "describe-client-vpn-endpoints"]
    ]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"Stage": "Impaired", "StageReason": "DNS is not reached."}, "is Impaired: DNS is not"),
        ({"Stage": "Inoperable"}, "which is Inoperable."),
        ({"RadiusStatus": "Failed"}, "second factor (RADIUS) has failed"),
    ],
)
def test_a_directory_that_is_not_well_is_reported(members, said):
    world, _ = endpoint_world(authentication=DIRECTORY)
    assert status(world, "directory-is-unhealthy") is Status.PASS
    world.directory("d-0000000001", **members)
    assert said in reason(world, "directory-is-unhealthy")


def test_a_directory_that_is_gone_is_told_from_one_that_was_refused():
    world, _ = endpoint_world(authentication=DIRECTORY)
    world._lists[REGION, "ds-describe-directories", "d-0000000001"] = []
    assert "Directory Service does not know" in reason(world, "directory-is-unhealthy")
    world.refuse("ds-describe-directories", code="AccessDeniedException")
    assert status(world, "directory-is-unhealthy") is Status.NOT_ASSESSED


def test_a_portal_serves_nobody_where_certificates_are_all_there_is():
    world, _ = endpoint_world(authentication=("certificate-authentication",))
    assert "nobody can sign in" in reason(world, "self-service-portal-cannot-serve")
    for both in (MUTUAL, DIRECTORY):
        assert status(
            endpoint_world(authentication=both)[0], "self-service-portal-cannot-serve"
        ) is (Status.PASS)


# -- connect handlers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"there": False}, "which Lambda does not know"),
        ({"State": "Failed", "StateReason": "No role."}, "which is Failed: No role."),
        ({"State": "Inactive"}, "which is Inactive."),
        ({"name": "gate"}, "does not begin with AWSClientVPN-"),
    ],
)
def test_a_handler_that_cannot_answer_is_reported(options, said):
    world, endpoint = endpoint_world()
    world.connect_handler(endpoint, **options)
    assert said in reason(world, "connect-handler-is-broken")


@pytest.mark.parametrize(("old", "new"), [(REGION, "eu-west-1"), ("111122223333", "444455556666")])
def test_a_handler_of_another_region_or_account_is_not_one_aws_calls(old, new):
    world, endpoint = endpoint_world()
    arn = world.connect_handler(endpoint)
    world.record(endpoint)["ClientConnectOptions"]["LambdaFunctionArn"] = arn.replace(old, new)
    assert f"{new} and not" in reason(world, "connect-handler-is-broken")


def test_a_handler_that_works_and_one_that_was_refused():
    world, endpoint = endpoint_world()
    world.connect_handler(endpoint)
    assert status(world, "connect-handler-is-broken") is Status.PASS
    assert status(world, "connect-handler-is-not-applied") is Status.PASS
    world.refuse("lambda-get-function-configuration", code="AccessDeniedException")
    assert status(world, "connect-handler-is-broken") is Status.NOT_ASSESSED


def test_a_handler_not_in_force_as_configured_is_reported():
    world, endpoint = endpoint_world()
    world.connect_handler(endpoint, LastUpdateStatus="Failed", LastUpdateStatusReason="Too big")
    assert "last update failed: Too big" in reason(world, "connect-handler-is-not-applied")
    assert status(world, "connect-handler-is-broken") is Status.PASS
    world.record(endpoint)["ClientConnectOptions"]["Status"] = {"Code": "applying"}
    assert "still applying" in reason(world, "connect-handler-is-not-applied")


def test_a_handler_that_is_switched_off_is_not_judged():
    world, endpoint = endpoint_world()
    world.connect_handler(endpoint, there=False)
    world.record(endpoint)["ClientConnectOptions"]["Enabled"] = False
    assert status(world, "connect-handler-is-broken") is Status.NOT_APPLICABLE


# -- logs and use ---------------------------------------------------------------------------------


def test_a_log_group_that_is_gone_is_reported_though_logging_is_on():
    world, _ = endpoint_world()
    world._lists[REGION, "logs-describe-log-groups", "/vpn/connections"] = []
    assert "there is no such log group" in reason(world, "connection-log-is-missing")
    assert status(world, "connection-logging-is-off") is Status.PASS
    world.refuse("logs-describe-log-groups", code="AccessDeniedException")
    assert status(world, "connection-log-is-missing") is Status.NOT_ASSESSED


def test_a_group_whose_name_only_begins_alike_is_another_group():
    world, _ = endpoint_world()
    groups = world._lists[REGION, "logs-describe-log-groups", "/vpn/connections"]
    groups[0]["logGroupName"] = "/vpn/connections-old"
    assert status(world, "connection-log-is-missing") is Status.FAIL


def test_a_stream_that_is_gone_is_reported_unless_it_may_be_beyond_what_is_read():
    world, endpoint = endpoint_world()
    options = world.record(endpoint)["ConnectionLogOptions"]
    options["CloudwatchLogStream"] = "staff"
    assert "there is no such stream" in reason(world, "connection-log-is-missing")
    for number in range(49):
        world.log_stream("/vpn/connections", f"other-{number}")
    assert status(world, "connection-log-is-missing") is Status.PASS
    world.log_stream("/vpn/connections", "staff")
    assert status(world, "connection-log-is-missing") is Status.PASS


def test_a_group_without_retention_keeps_for_ever():
    world, _ = endpoint_world()
    world.log_group("/vpn/connections")
    assert "keeps entries for ever" in reason(world, "connection-log-is-kept-for-ever")


def idle_world(days: float | None, **more) -> tuple[World, str]:
    world, endpoint = endpoint_world(**more)
    if not world._lists[REGION, "logs-describe-log-streams", "/vpn/connections"]:
        world.log_group("/vpn/connections", 90)
    world._lists[REGION, "logs-describe-log-streams", "/vpn/connections"].clear()
    world.log_stream("/vpn/connections", "connections", days_ago=days)
    return world, endpoint


def test_an_endpoint_without_an_attempt_in_thirty_days_is_idle():
    text = reason(idle_world(45)[0], "endpoint-is-idle")
    assert "since 2026-09-18, 45 days before the snapshot" in text
    assert "One association of it came to about 1,080 billed hours since 2026-09-18" in text
    assert "it holds no entry at all" in reason(idle_world(None)[0], "endpoint-is-idle")
    assert status(idle_world(29)[0], "endpoint-is-idle") is Status.PASS


def test_where_certificates_are_asked_for_it_is_said_that_failures_leave_no_trace():
    world, endpoint = idle_world(45, authentication=MUTUAL)
    assert "AWS does not log who fails with one" in reason(world, "endpoint-is-idle")
    told = bearings(Audit(world.snapshot()))[endpoint][0]
    assert "not show who fails with a certificate" in told
    assert "it was used after 2026-09-18, 45 days before the snapshot." in told
    world, endpoint = idle_world(None)
    assert "does not log" not in reason(world, "endpoint-is-idle")
    assert "in the 30 days before the snapshot." in bearings(Audit(world.snapshot()))[endpoint][0]


def test_an_endpoint_in_use_or_new_is_not_idle():
    world, endpoint = idle_world(45)
    world.connection(endpoint)
    assert status(world, "endpoint-is-idle") is Status.PASS
    world, endpoint = idle_world(45)
    world.record(endpoint)["CreationTime"] = "2026-10-20T09:00:00"
    assert status(world, "endpoint-is-idle") is Status.PASS


def test_without_a_log_nobody_can_tell_whether_an_endpoint_is_used():
    found = finding(endpoint_world(logging=False)[0], "endpoint-is-idle")
    assert found.status is Status.NOT_ASSESSED
    assert "no connection log tells" in found.answer
    world, _ = idle_world(45)
    world.refuse("logs-describe-log-streams", code="AccessDeniedException")
    assert status(world, "endpoint-is-idle") is Status.NOT_ASSESSED


def test_a_log_that_is_new_and_empty_tells_nothing():
    world, _ = idle_world(None)
    now = int((NOW - timedelta(days=5)).timestamp() * 1000)
    for read in ("logs-describe-log-groups", "logs-describe-log-streams"):
        for record in world._lists[REGION, read, "/vpn/connections"]:
            record["creationTime"] = now
    assert status(world, "endpoint-is-idle") is Status.NOT_ASSESSED


def test_a_quota_of_nothing_is_not_used_up():
    world, _ = endpoint_world()
    world.quota("ec2", "L-401D78F7", 0)
    usage = Tables(world.snapshot())["quota_usage"]
    assert limits.quota_is_nearly_used(usage.assign(used=0)).empty


def test_in_a_shared_group_only_a_stream_of_its_own_tells_of_an_endpoint():
    world, first = idle_world(1)
    vpc = world.record(first)["VpcId"]
    world.endpoint(vpc, (world.security_group(vpc, "other"),))
    assert status(world, "endpoint-is-idle") is Status.NOT_ASSESSED
    world.log_stream("/vpn/connections", f"{first}-2026", days_ago=60)
    found = finding(world, "endpoint-is-idle")
    assert column(found, "endpoint_id") == {first}
    assert len(found.gaps) == 1


def test_an_idle_endpoint_without_associations_costs_nothing():
    world, endpoint = idle_world(45)
    world.associations(endpoint).clear()
    assert "billed" not in reason(world, "endpoint-is-idle")


# -- quotas ---------------------------------------------------------------------------------------


def test_a_quota_counts_as_nearly_used_from_four_fifths_on():
    world, endpoint = endpoint_world()
    for number in range(159):
        world.authorize(endpoint, f"10.{number}.0.0/16", "g")
    assert status(world, "quota-is-nearly-used") is Status.PASS
    world.authorize(endpoint, "10.200.0.0/16", "g")
    text = reason(world, "quota-is-nearly-used")
    assert "uses 160 of 200 (Authorization rules per Client VPN endpoint" in text
    assert "AWS's documented default" in text


def test_what_service_quotas_applies_takes_the_place_of_the_default():
    world, endpoint = endpoint_world()
    for number in range(160):
        world.authorize(endpoint, f"10.{number}.0.0/16", "g")
    world.quota("ec2", "L-9A1BC94B", 400)
    assert status(world, "quota-is-nearly-used") is Status.PASS
    world.refuse("service-quotas-list-service-quotas", code="AccessDeniedException")
    assert status(world, "quota-is-nearly-used") is Status.NOT_ASSESSED, "it may have been raised"


def test_a_prefix_list_counts_for_as_many_rules_as_it_may_hold():
    world, endpoint = endpoint_world()
    (group,) = world.record(endpoint)["SecurityGroupIds"]
    world.ingress(group, world.prefix_list("192.0.2.0/24", most=50))
    assert "uses 50 of 60" in reason(world, "quota-is-nearly-used")
    table = Tables(world.snapshot())["quota_usage"].set_index("resource")
    assert table.loc[f"{group} inbound", "used"] == 50
    assert table.loc[f"{group} outbound", "used"] == 1


def test_every_quota_is_counted_somewhere():
    world, endpoint = endpoint_world(authentication=MUTUAL)
    world.revocation_list(endpoint, revocation_list(entries=3))
    world.authorize(endpoint, "10.0.0.0/16")
    world.connection(endpoint)
    usage = Tables(world.snapshot())["quota_usage"]
    from auditlib.quotas import QUOTAS

    assert set(usage["quota"]) == {quota.name for quota in QUOTAS}
    used = usage.set_index("quota")["used"]
    assert used["Entries in a client certificate revocation list"] == 3
    assert used["Concurrent client connections per Client VPN endpoint"] == 1
    assert limits.quota_is_nearly_used(usage.iloc[:0]).empty


# -- configuration that does nothing --------------------------------------------------------------


def test_a_rule_that_names_an_empty_prefix_list_admits_nobody():
    world, endpoint = endpoint_world()
    (group,) = world.record(endpoint)["SecurityGroupIds"]
    empty = world.prefix_list()
    world.ingress(group, empty, "tcp", (443, 443))
    text = reason(world, "prefix-list-is-empty")
    assert "admits nobody" in text
    assert f"{empty} (list-1) is empty" in text
    world.refuse("ec2-get-managed-prefix-list-entries")
    assert status(world, "prefix-list-is-empty") is Status.NOT_ASSESSED


def unused(world: World) -> set[str]:
    return column(finding(world, "security-group-is-unused"), "group_id")


def test_a_group_that_nothing_uses_is_reported_and_a_self_reference_is_no_use():
    world, endpoint = endpoint_world()
    vpc = world.record(endpoint)["VpcId"]
    group = world.security_group(vpc, "left-over")
    world.ingress(group, group)
    assert unused(world) == {group}


def test_groups_that_something_uses_are_not_reported():
    world, endpoint = endpoint_world()
    vpc = world.record(endpoint)["VpcId"]
    subnet = world.subnet(vpc, "10.0.9.0/24")
    carried, named, shared, waiting = (
        world.security_group(vpc, name) for name in ("carried", "named", "shared", "waiting")
    )
    world.interface(subnet, carried)
    world.ingress(carried, named)
    world.share(shared, "vpc-other", owner="444455556666")
    world.endpoint(vpc, (waiting,))  # not associated yet: no interface
    assert unused(world) == set()


def test_groups_of_vpcs_without_endpoints_and_default_groups_are_left_alone():
    world, _ = endpoint_world()
    elsewhere = world.vpc("10.7.0.0/16")
    world.security_group(elsewhere, "elsewhere")
    assert unused(world) == set()


@pytest.mark.parametrize(
    "read",
    [
        "ec2-describe-network-interfaces",
        "ec2-describe-security-group-rules",
        "ec2-describe-client-vpn-target-networks",
        "ec2-describe-security-group-vpc-associations",
    ],
)
def test_a_group_whose_use_may_be_hidden_is_not_called_unused(read):
    world, endpoint = endpoint_world()
    world.security_group(world.record(endpoint)["VpcId"], "left-over")
    world.refuse(read)
    assert status(world, "security-group-is-unused") is Status.NOT_ASSESSED


def test_an_idle_endpoint_is_traced_to_the_log_stream_that_shows_it():
    (row,) = finding(idle_world(45)[0], "endpoint-is-idle").evidence.to_dict("records")
    assert "/logs-describe-log-streams/" in row["source"]
    (bare,) = finding(idle_world(None)[0], "endpoint-is-idle").evidence.to_dict("records")
    assert bare["source"].endswith("/ec2-describe-client-vpn-endpoints.json")
