"""Random small worlds: the kit's answers against a packet-by-packet evaluator.

The normal run tries fifty worlds per property, ``WORLDS=4000 pytest tests/test_access_property.py``
thousands; each is asked about some forty packets at and beside the boundaries of its rules.
"""

import os
from ipaddress import ip_address, ip_network
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditlib.access import EVERYONE, explain, reach
from auditlib.aws.reads import READS
from auditlib.tables import Tables
from tests.naive import NUMBERS, Naive
from tests.worlds import World

WORLDS = int(os.environ.get("WORLDS", "50"))
PACKETS = 30

worlds = settings(
    max_examples=WORLDS,
    # The same worlds each time, so that one change is judged alone; WORLDS=4000 draws new ones.
    derandomize="WORLDS" not in os.environ,
    deadline=None,
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
    "::/0",
)
V4 = tuple(cidr for cidr in CIDRS if ":" not in cidr)
GROUPS = (None, None, "dev", "ops")
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
    ("50", None),
)
WHERE = ("10.9.0.1", "172.20.0.2", "192.0.2.1")


def traffic_number(name: str) -> str:
    return str(NUMBERS.get(name, name))


class RandomWorld(World):
    """A world with what a test needs to know about it."""

    endpoint_id: str
    enis: list[str]


def random_world(some: Random) -> RandomWorld:
    """Return a world of two VPCs with one endpoint."""
    w = RandomWorld()
    w.enis = []
    a, b = w.vpc("10.0.0.0/24"), w.vpc("10.1.0.0/24")
    subnets = [w.subnet(a, f"10.0.0.{n}/28") for n in (0, 16, 32)]
    far = [w.subnet(b, "10.1.0.0/28")]
    status = some.choice(["active", "active", "active", "deleted"])
    pcx = w.peering(a, b, status=status, routed=False)
    if some.random() < 0.3:
        region = w.record(pcx)["AccepterVpcInfo"]
        region["Region"] = "eu-west-1"
    for vpc, other in ((a, "10.1.0.0/24"), (b, "10.0.0.0/24")):
        if some.random() < 0.85:
            w.route(vpc, other, VpcPeeringConnectionId=pcx)
    lists = [w.prefix_list(*some.sample(V4, some.randint(0, 3))) for _ in range(2)]
    groups = [w.security_group(a, egress=False) for _ in range(3)]
    groups.append(w.security_group(b, egress=False))
    for _ in range(some.randint(6, 16)):
        add = w.egress if some.random() < 0.4 else w.ingress
        peer = some.choice([*CIDRS, *groups, *groups, *lists])
        add(some.choice(groups), peer, *some.choice(TRAFFIC))
    for group in some.sample(groups[:3], 2):
        w.egress(group, some.choice(["0.0.0.0/0", "10.0.0.0/8"]))
    for _ in range(some.randint(0, 2)):
        target = some.choice(
            [
                {"GatewayId": "igw-1"},
                {"TransitGatewayId": "tgw-1"},
                {"NetworkInterfaceId": "eni-appliance"},
                {"VpcPeeringConnectionId": pcx},
                {"VpcPeeringConnectionId": "pcx-unheard-of"},
            ]
        )
        vpc, destination = some.choice([a, b]), some.choice([*V4, *lists])
        routes = w.record(f"{vpc}/route-table")["Routes"]
        if any(destination in route.values() for route in routes):
            continue  # AWS has one route per destination
        w.route(vpc, destination, **target)
        route = routes[-1]
        if some.random() < 0.2 and route.get("GatewayId") != "local":
            route["State"] = "blackhole"
        elif some.random() < 0.2 and route.get("GatewayId") != "local":
            route["Origin"] = "EnableVgwRoutePropagation"
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
    if some.random() < 0.5:
        acl = w.network_acl(a)
        for n in range(some.randint(1, 6)):
            protocol, ports = some.choice(TRAFFIC)
            w.acl_entry(
                acl,
                some.randint(1, 9) * 10 + n,
                some.choice(["allow", "allow", "deny"]),
                some.choice(CIDRS),
                egress=some.random() < 0.5,
                protocol=traffic_number(protocol),
                ports=ports,
            )
        for egress in (True, False):
            if some.random() < 0.7:
                w.acl_entry(acl, 900, "allow", "0.0.0.0/0", egress=egress)
        for subnet in some.sample(subnets, some.randint(1, 2)):
            w.use_network_acl(acl, subnet)
    for subnet in some.sample([*subnets, *far, *far], some.randint(1, 4)):
        carried = some.sample(groups, some.choice([0, 1, 1, 1, 2]))
        network = ip_network(w.record(subnet)["CidrBlock"])
        more = (str(network[14]),) if some.random() < 0.2 else ()
        if w._hosts[subnet] < 13:
            w.enis.append(w.interface(subnet, *carried, more_ips=more))
    id = w.endpoint(a, tuple(some.sample(groups[:3], some.randint(1, 2))))
    w.endpoint_id = id
    for subnet in some.sample(subnets, some.randint(1, 2)):
        eni = w.associate(id, subnet, interface=some.random() < 0.85)
        if eni and some.random() < 0.2:  # applied otherwise than configured
            w.record(eni)["Groups"] = [{"GroupId": groups[1], "GroupName": "other"}]
        if some.random() < 0.6:
            w.endpoint_route(id, "10.1.0.0/24", subnet)
        for _ in range(some.randint(0, 2)):
            status = some.choice(["active", "active", "active", "creating"])
            target = some.choice([subnet, subnet, subnet, "local"])
            w.endpoint_route(id, some.choice(V4), target, status=status)
    if some.random() < 0.7:
        w.authorize(id, some.choice(["0.0.0.0/0", "10.0.0.0/8"]), some.choice(GROUPS))
    for _ in range(some.randint(0, 4)):
        status = some.choice(["active", "active", "active", "failed"])
        w.authorize(id, some.choice(V4), some.choice(GROUPS), status=status)
    # AWS refuses a second rule or route of one network for one group or subnet.
    for name, keys in (
        ("ec2-describe-client-vpn-routes", ("DestinationCidr", "TargetSubnet")),
        ("ec2-describe-client-vpn-authorization-rules", ("DestinationCidr", "GroupId")),
    ):
        records = w._lists[w.region, name, id]
        records[:] = {tuple(r[key] for key in keys): r for r in records}.values()
    return w


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
    for protocol, ports in TRAFFIC:
        for edge in ports or ():
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


def answers(frame, subnet, group, eni, ip, packet) -> list[str]:
    """Return the certainties of the rows that hold a packet."""
    return [
        row.certainty
        for row in frame.itertuples()
        if (row.subnet_id, row.group, row.eni_id, row.ip) == (subnet, group, eni, ip)
        and holds(row, packet)
    ]


def departures(frame, subnet, group, ip, packet) -> list[str]:
    return [
        row.certainty
        for row in frame.itertuples()
        if row.eni_id != row.eni_id
        and row.subnet_id in {subnet, None}
        and row.group == group
        and ip_address(ip) in ip_network(row.ip)
        and holds(row, packet)
    ]


def subnets_of(world: RandomWorld) -> list[str]:
    name = "ec2-describe-client-vpn-target-networks"
    records = world._lists[world.region, name, world.endpoint_id]
    return sorted({record["TargetNetworkId"] for record in records})


def groups_of(world: RandomWorld) -> list[str]:
    name = "ec2-describe-client-vpn-authorization-rules"
    rules = world._lists[world.region, name, world.endpoint_id]
    named = {r["GroupId"] for r in rules if r["Status"]["Code"] == "active" and not r["AccessAll"]}
    return [EVERYONE, *sorted(named)]


def receivers(world: World) -> list[tuple[dict, str]]:
    enis = world._lists[world.region, "ec2-describe-network-interfaces", None]
    return [(eni, a["PrivateIpAddress"]) for eni in enis for a in eni["PrivateIpAddresses"]]


@worlds
@given(randoms)
def test_every_packet_gets_the_answer_of_the_naive_evaluator(some):
    world = random_world(some)
    snapshot = world.snapshot()
    naive, tables = Naive(snapshot), Tables(snapshot)
    frame = reach(tables)
    places = [
        (subnet, group, eni, ip)
        for subnet in subnets_of(world)
        for group in groups_of(world)
        for eni, ip in receivers(world)
    ]
    for subnet, group, eni, ip in some.sample(places, min(len(places), 8)):
        for packet in packets(world, some, PACKETS // 8 + 1):
            expected = naive.certainty(world.endpoint_id, subnet, group, ip, eni, packet)
            found = answers(frame, subnet, group, eni["NetworkInterfaceId"], ip, packet)
            assert found == ([expected] if expected else []), (subnet, group, ip, packet)


@worlds
@given(randoms)
def test_what_leaves_is_told_and_nothing_else(some):
    world = random_world(some)
    snapshot = world.snapshot()
    naive = Naive(snapshot)
    frame = reach(Tables(snapshot))
    enis = world._lists[world.region, "ec2-describe-network-interfaces", None]
    for subnet in subnets_of(world):
        sources = [
            [g["GroupId"] for g in eni["Groups"]]
            for eni in enis
            if eni["SubnetId"] == subnet and world.endpoint_id in eni["Description"]
        ]
        if not sources:
            name = "ec2-describe-client-vpn-target-networks"
            records = world._lists[world.region, name, world.endpoint_id]
            sources = [r["SecurityGroups"] for r in records if r["TargetNetworkId"] == subnet]
        for group in groups_of(world):
            for packet in packets(world, some, 3):
                for ip in WHERE:
                    expected = any(
                        naive.leaves(world.endpoint_id, subnet, group, ip, groups, packet)
                        for groups in sources
                    )
                    found = departures(frame, subnet, group, ip, packet)
                    assert bool(found) == expected, (subnet, group, ip, packet)


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
    groups = [EVERYONE] if blind else groups_of(world)
    places = [(g, e, ip) for g in groups for e, ip in receivers(world)]
    for group, eni, ip in some.sample(places, min(len(places), 4)):
        for packet in packets(world, some, 3):
            which, port, code = packet
            protocol = next((n for n, k in NUMBERS.items() if k == which), str(which))
            asked = (which, port, 0 if which in {1, 58} else code)
            made = explain(
                tables,
                endpoint=world.endpoint_id,
                to=ip,
                port=port if which in {6, 17, 1, 58} else None,
                protocol=protocol,
                group=group,
            )
            for path in made.paths:
                found = answers(frame, path.subnet_id, group, eni["NetworkInterfaceId"], ip, asked)
                left = departures(frame, path.subnet_id, group, ip, asked)
                if path.reachable == "yes":
                    assert found + left == [path.certainty]
                elif path.reachable == "no":
                    assert found + left == []
                    assert path.blockers
                    assert all(hop.change and hop.reason for hop in path.blockers)
                else:
                    assert "unknown" in found + left
                    assert any(hop.state == "unknown" for hop in path.hops)


@worlds
@given(randoms, st.sampled_from(REFUSABLE))
def test_a_refused_read_never_makes_an_answer_more_certain_nor_empty(some, read):
    world = random_world(some)
    full = reach(Tables(world.snapshot()))
    world.refuse(read)
    partial = reach(Tables(world.snapshot()))
    better = {"reliable": {"reliable"}, "fragile": {"reliable", "fragile"}}
    places = [
        (subnet, group, eni, ip)
        for subnet in subnets_of(world)
        for group in groups_of(world)
        for eni, ip in receivers(world)
    ]
    for subnet, group, eni, ip in some.sample(places, min(len(places), 6)):
        for packet in packets(world, some, 4):
            place = (subnet, group, eni["NetworkInterfaceId"], ip)
            was = answers(full, *place, packet)
            now = answers(partial, *place, packet)
            for certainty in now:
                assert certainty == "unknown" or set(was) & better[certainty], (place, packet)
            if was and not now:
                asked = {group, EVERYONE}  # groups are not known where their rules were not read
                told = [
                    certainty
                    for one in asked
                    for certainty in (
                        *answers(partial, subnet, one, place[2], ip, packet),
                        *departures(partial, subnet, one, ip, packet),
                    )
                ]
                told += [
                    row.certainty
                    for row in partial.itertuples()
                    if row.subnet_id != row.subnet_id  # the association is not known
                    and ip_address(ip) in ip_network(row.ip)
                    and holds(row, packet)
                ]
                assert "unknown" in told, (place, packet, was)


def reached_packets(frame, asked) -> set[tuple]:
    """Return which of these packets are reached for certain, and where."""
    return {
        (row.subnet_id, row.group, row.eni_id, row.ip, packet)
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
        add(some.choice(ids), some.choice([*CIDRS, *ids]), *some.choice(TRAFFIC))
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
    for subnet in subnets_of(world):
        for group in groups_of(world):
            for packet in packets(world, some, 3):
                for ip in WHERE:
                    asked = (subnet, group, ip, packet)
                    assert departures(before, *asked) == departures(after, *asked)


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
