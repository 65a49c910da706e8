"""Accepted risks: what they take out of a verdict, what they cannot, and the file they stand in."""

import re
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from auditlib import display, summary
from auditlib.accepted import AcceptedRisk, AcceptedRisks, accept, accepted_risks, resources_of
from auditlib.audit import Audit
from auditlib.check import Status, audit
from auditlib.errors import ParameterError
from tests import report_worlds as worlds
from tests.worlds import World

DAY = date(2026, 11, 24)
SHARED = "vpn-sg-is-shared"
LOGGING = "connection-logging-is-off"


@pytest.fixture(scope="module")
def plain() -> Audit:
    return Audit(worlds.exposed().snapshot(**worlds.MOMENT))


@pytest.fixture(scope="module")
def refused() -> Audit:
    return Audit(worlds.refused().snapshot(**worlds.MOMENT))


def entry(
    check: str, resource: str, until: date = date(2027, 3, 31), **more: object
) -> AcceptedRisk:
    described = {"reason": "known", "owner": "Jane", "line": 2} | more
    return AcceptedRisk(check=check, resource=resource, until=until, **described)


def judged(of: Audit, *entries: AcceptedRisk, day: date = DAY, check: str = ""):
    risks = AcceptedRisks(entries=entries, day=day, file="accepted.yaml")
    (found,) = audit(of.tables, only=[check or entries[0].check], accept=risks)
    return found


def ids(frame: pd.DataFrame, column: str) -> set[str]:
    return set(frame[column].dropna())


# -- the verdict ----------------------------------------------------------------------------------


def test_a_row_that_is_accepted_leaves_the_evidence_and_stays_visible(plain):
    whole = plain.finding(SHARED)
    one = whole.evidence["eni_id"].dropna().iloc[0]
    found = judged(plain, entry(SHARED, one))
    assert found.status is Status.FAIL
    assert len(found.evidence) == len(whole.evidence) - 1
    assert one not in ids(found.evidence, "eni_id")
    assert found.accepted["eni_id"].tolist() == [one]
    assert found.accepted["accepted_owner"].tolist() == ["Jane"]
    assert found.accepted["accepted_until"].tolist() == ["2027-03-31"]
    assert "Not counted: one piece of evidence, until 2027-03-31." in found.answer


def test_a_check_whose_evidence_is_all_accepted_neither_fails_nor_passes(plain):
    found = judged(plain, entry(LOGGING, "*"))
    assert found.status is Status.ACCEPTED
    assert found.evidence.empty
    assert found.answer == (
        "One of the 2 Client VPN endpoints has connection logging switched off. All of it is accepted: "
        "one piece of evidence, until 2027-03-31."
    )


def test_accepting_never_hides_that_something_was_not_read(refused):
    check = next(f for f in refused.findings if len(f.evidence) and len(f.gaps)).check.id
    found = judged(refused, entry(check, "*"))
    assert found.status is Status.NOT_ASSESSED
    assert len(found.gaps) == len(refused.finding(check).gaps)
    assert len(found.accepted) == len(refused.finding(check).evidence)
    assert "What was found is accepted" in found.answer


def test_an_entry_for_a_check_without_evidence_changes_nothing(refused):
    for finding in refused.findings:
        if finding.evidence.empty:
            found = judged(refused, entry(finding.check.id, "*"))
            assert (found.status, found.answer) == (finding.status, finding.answer)


@pytest.mark.parametrize(
    ("day", "status"),
    [
        (date(2027, 3, 30), Status.ACCEPTED),
        (date(2027, 3, 31), Status.ACCEPTED),
        (date(2027, 4, 1), Status.FAIL),
    ],
)
def test_a_risk_comes_back_on_the_day_after_its_last(plain, day, status):
    assert judged(plain, entry(LOGGING, "*"), day=day).status is status


def test_where_two_entries_mean_a_row_the_one_that_holds_longest_is_named(plain):
    found = judged(
        plain,
        entry(LOGGING, "*", date(2026, 12, 1), owner="first"),
        entry(LOGGING, "cvpn-endpoint-*", date(2027, 1, 1), owner="second"),
    )
    assert found.accepted["accepted_owner"].tolist() == ["second"]


def test_an_entry_means_its_own_check_only(plain):
    found = judged(plain, entry(SHARED, "*"), check=LOGGING)
    assert found.status is Status.FAIL


def test_an_entry_can_be_narrowed_to_a_place(plain):
    here = entry(LOGGING, "111122223333/ap-northeast-1/cvpn-*")
    assert judged(plain, here).status is Status.ACCEPTED
    elsewhere = entry(LOGGING, "444455556666/*")
    assert judged(plain, elsewhere).status is Status.FAIL


def test_a_name_accepts_nothing(plain):
    names = set(plain.tables.client_vpn_endpoints["name"])
    assert "legacy" in names
    assert judged(plain, entry(LOGGING, "legacy")).status is Status.FAIL


def test_a_row_with_a_list_of_ids_is_meant_only_where_all_of_them_are(plain):
    made = plain.finding("receiver-admits-all-ports-from-vpn").check
    row = pd.DataFrame(
        [
            {
                "account": "111122223333",
                "region": "eu-west-1",
                "endpoint_id": "cvpn-endpoint-1",
                "rule_ids": ("sgr-1", "sgr-2"),
                "reason": "so",
            }
        ]
    )
    (names,) = resources_of(made, row)
    assert not entry(made.id, "sgr-1").means(names)
    assert entry(made.id, "sgr-*").means(names)
    assert entry(made.id, "cvpn-endpoint-1").means(names)


def test_every_row_of_evidence_can_be_accepted_by_an_id(plain, refused):
    for of in (plain, refused):
        for finding in of.findings:
            if len(finding.evidence):
                rows = resources_of(finding.check, finding.evidence)
                assert all(any(name and "/" not in name[0] for name in names) for names in rows)


# -- how entries stand ----------------------------------------------------------------------------


def standing(of: Audit, *entries: AcceptedRisk) -> tuple[list[str], list[str]]:
    risks = AcceptedRisks(entries=entries, day=DAY, file="accepted.yaml")
    found = audit(of.tables, accept=risks)
    return risks.standing(found)["standing"].tolist(), risks.notices(found)


def test_an_entry_that_matches_nothing_is_named_with_its_line(plain):
    states, notices = standing(plain, entry(LOGGING, "cvpn-endpoint-gone"))
    assert states == ["matches nothing"]
    assert notices == [
        "accepted.yaml, line 2: connection-logging-is-off for cvpn-endpoint-gone matches no evidence."
    ]


def test_an_entry_that_matches_nothing_where_not_all_was_read_says_so(refused):
    check = next(f for f in refused.findings if f.status is Status.NOT_ASSESSED).check.id
    assert standing(refused, entry(check, "x"))[1][0].endswith("but not everything could be read.")


def test_an_expired_entry_says_what_is_back(plain):
    states, (notice,) = standing(plain, entry(LOGGING, "*", date(2026, 1, 31)))
    assert states == ["expired"]
    assert notice.endswith("was accepted until 2026-01-31 by Jane; one piece of evidence is back.")


def test_an_entry_in_force_needs_no_notice(plain):
    assert standing(plain, entry(LOGGING, "*")) == (["accepted"], [])


# -- what people see ------------------------------------------------------------------------------


def test_the_card_strikes_accepted_evidence_out_and_says_why_by_whom_and_until_when(plain):
    markup = display.card(judged(plain, entry(LOGGING, "*", reason="lab <b>only</b>"))).markup
    assert "<s>" in markup
    for said in ("lab &lt;b&gt;only&lt;/b&gt;", "Jane", "2027-03-31"):
        assert said in markup
    assert "<b>only</b>" not in markup


@pytest.mark.parametrize("text", worlds.HOSTILE)
def test_hostile_text_in_an_entry_is_escaped_wherever_it_is_shown(plain, text, capsys):
    from auditlib.terminal import print_audit

    hostile = entry(LOGGING, "*", reason=text, owner=text, reference=text)
    risks = AcceptedRisks(entries=(hostile, replace(hostile, resource=text)), day=DAY, file=text)
    of = Audit(plain.snapshot, risks)
    card = display.card(of.finding(LOGGING)).markup
    pages = [card, display.accepted(of).markup, display.findings(of).markup]
    for page in pages:
        assert not any(bad in page for bad in ("<script", "<img", "<svg", "<h1", "\u202e", "\x1b"))
    print_audit(of)
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_the_verdict_and_the_overview_tell_what_is_accepted(plain):
    of = Audit(plain.snapshot, AcceptedRisks(entries=(entry(LOGGING, "*"),), day=DAY, file="a"))
    assert summary.counts(of.findings)[Status.ACCEPTED] == 1
    assert summary.verdict(of)[-1] == (
        "One piece of evidence is an accepted risk and not counted, until 2027-03-31."
    )
    shown = display.findings(of).markup
    assert "<s>" in shown
    assert "One piece of evidence accepted until 2027-03-31 by Jane: known" in shown


def test_without_a_file_nothing_speaks_of_acceptance(plain):
    assert "Accepted" not in display.verdict(plain).markup
    assert display.accepted(plain).text == display.NONE_GIVEN


# -- the file -------------------------------------------------------------------------------------

GOOD = """\
accepted:
  - check: connection-logging-is-off
    resource: "*"
    reason: lab
    owner: Jane
    until: 2027-03-31
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accepted: [", "line 1: this is no YAML"),
        ("- check: x", 'one list under the key "accepted"'),
        ("accepted: x", 'line 1: "accepted" is no list'),
        ("accepted: [7]", "line 1: an entry has the keys"),
        ("accepted:\n  - 7", "line 2: an entry has the keys check, resource"),
        (GOOD.replace("logging-is-off", "loging-is-off"), "line 2: There is no check called"),
        (GOOD.replace("logging-is-off", "loging-is-off"), "Did you mean connection-logging-is-off"),
        (GOOD.replace("owner:", "ownr:"), "line 5: There is no key of an accepted risk"),
        (GOOD.replace("    owner: Jane\n", ""), "line 2: this entry lacks owner"),
        (GOOD.replace("2027-03-31", "soon"), "line 6: until must be a day"),
        (GOOD.replace("2027-03-31", "2027-02-30"), "line 6: until must be a day"),
        (GOOD.replace("lab", "2027-02-30 x").replace("2027-03-31", "2027-13-01 # y"), "line 6: "),
        (GOOD.replace("2027-03-31", "2027-03-31T10:00:00"), "line 6: until must be a day"),
        (GOOD.replace('"*"', '" "'), "line 3: resource is empty"),
        (GOOD.replace("lab", "[lab]"), "line 4: reason must be text"),
        (GOOD.replace("lab", "x" * 2001), "line 4: reason is longer than 2,000"),
        (GOOD + "    owner: Bob\n", "line 7: this is no YAML"),
        ("accepted: !!python/object/apply:os.system ['ls']", "an entry has the keys"),
        ("[" * 5000, "no YAML that can be read"),
        ("a: \x07", "no YAML that can be read"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line_that_names_the_place(text, said, tmp_path):
    file = tmp_path / "accepted.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(ParameterError) as refusal:
        accepted_risks(file, DAY)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_all_that_is_wrong_in_a_file_is_told_at_once_line_by_line(tmp_path):
    file = tmp_path / "accepted.yaml"
    second = GOOD.removeprefix("accepted:\n").replace("owner: Jane", "ownr: Jane")
    third = second.replace("ownr", "owner").replace("logging-is-off", "loging-is-off")
    text = GOOD + second.replace("2027-03-31", "2027-02-30") + third + "  - 7\n"
    file.write_text(text.replace('"*"', '""', 1), "utf-8")
    with pytest.raises(ParameterError) as refusal:
        accepted_risks(file, DAY)
    said = str(refusal.value)
    assert said.startswith(f"{file} has six errors; line 3: resource is empty. line 7: this entry")
    lines = [int(line) for line in re.findall(r"line (\d+): ", said)]
    assert lines == [3, 7, 10, 11, 12, 17]
    assert "\n" not in said


def test_a_file_wrong_in_every_entry_tells_the_first_twenty(tmp_path):
    file = tmp_path / "accepted.yaml"
    file.write_text("accepted:\n" + "  - 7\n" * 50, "utf-8")
    with pytest.raises(ParameterError, match="has 50 errors") as refusal:
        accepted_risks(file, DAY)
    assert str(refusal.value).count("line ") == 20
    assert str(refusal.value).endswith("30 more errors further down.")


def test_a_text_that_looks_like_a_day_that_no_month_has_is_text(tmp_path):
    file = tmp_path / "accepted.yaml"
    file.write_text(GOOD.replace("reason: lab", "reason: 2027-02-30"), "utf-8")
    assert accepted_risks(file, DAY).entries[0].reason == "2027-02-30"


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "accepted:\n", "accepted: []\n"])
def test_a_file_may_name_no_risk(text, tmp_path):
    (tmp_path / "a.yaml").write_text(text, "utf-8")
    assert accepted_risks(tmp_path / "a.yaml", DAY).entries == ()


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ParameterError, match="cannot be read"):
        accepted_risks(tmp_path / "none.yaml")


def add(of: Audit, file, **more):
    given = {"check": LOGGING, "resource": "*", "reason": "lab", "owner": "Jane"}
    return accept(of, file, **(given | {"until": date(2027, 3, 31), "day": DAY} | more))


def test_what_accept_writes_is_what_the_audit_reads(plain, tmp_path):
    file = tmp_path / "accepted.yaml"
    assert add(plain, file, reason="a: b # c\nd", reference="SEC-1") == 1
    (read,) = accepted_risks(file, DAY).entries
    assert (read.reason, read.reference, read.until) == ("a: b # c d", "SEC-1", date(2027, 3, 31))
    assert judged(plain, read).status is Status.ACCEPTED


def test_accept_keeps_comments_quotes_and_order(plain, tmp_path):
    file = tmp_path / "accepted.yaml"
    before = (
        "# ours\naccepted:\n  # the shared group\n  - check: vpn-sg-is-shared\n"
        "    resource: 'sg-*'  # all of them\n    reason: \"moved in May\"\n    owner: Bob\n"
        "    until: 2027-05-01\n"
    )
    file.write_text(before, "utf-8")
    add(plain, file)
    assert file.read_text("utf-8").startswith(before)
    assert [e.check for e in accepted_risks(file, DAY).entries] == [SHARED, LOGGING]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"resource": "cvpn-endpoint-nobody"}, "matches no evidence"),
        ({"check": "connection-logging-is-of"}, "Did you mean connection-logging-is-off"),
        ({"until": date(2026, 11, 23)}, "has passed"),
        ({"reason": "  "}, "reason is empty"),
    ],
)
def test_accept_refuses_what_would_accept_nothing_and_leaves_the_file(plain, tmp_path, more, said):
    file = tmp_path / "accepted.yaml"
    with pytest.raises(ParameterError, match=said):
        add(plain, file, **more)
    assert not file.exists()


def test_accept_adds_what_matches_nothing_when_told(plain, tmp_path):
    assert add(plain, tmp_path / "a.yaml", resource="x", unmatched=True) == 0
    assert len(accepted_risks(tmp_path / "a.yaml", DAY).entries) == 1


def test_accept_refuses_what_is_accepted_already(plain, tmp_path):
    add(plain, tmp_path / "a.yaml")
    before = (tmp_path / "a.yaml").read_bytes()
    with pytest.raises(ParameterError, match="line 3: this is accepted until 2027-03-31 already"):
        add(plain, tmp_path / "a.yaml")
    assert (tmp_path / "a.yaml").read_bytes() == before


def test_an_empty_account_has_nothing_to_accept(tmp_path):
    with pytest.raises(ParameterError, match="has nothing to judge here"):
        add(Audit(World().snapshot()), tmp_path / "a.yaml")


def test_a_file_in_a_folder_that_is_not_there_is_refused_and_nothing_is_made(plain, tmp_path):
    with pytest.raises(ParameterError, match="there is no folder"):
        add(plain, tmp_path / "typo" / "accepted.yaml")
    assert not list(tmp_path.iterdir())


def test_what_could_not_be_assessed_is_told_from_what_passes(refused, tmp_path):
    for status, said in ((Status.NOT_ASSESSED, "no entry changes that"), (Status.PASS, "passes")):
        check = next(f for f in refused.findings if f.status is status).check.id
        with pytest.raises(ParameterError, match=said):
            add(refused, tmp_path / "accepted.yaml", check=check)
