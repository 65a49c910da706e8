"""Small worlds for tests, in AWS's own shapes, made in memory.

A world starts with nothing. Each method adds one thing the way AWS would: a VPC comes with its
default security group, main route table and default network ACL; an association comes with an ENI
and a route. Every method returns an id (or the record), and ``world.record(id)`` returns the raw
record for a test that wants to bend it.
"""

import base64
import copy
import warnings
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_network
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from auditlib.aws.reads import READS, read_of
from auditlib.check import Finding, audit
from auditlib.snapshot import Call, Snapshot
from auditlib.tables import Tables

ACCOUNT = "111122223333"
REGION = "ap-northeast-1"
ANYWHERE = "0.0.0.0/0"
NOW = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)
"""When the worlds were read."""


def rule_peer(peer: str, owner: str = ACCOUNT) -> dict[str, Any]:
    """Turn a CIDR, prefix list id or group id into the member AWS gives it in."""
    if peer.startswith("sg-"):
        return {"ReferencedGroupInfo": {"GroupId": peer, "UserId": owner}}
    if peer.startswith("pl-"):
        return {"PrefixListId": peer}
    return {"CidrIpv6": peer} if ":" in peer else {"CidrIpv4": peer}


def _key() -> Ed25519PrivateKey:
    # Of the kinds of keys the one whose signatures are the same every time.
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def _subject(name: str) -> x509.Name:
    with warnings.catch_warnings():
        # AWS looks at no length of what somebody imports.
        warnings.simplefilter("ignore", UserWarning)
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name, _validate=False)])


@cache
def revocation_list(
    *, days: float | None = 90, entries: int = 1, issuer: str = "Example VPN CA"
) -> str:
    """Return a certificate revocation list in PEM that ends so many days after ``NOW``."""
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(_subject(issuer))
        .last_update(NOW - timedelta(days=90))
        .next_update(NOW + timedelta(days=days or 0))
    )
    for number in range(entries):
        revoked = x509.RevokedCertificateBuilder().serial_number(number + 1)
        made = made.add_revoked_certificate(
            revoked.revocation_date(NOW - timedelta(days=91)).build()
        )
    return made.sign(_key(), None).public_bytes(serialization.Encoding.PEM).decode()


@cache
def saml_metadata(*days: float, valid_until: datetime | None = None, use: str = "signing") -> str:
    """Return an identity provider's metadata; its certificates end so many days after ``NOW``."""
    keys = ""
    for number, left in enumerate(days or (400,)):
        name = _subject("idp.example.com")
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(_key().public_key())
            .serial_number(number + 1)
            .not_valid_before(NOW - timedelta(days=800))
            .not_valid_after(NOW + timedelta(days=left))
            .sign(_key(), None)
        )
        text = base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()
        keys += (
            f'<md:KeyDescriptor use="{use}"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
            f"<ds:X509Data><ds:X509Certificate>{text}</ds:X509Certificate></ds:X509Data>"
            "</ds:KeyInfo></md:KeyDescriptor>"
        )
    limit = f' validUntil="{valid_until:%Y-%m-%dT%H:%M:%SZ}"' if valid_until else ""
    return (
        '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
        f'entityID="https://idp.example.com/saml"{limit}><md:IDPSSODescriptor '
        f'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{keys}'
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
        'Location="https://idp.example.com/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>'
    )


class World:
    """One account, any number of regions; methods act in the region given last to ``at``."""

    def __init__(self, account: str = ACCOUNT, region: str = REGION) -> None:
        self.account, self.region = account, region
        self._lists: dict[tuple[str, str, str | None], list[dict[str, Any]]] = defaultdict(list)
        self._single: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._by_id: dict[str, dict[str, Any]] = {}
        self._count: dict[str, int] = defaultdict(int)
        self._hosts: dict[str, int] = defaultdict(lambda: 10)
        self._regions = [region]
        self._refused: list[tuple[str, str | None, str | None, str, str]] = []

    # -- places -------------------------------------------------------------------------------

    def at(self, region: str) -> "World":
        """Act in this region from now on."""
        self.region = region
        if region not in self._regions:
            self._regions.append(region)
        return self

    def record(self, id: str) -> dict[str, Any]:
        """Return the raw record of an id, to be changed in place."""
        return self._by_id[id]

    def _id(self, prefix: str) -> str:
        self._count[prefix] += 1
        return f"{prefix}-{self._count[prefix]:017x}"

    def _add(
        self, read_id: str, record: dict[str, Any], id: str = "", resource: str | None = None
    ) -> str:
        self._lists[self.region, read_id, resource].append(record)
        if id:
            self._by_id[id] = record
        return id

    @staticmethod
    def _tags(name: str | None, tags: dict[str, str] | None = None) -> list[dict[str, str]]:
        all_tags = ({"Name": name} if name is not None else {}) | (tags or {})
        return [{"Key": key, "Value": value} for key, value in all_tags.items()]

    # -- VPCs ---------------------------------------------------------------------------------

    def vpc(
        self,
        cidr: str = "10.0.0.0/16",
        *more: str,
        name: str | None = None,
        ipv6: str | None = None,
    ) -> str:
        """Add a VPC with what AWS puts into a new one."""
        id = self._id("vpc")
        self._add(
            "ec2-describe-vpcs",
            {
                "VpcId": id,
                "CidrBlock": cidr,
                "OwnerId": self.account,
                "IsDefault": False,
                "State": "available",
                "CidrBlockAssociationSet": [
                    {
                        "AssociationId": self._id("vpc-cidr-assoc"),
                        "CidrBlock": c,
                        "CidrBlockState": {"State": "associated"},
                    }
                    for c in (cidr, *more)
                ],
                "Ipv6CidrBlockAssociationSet": [
                    {
                        "AssociationId": self._id("vpc-cidr-assoc"),
                        "Ipv6CidrBlock": ipv6,
                        "Ipv6CidrBlockState": {"State": "associated"},
                    }
                ]
                if ipv6
                else [],
                "Tags": self._tags(name),
            },
            id,
        )
        group = self.security_group(id, "default", description="default VPC security group")
        self.ingress(group, group)
        table = self._id("rtb")
        self._add(
            "ec2-describe-route-tables",
            {
                "RouteTableId": table,
                "VpcId": id,
                "OwnerId": self.account,
                "Associations": [
                    {
                        "Main": True,
                        "RouteTableAssociationId": self._id("rtbassoc"),
                        "RouteTableId": table,
                        "AssociationState": {"State": "associated"},
                    }
                ],
                "Routes": [
                    {
                        ("DestinationIpv6CidrBlock" if ":" in c else "DestinationCidrBlock"): c,
                        "GatewayId": "local",
                        "Origin": "CreateRouteTable",
                        "State": "active",
                    }
                    for c in (cidr, *more, *([ipv6] if ipv6 else []))
                ],
                "PropagatingVgws": [],
                "Tags": [],
            },
            f"{id}/route-table",
        )
        self._by_id[table] = self._by_id[f"{id}/route-table"]
        self.network_acl(id, default=True)
        return id

    def subnet(
        self,
        vpc: str,
        cidr: str,
        *,
        name: str | None = None,
        zone: str = "a",
        ipv6: str | None = None,
    ) -> str:
        """Add a subnet; the VPC's default network ACL and main route table are in force."""
        id = self._id("subnet")
        self._add(
            "ec2-describe-subnets",
            {
                "SubnetId": id,
                "VpcId": vpc,
                "CidrBlock": cidr,
                "OwnerId": self.account,
                "AvailabilityZone": self.region + zone,
                "AvailableIpAddressCount": ip_network(cidr).num_addresses - 5,
                "State": "available",
                "Ipv6CidrBlockAssociationSet": [
                    {
                        "AssociationId": self._id("subnet-cidr-assoc"),
                        "Ipv6CidrBlock": ipv6,
                        "Ipv6CidrBlockState": {"State": "associated"},
                    }
                ]
                if ipv6
                else [],
                "Tags": self._tags(name),
            },
            id,
        )
        self.use_network_acl(self._by_id[f"{vpc}/network-acl"]["NetworkAclId"], id)
        return id

    def default_group(self, vpc: str) -> str:
        """Return the id of the VPC's default security group."""
        groups = self._lists[self.region, "ec2-describe-security-groups", None]
        return next(
            g["GroupId"] for g in groups if g["VpcId"] == vpc and g["GroupName"] == "default"
        )

    def route(self, vpc: str, destination: str, **target: str) -> None:
        """Add a route to the VPC's main table, ``route(vpc, "0.0.0.0/0", GatewayId="igw-1")``."""
        member = (
            "DestinationPrefixListId"
            if destination.startswith("pl-")
            else "DestinationIpv6CidrBlock"
            if ":" in destination
            else "DestinationCidrBlock"
        )
        self.record(f"{vpc}/route-table")["Routes"].append(
            {member: destination, **target, "Origin": "CreateRoute", "State": "active"}
        )

    def route_table(self, vpc: str, *subnets: str) -> str:
        """Add a route table of the VPC's own routes and associate subnets with it."""
        id = self._id("rtb")
        record = copy.deepcopy(self.record(f"{vpc}/route-table"))
        record["RouteTableId"] = id
        record["Associations"] = [
            {
                "Main": False,
                "RouteTableAssociationId": self._id("rtbassoc"),
                "RouteTableId": id,
                "SubnetId": s,
                "AssociationState": {"State": "associated"},
            }
            for s in subnets
        ]
        record["Routes"] = [r for r in record["Routes"] if r.get("GatewayId") == "local"]
        return self._add("ec2-describe-route-tables", record, id)

    def network_acl(self, vpc: str, *, default: bool = False) -> str:
        """Add a network ACL; the default one allows all, another one nothing."""
        id = self._id("acl")
        record: dict[str, Any] = {
            "NetworkAclId": id,
            "VpcId": vpc,
            "OwnerId": self.account,
            "IsDefault": default,
            "Associations": [],
            "Entries": [
                {
                    "CidrBlock": ANYWHERE,
                    "Egress": egress,
                    "Protocol": "-1",
                    "RuleAction": "deny",
                    "RuleNumber": 32767,
                }
                for egress in (True, False)
            ],
            "Tags": [],
        }
        self._add("ec2-describe-network-acls", record, id)
        if default:
            self._by_id[f"{vpc}/network-acl"] = record
            for egress in (True, False):
                self.acl_entry(id, 100, "allow", ANYWHERE, egress=egress)
        return id

    def use_network_acl(self, acl: str, subnet: str) -> None:
        """Put a network ACL in force for a subnet, in place of the one before."""
        for other in self._lists[self.region, "ec2-describe-network-acls", None]:
            other["Associations"] = [a for a in other["Associations"] if a["SubnetId"] != subnet]
        self.record(acl)["Associations"].append(
            {
                "NetworkAclAssociationId": self._id("aclassoc"),
                "NetworkAclId": acl,
                "SubnetId": subnet,
            }
        )

    def acl_entry(
        self,
        acl: str,
        number: int,
        action: str,
        cidr: str,
        *,
        egress: bool = False,
        protocol: str = "-1",
        ports: tuple[int, int] | None = None,
    ) -> None:
        """Add an entry; ``protocol`` is an IANA number, ``ports`` are type and code for ICMP."""
        entry: dict[str, Any] = {
            "Egress": egress,
            "Protocol": protocol,
            "RuleAction": action,
            "RuleNumber": number,
        }
        entry["Ipv6CidrBlock" if ":" in cidr else "CidrBlock"] = cidr
        if ports and protocol in {"1", "58"}:
            entry["IcmpTypeCode"] = {"Type": ports[0], "Code": ports[1]}
        elif ports:
            entry["PortRange"] = {"From": ports[0], "To": ports[1]}
        self.record(acl)["Entries"].append(entry)

    def peering(
        self, requester: str, accepter: str, *, status: str = "active", routed: bool = True
    ) -> str:
        """Peer two VPCs of this region; ``routed`` adds the routes both ways."""
        id = self._id("pcx")

        def side(vpc: str) -> dict[str, Any]:
            cidrs = [a["CidrBlock"] for a in self.record(vpc)["CidrBlockAssociationSet"]]
            return {
                "VpcId": vpc,
                "OwnerId": self.account,
                "Region": self.region,
                "CidrBlock": cidrs[0],
                "CidrBlockSet": [{"CidrBlock": c} for c in cidrs],
            }

        record = {
            "VpcPeeringConnectionId": id,
            "RequesterVpcInfo": side(requester),
            "AccepterVpcInfo": side(accepter),
            "Status": {"Code": status, "Message": status},
            "Tags": [],
        }
        if routed:
            for here, there in ((requester, accepter), (accepter, requester)):
                for association in self.record(there)["CidrBlockAssociationSet"]:
                    self.route(here, association["CidrBlock"], VpcPeeringConnectionId=id)
        return self._add("ec2-describe-vpc-peering-connections", record, id)

    def prefix_list(self, *cidrs: str, most: int | None = None, owner: str = "") -> str:
        """Add a prefix list (it is read only where a rule or route names it)."""
        id = self._id("pl")
        record = {
            "PrefixListId": id,
            "AddressFamily": "IPv4",
            "State": "create-complete",
            "PrefixListName": f"list-{self._count['pl']}",
            "Tags": [],
            "OwnerId": owner or self.account,
            "Version": 1,
        }
        if owner != "AWS":
            record["MaxEntries"] = most or max(1, len(cidrs))
        self._add("ec2-describe-managed-prefix-lists", record, id, resource=id)
        self._lists[self.region, "ec2-get-managed-prefix-list-entries", id] = [
            {"Cidr": c} for c in cidrs
        ]
        return id

    # -- security groups and interfaces -------------------------------------------------------

    def security_group(
        self,
        vpc: str,
        name: str | None = None,
        *,
        description: str = "made by a test",
        egress: bool = True,
        tags: dict[str, str] | None = None,
    ) -> str:
        """Add a security group; with AWS's outbound rule to anywhere unless ``egress`` is false."""
        id = self._id("sg")
        self._add(
            "ec2-describe-security-groups",
            {
                "GroupId": id,
                "GroupName": name or f"group-{self._count['sg']}",
                "Description": description,
                "VpcId": vpc,
                "OwnerId": self.account,
                "IpPermissions": [],
                "IpPermissionsEgress": [],
                "Tags": self._tags(None, tags),
            },
            id,
        )
        if egress:
            self.egress(id, ANYWHERE)
        return id

    def _rule(
        self,
        group: str,
        peer: str,
        protocol: str,
        ports: tuple[int, int] | None,
        is_egress: bool,
        description: str | None,
        **more: Any,
    ) -> str:
        id = self._id("sgr")
        low, high = ports or (-1, -1)
        record: dict[str, Any] = {
            "SecurityGroupRuleId": id,
            "GroupId": group,
            "GroupOwnerId": self.account,
            "IsEgress": is_egress,
            "IpProtocol": protocol,
            "FromPort": low,
            "ToPort": high,
            **rule_peer(peer, self.account),
            "Tags": [],
            **more,
        }
        if description is not None:
            record["Description"] = description
        return self._add("ec2-describe-security-group-rules", record, id)

    def ingress(
        self,
        group: str,
        peer: str,
        protocol: str = "-1",
        ports: tuple[int, int] | None = None,
        description: str | None = None,
        **more: Any,
    ) -> str:
        """Add an inbound rule; ``peer`` is a CIDR, a group id or a prefix list id."""
        return self._rule(group, peer, protocol, ports, False, description, **more)

    def egress(
        self,
        group: str,
        peer: str,
        protocol: str = "-1",
        ports: tuple[int, int] | None = None,
        description: str | None = None,
        **more: Any,
    ) -> str:
        """Add an outbound rule; ``peer`` is a CIDR, a group id or a prefix list id."""
        return self._rule(group, peer, protocol, ports, True, description, **more)

    def share(
        self, group: str, vpc: str, *, state: str = "associated", owner: str | None = None
    ) -> None:
        """Associate a security group with a further VPC, of another account where one is given."""
        self._add(
            "ec2-describe-security-group-vpc-associations",
            {
                "GroupId": group,
                "VpcId": vpc,
                "VpcOwnerId": owner or self.account,
                "State": state,
            },
        )

    def revoke(self, *ids: str) -> None:
        """Remove rules by their ids, or all rules of groups by the groups' ids."""
        rules = self._lists[self.region, "ec2-describe-security-group-rules", None]
        rules[:] = [r for r in rules if not {r["SecurityGroupRuleId"], r["GroupId"]} & set(ids)]

    def interface(
        self,
        subnet: str,
        *groups: str,
        ip: str | None = None,
        more_ips: tuple[str, ...] = (),
        ipv6: tuple[str, ...] = (),
        description: str = "",
        type: str = "interface",
        requester_managed: bool = False,
        name: str | None = None,
        **more: Any,
    ) -> str:
        """Add an ENI that carries the groups."""
        id = self._id("eni")
        network = self.record(subnet)
        if ip is None:
            self._hosts[subnet] += 1
            ip = str(ip_network(network["CidrBlock"])[self._hosts[subnet]])
        self._add(
            "ec2-describe-network-interfaces",
            {
                "NetworkInterfaceId": id,
                "SubnetId": subnet,
                "VpcId": network["VpcId"],
                "AvailabilityZone": network["AvailabilityZone"],
                "OwnerId": self.account,
                "Description": description,
                "InterfaceType": type,
                "RequesterManaged": requester_managed,
                "Status": "in-use",
                "PrivateIpAddress": ip,
                "PrivateIpAddresses": [
                    {"Primary": a == ip, "PrivateIpAddress": a} for a in (ip, *more_ips)
                ],
                "Ipv6Addresses": [{"Ipv6Address": a, "IsPrimaryIpv6": False} for a in ipv6],
                "Groups": [
                    {"GroupId": g, "GroupName": self.record(g)["GroupName"]} for g in groups
                ],
                "TagSet": self._tags(name),
                **more,
            },
            id,
        )
        return id

    # -- Client VPN ---------------------------------------------------------------------------

    def endpoint(
        self,
        vpc: str | None = None,
        groups: tuple[str, ...] = (),
        *,
        name: str | None = None,
        client_cidr: str = "172.20.0.0/22",
        authentication: tuple[str, ...] = ("federated-authentication",),
        logging: bool = True,
        **more: Any,
    ) -> str:
        """Add an endpoint; AWS's own settings beyond these go in ``more``."""
        id = self._id("cvpn-endpoint")
        options = {
            "certificate-authentication": {
                "MutualAuthentication": {
                    "ClientRootCertificateChain": f"arn:aws:acm:{self.region}:{self.account}:certificate/00000000-0000-0000-0000-0000000000ca"
                }
            },
            "directory-service-authentication": {
                "ActiveDirectory": {"DirectoryId": "d-0000000001"}
            },
            "federated-authentication": {
                "FederatedAuthentication": {
                    "SamlProviderArn": f"arn:aws:iam::{self.account}:saml-provider/idp"
                }
            },
        }
        arn = f"arn:aws:acm:{self.region}:{self.account}:certificate/00000000-0000-0000-0000-000000000001"
        record: dict[str, Any] = {
            "ClientVpnEndpointId": id,
            "Description": "",
            "Status": {"Code": "pending-associate"},
            "CreationTime": "2026-01-05T09:00:00",
            "DnsName": f"*.{id}.prod.clientvpn.{self.region}.amazonaws.com",
            "ClientCidrBlock": client_cidr,
            "DnsServers": [],
            "SplitTunnel": True,
            "VpnProtocol": "openvpn",
            "TransportProtocol": "udp",
            "VpnPort": 443,
            "AssociatedTargetNetworks": [],
            "ServerCertificateArn": arn,
            "AuthenticationOptions": [{"Type": t, **options[t]} for t in authentication],
            "ConnectionLogOptions": {"Enabled": True, "CloudwatchLogGroup": "/vpn/connections"}
            if logging
            else {"Enabled": False},
            "Tags": self._tags(name),
            "SecurityGroupIds": list(groups),
            "ClientConnectOptions": {"Enabled": False, "Status": {"Code": "applied"}},
            "SessionTimeoutHours": 24,
            "ClientLoginBannerOptions": {"Enabled": False},
            "ClientRouteEnforcementOptions": {"Enforced": False},
            "DisconnectOnSessionTimeout": True,
            "EndpointIpAddressType": "ipv4",
            "TrafficIpAddressType": "ipv4",
            "SelfServicePortalUrl": f"https://self-service.clientvpn.amazonaws.com/endpoints/{id}",
            **more,
        }
        if vpc:
            record["VpcId"] = vpc
        self._add("ec2-describe-client-vpn-endpoints", record, id)
        self._single.setdefault(
            (self.region, "acm-describe-certificate", arn),
            {
                "Certificate": {
                    "CertificateArn": arn,
                    "DomainName": "vpn.example.com",
                    "Status": "ISSUED",
                    "Type": "AMAZON_ISSUED",
                    "KeyAlgorithm": "RSA_2048",
                    "NotBefore": "2026-01-01T00:00:00+00:00",
                    "NotAfter": "2027-06-30T23:59:59+00:00",
                    "RenewalEligibility": "ELIGIBLE",
                    "SignatureAlgorithm": "SHA256WITHRSA",
                }
            },
        )
        self._single[
            self.region, "ec2-export-client-vpn-client-certificate-revocation-list", id
        ] = {"Status": {"Code": "pending"}}
        if "federated-authentication" in authentication:
            self.saml_provider()
        if "directory-service-authentication" in authentication:
            self.directory("d-0000000001")
        if logging and (self.region, "logs-describe-log-groups", "/vpn/connections") not in {
            *self._lists
        }:
            self.log_group("/vpn/connections", 90)
            self.log_stream("/vpn/connections", "connections")
        return id

    def certificate(self, endpoint: str, **members: Any) -> None:
        """Change the endpoint's server certificate, which is from then on its own."""
        record = self.record(endpoint)
        old = (self.region, "acm-describe-certificate", record["ServerCertificateArn"])
        arn = old[2].rpartition("/")[0] + f"/{endpoint}"
        certificate = self._single[old]["Certificate"] | {"CertificateArn": arn} | members
        record["ServerCertificateArn"] = arn
        self._single[self.region, old[1], arn] = {"Certificate": certificate}

    def saml_provider(
        self, name: str = "idp", metadata: str | None = None, *, days: float = 3650
    ) -> str:
        """Put a SAML provider into IAM, in the place of one of this name; IAM has no Region."""
        arn = f"arn:aws:iam::{self.account}:saml-provider/{name}"
        self._single["us-east-1", "iam-get-saml-provider", arn] = {
            "SAMLMetadataDocument": saml_metadata() if metadata is None else metadata,
            "CreateDate": "2024-04-01T00:00:00+00:00",
            "ValidUntil": (NOW + timedelta(days=days)).isoformat(),
        }
        return arn

    def remove_saml_provider(self, name: str = "idp") -> None:
        """Delete a SAML provider that an endpoint may name all the same."""
        arn = f"arn:aws:iam::{self.account}:saml-provider/{name}"
        del self._single["us-east-1", "iam-get-saml-provider", arn]

    def directory(self, id: str, **members: Any) -> None:
        """Put a directory there, in the place of one of this id."""
        record = {"DirectoryId": id, "Name": "corp.example.com", "Type": "MicrosoftAD"}
        self._lists[self.region, "ds-describe-directories", id] = [
            {**record, "Stage": "Active", **members}
        ]

    def connect_handler(
        self, endpoint: str, name: str = "AWSClientVPN-gate", *, there: bool = True, **members: Any
    ) -> str:
        """Give an endpoint a client connect handler; its function is ``there`` or not."""
        arn = f"arn:aws:lambda:{self.region}:{self.account}:function:{name}"
        self.record(endpoint)["ClientConnectOptions"] = {
            "Enabled": True,
            "LambdaFunctionArn": arn,
            "Status": {"Code": "applied"},
        }
        if there:
            self._single[self.region, "lambda-get-function-configuration", arn] = {
                "FunctionName": name,
                "FunctionArn": arn,
                "Version": "$LATEST",
                "State": "Active",
                "LastUpdateStatus": "Successful",
                **members,
            }
        return arn

    def revocation_list(self, endpoint: str, text: str, status: str = "active") -> None:
        """Import a certificate revocation list."""
        self._single[
            self.region, "ec2-export-client-vpn-client-certificate-revocation-list", endpoint
        ] = {"CertificateRevocationList": text, "Status": {"Code": status}}

    def log_group(self, name: str, days: int | None = None) -> None:
        """Add a log group that keeps entries so long; for ever where none is given."""
        record = {"logGroupName": name, "storedBytes": 0, "creationTime": 1767603600000}
        self._lists[self.region, "logs-describe-log-groups", name] = [
            record | ({} if days is None else {"retentionInDays": days})
        ]

    def log_stream(self, group: str, name: str, *, days_ago: float | None = 1) -> None:
        """Add a stream to a log group; written to so many days ago, or never."""
        record: dict[str, Any] = {"logStreamName": name, "creationTime": 1767603600000}
        if days_ago is not None:
            at = NOW - timedelta(days=days_ago)
            record["lastEventTimestamp"] = int(at.timestamp() * 1000)
        self._add("logs-describe-log-streams", record, resource=group)

    def quota(self, service: str, code: str, value: float) -> None:
        """Apply a quota."""
        self._add(
            "service-quotas-list-service-quotas",
            {
                "ServiceCode": service,
                "QuotaCode": code,
                "QuotaName": code,
                "Value": value,
                "Adjustable": True,
            },
            resource=service,
        )

    def associate(
        self,
        endpoint: str,
        subnet: str,
        *,
        ip: str | None = None,
        status: str = "associated",
        interface: bool = True,
        named: bool = True,
    ) -> str:
        """Associate a subnet: the route of the VPC and an ENI with the endpoint's groups appear.

        Without groups of its own the endpoint gets the VPC's default one, as AWS does it; returns
        the ENI's id (empty without ``interface``). ``named`` puts the endpoint's id into the ENI's
        description.
        """
        record = self.record(endpoint)
        vpc = self.record(subnet)["VpcId"]
        groups = record["SecurityGroupIds"] or [self.default_group(vpc)]
        record.setdefault("VpcId", vpc)
        record["Status"] = {"Code": "available"}
        association = self._id("cvpn-assoc")
        self._add(
            "ec2-describe-client-vpn-target-networks",
            {
                "AssociationId": association,
                "ClientVpnEndpointId": endpoint,
                "TargetNetworkId": subnet,
                "VpcId": vpc,
                "Status": {"Code": status},
                "SecurityGroups": list(groups),
            },
            association,
            resource=endpoint,
        )
        self.endpoint_route(endpoint, self.record(vpc)["CidrBlock"], subnet, origin="associate")
        if not interface:
            return ""
        text = "ClientVPN Endpoint resource"
        return self.interface(
            subnet,
            *groups,
            ip=ip,
            description=f"{text} {endpoint}" if named else text,
            requester_managed=True,
        )

    def associations(self, endpoint: str) -> list[dict[str, Any]]:
        """Return the raw records of an endpoint's associations, to be changed in place."""
        return self._lists[self.region, "ec2-describe-client-vpn-target-networks", endpoint]

    def endpoint_route(
        self,
        endpoint: str,
        destination: str,
        target: str,
        *,
        origin: str = "add-route",
        status: str = "active",
    ) -> None:
        """Add a route to the endpoint's table; ``target`` is a subnet id or ``local``."""
        self._add(
            "ec2-describe-client-vpn-routes",
            {
                "ClientVpnEndpointId": endpoint,
                "DestinationCidr": destination,
                "TargetSubnet": target,
                "Type": "Nat",
                "Origin": origin,
                "Status": {"Code": status},
                "Description": "",
            },
            resource=endpoint,
        )

    def authorize(
        self,
        endpoint: str,
        destination: str,
        group: str | None = None,
        *,
        status: str = "active",
        description: str = "",
    ) -> dict[str, Any]:
        """Add an authorization rule; for everyone where no group is given."""
        record = {
            "ClientVpnEndpointId": endpoint,
            "Description": description,
            "GroupId": group or "",
            "AccessAll": group is None,
            "DestinationCidr": destination,
            "Status": {"Code": status},
        }
        self._add("ec2-describe-client-vpn-authorization-rules", record, resource=endpoint)
        return record

    def connection(self, endpoint: str, **members: Any) -> str:
        """Add a live connection."""
        id = self._id("cvpn-connection")
        return self._add(
            "ec2-describe-client-vpn-connections",
            {
                "ClientVpnEndpointId": endpoint,
                "ConnectionId": id,
                "Timestamp": "2026-11-02 09:00:00",
                "ConnectionEstablishedTime": "2026-11-02 08:00:00",
                "ConnectionEndTime": "-",
                "IngressBytes": "1024",
                "EgressBytes": "2048",
                "IngressPackets": "10",
                "EgressPackets": "20",
                "ClientIp": "172.20.0.2",
                "CommonName": "client",
                "Status": {"Code": "active"},
                **members,
            },
            id,
            resource=endpoint,
        )

    def policy(
        self,
        endpoint: str,
        document: str,
        *,
        shadow: str = "disabled",
        status: str = "active",
        description: str = "",
    ) -> None:
        """Attach a Cedar authorization policy."""
        self._single[self.region, "ec2-get-client-vpn-endpoint-authorization-policy", endpoint] = {
            "ClientVpnEndpointId": endpoint,
            "PolicyDocument": document,
            "ShadowMode": shadow,
            "Status": status,
            **({"Description": description} if description else {}),
        }

    # -- refusals and the result --------------------------------------------------------------

    def refuse(
        self,
        read_id: str,
        *,
        region: str | None = None,
        resource: str | None = None,
        status: str = "denied",
        code: str = "UnauthorizedOperation",
    ) -> "World":
        """Refuse a read: everywhere, or in one region, or for one resource."""
        read_of(read_id)
        self._refused.append((read_id, region, resource, status, code))
        return self

    def _refusal(self, read_id: str, region: str, resource: str | None) -> Call | None:
        read = read_of(read_id)
        for id, where, what, status, code in self._refused:
            if id == read_id and where in {None, region} and what in {None, resource}:
                return Call(
                    account=self.account,
                    region=region,
                    service=read.service,
                    operation=read.operation,
                    resource=resource,
                    status=status,  # type: ignore[arg-type]
                    error_code=code,
                    error_message="refused by a test",
                )
        return None

    def snapshot(self, **manifest: Any) -> Snapshot:
        """Return the world as ``collect`` would have kept it, every read made."""
        documents: dict[tuple[str, str, str, str | None], dict[str, Any]] = {}
        refused: list[Call] = []
        asked: set[tuple[str, str, str | None]] = set()
        for region in self._regions:
            seen: dict[str, Any] = {}
            # Reads made per resource follow from those made per region, as in a real run.
            for read in sorted(READS, key=lambda r: r.resources is not None):
                resources = [None] if read.resources is None else list(read.resources(seen))
                folder = read.folder(region)
                for resource in resources:
                    if (read.id, folder, resource) in asked:
                        continue
                    asked.add((read.id, folder, resource))
                    refusal = self._refusal(read.id, folder, resource)
                    if refusal is not None:
                        refused.append(refusal)
                        continue
                    document = self._document(read.id, folder, resource)
                    if document is None:
                        refused.append(self._none(read.id, folder, resource))
                        continue
                    documents[self.account, folder, read.id, resource] = document
                    if resource is None:
                        seen[read.id] = document
        options = {
            "botocore_version": "1.44.5",
            "kit_version": "0",
            "caller_arn": f"arn:aws:iam::{self.account}:user/auditor",
            "finished": NOW,
        }
        return Snapshot.from_documents(documents, refused, **(options | manifest))

    def _document(self, read_id: str, region: str, resource: str | None) -> dict[str, Any] | None:
        read = read_of(read_id)
        if (region, read_id, resource) in self._single:
            return copy.deepcopy(self._single[region, read_id, resource])  # type: ignore[index]
        if read.result_key is None:
            return None
        records = self._lists.get((region, read_id, resource), [])
        if read.absent_codes and not records and read.id != "logs-describe-log-streams":
            return None
        return {read.result_key: copy.deepcopy(self._lists[region, read_id, resource])}

    def _none(self, read_id: str, region: str, resource: str | None) -> Call:
        """Return the record of an answer that says "there is none"."""
        read = read_of(read_id)
        return Call(
            account=self.account,
            region=region,
            service=read.service,
            operation=read.operation,
            resource=resource,
            items=0,
            error_code=(read.absent_codes or ("NotFound",))[0],
        )


def finding(world: World, id: str) -> Finding:
    """Return what one check finds in a world."""
    (found,) = audit(Tables(world.snapshot()), only=[id])
    return found


def column(found: Finding, *names: str) -> set[Any]:
    """Return what the evidence holds in a column, or in several as tuples."""
    if len(names) == 1:
        return set(found.evidence[names[0]].dropna())
    return set(found.evidence[list(names)].itertuples(index=False, name=None))


def clean() -> World:
    """Return a world in which every founding check passes: a model endpoint and a receiver."""
    world = World()
    vpc = world.vpc(name="main")
    world.revoke(world.default_group(vpc))
    vpn_subnet = world.subnet(vpc, "10.0.1.0/24", name="vpn-a")
    app_subnet = world.subnet(vpc, "10.0.2.0/24", name="app-a")
    group = world.security_group(vpc, "vpn-staff")
    endpoint = world.endpoint(vpc, (group,), name="staff")
    world.connect_handler(endpoint)
    world.associate(endpoint, vpn_subnet)
    world.authorize(endpoint, "10.0.2.0/24", "engineers")
    receiver = world.security_group(vpc, "app")
    world.ingress(receiver, group, "tcp", (443, 443))
    world.ingress(receiver, world.prefix_list("198.51.100.0/24"), "tcp", (443, 443))
    world.interface(app_subnet, receiver, name="app")
    return world


def clean_otherwise() -> World:
    """Return a world in which every founding check passes for other reasons than in ``clean``.

    A pair of groups, all outbound in the two halves of a prefix list, interfaces that do not name
    their endpoint, a policy in place of a handler, and settings that name no group since another
    one was applied.
    """
    world = World()
    vpc = world.vpc(name="main")
    world.revoke(world.default_group(vpc))
    subnets = [world.subnet(vpc, f"10.0.{n}.0/24") for n in (1, 2)]
    named = world.security_group(vpc, "vpn-clients", egress=False)
    world.egress(named, "127.0.0.1/32")
    out = world.security_group(vpc, "vpn-out", egress=False)
    world.egress(out, world.prefix_list("0.0.0.0/1", "128.0.0.0/1"))
    endpoint = world.endpoint(vpc, (named, out))
    for subnet in subnets:
        world.associate(endpoint, subnet, named=False)
    world.record(endpoint)["SecurityGroupIds"] = []
    world.policy(
        endpoint,
        "permit(principal, action, resource) when "
        '{ context.connection.public_ip.isInRange(ip("192.0.2.0/24")) };',
    )
    world.authorize(endpoint, "10.0.0.0/16", "engineers")
    receiver = world.security_group(vpc, "app")
    world.ingress(receiver, named, "tcp", (443, 443))
    world.interface(subnets[1], receiver, name="app")
    return world


def exposed() -> World:
    """Return a world in which every founding check fails."""
    world = World()
    vpc = world.vpc(name="main")
    vpn_subnet = world.subnet(vpc, "10.0.1.0/24", name="vpn-a")
    app_subnet = world.subnet(vpc, "10.0.2.0/24", name="app-a")
    default = world.default_group(vpc)
    endpoint = world.endpoint(
        vpc, name="staff", authentication=("certificate-authentication",), logging=False
    )
    world.associate(endpoint, vpn_subnet)
    world.authorize(endpoint, "0.0.0.0/0")
    world.interface(app_subnet, default, name="forgotten")
    receiver = world.security_group(vpc, "app")
    world.ingress(receiver, "10.0.1.11/32", "tcp", (22, 22))
    world.ingress(receiver, world.prefix_list("10.0.1.0/24"), "tcp", (443, 443))
    world.interface(app_subnet, receiver, name="app")
    old = world.security_group(vpc, "vpn-old", egress=False)
    new = world.security_group(vpc, "vpn-new")
    late = world.endpoint(
        vpc,
        (old,),
        name="contractors",
        client_cidr="172.21.0.0/22",
        authentication=("directory-service-authentication",),
    )
    world.associate(late, vpn_subnet)
    world.authorize(late, "10.0.0.0/16", "contractors")
    world.record(late)["SecurityGroupIds"] = [new]
    return world
