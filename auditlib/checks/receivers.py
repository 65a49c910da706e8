"""Checks of the security groups of receivers: what VPN users are meant to reach."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from socket import inet_aton
from typing import Any

import pandas as pd

from auditlib import words
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import (
    GUIDE,
    called,
    groups_in_force,
    living,
    names_of,
    other_interfaces,
    place_of,
    rows_at,
    unread_groups,
    with_security_groups,
    without_security_groups,
)
from auditlib.frames import rows_of, rows_where
from auditlib.language import marked, sentences, tr


def _translated(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which endpoints' clients come from an interface that carries a security group.

    IPv6 clients keep their addresses, and whether a group matches them AWS does not say.
    """
    return with_security_groups(endpoints) & endpoints["traffic_ip_address_type"].ne("ipv6").fillna(
        True
    ).astype(bool)


def _not_translated(endpoints: pd.DataFrame) -> str:
    """Say which endpoints are left out."""
    only_ipv6 = int((with_security_groups(endpoints) & ~_translated(endpoints)).sum())
    said = ""
    if only_ipv6:
        said = (
            tr(
                "One endpoint for IPv6 alone is not judged here: its clients keep their own addresses."
            )
            if only_ipv6 == 1
            else tr(
                "{only_ipv6:,} endpoints for IPv6 alone are not judged here: their clients keep their "
                "own addresses.",
                only_ipv6=only_ipv6,
            )
        )
    return sentences(without_security_groups(endpoints), said)


_NAME_THE_GROUP = (
    marked(
        "Add a rule with the same protocol and ports that names the endpoint's security group, test a "
        "connection, then remove the rule on the address by its rule id."
    ),
    marked("For an address inside a prefix list remove the entry after the same test."),
)


def _advice(evidence: pd.DataFrame) -> tuple[str, ...]:
    """Say what to do: a rule that admits nobody today is not one to copy unasked."""
    dead = _dead_rules(evidence)
    decide = tr(
        "Decide for a rule on client addresses whether VPN users are meant to come in, for it admits "
        "none of them today: then name the endpoint's security group in its place, else only remove it."
    )
    if dead == set(evidence["rule_id"]):
        return (decide,)
    parts = tuple(map(tr, _NAME_THE_GROUP))
    return (*parts, decide) if dead else parts


def _dead_rules(evidence: pd.DataFrame) -> set[str]:
    """Return the rules on client addresses alone: not on what another endpoint comes from, too."""
    alive = evidence["why"].ne("client_range")
    return set(evidence.loc[~alive, "rule_id"]) - set(evidence.loc[alive, "rule_id"])


def _dead(evidence: pd.DataFrame) -> str:
    """Say how many of the rules admit nobody through the VPN; empty where each admits somebody."""
    of, number = evidence["rule_id"].nunique(), len(_dead_rules(evidence))
    if not number:
        return ""
    if of == 1:
        return tr(
            "the rule is on client addresses, which receivers never see, and admits nobody through the VPN"
        )
    if number == of:
        return tr(
            "all {number:,} rules are on client addresses, which receivers never see, and admit nobody "
            "through the VPN",
            number=number,
        )
    if number == 1:
        return tr(
            "one of the {of:,} rules is on client addresses, which receivers never see, and admits nobody "
            "through the VPN",
            of=of,
        )
    return tr(
        "{number:,} of the {of:,} rules are on client addresses, which receivers never see, and admit "
        "nobody through the VPN",
        number=number,
        of=of,
    )


@check(
    id="receiver-allows-address-not-group",
    title="Receivers admit VPN users by naming the endpoint's security group, not an address",
    severity=Severity.MEDIUM,
    population="client_vpn_endpoints",
    among=_translated,
    left_out=_not_translated,
    unseen=unread_groups,
    noun="VPC-attached Client VPN endpoint",
    condition=(
        "has receivers that name an address instead of the security group",
        "have receivers that name an address instead of the security group",
    ),
    kinds=_dead,
    rationale=(
        "AWS deletes and recreates the network interfaces of an endpoint, with new addresses. A "
        "rule on such an address breaks one day without anybody changing anything, and then "
        "admits whatever gets the address next. A rule on the whole subnet keeps working but "
        "admits everything else that stands there. A rule on the client range admits nobody, "
        "because receivers see the address of the endpoint's interface and never a client's: "
        "whoever reads it believes in a permission, or a restriction, that is not there."
    ),
    remedy=" ".join(_NAME_THE_GROUP),
    advice=_advice,
    verify=(
        "aws ec2 describe-security-group-rules --filters Name=group-id,Values=<receiver's group> "
        "shows the endpoint's group as ReferencedGroupInfo and no longer the address."
    ),
    false_alarms=(
        "A rule on the subnet meant for other machines that stand in it.",
        "A rule on the client range where another network in use has the same range.",
        "Receivers that cannot name the group are left out: in other Regions, on premises, or "
        "behind a transit gateway.",
        "IPv6 rules are left out: IPv6 clients keep their own addresses.",
    ),
    reference=f"{GUIDE}client-authorization.html",
    controls={"NIST SP 800-53 Rev. 5": ("AC-4", "SC-7")},
)
def receiver_allows_address_not_group(  # noqa: PLR0917 # the tables it reads
    judged: pd.DataFrame,
    client_vpn_endpoints: pd.DataFrame,
    endpoint_security_groups: pd.DataFrame,
    endpoint_network_interfaces: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
    subnets: pd.DataFrame,
    security_groups: pd.DataFrame,
    security_group_vpc_associations: pd.DataFrame,
    vpc_peering_connections: pd.DataFrame,
    ingress_rules: pd.DataFrame,
    prefix_list_entries: pd.DataFrame,
    network_interfaces: pd.DataFrame,
    network_interface_groups: pd.DataFrame,
) -> pd.DataFrame:
    """Return receivers' inbound rules on addresses that only an endpoint explains.

    Receivers are looked for where a rule could name the endpoint's group instead: in its VPC, and
    across active peerings in its Region.
    """
    endpoint_of = {r.endpoint_id: r for r in rows_of(judged)}
    traces = [
        *_addresses(judged, endpoint_network_interfaces, subnets),
        *_subnets(judged, client_vpn_target_networks, subnets),
        *_client_ranges(judged, client_vpn_endpoints),
    ]
    rules = _rules_by_range(ingress_rules, prefix_list_entries)
    ranges = pd.Series(rules["range"].unique(), dtype="str")
    first, last = _bounds(ranges)
    meant = [set(ranges[trace.explains(first, last)]) for trace in traces]
    rules = rules[rules["range"].isin(set().union(*meant))]

    held = groups_in_force(judged, endpoint_security_groups)
    # The endpoint's own groups are receivers' groups too where something else carries them.
    others = other_interfaces(
        held, endpoint_network_interfaces, network_interfaces, network_interface_groups
    )
    others = others[~others["client_vpn"]]
    own = set(zip(held["endpoint_id"], held["group_id"], strict=True))
    own -= set(zip(others["endpoint_id"], others["group_id"], strict=True))
    vpcs_of = _vpcs_of_groups(security_groups, security_group_vpc_associations)
    near = _near_vpcs(judged, client_vpn_target_networks, vpc_peering_connections)
    names = names_of(security_groups, "group_id", "group_name")
    rows = []
    for trace, texts in zip(traces, meant, strict=True):
        endpoint = endpoint_of[trace.endpoint_id]
        for rule in rows_where(rules, rules["range"].isin(texts)):
            if (trace.endpoint_id, rule.group_id) in own:
                continue
            if not vpcs_of[rule.group_id] & near[trace.endpoint_id]:
                continue
            rows.append(
                {
                    **place_of(endpoint),
                    "group_id": rule.group_id,
                    "rule_id": rule.rule_id,
                    "range": rule.range,
                    "why": trace.why,
                    "source": rule.source,
                    "record": rule.record,
                    "reason": trace.told_of(rule, names, called(endpoint)),
                    "rank": _RANK[trace.why],
                }
            )
    return evidence_of(
        "account region endpoint_id group_id rule_id range why reason source record", rows
    )


_RANK = {"fragile_address": 0, "whole_subnet": 1, "client_range": 2}


@dataclass(frozen=True, kw_only=True)
class _Trace:
    """A range in rules that gives away which endpoint they are meant for.

    Attributes
    ----------
    within
        A rule's range must lie inside this network,
    around
        and hold this address.
    what
        The interface that has the address, or the subnet, as it is called.
    """

    endpoint_id: str
    why: str
    within: IPv4Network
    around: IPv4Address | None = None
    what: str = ""

    def explains(self, first: pd.Series, last: pd.Series) -> pd.Series:
        """Tell which of these ranges are in a rule because of the endpoint."""
        low, high = int(self.within[0]), int(self.within[-1])
        if self.why == "whole_subnet":
            return (first == low) & (last == high)
        inside = (first >= low) & (last <= high)
        if self.around is None:
            return inside
        whole = (first == low) & (last == high)
        return inside & ~whole & (first <= int(self.around)) & (last >= int(self.around))

    def told_of(self, rule: Any, names: Mapping[str, str], endpoint: str) -> str:
        """Say what a rule admits, and what that has to do with the endpoint."""
        said = {
            "group": words.named(rule.group_id, names.get(rule.group_id)),
            "traffic": words.traffic(rule.protocol, rule.from_port, rule.to_port),
            "range": tr("{rule.range} (an entry of prefix list {rule.prefix_list_id})", rule=rule)
            if rule.peer_kind == "prefix_list"
            else rule.range,
            "endpoint": endpoint,
        }
        if self.why == "fragile_address":
            return tr(
                "{group} admits {traffic} from {range}, where {address} is the present address of "
                "{interface} of {endpoint}; AWS may replace that interface at any time by one with "
                "another address.",
                **said,
                address=self.around,
                interface=self.what,
            )
        if self.why == "whole_subnet":
            return tr(
                "{group} admits {traffic} from {range}, the whole of {subnet}: {endpoint} is "
                "associated with it, and anything else placed there is admitted too.",
                **said,
                subnet=self.what,
            )
        return tr(
            "{group} has a rule for {traffic} from {range}, in the client range of {endpoint}, which admits "
            "nobody through the VPN: receivers see the address of the endpoint's interface, never a "
            "client's.",
            **said,
        )


def _addresses(
    judged: pd.DataFrame, endpoint_interfaces: pd.DataFrame, subnets: pd.DataFrame
) -> Iterator[_Trace]:
    """Return the present addresses of the endpoints' interfaces."""
    block_of = {row.subnet_id: row.cidr_block for row in rows_of(subnets)}
    for row in rows_at(endpoint_interfaces, judged):
        block = block_of.get(row.subnet_id)
        if isinstance(row.private_ip, str) and isinstance(block, str):
            yield _Trace(
                endpoint_id=row.endpoint_id,
                why="fragile_address",
                within=IPv4Network(block),
                around=IPv4Address(row.private_ip),
                what=row.eni_id,
            )


def _subnets(
    judged: pd.DataFrame, target_networks: pd.DataFrame, subnets: pd.DataFrame
) -> Iterator[_Trace]:
    """Return the subnets the endpoints are associated with."""
    known = {row.subnet_id: row for row in rows_of(subnets) if isinstance(row.cidr_block, str)}
    held = dict.fromkeys(
        (row.endpoint_id, row.subnet_id)
        for row in rows_at(target_networks, judged)
        if row.status not in {"disassociated", "association-failed"}
    )
    for endpoint_id, subnet_id in held:
        if subnet_id in known:
            yield _Trace(
                endpoint_id=endpoint_id,
                why="whole_subnet",
                within=IPv4Network(known[subnet_id].cidr_block),
                what=words.named(subnet_id, known[subnet_id].name),
            )


def _client_ranges(judged: pd.DataFrame, every_endpoint: pd.DataFrame) -> Iterator[_Trace]:
    """Return the client ranges that receivers never see."""
    # Clients of a transit gateway endpoint keep their addresses: a rule on those is alive.
    on_gateway = living(every_endpoint) & (every_endpoint["attachment"] == "transit_gateway")
    alive = [
        IPv4Network(text, strict=False)
        for text in every_endpoint.loc[on_gateway, "client_cidr_block"].dropna()
    ]
    for row in rows_where(judged, judged["client_cidr_block"].notna()):
        network = IPv4Network(row.client_cidr_block, strict=False)
        if not any(network.overlaps(other) for other in alive):
            yield _Trace(
                endpoint_id=row.endpoint_id,
                why="client_range",
                within=network,
            )


def _rules_by_range(rules: pd.DataFrame, entries: pd.DataFrame) -> pd.DataFrame:
    """Return the rules on IPv4 ranges, one row per range of a prefix list."""
    direct = rules[rules["peer_kind"] == "ipv4"]
    listed = rules[rules["prefix_list_id"].notna()].merge(
        entries.loc[~entries["cidr_block"].str.contains(":"), ["prefix_list_id", "cidr_block"]],
        on="prefix_list_id",
    )
    return pd.concat(
        [direct.assign(range=direct["peer"]), listed.assign(range=listed["cidr_block"])]
    )


def _bounds(ranges: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the first and last address of each IPv4 range, as numbers.

    A big account has a million rules: ``ipaddress`` would take most of the check's time.
    """
    firsts, lasts = [], []
    for text in ranges:
        address, _, length = text.partition("/")
        size = 1 << (32 - int(length or 32))
        first = int.from_bytes(inet_aton(address), "big") // size * size
        firsts.append(first)
        lasts.append(first + size - 1)
    return (
        pd.Series(firsts, index=ranges.index, dtype="int64"),
        pd.Series(lasts, index=ranges.index, dtype="int64"),
    )


def _vpcs_of_groups(groups: pd.DataFrame, associations: pd.DataFrame) -> dict[str, set[str]]:
    """Return the VPCs whose interfaces may carry each group: its own and associated ones."""
    found: dict[str, set[str]] = defaultdict(set)
    held = associations[associations["state"] == "associated"]
    for frame in (groups, held):
        for group_id, vpc_id in zip(frame["group_id"], frame["vpc_id"], strict=True):
            found[group_id].add(vpc_id)
    return found


def _near_vpcs(
    judged: pd.DataFrame, target_networks: pd.DataFrame, peerings: pd.DataFrame
) -> dict[str, set[str]]:
    """Return, by endpoint, the VPCs where a rule can name its group: its own and peered ones."""
    peers: dict[str, set[str]] = defaultdict(set)
    for row in rows_of(peerings):
        if row.status == "active" and str(row.requester_region) == str(row.accepter_region):
            peers[row.requester_vpc_id].add(row.accepter_vpc_id)
            peers[row.accepter_vpc_id].add(row.requester_vpc_id)
    own: dict[str, set[str]] = {row.endpoint_id: set() for row in rows_of(judged)}
    for row in (*rows_of(judged), *rows_of(target_networks)):
        if isinstance(row.vpc_id, str):
            own.setdefault(row.endpoint_id, set()).add(row.vpc_id)
    return {endpoint: vpcs.union(*(peers[vpc] for vpc in vpcs)) for endpoint, vpcs in own.items()}
