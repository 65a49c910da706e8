"""Rules that others cover, held against brute force over every address of a small network."""

from collections import defaultdict
from ipaddress import ip_network
from types import SimpleNamespace as Row

from hypothesis import given, settings
from hypothesis import strategies as st

from auditlib.addresses import Ranges, addresses
from auditlib.checks.dead_configuration import _covered, _covered_rules

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


rule_rows = st.lists(st.tuples(networks, st.integers(1, 6), st.integers(0, 3)), max_size=7).map(
    lambda given: [
        Row(
            rule_id=f"sgr-{number}",
            protocol="tcp",
            from_port=low,
            to_port=low + more,
            peer_kind="ipv4",
            peer=net,
        )
        for number, (net, low, more) in enumerate(given)
    ]
)


def admitted(rules):
    return {
        (address, port)
        for rule in rules
        for address in WORLD
        if addresses(address) <= addresses(rule.peer)
        for port in range(rule.from_port, rule.to_port + 1)
    }


@settings(max_examples=150, deadline=None)
@given(rule_rows)
def test_covered_security_group_rules_admit_nothing_of_their_own_and_the_kept_ones_do(rules):
    found = _covered_rules(rules, defaultdict(Ranges))
    dead = {rule.rule_id for rule, _ in found}
    kept = [rule for rule in rules if rule.rule_id not in dead]
    assert admitted(kept) == admitted(rules)
    for rule in kept:
        assert admitted([other for other in kept if other is not rule]) != admitted(kept)
    by_id = {rule.rule_id: rule for rule in rules}
    for rule, by in found:
        assert admitted([rule]) <= admitted([by_id[id] for id in by])
