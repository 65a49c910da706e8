"""Checks of AWS's quotas: what will be refused before long because there is too much of it."""

import pandas as pd

from auditlib import words
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import GUIDE, not_said
from auditlib.frames import rows_of, rows_where
from auditlib.gaps import GapRow
from auditlib.language import tr

_NEAR = 0.8


def _uncounted_lists(client_certificate_revocation_lists: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each revocation list whose entries cannot be counted."""
    lists = client_certificate_revocation_lists
    return not_said(
        "ec2-export-client-vpn-client-certificate-revocation-list",
        (
            (row, row.endpoint_id, tr("the revocation list cannot be read: {row.problem}", row=row))
            for row in rows_where(lists, lists["problem"].notna())
        ),
    )


@check(
    id="quota-is-nearly-used",
    title="No quota around Client VPN is nearly used up",
    severity=Severity.LOW,
    population="quota_usage",
    noun="quota",
    unseen=_uncounted_lists,
    condition=("is nearly used up", "are nearly used up"),
    rationale=(
        "At the quota AWS refuses: the next rule, route, endpoint or user. That happens in the "
        "middle of a change, and the quick ways round it are the wide ones: one rule for "
        "everybody in place of ten for groups, 0.0.0.0/0 in place of a list of networks. Raising "
        "a quota takes AWS days, and some cannot be raised."
    ),
    remedy=(
        "Remove what is no longer needed first: rules that another rule covers, rules to what is "
        "gone, endpoints nobody uses. Where a prefix list is named by a security group's rule, it "
        "counts for as many rules as it may hold entries, not as it holds: narrow that number. "
        "Then have AWS raise the quota, where it is adjustable."
    ),
    verify=(
        "aws service-quotas get-service-quota --service-code <ec2 or vpc> --quota-code <code> "
        "shows the value applied; the number used is well below."
    ),
    false_alarms=(
        "A number that is there to stay, such as the endpoints of a finished set-up.",
        "A quota that was raised for the account, where Service Quotas was not read or does not "
        "list it: AWS's documented default counts then, and the row says so.",
    ),
    decision="What can go, and which quotas to have raised, depends on what is planned; AWS raises them on request.",
    reference=f"{GUIDE}limits.html",
)
def quota_is_nearly_used(judged: pd.DataFrame) -> pd.DataFrame:
    """Return the quotas of which four fifths or more were used."""
    near = judged[judged["used"].gt(0) & (judged["used"] >= judged["most"] * _NEAR)]
    return evidence_of(
        "account region quota resource used most applied adjustable quota_code reason source record",
        (
            {
                **{name: getattr(row, name) for name in judged.columns},
                "reason": tr(
                    "{resource} uses {row.used:,} of {row.most:,} ({quota}; {whose}).",
                    resource=words.clean(row.resource, 120),
                    row=row,
                    quota=tr(row.quota),
                    whose=_value(row),
                ),
                # Where Service Quotas was refused, a raised quota would not be seen.
                "by_absence": isinstance(row.quota_code, str) and not row.applied,
                "rank": -row.used / max(row.most, 1),
            }
            for row in rows_of(near)
        ),
    )


def _value(row: object) -> str:
    """Say where the value of a quota is from, and whether AWS raises it."""
    applied, adjustable = getattr(row, "applied", False), getattr(row, "adjustable", False)
    if adjustable:
        return tr("the value applied") if applied else tr("AWS's documented default")
    return (
        tr("the value applied, which AWS does not raise")
        if applied
        else tr("AWS's documented default, which AWS does not raise")
    )
