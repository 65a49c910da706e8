"""Checks of whether users can connect at all: associations, zones, addresses left, states."""

from typing import Any

import pandas as pd

from auditlib import words
from auditlib.addresses import Ranges, addresses
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import (
    ENDPOINT,
    GUIDE,
    called,
    gap,
    in_subnets,
    names_of,
    outside_subnets,
    place_of,
    rows_at,
)
from auditlib.frames import rows_of
from auditlib.gaps import GapRow
from auditlib.language import tr

_TARGETS = f"{GUIDE}cvpn-working-target.html"
_GONE = ["association-failed", "disassociated", "disassociating"]
_FEWEST = 20
_SHOW = "aws ec2 describe-client-vpn-target-networks --client-vpn-endpoint-id <endpoint id>"


_JUDGED: dict[str, Any] = {
    "population": "client_vpn_endpoints",
    "among": in_subnets,
    "left_out": outside_subnets,
    "noun": "VPC-attached Client VPN endpoint",
}


def _holding(client_vpn_target_networks: pd.DataFrame) -> pd.DataFrame:
    """Return the associations that hold or are on their way."""
    networks = client_vpn_target_networks
    return networks[~networks["status"].isin(_GONE)]


def _unsettled(judged: pd.DataFrame, client_vpn_target_networks: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each association of which nobody can tell yet whether it stands."""
    return [
        gap(
            "client_vpn_target_networks",
            "describe-client-vpn-target-networks",
            account=row.account,
            region=row.region,
            resource=row.endpoint_id,
            message=tr(
                "an association of {row.endpoint_id} is {status}, so whether it stands is not known",
                row=row,
                status=words.clean(row.status),
            )
            if told
            else tr(
                "an association of {row.endpoint_id} has no status in the answer, so whether it "
                "stands is not known",
                row=row,
            ),
            status="untold",
        )
        for row in rows_at(_holding(client_vpn_target_networks), judged)
        if not (told := not pd.isna(row.status) and bool(row.status)) or row.status != "associated"
    ]


@check(
    id="endpoint-in-one-zone",
    title="Endpoints are in two or more Availability Zones",
    severity=Severity.LOW,
    **_JUDGED,
    unseen=_unsettled,
    condition=("depends on one Availability Zone", "depend on one Availability Zone"),
    rationale=(
        "An endpoint with one associated subnet depends on one Availability Zone: when that zone "
        "fails nobody connects, and remote administrators are locked out just when they are needed. "
        "AWS recommends two subnets at least, and takes one per zone only. Each association is paid "
        "by the hour."
    ),
    remedy=(
        "Associate a subnet of a second Availability Zone, with the same routes as the first; weigh "
        "that against the price of an association."
    ),
    verify=f"{_SHOW} lists two associated subnets or more.",
    false_alarms=("An endpoint for tests, or one whose users can wait for a zone to come back.",),
    decision="A second association costs by the hour, and which subnet it should be in is yours to say.",
    reference=_TARGETS,
    controls={
        "NIST SP 800-53 Rev. 5": ("CP-10", "SC-36"),
        "AWS Well-Architected Reliability Pillar (2026-11)": ("REL10-BP01",),
    },
)
def endpoint_in_one_zone(
    judged: pd.DataFrame, client_vpn_target_networks: pd.DataFrame, *, subnets: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints that a single subnet is associated with: AWS takes one per zone."""
    held = _holding(client_vpn_target_networks).merge(judged[ENDPOINT], on=ENDPOINT)
    subnets_of = held.groupby("endpoint_id")["subnet_id"].agg(lambda ids: sorted(set(ids.dropna())))
    names = names_of(subnets, "subnet_id", "name")
    zones = names_of(subnets, "subnet_id", "availability_zone")
    rows = []
    for row in rows_of(judged):
        found = subnets_of.get(row.endpoint_id, [])
        if len(found) == 1:
            (subnet,) = found
            said = {"endpoint": called(row), "subnet": words.named(subnet, names.get(subnet))}
            rows.append(
                {
                    **place_of(row),
                    "subnet_id": subnet,
                    "reason": tr(
                        "{endpoint} is associated with one subnet, {subnet} in {zone}, and so with "
                        "one Availability Zone.",
                        **said,
                        zone=words.clean(zones[subnet]),
                    )
                    if subnet in zones
                    else tr(
                        "{endpoint} is associated with one subnet, {subnet}, and so with one "
                        "Availability Zone.",
                        **said,
                    ),
                    "by_absence": True,
                }
            )
    return evidence_of("account region endpoint_id subnet_id reason", rows)


def _uncounted(
    judged: pd.DataFrame, client_vpn_target_networks: pd.DataFrame, subnets: pd.DataFrame
) -> list[GapRow]:
    """Return a gap for each associated subnet whose free addresses are not known."""
    counted = set(subnets.loc[subnets["available_addresses"].notna(), "subnet_id"])
    return [
        gap(
            "subnets",
            "describe-subnets",
            account=row.account,
            region=row.region,
            resource=row.subnet_id,
            message=tr("the free addresses of a subnet of {row.endpoint_id} are not told", row=row),
        )
        for row in rows_at(_holding(client_vpn_target_networks), judged)
        if row.subnet_id not in counted
    ]


@check(
    id="association-subnet-nearly-full",
    title="The subnets of endpoints have the free addresses that AWS asks for",
    severity=Severity.MEDIUM,
    **_JUDGED,
    unseen=_uncounted,
    condition=(
        "uses a subnet with fewer than 20 free addresses",
        "use subnets with fewer than 20 free addresses",
    ),
    rationale=(
        "AWS asks for at least 20 free addresses in an associated subnet at all times, because the "
        "service puts interfaces there and replaces them. Below that it may be unable to, when "
        "users become more or an interface fails, and whoever launches machines in the same subnet "
        "can lock out the VPN."
    ),
    remedy=(
        "Associate a subnet made for the VPN alone in the same Availability Zone in place of this "
        "one, or free addresses in it. Disassociating ends the sessions there: plan a window."
    ),
    verify=(
        "aws ec2 describe-subnets --subnet-ids <subnet id> --query "
        "'Subnets[].AvailableIpAddressCount' shows 20 or more."
    ),
    false_alarms=("A subnet that is full for minutes while machines are being replaced.",),
    decision="Where the addresses are to come from, and which subnet the endpoint should move to, is yours to say.",
    reference=_TARGETS,
)
def association_subnet_nearly_full(
    judged: pd.DataFrame, client_vpn_target_networks: pd.DataFrame, subnets: pd.DataFrame
) -> pd.DataFrame:
    """Return associated subnets with fewer free addresses than AWS asks for."""
    held = _holding(client_vpn_target_networks).merge(judged[[*ENDPOINT, "name"]], on=ENDPOINT)
    subnet_of = {row.subnet_id: row for row in rows_of(subnets)}
    rows = []
    for row in rows_of(held.drop_duplicates([*ENDPOINT, "subnet_id"])):
        subnet = subnet_of.get(row.subnet_id)
        if subnet is None or pd.isna(subnet.available_addresses):
            continue
        if subnet.available_addresses < _FEWEST:
            left = words.count(int(subnet.available_addresses), "free address")
            rows.append(
                {
                    **place_of(row),
                    "subnet_id": row.subnet_id,
                    "available_addresses": int(subnet.available_addresses),
                    "source": subnet.source,
                    "record": subnet.record,
                    "reason": tr(
                        "{endpoint} stands in {subnet}, which has {left}; AWS asks for {fewest}.",
                        endpoint=called(row),
                        subnet=words.named(row.subnet_id, subnet.name),
                        left=left,
                        fewest=_FEWEST,
                    ),
                    "rank": int(subnet.available_addresses),
                }
            )
    return evidence_of(
        "account region endpoint_id subnet_id available_addresses reason source record", rows
    )


@check(
    id="association-not-in-place",
    title="The associations of endpoints are in place",
    severity=Severity.MEDIUM,
    **_JUDGED,
    condition=(
        "has an association that is not in place",
        "have associations that are not in place",
    ),
    clear=(
        "has every association in place",
        "have every association in place",
    ),
    rationale=(
        "Users of an association that failed cannot connect through its subnet, and the zone that it "
        "was made for is no second leg. One that has been on its way for long is stuck. Whoever "
        "counts associations takes them for working."
    ),
    remedy=(
        "Remove the failed association, clear what the status message names, and associate the "
        "subnet again. One on its way takes minutes: look again before acting."
    ),
    verify=f"{_SHOW} shows Status.Code associated for every subnet.",
    false_alarms=(
        "An association that was made, or is being removed, while the snapshot was taken: nothing "
        "tells since when.",
    ),
    decision="Why AWS could not make the association has to be found first; then it is made again by hand.",
    reference=_TARGETS,
)
def association_not_in_place(
    judged: pd.DataFrame, client_vpn_target_networks: pd.DataFrame
) -> pd.DataFrame:
    """Return associations that failed, and those on their way."""
    found = client_vpn_target_networks[
        ~client_vpn_target_networks["status"].isin(["associated", "disassociated"])
    ]
    rows = []
    for row in rows_of(found.merge(judged[[*ENDPOINT, "name"]], on=ENDPOINT)):
        failed = row.status == "association-failed"
        told = words.clean(row.status_message, 120)
        said = {"endpoint": called(row), "row": row}
        if failed:
            reason = tr("The association of {endpoint} with {row.subnet_id} failed", **said)
        elif words.clean(row.status):
            reason = tr(
                "The association of {endpoint} with {row.subnet_id} is {status}, and nothing tells "
                "since when",
                **said,
                status=words.clean(row.status),
            )
        else:
            reason = tr(
                "The association of {endpoint} with {row.subnet_id} is in no state that is told, "
                "and nothing tells since when",
                **said,
            )
        rows.append(
            {
                **place_of(row),
                "association_id": row.association_id,
                "subnet_id": row.subnet_id,
                "source": row.source,
                "record": row.record,
                "reason": tr("{said} ({told}).", said=reason, told=told)
                if told
                else tr("{said}.", said=reason),
                "rank": 0 if failed else 1,
            }
        )
    return evidence_of(
        "account region endpoint_id association_id subnet_id reason source record", rows
    )


@check(
    id="endpoint-without-association",
    title="Endpoints are associated with a subnet",
    severity=Severity.INFO,
    **_JUDGED,
    condition=("lacks an associated subnet", "lack an associated subnet"),
    clear=(
        "has a subnet associated",
        "have subnets associated",
    ),
    rationale=(
        "Nobody can connect to an endpoint without an association, and AWS bills associations and "
        "connections, not the endpoint: it costs nothing. It keeps its certificate, rules and "
        "groups all the same, and with the first subnet they are in force, as whoever left "
        "it there wrote them. It also counts towards the quota of endpoints. AWS requires nothing, "
        "so this is information."
    ),
    remedy="Delete the endpoint if it is left over; otherwise review its rules before a subnet is associated.",
    verify=f"{_SHOW} lists an associated subnet, or the endpoint is gone.",
    false_alarms=("An endpoint that is being built.",),
    decision="Only you know whether it is being built or was left over.",
    reference=_TARGETS,
)
def endpoint_without_association(
    judged: pd.DataFrame, client_vpn_target_networks: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints that no subnet is associated with, or about to be."""
    held = set(_holding(client_vpn_target_networks)["endpoint_id"])
    return evidence_of(
        "account region endpoint_id reason source record",
        (
            {
                **place_of(row),
                "source": row.source,
                "record": row.record,
                "reason": tr(
                    "{endpoint} is associated with no subnet: nobody can connect, and AWS bills "
                    "nothing for it.",
                    endpoint=called(row),
                ),
                "by_absence": True,
            }
            for row in rows_of(judged)
            if row.endpoint_id not in held
        ),
    )


@check(
    id="endpoint-not-settled",
    title="No endpoint is being made, changed or deleted",
    severity=Severity.INFO,
    population="client_vpn_endpoints",
    noun="Client VPN endpoint",
    condition=("is changing to another state", "are changing to another state"),
    rationale=(
        "An endpoint that is being deleted is left out of all other checks here, and one that is "
        "pending may look different in an hour. AWS requires nothing, so this is information: it says "
        "what this report does "
        "not cover. Rules of receivers that name the groups of a deleted endpoint stay behind."
    ),
    remedy=(
        "Remove what names a deleted endpoint once it is gone: rules of receivers, certificates, "
        "log groups. Where the state was not meant, find out in CloudTrail who changed it."
    ),
    verify="aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query 'ClientVpnEndpoints[].Status.Code' shows available.",
    false_alarms=("A deletion that is meant and recorded.",),
    decision="AWS is at work on it: look again, and collect anew when it is done.",
    reference="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ClientVpnEndpointStatus.html",
)
def endpoint_not_settled(judged: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints in a state that passes."""
    found = judged[~judged["status"].isin(["available", "pending-associate"])]
    rows = []
    for row in rows_of(found):
        told = words.clean(row.status)
        endpoint = called(row)
        reason = {
            "deleting": tr("{endpoint} is being deleted.", endpoint=endpoint),
            "deleted": tr("{endpoint} is deleted and still listed.", endpoint=endpoint),
            "pending": tr("{endpoint} is pending.", endpoint=endpoint),
            "": tr("{endpoint} has no state that is told.", endpoint=endpoint),
        }.get(told, tr("{endpoint} is in the state {status}.", endpoint=endpoint, status=told))
        rows.append(
            {
                **place_of(row),
                "status": told or None,
                "source": row.source,
                "record": row.record,
                "reason": reason,
            }
        )
    return evidence_of("account region endpoint_id status reason source record", rows)


@check(
    id="routes-differ-between-associations",
    title="Every association of an endpoint has the same routes",
    severity=Severity.MEDIUM,
    **_JUDGED,
    unseen=_unsettled,
    condition=(
        "routes a network through some associations only",
        "route networks through some associations only",
    ),
    rationale=(
        "A client lands on one of the associated subnets, and which one is left to chance. It has "
        "the routes of that subnet only, so a network routed through some of them works for some "
        "sessions and not for others: a fault that looks like the user's own, comes and goes with "
        "each connection, and is often 'repaired' by opening something wider."
    ),
    remedy=(
        "Add the missing route through each associated subnet, or delete it everywhere. Under split "
        "tunnel changing routes resets sessions: plan a window."
    ),
    ends_sessions=True,
    verify=(
        "aws ec2 describe-client-vpn-routes --client-vpn-endpoint-id <endpoint id> lists each "
        "network once for every associated subnet."
    ),
    false_alarms=(
        "A route that is being made while the snapshot was taken.",
        "One network in two halves is the same as the whole, and not reported.",
    ),
    reference=f"{GUIDE}cvpn-working-routes.html",
)
def routes_differ_between_associations(
    judged: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
    client_vpn_routes: pd.DataFrame,
    *,
    subnets: pd.DataFrame,
) -> pd.DataFrame:
    """Return networks that are routed through some associated subnets and not through others."""
    names = names_of(subnets, "subnet_id", "name")
    networks = client_vpn_target_networks
    associated = networks[networks["status"] == "associated"]
    active = client_vpn_routes[client_vpn_routes["status"] == "active"]
    rows = []
    for row in rows_of(judged):
        mine = sorted(
            set(associated.loc[associated["endpoint_id"] == row.endpoint_id, "subnet_id"])
        )
        routes = active[
            (active["endpoint_id"] == row.endpoint_id) & active["target_subnet"].isin(mine)
        ]
        through = {
            subnet: Ranges.of(
                span
                for cidr in routes.loc[routes["target_subnet"] == subnet, "destination_cidr"]
                for span in addresses(cidr).spans
            )
            for subnet in mine
        }
        for route in rows_of(routes.drop_duplicates("destination_cidr")):
            meant = addresses(route.destination_cidr)
            lacking = [subnet for subnet, routed in through.items() if meant - routed]
            rows += [
                {
                    **place_of(row),
                    "destination_cidr": route.destination_cidr,
                    "subnet_id": subnet,
                    "source": route.source,
                    "record": route.record,
                    "reason": tr(
                        "{endpoint} routes {route.destination_cidr}, but not through {subnet}: "
                        "sessions that land there do not have it.",
                        endpoint=called(row),
                        route=route,
                        subnet=words.named(subnet, names.get(subnet)),
                    ),
                    "by_absence": True,
                }
                for subnet in lacking
            ]
    return evidence_of(
        "account region endpoint_id destination_cidr subnet_id reason source record", rows
    )
