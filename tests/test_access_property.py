"""Random small worlds: the kit's answers against a packet-by-packet evaluator.

The normal run tries some dozen worlds per property, ``WORLDS=4000 pytest tests/test_access_property.py``
thousands; each is asked about some forty packets at and beside the boundaries of its rules.
"""

import json
import os
import re
from ipaddress import ip_address, ip_network
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auditlib import export
from auditlib.access import EVERYONE, explain, reach
from auditlib.addresses import ports
from auditlib.aws.reads import READS
from auditlib.snapshot import Snapshot
from auditlib.tables import Tables
from tests.naive import NUMBERS, Naive
from tests.worlds import World

WORLDS = int(os.environ.get("WORLDS", "12"))
PACKETS = 30

worlds = settings(
    max_examples=WORLDS,
    # The same worlds each time, so that one change is judged alone; WORLDS=4000 draws new ones.
    derandomize="WORLDS" not in os.environ,
    deadline=None,
    # A smaller seed is no smaller world.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

# Seeds rather than recorded choices: a world takes hundreds, and thousands of worlds are wanted.
randoms = st.randoms(use_true_random=True, note_method_calls=False)

CIDRS = (
    "0.0.0.0/0",
    "0.0.0.0/1",
    "10.0.0.0/8",
    "10.0.0.0/24",
    "10.0.0.0/28",
    "10.0.0.0/29",
    "10.0.0.8/29",
    "10.0.0.11/32",
    "10.0.0.16/28",
    "10.0.0.16/29",
    "10.0.0.27/32",
    "10.0.0.32/28",
    "10.1.0.0/24",
    "10.1.0.0/28",
    "10.1.0.11/32",
    "172.20.0.0/22",
    "172.20.1.0/24",
    "::/0",
)
V4 = tuple(cidr for cidr in CIDRS if ":" not in cidr)
V6 = (
    "::/0",
    "2001:db8::/32",
    "2001:db8:0:a00::/56",
    "2001:db8:0:a01::/64",
    "2001:db8:0:a01::b/128",
    "2001:db8:0:b00::/56",
    "fd00::/8",
)
CLIENTS = ("172.20.0.0/22", "172.20.1.0/24")
GROUPS = (None, None, "dev", "ops")
STATES = ("active", "active", "active", "active", "failed", "changing", "a-new-word", None)
TRAFFIC = (
    ("-1", None),
    ("tcp", (0, 65535)),
    ("tcp", (22, 22)),
    ("tcp", (20, 25)),
    ("tcp", (1024, 65535)),
    ("tcp", (2000, 3000)),
    ("udp", (53, 53)),
    ("udp", (1000, 2000)),
    ("icmp", (8, -1)),
    ("icmp", (3, 4)),
    ("icmp", (-1, -1)),
    ("icmpv6", (128, -1)),
    ("50", None),
)
WHERE = ("10.9.0.1", "10.1.0.40", "172.20.0.2", "172.20.1.2", "192.0.2.1", "2001:db8:ffff::1")


def traffic_number(name: str) -> str:
    return str(NUMBERS.get(name, name))


class RandomWorld(World):
    """A world with what a test needs to know about it."""

    def __init__(self) -> None:
        super().__init__()
        self.endpoint_ids: list[str] = []
        # Whose each interface is: only some descriptions tell.
        self.owners: dict[str, str] = {}
        self.cidrs = CIDRS

    @property
    def endpoint_id(self) -> str:
        """The first endpoint that stands in a VPC, or the first of all."""
        in_vpc = (id for id in self.endpoint_ids if "VpcId" in self.record(id))
        return next(in_vpc, self.endpoint_ids[0])

    def naive(self) -> Naive:
        return Naive(self.snapshot(), self.owners)


def random_world(some: Random, *, ambiguous: bool = False, gateway: bool = True) -> RandomWorld:
    """Return a world of two VPCs and up to three endpoints that share them.

    Some are dual-stack, some endpoints stand on a transit gateway. In an ambiguous one not every
    interface of an endpoint says whose it is.
    """
    w = RandomWorld()
    dual = some.random() < 0.35
    if dual:
        w.cidrs = (*CIDRS, *V6)
    a = w.vpc("10.0.0.0/24", ipv6="2001:db8:0:a00::/56" if dual else None)
    b = w.vpc("10.1.0.0/24", ipv6="2001:db8:0:b00::/56" if dual else None)
    subnets = [
        w.subnet(a, f"10.0.0.{n}/28", ipv6=f"2001:db8:0:a0{n // 16}::/64" if dual else None)
        for n in (0, 16, 32)
    ]
    far = [w.subnet(b, "10.1.0.0/28", ipv6="2001:db8:0:b00::/64" if dual else None)]
    status = some.choice(["active", "active", "active", "active", "deleted", "deleting"])
    pcx = w.peering(a, b, status=status, routed=False)
    if some.random() < 0.3:
        region = w.record(pcx)["AccepterVpcInfo"]
        region["Region"] = "eu-west-1"
    for vpc, other, other6 in (
        (a, "10.1.0.0/24", "2001:db8:0:b00::/56"),
        (b, "10.0.0.0/24", "2001:db8:0:a00::/56"),
    ):
        if some.random() < 0.85:
            w.route(vpc, other, VpcPeeringConnectionId=pcx)
        if dual and some.random() < 0.85:
            w.route(vpc, other6, VpcPeeringConnectionId=pcx)
    lists = [w.prefix_list(*some.sample(w.cidrs, some.randint(0, 3))) for _ in range(2)]
    groups = [w.security_group(a, egress=False) for _ in range(3)]
    groups.append(w.security_group(b, egress=False))
    random_rules(w, some, groups, lists, pcx)
    random_routes(w, some, (a, b), lists, pcx)
    if some.random() < 0.3:
        table = w.route_table(a, some.choice(subnets))
        if some.random() < 0.5:
            w.record(table)["Routes"].append(
                {
                    "DestinationCidrBlock": "10.1.0.0/24",
                    "VpcPeeringConnectionId": pcx,
                    "Origin": "CreateRoute",
                    "State": "active",
                }
            )
    if dual and some.random() < 0.8:
        for vpc in (a, b):
            for egress in (True, False):
                acl = w.record(f"{vpc}/network-acl")["NetworkAclId"]
                w.acl_entry(acl, 101, "allow", "::/0", egress=egress)
    if some.random() < 0.5:
        random_acl(w, some, a, subnets)
    for subnet in some.sample([*subnets, *far, *far], some.randint(1, 4)):
        random_interface(w, some, subnet, groups, dual=dual)
    for _ in range(some.choice([1, 1, 2, 3])):
        if gateway and some.random() < 0.2:
            random_gateway_endpoint(w, some)
        else:
            home = (b, far) if some.random() < 0.1 else (a, subnets)
            random_endpoint(w, some, home, groups, ambiguous=ambiguous)
    for id in w.endpoint_ids:
        if dual:
            w.record(id)["TrafficIpAddressType"] = some.choice(["ipv4", "dual-stack", "ipv6"])
        if some.random() < 0.1:
            w.record(id)["Status"]["Code"] = some.choice(["deleting", "deleted", "a-new-word"])
        random_authorizations(w, some, id)
    return w


def random_rules(w: World, some: Random, groups: list[str], lists: list[str], pcx: str) -> None:
    """Add rules: to ranges, prefix lists and groups, of this account and of another one."""
    for _ in range(some.randint(6, 16)):
        add = w.egress if some.random() < 0.4 else w.ingress
        peer = some.choice([*w.cidrs, *groups, *groups, *lists])
        id = add(some.choice(groups), peer, *some.choice(TRAFFIC))
        if peer == groups[3]:
            rules = w._lists[w.region, "ec2-describe-security-group-rules", None]
            (rule,) = (r for r in rules if r["SecurityGroupRuleId"] == id)
            rule["ReferencedGroupInfo"] |= {
                "UserId": "444455556666",
                "PeeringStatus": "active",
                "VpcPeeringConnectionId": pcx,
            }
    for group in some.sample(groups[:3], 2):
        w.egress(group, some.choice(["0.0.0.0/0", "10.0.0.0/8"]))
        if len(w.cidrs) > len(CIDRS):
            w.egress(group, "::/0")


def random_routes(
    w: World, some: Random, vpcs: tuple[str, str], lists: list[str], pcx: str
) -> None:
    for _ in range(some.randint(0, 3)):
        target = some.choice(
            [
                {"GatewayId": "igw-1"},
                {"TransitGatewayId": "tgw-1"},
                {"TransitGatewayId": "tgw-1"},
                {"NetworkInterfaceId": "eni-appliance"},
                {"VpcPeeringConnectionId": pcx},
                {"VpcPeeringConnectionId": "pcx-unheard-of"},
            ]
        )
        vpc = some.choice(vpcs)
        destination = some.choice([*w.cidrs, "172.20.0.0/22", "172.20.0.0/22", *lists])
        routes = w.record(f"{vpc}/route-table")["Routes"]
        if any(destination in route.values() for route in routes):
            continue  # AWS has one route per destination
        w.route(vpc, destination, **target)
        route = routes[-1]
        if some.random() < 0.2 and route.get("GatewayId") != "local":
            route["State"] = "blackhole"
        elif some.random() < 0.2 and route.get("GatewayId") != "local":
            route["Origin"] = "EnableVgwRoutePropagation"


def random_acl(w: World, some: Random, vpc: str, subnets: list[str]) -> None:
    acl = w.network_acl(vpc)
    for n in range(some.randint(1, 6)):
        protocol, ports = some.choice(TRAFFIC)
        w.acl_entry(
            acl,
            some.randint(1, 9) * 10 + n,
            some.choice(["allow", "allow", "deny"]),
            some.choice(w.cidrs),
            egress=some.random() < 0.5,
            protocol=traffic_number(protocol),
            ports=ports,
        )
    for egress in (True, False):
        if some.random() < 0.7:
            w.acl_entry(acl, 900, "allow", "0.0.0.0/0", egress=egress)
            w.acl_entry(acl, 901, "allow", "::/0", egress=egress)
    for subnet in some.sample(subnets, some.randint(1, 2)):
        w.use_network_acl(acl, subnet)


def random_interface(
    w: RandomWorld, some: Random, subnet: str, groups: list[str], *, dual: bool
) -> None:
    """Add a receiver, sometimes with further addresses, a delegated prefix and IPv6."""
    if w._hosts[subnet] >= 13:
        return
    record = w.record(subnet)
    network, more = ip_network(record["CidrBlock"]), {}
    ips = tuple(str(network[n]) for n in (14, 3) if some.random() < 0.15)
    if some.random() < 0.1:
        more["Ipv4Prefixes"] = [{"Ipv4Prefix": f"{network[4]}/30"}]
    ipv6 = ()
    if dual and some.random() < 0.7:
        block = ip_network(record["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"])
        ipv6 = (str(block[w._hosts[subnet] + 1]),)
    carried = some.sample(groups, some.choice([0, 1, 1, 1, 2]))
    w.interface(subnet, *carried, more_ips=ips, ipv6=ipv6, **more)


def state(some: Random, changing: tuple[str, ...]) -> str | None:
    found = some.choice(STATES)
    return some.choice(changing) if found == "changing" else found


def random_endpoint(
    w: RandomWorld,
    some: Random,
    home: tuple[str, list[str]],
    groups: list[str],
    *,
    ambiguous: bool,
) -> None:
    vpc, subnets = home
    id = w.endpoint(vpc, tuple(some.sample(groups[:3], some.randint(1, 2))))
    w.endpoint_ids.append(id)
    for subnet in some.sample(subnets, min(len(subnets), some.randint(1, 2))):
        interface = some.random() < 0.85 and w._hosts[subnet] < 13
        named = not ambiguous or some.random() < 0.3
        eni = w.associate(id, subnet, interface=interface, named=named)
        if eni:
            w.owners[eni] = id
            if some.random() < 0.2:  # applied otherwise than configured
                w.record(eni)["Groups"] = [{"GroupId": groups[1], "GroupName": "other"}]
        if some.random() < 0.15:
            w.associations(id)[-1]["Status"]["Code"] = some.choice(
                ["associating", "disassociating", "disassociated", "a-new-word"]
            )
        if some.random() < 0.6:
            w.endpoint_route(id, "10.1.0.0/24", subnet)
        if len(w.cidrs) > len(CIDRS):
            w.endpoint_route(id, some.choice(["::/0", "2001:db8::/32"]), subnet)
        for _ in range(some.randint(0, 3)):
            target = some.choice([subnet, subnet, subnet, "local"])
            status = state(some, ("creating", "deleting"))
            where = CLIENTS if target == "local" else w.cidrs
            w.endpoint_route(id, some.choice(where), target, status=status)
    unique(w, id, "ec2-describe-client-vpn-routes", "DestinationCidr", "TargetSubnet")


def random_gateway_endpoint(w: RandomWorld, some: Random) -> None:
    attachment = {
        "TransitGatewayId": some.choice(["tgw-1", "tgw-1", "tgw-2"]),
        "TransitGatewayAttachmentId": "tgw-attach-1",
    }
    id = w.endpoint(TransitGatewayConfiguration=attachment)
    w.record(id)["Status"] = {"Code": "available"}
    w.endpoint_ids.append(id)
    for _ in range(some.randint(1, 4)):
        record = {
            "ClientVpnEndpointId": id,
            "DestinationCidr": some.choice([*V4, *w.cidrs]),
            "Type": "Nat",
            "Origin": "add-route",
            "Status": {"Code": state(some, ("creating", "deleting"))},
            "Description": "",
        }
        if some.random() < 0.2:
            record |= {"TargetSubnet": "local", "DestinationCidr": some.choice(CLIENTS)}
        else:
            record["TransitGatewayAttachmentId"] = "tgw-attach-1"
        w._add("ec2-describe-client-vpn-routes", record, resource=id)
    unique(w, id, "ec2-describe-client-vpn-routes", "DestinationCidr", "TargetSubnet")


def random_authorizations(w: RandomWorld, some: Random, id: str) -> None:
    if some.random() < 0.7:
        w.authorize(id, some.choice(["0.0.0.0/0", "10.0.0.0/8"]), some.choice(GROUPS))
    if len(w.cidrs) > len(CIDRS):
        w.authorize(id, some.choice(["::/0", "2001:db8::/32"]), some.choice(GROUPS))
    for _ in range(some.randint(0, 4)):
        status = state(some, ("authorizing", "revoking"))
        w.authorize(id, some.choice([*V4, *w.cidrs]), some.choice(GROUPS), status=status)
    unique(w, id, "ec2-describe-client-vpn-authorization-rules", "DestinationCidr", "GroupId")


def unique(w: RandomWorld, id: str, read: str, *keys: str) -> None:
    """AWS refuses a second rule or route of one network for one group or subnet."""
    records = w._lists[w.region, read, id]
    records[:] = {tuple(r.get(key) for key in keys): r for r in records}.values()


def packets(world: World, some: Random, many: int) -> list[tuple[int, int, int]]:
    """Return packets at and just beside the boundaries of every rule."""
    found = set()
    rules = world._lists[world.region, "ec2-describe-security-group-rules", None]
    for rule in rules:
        low, high = rule["FromPort"], rule["ToPort"]
        for protocol in ("tcp", "udp"):
            found |= {
                (NUMBERS[protocol], port, 0)
                for edge in (low, high)
                for port in (edge - 1, edge, edge + 1)
                if 0 <= port <= 65535
            }
    for protocol, span in TRAFFIC:
        for edge in span or ():
            if protocol in {"tcp", "udp"}:
                found |= {(NUMBERS[protocol], p, 0) for p in (edge, edge + 1) if p <= 65535}
    found |= {(1, 8, 0), (1, 0, 0), (1, 3, 4), (1, 3, 3), (50, 0, 0), (47, 0, 0), (58, 128, 0)}
    return some.sample(sorted(found), min(many, len(found)))


def holds(row, packet: tuple[int, int, int]) -> bool:
    which, port, code = packet
    protocol = str(row.protocol)
    if protocol == "all":
        return True
    if NUMBERS.get(protocol, protocol) not in {which, str(which)}:
        return False
    if which in {1, 58}:
        return row.from_port in {-1, port} and (row.from_port == -1 or row.to_port in {-1, code})
    return which not in {6, 17} or row.from_port <= port <= row.to_port


Place = tuple[str, str | None, str]


def seen(frame, place: Place) -> list:
    """Return the rows of an endpoint, association and group."""
    endpoint, subnet, group = place
    return [
        row
        for row in frame.itertuples()
        if (row.endpoint_id, row.group) == (endpoint, group)
        and (row.subnet_id == subnet or (subnet is None and row.subnet_id != row.subnet_id))
    ]


def answers(frame, place: Place, eni, ip, packet) -> list[str]:
    """Return the certainties of the rows that hold a packet."""
    return [
        row.certainty
        for row in seen(frame, place)
        if row.eni_id == eni and ip_address(ip) in ip_network(row.ip) and holds(row, packet)
    ]


def departures(frame, place: Place, ip, packet) -> list[str]:
    return [
        row.certainty
        for row in seen(frame, place)
        if row.eni_id != row.eni_id and ip_address(ip) in ip_network(row.ip) and holds(row, packet)
    ]


def subnets_of(world: RandomWorld, endpoint: str) -> list[str | None]:
    if "TransitGatewayConfiguration" in world.record(endpoint):
        return [None]
    return sorted({record["TargetNetworkId"] for record in world.associations(endpoint)})


def groups_of(world: RandomWorld, endpoint: str) -> list[str]:
    name = "ec2-describe-client-vpn-authorization-rules"
    rules = world._lists[world.region, name, endpoint]
    named = {r["GroupId"] for r in rules if r["Status"]["Code"] != "failed" and not r["AccessAll"]}
    return [EVERYONE, *sorted(named)]


def places_of(world: RandomWorld) -> list[Place]:
    return [
        (endpoint, subnet, group)
        for endpoint in world.endpoint_ids
        for subnet in subnets_of(world, endpoint)
        for group in groups_of(world, endpoint)
    ]


def receivers(world: World) -> list[tuple[dict, str]]:
    enis = world._lists[world.region, "ec2-describe-network-interfaces", None]
    return [
        (eni, ip)
        for eni in enis
        for ip in (
            *(a["PrivateIpAddress"] for a in eni["PrivateIpAddresses"]),
            *(a["Ipv6Address"] for a in eni["Ipv6Addresses"]),
            *(str(ip_network(p["Ipv4Prefix"])[1]) for p in eni.get("Ipv4Prefixes", [])),
        )
    ]


def questions(world: RandomWorld, some: Random, many: int, each: int) -> list[tuple]:
    """Return places, interfaces, addresses and packets to be asked about."""
    every = [(place, eni, ip) for place in places_of(world) for eni, ip in receivers(world)]
    return [
        (*one, packet)
        for one in some.sample(every, min(len(every), many))
        for packet in packets(world, some, each)
    ]


@worlds
@given(randoms)
def test_every_packet_gets_the_answer_of_the_naive_evaluator(some):
    world = random_world(some)
    naive, frame = world.naive(), reach(Tables(world.snapshot()))
    for place, eni, ip, packet in questions(world, some, 10, PACKETS // 8 + 1):
        expected = naive.certainty(*place, ip, eni, packet)
        found = answers(frame, place, eni["NetworkInterfaceId"], ip, packet)
        assert found == ([expected] if expected else []), (place, ip, packet)


BETTER = {"reliable": {"reliable"}, "fragile": {"reliable", "fragile"}}


@worlds
@given(randoms)
def test_an_interface_that_names_no_endpoint_makes_no_answer_too_certain_nor_empty(some):
    world = random_world(some, ambiguous=True)
    naive, frame = world.naive(), reach(Tables(world.snapshot()))
    for place, eni, ip, packet in questions(world, some, 10, PACKETS // 8 + 1):
        truth = naive.certainty(*place, ip, eni, packet)
        found = answers(frame, place, eni["NetworkInterfaceId"], ip, packet)
        asked = (place, ip, packet, truth, found)
        assert all(c == "unknown" or truth in BETTER[c] for c in found), asked
        assert len(found) == 1 or truth is None, asked


@worlds
@given(randoms)
def test_what_leaves_is_told_and_nothing_else(some):
    world = random_world(some)
    naive, frame = world.naive(), reach(Tables(world.snapshot()))
    for place in some.sample(places_of(world), min(len(places_of(world)), 6)):
        endpoint, subnet, _ = place
        sources = [[]]
        if subnet is not None:
            enis = naive.interfaces(endpoint, subnet)
            sources = [[g["GroupId"] for g in eni["Groups"]] for eni in enis] or [
                record["SecurityGroups"]
                for record in world.associations(endpoint)
                if record["TargetNetworkId"] == subnet
            ]
        for packet in packets(world, some, 3):
            for ip in WHERE:
                expected = any(naive.leaves(*place, ip, groups, packet) for groups in sources)
                found = departures(frame, place, ip, packet)
                assert len(found) == expected, (place, ip, packet)


REFUSABLE = sorted(
    read.id
    for read in READS
    if read.id.startswith("ec2-")
    and read.id
    not in {
        "ec2-describe-client-vpn-endpoints",  # no endpoint, no row: told by the gaps
        "ec2-describe-client-vpn-connections",
    }
)


@worlds
@given(randoms, st.sampled_from([None, None, None, *REFUSABLE]))
def test_an_explanation_says_what_reach_says_and_names_a_blocker(some, refused):
    world = random_world(some)
    if refused:
        world.refuse(refused)
    tables = Tables(world.snapshot())
    frame = reach(tables)
    blind = refused == "ec2-describe-client-vpn-authorization-rules"
    every = [
        (endpoint, group, eni, ip)
        for endpoint in world.endpoint_ids
        for group in ([EVERYONE] if blind else groups_of(world, endpoint))
        for eni, ip in [*receivers(world), *((None, ip) for ip in WHERE)]
    ]
    for endpoint, group, eni, ip in some.sample(every, min(len(every), 5)):
        for packet in packets(world, some, 3):
            which, port, code = packet
            protocol = next((n for n, k in NUMBERS.items() if k == which), str(which))
            asked = (which, port, 0 if which in {1, 58} else code)
            made = explain(
                tables,
                endpoint=endpoint,
                to=ip,
                port=port if which in {6, 17, 1, 58} else None,
                protocol=protocol,
                group=group,
            )
            for path in made.paths:
                place = (endpoint, path.subnet_id, group)
                id = eni and eni["NetworkInterfaceId"]
                found = answers(frame, place, id, ip, asked)
                left = departures(frame, place, ip, asked)
                told = (place, ip, asked, found, left, str(made))
                if path.reachable == "yes":
                    assert found + left == [path.certainty], told
                elif path.reachable == "no":
                    assert found + left == [], told
                    assert path.blockers
                    assert all(
                        hop.reason and (hop.change or hop.step == "receiver")
                        for hop in path.blockers
                    )
                else:
                    assert "unknown" in found + left, told
                    assert any(hop.state == "unknown" for hop in path.hops)


@worlds
@given(randoms, st.sampled_from([*REFUSABLE, *REFUSABLE, "rules of a group"]))
def test_a_refused_read_never_makes_an_answer_more_certain_nor_empty(some, read):
    world = random_world(some, ambiguous=some.random() < 0.3)
    naive = world.naive()
    if read == "rules of a group":
        hide_rules(world, some)
    elif "client-vpn" in read and some.random() < 0.5:
        world.refuse(read, resource=some.choice(world.endpoint_ids))
    else:
        world.refuse(read)
    partial = reach(Tables(world.snapshot()))
    for place, eni, ip, packet in questions(world, some, 8, 4):
        truth = naive.certainty(*place, ip, eni, packet)
        found = answers(partial, place, eni["NetworkInterfaceId"], ip, packet)
        asked = (place, ip, packet, truth, found)
        assert all(c == "unknown" or truth in BETTER[c] for c in found), asked
        assert not truth or found or told_otherwise(partial, place, eni, ip, packet), asked


@worlds
@given(randoms, st.sampled_from(REFUSABLE))
def test_what_leaves_is_told_whatever_read_is_refused(some, read):
    world = random_world(some)
    full = reach(Tables(world.snapshot()))
    world.refuse(read)
    partial = reach(Tables(world.snapshot()))
    places = places_of(world)
    for place in some.sample(places, min(len(places), 6)):
        for packet in packets(world, some, 2):
            for ip in WHERE:
                was, now = (departures(frame, place, ip, packet) for frame in (full, partial))
                asked = (place, ip, packet, was, now)
                assert "reliable" not in now or was == ["reliable"], asked
                assert not was or now or told_otherwise(partial, place, None, ip, packet), asked


def hide_rules(world: World, some: Random) -> None:
    """Leave rules of a group out of one answer that another answer shows."""
    rules = world._lists[world.region, "ec2-describe-security-group-rules", None]
    gone = some.choice(sorted({rule["GroupId"] for rule in rules}))
    for rule in [rule for rule in rules if rule["GroupId"] == gone]:
        member = "IpPermissionsEgress" if rule["IsEgress"] else "IpPermissions"
        world.record(gone)[member].append({"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
        if some.random() < 0.7:
            rules.remove(rule)


def told_otherwise(frame, place: Place, eni, ip, packet) -> bool:
    """Tell whether an unknown row holds a packet: of everyone, or where the receiver is not listed.

    Groups are not known where their rules were not read, nor subnets without the associations.
    """
    endpoint, subnet, group = place
    found = []
    for one in {group, EVERYONE}:
        for where in {subnet, None}:
            found += departures(frame, (endpoint, where, one), ip, packet)
            if eni is not None:
                id = eni["NetworkInterfaceId"]
                found += answers(frame, (endpoint, where, one), id, ip, packet)
    return "unknown" in found


def reached_packets(frame, asked) -> set[tuple]:
    """Return which of these packets are reached for certain, and where."""
    return {
        (row.endpoint_id, row.subnet_id, row.group, row.eni_id, row.ip, packet)
        for row in frame.itertuples()
        if row.eni_id == row.eni_id and row.certainty != "unknown"
        for packet in asked
        if holds(row, packet)
    }


@worlds
@given(randoms)
def test_adding_a_security_group_rule_never_removes_reach(some):
    world = random_world(some)
    asked = packets(world, some, 40)
    before = reached_packets(reach(Tables(world.snapshot())), asked)
    groups = world._lists[world.region, "ec2-describe-security-groups", None]
    ids = [group["GroupId"] for group in groups]
    for _ in range(2):
        add = some.choice([world.egress, world.ingress])
        add(some.choice(ids), some.choice([*world.cidrs, *ids]), *some.choice(TRAFFIC))
    assert before <= reached_packets(reach(Tables(world.snapshot())), asked)


@worlds
@given(randoms)
def test_the_order_of_records_changes_nothing(some):
    world = random_world(some)
    before = reach(Tables(world.snapshot()))
    for records in world._lists.values():
        some.shuffle(records)
        for record in records:
            for member in ("Routes", "Entries", "Associations", "Groups", "IpPermissions"):
                some.shuffle(record.get(member) or [])
    after = reach(Tables(world.snapshot()))
    names = [name for name in before.columns if name != "via"]

    def rows(frame):
        return set(frame[names].astype(str).itertuples(index=False, name=None))

    assert rows(before) == rows(after)


@worlds
@given(randoms)
def test_splitting_a_rule_s_range_in_halves_changes_nothing(some):
    world = random_world(some)
    before = reach(Tables(world.snapshot()))
    rules = world._lists[world.region, "ec2-describe-security-group-rules", None]
    for rule in list(rules):
        network = ip_network(rule.get("CidrIpv4", "10.0.0.0/32"))
        if network.prefixlen < 32:
            halves = [{"CidrIpv4": str(half)} for half in network.subnets()]
            rules.remove(rule)
            rules += [
                rule | half | {"SecurityGroupRuleId": rule["SecurityGroupRuleId"] + str(n)}
                for n, half in enumerate(halves)
            ]
    after = reach(Tables(world.snapshot()))
    names = [name for name in before.columns if name != "via"]

    def rows(frame):
        # What leaves is told in networks, one for each set of admitting rules: cut otherwise now.
        seen = frame[frame["eni_id"].notna()]
        return set(seen[names].astype(str).itertuples(index=False, name=None))

    assert rows(before) == rows(after)
    for place in places_of(world):
        for packet in packets(world, some, 3):
            for ip in WHERE:
                asked = (place, ip, packet)
                assert departures(before, *asked) == departures(after, *asked)


AWS_ID = re.compile(r"[a-z-]+-[0-9a-f]{17}\b")


def renamed(snapshot: Snapshot, some: Random) -> tuple[Snapshot, dict[str, str]]:
    """Return a snapshot with other ids, which sort otherwise, and what each is called now."""
    documents = [
        [call.account, call.region, f"{call.service}-{call.operation}", call.resource, answer]
        for call in snapshot.calls
        if call.status == "ok"
        for answer in [snapshot.document(call)]
    ]
    text = json.dumps(documents)
    ids = {id: f"{id[:-17]}{some.getrandbits(68):017x}" for id in sorted(AWS_ID.findall(text))}
    told = json.loads(AWS_ID.sub(lambda found: ids[found[0]], text))
    return Snapshot.from_documents({tuple(where): answer for *where, answer in told}), ids


@worlds
@given(randoms)
def test_renaming_ids_changes_nothing_but_ids(some):
    snapshot = random_world(some).snapshot()
    other, ids = renamed(snapshot, some)

    def rows(frame, ids):
        # Where several rules admit, they are named in the order of their ids: words, then.
        said = (AWS_ID.sub(lambda found: ids[found[0]], " ".join(via)) for via in frame["via"])
        words = [frozenset(re.findall(r"[^ ,]+", text)) for text in said]
        told = frame.astype(str).assign(via=words).itertuples(index=False, name=None)
        return {tuple(ids.get(value, value) for value in row) for row in told}

    before, after = reach(Tables(snapshot)), reach(Tables(other))
    assert rows(before, ids) == rows(after, {id: id for id in ids.values()})


def test_the_naive_evaluator_knows_a_yes_and_a_no():
    """The evaluator that judges the kit is itself judged by hand."""
    w = World()
    vpc = w.vpc()
    here, there = w.subnet(vpc, "10.0.1.0/28"), w.subnet(vpc, "10.0.2.0/24")
    vpn, db = w.security_group(vpc), w.security_group(vpc)
    w.ingress(db, vpn, "tcp", (5432, 5432))
    w.ingress(db, "10.0.1.0/29", "tcp", (22, 22))
    eni = w.interface(there, db, ip="10.0.2.9")
    endpoint = w.endpoint(vpc, (vpn,))
    w.associate(endpoint, here, ip="10.0.1.5")
    w.authorize(endpoint, "10.0.2.0/24", "dba")
    naive = Naive(w.snapshot())

    def asked(group, port):
        return naive.certainty(endpoint, here, group, "10.0.2.9", w.record(eni), (6, port, 0))

    assert asked("dba", 5432) == "reliable"
    assert asked("dba", 22) == "fragile"
    assert asked("dba", 23) is None
    assert asked("*", 5432) is None


@pytest.mark.parametrize(
    ("rule", "packet", "held"),
    [
        (("tcp", 20, 25), (6, 22, 0), True),
        (("tcp", 20, 25), (6, 26, 0), False),
        (("tcp", 20, 25), (17, 22, 0), False),
        (("icmp", 8, -1), (1, 8, 3), True),
        (("icmp", 3, 4), (1, 3, 3), False),
        (("-1", None, None), (50, 0, 0), True),
        (("50", None, None), (50, 0, 0), True),
    ],
)
def test_the_naive_evaluator_reads_rules_as_aws_does(rule, packet, held):
    from tests.naive import covers

    assert covers(*rule, packet) is held


# -- the public contract of reach ------------------------------------------------------------------

ROW = {
    "account": str,
    "region": str,
    "endpoint_id": str,
    "subnet_id": str | None,
    "group": str,
    "eni_id": str | None,
    "ip": str,
    "protocol": str,
    "from_port": int | None,
    "to_port": int | None,
    "certainty": str,
    "via": list,
}
KEY = ("endpoint_id", "subnet_id", "group", "eni_id")


def keeps_the_contract(row: dict) -> None:
    for name, kind in ROW.items():
        assert isinstance(row[name], kind), (name, row)
    assert row["certainty"] in {"reliable", "fragile", "unknown"}
    assert row["via"]
    assert all(isinstance(hop, str) and hop for hop in row["via"])
    network = ip_network(row["ip"])
    # An interface has an address, or a delegated prefix; traffic that leaves has a network.
    assert row["eni_id"] or "/" in row["ip"] or network.num_addresses == 1
    protocol, low, high = row["protocol"], row["from_port"], row["to_port"]
    if protocol in {"tcp", "udp"}:
        assert 0 <= low <= high <= 65535
    elif protocol in {"icmp", "icmpv6"}:
        assert -1 <= low <= 255
        assert -1 <= high <= 255
    else:
        assert protocol == "all" or int(protocol) not in NUMBERS.values()
        assert protocol == "all" or 0 <= int(protocol) <= 255
        assert (low, high) == (None, None)


def extent(row: dict) -> tuple:
    network = ip_network(row["ip"])
    on = ports(row["protocol"], row["from_port"], row["to_port"])
    return network.version, int(network[0]), int(network[-1]), on


def overlapping(extents: list[tuple]) -> list[tuple]:
    """Return the pairs that share an address and a port; in order of addresses, each is met once."""
    found, near = [], []
    for one in sorted(extents, key=lambda extent: extent[:3]):
        near = [other for other in near if other[0] == one[0] and other[2] >= one[1]]
        found += [(one, other) for other in near if one[3] & other[3]]
        near.append(one)
    return found


@worlds
@given(randoms, st.sampled_from([None, None, *REFUSABLE]), st.booleans())
def test_every_row_of_the_json_keeps_the_contract_and_none_overlap(some, refused, summary):
    world = random_world(some, ambiguous=some.random() < 0.3)
    if refused:
        world.refuse(refused)
    tables = Tables(world.snapshot())
    rows = json.loads(export.json_text(export.records(reach(tables, summary=summary))))
    names = ["subnets" if summary and name == "subnet_id" else name for name in ROW]
    by_key: dict[tuple, list[tuple]] = {}
    for row in rows:
        assert list(row) == names
        if summary:
            subnets = row.pop("subnets")
            assert isinstance(subnets, list)
            assert all(isinstance(subnet, str) for subnet in subnets)
            # In a folded row each association stands by itself.
            parts = [row | {"subnet_id": subnet} for subnet in subnets or [None]]
        else:
            parts = [row]
        for part in parts:
            keeps_the_contract(part)
            by_key.setdefault(tuple(part[name] for name in KEY), []).append(extent(part))
    for together in by_key.values():
        assert overlapping(together) == []


def test_rows_that_overlap_are_seen():
    web, every = ports("tcp", 443, 443), ports("tcp", 1, 1000)
    apart = [(4, 0, 9, every), (4, 10, 19, every), (6, 0, 9, every), (4, 0, 19, ports("udp", 1, 9))]
    assert overlapping(apart) == []
    assert overlapping([*apart, (4, 12, 12, web)]) == [((4, 12, 12, web), (4, 10, 19, every))]
