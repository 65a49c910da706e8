"""The way of packets from a Client VPN endpoint: each hop asked alone, or all together.

A client of an endpoint lands on one of its associations. From there a packet passes

1. the endpoint's authorization rules (the longest prefix over all groups decides),
2. the endpoint's routes of that association,
3. the outbound rules of the security groups on the endpoint's interface there,
4. the network ACL of the association's subnet, out, and back for the answer,
5. the route table of that subnet: inside the VPC, over a peering, or out of what was read,
6. the network ACL of the receiver's subnet, in, and back; and a route back,
7. the inbound rules of the receiver's security groups.

From hop 3 on the packet comes from the endpoint's interface: AWS translates the client's address.
Not so for endpoints on a transit gateway and for IPv6.
"""

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from auditlib.access.network import (
    OPEN,
    Exit,
    Network,
    Passage,
    Place,
    Prefixes,
    Rule,
    Source,
    answerable,
    closed,
    standing,
    status_word,
    unread,
)
from auditlib.access.saying import said
from auditlib.addresses import ALL_IPV4, ALL_IPV6, ALL_PORTS, NONE, Ranges, addresses, cidrs
from auditlib.language import marked

__all__ = [
    "EVERYONE",
    "Association",
    "Case",
    "Certainty",
    "Inbound",
    "Kind",
    "Leaving",
    "Step",
    "Verdict",
    "Way",
    "associations_of",
    "authorization_label",
    "uncollected",
]

EVERYONE = "*"
"""The group of a user who is in no group."""

Kind = tuple[str, str, tuple[str, ...]]
"""VPC, subnet and security groups of a receiver."""

Certainty = Literal["reliable", "fragile", "unknown"]

_NOT_IN_FORCE = {"associating", "association-failed", "disassociated"}


@dataclass(frozen=True, kw_only=True)
class Association:
    """A place where clients of an endpoint land.

    Attributes
    ----------
    subnet_id, vpc_id
        Where it stands; ``None`` for an endpoint on a transit gateway, or when not known.
    present
        The endpoint's interfaces there, as sources of packets, where they are known for certain.
    possible
        Interfaces that may be the endpoint's.
    wide
        One source per set of security groups in force, its address open: what holds for each of
        them, at every address of ``range``, holds whatever address the interface gets.
    range
        IPv4 addresses packets come from.
    doubt
        Why everything here is unknown; empty when it is not.
    transit_gateway_id
        For an endpoint on a transit gateway.
    """

    endpoint_id: str
    place: Place
    subnet_id: str | None
    vpc_id: str | None
    present: tuple[Source, ...] = ()
    possible: tuple[Source, ...] = ()
    wide: tuple[Source, ...] = ()
    range: Ranges = ALL_IPV4
    doubt: str = ""
    transit_gateway_id: str | None = None
    families: tuple[Ranges, ...] = (ALL_IPV4,)

    @property
    def group_ids(self) -> tuple[str, ...]:
        """Every security group packets may carry as their source."""
        sources = (*self.present, *self.possible, *self.wide)
        return tuple(sorted({group for source in sources for group in source.groups}))


_FAMILIES = {
    "ipv4": (ALL_IPV4,),
    "ipv6": (ALL_IPV6,),
    "dual-stack": (ALL_IPV4, ALL_IPV6),
}


def associations_of(network: Network, endpoint_id: str) -> tuple[Association, ...]:
    """Return where clients of an endpoint land; none where it has no association in force."""
    endpoint = network.endpoints[endpoint_id]
    if endpoint["status"] == "deleted":
        return ()
    place = (endpoint["account"], endpoint["region"])
    traffic = endpoint["traffic_ip_address_type"]
    # AWS's default is ipv4, also of endpoints older than the setting; a new word may mean anything.
    families = _FAMILIES.get(traffic or "ipv4", (ALL_IPV4, ALL_IPV6))
    if endpoint["attachment"] == "transit_gateway":
        block = endpoint["client_cidr_block"]
        return (
            Association(
                endpoint_id=endpoint_id,
                place=place,
                subnet_id=None,
                vpc_id=None,
                wide=(Source(groups=()),),
                range=addresses(block) if block else ALL_IPV4,
                doubt=said(marked("what the transit gateway does with it was not read")),
                transit_gateway_id=endpoint["transit_gateway_id"],
                families=families,
            ),
        )
    read = network.reads("client_vpn_target_networks", place, endpoint_id)
    enis = network.endpoint_enis.get(endpoint_id, [])
    if read:
        held = [
            (row["subnet_id"], row["vpc_id"], row["security_group_ids"])
            for row in network.target_networks.get(endpoint_id, ())
            if row["status"] not in _NOT_IN_FORCE
        ]
        changing = {
            row["subnet_id"]: said(
                marked("the association of {subnet} is {status}"),
                subnet=row["subnet_id"],
                status=status_word(row),
            )
            for row in network.target_networks.get(endpoint_id, ())
            if row["status"] not in {"associated", *_NOT_IN_FORCE}
        }
        doubt = ""
    else:
        routed = {row["target_subnet"] for row in network.endpoint_routes.get(endpoint_id, ())}
        subnets = ({eni["subnet_id"] for eni in enis} | routed) - {None, "local"}
        held = [(subnet, endpoint["vpc_id"], ()) for subnet in sorted(subnets)]
        held = held or [(None, endpoint["vpc_id"], ())]
        changing, doubt = {}, said(marked("the endpoint's associations could not be read"))
    if traffic and traffic not in _FAMILIES:
        doubt = doubt or said(
            marked("what traffic the endpoint carries ({traffic}) is not known"), traffic=traffic
        )
    if endpoint["status"] not in {"available", "pending-associate"}:
        doubt = doubt or said(marked("the endpoint is {status}"), status=status_word(endpoint))
    if not network.reads("network_interfaces", place):
        doubt = doubt or said(marked("the endpoint's interfaces could not be read"))
    return tuple(
        _association(
            network, endpoint, one, families=families, doubt=doubt or changing.get(one[0], "")
        )
        for one in sorted(held, key=str)
    )


def _association(
    network: Network,
    endpoint: dict[str, Any],
    held: tuple[str | None, str | None, Sequence[str]],
    *,
    families: tuple[Ranges, ...],
    doubt: str,
) -> Association:
    subnet_id, vpc_id, applied = held
    subnet = network.subnets.get(subnet_id or "", {})
    vpc_id = vpc_id or subnet.get("vpc_id") or endpoint["vpc_id"]
    enis = network.endpoint_enis.get(endpoint["endpoint_id"], ())
    here = [eni for eni in enis if eni["subnet_id"] == subnet_id]
    present: list[Source] = []
    possible: list[Source] = []
    # An interface that names no endpoint is another's where that one's associations were not read.
    place = (endpoint["account"], endpoint["region"])
    all_read = network.reads_all("client_vpn_target_networks", place)
    for eni in here:
        groups = network.groups_of_eni.get(eni["eni_id"], ())
        address = addresses(eni["private_ip"]).spans[0][0] if eni["private_ip"] else None
        source = Source(groups, address, eni["eni_id"], groups_known=bool(groups))
        certain = eni["certain"] and (all_read or eni["joined_by"] == "description")
        (present if certain and address is not None else possible).append(source)
    carried = {source.groups for source in present}
    if not carried:
        default = network.default_groups.get(vpc_id or "")
        groups = tuple(applied or endpoint["security_group_ids"] or ([default] if default else []))
        # Interfaces may carry other groups than what is applied: where none could be read, any.
        seen = network.reads("network_interfaces", place)
        wide = [Source(groups=tuple(sorted(groups)), groups_known=bool(groups) and seen)]
        # Nor is it known which of several interfaces is its own: what is reliable holds for each.
        others = {(source.groups, source.groups_known) for source in possible}
        wide += [
            Source(groups=held_by, groups_known=known)
            for held_by, known in sorted(others)
            if (held_by, known) != (wide[0].groups, wide[0].groups_known)
        ]
    else:
        wide = [Source(groups, groups_known=bool(groups)) for groups in sorted(carried)]
    return Association(
        endpoint_id=endpoint["endpoint_id"],
        place=place,
        subnet_id=subnet_id,
        vpc_id=vpc_id,
        present=tuple(present),
        possible=tuple(possible),
        wide=tuple(wide),
        range=addresses(subnet["cidr_block"]) if subnet.get("cidr_block") else ALL_IPV4,
        doubt=doubt,
        families=families,
    )


@dataclass(frozen=True, slots=True)
class Step:
    """What the hops before a receiver say of a stretch of destinations that they treat alike."""

    where: Ranges
    groups: tuple[str, ...]
    authorization: Passage
    route: Passage
    local: bool
    exit: Exit
    vpc_id: str | None
    references: bool | None
    leaves: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The ports of a receiver that are reached, by certainty; the three do not overlap."""

    reliable: Ranges
    fragile: Ranges
    unknown: Ranges

    def __bool__(self) -> bool:
        return bool(self.reliable or self.fragile or self.unknown)

    def by_certainty(self) -> tuple[tuple[Certainty, Ranges], ...]:
        """Return the ports of each certainty."""
        return (
            ("reliable", self.reliable),
            ("fragile", self.fragile),
            ("unknown", self.unknown),
        )


class Way:
    """The way of packets from one association: each hop can be asked, alone or all together.

    Addresses are numbers on the line of :mod:`auditlib.addresses`.
    """

    def __init__(self, network: Network, association: Association) -> None:
        self.network = network
        self.association = association
        id, place = association.endpoint_id, association.place
        self.endpoint = network.endpoints[id]
        rules = [r for r in network.authorization_rules.get(id, ()) if may_hold(r)]
        self._authorizations = Prefixes((row["destination_cidr"], row) for row in rules)
        self.authorizations_read = network.reads("client_vpn_authorization_rules", place, id)
        self.groups = (EVERYONE, *sorted({row["group_id"] for row in rules} - {None}))
        routes = [r for r in network.endpoint_routes.get(id, ()) if may_hold(r)]
        self._routes = Prefixes((row["destination_cidr"], row) for row in routes)
        self.routes_read = network.reads("client_vpn_routes", place, id)
        self._inbound: dict[Any, Inbound] = {}
        self._egress: dict[Any, Passage] = {}
        self._own_acl: dict[int, Passage] = {}
        self._out: dict[Any, tuple[Ranges, Ranges]] = {}
        self._arriving: dict[Any, tuple[Ranges, Ranges]] = {}
        self._let_in: dict[Any, tuple[Ranges, Ranges]] = {}
        self._naming: dict[tuple[str, ...], bool] = {}
        self._cuts: dict[Any, list[int]] = {}
        self._routings: dict[int, tuple[set[str], list[dict[str, Any]]]] = {}

    # -- the hops, one by one ---------------------------------------------------------------------

    def authorization_levels(self, address: int) -> Iterable[list[dict[str, Any]]]:
        """Return the authorization rules that hold an address, the narrowest network first."""
        return self._authorizations.at(address)

    def winning(self, address: int) -> list[dict[str, Any]]:
        """Return the authorization rules in force that decide about an address."""
        for level in self._authorizations.at(address):
            if held := [row for row in level if _in_force(row)]:
                return held
        return []

    def authorization(self, address: int, group: str) -> Passage:
        """Return whether a user of a group is authorized for an address.

        A rule that is being made or taken away may hold or not: both are thought through.
        """
        if not self.authorizations_read:
            return unread(said(marked("the endpoint's authorization rules could not be read")))
        admitting: list[dict[str, Any]] = []
        doubt = ""
        for level in self._authorizations.at(address):
            mine = [row for row in level if row["access_all"] or row["group_id"] == group]
            held = [row for row in mine if _in_force(row)]
            admitting += held or mine
            if held:
                sure = NONE if doubt else ALL_PORTS
                return Passage(sure, ALL_PORTS, _labels(admitting), doubt)
            if any(_in_force(row) for row in level):
                break
            taking = next((row for row in level if row not in mine), None)
            if taking is not None and not doubt:
                doubt = said(
                    marked("{rule}, a narrower rule, is {status}"),
                    rule=authorization_label(taking),
                    status=status_word(taking),
                )
        if not admitting:
            return closed(said(marked("no authorization rule that decides here is for this user")))
        why = said(
            marked("{rule} is {status}"),
            rule=authorization_label(admitting[0]),
            status=status_word(admitting[0]),
        )
        if doubt and doubt != why:
            why = said(marked("{doubt}; {other}"), doubt=doubt, other=why)
        return Passage(NONE, ALL_PORTS, _labels(admitting), why)

    def authorized(self, address: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the groups whose users are authorized for an address, and those who may be."""
        if not self.authorizations_read:
            return (), (EVERYONE,)
        first = next(self._authorizations.at(address), [])
        if all(_in_force(row) for row in first):
            if any(row["access_all"] for row in first):
                return self.groups, ()
            return tuple(sorted({row["group_id"] for row in first} - {None})), ()
        found = {group: self.authorization(address, group) for group in self.groups}
        return (
            tuple(group for group, passage in found.items() if passage.sure),
            tuple(group for group, passage in found.items() if passage.maybe and not passage.sure),
        )

    def endpoint_route(self, address: int) -> Passage:
        """Return what the endpoint's routes to this association's subnet, or gateway, let through.

        A route of another association with a longer prefix leaves it unknown: how AWS decides
        between overlapping routes with different targets is not documented.
        """
        outcomes, rows = self._routed(address)
        if not self.routes_read or (self._is_nowhere and outcomes != {"local"}):
            return unread(said(marked("the endpoint's routes could not be read")))
        if not {"here", "overlapped"} & outcomes:
            return closed(said(marked("no active route of this association leads there")))
        sure = ALL_PORTS if outcomes == {"here"} else NONE
        return Passage(sure, ALL_PORTS, self._route_labels(rows, "here"), self._route_doubt(rows))

    def client_route(self, address: int) -> Passage:
        """Return what the endpoint's routes to its own clients ("local") let through."""
        if not self.routes_read:
            block = self.endpoint["client_cidr_block"]
            if address >= 2**32 or not block or address in addresses(block):
                return unread(said(marked("the endpoint's routes could not be read")))
        outcomes, rows = self._routed(address)
        if "local" not in outcomes:
            return closed(
                said(marked("no active route of this endpoint leads to its clients there"))
            )
        sure = ALL_PORTS if outcomes == {"local"} and self.routes_read else NONE
        return Passage(sure, ALL_PORTS, self._route_labels(rows, "local"), self._route_doubt(rows))

    @property
    def _is_nowhere(self) -> bool:
        """Tell whether it is not known which subnet the association is of."""
        association = self.association
        return association.subnet_id is None and not association.transit_gateway_id

    def _leads(self, row: dict[str, Any]) -> str:
        """Return where a route leads: ``here``, ``local`` or ``other``."""
        if row["target_subnet"] == "local":
            return "local"
        mine = self.association.transit_gateway_id or row["target_subnet"] == (
            self.association.subnet_id
        )
        return "here" if mine else "other"

    def _is_untold(self, row: dict[str, Any]) -> bool:
        """Tell whether it is not known where a route leads; those of a transit gateway lead there."""
        return not (
            row["target_subnet"]
            or row["transit_gateway_attachment_id"]
            or self.association.transit_gateway_id
        )

    def _routed(self, address: int) -> tuple[set[str], list[dict[str, Any]]]:
        """Return what may come of a packet, and the routes that were asked.

        ``here``, ``overlapped`` (here, but another target has a longer prefix), ``local`` or
        ``none``; more than one where a route is being made or taken away: any of those may hold.
        """
        found = self._routings.get(address)
        if found is not None:
            return found
        outcomes: set[str] = set()
        rows: list[dict[str, Any]] = []
        states = {False}
        for level in self._routes.at(address):
            rows += level
            sure = {
                self._leads(row) for row in level if _in_force(row) and not self._is_untold(row)
            }
            maybe = {self._leads(row) for row in level} - sure
            if any(map(self._is_untold, level)):
                maybe |= {"here", "local", "other"} - sure
            states = {
                after
                for overlapped in states
                for present in _subsets(sure, maybe)
                if (after := _after(present, overlapped, outcomes)) is not None
            }
            if not states:
                break
        if states:
            outcomes.add("none")
        self._routings[address] = outcomes, rows
        return outcomes, rows

    def _route_labels(
        self, rows: Iterable[dict[str, Any]], leads: str
    ) -> tuple[tuple[str, Ranges], ...]:
        """Return the label of the first route in force that leads so, and of those changing before."""
        labels = []
        for row in rows:
            if self._leads(row) == leads or self._is_untold(row):
                target = row["target_subnet"] or row["transit_gateway_attachment_id"]
                label = said(
                    marked("{destination} to {target}"),
                    destination=row["destination_cidr"],
                    target=target,
                )
                labels.append((label, ALL_PORTS))
                if _in_force(row):
                    break
        return tuple(labels)

    def _route_doubt(self, rows: Iterable[dict[str, Any]]) -> str:
        """Return why it is not certain where a packet goes."""
        for row in rows:
            target = row["target_subnet"] or row["transit_gateway_attachment_id"]
            if self._is_untold(row):
                return said(
                    marked("where the route {destination} leads was not told"),
                    destination=row["destination_cidr"],
                )
            if not _in_force(row):
                return said(
                    marked("the route {destination} to {target} is {status}"),
                    destination=row["destination_cidr"],
                    target=target,
                    status=status_word(row),
                )
            if self._leads(row) == "other":
                return said(
                    marked("the longer route {destination} to {target} has another target"),
                    destination=row["destination_cidr"],
                    target=target,
                )
            if self._leads(row) == "here":
                break
        return ""

    def egress(
        self,
        source: Source,
        address: int,
        groups: tuple[str, ...] | None,
        references: bool | None,
    ) -> Passage:
        """Return what the endpoint's security groups let out to an address.

        Parameters
        ----------
        groups
            Security groups on the receiver; ``None`` for what lies outside of what was read, which
            may carry any.
        references
            Whether rules that name a group work on this way; ``None`` when not known.
        """
        if self.association.transit_gateway_id:
            return OPEN
        if groups and not self._names_groups(source.groups):
            groups = ()
        key = (source.groups, source.groups_known, address, groups, references)
        found = self._egress.get(key)
        if found is None:
            found = self._egress[key] = _lets(
                self.network,
                {g: self.network.rules.of(g, is_egress=True) for g in source.groups},
                address,
                groups,
                references=references,
                known=source.groups_known,
            )
        return found

    def _names_groups(self, groups: tuple[str, ...]) -> bool:
        """Tell whether an outbound rule of these groups names a group: else receivers' are equal."""
        found = self._naming.get(groups)
        if found is None:
            rules = self.network.rules
            found = self._naming[groups] = any(
                rules.rule(position).referenced_group_id is not None
                for group in groups
                for position in rules.of(group, is_egress=True)
            )
        return found

    def own_acl(self, address: int) -> Passage:
        """Return what the network ACL of the association's subnet lets out, and back in."""
        if self.association.transit_gateway_id:
            return OPEN
        found = self._own_acl.get(address)
        if found is None:
            found = self._own_acl[address] = self._acl(
                self.association.subnet_id, address, out=True
            )
        return found

    def inside(self, address: int) -> bool:
        """Tell whether an address is one of the association's own subnet."""
        subnet = self.network.subnets.get(self.association.subnet_id or "", {})
        return any(address in addresses(block) for block in _blocks(subnet))

    def vpc_route(self, address: int) -> Exit:
        """Return where the route table of the association's subnet sends a packet."""
        gateway = self.association.transit_gateway_id
        if gateway:
            return Exit("transit_gateway", gateway, gateway, sure=False)
        id, vpc = self.association.subnet_id, self.association.vpc_id
        subnet = self.network.subnets.get(id or "")
        if self.inside(address):
            # Inside one subnet no route table is asked.
            return Exit("local", "local", said(marked("inside {subnet}"), subnet=id))
        exit = self.network.route(id, vpc, address)
        peering = self.network.peerings.get((exit.target_id, vpc or ""))
        if peering is not None and peering.doubt:
            exit = replace(exit, doubt=peering.doubt)
        if subnet is None and exit.kind != "local" and self.network.is_local(id, vpc, address):
            why = said(marked("which addresses {subnet} holds could not be read"), subnet=id)
            return Exit("unknown", exit.target_id, exit.label, False, why)
        return exit

    def receiver_acl(self, subnet_id: str, address: int) -> Passage:
        """Return what the network ACL of a receiver's subnet lets in from a source, and back out."""
        if subnet_id == self.association.subnet_id:
            return OPEN
        return self._acl(subnet_id, address, out=False)

    def _acl(self, subnet_id: str | None, remote: int, *, out: bool) -> Passage:
        id = self.network.acl(subnet_id)
        if id is None:
            return unread(
                said(marked("the network ACL of {subnet} could not be read"), subnet=subnet_id)
            )
        forth, admits = self.network.acl_lets(id, is_egress=out, remote=remote)
        back, _ = self.network.acl_lets(id, is_egress=not out, remote=remote)
        sure, maybe = answerable(back)
        alike = forth & sure == forth & maybe
        why = "" if alike else said(marked("{acl} lets only some answers pass"), acl=id)
        return Passage(forth & sure, forth & maybe, admits, why)

    def return_route(self, subnet_id: str, vpc_id: str, address: int, exit: Exit) -> Passage:
        """Return whether the receiver's route table leads back to a source."""
        if subnet_id == self.association.subnet_id:
            return OPEN
        if address >= 2**32:
            return unread(said(marked("how answers to IPv6 clients travel is not documented")))
        back = self.network.route(subnet_id, vpc_id, address)
        label = ((back.label, ALL_PORTS),)
        if exit.kind == "unknown" or not back.sure:
            return Passage(NONE, ALL_PORTS, label, back.why)
        if (back.kind, back.target_id) == (exit.kind, exit.target_id):
            return Passage(ALL_PORTS, ALL_PORTS, label)
        if back.kind in {"none", "blackhole", "local"}:
            return closed(said(marked("{table} has no route back"), table=back.label or subnet_id))
        another = said(marked("{route} leads back another way"), route=back.label)
        if exit.kind == "transit_gateway":
            return closed(another)
        return Passage(NONE, ALL_PORTS, label, another)

    def ingress(
        self, groups: tuple[str, ...], source: Source, address: int, references: bool | None
    ) -> Passage:
        """Return what a receiver's security groups let in from a source at an address."""
        if not groups:
            return unread(said(marked("no security group filters this interface")))
        return _lets(
            self.network,
            {group: self.admitting.get(group, ()) for group in groups},
            address,
            source.groups if source.groups_known else None,
            references=references,
        )

    @cached_property
    def admitting(self) -> dict[str, list[int]]:
        """By receiver's group, the inbound rules that packets from here can match at all."""
        source = NONE
        for family in self.association.families:
            source |= self.association.range if family is ALL_IPV4 else ALL_IPV6
        for held in (*self.association.present, *self.association.possible):
            source |= NONE if held.address is None else Ranges(((held.address, held.address),))
        unsure = any(not held.groups_known for held in self.association.wide)
        groups = self.network.rules.group_ids if unsure else self.association.group_ids
        return self.network.rules.admitting(source, groups)

    # -- together ---------------------------------------------------------------------------------

    @cached_property
    def points(self) -> list[int]:
        """The addresses at which a hop before the receiver may change its mind."""
        association, network = self.association, self.network
        found = self._authorizations.points | self._routes.points
        if not self.routes_read and self.endpoint["client_cidr_block"]:
            clients = addresses(self.endpoint["client_cidr_block"])
            found = found | {p for first, last in clients.spans for p in (first, last + 1)}
        if association.subnet_id is not None:
            found |= network.route_points(association.subnet_id, association.vpc_id)
            found |= network.acl_points(association.subnet_id)
            for block in _blocks(network.subnets.get(association.subnet_id, {})):
                found |= {
                    point for first, last in addresses(block).spans for point in (first, last + 1)
                }
        for group in association.group_ids:
            for position in network.rules.of(group, is_egress=True):
                peers = network.rules.rule(position).peers
                for first, last in peers.spans if peers else ():
                    found |= {first, last + 1}
        return sorted(found)

    @cached_property
    def steps(self) -> list[Step]:
        """The destinations some user may be authorized for and routed to, in stretches.

        A stretch comes more than once where groups are authorized for certain and others only
        perhaps, and where it is not certain whether packets go to the VPC or to other clients.
        """
        found = []
        for family in self.association.families:
            for where in family.cut(self.points):
                address = where.spans[0][0]
                for groups in self.authorized(address):
                    if not groups:
                        continue
                    for local in (False, True):
                        route = (self.client_route if local else self.endpoint_route)(address)
                        if route.maybe:
                            found.append(self._step(where, groups, route, local=local))
        return found

    def _step(self, where: Ranges, groups: tuple[str, ...], route: Passage, *, local: bool) -> Step:
        address = where.spans[0][0]
        authorization = self.authorization(address, groups[0])
        if local:
            exit = Exit("client_vpn", "local", "local")
            return Step(where, groups, authorization, route, True, exit, None, None, "")
        exit = self.vpc_route(address)
        vpc, references, leaves = self.destination(exit)
        return Step(where, groups, authorization, route, False, exit, vpc, references, leaves)

    def destination(self, exit: Exit) -> tuple[str | None, bool | None, str]:
        """Return the VPC an exit leads to, whether group references work there, and what is unseen.

        The last is a sentence on traffic that leaves what was read, or whose receivers could not
        be listed; empty where every receiver was seen, or nothing can pass.
        """
        if exit.kind in {"none", "blackhole"}:
            return None, None, ""
        vpc, references, leaves = None, None, ""
        if exit.kind == "local":
            vpc, references = self.association.vpc_id, True
        elif exit.kind == "unknown":
            vpc = self.association.vpc_id
            leaves = said(marked("leaves what was read: {why}"), why=exit.why)
        elif exit.kind == "vpc_peering_connection":
            vpc, references, leaves = self._peer(exit.target_id)
        else:
            leaves = said(
                marked("leaves what was read through {target}"), target=exit.target_id or exit.kind
            )
        if not exit.sure and not leaves:
            leaves = said(marked("leaves what was read: {why}"), why=exit.why)
        if vpc is not None and not leaves:
            places = self.network.vpc_places.get(vpc) or {self.association.place}
            if not all(self.network.reads("network_interfaces", place) for place in places):
                leaves = said(marked("the interfaces of {vpc} could not be read"), vpc=vpc)
            elif not self.network.shows_all_of(vpc):
                leaves = said(
                    marked(
                        "{vpc} belongs to an account that was not read: not all interfaces there are shown"
                    ),
                    vpc=vpc,
                )
        return vpc, references, leaves

    def _peer(self, id: str) -> tuple[str | None, bool | None, str]:
        peering = self.network.peerings.get((id, self.association.vpc_id or ""))
        if peering is None:
            if self.network.reads("vpc_peering_connections", self.association.place):
                return None, None, ""
            unseen = marked("leaves what was read through {target}: the peering could not be read")
            return None, None, said(unseen, target=id)
        if not peering.active:
            return None, None, ""
        if peering.vpc_id not in self.network.vpc_places:
            leaves = said(
                marked("leaves what was read through {target}: {vpc} was not read"),
                target=id,
                vpc=peering.vpc_id,
            )
            return None, peering.same_region, leaves
        return peering.vpc_id, peering.same_region, ""

    def inbound(self, kind: Kind, source: Source, step: Step, family: Ranges) -> "Inbound":
        """Return what passes the hops at the receiver, by the address packets come from."""
        vpc, subnet, groups = kind
        how = (step.exit.kind, step.exit.target_id, step.references, family)
        key = (subnet, groups, source.groups, source.groups_known, *how)
        found = self._inbound.get(key)
        if found is None:
            area = self.association.range if family is ALL_IPV4 else ALL_IPV6
            points = self._source_points(vpc, subnet, groups, area)
            pieces = area.cut(points) if points else (area,)
            found = self._inbound[key] = Inbound(
                tuple(
                    (piece, self._received(kind, source, step, piece.spans[0][0]))
                    for piece in pieces
                )
            )
        return found

    def _source_points(
        self, vpc: str, subnet: str, groups: tuple[str, ...], area: Ranges
    ) -> list[int]:
        """Return the addresses at which a receiver may treat sources differently."""
        points: list[int] = []
        for key in (("subnet", subnet, vpc), *(("group", group, "") for group in groups)):
            found = self._cuts.get((key, area))
            if found is None:
                every: Iterable[int] = ()
                if key[0] == "group":
                    every = (
                        point
                        for position in self.admitting.get(key[1], ())
                        for first, last in (self._rule(position).peers or NONE).spans
                        for point in (first, last + 1)
                    )
                elif subnet != self.association.subnet_id:
                    every = self.network.acl_points(subnet) | self.network.route_points(subnet, vpc)
                low, high = area.spans[0][0], area.spans[-1][1]
                found = [point for point in every if low < point <= high]
                self._cuts[key, area] = found
            if found:
                points += found
        return points

    def _rule(self, position: int) -> Rule:
        return self.network.rules.rule(position)

    def receiver_hops(
        self, kind: Kind, source: Source, step: Step, address: int
    ) -> tuple[tuple[str, Passage], ...]:
        """Return the hops at a receiver, for packets that come from an address."""
        vpc, subnet, groups = kind
        return (
            ("receiver network ACL", self.receiver_acl(subnet, address)),
            ("return route", self.return_route(subnet, vpc, address, step.exit)),
            ("ingress", self.ingress(groups, source, address, step.references)),
        )

    def _received(
        self, kind: Kind, source: Source, step: Step, address: int
    ) -> tuple[Ranges, Ranges]:
        """Return what passes all hops at a receiver; each part of the answer is worked out once."""
        vpc, subnet, groups = kind
        key = (subnet, vpc, address, step.exit.kind, step.exit.target_id)
        found = self._arriving.get(key)
        if found is None:
            acl = self.receiver_acl(subnet, address)
            back = self.return_route(subnet, vpc, address, step.exit)
            found = self._arriving[key] = (acl.sure & back.sure, acl.maybe & back.maybe)
        sure, maybe = NONE, NONE
        for group in groups or (None,):
            one, other = self._group_lets_in(group, source, step.references, address)
            sure, maybe = sure | one, maybe | other
        return found[0] & sure, found[1] & maybe

    def _group_lets_in(
        self, group: str | None, source: Source, references: bool | None, address: int
    ) -> tuple[Ranges, Ranges]:
        """Return what one of a receiver's security groups lets in: groups add up."""
        key = (group, source.groups, source.groups_known, references, address)
        found = self._let_in.get(key)
        if found is None:
            held = () if group is None else (group,)
            hop = self.ingress(held, source, address, references)
            found = self._let_in[key] = (hop.sure, hop.maybe)
        return found

    @cached_property
    def _sources(self) -> "list[Sources]":
        """The sources of packets, put together where their security groups are the same."""
        association = self.association
        found: dict[tuple[tuple[str, ...], bool], Sources] = {}
        for sources, name in (
            (association.wide, "wide"),
            (association.present, "present"),
            (association.possible, "possible"),
        ):
            for source in sources:
                key = (source.groups, source.groups_known)
                one = found.setdefault(key, Sources(source))
                if name == "wide":
                    one.wide = True
                else:
                    getattr(one, name).append(source.address)
        return list(found.values())

    def _outward(
        self, step: Step, source: Source, groups: tuple[str, ...], *, same: bool
    ) -> tuple[Ranges, Ranges]:
        """Return what the endpoint's security groups and its subnet's network ACL let out."""
        if not self._names_groups(source.groups):
            groups = ()
        key = (step.where, source.groups, source.groups_known, groups, same)
        found = self._out.get(key)
        if found is None:
            address = step.where.spans[0][0]
            egress = self.egress(source, address, groups, step.references)
            acl = OPEN if same else self.own_acl(address)
            found = self._out[key] = (egress.sure & acl.sure, egress.maybe & acl.maybe)
        return found

    def verdict(self, step: Step, kind: Kind, address: int) -> Verdict:
        """Return the ports reached at a receiver of this kind, at an address of this step."""
        association = self.association
        family = ALL_IPV4 if address < 2**32 else ALL_IPV6
        same = kind[1] == association.subnet_id
        seen = bool(association.present) and family is ALL_IPV4
        reliable, fragile, maybe = ALL_PORTS, NONE, NONE
        for group in self._sources:
            out, may_out = self._outward(step, group.source, kind[2], same=same)
            inbound = self.inbound(kind, group.source, step, family) if may_out else _NOTHING
            if group.wide:
                reliable &= out & inbound.sure
                if not seen:
                    maybe |= may_out & inbound.maybe
            if family is ALL_IPV6:
                continue
            for where in group.present:
                sure_in, may_in = inbound.at(where)
                fragile |= out & sure_in
                maybe |= may_out & may_in
            for place in group.possible:
                maybe |= may_out & inbound.at(place)[1]
        if (
            association.doubt
            or not step.exit.sure
            or step.exit.doubt
            or step.route.sure != ALL_PORTS
            or step.authorization.sure != ALL_PORTS
            or family is ALL_IPV6
        ):
            return Verdict(NONE, NONE, maybe | reliable | fragile)
        return Verdict(reliable, fragile - reliable, maybe - fragile - reliable)

    def leaving(self, step: Step) -> Ranges:
        """Return the ports that may leave what was read, at the addresses of a step."""
        address = step.where.spans[0][0]
        if step.local:
            return ALL_PORTS
        if not step.leaves:
            return NONE
        found = NONE
        association = self.association
        for source in (*association.present, *association.possible) or association.wide:
            found |= self.egress(source, address, None, None).maybe
        # Inside one subnet no network ACL is asked.
        return found if self.inside(address) else found & self.own_acl(address).maybe

    # -- everything that is reached ---------------------------------------------------------------

    @cached_property
    def cases(self) -> "list[Case]":
        """What is reached, or may be: receivers that are judged alike, judged once."""
        steps = [step for step in self.steps if not step.local]
        # Stretches of one kind do not overlap.
        sure = [step for step in steps if step.authorization.sure]
        maybe = [step for step in steps if not step.authorization.sure]
        with uncollected():
            return [*self._cases(sure), *self._cases(maybe)]

    def _cases(self, steps: Sequence[Step]) -> "list[Case]":
        found = []
        receivers = self.network.receivers
        members: dict[tuple[int, int], list[tuple[int, str]]] = defaultdict(list)
        starts = np.array([s.where.spans[0][0] for s in steps if s.where <= ALL_IPV4], np.int64)
        ends = np.array([s.where.spans[0][1] for s in steps if s.where <= ALL_IPV4], np.int64)
        kinds = max(len(receivers.kinds), 1)
        for vpc in self._vpcs(steps):
            here = receivers.by_vpc.get(vpc)
            if here is None or not len(starts):
                continue
            goes = np.array([self._ends_in(step, vpc) for step in steps[: len(starts)]], dtype=bool)
            address = receivers.address[here]
            at = np.searchsorted(starts, address, side="right") - 1
            inside = (at >= 0) & (address <= ends[at]) & goes[at]
            key = at[inside] * kinds + receivers.kind[here][inside]
            order = np.argsort(key, kind="stable")
            distinct, bounds = np.unique(key[order], return_index=True)
            positions = here[inside][order]
            if not len(distinct):
                continue
            for number, part in zip(
                distinct.tolist(), np.split(positions, bounds[1:]), strict=True
            ):
                step, kind = steps[number // kinds], receivers.kinds[number % kinds]
                first = int(receivers.address[part[0]])
                verdict = self.verdict(step, kind, first)
                if verdict:
                    found.append(Case(step, kind, verdict, part))
        for odd in receivers.odd:
            kind = receivers.kinds[odd.kind]
            for number, step in enumerate(steps):
                shared = odd.where & step.where
                if shared and self._ends_in(step, kind[0]):
                    members[number, odd.kind] += ((odd.eni, text) for text in cidrs(shared))
        for (number, at_kind), held in members.items():
            step, kind = steps[number], receivers.kinds[at_kind]
            verdict = self.verdict(step, kind, step.where.spans[0][0])
            if verdict:
                found.append(Case(step, kind, verdict, _NO_POSITIONS, tuple(held)))
        return found

    def _vpcs(self, steps: Sequence[Step]) -> list[str]:
        if self.association.transit_gateway_id:
            return list(self.network.receivers.by_vpc)
        return sorted({step.vpc_id for step in steps if step.vpc_id is not None})

    def _ends_in(self, step: Step, vpc_id: str) -> bool:
        return step.vpc_id == vpc_id or self.association.transit_gateway_id is not None

    @cached_property
    def departures(self) -> "list[Leaving]":
        """What leaves what was read, reaches other clients, or receivers that were not listed."""
        found = []
        for step in self.steps:
            on = self.leaving(step)
            if on:
                found.append(Leaving(step, on))
        return found

    def admitting_rules(self, case: "Case", on: Ranges) -> set[str]:
        """Return the receivers' inbound rules that admit some of these ports in a case."""
        address = case.step.where.spans[0][0]
        family = ALL_IPV4 if address < 2**32 else ALL_IPV6
        found: set[str] = set()
        present = (*self.association.present, *self.association.possible)
        for source in present or self.association.wide:
            for where, (_, maybe) in self.inbound(case.kind, source, case.step, family).parts:
                here = source.address is None or source.address in where
                if here and maybe & on:
                    hop = self.ingress(
                        case.kind[2], source, where.spans[0][0], case.step.references
                    )
                    found |= {label for label, admitted in hop.admits if admitted & on}
        return found

    def departure_certainty(self, step: Step, group: str) -> Certainty:
        """Return how sure it is that traffic of a group departs: only client to client can be."""
        if not step.local or self.association.doubt or step.route.sure != ALL_PORTS:
            return "unknown"
        if self.authorization(step.where.spans[0][0], group).sure != ALL_PORTS:
            return "unknown"
        # Group rules are not supported between clients, AWS says; what they do then, it does not.
        rules = self.winning(step.where.spans[0][0])
        return "reliable" if any(row["access_all"] for row in rules) else "unknown"

    def via(
        self, step: Step, group: str, on: Ranges, kind: Kind | None, certainty: Certainty
    ) -> tuple[str, ...]:
        """Return the hops, each with the ids of what admits some of these ports, in words."""
        told: dict[str, dict[str, None]] = {}
        doubts: dict[str, None] = {}
        same = kind is not None and kind[1] == self.association.subnet_id

        def tell(name: str, hop: Passage) -> None:
            told.setdefault(name, {}).update(
                {label: None for label, admitted in hop.admits if label and admitted & on}
            )
            if hop.why and certainty == "unknown" and not on <= hop.sure:
                doubts[hop.why] = None

        address = step.where.spans[0][0]
        tell("authorization", self.authorization(address, group))
        tell("endpoint route", step.route)
        if step.local:
            crossed = said(marked("client to client: no security group is crossed"))
            return (*_steps(told), crossed, *_unknown(doubts))
        present = (*self.association.present, *self.association.possible)
        sources = self.association.wide if certainty == "reliable" or not present else present
        for source in sources:
            groups = kind[2] if kind else None
            references = step.references if kind else None
            tell("egress", self.egress(source, address, groups, references))
        if not same:
            tell("network ACL", self.own_acl(address))
        told["VPC route"] = {step.exit.label: None} if step.exit.label else {}
        if certainty == "unknown":
            doubts |= {why: None for why in (step.exit.why, step.exit.doubt) if why}
        if kind is None:
            return (*_steps(told), step.leaves)
        family = ALL_IPV4 if address < 2**32 else ALL_IPV6
        for source in sources:
            inbound = self.inbound(kind, source, step, family)
            for where, (_, maybe) in inbound.parts:
                here = source.address is None or certainty == "reliable" or source.address in where
                if here and maybe & on:
                    at = where.spans[0][0]
                    for name, hop in self.receiver_hops(kind, source, step, at):
                        tell(name, hop)
        if certainty == "unknown" and self.association.doubt:
            doubts[self.association.doubt] = None
        return (*_steps(told), *_unknown(doubts))


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector off while many small objects are made, none of them in cycles.

    On a big account it would walk through all tables again and again: half of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _steps(told: Mapping[str, Mapping[str, None]]) -> tuple[str, ...]:
    return tuple(f"{name}: {', '.join(labels)}" for name, labels in told.items() if labels)


def _unknown(doubts: Iterable[str]) -> Iterator[str]:
    return (said(marked("unknown: {doubt}"), doubt=doubt) for doubt in doubts)


@dataclass(frozen=True, slots=True)
class Case:
    """Receivers of one kind at destinations of one step, and what is reached there.

    ``positions`` are rows of the receivers' arrays; ``odd`` pairs an interface's number with an
    IPv6 address or a delegated prefix.
    """

    step: Step
    kind: Kind
    verdict: Verdict
    positions: np.ndarray[Any, Any]
    odd: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Leaving:
    """Traffic whose receivers were not seen: where it goes is in the step."""

    step: Step
    on: Ranges


_NO_POSITIONS = np.array([], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Inbound:
    """What passes the hops at a receiver, by stretches of source addresses."""

    parts: tuple[tuple[Ranges, tuple[Ranges, Ranges]], ...]
    sure: Ranges = field(init=False)
    maybe: Ranges = field(init=False)

    def __post_init__(self) -> None:
        sure, maybe = (ALL_PORTS if self.parts else NONE), NONE
        for _, (one, other) in self.parts:
            sure, maybe = sure & one, maybe | other
        object.__setattr__(self, "sure", sure)
        object.__setattr__(self, "maybe", maybe)

    def at(self, address: int | None) -> tuple[Ranges, Ranges]:
        """Return what certainly and possibly passes from one address; from any when not known."""
        if address is None:
            return NONE, self.maybe
        for where, passing in self.parts:
            if address in where:
                return passing
        return NONE, self.maybe


_NOTHING = Inbound(())


@dataclass(slots=True)
class Sources:
    """Sources of packets that carry the same security groups."""

    source: Source
    wide: bool = False
    present: list[int | None] = field(default_factory=list)
    possible: list[int | None] = field(default_factory=list)


def _lets(
    network: Network,
    rules: Mapping[str, Sequence[int]],
    address: int,
    groups: tuple[str, ...] | None,
    *,
    references: bool | None,
    known: bool = True,
) -> Passage:
    """Return what rules of security groups let through to or from an address.

    Parameters
    ----------
    rules
        The groups that filter, each with the positions of its rules that may match.
    groups
        Groups on the other side; ``None`` when they are not known.
    references
        Whether rules that name a group work on this way; ``None`` when not known.
    known
        Whether ``rules`` holds all the groups that filter.
    """
    sure: list[tuple[int, int]] = []
    maybe: list[tuple[int, int]] = []
    admits: list[tuple[str, Ranges]] = []
    why = "" if known else said(marked("which security groups are in force is not known"))
    for group, positions in rules.items():
        if not network.knows_rules(group):
            why = said(marked("the rules of {group} could not be read"), group=group)
            known = False
        for position in positions:
            rule = network.rules.rule(position)
            if rule.referenced_group_id is not None:
                if references is False or (
                    groups is not None and rule.referenced_group_id not in groups
                ):
                    continue
                certain = groups is not None and references is True and address < 2**32
                doubt = why or said(marked("whether {rule} matches is not known"), rule=rule.id)
            elif rule.peers is None:
                certain, doubt = False, said(marked("{rule}: {why}"), rule=rule.id, why=rule.unread)
            elif address in rule.peers:
                certain, doubt = True, ""
            else:
                continue
            (sure if certain else maybe).extend(rule.ports.spans)
            admits.append((rule.id, rule.ports))
            why = why or doubt
    found = Ranges.of(sure)
    possible = ALL_PORTS if not known else Ranges.of((*sure, *maybe)) if maybe else found
    return Passage(found, possible, tuple(admits), why)


def may_hold(row: Mapping[str, Any]) -> bool:
    """Tell whether an authorization rule or route is in force, or may be."""
    return standing(row["status"]) != "gone"


def _in_force(row: Mapping[str, Any]) -> bool:
    return standing(row["status"]) == "in force"


def _labels(rules: Iterable[dict[str, Any]]) -> tuple[tuple[str, Ranges], ...]:
    return tuple((authorization_label(row), ALL_PORTS) for row in rules)


def _subsets(sure: set[str], maybe: set[str]) -> list[set[str]]:
    """Return every set that holds what is sure, and any of what may be."""
    found = [sure]
    for one in maybe:
        found += [held | {one} for held in found]
    return found


def _after(present: set[str], overlapped: bool, outcomes: set[str]) -> bool | None:
    """Return whether a packet goes on overlapped after one length of prefix; ``None`` at its end."""
    if "here" in present:
        outcomes.add("overlapped" if overlapped else "here")
        return None
    if "local" in present and not overlapped:
        outcomes.add("local")
        return None
    return overlapped or bool(present)


def _blocks(subnet: dict[str, Any]) -> list[str]:
    return [block for block in (subnet.get("cidr_block"), subnet.get("ipv6_cidr_block")) if block]


def authorization_label(row: dict[str, Any]) -> str:
    """Return how an authorization rule, which has no id, is named: network and group."""
    return said(
        marked("{destination} for {group}"),
        destination=row["destination_cidr"],
        group=said(marked("everyone")) if row["access_all"] else row["group_id"],
    )
