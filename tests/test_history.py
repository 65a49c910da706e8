"""A history: each run once and whole, and how old each finding is."""

import multiprocessing
import sys
from datetime import UTC, datetime, timedelta

import pytest

from auditlib import history
from auditlib.audit import Audit
from auditlib.check import identities
from auditlib.comparison import compare
from auditlib.errors import AuditError, ParameterError
from tests.worlds import World

START = datetime(2026, 10, 1, 9, tzinfo=UTC)


def small(*, logging: bool, everyone: bool = True) -> World:
    world = World()
    vpc = world.vpc()
    world.revoke(world.default_group(vpc))
    id = world.endpoint(vpc, (world.security_group(vpc, "vpn"),), logging=logging)
    if everyone:
        world.authorize(id, "10.0.0.0/16")
    return world


def audit_of(world: World, day: int) -> Audit:
    moment = START + timedelta(days=day)
    return Audit(world.snapshot(started=moment, finished=moment))


@pytest.fixture
def runs(tmp_path):
    """Return a history of three runs: the log is off, on, and off again."""
    audits = [audit_of(small(logging=logging), day) for day, logging in enumerate((0, 1, 0))]
    for audit in audits:
        assert history.append(tmp_path / "history", audit)
    return tmp_path / "history", audits


def test_a_run_is_kept_once_however_often_it_is_added(runs):
    folder, audits = runs
    before = sorted(path.read_bytes() for path in folder.iterdir())
    for audit in audits:
        assert not history.append(folder, audit)
    assert sorted(path.read_bytes() for path in folder.iterdir()) == before
    assert list(history.runs(folder)["taken"]) == [START + timedelta(days=d) for d in range(3)]


def test_a_run_s_rows_are_its_evidence_and_its_checks_without_any(runs):
    folder, audits = runs
    rows = history.read(folder)
    assert list(rows.columns) == list(history.COLUMNS)
    for audit in audits:
        mine = rows[rows["run"] == audit.snapshot.digest]
        assert set(mine["check"]) == {f.check.id for f in audit.findings}
        for finding in audit.findings:
            told = mine[mine["check"] == finding.check.id]
            assert set(told["status"]) == {finding.status.value}
            assert told["identity"].notna().sum() == len(identities(finding.evidence))


def test_an_interrupted_run_leaves_nothing_and_can_be_repeated(tmp_path, monkeypatch):
    audit = audit_of(small(logging=False), 0)

    def cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", cut)
    with pytest.raises(KeyboardInterrupt):
        history.append(tmp_path / "history", audit)
    monkeypatch.undo()
    assert history.runs(tmp_path / "history").empty
    assert list((tmp_path / "history").iterdir()) == []
    assert history.append(tmp_path / "history", audit)
    assert len(history.runs(tmp_path / "history")) == 1


def test_what_a_killed_run_leaves_behind_is_not_read(runs):
    folder, _ = runs
    (folder / ".20261001T090000Z-0.parquet.abc.part").write_bytes(b"half")
    (folder / "notes.txt").write_text("mine")
    assert len(history.runs(folder)) == 3


def _add(folder, day):
    history.append(folder, audit_of(small(logging=False), day))


def test_the_same_run_added_by_two_at_once_is_kept_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_add, args=(tmp_path / "h", 0)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
        assert process.exitcode == 0
    assert len(history.runs(tmp_path / "h")) == 1


def test_a_finding_that_had_been_gone_came_back(runs):
    folder, audits = runs
    found = compare(audits[2], audits[1], folder).drift.findings
    rows = found[found["check"] == "connection-logging-is-off"]
    assert list(rows["state"]) == ["reappeared"]
    assert list(rows["first_seen"]) == [START]
    assert list(rows["last_seen"]) == [START + timedelta(days=2)]
    without = compare(audits[2], audits[1]).drift.findings
    rows = without[without["check"] == "connection-logging-is-off"]
    assert list(rows["state"]) == ["new"]


def test_a_finding_that_stays_is_as_old_as_the_history_knows(runs):
    folder, audits = runs
    found = compare(audits[2], audits[1], folder).drift.findings
    rows = found[found["check"] == "authorization-allows-everyone"]
    assert list(rows["state"]) == ["unchanged"]
    assert list(rows["first_seen"]) == [START]


def test_a_later_run_is_no_memory_of_an_earlier_one(runs):
    folder, audits = runs
    fixed = audit_of(small(logging=True, everyone=False), -1)
    found = compare(audits[0], fixed, folder).drift.findings
    assert set(found.loc[found["check"] == "connection-logging-is-off", "state"]) == {"new"}


def test_the_trend_counts_evidence_by_severity(runs):
    folder, audits = runs
    trend = history.runs(folder)
    assert list(trend.columns) == list(history.RUNS)
    for row, audit in zip(trend.itertuples(), audits, strict=True):
        for severity in ("high", "medium", "low", "info"):
            evidence = [len(f.evidence) for f in audit.findings if f.check.severity == severity]
            assert getattr(row, severity) == sum(evidence)
        assert row.accounts == ("111122223333",)


def test_a_snapshot_without_a_time_has_no_place_in_a_history(tmp_path):
    with pytest.raises(ParameterError, match="does not say when it was read"):
        history.append(tmp_path, Audit(small(logging=True).snapshot(started=None, finished=None)))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_named(runs):
    folder, _ = runs
    broken = sorted(folder.iterdir())[1]
    broken.write_bytes(broken.read_bytes()[:100])
    with pytest.raises(AuditError, match=broken.name):
        history.runs(folder)


def test_a_history_that_is_not_there_is_not_an_empty_one(tmp_path):
    with pytest.raises(ParameterError, match="there is no history"):
        history.runs(tmp_path / "nowhere")


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ParameterError, match=r"auditlib\[parquet\]"):
        history.append(tmp_path, audit_of(small(logging=True), 0))
