"""What checks need to know of reach: which interfaces are reached, and which networks end nowhere."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from auditlib.access.network import OPEN, Passage, Source
from auditlib.access.questions import Access, access_of
from auditlib.access.saying import shown
from auditlib.access.ways import EVERYONE, Case, Kind, Step, Way
from auditlib.addresses import (
    ALL_IPV4,
    ALL_IPV6,
    ALL_PORTS,
    NONE,
    Ranges,
    addresses,
    port_rows,
    ports,
)
from auditlib.check import TableSource
from auditlib.frames import frame_of_rows
from auditlib.language import marked, tr, tr_as
from auditlib.schemas import SCHEMAS
from auditlib.words import listed

__all__ = ["STOPPED_BY_OUTBOUND", "LetInto", "let_into", "opened_networks", "reached_interfaces"]

_NOBODY = np.array([], dtype=np.int64)
_TCP, _UDP = ports("tcp"), ports("udp")


def reached_interfaces(tables: TableSource) -> pd.DataFrame:
    """Return every interface that users of an endpoint reach, or may reach; one row each."""
    access = access_of(tables)
    rows = [
        row for id in sorted(access.network.endpoints) for row in _reached(access, access.ways(id))
    ]
    return frame_of_rows(SCHEMAS["reached_interfaces"], rows)


def _reached(access: Access, ways: tuple[Way, ...]) -> Iterator[dict[str, Any]]:
    """Yield an endpoint's rows; interfaces with the same cases are put together once."""
    receivers = access.network.receivers
    cases = [(way, case) for way in ways for case in way.cases]
    of_eni: dict[int, list[int]] = defaultdict(list)
    for number, (_, case) in enumerate(cases):
        enis = {*receivers.eni[case.positions].tolist(), *(eni for eni, _ in case.odd)}
        for eni in enis:
            of_eni[eni].append(number)
    together: dict[tuple[int, ...], dict[str, Any]] = {}
    for eni, numbers in sorted(of_eni.items()):
        key = tuple(numbers)
        if key not in together:
            together[key] = _put_together([cases[number] for number in numbers])
        yield together[key] | {"eni_id": receivers.eni_ids[eni]}


def _put_together(cases: list[tuple[Way, Case]]) -> dict[str, Any]:
    sure = everyone = unknown = NONE
    found: set[str] = set()
    rules: set[str] = set()
    for way, case in cases:
        verdict = case.verdict
        certain = verdict.reliable | verdict.fragile
        sure |= certain
        unknown |= verdict.unknown
        if EVERYONE in case.step.groups:
            everyone |= certain
        found |= {name for name, on in verdict.by_certainty() if on}
        rules |= way.admitting_rules(case, certain)
    way, case = cases[0]
    account, region = way.association.place
    return {
        "account": account,
        "region": region,
        "endpoint_id": way.association.endpoint_id,
        "vpc_id": case.kind[0],
        "subnets": tuple(sorted({str(w.association.subnet_id) for w, _ in cases} - {"None"})),
        "group_ids": case.kind[2],
        "rule_ids": tuple(sorted(rules)),
        "ports": _texts(sure),
        "everyone_ports": _texts(everyone),
        "unknown_ports": _texts(unknown - sure),
        "all_ports": not (_TCP - sure) or not (_UDP - sure),
        "certainty": next(c for c in ("reliable", "fragile", "unknown") if c in found),
    }


def _texts(on: Ranges) -> tuple[str, ...]:
    return tuple(
        protocol if low is None or (low, high) == (-1, -1) else f"{protocol} {low}-{high}"
        for protocol, low, high in port_rows(on)
    )


def opened_networks(tables: TableSource) -> pd.DataFrame:
    """Return every active authorization rule and route of an endpoint, and what it leads to."""
    access = access_of(tables)
    rows: list[dict[str, Any]] = []
    for id, endpoint in sorted(access.network.endpoints.items()):
        ways = access.ways(id)
        place = {name: endpoint[name] for name in ("account", "region", "endpoint_id")}
        rules = [r for r in access.network.authorization_rules.get(id, ()) if _active(r)]
        for rule in rules:
            territory = _territory(rule["destination_cidr"], rules)
            names = {"group_id": rule["group_id"], "access_all": rule["access_all"]}
            rows.append(
                place
                | names
                | {"kind": "authorization_rule", "destination_cidr": rule["destination_cidr"]}
                | _opened(access, ways, territory)
            )
        for route in access.network.endpoint_routes.get(id, ()):
            if _active(route):
                mine = [
                    way
                    for way in ways
                    if route["target_subnet"] in {way.association.subnet_id, None, "local"}
                ]
                rows.append(
                    place
                    | {"kind": "route", "target_subnet": route["target_subnet"]}
                    | {"destination_cidr": route["destination_cidr"]}
                    | _opened(access, mine, addresses(route["destination_cidr"]))
                )
    return frame_of_rows(SCHEMAS["opened_networks"], rows)


def _territory(destination_cidr: str, rules: Iterable[dict[str, Any]]) -> Ranges:
    """Return the addresses about which the rules of a network decide: those of no narrower rule."""
    whole = territory = addresses(destination_cidr)
    for other in rules:
        inner = addresses(other["destination_cidr"])
        if inner != whole and inner <= territory:
            territory -= inner
    return territory


@dataclass(frozen=True, kw_only=True)
class LetInto:
    """What the authorization rules of one network lead users of an endpoint to.

    Attributes
    ----------
    sure, perhaps
        The ids of interfaces that are reached, and of those that may be; Client VPN's own are left out.
    internet
        Whether some of it leaves to the internet.
    elsewhere
        How some of it leaves what was read otherwise, in words.
    """

    sure: tuple[str, ...]
    perhaps: tuple[str, ...]
    internet: bool
    elsewhere: tuple[str, ...]


_INTERNET = {"egress_only_internet_gateway", "internet_gateway", "nat_gateway"}


def let_into(tables: TableSource, endpoint_id: str, destination_cidr: str) -> LetInto:
    """Return what users of an endpoint get to where the authorization rules of a network decide."""
    access = access_of(tables)
    rules = [r for r in access.network.authorization_rules.get(endpoint_id, ()) if _active(r)]
    territory = _territory(destination_cidr, rules)
    own = _own_interfaces(access)
    sure, perhaps = set[str](), set[str]()
    internet, elsewhere = False, dict[str, None]()
    for way in access.ways(endpoint_id):
        for case in way.cases:
            if case.step.where & territory:
                verdict = case.verdict
                into = sure if verdict.reliable or verdict.fragile else perhaps
                into |= set(_interfaces(access, case))
        for leaving in way.departures:
            if leaving.step.where & territory:
                out = leaving.step.exit.kind in _INTERNET
                internet = internet or out
                elsewhere |= {} if out or leaving.step.local else {shown(leaving.step.leaves): None}
    return LetInto(
        sure=tuple(sorted(sure - own)),
        perhaps=tuple(sorted(perhaps - sure - own)),
        internet=internet,
        elsewhere=tuple(elsewhere),
    )


def _interfaces(access: Access, case: Case) -> Iterator[str]:
    """Yield the ids of the interfaces of a case, some of them more than once."""
    receivers = access.network.receivers
    for eni in (*receivers.eni[case.positions].tolist(), *(eni for eni, _ in case.odd)):
        yield receivers.eni_ids[eni]


def _own_interfaces(access: Access) -> set[str]:
    """Return Client VPN's own interfaces, at which nothing of the account answers."""
    return {row["eni_id"] for held in access.network.endpoint_enis.values() for row in held}


_OUTSIDE = {
    "carrier_gateway",
    "client_vpn",
    "egress_only_internet_gateway",
    "internet_gateway",
    "local_gateway",
    "nat_gateway",
    "virtual_private_gateway",
}
"""Where traffic goes that reaches no interface of a VPC, read or not."""


def _active(row: dict[str, Any]) -> bool:
    return bool(row["status"] == "active")


def _opened(access: Access, ways: Sequence[Way], territory: Ranges) -> dict[str, Any]:
    """Return what an authorized or routed territory leads to, or what stops all of it."""
    enis: set[str] = set()
    leaves = False
    unlisted: dict[str, None] = {}
    stops: dict[str, None] = {}
    for way in ways:
        steps = [step for step in way.steps if step.where & territory]
        here = {id(step) for step in steps}
        cases = [case for case in way.cases if id(case.step) in here]
        for case in cases:
            enis |= set(_interfaces(access, case))
        gone = [leaving.step for leaving in way.departures if id(leaving.step) in here]
        leaves = leaves or bool(gone)
        unlisted |= {shown(step.leaves): None for step in gone if step.exit.kind not in _OUTSIDE}
        stops[_stop(way, territory)] = None
    stopped = "" if enis or leaves or not territory else _worst(stops)
    beyond = _beyond(access, ways, territory) if stopped in STOPPED_BY_OUTBOUND else _Beyond()
    return {
        "interfaces": len(enis),
        "leaves": leaves,
        "unlisted": tr_as("list", "; ").join(unlisted) or None,
        "stopped_by": stopped or None,
        "would_reach": beyond.would_reach,
        "would_leave": beyond.would_leave,
        "also_stopped_by": beyond.also_stopped_by or None,
    }


STOPPED_BY_OUTBOUND = (
    marked(
        "the endpoint's security groups let nothing out there, nor does the network ACL of its subnet"
    ),
    marked("the endpoint's security groups let nothing out there"),
)
"""What ``stopped_by`` says where outbound rules are a part of what stops it, or all of it."""

_STOPS = (
    marked("no association of the endpoint is in force"),
    marked("no active route of the endpoint leads there"),
    marked("no active authorization rule decides there"),
    marked("the VPC's route table has no working route there"),
    marked("no interface that was read has an address there"),
    *STOPPED_BY_OUTBOUND,
    marked("the network ACL of the endpoint's subnet lets nothing out there, or no answer back in"),
    marked("no receiver there admits the endpoint"),
)
"""What can stop everything on the way to a network, from the endpoint on; shown through ``tr``."""


def _worst(stops: dict[str, None]) -> str:
    """Return the stop that is farthest along: what is left to open on the best association."""
    found = [stop for stop in _STOPS if stop in stops]
    return found[-1] if found else _STOPS[0]


def _stop(way: Way, territory: Ranges) -> str:
    routed = [piece for piece in territory.cut(way.points) if _is_routed(way, _first(piece))]
    if not routed:
        return _STOPS[1]
    steps = [step for step in way.steps if step.where & territory]
    if not steps:
        return _STOPS[2]
    led = [step for step in steps if step.vpc_id is not None or step.leaves]
    if not led:
        return _STOPS[3]
    if not any(step.leaves or _someone(way, step.vpc_id, step.where & territory) for step in led):
        return _STOPS[4]
    sources = _sources(way)
    groups = acl = both = NONE
    for step in led:
        address = _first(step.where)
        # Inside one subnet no network ACL is asked.
        through = OPEN.maybe if way.inside(address) else way.own_acl(address).maybe
        for source in sources:
            out = way.egress(source, address, None, None).maybe
            groups, acl, both = groups | out, acl | through, both | (out & through)
    if both:
        return _STOPS[8]
    if groups:
        return _STOPS[7]
    return _STOPS[6] if acl else _STOPS[5]


def _sources(way: Way) -> tuple[Source, ...]:
    return (*way.association.present, *way.association.possible) or way.association.wide


@dataclass(frozen=True, kw_only=True)
class _Beyond:
    """What becomes of a network that outbound rules stop, once they let everything out.

    Attributes
    ----------
    would_reach
        The interfaces that are reached then, or may be.
    would_leave
        Whether some of the traffic leaves what was read then.
    also_stopped_by
        What stops all of it all the same, with ids; empty where something is reached or leaves.
    """

    would_reach: tuple[str, ...] = ()
    would_leave: bool = False
    also_stopped_by: str = ""


class _LettingOut(Way):
    """A way on which the endpoint's security groups let everything out."""

    def egress(
        self,
        source: Source,
        address: int,
        groups: tuple[str, ...] | None,
        references: bool | None,
    ) -> Passage:
        """Return that everything is let out."""
        del source, address, groups, references
        return OPEN


def _beyond(access: Access, ways: Sequence[Way], territory: Ranges) -> _Beyond:
    """Return what becomes of a territory that outbound rules stop, once they let everything out."""
    own = _own_interfaces(access)
    enis: set[str] = set()
    leaves = False
    closing: dict[str, None] = {}
    for way in ways:
        open_way = _LettingOut(access.network, way.association)
        steps = [step for step in open_way.steps if step.where & territory]
        here = {id(step) for step in steps}
        for case in open_way.cases:
            if id(case.step) in here:
                enis |= set(_interfaces(access, case)) - own
        leaves = leaves or any(id(gone.step) in here for gone in open_way.departures)
        for step in steps:
            for kind in _kinds(open_way, step, territory):
                closing |= dict.fromkeys(_closing(open_way, step, kind))
    if enis or leaves:
        return _Beyond(would_reach=tuple(sorted(enis)), would_leave=leaves)
    return _Beyond(also_stopped_by=listed(closing, most=4))


def _kinds(way: Way, step: Step, territory: Ranges) -> Iterator[Kind]:
    """Yield the kinds of receivers that have an address of a step in a territory."""
    receivers = way.network.receivers
    here = receivers.by_vpc.get(step.vpc_id or "", _NOBODY)
    where = step.where & territory
    held = {
        int(kind)
        for kind, address in zip(receivers.kind[here], receivers.address[here], strict=True)
        if int(address) in where
    }
    held |= {odd.kind for odd in receivers.odd if odd.where & where}
    for number in sorted(held):
        if receivers.kinds[number][0] == step.vpc_id:
            yield receivers.kinds[number]


def _closing(way: Way, step: Step, kind: Kind) -> Iterator[str]:
    """Say which hops beyond the outbound rules stop packets to a kind of receivers, with ids.

    Each that lets nothing through; where there is none, those that together let nothing through.
    """
    _, subnet, groups = kind
    own, address = way.association.subnet_id, _first(step.where)
    hops: dict[str, Ranges] = {}

    def add(text: str, let: Ranges) -> None:
        hops[text] = hops.get(text, NONE) | let

    family = ALL_IPV4 if address < 2**32 else ALL_IPV6
    if subnet != own:
        add(_acl_called(way, own), way.own_acl(address).maybe)
    for source in _sources(way):
        for where, _ in way.inbound(kind, source, step, family).parts:
            if source.address is not None and family is ALL_IPV4 and source.address not in where:
                continue
            first = _first(where)
            if subnet != own:
                add(_acl_called(way, subnet), way.receiver_acl(subnet, first).maybe)
                back = way.return_route(subnet, kind[0], first, step.exit)
                if not back.maybe:
                    add(shown(back.why), back.maybe)
            add(
                tr("the receivers' security groups ({groups})", groups=listed(groups, most=3)),
                way.ingress(groups, source, first, step.references).maybe,
            )
    if closed := [text for text, let in hops.items() if not let]:
        yield from closed
    else:
        yield from (text for text, let in hops.items() if let != ALL_PORTS)


def _acl_called(way: Way, subnet: str | None) -> str:
    """Return the network ACL of a subnet in words."""
    acl = way.network.acl(subnet)
    return tr("network ACL {acl} of {subnet}", acl=acl or "", subnet=subnet)


def _someone(way: Way, vpc_id: str | None, where: Ranges) -> bool:
    """Tell whether an interface of a VPC has one of these addresses."""
    receivers = way.network.receivers
    address = receivers.address[receivers.by_vpc.get(vpc_id or "", _NOBODY)]
    return any(
        ((address >= first) & (address <= last)).any() for first, last in where.spans
    ) or any(odd.where & where and receivers.kinds[odd.kind][0] == vpc_id for odd in receivers.odd)


def _is_routed(way: Way, address: int) -> bool:
    return bool(way.endpoint_route(address).maybe | way.client_route(address).maybe)


def _first(where: Ranges) -> int:
    return where.spans[0][0]
