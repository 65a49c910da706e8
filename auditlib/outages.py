"""Endpoints at which nobody can begin a session, as far as settings and documentation tell."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from auditlib.check import Finding, Status, TableSource
from auditlib.frames import rows_of
from auditlib.language import tr
from auditlib.words import clean, count, listed, minute

__all__ = ["Outage", "cut_off", "live_sessions", "outages"]


@dataclass(frozen=True, kw_only=True)
class Outage:
    """An endpoint that takes no new session.

    Attributes
    ----------
    since
        When that began, in UTC.
    read_at
        When the endpoint was read; ``NaT`` where the snapshot does not say.
    ground
        A clause on what makes it so, and who says that.
    cost
        A clause on whom mending it at once cuts off.
    live
        The sessions that were live when they were read, a row each; ``None`` where they were not.
    check_id
        The check that found it.
    """

    account: str
    region: str
    endpoint_id: str
    name: str
    since: datetime
    read_at: Any
    ground: str
    cost: str
    live: pd.DataFrame | None = field(repr=False)
    check_id: str


def outages(tables: TableSource, findings: Iterable[Finding]) -> tuple[Outage, ...]:
    """Return the outages that failing findings show, the oldest first; each endpoint once."""
    endpoints = {row.endpoint_id: row for row in rows_of(tables.shared("client_vpn_endpoints"))}
    found: dict[str, Outage] = {}
    for finding in findings:
        if finding.status is not Status.FAIL or finding.check.stops is None:
            continue
        for row in rows_of(finding.evidence):
            stop = finding.check.stops(tables, row)
            known = found.get(row.endpoint_id)
            if stop is None or (known is not None and known.since <= stop.since):
                continue
            endpoint = endpoints[row.endpoint_id]
            found[row.endpoint_id] = Outage(
                account=row.account,
                region=row.region,
                endpoint_id=row.endpoint_id,
                name=endpoint.name if isinstance(endpoint.name, str) else "",
                since=stop.since,
                read_at=endpoint.read_at,
                ground=stop.ground,
                cost=stop.cost,
                live=live_sessions(tables, row.account, row.region, row.endpoint_id),
                check_id=finding.check.id,
            )
    return tuple(sorted(found.values(), key=lambda one: (one.since, one.endpoint_id)))


def live_sessions(
    tables: TableSource, account: str, region: str, endpoint_id: str
) -> pd.DataFrame | None:
    """Return an endpoint's sessions that were live when they were read; ``None`` where they were not.

    A session that AWS could not end still counts.
    """
    unread = any(
        gap["account"] == account
        and gap["region"] == region
        and gap["resource"] in {None, endpoint_id}
        for gap in tables.gap_rows("client_vpn_connections")
    )
    if unread:
        return None
    held = tables.shared("client_vpn_connections")
    return held[
        held["endpoint_id"].eq(endpoint_id) & held["ended"].isna() & held["status"].ne("terminated")
    ]


def cut_off(live: pd.DataFrame | None) -> str:
    """Say in a clause whom a reset of all sessions cuts off where nobody can begin one."""
    if live is None:
        return tr("nobody else can connect, and whose sessions it ends was not read")
    if live.empty:
        return tr("nobody else can connect, and no session was live when it was read")
    who = (
        tr("{user} since {when}", user=user, when=minute(row.established))
        if pd.notna(row.established)
        else user
        for row in rows_of(live.sort_values("established"))
        for user in [clean(row.username) or clean(row.common_name) or clean(row.connection_id)]
    )
    return tr(
        "nobody else can connect, and it ends {sessions} ({who})",
        sessions=count(len(live), "live session"),
        who=listed(who, most=3),
    )
