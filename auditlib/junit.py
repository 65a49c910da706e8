"""Findings as JUnit XML, for the test report of a CI system: a test case per check.

A check that could not be assessed is an error, for CI systems count a skipped test as fine. An
accepted check is skipped, with who accepted it and why; so is one that does not apply.
"""

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # only writes

from auditlib import summary
from auditlib.characters import visible
from auditlib.check import Finding, Status
from auditlib.instances import read_at
from auditlib.language import tr
from auditlib.words import acceptance, gap

if TYPE_CHECKING:
    from auditlib.audit import Audit

__all__ = ["junit_xml"]


def junit_xml(audit: "Audit") -> str:
    """Return every check as a test case: failed, in error, skipped or passed."""
    counts = summary.counts(audit.findings)
    tally = {
        "tests": len(audit.findings),
        "failures": counts[Status.FAIL],
        "errors": counts[Status.NOT_ASSESSED],
        "skipped": counts[Status.ACCEPTED] + counts[Status.NOT_APPLICABLE],
    }
    numbers = {name: str(number) for name, number in tally.items()}
    root = ET.Element("testsuites", {"name": "auditlib", **numbers})
    moment = read_at(audit).strftime("%Y-%m-%dT%H:%M:%S")
    suite = ET.SubElement(root, "testsuite", {"name": "auditlib", **numbers, "timestamp": moment})
    properties = ET.SubElement(suite, "properties")
    said = summary.identity(audit)
    for name, value in (
        ("accounts", ", ".join(said.accounts)),
        ("regions", ", ".join(said.regions)),
        ("snapshot", f"sha256:{said.digest}"),
        ("auditlib", said.kit_version),
    ):
        ET.SubElement(properties, "property", {"name": name, "value": visible(value)})
    for finding in audit.findings:
        _case(suite, finding)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _case(suite: ET.Element, finding: Finding) -> None:
    check = finding.check
    names = {"classname": f"auditlib.{check.severity.value}", "name": check.id}
    case = ET.SubElement(suite, "testcase", names)
    message = visible(finding.answer)
    open_rows = [visible(str(reason)) for reason in finding.evidence.get("reason", ())]
    waived = [
        f"{visible(str(row.reason))} – {visible(acceptance(row))}"
        for row in finding.accepted.itertuples()
    ]
    unread = [visible(gap(call)) for call in summary.refused_calls(finding.gaps).itertuples()]
    if finding.status is Status.FAIL:
        about = {"type": check.severity.value, "message": message}
        remedy = tr("What to do: {remedy}", remedy=" ".join(finding.remedy.split()))
        ET.SubElement(case, "failure", about).text = "\n".join([*open_rows, remedy])
    elif finding.status is Status.NOT_ASSESSED:
        about = {"type": "not_assessed", "message": message}
        ET.SubElement(case, "error", about).text = "\n".join(unread)
    elif finding.status is Status.ACCEPTED:
        said = " ".join(summary.acceptances(finding))
        ET.SubElement(case, "skipped", {"message": visible(f"{finding.answer} {said}")})
    elif finding.status is Status.NOT_APPLICABLE:
        ET.SubElement(case, "skipped", {"message": message})
    notes = [tr("Accepted: {line}", line=line) for line in waived]
    notes += (
        [tr("Not read: {line}", line=line) for line in unread]
        if finding.status is Status.FAIL
        else []
    )
    if notes:
        ET.SubElement(case, "system-out").text = "\n".join(notes)
