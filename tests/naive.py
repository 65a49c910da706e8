"""Can this one packet pass? Plain loops over AWS's own records, sharing no code with the kit.

The kit works with sets and intervals; this works with one packet at a time and nothing else than
the standard library's ``ipaddress``. Slow, and simple enough to be checked by reading.

Answers are ``"yes"``, ``"no"`` or ``"maybe"``. A world without refused reads has a ``maybe`` only
where AWS itself leaves it open: which port an answer goes to, an interface without groups, a
target that may send a packet anywhere, a rule on its way in or out, IPv6, a transit gateway.
"""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from itertools import combinations
from typing import Any

from auditlib.snapshot import Snapshot

NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}


def both(*answers: str) -> str:
    """Return what holds when every one of these must hold."""
    if "no" in answers:
        return "no"
    return "maybe" if "maybe" in answers else "yes"


def either(*answers: str) -> str:
    """Return what holds when one of these is enough."""
    if "yes" in answers:
        return "yes"
    return "maybe" if "maybe" in answers else "no"


def one_of(answers: set[str]) -> str:
    """Return what is known when any of these may be the case."""
    return answers.pop() if len(answers) == 1 else "maybe"


def within(address: str, cidr: str) -> bool:
    """Tell whether a network holds an address; never one of the other family."""
    network = ip_network(cidr)
    return network.version == ip_address(address).version and ip_address(address) in network


SETTLED = {"active", "associated", "available"}
OVER = {"failed", "deleted", "rejected", "association-failed", "disassociated"}


def choices(records: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield every state of things: what is neither settled nor over may hold or not."""
    settled = [r for r in records if r["Status"]["Code"] in SETTLED]
    open_ = [r for r in records if r["Status"]["Code"] not in SETTLED | OVER]
    for many in range(len(open_) + 1):
        for chosen in combinations(open_, many):
            yield [*settled, *chosen]


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
    """Answers about one packet at a time, from the raw records of a snapshot.

    ``owners`` says whose each of the endpoints' interfaces is, where its description does not.
    """

    def __init__(self, snapshot: Snapshot, owners: dict[str, str] | None = None) -> None:
        self.owners = owners or {}
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

    def endpoint(self, id: str) -> dict[str, Any]:
        """Return an endpoint's record."""
        found = self.find("ec2-describe-client-vpn-endpoints", "ClientVpnEndpointId", id)
        assert found is not None
        return found

    def carries(self, endpoint: str, destination: str) -> bool:
        """Tell whether clients of the endpoint send packets of this family."""
        kind = self.endpoint(endpoint)["TrafficIpAddressType"]
        return kind in {"dual-stack", f"ipv{ip_address(destination).version}"}

    # -- hops -----------------------------------------------------------------------------------

    def authorized(self, endpoint: str, group: str, destination: str) -> str:
        """Longest prefix over every group's rules."""
        name = "ec2-describe-client-vpn-authorization-rules"
        rules = self.per_resource.get((name, endpoint), [])
        rules = [rule for rule in rules if within(destination, rule["DestinationCidr"])]
        answers = set()
        for held in choices(rules):
            lengths = [ip_network(rule["DestinationCidr"]).prefixlen for rule in held]
            deciding = [r for r, n in zip(held, lengths, strict=True) if n == max(lengths)]
            admitted = any(r["AccessAll"] or r["GroupId"] == group for r in deciding)
            answers.add("yes" if admitted else "no")
        return one_of(answers)

    def endpoint_routed(self, endpoint: str, subnet: str | None, destination: str) -> set[str]:
        """A route of this subnet; "local" when the clients' own route is the longest."""
        routes = self.per_resource.get(("ec2-describe-client-vpn-routes", endpoint), [])
        routes = [route for route in routes if within(destination, route["DestinationCidr"])]
        return {self._endpoint_routed(held, subnet) for held in choices(routes)}

    @staticmethod
    def _endpoint_routed(routes: list[dict[str, Any]], subnet: str | None) -> str:
        here, elsewhere, local = -1, -1, -1
        for route in routes:
            length = ip_network(route["DestinationCidr"]).prefixlen
            if route.get("TargetSubnet") == "local":
                local = max(local, length)
            elif subnet is None or route["TargetSubnet"] == subnet:
                here = max(here, length)
            else:
                elsewhere = max(elsewhere, length)
        if local > max(here, elsewhere) or (local >= 0 and local == elsewhere > here):
            return "local"
        if here < 0:
            return "no"
        return "maybe" if max(elsewhere, local) > here else "yes"

    def in_prefix_list(self, id: str, address: str) -> bool:
        """Tell whether an entry of the list holds the address."""
        entries = self.per_resource.get(("ec2-get-managed-prefix-list-entries", id), [])
        return any(within(address, entry["Cidr"]) for entry in entries)

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
        answer = "no"
        for rule in self.records.get("ec2-describe-security-group-rules", []):
            if rule["GroupId"] not in groups or rule["IsEgress"] != egress:
                continue
            if not covers(rule["IpProtocol"], rule["FromPort"], rule["ToPort"], packet):
                continue
            if "ReferencedGroupInfo" in rule:
                if references and rule["ReferencedGroupInfo"]["GroupId"] in other_groups:
                    # Whether a group's name stands for IPv6 addresses as well: AWS does not say.
                    answer = either(answer, "maybe" if ":" in address else "yes")
            elif "PrefixListId" in rule:
                if self.in_prefix_list(rule["PrefixListId"], address):
                    return "yes"
            elif within(address, rule.get("CidrIpv4") or rule["CidrIpv6"]):
                return "yes"
        return answer

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
            if not within(remote, entry.get("CidrBlock") or entry["Ipv6CidrBlock"]):
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
            return one_of(
                {
                    self.acl_lets(subnet, egress, remote, (which, p, 0))
                    for p in tries
                    if 1024 <= p <= 65535
                }
            )
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
            matching += [
                (route, ip_network(text).prefixlen, rank)
                for text in networks
                if within(destination, text)
            ]
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
        ids = (v for k, v in route.items() if k.endswith("Id") and not k.startswith("Destination"))
        return "leaves", str(next(ids))

    def peer(self, id: str, vpc: str) -> tuple[str, bool, str] | None:
        """Return the VPC at the other end of a peering, whether in one Region, and if it holds."""
        peering = self.find("ec2-describe-vpc-peering-connections", "VpcPeeringConnectionId", id)
        if peering is None or peering["Status"]["Code"] in OVER:
            return None
        ends = [peering["RequesterVpcInfo"], peering["AccepterVpcInfo"]]
        other = next((end for end in ends if end["VpcId"] != vpc), None)
        if other is None or vpc not in {end["VpcId"] for end in ends}:
            return None
        holds = "yes" if peering["Status"]["Code"] in SETTLED else "maybe"
        return other["VpcId"], ends[0]["Region"] == ends[1]["Region"], holds

    def in_subnet(self, subnet: str, address: str) -> bool:
        """Tell whether an address belongs to a subnet."""
        record = self.find("ec2-describe-subnets", "SubnetId", subnet)
        blocks = [record["CidrBlock"]]
        blocks += [a["Ipv6CidrBlock"] for a in record["Ipv6CidrBlockAssociationSet"]]
        return any(within(address, block) for block in blocks)

    # -- together -------------------------------------------------------------------------------

    def ways(self, endpoint: str, subnet: str | None, group: str, destination: str) -> list[str]:
        """Answer for what decides before the packet leaves the endpoint."""
        routed = self.endpoint_routed(endpoint, subnet, destination)
        here = "yes" if routed == {"yes"} else "maybe" if routed & {"yes", "maybe"} else "no"
        carried = "yes" if self.carries(endpoint, destination) else "no"
        status = self.endpoint(endpoint)["Status"]["Code"]
        state = "no" if status in OVER else "yes" if status in SETTLED else "maybe"
        return [self.authorized(endpoint, group, destination), here, carried, state]

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
            references, way = other[1:]
        else:
            return "no"
        egress = self.rules_let(source_groups, True, destination, groups, references, packet)
        ingress = self.rules_let(groups, False, source, source_groups, references, packet)
        if not groups:
            ingress = "maybe"
        hops = [way, egress, ingress, self.association(endpoint, subnet)]
        if not same:
            hops += [
                self.acl_lets(subnet, True, destination, packet),
                self.acl_answers(subnet, False, destination, packet),
                *self.arrives(eni, source, packet),
            ]
            back_kind, back = self.route_target(eni["SubnetId"], source)
            if ":" in source or kind == "appliance" or back_kind == "appliance":
                hops.append("maybe")
            elif (back_kind, back) == (kind, target):
                hops.append("yes")
            elif back_kind in {"none", "local"}:
                hops.append("no")
            else:
                hops.append("maybe")
        return both(*self.ways(endpoint, subnet, group, destination), *hops)

    def arrives(
        self, eni: dict[str, Any], source: str, packet: tuple[int, int, int]
    ) -> tuple[str, str]:
        """Answer for the network ACL of the receiver's subnet, in and back."""
        return (
            self.acl_lets(eni["SubnetId"], False, source, packet),
            self.acl_answers(eni["SubnetId"], True, source, packet),
        )

    def over_gateway(
        self,
        endpoint: str,
        group: str,
        source: str,
        destination: str,
        eni: dict[str, Any],
        packet: tuple[int, int, int],
    ) -> str:
        """Answer for one packet from a client of an endpoint on a transit gateway.

        No security group is crossed on the way out, the client's own address is seen, and where
        the gateway sends packets was not read.
        """
        groups = [g["GroupId"] for g in eni["Groups"]]
        gateway = self.endpoint(endpoint)["TransitGatewayConfiguration"]["TransitGatewayId"]
        ingress = self.rules_let(groups, False, source, [], False, packet) if groups else "maybe"
        kind, back = self.route_target(eni["SubnetId"], source)
        leads_back = "maybe" if ":" in source or kind == "appliance" or back == gateway else "no"
        return both(
            "maybe",
            *self.ways(endpoint, None, group, destination),
            *self.arrives(eni, source, packet),
            ingress,
            leads_back,
        )

    def association(self, endpoint: str, subnet: str) -> str:
        """Tell whether the association of a subnet is in force."""
        name = "ec2-describe-client-vpn-target-networks"
        code = next(
            network["Status"]["Code"]
            for network in self.per_resource[name, endpoint]
            if network["TargetNetworkId"] == subnet
        )
        return "yes" if code in SETTLED else "no" if code in {*OVER, "associating"} else "maybe"

    def interfaces(self, endpoint: str, subnet: str) -> list[dict[str, Any]]:
        """Return the endpoint's interfaces in a subnet."""
        return [
            eni
            for eni in self.records["ec2-describe-network-interfaces"]
            if eni["SubnetId"] == subnet
            and (
                endpoint in eni["Description"]
                or self.owners.get(eni["NetworkInterfaceId"]) == endpoint
            )
        ]

    def edges(self, block: str) -> list[str]:
        """Return the addresses of a network at and beside every boundary that any record names."""
        network = ip_network(block)
        first, last = int(network[0]), int(network[-1])
        found = {first, last}
        for text in set(_networks([self.records, list(self.per_resource.values())])):
            other = ip_network(text)
            if other.version == network.version:
                low, high = int(other[0]), int(other[-1])
                found |= {p for p in (low - 1, low, high, high + 1) if first <= p <= last}
        return [str(network[point - first]) for point in sorted(found)]

    def certainty(
        self,
        endpoint: str,
        subnet: str | None,
        group: str,
        destination: str,
        eni: dict[str, Any],
        packet: tuple[int, int, int],
    ) -> str | None:
        """Return reliable, fragile, unknown, or ``None`` where the packet is stopped.

        Reliable means: from every address of the subnet, tried one after the other.
        """
        if subnet is None:
            block = "::/0" if ":" in destination else self.endpoint(endpoint)["ClientCidrBlock"]
            tried = (
                self.over_gateway(endpoint, group, source, destination, eni, packet)
                for source in self.edges(block)
            )
            return "unknown" if any(one != "no" for one in tried) else None
        mine = self.interfaces(endpoint, subnet)
        if mine:
            sets = [[g["GroupId"] for g in other["Groups"]] for other in mine]
        else:
            name = "ec2-describe-client-vpn-target-networks"
            sets = [
                network["SecurityGroups"]
                for network in self.per_resource[name, endpoint]
                if network["TargetNetworkId"] == subnet
            ]

        def answer(address: str, groups: list[str]) -> str:
            return self.passes(endpoint, subnet, group, address, groups, destination, eni, packet)

        if ":" in destination:  # not translated: the source is an address nobody was told
            tried = (answer(source, groups) for groups in sets for source in self.edges("::/0"))
            return "unknown" if any(one != "no" for one in tried) else None
        block = self.find("ec2-describe-subnets", "SubnetId", subnet)["CidrBlock"]
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
        subnet: str | None,
        group: str,
        destination: str,
        source_groups: list[str],
        packet: tuple[int, int, int],
    ) -> bool:
        """Tell whether the packet may leave what was read (or reach another client)."""
        authorized, here, *others = self.ways(endpoint, subnet, group, destination)
        if "no" in (authorized, *others):
            return False
        if subnet is not None and self.association(endpoint, subnet) == "no":
            return False
        if "local" in self.endpoint_routed(endpoint, subnet, destination):
            return True
        if here == "no":
            return False
        if subnet is None:
            return True
        if self.in_subnet(subnet, destination):
            return False
        kind, target = self.route_target(subnet, destination)
        vpc = self.find("ec2-describe-subnets", "SubnetId", subnet)["VpcId"]
        if kind == "peering":
            other = self.peer(target, vpc)
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


def _networks(value: Any) -> Iterator[str]:
    """Yield every text in nested records that is a network."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _networks(one)
    elif isinstance(value, str) and "/" in value:
        try:
            ip_network(value)
        except ValueError:
            return
        yield value
