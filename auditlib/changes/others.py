"""For whom but VPN users changes may open or close something.

A preview follows VPN users and nobody else. Where a change may concern other traffic, that is told
as something it cannot judge: what a snapshot shows is who may send, not who does.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from auditlib import words
from auditlib.addresses import Ranges, addresses, ports
from auditlib.changes import AuthorizeRule, Change, RevokeRule, SetInterfaceGroups
from auditlib.changes.change import is_new, whole
from auditlib.frames import rows_where
from auditlib.language import tr
from auditlib.tables import Tables

__all__ = ["Others"]


class Others:
    """Whom changes may concern besides VPN users, as far as was read.

    Parameters
    ----------
    before, after
        The tables without and with the changes.
    changes
        All that will be asked about: what the tables say of them is read once.
    """

    def __init__(self, before: Tables, after: Tables, changes: Sequence[Change]) -> None:
        self._tables = before
        groups = {c.group_id for c in changes if isinstance(c, AuthorizeRule | RevokeRule)}
        self._rules = {True: _rules_of(after, groups), False: _rules_of(before, groups)}
        self._together = {new: _by_group(rules.values()) for new, rules in self._rules.items()}
        self._within: dict[Ranges, set[str]] = {}
        self._own = set(before["endpoint_network_interfaces"]["eni_id"])

    def said(self, change: Change) -> Iterator[str]:
        """Say for whom but VPN users a change may open or close something."""
        if isinstance(change, SetInterfaceGroups) and change.eni_id not in self._own:
            yield (
                tr(
                    "{change.eni_id} changes its groups, and what else its old groups let through is not "
                    "followed here",
                    change=change,
                )
            )
        if (
            not isinstance(change, AuthorizeRule | RevokeRule)
            or (rule := self._deciding(change)) is None
        ):
            return
        new = isinstance(change, AuthorizeRule)
        if others := self._peers(rule, self._members[change.group_id] - self._own):
            told = {"group": change.group_id, "others": words.listed(others, most=4)}
            if new:
                yield tr(
                    "a new rule of {group} lets out to {others} too, which is not followed here"
                    if change.is_egress
                    else "a new rule of {group} admits {others} too, which is not followed here",
                    **told,
                )
            else:
                yield tr(
                    "{rule} of {group} lets out to {others} too, and whether they need it does not "
                    "show in a snapshot"
                    if change.is_egress
                    else "{rule} of {group} admits {others} too, and whether they need it does not "
                    "show in a snapshot",
                    **told,
                    rule=change.rule_id,
                )

    def empty(self, changes: Iterable[Change]) -> list[str]:
        """Return the ranges of rules to be removed in which nothing but Client VPN's own was seen."""
        found = dict[str, None]()
        for change in changes:
            if not isinstance(change, RevokeRule) or (rule := self._deciding(change)) is None:
                continue
            if rule.peer_kind == "security_group" or self._peers(rule, set()):
                continue
            if self._range_of(rule) - self._taken:  # where something else may come to stand
                found[rule.peer] = None
        return sorted(found)

    def _deciding(self, change: AuthorizeRule | RevokeRule) -> Any | None:
        """Return the rule of a change where something else carries its group and no other says the same."""
        new = isinstance(change, AuthorizeRule)
        rule = self._rules[new].get(change.rule_id)
        alone = not self._members[change.group_id] - self._own
        return (
            None if alone or rule is None or _says_as_much(rule, self._together[not new]) else rule
        )

    @cached_property
    def _taken(self) -> Ranges:
        """The addresses that nothing else of the account can have: VPN users', and the endpoints' own."""
        clients = self._tables["client_vpn_endpoints"]["client_cidr_block"].dropna()
        own = [(first, last) for first, last, eni in self._addresses if eni in self._own]
        return Ranges.of([*(span for text in clients for span in addresses(text).spans), *own])

    @cached_property
    def _members(self) -> Mapping[str, set[str]]:
        """The interfaces by the group they carry."""
        held = self._tables["network_interface_groups"]
        found: dict[str, set[str]] = defaultdict(set)
        for group, eni in zip(held["group_id"].tolist(), held["eni_id"].tolist(), strict=True):
            found[group].add(eni)
        return found

    @cached_property
    def _addresses(self) -> list[tuple[int, int, str]]:
        """The first and last address that an interface has, and whose they are."""
        known = self._tables["network_interface_addresses"]
        held = zip(known["eni_id"].tolist(), known["address"].tolist(), strict=True)
        return [(*span, eni) for eni, text in held for span in addresses(text).spans]

    @cached_property
    def _called(self) -> dict[str, str]:
        frame = self._tables["network_interfaces"]
        return dict(zip(frame["eni_id"].tolist(), frame["name"].tolist(), strict=True))

    @cached_property
    def _known_groups(self) -> set[str]:
        return set(self._tables["security_groups"]["group_id"])

    @cached_property
    def _told(self) -> Ranges:
        """The addresses of which is known who has them: of VPCs, and of VPN users.

        Of a VPC that another account shares, one sees one's own interfaces only; it is not known
        here whole, as its default group is not.
        """
        groups = self._tables["security_groups"]
        owned = groups.loc[groups["is_default"], "vpc_id"]
        blocks, endpoints = self._tables["vpc_cidr_blocks"], self._tables["client_vpn_endpoints"]
        blocks = blocks[blocks["vpc_id"].isin(owned)]
        texts = [*blocks["cidr_block"], *endpoints["client_cidr_block"].dropna()]
        return Ranges.of(span for text in texts for span in addresses(text).spans)

    def _peers(self, rule: Any, carriers: set[str]) -> list[str]:
        """Return the peers of a rule but for Client VPN's interfaces and users."""
        if rule.peer_kind == "security_group":
            if not is_new(rule.peer) and rule.peer not in self._known_groups:
                return [tr("members of {rule.peer}, which was not read", rule=rule)]
            members = self._members[rule.peer] - self._own
            # Whoever is alone in a group that names itself has nobody to talk to.
            alone = members == carriers and len(carriers) == 1
            return [] if alone else self._named(members)
        where = self._range_of(rule)
        found = self._named(self._having(where) - self._own)
        return (
            [*found, tr("addresses outside the VPCs that were read")]
            if where - self._told
            else found
        )

    def _having(self, where: Ranges) -> set[str]:
        """Return the interfaces that have an address of a range; many rules name the same."""
        if where not in self._within:
            self._within[where] = {
                eni
                for first, last, eni in self._addresses
                if any(first <= end and start <= last for start, end in where.spans)
            }
        return self._within[where]

    def _range_of(self, rule: Any) -> Ranges:
        if rule.peer_kind in {"ipv4", "ipv6"}:
            return addresses(rule.peer)
        entries = self._tables["prefix_list_entries"]
        networks = entries.loc[entries["prefix_list_id"] == rule.peer, "cidr_block"]
        return Ranges.of(span for text in networks for span in addresses(text).spans)

    def _named(self, enis: set[str]) -> list[str]:
        return [words.named(eni, self._called.get(eni)) for eni in sorted(enis)]


def _rules_of(tables: Tables, groups: set[str]) -> dict[str, Any]:
    """Return the rules of some groups, by id."""
    rules = tables["security_group_rules"]
    return {rule.rule_id: rule for rule in rows_where(rules, rules["group_id"].isin(list(groups)))}


def _by_group(rules: Iterable[Any]) -> Mapping[tuple[str, bool], list[Any]]:
    found: dict[tuple[str, bool], list[Any]] = defaultdict(list)
    for rule in rules:
        found[rule.group_id, rule.is_egress].append(rule)
    return found


def _says_as_much(rule: Any, rules: Mapping[tuple[str, bool], list[Any]]) -> bool:
    """Tell whether another rule of the same group lets the same through there."""
    return any(
        other.rule_id != rule.rule_id
        and _traffic(rule) <= _traffic(other)
        and (
            other.peer == rule.peer
            or (
                {rule.peer_kind, other.peer_kind} <= {"ipv4", "ipv6"}
                and addresses(rule.peer) <= addresses(other.peer)
            )
        )
        for other in rules.get((rule.group_id, rule.is_egress), ())
    )


def _traffic(rule: Any) -> Ranges:
    return ports(rule.protocol, whole(rule.from_port), whole(rule.to_port))
