"""Checks that rest on who reaches what: authorization, routes, and receivers that are reached."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pandas as pd

from auditlib import words
from auditlib.access import standing
from auditlib.addresses import NONE, Ranges, addresses, ports
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import (
    ENDPOINT,
    GUIDE,
    called,
    changing_rules,
    listed_addresses,
    living,
    place_of,
    rows_at,
)
from auditlib.frames import rows_of, rows_where
from auditlib.gaps import GapRow, once
from auditlib.language import marked, sentences, tr

_JUDGED: dict[str, Any] = {
    "population": "client_vpn_endpoints",
    "among": living,
    "noun": "Client VPN endpoint",
}
_NIST = {"NIST SP 800-53 Rev. 5": ("AC-4", "SC-7")}

SENSITIVE_PORTS: tuple[tuple[str, int, str], ...] = (
    ("tcp", 22, "SSH"),
    ("tcp", 23, "Telnet"),
    ("tcp", 111, "RPC portmapper"),
    ("tcp", 135, "Windows RPC"),
    ("tcp", 445, "SMB"),
    ("tcp", 1433, "SQL Server"),
    ("tcp", 1521, "Oracle"),
    ("tcp", 2049, "NFS"),
    ("tcp", 2375, "Docker"),
    ("tcp", 2376, "Docker"),
    ("tcp", 2379, "etcd"),
    ("tcp", 3306, marked("MySQL or MariaDB")),
    ("tcp", 3389, "RDP"),
    ("udp", 3389, "RDP"),
    ("tcp", 5432, "PostgreSQL"),
    ("tcp", 5439, "Redshift"),
    ("tcp", 5900, "VNC"),
    ("tcp", 5985, "WinRM"),
    ("tcp", 5986, "WinRM"),
    ("tcp", 6379, marked("Redis or Valkey")),
    ("tcp", 6443, "Kubernetes API"),
    ("tcp", 8182, "Neptune"),
    ("tcp", 9042, "Cassandra"),
    ("tcp", 9200, "OpenSearch"),
    ("tcp", 10250, "kubelet"),
    ("tcp", 11211, "Memcached"),
    ("tcp", 27017, marked("MongoDB or DocumentDB")),
    ("tcp", 50000, "Db2"),
)
"""Ports for administration and databases: what not every user needs. Protocol, port, service."""


def doubtful_reach(  # noqa: PLR0917 # the tables it reads
    judged: pd.DataFrame,
    reached_interfaces: pd.DataFrame,
    opened_networks: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
    client_vpn_authorization_rules: pd.DataFrame,
    client_vpn_routes: pd.DataFrame,
) -> list[GapRow]:
    """Return a gap for each endpoint of which it cannot be told what it reaches, whoever asks.

    Where everything was read, that is behind a transit gateway, whose routes are not read, and
    for IPv6, where AWS does not say how answers travel. Interfaces without any security group are
    left out: there is no rule to judge. Nor can it be told where receivers stand in a VPC that was
    not read: across a peering, behind a transit gateway, or shared by another account.
    """
    changing = changing_rules(
        judged, client_vpn_target_networks, client_vpn_authorization_rules, client_vpn_routes
    )
    many = Counter(
        endpoint_id
        for endpoint_id, unknown, groups in zip(
            reached_interfaces["endpoint_id"].tolist(),
            reached_interfaces["unknown_ports"].tolist(),
            reached_interfaces["group_ids"].tolist(),
            strict=True,
        )
        if unknown and groups
    )
    unsettled = {one["resource"] for one in changing}
    rows: list[GapRow] = []
    for endpoint in rows_of(judged):
        if endpoint.endpoint_id in unsettled or endpoint.endpoint_id not in many:
            continue
        on_gateway = endpoint.attachment == "transit_gateway"
        because = (
            tr("the routes of transit gateways are not read")
            if on_gateway
            else tr(
                "AWS leaves open how packets or their answers travel, or no interface of the endpoint "
                "was seen where it is associated"
            )
        )
        interfaces = words.count(many[endpoint.endpoint_id], "interface")
        rows.append(
            {
                "table": "routes" if on_gateway else "client_vpn_endpoints",
                "account": endpoint.account,
                "region": endpoint.region,
                "service": "ec2",
                "operation": "search-transit-gateway-routes"
                if on_gateway
                else "describe-client-vpn-endpoints",
                "resource": endpoint.endpoint_id,
                "status": "missing" if on_gateway else "untold",
                "error_message": tr(
                    "whether {interfaces} can be reached in full cannot be told: {because}",
                    interfaces=interfaces,
                    because=because,
                ),
                "iam_action": "ec2:SearchTransitGatewayRoutes"
                if on_gateway
                else "ec2:DescribeClientVpnEndpoints",
            }
        )
    told = {row["resource"] for row in rows if row["table"] == "routes"}
    unlisted = opened_networks[opened_networks["unlisted"].notna()].drop_duplicates(
        ["endpoint_id", "unlisted"]
    )
    rows += [
        {
            "table": "network_interfaces",
            "account": network.account,
            "region": network.region,
            "service": "ec2",
            "operation": "describe-network-interfaces",
            "resource": network.endpoint_id,
            "status": "missing",
            "error_message": tr(
                "receivers that {network.endpoint_id} leads to were not seen ({network.unlisted})",
                network=network,
            ),
            "iam_action": "ec2:DescribeNetworkInterfaces",
        }
        for network in rows_at(unlisted, judged)
        if network.endpoint_id not in told
    ]
    return once(changing + rows)


@check(
    id="authorization-rule-hides-network",
    title="No narrower authorization rule takes a network from a group that seems to have it",
    severity=Severity.MEDIUM,
    **_JUDGED,
    unseen=changing_rules,
    condition=(
        "has a narrow rule that takes a network away from other groups",
        "have narrow rules that take networks away from other groups",
    ),
    rationale=(
        "AWS lets only the authorization rules with the longest prefix decide about a "
        "destination, over all groups together. A narrower rule for one group therefore silently "
        "takes that network from every other group, even from one with a wider rule. Whoever "
        "reads the list believes those users have access; they find out when it does not work, "
        "and the usual repair under pressure is a rule for everyone."
    ),
    remedy=(
        "Decide for each network named whether the other groups need it. Where they do, add a "
        "rule of the same network for each of them. Where the separation is meant, write that "
        "into the description of the narrow rule. Changing authorization rules resets sessions: "
        "plan a window."
    ),
    ends_sessions=True,
    verify=(
        "aws ec2 describe-client-vpn-authorization-rules --client-vpn-endpoint-id <endpoint id> "
        "lists the network once for every group that needs it, and after collecting again each of them reaches it."
    ),
    false_alarms=(
        "Separation on purpose: this is the only way to keep a network from a group that has a "
        "wider one.",
        "A rule for 0.0.0.0/0 that is meant for the internet only.",
    ),
    decision="Only you know whether the narrow rule separates on purpose. If not, add a rule of the same network for each group that needs it.",
    reference=f"{GUIDE}cvpn-working-rules.html",
)
def authorization_rule_hides_network(
    judged: pd.DataFrame, client_vpn_authorization_rules: pd.DataFrame
) -> pd.DataFrame:
    """Return the networks that a narrower rule takes from groups with a wider one."""
    endpoint_of = {row.endpoint_id: row for row in rows_of(judged)}
    rules = client_vpn_authorization_rules
    active = rules[rules["status"] == "active"].merge(judged[ENDPOINT], on=ENDPOINT)
    rows = []
    for id, mine in active.groupby("endpoint_id"):
        held: dict[str, set[str]] = defaultdict(set)
        for row in rows_of(mine):
            held[row.destination_cidr].add("*" if row.access_all else str(row.group_id))
        for row in rows_of(mine.sort_values("group_id").drop_duplicates("destination_cidr")):
            cidr = row.destination_cidr
            if "*" in held[cidr]:
                continue
            network = addresses(cidr)
            wider = {
                other: groups - held[cidr]
                for other, groups in held.items()
                if addresses(other) != network and network <= addresses(other)
            }
            hidden = sorted(set().union(*wider.values()))
            if not hidden:
                continue
            through = sorted((o for o, groups in wider.items() if groups), key=_prefix)
            names = [tr("every other user") if group == "*" else group for group in hidden]
            rows.append(
                {
                    **place_of(row),
                    "destination_cidr": cidr,
                    "groups": tuple(sorted(held[cidr])),
                    "hidden_from": tuple(hidden),
                    "source": row.source,
                    "record": row.record,
                    "reason": tr(
                        "{endpoint} opens {cidr} to {groups} only, which takes it from {others} in "
                        "spite of {wider}.",
                        endpoint=called(endpoint_of[id]),
                        cidr=cidr,
                        groups=words.listed(words.clean(g) for g in sorted(held[cidr])),
                        others=words.listed(words.clean(n) for n in names),
                        wider=words.listed(through),
                    ),
                    "rank": _prefix(through[-1]) * -1,
                }
            )
    return evidence_of(
        "account region endpoint_id destination_cidr groups hidden_from reason source record", rows
    )


def _prefix(cidr: str) -> int:
    return int(cidr.rpartition("/")[2])


@check(
    id="authorized-but-unreachable",
    title="Every authorized and routed network leads somewhere",
    severity=Severity.LOW,
    **_JUDGED,
    unseen=changing_rules,
    condition=(
        "opens a network in which nothing can be reached",
        "open networks in which nothing can be reached",
    ),
    rationale=(
        "An authorization rule or route that leads nowhere is a promise that nobody keeps. Users "
        "are told they have access and open tickets; worse, the day somebody adds the missing "
        "piece for another reason, the forgotten rule opens the network at once, without review."
    ),
    remedy=(
        "Remove the rule or route if it is left over; otherwise open what the reason names. "
        "Changing authorization rules resets sessions: plan a window. Where the "
        "reason names the endpoint's security groups, vpn-sg-limits-outbound may tell the same from the "
        "other side: keep the network and add an outbound rule there, or remove it here, not both. An "
        "outbound rule alone opens it only where the reason names nothing else that stops it."
    ),
    ends_sessions=True,
    verify=(
        "After collecting again the network is reached, or it "
        "is no longer in describe-client-vpn-authorization-rules and describe-client-vpn-routes."
    ),
    false_alarms=(
        "A network prepared for receivers that are not there yet.",
        "Receivers that have no interface of their own in the network, such as addresses routed "
        "on by an appliance.",
        "An endpoint that nobody has associated yet.",
    ),
    decision="Only you know whether the network is left over (remove the rule or route) or was meant to work (open what the reason names).",
    reference=f"{GUIDE}cvpn-working-routes.html",
)
def authorized_but_unreachable(judged: pd.DataFrame, opened_networks: pd.DataFrame) -> pd.DataFrame:
    """Return authorization rules and routes from which nothing is reached and nothing leaves."""
    endpoint_of = {row.endpoint_id: row for row in rows_of(judged)}
    stopped = opened_networks[opened_networks["stopped_by"].notna()]
    stopped = stopped[stopped["stopped_by"] != "no active authorization rule decides there"]
    rows = []
    for row in rows_of(stopped.merge(judged[ENDPOINT], on=ENDPOINT)):
        stop = tr(row.stopped_by)
        if row.kind == "route":
            reason = tr(
                "{endpoint} routes {row.destination_cidr} through {row.target_subnet}, but {stop}.",
                endpoint=called(endpoint_of[row.endpoint_id]),
                row=row,
                stop=stop,
            )
        else:
            reason = tr(
                "{endpoint} authorizes {row.destination_cidr} for {who}, but {stop}.",
                endpoint=called(endpoint_of[row.endpoint_id]),
                row=row,
                who=tr("everyone") if row.access_all is True else words.clean(row.group_id),
                stop=stop,
            )
        rows.append(
            {
                **place_of(row),
                "kind": row.kind,
                "destination_cidr": row.destination_cidr,
                "group_id": row.group_id,
                "target_subnet": row.target_subnet,
                "stopped_by": stop,
                "reason": sentences(reason, words.once_let_out(row)),
                "by_absence": True,
            }
        )
    return evidence_of(
        "account region endpoint_id kind destination_cidr group_id target_subnet stopped_by reason",
        rows,
    )


@check(
    id="routed-but-not-authorized",
    title="Every route of an endpoint leads to a network that somebody is authorized for, or for a part of it",
    severity=Severity.INFO,
    **_JUDGED,
    unseen=changing_rules,
    condition=(
        "routes a network that nobody is authorized for",
        "route networks that nobody is authorized for",
    ),
    clear=(
        "routes only networks that somebody is authorized for, or for a part",
        "route only networks that somebody is authorized for, or for a part",
    ),
    rationale=(
        "Nobody gets through such a route, so it opens nothing today. With split tunnel it still "
        "reaches every client's route table and sends that traffic into a tunnel that drops it: "
        "something at the user's own site may stop working. And one authorization rule, added "
        "later for another reason, turns it into access that nobody planned. AWS requires nothing, "
        "so this is information."
    ),
    remedy=(
        "Remove the route where it is left over, or add an authorization rule for the group that "
        "needs the network. Under split tunnel changing routes resets sessions: plan a window."
    ),
    ends_sessions=True,
    verify=(
        "aws ec2 describe-client-vpn-routes --client-vpn-endpoint-id <endpoint id> and "
        "describe-client-vpn-authorization-rules, with the same option, show an authorization rule "
        "for every network that is routed, or for a part of it."
    ),
    false_alarms=(
        "The route that AWS adds by itself for the VPC of an association.",
        "A wide route whose narrow parts are authorized is not reported.",
    ),
    decision="Only you know whether the route is left over (delete it) or an authorization rule is missing (add it).",
    reference=f"{GUIDE}cvpn-working-routes.html",
)
def routed_but_not_authorized(
    judged: pd.DataFrame,
    client_vpn_routes: pd.DataFrame,
    client_vpn_authorization_rules: pd.DataFrame,
) -> pd.DataFrame:
    """Return active routes of whose network no part is authorized for anybody."""
    endpoint_of = {row.endpoint_id: row for row in rows_of(judged)}
    rules = client_vpn_authorization_rules
    authorized: dict[str, Ranges] = defaultdict(Ranges)
    for rule in rows_where(rules, rules["status"].map(standing) != "gone"):
        authorized[rule.endpoint_id] |= addresses(rule.destination_cidr)
    active = client_vpn_routes[client_vpn_routes["status"] == "active"]
    rows = []
    for row in rows_of(active.merge(judged[ENDPOINT], on=ENDPOINT)):
        if addresses(row.destination_cidr) & authorized[row.endpoint_id]:
            continue
        target = row.target_subnet
        if not isinstance(target, str):
            target = row.transit_gateway_attachment_id
        said = {"endpoint": called(endpoint_of[row.endpoint_id]), "row": row, "target": target}
        rows.append(
            {
                **place_of(row),
                "destination_cidr": row.destination_cidr,
                "target": target,
                "source": row.source,
                "record": row.record,
                "reason": tr(
                    "{endpoint} routes {row.destination_cidr} to {target}, and nobody is "
                    "authorized for any of it, a route that AWS made with the association.",
                    **said,
                )
                if row.origin == "associate"
                else tr(
                    "{endpoint} routes {row.destination_cidr} to {target}, and nobody is "
                    "authorized for any of it.",
                    **said,
                ),
                "by_absence": True,
            }
        )
    return evidence_of(
        "account region endpoint_id destination_cidr target reason source record", rows
    )


@check(
    id="receiver-admits-all-ports-from-vpn",
    title="Receivers admit VPN users on the ports they serve, not on all",
    severity=Severity.MEDIUM,
    **_JUDGED,
    unseen=doubtful_reach,
    condition=("reaches receivers on every port", "reach receivers on every port"),
    rationale=(
        "A VPN user, or whoever took over a user's laptop, can try every service on such a "
        "receiver, including those nobody meant to offer: a debugger, an agent, an administration "
        "console. The endpoint does not filter ports, so the receiver's own security group is the "
        "last place where a port could be refused."
    ),
    remedy=(
        "Replace the rule by one per port that users need, with the endpoint's security group as "
        "its source; add the new rules first, have users test, then remove the wide one by its "
        "rule id."
    ),
    verify=(
        "aws ec2 describe-security-group-rules --filters Name=group-id,Values=<receiver's group> "
        "shows no rule for all protocols or all ports that admits the endpoint."
    ),
    false_alarms=(
        "Machines that are administered by the very users of this endpoint.",
        "A network appliance that takes any port by its nature.",
    ),
    decision="Only you know which ports the receiver serves. Add a rule for each with the endpoint's group as its source, then remove the wide one.",
    reference=f"{GUIDE}client-authorization.html",
    controls=_NIST,
)
def receiver_admits_all_ports_from_vpn(
    judged: pd.DataFrame,
    reached_interfaces: pd.DataFrame,
    endpoint_network_interfaces: pd.DataFrame,
    network_interfaces: pd.DataFrame,
) -> pd.DataFrame:
    """Return the interfaces of which some user reaches every TCP or every UDP port."""
    endpoint_of = {row.endpoint_id: row for row in rows_of(judged)}
    held = reached_interfaces[reached_interfaces["all_ports"]]
    found = _receivers(held, judged, endpoint_network_interfaces)
    called_as = _interfaces(found, network_interfaces)
    rows = [
        {
            **place_of(row),
            "eni_id": row.eni_id,
            "group_ids": row.group_ids,
            "rule_ids": row.rule_ids,
            "reason": tr(
                "Users of {endpoint} reach every port of {receiver}, let in by {rules}.",
                endpoint=called(endpoint_of[row.endpoint_id]),
                receiver=called_as[row.eni_id],
                rules=words.listed(row.rule_ids, most=3),
            ),
        }
        for row in rows_of(found)
    ]
    return evidence_of("account region endpoint_id eni_id group_ids rule_ids reason", rows)


def _receivers(
    reached: pd.DataFrame, judged: pd.DataFrame, endpoint_network_interfaces: pd.DataFrame
) -> pd.DataFrame:
    """Return the reached interfaces but Client VPN's own: no service of the account answers there."""
    own = reached["eni_id"].isin(endpoint_network_interfaces["eni_id"])
    return reached[~own].merge(judged[ENDPOINT], on=ENDPOINT)


def _interfaces(found: pd.DataFrame, network_interfaces: pd.DataFrame) -> dict[str, str]:
    """Return what to call the interfaces of some evidence, by id."""
    mine = network_interfaces[network_interfaces["eni_id"].isin(found["eni_id"])]
    return {row.eni_id: words.interface(row) for row in rows_of(mine)}


@check(
    id="client-to-client-is-open",
    title="VPN users cannot reach each other's devices",
    severity=Severity.MEDIUM,
    **_JUDGED,
    unseen=changing_rules,
    condition=(
        "lets users reach each other's devices",
        "let users reach each other's devices",
    ),
    rationale=(
        "One infected laptop can attack all others that are connected, from inside and past "
        "every security group: traffic between clients crosses no network interface of the VPC. "
        "Only the firewalls on the devices themselves are left."
    ),
    remedy=(
        "Remove the route of the client range to local, and the authorization rule for that "
        "range, unless users have a stated need such as direct calls or remote support."
    ),
    verify=(
        "aws ec2 describe-client-vpn-routes --client-vpn-endpoint-id <endpoint id> shows no "
        "active route with the target local."
    ),
    false_alarms=(
        "Remote support or telephony that needs direct connections between users.",
        "Devices whose own firewalls refuse incoming connections.",
    ),
    reference=f"{GUIDE}scenario-client-to-client.html",
    controls=_NIST,
)
def client_to_client_is_open(
    judged: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
    client_vpn_routes: pd.DataFrame,
    client_vpn_authorization_rules: pd.DataFrame,
) -> pd.DataFrame:
    """Return active routes to other clients for which some user is authorized."""
    endpoint_of = {row.endpoint_id: row for row in rows_of(judged)}
    networks = client_vpn_target_networks
    associated = set(networks.loc[networks["status"] == "associated", "endpoint_id"])
    associated |= set(judged.loc[judged["attachment"] == "transit_gateway", "endpoint_id"])
    rules = client_vpn_authorization_rules
    active = rules[rules["status"] == "active"]
    local = client_vpn_routes[
        (client_vpn_routes["status"] == "active") & (client_vpn_routes["target_subnet"] == "local")
    ]
    rows = []
    for row in rows_of(local.merge(judged[ENDPOINT], on=ENDPOINT)):
        if row.endpoint_id not in associated:
            continue
        mine = rows_where(active, active["endpoint_id"] == row.endpoint_id)
        deciding = _deciding(addresses(row.destination_cidr), list(mine))
        if not deciding:
            continue
        said = {"endpoint": called(endpoint_of[row.endpoint_id]), "row": row}
        rows.append(
            {
                **place_of(row),
                "destination_cidr": row.destination_cidr,
                "source": row.source,
                "record": row.record,
                "reason": tr(
                    "{endpoint} routes {row.destination_cidr} to its own clients and authorizes "
                    "every user for it.",
                    **said,
                )
                if any(rule.access_all for rule in deciding)
                else tr(
                    "{endpoint} routes {row.destination_cidr} to its own clients and authorizes "
                    "users of some groups for it (AWS does not support group rules between "
                    "clients).",
                    **said,
                ),
            }
        )
    return evidence_of("account region endpoint_id destination_cidr reason source record", rows)


def _deciding(territory: Ranges, rules: list[Any]) -> list[Any]:
    """Return the authorization rules that decide about some address: no longer prefix holds it."""
    found = []
    for rule in rules:
        left = addresses(rule.destination_cidr) & territory
        for other in rules:
            inner = addresses(other.destination_cidr)
            if inner != addresses(rule.destination_cidr) and inner <= addresses(
                rule.destination_cidr
            ):
                left -= inner
        if left:
            found.append(rule)
    return found


@check(
    id="sensitive-port-reachable-by-everyone",
    title="Administration and database ports are not reachable by every VPN user",
    severity=Severity.HIGH,
    **_JUDGED,
    unseen=doubtful_reach,
    condition=(
        "lets every user reach an administration or database port",
        "let every user reach an administration or database port",
    ),
    of_everyone=True,
    rationale=(
        "Whoever can connect, whatever the group, gets as far as the login of a server or a "
        "database. A single stolen account, certificate or laptop is then enough to try passwords "
        "and unpatched weaknesses where the damage is greatest. Neither the authorization rules "
        "nor the receivers tell administrators from everybody else."
    ),
    errand="Narrow who reaches administration and database ports of {receivers}.",
    remedy=(
        "Narrow it in the security groups of these receivers: give administrators an endpoint with a "
        "security group of its own, admit that group on the ports for administration and databases, "
        "and leave to everybody else's endpoint the ports that its users need (443 of a website, "
        "say). Add the new rules first, then remove the wide ones. Authorization rules know no "
        "ports: one for the administrators' group in place of everyone would take the whole receiver "
        "from all others."
    ),
    verify=(
        "After collecting again, users in no group no longer reach the interface on these ports."
    ),
    false_alarms=(
        "An endpoint that only administrators can connect to, by certificate or SAML application.",
        "A receiver that listens to something else on the port.",
        "An endpoint whose authorization policy admits administrators only: policies are not "
        "worked out here.",
    ),
    decision="Only you know who administers these receivers, and on which ports the others need them: narrow the receivers' rules to that. Authorizing their network for one group in place of everyone would take it from all others.",
    reference=f"{GUIDE}cvpn-working-rules.html",
    controls=_NIST,
)
def sensitive_port_reachable_by_everyone(
    judged: pd.DataFrame,
    reached_interfaces: pd.DataFrame,
    endpoint_network_interfaces: pd.DataFrame,
    network_interfaces: pd.DataFrame,
) -> pd.DataFrame:
    """Return the interfaces that a user in no group reaches on a port of ``SENSITIVE_PORTS``."""
    endpoint_of = {row.endpoint_id: row for row in rows_of(judged)}
    held = reached_interfaces[reached_interfaces["everyone_ports"].map(len).gt(0)]
    services = {on: _services(on) for on in set(held["everyone_ports"])}
    named = held[held["everyone_ports"].map(lambda on: bool(services[on])).astype(bool)]
    found = _receivers(named, judged, endpoint_network_interfaces)
    called_as = _interfaces(found, network_interfaces)
    rows = []
    for row in rows_of(found):
        offered = services[row.everyone_ports]
        rows.append(
            {
                **place_of(row),
                "eni_id": row.eni_id,
                "ports": tuple(f"{protocol} {port}" for protocol, port, _ in offered),
                "rule_ids": row.rule_ids,
                "reason": tr(
                    "Every user of {endpoint} reaches {receiver} on {services}, let in by {rules}.",
                    endpoint=called(endpoint_of[row.endpoint_id]),
                    receiver=called_as[row.eni_id],
                    services=words.listed(_told(offered), most=4),
                    rules=words.listed(row.rule_ids, most=3),
                ),
                "rank": -len(offered),
            }
        )
    return evidence_of("account region endpoint_id eni_id ports rule_ids reason", rows)


def sensitive_ports_of(row: Any) -> tuple[tuple[str, int, str], ...]:
    """Return those of ``SENSITIVE_PORTS`` that a row of reach holds."""
    return tuple(
        (protocol, port, service)
        for protocol, port, service in SENSITIVE_PORTS
        if row.protocol in {protocol, "all"}
        and (pd.isna(row.from_port) or row.from_port <= port <= row.to_port)
    )


def _services(on: tuple[str, ...]) -> tuple[tuple[str, int, str], ...]:
    """Return the sensitive ports among texts like ``tcp 20-25``."""
    reached = Ranges.of(span for text in on for span in _ports_of(text).spans)
    return tuple(one for one in SENSITIVE_PORTS if ports(one[0], one[1], one[1]) <= reached)


def _ports_of(text: str) -> Ranges:
    """Return what a text of the table means.

    >>> _ports_of("tcp 20-25") == ports("tcp", 20, 25), _ports_of("all") == ports("all")
    (True, True)
    """
    protocol, _, bounds = text.partition(" ")
    if protocol in {"icmp", "icmpv6"} or not bounds:
        return ports(protocol)
    low, _, high = bounds.partition("-")
    return ports(protocol, int(low), int(high))


def _told(offered: tuple[tuple[str, int, str], ...]) -> Iterator[str]:
    for protocol, port, service in offered:
        yield f"{tr(service)} ({protocol.upper()} {port})"


@check(
    id="receiver-open-wider-than-vpn",
    title="Receivers of VPN users do not admit the internet or a whole VPC as well",
    severity=Severity.LOW,
    **_JUDGED,
    unseen=doubtful_reach,
    condition=(
        "reaches receivers that admit far more than the VPN",
        "reach receivers that admit far more than the VPN",
    ),
    rationale=(
        "VPN users get in by a rule that is not about them: it admits a whole VPC, or every "
        "address. Whatever else stands in that range gets in too, now or later, and nobody can "
        "tell from the rule who was meant. If the rule is there for the VPN, it could name the "
        "endpoint's security group and admit nothing else."
    ),
    remedy=(
        "Add a rule with the same ports that names the endpoint's security group, find out who "
        "else uses the wide rule (VPC Flow Logs tell), then narrow it to them, or remove it by its rule "
        "id. Where it is meant for the public, as of a website, it stays."
    ),
    verify=(
        "aws ec2 describe-security-group-rules --filters Name=group-id,Values=<receiver's group> "
        "shows the endpoint's group as ReferencedGroupInfo, and no range that holds a whole VPC."
    ),
    false_alarms=(
        "A public service that VPN users happen to reach by the same rule.",
        "A service meant for the whole VPC, such as a resolver or a monitoring agent.",
    ),
    reference="https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html",
    controls=_NIST,
)
def receiver_open_wider_than_vpn(  # noqa: PLR0917 # the tables it reads
    judged: pd.DataFrame,
    reached_interfaces: pd.DataFrame,
    endpoint_network_interfaces: pd.DataFrame,
    ingress_rules: pd.DataFrame,
    prefix_list_entries: pd.DataFrame,
    vpc_cidr_blocks: pd.DataFrame,
) -> pd.DataFrame:
    """Return inbound rules that admit the endpoint and, beside it, at least a whole VPC."""
    endpoint_of = {row.endpoint_id: row for row in rows_of(judged)}
    blocks: dict[str, list[Ranges]] = defaultdict(list)
    for block in rows_where(vpc_cidr_blocks, vpc_cidr_blocks["state"].isin(["associated"])):
        blocks[block.vpc_id].append(addresses(block.cidr_block))
    reached = reached_interfaces[reached_interfaces["rule_ids"].map(len).gt(0)]
    reached = _receivers(reached, judged, endpoint_network_interfaces)
    pairs = reached[[*ENDPOINT, "vpc_id", "eni_id", "rule_ids"]].explode("rule_ids")
    pairs = pairs.rename(columns={"rule_ids": "rule_id"})
    lists = listed_addresses(prefix_list_entries)
    used = ingress_rules[ingress_rules["rule_id"].isin(pairs["rule_id"].unique())]
    # Two halves of a range in two rules admit the whole of it.
    beside = ingress_rules[ingress_rules["group_id"].isin(used["group_id"])]
    smallest = min((block.size for held in blocks.values() for block in held), default=0)
    beside = beside[_many_addresses(beside, lists, smallest)]
    alike: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for rule in rows_of(beside):
        alike[_traffic_of(rule)].append(rule)
    admitted = {
        traffic: Ranges.of(span for rule in held for span in _source_of(rule, lists).spans)
        for traffic, held in alike.items()
    }
    rule_of = {rule.rule_id: rule for held in alike.values() for rule in held}
    let_in: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for pair in rows_where(pairs, pairs["rule_id"].isin(beside["rule_id"])):
        let_in[pair.endpoint_id, pair.rule_id].append(pair)
    rows = []
    for (id, rule_id), held in sorted(let_in.items(), key=lambda item: item[0]):
        rule, endpoint = rule_of[rule_id], endpoint_of[id]
        own, source = _source_of(rule, lists), admitted[_traffic_of(rule)]
        vpcs = {*(pair.vpc_id for pair in held), endpoint.vpc_id}
        whole = sorted(v for v in vpcs for b in blocks.get(v, ()) if b <= source and b & own)
        if not whole:
            continue
        others = [other for other in alike[_traffic_of(rule)] if other.rule_id != rule_id]
        alone = all(any(b <= own for b in blocks[v]) for v in whole)
        source = own if alone else source
        internet = source.size > 2**31
        interfaces = len({pair.eni_id for pair in held})
        said = {
            "endpoint": called(endpoint),
            "interfaces": words.count(interfaces, "interface"),
            "rule": rule,
            "admitted": tr("the internet")
            if internet
            else tr("all of {vpcs}", vpcs=words.listed(dict.fromkeys(whole))),
            "peer": words.clean(rule.peer),
            "traffic": words.traffic(rule.protocol, rule.from_port, rule.to_port),
        }
        rows.append(
            {
                **place_of(endpoint),
                "group_id": rule.group_id,
                "rule_id": rule_id,
                "interfaces": interfaces,
                "range": words.clean(rule.peer),
                "source": rule.source,
                "record": rule.record,
                "reason": tr(
                    "Users of {endpoint} reach {interfaces} by {rule.rule_id} of {rule.group_id}, "
                    "which admits {admitted} ({peer}) on {traffic}.",
                    **said,
                )
                if alone
                else tr(
                    "Users of {endpoint} reach {interfaces} by {rule.rule_id} of {rule.group_id}, "
                    "which together with {others} admits {admitted} ({peer}) on {traffic}.",
                    **said,
                    others=_named_rules(others),
                ),
                "rank": 0 if internet else 1,
            }
        )
    return evidence_of(
        "account region endpoint_id group_id rule_id interfaces range reason source record", rows
    )


def _many_addresses(rules: pd.DataFrame, lists: dict[str, Ranges], least: int) -> pd.Series:
    """Tell which rules admit so many addresses, together with those of the same group and ports.

    Added up as if none were admitted twice: who is told apart here need not be worked out exactly.
    """
    peers = rules[["peer_kind", "peer"]].drop_duplicates()
    sizes = {row.peer: float(_source_of(row, lists).size) for row in rows_of(peers)}
    size = rules["peer"].map(sizes).fillna(0.0).astype(float)
    together = size.groupby(
        [rules[column] for column in ("group_id", "protocol", "from_port", "to_port")],
        dropna=False,
    ).transform("sum")
    return together * (1 + 1e-9) >= least  # sums of great floating-point numbers are rounded


def _traffic_of(rule: Any) -> tuple[Any, ...]:
    """Return what a rule is about but its source; missing ports as one value."""
    ends = (None if pd.isna(port) else int(port) for port in (rule.from_port, rule.to_port))
    return (rule.group_id, rule.protocol, *ends)


def _named_rules(rules: list[Any]) -> str:
    return words.listed((f"{rule.rule_id} ({words.clean(rule.peer)})" for rule in rules), most=3)


def _source_of(rule: Any, lists: dict[str, Ranges]) -> Ranges:
    if rule.peer_kind in {"ipv4", "ipv6"}:
        return addresses(rule.peer)
    return lists.get(rule.peer, NONE) if rule.peer_kind == "prefix_list" else NONE
