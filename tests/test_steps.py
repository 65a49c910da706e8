"""What to do first, where endpoints need different things."""

import re
from datetime import timedelta
from html import unescape

import pytest

from auditlib import display, open_audit, summary
from auditlib.audit import Audit
from auditlib.check import audit as findings_of
from auditlib.language import LANGUAGES, spoken
from auditlib.steps import Step, first_steps
from tests import report_worlds as worlds
from tests.pages import page
from tests.test_changes import Small
from tests.worlds import REGION, World, revocation_list

FEW = (
    "authentication-is-certificate-only",
    "authorization-allows-everyone",
    "connection-logging-is-off",
    "endpoint-is-idle",
    "revocation-list-has-expired",
    "server-certificate-has-expired",
    "vpn-sg-is-shared",
    "vpn-sg-lets-members-in",
)


def audited(world: World) -> Audit:
    """Return an audit by the checks that these tests are about, which saves the time of the others."""
    audit = Audit(world.snapshot(**worlds.MOMENT))
    audit.__dict__["findings"] = findings_of(audit.tables, FEW)
    return audit


def steps_of(world: World, check_id: str) -> list[Step]:
    return [step for step in first_steps(audited(world), 40) if step.check_id == check_id]


# -- an outage --------------------------------------------------------------------------------

ENDED = "revocation-list-has-expired"


def down(*sessions: str, name: str | None = "contractors") -> tuple[World, str]:
    """Return a world with an endpoint whose list ended on 1 November, with sessions that began then."""
    world = World()
    vpc = world.vpc()
    endpoint = world.endpoint(vpc, name=name, authentication=("certificate-authentication",))
    world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
    world.revocation_list(endpoint, revocation_list(days=-1))
    for began in sessions:
        world.connection(endpoint, ConnectionEstablishedTime=began, Status={"Code": "active"})
    return world, endpoint


def test_an_outage_is_said_before_anything_else_with_since_when_and_by_whose_word():
    world, _ = down("2026-10-31 14:40:00")
    told = summary.verdict(audited(world))
    assert told[0].startswith(
        "Nobody can connect to contractors since 2026-11-01 01:00 UTC, 19 days before"
    )
    assert (
        "AWS documents that clients cannot connect once the revocation list has expired." in told[0]
    )
    assert "We did not test this. One session that began before was still live." in told[0]
    assert "endpoint" in told[1]


@pytest.mark.parametrize(
    ("sessions", "refused", "said"),
    [
        ((), False, "nobody else can connect, and no session was live when it was read"),
        (
            ("2026-10-31 14:40:00",),
            False,
            "nobody else can connect, and it ends one live session (",
        ),
        ((), True, "nobody else can connect, and whose sessions it ends was not read"),
    ],
)
def test_restoring_says_whose_sessions_it_ends(sessions, refused, said):
    world, _ = down(*sessions)
    if refused:
        world.refuse("ec2-describe-client-vpn-connections")
    (step,) = steps_of(world, ENDED)
    assert first_steps(audited(world))[0] == step
    assert step.what == "Restore contractors."
    assert step.parts[1].startswith("Replace the revocation list: have the authority")
    assert step.parts[0].startswith(
        "Decide whether it should open again as it was: it asks for a cert"
    )
    assert step.ends == "Nobody can connect since 2026-11-01 01:00 UTC."
    assert step.sessions.startswith(f"Do it at once: {said}")
    card = audited(world).finding(ENDED).remedy
    assert f"At contractors, do it at once: {said}" in card
    assert "window" not in step.sessions + card


def test_only_where_users_can_connect_a_list_waits_for_a_window():
    world, _ = down()
    works = world.endpoint(world.vpc(), authentication=("certificate-authentication",))
    world.revocation_list(works, revocation_list(days=-1))
    world.connection(works, ConnectionEstablishedTime="2026-11-19 14:40:00")
    finding = audited(world).finding(ENDED)
    assert set(finding.at_once) == {id for id in finding.evidence["endpoint_id"] if id != works}
    assert "At contractors, do it at once: nobody else" in finding.remedy
    assert "Importing resets the sessions of the endpoint: plan a window." in finding.remedy


def test_the_new_list_must_hold_what_the_old_one_revokes():
    world, endpoint = down()
    (step,) = steps_of(world, ENDED)
    told = (
        "What the old list revokes (one certificate), the new one must hold, too. Save the old one"
    )
    assert told in " ".join(step.parts)
    world.revocation_list(endpoint, revocation_list(days=-1, entries=0))
    (step,) = steps_of(world, ENDED)
    assert "the new one must" not in " ".join(step.parts)
    assert "their serial numbers" not in " ".join(step.parts)
    world.revocation_list(endpoint, revocation_list(days=-1, entries=3))
    (step,) = steps_of(world, ENDED)
    assert "What the old list revokes (three certificates), the new one" in " ".join(step.parts)


def test_restoring_tells_what_the_endpoint_would_have_then():
    world, endpoint = down(name=None)
    world.record(endpoint)["ConnectionLogOptions"] = {"Enabled": False}
    world.authorize(endpoint, "10.0.0.0/16")
    (step,) = steps_of(world, ENDED)
    assert step.what == f"Restore {endpoint}."
    told = " ".join(step.parts)
    assert "Switch on its connection log, which AWS does not name among" in told
    assert "whoever has a certificate that is not revoked gets into 10.0.0.0/16" in told
    assert "done now, it ends no session that the import would not end, and nobody" in told
    assert "is shared with" not in told


def test_restoring_tells_with_what_the_endpoint_shares_its_group():
    world, endpoint = down()
    vpc = world.record(endpoint)["VpcId"]
    world.interface(world.subnet(vpc, "10.0.2.0/24"), world.default_group(vpc), name="bastion")
    (step,) = steps_of(world, ENDED)
    assert "its security group is shared with bastion." in step.parts[0]
    assert "If it should, go on with the revocation list." in step.parts[0]
    assert step.parts[1] == (
        "Only if it should not open as it was: give it a security group of its own (vpn-sg-is-shared). "
        "Nobody can test that before users connect again."
    )


def test_what_stays_open_on_what_the_group_is_shared_with_is_said_where_the_endpoint_leaves_it():
    world, endpoint = down()
    vpc = world.record(endpoint)["VpcId"]
    default = world.default_group(vpc)
    world.interface(world.subnet(vpc, "10.0.2.0/24"), default, name="bastion")
    world.ingress(default, "0.0.0.0/0", "udp", (443, 443))
    (step,) = steps_of(world, ENDED)
    assert "bastion keeps" in step.parts[1]
    assert (
        "no step changes: UDP 443 from the internet (0.0.0.0/0). Judge that there." in step.parts[1]
    )
    world.revocation_list(endpoint, revocation_list(days=90))  # nothing has ended
    (step,) = steps_of(world, "vpn-sg-is-shared")
    assert "bastion keeps" in step.how
    world.refuse("ec2-describe-network-interfaces")
    assert not any("keeps" in step.how for step in first_steps(audited(world), 40))


def test_who_is_connected_is_saved_before_anything_where_no_log_keeps_it():
    world, endpoint = down("2026-10-31 14:40:00")
    (step,) = steps_of(world, ENDED)
    assert begins(step.parts)[0] == "Decide"
    world.record(endpoint)["ConnectionLogOptions"] = {"Enabled": False}
    (step,) = steps_of(world, ENDED)
    assert begins(step.parts)[0] == "Save"
    call = f"aws ec2 describe-client-vpn-connections --client-vpn-endpoint-id {endpoint} --region {REGION} > connections.json."
    assert step.parts[0].endswith(call)


def begins(parts: tuple[str, ...]) -> list[str]:
    return [part.split()[0] for part in parts]


def test_restoring_is_told_in_the_order_of_doing_with_the_calls_filled_in():
    world, endpoint = down()
    world.record(endpoint)["ConnectionLogOptions"] = {"Enabled": False}
    world.authorize(endpoint, "10.0.0.0/16")
    (step,) = steps_of(world, ENDED)
    assert begins(step.parts) == [
        *("Decide", "Switch", "Only", "Authorize", "Remove", "Replace", "Import", "Then")
    ]
    assert "If it should, go on with the log and then with the revocation list." in step.parts[0]
    assert "who switched its log off" not in step.parts[0]  # nobody knows that it was on
    given = f"--client-vpn-endpoint-id {endpoint} --region {REGION} "
    assert f"authorize-client-vpn-ingress {given}" in step.parts[3]
    assert f"revoke-client-vpn-ingress {given}--revoke-all-groups" in step.parts[4]
    assert f"export-client-vpn-client-certificate-revocation-list {given}" in step.parts[5]
    assert f"import-client-vpn-client-certificate-revocation-list {given}--cert" in step.parts[6]
    assert "up to four hours to take effect: do not import again" in step.parts[6]
    found = audited(world).finding(ENDED)
    card = page(str(display.card(found).markup)).text
    assert "<endpoint id>" not in card
    assert card.count(given) == 3


def test_what_users_may_lose_by_narrower_authorization_is_told_from_what_they_reach():
    world, endpoint = down()
    vpc = world.record(endpoint)["VpcId"]
    world.authorize(endpoint, "0.0.0.0/0")

    def narrow() -> str:
        (step,) = steps_of(world, ENDED)
        return next(part for part in step.parts if "narrow its authorization" in part)

    assert "users get to nothing by 0.0.0.0/0" in narrow()
    app = world.security_group(vpc, "app")
    apps = world.subnet(vpc, "10.0.2.0/24")
    world.interface(apps, app, name="wiki")
    world.interface(apps, app, name="")
    world.ingress(app, "10.0.1.0/24", "tcp", (443, 443))
    told = narrow()
    assert "by 0.0.0.0/0 to wiki and eni-" in told
    assert " in 10.0.0.0/16: they lose what of it you do not authorize" in told
    assert "nan" not in told
    world.authorize(endpoint, "10.0.2.0/24", "dba")  # decides there, and not the wide rule
    assert "users get to nothing by 0.0.0.0/0" in narrow()


@pytest.mark.parametrize(
    ("description", "back", "told"),
    [
        ("", "--target-network-cidr 0.0.0.0/0.", False),
        ("Contractors, until $(May)", "--description 'Contractors, until $(May)'.", False),
        ("file://x", "--target-network-cidr 0.0.0.0/0.", True),
        ("see\nhere", "--target-network-cidr 0.0.0.0/0.", True),
    ],
)
def test_the_way_back_gives_a_rule_its_description_again(description, back, told):
    world, endpoint = down()
    world.authorize(endpoint, "0.0.0.0/0", description=description)
    (step,) = steps_of(world, ENDED)
    (part,) = [part for part in step.parts if "The way back" in part]
    assert back in part
    assert ("does not hold the rule's description" in part) is told


def test_where_users_are_in_groups_the_calls_are_those_of_the_fix():
    world, endpoint = down()
    world.record(endpoint)["AuthenticationOptions"].append(
        {"Type": "directory-service-authentication", "ActiveDirectory": {"DirectoryId": "d-1"}}
    )
    world.authorize(endpoint, "10.0.0.0/16")
    (step,) = steps_of(world, ENDED)
    narrow = next(part for part in step.parts if "narrow its authorization" in part)
    assert narrow.endswith("The calls are in the fix of authorization-allows-everyone.")
    assert not any("authorize-client-vpn-ingress" in part for part in step.parts)


def test_calls_for_several_endpoints_keep_their_placeholder():
    world, endpoint = down()
    other = world.endpoint(world.vpc(), authentication=("certificate-authentication",))
    world.revocation_list(other, revocation_list(days=-1))
    card = page(str(display.card(audited(world).finding(ENDED)).markup)).text
    assert card.count("--client-vpn-endpoint-id <endpoint id> ") == 3
    assert f"--client-vpn-endpoint-id {endpoint}" not in card


# -- what may be an incident ------------------------------------------------------------------


def switched_off(group: str = "/vpn/staff") -> Audit:
    """Return an audit of an outage whose endpoint logged when the earlier snapshot was read."""
    world, endpoint = down()
    world.record(endpoint)["ConnectionLogOptions"] = {
        "Enabled": True, "CloudwatchLogGroup": group,
    }  # fmt: skip
    before = Audit(world.snapshot(**worlds.MOMENT)).tables
    world.record(endpoint)["ConnectionLogOptions"] = {"Enabled": False}
    audit = audited(world)
    audit.earlier = before
    return audit


def test_who_switched_a_log_off_is_asked_right_after_what_has_ended_and_its_group_is_proposed():
    audit = switched_off()
    restored, who, *_ = first_steps(audit, 40)
    assert restored.check_id == ENDED
    assert who.what == "Find out who switched off the connection log of contractors."
    assert "In CloudTrail the event is ModifyClientVpnEndpoint" in who.how
    assert "possible incident" in who.why
    look = f"aws logs describe-log-groups --log-group-name-prefix /vpn/staff --region {REGION}"
    assert "It wrote to /vpn/staff when the earlier snapshot was read" in restored.parts[1]
    assert look in restored.parts[1]
    assert '"CloudwatchLogGroup": "/vpn/staff"' in restored.parts[1]
    found = audit.proposal("connection-logging-is-off")
    (step,) = found.steps
    assert (step.change.log_group, found.blanks) == ("/vpn/staff", ())
    (told,) = found.decisions
    assert look in told
    assert set(found.findings.query("check == 'connection-logging-is-off'")["state"]) == {
        "resolved"
    }


def test_the_links_of_a_step_say_of_which_fix_people_decide_something():
    world, endpoint = down()
    vpc = world.record(endpoint)["VpcId"]
    world.interface(world.subnet(vpc, "10.0.2.0/24"), world.default_group(vpc), name="bastion")
    world.record(endpoint)["ConnectionLogOptions"] = {
        "Enabled": False, "CloudwatchLogGroup": "/vpn/staff",
    }  # fmt: skip
    audit = audited(world)
    (step, *_) = first_steps(audit)
    fixes = ["connection-logging-is-off", "vpn-sg-is-shared"]
    assert [check for check, _ in step.fixes] == fixes
    assert step.decides == ("vpn-sg-is-shared",)
    pages = dict.fromkeys((display.fix_anchor(check) for check in fixes), "40.html")
    told = page(str(display.first_steps(audit, 40, pages).markup)).text
    assert "what it opens and closes: connection-logging-is-off" in told
    assert "what it opens and closes, and what you decide: vpn-sg-is-shared" in told


def test_a_log_group_that_the_endpoint_still_names_is_filled_in_and_another_is_left_blank():
    world, endpoint = down()
    world.record(endpoint)["ConnectionLogOptions"] = {"Enabled": False}
    found = audited(world).proposal("connection-logging-is-off")
    assert found.blanks == ("<LOG_GROUP>",)
    world.record(endpoint)["ConnectionLogOptions"]["CloudwatchLogGroup"] = "/vpn/staff"
    found = audited(world).proposal("connection-logging-is-off")
    assert [step.change.log_group for step in found.steps] == ["/vpn/staff"]
    assert (found.blanks, found.decisions) == ((), ())


@pytest.mark.parametrize("group", ["$(reboot)", "a b", "x" * 513])
def test_a_name_that_no_log_group_can_have_is_not_proposed(group):
    audit = switched_off(group)
    restored, who, *_ = first_steps(audit, 40)
    assert who.what.startswith("Find out who switched off")
    assert not any(group in part or "It wrote to" in part for part in restored.parts)
    found = audit.proposal("connection-logging-is-off")
    assert found.blanks == ("<LOG_GROUP>",)
    assert not any("wrote to" in text for text in found.decisions)


def test_without_an_earlier_snapshot_nobody_is_said_to_have_switched_a_log_off():
    audit = switched_off()
    audit.earlier = None
    assert not [step for step in first_steps(audit, 40) if step.what.startswith("Find out who")]


def test_where_a_session_began_after_the_list_ended_no_outage_is_claimed():
    world, _ = down("2026-11-01 14:40:00")
    assert "Nobody can connect" not in " ".join(summary.verdict(audited(world)))
    (step,) = steps_of(world, ENDED)
    assert step.what == "Replace the revocation list of contractors."
    assert step.sessions == "One live session may end: plan a window."


def test_a_server_certificate_that_has_ended_stops_everybody_and_a_revoked_one_is_not_said_to():
    for status, end, stops in (
        ("EXPIRED", "2026-10-30T01:00:00+00:00", True),
        ("REVOKED", "2027-03-01T00:00:00+00:00", False),
    ):
        world = World()
        endpoint = world.endpoint(world.vpc(), name="staff")
        world.certificate(endpoint, NotAfter=end, Status=status)
        said = summary.verdict(audited(world))[0]
        assert said.startswith("Nobody can connect to staff since") == stops
        assert ("clients refuse a server certificate that has expired" in said) == stops


# -- questions ----------------------------------------------------------------------------------


def test_whether_named_groups_should_reach_ports_for_administration_is_asked():
    world = World()
    vpc = world.vpc()
    vpn, web, plain = (world.security_group(vpc, name) for name in ("vpn", "web", "plain"))
    world.ingress(web, vpn, "tcp", (22, 22))
    world.ingress(plain, vpn, "tcp", (443, 443))
    endpoint = world.endpoint(vpc, (vpn,), name="staff")
    world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
    for n, group in enumerate((web, web, plain)):
        world.interface(world.subnet(vpc, f"10.0.{n + 2}.0/24"), group)
    for group in ("hr", "dev"):
        world.authorize(endpoint, "10.0.0.0/16", group=group)
    (asked,) = (s for s in first_steps(audited(world), 0) if s.what.startswith("Ask whether"))
    assert asked.how == "dev and hr through staff: SSH (TCP 22) on two receivers."
    world.authorize(endpoint, "10.0.0.0/16")  # everyone: that is a finding
    assert not any(s.what.startswith("Ask whether") for s in first_steps(audited(world), 0))


def test_ports_that_are_reached_perhaps_are_asked_about_as_that_and_by_name():
    world = World()
    vpc = world.vpc()
    vpn, jump, app = (world.security_group(vpc, name) for name in ("vpn", "jump", "app"))
    world.ingress(jump, vpn)
    world.ingress(app, vpn, "tcp", (443, 443))
    endpoint = world.endpoint(vpc, (vpn,), name="staff")
    world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
    there = world.subnet(vpc, "10.0.2.0/24")
    world.interface(there, jump, name="jump-host")
    world.interface(there, app, name="crm")
    world.authorize(endpoint, "10.0.0.0/16", group="dev")

    def asked() -> str:
        return " ".join(
            s.how for s in first_steps(audited(world), 0) if s.what.startswith("Ask whether")
        )

    assert "perhaps" not in asked().lower()
    world.refuse("ec2-describe-network-acls")
    told = asked()
    assert told.startswith("dev through staff: perhaps SSH (TCP 22)")
    assert " on jump-host." in told
    assert told.endswith("Perhaps: what decides there could not be read, or AWS does not say it.")
    assert "crm" not in told


# -- who, and by when ------------------------------------------------------------------------------


def test_who_and_by_when_are_proposed_by_what_a_step_touches_and_what_ends_or_how_severe_it_is():
    audit = switched_off()
    assert all(step.who and step.by for step in first_steps(audit, 40))
    restored, asked, *_ = first_steps(audit, 40)
    assert (restored.who, restored.by) == (
        "the network administrators and the identity administrators",
        "today",
    )
    assert (asked.who, asked.by) == ("those in charge of security", "today")
    world, _, _ = two_sharing()
    world.refuse("ec2-describe-network-acls")
    again, *others = first_steps(audited(world), 40)
    proposed = {s.check_id: (s.who, s.by) for s in others}
    assert proposed[MEMBERS] == ("the network administrators", "this week")
    assert proposed["vpn-sg-is-shared"] == ("the network administrators", "this month")
    assert (again.who, again.by) == ("who grants permissions and collects", "this week")
    assert first_steps(audited(worlds.empty()), 40) == ()


def test_replacing_a_certificate_names_it_and_its_region_in_the_call():
    world = World()
    endpoint = world.endpoint(world.vpc(), name="staff")
    end = (worlds.MOMENT["started"] + timedelta(days=20)).isoformat()
    world.certificate(endpoint, NotAfter=end, Type="IMPORTED")
    audit = Audit(world.snapshot(**worlds.MOMENT))
    audit.__dict__["findings"] = findings_of(audit.tables, ["server-certificate-expires-soon"])
    (step,) = first_steps(audit, 40)
    arn = world.record(endpoint)["ServerCertificateArn"]
    assert (
        f"import-certificate --certificate-arn {arn} --region {REGION} --certificate file"
        in step.how
    )
    assert "at least a day before the end" in step.how


def test_who_added_rules_that_let_vpn_users_in_since_the_earlier_snapshot_is_asked():
    world = Small()
    earlier = audited(world).tables
    again = world.ingress(world.app, world.clients, "tcp", (443, 443))  # as one that was taken away
    world.revoke(world.rule)
    new = world.ingress(
        world.app, world.clients, "tcp", (5432, 5432), description="temporary, ask Kaede"
    )
    world.ingress(world.security_group(world.main, "none"), world.clients, "tcp", (22, 22))

    def asked(before) -> list:
        audit = audited(world)
        audit.earlier = before
        return [step for step in first_steps(audit, 40) if step.what.startswith("Ask who added")]

    (step,) = asked(earlier)
    assert f"let VPN users into {world.eni}, and whether they should stay." in step.what
    assert f'({new}, described as "temporary, ask Kaede")' in step.how
    assert again not in step.how
    assert "AuthorizeSecurityGroupIngress" in step.how
    assert asked(None) == []
    assert asked(audited(world).tables) == []
    unread = World()
    unread.refuse("ec2-describe-security-group-rules")
    assert asked(Audit(unread.snapshot()).tables) == []


def test_while_nobody_knows_who_switched_the_log_off_an_endpoint_should_not_open_as_it_was():
    world, endpoint = down("2026-10-31 14:40:00")
    world.record(endpoint)["ConnectionLogOptions"] = {"Enabled": True, "CloudwatchLogGroup": "/vpn"}
    earlier = audited(world).tables
    world.record(endpoint)["ConnectionLogOptions"] = {"Enabled": False}
    world.authorize(endpoint, "10.0.0.0/16")
    audit = audited(world)
    audit.earlier = earlier
    restore, incident, *_ = first_steps(audit, 40)
    decide = next(part for part in restore.parts if part.startswith("Decide"))
    assert (
        "as long as nobody can say who switched its log off, and whose the live sessions are."
        in decide
    )
    assert (
        "As a setting that is of low severity; that it was on makes it a question." in incident.why
    )


@pytest.mark.parametrize(("days", "by"), [(20, "before 2026-12-10"), (-5, "today")])
def test_what_ends_soon_is_proposed_before_that_day(days, by):
    world = World()
    endpoint = world.endpoint(world.vpc(), name="staff")
    world.certificate(
        endpoint, NotAfter=(worlds.MOMENT["started"] + timedelta(days=days)).isoformat()
    )
    checks = ("server-certificate-expires-soon", "server-certificate-has-expired")
    audit = Audit(world.snapshot(**worlds.MOMENT))
    audit.__dict__["findings"] = findings_of(audit.tables, checks)
    assert [step.by for step in first_steps(audit, 40)] == [by]


# -- endpoints that need different things --------------------------------------------------------

MEMBERS = "vpn-sg-lets-members-in"


def two_sharing() -> tuple[World, str, str]:
    """Return a world with two endpoints on the default group, which wikis carry too."""
    world = World()
    ids = []
    for n, name in enumerate(("settled", "waiting")):
        vpc = world.vpc(f"10.{n}.0.0/16")
        default = world.default_group(vpc)
        endpoint = world.endpoint(vpc, name=name)
        world.associate(endpoint, world.subnet(vpc, f"10.{n}.1.0/24"))
        world.authorize(endpoint, f"10.{n}.0.0/16", group="staff")
        world.interface(world.subnet(vpc, f"10.{n}.2.0/24"), default, name="wiki")
        ids.append(endpoint)
    own = world.security_group(vpc, "waiting-clients")
    world.record(endpoint)["SecurityGroupIds"] = [own]
    return world, *ids


def test_an_endpoint_whose_own_group_only_waits_has_a_step_of_its_own():
    world, settled, waiting = two_sharing()
    applied, moved = steps_of(world, MEMBERS)
    ask, then = applied.parts
    assert ask.startswith(
        "Ask those who administer wiki which ports they need through waiting, and add"
    )
    assert "that name waiting-clients for them. It may be their only way in." in ask
    assert then == "Only then apply the group."
    assert applied.what == "Apply the security groups that the settings of waiting name."
    assert "nothing else carries waiting-clients" in applied.how
    assert (
        applied.sessions == "AWS does not name a change of groups among those that reset sessions."
    )
    assert applied.where.startswith("endpoint waiting;")
    assert moved.what == "Move settled off shared security groups."
    assert "nobody gains or loses access by it" not in applied.how
    assert moved.where.startswith("endpoint settled;")
    (shared,) = steps_of(world, "vpn-sg-is-shared")  # where it waits, the first step answers it
    assert shared.where.startswith("endpoint settled;")
    assert applied.has_fix
    assert moved.has_fix
    assert applied.fixes == ((MEMBERS, waiting),)
    assert moved.fixes == ((MEMBERS, settled),)
    anchors = [display.fix_anchor(MEMBERS, id) for id in (settled, waiting)]
    audit = audited(world)
    blocks = page(str(display.preview_verdicts(audit.at_endpoints).markup))
    shown = {tag.get("id") for tag in (*blocks.all("section"), *blocks.all("span"))}
    assert set(anchors) <= shown
    steps = page(str(display.first_steps(audit, 40, dict.fromkeys(anchors, "40.html")).markup))
    links = [a["href"] for a in steps.all("a")]
    assert links == [f"40.html#{anchor}" for anchor in reversed(anchors)]
    assert "Proposed: the network administrators, this week." in steps.text
    assert applied.who == "the network administrators and the owners of the receivers"
    numbered = page(str(display.preview_verdicts(audit.at_endpoints, audit).markup)).text
    numbers = {n for n, step in enumerate(audit.steps, 1) for _, id in step.fixes if id == waiting}
    told = {
        int(n)
        for line in re.findall("on the first page: step (.*)", numbered)
        for n in re.findall(r"\d+", line)
    }
    assert numbers
    assert numbers <= told <= {n for n, step in enumerate(audit.steps, 1) if step.fixes}
    assert "on the first page" not in blocks.text


def test_where_part_of_the_way_was_not_read_it_is_read_again_before_a_group_is_applied():
    world, _, _ = two_sharing()
    world.refuse("ec2-describe-network-acls")
    applied, _ = steps_of(world, MEMBERS)
    first = "Read the account again first: ec2 describe-network-acls gave no answer in its Region."
    assert applied.parts[0] == first
    assert len(applied.parts) == 3
    assert "it closes everything on wiki for group staff of waiting" in applied.how
    again, then, *_ = first_steps(audited(world), 40)
    assert (again.check_id, then) == ("", applied)


def test_how_long_a_change_of_groups_has_waited_is_said_from_the_earlier_snapshot():
    world, _, waiting = two_sharing()
    audit = audited(world)

    def told(earlier: World | None, days: float) -> str:
        audit.earlier = None
        if earlier is not None:
            moment = worlds.MOMENT["started"] - timedelta(days=days)
            audit.earlier = Audit(earlier.snapshot(started=moment, finished=moment)).tables
        applied, _ = (s for s in first_steps(audit, 40) if s.check_id == MEMBERS)
        return applied.how

    stuck = "The change waited already when the earlier snapshot was read"
    assert stuck not in told(None, 0)
    assert stuck not in told(world, 0.5), "it may be on its way"
    said = told(world, 7)
    assert f"{stuck} (2026-11-13 " in said
    assert " UTC, seven days before): AWS gives itself up to four hours" in said
    before, _, _ = two_sharing()
    before.record(waiting)["SecurityGroupIds"] = []
    assert stuck not in told(before, 7), "it did not wait then"


def test_the_owner_of_an_endpoint_nobody_uses_is_asked_before_anybody_builds_for_it():
    world, settled, _ = two_sharing()
    world.record(settled)["ConnectionLogOptions"]["CloudwatchLogGroup"] = "/vpn/quiet"
    world.log_group("/vpn/quiet")
    world.log_stream("/vpn/quiet", "connections", days_ago=75)
    networks = audited(world).tables["client_vpn_target_networks"].set_index("endpoint_id")
    subnet = networks.loc[settled, "subnet_id"]
    world.endpoint_route(settled, "192.0.2.0/24", subnet)
    told = first_steps(audited(world), 40)
    what = [step.what for step in told]
    ask = what.index("Ask the owner of settled whether anybody needs it.")
    assert ask == min(at for at, step in enumerate(told) if "settled" in step.where + step.what)
    noted, taken, deleted = told[ask].parts
    association = networks.loc[settled, "association_id"]
    assert taken == (
        "Take away its associations, so that nobody can connect: aws ec2 "
        f"disassociate-client-vpn-target-network --client-vpn-endpoint-id {settled} --association-id "
        f"{association} --region {REGION}."
    )
    assert (
        "AWS deletes the routes with the associations, those that were added by hand too" in noted
    )
    assert f"As read: subnet {subnet} and route 192.0.2.0/24 through {subnet}." in noted
    assert noted.endswith("it would come back with the VPC's default one.")
    assert deleted == (
        "Delete it later: that ends its part in what 1 high, 1 medium and 1 low checks found. Its log stays in "
        "/vpn/quiet, and is kept for ever (connection-log-is-kept-for-ever)."
    )
    assert "93 days before the snapshot" in told[ask].why
    others = [step for at, step in enumerate(told) if at != ask and "settled" in step.where]
    assert len(others) == 2
    assert all("settled (only if it is kept)" in step.where for step in others)
    assert [step.check_id for step in told].count("endpoint-is-idle") == 1


def test_an_endpoint_nobody_uses_and_nothing_else_is_wrong_with_is_told_of_in_its_place():
    world = World()
    vpc = world.vpc()
    endpoint = world.endpoint(vpc, (world.security_group(vpc, "vpn"),), name="spare")
    world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
    world.record(endpoint)["ConnectionLogOptions"]["CloudwatchLogGroup"] = "/vpn/quiet"
    world.log_group("/vpn/quiet")
    world.log_stream("/vpn/quiet", "connections", days_ago=75)
    (step,) = first_steps(audited(world), 40)
    assert step.check_id == "endpoint-is-idle"
    assert step.what.startswith("Delete the endpoint once its owner agrees")


# -- commands stand below what they do ----------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_step_is_told_in_plain_words_and_its_commands_stand_folded_below(language):
    with spoken(language):
        audit = open_audit()
        markup = str(display.first_steps(audit).markup)
        told = page(markup)
        texts = [text for step in audit.steps for text in (step.how, *step.parts)]
        (first, *_) = audit.steps
    held = [unescape(re.sub("<[^>]*>", "", pre)) for pre in re.findall("<pre.*?</pre>", markup)]
    commands = [call for text in texts for _, call in display.plain_and_commands(text)[1]]
    written = sum(len(re.findall(r"\baws [a-z0-9]+ [a-z]+-", text)) for text in texts)
    assert held == commands
    assert len(held) == written >= 8
    assert not any("open" in fold for fold in told.all("details"))
    for text in first.parts:
        plain, _ = display.plain_and_commands(text)
        assert not re.search(r"aws ec2|--|[:：] ?[.。]", plain)
        assert plain in told.text
