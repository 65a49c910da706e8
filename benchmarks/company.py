"""A lifelike account: what ten years of several teams leave in one Region. Invented throughout.

Six VPCs with peerings and a transit gateway, 2,000 security groups with some 9,000 rules, 4,000
interfaces of the kinds that AWS makes, prefix lists, and three Client VPN endpoints: the staff's, the
contractors' and one on the transit gateway. The same every time.
"""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from auditlib.aws.reads import read_of
from auditlib.snapshot import file_of

__all__ = ["build"]

ACCOUNT, REGION = "111122223333", "ap-northeast-1"
GROUPS, INTERFACES = 2_000, 4_000
VPCS = ("production", "staging", "development", "shared", "data", "legacy")
TEAMS = (
    "orders",
    "payments",
    "search",
    "mail",
    "billing",
    "identity",
    "reports",
    "ml",
    "web",
    "ops",
)
PARTS = ("api", "worker", "db", "cache", "alb", "lambda", "batch", "admin", "efs", "bastion")
PORTS = {
    "api": (8080, 8443), "worker": (9000,), "db": (5432, 3306), "cache": (6379, 11211),
    "alb": (80, 443), "lambda": (443,), "batch": (8786,), "admin": (22, 8443), "efs": (2049,),
    "bastion": (22, 3389),
}  # fmt: skip
KINDS = (
    ("interface", "", False), ("interface", "", False), ("interface", "", False),
    ("lambda", "AWS Lambda VPC ENI-orders", True), ("interface", "RDSNetworkInterface", True),
    ("interface", "ELB app/web/0123456789abcdef", True), ("interface", "ElastiCache cache-1", True),
    ("vpc_endpoint", "VPC Endpoint Interface vpce-1", True), ("branch", "ECS task", True),
    ("nat_gateway", "Interface for NAT Gateway nat-1", True),
    ("network_load_balancer", "ELB net/tcp/0123456789abcdef", True),
    ("efs", "EFS mount target for fs-1", True),
)  # fmt: skip
LISTS = {"pl-offices": 8, "pl-datacentre": 40, "pl-partners": 120}
GATEWAY, PEERINGS = "tgw-00000000000000001", (("production", "shared"), ("shared", "data"))


def id_of(kind: str, number: int) -> str:
    return f"{kind}-{number:017x}"


def build(folder: Path) -> None:
    """Write the snapshot."""
    some = random.Random(20)

    def write(read: str, records: Iterable[Any], resource: str | None = None) -> None:
        of = read_of(read)
        path = folder / file_of(ACCOUNT, REGION, of, resource)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({of.result_key: list(records)}, indent=4), "utf-8")

    vpcs = {name: id_of("vpc", number) for number, name in enumerate(VPCS)}
    subnets = [
        {
            "SubnetId": id_of("subnet", v * 100 + n), "VpcId": vpc, "OwnerId": ACCOUNT,
            "CidrBlock": f"10.{v * 10}.{n * 16}.0/20", "AvailabilityZone": f"{REGION}{'acd'[n % 3]}",
            "AvailableIpAddressCount": 3000, "State": "available", "Tags": tags(f"{name}-{n}"),
        }
        for v, (name, vpc) in enumerate(vpcs.items())
        for n in range(6)
    ]  # fmt: skip
    write(
        "ec2-describe-vpcs",
        (vpc_record(v, name, vpc) for v, (name, vpc) in enumerate(vpcs.items())),
    )
    write("ec2-describe-subnets", subnets)
    groups = made_groups(vpcs)
    write("ec2-describe-security-groups", groups)
    write("ec2-describe-security-group-rules", made_rules(groups, some))
    interfaces = made_interfaces(groups, subnets, some)
    write("ec2-describe-route-tables", route_tables(vpcs, subnets))
    write("ec2-describe-network-acls", network_acls(vpcs, subnets))
    write("ec2-describe-vpc-peering-connections", peerings(vpcs))
    write("ec2-describe-security-group-vpc-associations", [])
    for name, entries in LISTS.items():
        cidrs = [f"203.0.{113 if n < 100 else 114}.{n % 100 * 2}/31" for n in range(entries)]
        write("ec2-get-managed-prefix-list-entries", [{"Cidr": cidr, "Description": name} for cidr in cidrs], name)  # fmt: skip
        write("ec2-describe-managed-prefix-lists", [{"PrefixListId": name, "PrefixListName": name, "MaxEntries": entries, "State": "create-complete", "AddressFamily": "IPv4", "OwnerId": ACCOUNT}], name)  # fmt: skip
    endpoints = made_endpoints(vpcs, groups)
    write("ec2-describe-client-vpn-endpoints", endpoints)
    write("ec2-describe-transit-gateway-attachments", [])
    for number, endpoint in enumerate(endpoints):
        id, placed = endpoint["ClientVpnEndpointId"], []
        if "VpcId" in endpoint:
            placed = [s for s in subnets if s["VpcId"] == endpoint["VpcId"]][:2]
            interfaces += [
                interface(
                    INTERFACES + number * 10 + n, subnet, endpoint["SecurityGroupIds"], "interface",
                    f"ClientVPN Endpoint resource {id}", managed=True,
                )
                for n, subnet in enumerate(placed)
            ]  # fmt: skip
        write("ec2-describe-client-vpn-target-networks", networks(endpoint, placed), id)
        write("ec2-describe-client-vpn-routes", routes(endpoint, placed), id)
        write("ec2-describe-client-vpn-authorization-rules", authorizations(endpoint, number), id)
        write("ec2-describe-client-vpn-connections", connections(id, number, some), id)
    write("ec2-describe-network-interfaces", interfaces)


def tags(name: str) -> list[dict[str, str]]:
    return [{"Key": "Name", "Value": name}, {"Key": "Team", "Value": name.partition("-")[0]}]


def vpc_record(number: int, name: str, vpc: str) -> dict[str, Any]:
    cidr = f"10.{number * 10}.0.0/16"
    return {
        "VpcId": vpc, "CidrBlock": cidr, "OwnerId": ACCOUNT, "IsDefault": False, "Tags": tags(name),
        "CidrBlockAssociationSet": [{"CidrBlock": cidr, "CidrBlockState": {"State": "associated"}}],
    }  # fmt: skip


def made_groups(vpcs: dict[str, str]) -> list[dict[str, Any]]:
    named = [
        (("default", vpc) if n < len(vpcs) else (name_of(n), list(vpcs.values())[n % len(vpcs)]))
        for n, vpc in enumerate(list(vpcs.values()) + [""] * (GROUPS - len(vpcs)))
    ]
    return [
        {
            "GroupId": id_of("sg", n), "GroupName": name, "VpcId": vpc, "OwnerId": ACCOUNT,
            "Description": f"{name} of {ACCOUNT}", "Tags": tags(name),
            "IpPermissions": [], "IpPermissionsEgress": [],
        }
        for n, (name, vpc) in enumerate(named)
    ]  # fmt: skip


def name_of(number: int) -> str:
    team, part = TEAMS[number // 10 % len(TEAMS)], PARTS[number % len(PARTS)]
    return f"{team}-{part}-{number}"


def made_rules(groups: list[dict[str, Any]], some: random.Random) -> list[dict[str, Any]]:
    """Return rules as they come about: named groups, offices, whole VPCs, and what was forgotten."""
    by_vpc: dict[str, list[str]] = {}
    for group in groups:
        by_vpc.setdefault(group["VpcId"], []).append(group["GroupId"])
    rules: list[dict[str, Any]] = []

    def add(group: dict[str, Any], egress: bool, port: int | None, **source: Any) -> None:
        rules.append(
            {
                "SecurityGroupRuleId": id_of("sgr", len(rules)), "GroupId": group["GroupId"],
                "GroupOwnerId": ACCOUNT, "IsEgress": egress,
                "IpProtocol": "-1" if port is None else "tcp", "FromPort": -1 if port is None else port,
                "ToPort": -1 if port is None else port, "Description": "", "Tags": [], **source,
            }
        )  # fmt: skip

    for group in groups:
        mine = {"GroupId": group["GroupId"], "UserId": ACCOUNT}
        number = list(by_vpc).index(group["VpcId"])
        add(group, True, None, CidrIpv4="0.0.0.0/0")
        if group["GroupName"] == "default":
            add(group, False, None, ReferencedGroupInfo=mine)
            continue
        for port in PORTS[group["GroupName"].split("-")[1]]:
            for _ in range(some.choice((1, 1, 2, 3))):
                other = some.choice(by_vpc[group["VpcId"]])
                add(group, False, port, ReferencedGroupInfo={"GroupId": other, "UserId": ACCOUNT})
            roll = some.random()
            if roll < 0.3:
                add(group, False, port, CidrIpv4=f"10.{number * 10}.0.0/16")
                if roll < 0.1:  # narrower, and older
                    add(group, False, port, CidrIpv4=f"10.{number * 10}.{some.randrange(6) * 16}.0/20")  # fmt: skip
            elif roll < 0.5:
                add(group, False, port, CidrIpv4=f"10.{number * 10}.{some.randrange(6) * 16}.0/20")
            elif roll < 0.6:
                add(group, False, port, PrefixListId=some.choice(list(LISTS)))
            elif roll < 0.7:
                add(group, False, port, CidrIpv4=f"192.168.{some.randrange(256)}.0/24")
            elif roll < 0.75:
                add(group, False, port, CidrIpv4="10.0.0.0/8")
            elif roll < 0.8 or "alb" in group["GroupName"]:
                add(group, False, port, CidrIpv4="0.0.0.0/0")
    return rules


def interface(
    number: int, subnet: dict[str, Any], carried: list[str], kind: str, text: str, *, managed: bool
) -> dict[str, Any]:
    a, b, c, _ = subnet["CidrBlock"].split(".")
    ip = f"{a}.{b}.{int(c) + number // 250 % 16}.{number % 250 + 4}"
    return {
        "NetworkInterfaceId": id_of("eni", number), "SubnetId": subnet["SubnetId"],
        "VpcId": subnet["VpcId"], "AvailabilityZone": subnet["AvailabilityZone"],
        "OwnerId": ACCOUNT, "Description": text, "InterfaceType": kind, "RequesterManaged": managed,
        "Status": "in-use", "PrivateIpAddress": ip, "Ipv6Addresses": [],
        "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": ip}],
        "Groups": [{"GroupId": group, "GroupName": "group"} for group in carried],
        "TagSet": [] if managed else tags(name_of(number)),
        **({} if managed else {"Attachment": {"InstanceId": id_of("i", number), "Status": "attached"}}),
    }  # fmt: skip


def made_interfaces(groups: list[dict[str, Any]], subnets: list[dict[str, Any]], some: random.Random) -> list[dict[str, Any]]:  # fmt: skip
    by_vpc: dict[str, list[str]] = {}
    for group in groups:
        by_vpc.setdefault(group["VpcId"], []).append(group["GroupId"])
    made = []
    for number in range(INTERFACES):
        subnet, (kind, text, managed) = subnets[number % len(subnets)], KINDS[number % len(KINDS)]
        held = by_vpc[subnet["VpcId"]]
        many = 0 if kind in {"nat_gateway", "network_load_balancer"} else some.choice((1, 1, 2, 3))
        made.append(interface(number, subnet, sorted(set(some.choices(held, k=many))), kind, text, managed=managed))  # fmt: skip
    return made


def route_tables(vpcs: dict[str, str], subnets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a table for the public and one for the private subnets of each VPC."""
    made = []
    for v, vpc in enumerate(vpcs.values()):
        mine = [s["SubnetId"] for s in subnets if s["VpcId"] == vpc]
        for kind, placed in (("public", mine[:2]), ("private", mine[2:])):
            ways: list[tuple[str, dict[str, str]]] = [
                (f"10.{v * 10}.0.0/16", {"GatewayId": "local"}),
                ("0.0.0.0/0", {"GatewayId": id_of("igw", v)} if kind == "public" else {"NatGatewayId": id_of("nat", v)}),
                ("192.168.0.0/16", {"TransitGatewayId": GATEWAY}),
            ]  # fmt: skip
            for p, pair in enumerate(PEERINGS):
                if vpc in {vpcs[name] for name in pair}:
                    there = next(name for name in pair if vpcs[name] != vpc)
                    ways.append((f"10.{VPCS.index(there) * 10}.0.0/16", {"VpcPeeringConnectionId": id_of("pcx", p)}))  # fmt: skip
            made.append(
                {
                    "RouteTableId": id_of("rtb", v * 2 + (kind == "private")), "VpcId": vpc,
                    "Associations": [
                        {"Main": False, "SubnetId": s, "RouteTableAssociationId": f"rtbassoc-{s[7:]}", "AssociationState": {"State": "associated"}}
                        for s in placed
                    ],
                    "Routes": [{"DestinationCidrBlock": to, "State": "active", "Origin": "CreateRoute", **by} for to, by in ways],
                }
            )  # fmt: skip
    return made


def network_acls(vpcs: dict[str, str], subnets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "NetworkAclId": id_of("acl", v), "VpcId": vpc, "IsDefault": True,
            "Associations": [
                {"SubnetId": s["SubnetId"], "NetworkAclId": id_of("acl", v)}
                for s in subnets
                if s["VpcId"] == vpc
            ],
            "Entries": [
                {"CidrBlock": cidr, "Egress": egress, "Protocol": "-1", "RuleAction": action, "RuleNumber": number}
                for egress in (True, False)
                for number, action, cidr in ((90, "deny", "203.0.113.0/24"), (100, "allow", "0.0.0.0/0"), (32767, "deny", "0.0.0.0/0"))
            ],
        }
        for v, vpc in enumerate(vpcs.values())
    ]  # fmt: skip


def peerings(vpcs: dict[str, str]) -> list[dict[str, Any]]:
    def side(name: str) -> dict[str, Any]:
        cidr = f"10.{VPCS.index(name) * 10}.0.0/16"
        return {"VpcId": vpcs[name], "OwnerId": ACCOUNT, "Region": REGION, "CidrBlock": cidr, "CidrBlockSet": [{"CidrBlock": cidr}]}  # fmt: skip

    return [
        {
            "VpcPeeringConnectionId": id_of("pcx", p), "Status": {"Code": "active"},
            "RequesterVpcInfo": side(one), "AccepterVpcInfo": side(two),
        }
        for p, (one, two) in enumerate(PEERINGS)
    ]  # fmt: skip


def made_endpoints(vpcs: dict[str, str], groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    def endpoint(number: int, name: str, kind: str, **more: Any) -> dict[str, Any]:
        return {
            "ClientVpnEndpointId": id_of("cvpn-endpoint", number), "Description": name,
            "Status": {"Code": "available"}, "ClientCidrBlock": f"172.{20 + number}.0.0/20",
            "CreationTime": "2021-04-01T00:00:00", "SplitTunnel": True, "VpnProtocol": "openvpn",
            "TransportProtocol": "udp", "VpnPort": 443, "DnsServers": ["10.30.0.2"],
            "TrafficIpAddressType": "ipv4", "EndpointIpAddressType": "ipv4", "SessionTimeoutHours": 12,
            "AuthenticationOptions": [{"Type": kind}], "ConnectionLogOptions": {"Enabled": False},
            "ClientConnectOptions": {"Enabled": False}, "Tags": tags(name), **more,
        }  # fmt: skip

    default = next(g for g in groups if g["GroupName"] == "default" and g["VpcId"] == vpcs["production"])  # fmt: skip
    own = next(g for g in groups if g["GroupName"] != "default" and g["VpcId"] == vpcs["shared"])
    return [
        endpoint(0, "staff", "federated-authentication", VpcId=vpcs["shared"], SecurityGroupIds=[own["GroupId"]]),
        endpoint(1, "contractors", "certificate-authentication", VpcId=vpcs["production"], SecurityGroupIds=[default["GroupId"]]),
        endpoint(2, "branches", "certificate-authentication", TransitGatewayConfiguration={"TransitGatewayId": GATEWAY}),
    ]  # fmt: skip


def networks(endpoint: dict[str, Any], placed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "AssociationId": f"cvpn-assoc-{s['SubnetId'][7:]}", "Status": {"Code": "associated"},
            "ClientVpnEndpointId": endpoint["ClientVpnEndpointId"], "TargetNetworkId": s["SubnetId"],
            "VpcId": s["VpcId"], "SecurityGroups": endpoint["SecurityGroupIds"],
        }
        for s in placed
    ]  # fmt: skip


def routes(endpoint: dict[str, Any], placed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    targets = [{"TargetSubnet": s["SubnetId"], "Type": "Nat"} for s in placed] or [{"Type": "Nat"}]
    return [
        {
            "ClientVpnEndpointId": endpoint["ClientVpnEndpointId"], "DestinationCidr": cidr,
            "Origin": "add-route", "Status": {"Code": "active"}, **target,
        }
        for target in targets
        for cidr in ("10.0.0.0/16", "10.30.0.0/16", "10.40.0.0/16", "192.168.0.0/16")
    ]  # fmt: skip


def authorizations(endpoint: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Return what the staff's groups are let into; the others let everyone in, as they must."""
    rule = {"ClientVpnEndpointId": endpoint["ClientVpnEndpointId"], "Status": {"Code": "active"}}
    if number:
        return [{**rule, "DestinationCidr": "10.0.0.0/8", "GroupId": "", "AccessAll": True}]
    return [
        {
            **rule,
            "DestinationCidr": f"10.{v * 10}.{n * 16}.0/20",
            "GroupId": team,
            "AccessAll": False,
        }
        for v in (0, 3, 4)
        for n, team in enumerate(TEAMS[:6])
    ] + [{**rule, "DestinationCidr": "10.30.0.0/16", "GroupId": "", "AccessAll": True}]


def connections(id: str, number: int, some: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "ClientVpnEndpointId": id, "ConnectionId": id_of("cvpn-connection", number * 1000 + n),
            "Timestamp": "2026-11-02 01:00:00", "ConnectionEstablishedTime": "2026-11-02 00:10:00",
            "ConnectionEndTime": "-", "Status": {"Code": "active"}, "Username": f"user-{n}",
            "CommonName": f"user-{n}", "ClientIp": f"172.{20 + number}.{n // 250}.{n % 250 + 2}",
            "IngressBytes": str(some.randrange(10**6)), "EgressBytes": str(some.randrange(10**6)),
            "IngressPackets": "10", "EgressPackets": "20",
        }
        for n in range(300)
    ]  # fmt: skip
