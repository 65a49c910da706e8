"""The difference that changes make to what VPN users reach, exactly.

Sets of (endpoint, association, group, address, protocol and ports) before and after; what each
side rests on is told with the rules that admit.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from auditlib.access import EVERYONE, access_of, reach_rows
from auditlib.addresses import NONE, Ranges, addresses, cidrs, port_rows, ports
from auditlib.tables import Tables

__all__ = ["DIFFERENCE", "Key", "access_held", "difference", "sure_access"]

DIFFERENCE = (
    "change",
    "part",
    "account",
    "region",
    "endpoint_id",
    "subnet_id",
    "group",
    "eni_id",
    "ip",
    "protocol",
    "from_port",
    "to_port",
    "before",
    "after",
    "via_before",
    "via_after",
)
"""Columns of :func:`difference`."""

_NUMBERS = {"from_port", "to_port"}
_SURE = ("reliable", "fragile")

Key = tuple[str, str, str, str, str, str, str]
Held = list[tuple[str, Ranges, tuple[str, ...]]]


def difference(before: Tables, after: Tables) -> pd.DataFrame:
    """Return what VPN users reach differently, exactly.

    Returns
    -------
    DataFrame
        ``DIFFERENCE`` columns. ``change`` is lost, gained (what may be reached counts, for both),
        uncertain (known on one side only, or resting on another rule that may or may not match),
        steadier and weaker (reliable instead of fragile, and the reverse) or ground (the same
        access by other rules). ``before`` and ``after`` are certainties, missing for no access. A
        group that only one side knows has on the other what everybody has. ``part`` is
        own_interface for Client VPN's own interfaces, where nothing of the account answers.
    """
    if before is after:
        return _difference([])
    held = [dict(access_held(before)), dict(access_held(after))]
    _share_groups(held, [_groups(before), _groups(after)])
    _cut_alike(held)
    own = set(before["endpoint_network_interfaces"]["eni_id"])
    own |= set(after["endpoint_network_interfaces"]["eni_id"])
    rows = []
    for key in sorted({*held[0], *held[1]}):
        for change, row in _changes_at(held[0].get(key, []), held[1].get(key, [])):
            part = "own_interface" if key[5] in own else "side_effect"
            rows.append((change, part, *key, *row))
    return _difference(_joined_networks(rows))


def _difference(rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    columns = list(zip(*rows, strict=True)) or [()] * len(DIFFERENCE)
    held = zip(DIFFERENCE, columns, strict=True)
    return pd.DataFrame(
        {
            name: pd.array(values, dtype="Int64")
            if name in _NUMBERS
            else pd.Series(values, dtype=None if values else object)
            for name, values in held
        }
    )


def access_held(tables: Tables) -> dict[Key, Held]:
    """Return what is reached: certainty, ports and hops by endpoint, association, group, address.

    Worked out once and kept with the tables.
    """
    kept = vars(tables)
    if "_access_held" not in kept:
        kept["_access_held"] = _held(tables)
    found: dict[Key, Held] = kept["_access_held"]
    return found


def _held(tables: Tables) -> dict[Key, Held]:
    found: dict[Key, Held] = defaultdict(list)
    for *place, subnet, group, eni, ip, protocol, low, high, certainty, via in reach_rows(tables):
        account, region, endpoint = place
        key = (account, region, endpoint, subnet or "", group, eni or "", ip)
        found[key].append((certainty, ports(protocol, low, high), via))
    return found


def _groups(tables: Tables) -> dict[str, set[str]]:
    access = access_of(tables)
    return {id: set(access.groups(id)) for id in access.network.endpoints}


def _share_groups(held: list[dict[Key, Held]], groups: list[dict[str, set[str]]]) -> None:
    """Give a group that a side does not know what everybody has there."""
    for side, known, other in (
        (held[0], groups[0], groups[1]),
        (held[1], groups[1], groups[0]),
    ):
        for key, rows in list(side.items()):
            if key[4] == EVERYONE:
                for group in other.get(key[2], set()) - known.get(key[2], set()):
                    side[(*key[:4], group, *key[5:])] = rows


def _cut_alike(held: list[dict[Key, Held]]) -> None:
    """Cut networks (of traffic without interface) at the same addresses on both sides."""
    networks: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for side in held:
        for key in side:
            if not key[5]:
                for first, last in addresses(key[6]).spans:
                    networks[key[:6]] |= {first, last + 1}
    for side in held:
        for key in [key for key in side if not key[5]]:
            rows = side.pop(key)
            for piece in addresses(key[6]).cut(networks[key[:6]]):
                for cidr in cidrs(piece):
                    place = (*key[:6], cidr)
                    side[place] = [*side.get(place, ()), *rows]


def _changes_at(before: Held, after: Held) -> Iterator[tuple[str, tuple[Any, ...]]]:
    all_before, all_after = _union(before), _union(after)
    for certainty, on, via in before:
        if gone := on - all_after:
            yield from _told("lost", gone, certainty, None, via, ())
    for certainty, on, via in after:
        if new := on - all_before:
            yield from _told("gained", new, None, certainty, (), via)
    for was, on, via in before:
        for now, on_now, via_now in after:
            both = on & on_now
            if both and (was, _hops(via)) != (now, _hops(via_now)):
                change = _kind(was, now, via, via_now)
                yield from _told(change, both, was, now, via, via_now)


def _hops(via: Iterable[str]) -> frozenset[frozenset[str]]:
    """Return the hops of a way without the order of the rules at each, which follows AWS's answer."""
    return frozenset(frozenset(hop.replace(": ", ", ", 1).split(", ")) for hop in via)


def _union(held: Held) -> Ranges:
    found = NONE
    for _, on, _ in held:
        found |= on
    return found


def _kind(was: str, now: str, via: tuple[str, ...], via_now: tuple[str, ...]) -> str:
    if was == now == "unknown":
        # Other rules of the endpoint's own group let the same out: what is unknown stays the same.
        rest, rest_now = (
            _hops(h for h in v if not h.startswith("egress: ")) for v in (via, via_now)
        )
        return "ground" if rest == rest_now else "uncertain"
    if "unknown" in {was, now}:
        return "uncertain"
    if was == now:
        return "ground"
    return "steadier" if now == "reliable" else "weaker"


def _told(  # noqa: PLR0917 # both sides of a difference
    change: str,
    on: Ranges,
    was: str | None,
    now: str | None,
    via: tuple[str, ...],
    via_now: tuple[str, ...],
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for row in port_rows(on):
        yield change, (*row, was, now, via, via_now)


def _joined_networks(rows: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Join networks that were cut only to be compared, where the same happens to them."""
    together: dict[tuple[Any, ...], Ranges] = {}
    for row in rows:
        if row[7]:
            yield row
        else:
            key = (*row[:8], *row[9:])
            together[key] = together.get(key, NONE) | addresses(row[8])
    for key, where in together.items():
        for cidr in cidrs(where):
            yield (*key[:8], cidr, *key[8:])


def sure_access(tables: Tables) -> dict[Key, Ranges]:
    """Return what is reached for certain, but for Client VPN's own interfaces; kept likewise."""
    kept = vars(tables)
    if "_sure_access" not in kept:
        kept["_sure_access"] = _sure(tables)
    found: dict[Key, Ranges] = kept["_sure_access"]
    return found


def _sure(tables: Tables) -> dict[Key, Ranges]:
    own = set(tables["endpoint_network_interfaces"]["eni_id"])
    found: dict[Key, Ranges] = {}
    for key, rows in access_held(tables).items():
        on = _union([row for row in rows if row[0] in _SURE])
        if on and key[5] not in own:
            found[key] = on
    return found
