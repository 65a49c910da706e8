"""Checks of the security groups that are in force on Client VPN endpoints.

An endpoint attached to a transit gateway has no security group; these checks leave it out and say
so.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from auditlib import words
from auditlib.addresses import ALL_IPV4, ALL_IPV6, ALL_PORTS, Traffic, addresses, ports
from auditlib.check import Severity, TableSource, check, evidence_of
from auditlib.checks._parts import (
    ENDPOINT,
    GUIDE,
    called,
    groups_in_force,
    names_of,
    other_interfaces,
    place_of,
    unread_groups,
    unread_members,
    with_security_groups,
    without_security_groups,
)
from auditlib.frames import rows_of, rows_where
from auditlib.language import marked, sentences, tr
from auditlib.views import marked_client_vpn

_JUDGED: dict[str, Any] = {
    "population": "client_vpn_endpoints",
    "among": with_security_groups,
    "left_out": without_security_groups,
    "noun": "VPC-attached Client VPN endpoint",
}

_SHOW_GROUPS = (
    "aws ec2 describe-client-vpn-target-networks --client-vpn-endpoint-id <endpoint id> "
    "--query 'ClientVpnTargetNetworks[].SecurityGroups'"
)


@check(
    id="vpn-sg-is-default",
    title="Client VPN endpoints carry security groups of their own, not a VPC's default one",
    severity=Severity.MEDIUM,
    **_JUDGED,
    unseen=unread_groups,
    condition=("carries a VPC's default security group", "carry a VPC's default security group"),
    rationale=(
        "AWS applies the VPC's default security group when none is named for an endpoint. Whatever "
        "else is launched in that VPC without a group of its own lands in the same group, so VPN "
        "clients and those machines cannot be told apart by any rule: whoever opens the default "
        "group for one of them opens it for VPN users too, and a default group that nobody "
        "changed lets its members reach each other on every port."
    ),
    remedy=(
        "Create a security group for each endpoint alone, without inbound rules and with outbound "
        "open; add rules that name it to the groups of the receivers; apply it to the endpoint "
        "(apply-security-groups-to-client-vpn-target-network, which replaces the whole set); check "
        "the groups on the endpoint's interfaces; only then take away what the receivers allowed "
        "the default group. AWS does not list a change of groups among those that reset "
        "connections."
    ),
    verify=(
        f"{_SHOW_GROUPS} shows the new group and nothing else; describe-network-interfaces shows "
        "the same group on the endpoint's interfaces."
    ),
    false_alarms=(
        "An endpoint that nobody is meant to use yet: no packet passes before a subnet is "
        "associated and a network authorized.",
    ),
    reference=f"{GUIDE}client-authorization.html",
    controls={
        "NIST SP 800-53 Rev. 5": ("AC-4", "SC-7"),
    },
)
def vpn_sg_is_default(
    judged: pd.DataFrame,
    endpoint_security_groups: pd.DataFrame,
    *,
    vpcs: pd.DataFrame,
) -> pd.DataFrame:
    """Return the default groups that are in force on endpoints, named or by omission."""
    held = endpoint_security_groups.merge(judged[ENDPOINT], on=ENDPOINT)
    nowhere = (held["target_networks"] == 0) & (held["interfaces"] == 0)
    default = held["is_default"].fillna(False).astype(bool) | held["by_omission"]
    found = held[default & (held["effective"] | (held["by_omission"] & nowhere))]
    vpc_names = names_of(vpcs, "vpc_id", "name")
    rows = []
    for row in rows_of(found):
        vpc = words.named(row.vpc_id, vpc_names.get(str(row.vpc_id)))
        group = words.named(row.group_id, row.group_name) or tr("the default security group")
        unused = row.by_omission and row.target_networks == row.interfaces == 0
        if unused:
            reason = tr(
                "{endpoint} names no security group, so the first subnet associated with it brings "
                "the default one of {vpc}, {group}.",
                endpoint=called(row),
                vpc=vpc,
                group=group,
            )
        elif row.by_omission:
            reason = tr(
                "{endpoint} names no security group, so the default one of {vpc} is in force: "
                "{group}.",
                endpoint=called(row),
                vpc=vpc,
                group=group,
            )
        else:
            reason = tr(
                "{endpoint} carries {group}, the default security group of {vpc}.",
                endpoint=called(row),
                group=group,
                vpc=vpc,
            )
        rows.append(
            {
                **place_of(row),
                "group_id": row.group_id,
                "vpc_id": row.vpc_id,
                "reason": reason,
                "rank": 1 if unused else 0,
                "by_absence": unused,
            }
        )
    return evidence_of("account region endpoint_id group_id vpc_id reason", rows)


@check(
    id="vpn-sg-is-shared",
    title="The security groups of Client VPN endpoints are on nothing else",
    severity=Severity.MEDIUM,
    **_JUDGED,
    unseen=unread_members,
    condition=(
        "shares a security group with other interfaces",
        "share a security group with other interfaces",
    ),
    rationale=(
        "A rule that names a group means everything that carries it. When the endpoint's group is "
        "also on servers, a receiver that admits those servers admits VPN users as well, and a "
        "rule added for either reaches both. Two endpoints that share a group cannot be told "
        "apart: what is opened for the staff is open to the contractors."
    ),
    remedy=(
        "Create a group for each endpoint alone, add rules that name it to the receivers that "
        "its users need, apply it to the endpoint, check the groups on its interfaces, and remove "
        "the old references last: other members of the shared group may still rely on them."
    ),
    verify=(
        "aws ec2 describe-network-interfaces --filters Name=group-id,Values=<group id> lists the "
        "interfaces of this endpoint and no others."
    ),
    false_alarms=(
        "Two endpoints for the same users, an old and a new one during a move for example, may "
        "share a group on purpose.",
    ),
    reference=f"{GUIDE}client-authorization.html",
    controls={
        "NIST SP 800-53 Rev. 5": ("AC-4", "SC-7"),
    },
)
def vpn_sg_is_shared(
    judged: pd.DataFrame,
    endpoint_security_groups: pd.DataFrame,
    endpoint_network_interfaces: pd.DataFrame,
    network_interfaces: pd.DataFrame,
    network_interface_groups: pd.DataFrame,
) -> pd.DataFrame:
    """Return what else carries a group in force on an endpoint: interfaces, other endpoints."""
    groups = groups_in_force(judged, endpoint_security_groups)
    others = other_interfaces(
        groups, endpoint_network_interfaces, network_interfaces, network_interface_groups
    )
    group_of = {(r.endpoint_id, r.group_id): r for r in rows_of(groups)}
    owners = endpoint_network_interfaces.groupby("eni_id")["endpoint_id"].agg(sorted).to_dict()
    endpoint_names = names_of(judged, "endpoint_id", "name")
    rows, seen = [], set()
    for row in rows_of(others):
        held = group_of[row.endpoint_id, row.group_id]
        endpoints = owners.get(row.eni_id, [])
        seen |= {(row.endpoint_id, row.group_id, other) for other in endpoints}
        said = {
            "group": words.named(row.group_id, held.group_name),
            "endpoint": called(held),
            "interface": words.interface(row),
        }
        kind = "client_vpn" if endpoints or row.client_vpn else "interface"
        if endpoints:
            whose = words.listed(words.named(e, endpoint_names.get(e)) for e in endpoints)
            reason = tr(
                "{group} of {endpoint} is also on {interface}, a Client VPN interface of {whose}.",
                **said,
                whose=whose,
            )
        elif row.client_vpn:
            reason = tr(
                "{group} of {endpoint} is also on {interface}, a Client VPN interface of an "
                "endpoint that was not read.",
                **said,
            )
        else:
            reason = tr("{group} of {endpoint} is also on {interface}.", **said)
        rows.append(
            {
                **place_of(row),
                "group_id": row.group_id,
                "eni_id": row.eni_id,
                "kind": kind,
                "reason": reason,
                "rank": 0 if kind == "interface" else 1,
                # It may be an interface of this endpoint, if the associations were not read.
                "by_absence": row.client_vpn and not endpoints,
            }
        )
    # Interfaces that could be either endpoint's are nobody else's above; the endpoints share all
    # the same.
    pairs = groups.merge(groups, on="group_id", suffixes=("", "_other"))
    for row in rows_where(pairs, pairs["endpoint_id"] != pairs["endpoint_id_other"]):
        if (row.endpoint_id, row.group_id, row.endpoint_id_other) in seen:
            continue
        other = words.named(row.endpoint_id_other, row.endpoint_name_other)
        rows.append(
            {
                **place_of(row),
                "group_id": row.group_id,
                "kind": "client_vpn",
                "reason": tr(
                    "{group} of {endpoint} is also in force on the Client VPN endpoint {other}.",
                    group=words.named(row.group_id, row.group_name),
                    endpoint=called(row),
                    other=other,
                ),
                "rank": 1,
            }
        )
    return evidence_of("account region endpoint_id group_id eni_id kind reason", rows)


def _ways_unread(evidence: pd.DataFrame) -> str:
    """Say of how many rows it could not be read whether packets pass; empty where it is of none."""
    number = int(evidence["way_unread"].sum())
    if not number:
        return ""
    if len(evidence) == 1:
        return tr("the rule exists, but whether packets pass could not be read")
    return tr(
        "for {number:,} of the {all:,} rows the rule exists, but whether packets pass could not be read",
        number=number,
        all=len(evidence),
    )


@check(
    id="vpn-sg-lets-members-in",
    title="No security group shared with a Client VPN endpoint admits every member",
    severity=Severity.HIGH,
    **_JUDGED,
    unseen=unread_members,
    condition=(
        "shares a security group that admits every member (VPN clients included)",
        "share a security group that admits every member (VPN clients included)",
    ),
    kinds=_ways_unread,
    names_access=True,
    rationale=(
        "A rule that admits the group itself admits everything that carries the group, and traffic "
        "of VPN clients leaves through an interface that carries it. So every other member of the "
        "group accepts connections from every VPN user whom an authorization rule and a route let "
        "through. Nobody decided that: a default security group that nobody changed has exactly "
        "this rule, for all traffic. This follows from how AWS describes group references and "
        "Client VPN's source address translation for IPv4; AWS does not spell it out itself."
    ),
    errand="Move {endpoints} off shared security groups.",
    remedy=(
        "Move each endpoint to a group of its own: create a group for it alone, with outbound open, decide which of these "
        "members its users need on which ports, and add rules that name it there; what has no such "
        "rule is cut off from them once it is applied to the endpoint. Then check the groups on its "
        "interfaces. The rule that admits the group itself may then stay for the "
        "members that need each other, or go last when nobody does. Emptying the group while the "
        "endpoint still carries it would leave VPN users without any way out."
    ),
    verify=(
        "aws ec2 describe-network-interfaces --filters Name=group-id,Values=<group id> shows no "
        "interface of the endpoint; a member of the group no longer answers a VPN client."
    ),
    false_alarms=(
        "Members that VPN users are meant to reach on every port that the rule admits.",
        "Members outside every network that the endpoint's authorization rules and routes lead to: "
        "the rule admits VPN clients there, but they cannot get that far today.",
    ),
    reference=f"{GUIDE}client-authorization.html",
    controls={
        "NIST SP 800-53 Rev. 5": ("AC-4", "SC-7"),
    },
)
def vpn_sg_lets_members_in(  # noqa: PLR0917 # the tables it reads
    judged: pd.DataFrame,
    endpoint_security_groups: pd.DataFrame,
    endpoint_network_interfaces: pd.DataFrame,
    network_interfaces: pd.DataFrame,
    network_interface_groups: pd.DataFrame,
    ingress_rules: pd.DataFrame,
    egress_rules: pd.DataFrame,
    *,
    reached_interfaces: pd.DataFrame,
) -> pd.DataFrame:
    """Return each interface that admits an endpoint's clients because it carries its group."""
    unsure = {
        (row.endpoint_id, row.eni_id)
        for row in rows_of(reached_interfaces)
        if row.unknown_ports and not row.ports
    }
    groups = groups_in_force(judged, endpoint_security_groups)
    others = other_interfaces(
        groups, endpoint_network_interfaces, network_interfaces, network_interface_groups
    )
    # Nothing is known to come of an inbound rule on a Client VPN interface, whose ever it is.
    others = others[~others["client_vpn"]]
    named = ingress_rules[ingress_rules["group_id"].isin(others["group_id"])]
    rules = named[["group_id", "referenced_group_id", "rule_id"]].merge(
        groups[["endpoint_id", "group_id"]].rename(columns={"group_id": "referenced_group_id"}),
        on="referenced_group_id",
    )
    found = others.merge(rules, on=["endpoint_id", "group_id"])
    rule_of = {r.rule_id: r for r in rows_of(named)}
    group_names = names_of(groups, "group_id", "group_name")
    endpoint_of = {r.endpoint_id: r for r in rows_of(judged)}
    with_way_out = set(groups.loc[groups["group_id"].isin(egress_rules["group_id"]), "endpoint_id"])
    rows = []
    for row in rows_of(found):
        rule, endpoint = rule_of[row.rule_id], endpoint_of[row.endpoint_id]
        said = {
            "interface": words.interface(row),
            "group": words.named(row.group_id, group_names.get(row.group_id)),
            "endpoint": called(endpoint),
            "rule": words.rule(rule, group_names),
        }
        in_doubt = True
        if endpoint.traffic_ip_address_type == "ipv6":
            reason = tr(
                "{interface} carries {group} as {endpoint} does, and admits {rule}; its clients "
                "use IPv6 without address translation, and AWS does not say whether such a rule "
                "matches them.",
                **said,
            )
        elif row.endpoint_id not in with_way_out:
            reason = tr(
                "{interface} carries {group} as {endpoint} does, and admits {rule}; today nothing "
                "leaves the endpoint, because no group of it has an outbound rule.",
                **said,
            )
        else:
            reason = tr(
                "{interface} carries {group} as {endpoint} does, and admits {rule}.", **said
            )
            in_doubt = False
        unread = not in_doubt and (row.endpoint_id, row.eni_id) in unsure
        if unread:
            reason = sentences(
                reason, tr("Whether packets pass on all of the way there could not be read.")
            )
        rows.append(
            {
                **place_of(row),
                "group_id": row.group_id,
                "rule_id": row.rule_id,
                "eni_id": row.eni_id,
                "way_unread": unread,
                "source": rule.source,
                "record": rule.record,
                "reason": reason,
                "rank": 1 if in_doubt else 0,
            }
        )
    return evidence_of(
        "account region endpoint_id group_id rule_id eni_id way_unread reason source record", rows
    )


@check(
    id="vpn-sg-has-inbound-rules",
    title="The security groups of Client VPN endpoints have no inbound rules",
    severity=Severity.LOW,
    **_JUDGED,
    unseen=unread_groups,
    condition=(
        "carries a security group with inbound rules",
        "carry a security group with inbound rules",
    ),
    rationale=(
        "No effect of inbound rules on connecting clients is documented: clients reach the "
        "endpoint itself, which AWS runs, and field experience says that such rules "
        "change nothing for them. They mislead instead. A reader takes TCP 443 from an office "
        "range for a restriction that does not exist, and if the group is ever put on a server, "
        "the rule opens that server."
    ),
    remedy=(
        "Remove the inbound rules once no other interface carries the group, keeping their ids "
        "and text on record; where another interface does, move the endpoint to a group of its "
        "own first. Restrict who may connect by authentication, a client connect handler or an "
        "authorization policy."
    ),
    verify=(
        "aws ec2 describe-security-group-rules --filters Name=group-id,Values=<group id> --query "
        "'SecurityGroupRules[?!IsEgress]' returns an empty list; a test client still "
        "connects."
    ),
    false_alarms=(
        "A wide source such as 0.0.0.0/0 on a group that only the endpoint carries exposes "
        "nothing to the internet, however loudly a scanner reports it.",
        "Rules of a shared group that its other members need.",
    ),
    reference=f"{GUIDE}client-authorization.html",
)
def vpn_sg_has_inbound_rules(
    judged: pd.DataFrame,
    endpoint_security_groups: pd.DataFrame,
    ingress_rules: pd.DataFrame,
    *,
    endpoint_network_interfaces: pd.DataFrame,
    network_interfaces: pd.DataFrame,
    network_interface_groups: pd.DataFrame,
    security_groups: pd.DataFrame,
) -> pd.DataFrame:
    """Return the inbound rules of groups in force on endpoints."""
    groups = groups_in_force(judged, endpoint_security_groups)
    others = other_interfaces(
        groups, endpoint_network_interfaces, network_interfaces, network_interface_groups
    )
    members: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows_where(others, ~others["client_vpn"]):
        held = members.setdefault((row.endpoint_id, row.group_id), {})
        held[row.eni_id] = words.interface(row)
    names = names_of(security_groups, "group_id", "group_name")
    rules = ingress_rules[ingress_rules["group_id"].isin(groups["group_id"])]
    group_of = {(r.endpoint_id, r.group_id): r for r in rows_of(groups)}
    pairs = groups[[*ENDPOINT, "group_id"]].merge(
        rules.drop(columns=["account", "region"]), on="group_id"
    )
    rows = []
    for row in rows_of(pairs):
        group = group_of[row.endpoint_id, row.group_id]
        opened = members.get((row.endpoint_id, row.group_id), {})
        said = {
            "group": words.named(row.group_id, group.group_name),
            "endpoint": called(group),
            "rule": words.rule(row, names),
        }
        rows.append(
            {
                **place_of(row),
                "group_id": row.group_id,
                "rule_id": row.rule_id,
                "source": row.source,
                "record": row.record,
                "reason": tr(
                    "{group} of {endpoint} admits {rule}, which has no documented effect on who can "
                    "connect, but opens {interfaces}, with the same group.",
                    **said,
                    interfaces=words.listed(opened.values(), most=3),
                )
                if opened
                else tr(
                    "{group} of {endpoint} admits {rule}, which has no documented effect on who can "
                    "connect.",
                    **said,
                ),
                "rank": 0 if opened else 1,
            }
        )
    return evidence_of("account region endpoint_id group_id rule_id reason source record", rows)


def _let_all_out(tables: TableSource) -> tuple[list[str], list[str]]:
    """Return the endpoints' groups that let all traffic out: those only Client VPN carries, and the others.

    A default group is among the others: whatever is launched without a group of its own lands there.
    """
    judged, egress_rules = tables.shared("client_vpn_endpoints"), tables.shared("egress_rules")
    interfaces, carried = (
        tables.shared(name) for name in ("network_interfaces", "network_interface_groups")
    )
    held = groups_in_force(
        judged[with_security_groups(judged)], tables.shared("endpoint_security_groups")
    ).drop_duplicates("group_id")
    wide = egress_rules["peer"].isin(_FAMILIES) & egress_rules["protocol"].eq("all")
    held = held[held["group_id"].isin(egress_rules.loc[wide, "group_id"])].sort_values("group_id")
    own = interfaces.loc[marked_client_vpn(interfaces), "eni_id"]
    alone = set(carried["group_id"]) - set(carried.loc[~carried["eni_id"].isin(own), "group_id"])
    unread = {
        gap["region"] for gap in tables.gap_rows("network_interfaces", "network_interface_groups")
    }
    found: tuple[list[str], list[str]] = ([], [])
    for row in rows_of(held):
        seen = row.region not in unread
        holds = seen and row.group_id in alone and row.is_default is not True
        found[0 if holds else 1].append(words.named(row.group_id, row.group_name))
    return found


@check(
    id="vpn-sg-limits-outbound",
    title="The security groups of Client VPN endpoints together let all traffic out",
    severity=Severity.LOW,
    **_JUDGED,
    unseen=unread_groups,
    condition=(
        "limits what clients can reach by outbound rules",
        "limit what clients can reach by outbound rules",
    ),
    rationale=(
        "Outbound rules of the endpoint's groups, taken together, bound what any VPN user can "
        "reach. Without any, users connect and then reach nothing. Narrow ones are a second list "
        "of permissions for everybody at once, beside authorization rules (per user group) and "
        "the receivers' own groups (per receiver): when the three disagree, access fails in ways "
        "that none of the three explains. Nothing is exposed by it, and other scanners ask for the "
        "opposite: it is told because such a rule tells no users apart and breaks what is "
        "authorized later, and limits belong to authorization rules and the receivers."
    ),
    remedy=(
        "Add one outbound rule for all traffic to 0.0.0.0/0 (and ::/0 where clients use IPv6) to "
        "one of the endpoint's groups, after checking that authorization rules and the receivers' "
        "groups say what users may reach. Keep narrow outbound rules only where they are a "
        "deliberate second barrier, and write down who maintains them. A network that they stop may "
        "stand under authorized-but-unreachable too, which says what else stops it: keep the network "
        "and open all of that, or remove its rule or route, not both."
    ),
    verify=(
        "aws ec2 describe-security-group-rules --filters Name=group-id,Values=<group ids> --query "
        "'SecurityGroupRules[?IsEgress]' shows, over all groups of the endpoint, all "
        "protocols to 0.0.0.0/0 (CidrIpv4), and to ::/0 (CidrIpv6) where clients use IPv6."
    ),
    false_alarms=(
        "Narrow outbound rules kept on purpose as a second barrier, known to those who grant "
        "access.",
    ),
    reference=f"{GUIDE}client-authorization.html",
    ratings={
        "Trivy AWS-0104 (reports the opposite: all outbound is open)": "Critical",
        "Checkov CKV_AWS_382 (reports the opposite: all outbound is open)": "fails",
    },
    accepted_by_design=(
        "Scanners such as Trivy (AWS-0104, rated critical) and Checkov (CKV_AWS_382) report a "
        "security group that lets all traffic out. For a group that only a Client VPN endpoint "
        "carries this is accepted by design: the group is on interfaces that AWS runs for the "
        "VPN, not on a server that could leak data. What users may reach is decided by the "
        "endpoint's authorization rules, per user group, and by the receivers' own security "
        "groups, which name this group as source. Narrowing its outbound rules would repeat those "
        "decisions in a place that knows no users. The acceptance holds as long as nothing but "
        "the endpoint carries the group."
    ),
    by_design=_let_all_out,
)
def vpn_sg_limits_outbound(
    judged: pd.DataFrame,
    endpoint_security_groups: pd.DataFrame,
    egress_rules: pd.DataFrame,
    prefix_list_entries: pd.DataFrame,
    *,
    client_vpn_authorization_rules: pd.DataFrame,
    security_groups: pd.DataFrame,
) -> pd.DataFrame:
    """Return the endpoints whose groups, all rules together, do not let all traffic out."""
    groups = groups_in_force(judged, endpoint_security_groups)
    rules = egress_rules[egress_rules["group_id"].isin(groups["group_id"])]
    entries = prefix_list_entries.groupby("prefix_list_id")["cidr_block"].agg(list).to_dict()
    authorized = client_vpn_authorization_rules[
        client_vpn_authorization_rules["status"].isin(["active", "authorizing"])
    ]
    names = names_of(security_groups, "group_id", "group_name")
    endpoint_of = {r.endpoint_id: r for r in rows_of(judged)}
    rows = []
    for endpoint_id, held in groups.groupby("endpoint_id"):
        endpoint = endpoint_of[endpoint_id]
        told = endpoint.traffic_ip_address_type
        wanted = ALL_IPV4 if pd.isna(told) else _WANTED.get(told, ALL_IPV4 | ALL_IPV6)
        union = rules[rules["group_id"].isin(held["group_id"])].sort_values("rule_id")
        # Groups beyond the first may be there to be named, with a rule to 127.0.0.1/32 for "none".
        opens = [(r, _let_out(r, entries)) for r in rows_of(union)]
        useful = [r for r, let in opens if let - _NOWHERE or r.peer_kind == "security_group"]
        all_let_out = Traffic.union(let for _, let in opens)
        if Traffic.of(wanted, ALL_PORTS) <= all_let_out:
            continue
        whose = words.listed(
            words.named(g, names.get(g)) for g in sorted(held["group_id"].astype(str))
        )
        if useful:
            said = {
                "endpoint": called(endpoint),
                "rules": words.listed((words.rule(r, names) for r in useful), most=8),
                "groups": whose,
            }
            networks = sorted(
                set(authorized.loc[authorized["endpoint_id"] == endpoint_id, "destination_cidr"])
            )
            closed = [n for n in networks if not addresses(n) <= all_let_out.to]
            if Traffic.of(wanted & ALL_IPV4, ALL_PORTS) <= all_let_out:
                reason = tr(
                    "{endpoint} lets out only {rules} (by {groups}); its clients may use IPv6 too, "
                    "and not all of IPv6 is let out.",
                    **said,
                )
            elif closed:
                reason = tr(
                    "{endpoint} lets out only {rules} (by {groups}); authorization rules open "
                    "{networks}, which no outbound rule covers in full.",
                    **said,
                    networks=words.listed(
                        words.network(n, anywhere=marked("anywhere")) for n in closed
                    ),
                )
            else:
                reason = tr(
                    "{endpoint} lets out only {rules} (by {groups}); everything else is dropped, "
                    "whatever authorization rules allow.",
                    **said,
                )
        elif len(union):
            reason = tr(
                "Clients of {endpoint} reach nothing beyond it, because no outbound rule of "
                "{groups} leads anywhere.",
                endpoint=called(endpoint),
                groups=whose,
            )
        else:
            reason = tr(
                "Clients of {endpoint} reach nothing beyond it, because there is no outbound rule "
                "in {groups}.",
                endpoint=called(endpoint),
                groups=whose,
            )
        rows.append(
            {
                **place_of(endpoint),
                "group_ids": tuple(sorted(held["group_id"])),
                "rule_ids": tuple(union["rule_id"]),
                "extent": "limited" if useful else "nothing",
                "not_let_out": tuple(
                    network
                    for network, family in _FAMILIES.items()
                    if not Traffic.of(wanted & family, ALL_PORTS) <= all_let_out
                ),
                "reason": reason,
                "rank": 1 if useful else 0,
                "by_absence": True,
            }
        )
    return evidence_of(
        "account region endpoint_id extent not_let_out group_ids rule_ids reason", rows
    )


_FAMILIES = {"0.0.0.0/0": ALL_IPV4, "::/0": ALL_IPV6}
_WANTED = {"ipv4": ALL_IPV4, "ipv6": ALL_IPV6, "dual-stack": ALL_IPV4 | ALL_IPV6}
_NOWHERE = Traffic.of(addresses("127.0.0.0/8") | addresses("::1/128"), ALL_PORTS)


def _let_out(rule: Any, entries: Mapping[Any, Iterable[str]]) -> Traffic:
    """Return what a rule lets out, by address; nothing for a group, whose members come and go."""
    networks: Iterable[str] = (rule.peer,) if rule.peer_kind in {"ipv4", "ipv6"} else ()
    if rule.peer_kind == "prefix_list":
        networks = entries.get(rule.prefix_list_id, ())
    low, high = (None if pd.isna(p) else int(p) for p in (rule.from_port, rule.to_port))
    on = ports(rule.protocol, low, high)
    return Traffic.union(Traffic.of(addresses(network), on) for network in networks)


@check(
    id="vpn-sg-not-yet-effective",
    title="The security groups in force on Client VPN endpoints are the ones configured",
    severity=Severity.MEDIUM,
    **_JUDGED,
    unseen=unread_groups,
    condition=(
        "has other security groups in force than configured",
        "have other security groups in force than configured",
    ),
    rationale=(
        "AWS shows an endpoint's groups in three places: its settings, its associations and its "
        "network interfaces. Only the interfaces decide. AWS's guide gives a change of the settings "
        "up to four hours from when the request is accepted, so whoever reviews the settings "
        "meanwhile reviews rules that are not in force, and a group that was replaced because it "
        "was too open is still open. A change that takes longer seems to be stuck."
    ),
    remedy=(
        "Apply the intended groups with apply-security-groups-to-client-vpn-target-network, which "
        "replaces the whole set: name every group that is to stay. AWS's guide names no delay for "
        "this call, but promises nothing either: look at the interfaces. Remove rules that name the old "
        "group only once no interface carries it."
    ),
    verify=(
        f"{_SHOW_GROUPS}, describe-client-vpn-endpoints (SecurityGroupIds) and "
        "describe-network-interfaces (Groups) all name the same groups."
    ),
    bearing=(
        "What is found about its security groups is about those in force, not about those in its "
        "settings: apply the intended ones first, then look again."
    ),
    false_alarms=(
        "A change of the settings that was made less than four hours before the account was read.",
    ),
    reference=f"{GUIDE}cvpn-working-endpoints.html",
    controls={"NIST SP 800-53 Rev. 5": ("AC-3", "AC-4")},
)
def vpn_sg_not_yet_effective(
    judged: pd.DataFrame,
    endpoint_security_groups: pd.DataFrame,
    endpoint_network_interfaces: pd.DataFrame,
) -> pd.DataFrame:
    """Return groups that are not in the same state in all three places AWS shows them."""
    held = endpoint_security_groups.merge(judged[ENDPOINT], on=ENDPOINT)
    # Where the default group applies and nobody could see which one that is, all may be well.
    unknown = held.loc[held["group_id"].isna(), "endpoint_id"]
    held = held[~held["endpoint_id"].isin(unknown)]
    # An endpoint whose settings name no group can only differ between associations and interfaces.
    named = set(held.loc[held["configured"], "endpoint_id"])
    unsure = ~endpoint_network_interfaces["certain"]
    unsure_endpoints = set(endpoint_network_interfaces.loc[unsure, "endpoint_id"])
    rows = []
    for row in rows_of(held):
        places = [
            (row.on_target_networks, row.target_networks, "association"),
            (row.on_interfaces, row.interfaces, "interface"),
        ]
        said = {"group": words.named(row.group_id, row.group_name), "endpoint": called(row)}
        chosen = row.configured or row.endpoint_id not in named
        if chosen:
            differing = [place for place in places if place[0] < place[1]]
            where = words.listed(_lacking(kind, all_ - on, all_) for on, all_, kind in differing)
            reason = (
                tr(
                    "{group} is configured for {endpoint} but is not yet on {where}",
                    **said,
                    where=where,
                )
                if row.configured
                else tr(
                    "{group} is in force for {endpoint} but is not yet on {where}",
                    **said,
                    where=where,
                )
            )
        else:
            differing = [place for place in places if place[0]]
            where = words.listed(words.count(on, kind) for on, _, kind in differing)
            reason = tr(
                "{group} is not configured for {endpoint} but still on {where}",
                **said,
                where=where,
            )
        if not differing:
            continue
        if row.endpoint_id in unsure_endpoints and differing[-1][2] == "interface":
            reason = tr(
                "{said}; which interfaces in its subnets are its own, AWS does not say",
                said=reason,
            )
        rows.append(
            {
                **place_of(row),
                "group_id": row.group_id,
                "state": "missing" if chosen else "left_over",
                "reason": tr("{said}.", said=reason),
            }
        )
    return evidence_of("account region endpoint_id group_id state reason", rows)


def _lacking(kind: str, without: int, of: int) -> str:
    """Say how many of an endpoint's associations or interfaces lack something."""
    if kind == "association":
        return (
            tr("its only association")
            if of == 1
            else tr("{without} of its {of} associations", without=without, of=of)
        )
    return (
        tr("its only interface")
        if of == 1
        else tr("{without} of its {of} interfaces", without=without, of=of)
    )
