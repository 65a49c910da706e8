"""What checks need to know of reach: which interfaces are reached, and which networks end nowhere."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from auditlib.access.questions import Access, access_of
from auditlib.access.saying import shown
from auditlib.access.ways import EVERYONE, Case, Way
from auditlib.addresses import NONE, Ranges, addresses, port_rows, ports
from auditlib.check import TableSource
from auditlib.frames import frame_of_rows
from auditlib.language import marked, tr_as
from auditlib.schemas import SCHEMAS

__all__ = ["STOPPED_BY_OUTBOUND", "opened_networks", "reached_interfaces"]

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
            territory = addresses(rule["destination_cidr"])
            for other in rules:
                inner = addresses(other["destination_cidr"])
                if inner != addresses(rule["destination_cidr"]) and inner <= territory:
                    territory -= inner
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


def _opened(access: Access, ways: Iterable[Way], territory: Ranges) -> dict[str, Any]:
    """Return what an authorized or routed territory leads to, or what stops all of it."""
    receivers = access.network.receivers
    enis: set[int] = set()
    leaves = False
    unlisted: dict[str, None] = {}
    stops: dict[str, None] = {}
    for way in ways:
        steps = [step for step in way.steps if step.where & territory]
        here = {id(step) for step in steps}
        cases = [case for case in way.cases if id(case.step) in here]
        for case in cases:
            enis |= {*receivers.eni[case.positions].tolist(), *(eni for eni, _ in case.odd)}
        gone = [leaving.step for leaving in way.departures if id(leaving.step) in here]
        leaves = leaves or bool(gone)
        unlisted |= {shown(step.leaves): None for step in gone if step.exit.kind not in _OUTSIDE}
        stops[_stop(way, territory)] = None
    stopped = "" if enis or leaves or not territory else _worst(stops)
    return {
        "interfaces": len(enis),
        "leaves": leaves,
        "unlisted": tr_as("list", "; ").join(unlisted) or None,
        "stopped_by": stopped or None,
    }


STOPPED_BY_OUTBOUND = marked(
    "the endpoint's security groups and its network ACL let nothing out there"
)
"""What ``stopped_by`` says where nothing leaves the endpoint."""

_STOPS = (
    marked("no association of the endpoint is in force"),
    marked("no active route of the endpoint leads there"),
    marked("no active authorization rule decides there"),
    marked("the VPC's route table has no working route there"),
    marked("no interface that was read has an address there"),
    STOPPED_BY_OUTBOUND,
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
    led = [step for step in steps if step.vpc_id is not None]
    if not led:
        return _STOPS[3]
    if not any(_someone(way, step.vpc_id, step.where & territory) for step in led):
        return _STOPS[4]
    sources = (*way.association.present, *way.association.possible) or way.association.wide
    out = any(
        (
            way.egress(source, _first(step.where), None, None).maybe
            & way.own_acl(_first(step.where)).maybe
        )
        for step in led
        for source in sources
    )
    return _STOPS[6] if out else _STOPS[5]


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
