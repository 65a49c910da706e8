"""What a preview cannot judge, and what else to know before the changes are made."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import pandas as pd

from auditlib import words
from auditlib.access import EVERYONE, TABLES
from auditlib.addresses import Ranges, port_text, ports
from auditlib.changes import (
    AddAuthorizationRule,
    ApplySecurityGroups,
    AuthorizeRule,
    Change,
    RemoveAuthorizationRule,
    RevokeRule,
)
from auditlib.changes.change import whole
from auditlib.changes.difference import access_held, sure_access
from auditlib.changes.others import Others
from auditlib.characters import is_disguised
from auditlib.frames import rows_of, rows_where
from auditlib.language import tr
from auditlib.tables import Tables

__all__ = ["Called", "doubts", "extent", "refusals", "regions_touched", "unsettled", "warnings"]


_MOST = 4
"""Parts of a sentence, and receivers or groups in one, that are told; the rest is counted."""


Called = Callable[[object, object], str]
"""Makes one text of an id and a name."""


def extent(tables: Tables, rows: pd.DataFrame, called: Called = words.named) -> str:
    """Say what some rows of a difference amount to: which ports on which receivers, for which users.

    Receivers stand together only where the same ports are open to the same users.
    """
    on: dict[tuple[str, str, str], Ranges] = defaultdict(Ranges)
    for row in rows_of(rows):
        receiver = row.eni_id or row.ip
        on[receiver, row.endpoint_id, row.group] |= ports(
            row.protocol, whole(row.from_port), whole(row.to_port)
        )
    users: dict[tuple[str, Ranges], list[tuple[str, str]]] = defaultdict(list)
    for (receiver, endpoint, group), traffic in sorted(on.items(), key=lambda one: one[0]):
        users[receiver, traffic].append((endpoint, group))
    receivers: dict[tuple[str, ...], dict[Ranges, list[str]]] = defaultdict(dict)
    for (receiver, traffic), pairs in users.items():
        receivers[_users(tables, pairs, called)].setdefault(traffic, []).append(receiver)
    parts = [
        (who, traffic, found) for who, held in receivers.items() for traffic, found in held.items()
    ]
    shown = parts[:_MOST] if len(parts) > _MOST else parts
    names = _called(tables, [receiver for *_, found in shown for receiver in found], called)
    together: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for who, traffic, found in shown:
        together[who].append(
            tr(
                "{traffic} on {receivers}",
                traffic=port_text(traffic),
                receivers=words.listed((names[receiver] for receiver in found), most=_MOST),
            )
        )
    said = words.listed(
        tr("{what} for {who}", what=words.listed(what), who=words.listed(who))
        for who, what in together.items()
    )
    if rest := {receiver for *_, found in parts[len(shown) :] for receiver in found}:
        return tr(
            "{what}, and more on {receivers}",
            what=said,
            receivers=words.count(len(rest), "receiver"),
        )
    return said


def _users(tables: Tables, who: Iterable[tuple[str, str]], called: Called) -> tuple[str, ...]:
    """Return in words whom pairs of endpoint and group mean, endpoint by endpoint."""
    groups: dict[str, set[str]] = defaultdict(set)
    for endpoint, group in who:
        groups[endpoint].add(group)
    names = _names(tables, "client_vpn_endpoints", "endpoint_id", groups, called)
    everyone = [names[id] for id, held in groups.items() if EVERYONE in held]
    said = (
        [tr("users of {endpoints}", endpoints=words.listed(everyone, most=3))] if everyone else []
    )
    return (
        *said,
        *(
            tr(
                "{groups} of {endpoint}",
                groups=words.listed(
                    (tr("group {group}", group=words.clean(group)) for group in sorted(held)),
                    most=_MOST,
                ),
                endpoint=names[id],
            )
            for id, held in groups.items()
            if EVERYONE not in held
        ),
    )


def _called(tables: Tables, receivers: Iterable[str], called: Called) -> dict[str, str]:
    """Return what receivers are called: interfaces with their names, networks as they are."""
    ids = list(receivers)
    named = _names(tables, "network_interfaces", "eni_id", [id for id in ids if "-" in id], called)
    return {id: named.get(id, id) for id in ids}


def _names(
    tables: Tables, table: str, key: str, ids: Iterable[str], called: Called
) -> dict[str, str]:
    """Return ids, in order, with the names beside them."""
    frame = tables[table]
    mine = frame[frame[key].isin(set(ids))]
    names = dict(zip(mine[key], mine["name"], strict=True))
    return {id: called(id, names.get(id)) for id in sorted(set(ids))}


def refusals(tables: Tables, changes: Sequence[Change]) -> Iterator[str]:
    """Say which calls that decide on reach gave no answer where the changes have an effect."""
    gaps = tables.gaps(*TABLES)
    unread = gaps[gaps["region"].isin(regions_touched(tables, changes))]
    calls = unread.drop_duplicates(["account", "region", "service", "operation", "resource"])
    yield from map(words.gap, rows_of(calls))


def doubts(
    tables: Tables, after: Tables, changes: Sequence[Change], access: pd.DataFrame
) -> Iterator[str]:
    """Say why the changes cannot be judged; nothing where they can."""
    yield from refusals(tables, changes)
    uncertain = access[(access["change"] == "uncertain") & (access["part"] != "own_interface")]
    six = uncertain["ip"].astype(str).str.contains(":")
    if six.any():
        yield (
            tr(
                "over IPv6 AWS does not say whether a reference to a group matches ({what})",
                what=extent(tables, uncertain[six]),
            )
        )
    if len(rest := uncertain[~six]):
        yield tr("part of the way is not known ({what})", what=extent(tables, rest))
    if not six.any():
        yield from _references_over_ipv6(tables, after, changes)
    others = Others(tables, after, changes)
    for change in changes:
        if isinstance(change, ApplySecurityGroups):
            yield from _references_elsewhere(tables, change)
        yield from others.said(change)


def regions_touched(tables: Tables, changes: Sequence[Change]) -> set[str]:
    """Return the Regions where a gap may hide what the changes do: their own, and peered ones."""
    regions = {change.region for change in changes}
    peerings = tables["vpc_peering_connections"]
    ends = peerings.loc[peerings["status"] == "active", ["requester_region", "accepter_region"]]
    for pair in ends.itertuples(index=False, name=None):
        if regions & set(pair):
            regions = regions | set(pair)
    return regions


def _references_over_ipv6(
    before: Tables, after: Tables, changes: Sequence[Change]
) -> Iterator[str]:
    """Say where rules that change name groups, and clients come over IPv6, untranslated."""
    touched: set[str] = set()
    changed = [c.rule_id for c in changes if isinstance(c, AuthorizeRule | RevokeRule)]
    for tables in (before, after):
        rules = tables["ingress_rules"]
        mine = rules["rule_id"].isin(changed) & rules["referenced_group_id"].notna()
        touched |= set(rules.loc[mine, "group_id"])
        for change in changes:
            if isinstance(change, ApplySecurityGroups):
                held = tables["endpoint_security_groups"]
                mine = (held["endpoint_id"] == change.endpoint_id) & held["effective"]
                named = rules["referenced_group_id"].isin(held.loc[mine, "group_id"].dropna())
                touched |= set(rules.loc[named, "group_id"])
    held = after["network_interface_groups"]
    enis = set(held.loc[held["group_id"].isin(touched), "eni_id"])
    found = {
        key[5]
        for tables in (before, after)
        for key in access_held(tables)
        if ":" in key[6] and key[5] in enis
    }
    if found:
        yield (
            tr(
                "over IPv6 AWS does not say whether a reference to a group matches ({what})",
                what=words.listed(sorted(found), most=4),
            )
        )


def _references_elsewhere(tables: Tables, change: ApplySecurityGroups) -> Iterator[str]:
    """Say where rules that were not read may name the groups that an endpoint loses."""
    held = tables["endpoint_security_groups"]
    mine = held[(held["endpoint_id"] == change.endpoint_id) & held["effective"]]
    lost = sorted(set(mine["group_id"].dropna()) - set(change.group_ids))
    enis = tables["endpoint_network_interfaces"]
    unsure = enis[(enis["endpoint_id"] == change.endpoint_id) & ~enis["certain"]]
    if len(unsure):
        yield (
            tr(
                "AWS does not say whether {interfaces} belong to {change.endpoint_id}",
                interfaces=words.listed(sorted(unsure["eni_id"]), most=3),
                change=change,
            )
        )
    if not lost:
        return
    groups = words.listed(lost)
    read = set(tables["vpcs"]["vpc_id"])
    peerings = tables["vpc_peering_connections"]
    for row in rows_where(peerings, peerings["status"] == "active"):
        ends = {
            row.requester_vpc_id: (row.requester_owner_id, row.requester_region),
            row.accepter_vpc_id: (row.accepter_owner_id, row.accepter_region),
        }
        if change.vpc_id not in ends:
            continue
        for vpc, (owner, region) in ends.items():
            if vpc != change.vpc_id and vpc not in read and region == change.region:
                yield (
                    tr(
                        "rules in {vpc} of account {owner}, which was not read, may name {groups} across "
                        "{row.vpc_peering_connection_id}",
                        vpc=vpc,
                        owner=owner,
                        groups=groups,
                        row=row,
                    )
                )
    routes = tables["routes"]
    gateways = routes[
        (routes["vpc_id"] == change.vpc_id) & (routes["target_kind"] == "transit_gateway")
    ]
    for gateway in sorted(set(gateways["target_id"].dropna())):
        yield tr(
            "rules behind {gateway}, which was not read, may name {groups}",
            gateway=gateway,
            groups=groups,
        )
    shared = tables["security_group_vpc_associations"]
    foreign = shared[
        shared["group_id"].isin(lost)
        & ~shared["vpc_owner_id"].isin(tables["vpcs"]["account"].astype(str))
    ]
    for row in rows_of(foreign):
        yield tr(
            "{row.group_id} is associated with {row.vpc_id} of account {row.vpc_owner_id}, which was "
            "not read",
            row=row,
        )


def unsettled(tables: Tables, access: pd.DataFrame) -> tuple[str, ...]:
    """Return the interfaces that a difference opens to more users and whose names look like something else."""
    opens = (access["change"] == "gained") & (access["part"] != "own_interface")
    enis = tables["network_interfaces"]
    held = enis[enis["eni_id"].isin(access.loc[opens, "eni_id"])]
    return tuple(
        sorted(
            row.eni_id
            for row in rows_of(held)
            if any(
                is_disguised(text) for text in (row.name, row.description) if isinstance(text, str)
            )
        )
    )


def warnings(
    before: Tables, after: Tables, changes: Sequence[Change], access: pd.DataFrame
) -> Iterator[str]:
    """Say what else to know."""
    if names := unsettled(before, access):
        yield tr(
            "Settle first who named {interfaces}: these changes open more there, to what is named like "
            "markup, a link, a formula or a disguised file.",
            interfaces=words.listed(names),
        )
    for change in changes:
        if isinstance(change, ApplySecurityGroups):
            yield from _no_way_back(before, change)
    weaker = access[(access["change"] == "weaker") & (access["part"] != "own_interface")]
    if len(weaker):
        yield tr(
            "From then on it holds only for the present address of the endpoint: {what}.",
            what=extent(before, weaker),
        )
    yield from _other_sessions(before, access)
    if empty := Others(before, after, changes).empty(changes):
        yield tr(
            "Rules on {networks} are removed. They admit nobody beside VPN users today: nothing else had "
            "an address there when the account was read. What comes there later is admitted no more.",
            networks=words.listed(empty),
        )
    yield from _emptied_defaults(before, after)
    added = {c.endpoint_id: c for c in changes if isinstance(c, AddAuthorizationRule)}
    removed = {c.endpoint_id for c in changes if isinstance(c, RemoveAuthorizationRule)}
    for id in sorted(added.keys() & removed):
        yield tr(
            "Before an authorization rule of {endpoint} is removed, see that the new ones are active, which "
            "takes a while ({call}), and that a user of each group gets where they should.",
            endpoint=id,
            call="aws ec2 describe-client-vpn-authorization-rules --client-vpn-endpoint-id "
            f"{id} --region {added[id].region}",
        )


def _other_sessions(before: Tables, access: pd.DataFrame) -> Iterator[str]:
    """Say where what opens is had already, in sessions that land on another subnet."""
    had: dict[tuple[str, ...], Ranges] = defaultdict(Ranges)
    for key, on in sure_access(before).items():
        had[key[2], *key[4:]] |= on
    gained = access[(access["change"] == "gained") & (access["part"] != "own_interface")]
    known = [
        ports(row.protocol, whole(row.from_port), whole(row.to_port))
        <= had[row.endpoint_id, row.group, row.eni_id, row.ip]
        for row in rows_of(gained)
    ]
    already = gained[pd.Series(known, index=gained.index, dtype=bool)]
    subnets: dict[str, list[str]] = defaultdict(list)
    for subnet, rows in already.groupby("subnet_id"):
        subnets[extent(before, rows)].append(str(subnet))
    for what, those in subnets.items():
        yield tr(
            "Users have {what} today only in sessions that land on another subnet; from then on in "
            "sessions on {subnets} too.",
            what=what,
            subnets=words.listed(those),
        )


def _no_way_back(tables: Tables, change: ApplySecurityGroups) -> Iterator[str]:
    endpoints = tables["client_vpn_endpoints"]
    named = endpoints.loc[endpoints["endpoint_id"] == change.endpoint_id, "security_group_ids"]
    back = change.inverse(tables)
    if isinstance(back, ApplySecurityGroups) and set(named.iloc[0]) != set(back.group_ids):
        says = words.listed(named.iloc[0]) or tr("no group")
        yield (
            tr(
                "Rolling back restores what is in force on {change.endpoint_id} today, {groups}. Its "
                "settings name {says} today and will then name the groups in force: AWS documents no "
                "call that changes the one without the other.",
                change=change,
                groups=words.listed(back.group_ids),
                says=says,
            )
        )


def _emptied_defaults(before: Tables, after: Tables) -> Iterator[str]:
    """Say which default groups are emptied while something lives in them."""
    groups = before["security_groups"]
    defaults = groups.loc[groups["is_default"], "group_id"]
    rules = (
        set(before["security_group_rules"]["group_id"]),
        set(after["security_group_rules"]["group_id"]),
    )
    held, used = after["network_interface_groups"], after["endpoint_security_groups"]
    interfaces = after["endpoint_network_interfaces"]
    for id in defaults:
        if id not in rules[0] or id in rules[1]:
            continue
        endpoints = sorted(set(used.loc[used["group_id"] == id, "endpoint_id"]))
        # An endpoint and its own interfaces are one thing, as where the fix says what to move.
        own = set(interfaces.loc[interfaces["endpoint_id"].isin(endpoints), "eni_id"])
        living = sorted(set(held.loc[held["group_id"] == id, "eni_id"]) - own)
        if living or endpoints:
            yield (
                tr(
                    "Default group {id} is emptied while {living} rely on it: nothing will pass there.",
                    id=id,
                    living=words.listed([*endpoints, *living], most=4),
                )
            )
