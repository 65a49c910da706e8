"""Previews: the exact difference, the order of steps, and the verdict, in worlds where it matters."""

import copy
import re
from ipaddress import ip_network
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings

from auditlib import previewed
from auditlib.access import EVERYONE, reach
from auditlib.audit import Audit
from auditlib.changes import (
    AddAuthorizationRule,
    ApplySecurityGroups,
    AuthorizeRule,
    CreateSecurityGroup,
    DeleteSecurityGroup,
    RemoveAuthorizationRule,
    RevokeRule,
    SetInterfaceGroups,
)
from auditlib.changes.difference import DIFFERENCE, difference, sure_access
from auditlib.changes.fixes import FIXES, Named
from auditlib.changes.plans import apply_script, before_points, cli_text, preview_json, windows
from auditlib.changes.preview import VERDICTS, preview, proposal
from auditlib.check import audit, checks
from auditlib.errors import ParameterError
from auditlib.quotas import AUTHORIZATION_RULES
from auditlib.snapshot import load
from auditlib.tables import Tables
from tests.naive import NUMBERS, Naive
from tests.naive_changes import make
from tests.test_access_property import (
    WORLDS,
    holds,
    packets,
    places_of,
    random_world,
    randoms,
    receivers,
    worlds,
)
from tests.test_changes import ENDPOINT, PLACE, Small, random_change
from tests.worlds import World

SAMPLE = Path(__file__).parent.parent / "auditlib" / "sample"


def tables_of(world: World) -> Tables:
    return Tables(world.snapshot())


def parts(found) -> set[tuple]:
    return set(
        found.access[found.access["part"] != "own_interface"][
            ["change", "part", "eni_id"]
        ].itertuples(index=False, name=None)
    )


# -- the fixes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.id)
def test_every_check_has_a_fix_or_a_sentence_why_people_must_decide(check):
    assert (check.id in FIXES) != bool(check.decision)
    assert not check.decision or (len(check.decision) > 40 and check.decision.endswith("."))


def test_there_is_no_fix_for_a_check_that_is_not_there():
    assert set(FIXES) <= {check.id for check in checks()}


def test_a_finding_that_was_not_assessed_is_not_called_nothing_to_fix():
    world = OnDefault()
    world.refuse("ec2-describe-security-group-rules")
    found = proposal(tables_of(world), ["default-sg-has-rules"])
    assert found.verdict.startswith("cannot be judged: default-sg-has-rules was not assessed")
    assert not any("Nothing to fix" in text for text in found.decisions)


def test_an_unknown_check_or_endpoint_is_named_with_the_nearest():
    tables = tables_of(Small())
    with pytest.raises(ParameterError, match="vpn-sg-is-default"):
        proposal(tables, ["vpn-sg-is-defualt"])
    with pytest.raises(ParameterError, match=ENDPOINT):
        proposal(tables, ["vpn-sg-is-default"], "cvpn-endpoint-00000000000000002")


# -- worlds where a naive fix would cut people off ------------------------------------------------


class OnDefault(World):
    """An endpoint on the default group, a receiver admitted by it alone, a machine in it."""

    def __init__(self) -> None:
        super().__init__()
        self.main = self.vpc()
        self.default = self.default_group(self.main)
        self.vpn = self.subnet(self.main, "10.0.1.0/24")
        self.far = self.subnet(self.main, "10.0.2.0/24")
        self.app = self.security_group(self.main, "app")
        self.rule = self.ingress(self.app, self.default, "tcp", (443, 443))
        self.eni = self.interface(self.far, self.app)
        self.endpoint(self.main)
        self.associate(ENDPOINT, self.vpn)
        self.authorize(ENDPOINT, "10.0.0.0/16", "staff")


def test_a_group_of_its_own_keeps_what_the_default_one_gave():
    world = OnDefault()
    found = proposal(tables_of(world), ["vpn-sg-is-default"])
    assert found.verdict == "changes nothing anyone can reach"
    assert [type(step.change).__name__ for step in found.steps] == [
        "CreateSecurityGroup",
        "AuthorizeRule",
        "ApplySecurityGroups",
    ]
    assert parts(found) == {("ground", "side_effect", world.eni)}
    resolved = found.findings.query("state == 'resolved'")["check"]
    assert "vpn-sg-is-default" in set(resolved)
    assert any("without the other" in text for text in found.warnings)


def test_a_receiver_allowed_only_through_the_old_group_is_lost_by_a_naive_switch():
    world = OnDefault()
    new = world.security_group(world.main, "vpn-new")
    switch = ApplySecurityGroups(**PLACE, endpoint_id=ENDPOINT, vpc_id=world.main, group_ids=(new,))
    found = preview(tables_of(world), [switch])
    assert found.verdict == f"also closes TCP 443 on {world.eni} for group staff of {ENDPOINT}"
    assert parts(found) == {("lost", "side_effect", world.eni)}


@pytest.mark.parametrize("name", ["wiki", "invoice\u202egpj.exe"])
def test_before_more_is_opened_to_a_suspicious_name_it_is_to_be_settled(name):
    world = OnDefault()
    closed = world.interface(world.far, world.security_group(world.main, "closed"), name=name)
    tables = tables_of(world)
    (group,) = tables["network_interface_groups"].query(f"eni_id == '{closed}'")["group_id"]
    rule = AuthorizeRule(
        **PLACE, group_id=group, is_egress=False, protocol="tcp", from_port=22, to_port=22,
        peer_kind="security_group", peer=world.default,
    )  # fmt: skip
    found = preview(tables, [rule])
    assert parts(found) == {("gained", "side_effect", closed)}
    suspicious = name != "wiki"
    assert found.unsettled == ((closed,) if suspicious else ())
    assert (
        any(text.startswith(f"Settle first who named {closed}") for text in found.warnings)
        == suspicious
    )
    assert (f"Settle the name of {closed} first." in previewed.outcome(found)) == suspicious
    shut = preview(found.after, [found.steps[0].inverse])
    assert shut.unsettled == ()


def test_the_default_group_is_not_emptied_while_an_endpoint_uses_it():
    world = OnDefault()
    found = proposal(tables_of(world), ["default-sg-has-rules"])
    assert found.steps == ()
    assert any(ENDPOINT in text and "not emptied" in text for text in found.decisions)


def test_an_endpoint_and_its_own_interface_rely_on_the_default_group_as_one():
    world = OnDefault()
    (said,) = (
        text
        for text in proposal(tables_of(world), ["default-sg-has-rules"]).decisions
        if "not emptied" in text
    )
    own = set(tables_of(world)["endpoint_network_interfaces"]["eni_id"])
    assert own
    assert not any(eni in said for eni in own)


def test_emptying_it_by_hand_all_the_same_shows_who_is_cut_off():
    world = OnDefault()
    tables = tables_of(world)
    rules = tables["security_group_rules"].query(f"group_id == '{world.default}'")
    changes = [
        RevokeRule(**PLACE, group_id=r.group_id, rule_id=r.rule_id, is_egress=r.is_egress)
        for r in rules.itertuples()
    ]
    found = preview(tables, changes)
    assert found.verdict.startswith(f"also closes TCP 443 on {world.eni}")
    assert any(world.default in text and "is emptied while" in text for text in found.warnings)


def test_what_members_reach_is_closed_and_nothing_else():
    world = OnDefault()
    wiki = world.interface(world.far, world.default, name="wiki")
    found = proposal(tables_of(world), ["vpn-sg-lets-members-in"])
    lost = f"everything on {wiki} (wiki) for group staff of {ENDPOINT}"
    assert found.verdict == f"closes only what the finding names: {lost}"
    assert parts(found) == {("lost", "intended", wiki), ("ground", "side_effect", world.eni)}
    told = found.decisions[0]
    assert f"users of {ENDPOINT} lose all traffic on {wiki}" in told
    (made,) = (s.change for s in found.steps if isinstance(s.change, CreateSecurityGroup))
    assert f"that name {made.group_id} before the switch" in told
    before = [before_points(found, window) for window in windows(found.steps)]
    (stop,) = next(points for points in before if points)
    assert [
        window[0].window
        for window, points in zip(windows(found.steps), before, strict=True)
        if points
    ] == ["Switch"]
    assert f"what users of {ENDPOINT} still need" in stop
    assert (
        '--group-id "${RECEIVER_GROUP:?}" --protocol tcp --port "${PORT:?}" --source-group "${ID_OF_SG_NEW_'
        in stop
    )
    for text in (cli_text(found), apply_script(found)):
        assert text.index("${RECEIVER_GROUP:?}") < text.index("apply-security-groups-to")


def test_a_switch_that_closes_nothing_needs_no_decision_before_it():
    world = OnDefault()
    found = proposal(tables_of(world), ["vpn-sg-is-default"])
    assert any(isinstance(step.change, ApplySecurityGroups) for step in found.steps)
    assert [point for w in windows(found.steps) for point in before_points(found, w)] == []


def test_the_way_back_of_a_new_group_says_what_aws_waits_for():
    found = proposal(tables_of(OnDefault()), ["vpn-sg-is-default"])
    undone = cli_text(found).partition("# Rollback")[2]
    assert undone.count("AWS refuses it while an interface carries the group or a rule") == 1
    assert undone.index("AWS refuses it") < undone.index("delete-security-group")


def test_a_verdict_that_opens_says_what_it_closes_of_the_finding_too():
    world = OnDefault()
    wiki = world.interface(world.far, world.default)
    world.ingress(world.app, with_intention(world), "tcp", (22, 22))
    found = proposal(tables_of(world), ["vpn-sg-lets-members-in"])
    whom = f"for group staff of {ENDPOINT}"
    assert found.verdict == (
        f"opens TCP 22 on {world.eni} {whom}; closes everything on {wiki} {whom}, as the finding asks"
    )


def test_a_group_that_keeps_what_members_reach_says_that_it_stays_open():
    world = OnDefault()
    kept = "stays open, by copied rules"
    assert kept not in " ".join(proposal(tables_of(world), ["vpn-sg-is-default"]).decisions)
    world.interface(world.far, world.default, name="wiki")
    found = proposal(tables_of(world), ["vpn-sg-is-default"])
    (told,) = [text for text in found.decisions if kept in text]
    assert f"what {world.default} opened to users of {ENDPOINT}" in told
    closing = proposal(tables_of(world), ["vpn-sg-lets-members-in"])
    assert kept not in " ".join(closing.decisions)

    def of_members(preview) -> list[tuple]:
        rows = preview.findings.query("check == 'vpn-sg-lets-members-in'")
        return list(zip(rows["state"], rows["access_stays"], strict=True))

    assert of_members(found) == [("resolved", True)]
    assert of_members(closing) == [("resolved", False)]
    # Part of it is open by another rule, as it was before: that is no finding, and not the same.
    world.ingress(world.default, "10.0.1.0/24", "tcp", (445, 445))
    assert of_members(proposal(tables_of(world), ["vpn-sg-lets-members-in"])) == [
        ("resolved", False)
    ]
    assert preview_json(found)["findings"][0]["access_stays"] in {True, False}
    inbound = proposal(tables_of(world), ["vpn-sg-has-inbound-rules"]).decisions
    assert any("Fix vpn-sg-lets-members-in first" in text for text in inbound)


def with_intention(world: World) -> str:
    """Have the settings name a group of the endpoint's own that is not in force; return it."""
    new = world.security_group(world.main, "vpn-new")
    world.record(ENDPOINT)["SecurityGroupIds"] = [new]
    return new


@pytest.mark.parametrize("id", ["vpn-sg-is-default", "vpn-sg-is-shared", "vpn-sg-lets-members-in"])
def test_a_configured_group_of_its_own_is_applied_and_no_third_one_made(id):
    world = OnDefault()
    world.interface(world.far, world.default, name="wiki")
    meant = with_intention(world)
    found = proposal(tables_of(world), [id])
    (switch,) = (s.change for s in found.steps if isinstance(s.change, ApplySecurityGroups))
    (plain,) = proposal(tables_of(world), ["vpn-sg-not-yet-effective"]).steps
    assert switch == plain.change
    assert switch.group_ids == (meant,)
    assert not any(isinstance(s.change, CreateSecurityGroup) for s in found.steps)
    assert {s.change.peer for s in found.steps if isinstance(s.change, AuthorizeRule)} == {meant}
    assert any(f"name {meant}, and that is not in force" in text for text in found.decisions)
    assert ("lost", "side_effect", world.eni) not in parts(found)
    left = found.findings.query("state != 'resolved'")["check"]
    assert not {id, "vpn-sg-not-yet-effective"} & set(left)


def test_what_receivers_admit_by_the_configured_group_opens_and_no_rule_is_made_twice():
    world = OnDefault()
    meant = with_intention(world)
    world.ingress(world.app, meant, "tcp", (1, 65535))
    found = proposal(tables_of(world), ["vpn-sg-is-default"])
    (step,) = found.steps
    assert step.change.group_ids == (meant,)
    assert found.verdict.startswith(f"opens TCP 1–442 and 444–65535 on {world.eni}")


def test_a_configured_group_that_is_not_fit_is_not_applied_and_it_is_said_why():
    def unfit(bend) -> str:
        world = OnDefault()
        bend(world, with_intention(world))
        found = proposal(tables_of(world), ["vpn-sg-is-default"])
        assert any(isinstance(s.change, CreateSecurityGroup) for s in found.steps)
        (told,) = [t for t in found.decisions if "a new group is made all the same" in t]
        return told

    assert "has inbound rules" in unfit(lambda w, g: w.ingress(g, "10.0.0.0/8", "tcp", (1, 1)))
    assert "is on eni-" in unfit(lambda w, g: w.interface(w.far, g))
    assert "no outbound rule lets anything out" in unfit(lambda w, g: w.revoke(g))
    other = unfit(lambda w, g: w.associate(w.endpoint(w.main, (g,)), w.vpn))
    assert "is on cvpn-endpoint-00000000000000002" in other
    default = unfit(lambda w, g: w.record(ENDPOINT).update(SecurityGroupIds=[g, w.default]))
    assert "is a default group" in default
    plain = proposal(tables_of(OnDefault()), ["vpn-sg-is-default"])
    assert not any("settings of" in text for text in plain.decisions)


def test_what_waits_for_a_group_of_its_own_names_the_configured_one():
    world = OnDefault()
    world.interface(world.far, world.default, name="wiki")
    world.ingress(world.app, "10.0.1.0/24", "tcp", (8443, 8443))
    ids = ("receiver-allows-address-not-group", "vpn-sg-has-inbound-rules")

    def told(id: str) -> str:
        return " ".join(proposal(tables_of(world), [id]).decisions)

    assert all("Fix vpn-sg-lets-members-in first" in told(id) for id in ids)
    meant = with_intention(world)
    for id in ids:
        assert f"Its settings name {meant}, which is not in force yet" in told(id)
        assert "vpn-sg-is-default" not in told(id)
    both = proposal(tables_of(world), ["vpn-sg-not-yet-effective", ids[0]])
    assert meant in {s.change.peer for s in both.steps if isinstance(s.change, AuthorizeRule)}


def test_two_endpoints_that_share_a_group_each_get_their_own():
    world = Small()
    second = world.endpoint(world.main, (world.clients,), client_cidr="172.21.0.0/22")
    world.associate(second, world.vpn)
    world.authorize(second, "10.0.0.0/16", "contractors")
    found = proposal(tables_of(world), ["vpn-sg-is-shared"])
    applied = [s.change for s in found.steps if isinstance(s.change, ApplySecurityGroups)]
    assert {change.endpoint_id for change in applied} == {ENDPOINT, second}
    assert len({change.group_ids for change in applied}) == 2
    assert found.verdict == "changes nothing anyone can reach"
    one = proposal(tables_of(world), ["vpn-sg-is-shared"], second)
    assert {
        s.change.endpoint_id for s in one.steps if isinstance(s.change, ApplySecurityGroups)
    } == {second}


def test_removing_a_rule_that_two_endpoints_use_closes_for_both():
    world = Small()
    second = world.endpoint(world.main, (world.clients,), client_cidr="172.21.0.0/22")
    world.associate(second, world.vpn)
    world.authorize(second, "10.0.0.0/16", "contractors")
    found = preview(tables_of(world), [RevokeRule(**PLACE, group_id=world.app, rule_id=world.rule)])
    assert set(found.access.query("change == 'lost'")["endpoint_id"]) == {ENDPOINT, second}


def test_a_reference_from_a_peered_vpc_is_rewritten_too():
    world = OnDefault()
    other = world.vpc("10.9.0.0/16")
    world.peering(world.main, other)
    far = world.subnet(other, "10.9.1.0/24")
    group = world.security_group(other, "far")
    world.ingress(group, world.default, "tcp", (22, 22))
    eni = world.interface(far, group)
    world.endpoint_route(ENDPOINT, "10.9.0.0/16", world.vpn)
    world.authorize(ENDPOINT, "10.9.0.0/16", "staff")
    found = proposal(tables_of(world), ["vpn-sg-is-default"])
    assert found.verdict == "changes nothing anyone can reach"
    assert ("ground", "side_effect", eni) in parts(found)


def test_a_peered_vpc_that_was_not_read_leaves_it_unjudged():
    world = OnDefault()
    other = world.vpc("10.9.0.0/16")
    pcx = world.peering(world.main, other)
    for side in ("RequesterVpcInfo", "AccepterVpcInfo"):
        info = world.record(pcx)[side]
        if info["VpcId"] == other:
            info |= {"VpcId": "vpc-0123456789abcdef0", "OwnerId": "444455556666"}
    found = proposal(tables_of(world), ["vpn-sg-is-default"])
    assert found.verdict.startswith("cannot be judged: ")
    assert "account 444455556666" in found.verdict
    assert world.default in found.verdict


def test_a_refused_read_leaves_it_unjudged():
    world = OnDefault()
    world.refuse("ec2-describe-network-acls")
    found = proposal(tables_of(world), ["vpn-sg-is-default"])
    assert found.verdict.startswith("cannot be judged: ec2 describe-network-acls")


def test_a_reference_over_ipv6_leaves_it_unjudged():
    world = World()
    vpc = world.vpc(ipv6="2001:db8::/56")
    vpn = world.subnet(vpc, "10.0.1.0/24", ipv6="2001:db8:0:1::/64")
    default = world.default_group(vpc)
    world.egress(default, "::/0")
    world.endpoint(vpc, TrafficIpAddressType="dual-stack")
    world.associate(ENDPOINT, vpn)
    world.authorize(ENDPOINT, "2001:db8::/56", "staff")
    world.endpoint_route(ENDPOINT, "2001:db8::/56", vpn)
    app = world.security_group(vpc, "app")
    world.ingress(app, default, "tcp", (443, 443))
    world.interface(vpn, app, ipv6=("2001:db8:0:1::5",))
    found = proposal(tables_of(world), ["vpn-sg-is-default"])
    assert found.verdict.startswith("cannot be judged: over IPv6")


def test_a_narrower_authorization_rule_takes_the_network_from_others():
    world = Small()
    narrow = AddAuthorizationRule(
        **PLACE, endpoint_id=ENDPOINT, destination_cidr="10.0.2.0/24", group_id="dba"
    )
    found = preview(tables_of(world), [narrow])
    assert ("lost", "side_effect", world.eni) in parts(found)
    assert "opens" in found.verdict
    assert "closes" in found.verdict
    assert found.resets_sessions


def test_both_narrow_rules_are_added_in_the_order_that_cuts_nobody_off():
    world = Small()
    given = {**PLACE, "endpoint_id": ENDPOINT, "destination_cidr": "10.0.2.0/24"}
    changes = [AddAuthorizationRule(**given, group_id=group) for group in ("dba", "staff")]
    found = preview(tables_of(world), changes)
    assert [step.change.group_id for step in found.steps] == ["staff", "dba"]
    assert not any(step.cuts_off for step in found.steps)


def test_an_order_that_must_cut_somebody_off_is_told():
    world = Small()
    world.authorize(ENDPOINT, "10.0.2.0/24", "staff")
    given = {**PLACE, "endpoint_id": ENDPOINT}
    changes = [
        # The narrow rule for dba would take 10.0.2.0/25 from staff, until theirs comes; and both
        # groups need it at the end.
        AddAuthorizationRule(**given, destination_cidr="10.0.2.0/25", group_id="dba"),
        RemoveAuthorizationRule(**given, destination_cidr="10.0.2.0/24", group_id="staff"),
    ]
    found = preview(tables_of(world), changes)
    steps = {step.change.destination_cidr: step for step in found.steps}
    assert not steps["10.0.2.0/24"].cuts_off
    assert ("lost", "side_effect", world.eni) in parts(found)


def narrow(group: str, cls=AddAuthorizationRule):
    return cls(**PLACE, endpoint_id=ENDPOINT, destination_cidr="10.0.2.0/24", group_id=group)


def test_what_needs_a_step_before_it_waits_for_it():
    changes = [narrow("dba"), narrow("dba", RemoveAuthorizationRule), narrow("staff")]
    found = preview(tables_of(Small()), changes)
    assert [step.change for step in found.steps] == [changes[2], changes[0], changes[1]]
    assert not any(step.cuts_off for step in found.steps)


def test_where_aws_takes_no_other_order_the_given_one_is_told_with_what_it_cuts_off():
    world = Small()
    world.quota("ec2", AUTHORIZATION_RULES.code, 2)  # one more than there is
    changes = [narrow("dba"), narrow("dba", RemoveAuthorizationRule), narrow("staff")]
    found = preview(tables_of(world), changes)
    assert [step.change for step in found.steps] == changes
    assert [step.cuts_off for step in found.steps] == [True, False, False]


def test_two_switches_that_belong_together_say_which_cuts_off():
    world = Small()
    new, other = (world.security_group(world.main, name) for name in ("vpn-new", "app-new"))
    world.ingress(other, new, "tcp", (443, 443))
    changes = [
        ApplySecurityGroups(**PLACE, endpoint_id=ENDPOINT, vpc_id=world.main, group_ids=(new,)),
        SetInterfaceGroups(**PLACE, eni_id=world.eni, group_ids=(other,)),
    ]
    found = preview(tables_of(world), changes)
    assert [step.cuts_off for step in found.steps] == [True, False]
    assert any(text.startswith("Step 1 cuts off access") for text in found.warnings)


def test_authorization_changes_have_a_window_of_their_own():
    world = Small()
    changes = [
        RevokeRule(**PLACE, group_id=world.app, rule_id=world.rule),
        AddAuthorizationRule(**PLACE, endpoint_id=ENDPOINT, destination_cidr="10.0.2.0/24"),
        AuthorizeRule(**PLACE, group_id=world.app, peer=world.clients),
    ]
    found = preview(tables_of(world), changes)
    assert [(s.number, s.window) for s in found.steps] == [
        (1, "Prepare"),
        (2, "Sessions end here"),
        (3, "Take away"),
    ]


def test_a_fragile_rule_is_replaced_and_becomes_reliable():
    world = Small()
    db = world.security_group(world.main, "db")
    own = world.interface(world.vpn, db)
    address = tables_of(world)["endpoint_network_interfaces"]["private_ip"].iloc[0]
    world.ingress(db, f"{address}/32", "tcp", (5432, 5432))
    found = proposal(tables_of(world), ["receiver-allows-address-not-group"])
    assert found.verdict == "changes nothing anyone can reach"
    assert parts(found) == {("steadier", "side_effect", own)}


def test_a_rule_on_client_addresses_stays_until_people_decide_and_is_told_with_what_it_opens():
    world = Small()
    db = world.security_group(world.main, "db")
    rule = world.ingress(db, "172.20.0.0/22", "tcp", (5432, 5432))
    eni = world.interface(world.vpn, db)
    found = proposal(tables_of(world), ["receiver-allows-address-not-group"])
    assert found.steps == ()
    (told,) = found.decisions
    assert told.startswith(
        f"{rule} (172.20.0.0/22) admits nobody through {ENDPOINT} today and stays"
    )
    assert f"reach TCP 5432 on {eni}" in told


def test_a_rule_that_another_endpoint_comes_by_is_no_dead_one():
    world = Small()
    db = world.security_group(world.main, "db")
    world.interface(world.subnet(world.main, "10.0.3.0/24"), db)
    other = world.endpoint(world.main, (world.clients,), client_cidr="10.0.1.0/24", name="other")
    world.associate(other, world.subnet(world.main, "10.0.4.0/24"))
    world.revoke(world.app)
    rule = world.ingress(db, "10.0.1.0/24", "tcp", (5432, 5432))
    evidence = audit(tables_of(world), only=["receiver-allows-address-not-group"])[0].evidence
    assert set(evidence["why"]) == {"whole_subnet", "client_range"}
    told = proposal(tables_of(world), ["receiver-allows-address-not-group"]).decisions
    assert not any(f"{rule} (10.0.1.0/24) admits nobody" in text for text in told)


def test_a_rule_on_a_subnet_stays_while_others_stand_in_it_and_they_are_named():
    world = Small()
    db = world.security_group(world.main, "db")
    rule = world.ingress(db, "10.0.1.0/24", "tcp", (5432, 5432))
    world.interface(world.subnet(world.main, "10.0.3.0/24"), db)
    beside = world.interface(world.vpn, world.app)
    found = proposal(tables_of(world), ["receiver-allows-address-not-group"])
    (step,) = found.steps
    assert isinstance(step.change, AuthorizeRule)
    assert found.verdict == "changes nothing anyone can reach"
    (told,) = found.decisions
    assert told.startswith(f"{rule} of {db} admits {beside} too")
    assert "it stays until you know that" in told


def test_a_rule_on_a_subnet_in_which_nothing_else_stands_is_judged_and_that_is_said():
    def notes(peer: str, more=lambda w: None) -> tuple[str, str]:
        world = Small()
        more(world)
        rule = world.ingress(world.app, peer, "tcp", (5432, 5432))
        change = RevokeRule(**PLACE, group_id=world.app, rule_id=rule)
        found = preview(tables_of(world), [change])
        return found.verdict, " ".join(found.warnings)

    said = "nothing else had an address there"
    verdict, noted = notes("10.0.1.0/24")
    assert verdict.startswith("also closes TCP 5432")
    assert (
        f"Rules on 10.0.1.0/24 are removed. They admit nobody beside VPN users today: {said}"
        in noted
    )
    verdict, noted = notes("10.0.1.0/24", lambda w: w.interface(w.vpn, w.app))
    assert verdict.startswith("cannot be judged")
    assert said not in noted
    own = tables_of(Small())["endpoint_network_interfaces"]["private_ip"].iloc[0]
    for peer in (f"{own}/32", "172.20.0.0/22"):  # where nothing else can come to stand
        assert said not in notes(peer)[1]


def test_a_range_of_a_vpc_that_another_account_shares_is_not_known_to_be_empty():
    world = Small()
    theirs = world.vpc("10.9.0.0/16")
    groups = world._lists[world.region, "ec2-describe-security-groups", None]
    groups[:] = [g for g in groups if (g["VpcId"], g["GroupName"]) != (theirs, "default")]
    rules = world._lists[world.region, "ec2-describe-security-group-rules", None]
    known = {group["GroupId"] for group in groups}
    rules[:] = [rule for rule in rules if rule["GroupId"] in known]
    rule = world.ingress(world.app, "10.9.1.0/24", "tcp", (5432, 5432))
    found = preview(tables_of(world), [RevokeRule(**PLACE, group_id=world.app, rule_id=rule)])
    assert any("addresses outside the VPCs that were read" in doubt for doubt in found.doubts)


def test_missing_outbound_is_added_to_a_group_of_its_own():
    world = Small()
    world.revoke(world.clients)
    found = proposal(tables_of(world), ["vpn-sg-limits-outbound"])
    (step,) = found.steps
    assert step.change.is_egress
    assert found.verdict.startswith("opens ")
    assert found.verdict.endswith(", as the finding asks")


def test_outbound_is_opened_for_ipv6_where_clients_use_it():
    world = Small()
    world.record(ENDPOINT)["TrafficIpAddressType"] = "dual-stack"
    world.revoke(world.clients)
    found = proposal(tables_of(world), ["vpn-sg-limits-outbound"])
    assert [(s.change.peer_kind, s.change.peer) for s in found.steps] == [
        ("ipv4", "0.0.0.0/0"),
        ("ipv6", "::/0"),
    ]
    left = found.findings.query("check == 'vpn-sg-limits-outbound'")["state"]
    assert set(left) == {"resolved"}
    world.egress(world.clients, "0.0.0.0/0")
    kept = " ".join(proposal(tables_of(world), ["vpn-sg-limits-outbound"]).decisions)
    assert "add a rule for all traffic to ::/0." in kept
    assert "authorized-but-unreachable" not in kept


def test_what_outbound_rules_stop_is_named_with_the_check_of_the_opposite_remedy():
    world = Small()
    world.revoke(world.clients)
    world.egress(world.clients, "10.0.1.0/24")
    world.authorize(ENDPOINT, "10.0.2.0/24", "dba")
    told = " ".join(proposal(tables_of(world), ["vpn-sg-limits-outbound"]).decisions)
    assert f"authorized-but-unreachable names 10.0.2.0/24 of {ENDPOINT}" in told


def test_an_outbound_rule_is_not_said_to_open_what_a_network_acl_stops():
    world = Small()
    world.revoke(world.clients)
    acl = world.network_acl(world.main)
    world.use_network_acl(acl, world.record(world.eni)["SubnetId"])
    world.authorize(ENDPOINT, "10.0.2.0/24", "dba")
    found = proposal(tables_of(world), ["vpn-sg-limits-outbound"])
    assert "opens" not in found.verdict
    told = [text for text in found.decisions if acl in text]
    assert told, found.decisions
    assert all("An outbound rule alone does not open it" in text for text in told)


def test_where_users_have_certificates_only_the_calls_to_narrow_are_told_and_nothing_is_changed():
    world = Small()
    world.record(ENDPOINT)["AuthenticationOptions"] = [
        {"Type": "certificate-authentication", "MutualAuthentication": {}}
    ]
    world.authorize(ENDPOINT, "10.0.2.0/24")
    found = proposal(tables_of(world), ["authorization-allows-everyone"])
    assert found.steps == ()
    told = found.decisions[1]
    assert f"users get by 10.0.2.0/24 to {world.eni} in 10.0.0.0/16: they lose what" in told
    order = [
        told.index(call) for call in ('cidr "${NARROWER_NETWORK:?}"', "status is active", "revoke-")
    ]
    assert order == sorted(order)
    assert "--revoke-all-groups --target-network-cidr 10.0.2.0/24" in told


@pytest.mark.parametrize("only_certificates", [True, False])
def test_where_all_traffic_goes_through_the_tunnel_narrowing_is_said_to_cost_the_internet(
    only_certificates,
):
    world = Small()
    record = world.record(ENDPOINT)
    record["SplitTunnel"] = False
    if only_certificates:
        record["AuthenticationOptions"] = [
            {"Type": "certificate-authentication", "MutualAuthentication": {}}
        ]
    world.authorize(ENDPOINT, "0.0.0.0/0")
    said = "is dropped (full-tunnel-drops-internet). Decide that first: switch split tunnel on"

    def told() -> int:
        found = proposal(tables_of(world), ["authorization-allows-everyone"])
        return " ".join(found.decisions).count(said)

    assert told() == 0  # nothing leads there
    world.route(world.main, "0.0.0.0/0", GatewayId="igw-0000000000000000a")
    world.endpoint_route(ENDPOINT, "0.0.0.0/0", world.vpn)
    assert told() == 1
    record["SplitTunnel"] = True
    assert told() == 0


def test_everyone_is_narrowed_to_a_blank_for_the_group():
    world = Small()
    world.authorize(ENDPOINT, "10.0.2.0/24")
    found = proposal(tables_of(world), ["authorization-allows-everyone"])
    assert found.blanks == ("<GROUP_FOR_10_0_2_0_24>",)
    assert {s.window for s in found.steps} == {"Sessions end here"}
    lost = found.access.query("change == 'lost'")
    assert set(lost["part"]) <= {"intended", "own_interface"}
    assert EVERYONE in set(lost["group"])


def test_only_inbound_rules_of_groups_without_other_members_are_removed():
    world = Small()
    rule = world.ingress(world.clients, "0.0.0.0/0", "tcp", (443, 443))
    found = proposal(tables_of(world), ["vpn-sg-has-inbound-rules"])
    assert [step.change.rule_id for step in found.steps] == [rule]
    world.interface(world.vpn, world.clients)
    kept = proposal(tables_of(world), ["vpn-sg-has-inbound-rules"])
    assert kept.steps == ()
    assert any("move the endpoint first" in text for text in kept.decisions)


def test_a_route_between_clients_is_removed_and_closes_only_that():
    world = Small()
    world.endpoint_route(ENDPOINT, "172.20.0.0/22", "local")
    world.authorize(ENDPOINT, "172.20.0.0/22")
    found = proposal(tables_of(world), ["client-to-client-is-open"])
    assert found.verdict.startswith(
        "closes only what the finding names: everything on 172.20.0.0/22"
    )


@pytest.mark.parametrize("more", [(), ("vpn-sg-has-inbound-rules",)])
def test_a_fix_that_aws_would_refuse_is_told_and_not_proposed(more):
    world = OnDefault()
    for number in range(59):
        world.ingress(world.app, f"10.0.{number}.0/24", "tcp", (80, 80))
    found = proposal(tables_of(world), ["vpn-sg-is-default", *more])
    assert not any(isinstance(step.change, ApplySecurityGroups) for step in found.steps)
    assert any("AWS's usual quota is 60" in text for text in found.decisions)


def test_fixes_one_after_the_other_build_on_each_other():
    world = OnDefault()
    found = proposal(tables_of(world), ["vpn-sg-is-default", "default-sg-has-rules"])
    # The default group is still named by the receiver's old rule, so it is not emptied yet.
    assert any(world.rule in text for text in found.decisions)
    world.revoke(world.rule)
    world.ingress(world.app, "10.0.0.0/8", "tcp", (443, 443))
    both = proposal(tables_of(world), ["vpn-sg-is-default", "default-sg-has-rules"])
    assert [s.window for s in both.steps] == ["Prepare", "Switch", "Take away", "Take away"]
    assert both.verdict == "changes nothing anyone can reach"


def test_a_verdict_names_the_ports_of_each_receiver_and_the_users_of_each_port():
    world = Small()
    db = world.security_group(world.main, "db")
    eni = world.interface(world.vpn, db, ip="10.0.1.77", name="db")
    world.authorize(ENDPOINT, "10.0.1.77/32", "dba")
    changes = [
        AuthorizeRule(
            **PLACE,
            group_id=group,
            from_port=port,
            to_port=port,
            protocol="tcp",
            peer=world.clients,
        )
        for group, port in ((world.app, 8080), (db, 5432))
    ]
    found = preview(tables_of(world), changes)
    assert found.verdict == (
        f"opens TCP 8080 on {world.eni} for group staff of {ENDPOINT} and "
        f"TCP 5432 on {eni} (db) for group dba of {ENDPOINT}"
    )


def test_a_verdict_counts_the_receivers_it_does_not_name():
    world = Small()
    changes = []
    for port in range(1, 7):
        group = world.security_group(world.main, f"app-{port}")
        world.interface(world.vpn, group)
        changes.append(
            AuthorizeRule(
                **PLACE,
                group_id=group,
                from_port=port,
                to_port=port,
                protocol="tcp",
                peer=world.clients,
            )
        )
    verdict = preview(tables_of(world), changes).verdict
    assert "TCP 1 on" in verdict
    assert verdict.endswith(f"for group staff of {ENDPOINT}, and more on two receivers")


# -- what cannot be judged, and what cannot be undone ---------------------------------------------


def test_a_rule_for_others_too_cannot_be_judged_whichever_way_it_changes():
    world = Small()
    rule = world.ingress(world.app, "10.0.0.0/8", "tcp", (8443, 8443))
    removed = preview(tables_of(world), [RevokeRule(**PLACE, group_id=world.app, rule_id=rule)])
    assert removed.verdict.startswith(f"cannot be judged: {rule} of {world.app} admits ")
    assert "addresses outside the VPCs that were read" in removed.verdict
    assert "; for VPN users, as far as was read, it also closes TCP 8443" in removed.verdict
    added = AuthorizeRule(**PLACE, group_id=world.app, peer_kind="ipv4", peer="192.0.2.0/24")
    (doubt,) = preview(tables_of(world), [added]).doubts
    assert doubt.startswith(f"a new rule of {world.app} admits addresses outside")
    out = AuthorizeRule(
        **PLACE, group_id=world.app, is_egress=True, peer_kind="ipv4", peer="192.0.2.0/24"
    )
    world.revoke(world.app)
    (doubt,) = preview(tables_of(world), [out]).doubts
    assert "lets out to" in doubt


def test_a_rule_that_another_one_repeats_concerns_nobody():
    world = Small()
    wide = world.ingress(world.app, "10.0.0.0/8", "tcp", (8000, 9000))
    narrow = world.ingress(world.app, "10.0.0.0/16", "tcp", (8443, 8443))
    narrowed = preview(tables_of(world), [RevokeRule(**PLACE, group_id=world.app, rule_id=narrow)])
    assert narrowed.verdict == "changes nothing anyone can reach"
    assert preview(tables_of(world), [RevokeRule(**PLACE, group_id=world.app, rule_id=wide)]).doubts


def test_a_rule_that_admits_vpn_users_alone_is_judged():
    world = Small()
    found = preview(tables_of(world), [RevokeRule(**PLACE, group_id=world.app, rule_id=world.rule)])
    assert found.doubts == ()
    fragile = tables_of(world)["endpoint_network_interfaces"]["private_ip"].iloc[0]
    rule = world.ingress(world.app, f"{fragile}/32", "tcp", (1, 1))
    change = RevokeRule(**PLACE, group_id=world.app, rule_id=rule)
    assert preview(tables_of(world), [change]).doubts == ()
    users = world.ingress(world.app, "172.20.0.0/22", "tcp", (2, 2))
    change = RevokeRule(**PLACE, group_id=world.app, rule_id=users)
    assert preview(tables_of(world), [change]).doubts == ()


def test_members_of_a_group_and_entries_of_a_prefix_list_are_others_too():
    world = Small()
    web = world.security_group(world.main, "web")
    member = world.interface(world.vpn, web, name="web-1")
    by_group = world.ingress(world.app, web, "tcp", (80, 80))
    by_list = world.ingress(world.app, world.prefix_list("10.0.1.0/24"), "tcp", (81, 81))
    stranger = world.ingress(world.app, "sg-0fffffffffffffff0", "tcp", (82, 82))
    alone = world.ingress(world.app, world.app, "tcp", (83, 83))
    for rule, told in (
        (by_group, f"{member} (web-1)"),
        (by_list, f"{member} (web-1)"),
        (stranger, "members of sg-0fffffffffffffff0, which was not read"),
    ):
        change = RevokeRule(**PLACE, group_id=world.app, rule_id=rule)
        assert told in " ".join(preview(tables_of(world), [change]).doubts)
    # The only member of a group that names itself has nobody to talk to.
    change = RevokeRule(**PLACE, group_id=world.app, rule_id=alone)
    assert preview(tables_of(world), [change]).doubts == ()


def test_other_groups_on_an_interface_cannot_be_judged():
    world = Small()
    other = world.security_group(world.main, "other")
    change = SetInterfaceGroups(**PLACE, eni_id=world.eni, group_ids=(other,))
    found = preview(tables_of(world), [change])
    assert any(world.eni in doubt and "not followed" in doubt for doubt in found.doubts)


def test_a_gap_in_a_peered_region_leaves_it_unjudged():
    world = Small()
    other = world.vpc("10.9.0.0/16")
    record = world.record(world.peering(world.main, other))
    record["AccepterVpcInfo"] |= {"Region": "eu-west-1", "VpcId": "vpc-0fffffffffffffff0"}
    world.at("eu-west-1")
    world.refuse("ec2-describe-client-vpn-endpoints", region="eu-west-1")
    change = RevokeRule(**PLACE, group_id=world.app, rule_id=world.rule)
    assert any("eu-west-1" in doubt for doubt in preview(tables_of(world), [change]).doubts)


def test_what_cannot_be_undone_is_told_with_the_reason():
    world = Small()
    far = world.security_group(world.vpc("10.9.0.0/16"), "far")
    stale = world.ingress(world.app, far, "tcp", (1, 1))
    left_over = world.security_group(world.main, "left over")
    rule = world.ingress(left_over, "10.0.0.0/8", "tcp", (1, 1))
    changes = [
        RevokeRule(**PLACE, group_id=world.app, rule_id=stale),
        DeleteSecurityGroup(**PLACE, group_id=left_over),
    ]
    first, second = (
        text for text in preview(tables_of(world), changes).warnings if "undone" in text
    )
    assert f"{far} is in a VPC that is neither the same nor an active peer" in first
    assert "another id" in second
    assert f"without {rule}" in second


def test_a_receiver_opened_wide_is_given_a_rule_for_the_endpoint_before_the_wide_one_goes():
    world = Small()
    wide = world.ingress(world.app, "10.0.0.0/8", "tcp", (8443, 8443))
    found = proposal(tables_of(world), ["receiver-open-wider-than-vpn"])
    added, removed = (step.change for step in found.steps)
    assert (added.peer, added.from_port, added.to_port) == (world.clients, 8443, 8443)
    assert removed.rule_id == wide
    assert found.verdict.startswith(f"cannot be judged: {wide} of ")
    assert found.verdict.endswith("it changes nothing anyone can reach")
    assert any(wide in text and "answer no" in text for text in found.decisions)


def test_a_wide_rule_stays_while_an_endpoint_behind_it_has_no_group_of_its_own():
    world = OnDefault()
    rule = world.ingress(world.app, "10.0.0.0/8", "tcp", (8443, 8443))
    found = proposal(tables_of(world), ["receiver-open-wider-than-vpn"])
    assert found.steps == ()
    assert found.verdict == "changes nothing anyone can reach"
    assert any(rule in text and "no group of its own" in text for text in found.decisions)


@pytest.mark.parametrize(
    ("change", "covered"),
    [
        ({"ip": "10.0.2.9"}, True),
        ({"ip": "10.0.3.9"}, False),
        ({"endpoint_id": "cvpn-endpoint-9"}, False),
        ({"change": "gained"}, False),
    ],
)
def test_what_a_finding_names_is_an_endpoint_a_direction_and_a_network(change, covered):
    named = Named(change="lost", endpoint_id=ENDPOINT, within="10.0.2.0/24")
    row = {"change": "lost", "endpoint_id": ENDPOINT, "eni_id": "eni-1", "ip": "10.0.2.9"}
    assert named.covers(row | change) is covered


def test_every_verdict_begins_in_one_of_the_five_ways():
    assert VERDICTS == (
        "changes nothing anyone can reach",
        "closes only what the finding names",
        "also closes",
        "opens",
        "cannot be judged",
    )
    tables = Audit(load(SAMPLE)).tables
    for id in FIXES:
        assert proposal(tables, [id]).verdict.startswith(VERDICTS)


def test_what_is_known_of_the_findings_changes_nothing_of_a_preview():
    world = OnDefault()
    tables = tables_of(world)
    one = proposal(tables, ["vpn-sg-is-default"])
    two = proposal(tables_of(world), ["vpn-sg-is-default"], known=audit(tables))
    pd.testing.assert_frame_equal(one.findings, two.findings)
    # And the checks that are not asked again would find the same.
    again = {f.check.id: len(f.evidence) for f in audit(one.after)}
    left = one.findings[one.findings["state"] != "resolved"].groupby("check").size()
    assert {id: number for id, number in again.items() if number} == dict(left)


# -- against brute force --------------------------------------------------------------------------


def difference_told(before, after, asked) -> dict[tuple, tuple]:
    """Return what a difference says of each packet whose certainty changes: before and after."""
    told: dict[tuple, tuple] = {}
    for row in difference(before, after).itertuples():
        pair = tuple(v if isinstance(v, str) else None for v in (row.before, row.after))
        # By other rules as surely as before, or as little known as before: no packet tells them apart.
        if row.eni_id and pair[0] != pair[1]:
            for packet in asked:
                if holds(row, packet):
                    place = (row.endpoint_id, row.subnet_id or None, row.group)
                    # A delegated prefix is asked about by one of its addresses.
                    ip = str(ip_network(row.ip)[1]) if "/" in row.ip else row.ip
                    key = (*place, row.eni_id, ip, packet)
                    assert told.setdefault(key, pair) == pair
    return told


def rules_of(changes, tables) -> list[dict]:
    """Return the rules that changes add or remove, as rows."""
    listed = tables["security_group_rules"]
    removed = {change.rule_id for change in changes if isinstance(change, RevokeRule)}
    added = [change.row() for change in changes if isinstance(change, AuthorizeRule)]
    return [*listed[listed["rule_id"].isin(removed)].to_dict("records"), *added]


def packets_of(changes, tables) -> list[tuple[int, int, int]]:
    """Return a packet that each rule added or removed admits."""
    found = []
    for rule in rules_of(changes, tables):
        which = 6 if rule["protocol"] == "all" else NUMBERS.get(rule["protocol"], rule["protocol"])
        low = rule["from_port"]
        port = 22 if low is None or pd.isna(low) or low < 0 else int(low)
        found.append((int(which), port if int(which) in NUMBERS.values() else 0, 0))
    return found


def touched(place, changes, tables) -> bool:
    """Tell whether one of the changes is made at this receiver, or at this endpoint."""
    endpoint, eni = place[0], place[3]
    held = tables["network_interface_groups"]
    receiving = set(held.loc[held["eni_id"] == eni, "group_id"])
    own = tables["endpoint_security_groups"]
    sending = set(own.loc[own["endpoint_id"] == endpoint, "group_id"])
    return any(
        rule["group_id"] in (sending if rule["is_egress"] else receiving)
        for rule in rules_of(changes, tables)
    ) or any(
        eni == getattr(change, "eni_id", None) or endpoint == getattr(change, "endpoint_id", None)
        for change in changes
    )


@worlds
@given(randoms)
def test_the_difference_is_what_asking_packet_by_packet_finds(some):
    """Brute force: the records are edited, and a second evaluator is asked for each packet."""
    world = random_world(some)
    before = after = tables_of(world)
    # Most rules of a random world decide nothing; one that does is taken away more often.
    used = set(re.findall(r"sgr-[0-9a-z]+", " ".join(map(str, reach(before)["via"]))))
    changes = []
    for _ in range(some.randint(1, 3)):
        changes.append(random_change(world, after, some, used=used))
        after = changes[-1].apply(after)
    changed = copy.deepcopy(world)
    make(changed, changes)
    was, now = Naive(world.snapshot()), Naive(changed.snapshot())
    inside = packets_of(changes, before)
    asked = list(dict.fromkeys((*inside, *packets(world, some, 25))))
    told = difference_told(before, after, asked)
    places = [
        (*place, eni["NetworkInterfaceId"], ip)
        for place in sorted({*places_of(world), *places_of(changed)}, key=str)
        for eni, ip in receivers(world)
    ]
    assert {key[:5] for key in told} <= set(places)
    # Where something is told to change is asked about first, then where the changes are made: a
    # place drawn at random is seldom touched, and a change the kit overlooks is not told.
    likely = sorted({key[:5] for key in told}, key=str)
    near = [place for place in places if touched(place, changes, before)]
    drawn = [
        place
        for held, most in ((likely, 4), (near, 6), (places, 3))
        for place in some.sample(held, min(len(held), most))
    ]
    for place in drawn:
        *way, eni, ip = place
        for packet in {*inside, *some.sample(asked, min(len(asked), 8))}:
            pair = tuple(
                naive.certainty(*way, ip, there.record(eni), packet)
                for naive, there in ((was, world), (now, changed))
            )
            expected = pair if pair[0] != pair[1] else None
            assert told.get((*place, packet)) == expected, (place, packet, changes)


@settings(worlds, max_examples=max(1, WORLDS // 3))
@given(randoms)
def test_an_ordered_plan_never_loses_what_both_ends_have_unless_it_says_so(some):
    world = random_world(some)
    tables = tables_of(world)
    changes, after = [], tables
    for _ in range(some.choice([2, 3, 6])):
        change = random_change(world, after, some)
        if not change.problems(tables) and change not in changes:
            changes.append(change)
            after = change.apply(after)
    try:
        found = preview(tables, changes)
    except ParameterError:
        return  # in the order of a plan one of them is refused
    ends = sure_access(tables), sure_access(found.after)
    now = tables
    for step in found.steps:
        now = step.change.apply(now)
        held = sure_access(now)
        lost = any(
            (on & ends[1][key]) - held.get(key, on - on)
            for key, on in ends[0].items()
            if key in ends[1]
        )
        assert bool(lost) == step.cuts_off


@worlds
@given(randoms)
def test_nothing_differs_between_tables_and_themselves(some):
    world = random_world(some)
    found = difference(tables_of(world), tables_of(world))
    assert list(found.columns) == list(DIFFERENCE)
    assert found.empty


def two_regions(*, peered: bool) -> tuple[Small, list[RevokeRule]]:
    """Return a world whose second Region could not be read whole, and a change in each."""
    world = Small()
    changes = [RevokeRule(**PLACE, group_id=world.app, rule_id=world.rule)]
    home = world.main
    world.at("eu-west-1")
    far = world.vpc("10.9.0.0/16")
    group = world.security_group(far, "far")
    rule = world.ingress(group, "10.9.1.0/24", "tcp", (1, 1))
    world.refuse("ec2-describe-network-acls", region="eu-west-1")
    place = {**PLACE, "region": "eu-west-1"}
    changes.append(RevokeRule(**place, group_id=group, rule_id=rule))
    if peered:
        record = world.record(world.peering(far, home))
        record["AccepterVpcInfo"] |= {"Region": PLACE["region"], "VpcId": home}
    return world, changes


def test_a_region_that_cannot_be_judged_leaves_the_other_its_verdict():
    world, changes = two_regions(peered=False)
    tables = tables_of(world)
    found = preview(tables, changes)
    alone = preview(tables, changes[:1])
    assert alone.doubts == ()
    assert found.verdict.startswith("cannot be judged in eu-west-1: ")
    assert found.verdict.endswith(f"; in {PLACE['region']} it {alone.verdict}")


def test_regions_that_are_peered_are_judged_together():
    world, changes = two_regions(peered=True)
    found = preview(tables_of(world), changes)
    assert found.verdict.startswith("cannot be judged: ")


def test_where_one_endpoint_has_nothing_to_fix_that_is_said_of_it():
    tables = Audit(load(SAMPLE)).tables
    (finding,) = audit(tables, only=["connection-logging-is-off"])
    affected = set(finding.evidence["endpoint_id"])
    told = {
        id: proposal(tables, [finding.check.id], id, known=[finding]).decisions
        for id in tables["client_vpn_endpoints"]["endpoint_id"]
    }
    assert affected < set(told)
    for id, decisions in told.items():
        said = any(text.startswith(f"Nothing to fix at {id}.") for text in decisions)
        assert said is (id not in affected)
