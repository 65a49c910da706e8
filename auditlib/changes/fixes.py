"""The fixes of checks: from the evidence to changes.

To add one, write a function that is given the tables and the evidence, and decorate it with
``@fix`` and the check's id. A check without a fix says in its ``decision`` why people decide.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from auditlib import words
from auditlib.access.views import STOPPED_BY_OUTBOUND, let_into
from auditlib.addresses import addresses, ports
from auditlib.changes import (
    AddAuthorizationRule,
    ApplySecurityGroups,
    AuthorizeRule,
    Change,
    CreateRoute,
    CreateSecurityGroup,
    DeleteRoute,
    ModifyLogging,
    RemoveAuthorizationRule,
    RevokeRule,
)
from auditlib.changes.change import TEXT, whole, with_texts
from auditlib.changes.others import Others
from auditlib.changes.remarks import Called
from auditlib.frames import rows_of, rows_where
from auditlib.language import sentences, tr, tr_as
from auditlib.tables import Tables

__all__ = [
    "FIXES",
    "LOG_GROUP",
    "Fix",
    "Named",
    "gives_own_group",
    "internet_lost",
    "is_log_group",
    "let_into_told",
    "narrowing",
    "rules_left_behind",
    "switches_groups",
    "waiting_groups",
]


@dataclass(frozen=True, kw_only=True)
class Named:
    """Access that a finding names: what its fix means to close, or to open.

    ``eni_id``, ``within`` (a network) and ``rule_id`` (which admits it today) are ``None`` for any; no
    interface (an empty ``eni_id``) is what leaves what was read, or traffic between clients.
    """

    change: Literal["lost", "gained"]
    endpoint_id: str
    eni_id: str | None = None
    within: str | None = None
    rule_id: str | None = None

    def covers(self, row: Any) -> bool:
        """Tell whether a row of the difference is what is named."""
        return (
            row["change"] == self.change
            and row["endpoint_id"] == self.endpoint_id
            and self.eni_id in {None, row["eni_id"]}
            and (self.within is None or addresses(row["ip"]) <= addresses(self.within))
            and (self.rule_id is None or any(self.rule_id in hop for hop in row["via_before"]))
        )


@dataclass(frozen=True, kw_only=True)
class Fix:
    """What to change about some evidence.

    Attributes
    ----------
    named
        The access the finding names, which the changes are meant to close or to open.
    decisions
        What is left to people, in sentences.
    """

    changes: tuple[Change, ...] = ()
    named: tuple[Named, ...] = ()
    decisions: tuple[str, ...] = ()


FIXES: dict[str, Callable[[Tables, pd.DataFrame], Fix]] = {}
"""The fixes, by the id of their check; a check without one says in ``decision`` why."""


def fix(
    id: str,
) -> Callable[[Callable[[Tables, pd.DataFrame], Fix]], Callable[[Tables, pd.DataFrame], Fix]]:
    """Register the decorated function as the fix of a check."""

    def register(
        function: Callable[[Tables, pd.DataFrame], Fix],
    ) -> Callable[[Tables, pd.DataFrame], Fix]:
        FIXES[id] = function
        return function

    return register


# -- a security group of its own ------------------------------------------------------------------


@fix("vpn-sg-is-default")
@fix("vpn-sg-is-shared")
def own_group(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return a group for each endpoint alone; whoever admits it today by the old one still does."""
    return _own_groups(tables, evidence, frozenset())


@fix("vpn-sg-lets-members-in")
def own_group_and_no_members(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return a group for each endpoint alone that the rules of the finding do not admit."""
    made = _own_groups(tables, evidence, frozenset(evidence["rule_id"].dropna()))
    named = {
        Named(change="lost", endpoint_id=row.endpoint_id, eni_id=row.eni_id)
        for row in rows_of(evidence)
        if isinstance(row.eni_id, str)
    }
    cut_off = [
        _cut_off(tables, change, evidence[evidence["endpoint_id"] == change.endpoint_id])
        for change in made.changes
        if isinstance(change, ApplySecurityGroups)
    ]
    return Fix(
        changes=made.changes,
        named=tuple(sorted(named, key=repr)),
        decisions=(*cut_off, *made.decisions),
    )


def _cut_off(tables: Tables, change: ApplySecurityGroups, admitted: pd.DataFrame) -> str:
    """Say what users of an endpoint lose once it is switched: what rules admit on interfaces today."""
    in_force = _in_force(tables, change.endpoint_id)
    return tr(
        "No step keeps this: once it is switched, users of {endpoint} lose {what}, but for what other rules "
        "admit. It may be the only way in for those who administer these machines. Say first what they need "
        "of it, and add rules to those receivers that name {group} before the switch.",
        endpoint=change.endpoint_id,
        what=_admitted(tables, admitted),
        group=next((id for id in change.group_ids if id not in in_force), change.group_ids[0]),
    )


def _admitted(tables: Tables, evidence: pd.DataFrame) -> str:
    """Say of pairs of rule and interface what each rule admits, and on which interfaces."""
    rules = {row.rule_id: row for row in _rules(tables, evidence["rule_id"])}
    on: dict[str, dict[str, None]] = {}
    for row in rows_of(evidence.dropna(subset=["eni_id"])):
        rule = rules[row.rule_id]
        traffic = words.traffic(rule.protocol, rule.from_port, rule.to_port)
        on.setdefault(traffic, {})[row.eni_id] = None
    return words.listed(
        tr("{traffic} on {receivers}", traffic=traffic, receivers=words.listed(enis, most=4))
        for traffic, enis in on.items()
    )


def _own_groups(tables: Tables, evidence: pd.DataFrame, without: frozenset[str]) -> Fix:
    changes: list[Change] = []
    decisions = []
    taken = set(tables["security_groups"]["group_name"])
    for (account, region, id), rows in evidence.groupby(
        ["account", "region", "endpoint_id"], observed=True
    ):
        if rows["group_id"].isna().any():
            decisions.append(
                tr("Which group {id} has could not be read, so nothing is proposed.", id=id)
            )
            continue
        leaving = set(rows["group_id"])
        held = tables["endpoint_security_groups"]
        its = held[held["endpoint_id"] == id]
        mine = its[its["effective"] | its["by_omission"]]
        staying = tuple(sorted(set(mine["group_id"].dropna()) - leaving))
        place = {"account": str(account), "region": str(region)}
        vpc = str(mine["vpc_id"].iloc[0])
        intended = _intended(tables, str(id))
        objections = _objections(tables, str(id), intended)
        egress: list[Any] | None = None
        if intended and not objections:
            group_ids = intended
            own = next(group for group in intended if group not in set(mine["group_id"]))
            decisions.append(_applied_as_meant(str(id), intended))
        else:
            egress = _egress(tables, leaving, vpc)
            name = _free_name(tables, str(id), taken)
            taken.add(name)
            made = CreateSecurityGroup(
                **place,
                vpc_id=vpc,
                group_name=name,
                description=f"Client VPN endpoint {id}",
                open_egress=egress is None,
            )
            changes.append(made)
            group_ids, own = (*staying, made.group_id), made.group_id
            if intended:
                decisions.append(
                    tr(
                        "The settings of {id} name {groups}, which is not in force on it yet, and a new "
                        "group is made all the same, because {why}. Find out first whether that change is "
                        "still under way (vpn-sg-not-yet-effective).",
                        id=id,
                        groups=words.listed(intended),
                        why=words.listed(objections),
                    )
                )
        admitting = tuple(_admitting(tables, str(id), leaving, without))
        rules = (*admitting, *(egress or ()))
        copies = (_copied(row, own) for row in rules)
        changes += [copy for copy in copies if copy.is_egress or not _is_there(tables, copy)]
        changes.append(
            ApplySecurityGroups(
                **place, endpoint_id=str(id), vpc_id=vpc, group_ids=tuple(group_ids)
            )
        )
        if kept := sorted({row.group_id for row in admitting} & leaving):
            decisions.append(
                tr(
                    "Nobody is cut off, so what {groups} opened to users of {id} stays open, by copied "
                    "rules. The fix of vpn-sg-lets-members-in closes it: take one of the two, not both.",
                    groups=words.listed(kept),
                    id=id,
                )
            )
        decisions.append(
            tr(
                "The rules that name {groups} stay: other members may rely on them. Remove them once "
                "nothing of {id} does.",
                groups=words.listed(sorted(leaving)),
                id=id,
            )
        )
    return Fix(changes=tuple(changes), decisions=tuple(decisions))


def switches_groups(id: str) -> bool:
    """Tell whether the fix of a check gives endpoints other groups than they have."""
    return gives_own_group(id) or FIXES.get(id) is configured_groups


def gives_own_group(id: str) -> bool:
    """Tell whether the fix of a check gives endpoints groups of their own."""
    return FIXES.get(id) in {own_group, own_group_and_no_members}


def waiting_groups(tables: Tables, endpoint_id: str) -> tuple[str, ...]:
    """Return the groups that an endpoint's settings name and that wait to be applied, where they are fit.

    A fix that gives endpoints groups of their own applies these in place of making new ones.
    """
    intended = _intended(tables, endpoint_id)
    return () if _objections(tables, endpoint_id, intended) else intended


def rules_left_behind(
    tables: Tables, endpoint_id: str, called: Called | None = None, staying: Iterable[str] = ()
) -> tuple[str, ...]:
    """Say which inbound rules stay on what else carries the groups that an endpoint leaves.

    An endpoint that leaves a group ends what is found at it, and nothing on the other members. Rules
    by which the members of a group admit each other are left out.

    Parameters
    ----------
    called
        Makes one text of an id and a name; the id alone where none is given.
    staying
        The groups it keeps.
    """
    called = called or _id_alone
    groups = _in_force(tables, endpoint_id) - set(staying)
    held, rules = tables["network_interface_groups"], tables["ingress_rules"]
    own = set(tables["endpoint_network_interfaces"]["eni_id"])
    interfaces, known = tables["network_interfaces"], tables["security_groups"]
    names = dict(zip(interfaces["eni_id"], interfaces["name"], strict=True))
    names |= dict(zip(known["group_id"], known["group_name"], strict=True))
    told = []
    for group in sorted(groups):
        enis = sorted(set(held.loc[held["group_id"] == group, "eni_id"]) - own)
        mine = rules[(rules["group_id"] == group) & rules["referenced_group_id"].ne(group)]
        kept = list(rows_of(mine.sort_values("rule_id")))
        if enis and kept:
            told.append(
                tr(
                    "{interfaces} keep {group} and what its inbound rules admit, which no step changes: "
                    "{rules}. Judge that there."
                    if len(enis) > 1
                    else "{interfaces} keeps {group} and what its inbound rules admit, which no step changes: "
                    "{rules}. Judge that there.",
                    interfaces=words.listed((called(eni, names.get(eni)) for eni in enis), most=3),
                    group=called(group, names.get(group)),
                    rules=words.listed((words.rule(row) for row in kept), most=4),
                )
            )
    return tuple(told)


def _id_alone(id: object, name: object) -> str:
    """Return an id alone: where a fix is shown, names are put to all ids."""
    del name
    return str(id)


def _intended(tables: Tables, endpoint_id: str) -> tuple[str, ...]:
    """Return the groups that an endpoint's settings name, where one of them is not in force yet."""
    endpoints, held = tables["client_vpn_endpoints"], tables["endpoint_security_groups"]
    (row,) = rows_where(endpoints, endpoints["endpoint_id"] == endpoint_id)
    mine = held[held["endpoint_id"] == endpoint_id]
    waiting = mine["configured"] & ~mine["effective"]
    return tuple(row.security_group_ids) if waiting.any() else ()


def _objections(tables: Tables, endpoint_id: str, group_ids: Iterable[str]) -> list[str]:
    """Say why groups are not an endpoint's own, or of no use to it; nothing where they are fit."""
    wanted = list(group_ids)
    groups, held = tables["security_groups"], tables["network_interface_groups"]
    used, own = tables["endpoint_security_groups"], tables["endpoint_network_interfaces"]
    mine = set(own.loc[own["endpoint_id"] == endpoint_id, "eni_id"])
    told = []
    for id in wanted:
        known = groups[groups["group_id"] == id]
        others = [
            *sorted(set(used.loc[used["group_id"] == id, "endpoint_id"]) - {endpoint_id}),
            *sorted(set(held.loc[held["group_id"] == id, "eni_id"]) - mine),
        ]
        if known.empty:
            told.append(tr("{group} was not read", group=id))
        if known["is_default"].any():
            told.append(tr("{group} is a default group", group=id))
        if others:
            others_told = words.listed(others, most=3)
            told.append(tr("{group} is on {others} too", group=id, others=others_told))
        if (tables["ingress_rules"]["group_id"] == id).any():
            told.append(tr("{group} has inbound rules", group=id))
    if wanted and not tables["egress_rules"]["group_id"].isin(wanted).any():
        told.append(tr("no outbound rule lets anything out"))
    return told


def _applied_as_meant(endpoint_id: str, groups: tuple[str, ...]) -> str:
    return tr(
        "The settings of {id} name {groups}, and that is not in force on it yet. Nothing else carries it "
        "and it has no inbound rules, so it is applied as the fix of vpn-sg-not-yet-effective would, and "
        "no new group is made: what receivers admit by it opens, and what its outbound rules do not let "
        "out closes.",
        id=endpoint_id,
        groups=words.listed(groups),
    )


def _first(tables: Tables, endpoint_id: str) -> str:
    """Say what gives an endpoint a group of its own: the one its settings name, or a new one."""
    if intended := waiting_groups(tables, endpoint_id):
        return tr(
            "Its settings name {groups}, which is not in force yet: apply it first (fix "
            "vpn-sg-not-yet-effective).",
            groups=words.listed(intended),
        )
    if _lets_members_in(tables, endpoint_id):
        return tr(
            "Fix vpn-sg-lets-members-in first: the fixes of vpn-sg-is-default and vpn-sg-is-shared would "
            "keep what members of its group open to VPN users."
        )
    if _on(tables, endpoint_id)["is_default"].fillna(False).astype(bool).any():
        return tr("Fix vpn-sg-is-default or vpn-sg-is-shared first.")
    return tr("Fix vpn-sg-is-shared first.")


def _lets_members_in(tables: Tables, endpoint_id: str) -> bool:
    """Tell whether a group of an endpoint is on other interfaces and admits the endpoint's groups."""
    held = tables["network_interface_groups"]
    groups = _in_force(tables, endpoint_id)
    own = set(tables["endpoint_network_interfaces"]["eni_id"])
    shared = groups & set(held.loc[~held["eni_id"].isin(own), "group_id"])
    rules = tables["ingress_rules"]
    named = rules[rules["group_id"].isin(shared)]["referenced_group_id"]
    return bool(named.isin(groups).any())


def _is_there(tables: Tables, rule: AuthorizeRule) -> bool:
    """Tell whether an inbound rule that is to be added is there already, as it is or wider."""
    rules = tables["ingress_rules"]
    wanted = ports(rule.protocol, rule.from_port, rule.to_port)
    return any(
        row.peer == rule.peer
        and wanted <= ports(row.protocol, whole(row.from_port), whole(row.to_port))
        for row in rows_where(rules, rules["group_id"] == rule.group_id)
    )


def _free_name(tables: Tables, endpoint_id: str, taken: set[str]) -> str:
    endpoints = tables["client_vpn_endpoints"]
    names = endpoints.loc[endpoints["endpoint_id"] == endpoint_id, "name"].dropna()
    called = names.iloc[0] if len(names) else ""
    slug = re.sub(r"[^a-z0-9]+", "-", str(called).lower()).strip("-")[:40]
    name = f"client-vpn-{slug or endpoint_id.removeprefix('cvpn-endpoint-')}"
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _egress(tables: Tables, groups: set[str], vpc_id: str) -> list[Any] | None:
    """Return outbound rules to copy; ``None`` where AWS's own for a new group let out as much."""
    rules = tables["egress_rules"]
    mine = list(rows_of(rules[rules["group_id"].isin(groups)].sort_values("rule_id")))
    everything = {row.peer for row in mine if row.protocol == "all"}
    blocks = tables["vpc_cidr_blocks"]
    six = 6 in set(blocks.loc[blocks["vpc_id"] == vpc_id, "family"])
    if "0.0.0.0/0" in everything and (not six or "::/0" in everything):
        return None
    same: dict[tuple[Any, ...], Any] = {}
    for row in mine:
        same.setdefault((row.protocol, str(row.from_port), str(row.to_port), row.peer), row)
    return list(same.values())


def _admitting(
    tables: Tables, endpoint_id: str, groups: set[str], without: frozenset[str]
) -> Iterator[Any]:
    """Return the inbound rules that name the groups and admit the endpoint's users today."""
    reached = tables["reached_interfaces"]
    own = set(tables["endpoint_network_interfaces"]["eni_id"])
    mine = reached[(reached["endpoint_id"] == endpoint_id) & ~reached["eni_id"].isin(own)]
    used = {rule for rules in mine["rule_ids"] for rule in rules} - without
    rules = tables["ingress_rules"]
    # Where it is not known what admits them, every rule of the receiver may.
    doubtful = mine[mine["unknown_ports"].map(len).gt(0)]
    unsure = {group for some in doubtful["group_ids"] for group in some}
    may = rules["rule_id"].isin(used) | (
        rules["group_id"].isin(unsure) & ~rules["rule_id"].isin(without)
    )
    found = rules[may & rules["referenced_group_id"].isin(groups)]
    seen = set()
    for row in rows_of(found.sort_values("rule_id")):
        same = (row.group_id, row.protocol, str(row.from_port), str(row.to_port))
        if same not in seen:
            seen.add(same)
            yield row


def _copied(row: Any, group_id: str) -> AuthorizeRule:
    """Return an inbound rule with the group as its source, an outbound one as the group's own."""
    if not row.is_egress:
        return _naming(row, group_id)
    return AuthorizeRule(
        account=str(row.account),
        region=str(row.region),
        group_id=group_id,
        is_egress=True,
        protocol=row.protocol,
        from_port=whole(row.from_port),
        to_port=whole(row.to_port),
        peer_kind=str(row.peer_kind),
        peer=row.peer,
        description=row.description if isinstance(row.description, str) else None,
    )


# -- rules ----------------------------------------------------------------------------------------


def _revoke(row: Any) -> RevokeRule:
    return RevokeRule(
        account=str(row.account),
        region=str(row.region),
        group_id=row.group_id,
        rule_id=row.rule_id,
        is_egress=bool(row.is_egress),
    )


def _rules(tables: Tables, ids: Iterable[str]) -> Iterator[Any]:
    rules = tables["security_group_rules"]
    yield from rows_of(rules[rules["rule_id"].isin(set(ids))].sort_values("rule_id"))


@fix("vpn-sg-has-inbound-rules")
def no_inbound_rules(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return the removal of inbound rules from groups that only endpoints carry."""
    shared, free = _lived_in(tables, evidence)
    on = evidence.groupby("group_id")["endpoint_id"].agg(sorted)
    return Fix(
        changes=tuple(_revoke(row) for row in _rules(tables, free["rule_id"])),
        decisions=tuple(
            tr(
                "{group} is also on {others}, which may need its rules: move the endpoint first, then look "
                "again. {how}",
                group=group,
                others=words.listed(others, most=3),
                how=sentences(*dict.fromkeys(_first(tables, id) for id in on[group])),
            )
            for group, others in shared.items()
        ),
    )


def _lived_in(tables: Tables, evidence: pd.DataFrame) -> tuple[dict[str, list[str]], pd.DataFrame]:
    """Return what else carries the groups of some evidence, and the rows of those with nothing."""
    held = tables["network_interface_groups"]
    own = set(tables["endpoint_network_interfaces"]["eni_id"])
    others = held[held["group_id"].isin(evidence["group_id"]) & ~held["eni_id"].isin(own)]
    shared = {str(g): sorted(rows["eni_id"]) for g, rows in others.groupby("group_id")}
    return shared, evidence[~evidence["group_id"].isin(list(shared))]


@fix("default-sg-has-rules")
def empty_default(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return the removal of all rules of default groups in which nothing lives."""
    held, used = tables["network_interface_groups"], tables["endpoint_security_groups"]
    rules, interfaces = tables["security_group_rules"], tables["endpoint_network_interfaces"]
    changes: list[Change] = []
    decisions = []
    for group, rows in evidence.groupby("group_id"):
        naming = rules[(rules["referenced_group_id"] == group) & (rules["group_id"] != group)]
        endpoints = set(used.loc[used["group_id"] == group, "endpoint_id"])
        # An endpoint and its own interfaces are one thing to move.
        own = set(interfaces.loc[interfaces["endpoint_id"].isin(endpoints), "eni_id"])
        living = [
            *sorted(endpoints),
            *sorted(set(held.loc[held["group_id"] == group, "eni_id"]) - own),
            *sorted(naming["rule_id"]),
        ]
        if living:
            decisions.append(
                tr(
                    "{group} is not emptied: {living} rely on it. Move them first.",
                    group=group,
                    living=words.listed(living, most=4),
                )
            )
        else:
            changes += [_revoke(row) for row in _rules(tables, rows["rule_id"])]
    if changes:
        decisions.append(
            tr(
                "A launch template, Lambda function, Batch or CodeBuild setting that names a default "
                "group is not in what was read: look there before you empty it."
            )
        )
    return Fix(changes=tuple(changes), decisions=tuple(decisions))


@fix("receiver-allows-address-not-group")
def named_group(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return rules that name the endpoint's group in place of rules on addresses.

    A rule stays, and people decide, where its removal may take something from somebody: one on the client
    range, which admits no VPN user today and perhaps another network, and one that admits others too.
    """
    nobody = evidence["why"] == "client_range"
    alive = set(evidence.loc[~nobody, "rule_id"])
    made = _in_place_of(tables, evidence[~nobody])
    revoked = [change for change in made.changes if isinstance(change, RevokeRule)]
    kept = dict(_needed_by_others(tables, revoked))
    decisions = [
        tr(
            "{what}: it stays until you know that. VPN users come in by a rule that names their endpoint's "
            "security group; remove the old one once nobody else needs it.",
            what=why,
        )
        for why in kept.values()
    ]
    dead = evidence[~evidence["rule_id"].isin(alive)]
    rules = {row.rule_id: row for row in _rules(tables, dead["rule_id"])}
    held = tables["network_interface_groups"]
    for row in rows_of(dead):
        rule = rules[row.rule_id]
        enis = sorted(held.loc[held["group_id"] == rule.group_id, "eni_id"])
        decisions.append(
            tr(
                "{row.rule_id} ({row.range}) admits nobody through {row.endpoint_id} today and stays until "
                "you decide: if VPN users are meant to reach {traffic} on {receivers}, add a rule there that "
                "names the endpoint's security group. Remove this one where no other network has these "
                "addresses, which a snapshot does not show (VPC Flow Logs do): VPN users lose nothing by it.",
                row=row,
                traffic=words.traffic(rule.protocol, rule.from_port, rule.to_port),
                receivers=words.listed(enis or [rule.group_id], most=3),
            )
        )
    return Fix(
        changes=tuple(change for change in made.changes if change not in kept),
        decisions=(*made.decisions, *decisions),
    )


def _needed_by_others(
    tables: Tables, changes: Iterable[RevokeRule]
) -> Iterator[tuple[RevokeRule, str]]:
    """Yield those of some changes that may take something from others than VPN users, and from whom."""
    removed = tuple(changes)
    after = tables
    for change in removed:
        after = change._applied(after)
    others = Others(tables, after, removed)
    for change in removed:
        if said := list(others.said(change)):
            yield change, words.listed(said)


@fix("receiver-open-wider-than-vpn")
def named_group_alone(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return rules that name the endpoint's group; only then the wide ones are removed."""
    made = _in_place_of(tables, evidence)
    removed = [change.rule_id for change in made.changes if isinstance(change, RevokeRule)]
    last = (
        (
            tr(
                "{removed} may serve others beside VPN users, and a snapshot does not show whom (VPC "
                "Flow Logs do). Until you know, answer no before the window Take away: VPN users come in "
                "by the new rules already, and the wide ones stay.",
                removed=words.listed(removed),
            ),
        )
        if removed
        else ()
    )
    return Fix(changes=made.changes, decisions=(*made.decisions, *last))


def _in_place_of(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return rules that name the group of each endpoint that the rules of the evidence admit."""
    held = tables["endpoint_security_groups"]
    alone = _dedicated(tables)
    rules = {row.rule_id: row for row in _rules(tables, evidence["rule_id"])}
    existing = {
        (r.group_id, r.protocol, str(r.from_port), str(r.to_port), r.peer)
        for r in rows_of(tables["ingress_rules"])
    }
    changes: list[Change] = []
    groups: dict[str, list[str]] = {}
    unfit: dict[str, list[str]] = {}
    for row in rows_of(evidence):
        if row.endpoint_id not in groups:
            mine = held[(held["endpoint_id"] == row.endpoint_id) & held["effective"]]
            groups[row.endpoint_id] = sorted(set(mine["group_id"].dropna()) & alone)
        if not groups[row.endpoint_id]:
            unfit.setdefault(row.endpoint_id, []).append(row.rule_id)
    blocked = {rule for ids in unfit.values() for rule in ids}
    for row in rows_where(evidence, ~evidence["rule_id"].isin(blocked)):
        rule, group = rules[row.rule_id], groups[row.endpoint_id][0]
        same = (rule.group_id, rule.protocol, str(rule.from_port), str(rule.to_port), group)
        if same not in existing:
            existing.add(same)
            changes.append(_naming(rule, group))
    decisions = [
        tr(
            "{endpoint} has no group of its own in force to name in place of {rules}. {how}",
            endpoint=endpoint,
            rules=words.listed(dict.fromkeys(ids)),
            how=_first(tables, endpoint),
        )
        for endpoint, ids in unfit.items()
    ]
    for id, rule in rules.items():
        if rule.peer_kind == "prefix_list":
            decisions.append(
                tr(
                    "{id} names prefix list {rule.peer}: take the entry out of the list after a test; the "
                    "list may serve other rules.",
                    id=id,
                    rule=rule,
                )
            )
        elif id not in blocked:
            changes.append(_revoke(rule))
    return Fix(changes=tuple(changes), decisions=tuple(decisions))


def _naming(rule: Any, group_id: str) -> AuthorizeRule:
    """Return a rule like another, with a group as its source."""
    return AuthorizeRule(
        account=str(rule.account),
        region=str(rule.region),
        group_id=rule.group_id,
        protocol=rule.protocol,
        from_port=whole(rule.from_port),
        to_port=whole(rule.to_port),
        peer=group_id,
    )


def _dedicated(tables: Tables) -> set[str]:
    """Return the groups that a single endpoint carries, and nothing else."""
    used = tables["endpoint_security_groups"]
    used = used[used["effective"] & ~used["is_default"].fillna(True).astype(bool)]
    endpoints = used.groupby("group_id")["endpoint_id"].nunique()
    held = tables["network_interface_groups"]
    own = set(tables["endpoint_network_interfaces"]["eni_id"])
    others = set(held.loc[~held["eni_id"].isin(own), "group_id"])
    return set(endpoints[endpoints == 1].index) - others


@fix("vpn-sg-limits-outbound")
def open_outbound(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return the outbound rule that an endpoint lacks which lets nothing out at all."""
    changes: list[Change] = []
    named = []
    decisions = []
    alone = _dedicated(tables)
    for row in rows_of(evidence):
        groups = sorted(set(row.group_ids) & alone)
        if row.extent != "nothing":
            decisions.append(
                tr(
                    "The outbound rules of {row.endpoint_id} let something out: whether they are a second "
                    "barrier on purpose is yours to say. If not, add a rule for all traffic to {networks}.",
                    row=row,
                    networks=words.listed(row.not_let_out),
                )
            )
            if stopped := _stopped_by_outbound(tables, row.endpoint_id):
                decisions.append(
                    tr(
                        "authorized-but-unreachable names {networks} of {row.endpoint_id}, which these "
                        "rules stop: remove its rule or route there, or open the way here, not both.",
                        row=row,
                        networks=words.listed(cidr for cidrs in stopped.values() for cidr in cidrs),
                    )
                )
        elif not groups:
            decisions.append(
                tr(
                    "{row.endpoint_id} has no group of its own: an outbound rule would open other interfaces "
                    "too. {how}",
                    row=row,
                    how=_first(tables, row.endpoint_id),
                )
            )
        else:
            changes += [
                AuthorizeRule(
                    account=str(row.account),
                    region=str(row.region),
                    group_id=groups[0],
                    is_egress=True,
                    peer_kind="ipv6" if ":" in network else "ipv4",
                    peer=network,
                )
                for network in row.not_let_out
            ]
            named.append(Named(change="gained", endpoint_id=row.endpoint_id))
        decisions += [
            tr("{networks}: {then}", networks=words.listed(cidrs), then=then)
            for then, cidrs in _stopped_by_outbound(tables, row.endpoint_id).items()
            if then
        ]
    return Fix(changes=tuple(changes), named=tuple(named), decisions=tuple(decisions))


def _stopped_by_outbound(tables: Tables, endpoint_id: str) -> dict[str, list[str]]:
    """Return the networks that an endpoint's outbound rules stop, by what becomes of them without these."""
    opened = tables["opened_networks"]
    mine = (opened["endpoint_id"] == endpoint_id) & opened["stopped_by"].isin(STOPPED_BY_OUTBOUND)
    found: dict[str, list[str]] = {}
    for row in rows_where(opened, mine):
        held = found.setdefault(words.once_let_out(row), [])
        if row.destination_cidr not in held:
            held.append(row.destination_cidr)
    return found


@fix("vpn-sg-not-yet-effective")
def configured_groups(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return what puts the configured groups in force without waiting for AWS to carry them there."""
    changes: list[Change] = []
    decisions = []
    endpoints = tables["client_vpn_endpoints"]
    for id in dict.fromkeys(evidence["endpoint_id"]):
        row = next(rows_where(endpoints, endpoints["endpoint_id"] == id))
        if not row.security_group_ids or not isinstance(row.vpc_id, str):
            decisions.append(
                tr("{id} names no groups: which of those in force is meant is yours to say.", id=id)
            )
            continue
        change = ApplySecurityGroups(
            account=str(row.account),
            region=str(row.region),
            endpoint_id=row.endpoint_id,
            vpc_id=row.vpc_id,
            group_ids=row.security_group_ids,
        )
        changes.append(change)
        if len(lost := _by_groups_left(tables, change)):
            decisions.append(_cut_off(tables, change, lost))
    return Fix(changes=tuple(changes), decisions=tuple(decisions))


def _on(tables: Tables, endpoint_id: str) -> pd.DataFrame:
    """Return the rows of ``endpoint_security_groups`` of the groups that are on an endpoint."""
    held = tables["endpoint_security_groups"]
    return held[(held["endpoint_id"] == endpoint_id) & held["effective"]]


def _in_force(tables: Tables, endpoint_id: str) -> set[str]:
    """Return the ids, as far as they are known, of the groups that are on an endpoint."""
    return set(_on(tables, endpoint_id)["group_id"].dropna())


def _by_groups_left(tables: Tables, change: ApplySecurityGroups) -> pd.DataFrame:
    """Return the rules, each with an interface, that admit users by the groups that an endpoint leaves alone.

    Columns ``rule_id`` and ``eni_id``.
    """
    reached, rules = tables["reached_interfaces"], tables["ingress_rules"]
    leaving = _in_force(tables, change.endpoint_id) - set(change.group_ids)
    by_others = {
        (row.group_id, row.protocol, str(row.from_port), str(row.to_port))
        for row in rows_of(rules[rules["referenced_group_id"].isin(change.group_ids)])
    }
    alone = {
        row.rule_id
        for row in rows_of(rules[rules["referenced_group_id"].isin(leaving)])
        if (row.group_id, row.protocol, str(row.from_port), str(row.to_port)) not in by_others
    }
    own = set(tables["endpoint_network_interfaces"]["eni_id"])
    mine = reached[(reached["endpoint_id"] == change.endpoint_id) & ~reached["eni_id"].isin(own)]
    pairs = {(rule, row.eni_id) for row in rows_of(mine) for rule in row.rule_ids if rule in alone}
    return pd.DataFrame(sorted(pairs), columns=["rule_id", "eni_id"])


# -- authorization, routes, logging ---------------------------------------------------------------


@fix("authorization-allows-everyone")
def narrowed_authorization(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return a proposal that lets one group in instead of everyone; its id is left blank."""
    changes: list[Change] = []
    named = []
    decisions = []
    endpoints = tables["client_vpn_endpoints"]
    kinds = dict(zip(endpoints["endpoint_id"], endpoints["authentication_types"], strict=True))
    for row in rows_of(evidence):
        if kinds[row.endpoint_id] == ("certificate-authentication",):
            decisions.append(
                tr(
                    "{row.endpoint_id} authenticates by certificate only, so AWS leaves no choice but "
                    "everyone: narrow {row.destination_cidr} to what all of its users need, give each "
                    "group of users an endpoint, or add SAML or Active Directory.",
                    row=row,
                )
            )
            decisions.append(
                sentences(
                    let_into_told(tables, row.endpoint_id, row.destination_cidr, _id_alone),
                    *narrowing(tables, row.endpoint_id, str(row.region), row.destination_cidr),
                )
            )
            continue
        place = {"account": str(row.account), "region": str(row.region)}
        slug = re.sub(r"[^A-Z0-9]+", "_", row.destination_cidr.upper())
        blank = f"<GROUP_FOR_{slug}>"
        changes += [
            AddAuthorizationRule(
                **place,
                endpoint_id=row.endpoint_id,
                destination_cidr=row.destination_cidr,
                group_id=blank,
            ),
            RemoveAuthorizationRule(
                **place, endpoint_id=row.endpoint_id, destination_cidr=row.destination_cidr
            ),
        ]
        named.append(Named(change="lost", endpoint_id=row.endpoint_id, within=row.destination_cidr))
        if lost := internet_lost(tables, row.endpoint_id, row.destination_cidr, _id_alone):
            decisions.append(lost)
        decisions.append(
            tr(
                "A proposal: {blank} stands for the id of the directory or SAML group that needs "
                "{row.destination_cidr}. Where several do, repeat the rule for each.",
                blank=blank,
                row=row,
            )
        )
    return Fix(changes=tuple(changes), named=tuple(named), decisions=tuple(decisions))


def narrowing(
    tables: Tables, endpoint_id: str, region: str, destination_cidr: str
) -> tuple[str, ...]:
    """Return the parts, in order, of narrowing what everyone is authorized for, with their calls.

    The call of the way back gives the rule its description again, where that is plain text.
    """
    where = f"--client-vpn-endpoint-id {shlex.quote(endpoint_id)} --region {shlex.quote(region)}"
    blank = "${NARROWER_NETWORK:?}"
    rules = tables["client_vpn_authorization_rules"]
    (held,) = rules.loc[
        rules["endpoint_id"].eq(endpoint_id)
        & rules["destination_cidr"].eq(destination_cidr)
        & rules["access_all"].eq(True),
        "description",
    ].head(1)
    described = held if isinstance(held, str) else ""
    plain = TEXT.fullmatch(described) is not None and "://" not in described
    return (
        tr(
            "Authorize each network that users need, and no wider, one call for each: {call}. It counts once "
            "its status is active and nothing else: {look}. Let a user test it, once users can connect.",
            call=f"aws ec2 authorize-client-vpn-ingress {where} --authorize-all-groups "
            f'--target-network-cidr "{blank}"',
            look=f"aws ec2 describe-client-vpn-authorization-rules {where} --output text --filters "
            f"\"Name=destination-cidr,Values={blank}\" --query 'AuthorizationRules[].Status.Code'",
        ),
        sentences(
            tr(
                "Remove the wide rule only then: {call}. Test again. The way back is the same rule anew: {back}.",
                call=f"aws ec2 revoke-client-vpn-ingress {where} --revoke-all-groups "
                f"--target-network-cidr {shlex.quote(destination_cidr)}",
                back=f"aws ec2 authorize-client-vpn-ingress {where} --authorize-all-groups "
                + shlex.join(
                    ("--target-network-cidr", destination_cidr)
                    + (with_texts(Description=described) if plain else ())
                ),
            ),
            ""
            if plain
            else tr(
                "That call does not hold the rule's description: the table client_vpn_authorization_rules does."
            ),
        ),
    )


def let_into_told(tables: Tables, endpoint_id: str, destination_cidr: str, called: Called) -> str:
    """Say what users of an endpoint get to by the rules of a network: what narrower ones may take away.

    Parameters
    ----------
    called
        Makes one text of an id and a name.
    """
    led = let_into(tables, endpoint_id, destination_cidr)
    interfaces = tables["network_interfaces"]
    mine = interfaces[interfaces["eni_id"].isin([*led.sure, *led.perhaps])]
    blocks = tables["vpc_cidr_blocks"]
    at: dict[str, dict[str, str]] = {}
    for row in sorted(rows_of(mine), key=lambda one: (one.eni_id in led.perhaps, one.eni_id)):
        here = blocks.loc[blocks["vpc_id"] == row.vpc_id, "cidr_block"]
        networks = [
            cidr
            for cidr in here
            if isinstance(row.private_ip, str) and addresses(row.private_ip) <= addresses(cidr)
        ]
        name = called(row.eni_id, row.name)
        text = tr("perhaps {receiver}", receiver=name) if row.eni_id in led.perhaps else name
        at.setdefault((networks or list(here) or [destination_cidr])[0], {})[row.eni_id] = text
    parts = [
        tr("{receivers} in {network}", receivers=words.listed(held.values(), most=4), network=cidr)
        for cidr, held in sorted(at.items())
    ]
    parts += [tr("the internet")] if led.internet else []
    parts += list(led.elsewhere)
    if not parts:
        return tr("As far as was read, users get to nothing by {cidr}.", cidr=destination_cidr)
    return sentences(
        tr(
            "As far as was read, users get by {cidr} to {what}: they lose what of it you do not authorize.",
            cidr=destination_cidr,
            what=tr_as("list", "; ").join(parts),
        ),
        internet_lost(tables, endpoint_id, destination_cidr, called),
    )


def internet_lost(tables: Tables, endpoint_id: str, destination_cidr: str, called: Called) -> str:
    """Say that an endpoint's users have no internet while connected once a network's rules are gone.

    Empty where they keep it, or have none by these rules. The other parameter is that of :func:`let_into_told`.
    """
    endpoints = tables["client_vpn_endpoints"]
    (row,) = rows_where(endpoints, endpoints["endpoint_id"] == endpoint_id)
    all_of_it = row.split_tunnel is not pd.NA and not row.split_tunnel
    if not all_of_it or not let_into(tables, endpoint_id, destination_cidr).internet:
        return ""
    return tr(
        "{endpoint} takes all traffic of its users (full tunnel): without a rule for {cidr} what they send to "
        "the internet while connected is dropped (full-tunnel-drops-internet). Decide that first: switch "
        "split tunnel on, for which AWS resets connections too, or keep {cidr} and narrow at the receivers' "
        "security groups.",
        endpoint=called(row.endpoint_id, row.name),
        cidr=destination_cidr,
    )


@fix("client-to-client-is-open")
def no_client_to_client(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return the removal of the routes between clients."""
    return Fix(
        changes=tuple(
            DeleteRoute(
                account=str(row.account),
                region=str(row.region),
                endpoint_id=row.endpoint_id,
                destination_cidr=row.destination_cidr,
                target_subnet="local",
            )
            for row in rows_of(evidence)
        ),
        named=tuple(
            Named(
                change="lost",
                endpoint_id=row.endpoint_id,
                eni_id="",
                within=row.destination_cidr,
            )
            for row in rows_of(evidence)
        ),
        decisions=(
            tr(
                "The authorization rule of the client range stays; without a route it opens nothing."
            ),
        ),
    )


def is_log_group(name: object) -> bool:
    """Tell whether a text is a name that CloudWatch Logs gives a log group."""
    return isinstance(name, str) and _LOG_GROUP.fullmatch(name) is not None


_LOG_GROUP = re.compile(r"[A-Za-z0-9._/#-]{1,512}")
"""A name as CloudWatch Logs takes one, which no shell obeys; anything else is not repeated."""


@fix("connection-logging-is-off")
def logging_on(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return what turns the connection log on; a log group that the endpoint does not name is left blank."""
    endpoints = tables["client_vpn_endpoints"]
    own = dict(zip(endpoints["endpoint_id"], endpoints["connection_log_group"], strict=True))
    groups = {
        id: own[id] if is_log_group(own.get(id)) else LOG_GROUP for id in evidence["endpoint_id"]
    }
    return Fix(
        changes=tuple(
            ModifyLogging(
                account=str(row.account),
                region=str(row.region),
                endpoint_id=row.endpoint_id,
                enabled=True,
                log_group=groups[row.endpoint_id],
            )
            for row in rows_of(evidence)
        ),
        decisions=(
            tr(
                "<LOG_GROUP> stands for a CloudWatch log group that exists, with the retention you "
                "need."
            ),
        )
        if LOG_GROUP in groups.values()
        else (),
    )


LOG_GROUP = "<LOG_GROUP>"
"""The blank for a log group that no table tells."""


@fix("vpc-range-not-routed")
@fix("routes-differ-between-associations")
def routed_everywhere(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return the routes that are missing: through every associated subnet, or those that lack one."""
    networks = tables["client_vpn_target_networks"]
    routes = tables["client_vpn_routes"]
    held = set(
        zip(routes["endpoint_id"], routes["destination_cidr"], routes["target_subnet"], strict=True)
    )
    changes = []
    for row in rows_of(evidence):
        mine = networks[
            (networks["endpoint_id"] == row.endpoint_id) & (networks["status"] == "associated")
        ]
        subnets = sorted(set(mine["subnet_id"]))
        if isinstance(getattr(row, "subnet_id", None), str):
            subnets = [row.subnet_id]
        changes += [
            CreateRoute(
                account=str(row.account),
                region=str(row.region),
                endpoint_id=row.endpoint_id,
                destination_cidr=row.destination_cidr,
                target_subnet=subnet,
            )
            for subnet in subnets
            if (row.endpoint_id, row.destination_cidr, subnet) not in held
        ]
    return Fix(
        changes=tuple(dict.fromkeys(changes)),
        named=tuple(
            Named(change="gained", endpoint_id=id) for id in dict.fromkeys(evidence["endpoint_id"])
        ),
        decisions=(
            tr(
                "If users are not meant to reach the network, leave the route out, or delete it where it "
                "is."
            ),
        ),
    )


# -- what does nothing ----------------------------------------------------------------------------


@fix("security-group-rule-names-missing-group")
@fix("security-group-rule-covered-by-another")
def without_dead_rules(tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return the removal of rules that admit nobody, or nobody that others do not admit."""
    return Fix(changes=tuple(_revoke(row) for row in _rules(tables, evidence["rule_id"])))


@fix("authorization-rule-covered-by-another")
def without_covered_authorization(_: Tables, evidence: pd.DataFrame) -> Fix:
    """Return the removal of one covered rule per endpoint and network at a time.

    Rules can cover each other in turn: all that are covered, taken away together, may open or
    close something.
    """
    changes = []
    decisions = []
    for id, rows in evidence.groupby("endpoint_id"):
        ordered = sorted(
            rows_of(rows), key=lambda row: (-int(row.destination_cidr.rpartition("/")[2]), str(row))
        )
        first = ordered[0]
        changes += [
            RemoveAuthorizationRule(
                account=str(row.account),
                region=str(row.region),
                endpoint_id=row.endpoint_id,
                destination_cidr=row.destination_cidr,
                group_id=row.group_id if isinstance(row.group_id, str) else None,
            )
            for row in ordered
            if row.destination_cidr == first.destination_cidr
        ]
        if len({row.destination_cidr for row in ordered}) > 1:
            decisions.append(
                tr(
                    "{id} has more rules that are covered: look again after this one, for rules can cover "
                    "each other.",
                    id=id,
                )
            )
    return Fix(changes=tuple(changes), decisions=tuple(decisions))
