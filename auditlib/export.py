"""Findings for machines and spreadsheets."""

import csv
import io
import json
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from auditlib import summary
from auditlib.check import Finding
from auditlib.words import gap

if TYPE_CHECKING:
    from auditlib.audit import Audit

__all__ = ["csv_text", "findings_csv", "findings_json", "json_text", "records"]

CSV_IDS = ("account", "region", "endpoint_id", "group_id", "rule_id", "eni_id")
CSV_COLUMNS = (
    "check",
    "status",
    "severity",
    "title",
    "answer",
    *CSV_IDS,
    "reason",
    "source",
    "record",
)


def findings_json(audit: "Audit") -> dict[str, Any]:
    """Return every check with its evidence and gaps, in the kit's public JSON form.

    Returns
    -------
    dict
        ``snapshot`` (accounts, regions, times, digest, versions) and ``findings``: one entry per
        check, all checks present, each with ``check, status, severity, title, answer, evidence,
        gaps, controls, accepted``.
    """
    said = summary.identity(audit)
    manifest = audit.snapshot.manifest
    return {
        "snapshot": {
            "accounts": list(said.accounts),
            "regions": list(said.regions),
            "started": _plain(said.started),
            "finished": _plain(said.finished),
            "caller_arn": said.caller_arn,
            "digest": said.digest,
            "collected_with": {
                "auditlib": manifest.kit_version,
                "botocore": manifest.botocore_version,
            },
            "audited_with": {"auditlib": said.kit_version},
        },
        "findings": [_entry(finding) for finding in audit.findings],
    }


def _entry(finding: Finding) -> dict[str, Any]:
    check = finding.check
    return {
        "check": check.id,
        "status": finding.status.value,
        "severity": check.severity.value,
        "title": check.title,
        "answer": finding.answer,
        "evidence": records(finding.evidence),
        "gaps": records(finding.gaps),
        "controls": {framework: list(ids) for framework, ids in check.controls.items()},
        "accepted": [],
    }


def json_text(document: object) -> str:
    """Return a document as JSON text for a file: readable, with a final line break."""
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as JSON values: missing is ``null``, a tuple a list, a time ISO 8601."""
    columns = [str(column) for column in frame.columns]
    return [
        {column: _plain(value) for column, value in zip(columns, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(item) for item in value]
    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124 # NaN
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str | bool | int | float):
        return value
    return value.item() if hasattr(value, "item") else str(value)


def findings_csv(findings: Iterable[Finding]) -> str:
    """Return findings as CSV: a row per piece of evidence and per gap; a finding without either has one row.

    A cell that a spreadsheet would take for a formula gets a leading apostrophe.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for finding in findings:
        head = {
            "check": finding.check.id,
            "status": finding.status.value,
            "severity": finding.check.severity.value,
            "title": finding.check.title,
            "answer": finding.answer,
        }
        for row in [*_evidence_rows(finding), *_gap_rows(finding)] or [{}]:
            writer.writerow({column: _cell(value) for column, value in {**head, **row}.items()})
    return out.getvalue()


def csv_text(frame: pd.DataFrame) -> str:
    """Return a frame as CSV, its lists joined by spaces, safe for spreadsheets."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(frame.columns)
    for row in records(frame):
        writer.writerow([_cell(_joined(value)) for value in row.values()])
    return out.getvalue()


def _joined(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _evidence_rows(finding: Finding) -> list[dict[str, Any]]:
    wanted = (*CSV_IDS, "reason", "source", "record")
    return [{c: row[c] for c in wanted if c in row} for row in records(finding.evidence)]


def _gap_rows(finding: Finding) -> list[dict[str, Any]]:
    calls = summary.refused_calls(finding.gaps)
    return [
        {"account": call.account, "region": call.region, "reason": f"Not read: {gap(call)}."}
        for call in calls.itertuples()
    ]


def _cell(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula.

    >>> _cell("=1+1"), _cell("vpn-users"), _cell(3), _cell(None)
    ("'=1+1", 'vpn-users', 3, '')
    """
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return "'" + value
    return value
