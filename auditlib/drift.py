"""What changed between two snapshots: findings, access through the VPN, and the objects themselves.

Pure functions over two sets of tables. What only one of the two could see is never told as a
change: a finding that is gone where a call was refused is not resolved, an object that an answer
does not hold because there was no answer is not removed. Such things are kept apart (``not_seen``
now, or ``first_seen`` now), and the calls are named in the gaps.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

import pandas as pd

from auditlib import words
from auditlib.access import EVERYONE, TABLES
from auditlib.addresses import Ranges, addresses, ports
from auditlib.authorship import COLUMNS, Authorship, resource_of
from auditlib.aws.reads import Read, read_of, reads_for
from auditlib.changes.difference import DIFFERENCE, difference, sure_access
from auditlib.check import Finding, Identity, Severity, audit, identities
from auditlib.frames import rows_of, rows_where
from auditlib.language import marked, tr, tr_as
from auditlib.records import is_at_least
from auditlib.schemas import SCHEMAS
from auditlib.tables import Tables

__all__ = [
    "ACCESS",
    "CHECKS",
    "FINDINGS",
    "GAPS",
    "LEFT_OUT",
    "OBJECTS",
    "RECREATED",
    "STATES",
    "Drift",
    "Past",
    "drift",
]

Side = Literal["then", "now", "both"]
Row = dict[str, Any]

STATES = (
    "worsened",
    "new",
    "reappeared",
    "first_seen",
    "narrowed",
    "resolved",
    "not_seen",
    "unchanged",
)
"""What can have become of a finding.

``first_seen`` shows now, and could have been there before, when part could not be read;
``not_seen`` showed before, and may still be there: part could not be read now. ``worsened`` shows now,
and was warned of before by another check (``Check.ends_as``), whose finding is told by this one.
``narrowed`` was about everyone (``Check.of_everyone``) and is gone, but named groups have the same
access for certain, or a part of it. ``reappeared`` is known from a history only.
"""

_PLACE = ("account", "region")
_IDS = ("endpoint_id", "group_id", "rule_id", "eni_id")

FINDINGS = (
    "state",
    "check",
    "severity",
    "account",
    "region",
    *_IDS,
    "reason",
    "unread",
    "kept_by",
    "first_seen",
    "last_seen",
)
"""Columns of ``Drift.findings``: a row per piece of evidence.

``kept_by`` names the user groups that still have what is ``narrowed``.

``first_seen`` and ``last_seen`` are of the two snapshots, and of the history where there is one;
missing where a snapshot does not say when it was read.
"""

_TYPES = dict.fromkeys(FINDINGS, "str") | dict.fromkeys(
    ("first_seen", "last_seen"), "datetime64[us, UTC]"
)

CHECKS = ("check", "severity", "title", "before", "after", *STATES)
"""Columns of ``Drift.checks``: status before and after, and how many pieces of evidence in each state."""

ACCESS = ("state", *(name for name in DIFFERENCE if name not in {"change", "part"}), "unread")
"""Columns of ``Drift.access``.

``state`` is gained, lost, first_seen, not_seen, uncertain, steadier, weaker or ground, as in
:func:`auditlib.changes.preview.difference`; ``before`` and ``after`` are certainties.
"""

OBJECTS = (
    "change",
    "table",
    "account",
    "region",
    "id",
    "about",
    "column",
    "before",
    "after",
    *COLUMNS,
)
"""Columns of ``Drift.objects``: a row per object that came or went, and per column that changed.

``change`` is added, removed, changed or recreated (the same thing under another id). ``id`` is the
object's key, its parts set apart by spaces. By whom, when and how sure: ``authorship.COLUMNS``.
"""

RECREATED = (
    "account",
    "region",
    "endpoint_id",
    "subnet_id",
    "eni_before",
    "eni_after",
    "ip_before",
    "ip_after",
)
"""Columns of ``Drift.recreated``: interfaces of endpoints that AWS deleted and made again."""

GAPS = (
    "when",
    "account",
    "region",
    "service",
    "operation",
    "resource",
    "status",
    "error_code",
    "error_message",
    "iam_action",
    "tables",
    "objects",
)
"""Columns of ``Drift.gaps``.

``when`` is then, now or both: when it could not be read. ``status`` is ``elsewhere`` for a place
that was not looked at. ``objects`` counts what only the other snapshot shows for that reason.
"""

LEFT_OUT = {
    "change_events": marked("who changed what is no configuration"),
    "client_vpn_connections": marked("sessions come and go"),
    "log_streams": marked("entries come and go"),
}
"""Tables whose rows are no configuration, and why."""

_ABOUT_THE_ANSWER = {"source", "record", "read_at"}
"""Columns that tell where and when something was read, in whatever table."""

_BY_ITSELF = {
    "log_groups": {"stored_bytes"},
    "route_table_associations": {"association_id"},
    # How many rules the answer about the group shows; the rules themselves are compared.
    "security_groups": {"egress_peers", "ingress_peers"},
    "subnets": {"available_addresses"},
}
"""Columns that change by themselves, or with every change of another column."""

_KEYS = {"route_table_associations": (*_PLACE, "vpc_id", "main", "subnet_id", "gateway_id")}
"""What rows are told apart by where it is not the key of the schema."""

_ORDERED = {"dns_servers"}
"""Lists whose order means something; AWS gives the others in any order."""

_NATURAL: dict[str, tuple[str, tuple[str, ...]]] = {
    "security_group_rules": (
        "rule_id",
        ("group_id", "is_egress", "protocol", "from_port", "to_port", "peer_kind", "peer"),
    ),
    "client_vpn_target_networks": ("association_id", ("endpoint_id", "subnet_id")),
}
"""Where AWS gives a new id to the same thing: that id, and what the thing is known by without it."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """What a history knows of a finding.

    Attributes
    ----------
    first_seen, last_seen
        When the first and the last run was read that shows it.
    """

    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What changed between two snapshots.

    Attributes
    ----------
    findings, checks, access, objects, recreated, gaps
        Frames in the columns of ``FINDINGS``, ``CHECKS``, ``ACCESS``, ``OBJECTS``, ``RECREATED``
        and ``GAPS``.
    open_questions
        Checks of the newer snapshot that could not be assessed, or only in part.
    authorship
        What there is to know about who changed the objects, in sentences.
    """

    findings: pd.DataFrame = field(repr=False)
    checks: pd.DataFrame = field(repr=False)
    access: pd.DataFrame = field(repr=False)
    objects: pd.DataFrame = field(repr=False)
    recreated: pd.DataFrame = field(repr=False)
    gaps: pd.DataFrame = field(repr=False)
    open_questions: tuple[str, ...] = ()
    authorship: tuple[str, ...] = ()

    def count(self, *states: str) -> int:
        """Return how many findings are in these states."""
        return int(self.findings["state"].isin(states).sum())

    @property
    def is_whole(self) -> bool:
        """Whether nothing that was not read could hide a change."""
        return self.gaps.empty and not self.open_questions

    def sentences(
        self, names: Mapping[str, str] | None = None, *, without: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Return what changed, in a few sentences.

        Parameters
        ----------
        names
            What people call the things behind the ids.
        without
            States of access that are told elsewhere.
        """
        return tuple(_sentences(self, names or {}, without))


def drift(
    before: Tables,
    after: Tables,
    *,
    findings: tuple[Sequence[Finding], Sequence[Finding]] | None = None,
    past: Mapping[tuple[str, Identity], Past] | None = None,
) -> Drift:
    """Compare two sets of tables.

    Parameters
    ----------
    findings
        What the checks find in each, where it is known already.
    past
        What a history knows, by check and identity.
    """
    sides = _Side(before, after), _Side(after, before)
    recreated = _recreated(*sides)
    known = findings or (audit(before), audit(after))
    authors = Authorship(before, after)
    objects, hidden = _objects(
        *sides, authors, {row["eni_after"]: row["eni_before"] for row in recreated}
    )
    ids = {row["eni_after"]: row["eni_before"] for row in recreated} | {
        row["after"]: row["before"] for row in objects if row["change"] == "recreated"
    }
    told = _findings(*sides, known, ids, past or {})
    changed = pd.DataFrame(objects, columns=list(OBJECTS))
    frame = pd.DataFrame(told, columns=list(FINDINGS)).astype(_TYPES)
    return Drift(
        findings=_sorted_findings(frame),
        checks=_checks(known, frame),
        access=_access(*sides),
        objects=changed,
        recreated=pd.DataFrame(recreated, columns=list(RECREATED)),
        gaps=_gaps(*sides, hidden),
        open_questions=tuple(f.check.id for f in known[1] if len(f.gaps)),
        authorship=tuple(authors.sentences(changed)),
    )


# -- what a side could see ------------------------------------------------------------------------


class _Side:
    """One of the two snapshots: what it shows, and what it could not show."""

    def __init__(self, tables: Tables, other: Tables) -> None:
        self.tables = tables
        self._other = other
        manifest = tables.snapshot.manifest
        self.read = manifest.finished or manifest.started
        self.places = set(tables.snapshot.places)
        self.elsewhere = sorted(set(other.snapshot.places) - self.places)

    @cached_property
    def far(self) -> bool:
        """Whether a way may lead into another Region, so that a gap there counts here."""
        for tables in (self.tables, self._other):
            peerings = tables["vpc_peering_connections"]
            if (peerings["requester_region"] != peerings["accepter_region"]).any():
                return True
        return False

    @cached_property
    def names(self) -> dict[str, str]:
        """What security groups and endpoints are called, by id."""
        groups = self.tables.shared("security_groups")
        endpoints = self.tables.shared("client_vpn_endpoints")
        named = endpoints[endpoints["name"].notna()]
        return {
            **dict(zip(groups["group_id"], groups["group_name"], strict=True)),
            **dict(zip(named["endpoint_id"], named["name"], strict=True)),
        }

    def unread(
        self, gaps: pd.DataFrame, account: str, region: str, endpoint: str | None = None
    ) -> str:
        """Say what may hide something about a place (or an endpoint there); empty when nothing does.

        Groups, interfaces and rules can belong to another account of the Region, so a gap counts
        in all of them.
        """
        for place in self.elsewhere:
            if place[1] == region:
                return tr(
                    "{region} of account {account} was not looked at",
                    region=place[1],
                    account=place[0],
                )
        for row in rows_of(gaps):
            of_endpoint = words.clean(row.resource).startswith("cvpn-endpoint-")
            if of_endpoint and endpoint is not None and row.resource != endpoint:
                continue
            if self.far or row.region == region:
                return words.gap(row)
        return ""

    def why_not_here(self, table: str, row: Row, source: object) -> tuple[str, str]:
        """Say why a row of the other side may be missing here: how, and which call.

        How is empty where it is gone for certain, ``unasked`` where nothing names it any more, and
        ``unread`` where a call gave no answer.
        """
        account, region = row["account"], row["region"]
        if (account, region) not in self.places:
            return "unread", ""
        for read in reads_for(table):
            asked = resource_of(source) or row.get("endpoint_id") if read.resources else None
            if how := self._answer(read, account, region, asked):
                return how, f"{read.service} {read.operation}"
        # An answer can lack what another one shows: of a group's rules, say.
        lacking = self._lacking.get((table, account, region), set())
        return ("unread", "") if lacking & set(map(str, row.values())) else ("", "")

    @cached_property
    def _lacking(self) -> dict[tuple[str, str, str], set[str]]:
        """The resources about which a table lacks something, by table and place."""
        found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        gaps = self.tables.gaps()
        for row in rows_where(gaps, gaps["resource"].notna() & (gaps["status"] != "unsupported")):
            found[row.table, str(row.account), str(row.region)].add(row.resource)
        return found

    def _answer(self, read: Read, account: str, region: str, resource: str | None) -> str:
        call = self.tables.snapshot.call(account, region, read.id, resource)
        if call is not None:
            answered = call.status == "ok" and (call.file is not None or bool(read.absent_codes))
            return "" if answered else "unread"
        if not read.resources:
            return "unread"
        for parent in map(read_of, read.parents):
            if self._answer(parent, account, region, None):
                return "unread"
        return "" if self._is_gone(read, resource) else "unasked"

    def _is_gone(self, read: Read, resource: str | None) -> bool:
        """Whether what the read asks about is a thing of its own that is no longer listed."""
        for parent in map(read_of, read.parents):
            table = parent.tables[0]
            (*_, key) = SCHEMAS[table].key
            if resource in set(self._other[table][key]):
                return resource not in set(self.tables[table][key])
        return False

    def drops(self, table: str) -> bool:
        """Whether the SDK that read it may have left columns of this table out."""
        version = self.tables.snapshot.manifest.botocore_version
        return any(
            read.since_botocore and is_at_least(version, read.since_botocore) is not True
            for read in reads_for(table)
        )


# -- objects --------------------------------------------------------------------------------------


def _recreated(old: _Side, new: _Side) -> list[Row]:
    """Return the endpoints' interfaces that AWS made again: same endpoint and subnet, another id."""
    gone, come = _own_interfaces(old, new), _own_interfaces(new, old)
    rows = []
    for key in sorted(set(gone) & set(come)):
        account, region, subnet, endpoints = key
        for (eni, ip), (eni_now, ip_now) in zip(gone[key], come[key], strict=False):
            rows.append(
                {
                    "account": account,
                    "region": region,
                    "endpoint_id": " ".join(endpoints),
                    "subnet_id": subnet,
                    "eni_before": eni,
                    "eni_after": eni_now,
                    "ip_before": ip,
                    "ip_after": ip_now,
                }
            )
    return rows


def _own_interfaces(
    side: _Side, other: _Side
) -> dict[tuple[str, str, str, tuple[str, ...]], list[tuple[str, str]]]:
    """Return the endpoints' interfaces that the other side could show and does not."""
    own = side.tables["endpoint_network_interfaces"]
    there = set(other.tables["network_interfaces"]["eni_id"])
    of: dict[tuple[str, str, str, str, str], set[str]] = defaultdict(set)
    for row in rows_where(own, ~own["eni_id"].isin(there)):
        of[row.account, row.region, row.subnet_id, row.eni_id, row.private_ip].add(row.endpoint_id)
    found: dict[tuple[str, str, str, tuple[str, ...]], list[tuple[str, str]]] = defaultdict(list)
    for (account, region, subnet, eni, ip), endpoints in sorted(of.items()):
        how, _ = other.why_not_here(
            "network_interfaces", {"account": account, "region": region}, ""
        )
        if not how:
            found[account, region, subnet, tuple(sorted(endpoints))].append((eni, ip))
    return found


_Where = tuple[str, str, str, str]
"""When it was not seen (then, now), table, account, Region."""


@dataclass(frozen=True, kw_only=True)
class _Hidden:
    """What only one side could see: how many objects, and which columns."""

    objects: Counter[_Where] = field(default_factory=Counter)
    columns: dict[_Where, set[str]] = field(default_factory=lambda: defaultdict(set))


def _objects(
    old: _Side, new: _Side, authors: Authorship, renamed: Mapping[str, str]
) -> tuple[list[Row], _Hidden]:
    """Return the changed objects, and what only one side could see."""
    rows: list[Row] = []
    hidden = _Hidden()
    for name, schema in SCHEMAS.items():
        if not schema.inputs and name not in LEFT_OUT:
            rows += _TableDrift(
                name, old, new, authors=authors, renamed=renamed, hidden=hidden
            ).rows()
    return rows, hidden


class _TableDrift:
    """The changes of one base table."""

    def __init__(
        self,
        name: str,
        old: _Side,
        new: _Side,
        *,
        authors: Authorship,
        renamed: Mapping[str, str],
        hidden: _Hidden,
    ) -> None:
        schema = SCHEMAS[name]
        self.name = name
        self.columns = [
            c.name
            for c in schema.columns
            if c.name not in {*_ABOUT_THE_ANSWER, *_BY_ITSELF.get(name, ())}
        ]
        self.kinds = {column.name: column.kind for column in schema.columns}
        self.key = _KEYS.get(name, schema.key)
        self.old, self.new = old, new
        self._authors = authors
        self._renamed = renamed
        self._hidden = hidden
        self._names = old.names | new.names

    def rows(self) -> Iterator[Row]:
        """Yield the changes, and keep apart what only one side could see."""
        left = self._left()
        yield from self._matched(left, self.key, "")
        if natural := _NATURAL.get(self.name):
            id, columns = natural
            yield from self._matched(left, (*_PLACE, *columns), id)
        for change, side, rows in (
            ("removed", self.new, left[0]),
            ("added", self.old, left[1]),
        ):
            for row, source in rows:
                how, _ = side.why_not_here(self.name, row, source)
                if not how:
                    yield self._row(change, (row,), source)
                elif how == "unread":
                    when = "now" if side is self.new else "then"
                    self._hidden.objects[when, self.name, row["account"], row["region"]] += 1

    def _left(self) -> tuple[list[tuple[Row, object]], list[tuple[Row, object]]]:
        """Return the rows of each side that the other does not have just so."""
        frames = [side.tables.shared(self.name)[self.columns] for side in (self.old, self.new)]
        moved = self._renamed and self.name.startswith("network_interface")
        if not moved and frames[0].equals(frames[1]):  # as most tables are
            return [], []
        old, new = self._rows(self.old.tables), self._rows(self.new.tables, self._renamed)
        both = Counter(values for values, _ in old) & Counter(values for values, _ in new)
        return self._without(old, both.copy()), self._without(new, both)

    def _without(
        self, rows: list[tuple[tuple[Any, ...], object]], both: Counter[tuple[Any, ...]]
    ) -> list[tuple[Row, object]]:
        left = []
        for values, source in sorted(rows, key=lambda row: tuple(map(str, row[0]))):
            if both[values]:
                both[values] -= 1
            else:
                left.append((dict(zip(self.columns, values, strict=True)), source))
        return left

    def _rows(
        self, tables: Tables, renamed: Mapping[str, str] | None = None
    ) -> list[tuple[tuple[Any, ...], object]]:
        frame = tables[self.name]
        if self.name in {"network_interfaces", "network_interface_addresses"}:
            # Those that AWS made again are told as such.
            again = {*self._renamed, *self._renamed.values()}
            frame = frame[~frame["eni_id"].isin(again)]
        if self.name == "network_interface_groups" and renamed:
            frame = frame.assign(eni_id=frame["eni_id"].replace(dict(renamed)))
        columns = [self._plain(name, frame[name]) for name in self.columns]
        sources = frame["source"].tolist()
        return list(zip(zip(*columns, strict=True), sources, strict=True))

    def _plain(self, column: str, values: "pd.Series[Any]") -> list[Any]:
        """Return values that can be compared: missing is ``None``, lists without their order."""
        kind = self.kinds[column]
        if kind == "list":
            return [value if column in _ORDERED else tuple(sorted(value)) for value in values]
        if kind == "pairs":
            named = "name" in self.kinds
            return [tuple(sorted(p for p in v if not (named and p[0] == "Name"))) for v in values]
        plain = values.astype(object).where(values.notna(), None).tolist()
        if kind == "time":
            return [None if moment is None else moment.isoformat() for moment in plain]
        return plain

    def _matched(
        self,
        left: tuple[list[tuple[Row, object]], list[tuple[Row, object]]],
        key: Sequence[str],
        id: str,
    ) -> Iterator[Row]:
        """Take rows that are about the same thing out of what is left, and yield what changed."""
        waiting: dict[tuple[Any, ...], list[tuple[Row, object]]] = defaultdict(list)
        for pair in left[0]:
            waiting[tuple(pair[0][name] for name in key)].append(pair)
        alone = []
        for pair in left[1]:
            found = waiting[tuple(pair[0][name] for name in key)]
            if not found:
                alone.append(pair)
                continue
            was = found.pop(0)
            yield from self._changes(was[0], *pair, id)
        left[0][:] = [pair for found in waiting.values() for pair in found]
        left[1][:] = alone

    def _changes(self, was: Row, now: Row, source: object, id: str) -> Iterator[Row]:
        changed = [name for name in self.columns if was[name] != now[name] and name != id]
        for name in changed:
            # An SDK that does not know a member leaves it out without a word.
            for when, side, row in (("then", self.old, was), ("now", self.new, now)):
                if row[name] in _NOTHING and side.drops(self.name):
                    where = (when, self.name, str(now["account"]), str(now["region"]))
                    self._hidden.columns[where].add(name)
                    break
            else:
                yield self._row("changed", (was, now), source, name)
        if id and was[id] != now[id]:
            yield self._row("recreated", (was, now), source, id)

    def _row(
        self,
        change: str,
        rows: Sequence[Row],
        source: object,
        column: str = "",
    ) -> Row:
        row = rows[-1]
        natural = _NATURAL.get(self.name)
        parts = natural[1] if natural and change == "recreated" else self.key[2:]
        return {
            "change": change,
            "table": self.name,
            "account": row["account"],
            "region": row["region"],
            "id": " ".join(str(row[name]) for name in parts if row[name] is not None),
            "about": _about(self.name, row, self._names),
            "column": column,
            "before": rows[0][column] if column else None,
            "after": row[column] if column else None,
            **self._authors.of(self.name, change, column, rows, source),
        }


_NOTHING: tuple[Any, ...] = (None, (), "unknown")


class _Attributes:
    """A row whose values are read as attributes."""

    def __init__(self, row: Row) -> None:
        self.__dict__.update(row)


def _about(table: str, row: Row, names: Mapping[str, str]) -> str:
    """Return an object in words, where its key does not tell what it is."""
    if table == "security_group_rules":
        parts = {
            "group": words.named(row["group_id"], names.get(row["group_id"])),
            "rule": words.rule(_Attributes(row), names),
        }
        return (
            tr("out of {group}: {rule}", **parts)
            if row["is_egress"]
            else tr("into {group}: {rule}", **parts)
        )
    if table == "network_interface_groups":
        return words.clean(row["group_name"])
    if table == "network_acl_entries":
        traffic = words.traffic(row["protocol"], row["from_port"], row["to_port"])
        parts = {"action": row["action"], "traffic": traffic, "cidr": row["cidr_block"]}
        return (
            tr("{action} {traffic} to {cidr}", **parts)
            if row["is_egress"]
            else tr("{action} {traffic} from {cidr}", **parts)
        )
    if table == "routes":
        return tr(
            "to {target}", target=words.clean(row["target_id"]) or words.clean(row["target_kind"])
        )
    if table == "client_vpn_authorization_rules":
        id = row["endpoint_id"]
        endpoint = words.clean(words.told(id, names[id])) if names.get(id) else id
        return (
            tr("for everyone of {endpoint}", endpoint=endpoint)
            if row["access_all"]
            else tr(
                "for group {group} of {endpoint}",
                group=words.clean(row["group_id"]),
                endpoint=endpoint,
            )
        )
    if table == "client_vpn_target_networks":
        return tr(
            "{endpoint_id} in {subnet_id}",
            endpoint_id=row["endpoint_id"],
            subnet_id=row["subnet_id"],
        )
    texts = (row.get(name) for name in ("group_name", "name", "description", "domain_name"))
    return next((words.clean(text) for text in texts if words.clean(text)), "")


# -- findings -------------------------------------------------------------------------------------


def _findings(
    old: _Side,
    new: _Side,
    known: tuple[Sequence[Finding], Sequence[Finding]],
    ids: Mapping[str, str],
    past: Mapping[tuple[str, Identity], Past],
) -> Iterator[Row]:
    was = {finding.check.id: finding for finding in known[0]}
    shown = {finding.check.id: set(identities(finding.evidence)) for finding in known[1]}
    warned = {
        finding.check.ends_as: set(identities(finding.evidence))
        - shown.get(finding.check.id, set())
        for finding in known[0]
        if finding.check.ends_as
    }
    for now in known[1]:
        then = was[now.check.id]
        before = dict(zip(identities(then.evidence), _rows_of(then.evidence), strict=True))
        after = {}
        own = {}
        for identity, row in zip(identities(now.evidence), _rows_of(now.evidence), strict=True):
            same = tuple((name, ids.get(value, value)) for name, value in identity)
            after[same], own[same] = row, identity
        for identity in [*after, *(identity for identity in before if identity not in after)]:
            row = after.get(identity) or before[identity]
            about = (str(row["account"]), str(row["region"]), row.get("endpoint_id"))
            remembered = past.get((now.check.id, own.get(identity, identity))) or past.get(
                (now.check.id, identity)
            )
            unread = kept = ""
            sides = [side for side, rows in ((old, before), (new, after)) if identity in rows]
            if identity in after and identity in before:
                state = "unchanged"
            elif identity in after and identity in warned.get(now.check.id, ()):
                state, sides = "worsened", [old, new]
            elif identity in after:
                unread = old.unread(_gaps_of(old.tables, then), *about)
                state = "first_seen" if unread else "reappeared" if remembered else "new"
            else:
                if identity in shown.get(now.check.ends_as, ()):
                    continue  # told by what has come of it
                unread = new.unread(_gaps_of(new.tables, now), *about)
                kept = _kept_by(new.tables, row) if now.check.of_everyone and not unread else ""
                state = "not_seen" if unread else "narrowed" if kept else "resolved"
            seen = [side.read for side in sides]
            yield {
                "state": state,
                "check": now.check.id,
                "severity": now.check.severity.value,
                **{name: row[name] for name in (*_PLACE, *_IDS) if name in row},
                "reason": row["reason"],
                "unread": unread,
                "kept_by": kept,
                "first_seen": _earliest(remembered, *seen),
                "last_seen": seen[-1],
            }


def _kept_by(tables: Tables, row: Row) -> str:
    """Return the user groups that still have what a row says of everyone; empty where everyone has."""
    ports_of = [_ports(text) for text in row.get("ports", ())]
    within = addresses(row["destination_cidr"]) if "destination_cidr" in row else None
    groups = set()
    for key, on in sure_access(tables).items():
        _, _, endpoint, _, group, eni, ip = key
        if endpoint != row["endpoint_id"]:
            continue
        same = (
            addresses(ip) <= within
            if within is not None
            else eni == row.get("eni_id") and any(on & one for one in ports_of)
        )
        if same:
            groups.add(group)
    return (
        "" if EVERYONE in groups else words.listed(words.clean(group) for group in sorted(groups))
    )


def _ports(text: str) -> Ranges:
    """Return ports as evidence writes them: ``tcp 22``, ``udp 1-100``."""
    protocol, _, span = text.partition(" ")
    low, _, high = span.partition("-")
    return ports(protocol, int(low), int(high or low)) if low else ports(protocol, None, None)


def _earliest(remembered: Past | None, *seen: datetime | None) -> datetime | None:
    known = [moment for moment in seen if moment is not None]
    if remembered is not None:
        known.append(remembered.first_seen)
    return min(known, default=None)


def _rows_of(evidence: pd.DataFrame) -> list[Row]:
    if evidence.empty:  # as of most checks
        return []
    return [
        {str(name): value for name, value in row.items()} for row in evidence.to_dict("records")
    ]


def _gaps_of(tables: Tables, finding: Finding) -> pd.DataFrame:
    """Return everything unread that may hide evidence of a check, in every Region."""
    check = finding.check
    return pd.concat([finding.gaps, tables.gaps(check.population, *check.needs)])


def _sorted_findings(frame: pd.DataFrame) -> pd.DataFrame:
    ranks = {state: number for number, state in enumerate(STATES)}
    order = frame.assign(
        state=frame["state"].map(ranks),
        severity=[-Severity(severity).rank for severity in frame["severity"]],
    ).sort_values(["state", "severity"], kind="stable")
    return frame.loc[order.index].reset_index(drop=True)


def _checks(
    known: tuple[Sequence[Finding], Sequence[Finding]], findings: pd.DataFrame
) -> pd.DataFrame:
    was = {finding.check.id: finding for finding in known[0]}
    states = Counter(zip(findings["check"], findings["state"], strict=True))
    rows = [
        {
            "check": now.check.id,
            "severity": now.check.severity.value,
            "title": now.check.title,
            "before": was[now.check.id].status.value,
            "after": now.status.value,
            **{state: states[now.check.id, state] for state in STATES},
        }
        for now in known[1]
    ]
    return pd.DataFrame(rows, columns=list(CHECKS))


# -- access ---------------------------------------------------------------------------------------


_WAYS = (*TABLES, "client_vpn_authorization_policies")
"""What reach tells of, a policy that may narrow it included."""


def _access(old: _Side, new: _Side) -> pd.DataFrame:
    found = difference(old.tables, new.tables)
    found = found[found["part"] != "own_interface"]
    keys = [_keys(side.tables) for side in (old, new)]
    # Where both lack the same, reach itself says "unknown"; what one side lacks more can hide a
    # receiver, a group or an endpoint altogether.
    gaps = [
        side.tables.gaps(*_WAYS)[[key not in other for key in _keys(side.tables, all=True)]]
        for side, other in ((old, keys[1]), (new, keys[0]))
    ]
    lacking = [side.tables.gaps(*_WAYS) for side in (old, new)]
    known: dict[tuple[str, str, str], tuple[str, str, str]] = {}
    states, unread = [], []
    for row in rows_of(found):
        about = (str(row.account), str(row.region), str(row.endpoint_id))
        if about not in known:
            known[about] = (
                old.unread(gaps[0], *about),
                new.unread(gaps[1], *about),
                old.unread(lacking[0], *about) or new.unread(lacking[1], *about),
            )
        then, now, open_ = known[about]
        state, why = row.change, ""
        if state == "gained" and then:
            state, why = "first_seen", then
        elif state == "lost" and now:
            state, why = "not_seen", now
        elif state == "ground" and (then or now):
            # The same access on both sides; what only one could see made the way another.
            state = ""
        elif (then or now) and state not in {"gained", "lost"}:
            state, why = "uncertain", then or now
        elif open_ and state in {"gained", "lost"} and "unknown" in {row.before, row.after}:
            # What may be there on one side for want of an answer says nothing about the other.
            state, why = "uncertain", open_
        states.append(state)
        unread.append(why)
    told = found.assign(
        state=pd.Series(states, index=found.index, dtype="str"),
        unread=pd.Series(unread, index=found.index, dtype="str"),
    )
    return told.loc[told["state"] != "", list(ACCESS)].reset_index(drop=True)


_CALL = ["table", "account", "region", "service", "operation", "resource"]


def _keys(tables: Tables, *, all: bool = False) -> Any:
    keys = list(map(tuple, tables.gaps(*_WAYS)[_CALL].astype(str).to_numpy()))
    return keys if all else set(keys)


# -- gaps -----------------------------------------------------------------------------------------


def _gaps(old: _Side, new: _Side, hidden: _Hidden) -> pd.DataFrame:
    """Return each call that gave no answer, when, and how many objects only one side shows for it."""
    sides = {"then": _calls(old), "now": _calls(new)}
    rows = []
    for call in sorted({*sides["then"], *sides["now"]}, key=lambda call: tuple(map(str, call))):
        when: Side = (
            "both"
            if call in sides["then"] and call in sides["now"]
            else "then"
            if call in sides["then"]
            else "now"
        )
        row, tables = sides["then" if when == "then" else "now"][call]
        rows.append(
            row
            | {
                "when": when,
                "tables": tuple(sorted(tables)),
                "objects": sum(
                    count
                    for (at, table, account, region), count in hidden.objects.items()
                    if (table in tables or row["status"] == "elsewhere")
                    and (account, region) == (row["account"], row["region"])
                    and when in {at, "both"}
                ),
            }
        )
    for (at, table, account, region), columns in sorted(hidden.columns.items()):
        read = reads_for(table)[0]
        names = words.listed(sorted(columns))
        rows.append(
            {
                "when": at,
                "account": account,
                "region": region,
                "service": read.service,
                "operation": read.operation,
                "status": "untold",
                "error_message": tr(
                    "the SDK that read it is not known to show {names}", names=names
                ),
                "iam_action": read.iam_action,
                "tables": (table,),
                "objects": 0,
            }
        )
    return pd.DataFrame(rows, columns=list(GAPS))


def _calls(side: _Side) -> dict[tuple[Any, ...], tuple[Row, set[str]]]:
    found: dict[tuple[Any, ...], tuple[Row, set[str]]] = {}
    gaps = side.tables.gaps().astype(object)
    # Who changed what hides no change.
    gaps = gaps[gaps["table"] != "change_events"]
    for gap in _rows_of(gaps.where(gaps.notna(), None)):
        table = gap.pop("table")
        found.setdefault(tuple(gap[name] for name in _CALL[1:]), (gap, set()))[1].add(table)
    for account, region in side.elsewhere:
        place = {"account": account, "region": region, "status": "elsewhere"}
        found[account, region, None, None, None] = place, set()
    return found


# -- sentences ------------------------------------------------------------------------------------

_SAID = {
    "new": (marked("{findings} is new"), marked("{findings} are new")),
    "reappeared": (marked("{findings} came back"), marked("{findings} came back")),
    "first_seen": (
        marked("{findings} shows for the first time and may have been there before, unread"),
        marked("{findings} show for the first time and may have been there before, unread"),
    ),
    "worsened": (
        marked("{findings} was warned of before and has come since"),
        marked("{findings} were warned of before and have come since"),
    ),
    "narrowed": (
        marked(
            "{findings} is narrowed: what everyone had, named groups still have, or a part of it"
        ),
        marked(
            "{findings} are narrowed: what everyone had, named groups still have, or a part of it"
        ),
    ),
    "resolved": (marked("{findings} is resolved"), marked("{findings} are resolved")),
    "not_seen": (
        marked("{findings} no longer shows, but part could not be read, so it may still be there"),
        marked("{findings} no longer show, but part could not be read, so they may still be there"),
    ),
    "unchanged": (marked("{findings} is unchanged"), marked("{findings} are unchanged")),
}


_ACCESS = {
    "gained": marked("Access was gained: {receivers}"),
    "lost": marked("Access was lost: {receivers}"),
    "first_seen": marked("Access that could not be seen before: {receivers}"),
    "not_seen": marked("Access that can no longer be seen: {receivers}"),
    "uncertain": marked("Access that cannot be compared: {receivers}"),
}

_CHANGED = {
    "added": (marked("{objects} was added"), marked("{objects} were added")),
    "removed": (marked("{objects} was removed"), marked("{objects} were removed")),
    "changed": (marked("{objects} was changed"), marked("{objects} were changed")),
    "recreated": (marked("{objects} was recreated"), marked("{objects} were recreated")),
}

_UNREAD = {
    "now": marked("{number} could be read then and not now"),
    "then": marked("{number} could be read now and not then"),
    "both": marked("{number} neither time"),
}


def _sentences(found: Drift, names: Mapping[str, str], without: Sequence[str]) -> Iterator[str]:
    states = Counter(found.findings["state"])
    said = [
        tr(
            _SAID[state][states[state] > 1],
            findings=tr("{pieces} of evidence", pieces=words.count(states[state], "piece")),
        )
        for state in STATES
        if states[state]
    ]
    yield _told(said) if said else tr("Neither snapshot shows a finding.")
    access = found.access
    said = [
        tr(text, receivers=_receivers(rows, names))
        for state, text in _ACCESS.items()
        if state not in without and len(rows := access[access["state"] == state])
    ]
    if said:
        yield _told(said)
    elif not access["state"].isin(_ACCESS).any():
        yield tr("Nobody gained or lost access through the VPN, as far as both show.")
    objects = found.objects
    changes = Counter(objects.drop_duplicates(["change", "table", "id"])["change"])
    said = [
        tr(texts[changes[change] > 1], objects=words.count(changes[change], "object"))
        for change, texts in _CHANGED.items()
        if changes[change]
    ]
    yield (
        tr("{list}.", list=words.opening(words.listed(said)))
        if said
        else tr("No configuration changed, as far as both show.")
    )
    yield from found.authorship
    if again := len(found.recreated):
        yield (
            tr(
                "AWS recreated one interface of an endpoint: "
                "rules that name the old addresses no longer match them."
            )
            if again == 1
            else tr(
                "AWS recreated {number:,} interfaces of endpoints: "
                "rules that name the old addresses no longer match them.",
                number=again,
            )
        )
    if len(found.gaps):
        told = Counter(found.gaps["when"])
        parts = [tr(text, number=told[when]) for when, text in _UNREAD.items() if told[when]]
        yield tr(
            "Of what AWS was asked, {parts}: what changed there cannot be told.",
            parts=words.listed(parts),
        )


def _receivers(rows: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Say who is reached through which endpoint."""

    def called(ids: Iterable[str], most: int) -> str:
        return words.listed((words.named(id, names.get(id)) for id in sorted(set(ids))), most=most)

    receivers = rows["eni_id"].where(rows["eni_id"] != "", rows["ip"])
    return tr(
        "{receivers} through {endpoints}",
        receivers=called(receivers, 3),
        endpoints=called(rows["endpoint_id"], 3),
    )


def _told(said: Iterable[str]) -> str:
    """Return clauses as one sentence."""
    return tr("{list}.", list=words.opening(tr_as("list", "; ").join(said)))
