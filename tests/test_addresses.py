"""The set algebra, against brute force on small universes."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlib.addresses import (
    ALL_IPV4,
    ALL_IPV6,
    ALL_PORTS,
    NONE,
    Ranges,
    Traffic,
    address_text,
    addresses,
    cidrs,
    port_rows,
    port_text,
    ports,
    protocol_number,
)

UNIVERSE = range(24)
spans = st.lists(
    st.tuples(st.integers(0, 23), st.integers(0, 23)).map(lambda p: tuple(sorted(p))), max_size=6
)
ranges = spans.map(Ranges.of)
traffics = st.lists(st.tuples(ranges, ranges), max_size=4).map(
    lambda pieces: Traffic.union(Traffic.of(to, on) for to, on in pieces)
)


def members(of: Ranges) -> set[int]:
    return {n for n in UNIVERSE if n in of}


def packets(of: Traffic) -> set[tuple[int, int]]:
    return {(a, p) for a in UNIVERSE for p in UNIVERSE if p in of.at(a)}


@given(spans)
def test_a_set_holds_what_its_spans_hold_in_one_form(given_spans):
    made = Ranges.of(given_spans)
    assert members(made) == {n for first, last in given_spans for n in range(first, last + 1)}
    assert all(a[1] + 1 < b[0] for a, b in zip(made.spans, made.spans[1:], strict=False))
    assert made.size == len(made) == len(members(made))


@given(ranges, ranges)
def test_set_operations_are_those_of_sets(one, two):
    assert members(one | two) == members(one) | members(two)
    assert members(one & two) == members(one) & members(two)
    assert members(one - two) == members(one) - members(two)
    assert (one <= two) == (members(one) <= members(two))
    assert (one == two) == (members(one) == members(two))
    assert bool(one) == bool(members(one))


@given(ranges, st.lists(st.integers(-2, 26), max_size=5))
def test_a_cut_set_is_whole_again_when_put_together(one, points):
    pieces = list(one.cut(points))
    assert Ranges.of(span for piece in pieces for span in piece.spans) == one
    assert sum(piece.size for piece in pieces) == one.size
    for point in points:
        assert all(point - 1 not in piece or point not in piece for piece in pieces)


@given(traffics, traffics)
def test_traffic_operations_are_those_of_sets_of_packets(one, two):
    assert packets(one | two) == packets(one) | packets(two)
    assert packets(one & two) == packets(one) & packets(two)
    assert packets(one - two) == packets(one) - packets(two)
    assert (one <= two) == (packets(one) <= packets(two))
    assert (one == two) == (packets(one) == packets(two))
    assert members(one.to) == {a for a, _ in packets(one)}


@given(traffics)
def test_traffic_rows_hold_every_packet_once(one):
    found = [(a, p) for to, on in one.rows() for a in members(to) for p in members(on)]
    assert sorted(found) == sorted(packets(one))
    assert len({on for _, on in one.rows()}) == len(one.rows())


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 300)), max_size=4))
def test_networks_printed_and_parsed_again_are_the_same_set(pieces):
    made = Ranges.of((first, min(first + more, 2**32 - 1)) for first, more in pieces)
    again = NONE
    for text in cidrs(made):
        again |= addresses(text)
    assert again == made


def test_ipv4_and_ipv6_never_mix():
    both = addresses("0.0.0.0/0") | addresses("::/0")
    assert addresses("0.0.0.0/0") == ALL_IPV4
    assert addresses("::/0") == ALL_IPV6
    assert cidrs(both) == ("0.0.0.0/0", "::/0")
    assert not addresses("::/0") & ALL_IPV4
    assert cidrs(addresses("2001:db8::1")) == (str(ip_address("2001:db8::1")),)
    assert cidrs(Traffic.of(both, ALL_PORTS).to) == ("0.0.0.0/0", "::/0")


def test_traffic_that_joins_the_families_keeps_one_form():
    last, first = addresses("255.255.255.255"), addresses("::")
    split = Traffic.of(last, ALL_PORTS) | Traffic.of(first, ALL_PORTS)
    assert split == Traffic.of(last | first, ALL_PORTS)


protocol = st.sampled_from(["tcp", "udp", "icmp", "icmpv6", "50", "0", "255"])


@given(st.lists(st.tuples(protocol, st.integers(-1, 255), st.integers(-1, 255)), max_size=4))
def test_port_rows_parsed_again_are_the_same_set_and_do_not_overlap(pieces):
    made = NONE
    for name, low, high in pieces:
        made |= ports(name, low, high if high < 0 or name.startswith("icmp") else max(low, high))
    again, size = NONE, 0
    for row in port_rows(made):
        again |= ports(*row)
        size += ports(*row).size
    assert again == made
    assert size == made.size


@pytest.mark.parametrize(
    ("name", "low", "high", "row"),
    [
        ("tcp", 22, 22, ("tcp", 22, 22)),
        ("tcp", None, None, ("tcp", 0, 65535)),
        ("tcp", -1, -1, ("tcp", 0, 65535)),
        ("udp", 53, None, ("udp", 53, 53)),
        ("icmp", -1, -1, ("icmp", -1, -1)),
        ("icmp", 3, 4, ("icmp", 3, 4)),
        ("icmpv6", 128, -1, ("icmpv6", 128, -1)),
        ("47", 1, 2, ("47", None, None)),
        ("-1", None, None, ("all", None, None)),
        ("all", 80, 80, ("all", None, None)),
    ],
)
def test_a_rule_becomes_the_row_it_means(name, low, high, row):
    assert port_rows(ports(name, low, high)) == (row,)


def test_partial_icmp_codes_become_one_row_each():
    assert port_rows(ports("icmp", 3, -1) - ports("icmp", 3, 0))[:2] == (
        ("icmp", 3, 1),
        ("icmp", 3, 2),
    )


@pytest.mark.parametrize("bad", ["256", "-2", "teepee"])
def test_an_unknown_protocol_is_refused(bad):
    with pytest.raises(ValueError, match=r"protocol|literal"):
        protocol_number(bad)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (NONE, "no address"),
        (ALL_IPV4 | ALL_IPV6, "any IPv4 address, any IPv6 address"),
        (addresses("10.0.0.0/8") | addresses("192.0.2.1"), "10.0.0.0/8, 192.0.2.1"),
        (ALL_IPV4 - addresses("10.0.0.0/8"), "any IPv4 address but 10.0.0.0/8"),
        (
            Ranges.of((n, n) for n in range(0, 20, 2)),
            "0.0.0.0, 0.0.0.2, 0.0.0.4, 0.0.0.6, 0.0.0.8, 5 more",
        ),
    ],
)
def test_addresses_are_told_in_words(made, text):
    assert address_text(made) == text


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (NONE, "nothing"),
        (ALL_PORTS, "everything"),
        (ports("tcp"), "TCP"),
        (ports("47"), "IP protocol 47"),
        (ports("icmp", 8, 0), "ICMP type 8 code 0"),
        (ports("icmp", 8), "ICMP type 8"),
        (ports("tcp", 1, 1) | ports("tcp", 3, 3) | ports("tcp", 5, 6), "TCP 1, 3 and 5–6"),
        (ALL_PORTS - ports("tcp", 22, 22), "everything but TCP 22"),
        (
            Ranges.of((6 * 65536 + n, 6 * 65536 + n) for n in range(0, 40, 2)),
            "TCP 0, 2, 4, 6, 8, 10, 12 and 13 more",
        ),
        (
            Ranges.of((n * 65536, n * 65536 + 65535) for n in range(60, 200, 2)),
            "IP protocol 60, IP protocol 62, IP protocol 64, IP protocol 66, IP protocol 68, IP protocol 70, IP protocol 72, 63 more protocols",
        ),
    ],
)
def test_ports_are_told_in_words(made, text):
    assert port_text(made) == text


def test_a_span_that_ends_before_it_begins_holds_nothing():
    assert not Ranges.of([(5, 3)])
    assert Ranges.of([(1, 2), (9, 4), (3, 3)]).spans == ((1, 3),)
