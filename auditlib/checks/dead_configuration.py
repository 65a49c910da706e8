"""Checks of what is configured and does nothing: rules and routes that are gone, failed or covered."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pandas as pd

from auditlib import words
from auditlib.addresses import Ranges, addresses
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._covered import covered_rules
from auditlib.checks._parts import (
    ENDPOINT,
    GUIDE,
    called,
    gap,
    groups_in_force,
    in_subnets,
    listed_addresses,
    living,
    names_of,
    outside_subnets,
    place_of,
    unread_groups,
    with_security_groups,
    without_security_groups,
)
from auditlib.checks.addressing import tables_in_force, unread_route_tables
from auditlib.frames import rows_of, rows_where
from auditlib.gaps import GapRow
from auditlib.language import tr

_JUDGED: dict[str, Any] = {
    "population": "client_vpn_endpoints",
    "among": living,
    "noun": "Client VPN endpoint",
}
_STALE = "https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html"
_ENDED = {"deleted", "deleting", "expired", "failed", "rejected"}


@check(
    id="endpoint-rule-or-route-failed",
    title="No authorization rule or route of an endpoint has failed",
    severity=Severity.LOW,
    **_JUDGED,
    condition=(
        "has an authorization rule or route that failed",
        "have authorization rules or routes that failed",
    ),
    rationale=(
        "A rule or route that failed is listed like the others and opens nothing. Whoever reads the "
        "list believes that users have access; the usual repair, when they do not, is something "
        "wider beside it. AWS does not try again by itself."
    ),
    remedy=(
        "Remove the failed rule or route, and add it again if it is still wanted. Changing "
        "authorization rules resets sessions: plan a window."
    ),
    ends_sessions=True,
    verify=(
        "aws ec2 describe-client-vpn-authorization-rules --client-vpn-endpoint-id <endpoint id> and "
        "describe-client-vpn-routes, with the same option, show no Status.Code failed."
    ),
    false_alarms=("None is known: AWS reports the state itself.",),
    decision="Only you know whether the rule or route is still wanted: remove it, and add it again if so.",
    reference=f"{GUIDE}cvpn-working-rules.html",
)
def endpoint_rule_or_route_failed(
    judged: pd.DataFrame,
    client_vpn_authorization_rules: pd.DataFrame,
    client_vpn_routes: pd.DataFrame,
) -> pd.DataFrame:
    """Return authorization rules and routes in the state failed."""
    rows = []
    for kind, table in (
        ("authorization_rule", client_vpn_authorization_rules),
        ("route", client_vpn_routes),
    ):
        failed = table[table["status"] == "failed"]
        for row in rows_of(failed.merge(judged[[*ENDPOINT, "name"]], on=ENDPOINT)):
            if kind == "route":
                target = words.clean(row.target_subnet) or words.clean(
                    row.transit_gateway_attachment_id
                )
                reason = tr(
                    "{endpoint} has a failed route of {row.destination_cidr} to {target}: it opens "
                    "nothing.",
                    endpoint=called(row),
                    row=row,
                    target=target or tr("an unknown target"),
                )
            else:
                reason = tr(
                    "{endpoint} has a failed authorization rule of {row.destination_cidr} for "
                    "{who}: it opens nothing.",
                    endpoint=called(row),
                    row=row,
                    who=tr("everyone") if row.access_all else words.clean(row.group_id),
                )
            rows.append(
                {
                    **place_of(row),
                    "kind": kind,
                    "destination_cidr": row.destination_cidr,
                    "source": row.source,
                    "record": row.record,
                    "reason": reason,
                }
            )
    return evidence_of(
        "account region endpoint_id kind destination_cidr reason source record", rows
    )


@check(
    id="authorization-rule-covered-by-another",
    title="Every authorization rule has an effect",
    severity=Severity.INFO,
    **_JUDGED,
    condition=(
        "has an authorization rule without effect",
        "have authorization rules without effect",
    ),
    rationale=(
        "A rule that others cover opens nothing today. It hides what is really decided, counts "
        "towards the quota of rules, and comes to life on the day the other one is removed: whoever "
        "takes access away that day believes it is gone, and it is not. AWS requires nothing, so this "
        "is information."
    ),
    remedy=(
        "Remove the rule that is covered, or the one that covers it where that is the wider of the "
        "two and the narrow one was meant. Changing authorization rules resets sessions: plan a "
        "window."
    ),
    ends_sessions=True,
    verify=(
        "aws ec2 describe-client-vpn-authorization-rules --client-vpn-endpoint-id <endpoint id> no "
        "longer lists the rule, and after collecting again everybody reaches what they reached before."
    ),
    false_alarms=("A narrow rule that is kept on purpose for the day the wide one goes.",),
    reference=f"{GUIDE}cvpn-working-rules.html",
)
def authorization_rule_covered_by_another(
    judged: pd.DataFrame, client_vpn_authorization_rules: pd.DataFrame
) -> pd.DataFrame:
    """Return active rules without which everybody would be let into the same networks.

    The rules of the longest prefix decide, over all groups together. So a network's rules change
    nothing where the next wider network with rules is for the same people, or where narrower ones
    decide about every address of it; and a rule for a group changes nothing beside one of the same
    network for everyone.
    """
    endpoint_of = {row.endpoint_id: row for row in rows_of(judged)}
    rules = client_vpn_authorization_rules
    active = rules[rules["status"] == "active"].merge(judged[ENDPOINT], on=ENDPOINT)
    rows = []
    for id, mine in active.groupby("endpoint_id"):
        by_network: dict[Ranges, list[Any]] = defaultdict(list)
        for row in rows_of(mine):
            by_network[addresses(row.destination_cidr)].append(row)
        allowed = {
            network: frozenset(
                {"*"} if any(r.access_all for r in held) else {r.group_id for r in held}
            )
            for network, held in by_network.items()
        }
        for network, held in by_network.items():
            for row, why in _covered(network, held, allowed):
                who = tr("everyone") if row.access_all else words.clean(row.group_id)
                rows.append(
                    {
                        **place_of(row),
                        "destination_cidr": row.destination_cidr,
                        "group_id": row.group_id,
                        "source": row.source,
                        "record": row.record,
                        "reason": tr(
                            "{endpoint} authorizes {row.destination_cidr} for {who}, and {why}.",
                            endpoint=called(endpoint_of[id]),
                            row=row,
                            who=who,
                            why=why,
                        ),
                    }
                )
    return evidence_of(
        "account region endpoint_id destination_cidr group_id reason source record", rows
    )


def _covered(
    network: Ranges, held: list[Any], allowed: dict[Ranges, frozenset[str]]
) -> Iterator[tuple[Any, str]]:
    """Return the rules of a network that change nothing, each with the reason."""
    narrower = Ranges.of(
        span for other in allowed if other != network and other <= network for span in other.spans
    )
    wider = [other for other in allowed if other != network and network <= other]
    next_wider = min(wider, key=lambda other: other.size, default=None)
    if not network - narrower:
        for row in held:
            yield row, tr("narrower rules decide about every address of it")
    elif next_wider is not None and allowed[next_wider] == allowed[network]:
        for row in held:
            yield row, tr("a wider rule already lets the same people in there")
    elif "*" in allowed[network]:
        for row in held:
            if not row.access_all:
                yield row, tr("another rule of the same network already lets everyone in")


def _beyond_peers(security_groups: pd.DataFrame, judged: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each account and Region whose groups rules name and that was not read."""
    read = set(
        security_groups[["account", "region"]].astype("str").itertuples(index=False, name=None)
    )
    rows = {}
    for row in rows_of(judged):
        owner = row.referenced_group_owner_id
        if (
            isinstance(owner, str)
            and (owner, row.region) not in read
            and row.peering_status not in _ENDED
        ):
            rows[owner, row.region] = gap(
                "security_groups",
                "describe-security-groups",
                account=owner,
                region=row.region,
                resource=row.referenced_group_id,
                message=tr(
                    "{row.rule_id} names this group of an account that was not read, so whether it still "
                    "exists is not known",
                    row=row,
                ),
            )
    return list(rows.values())


@check(
    id="security-group-rule-names-missing-group",
    title="Rules name security groups that exist and can be reached",
    severity=Severity.LOW,
    population="security_group_rules",
    among=lambda rules: rules["peer_kind"].eq("security_group"),
    noun="group-to-group rule",
    unseen=_beyond_peers,
    condition=(
        "names a group that is gone or behind a peering that is gone",
        "name groups that are gone or behind a peering that is gone",
    ),
    rationale=(
        "Such a rule admits nobody and never will again: the id of a deleted group is not given out "
        "twice, and a peering that ended does not come back under its id. It stays until somebody "
        "removes it, takes a place in the quota, and lets a reviewer believe in access that is not "
        "there, or in a dependency that holds up other changes."
    ),
    remedy=(
        "Remove the rule by its rule id; where the access is still needed, add a rule that names the "
        "group that took the place of the old one."
    ),
    verify=(
        "aws ec2 describe-stale-security-groups --vpc-id <vpc id> returns an empty list, and "
        "describe-security-group-rules no longer shows the rule id."
    ),
    false_alarms=(
        "A peering that is being made, whose rules were written first: only ended ones are reported.",
    ),
    reference=_STALE,
)
def security_group_rule_names_missing_group(
    judged: pd.DataFrame,
    security_groups: pd.DataFrame,
    vpc_peering_connections: pd.DataFrame,
    *,
    vpcs: pd.DataFrame,
) -> pd.DataFrame:
    """Return rules whose group no answer of its account holds, or whose peering ended."""
    names = names_of(security_groups, "group_id", "group_name")
    known = set(
        zip(security_groups["region"].astype(str), security_groups["group_id"], strict=True)
    )
    read = set(
        zip(
            security_groups["account"].astype(str),
            security_groups["region"].astype(str),
            strict=True,
        )
    )
    peering_of = {row.vpc_peering_connection_id: row for row in rows_of(vpc_peering_connections)}
    rows = []
    for row in rows_of(judged):
        owner = row.referenced_group_owner_id
        owner = owner if isinstance(owner, str) else row.group_owner_id
        there = (str(row.region), row.referenced_group_id) in known
        peering = peering_of.get(row.vpc_peering_connection_id)
        state = row.peering_status if peering is None else peering.status
        absent = False
        if state in _ENDED:
            why = tr(
                "the peering {peering} to it is {state}",
                peering=words.clean(row.vpc_peering_connection_id),
                state=words.clean(state),
            )
        elif not there and (owner, str(row.region)) in read:
            why, absent = tr("no such group exists any more"), True
        else:
            continue
        said = {
            "group": words.named(row.group_id, names.get(row.group_id)),
            "peer": words.clean(row.referenced_group_id),
            "traffic": words.traffic(row.protocol, row.from_port, row.to_port),
            "why": why,
        }
        rows.append(
            {
                "account": row.account,
                "region": row.region,
                "group_id": row.group_id,
                "rule_id": row.rule_id,
                "source": row.source,
                "record": row.record,
                "reason": tr("{group} lets out to {peer} on {traffic}, and {why}.", **said)
                if row.is_egress
                else tr("{group} admits {peer} on {traffic}, and {why}.", **said),
                "by_absence": absent,
            }
        )
    return evidence_of("account region group_id rule_id reason source record", rows)


def _groups_elsewhere(
    judged: pd.DataFrame,
    endpoint_security_groups: pd.DataFrame,
    security_groups: pd.DataFrame,
    vpcs: pd.DataFrame,
) -> list[GapRow]:
    """Return a gap for each unread group of an endpoint that may be another account's."""
    unread = unread_groups(judged, endpoint_security_groups, security_groups)
    held = endpoint_security_groups[["account", "region", "group_id", "vpc_id"]]
    own = _own_vpcs(vpcs)
    mine = {str(row.group_id) for row in rows_of(held) if row.vpc_id in own}
    return [one for one in unread if str(one["resource"]) not in mine]


def _own_vpcs(vpcs: pd.DataFrame) -> set[str]:
    return {row.vpc_id for row in rows_of(vpcs) if row.owner_id == row.account}


@check(
    id="endpoint-names-missing-security-group",
    title="Every security group that an endpoint names exists",
    severity=Severity.MEDIUM,
    population="client_vpn_endpoints",
    among=with_security_groups,
    left_out=without_security_groups,
    noun="VPC-attached Client VPN endpoint",
    unseen=_groups_elsewhere,
    condition=(
        "names a security group that does not exist",
        "name security groups that do not exist",
    ),
    clear=(
        "names only security groups that exist",
        "name only security groups that exist",
    ),
    rationale=(
        "An endpoint that names a deleted group has settings that cannot be put in force: the next "
        "change of its groups, or the next association, fails or falls back on something nobody "
        "chose. Receivers that name the group admit nobody through it."
    ),
    remedy=(
        "Apply a security group that exists to the endpoint, one of its own without inbound rules, "
        "and add rules that name it to the receivers."
    ),
    verify=(
        "aws ec2 describe-security-groups --group-ids <ids of the endpoint> returns every group."
    ),
    false_alarms=(
        "A group of another account, in a VPC that is shared: then the check says that it could not "
        "look.",
    ),
    decision="Which group is to take the place of the missing one is yours to say; then apply it to the endpoint.",
    reference=f"{GUIDE}client-authorization.html",
)
def endpoint_names_missing_security_group(
    judged: pd.DataFrame,
    endpoint_security_groups: pd.DataFrame,
    security_groups: pd.DataFrame,
    security_group_vpc_associations: pd.DataFrame,
    vpcs: pd.DataFrame,
) -> pd.DataFrame:
    """Return groups of an endpoint in a VPC of its own account that no answer holds."""
    known = {*security_groups["group_id"], *security_group_vpc_associations["group_id"]}
    own = _own_vpcs(vpcs)
    held = endpoint_security_groups.merge(judged[ENDPOINT], on=ENDPOINT)
    rows = []
    for row in rows_of(held):
        if not isinstance(row.group_id, str) or row.group_id in known or row.vpc_id not in own:
            continue
        places = [
            where
            for where, there in (
                (tr("its settings"), row.configured),
                (tr("its associations"), row.on_target_networks),
                (tr("its interfaces"), row.on_interfaces),
            )
            if there
        ]
        rows.append(
            {
                **place_of(row),
                "group_id": row.group_id,
                "vpc_id": row.vpc_id,
                "reason": tr(
                    "{endpoint} has {group} in {places}, and no such group exists.",
                    endpoint=called(row),
                    group=words.named(row.group_id, row.group_name),
                    places=words.listed(places) or tr("an earlier setting"),
                ),
                "by_absence": True,
            }
        )
    return evidence_of("account region endpoint_id group_id vpc_id reason", rows)


@check(
    id="association-route-leads-nowhere",
    title="The route tables of associated subnets lead somewhere",
    severity=Severity.LOW,
    population="client_vpn_endpoints",
    among=in_subnets,
    left_out=outside_subnets,
    noun="VPC-attached Client VPN endpoint",
    unseen=unread_route_tables,
    condition=(
        "uses a subnet whose route table leads nowhere",
        "use subnets whose route tables lead nowhere",
    ),
    rationale=(
        "What users send to such a network is dropped after it left the VPN: a peering, gateway or "
        "interface behind the route is gone. Users see a timeout that no rule explains. And if "
        "somebody makes the target again, or a route of the same network elsewhere, the traffic "
        "goes where nobody looks."
    ),
    remedy=(
        "Remove the route from the VPC's route table, together with the endpoint's route and "
        "authorization rule for that network, or replace its target."
    ),
    verify=(
        "aws ec2 describe-route-tables --route-table-ids <route table id> --query "
        "\"RouteTables[].Routes[?State=='blackhole'][]\" returns an empty list."
    ),
    false_alarms=("A route to an interface of a machine that is stopped for the moment.",),
    decision="Whether the network is left over or its target has to come back is yours to say; routes of a VPC are changed there.",
    reference="https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html",
)
def association_route_leads_nowhere(  # the tables it reads
    judged: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
    routes: pd.DataFrame,
    route_table_associations: pd.DataFrame,
    vpc_peering_connections: pd.DataFrame,
) -> pd.DataFrame:
    """Return routes in force for associated subnets whose target is gone or not active."""
    networks = client_vpn_target_networks
    held = networks[networks["status"].isin(["associated", "associating"])]
    ended = {
        row.vpc_peering_connection_id: row.status
        for row in rows_of(vpc_peering_connections)
        if row.status in _ENDED
    }
    dead = routes[routes["state"].eq("blackhole") | routes["target_id"].isin(list(ended))]
    rows = []
    for row in rows_of(judged):
        mine = held[held["endpoint_id"] == row.endpoint_id]
        in_force = tables_in_force(
            set(mine["subnet_id"].dropna()), set(mine["vpc_id"].dropna()), route_table_associations
        )
        for route in rows_where(dead, dead["route_table_id"].isin(in_force)):
            state = ended.get(route.target_id)
            said = {
                "endpoint": called(row),
                "route": route,
                "destination": words.clean(route.destination),
                "target": words.clean(route.target_id) or tr("a target that is not told"),
            }
            rows.append(
                {
                    **place_of(row),
                    "route_table_id": route.route_table_id,
                    "destination_cidr": route.destination,
                    "source": route.source,
                    "record": route.record,
                    "reason": tr(
                        "{endpoint} stands in a subnet whose {route.route_table_id} sends "
                        "{destination} to {target}, a peering that is {state}.",
                        **said,
                        state=words.clean(state),
                    )
                    if state
                    else tr(
                        "{endpoint} stands in a subnet whose {route.route_table_id} sends "
                        "{destination} to {target}, which is gone (blackhole).",
                        **said,
                    ),
                }
            )
    return evidence_of(
        "account region endpoint_id route_table_id destination_cidr reason source record", rows
    )


@check(
    id="security-group-rule-covered-by-another",
    title="Every rule of the security groups involved admits something of its own",
    severity=Severity.INFO,
    **_JUDGED,
    condition=(
        "carries or reaches a security group with a rule that others cover",
        "carry or reach security groups with rules that others cover",
    ),
    rationale=(
        "A rule that other rules of the group cover admits nothing of its own. Removing it changes "
        "nothing today, and keeping it has a price: whoever tightens the wide rule believes that "
        "the port is closed, and the forgotten one keeps it open. The more rules a group has, the "
        "fewer of them are read. AWS requires nothing, so this is information."
    ),
    remedy=(
        "Remove the covered rule by its rule id; or, where the wide rule is the mistake, keep the "
        "narrow one and remove the wide one after a look at who uses it."
    ),
    verify=(
        "aws ec2 describe-security-group-rules --filters Name=group-id,Values=<group id> no longer "
        "lists the rule, and after collecting again everybody reaches what they reached before."
    ),
    false_alarms=(
        "A narrow rule that documents who needs the port, kept for the day the wide one goes.",
        "A rule that names a group is held against rules that name the same group only.",
    ),
    reference="https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html",
)
def security_group_rule_covered_by_another(
    judged: pd.DataFrame,
    endpoint_security_groups: pd.DataFrame,
    reached_interfaces: pd.DataFrame,
    security_group_rules: pd.DataFrame,
    prefix_list_entries: pd.DataFrame,
    *,
    security_groups: pd.DataFrame,
) -> pd.DataFrame:
    """Return rules of endpoints' and receivers' groups that the other rules cover exactly."""
    names = names_of(security_groups, "group_id", "group_name")
    carried = groups_in_force(judged, endpoint_security_groups)
    reached = reached_interfaces[[*ENDPOINT, "group_ids"]].explode("group_ids")
    reached = reached.rename(columns={"group_ids": "group_id"}).dropna(subset=["group_id"])
    pairs = pd.concat([carried[[*ENDPOINT, "group_id"]], reached]).drop_duplicates()
    endpoint_of = {row.endpoint_id: row for row in rows_of(judged)}
    pairs = pairs[pairs["endpoint_id"].isin(list(endpoint_of))]
    rules = security_group_rules[security_group_rules["group_id"].isin(pairs["group_id"])]
    covered: dict[str, list[tuple[Any, tuple[str, ...]]]] = defaultdict(list)
    for rule, by in covered_rules(rules, listed_addresses(prefix_list_entries)):
        covered[rule.group_id].append((rule, by))
    mine = set(zip(carried["endpoint_id"], carried["group_id"], strict=True))
    rows = []
    for pair in rows_of(pairs):
        endpoint = endpoint_of[pair.endpoint_id]
        carries = (pair.endpoint_id, pair.group_id) in mine
        for rule, by in covered.get(pair.group_id, ()):
            said = {
                "endpoint": called(endpoint),
                "group": words.named(rule.group_id, names.get(rule.group_id)),
                "row": rule,
                "rule": words.rule(rule, names),
                "others": words.listed(by, most=3),
            }
            rows.append(
                {
                    **place_of(endpoint),
                    "group_id": rule.group_id,
                    "rule_id": rule.rule_id,
                    "covered_by": by,
                    "source": rule.source,
                    "record": rule.record,
                    "reason": tr(
                        "{endpoint} carries {group}, whose rule {row.rule_id} ({rule}) is covered "
                        "by {others}.",
                        **said,
                    )
                    if carries
                    else tr(
                        "{endpoint} reaches a receiver with {group}, whose rule {row.rule_id} "
                        "({rule}) is covered by {others}.",
                        **said,
                    ),
                }
            )
    return evidence_of(
        "account region endpoint_id group_id rule_id covered_by reason source record", rows
    )
