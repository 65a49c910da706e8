"""Exact sets of addresses, of ports, and of both together.

Everything is an interval of whole numbers. IPv4 and IPv6 addresses share one line (IPv6 comes
after IPv4); protocols and ports share another: protocol number × 65,536 + port, where ICMP has
type × 256 + code in the place of the port and a protocol without ports fills its 65,536. So one
small class serves both, and a set has exactly one form: equal sets are equal objects.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network, summarize_address_range
from itertools import pairwise
from socket import AF_INET, inet_pton

from auditlib.language import tr, tr_as
from auditlib.words import listed
from auditlib.words import protocol as protocol_in_words

__all__ = [
    "ALL_IPV4",
    "ALL_IPV6",
    "ALL_PORTS",
    "NONE",
    "Ranges",
    "Traffic",
    "address_text",
    "addresses",
    "cidrs",
    "is_protocol",
    "port_rows",
    "port_text",
    "ports",
    "protocol_number",
]

_V6 = 2**32
_WIDTH = 2**16
_NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
_NAMES = {number: name for name, number in _NUMBERS.items()}
_ICMP = (1, 58)


@dataclass(frozen=True, slots=True)
class Ranges:
    """A set of whole numbers, as sorted inclusive spans that neither overlap nor touch.

    >>> Ranges.of([(1, 3), (4, 9), (20, 20)])
    Ranges(spans=((1, 9), (20, 20)))
    >>> (Ranges.of([(1, 9)]) - Ranges.of([(3, 4)])).spans
    ((1, 2), (5, 9))
    """

    spans: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, spans: Iterable[tuple[int, int]]) -> "Ranges":
        """Return the set of these spans, in any order, overlapping or not."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted(spans):
            if merged and first <= merged[-1][1] + 1:
                if last > merged[-1][1]:
                    merged[-1] = (merged[-1][0], last)
            elif first <= last:
                merged.append((first, last))
        return cls(tuple(merged))

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.spans, (number, _END)) - 1
        return at >= 0 and number <= self.spans[at][1]

    def __or__(self, other: "Ranges") -> "Ranges":
        if not other.spans or self.spans == other.spans:
            return self
        if not self.spans or (len(other.spans) == 1 and _holds(other.spans[0], self.spans)):
            return other
        return Ranges.of((*self.spans, *other.spans))

    def __and__(self, other: "Ranges") -> "Ranges":
        if not self.spans or not other.spans:
            return NONE
        # Most often one of the two is a single span that holds the other altogether.
        if len(other.spans) == 1 and _holds(other.spans[0], self.spans):
            return self
        if len(self.spans) == 1 and _holds(self.spans[0], other.spans):
            return other
        found, mine, theirs = [], 0, 0
        while mine < len(self.spans) and theirs < len(other.spans):
            first = max(self.spans[mine][0], other.spans[theirs][0])
            last = min(self.spans[mine][1], other.spans[theirs][1])
            if first <= last:
                found.append((first, last))
            if self.spans[mine][1] < other.spans[theirs][1]:
                mine += 1
            else:
                theirs += 1
        return Ranges(tuple(found))

    def __sub__(self, other: "Ranges") -> "Ranges":
        if not self.spans or not other.spans:
            return self
        if len(other.spans) == 1 and _holds(other.spans[0], self.spans):
            return NONE
        left = []
        for first, last in self.spans:
            for out_first, out_last in other.spans:
                if out_last < first:
                    continue
                if out_first > last:
                    break
                if first < out_first:
                    left.append((first, out_first - 1))
                first = out_last + 1  # noqa: PLW2901 # what is left of the span shrinks from below
            if first <= last:
                left.append((first, last))
        return Ranges(tuple(left))

    def __le__(self, other: "Ranges") -> bool:
        return not self - other

    def __len__(self) -> int:
        """Return how many numbers the set holds."""
        return min(self.size, 2**63 - 1)

    @property
    def size(self) -> int:
        """How many numbers the set holds, however many."""
        return sum(last - first + 1 for first, last in self.spans)

    def cut(self, points: Iterable[int]) -> Iterator["Ranges"]:
        """Return the set in pieces, a new piece beginning at each of these numbers.

        >>> [piece.spans for piece in Ranges.of([(0, 9)]).cut([4, 30])]
        [((0, 3),), ((4, 9),)]
        """
        inner = sorted(set(points))
        for first, last in self.spans:
            start = first
            for point in inner[bisect_right(inner, first) : bisect_right(inner, last)]:
                yield Ranges(((start, point - 1),))
                start = point
            yield Ranges(((start, last),))


def _holds(span: tuple[int, int], spans: tuple[tuple[int, int], ...]) -> bool:
    return span[0] <= spans[0][0] and spans[-1][1] <= span[1]


_END = 2**200
NONE = Ranges()
ALL_IPV4 = Ranges(((0, _V6 - 1),))
ALL_IPV6 = Ranges(((_V6, _V6 + 2**128 - 1),))
ALL_PORTS = Ranges(((0, 256 * _WIDTH - 1),))


@lru_cache(maxsize=65536)
def addresses(network: str) -> Ranges:
    """Return the addresses of a network or of one address.

    Raises
    ------
    ValueError
        When the text is neither.

    >>> addresses("10.0.0.0/30").size, addresses("2001:db8::1").size
    (4, 1)
    """
    address, _, length = network.partition("/")
    if length.isascii() and length.isdecimal() and int(length) <= 32 and ":" not in address:
        # ``ipaddress`` takes ten times as long, and a big account has a hundred thousand networks.
        with suppress(OSError, ValueError):
            size = 1 << (32 - int(length))
            first = int.from_bytes(inet_pton(AF_INET, address), "big") // size * size
            return Ranges(((first, first + size - 1),))
    parsed = ip_network(network, strict=False)
    offset = 0 if parsed.version == 4 else _V6
    first = int(parsed.network_address) + offset
    return Ranges(((first, first + parsed.num_addresses - 1),))


def _address(number: int) -> IPv4Address | IPv6Address:
    return IPv4Address(number) if number < _V6 else IPv6Address(number - _V6)


def cidrs(ranges: Ranges) -> tuple[str, ...]:
    """Return the fewest networks that make up a set of addresses, single addresses bare.

    >>> cidrs(addresses("10.0.0.0/31") | addresses("10.0.0.2/32"))
    ('10.0.0.0/31', '10.0.0.2')
    """
    found: list[str] = []
    for family in (ALL_IPV4, ALL_IPV6):
        for first, last in (ranges & family).spans:
            for network in summarize_address_range(_address(first), _address(last)):
                text = str(network)
                one = network.num_addresses == 1
                found.append(text.rpartition("/")[0] if one else text)
    return tuple(found)


def address_text(ranges: Ranges, most: int = 6) -> str:
    """Return a set of addresses in words for people.

    >>> address_text(ALL_IPV4)
    'any IPv4 address'
    >>> address_text(ALL_IPV4 - addresses("10.0.0.0/8"))
    'any IPv4 address but 10.0.0.0/8'
    """
    parts = []
    for family, name in ((ALL_IPV4, tr("any IPv4 address")), (ALL_IPV6, tr("any IPv6 address"))):
        mine, missing = ranges & family, cidrs(family - ranges)
        if not mine:
            continue
        if not missing:
            parts.append(name)
        elif len(missing) <= 4 and len(missing) < len(cidrs(mine)):
            parts.append(tr("{all} but {missing}", all=name, missing=_and(list(missing))))
        else:
            parts += cidrs(mine)
    if len(parts) > most:
        parts = [*parts[: most - 1], tr("{number} more", number=len(parts) - most + 1)]
    return tr_as("list", ", ").join(parts) or tr("no address")


def protocol_number(protocol: str) -> int:
    """Return the IANA number of a protocol.

    Raises
    ------
    ValueError
        When it is none the kit knows.

    >>> protocol_number("tcp"), protocol_number("50")
    (6, 50)
    """
    number = _NUMBERS.get(protocol)
    if number is None:
        number = int(protocol)
        if not 0 <= number <= 255:
            raise ValueError(f"{protocol} is no IP protocol number")
    return number


def is_protocol(protocol: str) -> bool:
    """Tell whether a text is a protocol's name or IANA number.

    >>> is_protocol("50"), is_protocol("-2"), is_protocol("ipsec")
    (True, False, False)
    """
    try:
        protocol_number(protocol)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=65536)
def ports(protocol: str, from_port: int | None = None, to_port: int | None = None) -> Ranges:
    """Return a protocol with these ports; with this ICMP type and code (-1 or ``None``: any).

    >>> port_rows(ports("tcp", 20, 22))
    (('tcp', 20, 22),)
    >>> port_rows(ports("icmp", 8, -1))
    (('icmp', 8, -1),)
    """
    if protocol in {"all", "-1"}:
        return ALL_PORTS
    number = protocol_number(protocol)
    low, high = -1 if from_port is None else from_port, -1 if to_port is None else to_port
    base = number * _WIDTH
    if number in _ICMP:
        if low < 0:
            return Ranges(((base, base + _WIDTH - 1),))
        code = (0, 255) if high < 0 else (high, high)
        return Ranges(((base + low * 256 + code[0], base + low * 256 + code[1]),))
    if number not in {6, 17} or low < 0:
        return Ranges(((base, base + _WIDTH - 1),))
    return Ranges(((base + low, base + (low if high < 0 else high)),))


def port_rows(ranges: Ranges) -> tuple[tuple[str, int | None, int | None], ...]:
    """Return a set of ports as rows (protocol, from, to) that do not overlap.

    ICMP rows hold type and code, -1 for any; protocols without ports hold ``None`` twice.

    >>> port_rows(ALL_PORTS)
    (('all', None, None),)
    """
    if ranges == ALL_PORTS:
        return (("all", None, None),)
    rows: list[tuple[str, int | None, int | None]] = []
    for first, last in ranges.spans:
        for number in range(first // _WIDTH, last // _WIDTH + 1):
            low = max(first - number * _WIDTH, 0)
            high = min(last - number * _WIDTH, _WIDTH - 1)
            name = _NAMES.get(number, str(number))
            if number in _ICMP:
                rows += ((name, type, code) for type, code in _icmp_rows(low, high))
            elif number in {6, 17}:
                rows.append((name, low, high))
            else:
                rows.append((name, None, None))
    return tuple(rows)


def _icmp_rows(low: int, high: int) -> Iterator[tuple[int, int]]:
    if (low, high) == (0, _WIDTH - 1):
        yield -1, -1
        return
    while low <= high:
        if low % 256 == 0 and low + 255 <= high:
            yield low // 256, -1
            low += 256
        else:
            yield low // 256, low % 256
            low += 1


def port_text(ranges: Ranges, most: int = 8) -> str:
    """Return a set of ports in words for people.

    >>> port_text(ports("tcp", 22, 22) | ports("tcp", 8000, 8080) | ports("icmp"))
    'ICMP, TCP 22 and 8000–8080'
    >>> port_text(ALL_PORTS - ports("tcp", 22, 22))
    'everything but TCP 22'
    """
    if not ranges:
        return tr("nothing")
    if ranges == ALL_PORTS:
        return tr("everything")
    rows, missing = port_rows(ranges), ALL_PORTS - ranges
    if len(rows) > most and len(missing.spans) <= 4:
        return tr("everything but {missing}", missing=port_text(missing))
    by_protocol: dict[str, list[str]] = {}
    for protocol, low, high in rows:
        by_protocol.setdefault(protocol, []).append(_one_port_text(protocol, low, high))
    parts = []
    for protocol, texts in by_protocol.items():
        shown = [text for text in texts if text]
        if len(shown) > most:
            shown = [*shown[: most - 1], tr("{number} more", number=len(shown) - most + 1)]
        name = protocol_in_words(protocol)
        parts.append(f"{name} {_and(shown)}" if shown else name)
    if len(parts) > most:
        parts = [*parts[: most - 1], tr("{number} more protocols", number=len(parts) - most + 1)]
    return tr_as("list", ", ").join(parts)


def _one_port_text(protocol: str, low: int | None, high: int | None) -> str:
    if low is None or high is None or low < 0 or (low, high) == (0, _WIDTH - 1):
        return ""
    if protocol in {"icmp", "icmpv6"}:
        return (
            tr("type {low}", low=low)
            if high < 0
            else tr("type {low} code {high}", low=low, high=high)
        )
    return str(low) if low == high else f"{low}–{high}"


def _and(texts: list[str]) -> str:
    return listed(texts, most=len(texts))


@dataclass(frozen=True, slots=True)
class Traffic:
    """A set of (address, protocol, port), in its one form.

    ``parts`` are sorted spans of addresses with the ports that belong to each; neighbours differ
    in their ports.

    >>> web = Traffic.of(addresses("10.0.0.0/24"), ports("tcp", 443, 443))
    >>> half = Traffic.of(addresses("10.0.0.0/25"), ports("tcp", 443, 443))
    >>> [(cidrs(a), port_text(p)) for a, p in (web - half).rows()]
    [(('10.0.0.128/25',), 'TCP 443')]
    """

    parts: tuple[tuple[int, int, Ranges], ...] = ()

    @classmethod
    def of(cls, to: Ranges, on: Ranges) -> "Traffic":
        """Return all these ports at all these addresses."""
        return cls(tuple((first, last, on) for first, last in to.spans)) if on else cls()

    @classmethod
    def union(cls, pieces: Iterable["Traffic"]) -> "Traffic":
        """Return everything that is in any of the pieces."""
        every = list(pieces)
        while len(every) > 1:  # pair by pair, so that many pieces stay cheap
            every = [
                every[i] | every[i + 1] if i + 1 < len(every) else every[i]
                for i in range(0, len(every), 2)
            ]
        return every[0] if every else cls()

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __or__(self, other: "Traffic") -> "Traffic":
        return Traffic(_merged((*s, a | b) for s, a, b in _side_by_side(self, other)))

    def __and__(self, other: "Traffic") -> "Traffic":
        return Traffic(_merged((*s, a & b) for s, a, b in _side_by_side(self, other)))

    def __sub__(self, other: "Traffic") -> "Traffic":
        return Traffic(_merged((*s, a - b) for s, a, b in _side_by_side(self, other)))

    def __le__(self, other: "Traffic") -> bool:
        return not self - other

    def at(self, address: int) -> Ranges:
        """Return the ports at one address, given as its number on the line of addresses."""
        for first, last, on in self.parts:
            if first <= address <= last:
                return on
        return NONE

    @property
    def to(self) -> Ranges:
        """Every address in the set."""
        return Ranges.of((first, last) for first, last, _ in self.parts)

    def rows(self) -> tuple[tuple[Ranges, Ranges], ...]:
        """Return the set as few (addresses, ports), one per distinct set of ports."""
        by_ports: dict[Ranges, list[tuple[int, int]]] = {}
        for first, last, on in self.parts:
            by_ports.setdefault(on, []).append((first, last))
        return tuple((Ranges.of(spans), on) for on, spans in by_ports.items())


def _side_by_side(one: Traffic, two: Traffic) -> Iterator[tuple[tuple[int, int], Ranges, Ranges]]:
    """Return the pieces of the line of addresses on which neither set changes."""
    points = sorted(
        {p for t in (one, two) for first, last, _ in t.parts for p in (first, last + 1)}
    )
    mine = theirs = 0
    for first, after in pairwise(points):
        while mine < len(one.parts) and one.parts[mine][1] < first:
            mine += 1
        while theirs < len(two.parts) and two.parts[theirs][1] < first:
            theirs += 1
        yield (
            (first, after - 1),
            one.parts[mine][2] if mine < len(one.parts) and one.parts[mine][0] <= first else NONE,
            two.parts[theirs][2]
            if theirs < len(two.parts) and two.parts[theirs][0] <= first
            else NONE,
        )


def _merged(parts: Iterable[tuple[int, int, Ranges]]) -> tuple[tuple[int, int, Ranges], ...]:
    merged: list[tuple[int, int, Ranges]] = []
    for first, last, on in parts:
        if not on:
            continue
        if merged and merged[-1][1] + 1 == first and merged[-1][2] == on:
            merged[-1] = (merged[-1][0], last, on)
        else:
            merged.append((first, last, on))
    return tuple(merged)
