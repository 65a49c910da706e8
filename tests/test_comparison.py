"""A comparison as people and scripts meet it: sentences, frames, ``auditlib diff``, notebook 50."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from auditlib import comparison, display, open_audit, summary
from auditlib.audit import Audit
from auditlib.check import audit as findings_of
from auditlib.check import identities
from auditlib.cli import main
from auditlib.comparison import Comparison, compare
from auditlib.snapshot import load, save
from tests import report_worlds
from tests.pages import page
from tests.standin import earlier
from tests.standin.sample import SAMPLE
from tests.test_changes import ENDPOINT, Small
from tests.worlds import World, revocation_list


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def saved(tmp_path):
    def keep(world: World, name: str):
        save(world.snapshot(**report_worlds.MOMENT), tmp_path / name)
        return tmp_path / name

    return keep


@pytest.fixture
def two(saved):
    """Return an earlier snapshot, and one in which everybody was let in."""
    after = Small()
    after.authorize(ENDPOINT, "10.0.2.0/24")
    return saved(Small(), "old"), saved(after, "new")


def test_diff_tells_what_changed_and_exits_0(two):
    shown = run("diff", *two)
    assert shown.exit_code == 0, shown.output
    assert "authorization-allows-everyone" in shown.stdout
    assert "added" in shown.stdout
    assert "for everyone" in shown.stdout


def test_diff_exits_1_on_findings_that_were_not_there_before(two):
    old, new = two
    assert run("diff", old, new, "--fail-on", "medium").exit_code == 1
    assert run("diff", old, new, "--fail-on", "critical").exit_code == 0
    assert run("diff", new, old, "--fail-on", "info").exit_code == 0
    assert run("diff", new, new, "--fail-on", "info").exit_code == 0


def test_diff_exits_3_when_not_all_could_be_compared(saved):
    whole, refused = (
        saved(Small(), "whole"),
        saved(Small().refuse("ec2-describe-network-interfaces"), "refused"),
    )
    for old, new in ((whole, refused), (refused, whole), (refused, refused)):
        assert run("diff", old, new, "--fail-on", "critical").exit_code == 3
        assert run("diff", old, new).exit_code == 0


def test_diff_as_json_holds_every_row(two):
    old, new = two
    told = json.loads(run("diff", old, new, "--format", "json").stdout)
    assert list(told) == [
        "old", "new", "said", "findings", "checks", "access", "objects", "recreated", "gaps",
    ]  # fmt: skip
    assert told["old"]["digest"] == load(old).digest
    assert told["new"]["digest"] == load(new).digest
    found = compare(open_audit(new), old)
    for part in ("findings", "access", "objects", "checks"):
        assert len(told[part]) == len(getattr(found.drift, part)) > 0
    fresh = [row for row in told["findings"] if row["state"] == "new"]
    assert {row["endpoint_id"] for row in fresh} == {ENDPOINT}
    assert {row["first_seen"] for row in fresh} == {"2026-11-20T09:04:00+00:00"}
    gained = [row for row in told["access"] if row["state"] == "gained"]
    assert {row["group"] for row in gained} == {"*"}


def test_diff_refuses_what_is_no_snapshot_in_one_line(two, tmp_path):
    old, _ = two
    shown = run("diff", old, tmp_path / "nothing")
    assert shown.exit_code == 2
    assert shown.stderr.count("\n") == 1
    shown = run("diff", old, old, "--history", tmp_path / "nowhere")
    assert shown.exit_code == 2
    assert "there is no history" in shown.stderr


def test_history_keeps_snapshots_and_shows_them(two, tmp_path):
    folder = tmp_path / "history"
    shown = run("history", folder, *two, two[0])
    assert shown.exit_code == 0, shown.output
    assert shown.stderr.count("kept: ") == 2
    assert shown.stderr.count("known already: ") == 1
    told = json.loads(run("history", folder, "--format", "json").stdout)
    assert len(told) == 2
    assert {row["run"] for row in told} == {load(path).digest for path in two}


def hostile() -> tuple[Audit, Audit]:
    """Return an account before and after somebody wrote hostile text wherever they could."""
    return Audit(report_worlds.exposed().snapshot()), Audit(report_worlds.hostile().snapshot())


def test_hostile_names_drive_no_terminal(saved):
    old, new = saved(report_worlds.exposed(), "old"), saved(report_worlds.hostile(), "new")
    for sides in ((old, new), (new, old)):
        for line in run("diff", *sides).stdout.split("\n"):
            assert line.isprintable(), repr(line)


def test_hostile_names_are_text_on_a_page():
    old, new = hostile()
    found = compare(new, old)
    parts = [display.told(found.sentences)] + [
        display.compared(found, part, rows=10_000)
        for part in ("sides", "gaps", "checks", "findings", "access", "objects", "recreated")
    ]
    html = "".join(str(part.markup) for part in parts)
    assert "<script" not in html
    assert "<img" not in html
    assert "\u202e" not in html
    assert page(html).problems == []
    assert report_worlds.SCRIPT in page(html).text


def test_without_an_earlier_snapshot_nothing_is_said_to_be_unchanged():
    found = compare(Audit(report_worlds.exposed().snapshot()))
    assert found.drift is None
    assert found.sentences == (
        "No earlier snapshot was given, so nothing was compared and nothing can be said about "
        "what changed.",
    )
    for part in ("findings", "access", "objects", "recreated", "checks", "gaps"):
        shown = display.compared(found, part, empty="All is well.")
        assert "Nothing was compared." in shown.markup
        assert "All is well" not in shown.markup


def test_two_given_the_wrong_way_round_are_told(saved):
    old, new = Small(), Small()
    one = Audit(old.snapshot(**report_worlds.MOMENT))
    earlier_moment = {k: v.replace(year=2025) for k, v in report_worlds.MOMENT.items()}
    other = Audit(new.snapshot(**earlier_moment))
    assert any("read later than the other" in said for said in compare(other, one).sentences)
    assert not any("read later" in said for said in compare(one, other).sentences)
    assert "Both are the same snapshot." in compare(one, one).sentences


# -- the report -----------------------------------------------------------------------------------


def test_a_report_compares_with_an_earlier_snapshot_and_adds_to_a_history(two, tmp_path):
    old, new = two
    folder = tmp_path / "elsewhere" / "history"
    assert run("history", folder, old).exit_code == 0
    out = tmp_path / "out"
    given = ("--notebook", "50", "--earlier", old, "--history", folder)
    shown = run("report", new, "--out", out, *given)
    assert shown.exit_code == 0, shown.output
    text = page((out / "50-what-changed.html").read_text("utf-8")).words
    assert "lets every connected user into 10.0.2.0/24" in text
    assert "Access gained" in text
    assert "Nothing was compared" not in text
    cover = page((out / "index.html").read_text("utf-8"))
    assert "What changed since the earlier snapshot" in cover.words
    assert "Medium: cvpn-endpoint-" in cover.words
    assert "Access gained" in cover.words
    assert {"href": "50-what-changed.html"} in cover.all("a")
    assert len(json.loads(run("history", folder, "--format", "json").stdout)) == 2
    notebook = (out / "notebooks" / "50-what-changed.ipynb").read_text("utf-8")
    assert str(tmp_path) not in notebook
    assert "elsewhere" not in notebook


def test_a_report_without_an_earlier_snapshot_says_that_nothing_was_compared(two, tmp_path):
    shown = run("report", two[1], "--out", tmp_path / "out", "--notebook", "50")
    assert shown.exit_code == 0, shown.output
    text = page((tmp_path / "out" / "50-what-changed.html").read_text("utf-8")).words
    assert "No earlier snapshot was given" in text
    assert text.count("Nothing was compared.") >= 5
    cover = page((tmp_path / "out" / "index.html").read_text("utf-8")).words
    assert "since the earlier snapshot" not in cover


def test_a_change_that_has_been_on_its_way_for_days_is_told_as_standing_still():
    def read(day: int, *groups: str) -> Audit:
        world = Small()
        world.record(ENDPOINT)["SecurityGroupIds"] = list(groups or (world.clients,))
        times = dict.fromkeys(("started", "finished"), datetime(2026, 11, day, tzinfo=UTC))
        return Audit(world.snapshot(**report_worlds.MOMENT | times))

    app = Small().app
    late = compare(read(20, app), read(10, app))
    said = dict(late.in_short())["Still not in force"]
    assert "seems to be stuck" in " ".join(said)
    assert set(said) <= set(late.sentences)
    assert not set(said) & set(late.counted)
    soon = compare(read(10, app), read(10, app))
    assert "Still not in force" not in dict(soon.in_short())
    arrived = compare(read(20), read(10, app))
    assert "Still not in force" not in dict(arrived.in_short())
    assert "Resolved: no longer so" in dict(arrived.in_short())


def narrowed(*removed: str | None) -> Comparison:
    """Return what changed where rules for these groups (``None``: everyone) were removed; dev stays."""

    def read(*groups: str | None) -> Audit:
        world = World()
        vpc = world.vpc()
        vpn, wiki = (world.security_group(vpc, name) for name in ("vpn", "wiki"))
        world.ingress(wiki, vpn, "tcp", (22, 22))
        endpoint = world.endpoint(vpc, (vpn,), name="staff")
        world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
        for name in ("blue", "green"):
            world.interface(world.subnet(vpc, f"10.0.{len(name)}.0/24"), wiki, name=name)
        for group in groups:
            world.authorize(endpoint, "10.0.0.0/16", group=group)
        audit = Audit(world.snapshot(**report_worlds.MOMENT))
        audit.__dict__["findings"] = findings_of(
            audit.tables, ["sensitive-port-reachable-by-everyone"]
        )
        return audit

    return compare(read("dev"), read("dev", *removed))


def test_access_lost_is_told_with_what_was_removed_and_who_keeps_it():
    found = narrowed(None)
    short = dict(found.in_short())
    assert short["Access lost"] == (
        "Everyone but dev through staff: two receivers (blue and green), by what was removed since: the "
        "authorization rule 10.0.0.0/16 for everyone of staff. Ask whether the others were meant to lose it.",
    )
    told = short["Narrowed: no longer everyone"]
    assert len(told) == 2
    assert all(said.startswith("High: now dev, for all of it; before: Every") for said in told)
    assert "Resolved: no longer so" not in short
    assert not any("Access was lost" in said for said in found.counted)
    assert any("Access was lost" in said for said in found.sentences)
    (said,) = dict(narrowed("hr dept").in_short())["Access lost"]
    assert "the authorization rule 10.0.0.0/16 for group hr dept" in said


def test_what_weakens_control_is_told_first_as_an_event():
    def read(*, logs: bool, shadow: bool, groups: tuple[str | None, ...]) -> Audit:
        world = World()
        endpoint = world.endpoint(world.vpc(), name="staff")
        world.record(endpoint)["ConnectionLogOptions"] = (
            {"Enabled": True, "CloudwatchLogGroup": "/vpn/staff"} if logs else {"Enabled": False}
        )
        world.policy(
            endpoint,
            "permit(principal, action, resource);",
            shadow="enabled" if shadow else "disabled",
        )
        for group in groups:
            world.authorize(endpoint, "10.0.0.0/16", group=group)
        audit = Audit(world.snapshot(**report_worlds.MOMENT))
        audit.__dict__["findings"] = findings_of(audit.tables, ["connection-logging-is-off"])
        return audit

    strict = read(logs=True, shadow=False, groups=("dev",))
    loose = read(logs=False, shadow=True, groups=("dev", None))
    (heading, said), *_ = compare(loose, strict).in_short()
    assert heading == "Control was weakened"
    (rule,) = (line for line in said if "let into" in line)
    (log,) = (line for line in said if "log" in line)
    (policy,) = (line for line in said if "shadow" in line)
    assert len(said) == 3
    assert rule.startswith("Every user of staff was let into 10.0.0.0/16 between 2026-11-20")
    assert "It wrote to the log group /vpn/staff: the fix of connection-logging-is-off can" in log
    assert log.endswith("Find out who did it: in CloudTrail it is ModifyClientVpnEndpoint.")
    assert policy.endswith("it refuses nobody any more. Find out who did it: CloudTrail has it.")
    assert "Control was weakened" not in dict(compare(strict, loose).in_short())


def test_what_was_warned_of_and_has_come_fails_a_comparison(saved):
    def read(days: float, name: str):
        world = World()
        endpoint = world.endpoint(world.vpc(), authentication=("certificate-authentication",))
        world.revocation_list(endpoint, revocation_list(days=days))
        return saved(world, name)

    old, new = read(20, "old"), read(-1, "new")
    assert run("diff", old, new, "--fail-on", "high").exit_code == 1


def test_a_check_whose_warning_has_come_is_not_said_to_pass_now():
    def read(days: float) -> Audit:
        world = World()
        endpoint = world.endpoint(world.vpc(), authentication=("certificate-authentication",))
        world.revocation_list(endpoint, revocation_list(days=days))
        audit = Audit(world.snapshot(**report_worlds.MOMENT))
        only = ["revocation-list-expires-soon", "revocation-list-has-expired"]
        audit.__dict__["findings"] = findings_of(audit.tables, only)
        return audit

    found = compare(read(-1), read(20))
    now = dict(found.frame("checks")[["check", "now"]].to_numpy().tolist())
    assert now == {
        "revocation-list-has-expired": "fails",
        "revocation-list-expires-soon": "overtaken",
    }
    (said,) = dict(found.in_short())["Worsened: it was warned of, and has come"]
    assert said.endswith("It was warned of on 2026-11-20 09:04 UTC.")


# -- the bundled sample ---------------------------------------------------------------------------


def test_the_earlier_sample_is_what_the_sample_was(tmp_path):
    earlier.write(SAMPLE, tmp_path / "earlier.zip")
    kept = earlier.EARLIER.read_bytes()
    assert (tmp_path / "earlier.zip").read_bytes() == kept, "run: make sample"


def test_no_two_rows_of_evidence_of_the_sample_are_about_the_same():
    for found in open_audit().findings:
        told = identities(found.evidence)
        assert len(set(told)) == len(told), found.check.id


def test_the_sample_shows_each_kind_of_change():
    found = compare(open_audit()).drift
    assert set(found.findings["state"]) == {"new", "worsened", "narrowed", "resolved", "unchanged"}
    assert set(found.objects["change"]) == {"added", "removed", "changed"}
    assert len(found.recreated) == 1
    assert "lost" in set(found.access["state"])
    assert set(found.gaps["when"]) == {"then", "both"}
    new = set(found.findings.loc[found.findings["state"] == "new", "check"])
    assert new >= {"connection-logging-is-off", "receiver-allows-address-not-group"}


def test_every_outcome_of_a_check_has_a_word_in_the_table_of_changes():
    assert set(comparison._STATUS) == set(summary.TALLIED)
