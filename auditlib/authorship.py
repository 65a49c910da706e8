"""Who changed an object between two snapshots, and when, as far as CloudTrail tells.

An event is tied to an object by what it names. One that names the object is about it for certain; one that
names only what holds the object, such as a rule's group, is possibly about it. A call that
failed changed nothing and is left out. That no event was found says that nobody changed the object
only where CloudTrail was asked for all of the time between the snapshots, and even then CloudTrail may
show the event later.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from auditlib import trail, words
from auditlib.aws.reads import Read, read_of, reads_for
from auditlib.frames import rows_of
from auditlib.language import marked, tr

if TYPE_CHECKING:
    import pandas as pd

    from auditlib.tables import Tables

__all__ = ["COLUMNS", "UNNAMED", "Authorship", "resource_of", "told"]

Row = Mapping[str, Any]
Tie = Literal["certain", "possible"]

COLUMNS = ("by", "when", "events", "certain", "unnamed")
"""Columns that tell who changed an object: four tuples, an item per event, the newest last.

``by`` is who called, ``when`` the time (UTC), ``events`` the operation, ``certain`` whether the
event names the object itself; which of its properties was changed, it does not tell. ``unnamed`` is why there is no event; empty where there is one.
"""

UNNAMED = {
    "no_event": marked("no event found"),
    "not_all_asked": marked("no event found, but not all of the time between was asked for"),
    "not_looked_up": marked("not looked up"),
    "unread": marked("could not be read"),
    "not_asked": marked("CloudTrail was not asked"),
}
"""Why nobody is named, and how that is said."""

_TRAIL = "cloudtrail-lookup-events"
_ADDS = ("Authorize", "Create", "Associate", "Request")
_REMOVES = ("Revoke", "Delete", "Disassociate")
_BY_TAGS = {"name", "tags"}
"""Columns that tagging changes, which happens too often to be looked up."""

_BY_AWS = {"status", "status_message", "state", "connect_handler_status"}
"""Columns that AWS changes itself, following whatever was done."""

_CALLED: Mapping[str, Mapping[str, str]] = {
    "client_vpn_authorization_rules": {"access_group_id": "group_id"},
    "client_vpn_routes": {"destination": "destination_cidr"},
}
"""What events' columns are called in a table, where it is not the same."""


@dataclass(frozen=True, kw_only=True)
class _Event:
    """An event that went well."""

    id: str
    name: str
    time: datetime
    by: str
    named: Mapping[str, frozenset[str]]


class Authorship:
    """Who changed what, between two snapshots.

    Parameters
    ----------
    old, new
        The tables of both; the events are those of the newer one.
    """

    def __init__(self, old: "Tables", new: "Tables") -> None:
        self._old, self._new = old, new
        self._read = read_of(_TRAIL)
        calls = [call for call in new.snapshot.calls if call.read is self._read]
        self._calls = {(call.account, call.region): call for call in calls}
        self.asked = bool(calls) or new.snapshot.manifest.trail_days is not None
        self._index: dict[tuple[str, str, str, str], list[_Event]] = defaultdict(list)
        self._untold: set[tuple[str, str]] = set()
        if self.asked:
            self._look(new["change_events"])

    def _look(self, events: "pd.DataFrame") -> None:
        for row in rows_of(events.astype(object).where(events.notna(), None)):
            place = (str(row.account), str(row.region))
            if not row.told or row.event_time is None or row.event_name is None:
                self._untold.add(place)
                continue
            if row.error_code is not None:
                continue
            named: dict[str, set[str]] = defaultdict(set)
            for column, value in row.named:
                named[column].add(value)
            event = _Event(
                id=row.event_id,
                name=row.event_name,
                time=row.event_time.to_pydatetime(),
                by=_who(row),
                named={column: frozenset(values) for column, values in named.items()},
            )
            for column, values in event.named.items():
                for value in values:
                    self._index[*place, column, value].append(event)

    def of(
        self, table: str, change: str, column: str, rows: Sequence[Row], source: object
    ) -> dict[str, Any]:
        """Return the ``COLUMNS`` of a changed object.

        Parameters
        ----------
        rows
            The object as it was, as it is, or both.
        source
            The file that holds one of them.
        """
        place = (str(rows[-1]["account"]), str(rows[-1]["region"]))
        found: list[tuple[_Event, bool]] = []
        unnamed = self._why_unasked(table, column, place)
        if not unnamed:
            between = self._between(table, place, resource_of(source))
            found = self._found(table, change, place, rows, between)
            if column in _BY_AWS:
                found = [(event, False) for event, _ in found]
            if not found:
                unnamed = "no_event" if self._is_covered(place, between[0]) else "not_all_asked"
        return {
            "by": tuple(event.by for event, _ in found),
            "when": tuple(event.time for event, _ in found),
            "events": tuple(event.name for event, _ in found),
            "certain": tuple(certain for _, certain in found),
            "unnamed": unnamed,
        }

    def _why_unasked(self, table: str, column: str, place: tuple[str, str]) -> str:
        if not self.asked:
            return "not_asked"
        if table not in trail.SUBJECTS or column in _BY_TAGS:
            return "not_looked_up"
        call = self._calls.get(place)
        if call is None:
            return "not_asked"
        return "" if call.status == "ok" and call.file is not None else "unread"

    def _between(
        self, table: str, place: tuple[str, str], resource: str | None
    ) -> tuple[datetime | None, datetime | None]:
        """Return from when to when a change of an object must have happened.

        CloudTrail counts in whole seconds.
        """
        (read, *_) = reads_for(table)
        then, _ = _moments(self._old, read, place, resource)
        _, now = _moments(self._new, read, place, resource)
        return then and then.replace(microsecond=0), now

    def _is_covered(self, place: tuple[str, str], begin: datetime | None) -> bool:
        """Whether CloudTrail was asked for all of the time since then, and its answer understood."""
        call, days = self._calls[place], self._new.snapshot.manifest.trail_days
        if begin is None or call.started is None or days is None or place in self._untold:
            return False
        return call.started - timedelta(days=min(days, trail.MOST_DAYS)) <= begin

    def _found(
        self,
        table: str,
        change: str,
        place: tuple[str, str],
        rows: Sequence[Row],
        between: tuple[datetime | None, datetime | None],
    ) -> list[tuple[_Event, bool]]:
        begin, end = between
        subject = trail.SUBJECTS[table]
        seen = [_seen(table, row) for row in rows]
        columns = {*subject.parents, *(name for key in subject.keys for name in key)}
        candidates = {
            event.id: event
            for row in seen
            for name in columns
            if row.get(name) is not None
            for event in self._index.get((*place, name, _text(row[name])), ())
        }
        ties: list[tuple[_Event, Tie, bool]] = []
        for event in candidates.values():
            if (begin and event.time < begin) or (end and event.time > end):
                continue
            around = event.name in subject.around
            if not around and event.name not in subject.events:
                continue
            if change in {"added", "removed"} and event.name.startswith("Apply"):
                continue
            tie = _tie(table, subject, change, event, seen)
            if tie == "certain" and (around or begin is None or end is None):
                tie = "possible"
            if tie == "possible" and not _could(change, event.name):
                continue
            if tie is not None:
                ties.append((event, tie, around))
        sure = any(tie == "certain" for _, tie, _ in ties)
        ties = [one for one in ties if not (sure and one[2])]
        ties.sort(key=lambda one: (one[0].time, one[0].id))
        return [(event, tie == "certain") for event, tie, _ in ties]

    # -- in words -----------------------------------------------------------------------------

    def sentences(self, objects: "pd.DataFrame") -> Iterator[str]:
        """Yield what there is to know about who changed these objects."""
        if objects.empty:
            return
        if not self.asked:
            since = self._old.snapshot.manifest.finished or self._old.snapshot.manifest.started
            yield (
                tr("By whom was not determined in this audit: CloudTrail was not asked.")
                if since is None
                else tr(
                    "By whom was not determined in this audit: CloudTrail was not asked. In the account "
                    "it keeps events for 90 days, so all of these until about {day}.",
                    day=f"{since + timedelta(days=trail.MOST_DAYS):%Y-%m-%d}",
                )
            )
            return
        gaps = self._new.gaps("change_events")
        for gap in rows_of(gaps.astype(object).where(gaps.notna(), None)):
            about = {"gap": words.gap(gap), "action": gap.iam_action}
            yield (
                tr("By whom could not be read: {gap}; allow {action}.", **about)
                if gap.status == "denied"
                else tr("By whom could not be read: {gap}.", **about)
            )
        if set(objects["unnamed"]) <= {"unread", "not_asked"}:
            return
        named = objects["by"].map(bool).groupby([objects[n] for n in ("change", "table", "id")])
        yield tr(
            "Of {objects} that changed, CloudTrail names who did it for {number}. It keeps 90 days of one "
            "Region, and shows an event some minutes late; who sets tags, and who changes interfaces, "
            "subnets and VPCs, is not looked up.",
            number=int(named.any().sum()),
            objects=words.count(named.ngroups, "object"),
        )


def told(row: Any) -> list[tuple[str, datetime | None]]:
    """Return who changed an object, in words, and when; a row has ``COLUMNS`` as attributes."""
    if not row.by:
        return [(tr(UNNAMED[row.unnamed]), None)]
    return [
        (
            tr("{who} ({event})", who=who, event=event)
            if certain
            else tr("possibly {who} ({event})", who=who, event=event),
            at,
        )
        for who, at, event, certain in zip(row.by, row.when, row.events, row.certain, strict=True)
    ]


def resource_of(source: object) -> str | None:
    """Return the resource whose file a row stands in; ``None`` for a read made per Region.

    >>> resource_of("111122223333/eu-west-1/logs-describe-log-groups/%2Fvpn.json")
    '/vpn'
    """
    parts = source.removesuffix(".json").split("/", 3) if isinstance(source, str) else ()
    return unquote(parts[3].replace("/", "")) if len(parts) == 4 else None


def _who(row: Any) -> str:
    """Return who called, in words."""
    name, session = words.clean(row.actor), words.clean(row.session)
    if row.actor_type == "Root":
        who = tr("the root user")
    elif session:
        who = tr("{session} in role {name}", session=session, name=name)
    elif row.actor_type == "AssumedRole" and name:
        who = tr("role {name}", name=name)
    else:
        who = name or words.clean(row.actor_arn) or words.clean(row.invoked_by)
    if not who:
        return tr("somebody CloudTrail does not name")
    if row.actor_account and row.actor_account != str(row.account):
        who = tr("{who} of account {account}", who=who, account=words.clean(row.actor_account))
    if (service := words.clean(row.invoked_by)) and service != who:
        who = tr("{who}, through {service}", who=who, service=service)
    return who


def _moments(
    tables: "Tables", read: Read, place: tuple[str, str], resource: str | None
) -> tuple[datetime | None, datetime | None]:
    """Return when the call behind an object began and ended; of the snapshot where it tells no more."""
    account, region = place
    manifest = tables.snapshot.manifest
    call = tables.snapshot.call(account, region, read.id, resource if read.resources else None)
    if call is None or call.started is None:
        return manifest.started or manifest.finished, manifest.finished or manifest.started
    return call.started, call.started + timedelta(seconds=call.seconds or 0)


def _seen(table: str, row: Row) -> dict[str, Any]:
    """Return a row in the columns of events."""
    made = dict(row)
    for name, own in _CALLED.get(table, {}).items():
        made[name] = row.get(own)
    if "access_all" in made and not made["access_all"]:
        made["access_all"] = None
    return made


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _tie(
    table: str, subject: trail.Subject, change: str, event: _Event, rows: Iterable[Row]
) -> Tie | None:
    """Return how an event belongs to an object that looked like any of these rows."""
    ties = {_tie_to(table, subject, change, event, row) for row in rows}
    return "certain" if "certain" in ties else "possible" if "possible" in ties else None


def _tie_to(table: str, subject: trail.Subject, change: str, event: _Event, row: Row) -> Tie | None:
    named = event.named
    if table == "security_group_rules":
        of_egress = {"Ingress": False, "Egress": True}
        for end, is_egress in of_egress.items():
            if event.name.endswith(end) and bool(row["is_egress"]) is not is_egress:
                return None
    if table == "network_interface_groups" and "group_id" in named:
        # The call names all groups the interface is to have.
        about = row["eni_id"] in named.get("eni_id", ())
        has = row["group_id"] in named["group_id"]
        return "certain" if about and has is (change != "removed") else None
    columns = dict.fromkeys((*subject.parents, *(name for key in subject.keys for name in key)))
    for name in columns:
        if name in named and (row.get(name) is None or _text(row[name]) not in named[name]):
            return None
    for key in subject.keys:
        if all(name in named for name in key):
            return "certain"
    return "possible" if any(name in named for name in subject.parents) else None


def _could(change: str, event: str) -> bool:
    """Whether an event of this name can have led to such a change."""
    return not (
        (change == "added" and event.startswith(_REMOVES))
        or (change == "removed" and event.startswith(_ADDS))
    )
