"""Rules that others cover, held against brute force over every address of a small network."""

from collections import defaultdict
from ipaddress import ip_network
from types import SimpleNamespace as Row

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlib.addresses import Ranges, addresses
from auditlib.checks._covered import covered_rules
from auditlib.checks.dead_configuration import _covered

GROUPS = ("*", "a", "b")
WORLD = [str(host) for host in ip_network("10.0.0.0/29")]

networks = st.integers(29, 32).flatmap(
    lambda length: st.integers(0, 7).map(
        lambda host: str(ip_network(f"10.0.0.{host}/{length}", strict=False))
    )
)


def let_in(rules: frozenset[tuple[str, str]], address: str) -> frozenset[str]:
    """Return who is let in: the rules of the longest prefix decide, over all groups together."""
    holding = [(net, who) for net, who in rules if addresses(address) <= addresses(net)]
    longest = max((int(net.rpartition("/")[2]) for net, _ in holding), default=None)
    who = {who for net, who in holding if int(net.rpartition("/")[2]) == longest}
    return frozenset({"*"} if "*" in who else who)


def outcome(rules: frozenset[tuple[str, str]]) -> list[frozenset[str]]:
    return [let_in(rules, address) for address in WORLD]


def covered(rules: frozenset[tuple[str, str]]) -> dict[str, set[tuple[str, str]]]:
    """Return the rules that are said to change nothing, by network."""
    held: dict[Ranges, list[Row]] = defaultdict(list)
    for net, who in sorted(rules):
        held[addresses(net)].append(Row(destination_cidr=net, group_id=who, access_all=who == "*"))
    allowed = {
        network: frozenset({"*"} if any(r.access_all for r in mine) else {r.group_id for r in mine})
        for network, mine in held.items()
    }
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for network, mine in held.items():
        for row, _ in _covered(network, mine, allowed):
            found[row.destination_cidr].add((row.destination_cidr, row.group_id))
    return found


@settings(max_examples=150, deadline=None)
@given(st.frozensets(st.tuples(networks, st.sampled_from(GROUPS)), max_size=7))
def test_covered_authorization_rules_are_exactly_those_that_change_nothing(rules):
    found = covered(rules)
    for dead in found.values():
        assert outcome(rules - dead) == outcome(rules)
    for net in {net for net, _ in rules}:
        mine = frozenset(rule for rule in rules if rule[0] == net)
        if net not in found:
            assert outcome(rules - mine) != outcome(rules), "all rules of a network change nothing"
            if ("*" not in {who for _, who in mine}) or len(mine) == 1:
                continue
            raise AssertionError("a rule for a group beside one for everyone changes nothing")


LISTS = {"pl-1": addresses("10.0.0.0/31") | addresses("10.0.0.6/32"), "pl-2": addresses("10.0.0.2")}
kinds = st.one_of(
    st.tuples(st.just("ipv4"), networks),
    st.tuples(st.just("prefix_list"), st.sampled_from(["pl-1", "pl-2", "pl-unread"])),
    st.tuples(st.just("security_group"), st.sampled_from(["sg-a", "sg-b"])),
    st.just(("unknown", None)),
)
protocols = st.one_of(
    st.tuples(st.sampled_from(["tcp", "udp"]), st.integers(1, 6), st.integers(0, 3)),
    st.sampled_from([("all", None, None), ("47", None, None), ("made-up", 1, 2)]),
)
rule_rows = st.lists(
    st.tuples(st.sampled_from(["sg-1", "sg-2"]), st.booleans(), protocols, kinds), max_size=12
).map(
    lambda given: [
        Row(
            rule_id=f"sgr-{number}",
            group_id=group,
            is_egress=egress,
            protocol=protocol,
            from_port=low,
            to_port=None if low is None else low + more,
            peer_kind=kind,
            peer=peer,
        )
        for number, (group, egress, (protocol, low, more), (kind, peer)) in enumerate(given)
    ]
)


def framed(rules):
    names = [
        "rule_id",
        "group_id",
        "is_egress",
        "protocol",
        "from_port",
        "to_port",
        "peer_kind",
        "peer",
    ]
    frame = pd.DataFrame([vars(rule) for rule in rules], columns=names)
    types = dict.fromkeys(names, "str") | {"is_egress": "bool", "peer_kind": "category"}
    return frame.astype(types | {"from_port": "Int64", "to_port": "Int64"})


def admitted(rules):
    """Return all that rules admit, one packet at a time: in which group and direction, from whom."""
    return {
        (rule.group_id, rule.is_egress, peer, protocol, port)
        for rule in rules
        for peer in peers_of(rule)
        for protocol in (["tcp", "udp", "47"] if rule.protocol == "all" else [rule.protocol])
        for port in (
            range(11) if rule.from_port is None else range(rule.from_port, rule.to_port + 1)
        )
        if protocol != "made-up"
    }


def peers_of(rule):
    if rule.peer_kind == "security_group":
        return [rule.peer]
    held = addresses(rule.peer) if rule.peer_kind == "ipv4" else LISTS.get(rule.peer, Ranges())
    return [address for address in WORLD if addresses(address) <= held]


@settings(max_examples=80, deadline=None)
@given(rule_rows)
def test_covered_security_group_rules_admit_nothing_of_their_own_and_the_kept_ones_do(rules):
    found = list(covered_rules(framed(rules), LISTS))
    dead = {rule.rule_id for rule, _ in found}
    kept = [rule for rule in rules if rule.rule_id not in dead]
    assert admitted(kept) == admitted(rules)
    for rule in kept:
        if admitted([rule]):
            others = [other for other in kept if other is not rule]
            assert admitted(others) != admitted(kept), (
                f"{rule.rule_id} is covered and was not found"
            )
    by_id = {rule.rule_id: rule for rule in rules}
    for rule, by in found:
        mine = by_id[rule.rule_id]
        assert admitted([mine]), "a rule that admits nothing is covered by nothing"
        assert admitted([mine]) <= admitted([by_id[id] for id in by])
