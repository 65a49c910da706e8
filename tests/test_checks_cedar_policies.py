"""What an authorization policy says and whether it is in force: policy in, findings out."""

import pytest

from auditlib.check import Status, audit
from auditlib.tables import Tables
from tests.worlds import World, column, finding

P = "authorization-policy-"
TEXT = "get-client-vpn-endpoint-authorization-policy"
HEAD = "(principal, action, resource)"
LOW = 'context.jamf.risk == "LOW"'
GROUP = f'permit{HEAD} when {{ context.saml.memberOf.contains("eng") }};'
OF_TEXT = [
    f"{P}permits-everyone",
    f"{P}forbid-unguarded",
    f"{P}reads-unlisted-attribute",
    f"{P}reads-absent-provider",
]
ALL = [
    *OF_TEXT,
    f"{P}in-shadow-mode",
    f"{P}not-active",
    f"{P}unreadable",
    f"{P}dotted-hyphen",
    f"{P}near-size-limit",
    f"{P}trial-unlogged",
]


@pytest.fixture
def world():
    return World()


@pytest.fixture
def endpoint(world):
    return world.endpoint(world.vpc(), name="staff")


def status(world, id):
    return finding(world, f"{P}{id}").status


def reason(world, id):
    (told,) = finding(world, f"{P}{id}").evidence["reason"]
    return told


# -- for all of them ------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ALL)
def test_a_sound_policy_in_force_passes(world, endpoint, id):
    world.policy(endpoint, GROUP)
    assert finding(world, id).status is Status.PASS


@pytest.mark.parametrize("id", ALL)
def test_without_any_policy_there_is_nothing_to_judge(world, endpoint, id):
    assert finding(world, id).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("id", ALL)
def test_a_policy_that_was_refused_is_not_assessed(world, endpoint, id):
    world.policy(endpoint, GROUP)
    world.refuse(f"ec2-{TEXT}", resource=endpoint)
    assert finding(world, id).status is Status.NOT_ASSESSED


@pytest.mark.parametrize("id", ALL)
def test_an_sdk_that_knows_no_policies_assesses_none(world, endpoint, id):
    tables = Tables(world.snapshot(botocore_version="1.40.0"))
    assert audit(tables, only=[id])[0].status is Status.NOT_ASSESSED


@pytest.mark.parametrize("id", OF_TEXT)
@pytest.mark.parametrize("text", ["permit(", "<script>alert(1)</script>", "(" * 9000, ""])
def test_a_policy_that_cannot_be_parsed_is_never_passed(world, endpoint, id, text):
    world.policy(endpoint, text)
    found = finding(world, id)
    assert found.status is Status.NOT_ASSESSED
    assert found.gaps["resource"].tolist() == [endpoint]
    assert "cannot be read as Cedar" in found.answer


def test_one_policy_that_cannot_be_parsed_does_not_hide_another(world, endpoint):
    world.policy(endpoint, "permit(")
    other = world.endpoint(world.vpc("10.1.0.0/16"))
    world.policy(other, f"permit{HEAD};")
    found = finding(world, f"{P}permits-everyone")
    assert column(found, "endpoint_id") == {other}
    assert "There may be more" in found.answer


# -- none, trial, state ---------------------------------------------------------------------------


def test_an_endpoint_without_a_policy_is_found(world, endpoint):
    other = world.endpoint(world.vpc("10.1.0.0/16"))
    world.policy(other, GROUP)
    assert column(finding(world, f"{P}missing"), "endpoint_id") == {endpoint}


def test_a_policy_everywhere_passes(world, endpoint):
    world.policy(endpoint, GROUP)
    assert status(world, "missing") is Status.PASS


def test_no_endpoint_needs_no_policy(world):
    assert status(world, "missing") is Status.NOT_APPLICABLE


def test_a_policy_nobody_could_read_is_not_missing(world, endpoint):
    world.refuse(f"ec2-{TEXT}")
    assert status(world, "missing") is Status.NOT_ASSESSED


def test_a_handler_that_judges_the_same_is_remarked_on(world, endpoint):
    world.record(endpoint)["ClientConnectOptions"] = {
        "Enabled": True,
        "Status": {"Code": "applied"},
    }
    assert "its client connect handler decides on connections" in reason(world, "missing")


def test_shadow_mode_is_found(world, endpoint):
    world.policy(endpoint, GROUP, shadow="enabled")
    assert "refuses nobody" in reason(world, "in-shadow-mode")


def test_a_mode_that_is_not_told_is_not_assessed(world, endpoint):
    world.policy(endpoint, GROUP, shadow=None)
    assert status(world, "in-shadow-mode") is Status.NOT_ASSESSED


@pytest.mark.parametrize("state", ["creating", "updating", "failed", "deleting", "new-word"])
def test_any_state_but_active_is_not_proven_enforced(world, endpoint, state):
    world.policy(endpoint, GROUP, status=state)
    assert f"is {state}, not active: it is not proven to be enforced" in reason(world, "not-active")


# -- what cannot be read --------------------------------------------------------------------------


def test_a_text_that_is_no_cedar_is_found_with_the_parsers_word(world, endpoint):
    world.policy(endpoint, "permit(")
    told = reason(world, "unreadable")
    assert "unexpected end of input" in told
    assert "not proven to refuse anybody" in told


def test_a_hyphen_after_a_dot_is_named(world, endpoint):
    world.policy(endpoint, f"permit{HEAD} when {{ context.active-directory.x == 1 }};")
    assert "context.active-directory, which is not Cedar" in reason(world, "dotted-hyphen")
    assert status(world, "unreadable") is Status.FAIL


def test_the_same_in_brackets_passes(world, endpoint):
    world.policy(endpoint, f'permit{HEAD} when {{ context["active-directory"].x == 1 }};')
    assert status(world, "dotted-hyphen") is Status.PASS


# -- whom it lets in ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"permit{HEAD};", "permits without a condition; nothing in it refuses anybody"),
        (f"permit{HEAD} when {{ true }};", "no user and no device is known"),
        (f"{GROUP} permit{HEAD} when {{ !(context has jamf) }};", "no device is known"),
    ],
)
def test_a_permit_that_holds_for_anybody_is_found(world, endpoint, text, said):
    world.policy(endpoint, text)
    assert said in reason(world, "permits-everyone")


def test_a_policy_that_works_by_forbidding_says_so_and_comes_last(world, endpoint):
    other = world.endpoint(world.vpc("10.1.0.0/16"))
    world.policy(endpoint, f"permit{HEAD}; forbid{HEAD} unless {{ context has jamf }};")
    world.policy(other, f"permit{HEAD};")
    found = finding(world, f"{P}permits-everyone").evidence
    assert found["endpoint_id"].tolist() == [other, endpoint]
    assert "only one forbid statement can refuse" in found["reason"][1]


def test_a_permit_for_a_principal_cannot_be_judged(world, endpoint):
    world.policy(endpoint, 'permit(principal == User::"a", action, resource);')
    found = finding(world, f"{P}permits-everyone")
    assert found.status is Status.NOT_ASSESSED
    assert "does not publish which it passes" in found.answer


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (f'permit(principal == User::"a", action, resource) when {{ {LOW} }};', Status.PASS),
        (f'permit(principal in Group::"g", action, resource) unless {{ !({LOW}) }};', Status.PASS),
        (f'permit{HEAD} when {{ principal == User::"a" && {LOW} }};', Status.PASS),
        (f'permit{HEAD} when {{ principal == User::"a" }} when {{ {LOW} }};', Status.PASS),
        (f'permit{HEAD} when {{ principal == User::"a" || {LOW} }};', Status.NOT_ASSESSED),
        (f'permit{HEAD} when {{ principal == User::"a" }};', Status.NOT_ASSESSED),
        ('permit(principal == User::"a", action, resource) when { true };', Status.NOT_ASSESSED),
        (f'permit(principal, action == Action::"a", resource) when {{ {LOW} }};', Status.PASS),
    ],
)
def test_whoever_a_permit_names_what_it_demands_beside_that_refuses_others(
    world, endpoint, statement, expected
):
    world.policy(endpoint, statement)
    assert status(world, "permits-everyone") is expected


@pytest.mark.parametrize(
    "asked",
    [
        "context has saml",
        "principal == principal",
        "context.x == 1 || !(context.x == 1)",
        "context.x == 1 || context.x != 1",
        "context.jumpcloud.device.is_managed == true || context.jumpcloud.device.is_managed == false",
        "context.jamf.risk == context.jamf.risk",
        'context.jamf.risk like "*"',
        "context.saml.memberOf.containsAll([])",
        'context.saml.memberOf != "eng"',
        "context.crowdstrike.assessment.overall >= 0",
        "context.jamf.osv < 5 || context.jamf.osv >= 5",
        'ip(context.connection.public_ip).isInRange(ip("0.0.0.0/0"))',
        'ip(context.connection.public_ip).isInRange(ip("0.0.0.0/1")) || '
        'ip(context.connection.public_ip).isInRange(ip("128.0.0.0/1"))',
        "if context has jamf then true else context has saml",
    ],
)
def test_a_permit_not_proven_to_refuse_anybody_is_never_passed(world, endpoint, asked):
    world.policy(endpoint, f"{GROUP} permit{HEAD} when {{ {asked} }};")
    assert status(world, "permits-everyone") is Status.NOT_ASSESSED


@pytest.mark.parametrize(
    "asked",
    [
        'context has saml && context.saml.memberOf.contains("eng")',
        'context.saml.memberOf.contains("eng") || context.saml.memberOf.contains("ops")',
        'context.jamf.risk != "HIGH"',
        'context.jamf.risk == "LOW" || !context.jumpcloud.device.is_managed',
        "context.crowdstrike.assessment.overall >= 50",
        'ip(context.connection.public_ip).isInRange(ip("192.0.2.0/24")) || '
        'ip(context.connection.public_ip).isInRange(ip("198.51.100.0/24"))',
    ],
)
def test_a_permit_that_some_connection_fails_passes(world, endpoint, asked):
    world.policy(endpoint, f"permit{HEAD} when {{ {asked} }};")
    assert status(world, "permits-everyone") is Status.PASS


@pytest.mark.parametrize("tail", ["unless { false }", "when { true } when { 1 == 1 }"])
def test_a_condition_that_asks_nothing_is_found(world, endpoint, tail):
    world.policy(endpoint, f"permit{HEAD} {tail};")
    assert status(world, "permits-everyone") is Status.FAIL


# -- forbids that are skipped ---------------------------------------------------------------------

BAD = 'context.jamf.risk == "HIGH"'


def test_a_forbid_that_reads_what_may_be_missing_is_found(world, endpoint):
    world.policy(endpoint, f"{GROUP} forbid{HEAD} when {{ {BAD} }};")
    assert "reads context.jamf.risk without asking for context.jamf with has" in reason(
        world, "forbid-unguarded"
    )


@pytest.mark.parametrize("provider", ["", "crowdstrike", "jamf"])
def test_a_guard_is_advised_only_where_a_provider_sends_what_is_read(world, provider):
    endpoint = world.endpoint(
        world.vpc(),
        DevicePostureOptions={
            "TrustProviders": [{"TrustProviderType": provider}] if provider else []
        },
    )
    world.policy(endpoint, f"{GROUP} forbid{HEAD} when {{ {BAD} }};")
    said = finding(world, f"{P}forbid-unguarded").remedy
    sent = provider == "jamf"
    assert said.startswith("Add the question before the reading") == sent
    assert said.startswith("Remove the statement that reads context.jamf.risk, or add the") != sent
    assert ("refuse everybody" in said) != sent


def test_a_guard_is_advised_for_those_attributes_alone_that_are_sent(world):
    endpoint = world.endpoint(
        world.vpc(), DevicePostureOptions={"TrustProviders": [{"TrustProviderType": "jamf"}]}
    )
    other = 'context.crowdstrike.assessment.overall == "x"'
    world.policy(
        endpoint, f"{GROUP} forbid{HEAD} when {{ {BAD} }}; forbid{HEAD} when {{ {other} }};"
    )
    said = finding(world, f"{P}forbid-unguarded").remedy
    assert said.startswith(
        "Remove the statement that reads context.crowdstrike.assessment.overall, or"
    )
    assert "As for the others: Add the question" in said


@pytest.mark.parametrize(
    "condition",
    [f"context has jamf.risk && {BAD}", 'context.connection.platform == "linux"'],
)
def test_a_guarded_forbid_and_one_on_the_connection_pass(world, endpoint, condition):
    world.policy(endpoint, f"{GROUP} forbid{HEAD} when {{ {condition} }};")
    assert status(world, "forbid-unguarded") is Status.PASS


def test_a_permit_may_read_without_asking(world, endpoint):
    world.policy(endpoint, f'permit{HEAD} when {{ context.jamf.risk == "LOW" }};')
    assert status(world, "forbid-unguarded") is Status.PASS


def test_an_attribute_that_every_permit_reads_as_well_is_remarked_on(world, endpoint):
    text = f'permit{HEAD} when {{ context.jamf.risk != "x" }}; forbid{HEAD} when {{ {BAD} }};'
    world.policy(endpoint, text)
    assert "every permit reads the attribute as well" in reason(world, "forbid-unguarded")


def test_a_forbid_that_passes_the_whole_context_on_is_not_assessed(world, endpoint):
    text = f'{GROUP} forbid{HEAD} when {{ {{a: context}}.a.jamf.risk == "HIGH" }};'
    world.policy(endpoint, text)
    assert status(world, "forbid-unguarded") is Status.NOT_ASSESSED
    assert status(world, "unreadable") is Status.PASS


# -- attributes and providers ---------------------------------------------------------------------


def test_an_attribute_outside_the_lists_is_worded_as_that(world, endpoint):
    world.policy(endpoint, f"permit{HEAD} when {{ context.jamf.diskEncryptionEnabled == true }};")
    told = reason(world, "reads-unlisted-attribute")
    assert "context.jamf.diskEncryptionEnabled, which is not in AWS's published list" in told
    assert "invalid" not in told


@pytest.mark.parametrize(
    "read", ["context.connection.whatever", 'context["active-directory"].whatever']
)
def test_namespaces_without_a_list_are_not_reported(world, endpoint, read):
    world.policy(endpoint, f"permit{HEAD} when {{ {read} == 1 }};")
    assert status(world, "reads-unlisted-attribute") is Status.PASS


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ("context.jamf.risk", "reads context.jamf, and the endpoint has no such trust provider"),
        ('context["active-directory"].x', "has no Active Directory authentication"),
        ('context["mutual-authentication"].x', "has no mutual (certificate) authentication"),
    ],
)
def test_a_namespace_nothing_fills_is_found(world, endpoint, read, said):
    world.policy(endpoint, f"permit{HEAD} when {{ {read} == 1 }};")
    assert said in reason(world, "reads-absent-provider")


def test_a_certificate_endpoint_fills_no_saml(world):
    endpoint = world.endpoint(world.vpc(), authentication=("certificate-authentication",))
    world.policy(endpoint, GROUP)
    assert "has no SAML authentication" in reason(world, "reads-absent-provider")


def test_a_provider_that_is_set_up_fills_its_namespace(world):
    endpoint = world.endpoint(
        world.vpc(), DevicePostureOptions={"TrustProviders": [{"TrustProviderType": "jamf"}]}
    )
    world.policy(endpoint, f'permit{HEAD} when {{ context.jamf.risk == "LOW" }};')
    assert status(world, "reads-absent-provider") is Status.PASS


def test_authentication_that_is_not_told_fills_nobody_knows_what(world, endpoint):
    world.record(endpoint)["AuthenticationOptions"] = []
    world.policy(endpoint, GROUP)
    assert status(world, "reads-absent-provider") is Status.NOT_ASSESSED


# -- size and log ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filler", "expected"),
    [("x" * 8_000, Status.PASS), ("x" * 9_000, Status.FAIL), ("営" * 3_000, Status.FAIL)],
)
def test_size_is_counted_in_bytes(world, endpoint, filler, expected):
    world.policy(endpoint, f"{GROUP} // {filler}")
    assert status(world, "near-size-limit") is expected


@pytest.mark.parametrize(
    ("shadow", "log", "expected"),
    [
        ("enabled", False, Status.FAIL),
        ("enabled", True, Status.PASS),
        ("disabled", False, Status.PASS),
    ],
)
def test_a_trial_without_a_log_shows_nothing(world, shadow, log, expected):
    endpoint = world.endpoint(world.vpc(), logging=log)
    world.policy(endpoint, GROUP, shadow=shadow)
    assert status(world, "trial-unlogged") is expected


# -- the address ----------------------------------------------------------------------------------


def test_a_permit_beside_the_one_on_the_address_lets_anybody_in(world, endpoint):
    office = f'permit{HEAD} when {{ context.connection.public_ip == "192.0.2.1" }};'
    world.policy(endpoint, office)
    assert finding(world, "source-address-not-restricted").status is Status.PASS
    world.policy(endpoint, office + GROUP)
    (told,) = finding(world, "source-address-not-restricted").evidence["reason"]
    assert "some permits of its authorization policy do not read the public address" in told


def test_whether_a_policy_nobody_can_parse_looks_at_the_address_is_not_assessed(world, endpoint):
    world.policy(endpoint, "permit(public_ip")
    assert finding(world, "source-address-not-restricted").status is Status.NOT_ASSESSED
