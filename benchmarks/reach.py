"""How long reach takes on a big account, measured against parsing the same files.

    python -m benchmarks.reach [--scale 1.0]

Builds a snapshot with 20 endpoints, 20,000 security groups, 1,000,000 rules and 100,000 interfaces
(times ``--scale``), and prints seconds and peak memory of loading the tables and of working out
all of reach, each as a ratio to parsing the same JSON files with the standard library's ``json``
in the same run: the floor that no reader of a snapshot can go below. Every stage runs in a process
of its own, so that its peak memory is its own.

Aims: tables at most 3 times the floor, reach at most once, memory at most 3 times the parsed JSON.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.process import peak

ACCOUNT, REGION = "111122223333", "ap-northeast-1"
STAGES = ("floor", "tables", "reach")


def build(folder: Path, scale: float) -> None:
    """Write the snapshot."""
    place = folder / ACCOUNT / REGION
    place.mkdir(parents=True)
    some = random.Random(7)
    endpoints, groups = max(round(20 * scale), 2), max(round(20_000 * scale), 50)
    rules, enis = round(1_000_000 * scale), round(100_000 * scale)
    vpcs = [f"vpc-{n:017x}" for n in range(endpoints)]
    per_vpc = 40
    subnets = [
        {
            "SubnetId": f"subnet-{v:04x}{n:013x}",
            "VpcId": vpc,
            "CidrBlock": f"10.{v}.{n * 6}.0/22" if n * 6 % 4 == 0 else f"10.{v}.{n * 6}.0/23",
            "OwnerId": ACCOUNT,
            "AvailabilityZone": f"{REGION}a",
            "AvailableIpAddressCount": 1000,
            "State": "available",
        }
        for v, vpc in enumerate(vpcs)
        for n in range(per_vpc)
    ]
    group_ids = [f"sg-{n:017x}" for n in range(groups)]
    group_vpc = [vpcs[n % endpoints] for n in range(groups)]
    in_vpc: dict[str, list[str]] = {vpc: [] for vpc in vpcs}
    for group, vpc in zip(group_ids, group_vpc, strict=True):
        in_vpc[vpc].append(group)

    def write(name: str, key: str, records: Iterator[Any] | list[Any]) -> None:
        path = place / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            file.write('{"' + key + '": [\n')
            for number, record in enumerate(records):
                file.write((",\n" if number else "") + json.dumps(record, indent=1))
            file.write("\n]}\n")

    write(
        "ec2-describe-vpcs",
        "Vpcs",
        [
            {
                "VpcId": vpc,
                "CidrBlock": f"10.{v}.0.0/16",
                "OwnerId": ACCOUNT,
                "IsDefault": False,
                "CidrBlockAssociationSet": [
                    {"CidrBlock": f"10.{v}.0.0/16", "CidrBlockState": {"State": "associated"}}
                ],
            }
            for v, vpc in enumerate(vpcs)
        ],
    )
    write("ec2-describe-subnets", "Subnets", subnets)
    write(
        "ec2-describe-security-groups",
        "SecurityGroups",
        (
            {
                "GroupId": group,
                "GroupName": f"group-{n}",
                "Description": "made by the benchmark",
                "VpcId": group_vpc[n],
                "OwnerId": ACCOUNT,
                "IpPermissions": [],
                "IpPermissionsEgress": [],
                "Tags": [],
            }
            for n, group in enumerate(group_ids)
        ),
    )

    def rule(n: int) -> dict[str, Any]:
        group = group_ids[n % groups]
        vpc = n % groups % endpoints
        egress = n // groups % 10 == 0
        port = some.choice((22, 80, 443, 3306, 5432, 8080, 9200))
        record: dict[str, Any] = {
            "SecurityGroupRuleId": f"sgr-{n:017x}",
            "GroupId": group,
            "GroupOwnerId": ACCOUNT,
            "IsEgress": egress,
            "IpProtocol": "-1" if egress else "tcp",
            "FromPort": -1 if egress else port,
            "ToPort": -1 if egress else port,
            "Description": f"rule {n}",
            "Tags": [],
        }
        roll = some.random()
        if egress:
            record["CidrIpv4"] = "0.0.0.0/0"
        elif roll < 0.3:
            record["ReferencedGroupInfo"] = {
                "GroupId": some.choice(in_vpc[vpcs[vpc]]),
                "UserId": ACCOUNT,
            }
        elif roll < 0.35:
            record["CidrIpv4"] = f"10.{vpc}.0.0/16"
        else:
            record["CidrIpv4"] = f"10.{some.randrange(256)}.{some.randrange(256)}.0/24"
        return record

    write(
        "ec2-describe-security-group-rules", "SecurityGroupRules", (rule(n) for n in range(rules))
    )

    def eni(n: int, subnet: dict[str, Any], carried: list[str], text: str = "") -> dict[str, Any]:
        first = subnet["CidrBlock"].rsplit(".", 2)
        host = n // len(subnets) + 20
        ip = f"{first[0]}.{int(first[1]) + host // 250}.{host % 250 + 4}"
        return {
            "NetworkInterfaceId": f"eni-{n:017x}",
            "SubnetId": subnet["SubnetId"],
            "VpcId": subnet["VpcId"],
            "AvailabilityZone": f"{REGION}a",
            "OwnerId": ACCOUNT,
            "Description": text,
            "InterfaceType": "interface",
            "RequesterManaged": bool(text),
            "Status": "in-use",
            "PrivateIpAddress": ip,
            "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": ip}],
            "Ipv6Addresses": [],
            "Groups": [{"GroupId": g, "GroupName": "group"} for g in carried],
            "TagSet": [{"Key": "Name", "Value": f"server-{n}"}],
        }

    vpn = [f"cvpn-endpoint-{n:017x}" for n in range(endpoints)]
    own = [
        eni(
            enis + per_vpc * endpoints * 2 + n * endpoints + v,
            subnets[v * per_vpc + n],
            [in_vpc[vpc][0]],
            f"ClientVPN Endpoint resource {vpn[v]}",
        )
        for v, vpc in enumerate(vpcs)
        for n in range(2)
    ]

    def every_eni() -> Iterator[dict[str, Any]]:
        for n in range(enis):
            subnet = subnets[n % len(subnets)]
            held = in_vpc[subnet["VpcId"]]
            yield eni(n, subnet, sorted({some.choice(held), some.choice(held)}))
        yield from own

    write("ec2-describe-network-interfaces", "NetworkInterfaces", every_eni())
    write(
        "ec2-describe-route-tables",
        "RouteTables",
        [
            {
                "RouteTableId": f"rtb-{v:017x}",
                "VpcId": vpc,
                "Associations": [
                    {
                        "Main": True,
                        "RouteTableAssociationId": f"rtbassoc-{v:017x}",
                        "AssociationState": {"State": "associated"},
                    }
                ],
                "Routes": [
                    {
                        "DestinationCidrBlock": f"10.{v}.0.0/16",
                        "GatewayId": "local",
                        "Origin": "CreateRouteTable",
                        "State": "active",
                    },
                    {
                        "DestinationCidrBlock": "0.0.0.0/0",
                        "GatewayId": f"igw-{v:017x}",
                        "Origin": "CreateRoute",
                        "State": "active",
                    },
                ],
            }
            for v, vpc in enumerate(vpcs)
        ],
    )
    write(
        "ec2-describe-network-acls",
        "NetworkAcls",
        [
            {
                "NetworkAclId": f"acl-{v:017x}",
                "VpcId": vpc,
                "IsDefault": True,
                "Associations": [
                    {"SubnetId": s["SubnetId"], "NetworkAclId": f"acl-{v:017x}"}
                    for s in subnets
                    if s["VpcId"] == vpc
                ],
                "Entries": [
                    {
                        "CidrBlock": "0.0.0.0/0",
                        "Egress": egress,
                        "Protocol": "-1",
                        "RuleAction": action,
                        "RuleNumber": number,
                    }
                    for egress in (True, False)
                    for number, action in ((100, "allow"), (32767, "deny"))
                ],
            }
            for v, vpc in enumerate(vpcs)
        ],
    )
    write("ec2-describe-vpc-peering-connections", "VpcPeeringConnections", [])
    write("ec2-describe-transit-gateway-attachments", "TransitGatewayAttachments", [])
    write("ec2-describe-security-group-vpc-associations", "SecurityGroupVpcAssociations", [])
    write(
        "ec2-describe-client-vpn-endpoints",
        "ClientVpnEndpoints",
        [
            {
                "ClientVpnEndpointId": id,
                "Status": {"Code": "available"},
                "ClientCidrBlock": "172.20.0.0/22",
                "VpcId": vpcs[v],
                "SecurityGroupIds": [in_vpc[vpcs[v]][0]],
                "TrafficIpAddressType": "ipv4",
                "AuthenticationOptions": [{"Type": "federated-authentication"}],
            }
            for v, id in enumerate(vpn)
        ],
    )
    for v, id in enumerate(vpn):
        write(
            f"ec2-describe-client-vpn-target-networks/{id}",
            "ClientVpnTargetNetworks",
            [
                {
                    "AssociationId": f"cvpn-assoc-{v:015x}{n:02x}",
                    "ClientVpnEndpointId": id,
                    "TargetNetworkId": subnets[v * per_vpc + n]["SubnetId"],
                    "VpcId": vpcs[v],
                    "Status": {"Code": "associated"},
                    "SecurityGroups": [in_vpc[vpcs[v]][0]],
                }
                for n in range(2)
            ],
        )
        write(
            f"ec2-describe-client-vpn-routes/{id}",
            "Routes",
            [
                {
                    "ClientVpnEndpointId": id,
                    "DestinationCidr": cidr,
                    "TargetSubnet": subnets[v * per_vpc + n]["SubnetId"],
                    "Type": "Nat",
                    "Origin": "add-route",
                    "Status": {"Code": "active"},
                }
                for n in range(2)
                for cidr in (f"10.{v}.0.0/16", "0.0.0.0/0")
            ],
        )
        write(
            f"ec2-describe-client-vpn-authorization-rules/{id}",
            "AuthorizationRules",
            [
                {
                    "ClientVpnEndpointId": id,
                    "DestinationCidr": f"10.{v}.{n * 4}.0/22",
                    "GroupId": f"team-{n}",
                    "AccessAll": False,
                    "Status": {"Code": "active"},
                }
                for n in range(20)
            ]
            + [
                {
                    "ClientVpnEndpointId": id,
                    "DestinationCidr": f"10.{v}.0.0/16",
                    "GroupId": "",
                    "AccessAll": True,
                    "Status": {"Code": "active"},
                }
            ],
        )


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that work took, and what it returned."""
    start = time.perf_counter()
    made = work()
    return time.perf_counter() - start, made


def stage(name: str, folder: Path) -> dict[str, float]:
    """Run one stage in this process and return what it measured."""
    before = peak()
    if name == "floor":
        files = sorted(folder.rglob("*.json"))
        seconds, kept = timed(lambda: [json.loads(f.read_bytes()) for f in files])
        return {"seconds": seconds, "peak": peak(), "base": before, "files": len(kept)}
    from auditlib.access import explain, reach, reach_counts
    from auditlib.access.network import TABLES
    from auditlib.snapshot import load
    from auditlib.tables import Tables

    before = peak()
    tables = Tables(load(folder))
    seconds, _ = timed(lambda: [tables[table] for table in TABLES])
    measured = {"seconds": seconds, "peak": peak(), "base": before}
    if name == "reach":
        seconds, counts = timed(lambda: reach_counts(tables))
        measured |= {"seconds": seconds, "peak": peak(), "pairs": int(counts["interfaces"].sum())}
        endpoint = f"cvpn-endpoint-{1:017x}"
        fresh = Tables(load(folder)).replace(**{t: tables[t] for t in TABLES[:-1]})
        seconds, rows = timed(lambda: reach(fresh, endpoint, to="10.1.0.24"))
        measured |= {"first question": seconds, "rows": len(rows)}
        seconds, _ = timed(lambda: reach(fresh, endpoint, to="10.1.0.24"))
        measured["second question"] = seconds
        seconds, _ = timed(lambda: explain(fresh, endpoint, "10.1.0.24", 443))
        measured["explain"] = seconds
    return measured


def main() -> None:
    """Build the snapshot, run each stage in a process of its own, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--snapshot", type=Path, help="use this snapshot, or build it here")
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(stage(options.stage, options.snapshot)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.snapshot or Path(temporary) / "snapshot"
        if not folder.exists():
            print("Building the snapshot …", flush=True)
            build(folder, options.scale)
        size = sum(file.stat().st_size for file in folder.rglob("*.json")) / 2**20
        print(f"{size:,.0f} MiB of JSON", flush=True)
        found = {}
        for name in STAGES:
            command = [sys.executable, "-m", "benchmarks.reach", "--stage", name]
            run = subprocess.run(
                [*command, "--snapshot", str(folder)], capture_output=True, text=True, check=True
            )
            found[name] = json.loads(run.stdout)
            report(name, found)


def report(name: str, found: dict[str, dict[str, float]]) -> None:
    """Print one stage and its ratio to the floor."""
    floor, mine = found["floor"], found[name]
    parsed = floor["peak"] - floor["base"]
    used = mine["peak"] - mine["base"]
    print(
        f"{name:>7}: {mine['seconds']:7.2f} s ({mine['seconds'] / floor['seconds']:.2f} × floor), "
        f"{used:7,.0f} MiB peak ({used / parsed:.2f} × parsed JSON)",
        flush=True,
    )
    for key in ("pairs", "first question", "second question", "explain", "rows"):
        if key in mine:
            print(f"         {key}: {mine[key]:,.3f}", flush=True)


if __name__ == "__main__":
    main()
