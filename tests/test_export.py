"""Findings for machines and spreadsheets."""

import csv
import io
import json

import pandas as pd
import pytest

from auditlib.audit import Audit
from auditlib.export import CSV_COLUMNS, findings_csv, findings_json, json_text, records
from tests import report_worlds as worlds


@pytest.fixture(scope="module", params=["exposed", "hostile", "refused", "empty"])
def audit(request) -> Audit:
    return Audit(getattr(worlds, request.param)().snapshot(**worlds.MOMENT))


def rows_of(audit: Audit) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(findings_csv(audit.findings), newline="")))


def test_every_check_is_in_the_json_with_the_promised_keys(audit):
    entries = findings_json(audit)["findings"]
    assert [entry["check"] for entry in entries] == [f.check.id for f in audit.findings]
    keys = "check status severity title answer evidence gaps controls accepted information"
    assert all(" ".join(entry) == keys for entry in entries)


def test_the_json_is_json_and_holds_every_row(audit):
    read = json.loads(json_text(findings_json(audit)))
    for entry, finding in zip(read["findings"], audit.findings, strict=True):
        assert len(entry["evidence"]) == len(finding.evidence)
        assert len(entry["gaps"]) == len(finding.gaps)
        assert all(row["account"] and row["region"] and row["reason"] for row in entry["evidence"])


def test_the_json_says_what_was_audited_and_when(audit):
    said = findings_json(audit)["snapshot"]
    assert said["accounts"] == ["111122223333"]
    assert said["finished"] == "2026-11-20T09:04:00+00:00"
    assert said["digest"] == audit.snapshot.digest


def test_missing_values_are_null_and_tuples_are_lists():
    frame = pd.DataFrame(
        {
            "text": pd.array([None, "x"], dtype="str"),
            "number": pd.array([None, 2], dtype="Int64"),
            "flag": pd.array([None, True], dtype="boolean"),
            "time": pd.to_datetime([None, "2026-01-01T00:00Z"]),
            "many": [(), ("a", "b")],
        }
    )
    first, second = records(frame)
    assert first == {"text": None, "number": None, "flag": None, "time": None, "many": []}
    assert second == {
        "text": "x",
        "number": 2,
        "flag": True,
        "time": "2026-01-01T00:00:00+00:00",
        "many": ["a", "b"],
    }


def test_the_csv_has_a_row_per_evidence_and_gap_and_at_least_one_per_check(audit):
    rows = rows_of(audit)
    for finding in audit.findings:
        mine = [row for row in rows if row["check"] == finding.check.id]
        assert len(mine) >= max(1, len(finding.evidence))
        assert {row["status"] for row in mine} == {finding.status.value}
    assert tuple(rows[0]) == CSV_COLUMNS


def test_what_was_not_read_is_a_row_of_the_csv():
    audit = Audit(worlds.refused().snapshot())
    reasons = [r["reason"] for r in rows_of(audit) if r["check"] == "vpn-sg-is-shared"]
    assert any("describe-network-interfaces" in reason for reason in reasons)


def test_no_cell_of_the_csv_is_a_formula():
    audit = Audit(worlds.hostile().snapshot())
    for row in rows_of(audit):
        assert not [v for v in row.values() if v.startswith(("=", "+", "-", "@", "\t", "\r"))]
