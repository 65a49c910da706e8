"""Gaps: what a snapshot should hold and does not, table by table.

Worked out from the table of reads and the outcome of every call, in one place, so that a refused
or forgotten call is a gap in exactly the tables that would have been built from its answer.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from auditlib.aws.reads import OPTIONAL_READS, READS, Read, read_of, reads_for
from auditlib.frames import frame_of_rows
from auditlib.language import marked, tr
from auditlib.records import is_at_least
from auditlib.schemas import COVERAGE, GAPS, SCHEMAS
from auditlib.snapshot import Call, Snapshot
from auditlib.words import NOT_HELD

__all__ = [
    "GapRow",
    "coverage_frame",
    "gap_rows",
    "not_understood",
    "of_every_region",
    "once",
    "reads_behind",
    "unlisted_groups",
]

GapRow = dict[str, Any]
"""A gap: what ``schemas.GAPS`` has columns for; what is missing may be left out."""

_NOT_ALL_LISTED = marked(
    "{id} shows more sources and destinations in describe-security-groups than rules were listed"
)


def gap_rows(
    snapshot: Snapshot,
    found: Callable[[str, str, Read], set[str]],
    unsettled: pd.DataFrame,
    unlisted: pd.DataFrame,
) -> list[GapRow]:
    """Return the gaps of all base tables.

    Parameters
    ----------
    found
        Given account, region and a read made per resource: the resources its parents name.
    unsettled
        Endpoints of which it cannot be told what they are attached to.
    unlisted
        Security groups not all of whose rules were listed.
    """
    calls = _calls_by_read(snapshot)
    rows = []
    for read in _asked(snapshot):
        for account, region in _places(snapshot, read):
            resources: set[str] = set()
            if read.resources is not None:
                asked = {call.resource for call in calls[account, region, read.id]}
                resources = found(account, region, read) | {one for one in asked if one}
            for row in _gaps(snapshot, account, region, read, sorted(resources)):
                rows += [row | {"table": table} for table in read.tables]
        if not snapshot.places:
            row = _row(read, None, None, "missing", message=tr("the snapshot is empty"))
            rows += [row | {"table": table} for table in read.tables]
    version = snapshot.manifest.botocore_version
    endpoints = read_of("ec2-describe-client-vpn-endpoints")
    reason = (
        marked(
            "{id} shows neither a VPC nor a transit gateway, which only botocore {needed} or later "
            "is sure to tell; it was read with {version}"
        )
        if version
        else marked(
            "{id} shows neither a VPC nor a transit gateway, which only botocore {needed} or later "
            "is sure to tell; with which it was read is not recorded"
        )
    )
    needed = endpoints.judged_since_botocore
    rows += [
        _row(
            endpoints,
            account,
            region,
            "unsupported",
            id,
            message=tr(reason, id=id, needed=needed, version=version),
        )
        | {"table": "client_vpn_endpoints"}
        for account, region, id in zip(
            unsettled["account"], unsettled["region"], unsettled["endpoint_id"], strict=True
        )
    ]
    rows += _left_over(snapshot, found)
    rules = read_of("ec2-describe-security-group-rules")
    rows += [
        _row(rules, account, region, "missing", id, message=tr(_NOT_ALL_LISTED, id=id))
        | {"table": "security_group_rules"}
        for account, region, id in zip(
            unlisted["account"], unlisted["region"], unlisted["group_id"], strict=True
        )
    ]
    return once(rows)


def once(gaps: Iterable[GapRow]) -> list[GapRow]:
    """Return gaps without those that are about what an earlier one is about."""
    first: dict[tuple[Any, ...], GapRow] = {}
    for one in gaps:
        first.setdefault(tuple(one.get(name) for name in GAPS.key), one)
    return list(first.values())


def _left_over(snapshot: Snapshot, found: Callable[[str, str, Read], set[str]]) -> Iterator[GapRow]:
    """Yield a gap for each resource that was asked about and that no list names.

    A list that lost a record would otherwise read as an account that never had it.
    """
    for call in snapshot.calls:
        read = call.read
        if read is None or len(read.parents) != 1 or not call.items or call.status != "ok":
            continue
        (parent,) = map(read_of, read.parents)
        listed = snapshot.call(call.account, call.region, parent.id)
        if listed is None or listed.status != "ok" or parent.resources is not None:
            continue  # that is a gap already
        if call.resource not in found(call.account, call.region, read):
            message = tr(
                "{call.resource} is not in the list, and yet there is an answer about it", call=call
            )
            for table in parent.tables:
                yield _row(
                    parent, call.account, call.region, "missing", call.resource, message=message
                ) | {"table": table}


_KNOWN: Mapping[str, Mapping[str, frozenset[str | None]]] = {
    table: {column: frozenset(None if v == "-" else v for v in values.split())}
    for table, column, values in (
        (
            "client_vpn_endpoints",
            "status",
            "pending-associate available deleting deleted pending",
        ),
        ("security_group_rules", "peer_kind", "ipv4 ipv6 prefix_list security_group"),
        (
            "security_group_vpc_associations",
            "state",
            (
                "associating associated association-failed disassociating disassociated "
                "disassociation-failed"
            ),
        ),
        ("network_acl_entries", "action", "allow deny"),
        ("routes", "state", "active blackhole -"),
        (
            "route_table_associations",
            "state",
            "associating associated disassociating disassociated failed -",
        ),
        (
            "vpc_cidr_blocks",
            "state",
            "associating associated disassociating disassociated failing failed",
        ),
        (
            "vpc_peering_connections",
            "status",
            (
                "initiating-request pending-acceptance active deleted rejected failed expired "
                "provisioning deleting"
            ),
        ),
    )
}
"""The values that verdicts rest on and the kit understands, by table and column (``-``: none).

What a rule or route in a state AWS has not invented yet does, nobody here knows: the table is then
as good as not read in full, for "not active" would read as "not there". Associations, authorization
rules and routes of endpoints are not here: reach and the checks doubt each of those by itself."""


def not_understood(table: str, frame: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each place or endpoint where a table says something the kit cannot read."""
    rows = []
    for column, known in _KNOWN.get(table, {}).items():
        if {None if pd.isna(value) else value for value in frame[column].unique()} <= known:
            continue
        told = frame[column].astype(object).where(frame[column].notna(), None)
        strange = frame.assign(told=told)[
            ~told.isin(list(known - {None})) & ~(told.isna() & (None in known))
        ]
        by = ["account", "region"] + (["endpoint_id"] if "endpoint_id" in strange else [])
        (read, *_) = reads_for(table)
        for place, some in strange.groupby(by, observed=True, sort=True):
            account, region, *endpoint = map(str, place)
            value = next(iter(some["told"]))
            name = next(c for c in SCHEMAS[table].key if c not in {"account", "region"})
            about = {"resource": some[name].iloc[0], "column": column.replace("_", " ")}
            message = (
                tr("{resource} does not tell its {column}, which has to be known", **about)
                if value is None
                else tr(
                    "{resource} has {value!r} as {column}, which has to be known",
                    **about,
                    value=str(value)[:40],
                )
            )
            more = {"table": table}
            # Reach tells itself which of the others it doubts; of peerings, all.
            others = None if table == "vpc_peering_connections" else str(some[name].iloc[0])
            resource = endpoint[0] if endpoint else others
            rows.append(_row(read, account, region, "untold", resource, message=message) | more)
    return rows


def coverage_frame(snapshot: Snapshot, found: Callable[[str, str, Read], set[str]]) -> pd.DataFrame:
    """Return one row per read and place, in the columns of ``schemas.COVERAGE``."""
    made = _calls_by_read(snapshot)
    rows = []
    asked = [
        (*place, number, read)
        for number, read in enumerate(_asked(snapshot))
        for place in _places(snapshot, read)
    ]
    for account, region, _, read in sorted(asked, key=lambda one: one[:3]):
        calls = made[account, region, read.id]
        wanted = {None} if read.resources is None else found(account, region, read)
        missing = len(wanted - {call.resource for call in calls})
        rows.append(
            {
                "account": account,
                "region": region,
                "service": read.service,
                "operation": read.operation,
                "expected": len(calls) + missing,
                "calls": len(calls),
                "ok": sum(call.status == "ok" for call in calls),
                "refused": sum(call.status != "ok" for call in calls),
                "missing": missing,
                "items": None
                if any(call.status == "ok" and call.items is None for call in calls)
                else sum(call.items or 0 for call in calls),
                "iam_action": read.iam_action,
                "tables": read.tables,
            }
        )
    return frame_of_rows(COVERAGE, rows)


def unlisted_groups(groups: pd.DataFrame, rules: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each security group that has rules and is not in its account's list.

    AWS lists the rules of groups it lists: such a group got lost, or was made between two calls.
    """
    known = set(zip(groups["account"], groups["region"], groups["group_id"], strict=True))
    places = {place[:2] for place in known}
    named = rules[["account", "region", "group_id"]].drop_duplicates()
    read = read_of("ec2-describe-security-groups")
    return [
        _row(
            read,
            account,
            region,
            "missing",
            id,
            message=tr("{id} is not in the list, and yet there are rules of it", id=id),
        )
        | {"table": "security_groups"}
        for account, region, id in named.itertuples(index=False, name=None)
        if (account, region, id) not in known and (account, region) in places
    ]


def reads_behind(*names: str) -> set[str]:
    """Return the ids of the reads that tables or views rest on, those that name resources included.

    >>> sorted(reads_behind("prefix_list_entries"))[-1]
    'ec2-get-managed-prefix-list-entries'
    """
    found: set[str] = set()
    for name in names:
        if inputs := SCHEMAS[name].inputs:
            found |= reads_behind(*inputs)
        for read in reads_for(name):
            found |= {read.id, *read.parents}
    return found


def of_every_region(service: str, operation: str) -> bool:
    """Tell whether a read is of a service that is the same in every Region.

    Its gap stands at the Region whose folder would hold the answer, and concerns whoever names the
    resource, wherever that is.
    """
    return (service, operation) in _EVERYWHERE


_EVERYWHERE = frozenset((read.service, read.operation) for read in READS if read.region)


def _asked(snapshot: Snapshot) -> tuple[Read, ...]:
    """Return the reads of an ordinary collection, and the optional ones that were asked for."""
    made = {(call.service, call.operation) for call in snapshot.calls}
    return READS + tuple(
        read
        for read in OPTIONAL_READS
        if snapshot.manifest.trail_days or (read.service, read.operation) in made
    )


def _places(snapshot: Snapshot, read: Read) -> list[tuple[str, str]]:
    """Return the places where a read is made, or its answer kept."""
    return list(dict.fromkeys((a, read.folder(region)) for a, region in snapshot.places))


def _calls_by_read(snapshot: Snapshot) -> Mapping[tuple[str, str, str], list[Call]]:
    calls: dict[tuple[str, str, str], list[Call]] = defaultdict(list)
    for call in snapshot.calls:
        calls[call.key[:3]].append(call)
    return calls


def _gaps(
    snapshot: Snapshot, account: str, region: str, read: Read, resources: Iterable[str]
) -> Iterator[GapRow]:
    """Yield the gaps of one read in one place, without the tables they are gaps of."""
    if read.resources is None:
        yield from _outcome(snapshot, account, region, read)
        yield from _too_old(snapshot, account, region, read)
        return
    for parent in read.parents:
        for place in snapshot.places if read.region else ((account, region),):
            if place[0] == account:
                yield from _outcome(snapshot, *place, read_of(parent))
    for resource in resources:
        yield from _outcome(snapshot, account, region, read, resource)
        yield from _too_old(snapshot, account, region, read, resource)


def _outcome(
    snapshot: Snapshot, account: str, region: str, read: Read, resource: str | None = None
) -> Iterator[GapRow]:
    """Yield a gap unless the call went well."""
    call = snapshot.call(account, region, read.id, resource)
    if call is None:
        yield _row(read, account, region, "missing", resource)
    elif call.status == "ok" and call.file is None and not read.absent_codes:
        yield _row(read, account, region, "missing", resource, message=tr(NOT_HELD))
    elif call.status != "ok":
        yield _row(
            read,
            account,
            region,
            call.status,
            resource,
            code=call.error_code,
            message=call.error_message,
        )


def _too_old(
    snapshot: Snapshot, account: str, region: str, read: Read, resource: str | None = None
) -> Iterator[GapRow]:
    """Yield a gap where a call went well with an SDK that drops what it does not know."""
    call = snapshot.call(account, region, read.id, resource)
    version = snapshot.manifest.botocore_version
    needed = read.judged_since_botocore or read.since_botocore
    if call is None or call.status != "ok" or not needed:
        return
    if is_at_least(version, needed) is False:
        message = tr(
            "botocore {version} drops what it does not know; {needed} is needed",
            version=version,
            needed=needed,
        )
        yield _row(read, account, region, "unsupported", resource, message=message)


def _row(
    read: Read,
    account: str | None,
    region: str | None,
    status: str,
    resource: str | None = None,
    *,
    code: str | None = None,
    message: str | None = None,
) -> GapRow:
    return {
        "account": account,
        "region": region,
        "service": read.service,
        "operation": read.operation,
        "resource": resource,
        "status": status,
        "error_code": code,
        "error_message": message,
        "iam_action": read.iam_action,
    }
