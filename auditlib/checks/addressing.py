"""Checks of address ranges: what the clients' range overlaps, how far it goes, what is not routed."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from auditlib import words
from auditlib.addresses import ALL_IPV4, ALL_IPV6, Ranges, addresses, cidrs
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import (
    ENDPOINT,
    GUIDE,
    called,
    gap,
    in_subnets,
    living,
    names_of,
    outside_subnets,
    place_of,
    rows_at,
    untold,
)
from auditlib.frames import rows_of, rows_where
from auditlib.gaps import GapRow
from auditlib.language import marked, tr
from auditlib.quotas import CONNECTIONS_BY_ASSOCIATIONS

_RULES = f"{GUIDE}what-is-best-practices.html"
_JUDGED: dict[str, Any] = {
    "population": "client_vpn_endpoints",
    "noun": "Client VPN endpoint",
}
_EVERYTHING = ("/0", "/1")
"""How a default route ends, whole or in two halves."""
_GONE = ["association-failed", "disassociated", "disassociating"]
_NOT_ROUTED = ["associating", "disassociating", "disassociated", "failing", "failed"]
"""States of a VPC's range in which no route to it is missed."""
_NEARLY_FULL = 0.8
_FOR_TWO_ZONES = 2
"""How many associations AWS recommends, for redundancy."""


def _with_range(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which endpoints give IPv4 addresses to clients, or may; an IPv6 range is AWS's own."""
    return living(endpoints) & endpoints["traffic_ip_address_type"].ne("ipv6")


def unread_vpcs(
    judged: pd.DataFrame, client_vpn_target_networks: pd.DataFrame, vpc_cidr_blocks: pd.DataFrame
) -> list[GapRow]:
    """Return a gap for each VPC of an endpoint whose ranges no answer holds: another account's."""
    known = set(vpc_cidr_blocks["vpc_id"])
    named = dict.fromkeys(
        (row.account, row.region, row.vpc_id)
        for row in (*rows_at(client_vpn_target_networks, judged), *rows_of(judged))
        if not pd.isna(row.vpc_id)
    )
    return [
        gap(
            "vpc_cidr_blocks",
            "describe-vpcs",
            account=account,
            region=region,
            resource=vpc_id,
            message=tr("no answer holds the ranges of {vpc_id}", vpc_id=vpc_id),
        )
        for account, region, vpc_id in named
        if vpc_id not in known
    ]


def unread_route_tables(
    judged: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
    route_table_associations: pd.DataFrame,
) -> list[GapRow]:
    """Return a gap for each associated subnet whose route table no answer holds."""
    held: dict[tuple[str, ...], Any] = {}
    for row in rows_at(client_vpn_target_networks, judged):
        if row.status not in _GONE:
            held.setdefault((row.account, row.region, row.endpoint_id, row.subnet_id), row)
    return [
        gap(
            "routes",
            "describe-route-tables",
            account=row.account,
            region=row.region,
            resource=row.subnet_id,
            message=tr("no answer holds the route table of {row.subnet_id}", row=row),
        )
        for row in held.values()
        if not tables_in_force({row.subnet_id}, {row.vpc_id}, route_table_associations)
    ]


def _unread_overlaps(
    judged: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
    vpc_cidr_blocks: pd.DataFrame,
    route_table_associations: pd.DataFrame,
) -> list[GapRow]:
    """Return a gap for everything that may overlap a clients' range and was not read."""
    return [
        *_untold_range(judged),
        *unread_vpcs(judged, client_vpn_target_networks, vpc_cidr_blocks),
        *unread_route_tables(judged, client_vpn_target_networks, route_table_associations),
    ]


def _behind_gateways(endpoints: pd.DataFrame) -> str:
    """Say what is not looked at: the networks that only a transit gateway knows."""
    number = int((_with_range(endpoints) & endpoints["attachment"].eq("transit_gateway")).sum())
    if not number:
        return ""
    if number == 1:
        return tr(
            "For one endpoint attached to a transit gateway only its own routes and other "
            "endpoints' ranges are looked at, not the networks behind the gateway."
        )
    return tr(
        "For {number:,} endpoints attached to a transit gateway only its own routes and other "
        "endpoints' ranges are looked at, not the networks behind the gateway.",
        number=number,
    )


_untold_range = untold("client_cidr_block", marked("which addresses clients are given by"))


@check(
    id="client-range-overlaps-network",
    title="The clients' range overlaps no network that they may need",
    severity=Severity.MEDIUM,
    **_JUDGED,
    among=_with_range,
    left_out=_behind_gateways,
    leaves_open=True,
    unseen=_unread_overlaps,
    condition=(
        "gives clients addresses that another network has too",
        "give clients addresses that another network has too",
    ),
    rationale=(
        "Devices take addresses of the clients' range for each other, so what has the same address "
        "in a VPC, across a peering or on premises cannot be reached through the VPN, or only by "
        "some users. On a transit gateway, which sees the clients' own addresses, answers may go to "
        "the wrong network. AWS refuses an overlap with the VPC when a subnet is associated; what is "
        "added later it does not ask about."
    ),
    remedy=(
        "Create an endpoint with a range that nothing else uses and move the users: the range of an "
        "endpoint cannot be changed. Or remove the route that overlaps, where it is left over."
    ),
    verify=(
        "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query 'ClientVpnEndpoints[].ClientCidrBlock' shows "
        "a range that is in no VPC, peering or route table."
    ),
    false_alarms=(
        "A wide route, such as 10.0.0.0/8 to a transit gateway, in which nobody uses the overlapped "
        "part.",
        "A default route, whole or in two halves, is no overlap and not reported.",
        "The clients' own range routed to local is client to client, and not reported.",
    ),
    decision="The range of an endpoint cannot be changed: a new endpoint and a move of the users have to be planned.",
    reference=_RULES,
)
def client_range_overlaps_network(  # noqa: PLR0917 # the tables it reads
    judged: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
    client_vpn_routes: pd.DataFrame,
    vpc_cidr_blocks: pd.DataFrame,
    vpc_peering_connections: pd.DataFrame,
    routes: pd.DataFrame,
    route_table_associations: pd.DataFrame,
    prefix_list_entries: pd.DataFrame,
    *,
    vpcs: pd.DataFrame,
) -> pd.DataFrame:
    """Return the networks that share addresses with the range an endpoint gives to clients."""
    names = names_of(vpcs, "vpc_id", "name")
    networks = client_vpn_target_networks
    holding = networks[~networks["status"].isin(_GONE)]
    rows = []
    for row in rows_of(judged):
        if not isinstance(row.client_cidr_block, str):
            continue
        mine = addresses(row.client_cidr_block)
        held = holding[holding["endpoint_id"] == row.endpoint_id]
        vpc_ids = {*held["vpc_id"].dropna(), *([row.vpc_id] if isinstance(row.vpc_id, str) else [])}
        found = [
            *_of_vpcs(vpc_ids, vpc_cidr_blocks, names),
            *_of_peers(vpc_ids, vpc_peering_connections),
            *_of_endpoint(row, client_vpn_routes),
            *_of_route_tables(
                set(held["subnet_id"].dropna()),
                vpc_ids,
                routes,
                route_table_associations,
                prefix_list_entries,
            ),
            *_of_gateway(row, judged),
        ]
        seen = set()
        for cidr, kind, what, at in found:
            if cidr.endswith(_EVERYTHING) or not mine & addresses(cidr) or (cidr, what) in seen:
                continue
            seen.add((cidr, what))
            rows.append(
                {
                    **place_of(row),
                    "client_cidr_block": row.client_cidr_block,
                    "destination_cidr": cidr,
                    "kind": kind,
                    "source": at.source,
                    "record": at.record,
                    "reason": tr(
                        "{endpoint} gives clients addresses of {row.client_cidr_block}, which "
                        "overlaps {cidr}, {what}.",
                        endpoint=called(row),
                        row=row,
                        cidr=cidr,
                        what=what,
                    ),
                    "rank": list(_KINDS).index(kind),
                }
            )
    return evidence_of(
        "account region endpoint_id client_cidr_block destination_cidr kind reason source record",
        rows,
    )


_KINDS = ("vpc", "endpoint_route", "peer", "other_endpoint", "vpc_route")

Overlap = tuple[str, str, str, Any]
"""A network, its kind, what it is in words, and the record that shows it."""


def _of_vpcs(
    vpc_ids: set[str], vpc_cidr_blocks: pd.DataFrame, names: dict[str, str]
) -> Iterator[Overlap]:
    for block in rows_of(vpc_cidr_blocks):
        if block.vpc_id in vpc_ids and block.state not in {"disassociated", "failed"}:
            yield (
                block.cidr_block,
                "vpc",
                tr("a range of {vpc}", vpc=words.named(block.vpc_id, names.get(block.vpc_id))),
                block,
            )


def _of_peers(vpc_ids: set[str], vpc_peering_connections: pd.DataFrame) -> Iterator[Overlap]:
    for peering in rows_of(vpc_peering_connections):
        if peering.status != "active":
            continue
        for here, there in (("requester", "accepter"), ("accepter", "requester")):
            if getattr(peering, f"{here}_vpc_id") in vpc_ids:
                for cidr in getattr(peering, f"{there}_cidr_blocks"):
                    what = tr(
                        "a range of {vpc}, reached by the peering "
                        "{peering.vpc_peering_connection_id}",
                        vpc=words.clean(getattr(peering, f"{there}_vpc_id")),
                        peering=peering,
                    )
                    yield cidr, "peer", what, peering


def _of_endpoint(row: Any, client_vpn_routes: pd.DataFrame) -> Iterator[Overlap]:
    for route in rows_of(client_vpn_routes):
        if (
            route.endpoint_id == row.endpoint_id
            and route.target_subnet != "local"
            and route.status not in {"failed", "deleting"}
        ):
            yield (
                route.destination_cidr,
                "endpoint_route",
                tr("which the endpoint itself routes"),
                route,
            )


def _of_route_tables(
    subnet_ids: set[str],
    vpc_ids: set[str],
    routes: pd.DataFrame,
    route_table_associations: pd.DataFrame,
    prefix_list_entries: pd.DataFrame,
) -> Iterator[Overlap]:
    """Return what the route tables in force for the associated subnets lead out of the VPC."""
    tables = tables_in_force(subnet_ids, vpc_ids, route_table_associations)
    for route in rows_of(routes):
        if route.route_table_id not in tables or route.target_kind == "local":
            continue
        said = {"route": route, "target": words.clean(route.target_id)}
        destination = route.destination
        if not isinstance(destination, str):
            continue
        if destination.startswith("pl-"):
            for entry in rows_of(prefix_list_entries):
                if entry.prefix_list_id != destination:
                    continue
                yield (
                    entry.cidr_block,
                    "vpc_route",
                    tr(
                        "which {route.route_table_id} routes to {target} by {route.destination}",
                        **said,
                    ),
                    route,
                )
        else:
            yield (
                destination,
                "vpc_route",
                tr("which {route.route_table_id} routes to {target}", **said),
                route,
            )


def tables_in_force(
    subnet_ids: set[str], vpc_ids: set[str], route_table_associations: pd.DataFrame
) -> set[str]:
    """Return the route tables of some subnets: their own, or else the main one of their VPC."""
    associations = list(rows_of(route_table_associations))
    own = [one for one in associations if one.subnet_id in subnet_ids]
    found = {one.route_table_id for one in own}
    if subnet_ids - {one.subnet_id for one in own}:
        found |= {one.route_table_id for one in associations if one.main and one.vpc_id in vpc_ids}
    return found


def _of_gateway(row: Any, judged: pd.DataFrame) -> Iterator[Overlap]:
    """Return the ranges of other endpoints on the same transit gateway, which sees them all."""
    if not isinstance(row.transit_gateway_id, str):
        return
    for other in rows_of(judged):
        if (
            other.transit_gateway_id == row.transit_gateway_id
            and other.endpoint_id != row.endpoint_id
            and isinstance(other.client_cidr_block, str)
        ):
            what = tr("the range of {other} on the same transit gateway", other=called(other))
            yield other.client_cidr_block, "other_endpoint", what, other


@check(
    id="client-range-nearly-used-up",
    title="The clients' range has room for more connections",
    severity=Severity.MEDIUM,
    **_JUDGED,
    among=_with_range,
    unseen=_untold_range,
    condition=(
        "uses most of the addresses meant for clients",
        "use most of the addresses meant for clients",
    ),
    rationale=(
        "Part of the clients' range serves the endpoint's own availability and is given to nobody, so "
        "AWS recommends twice as many addresses as connections at one time. Whoever connects after "
        "the addresses are used up is refused, and the range cannot be changed afterwards: the way "
        "out is a new endpoint and new configuration files for all users."
    ),
    remedy=(
        "Create an endpoint with a wider range before the addresses are used up and move users to it "
        "group by group; a range may be as wide as /12."
    ),
    verify=(
        "aws ec2 describe-client-vpn-connections --client-vpn-endpoint-id <endpoint id> --filters "
        "Name=status,Values=active counts well below half of the range's addresses."
    ),
    false_alarms=("A peak that does not come back, such as a test of everybody at once.",),
    decision="The range of an endpoint cannot be changed: a new endpoint and a move of the users have to be planned.",
    reference=_RULES,
)
def client_range_nearly_used_up(
    judged: pd.DataFrame, client_vpn_connections: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints whose live connections come near half of the clients' range."""
    live = client_vpn_connections[
        (client_vpn_connections["status"] == "active") & client_vpn_connections["ended"].isna()
    ]
    number = live.groupby("endpoint_id").size()
    rows = []
    for row in rows_of(judged):
        if not isinstance(row.client_cidr_block, str):
            continue
        half = addresses(row.client_cidr_block).size // 2
        now = int(number.get(row.endpoint_id, 0))
        if now > half * _NEARLY_FULL:
            rows.append(
                {
                    **place_of(row),
                    "client_cidr_block": row.client_cidr_block,
                    "connections": now,
                    "source": row.source,
                    "record": row.record,
                    "reason": tr(
                        "{endpoint} had {connections} when the snapshot was taken; {row.client_cidr_block} is "
                        "meant for about {half:,}, half of its addresses.",
                        endpoint=called(row),
                        connections=words.count(now, "live connection"),
                        row=row,
                        half=half,
                    ),
                    "rank": -now,
                }
            )
    return evidence_of(
        "account region endpoint_id client_cidr_block connections reason source record", rows
    )


@check(
    id="client-range-below-capacity",
    title="Associations beyond the second add connections that the clients' range can hold",
    severity=Severity.INFO,
    **(_JUDGED | {"noun": "VPC-attached Client VPN endpoint"}),
    among=lambda endpoints: _with_range(endpoints) & in_subnets(endpoints),
    left_out=outside_subnets,
    unseen=_untold_range,
    condition=(
        "has more associations than the clients' range can fill",
        "have more associations than the clients' range can fill",
    ),
    rationale=(
        "AWS allows more connections at one time with each associated subnet: by default 7,000 with "
        "one, 36,500 with two, 66,500 with three. But a part of the clients' range serves the "
        "endpoint's own availability, so AWS recommends a range of twice as many addresses as "
        "connections that are planned for. AWS also recommends two subnets, for two zones. Where "
        "half of the range is less than two already allow, a third raises the number on paper only "
        "(it still adds a zone), and AWS bills it by the hour. AWS requires nothing, so this is "
        "information, for planning."
    ),
    remedy=(
        "Decide what the third subnet and those after it are for: a further zone, then keep them; "
        "more users, then create an endpoint with a range of twice the connections planned for, as "
        "the range of an endpoint cannot be changed; neither, then remove them, away from working "
        "hours."
    ),
    verify=(
        "aws ec2 describe-client-vpn-target-networks --client-vpn-endpoint-id <endpoint id> lists "
        "the associations that are wanted."
    ),
    false_alarms=("A third subnet for the sake of a third zone.",),
    decision="What a third association is for is yours to say, and the range of an endpoint cannot be changed.",
    reference=_RULES,
)
def client_range_below_capacity(
    judged: pd.DataFrame, client_vpn_target_networks: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints with three associations or more whose range is narrower than two allow for."""
    networks = client_vpn_target_networks
    number = networks[networks["status"] == "associated"].groupby("endpoint_id").size()
    allowed = CONNECTIONS_BY_ASSOCIATIONS[_FOR_TWO_ZONES]
    rows = []
    for row in rows_of(judged):
        associations = int(number.get(row.endpoint_id, 0))
        if associations <= _FOR_TWO_ZONES or not isinstance(row.client_cidr_block, str):
            continue
        half = addresses(row.client_cidr_block).size // 2
        if half < allowed:
            rows.append(
                {
                    **place_of(row),
                    "client_cidr_block": row.client_cidr_block,
                    "associations": associations,
                    "source": row.source,
                    "record": row.record,
                    "reason": tr(
                        "{endpoint} has {associations}, and {row.client_cidr_block} is meant for "
                        "about {half:,} connections at one time, half of its addresses, while two "
                        "already allow {allowed:,} by AWS's default quota.",
                        endpoint=called(row),
                        associations=words.count(associations, "association"),
                        row=row,
                        half=half,
                        allowed=allowed,
                    ),
                    "rank": half,
                }
            )
    return evidence_of(
        "account region endpoint_id client_cidr_block associations reason source record", rows
    )


@check(
    id="vpc-range-not-routed",
    title="Every range of an endpoint's VPC is routed by the endpoint",
    severity=Severity.LOW,
    **(_JUDGED | {"noun": "VPC-attached Client VPN endpoint"}),
    among=in_subnets,
    left_out=outside_subnets,
    unseen=unread_vpcs,
    condition=(
        "leaves a range of the VPC unrouted",
        "leave a range of the VPC unrouted",
    ),
    rationale=(
        "AWS adds the route of the VPC when a subnet is associated. A range that the VPC got "
        "afterwards is not routed until somebody adds a route or associates the subnet again, so "
        "users cannot reach what was put there, and with full tunnel their traffic to it takes "
        "another way than anybody drew. Rules that authorize the range promise access that is not "
        "there."
    ),
    remedy=(
        "Add a route for the range through each associated subnet, if users should reach it. Under "
        "split tunnel changing routes resets sessions: plan a window."
    ),
    ends_sessions=True,
    verify=(
        "aws ec2 describe-client-vpn-routes --client-vpn-endpoint-id <endpoint id> lists every "
        "range of the VPC."
    ),
    false_alarms=(
        "A range for pods or databases that users are not meant to reach.",
        "A range inside a wider route is not reported.",
    ),
    reference=f"{GUIDE}cvpn-working-target.html",
)
def vpc_range_not_routed(
    judged: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
    client_vpn_routes: pd.DataFrame,
    vpc_cidr_blocks: pd.DataFrame,
    *,
    vpcs: pd.DataFrame,
) -> pd.DataFrame:
    """Return ranges of an associated VPC of which no active route leads to some or all."""
    names = names_of(vpcs, "vpc_id", "name")
    networks = client_vpn_target_networks
    associated = networks[networks["status"] == "associated"].merge(judged[ENDPOINT], on=ENDPOINT)
    active = client_vpn_routes[
        (client_vpn_routes["status"] == "active") & client_vpn_routes["target_subnet"].ne("local")
    ]
    blocks = vpc_cidr_blocks[~vpc_cidr_blocks["state"].isin(_NOT_ROUTED)]
    endpoint_of = {row.endpoint_id: row for row in rows_of(judged)}
    rows = []
    for id, vpc_ids in associated.groupby("endpoint_id")["vpc_id"]:
        row = endpoint_of[id]
        families = {
            "ipv4": ALL_IPV4,
            "ipv6": ALL_IPV6,
            "dual-stack": ALL_IPV4 | ALL_IPV6,
        }.get(row.traffic_ip_address_type, ALL_IPV4)
        routed = Ranges.of(
            span
            for cidr in active.loc[active["endpoint_id"] == id, "destination_cidr"]
            for span in addresses(cidr).spans
        )
        for block in rows_where(blocks, blocks["vpc_id"].isin(set(vpc_ids))):
            missing = (addresses(block.cidr_block) & families) - routed
            if not missing:
                continue
            said = {
                "endpoint": called(row),
                "block": block,
                "vpc": words.named(block.vpc_id, names.get(block.vpc_id)),
            }
            rows.append(
                {
                    **place_of(row),
                    "vpc_id": block.vpc_id,
                    "destination_cidr": block.cidr_block,
                    "source": block.source,
                    "record": block.record,
                    "reason": tr(
                        "{endpoint} does not route {block.cidr_block}, a range of {vpc}.", **said
                    )
                    if missing == addresses(block.cidr_block)
                    else tr(
                        "{endpoint} does not route part of {block.cidr_block} ({parts}), a range "
                        "of {vpc}.",
                        **said,
                        parts=words.listed(cidrs(missing), most=3),
                    ),
                    "by_absence": True,
                }
            )
    return evidence_of(
        "account region endpoint_id vpc_id destination_cidr reason source record", rows
    )
