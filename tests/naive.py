"""Can this one packet pass? Plain loops over AWS's own records, sharing no code with the kit.

The kit works with sets and intervals; this works with one packet at a time and nothing else than
the standard library's ``ipaddress``. Slow, and simple enough to be checked by reading.

Answers are ``"yes"``, ``"no"`` or ``"maybe"``. A world without refused reads has a ``maybe`` only
where AWS itself leaves it open: which port an answer goes to, an interface without groups, a
target that may send a packet anywhere.
"""

from ipaddress import ip_address, ip_network
from typing import Any

from auditlib.snapshot import Snapshot

NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}


def both(*answers: str) -> str:
    """Return what holds when every one of these must hold."""
    if "no" in answers:
        return "no"
    return "maybe" if "maybe" in answers else "yes"


def number(protocol: str) -> int:
    """Return a protocol's IANA number; -1 for all."""
    return NUMBERS[protocol] if protocol in NUMBERS else int(protocol)


def covers(protocol: str, low: int | None, high: int | None, packet: tuple[int, int, int]) -> bool:
    """Tell whether a rule's protocol and ports hold a packet (protocol, port or type, code)."""
    which, port, code = packet
    if number(protocol) == -1:
        return True
    if number(protocol) != which:
        return False
    if which in {1, 58}:
        return low in {None, -1} or (low == port and (high in {None, -1} or high == code))
    if which not in {6, 17} or (low in {None, -1} and high in {None, -1}):
        return True
    return low <= port <= high


class Naive:
    """Answers about one packet at a time, from the raw records of a snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.records: dict[str, list[dict[str, Any]]] = {}
        self.per_resource: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for call in snapshot.calls:
            if call.file is None or call.read is None or call.read.result_key is None:
                continue
            records = snapshot.document(call)[call.read.result_key]
            if not isinstance(records, list):
                continue
            name = f"{call.service}-{call.operation}"
            if call.resource is None:
                self.records.setdefault(name, []).extend(records)
            else:
                self.per_resource[name, call.resource] = records

    def find(self, read: str, key: str, value: str) -> dict[str, Any] | None:
        """Return the one record with this value."""
        for record in self.records.get(read, []):
            if record[key] == value:
                return record
        return None

    # -- hops -----------------------------------------------------------------------------------

    def authorized(self, endpoint: str, group: str, destination: str) -> str:
        """Longest prefix over every group's active rules."""
        longest, members = -1, []
        name = "ec2-describe-client-vpn-authorization-rules"
        for rule in self.per_resource.get((name, endpoint), []):
            network = ip_network(rule["DestinationCidr"])
            if rule["Status"]["Code"] != "active" or ip_address(destination) not in network:
                continue
            if network.prefixlen > longest:
                longest, members = network.prefixlen, []
            if network.prefixlen == longest:
                members.append(rule)
        for rule in members:
            if rule["AccessAll"] or rule["GroupId"] == group:
                return "yes"
        return "no"

    def endpoint_routed(self, endpoint: str, subnet: str, destination: str) -> str:
        """An active route of this subnet; "local" when the clients' own route is the longest."""
        here, elsewhere, local = -1, -1, -1
        for route in self.per_resource.get(("ec2-describe-client-vpn-routes", endpoint), []):
            network = ip_network(route["DestinationCidr"])
            if route["Status"]["Code"] != "active" or ip_address(destination) not in network:
                continue
            if route["TargetSubnet"] == subnet:
                here = max(here, network.prefixlen)
            elif route["TargetSubnet"] == "local":
                local = max(local, network.prefixlen)
            else:
                elsewhere = max(elsewhere, network.prefixlen)
        if local > max(here, elsewhere) or (local >= 0 and local == elsewhere > here):
            return "local"
        if here < 0:
            return "no"
        return "maybe" if max(elsewhere, local) > here else "yes"

    def in_prefix_list(self, id: str, address: str) -> bool:
        """Tell whether an entry of the list holds the address."""
        for entry in self.per_resource.get(("ec2-get-managed-prefix-list-entries", id), []):
            network = ip_network(entry["Cidr"])
            if network.version == ip_address(address).version and ip_address(address) in network:
                return True
        return False

    def rules_let(
        self,
        groups: list[str],
        egress: bool,
        address: str,
        other_groups: list[str],
        references: bool,
        packet: tuple[int, int, int],
    ) -> str:
        """Union over the groups' rules of one direction."""
        for rule in self.records.get("ec2-describe-security-group-rules", []):
            if rule["GroupId"] not in groups or rule["IsEgress"] != egress:
                continue
            if not covers(rule["IpProtocol"], rule["FromPort"], rule["ToPort"], packet):
                continue
            if "ReferencedGroupInfo" in rule:
                if references and rule["ReferencedGroupInfo"]["GroupId"] in other_groups:
                    return "yes"
            elif "PrefixListId" in rule:
                if self.in_prefix_list(rule["PrefixListId"], address):
                    return "yes"
            else:
                network = ip_network(rule.get("CidrIpv4") or rule["CidrIpv6"])
                if network.version == ip_address(address).version and (
                    ip_address(address) in network
                ):
                    return "yes"
        return "no"

    def acl_lets(self, subnet: str, egress: bool, remote: str, packet: tuple[int, int, int]) -> str:
        """The lowest-numbered entry that matches decides."""
        acl = next(
            acl
            for acl in self.records["ec2-describe-network-acls"]
            if any(a["SubnetId"] == subnet for a in acl["Associations"])
        )
        for entry in sorted(acl["Entries"], key=lambda e: e["RuleNumber"]):
            if entry["Egress"] != egress:
                continue
            network = ip_network(entry.get("CidrBlock") or entry["Ipv6CidrBlock"])
            if network.version != ip_address(remote).version or ip_address(remote) not in network:
                continue
            ports = entry.get("PortRange") or {}
            icmp = entry.get("IcmpTypeCode") or {}
            low = ports.get("From", icmp.get("Type"))
            high = ports.get("To", icmp.get("Code"))
            if covers(entry["Protocol"], low, high, packet):
                return "yes" if entry["RuleAction"] == "allow" else "no"
        return "no"

    def acl_answers(
        self, subnet: str, egress: bool, remote: str, packet: tuple[int, int, int]
    ) -> str:
        """Whether the answer passes: tried at ports around every boundary of the entries."""
        which, port, _ = packet
        if which in {6, 17}:
            tries = {1024, 65535}
            for acl in self.records["ec2-describe-network-acls"]:
                for entry in acl["Entries"]:
                    ports = entry.get("PortRange") or {"From": 1024, "To": 1024}
                    for edge in (ports["From"], ports["To"]):
                        tries |= {edge - 1, edge, edge + 1}
            answers = {
                self.acl_lets(subnet, egress, remote, (which, p, 0))
                for p in tries
                if 1024 <= p <= 65535
            }
            return answers.pop() if len(answers) == 1 else "maybe"
        if (which, port) == (1, 8):
            return self.acl_lets(subnet, egress, remote, (1, 0, 0))
        if (which, port) == (58, 128):
            return self.acl_lets(subnet, egress, remote, (58, 129, 0))
        if which in {1, 58}:
            return "yes"
        return self.acl_lets(subnet, egress, remote, packet)

    def route_target(self, subnet: str, destination: str) -> tuple[str, str]:
        """Return kind and id of where a subnet's route table sends a packet."""
        vpc = self.find("ec2-describe-subnets", "SubnetId", subnet)["VpcId"]
        table = main = None
        for candidate in self.records["ec2-describe-route-tables"]:
            for association in candidate["Associations"]:
                if association.get("SubnetId") == subnet:
                    table = candidate
                if association["Main"] and candidate["VpcId"] == vpc:
                    main = candidate
        best, target = (-1, 0), ("none", "")
        matching = []
        for route in (table or main)["Routes"]:
            networks = [route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock")]
            rank = -2 if route["Origin"] == "EnableVgwRoutePropagation" else 0
            if "DestinationPrefixListId" in route:
                rank = -1
                name = "ec2-get-managed-prefix-list-entries"
                entries = self.per_resource.get((name, route["DestinationPrefixListId"]), [])
                networks = [entry["Cidr"] for entry in entries]
            for text in networks:
                network = ip_network(text)
                if network.version == ip_address(destination).version and (
                    ip_address(destination) in network
                ):
                    matching.append((route, network.prefixlen, rank))
        local = any(route.get("GatewayId") == "local" for route, _, _ in matching)
        for route, length, rank in matching:
            if local and rank == -2:
                continue
            if (length, rank) > best:
                best = (length, rank)
                target = self.target_of(route)
        return target

    @staticmethod
    def target_of(route: dict[str, Any]) -> tuple[str, str]:
        """Return kind and id of a route's target."""
        if route["State"] == "blackhole":
            return "none", ""
        if route.get("GatewayId") == "local":
            return "local", "local"
        if "VpcPeeringConnectionId" in route:
            return "peering", route["VpcPeeringConnectionId"]
        if "NetworkInterfaceId" in route:
            return "appliance", route["NetworkInterfaceId"]
        return "leaves", str(next(v for k, v in route.items() if k.endswith("Id")))

    def peer(self, id: str, vpc: str) -> tuple[str, bool] | None:
        """Return the VPC at the other end of an active peering, and whether in one Region."""
        peering = self.find("ec2-describe-vpc-peering-connections", "VpcPeeringConnectionId", id)
        if peering is None or peering["Status"]["Code"] != "active":
            return None
        ends = [peering["RequesterVpcInfo"], peering["AccepterVpcInfo"]]
        other = next((end for end in ends if end["VpcId"] != vpc), None)
        if other is None or vpc not in {end["VpcId"] for end in ends}:
            return None
        return other["VpcId"], ends[0]["Region"] == ends[1]["Region"]

    def in_subnet(self, subnet: str, address: str) -> bool:
        """Tell whether an address belongs to a subnet."""
        record = self.find("ec2-describe-subnets", "SubnetId", subnet)
        return ip_address(address) in ip_network(record["CidrBlock"])

    # -- together -------------------------------------------------------------------------------

    def passes(
        self,
        endpoint: str,
        subnet: str,
        group: str,
        source: str,
        source_groups: list[str],
        destination: str,
        eni: dict[str, Any],
        packet: tuple[int, int, int],
    ) -> str:
        """Answer for one packet from one source address to one interface's address."""
        authorized = self.authorized(endpoint, group, destination)
        routed = self.endpoint_routed(endpoint, subnet, destination)
        if authorized == "no" or routed in {"no", "local"}:
            return "no"
        groups = [g["GroupId"] for g in eni["Groups"]]
        here = self.find("ec2-describe-subnets", "SubnetId", subnet)["VpcId"]
        same = eni["SubnetId"] == subnet
        direct = self.in_subnet(subnet, destination)
        kind, target = ("local", "local") if direct else self.route_target(subnet, destination)
        references, way = True, "yes"
        if kind == "local":
            if eni["VpcId"] != here:
                return "no"
        elif kind == "appliance":
            if eni["VpcId"] != here:
                return "no"
            references, way = True, "maybe"
        elif kind == "peering":
            other = self.peer(target, here)
            if other is None or other[0] != eni["VpcId"]:
                return "no"
            references = other[1]
        else:
            return "no"
        egress = self.rules_let(source_groups, True, destination, groups, references, packet)
        ingress = self.rules_let(groups, False, source, source_groups, references, packet)
        if not groups:
            ingress = "maybe"
        hops = [authorized, routed, way, egress, ingress]
        if not same:
            hops += [
                self.acl_lets(subnet, True, destination, packet),
                self.acl_answers(subnet, False, destination, packet),
                self.acl_lets(eni["SubnetId"], False, source, packet),
                self.acl_answers(eni["SubnetId"], True, source, packet),
            ]
            back_kind, back = self.route_target(eni["SubnetId"], source)
            if kind == "appliance" or back_kind == "appliance":
                hops.append("maybe")
            elif (back_kind, back) == (kind, target):
                hops.append("yes")
            elif back_kind in {"none", "local"}:
                hops.append("no")
            else:
                hops.append("maybe")
        return both(*hops)

    def certainty(
        self,
        endpoint: str,
        subnet: str,
        group: str,
        destination: str,
        eni: dict[str, Any],
        packet: tuple[int, int, int],
    ) -> str | None:
        """Return reliable, fragile, unknown, or ``None`` where the packet is stopped.

        Reliable means: from every address of the subnet, tried one after the other.
        """
        mine = [
            other
            for other in self.records["ec2-describe-network-interfaces"]
            if other["SubnetId"] == subnet and endpoint in other["Description"]
        ]
        if mine:
            sets = [[g["GroupId"] for g in other["Groups"]] for other in mine]
        else:
            name = "ec2-describe-client-vpn-target-networks"
            sets = [
                network["SecurityGroups"]
                for network in self.per_resource[name, endpoint]
                if network["TargetNetworkId"] == subnet
            ]
        block = self.find("ec2-describe-subnets", "SubnetId", subnet)["CidrBlock"]

        def answer(address: str, groups: list[str]) -> str:
            return self.passes(endpoint, subnet, group, address, groups, destination, eni, packet)

        everywhere = [answer(str(a), groups) for a in ip_network(block) for groups in sets]
        if all(one == "yes" for one in everywhere):
            return "reliable"
        now = [
            answer(other["PrivateIpAddress"], [g["GroupId"] for g in other["Groups"]])
            for other in mine
        ]
        if "yes" in now:
            return "fragile"
        possible = now if mine else everywhere
        return "unknown" if {"yes", "maybe"} & set(possible) else None

    def leaves(
        self,
        endpoint: str,
        subnet: str,
        group: str,
        destination: str,
        source_groups: list[str],
        packet: tuple[int, int, int],
    ) -> bool:
        """Tell whether the packet may leave what was read (or reach another client)."""
        if self.authorized(endpoint, group, destination) == "no":
            return False
        routed = self.endpoint_routed(endpoint, subnet, destination)
        if routed == "local":
            return True
        if routed == "no" or self.in_subnet(subnet, destination):
            return False
        kind, target = self.route_target(subnet, destination)
        here = self.find("ec2-describe-subnets", "SubnetId", subnet)["VpcId"]
        if kind == "peering":
            other = self.peer(target, here)
            if other is None or self.find("ec2-describe-vpcs", "VpcId", other[0]):
                return False
        elif kind in {"none", "local"}:
            return False
        named = [
            rule["ReferencedGroupInfo"]["GroupId"]
            for rule in self.records["ec2-describe-security-group-rules"]
            if "ReferencedGroupInfo" in rule
        ]
        return "no" not in {
            self.rules_let(source_groups, True, destination, named, True, packet),
            self.acl_lets(subnet, True, destination, packet),
            self.acl_answers(subnet, False, destination, packet),
        }
