"""Findings as OCSF Compliance Findings (class 2003), each validated by py-ocsf-models."""

from typing import TYPE_CHECKING, Any

from auditlib import __version__, export
from auditlib.characters import visible
from auditlib.check import Severity, Status
from auditlib.instances import Instance, instances, read_at

if TYPE_CHECKING:
    from datetime import datetime

    from auditlib.audit import Audit

__all__ = ["ocsf_events"]

_SEVERITIES = {
    Severity.INFO: 1,
    Severity.LOW: 2,
    Severity.MEDIUM: 3,
    Severity.HIGH: 4,
    Severity.CRITICAL: 5,
}
_SEVERITY_NAMES = {1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical"}
# Compliance status: 0 unknown, 1 pass, 3 fail, 99 other. Unknown and other are never a pass.
_COMPLIANCE = {
    Status.FAIL: 3,
    Status.ACCEPTED: 3,
    Status.NOT_ASSESSED: 0,
    Status.NOT_APPLICABLE: 99,
    Status.PASS: 1,
}
_NEW, _SUPPRESSED = (1, "New"), (3, "Suppressed")


def ocsf_events(audit: "Audit") -> list[dict[str, Any]]:
    """Return the findings as OCSF events, one per row of evidence; see ``auditlib.instances``.

    An accepted row fails its control and is suppressed; what could not be read is unknown.
    """
    read = read_at(audit)
    return [_event(one, read, audit.snapshot.digest) for one in instances(audit)]


def _event(one: Instance, read: "datetime", digest: str) -> dict[str, Any]:
    from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

    made, finding = one.finding.check, one.finding
    milliseconds = int(read.timestamp() * 1000)
    number, word = _SUPPRESSED if one.status is Status.ACCEPTED else _NEW
    severity = _SEVERITIES[made.severity]
    event = ComplianceFinding.model_validate(
        {
            "activity_id": 1,
            "activity_name": "Create",
            "type_uid": 200301,
            "type_name": "Compliance Finding: Create",
            "class_name": "Compliance Finding",
            "category_name": "Findings",
            "time": milliseconds,
            "time_dt": read,
            "severity_id": severity,
            "severity": _SEVERITY_NAMES[severity],
            "status_id": number,
            "status": word,
            "status_code": one.status.value,
            "status_detail": visible(finding.answer),
            "message": visible(one.says),
            "comment": visible(one.acceptance) or None,
            "metadata": {
                "product": {
                    "name": "auditlib",
                    "vendor_name": "auditlib",
                    "version": __version__,
                },
                "event_code": made.id,
                "uid": one.uid,
            },
            "finding_info": {
                "uid": one.uid,
                "title": made.title,
                "desc": " ".join(made.rationale.split()),
                "created_time": milliseconds,
                "created_time_dt": read,
                "src_url": made.reference,
                "types": ["Software and Configuration Checks"],
            },
            "compliance": {
                "control": made.id,
                "desc": made.title,
                "standards": sorted(made.controls),
                "requirements": [
                    f"{name} {id}" for name, ids in sorted(made.controls.items()) for id in ids
                ],
                "status_id": _COMPLIANCE[one.status],
            },
            "remediation": {
                "desc": " ".join(finding.remedy.split()),
                "references": [made.reference],
            },
            "resources": _resources(one),
            "unmapped": {
                "account": one.account,
                "region": one.region,
                "status": one.status.value,
                "finding_status": finding.status.value,
                "evidence": one.row or None,
                "gaps": [] if one.row else export.records(finding.gaps),
                "snapshot": f"sha256:{digest}",
            },
        }
    )
    document: dict[str, Any] = event.model_dump(mode="json", exclude_none=True)
    return document


def _resources(one: Instance) -> list[dict[str, Any]]:
    place = {"region": one.region or None, "data": {"account": one.account}}
    named = [
        {**place, "uid": id, "type": column.removesuffix("s").removesuffix("_id")}
        for column, ids in one.resources.items()
        for id in ids
    ]
    return named or [{**place, "uid": one.account or "unknown", "type": "account"}]
