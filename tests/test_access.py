"""Who reaches what, on small worlds: AWS's documented scenarios, cell by cell and piece by piece."""

import json
from functools import cache

import pandas as pd
import pytest

from auditlib.access import (
    COLUMNS,
    EVERYONE,
    explain,
    networks_in_words,
    nobody_at,
    reach,
    standing,
)
from auditlib.errors import ParameterError
from auditlib.tables import Tables
from tests.worlds import ACCOUNT, REGION, World

ANY = "0.0.0.0/0"


def tables_of(world: World) -> Tables:
    return Tables(world.snapshot())


def reached(world: World, **question) -> set[tuple]:
    """Return (group, ip, protocol, from, to, certainty) of interfaces."""
    frame = reach(tables_of(world), **question)
    frame = frame[frame["eni_id"].notna()].astype(object).where(frame.notna(), None)
    names = ["group", "ip", "protocol", "from_port", "to_port", "certainty"]
    return set(frame[names].itertuples(index=False, name=None))


# -- AWS's seven authorization scenarios ------------------------------------------------------------

PLACES = {
    "I": "8.8.8.8",
    "P": "172.16.0.5",
    "p": "172.16.0.200",
    "D": "10.0.0.5",
    "H": "10.0.2.119",
    "V": "192.168.0.5",
}
SCENARIOS = {
    1: ({("172.16.0.0/24", "eng"), ("10.0.0.0/16", "dev"), ("192.168.0.0/24", "mgr")}, set()),
    2: ({(ANY, "mgr")}, {("192.168.0.0/24", "mgr")}),
    3: ({("10.0.2.119/32", "mgr")}, set()),
    4: ({("172.16.0.128/25", "eng")}, set()),
    5: ({(ANY, "eng")}, set()),
    6: ({("192.168.0.0/24", "mgr")}, set()),
    7: ({(ANY, None)}, set()),
}
ANSWERS = {
    1: {"eng": "Pp", "dev": "DH", "mgr": "V", EVERYONE: ""},
    2: {"eng": "Pp", "dev": "DH", "mgr": "IV", EVERYONE: ""},
    3: {"eng": "Pp", "dev": "D", "mgr": "IHV", EVERYONE: ""},
    4: {"eng": "Pp", "dev": "D", "mgr": "IHV", EVERYONE: ""},
    5: {"eng": "IPpV", "dev": "D", "mgr": "IHV", EVERYONE: ""},
    6: {"eng": "IPp", "dev": "D", "mgr": "IHV", EVERYONE: ""},
    7: {"eng": "IPp", "dev": "DI", "mgr": "IHV", EVERYONE: "I"},
}


def scenario(number: int) -> tuple[World, str]:
    """Return an endpoint from which every place but the internet is an interface of its VPC."""
    w = World()
    vpc = w.vpc("10.0.0.0/16", "172.16.0.0/16", "192.168.0.0/16")
    here = w.subnet(vpc, "10.0.9.0/24")
    vpn, open_group = w.security_group(vpc), w.security_group(vpc)
    w.ingress(open_group, vpn)
    for ip, cidr in (
        ("172.16.0.5", "172.16.0.0/25"),
        ("172.16.0.200", "172.16.0.128/25"),
        ("10.0.0.5", "10.0.0.0/24"),
        ("10.0.2.119", "10.0.2.0/24"),
        ("192.168.0.5", "192.168.0.0/24"),
    ):
        w.interface(w.subnet(vpc, cidr), open_group, ip=ip)
    w.route(vpc, ANY, GatewayId="igw-1")
    endpoint = w.endpoint(vpc, (vpn,))
    w.associate(endpoint, here)
    w.endpoint_route(endpoint, ANY, here)
    rules: set[tuple] = set()
    for step in range(1, number + 1):
        added, removed = SCENARIOS[step]
        rules = (rules | added) - removed
    for cidr, group in sorted(rules, key=str):
        w.authorize(endpoint, cidr, group)
    return w, endpoint


@cache
def read_scenario(number: int) -> tuple[Tables, str, set[str]]:
    """Return a scenario's tables, its endpoint and the groups that reach anything."""
    world, endpoint = scenario(number)
    tables = tables_of(world)
    return tables, endpoint, {EVERYONE, *reach(tables)["group"]}


@pytest.mark.parametrize("number", SCENARIOS)
@pytest.mark.parametrize("group", ["eng", "dev", "mgr", EVERYONE])
@pytest.mark.parametrize("place", PLACES)
def test_aws_authorization_scenarios_cell_by_cell(number, group, place):
    tables, endpoint, groups = read_scenario(number)
    expected = place in ANSWERS[number][group]
    if group not in groups:
        assert not expected
        return
    made = explain(tables, endpoint, PLACES[place], 443, group=group)
    rows = reach(tables, endpoint, group, PLACES[place], 443, protocol="tcp")
    assert bool(len(rows)) == expected
    if not expected:
        assert [hop.step for hop in made.blockers] == ["authorization"]
    elif place == "I":
        assert made.reachable == "unknown"
        assert set(rows["eni_id"].isna()) == {True}
    else:
        assert (made.reachable, made.certainty) == ("yes", "reliable")


# -- the documented network scenarios, each piece removed in turn ----------------------------------


class Scene(World):
    """A VPC scenario whose pieces can be left out by name."""

    def __init__(self, *without: str) -> None:
        super().__init__()
        self.without = set(without)
        self.vpc_id = self.vpc("10.0.0.0/16", name="main")
        self.home = self.subnet(self.vpc_id, "10.0.1.0/24", name="vpn-a")
        self.vpn = self.security_group(self.vpc_id, "vpn", egress=False)
        self.has("egress", self.egress, self.vpn, ANY)
        self.endpoint_id = self.endpoint(self.vpc_id, (self.vpn,), name="staff")
        self.associated = self.has("association", self.associate, self.endpoint_id, self.home)

    def has(self, piece: str, make, *arguments, **more):
        """Make a piece of the scenario unless it is left out."""
        return None if piece in self.without else make(*arguments, **more)

    def routed(self, destination: str) -> None:
        routes = self._lists[self.region, "ec2-describe-client-vpn-routes", self.endpoint_id]
        routes.clear()
        if "association" not in self.without:
            self.has(
                "endpoint route", self.endpoint_route, self.endpoint_id, destination, self.home
            )

    def authorized(self, destination: str) -> None:
        self.has("authorization", self.authorize, self.endpoint_id, destination)

    def closed_acls(self, *subnets: str) -> None:
        """Give subnets a network ACL each that allows nothing but what is written."""
        for name, subnet in zip(("network ACL", "receiver network ACL"), subnets, strict=False):
            acl = self.network_acl(self.record(subnet)["VpcId"])
            self.use_network_acl(acl, subnet)
            forth, back = (True, False) if name == "network ACL" else (False, True)
            forward = f"{name} {'out' if forth else 'in'}"
            self.has(
                forward,
                self.acl_entry,
                acl,
                100,
                "allow",
                ANY,
                egress=forth,
                protocol="6",
                ports=(5432, 5432),
            )
            self.has(
                f"{name} back",
                self.acl_entry,
                acl,
                100,
                "allow",
                ANY,
                egress=back,
                protocol="6",
                ports=(1024, 65535),
            )


def a_vpc(*without: str) -> tuple[Scene, str]:
    w = Scene(*without)
    there = w.subnet(w.vpc_id, "10.0.2.0/24", name="db")
    db = w.security_group(w.vpc_id, "db")
    w.has("ingress", w.ingress, db, w.vpn, "tcp", (5432, 5432))
    w.has("receiver", w.interface, there, db, ip="10.0.2.9")
    w.routed("10.0.0.0/16")
    w.authorized("10.0.0.0/16")
    w.closed_acls(w.home, there)
    return w, "10.0.2.9"


def a_restricted_vpc(*without: str) -> tuple[Scene, str]:
    """Return a VPC where only members of one group are let out to, and only the endpoint in."""
    w = Scene(*without, "egress")
    w.without.discard("egress") if "egress" not in without else None
    there = w.subnet(w.vpc_id, "10.0.2.0/24", name="db")
    db, other = w.security_group(w.vpc_id, "db"), w.security_group(w.vpc_id, "other")
    w.has("egress", w.egress, w.vpn, db, "tcp", (5432, 5432))
    w.has("ingress", w.ingress, db, w.vpn, "tcp", (5432, 5432))
    w.ingress(other, "10.0.2.0/24")
    w.has("receiver", w.interface, there, db, ip="10.0.2.9")
    w.interface(there, other, ip="10.0.2.10")
    w.routed("10.0.0.0/16")
    w.authorized("10.0.0.0/16")
    return w, "10.0.2.9"


def a_peered_vpc(*without: str) -> tuple[Scene, str]:
    w = Scene(*without)
    other = w.vpc("10.1.0.0/16", name="shared")
    there = w.subnet(other, "10.1.2.0/24", name="db")
    db = w.security_group(other, "db")
    w.has("ingress", w.ingress, db, w.vpn, "tcp", (5432, 5432))
    w.has("receiver", w.interface, there, db, ip="10.1.2.9")
    status = "deleted" if "peering" in without else "active"
    pcx = w.peering(w.vpc_id, other, routed=False, status=status)
    w.has("VPC route", w.route, w.vpc_id, "10.1.0.0/16", VpcPeeringConnectionId=pcx)
    w.has("return route", w.route, other, "10.0.0.0/16", VpcPeeringConnectionId=pcx)
    w.routed("10.1.0.0/16")
    w.authorized("10.1.0.0/16")
    w.closed_acls(w.home, there)
    return w, "10.1.2.9"


def beyond(target: dict[str, str], destination: str, address: str):
    def scene(*without: str) -> tuple[Scene, str]:
        w = Scene(*without)
        w.has("VPC route", w.route, w.vpc_id, destination, **target)
        w.routed(destination)
        w.authorized(destination)
        w.closed_acls(w.home)
        return w, address

    return scene


def client_to_client(*without: str) -> tuple[Scene, str]:
    w = Scene(*without)
    w.routed("10.0.0.0/16")
    if "endpoint route" not in without and "association" not in without:
        w.endpoint_route(w.endpoint_id, "172.20.0.0/22", "local")
    w.authorized("172.20.0.0/22")
    return w, "172.20.0.7"


NETWORKS = {
    "a VPC": (
        a_vpc,
        "association, authorization, endpoint route, egress, network ACL out, network ACL back, "
        "receiver network ACL in, receiver network ACL back, receiver, ingress",
    ),
    "a VPC restricted by group": (
        a_restricted_vpc,
        "association, authorization, endpoint route, egress, receiver, ingress",
    ),
    "a peered VPC": (
        a_peered_vpc,
        "association, authorization, endpoint route, egress, network ACL out, network ACL back, "
        "VPC route, peering, receiver network ACL in, receiver network ACL back, return route, "
        "receiver, ingress",
    ),
    "on premises": (
        beyond({"GatewayId": "vgw-1"}, "192.168.0.0/16", "192.168.3.4"),
        "association, authorization, endpoint route, egress, network ACL out, network ACL back, "
        "VPC route",
    ),
    "the internet": (
        beyond({"GatewayId": "igw-1"}, ANY, "192.0.2.7"),
        "association, authorization, endpoint route, egress, network ACL out, network ACL back, "
        "VPC route",
    ),
    "other clients": (client_to_client, "association, authorization, endpoint route"),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_a_documented_network_is_reached(network):
    build, _ = NETWORKS[network]
    world, address = build()
    tables = tables_of(world)
    made = explain(tables, world.endpoint_id, address, 5432)
    leaves = network in {"on premises", "the internet"}
    assert made.reachable == ("unknown" if leaves else "yes")
    assert made.blockers == ()
    rows = reach(tables, to=address, port=5432)
    assert set(rows["certainty"]) == {"unknown" if leaves else "reliable"}
    if leaves:
        assert rows["via"].map(lambda via: via[-1].startswith("leaves what was read")).all()


@pytest.mark.parametrize(
    ("network", "piece"),
    [(name, piece) for name, (_, pieces) in NETWORKS.items() for piece in pieces.split(", ")],
)
def test_a_network_without_one_piece_is_not_reached_and_that_piece_is_named(network, piece):
    build, _ = NETWORKS[network]
    world, address = build(piece)
    tables = tables_of(world)
    assert len(reach(tables, to=address, port=5432, protocol="tcp")) == 0
    made = explain(tables, world.endpoint_id, address, 5432)
    assert made.reachable == "no"
    assert [hop.step for hop in made.blockers] == [piece]
    # Where nobody has the address, no change in the way would help.
    assert bool(made.blockers[0].change) == (piece != "receiver")
    told = "no interface that was read has the address" if piece == "receiver" else piece
    assert told in made.answer


def test_beside_a_receiver_that_names_the_endpoint_s_group_another_is_not_reached():
    world, _ = a_restricted_vpc()
    made = explain(tables_of(world), world.endpoint_id, "10.0.2.10", 5432)
    assert [hop.step for hop in made.blockers] == ["egress", "ingress"]
    assert set(reach(tables_of(world))["ip"]) == {"10.0.2.9"}


def split_subnets(*without: str) -> tuple[Scene, str]:
    """Return AWS's example of split routes: a peered VPC is routed from the second subnet only."""
    w, address = a_peered_vpc(*without)
    first = w.subnet(w.vpc_id, "10.0.3.0/24", name="vpn-b")
    w.associate(w.endpoint_id, first)
    w.authorize(w.endpoint_id, "10.0.0.0/16")
    return w, address


@pytest.mark.parametrize("piece", ["", *NETWORKS["a peered VPC"][1].split(", ")])
def test_split_subnets_work_from_one_only_and_each_piece_is_missed(piece):
    world, address = split_subnets(piece)
    made = explain(tables_of(world), world.endpoint_id, address, 5432)
    routed = {path.subnet_id: path for path in made.paths}.get(world.home)
    assert made.reachable == ("no" if piece else "yes")
    if piece == "association":
        assert routed is None
    else:
        blockers = [hop.step for hop in routed.blockers]
        assert blockers == ([piece] if piece else [])
    (other,) = (path for path in made.paths if path.subnet_id != world.home)
    assert other.reachable == "no"
    assert "endpoint route" in {hop.step for hop in other.blockers}
    rows = reach(tables_of(world), to=address)
    assert set(rows["subnet_id"]) == (set() if piece else {world.home})


@pytest.mark.parametrize("network", ["a VPC", "a peered VPC"])
def test_all_blockers_are_named_at_once(network):
    build, pieces = NETWORKS[network]
    missing = [p for p in pieces.split(", ") if p not in {"association", "receiver"}]
    world, address = build(*missing)
    made = explain(tables_of(world), world.endpoint_id, address, 5432)
    assert [hop.step for hop in made.blockers] == missing


# -- hops ------------------------------------------------------------------------------------------


def simple(*peers: tuple, ip: str = "10.0.1.10") -> tuple[World, str, str]:
    """Return a world with one endpoint, one receiver with these inbound rules, and their ids."""
    w = World()
    vpc = w.vpc()
    home, there = w.subnet(vpc, "10.0.1.0/24"), w.subnet(vpc, "10.0.2.0/24")
    vpn, db = w.security_group(vpc, "vpn"), w.security_group(vpc, "db")
    for peer, *traffic in peers:
        w.ingress(db, vpn if peer == "vpn" else peer, *traffic)
    w.interface(there, db, ip="10.0.2.9")
    endpoint = w.endpoint(vpc, (vpn,))
    w.associate(endpoint, home, ip=ip)
    w.authorize(endpoint, "10.0.0.0/16")
    return w, endpoint, db


@pytest.mark.parametrize(
    ("peer", "certainty"),
    [
        ("vpn", "reliable"),
        ("10.0.1.0/24", "reliable"),
        ("10.0.0.0/8", "reliable"),
        ("10.0.1.10/32", "fragile"),
        ("10.0.1.0/25", "fragile"),
        ("10.0.1.128/25", None),
        ("172.20.0.0/22", None),
        ("10.0.1.11/32", None),
    ],
)
def test_certainty_tells_group_and_subnet_from_a_present_address(peer, certainty):
    world, _, _ = simple((peer, "tcp", (22, 22)))
    row = ("*", "10.0.2.9", "tcp", 22, 22, certainty)
    assert reached(world) == ({row} if certainty else set())


def test_two_halves_of_the_subnet_are_as_reliable_as_the_whole():
    world, _, _ = simple(("10.0.1.0/25", "tcp", (22, 22)), ("10.0.1.128/25", "tcp", (20, 30)))
    assert reached(world) == {
        ("*", "10.0.2.9", "tcp", 22, 22, "reliable"),
    }


def test_one_port_range_may_be_reliable_in_the_middle_only():
    world, _, _ = simple(("10.0.1.10/32", "tcp", (20, 30)), ("vpn", "tcp", (25, 25)))
    assert reached(world) == {
        ("*", "10.0.2.9", "tcp", 20, 24, "fragile"),
        ("*", "10.0.2.9", "tcp", 25, 25, "reliable"),
        ("*", "10.0.2.9", "tcp", 26, 30, "fragile"),
    }


def test_via_names_the_admitting_rules_hop_by_hop():
    w = World()
    vpc = w.vpc()
    home, there = w.subnet(vpc, "10.0.1.0/24"), w.subnet(vpc, "10.0.2.0/24")
    vpn, db = w.security_group(vpc, egress=False), w.security_group(vpc)
    out = w.egress(vpn, db, "tcp", (443, 443))
    let_in = w.ingress(db, vpn, "tcp", (443, 443))
    w.ingress(db, vpn, "tcp", (8443, 8443))
    w.interface(there, db)
    endpoint = w.endpoint(vpc, (vpn,))
    w.associate(endpoint, home)
    w.authorize(endpoint, "10.0.0.0/16", "dev")
    frame = reach(tables_of(w))
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == 1
    via = frame["via"].iloc[0]
    assert via[0] == "authorization: 10.0.0.0/16 for dev"
    assert via[1] == f"endpoint route: 10.0.0.0/16 to {home}"
    assert f"egress: {out}" in via
    assert via[-1] == f"ingress: {let_in}"


def test_the_pair_of_groups_practitioners_use_is_judged_as_a_union():
    """One group receivers name, whose egress lets nothing out, beside one that lets all out."""
    w = World()
    vpc = w.vpc()
    home, there = w.subnet(vpc, "10.0.1.0/24"), w.subnet(vpc, "10.0.2.0/24")
    named, out = w.security_group(vpc, egress=False), w.security_group(vpc)
    w.egress(named, "127.0.0.1/32")
    db = w.security_group(vpc)
    w.ingress(db, named, "tcp", (5432, 5432))
    w.interface(there, db, ip="10.0.2.9")
    endpoint = w.endpoint(vpc, (named, out))
    w.associate(endpoint, home)
    w.authorize(endpoint, "10.0.0.0/16")
    assert reached(w) == {("*", "10.0.2.9", "tcp", 5432, 5432, "reliable")}


def test_groups_on_the_interface_count_not_the_configured_ones():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    other = world.security_group(world.record(endpoint)["VpcId"])
    world.record(endpoint)["SecurityGroupIds"] = [other]
    assert reached(world) == {("*", "10.0.2.9", "tcp", 22, 22, "reliable")}


def test_where_no_interface_is_seen_the_association_tells_the_groups():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)), ("10.0.1.10/32", "tcp", (23, 23)))
    enis = world._lists[REGION, "ec2-describe-network-interfaces", None]
    enis[:] = [eni for eni in enis if "ClientVPN" not in eni["Description"]]
    world.record(endpoint)["SecurityGroupIds"] = []
    assert reached(world) == {
        ("*", "10.0.2.9", "tcp", 22, 22, "reliable"),
        ("*", "10.0.2.9", "tcp", 23, 23, "unknown"),
    }


def test_every_address_of_an_interface_counts():
    world, _, db = simple(("vpn", "tcp", (22, 22)))
    subnet = world._lists[REGION, "ec2-describe-subnets", None][1]["SubnetId"]
    world.interface(
        subnet,
        db,
        ip="10.0.2.20",
        more_ips=("10.0.2.21",),
        Ipv4Prefixes=[{"Ipv4Prefix": "10.0.2.32/28"}],
    )
    ips = {row[1] for row in reached(world)}
    assert ips == {"10.0.2.9", "10.0.2.20", "10.0.2.21", "10.0.2.32/28"}


def test_a_delegated_prefix_is_cut_where_the_answer_changes():
    world, endpoint, db = simple(("vpn", "tcp", (22, 22)))
    subnet = world._lists[REGION, "ec2-describe-subnets", None][1]["SubnetId"]
    world.interface(subnet, db, ip="10.0.2.20", Ipv4Prefixes=[{"Ipv4Prefix": "10.0.2.32/28"}])
    world.authorize(endpoint, "10.0.2.40/29", "dev")
    frame = reach(tables_of(world))
    found = set(zip(frame["group"], frame["ip"], strict=True))
    assert {("*", "10.0.2.32/29"), ("dev", "10.0.2.32/29"), ("dev", "10.0.2.40/29")} <= found
    assert ("*", "10.0.2.40/29") not in found


def test_reach_is_answered_per_association_and_folded_on_demand():
    w = World()
    vpc = w.vpc()
    a, b = w.subnet(vpc, "10.0.1.0/24"), w.subnet(vpc, "10.0.3.0/24")
    there = w.subnet(vpc, "10.0.2.0/24")
    vpn, db = w.security_group(vpc), w.security_group(vpc)
    w.ingress(db, vpn, "tcp", (22, 23))
    w.ingress(db, "10.0.1.0/24", "tcp", (23, 24))
    w.interface(there, db, ip="10.0.2.9")
    endpoint = w.endpoint(vpc, (vpn,))
    w.associate(endpoint, a)
    w.associate(endpoint, b)
    w.authorize(endpoint, "10.0.0.0/16")
    tables = tables_of(w)
    frame = reach(tables)
    assert set(zip(frame["subnet_id"], frame["from_port"], frame["to_port"], strict=True)) == {
        (a, 22, 24),
        (b, 22, 23),
    }
    folded = reach(tables, summary=True)
    assert list(folded.columns) == ["subnets" if c == "subnet_id" else c for c in COLUMNS]
    assert set(zip(folded["subnets"], folded["from_port"], folded["to_port"], strict=True)) == {
        ((a, b), 22, 23),
        ((a,), 24, 24),
    }


def test_routes_that_differ_work_for_some_sessions_only():
    """AWS's split-traffic example: a client has only the routes of the subnet it landed on."""
    w = World()
    vpc, other = w.vpc("10.0.0.0/16"), w.vpc("172.31.0.0/16")
    a, b, there = (
        w.subnet(vpc, "10.0.1.0/24"),
        w.subnet(vpc, "10.0.3.0/24"),
        w.subnet(other, "172.31.0.0/24"),
    )
    w.peering(vpc, other)
    vpn, db = w.security_group(vpc), w.security_group(other)
    w.ingress(db, vpn, "tcp", (22, 22))
    w.interface(there, db, ip="172.31.0.9")
    endpoint = w.endpoint(vpc, (vpn,))
    w.associate(endpoint, a)
    w.associate(endpoint, b)
    w.endpoint_route(endpoint, "172.31.0.0/16", b)
    w.authorize(endpoint, ANY)
    tables = tables_of(w)
    assert set(reach(tables, to="172.31.0.9")["subnet_id"]) == {b}
    made = explain(tables, endpoint, "172.31.0.9", 22)
    assert {path.subnet_id: path.reachable for path in made.paths} == {a: "no", b: "yes"}
    assert "only in sessions that land on" in made.answer


def test_an_overlapping_route_with_another_target_leaves_it_unknown():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    vpc = world.record(endpoint)["VpcId"]
    other = world.subnet(vpc, "10.0.3.0/24")
    world.associate(endpoint, other)
    world.endpoint_route(endpoint, "10.0.2.0/24", other)
    frame = reach(tables_of(world), to="10.0.2.9")
    home = world._lists[REGION, "ec2-describe-subnets", None][0]["SubnetId"]
    assert dict(zip(frame["subnet_id"], frame["certainty"], strict=True)) == {
        home: "unknown",
        other: "reliable",
    }


def test_a_route_that_failed_leads_nowhere_and_is_named():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    for route in world._lists[REGION, "ec2-describe-client-vpn-routes", endpoint]:
        route["Status"]["Code"] = "failed"
    assert reached(world) == set()
    made = explain(tables_of(world), endpoint, "10.0.2.9", 22)
    assert [hop.step for hop in made.blockers] == ["endpoint route"]
    assert "is there but failed" in made.blockers[0].reason


def test_a_rule_that_failed_authorizes_nobody_and_is_named():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    rules = world._lists[REGION, "ec2-describe-client-vpn-authorization-rules", endpoint]
    rules[0]["Status"]["Code"] = "failed"
    assert reached(world) == set()
    made = explain(tables_of(world), endpoint, "10.0.2.9", 22)
    assert [hop.step for hop in made.blockers] == ["authorization"]
    assert "is there but failed" in made.blockers[0].reason


# -- what is being made or taken away, or has a status nobody knows yet -----------------------------


def told_unknown(world: World, endpoint: str, step: str, said: str, group: str = "*") -> None:
    """Assert that ssh to the receiver is unknown, in reach and explain, and why."""
    assert reached(world, group=group) == {(group, "10.0.2.9", "tcp", 22, 22, "unknown")}
    tables = tables_of(world)
    rows = reach(tables, group=group, to="10.0.2.9")
    assert any(f"unknown: {said}" in hop for hop in rows["via"].iloc[0]), rows["via"].iloc[0]
    made = explain(tables, endpoint, "10.0.2.9", 22, group=group)
    assert made.reachable == "unknown"
    (hop,) = (hop for hop in made.paths[0].hops if hop.state == "unknown")
    assert hop.step == step
    assert said in hop.reason


@pytest.mark.parametrize("status", ["authorizing", "revoking", "a-new-word", None])
def test_a_rule_that_may_hold_leaves_its_network_unknown(status):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    rules = world._lists[REGION, "ec2-describe-client-vpn-authorization-rules", endpoint]
    rules[0]["Status"]["Code"] = status
    said = f"10.0.0.0/16 for everyone is {status or 'in a state that was not told'}"
    told_unknown(world, endpoint, "authorization", said)


def test_a_narrower_rule_that_may_hold_may_take_the_network_from_others():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.authorize(endpoint, "10.0.2.0/24", "dba", status="authorizing")
    said = "10.0.2.0/24 for dba, a narrower rule, is authorizing"
    told_unknown(world, endpoint, "authorization", said)
    # It takes nothing from those it is for.
    assert reached(world, group="dba") == {("dba", "10.0.2.9", "tcp", 22, 22, "reliable")}


def test_a_narrower_rule_that_may_hold_may_open_the_network_it_is_for():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    rules = world._lists[REGION, "ec2-describe-client-vpn-authorization-rules", endpoint]
    rules[0] |= {"AccessAll": False, "GroupId": "dev"}
    world.authorize(endpoint, "10.0.2.9/32", "dba", status="revoking")
    told_unknown(world, endpoint, "authorization", "10.0.2.9/32 for dba is revoking", group="dba")
    told_unknown(
        world, endpoint, "authorization", "10.0.2.9/32 for dba, a narrower rule", group="dev"
    )
    assert reached(world, group="*") == set()


def test_a_wider_rule_that_may_hold_changes_nothing_under_a_narrower_one():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.authorize(endpoint, "10.0.0.0/8", "dba", status="revoking")
    assert reached(world, group="*") == {("*", "10.0.2.9", "tcp", 22, 22, "reliable")}


@pytest.mark.parametrize("status", ["creating", "deleting", "a-new-word", None])
def test_a_route_that_may_hold_leaves_its_network_unknown(status):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    (route,) = world._lists[REGION, "ec2-describe-client-vpn-routes", endpoint]
    route["Status"]["Code"] = status
    said = f"the route 10.0.0.0/16 to {route['TargetSubnet']} is {status or 'in a state'}"
    told_unknown(world, endpoint, "endpoint route", said)


def test_a_longer_route_elsewhere_that_may_hold_leaves_it_unknown():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.endpoint_route(endpoint, "10.0.2.0/24", "subnet-elsewhere", status="deleting")
    said = "10.0.2.0/24 to subnet-elsewhere is deleting"
    told_unknown(world, endpoint, "endpoint route", f"the route {said}")


def test_a_shorter_route_that_may_hold_changes_nothing_under_a_longer_one():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.endpoint_route(endpoint, "10.0.0.0/8", "subnet-elsewhere", status="deleting")
    assert reached(world) == {("*", "10.0.2.9", "tcp", 22, 22, "reliable")}


def test_a_route_to_other_clients_that_may_hold_is_one_unknown_row():
    world, endpoint, _ = simple()
    vpc = world.record(endpoint)["VpcId"]
    home = world.associations(endpoint)[0]["TargetNetworkId"]
    world.route(vpc, ANY, GatewayId="igw-1")
    world.endpoint_route(endpoint, ANY, home)
    world.authorize(endpoint, ANY)
    world.endpoint_route(endpoint, "172.20.0.0/22", "local", status="deleting")
    tables = tables_of(world)
    (row,) = reach(tables, to="172.20.0.7").itertuples()
    assert (row.ip, row.protocol, row.certainty) == ("172.20.0.0/22", "all", "unknown")
    assert "unknown: the route 172.20.0.0/22 to local is deleting" in row.via
    made = explain(tables, endpoint, "172.20.0.7", 22)
    assert made.reachable == "unknown"
    assert "to local is deleting" in made.paths[0].hops[1].reason


@pytest.mark.parametrize("status", ["deleting", "provisioning", "a-new-word"])
def test_a_peering_that_may_hold_leaves_what_is_behind_it_unknown(status):
    world, address = a_peered_vpc()
    world.record("pcx-00000000000000001")["Status"]["Code"] = status
    tables = tables_of(world)
    (row,) = reach(tables, to=address).itertuples()
    assert row.certainty == "unknown"
    assert f"unknown: pcx-00000000000000001 is {status}" in row.via
    made = explain(tables, world.endpoint_id, address, 5432)
    (hop,) = (hop for hop in made.paths[0].hops if hop.state == "unknown")
    assert (hop.step, hop.reason) == ("peering", f"pcx-00000000000000001 is {status}")


@pytest.mark.parametrize("status", ["pending-acceptance", "rejected", "expired", "failed"])
def test_a_peering_that_does_not_hold_is_named(status):
    world, address = a_peered_vpc()
    world.record("pcx-00000000000000001")["Status"]["Code"] = status
    assert len(reach(tables_of(world), to=address)) == 0
    made = explain(tables_of(world), world.endpoint_id, address, 5432)
    assert [hop.step for hop in made.blockers] == ["peering"]


@pytest.mark.parametrize("state", ["filtered", "a-new-word"])
def test_a_vpc_route_in_a_state_that_is_not_explained_may_lead_anywhere(state):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    vpc = world.record(endpoint)["VpcId"]
    world.route(vpc, "10.0.2.0/24", TransitGatewayId="tgw-1")
    world.record(f"{vpc}/route-table")["Routes"][-1]["State"] = state
    frame = reach(tables_of(world))
    assert set(frame["certainty"]) == {"unknown"}
    assert set(frame["ip"]) == {"10.0.2.0/24", "10.0.2.9"}
    assert f"is {state}: where it goes is not known" in " ".join(frame["via"].iloc[0])


@pytest.mark.parametrize("state", ["associating", "disassociating"])
def test_a_route_table_that_is_being_changed_leaves_it_unknown(state):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    home = world.associations(endpoint)[0]["TargetNetworkId"]
    table = world.route_table(world.record(endpoint)["VpcId"], home)
    world.record(table)["Associations"][0]["AssociationState"]["State"] = state
    assert reached(world) == {("*", "10.0.2.9", "tcp", 22, 22, "unknown")}
    made = explain(tables_of(world), endpoint, "10.0.2.9", 22)
    assert f"the route table of {home} is being changed" in made.answer


def test_every_status_aws_knows_is_told_apart():
    import botocore.session

    model = botocore.session.get_session().get_service_model("ec2")
    known = {
        status: standing(status)
        for name in (
            "AssociationStatusCode",
            "ClientVpnAuthorizationRuleStatusCode",
            "ClientVpnRouteStatusCode",
            "RouteTableAssociationStateCode",
            "VpcPeeringConnectionStateReasonCode",
        )
        for status in model.shape_for(name).enum
    }
    assert {status for status, found in known.items() if found == "in force"} == {
        "active",
        "associated",
    }
    assert {status for status, found in known.items() if found == "changing"} == {
        "associating",
        "authorizing",
        "creating",
        "deleting",
        "disassociating",
        "provisioning",
        "revoking",
    }


# -- rules that one answer shows and another does not list -------------------------------------------


@pytest.mark.parametrize(
    ("group", "member", "step"),
    [("db", "IpPermissions", "ingress"), ("vpn", "IpPermissionsEgress", "egress")],
)
def test_a_group_that_shows_more_than_was_listed_is_a_gap_and_never_without_rules(
    group, member, step
):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    groups = world._lists[REGION, "ec2-describe-security-groups", None]
    record = next(one for one in groups if one["GroupName"] == group)
    world.revoke(record["GroupId"])
    assert reached(world) == set()
    record[member] = [{"IpProtocol": "tcp", "IpRanges": [{"CidrIp": ANY}]}]
    tables = tables_of(world)
    assert set(reach(tables)["certainty"]) == {"unknown"}
    made = explain(tables, endpoint, "10.0.2.9", 22)
    assert made.reachable == "unknown"
    assert [hop.step for hop in made.paths[0].hops if hop.state == "unknown"] == [step]
    gaps = tables.gaps("security_group_rules")
    assert gaps["resource"].tolist() == [record["GroupId"]]
    assert "than rules were listed" in gaps["error_message"].iloc[0]


def test_a_group_whose_rules_are_all_listed_is_no_gap():
    world, _, db = simple(("vpn", "tcp", (22, 22)))
    world.record(db)["IpPermissions"] = [
        {"IpProtocol": "tcp", "UserIdGroupPairs": [{"GroupId": "sg-1"}]}
    ]
    assert tables_of(world).gaps("security_group_rules").empty


@pytest.mark.parametrize("status", ["associating", "association-failed", "disassociated"])
def test_an_association_that_is_not_in_force_is_named(status):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    networks = world._lists[REGION, "ec2-describe-client-vpn-target-networks", endpoint]
    networks[0]["Status"]["Code"] = status
    assert reached(world) == set()
    made = explain(tables_of(world), endpoint, "10.0.2.9", 22)
    assert [hop.step for hop in made.blockers] == ["association"]
    assert status in made.blockers[0].reason


def test_an_endpoint_without_associations_has_no_rows_and_says_so():
    w = World()
    endpoint = w.endpoint(w.vpc())
    w.authorize(endpoint, ANY)
    tables = tables_of(w)
    assert len(reach(tables)) == 0
    made = explain(tables, endpoint, "10.0.0.9", 22)
    assert made.reachable == "no"
    assert made.blockers[0].step == "association"
    assert "stopped by association" in made.answer


@pytest.mark.parametrize("status", ["deleting", "pending", "a-new-word"])
def test_an_endpoint_that_may_be_in_service_leaves_it_unknown(status):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.record(endpoint)["Status"] = {"Code": status}
    assert reached(world) == {("*", "10.0.2.9", "tcp", 22, 22, "unknown")}
    made = explain(tables_of(world), endpoint, "10.0.2.9", 22)
    assert made.reachable == "unknown"
    assert f"Not certain: the endpoint is {status}." in made.notes


def test_a_deleted_endpoint_reaches_nothing():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.record(endpoint)["Status"] = {"Code": "deleted"}
    assert reached(world) == set()


# -- network ACLs ------------------------------------------------------------------------------------


def with_acl(*entries: tuple) -> tuple[World, str]:
    world, endpoint, _ = simple(("vpn", "tcp"), ("vpn", "icmp"), ("vpn", "50"))
    subnet = world._lists[REGION, "ec2-describe-subnets", None][1]["SubnetId"]
    acl = world.network_acl(world.record(endpoint)["VpcId"])
    world.use_network_acl(acl, subnet)
    for number, action, cidr, egress, protocol, ports in entries:
        world.acl_entry(acl, number, action, cidr, egress=egress, protocol=protocol, ports=ports)
    return world, endpoint


def test_the_lowest_numbered_entry_decides():
    world, _ = with_acl(
        (90, "deny", "10.0.1.0/24", False, "6", (22, 22)),
        (100, "allow", ANY, False, "6", (20, 25)),
        (100, "allow", ANY, True, "6", (1024, 65535)),
    )
    assert reached(world) == {
        ("*", "10.0.2.9", "tcp", 20, 21, "reliable"),
        ("*", "10.0.2.9", "tcp", 23, 25, "reliable"),
    }


def test_answers_let_back_on_some_ports_only_leave_it_unknown():
    world, endpoint = with_acl(
        (100, "allow", ANY, False, "6", (22, 22)),
        (100, "allow", ANY, True, "6", (32768, 61000)),
    )
    assert reached(world) == {("*", "10.0.2.9", "tcp", 22, 22, "unknown")}
    made = explain(tables_of(world), endpoint, "10.0.2.9", 22)
    assert made.reachable == "unknown"
    assert [h.step for p in made.paths for h in p.hops if h.state == "unknown"] == [
        "receiver network ACL back"
    ]


def test_an_echo_needs_its_reply_and_other_messages_no_answer():
    world, _ = with_acl((100, "allow", ANY, False, "1", (-1, -1)))
    rows = {(low, high) for _, _, protocol, low, high, _ in reached(world) if protocol == "icmp"}
    assert (8, -1) not in rows
    assert (3, -1) in rows
    world, _ = with_acl(
        (100, "allow", ANY, False, "1", (-1, -1)), (100, "allow", ANY, True, "1", (0, 0))
    )
    assert ("*", "10.0.2.9", "icmp", -1, -1, "reliable") in reached(world)


def test_a_protocol_without_ports_answers_with_itself():
    world, _ = with_acl((100, "allow", ANY, False, "50", None))
    assert reached(world) == set()
    world, _ = with_acl(
        (100, "allow", ANY, False, "50", None), (100, "allow", ANY, True, "50", None)
    )
    assert reached(world) == {("*", "10.0.2.9", "50", None, None, "reliable")}


def test_inside_one_subnet_no_network_acl_and_no_route_is_asked():
    w = World()
    vpc = w.vpc()
    home = w.subnet(vpc, "10.0.1.0/24")
    w.use_network_acl(w.network_acl(vpc), home)
    w.record(f"{vpc}/route-table")["Routes"].clear()
    vpn, db = w.security_group(vpc), w.security_group(vpc)
    w.ingress(db, vpn, "tcp", (22, 22))
    w.interface(home, db, ip="10.0.1.99")
    endpoint = w.endpoint(vpc, (vpn,))
    w.associate(endpoint, home)
    w.authorize(endpoint, "10.0.0.0/16")
    assert reached(w) == {("*", "10.0.1.99", "tcp", 22, 22, "reliable")}


# -- VPC routes and peerings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "id"),
    [
        ({"GatewayId": "igw-1"}, "igw-1"),
        ({"GatewayId": "vgw-1"}, "vgw-1"),
        ({"TransitGatewayId": "tgw-1"}, "tgw-1"),
        ({"NatGatewayId": "nat-1"}, "nat-1"),
        ({"CarrierGatewayId": "cagw-1"}, "cagw-1"),
    ],
)
def test_what_leaves_is_told_with_where_it_leaves(target, id):
    world, endpoint, _ = simple()
    home = world._lists[REGION, "ec2-describe-subnets", None][0]["SubnetId"]
    world.route(world.record(endpoint)["VpcId"], "192.168.0.0/16", **target)
    world.endpoint_route(endpoint, ANY, home)
    world.authorize(endpoint, "192.168.7.0/24", "dev")
    frame = reach(tables_of(world))
    assert set(frame["eni_id"].isna()) == {True}
    assert set(
        zip(frame["group"], frame["ip"], frame["protocol"], frame["certainty"], strict=True)
    ) == {("dev", "192.168.7.0/24", "all", "unknown")}
    assert frame["via"].iloc[0][-1] == f"leaves what was read through {id}"


def test_networks_that_leave_are_one_row_for_people():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    home = world._lists[REGION, "ec2-describe-subnets", None][0]["SubnetId"]
    world.route(world.record(endpoint)["VpcId"], ANY, GatewayId="igw-1")
    world.endpoint_route(endpoint, ANY, home)
    world.authorize(endpoint, ANY)
    frame = reach(tables_of(world))
    assert frame["eni_id"].isna().sum() > 10
    told = networks_in_words(frame)
    assert list(told.columns) == list(frame.columns)
    assert sorted(told["ip"]) == ["10.0.2.9", "any IPv4 address but 10.0.0.0/16"]
    assert len(networks_in_words(frame[frame["eni_id"].notna()])) == 1
    assert len(networks_in_words(reach(tables_of(world), summary=True))) == 2


def test_a_peer_that_was_not_read_is_told_and_not_dropped():
    world, endpoint, _ = simple()
    vpc = world.record(endpoint)["VpcId"]
    home = world._lists[REGION, "ec2-describe-subnets", None][0]["SubnetId"]
    other = world.vpc("10.1.0.0/16")
    pcx = world.peering(vpc, other)
    world.record(pcx)["AccepterVpcInfo"] |= {"VpcId": "vpc-elsewhere", "OwnerId": "444455556666"}
    world.endpoint_route(endpoint, "10.1.0.0/16", home)
    world.authorize(endpoint, "10.1.0.0/16")
    frame = reach(tables_of(world))
    assert list(frame["ip"]) == ["10.1.0.0/16"]
    assert frame["via"].iloc[0][-1] == (
        f"leaves what was read through {pcx}: vpc-elsewhere was not read"
    )


def test_a_group_reference_does_not_cross_regions():
    world, address = a_peered_vpc()
    pcx = "pcx-00000000000000001"
    world.record(pcx)["AccepterVpcInfo"]["Region"] = "eu-west-1"
    assert len(reach(tables_of(world), to=address)) == 0
    groups = world._lists[REGION, "ec2-describe-security-groups", None]
    db = next(g["GroupId"] for g in groups if g["GroupName"] == "db")
    world.ingress(db, "10.0.1.0/24", "tcp", (5432, 5432))
    assert set(reach(tables_of(world), to=address)["certainty"]) == {"reliable"}


def test_a_longer_route_takes_the_packet_elsewhere():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.route(world.record(endpoint)["VpcId"], "10.0.2.0/24", TransitGatewayId="tgw-1")
    frame = reach(tables_of(world))
    assert set(frame["eni_id"].isna()) == {True}
    assert set(frame["ip"]) == {"10.0.2.0/24"}


def test_an_appliance_on_the_way_leaves_it_unknown():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.route(world.record(endpoint)["VpcId"], "10.0.2.0/24", NetworkInterfaceId="eni-fw")
    assert reached(world) == {("*", "10.0.2.9", "tcp", 22, 22, "unknown")}


def test_a_propagated_route_never_takes_the_vpc_s_own_traffic():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    vpc = world.record(endpoint)["VpcId"]
    world.route(vpc, "10.0.2.0/24", GatewayId="vgw-1")
    world.record(f"{vpc}/route-table")["Routes"][-1]["Origin"] = "EnableVgwRoutePropagation"
    assert reached(world) == {("*", "10.0.2.9", "tcp", 22, 22, "reliable")}


def test_a_blackhole_is_named():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    vpc = world.record(endpoint)["VpcId"]
    world.route(vpc, "10.0.2.0/24", TransitGatewayId="tgw-gone")
    world.record(f"{vpc}/route-table")["Routes"][-1]["State"] = "blackhole"
    made = explain(tables_of(world), endpoint, "10.0.2.9", 22)
    assert [hop.step for hop in made.blockers] == ["VPC route"]
    assert "tgw-gone, which is gone" in made.blockers[0].reason


# -- newer kinds of endpoint, and limits ---------------------------------------------------------------


def on_transit_gateway() -> tuple[World, str]:
    w = World()
    vpc = w.vpc()
    there = w.subnet(vpc, "10.0.2.0/24")
    db = w.security_group(vpc)
    w.ingress(db, "172.20.0.0/22", "tcp", (22, 22))
    w.ingress(db, "172.20.0.0/23", "tcp", (23, 23))
    w.ingress(db, "10.0.0.0/8", "tcp", (24, 24))
    w.interface(there, db, ip="10.0.2.9")
    w.route(vpc, "172.20.0.0/16", TransitGatewayId="tgw-1")
    endpoint = w.endpoint(
        None,
        TransitGatewayConfiguration={
            "TransitGatewayId": "tgw-1",
            "TransitGatewayAttachmentId": "tgw-attach-1",
        },
    )
    w.record(endpoint)["Status"] = {"Code": "available"}
    w._add(
        "ec2-describe-client-vpn-routes",
        {
            "ClientVpnEndpointId": endpoint,
            "DestinationCidr": "10.0.0.0/8",
            "TransitGatewayAttachmentId": "tgw-attach-1",
            "Status": {"Code": "active"},
        },
        resource=endpoint,
    )
    w.authorize(endpoint, "10.0.0.0/16", "dev")
    return w, endpoint


def test_behind_a_transit_gateway_receivers_see_client_addresses_and_nothing_is_certain():
    world, endpoint = on_transit_gateway()
    tables = tables_of(world)
    frame = reach(tables)
    seen = frame[frame["eni_id"].notna()]
    assert set(
        zip(seen["group"], seen["from_port"], seen["to_port"], seen["certainty"], strict=True)
    ) == {("dev", 22, 23, "unknown")}
    assert seen["subnet_id"].isna().all()
    leaving = frame[frame["eni_id"].isna()]
    assert set(leaving["ip"]) == {"10.0.0.0/16"}
    made = explain(tables, endpoint, "10.0.2.9", 22, group="dev")
    assert made.reachable == "unknown"
    assert "transit gateway" in {h.step for h in made.paths[0].hops}


def test_behind_a_transit_gateway_a_closed_receiver_is_told_though_packets_may_end_elsewhere():
    world, endpoint = on_transit_gateway()
    tables = tables_of(world)
    made = explain(tables, endpoint, "10.0.2.9", 24, group="dev")
    rows = reach(tables, to="10.0.2.9", port=24)
    assert made.reachable == "unknown"
    assert rows["eni_id"].isna().all()
    assert "nothing gets in there (no inbound rule lets TCP 24 in" in made.paths[0].hops[-1].reason


def test_behind_a_transit_gateway_a_vpc_without_a_way_back_is_not_reached():
    world, endpoint = on_transit_gateway()
    vpc = world._lists[REGION, "ec2-describe-vpcs", None][0]["VpcId"]
    world.record(f"{vpc}/route-table")["Routes"].pop()
    tables = tables_of(world)
    assert reach(tables)["eni_id"].isna().all()
    made = explain(tables, endpoint, "10.0.2.9", 22, group="dev")
    assert made.reachable == "unknown"
    assert "nothing gets in there" in made.paths[0].hops[-1].reason
    assert "has no route back" in made.paths[0].hops[-1].reason


def dual_stack(kind: str) -> tuple[World, str]:
    w = World()
    vpc = w.vpc(ipv6="2001:db8::/56")
    home = w.subnet(vpc, "10.0.1.0/24", ipv6="2001:db8:0:1::/64")
    there = w.subnet(vpc, "10.0.2.0/24", ipv6="2001:db8:0:2::/64")
    vpn, db = w.security_group(vpc), w.security_group(vpc)
    w.egress(vpn, "::/0")
    w.ingress(db, vpn, "tcp", (22, 22))
    w.ingress(db, "::/0", "tcp", (443, 443))
    acl = w.record(f"{vpc}/network-acl")["NetworkAclId"]
    for egress in (True, False):
        w.acl_entry(acl, 101, "allow", "::/0", egress=egress)
    w.interface(there, db, ip="10.0.2.9", ipv6=("2001:db8:0:2::9",))
    endpoint = w.endpoint(vpc, (vpn,), TrafficIpAddressType=kind)
    w.associate(endpoint, home)
    w.endpoint_route(endpoint, "::/0", home)
    w.authorize(endpoint, ANY)
    w.authorize(endpoint, "::/0")
    return w, endpoint


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("ipv4", {("10.0.2.9", 22, "reliable")}),
        (
            "dual-stack",
            {
                ("10.0.2.9", 22, "reliable"),
                ("2001:db8:0:2::9", 22, "unknown"),
                ("2001:db8:0:2::9", 443, "unknown"),
            },
        ),
        ("ipv6", {("2001:db8:0:2::9", 22, "unknown"), ("2001:db8:0:2::9", 443, "unknown")}),
    ],
)
def test_ipv6_is_answered_with_unknown(kind, expected):
    world, _ = dual_stack(kind)
    assert {(ip, low, sure) for _, ip, _, low, _, sure in reached(world)} == expected


def test_an_ipv6_question_is_explained():
    world, endpoint = dual_stack("dual-stack")
    made = explain(tables_of(world), endpoint, "2001:db8:0:2::9", 443)
    assert made.reachable == "unknown"
    assert explain(tables_of(world), endpoint, "2001:db8:0:2::9", 25).reachable == "no"


@pytest.mark.parametrize(("kind", "to"), [("ipv4", "2001:db8:0:2::9"), ("ipv6", "10.0.2.9")])
def test_an_endpoint_carries_no_packets_of_the_other_kind(kind, to):
    world, endpoint = dual_stack(kind)
    made = explain(tables_of(world), endpoint, to, 22)
    assert made.reachable == "no"
    (blocker,) = [hop for hop in made.blockers if hop.step == "endpoint"]
    assert "traffic only" in blocker.reason
    assert "dual-stack" in blocker.change


def test_traffic_of_a_kind_not_known_today_is_unknown():
    world, endpoint = dual_stack("a-new-word")
    found = {(ip, low, sure) for _, ip, _, low, _, sure in reached(world)}
    assert {ip for ip, _, _ in found} == {"10.0.2.9", "2001:db8:0:2::9"}
    assert {sure for _, _, sure in found} == {"unknown"}
    made = explain(tables_of(world), endpoint, "10.0.2.9", 22)
    assert made.reachable == "unknown"
    assert "a-new-word" in str(made)


def test_clients_reach_each_other_only_with_the_route_to_local():
    world, address = client_to_client()
    frame = reach(tables_of(world), to=address)
    assert list(frame["certainty"]) == ["reliable"]
    assert list(frame["protocol"]) == ["all"]
    assert frame["via"].iloc[0][-1] == "client to client: no security group is crossed"
    world, _, _ = simple()
    assert len(reach(tables_of(world), to=address)) == 0


def test_a_group_rule_between_clients_is_unknown():
    w = Scene("authorization")
    w.endpoint_route(w.endpoint_id, "172.20.0.0/22", "local")
    w.authorize(w.endpoint_id, "172.20.0.0/22", "dev")
    tables = tables_of(w)
    frame = reach(tables, to="172.20.0.7")
    assert set(zip(frame["group"], frame["certainty"], strict=True)) == {("dev", "unknown")}
    assert explain(tables, w.endpoint_id, "172.20.0.7", 22, group="dev").reachable == "unknown"


@pytest.mark.parametrize(
    ("shadow", "status", "said"),
    [
        ("disabled", "active", "upper bound: the Cedar policy of"),
        ("enabled", "active", "not narrowed: the Cedar policy of"),
        ("disabled", "failed", "not narrowed: the Cedar policy of"),
    ],
)
def test_a_cedar_policy_makes_reach_an_upper_bound(shadow, status, said):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.policy(endpoint, "permit(principal, action, resource);", shadow=shadow, status=status)
    tables = tables_of(world)
    assert reach(tables)["via"].iloc[0][-1].startswith(said)
    assert any(note.startswith(said) for note in explain(tables, endpoint, "10.0.2.9", 22).notes)


def test_an_interface_without_groups_is_unknown():
    world, endpoint, _ = simple()
    subnet = world._lists[REGION, "ec2-describe-subnets", None][1]["SubnetId"]
    eni = world.interface(subnet, ip="10.0.2.77", type="nat_gateway")
    assert reached(world) == {("*", "10.0.2.77", "all", None, None, "unknown")}
    (path,) = explain(tables_of(world), endpoint, "10.0.2.77", 443).paths
    assert (path.hops[-1].step, path.hops[-1].object_id) == ("ingress", eni)


# -- gaps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "read",
    [
        "ec2-describe-client-vpn-target-networks",
        "ec2-describe-client-vpn-authorization-rules",
        "ec2-describe-client-vpn-routes",
        "ec2-describe-security-group-rules",
        "ec2-describe-network-acls",
        "ec2-describe-route-tables",
    ],
)
def test_a_refused_read_makes_the_rows_unknown_and_never_empty(read):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.refuse(read)
    tables = tables_of(world)
    rows = reach(tables, to="10.0.2.9", port=22, protocol="tcp")
    assert set(rows["certainty"]) == {"unknown"}
    assert "eni-00000000000000001" in set(rows["eni_id"])
    made = explain(tables, endpoint, "10.0.2.9", 22)
    assert made.reachable == "unknown"
    assert not made.blockers


def test_interfaces_that_could_not_be_read_are_told_as_a_network():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.refuse("ec2-describe-network-interfaces")
    rows = reach(tables_of(world))
    assert set(rows["eni_id"].isna()) == {True}
    assert set(rows["certainty"]) == {"unknown"}
    assert rows["via"].iloc[0][-1].endswith("could not be read")
    made = explain(tables_of(world), endpoint, "10.0.2.9", 22)
    assert made.reachable == "unknown"


def test_an_unread_prefix_list_makes_only_its_own_ports_unknown():
    world, _, db = simple(("vpn", "tcp", (22, 22)))
    world.ingress(db, world.prefix_list("10.0.1.0/24"), "tcp", (443, 443))
    assert ("*", "10.0.2.9", "tcp", 443, 443, "reliable") in reached(world)
    world.refuse("ec2-get-managed-prefix-list-entries")
    assert reached(world) == {
        ("*", "10.0.2.9", "tcp", 22, 22, "reliable"),
        ("*", "10.0.2.9", "tcp", 443, 443, "unknown"),
    }


def test_a_group_of_another_account_that_was_not_read_is_unknown():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    subnet = world._lists[REGION, "ec2-describe-subnets", None][1]["SubnetId"]
    world._by_id["sg-shared"] = {"GroupName": "shared"}
    world.interface(subnet, "sg-shared", ip="10.0.2.50")
    assert ("*", "10.0.2.50", "all", None, None, "unknown") in reached(world)
    made = explain(tables_of(world), endpoint, "10.0.2.50", 22)
    assert made.reachable == "unknown"
    assert "sg-shared" in made.answer


def test_a_refusal_for_one_endpoint_leaves_the_other_certain():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    subnet = world._lists[REGION, "ec2-describe-subnets", None][0]["SubnetId"]
    other = world.endpoint(
        world.record(endpoint)["VpcId"], tuple(world.record(endpoint)["SecurityGroupIds"])
    )
    world.associate(other, subnet)
    world.authorize(other, ANY)
    world.refuse("ec2-describe-client-vpn-authorization-rules", resource=other)
    frame = reach(tables_of(world), to="10.0.2.9")
    assert dict(zip(frame["endpoint_id"], frame["certainty"], strict=True)) == {
        endpoint: "reliable",
        other: "unknown",
    }


def test_a_refused_policy_is_told_beside_the_answer():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.refuse("ec2-get-client-vpn-endpoint-authorization-policy")
    frame = reach(tables_of(world))
    assert set(frame["certainty"]) == {"reliable"}
    assert "could not be read" in frame["via"].iloc[0][-1]
    assert explain(tables_of(world), endpoint, "10.0.2.9", 22).notes


@pytest.mark.parametrize("summary", [False, True])
def test_one_interface_can_be_asked_for(summary):
    world, _, db = simple(("vpn", "tcp", (22, 22)))
    subnet = world._lists[REGION, "ec2-describe-subnets", None][1]["SubnetId"]
    world.interface(subnet, db, ip="10.0.2.20")
    frame = reach(tables_of(world), to="eni-00000000000000001", summary=summary)
    assert list(frame["ip"]) == ["10.0.2.9"]


def test_a_rule_of_an_unknown_kind_may_match():
    world, _, db = simple(("vpn", "tcp", (22, 22)))
    rules = world._lists[REGION, "ec2-describe-security-group-rules", None]
    world.ingress(db, "10.9.0.0/16", "tcp", (23, 23))
    del rules[-1]["CidrIpv4"]
    assert ("*", "10.0.2.9", "tcp", 23, 23, "unknown") in reached(world)


def test_a_prefix_list_routes_as_its_entries():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    vpc = world.record(endpoint)["VpcId"]
    world.route(vpc, world.prefix_list("10.0.2.0/24"), TransitGatewayId="tgw-1")
    frame = reach(tables_of(world))
    assert set(frame["ip"]) == {"10.0.2.0/24"}
    world.refuse("ec2-get-managed-prefix-list-entries")
    assert reached(world) == {("*", "10.0.2.9", "tcp", 22, 22, "unknown")}


def test_an_empty_prefix_list_admits_nobody():
    world, _, db = simple()
    world.ingress(db, world.prefix_list(), "tcp", (22, 22))
    assert reached(world) == set()


def test_answers_that_go_back_another_way_leave_it_unknown():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    vpc = world.record(endpoint)["VpcId"]
    there = world._lists[REGION, "ec2-describe-subnets", None][1]["SubnetId"]
    table = world.route_table(vpc, there)
    world.record(table)["Routes"].append(
        {
            "DestinationCidrBlock": "10.0.1.0/24",
            "TransitGatewayId": "tgw-1",
            "Origin": "CreateRoute",
            "State": "active",
        }
    )
    assert reached(world) == {("*", "10.0.2.9", "tcp", 22, 22, "unknown")}


def test_a_refused_peering_read_tells_where_traffic_goes():
    world, address = a_peered_vpc()
    world.refuse("ec2-describe-vpc-peering-connections")
    frame = reach(tables_of(world), to=address)
    assert set(frame["certainty"]) == {"unknown"}
    assert "the peering could not be read" in frame["via"].iloc[0][-1]
    made = explain(tables_of(world), world.endpoint_id, address, 5432)
    assert made.reachable == "unknown"
    assert "peering" in {h.step for h in made.paths[0].hops if h.state == "unknown"}


def test_where_subnets_could_not_be_read_nothing_inside_the_vpc_is_ruled_out():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.route(world.record(endpoint)["VpcId"], "10.0.2.0/24", TransitGatewayId="tgw-1")
    world.refuse("ec2-describe-subnets")
    assert ("*", "10.0.2.9", "tcp", 22, 22, "unknown") in reached(world)


def test_interfaces_that_may_be_another_endpoint_s_are_not_relied_on():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)), ("10.0.1.10/32", "tcp", (23, 23)))
    vpn = world.record(endpoint)["SecurityGroupIds"][0]
    home = world._lists[REGION, "ec2-describe-subnets", None][0]["SubnetId"]
    for eni in world._lists[REGION, "ec2-describe-network-interfaces", None]:
        if "ClientVPN" in eni["Description"]:
            eni["Description"] = "ClientVPN Endpoint resource"
    other = world.endpoint(world.record(endpoint)["VpcId"], (vpn,))
    world.associate(other, home, named=False, ip="10.0.1.20")
    world.authorize(other, "10.0.0.0/16")
    found = {(p, c) for _, _, _, p, _, c in reached(world, endpoint=endpoint)}
    assert found == {(22, "reliable"), (23, "unknown")}


def test_an_explanation_shows_itself_in_a_notebook_and_says_how_to_open():
    world, address = a_vpc("ingress")
    made = explain(tables_of(world), world.endpoint_id, address, 5432)
    assert "to open it: Allow inbound TCP 5432" in str(made)
    assert "Allow inbound TCP 5432" in made._repr_html_()


def test_a_route_that_keeps_the_packet_inside_the_vpc_is_named():
    world, address = a_peered_vpc("VPC route")
    world.route(world.vpc_id, "10.1.0.0/16", GatewayId="local")
    made = explain(tables_of(world), world.endpoint_id, address, 5432)
    assert [hop.step for hop in made.blockers] == ["VPC route"]
    assert "not vpc-" in made.blockers[0].reason


# -- wrong questions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"endpoint": "cvpn-endpoint-00000000000000002"}, "cvpn-endpoint-00000000000000001"),
        ({"to": "eni-00000000000000009"}, "eni-00000000000000001"),
        ({"to": "10.0.2.999"}, "10.0.2.9"),
        ({"port": 70000}, "the nearest is 65535"),
        ({"port": -4}, "the nearest is 0"),
        ({"port": 300, "protocol": "icmp"}, "ICMP type"),
        ({"port": 1, "protocol": "50"}, "has no ports"),
        ({"protocol": "tpc"}, "tcp"),
        ({"group": "dve"}, "dev"),
    ],
)
def test_a_wrong_question_gets_one_clear_line_with_the_nearest(question, said):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.authorize(endpoint, "10.0.2.0/24", "dev")
    with pytest.raises(ParameterError) as raised:
        reach(tables_of(world), **question)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("10.0.2.8", "No interface that was read has 10.0.2.8; the nearest: 10.0.2.9"),
        ("2001:db8::1", "No interface that was read has 2001:db8::1."),
        ("10.0.2.9", ""),
        ("eni-00000000000000001", ""),
    ],
)
def test_an_address_that_nobody_has_is_told_with_the_nearest(to, said):
    world, _, _ = simple(("vpn", "tcp", (22, 22)))
    told = nobody_at(tables_of(world), to)
    assert told.startswith(said)
    assert bool(told) is bool(said)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"port": None}, "Say which port"),
        ({"port": 22, "protocol": "all"}, "not one protocol"),
        ({"port": 22, "endpoint": "cvpn"}, "nearest"),
    ],
)
def test_explain_says_what_it_needs(question, said):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    with pytest.raises(ParameterError, match=said):
        explain(tables_of(world), **({"endpoint": endpoint, "to": "10.0.2.9"} | question))


def test_a_question_about_an_empty_account_says_so():
    with pytest.raises(ParameterError, match="there is none in what was read"):
        reach(tables_of(World()), endpoint="cvpn-endpoint-1")
    assert list(reach(tables_of(World())).columns) == list(COLUMNS)
    assert list(reach(tables_of(World()), summary=True).columns)[3] == "subnets"


# -- an explanation ---------------------------------------------------------------------------------------


def test_an_explanation_is_a_frame_a_text_and_plain_types():
    world, address = a_vpc()
    made = explain(tables_of(world), world.endpoint_id, address, 5432)
    frame = made.to_frame()
    assert frame["step"].iloc[0] == "authorization"
    assert set(frame["state"]) == {"open"}
    text = str(made)
    assert text.startswith(made.answer)
    assert "✓ ingress" in text
    plain = json.loads(json.dumps(made.to_dict()))
    assert plain["reachable"] == "yes"
    assert plain["paths"][0]["hops"][0]["rules"] == ["10.0.0.0/16 for everyone"]
    assert (ACCOUNT, made.endpoint_name) == (ACCOUNT, "staff")


def test_an_interface_is_asked_by_its_primary_address():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    made = explain(tables_of(world), endpoint, "eni-00000000000000001", 22)
    assert (made.to, made.reachable) == ("10.0.2.9", "yes")


def test_icmp_is_asked_by_type():
    world, endpoint, _ = simple(("vpn", "icmp", (8, -1)))
    tables = tables_of(world)
    assert explain(tables, endpoint, "10.0.2.9", protocol="icmp").reachable == "yes"
    assert explain(tables, endpoint, "10.0.2.9", 3, protocol="icmp").reachable == "no"


def test_a_hidden_network_is_explained_with_who_would_lose_it():
    world, endpoint = scenario(3)
    made = explain(tables_of(world), endpoint, "10.0.2.119", 443, group="dev")
    hop = made.blockers[0]
    assert "the narrowest rule that holds 10.0.2.119, is for mgr only" in hop.reason
    assert "it takes the address from the wider rule 10.0.0.0/16" in hop.reason
    assert "10.0.2.119/32" in hop.change


@pytest.mark.parametrize("status", ["disassociating", "a-new-word", None])
def test_an_association_in_no_known_state_leaves_reach_unknown_and_never_empty(status):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.associations(endpoint)[0]["Status"] = {"Code": status}
    rows = reach(tables_of(world), to="10.0.2.9", port=22, protocol="tcp")
    assert set(rows["certainty"]) == {"unknown"}
    made = explain(tables_of(world), endpoint, "10.0.2.9", 22)
    assert made.reachable == "unknown"


@pytest.mark.parametrize("status", ["associating", "association-failed", "disassociated"])
def test_an_association_that_is_not_in_force_carries_nobody(status):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.associations(endpoint)[0]["Status"] = {"Code": status}
    assert reach(tables_of(world)).empty
    assert explain(tables_of(world), endpoint, "10.0.2.9", 22).reachable == "no"


@pytest.mark.parametrize("listed", [True, False])
def test_a_vpc_shared_by_an_account_that_was_not_read_may_hold_more_receivers(listed):
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    groups = world._lists[REGION, "ec2-describe-security-groups", None]
    groups[:] = [group for group in groups if group["GroupName"] != "default"]
    vpcs = world._lists[REGION, "ec2-describe-vpcs", None]
    vpcs[0]["OwnerId"] = "444455556666"
    if not listed:
        vpcs.clear()
    rows = reach(tables_of(world))
    assert "eni-00000000000000001" in set(rows["eni_id"])
    elsewhere = rows[rows["eni_id"].isna()]
    assert set(elsewhere["certainty"]) == {"unknown"}
    assert "belongs to an account that was not read" in elsewhere["via"].iloc[0][-1]
    made = explain(tables_of(world), endpoint, "10.0.2.99", 22)
    assert made.reachable == "unknown"


def test_inside_the_association_s_subnet_no_network_acl_stops_what_could_not_be_listed():
    world = World()
    vpc = world.vpc()
    home = world.subnet(vpc, "10.0.1.0/24")
    group = world.security_group(vpc, "vpn")
    endpoint = world.endpoint(vpc, (group,))
    world.associate(endpoint, home)
    world.authorize(endpoint, "10.0.0.0/16")
    world.use_network_acl(world.network_acl(vpc), home)  # denies everything
    world.refuse("ec2-describe-network-interfaces")
    made = explain(Tables(world.snapshot()), endpoint=endpoint, to="10.0.1.77", port=443)
    assert made.reachable == "unknown"
    assert "network ACL out" not in {hop.step for path in made.paths for hop in path.hops}


def shared_subnet() -> tuple[World, str, str]:
    """Return two endpoints in one subnet, the second one's interface without its name."""
    world, endpoint, db = simple(("10.0.1.11/32", "tcp", (22, 22)))
    home = world.associations(endpoint)[0]["TargetNetworkId"]
    vpc = world.record(endpoint)["VpcId"]
    other = world.endpoint(vpc, (world.security_group(vpc, "other"),))
    enis = world._lists[REGION, "ec2-describe-network-interfaces", None]
    world.associate(other, home, ip="10.0.1.11", named=False)
    mine = next(eni for eni in enis if endpoint in eni["Description"])
    mine["Description"] = "ClientVPN Endpoint resource"
    assert db
    return world, endpoint, other


def test_what_is_reliable_holds_for_every_interface_that_may_be_the_endpoint_s_own():
    world, first, db = simple(("vpn", "tcp", (22, 22)))
    vpc = world.record(first)["VpcId"]
    home = world.associations(first)[0]["TargetNetworkId"]
    (own,) = (
        e
        for e in world._lists[REGION, "ec2-describe-network-interfaces", None]
        if e["PrivateIpAddress"] == "10.0.1.10"
    )
    own["Description"] = "ClientVPN Endpoint resource"
    other = world.security_group(vpc, "other")
    own["Groups"] = [{"GroupId": other, "GroupName": "other"}]
    second = world.endpoint(vpc, (other,))
    world.associate(second, home, ip="10.0.1.11", named=False)
    world.authorize(second, "10.0.0.0/16")
    # Either interface may be the first endpoint's, and only one of the two is let in.
    found = reach(tables_of(world), endpoint=first, to="10.0.2.9")
    assert set(found["certainty"]) == {"unknown"}
    world.ingress(db, other, "tcp", (22, 22))
    found = reach(tables_of(world), endpoint=first, to="10.0.2.9")
    assert set(found["certainty"]) == {"reliable"}


def test_an_interface_that_outlives_its_endpoint_is_not_relied_on_for_another():
    world, endpoint, other = shared_subnet()
    world.record(other)["Status"] = {"Code": "deleted"}
    rows = reach(tables_of(world), endpoint=endpoint, to="10.0.2.9")
    assert set(rows["certainty"]) == {"unknown"}


def test_an_interface_without_a_name_may_be_of_an_endpoint_whose_associations_were_refused():
    world, endpoint, other = shared_subnet()
    world.refuse("ec2-describe-client-vpn-target-networks", resource=other)
    rows = reach(tables_of(world), endpoint=endpoint, to="10.0.2.9")
    assert set(rows["certainty"]) == {"unknown"}


def test_where_routes_could_not_be_read_other_clients_may_be_reached():
    world, endpoint, _ = simple()
    world.authorize(endpoint, "172.20.0.0/22")
    world.refuse("ec2-describe-client-vpn-routes")
    (row,) = reach(tables_of(world), to="172.20.0.7").itertuples()
    assert (row.ip, row.certainty) == ("172.20.0.0/22", "unknown")
    made = explain(tables_of(world), endpoint, "172.20.0.7", 22)
    assert made.reachable == "unknown"
    assert any("routes could not be read" in hop.reason for hop in made.paths[0].hops)


def test_every_hop_is_named_by_id_and_name_and_the_receiver_too():
    world, address = a_peered_vpc()
    (receiver,) = (
        e
        for e in world._lists[REGION, "ec2-describe-network-interfaces", None]
        if e["PrivateIpAddress"] == address
    )
    receiver["TagSet"] = [{"Key": "Name", "Value": "orders-db"}]
    world.record(world.endpoint_id)["Tags"] = [{"Key": "Name", "Value": "staff-vpn"}]
    for read, key in (
        ("route-tables", "RouteTableId"),
        ("network-acls", "NetworkAclId"),
        ("vpc-peering-connections", "VpcPeeringConnectionId"),
    ):
        for record in world._lists[REGION, f"ec2-describe-{read}", None]:
            record["Tags"] = [{"Key": "Name", "Value": f"name of {record[key]}"}]
    made = explain(tables_of(world), world.endpoint_id, address, 5432)
    for hop in made.paths[0].hops:
        assert hop.object_id
        assert hop.object_name, hop
        assert f"{hop.step}: {hop.object_id} ({hop.object_name}): " in str(made)
    ids = {hop.step: hop.object_name for hop in made.paths[0].hops}
    assert ids["peering"] == "name of pcx-00000000000000001"
    assert ids["VPC route"].startswith("name of rtb-")
    assert ids["network ACL out"].startswith("name of acl-")
    assert f"to {receiver['NetworkInterfaceId']} (orders-db): reached" in str(made)


# -- what AWS's answers may hold beside --------------------------------------------------------------


def rows_to(world: World, ip: str = "10.0.2.9") -> set[tuple]:
    found = reach(tables_of(world), to=ip)
    names = ["subnet_id", "group", "protocol", "from_port", "certainty"]
    return set(found[names].astype(str).itertuples(index=False, name=None))


def test_a_vpc_route_without_a_destination_may_lead_anywhere():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    table = next(iter(world._lists[REGION, "ec2-describe-route-tables", None]))
    table["Routes"].append({"GatewayId": "igw-1", "Origin": "CreateRoute", "State": "active"})
    assert {row[-1] for row in rows_to(world)} == {"unknown"}
    (path,) = explain(tables_of(world), endpoint, "10.0.2.9", 22).paths
    assert any("a route without destination" in hop.reason for hop in path.hops)


def test_a_route_table_that_is_no_longer_in_force_for_a_subnet_is_not_asked():
    world, _, _ = simple(("vpn", "tcp", (22, 22)))
    before = rows_to(world)
    home = world._lists[REGION, "ec2-describe-subnets", None][0]
    table = world.route_table(home["VpcId"], home["SubnetId"])
    world.record(table)["Associations"][0]["AssociationState"] = {"State": "disassociated"}
    world.record(table)["Routes"].clear()
    assert rows_to(world) == before


def test_while_the_route_table_is_changed_nothing_is_said_to_stay_inside():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    home = world._lists[REGION, "ec2-describe-subnets", None][0]
    table = world.route_table(home["VpcId"], home["SubnetId"])
    world.record(table)["Associations"][0]["AssociationState"] = {"State": "associating"}
    for to in ("10.0.2.9", "10.0.2.99", "192.0.2.9"):
        assert explain(tables_of(world), endpoint, to, 22).reachable != "yes"


def test_an_address_that_is_listed_twice_is_one():
    world, _, _ = simple(("vpn", "tcp", (22, 22)))
    before = rows_to(world)
    for eni in world._lists[REGION, "ec2-describe-network-interfaces", None]:
        eni["PrivateIpAddresses"] *= 2
    assert rows_to(world) == before
    assert len(reach(tables_of(world), to="10.0.2.9")) == len(before)


def test_an_interface_that_two_accounts_list_is_one():
    world, _, _ = simple(("vpn", "tcp", (22, 22)))
    tables = tables_of(world)
    held = tables["network_interface_addresses"]
    twice = pd.concat([held, held], ignore_index=True)
    assert len(reach(tables.replace(network_interface_addresses=twice))) == len(reach(tables))


def test_without_a_route_table_nothing_is_said_to_be_reached():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world._lists[REGION, "ec2-describe-route-tables", None].clear()
    for to in ("10.0.2.9", "10.0.99.9"):
        assert explain(tables_of(world), endpoint, to, 22).reachable == "unknown"


def test_without_subnets_and_route_tables_nothing_is_said_to_be_reached():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.refuse("ec2-describe-subnets").refuse("ec2-describe-route-tables")
    for to in ("10.0.2.9", "10.0.99.9"):
        assert explain(tables_of(world), endpoint, to, 22).reachable == "unknown"


def test_a_source_that_is_no_range_may_match():
    world, _, _ = simple(("10.9.0.0/16", "tcp", (22, 22)))
    assert not rows_to(world)
    (rule,) = (
        r
        for r in world._lists[REGION, "ec2-describe-security-group-rules", None]
        if r.get("CidrIpv4") == "10.9.0.0/16"
    )
    rule["CidrIpv4"] = "somewhere"
    assert {row[2:] for row in rows_to(world)} == {("tcp", "22", "unknown")}


def test_an_endpoint_is_asked_for_by_its_name_where_no_other_has_it():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    world.record(endpoint)["Tags"] = [{"Key": "Name", "Value": "staff"}]
    assert explain(tables_of(world), "staff", "10.0.2.9", 22).reachable == "yes"
    other = world.endpoint(world.record(endpoint)["VpcId"], name="staff")
    with pytest.raises(ParameterError, match=rf"name of 2 endpoints.*{endpoint}.*{other}"):
        explain(tables_of(world), "staff", "10.0.2.9", 22)


def test_an_interface_without_an_address_asks_for_one():
    world, endpoint, _ = simple(("vpn", "tcp", (22, 22)))
    (eni,) = (
        e
        for e in world._lists[REGION, "ec2-describe-network-interfaces", None]
        if e["PrivateIpAddress"] == "10.0.2.9"
    )
    eni["PrivateIpAddresses"].clear()
    with pytest.raises(ParameterError, match="no address that was read"):
        explain(tables_of(world), endpoint, eni["NetworkInterfaceId"], 22)


def test_what_leaves_on_other_ports_is_not_told_to_whom_asks_for_one():
    world = World()
    vpc = world.vpc()
    home = world.subnet(vpc, "10.0.1.0/24")
    own = world.security_group(vpc, egress=False)
    world.egress(own, "0.0.0.0/0", "tcp", (443, 443))
    world.egress(own, "0.0.0.0/0", "udp", (53, 53))
    world.route(vpc, "0.0.0.0/0", GatewayId="igw-1")
    endpoint = world.endpoint(vpc, (own,))
    world.associate(endpoint, home)
    world.endpoint_route(endpoint, "0.0.0.0/0", home)
    world.authorize(endpoint, "0.0.0.0/0")
    leaving = reach(tables_of(world), port=443)
    assert set(leaving.loc[leaving["eni_id"].isna(), "from_port"]) == {443}
    assert not len(reach(tables_of(world), port=80))


def test_an_interface_of_the_endpoint_whose_address_was_not_told_makes_nothing_sure():
    world, endpoint, _ = simple(("10.0.1.0/25", "tcp", (22, 22)))
    (own,) = (
        e
        for e in world._lists[REGION, "ec2-describe-network-interfaces", None]
        if e["PrivateIpAddress"] == "10.0.1.10"
    )
    assert {row[-1] for row in rows_to(world)} == {"fragile"}
    del own["PrivateIpAddress"]
    assert {row[-1] for row in rows_to(world)} == {"unknown"}
    assert explain(tables_of(world), endpoint, "10.0.2.9", 22).reachable == "unknown"
