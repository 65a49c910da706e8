"""Previews for people: the sentence on a card, the rows of the notebook, what is shown by default."""

import pytest

from auditlib import previewed, summary
from auditlib.audit import Audit
from auditlib.changes import ApplySecurityGroups, RevokeRule
from auditlib.changes.preview import preview, proposal
from auditlib.check import Status
from auditlib.display import (
    _previewed,
    card,
    fixes,
    preview_access,
    preview_findings,
    preview_rollback,
    preview_steps,
    preview_verdicts,
    proposals_of,
)
from auditlib.errors import ParameterError
from auditlib.summary import by_name, names_in
from auditlib.terminal import print_preview
from tests import report_worlds
from tests.pages import page
from tests.test_changes import ENDPOINT, PLACE, Small
from tests.test_preview import OnDefault, tables_of, with_intention


@pytest.fixture
def audit() -> Audit:
    return Audit(OnDefault().snapshot())


def test_a_sentence_says_what_changes_what_comes_of_it_and_whether_sessions_end(audit):
    assert previewed.sentence(audit.proposal("vpn-sg-is-default")) == (
        "The fix would create one security group, add one security group rule and give other "
        "security groups to one endpoint. It changes nothing anyone can reach. AWS does not "
        "list such changes among those that reset connections."
    )


def test_reasons_not_to_judge_are_told_in_a_table_a_refused_call_by_reference():
    world = Small()
    wide = world.ingress(world.app, "10.0.0.0/8", "tcp", (8443, 8443))
    world.refuse("ec2-describe-network-acls")
    change = RevokeRule(**PLACE, group_id=world.app, rule_id=wide)
    found = preview(tables_of(world), [change])
    assert "It cannot be judged in ap-northeast-1" in previewed.sentence(found)
    (row,) = previewed.outcomes(found)
    assert row["unknown"].startswith(
        "part of what decides could not be read (see scope and method); "
    )
    assert by_name(found.doubts[1], names_in(found.before)) in row["unknown"]
    assert "What cannot be judged" not in dict(previewed.remarks(found))


def test_what_makes_no_change_says_why(audit):
    found = audit.proposal("default-sg-has-rules")
    assert previewed.sentence(found).startswith("There is no change to propose")
    assert "not emptied" in previewed.outcome(found)


def test_a_plan_and_several_fixes_have_titles_of_their_own(audit):
    two = proposal(audit.tables, ["vpn-sg-is-default", "default-sg-has-rules"])
    assert previewed.title(two) == "The fixes of two findings together"
    assert previewed.sentence(two).startswith("The plan would ")
    assert previewed.title(preview(audit.tables, [])) == "The plan file"
    one = previewed.title(audit.proposal("vpn-sg-is-shared"))
    title = audit.finding("vpn-sg-is-shared").check.title
    assert one == f"Fix so that {title[0].lower()}{title[1:]}"
    assert previewed.outcome(preview(audit.tables, [])) == "There is no change to make."


def test_access_is_put_together_by_receiver_and_names_the_rule_of_each_side():
    world = OnDefault()
    found = previewed.access(proposal(tables_of(world), ["vpn-sg-is-default"]))
    (row,) = found.to_dict("records")
    assert (row["change"], row["part"], row["eni_id"]) == ("ground", "side_effect", world.eni)
    assert row["user_groups"] == ("staff",)
    assert row["traffic"] == "TCP 443"
    assert f"ingress: {world.rule}" in row["before"]
    assert [hop for hop in row["after"] if hop.startswith("ingress: sgr-new-")]


def test_lost_access_names_what_granted_it_and_side_effects_come_first():
    world = OnDefault()
    world.interface(world.far, world.default, name="wiki")
    found = previewed.access(proposal(tables_of(world), ["vpn-sg-lets-members-in"]))
    assert list(found["part"]) == ["side_effect", "intended"]
    lost = found[found["change"] == "lost"].iloc[0]
    assert any(hop.startswith("authorization: ") for hop in lost["before"])
    assert lost["after"] == ()


def test_only_findings_that_change_or_are_asked_about_are_told(audit):
    found = previewed.findings(audit.proposal("vpn-sg-is-default"))
    row = found.set_index("check").loc["vpn-sg-is-default"]
    assert (row["resolved"], row["still_open"], row["newly_raised"]) == (1, 0, 0)
    assert "receiver-open-wider-than-vpn" not in set(found["check"])


# -- what is shown ---------------------------------------------------------------------------------


def test_by_default_each_failing_finding_with_a_change_is_shown_the_severe_ones_first(audit):
    shown = previewed.chosen(audit)
    ids = [found.checks[0] for found in shown]
    order = [f.check.id for f in audit.findings if f.status is Status.FAIL]
    assert "vpn-sg-is-default" in ids
    assert ids == [id for id in order if id in ids]
    assert all(found.steps for found in shown)
    assert previewed.chosen(audit, endpoint=ENDPOINT)


def test_named_fixes_are_shown_together_and_a_plan_in_their_place(tmp_path):
    world = Small()
    audit = Audit(world.snapshot())
    (both,) = previewed.chosen(audit, "vpn-sg-is-default, connection-logging-is-off")
    assert both.checks == ("vpn-sg-is-default", "connection-logging-is-off")
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        f"account: '{PLACE['account']}'\nregion: {PLACE['region']}\nchanges:\n"
        f"- {{change: revoke-rule, group_id: {world.app}, rule_id: {world.rule}}}\n"
    )
    (found,) = previewed.chosen(audit, plan=str(plan))
    assert found.steps[0].change == RevokeRule(**PLACE, group_id=world.app, rule_id=world.rule)
    with pytest.raises(ParameterError, match="not both"):
        previewed.chosen(audit, "vpn-sg-is-default", plan=str(plan))
    with pytest.raises(ParameterError, match="vpn-sg-is-default"):
        previewed.chosen(audit, "vpn-sg-is-defautl")


def test_every_part_of_a_preview_is_shown_and_escaped(audit):
    world = OnDefault()
    world.interface(world.far, world.default, name="<img src=x onerror=alert(1)>")
    audit = Audit(world.snapshot())
    shown = previewed.chosen(audit)
    pieces = [
        fixes(audit),
        preview_verdicts(shown),
        preview_access(audit, shown),
        preview_findings(shown),
        preview_steps(shown),
        preview_rollback(shown),
    ]
    for piece in pieces:
        parsed = page(str(piece.markup))
        assert parsed.problems == []
        assert not parsed.all("img")
    words = page(str(preview_steps(shown).markup)).words
    assert "aws ec2 create-security-group" in words
    assert "Verify before going on" in words
    assert "delete-security-group" in page(str(preview_rollback(shown).markup)).words
    words = page(str(preview_access(audit, shown).markup)).words
    assert "(suspicious name)" in words
    assert "<img" not in words


def test_a_preview_alone_shows_itself_in_a_notebook(audit):
    shown = _previewed(audit.proposal("vpn-sg-is-default"))
    words = page(str(shown.markup)).words
    assert shown.text == previewed.sentence(audit.proposal("vpn-sg-is-default"))
    assert "create-security-group" in words
    assert "delete-security-group" in words


def test_one_preview_is_open_and_several_are_folded(audit):
    shown = previewed.chosen(audit)
    assert len(shown) > 1
    assert page(str(preview_steps(shown).markup)).all("details")
    assert not page(str(preview_steps(shown[:1]).markup)).all("details")


def test_where_no_finding_changes_no_row_is_told():
    found = proposal(tables_of(OnDefault()), ["client-to-client-is-open"])
    assert previewed.findings(found).empty


def test_a_finding_that_is_gone_while_its_access_stays_says_so_in_its_row(capsys):
    world = OnDefault()
    world.interface(world.far, world.default, name="wiki")
    kept = "no longer found, but the same access stays open by other rules"

    def shown(id: str) -> str:
        found = proposal(tables_of(world), [id])
        print_preview(found)
        assert (kept in capsys.readouterr().out) == (id != "vpn-sg-lets-members-in")
        return page(str(preview_findings([found]).markup)).words

    assert kept in shown("vpn-sg-is-default")
    assert kept not in shown("vpn-sg-lets-members-in")


def test_fixes_are_rivals_unless_they_give_an_endpoint_the_same_groups():
    def notes(world: OnDefault, second: str) -> str:
        found = [proposal(tables_of(world), [id]) for id in ("vpn-sg-is-default", second)]
        return " ".join(text for _, lines in previewed.remarks(found[0], found) for text in lines)

    world = OnDefault()
    world.interface(world.far, world.default, name="wiki")
    assert "choose one of the two" in notes(world, "vpn-sg-lets-members-in")
    with_intention(world)
    assert "choose one of the two" not in notes(world, "vpn-sg-not-yet-effective")


def test_a_fix_that_another_outdoes_is_folded_away_and_says_so():
    world = OnDefault()
    world.interface(world.far, world.default, name="wiki")
    ids = ("vpn-sg-is-default", "vpn-sg-lets-members-in")
    both = [proposal(tables_of(world), [id]) for id in ids]
    assert [one.checks for one in previewed.outdone(both)] == [("vpn-sg-is-default",)]
    shown = str(preview_verdicts(both).markup)
    assert shown.count("<details") == 1
    assert "<summary>Not recommended: Fix so that Client VPN endpoints carry" in shown
    assert previewed.outdone(both[:1]) == ()


def test_nothing_to_preview_reads_as_that():
    audit = Audit(report_worlds.empty().snapshot())
    shown = previewed.chosen(audit)
    assert shown == ()
    assert "Nothing is previewed" in page(str(preview_verdicts(shown).markup)).words
    assert "nothing to fix" in page(str(fixes(audit).markup)).words


# -- cards -----------------------------------------------------------------------------------------


def card_of(audit: Audit, id: str):
    finding = audit.finding(id)
    return page(str(card(finding, None, proposals_of(audit, finding)).markup))


def test_a_card_says_in_a_sentence_what_the_fix_would_change_the_details_folded(audit):
    shown = card_of(audit, "vpn-sg-is-default")
    assert f"What the fix would change for {ENDPOINT} The fix would create one" in shown.words
    assert "It changes nothing anyone can reach." in shown.words
    assert shown.all("details")
    assert shown.problems == []


def test_a_card_without_a_fix_says_why_people_decide(audit):
    shown = card_of(audit, "default-sg-is-used")
    assert "Why there is no ready fix" in shown.words
    assert audit.finding("default-sg-is-used").check.decision[:40] in shown.words


def test_a_card_of_what_passes_tells_of_no_fix(audit):
    finding = next(f for f in audit.findings if f.status is Status.PASS)
    assert proposals_of(audit, finding) == ()
    assert proposals_of(None, audit.finding("vpn-sg-is-default")) == ()
    assert "What the fix would change" not in card_of(audit, finding.check.id).words


def test_of_fixes_that_exclude_each_other_the_one_that_ends_most_is_recommended():
    found = Audit(report_worlds.exposed().snapshot())
    previews = [found.proposal(id) for id in ("vpn-sg-is-default", "vpn-sg-lets-members-in")]
    ((_, best),) = previewed.recommended(previews).items()
    told = previewed.advice(previews)
    assert best.checks == ("vpn-sg-lets-members-in",)
    assert told[1].startswith("Recommended for legacy: ")
    assert told[0] == (
        "Not recommended: it keeps open at legacy what the fix of vpn-sg-lets-members-in closes."
    )
    assert previewed.recommended([best, best]) == {}


@pytest.fixture(scope="module")
def three() -> Audit:
    """Three endpoints on shared groups: one whose settings name a group of its own, one without members let in."""
    world = report_worlds.exposed()
    vpc = world.vpc("10.50.0.0/16")
    group = world.security_group(vpc, "contractors")
    alone = world.endpoint(vpc, (group,), name="contractors")
    world.associate(alone, world.subnet(vpc, "10.50.1.0/24"))
    world.interface(world.subnet(vpc, "10.50.2.0/24"), group, name="bastion")
    return Audit(world.snapshot())


def test_a_fix_that_gives_endpoints_other_groups_is_previewed_endpoint_by_endpoint(three):
    names = summary.names(three)
    shown = {(one.checks, names.get(one.endpoint, "")): one for one in previewed.chosen(three)}
    shared = ("vpn-sg-is-default", "vpn-sg-is-shared")
    assert {pair for pair in shown if pair[1]} == {
        (("vpn-sg-lets-members-in",), "legacy"),
        (shared, "legacy"),
        (("vpn-sg-is-shared",), "contractors"),
    }
    for (_, name), one in shown.items():
        if name:
            switched = [s.change for s in one.steps if isinstance(s.change, ApplySecurityGroups)]
            assert [names[change.endpoint_id] for change in switched] == [name]
            assert [one.endpoint] == [change.endpoint_id for change in switched]
            assert previewed.title(one).startswith(f"Fix {name} so that ")
    (worse,) = previewed.outdone(tuple(shown.values()))
    assert worse is shown[shared, "legacy"]
    assert all(one.checks != shared for one in previewed.chosen(three, endpoint="contractors"))


def test_an_endpoint_whose_name_misleads_is_called_by_its_id_in_the_titles_of_its_fixes():
    world = OnDefault()
    world.record(ENDPOINT)["Tags"] = [{"Key": "Name", "Value": "=SUM(A1:A9)"}]
    (one,) = Audit(world.snapshot()).proposals("vpn-sg-is-default")
    assert previewed.title(one).startswith(f"Fix {ENDPOINT} (suspicious name) so that ")


def test_an_endpoint_that_nobody_uses_is_said_to_be_so_beside_its_fix_and_on_its_cards():
    world = OnDefault()
    world.record(ENDPOINT)["ConnectionLogOptions"]["CloudwatchLogGroup"] = "/vpn/quiet"
    world.log_group("/vpn/quiet")
    world.log_stream("/vpn/quiet", "connections", days_ago=75)
    audit = Audit(world.snapshot())
    ask = f"Ask first whether anybody needs {ENDPOINT} (endpoint-is-idle)."
    assert ask in page(str(preview_verdicts(previewed.chosen(audit)).markup)).words
    for id in ("vpn-sg-is-default", "default-sg-is-used", "endpoint-in-one-zone"):
        assert card_of(audit, id).words.count(ask) == (id != "default-sg-is-used")
    assert ask not in card_of(audit, "endpoint-is-idle").words
    assert (
        ask
        not in page(
            str(preview_verdicts(previewed.chosen(Audit(OnDefault().snapshot()))).markup)
        ).words
    )


def test_what_another_fix_outdoes_is_told_in_a_line_and_its_steps_are_left_out(three):
    shown = previewed.chosen(three)
    assert "findings" not in vars(previewed.outdone(shown)[0])  # nothing was judged for it
    table = page(str(fixes(three).markup)).words
    kept_open = "it keeps open at legacy what the fix of vpn-sg-lets-members-in closes."
    assert table.count(f"Not recommended: {kept_open}") == 1
    for part in (preview_steps, preview_rollback):
        words = page(str(part(shown).markup)).words
        assert "client-vpn-contractors" in words
        assert words.count("Apply sg-new-client-vpn-legacy to ") <= 1
        assert "Fixes that are not recommended are left out here." in words
    card = card_of(three, "vpn-sg-is-shared").words
    assert "What the fix would change for contractors The fix would create" in card
    assert f"What the fix would change for legacy Not recommended: {kept_open}" in card


def test_fixes_that_make_the_very_same_changes_are_one_and_its_access_is_what_either_names():
    world = OnDefault()
    far = world.interface(world.far, world.default, name="wiki")
    world.ingress(world.app, with_intention(world), "tcp", (443, 443))
    audit = Audit(world.snapshot())
    shown = {one.checks: one for one in previewed.chosen(audit)}
    both = shown["vpn-sg-lets-members-in", "vpn-sg-not-yet-effective"]
    assert both is audit.proposals("vpn-sg-not-yet-effective")[0]
    lost = both.access[both.access["change"].eq("lost") & both.access["eni_id"].eq(far)]
    assert set(lost["part"]) == {"intended"}
    alone = audit.proposal("vpn-sg-not-yet-effective")
    lost = alone.access[alone.access["change"].eq("lost") & alone.access["eni_id"].eq(far)]
    assert set(lost["part"]) == {"named"}
    assert "which another finding names" in alone.verdict
    words = page(str(preview_access(audit, [alone]).markup)).words
    assert "Named by another finding (vpn-sg-lets-members-in)" in words
    assert "Side effects" not in words


def test_what_a_switch_cuts_off_is_to_be_asked_for_first_whichever_finding_proposes_it():
    world = OnDefault()
    world.interface(world.far, world.default, name="wiki")
    with_intention(world)
    for id in ("vpn-sg-lets-members-in", "vpn-sg-not-yet-effective"):
        (warned,) = [
            text
            for text in proposal(tables_of(world), [id]).decisions
            if text.startswith("No step keeps this")
        ]
        assert "Say first what they need of it" in warned


def test_a_switch_that_cuts_nobody_off_does_not_ask_for_that():
    world = OnDefault()
    world.ingress(world.app, with_intention(world), "tcp", (443, 443))
    found = proposal(tables_of(world), ["vpn-sg-not-yet-effective"])
    assert found.steps
    assert not [text for text in found.decisions if text.startswith("No step keeps this")]


def test_what_an_endpoint_leaves_on_others_is_said_beside_what_is_resolved_at_it():
    world = Small()
    new = world.security_group(world.main, "new")
    change = ApplySecurityGroups(**PLACE, endpoint_id=ENDPOINT, vpc_id=world.main, group_ids=(new,))

    def told() -> str:
        made = preview(tables_of(world), [change])
        notes = dict(previewed.remarks(made)).get("Note", ())
        assert all(text in notes for text in previewed.left_behind(made))
        shown = page(str(preview_findings([made]).markup)).text
        assert ("Resolved for the endpoint alone" in shown) == bool(previewed.left_behind(made))
        return " ".join(previewed.left_behind(made))

    assert told() == "", "nothing else carries its group"
    eni = world.interface(world.vpn, world.clients, name="bastion")
    assert told() == "", "its group has no inbound rule"
    world.ingress(world.clients, world.clients)
    assert told() == "", "members among themselves are as before"
    world.ingress(world.clients, "0.0.0.0/0", "udp", (443, 443))
    said = told()
    assert said.startswith(f"bastion ({eni}) keeps vpn ({world.clients}) and what its inbound")
    assert "UDP 443 from the internet (0.0.0.0/0)" in said
