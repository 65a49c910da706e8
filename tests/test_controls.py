"""Published controls and what the findings answer to them."""

import re
from pathlib import Path

import pytest

from auditlib import display
from auditlib.audit import Audit
from auditlib.check import checks
from auditlib.controls import FRAMEWORKS, SHOWN, answers, frameworks_like, in_short
from auditlib.errors import ParameterError
from tests import report_worlds as worlds
from tests.test_exports import accepting
from tests.worlds import World

NUMBERS = {
    "v1.0": "4.4", "v1.1": "4.4", "v1.2": "4.3", "v1.3": "5.3", "v1.4": "5.3", "v1.5": "5.4",
    "v2.0": "5.4", "v3.0": "5.4", "v4.0.1": "5.5", "v5.0": "5.5", "v6.0": "6.5", "v7.0": "6.5",
}  # fmt: skip


NIST = "NIST SP 800-53 Rev. 5"
DECISIONS = Path(__file__).resolve().parent.parent / "docs" / "decisions"


@pytest.fixture(scope="module")
def exposed() -> Audit:
    return Audit(worlds.exposed().snapshot(**worlds.MOMENT))


def answer(of: Audit, framework: str, control: str):
    frame = answers(of, framework)
    (row,) = frame[frame["control"] == control].to_dict("records")
    return row


@pytest.mark.parametrize(("version", "number"), NUMBERS.items())
def test_the_default_group_has_the_number_of_its_version(exposed, version, number):
    row = answer(exposed, f"CIS AWS {version}", number)
    assert row["framework"] == f"CIS AWS Foundations {version}"
    assert (row["answer"], row["checks"]) == ("not_met", ("default-sg-has-rules",))
    assert row["evidence"] == len(exposed.finding("default-sg-has-rules").evidence)


def test_every_control_a_check_names_is_answered_by_it(exposed):
    frame = answers(exposed)
    answered = {(r.framework, r.control): r.checks for r in frame.itertuples()}
    for made in checks():
        for framework, ids in made.controls.items():
            for id in ids:
                assert made.id in answered[framework, id]


def test_every_control_of_the_catalogue_is_answered_once(exposed):
    frame = answers(exposed)
    assert not frame.duplicated(["framework", "control"]).any()
    for framework in FRAMEWORKS.values():
        ours = set(frame.loc[frame["framework"] == framework.name, "control"])
        assert {control.id for control in framework.controls} <= ours


def test_every_control_a_check_names_has_a_title_in_the_catalogue():
    for made in checks():
        for framework, ids in made.controls.items():
            for id in ids:
                assert FRAMEWORKS[framework].control(id).title, (made.id, framework, id)


def test_no_answer_has_a_circle_which_says_passed_in_japan():
    signs = [sign for sign, _ in SHOWN.values()]
    assert not {"○", "●", "◎", "◯"} & set(signs)
    assert len(set(signs)) == len(signs)


def test_the_catalogue_says_where_every_framework_comes_from():
    page = (DECISIONS / "0007-where-controls-come-from.md").read_text("utf-8")
    for name in FRAMEWORKS:
        words, _, version = name.rpartition(" ")
        assert words in page, name
        assert version.strip("()v") in page, name


def test_what_no_check_looks_at_is_not_covered(exposed):
    frame = answers(exposed, "CIS AWS 7.0.0")
    beside = frame[frame["control"] != "6.5"]
    assert set(beside["answer"]) == {"not_covered"}
    assert "" in set(beside["control"])


def test_an_empty_account_has_nothing_to_answer_for():
    frame = answers(Audit(World().snapshot()))
    assert set(frame["answer"]) == {"not_applicable", "not_covered"}


def test_what_could_not_be_read_is_not_met_by_silence():
    world = World().refuse("ec2-describe-security-groups")
    world.vpc()
    row = answer(Audit(world.snapshot()), "CIS 7.0", "6.5")
    assert row["answer"] == "not_assessed"
    assert "Not assessed" in row["says"]


def test_a_control_is_met_where_all_was_read_and_nothing_found():
    world = World()
    group = world.record(world.default_group(world.vpc()))
    for rule in list(world._lists[world.region, "ec2-describe-security-group-rules", None]):
        if rule["GroupId"] == group["GroupId"]:
            world._lists[world.region, "ec2-describe-security-group-rules", None].remove(rule)
    group["IpPermissions"], group["IpPermissionsEgress"] = [], []
    row = answer(Audit(world.snapshot()), "CIS AWS 7.0.0", "6.5")
    assert (row["answer"], row["part"], row["evidence"]) == ("met", False, 0)
    wide = answer(Audit(world.snapshot()), "PCI", "1.3")
    assert (wide["answer"], wide["part"]) == ("nothing_found", True)
    assert wide["says"].startswith("Nothing was found by the one check that bears on it.")
    assert "Relevant if these networks are in the scope of PCI DSS" in wide["says"]


def test_a_wide_control_is_never_met_or_not_met(exposed):
    frame = answers(exposed)
    assert set(frame.loc[frame["answer"].isin(["met", "not_met"]), "part"]) == {False}
    bears = answer(exposed, "NIST", "AC-4")
    assert bears["answer"] == "findings_bear"
    assert bears["evidence"]


def test_information_speaks_against_no_control(exposed):
    row = answer(exposed, "NIST", "SC-7(7)")
    assert row["answer"] == "choice"
    assert row["evidence"]
    markup = display.controls(exposed, "NIST").markup
    assert "Depends on your choice" in markup
    assert 'class="status fail"' not in markup
    assert 'class="status pass"' not in markup


def test_what_was_decided_and_is_not_in_force_bears_on_the_enforcement_of_access():
    mapped = {made.id for made in checks() if "AC-3" in made.controls.get(NIST, ())}
    assert {
        "vpn-sg-not-yet-effective",
        "authorization-policy-in-shadow-mode",
        "device-posture-decides-nothing",
    } <= mapped


@pytest.mark.parametrize("id", ["authorization-rule-hides-network", "vpn-sg-limits-outbound"])
def test_what_only_restricts_more_bears_on_no_control(id):
    assert not next(made for made in checks() if made.id == id).controls


def test_the_answers_in_short_count_the_newest_versions_once(exposed):
    said = in_short(answers(exposed, "CIS"))
    assert said == [
        "Of the controls that ask exactly what one of our checks asks, 1 is not met.",
        "Required and not met: “Default security groups have no rules”.",
    ]
    assert in_short(answers(exposed, "CIS"))[0] == in_short(answers(exposed, "CIS 7"))[0]
    wide = in_short(answers(exposed, "PCI"))
    assert len(wide) == 1
    assert wide[0].startswith("Of those that ask for more than a scan can see, findings bear on")


def test_accepting_a_risk_does_not_meet_a_control(exposed):
    row = answer(accepting(exposed), "security hub", "EC2.51")
    assert (row["answer"], row["evidence"], row["accepted"]) == ("not_met", 0, 1)
    assert "All of it is accepted" in row["says"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CIS AWS 7.0.0", "CIS AWS Foundations v7.0"),
        ("cis 4.0", "CIS AWS Foundations v4.0.1"),
        ("CIS AWS Foundations Benchmark v1.2.0", "CIS AWS Foundations v1.2"),
        ("NIST 800-53", "NIST SP 800-53 Rev. 5"),
        ("Security Hub", "AWS Foundational Security Best Practices v1.0.0"),
        ("aws config", "AWS Config managed rules (2026-11)"),
        ("pci dss 4.0", "PCI DSS v4.0.1"),
        ("well architected security", "AWS Well-Architected Security Pillar (2026-11)"),
    ],
)
def test_a_framework_is_found_by_what_people_call_it(text, name):
    assert frameworks_like(text) == (name,)


def test_a_name_that_several_frameworks_share_means_all_of_them():
    assert [name.split()[2] for name in frameworks_like("well architected")] == [
        "Reliability",
        "Security",
    ]


def test_the_newest_version_of_a_framework_comes_first_in_the_table_and_on_the_page(exposed):
    names = frameworks_like("cis")
    assert names[0] == "CIS AWS Foundations v7.0"
    assert names[-1] == "CIS AWS Foundations v1.0"
    markup = display.controls(exposed, "cis").markup
    assert markup.index("Foundations v7.0") < markup.index("Foundations v1.0")
    older = markup.index("Older versions: ")
    assert markup.index("<h3>CIS AWS Foundations v7.0") < older
    assert all(older < markup.index(f"<h3>{name}") for name in names[1:])


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework_is_found_by_its_own_name(name):
    assert frameworks_like(name) == (name,)


@pytest.mark.parametrize(
    ("text", "hint"), [("CIS AWS 9.0", "v7.0"), ("CSI AWS 7", "CIS"), ("?", "CIS")]
)
def test_a_framework_nobody_publishes_gets_the_nearest(text, hint):
    with pytest.raises(ParameterError, match=re.escape(hint)):
        frameworks_like(text)


def test_the_chapter_shows_every_answer(exposed):
    markup = display.controls(exposed, "CIS AWS 7.0.0").markup
    tables = markup.count("<thead>")
    assert markup.count("<tr>") == tables + len(answers(exposed, "CIS AWS 7.0.0"))
    assert tables == 2  # what no check looks at is folded by itself
    assert markup.index("Not met") < markup.index("<details>") < markup.index("Not looked at")
