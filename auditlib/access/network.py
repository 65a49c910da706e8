"""What stands on a packet's way, ready to be asked: routes, network ACLs, rules, interfaces.

An index over the tables. Every answer keeps two sets apart: what certainly passes, and what may
pass, because something on the way could not be read. :mod:`auditlib.access` puts them together.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import pandas as pd

from auditlib.access.saying import said
from auditlib.addresses import ALL_PORTS, NONE, Ranges, addresses, ports
from auditlib.check import TableSource
from auditlib.frames import named_rows
from auditlib.language import marked

__all__ = [
    "BOUNDS",
    "TABLES",
    "Exit",
    "Network",
    "Passage",
    "Peering",
    "Prefixes",
    "Rule",
    "Source",
    "standing",
]

TABLES = (
    "client_vpn_endpoints",
    "client_vpn_target_networks",
    "client_vpn_authorization_rules",
    "client_vpn_routes",
    "security_groups",
    "security_group_rules",
    "network_interfaces",
    "network_interface_groups",
    "network_interface_addresses",
    "vpcs",
    "subnets",
    "routes",
    "route_table_associations",
    "network_acl_entries",
    "network_acl_associations",
    "vpc_peering_connections",
    "prefix_list_entries",
    "endpoint_network_interfaces",
)
"""Every table a packet's way depends on: a gap in one of them can make an answer unknown."""

BOUNDS = ("client_vpn_authorization_policies",)
"""Tables of what may refuse users whom the network lets through: a gap takes no certainty away."""

Standing = Literal["in force", "changing", "gone"]

_IN_FORCE = {"active", "associated"}
_GONE = {
    "association-failed",
    "deleted",
    "disassociated",
    "expired",
    "failed",
    "initiating-request",
    "pending-acceptance",
    "rejected",
}


def standing(status: str | None) -> Standing:
    """Tell whether what has this status holds: an authorization rule, route, association, peering.

    What is being made or taken away may hold already, or still, and so may what has a status that
    is not told or not known today: it is *changing*.

    >>> standing("active"), standing("revoking"), standing("failed"), standing("a-new-word")
    ('in force', 'changing', 'gone', 'changing')
    """
    return "in force" if status in _IN_FORCE else "gone" if status in _GONE else "changing"


Payload = TypeVar("Payload")
Row = Mapping[str, Any]
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Passage:
    """What a hop lets through.

    Attributes
    ----------
    sure, maybe
        What certainly passes, and what passes or may pass; ``sure`` is part of ``maybe``.
    admits
        Which rule lets what through: pairs of a label and the ports.
    why
        In words: why nothing passes, or why it is not known.
    """

    sure: Ranges
    maybe: Ranges
    admits: tuple[tuple[str, Ranges], ...] = ()
    why: str = ""


OPEN = Passage(ALL_PORTS, ALL_PORTS)


def closed(why: str) -> Passage:
    """Return a hop that nothing passes."""
    return Passage(NONE, NONE, (), why)


def unread(why: str) -> Passage:
    """Return a hop of which nothing is known."""
    return Passage(NONE, ALL_PORTS, (), why)


class Prefixes(Generic[Payload]):
    """Networks with something attached, found by longest prefix."""

    def __init__(self, items: Iterable[tuple[str, Payload]]) -> None:
        self._by_size: dict[int, dict[int, list[Payload]]] = defaultdict(lambda: defaultdict(list))
        self.points: set[int] = set()
        for cidr, payload in items:
            ((first, last),) = addresses(cidr).spans
            self._by_size[last - first + 1][first].append(payload)
            self.points |= {first, last + 1}
        self._sizes = sorted(self._by_size)

    def at(self, address: int) -> Iterator[list[Payload]]:
        """Return what is attached to each network that holds the address, longest prefix first."""
        for size in self._sizes:
            # IPv6 starts at 2**32 on the line; its wider networks are aligned counting from there.
            offset = 2**32 if address >= 2**32 else 0
            first = (address - offset) // size * size + offset
            found = self._by_size[size].get(first)
            if found is not None:
                yield found


@dataclass(frozen=True, slots=True)
class Rule:
    """A security group rule. ``peers`` is ``None`` where the source is a group or not known."""

    id: str
    group_id: str
    ports: Ranges
    peers: Ranges | None
    referenced_group_id: str | None
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a client's packets come from: an interface of the endpoint, or a place for one.

    ``address`` is ``None`` where only the range is known that the address is taken from.
    """

    groups: tuple[str, ...]
    address: int | None = None
    eni_id: str | None = None
    groups_known: bool = True


@dataclass(frozen=True, slots=True)
class Exit:
    """Where a VPC route table sends a packet.

    ``kind`` is the route's target kind, ``none`` where no route matches, ``unknown`` where it
    could not be read. ``sure`` is false where a route that could not be read may send it elsewhere;
    ``doubt`` says why it may not get through there.
    """

    kind: str
    target_id: str = ""
    label: str = ""
    sure: bool = True
    why: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Peering:
    """A peering as seen from one of its VPCs; ``doubt`` says why it may not be in force."""

    id: str
    active: bool
    doubt: str
    vpc_id: str
    same_region: bool


def status_word(row: Row) -> str:
    """Return a row's status in words."""
    status = row["status"]
    return str(status) if status else said(marked("in a state that was not told"))


def _by(rows: Iterable[dict[str, Any]], key: str) -> dict[Any, list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found


class Network:
    """An index over tables; every part of it is made when first asked for."""

    def __init__(self, tables: TableSource) -> None:
        self._tables = tables
        self._places: set[tuple[str, str, str]] = set()
        self._resources: set[tuple[str, str, str, str]] = set()
        for gap in tables.gap_rows(*TABLES, *BOUNDS):
            place = (gap["table"], gap["account"], gap["region"])
            if gap["resource"] is None:
                self._places.add(place)
            else:
                self._resources.add((*place, gap["resource"]))

    def reads(self, table: str, place: Place, resource: str | None = None) -> bool:
        """Tell whether a table was read in full at a place (for a resource)."""
        return (table, *place) not in self._places and (
            resource is None or (table, *place, resource) not in self._resources
        )

    def reads_all(self, table: str, place: Place) -> bool:
        """Tell whether a table was read in full at a place, for every resource."""
        missing = {(name, *where) for name, *where, _ in self._resources}
        return self.reads(table, place) and (table, *place) not in missing

    def _rows(self, table: str) -> list[dict[str, Any]]:
        return named_rows(self._tables.shared(table))

    # -- Client VPN -------------------------------------------------------------------------------

    @cached_property
    def endpoints(self) -> dict[str, dict[str, Any]]:
        """Endpoints by id."""
        return {row["endpoint_id"]: row for row in self._rows("client_vpn_endpoints")}

    @cached_property
    def target_networks(self) -> dict[str, list[dict[str, Any]]]:
        """Associations by endpoint."""
        return _by(self._rows("client_vpn_target_networks"), "endpoint_id")

    @cached_property
    def authorization_rules(self) -> dict[str, list[dict[str, Any]]]:
        """Authorization rules by endpoint, active or not."""
        return _by(self._rows("client_vpn_authorization_rules"), "endpoint_id")

    @cached_property
    def endpoint_routes(self) -> dict[str, list[dict[str, Any]]]:
        """Routes by endpoint, active or not."""
        return _by(self._rows("client_vpn_routes"), "endpoint_id")

    @cached_property
    def policies(self) -> dict[str, dict[str, Any]]:
        """Cedar authorization policies by endpoint."""
        rows = self._rows("client_vpn_authorization_policies")
        return {row["endpoint_id"]: row for row in rows}

    @cached_property
    def endpoint_enis(self) -> dict[str, list[dict[str, Any]]]:
        """Interfaces by endpoint."""
        return _by(self._rows("endpoint_network_interfaces"), "endpoint_id")

    # -- interfaces -------------------------------------------------------------------------------

    @cached_property
    def groups_of_eni(self) -> dict[str, tuple[str, ...]]:
        """Security groups by interface, sorted."""
        frame = self._tables.shared("network_interface_groups")
        found: dict[str, set[str]] = defaultdict(set)
        for eni, group in zip(frame["eni_id"].tolist(), frame["group_id"].tolist(), strict=True):
            found[eni].add(group)
        return {eni: tuple(sorted(groups)) for eni, groups in found.items()}

    @cached_property
    def enis(self) -> dict[str, tuple[str, str, str, str]]:
        """VPC, subnet, account and Region by interface."""
        frame = self._tables.shared("network_interfaces")
        names = ("eni_id", "vpc_id", "subnet_id", "account", "region")
        columns = [frame[name].astype(object).tolist() for name in names]
        return {
            eni: (vpc, subnet, account, region)
            for eni, vpc, subnet, account, region in zip(*columns, strict=True)
        }

    def addresses_of(self, eni_id: str) -> list[str]:
        """Return the addresses of an interface, the primary one first."""
        frame = self._tables.shared("network_interface_addresses")
        mine = frame[frame["eni_id"] == eni_id].sort_values("primary", ascending=False)
        return list(dict.fromkeys(mine["address"].tolist()))

    @cached_property
    def eni_names(self) -> dict[str, str | None]:
        """Name tag of each interface."""
        frame = self._tables.shared("network_interfaces")
        names = frame["name"].astype(object).where(frame["name"].notna(), None).tolist()
        return dict(zip(frame["eni_id"].tolist(), names, strict=True))

    @cached_property
    def receivers(self) -> "Receivers":
        """Every address of every interface, in classes of what decides about reaching it."""
        return Receivers(self)

    # -- VPCs -------------------------------------------------------------------------------------

    @cached_property
    def subnets(self) -> dict[str, dict[str, Any]]:
        """Subnets by id."""
        return {row["subnet_id"]: row for row in self._rows("subnets")}

    @cached_property
    def vpc_places(self) -> dict[str, set[Place]]:
        """Where each VPC was seen: in its own record, a subnet's or an interface's."""
        found: dict[str, set[Place]] = defaultdict(set)
        for table in ("vpcs", "subnets", "network_interfaces"):
            frame = self._tables.shared(table)[["account", "region", "vpc_id"]].drop_duplicates()
            for row in named_rows(frame):
                found[row["vpc_id"]].add((row["account"], row["region"]))
        return found

    @cached_property
    def _owned_vpcs(self) -> dict[str, bool]:
        """Tell of each VPC whether the account it belongs to was read."""
        rows = self._rows("vpcs")
        owned = {row["vpc_id"]: False for row in rows}
        owned |= {r["vpc_id"]: True for r in rows if r["owner_id"] in {None, r["account"]}}
        return owned

    def shows_all_of(self, vpc_id: str) -> bool:
        """Tell whether the answers show all that stands in a VPC.

        An account that a VPC is only shared with sees its own interfaces there, and not the VPC's
        default security group.
        """
        owned = self._owned_vpcs.get(vpc_id)
        return vpc_id in self.default_groups if owned is None else owned

    @cached_property
    def names(self) -> dict[str, str | None]:
        """Name tags of route tables, network ACLs and peerings, by id."""
        return {
            row[id]: row["name"]
            for table, id in (
                ("route_table_associations", "route_table_id"),
                ("network_acl_associations", "network_acl_id"),
                ("vpc_peering_connections", "vpc_peering_connection_id"),
            )
            for row in self._rows(table)
        }

    @cached_property
    def peerings(self) -> dict[tuple[str, str], Peering]:
        """Peerings by id and the VPC they are seen from."""
        found = {}
        for row in self._rows("vpc_peering_connections"):
            id, state = row["vpc_peering_connection_id"], standing(row["status"])
            doubt = (
                said(marked("{id} is {status}"), id=id, status=status_word(row))
                if state == "changing"
                else ""
            )
            for here, there in (("requester", "accepter"), ("accepter", "requester")):
                found[id, row[f"{here}_vpc_id"]] = Peering(
                    id=id,
                    active=state != "gone",
                    doubt=doubt,
                    vpc_id=row[f"{there}_vpc_id"],
                    same_region=row["requester_region"] == row["accepter_region"],
                )
        return found

    @cached_property
    def prefix_lists(self) -> dict[str, Ranges]:
        """Addresses of each prefix list that was read."""
        entries: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for row in self._rows("prefix_list_entries"):
            entries[row["prefix_list_id"]] += addresses(row["cidr_block"]).spans
        return {id: Ranges.of(spans) for id, spans in entries.items()}

    @cached_property
    def _unread_prefix_lists(self) -> set[str]:
        table = "prefix_list_entries"
        unread = {resource for name, _, _, resource in self._resources if name == table}
        return unread | {"" for name, _, _ in self._places if name == table}

    def prefix_list(self, id: str) -> Ranges | None:
        """Return the addresses of a prefix list; ``None`` when it could not be read."""
        found = self.prefix_lists.get(id)
        if found is None and not self._unread_prefix_lists & {id, ""}:
            return NONE
        return found

    @cached_property
    def _route_tables(self) -> dict[str, tuple[Prefixes[dict[str, Any]], tuple[str, ...]]]:
        tables = {}
        for id, rows in _by(self._rows("routes"), "route_table_id").items():
            items, hidden = [], []
            for row in rows:
                destination = row["destination"] or ""
                if destination.startswith("pl-"):
                    held = [
                        entry["cidr_block"] for entry in self._prefix_list_rows.get(destination, ())
                    ]
                    if not held and self.prefix_list(destination) is None:
                        hidden.append(destination)
                    items += [(cidr, row | {"rank": 1}) for cidr in held]
                elif destination:
                    propagated = row["origin"] == "EnableVgwRoutePropagation"
                    items.append((destination, row | {"rank": 2 if propagated else 0}))
                else:
                    hidden.append(said(marked("a route without destination")))
            tables[id] = (Prefixes(items), tuple(hidden))
        return tables

    @cached_property
    def _prefix_list_rows(self) -> dict[str, list[dict[str, Any]]]:
        return _by(self._rows("prefix_list_entries"), "prefix_list_id")

    @cached_property
    def _table_of_subnet(self) -> dict[str, str]:
        """Route table by subnet, and the main one by VPC; empty where it is being changed."""
        found: dict[str, str] = {}
        for row in self._rows("route_table_associations"):
            place = row["subnet_id"] or (row["vpc_id"] if row["main"] else None)
            state = "in force" if row["state"] is None else standing(row["state"])
            if place is not None and state != "gone":
                found[place] = row["route_table_id"] if state == "in force" else ""
        return found

    def route_table(self, subnet_id: str | None, vpc_id: str | None) -> str | None:
        """Return the route table in force for a subnet: its own, or the VPC's main one."""
        found = self._table_of_subnet
        own = found.get(subnet_id or "")
        return found.get(vpc_id or "") if own is None else own

    def route_points(self, subnet_id: str | None, vpc_id: str | None) -> set[int]:
        """Return the addresses at which a subnet's routing may change."""
        table = self._route_tables.get(self.route_table(subnet_id, vpc_id) or "")
        return table[0].points if table else set()

    def route(self, subnet_id: str | None, vpc_id: str | None, address: int) -> Exit:
        """Return where a subnet's route table sends packets for an address."""
        return _route(self, subnet_id, vpc_id, address)

    def is_local(self, subnet_id: str | None, vpc_id: str | None, address: int) -> bool:
        """Tell whether an address is one of the VPC's own, as a subnet's route table has it."""
        table = self._route_tables.get(self.route_table(subnet_id, vpc_id) or "")
        if table is None:
            return True
        return any(row["target_kind"] == "local" for level in table[0].at(address) for row in level)

    # -- network ACLs -----------------------------------------------------------------------------

    @cached_property
    def _acl_of_subnet(self) -> dict[str, str]:
        rows = self._rows("network_acl_associations")
        entries = self._rows("network_acl_entries")
        # An entry that neither allows nor denies may do anything: the list is not known then. Nor is
        # one without any entry: AWS gives each its last one, which denies and cannot be removed.
        odd = {e["network_acl_id"] for e in entries if e["action"] not in {"allow", "deny"}}
        known = {e["network_acl_id"] for e in entries} - odd
        return {
            row["subnet_id"]: row["network_acl_id"]
            for row in rows
            if row["network_acl_id"] in known
        }

    @cached_property
    def _acl_entries(self) -> dict[tuple[str, bool], list[tuple[str, Ranges, Ranges, bool]]]:
        found: dict[tuple[str, bool], list[tuple[str, Ranges, Ranges, bool]]] = defaultdict(list)
        rows = self._rows("network_acl_entries")
        for row in sorted(rows, key=lambda r: r["rule_number"]):
            found[row["network_acl_id"], bool(row["is_egress"])].append(
                (
                    str(row["rule_number"]),
                    addresses(row["cidr_block"]),
                    ports(row["protocol"], row["from_port"], row["to_port"]),
                    row["action"] == "allow",
                )
            )
        return found

    def acl(self, subnet_id: str | None) -> str | None:
        """Return the network ACL in force for a subnet; ``None`` when it could not be read."""
        return self._acl_of_subnet.get(subnet_id or "")

    def acl_points(self, subnet_id: str | None) -> set[int]:
        """Return the addresses at which a subnet's network ACL may change its mind."""
        id = self.acl(subnet_id)
        return {
            point
            for direction in (True, False)
            for _, where, _, _ in self._acl_entries.get((id or "", direction), ())
            for first, last in where.spans
            for point in (first, last + 1)
        }

    def acl_lets(
        self, acl_id: str, *, is_egress: bool, remote: int
    ) -> tuple[Ranges, tuple[tuple[str, Ranges], ...]]:
        """Return what a network ACL lets through to or from a remote address, and by which entry."""
        left, allowed, admits = ALL_PORTS, NONE, []
        for number, where, on, allows in self._acl_entries.get((acl_id, is_egress), ()):
            if remote in where:
                if allows:
                    allowed |= left & on
                    admits.append(
                        (said(marked("{acl} entry {number}"), acl=acl_id, number=number), left & on)
                    )
                left -= on
        return allowed, tuple(admits)

    # -- security groups --------------------------------------------------------------------------

    @cached_property
    def group_rows(self) -> dict[str, dict[str, Any]]:
        """Security groups by id."""
        frame = self._tables.shared("security_groups")
        names = ["group_id", "group_name", "vpc_id", "is_default", "account", "region"]
        return {row["group_id"]: row for row in named_rows(frame[names])}

    @cached_property
    def default_groups(self) -> dict[str, str]:
        """The default security group of each VPC."""
        return {
            row["vpc_id"]: id for id, row in self.group_rows.items() if row["is_default"] is True
        }

    @cached_property
    def rules(self) -> "Rules":
        """Every security group rule."""
        return Rules(self, self._tables.shared("security_group_rules"))

    def knows_rules(self, group_id: str) -> bool:
        """Tell whether the rules of a group were read."""
        row = self.group_rows.get(group_id)
        if row is None:
            return group_id in self.rules.codes
        return self.reads("security_group_rules", (row["account"], row["region"]), group_id)


_APPLIANCES = {"network_interface", "vpc_endpoint", "unknown"}
"""Targets that may send a packet on, even back into the VPC: what they do was not read."""


def _route(network: Network, subnet_id: str | None, vpc_id: str | None, address: int) -> Exit:
    id = None if subnet_id is None else network.route_table(subnet_id, vpc_id)
    found = network._route_tables.get(id or "")
    if found is None:
        where = subnet_id or said(marked("the association's subnet"))
        why = (
            said(marked("the route table of {subnet} is being changed"), subnet=where)
            if id == ""
            else said(marked("the route table of {subnet} could not be read"), subnet=where)
        )
        return Exit("unknown", sure=False, why=why)
    table, hidden = found
    unread: str = (
        said(marked("{routes} in {id} could not be read"), routes=hidden, id=id) if hidden else ""
    )
    matches = list(table.at(address))
    is_local = any(row["target_kind"] == "local" for level in matches for row in level)
    for level in matches:
        for row in sorted(level, key=lambda r: r["rank"]):
            if is_local and row["rank"] == 2:
                continue  # a propagated route never takes the VPC's own traffic
            kind = "blackhole" if row["state"] == "blackhole" else row["target_kind"]
            label = f"{id} {row['destination']}"
            if row["state"] not in {"active", "blackhole", None}:
                told = said(
                    marked("{route} is {state}: where it goes is not known"),
                    route=label,
                    state=row["state"],
                )
                return Exit("unknown", row["target_id"] or "", label, False, told)
            if kind in _APPLIANCES:
                told = said(
                    marked("{target} decides where it goes"),
                    target=row["target_id"] or said(marked("its target")),
                )
                return Exit("unknown", row["target_id"] or "", label, False, told)
            return Exit(kind, row["target_id"] or "", label, not hidden, unread)
    return Exit("unknown" if hidden else "none", "", str(id), not hidden, unread)


@dataclass(frozen=True, slots=True)
class Odd:
    """An IPv6 address or a delegated prefix: few, so kept apart from the arrays."""

    where: Ranges
    eni: int
    kind: int


class Receivers:
    """Every address of every interface.

    Interfaces of one VPC, subnet and set of security groups are one *kind*: everything that
    decides about reaching them but the address itself is the same.

    Attributes
    ----------
    kinds
        VPC, subnet and groups of each kind.
    address, eni, kind
        Arrays, a row per IPv4 address: its number, its interface, the interface's kind.
    odd
        IPv6 addresses and delegated prefixes.
    """

    def __init__(self, network: Network) -> None:
        numbers: dict[tuple[str, str, tuple[str, ...]], int] = {}
        kind_of_eni = {}
        groups = network.groups_of_eni
        for eni, (vpc, subnet, _, _) in network.enis.items():
            key = (vpc, subnet, groups.get(eni, ()))
            kind_of_eni[eni] = numbers.setdefault(key, len(numbers))
        self.kinds = list(numbers)
        self.eni_ids: list[str] = list(network.enis)
        number_of_eni = {eni: i for i, eni in enumerate(self.eni_ids)}
        self.texts: list[str] = []
        self.odd: list[Odd] = []
        address, enis, kinds = [], [], []
        frame = network._tables.shared("network_interface_addresses")
        seen: set[tuple[str, str]] = set()
        for eni, text in zip(frame["eni_id"].tolist(), frame["address"].tolist(), strict=True):
            if eni not in number_of_eni or (eni, text) in seen:
                continue
            seen.add((eni, text))
            if ":" in text or "/" in text:
                self.odd.append(Odd(addresses(text), number_of_eni[eni], kind_of_eni[eni]))
            else:
                a, b, c, d = text.split(".")
                address.append((int(a) << 24) + (int(b) << 16) + (int(c) << 8) + int(d))
                enis.append(number_of_eni[eni])
                kinds.append(kind_of_eni[eni])
                self.texts.append(text)
        self.address = np.array(address, dtype=np.int64)
        self.eni = np.array(enis, dtype=np.int64)
        self.kind = np.array(kinds, dtype=np.int64)

    def at(self, address: int) -> list[tuple[int, int]]:
        """Return the number and kind of each interface that has an address."""
        found = np.flatnonzero(self.address == address) if address < 2**32 else ()
        exact = [(int(self.eni[i]), int(self.kind[i])) for i in found]
        return exact + [(odd.eni, odd.kind) for odd in self.odd if address in odd.where]

    @cached_property
    def by_vpc(self) -> dict[str, np.ndarray[Any, Any]]:
        """Positions of the IPv4 addresses of each VPC."""
        vpc_of_kind: dict[str, list[int]] = defaultdict(list)
        for number, (vpc, _, _) in enumerate(self.kinds):
            vpc_of_kind[vpc].append(number)
        names = list(vpc_of_kind)
        code = np.zeros(len(self.kinds), dtype=np.int64)
        for at, name in enumerate(names):
            code[vpc_of_kind[name]] = at
        vpcs = code[self.kind]
        order = np.argsort(vpcs, kind="stable")
        bounds = np.searchsorted(vpcs[order], np.arange(len(names) + 1))
        return {name: order[bounds[i] : bounds[i + 1]] for i, name in enumerate(names)}


_UNKNOWN, _IPV4, _IPV6, _PREFIX_LIST, _GROUP = range(5)
_KINDS = {"ipv4": _IPV4, "ipv6": _IPV6, "prefix_list": _PREFIX_LIST, "security_group": _GROUP}


class Rules:
    """Security group rules in arrays: a million are sifted in a few milliseconds.

    A rule's source or destination is its *peer*. Equal peers are judged once.
    """

    def __init__(self, network: Network, frame: pd.DataFrame) -> None:
        self._network = network
        group, groups = pd.factorize(frame["group_id"])
        self.group_ids: list[str] = list(groups)
        self.codes = {id: code for code, id in enumerate(self.group_ids)}
        is_egress = frame["is_egress"].to_numpy(dtype=bool)
        key = group.astype(np.int64) * 2 + is_egress
        self._order = np.argsort(key, kind="stable")
        self._bounds = np.searchsorted(key[self._order], np.arange(2 * len(groups) + 1))
        self._ids = frame["rule_id"]
        self._group = group
        self._is_egress = is_egress
        self._protocol, self._protocols = pd.factorize(frame["protocol"])
        self._from = frame["from_port"].to_numpy(dtype=np.int64, na_value=-1)
        self._to = frame["to_port"].to_numpy(dtype=np.int64, na_value=-1)
        self._peer, peers = pd.factorize(frame["peer"])
        self.peers: list[str] = list(peers)
        self._peer_kind = np.zeros(len(self.peers) + 1, dtype=np.int8)
        kind_names = frame["peer_kind"].cat.categories
        kind_codes = np.array([_KINDS.get(name, _UNKNOWN) for name in kind_names] + [_UNKNOWN])
        self._peer_kind[self._peer] = kind_codes[frame["peer_kind"].cat.codes.to_numpy()]
        self._peer_kind[-1] = _UNKNOWN
        self._made: dict[int, Rule] = {}

    @cached_property
    def _spans(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """First and last address of each IPv4 peer; impossible ones for the rest."""
        first = np.full(len(self.peers) + 1, 1, dtype=np.int64)
        last = np.full(len(self.peers) + 1, 0, dtype=np.int64)
        for code in np.flatnonzero(self._peer_kind == _IPV4).tolist():
            first[code], last[code] = _ipv4_span(self.peers[code])
        return first, last

    def of(self, group_id: str, *, is_egress: bool) -> Sequence[int]:
        """Return the positions of a group's rules."""
        code = self.codes.get(group_id)
        if code is None:
            return ()
        at = 2 * code + is_egress
        found: list[int] = self._order[self._bounds[at] : self._bounds[at + 1]].tolist()
        return found

    def rule(self, position: int) -> Rule:
        """Return one rule."""
        made = self._made.get(position)
        if made is None:
            made = self._made[position] = self._make(position)
        return made

    def _make(self, position: int) -> Rule:
        peer = int(self._peer[position])
        kind = int(self._peer_kind[peer])
        text = self.peers[peer] if peer >= 0 else ""
        peers, reference, why = None, None, ""
        if kind in {_IPV4, _IPV6}:
            peers = addresses(text)
        elif kind == _PREFIX_LIST:
            peers = self._network.prefix_list(text)
            why = (
                ""
                if peers is not None
                else said(
                    marked("the entries of {prefix_list} could not be read"), prefix_list=text
                )
            )
        elif kind == _GROUP:
            reference = text
        else:
            why = said(marked("its source or destination is of a kind the kit does not know"))
        return Rule(
            id=str(self._ids.iat[position]),
            group_id=self.group_ids[int(self._group[position])],
            ports=_rule_ports(
                str(self._protocols[self._protocol[position]]),
                int(self._from[position]),
                int(self._to[position]),
            ),
            peers=peers,
            referenced_group_id=reference,
            unread=why,
        )

    def admitting(self, source: Ranges, groups: Iterable[str]) -> dict[str, list[int]]:
        """Return, by group, the inbound rules that may match a source in a range or these groups."""
        first, last = self._spans
        wanted = np.zeros(len(self.peers) + 1, dtype=bool)
        for low, high in source.spans:
            wanted |= (first <= high) & (last >= low)
        mine = set(groups)
        for code in np.flatnonzero((self._peer_kind != _IPV4)[:-1]).tolist():
            kind, text = self._peer_kind[code], self.peers[code]
            if kind == _GROUP:
                wanted[code] = text in mine
            elif kind == _IPV6:
                wanted[code] = bool(addresses(text) & source)
            elif kind == _PREFIX_LIST:
                held = self._network.prefix_list(text)
                wanted[code] = held is None or bool(held & source)
            else:
                wanted[code] = True
        wanted[-1] = True
        positions = np.flatnonzero(wanted[self._peer] & ~self._is_egress)
        found: dict[str, list[int]] = defaultdict(list)
        for position, code in zip(positions.tolist(), self._group[positions].tolist(), strict=True):
            found[self.group_ids[code]].append(position)
        return found


@lru_cache(maxsize=65536)
def _rule_ports(protocol: str, low: int, high: int) -> Ranges:
    return ports(protocol, low, high)


def _ipv4_span(cidr: str) -> tuple[int, int]:
    """Return first and last address of an IPv4 network, written as AWS writes it."""
    network, _, length = cidr.partition("/")
    a, b, c, d = network.split(".")
    first = (int(a) << 24) + (int(b) << 16) + (int(c) << 8) + int(d)
    hosts = (1 << (32 - int(length or 32))) - 1
    return first & ~hosts, first | hosts


_TCP, _UDP, _ICMP, _ICMPV6 = (ports(name) for name in ("tcp", "udp", "icmp", "icmpv6"))
_OTHERS = ALL_PORTS - (_TCP | _UDP | _ICMP | _ICMPV6)
_ECHO = ((ports("icmp", 8), ports("icmp", 0, 0)), (ports("icmpv6", 128), ports("icmpv6", 129, 0)))


@lru_cache(maxsize=4096)
def answerable(returned: Ranges) -> tuple[Ranges, Ranges]:
    """Return which packets get their answer back through a stateless filter.

    Answers of TCP and UDP go to a port of 1024–65535, which one is not known beforehand: where
    the filter lets only some of them pass, the answer may or may not come. An ICMP echo needs its
    echo reply; other ICMP messages need no answer. Any other protocol answers with itself.

    Parameters
    ----------
    returned
        What the filter lets through on the way back.

    Returns
    -------
    sure, maybe
        Packets whose answer certainly, or possibly, comes back.
    """
    sure = maybe = returned & _OTHERS
    for protocol in ("tcp", "udp"):
        back = ports(protocol, 1024, 65535)
        passing = returned & back
        sure |= ports(protocol) if passing == back else NONE
        maybe |= ports(protocol) if passing else NONE
    for echo, reply in _ECHO:
        messages = ports("icmp") if echo <= _ICMP else ports("icmpv6")
        answered = messages if reply <= returned else messages - echo
        sure, maybe = sure | answered, maybe | answered
    return sure, maybe
