"""What the snapshot before this one tells: where logs that are off now went, what waits since then."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from auditlib.changes import ModifyLogging, is_blank
from auditlib.changes.fixes import LOG_GROUP, is_log_group
from auditlib.check import Status
from auditlib.frames import rows_of
from auditlib.language import tr
from auditlib.summary import names, spoken, when

if TYPE_CHECKING:
    from auditlib.audit import Audit
    from auditlib.changes.preview import Preview
    from auditlib.tables import Tables

__all__ = [
    "LOG_OFF",
    "ON_ITS_WAY",
    "FormerLog",
    "former_logs",
    "new_openings",
    "waited",
    "with_former_logs",
]

LOG_OFF = "connection-logging-is-off"

ON_ITS_WAY = timedelta(days=1)
"""How long a change of an endpoint's groups may be under way, with room to spare: AWS documents four hours at most.

https://docs.aws.amazon.com/vpn/latest/clientvpn-admin/cvpn-working-endpoints.html
"""


@dataclass(frozen=True, kw_only=True)
class FormerLog:
    """The connection log that an endpoint had: to which group it went, and when that was read.

    ``group`` is empty where it has no name that a log group can have.
    """

    endpoint_id: str
    account: str
    region: str
    group: str
    read_at: Any

    @property
    def look(self) -> str:
        """The call that shows whether the group is still there."""
        return f"aws logs describe-log-groups --log-group-name-prefix {self.group} --region {self.region}"


def former_logs(audit: "Audit") -> dict[str, FormerLog]:
    """Return, by endpoint, the logs that were on in the earlier snapshot and are found to be off now."""
    finding = next((f for f in audit.findings if f.check.id == LOG_OFF), None)
    if finding is None or finding.status is not Status.FAIL or audit.earlier is None:
        return {}
    off = set(finding.evidence["endpoint_id"])
    return {
        row.endpoint_id: FormerLog(
            endpoint_id=row.endpoint_id,
            account=row.account,
            region=row.region,
            group=row.connection_log_group if is_log_group(row.connection_log_group) else "",
            read_at=row.read_at,
        )
        for row in rows_of(audit.earlier["client_vpn_endpoints"])
        if row.endpoint_id in off and pd.notna(row.connection_log_enabled)
        if row.connection_log_enabled
    }


def with_former_logs(audit: "Audit", preview: "Preview") -> "Preview":
    """Return a preview that switches logs on, with the groups filled in to which they went before.

    What it does is judged without these: whether a group is still there the snapshot does not tell.
    """
    unnamed = {
        step.number: step.change
        for step in preview.steps
        if isinstance(step.change, ModifyLogging) and step.change.log_group == LOG_GROUP
    }
    if not unnamed:
        return preview
    logs = {id: log for id, log in former_logs(audit).items() if log.group}
    filled = {
        number: replace(change, log_group=logs[change.endpoint_id].group)
        for number, change in unnamed.items()
        if change.endpoint_id in logs
    }
    steps = tuple(
        replace(step, change=filled.get(step.number, step.change)) for step in preview.steps
    )
    blanks = {use for step in steps for use in step.change.uses if is_blank(use)}
    kept = [text for text in preview.decisions if LOG_GROUP in blanks or LOG_GROUP not in text]
    told = (
        tr(
            "{endpoint} wrote to {group} when the earlier snapshot was read ({when}), so that is filled in. "
            "See first that it is still there: {call} lists it.",
            endpoint=spoken([change.endpoint_id], names(audit))[0],
            group=log.group,
            when=when(log.read_at),
            call=log.look,
        )
        for change in filled.values()
        for log in [logs[change.endpoint_id]]
    )
    return replace(preview, steps=steps, blanks=tuple(sorted(blanks)), decisions=(*kept, *told))


def waited(audit: "Audit", endpoint_id: str) -> tuple[Any, Any] | None:
    """Return when the earlier snapshot read that the same groups waited, and how long before this one.

    ``None`` where they did not, or may have been on their way all the time.
    """
    now, then = audit.tables, audit.earlier
    if then is None or not (groups := _waiting(now, endpoint_id)):
        return None
    if _waiting(then, endpoint_id) != groups:
        return None
    old, new = (
        tables["client_vpn_endpoints"].set_index("endpoint_id")["read_at"].get(endpoint_id)
        for tables in (then, now)
    )
    return None if pd.isna(old) or pd.isna(new) or new - old < ON_ITS_WAY else (old, new - old)


def new_openings(audit: "Audit") -> pd.DataFrame:
    """Return the inbound rules that admit VPN users now and had no like in the earlier snapshot.

    A rule that was taken away and made anew has another id and says the same: it is none of them. What
    the others open may have been open by other rules. None where that is not known: without an earlier
    snapshot, and in Regions whose rules it could not read.

    Returns
    -------
    pandas.DataFrame
        In the columns of the view ``ingress_rules``.
    """
    rules = audit.tables["ingress_rules"]
    if audit.earlier is None:
        return rules.iloc[:0]
    own = set(audit.tables["endpoint_network_interfaces"]["eni_id"])
    reached = audit.tables["reached_interfaces"]
    used = {id for row in rows_of(reached) if row.eni_id not in own for id in row.rule_ids}
    then = audit.earlier
    unread = {(gap["account"], gap["region"]) for gap in then.gap_rows("security_group_rules")}
    looked_at = set(then.snapshot.places) - unread
    known = {_said(row) for row in rows_of(then["ingress_rules"])}
    new = [
        row.rule_id in used and (row.account, row.region) in looked_at and _said(row) not in known
        for row in rows_of(rules)
    ]
    return rules[pd.Series(new, rules.index, dtype=bool)]


def _said(rule: Any) -> tuple[str, ...]:
    """Return what a rule says, whatever its id and description."""
    return tuple(map(str, (rule.group_id, rule.protocol, rule.from_port, rule.to_port, rule.peer)))


def _waiting(tables: "Tables", endpoint_id: str) -> frozenset[str]:
    """Return the groups that an endpoint's settings name and that are not in force on it."""
    held = tables["endpoint_security_groups"]
    mine = held["configured"] & ~held["effective"] & held["endpoint_id"].eq(endpoint_id)
    return frozenset(held.loc[mine, "group_id"].dropna())
