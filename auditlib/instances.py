"""The findings one by one, as scanners' formats want them: a record per row of evidence.

OCSF and Security Hub keep a record per thing, not per check. A finding becomes one record per row
of evidence, one per accepted row, one per place where an answer is missing; a finding with none of
these becomes one per place that was read. Statuses are those ``check.finding_of`` derived.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from auditlib import export, summary
from auditlib.check import Finding, Status
from auditlib.words import acceptance

if TYPE_CHECKING:
    from auditlib.audit import Audit

__all__ = ["Instance", "instances", "read_at"]

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_ABOUT_THE_ROW = {"reason", "source", "record", "counts"}


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One record.

    Attributes
    ----------
    uid
        The same in every audit of the same thing, so that a later one updates it.
    status
        ``fail`` for a row of evidence, ``accepted`` for an accepted one, ``not_assessed`` where an
        answer is missing, else the finding's own.
    row
        The row of evidence, as JSON values; empty where there is none.
    says
        In words: the reason of the row, or the finding's answer.
    acceptance
        Who accepted it, until when, and why.
    """

    finding: Finding
    uid: str
    account: str
    region: str
    status: Status
    row: dict[str, Any] = field(default_factory=dict, repr=False)
    says: str
    acceptance: str = ""

    @property
    def resources(self) -> dict[str, tuple[str, ...]]:
        """The ids in the row by column; those of the judged thing first."""
        return {
            name: tuple(value) if isinstance(value, list) else (str(value),)
            for name, value in self.row.items()
            if value and name.endswith(("_id", "_ids", "_arn"))
        }


def read_at(audit: "Audit") -> datetime:
    """Return when the account was read; the epoch where the snapshot does not say."""
    manifest = audit.snapshot.manifest
    return (manifest.finished or manifest.started or _NO_TIME).astimezone(UTC)


def instances(audit: "Audit") -> tuple[Instance, ...]:
    """Return the records of an audit, in the order of its findings."""
    return tuple(one for finding in audit.findings for one in _of(audit, finding))


def _of(audit: "Audit", finding: Finding) -> Iterator[Instance]:
    seen: dict[str, int] = {}
    found = [(row, Status.FAIL) for row in export.records(finding.evidence)]
    found += [(row, Status.ACCEPTED) for row in export.records(finding.accepted)]
    for row, status in found:
        name = _name(row)
        seen[name] = seen.get(name, 0) + 1
        number = f"-{seen[name]}" if seen[name] > 1 else ""
        waived = acceptance(SimpleNamespace(**row)) if status is Status.ACCEPTED else ""
        account, region = str(row["account"]), str(row["region"])
        yield Instance(
            finding=finding,
            uid=f"auditlib/{finding.check.id}/{account}/{region}/{name}{number}",
            account=account,
            region=region,
            status=status,
            row=row,
            says=str(row["reason"]),
            acceptance=waived,
        )
    calls = summary.refused_calls(finding.gaps)
    places = [(account, region) for account, region in audit.snapshot.places]
    status = finding.status
    if len(calls):
        known = sorted({(c.account, c.region) for c in calls.itertuples() if c.account})
        places, status = [(str(a), str(r)) for a, r in known] or places, Status.NOT_ASSESSED
    elif found:
        return
    for account, region in places or [("", "")]:
        yield Instance(
            finding=finding,
            uid=f"auditlib/{finding.check.id}/{account}/{region}/all",
            account=account,
            region=region,
            status=status,
            says=finding.answer,
        )


def _name(row: dict[str, Any]) -> str:
    """Return a short name of what a row is about, whatever its words and its place in the files."""
    telling = {
        name: value
        for name, value in row.items()
        if name not in _ABOUT_THE_ROW and not name.startswith("accepted_")
    }
    text = json.dumps(telling, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]
