"""Which rules of security groups the other rules of their group cover.

A big account has a million rules. So what may be covered at all is found in columns, and only that
is worked out exactly: others cover a rule only where they hold its first address on its first port,
and its last address on its last port. Networks lie in one another or share nothing, so those that
hold an address are a chain, each the next wider one of the one before.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from auditlib.addresses import NONE, Ranges, Traffic, addresses, ports
from auditlib.frames import rows_of

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_PORTS = 2**24  # all protocols with all their ports
_MEMBERS = addresses("0.0.0.0/32")  # any one address stands for the members of a named group


def covered_rules(
    rules: pd.DataFrame, lists: Mapping[str, Ranges]
) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield the rules that the rules kept of their group and direction cover, and which those are.

    Addresses are held against addresses, and a named group against the same group. The narrowest
    rules are tried first, and what is covered no longer covers: of two equal rules one stays.

    Parameters
    ----------
    rules
        Rows of ``security_group_rules``, their ids different.
    lists
        The addresses of each prefix list.
    """
    on, each_on = _numbered(rules, ["protocol", "from_port", "to_port"], _ports_of)
    to, each_to = _numbered(rules, ["peer_kind", "peer"], partial(_addresses_of, lists=lists))
    named = rules["peer"].where(rules["peer_kind"].eq("security_group"), "addresses")
    alike = rules.groupby(["group_id", "is_egress", named])
    bucket = np.asarray(alike.ngroup().fillna(-1), dtype=np.int64)
    admits = _any(each_on)[on] & _any(each_to)[to] & (bucket >= 0)
    rules, on, to, bucket = rules[admits], on[admits], to[admits], bucket[admits]
    tried = _may_be_covered(bucket, on, to, each_on, each_to)
    beside = np.isin(bucket, np.unique(bucket[tried]))
    together: dict[int, list[_Member]] = {}
    for row, held_in, *which, try_it in zip(
        rows_of(rules[beside]), *(a[beside].tolist() for a in (bucket, to, on, tried)), strict=True
    ):
        where, through = each_to[which[0]], each_on[which[1]]
        member = _Member(row, Traffic.of(where, through), where.size * through.size, try_it)
        together.setdefault(held_in, []).append(member)
    for members in together.values():
        yield from _covered_among(members)


@dataclass(frozen=True, slots=True)
class _Member:
    """A rule among those it is held against: its row, what it admits, how much, whether to try it."""

    row: Any
    traffic: Traffic
    extent: int
    tried: bool


def _numbered(
    rules: pd.DataFrame, columns: list[str], meaning: Callable[[Any], Ranges]
) -> tuple[Numbers, list[Ranges]]:
    """Return the number of what columns mean in each rule, and all the meanings."""
    alike = rules.groupby(columns, sort=False, observed=True, dropna=False)
    number = np.asarray(alike.ngroup(), dtype=np.int64)
    _, heads = np.unique(number, return_index=True)
    return number, [meaning(row) for row in rows_of(rules[columns].iloc[heads])]


def _ports_of(row: Any) -> Ranges:
    """Return the ports of a rule; a protocol nobody knows covers nothing and is never covered."""
    low, high = (None if pd.isna(port) else int(port) for port in (row.from_port, row.to_port))
    try:
        return ports(row.protocol, low, high)
    except ValueError:
        return NONE


def _addresses_of(row: Any, lists: Mapping[str, Ranges]) -> Ranges:
    if row.peer_kind in {"ipv4", "ipv6"}:
        return addresses(row.peer)
    if row.peer_kind == "prefix_list":
        return lists.get(row.peer, NONE)
    return _MEMBERS if row.peer_kind == "security_group" else NONE


def _any(sets: list[Ranges]) -> Flags:
    return np.array([bool(one) for one in sets], dtype=bool)


# -- in columns: what may be covered --------------------------------------------------------------


def _may_be_covered(
    bucket: Numbers, on: Numbers, to: Numbers, each_on: list[Ranges], each_to: list[Ranges]
) -> Flags:
    """Tell of which rules others of the bucket hold the first and the last of what they admit.

    Where a bucket names a list of several networks, of all its rules.
    """
    if not len(bucket):
        return np.zeros(0, dtype=bool)
    several = np.array([len(one.spans) != 1 for one in each_to], dtype=bool)[to]
    networks = _Networks([one.spans[0] if len(one.spans) == 1 else (-1, -1) for one in each_to])
    low, high = (
        np.array([one.spans[0][end] if one else 0 for one in each_on], dtype=np.int64)[on]
        for end in (0, 1)
    )
    network = networks.of[to]
    held = _Held(bucket, network, low, high, networks.wider)
    first = held.twice(bucket, networks.first[network], low)
    last = held.twice(bucket, networks.last[network], high)
    return (first & last) | np.isin(bucket, np.unique(bucket[several]))


class _Networks:
    """Distinct networks by number, and how they lie in one another.

    Attributes
    ----------
    of
        The number of each network that was given.
    wider
        The next wider network of each, -1 where there is none.
    first, last
        The narrowest network that holds the first, and the last, address of each.
    """

    def __init__(self, given: list[tuple[int, int]]) -> None:
        found = sorted(set(given), key=lambda span: (span[0], -span[1]))
        numbers = {span: number for number, span in enumerate(found)}
        wider, around = [], list[int]()
        for first, _ in found:
            while around and found[around[-1]][1] < first:
                around.pop()
            wider.append(around[-1] if around else -1)
            around.append(len(wider) - 1)
        # Of networks with the same first or the same last address the narrowest comes last.
        at_first = {first: number for number, (first, _) in enumerate(found)}
        at_last = {last: number for number, (_, last) in enumerate(found)}
        self.of = np.array([numbers[span] for span in given], dtype=np.int64)
        self.wider = np.array(wider, dtype=np.int64)
        self.first = np.array([at_first[first] for first, _ in found], dtype=np.int64)
        self.last = np.array([at_last[last] for _, last in found], dtype=np.int64)


class _Held:
    """What the rules of every bucket hold: through which ports, by network."""

    def __init__(
        self, bucket: Numbers, network: Numbers, low: Numbers, high: Numbers, wider: Numbers
    ) -> None:
        self._wider = wider
        self._keys, place = np.unique(bucket * len(self._wider) + network, return_inverse=True)
        self._lows = np.sort(place * _PORTS + low)
        self._highs = np.sort(place * _PORTS + high)

    def twice(self, bucket: Numbers, network: Numbers, port: Numbers) -> Flags:
        """Tell where two rules or more hold a port in a network or a wider one."""
        count = np.zeros(len(bucket), dtype=np.int64)
        left = np.arange(len(bucket))
        while len(left):
            key = bucket[left] * len(self._wider) + network
            place = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
            mark = place * _PORTS + port[left]
            begun = np.searchsorted(self._lows, mark, side="right")
            ended = np.searchsorted(self._highs, mark, side="left")
            count[left] += np.where(self._keys[place] == key, begun - ended, 0)
            network = self._wider[network]
            on = (network >= 0) & (count[left] < 2)
            left, network = left[on], network[on]
        return count >= 2


# -- exactly: what is covered ---------------------------------------------------------------------


def _covered_among(members: list[_Member]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield the rules of one bucket that are covered, and by which."""
    members = sorted(
        {member.row.rule_id: member for member in members}.values(),
        key=lambda member: (member.extent, member.row.rule_id),
    )
    boxes = _boxes([member.traffic for member in members])
    kept = np.ones(len(members), dtype=bool)
    for number, member in enumerate(members):
        if not member.tried:
            continue
        box, traffic = boxes[:, number], member.traffic
        kept[number] = False
        around = kept & (boxes[0] <= box[0]) & (box[1] <= boxes[1])
        around &= (boxes[2] <= box[2]) & (box[3] <= boxes[3])
        for other in np.flatnonzero(around).tolist():
            if traffic <= members[other].traffic:
                yield member.row, (members[other].row.rule_id,)
                break
        else:
            touching = kept & (boxes[0] <= box[1]) & (box[0] <= boxes[1])
            touching &= (boxes[2] <= box[3]) & (box[2] <= boxes[3])
            near = [members[other] for other in np.flatnonzero(touching).tolist()]
            near = [other for other in near if other.traffic & traffic]
            if near and traffic <= Traffic.union(other.traffic & traffic for other in near):
                yield member.row, tuple(sorted(other.row.rule_id for other in near))
            else:
                kept[number] = True


def _boxes(every: list[Traffic]) -> Numbers:
    """Return the first and last address and port of sets, a column each.

    Sets that do not touch there share nothing. Addresses are in the places of their order: those of
    IPv6 are too long for columns of numbers.
    """
    edges = [
        (
            traffic.parts[0][0],
            traffic.parts[-1][1],
            min(on.spans[0][0] for _, _, on in traffic.parts),
            max(on.spans[-1][1] for _, _, on in traffic.parts),
        )
        for traffic in every
    ]
    order = {end: at for at, end in enumerate(sorted({end for box in edges for end in box[:2]}))}
    return np.array(
        [(order[first], order[last], low, high) for first, last, low, high in edges],
        dtype=np.int64,
    ).T
