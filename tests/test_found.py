"""Looking a thing up: what it is, what names it, who reaches it, and what is found about it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditlib import open_audit
from auditlib.audit import Audit
from auditlib.cli import main
from auditlib.errors import ParameterError
from auditlib.found import FINDINGS, MENTIONS, THINGS, find
from auditlib.snapshot import save
from tests import report_worlds
from tests.pages import page
from tests.worlds import World

SAMPLE = Path(__file__).parent.parent / "auditlib" / "sample"


class Site(World):
    """An endpoint, a database that admits its group, and a machine beside."""

    def __init__(self) -> None:
        super().__init__()
        self.main = self.vpc()
        self.home = self.subnet(self.main, "10.0.1.0/24")
        self.far = self.subnet(self.main, "10.0.2.0/24")
        self.clients = self.security_group(self.main, "vpn-users")
        self.db = self.security_group(self.main, "payroll-db")
        self.rule = self.ingress(self.db, self.clients, "tcp", (5432, 5432))
        self.wide = self.ingress(self.db, "10.0.0.0/16", "tcp", (443, 443))
        self.eni = self.interface(self.far, self.db, ip="10.0.2.9")
        self.other = self.interface(
            self.far, self.security_group(self.main, "other"), ip="10.0.2.10"
        )
        self.vpn = self.endpoint(self.main, (self.clients,), name="staff-vpn")
        self.associate(self.vpn, self.home, ip="10.0.1.5")
        self.authorize(self.vpn, "10.0.2.0/24", "staff")


@pytest.fixture
def site() -> Site:
    return Site()


def looked_up(world: World, text: str):
    return find(Audit(world.snapshot()), text)


def names(found) -> set[tuple[str, str]]:
    return set(found.mentions[["id", "value"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("text", ["payroll-db", "PAYROLL", "roll"])
def test_a_group_is_found_by_its_name_with_its_rules_members_and_reach(site, text):
    found = looked_up(site, text)
    (group,) = found.things.itertuples()
    assert (group.id, group.stands_in) == (site.db, site.main)
    ids = {id for id, value in names(found) if value == site.db}
    assert {site.rule, site.wide, f"{site.eni} {site.db}"} <= ids
    assert site.other not in " ".join(ids)
    rules = found.mentions.set_index("id")["name"]
    assert rules[site.rule] == f"inbound TCP 5432 from {site.clients}"
    reached = found.reached[["endpoint_id", "group", "eni_id", "from_port"]]
    assert set(reached.itertuples(index=False, name=None)) == {
        (site.vpn, "staff", site.eni, 443),
        (site.vpn, "staff", site.eni, 5432),
    }


def test_a_group_that_rules_name_is_told_with_the_rules_that_name_it(site):
    found = looked_up(site, site.clients)
    assert list(found.things["id"]) == [site.clients]
    assert (site.rule, site.clients) in names(found)
    assert site.wide not in {id for id, _ in names(found)}


@pytest.mark.parametrize("text", ["10.0.2.9", " 10.0.2.9/32 "])
def test_an_address_is_found_by_who_has_it_and_by_every_network_that_contains_it(site, text):
    found = looked_up(site, text)
    assert list(found.things["id"]) == [site.eni]
    told = names(found)
    assert (site.wide, "10.0.0.0/16") in told
    assert (f"{site.vpn} 10.0.2.0/24 staff", "10.0.2.0/24") in told
    assert "10.0.1.0/24" not in {value for _, value in told}
    assert set(found.reached["eni_id"]) == {site.eni}


def test_a_network_finds_all_within_it(site):
    found = looked_up(site, "10.0.2.8/30")
    assert set(found.things["id"]) == {site.eni, site.other}


def test_an_endpoint_is_told_with_what_it_reaches_and_what_is_found_about_it(site):
    audit = Audit(site.snapshot())
    found = find(audit, "staff-vpn")
    assert list(found.things["id"]) == [site.vpn]
    assert set(found.reached["endpoint_id"]) == {site.vpn}
    assert len(found.reached) == len(audit.reach(summary=True))
    about = {
        one.check.id
        for one in audit.findings
        if "endpoint_id" in one.evidence and (one.evidence["endpoint_id"] == site.vpn).any()
    }
    assert about
    assert about <= set(found.findings["check"])


def test_the_frames_have_their_columns_whatever_is_found(site):
    for text in ("payroll", "staff", "203.0.113.7"):
        if text == "203.0.113.7":
            site.egress(site.clients, "203.0.113.0/24")
        found = looked_up(site, text)
        assert list(found.things.columns) == list(THINGS)
        assert list(found.mentions.columns) == list(MENTIONS)
        assert list(found.findings.columns) == list(FINDINGS)
        assert "via" in found.reached.columns
        assert text in repr(found)


def test_what_nothing_is_called_is_said_with_what_comes_nearest(site):
    with pytest.raises(ParameterError, match=r'called "payrol-db".*Did you mean payroll-db'):
        looked_up(site, "payrol-db")
    with pytest.raises(ParameterError, match=r'called "2001:db8::1", and nothing names it\.'):
        looked_up(site, "2001:db8::1")
    with pytest.raises(ParameterError, match="nothing to look for"):
        looked_up(site, "  ")


def test_what_could_not_be_read_may_hide_it_and_that_is_said(site):
    site.refuse("ec2-describe-network-interfaces")
    with pytest.raises(ParameterError, match=r"gaps? may hide it"):
        looked_up(site, "no-such-thing")
    found = looked_up(site, "payroll-db")
    assert len(found.gaps)
    assert "may hide more" in found.answer


def test_a_notebook_shows_it_as_tables_with_hostile_names_made_harmless():
    audit = Audit(report_worlds.hostile().snapshot())
    shown = page(audit.find("script")._repr_html_())
    assert shown.all("table")
    assert not shown.all("script")
    assert not shown.all("img")


def test_the_command_says_the_same_as_the_notebook(site, tmp_path):
    save(site.snapshot(), tmp_path / "s")
    shown = CliRunner().invoke(main, ["find", str(tmp_path / "s"), "payroll"])
    assert shown.exit_code == 0
    for text in (site.db, site.rule, "Who reaches it", "TCP 5432"):
        assert text in shown.stdout
    told = CliRunner().invoke(main, ["find", str(tmp_path / "s"), "payroll", "--format", "json"])
    document = json.loads(told.stdout)
    found = open_audit(tmp_path / "s").find("payroll")
    assert list(document) == ["text", "things", "mentions", "reached", "findings", "gaps"]
    assert [row["id"] for row in document["things"]] == list(found.things["id"])
    assert len(document["mentions"]) == len(found.mentions)


def test_the_command_exits_3_where_part_was_not_read_and_2_where_there_is_nothing():
    assert CliRunner().invoke(main, ["find", str(SAMPLE), "payments-db"]).exit_code == 3
    nothing = CliRunner().invoke(main, ["find", str(SAMPLE), "paymnts-db"])
    assert nothing.exit_code != 0
