"""What each page answers below its title: true of any account, and never more than was read."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from auditlib import answers, reached
from auditlib.audit import Audit
from auditlib.check import checks
from tests import report_worlds as worlds
from tests.test_changes import Small
from tests.worlds import World, clean

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


@pytest.fixture(scope="module")
def exposed() -> Audit:
    return Audit(worlds.exposed().snapshot(**worlds.MOMENT))


def test_groups_that_are_as_they_should_be_are_told_from_the_others(exposed):
    said = answers.of_groups(exposed)
    assert said[0] == "The security groups of legacy are not as they should be."
    assert said[1].startswith("The most severe is high: ")
    assert said[-1] == "Those of staff are as they should be."


def test_what_else_the_page_finds_at_an_endpoint_is_told_with_its_groups():
    world = clean()
    groups = Audit(world.snapshot()).tables["security_groups"].set_index("group_name")["group_id"]
    for port in (443, 8443):
        world.ingress(groups["app"], "10.0.1.0/24", "tcp", (port, port))
    audit = Audit(world.snapshot(**worlds.MOMENT))
    (said,) = (one for one in answers.of_groups(audit) if "itself" in one)
    assert (
        "are as they should be, but it has receivers that name an address instead of the security group"
        in said
    )
    assert said.endswith("(2 times).")


def test_what_could_not_be_read_is_not_called_as_it_should_be():
    said = " ".join(answers.of_groups(Audit(worlds.refused().snapshot())))
    assert "Those of" not in said
    assert (
        "Nothing was found against those of staff, but not all that decides could be read." in said
    )


def test_an_account_without_endpoints_has_no_groups_to_speak_of():
    assert answers.of_groups(Audit(World().snapshot())) == [
        "No endpoint has security groups of its own to look at."
    ]
    unread = World().refuse("ec2-describe-client-vpn-endpoints")
    assert answers.of_groups(Audit(unread.snapshot())) == [
        "Whether an endpoint has security groups could not be read."
    ]


def test_the_subjects_of_the_answer_on_settings_are_those_of_its_page():
    cells = json.loads((NOTEBOOKS / "20-endpoint-settings.ipynb").read_text("utf-8"))["cells"]
    shown = {
        subject
        for cell in cells
        if (source := "".join(cell["source"])).startswith("show.cards(")
        for subject in re.findall(r'"(\w+)"', source)
    }
    assert shown == set(answers._OF_SETTINGS)
    assert shown < {made.subject for made in checks()}


def test_settings_are_counted_as_their_cards_show_them(exposed):
    said = answers.of_settings(exposed)
    number = sum(made.subject in answers._OF_SETTINGS for made in checks())
    assert said[0].startswith(f"Of {number} checks of settings, ")
    assert answers.of_settings(Audit(World().snapshot())) == [
        "What was read holds nothing that the checks of settings could judge."
    ]


def of_reach(audit: Audit) -> list[str]:
    return answers.of_reach(audit, reached.without_own(audit, audit.reach()))


def test_who_reaches_every_port_and_who_ports_of_administrators(exposed):
    said = of_reach(exposed)
    assert "Most is reached by every user of legacy: 16 receivers." in said
    assert "On every port: 15 receivers for every user of legacy." in said
    assert (
        "On ports for administration or databases: 15 receivers for every user of legacy." in said
    )


def test_ports_of_administrators_are_told_where_they_are_reached_perhaps_but_not_of_a_gateway():
    world = Small()
    world.interface(world.subnet(world.main, "10.0.3.0/24"), InterfaceType="nat_gateway")
    world.ingress(world.app, world.clients, "tcp", (22, 22))
    audit = Audit(world.snapshot())
    rows = audit.reach()
    line = "On ports for administration or databases:"
    told = answers.of_reach(audit, rows)
    assert [text.partition(" for staff")[0] for text in told if text.startswith(line)] == [
        f"{line} one receiver"
    ]
    rows.loc[rows["from_port"].eq(22), "certainty"] = "unknown"
    told = answers.of_reach(audit, rows)
    assert [text.partition(" for staff")[0] for text in told if text.startswith(line)] == [
        f"{line} perhaps one receiver"
    ]


def test_where_only_a_service_is_reached_no_port_of_administrators_is():
    world = clean()
    said = of_reach(Audit(world.snapshot()))
    assert (
        "No port for administration or databases that the checks know is reached, as far as could be read."
        in said
    )
    assert not [line for line in said if line.startswith("On every port")]


def test_nothing_reached_is_said_with_what_is_not_known():
    said = of_reach(Audit(worlds.refused().snapshot()))
    assert said[0] == "Nothing is reached, as far as could be read."
    assert of_reach(Audit(World().snapshot())) == [said[0]]


def test_what_is_reached_by_unknown_ways_only_is_counted_apart():
    rows = pd.DataFrame(
        [
            {"endpoint_id": "cvpn-1", "group": "dev", "eni_id": eni, "certainty": certainty}
            for eni, certainty in (
                ("eni-1", "reliable"),
                ("eni-1", "unknown"),
                ("eni-2", "unknown"),
            )
        ]
        + [{"endpoint_id": "cvpn-2", "group": "hr", "eni_id": "eni-1", "certainty": "unknown"}]
    )
    (only,) = answers._ranked(rows, {"cvpn-1": "staff"})
    assert (only.who, only.surely, only.perhaps) == ("dev through staff", 1, 1)
    assert only.receivers == "one receiver for certain and one receiver perhaps"


def test_fixes_are_counted_among_what_fails(exposed):
    said = answers.of_fixes(exposed)
    assert re.match(r"Checks that fail: \d+; a fix is ready for \d+ of them", said[0])
    assert "most severe (high)" in said[1]
    assert answers.of_fixes(Audit(World().snapshot())) == [
        "No check fails, so there is nothing to fix."
    ]
