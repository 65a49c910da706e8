"""Findings in AWS Security Finding Format, to be imported into Security Hub.

``BatchImportFindings`` takes up to 100 findings of one account and Region, sent with credentials
of that account; :func:`asff_batches` parts them so. Importing is the client's to do: the kit
writes nothing to AWS.
https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html
"""

from typing import TYPE_CHECKING, Any

from auditlib.characters import visible
from auditlib.check import Severity, Status
from auditlib.errors import ParameterError
from auditlib.instances import Instance, instances, read_at
from auditlib.language import tr

if TYPE_CHECKING:
    from auditlib.audit import Audit

__all__ = ["asff_batches", "asff_findings"]

BATCH = 100
"""Findings that one call of ``BatchImportFindings`` takes."""

_RESOURCES = 32
_TITLE, _DESCRIPTION, _NOTE, _REMEDY = 256, 1024, 512, 512
_COMPLIANCE = {
    Status.FAIL: "FAILED",
    Status.ACCEPTED: "FAILED",
    Status.NOT_ASSESSED: "NOT_AVAILABLE",
    Status.NOT_APPLICABLE: "NOT_AVAILABLE",
    Status.PASS: "PASSED",
}
_LABELS = {severity: severity.value.upper() for severity in Severity} | {
    Severity.INFO: "INFORMATIONAL"
}
_TYPES = {
    "endpoint_id": "Other",
    "group_id": "AwsEc2SecurityGroup",
    "group_ids": "AwsEc2SecurityGroup",
    "eni_id": "AwsEc2NetworkInterface",
    "vpc_id": "AwsEc2Vpc",
    "subnet_id": "AwsEc2Subnet",
}


def asff_findings(audit: "Audit") -> list[dict[str, Any]]:
    """Return the findings in ASFF, one per row of evidence; see ``auditlib.instances``.

    An accepted row stays ``FAILED``, with the workflow status ``SUPPRESSED`` and a note on who
    accepted it. What could not be read, and what does not apply, is ``NOT_AVAILABLE`` (told apart
    in ``ProductFields``). Texts longer than the format allows end in an ellipsis.

    Raises
    ------
    ParameterError
        When the snapshot names no account: Security Hub takes findings of an account only.
    """
    found = instances(audit)
    if any(not one.account for one in found):
        raise ParameterError(
            tr(
                "The snapshot names no account, and Security Hub takes findings of an account only: use "
                "another format."
            )
        )
    moment = read_at(audit).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [_finding(one, moment, audit.snapshot.digest) for one in found]


def asff_batches(audit: "Audit") -> dict[str, dict[str, Any]]:
    """Return the inputs of ``BatchImportFindings`` by name: account, Region and number."""
    by_place: dict[str, list[dict[str, Any]]] = {}
    for one in asff_findings(audit):
        by_place.setdefault(f"{one['AwsAccountId']}-{one['Region']}", []).append(one)
    return {
        f"{place}-{number:03}": {"Findings": found[start : start + BATCH]}
        for place, found in sorted(by_place.items())
        for number, start in enumerate(range(0, len(found), BATCH), 1)
    }


def _finding(one: Instance, moment: str, digest: str) -> dict[str, Any]:
    made, finding = one.finding.check, one.finding
    partition = _partition(one.region)
    label = _LABELS[made.severity] if one.row else "INFORMATIONAL"
    said = one.says if one.says == finding.answer else f"{one.says} {finding.answer}"
    document: dict[str, Any] = {
        "SchemaVersion": "2018-10-08",
        "Id": _short(one.uid, 512),
        "ProductArn": f"arn:{partition}:securityhub:{one.region}:{one.account}:product/"
        f"{one.account}/default",
        "GeneratorId": f"auditlib/{made.id}",
        "AwsAccountId": one.account,
        "Region": one.region,
        "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        "CreatedAt": moment,
        "UpdatedAt": moment,
        "Severity": {"Label": label, "Original": made.severity.value},
        "Title": _short(made.title, _TITLE),
        "Description": _short(said, _DESCRIPTION),
        "Remediation": {
            "Recommendation": {"Text": _short(finding.remedy, _REMEDY), "Url": made.reference}
        },
        "ProductFields": {
            "auditlib/check": made.id,
            "auditlib/status": one.status.value,
            "auditlib/finding-status": finding.status.value,
            "auditlib/snapshot": f"sha256:{digest}",
            **({"auditlib/source": str(one.row["source"])} if one.row.get("source") else {}),
        },
        "Resources": _resources(one, partition),
        "Compliance": {"Status": _COMPLIANCE[one.status]},
        "Workflow": {"Status": "SUPPRESSED" if one.status is Status.ACCEPTED else "NEW"},
        "RecordState": "ACTIVE",
    }
    requirements = [f"{n} {id}" for n, ids in sorted(made.controls.items()) for id in ids]
    if requirements:
        document["Compliance"]["RelatedRequirements"] = requirements[:_RESOURCES]
    if one.acceptance:
        document["Note"] = {
            "Text": _short(one.acceptance, _NOTE),
            "UpdatedBy": _short(str(one.row["accepted_owner"]), 512),
            "UpdatedAt": moment,
        }
    return document


def _resources(one: Instance, partition: str) -> list[dict[str, Any]]:
    """Return the resources of a record, the account where it names none; the format takes 32."""
    place = {"Partition": partition, "Region": one.region}
    named = [
        {"Type": _type(column, id), "Id": _short(id, 512), **place}
        for column, ids in one.resources.items()
        for id in ids
    ]
    account = {"Type": "AwsAccount", "Id": f"AWS::::Account:{one.account}", **place}
    return (named or [account])[:_RESOURCES]


def _type(column: str, id: str) -> str:
    # The group of an authorization rule is one of users.
    kind = _TYPES.get(column, "Other")
    return "Other" if kind == "AwsEc2SecurityGroup" and not id.startswith("sg-") else kind


def _partition(region: str) -> str:
    """Return the partition of a Region.

    >>> _partition("eu-west-1"), _partition("cn-north-1"), _partition("us-gov-west-1")
    ('aws', 'aws-cn', 'aws-us-gov')
    """
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _short(text: str, most: int) -> str:
    """Return a text on one line, at most so many characters of it, unseen ones written out."""
    line = visible(" ".join(text.split())) or "–"
    return line if len(line) <= most else f"{line[: most - 1]}…"
